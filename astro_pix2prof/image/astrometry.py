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
from astropy.wcs import WCS, Sip, WcsError
from astropy.wcs.wcsapi import BaseLowLevelWCS, HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers.base import BaseWCSWrapper

__all__ = ['BrokenWCSError', 'axis_senses', 'celestial_wcs',
           'check_inside', 'find_pixel_scale', 'image_to_sky_angle',
           'is_inside', 'local_matrix', 'may_be_degrees', 'outside_on_sky',
           'pixel_to_icrs', 'shift_wcs', 'sky_to_image_angle',
           'sky_to_pixel']


_ARCSEC = u.rad.to(u.arcsec)

# Pixels whose sides differ by more than this have to be resampled first.
_MAX_NON_SQUARE = 0.01

# No image has pixels that are so much longer than wide: the matrix of its WCS
# is singular, or was before zeros in it were replaced.
_SINGULAR = 10

# Pixels (arcsec) beyond which the WCS is wrong: a CDELT that is missing is 1
# degree, one in arcsec without CUNIT is taken for degrees.
_SMALLEST, _LARGEST = 1e-6, 360.0

# Pixels (arcsec) beyond which it may be: 0.02 arcsec of a camera, taken for
# degrees, are 72 arcsec, and radians of 0.2 arcsec 0.003.
_FINEST, _COARSEST = 0.001, 60.0


class BrokenWCSError(ValueError):
    """
    The WCS of an image gives no usable sky coordinates.
    """

    def __init__(self, reason):
        lines = str(reason).strip().splitlines()
        super().__init__('the WCS of the image cannot be used: '
                         + (lines[-1] if lines else type(reason).__name__))


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

    Raises
    ------
    BrokenWCSError
        If the celestial axes cannot be taken out of the WCS.
    """
    if wcs is None:
        return None
    try:
        return _celestial_part(wcs)
    except Exception as exc:
        raise BrokenWCSError(exc) from exc


def _celestial_part(wcs):
    if isinstance(wcs, WCS):
        if not wcs.has_celestial:
            return None
        if wcs.naxis == 2:
            return wcs
        try:
            return wcs.celestial
        except RuntimeError:
            # wcslib cannot take TPV out of a cube, but it can leave the
            # other axes of a header aside
            flat = WCS(wcs.to_header(relax=True), naxis=2)
            if not flat.has_celestial:
                raise
            return flat
    low = wcs if isinstance(wcs, BaseLowLevelWCS) else wcs.low_level_wcs
    if isinstance(low, WCS):
        return _celestial_part(low)
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
    BrokenWCSError
        If the WCS has no sky coordinates there, its matrix is singular, or
        its pixels are larger than 360 or smaller than 1e-6 arcsec.
    """
    steps = np.array([[0.5, -0.5, 0.0, 0.0], [0.0, 0.0, 0.5, -0.5]])
    try:
        lon, lat = np.radians(pixel_to_icrs(wcs, x + steps[0], y + steps[1]))
    except Exception as exc:
        raise BrokenWCSError(exc) from exc
    if not np.all(np.isfinite([lon, lat])):
        reason = ('it has no sky coordinates at the position '
                  f'({x:.1f}, {y:.1f})')
        raise BrokenWCSError(reason)
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
    large, small = np.linalg.svd(matrix, compute_uv=False)
    if not large < _SINGULAR * small:
        reason = (f'its pixels are {large * _ARCSEC:.4g} by '
                  f'{small * _ARCSEC:.4g} arcsec, as the matrix '
                  'of CD, or of PC and CDELT, is singular or wrong')
        raise BrokenWCSError(reason)
    size = np.sqrt(large * small) * _ARCSEC
    if not _SMALLEST < size < _LARGEST:
        reason = (f'its pixels are {size:.4g} arcsec large, as if CD or CDELT '
                  'were missing or not in degrees (CUNIT)')
        raise BrokenWCSError(reason)
    return matrix * _ARCSEC


def image_to_sky_angle(matrix, theta):
    """
    Turn angles in an image into position angles.

    Parameters
    ----------
    matrix : 2x2 `~numpy.ndarray` or `None`
        The result of `local_matrix`.

    theta : float or array_like
        Angles in degrees, counter-clockwise from the +x axis.

    Returns
    -------
    pa : float or `~numpy.ndarray`
        Angles east of north in degrees from 0 to 180; without a matrix,
        ``theta`` modulo 180.
    """
    theta = np.asarray(theta, dtype=float)
    if matrix is None:
        return _fold(theta)
    angle = np.radians(theta)
    east, north = np.tensordot(
        matrix, np.array([np.cos(angle), np.sin(angle)]), 1)
    return _fold(np.degrees(np.arctan2(east, north)))


def axis_senses(matrix, theta):
    """
    Tell how angles in an image run along those on the sky.

    Parameters
    ----------
    matrix : 2x2 `~numpy.ndarray` or `None`
        The result of `local_matrix`.

    theta : float or array_like
        Angles in degrees, counter-clockwise from the +x axis.

    Returns
    -------
    along : float or `~numpy.ndarray`
        1 where the direction is the one of the position angle from 0 to
        180, -1 where it is the opposite one.

    sense : float
        1 if position angles increase counter-clockwise, otherwise -1.
    """
    angle, sense = np.asarray(theta, dtype=float), 1.0
    if matrix is not None:
        t = np.radians(angle)
        angle = np.degrees(np.arctan2(*np.tensordot(
            matrix, np.array([np.cos(t), np.sin(t)]), 1)))
        sense = -float(np.sign(np.linalg.det(matrix)))
    return np.where(np.mod(angle, 360) % 360 < 180, 1.0, -1.0), sense


def sky_to_image_angle(matrix, pa):
    """
    Turn position angles into angles in an image.

    Parameters
    ----------
    matrix : 2x2 `~numpy.ndarray` or `None`
        The result of `local_matrix`.

    pa : float or array_like
        Angles in degrees, as `image_to_sky_angle` gives them.

    Returns
    -------
    theta : float or `~numpy.ndarray`
        Angles in degrees from 0 to 180, counter-clockwise from the +x axis.
    """
    pa = np.asarray(pa, dtype=float)
    if matrix is None:
        return _fold(pa)
    angle = np.radians(pa)
    dx, dy = np.tensordot(np.linalg.inv(matrix),
                          np.array([np.sin(angle), np.cos(angle)]), 1)
    return _fold(np.degrees(np.arctan2(dy, dx)))


def _fold(angle):
    folded = np.mod(angle, 180.0)
    # the modulus of a tiny negative number rounds to 180
    folded = np.where(folded >= 180.0, 0.0, folded)
    return float(folded) if folded.ndim == 0 else folded


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
        If there is no WCS or more than one position, or the WCS is broken
        (`BrokenWCSError`).
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
        try:
            x, y = wcs.world_to_pixel(coord)
        except (WcsError, ValueError) as exc:
            raise BrokenWCSError(exc) from exc
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
        If the given scale and the WCS disagree by more than 1%, or if none
        is given and the pixels are larger than 60 or smaller than 0.001
        arcsec.
    """
    if matrix is None:
        return given
    large, small = np.linalg.svd(matrix, compute_uv=False)
    if large / small > 1 + _MAX_NON_SQUARE:
        msg = (f'the pixels are not square on the sky ({large:.4g} by '
               f'{small:.4g} arcsec): resample the image first, for example '
               'with reproject.reproject_adaptive')
        raise ValueError(msg)
    of_wcs = float(np.sqrt(large * small))
    if given is None:
        if not _FINEST < of_wcs < _COARSEST:
            warnings.warn(f'the pixels of the WCS are {of_wcs:.4g} arcsec '
                          'large, as if CD or CDELT were in other units than '
                          'CUNIT, or degrees, has it: give pixel_scale= if '
                          'they are', AstropyUserWarning, stacklevel=3)
        return of_wcs
    if abs(given / of_wcs - 1) > _MAX_NON_SQUARE:
        warnings.warn(f'pixel_scale={given:.5g} arcsec is used, although the '
                      f'WCS says {of_wcs:.5g} arcsec',
                      AstropyUserWarning, stacklevel=3)
    return given


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


def check_inside(x, y, shape, wcs=None, given=None):
    """
    Refuse a position outside of an image.

    Parameters
    ----------
    x, y : float
        The pixel position.

    shape : tuple of int
        The shape (ny, nx) of the image.

    wcs : WCS object, optional
        The celestial WCS.

    given : optional
        The position as it was given; if it is a
        `~astropy.coordinates.SkyCoord`, the message tells both on the sky; if
        its numbers may be degrees, it tells how to give these.

    Raises
    ------
    ValueError
        If the position is outside or not finite.
    """
    if is_inside(x, y, shape):
        return
    msg = (f'position (x, y) = ({x:.1f}, {y:.1f}) is outside of the '
           f'image of {shape[1]} x {shape[0]} pixels')
    if isinstance(given, SkyCoord):
        msg = outside_on_sky(given, wcs, shape)
    elif wcs is not None and may_be_degrees(*(given or (x, y))):
        msg += (': numbers without a unit are pixels; if these are degrees, '
                'give a SkyCoord, or angles, position=({:.12g} * u.deg, '
                '{:.12g} * u.deg)'.format(*(given or (x, y))))
    raise ValueError(msg)


def may_be_degrees(first, second):
    """
    Tell whether two numbers may be right ascension and declination.

    Parameters
    ----------
    first, second : float
        The numbers.

    Returns
    -------
    result : bool
        Whether both are possible, in degrees.
    """
    return 0 <= first <= 360 and -90 <= second <= 90


def outside_on_sky(coord, wcs, shape):
    """
    Describe a position on the sky that no pixel of an image has.

    Parameters
    ----------
    coord : `~astropy.coordinates.SkyCoord`
        The position.

    wcs : WCS object
        The celestial WCS.

    shape : tuple of int
        The shape (ny, nx) of the image.

    Returns
    -------
    text : str
        Both the position and the middle of the image, in degrees.
    """
    coord = coord.icrs
    middle = wcs.pixel_to_world((shape[1] - 1) / 2, (shape[0] - 1) / 2).icrs
    return (f'position={coord.ra.deg:.5f}d {coord.dec.deg:.5f}d is outside '
            f'of the image of {shape[1]} x {shape[0]} pixels, whose middle '
            f'is at {middle.ra.deg:.5f}d {middle.dec.deg:.5f}d')
