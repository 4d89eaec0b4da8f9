# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise discs and rings of even light with a sharp edge on a galaxy.
"""

from functools import cache

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import label, uniform_filter

from astro_pix2prof.background.medians import median
from astro_pix2prof.ellipses.model import radius_at

__all__ = ['has_reflection']


# The side (pixels) of boxes, how many are looked at along each side of a
# square around the galaxy, and the size of the transforms of these.
_SIDE, _NUMBER, _PADDED = 5, 32, 48

# Radii (pixels) of edges; the light on both sides of them, as far as this, is
# compared. Their centres are so far from the nucleus: about it, a galaxy may
# have a ring itself, and far from it, they miss the galaxy.
_RADII, _WIDTH = (15, 20, 25, 30, 35, 40), 5.0
_NEAREST, _FARTHEST, _BEYOND = 6.0, 40.0, 5.0

# What galaxies differ from ellipses by, as a part of the light; the excess of
# a pixel, in units of its noise, from which on it is that of an object.
_MODEL, _OBJECT = 0.1, 1.5

# So many boxes, with the eight around, are above so many times their noise.
_BOXES, _CLEAR = 20, 5.0

# Edges exceed their error by so many times: in each of eight sectors, or in
# all but one; there the step is this part of the mean one. Between sectors it
# varies by less than this, in units of the error and of this part of it.
_SECTORS, _SURE, _SURER, _PART, _UNLIKE, _VARIES = 8, 10.0, 12.0, 0.4, 1.2, 0.3

# The median within a circle is at most so many times that at its edge.
_EVEN = 2.0

# Centres that are looked at closely.
_MOST = 3


def has_reflection(image, mask, rings, *, noise):
    """
    Tell whether a disc or ring of even light covers a part of the galaxy.

    Bright stars are seen a second time, out of focus, where their light is
    reflected in a camera: as a disc, or a ring, of even light, whose edge is
    a circle that is not about the nucleus. Arms and other galaxies have no
    such edge all around.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    noise : float
        The noise of a sky pixel.

    Returns
    -------
    result : bool
        `False` for circles about the nucleus, and for those of less than 15
        or more than 40 pixels radius.
    """
    good = np.isfinite(rings.intensity + rings.eps + rings.theta)
    if np.count_nonzero(good) < 2 or not noise > 0:
        return False
    first = [round(c - 0.5 * (_SIDE * _NUMBER - 1)) for c in rings.centre]
    light, known = _boxes(image, mask, first)
    x, y = (_SIDE * (np.arange(_NUMBER) + 0.5) - 0.5 + k - c
            for k, c in zip(first, rings.centre, strict=True))
    sma = rings.sma[good]
    radius = radius_at(x, y[:, None], sma, rings.eps[good],
                       rings.theta[good], n_iter=2)
    usual = np.interp(radius, sma, rings.intensity[good], right=0.0)
    level = noise * max(rings.noise_correlation, 1.0)
    weight = known / (level**2 / _SIDE**2 + (_MODEL * usual)**2)
    if not weight.any():
        return False
    more = light - usual
    more -= median(more[known])
    off = np.clip(more, -_OBJECT * noise, _OBJECT * noise)
    part = weight * off
    total = np.maximum(uniform_filter(weight, 3), 0.0)
    # (of nine boxes, the filter gives the mean of each)
    above = 3 * uniform_filter(part, 3) > _CLEAR * np.sqrt(total)
    above &= total > 0
    if np.count_nonzero(above) < _BOXES:
        return False
    areas, _ = label(above)
    if np.bincount(areas.ravel())[1:].max(initial=0) < _BOXES:
        return False
    # (boxes in units of their errors, in single precision, are faster)
    white = (np.sqrt(weight) * off).astype(np.float32)
    shape = 2 * (_PADDED,)
    sure = irfft2(rfft2(white, shape) * _kernels(), shape)[
        :, :_NUMBER, :_NUMBER]
    away = np.hypot(x, y[:, None])
    radii = np.array(_RADII)
    sure[:, (away < _NEAREST) | (away > _FARTHEST)] = 0.0
    sure[away > radii[:, None, None] + _BEYOND] = 0.0
    places = np.flatnonzero(sure > _SURE)
    if not len(places):
        return False
    places = places[np.argsort(sure.ravel()[places])[:-_MOST - 1:-1]]
    more[~known] = np.nan
    return any(_is_circle(
        part, weight, x - x[j], y - y[i], radii[k], sure[k, i, j])
        and _is_even(more, x - x[j], y - y[i], radii[k])
        for k, i, j in zip(*np.unravel_index(places, sure.shape), strict=True))


def _boxes(image, mask, first):
    """
    Calculate the means of boxes, and which of them are known.
    """
    size = _SIDE * _NUMBER
    ny, nx = image.shape
    begin = [max(k, 0) for k in first]
    end = [min(k + size, n) for k, n in zip(first, (nx, ny), strict=True)]
    box = np.s_[begin[1]:end[1], begin[0]:end[0]]
    hidden = mask[box] | ~np.isfinite(image[box])
    if hidden.shape == (size, size) and not hidden.any():
        return _sums(image[box]) / _SIDE**2, np.ones(2 * (_NUMBER,), bool)
    inside = tuple(slice(a - k, b - k) for a, b, k in zip(
        begin[::-1], end[::-1], first[::-1], strict=True))
    total, number = np.zeros((size, size)), np.zeros((size, size))
    total[inside] = np.where(hidden, 0.0, image[box])
    number[inside] = ~hidden
    number = _sums(number)
    return _sums(total) / np.maximum(number, 1), number > 0.5 * _SIDE**2


def _sums(values):
    """
    Add the pixels of boxes (rows first, which is faster).
    """
    return values.reshape(_NUMBER, _SIDE, -1).sum(1).reshape(
        _NUMBER, _NUMBER, _SIDE).sum(2)


def _is_circle(part, weight, x, y, radius, sure):
    """
    Tell whether the light is less beyond the edge in all directions.
    """
    away = np.hypot(x, y[:, None]) - radius
    turn = np.arctan2(y[:, None], x) / (2 * np.pi)
    sector = np.floor(turn * _SECTORS).astype(int) % _SECTORS
    step, variance = np.zeros(_SECTORS), np.zeros(_SECTORS)
    for sign, use in ((1, (away < 0) & (away >= -_WIDTH - 1)),
                      (-1, (away >= 0) & (away < _WIDTH + 1))):
        total, light = (np.bincount(sector[use], values[use], _SECTORS)
                        for values in (weight, part))
        if not (total > 0).all():
            return False
        step += sign * light / total
        variance += 1 / total
    mean = (step / variance).sum() / (1 / variance).sum()
    number = np.count_nonzero(step > _PART * mean)
    varies = ((step - mean)**2 / (variance + (_VARIES * mean)**2)).sum()
    return bool(mean > 0 and varies < _UNLIKE * (_SECTORS - 1) and (
        number == _SECTORS or (number == _SECTORS - 1 and sure > _SURER)))


def _is_even(more, x, y, radius):
    """
    Tell whether a circle is not brighter within than at its edge.

    Stars and galaxies are, also those that seem to be discs where the excess
    is taken for that of an object.
    """
    away = np.hypot(x, y[:, None])
    known = np.isfinite(more)
    within = more[known & (away < radius - _WIDTH)]
    edge = more[known & (away >= radius - _WIDTH) & (away < radius)]
    return not len(within) or bool(
        np.median(within) < _EVEN * np.median(edge))


@cache
def _kernels():
    """
    Calculate the transforms of the edges of circles, of unit power.
    """
    at = np.fft.fftfreq(_PADDED, 1 / _PADDED) * _SIDE
    fine = (np.arange(4) + 0.5) / 4 * _SIDE - 0.5 * _SIDE
    away = np.hypot((at[:, None] + fine)[:, None, :, None],
                    (at[:, None] + fine)[None, :, None, :])
    kernels = []
    for radius in _RADII:
        inner, outer = (
            ((away >= begin) & (away < begin + _WIDTH)).mean((2, 3))
            for begin in (radius - _WIDTH, radius))
        kernels.append(inner / inner.sum() - outer / outer.sum())
        kernels[-1] /= np.sqrt((kernels[-1]**2).sum())
    return np.conj(rfft2(np.array(kernels, np.float32)))
