# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise images whose values are no linear measure of light.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import binary_dilation, correlate, uniform_filter

from astro_pix2prof.background.medians import median

__all__ = ['is_stretched']


# Half the side (pixels) of the box around the galaxy, of which every second
# row is looked at, the number of its brightest pixels, about so many rows that
# show the sky, and the largest part of the noise of the sky that bright pixels
# of stretched images have: linear ones have at least 0.7, roots, logarithms
# and arsinh 0.5 at most.
_BOX, _BRIGHTEST, _EVERY, _CALM = 40, 100, 16, 0.5

# Those whose bright pixels have less than this part of it are looked at again,
# in a box of this half side (pixels).
_CALMER, _WINDOW = 1.3, 64

# Their noise is what polynomials of the fourth order in so many pixels each
# way leave, at most so many times that of the sky; and nothing is where a
# full well was read.
_SIDES, _ORDER, _MOST, _NOTHING = (5, 7), 4, 3.0, 0.01

# The sky is the fainter part of blocks of so many pixels each way, of which
# there have to be so many.
_BLOCK, _FAINT, _BLOCKS = 8, 0.6, 40

# Numbers of brightest pixels whose noise is compared with that of the sky: it
# is less than this part of it, by so many times the error of the comparison.
# That of noise is so in one of 300,000 comparisons (of a normal distribution),
# and several numbers are looked at, of each of many galaxies.
_NUMBERS = (50, 100, 200, 400, 800, 1600)
_LESS, _SURE = 0.9, -4.5

# Noise that was averaged is correlated: the mean product of the noise of
# pixels beside each other, in units of its square, is above that of the sky by
# this over the root of their number or more.
_ALIKE = 3.0

# Pixels that were rounded to more than this part of their noise have little
# noise here and much there; about so many tell it, if they were not.
_ROUNDED, _SOME = 1.2, 500


def is_stretched(data, bad, centre, *, noise=None):
    """
    Tell whether bright pixels have less noise than the sky.

    The noise of light grows with it, or is that of the detector. It is less
    where a picture was made for the eye, by a logarithm, a root or the gamma
    of a screen, whose values are no linear measure of light.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    noise : 2D `~numpy.ndarray`, shape (ny, nx), optional
        A map of the noise. Where it is less than elsewhere, less is expected.

    Returns
    -------
    result : bool

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.stretched import is_stretched
    >>> y, x = np.mgrid[:121, :121]
    >>> galaxy = 300 * np.exp(-np.hypot(x - 60, y - 60) / 6)
    >>> galaxy += np.random.default_rng(0).normal(size=galaxy.shape)
    >>> none = np.zeros(galaxy.shape, bool)
    >>> is_stretched(galaxy, none, (60, 60))
    False
    >>> is_stretched(np.arcsinh(galaxy), none, (60, 60))
    True
    """
    x, y = (round(c) for c in centre)
    box = np.s_[max(y - _BOX, 0):max(y + _BOX + 1, 0):2,
                max(x - _BOX, 0):max(x + _BOX + 1, 0)]
    change, light = _third_differences(data[box], bad[box])
    if len(light) < 4 * _BRIGHTEST:
        return False
    bright = np.argpartition(light, -_BRIGHTEST)[-_BRIGHTEST:]
    rows = np.s_[::max(len(data) // _EVERY, 1)]
    change_of_all, light = _third_differences(data[rows], bad[rows])
    if len(light) < _BRIGHTEST:
        return False
    sky = change_of_all[light <= light.dtype.type(median(light))]
    # (of pixels that are rounded, most may be equal)
    ratio, usual = np.mean(change[bright]), median(sky)
    if ratio < _CALM * usual:
        return True
    if not ratio < _CALMER * usual:
        return False
    part = np.s_[max(y - _WINDOW, 0):y + _WINDOW + 1,
                 max(x - _WINDOW, 0):x + _WINDOW + 1]
    return _noise_falls(data[part].astype(float), bad[part],
                        None if noise is None else noise[part])


def _third_differences(values, bad):
    """
    Calculate third differences along rows, and the light of their pixels.
    """
    if values.shape[1] < 4:
        return np.zeros(0), np.zeros(0)
    outer = values[:, 3:] - values[:, :-3]
    inner = values[:, 2:-1] - values[:, 1:-2]
    change = np.abs(outer - 3 * inner)
    light = values[:, 1:-2] + values[:, 2:-1]
    if not bad.any():
        return change.ravel(), light.ravel()
    good = ~(bad[:, :-3] | bad[:, 1:-2] | bad[:, 2:-1] | bad[:, 3:])
    return change[good], light[good]


def _noise_falls(values, bad, noise):
    """
    Tell whether the noise is less in bright pixels, beyond its error.
    """
    some = values[~bad]
    if not some.size or min(values.shape) < 4 * _BLOCK:
        return False
    values = np.where(bad, median(some), values) - median(some)
    light = uniform_filter(values, 3)
    weight = None
    if noise is not None:
        usual = np.isfinite(noise) & (noise > 0) & ~bad
        if not usual.any():
            return False
        # (the photons of bright pixels are in a map, too)
        weight = np.where(usual, noise / median(noise[usual]), 1.0)
        weight = np.minimum(weight, 1.0)
    fallen = 0
    for side in _SIDES:
        left = correlate(values, _residual(side), mode='constant')
        if weight is not None:
            left /= weight
        trend = _trend(left, light, _far_from(bad, side // 2), some)
        if trend is None:
            return False
        less, *found = trend
        if less.min() < _SURE:
            fallen = max(fallen, np.argmin(less) + 1)
    # (averages of more pixels tell more of how these are correlated)
    return bool(fallen) and not np.any(
        _likeness(left, *found)[:fallen] > _ALIKE)


@lru_cache(maxsize=4)
def _residual(side):
    """
    Make the kernel of the residual from a polynomial of a square, unit noise.
    """
    along = np.arange(side) - side // 2
    x, y = np.meshgrid(along, along)
    terms = np.stack([(x**i * y**j).ravel() for i in range(_ORDER + 1)
                      for j in range(_ORDER + 1 - i)], axis=1).astype(float)
    middle = side * side // 2
    kernel = -(terms @ np.linalg.pinv(terms))[middle]
    kernel[middle] += 1.0
    return kernel.reshape(side, side) / np.sqrt(np.sum(kernel**2))


def _far_from(bad, reach):
    """
    Find pixels with no bad one, nor the border, within a square.
    """
    good = ~bad
    if bad.any():
        good = ~binary_dilation(bad, np.ones((2 * reach + 1,) * 2))
    good[:reach] = good[-reach:] = False
    good[:, :reach] = good[:, -reach:] = False
    return good


def _least_step(values):
    """
    Find the least difference of values that differ; infinite if none do.
    """
    return np.min(np.diff(np.unique(values)), initial=np.inf)


def _trend(left, light, good, values):
    """
    Compare residuals of the brightest pixels with those of the sky.

    Parameters
    ----------
    left : 2D `~numpy.ndarray`
        The residuals.

    light : 2D `~numpy.ndarray`
        The light at each.

    good : 2D bool `~numpy.ndarray`
        Those to use.

    values : 1D `~numpy.ndarray`
        Values of pixels.

    Returns
    -------
    less : 1D `~numpy.ndarray`
        For numbers of pixels, how many times its error the noise is less
        than that of the sky; negative where it is. `None` in place of all if
        the noise of the sky is not known.

    noise, good, size, use, faint, order, n
        What `_likeness` needs.
    """
    if not good.any():
        return None
    noise = median(np.abs(left[good])) / 0.6745
    # (some of the values show that all are not rounded, if they are not)
    if not noise > 0 or (
            _least_step(values[::max(values.size // _SOME, 1)])
            >= _ROUNDED * noise <= _least_step(values)):
        return None
    good &= np.abs(left) > _NOTHING * noise
    size = np.minimum((left / noise)**2, _MOST**2)
    size[~good] = 0.0
    number = _sums(good.astype(float))
    use = number > 0.8 * _BLOCK**2
    n = np.array([n for n in _NUMBERS if n <= np.count_nonzero(good)])
    if np.count_nonzero(use) < _BLOCKS or not n.size:
        return None
    level = _sums(light)[use]
    faint = level <= np.quantile(level, _FAINT)
    mean = (_sums(size)[use] / number[use])[faint]
    sky = median(mean)
    # (how the means of blocks vary tells how many pixels are independent)
    spread = 1.4826 * median(np.abs(mean - sky)) / sky
    each = 2 / max(spread * _BLOCK, np.sqrt(2))**2
    least = light[good]
    order = np.argpartition(least, -n[-1])[-n[-1]:]
    order = order[np.argsort(-least[order], kind='stable')]
    ratio = np.cumsum(size[good][order])[n - 1] / n / sky
    # (the cube root of a sum of squares is close to normal)
    error = 2 / (9 * each * n)
    less = (np.cbrt(ratio) - 1 + error) / np.sqrt(error)
    less[ratio > _LESS**2] = 0.0
    return less, noise, good, size, use, faint, order, n


def _sums(of):
    """
    Add the pixels of blocks.
    """
    ny, nx = (n // _BLOCK for n in of.shape)
    of = of[:ny * _BLOCK, :nx * _BLOCK]
    return of.reshape(ny, _BLOCK, nx, _BLOCK).sum((1, 3))


def _likeness(left, noise, good, size, use, faint, order, n):
    """
    Calculate how alike residuals and those beside them are: see `_ALIKE`.

    Parameters
    ----------
    left : 2D `~numpy.ndarray`
        The residuals.

    noise : float
        The noise of the sky.

    good : 2D bool `~numpy.ndarray`
        Those to use.

    size : 2D `~numpy.ndarray`
        Their squares in units of the noise.

    use, faint : 2D and 1D bool `~numpy.ndarray`
        The blocks that are known, and which of these are sky.

    order, n : 1D `~numpy.ndarray` of int
        The brightest pixels, and how many of these are compared.

    Returns
    -------
    alike : 1D `~numpy.ndarray`
    """
    left = np.clip(left / noise, -_MOST, _MOST)
    beside = sum(np.roll(left, step, axis) for step in (-1, 1)
                 for axis in (0, 1)) * left / 4
    beside[~good] = 0.0
    usual = np.sum(_sums(beside)[use][faint]) / np.sum(
        _sums(size)[use][faint])
    alike = (np.cumsum(beside[good][order])[n - 1]
             / np.cumsum(size[good][order])[n - 1])
    return (alike - usual) * np.sqrt(n)
