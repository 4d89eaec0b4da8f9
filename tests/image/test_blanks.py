# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding areas that were filled with a constant.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image import blanks
from astro_pix2prof.image.blanks import find_blanks

SHAPE = (160, 160)
NOISE = 0.03


def _grid(shape=SHAPE):
    y, x = np.mgrid[:shape[0], :shape[1]]
    return x, y


def _galaxy(scale=9.0, peak=1.0):
    x, y = _grid()
    return peak * np.exp(-np.hypot(x - 80.3, (y - 79.6) / 0.7) / scale)


@pytest.fixture(scope='module')
def image():
    noise = np.random.default_rng(4).normal(0, NOISE, SHAPE)
    return _galaxy() + noise


def _areas():
    x, y = _grid()
    return {
        'strip': x >= 120, 'corner': x + y < 90, 'column': x == 85,
        'two strips': (x < 30) | (y > 140), 'gap': abs(y - 84) < 3,
        'patch': (abs(x - 90) < 3) & (abs(y - 75) < 2),
        'outside of a circle': np.hypot(x - 80, y - 80) > 70,
        'around a frame': (x < 20) | (y < 20) | (x > 139) | (y > 139)}


def _found(data, mask=None):
    data = data.astype(np.float32)
    return find_blanks(data, np.zeros(SHAPE, bool) if mask is None else mask)


@pytest.mark.parametrize('area', list(_areas()))
@pytest.mark.parametrize('level', [0.0, -99.0, -2 * NOISE, 1e20])
def test_blank_is_found(image, area, level):
    blank = _areas()[area]
    found = _found(np.where(blank, level, image))
    np.testing.assert_array_equal(found, blank)


@pytest.mark.parametrize('area', ['strip', 'corner', 'around a frame'])
@pytest.mark.parametrize('sky', [0, 100])
def test_blank_in_rounded_image(image, area, sky):
    blank = _areas()[area]
    data = np.where(blank, 0, np.round(image / NOISE * 6 + sky))
    found = _found(data)
    # (single pixels beside it may have its value by chance)
    assert found[blank].all()
    assert np.count_nonzero(found & ~blank) < 60


def _filled(kind, shape):
    """
    What fills an area: a ramp of a few steps, or patterns.
    """
    y, x = np.indices(shape)
    return {
        'ramp': lambda: np.minimum(x // 9, 6) * 0.5 * NOISE,
        'ramp of codes': lambda: -90.0 - y // 30,
        'chequered': lambda: (x + y) % 2 * 0.01 * NOISE,
        'stripes': lambda: x % 3 - 1.0,
        'random': lambda: np.random.default_rng(3).integers(0, 4, shape)
        * 1.0}[kind]()


@pytest.mark.parametrize('kind', ['ramp', 'ramp of codes', 'chequered',
                                  'stripes', 'random'])
@pytest.mark.parametrize('area', ['strip', 'corner', 'around a frame'])
def test_few_values(image, area, kind):
    blank = _areas()[area]
    data = np.where(blank, _filled(kind, image.shape), image)
    found = find_blanks(data, np.zeros(image.shape, bool))
    # (a step that ends at the area in a few pixels is hard to tell)
    assert np.count_nonzero(blank & ~found) < 0.03 * np.count_nonzero(blank)
    assert not (found & ~blank).any()


@pytest.mark.parametrize('n', [1, 2, 32, 33])
def test_how_many_values_are_few(n):
    # one alone is a blank, and up to 32 are
    rng = np.random.default_rng(5)
    data = rng.normal(size=(200, 200))
    data[:, 100:] = rng.integers(0, n, (200, 100))
    found = find_blanks(data, np.zeros(data.shape, bool))
    assert (found == (np.arange(200) >= 100) * (n <= 32)).all()


def test_steps_side_by_side():
    """
    The inner steps of a small ramp touch no pixel of the sky.
    """
    data = np.random.default_rng(5).normal(size=(200, 200))
    data[:, 188:] = np.repeat([0.0, 0.1, 0.2], 4)
    assert (find_blanks(data, np.zeros(data.shape, bool))
            == (np.arange(200) >= 188)).all()


@pytest.mark.parametrize('kind', ['random', 'rows', 'columns', 'chequered'])
@pytest.mark.parametrize('value', [0.0, 0.3])
def test_scattered_pixels_of_one_value(image, kind, value):
    y, x = np.indices(SHAPE)
    blank = {'random': np.random.default_rng(4).random(SHAPE) < 0.05,
             'rows': y % 3 == 0, 'columns': x % 7 == 2,
             'chequered': (x + y) % 2 == 0}[kind]
    assert np.array_equal(_found(np.where(blank, value, image)), blank)
    for limit in (-0.3, 0.0, 0.3):
        assert not _found(np.maximum(image, limit)).any()


@pytest.mark.parametrize('values', [(-2.0, -1.0), (-1.0, -2.0), (0.5, -2.0),
                                    (0.0, -9.0), (-9.0, 9.0), (0.0, 1e-3)])
@pytest.mark.parametrize('side', [20, 60])
def test_two_constants_side_by_side(image, values, side):
    """
    A small island of data, and the part of one blank that touches no data.
    """
    ny, nx = SHAPE
    blank = np.ones(SHAPE, bool)
    blank[ny // 2 - 20:ny // 2 + 20, nx // 2 - 20:nx // 2 + 20] = False
    for first in (np.s_[:side], np.s_[:, :side], np.s_[:side, :side]):
        data = np.where(blank, values[0], image)
        data[first] = np.where(blank[first], values[1], data[first])
        assert np.array_equal(_found(data), blank)


@pytest.mark.parametrize('step', [1, 3])
def test_rounded_sky_around_a_galaxy_of_many_values(step):
    """
    Values that recur are rounded if all others are on their grid.
    """
    y, x = np.indices((160, 160))
    data = 1e5 * np.exp(-np.hypot(x - 80, y - 80) / 15)
    data = np.round((data + np.random.default_rng(2).normal(
        0, 0.6, data.shape)) / step) * step
    assert not find_blanks(data, np.zeros(data.shape, bool)).any()


def test_known_bad_pixels_are_no_blank(image):
    mask = _areas()['strip']
    assert not _found(np.where(mask, 0.0, image), mask).any()
    assert not _found(np.where(mask, np.nan, image), mask).any()


def test_plain_image(image):
    assert not _found(image).any()


@pytest.mark.parametrize('sigma', [0.05, 0.1, 0.3, 0.5, 1, 2, 3, 5, 20])
@pytest.mark.parametrize('slope', [0.0, 0.01])
def test_rounded_sky_is_data(image, sigma, slope):
    data = np.round(image / NOISE * sigma + 500 + slope * _grid()[0])
    assert not _found(data).any()


@pytest.mark.parametrize('background', [0, 1e-4, 3e-3, 0.05, 0.3, 1, 5])
@pytest.mark.parametrize('flat', [False, True])
def test_sparse_counts_are_data(background, flat):
    rng = np.random.default_rng(7)
    counts = rng.poisson(_galaxy(peak=8.0) + background).astype(float)
    if flat:
        x, y = _grid()
        counts /= 1 + 0.1 * np.sin(x / 31) * np.cos(y / 17)
    assert not _found(counts).any()


@pytest.mark.parametrize('data', [
    _galaxy(), _galaxy() + 100, _galaxy(0.9), _galaxy(0.9, 1e-3) + 1000,
    np.exp(-_galaxy(5.0)), np.where(_galaxy() > 1e-3, _galaxy(), 0.0),
    np.ones(SHAPE)], ids=[
        'model', 'pedestal', 'underflow', 'rounded', 'dark', 'truncated',
        'constant'])
def test_sky_without_noise_is_data(data):
    assert not _found(data).any()


def test_gap_without_noise():
    gap = _areas()['gap']
    np.testing.assert_array_equal(_found(np.where(gap, 0, _galaxy())), gap)


def test_saturated_core_is_data(image):
    assert not _found(np.minimum(image, 0.5)).any()
    assert not _found(np.minimum(_galaxy(), 0.5)).any()


def test_replicated_and_clipped_pixels_are_data(image):
    small = image[40:120, 40:120]
    assert not _found(np.kron(small, np.ones((2, 2)))).any()
    assert not _found(np.clip(image, 0, None)).any()
    assert not _found(np.clip(image, -1.5 * NOISE, None)).any()


@pytest.mark.slow
def test_random_blanks():
    rng = np.random.default_rng(11)
    x, y = _grid()
    missed = wrong = 0
    for _ in range(60):
        data = _galaxy(rng.uniform(4, 14), rng.uniform(0.3, 30))
        data += rng.normal(0, NOISE, SHAPE)
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0, 70)
        u = (x - 80) * np.cos(angle) + (y - 80) * np.sin(angle) - offset
        width = rng.choice([np.inf, rng.uniform(1.5, 20)])
        blank = (u > 0) & (u < width)
        data[blank] = rng.choice([0, -99, NOISE * rng.normal(0, 3), 1e9])
        found = _found(data)
        missed += (blank & ~found).any()
        wrong += (found & ~blank).any()
    assert (missed, wrong) == (0, 0)


@pytest.mark.parametrize('infinite', [-np.inf, np.inf, np.nan])
@pytest.mark.parametrize('noise', [True, False])
def test_blank_beside_infinite_pixels(image, infinite, noise):
    # nothing is calculated from pixels without a finite value
    data = (image if noise else _galaxy()).astype(np.float32)
    data[:, :5] = infinite
    data[:, 5:8] = -1e5
    expected = np.zeros(SHAPE, bool)
    expected[:, 5:8] = True
    np.testing.assert_array_equal(_found(data), expected)


def test_cutout_masks_blanks(image):
    strip = _areas()['strip']
    data = np.where(strip, -2 * NOISE, image)
    cutout = GalaxyCutout(data, unit='nmgy', pixel_scale=0.4)
    np.testing.assert_array_equal(cutout.mask, strip)
    assert not cutout.data[strip].any()


@pytest.mark.parametrize(('kind', 'none'), [
    ('invvar', 0.0), ('noise', 0.0), ('noise', np.nan), ('noise', np.inf),
    ('invvar', -1.0)])
def test_pixels_of_zero_weight_are_masked(image, kind, none):
    rows = np.zeros(SHAPE, bool)
    rows[70:74] = True
    good = NOISE if kind == 'noise' else NOISE**-2
    cutout = GalaxyCutout(image, unit='nmgy', pixel_scale=0.4,
                          **{kind: np.where(rows, none, good)})
    np.testing.assert_array_equal(cutout.mask, rows)


@pytest.mark.parametrize(('level', 'is_blank'), [(-1.9, False), (-2.1, True)])
def test_cliff(level, is_blank):
    """
    Twice as far below the pixels around as these differ from each other.
    """
    y, x = np.indices((64, 64))
    # neighbours differ by 1, and the middle of each few is 0
    data = 0.5 * (-1.0)**(x + y)
    data += np.random.default_rng(2).normal(0, 1e-4, data.shape)
    data[20:30, 30:40] = level
    blank = find_blanks(data, np.zeros(data.shape, bool))
    assert np.count_nonzero(blank) == 100 * is_blank


@pytest.mark.parametrize('smooth', [0, 1.0, 1.6, 3.0])
@pytest.mark.parametrize('step', [0, 0.01, 0.05])
def test_part_of_the_pixels_tells(monkeypatch, smooth, step):
    """
    Whether an image is noisy does not depend on how many pixels are seen.
    """
    noise = np.random.default_rng(2).normal(size=SHAPE)
    if smooth:
        noise = gaussian_filter(noise, smooth)
    data = _galaxy() + NOISE * noise / noise.std()
    if step:
        data = step * np.round(data / step)
    data[:, 120:] = 0
    found = _found(data)
    seen = []
    differences = blanks._Frame._differences
    monkeypatch.setattr(blanks._Frame, '_differences', lambda frame, every: (
        seen.append(every), differences(frame, every))[1])
    _found(data)
    # (white noise takes an eighth of the pixels)
    assert seen == [8] if smooth == 0 == step else seen[0] == 8
    monkeypatch.setattr(blanks, '_ENOUGH', np.inf)
    np.testing.assert_array_equal(_found(data), found)
