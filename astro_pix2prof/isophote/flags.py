# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Bit flags of a profile that was fitted to isophotes.
"""

import numpy as np

from astro_pix2prof.detection.galaxy import FINE
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

__all__ = ['isophote_galaxy_flags', 'isophote_ring_flags']


def isophote_ring_flags(steps, want, none):
    """
    Set the flags of individual rings.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    want : 1D `~numpy.ndarray`, shape (n,)
        The semi-major axes of the table in pixels.

    none : 1D bool `~numpy.ndarray`, shape (n,)
        Where there is no value.

    Returns
    -------
    flag : 1D `~numpy.ndarray` of int, shape (n,)
        `~astro_pix2prof.RingFlag` bits.
    """
    flag = np.zeros(len(want), dtype=np.int32)
    fixed = steps.fixed is not None or steps.ellipse_fit.rung < 0
    if fixed:
        flag |= RingFlag.FIXED_GEOMETRY
    else:
        fit = steps.ellipse_fit
        last = steps.thin[steps.inside].max()
        flag[want > last] |= RingFlag.EXTENDED
        log_good = np.log(fit.sma[fit.good])
        gap = np.abs(np.log(np.maximum(want, 0.8))[:, None]
                     - log_good).min(1)
        flag[(gap > 0.13) & (want <= last)] |= RingFlag.INTERPOLATED
    ny, nx = steps.cutout.shape
    x, y = (c + first for c, first in zip(steps.centre, steps.corner,
                                          strict=True))
    edge = min(x, y, nx - 1 - x, ny - 1 - y) + 0.5
    c, s = np.cos(steps.theta), np.sin(steps.theta)
    q = 1 - steps.eps
    # Half the size of the box around each ellipse.
    half_x, half_y = np.hypot(c, q * s), np.hypot(s, q * c)
    room = np.minimum(
        np.minimum(x, nx - 1 - x) + 0.5 - steps.thin * half_x,
        np.minimum(y, ny - 1 - y) + 0.5 - steps.thin * half_y)
    leaves = np.interp(want, steps.thin, room) < 0
    flag[leaves & (want > edge)] |= RingFlag.EDGE
    cutout = steps.cutout
    core = 1.0
    if cutout.psf_fwhm:
        core = 0.5 * cutout.psf_fwhm / cutout.radius_scale
    flag[want < core] |= RingFlag.UNRESOLVED
    flag[none] |= RingFlag.EXTRAPOLATED
    if cutout.saturation is not None:
        full = (steps.data >= cutout.saturation / steps.unit).astype(float)
        hit = measure_rings(full, np.ones(full.shape, bool), steps.centre,
                            steps.thin, steps.eps, steps.theta, sigma=1.0,
                            clip=np.inf)
        share = np.interp(want, steps.thin, np.nan_to_num(hit.mean))
        flag[share > 0.02] |= RingFlag.SATURATED
    return flag


def isophote_galaxy_flags(steps, rings, intensity, stop):
    """
    Set the flags of the whole galaxy.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    rings : `~astro_pix2prof.ellipses.annuli.RingMeans`
        The pixels along the ellipses.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        The profile.

    stop : int
        The number of rings that are kept.

    Returns
    -------
    flag : `~astro_pix2prof.GalaxyFlag`
    """
    flag = GalaxyFlag(0)
    found = steps.found
    shift = np.hypot(steps.centre[0] - steps.position[0],
                     steps.centre[1] - steps.position[1])
    if shift > 0.6 * steps.search:
        flag |= GalaxyFlag.CENTRE_OFFSET
    inner = np.nanmax(intensity[:max(stop, 1)], initial=0.0)
    if found.scale != FINE or inner < 2 * steps.sigma:
        flag |= GalaxyFlag.CENTRE_UNCERTAIN
    if steps.settings.mask_sources and found.touching > 0.1:
        flag |= GalaxyFlag.NEIGHBOUR
    bright = intensity[:stop] > 0.3 * steps.sigma
    if bright.any() and np.nanmin(
            rings.n_valid[:stop][bright], initial=1.0) < 0.5:
        flag |= GalaxyFlag.HEAVILY_MASKED
    return flag
