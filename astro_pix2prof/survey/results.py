# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The results of a survey, read part by part.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.addresses import as_source, find_path
from astro_pix2prof.arguments import check_choice, check_integer
from astro_pix2prof.fitting.bands import (
    BandProfiles,
    colour_pairs,
    make_colours,
)
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.profile.columns import GALAXY_COLUMNS, empty_galaxy
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.selection import row_numbers
from astro_pix2prof.profile.texts import text_array
from astro_pix2prof.survey.arrow import masked_array, unit_of_field
from astro_pix2prof.survey.bands import band_columns, read_bands
from astro_pix2prof.survey.files import (
    FAILURES,
    SETTINGS,
    TIMES,
    part_files,
    read_json,
    read_settings,
    require_file,
)
from astro_pix2prof.survey.integrity import read_identity, recover_settings
from astro_pix2prof.survey.storage import is_folder
from astro_pix2prof.survey.text import read_ecsv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from astro_pix2prof.typing import PathLike

__all__ = ['Survey', 'read_survey']


class Survey:
    """
    The results of a survey, read part by part.

    Iterating gives a `ProfileBatch` for each file. ``survey[i]`` is the
    profile of galaxy ``i``, ``survey[a:b]`` a `ProfileBatch`, and so is
    ``survey[chosen]`` of a list of numbers or a mask.

    Parameters
    ----------
    path : str or path-like
        The folder that `run_survey` wrote, or one Parquet file of the form
        of `ProfileBatch.to_arrow`.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no survey in the folder.

    ValueError
        If a file is broken, or holds no profiles.

    Attributes
    ----------
    folder : `~pathlib.Path`
        The folder.

    files : list of `~pathlib.Path`
        The Parquet files, in the order of the galaxies. Others that lie
        beside them do not belong to the survey.

    settings : dict
        The catalogue, the images, the fitter and all options of the survey;
        empty for a single file.

    complete : bool
        Whether all galaxies are there.

    bands : list of str
        The bands that were measured; empty for a survey of one.

    reference, colours : str and list of str
        The band whose ellipses all share, and the colours.
    """

    def __init__(self, path: PathLike) -> None:
        path = find_path(path, 'survey')
        if is_folder(path, 'survey '):
            # (each part knows them, too)
            self.folder = path
            self.settings = read_settings(path, recover_settings)
            if not self.settings and not (path / SETTINGS).is_file():
                msg = f'{path} is not the folder of a survey'
                raise FileNotFoundError(msg)
            self.files = part_files(path)
        else:
            require_file(path, 'survey')
            self.folder, self.settings = path.parent, {}
            self.files = [path]
        counts, self._fullest, most = [], None, 0
        for file in self.files:
            n_rows, n_columns = _count_rows(file)
            counts.append(n_rows)
            if n_columns > most:
                # (earlier versions wrote fewer columns)
                self._fullest, most = file, n_columns
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=int)])
        self.complete = len(self) == self.settings.get('n_rows', len(self))
        self._band = None
        found = {} if self._fullest is None else read_bands(
            _read_schema(self._fullest))
        self.bands = found.get('bands', [])
        self.reference = found.get('reference', '')
        self.colours = found.get('colours', [])

    def __len__(self):
        return int(self._starts[-1])

    def __repr__(self):
        state = '' if self.complete else (
            f' of {self.settings["n_rows"]}, not complete')
        return (f'<{type(self).__name__} {self.folder}: {len(self)} '
                f'galaxies{state}>')

    def __iter__(self):
        return map(self._batch, self.files)

    def __getitem__(self, item):
        if isinstance(item, slice):
            start, stop, step = item.indices(len(self))
            if step != 1:
                msg = f'a slice of a survey must have the step 1, got {step}'
                raise ValueError(msg)
            return ProfileBatch.concatenate(
                self._batch(self.files[k])[
                    max(start - self._starts[k], 0):
                    stop - self._starts[k]]
                for k in range(len(self.files))
                if self._starts[k] < stop and self._starts[k + 1] > start)
        if isinstance(item, list | np.ndarray) and np.ndim(item):
            return self._selection(row_numbers(item, len(self), 'the survey'))
        number = row_numbers([item], len(self), 'the survey')[0]
        return self[number:number + 1][0]

    def _selection(self, rows):
        """
        Read galaxies by their numbers, in any order; each file once.
        """
        found, where = np.unique(rows, return_inverse=True)
        places = np.searchsorted(self._starts, found, side='right') - 1
        return ProfileBatch.concatenate(
            self._batch(self.files[k])[found[places == k] - self._starts[k]]
            for k in np.unique(places))[where]

    @property
    def failures(self) -> QTable:
        """
        The galaxies that were not measured: `~astropy.table.QTable`.

        Its columns are index, source and message, and that of the catalogue
        that names the galaxies, such as ``id``, if there is one; of several
        bands, the column band says which was not measured. It is written at
        the end of the survey.
        """
        rows = read_ecsv(self.folder / FAILURES)
        return QTable({name: _cells(rows[name])
                       for name in rows.column_names})

    def in_band(self, band: str) -> Survey:
        """
        Look at the profiles of another band than the reference.

        Parameters
        ----------
        band : str
            One of ``bands``.

        Returns
        -------
        survey : `Survey`
            The same survey; its batches and profiles are those of the band.

        Raises
        ------
        ValueError
            If there is no such band.
        """
        if not self.bands:
            msg = f'{self.folder} is a survey of one band, got band={band!r}'
            raise ValueError(msg)
        view = copy.copy(self)
        view._band = check_choice(band, 'band', tuple(self.bands))
        return view

    def band_profiles(self, number: int) -> BandProfiles:
        """
        Read the profiles of a galaxy in all bands, and its colours.

        Parameters
        ----------
        number : int
            The number of the galaxy.

        Returns
        -------
        result : `BandProfiles`
            As of ``fit_bands``, in single precision.

        Raises
        ------
        ValueError
            If it is a survey of one band.

        IndexError
            If there is no such galaxy, or it has no profile.
        """
        if not self.bands:
            msg = f'{self.folder} is a survey of one band: it has no colours'
            raise ValueError(msg)
        number = check_integer(number, 'number')
        rows = self._row(number)
        batches = {band: ProfileBatch.from_arrow(_in_band(
            rows, band, self.reference)) for band in self.bands}
        failed = {band: str(batch.galaxies['message'][0])
                  for band, batch in batches.items() if batch.failed[0]}
        if self.reference in failed:
            msg = (f'galaxy {number} was not measured: '
                   f'{failed[self.reference]}')
            raise IndexError(msg)
        profiles = {band: batch[0] for band, batch in batches.items()
                    if band not in failed}
        pairs = [pair for pair in colour_pairs(self.bands, self.colours)
                 if not failed.keys() & set(pair)]
        names = [*profiles, *(f'{one}-{two}' for one, two in pairs)]
        nested = rows['colours'].combine_chunks()
        parts = {field.name: part.flatten().to_numpy(zero_copy_only=False)
                 for field, part in zip(nested.type, nested.flatten(),
                                        strict=True)}
        first = profiles[self.reference]
        table = make_colours(first['radius'], {
            name: parts[name] for start in names
            for name in (start, f'{start}_err', f'{start}_flag')}, pairs)
        table.meta.update({key: first.meta[key] for key in (
            'fitter', 'version', 'weights', 'source', 'ra', 'dec')
            if key in first.meta})
        table.meta.update(reference=self.reference, bands=list(profiles),
                          colours=names[len(profiles):])
        if 'psf_matched' in rows.column_names:
            table.meta['psf_matched'] = rows['psf_matched'][0].as_py()
        return BandProfiles(profiles, table, self.reference, failed)

    def _row(self, number):
        """
        Read all columns of a galaxy (`pyarrow.Table` of one row).
        """
        if not -len(self) <= number < len(self):
            msg = (f'the survey has {len(self)} galaxies, got the number '
                   f'{number}')
            raise IndexError(msg)
        number %= len(self)
        k = int(np.searchsorted(self._starts, number, side='right')) - 1
        return self._read(self.files[k]).slice(number - self._starts[k], 1)

    @property
    def times(self) -> dict[str, Any]:
        """
        The galaxies, seconds and processes of the calls so far (dict).

        It is empty until a call has come to its end.
        """
        path = self.folder / TIMES
        return read_json(path) if self.settings and path.is_file() else {}

    def galaxies(self, columns: Sequence[str] | str | None = None) -> QTable:
        """
        Read the columns of the galaxies, without their profiles.

        Parameters
        ----------
        columns : list of str, or str, optional
            The columns, of the catalogue or of `ProfileBatch.galaxies`; by
            default, all but lists such as ``embedding``. One that the
            version which wrote the results did not know is not-a-number.

        Returns
        -------
        table : `~astropy.table.QTable`
            One row per galaxy, with units. Whole numbers and truth values
            that are missing are masked. A column of texts holds Python
            objects if a few long ones would widen it a lot. With the column
            ``embedding``, the meta tells its encoder as that of
            `Pix2ProfFitter.encode` does.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        pa = import_pyarrow()
        if not self.files:
            msg = f'{self.folder} has no results yet'
            raise ValueError(msg)
        schema = _read_schema(self._fullest)
        if columns is None:
            columns = [field.name for field in schema
                       if not pa.types.is_nested(field.type)]
        if isinstance(columns, str):
            columns = [columns]
        unknown = sorted(set(columns) - {*schema.names, *GALAXY_COLUMNS})
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
        # (texts that are kept as numbers of a list have no place for a gap)
        rows = rows.cast(pa.schema([
            field.with_type(field.type.value_type)
            if pa.types.is_dictionary(field.type) else field
            for field in rows.schema]))
        table = QTable()
        for name in columns:
            if name not in rows.column_names:
                # (a version wrote it all that did not know the column)
                kind, unit, _ = GALAXY_COLUMNS[name]
                values = np.full(len(self), empty_galaxy()[name], dtype=kind)
                table[name] = values if unit is None else values * unit
                continue
            if pa.types.is_fixed_size_list(rows.schema.field(name).type):
                table[name] = _read_vectors(rows[name])
                continue
            if rows[name].null_count and units[name] is None and (
                    pa.types.is_integer(rows.schema.field(name).type)
                    or pa.types.is_boolean(rows.schema.field(name).type)):
                # (floats do not hold the digits of long identifiers)
                table[name] = _cells(rows[name])
                continue
            values = rows[name].to_numpy(zero_copy_only=False)
            if values.dtype.kind == 'O':
                values = text_array(values) if _are_texts(rows[name]) else (
                    np.array(['' if value is None else value
                              for value in values]))
            unit = None
            if units[name] is not None and values.dtype.kind in 'if':
                unit = u.Unit(units[name], parse_strict='silent')
            table[name] = values if unit is None else values * unit
        if 'embedding' in columns and (encoder := self._encoder()):
            table.meta.update(encoder='encoder', encoder_sha256=encoder)
        return table

    def _encoder(self):
        """
        Find the checksum of the encoder of the embeddings, '' if not known.
        """
        # (a single file knows the survey that it is a part of)
        settings = self.settings or read_identity(self.files[0])[0]
        found = settings.get('embedding')
        return found if isinstance(found, str) else ''

    def _batch(self, path):
        """
        Read the profiles of a file.
        """
        if self._band is None:
            return ProfileBatch.from_arrow(self._read(path))
        return ProfileBatch.from_arrow(_in_band(
            self._read(path), self._band, self.reference))

    def _read(self, path, columns=None):
        import pyarrow.parquet as pq

        # (a column that the file does not have is left out)
        with pq.ParquetFile(as_source(path)) as file:
            return file.read(columns=columns)


def _cells(column):
    """
    Convert a column of whole numbers, truth values or texts to an array.
    """
    if _are_texts(column):
        return text_array(column.to_pylist())
    return masked_array(column)


def _read_vectors(column):
    """
    Read a column of vectors of equal length: 2D array, shape (n, size).
    """
    values = column.combine_chunks()
    return values.flatten().to_numpy(zero_copy_only=False).reshape(
        len(values), values.type.list_size).copy()


def _in_band(rows, band, reference):
    """
    Rename the columns of a band to those of a survey of one.
    """
    pa = import_pyarrow()
    names = {name: renamed for name, renamed in band_columns(band).items()
             if renamed in rows.column_names}
    fields = [rows.schema.field('index'), *(
        rows.schema.field(renamed).with_name(name)
        for name, renamed in names.items())]
    profile = 'profile' if band == reference else f'profile_{band}'
    is_measured = (rows[names['flag']].to_numpy() & GalaxyFlag.FAILED) == 0
    return pa.Table.from_arrays(
        [rows['index'], *(rows[renamed] for renamed in names.values()),
         pa.array([band if good else '' for good in is_measured]),
         rows[profile]],
        schema=pa.schema([*fields, pa.field('band', pa.string()),
                          rows.schema.field(profile).with_name('profile')],
                         metadata=rows.schema.metadata))


def _read_schema(path):
    """
    Read the columns of a file of results.
    """
    import pyarrow.parquet as pq

    return pq.read_schema(as_source(path))


def _count_rows(path):
    """
    Count the galaxies and the columns in a file that holds profiles.
    """
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(as_source(path))
        names = metadata.schema.to_arrow_schema().names
    except (pa.ArrowException, OSError) as error:
        if not _may_be_part(path):
            msg = (f'survey: {path} is no file of a survey: give the folder '
                   'that pix2prof survey has written, or one of its Parquet '
                   'files')
            raise ValueError(msg) from error
        msg = (f'survey: {path} cannot be read as a Parquet file; delete it '
               f'and run the survey again: {error}')
        raise ValueError(msg) from error
    if 'profile' not in names:
        msg = (f"survey: {path} has no column 'profile'; give the folder "
               'that pix2prof survey has written, or one of its files')
        raise ValueError(msg)
    return metadata.num_rows, len(names)


def _may_be_part(path):
    """
    Tell whether a file that cannot be read may be a damaged part.

    Nobody is told to delete a file that a survey has not written.
    """
    if not re.fullmatch(r'part-\d+\.parquet', path.name):
        return False
    with path.open('rb') as file:
        # (one that was cut off begins as it should; so may one of zeros)
        start = file.read(4)
    return start in (b'PAR1', b'') or not start.strip(b'\0')


def _are_texts(column):
    pa = import_pyarrow()
    return (pa.types.is_string(column.type)
            or pa.types.is_large_string(column.type)
            or pa.types.is_null(column.type))


def read_survey(path: PathLike) -> Survey:
    """
    Read the results of a survey.

    Parameters
    ----------
    path : str or path-like
        The folder that `run_survey` wrote, or one Parquet file of the form
        of `ProfileBatch.to_arrow`.

    Returns
    -------
    survey : `Survey`
        The galaxies; nothing is read before it is asked for.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no survey in the folder.

    ValueError
        If a file is broken, or holds no profiles.
    """
    return Survey(path)
