# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the position of a galaxy, in pixels or on the sky.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import Angle, BaseCoordinateFrame, SkyCoord

from astro_pix2prof.arguments import check_number

__all__ = ['parse_sky', 'read_position']


_WANTED = ("position must be (x, y) in pixels, a SkyCoord, two angles or a "
           "text such as '12h34m56s +41d16m'")


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
        half = len(words) // 2
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
