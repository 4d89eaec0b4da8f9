# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read FITS files: choose the extension and its companions.
"""

import astropy.units as u
from astropy.io import fits

from astro_pix2prof.image.arrays import _header_unit, _read_array
from astro_pix2prof.image.header import _header_text, header_values, header_wcs
from astro_pix2prof.image.planes import ErrorPlane, mask_to_bool
from astro_pix2prof.image.units import parse_unit

__all__ = ['choose_hdu']


# Names (EXTNAME or IMAGETYP) of the extensions that come with an image.
_MASK_NAMES = ('MASK', 'DQ', 'BADPIX', 'BPM')

_ERROR_NAMES = {
    'ERR': 1, 'ERROR': 1, 'SIGMA': 1, 'UNCERT': 1, 'UNC': 1, 'STDDEV': 1,
    'STD': 1, 'RMS': 1, 'VAR': 2, 'VARIANCE': 2, 'IVAR': -2, 'INVVAR': -2,
}

_OTHER_NAMES = ('WHT', 'WGT', 'WEIGHT', 'CON', 'CTX', 'EXP', 'EXPTIME',
                'NEXP', 'COVERAGE', 'COV', 'AREA', 'PSF', 'PSFIMAGE',
                'PSFSIZE', 'VAR_POISSON', 'VAR_RNOISE', 'VAR_FLAT', 'SAMP',
                'TIME', 'D2IMARR', 'WCSDVARR')

# Mask planes of the Rubin and HSC pipelines that spoil a pixel; others,
# like DETECTED, mark the galaxy itself.
_LSST_PLANES = ('BAD', 'SAT', 'CR', 'NO_DATA', 'EDGE', 'SUSPECT',
                'UNMASKEDNAN', 'BRIGHT_OBJECT')

# The DQ flag DO_NOT_USE; the other flags tell what was corrected.
_DO_NOT_USE = {'JWST': 1, 'ROMAN': 1}


def _read_file(path, hdu, band, bad_bits):
    try:
        # copied into memory, so that the file can be closed
        with fits.open(path, memmap=False) as hdulist:
            parts = _read_hdulist(hdulist, hdu, band, bad_bits)
    except OSError as exc:
        if isinstance(exc, (FileNotFoundError, PermissionError,
                            IsADirectoryError)):
            raise
        msg = f'{path} is not a readable FITS file: {exc}'
        raise OSError(msg) from exc
    if parts.name is None:
        parts.name = path.name.split('.fit')[0]
    return parts


def _is_image(hdu):
    # (the size in the header, so that nothing is read from disk)
    return hdu.is_image and len(hdu.shape) >= 2


def _role(hdu):
    """
    The name by which an extension says what it holds.
    """
    for keyword in ('EXTNAME', 'IMAGETYP'):
        value = hdu.header.get(keyword)
        if isinstance(value, str):
            role = value.strip().upper()
            if (role in _ERROR_NAMES or role in _MASK_NAMES
                    or role in _OTHER_NAMES):
                return role
    return ''


def _hdu_band(hdu):
    return _header_text(hdu.header, 'BAND', 'FILTER')


def _read_hdulist(hdulist, hdu, band, bad_bits):
    chosen = choose_hdu(hdulist, hdu, band)
    header = header_values(hdulist[0].header, chosen.header)
    parts = _read_hdu(chosen, band, header, hdulist)
    for role, companion in _companions(hdulist, chosen).items():
        if role == 'mask':
            bits = _mask_bits(companion, header, bad_bits)
            mask = mask_to_bool(companion.data, bad_bits=bits)
            parts.masks.append(parts.select(mask))
            parts.flagged = True
        else:
            parts.error = _companion_error(companion, parts)
    return parts


def choose_hdu(hdulist, hdu, band):
    """
    The extension of a FITS file that holds the image.
    """
    if hdu is not None:
        try:
            chosen = hdulist[hdu]
        except (KeyError, IndexError, TypeError):
            listing = ', '.join(f'{i} {item.name}'.strip()
                                for i, item in enumerate(hdulist))
            msg = f'hdu={hdu!r} is not in the file, which holds: {listing}'
            raise ValueError(msg) from None
        return chosen
    images = [item for item in hdulist if _is_image(item)]
    science = [item for item in images if not _role(item)] or images[:1]
    flat = [item for item in science if len(item.shape) == 2] or science
    if not flat:
        msg = 'the file holds no image'
        raise ValueError(msg)
    if isinstance(band, str) and len(flat) > 1:
        bands = [_hdu_band(item) for item in flat]
        if any(bands):
            if band not in bands:
                known = ', '.join(sorted({b for b in bands if b}))
                msg = (f'band={band!r} is not one of the bands of the file '
                       f'({known})')
                raise ValueError(msg)
            return flat[bands.index(band)]
    return flat[0]


def _companions(hdulist, chosen):
    """
    The mask and the error extension that belong to an image.
    """
    found = {'mask': [], 'error': []}
    for item in hdulist:
        role = _role(item)
        if item is chosen or not _is_image(item):
            continue
        if role in _MASK_NAMES:
            kind = 'mask'
        elif role in _ERROR_NAMES:
            kind = 'error'
        else:
            continue
        same_band = _hdu_band(item) in (None, _hdu_band(chosen))
        if item.shape == chosen.shape and same_band:
            found[kind].append(item)
    result = {}
    for kind, items in found.items():
        if len(items) > 1:
            items = [item for item in items if item.ver == chosen.ver]
        if len(items) == 1:
            result[kind] = items[0]
    return result


def _mask_bits(companion, header, bad_bits):
    if bad_bits is not None:
        return bad_bits
    planes = [companion.header.get(f'MP_{name}') for name in _LSST_PLANES]
    planes = [plane for plane in planes if isinstance(plane, int)]
    if planes:
        return sum(1 << plane for plane in set(planes))
    telescope = _header_text(header, 'TELESCOP') or ''
    return _DO_NOT_USE.get(telescope.upper())


def _companion_error(companion, parts):
    power = _ERROR_NAMES[_role(companion)]
    # as written by CCDData.write
    kinds = {'StdDevUncertainty': 1, 'VarianceUncertainty': 2,
             'InverseVariance': -2}
    stored = companion.header.get('UTYPE')
    if stored is not None and stored not in kinds:
        return None
    unit = None
    text = _header_text(companion.header, 'BUNIT')
    if text is not None:
        try:
            unit = parse_unit(text)
        except ValueError:
            unit = None
    error = ErrorPlane(parts.select(companion.data, 'uncertainty'),
                       kinds.get(stored, power), unit)
    # many files repeat the image's BUNIT for variances
    if unit is not None and not (
            isinstance(parts.unit, u.UnitBase)
            and unit.is_equivalent(parts.unit**error.power)):
        error.unit = None
    return error


def _read_hdu(hdu, band, header, hdulist=None):
    if not hdu.is_image:
        msg = (f"the extension '{hdu.name}' is a table, not an image: "
               'choose another one with hdu=')
        raise ValueError(msg)
    if hdu.data is None:
        msg = (f"the extension '{hdu.name}' holds no data: choose another "
               'one with hdu=')
        raise ValueError(msg)
    parts = _read_array(hdu.data, band, header)
    _header_unit(parts)
    parts.wcs = header_wcs(hdu.header, hdulist)
    return parts
