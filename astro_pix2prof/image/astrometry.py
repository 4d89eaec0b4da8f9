# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Positions, sizes and pixel scales in images and on the sky.
"""

import warnings
from copy import deepcopy

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, Sip
from astropy.wcs.wcsapi import BaseLowLevelWCS, HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers.base import BaseWCSWrapper

__all__ = ['celestial_wcs', 'check_inside', 'find_pixel_scale', 'is_inside',
           'local_matrix', 'pixel_position', 'pixel_size', 'pixel_to_icrs',
           'shift_wcs', 'sky_to_pixel']


# Pixels whose sides differ by more than this have to be resampled first.
_MAX_NON_SQUARE = 0.01


class _ShiftedWCS(BaseWCSWrapper):
    """
    A WCS of any kind whose pixel (0, 0) was moved.
    """

    def __init__(self, wcs, origin, shape):
        super().__init__(wcs)
        self._origin = origin
        self._shape = shape

    def pixel_to_world_values(self, *pixel_arrays):
        moved = [np.asarray(p) + o for p, o in zip(pixel_arrays, self._origin,
                                                   strict=True)]
        return self._wcs.pixel_to_world_values(*moved)

    def world_to_pixel_values(self, *world_arrays):
        pixels = self._wcs.world_to_pixel_values(*world_arrays)
        return tuple(p - o for p, o in zip(pixels, self._origin, strict=True))

    @property
    def pixel_shape(self):
        return self._shape[::-1]

    @property
    def array_shape(self):
        return self._shape

    @property
    def pixel_bounds(self):
        return None


def celestial_wcs(wcs):
    """
    Reduce a WCS to its two celestial axes.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS`, other WCS of the common interface or `None`
        The WCS, for instance that of a cube.

    Returns
    -------
    wcs : WCS object or `None`
        The 2D celestial WCS, with all its distortions, or `None` if there
        is none.
    """
    if wcs is None:
        return None
    if isinstance(wcs, WCS):
        if not wcs.has_celestial:
            return None
        return wcs if wcs.naxis == 2 else wcs.celestial
    low = wcs if isinstance(wcs, BaseLowLevelWCS) else wcs.low_level_wcs
    if isinstance(low, WCS):
        return celestial_wcs(low)
    kinds = low.world_axis_physical_types
    celestial = all(kind is not None and kind.startswith('pos.')
                    for kind in kinds)
    if low.pixel_n_dim != 2 or low.world_n_dim != 2 or not celestial:
        return None
    if hasattr(wcs, 'pixel_to_world'):
        return wcs
    return HighLevelWCSWrapper(low)


def shift_wcs(wcs, origin, shape):
    """
    Move the pixel (0, 0) of a WCS.

    Parameters
    ----------
    wcs : WCS object or `None`
        The WCS.

    origin : tuple of int
        The (x, y) pixel of the new pixel (0, 0).

    shape : tuple of int
        The new shape (ny, nx) of the image.

    Returns
    -------
    wcs : WCS object or `None`
        A new WCS; unlike slicing, this allows for a negative origin.
    """
    if wcs is None:
        return None
    x0, y0 = origin
    # Look-up tables of distortion are tied to the pixels of the full image.
    lookup = isinstance(wcs, WCS) and any(
        table is not None for table in (wcs.cpdis1, wcs.cpdis2,
                                        wcs.det2im1, wcs.det2im2))
    if isinstance(wcs, WCS) and not (lookup and (x0, y0) != (0, 0)):
        shifted = deepcopy(wcs)
        shifted.wcs.crpix = shifted.wcs.crpix - np.array([x0, y0])
        if shifted.sip is not None:
            sip = shifted.sip
            shifted.sip = Sip(sip.a, sip.b, sip.ap, sip.bp,
                              sip.crpix - np.array([x0, y0]))
        shifted.array_shape = shape
        return shifted
    low = wcs if isinstance(wcs, BaseLowLevelWCS) else wcs.low_level_wcs
    return HighLevelWCSWrapper(_ShiftedWCS(low, origin, shape))


def local_matrix(wcs, x, y):
    """
    Find how one step in pixels moves on the sky.

    Parameters
    ----------
    wcs : WCS object
        A celestial WCS.

    x, y : float
        The pixel position.

    Returns
    -------
    matrix : 2x2 `~numpy.ndarray`
        Columns: a step of one pixel in x and in y; rows: the arcseconds
        towards east and north (ICRS) in the tangent plane. All distortions
        and projections are in it.

    Raises
    ------
    ValueError
        If the WCS has no sky coordinates there.
    """
    steps = np.array([[0.5, -0.5, 0.0, 0.0], [0.0, 0.0, 0.5, -0.5]])
    lon, lat = np.radians(pixel_to_icrs(wcs, x + steps[0], y + steps[1]))
    if not np.all(np.isfinite([lon, lat])):
        msg = ('the WCS of the image has no sky coordinates at the position '
               f'({x:.1f}, {y:.1f})')
        raise ValueError(msg)
    vectors = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon),
                        np.sin(lat)])
    middle = vectors.mean(axis=1)
    lon0 = np.arctan2(middle[1], middle[0])
    lat0 = np.arctan2(middle[2], np.hypot(middle[0], middle[1]))
    east = np.array([-np.sin(lon0), np.cos(lon0), 0.0])
    north = np.array([-np.sin(lat0) * np.cos(lon0),
                      -np.sin(lat0) * np.sin(lon0), np.cos(lat0)])
    step_x = vectors[:, 0] - vectors[:, 1]
    step_y = vectors[:, 2] - vectors[:, 3]
    matrix = np.array([[east @ step_x, east @ step_y],
                       [north @ step_x, north @ step_y]])
    return matrix * u.rad.to(u.arcsec)


def pixel_to_icrs(wcs, x, y):
    """
    The sky coordinates of pixels.

    Parameters
    ----------
    wcs : WCS object
        A celestial WCS.

    x, y : float or 1D `~numpy.ndarray`, shape (n,)
        Pixel positions.

    Returns
    -------
    ra, dec : `~numpy.ndarray`, shape (n,) or ()
        ICRS coordinates in degrees.

    Raises
    ------
    ValueError
        If the WCS gives no celestial coordinates.
    """
    # what most images have; without the cost of a SkyCoord
    if isinstance(wcs, WCS) and wcs.wcs.radesys == 'ICRS' and [
            kind[:4] for kind in wcs.wcs.ctype] == ['RA--', 'DEC-'] and [
            str(unit) for unit in wcs.wcs.cunit] == ['deg', 'deg']:
        return tuple(wcs.all_pix2world(x, y, 0))
    coords = wcs.pixel_to_world(x, y)
    if not isinstance(coords, SkyCoord):
        msg = 'the WCS of the image does not give celestial coordinates'
        raise ValueError(msg)
    coords = coords.icrs
    return coords.ra.deg, coords.dec.deg


def sky_to_pixel(wcs, coord):
    """
    Find the pixel of a sky position.

    Parameters
    ----------
    wcs : WCS object or `None`
        A celestial WCS.

    coord : `~astropy.coordinates.SkyCoord`
        One position.

    Returns
    -------
    position : tuple of float
        The (x, y) pixel position; not-a-number where the WCS has none.

    Raises
    ------
    ValueError
        If there is no WCS or more than one position.
    """
    if wcs is None:
        msg = ('position is a SkyCoord, but the image has no celestial WCS: '
               'give (x, y) in pixels')
        raise ValueError(msg)
    if not coord.isscalar:
        msg = ('position must be one SkyCoord, got an array of shape '
               f'{coord.shape}')
        raise ValueError(msg)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        x, y = wcs.world_to_pixel(coord)
    # The inversion of a distortion may fail far outside of the frame and
    # then gives any pixel.
    if any('failed to converge' in str(item.message) for item in caught):
        return np.nan, np.nan
    return float(x), float(y)


def find_pixel_scale(matrix, given=None):
    """
    Find the pixel scale.

    Parameters
    ----------
    matrix : 2x2 `~numpy.ndarray` or `None`
        The result of `local_matrix`.

    given : float, optional
        A pixel scale in arcsec that was given; it wins.

    Returns
    -------
    pixel_scale : float or `None`
        The square root of the area of a pixel in arcsec, `None` if there is
        no WCS and none was given.

    Raises
    ------
    ValueError
        If the pixels are not square on the sky, to 1%.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the given scale and the WCS disagree by more than 1%.
    """
    if matrix is None:
        return given
    large, small = np.linalg.svd(matrix, compute_uv=False)
    if not small > 0 or large / small > 1 + _MAX_NON_SQUARE:
        msg = (f'the pixels are not square on the sky ({large:.4g} by '
               f'{small:.4g} arcsec): resample the image first, for example '
               'with reproject.reproject_adaptive')
        raise ValueError(msg)
    of_wcs = float(np.sqrt(large * small))
    if given is None:
        return of_wcs
    if abs(given / of_wcs - 1) > _MAX_NON_SQUARE:
        warnings.warn(f'pixel_scale={given:.5g} arcsec is used, although the '
                      f'WCS says {of_wcs:.5g} arcsec',
                      AstropyUserWarning, stacklevel=3)
    return given


def pixel_position(position):
    """
    Read a position in pixels.

    Parameters
    ----------
    position : sequence of float
        The (x, y) position.

    Returns
    -------
    position : tuple of float
        The position.

    Raises
    ------
    TypeError
        If it is not two numbers.
    """
    try:
        x, y = (float(value.value) if isinstance(value, u.Quantity)
                else float(value) for value in position)
    except (TypeError, ValueError):
        msg = ('position must be (x, y) in pixels or a SkyCoord, got '
               f'{position!r}')
        raise TypeError(msg) from None
    return x, y


def is_inside(x, y, shape):
    """
    Tell whether a position is on a pixel of an image.

    Parameters
    ----------
    x, y : float
        The pixel position.

    shape : tuple of int
        The shape (ny, nx) of the image.

    Returns
    -------
    result : bool
        Whether it is.
    """
    return -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5


def check_inside(x, y, shape):
    """
    Refuse a position outside of an image.

    Parameters
    ----------
    x, y : float
        The pixel position.

    shape : tuple of int
        The shape (ny, nx) of the image.

    Raises
    ------
    ValueError
        If the position is outside or not finite.
    """
    if not is_inside(x, y, shape):
        msg = (f'position (x, y) = ({x:.1f}, {y:.1f}) is outside of the '
               f'image of {shape[1]} x {shape[0]} pixels')
        raise ValueError(msg)


def pixel_size(size, pixel_scale=None):
    """
    Read the size of a crop.

    Parameters
    ----------
    size : int, tuple of int or `~astropy.units.Quantity`
        Pixels, (ny, nx) pixels or an angle (or two).

    pixel_scale : float, optional
        The pixel scale in arcsec.

    Returns
    -------
    shape : tuple of int
        The shape (ny, nx) in pixels.

    Raises
    ------
    ValueError
        If it is not one or two positive numbers, or an angle without a
        pixel scale.
    """
    if isinstance(size, u.Quantity) and size.unit != u.pix:
        if not size.unit.is_equivalent(u.arcsec):
            msg = (f'size must be in pixels or an angle, got the unit '
                   f"'{size.unit}'")
            raise ValueError(msg)
        if pixel_scale is None:
            msg = ('size is an angle, but the image has no pixel scale: '
                   'give size in pixels or pixel_scale=')
            raise ValueError(msg)
        size = size.to_value(u.arcsec) / pixel_scale
    elif isinstance(size, u.Quantity):
        size = size.value
    try:
        pair = np.broadcast_to(np.asarray(size, dtype=float), 2)
    except (TypeError, ValueError):
        msg = f'size must be one or two numbers, (ny, nx), got {size!r}'
        raise ValueError(msg) from None
    if not np.all(np.isfinite(pair)) or np.any(pair < 0.5):
        msg = f'size must be at least one pixel, got {size!r}'
        raise ValueError(msg)
    return tuple(int(np.round(value)) for value in pair)
