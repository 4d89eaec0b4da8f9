# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the interpolated module.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from astro_pix2prof.background.interpolated import is_interpolated
from astro_pix2prof.background.level import first_sky
from astro_pix2prof.detection.galaxy import find_galaxy

Y, X = np.indices((128, 128)) - 63.5


def galaxy(*, scale=6.0, seed=0):
    noise = np.random.default_rng(seed).normal(size=X.shape)
    return 60 * np.exp(-np.hypot(X, Y) / scale) + noise


def none(image):
    return np.zeros(image.shape, bool)


class TestInterpolated:
    @pytest.mark.parametrize('scale', [1.0, 6.0, 40.0])
    def test_pixels(self, scale):
        image = galaxy(scale=scale)
        assert not is_interpolated(image, none(image))
        # nor where it was smoothed a little, or resampled to finer pixels
        for other in (gaussian_filter(image, 0.8), zoom(image, 1.5, order=1)):
            assert not is_interpolated(other, none(other))

    @pytest.mark.parametrize('order', [1, 3])
    def test_enlarged(self, order):
        image = zoom(galaxy(), 3, order=order)
        assert is_interpolated(image, none(image))
        # along both axes
        image = zoom(galaxy(), (3, 1), order=order)
        assert not is_interpolated(image, none(image))

    def test_missing(self):
        image = zoom(galaxy(), 3, order=1)
        bad = none(image)
        bad[:200] = True
        image[bad] = np.random.default_rng(1).normal(size=bad.sum())
        assert is_interpolated(image, bad)
        assert not is_interpolated(image, ~none(image))

    def test_small(self):
        for n in (1, 5, 20):
            assert not is_interpolated(np.zeros((n, n)), np.zeros((n, n),
                                                                  bool))


@pytest.mark.parametrize('order', [1, 3])
def test_sky_and_galaxy(order):
    """
    The noise of enlarged pixels is no light of sources.
    """
    image = zoom(galaxy(), 3, order=order)
    level, sigma = first_sky(image, none(image))
    # (of the noise of 1, most of which is left)
    assert abs(level) < 0.15
    assert 0.6 < sigma < 1
    found = find_galaxy(image - level, none(image), sigma, (190.5, 190.5),
                        search_radius=25)
    assert 0.01 < found.galaxy.mean() < 0.15
    # (the first and the last pixels lie on each other)
    centre = 63.5 * 383 / 127
    assert np.hypot(*np.subtract(found.centre, centre)) < 1
