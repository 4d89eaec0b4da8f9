# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the cosmic_rays module.
"""

import numpy as np
import pytest

from astro_pix2prof.detection.cosmic_rays import find_cosmic_rays


@pytest.fixture(name='rng')
def fixture_rng():
    return np.random.default_rng(3)


def stars(rng, fwhm, *, size=400, spacing=20):
    """
    Point sources of 5 to 1e4 sigma at random places within their pixels.
    """
    y, x = np.mgrid[:size, :size]
    image = np.zeros((size, size))
    for row in range(spacing // 2, size, spacing):
        for column in range(spacing // 2, size, spacing):
            dy, dx = rng.uniform(-0.5, 0.5, 2)
            part = np.s_[max(row - 9, 0):row + 10,
                         max(column - 9, 0):column + 10]
            r2 = (y[part] - row - dy)**2 + (x[part] - column - dx)**2
            image[part] += 10**rng.uniform(0.7, 4) * np.exp(
                -4 * np.log(2) * r2 / fwhm**2)
    return image


class TestFindCosmicRays:
    @pytest.mark.parametrize('fwhm', [1.5, 2.0, 4.0])
    def test_point_sources_stay(self, rng, fwhm):
        image = stars(rng, fwhm) + rng.normal(size=(400, 400))
        assert not find_cosmic_rays(image, None, 1.0).any()

    def test_nucleus_stays(self, rng):
        # A cusp that only the pixels smear, with the noise of its photons.
        y, x = np.mgrid[:101, :101]
        clean = 2000 * np.exp(-2.5 * np.hypot(x - 50.2, y - 49.7)**0.5)
        image = rng.poisson(clean * 4) / 4 + rng.normal(size=clean.shape)
        assert not find_cosmic_rays(image, None, 1.0).any()

    def test_noise_stays(self, rng):
        image = rng.normal(size=(500, 500))
        assert not find_cosmic_rays(image, None, 1.0).any()

    @pytest.mark.parametrize('height', [30, 1e3, 1e6])
    def test_hot_pixels_on_a_galaxy(self, rng, height):
        y, x = np.mgrid[:101, :101]
        image = 100 * np.exp(-np.hypot(x - 50, y - 50) / 10)
        image += rng.normal(size=image.shape)
        places = np.array([[50, 54], [70, 30], [3, 97], [0, 40], [100, 100]])
        image[tuple(places.T)] += height * np.array([8, 1, 1, 1, 1])
        found = np.argwhere(find_cosmic_rays(image, None, 1.0))
        # The corner has no two neighbours along an axis.
        assert found.tolist() == sorted(places[:-1].tolist())

    def test_tracks(self, rng):
        image = rng.normal(size=(100, 100))
        track = [(20 + k, 30 + k) for k in range(5)]
        track += [(60, 40 + k) for k in range(5)] + [(61, 44), (62, 44)]
        image[tuple(np.transpose(track))] += 200
        found = find_cosmic_rays(image, None, 1.0)
        assert [tuple(p) for p in np.argwhere(found)] == sorted(track)

    @pytest.mark.parametrize('scale', [1e-33, 1e30])
    def test_unit_and_sky_do_not_matter(self, rng, scale):
        image = rng.normal(size=(64, 64))
        image[20, 30] += 100
        found = find_cosmic_rays((image + 500) * scale, None, scale)
        assert np.argwhere(found).tolist() == [[20, 30]]

    def test_masked_and_missing(self, rng):
        image = stars(rng, 3.0, size=100) + rng.normal(size=(100, 100))
        image[:, 50] = np.nan
        image[40, :] = 1e6
        mask = np.zeros(image.shape, bool)
        mask[40] = True
        image[20, 21] += 1e5
        found = find_cosmic_rays(image, mask, np.ones(image.shape))
        assert np.argwhere(found).tolist() == [[20, 21]]

    @pytest.mark.parametrize('side', range(4))
    def test_other_end_of_the_frame(self, rng, side):
        # it is not beside this one, however bright it is
        image = rng.normal(size=(40, 40))
        image[0, 8:35:6] += 100
        expected = image > 50
        image[-3:] += 1e4
        image, expected = (np.rot90(part, side) for part in (image, expected))
        assert (find_cosmic_rays(image, None, 1.0) == expected).all()

    @pytest.mark.parametrize(('height', 'neighbour'), [
        # 0.12 of the light and the noise, or 0.29 of it less 2.5 times that
        (1000.0, 121.0), (100.0, 13.0), (20.0, 3.3), (10.0, 0.4)])
    @pytest.mark.parametrize('axis', [0, 1])
    def test_light_of_the_neighbours(self, height, neighbour, axis):
        for change, found in ((-0.05, True), (0.05, False)):
            image = np.full((15, 15), 5.0)
            image[6:9, 6:9] += neighbour + 1.0
            image[6:9, 7] -= axis * (1.0 - change)
            image[7, 6:9] -= (1 - axis) * (1.0 - change)
            image[7, 7] = 5.0 + height
            rays = find_cosmic_rays(image, None, 1.0)
            assert rays[7, 7] == found

    @pytest.mark.parametrize(('n_sigma', 'height'), [(8.0, 8.63), (20, 20)])
    def test_least_height(self, n_sigma, height):
        # (2.5 times the noise is 0.29 of 8.62)
        for change in (-0.1, 0.1):
            image = np.zeros((15, 15))
            image[7, 7] = height + change
            rays = find_cosmic_rays(image, None, 1.0, n_sigma=n_sigma)
            assert rays[7, 7] == (change > 0)

    @pytest.mark.parametrize(('known', 'found'), [(5, False), (6, True)])
    def test_few_pixels_around(self, known, found):
        # six of the sixteen pixels two away
        image, mask = np.zeros((15, 15)), np.zeros((15, 15), bool)
        image[7, 7] = 100.0
        mask[5:10, 5:10] = True
        mask[6:9, 6:9] = False
        mask[5, 5:5 + min(known, 5)] = False
        mask[6, 5] = known < 6
        rays = find_cosmic_rays(image, mask, 1.0)
        assert rays[7, 7] == found

    @pytest.mark.parametrize(('known', 'found'), [(11, False), (12, True)])
    def test_few_pixels_near(self, known, found):
        # twelve of the 49 pixels within three, with six two away
        image, mask = np.zeros((15, 15)), np.ones((15, 15), bool)
        image[7, 7] = 100.0
        mask[7, 6:9] = False
        mask[5, 5:10] = mask[9, 5] = False
        mask[4, 4:4 + known - 9] = False
        assert find_cosmic_rays(image, mask, 1.0)[7, 7] == found

    def test_no_noise(self):
        image = np.eye(20)
        for sigma in (0.0, np.nan, np.zeros(image.shape)):
            assert not find_cosmic_rays(image, None, sigma).any()
        assert not find_cosmic_rays(np.full((9, 9), np.nan), None, 1.0).any()

    def test_wrong_shapes(self):
        with pytest.raises(ValueError, match='mask must have the shape of'):
            find_cosmic_rays(np.ones((9, 9)), np.zeros((8, 9), bool), 1.0)
        with pytest.raises(ValueError, match='sigma must be a number or'):
            find_cosmic_rays(np.ones((9, 9)), None, np.ones((3, 3)))

    @pytest.mark.parametrize(('height', 'found'), [(60, False), (90, True)])
    def test_scatter_of_the_surroundings(self, height, found):
        """
        Half of the 48 pixels around are off by 10: a scatter of 7.4.

        (The median is in the middle between 0 and 10: the pixel itself does
        not count.)
        """
        image = np.zeros((21, 21))
        image[7:14, 7:14] = 10.0
        image[8:13, 8:13] = 0.0
        image[10, 10] = height
        rays = find_cosmic_rays(image, None, 1.0, n_sigma=10)
        assert rays[10, 10] == found
