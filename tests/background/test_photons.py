# Licensed under a 3-clause BSD style license - see LICENSE.rst
import numpy as np
import pytest

from astro_pix2prof.background.noise import noise_is_wrong
from astro_pix2prof.background.photons import (
    find_photon,
    photon_noise_in_cells,
)

NONE = np.zeros((128, 128), bool)


def sky(mean, *, seed=0, shape=NONE.shape):
    return np.random.default_rng(seed).poisson(mean, shape).astype(float)


class TestFindPhoton:
    @pytest.mark.parametrize('mean', [0.003, 0.02, 0.1, 0.5])
    @pytest.mark.parametrize(('unit', 'level'), [(1.0, 0.0), (2e-3, -7e-4)])
    def test_found(self, mean, unit, level):
        found = find_photon(unit * sky(mean) + level, NONE)
        assert found == pytest.approx(unit)

    def test_response_that_varies(self):
        # counts divided by an exposure that differs across the frame
        data = sky(0.05) / np.linspace(0.9, 1.1, 128)
        assert find_photon(data, NONE) == pytest.approx(1.0, rel=0.1)

    def test_most_pixels_have_some(self):
        assert find_photon(sky(1.0), NONE) is None

    def test_noise(self):
        noise = np.random.default_rng(1).normal(size=NONE.shape)
        assert find_photon(noise, NONE) is None
        # negative values were set to zero, also in a sky that is too low
        assert find_photon(np.maximum(noise, 0), NONE) is None
        assert find_photon(np.maximum(noise - 0.5, 0), NONE) is None

    @pytest.mark.parametrize('sigma', [0.8, 1.0, 1.5, 2.0, 2.5, 3.0])
    def test_noise_above_a_level(self, sigma):
        """
        What lies below a level was set to zero, or to the level.
        """
        for seed in range(5):
            noise = np.random.default_rng(seed).normal(size=(256, 256))
            for data in (np.where(noise < sigma, 0, noise),
                         np.maximum(noise, sigma),
                         np.where(noise < sigma, 0, np.round(10 * noise))):
                assert find_photon(data, np.zeros(data.shape, bool)) is None

    @pytest.mark.parametrize('sigma', [1.0, 1.5, 2.0])
    def test_noise_above_a_level_in_steps(self, sigma):
        # the pixels of one and two steps are as many as of photons, where
        # the steps are coarse, but not where they are half of the noise
        noise = np.random.default_rng(1).normal(size=(256, 256))
        data = np.maximum(np.round(2 * (noise - sigma)), 0)
        assert find_photon(data, np.zeros(data.shape, bool)) is None

    @pytest.mark.parametrize(('scatter', 'found'), [
        (0.03, True), (0.06, False)])
    def test_flat_field_of_pixels(self, scatter, found):
        # two values differ by 0.67 * sqrt(2) of their scatter, as a median
        flat = np.random.default_rng(5).normal(1, scatter, NONE.shape)
        assert (find_photon(sky(0.05) / flat, NONE) is not None) == found

    @pytest.mark.parametrize('number', [11, 12])
    def test_few_that_differ(self, number):
        # fewer tell nothing
        data = np.zeros(NONE.shape)
        data.flat[::NONE.size // number + 1] = np.linspace(1, 1.4, number)[
            np.random.default_rng(3).permutation(number)]
        assert np.count_nonzero(data) == number
        assert (find_photon(data, NONE) is not None) == (number == 11)

    @pytest.mark.parametrize(('twos', 'found'), [(22, True), (24, False)])
    def test_twos_that_stand_alone(self, twos, found):
        # 320 with one: 0.8 with two follow; twice as many, 16 and 5 are
        # usual
        data = np.zeros((256, 256))
        rows = data[1::4, 1::4]
        rows.flat[:320], rows.flat[320:320 + twos] = 1.0, 2.0
        usual = 5 + 320 * (320 / (data.size - 320 - twos) + 0.05)
        assert (twos <= usual) == found
        mask = np.zeros(data.shape, bool)
        assert (find_photon(data, mask) is not None) == found
        # those beside others are of a galaxy
        data[1::4, 2::4].flat[320:320 + twos] = 2.0
        assert find_photon(data, mask) == 1.0

    def test_response_of_a_telescope(self):
        y, x = np.indices((256, 256)) / 128 - 1
        photons = sky(0.02, shape=x.shape)
        mask = np.zeros(x.shape, bool)
        for flat in (1 - 0.12 * (x**2 + y**2), 1 + 0.15 * x,
                     np.where(x > 0.2, 1, 0.8)):
            assert find_photon(photons / flat, mask) == pytest.approx(
                1.0, rel=0.3)

    def test_rounded_sky(self):
        noise = 0.2 * np.random.default_rng(2).normal(size=NONE.shape)
        assert find_photon(np.round(noise + 0.2), NONE) is None

    @pytest.mark.parametrize(('ones', 'twos', 'found'), [
        # 6.5 pixels of 16,384 should have two: none has by chance in 1 of 700
        (450, 0, False), (360, 0, True),
        # 20 of them: there are 5 or fewer by chance in 1 of 14,000
        (790, 5, False), (790, 8, True)])
    def test_pixels_with_two(self, ones, twos, found):
        data = np.zeros(NONE.size)
        data[:ones], data[ones:ones + twos] = 1.0, 2.0
        data = np.random.default_rng(4).permutation(data)
        photon = find_photon(data.reshape(NONE.shape), NONE)
        assert photon == (1.0 if found else None)
        # other values are not two
        if twos == 8:
            data[data == 2] = 1.4
            assert find_photon(data.reshape(NONE.shape), NONE) is None
            data[data == 1.4] = 2.9
            assert find_photon(data.reshape(NONE.shape), NONE) is None

    def test_sky_that_is_rounded_up(self):
        noise = 0.15 * np.random.default_rng(2).normal(size=NONE.shape)
        data = np.round(noise + 0.25)
        assert set(np.unique(data)) == {0, 1}
        assert find_photon(data, NONE) is None

    @pytest.mark.parametrize(('light', 'found'), [(220, True), (570, False)])
    def test_galaxy(self, light, found):
        """
        Half of the pixels with light may be those of a galaxy, not most.
        """
        data = np.zeros(NONE.shape)
        rng = np.random.default_rng(6)
        data.flat[rng.permutation(data.size)[:260]] = 1.0
        apart = np.hypot(*(np.indices(data.shape) - 64.0)).ravel()
        inside = np.argsort(apart)[:light]
        # (every other pixel, so that the others are beside empty ones)
        data.flat[inside] = rng.integers(3, 60, light) * (
            rng.random(light) < 0.98)
        assert (find_photon(data, NONE) is not None) == found

    @pytest.mark.parametrize(('width', 'found'), [(4, True), (6, False)])
    def test_extended_light(self, width, found):
        """
        Pixels with light that are beside others are no photons of a sky.
        """
        data = np.repeat(sky(0.02, shape=(128, 120 // width)), width, axis=1)
        mask = np.zeros(data.shape, bool)
        assert (find_photon(data, mask) is not None) == found

    def test_masked_neighbours(self):
        # every photon lights six pixels of a row, of which one is masked
        data = np.repeat(sky(0.02, shape=(128, 20)), 6, axis=1)
        mask = np.zeros(data.shape, bool)
        mask[:, ::6] = True
        data[mask] = 0.0
        assert find_photon(data, mask) is None

    def test_border_of_zeros(self):
        data = 100 + np.random.default_rng(3).normal(size=NONE.shape)
        data[:, 40:] = 0.0
        assert find_photon(data, NONE) is None

    def test_masked(self):
        data = sky(0.02)
        data[:64] = -99.0
        mask = NONE.copy()
        mask[:64] = True
        assert find_photon(data, mask) == 1.0
        assert find_photon(data, ~NONE) is None

    def test_nothing(self):
        assert find_photon(np.zeros(NONE.shape), NONE) is None


class TestNoise:
    @pytest.mark.parametrize('mean', [0.005, 0.02, 0.05, 0.4])
    def test_right(self, mean):
        for seed in range(10):
            data = sky(mean, seed=seed, shape=(256, 256))
            mask = np.zeros(data.shape, bool)
            assert find_photon(data, mask) == 1.0
            assert not noise_is_wrong(data, mask, np.sqrt(mean))
            assert not noise_is_wrong(
                data, mask, np.full(data.shape, np.sqrt(mean)))

    def test_ratio(self):
        # differences of independent pixels have twice their variance
        ratio = photon_noise_in_cells(sky(0.1, shape=(512, 512)),
                                      np.zeros((512, 512), bool),
                                      2 * np.sqrt(0.1), 1.0)
        assert ratio.shape == (2, 8, 8)
        np.testing.assert_allclose(ratio.mean((1, 2)), 0.5, rtol=0.02)

    def test_pixels_that_do_not_count(self):
        data = 2e-3 * sky(0.1, shape=(512, 512))
        rng = np.random.default_rng(8)
        mask = rng.random(data.shape) < 0.1
        data[mask] = 1.0
        noise = np.full(data.shape, 4e-3 * np.sqrt(0.1))
        for value in (0.0, np.inf, np.nan):
            bad = rng.random(data.shape) < 0.03
            noise[bad], data[bad] = value, 1.0
        ratio = photon_noise_in_cells(data, mask, noise, 2e-3)
        np.testing.assert_allclose(ratio.mean((1, 2)), 0.5, rtol=0.02)

    def test_masked_cells(self):
        """
        A cell of which most is masked is not known.
        """
        mask = np.zeros((512, 512), bool)
        mask[:44, :64] = mask[64:84, :64] = True
        ratio = photon_noise_in_cells(sky(0.1, shape=mask.shape), mask,
                                      np.sqrt(0.1), 1.0)
        assert np.isnan(ratio[:, 0, 0]).all()
        assert np.isfinite(ratio).sum() == ratio.size - 2
        np.testing.assert_allclose(ratio[:, 1, 0], 1.0, atol=0.2)

    @pytest.mark.parametrize('unit', [1.0, 2e-3])
    @pytest.mark.parametrize(('number', 'cells'), [(20, 8), (12, 4)])
    def test_photons_in_a_cell(self, number, cells, unit):
        """
        Sixteen in most of 8 by 8 cells tell their noise to an eighth.
        """
        mask = np.zeros((256, 256), bool)
        data = np.zeros(mask.shape)
        for y in range(8):
            for x in range(8):
                place = np.random.default_rng([x, y]).permutation(15**2)
                j, i = np.divmod(place[:number], 15)
                data[32 * y + 2 * j + 1, 32 * x + 2 * i + 1] = unit
        ratio = photon_noise_in_cells(data, mask, 0.1 * unit, unit)
        assert ratio.shape == (2, cells, cells)
        # each changes twice in a row, and there are 32 by 32 pixels
        expected = np.sqrt(number / 32**2) / 0.1
        np.testing.assert_allclose(ratio, expected, rtol=0.02)

    def test_too_few(self):
        # 64 by 64 pixels with one photon in 200 tell nothing
        part = np.s_[:64, :64]
        assert photon_noise_in_cells(sky(0.005)[part], NONE[part], 0.07,
                                     1.0) is None
        assert not noise_is_wrong(sky(0.005)[part], NONE[part], 0.07)
        # four cells each way have enough where eight do not
        ratio = photon_noise_in_cells(sky(0.03), NONE, 0.17, 1.0)
        assert ratio.shape == (2, 4, 4)

    def test_understated(self):
        assert noise_is_wrong(sky(0.1), NONE, 0.5 * np.sqrt(0.1))

    def test_uneven(self):
        data = sky(0.02, shape=(256, 256))
        data[:128, :128] = sky(0.12, seed=1)
        assert noise_is_wrong(data, np.zeros(data.shape, bool),
                              np.sqrt(0.02))

    def test_correlated(self):
        # every photon lights eight pixels of a column
        data = np.repeat(sky(0.05, shape=(32, 256)), 8, axis=0)
        mask = np.zeros(data.shape, bool)
        assert find_photon(data, mask) == 1.0
        assert noise_is_wrong(data, mask, np.sqrt(0.05))

    def test_masked_half(self):
        mask = np.zeros((256, 256), bool)
        mask[:, :130] = True
        data = sky(0.03, shape=mask.shape)
        data[mask] = 0.0
        assert not noise_is_wrong(data, mask, np.sqrt(0.03))
