# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors that no galaxy is to blame for, and that end a survey.
"""

import contextlib
import errno
import tempfile

from astro_pix2prof.addresses import is_address

__all__ = ['StopSurveyError', 'find_stop', 'is_disk_full', 'raise_if_full',
           'resumable', 'stop_if_full']


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
    return any(isinstance(item, OSError) and item.errno in _FULL
               for item in _chain(error))


def raise_if_full(error):
    """
    Stop the survey for an error that is due to a disk without space.

    Parameters
    ----------
    error : BaseException
        The error.

    Raises
    ------
    StopSurveyError
        If it is such an error; no galaxy is to blame.
    """
    if is_disk_full(error):
        msg = f'no space is left on a disk: {error}'
        raise StopSurveyError(msg) from error


def find_stop(error):
    """
    Find a `StopSurveyError` that an error is, or that led to it.

    Parameters
    ----------
    error : BaseException
        The error. (LSDB raises one of its own.)

    Returns
    -------
    error : `StopSurveyError` or `None`
    """
    return next((item for item in _chain(error)
                 if isinstance(item, StopSurveyError)), None)


def _chain(error):
    """
    Yield an error and those that led to it.
    """
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def stop_if_full(folder):
    """
    Name the folder in errors that are due to a disk without space.

    Parameters
    ----------
    folder : `~pathlib.Path` or ``upath.UPath``
        The folder that is written to.

    Raises
    ------
    StopSurveyError
        Instead of them. All files appear when they are complete, so that
        nothing is damaged.
    """
    try:
        yield
    except StopSurveyError:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        # (what goes to a store is written here before)
        where = tempfile.gettempdir() if is_address(folder) else folder
        msg = (f'no space is left on the disk of {where}: make room there, '
               'or move it to another disk')
        raise StopSurveyError(msg) from error


@contextlib.contextmanager
def resumable(folder):
    """
    Say how to go on in errors that end a survey.

    Parameters
    ----------
    folder : `~pathlib.Path` or ``upath.UPath``
        The folder of the survey.

    Raises
    ------
    StopSurveyError
        Also instead of errors that are due to a disk without space.
    """
    try:
        with stop_if_full(folder):
            yield
    except StopSurveyError as error:
        msg = f'{error}. What is done is kept: call again to go on'
        raise StopSurveyError(msg) from error
