# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding areas of rounded images that repeat themselves.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof.image.blanks import find_blanks
from astro_pix2prof.image.repeats import find_repeats

SHAPE = (150, 140)
Y, X = np.indices(SHAPE)
GOOD = np.ones(SHAPE, bool)


def _image(step, sky=0.0, seed=1, noise=1.0):
    rng = np.random.default_rng(seed)
    galaxy = 30 * np.exp(-np.hypot(X - 70.3, (Y - 74.6) / 0.7) / 7)
    image = galaxy + sky + noise * rng.normal(size=SHAPE)
    return np.round(image / step) * step


AREAS = {
    'strip': X > 110, 'corner': X + Y < 70, 'slanting gap':
    abs(X - 0.6 * Y - 55) < 8, 'gap': abs(Y - 95) < 2, 'frame':
    (X < 12) | (Y < 12) | (X > 125) | (Y > 130)}

PATTERNS = {
    'zeros': 0.0 * X, 'three': (X + Y) % 3, 'chequered': (X + Y) % 2,
    'stripes': Y % 4, 'code': 1.0 + 0 * X}


@pytest.mark.parametrize('pattern', list(PATTERNS))
@pytest.mark.parametrize('area', list(AREAS))
@pytest.mark.parametrize('step', [0.5, 1.0])
def test_repeats_are_found(area, pattern, step):
    blank = AREAS[area]
    # (a level of the sky that makes zero one of its values)
    image = np.where(blank, step * PATTERNS[pattern], _image(step, 0.3))
    found = find_blanks(image, ~GOOD)
    assert np.count_nonzero(blank & ~found) < 0.03 * np.count_nonzero(blank)
    # (pixels beside it that have its value)
    assert np.count_nonzero(found & ~blank) < 0.02 * blank.size


@pytest.mark.parametrize('step', [0.05, 0.5, 1.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize('kind', [
    'plain', 'tilted', 'two depths', 'correlated', 'enlarged', 'scattered'])
def test_rounded_noise_is_data(step, kind):
    for seed in (2, 3):
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        if kind == 'tilted':
            noise += 0.02 * X
        elif kind == 'two depths':
            noise *= np.where(X > 80, 1.0, 0.6)
        elif kind == 'correlated':
            noise = gaussian_filter(noise, 0.7)
            noise /= noise.std()
        image = np.round((noise + 0.2) / step) * step
        if kind == 'enlarged':
            image = image[::2, ::2].repeat(2, 0).repeat(2, 1)
        elif kind == 'scattered':
            image[np.random.default_rng(9).random(SHAPE) < 0.1] = 0.0
        assert not find_repeats(image, GOOD).any()


@pytest.mark.parametrize('light', [0.0, 0.01, 0.3])
def test_pixels_without_photons_are_data(light):
    counts = np.random.default_rng(5).poisson(_image(0.1, noise=0.0) * 0.1
                                              + light)
    assert not find_repeats(counts.astype(float), GOOD).any()


def test_models_and_values_that_are_not_rounded():
    assert not find_repeats(_image(1.0, noise=0.0), GOOD).any()
    assert not find_repeats(_image(1e-4), GOOD).any()
    assert not find_repeats(_image(1.0)[:20, :20], GOOD[:20, :20]).any()
    assert not find_repeats(_image(1.0), ~GOOD).any()


def test_masked_pixels_are_not_found():
    blank = AREAS['strip']
    image = np.where(blank, 0.0, _image(1.0))
    assert not find_repeats(image, ~blank).any()


def test_large_frames():
    rng = np.random.default_rng(6)
    image = np.round(rng.normal(0.3, 1.0, (1100, 1000)))
    image[200:240, 100:700] = 0.0
    found = find_repeats(image, np.ones(image.shape, bool))
    assert found[200:240, 100:700].all()
    assert np.count_nonzero(found) < 1.1 * 24000
