# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of recognising saturated cores without a stated saturation.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from astro_pix2prof.fitting import plateaus
from astro_pix2prof.fitting.plateaus import _median_of_nine, find_plateau

SHAPE = (161, 151)
CENTRE = (74.6, 80.3)


def _galaxy(index=1.0, scale=9.0, peak=400.0, fwhm=3.0):
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    r = np.hypot(x - CENTRE[0], (y - CENTRE[1]) / 0.7)
    image = np.exp(-(r / scale)**(1 / index))
    image = gaussian_filter(image, fwhm / 2.355)
    return peak * image / image.max()


def _level(image, **options):
    return find_plateau(image, np.zeros(SHAPE, bool), CENTRE, 0.0,
                        options.get('sigma', 1.0))


def _cut(image, level, kind, rng):
    well = {
        'noise': level + rng.normal(size=SHAPE),
        'gain': level * rng.normal(1, 0.03, SHAPE),
        'bleeding': level * rng.uniform(0.95, 1.0, SHAPE)}.get(kind)
    if kind == 'roll-off':
        return image / (1 + (image / level)**12)**(1 / 12)
    return np.minimum(image, well)


@pytest.mark.parametrize('kind', ['noise', 'gain', 'bleeding', 'roll-off'])
@pytest.mark.parametrize('index', [0.6, 1.0, 2.5])
@pytest.mark.parametrize('seed', [1, 2])
def test_full_wells_that_differ(kind, index, seed):
    rng = np.random.default_rng(seed)
    image = _galaxy(index) + rng.normal(size=SHAPE)
    level = 120.0
    found = _level(_cut(image, level, kind, rng))
    assert 0.8 * level < found < level
    # the value of a pixel is not that of its unit
    assert _level(1e-9 * _cut(image, level, kind, rng),
                  sigma=1e-9) < 1e-9 * level


@pytest.mark.parametrize('sky', [-30.0, 5000.0])
def test_sky_does_not_matter(sky):
    rng = np.random.default_rng(3)
    image = _cut(_galaxy() + rng.normal(size=SHAPE), 120.0, 'noise', rng)
    bad = np.zeros(SHAPE, bool)
    plain = find_plateau(image, bad, CENTRE, 0.0, 1.0)
    assert find_plateau(image + sky, bad, CENTRE, sky, 1.0) == pytest.approx(
        plain + sky)


def test_bad_pixels_and_cosmic_rays_do_not_hide_full_wells():
    rng = np.random.default_rng(4)
    image = _cut(_galaxy() + rng.normal(size=SHAPE), 120.0, 'gain', rng)
    bad = np.zeros(SHAPE, bool)
    bad[78:80, 70:80] = True
    image[bad] = np.nan
    image[82, 76] = 4000.0
    found = find_plateau(image, bad, CENTRE, 0.0, 1.0)
    assert 90 < found < 120


@pytest.mark.parametrize('index', [0.4, 0.5, 1.0, 2.0, 4.0, 6.0])
@pytest.mark.parametrize('peak', [20.0, 400.0, 2e4])
def test_real_cores_are_not_full(index, peak):
    rng = np.random.default_rng(5)
    for scale, gain in ((1.5, 0.3), (9.0, 0.3), (9.0, np.inf), (20.0, 3.0)):
        image = _galaxy(index, scale if index < 1.5 else 0.05 * scale, peak)
        noise = np.sqrt(1 + image / gain) * rng.normal(size=SHAPE)
        assert _level(image + noise) is None
    assert _level(image) is None


def test_nuclei_are_not_full():
    rng = np.random.default_rng(6)
    nucleus = _galaxy(0.5, 0.3, 3000.0)
    assert _level(_galaxy() + nucleus + rng.normal(size=SHAPE)) is None
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    ring = np.exp(-0.5 * ((np.hypot(x - 74.6, y - 80.3) - 9) / 2)**2)
    for part in (0.0, 0.5):
        assert _level(300 * ring + part * _galaxy()
                      + rng.normal(size=SHAPE)) is None


@pytest.mark.parametrize('centre', [(-30.0, 5.0), (74.6, 200.0)])
def test_centre_outside(centre):
    image = _galaxy()
    assert find_plateau(image, np.zeros(SHAPE, bool), centre, 0.0,
                        1.0) is None


@pytest.mark.parametrize('shape', [(121, 121), (5, 9), (1, 7), (30, 60)])
def test_median_of_nine(shape):
    # (rounded, so that many values are equal)
    image = np.random.default_rng(3).normal(size=shape).round(1)
    assert np.array_equal(_median_of_nine(image), median_filter(image, 3))


@pytest.mark.parametrize('step', [3.0, 6.0, 8.0, 12.0])
@pytest.mark.parametrize('index', [0.35, 0.5, 1.0, 2.5])
def test_coarse_steps_are_not_full(step, index):
    rng = np.random.default_rng(8)
    for peak in (60.0, 150.0, 153.0, 400.0):
        image = _galaxy(index, peak=peak) + rng.normal(size=SHAPE)
        assert _level(np.round(image / step) * step) is None
    full = np.minimum(_galaxy(index) + rng.normal(size=SHAPE), 120.0)
    assert _level(np.round(full / step) * step) == pytest.approx(
        120.0, rel=0.05)


@pytest.mark.parametrize(('index', 'scale'), [
    (0.2, 6.0), (0.2, 12.0), (0.25, 6.0), (0.25, 12.0), (0.25, 20.0),
    (0.3, 6.0), (0.3, 20.0)])
def test_flat_tops_are_not_full(index, scale):
    rng = np.random.default_rng(9)
    for peak, gain in ((30.0, np.inf), (300.0, 0.3), (300.0, 3.0),
                       (3e3, 3.0), (3e3, np.inf)):
        image = _galaxy(index, scale, peak)
        noise = np.sqrt(1 + image / gain) * rng.normal(size=SHAPE)
        assert _level(image + noise) is None


@pytest.mark.parametrize('sky', [3e4, 3e5])
def test_high_sky_is_not_full(sky):
    rng = np.random.default_rng(10)
    image = _galaxy() + rng.normal(size=SHAPE) + sky
    bad = np.zeros(SHAPE, bool)
    for data in (image, image.astype(np.float32)):
        assert find_plateau(data, bad, CENTRE, sky, 1.0) is None
    full = np.minimum(image, sky + 120).astype(np.float32)
    assert find_plateau(full, bad, CENTRE, sky, 1.0) == pytest.approx(
        sky + 120, abs=1)


@pytest.mark.parametrize('scale', [4.0, 9.0, 30.0])
@pytest.mark.parametrize('centre', [CENTRE, (12.0, 150.0)])
def test_small_box(monkeypatch, scale, centre):
    """
    Of small galaxies, the part that is looked at makes no difference.
    """
    rng = np.random.default_rng(5)
    image = _cut(_galaxy(scale=scale) + rng.normal(size=SHAPE), 120.0,
                 'noise', rng)
    image = np.roll(image, [round(b - a) for a, b in zip(
        CENTRE[::-1], centre[::-1], strict=True)], (0, 1))
    bad = np.zeros(SHAPE, bool)
    found = []
    for half in (plateaus._SMALL, plateaus._BOX):
        monkeypatch.setattr(plateaus, '_SMALL', half)
        found.append(find_plateau(image, bad, centre, 0.0, 1.0))
    assert found[0] is not None
    assert found[0] == pytest.approx(found[1], rel=1e-12)
