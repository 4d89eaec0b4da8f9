# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The galaxies of a survey that could not be measured.

They are read and written file by file: none of their lists is ever in
memory.
"""

import csv
import io
from typing import NamedTuple

import numpy as np
from astropy.table import QTable

from astro_pix2prof.addresses import as_source
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.survey.bands import read_bands
from astro_pix2prof.survey.files import FAILURES, part_files, write_whole
from astro_pix2prof.survey.repeated_ids import find_id_column

__all__ = ['FailureCounts', 'count_failed', 'count_failures',
           'write_failures']


# Rows that are Python objects at once.
_ROWS = 10_000

# Flags of galaxies that have a profile, but hardly one of a galaxy.
_EMPTY = GalaxyFlag.NO_SOURCE, GalaxyFlag.HEAVILY_MASKED


class FailureCounts(NamedTuple):
    """
    Count of the galaxies that could not be measured.

    Attributes
    ----------
    galaxies : int
        Those without a profile; of several bands, in the reference.

    bands : dict of int
        Those without one in each band; empty for a survey of one.

    flags : dict of int
        Those with a profile that may tell nothing of a galaxy, by the flag
        that says so (in the reference): ``NO_SOURCE`` and
        ``HEAVILY_MASKED``. Flags that no galaxy has are left out.
    """

    galaxies: int
    bands: dict
    flags: dict

    @classmethod
    def add(cls, counts):
        """
        Add counts of several files.
        """
        galaxies, bands, flags = 0, {}, {}
        for one in counts:
            galaxies += one.galaxies
            for all_, own in ((bands, one.bands), (flags, one.flags)):
                for name, n in own.items():
                    all_[name] = all_.get(name, 0) + n
        return cls(galaxies, bands, flags)


def count_failures(paths):
    """
    Count the galaxies in files that could not be measured.

    Parameters
    ----------
    paths : iterable of `~pathlib.Path`
        The files of parts.

    Returns
    -------
    counts : `FailureCounts`
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    def counts():
        for path in paths:
            with pq.ParquetFile(as_source(path)) as opened:
                yield _count(*_failed_by_band(opened))

    return FailureCounts.add(counts())


def _failed_by_band(opened):
    """
    Find the galaxies that could not be measured, by the column of the flag.

    Returns them, and the flags of the reference.
    """
    bands = read_bands(opened.schema_arrow).get('bands', ())
    names = ['flag', *(f'flag_{band}' for band in bands)]
    table = opened.read(columns=names)
    return {name: (table[name].to_numpy() & GalaxyFlag.FAILED) != 0
            for name in names}, table['flag'].to_numpy()


def _count(failed, flags):
    """
    Count the galaxies that `_failed_by_band` found.
    """
    n = {name: int(np.count_nonzero(rows)) for name, rows in failed.items()}
    measured = flags[~failed['flag']]
    empty = {flag.name: int(np.count_nonzero(measured & flag))
             for flag in _EMPTY}
    return FailureCounts(n.pop('flag'), {
        name.removeprefix('flag_'): value for name, value in n.items()},
        {name: value for name, value in empty.items() if value})


def count_failed(table):
    """
    Count the galaxies in a `pyarrow.Table` that could not be measured.
    """
    return int(np.count_nonzero(
        (table['flag'].to_numpy() & GalaxyFlag.FAILED) != 0))


def write_failures(folder):
    """
    Write the table of the galaxies that could not be measured.

    Of several bands, there is a row for each that could not; if that is the
    reference, for no other.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of a survey.

    Returns
    -------
    counts : `FailureCounts`
        How many there are.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    counts = []

    def write(path):
        counts.clear()
        rows = None
        with path.open('w', encoding='utf-8', newline='') as file:
            for part in part_files(folder):
                with pq.ParquetFile(as_source(part)) as opened:
                    if rows is None:
                        rows = _FailureRows(file, opened.schema_arrow)
                    counts.append(rows.add(opened))
                # (few numbers, however many files there are)
                counts[:] = [FailureCounts.add(counts)]
            if rows is None:
                _FailureRows(file)

    write_whole(folder / FAILURES, write)
    return FailureCounts.add(counts)


class _FailureRows:
    """
    Writes the rows of the table of failures, file by file.

    The texts follow row by row: as a table, one long name would widen all
    of them.
    """

    def __init__(self, file, schema=()):
        bands = read_bands(schema) if schema else {}
        self._bands = bands.get('bands', ())
        self._reference = bands.get('reference')
        self._id = find_id_column(schema)
        names = {'index': int}
        if self._id is not None:
            kind = str(schema.field(self._id).type)
            names[self._id] = kind if 'int' in kind else 'U1'
        names.update(dict.fromkeys(
            [*(['band'] if self._bands else []), 'source', 'message'], 'U1'))
        header = io.StringIO()
        QTable({name: np.zeros(0, dtype=kind)
                for name, kind in names.items()}).write(
            header, format='ascii.ecsv')
        file.write(header.getvalue())
        self._writer = csv.writer(
            file, delimiter=' ', lineterminator='\n',
            quoting=csv.QUOTE_NONNUMERIC)

    def add(self, opened):
        """
        Write the rows of a file of results; return the `FailureCounts`.
        """
        failed, of_reference = _failed_by_band(opened)
        flags = np.any(list(failed.values()), axis=0)
        if flags.any():
            ends = [f'_{band}' for band in self._bands] or ['']
            names = ['index', *([] if self._id is None else [self._id]),
                     *(name + end for end in ends
                       for name in ('source', 'message'))]
            table = opened.read(columns=names).filter(flags)
            # (without the reference, there are no others)
            marks = {end: (failed[f'flag{end}'] & (
                ~failed['flag'] | (end in ('', f'_{self._reference}'))))[
                    flags] for end in ends}
            rows = (row for part in table.to_batches(_ROWS)
                    for row in part.to_pylist())
            for k, row in enumerate(rows):
                for end in ends:
                    if marks[end][k]:
                        self._write(row, end)
        return _count(failed, of_reference)

    def _write(self, row, end):
        # (a row is a line)
        texts = [' '.join((row[name + end] or '').split('\n'))
                 for name in ('source', 'message')]
        band = [end.removeprefix('_')] if end else []
        name = [] if self._id is None else [row[self._id]]
        if name and isinstance(name[0], str):
            name = [' '.join(name[0].split('\n'))]
        self._writer.writerow([row['index'], *name, *band, *texts])
