# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Decide whether the light within fitted ellipses is more than noise.
"""

import numpy as np

from astro_pix2prof.ellipses.model import elliptical_radius

__all__ = ['light_snr']

# Light counts as far as rings are brighter than this part of the noise of a
# pixel, and no pixel that is brighter than its ring by so many times that
# noise: another object, or a hot pixel.
_VISIBLE, _OUTLIER = 0.1, 5.0


def light_snr(image, mask, rings, *, noise):
    """
    Calculate the signal-to-noise ratio of the light within ellipses.

    A faint galaxy may have no ring that stands out of its noise, and many
    that do together. The error holds that of the sky, and the correlation of
    the noise.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`
        Those not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings.

    noise : float
        The noise of a pixel of the sky; a map of the image counts where it
        says more.

    Returns
    -------
    snr : float
        That of the ellipse with the largest ratio, of those within the frame
        and the visible part of the galaxy; 0 without any.
    """
    visible = np.flatnonzero(rings.intensity > _VISIBLE * noise)
    if not len(visible) or not noise > 0:
        return 0.0
    seen = np.arange(visible[0], len(rings))
    ends = np.flatnonzero(~(rings.intensity[seen] > _VISIBLE * noise))
    seen = seen[:ends[0]] if len(ends) else seen
    seen = seen[rings.sma[seen] <= rings.edge()]
    if not len(seen):
        return 0.0
    radius = elliptical_radius(image.shape, rings.centre, rings.sma,
                               rings.eps, rings.theta)
    part = ~mask & (radius <= rings.sma[seen[-1]])
    level = (np.full(image.shape, noise) if rings.cutout.noise is None
             else np.maximum(rings.cutout.noise, noise))
    radius, light, level = radius[part], image[part], level[part]
    close = light < _OUTLIER * level + np.interp(radius, rings.sma,
                                                 rings.intensity)
    order = np.argsort(radius[close])
    number = np.searchsorted(radius[close][order], rings.sma[seen],
                             side='right')
    total, variance = (np.append(0.0, np.cumsum(values[close][order]))[number]
                       for values in (light, level.astype(float)**2))
    # (the error of a sky that is not known is infinite)
    of_sky = np.where(number > 0, rings.sky_err, 0.0) * number
    error = np.hypot(rings.noise_correlation * np.sqrt(
        np.maximum(variance, noise**2)), of_sky)
    return float(np.nanmax(total / error, initial=0.0))
