# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The steps of the sky level against numpy, and their limits from both sides.
"""

import numpy as np
import pytest
from astropy.stats import mad_std
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import binary_dilation, gaussian_filter

from astro_pix2prof.background import tilt
from astro_pix2prof.background.level import (
    Sky,
    _Rings,
    first_sky,
    measure_sky,
)
from astro_pix2prof.background.tails import fit_sky_and_tail, level_of_rings


class TestSkyAndTail:
    @staticmethod
    def by_lstsq(sma, mean, error, guess):
        """
        Level and error from fits of numpy, for each scale length.
        """
        scales = guess * np.geomspace(0.4, 3.0, 15)
        chi2, level, variance, height = [], [], [], []
        for scale in scales:
            design = np.stack([np.ones(len(sma)), np.exp(
                (sma[0] - sma) / scale)], -1) / error[:, None]
            found = np.linalg.lstsq(design, mean / error, rcond=None)[0]
            covariance = np.linalg.inv(design.T @ design)
            if found[1] < 0:
                found = np.array([np.average(mean, weights=error**-2), 0.0])
            chi2.append(((design @ found - mean / error)**2).sum())
            level.append(found[0])
            height.append(found[1])
            variance.append(covariance[0, 0])
        chi2, level, variance, height = map(np.array, (
            chi2, level, variance, height))
        reduced = max(chi2.min() / max(len(sma) - 3, 1), 1)
        prob = np.exp(-0.5 * (chi2 - chi2.min()) / reduced
                      - 0.5 * (np.log(scales / guess) / 0.4)**2)
        prob /= prob.sum()
        result = prob @ level
        left = prob @ (height * np.exp((sma[0] - sma[-1]) / scales))
        return result, np.sqrt(prob @ (level - result)**2
                               + reduced * (prob @ variance)
                               + (0.5 * left)**2)

    @pytest.mark.parametrize('seed', range(6))
    @pytest.mark.parametrize(('n', 'scatter'), [
        (60, 1.0), (60, 3.0), (9, 1.0), (5, 2.0), (4, 4.0), (3, 1.0)])
    def test_as_numpy(self, n, scatter, seed):
        rng = np.random.default_rng(seed)
        sma = 12 + np.sort(rng.uniform(0, 60, n))
        error = rng.uniform(0.02, 0.1, n)
        tail = (seed - 1) * np.exp(-(sma - 12) / 15)
        mean = 2 + tail + scatter * rng.normal(0, error)
        expected = self.by_lstsq(sma, mean, error, 12.0)
        assert_allclose(fit_sky_and_tail(sma, mean, error, 12.0), expected,
                        rtol=1e-6)


class TestLevelOfRings:
    def rings(self, level=0.0, last=100, scale=5.0, height=100.0):
        sma = np.arange(0.5, last)
        return sma, level + height * np.exp(-sma / scale), np.full(
            len(sma), 1e-3)

    @pytest.mark.parametrize('level', [-4.0, 0.0, 300.0])
    @pytest.mark.parametrize('noise', [0.5, 2.0])
    def test_start_and_scale(self, level, noise):
        # rings fainter than 0.7 of the noise; smoothing by a ring adds
        # exp(0.5 / 5**2) to an exponential
        found, error, start, scale = level_of_rings(
            *self.rings(level), level, noise)
        expected = 5 * np.log(100 / (0.7 * noise)) + 0.5 / 5
        assert 0 < start - expected <= 1
        assert_allclose(scale, 5, rtol=1e-3)
        assert abs(found - level) < 2e-3
        assert error < 2e-3

    @pytest.mark.parametrize(('scale', 'noise', 'part'), [
        # no ring is faint; or too late a one is the first
        (30.0, 1e-3, 0.7), (25.0, 4.0, 0.75)])
    def test_galaxy_fills_the_frame(self, scale, noise, part):
        sma, mean, error = self.rings(scale=scale)
        start = level_of_rings(sma, mean, error, 0.0, noise)[2]
        assert start == pytest.approx(part * sma[-1], abs=1e-9)

    @pytest.mark.parametrize(('height', 'outer'), [(3.0, 72), (300.0, 244)])
    def test_distant_rings(self, height, outer):
        # those beyond 64 boxes, or eight times the start, do not count
        sma, mean, error = self.rings(height=height, last=400)
        start = level_of_rings(sma, mean, error, 0.0, 1.0)[2]
        edge = max(8 * start, start + 64)
        assert abs(edge - outer) < 1
        for first, moved in ((edge - 3, True), (edge + 3, False)):
            dark = mean - 5.0 * (sma > first)
            level = level_of_rings(sma, dark, error, 0.0, 1.0)[0]
            assert (level < -0.01) == moved

    @pytest.mark.parametrize(('last', 'inner', 'start', 'scale'), [
        # between half of the start and the start there are two rings, or
        # three, whose scale length is too large
        (5, lambda r: 2 * np.exp(-r / 50), 5.5, 0.2 * 5.5 + 1),
        (6, lambda r: 2 * np.exp(-r / 50), 6.5, 1.5 * 6.5 + 3),
        (20, lambda r: 50 * np.exp(-r / 6), 20.5, 6.0),
        # (rings within half of the start do not count)
        (20, lambda r: 50 * np.exp(-r / 6) + 1e9 * (r < 10), 20.5, 6.0),
        (20, lambda r: 1e9 * np.exp(-r / 0.6), 13.5, 1.0)])
    def test_scale(self, last, inner, start, scale):
        sma, _, error = self.rings()
        mean = np.where(sma < last, inner(sma), 0.0)
        found = level_of_rings(sma, mean, error, 0.0, 1.0)
        assert_allclose(found[2:], (start, scale), rtol=0.02)

    def test_rough(self):
        # the galaxy is off a smooth tail by a tenth of its brightness
        sma, mean, error = self.rings(level=7.0, scale=12.0, last=60)
        found = level_of_rings(sma, mean, error, 7.0, 3.0)
        outer = sma >= found[2]
        light = 100 * np.exp(-sma / 12)[outer]
        expected = fit_sky_and_tail(
            sma[outer], mean[outer], np.hypot(1e-3, 0.1 * light), found[3])
        assert_allclose(found[0], expected[0], atol=0.01)
        assert_allclose(found[1], expected[1], rtol=0.1)


class TestRings:
    def rings(self, image, hidden=None, noise=1.0):
        y, x = np.indices(image.shape)
        if hidden is None:
            hidden = np.zeros(image.shape, bool)
        rings = _Rings(image, hidden, np.hypot(x - 40, y - 30), noise)
        rings.model = np.zeros(image.shape)
        rings.masked = hidden
        return rings

    @pytest.mark.parametrize('sign', [-1, 1])
    @pytest.mark.parametrize(('times', 'is_other'), [(2.9, False),
                                                     (3.1, True)])
    @pytest.mark.parametrize('galaxy', [0.0, 200.0])
    def test_others(self, galaxy, times, is_other, sign):
        # three times the scatter of the smoothed image, and a fifth of the
        # light of the rings
        noise = np.random.default_rng(1).normal(size=(60, 80))
        rings = self.rings(noise)
        rings.find_others(0.0)
        smooth = gaussian_filter(noise - rings.model, 0.7)
        point = np.zeros(noise.shape)
        point[12, 60] = 1.0
        want = times * mad_std(smooth) + 0.2 * galaxy
        rings.image = galaxy + noise + point * (
            sign * want - smooth[12, 60]) / gaussian_filter(point, 0.7).max()
        rings.masked = rings.hidden
        rings.find_others(0.0)
        assert rings.masked[12, 60] == is_other
        # it is grown by a pixel
        assert rings.masked[13, 60] == is_other
        assert rings.masked.mean() < 0.05

    def test_hidden_pixels_are_no_objects(self):
        image = np.random.default_rng(1).normal(size=(60, 80))
        hidden = np.zeros(image.shape, bool)
        hidden[:, ::7] = True
        rings = self.rings(np.where(hidden, 1e6, image), hidden)
        rings.find_others(0.0)
        assert (rings.masked & ~hidden).mean() < 0.05
        assert_allclose(rings.scatter, 1.0, rtol=0.1)

    @pytest.mark.parametrize('few', [False, True])
    def test_plane(self, few):
        # of the pixels of faint rings, or of the outer half if they are
        # few; those beyond three times the scatter do not count
        y, x = np.indices((60, 80))
        miss = np.random.default_rng(1).choice(
            [-2.9, 0.0, 2.9, 3.2], size=x.shape, p=[0.1, 0.6, 0.1, 0.2])
        miss *= np.where(x > 50, 1.0, 0.5)
        image = 0.0101 * (x - 40) - 0.0307 * (y - 30) + miss + 2.0
        rings = self.rings(image)
        rings.scatter = 1.0
        rings.model = np.where(x > 30, 6.9, 7.1) + 5 * few
        rings.image = image + rings.model
        if few:
            use = rings.radius > np.median(rings.radius)
        else:
            use = x > 30
        use &= np.abs(image - np.median(image[use])) < 3
        design = np.stack([x, y, np.ones(x.shape)], -1)[use]
        slope = np.linalg.lstsq(design, image[use], rcond=None)[0][:2]
        # (a first level of five, and two times the scatter)
        assert_allclose(rings.fit_plane(5.0, (40, 30)), slope, atol=1e-9)

    @pytest.mark.parametrize(('n', 'are_enough'), [(99, False), (100, True)])
    def test_hundred_faint_pixels(self, n, are_enough):
        y, x = np.indices((60, 80))
        slope = np.where(y < 2, 0.02, -0.01)
        rings = self.rings(slope * (x - 40))
        rings.model = np.where(80 * y + x < n, 0.0, 9.0)
        rings.image = rings.image + rings.model
        found = rings.fit_plane(0.0, (40, 30))
        assert (found[0] > 0.015) == are_enough


class TestFirstSky:
    @pytest.mark.parametrize('unit', [1.0, 1e-20])
    def test_grown(self, unit):
        # a bright disc is grown by what smoothing adds and four pixels
        y, x = np.indices((160, 160))
        image = np.random.default_rng(1).normal(size=x.shape)
        radius = np.hypot(x - 70, y - 80)
        image[radius < 20] += 100
        rim = (radius > 26) & (radius < 27.8)
        none = np.zeros(x.shape, bool)
        usual = first_sky(unit * image, none)
        # (a dark rim that is hidden does not count)
        same = first_sky(unit * np.where(rim, image - 1.5, image), none)
        assert_allclose(same, usual, atol=0.003 * unit)
        assert_allclose(usual[0], 0.0, atol=0.03 * unit)
        smooth = gaussian_filter(image, 2.0)
        sky = ~binary_dilation(smooth > usual[0] / unit + 0.6 * (
            usual[1] / unit), iterations=4)
        assert_allclose(usual[0], unit * image[sky].mean(), atol=0.01 * unit)
        assert_allclose(usual[1], unit * mad_std(image[sky]), rtol=0.01)


class TestMeasureSky:
    def test_boxes_of_few_good_pixels(self):
        # one pixel of sixteen is left: boxes that have one count
        image = 3 + np.random.default_rng(1).normal(0, 0.3, (300, 300))
        bad = np.ones(image.shape, bool)
        bad[::4, 1::4] = False
        sky = measure_sky(np.where(bad, 1e5, image), bad, (150, 150))
        assert abs(sky.level - 3) < 0.03
        assert sky.how == 'free'

    @pytest.mark.parametrize('constant', [-7.0, 0.0, 1e6])
    def test_boxes_that_are_all_alike(self, constant):
        # the mean of a box is not that of its median
        image = np.tile(np.eye(4) * 8, (64, 64)) + constant
        sky = measure_sky(image, image < -99, (120, 130))
        assert (sky.level, sky.error) == (constant + 2, 0)
        assert (sky.how, sky.slope) == ('free', (0.0, 0.0))

    def test_nothing_is_left(self):
        sky = measure_sky(np.ones((90, 90)), np.ones((90, 90), bool), (9, 9))
        assert (sky.level, sky.error, sky.how) == (0.0, np.inf, 'tail')

    @pytest.mark.parametrize(('away', 'is_found'), [(1.2, True),
                                                    (2.0, False)])
    def test_search(self, away, is_found):
        # at least one and a half boxes of eight pixels
        y, x = np.indices((520, 520))
        image = 40 * np.exp(-0.5 * np.hypot(x - 259.5, y - 259.5)**2 / 9**2)
        image += np.random.default_rng(1).normal(size=image.shape)
        position = 259.5 + 8 * away, 259.5
        sky = measure_sky(image, image < -99, position, search=0.0)
        assert (abs(sky.centre[0] - 259.5) < 5) == is_found


class TestTilt:
    """
    Which of two skies is taken; they are given.
    """

    def sky(self, monkeypatch, rise, *, how='free', error=0.6, found=9.0):
        flat = Sky(1.0, 1.0, how, noise=2.0, rise=rise)
        steep = Sky(2.0, error, 'free', slope=(found / 40, -found / 60))

        def measure(data, bad, position, *, search, plane=False):
            return steep if plane else flat

        monkeypatch.setattr(tilt, 'measure_sky', measure)
        sky = tilt.measure_sky_or_tilt(np.zeros((30, 20)), None, (9, 9))
        assert (sky.level == 2) == sky.tilted
        return sky

    @pytest.mark.parametrize(('how', 'rise', 'is_tilted'), [
        ('free', 3.9, False), ('free', 4.1, True), ('tail', 4.1, False),
        ('tail', 5.9, False), ('tail', 6.1, True), ('free', np.nan, False)])
    def test_rise(self, monkeypatch, how, rise, is_tilted):
        # twice the noise of a pixel, or three times
        sky = self.sky(monkeypatch, rise, how=how)
        assert sky.tilted == is_tilted

    @pytest.mark.parametrize(('error', 'is_tilted'), [(0.69, True),
                                                      (0.71, False)])
    def test_better(self, monkeypatch, error, is_tilted):
        assert self.sky(monkeypatch, 5.0, error=error).tilted == is_tilted

    @pytest.mark.parametrize(('found', 'is_tilted'), [(3.9, False),
                                                      (4.1, True)])
    def test_plane_rises(self, monkeypatch, found, is_tilted):
        # 20 columns and 30 rows
        assert self.sky(monkeypatch, 5.0, found=found).tilted == is_tilted


def test_hidden_medians():
    # rings of one pixel count where all have so few
    image = np.arange(8.0)[None]
    rings = _Rings(image, image < 0, 1.0 * np.arange(8)[None], 1.0)
    at, median, some = rings.medians()
    assert_array_equal(some, np.arange(8))
    assert_allclose((at, median), (np.arange(8), np.arange(8)))
