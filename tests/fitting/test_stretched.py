# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising images that are not linear in light.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.stretched import is_stretched

SHAPE = (131, 121)
CENTRE = (60.3, 64.8)
NONE = np.zeros(SHAPE, bool)


def _image(index=1.0, scale=6.0, peak=300.0, gain=np.inf, seed=1):
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    r = np.hypot(x - CENTRE[0], (y - CENTRE[1]) / 0.7)
    image = gaussian_filter(np.exp(-(r / scale)**(1 / index)), 1.3)
    image *= peak / image.max()
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return image + np.sqrt(1 + image / gain) * noise


STRETCHES = {
    'arsinh': np.arcsinh, 'root': lambda d: np.sqrt(np.maximum(d + 3, 0)),
    'logarithm': lambda d: np.log10(np.maximum(d + 4, 1)),
    'screen': lambda d: np.round(255 * np.clip((d + 3) / 300, 0, 1)**0.45)}


@pytest.mark.parametrize('stretch', list(STRETCHES))
@pytest.mark.parametrize('index', [0.7, 1.0, 1.5])
@pytest.mark.parametrize('sky', [0.0, 40.0])
def test_stretched(stretch, index, sky):
    image = STRETCHES[stretch](_image(index))
    assert is_stretched(1e-9 * (image + sky), NONE, CENTRE)


@pytest.mark.parametrize('index', [0.3, 0.5, 1.0, 2.5, 4.0])
@pytest.mark.parametrize('peak', [3.0, 30.0, 3000.0])
@pytest.mark.parametrize('gain', [0.3, np.inf])
def test_linear(index, peak, gain):
    for seed in range(3):
        image = _image(index, 6.0 if index < 2 else 0.3, peak, gain, seed)
        for data in (image, gaussian_filter(image, 0.7), np.round(image),
                     np.round(image / 4)):
            assert not is_stretched(data, NONE, CENTRE)


MILD = {
    'arsinh of 10': lambda d: 10 * np.arcsinh(d / 10),
    'arsinh of 30': lambda d: 30 * np.arcsinh(d / 30),
    'root of 20 more': lambda d: np.sqrt(np.maximum(d + 20, 0)),
    'gamma of 50 more': lambda d: np.maximum(d + 50, 0)**(1 / 2.2),
    'logarithm of 100 more': lambda d: np.log10(np.maximum(d + 100, 1))}


@pytest.mark.parametrize('stretch', list(MILD))
def test_mildly_stretched(stretch):
    # some 400 pixels lose a part of their noise, few of them half of it
    for seed in range(3):
        image = _image(0.7, 11.0, 60.0, seed=seed)
        assert is_stretched(MILD[stretch](image), NONE, CENTRE)
        assert not is_stretched(image, NONE, CENTRE)


@pytest.mark.parametrize('seed', [43, 458, 487, 496, 497, 1149])
def test_noise_that_is_less_by_chance(seed):
    """
    Of a thousand images, some have 3.5 times the error less in bright pixels.
    """
    y, x = np.indices((131, 131))
    radius = np.hypot(x - 65.3, y - 64.8)
    noise = np.random.default_rng(seed).normal(size=radius.shape)
    for light in (30 * np.exp(-radius / 8), 60 * np.exp(-radius / 11),
                  15 * np.exp(-radius / 5)):
        assert not is_stretched(light + noise, np.zeros(x.shape, bool),
                                (65.3, 64.8))


def test_deeper_at_the_galaxy():
    # a mosaic whose noise is less there, and the map that says so
    image = _image(0.7, 11.0, 60.0)
    light = gaussian_filter(image, 2.0)
    noise = np.where(light > 10, 0.6, 1.0)
    mosaic = light + noise * (image - light)
    assert is_stretched(mosaic, NONE, CENTRE)
    assert not is_stretched(mosaic, NONE, CENTRE, noise=noise)
    # (that of the photons of the galaxy hides no stretch)
    image = MILD['arsinh of 10'](image)
    assert is_stretched(image, NONE, CENTRE, noise=np.sqrt(1 + light / 5))
    mild = MILD['arsinh of 30'](_image(0.7, 11.0, 60.0))
    assert not is_stretched(mild, NONE, CENTRE, noise=np.zeros(SHAPE))


def test_smoothed_where_bright():
    # pixels that were averaged with others have less noise, which is like
    # that of the pixels beside them
    found = 0
    for seed in range(8):
        image = _image(0.7, 11.0, 60.0, seed=seed)
        bright = np.clip(gaussian_filter(image, 2.0) / 10, 0, 1)
        smooth = bright * gaussian_filter(image, 0.5) + (1 - bright) * image
        found += is_stretched(smooth, NONE, CENTRE)
    assert found <= 2


@pytest.mark.parametrize('stretch', [None, 'arsinh of 10'])
def test_rounded_or_saturated_or_small(stretch):
    image = _image(0.7, 11.0, 60.0)
    if stretch:
        image = MILD[stretch](image)
    # coarse steps may have less noise in some pixels than in others
    assert not is_stretched(np.round(image / 2), NONE, CENTRE)
    # a star that is full beside a faint galaxy has no noise
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    star = _image(1.0, 6.0, 8.0)
    star[np.hypot(x - 85, y - 85) < 7] = 40.0
    assert not is_stretched(star, NONE, CENTRE)
    # too few pixels for the noise
    assert not is_stretched(MILD['arsinh of 30'](_image(1.0, 2.0, 40.0)),
                            NONE, CENTRE)


def test_no_noise_or_no_pixels():
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    model = np.exp(-np.hypot(x - CENTRE[0], y - CENTRE[1]) / 6)
    assert not is_stretched(model, NONE, CENTRE)
    assert not is_stretched(np.zeros(SHAPE), NONE, CENTRE)
    image = np.arcsinh(_image())
    assert not is_stretched(image, ~NONE, CENTRE)
    assert not is_stretched(image[:, :3], NONE[:, :3], CENTRE)
    assert not is_stretched(image, NONE, (-90.0, 400.0))


@pytest.mark.parametrize('make', [Pix2ProfFitter, IsophoteFitter])
def test_flag(make):
    fitter = make()
    image = _image()
    for data, expected in ((image, False), (np.arcsinh(image), True),
                           (np.minimum(image, 150), False)):
        profile = fitter(data, unit='nmgy', pixel_scale=0.4)
        assert bool(profile.meta['flag'] & GalaxyFlag.OUT_OF_DOMAIN) == (
            expected)
