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
        with pytest.raises(ValueError, match='snr_bins must be two or more '
                                             'increasing'):
            measure_detections(FOUND, TRUTH, radius=2, snr_bins=(3, 1))
