# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Carry warnings from one process to another.
"""

import warnings
from contextlib import contextmanager

from astropy.utils.exceptions import AstropyUserWarning

__all__ = ['NotingJob', 'record_warnings', 'repeat_warnings']


@contextmanager
def record_warnings(found):
    """
    Append the texts of warnings to a list instead of showing them.

    Parameters
    ----------
    found : list of str
        The list. Warnings that are no `AstropyUserWarning` are shown.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('always', AstropyUserWarning)
        show = warnings.showwarning

        def note(message, category, *args, **kwargs):
            if issubclass(category, AstropyUserWarning):
                found.append(' '.join(str(message).split()))
            else:
                show(message, category, *args, **kwargs)

        warnings.showwarning = note
        yield


class NotingJob:
    """
    Do a job of another process and return its warnings along with it.

    Parameters
    ----------
    job : callable
        The job. It can be pickled.
    """

    def __init__(self, job):
        self.job = job

    def __call__(self, part):
        """
        Do the job; return its result and a list of texts.
        """
        found = []
        with record_warnings(found):
            result = self.job(part)
        return result, found


def repeat_warnings(results):
    """
    Give the warnings of a `NotingJob` in this process.

    Parameters
    ----------
    results : iterable of tuple
        What the job returned for each part.

    Yields
    ------
    result : object
        The results without the warnings.
    """
    for result, found in results:
        for text in found:
            warnings.warn(text, AstropyUserWarning, stacklevel=2)
        yield result
