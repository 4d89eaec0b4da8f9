# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Absolute magnitudes, of one galaxy or of columns of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.structure.distances import (
    luminosity_distances,
    warn_of_redshift,
)
from astro_pix2prof.structure.extinction import (
    find_reddenings,
    galactic_extinction,
)
from astro_pix2prof.structure.physical import (
    find_corrections,
    of_one_band,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from astropy.cosmology import FLRW
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

__all__ = ['absolute_magnitude']


# Units of the numbers of columns.
_UNITS = {'distance': u.Mpc, 'redshift': u.dimensionless_unscaled,
          'ebv': u.mag, 'colour': u.mag}


def absolute_magnitude(
        magnitude: float | ArrayLike | Quantity, *, band: str,
        distance: float | ArrayLike | Quantity | None = None,
        redshift: float | ArrayLike | None = None,
        cosmology: FLRW | None = None,
        ebv: float | ArrayLike | Literal['sfd'] | Callable[..., Any] = 0.0,
        position: SkyCoord | None = None,
        reddening: Literal['SFD', 'SF11'] = 'SFD',
        filters: Literal['SDSS', 'DES', 'PS1'] = 'SDSS',
        k_correction: (Callable[..., Any] | dict[str, float] | float
                       | Quantity | None) = None,
        colour: float | ArrayLike | None = None) -> Quantity:
    """
    Convert apparent magnitudes to absolute ones.

    It is M = m - A - DM - K: less Galactic extinction, distance modulus
    and K-correction.

    Parameters
    ----------
    magnitude : float, array-like or `~astropy.units.Quantity`
        Apparent AB magnitudes.

    band : str
        The band.

    distance, redshift, ebv, position
        See `physical_profile`; or columns of them, with one for each galaxy.
        Where one is missing or not-a-number, so is the result.

    cosmology, reddening, filters
        See `physical_profile`.

    k_correction : callable, dict, float or `~astropy.units.Quantity`, optional
        Likewise; a function is called for each galaxy.

    colour : float or array-like, optional
        The colour (mag) for the K-correction.

    Returns
    -------
    magnitude : `~astropy.units.Quantity`
        In magnitudes.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or columns are not equally long.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the redshift is above 0.05 and there is no K-correction, or it is
        above 0.02 and the distance is another one by more than a factor of
        1.5.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astro_pix2prof import absolute_magnitude
    >>> absolute_magnitude(10.0, band='r', distance=10 * u.Mpc)
    <Quantity -20. mag>
    >>> absolute_magnitude([10.0, 15.0], band='r', distance=[10, 100] * u.Mpc)
    <Quantity [-20., -20.] mag>
    """
    k_correction = of_one_band(k_correction, band)
    value = _apparent(magnitude)
    settings = {'position': position, 'reddening': reddening,
                'filters': filters, 'k_correction': k_correction,
                'cosmology': cosmology}
    given = {'distance': distance, 'redshift': redshift, 'ebv': ebv,
             'colour': colour}
    columns = {name: _column(one, name) for name, one in given.items()
               if _is_column(one)}
    if isinstance(position, SkyCoord) and position.shape and (
            isinstance(ebv, str) or callable(ebv)):
        columns['ebv'] = find_reddenings(ebv, position)
    if columns and set(columns) != {'colour'}:
        return _of_columns(value, band, given, columns, settings)
    found = find_corrections(None, distance=distance, redshift=redshift,
                             ebv=ebv, **settings)
    warn_of_redshift(found.scale, k_correction)
    return (value - found.extinction(band) - found.scale.distance_modulus
            - found.k(band, columns.get('colour', colour))) * u.mag


def _of_columns(value, band, given, columns, settings):
    """
    Calculate the absolute magnitudes of several galaxies.
    """
    shapes = {'magnitude': value.shape} | {
        name: column.shape for name, column in columns.items()}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        found = ', '.join(f'{name} with {"x".join(map(str, one)) or "one"}'
                          for name, one in shapes.items())
        msg = f'columns must have a value for each galaxy, got {found}'
        raise ValueError(msg) from None
    value = np.broadcast_to(value, shape).ravel()
    columns = {name: np.broadcast_to(column, shape).ravel()
               for name, column in columns.items()}
    result = np.full(len(value), np.nan)
    known = np.isfinite([value, *columns.values()]).all(0)
    if known.any():
        columns = {name: column[known] for name, column in columns.items()}
        result[known] = value[known] - _corrections(
            band, given, columns, settings, np.count_nonzero(known))
    return result.reshape(shape) * u.mag


def _corrections(band, given, columns, settings, n):
    """
    Calculate what is subtracted from the magnitudes of n galaxies.

    The arguments are checked at the ends of their columns.
    """
    ends = [find_corrections(None, **settings, **{
        name: float(end(columns[name])) if name in columns else given[name]
        for name in ('distance', 'redshift', 'ebv')}) for end in (
            np.min, np.max)]
    found = ends[1]
    scale = found.scale
    redshift = columns.get('redshift', np.full(n, scale.redshift))
    distance = columns.get('distance')
    if distance is None:
        distance = (np.full(n, scale.luminosity_distance)
                    if 'redshift' not in columns or given['distance']
                    is not None else luminosity_distances(
                        redshift, settings['cosmology']))
    at = np.argmax(redshift)
    warn_of_redshift(replace(
        scale, luminosity_distance=float(distance[at]),
        redshift=float(redshift[at])), found.k_correction, stacklevel=6)
    taken = 5 * np.log10(distance) + 25
    if np.any(columns.get('ebv', found.reddening['ebv'])):
        taken = taken + galactic_extinction(
            band, columns.get('ebv', found.reddening['ebv']),
            reddening=settings['reddening'], filters=settings['filters'])
    if not callable(found.k_correction):
        return taken + found.k(band)
    colour = columns.get('colour', np.full(n, None if given['colour'] is None
                                           else given['colour']))
    return taken + np.array([replace(found, scale=replace(
        scale, redshift=float(z))).k(band, one)
        for z, one in zip(redshift, colour, strict=True)])


def _is_column(value):
    """
    Tell whether an argument has several values.
    """
    return not isinstance(value, str) and not callable(value) and (
        np.ndim(getattr(value, 'value', value)) > 0)


def _column(value, name):
    """
    Read a column of numbers; what is masked is not-a-number.
    """
    unit = getattr(value, 'unit', None)
    values = np.ma.asarray(getattr(value, 'value', value))
    if values.dtype.kind not in 'iuf':
        msg = f'{name} must be numbers, got the type {values.dtype}'
        raise TypeError(msg)
    values = values.astype(float).filled(np.nan)
    if unit is None:
        return values
    try:
        return u.Quantity(values, unit).to_value(_UNITS[name])
    except u.UnitConversionError:
        msg = f'{name} must be in {str(_UNITS[name])!r}, got {unit!s}'
        raise ValueError(msg) from None


def _apparent(magnitude):
    """
    Read apparent magnitudes; AB magnitudes may say that they are.
    """
    mask = getattr(magnitude, 'mask', None)
    try:
        if getattr(magnitude, 'unit', None) == u.ABmag:
            value = np.asarray(getattr(magnitude, 'value', magnitude), float)
        else:
            value = u.Quantity(magnitude, u.mag).value
    except (TypeError, u.UnitConversionError) as error:
        msg = f'magnitude must be in AB magnitudes, got {magnitude!r}'
        raise ValueError(msg) from error
    return value if mask is None else np.where(mask, np.nan, value)
