# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The layouts of FITS files that hold cubes of spectra.
"""

import re
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning
from astropy.wcs import WCS

from astro_pix2prof.image.files import read_pixels
from astro_pix2prof.image.header import header_values, header_wcs
from astro_pix2prof.image.planes import ErrorPlane
from astro_pix2prof.image.units import parse_unit

__all__ = ['medium_of', 'read_cube_file']


# Names of extensions, and the power of sigma that they hold: MUSE has STAT,
# MaNGA IVAR, CALIFA ERROR, SAMI VARIANCE, KCWI UNCERT, KMOS NOISE and JWST
# ERR.
_ERRORS = {'STAT': 2, 'VAR': 2, 'VARIANCE': 2, 'ERR': 1, 'ERROR': 1,
           'UNCERT': 1, 'SIGMA': 1, 'STD': 1, 'STDDEV': 1, 'NOISE': 1,
           'RMS': 1, 'IVAR': -2, 'INVVAR': -2}

_MASKS = ('MASK', 'DQ', 'BADPIX', 'FLAGS')

# Extensions that hold the flux, if the primary one does not.
_FLUX = ('FLUX', 'DATA', 'SCI')

# Old spellings of axes of wavelengths, which no standard knows.
_WAVELENGTHS = ('WAVELENGTH', 'LAMBDA', 'LINEAR', 'ANGSTROM', 'WAV')

# Wavelengths (Angstrom) that numbers without a unit are taken for, and the
# longest one (1 m) that a cube of wavelengths is believed to have.
_OPTICAL = 3000.0, 30_000.0
_LONGEST = 1e10


def medium_of(ctype):
    """
    Tell from the type of a spectral axis what its wavelengths refer to.

    Parameters
    ----------
    ctype : str
        The CTYPE of the axis.

    Returns
    -------
    medium : {'air', 'vacuum', ''}
    """
    return {'AWAV': 'air', 'WAVE': 'vacuum', 'FREQ': 'vacuum',
            'ENER': 'vacuum', 'WAVN': 'vacuum'}.get(
                ctype.strip().upper().partition('-')[0], '')


class _Section:
    """
    The pixels of an extension, read when they are asked for.
    """

    def __init__(self, hdu):
        self.hdu = hdu
        self.shape = hdu.shape

    def __getitem__(self, part):
        info = self.hdu.fileinfo()
        file = info['file'] if info else None
        # (a part of a compressed file takes as long as the whole of it)
        if file is None or getattr(file, 'compression', None) or (
                'data' in vars(self.hdu)):
            return read_pixels(self.hdu)[part]
        try:
            return self.hdu.section[part]
        except Exception as exc:  # of a damaged file: almost any kind
            msg = (f'the extension {self.hdu.name!r} of the cube cannot be '
                   f'read, the file may be cut short: {exc}')
            raise OSError(msg) from exc


def _header_unit(text, unit):
    """
    Read the unit of the header, where none was given.
    """
    if unit is not None:
        return unit
    try:
        return parse_unit(re.sub(r'\s*/\s*spaxel\b', '', text,
                                 flags=re.IGNORECASE))
    except ValueError as error:
        msg = f'BUNIT of the cube: {error}; or give unit='
        raise ValueError(msg) from error


def read_cube_file(hdulist, hdu=None, unit=None):
    """
    Find the flux, errors, mask and axes of a cube in a FITS file.

    Parameters
    ----------
    hdulist : `~astropy.io.fits.HDUList`
        The file.

    hdu : int, str or tuple, optional
        The extension that holds the flux. By default, the first cube that
        holds neither errors nor a mask.

    unit : `~astropy.units.UnitBase`, optional
        The unit that was given, in place of the one of the header.

    Returns
    -------
    parts : dict
        The arguments of `~astro_pix2prof.spectra.cubes.Cube`.

    Raises
    ------
    ValueError
        If there is no cube, or it has no spectral axis or no unit that is
        understood.

    OSError
        If the file is cut short.
    """
    chosen = _choose(hdulist, hdu)
    header = chosen.header
    wave, spectral, medium = _spectral_axis(hdulist, chosen)
    values = header_values(header, *(
        [hdulist[0].header] if chosen is not hdulist[0] else []))
    text = str(values.get('BUNIT', ''))
    name = values.get('OBJECT')
    return {
        'data': _Section(chosen),
        'unit': _header_unit(text, unit),
        'wave': wave, 'medium': medium, 'spectral_wcs': spectral,
        'error': _find_error(hdulist, chosen),
        'mask': _find_mask(hdulist, chosen),
        'wcs': _celestial(header, hdulist),
        'name': name if isinstance(name, str) and name.strip() else None}


def _is_cube(hdu):
    return hdu.is_image and len(hdu.shape) == 3


def _choose(hdulist, hdu):
    """
    Choose the extension that holds the flux.
    """
    listing = ', '.join(f'{k} {item.name}'.strip() + _size_of(item)
                        for k, item in enumerate(hdulist))
    if hdu is not None:
        try:
            chosen = hdulist[hdu]
        except (KeyError, IndexError, TypeError):
            msg = f'hdu={hdu!r} is not in the file, which holds: {listing}'
            raise ValueError(msg) from None
        if not _is_cube(chosen):
            msg = (f'hdu must be a cube with three axes, got {hdu!r}; the '
                   f'file holds: {listing}')
            raise ValueError(msg)
        return chosen
    cubes = [item for item in hdulist if _is_cube(item)]
    cubes = [item for item in cubes if item.name.upper() in _FLUX] or [
        item for item in cubes
        if item.name.upper() not in (*_ERRORS, *_MASKS)]
    if not cubes:
        msg = ('cube must have three axes, two on the sky and a spectral '
               f'one, but the file holds: {listing}')
        raise ValueError(msg)
    return cubes[0]


def _size_of(hdu):
    """
    Describe the axes of an image, such as ' (300 x 200)'; '' if it has none.
    """
    if not hdu.is_image or not hdu.shape:
        return ''
    return f' ({" x ".join(map(str, hdu.shape[::-1]))})'


def _companions(hdulist, chosen, names):
    """
    List the extensions of some names with the shape of the flux.
    """
    return [item for item in hdulist
            if item is not chosen and _is_cube(item)
            and item.name.upper() in names and item.shape == chosen.shape]


def _find_error(hdulist, chosen):
    """
    Find the errors: the extension that the header names, or a known one.
    """
    named = str(chosen.header.get('ERRDATA', '')).strip().upper()
    found = _companions(hdulist, chosen, _ERRORS)
    found = [item for item in found if item.name.upper() == named] or found
    if not found:
        _warn_of_other_cubes(hdulist, chosen)
        return None
    if len(found) > 1:
        warnings.warn(
            'the file has several extensions of errors, '
            f'{", ".join(item.name for item in found)}: {found[0].name} is '
            'used', AstropyUserWarning, stacklevel=4)
    return ErrorPlane(_Section(found[0]), _ERRORS[found[0].name.upper()])


def _warn_of_other_cubes(hdulist, chosen):
    """
    Warn of cubes that may be errors, but are not used.
    """
    known = *_MASKS, *_FLUX
    others = [item for item in hdulist
              if item is not chosen and _is_cube(item)
              and item.name.upper() not in known
              and (item.name.upper() in _ERRORS
                   or item.shape == chosen.shape)]
    if others:
        listing = ', '.join((item.name or 'without a name') + _size_of(item)
                            for item in others)
        warnings.warn(
            f'the cube{_size_of(chosen)} has no errors: the file holds '
            f'{listing}, but they have to be of its shape and be named '
            f'{", ".join(_ERRORS)}', AstropyUserWarning, stacklevel=5)


def _find_mask(hdulist, chosen):
    found = _companions(hdulist, chosen, _MASKS)
    return _Section(found[0]) if found else None


def _celestial(header, hdulist):
    wcs = header_wcs(header, hdulist)
    return None if wcs is None else wcs.celestial


def _spectral_axis(hdulist, chosen):
    """
    Find wavelengths, the WCS of the spectral axis, and its medium.
    """
    n = chosen.shape[0]
    header = chosen.header
    ctype = str(header.get('CTYPE3', '')).strip()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstropyWarning)
        try:
            spectral = WCS(header, fobj=hdulist).sub(['spectral'])
        except Exception:  # wcslib raises its own kinds
            spectral = None
    if spectral is not None and spectral.naxis == 1:
        if not ctype.upper().startswith(spectral.wcs.ctype[0][:4]):
            msg = ('cube must have its spectral axis as the third axis of '
                   f'the FITS file, got CTYPE3={ctype!r}')
            raise ValueError(msg)
        wave = spectral.wcs_pix2world(np.arange(n), 0)[0]
        unit = u.Unit(spectral.wcs.cunit[0])
        if unit == u.m and not str(header.get('CUNIT3', '')).strip() and (
                np.abs(wave).max() > 1e-2):
            # (they are in metres by the standard, and hardly ever meant so)
            unit, spectral = _guess_unit(wave), None
        wave = wave * unit
        try:
            wave = _check_long(wave.to(u.AA, u.spectral()), unit)
        except u.UnitConversionError:
            msg = ('cube must have a spectral axis of wavelengths, '
                   f"frequencies or energies, got CTYPE3={ctype!r}")
            raise ValueError(msg) from None
        return wave, spectral, medium_of(ctype)
    medium = 'air' if ctype.upper().startswith('AW') else ''
    for name in ('WAVE', 'WAVELENGTH'):
        table = hdulist[name] if name in hdulist else None
        if isinstance(table, fits.ImageHDU) and table.shape == (n,):
            return read_pixels(table).astype(float) * u.AA, None, medium
    step = header.get('CD3_3', header.get('CDELT3'))
    if ctype.upper().startswith(_WAVELENGTHS) and step and (
            'CRVAL3' in header):
        wave = header['CRVAL3'] + step * (
            np.arange(n) + 1 - header.get('CRPIX3', 1.0))
        text = str(header.get('CUNIT3', '')).strip()
        unit = u.Unit(text) if text else _guess_unit(wave)
        return _check_long((wave * unit).to(u.AA), unit), None, medium
    msg = (f'cube has no spectral axis that is understood, CTYPE3={ctype!r}: '
           'give a Spectrum of specutils with a spectral_axis')
    raise ValueError(msg)


def _guess_unit(wave):
    """
    Take wavelengths without a unit for Angstrom, if they can be that.
    """
    low, high = float(np.min(wave)), float(np.max(wave))
    if not (_OPTICAL[0] <= low and high <= _OPTICAL[1]):
        msg = (f'cube has wavelengths from {low:g} to {high:g} without a '
               'unit: set CUNIT3 in its header, such as nm, um or Angstrom')
        raise ValueError(msg)
    warnings.warn(
        f'the wavelengths of the cube, {low:g} to {high:g}, have no unit '
        '(CUNIT3): they are taken as Angstrom', AstropyUserWarning,
        stacklevel=5)
    return u.AA


def _check_long(wave, unit):
    """
    Refuse wavelengths that no cube has.
    """
    longest = float(wave.value.max())
    # (radio astronomers have frequencies)
    if unit.is_equivalent(u.m) and longest > _LONGEST:
        msg = (f'cube has wavelengths up to {longest:.3g} Angstrom by its '
               f"unit {str(unit)!r}: correct CUNIT3 in its header")
        raise ValueError(msg)
    return wave
