# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The sky of images with and without room beside the galaxy.
"""

from itertools import pairwise

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof.background.level import (
    Sky,
    _ellipse_radius,
    _Rings,
    measure_sky,
)

SHAPE = (200, 220)
CENTRE = (112.0, 97.0)
SIGMA = 0.3


def image_of(r_e, *, n=1.0, ellip=0.4, amplitude=3.0, seed=0, noise=SIGMA):
    """
    A galaxy with white noise, and no sky.
    """
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    galaxy = Sersic2D(amplitude, r_e, n, *CENTRE, ellip=ellip, theta=0.7)
    rng = np.random.default_rng(seed)
    return galaxy(x, y) + noise * rng.normal(size=SHAPE)


def sky_of(image, **options):
    """
    Its sky, with no pixel masked.
    """
    return measure_sky(image, np.zeros(image.shape, bool), (109.5, 99.5),
                       **options)


class TestFreeSky:
    @pytest.mark.parametrize('seed', range(3))
    def test_level_and_error(self, seed):
        sky = sky_of(image_of(8, seed=seed) + 5)
        assert sky.how == 'free'
        assert abs(sky.level - 5) < 3 * sky.error
        assert sky.error < 0.03 * SIGMA
        assert sky.correlation == 1.0

    def test_other_objects(self):
        image = image_of(8)
        rng = np.random.default_rng(4)
        for x, y in zip(rng.integers(0, 220, 25), rng.integers(0, 200, 25),
                        strict=True):
            image[y, x] += 200
        image = gaussian_filter(image, 1.2)
        sky = sky_of(image)
        assert abs(sky.level) < 0.06 * SIGMA

    def test_empty_frame(self):
        image = np.random.default_rng(1).normal(7, SIGMA, SHAPE)
        sky = sky_of(image)
        assert sky.how == 'free'
        assert_allclose(sky.level, 7, atol=4 * sky.error)

    def test_reach(self):
        small, large = (sky_of(image_of(r_e)).reach for r_e in (5, 15))
        assert 5 < small < large < 100


class TestBlend:
    @pytest.mark.parametrize('seed', [0, 1, 2])
    def test_row_of_galaxies(self, seed):
        # brighter ones that touch it on one side are not its ellipse
        rows, columns = np.indices((200, 200))
        image = np.random.default_rng(seed).normal(0.0, SIGMA, (200, 200))
        for x, y, peak, scale in ((100, 100, 170.0, 6.0),
                                  (138, 90, 400.0, 6.0),
                                  (180, 64, 1000.0, 8.0)):
            image += SIGMA * peak * np.exp(
                -np.hypot(columns - x, rows - y) / scale)
        sky = measure_sky(image, np.zeros(image.shape, bool), (100, 100))
        assert abs(sky.level) < 0.3 * SIGMA
        assert sky.how == 'free'


class TestTail:
    @pytest.mark.parametrize('seed', range(3))
    @pytest.mark.parametrize('n', [1.0, 2.5])
    def test_galaxy_fills_frame(self, n, seed):
        image = image_of(55, n=n, ellip=0.1, seed=seed)
        sky = sky_of(image + 0.6)
        assert sky.how == 'tail'
        assert abs(sky.level - 0.6) < 3 * sky.error
        assert 0.02 * SIGMA < sky.error < SIGMA
        # the faintest pixels, by which the level was judged, are galaxy
        assert np.quantile(image, 0.05) + 0.6 + SIGMA > sky.level

    def test_ellipses_that_are_known(self):
        image = image_of(40, ellip=0.6)
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        dx, dy = x - CENTRE[0], y - CENTRE[1]
        c, s = np.cos(0.7), np.sin(0.7)
        radius = np.hypot(dx * c + dy * s, (dy * c - dx * s) / 0.4)
        sky = sky_of(image, radius=radius)
        assert abs(sky.level) < 3 * sky.error


class TestInvariance:
    @pytest.mark.parametrize('r_e', [8, 55])
    @pytest.mark.parametrize('constant', [-5 * SIGMA, 2 * SIGMA,
                                          1000 * SIGMA])
    def test_constant(self, r_e, constant):
        image = image_of(r_e)
        one, two = sky_of(image), sky_of(image + constant)
        assert_allclose(two.level - constant, one.level, atol=1e-9)
        assert_allclose(two.error, one.error, rtol=1e-9)
        assert two.how == one.how

    @pytest.mark.parametrize('factor', [1e-40, 1e-12, 1e30])
    def test_unit(self, factor):
        image = image_of(30) + 1
        one, two = sky_of(image), sky_of(factor * image)
        assert_allclose(two.level / factor, one.level, rtol=1e-9)
        assert_allclose(two.error / factor, one.error, rtol=1e-9)
        assert_allclose(two.correlation, one.correlation)

    def test_constant_image(self):
        sky = sky_of(np.full(SHAPE, 3.0))
        assert (sky.level, sky.error) == (3.0, 0.0)

    def test_no_noise(self):
        sky = sky_of(image_of(6, noise=0.0) + 2)
        assert_allclose(sky.level, 2, atol=1e-3)

    def test_nothing_to_see(self):
        sky = measure_sky(np.ones(SHAPE), np.ones(SHAPE, bool), CENTRE)
        assert sky.how == 'tail'
        assert sky.error == np.inf

    @pytest.mark.parametrize('shape', [(40, 40), (64, 200), (700, 600)])
    def test_shapes(self, shape):
        image = np.random.default_rng(2).normal(1, SIGMA, shape)
        bad = np.zeros(shape, bool)
        bad[::2] = True
        sky = measure_sky(image, bad, (20.0, 20.0))
        assert abs(sky.level - 1) < 5 * max(sky.error, 0.01 * SIGMA)

    def test_counts(self):
        """
        A sky of few photons has a mean that is not its median.
        """
        image = np.random.default_rng(5).poisson(0.3, SHAPE).astype(float)
        assert_allclose(sky_of(image).level, 0.3, atol=0.02)


class TestPhotons:
    @pytest.mark.parametrize('light', [0.02, 0.05, 0.15, 0.5, 1.5])
    @pytest.mark.parametrize('n', [100, 200])
    def test_level(self, n, light):
        """
        Nothing is taken from the sky as outliers, however few photons it has.
        """
        y, x = np.mgrid[:n, :n]
        galaxy = 2 * np.exp(-np.hypot(x - n / 2, (y - n / 2) / 0.7) / 6)
        found = []
        for seed in range(4):
            image = np.random.default_rng(seed).poisson(galaxy + light)
            sky = measure_sky(image.astype(float), galaxy > 9, (n / 2, n / 2))
            assert abs(sky.level - light) < 3.5 * sky.error
            found.append(sky.level - light)
        # (the noise of 9000 pixels is 0.01 of that of one)
        assert abs(np.mean(found)) < 0.03 * np.sqrt(light)


class TestEllipse:
    @pytest.mark.parametrize('theta', [-1.2, 0.6, 2.0])
    @pytest.mark.parametrize(('q', 'found'), [(0.5, 0.5), (0.12, 0.2)])
    def test_radius(self, theta, q, found):
        # of moments of what is above two times the noise; not too flat
        y, x = np.mgrid[:161, :170]
        u = (x - 84) * np.cos(theta) + (y - 77) * np.sin(theta)
        v = (y - 77) * np.cos(theta) - (x - 84) * np.sin(theta)
        image = 5 + 100 * np.exp(-0.5 * (u**2 + (v / q)**2) / 15**2)
        none = np.zeros(image.shape, bool)
        # (a brighter one is farther than one may search)
        image[5:9, 5:9] = 500.0
        radius, centre = _ellipse_radius(image, none, (86.0, 75.0), 5.0, 1.0,
                                         5.0)
        assert centre == (84, 77)
        far = np.hypot(x - 84, y - 77) > 20
        expected = np.hypot(u, v / found)
        assert_allclose(radius[far], expected[far], rtol=0.08)
        hidden = none.copy()
        hidden[70:85, 76:93] = True
        radius, centre = _ellipse_radius(image, hidden, (86.0, 75.0), 5.0,
                                         1.0, 5.0)
        assert centre == (86, 75)
        assert_allclose(radius, np.hypot(x - 86, y - 75))

    def test_rings(self):
        # of one pixel each up to eight, then of eight per cent
        rng = np.random.default_rng(1)
        image = rng.normal(size=(60, 70))
        image[rng.random(image.shape) < 0.05] += 10
        hidden = rng.random(image.shape) < 0.1
        y, x = np.indices(image.shape)
        radius = np.hypot(x - 30, y - 33)
        rings = _Rings(image, hidden, radius, 1.0)
        at, median, _ = rings.medians()
        sma, mean, error = rings.means()
        edges = np.append(np.arange(8), 8 * np.exp(0.08 * np.arange(30)))
        k = 0
        for low, high in pairwise(edges):
            use = ~hidden & (radius >= low) & (radius < high)
            if use.sum() < 3:
                continue
            assert_allclose(at[k], radius[use].mean())
            assert_allclose(median[k], np.median(image[use]))
            use &= abs(image - np.median(image[use])) <= 3
            assert_allclose(sma[k], radius[use].mean())
            assert_allclose(mean[k], image[use].mean())
            assert_allclose(error[k], use.sum()**-0.5)
            k += 1
        assert k == len(at) == len(sma) > 20

    def test_plane(self):
        image = np.random.default_rng(1).normal(size=(30, 40))
        y, x = np.indices(image.shape)
        none = np.zeros(image.shape, bool)
        rings = _Rings(image + 0.3 * (x - 5) - 0.2 * (y - 9), none,
                       np.hypot(x, y), 0.7)
        level = rings.take_plane((0.3, -0.2), (5, 9))
        assert_allclose(rings.image, image)
        assert_allclose(level, np.quantile(image, 0.15) + 0.7)


class TestBoxes:
    @pytest.mark.parametrize('side', [1, 2, 4, 8])
    @pytest.mark.parametrize('plane', [False, True])
    def test_pixels(self, side, plane):
        """
        All is in pixels, whatever the boxes; the frame is no multiple.
        """
        ny, nx = 64 * side + 3, 70 * side + 5
        x0, y0 = 33.3 * side, 36.1 * side
        y, x = np.mgrid[:ny, :nx]
        image = 4 + 5 * np.exp(-np.hypot(x - x0, y - y0) / (2.0 * side))
        image += SIGMA * np.random.default_rng(1).normal(size=image.shape)
        slope = np.array([2.0, -1.5]) * SIGMA / (70 * side) * plane
        image += slope[0] * (x - x0) + slope[1] * (y - y0)
        sky = measure_sky(image, np.zeros(image.shape, bool), (x0, y0),
                          plane=plane)
        assert_allclose(sky.level, 4, atol=0.05 * SIGMA)
        assert_allclose(sky.noise, SIGMA, rtol=0.06)
        assert_allclose(np.multiply(sky.slope, 70 * side),
                        slope * 70 * side, atol=0.15 * SIGMA)
        assert_allclose(sky.centre, (x0, y0), atol=1.2 * side)
        # five scale lengths to a hundredth of the peak, and more
        assert 8 * side < sky.reach < 25 * side
        # with its ellipses
        radius = np.hypot(x - x0, y - y0)
        known = measure_sky(image, np.zeros(image.shape, bool), (x0, y0),
                            radius=radius, plane=plane)
        assert_allclose(known.centre, (x0, y0))
        assert_allclose(known.reach, sky.reach, rtol=0.25)
        assert_allclose(known.level, 4, atol=0.05 * SIGMA)


class TestPlane:
    def test_slope(self):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        plane = 4 + 0.004 * (x - CENTRE[0]) - 0.002 * (y - CENTRE[1])
        sky = sky_of(image_of(8) + plane, plane=True)
        assert_allclose(sky.slope, (0.004, -0.002), atol=2e-4)
        assert_allclose(sky.over(SHAPE), plane, atol=0.1 * SIGMA)
        assert_allclose(sky.level, 4, atol=0.05 * SIGMA)

    def test_flat(self):
        assert Sky(2.0, 0.1, 'given').over(SHAPE) == 2.0
        assert sky_of(image_of(8)).slope == (0.0, 0.0)


class TestOver:
    def test_plane(self):
        sky = Sky(5.0, 0.1, 'free', slope=(0.1, -0.2), centre=(3.0, 2.0))
        over = sky.over((6, 8))
        assert over.shape == (6, 8)
        assert_allclose(over[2, 3], 5)
        assert_allclose(np.diff(over, axis=1), 0.1)
        assert_allclose(np.diff(over, axis=0), -0.2)
        assert Sky(5.0, 0.1, 'free', centre=(3.0, 2.0)).over((6, 8)) == 5

    @pytest.mark.parametrize(('how', 'structure', 'uncertain'), [
        ('tail', 0.0, True), ('given', 9.0, False),
        # (more than 0.12 of the noise)
        ('free', 0.23, False), ('free', 0.25, True)])
    def test_is_uncertain(self, how, structure, uncertain):
        sky = Sky(5.0, 0.1, how, structure=structure, noise=2.0)
        assert sky.is_uncertain == uncertain


def test_rings_of_which_nothing_is_left():
    """
    Where every pixel belongs to some object, no ring has a mean.
    """
    y, x = np.mgrid[:20, :30]
    rings = _Rings(np.ones((20, 30)), np.zeros((20, 30), bool),
                   np.hypot(x - 15, y - 10), 1.0)
    rings.masked = np.ones((20, 30), bool)
    rings.find_others(0.0)
    assert rings.masked.all()
    assert [part.size for part in rings.means()] == [0, 0, 0]
