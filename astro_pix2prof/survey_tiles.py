# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cut-outs of galaxies from images that are too large to read.
"""

from functools import lru_cache

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs.utils import proj_plane_pixel_scales

from astro_pix2prof.astrometry import celestial_wcs
from astro_pix2prof.reading import choose_hdu, header_wcs

__all__ = ['TileSet', 'cut_section']

# Pixels around what was asked for, and of its size in addition: pixel
# scales differ a little over a large image.
_MARGIN, _MORE = 4, 1.1

# Extensions that a WCS refers to.
_DISTORTIONS = ('D2IMARR', 'WCSDVARR')

# Points along each edge of a tile that tell how far it reaches.
_EDGE = 5


class TileSet:
    """
    Images of parts of the sky, and which of them holds a galaxy.

    Parameters
    ----------
    paths : list of str
        FITS files with a celestial WCS.

    hdu : int or str, optional
        The extension of the image, by default the first.

    band : int or str, optional
        The band, if a file holds several.

    Raises
    ------
    ValueError
        If there are no files, or one of them has no celestial WCS.
    """

    def __init__(self, paths, *, hdu=None, band=None):
        self.paths = [str(path) for path in paths]
        self.hdu, self.band = hdu, band
        if not self.paths:
            msg = 'images names no tiles: no such files'
            raise ValueError(msg)
        centres, reach = [], []
        for path in self.paths:
            wcs, shape = _footprint(path, hdu, band)
            x, y = (part.ravel() for part in np.meshgrid(
                np.linspace(-0.5, shape[1] - 0.5, _EDGE),
                np.linspace(-0.5, shape[0] - 0.5, _EDGE)))
            edge = _vectors(wcs.pixel_to_world(x, y))
            centre = np.nanmean(edge, axis=0)
            centre /= np.linalg.norm(centre)
            centres.append(centre)
            # (a little more: the edges are curves)
            reach.append(1.02 * np.arccos(np.clip(
                np.nanmin(edge @ centre), -1, 1)))
        self._centres, self._reach = np.array(centres), np.array(reach)

    def assign(self, sky):
        """
        Find the tile of each position: the one whose edge is farthest.

        Parameters
        ----------
        sky : `~astropy.coordinates.SkyCoord`, shape (n,)
            The positions.

        Returns
        -------
        tile : 1D `~numpy.ndarray` of int, shape (n,)
            The number of the tile, -1 if none holds the position.

        x, y : 1D `~numpy.ndarray`, shape (n,)
            The positions in pixels of the tile.
        """
        tile = np.full(len(sky), -1)
        pixel = np.full((2, len(sky)), np.nan)
        best = np.full(len(sky), -0.5)   # the outer edge of the last pixel
        near = _vectors(sky) @ self._centres.T >= np.cos(self._reach)
        for k in np.flatnonzero(near.any(axis=0)):
            rows = np.flatnonzero(near[:, k])
            wcs, shape = _footprint(self.paths[k], self.hdu, self.band)
            x, y = wcs.world_to_pixel(sky[rows])
            inside = np.min([x, y, shape[1] - 1 - x, shape[0] - 1 - y],
                            axis=0)
            inside = np.where(np.isfinite(inside), inside, -np.inf)
            better = inside > best[rows]
            tile[rows[better]] = k
            best[rows[better]] = inside[better]
            pixel[:, rows[better]] = x[better], y[better]
        return tile, *pixel


def cut_section(hdulist, position, size, *, hdu=None, band=None):
    """
    The part of a FITS file around a position, other pixels stay on disk.

    Parameters
    ----------
    hdulist : `~astropy.io.fits.HDUList`
        The file, just opened. (With ``memmap=True``, scaled images cannot
        be cut.)

    position : tuple of float or `~astropy.coordinates.SkyCoord`
        Pixels (x, y) from 0, or where on the sky.

    size : int, tuple of int or `~astropy.units.Quantity`
        The size of the cut-out: pixels, (ny, nx) pixels or an angle.

    hdu, band : int or str, optional
        Which image of the file.

    Returns
    -------
    section : `~astropy.io.fits.HDUList`
        The image and all extensions of its shape, somewhat larger than
        ``size``, with shifted WCS.

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
        position = tuple(float(v) for v in wcs.world_to_pixel(position))
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
    parts = [_cut(item, chosen.shape[-2:], slice(y0, y1), slice(x0, x1),
                  first=k == 0) for k, item in enumerate(hdulist)]
    return fits.HDUList(parts), (x - x0, y - y0), (x0, y0)


def _cut(item, shape, rows, columns, *, first):
    """
    The part of one extension; what is no image of that shape is left out.
    """
    header = item.header.copy()
    data = None
    if item.is_image and len(item.shape) >= 2 and item.shape[-2:] == shape:
        data = item.section[..., rows, columns]
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


@lru_cache(maxsize=1024)
def _footprint(path, hdu, band):
    """
    The celestial WCS and the shape of the image in a file.
    """
    with fits.open(path, memmap=False) as hdulist:
        chosen = choose_hdu(hdulist, hdu, band)
        wcs = celestial_wcs(header_wcs(chosen.header, hdulist))
        shape = chosen.shape[-2:]
    if wcs is None:
        msg = f'the tile {path} has no celestial WCS'
        raise ValueError(msg)
    return wcs, shape


def _vectors(sky):
    """
    Unit vectors, shape (n, 3).
    """
    return sky.icrs.cartesian.xyz.value.T
