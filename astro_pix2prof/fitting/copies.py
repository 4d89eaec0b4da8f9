# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise a faint copy of a galaxy beside itself.
"""

import numpy as np
from scipy.fft import irfft2, rfft2

from astro_pix2prof.ellipses.model import radius_at

__all__ = ['has_copy']


# Boxes of pixels (this side) that are looked at, on each side of the nucleus,
# the least number of them, and that of those that are known.
_SIDE, _HALF, _LARGE, _FEW = 2, 16, 200, 60

# Boxes count where the ellipses have this part of the noise of a pixel, and
# the two sides differ by less than that part of the light and so many times
# the noise: more is another object.
_LEAST, _OUTLIER, _CLIP = 0.5, 0.5, 3.0

# The part of the light by which galaxies differ from ellipses.
_MODEL = 0.05

# Without a gain, so many photons make a count of the size of the noise.
_PHOTONS = 2.0

# Distances (pixels) of copies, and the light of the galaxy there, in units of
# the noise of a pixel.
_NEAR, _FAR, _BRIGHT = 4.5, 22.0, 1.5

# The mean square of the difference of the two sides, in units of its error,
# that needs an explanation, where the galaxy is brighter than so many times
# the noise of a pixel; a copy leaves that part of it, and as much as noise
# does, or this part.
_UNLIKE, _SIDES, _LEAVES, _NOISE, _LITTLE = 1.1, 1.5, 0.6, 0.65, 0.3

# It exceeds its error by so many times, and has these parts of the light.
_SURE, _FAINTEST, _BRIGHTEST = 10.0, 0.06, 0.6

# Steps of the process by which ellipses are found at pixels.
_ITERATIONS = 2


def has_copy(image, mask, rings, *, noise, gain=None):
    """
    Tell whether a faint copy of the galaxy lies on one of its sides.

    Frames that were added with a wrong offset, and reflections in a camera,
    show all objects twice. A copy that is too faint for a nucleus of its own
    makes one side of the galaxy brighter than the other: by what the galaxy
    itself has at that distance, which hardly any arm or companion does.

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

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    result : bool
        `False` within 33 pixels of the edge of the frame, and for galaxies
        that are too small or too faint to have clear sides.
    """
    good = np.isfinite(rings.intensity + rings.eps + rings.theta)
    if np.count_nonzero(good) < 2 or not noise > 0:
        return False
    ellipses = sma, value, eps, _ = [part[good] for part in (
        rings.sma, rings.intensity, rings.eps, rings.theta)]
    seen = value > _LEAST * noise
    if not np.pi * (sma**2 * (1 - eps))[seen].max(
            initial=0.0) > _LARGE * _SIDE**2:
        return False
    number = 2 * _HALF + 1
    size = _SIDE * number
    first = [round(c - 0.5 * (size - 1)) for c in rings.centre]
    if min(first) < 0 or any(k + size > n for k, n in zip(
            first, image.shape[::-1], strict=True)):
        return False
    x, y = (_SIDE * (np.arange(number) + 0.5) - 0.5 + k - c
            for k, c in zip(first, rings.centre, strict=True))
    box = np.s_[first[1]:first[1] + size, first[0]:first[0] + size]
    boxes = number, _SIDE, number, _SIDE
    light = image[box].reshape(boxes).mean((1, 3))
    known = ~mask[box].reshape(boxes).any((1, 3)) & np.isfinite(light)
    known &= known[::-1, ::-1]
    photons = 1 / gain if gain else noise / _PHOTONS
    if not _differ(np.where(known, light, 0.0), known, noise, photons):
        return False
    ellipses[1] = np.log(np.maximum(value, 1e-3 * noise))
    usual = _model(x, y, ellipses)
    off = np.where(known, light - usual, 0.0)
    odd = 0.5 * (off - off[::-1, ::-1])
    weight = _weights(odd, usual, known & (usual > _LEAST * noise), noise,
                      photons)
    number = np.count_nonzero(weight)
    if number < _FEW:
        return False
    odd[weight == 0] = 0.0
    # (a centre that is off makes the sides differ, too)
    others = np.gradient(usual)
    _, before = _fit(odd, weight, others)
    place = _find(odd, weight, usual, usual > _BRIGHT * noise)
    if place is None:
        return False
    dx, dy = place
    copy = 0.5 * (_model(x - dx, y - dy, ellipses)
                  - _model(x + dx, y + dy, ellipses))
    part, after = _fit(odd, weight, [copy, *others])
    # (a lopsided disc is explained by one, and better)
    _, lopsided = _fit(odd, weight, [*_lopsided(x, y, usual), *others])
    if lopsided < after:
        return False
    # (both sides show the same difference)
    sure = np.sqrt(0.5 * max(before - after, 0.0))
    return bool(sure > _SURE and _FAINTEST < part < _BRIGHTEST
                and after < _LEAVES * before and after < max(
                    _NOISE * number, _LITTLE * before))


def _lopsided(x, y, usual):
    """
    List the differences of sides of a lopsided disc, of unit size.

    They vary as the cosine of an angle, by a part of the light that changes
    with the radius.
    """
    y = y[:, None]
    radius = np.maximum(np.hypot(x, y), 1.0)
    return [usual * part * factor for part in (x, y)
            for factor in (1 / radius, 1.0)]


def _differ(light, known, noise, photons):
    """
    Tell whether the two sides of the bright part differ by more than noise.

    A quick look, without the ellipses.
    """
    other = light[::-1, ::-1]
    even, odd = 0.5 * (light + other), 0.5 * (light - other)
    weight = _weights(odd, even, known & (even > _SIDES * noise), noise,
                      photons)
    number = np.count_nonzero(weight)
    if number < _FEW:
        return False
    _, left = _fit(odd, weight, np.gradient(even))
    return left > _UNLIKE * number


def _weights(odd, usual, known, noise, photons):
    """
    Calculate the weights of half the differences of two sides.
    """
    use = known & (np.abs(odd) < _OUTLIER * usual + _CLIP * noise / _SIDE)
    variance = (noise**2 + photons * usual) / _SIDE**2 + (_MODEL * usual)**2
    return np.divide(2, variance, out=np.zeros(odd.shape), where=use)


def _model(x, y, ellipses):
    """
    Calculate the light of ellipses at the places of a grid.
    """
    sma, log, eps, theta = ellipses
    radius = radius_at(x, y[:, None], sma, eps, theta, n_iter=_ITERATIONS)
    return np.exp(np.interp(radius, sma, log, right=-np.inf))


def _fit(values, weight, parts):
    """
    Fit a sum of parts to values.

    Returns
    -------
    first, left : float
        The size of the first part, and the sum of squares of deviations.
    """
    parts = np.stack(parts).reshape(len(parts), -1)
    each = parts * weight.ravel()
    power = each @ parts.T
    # (parts of nothing have no size)
    np.fill_diagonal(power, np.diag(power) * (1 + 1e-12) + 1e-300)
    sizes = np.linalg.solve(power, each @ values.ravel())
    left = values.ravel() - sizes @ parts
    return sizes[0], left @ (weight.ravel() * left)


def _find(odd, weight, usual, bright):
    """
    Find where a copy explains the most of the difference of two sides.

    Returns
    -------
    place : tuple of 2 ints, optional
        The distance in pixels along x and y; none without any.
    """
    reach = int(_FAR / _SIDE)
    shape = 2 * (2 * _HALF + 1 + reach,)
    both = irfft2(rfft2(np.stack([weight * odd, weight]), shape) * np.conj(
        rfft2(np.stack([usual, usual**2]), shape)), shape)
    step = np.arange(-reach, reach + 1)
    part, power = both[:, step[:, None], step]
    distance = _SIDE * np.hypot(step, step[:, None])
    near = bright[_HALF - reach:_HALF + reach + 1,
                  _HALF - reach:_HALF + reach + 1]
    sure = np.where((distance > _NEAR) & (distance < _FAR) & near,
                    part / np.sqrt(np.maximum(power, 1e-6 * power.max())),
                    0.0)
    k, j = np.unravel_index(np.argmax(sure), sure.shape)
    # (galaxies that differ by less are not worth a closer look)
    if not (sure[k, j] > _SURE and part[k, j] > 0.5 * _FAINTEST * power[k, j]):
        return None
    return int(_SIDE * step[j]), int(_SIDE * step[k])
