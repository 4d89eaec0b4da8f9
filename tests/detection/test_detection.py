# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the galaxy and gaps modules of detection.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.detection.galaxy import (
    find_galaxy,
    is_hidden,
    sky_tilt,
)
from astro_pix2prof.detection.gaps import fill_gaps


@pytest.fixture(name='image')
def fixture_image():
    y, x = np.mgrid[:201, :201]
    u = (x - 100) * 0.8 + (y - 100) * 0.6
    v = ((y - 100) * 0.8 - (x - 100) * 0.6) / 0.6
    noise = np.random.default_rng(0).normal(size=(201, 201))
    return 60 * np.exp(-np.hypot(u, v) / 9) + noise


class TestFillGaps:
    def test_no_gap(self, image):
        filled, blind = fill_gaps(image, np.zeros(image.shape, bool))
        assert_allclose(filled, image)
        assert not blind.any()

    def test_values_below_gaps_do_not_matter(self, image):
        bad = np.zeros(image.shape, bool)
        bad[90:96, 20:180] = True
        one = fill_gaps(np.where(bad, np.nan, image), bad)[0]
        two = fill_gaps(np.where(bad, 1e9, image), bad)[0]
        assert_allclose(one, two)
        assert_allclose(one[~bad], image[~bad])
        assert abs(one[bad] - image[bad]).mean() < 3

    def test_wide_gap_is_blind(self, image):
        bad = np.zeros(image.shape, bool)
        bad[:, :120] = True
        filled, blind = fill_gaps(image, bad)
        assert blind[:, :60].all()
        assert not blind[:, 115:].any()
        assert not filled[blind].any()


class TestFindGalaxy:
    def find(self, image, bad=None, position=(100, 100), search_radius=25):
        if bad is None:
            bad = np.zeros(image.shape, bool)
        return find_galaxy(image, bad, 1.0, position,
                           search_radius=search_radius)

    @pytest.mark.parametrize('radius', [3, 5, 8])
    def test_masked_core(self, image, radius):
        y, x = np.mgrid[:201, :201]
        bad = np.hypot(x - 101, y - 100) < radius
        found = self.find(np.where(bad, -1e5, image), bad)
        assert is_hidden(bad, found.centre, found.sma)
        assert np.hypot(found.centre[0] - 100, found.centre[1] - 100) < 1.0
        assert_allclose(found.eps, self.find(image).eps, atol=0.06)

    def test_missing_columns(self, image):
        bad = np.zeros(image.shape, bool)
        bad[:, 104:116] = True
        found = self.find(np.where(bad, 0.0, image), bad)
        whole = self.find(image)
        assert_allclose(found.centre, (100, 100), atol=0.5)
        assert_allclose(found.eps, whole.eps, atol=0.06)
        assert_allclose(found.theta, whole.theta, atol=0.1)

    @pytest.mark.parametrize('angle', [0.0, 2.0, 4.0])
    def test_tilted_sky(self, image, angle):
        y, x = np.mgrid[:201, :201] / 200 - 0.5
        tilt = 2.0 * (x * np.cos(angle) + y * np.sin(angle))
        found = self.find(image + tilt)
        assert_allclose(found.centre, (100, 100), atol=0.6)
        fitted = sky_tilt(image + tilt, np.zeros(image.shape, bool), 1.0)
        assert abs(fitted - tilt).max() < 0.3

    def test_bleed_trail(self, image):
        image = image.copy()
        image[:, 111:114] += 400
        found = self.find(image)
        assert np.hypot(found.centre[0] - 100, found.centre[1] - 100) < 1.5

    def test_stays_within_the_search_radius(self, image):
        rng = np.random.default_rng(5)
        image = image.copy()
        image[100, :] += 1000.0
        image[:, 60] += 1000.0
        for _ in range(5):
            position = rng.uniform(40, 160, 2)
            found = self.find(image, position=tuple(position),
                              search_radius=6.0)
            assert np.hypot(*(found.centre - position)) <= 6.0 + 1e-6
