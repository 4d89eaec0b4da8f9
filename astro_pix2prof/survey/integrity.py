# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Parts that say which survey they belong to, and that are checked.
"""

import json

import numpy as np

from astro_pix2prof.addresses import as_source, is_address, translated
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.columns import GALAXY_COLUMNS
from astro_pix2prof.survey.files import FREE, part_files, write_whole

__all__ = ['check_part', 'is_complete', 'read_identity',
           'recover_settings', 'same_settings', 'write_part']


# Keys of the metadata of a file: what determines the results, and the sizes
# and times of the images (see `stamps`).
_JOB, _STAMPS = b'astro_pix2prof_survey', b'astro_pix2prof_stamps'


def write_part(table, path, identity='', stamps=''):
    """
    Write results to a Parquet file that can be checked.

    Parameters
    ----------
    table : `pyarrow.Table`
        The results.

    path : `~pathlib.Path`
        The file, which appears when it is complete.

    identity : str, optional
        Everything that determines the results, as JSON.

    stamps : str, optional
        Sizes and times of the images, as `~astro_pix2prof.survey.stamps`
        packs them.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    def write(part):
        with pq.ParquetWriter(part, table.schema, compression='zstd',
                              write_page_checksum=True) as file:
            file.write_table(table)
            # (not among the metadata of the schema, which tables show)
            file.add_key_value_metadata({
                key.decode(): text for key, text in (
                    (_JOB, identity), (_STAMPS, stamps)) if text})

    write_whole(path, write)


def is_complete(path):
    """
    Tell whether a file of results has all columns of this version (bool).
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    names = pq.read_schema(as_source(path)).names
    return set(GALAXY_COLUMNS) <= set(names)


def same_settings(one, other):
    """
    Check that two surveys have the same results, wherever their files lie.
    """
    return ({key: value for key, value in one.items() if key not in FREE}
            == {key: value for key, value in other.items()
                if key not in FREE})


def read_identity(path):
    """
    Read which survey a part belongs to, and the stamps of its images.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    settings : dict
        Everything that determines the results; empty if it is not known.

    stamps : str
        Sizes and times of the images; empty if they are not known.

    Raises
    ------
    OSError, `pyarrow.ArrowException`, ValueError
        If the file is broken.
    """
    import_pyarrow()
    import pyarrow.parquet as pq

    return _parse(pq.read_metadata(as_source(path)), path)


def _parse(metadata, path):
    """
    Find the settings and the stamps in the metadata of a file.
    """
    found = metadata.metadata or {}
    settings = json.loads(found.get(_JOB, b'{}'))
    if not isinstance(settings, dict):
        msg = f'{path} holds no settings of a survey'
        raise ValueError(msg)
    return settings, found.get(_STAMPS, b'').decode()


def recover_settings(folder):
    """
    Find the settings of a survey in its parts.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.

    Returns
    -------
    settings : dict
        Those of the first part that is not broken; empty if no part knows.
    """
    for path in part_files(folder):
        try:
            settings, _ = read_identity(path)
        except Exception:
            # (readers raise all kinds of errors for broken files)
            continue
        if settings:
            return settings
    return {}


def check_part(path, settings, start, n_rows):
    """
    Check that a file holds certain results of a survey, byte by byte.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    settings : dict
        Everything that determines the results.

    start : int
        The number of the first galaxy.

    n_rows : int
        The number of galaxies.

    Returns
    -------
    problem : str or `None`
        The fault, such as 'is damaged: ...', or `None`.

    foreign : bool
        Whether it is a whole file, but of another survey or part.

    Raises
    ------
    OSError
        If a file at an address cannot be fetched.
    """
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    source = path
    if is_address(path):
        # (as a whole: a connection that breaks off is no fault of the file)
        with translated(path):
            source = pa.BufferReader(path.read_bytes())
    try:
        indices = []
        with pq.ParquetFile(source,
                            page_checksum_verification=True) as file:
            found, _ = _parse(file.metadata, path)
            for k in range(file.metadata.num_row_groups):
                # (all columns: each page is compared with its checksum)
                table = file.read_row_group(k)
                indices.append(table['index'].to_numpy()
                               if 'index' in table.column_names
                               else np.zeros(0, dtype=int))
    except (pa.ArrowException, OSError, ValueError) as error:
        text = ' '.join(str(error).split())
        return f'is damaged ({text[:200]})', False
    if not same_settings(found, settings):
        return 'belongs to another survey', True
    index = np.concatenate([np.zeros(0, dtype=int), *indices])
    if not np.array_equal(index, np.arange(start, start + n_rows)):
        return 'holds other galaxies', True
    return None, False
