# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding pixels that were filled by smooth functions.
"""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, zoom

from astro_pix2prof import GalaxyCutout, Pix2ProfFitter, decode_flags
from astro_pix2prof.image.smooth import find_smooth

SHAPE = (120, 130)
CENTRE = (64.3, 60.2)
Y, X = np.indices(SHAPE)
NONE = np.zeros(SHAPE, bool)
RADIUS = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.8)
GALAXY = gaussian_filter(500 * np.exp(-RADIUS / 4), 1.3)


def _image(seed=1, width=0.0):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    if width:
        noise = gaussian_filter(noise, width)
    return (GALAXY + noise / noise.std()).astype(np.float32)


def _hole(radius=4.3, x=65, y=60):
    return np.hypot(X - x, Y - y) < radius


def _with_surface(image, hole, degree=3):
    """
    Fill a hole with the polynomial of the pixels around it.
    """
    x, y = (X - 65) / 5, (Y - 60) / 5
    terms = np.stack([x**i * y**j for i in range(degree + 1)
                      for j in range(degree + 1 - i)], -1)
    around = (np.hypot(X - 65, Y - 60) < 8) & ~hole
    image = image.copy()
    image[hole] = terms[hole] @ np.linalg.lstsq(
        terms[around], image[around], rcond=None)[0]
    return image


def _with_spline(image, width, x=63):
    """
    Fill columns with the splines of their rows.
    """
    known = np.r_[x - 8:x, x + width:x + width + 8]
    image = image.copy()
    image[:, x:x + width] = CubicSpline(known, image[:, known], axis=1)(
        np.arange(x, x + width))
    return image


@pytest.mark.parametrize('degree', [2, 3])
@pytest.mark.parametrize('sky', [0.0, 300.0])
def test_surface(degree, sky):
    hole = _hole()
    image = _with_surface(_image(), hole, degree) + np.float32(sky)
    found = find_smooth(image, NONE, CENTRE)
    assert found[hole].mean() > 0.85
    assert np.count_nonzero(found & ~hole) < 5


def test_weighted_mean():
    # what interpolate_replace_nans does
    hole = _hole()
    image = _image()
    kept = np.where(hole, 0, image)
    mean = gaussian_filter(kept, 3.0) / gaussian_filter(
        np.where(hole, 0, 1.0), 3.0)
    image[hole] = mean[hole]
    found = find_smooth(image, NONE, CENTRE)
    assert found[hole].mean() > 0.6
    assert not found[~_hole(6)].any()


@pytest.mark.parametrize('width', [3, 5])
@pytest.mark.parametrize('along', [False, True])
def test_spline(width, along):
    image, truth = _with_spline(_image(), width), NONE.copy()
    truth[46:75, 63:63 + width] = True
    position = CENTRE
    if along:
        image, truth, position = image.T.copy(), truth.T, CENTRE[::-1]
    found = find_smooth(image, np.zeros(image.shape, bool), position)
    assert found[truth].mean() > 0.95
    # (up to 16 pixels away)
    rows = truth.any(1) if not along else truth.any(0)
    assert found.sum() <= width * (rows.sum() + 5) + 3


@pytest.mark.parametrize('seed', range(10))
@pytest.mark.parametrize('width', [0.0, 0.6, 1.2])
def test_good_images(seed, width):
    image = _image(seed, width)
    assert find_smooth(image, NONE, CENTRE) is None
    # rounded to a third of the noise
    image = (np.round(3 * image) / 3).astype(np.float32)
    assert find_smooth(image, NONE, CENTRE) is None


@pytest.mark.parametrize('image', [
    GALAXY, np.round(GALAXY), zoom(_image()[30:90, 30:95], 2, order=1),
    zoom(_image()[30:90, 30:95], 2, order=3), np.kron(
        _image()[30:90, 30:95], np.ones((2, 2))), np.ones(SHAPE),
    np.zeros(SHAPE)], ids=['clean', 'steps', 'linear', 'cubic', 'nearest',
                           'constant', 'zero'])
def test_images_that_are_smooth_everywhere(image):
    image = image.astype(np.float32)
    assert find_smooth(image, np.zeros(image.shape, bool), CENTRE) is None


@pytest.mark.parametrize('scale', [1, 3])
@pytest.mark.parametrize('width', [0.0, 2.0, 3.0])
def test_models_and_strongly_correlated_noise(scale, width):
    """
    A model without noise has smooth pixels, as has noise that is wide.
    """
    y, x = np.mgrid[:scale * 100, :scale * 120].astype(float)
    centre = 70.0 * scale, 40.0 * scale
    image = 1e3 * np.exp(-np.hypot(
        x - centre[0], (y - centre[1]) / 0.5) / (8 * scale))
    if width:
        image += gaussian_filter(np.random.default_rng(4).normal(
            0, 1, image.shape), width)
    assert find_smooth(image, np.zeros(image.shape, bool), centre) is None


def test_full_wells_are_left():
    image = np.minimum(_image(), 150)
    assert (image[_hole(3)] == 150).all()
    assert find_smooth(image, NONE, CENTRE) is None
    # equal to some parts in a million
    image *= 1 + np.random.default_rng(2).normal(
        0, 2e-6, SHAPE).astype(np.float32)
    assert find_smooth(image, NONE, CENTRE) is None


def test_masked_pixels_are_left():
    hole = _hole()
    image = _with_surface(_image(), hole)
    assert find_smooth(image, hole, CENTRE) is None
    # far from the position
    assert find_smooth(image, NONE, (25, 30)) is None
    image[hole] = np.nan
    assert find_smooth(image, NONE, CENTRE) is None


@pytest.mark.parametrize('shape', [(1, 40), (4, 4), (17, 17), (40, 3)])
def test_small_frames(shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert find_smooth(image, np.zeros(shape, bool), (1.0, 1.0)) is None


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('value', [np.inf, -np.inf, np.nan, 3e38])
def test_values_without_differences(value):
    image = _image().astype(np.float32)
    bad = np.random.default_rng(2).random(SHAPE) < 0.02
    image[bad] = value
    assert find_smooth(image, ~np.isfinite(image), CENTRE) is None


@pytest.mark.parametrize('value', [np.inf, np.nan])
def test_beside_missing_pixels(value):
    """
    A column that is not finite does not hide what was filled elsewhere.
    """
    hole = _hole()
    image = _with_surface(_image(), hole)
    image[:, 20] = value
    found = find_smooth(image, ~np.isfinite(image), CENTRE)
    assert found[hole].mean() > 0.85


def test_profile_does_not_use_them():
    hole = _hole(4.3, 66, 61)
    options = {'unit': 'nmgy', 'pixel_scale': 0.4}
    image = _with_surface(_image(), hole)
    cutout = GalaxyCutout(image, **options)
    assert cutout.mask[hole].mean() > 0.85
    fitter = Pix2ProfFitter()
    profile, good = fitter(cutout), fitter(_image(), **options)
    flags = decode_flags(profile.meta['flag'], kind='galaxy')
    assert 'CENTRE_UNCERTAIN' in flags
    radius = good['radius'].value
    off = (np.interp(radius, profile['radius'].value,
                     profile['surface_brightness'].value)
           - good['surface_brightness'].value)
    error = np.interp(radius, profile['radius'].value,
                      profile['surface_brightness_err'].value)
    assert np.all(np.abs(off[radius < 6]) < 3 * error[radius < 6] + 0.02)
