# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of comparing the halves of a galaxy at a line where the noise changes.
"""

import numpy as np
import pytest

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.fitting.gains import has_border
from astro_pix2prof.fitting.halves import halves_gain

SHAPE = (200, 190)
CENTRE = (95.3, 99.8)
NONE = np.zeros(SHAPE, bool)
Y, X = np.mgrid[:SHAPE[0], :SHAPE[1]]


def _galaxy(peak=6.0, scale=9.0, q=0.7, dx=0.0):
    x, y = X - CENTRE[0] - dx, Y - CENTRE[1]
    return peak * np.exp(-np.hypot(0.8 * x + 0.6 * y, (
        0.8 * y - 0.6 * x) / q) / scale)


def _noise(seed):
    return np.random.default_rng(seed).normal(size=SHAPE)


def _has_border(image):
    return has_border(image, NONE, CENTRE, 1.0)


@pytest.mark.parametrize('factor', [0.75, 1.3])
def test_faint_galaxy(factor):
    found = 0
    for seed in range(10):
        image = _galaxy() + _noise(seed)
        assert not _has_border(image)
        image[:, 101:] *= factor
        found += _has_border(image)
        assert has_border(1e-25 * image.T, NONE.T, CENTRE[::-1], 1e-25) == (
            _has_border(image))
    assert found > 7


@pytest.mark.parametrize('peak', [3.0, 30.0, 200.0])
@pytest.mark.parametrize('dx', [0.0, 1.0])
def test_other_noise_only(peak, dx):
    """
    As where the borders of exposures cross a galaxy, in whatever place.
    """
    noise = np.where(X > 100, 1.3, 1.0)
    for seed in range(5):
        image = _galaxy(0.5 * peak) + _galaxy(0.5 * peak, 3.0, dx=dx)
        assert not _has_border(image + noise * _noise(seed))


def test_halves_gain():
    image = _galaxy() + _noise(0)
    lines = range(97, 106)
    options = {'lines': lines, 'centre': CENTRE, 'noise': 1.0}
    assert halves_gain(image, NONE, step=0.25, **options) < 5
    image[:, 101:] *= np.exp(0.25)
    better = halves_gain(image, NONE, step=0.25, **options)
    assert better > 20
    # (a step of the opposite sign, or a much larger one, is not there)
    assert halves_gain(image, NONE, step=-0.25, **options) == 0
    assert halves_gain(image, NONE, step=1.5, **options) == 0
    # a constant image, and pixels that are missing
    assert halves_gain(0 * image, NONE, step=0.25, **options) == 0
    assert halves_gain(image, ~NONE, step=0.25, **options) == 0
    mask = np.random.default_rng(3).random(SHAPE) < 0.01
    image[mask] = np.nan
    assert halves_gain(image, mask, step=0.25, **options) > 0.4 * better


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_flag(fitter):
    fitter, options = fitter(), {'zeropoint': 25, 'pixel_scale': 0.4}
    image = _galaxy() + _noise(3)
    flag = fitter.fit(image, **options).profile.meta['flag']
    assert not flag & GalaxyFlag.WRONG_NOISE
    image[:, 101:] *= 1.3
    flag = fitter.fit(image, **options).profile.meta['flag']
    assert flag & GalaxyFlag.WRONG_NOISE
