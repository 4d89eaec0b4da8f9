# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of finding rows and columns that have lost light.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter
from astro_pix2prof.detection.bad_lines import (
    find_bad_lines,
    find_bad_pixels_and_lines,
)

SHAPE = (90, 80)
CENTRE = (40.3, 44.8)
NONE = np.zeros(SHAPE, bool)


def _model(q=0.6, angle=35.0, scale=5.0, fwhm=2.5, peak=400.0):
    y, x = np.mgrid[:3 * SHAPE[0], :3 * SHAPE[1]] / 3 - 1 / 3
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = x - CENTRE[0], y - CENTRE[1]
    r = np.hypot(x * cos + y * sin, (y * cos - x * sin) / q)
    model = gaussian_filter(np.exp(-r / scale), 3 * fwhm / 2.355)[1::3, 1::3]
    return peak * model / model.max()


def _noisy(model, seed=0, gain=np.inf):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    return model + np.sqrt(1 + model / gain) * noise


def _lines(data, mask=NONE, **options):
    found = find_bad_lines(data, mask, (40, 44), 1.0, **options)
    if found is None:
        return [], []
    rows, columns = found.all(axis=1), found.all(axis=0)
    assert (found == rows[:, None] | columns).all()
    return list(np.flatnonzero(rows)), list(np.flatnonzero(columns))


@pytest.mark.parametrize('offset', [-6, -3, -1, 0, 2, 5])
@pytest.mark.parametrize('part', [0.5, 0.7, 0.88])
def test_one_line(offset, part):
    for seed in range(3):
        data = _model()
        row, column = 45 + offset, 40 + offset
        data[:, column] *= part
        data = _noisy(data, seed, gain=100)
        assert _lines(data, gain=100) == ([], [column])
        # (of another sky, and as a row)
        data = (data + 70)[:SHAPE[1]].T
        assert _lines(data, NONE[:80].T, sky=70.0, gain=100) == (
            [column], [])
        data = _model()
        data[row] *= part
        assert _lines(_noisy(data, seed, gain=100), gain=100) == ([row], [])


@pytest.mark.parametrize('offset', [-4, -1, 0, 3])
def test_two_columns(offset):
    data = _model()
    data[:, 40 + offset:42 + offset] *= 0.7
    assert _lines(_noisy(data)) == ([], [40 + offset, 41 + offset])


@pytest.mark.parametrize('seed', [0, 1, 2, 3])
@pytest.mark.parametrize('part', [0.3, 0.5, 0.88])
def test_two_columns_of_any_depth(part, seed):
    data = _model()
    data[:, 39:41] *= part
    assert _lines(_noisy(data, seed, gain=100), gain=100) == ([], [39, 40])


@pytest.mark.parametrize('offset', [-7, -2, 2])
@pytest.mark.parametrize('part', [0.3, 0.6])
@pytest.mark.parametrize('width', [3, 4, 6])
def test_several_columns(offset, part, width):
    data = _model(scale=8.0)
    first = 40 + offset
    data[:, first:first + width] *= part
    data = _noisy(data, gain=100)
    columns = list(range(first, first + width))
    assert _lines(data, gain=100) == ([], columns)
    assert _lines(data[:SHAPE[1]].T, NONE[:80].T, gain=100) == (columns, [])


def test_both_and_missing_pixels():
    data = _model()
    data[:, 38] *= 0.6
    data[50] *= 0.6
    data = _noisy(data, gain=100)
    assert _lines(data, gain=100) == ([50], [38])
    mask = NONE.copy()
    mask[40:42, 43:45] = True
    data[mask] = np.nan
    assert _lines(data, mask, gain=100) == ([50], [38])


@pytest.mark.parametrize('q', [0.15, 0.4, 0.9])
@pytest.mark.parametrize('angle', [0.0, 2.0, 45.0, 90.0])
@pytest.mark.parametrize('fwhm', [1.5, 2.0, 3.5])
def test_galaxies(q, angle, fwhm):
    for scale in (1.5, 8.0):
        for peak in (20.0, 400.0, 1e4):
            model = _model(q, angle, scale, fwhm, peak)
            for gain in (1.0, 100.0):
                data = _noisy(model, 1, gain)
                assert _lines(data, gain=gain) == ([], [])
                assert _lines(data) == ([], [])


def test_lane_of_dust():
    for width in (1.0, 2.0, 4.0):
        model = _model(0.2, 90.0, 9.0)
        across = np.arange(SHAPE[1]) - CENTRE[0] - 1.5
        dark = model * (1 - 0.7 * np.exp(-0.5 * (across / width)**2))
        assert _lines(_noisy(gaussian_filter(dark, 1.0))) == ([], [])


def test_nothing_to_see():
    data = _model()
    data[:, 40] *= 0.5
    assert _lines(data) == ([], [40])
    assert _lines(data, ~NONE) == ([], [])
    assert find_bad_lines(data, NONE, (40, 44), 0.0) is None
    assert find_bad_lines(data, NONE, (-90, 44), 1.0) is None
    # (the galaxy is too faint, or the loss small)
    assert _lines(_noisy(0.02 * data)) == ([], [])
    assert _lines(_noisy(_model())) == ([], [])


def test_pixels_and_lines():
    data = _noisy(_model(), gain=100)

    def found(data):
        return find_bad_pixels_and_lines(data, NONE, CENTRE, 1.0, gain=100)

    assert found(data) is None
    ray, line = data.copy(), data.copy()
    ray[50, 30] += 500
    assert np.argwhere(found(ray)).tolist() == [[50, 30]]
    line[:, 42] *= 0.5
    assert np.flatnonzero(found(line).all(axis=0)).tolist() == [42]
    line[50, 30] += 500
    assert np.array_equal(found(line), (np.arange(80) == 42) | found(ray))


@pytest.mark.parametrize('make', [Pix2ProfFitter, IsophoteFitter])
def test_profile(make):
    model = _model()
    fitter = make(radii=[0.0, 1.5, 3.0, 5.0, 8.0])
    options = {'gain': 100, 'pixel_scale': 0.4, 'unit': 'nmgy'}
    data = _noisy(model, gain=100)
    truth = fitter(data, **options)['intensity']
    data[:, 42] *= 0.5
    fit = fitter.fit(data, **options)
    assert fit.mask[:, 42].all()
    ratio = fit.profile['intensity'] / truth
    assert np.abs(2.5 * np.log10(ratio)).max() < 0.06
