# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding nuclei that were cleaned as cosmic rays.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter, rotate, zoom

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.image.cleaned import find_cleaned
from astro_pix2prof.image.replaced import find_replaced

SHAPE = (101, 97)
CENTRE = (48.3, 50.2)
NONE = np.zeros(SHAPE, bool)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}
AREAS = {
    'square': np.s_[49:52, 47:50],
    'row': np.s_[50, 47:50],
    'column': np.s_[48:53, 48],
    'two by two': np.s_[50:52, 48:50],
    'three by two': np.s_[49:52, 48:50],
    'cross': (np.array([49, 50, 50, 50, 51]), np.array([48, 47, 48, 49, 48])),
}


def make(noise=1.0, seed=1, q=0.45):
    y, x = np.indices(SHAPE)
    r = np.hypot(x - CENTRE[0], (y - CENTRE[1]) / q)
    galaxy = gaussian_filter(500 * np.exp(-r / 8) + 900 * np.exp(-r), 1.3)
    rng = np.random.default_rng(seed)
    return (galaxy + noise * rng.normal(size=SHAPE)).astype(np.float32)


def clean(image, area, fill, half):
    """
    Replace pixels by what a function gives of the good pixels around each.
    """
    hit = NONE.copy()
    hit[area] = True
    cleaned = image.copy()
    for y, x in np.argwhere(hit):
        part = np.s_[y - half:y + half + 1, x - half:x + half + 1]
        dy, dx = np.mgrid[-half:half + 1, -half:half + 1]
        good = ~hit[part]
        cleaned[y, x] = fill(image[part][good].astype(float),
                             np.hypot(dy, dx)[good])
    return cleaned, hit


def weighted(values, distance):
    return np.average(values, weights=1 / distance)


def mean(values, distance):
    return values.mean() if distance.size else np.nan


def middle(values, distance):
    return np.median(values) if distance.size else np.nan


def lower(values, distance):
    return np.sort(values)[(distance.size - 1) // 2]


@pytest.mark.parametrize('half', [2, 3])
@pytest.mark.parametrize('fill', [mean, weighted, middle, lower])
@pytest.mark.parametrize('area', AREAS)
def test_cleaned_nuclei_are_found(area, fill, half):
    cleaned, hit = clean(make(), AREAS[area], fill, half)
    found = find_cleaned(cleaned, NONE, CENTRE)
    assert np.array_equal(found, hit)
    assert np.array_equal(find_replaced(cleaned, NONE, CENTRE) & hit, hit)


@pytest.mark.parametrize('area', ['row', 'column', 'cross', 'two by two'])
def test_means_of_the_pixels_beside_are_found(area):
    cleaned, hit = clean(make(), AREAS[area], mean, 1)
    assert find_cleaned(cleaned, NONE, CENTRE)[hit].mean() > 0.7


def test_rows_between_their_ends_are_found():
    image = make()
    image[50, 47:50] = np.interp([1, 2, 3], [0, 4], image[50, [46, 50]])
    found = find_cleaned(image, NONE, CENTRE)
    assert np.argwhere(found).tolist() == [[50, 47], [50, 48], [50, 49]]


def test_position_a_few_pixels_away():
    cleaned, hit = clean(make(), AREAS['square'], middle, 2)
    found = find_cleaned(cleaned, NONE, (CENTRE[0] - 4, CENTRE[1] + 5))
    assert np.array_equal(found, hit)
    assert find_cleaned(cleaned, NONE, (20, 20)) is None
    assert find_cleaned(cleaned, hit, CENTRE) is None
    assert find_cleaned(cleaned[45:], NONE[45:], (48.3, 5.2)) is None


@pytest.mark.parametrize('image', [
    *(make(seed=seed, q=q) for seed in range(5) for q in (0.2, 1.0)),
    make(0.0), np.round(make()), np.round(10 * make()),
    np.round(make() * 1000), np.minimum(make(), np.float32(200)),
    median_filter(make(), 3), gaussian_filter(make(), 1.0),
    rotate(make(), 3, order=0, reshape=False),
    rotate(make(), 20, order=1, reshape=False),
    *(zoom(make(), factor, order=order)[
        round(factor * 50) - 50:, round(factor * 48) - 48:][:101, :97]
      for factor in (1.02, 1.1, 1.3, 2) for order in (0, 1)),
    np.full(SHAPE, 3, np.float32)])
def test_other_images_are_data(image):
    assert find_cleaned(image, NONE[:len(image)], CENTRE) is None


@pytest.mark.parametrize('n_full', [4, 9, 20])
def test_full_wells_beside_a_brighter_pixel_are_data(n_full):
    image = make()
    level = np.sort(image.ravel())[-n_full]
    image = np.minimum(image, level)
    image[tuple(np.argwhere(image == level)[0])] *= 2
    assert find_cleaned(image, NONE, CENTRE) is None


@pytest.fixture(scope='module', name='fitter')
def fixture_fitter():
    return Pix2ProfFitter()


@pytest.mark.parametrize('fill', [mean, middle])
def test_profile(fitter, fill):
    image = make() / 100
    cleaned, hit = clean(image, AREAS['square'], fill, 2)
    plain, fit = fitter.fit(image, **OPTIONS), fitter.fit(cleaned, **OPTIONS)
    assert not plain.cutout.mask.any()
    assert np.array_equal(fit.cutout.mask & hit, hit)
    change = (fit.profile['surface_brightness'][:20]
              - plain.profile['surface_brightness'][:20]).value
    error = fit.profile['surface_brightness_err'][:20].value
    assert np.all(np.abs(change) < np.maximum(error, 0.02))
    assert fit.profile.meta['flag'] & GalaxyFlag.HEAVILY_MASKED
