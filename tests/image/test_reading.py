# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the reading module: every kind of image.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    Cutout2D,
    NDData,
    StdDevUncertainty,
    VarianceUncertainty,
)
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked
from astropy.wcs import WCS

from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.header import header_values
from astro_pix2prof.image.reading import read_image

SHAPE = (30, 40)


@pytest.fixture(name='array')
def make_array():
    return np.random.default_rng(0).normal(1.0, 0.1, SHAPE)


@pytest.fixture(name='header')
def make_header():
    header = fits.Header()
    header['CTYPE1'], header['CTYPE2'] = 'RA---TAN', 'DEC--TAN'
    header['CRVAL1'], header['CRVAL2'] = 150.0, 2.0
    header['CRPIX1'], header['CRPIX2'] = 20.5, 15.5
    header['CD1_1'], header['CD2_2'] = -0.4 / 3600, 0.4 / 3600
    header['BUNIT'] = 'nanomaggies'
    header['FILTER'] = 'r'
    header['OBJECT'] = 'NGC 1'
    return header


def check(cutout, array, *, unit=u.nmgy):
    assert cutout.data.dtype == np.dtype('=f4')
    assert cutout.data.flags.c_contiguous
    np.testing.assert_allclose(cutout.data, array, rtol=1e-6)
    assert not cutout.mask.any()
    assert cutout.unit == unit


class TestArrays:
    @pytest.mark.parametrize('dtype', ['f8', 'f4', '>f4', '>f8', 'i2', '>i4',
                                       'u1', 'f2'])
    def test_dtypes(self, dtype):
        array = np.arange(1200).reshape(SHAPE) % 100
        cutout = GalaxyCutout(array.astype(dtype), unit='nmgy',
                              pixel_scale=0.4)
        check(cutout, array)

    def test_input_is_kept(self, array):
        array[3, 4] = np.nan
        before = array.copy()
        GalaxyCutout(array, unit='nmgy', pixel_scale=0.4)
        np.testing.assert_array_equal(array, before)

    def test_list(self):
        cutout = GalaxyCutout([[1, 2], [3, 4]], unit='nmgy', pixel_scale=1)
        check(cutout, [[1, 2], [3, 4]])

    def test_duck_array(self, array):
        class Duck:
            def __array__(self, dtype=None, copy=None):
                return np.asarray(array, dtype=dtype)

        check(GalaxyCutout(Duck(), unit='nmgy', pixel_scale=1), array)

    def test_torch(self, array):
        torch = pytest.importorskip('torch')
        tensor = torch.tensor(array)
        check(GalaxyCutout(tensor, unit='nmgy', pixel_scale=1), array)
        with pytest.raises(TypeError, match='Tensor does not become an arr'):
            GalaxyCutout(tensor.requires_grad_(), unit='nmgy', pixel_scale=1)

    def test_masked_array(self, array):
        mask = array > 1.1
        masked = np.ma.array(array, mask=mask)
        cutout = GalaxyCutout(masked, unit='nmgy', pixel_scale=0.4)
        np.testing.assert_array_equal(cutout.mask, mask)
        assert np.all(cutout.data[mask] == 0)

    def test_quantity(self, array):
        check(GalaxyCutout(array * u.uJy, pixel_scale=0.4), array, unit=u.uJy)

    def test_masked_quantity(self, array):
        mask = array > 1.1
        masked = Masked(array * u.uJy, mask=mask)
        cutout = GalaxyCutout(masked, pixel_scale=0.4)
        np.testing.assert_array_equal(cutout.mask, mask)
        assert cutout.unit == u.uJy

    def test_table(self):
        with pytest.raises(ValueError, match=r'a QTable with the columns '
                           r'radius, .* what fitter\.fit returned'):
            GalaxyCutout(QTable({'radius': [1.0, 2.0]}))

    @pytest.mark.parametrize('dtype', [complex, str, bool, object])
    def test_not_real(self, dtype):
        with pytest.raises(ValueError, match='image must hold real numbers'):
            GalaxyCutout(np.ones(SHAPE).astype(dtype))

    @pytest.mark.parametrize('image', [None, {'a': 1}, object()])
    def test_unknown_type(self, image):
        with pytest.raises(TypeError, match='image must be an array, Quanti'):
            GalaxyCutout(image)

    @pytest.mark.parametrize('one', [CCDData(np.ones(SHAPE), unit='adu'),
                                     'a.fits', fits.PrimaryHDU()])
    def test_several(self, one):
        match = (rf'image is a list of {type(one).__name__}: give one image, '
                 'or several to fit_many')
        with pytest.raises(TypeError, match=match):
            GalaxyCutout([one, one])

    def test_ragged(self):
        with pytest.raises(TypeError, match='does not become an array'):
            GalaxyCutout([[1, 2], [3]])

    @pytest.mark.parametrize('shape', [(10,), (2, 3, 4, 5), ()])
    def test_dimensions(self, shape):
        with pytest.raises(ValueError, match='image must be 2D, or a 3D'):
            GalaxyCutout(np.ones(shape))

    @pytest.mark.parametrize('shape', [(0,), (0, 5)])
    def test_empty(self, shape):
        with pytest.raises(ValueError, match='image is empty: its shape'):
            GalaxyCutout(np.ones(shape))

    def test_hdu_without_file(self, array):
        with pytest.raises(ValueError, match='hdu chooses an extension of a'):
            GalaxyCutout(array, hdu=1)


class TestContainers:
    def test_ccddata(self, array, header):
        mask = array > 1.1
        ccd = CCDData(array, unit='nmgy', mask=mask, wcs=WCS(header),
                      uncertainty=StdDevUncertainty(np.full(SHAPE, 0.1)),
                      meta={'filter': 'g', 'object': 'M 1'})
        cutout = GalaxyCutout(ccd)
        np.testing.assert_array_equal(cutout.mask, mask)
        np.testing.assert_allclose(cutout.noise, 0.1, rtol=1e-6)
        assert cutout.unit == u.nmgy
        assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)
        assert (cutout.band, cutout.name) == ('g', 'M 1')
        # slicing keeps all
        part = GalaxyCutout(ccd[5:20, 10:30])
        np.testing.assert_array_equal(part.mask, mask[5:20, 10:30])
        assert part.pixel_to_sky(0, 0).separation(
            cutout.pixel_to_sky(10, 5)).arcsec < 1e-6

    def test_ccddata_zero_point_in_meta(self, array):
        ccd = CCDData(array, unit='adu', meta={'MAGZP': 26.5, 'GAIN': 2.0})
        cutout = GalaxyCutout(ccd, pixel_scale=1)
        assert cutout.zeropoint == 26.5
        assert cutout.gain == 2.0

    def test_nddata(self, array, header):
        image = NDData(array, wcs=WCS(header), mask=np.False_,
                       meta={'header': header})
        cutout = GalaxyCutout(image)
        check(cutout, array)
        assert cutout.name == 'NGC 1'
        check(GalaxyCutout(NDData(array * u.Jy), pixel_scale=1), array,
              unit=u.Jy)

    def test_nddata_variance(self, array):
        image = NDData(array, unit='Jy', uncertainty=VarianceUncertainty(
            np.full(SHAPE, 4.0), unit='mJy2'))
        cutout = GalaxyCutout(image, pixel_scale=1)
        np.testing.assert_allclose(cutout.noise, 2e-3, rtol=1e-6)

    def test_nddata_empty_uncertainty(self, array):
        image = NDData(array, unit='Jy',
                       uncertainty=StdDevUncertainty(None))
        assert GalaxyCutout(image, pixel_scale=1).noise is None

    def test_cutout2d(self, array, header):
        part = Cutout2D(array, (25, 12), (11, 15), wcs=WCS(header))
        cutout = GalaxyCutout(part, unit='nmgy')
        check(cutout, array[7:18, 18:33])
        assert cutout.position == (7, 5)
        assert cutout.position_given
        assert cutout.origin == (0, 0)
        sky = WCS(header).pixel_to_world(25, 12)
        assert cutout.pixel_to_sky(7, 5).separation(sky).arcsec < 1e-6

    def test_cutout2d_of_quantity(self, array):
        part = Cutout2D(array * u.nmgy, (25, 12), 9)
        check(GalaxyCutout(part, pixel_scale=1), array[8:17, 21:30])

    def test_cutout2d_of_ccddata(self, array, header):
        mask = array > 1.1
        ccd = CCDData(array, unit='nmgy', mask=mask, wcs=WCS(header))
        part = Cutout2D(ccd, (25, 12), 9, wcs=ccd.wcs)
        cutout = GalaxyCutout(part, unit='nmgy')
        np.testing.assert_array_equal(cutout.mask, mask[8:17, 21:30])
        assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)
        # the unit does not survive Cutout2D
        with pytest.raises(ValueError, match='no unit and no zero point'):
            GalaxyCutout(part)

    def test_cutout2d_beyond_the_edge(self, array):
        part = Cutout2D(array, (1, 1), 9, mode='partial')
        cutout = GalaxyCutout(part, unit='nmgy', pixel_scale=1)
        expected = np.ones((9, 9), dtype=bool)
        expected[3:, 3:] = False
        np.testing.assert_array_equal(cutout.mask, expected)
        assert cutout.position == (4, 4)
        part = Cutout2D(array, (-1, 1), 9, mode='trim')
        cutout = GalaxyCutout(part, unit='nmgy', pixel_scale=1)
        assert not cutout.position_given


class TestCubes:
    def test_error(self):
        with pytest.raises(ValueError, match='3 planes: choose one, for ex'):
            GalaxyCutout(np.ones((3, *SHAPE)))

    def test_plane(self):
        cube = np.arange(3)[:, None, None] * np.ones(SHAPE)
        cutout = GalaxyCutout(cube, band=2, unit='nmgy', pixel_scale=1,
                              mask=cube[0] > 5, noise=cube + 0.5)
        check(cutout, cube[2])
        np.testing.assert_allclose(cutout.noise, 2.5)
        assert cutout.band is None

    def test_colour_picture(self):
        picture = np.arange(3) * np.ones((*SHAPE, 1), dtype='u1')
        with pytest.raises(ValueError, match='A colour picture'):
            GalaxyCutout(picture)
        cutout = GalaxyCutout(picture, band=1, unit='nmgy', pixel_scale=1)
        check(cutout, picture[..., 1])

    @pytest.mark.parametrize('shape', [(1, *SHAPE), (1, 1, *SHAPE),
                                       (*SHAPE, 1)])
    def test_one_plane(self, shape, array):
        cutout = GalaxyCutout(array.reshape(shape), unit='nmgy',
                              pixel_scale=1, mask=np.zeros(shape, bool))
        check(cutout, array)

    @pytest.mark.parametrize('cards', [
        {'BANDS': 'grz'}, {'BANDS': 'g,r,z'}, {'BANDS': 'g r z'},
        {'BAND0': 'g', 'BAND1': 'r', 'BAND2': 'z'},
        {'FILTER1': 'g', 'FILTER2': 'r', 'FILTER3': 'z'}])
    def test_band_names(self, cards, header):
        del header['FILTER']
        header.update(cards)
        cube = np.arange(3)[:, None, None] * np.ones(SHAPE)
        hdu = fits.PrimaryHDU(cube, header)
        for band, index in (('r', 1), ('Z', 2), (0, 0)):
            cutout = GalaxyCutout(hdu, band=band)
            check(cutout, cube[index])
            assert cutout.band == 'grz'[index]
            assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)
        with pytest.raises(ValueError, match=r'one of the planes \(g, r, z'):
            GalaxyCutout(hdu, band='i')
        with pytest.raises(ValueError, match=r"\(g, r, z\): choose one, .*z'"):
            GalaxyCutout(hdu)

    def test_cube_with_3d_wcs(self, header):
        header['CTYPE3'], header['CRVAL3'] = 'WAVE', 5e-7
        header['CRPIX3'], header['CDELT3'] = 1.0, 1e-9
        header['CD3_3'] = 1e-9
        cube = np.ones((5, *SHAPE))
        wcs = WCS(header, naxis=3)
        for image in (CCDData(cube, unit='nmgy', wcs=wcs),
                      fits.PrimaryHDU(cube, header)):
            cutout = GalaxyCutout(image, band=3)
            assert cutout.wcs.naxis == 2
            assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)

    def test_unnamed(self):
        with pytest.raises(ValueError, match='the planes of the image have'):
            GalaxyCutout(np.ones((3, *SHAPE)), band='r')

    @pytest.mark.parametrize('band', [3, -1])
    def test_out_of_range(self, band):
        with pytest.raises(ValueError, match='is not one of the 3 planes'):
            GalaxyCutout(np.ones((3, *SHAPE)), band=band)

    @pytest.mark.parametrize('band', [1.0, True])
    def test_type(self, band):
        with pytest.raises(TypeError, match='band must be the name or the'):
            GalaxyCutout(np.ones((3, *SHAPE)), band=band)

    def test_plane_of_2d(self, array):
        with pytest.raises(ValueError, match='chooses the plane of a cube'):
            GalaxyCutout(array, band=1)

    def test_label_of_2d(self, array):
        cutout = GalaxyCutout(array, band='i', unit='Jy', pixel_scale=1)
        assert cutout.band == 'i'


class TestFiles:
    @pytest.mark.parametrize('name', ['a.fits', 'a.fits.gz', 'a.fit'])
    def test_path(self, name, array, header, tmp_path):
        path = tmp_path / name
        del header['OBJECT']
        fits.PrimaryHDU(array.astype('f4'), header).writeto(path)
        for image in (path, str(path)):
            cutout = GalaxyCutout(image)
            check(cutout, array.astype('f4'))
            assert (cutout.band, cutout.name) == ('r', 'a')

    def test_compressed_image(self, array, header, tmp_path):
        path = tmp_path / 'a.fits.fz'
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
            array.astype('f4'), header,
            compression_type='GZIP_2', quantize_level=0)]).writeto(path)
        cutout = GalaxyCutout(path)
        check(cutout, array.astype('f4'))
        assert cutout.pixel_scale == pytest.approx(0.4, rel=1e-6)
        assert cutout.name == 'NGC 1'

    def test_scaled_integers(self, header, tmp_path):
        data = (np.arange(1200) + 40000).astype('u2').reshape(SHAPE)
        path = tmp_path / 'a.fits'
        header['BUNIT'] = 'adu'
        fits.PrimaryHDU(data, header).writeto(path)
        check(GalaxyCutout(path, zeropoint=25), data, unit=u.adu)

    def test_hdu(self, array, header):
        for kind in (fits.PrimaryHDU, fits.ImageHDU):
            check(GalaxyCutout(kind(array, header)), array)

    def test_choice(self, array, header):
        images = fits.HDUList([
            fits.PrimaryHDU(),
            fits.ImageHDU(np.ones((2, *SHAPE)), header, name='CUBE'),
            fits.ImageHDU(array, header, name='SCI', ver=1),
            fits.ImageHDU(array + 1, header, name='SCI', ver=2),
            fits.BinTableHDU.from_columns(
                [fits.Column('A', 'E', array=[1.0])], name='CAT')])
        with pytest.warns(AstropyUserWarning,
                          match=r'holds 2 images \(2 SCI, 3 SCI\): the first'):
            check(GalaxyCutout(images), array)
        check(GalaxyCutout(images, hdu=3), array + 1)
        check(GalaxyCutout(images, hdu=-2), array + 1)
        check(GalaxyCutout(images, hdu='sci'), array)
        check(GalaxyCutout(images, hdu=('SCI', 2)), array + 1)
        check(GalaxyCutout(images, hdu='CUBE', band=0), np.ones(SHAPE))
        with pytest.raises(ValueError, match='holds: 0 PRIMARY, 1 CUBE'):
            GalaxyCutout(images, hdu='ERR')
        with pytest.raises(ValueError, match='hdu=9 is not in the file'):
            GalaxyCutout(images, hdu=9)
        with pytest.raises(TypeError, match='hdu must be a number, a name'):
            GalaxyCutout(images, hdu=True)
        with pytest.raises(ValueError, match="'CAT' is a table, not an im"):
            GalaxyCutout(images, hdu='CAT')
        with pytest.raises(ValueError, match="'PRIMARY' holds no data"):
            GalaxyCutout(images, hdu=0)

    def test_no_image(self):
        with pytest.raises(ValueError, match=r'extensions holds no image$'):
            GalaxyCutout(fits.HDUList([fits.PrimaryHDU()]))

    def test_not_fits(self, tmp_path):
        path = tmp_path / 'a.fits'
        path.write_text('no image at all')
        with pytest.raises(OSError, match='is not a readable FITS file'):
            GalaxyCutout(path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'b\.fits'):
            GalaxyCutout(tmp_path / 'b.fits')

    def test_primary_header_counts(self, array, header):
        primary = fits.PrimaryHDU()
        primary.header['EXPTIME'] = 100.0
        science = fits.ImageHDU(array, header, name='SCI')
        science.header['BUNIT'] = 'ELECTRONS'
        science.header['PHOTFLAM'] = 7.072e-20
        cutout = GalaxyCutout(fits.HDUList([primary, science]))
        # -2.5 log10(7.072e-20) - 21.10 + 5
        assert cutout.zeropoint == pytest.approx(31.776, abs=1e-3)
        assert cutout.mag_system == 'ST'

    def test_bands_of_file(self, array, header):
        images = fits.HDUList([fits.PrimaryHDU()])
        for i, band in enumerate('gr'):
            for kind in ('image', 'invvar'):
                data = array + i if kind == 'image' else np.full(
                    SHAPE, 4.0 + 12 * i)
                hdu = fits.ImageHDU(data, header)
                del hdu.header['FILTER']
                hdu.header['BAND'], hdu.header['IMAGETYP'] = band, kind
                images.append(hdu)
        for i, band in enumerate('gr'):
            cutout = GalaxyCutout(images, band=band)
            check(cutout, array + i)
            np.testing.assert_allclose(cutout.noise, 0.5 - 0.25 * i)
        with pytest.warns(AstropyUserWarning,
                          match=r'holds 2 images .* or band= \(g, r\)'):
            assert GalaxyCutout(images).band == 'g'
        with pytest.raises(ValueError, match=r'bands of the file \(g, r\)'):
            GalaxyCutout(images, band='z')


class TestCompanions:
    def images(self, array, header, *others):
        return fits.HDUList([fits.PrimaryHDU(),
                             fits.ImageHDU(array, header, name='SCI'),
                             *others])

    @pytest.mark.parametrize(('name', 'value'), [
        ('ERR', 0.5), ('SIGMA', 0.5), ('UNCERT', 0.5), ('VARIANCE', 0.25),
        ('IVAR', 4.0), ('INVVAR', 4.0)])
    def test_errors(self, name, value, array, header):
        data = np.full(SHAPE, value)
        data[2, 3] = 0.0
        data[4, 5] = np.nan
        cutout = GalaxyCutout(self.images(
            array, header, fits.ImageHDU(data, name=name)))
        bad = np.zeros(SHAPE, dtype=bool)
        bad[2, 3] = bad[4, 5] = True
        np.testing.assert_array_equal(cutout.mask, bad)
        np.testing.assert_allclose(cutout.noise, 0.5)

    def test_error_first(self, array, header):
        # an error image in front of the image is not taken for it
        images = fits.HDUList([fits.PrimaryHDU(),
                               fits.ImageHDU(array + 9, name='ERR'),
                               fits.ImageHDU(array, header)])
        check(GalaxyCutout(images), array)

    def test_mask(self, array, header):
        flags = np.zeros(SHAPE, dtype='i2')
        flags[1, 1], flags[2, 2] = 1, 4
        images = self.images(array, header, fits.ImageHDU(flags, name='DQ'))
        np.testing.assert_array_equal(GalaxyCutout(images).mask, flags > 0)
        np.testing.assert_array_equal(
            GalaxyCutout(images, bad_bits=4).mask, flags == 4)
        # of JWST's flags, only DO_NOT_USE says that a pixel is bad
        images[0].header['TELESCOP'] = 'JWST'
        np.testing.assert_array_equal(GalaxyCutout(images).mask, flags == 1)

    def test_rubin_mask(self, array, header):
        flags = np.zeros(SHAPE, dtype='i4')
        flags[1, 1], flags[2:, 2:] = 1, 32
        mask = fits.ImageHDU(flags, name='MASK')
        mask.header['MP_BAD'], mask.header['HIERARCH MP_DETECTED'] = 0, 5
        cutout = GalaxyCutout(self.images(array, header, mask))
        np.testing.assert_array_equal(cutout.mask, flags == 1)

    def test_versions(self, array, header):
        images = fits.HDUList([fits.PrimaryHDU()])
        for ver in (1, 2):
            images.append(fits.ImageHDU(array, header, name='SCI', ver=ver))
            images.append(fits.ImageHDU(np.full(SHAPE, 0.1 * ver),
                                        name='ERR', ver=ver))
        cutout = GalaxyCutout(images, hdu=('SCI', 2))
        np.testing.assert_allclose(cutout.noise, 0.2, rtol=1e-6)

    def test_ambiguous(self, array, header):
        ones = np.ones(SHAPE)
        images = self.images(array, header, fits.ImageHDU(ones, name='ERR'),
                             fits.ImageHDU(ones, name='IVAR'))
        match = r'2 extensions .* uncertainty \(2 ERR, 3 IVAR\): none is used'
        with pytest.warns(AstropyUserWarning, match=match):
            assert GalaxyCutout(images).noise is None

    def test_other_shape(self, array, header):
        images = self.images(array, header,
                             fits.ImageHDU(np.ones((5, 5)), name='ERR'))
        match = r'extension 2 ERR has the shape \(5, 5\) and not that of the'
        with pytest.warns(AstropyUserWarning, match=match):
            assert GalaxyCutout(images).noise is None
        # (of several images, it may belong to another one)
        images.append(fits.ImageHDU(np.ones((5, 5))))
        assert GalaxyCutout(images, hdu=1).noise is None

    def test_unit_of_errors(self, array, header):
        error = fits.ImageHDU(np.full(SHAPE, 0.5), name='ERR')
        error.header['BUNIT'] = 'maggy'
        cutout = GalaxyCutout(self.images(array, header, error))
        np.testing.assert_allclose(cutout.noise, 5e8)
        error.header['BUNIT'] = 'nonsense'
        cutout = GalaxyCutout(self.images(array, header, error))
        np.testing.assert_allclose(cutout.noise, 0.5)
        error.header['BUNIT'] = 's'
        with pytest.warns(AstropyUserWarning, match="unit 's' of ERR does no"):
            cutout = GalaxyCutout(self.images(array, header, error))
        np.testing.assert_allclose(cutout.noise, 0.5)

    @pytest.mark.parametrize(('kind', 'value'), [
        (StdDevUncertainty, 0.5), (VarianceUncertainty, 0.25)])
    def test_written_ccddata(self, kind, value, array, tmp_path):
        mask = array > 1.1
        ccd = CCDData(array, unit='nmgy', mask=mask,
                      uncertainty=kind(np.full(SHAPE, value)))
        ccd.write(tmp_path / 'a.fits')
        cutout = GalaxyCutout(tmp_path / 'a.fits', pixel_scale=1)
        np.testing.assert_array_equal(cutout.mask, mask)
        np.testing.assert_allclose(cutout.noise, 0.5)

    def test_unknown_kind(self, array, header):
        error = fits.ImageHDU(np.ones(SHAPE), name='UNCERT')
        error.header['UTYPE'] = 'UnknownUncertainty'
        cutout = GalaxyCutout(self.images(array, header, error))
        assert cutout.noise is None


class TestHeaders:
    def test_bad_bunit(self, array, header):
        header['BUNIT'] = 'florins'
        match = "BUNIT='florins' is not understood and ignored"
        with pytest.warns(AstropyUserWarning, match=match):
            cutout = GalaxyCutout(fits.PrimaryHDU(array, header),
                                  zeropoint=25)
        assert cutout.unit == u.dimensionless_unscaled

    def test_unusable_bunit(self, array, header):
        header['BUNIT'] = 'Jy/beam'
        with pytest.raises(ValueError, match='is a flux per beam'):
            GalaxyCutout(fits.PrimaryHDU(array, header))
        cutout = GalaxyCutout(fits.PrimaryHDU(array, header), unit='Jy')
        check(cutout, array, unit=u.Jy)

    def test_wrong_bunit(self, array, header):
        with pytest.warns(AstropyUserWarning, match="says BUNIT='nmgy'"):
            cutout = GalaxyCutout(fits.PrimaryHDU(array, header), unit='Jy')
        assert cutout.unit == u.Jy

    def test_bad_wcs(self, array, header):
        header['CTYPE1'] = 'RA---TAX'
        header['CTYPE2'] = 'DEC--SIN'
        match = 'WCS of the image cannot be used: .*; it is left aside'
        with pytest.warns(AstropyUserWarning, match=match):
            cutout = GalaxyCutout(fits.PrimaryHDU(array, header),
                                  pixel_scale=1)
        assert cutout.wcs is None

    def test_no_celestial_wcs(self, array, header):
        header['CTYPE1'], header['CTYPE2'] = 'LINEAR', 'LINEAR'
        cutout = GalaxyCutout(fits.PrimaryHDU(array, header), pixel_scale=1)
        assert cutout.wcs is None

    def test_header_values(self):
        first = fits.Header([('A', 1), ('B', 2), ('COMMENT', 'x')])
        values = header_values(first, {'b': 3, 'c': [1], 4: 5}, None)
        assert values == {'A': 1, 'B': 3}

    def test_unreadable_card(self):
        header = fits.Header.fromstring(
            "A       = 1" + ' ' * 69 + "B       = what'" + ' ' * 65)
        assert header_values(header)['A'] == 1

    def test_parts(self, array, header):
        parts = read_image(fits.PrimaryHDU(array, header))
        assert parts.unit_from_header
        assert parts.header['FILTER'] == 'r'
        assert parts.position is None


class TestRealData:
    def test_viewer_cube(self, real_data):
        path = real_data / 'sdss_legacy_viewer_cubes' / 'ngc3610.fits'
        cutout = GalaxyCutout(path, band='r', unit='nanomaggy',
                              native_pixel_scale=0.396)
        assert cutout.shape == (256, 256)
        assert cutout.pixel_scale == pytest.approx(1.0, rel=1e-6)
        # 22.5 + 2.5 log10(0.396**2)
        assert cutout.zeropoint == pytest.approx(20.489, abs=1e-3)
        pixel = cutout.data[128, 128]
        assert (cutout.sb_zeropoint - 2.5 * np.log10(
            pixel * cutout.intensity_scale)) == pytest.approx(
                20.489 - 2.5 * np.log10(pixel), abs=1e-3)
        with pytest.raises(ValueError, match=r'3 planes \(g, r, i\)'):
            GalaxyCutout(path, unit='nanomaggy')

    def test_edge_on(self, real_data):
        path = real_data / 'sdss_legacy_viewer_cubes' / 'eso243-49.fits'
        cutout = GalaxyCutout(path, band='z', unit='nanomaggy',
                              native_pixel_scale=0.262)
        # 22.5 + 2.5 log10(0.262**2 / 0.25**2)
        assert cutout.zeropoint == pytest.approx(22.602, abs=1e-3)
        assert cutout.band == 'z'

    def test_infrared(self, real_data):
        path = (real_data / 'ngc4608_irac1'
                / 'n4608irac1ss_fitted_cutout.fits')
        unit = u.MJy / u.sr / 187.75
        with pytest.warns(AstropyUserWarning, match="BUNIT='MJy / sr'"):
            cutout = GalaxyCutout(path, unit=unit)
        assert cutout.intensity_scale == 1.0
        # 20.472 + 2.5 log10(187.75)
        assert cutout.sb_zeropoint == pytest.approx(26.156, abs=1e-3)
        assert cutout.pixel_scale == pytest.approx(0.6, rel=1e-4)
        # CD matrix: east = (0.809, 1.457), north = (1.457, -0.809) along x
        assert cutout.to_sky_pa(0)[0] == pytest.approx(29.07, abs=0.05)

    def test_pairs(self, real_data):
        path = real_data / 'decals_pair' / 'cutout_59.1067_-30.4848.fits'
        for band in 'grz':
            cutout = GalaxyCutout(path, band=band, unit='nanomaggy')
            assert cutout.band == band
            assert cutout.pixel_scale == pytest.approx(0.262, rel=1e-4)
            assert cutout.background_noise == pytest.approx(
                np.median(cutout.noise), rel=0.15)

    def test_counts(self, real_data):
        cutout = GalaxyCutout(real_data / 'm51_photutils' / 'M51.fits',
                              calibrated=False)
        assert cutout.shape == (512, 512)
        assert np.isnan(cutout.sb_zeropoint)
        assert 3 < cutout.background_noise < 5
