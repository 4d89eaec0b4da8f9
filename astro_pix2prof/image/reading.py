# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Reading of galaxy images from astropy containers, arrays and FITS files.
"""

import os
import warnings
from contextlib import closing

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D, NDData
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.archives import unpack_pixels
from astro_pix2prof.image.arrays import _header_unit, _read_array
from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.image.fits import (
    _read_file,
    _read_hdu,
    _read_hdulist,
    _read_plain_image,
    choose_hdu,
)
from astro_pix2prof.image.header import header_number, header_values
from astro_pix2prof.image.plain import PlainImage
from astro_pix2prof.image.units import flux_hint, parse_unit

__all__ = ['read_background', 'read_image']


_HDUS = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU,
         fits.BinTableHDU, fits.TableHDU)


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
    if isinstance(image, (str, os.PathLike)) or is_address(image):
        return _read_file(find_path(image, 'image').expanduser(), hdu, band,
                          bad_bits)
    if isinstance(image, fits.HDUList):
        return _read_hdulist(image, hdu, band, bad_bits)
    if isinstance(image, PlainImage):
        # (the one image of its file)
        return _read_plain_image(image, band)
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


def _read_nddata(image, band):
    header = header_values(image.meta)
    _refuse_unscaled_integers(image.data, header)
    parts = _read_array(unpack_pixels(image.data, header), band, header)
    if image.unit is not None:
        parts.unit = parse_unit(image.unit)
    _header_unit(parts)
    if image.mask is not None:
        parts.masks.append(parts.select(image.mask))
    if np.any(getattr(image, 'flags', None)):
        warnings.warn('the flags of the image are not read: give them as '
                      'mask=, with bad_bits= for those that matter',
                      AstropyUserWarning, stacklevel=3)
    parts.error = image.uncertainty
    parts.wcs = image.wcs
    return parts


def _refuse_unscaled_integers(data, header):
    """
    Refuse integers whose header still says how they have to be scaled.
    """
    scale = header_number(header, 'BSCALE')
    if scale not in (None, 1.0) and getattr(
            np.asarray(data).dtype, 'kind', '') in 'iu':
        msg = (f'the image holds integers, and its header BSCALE={scale:g}: '
               'they were not scaled. Read the file without '
               'do_not_scale_image_data, or scale them and remove BSCALE and '
               'BZERO from the header')
        raise ValueError(msg)


def read_background(background, unit, select):
    """
    Read the sky that is to be subtracted from an image.

    Parameters
    ----------
    background : float, 2D array_like, `~astropy.units.Quantity`, HDU or path
        A level or a map, in the unit of the image. Of a file, the first
        image is taken.

    unit : `~astropy.units.UnitBase`
        The unit of the image.

    select : function
        Picks the 2D plane from an array of the shape of the image.

    Returns
    -------
    background : float or 2D `~numpy.ndarray`
        The sky in ``unit``; not-a-number where it is masked.

    Raises
    ------
    TypeError
        If it holds no real numbers.

    ValueError
        If it has another shape or unit than the image, or no finite value.
    """
    if isinstance(background, (str, os.PathLike)) or is_address(background):
        with closing(open_fits(background)) as hdulist:
            background = read_pixels(choose_hdu(hdulist, None, None))
    elif isinstance(background, _HDUS):
        background = read_pixels(background)
    elif isinstance(background, NDData):
        parts = _read_nddata(background, None)
        background = np.ma.array(parts.data, mask=parts.find_mask())
        if isinstance(parts.unit, u.UnitBase):
            background = u.Quantity(background.filled(np.nan), parts.unit)
    if isinstance(background, u.Quantity):
        if not background.unit.is_equivalent(unit):
            msg = (f"background has the unit '{background.unit}', the image "
                   f"'{unit}'"
                   + flux_hint('background', background.unit, unit))
            raise ValueError(msg)
        background = background.to_value(unit)
    if isinstance(background, np.ma.MaskedArray):
        background = background.astype(float).filled(np.nan)
    array = np.asarray(background)
    if array.dtype.kind not in 'iuf':
        msg = ('background must be a number, a map of numbers, an HDU or the '
               f'path of a FITS file, got {type(background).__name__}')
        raise TypeError(msg)
    array = select(array.astype(float), 'background')
    if not np.isfinite(array).any():
        msg = 'background must have a finite value, got none'
        raise ValueError(msg)
    return float(background) if np.ndim(background) == 0 else array
