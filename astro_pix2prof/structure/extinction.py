# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Extinction by dust of the Milky Way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.arguments import check_choice, check_number
from astro_pix2prof.extras import missing_extra
from astro_pix2prof.structure.bandpasses import find_bandpass

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from astropy.units import Quantity
    from numpy.typing import ArrayLike

__all__ = ['extinction_coefficient', 'find_reddening', 'find_reddenings',
           'galactic_extinction']


# The E(B-V) of Schlafly & Finkbeiner 2011 over that of SFD.
RECALIBRATION = 0.86

# The two meanings of a stated E(B-V).
REDDENINGS = ('SFD', 'SF11')

R_V = 3.1

# Optional packages.
_MAPS, _CURVES = 'dustmaps', 'dust_extinction'


def extinction_coefficient(band, filters='SDSS'):
    """
    Find the extinction (mag) of a band per unit of the E(B-V) of SFD.

    Parameters
    ----------
    band : str or `~astropy.units.Quantity`
        A band of the register (see `find_bandpass`). Or a wavelength, for
        which the curve of Fitzpatrick 1999 with R_V = 3.1 and the
        recalibration by 0.86 hold; it needs the package
        ``dust_extinction``.

    filters : str, optional
        The survey whose filter it is.

    Returns
    -------
    coefficient : float

    Raises
    ------
    TypeError, ValueError
        If the filter is not in the register, or the wavelength is out of
        the range of the curve.

    ImportError
        If a wavelength is given and ``dust_extinction`` is not installed.
    """
    if not isinstance(band, u.Quantity):
        return find_bandpass(band, filters).extinction
    wavelength = check_number(band, 'band', unit=u.AA)
    try:
        from dust_extinction.parameter_averages import F99
    except ImportError:
        raise missing_extra(_CURVES, 'dust',
                            'extinction at a wavelength') from None
    if not 1000 <= wavelength <= 33333:
        msg = ('band must be a wavelength from 1000 to 33333 Angstrom, got '
               f'{band}')
        raise ValueError(msg)
    return float(RECALIBRATION * R_V * F99(Rv=R_V)(wavelength * u.AA))


def find_reddening(ebv, position=None):
    """
    Find the E(B-V) towards a galaxy.

    Parameters
    ----------
    ebv : float, callable or 'sfd'
        The reddening itself (mag). Or a map: an object that is called with
        a `~astropy.coordinates.SkyCoord` and returns it, such as a query
        of the package ``dustmaps``. 'sfd' is ``dustmaps.sfd.SFDQuery()``,
        whose files have to be there.

    position : `~astropy.coordinates.SkyCoord`, optional
        The position of the galaxy, for maps.

    Returns
    -------
    ebv : float

    Raises
    ------
    TypeError, ValueError
        If the reddening is no number, negative or not finite, or a map has
        no position.

    ImportError
        If ``dustmaps`` is asked for and not installed.
    """
    if isinstance(ebv, str) or callable(ebv):
        ebv = float(np.squeeze(_read_map(ebv, position)))
    return check_number(ebv, 'ebv', unit=u.mag, least=0)


def find_reddenings(ebv, position=None):
    """
    Find the E(B-V) towards one galaxy or several.

    Parameters
    ----------
    ebv : float, array-like, callable or 'sfd'
        As for `find_reddening`, or a column of numbers.

    position : `~astropy.coordinates.SkyCoord`, optional
        The position of the galaxy, or those of all, for maps.

    Returns
    -------
    ebv : float or `~numpy.ndarray`
        Of values that are masked or not-a-number in a column, that.

    Raises
    ------
    TypeError, ValueError, ImportError
        As of `find_reddening`.
    """
    several = isinstance(position, SkyCoord) and position.shape and (
        isinstance(ebv, str) or callable(ebv))
    if several:
        ebv = _read_map(ebv, position)
    elif isinstance(ebv, str) or callable(ebv) or not np.ndim(ebv):
        return find_reddening(ebv, position)
    return np.array([
        np.nan if _is_missing(one)
        else find_reddening(getattr(one, 'unmasked', one)) for one in ebv])


def _is_missing(value):
    """
    Tell whether one value of a column is masked or not-a-number.
    """
    if np.any(getattr(value, 'mask', False)):
        return True
    value = getattr(value, 'value', value)
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _read_map(ebv, position):
    """
    Read a map of E(B-V) at positions.
    """
    if isinstance(ebv, str):
        check_choice(ebv, 'ebv', ('sfd',))
        try:
            from dustmaps.sfd import SFDQuery
        except ImportError:
            raise missing_extra(_MAPS, 'dust', "ebv='sfd'") from None
        ebv = SFDQuery()
    if not isinstance(position, SkyCoord):
        msg = ('position must be the SkyCoord of the galaxy where ebv is '
               f'a map, got {position!r}: give it, or a number as ebv')
        raise ValueError(msg)
    found = ebv(position)
    # (of places that a map does not cover)
    return np.ma.filled(np.ma.asarray(found, dtype=float), np.nan)


def galactic_extinction(
        band: str | Quantity,
        ebv: float | ArrayLike | Literal['sfd'] | Callable[..., Any],
        *, position: SkyCoord | None = None,
        reddening: Literal['SFD', 'SF11'] = 'SFD',
        filters: Literal['SDSS', 'DES', 'PS1'] = 'SDSS') -> Any:
    """
    Calculate the Galactic extinction of a band (mag).

    Parameters
    ----------
    band : str or `~astropy.units.Quantity`
        The band. Or a wavelength, for which the curve of Fitzpatrick 1999
        with R_V = 3.1 holds; it needs the package ``dust_extinction``.

    ebv : float, array-like, callable or 'sfd'
        E(B-V) in magnitudes, or a column of them (of what is missing, the
        result is not-a-number), or a map of it: an object that is called
        with a `~astropy.coordinates.SkyCoord`, such as
        ``SFDQuery()`` of the package ``dustmaps``.

    position : `~astropy.coordinates.SkyCoord`, optional
        The position of the galaxy, or those of several, for maps.

    reddening : {'SFD', 'SF11'}, optional
        The scale of E(B-V): as the map of Schlegel et al. 1998 has it, or
        recalibrated by Schlafly & Finkbeiner 2011, which is 0.86 of it.
        Services such as those of IRSA list both.

    filters : {'SDSS', 'DES', 'PS1'}, optional
        The survey whose filter it is.

    Returns
    -------
    extinction : float, or `~numpy.ndarray` for a column
        In magnitudes, to be subtracted.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.

    ImportError
        If a package that is asked for is not installed.

    Examples
    --------
    >>> from astro_pix2prof import galactic_extinction
    >>> round(galactic_extinction('g', 0.1), 4)
    0.3303
    >>> round(galactic_extinction('g', 0.086, reddening='SF11'), 4)
    0.3303
    """
    reddening = check_choice(reddening, 'reddening', REDDENINGS)
    value = find_reddenings(ebv, position)
    if reddening == 'SF11':
        value = value / RECALIBRATION
    return extinction_coefficient(band, filters) * value
