# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rings, with their flags, of what a network says of a galaxy.
"""

import numpy as np

from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.fitting.flags import Evidence, flag_galaxy, flag_rings
from astro_pix2prof.fitting.saturation import add_missing_light
from astro_pix2prof.inference.both_sides import measure_both_sides
from astro_pix2prof.inference.ends import add_steep_errors, hold_rises
from astro_pix2prof.inference.faint_rings import settle_faint_rings
from astro_pix2prof.inference.preparation import (
    add_sky_and_correlation,
    subtracted_sky,
)
from astro_pix2prof.inference.radii import (
    clean_image,
    excess_of_area,
    measure_own_shape,
    pixel_means,
)
from astro_pix2prof.inference.sure_pixels import follow_sure_pixels
from astro_pix2prof.profile.brightness import POGSON, magnitude_error
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.rings import MeasuredRings

__all__ = ['rings_of_caption']


def rings_of_caption(prepared, caption):
    """
    Convert the network output to ring measurements and flags.

    Parameters
    ----------
    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy as the network saw it.

    caption : `~astro_pix2prof.networks.readers.frame.Caption`
        What the network says of it.

    Returns
    -------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        At the radii of the network.
    """
    cutout, sma = prepared.cutout, caption.sma
    centre = prepared.centre
    if caption.e1 is not None:
        e1, e2, centre = caption.e1, caption.e2, caption.centre
    elif prepared.ellipses is not None:
        e1, e2 = (np.interp(sma, prepared.ellipses[0], part)
                  for part in prepared.ellipses[1:])
    else:
        e1, e2 = (np.full(len(sma), prepared.eps * part(
            2 * prepared.theta)) for part in (np.cos, np.sin))
    eps, theta = np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)
    sky, sky_err = subtracted_sky(prepared, caption)
    n_valid, mean = caption.valid, None
    if caption.valid is None:
        pixels = measure_rings(
            prepared.image, ~cutout.mask, centre, sma, eps, theta,
            sigma=prepared.sigma, clip=3.0)
        n_valid, mean = pixels.n_valid, pixels.mean
    rings = MeasuredRings(
        cutout=cutout, sma=sma, intensity=caption.intensity,
        intensity_err=None, eps=eps, theta=theta, n_valid=n_valid,
        flag=np.zeros(len(sma), dtype=np.int32),
        galaxy_flag=prepared.flag,
        centre=tuple(float(c) for c in centre), sky=sky, sky_err=sky_err,
        noise=prepared.sigma, sb_err=caption.error,
        noise_correlation=prepared.background.correlation,
        mag_enclosed_err=caption.enclosed_error)
    if prepared.ellipses is None:
        rings.eps_err, rings.theta_err = (caption.eps_error,
                                          caption.pa_error)
    if caption.centre_error is not None and not (
            prepared.hold or prepared.forced):
        rings.centre_err = float(caption.centre_error)
    if caption.e1 is None:
        # (a ring network states its error, photon noise included)
        rings.sb_err = np.hypot(caption.error, POGSON / np.maximum(
            rings.photon_snr, 1e-3))
    untold = caption.trust.get('sky_untold')
    if untold is not None:
        # (rings beyond the galaxy are cut off, too, and tell nothing of it)
        # (a network is not told the error of a level that was given)
        untold = np.hypot(untold, prepared.background.error
                          if prepared.background.how == 'given'
                          else prepared.background.rounding)
    if untold is not None and prepared.background.is_uneven:
        # (a network thinks that a sky is flat, and the rings beyond the
        # galaxy make it sure of that of the others)
        untold = np.hypot(untold, prepared.background.structure)
    rings.sb_err = add_sky_and_correlation(
        prepared, sma, rings.photon_snr, rings.intensity, rings.sb_err,
        sky_error=untold)
    rings.intensity_err = rings.intensity * rings.sb_err / POGSON
    excess = caption.trust.get('excess', 0.0)
    if prepared.by_area:
        rings.area_excess = excess_of_area(rings, prepared, caption.weight)
    own = sides = None
    if caption.weight is not None and prepared.ellipses is None:
        sides = measure_both_sides(rings, prepared, caption.weight)
    elif caption.weight is not None:
        own = measure_own_shape(rings, prepared, caption.weight)
        excess = excess if own is None else 0.0
    if sides is not None:
        if not sides.is_other:
            own = sides.intensity, sides.intensity_err
        if sides.is_own:
            excess = max(excess - sides.part, 0.0)
        if sides.is_much and sides.is_own:
            # (one family of ellipses does not describe such a galaxy)
            rings.galaxy_flag |= GalaxyFlag.GEOMETRY_UNCERTAIN
        elif sides.is_much or sides.is_other:
            excess = np.inf
    if own is not None:
        rings.intensity, rings.intensity_err = own
        rings.sb_err = magnitude_error(np.abs(own[0]), own[1])
    rings.flag = flag_rings(rings, fixed=caption.e1 is None
                            or prepared.ellipses is not None)
    add_missing_light(rings, rings)
    trust = caption.trust
    # (a network that looks once moves every centre in its last look)
    shift = trust.get('shift' if caption.centre_error is None
                      else 'hidden', 0.0)
    is_whole = np.isfinite(rings.intensity).all()
    rings.galaxy_flag = flag_galaxy(rings, Evidence(
        search=prepared.search, forced=prepared.forced,
        held=prepared.hold, bounded=caption.e1 is None,
        truncated=caption.reached_edge, shift=shift,
        centre_error=caption.centre_error, neighbour=excess, mean=mean,
        tilt=prepared.background.over(cutout.shape) - prepared.sky,
        distance=trust.get('distance', 0.0) if is_whole else np.inf))
    # (flags compare what is missing with the errors that the network states;
    # and where the sky is not right, or the galaxy leaves none, it is the
    # network that is)
    if own is None and caption.rise is not None and not rings.galaxy_flag & (
            GalaxyFlag.SKY_UNCERTAIN | GalaxyFlag.TRUNCATED):
        hold_rises(rings, caption.rise)
    if own is None and caption.weight is not None:
        means = pixel_means(rings, clean_image(rings, prepared), sma, eps,
                            theta, caption.weight)
        follow_sure_pixels(rings, means)
        settle_faint_rings(rings)
        add_steep_errors(rings, means)
    return rings
