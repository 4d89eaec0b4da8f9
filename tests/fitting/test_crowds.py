# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising crowds of compact sources over a galaxy.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.fitting.crowds import is_crowded
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (180, 196)
CENTRE = (96.3, 91.7)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.7)
GALAXY = gaussian_filter(40 * np.exp(-RADIUS / 8), 1.3)
NOISE = np.random.default_rng(5).normal(size=SHAPE)
NONE = np.zeros(SHAPE, bool)


def _stars(n, flux, *, width=20, seed=1, sigma=1.3):
    """
    Draw stars around the centre, of up to so much light.
    """
    rng = np.random.default_rng(seed)
    image = np.zeros(SHAPE)
    x, y = (np.rint(c + width * rng.normal(size=n)).astype(int)
            for c in CENTRE)
    inside = (x >= 0) & (x < SHAPE[1]) & (y >= 0) & (y < SHAPE[0])
    np.add.at(image, (y[inside], x[inside]),
              flux * rng.uniform(0.3, 1, n)[inside])
    return gaussian_filter(image, sigma)


IMAGE = GALAXY + NOISE
CLUSTER = IMAGE + _stars(100, 80)


def _rings(factor=1.0, **values):
    sma = np.geomspace(0.5, 45, 40)
    same = np.ones(len(sma))
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        factor * 40 * np.exp(-sma / 8), intensity_err=0.03 * factor * same,
        eps=0.3 * same, theta=0 * same, n_valid=same,
        flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0),
        **{'centre': CENTRE, 'noise': factor} | values)


def _has_crowd(image, rings=None, mask=NONE, noise=1.0):
    return is_crowded(image, mask, rings or _rings(), noise=noise)


@pytest.mark.parametrize('seed', range(4))
def test_clusters(seed):
    assert _has_crowd(IMAGE + _stars(100, 80, seed=seed))


@pytest.mark.parametrize('image', [
    IMAGE, GALAXY, IMAGE + _stars(8, 80), IMAGE + _stars(100, 8),
    IMAGE + 5 * _stars(60, 80, sigma=4)])
def test_few_faint_or_wide_sources(image):
    assert not _has_crowd(image)


def test_arms():
    """
    Arms are narrow, too, but go on along themselves.
    """
    angle = np.arctan2((Y - CENTRE[1]) / 0.7, X - CENTRE[0])
    wave = np.cos(2 * angle - 6 * np.log(np.maximum(RADIUS, 1)))
    assert not _has_crowd(GALAXY * (1 + 0.9 * wave) + NOISE)


def test_beside_the_galaxy():
    """
    Crowded fields do not matter where there is no galaxy.
    """
    stars = _stars(2000, 80, width=60)
    assert not _has_crowd(IMAGE + np.where(RADIUS > 60, stars, 0))
    assert not _has_crowd(CLUSTER, mask=CLUSTER - IMAGE > 0.3)


@pytest.mark.parametrize('factor', [1e-30, 1e-3, 1e20])
def test_any_unit(factor):
    assert _has_crowd(factor * CLUSTER, _rings(factor), noise=factor)
    assert not _has_crowd(factor * IMAGE, _rings(factor), noise=factor)


def test_turned():
    """
    Turned and reflected images have the same sources.
    """
    wide = SHAPE[1] - 1 - CENTRE[0], CENTRE[1]
    assert _has_crowd(CLUSTER[:, ::-1], _rings(centre=wide))
    rings = _rings(centre=CENTRE[::-1])
    rings = replace(rings, theta=rings.theta + np.pi / 2)
    assert _has_crowd(CLUSTER.T, rings, NONE.T)


def test_nothing_to_see():
    assert not _has_crowd(CLUSTER, noise=0.0)
    rings = _rings()
    rings.intensity = np.zeros(len(rings))
    assert not _has_crowd(CLUSTER, rings)
    for centre in ((-300.0, 50.0), (75.0, 500.0), (-40.0, 1.0)):
        assert not _has_crowd(CLUSTER, _rings(centre=centre))
    assert not _has_crowd(CLUSTER, mask=~NONE)
    assert not is_crowded(CLUSTER[:8, :8], NONE[:8, :8],
                          _rings(centre=(4, 4)), noise=1.0)


def test_flag():
    fit = Pix2ProfFitter()
    for image, crowded in ((CLUSTER, True), (IMAGE, False)):
        profile = fit(image, unit='nmgy', pixel_scale=0.4)
        assert bool(
            profile.meta['flag'] & GalaxyFlag.NEIGHBOUR) == crowded
