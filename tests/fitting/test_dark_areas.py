# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising areas at a galaxy that are darker than the sky.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.dark_areas import has_dark_area
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (144, 152)
CENTRE = (75.3, 71.8)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.7)
GALAXY = gaussian_filter(60 * np.exp(-RADIUS / 5), 1.3)
NOISE = np.random.default_rng(3).normal(size=SHAPE)
NONE = np.zeros(SHAPE, bool)


def _rings(factor=1.0, **values):
    sma = np.geomspace(0.5, 60, 40)
    light = factor * 60 * np.exp(-sma / 5)
    same = np.ones(len(sma))
    error = factor / np.sqrt(np.maximum(2 * np.pi * sma, 1))
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma, light,
        intensity_err=error, eps=0.3 * same, theta=0 * same, n_valid=same,
        flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0),
        **{'centre': CENTRE, 'noise': factor} | values)


def _hole(x, y, size, depth):
    return depth * (np.hypot(X - CENTRE[0] - x, Y - CENTRE[1] - y) < size)


def _is_dark(image, rings=None, mask=NONE, noise=1.0):
    return has_dark_area(image, mask, rings or _rings(), noise=noise)


def _seen_to(end, *, snr=10.0, beyond=0.0, eps=0.0, theta=0.0, **values):
    """
    Rings one pixel apart of a galaxy that is seen to a radius.
    """
    sma = np.arange(0.5, 100)
    same = np.ones(len(sma))
    noise = values.pop('noise_map', None)
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4, noise=noise), sma,
        np.where(sma <= end, snr, beyond), intensity_err=same,
        eps=eps * same, theta=theta * same, n_valid=same,
        flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0),
        **{'centre': CENTRE, 'noise': 1.0} | values)


def _square(x, y, size, depth):
    """
    An even shadow (without noise) around a place relative to the centre.
    """
    half = size / 2
    return -depth * ((np.abs(X - CENTRE[0] - x) < half)
                     & (np.abs(Y - CENTRE[1] - y) < half))


class TestSums:
    """
    Even shadows, of which the sum and its error are known.
    """

    @pytest.mark.parametrize('size', [5, 9, 17])
    def test_size(self, size):
        """
        The sum of n pixels of a depth d is d sqrt(n) times its error.

        That of noise is 6.4 times in one of 10^10 sums. Boxes do not begin
        where a shadow does: it is placed in all ways.
        """
        for snr, dark in ((norm.isf(1e-10), False), (9.0, True)):
            assert any(_is_dark(_square(x, 10 + y, size, snr / size),
                                _seen_to(40))
                       for x in range(4) for y in range(4)) == dark

    def test_small_and_deep(self):
        """
        Nine pixels below any noise are an area; the four that a dead one
        leaves after resampling are none.
        """
        assert any(_is_dark(_square(x, 20 + y, 3, 1000.0), _seen_to(40))
                   for x in range(4) for y in range(4))
        for k in range(16):
            image = _square(k % 4, 20 + k // 4, 2, 1000.0)
            image += np.random.default_rng(k).normal(size=SHAPE)
            assert not _is_dark(image, _seen_to(40))

    def test_star_that_was_subtracted(self):
        """
        Its light of 81 is 10 times the noise of the 64 pixels that hold it.
        """
        star = 8 * np.exp(-0.5 * (np.hypot(
            X - CENTRE[0] - 20, Y - CENTRE[1] - 5) / 1.27)**2)
        assert 80 < star.sum() < 82
        assert _is_dark(-star, _seen_to(40))

    def test_errors_add_up(self):
        # 20 by 20 pixels hold 16 by 16: a sum of 256 d, and errors of 16
        # times the correlation and of 256 times that of the sky
        rings = {name: _seen_to(40, **values) for name, values in {
            'usual': {}, 'twice': {'noise_correlation': 2.0},
            'half': {'noise_correlation': 0.5},
            'sky': {'sky_err': 1 / 16}, 'map': {
                'noise_map': np.full(SHAPE, 0.5)}}.items()}
        for name, factor in (('usual', 1.0), ('twice', 2.0), ('half', 1.0),
                             ('sky', np.sqrt(2)), ('map', 1.0)):
            for snr, dark in ((6.3, False), (9.0, True)):
                depth = snr * factor / (20 if not dark else 16)
                if name == 'sky' and not dark:
                    # (more pixels do not help)
                    depth = snr * factor / 16
                assert _is_dark(_square(3, 8, 20, depth),
                                rings[name]) == dark, name

    def test_masked_parts(self):
        """
        Masked pixels are neither light nor noise; half of a box is enough.
        """
        rings = _seen_to(40)
        shadow = _square(10, 10, 20, 1.0)
        lines = X % 3 == 0
        # two thirds of 16 by 16 pixels: 13 times the error if as deep as 1
        assert _is_dark(0.6 * shadow, rings, mask=lines)
        assert not _is_dark(0.48 * shadow, rings, mask=lines)
        deep = _square(10, 10, 20, 4.0)
        assert _is_dark(deep, rings, mask=(X % 5 < 2))
        assert not _is_dark(deep, rings, mask=(X % 5 < 3))


class TestReach:
    def test_beyond_the_galaxy(self):
        """
        Shadows at its edge count, and those at 1.6 times its radius do not.
        """
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            for r, dark in ((44, True), (65, False)):
                image = _square(r * x, r * y, 9, 3.0)
                assert _is_dark(image, _seen_to(40.5)) == dark

    @pytest.mark.parametrize('way', [1, -1])
    @pytest.mark.parametrize('axis', [0, 1])
    def test_small_galaxy(self, axis, way):
        """
        A few pixels more count around one that is seen to 4.5 pixels.
        """
        away = way * (np.indices(SHAPE)[axis] - CENTRE[1 - axis])
        rings = _seen_to(4.5)
        assert _is_dark(np.where(away > 5, -2.0, 0.0), rings)
        assert not _is_dark(np.where(away > 9.5, -4.0, 0.0), rings)

    @pytest.mark.parametrize(('snr', 'dark'), [(2.3, False), (4.0, True)])
    def test_end(self, snr, dark):
        """
        Two times the error is chance in one of forty rings.
        """
        image = _square(0, 35, 9, 3.0)
        rings = _seen_to(15, beyond=snr)
        rings.intensity[40:] = 0.0
        assert _is_dark(image, rings) == dark

    def test_ellipse(self):
        theta = 0.8
        rings = _seen_to(45, eps=0.6, theta=theta)
        for angle, r, dark in ((theta, 40, True), (theta + np.pi, 40, True),
                               (-theta, 40, False), (theta + 1.57, 40, False),
                               (theta, 75, False), (theta + 1.57, 15, True),
                               (theta - 1.57, 15, True)):
            image = _square(r * np.cos(angle), r * np.sin(angle), 9, 3.0)
            assert _is_dark(image, rings) == dark

    def test_at_the_border_of_the_frame(self):
        for centre in ((9.0, 60.0), (60.0, 9.0), (140.0, 60.0), (60.0, 136.0)):
            rings = _seen_to(20, centre=centre)
            for x, y, dark in ((0, 0, True), (8, 12, True), (38, 30, False)):
                away = (centre[0] - CENTRE[0], centre[1] - CENTRE[1])
                way = np.sign(CENTRE - np.array(centre))
                image = _square(away[0] + way[0] * x, away[1] + way[1] * y,
                                9, 3.0)
                assert _is_dark(image, rings) == dark


def test_good_images():
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        assert not _is_dark(GALAXY + noise)
    noise = gaussian_filter(noise, 1.0)
    noise /= noise.std()
    assert not _is_dark(GALAXY + noise, _rings(noise_correlation=3.5))


@pytest.mark.parametrize('factor', [1.0, 1e-12])
@pytest.mark.parametrize(('x', 'y', 'size', 'depth', 'dark'), [
    (26, 0, 6, 2.0, True), (-3, 18, 4, 3.0, True), (26, 0, 12, 1.5, True),
    # in the sky farther out, behind the light of the galaxy, slight
    (50, 0, 6, 3.0, False), (0, 0, 4, 3.0, False), (26, 0, 3, 0.5, False)])
def test_holes(x, y, size, depth, dark, factor):
    image = factor * (GALAXY + NOISE - _hole(x, y, size, depth))
    assert _is_dark(image, _rings(factor), noise=factor) == dark
    assert not _is_dark(image, _rings(factor), noise=factor,
                        mask=_hole(x, y, size, 1) > 0)


def test_single_pixels():
    image = GALAXY + NOISE
    image[70:80:3, 95] = -1000.0
    assert not _is_dark(image)


def test_errors():
    image = GALAXY + NOISE - _hole(26, 0, 6, 2.0)
    assert not _is_dark(image, _rings(sky_err=0.5))
    assert not _is_dark(image, _rings(noise_correlation=4.0))


def test_nothing_to_see():
    image = GALAXY + NOISE - _hole(26, 0, 6, 2.0)
    assert not _is_dark(image, noise=0.0)
    rings = _rings()
    rings.intensity[:] = 0.0
    assert not _is_dark(image, rings)
    for centre in ((-300.0, 50.0), (75.0, 500.0), (1.0, 1.0)):
        assert not _is_dark(GALAXY + NOISE, _rings(centre=centre))
    assert not _is_dark(image, mask=~NONE)


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_flag(fitter):
    fitter, options = fitter(), {'unit': 'nmgy', 'pixel_scale': 0.4}
    assert not fitter(GALAXY + NOISE, **options).meta['flag']
    # the shadow of a grain of dust on the detector
    away = np.hypot(X - CENTRE[0] - 14, Y - CENTRE[1] - 4)
    dust = 2.5 * ((away < 11) & (away > 4))
    profile = fitter(GALAXY + NOISE - dust, **options)
    assert profile.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN


def test_noisier_at_the_galaxy():
    """
    A map says how uncertain the sums of pixels are.
    """
    level = np.where(RADIUS < 40, 8.0, 1.0)
    found = []
    for noise in (None, level):
        rings = replace(_rings(), cutout=GalaxyCutout(
            GALAXY, unit='nmgy', pixel_scale=0.4, noise=noise))
        found.append([_is_dark(
            GALAXY + level * np.random.default_rng(seed).normal(size=SHAPE),
            rings) for seed in range(4)])
    assert any(found[0])
    assert not any(found[1])


@pytest.mark.parametrize('error', [np.nan, np.inf])
def test_sky_that_is_not_known(error):
    image = GALAXY + NOISE - _hole(26, 0, 6, 3.0)
    assert not _is_dark(image, _rings(sky_err=error))
