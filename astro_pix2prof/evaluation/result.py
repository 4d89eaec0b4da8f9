# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The errors of fitters on galaxies whose true profiles are known.
"""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import POGSON, SB_UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.units import Quantity

    from astro_pix2prof.typing import PathLike

__all__ = ['Evaluation']


# The limiting surface brightness of SDSS (mag/arcsec2) as in Smith et al.
# (2021).
MU_LIMIT = 26.5

# The deviation that counts for a missing value (mag/arcsec2), and the
# fraction of the radii with a value that makes a success.
MISSING = 1.0

COMPLETE = 0.8

RUN_COLUMNS = ('fitter', 'image', 'name', 'band', 'type', 'seconds',
               'message')

RING_COLUMNS = ('fitter', 'image', 'radius', 'surface_brightness', 'snr',
                'in_snr', 'difference', 'error')


def _quantile(values, q):
    """
    Calculate quantiles of the finite values, NaN if there are none.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return np.full(np.shape(q), np.nan)[()]
    return np.quantile(values, q)


def _mean(values):
    """
    Calculate the mean of the finite values, NaN if there are none.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else np.nan


def _edges(edges, unit):
    """
    Check the edges of bins and convert them to numbers.
    """
    try:
        edges = np.asarray(u.Quantity(edges, unit).value, dtype=float)
    except u.UnitConversionError as error:
        msg = f'edges must be in a unit like {unit}, got {edges!r}'
        raise ValueError(msg) from error
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        msg = f'edges must be two or more increasing numbers, got {edges}'
        raise ValueError(msg)
    return edges


def _round_display(table):
    """
    Show no more digits than matter; files keep them all.
    """
    for column in table.itercols():
        if column.dtype.kind == 'f':
            column.info.format = '.4g'
    return table


def _two_paths(path):
    path = Path(path)
    if path.suffix != '.ecsv':
        msg = f'path must end in .ecsv, got {str(path)!r}'
        raise ValueError(msg)
    return path, path.with_name(f'{path.stem}_rings.ecsv')


class Evaluation:
    """
    Errors of fitters on galaxies whose true profiles are known.

    Made by `evaluate_fitters`, or read from files by `Evaluation.read`.

    Parameters
    ----------
    runs : `~astropy.table.QTable`
        A row for each fitter and image: ``fitter``, ``image`` (a running
        number), ``name``, ``band``, ``type``, ``seconds`` and ``message``
        (why the fitter failed, or nothing).

    rings : `~astropy.table.QTable`
        A row for each fitter, image and true radius: ``fitter``, ``image``,
        ``radius``, ``surface_brightness`` (the truth), ``snr`` (of the ring,
        from the truth), ``in_snr`` (whether the signal-to-noise ratio has
        not fallen to 1 yet), ``difference`` (measured minus true; positive
        is too faint; NaN is missing) and ``error`` (as the fitter states
        it).

    mu_limit : `~astropy.units.Quantity`, optional
        Where the bright part of the profiles ends.

    Attributes
    ----------
    labels : list of str
        The labels of the fitters.

    n_images : int
        The number of images.
    """

    def __init__(self, runs: QTable, rings: QTable, *,
                 mu_limit: Quantity = MU_LIMIT) -> None:
        for name, table, columns in (('runs', runs, RUN_COLUMNS),
                                     ('rings', rings, RING_COLUMNS)):
            missing = set(columns) - set(getattr(table, 'colnames', ()))
            if missing:
                msg = (f'{name} must be a table with the columns '
                       f'{", ".join(columns)}; it lacks '
                       f'{", ".join(sorted(missing))}')
                raise ValueError(msg)
        self.runs, self.rings = runs, rings
        self.mu_limit = u.Quantity(mu_limit, SB_UNIT)
        self.labels = list(dict.fromkeys(map(str, runs['fitter'])))
        self.n_images = len(set(np.asarray(runs['image']).tolist()))
        self._fitter = np.asarray(rings['fitter'], dtype=str)
        self._image = np.asarray(rings['image'])
        self._radius = rings['radius'].to_value(u.arcsec)
        self._mu = rings['surface_brightness'].to_value(SB_UNIT)
        self._snr = np.asarray(rings['snr'], dtype=float)
        self._in_snr = np.asarray(rings['in_snr'], dtype=bool)
        self._bright = self._mu < self.mu_limit.value
        self._delta = rings['difference'].to_value(SB_UNIT)
        self._error = rings['error'].to_value(SB_UNIT)
        self._table: QTable | None = None

    @property
    def bands(self) -> list[str]:
        """
        The names of the bands, from blue to red (list of str).
        """
        return self._names('band')

    def __repr__(self):
        return (f'<Evaluation of {", ".join(self.labels)} on '
                f'{self.n_images} images>')

    def to_table(self) -> QTable:
        """
        Make a table of the errors on each image.

        Returns
        -------
        table : `~astropy.table.QTable`
            The columns of ``runs``, and ``median`` (of the absolute
            deviation, where a missing value counts 1 mag/arcsec2),
            ``missing`` (the fraction of the radii without a value) and
            ``n_rings``, to a signal-to-noise ratio of 1 and, with the
            ending ``_bright``, where the truth is brighter than
            ``mu_limit``; ``success`` (whether at least 80% of the bright
            radii have a value); ``within_error`` (the fraction of the
            deviations that are smaller than the stated error).
        """
        if self._table is None:
            self._table = self._measure_runs()
        return _round_display(self._table.copy())

    def _measure_runs(self):
        table = QTable(self.runs, copy=True)
        keys = zip(map(str, table['fitter']),
                   np.asarray(table['image']).tolist(), strict=True)
        places = {key: [] for key in keys}
        for i, key in enumerate(zip(self._fitter.tolist(),
                                    self._image.tolist(), strict=True)):
            places[key].append(i)
        places = [np.array(rows, dtype=int) for rows in places.values()]
        for part, ending in ((self._in_snr, ''), (self._bright, '_bright')):
            found = [self._errors(rows[part[rows]]) for rows in places]
            table[f'median{ending}'] = [
                _quantile(error, 0.5) for error, _ in found] * SB_UNIT
            table[f'missing{ending}'] = [_mean(gone) for _, gone in found]
            table[f'n_rings{ending}'] = [len(gone) for _, gone in found]
        gone = np.where(table['n_rings_bright'] > 0, table['missing_bright'],
                        table['missing'])
        table['success'] = gone <= 1 - COMPLETE + 1e-9
        table['within_error'] = [
            self._within_error(rows[self._in_snr[rows]]) for rows in places]
        return table

    def _errors(self, rows):
        """
        Calculate absolute deviations of rings; find the missing ones.
        """
        gone = ~np.isfinite(self._delta[rows])
        return np.where(gone, MISSING, np.abs(self._delta[rows])), gone

    def _within_error(self, rows):
        known = np.isfinite(self._delta[rows]) & (self._error[rows] > 0)
        rows = rows[known]
        return _mean(np.abs(self._delta[rows]) < self._error[rows])

    def summary(self) -> QTable:
        """
        Make a table of the errors of each fitter.

        Returns
        -------
        table : `~astropy.table.QTable`
            A row for each fitter: ``fitter``, ``n_images``, ``n_failed``,
            ``median`` (over the images, of the medians of `to_table`) and
            ``iqr`` (their interquartile range), ``missing`` (the mean
            fraction of the radii without a value), the same with the ending
            ``_bright``, ``success`` (the fraction of the images), and
            ``within_error`` (the fraction of the rings to a signal-to-noise
            ratio of 1 that deviate by less than the stated error, 0.68
            for honest errors) and ``seconds`` (the median for an image).
        """
        return self._group([('fitter', self.labels)])

    def by_band(self) -> QTable:
        """
        Make a table of the errors of each fitter in each band.

        Returns
        -------
        table : `~astropy.table.QTable`
            The columns of `summary` and ``band``.
        """
        return self._group([('fitter', self.labels),
                            ('band', self.bands)])

    def by_type(self) -> QTable:
        """
        Make a table of the errors of each fitter for each type of galaxy.

        Returns
        -------
        table : `~astropy.table.QTable`
            The columns of `summary` and ``type``.
        """
        return self._group([('fitter', self.labels),
                            ('type', self._names('type'))])

    def _names(self, column):
        names = set(map(str, self.runs[column]))
        return sorted(names, key=lambda name: (
            'ugrizy'.find(name) if len(name) == 1 else -1, name))

    def _group(self, keys):
        runs = self.to_table()
        rows = []
        for values in product(*(names for _, names in keys)):
            part = np.ones(len(runs), dtype=bool)
            for (column, _), value in zip(keys, values, strict=True):
                part &= np.asarray(runs[column], dtype=str) == value
            if not part.any():
                continue
            some = runs[part]
            row = dict(zip((key for key, _ in keys), values, strict=True))
            row.update(n_images=len(some),
                       n_failed=sum(text != '' for text in some['message']))
            for ending in ('', '_bright'):
                error = some[f'median{ending}'].value
                low, mid, high = _quantile(error, [0.25, 0.5, 0.75])
                row[f'median{ending}'] = mid
                row[f'iqr{ending}'] = high - low
                row[f'missing{ending}'] = _mean(some[f'missing{ending}'])
            rings = np.isin(self._image, np.asarray(some['image']))
            rings &= (self._fitter == values[0]) & self._in_snr
            row.update(success=_mean(some['success']),
                       within_error=self._within_error(np.flatnonzero(rings)),
                       seconds=_quantile(some['seconds'].value, 0.5))
            rows.append(row)
        table = QTable(rows)
        for name in ('median', 'iqr', 'median_bright', 'iqr_bright'):
            table[name] = u.Quantity(table[name], SB_UNIT)
        table['seconds'] = u.Quantity(table['seconds'], u.s)
        table.meta['mu_limit'] = float(self.mu_limit.value)
        return _round_display(table)

    def by_radius(self, edges: Quantity | Sequence[float] | None = None, *,
                  band: str | None = None) -> QTable:
        """
        Make a table of the errors in bins of radius, where S/N > 1.

        Parameters
        ----------
        edges : `~astropy.units.Quantity` or sequence of float, optional
            The edges of the bins, in arcsec. By default, bins of 2 arcsec.

        band : str, optional
            Only images in this band count.

        Returns
        -------
        table : `~astropy.table.QTable`
            A row for each fitter and bin with rings in it: ``fitter``,
            ``inner`` and ``outer`` (the edges), ``n_images`` and
            ``n_rings``, ``fraction_images`` (of all images, those whose
            profiles reach the bin), ``median``, ``q25`` and ``q75`` (of the
            absolute deviation; a missing value counts 1 mag/arcsec2),
            ``bias`` (the median deviation of what was measured),
            ``missing``, ``within_error`` and ``over_photon_limit`` (the
            median ratio of the deviation to the noise of a ring of all
            pixels).
        """
        if edges is None:
            last = np.max(self._radius[self._in_snr], initial=1.0)
            edges = np.arange(0.0, last + 2.0, 2.0)
        return self._bins(self._radius, _edges(edges, u.arcsec),
                          ('inner', 'outer'), u.arcsec, band)

    def by_surface_brightness(self,
                              edges: Quantity | Sequence[float] | None = None,
                              *, band: str | None = None) -> QTable:
        """
        Make a table of the errors in bins of true surface brightness.

        Parameters
        ----------
        edges : `~astropy.units.Quantity` or sequence of float, optional
            The edges of the bins, in mag/arcsec2. By default, bins of 1
            mag/arcsec2.

        band : str, optional
            Only images in this band count.

        Returns
        -------
        table : `~astropy.table.QTable`
            As of `by_radius`, with the edges ``bright`` and ``faint``.
        """
        if edges is None:
            inside = self._mu[self._in_snr]
            edges = np.arange(np.floor(np.min(inside, initial=22.0)),
                              np.max(inside, initial=22.0) + 1.0)
        return self._bins(self._mu, _edges(edges, SB_UNIT),
                          ('bright', 'faint'), SB_UNIT, band)

    def _bins(self, values, edges, names, unit, band):
        part, n_all = self._in_snr, self.n_images
        if band is not None:
            bands = np.asarray(self.runs['band'], dtype=str)
            images = np.unique(np.asarray(self.runs['image'])[bands == band])
            if not images.size:
                msg = (f'band must be one of {", ".join(self.bands)}, got '
                       f'{band!r}')
                raise ValueError(msg)
            part, n_all = part & np.isin(self._image, images), len(images)
        rows = []
        for label in self.labels:
            mine = part & (self._fitter == label)
            for low, high in pairwise(edges):
                inside = np.flatnonzero(
                    mine & (values >= low) & (values < high))
                if not inside.size:
                    continue
                error, gone = self._errors(inside)
                n_images = len(np.unique(self._image[inside]))
                q25, median, q75 = _quantile(error, [0.25, 0.5, 0.75])
                photon = (error * self._snr[inside] / POGSON)[
                    ~gone & np.isfinite(self._snr[inside])]
                bias = _quantile(self._delta[inside], 0.5)
                rows.append((
                    label, low, high, n_images, len(inside),
                    n_images / n_all, median, q25, q75, bias, _mean(gone),
                    self._within_error(inside), _quantile(photon, 0.5)))
        columns = ('fitter', *names, 'n_images', 'n_rings',
                   'fraction_images', 'median', 'q25', 'q75', 'bias',
                   'missing', 'within_error', 'over_photon_limit')
        values = list(zip(*rows, strict=True)) or [[]] * len(columns)
        kinds = (str, float, float, int, int, *[float] * 8)
        table = QTable({name: np.array(column, dtype=kind)
                        for name, column, kind in zip(
                            columns, values, kinds, strict=True)})
        for name in names:
            table[name] = u.Quantity(table[name], unit)
        for name in ('median', 'q25', 'q75', 'bias'):
            table[name] = u.Quantity(table[name], SB_UNIT)
        return _round_display(table)

    def write(self, path: PathLike, *, overwrite: bool = False) -> None:
        """
        Write the evaluation to two ECSV files.

        Parameters
        ----------
        path : str or `~pathlib.Path`
            The file ``NAME.ecsv`` of the table of `to_table`. The single
            rings are written to ``NAME_rings.ecsv`` beside it.

        overwrite : bool, optional
            Whether to replace existing files.

        Raises
        ------
        ValueError
            If the path does not end in ``.ecsv``.

        OSError
            If a file exists and ``overwrite`` is `False`.
        """
        paths = _two_paths(path)
        for part in paths:
            if part.exists() and not overwrite:
                msg = f'{part} exists; give overwrite=True to replace it'
                raise OSError(msg)
        table = self.to_table()
        table.meta['mu_limit'] = float(self.mu_limit.value)
        for part, content in zip(paths, (table, self.rings), strict=True):
            content.write(part, format='ascii.ecsv', overwrite=True)

    @classmethod
    def read(cls, path: PathLike) -> Evaluation:
        """
        Read an evaluation that `write` wrote.

        Parameters
        ----------
        path : str or `~pathlib.Path`
            The file ``NAME.ecsv``.

        Returns
        -------
        evaluation : `Evaluation`
            The evaluation.
        """
        first, second = _two_paths(path)
        runs = QTable.read(first, format='ascii.ecsv')
        limit = runs.meta.pop('mu_limit', MU_LIMIT)
        # an empty text comes back as a masked one
        for name in ('name', 'band', 'type', 'message'):
            if name in runs.colnames:
                runs[name] = [str(text) for text in np.ma.filled(
                    np.ma.asarray(runs[name]).astype(str), '')]
        if set(RUN_COLUMNS) <= set(runs.colnames):
            runs = runs[list(RUN_COLUMNS)]
        return cls(runs, QTable.read(second, format='ascii.ecsv'),
                   mu_limit=limit)
