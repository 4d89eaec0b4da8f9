# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the annuli, ellipses, sky and contaminants modules.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from astro_pix2prof.background.level import first_sky, sky_error
from astro_pix2prof.background.tails import fit_sky_and_tail
from astro_pix2prof.detection.galaxy import find_galaxy
from astro_pix2prof.detection.masks import fill_masked, residual_mask
from astro_pix2prof.ellipses.annuli import (
    combine_rings,
    measure_rings,
    sample_rings,
)
from astro_pix2prof.ellipses.model import (
    ellipse_model,
    elliptical_radius,
    radius_at,
    ring_values,
)
from astro_pix2prof.isophote.ellipse_fit import (
    EllipseFit,
    fit_ellipses,
    smooth_ellipses,
)

CENTRE = (80.3, 79.6)


def exponential(h=12.0, eps=0.5, theta=0.4, shape=(160, 160)):
    radius = elliptical_radius(shape, CENTRE, np.array([1.0, 2.0]),
                               np.full(2, eps), np.full(2, theta))
    return np.exp(-radius / h), radius


class TestAnnuli:
    def test_radius_of_ellipses(self):
        y, x = np.mgrid[:160, :160]
        u, v = x - CENTRE[0], y - CENTRE[1]
        c, s = np.cos(0.4), np.sin(0.4)
        expected = np.hypot(u * c + v * s, (v * c - u * s) / 0.5)
        assert_allclose(exponential()[1], expected)

    def test_radius_at_places(self):
        sma = np.array([2.0, 30, 60])
        shape = np.array([0.1, 0.6, 0.3]), np.array([0.0, 1.0, 1.3])
        x, y = np.array([3, 40, 159]), np.array([70, 20, 0])
        whole = elliptical_radius((160, 160), CENTRE, sma, *shape)
        assert_allclose(radius_at(x - CENTRE[0], y - CENTRE[1], sma, *shape),
                        whole[y, x], rtol=1e-12)

    def test_means_on_true_ellipses(self):
        image, _ = exponential()
        sma = np.array([3.0, 10, 20, 40, 60])
        rings = measure_rings(image, np.ones(image.shape, bool), CENTRE, sma,
                              np.full(5, 0.5), np.full(5, 0.4), sigma=np.inf)
        assert_allclose(rings.mean[1:], np.exp(-sma[1:] / 12), rtol=0.01)
        # Ramanujan's circumference of an ellipse.
        b = 0.5 * sma
        h = ((sma - b) / (sma + b))**2
        around = np.pi * (sma + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))
        assert_allclose(rings.n_pixels, around, rtol=0.01)
        assert_allclose(rings.n_valid, 1)

    def test_parts_count_by_their_length(self):
        """
        Isophotes of an edge-on disc are no ellipses: the weights matter.
        """
        def disc(x, y):
            return np.exp(-np.hypot(x, 2) / 20) / np.cosh(y / 4)**2
        y, x = np.mgrid[:201, :201] - 100.0
        a, eps = 40.0, 0.75
        image = disc(x, y)
        rings = measure_rings(image, np.ones(image.shape, bool),
                              (100.0, 100.0), np.array([a]), np.array([eps]),
                              np.zeros(1), sigma=1.0)
        t = (np.arange(3600) + 0.5) * np.pi / 1800
        light = disc(a * np.cos(t), a * (1 - eps) * np.sin(t))
        length = np.hypot(np.sin(t), (1 - eps) * np.cos(t))
        mean = np.average(light, weights=length)
        # the tips are brighter here, and count more in the anomaly
        assert light.mean() > 1.05 * mean
        assert_allclose(rings.mean, mean, rtol=0.015)

    def test_masked_pixels_do_not_count(self):
        image, _ = exponential()
        good = np.ones(image.shape, bool)
        good[:, 90:] = False
        image[:, 90:] = 1e6
        rings = measure_rings(image, good, CENTRE, np.array([30.0]),
                              np.array([0.5]), np.array([0.4]), sigma=np.inf)
        assert_allclose(rings.mean, np.exp(-30 / 12), rtol=0.01)
        assert 0.4 < rings.n_valid[0] < 0.75

    def test_outside_is_nan(self):
        image, _ = exponential()
        rings = measure_rings(image, np.ones(image.shape, bool), CENTRE,
                              np.array([10.0, 200.0]), np.zeros(2),
                              np.zeros(2), sigma=np.inf)
        assert np.isfinite(rings.mean[0])
        assert np.isnan(rings.mean[1])
        assert rings.n_valid[1] == 0

    def test_clipping_takes_stars_out(self):
        image, _ = exponential()
        image[100, 82] += 50
        sma, zero = np.array([20.4]), np.zeros(1)
        args = (image, np.ones(image.shape, bool), CENTRE, sma, zero, zero)
        clipped = measure_rings(*args, sigma=1e-3)
        kept = measure_rings(*args, sigma=1e-3, clip=np.inf)
        assert kept.mean[0] > 1.2 * clipped.mean[0]

    def test_own_centres(self):
        image, _ = exponential(eps=0.0)
        shifted = np.roll(image, 5, axis=1)
        sma = np.array([20.0, 30.0])
        both = measure_rings(shifted, np.ones(image.shape, bool),
                             (np.full(2, CENTRE[0] + 5),
                              np.full(2, CENTRE[1])), sma,
                             np.zeros(2), np.zeros(2), sigma=np.inf)
        assert_allclose(both.mean, np.exp(-sma / 12), rtol=0.01)

    @pytest.mark.parametrize('eps', [-0.4, 0.0, 0.6])
    @pytest.mark.parametrize('centre', [
        (24.3, 31.6), (12.0, 30.0), (-3.0, 8.5),
        (np.full(12, 9.0), np.linspace(8, 30, 12))])
    def test_points_beyond_the_frame_do_not_count(self, centre, eps):
        shape, margin = (64, 50), 80
        sma = np.linspace(0.5, 40.0, 12)
        ellipses = sma, np.full(12, eps), np.full(12, 0.7)
        # (in a wider frame, the pixels tell their places)
        places = np.indices([n + 2 * margin for n in shape], dtype=float)
        wide = [list(sample_rings(
            part - margin, np.ones(part.shape, bool),
            tuple(c + margin for c in centre), *ellipses))
            for part in places]
        near = sample_rings(np.zeros(shape), np.ones(shape, bool), centre,
                            *ellipses)
        for y, x, (index, _, weights, arc) in zip(*wide, near, strict=True):
            inside = (np.abs(x[1] - 24.5) < 25) & (np.abs(y[1] - 31.5) < 32)
            assert np.array_equal(weights, np.where(inside, arc, 0.0))
            assert np.array_equal(y[2], arc)
            assert np.array_equal(index, x[0])

    def test_wide_rings_have_no_bias(self):
        image, _ = exponential()
        thin = np.arange(0, 70, 1.0)
        rings = measure_rings(image, np.ones(image.shape, bool), CENTRE, thin,
                              np.full(70, 0.5), np.full(70, 0.4),
                              sigma=np.inf)
        want = np.arange(10.0, 60, 4)
        wide = combine_rings(thin, rings, want, np.full(len(want), 6.0))
        assert_allclose(wide.mean, np.exp(-want / 12), rtol=0.02)
        assert (wide.n_pixels > 3 * np.interp(want, thin,
                                              rings.n_pixels)).all()

    def test_noise_of_wide_rings(self):
        # means of white noise scatter as their numbers of pixels say
        rng = np.random.default_rng(2)
        thin, want = np.arange(4.0, 70), np.arange(12.0, 64, 8)
        flat, angle = np.full(66, 0.2), np.full(66, 0.5)
        good, pulls = np.ones((160, 160), bool), []
        for _ in range(20):
            noise = rng.normal(size=good.shape)
            rings = measure_rings(noise, good, CENTRE, thin, flat, angle,
                                  sigma=1.0)
            wide = combine_rings(thin, rings, want, np.full(7, 5.0))
            pulls.append(wide.mean * np.sqrt(wide.n_pixels))
            # (interpolation makes noise calmer)
            assert_allclose(wide.scatter, 0.66, atol=0.07)
            assert_allclose(wide.n_valid, 1)
        assert_allclose(np.std(pulls), 1, atol=0.15)
        # about all pixels within half of the foot of the triangle
        area = 2 * np.pi * want * 0.9 * 5
        assert_allclose(wide.n_pixels, area, rtol=0.5)

    def test_clipping_at_the_scatter(self):
        # four times the scatter along the ring itself (0.67 for noise of 1)
        noise = np.random.default_rng(5).normal(size=(160, 160))
        for height, is_clipped in ((2.0, False), (3.3, True)):
            noise[78:82, 138:143] = height
            ring = measure_rings(noise, np.ones(noise.shape, bool), CENTRE,
                                 np.array([60.0]), np.zeros(1), np.zeros(1),
                                 sigma=1e-9)
            assert (ring.n_valid[0] < 0.995) == is_clipped

    def test_model_inverts_measurement(self):
        image, radius = exponential()
        sma = np.arange(0, 90, 1.0)
        model = ellipse_model(image.shape, CENTRE, sma, np.full(90, 0.5),
                              np.full(90, 0.4), np.exp(-sma / 12))
        inside = radius < 85
        assert_allclose(model[inside], image[inside], rtol=0.01)


class TestSky:
    def test_first_sky(self):
        rng = np.random.default_rng(3)
        image = 5 + rng.normal(scale=0.2, size=(160, 160))
        image += 40 * exponential(h=8)[0]
        level, sigma = first_sky(image, np.zeros(image.shape, bool))
        assert_allclose(level, 5, atol=0.02)
        assert_allclose(sigma, 0.2, rtol=0.05)

    def test_tail(self):
        sma = np.arange(40, 90, 1.0)
        rng = np.random.default_rng(1)
        errors = []
        for _ in range(30):
            mean = 0.3 + 2 * np.exp(-(sma - 40) / 15)
            level, error = fit_sky_and_tail(
                sma, mean + rng.normal(scale=0.02, size=50),
                np.full(50, 0.02), 12.0)
            errors.append((level - 0.3) / error)
        assert np.mean(np.abs(errors) < 1) > 0.6

    def test_error_of_white_noise(self):
        rng = np.random.default_rng(2)
        image = rng.normal(size=(240, 240))
        error = sky_error(image, np.ones(image.shape, bool))
        assert_allclose(error, 1.25 / 240, rtol=0.3)

    def test_error_without_sky(self):
        empty = np.zeros((100, 100), bool)
        assert sky_error(np.ones((100, 100)), empty) == np.inf
        assert sky_error(np.ones((9, 9)), np.ones((9, 9), bool)) == np.inf


class TestContaminants:
    def test_arms_and_bars_are_not_masked(self):
        image, radius = exponential(h=20, eps=0.0)
        y, x = np.mgrid[:160, :160]
        phi = np.arctan2(y - CENTRE[1], x - CENTRE[0])
        arms = 1 + 0.7 * np.cos(2 * (phi - 3 * np.log(radius + 1)))
        rng = np.random.default_rng(0)
        data = gaussian_filter(image * arms, 1.2) + rng.normal(
            scale=0.01, size=image.shape)
        mask = residual_mask(data, image, 0.01, radius, CENTRE)
        assert mask.mean() < 0.01

    def test_stars_are_masked(self):
        image, radius = exponential(h=20, eps=0.0)
        rng = np.random.default_rng(0)
        data = image + rng.normal(scale=0.01, size=image.shape)
        y, x = np.mgrid[:160, :160]
        data += 3 * np.exp(-0.5 * ((x - 110)**2 + (y - 90)**2) / 1.5**2)
        mask = residual_mask(data, image, 0.01, radius, CENTRE)
        assert mask[90, 110]
        assert mask[90, 113]
        assert mask.mean() < 0.02

    def test_find(self):
        image, _ = exponential(h=8)
        rng = np.random.default_rng(0)
        data = image + rng.normal(scale=0.01, size=image.shape)
        found = find_galaxy(data, np.zeros(image.shape, bool), 0.01,
                            (70.0, 85.0), search_radius=25)
        assert found.found
        # Half a pixel is enough here: the centre is refined once the other
        # objects are masked (see the tests of IsophoteFitter).
        assert_allclose(found.centre, CENTRE, atol=0.5)
        assert_allclose(found.eps, 0.5, atol=0.06)
        assert_allclose(found.theta, 0.4, atol=0.06)

    def test_nothing_there(self):
        data = np.random.default_rng(0).normal(size=(80, 80))
        found = find_galaxy(data, np.zeros((80, 80), bool), 1.0, (40.0, 40.0),
                            search_radius=10)
        assert not found.found
        assert found.centre == (40.0, 40.0)

    def test_fill(self):
        image, _ = exponential()
        masked = np.zeros(image.shape, bool)
        masked[60:70, 95:105] = True
        broken = np.where(masked, 99.0, image)
        filled = fill_masked(broken, masked, CENTRE, np.full(image.shape, 7.0))
        assert_allclose(filled[masked], image[masked], rtol=0.02)
        # Where the mirror image lies outside the frame, the model fills.
        masked[2:4, 150:158] = True
        wide = fill_masked(broken, masked, (60.0, 60.0),
                           np.full(image.shape, 7.0))
        assert_allclose(wide[2:4, 150:158], 7.0)


class TestEllipses:
    def test_fit_and_smooth(self):
        image, _ = exponential()
        fit = fit_ellipses(image, CENTRE, 0.5, 0.3, 15.0, max_sma=60)
        assert fit.rung == 0
        want = np.array([5.0, 10, 20, 40])
        eps, theta, _, inside = smooth_ellipses(fit, want)
        assert_allclose(eps, 0.5, atol=0.02)
        assert_allclose(theta, 0.4, atol=0.03)
        assert inside.all()

    def test_ladder(self):
        # Perpendicular and far too flat: the first geometries fail.
        image, _ = exponential(eps=0.7)
        fit = fit_ellipses(image, CENTRE, 0.4 + np.pi / 2, 0.85, 40.0,
                           max_sma=60)
        eps, _, _, _ = smooth_ellipses(fit, np.array([15.0]))
        assert_allclose(eps, 0.7, atol=0.05)

    def test_hopeless(self):
        fit = fit_ellipses(np.zeros((60, 60)), (30.0, 30.0), 0.1, 0.2, 10.0,
                           max_sma=25)
        assert fit.rung == -1
        assert_allclose(fit.eps, 0.2)

    @pytest.mark.parametrize('start', [0.1, 3.1])
    def test_angle_across_zero(self, start):
        sma = np.geomspace(3, 50, 25)
        theta = np.where(np.arange(25) % 2, start, start - np.pi)
        fit = EllipseFit(sma, np.full(25, 0.4), theta, np.full(25, 0.01),
                         np.ones(25, bool), 0)
        eps, angle, _, _ = smooth_ellipses(fit, sma)
        assert_allclose(eps, 0.4, atol=1e-3)
        assert_allclose(np.cos(2 * (angle - start)), 1, atol=1e-6)


def test_ring_values():
    """
    A plane from its values along ellipses that twist.
    """
    shape, centre = (61, 70), (33.4, 28.7)
    sma = np.linspace(0, 26, 27)
    eps, theta = np.full(27, 0.4), np.radians(30 + sma)
    t = np.arange(64) * 2 * np.pi / 64 - theta[:, None]
    u, v = sma[:, None] * np.cos(t), sma[:, None] * 0.6 * np.sin(t)
    c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
    values = 2 * (u * c - v * s) - 3 * (u * s + v * c)
    good = np.ones(shape, dtype=bool)
    good[20:25, 20:25] = False
    image = ring_values(shape, centre, sma, eps, theta, values, good)
    y, x = np.mgrid[:shape[0], :shape[1]]
    plane = 2 * (x - centre[0]) - 3 * (y - centre[1])
    inside = np.isfinite(image)
    assert not inside[~good].any()
    assert inside[28, 33]
    assert not inside[0, 0]
    assert 0.9 < inside.sum() / (np.pi * 26**2 * 0.6 - 25) < 1.1
    np.testing.assert_allclose(image[inside], plane[inside], atol=0.4)


def test_rings_without_a_major_axis():
    """
    Points counted from +x do not turn with the angle of a round ring.
    """
    rng = np.random.default_rng(8)
    image = rng.normal(5, 1, (61, 61))
    good = np.ones(image.shape, bool)
    sma = np.array([3.0, 9.0, 20.0])

    def sample(eps, theta, **options):
        return np.concatenate([values.ravel() for _, values, _, _ in (
            sample_rings(image, good, (30.2, 29.7), sma, np.full(3, eps),
                         np.full(3, theta), **options))])

    usual, from_x = ({angle: sample(0.0, angle, **options)
                      for angle in (0.0, 0.4)}
                     for options in ({}, {'from_major': False}))
    assert_allclose(from_x[0.4], from_x[0.0], rtol=1e-12)
    assert_allclose(from_x[0.0], usual[0.0], rtol=1e-12)
    assert np.abs(usual[0.4] - usual[0.0]).max() > 0.5
    # turned rings differ by as much as their ellipses do
    nearly = [measure_rings(image, good, (30.2, 29.7), sma, np.full(3, 0.001),
                            np.full(3, angle), sigma=1.0, from_major=False)
              for angle in (0.0, 0.4)]
    assert_allclose(nearly[0].mean, nearly[1].mean, atol=3e-3)
    # the ellipse is the same, wherever its points are counted from
    y, x = np.indices(image.shape)
    flat = [measure_rings(x + 2.0 * y, good, (30.2, 29.7), sma,
                          np.full(3, 0.6), np.full(3, 0.7), sigma=np.inf,
                          from_major=from_major)
            for from_major in (True, False)]
    assert_allclose(flat[0].mean, flat[1].mean, rtol=1e-3)
    assert_allclose(flat[0].scatter, flat[1].scatter, rtol=1e-2)
