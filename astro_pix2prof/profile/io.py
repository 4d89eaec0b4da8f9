# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Reading and writing of profile tables.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io.fits.verify import VerifyWarning
from astropy.io.votable.exceptions import VOTableSpecWarning
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import copy_here, find_path, is_address
from astro_pix2prof.extras import missing_extra
from astro_pix2prof.profile.checks import check_profile, complete_profile
from astro_pix2prof.profile.columns import is_profile
from astro_pix2prof.profile.csv_files import read_csv, write_csv
from astro_pix2prof.profile.ecsv_files import read_ecsv, write_ecsv
from astro_pix2prof.profile.meta import META_KEY, UNIT_KEY

if TYPE_CHECKING:
    from typing import Literal

    from astro_pix2prof.typing import PathLike

__all__ = ['read_profile', 'read_published', 'write_profile', 'write_table']


FORMATS = {'.ecsv': 'ecsv', '.ecsv.gz': 'ecsv', '.fits': 'fits',
           '.fit': 'fits', '.fits.gz': 'fits', '.parquet': 'parquet',
           '.vot': 'votable', '.xml': 'votable', '.csv': 'csv'}

READERS = {'ecsv': 'ascii.ecsv', 'fits': 'fits', 'parquet': 'parquet',
           'votable': 'votable', 'csv': 'ascii.csv'}


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


def write_profile(
        profile: QTable, path: PathLike, *,
        format: Literal['ecsv', 'fits', 'parquet', 'votable', 'csv'] |
            None = None,
        overwrite: bool = False) -> None:
    """
    Write a profile to a file, with all units, flags and meta.

    A CSV file has the units in its first line, such as ``radius [arcsec]``,
    and no meta.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    path : str or `~pathlib.Path`
        The file.

    format : {'ecsv', 'fits', 'parquet', 'votable', 'csv'}, optional
        By default told by the file's ending: ``.ecsv``, ``.fits``,
        ``.parquet``, ``.vot`` or ``.xml``, ``.csv``; ``.ecsv.gz`` and
        ``.fits.gz`` are compressed.

    overwrite : bool, optional
        Whether to replace an existing file.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If the format is none of these, the path is an address, a CSV
        file is asked for a profile with noisy samples, or a FITS file for
        one with text that is not ASCII.

    OSError
        If the file exists and ``overwrite`` is `False`.
    """
    if not is_profile(profile):
        msg = ('profile must be a profile table, got '
               f'{type(profile).__name__}')
        if is_profile(getattr(profile, 'profile', None)):
            msg += ': give its attribute profile, fit.profile'
        if isinstance(profile, Table):
            msg += (f' with the columns {", ".join(profile.colnames[:5])}: '
                    'tables of other kinds are written by their own write()')
        raise TypeError(msg)
    write_table(profile, path, format=format, overwrite=overwrite)


def write_table(profile, path, *, format=None, overwrite=False):
    """
    Write a table of rings of any kind, with all of its meta.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The table.

    path, format, overwrite
        See `write_profile`.

    Raises
    ------
    ValueError, OSError
        Likewise.
    """
    path = find_path(path, 'path')
    if is_address(path):
        msg = (f'path={str(path)!r} is an address: profiles are written to '
               'files of this machine')
        raise ValueError(msg)
    kind = _format(path, format)
    if path.exists() and not overwrite:
        msg = f'{path} exists; give overwrite=True to replace it'
        raise OSError(msg)
    with warnings.catch_warnings():
        # Keys longer than eight characters become HIERARCH cards.
        warnings.simplefilter('ignore', VerifyWarning)
        # A unit unknown to FITS or VOTable is kept in comments, which
        # QTable.read understands, and in UNIT_KEY.
        warnings.simplefilter('ignore', u.UnitsWarning)
        warnings.simplefilter('ignore', VOTableSpecWarning)
        warnings.filterwarnings('ignore', category=AstropyUserWarning,
                                message='The unit .* could not be saved')
        if kind == 'votable':
            _write_votable(profile, path)
            return
        if kind == 'csv':
            write_csv(profile, path)
            return
        if kind == 'ecsv':
            write_ecsv(profile, path)
            return
        table = profile
        if kind == 'fits':
            table = _widened(QTable(profile, copy=True), {'i1': 'i2',
                                                          'f2': 'f4'})
            # META_KEY holds what a header card does not.
            table.meta = {key: value for key, value in profile.meta.items()
                          if _fits_a_card(value)} | _hidden_meta(profile)
            _refuse_columns(table)
        table.write(path, format=READERS[kind], overwrite=overwrite)


def _hidden_meta(profile):
    """
    Write all meta and units as JSON, for formats that would change them.
    """
    # (what JSON does not know becomes text)
    return {META_KEY: json.dumps(dict(profile.meta), default=_plain),
            UNIT_KEY: json.dumps({
                name: profile[name].unit.to_string()
                for name in profile.colnames
                if getattr(profile[name], 'unit', None) is not None})}


def _widened(table, kinds):
    """
    Widen columns of types that a format does not know.

    (astropy writes integers of one byte to FITS as True and False.)
    """
    for name in table.colnames:
        column = table[name]
        # (times and coordinates have no type)
        kind = getattr(column, 'dtype', None)
        wider = None if kind is None else kinds.get(kind.str[1:])
        if wider is not None:
            description = column.info.description
            table[name] = column.astype(wider)
            table[name].info.description = description
    return table


def _refuse_columns(table):
    """
    Refuse columns that FITS cannot hold.
    """
    for name in table.colnames:
        values = np.asarray(getattr(table[name], 'value', table[name]))
        if values.dtype.kind == 'b' and np.any(getattr(
                table[name], 'mask', False)):
            msg = (f'profile has masked values in its column {name} of True '
                   'and False, which FITS cannot hold: write an .ecsv or '
                   '.parquet file, or fill them')
            raise ValueError(msg)
        if values.dtype.kind == 'U' and not all(
                text.isascii() for text in values.ravel()):
            msg = (f'profile has text in its column {name} that FITS, which '
                   'knows ASCII only, cannot hold: write an .ecsv or '
                   '.parquet file, or change the text')
            raise ValueError(msg)


def _fits_a_card(value):
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _plain(value):
    if isinstance(value, u.Quantity):
        # (not abridged, as the text of a long array is)
        return f'{np.asarray(value.value).tolist()} {value.unit}'.strip()
    return value.tolist() if isinstance(value, np.generic | np.ndarray
                                        ) else str(value)


def _write_votable(profile, path):
    """
    Write a VOTable: numbers and text of the meta become parameters.
    """
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Param

    votable = from_table(_widened(
        QTable(profile, copy=True), {'i1': 'i2', 'u2': 'i4', 'u4': 'i8',
                                     'f2': 'f4'}))
    table = votable.get_first_table()
    for key, value in {**profile.meta, **_hidden_meta(profile)}.items():
        kind = {bool: 'boolean', int: 'long', float: 'double',
                str: 'unicodeChar'}.get(type(value))
        if kind is not None:
            size = {'arraysize': '*'} if kind == 'unicodeChar' else {}
            table.params.append(Param(votable, name=key, value=value,
                                      datatype=kind, **size))
    votable.to_xml(str(path))


def read_profile(
        path: PathLike, *,
        format: Literal['ecsv', 'fits', 'parquet', 'votable', 'csv'] |
            None = None) -> QTable:
    """
    Read a profile that `write_profile` or ``QTable.write`` wrote.

    Parameters
    ----------
    path : str, `~pathlib.Path` or ``upath.UPath``
        The file, or its address.

    format : {'ecsv', 'fits', 'parquet', 'votable', 'csv'}, optional
        By default told by the file's ending: ``.ecsv``, ``.fits``,
        ``.parquet``, ``.vot`` or ``.xml``, ``.csv``; ``.ecsv.gz`` and
        ``.fits.gz`` are compressed.

    Returns
    -------
    profile : `~astropy.table.QTable`

    Raises
    ------
    ValueError
        If the format is none of these, the file cannot be read, or it
        holds no profile.

    FileNotFoundError
        If there is no such file.
    """
    if is_address(path):
        with copy_here(find_path(path, 'path')) as copy:
            return read_profile(copy, format=format)
    kind = _format(path, format)
    table = _read_table(path, kind)
    if not is_profile(table):
        msg = (f'{path} holds no profile table: its columns are '
               f'{", ".join(table.colnames)}')
        raise ValueError(msg)
    if kind in ('fits', 'votable'):
        _restore(table)
    _fill_texts(table)
    meta = table.meta
    # (VOTable masks what is not-a-number)
    table = check_profile(table, str(path))
    # the meta is what the file has
    table.meta = meta
    return table


def read_published(path):
    """
    Read a profile, or a table of radii and surface brightness of a paper.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file, of a kind that `read_profile` reads.

    Returns
    -------
    profile : `~astropy.table.QTable`
        The profile, see `~astro_pix2prof.profile.checks.complete_profile`.

    Raises
    ------
    ValueError
        If it cannot be read or holds neither, the radii do not increase, or
        a column has no unit.

    FileNotFoundError
        If there is no such file.
    """
    kind = _format(path, None)
    table = _read_table(path, kind)
    if kind in ('fits', 'votable'):
        _restore(table)
    _fill_texts(table)
    meta = table.meta
    try:
        table = complete_profile(table, str(path))
    except ValueError as error:
        if 'got no unit' in str(error) and kind == 'csv':
            msg = (f"{error}: in CSV, units stand in the first line, as in "
                   "'radius [arcsec],surface_brightness [mag/arcsec2]'")
            raise ValueError(msg) from error
        raise
    table.meta = meta
    return table


def _read_table(path, kind):
    """
    Read the table in a file of a kind.
    """
    if not Path(path).is_file():
        msg = f'{path}: there is no such file'
        raise FileNotFoundError(msg)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', u.UnitsWarning)
        warnings.simplefilter('ignore', VOTableSpecWarning)
        try:
            own = {'votable': _read_votable, 'csv': read_csv,
                   'ecsv': read_ecsv}.get(kind)
            table = (QTable.read(path, format=READERS[kind]) if own is None
                     else own(path))
        except Exception as error:  # every reader has kinds of its own
            msg = (f'{path} cannot be read as a table of the format {kind}: '
                   f'{" ".join(str(error).split())}')
            raise ValueError(msg) from error
    return table


def _read_votable(path):
    from astropy.io.votable import parse

    votable = parse(str(path))
    table = QTable.read(votable, format='votable')
    for param in votable.get_first_table().params:
        table.meta[param.name] = param.value
    return table


def _restore(table):
    """
    Restore units and meta as they were before FITS or VOTable.
    """
    units = json.loads(table.meta.pop(UNIT_KEY, '{}'))
    for name, text in units.items():
        column = table[name]
        unit, wanted = getattr(column, 'unit', None), u.Unit(text)
        # (FITS and some versions of VOTable know no percent)
        if unit is None or isinstance(unit, u.UnrecognizedUnit) or (
                unit == wanted and str(unit) != text):
            description = column.info.description
            values = np.ma.asarray(getattr(column, 'value', column))
            if values.dtype.kind != 'f':
                values = values.astype(float)
            table[name] = u.Quantity(values.filled(np.nan), wanted)
            table[name].info.description = description
    original = table.meta.pop(META_KEY, None)
    if original is None:
        table.meta = {key.lower(): value for key, value in table.meta.items()}
    else:
        table.meta.clear()
        table.meta.update(json.loads(original))
    # FITS columns come big-endian and masked where NaN; VOTable breaks long
    # lines.
    for name in table.colnames:
        column = table[name]
        if column.info.description:
            column.info.description = ' '.join(
                column.info.description.split())
        if column.dtype.byteorder == '>':
            native = np.asarray(getattr(column, 'value', column)).astype(
                column.dtype.newbyteorder('='))
            if column.dtype.kind in 'iu' and np.any(getattr(
                    column, 'mask', False)):
                native = np.ma.array(native, mask=column.mask)
            unit = getattr(column, 'unit', None)
            description = column.info.description
            table[name] = native if unit is None else native * unit
            table[name].info.description = description
        elif column.dtype.kind == 'f' and np.any(getattr(column, 'mask',
                                                         False)):
            description = column.info.description
            table[name] = column.filled(np.nan)
            table[name].info.description = description


def _fill_texts(table):
    """
    Make texts that files have as bytes, or masked as they are empty, texts.
    """
    for name in table.colnames:
        column = table[name]
        kind = getattr(getattr(column, 'dtype', None), 'kind', 'f')
        if kind not in 'SU' or (
                kind == 'U' and not hasattr(column, 'mask')):
            continue
        description = column.info.description
        if hasattr(column, 'mask'):
            column = column.filled('')
        values = np.asarray(column)
        if values.dtype.kind == 'S':
            values = np.char.decode(values, 'ascii', 'replace')
        table[name] = values
        table[name].info.description = description
