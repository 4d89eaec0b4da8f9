# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find the names of galaxies, and those that several rows of a catalogue have.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.wording import counted

__all__ = ['find_id_column', 'warn_of_repeated_ids']


# Columns that name the galaxy of a row, in lower case.
_NAMES = ('id', 'galaxy_id', 'object_id', 'objid', 'source_id')

# Rows that are read at once, and those that are looked at: of each, eight
# bytes are held.
_SIZE, _MOST = 100_000, 20_000_000

# Names, and rows of each, that a warning lists, and those among which the
# first are looked for.
_SHOWN, _SOUGHT = 5, 100_000


def find_id_column(schema):
    """
    Find the column of whole numbers or texts that names the galaxies.

    Parameters
    ----------
    schema : `pyarrow.Schema`
        Of the catalogue, or of results.

    Returns
    -------
    name : str or `None`
        The first such as 'id', 'objid' or 'source_id'; `None` without any.
    """
    from pyarrow import types

    return next((field.name for field in schema
                 if field.name.lower() in _NAMES and (
                     types.is_integer(field.type)
                     or types.is_string(field.type)
                     or types.is_large_string(field.type))), None)


def warn_of_repeated_ids(catalogue):
    """
    Warn of names in the column of names that more than one row has.

    Their rows differ by the column ``index`` of the results only, and tables
    that are joined by the name have rows too many.

    Parameters
    ----------
    catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
        The catalogue; without a column such as 'id', nothing is read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With the first such names and their rows. Rows without a name do not
        count.
    """
    column = find_id_column(catalogue.schema)
    if column is None:
        return
    repeated = _repeated_hashes(catalogue, column)
    if not len(repeated):
        return
    first = _first_repeated(catalogue, column,
                            set(repeated[:_SOUGHT].tolist()))
    if not first:
        return
    listed = ', '.join(
        f'{name!r} ({", ".join(map(str, rows[:_SHOWN]))}'
        f'{", ..." if len(rows) > _SHOWN else ""})'
        for name, rows in first.items())
    warnings.warn(
        f'catalogue {catalogue.name}: the column {column!r} has '
        f'{counted(len(repeated), "name")} in more than one row, such as '
        f'(with their rows, counted from 0) {listed}; each row is measured, '
        'and only the column index tells them apart: remove rows that are '
        'there twice', AstropyUserWarning, stacklevel=3)


def _names(catalogue, column):
    """
    Yield the number of each row that has a name, and the name.
    """
    row = 0
    for part in catalogue.parts(_SIZE, [column]):
        for name in part.column(column).to_pylist():
            if name is not None and name != '':
                yield row, name
            row += 1
            if row >= _MOST:
                return


def _repeated_hashes(catalogue, column):
    """
    Find the hashes that more than one name or row has: 1D array of int64.
    """
    hashes = np.fromiter((hash(name) for _, name in _names(
        catalogue, column)), dtype=np.int64)
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def _first_repeated(catalogue, column, hashes):
    """
    List the rows of the first names that have several, up to one too many.
    """
    rows = {}
    for row, name in _names(catalogue, column):
        if hash(name) not in hashes:
            continue
        at = rows.setdefault(name, [])
        if len(at) <= _SHOWN:
            at.append(row)
    found = {name: at for name, at in rows.items() if len(at) > 1}
    return dict(list(found.items())[:_SHOWN])
