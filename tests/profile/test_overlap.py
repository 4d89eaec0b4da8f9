# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the covariance module.

The noise that rings share is compared with that of white noise, averaged by
triangles in radius.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from astro_pix2prof.profile.covariance import ring_covariance, shared_noise
from astro_pix2prof.profile.samples import sample_intensity, symmetric_root

NOISE, SCALE, EPS = 2.0, 0.4, 0.3
SMA = np.concatenate([[0, 0.5, 1, 1.5, 2, 3], 4 * 1.06**np.arange(45)])
ALL = np.ones(len(SMA), bool)


@pytest.fixture(name='profile')
def fixture_profile():
    return QTable(
        {'radius': SMA * SCALE * u.arcsec,
         'intensity': np.ones(len(SMA)) / u.arcsec**2,
         'ellipticity': np.full(len(SMA), EPS)},
        meta={'fitter': 'IsophoteFitter', 'noise': NOISE,
              'noise_correlation': 1.0, 'pixel_scale': SCALE})


def test_white_noise(profile):
    # Thin rings of one pixel, each the mean of its pixels.
    thin = np.arange(0.5, 80)
    variance = NOISE**2 / (2 * np.pi * thin * (1 - EPS)) / SCALE**4
    foot = 1.2 * np.gradient(SMA)
    wide = np.maximum(1 - np.abs(SMA[:, None] - thin) / np.maximum(
        foot, 1.0)[:, None], 0) * thin
    wide /= wide.sum(1, keepdims=True)
    true = (wide * variance) @ wide.T
    found, share = shared_noise(profile, ALL)
    outer = (SMA > 30) & (SMA < 50)
    assert_allclose(found[outer], np.diag(true)[outer], rtol=0.1)
    scale = np.sqrt(np.diag(true))
    want = (true / np.outer(scale, scale))[np.ix_(outer, outer)]
    assert_allclose(share[np.ix_(outer, outer)], want, atol=0.15)
    assert want[0, 1] > 0.35
    assert np.all(want[0, 3:] < 0.01)


def test_core(profile):
    # Half a pixel apart, rings see the same pixels; three pixels, others.
    share = shared_noise(profile, ALL)[1]
    assert 0.7 < share[2, 3] < 0.85
    assert share[1, 5] < 0.02
    assert_allclose(np.diag(share), 1)
    assert_allclose(share, share.T)


def test_some_rings(profile):
    use = SMA > 1.2
    variance, share = shared_noise(profile, use)
    full, full_share = shared_noise(profile, ALL)
    assert_allclose(variance, full[use])
    assert_allclose(share, full_share[np.ix_(use, use)])


def test_masked_pixels(profile):
    full = shared_noise(profile, ALL)[0]
    profile['n_valid'] = np.full(len(SMA), 0.25)
    assert_allclose(shared_noise(profile, ALL)[0][20:], 4 * full[20:])


def test_pixels(profile):
    full = shared_noise(profile, ALL)[0]
    profile['radius'] = SMA * u.pix
    del profile.meta['pixel_scale']
    assert_allclose(shared_noise(profile, ALL)[0], full * SCALE**4)


@pytest.mark.parametrize('meta', [
    {'fitter': 'Pix2ProfFitter'}, {'noise': np.nan}, {'noise': 0.0},
    {'correlation': {'length': 0.5, 'smooth': 0.5, 'common': 0.1}}])
def test_no_shared_noise(profile, meta):
    profile.meta.update(meta)
    variance, share = shared_noise(profile, ALL)
    assert not variance.any()
    assert_allclose(share, np.eye(len(SMA)))


def test_covariance_of_rings(profile):
    error = np.full(len(SMA), 2.0)
    profile['intensity_err'] = error / u.arcsec**2
    profile.meta['sky_err'] = 0.1 * SCALE**2
    noise, share = shared_noise(profile, ALL)
    found = ring_covariance(profile, ALL)
    assert_allclose(np.diag(found), 4)
    # the sky is common to all, the noise to neighbours
    assert_allclose(found[10, 40], 0.01)
    both = 0.01 + share[40, 41] * np.sqrt(noise[40] * noise[41])
    # arms move neighbours together, up to half an e-fold of the radius
    rest = 3.99 - noise[40:44]
    assert_allclose(found[40, 41], both + 0.3 * (
        1 - np.log(1.06) / 0.55) * np.sqrt(rest[0] * rest[1]))
    assert_allclose(found[40, 43], 0.01 + 0.3 * (
        1 - 3 * np.log(1.06) / 0.55) * np.sqrt(rest[0] * rest[3]))


def test_samples_of_isophotes(profile):
    error = np.full(len(SMA), 2.0)
    error[7] = np.nan
    profile['intensity_err'] = error / u.arcsec**2
    profile.meta['sky_err'] = 0.1 * SCALE**2
    samples = sample_intensity(profile, 20000, np.random.default_rng(1))
    assert np.isnan(samples[7]).all()
    known = np.isfinite(error)
    assert_allclose(np.cov(samples[known]), ring_covariance(profile, known),
                    atol=0.15)
    assert_allclose(samples[known].mean(1), 1, atol=0.05)


def test_noise_that_exceeds_the_error(profile):
    # (to the last digit, as of a stated error that is all noise)
    noise = shared_noise(profile, ALL)[0]
    profile['intensity_err'] = np.sqrt(noise) * np.where(
        np.arange(len(SMA)) % 2, 0.7, 1) / u.arcsec**2
    samples = sample_intensity(profile, 10, np.random.default_rng(1))
    assert np.isfinite(samples).all()
    assert np.all(samples.std(1) > 0)


def test_samples_on_any_platform(profile, monkeypatch):
    """
    Signs of eigenvectors, which are arbitrary, change no sample.
    """
    profile['intensity_err'] = np.full(len(SMA), 2.0) / u.arcsec**2
    samples = sample_intensity(profile, 10, np.random.default_rng(1))
    plain = np.linalg.eigh

    def other(matrix):
        size, vectors = plain(matrix)
        return size, vectors * (-1)**np.arange(len(size))

    monkeypatch.setattr(np.linalg, 'eigh', other)
    again = sample_intensity(profile, 10, np.random.default_rng(1))
    assert_allclose(again, samples, rtol=1e-9)


def test_root():
    """
    The root is symmetric, and of equal eigenvalues there is only one.
    """
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(5, 5))
    root = symmetric_root(matrix @ matrix.T)
    assert_allclose(root, root.T, atol=1e-12)
    assert_allclose(root @ root, matrix @ matrix.T, atol=1e-10)
    assert_allclose(symmetric_root(4 * np.eye(3)), 2 * np.eye(3))
    # (a negative eigenvalue is one of rounding)
    assert_allclose(symmetric_root(np.diag([1.0, -1e-20])),
                    np.diag([1.0, 0]))
