# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Word numbers and values in messages.
"""

__all__ = ['counted', 'shown']


# Arrays of more numbers are not written out in messages.
_LARGE = 12


def counted(n, one, many=None):
    """
    Write a number with its noun.

    Parameters
    ----------
    n : int
        The number.

    one : str
        The noun for one, such as 'part'.

    many : str, optional
        The noun for others; by default with an 's' at the end.

    Returns
    -------
    text : str
        Such as '1 part' or '3 parts'.
    """
    return f'{n} {one if n == 1 else many or one + "s"}'


def shown(value):
    """
    Write a value as a user would.

    Parameters
    ----------
    value : object
        The value of an argument.

    Returns
    -------
    text : str
        Numbers of numpy as plain ones, quantities with their unit, the
        type of a table, the type and the shape of a large array or image,
        and anything else as Python writes it.
    """
    if hasattr(value, 'unit') and getattr(value, 'ndim', 1) == 0:
        return str(value)
    if type(value).__module__ == 'numpy' and getattr(value, 'ndim', 1) == 0:
        return repr(value.item())
    if hasattr(value, 'colnames'):
        return type(value).__name__
    if getattr(value, 'ndim', 0) and getattr(value, 'size', 0) > _LARGE:
        return f'{type(value).__name__} of the shape {tuple(value.shape)}'
    return repr(value)
