# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of completeness and purity.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from numpy.testing import assert_allclose

from astro_pix2prof import measure_detections

TRUTH = Table({'x': [10., 20., 30., 40.], 'y': [10., 10., 10., 10.],
               'class': ['clump', 'clump', 'clump', 'odd'],
               'snr': [4., 10., 30., 30.], 'share': [0.005, 0.04, 0.2, 0.2]})
FOUND = Table({'x': [10.5, 20., 29., 41., 70.], 'y': [10., 11., 10., 10., 5.],
               'class': ['clump', 'odd', 'clump', 'clump', 'clump'],
               'snr': [4.5, 9., 33., 25., 9.],
               'share': [0.006, 0.05, 0.2, 0.2, 0.04]})


class TestRates:
    def test_any_class(self):
        row = measure_detections(FOUND, TRUTH, radius=2, label=None)[0]
        assert (row['n_truth'], row['n_found']) == (4, 5)
        assert (row['completeness'], row['purity']) == (1.0, 0.8)

    def test_class(self):
        bins = measure_detections(FOUND, TRUTH, radius=2)
        # of three clumps one was called odd; of four found clumps one is
        # odd and one nothing
        assert_allclose([bins['completeness'][0], bins['purity'][0]],
                        [2 / 3, 0.5])
        assert bins.meta['confusion'] == {
            'clump': {'clump': 2, 'odd': 1}, 'odd': {'clump': 1}}

    def test_wilson(self):
        row = measure_detections(FOUND, TRUTH, radius=2, label=None)[0]
        # n = 4, k = 4, z = 1: n / (n + z^2)
        assert_allclose([row['completeness_low'], row['completeness_high']],
                        [0.8, 1.0], atol=1e-6)

    def test_bins(self):
        bins = measure_detections(FOUND, TRUTH, radius=2, label=None,
                                  snr_bins=(0, 8, 20, np.inf),
                                  share_bins=(0, 0.1, 1))
        assert list(bins['quantity']) == ['all'] + ['snr'] * 3 + [
            'share'] * 2
        assert list(bins['n_truth']) == [4, 1, 1, 2, 2, 2]
        assert list(bins['n_found']) == [5, 1, 2, 2, 3, 2]
        assert list(bins['purity'])[1:4] == [1.0, 0.5, 1.0]

    def test_cuts(self):
        """
        A faint true object is no false one, but does not count.
        """
        row = measure_detections(FOUND, TRUTH, radius=2, label=None,
                                 min_snr=8, min_share=0.03)[0]
        assert (row['n_truth'], row['n_found']) == (3, 4)
        assert row['purity'] == 0.75

    def test_one_to_one(self):
        """
        Two detections of one object are one, and as many as can be pair.
        """
        truth = Table({'x': [0., 3.], 'y': [0., 0.]})
        found = Table({'x': [1.4, -1.9], 'y': [0., 0.]})
        bins = measure_detections(found, truth, radius=2)
        # (the nearest pair first would leave the other one alone)
        assert bins['completeness'][0] == 1
        assert bins.meta['pairs'] == [[0, 1], [1, 0]]
        found = Table({'x': [0.1, -0.1], 'y': [0., 0.]})
        bins = measure_detections(found, truth[:1], radius=2)
        assert (bins['completeness'][0], bins['purity'][0]) == (1.0, 0.5)

    def test_galaxies(self):
        truth, found = TRUTH.copy(), FOUND.copy()
        truth['galaxy'], found['galaxy'] = 1, 2
        assert measure_detections(found, truth, radius=2, label=None)[
            'completeness'][0] == 0

    def test_galaxy_names(self):
        """
        Numbers and texts of galaxies are compared as texts.
        """
        truth, found = TRUTH.copy(), FOUND.copy()
        truth['galaxy'] = [1, 1, 2, 2]
        found['galaxy'] = ['1', '1', '2', '3', '3']
        bins = measure_detections(found, truth, radius=2, label=None)
        assert bins.meta['pairs'] == [[0, 0], [1, 1], [2, 2]]
        for one, other, message in (
                (found, TRUTH, 'truth has no column galaxy, but found has'),
                (FOUND, truth, 'found has no column galaxy, but truth has')):
            with pytest.raises(ValueError, match=message):
                measure_detections(one, other, radius=2)

    def test_many(self):
        """
        Many objects take little, and are matched as few are.
        """
        rng = np.random.default_rng(4)
        n = 20_000
        x, y = rng.uniform(0, 10_000, (2, n))
        order = rng.permutation(n)
        truth = Table({'x': x, 'y': y})
        found = Table({'x': x[order] + 0.01, 'y': y[order]})
        bins = measure_detections(found, truth, radius=3)
        assert (bins['completeness'][0], bins['purity'][0]) == (1.0, 1.0)
        pairs = np.array(bins.meta['pairs'])
        assert np.mean(order[pairs[:, 1]] == pairs[:, 0]) > 0.99

    @pytest.mark.parametrize('sky', [False, True])
    def test_crowded(self, sky):
        """
        Chains of neighbours have the best pairs of all.
        """
        from scipy.optimize import linear_sum_assignment

        rng = np.random.default_rng(8)
        (ax, ay), (bx, by) = rng.uniform(0, 20, (2, 2, 60))
        apart = np.hypot(ax[:, None] - bx, ay[:, None] - by)
        cost = np.where(apart <= 2, apart, 1e4)
        i, j = linear_sum_assignment(cost)
        use = cost[i, j] < 1e4
        names = ('ra', 'dec') if sky else ('x', 'y')
        scale = 3600.0 if sky else 1.0
        bins = measure_detections(
            Table([bx / scale, by / scale], names=names),
            Table([ax / scale, ay / scale], names=names), radius=2)
        pairs = np.array(bins.meta['pairs'])
        assert len(pairs) == use.sum() > 30
        assert_allclose(apart[tuple(pairs.T)].sum(), cost[i, j][use].sum())

    def test_unknown_places(self):
        found = FOUND.copy()
        found['x'][0] = np.nan
        bins = measure_detections(found, TRUTH, radius=2, label=None)
        assert bins.meta['pairs'] == [[1, 1], [2, 2], [3, 3]]

    def test_nothing(self):
        bins = measure_detections(FOUND[:0], TRUTH, radius=2)
        assert bins['completeness'][0] == 0
        assert np.isnan(bins['purity'][0])
        assert np.isnan(bins['purity_low'][0])


class TestPositions:
    def test_sky(self):
        truth = SkyCoord([10, 10.001], [5, 5], unit='deg')
        found = SkyCoord([10.0001], [5.0001], unit='deg')
        bins = measure_detections(found, truth, radius=1 * u.arcsec)
        assert bins['completeness'][0] == 0.5
        assert bins.meta['radius'] == 1
        table = QTable({'ra': [10.0001] * u.deg, 'dec': [5.0001] * u.deg})
        table.meta.update(fwhm=3.0, pixel_scale=0.4)
        bins = measure_detections(table, truth)
        assert bins.meta['radius'] == pytest.approx(1.2)
        assert bins['completeness'][0] == 0.5

    def test_fwhm(self):
        found = FOUND.copy()
        found.meta['fwhm'] = 2.0
        assert measure_detections(found, TRUTH, label=None)[
            'completeness'][0] == 1

    def test_errors(self):
        with pytest.raises(ValueError, match=r"has no 'fwhm'$"):
            measure_detections(FOUND, TRUTH)
        with pytest.raises(TypeError, match='found must be a table or SkyC'):
            measure_detections([1, 2], TRUTH, radius=2)
        with pytest.raises(ValueError, match='truth must have the columns x '
                           'and y, or ra and dec; it has a'):
            measure_detections(FOUND, Table({'a': [1]}), radius=2)
        with pytest.raises(ValueError, match='must both have pixels'):
            measure_detections(FOUND, SkyCoord([1], [2], unit='deg'),
                               radius=2)
        for column in ('snr', 'share'):
            bare = TRUTH.copy()
            bare.remove_column(column)
            for found, truth, name in ((FOUND, bare, 'truth'),
                                       (bare, FOUND, 'found')):
                with pytest.raises(ValueError, match=f'min_{column} must be '
                                   f'0: {name} has no column {column}'):
                    measure_detections(found, truth, radius=2,
                                       **{f'min_{column}': 0.01})
        with pytest.raises(ValueError, match=r'label must be a class of found '
                           r"or truth \(clump, odd\), or None .* got 'star'"):
            measure_detections(FOUND, TRUTH, radius=2, label='star')
        bins = measure_detections(TRUTH, TRUTH, radius=2)
        assert bins.meta['pairs'] == [[k, k] for k in range(4)]
        only = TRUTH[3:]
        assert measure_detections(only, only, radius=2)['n_truth'][0] == 0
        with pytest.raises(ValueError, match='snr_bins must be two or more '
                                             'increasing'):
            measure_detections(FOUND, TRUTH, radius=2, snr_bins=(3, 1))
