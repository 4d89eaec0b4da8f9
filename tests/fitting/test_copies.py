# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising a faint copy of a galaxy beside itself.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates, shift

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.copies import has_copy
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.flags import GalaxyFlag as Flag
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (150, 140)
CENTRE = (70.3, 74.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
COS, SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
RADIUS = np.hypot((X - CENTRE[0]) * COS + (Y - CENTRE[1]) * SIN,
                  ((Y - CENTRE[1]) * COS - (X - CENTRE[0]) * SIN) / 0.7)
GALAXY = gaussian_filter(400 * np.exp(-RADIUS / 9), 1.2)
ANGLE = np.arctan2(Y - CENTRE[1], X - CENTRE[0])


def _rings(model=GALAXY, centre=CENTRE):
    sma = np.append(0.0, np.geomspace(0.8, 60, 30))
    angle = np.linspace(0, 2 * np.pi, 65)[1:]
    u, v = np.outer(sma, np.cos(angle)), 0.7 * np.outer(sma, np.sin(angle))
    light = map_coordinates(model, [centre[1] + u * SIN + v * COS,
                                    centre[0] + u * COS - v * SIN], order=1)
    same = np.ones(len(sma))
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        light.mean(1), None, 0.3 * same, np.radians(35) * same, same,
        0 * same.astype(int), Flag(0), centre)


def _noisy(model, seed=0, gain=50.0):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return model + np.sqrt(1 + model / gain) * noise


def _copied(part, dx, dy):
    return GALAXY + part * shift(GALAXY, (dy, dx), order=1)


def _has_copy(image, mask=NONE, rings=None, **options):
    rings = _rings() if rings is None else rings
    return has_copy(image, mask, rings, **{
        'noise': 1.0, 'gain': 50.0, **options})


@pytest.mark.parametrize('place', [(11, -10), (-8, 9), (4, -14), (-12, -12)])
@pytest.mark.parametrize('part', [0.18, 0.25])
def test_copies(place, part):
    model = _copied(part, *place)
    rings = _rings(model)
    for seed in range(2):
        image = _noisy(model, seed)
        assert _has_copy(image, rings=rings)
        assert _has_copy(image, rings=rings, gain=None)
        # (of any unit)
        rings.intensity *= 1e-9
        assert _has_copy(1e-9 * image, rings=rings, noise=1e-9, gain=5e10)
        rings.intensity *= 1e9


@pytest.mark.parametrize('seed', range(8))
def test_galaxies(seed):
    arms = 1 + 0.3 * np.cos(2 * ANGLE - 4 * np.log(RADIUS + 1) + seed)
    one_arm = 1 + 0.15 * np.cos(ANGLE - 3 * np.log(RADIUS + 1) + seed)
    bar = 80 * np.exp(-((X - 70) / 12)**2 - ((Y - 75) / 3)**2)
    star = 300 * np.exp(-((X - 80)**2 + (Y - 66)**2) / 4)
    lane = 1 - 0.3 * np.exp(-((Y - 70) / 3)**2)
    for model in (GALAXY, GALAXY * arms, GALAXY * one_arm, GALAXY + bar,
                  GALAXY + star, GALAXY * lane):
        image = _noisy(model, seed)
        assert not _has_copy(image, rings=_rings(model))
        assert not _has_copy(image, rings=_rings(model), gain=None)


@pytest.mark.parametrize('turn', range(6))
def test_lopsided_discs(turn):
    # (smooth differences, all over a large disc)
    disc = gaussian_filter(400 * np.exp(-RADIUS / 20), 1.2)
    across = (X - CENTRE[0]) * np.cos(turn) + (Y - CENTRE[1]) * np.sin(turn)
    for model in (disc * np.exp(0.5 * np.tanh(across / 45)), disc * (
            1 + 0.6 * np.clip(RADIUS / 45, 0, 1) * np.cos(ANGLE - turn))):
        assert not _has_copy(_noisy(model, turn), rings=_rings(model))


def test_centre_that_is_off():
    for off in (0.4, 0.8):
        centre = (CENTRE[0] + off, CENTRE[1] - off)
        assert not _has_copy(_noisy(GALAXY), rings=_rings(centre=centre))


def test_missing_pixels():
    image = _noisy(_copied(0.2, 4, -14))
    mask = np.random.default_rng(1).random(SHAPE) < 0.02
    image[mask] = np.nan
    rings = _rings(_copied(0.2, 4, -14))
    assert _has_copy(image, mask, rings)
    # (one side only is known)
    assert not _has_copy(image, mask | (X > CENTRE[0]), rings)
    assert not _has_copy(image, ~NONE, rings)


def test_needs_a_bright_galaxy_within_the_frame():
    model = _copied(0.2, 4, -14)
    image, rings = _noisy(model), _rings(model)
    assert _has_copy(image, rings=rings)
    assert not _has_copy(image, rings=rings, noise=0.0)
    assert not _has_copy(image, rings=rings, noise=100.0)
    part = np.s_[:, 45:]
    assert not _has_copy(image[part], NONE[part],
                         _rings(model[part], (25.3, CENTRE[1])))
    rings.intensity[:] = np.nan
    assert not _has_copy(image, rings=rings)
    rings.intensity[:] = 100.0
    assert not _has_copy(np.full(SHAPE, 100.0), rings=rings)


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_fitters(fitter):
    for part, flag in ((0.15, GalaxyFlag.NEIGHBOUR), (0.0, GalaxyFlag(0))):
        image = _noisy(_copied(part, 4, -14))
        profile = fitter()(image, zeropoint=22.5, pixel_scale=0.4, gain=50.0)
        assert profile.meta['flag'] & GalaxyFlag.NEIGHBOUR == flag
