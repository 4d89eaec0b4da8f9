# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Count the warnings of a survey, in whatever process they are given.
"""

import contextlib
import re
import threading
import warnings

from astropy.utils.exceptions import AstropyUserWarning

__all__ = ['WARNED', 'WarningCounts']


# Kinds of warnings that a process keeps, and those that are shown.
_KEPT, _SHOWN = 100, 20

# What may differ between the images of one survey: names of files, and
# numbers.
_NAMES = re.compile(r"""[^\s'"]*/[^\s'"]+|[^\s'"]+\.(?:fits?|fz)\b\S*""")

_NUMBERS = re.compile(r'\d[\d.e+-]*')


class WarningCounts:
    """
    Warnings and how often each was given.

    Those that differ by numbers and by names of files only count as one;
    the first stands for them.
    """

    def __init__(self):
        self._found, self._lock = {}, threading.Lock()

    def __len__(self):
        """
        Count the kinds of warnings (int).
        """
        return len(self._found)

    def add(self, text, n=1):
        """
        Add a warning.

        Parameters
        ----------
        text : str
            The warning.

        n : int, optional
            How often it was given.
        """
        kind = _NUMBERS.sub('0', _NAMES.sub('', text))
        with self._lock:
            if kind in self._found:
                self._found[kind][1] += n
            elif len(self._found) < _KEPT:
                self._found[kind] = [text, n]

    def update(self, found):
        """
        Add the warnings of another process.

        Parameters
        ----------
        found : list of tuple
            As `take` returns them.
        """
        for text, n in found:
            self.add(text, n)

    def take(self):
        """
        Remove the warnings and return them.

        Returns
        -------
        found : list of tuple
            The text of each kind, and how often it was given.
        """
        with self._lock:
            found = [tuple(item) for item in self._found.values()]
            self._found.clear()
        return found

    @contextlib.contextmanager
    def shown(self):
        """
        Show the warnings at the end of a ``with`` statement.

        What is done there is done before they become errors by a filter.
        """
        try:
            yield
        finally:
            self.show()

    def show(self):
        """
        Remove the warnings and give each once, with its number.
        """
        found = sorted(self.take(), key=lambda item: -item[1])
        for text, n in found[:_SHOWN]:
            times = 'once' if n == 1 else f'{n} times'
            warnings.warn(f'{text} (warned {times} in this survey)',
                          AstropyUserWarning, stacklevel=3)
        if len(found) > _SHOWN:
            warnings.warn(f'{len(found) - _SHOWN} further kinds of warnings '
                          'in this survey are not shown',
                          AstropyUserWarning, stacklevel=3)


# Those of this process that nobody has asked for yet.
WARNED = WarningCounts()
