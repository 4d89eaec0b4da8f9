# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the cutout module. Kinds of images are tested with the reading
module, masks and errors with planes, WCS with astrometry.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from astro_pix2prof import GalaxyCutout, IsophoteFitter, build_profile

SHAPE = (40, 60)


@pytest.fixture(name='array')
def make_array():
    return np.random.default_rng(1).normal(1.0, 0.1, SHAPE)


@pytest.fixture(name='wcs')
def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [30.5, 20.5]
    wcs.wcs.cdelt = [-0.5 / 3600, 0.5 / 3600]
    wcs.wcs.set()
    return wcs


class TestAttributes:
    def test_all(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=0.5, band='r',
                              gain=2, saturation=100, psf_fwhm=1.3,
                              name='NGC 1', position=(10.5, 20))
        assert cutout.shape == SHAPE
        assert cutout.position == (10.5, 20.0)
        assert cutout.position_given
        assert cutout.origin == (0, 0)
        assert cutout.wcs is None
        assert cutout.noise is None
        assert cutout.pixel_scale == 0.5
        assert cutout.unit == u.nmgy
        assert cutout.intensity_unit == u.nmgy / u.arcsec**2
        assert cutout.intensity_scale == 4.0
        assert cutout.zeropoint == pytest.approx(22.5)
        assert cutout.sb_zeropoint == pytest.approx(22.5)
        assert cutout.mag_system == 'AB'
        assert cutout.mag_unit == u.mag
        assert cutout.radius_unit == u.arcsec
        assert cutout.radius_scale == 0.5
        assert (cutout.gain, cutout.saturation) == (2.0, 100.0)
        assert (cutout.psf_fwhm, cutout.band) == (1.3, 'r')
        assert cutout.name == 'NGC 1'

    def test_defaults(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=0.5)
        assert cutout.position == (29.5, 19.5)
        assert not cutout.position_given
        for name in ('gain', 'saturation', 'psf_fwhm', 'band', 'name'):
            assert getattr(cutout, name) is None

    def test_repr(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=0.5, band='r',
                              name='NGC 1')
        assert repr(cutout) == (
            "<GalaxyCutout 'NGC 1': 60 x 40 pixels of 0.5 arcsec, unit nmgy, "
            'zero point 22.500 AB, band r, 0 masked>')
        cutout = GalaxyCutout(array, calibrated=False)
        assert repr(cutout) == (
            '<GalaxyCutout: 60 x 40 pixels, not calibrated, 0 masked>')

    def test_background_noise(self):
        data = np.random.default_rng(0).normal(5.0, 0.3, (128, 128))
        mask = np.zeros(data.shape, dtype=bool)
        mask[:64] = True
        data[:64] = 1e5
        cutout = GalaxyCutout(data, mask=mask, calibrated=False)
        assert cutout.background_noise == pytest.approx(0.3, rel=0.05)

    @pytest.mark.parametrize('name', ['gain', 'saturation', 'psf_fwhm',
                                      'pixel_scale', 'native_pixel_scale'])
    def test_positive(self, name, array):
        with pytest.raises(ValueError, match=f'{name} must be positive'):
            GalaxyCutout(array, **{'unit': 'Jy', 'pixel_scale': 1, name: -1})

    def test_quantities(self, array):
        cutout = GalaxyCutout(array, unit='Jy', psf_fwhm=0.02 * u.arcmin,
                              pixel_scale=0.01 * u.arcmin / u.pix)
        assert cutout.psf_fwhm == pytest.approx(1.2)
        assert cutout.pixel_scale == pytest.approx(0.6)


class TestCalibration:
    def surface_brightness(self, cutout, value):
        return cutout.sb_zeropoint - 2.5 * np.log10(
            value * cutout.intensity_scale)

    def test_nanomaggies(self, array):
        # 100 nmgy in 0.4" pixels: 22.5 - 5 + 2.5 log10(0.16)
        cutout = GalaxyCutout(array, unit='nanomaggies', pixel_scale=0.4)
        assert self.surface_brightness(cutout, 100) == pytest.approx(
            15.5103, abs=1e-4)

    def test_native_pixel_scale(self, array):
        # sums of pixels of 1" are (1 / 0.396)**2 too large
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1,
                              native_pixel_scale=0.396 * u.arcsec)
        assert self.surface_brightness(cutout, 1) == pytest.approx(
            20.4885, abs=1e-4)
        assert cutout.zeropoint == pytest.approx(20.4885, abs=1e-4)
        assert cutout.sb_zeropoint == 22.5

    def test_surface_brightness_unit(self, array):
        cutout = GalaxyCutout(array, unit='MJy/sr', pixel_scale=0.6)
        assert cutout.intensity_unit == u.MJy / u.sr
        assert cutout.intensity_scale == 1.0
        assert cutout.sb_zeropoint == pytest.approx(20.472, abs=1e-3)
        # one pixel has 0.36 arcsec2: 20.472 + 1.109
        assert cutout.zeropoint == pytest.approx(21.581, abs=1e-3)

    def test_same_sky_in_two_units(self, array):
        # a surface brightness of 1 MJy/sr in pixels of 0.6"
        flux = (1 * u.MJy / u.sr * (0.6 * u.arcsec)**2).to_value(u.uJy)
        one = GalaxyCutout(array, unit='MJy/sr', pixel_scale=0.6)
        two = GalaxyCutout(array, unit='uJy', pixel_scale=0.6)
        assert self.surface_brightness(one, 1) == pytest.approx(
            self.surface_brightness(two, flux))
        assert one.zeropoint == pytest.approx(
            two.zeropoint - 2.5 * np.log10(flux))

    def test_photmjsr(self, array):
        # 2 DN/s are 1 MJy/sr whatever the pixels
        ccd = CCDData(array, unit=u.DN / u.s, meta={'PHOTMJSR': 0.5})
        for scale in (0.1, 0.5):
            cutout = GalaxyCutout(ccd, pixel_scale=scale)
            assert cutout.intensity_unit == u.DN / u.s / u.arcsec**2
            assert self.surface_brightness(cutout, 2) == pytest.approx(
                20.472, abs=1e-3)

    def test_counts(self, array):
        cutout = GalaxyCutout(array, unit='counts', zeropoint=25.0,
                              pixel_scale=2)
        # 25 + 2.5 log10(4)
        assert self.surface_brightness(cutout, 1) == pytest.approx(
            26.5051, abs=1e-4)
        assert cutout.intensity_unit == u.ct / u.arcsec**2

    def test_no_unit(self, array):
        cutout = GalaxyCutout(array, zeropoint=25 * u.STmag, pixel_scale=1)
        assert cutout.mag_system == 'ST'
        assert cutout.unit == u.dimensionless_unscaled
        assert cutout.intensity_unit == u.arcsec**-2
        cutout = GalaxyCutout(array, zeropoint=20.5, mag_system='Vega',
                              pixel_scale=1)
        assert cutout.mag_system == 'Vega'

    def test_zero_point_against_unit(self, array):
        with pytest.warns(AstropyUserWarning, match='although the unit'):
            cutout = GalaxyCutout(array, unit='nmgy', zeropoint=23,
                                  pixel_scale=1)
        assert cutout.zeropoint == 23

    def test_unit_contradiction(self, array):
        with pytest.raises(ValueError, match="contradicts the unit 'Jy' of"):
            GalaxyCutout(array * u.Jy, unit='mJy', pixel_scale=1)

    def test_uncalibrated(self, array):
        cutout = GalaxyCutout(array, unit='adu', pixel_scale=0.5,
                              calibrated=False)
        assert np.isnan(cutout.zeropoint)
        assert np.isnan(cutout.sb_zeropoint)
        assert cutout.mag_system == ''
        assert cutout.intensity_unit == u.adu / u.arcsec**2
        assert cutout.intensity_scale == 4.0

    def test_no_pixel_scale(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', calibrated=False)
        assert cutout.pixel_scale is None
        assert cutout.zeropoint == 22.5
        assert np.isnan(cutout.sb_zeropoint)
        assert cutout.intensity_unit == u.nmgy / u.pix**2
        assert cutout.intensity_scale == 1.0
        assert cutout.radius_unit == u.pix
        assert cutout.radius_scale == 1.0
        cutout = GalaxyCutout(array, unit='MJy/sr', calibrated=False)
        assert np.isnan(cutout.zeropoint)
        assert cutout.intensity_unit == u.MJy / u.sr

    def test_no_zero_point_error(self, array):
        match = (r"has unit 'ct' and no zero point: give unit= .*, "
                 r'zeropoint= .*, or calibrated=False')
        with pytest.raises(ValueError, match=match):
            GalaxyCutout(array, unit='counts', pixel_scale=1)
        with pytest.raises(ValueError, match='the image has no unit and no'):
            GalaxyCutout(array, pixel_scale=1)

    def test_photflam_error(self, array):
        ccd = CCDData(array, unit='electron', meta={'PHOTFLAM': 1e-19})
        with pytest.raises(ValueError, match='an exposure time'):
            GalaxyCutout(ccd, pixel_scale=1)

    def test_no_pixel_scale_error(self, array):
        match = 'no pixel scale: give an image with a celestial WCS or pixel_'
        with pytest.raises(ValueError, match=match):
            GalaxyCutout(array, unit='nmgy')

    def test_native_scale_error(self, array):
        with pytest.raises(ValueError, match='is for images of flux per pix'):
            GalaxyCutout(array, unit='MJy/sr', pixel_scale=1,
                         native_pixel_scale=0.5)


class TestPositionAndSize:
    @pytest.mark.parametrize('position', [(60, 10), (-1, 10), (10, 40)])
    def test_outside(self, position, array):
        with pytest.raises(ValueError, match='is outside of the image of 60'):
            GalaxyCutout(array, unit='nmgy', pixel_scale=1,
                         position=position)

    @pytest.mark.parametrize('size', [9, 10, (7, 12)])
    @pytest.mark.parametrize('position', [(20, 15), (20.4, 15.6),
                                          (30.5, 19.5)])
    def test_as_cutout2d(self, size, position, array):
        expected = Cutout2D(array, position, size)
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1,
                              position=position, size=size)
        np.testing.assert_allclose(cutout.data, expected.data, rtol=1e-6)
        assert cutout.origin == expected.origin_original
        np.testing.assert_allclose(cutout.position,
                                   expected.input_position_cutout)

    def test_beyond_the_edge(self, array, wcs):
        ccd = CCDData(array, unit='nmgy', wcs=wcs)
        cutout = GalaxyCutout(ccd, noise=np.full(SHAPE, 0.1),
                              position=(2, 3), size=(20, 16))
        assert cutout.shape == (20, 16)
        assert cutout.origin == (-6, -7)
        assert cutout.position == (8, 10)
        assert np.count_nonzero(~cutout.mask) == 13 * 10
        np.testing.assert_allclose(cutout.data[7:, 6:], array[:13, :10],
                                   rtol=1e-6)
        assert np.all(cutout.data[cutout.mask] == 0)
        np.testing.assert_allclose(cutout.noise, 0.1, rtol=1e-6)
        separation = cutout.pixel_to_sky(8, 10).separation(
            wcs.pixel_to_world(2, 3))
        assert separation.arcsec < 1e-6

    def test_larger_than_the_image(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1, size=100)
        assert cutout.shape == (100, 100)
        assert np.count_nonzero(~cutout.mask) == array.size

    def test_sky(self, array, wcs):
        sky = SkyCoord(150, 2, unit='deg')
        cutout = GalaxyCutout(CCDData(array, unit='nmgy', wcs=wcs),
                              position=sky, size=5 * u.arcsec)
        assert cutout.shape == (10, 10)
        assert cutout.pixel_to_sky(*cutout.position).separation(
            sky).arcsec < 1e-6

    def test_no_usable_pixel(self, array):
        array[:20, :20] = np.nan
        with pytest.raises(ValueError, match='no usable pixel in the crop'):
            GalaxyCutout(array, unit='nmgy', pixel_scale=1, position=(5, 5),
                         size=7)

    def test_crop(self, array, wcs):
        cutout = GalaxyCutout(CCDData(array, unit='nmgy', wcs=wcs),
                              position=(20, 15), size=21)
        noise = cutout.background_noise
        part = cutout.crop(9)
        assert part.shape == (9, 9)
        assert part.origin == (16, 11)
        np.testing.assert_allclose(part.data, array[11:20, 16:25], rtol=1e-6)
        # the old one stays as it was
        assert cutout.shape == (21, 21)
        assert cutout.origin == (10, 5)
        assert cutout.background_noise == noise
        assert part.background_noise != noise


class TestFromAny:
    def test_image(self, array):
        cutout = GalaxyCutout.from_any(array, unit='nmgy', pixel_scale=1)
        assert cutout.zeropoint == 22.5

    def test_same(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1)
        assert GalaxyCutout.from_any(cutout) is cutout
        assert GalaxyCutout.from_any(cutout, calibrated=True, mask=None,
                                     size=None) is cutout
        assert GalaxyCutout.from_any(cutout, calibrated=False) is cutout

    def test_options(self, array, wcs):
        cutout = GalaxyCutout(CCDData(array, unit='nmgy', wcs=wcs),
                              position=(30, 20), size=30)
        new = GalaxyCutout.from_any(cutout, position=(25, 18), size=11,
                                    gain=3, psf_fwhm=1.5 * u.arcsec,
                                    saturation=9, name='new')
        # positions are those of the input image
        assert new.origin == (20, 13)
        assert new.position == (5, 5)
        assert (new.gain, new.psf_fwhm, new.saturation) == (3, 1.5, 9)
        assert new.name == 'new'
        assert cutout.name is None
        sky = GalaxyCutout.from_any(
            cutout, position=wcs.pixel_to_world(25, 18))
        np.testing.assert_allclose(sky.position, (10, 13), atol=1e-5)

    def test_position_without_wcs(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1)
        assert GalaxyCutout.from_any(cutout, position=(3, 4)).position == (
            3.0, 4.0)
        with pytest.raises(ValueError, match='is outside of the image'):
            GalaxyCutout.from_any(cutout, position=(300, 4))

    def test_other_options(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1)
        with pytest.raises(ValueError, match='unit, zeropoint cannot be cha'):
            GalaxyCutout.from_any(cutout, zeropoint=25, unit='Jy')

    def test_uncalibrated(self, array):
        cutout = GalaxyCutout(array, calibrated=False)
        assert GalaxyCutout.from_any(cutout, calibrated=False) is cutout
        with pytest.raises(ValueError, match='has no zero point, as it was'):
            GalaxyCutout.from_any(cutout, calibrated=True)

    def test_constructor(self, array):
        cutout = GalaxyCutout(array, unit='nmgy', pixel_scale=1)
        with pytest.raises(TypeError, match='is a GalaxyCutout already: use'):
            GalaxyCutout(cutout)


def test_galaxy(galaxy_ccd, galaxy_truth):
    cutout = GalaxyCutout(galaxy_ccd)
    assert cutout.zeropoint == pytest.approx(galaxy_truth['zeropoint'])
    assert cutout.pixel_scale == pytest.approx(galaxy_truth['pixel_scale'])
    assert cutout.background_noise == pytest.approx(galaxy_truth['noise'],
                                                    rel=0.05)
    assert (cutout.band, cutout.name) == ('r', 'sersic')


class TestOptions:
    """
    Quantities are converted or refused, and so is everything else.
    """

    def make(self, array, **options):
        return GalaxyCutout(array, **{'unit': 'Jy', 'pixel_scale': 0.5,
                                      **options})

    @pytest.mark.parametrize(('option', 'value', 'expected'), [
        ('saturation', 500 * u.mJy, 0.5), ('saturation', 0.5 * u.Jy, 0.5),
        ('gain', 3 * u.electron / u.mJy, 3000.0),
        ('gain', 3 / u.Jy, 3.0), ('gain', 3 * u.ph / u.Jy, 3.0),
        ('pixel_scale', 0.01 * u.arcmin, 0.6),
        ('psf_fwhm', 3 * u.pix, 1.5), ('psf_fwhm', 0.02 * u.arcmin, 1.2),
        ('zeropoint', np.float32(8.9), 8.9)])
    def test_converted(self, option, value, expected, array):
        cutout = self.make(array, **{option: value})
        assert getattr(cutout, option) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize('option', ['gain', 'saturation', 'psf_fwhm'])
    def test_of_a_cutout(self, option, array):
        value = {'gain': 3 * u.electron / u.mJy, 'saturation': 3 * u.kJy,
                 'psf_fwhm': 0.05 * u.arcmin}[option]
        cutout = self.make(array)
        new = GalaxyCutout.from_any(cutout, **{option: value})
        assert getattr(new, option) == pytest.approx(
            3.0 if option == 'psf_fwhm' else 3000.0)
        assert getattr(cutout, option) is None
        with pytest.raises(ValueError, match=f'{option} must be in .* unit'):
            GalaxyCutout.from_any(cutout, **{option: 1 * u.s})

    def test_counts_by_any_name(self, array):
        cutout = GalaxyCutout(array, unit='ct', calibrated=False,
                              gain=2 * u.electron / u.adu)
        assert cutout.gain == 2.0
        with pytest.raises(ValueError, match="gain must be in 'electron s / "):
            GalaxyCutout(array, unit='adu/s', calibrated=False,
                         gain=2 * u.electron / u.adu)

    @pytest.mark.parametrize(('option', 'value'), [
        ('gain', 1.2 * u.arcsec), ('saturation', 500 * u.adu),
        ('saturation', 5 * u.one), ('pixel_scale', 1 * u.s),
        ('native_pixel_scale', 1 * u.Jy), ('psf_fwhm', 1 * u.Jy)])
    def test_unit(self, option, value, array):
        with pytest.raises(ValueError, match=f"{option} must be in '.*', got "
                                             'the unit'):
            self.make(array, **{option: value})

    def test_no_unit(self, array):
        with pytest.raises(ValueError, match='saturation must be a number wi'):
            GalaxyCutout(array, calibrated=False, saturation=5 * u.adu)

    @pytest.mark.parametrize('option', [
        'gain', 'saturation', 'pixel_scale', 'native_pixel_scale',
        'psf_fwhm', 'zeropoint'])
    @pytest.mark.parametrize('value', [True, '2', [1.0, 2.0], 1j,
                                       np.ma.masked])
    def test_kind(self, option, value, array):
        with pytest.raises(TypeError, match=f'{option} must be a .*number'):
            self.make(array, **{option: value})

    @pytest.mark.parametrize('option', [
        'gain', 'saturation', 'pixel_scale', 'native_pixel_scale',
        'psf_fwhm', 'zeropoint'])
    def test_nan(self, option, array):
        with pytest.raises(ValueError, match=f'{option} must be .*finite'):
            self.make(array, **{option: np.nan})

    @pytest.mark.parametrize('option', ['mask', 'noise', 'invvar',
                                        'uncertainty', 'background'])
    @pytest.mark.parametrize('value', [1j, object(), {}])
    def test_arrays(self, option, value, array):
        with pytest.raises(TypeError, match=f'{option} must (hold|be)'):
            self.make(array, **{option: value})

    def test_others(self, array):
        with pytest.raises(TypeError, match='calibrated must be True or Fal'):
            self.make(array, calibrated='no')
        with pytest.raises(TypeError, match='calibrated must be True or Fal'):
            GalaxyCutout.from_any(self.make(array), calibrated=0)
        with pytest.raises(TypeError, match='name must be a text, got 5'):
            self.make(array, name=5)
        with pytest.raises(ValueError, match='name must be a text that UTF-8'):
            self.make(array, name='\udce9')
        with pytest.raises(ValueError, match="mag_system must be 'AB', 'ST'"):
            self.make(array, mag_system='Johnson', zeropoint=25)
        with pytest.raises(TypeError, match="mag_system must be 'AB', 'ST'"):
            self.make(array, mag_system=1, zeropoint=25)
        with pytest.raises(ValueError, match='size must be at most 1024 pix'):
            self.make(array, size=200000)
        with pytest.raises(ValueError, match='size must be at most 1024 pix'):
            self.make(array).crop(5 * u.deg)

    def test_typing_error(self, array):
        match = ("'zeropont' is not an option of GalaxyCutout: did you mean "
                 'zeropoint')
        with pytest.raises(TypeError, match=match):
            GalaxyCutout(array, zeropont=25)
        with pytest.raises(TypeError, match='did you mean position'):
            GalaxyCutout(array, centre=(3, 3))
        with pytest.raises(TypeError, match=match):
            GalaxyCutout.from_any(array, zeropont=25)
        with pytest.raises(TypeError, match=match):
            GalaxyCutout.from_any(self.make(array), zeropont=25)
        with pytest.raises(TypeError, match='did you mean pixel_scale'):
            GalaxyCutout.from_any(array, pixelscale=1)
        with pytest.raises(TypeError, match='it takes mask, uncertainty, '):
            GalaxyCutout.from_any(array, quark=1)
        with pytest.raises(TypeError, match="'zeropont' is not an option of "
                                            'IsophoteFitter: did you mean '):
            IsophoteFitter()(array, zeropont=25)


class TestBackground:
    def make(self, array, background, **options):
        return GalaxyCutout(array, **{'unit': 'mJy', 'pixel_scale': 0.5,
                                      'background': background, **options})

    def test_level(self, array):
        for level in (0.25, np.float32(0.25), 0.25 * u.mJy, 2.5e-4 * u.Jy):
            cutout = self.make(array, level)
            np.testing.assert_allclose(cutout.data, array - 0.25, atol=1e-6)
            assert cutout.background == pytest.approx(0.25)
            assert cutout.background_level == pytest.approx(0.25)
        cutout = self.make(array, None)
        assert cutout.background is None
        assert cutout.background_level == 0.0

    def test_map(self, array, tmp_path):
        sky = np.linspace(0.1, 0.3, array.size).reshape(array.shape)
        path = tmp_path / 'sky.fits'
        fits.PrimaryHDU(sky).writeto(path)
        for image in (sky, sky.tolist(), sky * u.mJy, 1e-3 * sky * u.Jy,
                      fits.ImageHDU(sky), path, str(path),
                      CCDData(1e-3 * sky, unit='Jy'), np.ma.array(sky)):
            cutout = self.make(array, image)
            np.testing.assert_allclose(cutout.data, array - sky, atol=1e-6)
            assert cutout.background_level == pytest.approx(0.2)

    def test_uint(self, array):
        # unsigned numbers do not become negative ones
        image = np.full(SHAPE, 5, dtype='u2')
        cutout = self.make(image, np.full(SHAPE, 7, dtype='u2'))
        assert np.all(cutout.data == -2)

    def test_masked(self, array):
        sky = np.full(SHAPE, 0.1)
        sky[3, 4] = np.nan
        masked = np.ma.array(np.full(SHAPE, 0.1), mask=np.isnan(sky))
        for image in (sky, masked):
            cutout = self.make(array, image)
            np.testing.assert_array_equal(cutout.mask, np.isnan(sky))
            assert cutout.background_level == pytest.approx(0.1)

    def test_crop(self, array):
        sky = np.arange(array.size, dtype=float).reshape(SHAPE)
        cutout = self.make(array, sky, position=(2, 3), size=(9, 7))
        np.testing.assert_array_equal(cutout.background[1:, 1:],
                                      sky[:8, :6])
        assert np.isnan(cutout.background[0]).all()
        assert cutout.background_level == pytest.approx(sky[:8, :6].mean())
        assert cutout.crop(3).background.shape == (3, 3)

    def test_plane_of_a_cube(self, array):
        cube = np.stack([array, 2 * array])
        sky = np.stack([np.full(SHAPE, 0.1), np.full(SHAPE, 0.2)])
        cutout = self.make(cube, sky, band=1)
        np.testing.assert_allclose(cutout.data, 2 * array - 0.2, atol=1e-6)

    def test_errors(self, array):
        with pytest.raises(ValueError, match="background has the unit 's'"):
            self.make(array, 1 * u.s)
        match = (r"if these are AB, give background.to\('mJy', "
                 r'u.zero_point_flux\(1 \* u.AB\)\)')
        with pytest.raises(ValueError, match=match):
            self.make(array, 1 * u.nmgy)
        level = (1 * u.nmgy).to('mJy', u.zero_point_flux(1 * u.AB))
        np.testing.assert_allclose(self.make(array, level).background,
                                   3.63078e-3, rtol=1e-5)
        with pytest.raises(ValueError, match='background must have the shape'):
            self.make(array, np.ones((3, 3)))
        with pytest.raises(ValueError, match='background must have a finite'):
            self.make(array, np.nan)
        with pytest.raises(TypeError, match='background must be a number, a'):
            self.make(array, True)
        with pytest.raises(FileNotFoundError, match='nowhere'):
            self.make(array, 'nowhere.fits')
        with pytest.raises(ValueError, match='background cannot be changed'):
            GalaxyCutout.from_any(self.make(array, 0.1), background=0.2)

    @pytest.mark.parametrize('level', [None, 0.05])
    def test_profile(self, level, array):
        cutout = self.make(array, level)
        sma = np.array([1.0, 2.0])
        profile = build_profile(cutout, sma, 1 / sma, 0.01 * sma,
                                ellipticity=0 * sma, theta=0 * sma)
        if level is None:
            assert 'background' not in profile.meta
        else:
            assert profile.meta['background'] == pytest.approx(0.05)


class TestScale:
    """
    Fluxes may be of any size.
    """

    @pytest.mark.parametrize('power', [-40, -32, -16, -14, 0, 14, 16, 30])
    def test_powers(self, power, array):
        array[3, 4] = np.nan
        scale = 10.0**power
        one = GalaxyCutout(array, unit='Jy', pixel_scale=0.5, noise=0.1,
                           gain=2.0, saturation=1.3, background=0.01)
        two = GalaxyCutout(scale * array, unit=u.Jy / scale, pixel_scale=0.5,
                           noise=0.1 * scale, gain=2.0 / scale,
                           saturation=1.3 * scale, background=0.01 * scale)
        inner = two.intensity_scale / one.intensity_scale / scale
        assert 1e-15 < np.median(np.abs(two.data)) < 1e15
        np.testing.assert_array_equal(one.mask, two.mask)
        for name in ('data', 'noise', 'background_noise', 'saturation',
                     'background', 'background_level'):
            np.testing.assert_allclose(np.asarray(getattr(two, name)) * inner,
                                       getattr(one, name), rtol=1e-5)
        assert two.gain / inner == pytest.approx(one.gain)
        # (the units tell the same)
        assert u.Unit(two.unit / float(inner)).to(one.unit) == (
            pytest.approx(1.0))
        assert two.sb_zeropoint == pytest.approx(
            one.sb_zeropoint + 2.5 * power, abs=1e-6)
        assert two.zeropoint - 2.5 * np.log10(
            two.data[9, 9]) == pytest.approx(
                one.zeropoint - 2.5 * np.log10(one.data[9, 9]), abs=1e-5)

    def test_without_pixel_scale(self, array):
        cutout = GalaxyCutout(1e-32 * array, unit='W / (m2 Hz)',
                              calibrated=False)
        # 1e-26 W/m2/Hz are 8.9 mag, a millionth of that 23.9
        assert cutout.zeropoint - 2.5 * np.log10(cutout.data.mean()) == (
            pytest.approx(23.9 - 2.5 * np.log10(array.mean()), abs=1e-3))
        assert cutout.intensity_unit == u.Unit('W / (m2 Hz pix2)')
        assert cutout.intensity_scale == pytest.approx(1e-32)

    def test_options_of_a_cutout(self, array):
        cutout = GalaxyCutout(2e-32 * array, unit='W / (m2 Hz)',
                              pixel_scale=0.5)
        assert cutout.unit == u.Unit(1e-32 * u.Unit('W / (m2 Hz)'))
        for level in (5e-32, 5e-6 * u.Jy):
            new = GalaxyCutout.from_any(cutout, saturation=level, gain=3e32)
            assert new.saturation == pytest.approx(5.0)
            assert new.gain == pytest.approx(3.0)

    def test_ordinary(self, array):
        cutout = GalaxyCutout(1e-9 * array, unit='Jy', pixel_scale=0.5)
        assert cutout.unit == u.Jy
        np.testing.assert_array_equal(cutout.data, (1e-9 * array).astype('f4'))
