# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of rings and ellipses against numbers that are known exactly.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ellipe

from astro_pix2prof.ellipses.annuli import (
    RingMeans,
    combine_rings,
    measure_rings,
)
from astro_pix2prof.ellipses.model import (
    ellipse_model,
    elliptical_radius,
    ring_values,
)


def thin_rings(n=30, spacing=1.0, *, first=0.0, mean=None, scatter=1.0,
               n_pixels=10.0, n_valid=1.0):
    """
    Thin rings, all alike but for what is given.
    """
    sma = first + spacing * np.arange(n)
    return sma, RingMeans(*(np.broadcast_to(value, n).astype(float) for value
                            in (np.ones(n) if mean is None else mean(sma),
                                scatter, n_pixels, n_valid)))


class TestRadius:
    @pytest.mark.parametrize('eps', [0.0, 0.5, 0.96])
    @pytest.mark.parametrize('theta', [0.0, 0.5, -1.2])
    def test_points_of_an_ellipse(self, eps, theta):
        for t in (0.0, 0.7, np.pi / 2, 4.0):
            # a point at 7 pixels, by the parametric form of an ellipse
            u, v = 7 * np.cos(t), 7 * (1 - eps) * np.sin(t)
            x = u * np.cos(theta) - v * np.sin(theta)
            y = u * np.sin(theta) + v * np.cos(theta)
            radius = elliptical_radius(
                (24, 21), (10 - x, 12 - y), np.array([0.0, 50.0]),
                np.full(2, eps), np.full(2, theta))
            assert radius.shape == (24, 21)
            assert_allclose(radius[12, 10], 7, rtol=1e-9)

    def test_flattest(self):
        # flatter than 0.97 is as flat as 0.97
        radius = elliptical_radius((9, 9), (4, 4), np.array([0.0, 9.0]),
                                   np.full(2, 0.99), np.zeros(2))
        assert_allclose(radius[4, [0, 8]], 4)
        assert_allclose(radius[[3, 6], 4], [1 / 0.03, 2 / 0.03])

    def test_end_of_a_model(self):
        # half of the last value where half of the way to zero is gone: 1.1
        # times the last radius, and a pixel
        model = ellipse_model((1, 14), (0, 0), np.array([0.0, 10.0]),
                              np.zeros(2), np.zeros(2), np.array([5.0, 4.0]))
        assert_allclose(model[0], [*np.linspace(5, 4, 11), 2, 0, 0])


class TestRingValues:
    values = np.random.default_rng(5).normal(size=(4, 8))

    def image(self, theta=0.0):
        """
        Values at each 45 degrees of circles of 0, 4, 8 and 12 pixels.
        """
        return ring_values((27, 27), (13, 13), np.array([0.0, 4, 8, 12]),
                           np.zeros(4), np.full(4, theta), self.values,
                           np.ones((27, 27), bool))

    def test_points(self):
        image, v = self.image(), self.values
        # (x, y) from the centre, ring and angle
        for x, y, row, column in ((4, 0, 1, 0), (0, 8, 2, 2), (-12, 0, 3, 4),
                                  (0, -4, 1, 6)):
            assert_allclose(image[13 + y, 13 + x], v[row, column])
        assert_allclose(image[13, 19], 0.5 * (v[1, 0] + v[2, 0]))

    def test_between_the_last_and_the_first(self):
        v = self.values
        # 5 pixels away, at -36.87 degrees: 0.181 before the last column; at
        # -53.13 degrees, and after it
        part = np.degrees(np.arctan(0.75)) / 45
        for x, y, first, second, share in (
                (4, -3, 7, 0, 1 - part), (3, -4, 6, 7, part)):
            inner, outer = ((1 - share) * v[row, first]
                            + share * v[row, second] for row in (1, 2))
            assert_allclose(self.image()[13 + y, 13 + x],
                            0.75 * inner + 0.25 * outer)

    def test_edge(self):
        image = self.image()
        y, x = np.mgrid[-13:14, -13:14]
        # the last ellipse is the last that counts
        assert_array_equal(np.isfinite(image), x**2 + y**2 <= 144)

    def test_angle_of_circles(self):
        # the direction from +x counts, not that from the major axis
        assert_allclose(self.image(0.4), self.image())


class TestMeasure:
    @pytest.mark.parametrize('eps', [0.0, 0.3, 0.7])
    def test_pixels_along_a_ring(self, eps):
        # as many as the perimeter is long; half of them on one side
        good = np.ones((61, 61), bool)
        ring = [np.array([20.0]), np.array([eps]), np.array([0.6])]
        whole = measure_rings(np.full(good.shape, 3.0), good, (30, 30), *ring,
                              sigma=1.0)
        around = 4 * 20 * ellipe(1 - (1 - eps)**2)
        assert_allclose(whole.n_pixels, around, rtol=0.01)
        assert_allclose(whole.n_valid, 1)
        assert_allclose(whole.mean, 3)
        assert_allclose(whole.scatter, 0, atol=1e-9)
        good[:, :30] = False
        half = measure_rings(np.full(good.shape, 3.0), good, (29.5, 30),
                             *ring, sigma=1.0)
        assert_allclose(half.n_valid, 0.5, atol=0.03)
        assert_allclose(half.n_pixels, around * half.n_valid, rtol=0.01)

    def test_nothing(self):
        ring = measure_rings(np.ones((30, 30)), np.zeros((30, 30), bool),
                             (15, 15), np.array([8.0]), np.zeros(1),
                             np.zeros(1), sigma=1.0)
        assert np.isnan(ring.mean[0])
        assert np.isnan(ring.scatter[0])
        assert ring.n_valid[0] == ring.n_pixels[0] == 0


class TestCombine:
    def test_triangle(self):
        """
        Weights of 1/4, 1/2 and 1/4.
        """
        scatter, valid = np.ones(30), np.ones(30)
        scatter[[14, 15, 16]], valid[[14, 15, 16]] = [1, 2, 3], [0, 1, 0.5]
        sma, rings = thin_rings(scatter=scatter, n_valid=valid)
        wide = combine_rings(sma, rings, np.array([15.0]), np.array([2.0]))
        assert_allclose(wide.mean, 1)
        assert_allclose(wide.scatter, np.sqrt(0.25 + 2 + 2.25))
        assert_allclose(wide.n_valid, 0.5 + 0.125)
        # (5 + 10 + 5)^2 / (25 + 100 + 25) of 10 pixels
        assert_allclose(wide.n_pixels, 10 * 400 / 150)

    @pytest.mark.parametrize(('spacing', 'n_pixels', 'expected'), [
        # of rings that are thinner than a pixel no less than 0.8 count
        (0.5, 10.0, 8.0), (0.9, 10.0, 9.0), (2.0, 10.0, 20.0),
        # nor less than one pixel
        (0.5, 0.7, 1.0), (1.0, 0.9, 1.0), (1.0, 1.3, 1.3)])
    def test_one_ring(self, spacing, n_pixels, expected):
        sma, rings = thin_rings(spacing=spacing, n_pixels=n_pixels)
        wide = combine_rings(sma, rings, sma[[9]], np.array([0.1]))
        assert_allclose(wide.n_pixels, expected)

    def test_exponential(self):
        # the average belongs to the middle radius, exactly
        sma, rings = thin_rings(60, mean=lambda a: 3 * np.exp(-a / 8))
        want = np.arange(10.0, 50, 2)
        wide = combine_rings(sma, rings, want, np.full(20, 6.0))
        assert_allclose(wide.mean, 3 * np.exp(-want / 8), rtol=1e-9)

    @pytest.mark.parametrize(('slope', 'used'), [
        (-1.0, -1.0), (-2.0, -1.2), (0.2, 0.2), (0.5, 0.3)])
    def test_steepest(self, slope, used):
        # slopes from -1.2 to 0.3 per pixel are true
        sma, rings = thin_rings(11, mean=lambda a: np.exp(slope * a))
        want = np.array([4.0, 5, 6])
        wide = combine_rings(sma, rings, want, np.full(3, 2.0))
        # (1/4, 1/2 and 1/4, of the light and of the shape)
        expected = np.exp(slope * want) * (
            (1 + np.cosh(slope)) / (1 + np.cosh(used)))
        if slope > -1.1:
            assert_allclose(wide.mean, expected, rtol=1e-9)
        else:
            # (beside the middle a floor of a thousandth flattens it)
            assert_allclose(wide.mean[:2], expected[:2], rtol=1e-9)

    def test_far(self):
        """
        Beyond the last thin ring: a pixel and a half, or the half width.
        """
        sma, rings = thin_rings(11)
        want = np.array([11.4, 11.6])
        wide = combine_rings(sma, rings, want, np.full(2, 0.5))
        assert_array_equal(np.isfinite(wide.mean), [True, False])
        assert_array_equal(np.isfinite(wide.scatter), [True, False])
        assert_allclose(wide.n_valid, [1, 0])
        wide = combine_rings(sma, rings, want + 2, np.full(2, 3.5))
        assert_array_equal(np.isfinite(wide.mean), [True, False])

    def test_rings_without_pixels(self):
        # count as none
        mean = np.ones(30)
        mean[7], n_pixels = np.nan, np.full(30, 10.0)
        n_pixels[9] = 0
        sma, rings = thin_rings(mean=lambda a: mean, n_pixels=n_pixels)
        rings.mean[9] = 1e9
        wide = combine_rings(sma, rings, np.array([8.0]), np.array([2.0]))
        assert_allclose(wide.mean, 1)

    @pytest.mark.parametrize(('last', 'expected'), [(3, 20), (2, 5)])
    def test_few_rings(self, last, expected):
        # the mean of two, but of a single one what lies between the rings
        n_pixels = np.zeros(30)
        n_pixels[1:last] = 10
        sma, rings = thin_rings(n_pixels=n_pixels)
        wide = combine_rings(sma, rings, np.array([1.5]), np.array([2.0]))
        assert_allclose(wide.n_pixels, expected)
        assert_allclose(wide.mean, 1)
