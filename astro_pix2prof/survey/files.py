# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Files of a survey: parts, settings, failures.
"""

import json
import os
import shutil
import uuid
from pathlib import Path

import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['prepare_folder', 'remove_temporary', 'write_failures',
           'write_parquet', 'write_times', 'write_whole']


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
