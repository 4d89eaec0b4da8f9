# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Checks of profile tables that come from files or were changed by hand.
"""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import SB_UNIT
from astro_pix2prof.profile.columns import (
    OPTIONAL_COLUMNS,
    RING_COLUMNS,
    is_profile,
)
from astro_pix2prof.profile.meta import profile_meta

__all__ = ['check_profile', 'complete_profile']


# The units that a column may have; `None` is no unit.
_UNITS = {
    'radius': (u.arcsec, u.pix), 'surface_brightness': (SB_UNIT,),
    'surface_brightness_err': (SB_UNIT,), 'mag_enclosed': (u.mag,),
    'mag_enclosed_err': (u.mag,),
    'ellipticity': (None,), 'ellipticity_err': (None,), 'pa': (u.deg,),
    'pa_err': (u.deg,), 'n_valid': (None,),
    'surface_brightness_samples': (SB_UNIT,)}


# Columns of tables that hold several profiles one after the other.
_SEVERAL = {'angle': 'sectors', 'axis': 'cuts along the axes',
            'height': 'vertical cuts'}


def check_profile(profile, name='profile', *, ordered=False):
    """
    Check a profile table and bring it into the form that fitters write.

    Masked and infinite values become NaN, the flag of a masked one 0, units
    are converted, and the keys of the meta get their usual spelling (FITS cuts
    them to upper case).

    Parameters
    ----------
    profile : `~astropy.table.Table`
        The profile.

    name : str, optional
        The name of the argument, for messages.

    ordered : bool, optional
        Whether the radii have to be finite and to increase.

    Returns
    -------
    profile : `~astropy.table.QTable`
        The profile itself if there is nothing to change, else a copy.

    Raises
    ------
    TypeError
        If it is no profile table.

    ValueError
        If a column has a unit that it cannot have or is not of numbers, an
        ellipticity is not from 0 to below 1, an error is negative, or the
        radii are not as ``ordered`` wants them.
    """
    if not is_profile(profile):
        lacks = ''
        if hasattr(profile, 'colnames'):
            lacks = f' with the columns {", ".join(profile.colnames)}'
        elif is_profile(getattr(profile, 'profile', None)):
            lacks = ': give its attribute profile, fit.profile'
        elif type(profile).__name__ == 'DataFrame':
            lacks = (': of one that to_pandas has made, from_pandas makes a '
                     'profile again')
        msg = (f'{name} must be a profile table, as a fitter returns it, got '
               f'{type(profile).__name__}{lacks}')
        raise TypeError(msg)
    changed = {}
    for column in profile.colnames:
        values = _checked_column(profile[column], column, name)
        if values is not profile[column]:
            changed[column] = values
    meta = profile_meta(profile)
    if changed or not isinstance(profile, QTable) or meta != dict(
            profile.meta or {}):
        profile = QTable(profile, copy=False)
        profile.meta = meta
        for column, values in changed.items():
            # (assignment drops the description)
            description = profile[column].info.description
            profile[column] = values
            profile[column].info.description = description
    if ordered:
        fault = _fault_of_order(profile['radius'].value)
        if fault:
            msg = (f'{name} must have finite, increasing radii from 0 on, '
                   f'got {fault}')
            if {'angle', 'height', 'axis'} & set(profile.colnames):
                msg += (': it holds several profiles (sectors, axes or '
                        'vertical cuts): give the profile of the whole '
                        'galaxy')
            raise ValueError(msg)
    return profile


def _fault_of_order(radius):
    """
    Describe the first radius that is not finite, negative or out of order.
    """
    bad = np.flatnonzero(~(np.isfinite(radius) & (radius >= 0)))
    if bad.size:
        return f'{radius[bad[0]]:g} in row {bad[0]}'
    bad = np.flatnonzero(np.diff(radius) <= 0)
    if bad.size:
        return (f'{radius[bad[0] + 1]:g} after {radius[bad[0]]:g} in row '
                f'{bad[0] + 1}')
    return ''


def complete_profile(table, name='profile'):
    """
    Complete a table of radii and surface brightness to a profile.

    Tables of papers often have no more columns. The others are
    not-a-number, and the flags 0. What is a profile is checked only.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A profile, or a table with the columns ``radius`` (arcsec or pixels)
        and ``surface_brightness`` (mag/arcsec2) at least, with units.

    name : str, optional
        The name of the argument, for messages.

    Returns
    -------
    profile : `~astropy.table.QTable`
        The profile, checked.

    Raises
    ------
    TypeError
        If it is no profile table, and has not these two columns.

    ValueError
        As for `check_profile`, which includes columns without a unit; or if
        the radii do not increase.
    """
    needed = ('radius', 'surface_brightness')
    if is_profile(table) or not all(
            column in getattr(table, 'colnames', ()) for column in needed):
        return _check_rings(check_profile(table, name), name)
    profile = QTable(table, copy=True)
    for column, (unit, _) in RING_COLUMNS.items():
        if column not in profile.colnames:
            values = np.full(len(profile), np.nan)
            profile[column] = (values * unit
                               if isinstance(unit, u.UnitBase) else values)
    if 'flag' not in table.colnames:
        profile['flag'] = np.zeros(len(profile), dtype=np.int32)
    return _check_rings(check_profile(profile, name), name)


def _check_rings(profile, name):
    """
    Refuse radii that do not increase, as those of several profiles in one.
    """
    radius = np.asarray(profile['radius'].value)
    radius = radius[np.isfinite(radius)]
    wrong = np.flatnonzero(np.diff(radius) <= 0)
    if not wrong.size:
        return profile
    k = int(wrong[0])
    msg = (f'{name} must have radii that increase, one row for each ring, '
           f'got {radius[k + 1]:.6g} after {radius[k]:.6g} '
           f'{profile["radius"].unit}')
    for column, what in _SEVERAL.items():
        if column in profile.colnames:
            msg += (f'. Its column {column!r} is that of {what}: take the '
                    f'rows with one value of it')
    raise ValueError(msg)


def _checked_column(values, column, name):
    """
    Return a column without masked values, in its unit.
    """
    if column == 'flag':
        return _checked_flag(values, name)
    if column not in (*_UNITS, *OPTIONAL_COLUMNS, 'intensity',
                      'intensity_err'):
        return values
    unit = getattr(values, 'unit', None)
    mask = getattr(values, 'mask', None)
    number = np.asarray(getattr(values, 'value', values))
    if number.dtype.kind not in 'fiu':
        msg = (f'{name} must have numbers in the column {column}, got '
               f'{number.dtype}')
        raise ValueError(msg)
    wanted = _right_unit(unit, column, name)
    _check_range(number[np.isfinite(number)], column, name)
    plain = (isinstance(values, u.Quantity) or unit is None
             ) and not np.any(np.isinf(number))
    if plain and mask is None and unit == wanted:
        return values
    filled = np.array(number, dtype=float)
    if mask is not None:
        filled[np.asarray(mask)] = np.nan
    filled[np.isinf(filled)] = np.nan
    if column in _UNITS and unit is not None and wanted is not None:
        filled = (filled * unit).to_value(wanted)
    return filled if wanted is None else filled * wanted


def _check_range(values, column, name):
    if column.endswith('_err') and np.any(values < 0):
        msg = (f'{name} must have no negative errors in the column {column}, '
               f'got {values.min()}')
        raise ValueError(msg)
    if column == 'ellipticity' and np.any((values < 0) | (values >= 1)):
        msg = (f'{name} must have ellipticities from 0 to below 1, got '
               f'{values.min()} to {values.max()}')
        raise ValueError(msg)


def _right_unit(unit, column, name):
    """
    Choose the unit of a column.
    """
    if unit == u.dimensionless_unscaled and _UNITS.get(column) == (None,):
        return None
    if column not in _UNITS:
        # That of the image, or none if that has none. A VOTable may bring
        # back a nanomaggy that is not the one of astropy.
        none = (None if column in OPTIONAL_COLUMNS
                else u.dimensionless_unscaled)
        return none if unit is None else u.Unit(
            unit.to_string(), parse_strict='silent')
    for wanted in _UNITS[column]:
        if unit is None and wanted is None:
            return None
        if None not in (unit, wanted) and unit.is_equivalent(wanted):
            return wanted
    units = ' or '.join('no unit' if wanted is None else str(wanted)
                        for wanted in _UNITS[column])
    msg = (f'{name} must have its column {column} in {units}, got '
           f'{"no unit" if unit is None else unit}')
    raise ValueError(msg)


def _checked_flag(values, name):
    if hasattr(values, 'mask'):
        values = values.filled(0)
    number = np.asarray(values)
    if number.dtype.kind in 'iu':
        return values
    whole = number.dtype.kind == 'f' and np.array_equal(
        number, np.trunc(number))
    if not whole:
        msg = (f'{name} must have integers in the column flag, got '
               f'{number.dtype}')
        raise ValueError(msg)
    return number.astype(np.int32)
