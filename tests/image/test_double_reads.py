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


@pytest.mark.parametrize('part', [0.005, 0.1])
def test_missing_pixels(part):
    """
    Pixels that were rejected say nothing of the line that they are in.
    """
    for seed in range(3):
        missing = np.random.default_rng(seed).random(GALAXY.shape) < part
        image = _twice(_noisy(seed), 66)
        replaced = _noisy(seed)
        replaced[70] = replaced[69]
        for bad in (missing, np.tile(missing[:1], (130, 1))):
            assert find_double_reads(np.where(bad, np.nan, image),
                                     CENTRE) == [(0, 66)]
            assert find_double_reads(np.where(bad, 0, image), CENTRE,
                                     bad) == [(0, 66)]
            assert find_double_reads(image, CENTRE, Y == 66) == [(0, 66)]
            assert find_double_reads(np.where(bad, np.nan, _noisy(seed)),
                                     CENTRE) == []
            assert find_double_reads(np.where(bad, np.nan, replaced),
                                     CENTRE) == []
    # (most of them)
    image[66:68, ::2] = image[66:68, 1::4] = np.nan
    assert find_double_reads(image, CENTRE) == []


@pytest.mark.parametrize('value', [np.inf, -np.inf])
def test_infinite_pixels(value):
    """
    They are missing ones.
    """
    image = _twice(_noisy(), 64)
    image[:, 20:30] = image[30:40] = value
    assert find_double_reads(image, CENTRE) == [(0, 64)]
    # (a line that would be taken for a replaced one)
    image[60:63] = image[59]
    assert find_double_reads(image.astype('f4'), CENTRE) == [(0, 64)]


def test_other_position():
    """
    A cutout that is measured elsewhere is looked at there.
    """
    larger = np.zeros((300, 320))
    larger[:130, :120] = larger[165:295, 190:310] = GALAXY
    larger = _twice(_noisy(model=larger), 231)
    larger = np.insert(larger, 55, larger[:, 55], axis=1)[:, :-1]
    options = {'zeropoint': 22.5, 'pixel_scale': 0.4}
    cutout = GalaxyCutout(larger, position=CENTRE, **options)
    assert cutout.double_reads == [(1, 55)]
    cropped = GalaxyCutout(larger, position=(240, 185), size=190, **options)
    assert (cropped.origin, cropped.double_reads) == ((145, 90), [])
    for other in (cutout, cropped):
        new = GalaxyCutout.from_any(other, position=(251, 230))
        assert new.double_reads == sorted([(0, 231), *other.double_reads])
    profile = Pix2ProfFitter()(cutout, position=(251, 230))
    assert profile.meta['flag'] & GalaxyFlag.WRONG_NOISE


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
