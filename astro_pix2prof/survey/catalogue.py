# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Catalogues of a survey, read in small parts.
"""

import hashlib
import os
import weakref
from contextlib import ExitStack, contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.table import Table

from astro_pix2prof.addresses import (
    as_source,
    copy_here,
    find_path,
    is_address,
    open_address,
    translated,
)
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.survey.arrow import table_to_arrow, unit_of_field
from astro_pix2prof.survey.files import require_file
from astro_pix2prof.survey.storage import is_folder
from astro_pix2prof.survey.text import read_csv, read_ecsv

__all__ = ['SurveyCatalogue', 'is_hats', 'open_catalogue']


# Endings of catalogues that are one file.
_TABLES = ('.parquet', '.parq', '.pq', '.fits', '.fit', '.fts', '.gz',
           '.ecsv', '.csv')

# Bytes at both ends of a file that its fingerprint is made of.
_ENDS = 1 << 20


class SurveyCatalogue:
    """
    A table that is read in parts, a few rows at a time.

    Parameters
    ----------
    name : str
        The name of the file or folder.

    schema : `pyarrow.Schema`
        Its columns, their units in the metadata of the fields.

    n_rows : int
        The number of rows.

    fingerprint : str
        The same for the same content, whatever its name or date.

    base : `~pathlib.Path` or ``upath.UPath``
        The folder that relative paths in its columns refer to.

    read : callable
        ``read(size, columns, first)`` yields tables or record batches of
        Arrow in the order of the rows, from row ``first``, of at most about
        ``size`` rows.
    """

    def __init__(self, name, schema, n_rows, fingerprint, base, read):
        self.name, self.schema, self.n_rows = name, schema, n_rows
        self.fingerprint, self.base, self._read = fingerprint, base, read

    @property
    def columns(self):
        """
        The names of the columns.
        """
        return list(self.schema.names)

    def parts(self, size, columns=None, *, start=0):
        """
        Read the rows in parts of one size.

        Parameters
        ----------
        size : int
            The rows of each part but the last.

        columns : list of str, optional
            The columns to read, by default all.

        start : int, optional
            The number of the first part; those before it are not read.

        Yields
        ------
        part : `pyarrow.Table`
            The next rows.
        """
        pa = import_pyarrow()
        columns = self.columns if columns is None else columns
        schema = pa.schema([self.schema.field(name) for name in columns])
        held, n_held = [], 0
        for piece in self._read(size, columns, start * size):
            if isinstance(piece, pa.RecordBatch):
                piece = pa.Table.from_batches([piece])
            with _named(self.name):
                # (the files of a folder may differ in their types)
                piece = pa.Table.from_arrays(
                    [column.cast(field.type) for column, field in zip(
                        piece.select(columns).columns, schema, strict=True)],
                    schema=schema)
            held.append(piece)
            n_held += piece.num_rows
            if n_held < size:
                continue
            table, first = pa.concat_tables(held), 0
            while n_held - first >= size:
                yield table.slice(first, size).combine_chunks()
                first += size
            held = [table.slice(first)] if first < n_held else []
            n_held -= first
        if n_held:
            yield pa.concat_tables(held).combine_chunks()


def is_hats(path):
    """
    Check for the files of a HATS catalogue or collection in a folder.
    """
    path = find_path(path, 'catalogue')
    if is_address(path) and path.suffix.lower() in _TABLES:
        return False   # (three requests less)
    names = ('hats.properties', 'collection.properties', 'properties')
    if is_address(path):
        with translated(path, what='catalogue '):
            return any((path / name).is_file() for name in names)
    return any((path / name).is_file() for name in names)


def open_catalogue(catalogue, needed=None):
    """
    Open a catalogue to read it in parts.

    Parameters
    ----------
    catalogue : str, path-like, `~astropy.table.Table` or DataFrame
        A Parquet file, a folder of Parquet files, a FITS table, ECSV, CSV,
        or a table.

    needed : list of str, optional
        The columns of a table in memory that have to be there, by default
        all; others that cannot be written are left out.

    Returns
    -------
    catalogue : `SurveyCatalogue`
        Parquet and FITS files are read part by part; text is read once.

    Raises
    ------
    TypeError
        If it is neither a path nor a table.

    FileNotFoundError
        If there is no such file.

    ValueError
        If the file is of another kind, broken, or no regular file, or if
        it has no rows.
    """
    import_pyarrow()
    # (pandas need not be installed)
    if type(catalogue).__name__ == 'DataFrame' and hasattr(catalogue, 'iloc'):
        catalogue = Table.from_pandas(catalogue)
    if isinstance(catalogue, Table):
        try:
            rows = table_to_arrow(catalogue, needed)
        except ValueError as error:
            msg = f'catalogue: {error}'
            raise ValueError(msg) from error
        found = _open_rows(rows, 'table', Path.cwd())
    elif isinstance(catalogue, str | os.PathLike) or is_address(catalogue):
        found = _open_path(find_path(catalogue, 'catalogue'))
    else:
        msg = ('catalogue must be the path of a Parquet, FITS, ECSV or CSV '
               'file, of a folder of Parquet files or a HATS catalogue, or '
               f'an astropy Table, got {type(catalogue).__name__}')
        raise TypeError(msg)
    if found.n_rows == 0:
        msg = f'catalogue {found.name} has no rows'
        raise ValueError(msg)
    return found


def _open_path(path):
    if is_folder(path, 'catalogue '):
        files = sorted(
            file for file in path.rglob('*.parquet')
            if (is_address(path) or not file.is_dir()) and not any(
                part.startswith(('_', '.'))
                for part in file.relative_to(path).parts))
        if not files:
            msg = f'catalogue {path} is a folder without Parquet files'
            raise ValueError(msg)
        return _open_parquet(files, path.name, path)
    require_file(path, 'catalogue')
    suffix = path.name.lower()
    if suffix.endswith(('.parquet', '.parq', '.pq')):
        return _open_parquet([path], path.name, path.parent)
    if is_address(path):
        return _open_copy(path)
    if suffix.removesuffix('.gz').endswith(('.fits', '.fit', '.fts')):
        return _open_fits(path)
    for end, read in (('.ecsv', read_ecsv), ('.csv', read_csv)):
        if suffix.endswith(end):
            with _named(path):
                rows = read(path)
            return _open_rows(rows, path.name, path.parent)
    msg = (f'catalogue {path} must be a Parquet, FITS, ECSV or CSV file '
           '(.parquet, .fits, .ecsv, .csv), a folder of Parquet files or a '
           'HATS catalogue. Other tables that astropy reads are converted '
           f"by Table.read({path.name!r}).write('{path.stem}.ecsv')")
    raise ValueError(msg)


def _open_copy(path):
    """
    Open a copy of the file at an address, which lives as the catalogue does.
    """
    with ExitStack() as stack:
        copy = stack.enter_context(copy_here(path))
        try:
            found = _open_path(copy)
        except ValueError as error:
            msg = str(error).replace(str(copy), str(path))
            raise ValueError(msg) from error
        found.base = path.parent
        weakref.finalize(found, stack.pop_all().close)
    return found


@contextmanager
def _named(path):
    """
    Name the file in errors that come from reading it.
    """
    try:
        yield
    except Exception as error:
        # (readers raise all kinds of errors for broken files)
        if str(error).startswith('catalogue '):
            raise
        text = ' '.join(str(error).split()) or type(error).__name__
        msg = f'catalogue {path} cannot be read: {text[:500]}'
        raise ValueError(msg) from error


def _open_parquet(files, name, base):
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts, schema = [], None
    for file in files:
        require_file(file, 'catalogue')
        with _named(file):
            metadata = pq.read_metadata(as_source(file))
            found = metadata.schema.to_arrow_schema()
        counts.append(metadata.num_rows)
        schema = schema or found
        missing = sorted(set(schema.names) - set(found.names))
        if missing:
            msg = (f'catalogue {file} lacks the columns '
                   f'{", ".join(map(repr, missing))}, which {files[0].name} '
                   'has')
            raise ValueError(msg)
    with _named(files[0]):
        units = _yaml_units(schema.metadata)
    fields = []
    for field in schema:
        if unit_of_field(field) is None and units.get(field.name):
            field = field.with_metadata(
                {b'unit': units[field.name].encode()})
        fields.append(field)

    def read(size, columns, first):
        for file, n_rows in zip(files, counts, strict=True):
            if first >= n_rows:
                first -= n_rows
                continue
            with _named(file), pq.ParquetFile(
                    as_source(file)) as opened:
                # (groups of rows in front are not read)
                groups = list(range(opened.num_row_groups))
                while first and first >= (
                        n := opened.metadata.row_group(groups[0]).num_rows):
                    first -= n
                    groups.pop(0)
                for batch in opened.iter_batches(
                        batch_size=size, columns=columns, row_groups=groups):
                    if first < batch.num_rows:
                        yield batch.slice(first)
                    first = max(first - batch.num_rows, 0)

    return SurveyCatalogue(name, pa.schema(fields), sum(counts),
                           _fingerprint(files), base, read)


def _yaml_units(metadata):
    """
    Read the units that astropy writes into Parquet files, by column.
    """
    text = (metadata or {}).get(b'table_meta_yaml')
    if text is None:
        return {}
    from astropy.table.meta import get_header_from_yaml

    header = get_header_from_yaml(text.decode().split('\n'))
    return {column['name']: str(column['unit'])
            for column in header['datatype'] if column.get('unit')}


def _open_fits(path):
    with _named(path), fits.open(path, memmap=True) as hdulist:
        tables = [k for k, hdu in enumerate(hdulist)
                  if isinstance(hdu, fits.BinTableHDU)
                  and not isinstance(hdu, fits.CompImageHDU)]
        if not tables:
            msg = f'catalogue {path} is a FITS file without a table'
            raise ValueError(msg)
        number = tables[0]
        n_rows = hdulist[number].header['NAXIS2']
        schema = _read_rows(hdulist[number], 0, 1).schema

    def read(size, columns, first):
        with fits.open(path, memmap=True) as opened:
            for start in range(first, n_rows, size):
                with _named(path):
                    rows = _read_rows(opened[number], start, start + size)
                yield rows.select(columns)

    return SurveyCatalogue(path.name, schema, n_rows, _fingerprint([path]),
                           path.parent, read)


def _read_rows(hdu, start, stop):
    """
    Read some rows of a FITS table into an Arrow table.
    """
    # (a slice of a memory map: other rows stay on disk)
    part = fits.BinTableHDU(data=hdu.data[start:stop], header=hdu.header)
    return table_to_arrow(Table.read(part))


def _open_rows(rows, name, base):
    import pyarrow as pa

    digest = hashlib.sha256()
    for batch in rows.to_batches(max_chunksize=10000):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        digest.update(sink.getvalue())

    def read(size, columns, first):
        for start in range(first, rows.num_rows, size):
            yield rows.slice(start, size).select(columns)

    return SurveyCatalogue(name, rows.schema, rows.num_rows,
                           digest.hexdigest(), base, read)


def _fingerprint(files):
    """
    Calculate a checksum of the sizes and of both ends of files.
    """
    digest = hashlib.sha256()
    for path in files:
        with open_address(path) if is_address(path) else (
                path.open('rb')) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest.update(f'{path.name} {size};'.encode())
            digest.update(file.read(_ENDS))
            file.seek(max(size - _ENDS, 0))
            digest.update(file.read(_ENDS))
    return digest.hexdigest()
