# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Small parts of profiles, each on its own.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

from astro_pix2prof import GalaxyCutout, build_profile
from astro_pix2prof.profile.brightness import curve_of_growth, light_within
from astro_pix2prof.profile.columns import column_unit
from astro_pix2prof.profile.meta import (
    check_correlation,
    intensity_scale,
    store_correlation,
)
from astro_pix2prof.profile.samples import (
    correlated_noise,
    intensity_covariance,
    ring_correlations,
    sample_intensity,
)
from astro_pix2prof.profile.table import interpolate_profile


def profile_of(angles, *, unit=u.nmgy, pixel_scale=0.5):
    n = len(angles)
    cutout = GalaxyCutout(np.ones((9, 9)), unit=unit,
                          pixel_scale=pixel_scale)
    return build_profile(
        cutout, np.arange(1.0, n + 1), np.full(n, 3.0), np.full(n, 0.1),
        ellipticity=np.full(n, 0.2), ellipticity_err=np.full(n, 0.01),
        theta=np.array(angles, dtype=float), theta_err=np.ones(n),
        sky_err=1e-5, noise=0.02)


@pytest.mark.parametrize(('one', 'two', 'middle'), [
    (10, 30, 20), (170, 10, 0), (175, 15, 5), (20, 160, 0), (100, 20, 60),
    (178, 176, 177), (0, 88, 44), (5, 170, 177.5)])
def test_angles_between_rings(one, two, middle):
    # along the shorter arc, from 0 to below 180
    profile = profile_of([one, two])
    for start, end in ((one, two), (two, one)):
        profile['pa'] = [start, end] * u.deg
        found = interpolate_profile(profile, [0.75] * u.arcsec, 'pa')
        assert 0 <= found.value[0] < 180
        assert abs((found.value[0] - middle + 90) % 180 - 90) < 1e-9


def test_other_columns_between_rings():
    profile = profile_of([10, 30, 50])
    profile['ellipticity'] = [0.1, np.nan, 0.5]
    found = interpolate_profile(profile, [0.4, 0.5, 1.0, 1.5, 1.6] * u.arcsec,
                                'ellipticity')
    assert_allclose(found, [np.nan, 0.1, 0.3, 0.5, np.nan])
    profile['ellipticity'] = np.nan
    assert np.isnan(interpolate_profile(profile, [1.0] * u.arcsec,
                                        'ellipticity')).all()


@pytest.mark.parametrize(('unit', 'expected'), [
    ('radius_unit', u.arcsec), ('intensity_unit', u.nmgy),
    ('intensity_unit/radius_unit', u.nmgy / u.arcsec),
    ('intensity_unit*radius_unit', u.nmgy * u.arcsec), (u.deg, u.deg),
    (None, None)])
def test_units_of_columns(unit, expected):
    units = {'radius_unit': u.arcsec, 'intensity_unit': u.nmgy}
    assert column_unit(unit, units.get) == expected
    # those of an image without a calibration are not known
    for name in units:
        part = {key: one for key, one in units.items() if key != name}
        found = column_unit(unit, part.get)
        is_known = not isinstance(unit, str) or name not in unit
        assert found == (expected if is_known else None)


@pytest.mark.parametrize(('meta', 'scale'), [
    ({}, 1.0), ({'pixel_scale': 0.5}, 4.0),
    ({'pixel_scale': 0.5, 'zeropoint': 22.5}, 4.0),
    ({'pixel_scale': 0.5, 'zeropoint': 22.5, 'sb_zeropoint': 25.0}, 40.0),
    ({'zeropoint': 25.0, 'sb_zeropoint': 22.5}, 0.1)])
def test_scale_of_intensities(meta, scale):
    # a surface brightness of a pixel, over its area
    assert_allclose(intensity_scale(meta), scale)


PARTS = {'length': 0.4, 'smooth': 0.5, 'common': 0.2}


class TestCorrelations:
    def expected(self, sma):
        place = np.log(np.maximum(sma, 0.5))
        share = 0.2 + 0.5 * np.exp(-np.abs(place[:, None] - place) / 0.4)
        np.fill_diagonal(share, 1.0)
        return share

    def test_noise(self):
        sma = np.array([0.0, 0.3, 0.5, 1.0, 1.5, 4.0, 40.0])
        noise = correlated_noise(sma, PARTS, 40000,
                                 np.random.default_rng(1))
        assert_allclose(noise @ noise.T / 40000, self.expected(sma),
                        atol=0.02)
        noise = correlated_noise(sma, None, 40000, np.random.default_rng(1))
        assert_allclose(noise @ noise.T / 40000, np.eye(7), atol=0.02)

    def test_rings(self):
        profile = profile_of(np.zeros(5))
        assert_allclose(ring_correlations(profile), np.eye(5))
        # with the error of the sky, and that of each ring
        ring = profile['intensity_err'].value
        sky = 1e-5 / 0.5**2
        assert_allclose(intensity_covariance(profile), np.diag(
            ring**2 - sky**2) + sky**2)
        store_correlation(profile, PARTS)
        share = self.expected(np.arange(1.0, 6))
        assert_allclose(ring_correlations(profile), share)
        # errors of magnitudes are correlated
        profile['surface_brightness_err'] = np.full(5, 0.2) * (
            u.mag / u.arcsec**2)
        value = profile['intensity'].value
        error = 0.2 * value * np.log(10) / 2.5
        assert_allclose(intensity_covariance(profile), share * np.sqrt(
            np.outer(error**2 - sky**2, error**2 - sky**2)) + sky**2)
        samples = sample_intensity(profile, 20000, np.random.default_rng(2))
        spread = np.log(samples / value[:, None]).std(axis=1)
        assert_allclose(spread, 0.2 * np.log(10) / 2.5, rtol=0.03)

    @pytest.mark.parametrize(('change', 'is_right'), [
        ({}, True), ({'length': 0.0}, False), ({'length': -1.0}, False),
        ({'length': 1e-3}, True), ({'smooth': -0.01}, False),
        ({'smooth': 0.0}, True), ({'common': -0.01}, False),
        ({'common': 0.0}, True), ({'common': 0.5}, True),
        ({'common': 0.5005}, True), ({'common': 0.502}, False),
        ({'smooth': True}, False), ({'length': np.inf}, False),
        ({'length': '1'}, False)])
    def test_limits(self, change, is_right):
        parts = {**PARTS, **change}
        if is_right:
            assert check_correlation(parts) == (
                parts['length'], parts['smooth'], parts['common'])
        else:
            with pytest.raises(ValueError, match='must have a positive'):
                check_correlation(parts)


class TestLight:
    @pytest.mark.parametrize('scale', [1.0, 3.0, 1e7])
    @pytest.mark.parametrize('first', [0.0, 0.7])
    def test_exponential(self, scale, first):
        # exact between rings that are not much closer than they decline
        sma = np.append(first, [1.0, 1.3, 4.0, 9.0])
        value = 7 * np.exp(-sma / scale)
        expected = [0.6 * (quad(lambda r: 2 * np.pi * r * 7 * np.exp(
            -r / scale), first, last)[0] + np.pi * first**2 * value[0])
            for last in sma]
        found = curve_of_growth(sma, value, np.full(5, 0.4))
        assert_allclose(found, expected, rtol=1e-6)

    @pytest.mark.parametrize('n', [1.0, 2.0, 4.0])
    def test_rings_far_apart(self, n):
        """
        A Sersic law in rings 20% apart: within 0.001 mag of its light.
        """
        sma = np.append(0.0, 0.5 * 1.2**np.arange(30))
        level = np.exp(-(sma / 2)**(1 / n))
        inside = np.array([quad(lambda r: 2 * np.pi * r * np.exp(
            -(r / 2)**(1 / n)), 0.5, last)[0] for last in sma[1:]])
        found = curve_of_growth(sma, level, np.zeros(31))
        use = sma[2:] > 2
        off = 2.5 * np.log10((found[2:] - found[1]) / inside[1:])[use]
        assert np.abs(off).max() < 1e-3

    def test_straight(self):
        # through zero, and below it
        sma = np.array([0.0, 2.0, 3.0, 5.0])
        value = np.array([4.0, 0.0, -2.0, 1.0])
        expected = [quad(lambda r: 2 * np.pi * r * np.interp(r, sma, value),
                         0, last, points=[2, 3])[0] for last in sma]
        assert_allclose(light_within(sma, value, np.ones(4)), expected,
                        atol=1e-6)
        # many at once
        both = np.stack([value, 2 * value])
        assert_allclose(light_within(sma, both, np.ones((2, 4))),
                        [expected, 2 * np.array(expected)], atol=1e-6)

    def test_ellipses_that_lie_within_others(self):
        sma = np.array([0.0, 2.0, 3.0, 4.0])
        found = curve_of_growth(sma, np.full(4, 5.0), [0.0, 0.0, 0.9, 0.2])
        assert_allclose(found, 5 * np.pi * np.array([0, 4, 4, 12.8]))

    def test_gaps(self):
        nan = np.nan
        sma = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        found = curve_of_growth(sma, [3.0, nan, 3.0, 3.0, nan, nan],
                                [nan, 0.0, 0.2, nan, 0.4, nan])
        assert_allclose(found, 3 * np.pi * np.array([
            0, 1, 4 * 0.8, 9 * 0.7, nan, nan]))
        assert np.isnan(curve_of_growth(sma, np.full(6, nan),
                                        np.zeros(6))).all()
        assert np.isnan(curve_of_growth(sma, np.ones(6),
                                        np.full(6, nan))).all()
