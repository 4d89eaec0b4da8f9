# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The files of a survey.
"""

import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.survey.arrow import unit_of_field
from astro_pix2prof.survey.files import _FAILURES, _SETTINGS, part_files

__all__ = ['Survey', 'read_survey']


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
