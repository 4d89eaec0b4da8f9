# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise a sky that is lower around the galaxy than farther out.
"""

import numpy as np

__all__ = ['has_bowl']


# The ellipse where the signal-to-noise ratio of the rings falls below this
# is enlarged by these factors, at so many angles in so many sectors.
_SEEN, _SECTORS = 3.0, 8
_FACTORS = np.arange(0.8, 3.0, 0.15)
_ANGLES = np.linspace(0, 2 * np.pi, 8 * _SECTORS, endpoint=False)
_ALONG, _ACROSS = (np.outer(_FACTORS, values) for values in (
    np.cos(_ANGLES), np.sin(_ANGLES)))

# So many of these ellipses are taken together, if they have as many pixels.
_TOGETHER, _FEWEST = 3, 80

# Pixels that deviate by more times the noise are other objects.
_OBJECT = 3.0

# In a bowl, the mean is below zero by so many times its error and by this part
# of the noise of a pixel, and the means of so many sectors are below zero.
_SURE, _DEPTH, _BELOW = 5.0, 0.15, 7


def has_bowl(data, mask, rings):
    """
    Tell whether pixels around the galaxy are darker than the sky.

    A map of the sky that follows the galaxy, as those made of medians in
    too small boxes do, is too high where the galaxy is, and takes light
    from its outskirts. Around these, it leaves a moat.

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
    values, good, area = _around(data, mask, rings, last)
    good &= np.abs(values) < _OBJECT * noise
    values *= good
    number = _in_bands(good.sum(1))
    total = _in_bands(values.sum(1))
    low = (number >= _FEWEST) & (total < -_DEPTH * noise * number)
    if not low.any():
        return False
    # (in small ellipses, pixels are met more than once)
    count = np.minimum(number, _in_bands(area))
    variance = (noise * max(rings.noise_correlation, 1.0))**2 / np.maximum(
        count, 1) + np.nan_to_num(rings.sky_err)**2
    low &= total < -_SURE * number * np.sqrt(variance)
    sectors = _in_bands(values.reshape(len(values), _SECTORS, -1).sum(2))
    low &= np.count_nonzero(sectors < 0, axis=1) >= _BELOW
    return bool(low.any())


def _around(data, mask, rings, k):
    """
    Read pixels on enlarged ellipses, and calculate the areas of these.
    """
    q, theta, sma = 1 - rings.eps[k], rings.theta[k], rings.sma[k]
    cos, sin = sma * np.cos(theta), sma * np.sin(theta)
    x = np.rint(rings.centre[0] + cos * _ALONG
                - q * sin * _ACROSS).astype(np.intp)
    y = np.rint(rings.centre[1] + sin * _ALONG
                + q * cos * _ACROSS).astype(np.intp)
    ny, nx = data.shape
    inside = (x >= 0) & (y >= 0) & (x < nx) & (y < ny)
    at = np.where(inside, y * nx + x, 0)
    step = _FACTORS[1] - _FACTORS[0]
    return data.ravel()[at], inside & ~mask.ravel()[at], (
        2 * np.pi * sma**2 * q * step * _FACTORS)


def _in_bands(values):
    """
    Add the values of so many ellipses each.
    """
    return sum(values[k:len(values) - _TOGETHER + 1 + k]
               for k in range(_TOGETHER))
