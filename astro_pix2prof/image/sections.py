# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cut-outs of galaxies from images that are too large to read.
"""

import os
from contextlib import closing
from functools import cached_property
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs.utils import proj_plane_pixel_scales

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.archives import BITS_KEYWORD, companion_files
from astro_pix2prof.image.astrometry import (
    celestial_wcs,
    outside_on_sky,
    sky_to_pixel,
)
from astro_pix2prof.image.beside import unread_files, warn_of_unread
from astro_pix2prof.image.extensions import find_role
from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.image.fits import choose_hdu, same_chip
from astro_pix2prof.image.header import header_wcs
from astro_pix2prof.image.plain import open_plain
from astro_pix2prof.image.position import read_position

__all__ = ['SectionFile', 'cut_section', 'find_shape', 'open_sections']


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
    return SectionFile(hdulist, hdu=hdu, band=band).cut(position, size)


def open_sections(path, *, hdu=None, band=None):
    """
    Open a FITS file out of which galaxies are cut.

    Parameters
    ----------
    path : str, path-like or ``upath.UPath``
        The file, or its address.

    hdu, band : int or str, optional
        Which image of the file.

    Returns
    -------
    file : `SectionFile`
        The file, to be closed.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, OSError
        As for `~astro_pix2prof.image.files.open_fits`.

    ValueError
        If there is no such image in the file.
    """
    if not is_address(path) and (hdu is None or (
            type(hdu) is int and hdu == 0)) and not companion_files(
                Path(path)):
        plain = open_plain(path)
        if plain is not None:
            return SectionFile(plain, hdu=hdu, band=band, path=path)
    hdulist = open_fits(path)
    try:
        return SectionFile(hdulist, hdu=hdu, band=band, path=path)
    except Exception:
        hdulist.close()
        raise


def find_shape(image, *, hdu=None, band=None):
    """
    Find the shape of an image, without reading the pixels of a file.

    Parameters
    ----------
    image : image of any kind
        As for `~astro_pix2prof.GalaxyCutout`.

    hdu, band : int or str, optional
        Which image of a file.

    Returns
    -------
    shape : tuple of int or `None`
        The shape (ny, nx); `None` if the image does not tell.

    Raises
    ------
    FileNotFoundError, OSError, ValueError
        As for `open_sections`.
    """
    if isinstance(image, str | os.PathLike) or is_address(image):
        with closing(open_sections(image, hdu=hdu, band=band)) as file:
            return tuple(file.shape)
    if isinstance(image, fits.HDUList):
        return tuple(SectionFile(image, hdu=hdu, band=band).shape)
    shape = getattr(image, 'input_shape', None) or getattr(
        image, 'shape', None)
    return None if shape is None else tuple(shape[-2:])


class SectionFile:
    """
    FITS file out of which galaxies are cut; its WCS is parsed once.

    Parameters
    ----------
    file : `~astropy.io.fits.HDUList` or `PlainFile`
        The file.

    hdu, band : int or str, optional
        Which image of the file.

    path : path-like, optional
        Where the file is.

    Raises
    ------
    ValueError
        If there is no such image.
    """

    def __init__(self, file, *, hdu=None, band=None, path=None):
        self._path = path
        self._file, self._plain = file, not isinstance(file, fits.HDUList)
        self._chosen = file if self._plain else choose_hdu(file, hdu, band)
        self.shape = self._chosen.shape[-2:]

    def close(self):
        """
        Close the file; sections that were cut out of it stay.
        """
        if not self._plain:
            self._file.close()

    def warn_of_unread(self, given=()):
        """
        Warn of files beside the file that may belong to it.

        Parameters
        ----------
        given : iterable of str, optional
            The options of masks and errors that are given, such as 'mask'.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            As `~astro_pix2prof.image.beside.warn_of_unread`.
        """
        if self._path is None or is_address(self._path):
            return
        path = Path(self._path)
        read = companion_files(path)
        files = unread_files(path, [item.path for item in read])
        if not files:
            return
        roles = {item.role for item in read}
        if not self._plain:
            inside = [find_role(item.name) for item in self._file
                      if item.is_image and item.shape[-2:] == self.shape]
            roles |= {role.kind for role in inside if role is not None}
        for kind in roles:
            files.pop(kind, None)
        warn_of_unread(files, 'error', 'error' in roles or bool(
            {'uncertainty', 'invvar', 'noise'} & set(given)))
        warn_of_unread(files, 'mask', 'mask' in roles or 'mask' in given)

    @cached_property
    def _wcs(self):
        wcs = (self._file.wcs if self._plain else celestial_wcs(
            header_wcs(self._chosen.header, self._file)))
        if wcs is None:
            msg = 'the image has no celestial WCS: give x= and y= and pixels'
            raise ValueError(msg)
        return wcs

    @cached_property
    def _scale(self):
        """
        The size of a pixel in degrees (float).
        """
        return proj_plane_pixel_scales(self._wcs).min()

    def window(self, position, size):
        """
        Find the rows and columns around a position.

        Parameters
        ----------
        position, size
            As for `cut_section`.

        Returns
        -------
        rows, columns : slice
            The rows and columns, with a start and a stop.

        position : tuple of float
            The position in pixels of the file.

        Raises
        ------
        ValueError
            As for `cut_section`.
        """
        position = read_position(position)
        ny, nx = self.shape
        angle = isinstance(size, u.Quantity) and size.unit != u.pix
        given = position
        if isinstance(position, SkyCoord):
            position = sky_to_pixel(self._wcs, position)
        x, y = position
        if angle:
            size = size.to_value(u.deg) / self._scale
        elif isinstance(size, u.Quantity):
            size = size.value
        if not (-0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5):
            msg = (f'position ({x:.1f}, {y:.1f}) lies outside of the image '
                   f'of {nx} x {ny} pixels')
            if isinstance(given, SkyCoord):
                msg = outside_on_sky(given, self._wcs, self.shape)
            raise ValueError(msg)
        half = int(np.ceil(_MORE * np.max(size) / 2)) + _MARGIN
        rows, columns = (slice(max(round(at) - half, 0),
                               min(round(at) + half + 1, n))
                         for at, n in ((y, ny), (x, nx)))
        return rows, columns, (x, y)

    def cut(self, position, size):
        """
        Cut out the part around a position, other pixels stay on disk.

        Parameters
        ----------
        position, size
            As for `cut_section`.

        Returns
        -------
        section : `~astropy.io.fits.HDUList` or `PlainImage`
            The part. A plain image has nothing but its pixels.

        position, origin : tuple
            As of `cut_section`.

        Raises
        ------
        ValueError
            As for `cut_section`.
        """
        rows, columns, (x, y) = self.window(position, size)
        x0, y0 = columns.start, rows.start
        return self.read(rows, columns), (x - x0, y - y0), (x0, y0)

    def read(self, rows, columns):
        """
        Read some rows and columns, as `window` finds them.

        Parameters
        ----------
        rows, columns : slice
            The rows and columns, with a start and a stop.

        Returns
        -------
        section : `~astropy.io.fits.HDUList` or `PlainImage`
            As of `cut`.
        """
        if self._plain:
            return self._file.cut(rows, columns)
        parts = [_cut(item, self.shape, rows, columns, first=k == 0)
                 for k, item in enumerate(self._file)]
        parts += _cut_companions(self._file.filename(), self.shape, rows,
                                 columns, self._chosen)
        return fits.HDUList(parts)


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


def _cut_companions(name, shape, rows, columns, chosen):
    """
    Cut the parts of files that an archive puts beside the image.
    """
    parts = []
    for companion in companion_files(find_path(name)) if name else ():
        with closing(open_fits(companion.path)) as hdulist:
            same = [item for item in hdulist if item.is_image
                    and item.shape[-2:] == shape]
            for item in same_chip(same, (chosen.name, chosen.ver)):
                part = _cut(item, shape, rows, columns, first=False)
                part.name = {'mask': 'MASK', 'weight': 'WEIGHT'}.get(
                    companion.role,
                    {1: 'ERR', 2: 'VAR', -2: 'IVAR'}[companion.power])
                if companion.bits is not None:
                    part.header[BITS_KEYWORD] = companion.bits
                parts.append(part)
    return parts
