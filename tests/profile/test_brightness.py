# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of fluxes and magnitudes against analytic values.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile, measure_structure
from astro_pix2prof.profile.brightness import (
    POGSON,
    curve_of_growth,
    intensity_to_sb,
    light_within,
    magnitude_error,
    sb_to_intensity,
)

SMA = np.concatenate([np.arange(0, 10, 0.25), np.geomspace(10, 80, 60)])


def varying_shape(sma):
    return 0.6 - 0.5 * sma / (sma + 20)


class TestVaryingShape:
    """
    The ellipses have different shapes: no single one gives the flux.
    """

    def test_constant_light(self):
        eps = varying_shape(SMA)
        flux = curve_of_growth(SMA, np.full(len(SMA), 2.0), eps)
        assert_allclose(flux, 2 * np.pi * SMA**2 * (1 - eps), rtol=1e-9)

    def test_exponential(self):
        eps = varying_shape(SMA)
        flux = curve_of_growth(SMA, np.exp(-SMA / 6), eps)
        fine = np.linspace(0, 80, 200_001)
        area = np.pi * fine**2 * (1 - varying_shape(fine))
        value = np.exp(-fine / 6)
        true = np.concatenate([[0], np.cumsum(
            np.diff(area) * 0.5 * (value[1:] + value[:-1]))])
        assert_allclose(flux[1:], np.interp(SMA[1:], fine, true), rtol=3e-3)

    def test_table(self):
        cutout = GalaxyCutout(np.ones((9, 9)), unit='nmgy', pixel_scale=0.5)
        eps = varying_shape(SMA)
        profile = build_profile(
            cutout, SMA, np.full(len(SMA), 2.0), np.zeros(len(SMA)),
            ellipticity=eps, theta=np.zeros(len(SMA)))
        flux = 2 * np.pi * SMA[1:]**2 * (1 - eps[1:])
        assert_allclose(profile['mag_enclosed'][1:].value,
                        22.5 - 2.5 * np.log10(flux), atol=1e-9)

    def test_structure(self):
        cutout = GalaxyCutout(np.ones((9, 9)), unit='nmgy', pixel_scale=1.0)
        profile = build_profile(
            cutout, SMA, 50 * np.exp(-SMA / 6), 0.01 * np.exp(-SMA / 6),
            ellipticity=varying_shape(SMA), theta=np.zeros(len(SMA)))
        row = measure_structure(profile, n_samples=4, fits=False)[0]
        fine = np.linspace(0, 80, 200_001)
        q = 1 - varying_shape(fine)
        flux = np.concatenate([[0], np.cumsum(
            np.diff(np.pi * fine**2 * q) * 50 * np.exp(
                -0.5 * (fine[1:] + fine[:-1]) / 6))])
        total = flux[-1]
        assert_allclose(row['mag_total'].value, 22.5 - 2.5 * np.log10(total),
                        atol=3e-3)
        half = np.interp(0.5, flux / total, fine)
        assert_allclose(row['r50'].value, half, rtol=1e-3)
        # the local mean in annuli from 0.8 to 1.25 r over that within r
        radius = fine[1000:-50_000:50]
        area = np.pi * fine**2 * q
        local, within = (np.interp(radius * f, fine, v) for f, v in (
            (1.0, flux), (1.0, area)))
        ring = [np.interp(1.25 * radius, fine, v)
                - np.interp(0.8 * radius, fine, v) for v in (flux, area)]
        ratio = ring[0] / ring[1] / (local / within)
        r_petro = radius[np.nonzero(ratio >= 0.2)[0][-1]]
        assert_allclose(row['r_petro'].value, r_petro, rtol=3e-3)
        assert_allclose(row['mag_petro'].value, 22.5 - 2.5 * np.log10(
            np.interp(2 * r_petro, fine, flux)), atol=3e-3)
        q_50 = 1 - varying_shape(half)
        assert_allclose(row['mu_mean_50'].value, 22.5 - 2.5 * np.log10(
            0.5 * total / (np.pi * half**2 * q_50)), atol=5e-3)


class TestLightWithin:
    def test_innermost(self):
        # a table that does not begin at zero has its first value inside
        flux = light_within(np.array([2.0, 3.0]), np.array([5.0, 5.0]),
                            np.array([0.5, 0.5]))
        assert_allclose(flux, [10 * np.pi, 22.5 * np.pi])

    def test_crossing_ellipses(self):
        # an ellipse inside the one before adds nothing
        flux = light_within(np.array([1.0, 2.0, 2.1, 3.0]), np.ones(4),
                            np.array([1.0, 1.0, 0.5, 1.0]))
        assert_allclose(flux, np.pi * np.array([1, 4, 4, 9]))

    @pytest.mark.parametrize('slope', [1e-7, 1e-5, 5e-4, 2e-3, 0.1, 3.0])
    def test_any_slope(self, slope):
        # one step of an exponential, with its series for small slopes
        a0, a1 = 10.0, 12.0
        k = slope / (a1 - a0)
        flux = light_within(np.array([a0, a1]),
                            np.array([1.0, np.exp(-slope)]), np.ones(2))
        a = np.linspace(a0, a1, 20_001)
        value = 2 * np.pi * a * np.exp(-k * (a - a0))
        true = np.trapezoid(value, a)
        assert_allclose(flux[1] - flux[0], true, rtol=1e-6)

    def test_negative(self):
        # linear where a ring is not positive
        flux = light_within(np.array([0.0, 1.0]), np.array([1.0, -1.0]),
                            np.ones(2))
        # integral of (1 - 2 a) 2 pi a
        assert_allclose(flux[1], -np.pi / 3)


class TestMagnitudes:
    def test_constant(self):
        assert_allclose(POGSON, 2.5 / np.log(10), rtol=1e-15)

    def test_small_error(self):
        sb, err = intensity_to_sb(7.0, 0.07, zeropoint=21.0)
        step = 1e-6
        there = intensity_to_sb(7.0 * (1 + step), zeropoint=21.0)[0]
        assert_allclose(err, 0.01 * (sb - there) / step, rtol=1e-5)
        value, back = sb_to_intensity(sb, err, zeropoint=21.0)
        assert_allclose([value, back], [7.0, 0.07])

    def test_unit(self):
        # 1 nmgy/arcsec2 is 22.5 mag/arcsec2, 100 of it 17.5
        assert_allclose(intensity_to_sb([1, 100], zeropoint=22.5)[0],
                        [22.5, 17.5])


def test_magnitude_error():
    # 2.5 / ln 10 of the relative error; intensities of no less than a
    # thousandth of their errors
    found = magnitude_error(np.array([10.0, 0.0, -5.0]),
                            np.array([0.1, 2.0, 0.5]))
    assert_allclose(found, 1.0857362 * np.array([0.01, 1000, 1000]))
