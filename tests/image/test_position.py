# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the position module: positions in pixels and on the sky.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import ICRS, Galactic, SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from astro_pix2prof import GalaxyCutout
from astro_pix2prof.image.position import parse_sky, read_position

SHAPE = (40, 60)
SKY = SkyCoord(184.7, 12.4, unit='deg')


def make_header(**cards):
    header = fits.Header()
    header['CTYPE1'], header['CTYPE2'] = 'RA---TAN', 'DEC--TAN'
    header['CRVAL1'], header['CRVAL2'] = 184.7, 12.4
    header['CRPIX1'], header['CRPIX2'] = 21.0, 11.0
    header['CD1_1'], header['CD2_2'] = -0.4 / 3600, 0.4 / 3600
    header['BUNIT'] = 'nanomaggies'
    header.update(cards)
    return header


def make_hdu(**cards):
    array = np.random.default_rng(0).normal(1.0, 0.1, SHAPE)
    return fits.PrimaryHDU(array, make_header(**cards))


class TestPixels:
    @pytest.mark.parametrize('position', [
        (1, 2.5), np.array([1, 2.5]), [1, np.float32(2.5)],
        [1, 2.5] * u.pix, (1, 2.5 * u.pix)])
    def test_values(self, position):
        assert read_position(position) == (1.0, 2.5)

    @pytest.mark.parametrize('position', [3, None, (1, 2, 3), {'x': 1}, 2j])
    def test_kind(self, position):
        with pytest.raises(TypeError, match=r'must be \(x, y\) in pixels, a'):
            read_position(position)

    @pytest.mark.parametrize('position', [
        (True, 2), (1, object()), (1, None), (SKY, SKY),
        np.ma.array([1.0, 2.0], mask=[False, True])])
    def test_number(self, position):
        with pytest.raises(TypeError, match='position must be a finite num'):
            read_position(position)

    @pytest.mark.parametrize(('position', 'hint'), [
        ((184.73, -12.4), True), ((300, 12.25), True), ((10, -95), False),
        ((400, 12), False)])
    def test_degrees_outside(self, position, hint):
        with pytest.raises(ValueError, match='is outside of the') as error:
            GalaxyCutout(make_hdu(), position=position)
        text = (f'give a SkyCoord, or angles, position=({position[0]} * u.deg,'
                f' {position[1]} * u.deg)')
        assert (text in str(error.value)) == hint
        # (without a WCS there is no sky)
        with pytest.raises(ValueError, match='outside of the image of 60 x 4'
                                             r'0 pixels$'):
            GalaxyCutout(np.ones(SHAPE), position=position)

    def test_degrees_inside(self):
        header = make_header(CRVAL1=20.003, CRVAL2=10.001)
        hdu = fits.PrimaryHDU(np.eye(*SHAPE), header)
        with pytest.warns(AstropyUserWarning, match=(
                r'position=\(20.003, 10.001\) is taken for pixels, but in '
                r'degrees .* angles, \(20.003 \* u.deg, 10.001 \* u.deg\)')):
            cutout = GalaxyCutout(hdu, position=(20.003, 10.001))
        assert cutout.position == (20.003, 10.001)
        # no doubt is left, or the sky is elsewhere
        for position in ((20.003, 10.001) * u.pix, (21, 10),
                         SkyCoord(20.003, 10.001, unit='deg')):
            GalaxyCutout(hdu, position=position)
        GalaxyCutout(make_hdu(), position=(20.003, 10.001))

    @pytest.mark.parametrize('position', [(np.nan, 3), (3, np.inf)])
    def test_finite(self, position):
        with pytest.raises(ValueError, match='position must be finite, got'):
            read_position(position)

    def test_unit(self):
        with pytest.raises(ValueError, match="got the unit 'mJy'"):
            read_position((5 * u.mJy, 3 * u.mJy))

    @pytest.mark.parametrize('position', [(1, 2 * u.deg), ('1', 2),
                                          (1 * u.pix, 2 * u.deg)])
    def test_mixed(self, position):
        with pytest.raises(TypeError, match='got two of different kinds'):
            read_position(position)


class TestSky:
    @pytest.mark.parametrize('position', [
        SKY, SKY.galactic, (184.7 * u.deg, 12.4 * u.deg), (SKY.ra, SKY.dec),
        [184.7, 12.4] * u.deg, (184.7 * u.deg, 744 * u.arcmin),
        ICRS(184.7 * u.deg, 12.4 * u.deg), SKY.galactic.frame,
        '184.7 12.4', '184.7, 12.4', '184.7d +12.4d', '184.7 deg 12.4 deg',
        '12h18m48s +12d24m', '12:18:48 +12:24:00', '12 18 48 +12 24 00',
        '12h 18m 48s +12d 24m 0s', ('184.7', '12.4'),
        ('12:18:48', '12:24')])
    def test_values(self, position):
        found = read_position(position)
        assert found.separation(SKY).arcsec < 1e-3
        cutout = GalaxyCutout(make_hdu(), position=position)
        np.testing.assert_allclose(cutout.position, (20, 10), atol=1e-3)
        # of a cutout, in the pixels of its input
        cutout = GalaxyCutout.from_any(
            GalaxyCutout(make_hdu(), size=30), position=position)
        np.testing.assert_allclose(cutout.position, (5, 5), atol=1e-3)

    @pytest.mark.parametrize('text', ['', 'M 51', '12.5', 'nan nan', '10 95',
                                      '1 2 3', '12h30m', '\udce9 1'])
    def test_text(self, text):
        with pytest.raises(ValueError, match='cannot be read as right asc'):
            parse_sky(text)

    def test_wrong_angle(self):
        with pytest.raises(ValueError, match=r'position must be .*, got'):
            read_position((1 * u.deg, 100 * u.deg))

    def test_not_finite(self):
        with pytest.raises(ValueError, match='position must be finite'):
            read_position(SkyCoord(np.nan, 2, unit='deg'))
        with pytest.raises(ValueError, match='position must be finite'):
            read_position((np.nan * u.deg, 2 * u.deg))

    def test_several(self):
        with pytest.raises(ValueError, match='must be one SkyCoord, got an'):
            read_position(SkyCoord([1, 2], [3, 4], unit='deg'))

    def test_empty_frame(self):
        with pytest.raises(ValueError, match='got a frame without coordin'):
            read_position(Galactic())

    def test_no_wcs(self):
        with pytest.raises(ValueError, match='has no celestial WCS: give'):
            GalaxyCutout(np.ones(SHAPE), unit='nmgy', pixel_scale=1,
                         position='184.7 12.4')


class TestBrokenWCS:
    @pytest.mark.parametrize(('cards', 'reason'), [
        ({'CD1_1': 0.0, 'CD2_2': 0.0}, 'the matrix of CD is zero'),
        ({'CD1_1': 0.0}, 'its pixels are .* singular'),
        ({'CD1_1': 1e-12, 'CD2_2': 1e-4}, 'its pixels are .* singular'),
        ({'CRVAL2': 200.0}, 'valid solution'),
        ({'CUNIT1': 'parsec'}, 'unit'),
        ({'RADESYS': 'FOO'}, 'does not give celestial coordinates'),
        ({'CTYPE1': 'RA---ZPN', 'CTYPE2': 'DEC--ZPN'}, 'parameter'),
        ({'A_ORDER': 99, 'CTYPE1': 'RA---TAN-SIP',
          'CTYPE2': 'DEC--TAN-SIP'}, 'SIP|ORDER')])
    def test_kinds(self, cards, reason):
        match = rf'(?is)the WCS of the image cannot be used: .*({reason})'
        with pytest.raises(ValueError, match=match + '.*give an image with '
                                                     'another WCS, or pixel'):
            GalaxyCutout(make_hdu(**cards))
        with pytest.warns(AstropyUserWarning, match=match + '.* left aside'):
            cutout = GalaxyCutout(make_hdu(**cards), pixel_scale=0.4)
        assert cutout.wcs is None
        assert cutout.pixel_scale == 0.4
        assert cutout.to_sky_pa(30.0) == (30.0, 'pixel')
        with pytest.warns(AstropyUserWarning, match='left aside'):
            cutout = GalaxyCutout(make_hdu(**cards), calibrated=False)
        assert cutout.radius_unit == u.pix

    def test_sky_position(self):
        with pytest.warns(AstropyUserWarning, match='left aside'), \
                pytest.raises(ValueError, match='has no celestial WCS'):
            GalaxyCutout(make_hdu(CD1_1=0.0), pixel_scale=0.4, position=SKY)
        with pytest.warns(AstropyUserWarning, match='left aside'), \
                pytest.raises(ValueError, match='has no celestial WCS'):
            GalaxyCutout(make_hdu(RADESYS='FOO'), pixel_scale=0.4,
                         position=SKY)

    def test_of_data(self):
        wcs = WCS(make_header())
        wcs.wcs.cd = [[0.0, 0.0], [0.0, 1e-4]]
        ccd = CCDData(np.ones(SHAPE), unit='nmgy', wcs=wcs)
        with pytest.raises(ValueError, match='the WCS of the image cannot'):
            GalaxyCutout(ccd)
        with pytest.warns(AstropyUserWarning, match='left aside'):
            assert GalaxyCutout(ccd, pixel_scale=0.4).wcs is None

    def test_not_square_is_not_broken(self):
        # ellipses would be wrong, whatever the scale
        with pytest.raises(ValueError, match='are not square on the sky'):
            GalaxyCutout(make_hdu(CD1_1=-0.8 / 3600), pixel_scale=0.4)

    @pytest.mark.parametrize('distorted', [False, True])
    def test_tpv_cube(self, distorted):
        # wcslib cannot take the celestial axes out of such a WCS
        header = make_header(CTYPE1='RA---TPV', CTYPE2='DEC--TPV',
                             PV1_1=1.0, PV2_1=1.0)
        if distorted:
            header['PV1_0'] = 1e-5
        header['CTYPE3'], header['CD3_3'] = 'FREQ', 1e6
        header['CRPIX3'], header['CRVAL3'] = 1.0, 1e9
        cube = np.ones((3, *SHAPE))
        expected = (184.7 + 1e-5 / np.cos(np.radians(12.4)) if distorted
                    else 184.7)
        for image in (fits.PrimaryHDU(cube, header),
                      NDData(cube, wcs=WCS(header), unit='nmgy')):
            cutout = GalaxyCutout(image, band=1)
            assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-4)
            sky = cutout.pixel_to_sky(20, 10)
            assert sky.ra.deg == pytest.approx(expected, abs=1e-7)
            assert sky.dec.deg == pytest.approx(12.4, abs=1e-7)
