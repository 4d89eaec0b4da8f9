# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors that no galaxy is to blame for, and that end a survey.
"""

import errno

__all__ = ['StopSurveyError', 'is_disk_full']


# No space, or no more of it for this user.
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StopSurveyError(RuntimeError):
    """
    All further galaxies would fail, too: a later call can go on.

    A row of the results would say for ever that its image is to blame.
    """


def is_disk_full(error):
    """
    Tell whether an error, or what led to it, is a lack of space on a disk.

    Parameters
    ----------
    error : BaseException
        The error.

    Returns
    -------
    found : bool
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
