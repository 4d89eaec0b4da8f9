# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that single bad pixels of a core do not reach the profile.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
)

OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}


@pytest.fixture(scope='module', name='fitter')
def fixture_fitter():
    return Pix2ProfFitter()


@pytest.fixture(scope='module', name='image')
def fixture_image():
    y, x = np.mgrid[:101, :97]
    r = np.hypot(x - 48.0, (y - 50.0) / 0.6)
    galaxy = gaussian_filter(np.exp(-r / 7.0), 1.3)
    noise = np.random.default_rng(3).normal(0, 0.01, galaxy.shape)
    return galaxy + noise


@pytest.fixture(scope='module', name='plain')
def fixture_plain(fitter, image):
    return fitter(image, **OPTIONS)


def brightness(profile):
    return profile['surface_brightness'].value


@pytest.mark.parametrize('times', [3.0, 300.0])
@pytest.mark.parametrize('place', [(50, 48), (51, 49), (52, 48)])
def test_cosmic_ray(fitter, image, plain, place, times):
    hit = image.copy()
    hit[place] += times * image.max()
    fit = fitter.fit(hit, **OPTIONS)
    assert np.argwhere(fit.cutout.mask).tolist() == [list(place)]
    assert fit.mask[place]
    assert np.all(np.abs(brightness(fit.profile) - brightness(plain))[:20]
                  < 0.04)
    assert not fit.profile.meta['flag'] & GalaxyFlag.NO_SOURCE


@pytest.mark.parametrize('value', [0.0, -1.0])
def test_dead_pixels_are_as_masked_ones(fitter, image, plain, value):
    dead = image.copy()
    dead[50, 47:50] = value
    profile = fitter(dead, **OPTIONS)
    mask = np.zeros(image.shape, dtype=bool)
    mask[50, 47:50] = True
    masked = fitter(image, mask=mask, **OPTIONS)
    # (the sky has three pixels more: faint rings by a part of their errors)
    apart = np.abs(brightness(profile) - brightness(masked))
    error = masked['surface_brightness_err'].value
    assert np.all(apart < np.maximum(2e-3, 0.1 * error))
    assert np.all(apart[:20] < 2e-3)
    assert profile['flag'][0] & RingFlag.FEW_PIXELS
    assert profile.meta['flag'] & GalaxyFlag.HEAVILY_MASKED
    change = brightness(profile) - brightness(plain)
    error = profile['surface_brightness_err'].value
    assert np.all(np.abs(change[:20]) < error[:20])


def test_colours(fitter, image):
    hit = image.copy()
    hit[50, 48] += 20 * image.max()
    both = fitter.fit_bands({'g': hit, 'r': 1.5 * image}, **OPTIONS)
    colour = brightness(both.profiles['g'])[:20] - brightness(
        both.profiles['r'])[:20]
    assert np.all(np.abs(colour - 2.5 * np.log10(1.5)) < 0.04)


def test_image_is_not_changed(fitter, image):
    hit = image.copy()
    hit[50, 48] += 20 * image.max()
    before = hit.copy()
    batch = next(fitter.fit_many([hit], **OPTIONS))
    assert np.array_equal(hit, before)
    # (the same for one as for many)
    np.testing.assert_allclose(brightness(batch[0])[:20], brightness(
        fitter(hit, **OPTIONS))[:20], atol=1e-3)
    assert not fitter.fit(image, **OPTIONS).cutout.mask.any()


def test_isophotes_around_a_dead_pixel(image, plain):
    dead = image[20:81, 18:79].copy()
    dead[30, 30] = 0.0
    fit = IsophoteFitter(max_sma=8).fit(dead, **OPTIONS)
    assert fit.mask[30, 30]
    profile = fit.profile
    assert not profile.meta['flag'] & GalaxyFlag.FIXED_ELLIPSES
    change = np.interp(
        profile['radius'].value, plain['radius'].value,
        brightness(plain)) - brightness(profile)
    assert np.all(np.abs(change) < 0.08)


@pytest.mark.parametrize('track', [
    [(51, 48), (51, 49), (51, 50)],
    [(49, 46), (50, 47), (51, 48), (52, 49)],
    [(46, 50), (47, 50), (48, 50), (48, 51), (49, 51)]])
def test_track_of_a_cosmic_ray(fitter, image, plain, track):
    hit = image.copy()
    for place in track:
        hit[place] += 1.2 * image.max()
    fit = fitter.fit(hit, **OPTIONS)
    found = {(int(y), int(x)) for y, x in np.argwhere(fit.cutout.mask)}
    assert found <= set(track)
    assert len(found) >= len(track) - 1
    change = brightness(fit.profile) - brightness(plain)
    error = fit.profile['surface_brightness_err'].value
    assert np.all(np.abs(change[:20]) < np.maximum(error[:20], 0.03))


def test_isophotes_beside_a_track(image, plain):
    hit = image[20:81, 18:79].copy()
    for k in range(4):
        hit[28 + k, 32] += 1.2 * image.max()
    fit = IsophoteFitter(max_sma=8).fit(hit, **OPTIONS)
    assert fit.mask[28:32, 32].all()
    change = np.interp(
        fit.profile['radius'].value, plain['radius'].value,
        brightness(plain)) - brightness(fit.profile)
    assert np.all(np.abs(change) < 0.08)
