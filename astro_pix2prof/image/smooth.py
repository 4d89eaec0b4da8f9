# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pixels that were filled by a smooth function of those around them.
"""

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, label

from astro_pix2prof.background.medians import median

__all__ = ['find_smooth']


# Filled pixels are looked for so many pixels around the position.
_AROUND = 16

# The usual differences are those of so many groups of so many columns, in
# rows all over the frame.
_ROWS, _COLUMNS = 10, 96

# A pixel and the four beside it are smooth if their mean roughness is below
# this part of the usual one, which white noise rarely is by chance. Usual is
# that of the sky, or of the pixels up to so far around; that of this quantile
# tells where to look.
_SMOOTH, _NEAR, _ROUGHEST = 0.025, 8, 0.75

# In images without noise, or with noise of several pixels, second differences
# of neighbours are correlated by more than this.
_ALIKE = 0.4

# Where more than this part of the pixels has no roughness, the image was
# rounded to steps, and may be smooth by chance.
_STEPS = 0.01

# Full wells are smooth, too: so many pixels have the largest value, to so
# much.
_FULL, _EQUAL = 4, 1e-5

# There are at most so many groups of smooth pixels, which have this part of
# the area at most: else the whole image is smooth.
_GROUPS, _PART = 3, 0.15

# Five pixels are on a cubic if their fourth difference is below this part of
# the usual one, or of so many times the spacing of numbers. Fewer such side
# by side are chance, or where this part of the others is.
_ON_CUBIC, _ROUNDING = 1e-4, 10 * np.finfo(np.float32).eps
_LEAST, _CHANCE = 4, 2e-3


# (infinite pixels have no differences)
@np.errstate(invalid='ignore', over='ignore')
def find_smooth(data, mask, position):
    """
    Find pixels near the position that are smoother than noise allows.

    Bad pixels are often filled by a polynomial, a spline or a weighted mean
    of the pixels around, such as that of
    ``astropy.convolution.interpolate_replace_nans``. Such pixels have no
    noise, and measure nothing.

    Parameters
    ----------
    data : 2D `~numpy.ndarray` of float32, shape (ny, nx)
        The pixel values.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are known to be bad.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, in pixels.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        `None` if there are none, and in images without noise. Areas of less
        than 21 pixels are found only if they are rows or columns of three or
        more that were filled by cubics.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.smooth import find_smooth
    >>> y, x = np.indices((64, 64))
    >>> data = 200 * np.exp(-np.hypot(x - 30, y - 33) / 5)
    >>> data += np.random.default_rng(0).normal(size=data.shape)
    >>> none = np.zeros(data.shape, bool)
    >>> find_smooth(data, none, (30, 33)) is None
    True
    >>> hole = np.hypot(x - 32, y - 34) < 4
    >>> data[hole] = (120 - 2 * x - y + 0.1 * x * y)[hole]
    >>> found = find_smooth(data, none, (30, 33))
    >>> print(found[hole].mean() > 0.7, found[~hole].any())
    True False
    """
    x, y = (round(c) for c in position)
    box = np.s_[max(y - _AROUND, 0):max(y + _AROUND + 1, 0),
                max(x - _AROUND, 0):max(x + _AROUND + 1, 0)]
    if min(data[box].shape) < _AROUND:
        return None
    values = np.where(mask[box], np.nan, data[box])
    rows = _some_rows(data)
    if _is_smooth_everywhere(rows[0]):
        return None
    usual = _known_median(np.abs(_bend(_bend(rows[0]))))
    if not usual > 0:
        return None
    parts = [_smooth(values, rows), _on_cubics(values, usual)]
    down = _on_cubics(values.T, usual)
    parts.append(None if down is None else down.T)
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    found = np.zeros(data.shape, dtype=bool)
    found[box] = np.logical_or.reduce(parts)
    return found


def _is_smooth_everywhere(rows):
    """
    Tell whether an image has no noise, or none that differs between pixels.

    Second differences of white noise have opposite signs in neighbouring
    pixels (a correlation of -2/3), those of light are nearly the same.
    """
    bent = _bend(rows)
    most = 4 * _known_median(np.abs(bent))
    bent = np.nan_to_num(np.clip(bent, -most, most))
    power = np.sum(bent**2)
    return bool(np.sum(bent[:, 1:] * bent[:, :-1]) > _ALIKE * power)


def _known_median(values):
    """
    Calculate the median of finite values; not-a-number without any.
    """
    known = values[np.isfinite(values)]
    return median(known)


def _some_rows(data):
    """
    Choose groups of five rows all over the frame: shape (5, n, nx).
    """
    last = len(data) - 5
    first = np.arange(0, last + 1, max(last // _ROWS, 1))
    start = max(data.shape[1] - _COLUMNS, 0) // 2
    return np.stack([data[first + k, start:start + _COLUMNS]
                     for k in range(5)])


def _smooth(values, rows):
    """
    Find groups of pixels that are much smoother than usual.
    """
    one, two, three = rows[:3]
    usual = np.abs(_bend(one + three - 2 * two))
    usual = usual[np.isfinite(usual)]
    if np.count_nonzero(usual == 0) > _STEPS * usual.size:
        return None
    usual = _known_median(usual)
    rough = _bend(_bend(values).T).T**2
    # (what is not finite is rough)
    mean = rough[1:-1, 1:-1] + rough[:-2, 1:-1] + rough[2:, 1:-1]
    mean += rough[1:-1, :-2] + rough[1:-1, 2:]
    # (a median is 0.67 of a standard deviation)
    factor = 5 * (_SMOOTH / 0.6745)**2
    known = rough[np.isfinite(rough)]
    if not known.size:
        return None
    k = int(_ROUGHEST * known.size)
    most = max(np.partition(known, k)[k], usual**2)
    number = np.count_nonzero(mean < factor * most)
    if not 0 < number <= _PART * mean.size:
        return None
    which, _ = label(mean < factor * most, np.ones((3, 3)))
    areas = []
    for k, place in enumerate(find_objects(which), 1):
        near = rough[tuple(slice(max(part.start - _NEAR + 1, 0),
                                 part.stop + _NEAR + 1) for part in place)]
        calm = (which == k) & (mean < factor * max(
            np.nanmedian(near), usual**2))
        if not calm.any():
            continue
        # (a pixel, the four beside it, and those that touch any of these)
        area = binary_dilation(binary_dilation(np.pad(calm, 2)),
                               np.ones((3, 3)))
        top = values[area].max()
        if np.count_nonzero(top - values[area] <= _EQUAL * abs(top)) < _FULL:
            areas.append(area)
    if not 0 < len(areas) <= _GROUPS:
        return None
    return np.logical_or.reduce(areas)


def _bend(values):
    """
    Calculate second differences along rows.
    """
    bent = values[:, 2:] + values[:, :-2]
    bent -= 2 * values[:, 1:-1]
    return bent


def _on_cubics(values, usual):
    """
    Find pixels of rows between others with which they are on a cubic.
    """
    bent = np.abs(_bend(_bend(values)))
    middle = values[:, 2:-2]
    size = np.abs(middle)
    close = bent <= _ON_CUBIC * usual + _ROUNDING * size
    if np.count_nonzero(close) < _LEAST:
        return None
    close &= np.maximum(np.abs(values[:, 1:-3] - middle), np.abs(
        values[:, 3:-1] - middle)) > _EQUAL * size
    number = np.count_nonzero(close)
    if number < _LEAST:
        return None
    which, _ = label(close)
    size = np.bincount(which.ravel())
    large = size >= _LEAST
    large[0] = False
    lines = size[large].sum()
    if not lines or number - lines > _CHANCE * close.size or (
            lines > _PART * close.size):
        return None
    found = np.zeros(values.shape, dtype=bool)
    found[:, 2:-2] = large[which]
    # (the first and last of the five were there before)
    return binary_dilation(found, np.ones((1, 3)))
