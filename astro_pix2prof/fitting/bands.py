# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
One galaxy in several bands: profiles on the same ellipses, and colours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from astro_pix2prof.ellipses.given import GEOMETRY_OPTIONS
from astro_pix2prof.fitting.joint import GEOMETRY_FLAGS, stack_bands
from astro_pix2prof.fitting.matching import match_profiles, read_psfs
from astro_pix2prof.fitting.radii import RADII_META, RADIUS_OPTIONS
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.brightness import SB_UNIT
from astro_pix2prof.profile.flags import LARGE_CORRECTION, RingFlag

__all__ = ['BandProfiles', 'measure_bands']


# The reference that stands for all bands together.
ALL = 'all'

# Options of a fitter's call that are none of GalaxyCutout.
_OF_CALL = ('n_samples', 'seed')

# Options that the ellipses and the radii of the reference stand in for.
_OF_REFERENCE = ('position', 'initial', *GEOMETRY_OPTIONS, *RADIUS_OPTIONS)


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
        its band).

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
    """

    profiles: dict
    colours: QTable
    reference: str
    failed: dict = field(default_factory=dict)
    mass: QTable | None = None
    geometry: QTable = None

    def __repr__(self):
        text = (f'<{type(self).__name__}: {", ".join(self.profiles)} on the '
                f'ellipses of {self.reference}, {len(self.colours)} rings')
        if self.failed:
            text += f'; failed: {", ".join(self.failed)}'
        return text + '>'


def measure_bands(fit_galaxy, images, *, reference=None, colours=None,
                  psf=None, **options):
    """
    Measure a galaxy in several bands on the same ellipses.

    Parameters
    ----------
    fit_galaxy : callable
        The method ``fit`` of a fitter.

    images, reference, colours, psf, **options
        See `~astro_pix2prof.fitting.base.ProfileFitter.fit_bands`.

    Returns
    -------
    result : `BandProfiles`

    Raises
    ------
    TypeError, ValueError
        Likewise.
    """
    pairs = _check_bands(images, reference, colours)
    psfs = read_psfs(psf, list(images))
    each = {band: _options_of(band, images, options) for band in images}
    fits, failed, geometry = {}, {}, None
    if reference == ALL and ALL not in images:
        first = ALL
        shape = geometry = _joint_geometry(fit_galaxy, images, each, failed)
    else:
        first = _first_band(fit_galaxy, images, each, reference, fits,
                            failed)
        shape = fits[first].profile
    for band, image in images.items():
        if band == first or band in failed:
            continue
        try:
            fits[band] = _fit_forced(fit_galaxy, image, each[band], shape)
        except Exception as error:
            # Store the exception: one bad band does not stop the others.
            failed[band] = str(error) or type(error).__name__
    fits = {band: fits[band] for band in images if band in fits}
    if geometry is not None:
        _require_some(fits, failed)
        inherited = int(geometry.meta['flag'] & GEOMETRY_FLAGS)
        for fit in fits.values():
            fit.profile.meta['flag'] |= inherited
    profiles = {band: fit.profile for band, fit in fits.items()}
    fwhm = {band: fit.cutout.psf_fwhm or 0.0
            for band, fit in fits.items()}
    if pairs is None:
        pairs = list(pairwise(profiles))
    pairs = [pair for pair in pairs if set(pair) <= set(profiles)]
    matched = None
    if psfs is not None:
        matched = match_profiles(profiles, psfs, (shape, first))
    return BandProfiles(
        profiles, _join(profiles, first, pairs, fwhm, shape, matched), first,
        failed, geometry)


def _joint_geometry(fit_galaxy, images, each, failed):
    """
    Measure the sum of all bands that can be read.
    """
    cutouts, calls = {}, {}
    for band, image in images.items():
        options = dict(each[band])
        calls[band] = {name: options.pop(name) for name in (
            *_OF_CALL, *GEOMETRY_OPTIONS, *RADIUS_OPTIONS, 'initial')
            if name in options}
        try:
            cutouts[band] = GalaxyCutout.from_any(image, **options)
        except Exception as error:
            # Store the exception: one bad band does not stop the others.
            failed[band] = str(error) or type(error).__name__
    _require_some(cutouts, failed)
    stack, shares = stack_bands(cutouts)
    best = max(shares, key=shares.get)
    profile = fit_galaxy(stack, **calls[best]).profile
    profile.meta['bands'] = ' '.join(f'{band}={share:.3f}'
                                     for band, share in shares.items())
    return profile


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
        snr = _signal_to_noise(fit.profile)
        if snr > most:
            best, most = (band, fit), snr
        if band == 'r':
            break
    _require_some(best, failed)
    fits[best[0]] = best[1]
    return best[0]


def _fit_forced(fit_galaxy, image, options, shape):
    """
    Measure a band on the ellipses of another.
    """
    options = dict(options)
    call = {name: options.pop(name) for name in _OF_CALL
            if name in options}
    size = options.pop('size', None)
    options = {name: value for name, value in options.items()
               if name not in _OF_REFERENCE}
    if RADII_META.items() <= shape.meta.items():
        # (in the unit of the sky: the pixels of bands may differ)
        call['radii'] = shape['radius']
    cutout = GalaxyCutout.from_any(image, **options)
    meta = shape.meta
    position = meta['x_centre'], meta['y_centre']
    if cutout.wcs is not None and 'ra' in meta:
        position = SkyCoord(meta['ra'], meta['dec'], unit='deg')
    # The galaxy is where the reference has it, on whatever pixels.
    cutout = GalaxyCutout.from_any(cutout, position=position, size=size)
    return fit_galaxy(cutout, geometry=shape, **call)


def _check_bands(images, reference, colours):
    """
    Find the pairs of bands of the colours; `None` if they are not given.
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
    if colours is None:
        return None
    known = {f'{one}-{two}': (one, two) for one in bands for two in bands
             if one != two}
    wrong = [name for name in colours if name not in known]
    if isinstance(colours, str) or wrong:
        msg = ("colours must be a list of names such as "
               f"'{bands[0]}-{bands[1]}' of the bands {bands}, got "
               f'{colours!r}')
        raise ValueError(msg)
    return [known[name] for name in colours]


def _options_of(band, images, options):
    """
    Select the options of one band.
    """
    chosen = {}
    for name, value in options.items():
        if not isinstance(value, dict):
            chosen[name] = value
            continue
        wrong = [key for key in value if key not in images]
        if wrong:
            msg = (f'{name} has values for the bands {wrong}, which are not '
                   f'in images: its bands are {list(images)}')
            raise ValueError(msg)
        if band in value:
            chosen[name] = value[band]
    return chosen


def _signal_to_noise(profile):
    """
    Add the signal-to-noise ratios of the rings in quadrature.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        snr = np.maximum(profile['intensity'].value, 0) / profile[
            'intensity_err'].value
    return float(np.sqrt(np.sum(snr[np.isfinite(snr)]**2)))


def _at_radii(profile, radius):
    """
    Interpolate surface brightness, error and flags at other radii.
    """
    at = profile['radius'].to_value(radius.unit)
    want = radius.value
    values = [profile[name].value for name in (
        'surface_brightness', 'surface_brightness_err')]
    flag = np.asarray(profile['flag'])
    # (the radii of forced photometry, which rounding may have moved)
    if len(at) == len(want) and np.allclose(at, want, rtol=1e-6, atol=1e-6):
        return *values, flag
    # NaN between: a ring without a value is not bridged.
    values = [np.interp(want, at, value, left=np.nan, right=np.nan)
              for value in values]
    nearest = np.abs(want[:, None] - at).argmin(1)
    flag = flag[nearest].copy()
    flag[(want < at[0]) | (want > at[-1])] |= RingFlag.EXTRAPOLATED
    return *values, flag


def _join(profiles, first, pairs, fwhm, shape=None, matched=None):
    """
    Make the table of colours.
    """
    shape = profiles[first] if shape is None else shape
    radius = shape['radius']
    table = QTable()
    table['radius'] = radius
    values = {band: _at_radii(profile if matched is None else _as_seen(
        profile, *matched[0][band]), radius)
        for band, profile in profiles.items()}
    for band, (value, error, flag) in values.items():
        table[band] = value * SB_UNIT
        table[f'{band}_err'] = error * SB_UNIT
        table[f'{band}_flag'] = flag
    for one, two in pairs:
        name = f'{one}-{two}'
        a, b = values[one], values[two]
        flag = a[2] | b[2]
        if radius.unit != u.pix and matched is None:
            broad = max(fwhm[one], fwhm[two])
            flag[radius.to_value(u.arcsec) < broad] |= RingFlag.UNRESOLVED
        table[name] = (a[0] - b[0]) * u.mag
        table[f'{name}_err'] = np.hypot(a[1], b[1]) * u.mag
        table[f'{name}_flag'] = flag
    meta = shape.meta
    table.meta.update({key: meta[key] for key in (
        'fitter', 'version', 'weights', 'source', 'ra', 'dec')
        if key in meta})
    table.meta.update(reference=first, bands=list(profiles),
                      colours=[f'{one}-{two}' for one, two in pairs])
    if matched is not None:
        table.meta['psf_matched'] = matched[1]
    return table


def _as_seen(profile, change, error):
    """
    Change the brightness of a profile to that behind another PSF.
    """
    # (rings without a signal need none)
    change, error = np.nan_to_num(change), np.nan_to_num(error)
    seen = QTable(profile, copy=True)
    seen['surface_brightness'] = profile['surface_brightness'] + (
        change * SB_UNIT)
    seen['surface_brightness_err'] = np.hypot(
        profile['surface_brightness_err'].value, error) * SB_UNIT
    # All bands have the same PSF now.
    flag = np.array(profile['flag']) & ~int(RingFlag.UNRESOLVED)
    flag[np.abs(change) > LARGE_CORRECTION] |= RingFlag.PSF_CORRECTED
    seen['flag'] = flag
    return seen
