# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Lengths and angles that a user gives for a cut.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.arguments import read_lengths
from astro_pix2prof.ellipses.given import check_pa
from astro_pix2prof.wording import shown

__all__ = ['read_angle', 'read_angles', 'read_distances', 'read_width']


def _pixels(value, name, cutout):
    """
    Convert lengths of any form to a 1D array of pixels.
    """
    kind = ('numbers of pixels, angles or texts such as '
            "'2,5,10arcsec'")
    try:
        found = u.Quantity(read_lengths(value) if isinstance(value, str)
                           else value, dtype=float, ndmin=1)
    except (TypeError, ValueError):
        found = None
    if found is None or found.ndim != 1 or not len(found) or isinstance(
            value, bool):
        msg = f'{name} must be {kind}, got {shown(value)}'
        raise TypeError(msg)
    if found.unit in (u.dimensionless_unscaled, u.pix):
        return found.value
    if not found.unit.is_equivalent(u.arcsec):
        msg = f"{name} must be angles or pixels, got the unit '{found.unit}'"
        raise ValueError(msg)
    if cutout.pixel_scale is None:
        msg = (f'{name} must be in pixels for an image without a pixel '
               f"scale, got the unit '{found.unit}': give pixel_scale=, or "
               'pixels')
        raise ValueError(msg)
    return found.to_value(u.arcsec) / cutout.pixel_scale


def read_distances(value, name, cutout):
    """
    Read distances from the centre.

    Parameters
    ----------
    value : list of float, `~astropy.units.Quantity` or str
        Plain numbers are pixels.

    name : str
        The name of the argument, for messages.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    distances : 1D `~numpy.ndarray`, shape (n,)
        In pixels.

    Raises
    ------
    TypeError
        If they are of the wrong kind.

    ValueError
        If they do not increase from 0 on, are not finite or in the wrong
        unit.
    """
    found = _pixels(value, name, cutout)
    if not np.isfinite(found).all() or np.any(found < 0) or np.any(
            np.diff(found) <= 0):
        msg = (f'{name} must be finite and increase from 0 on, got '
               f'{shown(value)}')
        raise ValueError(msg)
    return found


def read_width(value, cutout):
    """
    Read the width of a cut.

    Parameters
    ----------
    value : float, `~astropy.units.Quantity` or str
        A plain number is in pixels.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    width : float
        In pixels.

    Raises
    ------
    TypeError
        If it is of the wrong kind.

    ValueError
        If it is not one positive, finite length.
    """
    found = _pixels(value, 'width', cutout)
    if len(found) != 1 or not (np.isfinite(found[0]) and found[0] > 0):
        msg = f'width must be one positive length, got {shown(value)}'
        raise ValueError(msg)
    return float(found[0])


def read_angle(value, name):
    """
    Read an angle.

    Parameters
    ----------
    value : float, `~astropy.units.Quantity` or str
        A plain number is in degrees.

    name : str
        The name of the argument, for messages.

    Returns
    -------
    angle : float
        In degrees.

    Raises
    ------
    TypeError
        If it is not one number.

    ValueError
        If it is not finite or has no unit of an angle.
    """
    try:
        return check_pa(value)
    except (TypeError, ValueError) as error:
        msg = str(error).replace('pa must', f'{name} must', 1)
        raise type(error)(msg) from None


def read_angles(values):
    """
    Read position angles from 0 to 360 degrees.

    Parameters
    ----------
    values : float, list of float or `~astropy.units.Quantity`
        Plain numbers are degrees.

    Returns
    -------
    angles : list of float
        In degrees.

    Raises
    ------
    TypeError
        If they are no numbers.

    ValueError
        If there is none, one is given twice, or one is no finite angle.
    """
    several = isinstance(values, list | tuple) or np.ndim(values)
    values = list(values) if several else [values]
    angles = [read_angle(value, 'angles') % 360 for value in values]
    # (they are told apart by two digits)
    if not angles or len({round(a, 2) for a in angles}) < len(angles):
        msg = f'angles must be one or more, each once, got {values}'
        raise ValueError(msg)
    return angles
