# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the error that low values that were lost add to a sky.
"""

import numpy as np
import pytest
from scipy.stats import norm

from astro_pix2prof.background.level import Sky
from astro_pix2prof.background.losses import clipping_error, has_limit
from astro_pix2prof.background.rounding import add_rounding

SHAPE = (120, 100)


def _shift(lose, noise, level, bright=0.0):
    """The error of the mean, in steps, by a fine sum over the noise."""
    x = level + noise * norm.ppf((np.arange(20001) + 0.5) / 20001)
    return np.nanmean(lose(x)) - level - bright


def _frame(noise, level, seed=3):
    """Noise in steps, with stars on some of the pixels."""
    rng = np.random.default_rng(seed)
    sky = rng.normal(level, noise, SHAPE[0] * SHAPE[1])
    stars = rng.random(len(sky)) < 0.03
    return sky + stars * rng.exponential(6 * noise, len(sky))


def _cut(x):
    return np.maximum(np.round(x), 0)


def _missing(x):
    return np.where(np.round(x) < 0, np.nan, np.round(x))


def _signs(x):
    return np.abs(np.round(x))


def _replaced(x):
    return np.where(x < -2, 0, np.round(x))


class TestSteps:

    @pytest.mark.parametrize('noise', [1.5, 2.0, 3.0, 5.0, 12.0])
    @pytest.mark.parametrize(('lose', 'least', 'most'), [
        (_cut, 0.85, 1.15), (_missing, 0.7, 1.3), (_signs, 0.7, 1.3)])
    def test_low_values(self, lose, least, most, noise):
        values = lose(_frame(noise, 0.2))
        values = values[np.isfinite(values)]
        step = 1.0 if noise < 10 else 0.0
        found = clipping_error(values, step, photons=False,
                               noise=lambda: noise)
        true = _shift(lose, noise, 0.2)
        assert least * true < found < most * true

    @pytest.mark.parametrize(('noise', 'limit'), [(3.0, -1.0), (2.0, 1.0),
                                                  (1.5, -1.0), (3.0, 2.0)])
    def test_limits(self, noise, limit):
        def lose(x):
            return np.maximum(np.round(x), limit)

        found = clipping_error(lose(_frame(noise, 0.0)), 1.0, photons=False)
        assert found == pytest.approx(_shift(lose, noise, 0.0), rel=0.25)

    @pytest.mark.parametrize('noise', [3.0, 4.0])
    def test_low_values_replaced_by_one_further_up(self, noise):
        found = clipping_error(_replaced(_frame(noise, 0.0)), 1.0)
        assert found == pytest.approx(_shift(_replaced, noise, 0.0), rel=0.3)

    @pytest.mark.parametrize('noise', [1.0, 1.5, 2.0, 3.0, 5.0])
    @pytest.mark.parametrize('level', [0.0, 0.5, -0.7])
    def test_truncated(self, noise, level):
        # (bright pixels lose half a step)
        values = np.trunc(_frame(noise, level))
        found = clipping_error(values, 1.0, photons=False, noise=lambda: noise)
        assert found == pytest.approx(
            _shift(np.trunc, noise, level, -0.5), rel=0.1)

    @pytest.mark.parametrize('noise', [0.6, 0.7])
    def test_few_steps(self, noise):
        # the noise of brighter pixels tells what the sky cannot
        values = np.trunc(_frame(noise, 0.0))
        true = _shift(np.trunc, noise, 0.0, -0.5)
        found = clipping_error(values, 1.0, photons=False, noise=lambda: noise)
        assert found == pytest.approx(true, rel=0.1)

    @pytest.mark.parametrize('noise', [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0,
                                       10.0])
    @pytest.mark.parametrize('level', [0.0, 0.3, 0.5])
    def test_rounded(self, noise, level):
        values = np.round(_frame(noise, level))
        for step in (0.0, 1.0):
            assert clipping_error(values, step, photons=False,
                                  noise=lambda: noise) == 0
        values = np.floor(_frame(noise, level))
        assert clipping_error(values, 1.0, photons=False,
                              noise=lambda: noise) == 0

    @pytest.mark.parametrize('light', [0.1, 0.5, 1.0, 2.0, 4.0, 10.0])
    def test_photons(self, light):
        rng = np.random.default_rng(8)
        counts = rng.poisson(light, 9000).astype(float)
        assert clipping_error(counts, 1.0) == 0
        # (a step that is no photon)
        counts[rng.random(9000) < 0.01] += 20
        assert clipping_error(3 * counts, 3.0) == 0

    @pytest.mark.parametrize('noise', [3.0, 5.0])
    def test_blank_areas(self, noise):
        values = np.round(_frame(noise, 0.0))
        values[2000:3500] = 0
        assert clipping_error(values, 1.0) == 0
        values[2000:3500] = -100
        assert clipping_error(values, 1.0) == 0


class TestReplaced:

    @pytest.mark.parametrize('limit', [-1.0, -0.5, 0.0, 0.5])
    @pytest.mark.parametrize('to', [0.0, -0.3])
    @pytest.mark.parametrize('unit', [1.0, 1e-8])
    def test_other_value(self, limit, to, unit):
        def lose(x):
            return np.where(x < limit, to, x)

        found = clipping_error(unit * lose(_frame(1.0, 0.0)))
        assert found == pytest.approx(unit * _shift(lose, 1.0, 0.0), rel=0.15)

    def test_median(self):
        sky = _frame(1.0, 50.0)
        found = clipping_error(np.maximum(sky, np.median(sky)))
        assert found == pytest.approx(0.4, rel=0.15)

    def test_blank_pixels(self):
        sky = _frame(1.0, 0.0)
        sky[::7] = 0.0
        assert has_limit(sky)
        assert clipping_error(sky) == 0

    def test_skew_noise(self):
        rng = np.random.default_rng(2)
        assert clipping_error(rng.gamma(9.0, 1.0, 12000)) == 0


class TestHasLimit:

    def test_has_limit(self):
        sky = _frame(1.0, 0.0)
        assert not has_limit(sky)
        assert not has_limit(np.round(sky * 5))
        assert has_limit(np.maximum(sky, 0))
        assert has_limit(sky[sky > -1.5])
        # (bad pixels below)
        assert has_limit(np.append(np.maximum(sky, 0), [-9.0] * 20))
        assert not has_limit(np.maximum(sky, 0)[:49])
        assert not has_limit(np.zeros(900))


class TestSkyOfFrames:

    SKY = Sky(0.0, 0.02, 'free', centre=(50.0, 60.0), reach=45.0, noise=2.0)

    @staticmethod
    def _galaxy(noise, seed=5):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        light = 300 * np.exp(-np.hypot(x - 50, y - 60) / 5)
        return light + np.random.default_rng(seed).normal(0, noise, SHAPE)

    @pytest.mark.parametrize(('noise', 'lose', 'expected'), [
        (2.0, _cut, 0.4 * 2), (2.0, _signs, 0.8 * 2),
        (2.0, np.trunc, 0.5), (0.8, np.trunc, 0.5)])
    def test_noise_is_not_that_of_photons(self, noise, lose, expected):
        data = lose(self._galaxy(noise))
        found = add_rounding(self.SKY, 1.0, data, np.zeros(SHAPE, bool))
        assert found.rounding == pytest.approx(expected, rel=0.35)
        assert found.is_uncertain

    @pytest.mark.parametrize('sky', [0.1, 1.0, 3.0])
    def test_photons(self, sky):
        light = self._galaxy(0.0) + sky
        data = np.random.default_rng(6).poisson(light).astype(float)
        found = add_rounding(self.SKY, 1.0, data, np.zeros(SHAPE, bool))
        assert found.rounding == 0

    def test_galaxy_fills_the_frame(self):
        # of which the darkest pixels are taken, in their places
        data = np.maximum(self._galaxy(1.0), 0)
        sky = Sky(0.0, 0.02, 'tail', centre=(50.0, 60.0), reach=200.0,
                  noise=1.0)
        found = add_rounding(sky, 0.0, data, np.zeros(SHAPE, bool))
        assert found.rounding > 0.3


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


