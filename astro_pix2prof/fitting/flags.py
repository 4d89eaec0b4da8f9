# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Decide the flags of rings and of galaxies, for every fitter.
"""

from dataclasses import dataclass

import numpy as np

from astro_pix2prof.background.medians import median
from astro_pix2prof.background.noise import noise_is_wrong
from astro_pix2prof.background.photons import find_photon
from astro_pix2prof.background.strips import sky_strips
from astro_pix2prof.detection.stars import star_width
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.fitting.arcs import has_arc
from astro_pix2prof.fitting.blends import is_blended
from astro_pix2prof.fitting.bowls import has_bowl
from astro_pix2prof.fitting.centres import is_centre_rough
from astro_pix2prof.fitting.checks import has_host, is_point_source
from astro_pix2prof.fitting.close_sources import has_close_source
from astro_pix2prof.fitting.copies import has_copy
from astro_pix2prof.fitting.crowds import is_crowded
from astro_pix2prof.fitting.cut_tops import find_cut_top
from astro_pix2prof.fitting.dark_areas import has_dark_area
from astro_pix2prof.fitting.enlarged import is_enlarged
from astro_pix2prof.fitting.filtered import is_median_filtered, is_sharpened
from astro_pix2prof.fitting.flat_tops import find_flat_top
from astro_pix2prof.fitting.frame_edges import light_beyond_edge
from astro_pix2prof.fitting.gains import has_border
from astro_pix2prof.fitting.holes import has_hole
from astro_pix2prof.fitting.moats import has_moat
from astro_pix2prof.fitting.plateaus import find_full
from astro_pix2prof.fitting.quiet_tops import find_quiet_top
from astro_pix2prof.fitting.reflections import has_reflection
from astro_pix2prof.fitting.scattered_light import has_scattered_light
from astro_pix2prof.fitting.significance import light_snr
from astro_pix2prof.fitting.stretched import is_stretched
from astro_pix2prof.fitting.uneven_lines import has_uneven_line
from astro_pix2prof.profile.brightness import POGSON, curve_of_growth
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

__all__ = ['Evidence', 'flag_galaxy', 'flag_rings', 'shape_effect']

# Median difference (mag) of bright rings from the means of the pixels, above
# which a network does not understand the image.
_DISAGREEMENT = 0.4

# Light of other objects over that of the galaxy. Less than one in a hundred
# simulated galaxies that stand alone exceeds it.
_EXCESS = 0.1

# The same where there are many compact sources, of which a network leaves out
# a part.
_SOME = 0.015

# The same where other objects are masked: part of the pixels, and of light.
# Of simulated galaxies that stand alone, one in nine exceeds one of these.
_HIDDEN, _OUTSHONE = 0.05, 0.02

# Least intensity of a source, in units of the noise of a pixel.
_FAINTEST = 0.1

# Largest signal-to-noise ratio of a ring of noise, and of the light within
# ellipses, which is the largest of many and that of a centre that was chosen.
_SIGNIFICANT, _TOGETHER = 4.0, 7.0

# Rows so many apart are looked at first.
_APART = 16

# Light of the nine pixels around a centre, in units of its noise, that is no
# chance.
_BRIGHT = 10.0

# Stars have at least this FWHM (pixels); hits of cosmic rays have less. Rings
# about a centre between pixels are wider by about a pixel, in quadrature.
_NARROWEST, _PIXEL = 1.5, 1.0

# Largest shift (pixels) of the centre in the last look of a network; again,
# less than one in a hundred simulated galaxies exceeds it.
_SHIFT = 0.3

# Fraction of a ring that is saturated, above which the ring counts as such,
# and the semi-major axis (pixels) within which it is the centre.
_FULL, _CORE = 0.02, 3.0

# Semi-major axis (pixels) within which half of the rings must be seen for a
# centre to be seen, and least signal-to-noise ratio of rings beyond the edge
# that show that the galaxy is cut off.
_NUCLEUS, _CLEAR = 3.0, 10.0

# The galaxy ends at the last ring above so many times its error.
_SEEN = 3.0

# Ellipses are uncertain if their errors change the profile by this median
# (mag), over rings of at least this signal-to-noise ratio beyond the core, or
# all if these are less than so many: a compromise between profiles that are
# off by 0.1 mag and missed, and good ones that are flagged.
_ROUGH, _SHAPED, _FEW = 0.07, 3.0, 3

# Rings from this semi-major axis (pixels) on are more than a pixel, and pixels
# up to this distance are those of rings within.
_RINGS, _WITHIN = 1.0, 1.5

# Part of the light within a ring that may be beyond the frame; part of the
# light of a galaxy that may be farther out than its frame reaches.
_UNSEEN_LIGHT, _LITTLE = 0.05, 0.01

# A peak may be hidden if more than this part of the pixels within this radius
# (pixels) is missing, so many of the nine around each; a centre is not the
# peak if it lies beyond this part of the radius within which it is kept.
_AROUND, _MISSING, _BESIDE, _HELD = 10, 0.25, 6, 0.95


@dataclass
class Evidence:
    """
    Facts about a fit that its rings do not tell.

    Attributes
    ----------
    search : float
        Largest distance of the galaxy from the position, in pixels.

    forced : bool
        Whether the ellipses were given.

    held : bool
        Whether the centre was given and not refined.

    bounded : bool
        Whether the centre was kept within ``search``.

    found : bool
        Whether the fitter detected a source.

    centre_is_clear : bool
        Whether the galaxy has a peak of the size of the finest kernel.

    shift : float
        Distance (pixels) by which the last look moved the centre.

    centre_error : float, optional
        Error (pixels) of each coordinate of the centre that was stated.

    neighbour : float
        Light of other objects over that of the galaxy.

    masked_pixels, masked_light : float
        Part of the pixels of the galaxy that were masked as other objects,
        and the light that these have more over that of the galaxy.

    truncated : bool
        Whether the fitter saw that the galaxy goes on beyond the frame.

    distance : float
        Distance from the images that a network was trained on; above 1
        outside of them.

    mean : 1D `~numpy.ndarray`, shape (n,), optional
        Means of the pixels along the ellipses, for networks whose profile
        does not come from them.

    tilt : float or 2D `~numpy.ndarray`
        The sky of each pixel less the level at the centre.

    eps_err : 1D `~numpy.ndarray`, shape (n,), optional
        Errors of the ellipticity as they will be stated, where the rings
        hold others.

    rough : float
        Change of the profile (mag) by errors of the ellipses from which on
        these are uncertain.
    """

    search: float
    forced: bool = False
    held: bool = False
    bounded: bool = True
    found: bool = True
    centre_is_clear: bool = True
    shift: float = 0.0
    centre_error: float = None
    neighbour: float = 0.0
    masked_pixels: float = 0.0
    masked_light: float = 0.0
    truncated: bool = False
    distance: float = 0.0
    mean: np.ndarray = None
    tilt: np.ndarray | float = 0.0
    eps_err: np.ndarray = None
    rough: float = _ROUGH


def flag_rings(rings, *, fixed=False):
    """
    Decide the flags of rings that mean the same for every fitter.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings.

    fixed : bool, optional
        Whether the ellipses were given or held, and not fitted.

    Returns
    -------
    flag : 1D `~numpy.ndarray` of int32, shape (n,)
        `~astro_pix2prof.RingFlag` bits: those of ``rings``, and
        FIXED_GEOMETRY, EDGE, EXTRAPOLATED, UNRESOLVED, SATURATED and
        GROWTH_EXTRAPOLATED.
    """
    cutout, sma = rings.cutout, rings.sma
    flag = np.array(rings.flag, dtype=np.int32)
    if fixed:
        flag |= RingFlag.FIXED_GEOMETRY
    leaves = _leaves_frame(rings)
    flag[leaves] |= RingFlag.EDGE
    if leaves.any():
        flag[_part_beyond(rings, leaves) > _UNSEEN_LIGHT] |= (
            RingFlag.GROWTH_EXTRAPOLATED)
    flag[~(rings.n_valid > 0) | ~np.isfinite(rings.intensity)] |= (
        RingFlag.EXTRAPOLATED)
    core = 1.0
    if cutout.psf_fwhm:
        core = 0.5 * cutout.psf_fwhm / cutout.radius_scale
    flag[sma < core] |= RingFlag.UNRESOLVED
    full = find_full(cutout, rings.centre, rings.sky, rings.noise)
    if full is None:
        full = find_flat_top(cutout.data, cutout.mask, rings)
    if full is None:
        full = find_quiet_top(cutout.data, cutout.mask, rings)
    if full is None:
        full = find_cut_top(cutout.data, cutout.mask, rings)
    if full is not None:
        hit = measure_rings(full.astype(float), np.ones(full.shape, bool),
                            rings.centre, sma, rings.eps, rings.theta,
                            sigma=1.0, clip=np.inf)
        flag[np.nan_to_num(hit.mean) > _FULL] |= RingFlag.SATURATED
    return flag


def _leaves_frame(rings):
    """
    Tell which ellipses reach beyond the frame.
    """
    ny, nx = rings.cutout.shape
    x, y = rings.centre
    cos, sin, q = np.cos(rings.theta), np.sin(rings.theta), 1 - rings.eps
    # half the size of the box around each ellipse
    room_x = min(x, nx - 1 - x) + 0.5 - rings.sma * np.hypot(cos, q * sin)
    room_y = min(y, ny - 1 - y) + 0.5 - rings.sma * np.hypot(sin, q * cos)
    return (np.minimum(room_x, room_y) < 0) & (rings.sma > rings.edge())


def _part_beyond(rings, leaves):
    """
    Calculate the part of the light within each ring that no pixel shows.
    """
    flux = curve_of_growth(rings.sma, rings.intensity, rings.eps)
    unseen = np.where(leaves, 1 - np.nan_to_num(rings.n_valid), 0.0)
    # (a ring below the sky is an error of the light, too)
    step = np.abs(np.nan_to_num(np.diff(flux, prepend=0.0)))
    beyond = np.cumsum(step * 0.5 * (unseen + np.append(0.0, unseen[:-1])))
    # (where there is no light it counts in units of the most there is)
    most = np.maximum.accumulate(np.nan_to_num(np.abs(flux)))
    return np.divide(beyond, most, out=np.zeros(len(most)), where=most > 0)


def flag_galaxy(rings, evidence):
    """
    Decide the flags of a galaxy, which mean the same for every fitter.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings, with their final flags.

    evidence : `Evidence`
        Facts about the fit.

    Returns
    -------
    flag : `~astro_pix2prof.GalaxyFlag`
        The bits of ``rings.galaxy_flag``, and those that follow from the
        rings, the image and the evidence.
    """
    cutout, flag = rings.cutout, GalaxyFlag(int(rings.galaxy_flag))
    edge, snr = rings.edge(), rings.photon_snr
    shift = np.hypot(rings.centre[0] - cutout.position[0],
                     rings.centre[1] - cutout.position[1])
    if not evidence.forced and shift > 0.6 * evidence.search:
        flag |= GalaxyFlag.CENTRE_OFFSET
    rough = evidence.shift > _SHIFT or (
        evidence.centre_error is not None and is_centre_rough(
            rings, evidence.centre_error, evidence.tilt))
    # (a network goes as far as it sees a galaxy)
    if not evidence.centre_is_clear or rough or (
            evidence.bounded and not evidence.forced
            and shift > _HELD * evidence.search):
        flag |= GalaxyFlag.CENTRE_UNCERTAIN
    # What is left of a sky is significant in large rings, too; and in noise
    # a network sees a galaxy, but says how unsure it is.
    above = rings.intensity > _FAINTEST * rings.noise
    sure = np.fmin(snr, rings.snr)
    image = cutout.data - rings.sky - evidence.tilt
    # (the noise of a fitter may be that of a model without any, or that of
    # pixels that smoothing has made calm)
    seen = max(rings.noise, cutout.background_noise)
    is_point = _is_point(rings, image, seen)
    # (a network is unsure of the profile of a star, and not of its peak)
    if is_point and _is_seen(rings):
        sure = snr
    if not evidence.found or _are_equal(cutout) or not (
            np.nanmax(sure[above], initial=0.0) > _SIGNIFICANT
            or light_snr(image, cutout.mask, rings, noise=seen) > _TOGETHER):
        flag |= GalaxyFlag.NO_SOURCE
    if (rings.flag[rings.sma < _CORE] & RingFlag.SATURATED).any():
        flag |= GalaxyFlag.SATURATED
    beyond = rings.sma[-1] > edge
    if not flag & GalaxyFlag.NO_SOURCE and (
            evidence.truncated or (beyond and snr[-1] > 3)) and not (
                # (a sky may have taken what seems to be missing beyond)
                beyond and not flag & GalaxyFlag.SKY_UNCERTAIN
                and light_beyond_edge(rings) < _LITTLE):
        flag |= GalaxyFlag.TRUNCATED
    bright = (snr > 3) & (rings.sma < edge)
    if _misses_one_pixel(rings):
        bright &= rings.sma >= _RINGS
    if np.nanmin(rings.n_valid[bright], initial=1.0) < 0.5:
        flag |= GalaxyFlag.HEAVILY_MASKED
    flag |= _missing_pixels(rings, snr, evidence)
    touched = (evidence.neighbour > _EXCESS
               or evidence.masked_pixels > _HIDDEN
               or evidence.masked_light > _OUTSHONE)
    if touched or (
            not flag & GalaxyFlag.NO_SOURCE and (is_blended(
                image, cutout.mask, rings.centre, rings.noise)
                or has_close_source(image, cutout.mask, rings.centre,
                                    noise=seen, gain=cutout.gain)
                or has_arc(image, cutout.mask, rings, noise=seen)
                or has_copy(image, cutout.mask, rings, noise=seen,
                            gain=cutout.gain)
                or (evidence.neighbour > _SOME and is_crowded(
                    image, cutout.mask, rings, noise=seen)))):
        flag |= GalaxyFlag.NEIGHBOUR
    if not flag & (GalaxyFlag.NO_SOURCE | GalaxyFlag.SKY_UNCERTAIN) and (
            has_bowl(image, cutout.mask, rings)
            or has_dark_area(image, cutout.mask, rings, noise=seen)
            or has_moat(image, cutout.mask, rings)):
        flag |= GalaxyFlag.SKY_UNCERTAIN
    noise = seen if cutout.noise is None else cutout.noise
    if noise_is_wrong(cutout.data, cutout.mask, noise) or is_enlarged(
            cutout.data, cutout.mask):
        flag |= GalaxyFlag.WRONG_NOISE
    # (another galaxy may be as even)
    if not flag & (GalaxyFlag.NO_SOURCE | GalaxyFlag.SKY_UNCERTAIN
                   | GalaxyFlag.NEIGHBOUR) and (
            has_scattered_light(image, cutout.mask, rings, noise=seen)
            or has_reflection(image, cutout.mask, rings, noise=seen)):
        flag |= GalaxyFlag.SKY_UNCERTAIN
    if not flag & (GalaxyFlag.NO_SOURCE | GalaxyFlag.WRONG_NOISE) and (
            has_uneven_line(image, cutout.mask, rings, noise=seen,
                            gain=cutout.gain)
            or has_hole(image, cutout.mask, rings, noise=seen)):
        flag |= GalaxyFlag.WRONG_NOISE
    if not flag & GalaxyFlag.NO_SOURCE and _is_read_twice(rings):
        flag |= GalaxyFlag.WRONG_NOISE
    if is_point and not has_host(rings):
        flag |= GalaxyFlag.POINT_SOURCE
    if _is_rough(rings, evidence):
        flag |= GalaxyFlag.GEOMETRY_UNCERTAIN
    # (full wells have no noise; what was compressed has little)
    if evidence.distance > 1 or _disagrees(rings, snr, evidence.mean) or (
            (not flag & GalaxyFlag.SATURATED or find_quiet_top(
                cutout.data, cutout.mask, rings) is not None)
            and is_stretched(cutout.data, cutout.mask, rings.centre,
                             noise=cutout.noise)):
        flag |= GalaxyFlag.OUT_OF_DOMAIN
    strips = sky_strips(image, cutout.mask, seen)
    if is_median_filtered(cutout.data, cutout.mask, seen, strips=strips):
        flag |= GalaxyFlag.OUT_OF_DOMAIN
    if strips is not None:
        part = image, cutout.mask, rings.centre, seen
        # (single photons, which sharpening spreads, repel nothing)
        if find_photon(cutout.data, cutout.mask) is None and is_sharpened(
                *part, strips=strips):
            flag |= GalaxyFlag.OUT_OF_DOMAIN
        if has_border(*part, gain=cutout.gain, strips=strips):
            flag |= GalaxyFlag.WRONG_NOISE
    return flag


def _is_point(rings, image, noise):
    """
    Tell whether a profile is that of the point-spread function of the image.

    Without a known width, sources that are much narrower show that it is
    not: flat galaxies in coarse pixels have the profile of a wide star.
    """
    cutout = rings.cutout
    shape = rings.sma, rings.intensity, rings.eps, rings.noise
    fwhm = cutout.psf_fwhm and cutout.psf_fwhm / cutout.radius_scale
    if not is_point_source(*shape, fwhm=fwhm):
        return False
    # (saturated stars are wider than others)
    if fwhm or (rings.flag & RingFlag.SATURATED).any():
        return True
    width = star_width(image, ~cutout.mask, noise, rings.centre,
                       least=_NARROWEST)
    return width is None or is_point_source(
        *shape, fwhm=float(np.hypot(width, _PIXEL)))


def _are_equal(cutout):
    """
    Tell whether all pixels are equal: in these, a network may see anything.
    """
    # (two that differ are enough, and soon found)
    for rows in (slice(0, None, _APART), slice(None)):
        known = cutout.data[rows][~cutout.mask[rows]]
        if known.size and known.min() != known.max():
            return False
    return True


def _is_seen(rings):
    """
    Tell whether the pixels around the centre are brighter than noise.
    """
    x, y = (max(round(c), 0) for c in rings.centre)
    part = np.s_[max(y - 1, 0):y + 2, max(x - 1, 0):x + 2]
    good = ~rings.cutout.mask[part]
    light = (rings.cutout.data[part] - rings.sky)[good].sum()
    return light > _BRIGHT * rings.noise * np.sqrt(np.count_nonzero(good))


def _is_read_twice(rings):
    """
    Tell whether a row or column through the galaxy was read twice.
    """
    last = rings.last_seen(_SEEN)
    return last is not None and any(
        abs(line - rings.cutout.origin[1 - axis] - rings.centre[1 - axis])
        < rings.sma[last] for axis, line in rings.cutout.double_reads)


def _is_rough(rings, evidence):
    """
    Tell whether errors of the ellipses change the profile much.
    """
    eps_err = rings.eps_err if evidence.eps_err is None else evidence.eps_err
    if eps_err is None or rings.galaxy_flag & GalaxyFlag.FORCED:
        return False
    change = shape_effect(rings, eps_err)
    use = (rings.snr > _SHAPED) & np.isfinite(change)
    outer = use & (rings.sma > _CORE)
    if np.count_nonzero(outer) >= _FEW:
        use = outer
    return use.any() and bool(median(change[use]) > evidence.rough)


def shape_effect(rings, eps_err):
    """
    Calculate how much errors of the ellipticity change the profile.

    An ellipse of another axis ratio and the same semi-major axis lies where
    the galaxy is brighter or fainter, by half of the relative error of the
    axis ratio in the logarithm of the radius.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings.

    eps_err : 1D `~numpy.ndarray`, shape (n,)
        Errors of the ellipticity.

    Returns
    -------
    change : 1D `~numpy.ndarray`, shape (n,)
        In mag; not-a-number where the slope of the profile is not known.
    """
    slope = np.full(len(rings), np.nan)
    known = (rings.intensity > 0) & (rings.sma > 0)
    if np.count_nonzero(known) > 1:
        slope[known] = POGSON * np.gradient(
            np.log(rings.intensity[known]), np.log(rings.sma[known]))
    return 0.5 * eps_err / (1 - rings.eps) * np.abs(slope)


def _missing_pixels(rings, snr, evidence):
    """
    Flag galaxies that miss their nucleus or a side.
    """
    flag = GalaxyFlag(0)
    nucleus = rings.n_valid[rings.sma < _NUCLEUS]
    if not (evidence.forced or evidence.held) and (
            (np.min(nucleus, initial=1.0) < 0.5 and np.median(nucleus) < 0.5)
            or _missing_around(rings) > _MISSING):
        flag |= GalaxyFlag.CENTRE_UNCERTAIN
    cut = (rings.sma > rings.edge()) & (rings.n_valid < 0.9) & (
        snr > _CLEAR) & (rings.intensity > rings.noise)
    if cut.any():
        flag |= GalaxyFlag.TRUNCATED
    return flag


def _misses_one_pixel(rings):
    """
    Tell whether one pixel, and no more, is missing in the centre.
    """
    y, x = np.nonzero(rings.cutout.mask)
    away = np.hypot(x - rings.centre[0], y - rings.centre[1])
    return np.count_nonzero(away < _WITHIN) == 1


def _missing_around(rings):
    """
    Calculate the part of the pixels around the centre that may hide a peak.

    They are missing, as are most of those beside them: the peak of a galaxy
    is wider than a pixel.
    """
    mask = rings.cutout.mask
    x, y = (round(c) for c in rings.centre)
    ny, nx = mask.shape
    reach = _AROUND + 1
    if min(x, y, nx - 1 - x, ny - 1 - y) >= reach and not (
            mask[y - reach:y + reach + 1, x - reach:x + reach + 1].any()):
        return 0.0
    offsets = np.arange(-reach, reach + 1)
    at_y, at_x = y + offsets, x + offsets
    missing = mask[np.ix_(np.clip(at_y, 0, ny - 1), np.clip(at_x, 0, nx - 1))]
    missing[(at_y < 0) | (at_y >= ny)] = True
    missing[:, (at_x < 0) | (at_x >= nx)] = True
    inside = np.hypot(offsets[1:-1, None], offsets[1:-1]) <= _AROUND
    lost = missing[1:-1, 1:-1] & inside
    if np.count_nonzero(lost) <= _MISSING * np.count_nonzero(inside):
        return 0.0
    lines = missing[:-2].astype(int) + missing[1:-1] + missing[2:]
    lost &= lines[:, :-2] + lines[:, 1:-1] + lines[:, 2:] >= _BESIDE
    return np.count_nonzero(lost) / np.count_nonzero(inside)


def _disagrees(rings, snr, mean):
    """
    Tell whether a network's profile is far from the means of the pixels.
    """
    if mean is None:
        return False
    # (the centre of an edge-on galaxy has no ring of a fixed ellipse)
    compare = (snr > 8) & (rings.sma > 3) & (rings.n_valid > 0.5) & (mean > 0)
    ratio = -2.5 * np.log10(rings.intensity[compare] / mean[compare])
    return len(ratio) >= 3 and abs(np.median(ratio)) > _DISAGREEMENT
