# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rows and columns of a detector that have lost a part of their light.
"""

from functools import cache

import numpy as np

from astro_pix2prof.background.medians import median
from astro_pix2prof.detection.bad_pixels import find_bad_pixels

__all__ = ['find_bad_lines', 'find_bad_pixels_and_lines']


# Half the side (pixels) of the box that is looked at, which is divided into
# bands of so many rows (or columns).
_HALF, _BAND = 18, 5

# Pixels on each side of a line whose light predicts its own, and the widest
# line. The steps to pixels beside an edge predict the step at the edge, as on
# a parabola through the logarithms, with these weights of the four pixels.
_REACH, _WIDEST = 2, 8
_EDGE = np.array([0.25, -0.75, 0.75, -0.25])

# Sums over a band are used that are so many times their error. A line has lost
# light if its logarithm is too low by so many times the error, and by this.
_CLEAR, _SURE, _LOST = 6.0, 5.2, 0.07

# A quick look passes by what is less than so many times the error of a sum,
# or than this depth, which sums over the galaxy may show less of, by width;
# or as deep as the groups beside but for this part.
_CHANCE, _CHANGE = 3.5, 0.25
_SEEN = np.array([-0.05, -0.05, *[-0.1] * (_WIDEST - 2)])

# The depths of the lines beside are those that follow from one dark line; what
# else there is, is less than this part of its own.
_ELSE = 0.3

# Depths so many columns to each side are looked at.
_BESIDE = 3

# Without a gain, so many photons make a count of the size of the noise.
_PHOTONS = 2.0

# So many bands have to tell, each of which by so many times its error, and
# agree to so many times their scatter and this part of the loss.
_BANDS, _EACH, _AGREE, _MODEL = 2, 3.5, 3.0, 0.12


def find_bad_pixels_and_lines(data, mask, position, sigma, *, sky=0.0,
                              reach=25, gain=None):
    """
    Find single bad pixels, and rows and columns that have lost light.

    Parameters
    ----------
    data, mask, position, sigma, sky, reach, gain
        As for `~astro_pix2prof.detection.bad_pixels.find_bad_pixels`.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The bad pixels; `None` if there are none.
    """
    pixels = find_bad_pixels(data, mask, position, sigma, sky=sky,
                             reach=reach, gain=gain)
    lines = find_bad_lines(data, mask, position, sigma, sky=sky, gain=gain)
    if pixels is None or lines is None:
        return lines if pixels is None else pixels
    return pixels | lines


# (sums without light have no logarithm, and are not used)
@np.errstate(invalid='ignore', divide='ignore', over='ignore')
def find_bad_lines(data, mask, position, sigma, *, sky=0.0, gain=None):
    """
    Find rows and columns through a galaxy that are darker than those beside.

    The pixels of a detector along a line may respond by less than the
    others. Then its light is lower by the same factor wherever the galaxy is
    seen. No galaxy is: seen through a point-spread function, the logarithm
    of its light has no such dents, above and below the nucleus alike.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The image.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are known to be bad.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, in pixels.

    sigma : float
        The noise of a sky pixel.

    sky : float, optional
        The sky level.

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The rows and columns, in groups of eight at most; `None` if there
        are none.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.detection.bad_lines import find_bad_lines
    >>> y, x = np.mgrid[:61, :61]
    >>> galaxy = 200 * np.exp(-np.hypot(x - 30, y - 30) / 6)
    >>> galaxy[:, 33] *= 0.7
    >>> none = np.zeros(galaxy.shape, bool)
    >>> found = find_bad_lines(galaxy, none, (30, 30), 1.0)
    >>> np.flatnonzero(found.all(axis=0)).tolist()
    [33]
    """
    x, y = (round(c) for c in position)
    corner = max(y - _HALF, 0), max(x - _HALF, 0)
    box = np.s_[corner[0]:max(y + _HALF, 0), corner[1]:max(x + _HALF, 0)]
    values = data[box] - sky
    if min(values.shape) < 4 * _BAND or not sigma > 0:
        return None
    hidden = mask[box]
    is_hidden = hidden.any()
    # (a quick look at the sums over all of the box)
    if is_hidden:
        values[hidden] = 0.0
    widths = _may_be_dark(values, sigma)
    if not widths:
        return None
    if is_hidden:
        values[hidden] = np.nan
    found = np.zeros(data.shape, dtype=bool)
    for axis in (0, 1):
        part = values if axis == 0 else values.T
        seen = [width for along, width in widths if along == axis]
        for first, width in _dark_columns(part, sigma, gain, seen):
            first += corner[1 - axis]
            line = np.s_[first:first + width]
            if axis == 0:
                found[:, line] = True
            else:
                found[line] = True
    return found if found.any() else None


def _may_be_dark(values, sigma):
    """
    List axes and widths of which the sum of a group is lower than beside it.
    """
    size = max(values.shape)
    total = np.full((2, size + _WIDEST), np.nan)
    for axis, part in enumerate(total):
        n = values.shape[1 - axis]
        values.sum(axis, out=part[:n])
        # (comparisons with what is left out are false)
        part /= sigma * np.sqrt(values.shape[axis])
    total[total < 2 * _CLEAR] = np.nan
    step = _steps(np.log(total))
    edges, middle = _places(size)
    depth = step[:, None, :edges.shape[1]] - step[:, edges]
    depth[:, 0] /= _response(1)
    chance = np.minimum(-_CHANCE / total[:, middle], _SEEN[:, None])
    low = (depth < chance)[..., 1:-1] & _is_narrow(depth)
    return [(int(axis), int(width) + 1)
            for axis, width in np.argwhere(low.any(axis=2))]


def _is_narrow(depth):
    """
    Tell where depths change sign from one column to the next.

    Those of a smooth galaxy are about the same one column farther.
    """
    return depth[..., :-2] + depth[..., 2:] > -_CHANGE * depth[..., 1:-1]


@cache
def _places(size):
    """
    Index the steps at the far edges of groups, and their middle columns.
    """
    width = np.arange(1, _WIDEST + 1)[:, None]
    first = np.arange(size - 3 - 1)
    return first + width, first + _REACH + (width - 1) // 2


def _dark_columns(values, sigma, gain, widths):
    """
    List the first column, and the number, of groups that are too dark.
    """
    if not widths:
        return []
    ny, nx = values.shape
    number = ny // _BAND
    total = values[:number * _BAND].reshape(number, _BAND, nx).sum(1)
    light = np.where(total > _CLEAR * np.sqrt(_BAND) * sigma, total, np.nan)
    step = _steps(np.log(light))
    variance = None
    lines = []
    for width in widths:
        depth = _depth(step, width)
        # (a quick look)
        is_low = depth < -_LOST
        low = np.zeros(depth.shape[1], bool)
        low[1:-1] = np.count_nonzero(
            is_low[:, 1:-1] & _is_narrow(depth), axis=0) >= _BANDS
        # (in at least half of the bands)
        low &= 2 * is_low.sum(0) >= np.isfinite(depth).sum(0)
        if low.any():
            if variance is None:
                photons = light / gain if gain else light * sigma / _PHOTONS
                variance = (_BAND * sigma**2 + photons) / light**2
            lines += [(mean, k + _REACH, width) for mean, k in _sure(
                depth, _depth_variance(variance, width), low, width)]
    # (those that have lost the most, and none that touch these)
    found = []
    for _, first, width in sorted(lines):
        if all(first > other[0] + other[1] + _REACH
               or first + width + _REACH < other[0] for other in found):
            found.append((first, width))
    return found


def _steps(log):
    """
    Calculate half of the steps between columns beyond those beside them.
    """
    n = log.shape[1] - 3
    return sum(weight * log[:, k:k + n] for k, weight in enumerate(_EDGE))


def _depth(step, width):
    """
    Calculate how much groups of columns are above those beside them.

    From the steps at their edges, in logarithms.
    """
    depth = step[:, :-width] - step[:, width:]
    return depth / _response(width)


@cache
def _kernel(width):
    """
    Calculate the weights of columns in the depth of a group.
    """
    edge = np.zeros(width + 4)
    edge[:4] += _EDGE
    edge[width:] -= _EDGE
    return edge / edge[_REACH:-_REACH].sum()


def _response(width):
    """
    Calculate the difference of the steps at the edges for a depth of 1.
    """
    return 1.5 if width == 1 else 1.0


def _depth_variance(variance, width):
    """
    Calculate the variances of `_depth`.
    """
    weight = _kernel(width)**2
    n = variance.shape[1] - len(weight) + 1
    return sum(part * variance[:, k:k + n] for k, part in enumerate(weight))


def _sure(depth, variance, low, width):
    """
    List columns that are too dark by about the same part in all bands.

    With the logarithm of that part.
    """
    shape = _shape(width)
    reach = min(len(shape) // 2, _BESIDE)
    shape = shape[len(shape) // 2 - reach:][:2 * reach + 1]
    found = []
    for k in np.flatnonzero(low[reach:-reach]) + reach:
        use = np.isfinite(depth[:, k])
        value = depth[use, k]
        if len(value) < _BANDS or (usual := median(value)) > -_LOST:
            continue
        each = variance[use, k]
        weight = 1 / (each + (0.5 * _MODEL * usual)**2)
        beside = depth[use, k - reach:k + reach + 1]
        known = np.isfinite(beside).all(axis=1)
        if np.count_nonzero(known) < _BANDS:
            continue
        beside = (weight[known] @ beside[known]) / weight[known].sum()
        mean = beside @ shape / (shape @ shape)
        rest = beside - mean * shape
        error = 1 / np.sqrt((1 / each).sum())
        clear = np.count_nonzero(value < -_EACH * np.sqrt(each))
        off = np.abs(value - mean) / np.sqrt(each + (_MODEL * mean)**2)
        if (mean < -_LOST and mean < -_SURE * error and clear >= _BANDS
                and off.max() < _AGREE
                and np.abs(rest).max() < -_ELSE * mean):
            found.append((float(mean), int(k)))
    return found


@cache
def _shape(width):
    """
    Calculate the depths around a line whose own depth is 1.
    """
    return np.convolve(_kernel(width), np.ones(width))
