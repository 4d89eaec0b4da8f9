# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising trails that cross a galaxy.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.isophote.trails import has_trail
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (200, 210)
CENTRE = (104.4, 98.7)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
GALAXY = gaussian_filter(40 * np.exp(-np.hypot(
    X - CENTRE[0], (Y - CENTRE[1]) / 0.7) / 9), 1.3)


def _noisy(seed=0):
    return GALAXY + np.random.default_rng(seed).normal(size=SHAPE)


def _trail(angle, distance, width=3.5, centre=CENTRE):
    angle = np.radians(angle)
    apart = (X - centre[0]) * np.sin(angle) - (
        Y - centre[1]) * np.cos(angle)
    return np.exp(-0.5 * ((apart - distance) / width)**2)


def _has_trail(image, mask=NONE, *, noise=1.0, error=0.1, size=40.0,
               scale=9, centre=CENTRE):
    sma = np.geomspace(1, size, 25)
    same = np.ones(25)
    return has_trail(image, mask, MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        noise * 40 * np.exp(-sma / scale), error * noise * same, 0.3 * same,
        0 * same, same, 0 * same.astype(int), GalaxyFlag(0), centre=centre,
        noise=noise), noise=noise)


@pytest.mark.parametrize('angle', [20, 75, 135, 160])
@pytest.mark.parametrize('distance', [-28, 10, 18])
@pytest.mark.parametrize('light', [1.3, 2.7, 30.0])
def test_trails(angle, distance, light):
    image = _noisy() + light * _trail(angle, distance)
    assert _has_trail(image)
    mask = np.random.default_rng(1).random(SHAPE) < 0.02
    assert _has_trail(1e-9 * np.where(mask, 1e4, image), mask, noise=1e-9)


@pytest.mark.parametrize('seed', range(5))
def test_others(seed):
    image = _noisy(seed)
    rng = np.random.default_rng(seed)
    assert not _has_trail(image)
    for _ in range(30):
        x, y = rng.uniform(0, 200, 2)
        image += rng.uniform(5, 300) * np.exp(
            -np.hypot(X - x, Y - y)**2 / 6)
    assert not _has_trail(image)
    # on one side; through the nucleus; farther away than the galaxy; a thin
    # disc beside it; a gradient
    trail = 3 * _trail(35, 15)
    assert not _has_trail(image + np.where(X > 120, trail, 0))
    assert not _has_trail(image + 3 * _trail(35, 0, 2.0))
    assert not _has_trail(image + 3 * _trail(35, 75))
    assert not _has_trail(image + trail * np.exp(-0.5 * (
        (X - CENTRE[0]) / 25)**2))
    assert not _has_trail(image + 0.02 * (X - Y))


@pytest.mark.parametrize('angle', [35, 80.9, 127])
@pytest.mark.parametrize('size', [40.0, 160.0])
def test_large_frames(angle, size):
    """
    A line that is off by a degree leaves the trail after some 400 pixels.
    """
    shape = (1600, 1590)
    y, x = np.indices(shape, np.float32)
    angle = np.radians(angle)
    image = np.random.default_rng(3).normal(size=shape)
    image += 1.5 * np.exp(-0.5 * (((x - 800) * np.sin(angle) - (
        y - 805) * np.cos(angle) - 0.5 * size) / 3.5)**2)
    mask = np.zeros(shape, bool)
    assert _has_trail(image, mask, size=size, scale=0.25 * size,
                      centre=(800.0, 805.0))
    for part in (np.s_[:800], np.s_[:, 810:]):
        image[part] = np.random.default_rng(4).normal(size=shape)[part]
        assert not _has_trail(image, mask, size=size, scale=0.25 * size,
                              centre=(800.0, 805.0))


def test_nothing_is_seen():
    image = _noisy() + 3 * _trail(35, 15)
    assert _has_trail(image)
    assert not _has_trail(image, noise=0.0)
    assert not _has_trail(image, error=1e3)
    assert not _has_trail(image, ~NONE)
    # (there is too little of it outside of the galaxy)
    assert not _has_trail(image, size=130.0, scale=40)


def test_flag():
    fitter = IsophoteFitter()
    for light, expected in ((0, False), (1.5, True)):
        profile = fitter(_noisy() + light * _trail(35, 18), unit='nmgy',
                         pixel_scale=0.4)
        assert bool(profile.meta['flag'] & GalaxyFlag.NEIGHBOUR) == expected
