# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Arrow tables of catalogues and of rows on their way.
"""

import numpy as np
from astropy.table import Table

from astro_pix2prof.profile.arrow import import_pyarrow

__all__ = ['pack_rows', 'table_to_arrow', 'unit_of_field', 'unpack_rows']


def table_to_arrow(table):
    """
    An Arrow table of an astropy table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table. Columns such as coordinates become several; columns of
        arrays become lists.

    Returns
    -------
    table : `pyarrow.Table`
        Units are in the metadata of the fields, masked values are null.
    """
    import pyarrow as pa
    from astropy.table.serialize import represent_mixins_as_columns

    table = represent_mixins_as_columns(Table(table, copy=False))
    fields, arrays = [], []
    for name in table.colnames:
        column = table[name]
        mask = np.ma.getmaskarray(column) if hasattr(column, 'mask') else None
        values = np.ma.getdata(np.asarray(column))
        if values.dtype.kind == 'S':
            values = np.char.decode(values, 'utf-8')
        if values.dtype.byteorder not in '=|':
            values = values.astype(values.dtype.newbyteorder('='))
        if values.ndim > 1:
            array = pa.array(list(values.reshape(len(values), -1)))
        elif values.dtype.kind in 'UO':
            text = None if values.dtype.kind == 'O' else pa.string()
            array = pa.array(values.tolist(), type=text, mask=mask)
        else:
            array = pa.array(values, mask=mask)
        metadata = None if column.unit is None else {
            b'unit': str(column.unit).encode()}
        fields.append(pa.field(name, array.type, metadata=metadata))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def unit_of_field(field):
    """
    The unit of an Arrow field as text, or `None`.
    """
    unit = (field.metadata or {}).get(b'unit')
    return None if unit is None else unit.decode()


def pack_rows(table):
    """
    The bytes of an Arrow table, those of a slice only.
    """
    pa = import_pyarrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack_rows(data):
    """
    The Arrow table that was packed.
    """
    pa = import_pyarrow()
    return pa.ipc.open_stream(data).read_all()
