# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Petrosian radii and magnitudes of profiles.
"""

import numpy as np

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.structure.fitted import magnitude_of
from astro_pix2prof.structure.growth import (
    LARGE_PART,
    falling_radius,
    last_slope,
)
from astro_pix2prof.structure.wings import light_out_to

__all__ = ['put_petrosian']


# Part of the light beyond an aperture that ends outside of the profile which
# is an error of the light within it: the slope there is not seen.
_UNSEEN = 0.5


def put_petrosian(put, rings, curve, total, eps, zero, few, petrosian):
    """
    Measure the Petrosian radius and the magnitude in an aperture of it.

    Parameters
    ----------
    put : callable
        Takes the name of a quantity, its value and those of noisy versions,
        and the least error.

    rings : tuple of `~numpy.ndarray`
        The radii (n,), and the profile and its noisy versions (1 + m, n).

    curve : tuple of `~numpy.ndarray`
        Finer radii, and the curves of growth there.

    total : 1D `~numpy.ndarray`, shape (1 + m,)
        The total light of each.

    eps : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities.

    zero : float
        Zero point of surface brightness.

    few : bool
        Whether there are too few rings for a profile.

    petrosian : tuple of 2 floats
        The ratio at the radius, and the aperture in units of it.
    """
    radius, samples = rings
    least, aperture = petrosian
    none = np.full(len(samples), np.nan)
    # (no light is measured inside the first ring)
    use = (radius > 0) & (1.25 * radius <= radius[-1]) & (
        0.8 * radius >= radius[0])
    if few or use.sum() < 2:
        put('r_petro', none)
        put('mag_petro', none)
        return
    at, growth = curve
    area = np.pi * radius**2 * (1 - eps)
    # Mean intensity in annuli from 0.8 to 1.25 r, over that within r.
    inner, outer = 0.8 * radius, np.minimum(1.25 * radius, radius[-1])
    q = 1 - np.interp([inner, outer], radius, eps)
    ring = np.pi * (outer**2 * q[1] - inner**2 * q[0])
    ratio = np.full(samples.shape, np.nan)
    for k, row in enumerate(growth):
        flux = np.interp(outer, at, row) - np.interp(inner, at, row)
        with np.errstate(invalid='ignore', divide='ignore'):
            ratio[k] = (flux / ring) / (np.interp(radius, at, row) / area)
    r_petro = falling_radius(
        radius[use], np.nan_to_num(ratio[:, use], nan=1.0), least)
    # A noisy version whose ratio does not fall as far within the profile has
    # a larger radius: without, the error would be that of the small ones.
    reach = np.where(np.isnan(r_petro) & np.isfinite(samples[:, 0]),
                     radius[-1], r_petro)
    put('r_petro', np.where(np.isfinite(r_petro[0]), reach, r_petro))
    within, unseen = _light_in(aperture * r_petro, rings, curve, total)
    put('mag_petro', magnitude_of(within, zero), POGSON * unseen)


def _light_in(reach, rings, curve, total):
    """
    Measure the light within radii, and the relative error by what is not seen.

    Not-a-number beyond a profile outside of which there is a large part of the
    light, or one that is not known.
    """
    at, growth = curve
    within = np.array([np.interp(r, at, row, right=np.nan)
                       for r, row in zip(reach, growth, strict=True)])
    flux = growth[:, -1]
    outside = np.isfinite(reach) & (reach > at[-1])
    with np.errstate(invalid='ignore', divide='ignore'):
        is_small = 1 - flux[0] / total[0] < LARGE_PART
    # (a total without an error is that of the light that was measured)
    if not is_small or not np.isfinite(total[1:]).any():
        return within, 0.0
    slope = last_slope(rings[0], rings[1][0])
    within[outside] = light_out_to(reach[outside], at[-1], slope,
                                   flux[outside], total[outside])
    # (the light at the last ring is measured, and the total has an error of
    # its own)
    unseen = max(min(within[0] - flux[0], total[0] - within[0]) / total[0],
                 0.0) if outside[0] else 0.0
    return within, _UNSEEN * unseen
