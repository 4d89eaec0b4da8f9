# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The profiles of many galaxies in columns.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.arrow import import_pyarrow, unit_metadata
from astro_pix2prof.profile.columns import (
    ADDED_COLUMNS,
    GALAXY_COLUMNS,
    OPTIONAL_COLUMNS,
    RING_COLUMNS,
    column_unit,
    empty_galaxy,
    is_profile,
    make_table,
)
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.meta import store_correlation
from astro_pix2prof.profile.selection import row_numbers
from astro_pix2prof.profile.texts import text_array, utf8_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from astropy.table import Table
    from numpy.typing import ArrayLike

__all__ = ['ProfileBatch']


# Keys of the meta that all profiles of a batch share.
_SHARED = ('fitter', 'version', 'weights', 'sha256', 'correlation')

_META_KEY = b'astro_pix2prof'


class ProfileBatch:
    """
    The profiles of many galaxies in columns.

    A table per galaxy costs more time than a network needs to measure it;
    here the rings of all galaxies lie in one row, one after the other.
    `~astro_pix2prof.Pix2ProfFitter.fit_many` and surveys return batches;
    ``batch[i]`` is the profile of a galaxy, as from a single call.

    Parameters
    ----------
    galaxies : dict of array_like, shape (n,)
        What is known of each galaxy, by the names in ``galaxies``. What is
        missing is empty, 0 or not-a-number.

    rings : dict of 1D array_like, shape (m,)
        The columns of the profiles, without units, one galaxy after the
        other; those that are only there on request, too.

    offsets : 1D array_like of int, shape (n + 1,)
        Galaxy k has the rings ``offsets[k]`` to ``offsets[k + 1]``.

    meta : dict, optional
        What all galaxies share: 'fitter', 'version', 'weights', 'sha256',
        'correlation'.

    Raises
    ------
    ValueError
        If the columns do not fit each other.

    Attributes
    ----------
    offsets : 1D `~numpy.ndarray` of int64, shape (n + 1,)
        As given.

    meta : dict
        As given.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> batch, = Pix2ProfFitter().fit_many([load_example()])
    >>> len(batch), batch[0]['radius'].unit
    (1, Unit("arcsec"))
    """

    def __init__(self, galaxies: dict[str, Any], rings: dict[str, Any],
                 offsets: ArrayLike,
                 meta: dict[str, Any] | None = None) -> None:
        self.offsets = np.asarray(offsets, dtype=np.int64)
        self.meta = dict(meta or {})
        n = len(self.offsets) - 1
        unknown = sorted(set(galaxies) - set(GALAXY_COLUMNS)) + sorted(
            set(rings) - set(RING_COLUMNS) - set(OPTIONAL_COLUMNS))
        if unknown:
            msg = ('galaxies and rings must have columns of a profile, got '
                   f'{", ".join(map(repr, unknown))}')
            raise ValueError(msg)
        self._galaxies, self._rings = {}, {}
        empty = empty_galaxy()
        for name, column in GALAXY_COLUMNS.items():
            values = galaxies.get(name)
            if values is None:
                values = np.full(n, empty[name], dtype=column.kind)
            self._galaxies[name] = np.asarray(values, dtype=column.kind)
        m = int(self.offsets[-1]) if n >= 0 else 0
        for name, (_, kind) in _columns_of([rings]).items():
            values = rings.get(name)
            if values is None:
                values = np.full(m, 0 if kind == 'i4' else np.nan)
            self._rings[name] = np.asarray(values, dtype=kind)
        self._galaxies['n_rings'] = np.diff(self.offsets).astype('i4')
        for columns, size, what in ((self._galaxies, n, 'galaxies'),
                                    (self._rings, m, 'rings')):
            for name, values in columns.items():
                if values.shape != (size,):
                    msg = (f'{what}[{name!r}] must have the shape ({size},), '
                           f'got {values.shape}')
                    raise ValueError(msg)

    @classmethod
    def from_profiles(cls, profiles: Sequence[QTable | Exception], *,
                      sources: Sequence[str] | None = None, start: int = 0,
                      columns: Sequence[str] = ()) -> ProfileBatch:
        """
        Make a batch of single profiles.

        Parameters
        ----------
        profiles : list of `~astropy.table.QTable` or Exception
            Profiles, or why there is none.

        sources : list of str, optional
            What the galaxies are called, for those whose profile does not
            say it.

        start : int, optional
            The number of the first.

        columns : sequence of str, optional
            Columns that were asked for, such as ``a4``: the batch has them
            even if no profile does.

        Returns
        -------
        batch : `ProfileBatch`

        Raises
        ------
        TypeError
            If an element is neither a profile nor an exception.
        """
        n = len(profiles)
        empty = empty_galaxy()
        galaxies = {name: np.full(n, empty[name], dtype=column.kind)
                    for name, column in GALAXY_COLUMNS.items()}
        galaxies['index'] = np.arange(start, start + n)
        if sources is not None:
            galaxies['source'][:] = [str(s) for s in sources]
        tables: list[Any] = []
        meta: dict[str, Any] = {}
        for k, profile in enumerate(profiles):
            if isinstance(profile, BaseException):
                galaxies['flag'][k] = GalaxyFlag.FAILED
                galaxies['message'][k] = failure_message(profile)
                tables.append(None)
                continue
            if not is_profile(profile):
                msg = ('profiles must be profile tables or exceptions, got '
                       f'{type(profile).__name__}')
                raise TypeError(msg)
            for name, column in GALAXY_COLUMNS.items():
                if profile.meta.get(column.key) is not None:
                    galaxies[name][k] = profile.meta[column.key]
            for name, column in (('radius_unit', 'radius'),
                                 ('intensity_unit', 'intensity')):
                unit = getattr(profile[column], 'unit', None)
                galaxies[name][k] = '' if unit is None else unit.to_string()
            for key in _SHARED:
                if key in profile.meta:
                    meta.setdefault(key, profile.meta[key])
            tables.append({name: np.asarray(
                getattr(profile[name], 'value', profile[name]))
                for name in (*RING_COLUMNS, *OPTIONAL_COLUMNS)
                if name in profile.colnames or (
                    name in RING_COLUMNS and name not in ADDED_COLUMNS)})
        offsets = np.concatenate([[0], np.cumsum([
            0 if table is None else len(table['radius'])
            for table in tables])])
        rings = _join_columns([t for t in tables if t is not None])
        rings = {**{name: np.full(len(rings['radius']), np.nan)
                    for name in columns}, **rings}
        batch = cls(galaxies, rings, offsets, meta)
        batch._galaxies.update(sums_of_light(
            rings['radius'], rings['mag_enclosed'], batch.offsets))
        return batch

    @classmethod
    def concatenate(cls, batches: Iterable[ProfileBatch]) -> ProfileBatch:
        """
        Join batches.

        Parameters
        ----------
        batches : iterable of `ProfileBatch`
            One or more; the meta of the first that has any is kept.

        Returns
        -------
        batch : `ProfileBatch`
        """
        batches = list(batches)
        if not batches:
            return cls({}, {}, [0])
        steps = np.concatenate([np.diff(b.offsets) for b in batches])
        return cls(
            {name: np.concatenate([b._galaxies[name] for b in batches])
             for name in GALAXY_COLUMNS},
            _join_columns([b._rings for b in batches]),
            np.concatenate([[0], np.cumsum(steps)]),
            next((b.meta for b in batches if b.meta), {}))

    def __len__(self):
        return len(self.offsets) - 1

    def __repr__(self):
        failed = np.count_nonzero(self.failed)
        return (f'<{type(self).__name__}: {len(self)} galaxies, '
                f'{len(self._rings["radius"])} rings, {failed} failed>')

    def __getitem__(self, item):
        if isinstance(item, slice):
            start, stop, step = item.indices(len(self))
            if step != 1:
                msg = f'a slice of a batch must have the step 1, got {step}'
                raise ValueError(msg)
            stop = max(start, stop)
            first, last = self.offsets[start], self.offsets[stop]
            return type(self)(
                {name: v[start:stop] for name, v in self._galaxies.items()},
                {name: v[first:last] for name, v in self._rings.items()},
                self.offsets[start:stop + 1] - first, self.meta)
        if isinstance(item, list | np.ndarray) and np.ndim(item):
            return self._selection(row_numbers(item, len(self), 'the batch'))
        return self._profile(row_numbers([item], len(self), 'the batch')[0])

    def _selection(self, rows):
        """
        Take galaxies by their numbers, in any order.
        """
        counts = np.diff(self.offsets)[rows]
        ends = np.cumsum(counts)
        rings = np.arange(ends[-1] if len(rows) else 0) + np.repeat(
            self.offsets[rows] - (ends - counts), counts)
        return type(self)(
            {name: v[rows] for name, v in self._galaxies.items()},
            {name: v[rings] for name, v in self._rings.items()},
            np.concatenate([[0], ends]), self.meta)

    def __iter__(self):
        return (self._profile(k) for k in range(len(self)))

    def with_flags(self, flags: np.ndarray) -> ProfileBatch:
        """
        Add flags to galaxies that have profiles.

        Parameters
        ----------
        flags : 1D `~numpy.ndarray` of int, shape (n,)
            Bits of `~astro_pix2prof.GalaxyFlag` for each galaxy.

        Returns
        -------
        batch : `ProfileBatch`
            A batch with the same profiles; galaxies that failed have no more
            flags than before.
        """
        own = self._galaxies['flag']
        more = np.where(self.failed, 0, flags).astype(own.dtype)
        return type(self)({**self._galaxies, 'flag': own | more},
                          self._rings, self.offsets, self.meta)

    @property
    def failed(self) -> np.ndarray:
        """
        Mask of galaxies that could not be measured: bool array, shape (n,).
        """
        return (self._galaxies['flag'] & GalaxyFlag.FAILED) != 0

    @property
    def radius_unit(self) -> str | None:
        """
        The unit of radii that all galaxies share, `None` if they differ.
        """
        return self._common('radius_unit')

    @cached_property
    def galaxies(self) -> QTable:
        """
        One row per galaxy: `~astropy.table.QTable`.

        Its columns are listed in the guide to many galaxies.
        """
        table = QTable()
        for name, (kind, unit, _) in GALAXY_COLUMNS.items():
            values = self._galaxies[name]
            if kind == 'O':
                values = text_array(values)
            if name == 'radius_50':
                unit = self._common('radius_unit')
            table[name] = values if unit is None else values * unit
        table.meta.update(self.meta)
        return table

    @cached_property
    def rings(self) -> QTable:
        """
        The rings of all galaxies, one after the other: `QTable`.

        Columns whose unit differs from galaxy to galaxy have none; see
        'radius_unit' and 'intensity_unit' of ``galaxies``.
        """
        table = QTable()
        for name, unit in self._ring_units().items():
            values = self._rings[name]
            table[name] = values if unit is None else values * unit
        table.meta.update(self.meta)
        return table

    def to_table(self) -> QTable:
        """
        One table with a row per galaxy and arrays as columns.

        Returns
        -------
        table : `~astropy.table.QTable`, n rows
            ``galaxies``, and each column of the profiles with the shape
            (n, m): m is the largest number of rings; not-a-number follows
            the last ring, and flags of 0. The flags of rings are
            ``ring_flag``.
        """
        table = self.galaxies.copy()
        n, m = len(self), int(self._galaxies['n_rings'].max(initial=0))
        row = np.repeat(np.arange(n), self._galaxies['n_rings'])
        column = np.arange(len(row)) - self.offsets[row]
        for name, unit in self._ring_units().items():
            values = self._rings[name]
            full = np.full((n, m), 0 if name == 'flag' else np.nan,
                           dtype=values.dtype)
            full[row, column] = values
            key = 'ring_flag' if name == 'flag' else name
            table[key] = full if unit is None else full * unit
        return table

    def to_long(self) -> QTable:
        """
        One table with a row per ring.

        Returns
        -------
        table : `~astropy.table.QTable`
            The column ``index``, the number of the galaxy, and those of a
            profile.
        """
        table = self.rings.copy()
        table.add_column(np.repeat(self._galaxies['index'],
                                   self._galaxies['n_rings']),
                         index=0, name='index')
        return table

    def to_arrow(self) -> Table:
        """
        An Arrow table with nested profiles, for Parquet.

        Returns
        -------
        table : `pyarrow.Table`, n rows
            The columns of ``galaxies``, and ``profile``, a struct of lists
            in single precision, as nested-pandas and LSDB read it. Units
            are in the metadata of the fields, ``meta`` in that of the
            schema.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        pa = import_pyarrow()
        fields, arrays = [], []
        for name, (kind, unit, _) in GALAXY_COLUMNS.items():
            if name == 'radius_50':
                unit = self._common('radius_unit')
            values = self._galaxies[name]
            array = (pa.array([None if text is None else utf8_text(str(text))
                               for text in values],
                              type=pa.string()) if kind == 'O'
                     else pa.array(values))
            fields.append(pa.field(name, array.type,
                                   metadata=unit_metadata(unit)))
            arrays.append(array)
        offsets = pa.array(self.offsets.astype(np.int32))
        parts, subfields = [], []
        for name, unit in self._ring_units().items():
            values = self._rings[name]
            if values.dtype == np.float64:
                values = values.astype(np.float32)
            part = pa.ListArray.from_arrays(offsets, pa.array(values))
            parts.append(part)
            subfields.append(pa.field(name, part.type,
                                      metadata=unit_metadata(unit)))
        nested = pa.StructArray.from_arrays(parts, fields=subfields)
        fields.append(pa.field('profile', nested.type))
        return pa.table([*arrays, nested], schema=pa.schema(
            fields, metadata={_META_KEY: json.dumps(
                self.meta, sort_keys=True).encode()}))

    @classmethod
    def from_arrow(cls, table: Table) -> ProfileBatch:
        """
        The batch that `to_arrow` made a table of.

        Parameters
        ----------
        table : `pyarrow.Table`
            The table; columns that a batch does not have are left out.

        Returns
        -------
        batch : `ProfileBatch`

        Raises
        ------
        ValueError
            If the table has no column ``profile``.
        """
        if 'profile' not in table.column_names:
            msg = ("table must have a column 'profile', got "
                   f'{table.column_names}')
            raise ValueError(msg)
        galaxies = {name: table[name].to_numpy() for name in GALAXY_COLUMNS
                    if name in table.column_names}
        nested = table['profile'].combine_chunks()
        lengths = np.zeros(0, dtype=np.int64)
        rings = {}
        # (unlike `field`, `flatten` heeds that the table may be a slice)
        parts = dict(zip([field.name for field in nested.type],
                         nested.flatten(), strict=True))
        for name in (*RING_COLUMNS, *OPTIONAL_COLUMNS):
            if name not in parts and (name in ADDED_COLUMNS
                                      or name in OPTIONAL_COLUMNS):
                continue
            part = parts[name]
            rings[name] = part.flatten().to_numpy(zero_copy_only=False)
            lengths = np.diff(part.offsets.to_numpy())
        meta = (table.schema.metadata or {}).get(_META_KEY, b'{}')
        return cls(galaxies, rings,
                   np.concatenate([[0], np.cumsum(lengths)]),
                   json.loads(meta))

    def _common(self, name):
        """
        The unit that all galaxies share, or `None`.
        """
        texts = set(self._galaxies[name][~self.failed].tolist())
        if len(texts) != 1:
            return None
        text = texts.pop()
        return u.Unit(text, parse_strict='silent') if text else None

    def _ring_units(self):
        """
        The unit of each column of the rings, or `None`.
        """
        return {name: column_unit(unit, self._common)
                for name, (unit, _) in _columns_of([self._rings]).items()}

    def _profile(self, k):
        """
        The profile of one galaxy, with its own units.
        """
        known = {name: values[k] for name, values in self._galaxies.items()}
        rows = slice(self.offsets[k], self.offsets[k + 1])
        table = make_table({name: values[rows] for name, values
                            in self._rings.items()}, known)
        table.meta.update({key: self.meta[key] for key in _SHARED
                           if key in self.meta and key != 'correlation'})
        for name, (_, _, key) in GALAXY_COLUMNS.items():
            value = known[name]
            value = value.item() if isinstance(value, np.generic) else value
            if key is not None and value != '' and value == value:
                table.meta[key] = value
        store_correlation(table, self.meta.get('correlation'))
        return table


def _columns_of(parts):
    """
    Describe the columns that profiles have, with those on request.
    """
    return {**RING_COLUMNS, **{
        name: column for name, column in OPTIONAL_COLUMNS.items()
        if any(name in part for part in parts)}}


def _join_columns(parts):
    """
    Join the columns of profiles; some may not be known of all.
    """
    return {name: np.concatenate([np.zeros(0), *(
        part[name] if name in part else np.full(len(part['radius']), np.nan)
        for part in parts)]) for name in _columns_of(parts)}


def failure_message(error):
    """
    Describe an exception in one line (str).
    """
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}: {text}' if text else type(error).__name__


def sums_of_light(radius, mag_enclosed, offsets):
    """
    The magnitude within the last ring, and the radius of half its light.

    Parameters
    ----------
    radius, mag_enclosed : 1D `~numpy.ndarray`, shape (m,)
        Of the rings of all galaxies.

    offsets : 1D `~numpy.ndarray` of int, shape (n + 1,)
        Where the rings of each begin.

    Returns
    -------
    columns : dict
        'mag' and 'radius_50', each of shape (n,); not-a-number where there
        is no light.
    """
    n = len(offsets) - 1
    mag, half = np.full(n, np.nan), np.full(n, np.nan)
    flux = 10**(-0.4 * np.asarray(mag_enclosed, dtype=float))
    for k in range(n):
        rows = slice(offsets[k], offsets[k + 1])
        part = flux[rows]
        good = np.isfinite(part)
        if not good.any():
            continue
        part = np.maximum.accumulate(part[good])
        mag[k] = -2.5 * np.log10(part[-1])
        half[k] = np.interp(0.5 * part[-1], part, radius[rows][good])
    return {'mag': mag, 'radius_50': half}
