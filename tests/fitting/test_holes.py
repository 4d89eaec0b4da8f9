# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising areas of a galaxy that hold no light.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.holes import has_hole
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.rings import MeasuredRings

SHAPE = (144, 160)
CENTRE = (81.3, 70.8)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.7)
GALAXY = gaussian_filter(60 * np.exp(-RADIUS / 9), 1.3)
NOISE = np.random.default_rng(3).normal(size=SHAPE)
IMAGE = GALAXY + NOISE
NONE = np.zeros(SHAPE, bool)
# (at an angle to the rows)
ACROSS = (X - CENTRE[0]) * np.cos(0.5) + (Y - CENTRE[1]) * np.sin(0.5)
GAP = np.abs(ACROSS - 14) < 5
FADED = IMAGE * (1 - gaussian_filter(GAP.astype(float), 1.5))
FILLED = np.where(GAP, np.random.default_rng(4).normal(size=SHAPE), IMAGE)


def _rings(factor=1.0, eps=0.3, **values):
    sma = np.geomspace(0.5, 60, 40)
    same = np.ones(len(sma))
    return MeasuredRings(
        GalaxyCutout(GALAXY, unit='nmgy', pixel_scale=0.4), sma,
        factor * 60 * np.exp(-sma / 9), intensity_err=0.1 * factor * same,
        eps=eps * same, theta=0 * same, n_valid=same,
        flag=0 * same.astype(int), galaxy_flag=GalaxyFlag(0),
        **{'centre': CENTRE, 'noise': factor} | values)


def _is_dark(image, rings=None, mask=NONE, noise=1.0):
    return has_hole(image, mask, rings or _rings(), noise=noise)


@pytest.mark.parametrize('image', [FADED, FILLED, np.where(GAP, 0, IMAGE),
                                   np.where(ACROSS > 9, NOISE, IMAGE)])
def test_gaps(image):
    """
    Borders that fade, noise, a constant, and the end of a chip.
    """
    assert _is_dark(image)
    assert not _is_dark(image, mask=gaussian_filter(
        (image != IMAGE).astype(float), 3) > 0.01)


def test_whole_galaxy():
    assert not _is_dark(IMAGE)
    assert not _is_dark(GALAXY)


@pytest.mark.parametrize('part', [0.6, 1.7])
def test_light_that_is_uneven(part):
    """
    Dust and arms leave light, and bright objects make no side dark.
    """
    assert not _is_dark(np.where(GAP, part * GALAXY, GALAXY) + NOISE)
    star = 300 * np.exp(-np.hypot(X - CENTRE[0] - 15, Y - CENTRE[1])**2 / 30)
    assert not _is_dark(IMAGE + star)


@pytest.mark.parametrize('angle', [0, 1, 2, 3])
@pytest.mark.parametrize('wound', [0.0, 2.5])
def test_sides_without_an_arm(angle, wound):
    """
    Opposite of a strong arm there is little light, but some.
    """
    phase = np.arctan2((Y - CENTRE[1]) / 0.7, X - CENTRE[0]) - angle
    wave = np.cos(phase - wound * np.log(np.maximum(RADIUS, 2)))
    for least, dark in ((0.2, False), (0.02, True)):
        arm = np.where(wave > 0, 1.5, least)
        assert _is_dark(GALAXY * arm + NOISE) == dark


@pytest.mark.parametrize('factor', [1e-30, 1e-3, 1e20])
def test_any_unit(factor):
    assert _is_dark(factor * FADED, _rings(factor), noise=factor)
    assert not _is_dark(factor * IMAGE, _rings(factor), noise=factor)


def test_turned():
    """
    Turned and reflected images have the same holes.
    """
    for image, dark in ((FADED, True), (IMAGE, False)):
        wide = SHAPE[1] - 1 - CENTRE[0], CENTRE[1]
        assert _is_dark(image[:, ::-1], _rings(centre=wide),
                        NONE[:, ::-1]) == dark
        rings = _rings(centre=CENTRE[::-1])
        rings = replace(rings, theta=rings.theta + np.pi / 2)
        assert _is_dark(image.T, rings, NONE.T) == dark


def test_where_it_is_not_looked_for():
    """
    Faint gaps, thin discs, and galaxies without a bright ring.
    """
    assert not _is_dark(FADED, _rings(eps=0.6))
    assert not _is_dark(FADED, noise=100.0)
    assert not _is_dark(FADED, noise=0.0)
    nothing = _rings()
    nothing.intensity = np.full(len(nothing), np.nan)
    assert not _is_dark(FADED, nothing)


@pytest.mark.parametrize('centre', [(0, 0), (-3.0, 50.0), (200.0, 70.0),
                                    (81.3, 143.4)])
def test_at_the_border_of_the_frame(centre):
    assert not _is_dark(FADED, _rings(centre=centre))


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_flag(fitter):
    fit = fitter()
    for image, dark in ((FADED, True), (IMAGE, False)):
        profile = fit(image, unit='nmgy', pixel_scale=0.4)
        assert bool(
            profile.meta['flag'] & GalaxyFlag.WRONG_NOISE) == dark
