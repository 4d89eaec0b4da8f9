# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The precision of pixel values: single, or double where that is too coarse.
"""

import numpy as np

__all__ = ['choose_precision', 'near_zero']


# Single precision is too coarse where it rounds the usual pixel by more than
# this part of the difference of neighbours, as in an image with a constant of
# some 50,000 times its noise; it is known from about so many rows.
_COARSE, _ROWS = 5e-3, 64

_EPS = np.finfo(np.float32).eps


def choose_precision(data, mask):
    """
    Copy pixels in single precision, or in double where that is needed.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values.

    mask : 2D `~numpy.ndarray` of bool
        `True` for pixels not to use.

    Returns
    -------
    data : 2D `~numpy.ndarray`
        In native byte order: float64 where float32 would round noise away,
        as of a small signal on a large constant, else float32, in which
        values that are too large are infinite.

    small : 2D `~numpy.ndarray` of float32
        The same, less a level where that is large, for looks at how values
        differ.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.precision import choose_precision
    >>> noise = np.random.default_rng(0).normal(size=(50, 60))
    >>> none = np.zeros(noise.shape, bool)
    >>> choose_precision(noise, none)[0].dtype
    dtype('float32')
    >>> data, small = choose_precision(noise + 1e7, none)
    >>> data.dtype, bool(abs(small).max() < 10)
    (dtype('float64'), True)
    """
    with np.errstate(over='ignore', invalid='ignore'):
        level = _large_level(data, mask)
        if level is None:
            single = np.array(data, dtype=np.float32, order='C')
            return single, single
        double = np.array(data, dtype=np.float64, order='C')
        return double, (double - level).astype(np.float32)


def _large_level(data, mask):
    """
    Find the level of an image that is too large for single precision.
    """
    # (float32 and integers of 16 bits have no finer digits)
    if data.dtype.itemsize < 4 or data.dtype in (
            np.dtype(np.float32), np.dtype('>f4')):
        return None
    step = max(int(np.sqrt(data.size) / _ROWS), 1)
    part = np.s_[::step, :-1]
    good = ~(mask[part] | mask[::step, 1:])
    values = data[part][good].astype(float)
    beside = data[::step, 1:][good].astype(float)
    # (blank areas are as even as their constant, and integers may be)
    known = np.isfinite(values) & np.isfinite(beside) & (values != beside)
    if not known.any():
        return None
    values, beside = values[known], beside[known]
    level = float(np.median(values))
    change = float(np.median(np.abs(beside - values)))
    return level if change * _COARSE < _EPS * abs(level) else None


def near_zero(data, mask):
    """
    Subtract a level from pixels in double precision.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixels, as of `choose_precision`.

    mask : 2D `~numpy.ndarray` of bool
        `True` for pixels not to use.

    Returns
    -------
    data : 2D `~numpy.ndarray`
        Those in single precision as they are.
    """
    if data.dtype != np.float64 or mask.all():
        return data
    return data - np.median(data[~mask])
