# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the galaxy and gaps modules of detection.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.detection.galaxy import (
    _joined,
    _moments,
    choose_peak,
    find_galaxy,
    is_hidden,
    refine_centre,
    sky_tilt,
)
from astro_pix2prof.detection.gaps import KERNELS, fill_gaps


@pytest.fixture(name='image')
def fixture_image():
    y, x = np.mgrid[:201, :201]
    u = (x - 100) * 0.8 + (y - 100) * 0.6
    v = ((y - 100) * 0.8 - (x - 100) * 0.6) / 0.6
    noise = np.random.default_rng(0).normal(size=(201, 201))
    return 60 * np.exp(-np.hypot(u, v) / 9) + noise


class TestFillGaps:
    def test_no_gap(self, image):
        filled, blind = fill_gaps(image, np.zeros(image.shape, bool))
        assert_allclose(filled, image)
        assert not blind.any()

    def test_values_below_gaps_do_not_matter(self, image):
        bad = np.zeros(image.shape, bool)
        bad[90:96, 20:180] = True
        one = fill_gaps(np.where(bad, np.nan, image), bad)[0]
        two = fill_gaps(np.where(bad, 1e9, image), bad)[0]
        assert_allclose(one, two)
        assert_allclose(one[~bad], image[~bad])
        assert abs(one[bad] - image[bad]).mean() < 3

    def test_width(self, image):
        # beyond an edge a Gaussian sees a tenth 1.28 standard deviations away
        bad = np.zeros(image.shape, bool)
        bad[:, 100:] = True
        filled, blind = fill_gaps(np.ones(image.shape), bad)
        assert abs(np.argmax(blind[100]) - 99.5 - 1.2816 * max(KERNELS)) < 1
        assert blind[100].sum() + np.argmax(blind[100]) == 201
        assert_allclose(filled[~blind], 1)

    def test_wide_gap_is_blind(self, image):
        bad = np.zeros(image.shape, bool)
        bad[:, :120] = True
        filled, blind = fill_gaps(image, bad)
        assert blind[:, :60].all()
        assert not blind[:, 115:].any()
        assert not filled[blind].any()


class TestFindGalaxy:
    def find(self, image, bad=None, position=(100, 100), search_radius=25):
        if bad is None:
            bad = np.zeros(image.shape, bool)
        return find_galaxy(image, bad, 1.0, position,
                           search_radius=search_radius)

    @pytest.mark.parametrize('radius', [3, 5, 8])
    def test_masked_core(self, image, radius):
        y, x = np.mgrid[:201, :201]
        bad = np.hypot(x - 101, y - 100) < radius
        found = self.find(np.where(bad, -1e5, image), bad)
        assert is_hidden(bad, found.centre, found.sma)
        assert np.hypot(found.centre[0] - 100, found.centre[1] - 100) < 1.0
        assert_allclose(found.eps, self.find(image).eps, atol=0.06)

    def test_missing_columns(self, image):
        bad = np.zeros(image.shape, bool)
        bad[:, 104:116] = True
        found = self.find(np.where(bad, 0.0, image), bad)
        whole = self.find(image)
        assert_allclose(found.centre, (100, 100), atol=0.5)
        assert_allclose(found.eps, whole.eps, atol=0.06)
        assert_allclose(found.theta, whole.theta, atol=0.1)

    @pytest.mark.parametrize('distance', [8, 12, 16])
    @pytest.mark.parametrize('across', [(1, 0), (0.6, -0.8), (0, 1)])
    def test_missing_side(self, image, distance, across):
        """
        The gap beside a nucleus that is seen is no missing core.
        """
        y, x = np.mgrid[:201, :201] - 100
        bad = x * across[0] + y * across[1] > distance
        filled, _ = fill_gaps(np.where(bad, 0, image), bad)
        found = find_galaxy(filled, bad, 1.0, (103, 98), search_radius=25)
        assert np.hypot(found.centre[0] - 100, found.centre[1] - 100) < 1.5

    @pytest.mark.parametrize('angle', [0.0, 2.0, 4.0])
    def test_tilted_sky(self, image, angle):
        y, x = np.mgrid[:201, :201] / 200 - 0.5
        tilt = 2.0 * (x * np.cos(angle) + y * np.sin(angle))
        found = self.find(image + tilt)
        assert_allclose(found.centre, (100, 100), atol=0.6)
        fitted = sky_tilt(image + tilt, np.zeros(image.shape, bool), 1.0)
        assert abs(fitted - tilt).max() < 0.3

    def test_bleed_trail(self, image):
        image = image.copy()
        image[:, 111:114] += 400
        found = self.find(image)
        assert np.hypot(found.centre[0] - 100, found.centre[1] - 100) < 1.5

    def test_stays_within_the_search_radius(self, image):
        rng = np.random.default_rng(5)
        image = image.copy()
        image[100, :] += 1000.0
        image[:, 60] += 1000.0
        for _ in range(5):
            position = rng.uniform(40, 160, 2)
            found = self.find(image, position=tuple(position),
                              search_radius=6.0)
            assert np.hypot(*(found.centre - position)) <= 6.0 + 1e-6


SHAPE = 121, 133
Y, X = np.mgrid[:SHAPE[0], :SHAPE[1]]
NONE = np.zeros(SHAPE, bool)


def gaussian(x, y, height, sigma, *, q=1.0, theta=0.0):
    u = (X - x) * np.cos(theta) + (Y - y) * np.sin(theta)
    v = ((Y - y) * np.cos(theta) - (X - x) * np.sin(theta)) / q
    return height * np.exp(-0.5 * (u**2 + v**2) / sigma**2)


def noise(seed=0):
    return np.random.default_rng(seed).normal(size=SHAPE)


def find(image, *, position=(60, 60), search_radius=20, bad=NONE):
    return find_galaxy(image, bad, 1.0, position,
                       search_radius=search_radius)


class TestShapeOfGalaxy:
    @pytest.mark.parametrize('theta', [-1.2, 0.4, 1.3])
    def test_moments(self, theta):
        # smoothing by 1.2 pixels adds in squares; moments of a Gaussian
        # down to the threshold are those of all of it but for a part
        image = gaussian(64, 57, 200, 10, q=0.5, theta=theta) + noise()
        found = find(image)
        assert found.found
        assert found.scale < 2
        assert_allclose(found.centre, (64, 57), atol=0.15)
        major, minor = np.hypot(10, 1.2), np.hypot(5, 1.2)
        assert_allclose(found.eps, 1 - minor / major, atol=0.02)
        assert abs(np.sin(found.theta - theta)) < 0.02
        assert_allclose(found.sma, 2 * major, rtol=0.04)
        # threshold: 1.5 times the noise of the smoothed image (0.235)
        limit = image.max() * np.exp(-0.5 * (found.galaxy.sum() / (
            np.pi * major * minor)))
        assert 0.2 < limit < 0.6
        assert found.touching == 0

    def test_filled_gap(self):
        # moments take the missing pixels from the other side
        image = gaussian(60, 60, 200, 10, q=0.6, theta=0.4)
        bad = np.hypot(X - 72, Y - 62) < 7
        found = find(np.where(bad, 0, image) + noise(), bad=bad)
        whole = find(image + noise())
        assert_allclose(found.eps, whole.eps, atol=0.02)
        assert_allclose(found.theta, whole.theta, atol=0.02)
        assert_allclose(found.sma, whole.sma, rtol=0.02)

    def test_moments_of_few_pixels(self):
        # a pixel is a square: its moments are 1/12 along each axis
        one = np.zeros((9, 9))
        one[4, 4] = 3.0
        theta, eps, sma = _moments(one, (4.0, 4.0))
        assert eps == 0
        assert_allclose(sma, 2 / np.sqrt(12))
        one[4, 3] = one[4, 5] = 3.0
        theta, eps, sma = _moments(one, (4.0, 4.0))
        assert_allclose((theta, sma), (0, 2 * np.sqrt(9 / 12)))
        assert_allclose(eps, 1 - 1 / 3)

    @pytest.mark.parametrize(('height', 'is_found'), [(4.6, False),
                                                      (9.5, True)])
    def test_faintest(self, height, is_found):
        # some six times the noise of the smoothed image, without noise here
        smoothed = 1 / (2 * np.sqrt(np.pi) * 1.2)
        spread = 1.5**2 / (1.5**2 + 1.2**2)
        image = gaussian(60, 60, height * smoothed / spread, 1.5)
        found = find(image)
        assert found.found == is_found
        if not is_found:
            assert found.centre == (60, 60)
            assert (found.eps, found.touching, found.scale) == (0, 0, 1.2)
            assert (found.theta, found.sma) == (0, 5)
            assert_allclose(found.galaxy.sum(), np.pi * 5**2, rtol=0.1)

    def test_diffuse(self):
        # half of the noise of a pixel, over many pixels
        found = find(gaussian(60, 60, 0.6, 14, q=0.7) + noise(4),
                     search_radius=30)
        assert found.found
        assert found.scale == 4.0
        assert np.hypot(found.centre[0] - 60, found.centre[1] - 60) < 5
        assert found.galaxy.sum() > 300
        assert found.galaxy[60, 60]

    @pytest.mark.parametrize(('radius', 'scale'), [(12, 4.0), (40, 1.2)])
    def test_flat_disc(self, radius, scale):
        # a wide kernel finds no third more of a large disc: it is not taken
        found = find(np.where(np.hypot(X - 60, Y - 60) < radius, 1.5, 0.0))
        assert found.scale == scale

    @pytest.mark.parametrize(('height', 'is_other'), [(8.0, False),
                                                      (11.0, True)])
    def test_crumbs_of_a_diffuse_galaxy(self, height, is_other):
        # what exceeds nine times the noise of the smoothed image is no crumb
        image = gaussian(60, 60, 0.6, 14)
        smoothed = 1 / (2 * np.sqrt(np.pi) * 1.2)
        spread = 1.5**2 / (1.5**2 + 1.2**2)
        image += gaussian(72, 60, (height * smoothed - image[60, 72])
                          / spread, 1.5)
        found = find(image, search_radius=30)
        assert found.scale == 4.0
        assert (found.others[60, 72] > 0) == is_other
        assert found.galaxy[60, 72] != is_other

    def test_touching(self):
        galaxy = gaussian(60, 60, 100, 6)
        alone, far, near = (find(galaxy + gaussian(60 + d, 60, height, 6)
                                 + noise()) for d, height in (
            (40, 0), (42, 100), (24, 100)))
        assert alone.touching == 0
        assert far.touching < 0.02
        assert 0.05 < near.touching < 0.5
        assert (far.others[60, 102], near.others[60, 84]) > (0, 0)
        assert_allclose(near.centre, (60, 60), atol=0.3)

    def test_nearer_and_larger(self):
        # of two alike the nearer; a wide one before a star beside it
        two = gaussian(52, 60, 50, 3) + gaussian(72, 60, 50, 3) + noise()
        assert_allclose(find(two).centre, (52, 60), atol=0.3)
        image = gaussian(54, 60, 20, 8) + gaussian(78, 62, 900, 1.3)
        assert_allclose(find(image + noise()).centre, (54, 60), atol=1.2)
        # what lies beyond the search radius does not count
        image = gaussian(60, 60, 30, 2) + gaussian(95, 60, 500, 6)
        assert_allclose(find(image + noise()).centre, (60, 60), atol=0.3)


class TestPeak:
    def choose(self, image, start=(60.0, 60.0), **options):
        galaxy = image > 0.5
        return choose_peak(image, galaxy, start, 16.0, 0.3, **options)

    def test_star_on_the_galaxy(self):
        # brighter than the nucleus, and not the middle of the galaxy
        galaxy = gaussian(60, 60, 40, 10, q=0.7) + gaussian(60, 60, 40, 2)
        star = gaussian(69, 62, 160, 1.5)
        assert self.choose(galaxy + star) == (60, 60)
        # alone it is the peak
        assert self.choose(galaxy) == (60, 60)
        assert self.choose(gaussian(63, 58, 80, 4)) == (63, 58)

    def test_star_near_the_edge(self):
        # what lies beyond the frame is not compared
        for x, y, to in ((7, 60, 1), (60, 7, 1), (125, 60, -1),
                         (60, 113, -1)):
            galaxy = gaussian(x, y, 40, 10) + gaussian(x, y, 40, 2)
            star = gaussian(x + 9 * to * (y == 60), y + 9 * to * (x == 60),
                            160, 1.5)
            found = self.choose(galaxy + star, start=(x, y))
            assert_allclose(found, (x, y), atol=0.01)

    @pytest.mark.parametrize(('sma', 'away', 'is_peak'), [
        (16.0, 11.0, True), (16.0, 12.0, False), (3.0, 4.0, True),
        (3.0, 6.0, False)])
    def test_peaks_near_the_first_guess(self, sma, away, is_peak):
        # within 0.7 semi-major axes, or five pixels; others are no peaks,
        # but the middle of the light is found
        image = gaussian(60, 60, 40, 6)
        for angle in (0.0, np.pi / 2):
            start = 60 - away * np.cos(angle), 60 - away * np.sin(angle)
            found = choose_peak(image, image > 0.5, start, sma, 0.3)
            assert (found == (60, 60)) == is_peak
            assert_allclose(found, (60, 60), atol=0.1)

    @pytest.mark.parametrize(('height', 'is_peak'), [(1.4, False),
                                                     (1.6, True)])
    def test_faint_peaks(self, height, is_peak):
        # five times the noise
        image = gaussian(60, 60, height, 6)
        found = choose_peak(image, image > 0.1, (61.0, 60.0), 16.0, 0.3)
        assert (found == (60, 60)) == is_peak

    def test_brighter_peaks_come_first(self):
        # symmetry must speak clearly against the brightest one
        galaxy = gaussian(60, 60, 40, 10, q=0.7) + gaussian(60, 60, 40, 2)
        for x in ((68,), (52, 68)):
            knots = sum(gaussian(at, 60, 30, 2) for at in x)
            assert self.choose(galaxy + knots) == (60, 60)
        assert self.choose(galaxy + gaussian(69, 62, 200, 3)) == (60, 60)

    def test_star_that_hides_the_nucleus(self):
        galaxy = gaussian(60, 60, 40, 10)
        star = gaussian(66, 60, 400, 1.5)
        found = self.choose(galaxy + star, start=(64.0, 60.0))
        assert np.hypot(found[0] - 60, found[1] - 60) < 1.5

    def test_masked_core(self):
        galaxy = gaussian(60.4, 59.7, 40, 10, q=0.7)
        bad = np.hypot(X - 62, Y - 60) < 5
        found = self.choose(np.where(bad, 0, galaxy), bad=bad)
        assert_allclose(found, (60.4, 59.7), atol=0.3)

    def test_masked_core_and_side(self):
        # the middle of what is seen is far off: only symmetry tells
        galaxy = gaussian(60.4, 59.7, 40, 10, q=0.7)
        bad = (np.hypot(X - 62, Y - 60) < 5) | (X > 68)
        found = self.choose(np.where(bad, 0, galaxy), bad=bad,
                            start=(56.0, 60.0))
        assert_allclose(found, (60.4, 59.7), atol=0.3)

    def test_limit(self):
        galaxy = gaussian(60, 60, 40, 6)
        found = self.choose(galaxy, start=(56.0, 60.0),
                            limit=(54.0, 60.0, 3.0))
        assert np.hypot(found[0] - 54, found[1] - 60) <= 3 + 1e-9
        assert found[0] > 56

    def test_plateau(self):
        # the middle of a flat core, wherever its brightest pixel is
        disc = np.where(np.hypot(X - 60.5, Y - 59.5) < 8, 10.0, 0.0)
        disc[62, 57] += 0.1
        centre = refine_centre(disc, disc > 0, (57.0, 62.0))
        assert_allclose(centre, (60.5, 59.5), atol=0.05)

    def test_cusp(self):
        # light below 60 per cent of the peak does not count
        image = np.exp(-np.hypot(X - 60, Y - 60) / 3) + np.where(
            X > 63, 0.3, 0.0)
        centre = refine_centre(image, image > 0, (61.0, 60.0), max_shift=4.0)
        assert_allclose(centre, (60, 60), atol=1e-6)
        # nor a star beyond the largest shift
        image[60, 70] = 5.0
        centre = refine_centre(image, image > 0, (61.0, 60.0), max_shift=4.0)
        assert_allclose(centre, (60, 60), atol=1e-6)
        assert refine_centre(image, NONE, (61.0, 60.0)) == (61.0, 60.0)


class TestJoined:
    # four parts side by side, of which the last is a segment of its own
    parts = np.repeat([1, 2, 3, 4], 3) * np.ones((5, 1), int)
    segments = np.where(parts < 4, 1, 2)

    @pytest.mark.parametrize(('gaps', 'expected'), [
        ([], [1, 2, 3, 4]), ([(2, 4)], [1, 1, 3, 4]),
        ([(4, 5)], [1, 2, 3, 4]), ([(5, 7)], [1, 2, 2, 4]),
        ([(2, 4), (5, 7)], [1, 1, 1, 4]), ([(8, 10)], [1, 2, 3, 4])])
    def test_gaps(self, gaps, expected):
        bad = np.zeros(self.parts.shape, bool)
        for first, last in gaps:
            bad[2, first:last] = True
        found = _joined(self.parts, self.segments, bad)
        assert found[0, ::3].tolist() == expected
        assert (np.ptp(found, axis=0) == 0).all()

    def test_corners(self):
        bad = np.zeros(self.parts.shape, bool)
        bad[2, 2] = bad[3, 3] = True
        found = _joined(self.parts, self.segments, bad)
        assert found[0, ::3].tolist() == [1, 1, 3, 4]


class TestHidden:
    @pytest.mark.parametrize(('sma', 'radius'), [(10, 3.0), (80, 8.0)])
    def test_core(self, sma, radius):
        # a fifth of the pixels within three, or a tenth of the axis
        core = np.hypot(X - 60, Y - 60) <= radius
        for part, hidden in ((0.1, False), (0.3, True)):
            limit = np.quantile((X + 0.01 * Y)[core], part)
            bad = X + 0.01 * Y <= limit
            assert is_hidden(bad, (60, 60), sma) == hidden
        assert not is_hidden(~core, (60, 60), sma)


class TestTilt:
    def plane(self, size):
        return 2 * size * (0.8 * (X / 132 - 0.5) + 0.6 * (Y / 120 - 0.5))

    @pytest.mark.parametrize('size', [0.05, 0.15, 1.0])
    def test_share(self, size):
        # against a sixth of the noise: half of a plane as large as that
        tilt = sky_tilt(self.plane(size), NONE, 1.0)
        share = size**2 / (size**2 + 0.15**2)
        assert_allclose(tilt, share * self.plane(size), atol=1e-6)

    def test_objects(self):
        # they add light: the plane is that of the other cells
        image = self.plane(1.0) + 0.02 * noise()
        image[:50, :40] += 30
        image[80:, 90:] += 5
        assert_allclose(sky_tilt(image, NONE, 1.0), self.plane(1.0),
                        atol=0.06)

    def test_too_little(self):
        assert sky_tilt(self.plane(1.0)[:63], NONE[:63], 1.0) == 0.0
        assert np.ndim(sky_tilt(self.plane(1.0)[:64], NONE[:64], 1.0)) == 2
        # more than half of the cells must be seen
        for last, ndim in ((45, 2), (82, 0)):
            bad = NONE.copy()
            bad[:, :last] = True
            assert np.ndim(sky_tilt(self.plane(1.0), bad, 1.0)) == ndim
