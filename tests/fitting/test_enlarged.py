# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising images that were enlarged by repeating pixels.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter, RingFlag
from astro_pix2prof.fitting.enlarged import is_enlarged, without_repeats
from astro_pix2prof.fitting.plateaus import find_plateau

SHAPE = (71, 66)
Y, X = np.indices(SHAPE)


def _image(peak=200.0, seed=1):
    galaxy = gaussian_filter(peak * np.exp(-np.hypot(
        X - 33.2, (Y - 35.7) / 0.8) / 4), 1.2)
    return galaxy + np.random.default_rng(seed).normal(size=SHAPE)


def _enlarge(image, factor, first=0):
    y, x = (((np.arange(int(n * factor)) + first) / factor).astype(int) % n
            for n in image.shape)
    return image[np.ix_(y, x)]


def _none(image):
    return np.zeros(image.shape, bool)


@pytest.mark.parametrize('factor', [1.2, 1.5, 2, 3, 4, 6])
@pytest.mark.parametrize('steps', [0, 1])
def test_enlarged(factor, steps):
    image = _image()
    image = np.round(image / steps) * steps if steps else image
    assert not is_enlarged(image, _none(image))
    large = _enlarge(image, factor, 1)
    mask = _none(large)
    assert is_enlarged(large, mask)
    mask[20:40, 20:40] = True
    assert is_enlarged(large, mask)
    assert not is_enlarged(large, ~_none(large))
    data, hidden, centre, index = without_repeats(large, mask, (30.2, 41.9))
    assert np.array_equal(data[index], large)
    assert hidden.shape == data.shape
    assert data[centre[::-1]] == large[42, 30]


@pytest.mark.parametrize('image', [
    np.ones(SHAPE), np.zeros(SHAPE),
    np.random.default_rng(1).poisson(0.1, SHAPE),
    np.random.default_rng(1).poisson(1.0, SHAPE),
    np.round(_image(seed=3) / 4), np.minimum(_image(), 20),
    np.repeat(_image(), 2, axis=1), np.ones((1, 1)), np.ones((3, 80))],
    ids=['one', 'zero', 'few photons', 'photons', 'steps', 'full',
         'columns only', 'pixel', 'strip'])
def test_not_enlarged(image):
    assert not is_enlarged(image, _none(image))
    assert without_repeats(image, _none(image), (0, 0)) is None


@pytest.mark.parametrize('factor', [2, 3])
def test_saturation_of_enlarged_images(factor):
    centre = 33.5 * factor, 36 * factor
    image = _enlarge(_image(), factor)
    assert find_plateau(image, _none(image), centre, 0.0, 1.0) is None
    image = _enlarge(np.minimum(_image(), 100), factor)
    found = find_plateau(image, _none(image), centre, 0.0, 1.0)
    assert found == pytest.approx(100, rel=1e-4)


def test_flags():
    image = _enlarge(_image(), 2)
    profile = Pix2ProfFitter()(image, unit='nmgy', pixel_scale=0.2)
    assert not profile.meta['flag'] & GalaxyFlag.SATURATED
    assert profile.meta['flag'] & GalaxyFlag.WRONG_NOISE
    assert not np.any(profile['flag'] & RingFlag.SATURATED)
