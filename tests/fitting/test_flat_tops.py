# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising cut-off cores with noise of their own.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
)
from astro_pix2prof.fitting.flat_tops import find_flat_top
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (110, 100)
CENTRE = (50.3, 54.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
COS, SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
RADIUS = np.hypot((X - CENTRE[0]) * COS + (Y - CENTRE[1]) * SIN,
                  ((Y - CENTRE[1]) * COS - (X - CENTRE[0]) * SIN) / 0.6)
GALAXY = gaussian_filter(900 * np.exp(-RADIUS / 6), 1.2)


def _noisy(seed=0, gain=np.inf):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return GALAXY + np.sqrt(1 + GALAXY / gain) * noise


def _cut_off(number, scatter, seed=0, gain=np.inf):
    """
    Set the brightest pixels to the least of them, with noise.
    """
    image = _noisy(seed, gain)
    level = np.sort(GALAXY, axis=None)[-number]
    noise = np.random.default_rng(seed + 99).normal(size=SHAPE)
    return np.where(GALAXY >= level, level * (1 + scatter * noise), image)


def _find(image, mask=NONE, **values):
    sma = np.append(0.0, np.geomspace(0.8, 45, 25))
    same = np.ones(len(sma))
    return find_flat_top(image, mask, MeasuredRings(
        GalaxyCutout(image, unit='nmgy', pixel_scale=0.4), sma, same, None,
        **{'eps': 0.4 * same, 'theta': np.radians(35) * same,
           'n_valid': same, 'flag': 0 * same.astype(int),
           'galaxy_flag': GalaxyFlag(0), 'centre': CENTRE, 'noise': 1.0,
           **values}))


@pytest.mark.parametrize('number', [32, 50, 90])
@pytest.mark.parametrize('scatter', [0.05, 0.08])
def test_tops(number, scatter):
    for seed in range(5):
        image = _cut_off(number, scatter, seed)
        full = _find(image)
        # (the number of pixels is known roughly)
        assert 0.5 * number < np.count_nonzero(full) < 1.9 * number
        assert full[54:56, 50].all()
        # (of any unit, and with a sky)
        again = _find(1e-9 * (image + 70), sky=7e-8, noise=1e-9)
        assert (again == full).all()


@pytest.mark.parametrize('seed', range(6))
def test_galaxies(seed):
    # (of many photons and of few; knots; a core that is flat)
    for gain in (np.inf, 10.0, 1.0):
        assert _find(_noisy(seed, gain)) is None
    image = _noisy(seed)
    knots = np.random.default_rng(seed).random(SHAPE) < 0.1
    assert _find(image + gaussian_filter(900.0 * knots, 1.2)) is None
    flat = 100 * np.exp(-(RADIUS / 6)**4)
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    assert _find(flat + 5 * noise, noise=5.0) is None


@pytest.mark.parametrize('fwhm', [1.25, 1.5, 1.8])
@pytest.mark.parametrize('part', [0.1, 0.3, 1.0])
def test_sharp_nuclei(fwhm, part):
    # (of cameras that undersample: pixels far apart, and no flat top)
    y, x = np.mgrid[-4:5, -4:5] / 9
    r2 = ((X[..., None] + x.ravel() - CENTRE[0])**2
          + (Y[..., None] + y.ravel() - CENTRE[1])**2)
    nucleus = np.exp(-4 * np.log(2) * r2 / fwhm**2).mean(-1)
    galaxy = gaussian_filter(60 * np.exp(-RADIUS / 8), 0.6)
    galaxy += part * galaxy.sum() * nucleus / nucleus.sum()
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        assert _find(galaxy + np.sqrt(1 + galaxy / 3) * noise) is None


def test_needs_pixels():
    image = _cut_off(40, 0.05)
    assert _find(image) is not None
    assert _find(image, ~NONE) is None
    assert _find(image, noise=0.0) is None
    assert _find(image, noise=200.0) is None
    assert _find(image, centre=(3.0, 54.0)) is None
    assert _find(image, eps=np.full(26, np.nan)) is None
    some = np.random.default_rng(1).random(SHAPE) < 0.05
    assert _find(image, some) is not None


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_fitters(fitter):
    image = _cut_off(40, 0.05)
    profile = fitter()(image, zeropoint=22.5, pixel_scale=0.4)
    assert profile.meta['flag'] & GalaxyFlag.SATURATED
    full = (profile['flag'] & RingFlag.SATURATED) > 0
    assert full[profile['radius'].value < 0.8].all()
    assert not full[profile['radius'].value > 3.2].any()
