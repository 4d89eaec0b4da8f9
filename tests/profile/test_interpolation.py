# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Interpolation between the rings of a profile.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.interpolate import PchipInterpolator

from astro_pix2prof import GalaxyCutout, build_profile
from astro_pix2prof.profile.interpolation import (
    interpolate_intensity,
    interpolate_smoothly,
)
from astro_pix2prof.profile.table import interpolate_profile

RADIUS = 0.5 * 1.2**np.arange(30)


@pytest.mark.parametrize('n', [0.7, 1.0, 2.5, 4.0])
def test_sersic(n):
    """
    Between rings 20% apart, a Sersic law is right within 0.001 mag.

    A straight line between the rings is off by up to ten times as much.
    """
    def law(radius):
        return 50 * np.exp(-(radius / 3)**(1 / n))

    at = np.sqrt(RADIUS[1:-2] * RADIUS[2:-1])
    at = at[law(at) > 1e-7]
    found = interpolate_intensity(RADIUS, law(RADIUS), at)
    off = np.abs(2.5 * np.log10(found / law(at)))
    assert np.median(off) < 1e-3
    straight = np.exp(np.interp(at, RADIUS, np.log(law(RADIUS))))
    if n != 1:
        assert np.median(np.abs(2.5 * np.log10(
            straight / law(at)))) > 5 * np.median(off)


@pytest.mark.parametrize('n', [2, 3, 4, 9])
def test_like_scipy(n):
    rng = np.random.default_rng(n)
    radius = np.cumsum(rng.uniform(0.1, 2, n))
    values = np.concatenate([rng.normal(0, 1, (40, n)), rng.integers(
        0, 3, (60, n)), np.sort(rng.normal(0, 1, (40, n)))])
    at = np.concatenate([radius, np.linspace(0, radius[-1] + 1, 200)])
    want = PchipInterpolator(radius, values, axis=-1, extrapolate=False)(at)
    assert_allclose(interpolate_smoothly(radius, values, at), want,
                    rtol=1e-9, atol=1e-12)


def test_straight_lines_in_an_elliptical():
    """
    What they were off by, as the change log says: up to 0.01 mag too bright.

    Out to five effective radii of 3.
    """
    def mag(radius):
        return 2.5 * np.log10(np.e) * 7.67 * (radius / 3)**0.25

    at = np.sqrt(RADIUS[1:-2] * RADIUS[2:-1])
    at = at[at < 15]
    away = np.interp(at, RADIUS, mag(RADIUS)) - mag(at)
    assert (away < 0).all()
    assert 0.009 < -away.min() < 0.01


def test_no_overshoot():
    values = np.array([5.0, 5.0, 1.0, 1.0, 3.0, 2.0])
    at = np.linspace(0, 5, 101)
    found = interpolate_smoothly(np.arange(6.0), values, at)
    assert (found[at <= 1] == 5).all()
    assert ((found >= 1) & (found <= 5)).all()
    assert_allclose(found[::20], values)


def test_noise_is_not_bent():
    """
    Rings around zero are joined by straight lines, the others as if alone.
    """
    radius = np.arange(7.0)
    values = np.array([8.0, 4.0, 2.0, -1.0, 1.0, 2.0, 4.0])
    at = np.arange(0, 6.01, 0.5)
    found = interpolate_intensity(radius, values, at)
    assert_allclose(found[:5], 8 * 0.5**at[:5])
    assert_allclose(found[5:9], [0.5, -1, 0, 1])
    assert_allclose(found[8:][::2], [1, 2, 4])
    assert (np.diff(found[8:]) > 0).all()
    both = interpolate_intensity(radius, np.stack([values, 3 * values]), at)
    assert_allclose(both, [found, 3 * found])
    assert_allclose(interpolate_intensity(radius, -np.ones(7), at), -1)


@pytest.mark.filterwarnings('error')
def test_faint_rings_far_out():
    rng = np.random.default_rng(1)
    radius = np.arange(800.0)
    for _ in range(20):
        noisy = rng.normal(0, 1, 800) + 5 * np.exp(-radius / 20)
        found = interpolate_intensity(radius, noisy, radius[:-1] + 0.5)
        assert np.isfinite(found).all()


def test_gaps_and_ends():
    values = np.array([np.nan, 4.0, np.nan, 1.0, 0.5, np.nan])
    at = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 4.5])
    found = interpolate_intensity(np.arange(6.0), values, at)
    assert_allclose(found[[1, 3, 4]], [4, 1, 0.5])
    assert 1 < found[2] < 4
    assert np.isnan(found[[0, 5]]).all()
    assert np.isnan(interpolate_intensity(
        np.arange(3.0), np.full(3, np.nan), at)).all()
    # one ring, or two of the same radius
    assert_allclose(interpolate_smoothly(
        np.array([2.0]), np.array([7.0]), at), np.where(at == 2, 7, np.nan))
    assert_allclose(interpolate_smoothly(
        np.array([1.0, 1.0, 2.0]), np.array([7.0, 9.0, 5.0]),
        np.array([1.0, 1.5])), [7, 6])


def test_profile_of_an_elliptical():
    radius = RADIUS[:24]
    level = 20 + 5 * (radius / 3)**0.25
    cutout = GalaxyCutout(np.ones((64, 64)), unit='nmgy', pixel_scale=1.0)
    profile = build_profile(
        cutout, radius, 10**(-0.4 * (level - 22.5)), np.full(24, 0.01),
        ellipticity=np.zeros(24), theta=np.zeros(24))
    at = np.array([1.1, 4.7, 20.3]) * u.arcsec
    found = interpolate_profile(profile, at)
    assert_allclose(found.value, 20 + 5 * (at.value / 3)**0.25, atol=2e-3)
    assert found.unit == u.mag / u.arcsec**2
