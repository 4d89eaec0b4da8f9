# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising discs and rings of even light on a galaxy.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.reflections import has_reflection
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (190, 180)
CENTRE = (90.3, 94.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
COS, SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
RADIUS = np.hypot((X - CENTRE[0]) * COS + (Y - CENTRE[1]) * SIN,
                  ((Y - CENTRE[1]) * COS - (X - CENTRE[0]) * SIN) / 0.7)
GALAXY = gaussian_filter(200 * np.exp(-RADIUS / 6), 1.2)
ANGLE = np.arctan2(Y - CENTRE[1], X - CENTRE[0])


def _rings(model=GALAXY, centre=CENTRE):
    sma = np.append(0.0, np.geomspace(0.8, 70, 30))
    angle = np.linspace(0, 2 * np.pi, 65)[1:]
    u, v = np.outer(sma, np.cos(angle)), 0.7 * np.outer(sma, np.sin(angle))
    light = map_coordinates(model, [centre[1] + u * SIN + v * COS,
                                    centre[0] + u * COS - v * SIN], order=1)
    same = np.ones(len(sma))
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        light.mean(1), None, 0.3 * same, np.radians(35) * same, same,
        0 * same.astype(int), GalaxyFlag(0), centre)


def _noisy(model, seed=0):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return model + np.sqrt(1 + model / 50) * noise


def _ghost(dx, dy, outer, inner, level):
    away = np.hypot(X - CENTRE[0] - dx, Y - CENTRE[1] - dy)
    return gaussian_filter(np.where((away < outer) & (away > inner), level,
                                    0.0), 0.7)


def _seen(image, mask=NONE, rings=None, noise=1.0):
    return has_reflection(image, mask, _rings() if rings is None else rings,
                          noise=noise)


@pytest.mark.parametrize('place', [(14, 0), (-10, 12), (3, -18)])
@pytest.mark.parametrize(('outer', 'inner'), [(25, 9), (30, 12), (35, 0)])
def test_discs_and_rings(place, outer, inner):
    for level in (1.5, 2.5):
        model = GALAXY + _ghost(*place, outer, inner, level)
        image, rings = _noisy(model), _rings(model)
        assert _seen(image, rings=rings)
        # (of any unit)
        rings.intensity *= 1e-9
        assert _seen(1e-9 * image, rings=rings, noise=1e-9)


@pytest.mark.parametrize('seed', range(6))
def test_galaxies(seed):
    rng = np.random.default_rng(seed)
    arms = 1 + 0.4 * np.cos(2 * ANGLE - 4 * np.log(RADIUS + 1) + seed)
    ring = 2 * np.exp(-((RADIUS - 25) / 4)**2)
    stars = sum(rng.uniform(5, 300) * np.exp(
        -((X - rng.uniform(0, 180))**2 + (Y - rng.uniform(0, 190))**2) / 5)
        for _ in range(12))
    other = 60 * np.exp(-np.hypot(X - 115, (Y - 80) / 0.6) / 5)
    tail = 2 * np.exp(-((Y - 110 - 0.01 * (X - 90)**2) / 5)**2)
    for model in (GALAXY, GALAXY * arms, GALAXY + ring, GALAXY + stars,
                  GALAXY + other, GALAXY + tail, GALAXY + 0.01 * X):
        assert not _seen(_noisy(model, seed), rings=_rings(model))


@pytest.mark.parametrize('seed', range(4))
def test_round_objects(seed):
    """
    A bright round object is a disc only as far as its excess is cut off.
    """
    away = np.hypot(X - CENTRE[0] - 10, Y - CENTRE[1] + 15)
    for size in (2.5, 3.5):
        model = GALAXY + gaussian_filter(300 * np.exp(-away / size), 1.2)
        assert not _seen(_noisy(model, seed), rings=_rings())
    disc = GALAXY + _ghost(10, -15, 21, 0, 1.5)
    assert _seen(_noisy(disc, seed), rings=_rings())


def test_part_of_a_circle():
    model = GALAXY + _ghost(14, 0, 30, 12, 2.0) * (X > 95)
    assert not _seen(_noisy(model), rings=_rings(model))


def test_circles_about_the_nucleus():
    model = GALAXY + _ghost(0, 0, 30, 12, 2.0)
    assert not _seen(_noisy(model), rings=_rings(model))


def test_missing_pixels():
    model = GALAXY + _ghost(14, 0, 30, 12, 2.0)
    image, rings = _noisy(model), _rings(model)
    mask = np.random.default_rng(1).random(SHAPE) < 0.02
    image[mask] = np.nan
    assert _seen(image, mask, rings)
    assert _seen(image, NONE, rings)
    assert not _seen(image, ~NONE, rings)
    # (a frame that is smaller than what is looked at)
    part = np.s_[35:160, 40:150]
    rings.centre = (50.3, 59.8)
    assert _seen(image[part], mask[part], rings)
    assert not _seen(image[part][:, :60], mask[part][:, :60], rings)


def test_needs_light_and_noise():
    model = GALAXY + _ghost(14, 0, 30, 12, 2.0)
    image, rings = _noisy(model), _rings(model)
    assert not _seen(image, rings=rings, noise=0.0)
    assert not _seen(image, rings=rings, noise=50.0)
    rings.intensity[:] = np.nan
    assert not _seen(image, rings=rings)


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_fitters(fitter):
    for level, flag in ((1.5, GalaxyFlag.SKY_UNCERTAIN), (0, GalaxyFlag(0))):
        image = _noisy(GALAXY + _ghost(-10, 12, 30, 12, level))
        profile = fitter()(image, zeropoint=22.5, pixel_scale=0.4, gain=50.0)
        assert profile.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN == flag
