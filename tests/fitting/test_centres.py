# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what an uncertain centre means for a profile.
"""

import numpy as np
import pytest

from astro_pix2prof.fitting.centres import higher_peak, radius_of_half_peak

Y, X = np.mgrid[:81, :81]


def knot(x, y, height):
    return height * np.exp(-0.5 * ((X - x)**2 + (Y - y)**2) / 2.0**2)


def test_half_of_the_peak():
    sma = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    assert radius_of_half_peak(sma, np.array([10, 8, 6, 4, 2.0])) == 6
    # a ring that is brighter than the middle
    assert radius_of_half_peak(sma, np.array([2, 8, 10, 6, 4.0])) == 8
    assert radius_of_half_peak(sma, np.array([10, 9, 8, 7, 6.0])) == 8
    assert radius_of_half_peak(sma, np.array([np.nan, 8, 3, 1, 0])) == 4
    assert radius_of_half_peak(sma, np.full(5, np.nan)) == 0


class TestPeak:
    @pytest.mark.parametrize(('x', 'y'), [(43, 40), (40, 36), (37, 42)])
    def test_brighter_by_a_factor(self, x, y):
        image = np.full(X.shape, 4.0) + knot(x, y, 10.0)
        height, significance = higher_peak(
            image, np.zeros(image.shape, bool), (40, 40), 1.5, 0.1)
        # smoothing makes the knot wider and lower, 10 to 6.4
        middle = 4 + 6.4 * np.exp(
            -0.5 * ((x - 40)**2 + (y - 40)**2) / (2.0**2 + 1.5**2))
        assert height == pytest.approx(2.5 * np.log10(10.4 / middle),
                                       abs=0.01)
        assert significance == pytest.approx(
            (10.4 - middle) / (0.1 / (2 * np.sqrt(np.pi) * 1.5)), rel=0.02)

    def test_distance(self):
        image = 4.0 + knot(50, 40, 20.0)
        good = np.zeros(image.shape, bool)
        assert higher_peak(image, good, (40, 40), 0.6, 0.1)[0] < 0.1
        assert higher_peak(image, good, (40, 40), 2.6, 0.1)[0] > 0.5

    def test_masked_peak(self):
        image = 4.0 + knot(43, 40, 10.0)
        mask = np.hypot(X - 43, Y - 40) < 2.9
        height, _ = higher_peak(np.where(mask, np.nan, image), mask,
                                (40, 40), 0.6, 0.1)
        assert np.isfinite(height)
        assert height < higher_peak(image, ~mask & mask, (40, 40), 0.6,
                                    0.1)[0]

    def test_nothing_to_see(self):
        image = np.full(X.shape, 4.0)
        hidden = np.ones(image.shape, bool)
        assert higher_peak(image, hidden, (40, 40), 0.6, 0.1) == (0, 0)
        # no light at the centre, or beyond the frame
        assert higher_peak(image - 5, ~hidden, (40, 40), 0.6, 0.1)[0] == (
            np.inf)
        assert higher_peak(image, ~hidden, (90, 40), 0.6, 0.1)[0] == np.inf
