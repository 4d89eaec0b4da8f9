# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Reading of galaxy images from astropy containers, arrays and FITS files.
"""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D, NDData
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning
from astropy.utils.masked import Masked
from astropy.wcs import WCS, FITSFixedWarning

from astro_pix2prof.planes import ErrorPlane, ImageParts, mask_to_bool
from astro_pix2prof.units import parse_unit

__all__ = ['choose_hdu', 'header_values', 'header_wcs', 'read_image']

_HDUS = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU,
         fits.BinTableHDU, fits.TableHDU)

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


def read_image(image, *, hdu=None, band=None, bad_bits=None):
    """
    Take an image apart, whatever kind of image it is.

    Parameters
    ----------
    image : image of any kind
        See `astro_pix2prof.GalaxyCutout`.

    hdu : int, str or tuple, optional
        The extension of a FITS file.

    band : str or int, optional
        The band or plane of a cube, or the band's name.

    bad_bits : int, optional
        The bits of integer masks that reject a pixel.

    Returns
    -------
    parts : `ImageParts`
        The parts.

    Raises
    ------
    TypeError
        If the image is of a kind that is not known.

    ValueError
        If the image is not a numeric 2D image or no plane of a cube was
        chosen.
    """
    if isinstance(image, (str, os.PathLike)):
        return _read_file(Path(image), hdu, band, bad_bits)
    if isinstance(image, fits.HDUList):
        return _read_hdulist(image, hdu, band, bad_bits)
    if hdu is not None:
        msg = ('hdu chooses an extension of a FITS file or HDUList, but the '
               f'image is of type {type(image).__name__}')
        raise ValueError(msg)
    if isinstance(image, _HDUS):
        return _read_hdu(image, band, header_values(image.header))
    if isinstance(image, NDData):
        return _read_nddata(image, band)
    if isinstance(image, Cutout2D):
        parts = _read_array(image.data, band)
        parts.wcs = image.wcs
        parts.position = tuple(float(v) for v in image.input_position_cutout)
        return parts
    return _read_array(image, band)


def header_values(*headers):
    """
    Merge headers to one mapping; the last one wins.

    Parameters
    ----------
    *headers : mapping or `~astropy.io.fits.Header`
        The headers.

    Returns
    -------
    values : mapping
        Values by upper-case keyword; unreadable cards are left out. A card
        is read when it is asked for: of a hundred, few are.
    """
    return _HeaderValues([header for header in headers if isinstance(
        header, (Mapping, fits.Header))])


class _HeaderValues(Mapping):
    """
    The plain values of headers.
    """

    def __init__(self, headers):
        self._keys = {}
        for header in headers:
            for key in header:
                if not isinstance(key, str) or key in ('', 'COMMENT',
                                                       'HISTORY'):
                    continue
                if key.lower() == 'header' and isinstance(
                        self._value(header, key), (Mapping, fits.Header)):
                    inner = _HeaderValues([header[key]])
                    for name, places in inner._keys.items():
                        self._keys.setdefault(name, []).extend(places)
                    continue
                # (a card that cannot be read does not hide another)
                self._keys.setdefault(key.upper(), []).append((header, key))

    @staticmethod
    def _value(header, key):
        try:
            return header[key]
        except (fits.VerifyError, ValueError, KeyError):
            return None

    def __getitem__(self, key):
        for header, own in reversed(self._keys[key]):
            value = self._value(header, own)
            if isinstance(value, (str, bool, int, float, np.generic)):
                return value
        raise KeyError(key)

    def __iter__(self):
        return (key for key in self._keys if key in self)

    def __len__(self):
        return sum(1 for _ in self)

    def __bool__(self):
        # (counting would read all cards)
        return bool(self._keys)


def _read_array(image, band, header=None):
    """
    Parts of anything that becomes a numeric array.
    """
    header = header or {}
    unit = mask = None
    if isinstance(image, Masked):
        image, mask = image.unmasked, image.mask
    if isinstance(image, u.Quantity):
        image, unit = image.value, parse_unit(image.unit)
    elif isinstance(image, np.ma.MaskedArray):
        image, mask = image.data, np.ma.getmaskarray(image)
    try:
        data = np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as exc:
        msg = (f'image of type {type(image).__name__} does not become an '
               f'array: {exc}')
        raise TypeError(msg) from exc
    if data.dtype.kind == 'O' and data.ndim == 0:
        msg = ('image must be an array, Quantity, NDData, CCDData, Cutout2D, '
               'HDU, HDUList or the path of a FITS file, got '
               f'{type(image).__name__}')
        raise TypeError(msg)
    if data.dtype.kind not in 'iuf':
        msg = f'image must hold real numbers, got {data.dtype}'
        raise ValueError(msg)
    if data.size == 0:
        msg = f'image is empty: its shape is {data.shape}'
        raise ValueError(msg)
    select, band = _choose_plane(data.shape, band, header)
    parts = ImageParts(data=select(data), unit=unit, header=header,
                       band=band or _header_text(header, 'BAND', 'FILTER'),
                       name=_header_text(header, 'OBJECT'), select=select)
    if mask is not None:
        parts.masks.append(select(mask))
    return parts


def _choose_plane(shape, band, header):
    """
    Function that picks the 2D plane, and the name of the band.
    """
    full = shape
    label = band if isinstance(band, str) else None
    squeezed = [n for n in shape[:-2] if n > 1] + list(shape[-2:])
    if len(squeezed) == 3 and squeezed[-1] == 1:
        squeezed = squeezed[:-1]
    if len(squeezed) < 2 or len(squeezed) > 3:
        msg = f'image must be 2D, or a 3D cube, got the shape {full}'
        raise ValueError(msg)

    if len(squeezed) == 2:
        if band is not None and label is None and band != 0:
            msg = (f'band={band!r} chooses the plane of a cube, but the '
                   f'image is 2D with the shape {full}')
            raise ValueError(msg)
        return _Selector(tuple(squeezed), full), label

    last = squeezed[-1] in (3, 4) and squeezed[0] > 4
    axis = 2 if last else 0
    names = None if last else _plane_names(header, squeezed[0])
    index = _plane_index(band, squeezed[axis], names, full)
    name = names[index] if names else label
    return _Selector(tuple(squeezed), full, axis, index), name


class _Selector:
    """
    Picks the 2D plane of arrays with the shape of the input.
    """

    def __init__(self, squeezed, full, axis=None, index=None):
        self.squeezed = squeezed
        self.full = full
        self.axis = axis
        self.index = index

    @property
    def shape(self):
        return tuple(n for i, n in enumerate(self.squeezed) if i != self.axis)

    def __call__(self, array, what='mask'):
        array = np.asarray(array)
        if array.ndim == 0:
            return np.broadcast_to(array, self.shape)
        if array.shape == self.shape:
            return array
        if array.shape != self.full:
            msg = (f'{what} must have the shape of the image, '
                   f'{self.shape}, got {array.shape}')
            raise ValueError(msg)
        array = array.reshape(self.squeezed)
        if self.axis is None:
            return array
        return np.take(array, self.index, axis=self.axis)


def _plane_names(header, n_planes):
    bands = header.get('BANDS')
    if isinstance(bands, str):
        names = bands.replace(',', ' ').split()
        if len(names) == 1:
            names = list(names[0])
        if len(names) == n_planes:
            return names
    for key in ('BAND', 'FILTER'):
        for start in (0, 1):
            names = [_header_text(header, f'{key}{i + start}')
                     for i in range(n_planes)]
            if all(names):
                return names
    return None


def _plane_index(band, n_planes, names, shape):
    known = f' ({", ".join(names)})' if names else ''
    example = f"band='{names[-1]}' or band=1" if names else 'band=1'
    if band is None:
        msg = (f'image has the shape {shape}, {n_planes} planes{known}: '
               f'choose one, for example {example}. A colour picture (PNG, '
               'JPEG) is stretched and holds no photometry')
        raise ValueError(msg)
    if isinstance(band, str):
        if names and band in names:
            return names.index(band)
        folded = [name.lower() for name in names or ()]
        if folded.count(band.lower()) == 1:
            return folded.index(band.lower())
        if names is None:
            msg = (f'band={band!r} is not found: the planes of the image '
                   f'have no names, give a number from 0 to {n_planes - 1}')
        else:
            msg = f'band={band!r} is not one of the planes{known}'
        raise ValueError(msg)
    if isinstance(band, (bool, np.bool_)) or not isinstance(
            band, (int, np.integer)):
        msg = ('band must be the name or the number of a plane, got '
               f'{band!r}')
        raise TypeError(msg)
    if not 0 <= band < n_planes:
        msg = (f'band={band} is not one of the {n_planes} planes{known}: '
               f'give a number from 0 to {n_planes - 1}')
        raise ValueError(msg)
    return int(band)


def _header_text(header, *keywords):
    """
    Read a text of a header.

    Parameters
    ----------
    header : mapping
        The header.

    *keywords : str
        The keywords to try.

    Returns
    -------
    text : str or `None`
        The first that is not empty.
    """
    for keyword in keywords:
        value = header.get(keyword)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _header_unit(parts):
    """
    Take the unit from BUNIT if the image has no unit of its own.
    """
    text = _header_text(parts.header, 'BUNIT')
    if parts.unit is not None or text is None:
        return
    try:
        parts.unit = parse_unit(text)
    except ValueError as exc:
        if 'not understood' not in str(exc):
            # magnitudes or flux per beam: unit= has to say more
            parts.unit = exc
        else:
            warnings.warn(f'BUNIT={text!r} is not understood and ignored: '
                          'give unit= if it matters',
                          AstropyUserWarning, stacklevel=2)
    parts.unit_from_header = True


def _read_nddata(image, band):
    header = header_values(image.meta)
    parts = _read_array(image.data, band, header)
    if image.unit is not None:
        parts.unit = parse_unit(image.unit)
    _header_unit(parts)
    if image.mask is not None:
        parts.masks.append(parts.select(image.mask))
    parts.error = image.uncertainty
    parts.wcs = image.wcs
    return parts


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


def header_wcs(header, hdulist=None):
    """
    The WCS of a header, `None` if there is no celestial one.
    """
    with warnings.catch_warnings():
        # Old keywords that astropy repairs are no concern of the user.
        warnings.simplefilter('ignore', FITSFixedWarning)
        warnings.simplefilter('ignore', AstropyWarning)
        try:
            wcs = WCS(header, fobj=hdulist)
        except Exception as exc:
            failure = exc
        else:
            return wcs if wcs.has_celestial else None
    warnings.warn(f'the WCS of the header cannot be read and is ignored: '
                  f'{str(failure).strip().splitlines()[-1]}',
                  AstropyUserWarning, stacklevel=2)
    return None
