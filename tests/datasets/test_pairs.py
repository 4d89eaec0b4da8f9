# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the pairs, sga and shards modules.
"""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import GalaxyCutout, build_profile, write_profile
from astro_pix2prof.datasets.pairs import ImageProfilePair, read_pairs
from astro_pix2prof.datasets.sga import read_sga
from astro_pix2prof.training.shards import write_shards

SCALE = 0.262
SMA = np.concatenate([np.arange(0, 5), np.geomspace(5, 30, 12)])
VALUE = 2 * np.exp(-SMA / 5)


def make_pair(name='a_r', shape=(40, 50), **options):
    group, _, band = name.rpartition('_')
    rng = np.random.default_rng(1)
    options = {
        'name': name, 'group': group, 'band': band, 'sigma': 0.1,
        'data': rng.normal(1, 0.1, shape), 'pixel_scale': 0.4,
        'zeropoint': 22.5, 'centre': (24.3, 20.0), 'sma': SMA,
        'intensity': VALUE, 'intensity_err': VALUE / 10,
        'ellipticity': np.full(len(SMA), 0.3),
        'theta': np.full(len(SMA), 40.0)} | options
    return ImageProfilePair(**options)


class TestPair:
    def test_native(self):
        data = np.arange(2000.0).reshape(40, 50).astype('>f8')
        data[3, 4] = np.nan
        pair = make_pair(data=data, mask=data == 7)
        assert pair.data.dtype == np.float32
        assert pair.data.dtype.isnative
        assert pair.data[0, 5] == 5
        assert_array_equal(np.argwhere(pair.mask), [[0, 7], [3, 4]])
        assert pair.data[3, 4] == pair.data[0, 7] == 0
        # the input is left as it is
        assert data[0, 7] == 7
        assert np.isnan(pair.fwhm)
        assert pair.sky == 0

    def test_large_constant(self):
        """
        The noise on it is kept, and the profile stays above the sky.
        """
        plain = make_pair(sky=1.0)
        data = np.random.default_rng(1).normal(1, 0.1, (40, 50)) + 1e9
        pair = make_pair(data=data, sky=1e9 + 1.0)
        assert pair.data.dtype == np.float32
        assert_allclose(pair.data - pair.sky, plain.data - plain.sky,
                        atol=1e-5)

    def test_defaults(self):
        pair = make_pair(intensity_err=None,
                         theta=np.full(len(SMA), -30.0))
        assert np.all(np.isnan(pair.intensity_err))
        assert_allclose(pair.theta, 150)

    @pytest.mark.parametrize(('options', 'match'), [
        ({'data': np.ones(5)}, 'data must be a 2D image'),
        ({'mask': np.ones((2, 2))}, 'mask must have the shape of data'),
        ({'mask': np.ones((40, 50))}, 'data must have a usable pixel'),
        ({'sigma': 0}, 'sigma must be positive, got 0'),
        ({'pixel_scale': np.nan}, 'pixel_scale must be positive'),
        ({'zeropoint': np.nan}, 'zeropoint must be finite'),
        ({'centre': (50, 3)}, r'centre must be in the image of 50 x 40'),
        ({'theta': [1.0]}, 'theta must be 1D with the length of sma'),
        ({'sma': -SMA}, 'sma must be finite, increasing'),
        ({'intensity': np.full(len(SMA), np.nan)},
         'measured at two radii at least, got 0'),
        ({'ellipticity': np.ones(len(SMA))}, 'ellipticity must be'),
    ])
    def test_errors(self, options, match):
        with pytest.raises(ValueError, match=match):
            make_pair(**options)


@pytest.fixture(name='folder')
def make_folder(tmp_path, galaxy_ccd, sersic_profile):
    """
    A folder with the galaxy of conftest.py in two bands.
    """
    for band in 'gr':
        galaxy_ccd.write(tmp_path / f'NGC1_{band}.fits')
        write_profile(sersic_profile, tmp_path / f'NGC1_{band}.ecsv')
    return tmp_path


def write_index(folder, name='pairs.csv', **columns):
    columns = {'image': ['NGC1_r.fits'], 'profile': ['NGC1_r.ecsv'],
               'galaxy': ['NGC 1'], 'band': ['r']} | columns
    Table(columns).write(folder / name, overwrite=True)


class TestReadPairs:
    def test_beside(self, folder, galaxy_ccd, galaxy_truth, sersic_profile):
        pairs = list(read_pairs(str(folder)))
        assert [pair.name for pair in pairs] == ['NGC1_g', 'NGC1_r']
        assert [pair.group for pair in pairs] == ['NGC1', 'NGC1']
        pair = pairs[1]
        assert pair.band == 'r'
        assert_array_equal(pair.data, galaxy_ccd.data)
        assert pair.data.dtype.isnative
        assert not pair.mask.any()
        assert pair.sigma == pytest.approx(galaxy_truth['noise'])
        assert pair.pixel_scale == pytest.approx(0.396, rel=1e-6)
        assert pair.zeropoint == pytest.approx(22.5)
        assert np.isnan(pair.fwhm)
        assert pair.centre == pytest.approx((62.3, 65.8), abs=1e-4)
        scale = galaxy_truth['pixel_scale']
        assert_allclose(pair.sma, sersic_profile['radius'].value / scale,
                        rtol=1e-6)
        assert_allclose(pair.intensity,
                        sersic_profile['intensity'].value * scale**2,
                        rtol=1e-6)
        assert_allclose(pair.intensity_err,
                        sersic_profile['intensity_err'].value * scale**2,
                        rtol=1e-6)
        assert_allclose(pair.ellipticity, 0.4)
        assert_allclose(pair.theta, galaxy_truth['theta'], atol=1e-3)

    def test_names(self, folder):
        (folder / 'NGC1_r.fits').rename(folder / 'galaxy_0001.fits')
        (folder / 'NGC1_r.ecsv').rename(folder / 'galaxy_0001.ecsv')
        pair = list(read_pairs(folder))[1]
        assert (pair.group, pair.band) == ('galaxy_0001', 'r')

    @pytest.mark.parametrize('name', ['pairs.csv', 'pairs.ecsv'])
    def test_index(self, folder, name):
        write_index(folder, name, image=['NGC1_r.fits'] * 2,
                    profile=['NGC1_r.ecsv'] * 2, galaxy=[1, 2],
                    band=['r', 'r'],
                    fwhm=np.ma.MaskedArray([1.3, 0], mask=[False, True]))
        one, two = read_pairs(folder)
        assert (one.name, one.group, one.band) == ('1_r', '1', 'r')
        assert one.fwhm == 1.3
        assert np.isnan(two.fwhm)

    def test_index_calibration(self, tmp_path):
        # counts, without WCS: all is in the index
        image = np.random.default_rng(0).normal(10, 1, (60, 60)) * 4
        fits.writeto(tmp_path / 'a.fits', image)
        cutout = GalaxyCutout(image, zeropoint=27.0, pixel_scale=0.2)
        profile = build_profile(
            cutout, SMA, VALUE, VALUE / 9, ellipticity=SMA * 0,
            theta=np.full(len(SMA), 77.0), centre=(31.0, 29.0), sky=40.0,
            flag=np.where(SMA > 20, 512, 0))
        write_profile(profile, tmp_path / 'a.fits.ecsv')
        write_index(tmp_path, image=['a.fits'], profile=['a.fits.ecsv'],
                    galaxy=['a'], band=['z'], zeropoint=[27.0],
                    pixel_scale=[0.2])
        pair, = read_pairs(tmp_path, strict=True)
        assert pair.zeropoint == pytest.approx(27.0)
        assert pair.pixel_scale == 0.2
        assert pair.centre == (31.0, 29.0)
        assert pair.sky == 40.0
        assert pair.sigma == pytest.approx(4, rel=0.1)
        assert_allclose(pair.theta, 77)
        # extrapolated rings are not measured
        assert_allclose(pair.intensity, np.where(SMA > 20, np.nan, VALUE))

    def test_other_image(self, folder, sersic_profile, galaxy_ccd):
        # the same galaxy in janskys, cut and turned by half a turn
        cut = galaxy_ccd[10:, 5:]
        factor = (1 * u.nmgy).to_value(
            u.uJy, u.zero_point_flux(3631.1 * u.Jy))
        header = cut.wcs.to_header()
        header['BUNIT'] = 'uJy'
        fits.writeto(folder / 'NGC1_z.fits', cut.data * factor, header)
        write_profile(sersic_profile, folder / 'NGC1_z.ecsv')
        _, pair, other = read_pairs(folder)
        assert other.centre == pytest.approx((57.3, 55.8), abs=1e-4)
        assert_allclose(other.intensity, pair.intensity * factor, rtol=1e-3)
        assert_allclose(other.theta, pair.theta, atol=1e-3)

    def test_uncalibrated_profile(self, folder, sersic_profile):
        profile = sersic_profile.copy()
        del profile.meta['sb_zeropoint']
        write_profile(profile, folder / 'NGC1_r.ecsv', overwrite=True)
        one, two = read_pairs(folder)
        assert_allclose(two.intensity, one.intensity)
        profile['intensity'] = profile['intensity'].value * u.adu
        write_profile(profile, folder / 'NGC1_r.ecsv', overwrite=True)
        write_index(folder)
        with pytest.raises(ValueError, match='has no AB zero point'):
            list(read_pairs(folder, strict=True))

    def test_pixels_in_table(self, folder, sersic_profile):
        profile = sersic_profile.copy()
        profile['radius'] = profile['radius'].value / 0.396 * u.pix
        profile['pa'] = np.full(len(profile), 12.0) * u.deg
        profile.meta['pa_frame'] = 'pixel'
        for key in ('ra', 'dec', 'x_centre', 'y_centre'):
            del profile.meta[key]
        write_profile(profile, folder / 'NGC1_r.ecsv', overwrite=True)
        one, two = read_pairs(folder)
        assert_allclose(two.sma, one.sma, rtol=1e-6)
        assert_allclose(two.theta, 12)
        assert two.centre == (63.5, 63.5)

    def test_truth(self, tmp_path, make_wcs):
        header = make_wcs((64, 64)).to_header()
        header.update(BUNIT='nanomaggy', FILTER='r', SKYNOISE=0.03,
                      FWHM=1.3, XTRUE=30.5, YTRUE=33.0)
        truth = Table([SMA, VALUE, SMA * 0 + 0.2, SMA * 0 + 100],
                      names=['sma', 'intensity', 'ellipticity', 'theta'])
        image = np.ones((64, 64), 'f4')
        fits.HDUList([fits.PrimaryHDU(image, header),
                      fits.BinTableHDU(truth, name='TRUTH'),
                      fits.ImageHDU(image, name='OTHERS')]).writeto(
                          tmp_path / 'galaxy_0003.fits')
        pair, = read_pairs(tmp_path)
        assert (pair.name, pair.group, pair.band) == (
            'galaxy_0003', 'galaxy_0003', 'r')
        assert (pair.sigma, pair.fwhm) == (0.03, 1.3)
        assert pair.centre == (30.5, 33.0)
        assert pair.zeropoint == pytest.approx(22.5)
        assert pair.sma.dtype.isnative
        assert_allclose(pair.intensity, VALUE)
        assert_allclose(pair.intensity_err, 0)
        assert_allclose(pair.ellipticity, 0.2)
        assert_allclose(pair.theta, 100)

    def test_bad_pairs(self, folder):
        (folder / 'NGC1_g.ecsv').rename(folder / 'NGC2_g.ecsv')
        (folder / 'text_r.fits').write_text('nothing')
        (folder / 'text_r.ecsv').write_text('nothing')
        fits.setval(folder / 'NGC1_r.fits', 'BUNIT', value='adu')
        with pytest.warns(AstropyUserWarning) as record:
            assert list(read_pairs(folder)) == []
        text = [str(warning.message) for warning in record]
        assert len(text) == 4
        assert 'NGC1_g.fits: there is no profile' in text[0]
        assert 'NGC1_r.fits: the image has unit' in text[1]
        assert 'text_r.fits' in text[2]
        assert 'is not a readable FITS file' in text[2]
        assert 'NGC2_g.ecsv: there is no image NGC2_g.fits' in text[3]
        with pytest.raises(ValueError, match=r'NGC1_g.fits: there is no pro'):
            list(read_pairs(folder, strict=True))

    @pytest.mark.parametrize(('change', 'match'), [
        ({'image': ['other.fits']}, 'there is no such image'),
        ({'profile': ['other.ecsv']}, 'there is no profile'),
    ])
    def test_bad_index(self, folder, change, match):
        write_index(folder, **change)
        with pytest.warns(AstropyUserWarning, match=match):
            assert list(read_pairs(folder)) == []

    def test_no_wcs(self, folder, galaxy_ccd):
        fits.writeto(folder / 'NGC1_r.fits', galaxy_ccd.data, overwrite=True)
        write_index(folder, zeropoint=[22.5], pixel_scale=[0.396])
        with pytest.raises(ValueError, match='the image has no WCS'):
            list(read_pairs(folder, strict=True))

    def test_not_ab(self, folder):
        with fits.open(folder / 'NGC1_r.fits', mode='update') as hdus:
            hdus[0].header.update(BUNIT='adu', MAGZERO=25.0, MAGSYS='Vega')
            del hdus[2:]
            hdus[1].header.remove('BUNIT', ignore_missing=True)
        write_index(folder)
        with pytest.raises(ValueError, match='in the Vega system'):
            list(read_pairs(folder, strict=True))

    def test_errors(self, tmp_path):
        with pytest.raises(ValueError, match='must be an existing folder'):
            read_pairs(tmp_path / 'none')
        with pytest.raises(ValueError, match='must hold FITS images, or'):
            read_pairs(tmp_path)
        Table({'image': ['a'], 'band': ['r']}).write(tmp_path / 'pairs.csv')
        match = 'must have a column profile, galaxy, it has image, band'
        with pytest.raises(ValueError, match=match):
            read_pairs(tmp_path)

    def test_real(self, real_data, tmp_path):
        image = next((real_data / 'decals_pair').glob('cutout_*.fits'))
        cutout = GalaxyCutout(image, band='r', zeropoint=22.5)
        profile = build_profile(cutout, SMA, VALUE, VALUE / 9,
                                ellipticity=SMA * 0, theta=SMA * 0)
        write_profile(profile, tmp_path / 'r.ecsv')
        Table({'image': [str(image)] * 2, 'profile': ['r.ecsv'] * 2,
               'galaxy': ['x'] * 2, 'band': ['r', 'z'],
               'zeropoint': [22.5] * 2}).write(tmp_path / 'pairs.csv')
        red, infrared = read_pairs(tmp_path, strict=True)
        with fits.open(image) as hdus:
            planes = {(hdu.header['BAND'], hdu.header['IMAGETYP']): hdu.data
                      for hdu in hdus[1:]}
        for pair in (red, infrared):
            good = ~pair.mask
            assert_array_equal(pair.data[good],
                               planes[pair.band, 'image'][good])
            sigma = planes[pair.band, 'invvar'][good]**-0.5
            assert pair.sigma == pytest.approx(np.median(sigma), rel=1e-5)
            assert pair.pixel_scale == pytest.approx(SCALE, rel=1e-3)
            assert pair.data.dtype.isnative


def write_sga(folder, make_wcs, *, bands='gr', group='SGA2025_15000p0200',
              name='SGA2025_J150.0000+02.0000', invvar=True, profile=None,
              galaxy=None, suffix='griz'):
    """
    The files of one galaxy like those of the 2025 atlas.
    """
    folder.mkdir(exist_ok=True)
    shape = (70, 80)
    wcs = make_wcs(shape, pixel_scale=SCALE)
    header = wcs.to_header()
    header['BUNIT'] = 'nanomaggy'
    rng = np.random.default_rng(2)
    images = {}
    for band in bands:
        image = rng.normal(1, 0.01, shape).astype('f4')
        image[:, :4] = 0
        weight = np.full(shape, 1e4, dtype='f4')
        weight[:, :4] = 0
        for kind, data in (('image', image), ('invvar', weight)):
            if kind == 'image' or invvar:
                fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
                    data, header, compression_type='GZIP_2',
                    quantize_level=0)]).writeto(
                        folder / f'{group}-{kind}-{band}.fits.fz')
        images[band] = image
    sky = wcs.pixel_to_world(41.0, 33.0)
    if galaxy is None:
        galaxy = {'SGAGROUP': group, 'RA': sky.ra.deg, 'DEC': sky.dec.deg,
                  'BX': 41.0, 'BY': 33.0, 'BA_MOMENT': 0.6,
                  'PA_MOMENT': 30.0, 'PSFSIZE_R': 1.2, 'PSFSIZE_G': 0.0}
    if profile is None:
        profile = {'SMA': SMA * SCALE}
        for band in 'GR':
            # the outermost ring was not measured
            measured = SMA < SMA[-1]
            profile[f'SB_{band}'] = VALUE / SCALE**2 * measured
            profile[f'SB_ERR_{band}'] = VALUE / 10 / SCALE**2 * measured
            profile[f'FLUX_{band}'] = np.cumsum(VALUE)
    tables = []
    for key, columns in (('ELLIPSE', {k: [v] for k, v in galaxy.items()}),
                         ('SBPROFILES', profile)):
        table = fits.BinTableHDU(Table(columns), name=key)
        for column in table.columns:
            if column.name == 'SMA':
                column.unit = 'arcsec'
            elif column.name.startswith('SB_'):
                # as the files have it, which astropy does not understand
                column.unit = 'nanomaggy / arcsec2'
        tables.append(table)
    fits.HDUList([fits.PrimaryHDU(np.zeros((2, *shape), 'f4')),
                  fits.ImageHDU(np.zeros(shape, 'i4'), name='MASKBITS'),
                  *tables]).writeto(folder / f'{name}-ellipse-{suffix}.fits')
    return images


class TestReadSGA:
    def test_files(self, tmp_path, make_wcs):
        images = write_sga(tmp_path / '15000p0200', make_wcs)
        green, red = read_sga(tmp_path)
        assert green.name == 'SGA2025_J150.0000+02.0000_g'
        assert (red.band, red.group) == ('r', 'SGA2025_15000p0200')
        assert_array_equal(red.data, images['r'])
        assert red.mask[:, :4].all()
        assert not red.mask[:, 4:].any()
        assert red.sigma == pytest.approx(0.01)
        assert red.pixel_scale == pytest.approx(SCALE, rel=1e-5)
        assert red.zeropoint == pytest.approx(22.5)
        assert red.fwhm == pytest.approx(1.2)
        assert np.isnan(green.fwhm)
        assert red.centre == (41.0, 33.0)
        assert_allclose(red.sma, SMA, rtol=1e-5)
        assert_allclose(red.intensity[:-1], VALUE[:-1], rtol=1e-5)
        assert_allclose(red.intensity_err[:-1], VALUE[:-1] / 10, rtol=1e-5)
        assert np.isnan(red.intensity[-1])
        assert_allclose(red.ellipticity, 0.4)
        # east is to the left: theta = pa + 90
        assert_allclose(red.theta, 120, atol=0.01)
        assert [pair.band for pair in read_sga(tmp_path, bands=['r'])] == [
            'r']

    def test_alternatives(self, tmp_path, make_wcs):
        # a row of vectors in pixels, with an inverse variance
        row = {'SMA_G': [SMA], 'INTENS_G': [VALUE / SCALE**2],
               'INTENS_IVAR_G': [(VALUE / SCALE**2 / 10)**-2]}
        galaxy = {'RA': 150.0, 'DEC': 2.0, 'EPS': 0.1, 'PA': 5.0}
        write_sga(tmp_path, make_wcs, bands='g', profile=row, galaxy=galaxy,
                  invvar=False, group='NGC1-largegalaxy', suffix='griz',
                  name='NGC1-largegalaxy-77')
        (tmp_path / 'NGC1-largegalaxy-77-ellipse-griz.fits').rename(
            tmp_path / 'NGC1-largegalaxy-77-ellipse.fits')
        pair, = read_sga(tmp_path, strict=True)
        assert pair.group == 'NGC1-largegalaxy-77'
        assert pair.centre == pytest.approx((39.5, 34.5), abs=1e-4)
        assert pair.sigma == pytest.approx(0.01, rel=0.1)
        assert pair.mask[:, :4].all()
        assert_allclose(pair.sma, SMA)
        assert_allclose(pair.intensity, VALUE, rtol=1e-5)
        assert_allclose(pair.intensity_err, VALUE / 10, rtol=1e-5)
        assert_allclose(pair.ellipticity, 0.1)

    def test_several_mosaics(self, tmp_path, make_wcs):
        write_sga(tmp_path, make_wcs, bands='g')
        write_sga(tmp_path, make_wcs, bands='r', group='SGA2025_b',
                  name='SGA2025_J1')
        other = write_sga(tmp_path, make_wcs, bands='g', group='SGA2025_c',
                          name='SGA2025_J2')
        with pytest.warns(AstropyUserWarning,
                          match='no image SGA2025_b-image-BAND.fits'):
            first, last = read_sga(tmp_path, bands='g')
        assert first.group == 'SGA2025_15000p0200'
        assert last.group == 'SGA2025_c'
        assert_array_equal(last.data, other['g'])

    @pytest.mark.parametrize(('options', 'match'), [
        ({'profile': {'SMA': SMA, 'SB_G': VALUE}},
         'needs the columns SMA, SB_R and SB_ERR_R; found SMA, SB_G'),
        ({'galaxy': {'RA': 150.0, 'DEC': 2.0}}, 'there is no shape'),
        ({'galaxy': {'BA': 0.4, 'PA': 2.0}}, 'there is no centre'),
        ({'galaxy': {'BA': 0.4, 'PA': 2.0, 'BX': 1.0, 'BY': 1.0,
                     'RA': 150.0, 'DEC': 2.0}}, 'is not the mosaic'),
        ({'bands': 'z'}, 'there is no image'),
    ])
    def test_bad_files(self, tmp_path, make_wcs, options, match):
        write_sga(tmp_path, make_wcs, **({'bands': 'r'} | options))
        with pytest.raises(ValueError, match=match):
            list(read_sga(tmp_path, bands='r', strict=True))
        with pytest.warns(AstropyUserWarning, match=match):
            assert list(read_sga(tmp_path, bands='r')) == []

    @pytest.mark.parametrize(('column', 'unit', 'match'), [
        ('SB_R', 'mag / arcsec2', 'SB_R must be in nanomaggies'),
        ('SMA', 'kpc', 'SMA must be in arcsec or pixels'),
    ])
    def test_units(self, tmp_path, make_wcs, column, unit, match):
        write_sga(tmp_path, make_wcs, bands='r')
        path = next(tmp_path.glob('*-ellipse-*'))
        with fits.open(path, mode='update') as hdus:
            hdus['SBPROFILES'].columns[column].unit = unit
        with pytest.raises(ValueError, match=match):
            list(read_sga(tmp_path, strict=True))

    def test_no_table(self, tmp_path):
        fits.writeto(tmp_path / 'a-ellipse-griz.fits', np.ones((3, 3)))
        with pytest.warns(AstropyUserWarning,
                          match='there is no table SBPROFILES'):
            assert list(read_sga(tmp_path)) == []

    def test_ambiguous(self, tmp_path, make_wcs):
        galaxy = {'BA': 0.4, 'PA': 2.0, 'RA': 150.0, 'DEC': 2.0}
        write_sga(tmp_path, make_wcs, bands='r', galaxy=galaxy)
        for name in 'ab':
            (tmp_path / f'{name}-image-z.fits').write_text('')
        with pytest.warns(AstropyUserWarning, match='several images in band'):
            assert list(read_sga(tmp_path)) == []

    def test_errors(self, tmp_path):
        with pytest.raises(ValueError, match='must be an existing folder'):
            read_sga(tmp_path / 'none')
        with pytest.raises(ValueError, match='must hold files'):
            read_sga(tmp_path)
        with pytest.raises(ValueError, match='bands must be some of'):
            read_sga(tmp_path, bands=['r', 'W1'])
        with pytest.raises(ValueError, match='got none'):
            read_sga(tmp_path, bands='')


def load(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def many_pairs(n=12, bands='gr'):
    for k in range(n):
        for band in bands:
            yield make_pair(f'galaxy{k}_{band}', zeropoint=20 + k)


class TestWriteShards:
    def test_arrays(self, tmp_path):
        pair = make_pair(fwhm=1.3, sky=0.2)
        index = write_shards([pair], tmp_path / 'new', n_pix=32, n_sma=40,
                             split=(1, 0, 0), source='here')
        arrays = load(tmp_path / 'new' / 'train-000.npz')
        shapes = {key: values.shape for key, values in arrays.items()}
        assert shapes == {
            'image': (1, 32, 32), 'mask': (1, 32, 32), 'sigma': (1,),
            'pixel_scale': (1,), 'zeropoint': (1,), 'fwhm': (1,),
            'sky': (1,), 'centre': (1, 2), 'sma': (40,),
            'intensity': (1, 40), 'intensity_err': (1, 40),
            'ellipticity': (1, 40), 'theta': (1, 40), 'name': (1,),
            'group': (1,), 'band': (1,)}
        assert arrays['mask'].dtype == bool
        for key in shapes.keys() - {'mask', 'name', 'group', 'band'}:
            assert arrays[key].dtype == np.float32
            assert arrays[key].dtype.isnative
        assert arrays['name'][0] == 'a_r'
        # ceil(24.3 - 16) and ceil(20 - 16)
        assert_allclose(arrays['centre'][0], [15.3, 16], rtol=1e-6)
        assert_array_equal(arrays['image'][0], pair.data[4:36, 9:41])
        assert not arrays['mask'].any()
        assert index == json.loads(
            (tmp_path / 'new' / 'index.json').read_text())
        assert index['counts'] == {'train': 1, 'validation': 0, 'test': 0}
        assert (index['seed'], index['source']) == (0, 'here')
        assert index['shards'][0]['file'] == 'train-000.npz'
        assert sorted(p.name for p in (tmp_path / 'new').iterdir()) == [
            'index.json', 'train-000.npz']

    def test_padding(self, tmp_path):
        pair = make_pair()
        write_shards([pair], tmp_path, n_pix=64, split=(1, 0, 0))
        arrays = load(tmp_path / 'train-000.npz')
        assert arrays['sma'].shape == (48,)
        mask = np.ones((64, 64), bool)
        mask[12:52, 7:57] = False
        assert_array_equal(arrays['mask'][0], mask)
        assert_array_equal(arrays['image'][0][12:52, 7:57], pair.data)
        assert np.all(arrays['image'][0][mask] == 0)

    def test_profile(self, tmp_path):
        # an isophote twist across 180 degrees, one ring below zero, no
        # measurement inside 1.5 pixels
        sma = np.array([1.5, 4, 8, 9, 10, 11])
        value = np.array([8, 4, 1, -0.5, np.nan, 0.5])
        pair = make_pair(sma=sma, intensity=value, intensity_err=value * 0,
                         ellipticity=np.full(6, 0.2),
                         theta=np.array([170, 170, 10, 10, 10, 10.0]))
        write_shards([pair], tmp_path, n_pix=16, split=(1, 0, 0))
        arrays = load(tmp_path / 'train-000.npz')
        got = arrays['intensity'][0]
        assert_array_equal(arrays['sma'], np.arange(12))
        assert np.all(np.isnan(got[:2]))
        assert got[4] == 4
        # log-linear from 4 to 1, linear where one is negative
        assert got[6] == pytest.approx(2)
        assert_allclose(got[8:], [1, -0.5, 0, 0.5], atol=1e-6)
        assert arrays['theta'][0, 6] % 180 == pytest.approx(0, abs=1e-4)
        assert arrays['ellipticity'][0, 4] == pytest.approx(0.2)

    def test_exponential(self, tmp_path):
        write_shards([make_pair()], tmp_path, n_sma=36, split=(1, 0, 0))
        got = load(tmp_path / 'train-000.npz')['intensity'][0]
        assert_allclose(got[:31], 2 * np.exp(-np.arange(31) / 5), rtol=1e-5)
        assert np.all(np.isnan(got[31:]))

    def test_unknown_errors(self, tmp_path):
        pair = make_pair(intensity_err=None)
        write_shards([pair], tmp_path, n_pix=16, split=(1, 0, 0))
        arrays = load(tmp_path / 'train-000.npz')
        assert np.all(np.isnan(arrays['intensity_err']))
        assert np.isfinite(arrays['intensity']).any()

    @pytest.mark.parametrize(('split', 'counts'), [
        ((0.5, 0.25, 0.25), (12, 6, 6)),
        ((10, 4, 2), (10, 4, 2)),
        ((0.0, 0.0, 1.0), (0, 0, 24)),
        ((9, 3, 2), (8, 2, 2)),
    ])
    def test_split(self, tmp_path, split, counts):
        index = write_shards(many_pairs(), tmp_path, n_pix=16, split=split,
                             per_shard=5)
        assert tuple(index['counts'].values()) == counts
        assert index['left_out'] == 24 - sum(counts)
        groups = {}
        for path in tmp_path.glob('*.npz'):
            arrays = load(path)
            part = path.name.split('-')[0]
            groups.setdefault(part, []).extend(arrays['group'].tolist())
            assert len(arrays['group']) <= 5
        for part, members in groups.items():
            assert len(members) == index['counts'][part]
            assert len(set(members)) == index['groups'][part]
            # both bands
            assert len(members) == 2 * len(set(members))
        parts = [set(members) for members in groups.values()]
        assert len(set.union(*parts)) == sum(map(len, parts))

    def test_seed(self, tmp_path):
        split = (0.5, 0.25, 0.25)
        first, again, other = (
            write_shards(many_pairs(), tmp_path / name, n_pix=16, seed=seed,
                         split=split)
            for name, seed in (('a', 1), ('b', 1), ('c', 2)))
        assert first['hash'] == again['hash'] != other['hash']

    def test_overwrite(self, tmp_path):
        write_shards(many_pairs(), tmp_path, n_pix=16, per_shard=5,
                     split=(1.0, 0.0, 0.0))
        assert len(list(tmp_path.glob('train-*.npz'))) == 5
        with pytest.raises(OSError, match='overwrite=True'):
            write_shards(many_pairs(), tmp_path)
        write_shards(many_pairs(), tmp_path, n_pix=16, overwrite=True,
                     split=(1.0, 0.0, 0.0))
        assert len(list(tmp_path.glob('train-*.npz'))) == 1

    def test_too_few(self, tmp_path):
        with pytest.warns(UserWarning, match='no pairs for'):
            index = write_shards([make_pair()], tmp_path, n_pix=16)
        assert index['counts']['train'] == 1

    @pytest.mark.parametrize(('options', 'match'), [
        ({'n_pix': 2}, 'n_pix must be an integer from 8 on'),
        ({'n_sma': 1.5}, 'n_sma must be an integer'),
        ({'per_shard': 0}, 'per_shard must be an integer'),
        ({'split': (0.5, 0.5)}, 'split must be three fractions'),
        ({'split': (0.5, 0.5, 0.5)}, 'split must be three fractions'),
        ({'split': (0, 0, 0)}, 'split must be three fractions'),
        ({'split': (2, 0, 0)}, 'split asks for 2 pairs, but there are 1'),
    ])
    def test_errors(self, tmp_path, options, match):
        with pytest.raises(ValueError, match=match):
            write_shards([make_pair()], tmp_path, **options)

    def test_none(self, tmp_path):
        with pytest.raises(ValueError, match='pairs must hold a pair'):
            write_shards([], tmp_path)

    def test_from_folder(self, folder, tmp_path, galaxy_truth):
        write_shards(read_pairs(folder), tmp_path / 'shards', n_pix=128,
                     split=(2, 0, 0))
        arrays = load(tmp_path / 'shards' / 'train-000.npz')
        at = arrays['sma'] == 12
        # the Sersic profile at its effective radius
        assert_allclose(arrays['intensity'][:, at],
                        galaxy_truth['amplitude'], rtol=0.01)
        assert set(arrays['name']) == {'NGC1_g', 'NGC1_r'}
