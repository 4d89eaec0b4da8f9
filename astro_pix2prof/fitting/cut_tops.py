# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise cores whose light breaks off as sharply as that of no galaxy.
"""

import numpy as np

from astro_pix2prof.ellipses.model import radius_at

__all__ = ['find_cut_top']


# The radii (pixels) of tops that are tried, and their number of pixels at
# least.
_RADII, _FEWEST = np.geomspace(2.5, 50, 61), 16

# Part of the radius that is surely within the top, and that to which the
# galaxy beyond is looked at.
_INSIDE, _OUTSIDE = 0.9, 2.0

# A first look at the rings, at these parts of the radius: the light within a
# top differs by this part at most, or by so many times the noise of a pixel
# over the radius, and beyond it there is less than this part of it.
_INNER, _OUTER, _BEYOND = 0.3, 0.8, 1.9
_UNEVEN, _NOISY, _LESS = 0.12, 2.0, 0.85

# The edges of the rings whose pixels are averaged (pixels), and how many have
# to be known.
_EDGES = np.append([0, 0.8, 1.5], np.geomspace(2.0, 110, 58))
_KNOWN = 6

# The breaks of galaxies are as wide as these parts of their radius or more
# (logarithms), and may lie so far beside that of a top that was cut off.
_SOFT = np.array([0.2, 0.3, 0.45])
_BESIDE = np.array([-0.15, -0.07, 0.0, 0.07, 0.15])

# Beyond the break, the light falls at once with at least this power of the
# radius; within it, a parabola has this part of it at most. A sharp break fits
# better than others by this chi square, in units of that of a pixel if this is
# larger: galaxies have less than half of it.
_STEEP, _FLAT, _BETTER = -0.4, 0.1, 9.0


def find_cut_top(data, mask, rings):
    """
    Find a core that ends in a break that is sharper than those of galaxies.

    Below the level at which pixels were cut off, a galaxy is as steep as it
    ever was, and at the level it is flat. Flat cores of galaxies, which a
    point-spread function has smoothed, bend over a part of their radius. So
    tops are found whose pixels scatter as much as others.

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
        The pixels of the core; `None` if it does not break off.
    """
    if not rings.noise > 0:
        return None
    tried = _may_break(rings)
    if not tried.size:
        return None
    half = int(_OUTSIDE * tried[-1]) + 2
    x, y = (round(c) for c in rings.centre)
    box = tuple(slice(max(c - half, 0), max(c + half + 1, 0))
                for c in (y, x))
    good = np.isfinite(rings.eps + rings.theta)
    ny, nx = data[box].shape
    if not (good.any() and ny and nx):
        return None
    u = np.arange(nx) + box[1].start - rings.centre[0]
    v = np.arange(ny) + box[0].start - rings.centre[1]
    radius = radius_at(u, v[:, None], rings.sma[good], rings.eps[good],
                       rings.theta[good], n_iter=2)
    use = ~mask[box]
    value = (data[box][use].astype(float) - rings.sky) / rings.noise
    edge = _break(*_means(radius[use], value, rings.noise_correlation),
                  tried)
    if edge is None:
        return None
    full = np.zeros(data.shape, dtype=bool)
    full[box] = radius < edge
    return full


def _may_break(rings):
    """
    List the radii within which the rings are flat, and beyond which not.
    """
    known = np.isfinite(rings.intensity)
    if np.count_nonzero(known) < _KNOWN:
        return np.array([])
    inner, outer, beyond = (
        np.interp(part * _RADII, rings.sma[known], rings.intensity[known])
        for part in (_INNER, _OUTER, _BEYOND))
    uneven = np.maximum(_UNEVEN * inner, _NOISY * rings.noise / _RADII)
    return _RADII[(np.abs(outer - inner) < uneven) & (beyond < _LESS * inner)
                  & (inner > 0) & (_BEYOND * _RADII < rings.sma[-1])]


def _means(radius, value, correlation):
    """
    Average pixels by radius: radii, means, errors and numbers.
    """
    which = np.digitize(radius, _EDGES) - 1
    number, total, square, place = (
        np.bincount(which, weight, minlength=len(_EDGES)) for weight in (
            None, value, value**2, radius))
    use = number > 2
    number, total, square, place = (
        part[use] for part in (number, total, square, place))
    mean = total / number
    left = np.maximum(square - number * mean**2, 0) * (
        number / (number - 1))
    variance = _with_next(left) / _with_next(number)
    error = np.sqrt(np.maximum(variance, 1.0) / number)
    return place / number, mean, error * max(correlation, 1.0), number


def _with_next(values):
    """
    Add the values on both sides.
    """
    wide = np.pad(values, 1)
    return wide[:-2] + wide[1:-1] + wide[2:]


def _break(radius, mean, error, number, tried):
    """
    Find the radius at which the light of a galaxy breaks off.
    """
    if len(radius) < _KNOWN:
        return None
    near = radius < _OUTSIDE * tried[:, None]
    inside = radius < _INSIDE * tried[:, None]
    enough = ((near.sum(1) >= _KNOWN) & ((near & ~inside).sum(1) > 3)
              & ((inside * number).sum(1) >= _FEWEST)
              & (radius[-1] > _BEYOND * tried))
    tried, weight = tried[enough], (near / error)[enough]
    if not len(tried):
        return None
    part = radius / tried[:, None]
    log = np.log(part)
    out = np.maximum(log, 0)
    one = np.ones_like(out)
    chi, factors = _fit([one, out, out**2], mean, weight)
    _, curved = _fit([one, out, out**2, np.minimum(part, 1)**2], mean,
                     weight)
    free = np.count_nonzero(weight, axis=1) - 4
    needed = _BETTER * np.maximum(chi / np.maximum(free, 1), 1)
    top = factors[:, 0]
    with np.errstate(divide='ignore', invalid='ignore'):
        fits = ((top > 0) & (factors[:, 1] < _STEEP * top)
                & (np.abs(curved[:, 3]) < _FLAT * np.abs(curved[:, 0])))
    if not fits.any():
        return None
    best, found = 1.0, None
    for k in np.flatnonzero(fits):
        better = _softened(log[k], mean, weight[k]) - chi[k]
        if better > best * needed[k]:
            best, found = better / needed[k], float(tried[k])
    return found


def _softened(log, mean, weight):
    """
    Calculate the chi square of the best break that a galaxy may have.
    """
    width = np.repeat(_SOFT, len(_BESIDE))[:, None]
    out = width * np.logaddexp(0, (
        log - np.tile(_BESIDE, len(_SOFT))[:, None]) / width)
    chi, _ = _fit([np.ones_like(out), out, out**2], mean,
                  np.broadcast_to(weight, out.shape))
    return chi.min()


def _fit(terms, mean, weight):
    """
    Fit terms to means: chi square, and the factors.
    """
    terms = np.stack(terms, axis=-1) * weight[..., None]
    value = mean * weight
    across = np.swapaxes(terms, -1, -2)
    normal = across @ terms
    normal += 1e-10 * np.trace(normal, axis1=1, axis2=2)[
        :, None, None] * np.eye(terms.shape[-1])
    factors = np.linalg.solve(normal, across @ value[..., None])
    left = value - (terms @ factors)[..., 0]
    return (left**2).sum(-1), factors[..., 0]
