# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the precision of pixels, and of images on a large constant.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyCutout, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.image.precision import choose_precision, near_zero

SHAPE = (128, 120)
NONE = np.zeros(SHAPE, bool)
NOISE = np.random.default_rng(1).normal(size=SHAPE)
Y, X = np.indices(SHAPE)
GALAXY = 50 * gaussian_filter(
    np.exp(-np.hypot(X - 61.3, (Y - 62.1) / 0.7) / 5), 1.3)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}


class TestChoice:
    @pytest.mark.parametrize(('level', 'double'), [
        (0.0, False), (1e4, False), (-1e4, False), (2e5, True),
        (-2e5, True), (1e12, True)])
    def test_level(self, level, double):
        data, small = choose_precision(NOISE + level, NONE)
        assert data.dtype == (np.float64 if double else np.float32)
        assert small.dtype == np.float32
        assert (small is data) == (not double)
        if double:
            np.testing.assert_array_equal(data, NOISE + level)
            assert np.abs(small).max() < 10
            assert np.std(near_zero(data, NONE)) == pytest.approx(
                NOISE.std(), rel=1e-3)

    @pytest.mark.parametrize(('error', 'double'), [
        (0.004, False), (0.007, True)])
    def test_rounding(self, error, double):
        """
        Single precision has steps of a part 2^-24 to 2^-23 of a value.
        """
        # neighbours of normal noise differ by 0.95 of it (a median)
        level = error * 0.954 * 2**23
        data, _ = choose_precision(NOISE + level, NONE)
        assert data.dtype == (np.float64 if double else np.float32)

    def test_part_of_the_rows(self):
        """
        Of large images some rows are read, and all of those with few.
        """
        quiet = 1000 + 1e-4 * np.random.default_rng(2).normal(size=(48, 60))
        part = np.full(quiet.shape, True)
        part[17] = False
        assert choose_precision(quiet, part)[0].dtype == np.float64

        class Rows(np.ndarray):
            read = 0

            def __getitem__(self, key):
                found = super().__getitem__(key)
                if isinstance(key, tuple):
                    Rows.read += found.size / 2
                return found

        large = np.zeros((1024, 1024)).view(Rows)
        choose_precision(large, np.zeros(large.shape, bool))
        assert 45_000 < Rows.read < 100_000

    def test_single_is_what_it_is(self):
        # (what is lost is lost)
        for kind in ('f4', '>f4', 'i2', '>i2'):
            data, _ = choose_precision((NOISE + 3e4).astype(kind), NONE)
            assert data.dtype == np.float32
        data, _ = choose_precision((NOISE + 1e9).astype('>f8'), NONE)
        assert data.dtype == np.float64
        assert data.dtype.isnative
        counts = np.round(10 * NOISE + 1e9).astype('i4')
        np.testing.assert_array_equal(choose_precision(counts, NONE)[0],
                                      counts)

    def test_nothing_to_compare(self):
        for data in (np.full(SHAPE, 1e9), np.full(SHAPE, np.nan)):
            assert choose_precision(data, NONE)[0].dtype == np.float32
        assert choose_precision(NOISE + 1e9, ~NONE)[0].dtype == np.float32
        model = choose_precision(1e9 * GALAXY, NONE)[0]
        assert model.dtype == np.float32

    def test_blank_and_even_pixels(self):
        """
        Most of the frame is padding, or integers hardly differ.
        """
        data = NOISE + 1e8
        data[:80] = 0.0
        assert choose_precision(data, NONE)[0].dtype == np.float64
        counts = np.round(0.3 * NOISE + 1e8).astype('i4')
        np.testing.assert_array_equal(choose_precision(counts, NONE)[0],
                                      counts)

    def test_masked(self):
        data, mask = NOISE + 1e7, NONE.copy()
        data[:80] = 0.0
        mask[:80] = True
        assert choose_precision(data, mask)[0].dtype == np.float64
        # every other pixel is bad: no neighbours are left
        data, mask = NOISE.copy(), NONE.copy()
        data[:, ::2], mask[:, ::2] = NOISE[:, ::2] + 1e7, True
        assert choose_precision(data, mask)[0].dtype == np.float32
        assert near_zero(data, ~NONE) is data


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
@pytest.mark.parametrize('level', [1e6, 1e7, -1e8])
def test_profile_on_a_constant(fitter, level):
    fitter = fitter()
    usual = fitter(GALAXY + NOISE, **OPTIONS)
    profile = fitter(GALAXY + NOISE + level, **OPTIONS)
    np.testing.assert_allclose(profile['radius'], usual['radius'])
    shift = (profile['intensity'] - usual['intensity']) / (
        usual['intensity_err'])
    assert np.abs(shift).max() < 0.1
    for key in ('noise', 'sky_err', 'flag'):
        assert profile.meta[key] == pytest.approx(usual.meta[key], rel=1e-3)
    assert profile.meta['sky'] - level == pytest.approx(
        usual.meta['sky'], abs=0.1 * usual.meta['sky_err'])


def test_blanks_on_a_constant():
    data = GALAXY + NOISE + 1e7
    data[20:30, 10:50] = 0.0
    data[90, 3:9] = np.nan
    cutout = GalaxyCutout(data, **OPTIONS)
    expected = NONE.copy()
    expected[20:30, 10:50] = expected[90, 3:9] = True
    np.testing.assert_array_equal(cutout.mask, expected)
    assert cutout.background_noise == pytest.approx(1.0, rel=0.03)
    part = cutout.crop(64)
    np.testing.assert_array_equal(part.data, cutout.data[32:96, 28:92])
