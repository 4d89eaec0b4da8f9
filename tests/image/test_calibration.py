# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the calibration module.

The expected values are worked by hand from the definitions: AB = -2.5 log10
f_nu - 48.60 (erg/s/cm2/Hz), ST = -2.5 log10 f_lambda - 21.10
(erg/s/cm2/AA), a nanomaggy is AB = 22.5.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.calibration import (
    Calibration,
    check_brightness,
    choose_unit,
    find_gain,
    find_saturation,
)
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.header import header_values
from astro_pix2prof.image.zeropoint import (
    ZeroPoint,
    find_zeropoint,
    header_zeropoint,
    unit_zeropoint,
)

F_NU = u.erg / u.s / u.cm**2 / u.Hz
F_LAM = u.erg / u.s / u.cm**2 / u.AA


@pytest.mark.parametrize(('unit', 'value', 'system', 'per_area'), [
    (u.mgy, 0.0, 'AB', False),
    (u.nmgy, 22.5, 'AB', False),
    # 1 Jy = 1e-23 erg/s/cm2/Hz: 57.5 - 48.6
    (u.Jy, 8.90, 'AB', False),
    (u.mJy, 16.40, 'AB', False),
    (u.uJy, 23.90, 'AB', False),
    (u.nJy, 31.40, 'AB', False),
    (F_NU, -48.60, 'AB', False),
    (u.W / u.m**2 / u.Hz, -56.10, 'AB', False),
    (u.AB, 0.0, 'AB', False),
    (u.ST, 0.0, 'ST', False),
    (F_LAM, -21.10, 'ST', False),
    (1e-17 * F_LAM, 21.40, 'ST', False),
    # 1 sr = 4.25452e10 arcsec2: 8.90 - 15 + 26.572
    (u.MJy / u.sr, 20.472, 'AB', True),
    (u.Jy / u.sr, 35.472, 'AB', True),
    (u.MJy / u.sr / 187.75, 26.156, 'AB', True),
    (u.Jy / u.arcsec**2, 8.90, 'AB', True),
    (u.nmgy / u.arcsec**2, 22.5, 'AB', True),
    # 1 arcmin2 = 3600 arcsec2: 22.5 + 8.891
    (u.nmgy / u.arcmin**2, 31.391, 'AB', True),
    (F_LAM / u.arcsec**2, -21.10, 'ST', True),
])
def test_unit_zeropoint(unit, value, system, per_area):
    zero = unit_zeropoint(u.Unit(unit))
    assert zero.value == pytest.approx(value, abs=6e-4)
    assert (zero.system, zero.per_area) == (system, per_area)


@pytest.mark.parametrize('unit', [u.ct, u.adu / u.s, u.electron, u.K, u.m,
                                  u.dimensionless_unscaled,
                                  u.DN / u.s / u.arcsec**2])
def test_unit_without_zeropoint(unit):
    assert unit_zeropoint(unit) is None


class TestHeader:
    @pytest.mark.parametrize('keyword', [
        'MAGZERO', 'MAGZP', 'MAGZPT', 'PHOTZP', 'ZEROPOINT', 'ZEROPNT',
        'MAGZEROP', 'MAG_ZP', 'ZP', 'ZPT'])
    def test_magnitudes(self, keyword):
        zero = header_zeropoint({keyword: 27.13})
        assert zero == ZeroPoint(27.13, 'AB', source=keyword)

    def test_text_value(self):
        assert header_zeropoint({'MAGZP': '27.13'}).value == 27.13

    @pytest.mark.parametrize('value', [0.0, -99.0, 99.0, 999.0, 'unknown',
                                       float('nan'), True, None])
    def test_placeholder(self, value):
        assert header_zeropoint({'MAGZP': value}) is None

    def test_photzpt_is_no_zeropoint(self):
        # -21.10 in the headers of HST is the constant of the ST system
        assert header_zeropoint({'PHOTZPT': -21.10}) is None

    def test_fluxmag0(self):
        # 2.5 log10(10^10.8)
        zero = header_zeropoint({'FLUXMAG0': 63095734448.0194})
        assert zero.value == pytest.approx(27.0, abs=1e-6)
        assert zero.system == 'AB'

    def test_photflam(self):
        # ACS/WFC F814W: -2.5 log10(7.072e-20) = 47.8761;
        # 5 log10(8045.5) = 19.5278; AB = 47.8761 - 19.5278 - 2.4079
        header = {'PHOTFLAM': 7.072e-20, 'PHOTPLAM': 8045.5,
                  'PHOTZPT': -21.1}
        zero = header_zeropoint(header, u.electron / u.s)
        assert zero.value == pytest.approx(25.940, abs=1e-3)
        assert zero.system == 'AB'
        # counts in 1000 s are 1000 times less each
        header['EXPTIME'] = 1000.0
        zero = header_zeropoint(header, u.electron)
        assert zero.value == pytest.approx(33.440, abs=1e-3)

    def test_photflam_alone(self):
        zero = header_zeropoint({'PHOTFLAM': 7.072e-20}, u.electron / u.s)
        assert zero.value == pytest.approx(26.776, abs=1e-3)
        assert zero.system == 'ST'

    def test_photflam_needs_time(self):
        header = {'PHOTFLAM': 7.072e-20, 'PHOTPLAM': 8045.5}
        assert header_zeropoint(header, u.electron) is None
        assert header_zeropoint({**header, 'EXPTIME': 100.0}) is None
        header['PHOTFLAM'] = 0.0
        assert header_zeropoint(header, u.electron / u.s) is None

    def test_photmjsr(self):
        # 20.4721 - 2.5 log10(0.5) = 20.4721 + 0.7526
        zero = header_zeropoint({'PHOTMJSR': 0.5}, u.DN / u.s)
        assert zero.value == pytest.approx(21.2247, abs=1e-4)
        assert zero.per_area
        assert zero.system == 'AB'

    @pytest.mark.parametrize(('header', 'system'), [
        ({'PHOTSYS': 'VEGA'}, 'Vega'), ({'MAGSYS': 'Vega mag'}, 'Vega'),
        ({'PHOTSYS': 'AB'}, 'AB'), ({'ZPSYS': 'STMAG'}, 'ST'),
        ({'ORIGIN': '2MASS'}, 'Vega'), ({'TELESCOP': 'WISE'}, 'Vega'),
        ({'TELESCOP': 'SDSS'}, 'AB')])
    def test_system(self, header, system):
        zero = header_zeropoint({'MAGZP': 20.5, **header})
        assert zero.system == system

    def test_disagreement(self):
        header = {'MAGZP': 25.0, 'ZP': 25.3}
        with pytest.warns(AstropyUserWarning, match='MAGZP is used; give'):
            zero = header_zeropoint(header)
        assert zero.value == 25.0
        assert header_zeropoint({'MAGZP': 25.0, 'ZP': 25.001}).value == 25.0

    @pytest.mark.parametrize('keyword', ['ZP', 'MAGZERO'])
    def test_disagreement_with_the_sensitivity(self, keyword):
        # 26.269 of one electron per second
        header = {keyword: 25.0, 'PHOTFLAM': 3.0386574e-20,
                  'PHOTPLAM': 10551.0}
        with pytest.warns(AstropyUserWarning,
                          match=f'gives {keyword}=25.0000 and PHOTFLAM=3.03866'
                                r'e-20 and PHOTPLAM=10551 \(zero point '
                                rf'26\.26.*\): {keyword} is used'):
            zero = header_zeropoint(header, u.electron / u.s)
        assert zero.value == 25.0
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            header_zeropoint({**header, keyword: 26.269},
                             u.electron / u.s)
            # (magnitudes of other systems differ)
            header_zeropoint({**header, 'MAGSYS': 'Vega'},
                             u.electron / u.s)

    def test_magzpt_with_exposure_time(self):
        header = {'MAGZPT': 25.0, 'EXPTIME': 100.0}
        # 25 + 2.5 log10(100)
        with pytest.warns(AstropyUserWarning, match=r'give zeropoint=30\.00'):
            zero = header_zeropoint(header, u.adu)
        assert zero.value == 25.0
        assert header_zeropoint(header, u.adu / u.s).value == 25.0


class TestFindZeropoint:
    def test_precedence(self):
        header = {'MAGZP': 20.0}
        assert find_zeropoint(u.adu, header=header).value == 20.0
        with pytest.warns(AstropyUserWarning, match=r'header MAGZP=20\.00'):
            assert find_zeropoint(u.nmgy, header=header).value == 22.5
        zero = find_zeropoint(u.adu, zeropoint=25.0, header=header)
        assert (zero.value, zero.system) == (25.0, 'AB')
        assert find_zeropoint(u.adu) is None

    def test_argument_against_unit(self):
        match = r'zeropoint=23\.0000 is used, although the unit .nmgy. means'
        with pytest.warns(AstropyUserWarning, match=match):
            assert find_zeropoint(u.nmgy, zeropoint=23).value == 23.0
        assert find_zeropoint(u.nmgy, zeropoint=22.505).value == 22.505

    @pytest.mark.parametrize(('zeropoint', 'value', 'system'), [
        (25 * u.mag, 25.0, 'AB'),
        (25 * u.ABmag, 25.0, 'AB'),
        (25 * u.STmag, 25.0, 'ST'),
        (u.Magnitude(25, u.mag(u.AB / (u.ct / u.s))), 25.0, 'AB'),
        (u.Magnitude(25, u.mag(u.ST / (u.ct / u.s))), 25.0, 'ST'),
        # the magnitude of 1 Jy lies 8.90 fainter than that of AB
        (u.Magnitude(10, u.mag(u.Jy)), 18.90, 'AB'),
        (ZeroPoint(24.0, 'Vega'), 24.0, 'Vega')])
    def test_quantities(self, zeropoint, value, system):
        zero = find_zeropoint(u.ct / u.s, zeropoint=zeropoint)
        assert zero.value == pytest.approx(value, abs=1e-6)
        assert zero.system == system

    def test_mag_system(self):
        zero = find_zeropoint(u.ct, zeropoint=25, mag_system='vega')
        assert zero.system == 'Vega'
        zero = find_zeropoint(u.ct, header={'ZP': 25.0}, mag_system='ST')
        assert (zero.value, zero.system) == (25.0, 'ST')

    @pytest.mark.parametrize(('unit', 'header', 'system', 'match'), [
        (u.electron / u.s, {'PHOTFLAM': 7e-20, 'PHOTPLAM': 8045.5}, 'ST',
         "mag_system='ST' does not go with PHOTFLAM and PHOTPLAM, from which "
         'magnitudes of the system AB'),
        (u.electron / u.s, {'PHOTFLAM': 7e-20}, 'AB', 'system ST follow'),
        (u.DN / u.s, {'PHOTMJSR': 0.5}, 'Vega', 'with PHOTMJSR'),
        (u.Jy, {}, 'Vega', "with unit 'Jy', from which"),
        (u.nmgy, {}, 'ST', 'system AB follow')])
    def test_system_of_a_flux(self, unit, header, system, match):
        """
        Magnitudes from a flux are of one system, whatever is asked for.
        """
        with pytest.raises(ValueError, match=match):
            find_zeropoint(unit, header=header, mag_system=system)
        zero = find_zeropoint(unit, header=header)
        assert find_zeropoint(unit, header=header,
                              mag_system=zero.system) == zero

    @pytest.mark.parametrize(('given', 'stated', 'pivot', 'value', 'system'), [
        # AB = ST - 5 log10 pivot + 18.6921: 21.40 - 18.9620 + 18.6921
        (None, None, 6200.0, 21.1301, 'AB'),
        (None, 'AB', 6200.0, 21.1301, 'AB'),
        ('AB', 'ST', 6200.0, 21.1301, 'AB'),
        (None, 'STMAG', 6200.0, 21.40, 'ST'),
        ('ST', None, 6200.0, 21.40, 'ST'),
        # (in micrometres, or none)
        (None, None, 0.62, 21.40, 'ST'),
        (None, 'ST', None, 21.40, 'ST')])
    @pytest.mark.parametrize('area', [1, u.arcsec**2])
    def test_flux_per_wavelength(self, area, given, stated, pivot, value,
                                 system):
        """
        The pivot wavelength of the header leads from ST to AB.
        """
        header = {'MAGSYS': stated, 'PHOTPLAM': pivot}
        zero = find_zeropoint(u.Unit(1e-17 * F_LAM / area), header={
            key: text for key, text in header.items() if text is not None},
            mag_system=given)
        assert zero.value == pytest.approx(value, abs=2e-4)
        assert zero.system == system
        assert zero.per_area == (area != 1)

    def test_flux_per_wavelength_of_an_unknown_one(self):
        with pytest.warns(AstropyUserWarning, match='they are in ST; give'):
            zero = find_zeropoint(F_LAM, header={'MAGSYS': 'AB'})
        assert zero.system == 'ST'
        with pytest.raises(ValueError, match="'AB' does not go with unit"):
            find_zeropoint(F_LAM, mag_system='AB')
        zero = find_zeropoint(F_LAM, zeropoint=-2.4, mag_system='AB',
                              header={'MAGSYS': 'AB'})
        assert (zero.value, zero.system) == (-2.4, 'AB')
        # a number that is that of the unit is of its system
        zero = find_zeropoint(F_LAM, zeropoint=-21.1)
        assert (zero.value, zero.system) == (-21.1, 'ST')

    def test_surface_brightness(self):
        zero = find_zeropoint(u.DN / u.arcsec**2, zeropoint=25)
        assert zero.per_area

    def test_bad_system(self):
        with pytest.raises(ValueError, match="must be 'AB', 'ST' or 'Vega'"):
            find_zeropoint(u.ct, zeropoint=25, mag_system='Johnson')

    def test_bad_shape(self):
        with pytest.raises(ValueError, match='zeropoint must be one number'):
            find_zeropoint(u.ct, zeropoint=[25, 26] * u.mag)

    def test_text(self):
        assert find_zeropoint(u.adu, zeropoint='27.5 mag').value == 27.5
        with pytest.raises(ValueError, match="zeropoint has the unit 'Jy'"):
            find_zeropoint(u.adu, zeropoint='27.5 Jy')

    @pytest.mark.parametrize('zeropoint', [
        3631 * u.Jy, u.Magnitude(25, u.mag(u.s))])
    def test_bad_unit(self, zeropoint):
        with pytest.raises(ValueError, match='must be the magnitude of one'):
            find_zeropoint(u.ct, zeropoint=zeropoint)

    @pytest.mark.parametrize('zeropoint', ['bright', [1, 2]])
    def test_bad_type(self, zeropoint):
        with pytest.raises(TypeError, match='zeropoint must be a finite n'):
            find_zeropoint(u.ct, zeropoint=zeropoint)

    def test_not_finite(self):
        with pytest.raises(ValueError, match='zeropoint must be finite'):
            find_zeropoint(u.ct, zeropoint=float('nan'))


class TestGainAndSaturation:
    @pytest.mark.parametrize(('unit', 'header', 'gain'), [
        (u.adu, {'GAIN': 2.5}, 2.5),
        (u.ct, {'EGAIN': 1.5}, 1.5),
        (u.DN, {'CCDGAIN': '7'}, 7.0),
        (u.adu, {'GAIN': 0.0, 'EGAIN': 3.0}, 3.0),
        (u.adu, {}, None),
        (u.electron, {'GAIN': 2.5}, 1.0),
        (u.electron / u.s, {'EXPTIME': 500.0}, 500.0),
        (u.electron / u.s, {}, None),
        (u.DN / u.s, {'GAIN': 2.0, 'EXPTIME': 500.0}, 1000.0),
        (u.DN / u.s, {'GAIN': 2.0}, None),
        (u.nmgy, {'GAIN': 2.5}, None),
        (u.dimensionless_unscaled, {'GAIN': 2.5}, None),
        (u.DN / u.arcsec**2, {'GAIN': 2.5}, None)])
    def test_gain(self, unit, header, gain):
        assert find_gain(unit, header) == gain

    @pytest.mark.parametrize('comment', [
        '[ADU/e-]', 'ADU per electron', 'counts/electron', 'DN / e'])
    def test_gain_of_data_units_per_electron(self, comment):
        header = fits.Header([('GAIN', 0.4, comment)])
        assert find_gain(u.adu, header_values(header)) == 2.5
        header = fits.Header([('GAIN', 0.4, '[e-/ADU] electrons per ADU')])
        assert find_gain(u.adu, header_values(header)) == 0.4

    def test_saturation(self):
        assert find_saturation(u.adu, {'SATURATE': 60000}) == 60000.0
        assert find_saturation(u.nmgy, {'SATURATE': 60000}) is None
        assert find_saturation(u.adu, {'SATURATE': 0}) is None
        assert find_saturation(u.adu, {}) is None


class TestChooseUnit:
    def test_one(self):
        assert choose_unit(None, None) == u.dimensionless_unscaled
        assert choose_unit(u.Jy, None) is u.Jy
        assert choose_unit(None, 'nanomaggies') == u.nmgy
        assert choose_unit(ValueError('bad'), 'Jy') == u.Jy

    def test_both(self):
        assert choose_unit(u.adu, 'nmgy') == u.nmgy
        assert choose_unit(u.Jy, 'Jy') == u.Jy

    def test_unusable(self):
        with pytest.raises(ValueError, match='cannot be used'):
            choose_unit(ValueError('it cannot be used'), None)

    @pytest.mark.parametrize('unit', ['mJy', 'adu', 'MJy/sr', 'nmgy'])
    def test_contradiction(self, unit):
        with pytest.raises(ValueError, match="contradicts the unit 'Jy' of"):
            choose_unit(u.Jy, unit)

    def test_header_may_be_wrong(self):
        with pytest.warns(AstropyUserWarning, match="says BUNIT='Jy'"):
            assert choose_unit(u.Jy, 'mJy', from_header=True) == u.mJy


class TestBrightness:
    def check(self, level, peak=1.0):
        check_brightness(Calibration(F_LAM / u.arcsec**2, 2.0, u.arcsec, 0.2,
                                     sb_zeropoint=level), peak, F_LAM)

    # the brightest pixel is 2.5 log10(2 * 1) = 0.753 brighter
    @pytest.mark.parametrize(('level', 'shown'), [
        (78.9, '78.1'), (40.8, '40.0'), (-11.3, '-12.1')])
    def test_warns(self, level, shown):
        match = f'give the brightest pixel {shown} mag/arcsec2, which cannot'
        with pytest.warns(AstropyUserWarning, match=match):
            self.check(level)

    @pytest.mark.parametrize(('level', 'peak'), [
        (40.7, 1.0), (-11.1, 1.0), (-48.6, 1e-28), (78.9, 0.0),
        (78.9, -1.0), (float('nan'), 1.0)])
    def test_silent(self, level, peak, recwarn):
        self.check(level, peak)
        assert not recwarn.list

    @pytest.mark.parametrize(('options', 'n'), [
        ({}, 1), ({'unit': '1e-20 erg/(s cm2 AA)'}, 0),
        ({'zeropoint': 25.0}, 0)])
    def test_of_a_header_only(self, options, n):
        header = fits.Header({'BUNIT': '10**-40 Angstrom-1 cm-2 erg s-1'})
        image = fits.PrimaryHDU(np.eye(40) + 1.0, header)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            GalaxyCutout(image, pixel_scale=0.2, **options)
        texts = [str(item.message) for item in caught]
        assert sum('which cannot be' in text for text in texts) == n
