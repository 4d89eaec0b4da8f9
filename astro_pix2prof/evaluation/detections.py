# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Completeness and purity of lists of detections.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.stats import binom_conf_interval
from astropy.table import QTable, Table
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from astro_pix2prof.arguments import check_number, check_positive, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.units import Quantity

__all__ = ['measure_detections']


# Bins of the signal-to-noise ratio and of the share of the galaxy's light.
_SNR_BINS = (3, 5, 8, 12, 20, 50, np.inf)
_SHARE_BINS = (0, 0.01, 0.03, 0.05, 0.1, 1)

# The classes of clump catalogues.
_CLASSES = {'clump', 'odd'}


def measure_detections(found: Table | SkyCoord, truth: Table | SkyCoord, *,
                       radius: float | Quantity | None = None,
                       label: str | None = 'clump', min_snr: float = 0.0,
                       min_share: float = 0.0,
                       snr_bins: Sequence[float] = _SNR_BINS,
                       share_bins: Sequence[float] = _SHARE_BINS) -> QTable:
    """
    Measure completeness and purity of detections.

    Detections and true objects are matched one to one, within a radius: the
    most pairs that there can be, and of these those with the least sum of
    distances. Completeness is the part of the true objects that were found,
    purity the part of the detections that are true.

    Parameters
    ----------
    found, truth : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
        Objects: ``x`` and ``y`` in pixels, or coordinates, or ``ra`` and
        ``dec`` of a table without ``x``. Of a table, the columns ``class``,
        ``snr``, ``share`` and ``galaxy`` are used if they are there; only
        objects of the same ``galaxy`` are matched, where 1 and '1' are the
        same.

    radius : float or `~astropy.units.Quantity`, optional
        The largest distance of a pair, in pixels or, of coordinates, in
        arcsec. By default one full width at half maximum, as
        ``found.meta['fwhm']`` (pixels) has it.

    label : str or `None`, optional
        The class that is wanted, if both have classes: an object of another
        class is not found, and a detection of another class is none.
        `None` for all, whatever their class.

    min_snr, min_share : float, optional
        The least signal-to-noise ratio and share of the objects that count:
        of true ones for completeness, of detections for purity. Fainter
        ones still count as partners.

    snr_bins, share_bins : sequence of float, optional
        The edges of the bins.

    Returns
    -------
    bins : `~astropy.table.QTable`
        First all objects, then the bins: ``quantity`` ('all', 'snr',
        'share'), ``low``, ``high``, ``n_truth``, ``completeness``,
        ``completeness_low``, ``completeness_high``, ``n_found``,
        ``purity``, ``purity_low`` and ``purity_high``; the limits are those
        of the 68.3% interval of Wilson (1927). Not-a-number where there is
        nothing. ``meta`` has 'confusion', the numbers of matched pairs by
        true and found class, 'pairs' (index of the true object, of the
        detection), 'radius' and 'label'.

    Raises
    ------
    TypeError
        If ``found`` or ``truth`` is no table and no coordinates.

    ValueError
        If positions are missing or of two kinds, if there is no radius,
        bins do not increase, only one table has a column ``galaxy``, a
        least value is given for a column that is missing, or no object has
        the class ``label``.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_pix2prof import measure_detections
    >>> truth = Table({'x': [10., 30.], 'y': [10., 30.]})
    >>> found = Table({'x': [11., 50.], 'y': [10., 5.]})
    >>> bins = measure_detections(found, truth, radius=3)
    >>> float(bins['completeness'][0]), float(bins['purity'][0])
    (0.5, 0.5)
    """
    label = check_text(label, 'label', optional=True)
    min_snr = check_number(min_snr, 'min_snr', least=0)
    min_share = check_number(min_share, 'min_share', least=0)
    edges = {'snr': _edges(snr_bins, 'snr_bins'),
             'share': _edges(share_bins, 'share_bins')}
    sides = (_Objects(found, 'found'), _Objects(truth, 'truth'))
    if sides[0].on_sky != sides[1].on_sky:
        msg = ('found and truth must both have pixels x and y, or both '
               'coordinates')
        raise ValueError(msg)
    radius = _radius(radius, found, sides[0].on_sky)
    _align_galaxies(*sides)
    _check_columns(*sides, label, min_snr, min_share)
    pairs = _match(sides[0], sides[1], radius)
    found, truth = sides
    classes = found.label is not None and truth.label is not None
    is_found, is_true = (np.zeros(len(side), dtype=bool) for side in sides)
    for i, j in pairs:
        right = (not classes or label is None
                 or (truth.label[i] == label == found.label[j]))
        is_true[i] = is_found[j] = right
    rows = []
    wanted = [side.select(label if classes else None, min_snr, min_share)
              for side in sides]
    rows.append(('all', np.nan, np.nan, *_counts(wanted, is_found, is_true)))
    for name, limits in edges.items():
        values = [getattr(side, name) for side in sides]
        if any(value is None for value in values):
            continue
        for low, high in itertools.pairwise(limits):
            inside = [part & (value >= low) & (value < high)
                      for part, value in zip(wanted, values, strict=True)]
            rows.append((name, low, high, *_counts(inside, is_found,
                                                   is_true)))
    table = QTable(rows=rows, names=(
        'quantity', 'low', 'high', 'n_truth', 'completeness',
        'completeness_low', 'completeness_high', 'n_found', 'purity',
        'purity_low', 'purity_high'))
    table.meta.update(
        radius=radius, label=label, pairs=[list(pair) for pair in pairs],
        confusion=_confusion(found, truth, pairs) if classes else {})
    return table


def _edges(bins, name):
    edges = np.asarray(bins, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        msg = f'{name} must be two or more increasing numbers, got {bins!r}'
        raise ValueError(msg)
    return edges


def _radius(radius, found, on_sky):
    """
    Find the radius of the pairs, in pixels or arcsec.
    """
    if radius is not None:
        return check_positive(radius, 'radius',
                              unit=u.arcsec if on_sky else u.pix)
    meta = getattr(found, 'meta', {}) or {}
    fwhm = meta.get('fwhm')
    scale = meta.get('pixel_scale') if on_sky else 1.0
    if not (fwhm and scale):
        msg = ("radius must be given: found.meta has no 'fwhm'"
               + (" and 'pixel_scale'" if on_sky else ''))
        raise ValueError(msg)
    return float(fwhm) * float(u.Quantity(scale).value)


def _align_galaxies(found, truth):
    """
    Make the names of galaxies of both sides comparable.
    """
    if found.galaxy is None and truth.galaxy is None:
        for side in (found, truth):
            side.galaxy = np.zeros(len(side), dtype=int)
        return
    if found.galaxy is None or truth.galaxy is None:
        has, lacks = (('truth', 'found') if found.galaxy is None
                      else ('found', 'truth'))
        msg = (f'{lacks} has no column galaxy, but {has} has one: give both '
               'or none')
        raise ValueError(msg)
    # (1 and '1' are the same galaxy)
    if any(side.galaxy.dtype.kind in 'SUO' for side in (found, truth)):
        for side in (found, truth):
            side.galaxy = side.galaxy.astype(str)


def _check_columns(found, truth, label, min_snr, min_share):
    """
    Refuse limits and a class of which the objects know nothing.
    """
    for column, least in (('snr', min_snr), ('share', min_share)):
        for name, side in (('found', found), ('truth', truth)):
            if least > 0 and getattr(side, column) is None:
                msg = (f'min_{column} must be 0: {name} has no column '
                       f'{column}')
                raise ValueError(msg)
    if label is None or found.label is None or truth.label is None:
        return
    known = {str(name) for name in (*found.label, *truth.label)}
    # (there may be no clumps at all)
    if known and label not in known and not known | {label} <= _CLASSES:
        msg = (f'label must be a class of found or truth '
               f'({", ".join(sorted(known))}), or None for all, got '
               f'{label!r}')
        raise ValueError(msg)


class _Objects:
    """
    Positions of objects and what is known of them.
    """

    def __init__(self, objects, name):
        self.label = self.snr = self.share = None
        table = objects
        if isinstance(objects, SkyCoord):
            self.on_sky = True
            sky = objects.icrs
            self.x, self.y = (np.atleast_1d(part.deg)
                              for part in (sky.ra, sky.dec))
            self.galaxy = None
            return
        if not isinstance(table, Table):
            msg = (f'{name} must be a table or SkyCoord, got '
                   f'{type(objects).__name__}')
            raise TypeError(msg)
        names = table.colnames
        self.on_sky = 'x' not in names
        columns = ('ra', 'dec') if self.on_sky else ('x', 'y')
        if not set(columns) <= set(names):
            msg = (f'{name} must have the columns x and y, or ra and dec; '
                   f'it has {", ".join(names) or "none"}')
            raise ValueError(msg)
        unit = u.deg if self.on_sky else u.pix
        self.x, self.y = (_values(table[column], unit) for column in columns)
        self.galaxy = (np.asarray(table['galaxy']) if 'galaxy' in names
                       else None)
        if 'class' in names:
            self.label = np.asarray(table['class'], dtype=str)
        for column in ('snr', 'share'):
            if column in names:
                setattr(self, column, _values(
                    table[column], u.dimensionless_unscaled))

    def __len__(self):
        return len(self.x)

    def places(self):
        """
        List the places: pixels, or unit vectors of the sky.
        """
        if not self.on_sky:
            return np.column_stack([self.x, self.y])
        ra, dec = np.radians(self.x), np.radians(self.y)
        return np.column_stack([np.cos(dec) * np.cos(ra),
                                np.cos(dec) * np.sin(ra), np.sin(dec)])

    def select(self, label, min_snr, min_share):
        """
        Select the objects of a class that are bright enough.
        """
        use = np.ones(len(self), dtype=bool)
        if label is not None:
            use &= self.label == label
        for value, least in ((self.snr, min_snr), (self.share, min_share)):
            if least > 0:
                use &= value >= least
        return use


def _values(column, unit):
    if getattr(column, 'unit', None) is not None:
        return np.asarray(u.Quantity(column).to_value(unit), dtype=float)
    return np.asarray(column, dtype=float)


def _match(found, truth, radius):
    """
    Match true objects and detections: pairs of indices.
    """
    galaxies = np.unique(np.concatenate([truth.galaxy, found.galaxy]),
                         return_inverse=True)[1]
    number = galaxies[:len(truth)], galaxies[len(truth):]
    # (on the sky, chords of the unit sphere)
    reach = radius if not found.on_sky else 2 * np.sin(
        min(np.radians(radius / 3600), np.pi) / 2)
    sides = []
    for side, galaxy in zip((truth, found), number, strict=True):
        place = side.places()
        # (objects of other galaxies are far off)
        place = np.column_stack([place, 10.0 * reach * galaxy])
        known = np.flatnonzero(np.isfinite(place).all(1))
        sides.append((known, place[known]))
    (i, first), (j, second) = sides
    if not (len(i) and len(j)):
        return []
    near = cKDTree(first).sparse_distance_matrix(
        cKDTree(second), reach * (1 + 1e-6), output_type='coo_matrix')
    row, column, apart = near.row, near.col, near.data
    if found.on_sky:
        apart = 3600 * np.degrees(2 * np.arcsin(np.minimum(apart / 2, 1)))
    use = apart <= radius * (1 + 1e-9)
    pairs = [(int(i[k]), int(j[m])) for k, m in _assign(
        row[use], column[use], apart[use], (len(i), len(j)), radius)]
    # (galaxy after galaxy)
    return sorted(pairs, key=lambda pair: (int(number[0][pair[0]]), pair))


def _assign(row, column, apart, shape, radius):
    """
    Find the most pairs with the least sum of distances among those given.

    Groups of objects that no pair connects are solved one by one.
    """
    n_row, n_column = shape
    _, group = connected_components(coo_matrix(
        (np.ones(len(row)), (row, n_row + column)),
        shape=(n_row + n_column,) * 2), directed=False)
    order = np.argsort(group[row], kind='stable')
    ends = np.flatnonzero(np.diff(group[row[order]])) + 1
    pairs = []
    for part in np.split(order, ends):
        rows, k = np.unique(row[part], return_inverse=True)
        columns, m = np.unique(column[part], return_inverse=True)
        # (any pair is better than none)
        far = 10 * radius * (min(len(rows), len(columns)) + 1)
        cost = np.full((len(rows), len(columns)), far)
        cost[k, m] = apart[part]
        for a, b in zip(*linear_sum_assignment(cost), strict=True):
            if cost[a, b] < far:
                pairs.append((int(rows[a]), int(columns[b])))
    return pairs


def _counts(inside, is_found, is_true):
    """
    Count objects: number, rate and its limits, of truth and detections.
    """
    out = []
    for part, right in ((inside[1], is_true), (inside[0], is_found)):
        n, k = int(part.sum()), int((part & right).sum())
        limits = (binom_conf_interval(k, n, interval='wilson') if n
                  else (np.nan, np.nan))
        out += [n, k / n if n else np.nan, *(float(v) for v in limits)]
    return out


def _confusion(found, truth, pairs):
    """
    Count the matched pairs by their classes.
    """
    out = {}
    for i, j in pairs:
        row = out.setdefault(str(truth.label[i]), {})
        name = str(found.label[j])
        row[name] = row.get(name, 0) + 1
    return out
