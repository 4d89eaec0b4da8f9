# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Limits of the measurement of noise, from both sides.

Images are chessboards, or blocks of known size, so that the answers are
exact.
"""

import numpy as np
import pytest
from astropy.stats import mad_std
from numpy.testing import assert_allclose

from astro_pix2prof.background.noise import (
    measure_noise,
    noise_in_cells,
    noise_is_wrong,
    noise_weights,
)

# Two pixels of a chessboard differ by one; those of Gaussian noise by 2 /
# sqrt(pi) in the mean.
RATIO = np.pi**0.5 / 2


def board(shape, size=1.0):
    return 0.5 * size * (-1.0)**np.indices(shape).sum(0)


class TestCells:
    @pytest.mark.parametrize('axis', [0, 1])
    def test_last_rows(self, axis):
        # all rows of a frame of 65 are looked at, but for two neighbours of
        # the last one
        image = board((65, 65))
        image[-1] *= 5
        image = np.moveaxis(image, axis, 0)
        ratio = noise_in_cells(image, image > 9, 1.0)[1 - axis] / RATIO
        ratio = np.moveaxis(ratio, axis, 0)
        # (one of eight pairs differs by three)
        assert_allclose(ratio[:7], 1)
        if axis == 0:
            assert_allclose(ratio[7], 10 / 8)
        else:
            assert (ratio[7] > 1.1).all()

    @pytest.mark.parametrize('unknown', [np.nan, 0.0, -3.0, np.inf, -np.inf])
    def test_noise_that_is_not_known(self, unknown):
        image = board((64, 128))
        noise = np.full(image.shape, 2.0)
        noise[:, ::5] = unknown
        image[:, ::5] *= 3
        ratio = noise_in_cells(image, image > 9, noise)
        # (pixels with a noise are compared with neighbours that have none)
        assert_allclose(ratio[1], RATIO / 2)
        assert_allclose(ratio[0], RATIO / 2 * (0.75 + 0.25 * 2), rtol=0.1)
        # all of some cells
        noise[:8, :16] = unknown
        ratio = noise_in_cells(image, image > 9, noise)
        assert np.isnan(ratio[:, 0, 0]).all()
        assert np.isfinite(ratio).sum() == 126

    @pytest.mark.parametrize('step', [3, 5])
    def test_masked_pixels_do_not_count(self, step):
        image = board((64, 200))
        mask = np.zeros(image.shape, bool)
        mask[:, ::step] = True
        image[mask] = 1e9
        ratio = noise_in_cells(image, mask, 0.5)
        if step == 5:
            assert_allclose(ratio, 2 * RATIO)
        else:
            # one of three pairs along rows is left
            assert np.isnan(ratio[0]).all()
            assert_allclose(ratio[1], 2 * RATIO)

    @pytest.mark.parametrize('n', [1, 2, 3])
    def test_little_contrast(self, n):
        # few pixels differ, by little
        image = np.zeros((65, 65))
        image[1, 1:2 * n:2] = 1e-9
        ratio = noise_in_cells(image, image > 9, 1.0)
        assert np.isfinite(ratio).sum() == 2
        assert_allclose(ratio[:, 0, 0], 1e-9 * 2 * n / 64 * RATIO)

    @pytest.mark.parametrize(('known', 'is_wrong'), [(15, False),
                                                     (17, True)])
    def test_known_cells(self, known, is_wrong):
        # a quarter of 64
        image = 3 * board((64, 64))
        mask = np.ones((8, 8), bool)
        mask.flat[:known] = False
        mask = np.kron(mask, np.ones((8, 8), bool))
        assert noise_is_wrong(image, mask, 1.0) == is_wrong

    @pytest.mark.parametrize(('calm', 'is_wrong'), [(35, True), (27, False)])
    @pytest.mark.parametrize('axis', [0, 1])
    def test_half_of_the_cells(self, axis, calm, is_wrong):
        # correlated along one axis in most cells, by 0.45 of the noise
        image = np.indices((64, 64))[axis] % 2 / RATIO
        many = np.full(64, 1.0)
        many[:calm] = 0.45
        image = image * np.kron(many.reshape(8, 8), np.ones((8, 8)))
        image += (np.indices((64, 64))[1 - axis] % 2) / RATIO
        assert noise_is_wrong(image, image > 9, 1.0) == is_wrong

    @pytest.mark.parametrize(('known', 'is_wrong'), [(4, False), (5, True)])
    def test_known_quadrants(self, known, is_wrong):
        # a quarter of sixteen
        size = np.ones((8, 8))
        size[:4, :4] = 2.0
        image = board((64, 64), 0.8) * np.kron(size, np.ones((8, 8)))
        mask = np.zeros((8, 8), bool)
        mask[:4, :4] = np.arange(16).reshape(4, 4) >= known
        mask = np.kron(mask, np.ones((8, 8), bool))
        assert noise_is_wrong(image, mask, 1.0) == is_wrong


class TestBlocks:
    """
    Blocks that all hold the same pixels, some times a factor.
    """

    @staticmethod
    def blocks(side, size, *, masked=0.0, seed=1):
        """
        An image of blocks of a size, and a mask of a part of each.
        """
        rng = np.random.default_rng(seed)
        block = rng.uniform(-1, 1, (side, side))
        image = np.kron(size, np.ones((side, side))) * np.tile(
            block, size.shape)
        left_out = np.zeros(side**2, bool)
        left_out[rng.permutation(side**2)[:round(masked)]] = True
        return image, np.tile(left_out.reshape(side, side), size.shape)

    @pytest.mark.parametrize(('side', 'shape'), [
        (8, (5, 7)), (8, (8, 8)), (8, (8, 11)), (16, (8, 9)), (32, (8, 8)),
        (32, (9, 8))])
    def test_side(self, side, shape):
        # an eighth of the frame, from 8 to 32 pixels; what is left of the
        # frame lies on both sides
        size = np.where(np.indices(shape).sum(0) % 2, 1.0, 2.0)
        image, _ = self.blocks(side, size)
        alone, _ = self.blocks(side, np.ones(shape))
        expected = measure_noise(alone)
        assert_allclose(measure_noise(image), expected, rtol=1e-5)
        assert_allclose(measure_noise(np.pad(image, ((2, 3), (2, 3)), mode=(
            'edge'))), expected, rtol=1e-5)
        # the plane takes three parameters
        y, x = np.indices((side, side))
        plane = np.stack([x, y, np.ones(x.shape)], -1).reshape(-1, 3)
        miss = np.linalg.lstsq(plane, alone[:side, :side].ravel(),
                               rcond=None)[1]
        assert_allclose(expected, np.sqrt(miss[0] / (side**2 - 3)),
                        rtol=0.06)

    @pytest.mark.parametrize(('side', 'good', 'counts'), [
        (8, 19, False), (8, 20, True), (16, 51, False), (16, 77, True),
        (32, 205, False), (32, 307, True)])
    def test_good_pixels(self, side, good, counts):
        # a quarter of a block, and twenty
        size = np.full((8, 8), 3.0)
        size[:4] = 1.0
        image, mask = self.blocks(side, size, masked=side**2 - good)
        mask[4 * side:] = False
        image[mask] = 50.0
        found = measure_noise(image, mask)
        usual = np.std(self.blocks(side, np.ones((1, 1)))[0])
        assert_allclose(found, usual if counts else 3 * usual, rtol=0.25)

    @pytest.mark.parametrize('value', [0.0, 1e7, -1e7])
    @pytest.mark.parametrize('sky', [0.0, -500.0, 2e4])
    @pytest.mark.parametrize('unit', [1.0, 1e-25])
    def test_masked_values_do_not_matter(self, value, sky, unit):
        image = sky + np.random.default_rng(1).normal(size=(64, 64))
        mask = np.random.default_rng(2).random(image.shape) < 0.2
        usual = measure_noise(unit * np.where(mask, np.nan, image))
        assert_allclose(measure_noise(unit * np.where(mask, value, image),
                                      mask), usual, rtol=1e-6)
        assert_allclose(usual / unit, 1, atol=0.03)

    def test_outliers(self):
        # those beyond three times the scatter about a plane are cut
        image = np.random.default_rng(1).normal(size=(64, 64))
        image += 0.2 * np.arange(64) - 0.1 * np.arange(64)[:, None]
        usual = measure_noise(image)
        far = np.random.default_rng(2).random(image.shape) < 0.1
        assert_allclose(measure_noise(image + 50 * far), usual, rtol=0.05)
        assert_allclose(measure_noise(image, far), usual, rtol=0.03)

    @pytest.mark.parametrize(('calm', 'is_calm'), [(14, False), (18, True)])
    def test_first_level(self, calm, is_calm):
        # a quarter of 64 blocks; the others are ten times as noisy
        size = np.full(64, 10.0)
        size[:calm] = 1.0
        image, _ = self.blocks(8, size.reshape(8, 8))
        usual = measure_noise(self.blocks(8, np.ones((8, 8)))[0])
        assert_allclose(measure_noise(image), usual * (
            1 if is_calm else 10), rtol=1e-3)


class TestPhotons:
    @pytest.mark.parametrize('light', [0.01, 0.05, 0.1, 0.2])
    @pytest.mark.parametrize(('unit', 'level'), [(1.0, 0.0), (3e-9, 1e-8)])
    def test_noise(self, light, unit, level):
        # most pixels hold no photon; a galaxy is in the middle
        y, x = np.indices((200, 240))
        galaxy = 9 * np.exp(-np.hypot(x - 120, y - 100) / 9)
        image = np.random.default_rng(1).poisson(galaxy + light)
        mask = np.zeros(image.shape, bool)
        mask[:, ::7] = True
        found = measure_noise(unit * np.where(mask, 99, image) - level, mask)
        assert_allclose(found / unit, light**0.5, rtol=0.15)

    def test_no_photons(self):
        # a constant, one with bright pixels, and one of noise below it
        image = np.zeros((128, 128))
        image[::9, ::7] = np.arange(285.0).reshape(15, 19)
        assert measure_noise(image) == 0
        image[::9, ::7] = 5.0
        assert_allclose(measure_noise(image), 5 * np.sqrt(285 / (
            128**2 - 285)), rtol=0.1)
        assert measure_noise(-image) == 0
        # padding is no sky, but what is beside it
        image = np.random.default_rng(1).normal(1000, 3, (128, 128))
        image[:70] = 0.0
        assert_allclose(measure_noise(image), 3, rtol=0.05)


class TestFewPixels:
    @pytest.mark.parametrize(('values', 'expected'), [
        # of 0, 1, 2, 3: below the middle, 1.5, by 0.5 and 1.5
        ([0, 1, 2, 3, 10, 20, 30], 1.0), ([30, 1, 20, 3, 10, 2, 0], 1.0),
        # of 10, 10.5, 11, 12: below 10.75, by 0.25, 0.75, 5.75 and 10.75
        ([0, 5, 10, 10.5, 11, 12], 3.25),
        ([4, 4, 4, 4, 4, 9], 0.0), ([2, 8], 3.0), ([7], 0.0)])
    def test_lower_side(self, values, expected):
        assert_allclose(measure_noise([values]), 1.482602 * expected,
                        rtol=1e-6)

    def test_gaussian(self):
        values = np.random.default_rng(1).normal(3, 2, (7, 4000))
        assert_allclose(measure_noise(values), mad_std(values), rtol=0.1)


class TestWeights:
    def test_pixels_that_do_not_count(self):
        # their noise would be that of the deeper part
        image = np.zeros((40, 40))
        noise = np.ones(image.shape)
        noise[:, 20:] = 2.0
        mask = np.zeros(image.shape, bool)
        mask[:20] = True
        noise[:20] = 0.01
        weight = noise_weights(noise, image, mask, 1.0)
        assert_allclose(weight[20:, :20], 1)
        assert_allclose(weight[20:, 20:], 0.25)
        assert_allclose(weight[:20], 0)
        for unknown in (np.nan, np.inf, 0.0, -0.01):
            noise[:20] = unknown
            for none in (mask, image > 9):
                same = noise_weights(noise, image, none, 1.0)
                assert_allclose(same, weight)

    @pytest.mark.parametrize(('share', 'is_deep'), [(0.2, False),
                                                    (0.3, True)])
    def test_deeper_part(self, share, is_deep):
        # a quarter of the sky has no more noise than is usual
        image = np.zeros((50, 40))
        noise = np.full(image.shape, 2.0)
        noise.flat[:round(share * noise.size)] = 1.0
        weight = noise_weights(noise, image, image > 9, 1.0)
        if is_deep:
            assert_allclose(weight, noise**-2.0)
        else:
            assert weight is None

    @pytest.mark.parametrize(('share', 'weight', 'is_none'), [
        (0.015, 0.2, True), (0.025, 0.2, False), (0.5, 0.92, True),
        (0.5, 0.88, False)])
    def test_few_or_alike(self, share, weight, is_none):
        # two in a hundred pixels count less, by a tenth
        image = np.zeros((50, 40))
        noise = np.ones(image.shape)
        noise.flat[:round(share * noise.size)] = weight**-0.5
        found = noise_weights(noise, image, image > 9, 1.0)
        assert (found is None) == is_none

    @pytest.mark.parametrize(('bright', 'is_sky'), [(1.9, True),
                                                    (2.1, False)])
    @pytest.mark.parametrize('sign', [-1, 1])
    def test_sky(self, sign, bright, is_sky):
        # fainter than two times the noise
        image = np.full((50, 40), 5.0)
        image[:10], image[10:20] = 0.0, sign * bright
        noise = np.full(image.shape, 4.0)
        noise[:10], noise[10:20] = 4.0, 1.0
        weight = noise_weights(noise, image, image > 9, 1.0)
        if is_sky:
            assert_allclose(weight[:10], 1 / 16)
        else:
            assert weight is None

    @pytest.mark.parametrize(('bright', 'counts'), [(9.9, False),
                                                    (10.1, True)])
    def test_photons(self, bright, counts):
        # brighter than ten times the noise; the light has noise of its own
        image = np.zeros((50, 40))
        image[:10] = bright
        noise = np.sqrt(1 + 0.3 * image)
        noise[:4] *= 2
        weight = noise_weights(noise, image, image > 99, 1.0)
        assert_allclose(weight[4:10], 1 if counts else 1 / noise[5, 0]**2,
                        rtol=1e-6)
        assert_allclose(weight[:4], (1 if counts else 1 / noise[5, 0]**2)
                        / 4, rtol=1e-6)
