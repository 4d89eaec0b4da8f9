# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Columns of tables of galaxies: names, numbers, vectors, failures.
"""

import numpy as np

from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.texts import text_array
from astro_pix2prof.wording import counted, shown

__all__ = ['ID_COLUMNS', 'check_names', 'check_vectors', 'failed_rows',
           'find_id', 'numbers_of', 'refuse_failed', 'require_columns']

# Columns that are taken for the name of a galaxy, if none is given.
ID_COLUMNS = ('index', 'id', 'name', 'source')


def check_names(names, argument):
    """
    Check a list of names of columns, and drop repeated ones.
    """
    if isinstance(names, str) or not all(
            isinstance(name, str) for name in names):
        msg = f'{argument} must be a list of names, got {shown(names)}'
        raise TypeError(msg)
    names = list(dict.fromkeys(names))
    if not names:
        msg = f'{argument} must name at least one column'
        raise ValueError(msg)
    return names


def require_columns(table, names, argument):
    """
    Check that a table has columns.
    """
    missing = [name for name in names if name not in table.colnames]
    if missing:
        msg = (f'{argument}: no column {", ".join(map(repr, missing))}; '
               f'there are {", ".join(table.colnames)}')
        raise ValueError(msg)


def numbers_of(column, name):
    """
    Convert a column to floats; what is masked is not-a-number.
    """
    values = getattr(column, 'value', column)
    if np.asarray(values).dtype.kind not in 'iufb' or values.ndim != 1:
        msg = f'columns: {name!r} must hold numbers, got {values.dtype}'
        raise ValueError(msg)
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def check_vectors(column, name):
    """
    Check a column of vectors; what is masked is not-a-number.
    """
    values = getattr(column, 'value', column)
    if values.dtype.kind == 'O':
        lengths = {np.size(value) for value in values}
        if len(lengths) == 1:
            values = np.array(list(map(np.asarray, values)))
    if values.ndim != 2 or np.asarray(values).dtype.kind not in 'fiu':
        msg = (f'the column {name!r} must hold a vector of numbers for each '
               f'row, got the shape {values.shape} of {values.dtype}')
        raise ValueError(msg)
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def failed_rows(rows):
    """
    Tell the rows without a measurement, or of an image without a galaxy.
    """
    if 'flag' not in rows.colnames:
        return np.zeros(len(rows), dtype=bool)
    flag = np.asarray(rows['flag'])
    if flag.dtype.kind not in 'iu':
        return np.zeros(len(rows), dtype=bool)
    # (noise has an embedding, too, which means nothing)
    return (flag & (GalaxyFlag.FAILED | GalaxyFlag.NO_SOURCE)) != 0


def refuse_failed(rows):
    """
    Refuse galaxies that could not be measured, or are none, with the reason.
    """
    failed = np.flatnonzero(failed_rows(rows))
    if not len(failed):
        return
    row = rows[int(failed[0])]
    name = next((f'{row[name]}' for name in ('source', 'name', 'id', 'index')
                 if name in rows.colnames and f'{row[name]}'), 'one')
    reason = 'there is no galaxy in it (NO_SOURCE)'
    if int(row['flag']) & GalaxyFlag.FAILED:
        reason = 'it could not be measured'
        if 'message' in rows.colnames and f'{row["message"]}':
            reason += f': {row["message"]}'
    others = (f', and {counted(len(failed) - 1, "other")}'
              if len(failed) > 1 else '')
    msg = f'{name}{others} has no embedding: {reason}'
    raise ValueError(msg)


def find_id(rows, given):
    """
    Find the column that names the galaxies, or add their numbers.
    """
    if given is not None:
        require_columns(rows, [given], 'id_column')
        name = given
    else:
        name = next((name for name in ID_COLUMNS
                     if name in rows.colnames), None)
    if name is None:
        rows.add_column(np.arange(len(rows)), index=0, name='index')
        return 'index'
    column = rows[name]
    if np.any(getattr(column, 'mask', False)):
        msg = (f'id_column={name!r} must have a name for each galaxy, got '
               f'{np.count_nonzero(column.mask)} rows without one: fill them, '
               "or give id_column='index'")
        raise ValueError(msg)
    if np.asarray(column).dtype.kind not in 'iuUSO' or column.ndim != 1:
        msg = (f'id_column={name!r} must hold integers or texts, got '
               f'{column.dtype}')
        raise ValueError(msg)
    if column.dtype.kind == 'S':
        rows[name] = text_array([text.decode() if isinstance(text, bytes)
                                 else text for text in column.tolist()])
    return name
