# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measurement of structural parameters of a galaxy from its profile.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_number, check_positive, check_seed
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.profile.brightness import (
    SB_UNIT,
    curve_of_growth,
    light_within,
)
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.covariance import ring_covariance
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag, StructureFlag
from astro_pix2prof.profile.identity import magnitude_systems
from astro_pix2prof.profile.meta import profile_meta
from astro_pix2prof.profile.samples import (
    check_n_samples,
)
from astro_pix2prof.structure.columns import (
    join_structures,
    level_name,
    part_name,
    structure_table,
)
from astro_pix2prof.structure.fitted import (
    magnitude_of,
    put_fits,
    put_smeared,
)
from astro_pix2prof.structure.growth import (
    LARGE_PART,
    N_RINGS,
    REFINE,
    area_ratio,
    draw_intensities,
    falling_radius,
    hold_enclosed,
    part_radii,
    refine_rings,
    total_light,
    warn_of_correlation,
)
from astro_pix2prof.structure.inner_light import (
    begins_outside,
    light_inside,
    saturated_core,
)
from astro_pix2prof.structure.limits import surface_brightness_limit
from astro_pix2prof.structure.petrosian import put_petrosian
from astro_pix2prof.structure.shape_errors import add_shape_errors
from astro_pix2prof.structure.smeared import check_for_psf, read_rings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import QTable

    from astro_pix2prof.typing import PSFLike

__all__ = ['measure_structure']


LEVELS = (23.5, 24.0, 24.5, 25.0, 25.5, 26.0, 26.5)

# Petrosian (1976) ratio and aperture of the SDSS (Blanton et al. 2001).
PETROSIAN_RATIO, PETROSIAN_APERTURE = 0.2, 2.0

# Parts of the light (per cent) whose radii are always measured.
PARTS = 20, 50, 80, 90

# The side (arcsec) of the boxes of the surface-brightness limit.
LIMIT_BOX = 10.0


# Radii of levels that are fainter than so many errors of the rings, inverted,
# have errors of no less than two rings; the logarithm of radius over which its
# slope is measured; the least slope.
_FAINT, _NEAR, _FLAT = 1 / 3, 0.35, 0.5


# The part of the light beyond the last ring that is an error of it, where the
# growth curve levels off: noisy versions of one straight line do not tell that
# the curve bends (set on 60 Sersic discs of index 0.5 to 1.5, seed 77123).
_GOES_ON = 0.25

# Largest gap between rings over which a profile may be interpolated: as a part
# of the outermost radius, or of the radius.
_SPARSE = 0.05, 0.35


def _level_radius(radius, samples, error, level):
    """
    Find the radius of a surface brightness, and the least error of it.

    A level below the error of the rings is not reached: where a ring falls
    below it is chance. Just above, two rings decide.
    """
    reach = falling_radius(radius, samples, level)
    if not reach[0] > 0:
        return reach, 0.0
    noise = np.interp(reach[0], radius, error) / level
    if noise > 1:
        return reach * np.nan, 0.0
    near = (np.abs(np.log(np.maximum(radius, 1e-3 * radius[-1]) / reach[0]))
            < _NEAR) & (samples[0] > 0)
    if noise < _FAINT or np.count_nonzero(near) < 3:
        return reach, 0.0
    slope = -np.polyfit(np.log(radius[near]), np.log(samples[0, near]), 1)[0]
    return reach, reach[0] * noise / max(slope, _FLAT) / 2**0.5


def _put_parts(put, profile, ok, flux, total, growth, few):
    """
    Measure the parts of the light that no pixel shows; return flags.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        beyond = 1 - flux / total
    if few or not np.isfinite(total[1:]).any():
        beyond = np.full(len(total), np.nan)
    put('extrapolated_fraction', beyond)
    hidden = np.full(len(total), np.nan)
    if not few and 'n_valid' in profile.colnames:
        missing = 1 - np.clip(np.nan_to_num(
            np.asarray(profile['n_valid'], dtype=float)[ok], nan=1.0), 0, 1)
        rings = np.diff(growth[:, ::REFINE], axis=1)
        with np.errstate(invalid='ignore', divide='ignore'):
            hidden = (growth[:, 0] * missing[0] + rings @ (
                0.5 * (missing[1:] + missing[:-1]))) / total
    put('interpolated_fraction', hidden)
    return (StructureFlag.EXTRAPOLATED if beyond[0] > LARGE_PART
            else StructureFlag(0))


def _checked_levels(levels):
    """
    Check surface brightnesses (mag/arcsec2), one for each column.
    """
    try:
        levels = np.atleast_1d(np.asarray(
            u.Quantity(levels, SB_UNIT).value, dtype=float))
        good = levels.ndim == 1 and bool(np.all(np.isfinite(levels)))
    except (TypeError, ValueError):
        good = False
    if not good:
        msg = f'levels must be finite surface brightnesses, got {levels!r}'
        raise ValueError(msg)
    if len({level_name(level) for level in levels}) < len(levels):
        msg = ('levels must differ by a hundredth of a magnitude, got '
               f'{levels.tolist()}')
        raise ValueError(msg)
    return levels.tolist()


def _checked_fractions(fractions):
    """
    Check parts of the light in per cent; those of all tables are left out.
    """
    try:
        parts = np.atleast_1d(np.asarray(fractions, dtype=float))
        good = parts.ndim == 1 and bool(np.all((parts >= 1) & (parts < 100)))
    except (TypeError, ValueError):
        good = False
    if not good or len(set(parts.tolist())) < len(parts):
        msg = ('fractions must be different numbers of per cent, from 1 to '
               f'below 100, such as 75, got {fractions!r}')
        raise ValueError(msg)
    return [part for part in parts.tolist() if part not in PARTS]


def measure_structure(profile: QTable | ProfileBatch, *,
                      levels: Sequence[float] = LEVELS, n_samples: int = 200,
                      seed: int | None = 0, fits: bool = True,
                      psf: PSFLike | None = None,
                      petrosian_ratio: float = PETROSIAN_RATIO,
                      petrosian_aperture: float = PETROSIAN_APERTURE,
                      fractions: Sequence[float] = ()) -> QTable:
    """
    Measure structural parameters of a galaxy, with errors.

    Radii are semi-major axes; fluxes are those within the profile's
    ellipses. Errors of quantities that are read off the profile come from
    noisy versions of it, in which errors are correlated along radius (see
    `sample_profile`); errors of fitted parameters from the covariance of
    the fit.

    Parameters
    ----------
    profile : `~astropy.table.QTable` or `~astro_pix2prof.ProfileBatch`
        A profile. If it has a column ``surface_brightness_samples``, these
        are its noisy versions. Or a batch of profiles.

    levels : sequence of float, optional
        Surface brightnesses (mag/arcsec2) of isophotal radii.

    n_samples : int, optional
        The number of noisy versions, where the profile brings none.

    seed : int or `None`, optional
        The seed of their noise; `None` is another each time.

    fits : bool, optional
        Whether to fit models (0.1 to 0.5 s).

    psf : `~astro_pix2prof.PSF` or what it takes, optional
        The point-spread function of the image: models are fitted as they
        are seen behind it (1 to 2 s), a core-Sersic law among them, and
        their parameters are those of the galaxy without it. What is read
        off the profile is not changed, nor is the fit of a broken disc; see
        `correct_psf`.

    petrosian_ratio : float, optional
        The local mean over the mean within the Petrosian radius, 0.2 in
        the SDSS.

    petrosian_aperture : float, optional
        The aperture of the Petrosian magnitude in units of this radius.

    fractions : sequence of float, optional
        Further parts of the total light, in per cent, whose radii are
        added, beside 20, 50, 80 and 90.

    Returns
    -------
    structure : `~astropy.table.QTable`
        One row, or one for each profile of a batch (in which radii have
        no unit if their units differ); a quantity ``x`` has its error
        ``x_err``, but for reduced chi squared, the type of the disc and
        the surface-brightness limit.
        What the profile does not reach is NaN, and ``flag`` says so
        (`StructureFlag`). ``meta['MAGSYS']`` is the system of the
        magnitudes.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If a column of the profile has a wrong unit, its radii do not
        increase, ``n_samples`` is less than 2, the levels are not finite
        or not different, the ``psf`` cannot be used, comes without fits, or
        was taken out of the profile before or the profile is a cut, the
        Petrosian ratio is not between 0 and 0.9, its aperture is not
        positive, or ``fractions`` are not from 1 to below 100.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the profile comes from a network and its meta lacks the
        correlation of the rings, or the meta is lost: errors of totals
        and radii are too small then. Or if the galaxies of a batch have
        magnitudes of different systems.

    References
    ----------
    Total magnitude: Cairos et al. 2001, ApJS 133, 321. Petrosian
    quantities: Blanton et al. 2001, AJ 121, 2358. C28: Kent 1985, ApJS
    59, 115. Breaks: Pohlen & Trujillo 2006, A&A 454, 759; Erwin et al.
    2008, AJ 135, 20.
    """
    psf, seed = _checked_psf(psf, fits), check_seed(seed)
    if isinstance(profile, ProfileBatch):
        table = join_structures([measure_structure(
            one, levels=levels, n_samples=n_samples, seed=seed, fits=fits,
            psf=psf, petrosian_ratio=petrosian_ratio, fractions=fractions,
            petrosian_aperture=petrosian_aperture)
            for one in profile], profile.radius_unit)
        if ' ' in table.meta.get('MAGSYS', ''):
            warnings.warn(
                'profile is a batch of galaxies with magnitudes of '
                f'{table.meta["MAGSYS"].replace(" ", " and ")}: those of '
                'the table are in the system of each galaxy '
                "(profile.galaxies['mag_system'])", AstropyUserWarning,
                stacklevel=2)
        return table
    profile = check_profile(profile, ordered=True)
    if psf is not None:
        check_for_psf(profile)
    _warn_of_gaps(profile)
    n_samples = check_n_samples(n_samples, least=2)
    levels = _checked_levels(levels)
    fractions = _checked_fractions(fractions)
    petrosian = (
        check_number(petrosian_ratio, 'petrosian_ratio', above=0, most=0.9),
        check_positive(petrosian_aperture, 'petrosian_aperture'))
    zero = profile.meta.get('sb_zeropoint', np.nan)
    flag = StructureFlag(0)
    if not np.isfinite(zero):
        flag |= StructureFlag.UNCALIBRATED
    intensity = profile['intensity'].value
    error = np.nan_to_num(profile['intensity_err'].value, posinf=0.0,
                          neginf=0.0)
    with_errors = bool(np.any(error > 0))
    if with_errors:
        warn_of_correlation(profile)
    with np.errstate(invalid='ignore', divide='ignore'):
        reliable = np.isfinite(intensity) & (intensity > error)
    # A ring without a usable pixel is no measurement of light.
    reliable &= (np.asarray(profile['flag']) & RingFlag.EXTRAPOLATED) == 0
    galaxy_flag = profile_meta(profile).get('flag', 0)
    if galaxy_flag & GalaxyFlag.NO_SOURCE:
        flag |= StructureFlag.NO_SOURCE
        reliable[:] = False
    ok = np.isfinite(intensity)
    if reliable.any():
        ok &= np.arange(len(ok)) <= np.nonzero(reliable)[0][-1]
        # (what saturated pixels would have been is told by the rings around)
        core, is_large = saturated_core(profile)
        seen = ok & ~core
        if is_large or (core.any() and seen.sum() < N_RINGS):
            flag |= StructureFlag.CENTRE_MISSING
        else:
            ok = seen
    result = {}

    def put(name, samples, least=0.0):
        finite = samples[1:][np.isfinite(samples[1:])]
        spread = np.nan
        # Robust: a sample that runs away does not count for more.
        if (with_errors and np.isfinite(samples[0])
                and len(finite) > 0.5 * (len(samples) - 1)):
            low, high = np.quantile(finite, [0.16, 0.84])
            spread = max(0.5 * (high - low), least)
        result[name] = (samples[0], spread)

    few = not reliable.any() or ok.sum() < N_RINGS
    if few:
        flag |= StructureFlag.TOO_FEW_RINGS
        none = np.full(n_samples + 1, np.nan)
        radius, eps = np.array([0.0, 1.0]), np.zeros(2)
        samples = np.full((n_samples + 1, 2), np.nan)
        flux = total = none
        growth, at, hollow = samples, radius, False
    else:
        radius = profile['radius'].value[ok]
        eps = np.asarray(profile['ellipticity'], float)[ok]
        samples = draw_intensities(profile, intensity, ok, zero, n_samples,
                             np.random.default_rng(seed))
        at, fine, eps_fine = refine_rings(radius, samples, eps)
        if np.isfinite(fine).all() and np.isfinite(eps_fine).all():
            growth = light_within(at, fine, 1 - eps_fine)
        else:
            growth = np.array([curve_of_growth(at, row, eps_fine)
                               for row in fine])
        growth = growth * np.interp(at, radius, area_ratio(
            profile, ok, growth[0, ::REFINE]))
        growth = hold_enclosed(profile, ok, growth)
        hollow = begins_outside(profile, radius)
        if hollow:
            inside, is_stated = light_inside(
                profile, ok, samples, eps, growth[:, ::REFINE], seed)
            growth = growth + (inside - growth[:, 0])[:, None]
        flux = growth[:, -1]
        total, levelled = total_light(
            profile, ok, samples, (radius, growth), eps, galaxy_flag, seed)
        if not levelled:
            flag |= StructureFlag.NOT_ASYMPTOTIC
        if hollow and not is_stated and inside[0] > LARGE_PART * total[0]:
            flag |= StructureFlag.CENTRE_MISSING
    put('mag_total', magnitude_of(total, zero))
    put('mag_aperture', magnitude_of(flux, zero))
    flag |= _put_parts(put, profile, ok, flux, total, growth, few)
    if not flag & StructureFlag.NOT_ASYMPTOTIC:
        beyond, spread = result['extrapolated_fraction']
        result['extrapolated_fraction'] = beyond, np.hypot(
            spread, _GOES_ON * beyond)
    radii = {}
    for part in (*PARTS, *fractions):
        radii[part] = (total * np.nan if few else part_radii(
            at, growth, total, (radius, samples), 0.01 * part))
        put(part_name(part), radii[part])
    with np.errstate(invalid='ignore', divide='ignore'):
        put('c28', 5 * np.log10(radii[80] / radii[20]))
        put('c59', radii[90] / radii[50])
    for level in levels:
        reach, least = total * np.nan, 0.0
        if np.isfinite(zero) and not few:
            reach, least = _level_radius(radius, samples, error[ok],
                                         10**(-0.4 * (level - zero)))
        put(level_name(level), reach, least)
        if not np.isfinite(reach[0]):
            flag |= StructureFlag.LEVEL_NOT_REACHED
    put_petrosian(put, (radius, samples), (at, growth), total, eps, zero,
                  few, petrosian)
    if not few:
        add_shape_errors(result, profile, ok, [
            'r_petro', *(part_name(part) for part in (*PARTS, *fractions))])
    # Without a zero point there is a radius and no magnitude.
    needed = 'mag_petro' if np.isfinite(zero) else 'r_petro'
    if not np.isfinite(result[needed][0]):
        flag |= StructureFlag.PETROSIAN_NOT_REACHED
    centre = np.full(len(samples), np.nan) if hollow else samples[:, 0]
    put('mu_0', magnitude_of(centre, zero))
    # (an image of large pixels has no such boxes)
    scale = profile.meta.get('pixel_scale', np.nan)
    result['mu_limit'] = (surface_brightness_limit(profile).value
                          if scale <= LIMIT_BOX else np.nan, np.nan)
    # Half the flux in an ellipse of R50.
    q50 = 1 - np.interp(np.nan_to_num(radii[50]), radius, eps)
    with np.errstate(invalid='ignore', divide='ignore'):
        put('mu_mean_50', magnitude_of(
            0.5 * total / (np.pi * radii[50]**2 * q50), zero))
    _put_shape(result, profile, ok, radii, few)
    if fits:
        covariance = None if few else ring_covariance(profile, ok)
        put_models = partial(put_fits, covariance=covariance)
        if psf is not None:
            # (the rings out to the last that is reliable)
            rings = None if few else read_rings(profile, psf, ok,
                                                steady=True)
            put_models = partial(put_smeared, rings=rings,
                                 covariance=covariance)
        flag |= put_models(result, radius, samples[0],
                         np.ones(2) if few else error[ok], zero, few)
    table = structure_table(result, flag, length=profile['radius'].unit,
                            levels=levels, fits=fits, psf=psf is not None,
                            fractions=fractions)
    # (a name that FITS takes)
    for system in magnitude_systems([profile.meta]):
        table.meta['MAGSYS'] = system
    return table


def _checked_psf(psf, fits):
    if psf is None:
        return None
    if not fits:
        msg = ('psf needs the fits of models: leave out fits=False, or use '
               'correct_psf')
        raise ValueError(msg)
    from astro_pix2prof.psf.model import PSF

    return psf if isinstance(psf, PSF) else PSF(psf)


def _warn_of_gaps(profile):
    """
    Warn of profiles whose rings were chosen so that light lies between them.
    """
    radius = profile['radius'].value
    if profile.meta.get('radii') != 'given' or not len(radius):
        return
    near = _SPARSE[0] * radius[-1]
    if radius[0] > near or np.any(
            np.diff(radius) > np.maximum(near, _SPARSE[1] * radius[:-1])):
        warnings.warn(
            'profile has few radii, which were asked for: totals and radii of '
            'a part of the light are rough; measure the galaxy without '
            'radii= or step=', AstropyUserWarning, stacklevel=3)


def _put_shape(result, profile, ok, radii, few):
    """
    Take ellipticity and position angle at R50 and R90 from the profile.
    """
    for name, part in (('50', 50), ('out', 90)):
        at = np.nan if few else radii[part][0]
        for column in ('ellipticity', 'pa'):
            result[f'{column}_{name}'] = (np.nan, np.nan)
            if not np.isfinite(at):
                continue
            k = int(np.argmin(np.abs(profile['radius'].value[ok] - at)))
            result[f'{column}_{name}'] = tuple(
                np.asarray(getattr(profile[c], 'value', profile[c]))[ok][k]
                if c in profile.colnames else np.nan
                for c in (column, f'{column}_err'))
