# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Check the settings that all fitters have.
"""

import astropy.units as u

from astro_pix2prof.arguments import (
    check_flag,
    check_number,
    check_positive,
    read_text_quantity,
)
from astro_pix2prof.background.level import MEASURED

__all__ = ['check_settings', 'check_sky_err']


def check_settings(sky, search_radius, fit_centre, min_snr):
    """
    Check the settings that all fitters have.

    Parameters
    ----------
    sky : 'auto', 'plane', float or `~astropy.units.Quantity`
        The sky level; a plain number is in the image's unit.

    search_radius : float or `None`
        The largest distance of the galaxy from the position, in pixels.

    fit_centre : bool
        Whether to refine the position.

    min_snr : float
        The signal-to-noise ratio of the last ring.

    Returns
    -------
    sky, search_radius, fit_centre, min_snr
        The same, as plain numbers; a sky that has a unit keeps it.

    Raises
    ------
    TypeError
        If a setting is of the wrong kind.

    ValueError
        If it is out of range.
    """
    if not (isinstance(sky, str) and sky in MEASURED):
        level = _check_level(sky, 'sky')
        if isinstance(level, str):
            msg = ("sky must be 'auto', 'plane' or a finite number, got "
                   f'{sky!r}')
            raise ValueError(msg)
        sky = level
    return (sky, _check_search(search_radius),
            check_flag(fit_centre, 'fit_centre'),
            check_positive(min_snr, 'min_snr'))


def _check_level(value, name, *, least=None):
    """
    Check a level of pixels, which may have the unit of an image.

    Parameters
    ----------
    value : float, `~astropy.units.Quantity` or str
        The level; a text such as '0.3 nmgy' is a quantity.

    name : str
        Its name.

    least : float, optional
        The smallest value.

    Returns
    -------
    level : float, `~astropy.units.Quantity` or str
        Texts that are no quantity as they are.

    Raises
    ------
    TypeError
        If it is not one number.

    ValueError
        If it is not finite or out of range.
    """
    value = read_text_quantity(value)
    if isinstance(value, str):
        return value
    unit = getattr(value, 'unit', None)
    number = check_number(getattr(value, 'value', value), name, least=least)
    return number if unit is None else number * unit


def _check_search(search_radius):
    """
    Check a search radius in pixels.
    """
    if isinstance(search_radius, u.Quantity):
        if search_radius.unit != u.pix:
            msg = ('search_radius must be in pixels, got the unit '
                   f"'{search_radius.unit}': divide it by the pixel scale")
            raise ValueError(msg)
        search_radius = search_radius.value
    try:
        return check_number(search_radius, 'search_radius', least=2,
                            optional=True)
    except (TypeError, ValueError) as exc:
        msg = (f'{exc}: the pixels within which the galaxy is looked for; '
               'fit_centre=False holds the position')
        raise type(exc)(msg) from None


def check_sky_err(sky_err, sky):
    """
    Check the error of a sky level, which only one that is given has.

    Parameters
    ----------
    sky_err : float or `~astropy.units.Quantity`
        The error; a plain number is in the image's unit.

    sky : str, float or `~astropy.units.Quantity`
        The sky, as `check_settings` returns it.

    Returns
    -------
    error : float or `~astropy.units.Quantity`
        The same, as a plain number if it has no unit.

    Raises
    ------
    TypeError
        If it is not one number.

    ValueError
        If it is negative or not finite, or there is no level.
    """
    error = _check_level(sky_err, 'sky_err', least=0)
    if isinstance(error, str):
        error = check_number(error, 'sky_err', least=0)
    if error != 0 and isinstance(sky, str):
        msg = (f'sky_err is the error of a sky level that is given: give '
               f'sky= a level, too, or leave sky_err out, got sky={sky!r}, '
               'whose error is measured')
        raise ValueError(msg)
    return error
