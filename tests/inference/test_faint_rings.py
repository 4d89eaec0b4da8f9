# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of centres and errors of galaxies hardly brighter than the noise.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import GalaxyFlag, Pix2ProfFitter
from astro_pix2prof.inference import captions
from astro_pix2prof.inference.faint_rings import settle_faint_rings

SHAPE, CENTRE, Q = (224, 224), (111.5, 111.5), 0.6
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 1.0}
SMA = np.array([0, 0.5, 0.6, 0.72, 0.864, 1.04, 1.24, 1.49, 1.79, 2.15, 2.58,
                3.1, 3.7])


@pytest.fixture(scope='module', name='fitter')
def make_fitter():
    return Pix2ProfFitter(device='cpu')


def _galaxy():
    """
    Make a disc without noise, with a peak of 1.
    """
    y, x = np.indices(SHAPE)
    disc = np.exp(-np.hypot(x - CENTRE[0], (y - CENTRE[1]) / Q) / 15)
    disc = gaussian_filter(disc, 1.3)
    return disc / disc.max()


def _truth(galaxy, profile):
    """
    Calculate the means of an image along the ellipses of a profile.
    """
    t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    a = profile['radius'].value[:, None]
    q = 1 - np.asarray(profile['ellipticity'])[:, None]
    pa = profile['pa'].to_value('rad')[:, None]
    u, v = a * np.cos(t), a * q * np.sin(t)
    x = profile.meta['x_centre'] + u * np.cos(pa) - v * np.sin(pa)
    y = profile.meta['y_centre'] + u * np.sin(pa) + v * np.cos(pa)
    arc = np.hypot(a * np.sin(t), a * q * np.cos(t)) + 1e-9
    values = map_coordinates(galaxy, [y, x], order=3)
    return (values * arc).sum(1) / arc.sum(1)


def _pulls(fitter, galaxy, shape, seeds):
    """
    Calculate the pulls of the rings of a faint band that are seen.

    Of the centre and of the others, and by how much the centre is off.
    """
    centre, others, off = [], [], []
    for seed in seeds:
        image = galaxy + np.random.default_rng(seed).normal(0, 1, SHAPE)
        profile = fitter(image, geometry=shape, **OPTIONS)
        true = _truth(galaxy, profile)
        value, error = (profile[name].value for name in (
            'intensity', 'intensity_err'))
        seen, inner = value > 3 * error, profile['radius'].value < 1.3
        pull = (value - true) / error
        centre.append(pull[seen & inner])
        others.append(pull[seen & ~inner])
        off.append((value - true)[inner])
    return (np.concatenate(part) for part in (centre, others, off))


@pytest.mark.parametrize('weights', ['rings', 'rings-fast'])
def test_errors_of_faint_galaxies(weights):
    """
    Where centre and ellipses follow the noise, errors of rings say so.
    """
    fitter, pulls = Pix2ProfFitter(weights, device='cpu'), []
    y, x = np.indices((128, 128))
    for seed in range(40):
        rng = np.random.default_rng([7, seed])
        q = rng.uniform(0.5, 1.0)
        disc = gaussian_filter(np.exp(-np.hypot(x - 64, (y - 63) / q)
                                      / rng.uniform(5, 9)), 1.3)
        disc *= rng.uniform(1.9, 2.6) / disc.max()
        profile = fitter(disc + rng.normal(0, 1, disc.shape), **OPTIONS)
        if profile.meta['flag']:
            continue
        radius = profile['radius'].value
        t = np.linspace(0, 2 * np.pi, 256, endpoint=False)
        u, v = radius[:, None] * np.cos(t), radius[:, None] * q * np.sin(t)
        arc = radius[:, None] * np.hypot(np.sin(t), q * np.cos(t)) + 1e-9
        true = (map_coordinates(disc, [63 + v, 64 + u], order=3)
                * arc).sum(1) / arc.sum(1)
        off = profile['intensity'].value - true
        pulls.append((off / profile['intensity_err'].value)[radius < 10])
    pulls = np.concatenate(pulls)
    assert len(pulls) > 100
    assert np.quantile(np.abs(pulls), 0.68) < 1.3
    assert np.mean(np.abs(pulls) > 3) < 0.01


def test_centre_of_a_faint_band(fitter, monkeypatch):
    galaxy = 2.25 * _galaxy()
    shape = fitter(100 * galaxy + np.random.default_rng(0).normal(
        0, 1, SHAPE), **OPTIONS)
    seeds = range(12)
    centre, others, off = _pulls(fitter, galaxy, shape, seeds)
    assert np.abs(centre).max() < 3
    assert np.mean(np.abs(others) < 1) > 0.6
    assert np.mean(np.abs(others) > 3) < 0.01
    monkeypatch.setattr(captions, 'settle_faint_rings', lambda rings: None)
    before, _, off_before = _pulls(fitter, galaxy, shape, seeds)
    assert np.abs(before).max() > 4
    # the values are better, too
    assert np.std(off) < 0.7 * np.std(off_before)


def test_colours_of_a_shallow_band(fitter):
    galaxy, pulls = _galaxy(), []
    for seed in range(8):
        rng = np.random.default_rng([7, seed])
        # (in units of the noise; a sky that was subtracted twice)
        sky = -2.0 * (seed % 2)
        images = {'u': 2.5 * galaxy + sky + rng.normal(0, 1, SHAPE),
                  'r': 250 * galaxy + rng.normal(0, 1, SHAPE)}
        colours = fitter.fit_bands(images, **OPTIONS).colours
        pull = (colours['u-r'].value - 5.0) / colours['u-r_err'].value
        pulls.append(pull[colours['u-r_err'].value < 0.3])
    pulls = np.concatenate(pulls)
    assert len(pulls) > 100
    assert np.abs(pulls).max() < 3.5
    assert np.mean(np.abs(pulls) > 3) < 0.01
    assert 0.6 < np.mean(np.abs(pulls) < 1) < 0.95
    assert abs(np.mean(pulls)) < 0.4


def test_bright_galaxies_keep_their_profile(fitter, monkeypatch):
    image = 100 * _galaxy() + np.random.default_rng(5).normal(0, 1, SHAPE)
    profile = fitter(image, **OPTIONS)
    monkeypatch.setattr(captions, 'settle_faint_rings', lambda rings: None)
    before = fitter(image, **OPTIONS)
    assert np.all(profile['intensity'] == before['intensity'])
    bright = before['intensity'].value > 15
    assert bright.any()
    np.testing.assert_allclose(profile['intensity_err'][bright].value,
                               before['intensity_err'][bright].value,
                               rtol=0.02)


def _rings(intensity, error, *, noise=1.0, correlation=1.0, n_valid=1.0):
    """
    Make rings of a round galaxy at the radii of a network.
    """
    value, error = (np.broadcast_to(part, SMA.shape).astype(float)
                    for part in (intensity, error))
    return SimpleNamespace(
        galaxy_flag=GalaxyFlag.FORCED, sma=SMA,
        intensity=value, intensity_err=error,
        sb_err=1.0857 * error / value, eps=np.zeros(len(SMA)),
        n_valid=np.full(len(SMA), n_valid), noise=noise,
        noise_correlation=correlation)


def test_dips():
    value = np.full(len(SMA), 2.0)
    value[:4] = 1.0, 1.2, 1.4, 1.9
    rings = _rings(value, 0.5)
    settle_faint_rings(rings)
    np.testing.assert_allclose(rings.intensity, 2.0)
    # 0.3 of what was added is an error
    assert rings.intensity_err[0] == pytest.approx(
        max(np.hypot(0.5, 0.3), 0.7), rel=0.03)
    np.testing.assert_allclose(
        rings.sb_err, 1.0857 * rings.intensity_err / rings.intensity,
        rtol=1e-3)


@pytest.mark.parametrize(('top', 'bottom', 'noise'), [
    (20.0, 18.0, 1.0), (2.0, 0.2, 0.5), (0.3, 0.1, 1.0)],
    ids=['bright', 'significant', 'unseen'])
def test_dips_that_stay(top, bottom, noise):
    value = np.full(len(SMA), top)
    value[:2] = bottom
    rings = _rings(value, 0.5, noise=noise)
    settle_faint_rings(rings)
    np.testing.assert_array_equal(rings.intensity, value)


def test_errors_are_those_of_the_pixels():
    rings = _rings(2.0, 0.01)
    settle_faint_rings(rings)
    # the annulus of the ring at 2.15 has 2 pi times as many pixels
    noise = 1 / np.sqrt(2 * np.pi * 2.15)
    fade = 1 + (2.0 / 5.0)**4
    assert rings.intensity_err[9] == pytest.approx(0.7 * noise / fade)
    half = _rings(2.0, 0.01, n_valid=0.5)
    settle_faint_rings(half)
    assert half.intensity_err[9] == pytest.approx(
        np.sqrt(2) * rings.intensity_err[9])
    correlated = _rings(2.0, 0.01, correlation=4.0)
    settle_faint_rings(correlated)
    assert correlated.intensity_err[9] == pytest.approx(
        2 * rings.intensity_err[9])
    large = _rings(2.0, 0.9)
    settle_faint_rings(large)
    np.testing.assert_array_equal(large.intensity_err, 0.9)


@pytest.mark.parametrize(('value', 'noise'), [(np.nan, 1.0), (2.0, 0.0)])
def test_nothing_to_measure(value, noise):
    rings = _rings(value, 0.01, noise=noise)
    settle_faint_rings(rings)
    np.testing.assert_array_equal(rings.intensity_err, 0.01)
