# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise a wide, shallow moat that a map of the sky left around a galaxy.
"""

from functools import lru_cache

import numpy as np

from astro_pix2prof.background.areas import grown

__all__ = ['has_moat']


# The frame is divided into about so many boxes each way, of at least so many
# pixels each way. There are so many boxes of sky at least.
_BOXES, _LEAST, _FEWEST = 28, 2, 60

# The galaxy ends at the last ring above so many times its error. What is
# brighter than so many times the noise is not followed further by maps of the
# sky, which leave out bright pixels.
_SEEN, _BRIGHTEST = 3.0, 3.0

# Widths of the maps, in units of the radius of a circle as large as the part
# of the galaxy above half of that brightness, or in pixels, as of meshes and
# filters of 32 to 100 pixels. With each, the sky around is so many times its
# error too dark: errors are the largest of several estimates, so that narrow
# moats of good images are well below twice these, and wide ones less so.
_WIDTHS = ((0.8, 2.2), (1.6, 2.2), (2.7, 3.5))
_PIXELS = ((16.0, 2.2), (24.0, 2.2))

# Boxes that exceed the median by so many times the scatter are other objects.
_OBJECT = 3.5

# Along lines, where detectors have steps, so many times; and what is missing
# from some ring is more than so much (mag) and so many times the error of the
# ring.
_SURE_OF_LINES, _LOST, _ERRORS = 5.0, 0.05, 1.5


def has_moat(data, mask, rings):
    """
    Tell whether the sky is darker the nearer it is to the galaxy.

    A map of the sky that was made with meshes or a filter of about the size of
    the galaxy, or of a level for each row, has a smooth, clipped image of the
    galaxy in it, and takes light from the outskirts. Such images are fitted to
    the pixels where the galaxy has ended: the moat there is shallow, but wide.
    It counts if a map of that height took much of the light of some ring.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky that was measured.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    Returns
    -------
    result : bool
    """
    noise, last = rings.noise, rings.last_seen(_SEEN)
    if last is None or not noise > 0:
        return False
    side = max(min(data.shape) // _BOXES, _LEAST)
    values, full = _means(data, mask, side)
    radius = _radius(rings, last, values.shape, side)
    sky = full & (radius > rings.sma[last] + side)
    if np.count_nonzero(sky) < _FEWEST:
        return False
    # (half of all boxes tell what is an object)
    some = np.sort(values[sky])
    middle = some[len(some) // 2]
    scatter = max(middle - some[int(0.16 * len(some))], noise / side)
    bright = sky & (values > middle + _OBJECT * scatter)
    if bright.any():
        sky &= ~grown(bright)
        if np.count_nonzero(sky) < _FEWEST:
            return False
    light = np.minimum(np.interp(
        radius, rings.sma[:last + 1], np.maximum(
            np.nan_to_num(rings.intensity[:last + 1]), 0.0), right=0.0),
        _BRIGHTEST * noise)
    size = np.sqrt(np.count_nonzero(light > 0.5 * light.max()) / np.pi)
    known = values[sky]
    white = max(rings.noise_correlation, 1.0) * noise / side
    widths = [(width * size, sure) for width, sure in _WIDTHS]
    widths += [(width / side, sure) for width, sure in _PIXELS]
    for shape, sure in _shapes(light, widths):
        if _is_dark(known, shape[sky], sure * white):
            factor, error = _fit(values, sky, shape, white)
            if factor < -sure * error and _matters(
                    factor, shape, radius, rings, last):
                return True
    return False


def _shapes(light, widths):
    """
    Calculate what maps of the sky may have of a galaxy, and how sure to be.
    """
    for width, sure in widths:
        yield _smoothed(light, max(width, 1.0)), sure
    # (a level subtracted from each row, or column)
    for axis in (0, 1):
        yield (light.mean(axis, keepdims=True) + np.zeros(light.shape),
               _SURE_OF_LINES)


def _means(data, mask, side):
    """
    Calculate the means of boxes, and which of these have most pixels.
    """
    if not mask.any():
        total = _sums(data, side)
        return total / side**2, np.ones(total.shape, dtype=bool)
    number = _sums(~mask, side)
    total = _sums(np.where(mask, 0.0, data), side)
    return total / np.maximum(number, 1), number > 0.5 * side**2


def _sums(values, side):
    """
    Add the pixels of boxes.
    """
    ny, nx = (n // side for n in values.shape)
    # (rows first, which is faster)
    lines = values[:ny * side].reshape(ny, side, -1).sum(1)
    return lines[:, :nx * side].reshape(ny, nx, side).sum(2)


def _radius(rings, last, shape, side):
    """
    Calculate the semi-major axis (pixels) through the middle of each box.
    """
    y, x = (side * (np.arange(n) + 0.5) - 0.5 for n in shape)
    dx, dy = x - rings.centre[0], (y - rings.centre[1])[:, None]
    cos, sin = np.cos(rings.theta[last]), np.sin(rings.theta[last])
    along = dx * cos + dy * sin
    across = (dy * cos - dx * sin) / (1 - rings.eps[last])
    return np.sqrt(along * along + across * across)


def _smoothed(values, width):
    """
    Smooth with a Gaussian (fast for small frames).
    """
    ny, nx = values.shape
    kernel = np.exp(-0.5 / width**2 * _squares(max(ny, nx)))
    # (beyond the edge of the frame it goes on as inside)
    down = kernel[:ny, :ny] / kernel[:ny, :ny].sum(1)[:, None]
    along = down if nx == ny else (
        kernel[:nx, :nx] / kernel[:nx, :nx].sum(1)[:, None])
    return down @ values @ along.T


@lru_cache(maxsize=16)
def _squares(number):
    """
    Calculate the squares of the distances of points in a line.
    """
    at = np.arange(number, dtype=float)
    return (at - at[:, None])**2


def _is_dark(known, template, least):
    """
    Tell whether a fit with the least possible errors finds a moat.
    """
    template -= template.sum() / len(template)
    power = template @ template
    return power > 0 and template @ known < -least * np.sqrt(power)


def _fit(values, sky, shape, white):
    """
    Fit a level and a shape to the sky; the factor of the shape, its error.
    """
    use = sky.copy()
    for _ in range(4):
        template, level = shape[use].mean(), values[use].mean()
        off = shape[use] - template
        power = (off**2).sum()
        if not power > 0:
            return 0.0, 1.0
        factor = (off * values[use]).sum() / power
        left = values - level - factor * (shape - template)
        width = max(left[use].std(), white)
        use = sky & (np.abs(left) < 3 * width)
        if np.count_nonzero(use) < _FEWEST:
            return 0.0, 1.0
    # (structure of the sky is wider than boxes, and may lie along lines)
    left = np.where(use, left, 0.0)
    for number, total, least in (
            (_sums(use, 2), _sums(left, 2), 3), (_sums(use, 4),
                                                 _sums(left, 4), 10),
            *((use.sum(axis), left.sum(axis), 3) for axis in (0, 1))):
        some = number >= least
        if np.count_nonzero(some) > 5:
            width = max(width, np.sqrt(np.mean(
                total[some]**2 / number[some])))
    return factor, width / np.sqrt(power)


def _matters(factor, shape, radius, rings, last):
    """
    Tell whether the map that left a moat took much light from some ring.
    """
    order = np.argsort(radius, axis=None)
    # (maps are rounder than galaxies: a mean of some boxes)
    beside = np.convolve(shape.ravel()[order], np.ones(9) / 9, 'valid')
    lost = -factor * np.interp(
        rings.sma[:last + 1], radius.ravel()[order][4:-4], beside)
    value, noise = (part[:last + 1] for part in (
        rings.intensity, rings.intensity_err))
    with np.errstate(invalid='ignore', divide='ignore'):
        change = 2.5 * np.log10(1 + lost / value)
        much = (change > _LOST) & (lost > _ERRORS * noise)
    return bool((much & (value > 0)).any())
