# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Other objects, found from how much a network weighs the pixels.
"""

import numpy as np
from scipy.ndimage import binary_dilation, label, maximum

from astro_pix2prof.detection.masks import excess_light
from astro_pix2prof.ellipses.model import elliptical_radius

__all__ = ['find_objects', 'low_weight']


# Pixels of a galaxy whose weight is less than this, in units of the upper
# weights of their ring, count little.
_LOW_WEIGHT = 0.3

# Inside this semi-major axis (pixels) no weight is low.
_CORE = 3.0

# An object exceeds the galaxy by so many times the noise at its peak and in
# its outskirts, and by this part of the galaxy's light. Of 24 simulated
# galaxies without other objects, 21 have less than 1 per cent of their
# pixels marked; of 24 with others, the median of the marked part of the
# pixels where these exceed the noise is 86 per cent.
_PEAK, _FOOT, _CONTRAST = 4.0, 1.5, 0.3

# Pixels of low weight so close to an object belong to it (pixels).
_WINGS = 2


def low_weight(weight, centre, sma, eps, theta):
    """
    Find pixels of low weight in comparison with their ring.

    A mean along a ring depends on the ratios of the weights only: the
    upper ones of a ring tell what a pixel of the galaxy has.

    Parameters
    ----------
    weight : 2D `~numpy.ndarray`, shape (ny, nx)
        How much each pixel belongs to the galaxy; NaN where unknown.

    centre, sma, eps, theta
        The ellipses, as for
        `~astro_pix2prof.ellipses.model.elliptical_radius`.

    Returns
    -------
    low : 2D bool `~numpy.ndarray`, shape (ny, nx)
    """
    radius = elliptical_radius(weight.shape, centre, sma, eps, theta)
    known = np.isfinite(weight) & (radius > _CORE)
    low = np.zeros(weight.shape, bool)
    if not known.any():
        return low
    ring = np.round(np.log(radius[known]) / 0.1).astype(int)
    ring -= ring.min()
    value = weight[known]
    order = np.argsort(ring, kind='stable')
    parts = np.split(value[order], np.cumsum(np.bincount(ring))[:-1])
    full = np.array([np.quantile(part, 0.8) if len(part) else 0.0
                     for part in parts])
    low[known] = value < _LOW_WEIGHT * full[ring]
    return low


def find_objects(data, model, low, centre, sigma):
    """
    Find the pixels of low weight that hold the light of another object.

    Weights are low in noise as well. An object has light beyond the
    galaxy's, and beyond that of the point-symmetric pixel, since arms and
    bars lie on both sides.

    Parameters
    ----------
    data, model : 2D `~numpy.ndarray`, shape (ny, nx)
        The sky-subtracted image, without bad pixels, and the smooth model
        of the galaxy.

    low : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels of low weight.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sigma : float
        Noise of a sky pixel.

    Returns
    -------
    objects : 2D bool `~numpy.ndarray`, shape (ny, nx)
    """
    smooth, base, noise = excess_light(data, model, sigma, centre)
    excess = smooth - base
    foot = low & (excess > _FOOT * noise + 0.5 * _CONTRAST * base)
    regions, n = label(foot, np.ones((3, 3)))
    if n == 0:
        return foot
    height = maximum((excess - _CONTRAST * base) / noise, regions,
                     np.arange(1, n + 1))
    found = np.append(False, height > _PEAK)[regions]
    return binary_dilation(found, iterations=_WINGS) & low
