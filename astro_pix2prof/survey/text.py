# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read catalogues from text files into Arrow tables.

Texts take the memory of their characters: in arrays of a fixed width, one
long name among many rows would take that width for all of them.
"""

import csv
import io
import sys
from contextlib import contextmanager
from itertools import islice

from astropy.table import Table
from astropy.table.meta import get_header_from_yaml

from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.survey.arrow import table_to_arrow

__all__ = ['read_csv', 'read_ecsv']


# Rows that are held as Python objects at once.
_ROWS = 10_000


def read_csv(path):
    """
    Read a table of comma-separated values.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file, in UTF-8, whose first row holds the names of the columns.

    Returns
    -------
    table : `pyarrow.Table`
        Columns of integers, of numbers, or of texts. Empty cells, and those
        that a short row lacks, are null.

    Raises
    ------
    ValueError
        If the first row does not name the columns or divides them by
        another sign than a comma, or a row is too long.
    """
    with _open(path) as file:
        rows = filter(None, csv.reader(file))
        names = [name.strip() for name in next(rows, [])]
        other = next((sign for sign in ';\t|' if len(names) == 1
                      and sign in names[0]), None)
        if other is not None:
            msg = (f'{path} has the columns {names[0]!r}, divided by '
                   f'{other!r}: write it with commas')
            raise ValueError(msg)
        table = _read_rows(rows, names)
    return _give_types(table)


def read_ecsv(path):
    """
    Read an ECSV table.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    table : `pyarrow.Table`
        Units are in the metadata of the fields, empty cells are null.

    Raises
    ------
    ValueError
        If the file is no ECSV table.
    """
    pa = import_pyarrow()
    comments = []
    with _open(path) as file:
        for line in file:
            if not line.startswith('#'):
                break
            comments.append(line[1:].removeprefix(' ').rstrip('\r\n'))
        header = get_header_from_yaml(
            [line for line in comments if not line.startswith('%ECSV')])
    parts = _serialized(header.get('meta') or {})
    # astropy makes arrays of a fixed width of texts: it gets a copy in
    # which plain texts are empty
    texts = [column['name'] for column in header['datatype']
             if column['datatype'] == 'string' and 'subtype' not in column
             and column['name'] not in parts]
    copy = io.StringIO()
    writer = csv.writer(copy, delimiter=header.get('delimiter', ' '),
                        quoting=csv.QUOTE_ALL, lineterminator='\n')

    def copied(rows, names):
        places = [names.index(name) for name in texts if name in names]
        for row in rows:
            kept = list(row)
            for place in places:
                kept[place:place + 1] = [''] * (place < len(row))
            writer.writerow(kept)
            yield row

    with _open(path) as file:
        lines = (line for line in file if not line.lstrip().startswith('#'))
        rows = filter(None, csv.reader(
            lines, delimiter=header.get('delimiter', ' '),
            skipinitialspace=True))
        names = next(rows, [])
        writer.writerow(names)
        read = _read_rows(copied(rows, names), names)
    table = table_to_arrow(Table.read(
        [f'# {line}' for line in comments] + copy.getvalue().split('\n')[:-1],
        format='ascii.ecsv'))
    for name in texts:
        k = table.schema.get_field_index(name)
        field = table.schema.field(k)
        table = table.set_column(k, field.with_type(pa.string()), read[name])
    return table


@contextmanager
def _open(path):
    """
    Open a text file; its cells may have any length.
    """
    before = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            yield file
    finally:
        csv.field_size_limit(before)


def _read_rows(rows, names):
    """
    Read rows into columns of texts; a few rows are Python objects at once.
    """
    pa = import_pyarrow()
    if not all(names) or len(set(names)) < len(names):
        msg = ('the first row must hold one name for each column, each of '
               f'another name, got {", ".join(map(repr, names))[:500]}')
        raise ValueError(msg)
    schema = pa.schema([(name, pa.string()) for name in names])
    tables, n_rows = [schema.empty_table()], 0
    while part := list(islice(rows, _ROWS)):
        for k, row in enumerate(part):
            if len(row) > len(names):
                msg = (f'row {n_rows + k + 1} has {len(row)} cells, but '
                       f'there are {len(names)} columns')
                raise ValueError(msg)
            row += [''] * (len(names) - len(row))
        tables.append(pa.table(
            [pa.array([row[k].strip() or None for row in part], pa.string())
             for k in range(len(names))], schema=schema))
        n_rows += len(part)
    return pa.concat_tables(tables)


def _give_types(table):
    """
    Convert columns of texts to integers or numbers where all are such.
    """
    pa = import_pyarrow()
    import pyarrow.compute as pc

    for k, name in enumerate(table.column_names):
        column = table[name]
        plain = pc.replace_substring_regex(column, r'^\+', '')
        whole = pc.all(pc.match_substring_regex(plain, r'^-?\d+$')).as_py()
        # (texts of integers of more than 64 bits stay texts)
        kind = pa.int64() if whole is not False else pa.float64()
        try:
            column = pc.cast(plain, kind)
        except pa.ArrowInvalid:
            continue
        table = table.set_column(k, name, column)
    return table


def _serialized(meta):
    """
    Find the columns that are parts of others, such as of coordinates.
    """
    found = set()

    def walk(tree):
        if isinstance(tree, dict):
            if isinstance(tree.get('name'), str):
                found.add(tree['name'])
            for value in tree.values():
                walk(value)

    walk(meta.get('__serialized_columns__'))
    return found
