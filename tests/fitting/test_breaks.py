# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising a line at which the light of a galaxy breaks off.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.breaks import has_break

HALF, BAND = 22, 4
CENTRE = (60.3, 64.8)
Y, X = np.indices((130, 120))
COS, SIN = np.cos(np.radians(35)), np.sin(np.radians(35))
RADIUS = np.hypot((X - CENTRE[0]) * COS + (Y - CENTRE[1]) * SIN,
                  ((Y - CENTRE[1]) * COS - (X - CENTRE[0]) * SIN) / 0.6)
GALAXY = gaussian_filter(300 * np.exp(-RADIUS / 6), 1.2)
# (of constant width along both axes)
BOX = np.s_[65 - HALF:66 + HALF, 60 - HALF:61 + HALF]
AT = np.arange(-HALF, HALF + 1) - [[0.3], [-0.2]]


def _noisy(model, seed=0, gain=50.0):
    noise = np.random.default_rng(seed).normal(size=model.shape)
    return model + np.sqrt(1 + model / gain) * noise


def _sums(values):
    number = (2 * HALF + 1) // BAND * BAND
    return np.stack([part[:number].reshape(-1, BAND, 2 * HALF + 1).sum(1)
                     for part in (values[BOX], values[BOX].T)])


def _breaks(image, model=GALAXY, **options):
    return has_break(_sums(image), _sums(model), AT, **{
        'band': BAND, 'noise': 1.0, 'gain': 50.0, **options})


def _lost(image, at, number):
    rest = np.delete(image, np.s_[at:at + number], axis=0)
    return np.concatenate([rest, np.zeros((number, image.shape[1]))])


def _joined(image, at, shift):
    return np.concatenate([image[:at], np.roll(image[at:], shift, axis=1)])


@pytest.mark.parametrize('at', [59, 62, 69, 72])
def test_lost_rows(at):
    for number in (1, 2, 3):
        image = _lost(_noisy(GALAXY), at, number)
        assert _breaks(image)
        # (of any unit, and with photons that are not known)
        assert _breaks(1e-9 * image, 1e-9 * GALAXY, noise=1e-9, gain=5e10)
        assert _breaks(1e-9 * image, 1e-9 * GALAXY, noise=1e-9, gain=None)


@pytest.mark.parametrize('at', [61, 65, 70])
@pytest.mark.parametrize('shift', [-3, 2])
def test_halves_joined_wrongly(at, shift):
    assert _breaks(_joined(_noisy(GALAXY), at, shift))
    # (columns)
    part = _noisy(GALAXY)
    part[:, at - 5:] = np.roll(part[:, at - 5:], shift, axis=0)
    assert _breaks(part)


@pytest.mark.parametrize('gain', [0.8, 1.15])
def test_one_side_brighter(gain):
    image = _noisy(GALAXY)
    image[67:] *= gain
    assert _breaks(image)


@pytest.mark.parametrize('at', [52, 58, 63])
@pytest.mark.parametrize('width', [9, 14])
@pytest.mark.parametrize('gain', [0.8, 1.2])
def test_wide_strips(at, width, gain):
    """
    Edges of strips show where the galaxy is some ten times the noise.
    """
    for strip in (np.s_[at + 4:at + 4 + width], np.s_[:, at:at + width]):
        found = 0
        for seed in range(4):
            image = _noisy(0.25 * GALAXY, seed)
            image[strip] *= gain
            found += _breaks(image, 0.25 * GALAXY)
            assert not _breaks(_noisy(0.25 * GALAXY, seed), 0.25 * GALAXY)
        assert found >= 3


@pytest.mark.parametrize('seed', range(12))
def test_galaxies(seed):
    angle = np.arctan2(Y - CENTRE[1], X - CENTRE[0])
    arms = 1 + 0.3 * np.cos(2 * angle - 4 * np.log(RADIUS + 1) + seed)
    # (a lane of dust, and a bar, along rows)
    lane = gaussian_filter(np.where(np.abs(Y - 67) < 2, 0.6, 1.0), 1.2)
    bar = 60 * np.exp(-((X - 60) / 12)**2 - ((Y - 65) / 2.5)**2)
    edge = gaussian_filter(np.where(Y < 68, 1.0, 0.7), 1.5)
    for model in (GALAXY, GALAXY * arms, GALAXY * lane, GALAXY + bar,
                  GALAXY * edge):
        assert not _breaks(_noisy(model, seed))
        assert not _breaks(_noisy(model, seed), gain=None)


def test_ellipses_that_change_abruptly():
    # (rings of a galaxy with strong arms; the pixels have no such step)
    rings = GALAXY * np.where(np.abs(Y - CENTRE[1]) < 7, 1.0, 0.6)
    smooth = gaussian_filter(rings, 3)
    for seed in range(4):
        assert not _breaks(_noisy(smooth, seed), rings)
    assert _breaks(_noisy(rings), smooth)


def test_far_and_missing():
    far = _joined(_noisy(GALAXY), 85, 3)
    assert not _breaks(far)
    image = _joined(_noisy(GALAXY), 65, 3)
    image[50:80] = np.nan
    assert not _breaks(image)
    assert not _breaks(np.full(GALAXY.shape, np.nan))
    # (nothing is seen)
    assert not _breaks(_joined(_noisy(GALAXY), 65, 3), noise=1e4)


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
@pytest.mark.parametrize('spoil', [lambda image: _lost(image, 60, 2),
                                   lambda image: _joined(image, 66, 2)])
def test_fitters(fitter, spoil):
    image = spoil(_noisy(GALAXY))
    image[-3:] = _noisy(np.zeros((3, 120)), 1)
    profile = fitter()(image, zeropoint=22.5, pixel_scale=0.4, gain=50.0)
    assert profile.meta['flag'] & GalaxyFlag.WRONG_NOISE
