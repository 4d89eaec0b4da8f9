# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the error that pixels that are rounded or cut off add to a sky.
"""

import numpy as np
import pytest

from astro_pix2prof.background.level import Sky
from astro_pix2prof.background.rounding import (
    add_rounding,
    clipping_error,
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

    @pytest.mark.parametrize('light', [0.003, 0.03, 0.2])
    def test_photons_are_not_rounded(self, light):
        counts = np.random.default_rng(4).poisson(light, SHAPE)
        assert rounding_error(counts.ravel().astype(float), 1.0) == 0

    def test_too_few_pixels(self):
        assert rounding_error(_rounded(3.0)[0, :20], 3.0) == 0
        assert rounding_error(_rounded(3.0)[0], 0.0) == 0


class TestLimit:

    @pytest.mark.parametrize('limit', [-1.0, -0.5, 0.0, 0.5, 1.0])
    @pytest.mark.parametrize('unit', [1.0, 1e-9])
    def test_error_is_that_of_the_mean(self, limit, unit):
        sky = np.random.default_rng(5).normal(size=SHAPE).ravel()
        off = np.maximum(sky, limit).mean() - sky.mean()
        assert clipping_error(unit * np.maximum(sky, limit)) == pytest.approx(
            unit * off, rel=0.1)

    @pytest.mark.parametrize('limit', [-1.5, -1.0, -0.5, 0.0])
    @pytest.mark.parametrize('unit', [1.0, 1e-9])
    def test_values_below_it_are_missing(self, limit, unit):
        sky = np.random.default_rng(5).normal(size=SHAPE).ravel()
        left = sky[sky > limit]
        assert clipping_error(unit * left) == pytest.approx(
            unit * (left.mean() - sky.mean()), rel=0.2)

    def test_absolute_values(self):
        sky = np.abs(np.random.default_rng(6).normal(size=SHAPE)).ravel()
        assert clipping_error(sky) == pytest.approx(0.8, rel=0.25)

    def test_smooth_values(self):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        assert clipping_error(np.exp(-np.hypot(x, y) / 20).ravel()) == 0

    def test_sky_with_all_values(self):
        sky = np.random.default_rng(6).normal(size=SHAPE).ravel()
        assert clipping_error(sky) == 0
        # (bad pixels that nobody masked)
        sky[::20] = -50.0
        assert clipping_error(sky) == 0
        assert clipping_error(np.maximum(sky, 0)[:20]) == 0
        assert clipping_error(np.zeros(900)) == 0

    @pytest.mark.parametrize('light', [0.03, 0.3, 1.0, 3.0])
    @pytest.mark.parametrize('flat', [0.0, 0.1])
    def test_photons(self, light, flat):
        rng = np.random.default_rng(7)
        counts = rng.poisson(light, 9000) * rng.normal(1, flat, 9000)
        assert clipping_error(counts) == 0


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
