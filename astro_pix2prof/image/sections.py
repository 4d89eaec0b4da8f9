# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cut-outs of galaxies from images that are too large to read.
"""

from contextlib import closing

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs.utils import proj_plane_pixel_scales

from astro_pix2prof.addresses import find_path
from astro_pix2prof.image.archives import BITS_KEYWORD, companion_files
from astro_pix2prof.image.astrometry import celestial_wcs, sky_to_pixel
from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.image.fits import choose_hdu
from astro_pix2prof.image.header import header_wcs
from astro_pix2prof.image.position import read_position

__all__ = ['cut_section']


# Pixels around what was asked for, and of its size in addition: pixel
# scales differ a little over a large image.
_MARGIN, _MORE = 4, 1.1

# Extensions that a WCS refers to.
_DISTORTIONS = ('D2IMARR', 'WCSDVARR')


def cut_section(hdulist, position, size, *, hdu=None, band=None):
    """
    The part of a FITS file around a position, other pixels stay on disk.

    Parameters
    ----------
    hdulist : `~astropy.io.fits.HDUList`
        The file, just opened. (With ``memmap=True``, scaled images cannot
        be cut.)

    position : tuple, `~astropy.coordinates.SkyCoord` or str
        Pixels (x, y) from 0, or sky coordinates.

    size : int, tuple of int or `~astropy.units.Quantity`
        The size of the cut-out: pixels, (ny, nx) pixels or an angle.

    hdu, band : int or str, optional
        Which image of the file.

    Returns
    -------
    section : `~astropy.io.fits.HDUList`
        The image and all extensions of its shape, somewhat larger than
        ``size``, with shifted WCS; also masks, errors and weights from
        other files, where the archive's names tell that they belong to it.

    position : tuple of float
        The position in pixels of the section.

    origin : tuple of int
        The pixel (x, y) of the file that is pixel (0, 0) of the section.

    Raises
    ------
    ValueError
        If the position lies outside of the image, or on the sky and there
        is no celestial WCS.
    """
    position = read_position(position)
    chosen = choose_hdu(hdulist, hdu, band)
    ny, nx = chosen.shape[-2:]
    angle = isinstance(size, u.Quantity) and size.unit != u.pix
    wcs = None
    if angle or isinstance(position, SkyCoord):
        wcs = celestial_wcs(header_wcs(chosen.header, hdulist))
        if wcs is None:
            msg = 'the image has no celestial WCS: give x= and y= and pixels'
            raise ValueError(msg)
    if isinstance(position, SkyCoord):
        position = sky_to_pixel(wcs, position)
    x, y = position
    if not (-0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5):
        msg = (f'position ({x:.1f}, {y:.1f}) lies outside of the image of '
               f'{nx} x {ny} pixels')
        raise ValueError(msg)
    if angle:
        size = size.to_value(u.deg) / proj_plane_pixel_scales(wcs).min()
    elif isinstance(size, u.Quantity):
        size = size.value
    half = int(np.ceil(_MORE * np.max(size) / 2)) + _MARGIN
    x0, x1 = max(round(x) - half, 0), min(round(x) + half + 1, nx)
    y0, y1 = max(round(y) - half, 0), min(round(y) + half + 1, ny)
    window = slice(y0, y1), slice(x0, x1)
    parts = [_cut(item, chosen.shape[-2:], *window, first=k == 0)
             for k, item in enumerate(hdulist)]
    parts += _cut_companions(hdulist.filename(), chosen.shape[-2:], *window)
    return fits.HDUList(parts), (x - x0, y - y0), (x0, y0)


def _cut(item, shape, rows, columns, *, first):
    """
    The part of one extension; what is no image of that shape is left out.
    """
    header = item.header.copy()
    data = None
    if item.is_image and len(item.shape) >= 2 and item.shape[-2:] == shape:
        data = read_pixels(item, (rows, columns))
        for key, start in (('CRPIX1', columns.start), ('CRPIX2', rows.start)):
            # (the default of CRPIX is 0)
            header[key] = header.get(key, 0.0) - start
        # the values are scaled by now
        for key in ('BSCALE', 'BZERO'):
            header.remove(key, ignore_missing=True)
        if data.dtype.kind == 'f':
            header.remove('BLANK', ignore_missing=True)
    if first:
        return fits.PrimaryHDU(data, header)
    if data is None and item.name in _DISTORTIONS:
        # tables of distortions that lie on pixels of the image
        for key, start in (('CRVAL1', columns.start), ('CRVAL2', rows.start)):
            header[key] = header.get(key, 0.0) - start
        return fits.ImageHDU(item.data, header)
    if data is None:
        # keeps the numbers of the extensions
        return fits.ImageHDU(name=item.name)
    return fits.ImageHDU(data, header)


def _cut_companions(name, shape, rows, columns):
    """
    Cut the parts of files that an archive puts beside the image.
    """
    parts = []
    for companion in companion_files(find_path(name)) if name else ():
        with closing(open_fits(companion.path)) as hdulist:
            for item in hdulist:
                if not item.is_image or item.shape[-2:] != shape:
                    continue
                part = _cut(item, shape, rows, columns, first=False)
                part.name = {'mask': 'MASK', 'weight': 'WEIGHT'}.get(
                    companion.role,
                    {1: 'ERR', 2: 'VAR', -2: 'IVAR'}[companion.power])
                if companion.bits is not None:
                    part.header[BITS_KEYWORD] = companion.bits
                parts.append(part)
    return parts
