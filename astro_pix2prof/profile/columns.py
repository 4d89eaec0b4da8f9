# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The columns of profiles and of batches: names, units and types.
"""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import SB_UNIT

__all__ = ['ADDED_COLUMNS', 'CENTRE_COLUMNS', 'COLUMNS', 'GALAXY_COLUMNS',
           'HARMONIC_COLUMNS', 'OPTIONAL_COLUMNS', 'RING_COLUMNS',
           'column_unit', 'empty_galaxy', 'is_profile', 'make_table']


class RingColumn(NamedTuple):
    """
    A column of a profile.

    Attributes
    ----------
    unit : `~astropy.units.UnitBase`, str or `None`
        The unit; a string is the column of the galaxy that holds it, or
        two of them with a slash between.

    kind : str
        The data type.
    """

    unit: object
    kind: str = 'f8'


class GalaxyColumn(NamedTuple):
    """
    A column with one value for each galaxy.

    Attributes
    ----------
    kind : str
        The data type.

    unit : `~astropy.units.UnitBase` or `None`
        The unit.

    key : str or `None`
        The key of the value in the meta of a profile, if it is there.
    """

    kind: str
    unit: object = None
    key: str = None


# The columns of a profile. Radius and intensity have the units of the galaxy.
RING_COLUMNS = {
    'radius': RingColumn('radius_unit'),
    'surface_brightness': RingColumn(SB_UNIT),
    'surface_brightness_err': RingColumn(SB_UNIT),
    'intensity': RingColumn('intensity_unit'),
    'intensity_err': RingColumn('intensity_unit'),
    'ellipticity': RingColumn(None),
    'ellipticity_err': RingColumn(None),
    'pa': RingColumn(u.deg),
    'pa_err': RingColumn(u.deg),
    'mag_enclosed': RingColumn(u.mag),
    'mag_enclosed_err': RingColumn(u.mag),
    'n_valid': RingColumn(None),
    'flag': RingColumn(None, 'i4'),
}

COLUMNS = tuple(RING_COLUMNS)

# Columns that a profile has where they were asked for.
OPTIONAL_COLUMNS = {
    'a3': RingColumn(None),
    'a3_err': RingColumn(None),
    'b3': RingColumn(None),
    'b3_err': RingColumn(None),
    'a4': RingColumn(None),
    'a4_err': RingColumn(None),
    'b4': RingColumn(None),
    'b4_err': RingColumn(None),
    'gradient': RingColumn('intensity_unit/radius_unit'),
    'gradient_err': RingColumn('intensity_unit/radius_unit'),
    'rms': RingColumn('intensity_unit'),
    'n_pixels': RingColumn(None),
    'area': RingColumn('radius_unit*radius_unit'),
    'x_offset': RingColumn(u.pix),
    'x_offset_err': RingColumn(u.pix),
    'y_offset': RingColumn(u.pix),
    'y_offset_err': RingColumn(u.pix),
}

CENTRE_COLUMNS = tuple(name for name in OPTIONAL_COLUMNS
                       if 'offset' in name)
HARMONIC_COLUMNS = tuple(name for name in OPTIONAL_COLUMNS
                         if name not in CENTRE_COLUMNS)

# Columns that profiles of earlier versions lack.
ADDED_COLUMNS = ('mag_enclosed_err',)

# The values of each galaxy in a batch, and their keys in a profile's meta.
GALAXY_COLUMNS = {
    'index': GalaxyColumn('i8'),
    'source': GalaxyColumn('O', key='source'),
    'band': GalaxyColumn('O', key='band'),
    'flag': GalaxyColumn('i4', key='flag'),
    'message': GalaxyColumn('O', key='message'),
    'n_rings': GalaxyColumn('i4'),
    'x_centre': GalaxyColumn('f8', key='x_centre'),
    'y_centre': GalaxyColumn('f8', key='y_centre'),
    'centre_err': GalaxyColumn('f8', key='centre_err'),
    'ra': GalaxyColumn('f8', u.deg, 'ra'),
    'dec': GalaxyColumn('f8', u.deg, 'dec'),
    'pixel_scale': GalaxyColumn('f8', u.arcsec, 'pixel_scale'),
    'zeropoint': GalaxyColumn('f8', u.mag, 'zeropoint'),
    'sb_zeropoint': GalaxyColumn('f8', u.mag, 'sb_zeropoint'),
    'background': GalaxyColumn('f8', key='background'),
    'sky': GalaxyColumn('f8', key='sky'),
    'sky_err': GalaxyColumn('f8', key='sky_err'),
    'noise': GalaxyColumn('f8', key='noise'),
    'noise_correlation': GalaxyColumn('f8', key='noise_correlation'),
    'unit': GalaxyColumn('O', key='unit'),
    'radius_unit': GalaxyColumn('O'),
    'intensity_unit': GalaxyColumn('O'),
    'mag_system': GalaxyColumn('O', key='mag_system'),
    'pa_frame': GalaxyColumn('O', key='pa_frame'),
    'mag': GalaxyColumn('f8', u.mag),
    'radius_50': GalaxyColumn('f8'),
}

# Values that stand for an unknown one, by the data type.
_UNKNOWN = {'O': '', 'f8': np.nan}


def empty_galaxy():
    """
    Return the values of a galaxy of which nothing is known.

    Returns
    -------
    row : dict
        A value for each of ``GALAXY_COLUMNS``: an empty string,
        not-a-number or 0.
    """
    return {name: _UNKNOWN.get(column.kind, 0)
            for name, column in GALAXY_COLUMNS.items()}


def column_unit(unit, find):
    """
    Find the unit of a column of rings.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`, str or `None`
        As in `RingColumn`.

    find : callable
        Takes 'radius_unit' or 'intensity_unit' and returns that unit, or
        `None`.

    Returns
    -------
    unit : `~astropy.units.UnitBase` or `None`
    """
    if not isinstance(unit, str):
        return unit
    for sign in '/*':
        if sign in unit:
            first, second = (find(name) for name in unit.split(sign))
            if first is None or second is None:
                return None
            return first / second if sign == '/' else first * second
    return find(unit)


def make_table(columns, units):
    """
    Make a profile table of plain columns.

    Parameters
    ----------
    columns : dict of 1D `~numpy.ndarray`, shape (n,)
        The values of all ``RING_COLUMNS``; those of ``ADDED_COLUMNS`` are
        not-a-number if they are not there. And perhaps some of
        ``OPTIONAL_COLUMNS``.

    units : dict of `~astropy.units.UnitBase` or str
        The units 'radius_unit' and 'intensity_unit'; an empty string stands
        for pixels and for no unit.

    Returns
    -------
    table : `~astropy.table.QTable`, n rows
    """
    table = QTable()

    def find(name):
        return u.Unit(units[name]) if units[name] else (
            u.pix if name == 'radius_unit' else u.dimensionless_unscaled)

    for name, (unit, _) in {**RING_COLUMNS, **{
            name: column for name, column in OPTIONAL_COLUMNS.items()
            if name in columns}}.items():
        unit = column_unit(unit, find)
        if name in ADDED_COLUMNS and name not in columns:
            values = np.full(len(columns['radius']), np.nan)
        else:
            values = columns[name]
        table[name] = values if unit is None else values * unit
    return table


def is_profile(table):
    """
    Tell whether a table has the columns of a profile.

    Parameters
    ----------
    table : object
        Anything.

    Returns
    -------
    result : bool
    """
    names = getattr(table, 'colnames', ())
    return all(name in names for name in ('radius', 'intensity',
                                          'intensity_err', 'ellipticity',
                                          'pa', 'flag'))
