# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the harmonics of rings, on galaxies whose deviations are known.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from photutils.isophote import (
    EllipseGeometry,
    EllipseSample,
    Isophote,
)

from astro_pix2prof.ellipses.harmonics import (
    RingHarmonics,
    measure_harmonics,
)
from astro_pix2prof.image.astrometry import axis_senses

SHAPE, CENTRE = (161, 165), (81.3, 79.6)
EPS, THETA, SCALE = 0.35, 0.6, 9.0
KNOWN = {'a3': 0.010, 'b3': -0.012, 'a4': 0.008, 'b4': 0.020}
SMA = np.array([6.0, 10.0, 16.0, 25.0, 36.0])


def make(known=KNOWN, *, centre=CENTRE, peak=1000.0, eps=EPS):
    """
    An exponential disc whose isophotes deviate from ellipses.
    """
    y, x = np.indices(SHAPE, dtype=float)
    x, y = x - centre[0], y - centre[1]
    c, s = np.cos(THETA), np.sin(THETA)
    u, v = x * c + y * s, (y * c - x * s) / (1 - eps)
    angle = np.arctan2(v, u)
    away = sum(size * (np.sin if name[0] == 'a' else np.cos)(
        int(name[1]) * angle) for name, size in known.items())
    return peak * np.exp(-np.hypot(u, v) / (1 + away) / SCALE)


def measure(image, sma=SMA, *, good=None, centre=CENTRE, sigma=1e-3,
            eps=EPS, **options):
    one = np.ones_like(sma)
    return measure_harmonics(
        image, np.ones(SHAPE, bool) if good is None else good, centre, sma,
        eps * one, THETA * one, width=np.maximum(0.072 * sma, 1),
        variance=options.pop('variance', sigma**2 * one), **options)


class TestDeviations:
    def test_amplitudes(self):
        # to 1% of the largest
        found = measure(make())
        for order in (3, 4):
            a, _, b, _ = found.deviation(order, SMA)
            assert_allclose(a, KNOWN[f'a{order}'], atol=2e-4)
            assert_allclose(b, KNOWN[f'b{order}'], atol=2e-4)

    @pytest.mark.parametrize('sign', [1, -1])
    def test_discy_is_positive(self, sign):
        # pointed along the axes, as a disc in a spheroid makes it
        b4 = measure(make({'b4': sign * 0.02})).deviation(4, SMA)[2]
        assert_allclose(b4, sign * 0.02, rtol=0.02)

    def test_level_and_gradient(self):
        found = measure(make({}))
        level = 1000 * np.exp(-SMA / SCALE)
        assert_allclose(found.level, level, rtol=2e-3)
        assert_allclose(found.gradient, -level / SCALE, rtol=5e-3)
        assert_allclose(found.sine / level[:, None], 0, atol=1e-3)

    def test_photutils(self):
        # photutils counts angles otherwise; of a round galaxy, the same
        image = make(eps=0.05)
        found = measure(image, eps=0.05)
        for k, sma in enumerate(SMA[1:4], 1):
            sample = EllipseSample(image, sma, geometry=EllipseGeometry(
                *CENTRE, sma, 0.05, THETA))
            sample.update()
            ring = Isophote(sample, 0, True, 0)
            for order in (3, 4):
                own = found.sine[k, order - 1], found.cosine[k, order - 1]
                scale = sma * abs(ring.grad)
                assert_allclose(np.divide(own, scale), [
                    getattr(ring, f'a{order}'), getattr(ring, f'b{order}')],
                    atol=1e-3)
            # (a difference from a ring that is 10% larger)
            assert_allclose(found.gradient[k], ring.grad, rtol=0.15)

    def test_polar_angle_is_that_of_photutils(self):
        image = make({'b4': 0.02})
        found = measure(image, polar=True).deviation(4, SMA)[2]
        sample = EllipseSample(image, SMA[2], geometry=EllipseGeometry(
            *CENTRE, SMA[2], EPS, THETA))
        sample.update()
        photutils = Isophote(sample, 0, True, 0).b4
        ours = measure(image).deviation(4, SMA)[2][2]
        assert abs(found[2] - photutils) < 0.5 * abs(ours - photutils)

    def test_flat_light_has_none(self):
        found = measure(np.random.default_rng(1).normal(size=SHAPE),
                        sigma=1.0)
        assert np.isfinite(found.gradient).all()
        for part in found.deviation(4, SMA):
            assert np.isnan(part).all()


class TestErrors:
    @pytest.mark.parametrize(('order', 'part'), [(1, 0), (3, 0), (4, 1)])
    def test_by_hand(self, order, part):
        # a = S / (g sma), with errors of both and what they share
        found = RingHarmonics.empty(2)
        found.gradient[:] = -2.0, -0.1
        found.gradient_err[:] = 0.1
        (found.sine, found.cosine)[part][0, order - 1] = 0.3
        k = 2 * order + part
        found.covariance[:, k, k], found.covariance[:, 1, 1] = 0.04, 0.01
        found.covariance[:, k, 1] = found.covariance[:, 1, k] = 0.005
        value, error = found.deviation(order, np.array([5.0, 5.0]))[
            2 * part:2 * part + 2]
        # by S: 1 / 10; by g, which is negative: 0.3 / (2 * 10)
        assert_allclose(value[0], 0.03)
        by_value, by_gradient = 0.1, 0.015
        assert_allclose(error[0]**2, by_value**2 * 0.04 + by_gradient**2 * (
            0.01) + 2 * by_value * by_gradient * 0.005)
        # (the second declines by less than three times its error)
        assert np.isnan((value[1], error[1])).all()

    def test_pulls(self):
        clean, pulls = make(peak=200.0), []
        for seed in range(40):
            rng = np.random.default_rng(seed)
            found = measure(clean + rng.normal(size=SHAPE), SMA[:4],
                            sigma=1.0)
            for order in (3, 4):
                a, a_err, b, b_err = found.deviation(order, SMA[:4])
                pulls += [(a - KNOWN[f'a{order}']) / a_err,
                          (b - KNOWN[f'b{order}']) / b_err]
        low, high = np.quantile(pulls, [0.16, 0.84])
        assert 0.87 < 0.5 * (high - low) < 1.13

    def test_correlated_noise(self):
        image = make() + np.random.default_rng(2).normal(size=SHAPE)
        white = measure(image, sigma=1.0).deviation(4, SMA)[3]
        wide = measure(image, sigma=1.0, correlation=2.0).deviation(
            4, SMA)[3]
        assert_allclose(wide, 2 * white, rtol=0.05)

    def test_structure_widens(self):
        # arms of the order 7, which no term of the fit takes
        y, x = np.indices(SHAPE, dtype=float)
        wave = np.cos(7 * np.arctan2(y - CENTRE[1], x - CENTRE[0]))
        image = make() + np.random.default_rng(3).normal(size=SHAPE)
        smooth = measure(image, sigma=1.0)
        rough = measure(image + 0.05 * make({}) * wave, sigma=1.0)
        assert np.all(rough.deviation(4, SMA)[3][1:4]
                      > 1.5 * smooth.deviation(4, SMA)[3][1:4])
        assert np.all(rough.rms[:3] > smooth.rms[:3])

    def test_maps_of_variances(self):
        image = make() + np.random.default_rng(2).normal(size=SHAPE)
        rings = measure(image, sigma=1.0)
        pixels = measure(image, variance=np.ones(SHAPE))
        assert_allclose(pixels.covariance, rings.covariance)
        # a noisy half counts less, and what has no variance not at all
        variance = np.ones(SHAPE)
        variance[:, :40] = 100.0
        variance[:, :20] = np.nan
        rng = np.random.default_rng(4)
        noisy = measure(make() + rng.normal(size=SHAPE) * np.sqrt(
            np.nan_to_num(variance, nan=1e4)), variance=variance)
        b4, b4_err = noisy.deviation(4, SMA)[2:]
        assert np.all(np.abs(b4 - 0.02)[:4] < 4 * b4_err[:4])


class TestPixels:
    def test_star_is_clipped(self):
        image = make() + np.random.default_rng(5).normal(size=SHAPE)
        star = image.copy()
        star[84:86, 95:97] += 500.0
        clean, dirty = (measure(part, sigma=1.0) for part in (image, star))
        assert_allclose(dirty.cosine[2], clean.cosine[2], atol=1.0)
        assert dirty.n_pixels[2] < clean.n_pixels[2]

    @pytest.mark.parametrize(('height', 'is_kept'), [
        (3.6, True), (4.6, False), (-5.5, True), (-6.7, False)])
    def test_outliers(self, height, is_kept):
        # four times the noise above the fit, and six times below
        image = make({})
        before = measure(image, sigma=1.0).n_pixels[3]
        x, y = (round(c + 25 * f(THETA)) for c, f in zip(
            CENTRE, (np.cos, np.sin), strict=True))
        image[y, x] += height
        after = measure(image, sigma=1.0).n_pixels[3]
        assert before - after == 1 - is_kept

    def test_weights_from_the_x_axis(self):
        # half of the plane is another object, which loses its weight
        image = make()
        y, x = np.indices(SHAPE)
        turned = np.mod(np.arctan2(y - CENTRE[1], x - CENTRE[0])
                        - 1.2, 2 * np.pi)
        image[turned < 1.0] += 30.0
        weight = np.ones((len(SMA), 360))
        # (the anomaly of a flat ellipse is not the angle; with a margin)
        weight[:, 45:150] = 0.0
        found = measure(image, weight=weight, sigma=0.1)
        bare = measure(image, sigma=0.1)
        for k in (1, 2):
            size = np.hypot(found.sine[k, 2], found.cosine[k, 2])
            worse = np.hypot(bare.sine[k, 2], bare.cosine[k, 2])
            assert size < worse or np.isnan(size)

    def test_too_few(self):
        small = measure(make(), np.array([0.0, 0.8, 6.0]))
        assert np.isnan(small.level[:2]).all()
        assert np.isfinite(small.level[2])

    def test_gap(self):
        y, x = np.indices(SHAPE)
        angle = np.arctan2(y - CENTRE[1], x - CENTRE[0])
        narrow = measure(make(), good=np.abs(angle) > 0.3)
        wide = measure(make(), good=np.abs(angle) > 1.2)
        assert_allclose(narrow.deviation(4, SMA)[2], 0.02, atol=4e-4)
        assert np.isnan(wide.level).all()
        assert np.all(narrow.n_valid < 0.95)

    def test_edge_of_frame(self):
        found = measure(make(centre=(6.0, 79.0)), centre=(6.0, 79.0))
        assert np.isfinite(found.level[0])
        assert np.isnan(found.level[2:]).all()


class TestCentres:
    def test_found(self):
        found = measure(make({}, centre=(82.0, 79.0)), free_centres=True,
                        sigma=0.1)
        assert_allclose(found.shift[1:], [[0.7, -0.6]] * 4, atol=0.01)
        assert np.all(found.shift_err[1:] < 0.02)

    def test_errors_hold(self):
        pulls = []
        for seed in range(40):
            rng = np.random.default_rng(seed)
            image = make({}, centre=(81.7, 79.3), peak=200.0) + rng.normal(
                size=SHAPE)
            found = measure(image, free_centres=True, sigma=1.0)
            pulls.append((found.shift - [0.4, -0.3]) / found.shift_err)
        low, high = np.nanquantile(pulls, [0.16, 0.84])
        assert 0.85 < 0.5 * (high - low) < 1.15

    def test_bounded(self):
        found = measure(make({}, centre=(86.0, 79.6)), free_centres=True)
        away = np.hypot(*found.shift.T)
        assert np.all(away <= np.maximum(0.2 * SMA, 1) + 1e-9)
        # nobody knows where a centre is that is held
        assert np.isnan(found.shift_err[0]).all()
        assert_allclose(found.shift[-1], [4.7, 0], atol=0.05)

    def test_not_asked_for(self):
        assert np.isnan(measure(make()).shift).all()

    def test_noise_has_no_centre(self):
        image = np.random.default_rng(6).normal(size=SHAPE)
        found = measure(image, free_centres=True, sigma=1.0)
        assert np.isnan(found.shift).all()


class TestSenses:
    def test_pixels(self):
        along, sense = axis_senses(None, [0, 90, 179, 181, -10, 360])
        assert along.tolist() == [1, 1, 1, -1, -1, 1]
        assert sense == 1

    @pytest.mark.parametrize('parity', [-1, 1])
    @pytest.mark.parametrize('rotation', [0.0, 130.0])
    def test_sky(self, make_wcs, parity, rotation):
        from astropy.wcs.utils import pixel_to_skycoord

        from astro_pix2prof.image.astrometry import local_matrix

        wcs = make_wcs((100, 100), parity=parity, rotation=rotation)
        middle = pixel_to_skycoord(50, 50, wcs)
        for theta in (10.0, 100.0, 200.0, 300.0):
            angles = []
            for turned in (theta, theta + 5):
                t = np.radians(turned)
                there = pixel_to_skycoord(50 + np.cos(t), 50 + np.sin(t),
                                          wcs)
                angles.append(middle.position_angle(there).deg)
            along, sense = axis_senses(local_matrix(wcs, 50, 50), theta)
            assert (along > 0) == (angles[0] % 360 < 180)
            more = (angles[1] - angles[0] + 180) % 360 - 180
            assert sense == np.sign(more) == -parity
