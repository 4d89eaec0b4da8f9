# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Photometric zero points of galaxy images.
"""

import warnings

import astropy.units as u
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.header import _exposure_time, header_number
from astro_pix2prof.image.units import (
    is_counts_like,
    is_rate,
    is_surface_brightness,
    parse_unit,
)
from astro_pix2prof.image.zeropoint import unit_zeropoint

__all__ = ['choose_unit', 'find_gain', 'find_saturation']


_GAIN_KEYWORDS = ('GAIN', 'EGAIN', 'CCDGAIN')


def find_gain(unit, header):
    """
    Find the number of electrons that one data unit stands for.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image. Only counts, adu, DN, electrons and their
        rates have a gain; rates need an exposure time in the header.

    header : dict
        Header values by upper-case keyword; GAIN, EGAIN and CCDGAIN are
        read for units other than electrons.

    Returns
    -------
    gain : float or `None`
        Electrons per data unit, `None` if it is not known.
    """
    if not is_counts_like(unit) or is_surface_brightness(unit):
        return None
    gain = None
    if u.electron in unit.bases or u.photon in unit.bases:
        gain = 1.0
    else:
        for keyword in _GAIN_KEYWORDS:
            value = header_number(header, keyword)
            if value is not None and value > 0:
                gain = value
                break
    if gain is not None and is_rate(unit):
        exptime = _exposure_time(header)
        gain = None if exptime is None else gain * exptime
    return gain


def find_saturation(unit, header):
    """
    Find the level at which pixels are saturated.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        The unit of the image. Only counts and their rates have a level.

    header : dict
        Header values by upper-case keyword; SATURATE is read.

    Returns
    -------
    saturation : float or `None`
        The level in data units, `None` if it is not known.
    """
    value = header_number(header, 'SATURATE')
    if value is None or value <= 0 or not is_counts_like(unit):
        return None
    return value


def choose_unit(own, given, *, from_header=False):
    """
    Choose between the unit of an image and the one that was given.

    Parameters
    ----------
    own : `~astropy.units.UnitBase`, `ValueError` or `None`
        The unit of the image, or why its unit cannot be used.

    given : str, `~astropy.units.UnitBase` or `None`
        The unit that was given; it wins.

    from_header : bool, optional
        Whether ``own`` is the text of a header, which may be wrong.

    Returns
    -------
    unit : `~astropy.units.UnitBase`
        The unit, dimensionless if there is none.

    Raises
    ------
    ValueError
        If the units contradict each other and ``own`` is not only a
        header's.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the units contradict each other and ``own`` is a header's.
    """
    if given is None:
        if isinstance(own, ValueError):
            raise own
        return u.dimensionless_unscaled if own is None else own
    unit = parse_unit(given)
    if own is None or isinstance(own, ValueError):
        return unit
    own_zero, zero = unit_zeropoint(own), unit_zeropoint(unit)
    # counts may be called anything, a flux may not
    if own_zero is None or (
            zero is not None and zero.system == own_zero.system
            and zero.per_area == own_zero.per_area
            and abs(zero.value - own_zero.value) < 1e-3):
        return unit
    if not from_header:
        msg = (f"unit='{unit}' contradicts the unit '{own}' of the image: "
               'convert the image (its to or convert_unit_to method) instead')
        raise ValueError(msg)
    warnings.warn(f"unit='{unit}' is used, although the header says "
                  f"BUNIT='{own}'", AstropyUserWarning, stacklevel=3)
    return unit
