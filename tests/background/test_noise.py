# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the noise module.

The tolerance of 5% is many times the statistical error of the measurement
and what a fitter needs of it.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter, shift

from astro_pix2prof.background.noise import (
    measure_noise,
    noise_in_cells,
    noise_is_wrong,
    noise_weights,
)


def make_noise(shape=(256, 256), *, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.02, shape)


def make_galaxy(r_eff, n):
    # half of the light of the frame and more is the galaxy's
    yy, xx = np.mgrid[:256, :256]
    return Sersic2D(amplitude=0.1, r_eff=r_eff, n=n, x_0=120, y_0=130,
                    ellip=0.3, theta=0.5)(xx, yy)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(('r_eff', 'n'), [(40, 1), (40, 4), (70, 1)])
def test_galaxy(r_eff, n, seed):
    data = make_galaxy(r_eff, n) + make_noise(seed=seed) + 3.0
    assert measure_noise(data) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize('kind', ['shifted', 'smoothed'])
def test_correlated(kind):
    noise = make_noise()
    if kind == 'shifted':
        noise = shift(noise, (0.5, 0.5), order=1, mode='wrap')
    else:
        noise = gaussian_filter(noise, 1.0, mode='wrap')
    data = make_galaxy(40, 1) + noise
    assert measure_noise(data) == pytest.approx(np.std(noise), rel=0.05)


def test_stars():
    data = make_noise()
    rng = np.random.default_rng(5)
    yy, xx = np.mgrid[:256, :256]
    for x, y, flux in rng.uniform((0, 0, 0.2), (256, 256, 5), (80, 3)):
        data += flux * np.exp(-0.5 * ((xx - x)**2 + (yy - y)**2) / 4)
    assert measure_noise(data) == pytest.approx(0.02, rel=0.05)


def test_calm_part():
    # a third of the frame is empty, the rest twice as noisy
    data = make_noise()
    data[:, 84:] *= 2
    assert measure_noise(data) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(('factor', 'is_one'), [(1.055, True),
                                                (1.077, False)])
def test_blocks_that_agree(factor, is_one):
    # within three times 1 / sqrt(2 n): 6.6 per cent for blocks of 1024
    block = np.random.default_rng(1).uniform(-1, 1, (32, 32))
    size = np.ones((8, 8))
    size.flat[26:] = factor
    data = np.kron(size, np.ones((32, 32))) * np.tile(block, (8, 8))
    ratio = measure_noise(data) / measure_noise(np.tile(block, (8, 8)))
    assert ratio == pytest.approx(factor if is_one else 1.0, rel=1e-3)


@pytest.mark.parametrize(('calm', 'is_wrong'), [(6, True), (7, False)])
def test_calm_cells(calm, is_wrong):
    # a tenth of the 64 cells has no more than the noise that is stated
    size = np.full(64, 2.0)
    size[:9 * calm:9] = 1.0
    size = np.kron(size.reshape(8, 8), np.ones((32, 32)))
    data = make_noise() / 0.02 * size
    mask = np.zeros(data.shape, bool)
    assert noise_is_wrong(data, mask, 1.0) == is_wrong
    assert not noise_is_wrong(data, mask, size)


@pytest.mark.parametrize('shape', [(48, 48), (64, 200), (1000, 300)])
def test_shapes(shape):
    assert measure_noise(make_noise(shape)) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize('shape', [(7, 7), (1, 60), (12, 30)])
def test_small(shape):
    # few pixels: right to the statistical error
    assert measure_noise(make_noise(shape)) == pytest.approx(0.02, rel=0.4)


def test_mask():
    data = make_noise()
    mask = np.zeros(data.shape, dtype=bool)
    mask[:, ::2] = True
    data[mask] = 1e6
    assert measure_noise(data, mask) == pytest.approx(0.02, rel=0.05)
    data[mask] = np.nan
    assert measure_noise(data) == pytest.approx(0.02, rel=0.05)


def test_padding():
    data = make_noise()
    data[:150] = 0.0
    assert measure_noise(data) == pytest.approx(0.02, rel=0.05)


def test_whole_numbers():
    data = np.random.default_rng(1).poisson(1.0, (256, 256))
    assert measure_noise(data) == pytest.approx(1.0, rel=0.05)


def test_tiny_units():
    data = make_noise() * 1e-28
    assert measure_noise(data) == pytest.approx(2e-30, rel=0.05)


def test_no_noise():
    assert measure_noise(np.full((64, 64), 3.3)) == 0.0
    assert measure_noise([[1.0]]) == 0.0
    # (of two values, the lower one is 1 below the middle)
    assert measure_noise([[1.0, 3.0]]) == pytest.approx(1.4826, rel=1e-4)


def test_no_pixels():
    assert np.isnan(measure_noise(np.full((64, 64), np.nan)))


class TestNoiseWeights:
    def image(self):
        y, x = np.mgrid[:80, :90]
        galaxy = 400 * np.exp(-np.hypot(x - 45, y - 40) / 4)
        return galaxy, np.zeros(galaxy.shape, dtype=bool)

    def test_depth(self):
        """
        Where the exposures are fewer, pixels count less.
        """
        image, mask = self.image()
        noise = np.sqrt(1 + image / 5)
        noise[:, 60:] *= 2
        noise[3, 3] = np.nan
        weight = noise_weights(noise, image, mask, 1.0)
        np.testing.assert_allclose(weight[:, :60][image[:, :60] > 20], 1,
                                   atol=0.05)
        np.testing.assert_allclose(weight[10:, 60:], 0.25, atol=0.05)
        assert weight[3, 3] == 0

    def test_photons(self):
        """
        The galaxy's own photons do not count against it.
        """
        image, mask = self.image()
        assert noise_weights(np.sqrt(1 + image / 5), image, mask, 1.0) is None
        assert noise_weights(np.ones_like(image), image, mask, 1.0) is None

    @pytest.mark.parametrize('known', [True, False])
    def test_few_photons(self, known):
        """
        Pixels that noise makes fainter weigh as much as brighter ones.

        Whether the variance follows from the light, or from the pixels.
        """
        rng = np.random.default_rng(7)
        y, x = np.mgrid[:200, :200] - 100.0
        light = 60 * np.exp(-np.hypot(x, y) / 12)
        noise = np.sqrt(1 + light / 3) * rng.normal(size=light.shape)
        image = light + noise
        variance = 1 + (light if known else np.maximum(image, 0)) / 3
        # (a part of the frame is not as deep)
        variance[:, :60] *= 9
        weight = noise_weights(np.sqrt(variance), image, image > 1e9, 1.0)
        faint = (light > 0.1) & (light < 1) & (x > -35)
        assert weight[faint].mean() > 0.98
        mean = (weight * noise)[faint].sum() / weight[faint].sum()
        assert abs(mean - noise[faint].mean()) < 0.01
        assert np.median(weight[:, :50]) < 0.2

    @pytest.mark.parametrize(('n', 'is_known'), [(15, False), (16, True)])
    def test_sixteen_pixels_of_sky(self, n, is_known):
        image, noise = np.full((10, 10), 5.0), np.ones((10, 10))
        image.flat[:n], noise.flat[20:] = 0.0, 3.0
        weight = noise_weights(noise, image, image > 9, 1.0)
        assert (weight is not None) == is_known

    @pytest.mark.parametrize(('n', 'counts'), [(15, False), (16, True)])
    def test_sixteen_bright_pixels(self, n, counts):
        # of a variance of 1 and a twentieth of the light
        image, noise = np.zeros((10, 10)), np.ones((10, 10))
        image.flat[:n], noise.flat[:n] = 60.0, 2.0
        weight = noise_weights(noise, image, image > 99, 1.0)
        if counts:
            assert weight is None
        else:
            np.testing.assert_allclose(weight.flat[:n], 0.25)

    def test_no_sky(self):
        image, mask = self.image()
        assert noise_weights(np.ones_like(image), image + 100, mask,
                             1.0) is None


@pytest.mark.parametrize('power', [-40, -20, -9, 9, 30])
@pytest.mark.parametrize('size', [6, 128])
def test_any_unit(power, size):
    data = make_noise((size, size))
    assert measure_noise(10.0**power * data) / 10.0**power == (
        pytest.approx(measure_noise(data), rel=1e-6))


class TestMaskedRows:
    """
    Pixels without neighbours along columns, rows, or either.
    """

    @pytest.mark.parametrize('masked', [
        [np.s_[::2]], [np.s_[1::2]], [np.s_[::3]], [np.s_[:, ::2]],
        [np.s_[:, ::3]], [np.s_[::2], np.s_[:, ::2]],
        [np.s_[::3], np.s_[:, ::3]], [np.s_[::2], np.s_[::3]]])
    def test_right_noise(self, masked):
        data = make_noise()
        mask = np.zeros(data.shape, dtype=bool)
        for part in masked:
            mask[part] = True
        data[mask] = 1.0
        assert not noise_is_wrong(data, mask, 0.02)
        assert measure_noise(data, mask) == pytest.approx(0.02, rel=0.05)

    @pytest.mark.parametrize('axis', [0, 1])
    def test_wrong_noise(self, axis):
        # every third row leaves neighbours in both directions
        data = make_noise()
        mask = np.zeros(data.shape, dtype=bool)
        np.moveaxis(mask, axis, 0)[::3] = True
        assert noise_is_wrong(data, mask, 0.007)

    def test_one_direction(self):
        # three of five rows have no neighbour: what is left tells enough
        data = np.repeat(make_noise(), 1, axis=0)
        mask = np.zeros(data.shape, dtype=bool)
        mask[::5], mask[2::5] = True, True
        assert not noise_is_wrong(data, mask, 0.02)


class TestCells:
    """
    Chessboards, whose neighbours differ by what is known.
    """

    good = np.zeros((70, 90), dtype=bool)

    def board(self, size):
        y, x = np.indices(self.good.shape)
        return 0.5 * size * (-1.0)**(x + y)

    def test_ratio(self):
        # two pixels of Gaussian noise differ by 2 / sqrt(pi) in the mean
        ratio = noise_in_cells(self.board(3.0), self.good, 1.5)
        np.testing.assert_allclose(ratio, np.full((2, 8, 8), np.pi**0.5))
        stripes = (np.arange(90) % 2) * np.ones((70, 1))
        ratio = noise_in_cells(stripes, self.good, np.ones((70, 90)))
        np.testing.assert_allclose(ratio[0], np.pi**0.5 / 2)
        assert np.isnan(ratio[1]).all()

    def test_smallest(self):
        for shape in ((32, 40), (40, 32), (31, 40), (40, 31)):
            part = np.s_[:shape[0], :shape[1]]
            ratio = noise_in_cells(self.board(1.0)[part], self.good[part], 1.0)
            assert (ratio is None) == (min(shape) < 32)

    @pytest.mark.parametrize(('ratio', 'is_wrong'), [
        # correlated, and understated
        (0.48, True), (0.52, False), (1.47, False), (1.53, True)])
    def test_limits(self, ratio, is_wrong):
        image = self.board(ratio * 2 / np.pi**0.5)
        assert noise_is_wrong(image, self.good, 1.0) == is_wrong

    @pytest.mark.parametrize(('factor', 'is_wrong'), [
        (1.46, False), (1.54, True)])
    @pytest.mark.parametrize('part', [
        np.s_[:35, :45], np.s_[:35, 45:], np.s_[35:, :45], np.s_[35:, 45:]])
    def test_uneven(self, part, factor, is_wrong):
        image = self.board(0.8)
        image[part] *= factor
        assert noise_is_wrong(image, self.good, 1.0) == is_wrong
        noise = np.ones(image.shape)
        noise[part] *= factor
        assert not noise_is_wrong(image, self.good, noise)
