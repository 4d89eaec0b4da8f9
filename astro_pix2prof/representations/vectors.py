# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
One vector for each galaxy, with the columns that tell which galaxy it is.
"""

import os
import warnings

import astropy.units as u
import numpy as np
from astropy.table import QTable, Row, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import check_text
from astro_pix2prof.representations.files import (
    survey_columns,
    survey_vectors,
)
from astro_pix2prof.representations.rows import (
    ID_COLUMNS,
    check_names,
    check_vectors,
    failed_rows,
    find_id,
    numbers_of,
    refuse_failed,
    require_columns,
)
from astro_pix2prof.survey.results import Survey, read_survey
from astro_pix2prof.wording import counted, shown

__all__ = ['GalaxyVectors', 'describe_encoder']

# Rows that a message lists.
_LISTED = 5

# Columns of texts that a message says were looked at.
_LOOKED_IN = 3

# The interquartile range of a normal distribution in standard deviations.
_IQR = 1.349


def describe_encoder(meta):
    """
    Name the network that made embeddings.

    Parameters
    ----------
    meta : dict
        The meta of a table, with 'encoder' and 'encoder_sha256'; or the
        settings of a survey, with the checksum as 'embedding'.

    Returns
    -------
    encoder : str
        The beginning of its checksum, or else its name; empty if none is
        known.
    """
    found = meta.get('encoder_sha256') or meta.get('embedding')
    if isinstance(found, str) and found:
        return found[:12]
    return str(meta.get('encoder') or '')


class GalaxyVectors:
    """
    Vectors of galaxies, without those that have none.

    Parameters
    ----------
    source : `~astropy.table.Table`, `~astro_pix2prof.Survey`, str or \
path-like
        A table with a row for each galaxy; or a survey, or its folder.

    column : str, optional
        The column of vectors.

    columns : list of str, optional
        Columns of numbers that make a vector instead. Each is centred on
        its median and divided by its scatter.

    id_column : str, optional
        The column that names a galaxy; by default 'index', 'id', 'name' or
        'source', whichever is there, and otherwise the number of the row.

    keep : list of str, optional
        The columns to keep; by default, all that hold no lists.

    Raises
    ------
    TypeError
        If ``source`` is none of these.

    ValueError
        If a column is missing or of the wrong kind, ids occur twice, or no
        galaxy has a vector.

    Attributes
    ----------
    rows : `~astropy.table.QTable`
        The columns that were kept.

    values : 2D `~numpy.ndarray`, shape (n, d), float32
        The vectors.

    id_column : str
        The column of names.

    left_out : dict of int
        How many galaxies were left out, by the reason.

    encoder : str
        The network that made the vectors, by the beginning of its
        checksum; empty if it is not known.

    scaling : `~astropy.table.QTable` or `None`
        Of vectors out of columns: 'name', 'unit', 'centre' and 'scale'.
    """

    def __init__(self, source, *, column='embedding', columns=None,
                 id_column=None, keep=None):
        self.column = check_text(column, 'column')
        check_text(id_column, 'id_column', optional=True)
        self.chosen_id = id_column is not None
        source = _read_source(source)
        self.scaling = None
        if columns is not None:
            columns = check_names(columns, 'columns')
        if keep is not None:
            keep = check_names(keep, 'keep')
        wanted = None if keep is None else list(dict.fromkeys(
            [*keep, *([id_column] if id_column else []), *(columns or [])]))
        if isinstance(source, Survey):
            rows, meta, values = self._from_survey(source, columns, wanted)
        else:
            rows, meta, values = self._from_table(source, columns, wanted)
        self.encoder = '' if columns is not None else describe_encoder(meta)
        if columns is not None:
            values = self._measure_scaling(rows, columns)
        self.id_column = find_id(rows, id_column)
        self._leave_out(rows, values)

    def _from_survey(self, survey, columns, wanted):
        names, meta = survey_columns(survey)
        if columns is None and self.column not in names:
            hint = ('; run the survey with embedding=True (pix2prof survey '
                    '--embedding), which adds it'
                    if self.column == 'embedding' else '')
            msg = (f'{survey.folder} has no column {self.column!r}{hint}; '
                   'or give columns= of numbers')
            raise ValueError(msg)
        values = (None if columns is not None
                  else survey_vectors(survey, self.column))
        if wanted is not None:
            # (the columns that tell a galaxy and its failure)
            wanted = list(dict.fromkeys(
                [*wanted, *(name for name in ('index', 'flag')
                            if name in names)]))
        rows = survey.galaxies(wanted)
        meta = {**survey.settings, **meta}
        return rows, meta, values

    def _from_table(self, table, columns, wanted):
        if columns is None and self.column not in table.colnames:
            msg = (f'the table has no column {self.column!r}: make it with '
                   'fitter.encode(images), or give columns= of numbers. It '
                   f'has {", ".join(table.colnames)}')
            raise ValueError(msg)
        if wanted is None:
            wanted = [name for name in table.colnames
                      if name != self.column and table[name].ndim == 1]
        else:
            require_columns(table, wanted, 'keep')
            wanted = list(dict.fromkeys(
                [*wanted, *(name for name in ('index', 'flag')
                            if name in table.colnames)]))
        rows = QTable()
        for name in wanted:
            rows[name] = table[name]
        if not wanted:
            rows['index'] = np.arange(len(table))
        values = None if columns is not None else check_vectors(
            table[self.column], self.column)
        return rows, table.meta, values

    def _measure_scaling(self, rows, columns):
        """
        Standardise columns of numbers, and keep how.
        """
        require_columns(rows, columns, 'columns')
        good = ~failed_rows(rows)
        names, units, centres, scales = [], [], [], []
        for name in columns:
            column = rows[name]
            unit = getattr(column, 'unit', None)
            values = numbers_of(column, name)[good]
            values = values[np.isfinite(values)]
            if len(values) == 0:
                msg = f'columns: {name!r} has no finite values'
                raise ValueError(msg)
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            scale = (high - low) / _IQR or values.std()
            if not scale > 0:
                msg = (f'columns: {name!r} is {middle:g} for all galaxies: '
                       'leave it out')
                raise ValueError(msg)
            names.append(name)
            units.append('' if unit is None else unit.to_string())
            centres.append(middle)
            scales.append(scale)
        self.scaling = QTable({'name': names, 'unit': units,
                               'centre': centres, 'scale': scales})
        return self._standardise(rows)

    def _standardise(self, table):
        require_columns(table, self.scaling['name'].tolist(), 'the table')
        found = []
        for name, unit, centre, scale in self.scaling.iterrows():
            column, name = table[name], str(name)
            its = getattr(column, 'unit', None)
            if unit and its is not None:
                try:
                    column = u.Quantity(column).to(unit)
                except u.UnitConversionError:
                    msg = (f"{name!r} must be in '{unit}', got the unit "
                           f"'{its}'")
                    raise ValueError(msg) from None
            found.append((numbers_of(column, name) - centre) / scale)
        return np.stack(found, axis=1)

    def _leave_out(self, rows, values):
        """
        Keep the galaxies that have a vector, and count the others.
        """
        failed = failed_rows(rows)
        finite = np.isfinite(values).all(axis=1) & (values.shape[1] > 0)
        reasons = {'not measured': failed,
                   'not finite': ~failed & ~finite}
        self.left_out = {name: int(which.sum())
                         for name, which in reasons.items() if which.any()}
        good = finite & ~failed
        n_out = len(rows) - int(good.sum())
        if not good.any():
            what = ('the table is empty' if len(rows) == 0 else
                    f'none of {counted(len(rows), "galaxy", "galaxies")} has '
                    f'a finite vector')
            msg = f'{what}: there is nothing to search in'
            raise ValueError(msg)
        if n_out:
            counts = ', '.join(f'{count:,} {name}'
                               for name, count in self.left_out.items())
            msg = (f'{n_out:,} of {counted(len(rows), "galaxy", "galaxies")} '
                   f'left out: {counts}')
            warnings.warn(msg, AstropyUserWarning, stacklevel=4)
        self.ids_left_out = set(map(str, rows[self.id_column][~good]))
        self.rows = rows[good]
        self.rows.meta = {}
        self.values = np.ascontiguousarray(values[good], dtype='f4')
        self._index_ids()

    def _index_ids(self):
        names = list(map(str, self.rows[self.id_column]))
        self._row_of = {name: k for k, name in enumerate(names)}
        if len(self._row_of) < len(names):
            unique, counts = np.unique(names, return_counts=True)
            twice = unique[counts > 1]
            listed = ', '.join(map(repr, twice[:_LISTED].tolist()))
            more = ' ...' if len(twice) > _LISTED else ''
            msg = (f'the column {self.id_column!r} names {len(twice)} '
                   f'galaxies more than once ({listed}{more}): give '
                   'id_column= with another one')
            raise ValueError(msg)

    def __len__(self):
        return len(self.rows)

    @property
    def ids(self):
        """
        The names of the galaxies (1D `~numpy.ndarray`).
        """
        return np.asarray(self.rows[self.id_column])

    def state(self):
        """
        Return what is to be kept: a table, and texts and numbers.
        """
        table = QTable(self.rows, copy=False)
        table[self.column] = self.values
        meta = {'column': self.column, 'id_column': self.id_column,
                'chosen_id': self.chosen_id, 'encoder': self.encoder,
                'left_out': self.left_out,
                'ids_left_out': sorted(self.ids_left_out)}
        if self.scaling is not None:
            meta['scaling'] = {name: self.scaling[name].tolist()
                               for name in self.scaling.colnames}
        return table, meta

    @classmethod
    def from_state(cls, table, meta):
        """
        Restore the vectors from what `state` returned.
        """
        self = cls.__new__(cls)
        for name in ('column', 'id_column', 'chosen_id', 'encoder',
                     'left_out'):
            setattr(self, name, meta[name])
        self.ids_left_out = set(meta['ids_left_out'])
        self.values = np.ascontiguousarray(table[self.column], dtype='f4')
        if self.values.ndim != 2 or not np.isfinite(self.values).all():
            msg = f'the column {self.column!r} holds no finite vectors'
            raise ValueError(msg)
        table.remove_column(self.column)
        self.rows = table
        self.scaling = (QTable(meta['scaling']) if 'scaling' in meta
                        else None)
        self._index_ids()
        return self

    def find(self, name):
        """
        Find the row of a galaxy by its name.

        Parameters
        ----------
        name : str or int
            The value of ``id_column``; if no column was chosen, a text may
            also be that of any other column of texts.

        Returns
        -------
        row : int

        Raises
        ------
        ValueError
            If there is no such galaxy, or several.
        """
        row = self._row_of.get(str(name))
        if row is not None:
            return row
        if str(name) in self.ids_left_out:
            msg = (f'the galaxy {shown(name)} has no vector: it was left out')
            raise ValueError(msg)
        others = [] if self.chosen_id or not isinstance(name, str) else [
            other for other in self.rows.colnames
            if other != self.id_column
            and self.rows[other].dtype.kind in 'UO']
        rows = sorted({int(row) for other in others
                       for row in np.flatnonzero(self.rows[other] == name)})
        if len(rows) == 1:
            return rows[0]
        if rows:
            listed = ', '.join(str(self.ids[row]) for row in rows[:_LISTED])
            msg = (f'{len(rows)} galaxies are called {name!r}: give one of '
                   f'the column {self.id_column!r}, such as {listed}')
            raise ValueError(msg)
        msg = (f'no galaxy {shown(name)} in the column {self.id_column!r} of '
               f'{counted(len(self), "galaxy", "galaxies")}, the first of '
               f'which is {str(self.ids[0])!r}')
        if others:
            # (the catalogue's own columns come first)
            names = ', '.join(map(repr, others[:_LOOKED_IN]))
            more = ' and others' if len(others) > _LOOKED_IN else ''
            msg += f'; nor in the other columns of texts ({names}{more})'
        for other, _ in self._columns_with(str(name)):
            msg += f'; the column {other!r} has it: give id_column={other!r}'
            break
        raise ValueError(msg)

    def name_columns(self):
        """
        List the columns that can name a galaxy besides ``id_column``.

        Returns
        -------
        columns : list of str
        """
        return [name for name in ID_COLUMNS
                if name in self.rows.colnames and name != self.id_column]

    def rename(self, values, column):
        """
        Name galaxies by ``id_column`` that another column names.

        Parameters
        ----------
        values : dict
            By the names in the other column, as texts.

        column : str
            The other column.

        Returns
        -------
        values : dict
            By the names in ``id_column``, as texts.

        Raises
        ------
        ValueError
            If a galaxy is not there, or several have the name.
        """
        rows = {}
        for row, name in enumerate(map(str, self.rows[column])):
            rows.setdefault(name, []).append(row)
        out = {}
        for name, value in values.items():
            found = rows.get(name, [])
            if len(found) != 1:
                number = 'no galaxy' if not found else (
                    f'{len(found)} galaxies')
                msg = (f'{number} {shown(name)} in the column {column!r}: '
                       f'name the galaxies by the column {self.id_column!r}')
                raise ValueError(msg)
            out[str(self.ids[found[0]])] = value
        return out

    def _columns_with(self, name):
        """
        Find the galaxies that other columns of names call so.

        Yields
        ------
        column, rows : str and 1D `~numpy.ndarray` of int
            Of each column in which there are such galaxies.
        """
        if self.chosen_id:
            return
        for other in self.rows.colnames:
            is_name = other.lower().endswith('id') or other.lower() == 'name'
            if other == self.id_column or not is_name:
                continue
            column = np.asarray(self.rows[other])
            if column.dtype.kind in 'iuUO':
                rows = np.flatnonzero(column.astype(str) == name)
                if len(rows):
                    yield other, rows

    def _warn_of_other_names(self, name, row):
        """
        Warn that a galaxy was found by its number, and another has the id.
        """
        for other, rows in self._columns_with(name):
            if row not in rows:
                source = (f' ({self.rows["source"][row]})'
                          if 'source' in self.rows.colnames else '')
                msg = (f'{shown(name)} was taken for the galaxy of the '
                       f'column {self.id_column!r}{source}; the column '
                       f'{other!r} has it for another one: give '
                       f'id_column={other!r} to mean that')
                warnings.warn(msg, AstropyUserWarning, stacklevel=4)

    def of(self, given):
        """
        Find the vectors that somebody means, and the rows that they are of.

        Parameters
        ----------
        given : object
            A name; a vector, or several (arrays of floats); a row or table
            with the column of vectors; or a list of these.

        Returns
        -------
        vectors : 2D `~numpy.ndarray`, shape (k, d), float64
            The vectors.

        rows : set of int
            Those that are of this table.

        Raises
        ------
        TypeError, ValueError
            If it is none of these, there is no such galaxy, or a vector is
            of another length, another encoder, or not finite.
        """
        if isinstance(given, str | np.str_) or _is_integer(given):
            row = self.find(str(given) if isinstance(given, str) else given)
            self._warn_of_other_names(str(given), row)
            return self.values[row:row + 1].astype(float), {row}
        if isinstance(given, Row):
            given = given.table[given.index:given.index + 1]
        if isinstance(given, Table):
            return self._of_table(given)
        if isinstance(given, np.ndarray) and given.dtype.kind == 'f':
            return self._check(np.atleast_2d(given), 'the embedding'), set()
        if isinstance(given, np.ndarray | list | tuple | set):
            parts = list(given)
            if parts and all(isinstance(part, float) for part in parts):
                return self._check(np.atleast_2d(parts),
                                   'the embedding'), set()
            found = [self.of(part) for part in parts]
            if not found:
                msg = 'of is empty: give at least one galaxy'
                raise ValueError(msg)
            return (np.concatenate([vectors for vectors, _ in found]),
                    set.union(*(rows for _, rows in found)))
        hint = (': of an image, give fitter=, too'
                if getattr(given, 'ndim', 0) == 2 else '')
        msg = ('of must be the id of a galaxy, an embedding, a row or table '
               'with embeddings, or a list of these, got '
               f'{shown(given)}{hint}')
        raise TypeError(msg)

    def _of_table(self, table):
        if len(table) == 0:
            msg = 'of is a table without rows'
            raise ValueError(msg)
        refuse_failed(table)
        if self.scaling is not None:
            values = self._standardise(table)
        else:
            require_columns(table, [self.column], 'the table')
            its = describe_encoder(table.meta)
            if its and self.encoder and its != self.encoder:
                msg = (f'the embeddings of the table are of the encoder '
                       f'{its!r}, and those of the index of '
                       f'{self.encoder!r}: their distances mean nothing')
                raise ValueError(msg)
            values = check_vectors(table[self.column], self.column)
        values = self._check(values, 'the table')
        rows = set()
        if self.id_column in table.colnames:
            # the same name and the same vector: the same galaxy
            for name, value in zip(table[self.id_column], values,
                                   strict=True):
                row = self._row_of.get(str(name))
                if row is not None and np.allclose(
                        self.values[row], value, rtol=1e-4, atol=1e-5):
                    rows.add(row)
        return values, rows

    def _check(self, values, what):
        values = np.asarray(values, dtype=float)
        if values.ndim != 2 or values.shape[1] != self.values.shape[1]:
            msg = (f'{what} must have {self.values.shape[1]} numbers for '
                   f'each galaxy, got the shape {values.shape}')
            raise ValueError(msg)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(axis=1).sum())
            msg = (f'{what} must be finite, got not-a-number or infinity in '
                   f'{bad} of {len(values)} rows')
            raise ValueError(msg)
        return values


def _read_source(source):
    if isinstance(source, Table | Survey):
        return source
    if isinstance(source, str | os.PathLike) or is_address(source):
        return read_survey(source)
    hint = (": give Table({'embedding': vectors})"
            if getattr(source, 'ndim', 0) == 2 else '')
    msg = ('table must be a table, a survey, or the folder of one, got '
           f'{shown(source)}{hint}')
    raise TypeError(msg)


def _is_integer(value):
    return (isinstance(value, int | np.integer)
            and not isinstance(value, bool))
