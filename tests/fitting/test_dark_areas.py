# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising areas at a galaxy that are darker than the sky.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

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
