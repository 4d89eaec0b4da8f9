# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Limits of the detection of galaxies and cosmic rays, from both sides.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter, label

from astro_pix2prof.detection import hidden
from astro_pix2prof.detection.cosmic_rays import find_cosmic_rays
from astro_pix2prof.detection.galaxy import (
    _best_segment,
    _within,
    choose_peak,
    find_galaxy,
    is_hidden,
    point_symmetric,
    refine_centre,
    sky_tilt,
)
from astro_pix2prof.detection.gaps import fill_gaps
from astro_pix2prof.detection.masks import excess_light, symmetric_part

SHAPE = 121, 133
Y, X = np.mgrid[:SHAPE[0], :SHAPE[1]]
NONE = np.zeros(SHAPE, bool)

# Noise of an image of unit noise that a Gaussian of 1.2 pixels smooths.
SMOOTHED = 1 / (2 * np.sqrt(np.pi) * 1.2)


def gaussian(x, y, height, sigma):
    return height * np.exp(-0.5 * np.hypot(X - x, Y - y)**2 / sigma**2)


class TestSkyTilt:
    y, x = np.mgrid[:80, :120]

    def plane(self, along, across):
        return along * (self.x / 119 - 0.5) + across * (self.y / 79 - 0.5)

    @pytest.mark.parametrize('sigma', [0.1, 1.0, 5.0])
    @pytest.mark.parametrize('slope', [(0.6, 0.0), (0.0, -0.6), (0.5, 0.3)])
    def test_drawn_towards_zero(self, slope, sigma):
        # half of the rise against 0.15 of the noise
        data = self.plane(*slope) + 7
        size = 0.5 * np.hypot(*slope)
        share = size**2 / (size**2 + (0.15 * sigma)**2)
        tilt = sky_tilt(data, self.x < 0, sigma)
        assert_allclose(tilt, share * self.plane(*slope), atol=1e-6)

    def test_flat(self):
        assert sky_tilt(np.zeros((80, 120)), self.x < 0, 1.0) == 0
        assert_allclose(sky_tilt(np.ones((80, 120)), self.x < 0, 1.0), 0,
                        atol=1e-12)

    @pytest.mark.parametrize(('shape', 'is_large'), [
        ((63, 90), False), ((64, 90), True), ((90, 63), False)])
    def test_small_frames(self, shape, is_large):
        part = np.s_[:shape[0], :shape[1]]
        data = 0.1 * np.indices(shape)[1]
        tilt = sky_tilt(data, np.zeros(shape, bool)[part], 1.0)
        assert bool(np.any(tilt)) == is_large

    @pytest.mark.parametrize(('n', 'are_enough'), [(31, False), (32, True)])
    def test_half_of_the_cells(self, n, are_enough):
        bad = np.kron(np.arange(64).reshape(8, 8) >= n, np.ones((10, 15)))
        tilt = sky_tilt(self.plane(1, 1), bad > 0, 0.1)
        assert bool(np.any(tilt)) == are_enough

    @pytest.mark.parametrize(('n', 'are_enough'), [(75, False), (76, True)])
    def test_half_of_a_cell(self, n, are_enough):
        # of ten by fifteen pixels
        bad = np.ones((10, 15), bool)
        bad.flat[np.random.default_rng(1).permutation(150)[:n]] = False
        tilt = sky_tilt(self.plane(1, 1), np.tile(bad, (8, 8)), 0.1)
        assert bool(np.any(tilt)) == are_enough

    @pytest.mark.parametrize('part', [0.15, 0.3])
    def test_objects(self, part):
        cells = np.random.default_rng(1).random((8, 8)) < part
        light = 3.0 * np.kron(cells * np.linspace(0.4, 2, 8),
                              np.ones((10, 15)))
        noise = np.random.default_rng(2).normal(0, 1, self.x.shape)
        tilt = sky_tilt(self.plane(2, -1) + light + noise, self.x < 0, 1.0)
        # (the noise of the median of a cell is a tenth)
        assert np.abs(tilt - self.plane(2, -1)).max() < 0.25
        if part < 0.3:
            return
        # what is dark counts three times as much
        dark = sky_tilt(self.plane(2, -1) - light + noise, self.x < 0, 1.0)
        assert np.abs(dark - self.plane(2, -1)).max() > np.abs(
            tilt - self.plane(2, -1)).max()


class TestSegments:
    def test_best(self):
        segments = np.repeat([0, 1, 2, 3, 4], 10).reshape(5, 10)
        weight = np.array([9.0, 3, 5, 4, 8])[:, None] * np.ones((5, 10))
        near = np.zeros((5, 10), bool)
        for rows, best in (([0], 0), ([1], 1), ([1, 3], 3), ([1, 2, 3], 2),
                           ([0, 1], 1), ([4, 2], 4)):
            near[:] = False
            near[rows, 4] = True
            assert _best_segment(segments, weight, near) == best
        assert _best_segment(segments, 1e-9 * weight, near) == 4
        assert _best_segment(segments, 0 * weight, near) == 0

    def test_within(self):
        assert _within((3.0, 4.0), (0.0, 0.0, 5.1)) == (3, 4)
        assert_allclose(_within((4.0, 5.0), (1.0, 1.0, 2.5)), (2.5, 3.0))

    def test_point_symmetric(self):
        image = np.random.default_rng(1).normal(size=(7, 9))
        mirror = point_symmetric(image, (3.0, 2.0))
        assert_allclose(mirror[:5, :7], image[4::-1, 6::-1])
        assert np.isnan(mirror[5:]).all()
        assert np.isnan(mirror[:, 7:]).all()
        # between pixels, the mean of four
        mirror = point_symmetric(image, (3.25, 2.25))
        assert_allclose(mirror[2, 3], image[2:4, 3:5].mean())

    def test_symmetric_part_does_not_go_around(self):
        # (a pixel beyond one side is none of the other side)
        for axis in (0, 1):
            mask = np.zeros((50, 50), bool)
            mask[10, 10] = mask[29, 44] = True
            mask = mask if axis else mask.T
            centre = (2.0, 19.5) if axis else (19.5, 2.0)
            assert not symmetric_part(mask, centre).any()
            centre = (52.0, 19.5) if axis else (19.5, 52.0)
            assert not symmetric_part(mask, centre).any()


class TestFindGalaxy:
    def find(self, image, **options):
        options = {'search_radius': 20, **options}
        return find_galaxy(image, NONE, 1.0, (60, 60), **options)

    @pytest.mark.parametrize(('height', 'n', 'is_seen'), [
        (2.4, 5, False), (3.2, 9, True)])
    def test_six_pixels(self, height, n, is_seen):
        # above 1.5 times the noise of the smoothed image
        star = np.zeros(SHAPE)
        star[60, 105] = height * 2 * np.pi * 1.2**2 * SMOOTHED
        smooth = gaussian_filter(star, 1.2)
        assert (smooth > 1.5 * SMOOTHED).sum() == n
        found = self.find(gaussian(60, 60, 50, 4) + star)
        assert (found.others[60, 105] > 0) == is_seen
        # (twice as bright, where twice the noise is asked for)
        found = self.find(gaussian(60, 60, 50, 4) + star, n_sigma=height)
        assert not found.others[60, 105]

    @pytest.mark.parametrize(('times', 'second'), [(0.9, False),
                                                   (1.1, True)])
    @pytest.mark.parametrize('height', [12.0, 40.0])
    def test_far_and_large(self, height, times, second):
        # the light up to eight times the noise, with a Gaussian of half of
        # the search radius
        def weight(image):
            smooth = gaussian_filter(image, 1.2) / SMOOTHED
            near = np.exp(-0.5 * (np.hypot(X - 60, Y - 60) / 10)**2)
            areas, _ = label(smooth > 1.5)
            return (np.clip(smooth, 0, 8) * near)[areas > 0].sum()

        one = gaussian(54, 60, height, 2)
        sizes = np.linspace(1.0, 5.0, 41)
        weights = np.array([weight(gaussian(77, 60, height, size))
                            for size in sizes])
        size = np.interp(times * weight(one), weights, sizes)
        found = self.find(one + gaussian(77, 60, height, size))
        assert found.found
        assert (found.centre[0] > 70) == second

    def test_star_beside_a_diffuse_galaxy(self):
        # bright objects are left out of the wide kernel's image
        rng = np.random.default_rng(4)
        image = gaussian(60, 60, 0.6, 14) + rng.normal(size=SHAPE)
        for x, y in ((74, 44), (50, 78)):
            star = gaussian(x, y, 3e3, 1.3)
            found = self.find(image + star, search_radius=30)
            assert found.scale == 4.0
            assert np.hypot(found.centre[0] - 60, found.centre[1] - 60) < 6
            assert not found.galaxy[star > 100].any()
            assert found.others[y, x] > 0

    def test_none_within_three_pixels(self):
        # where nothing is found, nothing else is said to be there
        image = np.zeros(SHAPE)
        image[60, 65] = 50.0
        found = self.find(image, search_radius=1.0)
        assert not found.found
        assert found.others[60, 65] > 0
        near = np.hypot(X - 60, Y - 60) <= 3
        assert not found.others[near].any()
        assert_array_equal(found.galaxy, near)


class TestCentres:
    def test_plateau(self):
        # nothing is brighter than the top
        disc = np.where(np.hypot(X - 60, Y - 57) < 9, 10.0, 0.0)
        peak = choose_peak(disc, disc > 0, (61.0, 57.0), 9.0, 0.3)
        assert np.hypot(peak[0] - 60, peak[1] - 57) < 9
        middle = refine_centre(disc, disc > 0, peak)
        assert_allclose(middle, (60, 57), atol=1e-6)

    @pytest.mark.parametrize('start', [(80.0, 40.0), (40.0, 80.0)])
    def test_search_around_the_start(self, start):
        # a brighter star elsewhere does not count, wherever that is
        x, y = start
        image = gaussian(x + 1, y - 1, 10, 2)
        for at in ((y, y), (x, x), (y, x)):
            star = image + gaussian(*at, 100, 2)
            centre = refine_centre(star, star > 0, start, max_shift=5.0)
            assert_allclose(centre, (x + 1, y - 1), atol=1e-3)


    @pytest.mark.parametrize(('sma', 'inner', 'outer', 'hidden'), [
        (9.0, 1.6, 3.0, True), (9.0, 3.1, 9.0, False),
        (60.0, 3.1, 6.0, True), (60.0, 6.1, 9.0, False)])
    def test_hidden_core(self, sma, inner, outer, hidden):
        # of three pixels, or a tenth of the semi-major axis
        away = np.hypot(X - 60, Y - 57)
        bad = (away > inner) & (away <= outer)
        assert is_hidden(bad, (60.0, 57.0), sma) == hidden


class TestGaps:
    @pytest.mark.parametrize('width', [1, 4, 9, 18, 30, 60])
    def test_by_hand(self, width):
        # by the narrowest Gaussian that has a tenth of usable pixels
        image = np.random.default_rng(1).normal(10, 3, SHAPE)
        bad = np.abs(X - 66 + 0.3 * Y - 18) < width / 2
        expected = np.where(bad, 0.0, image)
        blind = bad.copy()
        for kernel in (1, 2, 4, 8, 16):
            share = gaussian_filter((~bad).astype(float), kernel)
            light = gaussian_filter(np.where(bad, 0.0, image), kernel)
            here = blind & (share > 0.1)
            expected[here] = light[here] / share[here]
            blind &= ~here
        filled, unseen = fill_gaps(image, bad)
        assert_allclose(filled, expected)
        assert_array_equal(unseen, blind)
        assert unseen.any() == (width > 50)


@pytest.mark.parametrize(('part', 'factor'), [(1.0, 1.0), (0.0, 4.0),
                                              (0.5, 1.75)])
def test_errors_of_one_side(monkeypatch, part, factor):
    # twice as large where no pixel has an opposite one
    image = gaussian(60.3, 57.2, 300, 9) + np.random.default_rng(
        1).normal(size=SHAPE)
    mask = np.hypot(X - 60, Y - 57) < 4
    found = []
    for paired in (1.0, part):
        monkeypatch.setattr(hidden, '_paired_part', lambda *_, p=paired: p)
        found.append(hidden.fit_centre(image, mask, (60.0, 57.0), 1.0))
    assert_allclose(found[1].covariance, factor * found[0].covariance)


def test_light_on_the_far_side():
    # at most three times the galaxy's here, and four times the noise
    model, data = np.full(SHAPE, 2.0), np.full(SHAPE, 2.0)
    data[60, 90] = 1e4
    for sigma in (0.1, 2.0):
        base = excess_light(data, model, sigma, (60, 60))[1]
        assert_allclose(base[60, 30], 3 * 2 + 4 * sigma * SMOOTHED)
        assert_allclose(base[60, 90], 2.0, rtol=1e-6)


class TestCosmicRays:
    def test_bent_track(self):
        # its pixels hide each other: it takes three looks
        track = [(7, 6), (8, 6), (8, 7), (8, 8), (8, 9), (9, 7), (9, 9),
                 (9, 10), (10, 10)]
        image = np.zeros((22, 22))
        image[tuple(np.transpose(track))] = 200.0
        rays = find_cosmic_rays(image, None, 1.0)
        assert [tuple(at) for at in np.argwhere(rays)] == track

    @pytest.mark.parametrize('turns', range(4))
    @pytest.mark.parametrize(('n', 'is_found'), [(7, True), (9, False)])
    def test_median_of_sixteen(self, n, is_found, turns):
        # (nine or seven of them are in a bright half of the image)
        y, x = np.indices((15, 15))
        image = np.where((y <= 5) | ((x >= 9) & (y <= n)), 10.0, 0.0)
        image[(y > 9) & (x >= 9)] = 10.0 * (n > 7)
        image[7, 7] = 16.0
        image = np.rot90(image, turns)
        rays = find_cosmic_rays(image, None, 1.0)
        assert rays[7, 7] == is_found

    @pytest.mark.parametrize('place', [(0, 7), (7, 0), (14, 7), (7, 14)])
    def test_at_the_edge(self, place):
        # what lies on the other side of the frame is not near
        image = np.random.default_rng(1).normal(0, 0.1, (15, 15))
        far = tuple(14 - at if at in (0, 14) else at for at in place)
        image[far] = 1e3
        image[place] = 50.0
        rays = find_cosmic_rays(image, None, 1.0)
        assert rays[place]
        assert rays[far]
        assert rays.sum() == 2
