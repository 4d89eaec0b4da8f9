# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise faint, smooth companions that are in the profile of a galaxy.
"""

from itertools import pairwise

import numpy as np

from astro_pix2prof.ellipses.model import radius_at

__all__ = ['has_companion']


# The galaxy is looked at to the last ring above so many times its error, and
# from some pixels on, in boxes: about so many from the centre to there, of so
# many pixels a side at most. So many boxes at least have this part of their
# pixels.
_SEEN, _CORE, _BOXES, _LARGEST, _KNOWN, _FEW = 3.0, 3.0, 10, 6, 0.6, 40

# Boxes of large galaxies are larger: so many are enough.
_MOST_BOXES = 45

# The least radius (pixels) of a galaxy that is looked at.
_SMALLEST = 8.0

# Companions that are tried: distances and widths in units of the radius of
# the galaxy, directions, and the largest width in units of the distance.
_DISTANCES = np.arange(0.3, 1.01, 0.1)
_WIDTHS, _DIRECTIONS, _APART = (0.15, 0.25, 0.4), 24, 0.7

# The part of the light by which galaxies differ from ellipses, and the photons
# of a count of the size of the noise without a gain.
_MODEL, _PHOTONS = 0.05, 2.0

# A companion exceeds its error by so many times, more than what else makes
# the sides of galaxies differ. It has this part of the light, and makes the
# profile brighter by this part somewhere, in one of so many rings.
_SURE, _LIGHT, _BRIGHTER, _RINGS = 5.0, 0.02, 0.1, 6

# The least light beside a companion, in units of that with it.
_LEAST = 0.2


def has_companion(image, mask, rings, *, noise, gain=None):
    """
    Tell whether a smooth companion makes one side of a galaxy brighter.

    One that is fainter than the noise of a pixel has no peak that could be
    masked, but all its pixels together may be sure. What it adds to one side
    of the galaxy is compared with the other side.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are not in the profile: missing ones and other objects.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    noise : float
        The noise of a sky pixel.

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    result : bool
    """
    good = np.isfinite(rings.eps + rings.theta + rings.intensity)
    last = rings.last_seen(_SEEN)
    if (last is None or not noise > 0 or np.count_nonzero(good) < 2
            or rings.sma[last] < _SMALLEST):
        return False
    reach = float(rings.sma[last])
    light, number, x, y, side = _boxes(image, mask, rings.centre, reach)
    sma, value = rings.sma[good], rings.intensity[good]
    radius = radius_at(x, y, sma, rings.eps[good], rings.theta[good])
    usual = np.exp(np.interp(radius, sma, np.log(
        np.maximum(value, 1e-3 * noise))))
    known = (number > _KNOWN * side**2) & (radius < reach) & (radius > _CORE)
    known &= known[::-1, ::-1]
    if np.count_nonzero(known) < _FEW:
        return False
    usual, radius = usual[known], radius[known]
    odd = 0.5 * (light - light[::-1, ::-1])[known]
    photons = 1 / gain if gain else noise / _PHOTONS
    variance = 0.5 * ((noise * max(rings.noise_correlation, 1.0))**2
                      + photons * usual) / side**2 + (_MODEL * usual)**2
    # (both sides show the same difference)
    root = np.sqrt(0.5 / variance)
    slopes = _slopes(sma, value, rings, good, x, y)[:, known]
    # (nor is a tilted sky a companion)
    slopes = np.concatenate([slopes, [
        np.broadcast_to(part, known.shape)[known] * (noise / reach)
        for part in (x, y)]])
    found = _brightest(odd * root, root, slopes * root, (x, y), reach, known)
    if found is None:
        return False
    return (found.sum() > _LIGHT * usual.sum()
            and _brightens(found, usual, radius, reach))


def _boxes(image, mask, centre, reach):
    """
    Average boxes around a centre.

    Returns
    -------
    light, number : 2D `~numpy.ndarray`
        Means of the known pixels, and their numbers.

    x, y : 2D `~numpy.ndarray`
        Places of the boxes from the centre, in pixels, as a row and a column.

    side : int
        The side of a box in pixels.
    """
    side = max(int(np.clip(round(reach / _BOXES), 1, _LARGEST)),
               int(np.ceil(reach / _MOST_BOXES)))
    count = 2 * int(np.ceil(reach / side)) + 1
    first = [round(c - 0.5 * (side * count - 1)) for c in centre]
    total, number = np.zeros((2, side * count, side * count))
    inside, place = [], []
    for k, n in zip(first[::-1], image.shape, strict=True):
        part = slice(max(k, 0), max(min(k + side * count, n), 0))
        inside.append(part)
        place.append(slice(part.start - k, max(part.stop, part.start) - k))
    inside, place = tuple(inside), tuple(place)
    number[place] = ~mask[inside]
    total[place] = np.where(mask[inside], 0.0, image[inside])
    total, number = (part.reshape(count, side, count, side).sum((1, 3))
                     for part in (total, number))
    x, y = (side * (np.arange(count) + 0.5) - 0.5 + k - c
            for k, c in zip(first, centre, strict=True))
    return (total / np.maximum(number, 1), number, x[None, :], y[:, None],
            side)


def _slopes(sma, value, rings, good, x, y):
    """
    Calculate how the light of ellipses changes along x and y.
    """
    slopes = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        more, less = (np.interp(radius_at(
            x + sign * dx, y + sign * dy, sma, rings.eps[good],
            rings.theta[good]), sma, value) for sign in (1, -1))
        slopes.append(more - less)
    return np.stack(slopes)


def _brightest(odd, root, slopes, places, reach, known):
    """
    Find the companion that explains the most of the difference of two sides.

    Returns
    -------
    light : 1D `~numpy.ndarray`, or `None`
        Its light at the boxes; `None` if it may be noise.
    """
    # (a centre that is off makes the sides differ, too)
    basis, _ = np.linalg.qr(slopes.T)
    odd = odd - basis @ (basis.T @ odd)
    angle = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    away, angle, width = (part.ravel() for part in np.meshgrid(
        _DISTANCES, angle, _WIDTHS, indexing='ij'))
    use = (width < _APART * away) & (width * reach > 1)
    away, angle, width = (part[use, None, None] for part in (
        away * reach, angle, width * reach))
    x, y = places
    light = (np.exp(-0.5 * ((x - away * np.cos(angle)) / width)**2)
             * np.exp(-0.5 * ((y - away * np.sin(angle)) / width)**2))[
                 :, known]
    # (boxes opposite to each other are as far from both ends)
    shape = 0.5 * (light - light[:, ::-1]) * root
    shape -= (shape @ basis) @ basis.T
    power = (shape**2).sum(1)
    part = shape @ odd
    sure = part / np.sqrt(np.maximum(power, 1e-9 * power.max()))
    best = int(np.argmax(sure))
    left = (odd @ odd - sure[best]**2) / max(len(odd) / 2 - 3, 1)
    if not sure[best] > _SURE * np.sqrt(max(left, 1.0)):
        return None
    return light[best] * part[best] / power[best]


def _brightens(light, usual, radius, reach):
    """
    Tell whether some ring is brighter by the light of a companion.
    """
    for first, last in pairwise(np.linspace(0.3, 1.0, _RINGS + 1) * reach):
        ring = (radius >= first) & (radius < last)
        if ring.any():
            more, all_of_it = light[ring].mean(), usual[ring].mean()
            if more > _BRIGHTER * max(all_of_it - more, _LEAST * all_of_it):
                return True
    return False
