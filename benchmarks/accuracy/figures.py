# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Figures of an evaluation, as pure functions of it.
"""

from itertools import pairwise

import numpy as np

from astro_pix2prof.evaluation.result import MISSING
from astro_pix2prof.profile.brightness import POGSON, SB_UNIT

__all__ = ['bin_groups', 'bootstrap_error', 'by_class', 'coverage_rows',
           'figures_of', 'reliability']

SB_EDGES = tuple(np.arange(16.5, 27.0))
# Where the ratio to the photon noise is asked for.
PHOTON_EDGES = ((22.0, 24.0), (24.0, 26.0))
SNR_EDGES = (1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, np.inf)
# Fewer rings than this say nothing of a bin.
N_LEAST = 30
ONE_SIGMA = 0.6827


class Rings:
    """
    The rings of one fitter as plain arrays.

    Parameters
    ----------
    evaluation : `~astro_pix2prof.Evaluation`
        The evaluation.

    label : str
        The fitter's label.
    """

    def __init__(self, evaluation, label):
        rings = evaluation.rings
        rings = rings[np.asarray(rings['fitter'], dtype=str) == label]
        self.image = np.asarray(rings['image'])
        self.mu = rings['surface_brightness'].to_value(SB_UNIT)
        self.snr = np.asarray(rings['snr'], dtype=float)
        self.in_snr = np.asarray(rings['in_snr'], dtype=bool)
        self.delta = rings['difference'].to_value(SB_UNIT)
        self.error = rings['error'].to_value(SB_UNIT)
        self.bright = self.mu < evaluation.mu_limit.value
        # a missing value has neither a deviation nor an error
        self.known = (np.isfinite(self.delta) & np.isfinite(self.error)
                      & (self.error > 0))


def share_within(rings, rows):
    """
    The share of the deviations smaller than the error, and their number.
    """
    rows = rows & rings.known
    if not rows.any():
        return np.nan, 0
    return float(np.mean(np.abs(rings.delta[rows]) < rings.error[rows])), (
        int(rows.sum()))


def bootstrap_error(values, groups, *, n_samples=1000, seed=0):
    """
    The standard error of a median by drawing galaxies anew.

    Parameters
    ----------
    values : 1D `~numpy.ndarray`, shape (n,)
        The values.

    groups : 1D `~numpy.ndarray`, shape (n,)
        What belongs together: the galaxy of each.

    n_samples, seed : int, optional
        The number of drawings, and the seed.

    Returns
    -------
    error : float
        NaN of fewer than two groups.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups)
    parts = [values[groups == group] for group in np.unique(groups)]
    if len(parts) < 2:
        return np.nan
    rng = np.random.default_rng(seed)
    medians = [np.median(np.concatenate([parts[k] for k in draw]))
               for draw in rng.integers(len(parts), size=(
                   n_samples, len(parts)))]
    return float(np.std(medians))


def by_class(table, classes, label):
    """
    The median deviation of an image for each class of galaxies.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        What `Evaluation.to_table` returns.

    classes : list of list of str
        The classes of each image; an image may be in several.

    label : str
        The fitter's label.

    Returns
    -------
    rows : list of dict
        ``class``, ``n_images``, ``median_bright`` and ``median``.
    """
    mine = table[np.asarray(table['fitter'], dtype=str) == label]
    image = np.asarray(mine['image'])
    rows = []
    for name in dict.fromkeys(name for names in classes for name in names):
        inside = np.array([name in classes[k] for k in image])
        rows.append({
            'class': name, 'n_images': int(inside.sum()),
            'median_bright': float(np.nanmedian(
                mine['median_bright'].value[inside])),
            'median': float(np.nanmedian(mine['median'].value[inside]))})
    return rows


def coverage_rows(rings, groups):
    """
    Within one sigma: the share in each group of rings.

    Parameters
    ----------
    rings : `Rings`
        The rings of a fitter.

    groups : iterable of tuple
        Names, and bool arrays over the rings.

    Returns
    -------
    rows : list of dict
        ``name``, ``n_rings`` and ``within_error``; groups of fewer than
        `N_LEAST` rings are left out.
    """
    rows = []
    for name, part in groups:
        share, n = share_within(rings, part & rings.in_snr)
        if n >= N_LEAST:
            rows.append({'name': name, 'n_rings': n, 'within_error': share})
    return rows


def bin_groups(values, edges):
    """
    Names and bool arrays of bins.
    """
    return [(f'{low:g} to {high:g}' if np.isfinite(high) else f'> {low:g}',
             (values >= low) & (values < high))
            for low, high in pairwise(edges)]


def reliability(rings, *, n_bins=10):
    """
    The stated errors and the deviations that go with them.

    Parameters
    ----------
    rings : `Rings`
        The rings of a fitter.

    n_bins : int, optional
        The number of bins of stated error, of as many rings each.

    Returns
    -------
    rows : list of dict
        ``stated`` (the median error), ``actual`` (what 68.27% of the
        absolute deviations are below) and ``n_rings``.
    """
    rows = np.flatnonzero(rings.known & rings.in_snr)
    if len(rows) < n_bins:
        return []
    rows = rows[np.argsort(rings.error[rows], kind='stable')]
    return [{'stated': float(np.median(rings.error[part])),
             'actual': float(np.quantile(np.abs(rings.delta[part]),
                                         ONE_SIGMA)),
             'n_rings': len(part)}
            for part in np.array_split(rows, n_bins)]


def surface_brightness_rows(rings):
    """
    Bias and deviation in bins of 1 mag, to the limit of the bright part.

    Unlike `Evaluation.by_surface_brightness`, rings of a signal-to-noise
    ratio below 1 count, too.
    """
    rows = []
    for low, high in pairwise(SB_EDGES):
        part = rings.bright & (rings.mu >= low) & (rings.mu < high)
        found = part & np.isfinite(rings.delta)
        if found.sum() < N_LEAST:
            continue
        gone = float(1 - found.sum() / part.sum())
        error = np.where(np.isfinite(rings.delta[part]),
                         np.abs(rings.delta[part]), MISSING)
        rows.append({'bright': float(low), 'faint': float(high),
                     'n_rings': int(part.sum()), 'missing': gone,
                     'bias': float(np.median(rings.delta[found])),
                     'median': float(np.median(error))})
    return rows


def photon_rows(rings):
    """
    Median deviation over the median photon noise of one-pixel rings.

    A missing value counts 1 mag. Rings with photon noise alone have 0.67.
    """
    rows = []
    for low, high in PHOTON_EDGES:
        part = rings.in_snr & (rings.mu >= low) & (rings.mu < high)
        part &= np.isfinite(rings.snr)
        if part.sum() < N_LEAST:
            continue
        error = np.where(np.isfinite(rings.delta[part]),
                         np.abs(rings.delta[part]), MISSING)
        noise = POGSON / rings.snr[part]
        rows.append({'bright': low, 'faint': high,
                     'n_rings': int(part.sum()),
                     'ratio': float(np.median(error) / np.median(noise)),
                     'ratio_each': float(np.median(error / noise))})
    return rows


def figures_of(evaluation, classes, galaxies):
    """
    All figures of each fitter.

    Parameters
    ----------
    evaluation : `~astro_pix2prof.Evaluation`
        The evaluation.

    classes : list of list of str
        The classes of each image.

    galaxies : list
        The galaxy of each image, which may be in several bands.

    Returns
    -------
    figures : dict
        By label: plain numbers and lists of dicts.
    """
    table = evaluation.to_table()
    summary = evaluation.summary()
    runs_image = np.asarray(table['image'])
    runs_label = np.asarray(table['fitter'], dtype=str)
    out = {}
    for label in evaluation.labels:
        mine = runs_label == label
        row = summary[np.asarray(summary['fitter'], dtype=str) == label][0]
        rings = Rings(evaluation, label)
        figures = {'n_images': int(row['n_images']),
                   'n_failed': int(row['n_failed'])}
        of = np.asarray(galaxies)[runs_image[mine]]
        for name in ('median_bright', 'median'):
            value = table[name].value[mine]
            good = np.isfinite(value)
            figures[name] = float(row[name].value)
            figures[f'{name}_err'] = bootstrap_error(value[good], of[good])
            figures[name.replace('median', 'p90')] = float(
                np.quantile(value[good], 0.9)) if good.any() else np.nan
        figures['success'] = float(row['success'])
        figures['by_class'] = by_class(table, classes, label)
        figures['by_surface_brightness'] = surface_brightness_rows(rings)
        figures['photon'] = photon_rows(rings)
        share, n = share_within(rings, rings.in_snr)
        figures['within_error'], figures['n_rings'] = share, n
        of_image = {int(k): i for i, k in enumerate(runs_image[mine])}
        place = np.array([of_image[int(k)] for k in rings.image])
        groups = {'surface brightness': bin_groups(rings.mu, SB_EDGES),
                  'signal-to-noise ratio': bin_groups(rings.snr, SNR_EDGES)}
        for column in ('type', 'band'):
            name = np.asarray(table[column][mine], dtype=str)[place]
            groups[column] = [(one, name == one) for one in np.unique(name)]
        figures['coverage'] = {key: coverage_rows(rings, value)
                               for key, value in groups.items()}
        figures['reliability'] = reliability(rings)
        out[label] = figures
    return out
