# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Samples along rings, and fits to their pixels, worked out with numpy alone.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import map_coordinates

from astro_pix2prof.ellipses.annuli import (
    RingMeans,
    combine_rings,
    measure_rings,
    sample_rings,
)
from astro_pix2prof.ellipses.harmonics import measure_harmonics

SHAPE = (60, 70)
Y, X = np.indices(SHAPE, dtype=float)
ALL = np.ones(SHAPE, bool)


def fit_by_hand(image, good, centre, ellipse, variance, *, weight=None,
                correlation=1.0, polar=False):
    """
    Fit one ring as the docstring of `measure_harmonics` says, by lstsq.

    A clipping of outliers after the first of three fits, the logarithmic
    slope from each fit for the next; the errors of noise.
    """
    sma, eps, theta, width = ellipse
    x, y = X - centre[0], Y - centre[1]
    u = x * np.cos(theta) + y * np.sin(theta)
    v = (y * np.cos(theta) - x * np.sin(theta)) / (1 - eps)
    radius = np.hypot(u, v)
    near = np.abs(radius - sma) < width
    variance = np.broadcast_to(variance, SHAPE)
    use = near & good & np.isfinite(variance)
    value, variance = image[use], variance[use]
    t, angle = (radius[use] - sma) / width, np.arctan2(v, u)[use]
    share = 1 - np.abs(t)
    if weight is not None:
        at = np.mod((angle + theta) / (2 * np.pi), 1) * len(weight)
        share = share * np.interp(at, np.arange(len(weight) + 1),
                                  np.append(weight, weight[0]))
    share = share * np.minimum(1, 2 * np.median(variance) / variance)
    anomaly = angle
    if polar:
        angle = np.arctan2((1 - eps) * np.sin(angle), np.cos(angle))
    waves = [f(k * angle) for k in (1, 2, 3, 4) for f in (np.sin, np.cos)]
    basis = np.stack([np.ones(len(t)), t, t**2, *waves], -1)
    slope, kept = 0.0, share
    for turn in range(3):
        design = basis * np.exp(slope * t)[:, None]
        root = np.sqrt(kept)
        found = np.linalg.lstsq(design * root[:, None], value * root,
                                rcond=None)[0]
        rest = value - design @ found
        inverse = np.linalg.inv(design.T @ (design * kept[:, None]))
        if turn == 0:
            typical = 1.4826 * np.median(np.abs(rest[share > 0]))
            typical = np.maximum(typical, np.sqrt(variance))
            kept = np.where((rest > 4 * typical) | (rest < -6 * typical),
                            0.0, share)
        if turn < 2:
            noise = np.sqrt(inverse[0, 0] * np.average(variance,
                                                       weights=kept))
            slope = np.clip(slope + found[1] / found[0], -2, 0.5) if (
                found[0] > 3 * noise) else 0.0
    # residuals of sectors, or of their slopes, beyond those of noise
    noise = correlation * np.sqrt(variance)
    n = int(np.clip(np.count_nonzero(kept) // 6, 14, 48))
    sector = np.minimum(((anomaly / (2 * np.pi) + 0.5) * n).astype(int),
                        n - 1)
    scales = []
    for order, terms in ((0, 9), (1, 1)):
        chi2, count = 0.0, 0
        for k in range(n):
            here = (sector == k) & (kept > 0)
            if not here.any():
                continue
            factor = kept[here] * (t[here] - np.average(
                t[here], weights=kept[here]))**order
            error = (factor**2 * noise[here]**2).sum()
            if error > 0:
                chi2 += (factor @ rest[here])**2 / error
                count += 1
        free = count - terms
        ratio = chi2 / free if free > 0 else 1.0
        scales.append(np.sqrt(ratio) if ratio > 1 + 2 * np.sqrt(
            2 / max(free, 1)) else 1.0)
    take = np.zeros((10, 11))
    take[0, 0], take[1, 0], take[1, 1] = 1, slope / width, 1 / width
    take[2:, 3:] = np.eye(8)
    errors = take @ inverse @ design.T @ np.diag(kept * noise)
    scales = np.array([scales[0], scales[1]] + 8 * [scales[0]])
    smooth = value - design[:, :3] @ found[:3]
    return {'values': take @ found, 'covariance': np.outer(scales, scales)
            * (errors @ errors.T), 'n_pixels': np.count_nonzero(kept),
            'n_valid': use.sum() / near.sum(), 'rms': np.sqrt(np.average(
                smooth**2, weights=kept)), 'scales': scales, 'slope': slope}


def galaxy(centre=(34.3, 28.8), eps=0.3, theta=0.5, *, scale=5.0, seed=1,
           noise=1.0):
    x, y = X - centre[0], Y - centre[1]
    u = x * np.cos(theta) + y * np.sin(theta)
    v = (y * np.cos(theta) - x * np.sin(theta)) / (1 - eps)
    light = 500 * np.exp(-np.hypot(u, v) * (
        1 + 0.02 * np.cos(4 * np.arctan2(v, u))) / scale)
    return light + np.random.default_rng(seed).normal(0, noise, SHAPE)


class TestHarmonics:
    @pytest.mark.parametrize('case', [
        'usual', 'rises', 'lumps', 'stars', 'holes', 'polar', 'weights',
        'map', 'correlated', 'few', 'edge', 'noise'])
    def test_as_numpy(self, case):
        centre, good, variance, options = (34.0, 29.2), ALL, 1.0, {}
        image = galaxy()
        sma, width = np.array([3.0, 8.0, 14.0]), np.array([3.5, 1.5, 2.0])
        eps, theta = np.array([0.1, 0.3, 0.35]), np.array([2.0, 0.5, 0.4])
        if case == 'rises':
            image = 900 - galaxy()
        elif case == 'lumps':
            image = image + 40 * np.sin(X * 1.3) * np.sin(Y * 1.1)
        elif case == 'stars':
            image[::9, ::8] += 300
            image[::7, ::11] -= 200
        elif case == 'holes':
            good = (np.mod(X + 2 * Y, 7) > 1) & (X < 47)
        elif case == 'polar':
            options['polar'] = True
        elif case == 'weights':
            options['weight'] = np.random.default_rng(2).uniform(
                0.1, 1, (3, 16))
        elif case == 'map':
            variance = np.where(np.mod(X, 5) > 3, 9.0, 0.5 + X / 70)
            variance[20:22, 30] = np.nan
        elif case == 'correlated':
            options['correlation'] = np.array([1.0, 1.7, 3.0])
        elif case == 'few':
            good = np.random.default_rng(3).random(SHAPE) < 0.5
        elif case == 'edge':
            centre = (12.7, 14.1)
            image = galaxy(centre)
        elif case == 'noise':
            image = 0.01 * galaxy(noise=100.0) - 1.0
            sma = np.array([9.0, 14.0, 20.0])
        stated = variance if np.ndim(variance) else np.full(3, variance)
        found = measure_harmonics(image, good, centre, sma, eps, theta,
                                  width=width, variance=stated, **options)
        for k in range(3):
            options_k = {name: value if name == 'polar' else value[k]
                         for name, value in options.items()}
            by_hand = fit_by_hand(
                image, good, centre, (sma[k], eps[k], theta[k], width[k]),
                variance, **options_k)
            values = by_hand['values']
            size = np.abs(values).max()
            assert_allclose(found.level[k], values[0], rtol=1e-7)
            assert_allclose(found.gradient[k], values[1], rtol=1e-7)
            assert_allclose(found.sine[k], values[2::2], atol=1e-7 * size)
            assert_allclose(found.cosine[k], values[3::2], atol=1e-7 * size)
            covariance = by_hand['covariance']
            assert_allclose(found.covariance[k], covariance, rtol=1e-6,
                            atol=1e-7 * covariance.max())
            assert_allclose(found.gradient_err[k], covariance[1, 1]**0.5,
                            rtol=1e-6)
            assert_allclose(found.rms[k], by_hand['rms'], rtol=1e-7)
            assert found.n_pixels[k] == by_hand['n_pixels']
            assert_allclose(found.n_valid[k], by_hand['n_valid'])
            if case == 'lumps':
                assert (by_hand['scales'] > 2).all()
            elif case == 'noise':
                assert by_hand['slope'] == 0

    def test_rings_of_own_centres(self):
        # also where they are far from each other
        image, sma = galaxy(), np.array([4.0, 9.0, 12.0])
        x, y = np.array([34.0, 36.5, 22.0]), np.array([29.2, 25.0, 33.0])
        options = {'width': np.full(3, 1.5), 'variance': np.ones(3)}
        eps, theta = np.full(3, 0.3), np.full(3, 0.5)
        found = measure_harmonics(image, ALL, (x, y), sma, eps, theta,
                                  **options)
        for k in range(3):
            by_hand = fit_by_hand(image, ALL, (x[k], y[k]),
                                  (sma[k], 0.3, 0.5, 1.5), 1.0)
            assert_allclose(found.level[k], by_hand['values'][0], rtol=1e-7)
            assert_allclose(found.cosine[k], by_hand['values'][3::2],
                            atol=1e-5)
            assert found.n_pixels[k] == by_hand['n_pixels']

    def test_rings_that_are_not_known(self):
        found = measure_harmonics(
            galaxy(), ALL, (34.0, 29.2), [8.0, 0.0, 8.0, 8.0, 9.0],
            [0.3, 0.3, np.nan, 0.3, 0.3], [0.5, 0.5, 0.5, np.nan, 0.5],
            width=np.full(5, 1.5), variance=np.ones(5))
        assert_array_equal(np.isfinite(found.level), [1, 0, 0, 0, 1])
        assert found.n_pixels[1] == found.n_valid[1] == 0

    def test_pixels_without_noise(self):
        image = 100 + 3 * X
        found = measure_harmonics(
            image, ALL, (34.0, 29.0), [10.0], [0.0], [0.0],
            width=np.array([2.0]), variance=np.zeros(1))
        assert_allclose(found.level, 100 + 3 * 34, rtol=1e-3)
        assert_allclose(found.cosine[0, 0], 30, rtol=0.01)
        assert found.gradient_err == 0

    @pytest.mark.parametrize(('size', 'is_seen'), [(80, True), (100, False)])
    def test_quarter_of_a_turn(self, size, is_seen):
        # of eccentric anomaly, but for some pixels
        angle = np.degrees(np.arctan2(Y - 29.0, X - 34.0))
        good = ~((angle > 10) & (angle < 10 + size))
        found = measure_harmonics(
            galaxy(), good, (34.0, 29.0), [16.0], [0.0], [0.0],
            width=np.array([2.0]), variance=np.ones(1))
        assert np.isfinite(found.level[0]) == is_seen

    @pytest.mark.parametrize(('n', 'is_enough'), [(16, False), (17, True)])
    def test_pixels_for_each_term(self, n, is_enough):
        # one and a half for each of eleven
        ring = np.argwhere(np.abs(np.hypot(X - 34, Y - 29) - 6) < 1)
        angle = np.arctan2(ring[:, 0] - 29, ring[:, 1] - 34)
        ring = ring[np.argsort(angle)][::2]
        keep = np.linspace(0, len(ring), n, endpoint=False).astype(int)
        good = np.zeros(SHAPE, bool)
        good[tuple(ring[keep].T)] = True
        found = measure_harmonics(
            galaxy(), good, (34.0, 29.0), [6.0], [0.0], [0.0],
            width=np.array([1.0]), variance=np.ones(1))
        assert np.isfinite(found.level[0]) == is_enough


class TestSamples:
    def test_groups(self):
        # radii up to powers of two share the angles of the largest of them
        sma = np.array([1.0, 3, 4, 4.5, 8, 8.5, 16, 17, 32, 33, 64, 65, 128,
                        129, 256, 257, 512, 513, 1024, 1025, 2048, 2049])
        groups = list(sample_rings(
            np.zeros((30, 30)), np.ones((30, 30), bool), (15, 15), sma,
            0.3 * np.ones(len(sma)), np.zeros(len(sma))))
        pairs = sma[3:-1].reshape(-1, 2).tolist()
        assert [sma[index].tolist() for index, *_ in groups] == [
            [1, 3, 4], *pairs, [2049]]
        assert [values.shape[1] for _, values, *_ in groups] == [
            min(int(2 * np.pi * 2**k), 4096) for k in range(2, 12)] + [4096]
        (_, values, _, _), = sample_rings(
            np.zeros((9, 9)), np.ones((9, 9), bool), (4, 4), [2.0], [0.0],
            [0.0])
        assert values.shape == (1, 16)

    @pytest.mark.parametrize('centre', [(34.2, 29.7), (4.3, 5.2),
                                        (66.6, 54.9), (2.2, 50.1)])
    def test_spline(self, centre):
        # up to twelve pixels, as of the whole image; bilinear beyond
        image, eps, theta = galaxy(), 0.2, 1.0
        for sma, order in ((2.0, 3), (11.9, 3), (12.1, 1), (20.0, 1)):
            (_, values, weights, arc), = sample_rings(
                image, ALL, centre, [sma], [eps], [theta])
            n = values.shape[1]
            t = (np.arange(n) + 0.5) * 2 * np.pi / n
            u, v = sma * np.cos(t), sma * (1 - eps) * np.sin(t)
            c, s = np.cos(theta), np.sin(theta)
            x, y = centre[0] + u * c - v * s, centre[1] + u * s + v * c
            # (the spline is that of a part of the image)
            inside = (x > 1) & (x < 68) & (y > 1) & (y < 58)
            expected = map_coordinates(image, [y, x], order=order,
                                       mode='mirror')
            assert_allclose(values[0, inside], expected[inside],
                            atol=1e-3 if order > 1 else 1e-9)
            length = np.hypot(sma * np.sin(t), sma * (1 - eps) * np.cos(t))
            assert_allclose(arc[0], length, atol=1.5e-3)
            within = (x > -0.5) & (x < 69.5) & (y > -0.5) & (y < 59.5)
            assert_array_equal(weights[0] > 0, within)

    def test_pixels_that_do_not_count(self):
        # samples count with less than three tenths of bad pixels
        good = np.random.default_rng(2).random(SHAPE) > 0.2
        (_, _, weights, arc), = sample_rings(
            galaxy(), good, (34.2, 29.7), [20.0], [0.0], [0.0])
        n = weights.shape[1]
        t = (np.arange(n) + 0.5) * 2 * np.pi / n
        x, y = 34.2 + 20 * np.cos(t), 29.7 + 20 * np.sin(t)
        share = np.zeros(n)
        for k in (0, 1):
            for j in (0, 1):
                row, column = np.floor(y).astype(int) + k, np.floor(
                    x).astype(int) + j
                share += (1 - abs(y - row)) * (1 - abs(x - column)) * ~good[
                    row, column]
        assert ((share > 0.15) & (share < 0.3)).sum() > 3
        assert_allclose(weights[0], arc[0] * (share < 0.3))


class TestClipping:
    @pytest.mark.parametrize(('share', 'height', 'is_clipped'), [
        # beyond four times the half width of 68 per cent above, six below;
        # it is at least the noise
        (0.13, 4.2, True), (0.13, 3.8, False), (0.13, -6.3, True),
        (0.13, -5.7, False), (0.2, 50.0, False), (0.2, -50.0, False)])
    def test_share(self, share, height, is_clipped):
        angle = np.arctan2(Y - 29, X - 34) / (2 * np.pi) + 0.5
        image = np.where(angle < share, height, 0.0)
        found = measure_rings(image, ALL, (34, 29), [20.0], [0.0], [0.0],
                              sigma=1.0)
        assert_allclose(found.mean, 0 if is_clipped else share * height,
                        atol=0.06 * abs(height))
        assert_allclose(found.n_valid, 1 - share * is_clipped, atol=0.03)
        everything = measure_rings(image, ALL, (34, 29), [20.0], [0.0],
                                   [0.0], sigma=1.0, clip=np.inf)
        assert_allclose(everything.mean, share * height,
                        atol=0.06 * abs(height))
        assert_allclose(everything.n_pixels, 2 * np.pi * 20, rtol=1e-3)


def test_two_wide_rings_have_no_slope():
    # of three, the second first derivative is known
    sma = np.arange(5.0, 30)
    mean = np.exp(-sma / 4)
    rings = RingMeans(mean, 0 * mean, np.ones(25), np.ones(25))
    for want in ([10.0, 20.0], [10.0, 15.0, 20.0]):
        want = np.array(want)
        found = combine_rings(sma, rings, want, np.full(len(want), 4.0))
        kernel = np.maximum(1 - np.abs(want[:, None] - sma) / 4, 0)
        plain = kernel @ mean / kernel.sum(1)
        if len(want) == 2:
            assert_allclose(found.mean, plain)
        else:
            assert_allclose(found.mean, np.exp(-want / 4), rtol=2e-3)
