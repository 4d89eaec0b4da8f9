# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising even light on one side of a galaxy.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.fitting.scattered_light import has_scattered_light
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (200, 210)
CENTRE = (104.4, 98.7)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
GALAXY = gaussian_filter(200 * np.exp(-np.hypot(
    X - CENTRE[0], (Y - CENTRE[1]) / 0.7) / 8), 1.3)


def _noisy(seed=0):
    return GALAXY + np.random.default_rng(seed).normal(size=SHAPE)


def _disc(angle, distance, radius, edge=1.0):
    x = CENTRE[0] + distance * np.cos(np.radians(angle))
    y = CENTRE[1] + distance * np.sin(np.radians(angle))
    r = np.hypot(X - x, Y - y)
    return 1 / (1 + np.exp((r - radius) / edge))


def _is_covered(image, mask=NONE, **values):
    sma = np.geomspace(1, 45, 25)
    same = np.ones(25)
    values = {'noise': 1.0, 'centre': CENTRE, **values}
    return has_scattered_light(image, mask, MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        values['noise'] * 200 * np.exp(-sma / 8), values['noise'] * same,
        0.3 * same, 0 * same, same, 0 * same.astype(int), GalaxyFlag(0),
        **values), noise=values['noise'])


@pytest.mark.parametrize('angle', [0, 130, 250])
@pytest.mark.parametrize(('distance', 'radius'), [(35, 45), (38, 48)])
@pytest.mark.parametrize('light', [-1.5, 1.2, 3.0])
def test_discs(angle, distance, radius, light):
    image = _noisy() + light * _disc(angle, distance, radius)
    assert _is_covered(image)
    assert _is_covered(1e-9 * image, noise=1e-9)
    mask = np.random.default_rng(1).random(SHAPE) < 0.02
    assert _is_covered(np.where(mask, 1e4, image), mask)


@pytest.mark.parametrize('seed', range(5))
def test_other_light(seed):
    assert not _is_covered(_noisy(seed))
    x, y = X - CENTRE[0], Y - CENTRE[1]
    other = np.exp(-np.hypot(x - 40, (y - 15) / 0.6) / 10)
    star = (1 + np.hypot(x + 35, y + 10)**2 / 4)**-1.5
    arm = np.exp(-0.5 * ((np.hypot(x, y) - 40) / 4)**2) * (x > 0)
    for more in (50 * other, 3000 * star, 0.5 * arm, 0.01 * x - 0.008 * y):
        assert not _is_covered(_noisy(seed) + more)
    for tilt in (0.003, 0.005, 0.01, 0.02):
        assert not _is_covered(_noisy(seed) + tilt * x)
        assert not _is_covered(_noisy(seed) + tilt * (x - 0.5 * y))
    # (beyond the galaxy, and below the noise)
    assert not _is_covered(_noisy(seed) + 0.15 * _disc(10, 40, 50))


@pytest.mark.parametrize('n', [0.5, 0.7])
@pytest.mark.parametrize('at', [0.0, 0.45])
def test_flat_cores(n, at):
    """
    Nor is the flat core of a large galaxy that is not centred on a pixel.
    """
    centre, sma = (150.0 + at, 150.0 - at), np.geomspace(1, 130, 40)
    y, x = np.indices((300, 300))

    def light(r):
        return 20 * np.exp(-(2 * n - 1 / 3) * (r / 40)**(1 / n))

    same = np.ones(len(sma))
    image = light(np.hypot(x - centre[0], (y - centre[1]) / 0.7))
    rings = MeasuredRings(
        GalaxyCutout(image, unit='nmgy', pixel_scale=0.4), sma, light(sma),
        same / sma, 0.3 * same, 0 * same, same, 0 * same.astype(int),
        GalaxyFlag(0), noise=1.0, centre=centre)
    none = np.zeros(image.shape, bool)
    # (centres have errors, too)
    off = replace(rings, centre=(150.3 + at, 150.2 - at))
    for seed in range(3):
        noisy = image + np.random.default_rng(seed).normal(size=image.shape)
        assert not has_scattered_light(noisy, none, rings, noise=1.0)
        assert not has_scattered_light(noisy, none, off, noise=1.0)


def test_beside_the_galaxy():
    """
    Light that does not reach the galaxy does not cover it.
    """
    image = _noisy()
    assert not _is_covered(image + 3 * _disc(45, 72, 25))
    assert _is_covered(image + 3 * _disc(45, 60, 26))


def test_needs_sky():
    image = _noisy() + 2 * _disc(10, 30, 40)
    assert _is_covered(image)
    assert not _is_covered(image, ~NONE)
    assert not _is_covered(image, noise=0.0)
    assert not _is_covered(image, centre=(20.0, 99.0))
    # (of noise that is correlated over many pixels)
    assert not _is_covered(image, noise_correlation=9.0)


def test_fitter():
    image = _noisy()
    options = {'unit': 'nmgy', 'pixel_scale': 0.4}
    fitter = Pix2ProfFitter()
    assert fitter(image, **options).meta['flag'] == 0
    image += 2 * _disc(200, 30, 40)
    assert fitter(image, **options).meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
