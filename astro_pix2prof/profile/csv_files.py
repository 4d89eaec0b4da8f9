# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles as CSV files and as data frames of pandas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from astro_pix2prof.extras import missing_extra
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.columns import OPTIONAL_COLUMNS, RING_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ['read_csv', 'to_pandas', 'write_csv']

# (the examples need an optional package)
__doctest_requires__ = {'to_pandas': ['pandas']}


def _plain_columns(profile):
    """
    Take the units off the columns; refuse those of several values a row.

    Columns with masked values stay masked: cells of CSV files are empty then,
    and those of pandas missing.
    """
    columns, units = {}, {}
    for name in profile.colnames:
        values = profile[name]
        unit = getattr(values, 'unit', None)
        values = np.ma.asarray(getattr(values, 'value', values))
        if not np.ma.is_masked(values):
            values = np.asarray(values)
        if values.ndim > 1:
            msg = (f'profile must have one value in each row, got the column '
                   f'{name} of {values.shape[1]}: remove it first, with '
                   f'profile.remove_column({name!r})')
            raise ValueError(msg)
        columns[name] = values
        if unit is not None and unit != u.dimensionless_unscaled:
            units[name] = unit.to_string()
    return columns, units


def to_pandas(profile: QTable) -> pd.DataFrame:
    """
    Make a data frame of pandas of a profile.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    Returns
    -------
    frame : `pandas.DataFrame`
        The columns as plain numbers. ``frame.attrs['units']`` has the unit
        of each column that has one, ``frame.attrs['meta']`` the meta.

    Raises
    ------
    ImportError
        If pandas is not installed.

    TypeError
        If it is no profile table.

    ValueError
        If a column has several values in each row, as noisy samples have.

    Examples
    --------
    >>> from astro_pix2prof import load_example_truth, to_pandas
    >>> frame = to_pandas(load_example_truth())
    >>> frame.attrs['units']['radius']
    'arcsec'
    """
    profile = check_profile(profile)
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra(package='pandas', extra='survey',
                            what='to_pandas') from error
    columns, units = _plain_columns(profile)
    # (columns of FITS files have the other byte order)
    frame = pd.DataFrame({name: values.astype(values.dtype.newbyteorder('='))
                          for name, values in columns.items()})
    frame.attrs = {'units': units, 'meta': dict(profile.meta)}
    return frame


def write_csv(profile, path):
    """
    Write a profile as CSV, with the units in the names of the columns.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    path : `~pathlib.Path`
        The file, which is replaced.

    Raises
    ------
    ValueError
        If a column has several values in each row, as noisy samples have,
        or a name with a unit in it.
    """
    columns, units = _plain_columns(profile)
    for name in columns:
        if re.fullmatch(r'.*\[.*\]', name):
            msg = (f'profile has the column {name!r}, whose brackets would be '
                   'read as a unit: rename it first')
            raise ValueError(msg)
    names = [f'{name} [{units[name]}]' if name in units else name
             for name in columns]
    Table(list(columns.values()), names=names).write(
        path, format='ascii.csv', overwrite=True)


def read_csv(path):
    """
    Read a table whose columns have their units in their names.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    table : `~astropy.table.QTable`
        Empty cells of numbers become not-a-number, of texts ''. Columns of
        True and False only are bool, and masked where a cell is empty.
    """
    plain = Table.read(path, format='ascii.csv')
    table = QTable()
    for column in plain.itercols():
        name, unit = re.fullmatch(r'(.*?)\s*(?:\[(.*)\])?',
                                  column.name).groups()
        values = _typed(column, name)
        table[name] = values if unit is None else u.Quantity(
            values, u.Unit(unit))
    return table


def _typed(column, name):
    """
    Find the values of a column, of whose type a CSV file tells nothing.

    Columns of True, False and empty cells become masked arrays of bool:
    neither of the two stands for a cell that is empty.
    """
    if not len(column):
        known = {**RING_COLUMNS, **OPTIONAL_COLUMNS}.get(name)
        is_flag = name.endswith('flag')
        return np.zeros(0, known.kind if known is not None else
                        'i4' if is_flag else 'f8')
    if hasattr(column, 'mask') and column.dtype.kind in 'iuf':
        column = column.astype(float).filled(np.nan)
    elif hasattr(column, 'mask') and column.dtype.kind in 'US':
        column = column.filled('')
    values = np.asarray(column)
    if values.dtype.kind == 'U' and set(np.unique(values)) <= {
            'True', 'False', ''} and (values != '').any():
        known = values != ''
        found = values == 'True'
        return found if known.all() else np.ma.array(found, mask=~known)
    if name.endswith('flag') and values.dtype.kind == 'i' and np.all(
            values == values.astype(np.int32)):
        values = values.astype(np.int32)
    return values
