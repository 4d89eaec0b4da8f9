# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
One galaxy in several bands: profiles on the same ellipses, and colours.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.ellipses.given import GEOMETRY_OPTIONS
from astro_pix2prof.fitting.forced import OF_CALL, ForcedImage
from astro_pix2prof.fitting.joint import GEOMETRY_FLAGS, stack_bands
from astro_pix2prof.fitting.matching import (
    as_seen,
    match_profiles,
    read_psfs,
)
from astro_pix2prof.fitting.radii import RADIUS_OPTIONS
from astro_pix2prof.fitting.registration import warn_of_offsets
from astro_pix2prof.fitting.twins import (
    warn_of_same_images,
    warn_of_same_pixels,
)
from astro_pix2prof.image.astrometry import pixel_to_icrs
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.position import read_position
from astro_pix2prof.profile.brightness import SB_UNIT
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

__all__ = ['BandProfiles', 'colour_columns', 'colour_pairs', 'make_colours',
           'measure_bands', 'options_of', 'signal_to_noise', 'values_at',
           'warn_of_colours']


# The reference that stands for all bands together.
ALL = 'all'

# A position in pixels is the same in all bands within so many arcsec.
_NEAR = 2.0


@dataclass(repr=False)
class BandProfiles:
    """
    The profiles of a galaxy in several bands, and its colours.

    Attributes
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profile of each band that could be measured.

    colours : `~astropy.table.QTable`
        One row for each ring of the reference: ``radius``; for each band
        ``x`` the columns ``x``, ``x_err`` (mag/arcsec2) and ``x_flag``;
        for each colour ``x-y`` the columns ``x-y``, ``x-y_err`` (mag) and
        ``x-y_flag``, in which the `RingFlag` bits of both bands are set,
        and UNRESOLVED within one FWHM of the broader PSF. With ``psf=``,
        all are as seen behind the broadest PSF (``meta['psf_matched']`` is
        its band). ``meta['mag_system']`` is the system of the magnitudes.

    reference : str
        The band whose ellipses were used; 'all' if they are those of all
        bands together.

    failed : dict of str
        For each band that could not be measured what went wrong.

    mass : `~astropy.table.QTable` or `None`
        The stellar-mass profile, where it was asked for: see
        `~astro_pix2prof.mass_profile`.

    geometry : `~astropy.table.QTable` or `None`
        With ``reference='all'``, the profile of the sum of all bands, whose
        ellipses were used; ``meta['bands']`` has the part of each band.

    fits : dict of `~astro_pix2prof.ProfileFit`
        With ``keep_fits=True``, the full result of each band, with its
        image; empty otherwise.
    """

    profiles: dict
    colours: QTable
    reference: str
    failed: dict = field(default_factory=dict)
    mass: QTable | None = None
    geometry: QTable | None = None
    fits: dict = field(default_factory=dict)

    def __repr__(self):
        text = (f'<{type(self).__name__}: {", ".join(self.profiles)} on the '
                f'ellipses of {self.reference}, {len(self.colours)} rings')
        if self.failed:
            text += f'; failed: {", ".join(self.failed)}'
        return text + '>'


def measure_bands(fit_galaxy, images, *, reference=None, colours=None,
                  psf=None, keep_fits=False, **options):
    """
    Measure a galaxy in several bands on the same ellipses.

    Parameters
    ----------
    fit_galaxy : callable
        The method ``fit`` of a fitter.

    images, reference, colours, psf, keep_fits, **options
        See `~astro_pix2prof.fitting.base.ProfileFitter.fit_bands`.

    Returns
    -------
    result : `BandProfiles`

    Raises
    ------
    TypeError, ValueError
        Likewise.
    """
    _check_bands(images, reference)
    pairs = None if colours is None else colour_pairs(images, colours)
    _check_columns(images, list(pairwise(images)) if pairs is None else pairs)
    psfs = read_psfs(psf, list(images))
    each = {band: options_of(band, images, options) for band in images}
    warn_of_same_images(images, each)
    fits, failed, geometry = {}, {}, None
    if reference == ALL and ALL not in images:
        first = ALL
        shape, grid = _joint_geometry(fit_galaxy, images, each, failed)
        geometry = shape
    else:
        first = _first_band(fit_galaxy, images, each, reference, fits,
                            failed)
        shape = fits[first].profile
        grid = fits[first].cutout.input_shape
    for band, image in images.items():
        if band == first or band in failed:
            continue
        try:
            fits[band] = _fit_forced(fit_galaxy, image, each[band], shape,
                                     grid)
        except Exception as error:
            # Store the exception: one bad band does not stop the others.
            failed[band] = str(error) or type(error).__name__
    fits = {band: fits[band] for band in images if band in fits}
    warn_of_same_pixels(images, each, fits)
    if geometry is not None:
        _require_some(fits, failed)
    warn_of_offsets(fits, first)
    # what is not certain of the ellipses is not certain along them
    inherited = int(shape.meta['flag'] & GEOMETRY_FLAGS)
    for fit in fits.values():
        fit.profile.meta['flag'] |= inherited
    profiles = {band: fit.profile for band, fit in fits.items()}
    fwhm = {band: fit.cutout.psf_fwhm or 0.0
            for band, fit in fits.items()}
    if pairs is None:
        pairs = list(pairwise(profiles))
    pairs = [pair for pair in pairs if set(pair) <= set(profiles)]
    warn_of_colours(profiles, pairs)
    matched = None
    if psfs is not None:
        matched = match_profiles(profiles, psfs, (shape, first))
    return BandProfiles(
        profiles, _join(profiles, first, pairs, fwhm, shape, matched), first,
        failed, geometry=geometry, fits=fits if keep_fits else {})


def _joint_geometry(fit_galaxy, images, each, failed):
    """
    Measure the sum of all bands that can be read.
    """
    cutouts, calls = {}, {}
    for band, image in images.items():
        options = dict(each[band])
        calls[band] = {name: options.pop(name) for name in (
            *OF_CALL, *GEOMETRY_OPTIONS, *RADIUS_OPTIONS, 'initial')
            if name in options}
        try:
            cutouts[band] = GalaxyCutout.from_any(image, **options)
        except Exception as error:
            # Store the exception: one bad band does not stop the others.
            failed[band] = str(error) or type(error).__name__
    _require_some(cutouts, failed)
    _warn_of_places(cutouts, each)
    stack, shares = stack_bands(cutouts)
    best = max(shares, key=shares.get)
    profile = fit_galaxy(stack, **calls[best]).profile
    profile.meta['bands'] = ' '.join(f'{band}={share:.3f}'
                                     for band, share in shares.items())
    return profile, stack.input_shape


def warn_of_colours(profiles, pairs):
    """
    Warn of colours that mix two systems, or of bands in which nothing is seen.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profile of each band.

    pairs : list of tuple of str
        The bands of the colours.
    """
    systems = {band: profile.meta.get('mag_system')
               for band, profile in profiles.items()}
    for one, two in pairs:
        if None not in (systems[one], systems[two]) and (
                systems[one] != systems[two]):
            warnings.warn(
                f'the colour {one}-{two} is the difference of '
                f'{systems[one]} and {systems[two]} magnitudes: give '
                'zeropoint= and mag_system= of one system to both bands, or '
                'convert the colour', AstropyUserWarning, stacklevel=4)
    stated = {band: profile.meta.get('band')
              for band, profile in profiles.items()}
    mixed = [band for band, own in stated.items()
             if own != band and own in stated]
    # (one image may stand for several bands)
    if mixed and {stated[band] for band in mixed} == set(mixed):
        warnings.warn(
            'the images of ' + ', '.join(
                f'{band!r} (band {stated[band]!r})' for band in mixed)
            + ' say that they are of other bands that were given: are they '
            'mixed up?', AstropyUserWarning, stacklevel=4)
    used = dict.fromkeys(sum(pairs, ()))
    plain = [band for band in used if not np.isfinite(
        profiles[band].meta.get('sb_zeropoint', np.nan))]
    # (without any, none is expected)
    if 0 < len(plain) < len(used):
        warnings.warn(
            f'the bands {", ".join(plain)} have no zero point: there are no '
            'colours with them; give zeropoint=', AstropyUserWarning,
            stacklevel=4)
    unseen = [band for band in used if profiles[band].meta['flag']
              & GalaxyFlag.NO_SOURCE]
    if unseen:
        warnings.warn(
            f'no galaxy is seen in {", ".join(unseen)} (NO_SOURCE): colours '
            'with it may be those of noise', AstropyUserWarning,
            stacklevel=4)


def _warn_of_places(cutouts, each):
    """
    Warn of a position in pixels that is not one place on the sky.
    """
    places = {}
    for band, cutout in cutouts.items():
        given = each[band].get('position')
        if given is not None and cutout.wcs is not None and not isinstance(
                read_position(given), SkyCoord):
            places[band] = SkyCoord(*pixel_to_icrs(
                cutout.wcs, *cutout.position), unit='deg')
    apart = {(one, two): places[one].separation(places[two]).arcsec
             for one, two in combinations(places, 2)}
    if apart and max(apart.values()) > _NEAR:
        one, two = max(apart, key=apart.get)
        warnings.warn(
            f'position={each[one]["position"]} in pixels is not the same '
            f'place in all bands: {one} and {two} are '
            f'{apart[one, two]:.1f} arcsec apart. Give sky coordinates',
            AstropyUserWarning, stacklevel=5)


def _require_some(found, failed):
    """
    Raise an error if no band is left.
    """
    if not found:
        text = '; '.join(f'{band}: {what}' for band, what
                         in failed.items())
        msg = f'images has no band that can be measured: {text}'
        raise ValueError(msg)


def _first_band(fit_galaxy, images, each, reference, fits, failed):
    """
    Measure the reference band and put its fit into ``fits``.
    """
    if reference is not None:
        fits[reference] = fit_galaxy(images[reference], **each[reference])
        return reference
    order = sorted(images, key=lambda band: band != 'r')
    best, most = None, -1.0
    for band in order:
        try:
            fit = fit_galaxy(images[band], **each[band])
        except Exception as error:
            # Store the exception: one bad band does not stop the others.
            failed[band] = str(error) or type(error).__name__
            continue
        snr = signal_to_noise(fit.profile)
        if snr > most:
            best, most = (band, fit), snr
        if band == 'r':
            break
    _require_some(best, failed)
    fits[best[0]] = best[1]
    return best[0]


def _fit_forced(fit_galaxy, image, options, shape, grid):
    """
    Measure a band on the ellipses of another.
    """
    forced = ForcedImage(image, options, shape, reference=grid)
    return fit_galaxy(forced.read(), **forced.call)


def _check_bands(images, reference):
    """
    Check the names of the bands.
    """
    if not isinstance(images, Mapping):
        msg = ("images must be a dict such as {'g': image, 'r': image}, got "
               f'{type(images).__name__}')
        raise TypeError(msg)
    bands = list(images)
    if len(bands) < 2 or not all(
            isinstance(band, str) and band not in ('', 'radius')
            for band in bands):
        msg = ('images must have two or more bands, named by strings other '
               f"than 'radius', got {bands}")
        raise ValueError(msg)
    if reference is not None and reference not in (*bands, ALL):
        msg = (f"reference must be one of {bands} or '{ALL}', got "
               f'{reference!r}')
        raise ValueError(msg)


def _check_columns(bands, pairs):
    """
    Refuse names of bands that would give two columns one name.
    """
    names = [f'{name}{end}' for name in (
        *bands, *(f'{one}-{two}' for one, two in pairs))
        for end in ('', '_err', '_flag')]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = (f'images has the bands {list(bands)}, which give several '
               f'columns the name {", ".join(twice)}: give them other names')
        raise ValueError(msg)


def colour_pairs(bands, colours=None):
    """
    Find the two bands of each colour.

    Parameters
    ----------
    bands : iterable of str
        The bands.

    colours : sequence of str, optional
        Such as ``['g-r', 'g-z']``; by default those of neighbours.

    Returns
    -------
    pairs : list of tuple of str

    Raises
    ------
    ValueError
        If a colour is none of these bands.
    """
    bands = list(bands)
    if colours is None:
        return list(pairwise(bands))
    known = {f'{one}-{two}': (one, two) for one in bands for two in bands
             if one != two}
    wrong = [name for name in colours if name not in known]
    if isinstance(colours, str) or wrong:
        msg = ("colours must be a list of names such as "
               f"'{bands[0]}-{bands[1]}' of the bands {bands}, got "
               f'{colours!r}')
        raise ValueError(msg)
    return [known[name] for name in dict.fromkeys(colours)]


def options_of(band, bands, options, *, where='images'):
    """
    Select the options of one band.

    Parameters
    ----------
    band : str
        The band.

    bands : iterable of str
        All bands.

    options : dict
        Values for all bands, or dicts with a value for each band.

    where : str, optional
        The argument that has the bands, for messages.

    Returns
    -------
    chosen : dict
        Those that have a value for this band.

    Raises
    ------
    ValueError
        If a dict has a value for another band.
    """
    chosen = {}
    for name, value in options.items():
        if not isinstance(value, dict):
            chosen[name] = value
            continue
        wrong = [key for key in value if key not in bands]
        if wrong:
            msg = (f'{name} has values for the bands {wrong}, which are not '
                   f'in {where}: its bands are {list(bands)}')
            raise ValueError(msg)
        if band in value:
            chosen[name] = value[band]
    return chosen


def signal_to_noise(profile):
    """
    Add the signal-to-noise ratios of the rings in quadrature.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    Returns
    -------
    snr : float
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        snr = np.maximum(profile['intensity'].value, 0) / profile[
            'intensity_err'].value
    return float(np.sqrt(np.sum(snr[np.isfinite(snr)]**2)))


def values_at(want, at, value, error, flag):
    """
    Interpolate surface brightness, error and flags at other radii.

    Parameters
    ----------
    want : 1D `~numpy.ndarray`, shape (n,)
        The radii, in the unit of ``at``.

    at, value, error, flag : 1D `~numpy.ndarray`, shape (m,)
        The radii of a profile, and its columns.

    Returns
    -------
    value, error, flag : 1D `~numpy.ndarray`, shape (n,)
        Not-a-number, and the flag EXTRAPOLATED, beyond the profile.
    """
    # (the radii of forced photometry, which rounding may have moved)
    if len(at) == len(want) and np.allclose(at, want, rtol=1e-6, atol=1e-6):
        return value, error, flag
    if len(at) == 0:
        empty = np.full(len(want), np.nan)
        return empty, empty, np.full(len(want), int(RingFlag.EXTRAPOLATED),
                                     dtype=np.int32)
    # NaN between: a ring without a value is not bridged.
    value, error = (np.interp(want, at, part, left=np.nan, right=np.nan)
                    for part in (value, error))
    nearest = np.abs(want[:, None] - at).argmin(1)
    flag = flag[nearest].copy()
    flag[(want < at[0]) | (want > at[-1])] |= RingFlag.EXTRAPOLATED
    return value, error, flag


def _at_radii(profile, radius):
    """
    Interpolate surface brightness, error and flags of a profile.
    """
    return values_at(radius.value, profile['radius'].to_value(radius.unit),
                     *(profile[name].value for name in (
                         'surface_brightness', 'surface_brightness_err')),
                     np.asarray(profile['flag']))


def colour_columns(bands, pairs, unresolved):
    """
    Calculate the columns of a table of colours.

    Parameters
    ----------
    bands : dict of tuple
        By band: surface brightness, error and flag at the same radii, 1D
        `~numpy.ndarray` each, shape (n,).

    pairs : list of tuple of str
        The bands of the colours.

    unresolved : dict of 1D `~numpy.ndarray` of bool, shape (n,)
        By band: the radii within the FWHM of its PSF, if that is known.

    Returns
    -------
    columns : dict of 1D `~numpy.ndarray`, shape (n,)
        ``x``, ``x_err``, ``x_flag`` of each band, and likewise ``x-y`` of
        each colour.
    """
    columns = {}
    for band, (value, error, flag) in bands.items():
        columns.update({band: value, f'{band}_err': error,
                        f'{band}_flag': flag})
    for one, two in pairs:
        name = f'{one}-{two}'
        a, b = bands[one], bands[two]
        flag = a[2] | b[2]
        for band in (one, two):
            if band in unresolved:
                flag[unresolved[band]] |= RingFlag.UNRESOLVED
        columns.update({name: a[0] - b[0],
                        f'{name}_err': np.hypot(a[1], b[1]),
                        f'{name}_flag': flag})
    return columns


def make_colours(radius, columns, pairs):
    """
    Make the table of colours of plain columns.

    Parameters
    ----------
    radius : 1D `~astropy.units.Quantity`, shape (n,)
        The radii.

    columns : dict of 1D `~numpy.ndarray`, shape (n,)
        As of `colour_columns`.

    pairs : list of tuple of str
        The bands of the colours.

    Returns
    -------
    table : `~astropy.table.QTable`, n rows
        See `BandProfiles`.
    """
    colours = {f'{one}-{two}' for one, two in pairs}
    table = QTable()
    table['radius'] = radius
    for name, value in columns.items():
        if name.endswith('_flag'):
            table[name] = value
        else:
            unit = (u.mag if name.removesuffix('_err') in colours
                    else SB_UNIT)
            table[name] = value * unit
    return table


def _join(profiles, first, pairs, fwhm, shape=None, matched=None):
    """
    Make the table of colours.
    """
    shape = profiles[first] if shape is None else shape
    radius = shape['radius']
    unresolved = {}
    if radius.unit != u.pix and matched is None:
        unresolved = {band: radius.to_value(u.arcsec) < value
                      for band, value in fwhm.items()}
    seen = {band: profile if matched is None else as_seen(
        profile, *matched[0][band]) for band, profile in profiles.items()}
    table = make_colours(radius, colour_columns(
        {band: _at_radii(profile, radius) for band, profile in seen.items()},
        pairs, unresolved), pairs)
    meta = shape.meta
    table.meta.update({key: meta[key] for key in (
        'fitter', 'version', 'weights', 'source', 'ra', 'dec')
        if key in meta})
    table.meta.update(reference=first, bands=list(profiles),
                      colours=[f'{one}-{two}' for one, two in pairs])
    systems = (profile.meta.get('mag_system')
               for profile in profiles.values())
    table.meta['mag_system'] = ' '.join(dict.fromkeys(filter(None, systems)))
    if matched is not None:
        table.meta['psf_matched'] = matched[1]
    return table
