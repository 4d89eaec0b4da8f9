# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read vectors of galaxies from results of surveys; keep tables of them.
"""

import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.addresses import as_source, find_path, is_address
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.io import write_table
from astro_pix2prof.profile.texts import text_array
from astro_pix2prof.survey.arrow import (
    masked_array,
    table_to_arrow,
    unit_of_field,
)
from astro_pix2prof.survey.files import require_file, write_whole

__all__ = ['arrow_vectors', 'load_table', 'save_table', 'survey_columns',
           'survey_vectors']

_ENDINGS = ('.parquet', '.ecsv')

# Version of the files, and the key of what they say of themselves.
_VERSION, _KEY = 1, 'astro_pix2prof_search'


def survey_columns(survey):
    """
    List the columns in the files of a survey, and their shared metadata.

    Parameters
    ----------
    survey : `~astro_pix2prof.Survey`
        The survey.

    Returns
    -------
    columns : dict of bool
        Whether each column holds lists, by its name.

    meta : dict
        The metadata of the profiles, with what is said of the embedding.

    Raises
    ------
    ValueError
        If the survey has no files yet.
    """
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    if not survey.files:
        msg = f'{survey.folder} has no results yet'
        raise ValueError(msg)
    columns, meta = {}, {}
    for path in survey.files:
        schema = pq.read_schema(as_source(path))
        for field in schema:
            columns.setdefault(field.name, pa.types.is_nested(field.type))
        for value in (schema.metadata or {}).values():
            try:
                found = json.loads(value)
            except ValueError:
                continue
            if isinstance(found, dict):
                meta = {**found, **meta}
    return columns, meta


def survey_vectors(survey, column):
    """
    Read a column of lists of numbers, one of each galaxy.

    Parameters
    ----------
    survey : `~astro_pix2prof.Survey`
        The survey.

    column : str
        The column.

    Returns
    -------
    vectors : 2D `~numpy.ndarray`, shape (n, d)
        Not-a-number where there is none.

    Raises
    ------
    ValueError
        If lists differ in length, or do not hold numbers.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    parts = []
    for path in survey.files:
        with pq.ParquetFile(as_source(path)) as file:
            if column in file.schema_arrow.names:
                parts.append(arrow_vectors(
                    file.read(columns=[column])[column], column))
            else:
                # (a part without a measured galaxy)
                parts.append(np.full((file.metadata.num_rows, 0), np.nan))
    lengths = {part.shape[1] for part in parts} - {0}
    if len(lengths) > 1:
        msg = (f'the column {column!r} of {survey.folder} holds vectors of '
               f'{" and of ".join(map(str, sorted(lengths)))} numbers')
        raise ValueError(msg)
    length = max(lengths, default=0)
    return np.concatenate([part if part.shape[1] else np.full(
        (len(part), length), np.nan, dtype='f4') for part in parts])


def arrow_vectors(column, name):
    """
    Convert an Arrow column of lists to an array.

    Parameters
    ----------
    column : `pyarrow.ChunkedArray`
        Lists of numbers; null where there is none.

    name : str
        The name of the column, for messages.

    Returns
    -------
    vectors : 2D `~numpy.ndarray`, shape (n, d)

    Raises
    ------
    ValueError
        If lists differ in length, or do not hold numbers.
    """
    pa = import_pyarrow()
    kind = column.type
    nested = (pa.types.is_list(kind) or pa.types.is_large_list(kind)
              or pa.types.is_fixed_size_list(kind))
    if not nested or not (pa.types.is_floating(kind.value_type)
                          or pa.types.is_integer(kind.value_type)):
        msg = f'the column {name!r} must hold lists of numbers, got {kind}'
        raise ValueError(msg)
    there = ~np.asarray(column.is_null().to_numpy())
    values = column.drop_null()
    lengths = np.unique(
        [kind.list_size] if pa.types.is_fixed_size_list(kind)
        else pa.compute.list_value_length(values).to_numpy())
    # (an empty list stands for none)
    if len(lengths) == 2 and lengths[0] == 0:
        has = pa.compute.list_value_length(values).to_numpy() > 0
        there[there] = has
        lengths = lengths[1:]
    if len(lengths) > 1:
        msg = (f'the column {name!r} holds vectors of '
               f'{" and of ".join(map(str, lengths))} numbers')
        raise ValueError(msg)
    length = int(lengths[0]) if len(lengths) else 0
    flat = pa.compute.list_flatten(values).to_numpy(zero_copy_only=False)
    vectors = np.full((len(there), length), np.nan, dtype=(
        'f4' if flat.dtype == np.float32 else 'f8'))
    vectors[there] = flat.reshape(-1, length) if length else 0
    return vectors


def _check_ending(path):
    path = find_path(path, 'path')
    if is_address(path):
        msg = (f'path={str(path)!r} is an address: give a file of this '
               'machine')
        raise ValueError(msg)
    path = Path(path)
    if path.suffix.lower() not in _ENDINGS:
        msg = f'path must end in .parquet or .ecsv, got {str(path)!r}'
        raise ValueError(msg)
    return path


def save_table(table, path, kind, meta, *, overwrite=False):
    """
    Write a table of vectors, complete or not at all.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table.

    path : str or path-like
        The file; its ending ``.parquet`` or ``.ecsv`` says the format.

    kind : str
        The class whose state it is.

    meta : dict
        What is to be known besides: texts, numbers, lists and dicts.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ValueError
        If the ending is another one, or the path is an address.

    FileExistsError
        If the file exists, and ``overwrite`` is `False`.
    """
    path = _check_ending(path)
    if path.exists() and not overwrite:
        msg = f'path: {path} exists: give overwrite=True to replace it'
        raise FileExistsError(msg)
    state = json.dumps({'kind': kind, 'version': _VERSION, **meta})
    if path.suffix.lower() == '.ecsv':
        table = QTable(table, copy=False)
        table.meta = {_KEY: state}
        write_whole(path, lambda part: write_table(table, part,
                                                   format='ecsv'))
        return path
    import_pyarrow()
    import pyarrow.parquet as pq

    arrow = table_to_arrow(table)
    arrow = arrow.replace_schema_metadata({_KEY: state})
    write_whole(path, lambda part: pq.write_table(arrow, part))
    return path


def load_table(path, kind):
    """
    Read a table that `save_table` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    kind : str
        The class whose state is expected.

    Returns
    -------
    table : `~astropy.table.QTable`
        The table.

    meta : dict
        What was saved besides.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ValueError
        If the file is broken, or holds something else.
    """
    path = _check_ending(path)
    require_file(path, 'path')
    try:
        table, state = (_read_ecsv(path) if path.suffix.lower() == '.ecsv'
                        else _read_parquet(path))
        meta = json.loads(state or '{}')
    except ImportError:
        raise
    except Exception as error:  # every reader has kinds of its own
        article = 'an' if kind[0] in 'AEIOU' else 'a'
        msg = (f'{path} cannot be read as {article} {kind}: '
               f'{" ".join(str(error).split())}')
        raise ValueError(msg) from error
    if meta.get('kind') != kind:
        found = meta.get('kind')
        msg = (f'{path} was not written by {kind}.save' + (
            f' but by {found}.save' if found else ''))
        raise ValueError(msg)
    if meta['version'] > _VERSION:
        msg = (f'{path} was written by a later version of this package: its '
               f'format is {meta["version"]}, and this version reads '
               f'{_VERSION}')
        raise ValueError(msg)
    return table, meta


def _read_ecsv(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', u.UnitsWarning)
        table = QTable.read(path, format='ascii.ecsv')
    state = table.meta.pop(_KEY, None)
    # (texts that are empty come masked, numbers that are not there, too)
    for name in table.colnames:
        column = table[name]
        if hasattr(column, 'mask') and column.dtype.kind in 'UO':
            table[name] = text_array(column.filled('').tolist())
    return table, state


def _read_parquet(path):
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    arrow = pq.read_table(path)
    state = (arrow.schema.metadata or {}).get(_KEY.encode())
    table = QTable()
    for field in arrow.schema:
        column = arrow[field.name]
        if pa.types.is_nested(field.type):
            table[field.name] = arrow_vectors(column, field.name)
            continue
        if column.null_count and pa.types.is_integer(field.type):
            # (floats do not hold the digits of long identifiers)
            table[field.name] = masked_array(column)
            continue
        values = column.to_numpy(zero_copy_only=False)
        if values.dtype.kind == 'O':
            values = text_array(values)
        unit = unit_of_field(field)
        table[field.name] = values if unit is None else (
            values * u.Unit(unit, parse_strict='silent'))
    return table, state
