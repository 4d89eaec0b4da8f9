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

    def test_rounded_sky(self):
        noise = 0.2 * np.random.default_rng(2).normal(size=NONE.shape)
        assert find_photon(np.round(noise + 0.2), NONE) is None

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
