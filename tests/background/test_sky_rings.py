# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The steps by which the sky is measured, on data whose answer is known.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.background.level import (
    first_sky,
    measure_sky,
    sky_error,
)
from astro_pix2prof.background.noise import (
    measure_noise,
    noise_in_cells,
    noise_is_wrong,
    noise_weights,
)
from astro_pix2prof.background.tails import fit_sky_and_tail

Y, X = np.mgrid[:160, :160]


def noise(seed=0, shape=(160, 160)):
    return np.random.default_rng(seed).normal(size=shape)


class TestSkyAndTail:
    @pytest.mark.parametrize('level', [-3.0, 0.0, 40.0])
    @pytest.mark.parametrize('scale', [15.0, 20.0, 30.0])
    def test_exponential(self, level, scale):
        # level and tail are told apart: 0.009 for a level alone
        sma = np.arange(30.0, 150)
        mean = level + 2 * np.exp(-(sma - 30) / scale)
        error = np.full(120, 0.1)
        found, spread = fit_sky_and_tail(sma, mean, error, 20.0)
        assert abs(found - level) < 0.012
        assert 0.012 < spread < 0.03

    def test_flat(self):
        # without a tail, as good as the mean of all rings
        sma = np.arange(30.0, 150)
        rng = np.random.default_rng(3)
        pulls, spreads = [], []
        for _ in range(60):
            mean = 2 + rng.normal(0, 0.1, 120)
            found, spread = fit_sky_and_tail(sma, mean, np.full(120, 0.1),
                                             20.0)
            pulls.append((found - 2) / spread)
            spreads.append(spread)
        assert 0.6 < np.std(pulls) < 1.2
        assert 1 < np.median(spreads) / (0.1 / np.sqrt(120)) < 2

    def test_scatter_beyond_the_errors(self):
        # errors follow the scatter of the rings
        sma = np.arange(30.0, 150)
        scatter = np.random.default_rng(3).normal(0, 0.1, 120)
        small, right = (fit_sky_and_tail(sma, scatter, np.full(120, e),
                                         20.0)[1] for e in (0.01, 0.1))
        assert_allclose(small, right, rtol=0.3)

    def test_no_negative_tail(self):
        sma = np.arange(30.0, 150)
        rising = -np.exp(-(sma - 30) / 20)
        found, _ = fit_sky_and_tail(sma, rising, np.full(120, 0.1), 20.0)
        assert_allclose(found, rising.mean(), atol=1e-6)


class TestSkyError:
    @pytest.mark.parametrize('box', [8, 24])
    def test_white_noise(self, box):
        # in boxes of white noise it is that of the mean of all pixels
        found = [sky_error(noise(seed, (240, 240)), np.ones((240, 240), bool),
                           box=box) for seed in range(12)]
        assert_allclose(np.mean(found), 1.25 / 240, rtol=0.15)

    def test_usable_boxes(self):
        # a box counts if a third of it is sky
        sky = np.zeros((48, 96), bool)
        sky[:, ::2] = True
        assert np.isfinite(sky_error(noise(1, sky.shape), sky, box=24))
        sky[:, ::4] = False
        assert sky_error(noise(1, sky.shape), sky, box=24) == np.inf
        for boxes, finite in ((2, False), (3, True)):
            sky = np.ones((24, 24 * boxes), bool)
            error = sky_error(noise(1, sky.shape), sky, box=24)
            assert np.isfinite(error) == finite
        assert sky_error(noise(1, (20, 400)), np.ones((20, 400), bool),
                         box=24) == np.inf


class TestFirstSky:
    def test_sources(self):
        # a galaxy and stars over a third of the frame
        image = 50 * np.exp(-np.hypot(X - 60, Y - 90) / 8) + noise()
        image[20:40, 100:130] += 5
        level, sigma = first_sky(image + 7, np.zeros(image.shape, bool))
        assert_allclose(level, 7, atol=0.06)
        assert_allclose(sigma, 1, rtol=0.03)

    def test_nothing_but_galaxy(self):
        # the faintest tenth
        image = 100 * np.exp(-np.hypot(X - 80, Y - 80) / 60) + 0.1 * noise()
        level, _ = first_sky(image, np.zeros(image.shape, bool))
        assert np.quantile(image, 0.02) < level < np.quantile(image, 0.12)

    def test_missing(self):
        image = noise()
        bad = np.zeros(image.shape, bool)
        bad[:, :70] = True
        level, sigma = first_sky(np.where(bad, 1e6, image), bad)
        assert_allclose((level, sigma), (0, 1), atol=0.04)


class TestMeasureSky:
    def test_errors_hold(self):
        # small galaxies in sky, and their neighbours
        pulls = []
        for seed in range(16):
            image = 20 * np.exp(-np.hypot(X - 80, Y - 80) / 5) + noise(seed)
            image[20:28, 20:28] += 10
            sky = measure_sky(image, np.zeros(image.shape, bool), (80, 80))
            assert sky.how == 'free'
            pulls.append(sky.level / sky.error)
        assert 0.3 < np.sqrt(np.mean(np.square(pulls))) < 1.6

    def test_reach(self):
        # where an exponential is as faint as the noise of many pixels
        image = 20 * np.exp(-np.hypot(X - 80, Y - 80) / 5) + 0.1 * noise()
        sky = measure_sky(image, np.zeros(image.shape, bool), (80, 80))
        assert 5 * np.log(20 / 0.1) < sky.reach < 60

    @pytest.mark.parametrize('seed', range(3))
    @pytest.mark.parametrize('direction', ['x', 'y'])
    def test_slope(self, direction, seed):
        # one that is larger across the frame than the noise
        image = 20 * np.exp(-np.hypot(X - 70, Y - 85) / 5) + noise(seed)
        image += 0.02 * (X if direction == 'x' else Y)
        sky = measure_sky(image, np.zeros(image.shape, bool), (70, 85),
                          plane=True)
        assert sky.how == 'free'
        assert sky.error < 0.05
        expected = (0.02, 0.0) if direction == 'x' else (0.0, 0.02)
        assert_allclose(sky.slope, expected, atol=1.5e-3)
        assert_allclose(sky.centre, (70, 85), atol=2)
        middle = 0.02 * (70 if direction == 'x' else 85)
        assert_allclose(sky.over(image.shape)[85, 70], middle, atol=0.1)


class TestCells:
    def test_white_noise(self):
        for shape in ((64, 64), (300, 410), (2100, 700)):
            good = np.zeros(shape, bool)
            ratio = noise_in_cells(3 * noise(2, shape), good, 3.0)
            assert ratio.shape == (2, 8, 8)
            assert_allclose(np.mean(ratio, axis=(1, 2)), 1, atol=0.05)

    def test_objects_and_masks(self):
        shape = (160, 160)
        image, mask = noise(), np.zeros(shape, bool)
        image[:20, :20] *= 10
        mask[140:, 140:] = True
        ratio = noise_in_cells(image, mask, 1.0)
        assert (ratio[:, 0, 0] > 7).all()
        assert np.isnan(ratio[:, 7, 7]).all()
        assert np.isfinite(ratio).sum() == 126
        # half of the pixels of a cell are enough
        mask[140:, 150:] = False
        assert np.isfinite(noise_in_cells(image, mask, 1.0)[:, 7, 7]).sum() < 3
        mask[140:, 146:] = False
        assert np.isfinite(noise_in_cells(image, mask, 1.0)[:, 7, 7]).all()

    @pytest.mark.parametrize(('factor', 'wrong'), [
        (1.0, False), (1.35, False), (1.65, True), (0.6, False)])
    def test_understated(self, factor, wrong):
        good = np.zeros((160, 160), bool)
        assert noise_is_wrong(factor * noise(), good, 1.0) == wrong

    @pytest.mark.parametrize(('factor', 'wrong'), [(1.35, False),
                                                   (1.7, True)])
    @pytest.mark.parametrize('quadrant', [(0, 0), (0, 1), (1, 0), (1, 1)])
    def test_uneven(self, factor, wrong, quadrant):
        image, good = noise(shape=(320, 320)), np.zeros((320, 320), bool)
        y, x = (160 * k for k in quadrant)
        image[y:y + 160, x:x + 160] *= factor
        assert noise_is_wrong(image, good, 1.0) == wrong
        # a map of the noise knows
        stated = np.ones((320, 320))
        stated[y:y + 160, x:x + 160] = factor
        assert not noise_is_wrong(image, good, stated)

    @pytest.mark.parametrize('axis', [0, 1])
    @pytest.mark.parametrize(('share', 'wrong'), [(0.8, False), (0.95, True)])
    def test_correlated(self, axis, share, wrong):
        # differences of neighbours fall with the root of 1 - correlation:
        # to a half at a correlation of 0.75 along one axis
        rng = np.random.default_rng(0)
        lag = {0.8: 0.65, 0.95: 0.85}[share]
        image = np.empty((400, 400))
        image[0] = rng.normal(size=400)
        for k in range(1, 400):
            image[k] = lag * image[k - 1] + np.sqrt(
                1 - lag**2) * rng.normal(size=400)
        image = image if axis == 0 else image.T
        assert noise_is_wrong(image, np.zeros((400, 400), bool),
                              1.0) == wrong


class TestNoise:
    @pytest.mark.parametrize('shape', [(7, 9), (20, 30), (64, 64),
                                       (200, 330)])
    def test_accuracy(self, shape):
        # the better the more pixels there are
        found = np.array([measure_noise(noise(seed, shape))
                          for seed in range(12)])
        n = shape[0] * shape[1]
        assert_allclose(found.mean(), 1, atol=0.02 + 2 / np.sqrt(n))
        assert found.std() < 0.01 + 3 / np.sqrt(n)

    def test_gradients_and_half_of_the_frame(self):
        # slopes within blocks, and objects over a third of the frame
        image = noise(3, (256, 256)) + 0.05 * np.arange(256)
        image[:, :80] += np.random.default_rng(1).exponential(20, (256, 80))
        assert_allclose(measure_noise(image), 1, atol=0.03)

    @pytest.mark.parametrize('depth', [0.5, 0.8, 0.97])
    def test_weights(self, depth):
        # variance over that of the deeper part
        shallow = np.ones((80, 80))
        shallow[:, 60:] = depth**-0.5
        weight = noise_weights(shallow, noise(0, (80, 80)),
                               np.zeros((80, 80), bool), 1.0)
        if depth > 0.9:
            assert weight is None
        else:
            assert_allclose(weight[:, :60], 1)
            assert_allclose(weight[:, 60:], depth, rtol=1e-5)
