# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Count the galaxies of a survey, and choose some of them.
"""

import heapq
import re
from dataclasses import dataclass, field

import numpy as np

from astro_pix2prof.addresses import as_source
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.survey.results import Survey, read_survey

__all__ = ['SurveySummary', 'read_rows', 'summarise_survey']


# Rows in memory at once.
_BLOCK = 4096

# The columns of all rows that are counted.
_COLUMNS = ('band', 'flag', 'message', 'mag', 'radius_50', 'radius_unit')

_RINGS = ('radius', 'surface_brightness', 'surface_brightness_err', 'flag')

# Fine bins of each quantity: first edge, last edge, width. Those of radii
# are in log10 of the unit.
QUANTITIES = {
    'mag': (-5.0, 40.0, 0.1),
    'radius_50': (-2.0, 5.0, 0.05),
    'central_sb': (0.0, 40.0, 0.1),
    'effective_sb': (0.0, 40.0, 0.1),
    'last_radius': (-2.0, 5.0, 0.05),
    'n_rings': (-0.5, 1000.5, 1.0),
}

RADII = ('radius_50', 'last_radius')

# Fine bins of colours within R50, likewise.
COLOUR_BINS = (-10.0, 10.0, 0.05)

# Two quantities against each other: fine bins of x and of y.
PLANES = {
    # log10 of the error in mag/arcsec2 against the surface brightness
    'error': ((10.0, 35.0, 0.5), (-5.0, 2.0, 0.05)),
    # the profile around R50: mag/arcsec2 against log10 of the radius
    'shape': ((-1.5, 1.0, 0.1), (-10.0, 10.0, 0.1)),
    # log10 of R50 against the magnitude
    'size': ((-5.0, 40.0, 0.25), (-2.0, 5.0, 0.1)),
}

# The reason why a galaxy of a list was chosen, before its place there.
LISTED = 'in the list: '

# Different reasons of failures that are told apart.
_MAX_REASONS = 200

# How many galaxies of each kind are chosen besides the random sample.
_PER_FLAG, _PER_REASON, _PER_END, _MAX_SHOWN_REASONS = 3, 1, 2, 12

_ENDS = {'mag': ('brightest', 'faintest'),
         'radius_50': ('smallest R50', 'largest R50'),
         'central_sb': ('brightest centre', 'faintest centre'),
         'last_radius': ('shortest profile', 'longest profile')}

EXTREMES = tuple(end for ends in _ENDS.values() for end in ends)


@dataclass
class SurveySummary:
    """
    Counts and distributions of all galaxies of a survey.

    Attributes
    ----------
    n, n_failed, n_flagged, n_rings : int
        Galaxies; those without a profile; measured ones with any flag;
        rings.

    flags, ring_flags : dict
        How many galaxies, and rings, have each flag, by its name.

    reasons : dict
        By a reason of failures, without the numbers and names in it: how
        many failed so, and the message of the first.

    bands : dict
        How many galaxies there are of each band.

    histograms : dict
        By (quantity, unit of radius, band): counts in fine bins. The unit
        is empty for what has none.

    planes : dict
        By (name, unit of radius): counts in fine bins of two quantities.

    band_flags : dict of dict
        Of a survey of several bands: how many galaxies have each flag, by
        band and by its name, and 'any' of a measured one.

    colours : dict
        For each colour: counts in the fine bins of ``COLOUR_BINS``.

    chosen : dict
        By (number of the file, number of the row in it): why the galaxy
        was chosen (list of str).

    files : list of `~pathlib.Path`
        The files.

    meta : dict
        The meta that profiles share, such as the name of the weights.
    """

    n: int = 0
    n_failed: int = 0
    n_flagged: int = 0
    n_rings: int = 0
    flags: dict = field(default_factory=lambda: dict.fromkeys(
        (bit.name for bit in GalaxyFlag), 0))
    ring_flags: dict = field(default_factory=lambda: dict.fromkeys(
        (bit.name for bit in RingFlag), 0))
    reasons: dict = field(default_factory=dict)
    bands: dict = field(default_factory=dict)
    histograms: dict = field(default_factory=dict)
    planes: dict = field(default_factory=dict)
    band_flags: dict = field(default_factory=dict)
    colours: dict = field(default_factory=dict)
    chosen: dict = field(default_factory=dict)
    files: list = field(default_factory=list)
    meta: dict = field(default_factory=dict)


def summarise_survey(survey, *, n_sample=60, seed=0, galaxies=None):
    """
    Read a survey once, block by block.

    Parameters
    ----------
    survey : `~astro_pix2prof.Survey`, str or path-like
        A survey; or the folder that it has written, or one Parquet file of
        the form of `~astro_pix2prof.ProfileBatch.to_arrow`.

    n_sample : int, optional
        How many galaxies to choose at random. Some of each flag, of each
        reason of failures and of each extreme are chosen besides.

    seed : int, optional
        The seed of the random choice.

    galaxies : list of int, optional
        Values of the column 'index': these galaxies are chosen instead.

    Returns
    -------
    summary : `SurveySummary`

    Raises
    ------
    ValueError
        If one of ``galaxies`` is not in the survey.
    """
    import_pyarrow()
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

    if not isinstance(survey, Survey):
        survey = read_survey(survey)
    summary, asked = SurveySummary(files=survey.files), galaxies
    choice = _Choice(n_sample, np.random.default_rng(seed))
    for number, path in enumerate(summary.files):
        with ParquetFile(as_source(path)) as file:
            of_bands = [*(f'flag_{band}' for band in survey.bands),
                        *survey.colours]
            names = [name for name in (*_COLUMNS, *of_bands, 'profile')
                     if name in file.schema_arrow.names]
            start = 0
            for block in file.iter_batches(_BLOCK, columns=names):
                rows = Table.from_batches([block])
                meta, galaxies, rings = _take_apart(rows)
                _count_bands(summary, survey, rows)
                summary.meta = summary.meta or meta
                _count(summary, galaxies, rings)
                choice.add(number, start, galaxies)
                start += block.num_rows
    summary.chosen = (choice.result() if asked is None
                      else _find_rows(summary.files, asked))
    return summary


def _find_rows(files, galaxies):
    """
    Find rows by their column 'index': their places in the list, by row.
    """
    from pyarrow.parquet import ParquetFile

    place = {number: k for k, number in enumerate(galaxies)}
    chosen, found = {}, set()
    for number, path in enumerate(files):
        with ParquetFile(as_source(path)) as file:
            names = file.read(columns=['index'])['index'].to_numpy()
        for row in np.flatnonzero(np.isin(names, list(place))).tolist():
            name = int(names[row])
            found.add(name)
            chosen[number, row] = [f'{LISTED}{place[name] + 1}']
    missing = [name for name in place if name not in found]
    if missing:
        msg = (f'galaxies: no galaxy with the index {missing[0]} in the '
               f'survey (and {len(missing) - 1} others)')
        raise ValueError(msg)
    return chosen


def read_rows(files, rows):
    """
    Read all columns of some rows.

    Parameters
    ----------
    files : list of `~pathlib.Path`
        The files.

    rows : iterable of tuple
        (Number of the file, number of the row in it).

    Yields
    ------
    key : tuple
        One of ``rows``, in their order.

    row : dict
        The columns; 'profile' is the profile, a `~astropy.table.QTable`.
    """
    import_pyarrow()
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

    wanted = {}
    for number, row in sorted(rows):
        wanted.setdefault(number, []).append(row)
    for number, numbers in wanted.items():
        with ParquetFile(as_source(files[number])) as file:
            start = 0
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                inside = [row for row in numbers if start <= row < stop]
                first = start
                start = stop
                if not inside:
                    continue
                for block in file.iter_batches(256, row_groups=[group]):
                    last = first + block.num_rows
                    for row in inside:
                        if first <= row < last:
                            part = Table.from_batches(
                                [block.slice(row - first, 1)])
                            profile, = ProfileBatch.from_arrow(part)
                            values = part.drop_columns('profile')
                            yield (number, row), {
                                **values.to_pylist()[0], 'profile': profile}
                    first = last


def reason_of(message):
    """
    Remove the names and numbers that differ from file to file.
    """
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", message)
    text = re.sub(r'\S*/\S+', '…', text)
    return re.sub(r'\d+(\.\d+)?', '#', text) or 'no message'


def _take_apart(block):
    """
    Convert rows to plain arrays: columns of galaxies and of rings.
    """
    batch = ProfileBatch.from_arrow(block)
    galaxies = {name: _plain(batch.galaxies[name]) for name in _COLUMNS}
    galaxies['n_rings'] = np.diff(batch.offsets)
    rings = {name: _plain(batch.rings[name]) for name in _RINGS}
    rings['galaxy'] = np.repeat(np.arange(len(batch)), galaxies['n_rings'])
    _add_measures(galaxies, rings)
    return batch.meta, galaxies, rings


def _plain(column):
    return np.asarray(getattr(column, 'value', column))


def _add_measures(galaxies, rings):
    """
    Calculate central and effective surface brightness, and last radius.
    """
    lengths, galaxy = galaxies['n_rings'], rings['galaxy']
    n, m = len(lengths), len(galaxy)
    first = np.cumsum(lengths) - lengths
    some = lengths > 0
    radius = rings['radius'].astype(float)
    sb = rings['surface_brightness'].astype(float)
    for name in ('central_sb', 'effective_sb', 'last_radius'):
        galaxies[name] = np.full(n, np.nan)
    if m == 0:
        return
    galaxies['central_sb'][some] = sb[first[some]]
    galaxies['last_radius'][some] = radius[(first + lengths - 1)[some]]
    # the two rings around R50
    half = galaxies['radius_50']
    below = np.bincount(galaxy, radius <= half[galaxy], n).astype(int)
    inside = (below > 0) & (below < lengths) & np.isfinite(half)
    k = (first + below)[inside]
    step = radius[k] - radius[k - 1]
    part = (half[inside] - radius[k - 1]) / np.where(step > 0, step, 1.0)
    galaxies['effective_sb'][inside] = sb[k - 1] + part * (sb[k] - sb[k - 1])


def _count(summary, galaxies, rings):
    """
    Add a block to the summary.
    """
    flag = galaxies['flag']
    failed = (flag & GalaxyFlag.FAILED) != 0
    summary.n += len(flag)
    summary.n_failed += int(np.count_nonzero(failed))
    summary.n_flagged += int(np.count_nonzero(~failed & (flag != 0)))
    summary.n_rings += len(rings['galaxy'])
    for bits, values, counts in (
            (GalaxyFlag, flag, summary.flags),
            (RingFlag, rings['flag'], summary.ring_flags)):
        for bit in bits:
            counts[bit.name] += int(np.count_nonzero(values & bit))
    for message in galaxies['message'][failed].tolist():
        reason = reason_of(message)
        if reason not in summary.reasons and (len(summary.reasons)
                                              >= _MAX_REASONS):
            reason = 'other reasons'
        known = summary.reasons.setdefault(reason, [0, message])
        known[0] += 1
    for band in sorted(set(galaxies['band'][~failed].tolist())):
        rows = ~failed & (galaxies['band'] == band)
        summary.bands[band] = (summary.bands.get(band, 0)
                               + int(np.count_nonzero(rows)))
        for name in QUANTITIES:
            for unit in _units(galaxies, name, rows):
                chosen = (rows if not unit
                          else rows & (galaxies['radius_unit'] == unit))
                values = galaxies[name][chosen]
                _add_histogram(summary.histograms, (name, unit, band),
                               _logarithm(values) if name in RADII
                               else values, QUANTITIES[name])
    galaxy = rings['galaxy']
    half, middle = galaxies['radius_50'], galaxies['effective_sb']
    sb = rings['surface_brightness']
    _add_plane(summary.planes, ('error', ''), sb,
               _logarithm(rings['surface_brightness_err']))
    _add_plane(summary.planes, ('shape', ''),
               _logarithm(rings['radius']) - _logarithm(half)[galaxy],
               sb - middle[galaxy])
    for unit in _units(galaxies, 'radius_50', ~failed):
        chosen = ~failed & (galaxies['radius_unit'] == unit)
        _add_plane(summary.planes, ('size', unit), galaxies['mag'][chosen],
                   _logarithm(half[chosen]))


def _count_bands(summary, survey, rows):
    """
    Add the flags of each band, and the colours, of a block.
    """
    for band in survey.bands:
        flag = rows[f'flag_{band}'].to_numpy()
        counts = summary.band_flags.setdefault(band, dict.fromkeys(
            ('any', *(bit.name for bit in GalaxyFlag)), 0))
        counts['any'] += int(np.count_nonzero(
            (flag != 0) & ((flag & GalaxyFlag.FAILED) == 0)))
        for bit in GalaxyFlag:
            counts[bit.name] += int(np.count_nonzero(flag & bit))
    for colour in survey.colours:
        _add_histogram(summary.colours, colour, rows[colour].to_numpy(),
                       COLOUR_BINS)


def _units(galaxies, name, rows):
    """
    List the units that a quantity has in these rows.
    """
    return (sorted(set(galaxies['radius_unit'][rows].tolist()))
            if name in RADII else [''])


def _logarithm(values):
    values = np.asarray(values, dtype=float)
    return np.log10(np.where(values > 0, values, np.nan))


def _add_histogram(store, key, values, bins):
    edges = bin_edges(bins)
    values = values[np.isfinite(values)]
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    store[key] = store.get(key, 0) + counts


def _add_plane(store, key, x, y):
    edges = [bin_edges(bins) for bins in PLANES[key[0]]]
    good = np.isfinite(x) & np.isfinite(y)
    counts = np.histogram2d(x[good], y[good], edges)[0].astype(np.int64)
    store[key] = store.get(key, 0) + counts


def bin_edges(bins):
    """
    Calculate the edges of bins (first edge, last edge, width).
    """
    first, last, width = bins
    return first + width * np.arange(round((last - first) / width) + 1)


class _Choice:
    """
    Chooses galaxies for the gallery from blocks of rows.

    Each kind of choice keeps the few rows with the smallest keys, so that
    the blocks in which the rows come make no difference.
    """

    def __init__(self, n_sample, rng):
        self._n_sample, self._rng = n_sample, rng
        # by kind: a heap of (-key, file, row)
        self._kept = {}
        self._reasons = {}

    def add(self, number, start, galaxies):
        """
        Choose from the rows of a block.
        """
        flag = galaxies['flag']
        rows = np.arange(start, start + len(flag))
        key = self._rng.random(len(flag))
        self._keep('random sample', self._n_sample, key, number, rows)
        for bit in GalaxyFlag:
            self._keep(f'flag {bit.name}', _PER_FLAG,
                       np.where(flag & bit, key, np.nan), number, rows)
        for name, ends in _ENDS.items():
            for end, sign in zip(ends, (1, -1), strict=True):
                self._keep(end, _PER_END, sign * galaxies[name], number, rows)
        for k in np.flatnonzero(flag & GalaxyFlag.FAILED).tolist():
            reason = reason_of(galaxies['message'][k])
            if reason in self._reasons or (len(self._reasons)
                                           < _MAX_SHOWN_REASONS):
                kept = self._reasons.setdefault(reason, [])
                if len(kept) < _PER_REASON:
                    kept.append((number, int(rows[k])))

    def _keep(self, kind, size, key, number, rows):
        good = np.flatnonzero(np.isfinite(key))
        if size < 1 or len(good) == 0:
            return
        good = good[np.argsort(key[good], kind='stable')[:size]]
        heap = self._kept.setdefault(kind, [])
        for k in good.tolist():
            item = (-float(key[k]), -number, -int(rows[k]))
            if len(heap) < size:
                heapq.heappush(heap, item)
            elif item > heap[0]:
                heapq.heapreplace(heap, item)
            else:
                break

    def result(self):
        """
        List the reasons why each row was chosen, by row (dict of lists).
        """
        chosen = {}
        # (a fixed order, whichever block came first)
        for kind in ('random sample', *(f'flag {bit.name}'
                                        for bit in GalaxyFlag), *EXTREMES):
            for _, number, row in self._kept.get(kind, ()):
                chosen.setdefault((-number, -row), []).append(kind)
        for places in self._reasons.values():
            for place in places:
                chosen.setdefault(place, []).append('one of each failure')
        return dict(sorted(chosen.items()))
