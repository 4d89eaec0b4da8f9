# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of signs, angles and interpolation along ellipses.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile, model_image
from astro_pix2prof.ellipses.annuli import (
    RingMeans,
    combine_rings,
    measure_rings,
    sample_rings,
)
from astro_pix2prof.ellipses.geometry import (
    given_ellipses,
    profile_ellipses,
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.ellipses.model import ellipse_model, elliptical_radius

CENTRE = 52.3, 47.6
SHAPE = 100, 110


def distance(eps, theta):
    """
    Semi-major axis of the ellipse through each pixel.
    """
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    x, y = x - CENTRE[0], y - CENTRE[1]
    along = x * np.cos(theta) + y * np.sin(theta)
    across = y * np.cos(theta) - x * np.sin(theta)
    return np.hypot(along, across / (1 - eps))


class TestShape:
    @pytest.mark.parametrize('theta', [-1.5, -0.3, 0.0, 0.4, 1.2, 2.0, 4.0])
    def test_there_and_back(self, theta):
        e1, e2 = shape_to_components(0.3, theta)
        eps, angle = shape_from_components(e1, e2)
        assert_allclose(eps, 0.3)
        assert_allclose((angle - theta + 1) % np.pi, 1)
        assert -np.pi / 2 <= angle <= np.pi / 2

    def test_signs(self):
        # along x, along the diagonal from lower left, along y
        assert_allclose(shape_to_components(0.5, 0.0), (0.5, 0), atol=1e-15)
        assert_allclose(shape_to_components(0.5, np.pi / 4), (0, 0.5),
                        atol=1e-15)
        assert_allclose(shape_to_components(0.5, np.pi / 2), (-0.5, 0),
                        atol=1e-15)

    def test_mean_across_zero(self):
        e1, e2 = shape_to_components(0.4, np.radians([2.0, 178.0]))
        eps, theta = shape_from_components(e1.mean(), e2.mean())
        assert_allclose(theta, 0, atol=1e-12)
        assert_allclose(eps, 0.4 * np.cos(np.radians(4)))


@pytest.mark.parametrize('theta', [0.0, 0.5, 1.4, 2.4])
class TestAngles:
    def test_radius(self, theta):
        sma = np.array([1.0, 80.0])
        radius = elliptical_radius(SHAPE, CENTRE, sma, np.full(2, 0.45),
                                   np.full(2, theta))
        assert_allclose(radius, distance(0.45, theta), rtol=1e-9)

    def test_rings(self, theta):
        # the mean along the ellipses of an elliptical galaxy has no scatter
        image = np.exp(-distance(0.45, theta) / 9)
        sma = np.array([6.0, 15.0, 30.0])
        rings = measure_rings(image, np.ones(SHAPE, bool), CENTRE, sma,
                              np.full(3, 0.45), np.full(3, theta), sigma=1e9)
        assert_allclose(rings.mean, np.exp(-sma / 9), rtol=0.01)
        assert np.all(rings.scatter < 0.02 * rings.mean)
        assert_allclose(rings.n_valid, 1)
        # perimeter: Ramanujan
        q = 0.55
        perimeter = np.pi * sma * (3 * (1 + q) - np.sqrt(
            (3 + q) * (1 + 3 * q)))
        assert_allclose(rings.n_pixels, perimeter, rtol=0.01)

    def test_model(self, theta):
        sma = np.linspace(0, 40, 81)
        value = np.exp(-sma / 9)
        model = ellipse_model(SHAPE, CENTRE, sma, np.full(81, 0.45),
                              np.full(81, theta), value)
        radius = distance(0.45, theta)
        inside = radius < 39
        assert_allclose(model[inside], np.exp(-radius[inside] / 9), rtol=2e-3)
        # zero beyond a tenth more and a pixel, half of it halfway
        assert np.all(model[radius > 45.01] == 0)
        edge = np.abs(radius - 42.5) < 0.1
        assert_allclose(model[edge], value[-1] / 2, rtol=0.1)

    def test_model_image(self, theta):
        cutout = GalaxyCutout(np.ones(SHAPE), unit='nmgy', pixel_scale=0.5)
        sma = np.linspace(0, 40, 21)
        profile = build_profile(
            cutout, sma, np.exp(-sma / 9), 0 * sma,
            ellipticity=np.full(21, 0.45),
            theta=np.full(21, np.degrees(theta)), centre=CENTRE)
        radius = distance(0.45, theta)
        inside = radius < 39
        assert_allclose(model_image(profile, cutout)[inside],
                        np.exp(-radius[inside] / 9), rtol=5e-3)


class TestSamples:
    def test_valid(self):
        # the upper half is bad: half of each ring is left
        good = np.ones(SHAPE, bool)
        good[48:] = False
        image = np.where(good, 1.0, 100.0)
        sma = np.array([5.0, 20.0])
        rings = measure_rings(image, good, CENTRE, sma, np.zeros(2),
                              np.zeros(2), sigma=1.0)
        assert_allclose(rings.mean[1], 1, rtol=1e-6)
        assert_allclose(rings.n_valid, [0.4, 0.48], atol=0.04)
        assert_allclose(rings.n_pixels, 2 * np.pi * sma * rings.n_valid,
                        rtol=1e-3)

    def test_frame(self):
        # what lies outside of the frame does not count
        sma = np.array([40.0, 70.0, 300.0])
        rings = measure_rings(np.ones(SHAPE), np.ones(SHAPE, bool), CENTRE,
                              sma, np.zeros(3), np.zeros(3), sigma=1.0)
        assert_allclose(rings.n_valid[0], 1)
        assert 0 < rings.n_valid[1] < 0.2
        # each edge of the frame lies half a pixel outside of the last pixel
        t = np.linspace(0, 2 * np.pi, 100_000)
        for centre in (CENTRE, (10.0, 50.0), (100.0, 50.0), (50.0, 10.0),
                       (50.0, 90.0)):
            x, y = centre[0] + 40 * np.cos(t), centre[1] + 40 * np.sin(t)
            inside = ((x > -0.5) & (x < SHAPE[1] - 0.5) & (y > -0.5)
                      & (y < SHAPE[0] - 0.5))
            ring = measure_rings(np.ones(SHAPE), np.ones(SHAPE, bool),
                                 centre, sma[:1], np.zeros(1), np.zeros(1),
                                 sigma=1.0)
            assert_allclose(ring.n_valid, inside.mean(), atol=0.01)
        assert rings.n_valid[2] == 0
        assert np.isnan(rings.mean[2])
        assert rings.n_pixels[2] == 0

    @pytest.mark.parametrize(('radius', 'whole'), [(40.3, True),
                                                   (40.7, False)])
    @pytest.mark.parametrize('axis', [0, 1])
    @pytest.mark.parametrize('far', [False, True])
    def test_edge(self, radius, whole, axis, far):
        # rings that touch the edge, half a pixel beyond the last pixel
        shape = (110, 120)
        centre = [60.0, 55.0]
        centre[axis] = shape[1 - axis] - 41.0 if far else 40.0
        ring = measure_rings(np.ones(shape), np.ones(shape, bool), centre,
                             np.array([radius]), np.zeros(1), np.zeros(1),
                             sigma=1.0)
        assert (ring.n_valid[0] == 1) == whole
        assert ring.n_valid[0] > 0.95

    @pytest.mark.parametrize(('height', 'kept'), [
        (3.5, True), (4.5, False), (-5.5, True), (-6.5, False)])
    def test_clipping(self, height, kept):
        # upwards at 4, downwards at 6 times the noise
        image = np.zeros(SHAPE)
        image[58:61, 79:82] = height
        rings = measure_rings(image, np.ones(SHAPE, bool), CENTRE,
                              np.array([np.hypot(27.7, 11.4)]), np.zeros(1),
                              np.zeros(1), sigma=1.0)
        all_in = measure_rings(image, np.ones(SHAPE, bool), CENTRE,
                               np.array([np.hypot(27.7, 11.4)]), np.zeros(1),
                               np.zeros(1), sigma=1.0, clip=np.inf)
        assert abs(all_in.mean[0]) > 1e-3
        assert np.isclose(rings.mean[0], all_in.mean[0]) == kept

    def test_spline_inside(self):
        # a cusp is flattened by a bilinear interpolation
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
        image = np.exp(-np.hypot(x - CENTRE[0], y - CENTRE[1])**2 / 8)
        sma = np.array([0.0, 1.0, 2.0])
        for radius, tolerance in ((12.0, 3e-3), (0.0, 0.2)):
            rings = measure_rings(image, np.ones(SHAPE, bool), CENTRE, sma,
                                  np.zeros(3), np.zeros(3), sigma=1.0,
                                  spline_radius=radius)
            error = np.abs(rings.mean - np.exp(-sma**2 / 8)).max()
            assert error < tolerance
        assert error > 0.01

    def test_groups(self):
        # every ring once, at arcs of one pixel or less
        sma = np.array([1.0, 3.0, 5.0, 30.0, 31.0, 200.0])
        seen = []
        for index, values, weights, arc in sample_rings(
                np.ones(SHAPE), np.ones(SHAPE, bool), CENTRE, sma,
                np.zeros(6), np.zeros(6)):
            seen += index.tolist()
            assert values.shape == weights.shape == arc.shape
            assert values.shape[1] >= min(
                16, 2 * np.pi * sma[index].max() - 1)
            assert values.shape[1] >= 2 * np.pi * sma[index].max() - 1
        assert seen == list(range(6))


class TestCombine:
    def test_exponential(self):
        # true to the slope within a wide ring
        sma = np.arange(0.5, 60, 0.5)
        ones = np.ones(len(sma))
        rings = RingMeans(np.exp(-sma / 5), 0.1 * ones, 2 * np.pi * sma, ones)
        want = np.array([6.0, 10, 14, 20, 28, 36])
        wide = combine_rings(sma, rings, want, np.full(6, 3.0))
        assert_allclose(wide.mean[1:-1], np.exp(-want[1:-1] / 5), rtol=0.03)
        assert_allclose(wide.scatter, 0.1)
        assert_allclose(wide.n_valid, 1)
        # as many pixels as a triangle of that half width, once and a half
        assert_allclose(wide.n_pixels, 2 * np.pi * want * 3 * 1.5, rtol=0.08)

    def test_far(self):
        sma = np.arange(1.0, 20)
        ones = np.ones(19)
        rings = RingMeans(ones, ones, ones, ones)
        wide = combine_rings(sma, rings, np.array([10.0, 20.4, 25.0]),
                             np.ones(3))
        assert np.isfinite(wide.mean[:2]).all()
        assert np.isnan(wide.mean[2])
        assert wide.n_valid[2] == 0


class TestProfileEllipses:
    def make(self, **options):
        cutout = GalaxyCutout(np.ones(SHAPE), unit='nmgy', pixel_scale=0.5)
        sma = np.array([0.0, 4.0, 8.0])
        return cutout, build_profile(
            cutout, sma, np.ones(3), np.ones(3),
            ellipticity=np.array([0.1, 0.2, 0.3]),
            theta=np.array([170.0, 10.0, 100.0]), centre=CENTRE, **options)

    def test_values(self):
        cutout, profile = self.make()
        for function in (profile_ellipses, given_ellipses):
            centre, sma, eps, theta = function(profile, cutout)
            assert_allclose(centre, CENTRE)
            assert_allclose(sma, [0, 4, 8])
            assert_allclose(eps, [0.1, 0.2, 0.3])
            assert_allclose(theta, [170, 10, 100])

    def test_origin(self):
        _, profile = self.make()
        part = GalaxyCutout(np.ones(SHAPE), unit='nmgy', pixel_scale=0.5,
                            position=(60, 50), size=41)
        centre = profile_ellipses(profile, part)[0]
        assert_allclose(centre, (CENTRE[0] - 40, CENTRE[1] - 30))

    def test_no_centre(self):
        cutout, profile = self.make()
        del profile.meta['x_centre'], profile.meta['y_centre']
        match = 'meta of the profile must have x_centre and y_centre'
        with pytest.raises(ValueError, match=match):
            profile_ellipses(profile, cutout)

    def test_no_profile(self):
        cutout, profile = self.make()
        with pytest.raises(TypeError, match='profile must be a profile tab'):
            profile_ellipses(profile['radius'], cutout)
        with pytest.raises(TypeError, match='geometry must be a profile tab'):
            given_ellipses(3, cutout)
        profile['pa'] = profile['pa'].value * u.m
        with pytest.raises(ValueError, match='column pa in deg, got m'):
            profile_ellipses(profile, cutout)

    @pytest.mark.parametrize(('key', 'value'), [
        ('x_centre', -0.1), ('x_centre', 110.0), ('y_centre', -0.1),
        ('y_centre', 100.0)])
    def test_centre_outside(self, key, value):
        cutout, profile = self.make()
        profile.meta[key] = value
        with pytest.raises(ValueError, match='geometry has its centre at'):
            given_ellipses(profile, cutout)
