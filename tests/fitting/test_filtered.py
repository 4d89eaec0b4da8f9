# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising images that were sharpened or median filtered.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter, shift

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.background.noise import measure_noise
from astro_pix2prof.background.strips import sky_strips
from astro_pix2prof.fitting.filtered import is_median_filtered, is_sharpened

SHAPE = (200, 190)
CENTRE = (95.0, 101.0)
NONE = np.zeros(SHAPE, bool)


def _image(seed=0, peak=300.0, scale=8.0):
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    r = np.hypot(x - CENTRE[0], (y - CENTRE[1]) / 0.7)
    image = gaussian_filter(peak * np.exp(-r / scale), 1.5)
    return image + np.random.default_rng(seed).normal(size=SHAPE)


def _sharpened(image, amount, radius):
    return image + amount * (image - gaussian_filter(image, radius))


def _is_sharpened(image, mask=NONE):
    return is_sharpened(image, mask, CENTRE, np.nanstd(image[:40]))


@pytest.mark.parametrize(('amount', 'radius'), [
    (0.3, 1), (0.5, 1.5), (0.6, 2), (1, 2), (3, 2), (3, 3)])
def test_sharpened(amount, radius):
    for seed in range(3):
        image = _sharpened(_image(seed), amount, radius)
        assert _is_sharpened(image)
        mask = NONE.copy()
        mask[:, ::17] = True
        assert _is_sharpened(np.where(mask, np.nan, image), mask)


@pytest.mark.parametrize(('amount', 'radius', 'least'), [
    (1, 3, 10), (1, 4, 3), (2, 4, 8), (3, 5, 2)])
def test_sharpened_by_wide_masks(amount, radius, least):
    # a core is too bright by a part of the amount then
    model = 300 * np.exp(-np.hypot(*np.indices((61, 61)) - 30) / 8)
    assert _sharpened(model, amount, radius)[30, 30] > 1.2 * model[30, 30]
    found = [_is_sharpened(_sharpened(_image(seed), amount, radius))
             for seed in range(10)]
    assert sum(found) >= least


def test_white_and_resampled_noise():
    for seed in range(12):
        image = _image(seed)
        assert not _is_sharpened(image)
        for change in (gaussian_filter(image, 0.6), np.round(image),
                       shift(image, (0.5, 0.3), order=3, mode='wrap'),
                       shift(image, (0.5, 0.5), order=1, mode='wrap')):
            assert not _is_sharpened(change)


def test_structure_of_the_sky():
    x = np.arange(SHAPE[1])
    for seed in range(5):
        image = _image(seed)
        rows = np.random.default_rng(seed).normal(size=(SHAPE[0], 1))
        for more in (0.02 * x, np.sin(x / 9), rows):
            assert not _is_sharpened(image + more)
        # (rows that were read out in turns)
        turns = gaussian_filter(np.random.default_rng(seed).normal(
            size=SHAPE), 2)
        turns[1::2] = -turns[:-1:2]
        assert not _is_sharpened(image + 0.3 * turns / turns.std())
        # (a level that was subtracted from each row, or from small areas)
        assert not _is_sharpened(image - image.mean(1, keepdims=True))
        mesh = image.reshape(5, 40, 5, 38).mean((1, 3))
        assert not _is_sharpened(image - np.kron(mesh, np.ones((40, 38))))


def test_no_sky_and_no_noise():
    image = _sharpened(_image(), 1, 1)
    assert _is_sharpened(image)
    assert not is_sharpened(image, ~NONE, CENTRE, 1.0)
    assert not is_sharpened(image, NONE, CENTRE, 0.0)
    assert not is_sharpened(image[:20], NONE[:20], CENTRE, 1.0)
    assert not is_sharpened(np.zeros(SHAPE), NONE, CENTRE, 1.0)


@pytest.mark.parametrize('size', [3, 5])
@pytest.mark.parametrize('scale', [5.0, 30.0, None])
def test_median_filtered(size, scale):
    image = _image(peak=30.0)
    if scale:
        image = np.round(scale * (image + 8))
    assert not is_median_filtered(image, NONE, image[:40].std())
    image = median_filter(image, size)
    for data in (image, 1e-9 * image, (image - 40).astype(np.float32)):
        noise = data[:40].std()
        assert is_median_filtered(data, NONE, noise)
        # (a smooth sky was subtracted afterwards)
        slope = 2e-4 * noise * np.arange(SHAPE[1])
        assert is_median_filtered(data + slope, NONE, noise)


@pytest.mark.parametrize('scale', [0.5, 0.7, 1.0, 1.5, 3.0, 20.0])
def test_rounded_is_not_median_filtered(scale):
    for seed in range(3):
        image = _image(seed)
        for data in (image, gaussian_filter(image, 0.8),
                     np.random.default_rng(seed).poisson(
                         np.maximum(image, 0) + scale) / scale):
            data = np.round(scale * data)
            assert not is_median_filtered(data, NONE, data[:40].std())


def test_other_equal_neighbours():
    image = _image()
    for data in (np.maximum(image, 0.2), np.repeat(image, 2, axis=1),
                 image[:, np.arange(190) * 9 // 10],
                 np.zeros(SHAPE), np.minimum(image, 0.5)):
        mask = np.zeros(data.shape, bool)
        assert not is_median_filtered(data, mask, 1.0)
    image = median_filter(image, 3)
    assert not is_median_filtered(image, ~NONE, 0.4)
    assert not is_median_filtered(image, NONE, 0.0)
    assert not is_median_filtered(image[:, :4], NONE[:, :4], 0.4)


@pytest.mark.parametrize('make', [Pix2ProfFitter, IsophoteFitter])
def test_flag(make):
    fitter = make(max_radius=8)
    image = _image(scale=4.0)[40:160, 30:150]
    for data, expected in ((image, False), (_sharpened(image, 1, 1.5), True),
                           (median_filter(image, 3), True)):
        profile = fitter(data, unit='nmgy', pixel_scale=0.4,
                         ellipticity=0.3, pa=0)
        assert bool(profile.meta['flag'] & GalaxyFlag.OUT_OF_DOMAIN) == (
            expected)


@pytest.mark.parametrize('factor', [2.0, 3.0])
@pytest.mark.parametrize('seed', [1, 2])
def test_uneven_exposure(factor, seed):
    """
    Noise that is larger on one side is not that of a sharpened image.
    """
    noise = np.random.default_rng(seed).normal(size=(200, 200))
    noise[:, 107:] *= factor
    none = np.zeros(noise.shape, bool)
    assert not is_sharpened(noise, none, (100, 100), 1.0)
    sharp = 2 * noise - gaussian_filter(noise, 1.5)
    assert is_sharpened(sharp, none, (100, 100), sharp[:, :100].std())


def _uneven(kind, seed):
    """
    Noise that doubles and halves several times across the frame.
    """
    x = np.arange(256)
    rng = np.random.default_rng(seed)
    noise = {'strips': 1.0 + 2 * ((x // 37) % 2),
             'waves': 2.0**(1.2 * np.sin(x / 11)),
             'ramp': 2.0**(x / 64)}[kind]
    return noise * rng.normal(size=(256, 256)), np.zeros((256, 256), bool)


@pytest.mark.parametrize('kind', ['strips', 'waves', 'ramp'])
@pytest.mark.parametrize('factor', [1.0, 1e-10])
def test_noise_that_changes_several_times(kind, factor):
    for seed in range(3):
        for turn in (np.asarray, np.transpose):
            noise, none = _uneven(kind, seed)
            noise = factor * turn(noise)
            seen = measure_noise(noise, none)
            strips = sky_strips(noise, none, seen)
            assert not is_sharpened(noise, none, (128, 128), seen)
            rounded = np.round(noise / factor * 2)
            assert not is_median_filtered(rounded, none, 2 * seen / factor,
                                          strips=strips)
            sharp = 2 * noise - gaussian_filter(noise, 1.5)
            assert is_sharpened(sharp, none, (128, 128),
                                measure_noise(sharp, none))


@pytest.mark.parametrize('seed', range(4))
def test_median_filtered_with_uneven_noise(seed):
    noise, none = _uneven('strips', seed)
    image = median_filter(noise, 3)
    seen = measure_noise(image, none)
    assert is_median_filtered(image, none, seen,
                              strips=sky_strips(image, none, seen))


def test_no_boxes_alike(monkeypatch):
    """
    Where no two boxes have the same noise, there is no mean to look at.
    """
    image = median_filter(
        np.random.default_rng(8).normal(0, 1, (96, 96)), 3)
    none = np.zeros(image.shape, bool)
    assert is_median_filtered(image, none, image.std())
    monkeypatch.setattr(
        'astro_pix2prof.fitting.filtered._like_noise',
        lambda strips, ny, nx: (1.0, np.zeros((ny, nx), bool)))
    assert not is_median_filtered(image, none, image.std(), strips=object())
