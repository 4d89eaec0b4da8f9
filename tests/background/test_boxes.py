# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sums in boxes, and the correlation of the noise that they show.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof.background.boxes import (
    noise_correlation,
    ring_correlation,
    sum_boxes,
)


def measure(image, side=4, bad=None):
    """
    The correlation of an image that holds nothing but noise.
    """
    if bad is None:
        bad = np.zeros(image.shape, bool)
    boxes = sum_boxes(image, bad, side)
    return noise_correlation(boxes, boxes.usable, 0.0)


class TestSums:
    def test_sums(self):
        image = np.arange(42.0).reshape(6, 7)
        bad = np.zeros((6, 7), bool)
        bad[2, 2] = True
        boxes = sum_boxes(image, bad, 3)
        assert boxes.first == (0, 0)
        assert boxes.count.tolist() == [[8, 9], [9, 9]]
        assert boxes.total[0, 0] == image[:3, :3].sum() - image[2, 2]
        assert boxes.square[1, 1] == (image[3:, 3:6]**2).sum()
        assert_allclose(boxes.mean[1, 1], image[3:, 3:6].mean())

    def test_usable(self):
        bad = np.zeros((8, 8), bool)
        bad[:3] = True
        assert sum_boxes(np.ones((8, 8)), bad, 4).usable.tolist() == [
            [False, False], [True, True]]


class TestCorrelation:
    @pytest.mark.parametrize('side', [1, 2, 4, 8])
    def test_white(self, side):
        for seed in range(5):
            image = np.random.default_rng(seed).normal(size=(200, 256))
            assert measure(image, side) == 1.0

    @pytest.mark.parametrize('width', [0.5, 0.7, 1.0])
    def test_smoothed(self, width):
        """
        The mean of all pixels is as uncertain as before the smoothing.
        """
        peak = np.zeros((41, 41))
        peak[20, 20] = 1
        expected = 1 / np.sqrt((gaussian_filter(peak, width)**2).sum())
        found = [measure(gaussian_filter(np.random.default_rng(
            seed).normal(size=(256, 256)), width)) for seed in range(4)]
        assert_allclose(np.mean(found), expected, rtol=0.08)
        assert_allclose(found, expected, rtol=0.15)

    def test_gradient_is_no_noise(self):
        image = np.random.default_rng(1).normal(size=(256, 256))
        assert measure(image + 0.01 * np.arange(256)) == 1.0

    def test_constant_is_no_noise(self):
        smooth = gaussian_filter(np.random.default_rng(3).normal(
            size=(128, 128)), 0.7)
        assert_allclose(measure(smooth + 3), measure(smooth), rtol=1e-9)
        assert measure(smooth) > 1.5

    def test_nothing_to_measure(self):
        smooth = gaussian_filter(np.random.default_rng(1).normal(
            size=(128, 128)), 1)
        assert measure(smooth) > 2
        assert measure(smooth[:16, :16]) == 1.0
        bad = np.ones(smooth.shape, bool)
        bad[:8, :80] = False
        assert measure(smooth, bad=bad) == 1.0
        assert measure(np.zeros((128, 128))) == 1.0

    def test_rings(self):
        assert_allclose(ring_correlation(4.0, np.array([0.3, 1, 2, 1e9])),
                        [2, 2, 4**0.75, 4])
        assert (ring_correlation(1.0, np.arange(5.0)) == 1).all()
