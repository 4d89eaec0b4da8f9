# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise crowds of compact sources over a galaxy.
"""

import numpy as np

__all__ = ['is_crowded']


# The galaxy ends at the last ring above so many times its error. It has this
# least radius (pixels), and is looked at up to this one, in its outer half,
# where the sources may outshine it.
_SEEN, _SMALL, _LARGE, _INNER = 3.0, 6.0, 160.0, 0.5

# The side (pixels) of the means that are looked at, and the distance (pixels)
# and number of the directions in which a source has ended, all but so many.
_SIDE, _REACH, _DIRECTIONS, _ALLOWED = 3, 4, 16, 2

# A source exceeds what is around it by so many times the noise of a mean, and
# by this part; there, it has lost this part of what it exceeds it by.
_CLEAR, _CONTRAST, _LOST = 5.5, 0.1, 0.5

# The light of a source that is as wide as most point-spread functions are, in
# units of what its mean exceeds that around it by.
_WHOLE = 2.0

# So many sources, with this part of the light of the outer half.
_FEWEST, _PART = 7, 0.12


def is_crowded(image, mask, rings, *, noise):
    """
    Tell whether many compact sources are part of the light of a galaxy.

    A star cluster in front of a galaxy, or many bright knots of its own, add
    to the rings of its outskirts. A network leaves single sources out of
    them, but of many only a part.

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
    if last is None or not noise > 0:
        return False
    reach = min(rings.sma[last], _LARGE)
    sma, eps, theta = rings.sma, rings.eps[last], rings.theta[last]
    outer = (sma > _INNER * reach) & (sma <= reach)
    light = np.pi * np.nansum((np.gradient(sma**2) * (
        1 - rings.eps) * rings.intensity)[outer]) if len(sma) > 1 else 0.0
    if not (reach > _SMALL and light > 0 and np.isfinite(eps + theta)):
        return False
    margin = reach + _REACH + 1
    box = tuple(slice(max(int(c - margin), 0), max(int(c + margin) + 2, 0))
                for c in rings.centre[::-1])
    part = np.where(mask[box], 0.0, image[box])
    if min(part.shape) < 2 * _REACH + _SIDE + 1:
        return False
    # (means have their places one row and column after those of their first)
    rows = part[:-2] + part[1:-1] + part[2:]
    mean = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / _SIDE**2
    near = max(rings.noise_correlation, 1.0) * noise / _SIDE
    y, x = _peaks(mean, _CLEAR * near)
    dx, dy = (k + 1 + side.start - c for k, side, c in zip(
        (x, y), box[::-1], rings.centre, strict=True))
    cos, sin = np.cos(theta), np.sin(theta)
    radius = np.hypot(dx * cos + dy * sin,
                      (dy * cos - dx * sin) / (1 - eps))
    use = (radius > _INNER * reach) & (radius < reach)
    use &= ~mask[box][y + 1, x + 1]
    y, x = y[use], x[use]
    if len(y) < _FEWEST:
        return False
    angle = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    j, k = (np.rint(_REACH * f(angle)).astype(int)[:, None]
            for f in (np.sin, np.cos))
    around = np.sort(mean[y + j, x + k], axis=0)
    usual = around[_DIRECTIONS // 2 - 1:_DIRECTIONS // 2 + 1].mean(0)
    more = mean[y, x] - usual
    compact = around[-1 - _ALLOWED] - usual < _LOST * more
    more = more[compact & (more > np.maximum(
        _CLEAR * near, _CONTRAST * usual))]
    return len(more) >= _FEWEST and bool(
        _WHOLE * _SIDE**2 * more.sum() > _PART * light)


def _peaks(mean, least):
    """
    Find local maxima: their rows and columns.
    """
    n = _REACH
    inner = mean[n:-n, n:-n]
    peak = inner > least
    for j, k in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        peak &= inner >= mean[n + j:len(mean) - n + j,
                              n + k:mean.shape[1] - n + k]
    y, x = np.nonzero(peak)
    return y + n, x + n
