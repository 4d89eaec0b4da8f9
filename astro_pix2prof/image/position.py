# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the position of a galaxy, in pixels or on the sky.
"""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import Angle, BaseCoordinateFrame, SkyCoord
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_number
from astro_pix2prof.image.astrometry import (
    BrokenWCSError,
    celestial_wcs,
    check_inside,
    is_inside,
    local_matrix,
    may_be_degrees,
    sky_to_pixel,
)

__all__ = ['Place', 'find_place', 'parse_sky', 'read_position']


_WANTED = ("position must be (x, y) in pixels, a SkyCoord, two angles or a "
           "text such as '12h34m56s +41d16m'")


@dataclass(frozen=True)
class Place:
    """
    The place of a galaxy in an image and on the sky.

    Parameters
    ----------
    position : tuple of float
        The pixel (x, y).

    given : bool
        Whether the position was given, or is only the middle.

    wcs : WCS object or `None`
        The celestial WCS.

    matrix : 2x2 `~numpy.ndarray` or `None`
        The steps of a pixel on the sky at the position, see
        `~astro_pix2prof.image.astrometry.local_matrix`.
    """

    position: tuple
    given: bool
    wcs: object = None
    matrix: np.ndarray | None = None


def find_place(wcs, position, shape, *, default=None, pixel_scale=None,
               calibrated=True):
    """
    Find the position of a galaxy and the WCS there.

    Parameters
    ----------
    wcs : WCS object, `BrokenWCSError` or `None`
        The WCS of the image, or why it cannot be read.

    position : optional
        The position that was given, as for `read_position`.

    shape : tuple of int
        The shape (ny, nx) of the image.

    default : tuple of float, optional
        The (x, y) position for which the image was cut out.

    pixel_scale : float, optional
        The pixel scale that was given: it replaces a broken WCS.

    calibrated : bool, optional
        `False` allows for a broken WCS without a pixel scale.

    Returns
    -------
    place : `Place`
        The position and the WCS.

    Raises
    ------
    ValueError
        If the position lies outside of the image, or the WCS is broken and
        there is no pixel scale.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the WCS is broken and left aside; or if the position is given in
        pixels that, in degrees, are a position in the image as well.
    """
    given = position is not None
    is_plain = False
    if given:
        found = read_position(position)
        # (a unit leaves no doubt)
        is_plain = not isinstance(found, SkyCoord) and not any(
            isinstance(value, u.Quantity) for value in position)
        position = found
    elif default is not None and is_inside(*default, shape):
        position, given = default, True
    else:
        position = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    try:
        if isinstance(wcs, BrokenWCSError):
            raise wcs
        wcs = celestial_wcs(wcs)
        x, y = _inside(position, wcs, shape, is_plain)
        matrix = None if wcs is None else local_matrix(wcs, x, y)
    except BrokenWCSError as exc:
        if pixel_scale is None and calibrated:
            msg = (f'{exc}; give an image with another WCS, or pixel_scale= '
                   'to leave it aside')
            raise ValueError(msg) from exc
        warnings.warn(f'{exc}; it is left aside, and angles are those in '
                      'the image',
                      AstropyUserWarning, stacklevel=3)
        wcs = matrix = None
        x, y = _inside(position, wcs, shape, is_plain)
    return Place((x, y), given, wcs, matrix)


def _inside(position, wcs, shape, is_plain):
    given = position
    if isinstance(position, SkyCoord):
        position = sky_to_pixel(wcs, position)
    check_inside(*position, shape, wcs, given)
    if is_plain and wcs is not None:
        _warn_of_degrees(position, wcs, shape)
    return position


def _warn_of_degrees(position, wcs, shape):
    """
    Warn of pixels that may be degrees: as these, too, they lie in the image.
    """
    if not may_be_degrees(*position):
        return
    try:
        there = sky_to_pixel(wcs, SkyCoord(*position, unit='deg'))
    except BrokenWCSError:
        return
    if is_inside(*there, shape):
        x, y = position
        warnings.warn(
            f'position=({x:.12g}, {y:.12g}) is taken for pixels, but in '
            'degrees on the sky it lies in the image as well: if it is one, '
            f'give a SkyCoord, or angles, ({x:.12g} * u.deg, '
            f'{y:.12g} * u.deg)', AstropyUserWarning, stacklevel=4)


def read_position(position):
    """
    Read a position in any form.

    Parameters
    ----------
    position : tuple, `~astropy.coordinates.SkyCoord` or str
        The (x, y) position in pixels, as numbers without unit or in
        ``u.pix``; or sky coordinates: a `~astropy.coordinates.SkyCoord` or
        coordinate frame, two angles (ICRS right ascension and declination)
        or a text (see `parse_sky`).

    Returns
    -------
    position : tuple of float or `~astropy.coordinates.SkyCoord`
        The pixels (x, y), or one finite position on the sky.

    Raises
    ------
    TypeError
        If it is nothing of this kind.

    ValueError
        If a text is not understood, or the position is not one or not
        finite.
    """
    if isinstance(position, str):
        return parse_sky(position)
    if isinstance(position, BaseCoordinateFrame):
        if not position.has_data:
            msg = f'{_WANTED}, got a frame without coordinates'
            raise ValueError(msg)
        position = SkyCoord(position)
    if isinstance(position, SkyCoord):
        return _check_sky(position)
    try:
        first, second = position
    except (TypeError, ValueError):
        msg = f'{_WANTED}, got {position!r}'
        raise TypeError(msg) from None
    if isinstance(first, str) and isinstance(second, str):
        return parse_sky(first, second)
    angles = [isinstance(value, u.Quantity) and value.unit.is_equivalent(
        u.deg) for value in (first, second)]
    if all(angles):
        try:
            return _check_sky(SkyCoord(first, second))
        except ValueError as exc:
            msg = f'{_WANTED}, got {position!r}: {exc}'
            raise ValueError(msg) from None
    if any(angles) or any(isinstance(value, str)
                          for value in (first, second)):
        msg = f'{_WANTED}, got two of different kinds: {position!r}'
        raise TypeError(msg)
    x, y = (check_number(value.value if isinstance(value, u.Quantity)
                         and value.unit == u.pix else value, 'position')
            for value in (first, second))
    return x, y


def _check_sky(coord):
    if not coord.isscalar:
        msg = ('position must be one SkyCoord, got an array of shape '
               f'{coord.shape}')
        raise ValueError(msg)
    if not np.all(np.isfinite(coord.spherical.lon)) or not np.all(
            np.isfinite(coord.spherical.lat)):
        msg = f'position must be finite, got {coord!r}'
        raise ValueError(msg)
    return coord


def parse_sky(first, second=None):
    """
    Parse sky coordinates that are written as text.

    Parameters
    ----------
    first : str
        Right ascension (ICRS), or right ascension and declination
        together. Sexagesimal right ascensions without a unit are in hours,
        plain numbers in degrees.

    second : str, optional
        Declination.

    Returns
    -------
    coord : `~astropy.coordinates.SkyCoord`
        The position.

    Raises
    ------
    ValueError
        If the text is not understood.

    Examples
    --------
    >>> from astro_pix2prof.image.position import parse_sky
    >>> parse_sky('12h18m55.5s +12d24m30s')
    <SkyCoord (ICRS): (ra, dec) in deg
        (184.73125, 12.40833333)>
    """
    text = first if second is None else f'{first} {second}'
    if second is None:
        words = first.replace(',', ' ').split()
        # (an odd number could be divided in two ways)
        half = 0 if len(words) % 2 else len(words) // 2
        first, second = ' '.join(words[:half]), ' '.join(words[half:])
    first, second = first.strip(), second.strip()
    try:
        hours = any(mark in first for mark in ':h ')
        return _check_sky(SkyCoord(
            Angle(first, unit=u.hourangle if hours else u.deg),
            Angle(second, unit=u.deg)))
    except (ValueError, TypeError, u.UnitsError) as exc:
        msg = (f'position {text!r} cannot be read as right ascension and '
               f"declination (such as '12h34m56s +41d16m' or '184.7d "
               f"12.4d'): {exc}")
        raise ValueError(msg) from None
