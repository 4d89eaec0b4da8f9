# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the astrometry module.
"""

import pickle
from contextlib import nullcontext

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, DistortionLookupTable, Sip
from astropy.wcs.wcsapi import HighLevelWCSWrapper, SlicedLowLevelWCS

from astro_pix2prof.image.astrometry import (
    celestial_wcs,
    find_pixel_scale,
    is_inside,
    local_matrix,
    shift_wcs,
    sky_to_pixel,
)
from astro_pix2prof.image.crop_size import pixel_size
from astro_pix2prof.image.cutout import GalaxyCutout

SHAPE = (60, 80)


def make_wcs(*, scale=0.4, angle=0.0, parity=-1, dec=30.0, aspect=1.0,
             ctype=('RA---TAN', 'DEC--TAN')):
    """
    A WCS whose +y axis points to the position angle ``angle``.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = list(ctype)
    wcs.wcs.crval = [150.0, dec]
    wcs.wcs.crpix = [40.5, 30.5]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    # rows: east, north; columns: steps in x, y
    wcs.wcs.cd = np.array([[parity * c, s], [-parity * s, c]]) @ np.diag(
        [scale, scale * aspect]) / 3600
    wcs.wcs.set()
    return wcs


def make_sip():
    wcs = make_wcs(ctype=('RA---TAN-SIP', 'DEC--TAN-SIP'))
    a, b = np.zeros((3, 3)), np.zeros((3, 3))
    # u + a u**2, v + b u v
    a[2, 0], b[1, 1] = 1e-4, 1e-4
    wcs.sip = Sip(a, b, None, None, wcs.wcs.crpix)
    return wcs


def make_cutout(wcs, **options):
    return GalaxyCutout(NDData(np.ones(SHAPE), wcs=wcs, unit='nmgy'),
                        **options)


class TestAngles:
    @pytest.mark.parametrize('parity', [-1, 1])
    @pytest.mark.parametrize('angle', [0.0, 33.0, 90.0, 205.0])
    def test_rotation_and_parity(self, angle, parity):
        cutout = make_cutout(make_wcs(angle=angle, parity=parity))
        theta = np.array([0.0, 20.0, 90.0, 135.0])
        pa, frame = cutout.to_sky_pa(theta)
        assert frame == 'sky'
        # +y lies at the angle; with east to the left, position angles and
        # image angles run the same way
        expected = (angle - parity * (theta - 90)) % 180
        difference = (pa - expected + 90) % 180 - 90
        np.testing.assert_allclose(difference, 0, atol=1e-6)
        back = cutout.from_sky_pa(pa)
        np.testing.assert_allclose((back - theta + 90) % 180, 90, atol=1e-6)

    def test_against_sky_positions(self):
        # the direction of a short line, measured by astropy
        cutout = make_cutout(make_sip(), position=(60, 20))
        for theta in (10.0, 70.0, 150.0):
            dx, dy = np.cos(np.radians(theta)), np.sin(np.radians(theta))
            ends = cutout.pixel_to_sky([60 - 0.5 * dx, 60 + 0.5 * dx],
                                       [20 - 0.5 * dy, 20 + 0.5 * dy])
            expected = ends[0].position_angle(ends[1]).deg % 180
            assert cutout.to_sky_pa(theta)[0] == pytest.approx(expected,
                                                               abs=1e-3)

    def test_other_frame(self):
        # angles are those of ICRS, whatever the frame of the WCS
        wcs = make_wcs(ctype=('GLON-TAN', 'GLAT-TAN'))
        cutout = make_cutout(wcs)
        x, y = cutout.position
        ends = cutout.pixel_to_sky([x, x], [y - 0.5, y + 0.5]).icrs
        expected = ends[0].position_angle(ends[1]).deg % 180
        assert cutout.to_sky_pa(90)[0] == pytest.approx(expected, abs=1e-3)

    def test_without_wcs(self):
        cutout = GalaxyCutout(np.ones(SHAPE), unit='nmgy', pixel_scale=1)
        assert cutout.to_sky_pa(200.0) == (20.0, 'pixel')
        assert cutout.from_sky_pa(-10.0) == 170.0
        assert cutout.pixel_to_sky(1, 2) is None
        pa, _ = cutout.to_sky_pa(np.array([-1e-20, 180.0, np.nan]))
        np.testing.assert_array_equal(pa, [0.0, 0.0, np.nan])


class TestPixelScale:
    @pytest.mark.parametrize('dec', [0.0, 60.0, 89.9, -75.0])
    def test_declination(self, dec):
        cutout = make_cutout(make_wcs(dec=dec, angle=20))
        assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)

    def test_distortion(self):
        # along the line v = 0: du'/du = 1 + 2 a u and dv'/dv = 1 + b u
        # with u = 10
        cutout = make_cutout(make_sip(), position=(49.5, 29.5))
        expected = 0.4 * np.sqrt(1.002 * 1.001)
        assert cutout.pixel_scale == pytest.approx(expected, rel=1e-5)
        assert make_cutout(make_sip()).pixel_scale == pytest.approx(
            0.4, rel=1e-5)

    def test_not_square(self):
        with pytest.raises(ValueError, match=r'not square .*reproject'):
            make_cutout(make_wcs(aspect=1.5, angle=45))
        assert make_cutout(make_wcs(aspect=1.005)).pixel_scale == (
            pytest.approx(0.4 * 1.005**0.5))

    def test_given(self):
        cutout = make_cutout(make_wcs(), pixel_scale=0.401)
        assert cutout.pixel_scale == 0.401
        match = r'pixel_scale=0\.5 arcsec is used, although the WCS says 0\.4'
        with pytest.warns(AstropyUserWarning, match=match):
            cutout = make_cutout(make_wcs(), pixel_scale=0.5)
        assert cutout.pixel_scale == 0.5

    def test_none(self):
        assert find_pixel_scale(None) is None

    def test_no_sky(self):
        wcs = make_wcs(scale=7200, ctype=('RA---SIN', 'DEC--SIN'))
        with pytest.raises(ValueError, match='has no sky coordinates at the'):
            make_cutout(wcs, position=(0, 0))

    def test_not_celestial(self):
        wcs = WCS(naxis=2)
        with pytest.raises(ValueError, match='does not give celestial coord'):
            local_matrix(wcs, 0, 0)


class TestCelestial:
    def test_none(self):
        assert celestial_wcs(None) is None
        assert celestial_wcs(WCS(naxis=2)) is None
        low = SlicedLowLevelWCS(WCS(naxis=3), (0,))
        assert celestial_wcs(HighLevelWCSWrapper(low)) is None

    def test_cube(self):
        wcs = WCS(naxis=3)
        wcs.wcs.ctype = ['WAVE', 'RA---TAN', 'DEC--TAN']
        assert celestial_wcs(wcs).naxis == 2

    def test_wrapped(self):
        wcs = make_wcs()
        assert celestial_wcs(HighLevelWCSWrapper(wcs)) is wcs

    def test_other_kind(self):
        # as a WCS that is not of FITS
        full = make_wcs()
        low = SlicedLowLevelWCS(full, (slice(5, None), slice(7, None)))
        cutout = make_cutout(HighLevelWCSWrapper(low), position=(3, 4))
        assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)
        assert celestial_wcs(low).pixel_to_world(0, 0).separation(
            full.pixel_to_world(7, 5)).arcsec < 1e-6
        part = cutout.crop(20)
        assert part.origin == (-7, -6)
        assert part.wcs.array_shape == (20, 20)
        assert part.wcs.low_level_wcs.pixel_bounds is None
        sky = cutout.pixel_to_sky(3, 4)
        assert part.pixel_to_sky(10, 10).separation(sky).arcsec < 1e-6
        np.testing.assert_allclose(part.wcs.world_to_pixel(sky), 10,
                                   atol=1e-6)


class TestShift:
    @pytest.mark.parametrize('make', [make_wcs, make_sip])
    @pytest.mark.parametrize('origin', [(0, 0), (11, 7), (-11, 3)])
    def test_positions(self, make, origin):
        wcs = make()
        shifted = shift_wcs(wcs, origin, (10, 12))
        for x, y in ((0, 0), (5, 3)):
            new = shifted.pixel_to_world(x - origin[0], y - origin[1])
            assert new.separation(wcs.pixel_to_world(x, y)).arcsec < 1e-6
        assert shifted.array_shape == (10, 12)
        assert wcs.wcs.crpix[0] == 40.5

    def test_lookup_table(self):
        wcs = make_wcs()
        ramp = np.linspace(0, 2, SHAPE[1]) * np.ones(SHAPE)
        wcs.cpdis1 = DistortionLookupTable(
            ramp.astype(np.float32), (1, 1), (1, 1), (1, 1))
        shifted = shift_wcs(wcs, (30, 20), (10, 12))
        new = shifted.pixel_to_world(5, 3)
        assert new.separation(wcs.pixel_to_world(35, 23)).arcsec < 1e-6
        assert shifted.low_level_wcs.pixel_shape == (12, 10)
        # the distortion matters: without it, the position is another
        assert new.separation(
            make_wcs().pixel_to_world(35, 23)).arcsec > 0.1

    def test_none(self):
        assert shift_wcs(None, (1, 2), (3, 4)) is None


class TestPosition:
    def test_skycoord(self):
        wcs = make_wcs(angle=30)
        coord = wcs.pixel_to_world(52.3, 21.8)
        for sky in (coord, coord.galactic, coord.fk5):
            cutout = make_cutout(wcs, position=sky)
            np.testing.assert_allclose(cutout.position, (52.3, 21.8),
                                       atol=1e-5)
            assert cutout.position_given

    def test_skycoord_without_wcs(self):
        coord = SkyCoord(1, 2, unit='deg')
        with pytest.raises(ValueError, match='the image has no celestial WCS'):
            sky_to_pixel(None, coord)

    def test_several(self):
        coord = SkyCoord([150, 151], [30, 31], unit='deg')
        with pytest.raises(ValueError, match='position must be one SkyCoord'):
            sky_to_pixel(make_wcs(), coord)

    def test_far_outside(self):
        match = 'is outside of the image of 80 x 60 pixels'
        with pytest.raises(ValueError, match=match):
            make_cutout(make_wcs(), position=SkyCoord(151, 30, unit='deg'))
        # where the inversion of the distortion fails
        with pytest.raises(ValueError, match=match):
            make_cutout(make_sip(), position=SkyCoord(155, 33, unit='deg'))
        # behind the tangent plane
        match = (r'position=330.00000d -30.00000d is outside of the image of 8'
                 r'0 x 60 pixels, whose middle is at 1[45]\d\.\d{5}d')
        with pytest.raises(ValueError, match=match):
            make_cutout(make_wcs(), position=SkyCoord(330, -30, unit='deg'))

    def test_other_errors_pass(self):
        class Broken:
            def world_to_pixel(self, coord):
                msg = 'broken'
                raise RuntimeError(msg)

        with pytest.raises(RuntimeError, match='broken'):
            sky_to_pixel(Broken(), SkyCoord(1, 2, unit='deg'))

    def test_is_inside(self):
        assert is_inside(-0.5, 59.5, SHAPE)
        assert is_inside(79.5, 0, SHAPE)
        assert not is_inside(0, 60, SHAPE)
        assert not is_inside(-0.6, 0, SHAPE)
        assert not is_inside(np.nan, 0, SHAPE)


class TestSize:
    @pytest.mark.parametrize(('size', 'expected'), [
        (10, (10, 10)), ((10, 20), (10, 20)), (np.int64(7), (7, 7)),
        (10 * u.pix, (10, 10)), (4 * u.arcsec, (10, 10)),
        ((0.1, 0.2) * u.arcmin, (15, 30)), ([8, 9] * u.pix, (8, 9))])
    def test_values(self, size, expected):
        assert pixel_size(size, 0.4) == expected

    def test_angle_without_scale(self):
        with pytest.raises(ValueError, match='the image has no pixel scale'):
            pixel_size(4 * u.arcsec)

    def test_unit(self):
        with pytest.raises(ValueError, match="an angle, got the unit 's'"):
            pixel_size(4 * u.s, 0.4)

    @pytest.mark.parametrize('size', ['big', (1, 2, 3)])
    def test_numbers(self, size):
        with pytest.raises(ValueError, match=r'one or two numbers, \(ny, nx'):
            pixel_size(size)

    @pytest.mark.parametrize('size', [0, -5, (10, 0)])
    def test_positive(self, size):
        with pytest.raises(ValueError, match='size must be at least one'):
            pixel_size(size)

    @pytest.mark.parametrize('size', [np.nan, np.inf, (5, np.nan),
                                      np.nan * u.arcsec])
    def test_finite(self, size):
        with pytest.raises(ValueError, match='size must be finite, got'):
            pixel_size(size, 0.4)

    @pytest.mark.parametrize('size', [True, (10, False), None])
    def test_kind(self, size):
        with pytest.raises(TypeError, match='size must be a finite number'):
            pixel_size(size)

    def test_texts(self):
        assert pixel_size('40 arcsec', 0.4) == (100, 100)
        assert pixel_size(('4 arcsec', 20), 0.4) == (10, 20)
        with pytest.raises(ValueError, match="angles such as '40 arcsec', got "
                                             "'40'"):
            pixel_size('40', 0.4)
        with pytest.raises(ValueError, match="an angle, got the unit 'Jy'"):
            pixel_size('40 Jy', 0.4)

    def test_two_quantities(self):
        assert pixel_size((4 * u.arcsec, 20 * u.pix), 0.4) == (10, 20)

    def test_limit(self):
        assert pixel_size(1024, shape=(40, 60)) == (1024, 1024)
        assert pixel_size(4000, shape=(40, 1000)) == (4000, 4000)
        match = ('size must be at most 1024 pixels for an image of 60 x 40 '
                 'pixels, got 200000')
        with pytest.raises(ValueError, match=match):
            pixel_size(200000, shape=(40, 60))
        with pytest.raises(ValueError, match=r'at most 4000 pixels .* 4001'):
            pixel_size((10, 4001), shape=(40, 1000))
        with pytest.raises(ValueError, match=r'\(18000 pixels\)'):
            pixel_size(2 * u.deg, 0.4, shape=(40, 1000))


def test_pickle():
    cutout = make_cutout(make_sip(), position=(20, 20), size=15)
    copy = pickle.loads(pickle.dumps(cutout))
    np.testing.assert_array_equal(copy.data, cutout.data)
    assert copy.pixel_to_sky(3, 4).separation(
        cutout.pixel_to_sky(3, 4)).arcsec < 1e-6


class TestSizeOfPixels:
    """
    A CDELT that is missing is 1 degree, and so is a scale in arcsec.
    """

    def header(self, **cards):
        return fits.Header({
            'BUNIT': 'nmgy', 'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
            'CRVAL1': 150.0, 'CRVAL2': 2.0, 'CRPIX1': 20.5, 'CRPIX2': 20.5,
            **cards})

    @pytest.mark.parametrize(('cards', 'size'), [
        ({}, '3600'), ({'CDELT1': 1.0, 'CDELT2': 1.0}, '3600'),
        ({'CDELT1': -1.0, 'CDELT2': 1.0}, '3600'),
        ({'PC1_1': 1.0, 'PC2_2': 1.0}, '3600'),
        ({'CDELT1': -0.4, 'CDELT2': 0.4}, '1440'),
        ({'CD1_1': -0.4, 'CD2_2': 0.4}, '1440'),
        ({'CDELT1': -1e-12, 'CDELT2': 1e-12}, '.*e-09')])
    def test_wrong(self, cards, size):
        image = fits.PrimaryHDU(np.eye(40), self.header(**cards))
        match = (f'its pixels are {size} arcsec large, as if CD or CDELT were '
                 'missing or not in degrees .* or pixel_scale= to leave it')
        with pytest.raises(ValueError, match=match):
            GalaxyCutout(image)
        with pytest.warns(AstropyUserWarning, match='it is left aside'):
            cutout = GalaxyCutout(image, pixel_scale=0.4)
        assert cutout.pixel_scale == 0.4
        assert cutout.wcs is None

    @pytest.mark.parametrize(('cards', 'size'), [
        ({'CDELT1': -0.09, 'CDELT2': 0.09}, 324.0),
        ({'CDELT1': -1e-9, 'CDELT2': 1e-9}, 3.6e-6),
        ({'CDELT1': -0.4, 'CDELT2': 0.4, 'CUNIT1': 'arcsec',
          'CUNIT2': 'arcsec', 'CRVAL1': 540000.0, 'CRVAL2': 7200.0}, 0.4),
        ({'PC1_1': -1e-4, 'PC2_2': 1e-4}, 0.36),
        ({'CD1_1': -1e-4, 'CD2_2': 1e-4, 'CDELT1': 1.0, 'CDELT2': 1.0},
         0.36)])
    def test_right(self, cards, size):
        image = fits.PrimaryHDU(np.eye(40), self.header(**cards))
        is_odd = not 0.001 < size < 60
        with (pytest.warns(AstropyUserWarning, match='give pixel_scale= if')
              if is_odd else nullcontext()):
            cutout = GalaxyCutout(image)
        assert cutout.pixel_scale == pytest.approx(size, 1e-2)
