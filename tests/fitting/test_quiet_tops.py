# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising cores that are less noisy than the sky.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

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


def test_rounded():
    # noise of a fifth of a step: pixels of a flat galaxy are equal for that
    flat = np.where(RADIUS < 12, 5.0, 0.0) + _noise()
    assert _find(5 * np.round(flat / 5)) is None


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
