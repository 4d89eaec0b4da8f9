# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Folders of a survey, on this machine or in an object store.

All paths are `~pathlib.Path` or, for an address, ``upath.UPath``: see
`astro_pix2prof.addresses`.
"""

import os
import shutil
import tempfile
from pathlib import Path

from astro_pix2prof.addresses import (
    STORES,
    find_path,
    is_address,
    open_address,
    translated,
)

__all__ = ['absolute_path', 'check_place', 'copy_file', 'find_folder',
           'is_folder', 'make_folder', 'match_files', 'put_whole',
           'remove_tree']


def find_folder(path, name) -> Path:
    """
    Make the path of a folder for results.

    Parameters
    ----------
    path : str, path-like or ``upath.UPath``
        The folder.

    name : str
        The argument, for messages.

    Returns
    -------
    path : `~pathlib.Path` or ``upath.UPath``
        The absolute path.

    Raises
    ------
    ValueError
        If the address is none to which results can be written.

    ImportError
        If a package for it is not installed.

    OSError
        If the object store cannot be reached, for instance for want of
        credentials.
    """
    path = check_place(path, name)
    if not is_address(path):
        return path.absolute()
    try:
        with translated(path, 'be reached', f'{name}: '):
            path.fs.info(path.path)
    except FileNotFoundError:
        pass
    return path


def check_place(path, name):
    """
    Check that results can be written to places of this kind.

    Parameters
    ----------
    path, name
        As for `find_folder`.

    Returns
    -------
    path : `~pathlib.Path` or ``upath.UPath``
        The path, which need not exist.

    Raises
    ------
    ValueError
        If the address is none to which results can be written.

    ImportError
        If a package for it is not installed.
    """
    path = find_path(path, name)
    if is_address(path) and path.protocol not in STORES:
        msg = (f'{name}={str(path)!r} cannot be written to: give a folder '
               f'of this machine or of an object store ({", ".join(STORES)})')
        raise ValueError(msg)
    return path


def absolute_path(path):
    """
    Make a path absolute, as a text unless it is an address.

    Parameters
    ----------
    path : str, path-like or ``upath.UPath``
        The path.

    Returns
    -------
    path : str or ``upath.UPath``
    """
    path = find_path(path) if is_address(path) else path
    return path if is_address(path) else os.path.abspath(path)


def is_folder(path, what=''):
    """
    Tell whether a path is a folder; web servers have files only.
    """
    if not is_address(path):
        return os.path.isdir(path)
    if path.protocol in ('http', 'https'):
        return False
    try:
        with translated(path, what=what):
            return path.fs.info(path.path)['type'] == 'directory'
    except FileNotFoundError:
        return False


def make_folder(path):
    """
    Make a folder; in a store there is none before there are files in it.
    """
    if not is_address(path):
        path.mkdir(parents=True, exist_ok=True)


def match_files(pattern):
    """
    List the files of an address with wildcards, or those of a folder.

    Parameters
    ----------
    pattern : str
        Such as 's3://bucket/tiles/*.fits', or 's3://bucket/tiles'.

    Returns
    -------
    paths : list of ``upath.UPath`` or `~pathlib.Path`
        The FITS files of a folder, or all that match; a file without
        wildcards is one, whether it exists or not.
    """
    path = find_path(pattern, 'images')
    if not is_address(path):
        if path.is_dir():
            found = path.iterdir()
        else:
            found = path.parent.glob(path.name)
    elif any(sign in path.name for sign in '*['):
        if path.protocol in ('http', 'https'):
            msg = (f'images={str(path)!r}: a web server does not list its '
                   'files, give them one by one')
            raise ValueError(msg)
        with translated(path, what='images: '):
            found = list(path.parent.glob(path.name))
    elif is_folder(path, 'images: '):
        with translated(path, what='images: '):
            found = [item for item in path.iterdir()
                     if '.fit' in item.name.lower()]
    else:
        found = [path]
    return sorted(found, key=str)


def put_whole(path, write):
    """
    Write an object that appears when it is complete.

    Parameters
    ----------
    path : ``upath.UPath``
        Its address.

    write : callable
        Takes a temporary path of this machine, and writes.

    Raises
    ------
    OSError
        If it cannot be written, for instance for want of credentials.
    """
    with tempfile.TemporaryDirectory(prefix='astro_pix2prof-') as folder:
        part = Path(folder) / path.name
        write(part)
        data = part.read_bytes()
    with translated(path, 'be written'):
        # (one request, or one in several parts that is completed by the
        # last: never a part of an object)
        path.fs.pipe_file(path.path, data)


def copy_file(source, path):
    """
    Copy a file, from or to an address too.
    """
    if not is_address(path) and not is_address(source):
        shutil.copyfile(source, path)
        return
    with open_address(source) if is_address(source) else (
            source.open('rb')) as file:
        data = file.read()
    if is_address(path):
        put_whole(path, lambda part: part.write_bytes(data))
    else:
        path.write_bytes(data)


def remove_tree(path):
    """
    Remove a folder and all in it, if it is there.
    """
    if not is_address(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with translated(path, 'be removed'):
        try:
            path.fs.rm(path.path, recursive=True)
        except FileNotFoundError:
            pass
