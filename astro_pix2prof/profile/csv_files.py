# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles as CSV files and as data frames of pandas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from astro_pix2prof.extras import missing_extra
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.columns import OPTIONAL_COLUMNS, RING_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ['from_pandas', 'read_csv', 'to_pandas', 'write_csv']

# (the examples need an optional package)
__doctest_requires__ = {('from_pandas', 'to_pandas'): ['pandas']}


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
        `from_pandas` makes a profile of them again.

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


def from_pandas(frame: pd.DataFrame) -> QTable:
    """
    Make a profile of a data frame that `to_pandas` made.

    Parameters
    ----------
    frame : `pandas.DataFrame`
        The columns, also in another order, with others, or of some rows.
        ``frame.attrs['units']`` has the units of columns and
        ``frame.attrs['meta']`` the meta.

    Returns
    -------
    profile : `~astropy.table.QTable`
        Missing numbers become not-a-number, missing texts ''.

    Raises
    ------
    TypeError
        If it is no data frame, or one without the columns of a profile.

    ValueError
        If the frame has no units, or wrong ones: some operations of pandas
        drop ``attrs``.

    Examples
    --------
    >>> from astro_pix2prof import (from_pandas, load_example_truth,
    ...                             to_pandas)
    >>> frame = to_pandas(load_example_truth())
    >>> inner = from_pandas(frame[frame['radius'] < 10])
    >>> inner['radius'].unit
    Unit("arcsec")
    """
    if not hasattr(frame, 'attrs') or not hasattr(frame, 'columns'):
        msg = ('frame must be a data frame of pandas, got '
               f'{type(frame).__name__}')
        raise TypeError(msg)
    units = frame.attrs.get('units')
    if not units or not isinstance(units, Mapping):
        got = 'none' if not units else f'a {type(units).__name__}'
        msg = ("frame must have the units of its columns in frame.attrs["
               f"'units'], got {got}: some operations of pandas drop them; "
               'copy them from the frame of to_pandas, with frame.attrs = '
               'first.attrs')
        raise ValueError(msg)
    if not frame.columns.is_unique:
        names = frame.columns[frame.columns.duplicated()].unique()
        msg = ('frame must have columns of different names, got several of '
               + ', '.join(map(str, names)))
        raise ValueError(msg)
    profile = QTable()
    for name in frame.columns:
        values = _frame_values(frame[name], str(name))
        unit = units.get(name)
        if unit is not None:
            try:
                values = u.Quantity(values, u.Unit(unit))
            except (TypeError, ValueError) as error:
                msg = (f"frame.attrs['units'] must fit the column {name}, got "
                       f'{unit!r} for values such as {values[:1]}: {error}')
                raise ValueError(msg) from None
        profile[str(name)] = values
    profile.meta = dict(frame.attrs.get('meta') or {})
    return check_profile(profile, 'frame')


def _frame_values(column, name):
    """
    Take the values out of a column of a data frame.
    """
    column = column.infer_objects()
    missing = column.isna().to_numpy()
    kind = getattr(column.dtype, 'kind', 'O')
    if kind == 'O' and not missing.all() and all(
            isinstance(value, Real) and not isinstance(value, bool | np.bool_)
            for value in column[~missing]):
        column, kind = column.astype(float), 'f'
    if kind in 'iuf' and (kind == 'f' or not missing.any()):
        values = column.to_numpy()
    elif kind in 'iu':
        values = column.to_numpy(dtype=float, na_value=np.nan)
    elif kind == 'b' or (kind == 'O' and not missing.all() and all(
            isinstance(value, bool | np.bool_)
            for value in column[~missing])):
        values = np.where(missing, False, column.to_numpy(object)).astype(bool)
        return np.ma.array(values, mask=missing) if missing.any() else values
    else:
        values = np.array(['' if empty else str(value) for value, empty in
                           zip(column, missing, strict=True)], dtype=str)
    if name.endswith('flag') and values.dtype.kind == 'f' and np.all(
            values == np.trunc(values)):
        # (whole numbers turn into floats where frames are joined)
        values = values.astype(np.int32)
    if name == 'flag' and missing.any():
        msg = (f'frame must have a flag in each row, got '
               f'{np.count_nonzero(missing)} without: leave these rows out, '
               "or give them one, with frame['flag'].fillna(0)")
        raise ValueError(msg)
    return values


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
