# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Types of options whose values are checked before anything is read.

A value that is wrong for every file is wrong usage: the program ends with the
status 2 and the name of the option, and not with that of a file that failed.
"""

import argparse
import math

__all__ = ['angle', 'fwhm', 'number', 'sky_lengths', 'spectral_band', 'unit']


def number(kind=float, *, least=None, above=None, most=None):
    """
    Make the type of an option for a finite number in a range.

    Parameters
    ----------
    kind : {float, int}, optional
        The type of the number.

    least, most : float, optional
        The range, ends included.

    above : float, optional
        The number has to be larger than this.

    Returns
    -------
    read : callable
        It converts a text, and raises `argparse.ArgumentTypeError`.
    """
    wanted = 'a finite number' if kind is float else 'an integer'
    if above is not None:
        wanted += f' above {above:g}'
    if least is not None:
        wanted += (f' of {least:g} or more' if most is None else
                   f' from {least:g}')
    if most is not None:
        wanted += f' {"to" if above is None else "and at most"} {most:g}'

    def read(text):
        try:
            value = kind(text)
            # (whole numbers beyond all floats)
            math.isfinite(value)
        except (ValueError, OverflowError):
            value = math.nan
        if (not math.isfinite(value)
                or (least is not None and value < least)
                or (above is not None and value <= above)
                or (most is not None and value > most)):
            msg = f'must be {wanted}, got {text.strip()!r}'
            raise argparse.ArgumentTypeError(msg)
        return value

    return read


def angle(text):
    """
    Read a positive angle, in arcsec or with a unit.

    Parameters
    ----------
    text : str
        Such as '0.396', '0.396arcsec' or '6.6e-3arcmin'.

    Returns
    -------
    value : float
        In arcsec.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    try:
        return number(above=0)(text)
    except argparse.ArgumentTypeError:
        from astropy import units as u

        try:
            value = u.Quantity(text)
            # (a pixel scale may be one of arcsec / pix)
            wanted = (u.arcsec / u.pix if u.pix in value.unit.bases
                      else u.arcsec)
            return number(above=0)(str(value.to_value(wanted)))
        except (argparse.ArgumentTypeError, TypeError, ValueError):
            msg = (f'must be a finite number above 0, in arcsec, got '
                   f'{text.strip()!r}')
            raise argparse.ArgumentTypeError(msg) from None


def fwhm(text):
    """
    Read a positive width, in arcsec, with a unit, or in pixels.

    Parameters
    ----------
    text : str
        Such as '1.2', '1.2arcsec' or '3pix'.

    Returns
    -------
    value : float or `~astropy.units.Quantity`
        In arcsec, or in pixels with that unit.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    value, pixels = text.strip(), False
    for name in ('pixels', 'pixel', 'pix', 'px'):
        if value.lower().endswith(name):
            value, pixels = value[:-len(name)], True
            break
    if not pixels:
        return angle(text)
    from astropy import units as u

    return number(above=0)(value) * u.pix


def unit(text):
    """
    Check a unit of pixels.

    Parameters
    ----------
    text : str
        The unit.

    Returns
    -------
    text : str
        The same.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not known, or no unit that pixels can have.
    """
    from astro_pix2prof.image.units import parse_unit

    try:
        parse_unit(text)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            ' '.join(str(error).split()).removeprefix('unit ')) from None
    return text


def sky_lengths(found, text):
    """
    Check that lengths are angles or pixels.

    Parameters
    ----------
    found : float, list of float or `~astropy.units.Quantity`
        The lengths; plain numbers are pixels.

    text : str
        What was given.

    Returns
    -------
    found : float, list of float or `~astropy.units.Quantity`
        The same.

    Raises
    ------
    argparse.ArgumentTypeError
        If they have another unit, such as kpc.
    """
    unit = getattr(found, 'unit', None)
    if unit is not None and str(unit) not in ('', 'pix') and (
            unit.physical_type != 'angle'):
        msg = f"must be angles or pixels, got the unit '{unit}' in {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return found


def spectral_band(text):
    """
    Check a range of wavelengths or the name of one.

    Parameters
    ----------
    text : str
        Such as 'white', 'g' or '6000:7000'.

    Returns
    -------
    text : str
        The same.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    from astro_pix2prof.spectra.filters import read_filter

    try:
        # (any cube: its limits are those of 'white' alone)
        read_filter(text, (1.0, 2.0))
    except ValueError as error:
        msg = ' '.join(str(error).split()).removeprefix('filter ')
        raise argparse.ArgumentTypeError(msg) from None
    return text
