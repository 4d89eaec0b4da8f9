# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Zero points from units, headers and options.
"""

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import (
    check_choice,
    check_number,
    read_text_quantity,
)
from astro_pix2prof.image.conventions import (
    choose_zero,
    find_disagreeing,
    header_system,
    stated_system,
    stated_zeros,
    unread_system,
    unstated_system,
)
from astro_pix2prof.image.header import pivot_wavelength
from astro_pix2prof.image.units import is_counts_like, is_surface_brightness

__all__ = ['ZeroPoint', 'find_zeropoint', 'header_zeropoint',
           'unit_zeropoint']


_ST = u.erg / u.s / u.cm**2 / u.AA

# Keywords of fluxes, from which magnitudes of one system follow.
_FLUXES = ('PHOTFLAM', 'PHOTMJSR', 'PHOTFNU')

# A difference between the zero points of an argument and of a unit that is
# worth a warning (mag).
_ZEROPOINT_TOLERANCE = 0.01


@dataclass(frozen=True)
class ZeroPoint:
    """
    The magnitude that one data unit stands for.

    Parameters
    ----------
    value : float
        The magnitude of one data unit in one pixel or, if ``per_area``,
        the surface brightness in mag/arcsec2 of one data unit.

    system : {'AB', 'ST', 'Vega'}
        The magnitude system.

    per_area : bool, optional
        Whether ``value`` is a surface brightness.

    source : str, optional
        Where the value comes from.
    """

    value: float
    system: str
    per_area: bool = False
    source: str = ''


# (the images of a survey have the same unit)
@lru_cache(maxsize=256)
def unit_zeropoint(unit):
    """
    Find the zero point that follows from a unit alone.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image.

    Returns
    -------
    zeropoint : `ZeroPoint` or `None`
        `None` if the unit is not a flux density or a surface brightness.
        Flux per frequency and maggies are in the AB system, flux per
        wavelength is in the ST system (Oke & Gunn 1983, ApJ 266, 713;
        Koornneef et al. 1986, Highlights of Astronomy 7, 833).
    """
    per_area = is_surface_brightness(unit)
    flux = unit * u.arcsec**2 if per_area else unit
    for reference, system in ((u.mgy, 'AB'), (u.AB, 'AB'), (u.ST, 'ST'),
                              (_ST, 'ST')):
        try:
            value = flux.to(reference)
        except u.UnitConversionError:
            continue
        zeropoint = -2.5 * np.log10(value)
        if reference is _ST:
            zeropoint -= 21.10
        # adding zero turns -0.0 into 0.0
        return ZeroPoint(float(zeropoint) + 0.0, system, per_area,
                         f"unit '{unit}'")
    return None


@lru_cache(maxsize=256)
def _is_maggies(unit):
    return unit.is_equivalent(u.mgy) or (
        unit * u.arcsec**2).is_equivalent(u.mgy)


def header_zeropoint(header, unit=u.dimensionless_unscaled,
                     pixel_scale=None):
    """
    Find the zero point that a header gives.

    Parameters
    ----------
    header : dict
        Header values by upper-case keyword.

    unit : `~astropy.units.UnitBase`, optional
        The unit of the image. PHOTFLAM, PHOTFNU, PHOTMJSR and FPA.ZP belong
        to count rates: images in counts need an exposure time in the header
        too.

    pixel_scale : float, optional
        The size of a pixel in arcsec, to compare PHOTMJSR with the others.

    Returns
    -------
    zeropoint : `ZeroPoint` or `None`
        `None` if the header gives none, or the unit is neither counts nor
        none.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If two keywords disagree by more than 0.02 mag, each by its own
        convention; or if a keyword whose convention is open goes with
        counts that are not per second.
    """
    # (kelvins and line fluxes have no zero point)
    counts = is_counts_like(unit) or (unit * u.s).is_equivalent(u.s) or (
        unit * u.s).is_equivalent(u.dimensionless_unscaled)
    zeros = stated_zeros(header, unit) if counts else []
    if not zeros:
        return None
    used, doubt = choose_zero(zeros, header, unit, pixel_scale)
    other = find_disagreeing(used, zeros, header, unit, pixel_scale)
    if other is not None and not used.is_open:
        # (that is enough to look at)
        doubt = ''
    for text in (doubt or used.doubt, '' if other is None else (
            f'the header gives {used.text} and {other.text}: {used.keyword} '
            'is used; give zeropoint= to choose')):
        if text:
            warnings.warn(text, AstropyUserWarning, stacklevel=2)
    return ZeroPoint(used.value, used.system, used.per_area, used.keyword)


def _given_zeropoint(zeropoint, unit, system):
    source = 'zeropoint='
    per_area = is_surface_brightness(unit)
    if isinstance(zeropoint, ZeroPoint):
        return zeropoint
    zeropoint = read_text_quantity(zeropoint)
    if isinstance(zeropoint, u.Quantity):
        if not zeropoint.isscalar:
            msg = ('zeropoint must be one number, got an array of shape '
                   f'{zeropoint.shape}')
            raise ValueError(msg)
        zunit = zeropoint.unit
        if isinstance(zunit, u.MagUnit):
            physical = zunit.physical_unit
            for flux in (physical, physical * unit):
                # an AB or ST flux, or such a flux per data unit
                if flux.is_equivalent(u.AB):
                    shift = -2.5 * np.log10(flux.to(u.AB))
                    return ZeroPoint(float(zeropoint.value + shift), 'AB',
                                     per_area, source)
                if flux.is_equivalent(u.ST):
                    shift = -2.5 * np.log10(flux.to(u.ST))
                    return ZeroPoint(float(zeropoint.value + shift), 'ST',
                                     per_area, source)
        if zunit not in (u.mag, u.dimensionless_unscaled):
            msg = (f"zeropoint has the unit '{zunit}', but it must be the "
                   'magnitude of one data unit: a number, or a Quantity in '
                   'u.mag, u.ABmag or u.STmag')
            raise ValueError(msg)
        zeropoint = zeropoint.value
    value = check_number(zeropoint, 'zeropoint')
    return ZeroPoint(value, system or 'AB', per_area, source)


def find_zeropoint(unit, *, zeropoint=None, mag_system=None, header=None,
                   pixel_scale=None):
    """
    Find the zero point of an image.

    The argument comes first, then a unit that is itself absolute, then the
    header.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image.

    zeropoint : float or `~astropy.units.Quantity`, optional
        The magnitude of one data unit.

    mag_system : {'AB', 'ST', 'Vega'}, optional
        The system of a ``zeropoint`` that is a plain number or of the
        header's zero point.

    header : dict, optional
        Header values by upper-case keyword.

    pixel_scale : float, optional
        The size of a pixel in arcsec, to compare zero points that are
        surface brightness with others.

    Returns
    -------
    zeropoint : `ZeroPoint` or `None`
        `None` if none of the three gives one.

    Raises
    ------
    TypeError
        If ``zeropoint`` is not a number.

    ValueError
        If ``mag_system`` is not the system of a flux of unit or header, or
        ``zeropoint`` is not a finite magnitude or ``mag_system`` is not
        known.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ``zeropoint`` and an absolute unit disagree by more than 0.01
        mag, or the unit or keywords of a header by more than 0.02 mag; or
        if the header states a magnitude system that is not known.
    """
    header = header or {}
    if mag_system is not None:
        mag_system = check_choice(mag_system, 'mag_system',
                                  ('AB', 'ST', 'Vega'))

    of_unit = unit_zeropoint(unit)
    # (those of WISE are Vega: a maggy is the flux of magnitude 0 of a system)
    is_maggies = of_unit is not None and _is_maggies(unit)
    system = header_system(header)
    if is_maggies:
        of_unit = replace(of_unit, system=mag_system if mag_system in (
            'AB', 'Vega') else 'Vega' if system == 'Vega' else 'AB')
    elif of_unit is not None and of_unit.system == 'ST':
        of_unit = _of_wavelength(of_unit, unit, header, mag_system,
                                 is_used=zeropoint is None)
    if zeropoint is not None:
        given = _given_zeropoint(zeropoint, unit, mag_system)
        is_number = mag_system is None and isinstance(
            zeropoint, int | float | np.number)
        off = 0.0 if of_unit is None else abs(of_unit.value - given.value)
        if off > _ZEROPOINT_TOLERANCE and (
                mag_system is None or given.system == of_unit.system):
            warnings.warn(f'zeropoint={given.value:.4f} is used, although '
                          f"the unit '{unit}' means {of_unit.value:.4f} "
                          f'({of_unit.system})',
                          AstropyUserWarning, stacklevel=2)
        elif is_number and of_unit is not None and of_unit.system == 'ST':
            # (the number is that of the unit)
            given = replace(given, system='ST')
        if is_number and system == 'Vega':
            warnings.warn('zeropoint= is taken as AB, although zero points '
                          'of such headers are Vega: give mag_system=',
                          AstropyUserWarning, stacklevel=2)
        return given
    if of_unit is not None:
        _warn_of_header(of_unit, unit, header, pixel_scale)
    found = of_unit or header_zeropoint(header, unit, pixel_scale)
    if found is None:
        return None
    is_flux = found is of_unit or any(key in found.source for key in _FLUXES)
    if mag_system is None and not is_flux and unread_system(header):
        warnings.warn(f'the header says {unread_system(header)}, which is '
                      'not AB, ST or Vega: magnitudes are taken as '
                      f'{found.system}; give mag_system= if they are others',
                      AstropyUserWarning, stacklevel=2)
    elif mag_system is None and not is_flux and found.system == 'AB' and (
            text := unstated_system(header, found.source)):
        warnings.warn('the header does not say the system of '
                      f'{found.source}, which often is Vega with {text}: it '
                      'is taken as AB; give mag_system= to choose',
                      AstropyUserWarning, stacklevel=2)
    if mag_system in (None, found.system):
        return found
    if is_flux:
        msg = (f'mag_system={mag_system!r} does not go with {found.source}, '
               f'from which magnitudes of the system {found.system} follow: '
               'leave mag_system out, or give zeropoint= in that system')
        raise ValueError(msg)
    return ZeroPoint(found.value, mag_system, found.per_area, found.source)


def _of_wavelength(zero, unit, header, mag_system, *, is_used):
    """
    Choose between ST and AB, if a header has the pivot wavelength for it.
    """
    pivot, stated = pivot_wavelength(header), stated_system(header)
    wanted = mag_system or stated or 'AB'
    if pivot is not None and np.isfinite(pivot) and wanted == 'AB':
        flux = unit * u.arcsec**2 if zero.per_area else unit
        value = (1 * flux).to_value(u.AB, u.spectral_density(pivot * u.AA))
        return replace(zero, value=float(-2.5 * np.log10(value)), system='AB',
                       source=f'{zero.source} and PHOTPLAM')
    if is_used and mag_system is None and stated not in (None, 'ST'):
        unless = ('' if stated == 'Vega' else ' unless PHOTPLAM is the pivot '
                  'wavelength in Angstrom')
        warnings.warn(
            f'the header says {stated}, and a unit of flux per wavelength '
            f"('{unit}') means ST magnitudes{unless}: they are in ST; give "
            'zeropoint= for another system', AstropyUserWarning, stacklevel=3)
    return zero


def _warn_of_header(zero, unit, header, pixel_scale):
    """
    Warn of a header whose zero point is not that of the unit.
    """
    # (frames of SDSS in nanomaggies keep FLUX20 of their counts)
    zeros = [other for other in stated_zeros(header, unit)
             if other.keyword != 'FLUX20']
    other = find_disagreeing(zero, zeros, header, unit, pixel_scale)
    if other is not None:
        warnings.warn(f"the unit '{unit}' gives the zero point "
                      f'{zero.value:.4f}, and the header {other.text}: the '
                      'unit is used; give zeropoint= to choose',
                      AstropyUserWarning, stacklevel=3)
