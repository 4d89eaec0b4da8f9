# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising saturated cores that are darker than what is around.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof.fitting.craters import find_crater

SHAPE = (91, 101)
CENTRE = (49.7, 45.3)
NONE = np.zeros(SHAPE, bool)


def _radius(q=0.7):
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    return np.hypot(x - CENTRE[0], (y - CENTRE[1]) / q)


def _galaxy(scale=7.0, peak=400.0):
    image = gaussian_filter(np.exp(-_radius() / scale), 1.3)
    return peak * image / image.max()


def _with_crater(kind, level, noise):
    image = _galaxy()
    full = image > level
    image = image + noise
    if kind == 'low':
        image[full] = 0.3 * level + noise[full]
    elif kind == 'negative':
        image[full] = -50.0
    elif kind == 'count from zero':
        image = np.where(image > level, image - 1.2 * level, image)
    elif kind == 'falls':
        image = np.where(full, 2 * level - image, image)
    else:
        image = np.where(full, level * (level / np.abs(image))**1.5, image)
    return image, full


@pytest.mark.parametrize('kind', ['low', 'negative', 'count from zero',
                                  'falls', 'fades'])
@pytest.mark.parametrize('level', [130.0, 240.0])
@pytest.mark.parametrize('unit', [1.0, 1e-9])
def test_craters(kind, level, unit):
    noise = np.random.default_rng(1).normal(size=SHAPE)
    image, full = _with_crater(kind, level, noise)
    crater = find_crater(unit * image, NONE, CENTRE, unit)
    assert np.array_equal(crater, find_crater(
        unit * (image + 700), NONE, CENTRE, unit, sky=700 * unit))
    assert (crater & ~full).sum() <= 0.15 * full.sum()
    # (where the light begins to fall it is above the edge of the crater)
    assert (crater & full).sum() > (
        0.3 if kind in ('falls', 'fades') else 0.8) * full.sum()


@pytest.mark.parametrize('offset', [(0, 0), (4, 0), (-3, -4)])
def test_centre_on_the_rim(offset):
    noise = np.random.default_rng(2).normal(size=SHAPE)
    image, full = _with_crater('low', 200.0, noise)
    centre = tuple(c + d for c, d in zip(CENTRE, offset, strict=True))
    assert find_crater(image, NONE, centre, 1.0)[full].mean() > 0.9


def test_large_crater():
    noise = np.random.default_rng(3).normal(size=SHAPE)
    image, full = _with_crater('low', 70.0, noise)
    assert full.sum() > 300
    assert find_crater(image, NONE, CENTRE, 1.0)[full].mean() > 0.9


@pytest.mark.parametrize('index', [0.5, 1.0, 4.0])
@pytest.mark.parametrize('peak', [20.0, 400.0, 2e4])
def test_galaxies_have_none(index, peak):
    rng = np.random.default_rng(4)
    image = gaussian_filter(np.exp(-(_radius() / 3)**(1 / index)), 1.3)
    image *= peak / image.max()
    for gain in (0.3, 3.0, np.inf):
        noise = np.sqrt(1 + image / gain) * rng.normal(size=SHAPE)
        assert find_crater(image + noise, NONE, CENTRE, 1.0) is None


@pytest.mark.parametrize('hole', [3.0, 5.0, 9.0, 14.0])
@pytest.mark.parametrize('nucleus', [0.0, 0.5])
@pytest.mark.parametrize('fwhm', [2.0, 3.0])
def test_rings_are_none(hole, nucleus, fwhm):
    rng = np.random.default_rng(5)
    r = _radius()
    for light in (np.exp(-0.5 * ((r - hole) / (0.25 * hole))**2),
                  np.exp(-r / 9) * (r > hole)):
        image = light + nucleus * np.exp(-r / 2)
        image = gaussian_filter(300 * image, fwhm / 2.355)
        image = image + rng.normal(size=SHAPE)
        assert find_crater(image, NONE, CENTRE, 1.0) is None


@pytest.mark.parametrize('width', [1.0, 2.0])
@pytest.mark.parametrize('offset', [0, 2, 4])
@pytest.mark.parametrize('length', [4.0, 100.0])
def test_dust_lanes_are_none(width, offset, length):
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    y, x = y - CENTRE[1] - offset, x - CENTRE[0]
    lane = 0.9 * np.exp(-0.5 * ((y / width)**2 + (x / length)**2))
    image = gaussian_filter(_galaxy() * (1 - lane), 1.1)
    assert find_crater(image + rng.normal(size=SHAPE), NONE, CENTRE,
                       1.0) is None


def test_pixels_that_are_bad_are_none():
    noise = np.random.default_rng(7).normal(size=SHAPE)
    image, full = _with_crater('negative', 200.0, noise)
    assert find_crater(image, full, CENTRE, 1.0) is None
    image = _galaxy() + noise
    image[45, 49] = image[40, 52] = -30.0
    assert find_crater(image, NONE, CENTRE, 1.0) is None
    for centre in ((-9.0, 40.0), (50.0, 120.0)):
        assert find_crater(image, NONE, centre, 1.0) is None
