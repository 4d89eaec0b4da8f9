# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Convert catalogues and rows to Arrow tables and back.
"""

import numpy as np
from astropy.table import Table

from astro_pix2prof.profile.arrow import import_pyarrow

__all__ = ['join_results', 'masked_array', 'pack_rows', 'table_to_arrow',
           'unit_of_field', 'unpack_rows']


def table_to_arrow(table, needed=None):
    """
    Convert an astropy table to an Arrow table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table. Columns such as coordinates become several; columns of
        arrays become lists.

    needed : list of str, optional
        The columns that have to be there, by default all; others that
        cannot be written are left out.

    Returns
    -------
    table : `pyarrow.Table`
        Units are in the metadata of the fields, masked values are null.

    Raises
    ------
    ValueError
        If a text cannot be written in UTF-8, or a column holds objects that
        are neither numbers nor texts.
    """
    import pyarrow as pa
    from astropy.table.serialize import represent_mixins_as_columns

    table = represent_mixins_as_columns(Table(table, copy=False))
    fields, arrays = [], []
    for name in table.colnames:
        column = table[name]
        mask = np.ma.getmaskarray(column) if hasattr(column, 'mask') else None
        values = np.ma.getdata(np.asarray(column))
        if values.dtype.byteorder not in '=|':
            values = values.astype(values.dtype.newbyteorder('='))
        try:
            array = _to_array(values, mask)
        except (UnicodeError, pa.ArrowException) as error:
            if needed is not None and name not in needed:
                continue
            msg = (f'the column {name!r} holds what is neither numbers nor '
                   f'text in UTF-8: {error}')
            raise ValueError(msg) from error
        metadata = None if column.unit is None else {
            b'unit': str(column.unit).encode()}
        fields.append(pa.field(name, array.type, metadata=metadata))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _to_array(values, mask):
    """
    Convert the values of a column; `True` in the mask becomes null.
    """
    import pyarrow as pa

    if values.ndim > 1:
        kind = values.dtype.kind
        rows = values.reshape(len(values), -1).tolist()
        if kind == 'S':
            rows = [[text.decode() for text in row] for row in rows]
        return (pa.array(rows, pa.list_(pa.string())) if kind in 'SU'
                else pa.array(list(values.reshape(len(values), -1))))
    if values.dtype.kind == 'S':
        # one by one: the width of the longest is not that of all
        return pa.array([text.decode() for text in values.tolist()],
                        type=pa.string(), mask=mask)
    if values.dtype.kind in 'UOT':
        text = None if values.dtype.kind == 'O' else pa.string()
        return pa.array(values.tolist(), type=text, mask=mask)
    return pa.array(values, mask=mask)


def unit_of_field(field):
    """
    Get the unit of an Arrow field as text, `None` if it has none.
    """
    unit = (field.metadata or {}).get(b'unit')
    return None if unit is None else unit.decode()


def masked_array(column):
    """
    Convert an Arrow column of whole numbers or truth values to an array.

    Parameters
    ----------
    column : `~pyarrow.ChunkedArray`
        The column.

    Returns
    -------
    values : 1D `~numpy.ndarray`, shape (n,)
        A masked array if any is missing.
    """
    empty = False if column.type == 'bool' else 0
    values = column.fill_null(empty).to_numpy(zero_copy_only=False)
    missing = column.is_null().to_numpy()
    return np.ma.array(values, mask=missing) if missing.any() else values


def pack_rows(table):
    """
    Convert an Arrow table, or a slice of one, to bytes.
    """
    pa = import_pyarrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack_rows(data):
    """
    Convert the bytes of `pack_rows` to an Arrow table.
    """
    pa = import_pyarrow()
    return pa.ipc.open_stream(data).read_all()


def join_results(tables):
    """
    Join tables of results that were measured one after the other.

    Parameters
    ----------
    tables : list of `pyarrow.Table`
        The tables. Those without a measured galaxy know fewer metadata.

    Returns
    -------
    table : `pyarrow.Table`
        All rows, with the metadata of the table that knows most.
    """
    pa = import_pyarrow()
    schema = max((table.schema for table in tables), key=_n_known)
    return pa.concat_tables(table.cast(schema) for table in tables)


def _n_known(schema):
    """
    Count the bytes of metadata of a schema.
    """
    return sum(len(metadata or {}) for metadata in (
        schema.metadata, *(field.metadata for field in schema))) + len(
            (schema.metadata or {}).get(b'astro_pix2prof', b''))
