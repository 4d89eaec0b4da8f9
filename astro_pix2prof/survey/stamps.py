# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sizes and times of images, to notice those that changed since.
"""

import base64
import os
import zlib

import numpy as np

__all__ = ['changed_rows', 'pack_stamps', 'read_stamps']


# A file that is not known, or that is not there.
_UNKNOWN = -1, -1

_SECOND = 10**9


def read_stamps(images, rows):
    """
    Read the size and the time of the files that belong to rows.

    Parameters
    ----------
    images : `~astro_pix2prof.survey.images.SurveyImages`
        The images.

    rows : `pyarrow.Table`
        Rows of the catalogue.

    Returns
    -------
    stamps : 3D `~numpy.ndarray` of int64, shape (n, m, 2)
        For each row, its image and its masks, errors and skies: the size in
        bytes, and the time of the last change in ns; -1 where there is no
        such file, or an address. None (m is 0) for images that a function
        gives.
    """
    if not images.has_files:
        return np.zeros((rows.num_rows, 0, 2), dtype=np.int64)
    known = {}
    found = [[_stamp(known, path) for path in paths]
             for paths in images.files(rows)]
    return np.array(found, dtype=np.int64).reshape(rows.num_rows, -1, 2)


def _stamp(known, path):
    if path not in known:
        known[path] = _UNKNOWN
        if path is not None:
            try:
                status = os.stat(path)
                known[path] = status.st_size, status.st_mtime_ns
            except (OSError, TypeError, ValueError):
                pass   # (an address, or a file that is gone)
    return known[path]


def pack_stamps(stamps):
    """
    Convert stamps to a text, empty if no file is known.
    """
    if not (stamps >= 0).any():
        return ''
    # (differences of columns are small for files of one kind)
    data = zlib.compress(np.ascontiguousarray(
        np.moveaxis(stamps, 0, -1)).astype('<i8').tobytes(), 6)
    return base64.b64encode(data).decode()


def changed_rows(before, now):
    """
    Find the rows whose files are not the same as before.

    Parameters
    ----------
    before : str
        Stamps, as `pack_stamps` packs them.

    now : 3D `~numpy.ndarray`, shape (n, m, 2)
        Stamps, as `read_stamps` reads them.

    Returns
    -------
    changed : 1D `~numpy.ndarray` of bool, shape (n,)
        Files that are gone, or were not there, do not count: nobody can
        measure these again, or they may be on a machine that is not at
        hand.
    """
    if not before or not now.size:
        return np.zeros(len(now), dtype=bool)
    data = zlib.decompress(base64.b64decode(before))
    old = np.frombuffer(data, dtype='<i8')
    if old.size != now.size:
        return np.ones(len(now), dtype=bool)
    old = np.moveaxis(old.reshape(*now.shape[1:], len(now)), -1, 0)
    size, time = old[..., 0], old[..., 1]
    # some file systems and archives keep whole seconds only
    rounded = ((time % _SECOND == 0) | (now[..., 1] % _SECOND == 0)) & (
        time // _SECOND == now[..., 1] // _SECOND)
    other = (size != now[..., 0]) | ((time != now[..., 1]) & ~rounded)
    return (other & (size >= 0) & (now[..., 0] >= 0)).any(axis=1)
