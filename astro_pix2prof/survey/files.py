# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Files of a survey: parts and settings.
"""

import json
import os
import re
import stat
import uuid

from astro_pix2prof.addresses import find_path, is_address, require_found
from astro_pix2prof.survey.storage import (
    is_folder,
    make_folder,
    put_whole,
    remove_tree,
)

__all__ = ['FAILURES', 'FREE', 'MAPS', 'SETTINGS', 'TIMES', 'check_folder',
           'part_files', 'part_path', 'prepare_folder', 'read_json',
           'read_settings', 'remove_temporary', 'require_file',
           'write_whole']


SETTINGS, FAILURES = '_survey.json', '_failures.ecsv'

TIMES = '_times.json'

# Maps of the galaxies of a HATS catalogue.
MAPS = ('point_map.fits', 'skymap.fits', 'skymap.*.fits')

# Parts that lie in one folder.
_FLAT = 1000

# Settings that may change: where the catalogue lies.
FREE = ('catalogue_name', 'catalogue_folder', 'images_folder')


# The names of parts, and of partitions of a HATS catalogue; others are the
# user's.
_PART = re.compile(r'part-(\d{6,})\.parquet')

_FOLDER = re.compile(r'parts-\d{5,}')

_PIXEL = re.compile(r'Norder=(\d+)/Dir=\d+/Npix=(\d+)\.parquet')


def require_file(path, what):
    """
    Check that a path is a regular file.

    A pipe would wait for a writer, and a device may never end.

    Parameters
    ----------
    path : path-like or ``upath.UPath``
        The path.

    what : str
        The beginning of the message, such as 'catalogue'.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ValueError
        If it is a folder, a pipe, a device or a socket, or no file can have
        this name.
    """
    if is_address(path):
        require_found(find_path(path, what), what)
        return
    name = str(path)
    try:
        os.fsencode(name)
        found = os.stat(path)
    except FileNotFoundError as error:
        msg = f'{what} {name} does not exist'
        raise FileNotFoundError(msg) from error
    except ValueError as error:
        msg = f'{what} {name!r} is not the name of a file: {error}'
        raise ValueError(msg) from error
    if not stat.S_ISREG(found.st_mode):
        msg = f'{what} {name} is not a regular file'
        raise ValueError(msg)


def part_path(folder, number, n_parts=0):
    """
    Make the path of the file of a part; many lie in folders of 1000 each.
    """
    folder = find_path(folder)
    if n_parts > _FLAT:
        folder = folder / f'parts-{number // _FLAT:05d}'
    return folder / f'part-{number:06d}.parquet'


def part_files(folder):
    """
    List the files of all parts that are there, in order.
    """
    folder = find_path(folder)
    found = {}
    for inner in (folder, *folder.glob('parts-*')):
        if inner != folder and not _FOLDER.fullmatch(inner.name):
            continue
        for path in inner.glob('part-*.parquet'):
            if name := _PART.fullmatch(path.name):
                found[int(name[1])] = path
    if not found:
        # a HATS catalogue
        for path in (folder / 'dataset').rglob('Npix=*.parquet'):
            if name := _PIXEL.fullmatch(
                    path.relative_to(folder / 'dataset').as_posix()):
                found[int(name[1]), int(name[2])] = path
    return [found[key] for key in sorted(found)]


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
    if is_address(path):
        put_whole(path, write)
        return
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


def remove_temporary(folder):
    """
    Remove what a killed process left.
    """
    if is_address(folder):
        # (there are none in an object store)
        return
    for path in folder.rglob('.*.tmp'):
        path.unlink(missing_ok=True)


def read_json(path):
    """
    Read a file of settings or times.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    found : dict
        The settings.

    Raises
    ------
    ValueError
        If the file is broken.
    """
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        msg = f'{path} is not the file that a survey wrote: {error}'
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = f'{path} is not the file that a survey wrote: no settings in it'
        raise ValueError(msg)
    return found


def check_folder(folder, recover=None):
    """
    Check that a folder is one of a survey, empty, or not there.

    Parameters
    ----------
    folder : `~pathlib.Path` or ``upath.UPath``
        The folder.

    recover : callable, optional
        Finds the settings of a survey whose file of settings is lost.

    Returns
    -------
    before : dict
        The settings of the survey; empty if there is none.

    Raises
    ------
    FileExistsError
        If it holds other things.

    ValueError
        If the file of settings is broken, and nothing else tells them.
    """
    if not is_folder(folder):
        if folder.exists():
            msg = f'out={folder} is a file: give the name of a folder'
            raise FileExistsError(msg)
        return {}
    file = folder / SETTINGS
    before = read_settings(folder, recover)
    # (another run may have written it just now)
    if not before and any(not path.name.startswith('.')
                          for path in folder.iterdir()
                          ) and not file.is_file():
        msg = (f'{folder} is not empty and holds no survey: give another '
               'folder')
        raise FileExistsError(msg)
    return before or read_settings(folder, recover)


def read_settings(folder, recover=None):
    """
    Read the settings of a survey; empty if there is none.
    """
    file = folder / SETTINGS
    error = None
    if file.is_file():
        try:
            return read_json(file)
        except ValueError as found:
            error = found
    before = recover(folder) if recover is not None else {}
    if error is not None and not before:
        raise error
    return before


def prepare_folder(folder, settings, *, overwrite=False, alone=True,
                   recover=None):
    """
    Make the folder of a survey, or check that it is the same survey.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.

    settings : dict
        Everything that determines the results.

    overwrite : bool, optional
        Remove the results of another survey in it.

    alone : bool, optional
        Whether no other run uses the folder; if so, what killed processes
        left is removed.

    recover : callable, optional
        As for `check_folder`.

    Raises
    ------
    ValueError
        If the folder holds another survey.

    FileExistsError
        If it holds other things.
    """
    settings = json.loads(json.dumps(settings))
    file = folder / SETTINGS
    if overwrite and (file.is_file() or (recover and recover(folder))):
        # (other files, such as a report, stay)
        _remove_survey(folder)
        before = {}
    else:
        before = check_folder(folder, recover)
    if before:
        other = [key for key in {**before, **settings} if key not in FREE
                 and before.get(key) != settings.get(key)]
        if other:
            changes = '; '.join(_changes(key, before.get(key),
                                         settings.get(key)) for key in other)
            msg = (f'{folder} holds another survey: {changes}. Give another '
                   'folder or the same options, or overwrite=True '
                   '(--overwrite) to begin anew')
            raise ValueError(msg)
        if alone:
            remove_temporary(folder)
        if file.is_file() and before == _read_or_none(file):
            return
    make_folder(folder)
    write_whole(file, lambda part: part.write_text(
        json.dumps(settings, indent=1) + '\n', encoding='utf-8'))


def _read_or_none(file):
    """
    Read a file of settings, `None` if it is broken.
    """
    try:
        return read_json(file)
    except ValueError:
        return None


# Settings that are several, and how one of them is called.
_NESTED = {'card': ' of the model card', 'options': '', 'fitter_options': '',
           'bands': ' among the bands'}


def _changes(key, before, now):
    """
    Say how a setting has changed; of several, only those that did.
    """
    if key in _NESTED and isinstance(before, dict) and isinstance(now, dict):
        return '; '.join(
            f'{name}{_NESTED[key]} was {_value_of(name, before)} and is '
            f'{_value_of(name, now)}' for name in {**before, **now}
            if before.get(name) != now.get(name))
    # (what was not asked for is no value of an option)
    before, now = ('not given' if value is None else repr(value)
                   for value in (before, now))
    return f'{key} was {before} and is {now}'


def _value_of(name, settings):
    return repr(settings[name]) if name in settings else 'not given'


def _remove_survey(folder):
    """
    Remove the files of a survey, and no others.
    """
    for path in (*folder.glob('part-*.parquet'), folder / FAILURES,
                 folder / TIMES, *folder.glob('.times-*.json'),
                 *folder.glob('.part-*.started'),
                 *(path for name in MAPS for path in folder.glob(name)),
                 folder / 'properties',
                 folder / 'hats.properties', folder / 'partition_info.csv'):
        path.unlink(missing_ok=True)
    for name in ('dataset', '.parts', *(
            path.name for path in folder.glob('parts-*')
            if _FOLDER.fullmatch(path.name))):
        remove_tree(folder / name)
    remove_temporary(folder)
    # last: without it, the folder is not known as that of a survey
    (folder / SETTINGS).unlink(missing_ok=True)
