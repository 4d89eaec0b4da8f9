# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure an image along the ellipses of an isophote fit.
"""

from dataclasses import replace

import numpy as np

from astro_pix2prof.detection.galaxy import FINE
from astro_pix2prof.ellipses.annuli import (
    RingMeans,
    combine_rings,
    sample_rings,
)
from astro_pix2prof.ellipses.area import area_excess
from astro_pix2prof.fitting.blends import core_asymmetry
from astro_pix2prof.fitting.flags import Evidence, flag_galaxy, flag_rings
from astro_pix2prof.fitting.radii import (
    RADII_META,
    enclosed_magnitudes,
    geometric_radii,
)
from astro_pix2prof.fitting.saturation import add_missing_light
from astro_pix2prof.isophote.companions import has_companion
from astro_pix2prof.isophote.errors import ellipse_error, ring_error
from astro_pix2prof.isophote.flags import flag_shapes, overlap
from astro_pix2prof.isophote.trails import has_trail
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.rings import MeasuredRings

__all__ = ['STEP', 'measure_steps']


# Rings that begin within this radius (pixels) show the galaxy itself.
_INNER = 4.0

# A core of more asymmetry than this is two objects, or has no centre. Of
# galaxies that have no other flag, one in a hundred has half as much.
_LOPSIDED_CORE = 0.05

# Relative step between semi-major axes if none was asked for, and the half
# width of a ring in units of the step.
STEP, WIDTH = 0.06, 1.2


def measure_steps(steps):
    """
    Measure the image along the final ellipses: steps 5 to 7.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit, with sky, mask and ellipses. Its ``mask`` is set.

    Returns
    -------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
    """
    rings = _measure(steps)
    if not steps.is_fixed() and steps.settings.smooth:
        rings.eps_err = ellipse_error(steps, rings.sma)
        rings.theta_err = _angle_error(rings.eps_err, rings.eps)
    return rings


def _measure(steps):
    """
    Measure the rings, with the errors of the ellipses as fitted.
    """
    asked, given = steps.asked, steps.given
    steps.mask = np.array(steps.cutout.mask, dtype=bool)
    steps.mask[steps.window] |= steps.masked
    chooses = asked.radii is not None or asked.is_linear
    step = STEP
    if asked.step is not None and not asked.is_linear:
        step = float(asked.step)
    own_radii = given is not None and given.has_radii and not chooses
    want = geometric_radii(steps.max_sma or steps.reach(), step)
    if own_radii:
        radii = given.sma
        if steps.max_sma is not None:
            radii = radii[radii <= steps.max_sma]
        if radii[0] < _INNER and len(radii) > 1:
            want = radii
    # Half a pixel is finer than what a star is smeared over.
    width = _width(want, step)
    measured = _measure_rings(steps, want, width)
    if not own_radii or want is not radii:
        measured = _rows(measured, slice(_last_ring(steps, measured)))
    measured.flag = flag_rings(measured, fixed=steps.is_fixed())
    add_missing_light(measured, measured)
    measured.galaxy_flag = flag_galaxy(measured, _evidence(steps, measured))
    cutout = steps.cutout
    # (faint ones are not masked)
    if not measured.galaxy_flag & GalaxyFlag.NO_SOURCE and has_trail(
            cutout.data - measured.sky - steps.tilt, cutout.mask, measured,
            noise=max(measured.noise, cutout.background_noise)):
        measured.galaxy_flag |= GalaxyFlag.NEIGHBOUR
    # (what the fit has masked is not in it)
    image = cutout.data - measured.sky - steps.tilt
    if core_asymmetry(image, steps.mask, measured.centre, measured.noise,
                      gain=cutout.gain) > _LOPSIDED_CORE:
        measured.galaxy_flag |= GalaxyFlag.CENTRE_UNCERTAIN
    if not measured.galaxy_flag & (
            GalaxyFlag.NO_SOURCE | GalaxyFlag.NEIGHBOUR) and has_companion(
                image, steps.mask, measured, noise=max(
                    measured.noise, cutout.background_noise),
                gain=cutout.gain):
        measured.galaxy_flag |= GalaxyFlag.NEIGHBOUR
    if own_radii and want is not radii:
        # (outskirts alone do not tell whether there is a galaxy, nor does
        # a single ring tell its slope)
        part = (_measure_rings(steps, radii, _width(radii, step))
                if len(radii) > 1 else
                _measure_asked(steps, radii, want, width))
        part.flag = flag_rings(part, fixed=steps.is_fixed())
        add_missing_light(part, measured)
        part.galaxy_flag = measured.galaxy_flag
        return part
    if not chooses:
        return measured
    part = _measure_asked(steps, asked.wanted(steps.cutout, measured.sma),
                          want, width)
    part.flag = flag_rings(part, fixed=steps.is_fixed())
    add_missing_light(part, measured)
    part.galaxy_flag = measured.galaxy_flag
    part.mag_enclosed = enclosed_magnitudes(measured, part)
    part.meta.update(RADII_META)
    return part


def _width(want, step):
    """
    Choose the half widths (pixels) of the fitter's own rings.
    """
    return np.where(want < 4, 0.5, np.maximum(1.0, WIDTH * step * want))


def _carry_on(steps, largest):
    """
    Measure thin rings beyond those of the fit, on its outermost ellipse.

    An elongated one is in the frame on its minor axis when its major axis
    has left it.
    """
    q = 1 - steps.eps[-1]
    more = np.arange(steps.thin[-1] + 1, min(
        largest, steps.reach() / max(q, 0.05)) + 1)
    if not len(more):
        return
    eps, theta, shape_error = (
        np.full(len(more), values[-1]) for values in (
            steps.eps, steps.theta, steps.shape_error))
    outer = steps.thin_rings(more, eps, theta)
    steps.rings = RingMeans(*(
        np.concatenate([getattr(part, name) for part in (steps.rings, outer)])
        for name in ('mean', 'scatter', 'n_pixels', 'n_valid')))
    steps.thin = np.append(steps.thin, more)
    steps.eps = np.append(steps.eps, eps)
    steps.theta = np.append(steps.theta, theta)
    steps.shape_error = np.append(steps.shape_error, shape_error)
    if not steps.is_fixed():
        steps.inside = np.append(steps.inside, np.zeros(len(more), bool))


def _measure_asked(steps, asked, want, width):
    """
    Measure rings at radii that were asked for, among those of the fitter.

    The slope of the profile, which few rings do not show, is that of all.
    """
    _carry_on(steps, asked[-1])
    apart = np.abs(want[:, None] - asked).min(1) > np.maximum(
        0.5, 0.5 * STEP * want)
    sma = np.concatenate([want[apart], asked])
    widths = np.concatenate([width[apart], _asked_width(asked)])
    order = np.argsort(sma)
    rings = _measure_rings(steps, sma[order], widths[order])
    return _rows(rings, np.nonzero(order >= np.count_nonzero(apart))[0])


def _asked_width(want):
    """
    Choose the half widths (pixels) of rings at radii that were asked for.

    They are as wide as usual, unless the next ring is nearer.
    """
    width = np.maximum(1.0, WIDTH * STEP * want)
    if len(want) > 1:
        gap = np.diff(want)
        near = np.minimum(np.append(gap, np.inf), np.insert(gap, 0, np.inf))
        width = np.clip(WIDTH * near, 1.0, width)
    return np.where(want < 4, 0.5, width)


def _measure_rings(steps, want, width):
    """
    Measure rings at some radii (pixels), without the flags that all have.
    """
    rings = combine_rings(steps.thin, steps.rings, want, width)
    intensity = rings.mean - (steps.sky - steps.level)
    error = ring_error(steps, want, width, rings, intensity)
    given = steps.given
    if given is None:
        eps = np.interp(want, steps.thin, steps.eps)
        # Angles along the shorter arc.
        theta = 0.5 * np.interp(want, steps.thin, np.unwrap(2 * steps.theta))
    elif want is given.sma:
        eps, theta = given.eps, given.theta
    else:
        eps, theta = given.at(want)
    shape_error = np.interp(want, steps.thin, steps.shape_error)
    none = ~np.isfinite(intensity)
    error[none] = np.nan
    # Back to the unit and the pixels of the image.
    unit = steps.unit
    measured = MeasuredRings(
        cutout=steps.cutout, sma=want, intensity=intensity * unit,
        intensity_err=error * unit, eps=eps, theta=theta,
        n_valid=rings.n_valid, flag=flag_shapes(steps, want),
        # (how much of the galaxy is missing is told later)
        galaxy_flag=steps.flag & ~GalaxyFlag.TRUNCATED,
        centre=tuple(c + first for c, first in zip(
            steps.centre, steps.corner, strict=True)),
        sky=steps.sky * unit, sky_err=steps.sky_err * unit,
        noise=steps.sigma * unit, noise_correlation=steps.correlation,
        eps_err=shape_error, theta_err=_angle_error(shape_error, eps))
    if given is not None and not given.is_fitted:
        measured.area_excess = unit * area_excess(sample_rings(
            steps.image, ~steps.masked, steps.centre, want, eps, theta),
            len(want), sigma=steps.sigma)
    if steps.initial is not None:
        measured.meta['initial'] = steps.initial.name
    return measured


def _angle_error(error, eps):
    """
    Calculate the error (radians) of the angle of an ellipse.
    """
    return np.minimum(error / (2 * np.maximum(eps, 1e-3)), np.pi / 2)


def _rows(rings, rows):
    """
    Keep some of the rings: a slice, or their numbers.
    """
    return replace(rings, **{
        name: getattr(rings, name)[rows]
        for name in ('sma', 'intensity', 'intensity_err', 'eps', 'theta',
                     'n_valid', 'flag', 'eps_err', 'theta_err', 'area_excess')
        if getattr(rings, name) is not None})


def _evidence(steps, measured):
    """
    Collect the facts about the fit that its rings do not tell.
    """
    found = steps.found
    inner = np.nanmax(measured.intensity, initial=0.0)
    # (a centre that is given needs no peak)
    is_clear = steps.is_held() or (
        found.scale == FINE and inner >= 2 * measured.noise)
    pixels, light = overlap(steps)
    stated = None
    if not steps.is_fixed() and steps.settings.smooth:
        stated = ellipse_error(steps, measured.sma)
    return Evidence(
        search=steps.search, forced=steps.is_held(),
        truncated=bool(steps.flag & GalaxyFlag.TRUNCATED),
        held=not steps.settings.fit_centre, bounded=steps.followed is None,
        found=found.found, centre_is_clear=is_clear,
        masked_pixels=pixels, masked_light=light,
        eps_err=stated)


def _last_ring(steps, measured):
    """
    Count the rings to keep: until the signal or the frame ends.
    """
    snr = measured.snr
    present = np.isfinite(snr) & (measured.n_valid > 0.05)
    if not present.any():
        return min(4, len(snr))
    end = np.nonzero(present)[0][-1] + 1
    if steps.max_sma is not None:
        return end
    # Three faint rings in a row end the profile; one or two do not. (The
    # first rings have so few pixels that they may be lost in the noise.)
    faint = np.where(present, snr < steps.settings.min_snr, False)
    inner = measured.sma <= _INNER
    faint[:np.argmax(np.where(present & inner, snr, -np.inf))] = False
    run = np.convolve(faint, np.ones(3), 'valid') == 3
    if run.any():
        end = min(end, int(np.argmax(run)) + 1)
    return max(end, 4)
