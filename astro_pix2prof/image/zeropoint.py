# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Zero points from units, headers and options.
"""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import (
    check_choice,
    check_number,
    read_text_quantity,
)
from astro_pix2prof.image.header import _exposure_time, header_number
from astro_pix2prof.image.units import (
    is_counts_like,
    is_rate,
    is_surface_brightness,
)

__all__ = ['ZeroPoint', 'find_zeropoint', 'header_zeropoint',
           'unit_zeropoint']


# Keywords whose value is the magnitude of one data unit, in the order in
# which they are tried: MAGZERO of DES, Euclid and the Legacy Surveys, MAGZP of
# 2MASS, WISE and ZTF, PHOTZP of ESO's archive and of MegaPipe (UNIONS).
# PHOTZPT is not one of them: HST uses it for the constant -21.10 of the ST
# system.
_MAG_KEYWORDS = ('MAGZERO', 'MAGZP', 'PHOTZP', 'MAGZPT', 'ZEROPOINT',
                 'ZEROPNT', 'MAGZEROP', 'MAG_ZP', 'ZP', 'ZPT', 'FPA.ZP')

# The magnitude of one data unit per second: Pan-STARRS1.
_PER_SECOND = ('FPA.ZP',)

# Cameras whose MAGZPT is the magnitude of one data unit per second (pipeline
# of the Cambridge Astronomy Survey Unit), and their system.
_CASU = {'VIRCAM': 'Vega', 'WFCAM': 'Vega', 'WFC': None}

_SYSTEM_KEYWORDS = ('PHOTSYS', 'MAGSYS', 'ZPSYS')

# Surveys whose images carry a Vega zero point without saying so.
_VEGA_SURVEYS = ('2MASS', 'WISE')

_ST = u.erg / u.s / u.cm**2 / u.AA

# Keywords of fluxes, from which magnitudes of one system follow.
_FLUXES = ('PHOTFLAM', 'PHOTMJSR')

# A disagreement between two zero points that is worth a warning, in mag.
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


def header_zeropoint(header, unit=u.dimensionless_unscaled):
    """
    Find the zero point that a header gives.

    Parameters
    ----------
    header : dict
        Header values by upper-case keyword.

    unit : `~astropy.units.UnitBase`, optional
        The unit of the image. PHOTFLAM, PHOTMJSR and FPA.ZP belong to count
        rates: images in counts need an exposure time in the header too.

    Returns
    -------
    zeropoint : `ZeroPoint` or `None`
        `None` if the header gives none.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If two keywords disagree, or if MAGZPT goes with counts that are not
        per second.
    """
    system = _header_system(header)
    found = []
    for keyword in _MAG_KEYWORDS:
        zero = _of_keyword(keyword, header, unit, system)
        if zero is not None:
            found.append(zero)

    value = header_number(header, 'FLUXMAG0')
    if value is not None and value > 0:
        found.append(ZeroPoint(2.5 * np.log10(value), system,
                               source='FLUXMAG0'))
    if not found:
        return _inverse_sensitivity(header, unit)

    used = found[0]
    sensitivity = _inverse_sensitivity(header, unit)
    if sensitivity is not None and not sensitivity.per_area and (
            sensitivity.system == used.system):
        found.append(sensitivity)
    for other in found[1:]:
        if abs(other.value - used.value) > _ZEROPOINT_TOLERANCE:
            warnings.warn(f'the header gives {used.source}={used.value:.4f} '
                          f'and {other.source}={other.value:.4f}: '
                          f'{used.source} is used; give zeropoint= to choose',
                          AstropyUserWarning, stacklevel=2)
            break
    exptime = _exposure_time(header)
    if (used.source == 'MAGZPT' and _camera(header) not in _CASU
            and not is_rate(unit) and exptime not in (None, 1.0)):
        warnings.warn('MAGZPT is taken as the magnitude of one data unit, '
                      'but some pipelines mean one unit per second; in that '
                      'case give zeropoint='
                      f'{used.value + 2.5 * np.log10(exptime):.4f} '
                      f'(MAGZPT + 2.5 log10({exptime:g} s))',
                      AstropyUserWarning, stacklevel=2)
    return used


def _of_keyword(keyword, header, unit, system):
    """
    Zero point from a keyword that holds a magnitude.
    """
    value = header_number(header, keyword)
    # 0, -99, 99 and their like stand for 'not measured'; but images of ESO's
    # archive, which state PHOTSYS too, may have a PHOTZP of 0 (KiDS)
    stated = keyword == 'PHOTZP' and 'PHOTSYS' in header
    if value is None or abs(value) >= 90 or (value == 0 and not stated):
        return None
    per_second = keyword in _PER_SECOND
    if keyword == 'MAGZPT' and _camera(header) in _CASU:
        per_second = True
        system = (_stated_system(header) or _CASU[_camera(header)]
                  or system)
    if per_second and not is_rate(unit):
        exptime = _exposure_time(header)
        if exptime is None:
            return None
        value += 2.5 * np.log10(exptime)
    return ZeroPoint(float(value), system, source=keyword)


def _camera(header):
    return str(header.get('INSTRUME', '')).strip().upper()


def _inverse_sensitivity(header, unit):
    """
    Zero point from PHOTFLAM or PHOTMJSR, which belong to count rates.
    """
    photmjsr = header_number(header, 'PHOTMJSR')
    photflam = header_number(header, 'PHOTFLAM')
    photplam = header_number(header, 'PHOTPLAM')
    per_second = 0.0
    if not is_rate(unit):
        exptime = _exposure_time(header)
        if not is_counts_like(unit) or exptime is None:
            return None
        per_second = 2.5 * np.log10(exptime)

    if photmjsr is not None and photmjsr > 0:
        value = unit_zeropoint(u.MJy / u.sr).value - 2.5 * np.log10(photmjsr)
        return ZeroPoint(float(value + per_second), 'AB', True, 'PHOTMJSR')
    if photflam is None or photflam <= 0:
        return None
    if photplam is None or photplam <= 0:
        value = -2.5 * np.log10(photflam) - 21.10
        return ZeroPoint(float(value + per_second), 'ST', source='PHOTFLAM')
    f_nu = (photflam * _ST).to(u.Jy, u.spectral_density(photplam * u.AA))
    value = -2.5 * np.log10(f_nu.to_value(u.AB))
    return ZeroPoint(float(value + per_second), 'AB',
                     source='PHOTFLAM and PHOTPLAM')


def _stated_system(header):
    for keyword in _SYSTEM_KEYWORDS:
        value = str(header.get(keyword, '')).strip().upper()
        for system in ('Vega', 'AB', 'ST'):
            if value.startswith(system.upper()):
                return system
    return None


def _header_system(header):
    system = _stated_system(header)
    if system is not None:
        return system
    origin = ' '.join(str(header.get(keyword, ''))
                      for keyword in ('ORIGIN', 'TELESCOP')).upper()
    if any(survey in origin.split() for survey in _VEGA_SURVEYS):
        return 'Vega'
    return 'AB'


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


def find_zeropoint(unit, *, zeropoint=None, mag_system=None, header=None):
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
        If ``zeropoint`` and an absolute unit disagree by more than 0.01 mag.
    """
    header = header or {}
    if mag_system is not None:
        mag_system = check_choice(mag_system, 'mag_system',
                                  ('AB', 'ST', 'Vega'))

    of_unit = unit_zeropoint(unit)
    if zeropoint is not None:
        given = _given_zeropoint(zeropoint, unit, mag_system)
        if (of_unit is not None
                and abs(of_unit.value - given.value) > _ZEROPOINT_TOLERANCE):
            warnings.warn(f'zeropoint={given.value:.4f} is used, although '
                          f"the unit '{unit}' means {of_unit.value:.4f} "
                          f'({of_unit.system})',
                          AstropyUserWarning, stacklevel=2)
        return given
    found = of_unit or header_zeropoint(header, unit)
    if found is None or mag_system in (None, found.system):
        return found
    if found is of_unit or any(key in found.source for key in _FLUXES):
        msg = (f'mag_system={mag_system!r} does not go with {found.source}, '
               f'from which magnitudes of the system {found.system} follow: '
               'leave mag_system out, or give zeropoint= in that system')
        raise ValueError(msg)
    return ZeroPoint(found.value, mag_system, found.per_area, found.source)
