# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Small parts of the structure of galaxies, each on its own.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    build_profile,
    disc_inclination,
    measure_structure,
    surface_brightness_limit,
    upper_limits,
)
from astro_pix2prof.profile.flags import StructureFlag
from astro_pix2prof.structure.fitted import put_fits
from astro_pix2prof.structure.inclination import face_on_factor
from astro_pix2prof.structure.relations import MassRelation


def profile_of(radius, value, *, pixel_scale=0.5, error=1e-3):
    cutout = GalaxyCutout(np.ones((9, 9)), unit=u.nmgy,
                          pixel_scale=pixel_scale)
    sma = np.asarray(radius) / pixel_scale
    n = len(sma)
    return build_profile(
        cutout, sma, value, np.full(n, error), ellipticity=np.full(n, 0.2),
        ellipticity_err=np.full(n, 0.01), theta=np.full(n, 30.0),
        theta_err=np.ones(n), sky_err=1e-5, noise=0.02)


class TestLimits:
    radius = np.linspace(0, 40, 60)

    @pytest.mark.parametrize(('scale', 'is_known'), [
        (0.5, True), (9.9, True), (10.1, False)])
    def test_boxes_of_ten_seconds(self, scale, is_known):
        # three times the noise over the pixels of a box; per square second
        profile = profile_of(self.radius * scale, np.exp(-self.radius / 5),
                             pixel_scale=scale)
        found = measure_structure(profile, fits=False, n_samples=4)
        limit = 22.5 - 2.5 * np.log10(3 * 0.02 / scale**2 / (10 / scale))
        assert_allclose(found['mu_limit'].value, limit if is_known else
                        np.nan)
        if is_known:
            assert_allclose(surface_brightness_limit(profile).value, limit)

    def test_levels(self):
        profile = profile_of(self.radius, np.exp(-self.radius / 5))
        found = measure_structure(profile, fits=False, n_samples=4)
        names = {f'r{k // 10}_{k % 10}' for k in range(235, 270, 5)}
        assert names == {name for name in found.colnames
                         if name[0] == 'r' and name[1:].replace(
                             '_', '').isdigit() and '_' in name}

    def test_upper_limits(self):
        profile = profile_of([1.0, 2, 3, 4], [0.1, 2.9e-3, 3.1e-3, -1.0])
        limits = upper_limits(profile)
        assert limits.unit == u.mag / u.arcsec**2
        zero = 22.5 + 2.5 * np.log10(0.25)
        assert_allclose(limits.value, [
            np.nan, zero - 2.5 * np.log10(5.9e-3), np.nan,
            zero - 2.5 * np.log10(3e-3)], rtol=1e-6)


class TestDiscs:
    def test_thickness(self):
        assert_allclose(disc_inclination(0.5, thickness=0).value, 60)
        cos2 = (0.25 - 0.04) / (1 - 0.04)
        assert_allclose(disc_inclination(0.5, thickness=0.2).value,
                        np.degrees(np.arccos(cos2**0.5)))
        assert disc_inclination(0.9, thickness=0.2).value == 90
        assert_allclose(disc_inclination(0.0, thickness=0.99).value, 0)
        for thickness in (-0.01, -0.5, 1.0):
            with pytest.raises(ValueError, match='thickness must be'):
                disc_inclination(0.5, thickness=thickness)

    def test_face_on(self):
        assert_allclose(face_on_factor(60), 0.5)
        assert_allclose(face_on_factor(60, 0.2), np.hypot(0.5, 0.2 * 0.75**0.5
                                                          ))
        assert_allclose(face_on_factor(90, 0.2), 0.2)
        with pytest.raises(ValueError, match='give its thickness'):
            face_on_factor(90)


@pytest.mark.parametrize(('colour', 'low', 'high'), [
    ('g-r', -0.1, 1.1), ('g-i', -0.1, 1.6), ('g-z', -0.2, 2.0),
    ('r-i', -0.2, 0.7), ('r-z', -0.2, 1.0), ('i-z', -0.2, 0.5)])
def test_colours_of_galaxies(colour, low, high):
    # of simple populations from some 10 Myr to 14 Gyr, with dust
    relation = MassRelation('mine', 'a paper', {})
    assert relation.colour_range[colour] == (low, high)


@pytest.mark.parametrize('few', [False, True])
def test_flags_of_fits(few):
    radius = np.linspace(0.5, 30, 40)
    value = 50 * np.exp(-radius / 5)
    failed = (StructureFlag.SERSIC_FAILED | StructureFlag.BULGE_DISC_FAILED
              | StructureFlag.DISC_FAILED)
    result = {}
    flag = put_fits(result, radius, value, 0.01 * value, 22.5, few)
    assert flag == (failed if few else StructureFlag(0))
    if few:
        assert np.isnan(result['sersic_n']).all()
        assert result['disc_type'][0] == 0
        # rings that rise, and are bright
        flag = put_fits(result, radius, 1 / value, 0.01 / value, 22.5, False)
        assert flag & StructureFlag.DISC_FAILED
        assert flag & StructureFlag.BULGE_DISC_FAILED
        assert not flag & StructureFlag.SERSIC_FAILED
    else:
        assert_allclose(result['h_disc'][0], 5, rtol=1e-3)
        assert_allclose(result['disc_type'][0], 1)
        assert_allclose(result['sersic_mu_e'][0], 22.5 - 2.5 * np.log10(
            50 * np.exp(-1.678347)), atol=0.01)
