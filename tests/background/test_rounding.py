# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the error that pixels that are rounded add to a sky.
"""

import numpy as np
import pytest
from scipy.stats import norm

from astro_pix2prof.background.level import Sky
from astro_pix2prof.background.rounding import (
    add_rounding,
    find_step,
    rounding_error,
)

SHAPE = (120, 100)


def _rounded(step, level=0.3, seed=1, shape=SHAPE):
    sky = np.random.default_rng(seed).normal(level, 1.0, shape)
    return (np.round(sky / step) * step).astype(np.float32)


NONE = np.zeros(SHAPE, bool)


class TestStep:

    @pytest.mark.parametrize('unit', [1.0, 3e-9, 1e6])
    @pytest.mark.parametrize('step', [1.0, 2.0, 3.3, 5.0])
    def test_step(self, step, unit):
        data = (_rounded(step) * unit).astype(np.float32)
        assert find_step(data, NONE) == pytest.approx(step * unit, rel=1e-5)

    def test_level_above_zero(self):
        data = _rounded(3.0, level=4000.0)
        assert find_step(data, NONE) == pytest.approx(3.0)

    def test_background(self):
        data = _rounded(3.0)
        tilt = np.arange(SHAPE[1]) * 0.01 * np.ones(SHAPE)
        left = (data - tilt).astype(np.float32)
        assert find_step(left, NONE) == 0
        assert find_step(left, NONE, background=tilt) == pytest.approx(
            3.0, rel=1e-4)

    def test_no_step(self):
        noise = np.random.default_rng(2).normal(size=SHAPE)
        assert find_step(noise, NONE) == 0
        noise[:, 30:] = 0.0
        assert find_step(noise, NONE) == 0
        noise[:, 60:] = 0.7
        assert find_step(noise, NONE) == 0
        assert find_step(np.zeros(SHAPE), NONE) == 0
        assert find_step(noise, ~NONE) == 0

    def test_masked_pixels_do_not_count(self):
        data = _rounded(3.0)
        data[:, :40] = np.random.default_rng(3).normal(size=(120, 40))
        bad = NONE.copy()
        bad[:, :40] = True
        assert find_step(data, NONE) == 0
        assert find_step(data, bad) == pytest.approx(3.0)

    @pytest.mark.parametrize(('off', 'share', 'is_step'), [
        (0.01, 0.5, True), (0.03, 0.5, False), (0.03, 0.015, True),
        (0.03, 0.03, False)])
    @pytest.mark.parametrize('step', [0.2, 5.0])
    def test_pixels_beside_their_step(self, step, off, share, is_step):
        # all but two in a hundred lie within two hundredths of it
        data = _rounded(2.0).ravel().astype(float)
        n = round(share * data.size)
        data[np.random.default_rng(3).permutation(data.size)[:n]] += (
            2 * off * np.linspace(0.97, 1, n))
        found = find_step(data.reshape(SHAPE) * (step / 2), NONE)
        assert found == pytest.approx(step if is_step else 0.0, rel=0.05)

    @pytest.mark.parametrize(('share', 'is_step'), [(0.15, False),
                                                    (0.25, True)])
    def test_common_values(self, share, is_step):
        # a fifth of the pixels has one of four values
        size = 20000
        data = np.arange(size, dtype=float) + 100
        n = round(share * size)
        data[:n] = np.arange(n) % 4
        data = np.random.default_rng(3).permutation(data).reshape(100, 200)
        assert find_step(data, data < 0) == float(is_step)

    @pytest.mark.parametrize(('n', 'is_step'), [(49, False), (50, True)])
    def test_fifty_pixels(self, n, is_step):
        bad = np.ones((10, 10), bool)
        bad.flat[:n] = False
        found = find_step(_rounded(3.0, shape=(10, 10)), bad)
        assert found == pytest.approx(3.0 * is_step)

    @pytest.mark.parametrize('factor', [1e-6, 1.0, 1e4])
    def test_digits_of_single_precision(self, factor):
        # the digits that count are a thousandth of the range of the pixels
        rng = np.random.default_rng(3)
        data = _rounded(2.0).astype(float) + rng.normal(0, 1e-4, SHAPE)
        found = find_step(factor * data, NONE, background=0.0)
        assert found == pytest.approx(2 * factor, rel=5e-3)
        data = _rounded(2.0).astype(float) + rng.uniform(-0.2, 0.2, SHAPE)
        assert find_step(factor * data, NONE, background=0.0) == 0


class TestError:

    @pytest.mark.parametrize('step', [2.5, 3.0, 4.0, 5.0])
    def test_error_is_that_of_all_levels(self, step):
        levels = np.linspace(0, 1, 12, endpoint=False) * step
        off = [_rounded(step, level, k).mean(dtype=float) - level
               for k, level in enumerate(levels)]
        true = np.sqrt(np.mean(np.square(off)))
        # (the noise of these means is 0.01)
        for k, level in enumerate(levels):
            found = rounding_error(_rounded(step, level, 20 + k), step)
            # (where no pixel is on a third level, the noise may be less)
            assert 0.7 * true - 0.016 < found < 1.6 * true + 0.016

    @pytest.mark.parametrize('step', [0.1, 0.5, 1.0, 1.5])
    def test_fine_steps_add_nothing(self, step):
        assert rounding_error(_rounded(step), step) < 1e-3

    @pytest.mark.parametrize('unit', [1e-6, 1.0, 1e5])
    @pytest.mark.parametrize('noise', [0.2, 0.3, 0.4])
    def test_noise_before_rounding(self, noise, unit):
        # it follows from the numbers on three levels; the mean of rounded
        # pixels is wrong by the sum of the tails beyond each edge
        levels = np.linspace(-0.5, 0.5, 200, endpoint=False)
        edges = np.arange(-3, 4) + 0.5
        off = [norm.sf(edges, level, noise).sum() - 3 - level
               for level in levels]
        for level in (0.0, 0.2, -0.2):
            many = norm.cdf(np.append(edges, np.inf), level, noise)
            n = np.round(1e5 * np.diff(many, prepend=0)).astype(int)
            values = np.repeat(np.arange(-3.0, 5.0), n) * unit
            assert rounding_error(values, unit) == pytest.approx(
                unit * np.sqrt(np.mean(np.square(off))), rel=0.01)

    @pytest.mark.parametrize('n', [100, 12000])
    def test_one_level(self, n):
        # less than a hundredth of a pixel lies beyond each edge
        noise = 0.5 / norm.isf(0.01 / n)
        levels = np.linspace(-0.5, 0.5, 1000, endpoint=False)
        off = [norm.sf([-0.5, 0.5], level, noise).sum() - 1 - level
               for level in levels]
        assert rounding_error(np.full(n, 8.0), 2.0) == pytest.approx(
            2 * np.sqrt(np.mean(np.square(off))), rel=1e-3)

    @pytest.mark.parametrize(('numbers', 'are_photons'), [
        # 99.5 pairs are expected; of less than five, none need be there
        ((800, 400, 29), False), ((800, 400, 31), True),
        ((800, 85, 0), True), ((800, 95, 0), False)])
    def test_pairs_of_photons(self, numbers, are_photons):
        values = np.repeat(np.arange(len(numbers)), numbers).astype(float)
        assert (rounding_error(values, 1.0) == 0) == are_photons
        # a level without photons is zero, and the lowest one
        assert rounding_error(values + 3, 1.0) > 0
        assert rounding_error(np.append(values, -4.0), 1.0) > 0

    @pytest.mark.parametrize(('n', 'counts'), [(49, False), (50, True)])
    def test_fifty_pixels(self, n, counts):
        assert (rounding_error(np.full(n, 8.0), 2.0) > 0) == counts

    @pytest.mark.parametrize('light', [0.003, 0.03, 0.2])
    def test_photons_are_not_rounded(self, light):
        counts = np.random.default_rng(4).poisson(light, SHAPE)
        assert rounding_error(counts.ravel().astype(float), 1.0) == 0

    def test_too_few_pixels(self):
        assert rounding_error(_rounded(3.0)[0, :20], 3.0) == 0
        assert rounding_error(_rounded(3.0)[0], 0.0) == 0


class TestSky:

    SKY = Sky(0.3, 0.02, 'free', centre=(50.0, 60.0), reach=20.0, noise=1.0)

    def test_added_in_quadrature(self):
        data = _rounded(4.0)
        sky = add_rounding(self.SKY, 4.0, data, NONE)
        assert 0.3 < sky.rounding < 0.5
        assert sky.error == pytest.approx(np.hypot(0.02, sky.rounding))
        assert sky.is_uncertain
        assert sky.level == 0.3

    def test_the_galaxy_does_not_count(self):
        data = _rounded(4.0)
        bright = data.copy()
        bright[45:75, 35:65] += np.round(np.arange(30) * 7) * 4
        assert add_rounding(self.SKY, 4.0, bright, NONE).rounding == (
            pytest.approx(add_rounding(self.SKY, 4.0, data, NONE).rounding,
                          rel=0.1))

    @pytest.mark.parametrize('step', [0.0, 1.0])
    def test_nothing_to_add(self, step):
        sky = add_rounding(self.SKY, step, _rounded(1.0), NONE)
        assert sky.error == pytest.approx(0.02, rel=1e-3)
        assert not sky.is_uncertain

    def test_pixels_beyond_the_galaxy(self):
        # at 25 pixels from a centre that is not the middle
        y, x = np.indices(SHAPE)
        inside = np.hypot(x - 70, y - 30) <= 25
        assert inside.sum() == 1961
        sky = Sky(0.3, 0.02, 'free', centre=(70.0, 30.0), reach=25.0)
        data = np.where(inside, 4.0 * (x + y), _rounded(4.0))
        bad = (x + 2 * y) % 7 == 0
        data[bad] = 12.0
        expected = np.sqrt(2) * rounding_error(data[~inside & ~bad], 4.0)
        found = add_rounding(sky, 4.0, data, bad)
        assert found.rounding == pytest.approx(expected, rel=1e-9)
        assert found.error == pytest.approx(np.hypot(0.02, expected))

    def test_lowest_third(self):
        # where fewer than fifty pixels lie beyond the galaxy
        data = np.linspace(10.0, 20.0, 3000).reshape(60, 50)
        data.flat[:1000] = np.random.default_rng(2).permutation(1000) < 300
        data.flat[:1000] *= 5
        sky = Sky(0.3, 0.02, 'tail', centre=(25.0, 30.0), reach=38.0)
        found = add_rounding(sky, 5.0, data, np.zeros((60, 50), bool))
        assert found.rounding == pytest.approx(np.sqrt(2) * rounding_error(
            np.repeat([0.0, 5.0], [700, 300]), 5.0))

    @pytest.mark.parametrize('unit', [1e-7, 1.0, 1e4])
    @pytest.mark.parametrize(('noise', 'matters'), [(0.53, True),
                                                    (0.56, False)])
    def test_smallest(self, noise, matters, unit):
        # exp(-2 (pi noise)**2) / pi falls below a thousandth at 0.540
        many = np.diff(norm.cdf(np.arange(-5, 5) + 0.5, 0, noise))
        data = np.repeat(np.arange(-4.0, 5.0),
                         np.round(4e4 * many).astype(int))
        data = unit * data[None]
        sky = Sky(0.0, 0.02 * unit, 'free', centre=(-9.0, 0.0))
        found = add_rounding(sky, unit, data, data > 9 * unit)
        assert (found.rounding > 0) == matters
        if matters:
            assert found.rounding == pytest.approx(unit * np.exp(
                -2 * (np.pi * noise)**2) / np.pi, rel=0.1)
        else:
            assert found is sky

    @pytest.mark.parametrize(('part', 'is_uncertain'), [(0.048, False),
                                                        (0.052, True)])
    def test_part_of_the_noise(self, part, is_uncertain):
        sky = Sky(0.3, 0.02, 'free', noise=2.0, rounding=2 * part)
        assert sky.is_uncertain == is_uncertain

    def test_no_pixels_beyond_the_galaxy(self):
        sky = Sky(0.3, 0.02, 'tail', centre=(50.0, 60.0), reach=200.0)
        assert add_rounding(sky, 4.0, _rounded(4.0), NONE).rounding > 0.2

    def test_limit(self):
        sky = np.random.default_rng(8).normal(size=SHAPE)
        cut = add_rounding(self.SKY, 0.0, np.maximum(sky, 0), NONE)
        assert cut.rounding == pytest.approx(0.4, rel=0.1)
        assert cut.is_uncertain
        assert add_rounding(self.SKY, 0.0, sky, NONE) is self.SKY

    def test_steps_that_leave_no_sky(self):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        galaxy = 300 * np.exp(-np.hypot(x - 50, y - 60) / 6)
        rng = np.random.default_rng(9)
        noise = rng.normal(size=SHAPE)
        data = np.round((galaxy + noise) / 8) * 8
        assert np.count_nonzero(data[:, :10]) == 0
        sky = add_rounding(self.SKY, 8.0, data, NONE)
        # (at most a step, all levels being equally probable, of two means)
        assert 1.2 < sky.rounding < 8 / np.sqrt(6)
        assert sky.is_uncertain
        counts = rng.poisson(galaxy / 8 + 0.003) * 8.0
        assert add_rounding(self.SKY, 8.0, counts, NONE).rounding == 0
