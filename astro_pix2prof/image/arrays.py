# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read arrays and choose the plane of a cube.
"""

import re
import warnings

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from astro_pix2prof.image.header import _header_text, matching_values
from astro_pix2prof.image.planes import ImageParts
from astro_pix2prof.image.units import (
    is_counts_like,
    is_rate,
    parse_unit,
)

__all__ = []


# As in 'Vega nanomaggies' and 'nMgy (AB)'.
_SYSTEM = re.compile(r'[\[(]?\b(vega|AB)\b[\])]?', re.IGNORECASE)


def _read_array(image, band, header=None):
    """
    Parts of anything that becomes a numeric array.
    """
    header = header or {}
    unit = mask = None
    if isinstance(image, list | tuple) and image and not all(
            isinstance(part, list | tuple | np.ndarray | float | int
                       | np.number) for part in image):
        msg = (f'image is a {type(image).__name__} of '
               f'{type(image[0]).__name__}: give one image, or several to '
               'fit_many')
        raise TypeError(msg)
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
    if data.dtype.names:
        msg = (f'image is a {type(image).__name__} with the columns '
               f'{", ".join(data.dtype.names[:3])}, ... and no image: give '
               'the image, or what fitter.fit returned')
        raise ValueError(msg)
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


def _header_unit(parts):
    """
    Take the unit from BUNIT if the image has no unit of its own.
    """
    text = _header_text(parts.header, 'BUNIT')
    if parts.unit is not None:
        return
    if text is None:
        parts.unit = _drizzled_unit(parts.header, None)
        parts.unit_from_header = parts.unit is not None
        return
    # (the system of maggies is no part of their unit)
    linear = _SYSTEM.sub('', text) if re.search(
        'magg|mgy', text, re.IGNORECASE) else text
    try:
        parts.unit = _drizzled_unit(parts.header, parse_unit(linear))
    except ValueError as exc:
        if 'not understood' not in str(exc):
            # magnitudes or flux per beam: unit= has to say more
            parts.unit = exc
        else:
            warnings.warn(f'BUNIT={text!r} is not understood and ignored: '
                          'give unit= if it matters',
                          AstropyUserWarning, stacklevel=2)
    parts.unit_from_header = True


def _drizzled_unit(header, unit):
    """
    Correct a unit by what drizzle notes of its output: 'cps' or 'counts'.

    BUNIT may be that of the exposures, which are in counts.
    """
    noted = {str(value).strip().lower()
             for value in matching_values(header, r'D\d{3}OUUN')}
    if noted not in ({'cps'}, {'counts'}):
        return unit
    is_per_second = noted == {'cps'}
    if unit is None:
        return u.ct / u.s if is_per_second else u.ct
    if not is_counts_like(unit) or is_rate(unit) == is_per_second:
        return unit
    right = unit / u.s if is_per_second else unit * u.s
    warnings.warn(f"BUNIT='{unit}' contradicts D001OUUN='{noted.pop()}', the "
                  f"output of drizzle: the unit is taken as '{right}'; give "
                  'unit= if it is another', AstropyUserWarning, stacklevel=3)
    return right
