# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise arcs beside a galaxy that are part of its profile.
"""

import numpy as np
from scipy.ndimage import map_coordinates, uniform_filter

__all__ = ['has_arc']


# The ellipses that are looked at: semi-major axes between these, so far apart
# (pixels), up to so many times that of the last ring above so many times its
# error, and pixels more; and the number of directions.
_INNER, _OUTER, _APART, _BEYOND, _MORE, _SEEN = 9.0, 70.0, 1.5, 1.3, 6.0, 3.0
_DIRECTIONS = 64

# An arc is brighter here than so many of these ellipses farther in and out, in
# the same direction, and so is the profile, in its logarithm.
_STEPS, _RISE = (4, 5), 0.1

# The mean of a quarter of an ellipse less that of the opposite quarter, and
# the profile, exceed the middle of the three quarters opposite by these parts
# of it: more than arms, tails and lopsided discs do.
_QUARTER, _PROFILE = 0.8, 0.2

# A spiral arm has this part of its excess, in units of the profile, on all of
# the next ellipses, as far out as the farthest of those; in other directions.
_WINDS = 0.85

# The galaxy is brighter there than so many times the noise of a pixel. Most
# pixels have to be known.
_BRIGHT, _KNOWN = 1.5, 0.7


def has_arc(image, mask, rings, *, noise):
    """
    Tell whether an arc on one side of the galaxy is in the profile.

    An arc of a lensed galaxy, or a thin object that lies along the ellipses,
    makes some rings brighter than those within and beyond them, on one side
    only. Spiral arms wind, shells and rings are on both sides, and tails go
    on outwards.

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
    """
    last = rings.last_seen(_SEEN)
    good = np.isfinite(rings.intensity + rings.eps + rings.theta)
    if last is None or not noise > 0 or np.count_nonzero(good) < 2:
        return False
    # (a margin for the ellipses farther in)
    reach = _STEPS[0] * _APART
    sma = np.arange(_INNER - 0.5 * reach, min(
        _OUTER, _BEYOND * rings.sma[last] + _MORE), _APART)
    if len(sma) <= _STEPS[0]:
        return False
    known = rings.sma[good]
    profile = np.interp(sma, known, rings.intensity[good])
    light = np.log(np.maximum(profile, 0.05 * noise))
    k = np.arange(len(sma))
    usual = 0.5 * (light[np.maximum(k - _STEPS[0], 0)]
                   + light[np.minimum(k + _STEPS[0], k[-1])])
    rises = (light - usual > _RISE) & (profile > _BRIGHT * noise) & (k >= 2)
    if not rises.any():
        return False
    values = _along(image, mask, rings.centre, sma,
                    np.interp(sma, known, rings.eps[good]),
                    0.5 * np.interp(sma, known,
                                    np.unwrap(2 * rings.theta[good])))
    n = _DIRECTIONS
    more = values - np.roll(values, n // 2, axis=1)
    unknown = ~np.isfinite(more)
    quarter = np.arange(n)[:, None] + np.arange(n // 4)
    more = np.where(unknown, 0.0, more)[:, quarter % n].mean(2)
    part = more.max(1) / np.maximum(profile, noise)
    for row in np.flatnonzero(rises):
        last = row + _STEPS[1]
        if (last < len(sma) and profile[last] > _BRIGHT * noise
                and part[row + 1:last + 1].min() > _WINDS * part[row]):
            continue
        beside = [row + sign * step for step in _STEPS for sign in (-1, 1)
                  if 0 <= row + sign * step < len(sma)]
        if not beside:
            # (the middle of a small galaxy)
            continue
        excess = more[row] - np.maximum(more[beside].max(0), 0.0)
        opposite = quarter[:, :1] + n // 2 - n // 8 + np.arange(n // 2)
        some = values[row][opposite % n]
        number = np.isfinite(some).sum(1)
        dark = np.nansum(some, axis=1) / np.maximum(number, 1)
        hidden = unknown[row][quarter % n].mean(1)
        if np.any((excess > _QUARTER * dark) & (dark > _BRIGHT * noise)
                  & (profile[row] > (1 + _PROFILE) * dark)
                  & (hidden < 1 - _KNOWN) & (number > 0)):
            return True
    return False


def _along(image, mask, centre, sma, eps, theta):
    """
    Read means of 3 x 3 pixels along ellipses, one ellipse a row.
    """
    psi = (np.arange(_DIRECTIONS) + 0.5) * 2 * np.pi / _DIRECTIONS
    along = sma[:, None] * np.cos(psi)
    across = (sma * (1 - eps))[:, None] * np.sin(psi)
    cos, sin = np.cos(theta)[:, None], np.sin(theta)[:, None]
    reach = sma[-1] + 4
    first = [max(int(c - reach), 0) for c in centre]
    box = tuple(slice(k, max(int(c + reach), k) + 1) for k, c in zip(
        first[::-1], centre[::-1], strict=True))
    hidden, total = mask[box], image[box]
    known = np.ones(hidden.shape)
    if hidden.any():
        total = np.where(hidden, 0.0, total)
        known = uniform_filter((~hidden).astype(float), 3)
    total = uniform_filter(total, 3)
    at = np.stack([centre[1] - first[1] + along * sin + across * cos,
                   centre[0] - first[0] + along * cos - across * sin])
    total, known = (map_coordinates(part, at, order=1, mode='constant',
                                    cval=0.0) for part in (total, known))
    return np.where(known > 0.6, total / np.maximum(known, 0.1), np.nan)
