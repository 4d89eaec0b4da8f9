# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise cores that were cut off at a level, and have noise of their own.
"""

import numpy as np
from scipy.special import fdtrc

from astro_pix2prof.background.medians import median
from astro_pix2prof.ellipses.model import radius_at

__all__ = ['find_flat_top']


# Half the side (pixels) of the box around the nucleus, of which the pixels
# that are nearest to it are looked at.
_HALF, _NEAREST = 13, 260

# Numbers of pixels of a top that are tried, and the part of these that is
# surely in it.
_NUMBERS = np.array([12, 16, 21, 28, 37, 49, 65, 86, 114])
_INSIDE = 0.9

# The next pixels, in units of the number: those that are compared, and the
# last of them that show that the galaxy declines.
_NEXT, _LAST, _BESIDE = 1.15, 2.2, 1.5

# Half the side of the part that tells quickly how uneven pixels are: as a part
# of the galaxy, and in units of the noise.
_CORE, _UNEVEN, _NOISY = 2, 0.03, 2.5

# A top is as uneven about its mean as about a parabola, to this factor; it is
# less even than the pixels around by this factor, which happens by chance in
# so few cores; and the galaxy declines beyond it by this (logarithm). It is
# so many times the noise.
_FLAT, _JUMP, _CHANCE, _DECLINE, _HEIGHT = 1.4, 3.0, 1e-4, 0.05, 10.0

# Pixels of a sharp nucleus decline from the centre on, and the brightest is
# farther above their median than the faintest is below it: the rank
# correlation with the distance times the ratio of the two is below this. That
# of tops that were cut off, whose pixels scatter about one level, is not.
_PEAKED = -2.5


def find_flat_top(data, mask, rings):
    """
    Find a core whose pixels scatter about one value as no galaxy does.

    Full wells that were divided by a flat field, or replaced by a level, or
    that differ in depth, have noise that the pixels next to them do not have.
    Those with little noise are found by
    `~astro_pix2prof.fitting.plateaus.find_plateau`.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    Returns
    -------
    full : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The pixels of the core; `None` if it is not flat.
    """
    x, y = (round(c) for c in rings.centre)
    ny, nx = data.shape
    if not (_HALF <= x < nx - _HALF and _HALF <= y < ny - _HALF
            and rings.noise > 0):
        return None
    near = np.s_[y - _CORE - 1:y + _CORE + 2, x - _CORE - 1:x + _CORE + 2]
    if not _is_uneven(data[near] - rings.sky, rings.noise):
        return None
    good = np.isfinite(rings.eps + rings.theta)
    if not good.any():
        return None
    box = np.s_[y - _HALF:y + _HALF + 1, x - _HALF:x + _HALF + 1]
    apart = np.arange(-_HALF, _HALF + 1.0)
    u, v = apart + x - rings.centre[0], apart + y - rings.centre[1]
    radius = radius_at(u, v[:, None], rings.sma[good], rings.eps[good],
                       rings.theta[good], n_iter=2)
    order = np.argsort(np.where(mask[box], np.inf, radius), axis=None)
    order = order[:min(_NEAREST, np.count_nonzero(~mask[box]))]
    row, column = np.unravel_index(order, radius.shape)
    number = _flat_number(data[box][row, column] - float(rings.sky),
                          u[column], v[row], rings.noise)
    if number is None:
        return None
    full = np.zeros(data.shape, dtype=bool)
    full[box] = radius <= radius[row[number - 1], column[number - 1]]
    return full


def _is_uneven(core, noise):
    """
    Tell whether pixels of a core are less even than light and noise are.
    """
    bend = core
    for _ in range(2):
        bend = (bend[2:] - 2 * bend[1:-1] + bend[:-2]).T
    # (the median of absolute deviates; the kernel adds 36 variances)
    single = bend.dtype.type
    scatter = 1.4826 * single(median(np.abs(bend))) / 6
    return scatter > _NOISY * noise and (
        scatter > _UNEVEN * single(median(core)))


def _flat_number(value, u, v, noise):
    """
    Count the pixels of a flat top among those nearest to the centre.
    """
    number = _NUMBERS[np.rint(_LAST * _NUMBERS) <= len(value)]
    if not len(number):
        return None
    value = value / noise
    inside = (_INSIDE * number).astype(int)
    first, last = (np.rint(part * number).astype(int)
                   for part in (_NEXT, _LAST))
    beside = np.rint(_BESIDE * number).astype(int)
    x, y = u / _HALF, v / _HALF
    r = np.maximum(np.hypot(x, y), 1e-3)
    none = np.zeros(len(number), int)
    flat = _variance([np.ones_like(x)], value, none, inside)
    curved = _variance([np.ones_like(x), x, y, x * x, y * y, x * y], value,
                       none, inside)
    even, odd = (x * x - y * y) / r**2, 2 * x * y / r**2
    around = _variance([np.ones_like(x), r, r * r, x / r, y / r, even, odd,
                        even * r, odd * r], value, first, last)
    total = np.append(0.0, np.cumsum(value))
    top = total[inside] / inside
    outer = (total[last] - total[first]) / (last - first)
    edge = (total[beside] - total[first]) / (beside - first)
    with np.errstate(invalid='ignore', divide='ignore'):
        # (photons make the brighter pixels vary more)
        jump = curved / around / np.maximum(top / outer, 1.0)
        fits = (flat < _FLAT * curved) & (jump > _JUMP) & (
            np.log(top / edge) > _DECLINE)
    fits &= (top > _HEIGHT) & (edge > 0) & (outer > 0)
    fits &= fdtrc(inside - 6, last - first - 9, np.nan_to_num(jump)) < _CHANCE
    for k in np.flatnonzero(fits)[::-1]:
        if not _is_peaked(value[:inside[k]]):
            return int(number[k])
    return None


def _is_peaked(value):
    """
    Tell whether pixels, from the centre on, are those of a sharp nucleus.
    """
    rank = np.argsort(np.argsort(value))
    order = np.corrcoef(rank, np.arange(len(value)))[0, 1]
    least, middle, most = np.quantile(value, [0, 0.5, 1])
    return bool(order * (most - middle) < _PEAKED * (middle - least))


def _variance(terms, value, first, last):
    """
    Calculate the variances of pixels about fits of some terms.

    Parameters
    ----------
    terms : list of 1D `~numpy.ndarray`, shape (n,)
        The terms.

    value : 1D `~numpy.ndarray`, shape (n,)
        The pixels.

    first, last : 1D `~numpy.ndarray` of int, shape (m,)
        The first pixel of each fit, and the first that is not in it.

    Returns
    -------
    variance : 1D `~numpy.ndarray`, shape (m,)
    """
    terms = np.stack([*terms, value], axis=1)
    sums = np.zeros((len(value) + 1, terms.shape[1], terms.shape[1]))
    np.cumsum(terms[:, :, None] * terms[:, None], axis=0, out=sums[1:])
    sums = sums[last] - sums[first]
    n = sums.shape[1] - 1
    normal = sums[:, :n, :n] + 1e-9 * np.eye(n)
    factors = np.linalg.solve(normal, sums[:, :n, n:])[..., 0]
    left = sums[:, n, n] - np.einsum('ij,ij->i', factors, sums[:, :n, n])
    return np.maximum(left, 0) / (last - first - n)
