# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Skies that are not flat.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from numpy.testing import assert_allclose

from astro_pix2prof.background.level import (
    Sky,
    measure_sky,
    with_structure_of,
)
from astro_pix2prof.background.structure import (
    first_slope,
    measure_structure_of_sky,
    rise_of,
)
from astro_pix2prof.background.tilt import measure_sky_or_tilt

N = 200
CENTRE = (103.0, 97.0)
SIGMA = 0.3

Y, X = (np.mgrid[:N, :N] - N / 2) / N

SKIES = {
    'bowl': 2 * (X**2 + Y**2),
    'dome': -2 * (X**2 + Y**2),
    'wave': 0.5 * np.sin(10 * X + 4 * Y),
    'step': (X > 0.15).astype(float),
}


def image_of(r_e=8, *, seed=0, noise=SIGMA):
    y, x = np.mgrid[:N, :N]
    galaxy = Sersic2D(3.0, r_e, 1.0, *CENTRE, ellip=0.4, theta=0.7)(x, y)
    return galaxy + noise * np.random.default_rng(seed).normal(size=(N, N))


def sky_of(image, **options):
    return measure_sky(image, np.zeros(image.shape, bool), (100.0, 100.0),
                       **options)


class TestStructure:
    @pytest.mark.parametrize('seed', range(4))
    def test_flat(self, seed):
        sky = sky_of(image_of(seed=seed))
        assert sky.structure < 0.03 * SIGMA
        assert not sky.is_uncertain
        assert sky.error < 0.04 * SIGMA
        assert_allclose(sky.noise, SIGMA, rtol=0.05)

    @pytest.mark.parametrize('kind', list(SKIES))
    @pytest.mark.parametrize('seed', range(2))
    def test_kinds(self, kind, seed):
        """
        The error covers how far the level is from the sky at the galaxy.
        """
        sky = sky_of(image_of(seed=seed) + SIGMA * SKIES[kind])
        assert sky.is_uncertain
        near = np.hypot(X, Y) < 0.1
        true = SIGMA * SKIES[kind][near].mean()
        assert abs(sky.level - true) < 2 * sky.error
        assert sky.error >= sky.structure > 0.12 * SIGMA

    def test_grows(self):
        small, large = (sky_of(image_of() + size * SIGMA * SKIES['bowl'])
                        for size in (0.3, 0.6))
        assert 0.03 * SIGMA < small.structure < large.structure

    def test_plane(self):
        """
        Rings average a gradient out.
        """
        plane = 0.6 * SIGMA * X
        assert not sky_of(image_of() + plane).is_uncertain
        assert sky_of(image_of() + 4 * plane,
                      plane=True).structure < 0.03 * SIGMA

    def test_other_objects(self):
        image = image_of()
        y, x = np.mgrid[:N, :N]
        for k in range(12):
            image += Sersic2D(4.0, 2.5, 1.0, 15 + 15 * k,
                              20 + 155 * (k % 2))(x, y)
        assert not sky_of(image).is_uncertain

    def test_unit_and_constant(self):
        image = image_of() + SIGMA * SKIES['bowl']
        one, two = sky_of(image), sky_of(1e-20 * image + 3e-20)
        assert_allclose(two.structure, 1e-20 * one.structure, rtol=1e-9)
        assert two.is_uncertain

    def test_few_blocks(self):
        """
        No plane is taken off where there are few blocks; nothing is said
        of fewer than three.
        """
        rng = np.random.default_rng(1)
        image = rng.normal(size=(40, 40)) + np.arange(40) / 10
        sky = np.zeros(image.shape, bool)
        none = np.zeros(image.shape, bool)
        found = []
        for width in (0, 3, 8, 40):
            sky[:width] = True
            found.append(measure_structure_of_sky(
                image, sky, none, (20, 20), 2.0, 1.0, pixel_noise=1.0))
        assert found[0].error == 0
        assert found[1].error > 0.7
        assert found[1].below == 0
        assert found[3].scatter < 0.2

    def test_error(self):
        from astro_pix2prof.background.structure import SkyStructure
        assert SkyStructure(0.0, 5.0, 0.0).error == 0
        assert_allclose(SkyStructure(3.0, -4.0, 0.0).error, 5)
        assert_allclose(SkyStructure(0.0, 1.0, -2.0).error, 2)
        assert_allclose(SkyStructure(1.0, 9.0, 0.0).error, 7.25**0.5)


class TestBlocks:
    """
    Skies whose blocks are known exactly.
    """

    def measure(self, image, *, sky=None, centre=(0, 0), level=0.0,
                pixel_noise=0.0, noise=1.0):
        none = np.zeros(image.shape, bool)
        return measure_structure_of_sky(
            image, ~none if sky is None else sky, none, centre, level, noise,
            pixel_noise=pixel_noise)

    @pytest.mark.parametrize(('n', 'counts'), [(7, False), (8, True)])
    def test_few(self, n, counts):
        """
        Their scatter, less their noise and that of faint objects.

        Of blocks with 30 per cent of their pixels.
        """
        values = np.array([5.0, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5])
        sky = np.ones((5, 40), bool)
        sky[:, :5].flat[n:] = False
        found = self.measure(np.repeat(values, 5) * np.ones((5, 1)), sky=sky,
                             pixel_noise=4.0)
        if counts:
            values, share = values, (7 / 25 + 1 / n) / 8
        else:
            values, share = values[1:], 1 / 25
        excess = values.var(ddof=1) - share - (0.025 * 4)**2
        assert_allclose(found.scatter, excess**0.5)
        assert (found.below, found.tilt, found.rise) == (0, 0, 0)

    def test_plane(self):
        y, x = np.mgrid[:20, :20]
        found = self.measure(7 + 0.02 * x - 0.03 * y, centre=(4, 15),
                             level=6.0)
        # (blocks lie 5.5 to the right and 5.5 below the centre)
        assert_allclose(found.tilt, 5.5 * 0.02 + 5.5 * 0.03)
        assert_allclose(found.rise, 20 * 0.02 + 20 * 0.03)
        assert_allclose(found.below, 7 + 4 * 0.02 - 15 * 0.03 - 6)
        assert found.scatter == 0

    def test_bent(self):
        # the mean of a product over a block is that at its middle
        y, x = np.mgrid[:20, :20]
        found = self.measure(3 + 0.01 * (x - 4.0) * (y - 15.0),
                             centre=(4, 15))
        assert_allclose(found.below, 3)

    def test_chequered(self):
        # 36 blocks, less three parameters; noise may exceed its mean
        size = np.kron(np.indices((6, 6)).sum(0) % 2 - 0.5, np.ones((4, 4)))
        found = self.measure(size, centre=(11.5, 11.5), pixel_noise=4.0)
        excess = (36 * 0.25 / 33 - (1 + (2 / 33)**0.5) / 16
                  - (0.025 * 4)**2)
        assert_allclose(found.scatter, excess**0.5)
        assert_allclose((found.tilt, found.rise), 0, atol=1e-12)


    @pytest.mark.parametrize(('n', 'is_scatter'), [(2, False), (3, True)])
    def test_three_blocks(self, n, is_scatter):
        image = np.kron(np.arange(n) % 2, np.ones((4, 4)))
        found = self.measure(image, noise=0.1)
        assert (found.scatter > 0.3) == is_scatter

    @pytest.mark.parametrize(('n', 'is_plane'), [(11, False), (12, True)])
    def test_twelve_blocks(self, n, is_plane):
        sky = np.kron(np.arange(16).reshape(4, 4) < n, np.ones((4, 4))) > 0
        found = self.measure(0.1 * np.arange(16) + 0.0 * sky, sky=sky)
        assert (found.rise > 0) == is_plane
        assert (found.scatter > 0.3) != is_plane

    @pytest.mark.parametrize(('part', 'is_object'), [(0.058, True),
                                                     (0.062, False)])
    def test_large_areas(self, part, is_object):
        # six hundredths of the frame are no object but structure
        image = np.zeros((50, 60))
        others = np.zeros(image.shape, bool)
        others.flat[:round(part * image.size)] = True
        image[others] = 9.0
        found = measure_structure_of_sky(
            image, image < 99, others, (30, 25), 0.0, 4.0, pixel_noise=0.0)
        assert (found.rise == 0) == is_object

    def test_noise_of_quiet_blocks(self):
        # it is at least three tenths of that of the others
        block = np.arange(36) // 4
        turn = (-1.0)**np.indices((4, 36)).sum(0)
        image = np.where(block % 3, 1.0, 0.1) * turn + block % 2
        found = self.measure(image, noise=2.0)
        many = np.where(np.arange(9) % 3, 1.0, 0.3)
        excess = (np.arange(9) % 2).var(ddof=1) - 4 * (many**2).mean() / 16
        assert_allclose(found.scatter, excess**0.5)

    @pytest.mark.parametrize(('times', 'is_halo'), [(0.9, False),
                                                    (1.1, True)])
    @pytest.mark.parametrize('slope', [0.0, 5.0])
    def test_haloes(self, slope, times, is_halo):
        # four times the scatter about a plane and the noise
        y, x = np.mgrid[:6, :6]
        plane = np.stack([np.ones(36), x.ravel(), y.ravel()], -1)
        value = slope * (x - y).ravel() + 0.02 * (-1.0)**np.arange(36)
        halo = np.zeros(36)
        halo[15] = 1.0

        def times_limit(size):
            left = value + size * halo
            left = left - plane @ np.linalg.lstsq(plane, left, rcond=None)[0]
            left -= np.median(left)
            spread = 1.482602 * np.median(np.abs(left))
            return abs(left[15]) / (4 * np.hypot(spread, 0.4 / 4))

        size = times / times_limit(1.0)
        for _ in range(9):
            size *= times / times_limit(size)
        image = np.kron((value + size * halo).reshape(6, 6), np.ones((4, 4)))
        found = self.measure(image, noise=0.4, centre=(11.5, 11.5),
                             level=0.0)
        # (nothing is left out of a block of steep sky)
        few = 36 - 3 - is_halo
        left = (value + size * halo)[halo < is_halo + (not is_halo) * 9]
        used = plane[halo < is_halo + (not is_halo) * 9]
        left = left - used @ np.linalg.lstsq(used, left, rcond=None)[0]
        excess = (left @ left) / few - (1 + (2 / few)**0.5) * 0.4**2 / 16
        assert_allclose(found.scatter, max(excess, 0)**0.5, atol=1e-6)

    @pytest.mark.parametrize(('times', 'counts'), [(2.4, True), (2.6, False)])
    def test_objects_within_blocks(self, times, counts):
        # two and a half times the noise off the median
        image = np.zeros((4, 32))
        image[1, 5] = times * 0.5
        found = self.measure(image, noise=0.5)
        means = np.zeros(8)
        means[1] = times * 0.5 / 16 * counts
        assert_allclose(found.scatter, max(
            means.var(ddof=1) - 0.25 / 16, 0)**0.5)
        # what is taken into the mean is seen without the noise of means
        far = measure_structure_of_sky(
            image + np.arange(32) // 4 % 2, image < 99, image > 99, (0, 0),
            0.0, 0.5, pixel_noise=0.0)
        means += np.arange(8) % 2
        few = np.full(8, 16.0)
        few[1] -= not counts
        assert_allclose(far.scatter, (means.var(ddof=1) - (
            0.25 / few).mean())**0.5, rtol=2e-3)


def test_with_structure_of():
    one = Sky(5.0, 0.5, 'free', structure=0.3, noise=1.0)
    other = Sky(9.0, 2.0, 'free', structure=0.5, noise=2.0)
    assert with_structure_of(other, one) is other
    more = with_structure_of(one, other)
    assert (more.level, more.structure, more.noise) == (5.0, 0.5, 2.0)
    assert_allclose(more.error, (0.25 + 0.25 - 0.09)**0.5)


def test_given_sky_is_certain():
    assert not Sky(1.0, 0.0, 'given', structure=5.0, noise=1.0).is_uncertain
    assert Sky(1.0, 0.1, 'tail').is_uncertain


def tilt_of(image):
    return measure_sky_or_tilt(image, np.zeros(image.shape, bool),
                               (100.0, 100.0))


class TestTilt:
    @pytest.mark.parametrize('r_e', [8, 30, 60])
    def test_flat_sky_is_as_before(self, r_e):
        """
        Bit for bit, also where the galaxy fills the frame.
        """
        image = image_of(r_e)
        assert tilt_of(image) == sky_of(image)

    @pytest.mark.parametrize('rise', [4, 8, 20, 40])
    @pytest.mark.parametrize('r_e', [8, 30])
    def test_steep_sky(self, rise, r_e):
        slope = 0.7 * rise * SIGMA / N, -0.5 * rise * SIGMA / N
        tilted = image_of(r_e) + N * (slope[0] * X + slope[1] * Y)
        sky = tilt_of(tilted)
        assert sky.tilted
        assert sky.is_uncertain
        assert_allclose(sky.slope, slope, atol=0.3 * SIGMA / N)
        true = slope[0] * 3 - slope[1] * 3
        assert abs(sky.level - true) < 0.5 * SIGMA
        assert sky.noise == pytest.approx(SIGMA, rel=0.15)

    def test_limit(self):
        # twice the noise of a pixel across the frame
        for rise in (1.6, 2.6):
            image = image_of() + rise * SIGMA * X
            assert tilt_of(image).tilted == (rise > 2)

    def test_gentle_slope_is_left(self):
        image = image_of() + 0.9 * SIGMA * X
        assert not tilt_of(image).tilted
        assert tilt_of(image).rise == pytest.approx(0.9 * SIGMA, rel=0.2)

    def test_neighbour_is_no_tilt(self):
        y, x = np.mgrid[:N, :N]
        image = image_of(30) + Sersic2D(2.0, 20, 1.0, 180, 20)(x, y)
        assert not tilt_of(image).tilted

    def test_steep_sky_of_a_plane(self):
        """
        Small galaxies in so steep a sky were lost.
        """
        image = image_of(5) + 40 * SIGMA * X
        sky = sky_of(image, plane=True)
        assert sky.how == 'free'
        assert not sky.tilted
        assert_allclose(sky.slope, (40 * SIGMA / N, 0), atol=0.2 * SIGMA / N)

    def test_image_without_noise(self):
        image = image_of(noise=0.0)
        assert tilt_of(image) == sky_of(image)
        assert tilt_of(np.ones((N, N))).slope == (0.0, 0.0)


class TestFirstSlope:
    def test_source_is_left_out(self):
        image = 0.1 * np.arange(32.0) + np.random.default_rng(0).normal(
            0, 0.1, (32, 32))
        image[5:12, 20:28] += 30
        slope = first_slope(image, np.zeros(image.shape, bool), 0.1)
        assert_allclose(slope, (0.1, 0.0), atol=0.003)

    def test_too_little(self):
        image, hidden = np.ones((8, 8)), np.ones((8, 8), bool)
        hidden[0] = False
        assert first_slope(image, hidden, 1.0).tolist() == [0, 0]
        # all but a slope is left out, or it is not steep
        hidden[:] = False
        assert first_slope(0.01 * image, hidden, 1.0).tolist() == [0, 0]

    @pytest.mark.parametrize(('times', 'share', 'counts'), [
        (2.1, 0.05, False), (1.9, 0.05, True), (-2.7, 0.05, True),
        (-3.3, 0.05, False)])
    def test_limits(self, times, share, counts):
        # pixels brighter than two or darker than three times the scatter
        y, x = np.mgrid[:60, :60]
        turn = np.random.default_rng(1).uniform(-1, 1, x.shape)
        image = 0.3 * x + turn
        far = (np.random.default_rng(2).random(x.shape) < share) & (x > 40)
        width = 1.482602 * 0.5
        for _ in range(20):
            image = 0.3 * x + np.where(far, times * width, turn)
            use = ~far if not counts else far | ~far
            design = np.stack([x, y, np.ones(x.shape)], -1)[use]
            plane = np.linalg.lstsq(design, image[use], rcond=None)[0]
            left = image[use] - design @ plane
            width = 1.482602 * np.median(np.abs(left - np.median(left)))
        slope = first_slope(image, image < -99, 0.1)
        assert_allclose(slope, plane[:2], atol=2e-4)

    @pytest.mark.parametrize(('n', 'is_enough'), [(11, False), (12, True)])
    def test_twelve_boxes(self, n, is_enough):
        image = np.arange(40.0) + np.zeros((3, 1))
        hidden = np.ones(image.shape, bool)
        hidden[:, :n // 3] = hidden[:n % 3, n // 3] = False
        slope = first_slope(image, hidden, 0.1)
        assert_allclose(slope, (float(is_enough), 0), atol=1e-9)

    @pytest.mark.parametrize(('least', 'is_steep'), [(8.9, True),
                                                     (9.1, False)])
    def test_least(self, least, is_steep):
        y, x = np.mgrid[:30, :40]
        slope = first_slope(0.15 * x - 0.1 * y, x < 0, least)
        assert_allclose(slope, (0.15 * is_steep, -0.1 * is_steep), atol=1e-9)

    def test_rise(self):
        assert rise_of((0.1, -0.2), (10, 30)) == pytest.approx(5.0)
