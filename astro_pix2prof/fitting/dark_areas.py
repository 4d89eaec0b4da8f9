# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise areas at a galaxy that are darker than the sky.
"""

import numpy as np

__all__ = ['has_dark_area']


# Sums over boxes of so many pixels each way, and of so many of these; what is
# darker than so many times the noise counts as this, so that no single pixel
# is an area.
_SIDE, _SIZES, _DARKEST = 4, (1, 2, 4), 4.0

# The galaxy ends at the last ring above so many times its error; areas lie
# within so many times its radius, and pixels more.
_SEEN, _AROUND, _MORE = 3.0, 1.2, 4.0

# Areas are darker than the sky by so many times the error of their sum. Noise
# is by 6.4 in one of 10^10 sums, as many as there are at a million galaxies.
_SURE = 7.0


def has_dark_area(image, mask, rings, *, noise):
    """
    Tell whether an area at a galaxy is darker than the sky.

    Light adds to the sky. Less than the sky is where dust on a detector
    shades it, where a star or another image was subtracted, where bright
    stars cross talk, and in the troughs of fringes.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    noise : float
        The noise of a sky pixel; a map of the image counts where it says
        more.

    Returns
    -------
    result : bool
    """
    last = rings.last_seen(_SEEN)
    if last is None or not np.isfinite(rings.sky_err):
        return False
    reach = _AROUND * rings.sma[last] + _MORE
    first = [max(int(c - reach), 0) for c in rings.centre]
    box = tuple(slice(k, max(int(c + reach) + 1, 0)) for k, c in zip(
        first[::-1], rings.centre[::-1], strict=True))
    level, good = np.float64(noise), ~mask[box]
    if rings.cutout.noise is not None:
        level = np.maximum(rings.cutout.noise[box], level)
    values = np.maximum(image[box], -_DARKEST * level)
    if level.ndim == 0 and good.all():
        # (all boxes are alike but for their light)
        total = _sums(values)
        number, variance = (_sums(np.full((_SIDE, _SIDE), part))
                            for part in (1, level * level))
    else:
        total, number, variance = (_sums(part) for part in (
            np.where(good, values, 0.0), good, np.where(
                good, level, 0.0)**2))
    x, y = (_SIDE * (np.arange(n) + 0.5) - 0.5 + k - c for n, k, c in zip(
        total.shape[::-1], first, rings.centre, strict=True))
    y = y[:, None]
    cos, sin = np.cos(rings.theta[last]), np.sin(rings.theta[last])
    inside = (x * cos + y * sin)**2 + (
        (y * cos - x * sin) / (1 - rings.eps[last]))**2 < reach**2
    planes = [np.where(inside, plane, 0.0)
              for plane in (total, number, variance)]
    correlation = max(rings.noise_correlation, 1.0)
    for size in _SIZES:
        part, n, variance = (_added(plane, size) for plane in planes)
        error = np.sqrt(correlation**2 * variance + (rings.sky_err * n)**2)
        if (part < -_SURE * error)[2 * n > (_SIDE * size)**2].any():
            return True
    return False


def _sums(values):
    """
    Add the pixels of boxes.
    """
    ny, nx = (n // _SIDE for n in values.shape)
    rows = values[:ny * _SIDE].reshape(
        ny, _SIDE, values.shape[1]).sum(1)[:, :nx * _SIDE]
    # (faster than a sum over a short axis)
    return sum(rows[:, k::_SIDE] for k in range(_SIDE))


def _added(values, size):
    """
    Add so many boxes each way, at every place.
    """
    # (along rows, and then along what has become rows)
    for _ in range(2):
        n = max(len(values) - size + 1, 0)
        values = sum(values[k:n + k] for k in range(size)).T
    return values
