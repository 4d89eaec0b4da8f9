# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
ECSV files: compressed ones, and tables without rows.
"""

import csv
import gzip
import io
from pathlib import Path

from astropy.table import QTable, meta
from astropy.utils.data import get_readable_fileobj

__all__ = ['read_ecsv', 'write_ecsv']


# A value of each kind, in ECSV; of columns of arrays, any will do.
_VALUES = {'bool': 'False', 'string': 'none'}


def write_ecsv(table, path):
    """
    Write a table to an ECSV file, compressed if its name ends in .gz.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.

    path : `~pathlib.Path`
        The file, which is replaced.
    """
    if not str(path).lower().endswith('.gz'):
        table.write(path, format='ascii.ecsv', overwrite=True)
        return
    text = io.StringIO()
    table.write(text, format='ascii.ecsv')
    # (no time in the header of the file, so that equal tables are equal)
    content = gzip.compress(text.getvalue().encode(), mtime=0)
    Path(path).write_bytes(content)


def read_ecsv(path):
    """
    Read a table from an ECSV file.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; it may be compressed.

    Returns
    -------
    table : `~astropy.table.QTable`
    """
    try:
        return QTable.read(path, format='ascii.ecsv')
    except ValueError:
        table = _read_without_rows(path)
        if table is None:
            raise
        return table


def _read_without_rows(path):
    """
    Read a table of no rows, or return `None`.

    Where there are no rows, astropy cannot read columns of arrays: there is
    one for it to read.
    """
    with get_readable_fileobj(path, encoding='utf-8') as file:
        lines = file.read().splitlines()
    if not lines or not lines[0].startswith('# %ECSV'):
        return None
    comments = [line[2:] for line in lines if line.startswith('# ')]
    rows = [line for line in lines if line.strip() and line[0] != '#']
    if len(rows) != 1:
        return None
    header = meta.get_header_from_yaml(comments[1:])
    row = io.StringIO()
    writer = csv.writer(row, delimiter=header.get('delimiter', ' '),
                        lineterminator='')
    writer.writerow([_any_value(column) for column in header['datatype']])
    return QTable.read('\n'.join([*lines, row.getvalue()]),
                       format='ascii.ecsv')[:0]


def _any_value(column):
    """
    Write some value of a column.
    """
    kind = column.get('subtype', '')
    if '[' not in kind:
        return _VALUES.get(column['datatype'], '0')
    shape = kind[kind.index('['):].replace('null', '0')
    value = 'null'
    for n in reversed(shape.strip('[]').split(',')):
        value = f'[{",".join([value] * int(n))}]'
    return value
