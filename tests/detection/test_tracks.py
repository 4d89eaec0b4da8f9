# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the tracks and local_noise modules.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.signal import fftconvolve

from astro_pix2prof.detection.bad_pixels import find_bad_pixels
from astro_pix2prof.detection.local_noise import local_noise
from astro_pix2prof.detection.tracks import find_tracks

CENTRE = (25.2, 24.7)
# Tracks as (x, y): along a row, along a column, diagonal, bent, and both.
TRACKS = {
    'row': [(24, 26), (25, 26), (26, 26), (27, 26)],
    'column': [(25, 22), (25, 23), (25, 24)],
    'diagonal': [(26, 25), (27, 26), (28, 27), (29, 28)],
    'bent': [(21, 23), (22, 23), (23, 24), (24, 24), (25, 25)],
    'steps': [(22, 27), (23, 27), (23, 28), (24, 29), (24, 30)],
}
# Samples of scenes without cosmic rays, a pixel across.
_FINE = 5


@pytest.fixture(name='rng')
def fixture_rng():
    return np.random.default_rng(8)


def galaxy(peak=200.0, *, fwhm=3.0, q=0.6, angle=0.5):
    """
    A bulge and a disc behind a Gaussian PSF.
    """
    y, x = np.mgrid[:51, :51]
    x, y = x - CENTRE[0], y - CENTRE[1]
    r = np.hypot(x * np.cos(angle) + y * np.sin(angle),
                 (y * np.cos(angle) - x * np.sin(angle)) / q)
    image = gaussian_filter(np.exp(-r / 8) + 4 * np.exp(-r / 1.5),
                            fwhm / 2.3548)
    return peak * image / image.max()


def hit(image, track, light):
    """
    Add light to the pixels of a track, whatever the PSF.
    """
    image = image.copy()
    for x, y in track:
        image[y, x] += light
    return image


def places(found):
    return sorted((int(x), int(y)) for y, x in np.argwhere(found))


@pytest.mark.parametrize('fwhm', [1.8, 3.0])
@pytest.mark.parametrize('times', [1.0, 2.0, 30.0])
@pytest.mark.parametrize('name', TRACKS)
def test_tracks_are_found(rng, name, times, fwhm):
    track = TRACKS[name]
    image = hit(galaxy(fwhm=fwhm), track, times * 200.0)
    found = find_tracks(image + rng.normal(size=image.shape), 1.0)
    # (nothing else, and all but a pixel between others)
    assert set(places(found)) <= set(track)
    assert found.sum() >= len(track) - (name == 'steps')


def test_faint_track_beside_the_nucleus(rng):
    # as bright as the galaxy there
    image = galaxy(2000.0)
    track = TRACKS['diagonal']
    image = hit(image, track, image[26, 27])
    assert places(find_tracks(image + rng.normal(size=image.shape), 1.0)) == (
        track)


def test_known_pixels_are_left_out(rng):
    image = hit(galaxy(), TRACKS['row'], 300.0)
    image += rng.normal(size=image.shape)
    image[26, 24] = np.nan
    assert places(find_tracks(image, 1.0)) == TRACKS['row'][1:]


def test_gain(rng):
    image = hit(galaxy(), TRACKS['row'], 300.0)
    image += rng.normal(size=image.shape)
    assert find_tracks(image, 1.0, gain=10.0).sum() == 4
    # (three photons more are no surprise)
    assert not find_tracks(image, 1.0, gain=0.01).any()


def test_found_with_single_pixels(rng):
    image = hit(galaxy(), TRACKS['column'], 400.0)
    image[28, 29] += 5000.0
    image += rng.normal(size=image.shape)
    found = find_bad_pixels(image, np.zeros(image.shape, bool), CENTRE, 1.0)
    assert places(found) == [*TRACKS['column'], (29, 28)]


def _scene(kind, fwhm, rng):
    """
    Render a galaxy that is as sharp as a PSF allows, without cosmic rays.
    """
    size = 61
    y, x = (np.mgrid[:size * _FINE, :size * _FINE] + 0.5) / _FINE - 0.5
    x0, y0 = 30 + rng.uniform(-0.5, 0.5, 2)
    t = rng.choice([0, np.pi / 2, np.pi / 4, rng.uniform(0, np.pi)])
    along = (x - x0) * np.cos(t) + (y - y0) * np.sin(t)
    across = (y - y0) * np.cos(t) - (x - x0) * np.sin(t)
    q, scale = rng.uniform(0.3, 1), rng.uniform(3, 12)
    light = np.exp(-np.hypot(along, across / q) / scale)
    sources = []
    if kind == 'edge-on':
        light += rng.uniform(1, 10) * np.exp(
            -np.abs(along) / scale - (across / rng.uniform(0.2, 1))**2)
    elif kind == 'bar':
        light[(np.abs(along) < 5) & (np.abs(across) < 0.6)] += 8
    elif kind == 'dust':
        light *= 1 - 0.9 * np.exp(-(across - 1.0)**2)
    elif kind == 'nucleus':
        sources = [(0, 0, rng.uniform(0.3, 300))]
    elif kind == 'knots':
        sources = [(*rng.normal(0, 5, 2), 10**rng.uniform(-1, 0.7))
                   for _ in range(15)]
    elif kind == 'stars':
        sources = [(0, 0, rng.uniform(0.3, 30))] + [
            (*rng.normal(0, 4, 2), 10**rng.uniform(-1, 2)) for _ in range(3)]
    n = int(3 * fwhm * _FINE)
    r2 = (np.mgrid[-n:n + 1, -n:n + 1]**2).sum(0) / (_FINE * fwhm / 2)**2
    beta = rng.choice([2.5, 4.7, 100.0])
    psf = (1 + (2**(1 / beta) - 1) * r2)**-beta
    psf /= psf.sum()
    for dx, dy, peak in sources:
        row, column = (int((c + 0.5) * _FINE) for c in (y0 + dy, x0 + dx))
        light[row, column] += peak / psf.max()
    image = fftconvolve(light, psf, mode='same')
    if rng.random() < 0.5:
        image = uniform_filter(image, _FINE)
    image = image[_FINE // 2::_FINE, _FINE // 2::_FINE]
    return image * 10**rng.uniform(1, 3.5) / image.max()


@pytest.mark.parametrize('fwhm', [1.3, 1.5, 2.0, 3.0])
@pytest.mark.parametrize('kind', ['disc', 'edge-on', 'bar', 'dust', 'nucleus',
                                  'knots', 'stars'])
def test_what_came_through_a_telescope_stays(kind, fwhm):
    rng = np.random.default_rng(int(10 * fwhm))
    for k in range(6):
        image = _scene(kind, fwhm, rng)
        if k % 2:
            image = rng.poisson(np.maximum(image, 0)).astype(float)
        image += rng.normal(size=image.shape)
        assert not find_tracks(image, 1.0).any()


def test_models_without_noise_stay():
    y, x = np.mgrid[:51, :51]
    for q in (1.0, 0.5):
        # (r^1/4, seen through no PSF at all)
        r = np.hypot(x - 25.0, (y - 25.0) / q) + 0.3
        assert not find_tracks(np.exp(-7.67 * (r / 20)**0.25), 1e-6).any()


@pytest.mark.parametrize('counts', [0.2, 1.0, 5.0])
def test_few_photons_stay(rng, counts):
    image = rng.poisson(counts, (101, 101)) * 3.0
    image += rng.normal(size=image.shape)
    assert not find_tracks(image, 1.0).any()


def test_local_noise(rng):
    flat = rng.normal(300.0, 4.0, (21, 21))
    flat[10, 10] = 5000.0
    assert local_noise(flat, 10, 10, 1.0) == pytest.approx(4.0, rel=0.3)
    assert local_noise(flat, 10, 10, 9.0) == 9.0
    # (too few pixels that are known)
    assert local_noise(np.full((21, 21), np.nan), 10, 10, 2.0) == 2.0


@pytest.mark.parametrize('level', [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize('q', [0.6, 0.9, 1.0])
def test_rim_of_a_crater_stays(q, level):
    """
    The bright rim around a core with other values is no track.
    """
    x, y = np.meshgrid(np.arange(61.0), np.arange(61.0))
    x, y = 0.8 * (x - 30) + 0.6 * (y - 30), 0.8 * (y - 30) - 0.6 * (x - 30)
    light = 300 * np.exp(-np.hypot(x, y / q) / 6)
    noise = np.random.default_rng(1).normal(0, 1, light.shape)
    image = np.where(light > 90, 90 * level, light)
    assert np.count_nonzero(find_tracks(image + noise, 1.0)) < 6
    # (and two tracks of a galaxy are no rim)
    light[20:24, 27] += 200
    light[33, 36:41] += 200
    found = find_tracks(light + noise, 1.0)
    assert found[20:24, 27].sum() + found[33, 36:41].sum() > 5
