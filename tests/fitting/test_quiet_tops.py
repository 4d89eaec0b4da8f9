# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising cores that are less noisy than the sky.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from scipy.stats import chi2

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.quiet_tops import find_quiet_top
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (128, 136)
CENTRE = (67.4, 63.1)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.8)
GALAXY = gaussian_filter(30 * np.exp(-RADIUS / 6), 1.3)
NONE = np.zeros(SHAPE, bool)


def _noise(seed=2):
    return np.random.default_rng(seed).normal(size=SHAPE)


def _rings(factor=1.0, centre=CENTRE, noise=None):
    same = np.ones(30)
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4),
        np.geomspace(0.5, 60, 30), factor * same, intensity_err=factor * same,
        eps=0.2 * same, theta=0 * same, n_valid=same,
        flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0), centre=centre,
        sky=2.0 * factor, noise=factor if noise is None else noise)


def _cut(level, spread, seed=2):
    """
    Replace pixels above a level by it, with some noise.
    """
    image = GALAXY + _noise(seed)
    other = level + spread * _noise(seed + 100)
    return np.where(image > level, other, image), image > level


def _find(image, factor=1.0, mask=NONE, **values):
    return find_quiet_top(factor * (image + 2.0), mask,
                          _rings(factor, **values))


@pytest.mark.parametrize('factor', [1.0, 1e-12])
@pytest.mark.parametrize(('level', 'spread', 'found'), [
    (10, 0.2, True), (8, 0.05, True), (14, 0.3, True), (10, 1.0, False),
    (10, 0.6, False)])
def test_level(level, spread, found, factor):
    image, above = _cut(level, spread)
    full = _find(image, factor)
    assert (full is not None) == found
    if found:
        assert full.sum() >= 21
        assert above[full].all()


def test_good_cores():
    flat = np.where(RADIUS < 12, 9.0, 0.0)
    for seed in range(40):
        noise = _noise(seed)
        for galaxy in (GALAXY, flat):
            assert _find(galaxy + noise) is None
            # correlated by resampling
            moved = shift(noise, (0.4, 0.5), order=1, mode='wrap')
            assert _find(galaxy + moved / moved.std()) is None
            moved = gaussian_filter(noise, 1.0, mode='wrap')
            assert _find(galaxy + moved / moved.std()) is None


def _nearest(number):
    """
    The pixels that are nearest to the nucleus.
    """
    apart = np.hypot(X - round(CENTRE[0]), Y - round(CENTRE[1]))
    return apart <= np.sort(apart.ravel())[number - 1]


def _varied(number, variance, seed=1):
    """
    Noise of a variance in the pixels nearest to the nucleus.
    """
    values = np.random.default_rng(seed).normal(size=number)
    return (values - values.mean()) * np.sqrt(variance) / values.std()


class TestVariance:
    """
    The variance of n pixels of noise is distributed as chi square is.
    """

    def _core(self, parts, height=9.0, seed=7):
        image = _noise(seed) + np.where(RADIUS < 12, height, 0.0)
        done = np.zeros(SHAPE, bool)
        for number, variance in parts:
            new = _nearest(number) & ~done
            image[new] = height + _varied(new.sum(), variance)
            done |= new
        return image

    @pytest.mark.parametrize('number', [21, 37, 69])
    def test_chance(self, number):
        """
        What happens in one of 10^5 cores is no sign, one in 3 10^7 is.

        The part of the pixels that fewer ones are judged by is noisier.
        """
        for chance, found in ((1e-5, False), (10**-7.5, True)):
            variance = chi2.ppf(chance, number - 1) / number
            inner = {21: 0, 37: 21, 69: 37}[number]
            more = min(1.3 * variance, number / (inner or 1) * variance)
            rest = (number * variance - inner * more) / (number - inner)
            parts = [(inner, more)] if inner else []
            full = _find(self._core([*parts, (number, rest)]))
            assert (full is not None) == found
            if found:
                np.testing.assert_array_equal(full, _nearest(number))

    def test_noise_that_was_added_later(self):
        """
        Chance seldom makes it look like a slope.
        """
        found = 0
        for seed in range(20):
            image = self._core([], seed=seed)
            image[_nearest(21)] = 9 + _varied(21, 0.06, seed)
            found += _find(image) is not None
        assert found >= 18

    def test_height(self):
        """
        Two times the noise is no core: pixels of the sky were replaced.
        """
        for height, found in ((2.2, False), (4.2, True)):
            image = self._core([(69, 0.1)], height)
            assert (_find(image) is not None) == found

    def test_slope(self):
        """
        Compressed light has less noise than the half of how it varies.
        """
        core = _nearest(21)
        dome = np.hypot(X - round(CENTRE[0]) - 0.5, Y - round(CENTRE[1]))**2
        x, y, dome = (values[core] - 0.0 for values in (X, Y, dome))
        terms = np.stack([x * 0 + 1, x, y, x * x, x * y, y * y], axis=1)
        for variance, found in ((0.045, False), (0.01, True)):
            noise = _varied(21, 1.0)
            noise -= terms @ np.linalg.lstsq(terms, noise, rcond=None)[0]
            # (15 numbers are free: 21 values and a parabola)
            noise *= np.sqrt(0.04 * 15 / (noise @ noise))
            image = self._core([])
            image[core] = 9 + noise - np.sqrt(variance) * (
                dome - dome.mean()) / dome.std()
            assert (_find(image) is not None) == found

    def test_map_that_says_more(self):
        rings = _rings()
        image = self._core([], 30.0)
        for level in (1.0, 3.5):
            noise = np.where(RADIUS < 12, level, 1.0)
            rings.cutout = GalaxyCutout(image, unit='nmgy', pixel_scale=0.4,
                                        noise=noise)
            assert find_quiet_top(image + 2.0, NONE, rings) is None

    def test_few_pixels_that_are_left(self):
        image = self._core([(69, 0.06)])
        assert _find(image) is not None
        around = (np.abs(X - 67) <= 6) & (np.abs(Y - 63) <= 6)
        for number in (9, 13):
            assert _find(image, mask=around & ~_nearest(number)) is None


def test_rounded():
    """
    Rounding makes compressed cores even, and no others that are so noisy.
    """
    flat = np.where(RADIUS < 12, 9.0, 0.0)
    noise = _noise() * np.where(RADIUS < 12, 0.04, 1.0)
    for step, found in ((0.3, False), (0.13, True)):
        image = step * np.round((flat + noise + step / 2) / step)
        assert (_find(image) is not None) == found
    # equal pixels are another's concern
    image = np.where(RADIUS < 12, 9.0, _noise())
    assert _find(image) is None


class TestSky:
    @staticmethod
    def _is_quiet(shape, centre, radius, deep, *, level, core, mask=None):
        """
        A steep galaxy, in an area where the noise is less.
        """
        apart = np.hypot(np.indices(shape)[1] - centre[0],
                         np.indices(shape)[0] - centre[1])
        image = np.random.default_rng(5).normal(size=shape)
        image *= np.where(apart < deep, level, 1.0)
        image[apart < 9] *= core
        image += np.where(apart < radius, level * (
            12 + 3 * (radius - np.maximum(apart, 9))), 0.0) + 2.0
        mask = np.zeros(shape, bool) if mask is None else mask
        return find_quiet_top(image, mask, _rings(
            centre=centre)) is not None

    def test_large_galaxy_where_the_sky_is_deep(self):
        """
        The sky beside it is as deep, as far as 64 pixels each way.
        """
        shape, centre = (300, 340), (190.0, 120.0)
        for core, quiet in ((1.0, False), (0.3, True)):
            assert self._is_quiet(shape, centre, 44, 100, level=0.28,
                                  core=core) == quiet

    def test_galaxy_that_fills_the_near_sky(self):
        """
        The sky of 256 pixels each way around it counts, and none beyond.
        """
        shape, centre = (440, 500), (250.0, 210.0)
        assert not self._is_quiet(shape, centre, 93, 150, level=0.28,
                                  core=1.0)
        assert self._is_quiet(shape, centre, 96, 0, level=1.0, core=0.3)

    @pytest.mark.parametrize(('number', 'found'), [(6, False), (8, True)])
    def test_little_sky(self, number, found):
        """
        The noise is known to a tenth from 64 boxes, and not from 36.
        """
        shape = (128, 136)
        mask = np.ones(shape, bool)
        mask[:4 * number, :4 * number] = False
        mask[58:73, 58:73] = False
        assert self._is_quiet(shape, (65.0, 65.0), 45, 0, level=1.0,
                              core=0.3, mask=mask) == found


@pytest.mark.parametrize(('x', 'y', 'found'), [
    (7, 60, True), (128, 60, True), (60, 7, True), (60, 120, True),
    (3, 60, False), (133, 60, False), (60, 3, False), (60, 125, False),
    # outside
    (160, 60, False), (60, 150, False), (-9, 60, False)])
def test_near_the_border(x, y, found):
    """
    The core has to be within the frame.
    """
    image = _noise()
    away = np.hypot(X - x, Y - y) < 12
    image[away] = 9 + 0.2 * image[away]
    assert (_find(image, centre=(x, y)) is not None) == found


def test_nothing_to_see():
    image, above = _cut(10, 0.2)
    assert _find(image, mask=above) is None
    assert _find(image, centre=(3.0, 60.0)) is None
    assert _find(image, noise=0.0) is None
    # little sky, and no light
    assert _find(image, mask=RADIUS > 20) is None
    assert _find(0.1 * _noise()) is None


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_flag(fitter):
    image, _ = _cut(9.0, 0.2)
    profile = fitter()(image, unit='nmgy', pixel_scale=0.4)
    assert profile.meta['flag'] & GalaxyFlag.SATURATED


def test_compressed_light():
    # its cores have little noise, and a slope
    for seed in range(10):
        image = np.arcsinh(10 * GALAXY + _noise(seed))
        assert _find(image, noise=0.7) is None


@pytest.mark.parametrize('told', [True, False])
def test_deeper_at_the_galaxy(told):
    """
    Mosaics may have less noise there, which a map tells, or the sky around.
    """
    shape = (200, 200)
    radius = np.hypot(*(np.indices(shape) - 100.0))
    noise = np.where(radius < 70, 1 / 4, 1.0)
    galaxy = 5 * np.exp(-(radius / 14)**2)
    for seed in range(3):
        image = galaxy + noise * np.random.default_rng(seed).normal(size=shape)
        cutout = GalaxyCutout(image, unit='nmgy', pixel_scale=0.4,
                              noise=noise if told else None)
        rings = replace(_rings(centre=(100.0, 100.0)), cutout=cutout, sky=0.0)
        assert find_quiet_top(cutout.data, cutout.mask, rings) is None
