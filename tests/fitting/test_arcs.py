# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising arcs in the profile of a galaxy.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.fitting.arcs import has_arc
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (128, 140)
CENTRE = (70.4, 62.7)
NONE = np.zeros(SHAPE, bool)
Y, X = np.indices(SHAPE)
Q = 0.85
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / Q)
ANGLE = np.arctan2(Y - CENTRE[1], X - CENTRE[0])
GALAXY = gaussian_filter(120 * np.exp(-2 * (RADIUS + 0.1)**0.4), 1.3) + (
    12 * np.exp(-RADIUS / 14))


def _noisy(seed=0):
    return GALAXY + np.random.default_rng(seed).normal(size=SHAPE)


def _arc(angle, radius, light, thick=1.5, wide=0.8):
    apart = np.angle(np.exp(1j * (ANGLE - np.radians(angle))))
    return light * np.exp(-0.5 * ((RADIUS - radius) / thick)**2) * np.exp(
        -0.5 * (apart / wide)**2)


def _has_arc(image, mask=NONE, *, noise=1.0, last=45, error=0.2,
             profile=None):
    sma = np.concatenate([[0.0], np.geomspace(1, last, 60)])
    same = np.ones(len(sma))
    if profile is None:
        # the mean along each ellipse, as a fitter measures it
        profile = [np.mean(image[(np.abs(RADIUS - r) < max(1, 0.05 * r))
                                 & ~mask]) for r in sma]
    return has_arc(image, mask, MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        np.array(profile), error * noise * same, (1 - Q) * same, 0 * same,
        same, 0 * same.astype(int), GalaxyFlag(0), centre=CENTRE,
        noise=noise), noise=noise)


@pytest.mark.parametrize('angle', [0, 100, -170])
@pytest.mark.parametrize(('radius', 'light'), [(14, 12), (18, 8), (24, 6)])
def test_arcs(angle, radius, light):
    image = _noisy() + _arc(angle, radius, light)
    assert _has_arc(image)
    assert _has_arc(1e-9 * image, noise=1e-9)
    mask = np.random.default_rng(1).random(SHAPE) < 0.02
    assert _has_arc(np.where(mask, 1e4, image), mask)


@pytest.mark.parametrize('seed', range(5))
def test_parts_of_galaxies(seed):
    image = _noisy(seed)
    assert not _has_arc(image)
    # a ring; two arcs, opposite each other; a lopsided disc; a tail
    assert not _has_arc(image + 6 * np.exp(-0.5 * ((RADIUS - 18) / 2)**2))
    assert not _has_arc(image + _arc(20, 18, 8) + _arc(200, 18, 8))
    assert not _has_arc(image * (1 + 0.3 * np.cos(ANGLE)))
    wide = np.exp(-0.5 * (ANGLE / 0.5)**2)
    assert not _has_arc(image + 4 * wide * np.exp(-RADIUS / 30))


@pytest.mark.parametrize('turn', range(4))
@pytest.mark.parametrize('wound', [2.5, -3.0])
def test_arms_that_wind(turn, wound):
    # (a single one, as bright as an arc where it begins)
    wave = np.cos(ANGLE - turn - wound * np.log(np.maximum(RADIUS, 2)))
    ramp = np.clip((RADIUS - 6) / 4, 0, 1)
    disc = 60 * np.exp(-RADIUS / 12)
    image = disc * (1 + 0.8 * ramp * wave) + _noisy(turn) - GALAXY
    # a profile with a rise where the arm begins
    sma = np.concatenate([[0.0], np.geomspace(1, 45, 60)])
    profile = 60 * np.exp(-sma / 12) * (
        1 + 0.5 * np.exp(-0.5 * ((sma - 11) / 2)**2))
    assert not _has_arc(image, profile=profile)


def test_arcs_that_do_not_count():
    image = _noisy() + _arc(20, 18, 8)
    # left out of the profile, or masked
    smooth = [np.mean(GALAXY[np.abs(RADIUS - r) < max(1, 0.05 * r)])
              for r in np.concatenate([[0.0], np.geomspace(1, 45, 60)])]
    assert not _has_arc(image, profile=smooth)
    assert not _has_arc(image, _arc(20, 18, 8) > 0.3)
    # fainter than a sixth of the galaxy
    assert not _has_arc(_noisy() + _arc(20, 14, 1.5))
    # nothing is seen, or known
    assert not _has_arc(image, noise=0.0)
    assert not _has_arc(image, error=1e3)
    assert not _has_arc(image, last=4)
    assert not _has_arc(image, profile=np.full(61, np.nan))
    assert not _has_arc(image, ~NONE, profile=smooth)


def test_small_galaxy_without_ellipses_beside():
    # (the last ring lies so far in that a rise has none within or beyond)
    sma = np.concatenate([[0.0], np.geomspace(1, 45, 60)])
    profile = np.where(sma < 5, 50.0, 2.5 * np.exp(-(sma - 9)**2))
    assert not _has_arc(_noisy(), profile=profile, error=1.0)


def test_flag():
    image = _noisy() + _arc(120, 18, 9)
    fitter = Pix2ProfFitter()
    for data, expected in ((_noisy(), False), (image, True)):
        profile = fitter(data, unit='nmgy', pixel_scale=0.4)
        assert bool(profile.meta['flag'] & GalaxyFlag.NEIGHBOUR) == expected
