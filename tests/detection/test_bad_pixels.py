# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the bad_pixels module.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof.detection.bad_pixels import find_bad_pixels

CENTRE = (25.2, 24.7)


@pytest.fixture(name='rng')
def fixture_rng():
    return np.random.default_rng(5)


def none(image):
    return np.zeros(image.shape, dtype=bool)


def disc(peak=60.0, *, scale=12.0, fwhm=3.0):
    """
    A disc behind a Gaussian PSF.
    """
    y, x = np.mgrid[:51, :51]
    r = np.hypot(x - CENTRE[0], (y - CENTRE[1]) / 0.6)
    image = gaussian_filter(np.exp(-r / scale), fwhm / 2.3548)
    return peak * image / image.max()


def point_sources(fwhm, beta, size=126, spacing=14):
    """
    Point sources on a bright level, at random places within their pixels.
    """
    rng = np.random.default_rng(int(10 * fwhm))
    y, x = np.mgrid[:size, :size]
    image = np.zeros((size, size))
    for row in range(spacing // 2, size, spacing):
        for column in range(spacing // 2, size, spacing):
            dy, dx = rng.uniform(-0.5, 0.5, 2)
            part = np.s_[row - 7:row + 8, column - 7:column + 8]
            r2 = (y[part] - row - dy)**2 + (x[part] - column - dx)**2
            if beta is None:
                light = np.exp(-4 * np.log(2) * r2 / fwhm**2)
            else:
                light = (1 + 4 * (2**(1 / beta) - 1) * r2 / fwhm**2)**-beta
            image[part] += 10**rng.uniform(1.3, 3.5) * light
            # (a smooth galaxy beneath: it makes nuclei look sharp)
            image[part] += 10**rng.uniform(1, 3) * np.exp(-r2 / 18)
    return image


def find(image, sigma=1.0, **options):
    found = find_bad_pixels(image, none(image), CENTRE, sigma, **options)
    return [] if found is None else [
        (int(x), int(y)) for y, x in np.argwhere(found)]


class TestBright:
    @pytest.mark.parametrize('times', [2, 20, 300])
    @pytest.mark.parametrize('place', [(25, 25), (26, 24), (27, 27), (30, 20)])
    def test_cosmic_ray(self, rng, place, times):
        image = disc() + rng.normal(size=(51, 51))
        image[place[1], place[0]] += 60 * times
        assert find(image) == [place]

    @pytest.mark.parametrize(('fwhm', 'beta'), [
        (1.2, None), (1.2, 2.5), (1.5, None), (1.5, 3.0), (2.0, None),
        (2.0, 2.5), (4.0, 3.0)])
    def test_point_sources_stay(self, rng, fwhm, beta):
        image = point_sources(fwhm, beta)
        image += rng.normal(size=image.shape)
        assert find(image, reach=300) == []

    def test_models_without_noise_stay(self):
        y, x = np.mgrid[:51, :51]
        for q in (1.0, 0.5):
            # (r^1/4, seen through no PSF at all)
            r = np.hypot(x - 25.0, (y - 25.0) / q) + 0.3
            assert find(np.exp(-7.67 * (r / 20)**0.25), 1e-6) == []

    def test_photons_stay(self):
        # three photons make a pixel as bright as three times the noise
        rng = np.random.default_rng(1)
        for _ in range(10):
            counts = rng.poisson(disc(20.0)) + rng.normal(size=(51, 51))
            assert find(counts) == []
            assert find(counts, gain=1.0) == []

    def test_gain(self, rng):
        image = disc() + rng.normal(size=(51, 51))
        image[25, 25] += 90
        assert find(image, gain=100.0) == [(25, 25)]
        # (of less than a photon a unit, 90 are no surprise)
        assert find(image, gain=0.1) == []

    def test_beyond_the_reach(self, rng):
        image = disc() + rng.normal(size=(51, 51))
        image[25, 38] += 500
        assert find(image, reach=25) == [(38, 25)]
        assert find(image, reach=8) == []

    def test_level_of_the_sky(self, rng):
        image = disc() + rng.normal(size=(51, 51))
        image[25, 26] += 180
        assert find(image + 1e4, sky=1e4) == [(26, 25)]


class TestDark:
    @pytest.mark.parametrize('value', [0.0, -50.0])
    @pytest.mark.parametrize('places', [
        [(25, 25)], [(27, 24)], [(24, 25), (25, 25), (26, 25)],
        [(25, 24), (25, 25), (26, 24), (26, 25)]])
    def test_dead_pixels(self, rng, places, value):
        image = disc() + rng.normal(size=(51, 51))
        for x, y in places:
            image[y, x] = value
        assert sorted(find(image)) == sorted(places)

    def test_dim_pixel(self, rng):
        image = disc(300.0) + rng.normal(size=(51, 51))
        image[24, 26] *= 0.25
        assert find(image) == [(26, 24)]

    def test_sky_between_sources_stays(self, rng):
        image = point_sources(1.5, None, spacing=5, size=100)
        image += rng.normal(size=image.shape)
        assert find(image, reach=100) == []

    def test_photons_missing_by_chance(self):
        # (of eight photons each, one pixel in three thousand has none)
        counts = np.random.default_rng(2).poisson(8.0, (201, 201)) * 1.0
        assert (counts == 0).sum() > 5
        assert find(counts, 0.3, reach=200) == []


def test_edges_and_masks(rng):
    image = disc() + rng.normal(size=(51, 51))
    image[25, 25] += 600
    mask = none(image)
    mask[25, 26] = True
    # (what a neighbour had is not known)
    assert find_bad_pixels(image, mask, CENTRE, 1.0) is None
    assert find_bad_pixels(image[20:28, 20:28], mask[20:28, 20:28],
                           (5, 5), 1.0) is None
    assert find_bad_pixels(image, none(image), (90.0, 25.0), 1.0) is None
    assert find_bad_pixels(image, none(image), CENTRE, 0.0) is None
