# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of trails of satellites near a nucleus.
"""

import numpy as np
import pytest

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter, decode_flags
from astro_pix2prof.detection.trails import find_trail

SIDE, CENTRE, SIGMA = 201, (98.7, 101.2), 1.0
Y, X = np.mgrid[:SIDE, :SIDE].astype(float)
X -= CENTRE[0]
Y -= CENTRE[1]
NONE = np.zeros(X.shape, dtype=bool)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}


def disc(ellipticity=0.5, scale=11.0, angle=0.4, seed=3):
    """
    An exponential disc of 90 times the noise in the middle.
    """
    along = X * np.cos(angle) + Y * np.sin(angle)
    across = (Y * np.cos(angle) - X * np.sin(angle)) / (1 - ellipticity)
    noise = np.random.default_rng(seed).normal(0, SIGMA, X.shape)
    return 90 * np.exp(-np.hypot(along, across) / scale) + noise


def trail(angle, offset, peak, width=2.0):
    """
    A straight line that passes the nucleus.
    """
    to = Y * np.cos(angle) - X * np.sin(angle) - offset
    return peak * np.exp(-0.5 * (to / width)**2)


@pytest.mark.parametrize('angle', [0.0, 0.4, 0.48, 1.3, 2.2, 2.9])
@pytest.mark.parametrize(('offset', 'peak'), [
    (0.0, 2.0), (3.3, 4.0), (-8.6, 3.0), (14.0, 25.0)])
def test_pixels_of_a_trail(angle, offset, peak):
    light = trail(angle, offset, peak)
    image = disc() + light
    found = find_trail(image, NONE, CENTRE, SIGMA)
    assert found is not None
    # (what is left is less than a part of the noise, or of the galaxy)
    left = np.where(found, 0.0, light)
    galaxy = 90 * np.exp(-np.hypot(X, Y) / 11.0)
    assert (left < 0.7 * SIGMA + 0.01 * peak + 0.03 * galaxy).all()
    assert found.mean() < 0.12


@pytest.mark.parametrize('ellipticity', [0.0, 0.5, 0.8, 0.93])
@pytest.mark.parametrize('scale', [3.0, 11.0, 40.0, 120.0])
def test_a_galaxy_is_no_trail(ellipticity, scale):
    for seed in range(4):
        image = disc(ellipticity, scale, seed=seed)
        assert find_trail(image, NONE, CENTRE, SIGMA) is None


def test_lines_of_stars_and_short_lines_are_no_trails():
    image = disc()
    line = trail(1.1, 4.0, 20.0)
    along = X * np.cos(1.1) + Y * np.sin(1.1)
    # on one side only, and one that ends half way
    for seen in (along > 0, np.abs(along) < 55):
        assert find_trail(image + line * seen, NONE, CENTRE, SIGMA) is None
    stars = sum(300 * np.exp(-((along - at)**2 + (
        Y * np.cos(1.1) - X * np.sin(1.1))**2) / 4)
        for at in (-80, -55, 47, 60, 88))
    assert find_trail(image + stars, NONE, CENTRE, SIGMA) is None


def test_missing_pixels_and_small_frames():
    image = disc() + trail(0.9, 5.0, 6.0)
    mask = NONE.copy()
    mask[:, 120:140] = True
    image[mask] = np.nan
    found = find_trail(image, mask, CENTRE, SIGMA)
    assert found is not None
    part = np.s_[45:148, 42:119]
    near = CENTRE[0] - 42, CENTRE[1] - 45
    assert find_trail(image[part], mask[part], near, SIGMA) is not None
    tiny = np.s_[91:112, 88:109]
    assert find_trail(image[tiny], mask[tiny], (10, 10), SIGMA) is None
    assert find_trail(image, ~NONE, CENTRE, SIGMA) is None


@pytest.mark.parametrize('fitter', [
    Pix2ProfFitter(), Pix2ProfFitter('rings-fast'), IsophoteFitter()],
    ids=['rings', 'rings-fast', 'isophotes'])
@pytest.mark.parametrize(('angle', 'offset', 'peak'), [
    (0.4, 4.0, 4.0), (0.45, 0.0, 3.0), (1.9, -6.0, 12.0)])
def test_profiles(fitter, angle, offset, peak):
    before = fitter(disc(), **OPTIONS)
    after = fitter(disc() + trail(angle, offset, peak), **OPTIONS)
    assert 'NEIGHBOUR' in decode_flags(after.meta['flag'], kind='galaxy')
    n = min(len(before), len(after))
    value, error = (after[name][:n].value for name in (
        'surface_brightness', 'surface_brightness_err'))
    off = value - before['surface_brightness'][:n].value
    bright = error < 0.15
    assert bright.sum() > 12
    assert np.abs(off[bright]).max() < 0.2
    assert (np.abs(off) < 3 * np.hypot(error, 0.02))[bright].all()
