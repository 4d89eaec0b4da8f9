# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the profile and profile_io modules.
"""

import sys
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData
from astropy.table import QTable, Table
from numpy.testing import assert_allclose, assert_array_equal
from photutils.aperture import EllipticalAperture
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    RingFlag,
    build_profile,
    decode_flags,
    read_profile,
    write_profile,
)
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.profile.brightness import (
    curve_of_growth,
    intensity_to_sb,
    sb_to_intensity,
)
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.table import interpolate_profile

SMA = np.array([0.0, 1.0, 2.0, 4.0])
VALUE = np.array([4.0, 2.0, 1.0, -0.5])
ERROR = np.array([0.1, 0.1, 2.0, 0.1])


def make_cutout(**options):
    options = {'unit': u.nmgy, 'pixel_scale': 2.0} | options
    return GalaxyCutout(np.ones((21, 21)), **options)


def make_profile(cutout=None, **options):
    options = {'ellipticity': [0.1, 0.2, 0.3, 0.4],
               'theta': [10.0, 20, 30, 40]} | options
    return build_profile(cutout or make_cutout(), SMA, VALUE, ERROR,
                         **options)


class TestBuild:
    def test_columns(self):
        profile = make_profile()
        assert profile.colnames == [
            'radius', 'surface_brightness', 'surface_brightness_err',
            'intensity', 'intensity_err', 'ellipticity', 'ellipticity_err',
            'pa', 'pa_err', 'mag_enclosed', 'mag_enclosed_err', 'n_valid',
            'flag']
        sb = u.mag / u.arcsec**2
        assert profile['radius'].unit == u.arcsec
        assert profile['surface_brightness'].unit == sb
        assert profile['surface_brightness_err'].unit == sb
        assert profile['intensity'].unit == u.nmgy / u.arcsec**2
        assert profile['pa'].unit == u.deg
        assert profile['mag_enclosed'].unit == u.mag
        assert profile['flag'].dtype == np.int32

    def test_values(self):
        profile = make_profile()
        assert_allclose(profile['radius'].value, SMA * 2)
        # 4 nmgy in 4 arcsec2: 1 nmgy/arcsec2 is 22.5 mag/arcsec2.
        assert_allclose(profile['surface_brightness'][0].value, 22.5)
        assert_allclose(profile['surface_brightness_err'][0].value,
                        1.0857 * 0.1 / 4, rtol=1e-4)
        assert_allclose(profile['intensity'].value, VALUE / 4)
        assert np.isnan(profile['surface_brightness'][3])
        assert np.isnan(profile['surface_brightness_err'][3])
        assert_allclose(profile['intensity'][3].value, -0.125)

    def test_surface_brightness_unit(self):
        # 20.472 for 1 MJy/sr: 8.9 - 2.5 log10(1e6 / 4.2545e10).
        profile = make_profile(make_cutout(unit='MJy/sr'))
        assert_allclose(profile['surface_brightness'][2].value, 20.472,
                        atol=1e-3)
        assert profile['intensity'].unit == u.MJy / u.sr

    def test_flags(self):
        profile = make_profile(n_valid=[1, 0.4, 1, 1], flag=[256, 0, 0, 4])
        assert decode_flags(profile['flag']) == [
            ['UNRESOLVED'], ['FEW_PIXELS'], ['LOW_SNR'],
            ['NEGATIVE', 'LOW_SNR', 'EXTENDED']]
        assert profile.meta['flag'] == 0
        again = make_profile(galaxy_flag=GalaxyFlag.NEIGHBOUR)
        assert again.meta['flag'] == 32

    @pytest.mark.parametrize('forced', [False, True])
    def test_galaxy_that_is_not_there(self, forced):
        # intensities are kept; on ellipses of another band, all is
        flag = GalaxyFlag.NO_SOURCE | (GalaxyFlag.FORCED if forced else 0)
        profile = make_profile(galaxy_flag=flag)
        assert_allclose(profile['intensity'].value, VALUE / 4)
        for name in ('surface_brightness', 'surface_brightness_err',
                     'mag_enclosed'):
            assert np.isfinite(profile[name][1]) == forced

    def test_uncalibrated(self):
        cutout = GalaxyCutout(np.ones((21, 21)), calibrated=False)
        profile = make_profile(cutout)
        assert profile['radius'].unit == u.pix
        assert np.isnan(profile['surface_brightness']).all()
        assert np.isnan(profile['mag_enclosed']).all()
        assert profile.meta['flag'] == GalaxyFlag.UNCALIBRATED
        assert 'zeropoint' not in profile.meta

    def test_meta(self):
        profile = make_profile(fitter='F', sky=0.5, weights='w', sha256='ab',
                               meta={'Mine': 3, 'none': None})
        meta = profile.meta
        assert meta['fitter'] == 'F'
        assert meta['sky'] == 0.5
        assert meta['Mine'] == 3
        assert meta['pixel_scale'] == 2.0
        assert meta['pa_frame'] == 'pixel'
        assert meta['zeropoint'] == 22.5
        for key in ('none', 'ra', 'band', 'noise'):
            assert key not in meta

    def test_sky_angle_and_centre(self, make_wcs):
        ccd = CCDData(np.ones((41, 41)), unit='nmgy',
                      wcs=make_wcs((41, 41), rotation=0.0))
        cutout = GalaxyCutout(ccd, position=(25, 15), size=11)
        profile = make_profile(cutout, theta=[90.0, 0, 45, 135])
        # East is to the left: +y is north, -x is east.
        turn = (profile['pa'].value - [0, 90, 135, 45] + 90) % 180 - 90
        assert_allclose(turn, 0, atol=1e-3)
        assert profile.meta['pa_frame'] == 'sky'
        assert_allclose([profile.meta['x_centre'], profile.meta['y_centre']],
                        [25, 15])
        sky = ccd.wcs.pixel_to_world(25, 15)
        assert_allclose(profile.meta['ra'], sky.ra.deg)
        assert_allclose(profile.meta['dec'], sky.dec.deg)

    @pytest.mark.parametrize('sma', [
        [0, 2, 1, 3], [0, 1, 1, 2], [-1, 0, 1, 2], [0, 1, 2, np.nan],
        np.ones((2, 2))])
    def test_wrong_sma(self, sma):
        with pytest.raises(ValueError, match='sma must be a 1D array'):
            build_profile(make_cutout(), sma, VALUE, ERROR,
                          ellipticity=VALUE, theta=VALUE)

    @pytest.mark.parametrize('name', ['ellipticity', 'theta', 'n_valid',
                                      'flag', 'theta_err', 'mag_enclosed'])
    def test_wrong_length(self, name):
        with pytest.raises(ValueError, match=f'{name} must have the shape'):
            make_profile(**{name: [1, 2]})

    def test_wrong_meta(self):
        with pytest.raises(TypeError, match=r"meta\['a'\] must be a str"):
            make_profile(meta={'a': [1, 2]})

    @pytest.mark.parametrize(('name', 'value', 'match'), [
        ('ellipticity', 1.0, 'ellipticity must be at least 0 and less than'),
        ('ellipticity', -0.1, 'ellipticity must be at least 0 and less than'),
        ('flag', 0.5, 'flag must be integers'),
        ('flag', np.nan, 'flag must be integers')])
    def test_wrong_values(self, name, value, match):
        with pytest.raises(ValueError, match=match):
            make_profile(**{name: np.full(4, value)})

    def test_wrong_error(self):
        match = 'intensity_err must not be negative, got -0.1'
        with pytest.raises(ValueError, match=match):
            build_profile(make_cutout(), SMA, VALUE, -0.1 * np.ones(4),
                          ellipticity=np.zeros(4), theta=np.zeros(4))

    def test_unit_of_sma(self):
        options = {'ellipticity': np.zeros(4), 'theta': np.zeros(4)}
        profile = build_profile(make_cutout(), SMA * u.pix, VALUE, ERROR,
                                **options)
        assert_allclose(profile['radius'].value, 2 * SMA)
        match = 'sma must be in pixels, got the unit arcsec'
        with pytest.raises(ValueError, match=match):
            build_profile(make_cutout(), SMA * u.arcsec, VALUE, ERROR,
                          **options)


class TestCurveOfGrowth:
    def test_unknown_shape(self):
        # A ring without an ellipse does not end the growth.
        sma = np.arange(6.0)
        flux = curve_of_growth(sma, np.full(6, 3.0),
                               np.where(sma == 3, np.nan, 0.5))
        assert_allclose(flux, 1.5 * np.pi * sma**2)

    @pytest.mark.parametrize('n', [0.5, 1.0, 4.0])
    def test_against_apertures(self, n):
        y, x = np.mgrid[:903, :903] / 3 - 1 / 3
        # The PSF rounds the core: fixed ellipses need a round galaxy.
        fine = Sersic2D(1.0, 15, n, 150, 150, 0.1, 0.6)(x, y)
        image = gaussian_filter(fine, 4).reshape(301, 3, 301, 3).mean((1, 3))
        sma = np.concatenate([np.arange(0, 12, 0.5), np.geomspace(12, 100,
                                                                  40)])
        shape = np.full(len(sma), 0.1), np.full(len(sma), 0.6)
        rings = measure_rings(image, np.ones(image.shape, bool), (150, 150),
                              sma, *shape, sigma=np.inf)
        flux = curve_of_growth(sma, rings.mean, shape[0])
        true = [EllipticalAperture((150, 150), a, 0.9 * a, theta=0.6
                                   ).to_mask().multiply(image).sum()
                for a in sma[6:]]
        assert_allclose(2.5 * np.log10(flux[6:] / true), 0, atol=0.02)

    def test_exponential(self):
        sma = np.concatenate([np.arange(0, 10, 0.5), np.geomspace(10, 80, 30)])
        flux = curve_of_growth(sma, np.exp(-sma / 6), np.full(len(sma), 0.3))
        true = 2 * np.pi * 36 * 0.7 * (1 - (1 + sma / 6) * np.exp(-sma / 6))
        assert_allclose(flux[1:], true[1:], rtol=2e-3)

    def test_gaps(self):
        sma = np.arange(0, 20, 0.5)
        value = np.exp(-sma / 6)
        flux = curve_of_growth(sma, value, np.zeros(40))
        value[10] = np.nan
        assert_allclose(curve_of_growth(sma, value, np.zeros(40)), flux,
                        rtol=2e-3)
        value[30:] = np.nan
        assert np.isnan(curve_of_growth(sma, value, np.zeros(40))[30:]).all()
        none = curve_of_growth(sma, value * np.nan, np.zeros(40))
        assert np.isnan(none).all()


class TestHelpers:
    def test_there_and_back(self):
        mu, err = intensity_to_sb(3.0, 0.3, zeropoint=25.0)
        assert_allclose(mu, 25 - 2.5 * np.log10(3))
        assert_allclose(err, 0.10857, rtol=1e-4)
        back, back_err = sb_to_intensity(mu, err, zeropoint=25.0)
        assert_allclose([back, back_err], [3, 0.3])
        assert intensity_to_sb(-1.0, zeropoint=25.0)[1] is None
        assert np.isnan(intensity_to_sb(-1.0, zeropoint=25.0)[0])
        assert sb_to_intensity(20.0, zeropoint=20.0)[1] is None

    def test_decode(self):
        assert decode_flags(0) == []
        assert decode_flags(RingFlag.EDGE | RingFlag.SATURATED) == [
            'SATURATED', 'EDGE']
        assert decode_flags([1, 2]) == [['NEGATIVE'], ['LOW_SNR']]
        assert decode_flags(1, 'galaxy') == ['UNCALIBRATED']
        with pytest.raises(ValueError, match="kind must be 'ring', "):
            decode_flags(1, 'star')

    def test_interpolate(self):
        profile = make_profile(theta=[178.0, 2, 4, 6])
        got = interpolate_profile(profile, [1.0, 3, 7, 50] * u.arcsec)
        mu = profile['surface_brightness'].value
        assert_allclose(got.value[:2], [(mu[0] + mu[1]) / 2,
                                        (mu[1] + mu[2]) / 2])
        assert np.isnan(got.value[2:]).all()
        angle = interpolate_profile(profile, [1.0] * u.arcsec, 'pa')
        assert_allclose(angle.value % 180, 0, atol=1e-6)
        arcmin = interpolate_profile(profile, [2 / 60] * u.arcmin,
                                     'ellipticity')
        assert_allclose(arcmin, 0.2)

    def test_interpolate_nothing(self):
        profile = make_profile()
        profile['surface_brightness'] *= np.nan
        assert np.isnan(interpolate_profile(profile, 1 * u.arcsec))

    def test_interpolate_wrong(self):
        with pytest.raises(ValueError, match='radius must be in a unit like'):
            interpolate_profile(make_profile(), 3 * u.mag)
        with pytest.raises(ValueError, match="quantity, got 'flag'"):
            interpolate_profile(make_profile(), 3 * u.arcsec, 'flag')
        with pytest.raises(ValueError, match="a column 'mu'"):
            interpolate_profile(make_profile(), 3 * u.arcsec, 'mu')
        with pytest.raises(ValueError, match='must be a profile table'):
            interpolate_profile(Table(), 3 * u.arcsec)


def assert_same(one, two):
    assert one.meta == two.meta
    assert one.colnames == two.colnames
    for name in one.colnames:
        a, b = one[name], two[name]
        assert type(a) is type(b)
        assert getattr(a, 'unit', None) == getattr(b, 'unit', None)
        assert a.dtype == b.dtype
        assert_array_equal(np.asarray(a), np.asarray(b))


class TestFiles:
    @pytest.mark.parametrize('ending', ['ecsv', 'fits', 'fits.gz',
                                        'parquet'])
    @pytest.mark.parametrize('unit', ['nmgy', 'adu', 'count', 'electron/s',
                                      'MJy/sr', 'uJy'])
    def test_round_trip(self, tmp_path, ending, unit):
        if ending == 'parquet':
            pytest.importorskip('pyarrow')
            pytest.importorskip('pandas')
        options = {'unit': unit}
        if unit in ('adu', 'count', 'electron/s'):
            options['zeropoint'] = 25.0
        profile = make_profile(make_cutout(**options), meta={
            'Mixed_Case': 'x' * 90, 'yes': True, 'number': 3, 'x': 0.1})
        path = tmp_path / f'profile.{ending}'
        write_profile(profile, path)
        assert_same(profile, read_profile(path))

    def test_plain_table(self, tmp_path):
        profile = make_profile()
        profile.write(tmp_path / 'a.ecsv')
        assert_same(profile, QTable.read(tmp_path / 'a.ecsv'))
        assert_same(profile, read_profile(tmp_path / 'a.ecsv'))

    def test_plain_fits(self, tmp_path):
        write_profile(make_profile(), tmp_path / 'a.fits')
        table = QTable.read(tmp_path / 'a.fits')
        # FITS has no nanomaggy.
        assert table['intensity'].unit == u.nmgy / u.arcsec**2
        assert table['radius'].unit == u.arcsec
        assert table.meta['pixel_scale'] == 2.0
        assert table.meta['SKY'] == 0.0

    def test_format(self, tmp_path):
        path = tmp_path / 'profile.dat'
        write_profile(make_profile(), path, format='ecsv')
        assert_same(make_profile(meta=dict(read_profile(
            path, format='ecsv').meta)), read_profile(path, format='ecsv'))
        with pytest.raises(ValueError, match='path must end in one of'):
            read_profile(path)
        with pytest.raises(ValueError, match='format must be one of'):
            write_profile(make_profile(), path, format='hdf5')

    @pytest.mark.parametrize('name', [
        'a.1.ecsv', 'a.1.2.ecsv', 'a.fits.gz', 'a.1.fits.gz',
        'a.1.2.fits.gz', 'A.FITS', 'a.fits.ecsv', 'a.gz.fit', 'a.ecsv.gz',
        'a.1.ECSV.GZ'])
    def test_dots(self, tmp_path, name):
        profile = make_profile()
        write_profile(profile, tmp_path / name)
        assert_same(profile, read_profile(tmp_path / name))
        reader = 'ecsv' if 'ecsv' in name.lower() else 'fits'
        assert_same(profile, read_profile(tmp_path / name, format=reader))

    @pytest.mark.parametrize('name', ['a', 'ecsv', 'a.gz', 'a.fits.1',
                                      'a.csv.gz', 'a.fits.1.gz'])
    def test_other_endings(self, tmp_path, name):
        with pytest.raises(ValueError, match='path must end in one of'):
            write_profile(make_profile(), tmp_path / name)

    def test_overwrite(self, tmp_path):
        path = tmp_path / 'profile.fits'
        write_profile(make_profile(), path)
        with pytest.raises(OSError, match='give overwrite=True'):
            write_profile(make_profile(), path)
        write_profile(make_profile(fitter='new'), path, overwrite=True)
        assert read_profile(path).meta['fitter'] == 'new'

    def test_no_profile(self, tmp_path):
        with pytest.raises(TypeError, match='must be a profile table'):
            write_profile(Table({'a': [1]}), tmp_path / 'a.ecsv')
        fit = SimpleNamespace(profile=make_profile())
        for call in (lambda: write_profile(fit, tmp_path / 'a.ecsv'),
                     lambda: check_profile(fit)):
            with pytest.raises(TypeError, match='got SimpleNamespace: give '
                               r'its attribute profile, fit\.profile$'):
                call()
        with pytest.raises(TypeError, match='with the columns a, b: tables '
                                            'of other kinds'):
            write_profile(Table({'a': [1], 'b': [2]}), tmp_path / 'a.ecsv')
        Table({'a': [1]}).write(tmp_path / 'a.ecsv')
        with pytest.raises(ValueError, match='holds no profile table'):
            read_profile(tmp_path / 'a.ecsv')

    @pytest.mark.parametrize('package', ['pyarrow', 'pandas'])
    def test_no_pyarrow(self, tmp_path, monkeypatch, package):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match='needs pyarrow and pandas'):
            write_profile(make_profile(), tmp_path / 'a.parquet')
