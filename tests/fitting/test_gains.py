# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising parts of a detector with different gains.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.gains import has_border

SHAPE = (150, 140)
CENTRE = (70.3, 74.8)
NONE = np.zeros(SHAPE, bool)


def _image(q=0.6, angle=35.0, scale=6.0, seed=0, gain=30.0):
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = x - CENTRE[0], y - CENTRE[1]
    r = np.hypot(x * cos + y * sin, (y * cos - x * sin) / q)
    model = gaussian_filter(500 * np.exp(-r / scale), 1.2)
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return model + np.sqrt(1 + model / gain) * noise


@pytest.mark.parametrize('offset', [-10, -4, 0, 3, 9])
@pytest.mark.parametrize('factor', [0.8, 0.9, 1.12, 1.25])
def test_halves(offset, factor):
    for seed in range(2):
        for part in (np.s_[:, 70 + offset:], np.s_[75 + offset:]):
            image = _image(seed=seed)
            image[part] *= factor
            assert has_border(image, NONE, CENTRE, 1.1, gain=30.0)
            assert has_border(1e-9 * image, NONE, CENTRE, 1.1e-9)


@pytest.mark.parametrize('sign', [-1, 1])
def test_quadrant(sign):
    image = _image()
    image[72:, 72:] *= 1 + 0.25 * sign
    assert has_border(image, NONE, CENTRE, 1.1, gain=30.0)


def test_missing_pixels():
    image = _image()
    image[:, 72:] *= 1.2
    mask = np.random.default_rng(1).random(SHAPE) < 0.02
    image[mask] = np.nan
    assert has_border(image, mask, CENTRE, 1.1, gain=30.0)


@pytest.mark.parametrize('q', [0.12, 0.4, 0.9])
@pytest.mark.parametrize('angle', [0.0, 50.0, 90.0])
def test_galaxies(q, angle):
    lane = np.arange(SHAPE[1]) - CENTRE[0] - 2
    lane = 1 - 0.6 * np.exp(-0.5 * (lane / 1.5)**2)
    for seed in range(4):
        image = _image(q, angle, seed=seed)
        for data in (image, image * lane, np.maximum(image, 0.3)):
            assert not has_border(data, NONE, CENTRE, 1.0, gain=30.0)
            assert not has_border(data, NONE, CENTRE, 1.0)


@pytest.mark.parametrize('more', [0.5, 0.8])
def test_other_noise_on_one_side(more):
    for seed in range(4):
        image = _image(seed=seed)
        noise = np.random.default_rng(seed + 9).normal(size=SHAPE)
        noise[:, :73] = 0
        assert not has_border(image + more * noise, NONE, CENTRE, 1.1,
                              gain=30.0)


def test_other_gain_outside_of_the_galaxy():
    image = _image()
    image[:, 110:] *= 1.5
    assert not has_border(image, NONE, CENTRE, 1.1, gain=30.0)


def test_nothing_to_see():
    image = _image()
    image[:, 72:] *= 1.2
    assert has_border(image, NONE, CENTRE, 1.1)
    assert not has_border(image, ~NONE, CENTRE, 1.1)
    assert not has_border(image, NONE, CENTRE, 0.0)
    assert not has_border(image[:20], NONE[:20], (70, 10), 1.1)
    assert not has_border(0 * image, NONE, CENTRE, 1.1)
    # (the galaxy is too faint to tell)
    noise = np.random.default_rng(0).normal(size=SHAPE)
    noise[:, 72:] *= 1.2
    assert not has_border(noise, NONE, CENTRE, 1.1)


@pytest.mark.parametrize('make', [Pix2ProfFitter, IsophoteFitter])
def test_flag(make):
    fitter = make(max_radius=8)
    image = _image(scale=4.0)
    for factor in (1.0, 1.2):
        image[:, 73:] *= factor
        profile = fitter(image, unit='nmgy', pixel_scale=0.4,
                         ellipticity=0.3, pa=0)
        assert bool(profile.meta['flag'] & GalaxyFlag.WRONG_NOISE) == (
            factor > 1)


def test_noise_that_changes_several_times():
    # no gain: strips of different exposure, and waves
    x, found = np.arange(SHAPE[1]), 0
    for seed in range(6):
        for noise in (1.0 + ((x + 5 * seed) // 23) % 2,
                      2.0**np.sin((x + 8 * seed) / 9)):
            image = _image(seed=seed, scale=4.0)
            image += (np.sqrt(noise**2 - noise.min()**2)
                      * np.random.default_rng(seed).normal(size=SHAPE))
            assert not has_border(image, NONE, CENTRE, 1.3)

            # and a border between them
            image = _image(seed=seed, scale=9.0)
            image += ((noise > 1) * np.random.default_rng(seed).normal(
                size=SHAPE))
            image[:, 73:] *= 1.5
            found += has_border(image, NONE, CENTRE, 1.3)
    assert found >= 8
