# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What to know about a profile that a network gave.
"""

import numpy as np

from astro_pix2prof.background.noise import noise_is_wrong
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.fitting.checks import is_point_source
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

__all__ = ['galaxy_flags', 'ring_flags']


# If the profile differs by so much (mag, median over bright rings) from the
# means of the pixels, the network does not understand the image.
_DISAGREEMENT = 0.4

# The light of other objects, over that of the galaxy. Of simulated galaxies
# that stand alone, less than one in a hundred has more that was left out.
_EXCESS = 0.1

# A source is brighter than so many times the noise of a pixel somewhere.
_FAINTEST = 0.1

# How far (pixels) the centre may move in the last look of a network;
# likewise.
_SHIFT = 0.3

# A centre is not seen if half of the rings within so many pixels are missing;
# a galaxy is cut off if rings beyond the edge have this signal-to-noise ratio.
_NUCLEUS, _CLEAR = 3.0, 10.0

# Equal pixels at the centre, to so small a part, are full wells.
_EQUAL, _N_EQUAL, _CORE = 1e-5, 4, 6

# They are so many times the noise above the sky; more where values are
# rounded to more than a part of the noise and are equal for that.
_WELL, _WELL_ROUNDED, _ROUNDED = 5.0, 20.0, 0.2


def ring_flags(prepared, caption, n_valid, eps, theta):
    """
    What to know about each ring.

    Parameters
    ----------
    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    caption : object
        What the network found: ``sma``, ``intensity``, ``reached_edge``,
        and ``e1``, which is `None` if it found no ellipses.

    n_valid : 1D `~numpy.ndarray`, shape (n,)
        The usable part of each ring.

    eps, theta : 1D `~numpy.ndarray`, shape (n,)
        The ellipses; angles in radians.

    Returns
    -------
    flag : 1D `~numpy.ndarray` of int, shape (n,)
        `~astro_pix2prof.RingFlag` bits.
    """
    cutout, sma = prepared.cutout, caption.sma
    flag = np.zeros(len(sma), dtype=np.int32)
    if caption.e1 is None or prepared.ellipses is not None:
        flag |= RingFlag.FIXED_GEOMETRY
    edge = prepared.edge()
    flag[(sma > edge) & (n_valid < 0.98)] |= RingFlag.EDGE
    flag[~(n_valid > 0)] |= RingFlag.EXTRAPOLATED
    core = 1.0
    if cutout.psf_fwhm:
        core = 0.5 * cutout.psf_fwhm / cutout.radius_scale
    flag[sma < core] |= RingFlag.UNRESOLVED
    level = cutout.saturation
    if level is None:
        level = _plateau(prepared)
    if level is not None:
        full = (cutout.data >= level).astype(float)
        hit = measure_rings(
            full, np.ones(full.shape, bool), prepared.centre, sma, eps,
            theta, sigma=1.0, clip=np.inf)
        flag[np.nan_to_num(hit.mean) > 0.02] |= RingFlag.SATURATED
    return flag


def galaxy_flags(prepared, caption, n_valid, snr, ring_flag, mean=None):
    """
    What to know about the galaxy.

    Parameters
    ----------
    prepared, caption, n_valid
        As for `ring_flags`.

    snr : 1D `~numpy.ndarray`, shape (n,)
        Signal-to-noise ratios of the rings, from photon noise.

    ring_flag : 1D `~numpy.ndarray` of int, shape (n,)
        The flags of the rings.

    mean : 1D `~numpy.ndarray`, shape (n,), optional
        The means of the pixels along the ellipses, for networks whose
        profiles do not come from them.

    Returns
    -------
    flag : `~astro_pix2prof.GalaxyFlag`
    """
    cutout, sma, galaxy = prepared.cutout, caption.sma, prepared.flag
    edge = prepared.edge()
    shift = np.hypot(prepared.centre[0] - cutout.position[0],
                     prepared.centre[1] - cutout.position[1])
    if prepared.ellipses is None and shift > 0.6 * prepared.search:
        galaxy |= GalaxyFlag.CENTRE_OFFSET
    # What is left of a sky is significant in large rings, too; and in noise
    # a network sees what it knows, but says how unsure it is.
    above = caption.intensity > _FAINTEST * prepared.sigma
    sure = np.minimum(snr, POGSON / np.nan_to_num(caption.error, nan=1e-3))
    if caption.e1 is not None and not np.max(sure[above], initial=0.0) > 4:
        galaxy |= GalaxyFlag.NO_SOURCE
    if (ring_flag[sma < 3] & RingFlag.SATURATED).any():
        galaxy |= GalaxyFlag.SATURATED
    if not galaxy & GalaxyFlag.NO_SOURCE and (
            caption.reached_edge or (sma[-1] > edge and snr[-1] > 3)):
        galaxy |= GalaxyFlag.TRUNCATED
    bright = (snr > 3) & (sma < edge)
    if np.nanmin(n_valid[bright], initial=1.0) < 0.5:
        galaxy |= GalaxyFlag.HEAVILY_MASKED
    if caption.e1 is not None:
        galaxy |= _missing_pixels(prepared, caption, n_valid, snr)
    # the centre of an edge-on galaxy has no ring of a fixed ellipse
    if mean is not None:
        compare = (snr > 8) & (sma > 3) & (n_valid > 0.5) & (mean > 0)
        ratio = -2.5 * np.log10(caption.intensity[compare] / mean[compare])
        if len(ratio) >= 3 and abs(np.median(ratio)) > _DISAGREEMENT:
            galaxy |= GalaxyFlag.OUT_OF_DOMAIN
    if caption.e1 is not None:
        galaxy |= _unlike_galaxy(prepared, caption)
    noise = prepared.sigma if cutout.noise is None else cutout.noise
    if noise_is_wrong(prepared.image, cutout.mask, noise):
        galaxy |= GalaxyFlag.WRONG_NOISE
    trust = caption.trust
    if trust.get('shift', 0.0) > _SHIFT:
        galaxy |= GalaxyFlag.CENTRE_UNCERTAIN
    if trust.get('excess', 0.0) > _EXCESS:
        galaxy |= GalaxyFlag.NEIGHBOUR
    if trust.get('distance', 0.0) > 1 or not np.isfinite(
            caption.intensity).all():
        galaxy |= GalaxyFlag.OUT_OF_DOMAIN
    return galaxy


def _missing_pixels(prepared, caption, n_valid, snr):
    """
    Flags for galaxies that miss their nucleus or a side.
    """
    sma, galaxy = caption.sma, GalaxyFlag(0)
    nucleus = n_valid[sma < _NUCLEUS]
    if not prepared.hold and prepared.ellipses is None and (
            np.median(nucleus) < 0.5):
        galaxy |= GalaxyFlag.CENTRE_UNCERTAIN
    cut = (sma > prepared.edge()) & (n_valid < 0.9) & (
        snr > _CLEAR) & (caption.intensity > prepared.sigma)
    if cut.any():
        galaxy |= GalaxyFlag.TRUNCATED
    return galaxy


def _unlike_galaxy(prepared, caption):
    """
    Flags for profiles that are not those of galaxies.
    """
    cutout, galaxy = prepared.cutout, GalaxyFlag(0)
    fwhm = cutout.psf_fwhm and cutout.psf_fwhm / cutout.radius_scale
    if is_point_source(caption.sma, caption.intensity,
                       np.hypot(caption.e1, caption.e2), prepared.sigma,
                       fwhm=fwhm):
        galaxy |= GalaxyFlag.POINT_SOURCE
    return galaxy


def _plateau(prepared):
    """
    The value at which the centre of a galaxy is saturated, or `None`.

    For images that do not say it: several pixels have the same value, the
    largest, far above the noise.
    """
    data, bad = prepared.cutout.data, prepared.cutout.mask
    x, y = (round(c) for c in prepared.centre)
    inside = np.s_[max(y - _CORE, 0):max(y + _CORE + 1, 0),
                   max(x - _CORE, 0):max(x + _CORE + 1, 0)]
    values = data[inside][~bad[inside]]
    if values.size < _N_EQUAL:
        return None
    top = float(values.max())
    equal = np.count_nonzero(values >= top - _EQUAL * abs(top))
    if equal < _N_EQUAL:
        return None
    steps = np.diff(np.unique(values))
    # (all may be equal)
    rounded = steps.size and steps.min() > _ROUNDED * prepared.sigma
    least = _WELL_ROUNDED if rounded else _WELL
    if top - prepared.sky < least * prepared.sigma:
        return None
    return top - _EQUAL * abs(top)
