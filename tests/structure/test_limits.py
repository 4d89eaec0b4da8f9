# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of limits, Petrosian radii of any ratio, and radii of any part.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    IsophoteFitter,
    ProfileBatch,
    RingFlag,
    build_profile,
    measure_structure,
    surface_brightness_limit,
    upper_limits,
)

PIXEL, SIGMA, SCALE = 0.5, 0.02, 8.0
SMA = np.arange(0, 121, 1.0)


def make_profile(*, intensity=None, error=1e-4, meta=None, flag=None,
                 galaxy_flag=0, **options):
    """
    The profile of an exponential disc without noise.
    """
    cutout = GalaxyCutout(np.ones((9, 9)), **{
        'zeropoint': 22.5, 'pixel_scale': PIXEL, **options})
    if intensity is None:
        intensity = 10 * np.exp(-SMA / SCALE)
    return build_profile(
        cutout, SMA[:len(intensity)], intensity,
        np.full(len(intensity), error), noise=SIGMA, flag=flag,
        galaxy_flag=galaxy_flag, meta=meta,
        ellipticity=np.full(len(intensity), 0.4),
        theta=np.zeros(len(intensity)))


class TestImageLimit:
    def test_formula(self):
        # Roman et al. 2020: zp - 2.5 log10(3 sigma / (pixel * box))
        limit = surface_brightness_limit(make_profile())
        assert limit.unit == u.mag / u.arcsec**2
        assert_allclose(limit.value, 22.5 - 2.5 * np.log10(
            3 * SIGMA / (PIXEL * 10)))

    def test_options(self):
        profile = make_profile()
        first = surface_brightness_limit(profile)
        wider = surface_brightness_limit(profile, box=1 * u.arcmin)
        assert_allclose((wider - first).value, 2.5 * np.log10(6))
        surer = surface_brightness_limit(profile, n_sigma=5)
        assert_allclose((surer - first).value, -2.5 * np.log10(5 / 3))

    @pytest.mark.parametrize('kernel', [0.0, 1.2])
    def test_boxes_of_an_image(self, kernel):
        # as the means of the boxes scatter, whether noise is white or not
        rng = np.random.default_rng(3)
        noise = rng.normal(size=(400, 400))
        if kernel:
            noise = gaussian_filter(noise, kernel, mode='wrap')
        y, x = np.indices(noise.shape) - 199.5
        image = noise + 300 * noise.std() * np.exp(-np.hypot(x, y) / 5)
        profile = IsophoteFitter(step=0.2, max_radius=40)(
            image, zeropoint=25.0, pixel_scale=1.0, ellipticity=0)
        boxes = noise.reshape(40, 10, 40, 10).mean((1, 3))
        limit = surface_brightness_limit(profile, n_sigma=1).value
        assert_allclose(limit, 25 - 2.5 * np.log10(boxes.std()), atol=0.1)

    def test_unknown(self):
        assert np.isnan(surface_brightness_limit(make_profile(
            zeropoint=None, calibrated=False)))
        profile = make_profile()
        del profile.meta['noise']
        assert np.isnan(surface_brightness_limit(profile))

    def test_errors(self):
        with pytest.raises(ValueError, match='box must be at least a pixel'):
            surface_brightness_limit(make_profile(), box=0.1)
        with pytest.raises(ValueError, match='n_sigma must be'):
            surface_brightness_limit(make_profile(), n_sigma=0)
        with pytest.raises(TypeError, match='must be a profile table'):
            surface_brightness_limit(3)

    def test_column(self):
        profile = make_profile()
        found = measure_structure(profile, fits=False)
        assert found['mu_limit'][0] == surface_brightness_limit(profile)
        assert 'mu_limit_err' not in found.colnames
        large = make_profile(pixel_scale=20.0)
        assert np.isnan(measure_structure(large, fits=False)['mu_limit'][0])


class TestRingLimits:
    def test_values(self):
        value = np.array([1.0, 0.29, 0.31, 0.0, -0.2, np.nan])
        profile = make_profile(intensity=value * PIXEL**2,
                               error=0.1 * PIXEL**2)
        expected = [np.nan, 0.59, np.nan, 0.3, 0.3, np.nan]
        assert_allclose(upper_limits(profile).value,
                        22.5 - 2.5 * np.log10(expected), atol=1e-6)
        one = upper_limits(profile, n_sigma=1).value
        assert np.isfinite(one).tolist() == [False, False, False, True, True,
                                             False]

    def test_no_pixels(self):
        flag = [0, 0, int(RingFlag.EXTRAPOLATED)]
        profile = make_profile(intensity=np.zeros(3), flag=flag)
        assert np.isfinite(upper_limits(profile)).tolist() == [True, True,
                                                               False]

    def test_no_galaxy(self):
        # its intensities stay, and are limits whatever they are
        profile = make_profile(intensity=np.ones(3), error=0.1,
                               galaxy_flag=GalaxyFlag.NO_SOURCE)
        assert np.isfinite(upper_limits(profile)).all()

    def test_no_zero_point(self):
        # limits of the intensity, in its unit
        value = np.array([1.0, 0.29, 0.31, 0.0, -0.2, np.nan])
        profile = make_profile(intensity=value, error=0.1, zeropoint=None,
                               calibrated=False)
        limits = upper_limits(profile)
        scale = profile['intensity'].value[0]
        assert limits.unit == profile['intensity'].unit
        assert_allclose(limits.value / scale, [
            np.nan, 0.59, np.nan, 0.3, 0.3, np.nan])

    def test_errors(self):
        with pytest.raises(ValueError, match='n_sigma must be'):
            upper_limits(make_profile(), n_sigma=-1)
        with pytest.raises(TypeError, match='must be a profile table'):
            upper_limits(3)


def petrosian(ratio):
    """
    The Petrosian radius (scale lengths) of an exponential disc.
    """
    def within(x):
        return 1 - (1 + x) * np.exp(-x)

    def away(x):
        ring = (within(1.25 * x) - within(0.8 * x)) / (1.25**2 - 0.8**2)
        return ring / within(x) - ratio

    return brentq(away, 0.1, 20)


class TestPetrosian:
    @pytest.mark.parametrize('ratio', [0.1, 0.2, 0.5])
    def test_ratio(self, ratio):
        found = measure_structure(make_profile(), fits=False,
                                  petrosian_ratio=ratio)
        assert_allclose(found['r_petro'][0].value,
                        petrosian(ratio) * SCALE * PIXEL, rtol=0.01)

    def test_aperture(self):
        found = [measure_structure(make_profile(), fits=False,
                                   petrosian_aperture=size)['mag_petro'][0]
                 for size in (1.0, 2.0)]
        x = petrosian(0.2)
        light = [1 - (1 + k * x) * np.exp(-k * x) for k in (1, 2)]
        assert_allclose((found[0] - found[1]).value,
                        2.5 * np.log10(light[1] / light[0]), atol=0.01)

    def test_batch(self):
        profile = make_profile()
        batch = ProfileBatch.from_profiles([profile])
        options = {'fits': False, 'petrosian_ratio': 0.4, 'fractions': [70]}
        one, many = (measure_structure(part, **options)
                     for part in (profile, batch))
        assert many['r_petro'][0] == one['r_petro'][0]
        assert many['r70'][0] == one['r70'][0]
        assert one['r_petro'][0] != measure_structure(
            profile, fits=False)['r_petro'][0]

    @pytest.mark.parametrize('ratio', [0, 1, -0.2])
    def test_wrong_ratio(self, ratio):
        with pytest.raises(ValueError, match='petrosian_ratio must be'):
            measure_structure(make_profile(), petrosian_ratio=ratio)

    def test_wrong_aperture(self):
        with pytest.raises(ValueError, match='petrosian_aperture must be'):
            measure_structure(make_profile(), petrosian_aperture=0)


class TestFractions:
    def test_radii(self):
        found = measure_structure(make_profile(), fits=False,
                                  fractions=[25, 50, 99.5])
        for name, part in (('r25', 0.25), ('r99_5p', 0.995)):
            x = brentq(lambda x, part=part: 1 - (1 + x) * np.exp(-x) - part,
                       0.01, 20)
            assert_allclose(found[name][0].value, x * SCALE * PIXEL,
                            rtol=0.01)
        names = found.colnames
        assert names.count('r50') == 1
        assert names.index('r25') == names.index('r90_err') + 1
        assert names[names.index('r25') + 1] == 'r25_err'

    @pytest.mark.parametrize('fractions', [[0], [0.75], [100], [25, 25],
                                           ['x'], [[10, 20]]])
    def test_wrong(self, fractions):
        with pytest.raises(ValueError, match='fractions must be different'):
            measure_structure(make_profile(), fractions=fractions)
