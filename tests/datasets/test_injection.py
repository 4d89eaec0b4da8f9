# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of galaxies that are added to images.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.modeling.models import Const2D, Gaussian2D, Sersic2D
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from photutils.aperture import CircularAperture, aperture_photometry
from scipy.special import gamma, gammainc, gammaincinv

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    compare_profiles,
    inject,
    load_example,
    load_example_truth,
    model_image,
)
from astro_pix2prof.image.plain import read_plain

SHAPE = (101, 121)
SIGMA = 3.0
BLOB = Gaussian2D(amplitude=2.0, x_stddev=SIGMA, y_stddev=SIGMA)
FLUX = 2 * np.pi * 2.0 * SIGMA**2


@pytest.fixture(name='field')
def fixture_field(make_wcs):
    return CCDData(np.full(SHAPE, 0.5), unit='nmgy', wcs=make_wcs(SHAPE),
                   meta=fits.Header({'FILTER': 'r'}))


def moments(data):
    """
    Sum, centre (x, y) and standard deviation in x.
    """
    y, x = np.indices(data.shape)
    total = data.sum()
    x0, y0 = (x * data).sum() / total, (y * data).sum() / total
    return total, x0, y0, np.sqrt(((x - x0)**2 * data).sum() / total)


class TestModel:
    @pytest.mark.parametrize('position', [(60.0, 50.0), (40.25, 61.6)])
    def test_flux_and_place(self, field, position):
        image = inject(BLOB, field, position=position)
        total, x, y, width = moments(image.data - field.data)
        assert_allclose(total, FLUX, rtol=1e-6)
        assert_allclose((x, y), position, atol=1e-6)
        # (a pixel has a width of its own)
        assert_allclose(width, np.hypot(SIGMA, np.sqrt(1 / 12)), rtol=1e-3)
        header = image.header
        assert_allclose(header['INJFL1'], FLUX, rtol=1e-6)
        assert_allclose(header['INJMG1'], 22.5 - 2.5 * np.log10(FLUX),
                        atol=1e-6)
        assert (header['INJX1'], header['INJY1']) == position
        assert header['INJTY1'] == 'model'
        assert header['NINJECT'] == 1
        # the image that was given is left alone
        assert_array_equal(field.data, 0.5)
        assert 'NINJECT' not in field.header

    def test_middle(self, field):
        image = inject(BLOB, field)
        _, x, y, _ = moments(image.data - field.data)
        assert_allclose((x, y), (60, 50), atol=1e-6)

    def test_sky_position(self, field):
        coord = field.wcs.pixel_to_world(33.3, 71.8)
        for position in (coord, (coord.ra, coord.dec)):
            image = inject(BLOB, field, position=position)
            _, x, y, _ = moments(image.data - field.data)
            assert_allclose((x, y), (33.3, 71.8), atol=1e-4)
        there = SkyCoord(image.header['INJRA1'], image.header['INJDE1'],
                         unit='deg')
        assert there.separation(coord) < 0.001 * u.arcsec

    @pytest.mark.parametrize('psf', [4.0 * u.pix, 4.0 * 0.396 * u.arcsec])
    def test_psf(self, field, psf):
        image = inject(BLOB, field, psf=psf)
        total, x, y, width = moments(image.data - field.data)
        assert_allclose(total, FLUX, rtol=1e-3)
        assert_allclose((x, y), (60, 50), atol=1e-6)
        expected = np.sqrt(SIGMA**2 + 1 / 12
                           + (4 * gaussian_fwhm_to_sigma)**2)
        assert_allclose(width, expected, rtol=0.02)

    def test_edge(self, field):
        """
        Light beyond the edge is lost, and not brought back by the PSF.
        """
        image = inject(BLOB, field, position=(0, 50), psf=3 * u.pix)
        half = image.header['INJFL1'] / FLUX
        assert 0.5 < half < 0.6
        assert_allclose((image.data - 0.5).sum(), image.header['INJFL1'],
                        rtol=1e-9)
        assert np.all(image.data[:, -1] - 0.5 < 1e-12)

    def test_several(self, field):
        first = inject(BLOB, field, position=(30, 30))
        second = inject(BLOB, first, position=(80, 70))
        assert second.header['NINJECT'] == 2
        assert [second.header[f'INJX{k}'] for k in (1, 2)] == [30, 80]
        assert_allclose((second.data - 0.5).sum(), 2 * FLUX, rtol=1e-6)


class TestArray:
    @pytest.mark.parametrize('position', [(60, 50), (40.3, 20.75)])
    def test_flux_and_place(self, field, position):
        stamp = np.random.default_rng(1).random((9, 12))
        image = inject(stamp, field, position=position)
        added = image.data - field.data
        assert_allclose(added.sum(), stamp.sum(), rtol=1e-12)
        _, x, y, _ = moments(added)
        _, x0, y0, _ = moments(stamp)
        assert_allclose((x - x0, y - y0), np.subtract(position, (5.5, 4)),
                        atol=1e-6)
        assert image.header['INJTY1'] == 'array'

    def test_whole_pixels(self, field):
        stamp = np.arange(15.0).reshape(3, 5)
        image = inject(stamp.tolist(), field, position=(10, 20))
        assert_allclose(image.data[19:22, 8:13] - 0.5, stamp, atol=1e-12)

    def test_large(self, field):
        """
        A stamp that is larger than the image is cut.
        """
        image = inject(np.ones((301, 301)), field)
        assert_allclose(image.data, 1.5)


class TestProfile:
    def test_model_of_the_same_image(self):
        field, truth = load_example(), load_example_truth()
        model = model_image(truth, field)
        image = inject(truth, CCDData(np.zeros(field.shape), unit='nmgy',
                                      wcs=field.wcs),
                       position=(truth.meta['x_centre'],
                                 truth.meta['y_centre']))
        assert_allclose(image.data, model, atol=1e-9 + 1e-4 * model.max())

    def test_other_image(self, make_wcs):
        """
        Magnitudes and angles are kept in another unit, scale and turn.
        """
        truth = load_example_truth()
        wcs = make_wcs((400, 400), pixel_scale=0.25, rotation=50.0)
        image = inject(truth, CCDData(np.zeros((400, 400)), unit='uJy',
                                      wcs=wcs), position=(190, 205))
        zero = (0 * u.ABmag).to_value(u.uJy)
        mag = -2.5 * np.log10(image.data.sum() / zero)
        assert_allclose(mag, image.header['INJMG1'], atol=1e-6)
        last = truth['mag_enclosed'][-1].value
        assert_allclose(mag, last, atol=0.02)
        # the major axis on the sky, from the moments
        y, x = np.indices(image.shape) - np.array([205, 190])[:, None, None]
        xx, yy, xy = ((part * image.data).sum() for part in (
            x * x, y * y, x * y))
        theta = 0.5 * np.arctan2(2 * xy, xx - yy)
        ends = wcs.pixel_to_world([190, 190 + np.cos(theta)],
                                  [205, 205 + np.sin(theta)])
        pa = ends[0].position_angle(ends[1]).deg
        expected = np.median(truth['pa'][-20:].value)
        assert abs((pa - expected + 90) % 180 - 90) < 3

    def test_recovered(self, make_wcs):
        """
        The network finds the profile that was put in.
        """
        truth = load_example_truth()
        rng = np.random.default_rng(7)
        field = CCDData(rng.normal(0, 0.022, (256, 256)), unit='nmgy',
                        wcs=make_wcs((256, 256)))
        image = inject(truth, field, position=(131, 120))
        profile = Pix2ProfFitter()(image)
        # (the profile was that of a galaxy elsewhere)
        with pytest.warns(AstropyUserWarning, match='of one galaxy'):
            table = compare_profiles({'network': profile}, truth)
        bright = table['faint'].value <= 25
        assert bright.any()
        assert np.all(table['median_abs'][bright].value < 0.08)

    def test_without_zero_point(self, sersic_profile, make_wcs):
        field = CCDData(np.zeros((128, 128)), unit='nmgy',
                        wcs=make_wcs((128, 128)))
        image = inject(sersic_profile, field, calibrated=False)
        assert image.data.sum() > 0
        field.unit = 'adu'
        match = 'galaxy has intensities in nmgy / arcsec2, but the image'
        with pytest.raises(ValueError, match=match):
            inject(sersic_profile, field, calibrated=False)


class TestNoise:
    def test_photons(self, field):
        """
        Per pixel, the variance of the photons is the signal over the gain.
        """
        stamp = np.full((80, 100), 3.0)
        image = inject(stamp, field, noise=True, gain=25.0, seed=3)
        added = image.data - field.data
        inside = added[15:85, 15:105]
        assert_allclose(inside.mean(), 3.0, atol=0.02)
        assert_allclose(inside.var(), 3.0 / 25, rtol=0.06)
        assert_array_equal(added[:5], 0)
        # the truth has no noise
        assert_allclose(image.header['INJFL1'], stamp.sum())
        again = inject(stamp, field, noise=True, gain=25.0, seed=3)
        assert_array_equal(again.data, image.data)

    @pytest.mark.parametrize(('kind', 'power'), [
        (StdDevUncertainty, 1), (VarianceUncertainty, 2),
        (InverseVariance, -2)])
    def test_uncertainty(self, field, kind, power):
        field.uncertainty = kind(np.full(SHAPE, 0.2**power))
        stamp = np.full((21, 21), 3.0)
        quiet = inject(stamp, field)
        assert_allclose(quiet.uncertainty.array, 0.2**power)
        image = inject(stamp, field, noise=True, gain=50.0, seed=1)
        assert type(image.uncertainty) is kind
        assert_allclose(image.uncertainty.array[50, 60],
                        np.sqrt(0.2**2 + 3.0 / 50)**power)
        assert_allclose(image.uncertainty.array[0, 0], 0.2**power)

    def test_no_gain(self, field):
        match = 'noise needs the electrons per data unit'
        with pytest.raises(ValueError, match=match):
            inject(BLOB, field, noise=True)

    def test_unknown_uncertainty(self, field):
        field.uncertainty = UnknownUncertainty(np.ones(SHAPE))
        match = 'the image must have a standard deviation, variance or inv'
        with (pytest.warns(AstropyUserWarning, match='is ignored'),
              pytest.raises(ValueError, match=match)):
            inject(BLOB, field, noise=True, gain=1.0)


class TestKinds:
    def test_file(self, field, tmp_path):
        path = tmp_path / 'field.fits'
        field.write(path)
        image = inject(BLOB, path, position=(30, 40))
        assert image.unit == field.unit
        assert_allclose(image.wcs.pixel_to_world(3, 4).ra,
                        field.wcs.pixel_to_world(3, 4).ra)
        assert_allclose((image.data - 0.5).sum(), FLUX, rtol=1e-5)
        # and the result can be written, with its truth
        image.write(tmp_path / 'injected.fits')
        header = fits.getheader(tmp_path / 'injected.fits')
        assert header['INJX1'] == 30
        assert_allclose(header['INJFL1'], FLUX, rtol=1e-6)

    def test_dict_header(self, galaxy_ccd):
        image = inject(BLOB, galaxy_ccd, position=(20, 20))
        assert image.header['NINJECT'] == 1
        assert 'NINJECT' not in galaxy_ccd.header

    def test_faint_unit(self, make_wcs):
        """
        Values that single precision does not hold keep their unit.
        """
        field = CCDData(np.full(SHAPE, 1e-20), unit='W / (m2 Hz)',
                        wcs=make_wcs(SHAPE))
        blob = Gaussian2D(amplitude=2e-20, x_stddev=SIGMA, y_stddev=SIGMA)
        image = inject(blob, field)
        assert image.unit == field.unit
        assert_allclose((image.data - field.data).sum(), FLUX * 1e-20,
                        rtol=1e-6)
        assert_allclose(image.header['INJFL1'], FLUX * 1e-20, rtol=1e-6)


CARDS = {'MAGZERO': 27.5, 'EXPTIME': 90.0, 'SATURATE': 6e4, 'GAIN': 2.0,
         'INSTRUME': 'DECam'}


class TestHeader:
    """
    The header of the extension that was read is that of the result.
    """

    @pytest.fixture(name='hdulist')
    def fixture_hdulist(self, field):
        header = field.wcs.to_header()
        header.update(CARDS)
        header['BUNIT'] = 'adu'
        header['EXTNAME'] = 'SCI'
        header['HISTORY'] = 'a step'
        primary = fits.PrimaryHDU()
        primary.header['TELESCOP'] = 'one'
        noise = np.random.default_rng(2).normal(100, 5, SHAPE)
        return fits.HDUList([primary, fits.ImageHDU(noise * 0, name='OTHER'),
                             fits.ImageHDU(noise, header)])

    @pytest.mark.parametrize('kind', ['path', 'hdulist', 'hdu'])
    def test_kept(self, hdulist, tmp_path, kind):
        hdulist.writeto(tmp_path / 'a.fits')
        image, options = {
            'path': (tmp_path / 'a.fits', {'hdu': 'SCI'}),
            'hdulist': (hdulist, {'hdu': 'SCI'}),
            'hdu': (hdulist['SCI'], {})}[kind]
        result = inject(BLOB, image, position=(60, 50), **options)
        for key, value in CARDS.items():
            assert result.header[key] == value
        assert result.unit == 'adu'
        assert list(result.header['HISTORY']) == ['a step']
        assert ('TELESCOP' in result.header) == (kind != 'hdu')
        assert not {'EXTNAME', 'BUNIT', 'NAXIS', 'CRVAL1', 'PC1_1'} & set(
            result.header)
        # and it goes on from a file, with the same zero point and place
        result.write(tmp_path / 'b.fits')
        twice = inject(BLOB, tmp_path / 'b.fits', position=(30, 30))
        assert twice.header['NINJECT'] == 2
        assert twice.header['INJX1'] == 60
        assert_allclose(twice.header['INJMG2'],
                        27.5 - 2.5 * np.log10(FLUX), atol=1e-3)
        assert_allclose(twice.header['INJRA1'], result.header['INJRA1'])
        first, last = GalaxyCutout(image, **options), GalaxyCutout(twice)
        for name in ('zeropoint', 'gain', 'saturation', 'pixel_scale'):
            assert_allclose(getattr(last, name), getattr(first, name))

    def test_other_containers(self, hdulist, tmp_path):
        hdu = hdulist['SCI']
        data = NDData(hdu.data, unit='adu', wcs=WCS(hdu.header),
                      meta={'header': hdu.header, 'MAGZERO': np.float64(26),
                            'SEEING': np.nan})
        assert inject(BLOB, data).header['MAGZERO'] == 26
        assert inject(BLOB, data).header['SATURATE'] == 6e4
        fits.PrimaryHDU(hdu.data, hdu.header).writeto(tmp_path / 'a.fits')
        plain = read_plain(tmp_path / 'a.fits')
        assert plain is not None
        assert inject(BLOB, plain).header['EXPTIME'] == 90

    def test_pixels_are_unpacked_once(self, hdulist):
        hdu = hdulist['SCI']
        hdu.data /= 50
        hdu.header.update(BSOFTEN=1.0, BOFFSET=0.0)
        result = inject(BLOB, hdu)
        assert 'BSOFTEN' not in result.header
        assert_allclose(GalaxyCutout(result).data, result.data)

    def test_scaled_values(self, hdulist):
        hdu = hdulist['SCI']
        hdu.data *= 1e-20
        hdu.header['MAGZERO'] = -22.5
        result = inject(np.full((3, 3), 1e-19), hdu)
        assert result.unit == 'adu'
        assert result.header['MAGZERO'] == -22.5
        first, last = GalaxyCutout(hdu), GalaxyCutout(result)
        assert first._data_scale != 1
        assert_allclose(last.sb_zeropoint, first.sb_zeropoint)

    def test_cutout_of_counts(self, hdulist):
        cutout = GalaxyCutout(hdulist['SCI'])
        last = GalaxyCutout(inject(BLOB, cutout))
        for name in ('zeropoint', 'gain', 'mag_system'):
            assert getattr(last, name) == getattr(cutout, name)


class TestErrors:
    def test_galaxy(self, field):
        with pytest.raises(TypeError, match='galaxy must be a profile, a 2D'):
            inject('galaxy', field)
        with pytest.raises(ValueError, match='got an array of shape'):
            inject(np.ones(5), field)
        match = 'galaxy must be a model with parameters x_0 and y_0'
        with pytest.raises(ValueError, match=match):
            inject(Const2D(1.0), field)
        with pytest.raises(ValueError, match='galaxy must be finite'):
            inject(np.full((3, 3), np.nan), field)
        with pytest.raises(ValueError, match='galaxy must have light in the'):
            inject(np.zeros((3, 3)), field)

        with pytest.raises(TypeError, match='compound model one after'):
            inject(Sersic2D() + BLOB, field)

    @pytest.mark.parametrize(('unit', 'match'), [
        ('nmgy', "GAIN of the header is electrons per count and not used "
                 "for the unit 'nmgy'; give gain="),
        ('adu / arcsec2', 'is electrons per count and not used for'),
        ('adu / s', 'no valid one, or no exposure time: GAIN=2.0')])
    def test_gain_of_counts(self, field, unit, match):
        field.unit = unit
        field.header['GAIN'] = 2.0
        field.header['MAGZERO'] = 22.5 if unit == 'nmgy' else 25.0
        with pytest.raises(ValueError, match=match):
            inject(BLOB, field, noise=True)

    def test_rings(self, galaxy_ccd, sersic_profile):
        profile = sersic_profile.copy()
        profile['intensity'][1:] = np.nan
        match = 'galaxy must have at least two rings of finite intensity'
        with pytest.raises(ValueError, match=match):
            inject(profile, galaxy_ccd)

    def test_systems(self, galaxy_ccd, sersic_profile):
        profile = sersic_profile.copy()
        profile.meta['mag_system'] = 'Vega'
        match = 'galaxy has Vega magnitudes, and the image AB'
        with pytest.raises(ValueError, match=match):
            inject(profile, galaxy_ccd)

    def test_options(self, field):
        with pytest.raises(ValueError, match='size cannot be given'):
            inject(BLOB, field, size=30)
        with pytest.raises(TypeError, match='noise must be True or False'):
            inject(BLOB, field, noise='a')
        with pytest.raises(ValueError, match='outside of the image'):
            inject(Sersic2D(), field, position=(500, 3))


@pytest.mark.parametrize(('n', 'r_eff'), [(1, 8), (2.5, 3), (4, 3), (6, 2)])
@pytest.mark.parametrize('offset', [(0.0, 0.0), (0.5, 0.5), (0.3, 0.2)])
def test_cusp(n, r_eff, offset):
    """
    A cusp on a point of the grid had up to 3 mag too much light.

    The light of the law within a circle is that of Graham & Driver (2005).
    """
    size = 201
    image = CCDData(np.zeros((size, size)), unit='nmgy')
    place = np.array([100.0, 100.0]) + offset
    found = inject(Sersic2D(amplitude=0.05, r_eff=r_eff, n=n), image,
                   position=place, pixel_scale=0.4).data
    y, x = np.indices(image.shape)
    radius = np.hypot(x - place[0], y - place[1])
    b = gammaincinv(2 * n, 0.5)
    total = (2 * np.pi * n * 0.05 * r_eff**2 * np.exp(b) * b**(-2 * n)
             * gamma(2 * n))
    inside = total * gammainc(2 * n, b * (40 / r_eff)**(1 / n))
    assert_allclose(found[radius < 40].sum(), inside, rtol=3e-3)
    core = total * gammainc(2 * n, b * (3 / r_eff)**(1 / n))
    fine = aperture_photometry(found, CircularAperture(place, 3),
                               method='exact')['aperture_sum'][0]
    assert_allclose(fine, core, rtol=0.02)
