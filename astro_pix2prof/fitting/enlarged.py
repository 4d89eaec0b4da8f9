# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise images that were enlarged by repeating their pixels.
"""

import numpy as np

__all__ = ['find_repeated_lines', 'is_enlarged', 'without_repeats']


# Each line is compared with the next at so many pixels, and is repeated if
# this part of them is equal, of at least so many that are known.
_PIXELS, _ALL, _KNOWN = 16, 0.95, 4

# In an enlarged image, this part of the lines is repeated, and of the pixels
# of the others less than this are equal.
_LEAST, _MOST, _OTHERS = 0.1, 0.9, 0.5


def is_enlarged(data, mask):
    """
    Tell whether an image was enlarged by repeating its pixels.

    Resampling to finer pixels by the nearest one does that, to twice as many
    pixels or by any other factor of 1.15 or more. The pixels are then not
    independent, and several share the largest value.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    Returns
    -------
    result : bool
        Also for images with a constant border that is not masked.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.enlarged import is_enlarged
    >>> image = np.random.default_rng(0).normal(size=(40, 40))
    >>> is_enlarged(image, np.zeros(image.shape, bool))
    False
    >>> image = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    >>> is_enlarged(image, np.zeros(image.shape, bool))
    True
    """
    return find_repeated_lines(data, mask) is not None


def find_repeated_lines(data, mask):
    """
    Find the rows and columns that repeat the one before.

    Parameters
    ----------
    data, mask
        As for `is_enlarged`.

    Returns
    -------
    rows, columns : 1D bool `~numpy.ndarray`, shape (ny,) and (nx,)
        Whether they repeat the one before. `None` in place of both for
        images that were not enlarged.
    """
    columns = _repeated(data, mask)
    if columns is None:
        return None
    rows = _repeated(data.T, mask.T)
    return None if rows is None else (rows, columns)


def without_repeats(data, mask, centre):
    """
    Leave the rows and columns out that repeat the one before.

    Parameters
    ----------
    data, mask
        As for `is_enlarged`.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    Returns
    -------
    data, mask : 2D `~numpy.ndarray`
        The image, and the pixels not to use, before it was enlarged. `None`
        in place of all four for images that were not.

    centre : tuple of 2 ints
        The pixel (x, y) of the centre.

    index : tuple of 2 2D `~numpy.ndarray` of int
        The pixels of ``data`` that each pixel repeats.
    """
    lines = find_repeated_lines(data, mask)
    if lines is None:
        return None
    part = np.ix_(*(~line for line in lines))
    y, x = (np.cumsum(~line) - 1 for line in lines)
    at_x, at_y = (min(max(round(at), 0), n - 1) for at, n in zip(
        centre, data.shape[::-1], strict=True))
    return (data[part], mask[part], (int(x[at_x]), int(y[at_y])),
            np.ix_(y, x))


def _repeated(data, mask):
    """
    Find the columns that repeat the one before; `None` if too few do.
    """
    some = np.s_[::max(len(data) // _PIXELS, 1)]
    values, hidden = data[some], mask[some]
    known = ~(hidden[:, 1:] | hidden[:, :-1])
    equal = np.count_nonzero((values[:, 1:] == values[:, :-1]) & known, axis=0)
    number = np.count_nonzero(known, axis=0)
    repeated = (equal >= _ALL * number) & (number >= _KNOWN)
    n = np.count_nonzero(repeated)
    if not _LEAST * len(repeated) < n < _MOST * len(repeated):
        return None
    others = ~repeated
    if equal[others].sum() > _OTHERS * number[others].sum():
        return None
    return np.append(False, repeated)
