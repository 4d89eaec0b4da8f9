# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the errors of structural parameters.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile, measure_structure
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.meta import store_correlation
from astro_pix2prof.structure.growth import hold_enclosed
from astro_pix2prof.structure.models import fit_disc
from astro_pix2prof.structure.petrosian import put_petrosian

RADIUS = np.geomspace(1, 60, 60)


def profile_of(intensity, error=0.01, flat=0.0):
    cutout = GalaxyCutout(np.zeros((9, 9)), zeropoint=25, pixel_scale=1)
    zeros = np.zeros(len(RADIUS))
    return build_profile(cutout, RADIUS, intensity, error * intensity,
                         ellipticity=zeros + flat, theta=zeros)


def test_petrosian_radii_beyond_the_profile():
    # Of an exponential disc, the ratio falls to 0.2 at 3.6 scale lengths.
    radius = np.linspace(0, 60, 121)
    samples = np.stack([np.exp(-radius / h) for h in (10, 9, 30, 40, 11)])
    growth = np.array([np.append(0, np.cumsum(
        np.pi * np.diff(radius**2) * 0.5 * (row[1:] + row[:-1])))
        for row in samples])
    found = {}

    def put(name, values, least=0.0):
        assert least == 0
        found[name] = values

    total = growth[:, -1]
    put_petrosian(put, (radius, samples), (radius, growth), total,
                  np.zeros(121), 25.0, False, (0.2, 1.0))
    assert_allclose(found['r_petro'][[0, 1, 4]] / [10, 9, 11], 3.6, atol=0.15)
    # (the other versions reach farther than the profile)
    assert_allclose(found['r_petro'][[2, 3]], 60)
    # without a radius of the profile itself there is none of its versions
    put_petrosian(put, (radius, samples[[2, 0]]), (radius, growth[[2, 0]]),
                  total[[2, 0]], np.zeros(121), 25.0, False, (0.2, 1.0))
    assert np.isnan(found['r_petro'][0])
    assert_allclose(found['r_petro'][1] / 10, 3.6, atol=0.15)


def test_scale_lengths_of_two_kinds():
    disc = 50 * np.exp(-RADIUS / 6)
    bulge = 60 * np.exp(-7.67 * ((RADIUS / 8)**0.25 - 1))
    plain, both = (measure_structure(profile_of(value), n_samples=2)[0]
                   for value in (disc, disc + bulge))
    assert plain['h_disc_err'].value < 0.3
    # a bulge that reaches far out bends the line
    off = abs(both['h_disc'].value - 6)
    assert off > 2
    assert both['h_disc_err'].value > 0.5 * off
    assert both['h_disc_err'].value >= 0.85 * abs(
        both['h_disc'] - both['disc_h']).value


def test_arms_move_scale_lengths():
    """
    Arms of 4.5 per cent, which rings within 0.55 e-folds share, move a line.
    """
    value, rng = 50 * np.exp(-RADIUS / 6), np.random.default_rng(4)
    place = np.log(RADIUS)
    near = np.clip(1 - np.abs(place[:, None] - place) / 0.55, 0, 1)
    arms = 0.045 * rng.multivariate_normal(np.zeros(60), near, 200)
    fits = [fit_disc(RADIUS, value * np.exp(one), 0.01 * value)
            for one in arms]
    assert_allclose(fit_disc(RADIUS, value, 0.01 * value)['arms'],
                    np.std([fit['h'][0] for fit in fits]), rtol=0.15)
    row = measure_structure(profile_of(value), n_samples=2)[0]
    noise = fit_disc(RADIUS, value, 0.01 * value)
    for name in ('h_disc', 'disc_h'):
        assert row[f'{name}_err'].value > noise['arms'] > 3 * 0.01


@pytest.mark.parametrize(('flat', 'error'), [
    (0.5, 0.0), (0.65, 0.0175), (0.8, 0.035)])
def test_discs_seen_edge_on(flat, error):
    """
    The light of a thin disc beside its ellipses is an error of the total.
    """
    disc = 50 * np.exp(-RADIUS / 6)
    row = measure_structure(profile_of(disc, 1e-5, flat), fits=False,
                            n_samples=2000)[0]
    assert_allclose(row['mag_total_err'].value, POGSON * error, rtol=0.06,
                    atol=1e-3)
    # (more light beyond makes the radius of a half of it larger: at the
    # radius, the curve of growth of a disc rises as its power of 1.05)
    assert_allclose(row['r50_err'] / row['r50'], error / 1.05, rtol=0.1,
                    atol=1e-3)


@pytest.mark.parametrize(('stated', 'factor'), [
    (0.02, 0.6), (0.08, 0.8), (0.2, 1.2)])
def test_stated_error_of_the_light(stated, factor):
    """
    The light within the last ring is as uncertain as the profile states.
    """
    profile = profile_of(50 * np.exp(-RADIUS / 6))
    profile['mag_enclosed_err'] = POGSON * stated * np.ones(
        60) * profile['mag_enclosed'].unit
    first = 1 - np.exp(-RADIUS)
    spread = np.linspace(-1, 1, 1001)[:, None] / 0.68
    # (half the middle 68 per cent is a tenth of the light)
    growth = np.vstack([first, first * (1 + 0.1 * spread)])
    ok = np.ones(60, dtype=bool)
    # without a correlation of the rings, nothing is known to be too large
    assert hold_enclosed(profile, ok, growth) is growth
    store_correlation(profile, {'length': 1.0, 'smooth': 0.9, 'common': 0.1})
    held = hold_enclosed(profile, ok, growth)
    assert_allclose(held[0], first)
    assert_allclose(held[1:] - first, factor * (growth[1:] - first),
                    rtol=0.01, atol=1e-9)
