# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of single pixels that hold a number for missing data.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
)
from astro_pix2prof.image.fill_values import find_fill_values

SIGMA = 0.02
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': 0.4}


def galaxy(seed=0, side=150):
    y, x = np.mgrid[:side, :side]
    model = gaussian_filter(Sersic2D(
        0.4, 9, 1.5, side / 2, side / 2 - 1, 0.4, 0.5)(x, y), 1.3)
    rng = np.random.default_rng([8, seed])
    return model + rng.normal(0, SIGMA, model.shape), rng


def filled(image, rng, part, *numbers):
    """
    An image with single pixels of some numbers, and where they are.
    """
    image, where = image.copy(), np.zeros(image.shape, dtype=bool)
    for number in numbers:
        chosen = rng.random(image.shape) < part / len(numbers)
        image[chosen] = number
        where |= chosen
    return image, where


@pytest.mark.parametrize('part', [1e-3, 0.01, 0.04])
@pytest.mark.parametrize('numbers', [
    (-99.0,), (-1.0,), (-32768.0,), (-99.0, -1.0), (1e30,), (-999.0, 9999.0)])
@pytest.mark.parametrize('offset', [0.0, 1000.0])
def test_numbers(numbers, part, offset):
    """
    Only these pixels are masked, at any level of the sky.
    """
    image, where = filled(*galaxy(), part, *(
        number + offset for number in numbers))
    image = np.where(where, image, image + offset)
    mask = GalaxyCutout(image, **OPTIONS).mask
    assert where.sum() > 3
    assert (mask == where).all()


@pytest.mark.parametrize('dtype', ['i2', 'u2', 'f4', '>f8'])
def test_dead_pixels_of_counts(dtype):
    """
    The zeros of rounded images with a bright sky are dead pixels.
    """
    image, rng = galaxy()
    image, where = filled(np.round(1000 + image / SIGMA * 8), rng, 1e-3, 0)
    mask = GalaxyCutout(image.astype(dtype), gain=1.0, **OPTIONS).mask
    assert (mask & ~where).sum() == 0
    assert mask[where].all()


@pytest.mark.parametrize('image', [
    np.random.default_rng(1).poisson(0.9, (90, 90)),
    np.random.default_rng(1).poisson(0.05, (90, 90)),
    np.random.default_rng(1).poisson(1.0, (90, 90)) * np.linspace(1, 1.2, 90),
    np.maximum(galaxy()[0], -0.01), np.minimum(galaxy()[0], 0.3),
    np.round(galaxy()[0] / SIGMA), np.round(galaxy()[0], 1),
    np.zeros((50, 50)), np.abs(galaxy()[0]), galaxy()[0]],
    ids=['counts', 'few counts', 'flat-fielded counts', 'clipped',
         'saturated', 'rounded', 'coarse', 'constant', 'absolute',
         'as it is'])
def test_data(image):
    """
    Values at the end of a distribution are data.
    """
    assert find_fill_values(image.astype(float), np.ones(
        image.shape, dtype=bool)) is None


def test_saturated_core():
    """
    The core of a bright star is no number for missing pixels.
    """
    image, _ = galaxy()
    image[100:104, 30:35] = 65535.0
    assert find_fill_values(image, np.ones(image.shape, dtype=bool)) is None


def test_few_pixels_beyond():
    """
    One pixel of another number hides none, and hot pixels are no numbers.
    """
    image, where = filled(*galaxy(), 1e-3, -99.0)
    image[3, 5], where[3, 5] = -32768.0, True
    image[9, 5] = 1e5
    found = find_fill_values(image, np.ones(image.shape, dtype=bool))
    assert (found == where).all()


def test_good_pixels_count():
    """
    What is masked already tells nothing, and is not found again.
    """
    image, where = filled(*galaxy(), 1e-3, -99.0)
    image[0, 0] = -1e9
    good = np.ones(image.shape, dtype=bool)
    good[0, 0] = False
    found = find_fill_values(image, good)
    assert (found == where).all()
    assert find_fill_values(image, good & ~where) is None
    assert find_fill_values(image, np.zeros_like(good)) is None


@pytest.mark.parametrize('fitter', [
    Pix2ProfFitter(device='cpu'), Pix2ProfFitter('rings-fast', device='cpu'),
    IsophoteFitter()])
@pytest.mark.parametrize('number', [-1.0, -32768.0])
def test_profile(fitter, number):
    """
    A profile is that of the image without these pixels.
    """
    image, rng = galaxy(2)
    bad, _ = filled(image, rng, 0.02, number)
    one, two = (fitter(plane, **OPTIONS) for plane in (image, bad))
    n = min(len(one), len(two)) - 2
    assert n > 15
    off = (one['surface_brightness'] - two['surface_brightness'])[:n].value
    assert np.abs(off / two['surface_brightness_err'][:n].value).max() < 2
    assert not two.meta['flag'] & (GalaxyFlag.NO_SOURCE
                                   | GalaxyFlag.CENTRE_OFFSET
                                   | GalaxyFlag.NEIGHBOUR)
