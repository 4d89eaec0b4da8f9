# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the masks module of detection.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import binary_dilation, gaussian_filter

from astro_pix2prof.detection.masks import (
    excess_light,
    fill_masked,
    residual_mask,
)

SHAPE = (121, 121)
CENTRE = (60.0, 60.0)
Y, X = np.mgrid[:SHAPE[0], :SHAPE[1]]
RADIUS = np.hypot(X - CENTRE[0], Y - CENTRE[1])


def star(x, y, height, fwhm=3.0):
    """
    A point source with the wings of an atmosphere (Moffat, beta of 3).
    """
    core = 0.5 * fwhm / np.sqrt(2**(1 / 3) - 1)
    return height * (1 + ((X - x)**2 + (Y - y)**2) / core**2)**-3


def mask_of(data, *, model=0.0, sigma=1.0, **options):
    return residual_mask(data, model + np.zeros(SHAPE), sigma, RADIUS, CENTRE,
                         **options)


class TestExcessLight:
    def test_noise(self):
        # the noise is that of the difference between image and galaxy
        data = np.random.default_rng(2).normal(size=SHAPE)
        smooth, base, noise = excess_light(data, np.zeros(SHAPE), 1.0, CENTRE)
        assert_allclose(np.std(smooth - base), noise, rtol=0.1)
        smooth, base, noise = excess_light(5 * data, np.zeros(SHAPE), 5.0,
                                           CENTRE)
        assert_allclose(np.std(smooth - base), noise, rtol=0.1)

    def test_arms(self):
        # light on both sides is the galaxy's own
        data = star(30, 60, 3) + star(90, 60, 3)
        smooth, base, _ = excess_light(data, np.full(SHAPE, 1.0), 1e-3,
                                       CENTRE)
        assert_allclose(base, np.maximum(smooth, 1.0), rtol=1e-6)

    def test_star_on_the_far_side(self):
        # it hides no more than the galaxy's light here and some noise
        model = np.full(SHAPE, 2.0)
        data = model + star(90, 60, 1e4)
        base = excess_light(data, model, 0.1, CENTRE)[1]
        assert 2 * 2.0 < base[60, 30] < 4 * 2.0
        assert_allclose(base[60, 90], 2.0, rtol=1e-3)
        _, base, noise = excess_light(data - model, np.zeros(SHAPE), 1.0,
                                      CENTRE)
        assert 2 * noise < base[60, 30] < 5 * noise


class TestResidualMask:
    def test_noise_is_no_object(self):
        data = np.random.default_rng(3).normal(size=SHAPE)
        assert not mask_of(data).any()

    def test_faintest_star(self):
        # found from four times the noise of the smoothed image on
        noise = excess_light(np.zeros(SHAPE), np.zeros(SHAPE), 1.0, CENTRE)[2]
        unit = star(30, 60, 1.0)
        peak = excess_light(unit, np.zeros(SHAPE), 1.0, CENTRE)[0].max()
        for height, found in ((3.5, False), (4.5, True)):
            mask = mask_of(height * noise / peak * unit)
            assert mask.any() == found
            assert mask[60, 30] == found

    @pytest.mark.parametrize('height', [10, 50, 200, 700, 4e3, 2e4])
    def test_wings_of_stars(self, height):
        # what is left, at a noise of 1, is nothing; nor is much more masked
        light = star(30, 60, height)
        mask = mask_of(light)
        assert light[~mask].max() < 0.08
        assert light[mask].min() > 0.005
        assert not mask[:, 70:].any()

    @pytest.mark.parametrize(('height', 'steps'), [
        (4.2, 2), (19, 2), (21, 3), (58, 3), (62, 4), (195, 4), (205, 7),
        (980, 7), (1020, 11)])
    def test_steps(self, height, steps):
        # the brighter, in units of the noise, the wider around what exceeds
        # 1.8 times the noise; that of a difference is a fifth larger
        point = np.zeros(SHAPE)
        point[60, 30] = 1.0
        noise = 1.2 / (2 * np.sqrt(np.pi) * 1.2)
        smooth = gaussian_filter(point, 1.2)
        smooth *= height * noise / smooth.max()
        mask = mask_of(point * height * noise
                       / gaussian_filter(point, 1.2).max())
        expected = binary_dilation(smooth > 1.8 * noise, iterations=steps)
        assert_array_equal(mask, expected)

    def test_wide_and_faint_objects(self):
        # less than half of the root of their area, in units of the noise
        noise = 1.2 / (2 * np.sqrt(np.pi) * 1.2)
        box = np.where((abs(X - 30) < 12) & (abs(Y - 60) < 12), noise, 0.0)
        for height in (10, 11, 12, 13, 14, 15):
            smooth = gaussian_filter(height * box, 1.2)
            least = 0.5 * np.sqrt(np.count_nonzero(smooth > 1.8 * noise))
            assert 10.5 < least < 14.5
            assert mask_of(height * box).any() == (
                smooth.max() / noise > least)

    @pytest.mark.parametrize(('height', 'found'), [(0.9, False),
                                                   (1.15, True)])
    def test_among_clumps(self, height, found):
        # four times the scatter along the ring
        model = np.full(SHAPE, 100.0)
        data = model * (1 + height * np.exp(-0.5 * (
            (X - 30)**2 + (Y - 60)**2) / 8**2))
        mask = mask_of(data, model=model, structure=np.full(SHAPE, 0.25))
        assert mask[60, 30] == found
        if found:
            # and half of that around its peak
            foot = data > 1.5 * model
            assert_array_equal(binary_dilation(foot, iterations=7)[60],
                               mask[60])

    @pytest.mark.parametrize(('height', 'found'), [(0.35, False),
                                                   (0.7, True)])
    def test_contrast(self, height, found):
        # a clump of half of the galaxy's light is an object
        model = np.full(SHAPE, 100.0)
        data = model * (1 + height * np.exp(-0.5 * (
            (X - 30)**2 + (Y - 60)**2) / 5**2))
        assert mask_of(data, model=model)[60, 30] == found
        # but not where arms and clumps scatter by as much
        rough = np.full(SHAPE, 0.25)
        assert not mask_of(data, model=model, structure=rough).any()
        assert not mask_of(data, model=model, contrast=0.8).any()
        assert mask_of(data, model=model, contrast=0.25)[60, 30]

    def test_wide_and_faint_light_is_the_galaxy(self):
        # an excess of two times the noise over half of the frame
        wide = 2.0 * np.exp(-0.5 * (X - 90)**2 / 30**2)
        assert not mask_of(wide).any()
        assert mask_of(wide + star(30, 60, 60))[60, 30]

    def test_lopsided_galaxies(self):
        # isophotes that lie a little aside where light falls steeply
        aside = 1e4 * np.exp(-np.hypot(X - 60, Y - 60.8) / 1.5)
        model = 1e4 * np.exp(-RADIUS / 1.5)
        smooth, base, noise = excess_light(aside, model, 1.0, CENTRE)
        assert (smooth - base - 0.5 * base > 4 * noise).any()
        assert not mask_of(aside, model=model).any()
        # stars on either side of it are other objects
        for y in (50, 70):
            mask = mask_of(aside + star(60, y, 300), model=model)
            assert mask[y, 60]
        # as is what was detected
        others = np.zeros(SHAPE, int)
        others[63:] = 1
        assert mask_of(aside, model=model, others=others).any()

    def test_core(self):
        data = star(60, 60, 100)
        near = star(63, 60, 500)
        assert not mask_of(data)[RADIUS <= 3].any()
        assert mask_of(near)[60, 65]
        assert not mask_of(near, core=8.0)[RADIUS <= 8].any()
        assert mask_of(near, core=8.0).sum() < mask_of(near).sum()

    @pytest.mark.parametrize(('part', 'whole'), [(0.3, False), (0.8, True)])
    def test_detections(self, part, whole):
        # a detection is masked as a whole if most of its light is in excess
        others = np.zeros(SHAPE, int)
        others[50:70, 10:40] = 1
        flat = np.where(others > 0, 0.3, 0.0)
        light = flat.sum() * part / (1 - part)
        point = star(30, 60, 1.0)
        data = flat + point * light / point.sum()
        mask = mask_of(data, others=others)
        assert mask[60, 30]
        assert mask[52, 12] == whole
        assert not mask_of(data)[52, 12]


class TestFillMasked:
    def test_mirror(self):
        galaxy = 10 * np.exp(-np.hypot(X - 60, (Y - 60) / 0.6) / 15)
        masked = np.hypot(X - 75, Y - 52) < 6
        data = np.where(masked, -1e6, galaxy)
        filled = fill_masked(data, masked, CENTRE, np.full(SHAPE, 7.0))
        assert_allclose(filled, galaxy, rtol=1e-9)
        assert_array_equal(data[masked], -1e6)

    def test_model(self):
        # where the other side is masked as well, or beyond the frame
        masked = np.hypot(X - 60, Y - 60) < 5
        filled = fill_masked(np.ones(SHAPE), masked, CENTRE,
                             np.full(SHAPE, 7.0))
        assert_array_equal(filled[masked], 7.0)
        masked = np.hypot(X - 100, Y - 60) < 5
        filled = fill_masked(np.ones(SHAPE), masked, (40.0, 60.0),
                             np.full(SHAPE, 7.0))
        assert_array_equal(filled[masked], 7.0)
        assert_array_equal(filled[~masked], 1.0)


def disc(shape, x, y, peak, scale):
    rows, columns = np.indices(shape)
    radius = np.hypot(columns - x, rows - y)
    return peak * np.exp(-radius / scale), radius


class TestHaloes:
    shape = 121, 121

    def mask(self, others):
        galaxy, radius = disc(self.shape, 60, 60, 200.0, 5.0)
        noise = np.random.default_rng(1).normal(size=self.shape)
        return residual_mask(galaxy + others + noise, galaxy, 1.0, radius,
                             (60, 60)), radius

    def test_halo_all_around(self):
        # as that of the centre of a cluster, which hides no galaxy
        _, radius = disc(self.shape, 60, 60, 1.0, 1.0)
        mask, _ = self.mask(np.where((radius > 25) & (radius < 40), 80, 0))
        assert mask[(radius > 27) & (radius < 38)].all()
        assert not mask[radius < 15].any()

    def test_hole_beside_the_galaxy(self):
        # a ring, whose middle belongs to the same object
        ring = disc(self.shape, 95, 60, 1.0, 1.0)[1]
        mask, radius = self.mask(np.where((ring > 8) & (ring < 12), 80, 0))
        assert mask[ring < 12].all()
        assert not mask[radius < 8].any()

    def test_star(self):
        star, distance = disc(self.shape, 85, 60, 1e4, 1.0)
        mask, _ = self.mask(star)
        assert mask[distance < 5].all()
        assert mask[distance > 20].mean() < 0.01
