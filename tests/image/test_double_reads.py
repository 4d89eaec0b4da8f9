# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding rows and columns that were read twice.
"""

import numpy as np
import pytest

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.double_reads import find_double_reads

CENTRE = (60.3, 64.8)
Y, X = np.indices((130, 120))
GALAXY = 300 * np.exp(-np.hypot((X - CENTRE[0]) / 0.7, Y - CENTRE[1]) / 6)


def _noisy(seed=0, model=GALAXY):
    return model + np.random.default_rng(seed).normal(size=model.shape)


def _twice(image, at, number=1):
    return np.insert(image, [at] * number, image[at], axis=0)[:len(image)]


@pytest.mark.parametrize('at', [50, 64, 70])
@pytest.mark.parametrize('number', [1, 3])
def test_lines_read_twice(at, number):
    image = _twice(_noisy(), at, number)
    assert find_double_reads(image, CENTRE) == [(0, at)]
    assert find_double_reads(image.T, CENTRE[::-1]) == [(1, at)]
    assert find_double_reads(image.astype('>f4'), CENTRE) == [(0, at)]
    # (of integers)
    assert find_double_reads(np.round(20 * image).astype(int), CENTRE) == [
        (0, at)]
    assert find_double_reads(image, (CENTRE[0], 115)) == (
        [(0, at)] if at > 75 else [])


@pytest.mark.parametrize('number', [1, 2, 3])
def test_replaced_lines(number):
    for seed in range(5):
        image = _noisy(seed)
        image[70:70 + number] = image[69]
        assert find_double_reads(image, CENTRE) == []


def test_good_images():
    image = _noisy()
    assert find_double_reads(image, CENTRE) == []
    for step in (0.5, 2, 10):
        assert find_double_reads(np.round(image / step) * step,
                                 CENTRE) == []
    # (mirrored, without noise)
    mirrored = np.exp(-np.hypot(X - 60, Y - 64.5) / 6)
    assert find_double_reads(mirrored, (60, 64.5)) == []
    # (lines of one value, and enlarged images, which others look at)
    image[64:68] = 0
    assert find_double_reads(image, CENTRE) == []
    assert find_double_reads(np.full((60, 60), np.nan), (30, 30)) == []
    assert find_double_reads(np.zeros((60, 60)), (30, 30)) == []
    assert find_double_reads(image, (900, 900)) == []


@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_flag(fitter):
    options = {'zeropoint': 22.5, 'pixel_scale': 0.4}
    assert not fitter()(_noisy(), **options).meta['flag']
    image = _twice(_noisy(), 66, 2)
    profile = fitter()(image, **options)
    assert profile.meta['flag'] & GalaxyFlag.WRONG_NOISE
    # (and not beyond the galaxy; a part of the image is the same)
    larger = np.pad(_noisy(), ((90, 0), (70, 0)))
    larger += np.random.default_rng(1).normal(size=larger.shape)
    larger = np.insert(larger, 90, larger[90], axis=0)[:-1]
    cutout = GalaxyCutout(larger, position=(130, 155), **options)
    assert cutout.double_reads == []
    larger = _twice(larger, 156)
    cutout = GalaxyCutout(larger, position=(130, 155), size=120, **options)
    assert cutout.double_reads == [(0, 156)]
    assert fitter()(cutout).meta['flag'] & GalaxyFlag.WRONG_NOISE
