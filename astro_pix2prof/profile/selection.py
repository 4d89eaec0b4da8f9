# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Numbers and masks that choose galaxies out of many.
"""

import numpy as np

__all__ = ['row_numbers']


def row_numbers(item, n, what):
    """
    Turn numbers or a mask into the numbers of rows.

    Parameters
    ----------
    item : 1D array-like of int or bool
        The numbers, negative ones counted from the end, in any order; or
        for each row whether it is chosen.

    n : int
        The number of rows.

    what : str
        What has the rows, for messages, such as 'the batch'.

    Returns
    -------
    numbers : 1D `~numpy.ndarray` of int
        From 0 to n - 1.

    Raises
    ------
    TypeError
        If ``item`` is neither.

    IndexError
        If a number is out of range, or the mask has another length.
    """
    values = np.asarray(item)
    if values.size == 0 and values.dtype.kind == 'f':
        values = values.astype(int)   # (an empty list)
    if values.ndim != 1 or values.dtype.kind not in 'iub':
        msg = (f'{what} takes a number, a slice, or a list of numbers or of '
               f'True and False, got {item!r}')
        raise TypeError(msg)
    if values.dtype.kind == 'b':
        if len(values) != n:
            msg = (f'{what} has {n} galaxies, got a mask of '
                   f'{len(values)} values')
            raise IndexError(msg)
        return np.flatnonzero(values)
    wrong = values[(values < -n) | (values >= n)]
    if len(wrong):
        msg = f'{what} has {n} galaxies, got the number {wrong[0]}'
        raise IndexError(msg)
    return values.astype(int) % max(n, 1)
