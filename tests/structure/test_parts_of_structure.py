# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Small parts of the structure of galaxies, each on its own.
"""

from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    build_profile,
    disc_inclination,
    disc_inclination_err,
    measure_structure,
    surface_brightness_limit,
    upper_limits,
)
from astro_pix2prof.profile.flags import RingFlag, StructureFlag
from astro_pix2prof.structure.band_light import BandLight, match_light
from astro_pix2prof.structure.fitted import put_fits
from astro_pix2prof.structure.inclination import (
    face_on_error,
    face_on_factor,
)
from astro_pix2prof.structure.mass import _add_shape_error
from astro_pix2prof.structure.relations import MassRelation

SB_UNIT = u.mag / u.arcsec**2


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
        many = disc_inclination([0.5, np.nan, 0.9, 0], thickness=0)
        assert_allclose(many.to_value('deg'), [
            60, np.nan, np.degrees(np.arccos(0.1)), 0], atol=1e-9)
        hidden = np.ma.array([0.5, 7.0], mask=[False, True])
        assert_allclose(disc_inclination(hidden, thickness=0).value,
                        [60, np.nan])
        with pytest.raises(ValueError, match='ellipticity must be from 0 to'):
            disc_inclination([0.5, 1.5])
        with pytest.raises(TypeError, match='ellipticity must be numbers'):
            disc_inclination(['50%'])
        assert_allclose(disc_inclination(0.0, thickness=0.99).value, 0)
        for thickness in (-0.01, -0.5, 1.0):
            with pytest.raises(ValueError, match='thickness must be'):
                disc_inclination(0.5, thickness=thickness)

    @pytest.mark.parametrize(('flat', 'error', 'other'), [
        (0.5, 0.03, 0.05), (0.3, 0.001, 0.0), (0.7, 0.02, 0.02)])
    def test_error(self, flat, error, other):
        """
        The errors of axis ratio and thickness, propagated to first order.
        """
        q, q_0, least = 1 - flat, 0.2, max(error, 0.015)
        part = 1 - q_0**2
        angle = np.arccos(np.sqrt((q**2 - q_0**2) / part))
        # d(cos2)/dq and d(cos2)/dq_0, over d(cos2)/di = -sin(2 i)
        slopes = np.array([2 * q / part, -2 * q_0 * (1 - q**2) / part**2])
        expected = np.degrees(np.hypot(*(slopes * [least, other]))
                              / np.sin(2 * angle))
        found = disc_inclination_err(flat, error, thickness_err=other)
        assert_allclose(found.to_value('deg'), expected, rtol=0.02)

    def test_error_at_the_limits(self):
        # face-on, there is one side only: half its square
        side = np.degrees(np.arccos(0.98))
        assert_allclose(disc_inclination_err(
            0.0, 0.02, thickness=0, thickness_err=0).value, side / 2**0.5)
        # flatter than the disc is: not certain to be 90 deg
        assert disc_inclination(0.85).value == 90
        assert 5 < disc_inclination_err(0.85, 0.02).value < 40

    def test_columns_of_errors(self):
        flat, errors = [0.5, 0.6, np.nan], np.ma.array([0.02, 0.1, 0.1],
                                                       mask=[0, 0, 1])
        found = disc_inclination_err(flat, errors)
        assert_allclose(found.value, [
            *(disc_inclination_err(*pair).value for pair in zip(
                flat[:2], errors[:2], strict=True)), np.nan])
        assert disc_inclination_err(flat[:2], 0.02).shape == (2,)
        with pytest.raises(ValueError, match='each ellipticity, got 3 for 2'):
            disc_inclination_err([0.1, 0.2], errors)
        with pytest.raises(ValueError, match='_err must be at least 0'):
            disc_inclination_err([0.1, 0.2], [0.1, -0.1])
        with pytest.raises(TypeError, match='_err must be numbers, got the'):
            disc_inclination_err([0.1, 0.2], ['a', 'b'])
        with pytest.raises(ValueError, match='ellipticity_err must be'):
            disc_inclination_err(0.5, -0.1)
        with pytest.raises(ValueError, match='thickness_err must be'):
            disc_inclination_err(0.5, 0.1, thickness_err=-1)

    def test_error_of_the_factor(self):
        # cos(60 +- 3 deg) over cos(60)
        sides = 2 * np.cos(np.radians([57, 63])) - 1
        assert_allclose(face_on_error(60, 3), np.sqrt(np.mean(sides**2)))
        assert face_on_error(60, 0, 0.2) == pytest.approx(0)
        with pytest.raises(ValueError, match='inclination_err must be'):
            face_on_error(60, -3)

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
    # (an exponential profile needs no bulge)
    assert flag == (failed if few else StructureFlag.COMPONENT_UNSEEN)
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


class TestBandLight:
    radius = np.arange(1.0, 7)

    def light(self, error=1e-3):
        profile = profile_of(self.radius, np.exp(-self.radius / 5),
                             error=error)
        return BandLight(profile, profile['intensity'].value[None])

    def test_errors(self):
        # as stated; else of the intensity; none without light
        light = self.light()
        light.profile['surface_brightness_err'] = np.array(
            [0.1, 0.2, np.nan, 0.4, 0.5, 0.6]) * u.mag / u.arcsec**2
        light.profile['intensity'][5] *= -1
        found = light.error(np.array([0.5, 1.0, 1.5, 3.0, 4.5, 5.5, 7.0]))
        relative = (light.profile['intensity_err'][2]
                    / light.profile['intensity'][2]).value
        assert_allclose(found, [np.nan, 0.1, 0.15, relative * 2.5 / np.log(
            10), 0.45, np.nan, np.nan])

    def test_flags(self):
        light = self.light()
        light.profile['flag'] = 2 ** np.arange(6) * 64
        beyond = int(RingFlag.EXTRAPOLATED)
        found = light.flags(np.array([0.9, 1.0, 1.4, 1.6, 5.6, 6.0, 6.1]))
        assert found.tolist() == [
            64 | beyond, 64, 64, 128, 2048, 2048, 2048 | beyond]

    def test_matched(self):
        # by the table of colours; beyond its rings the light is as it was
        light = self.light()
        profile = light.profile
        own = profile['surface_brightness'].value
        error = profile['surface_brightness_err'].value
        colours = QTable({'radius': self.radius[1:5] * u.arcsec})
        colours['g'] = (own[1:5] - [0.3, 0.2, np.nan, 0.1]) * SB_UNIT
        colours['g_err'] = error[1:5] * [2, 0.5, 3, 1] * SB_UNIT
        found = match_light(light, colours, 'g').profile
        change = np.array([0, 0.3, 0.2, 0, 0.1, 0])
        more = np.array([1, 2, 1, 3, 1, 1])
        assert_allclose(found['surface_brightness'].value, own - change)
        assert_allclose(found['surface_brightness_err'].value, error * more)
        assert_allclose(found['intensity'].value, profile[
            'intensity'].value * 10**(0.4 * change))
        assert_allclose(found['intensity_err'].value, profile[
            'intensity_err'].value * 10**(0.4 * change) * more)
        # (it is a copy)
        assert_allclose(profile['surface_brightness'].value, own)
        assert 'mag_enclosed' not in found.colnames

    @pytest.mark.parametrize('reference', ['i', 'r', 'z'])
    def test_errors_of_shapes(self, reference):
        # those of the band of the ellipses, where they are larger
        band, whole = self.light(), self.light(error=3e-3)
        table = QTable({'radius': self.radius * u.arcsec})
        unit = u.solMass / u.pc**2
        table['mass_density'] = np.full(6, 10.0) * unit
        table['mass_density_err'] = np.full(6, 0.1) * unit
        bands = SimpleNamespace(reference=reference,
                                profiles={'r': whole.profile})
        _add_shape_error(table, bands, 'i', band)
        expected = np.full(6, 0.1)
        if reference == 'r':
            more = np.sqrt(whole.error(self.radius)**2
                           - band.error(self.radius)**2)
            expected = np.hypot(0.1, 10 * more * np.log(10) / 2.5)
        assert_allclose(table['mass_density_err'].value, expected)
        assert table['mass_density_err'].unit == unit
