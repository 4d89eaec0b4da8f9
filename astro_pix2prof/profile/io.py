# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Reading and writing of profile tables.
"""

import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io.fits.verify import VerifyWarning
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.extras import missing_extra
from astro_pix2prof.profile.table import is_profile

__all__ = ['read_profile', 'write_profile']


FORMATS = {'.ecsv': 'ecsv', '.fits': 'fits', '.fit': 'fits',
           '.fits.gz': 'fits', '.parquet': 'parquet'}

READERS = {'ecsv': 'ascii.ecsv', 'fits': 'fits', 'parquet': 'parquet'}

# FITS cuts keys to upper case and has no unit such as nanomaggy: the
# header carries both once more.
META_KEY, UNIT_KEY = 'P2PMETA', 'P2PUNITS'


def _format(path, given):
    if given is None:
        suffixes = [s.lower() for s in Path(path).suffixes]
        given = (FORMATS.get(''.join(suffixes[-2:]))
                 or FORMATS.get(''.join(suffixes[-1:])))
        if given is None:
            msg = (f'path must end in one of {", ".join(FORMATS)} or format '
                   f'be given, got {str(path)!r}')
            raise ValueError(msg)
    if given not in READERS:
        msg = (f'format must be one of {", ".join(READERS)}, got {given!r}')
        raise ValueError(msg)
    if given == 'parquet':
        try:
            import pandas  # noqa: F401
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise missing_extra(
                package='pyarrow and pandas', extra='survey',
                what="format='parquet'") from error
    return given


def write_profile(profile, path, *, format=None, overwrite=False):
    """
    Write a profile to a file, with all units, flags and meta.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    path : str or `~pathlib.Path`
        The file.

    format : {'ecsv', 'fits', 'parquet'}, optional
        By default told by the file's ending.

    overwrite : bool, optional
        Whether to replace an existing file.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If the format is none of the three.

    OSError
        If the file exists and ``overwrite`` is `False`.
    """
    if not is_profile(profile):
        msg = ('profile must be a profile table, got '
               f'{type(profile).__name__}')
        raise TypeError(msg)
    kind = _format(path, format)
    if Path(path).exists() and not overwrite:
        msg = f'{path} exists; give overwrite=True to replace it'
        raise OSError(msg)
    table = profile
    if kind == 'fits':
        table = QTable(profile, copy=True)
        # A header card holds no dict: META_KEY does.
        for key in [key for key, value in profile.meta.items()
                    if isinstance(value, dict)]:
            del table.meta[key]
        table.meta[META_KEY] = json.dumps(dict(profile.meta))
        table.meta[UNIT_KEY] = json.dumps({
            name: profile[name].unit.to_string() for name in profile.colnames
            if getattr(profile[name], 'unit', None) is not None})
    with warnings.catch_warnings():
        # Keys longer than eight characters become HIERARCH cards.
        warnings.simplefilter('ignore', VerifyWarning)
        # A unit unknown to FITS is kept in comments, which QTable.read
        # understands, and in UNIT_KEY.
        warnings.filterwarnings('ignore', category=u.UnitsWarning)
        warnings.filterwarnings('ignore', category=AstropyUserWarning,
                                message='The unit .* could not be saved')
        table.write(path, format=READERS[kind], overwrite=overwrite)


def read_profile(path, *, format=None):
    """
    Read a profile that `write_profile` wrote.

    Parameters
    ----------
    path : str or `~pathlib.Path`
        The file.

    format : {'ecsv', 'fits', 'parquet'}, optional
        By default told by the file's ending.

    Returns
    -------
    profile : `~astropy.table.QTable`

    Raises
    ------
    ValueError
        If the format is none of the three, or the file holds no profile.
    """
    kind = _format(path, format)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', u.UnitsWarning)
        table = QTable.read(path, format=READERS[kind])
    if not is_profile(table):
        msg = (f'{path} holds no profile table: its columns are '
               f'{", ".join(table.colnames)}')
        raise ValueError(msg)
    if kind == 'fits':
        _restore(table)
    return table


def _restore(table):
    """
    Units and meta as they were before FITS.
    """
    units = json.loads(table.meta.pop(UNIT_KEY, '{}'))
    for name, text in units.items():
        column = table[name]
        if getattr(column, 'unit', None) is None:
            table[name] = u.Quantity(np.asarray(column), u.Unit(text))
    original = table.meta.pop(META_KEY, None)
    if original is None:
        table.meta = {key.lower(): value for key, value in table.meta.items()}
    else:
        table.meta.clear()
        table.meta.update(json.loads(original))
    # FITS columns come big-endian and masked where NaN.
    for name in table.colnames:
        column = table[name]
        if column.dtype.byteorder == '>':
            native = np.asarray(getattr(column, 'value', column)).astype(
                column.dtype.newbyteorder('='))
            unit = getattr(column, 'unit', None)
            table[name] = native if unit is None else native * unit
