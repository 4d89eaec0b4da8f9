# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ends of bars, and colours beyond rings, on numbers that are known.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.structure.bar import _error, _find, _step_at
from astro_pix2prof.structure.bar_ellipses import (
    DiscEllipses,
    bar_ellipses,
    noisy_shapes,
    peak_place,
)
from astro_pix2prof.structure.colours import _gradient, hold_colours


class TestPlace:
    @pytest.mark.parametrize('top', [4.6, 5.0, 5.9])
    def test_parabola(self, top):
        place = np.array([1.0, 3.0, 5.0, 6.0, 9.0])
        value = 4 - 0.3 * (place - top)**2
        k = int(np.argmax(value))
        assert_allclose(peak_place(place, value, k), top)

    def test_no_neighbours(self):
        place, value = np.arange(4.0), np.array([3.0, 2.0, 1.0, 2.5])
        assert peak_place(place, value, 0) == 0
        assert peak_place(place, value, 3) == 3
        # (the first and the last maximum with neighbours)
        value = np.array([1.0, 2.0, 1.5, 2.0])
        assert 1 < peak_place(place, value, 1) < 1.5
        value = np.array([1.0, 1.0, 2.0, 1.5])
        assert 2 < peak_place(place, value, 2) < 2.5

    def test_flat_and_unknown(self):
        place = np.arange(5.0)
        assert peak_place(place, np.array([0, 1, np.nan, 0, 0.0]), 1) == 1
        assert peak_place(place, np.array([0, 1.0, 1, 1, 0]), 2) == 2
        assert_allclose(peak_place(place, np.array([0, 1.0, 1, 0, 0]), 2),
                        1.5)
        assert_allclose(peak_place(place, np.array([0, 1.0, 1, 0, 0]), 1),
                        1.5)


class TestEllipsesOfBars:
    sma = np.arange(1.0, 11)

    def find(self, eps, turn, *, phase=0.2, reach=50.0, inside=0.0):
        return bar_ellipses(DiscEllipses(
            self.sma, np.asarray(eps, dtype=float),
            phase + np.radians(np.asarray(turn, dtype=float))), phase, reach,
            inside)

    def test_turn(self):
        # it is 10 degrees at 6.4, and none before
        eps = [0.1, 0.2, 0.5, 0.4, 0.35, 0.3, 0.3, 0.3, 0.3, 0.3]
        turn = [0, 0, 0, 0, 0, 8, 13, 40, 40, 40]
        assert_allclose(self.find(eps, turn)[1], 6 + 2 / 5)
        # or a round ellipse, which has no direction
        eps[6:] = [0.0] * 4
        turn[6] = 9
        assert self.find(eps, turn)[1] == 7

    def test_least(self):
        # by a parabola in the logarithm of the semi-major axis
        log = np.log(self.sma)
        eps = np.where(self.sma <= 3, 0.2 * self.sma, 0.25 + 0.3 * (
            log - np.log(6.3))**2)
        flattest, least = self.find(eps, np.zeros(10))
        assert_allclose(least, 6.3, rtol=1e-6)
        assert 2.5 < flattest < 3.5
        # what turns before that
        turn = np.where(self.sma > 5, 20, 0)
        assert_allclose(self.find(eps, turn)[1], 5.5)

    def test_inside(self):
        # a noisy ellipse near the centre, where the bar goes on
        eps = [0.6, 0.5, 0.55, 0.55, 0.5, 0.4, 0.3, 0.2, 0.25, 0.3]
        flattest, least = self.find(eps, np.zeros(10))
        assert flattest == 1
        assert 1.5 < least < 2.5
        flattest, least = self.find(eps, np.zeros(10), inside=5.5)
        assert flattest == 1
        assert 7.5 < least < 8.5
        turn = [0, 12, 3, 3, 3, 11, 15, 20, 20, 20]
        assert self.find(eps, turn)[1] < 2
        assert_allclose(self.find(eps, turn, inside=5.5)[1], 5 + 7 / 8)
        # or where they have turned before
        assert self.find(eps, turn, inside=6.5)[1] == 7

    def test_none(self):
        nan = np.nan
        assert_allclose(self.find(np.full(10, 0.3), np.full(10, 85)),
                        (nan, nan))
        falling = 0.6 - 0.03 * self.sma
        flattest, turned = self.find(falling, np.zeros(10))
        assert flattest == 1
        assert np.isnan(turned)

    def test_reach(self):
        eps = 0.1 + 0.05 * self.sma
        assert self.find(eps, np.zeros(10), reach=4.5)[0] == pytest.approx(4)
        assert self.find(eps, np.zeros(10))[0] == pytest.approx(10)

    def test_noisy(self):
        # errors along the ellipse, and across it twice the ellipticity
        # times that of the angle, at most a half
        rng = np.random.default_rng(1)
        eps, phase = np.array([0.4, 0.4, 0.2]), np.array([0.3, -0.5, 1.2])
        error, turned = np.array([0.02, 0.0, 0.0]), np.array([0.0, 0.03, 9.0])
        found, angle = noisy_shapes(eps, phase, error, turned, rng, 20000)
        assert_allclose(found.std(axis=0)[0], 0.02, rtol=0.02)
        assert_allclose(angle[:, 0], 0.3)
        assert_allclose(angle[:, 1].std(), 0.03, rtol=0.02)
        assert_allclose(angle[:, 1].mean(), -0.5, atol=1e-3)
        # (a length of two independent parts)
        assert_allclose(np.median(found[:, 2]), np.hypot(
            0.2, 0.5 * 0.6745), rtol=0.02)


class TestFind:
    r = np.arange(1.0, 41)

    def find(self, size, angle=0.0, *, sigma=0.01, least=0.1):
        angle = 2 * np.radians(angle) * np.ones(40)
        terms = np.stack([size * np.cos(angle), size * np.sin(angle)])
        return _find(self.r, terms, np.full(40, sigma), least)

    def test_end(self):
        # half of the largest amplitude, between two rings
        size = 0.6 * np.exp(-0.5 * (self.r - 15)**2 / 6**2)
        end, strength, middle, top, turn = self.find(size, 20.0)
        assert_allclose(end, 15 + 6 * np.sqrt(2 * np.log(2)), atol=0.02)
        assert_allclose(strength, 0.6)
        assert_allclose(middle, 2 * np.radians(20))
        assert_allclose(top, 15, atol=0.2)
        assert np.isnan(turn)

    @pytest.mark.parametrize('sign', [-1, 1])
    def test_phase(self, sign):
        # it ends between the rings where the phase turns by ten degrees
        size = 0.6 - 0.003 * np.abs(self.r - 15)
        angle = np.where(self.r > 20, sign * 4.0 * (self.r - 20), 0.0)
        end, _, middle, _, turn = self.find(size, 85 + angle)
        assert_allclose(end, 22.5)
        assert_allclose(turn, 22.5)
        assert abs(np.degrees(middle) / 2 - 85) < 3

    def test_reasons(self):
        flat = 0.6 - 0.003 * np.abs(self.r - 15)
        assert 'below 0.7 everywhere' in self.find(flat, least=0.7)
        assert 'ends before the bar does' in self.find(flat)
        assert 'significant' in self.find(flat, sigma=0.3)
        assert 'arms, no bar' in self.find(flat, 8.0 * self.r)

    @pytest.mark.parametrize(('limit', 'is_bar'), [(0.99, True),
                                                   (1.01, False)])
    def test_long_enough(self, limit, is_bar):
        # its last ring is so many times as far out as the first
        size = 0.6 - 0.003 * np.abs(self.r - 15)
        r = self.r.copy()
        r[16] = 12 * 1.35 / limit
        angle = np.where((self.r < 12) | (self.r > 17), 2 * np.radians(40), 0)
        terms = size * np.stack([np.cos(angle), np.sin(angle)])
        found = _find(r, terms, np.full(40, 0.01), 0.1)
        assert isinstance(found, tuple) == is_bar


class TestErrors:
    def test_step(self):
        r = np.array([1.0, 2, 4, 7, 11])
        for at, step in ((0.5, 1), (1.5, 1), (3, 2), (5, 3), (10, 4),
                         (99, 4)):
            assert _step_at(r, at) == step

    def test_of_a_radius(self):
        # half of 68 per cent, and a uniform place within a step
        r = np.arange(0.0, 50, 2)
        noisy = np.random.default_rng(1).permutation(np.linspace(10, 20, 101))
        expected = np.hypot(0.5 * 6.8, 2 / 12**0.5)
        assert_allclose(_error(15.0, noisy, r), expected)
        assert_allclose(_error(15.0, np.append(noisy, np.nan), r), expected)
        assert np.isnan(_error(np.nan, noisy, r))
        assert np.isnan(_error(15.0, noisy[:1], r))
        assert_allclose(_error(15.0, noisy, r[:1]), 3.4)


class TestColours:
    radius = np.arange(1.0, 21)

    def test_gradient(self):
        # of the outer half, weighted, per factor e; 0.05 mag at least
        colour = np.where(self.radius < 10, 5.0, 0.4 * np.log(self.radius))
        assert_allclose(_gradient(self.radius, colour, np.ones(20)), 0.4)
        assert_allclose(_gradient(self.radius, -colour, np.ones(20)), 0.4)
        assert _gradient(self.radius, 0 * colour, np.ones(20)) == 0.05
        rng = np.random.default_rng(1)
        noisy, weight = rng.normal(size=20), rng.uniform(0.1, 1, 20)
        slope = np.polyfit(np.log(self.radius[9:]), noisy[9:], 1,
                           w=weight[9:]**0.5)[0]
        assert_allclose(_gradient(self.radius, noisy, weight), abs(slope))

    def test_inside(self):
        colour = np.tile(self.radius, (3, 1))
        colour[1] += 1
        colour[2, 4] = np.nan
        known = np.isin(self.radius, [3, 5, 9, 20])
        found = hold_colours(self.radius, colour, np.full(20, 0.1), known,
                             np.random.default_rng(1))
        expected = np.maximum(self.radius, 3)
        assert_allclose(found[0][0], expected)
        assert_allclose(found[0][1], expected + 1)
        # (a version without a colour has the measured one)
        assert_allclose(found[0][2], expected)
        assert (found[1] == ~known).all()

    def test_beyond(self):
        # the mean of the outer rings; the noise grows with the logarithm
        rng = np.random.default_rng(1)
        colour = rng.normal(0.7, 0.1, (4001, 20))
        colour[1:] = colour[0]
        error = rng.uniform(0.01, 0.1, 20)
        error[9] = 1e-9
        known = self.radius <= 10
        found = hold_colours(self.radius, colour, error, known, rng)[0]
        weight = np.maximum(error, 1e-3)**-2
        outer = (self.radius >= 7.5) & known
        mean = np.average(colour[0, outer], weights=weight[outer])
        assert_allclose(found[0, 10:], mean)
        steep = _gradient(self.radius[:10], colour[0, :10], weight[:10])
        assert_allclose(found[1:, 10:].std(axis=0), steep * np.log(
            self.radius[10:] / 10), rtol=0.05)
