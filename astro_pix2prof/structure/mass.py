# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stellar-mass profiles from profiles of several bands.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_number, check_positive, check_seed
from astro_pix2prof.profile.brightness import (
    POGSON,
    light_within,
)
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.samples import check_n_samples
from astro_pix2prof.structure.band_light import (
    BandLight,
    match_light,
    read_band,
)
from astro_pix2prof.structure.colours import hold_colours
from astro_pix2prof.structure.distances import (
    check_megaparsec,
    warn_of_scale,
)
from astro_pix2prof.structure.growth import (
    N_RINGS,
    REFINE,
    refine_rings,
    rising_radius,
    total_light,
    warn_of_correlation,
)
from astro_pix2prof.structure.inner_light import NO_CENTRE, centre_factor
from astro_pix2prof.structure.mass_checks import warn_of_unlike
from astro_pix2prof.structure.physical import (
    DENSITY_ZERO,
    check_calibrated,
    find_corrections,
)
from astro_pix2prof.structure.relations import find_relation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from astropy.cosmology import FLRW
    from astropy.units import Quantity

    from astro_pix2prof import BandProfiles, MassRelation

__all__ = ['MASS_OPTIONS', 'check_mass_options', 'mass_profile']


# The options of `mass_profile`, for those who pass them on.
MASS_OPTIONS = ('relation', 'colour', 'light', 'distance', 'distance_err',
                'redshift', 'cosmology', 'ebv', 'ebv_err', 'reddening',
                'filters', 'k_correction', 'inclination', 'inclination_err',
                'thickness', 'max_colour_err')

_LN10 = float(np.log(10))

# Where no colour is certain enough, those count whose error is at most this
# many times the smallest.
_BEST = 1.5


def _spread(samples):
    """
    Calculate half the range of the middle 68% of noisy versions.
    """
    finite = np.isfinite(samples)
    known = finite.any(axis=0)
    # (the quantile that takes NaN is slow)
    quantile = np.quantile if finite.all() else np.nanquantile
    low, high = quantile(np.where(known, samples, 0.0), [0.16, 0.84], axis=0)
    return np.where(known, 0.5 * (high - low), np.nan)


def _get_profiles(bands):
    """
    Take the profiles of a galaxy out of what was given.
    """
    profiles = getattr(bands, 'profiles', bands)
    if not isinstance(profiles, Mapping):
        msg = ('bands must be the result of fit_bands, or a dict with a '
               f'profile for each band, got {type(bands).__name__}')
        raise TypeError(msg)
    return profiles


def check_mass_options(bands, *, relation='taylor2011', colour=None,
                       light=None, distance_err=None, max_colour_err=0.1,
                       **options):
    """
    Check the options of `mass_profile` before anything is measured.

    Parameters
    ----------
    bands : sequence of str
        The bands that there will be.

    relation, colour, light, distance_err, max_colour_err, **options
        See `mass_profile`.

    Raises
    ------
    TypeError, ValueError
        If one is wrong.
    """
    _, colour, light = find_relation(relation, tuple(bands), colour, light)
    check_megaparsec(options.get('distance'), 'distance')
    check_megaparsec(distance_err, 'distance_err')
    check_number(distance_err, 'distance_err', unit=u.Mpc, least=0,
                 optional=True)
    check_positive(max_colour_err, 'max_colour_err', unit=u.mag)
    # (the position for a map of the reddening comes with the image)
    if callable(options.get('ebv')):
        options['ebv'] = 0.0
    elif isinstance(options.get('ebv'), str):
        # The package of the map has to be there.
        options['position'] = SkyCoord(0, 0, unit='deg')
    found = find_corrections(None, colour=colour, **options)
    if not callable(options.get('k_correction')):
        for band in {*colour.split('-'), light}:
            found.k(band, np.ones(1))


def mass_profile(
        bands: BandProfiles | dict[str, QTable], *,
        relation: str | MassRelation = 'taylor2011', colour: str | None = None,
        light: str | None = None, distance: float | Quantity | None = None,
        distance_err: float | Quantity | None = None,
        redshift: float | None = None, cosmology: FLRW | None = None,
        ebv: float | Literal['sfd'] | Callable[..., Any] = 0.0,
        ebv_err: float | None = None, position: SkyCoord | None = None,
        reddening: Literal['SFD', 'SF11'] = 'SFD',
        filters: Literal['SDSS', 'DES', 'PS1'] = 'SDSS',
        k_correction: Callable[..., Any] | dict[str, float] | str |
            None = None,
        inclination: float | Quantity | None = None,
        inclination_err: float | Quantity | None = None,
        thickness: float = 0.0, max_colour_err: float = 0.1,
        n_samples: int = 200, seed: int | None = 0) -> QTable:
    """
    Measure the stellar-mass profile of a galaxy from its colour.

    Parameters
    ----------
    bands : `~astro_pix2prof.BandProfiles` or dict
        The result of ``fit_bands``, or a profile for each band by its
        name: 'g', 'r', 'i' or 'z'.

    relation : str or `~astro_pix2prof.MassRelation`, optional
        The relation between colour and mass-to-light ratio: 'taylor2011',
        'roediger2015_bc03', 'roediger2015_fsps', 'zibetti2009',
        'into2013_exponential', 'into2013_disc', or one of your own.

    colour : str, optional
        The colour, such as 'g-r'; by default 'g-i' if there is that, or
        else the first of the relation's.

    light : str, optional
        The band whose light is multiplied; by default the redder one of
        the colour, if the relation has it.

    distance : `~astropy.units.Quantity` or float, optional
        The distance by brightness; a plain number is in Mpc. By default,
        that of the redshift.

    distance_err : `~astropy.units.Quantity` or float, optional
        Its error, which is stated apart.

    redshift : float, optional
        The redshift: for the distance if that is not given, for dimming
        and for K-corrections.

    cosmology : `~astropy.cosmology.FLRW`, optional
        The cosmology; by default astropy's default.

    ebv, ebv_err, position, reddening, filters
        See `physical_profile`.

    inclination, inclination_err, thickness
        Likewise. They change the surface density only, not the mass.

    k_correction : callable, dict or 'chilingarian2010', optional
        K-corrections (mag): a number for each band, or a function of band,
        redshift and colour, which is called with the observed colours of
        the rings. Or the polynomials of Chilingarian et al. 2010, which are
        for the bands of the colours g-i, g-r and g-z.

    max_colour_err : float, optional
        The largest error (mag) of a colour that is used. The noise of a
        colour makes mass-to-light ratios too large. Rings with a larger
        error have the colour of others.

    n_samples : int, optional
        The number of noisy versions of the profiles, where they bring
        none.

    seed : int or `None`, optional
        The seed of their noise; `None` is another each time.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row for each ring of the band of the light: ``radius``,
        ``radius_kpc``, ``ellipticity``; ``colour`` (mag, at rest and
        without extinction) and ``colour_held``, whether it is that of
        other rings; ``mass_to_light``; ``mass_density`` (Msun/pc2);
        ``mass_enclosed`` (Msun); ``flag``, the `RingFlag` bits of both
        bands; and ``colour_outside``, whether the colour is out of the
        range of galaxies. ``colour``, ``mass_to_light``, ``mass_density`` and
        ``mass_enclosed`` have errors, ``x_err``.

        The meta holds the totals: ``mass`` (Msun) and ``log_mass`` (dex)
        with errors, ``r50_mass`` (kpc, the semi-major axis that holds half
        of the mass) with error, ``extrapolated_fraction``, the part of the
        mass beyond the last ring, and ``held_fraction``, the part of the
        mass within it whose colour is that of other rings. Where nothing
        can be said of the part beyond, the total is the mass within the
        last ring, without an error, and ``extrapolated_fraction`` is NaN.
        Apart from these errors stand ``relation_scatter`` and
        ``distance_scatter`` (dex), which move the whole profile.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.

    ValueError
        If a band is missing or not calibrated, an argument is out of
        range, or no ring has a colour.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If no colour is as certain as ``max_colour_err`` asks for, the
        colour of the galaxy is out of the range of the relation, the
        filters are not those of the relation, the colour holds for less
        than half of the mass, or more than half of it is extrapolated.

    Notes
    -----
    The errors of the profiles are those of `sample_profile`, correlated
    along radius, with a sky whose error moves all rings of a band together;
    errors of two bands are taken as independent. Each noisy version has an
    E(B-V) of its own, the same in all rings and bands. The result of
    ``fit_bands`` was measured on the ellipses of one band: the error of the
    surface density is then at least as large as that of the reference's
    surface brightness, which knows the error of the ellipses. If it has
    colours of matched PSFs (``psf=``), these are used, and
    ``meta['psf_matched']`` is the band of the broadest PSF; the light stays
    as measured.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astro_pix2prof import (Pix2ProfFitter, load_example,
    ...                             mass_profile)
    >>> profile = Pix2ProfFitter()(load_example())
    >>> table = mass_profile({'g': profile, 'i': profile},
    ...                      distance=50 * u.Mpc)
    >>> table['mass_density'].unit
    Unit("solMass / pc2")
    """
    profiles = _get_profiles(bands)
    n_samples = check_n_samples(n_samples, least=2)
    max_colour_err = check_positive(max_colour_err, 'max_colour_err',
                                    unit=u.mag)
    relation, colour, light = find_relation(relation, tuple(profiles),
                                            colour, light)
    checked = {band: check_calibrated(profiles[band], f'bands[{band!r}]')
               for band in sorted({*colour.split('-'), light})}
    found = find_corrections(
        checked[light], distance=distance, redshift=redshift,
        cosmology=cosmology, ebv=ebv, ebv_err=ebv_err, position=position,
        reddening=reddening, filters=filters, k_correction=k_correction,
        inclination=inclination, inclination_err=inclination_err,
        thickness=thickness, colour=colour)
    check_megaparsec(distance_err, 'distance_err')
    distance_err = check_number(distance_err, 'distance_err', unit=u.Mpc,
                                least=0, optional=True)
    warn_of_scale(found.scale, k_correction)
    if found.filters != relation.filters:
        warnings.warn(
            f'relation {relation.name!r} is for the filters of '
            f'{relation.filters}, and filters is {found.filters}: colours '
            'are not converted', AstropyUserWarning, stacklevel=2)
    for band, profile in checked.items():
        warn_of_correlation(profile)
        if profile.meta.get('flag', 0) & GalaxyFlag.NO_SOURCE:
            msg = (f'bands[{band!r}] must show a galaxy, got a profile with '
                   'the flag NO_SOURCE')
            raise ValueError(msg)
    warn_of_unlike(checked)
    seed = check_seed(seed)
    rng = np.random.default_rng(seed)
    read = {band: read_band(profile, n_samples, rng)
            for band, profile in checked.items()}
    n_rows = min(len(band.rows) for band in read.values())
    for band in read.values():
        band.rows = band.rows[:n_rows]
    seen, seeing = read, {}
    colours = getattr(bands, 'colours', None)
    if 'psf_matched' in getattr(colours, 'meta', ()):
        # the colours of the table; the light stays as sharp as it is
        seen = {band: match_light(one, colours, band)
                for band, one in read.items()}
        seeing = {'psf_matched': colours.meta['psf_matched']}
    measured = _measure_rings(read[light], seen, relation, colour, light,
                              found, max_colour_err, (rng, seed))
    table = _make_table(checked[light], measured, found)
    _add_shape_error(table, bands, light, read[light])
    _put_totals(table, checked[light], measured, found, seed)
    _warn_of_colours(table, relation, colour)
    _put_meta(table, checked[light], relation, colour, light, found)
    table.meta.update(seeing, k_correction='none' if k_correction is None
                      else k_correction if isinstance(
                          k_correction, str) else 'given')
    table.meta['distance_scatter'] = (
        0.0 if distance_err is None else 2 / _LN10 * distance_err
        / found.scale.luminosity_distance)
    return table


@dataclass
class _Measured:
    """
    The rings of a mass profile, and their noisy versions (1 + m, n).
    """

    colour: np.ndarray
    held: np.ndarray
    ratio: np.ndarray
    light: np.ndarray
    density: np.ndarray
    flag: np.ndarray
    reliable: np.ndarray


def _measure_rings(band, matched, relation, colour, light, found,
                   max_colour_err, source):
    """
    Measure colours, mass-to-light ratios and surface densities.
    """
    rng, seed = source
    radius = band.profile['radius'].value
    blue, red = (matched[part] for part in colour.split('-'))
    seen = blue.magnitudes(radius) - red.magnitudes(radius)
    # The noisy versions know E(B-V) to within its error (the first row is
    # the measurement); numbers of their own leave the other noise as it is.
    dust = np.random.default_rng([seed, 1]).normal(size=(len(seen), 1))
    dust[0] = 0.0
    for part, sign in zip(colour.split('-'), (-1, 1), strict=True):
        seen += sign * (found.extinction(part)
                        + dust * found.extinction_err(part))
    error = np.hypot(blue.error(radius), red.error(radius))
    flag = band.flags(radius) | blue.flags(radius) | red.flags(radius)
    usable = np.isfinite(seen[0]) & np.isfinite(error) & (
        (flag & RingFlag.EXTRAPOLATED) == 0)
    known = usable & (error <= max_colour_err)
    if not usable.any():
        msg = f'bands must have a ring with the colour {colour}, got none'
        raise ValueError(msg)
    if not known.any():
        warnings.warn(
            f'no ring has a colour {colour} with an error below '
            f'{max_colour_err:g} mag: those of the best rings, '
            f'{error[usable].min():.2f} mag, hold for the galaxy',
            AstropyUserWarning, stacklevel=3)
        known = usable & (error <= _BEST * error[usable].min())
    held = hold_colours(radius, seen, error, known, rng)
    k_blue, k_red = (found.k(part, held.colour[0])
                     for part in colour.split('-'))
    at_rest = held.colour - (k_blue - k_red)
    ratio = 10**relation.log_mass_to_light(at_rest, colour, light)
    shift = (found.extinction(light) + found.k(light, held.colour[0])
             + found.scale.dimming)
    zero = (band.profile.meta['sb_zeropoint'] - shift - DENSITY_ZERO
            - relation.solar_magnitude(light))
    rows = band.rows * 10**(0.4 * dust * found.extinction_err(light))
    density = rows * 10**(-0.4 * zero) * ratio
    value = band.profile['intensity'].value
    noise = np.nan_to_num(band.profile['intensity_err'].value, posinf=0.0,
                          neginf=0.0)
    with np.errstate(invalid='ignore'):
        reliable = np.isfinite(value) & (value > noise) & (
            (band.flags(radius) & RingFlag.EXTRAPOLATED) == 0)
    return _Measured(at_rest, held.held, ratio, rows, density, flag,
                     reliable)


def _make_table(profile, rings, found):
    """
    Make the table of the rings, without the mass within them.
    """
    table = QTable()
    table['radius'] = profile['radius']
    table['radius_kpc'] = (profile['radius'].value
                           * found.scale.kpc_per_arcsec * u.kpc)
    table['ellipticity'] = np.asarray(profile['ellipticity'], dtype=float)
    table['colour'] = rings.colour[0] * u.mag
    table['colour_err'] = _spread(rings.colour[1:]) * u.mag
    table['colour_held'] = rings.held
    table['mass_to_light'] = rings.ratio[0] * u.solMass / u.solLum
    table['mass_to_light_err'] = (_spread(rings.ratio[1:]) * u.solMass
                                  / u.solLum)
    unit = u.solMass / u.pc**2
    table['mass_density'] = rings.density[0] * found.face_on * unit
    table['mass_density_err'] = np.hypot(
        _spread(rings.density[1:]), rings.density[0] * found.face_on_err
    ) * found.face_on * unit
    return table


def _add_shape_error(table, bands, light, band):
    """
    Add the error of the ellipses to that of the surface density.

    The band of the light was measured on the ellipses of a reference, and
    its errors do not know theirs: those of the reference do, where they are
    larger. The mass within a ring gains by its area what it loses by its
    density, and keeps its error.
    """
    reference = getattr(bands, 'reference', light)
    if reference == light or reference not in bands.profiles:
        return
    radius = table['radius'].value
    profile = check_profile(bands.profiles[reference],
                            f'bands[{reference!r}]', ordered=True)
    whole = BandLight(profile, profile['intensity'].value[None]).error(radius)
    with np.errstate(invalid='ignore'):
        shape = np.sqrt(np.maximum(whole**2 - band.error(radius)**2, 0))
    table['mass_density_err'] = np.hypot(
        table['mass_density_err'].value, np.abs(table['mass_density'].value)
        * np.nan_to_num(shape) / POGSON) * table['mass_density'].unit


def _put_totals(table, profile, rings, found, seed):
    """
    Integrate the mass and put the totals into the meta.
    """
    n = len(table)
    ok = np.isfinite(rings.density[0])
    if rings.reliable.any():
        ok &= np.arange(n) <= np.nonzero(rings.reliable)[0][-1]
    within = np.full((len(rings.density), n), np.nan)
    names = ('mass', 'mass_err', 'log_mass', 'log_mass_err', 'r50_mass',
             'r50_mass_err', 'extrapolated_fraction', 'held_fraction')
    totals = dict.fromkeys(names, np.nan)
    if ok.sum() < N_RINGS:
        warnings.warn(
            f'the profile has {ok.sum()} rings with a mass: masses within '
            f'radii need at least {N_RINGS}', AstropyUserWarning,
            stacklevel=3)
    if rings.reliable.any() and ok.sum() >= N_RINGS:
        radius = 1e3 * table['radius_kpc'].value[ok]
        eps = np.interp(radius, 1e3 * table['radius_kpc'].value[
            np.isfinite(table['ellipticity'])], table['ellipticity'][
                np.isfinite(table['ellipticity'])])
        samples = rings.density[:, ok]
        samples = np.where(np.isfinite(samples), samples, samples[:1])
        at, fine, eps_fine = refine_rings(radius, samples, eps)
        growth = light_within(at, fine, 1 - eps_fine)
        # (the mass inside the first ring has the ratio of that)
        factor, seen = _centre(profile, rings, ok, eps, seed)
        growth = growth + ((factor - 1) * growth[:, 0])[:, None]
        if not seen:
            warnings.warn(NO_CENTRE, AstropyUserWarning, stacklevel=3)
        within[:, ok] = growth[:, ::REFINE]
        beyond = _mass_beyond(profile, rings, ok, radius, eps, seed)
        # Where it cannot be told, the mass within the last ring, without
        # an error.
        known = np.isfinite(beyond[1:]).any()
        total = growth[:, -1] + beyond
        if not known:
            total[0] = growth[0, -1]
        half = rising_radius(at, growth, 0.5 * total) / 1e3
        positive = total[0] if total[0] > 0 else np.nan
        totals.update(
            mass=float(total[0]), mass_err=float(_spread(total[1:])),
            log_mass=float(np.log10(positive)),
            log_mass_err=float(_spread(total[1:]) / total[0] / _LN10),
            r50_mass=float(half[0]), r50_mass_err=float(_spread(half[1:])),
            extrapolated_fraction=(float(beyond[0] / total[0]) if known
                                   else np.nan),
            held_fraction=_share_of(rings.held[ok], growth[0, ::REFINE]))
    table['mass_enclosed'] = within[0] * u.solMass
    error = np.full(n, np.nan)
    error[ok] = _spread(within[1:, ok]) if ok.any() else []
    table['mass_enclosed_err'] = error * u.solMass
    table['flag'] = rings.flag
    table.meta.update(totals)


def _centre(profile, rings, ok, eps, seed):
    """
    Find how much brighter the centre is than the first ring.
    """
    light = rings.light[:, ok]
    return centre_factor(profile, ok, np.where(
        np.isfinite(light), light, light[:1]), eps, seed)


def _mass_beyond(profile, rings, ok, radius, eps, seed):
    """
    Extrapolate the light beyond the last ring; it has the ratio of that.
    """
    light = rings.light[:, ok]
    light = np.where(np.isfinite(light), light, light[:1])
    # In arcsec, as the covariance of the profile is.
    arcsec = profile['radius'].value[ok]
    at, fine, eps_fine = refine_rings(arcsec, light, eps)
    growth = light_within(at, fine, 1 - eps_fine)
    total, _ = total_light(profile, ok, light, (arcsec, growth), eps,
                            profile.meta.get('flag', 0), seed)
    last = np.nonzero(ok)[0][-1]
    with np.errstate(invalid='ignore', divide='ignore'):
        scale = rings.density[0, last] / (rings.light[0, last]
                                          * rings.ratio[0, last])
    area = (radius[-1] / arcsec[-1])**2
    return (total - growth[:, -1]) * scale * rings.ratio[:, last] * area


def _share_of(held, within):
    """
    Calculate the part of the mass that lies in held rings.
    """
    steps = np.diff(within, prepend=0.0)
    return float(steps[held].sum() / within[-1])


def _warn_of_colours(table, relation, colour):
    """
    Warn where the relation is used out of its range, or with few colours.
    """
    low, high = relation.colour_range.get(colour, (-np.inf, np.inf))
    value = table['colour'].value
    steps = np.nan_to_num(np.diff(np.nan_to_num(
        table['mass_enclosed'].value), prepend=0.0))
    total = table.meta['mass']
    outside = (value < low) | (value > high)
    share = float(np.maximum(steps[outside], 0).sum() / total)
    table['colour_outside'] = outside
    table.meta['outside_fraction'] = share
    if share > 0.1:
        warnings.warn(
            f'{share:.0%} of the mass has a colour {colour} out of the range '
            f'of galaxies, {low:g} to {high:g} mag: its mass-to-light ratio '
            'means little', AstropyUserWarning, stacklevel=3)
    if np.isfinite(total) and np.isnan(table.meta['extrapolated_fraction']):
        warnings.warn(
            'an unknown part of the mass lies beyond the last ring: the '
            'total is the mass within it', AstropyUserWarning, stacklevel=3)
    elif table.meta['extrapolated_fraction'] > 0.5:
        warnings.warn(
            f'{table.meta["extrapolated_fraction"]:.0%} of the mass lies '
            'beyond the last ring: the total is rough', AstropyUserWarning,
            stacklevel=3)
    if table.meta['held_fraction'] > 0.5:
        warnings.warn(
            f'{table.meta["held_fraction"]:.0%} of the mass has the colour '
            'of other rings: the images are too shallow for a colour there',
            AstropyUserWarning, stacklevel=3)


def _put_meta(table, profile, relation, colour, light, found):
    """
    Say in the meta how the masses came about.
    """
    table.meta.update({key: profile.meta[key] for key in (
        'fitter', 'version', 'weights', 'source', 'ra', 'dec')
        if key in profile.meta})
    table.meta['galaxy_flag'] = profile.meta.get('flag', 0)
    table.meta.update(found.meta(), relation=relation.name,
                      relation_source=relation.source, imf=relation.imf,
                      colour=colour, light=light,
                      solar_magnitude=relation.solar_magnitude(light),
                      relation_scatter=float(relation.scatter))
