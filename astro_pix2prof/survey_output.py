# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The files of a survey.
"""

import json
import os
import shutil
import uuid
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile import GalaxyFlag
from astro_pix2prof.profile_batch import ProfileBatch, import_pyarrow
from astro_pix2prof.survey_catalogue import unit_of_field

__all__ = ['Survey', 'prepare_folder', 'read_survey', 'remove_temporary',
           'write_failures', 'write_parquet', 'write_times', 'write_whole']

_SETTINGS, _FAILURES = '_survey.json', '_failures.ecsv'
_TIMES = '_times.json'

# Settings that may change: where the catalogue lies.
_FREE = ('catalogue_name', 'catalogue_folder', 'images_folder')


def part_path(folder, number):
    """
    The file of a part.
    """
    return Path(folder) / f'part-{number:06d}.parquet'


def part_files(folder):
    """
    The files of all parts that are there, in order.
    """
    folder = Path(folder)
    files = sorted(folder.glob('part-*.parquet'),
                   key=lambda path: int(path.stem[5:]))
    if files:
        return files
    # a HATS catalogue
    return sorted((folder / 'dataset').rglob('Npix=*.parquet'),
                  key=lambda path: (int(path.parts[-3][7:]),
                                    int(path.stem[5:])))


def write_whole(path, write):
    """
    Write a file that is complete when it appears.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    write : callable
        Takes the temporary path, and writes.
    """
    # (hidden, so that nobody reads it; two processes may write the same)
    part = path.with_name(f'.{path.name}.{uuid.uuid4().hex}.tmp')
    try:
        write(part)
        with part.open('rb') as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if os.name == 'posix':
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_parquet(table, path):
    """
    Write an Arrow table to a Parquet file that appears when it is complete.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    write_whole(path, lambda part: pq.write_table(table, part,
                                                  compression='zstd'))


def remove_temporary(folder):
    """
    Remove what a killed process left.
    """
    for path in folder.rglob('.*.tmp'):
        path.unlink(missing_ok=True)


def prepare_folder(folder, settings, *, overwrite=False):
    """
    Make the folder of a survey, or check that it is the same survey.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.

    settings : dict
        What determines the results.

    overwrite : bool, optional
        Remove the results of another survey in it.

    Raises
    ------
    ValueError
        If the folder holds another survey.

    FileExistsError
        If it holds other things.
    """
    settings = json.loads(json.dumps(settings))
    file = folder / _SETTINGS
    if folder.exists() and not folder.is_dir():
        msg = f'out={folder} is a file: give the name of a folder'
        raise FileExistsError(msg)
    if file.is_file() and overwrite:
        _remove_survey(folder)
    if file.is_file():
        before = json.loads(file.read_text(encoding='utf-8'))
        other = [key for key in {**before, **settings} if key not in _FREE
                 and before.get(key) != settings.get(key)]
        if other:
            what = '; '.join(f'{key} was {before.get(key)!r} and is '
                             f'{settings.get(key)!r}' for key in other)
            msg = (f'{folder} holds another survey: {what}. Give another '
                   'folder or the same options, or overwrite=True '
                   '(--overwrite) to begin anew')
            raise ValueError(msg)
        remove_temporary(folder)
        return
    if folder.exists() and any(not path.name.startswith('.')
                               for path in folder.iterdir()):
        msg = (f'{folder} is not empty and holds no survey: give another '
               'folder')
        raise FileExistsError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(file, lambda part: part.write_text(
        json.dumps(settings, indent=1) + '\n', encoding='utf-8'))


def _remove_survey(folder):
    """
    Remove the files of a survey, and no others.
    """
    for path in (*folder.glob('part-*.parquet'), folder / _FAILURES,
                 folder / _TIMES,
                 *folder.glob('*.fits'), folder / 'properties',
                 folder / 'hats.properties', folder / 'partition_info.csv'):
        path.unlink(missing_ok=True)
    for name in ('dataset', '.parts'):
        shutil.rmtree(folder / name, ignore_errors=True)
    remove_temporary(folder)
    # last: without it, the folder is not known as that of a survey
    (folder / _SETTINGS).unlink()


def write_failures(folder):
    """
    Write the table of the galaxies that could not be measured.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of a survey.

    Returns
    -------
    n_failed : int
        How many there are.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    names = ('index', 'source', 'message')
    rows = []
    for path in part_files(folder):
        part = pq.read_table(path, columns=[*names, 'flag'],
                             partitioning=None)
        failed = (part['flag'].to_numpy() & GalaxyFlag.FAILED) != 0
        rows += part.filter(failed).select(names).to_pylist()
    table = QTable({name: np.array([row[name] for row in rows],
                                   dtype=int if name == 'index' else str)
                    for name in names})
    write_whole(folder / _FAILURES, lambda part: table.write(
        part, format='ascii.ecsv'))
    return len(table)


def write_times(folder, n_done, seconds, n_workers):
    """
    Add to the time that a survey took, over all calls that came to an end.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of a survey.

    n_done : int
        The galaxies that were measured.

    seconds : float
        The time.

    n_workers : int or `None`
        The number of processes, if it is known.
    """
    path = folder / _TIMES
    times = {'n_done': 0, 'seconds': 0.0}
    if path.is_file():
        times = json.loads(path.read_text(encoding='utf-8'))
    times = {'n_done': times['n_done'] + n_done,
             'seconds': round(times['seconds'] + seconds, 3),
             'n_workers': n_workers}
    write_whole(path, lambda part: part.write_text(
        json.dumps(times, indent=1) + '\n', encoding='utf-8'))


class Survey:
    """
    The results of a survey, read part by part.

    Iterating gives a `ProfileBatch` for each file. ``survey[i]`` is the
    profile of galaxy ``i``, ``survey[a:b]`` a `ProfileBatch`.

    Parameters
    ----------
    folder : str or path-like
        The folder that `run_survey` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no survey in it.

    Attributes
    ----------
    folder : `~pathlib.Path`
        The folder.

    settings : dict
        What was asked for.

    complete : bool
        Whether all galaxies are there.
    """

    def __init__(self, folder):
        import_pyarrow()
        import pyarrow.parquet as pq

        self.folder = Path(folder)
        if not (self.folder / _SETTINGS).is_file():
            msg = f'{folder} is not the folder of a survey'
            raise FileNotFoundError(msg)
        self.settings = json.loads(
            (self.folder / _SETTINGS).read_text(encoding='utf-8'))
        self.files = part_files(self.folder)
        counts = [pq.read_metadata(path).num_rows for path in self.files]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=int)])
        self.complete = len(self) == self.settings['n_rows']

    def __len__(self):
        return int(self._starts[-1])

    def __repr__(self):
        state = '' if self.complete else (
            f' of {self.settings["n_rows"]}, not complete')
        return (f'<{type(self).__name__} {self.folder}: {len(self)} '
                f'galaxies{state}>')

    def __iter__(self):
        return (ProfileBatch.from_arrow(self._read(path))
                for path in self.files)

    def __getitem__(self, item):
        if isinstance(item, slice):
            start, stop, step = item.indices(len(self))
            if step != 1:
                msg = f'a slice of a survey must have the step 1, got {step}'
                raise ValueError(msg)
            return ProfileBatch.concatenate(
                ProfileBatch.from_arrow(self._read(self.files[k]))[
                    max(start - self._starts[k], 0):
                    stop - self._starts[k]]
                for k in range(len(self.files))
                if self._starts[k] < stop and self._starts[k + 1] > start)
        if not -len(self) <= item < len(self):
            msg = (f'the survey has {len(self)} galaxies, got the number '
                   f'{item}')
            raise IndexError(msg)
        item %= len(self)
        return self[item:item + 1][0]

    @property
    def failures(self):
        """
        What could not be measured and why: `~astropy.table.QTable`.

        Its columns are index, source and message. It is written at the end
        of the survey.
        """
        return QTable.read(self.folder / _FAILURES, format='ascii.ecsv')

    def galaxies(self, columns=None):
        """
        Read what is known of the galaxies, without their profiles.

        Parameters
        ----------
        columns : list of str, optional
            The columns, of the catalogue or of `ProfileBatch.galaxies`; by
            default, all but lists.

        Returns
        -------
        table : `~astropy.table.QTable`
            One row per galaxy, with units.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        pa = import_pyarrow()
        if not self.files:
            msg = f'{self.folder} has no results yet'
            raise ValueError(msg)
        import pyarrow.parquet as pq

        schema = pq.read_schema(self.files[0])
        if columns is None:
            columns = [field.name for field in schema
                       if not pa.types.is_nested(field.type)]
        unknown = sorted(set(columns) - set(schema.names))
        if unknown:
            msg = (f'no column {", ".join(map(repr, unknown))} in '
                   f'{self.folder}, which has: {", ".join(schema.names)}')
            raise ValueError(msg)
        parts = [self._read(path, columns) for path in self.files]
        # what is null in one part may be a number in the next
        rows = pa.concat_tables(parts, promote_options='permissive')
        units = {}
        for part in parts:
            for field in part.schema:
                units.setdefault(field.name, unit_of_field(field))
                units[field.name] = units[field.name] or unit_of_field(field)
        table = QTable()
        for name in columns:
            values = rows[name].to_numpy(zero_copy_only=False)
            if values.dtype.kind == 'O':
                values = np.array(['' if value is None else value
                                   for value in values])
            unit = None
            if units[name] is not None and values.dtype.kind in 'if':
                unit = u.Unit(units[name], parse_strict='silent')
            table[name] = values if unit is None else values * unit
        return table

    def _read(self, path, columns=None):
        import pyarrow.parquet as pq

        return pq.read_table(path, columns=columns, partitioning=None)


def read_survey(folder):
    """
    Read the results of a survey.

    Parameters
    ----------
    folder : str or path-like
        The folder that `run_survey` wrote.

    Returns
    -------
    survey : `Survey`
        The galaxies; nothing is read before it is asked for.

    Raises
    ------
    FileNotFoundError
        If there is no survey in the folder.
    """
    return Survey(folder)
