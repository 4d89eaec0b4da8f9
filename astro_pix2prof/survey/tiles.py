# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies on tiles of the sky.
"""

import warnings
from functools import lru_cache

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.image.astrometry import celestial_wcs
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.fits import choose_hdu
from astro_pix2prof.image.header import header_wcs

__all__ = ['TileSet']


# Points along each edge of a tile that tell how far it reaches.
_EDGE = 5


class TileSet:
    """
    Finds the image of the sky that holds a galaxy.

    Parameters
    ----------
    paths : list of str or ``upath.UPath``
        FITS files with a celestial WCS.

    hdu : int or str, optional
        The extension of the image, by default the first.

    band : int or str, optional
        The band, if a file holds several.

    Raises
    ------
    ValueError
        If there are no files, or none of them is an image with a celestial
        WCS.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If a file has none, or cannot be read: it is left out.
    """

    def __init__(self, paths, *, hdu=None, band=None):
        paths = [path if is_address(path) else str(path) for path in paths]
        self.paths, self.hdu, self.band = [], hdu, band
        if not paths:
            msg = 'images names no tiles: no such files'
            raise ValueError(msg)
        centres, reach, problems = [], [], []
        for path in paths:
            try:
                wcs, shape = _footprint(path, hdu, band)
            except (OSError, ValueError) as error:
                if is_address(path) and isinstance(
                        error, ConnectionError | PermissionError):
                    # (it may be there the next time)
                    raise
                problems.append(str(error))
                continue
            self.paths.append(path)
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
        if not self.paths:
            msg = (f'images: none of the {len(paths)} tile(s) can be used: '
                   f'{problems[0]}')
            raise ValueError(msg)
        for problem in problems:
            warnings.warn(f'{problem}; the tile is left out',
                          AstropyUserWarning, stacklevel=2)
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


@lru_cache(maxsize=1024)
def _footprint(path, hdu, band):
    """
    Read the celestial WCS and the shape of the image in a file.
    """
    with open_fits(path) as hdulist:
        chosen = choose_hdu(hdulist, hdu, band)
        wcs = celestial_wcs(header_wcs(chosen.header, hdulist))
        shape = chosen.shape[-2:]
    if wcs is None:
        msg = f'the tile {path} has no celestial WCS'
        raise ValueError(msg)
    return wcs, shape


def _vectors(sky):
    """
    Convert coordinates to unit vectors, shape (n, 3).
    """
    return sky.icrs.cartesian.xyz.value.T
