# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Reading of galaxy images from astropy containers, arrays and FITS files.
"""

import os
from pathlib import Path

from astropy.io import fits
from astropy.nddata import Cutout2D, NDData

from astro_pix2prof.image.archives import unpack_pixels
from astro_pix2prof.image.arrays import _header_unit, _read_array
from astro_pix2prof.image.fits import _read_file, _read_hdu, _read_hdulist
from astro_pix2prof.image.header import header_values
from astro_pix2prof.image.units import parse_unit

__all__ = ['read_image']


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


def _read_nddata(image, band):
    header = header_values(image.meta)
    parts = _read_array(unpack_pixels(image.data, header), band, header)
    if image.unit is not None:
        parts.unit = parse_unit(image.unit)
    _header_unit(parts)
    if image.mask is not None:
        parts.masks.append(parts.select(image.mask))
    parts.error = image.uncertainty
    parts.wcs = image.wcs
    return parts
