# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of what files do to the meta of a profile, and of its checks.
"""

import json
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import (
    GalaxyCutout,
    ProfileBatch,
    build_profile,
    compare_profiles,
    measure_structure,
    profile_correlation,
    read_profile,
    sample_profile,
    surface_brightness_limit,
    upper_limits,
    write_profile,
)
from astro_pix2prof.profile.checks import check_profile, complete_profile
from astro_pix2prof.profile.meta import (
    correlation_text,
    profile_meta,
    store_correlation,
)

CORRELATION = {'length': 0.7939, 'smooth': 0.8298, 'common': 0.1702}

FORMATS = {'ecsv': 'ascii.ecsv', 'fits': 'fits', 'parquet': 'parquet',
           'vot': 'votable', 'xml': 'votable'}

# The keys of the meta that change a result.
KEYS = ('flag', 'zeropoint', 'sb_zeropoint', 'mag_system', 'pixel_scale',
        'x_centre', 'y_centre', 'pa_frame', 'sky', 'sky_err', 'noise',
        'fitter', 'weights', 'sha256', 'band', 'unit', 'correlation')


def make_profile(*, correlation=CORRELATION, fitter='Pix2ProfFitter',
                 unit='nmgy', weights='rings', **options):
    cutout = GalaxyCutout(np.ones((9, 9)), unit=unit, pixel_scale=0.5,
                          band='r', **options)
    sma = np.geomspace(0.5, 60, 40)
    value = 100 * np.exp(-sma / 8)
    profile = build_profile(
        cutout, sma, value, 0.05 * value, ellipticity=np.full(40, 0.3),
        ellipticity_err=np.full(40, 0.01), theta=np.full(40, 30.0),
        theta_err=np.ones(40), sky=0.3, sky_err=0.002, noise=0.1,
        fitter=fitter, weights=weights, sha256='ab' * 32, galaxy_flag=96)
    store_correlation(profile, correlation)
    return profile


def plain_round_trip(profile, path):
    """
    Write and read with astropy alone.
    """
    kind = FORMATS[path.suffix[1:]]
    if kind == 'parquet':
        pytest.importorskip('pyarrow')
        pytest.importorskip('pandas')
    with warnings.catch_warnings():
        # astropy tells of long FITS keys, and of units
        warnings.simplefilter('ignore')
        profile.write(path, format=kind)
        return QTable.read(path, format=kind)


@pytest.mark.parametrize('ending', FORMATS)
class TestPlainAstropy:
    def test_structure(self, tmp_path, ending):
        # errors of totals grow by three with the correlation
        profile = make_profile()
        again = plain_round_trip(profile, tmp_path / f'a.{ending}')
        assert profile_correlation(again) == CORRELATION
        one, two = (measure_structure(p, fits=False)
                    for p in (profile, again))
        alone = make_profile(correlation=None, fitter='', weights=None)
        without = measure_structure(alone, fits=False)
        for name in ('mag_total', 'mag_total_err', 'r50', 'r50_err',
                     'r24_0_err', 'ellipticity_50', 'pa_50_err'):
            # (a VOTable loses the pixel scale, inside half of which rings
            # are one)
            assert_allclose(
                two[name].value, one[name].value,
                rtol=0.05 if FORMATS[ending] == 'votable' else 1e-12)
        assert one['mag_total_err'] > 2.5 * without['mag_total_err']

    def test_samples(self, tmp_path, ending):
        profile = make_profile()
        again = plain_round_trip(profile, tmp_path / f'a.{ending}')
        if FORMATS[ending] == 'votable':
            # the pixel scale is lost: where the centre begins, too
            again.meta['pixel_scale'] = 0.5
        one, two = (sample_profile(p, 20, seed=1) for p in (profile, again))
        assert one.unit == two.unit
        assert_allclose(two.value, one.value, rtol=1e-12)

    def test_meta(self, tmp_path, ending):
        profile = make_profile()
        again = plain_round_trip(profile, tmp_path / f'a.{ending}')
        meta = profile_meta(again)
        if FORMATS[ending] == 'votable':
            # astropy's writer drops the meta of the table
            assert_allclose(meta['sb_zeropoint'],
                            profile.meta['sb_zeropoint'], atol=1e-12)
            return
        for key in KEYS:
            assert meta[key] == profile.meta[key], key

    def test_own_reader(self, tmp_path, ending):
        profile = make_profile()
        path = tmp_path / f'a.{ending}'
        plain_round_trip(profile, path)
        again = read_profile(path)
        assert profile_correlation(again) == CORRELATION
        assert again['intensity'].unit == profile['intensity'].unit
        for name in profile.colnames:
            assert type(again[name]) is type(profile[name])
            assert_array_equal(np.asarray(again[name]),
                               np.asarray(profile[name]))

    @pytest.mark.parametrize('unit', ['adu', 'electron/s', 'MJy/sr'])
    def test_own_writer(self, tmp_path, ending, unit):
        if ending == 'parquet':
            pytest.importorskip('pyarrow')
            pytest.importorskip('pandas')
        options = {} if unit == 'MJy/sr' else {'zeropoint': 25.0}
        profile = make_profile(unit=unit, **options)
        profile.meta.update(Mixed_Case='\u00e9' * 90, yes=True, n=3, x=0.1)
        profile['surface_brightness_samples'] = sample_profile(
            profile, 4, seed=1)
        path = tmp_path / f'a.{ending}'
        write_profile(profile, path)
        again = read_profile(path)
        assert again.meta == profile.meta
        assert again.colnames == profile.colnames
        for name in profile.colnames:
            one, two = profile[name], again[name]
            assert type(one) is type(two)
            assert one.dtype == two.dtype
            assert getattr(one, 'unit', None) == getattr(two, 'unit', None)
            assert_array_equal(np.asarray(one), np.asarray(two))
        # and with astropy alone
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            table = QTable.read(path, format=FORMATS[ending])
        assert profile_correlation(table) == CORRELATION


class TestMeta:
    def test_old_dict(self):
        # profiles of earlier versions hold a dict
        profile = make_profile(correlation=None)
        profile.meta['correlation'] = dict(CORRELATION)
        assert profile_correlation(profile) == CORRELATION

    @pytest.mark.parametrize('text', [
        'length=0.7939 smooth=0.8298 common=0.1702',
        'common=0.1702 length=0.7939 smooth=0.8298',
        json.dumps(CORRELATION)])
    @pytest.mark.parametrize('key', ['correlation', 'CORRELATION'])
    def test_text(self, text, key):
        profile = make_profile(correlation=None)
        profile.meta[key] = text
        assert profile_correlation(profile) == CORRELATION

    def test_none(self):
        profile = make_profile(correlation=None)
        assert profile_correlation(profile) is None
        profile['surface_brightness_err'].info.description = 'of the ring'
        assert profile_correlation(profile) is None

    @pytest.mark.parametrize('correlation', [
        {'length': 1.23456789e-05, 'smooth': 1.23456789e-11,
         'common': 9.87654321e-05}, CORRELATION])
    def test_fits_into_a_card(self, tmp_path, correlation):
        profile = make_profile(correlation=correlation)
        again = plain_round_trip(profile, tmp_path / 'a.fits')
        assert again.meta['correlation'] == profile.meta['correlation']
        found = profile_correlation(again)
        for name, value in correlation.items():
            assert_allclose(found[name], value, rtol=1e-4)

    @pytest.mark.parametrize('wrong', [
        'much', 'length=a smooth=0.1 common=0.1', '{"length": ', '{}', 3,
        'length=1 smooth=0.1', {'length': True, 'smooth': 0, 'common': 0}])
    def test_wrong(self, wrong):
        profile = make_profile(correlation=None)
        profile.meta['correlation'] = wrong
        with pytest.raises(ValueError, match=r"meta\['correlation'\] must"):
            profile_correlation(profile)
        with pytest.raises(ValueError, match=r"meta\['correlation'\] must"):
            correlation_text(wrong)

    def test_changed_after_reading(self, tmp_path):
        # what stands in the table counts, not its copy in JSON
        profile = make_profile()
        write_profile(profile, tmp_path / 'a.fits')
        table = QTable.read(tmp_path / 'a.fits')
        assert profile_meta(table) == profile.meta
        table.meta['sb_zeropoint'] = 20.0
        table.meta['SKY'] = 0.7
        meta = profile_meta(table)
        assert meta['sb_zeropoint'] == 20.0
        assert meta['sky'] == 0.7
        table.meta['P2PMETA'] = 'spoilt'
        assert profile_meta(table)['pixel_scale'] == 0.5

    def test_both_spellings(self):
        profile = QTable(meta={'FLAG': 1, 'flag': 2, 'Other': 3})
        assert profile_meta(profile) == {'flag': 2, 'Other': 3}
        assert profile_meta(QTable(meta={3: 'three'})) == {3: 'three'}

    @pytest.mark.parametrize('key', ['noise', 'sky_err', 'sb_zeropoint',
                                     'zeropoint', 'pixel_scale', 'flag',
                                     'noise_correlation', 'sky', 'ra'])
    @pytest.mark.parametrize('fitter', ['Pix2ProfFitter', 'IsophoteFitter'])
    @pytest.mark.filterwarnings('ignore:the meta of the profile has neither')
    def test_none_is_nothing(self, key, fitter):
        """
        A value that is `None` is one that is not known.
        """
        profile = make_profile(
            fitter=fitter,
            correlation=CORRELATION if fitter[0] == 'P' else None)
        profile.meta.update(noise=0.1, dec=3.0)
        if fitter[0] == 'I':
            del profile.meta['weights']
        lacks = profile.copy()
        lacks.meta.pop(key, None)
        profile.meta[key] = None
        assert profile_meta(profile) == profile_meta(lacks)
        for function in (measure_structure, upper_limits,
                         surface_brightness_limit):
            found, wanted = (function(item) for item in (profile, lacks))
            assert str(found) == str(wanted)
        assert_array_equal(sample_profile(profile, 3, seed=1),
                           sample_profile(lacks, 3, seed=1))
        batch = ProfileBatch.from_profiles([profile])
        assert len(batch) == 1
        compare_profiles({'a': profile}, lacks)

    def test_zeropoint_of_columns(self):
        profile = make_profile()
        zero = profile.meta.pop('sb_zeropoint')
        assert_allclose(profile_meta(profile)['sb_zeropoint'], zero,
                        atol=1e-12)
        profile['intensity'] *= 1e-9
        assert_allclose(profile_meta(profile)['sb_zeropoint'], zero - 22.5,
                        atol=1e-12)
        profile['surface_brightness'] *= np.nan
        assert 'sb_zeropoint' not in profile_meta(profile)


class TestCheck:
    def test_nothing_to_do(self):
        profile = make_profile()
        assert check_profile(profile, ordered=True) is profile

    def test_masked(self):
        profile = make_profile()
        masked = QTable(profile, masked=True)
        masked['intensity'].mask[3] = True
        masked['flag'].mask[4] = True
        masked['ellipticity'].mask[5] = True
        checked = check_profile(masked)
        assert np.isnan(checked['intensity'][3].value)
        assert checked['flag'][4] == 0
        assert np.isnan(checked['ellipticity'][5])
        assert profile_correlation(checked) == CORRELATION
        for name in checked.colnames:
            assert not hasattr(checked[name], 'mask')
        assert masked['intensity'].mask[3]

    def test_plain_table(self):
        table = Table(make_profile())
        checked = check_profile(table)
        assert isinstance(checked, QTable)
        assert checked['radius'].unit == u.arcsec
        assert type(table) is Table

    def test_units(self):
        profile = make_profile()
        want = profile['radius'].value
        profile['radius'] = profile['radius'].to(u.arcmin)
        profile['pa'] = profile['pa'].to(u.rad)
        checked = check_profile(profile)
        assert checked['radius'].unit == u.arcsec
        assert_allclose(checked['radius'].value, want)
        assert checked['pa'].unit == u.deg

    @pytest.mark.parametrize(('column', 'value', 'match'), [
        ('radius', u.mag, 'column radius in arcsec or pix, got mag'),
        ('radius', None, 'column radius in arcsec or pix, got no unit'),
        ('surface_brightness', u.mag, 'surface_brightness in mag / arcsec2'),
        ('ellipticity', u.m, 'its column ellipticity in no unit, got m'),
        ('pa', None, 'its column pa in deg, got no unit')])
    def test_wrong_unit(self, column, value, match):
        profile = make_profile()
        number = np.asarray(profile[column])
        profile[column] = number if value is None else number * value
        for function in (check_profile, measure_structure,
                         lambda p: sample_profile(p, 2)):
            with pytest.raises(ValueError, match=match):
                function(profile)

    @pytest.mark.parametrize(('column', 'value', 'match'), [
        ('ellipticity', 0.0, None), ('ellipticity', 0.999, None),
        ('ellipticity', 1.0, 'ellipticities from 0 to below 1'),
        ('ellipticity', -0.001, 'ellipticities from 0 to below 1'),
        ('ellipticity_err', 0.0, None),
        ('ellipticity_err', -0.001, 'no negative errors in the column')])
    def test_range(self, column, value, match):
        profile = make_profile()
        profile[column][7] = value
        if match is None:
            assert check_profile(profile)[column][7] == value
            return
        with pytest.raises(ValueError, match=match):
            check_profile(profile)

    def test_no_numbers(self):
        profile = make_profile()
        profile['ellipticity'] = ['a'] * 40
        with pytest.raises(ValueError, match='numbers in the column ellip'):
            check_profile(profile)
        profile = make_profile()
        profile['flag'] = np.full(40, 0.5)
        with pytest.raises(ValueError, match='integers in the column flag'):
            check_profile(profile)
        profile['flag'] = np.ones(40)
        assert check_profile(profile)['flag'].dtype == np.int32
        profile['flag'] = MaskedColumn(np.full(40, np.nan),
                                       mask=np.ones(40, bool))
        assert np.all(check_profile(profile)['flag'] == 0)

    @pytest.mark.parametrize('change', [
        lambda r: r[::-1], lambda r: np.where(r > 9, np.nan, r),
        lambda r: r - 3, lambda r: np.ones(40)])
    def test_wrong_radii(self, change):
        profile = make_profile()
        profile['radius'] = change(profile['radius'].value) * u.arcsec
        check_profile(profile)
        for function in (measure_structure, lambda p: sample_profile(p, 2)):
            with pytest.raises(ValueError, match='finite, increasing radii'):
                function(profile)

    def test_first_wrong_radius_is_named(self):
        profile = make_profile()
        radius = profile['radius'].value.copy()
        for k, value, match in (
                (7, radius[6], f'got {radius[6]:g} after {radius[6]:g} in '
                               'row 7$'),
                (9, np.nan, 'got nan in row 9$')):
            profile['radius'][k] = value * u.arcsec
            with pytest.raises(ValueError, match=match):
                check_profile(profile, ordered=True)
        profile['angle'] = 0.0
        with pytest.raises(ValueError, match='it holds several profiles'):
            check_profile(profile, ordered=True)

    @pytest.mark.parametrize('table', [Table({'a': [1]}), None, 3, {}])
    def test_no_profile(self, table):
        with pytest.raises(TypeError, match='mine must be a profile table'):
            check_profile(table, 'mine')


class TestComplete:
    def published(self):
        return Table({
            'radius': [0.1, 0.2, 0.4] * u.arcmin,
            'surface_brightness': [20, 21, 23] * u.mag / u.arcsec**2,
            'note': ['a', 'b', '']})

    def test_published(self):
        table = self.published()
        profile = complete_profile(table)
        assert_allclose(profile['radius'].value, [6, 12, 24])
        assert profile['radius'].unit == u.arcsec
        assert np.isnan(profile['intensity'].value).all()
        assert profile['pa'].unit == u.deg
        assert np.all(profile['flag'] == 0)
        assert table.colnames == ['radius', 'surface_brightness', 'note']
        assert check_profile(profile) is profile
        full = make_profile()
        assert complete_profile(full) is full

    def test_own_columns(self):
        table = self.published()
        table['ellipticity'] = [0.1, 0.2, 0.3]
        table['flag'] = [0, 1, 2]
        profile = complete_profile(table)
        assert_allclose(profile['ellipticity'], [0.1, 0.2, 0.3])
        assert list(profile['flag']) == [0, 1, 2]

    @pytest.mark.parametrize('radius', [[1, 1, 2], [3, 2, 1], [2, 3, 1]])
    def test_radii(self, radius):
        """
        Radii that do not increase are those of several profiles.
        """
        table = self.published()
        table['radius'] = radius * u.arcsec
        with pytest.raises(ValueError, match='theirs must have radii that inc'
                                             'rease, one row for each ring'):
            complete_profile(table, 'theirs')
        full = make_profile()
        full['radius'] = full['radius'][::-1]
        with pytest.raises(ValueError, match='radii that increase'):
            complete_profile(full)

    def test_wrong(self):
        table = self.published()
        table['radius'].unit = None
        with pytest.raises(ValueError, match='column radius in arcsec or pix'):
            complete_profile(table)
        del table['radius']
        with pytest.raises(TypeError, match='theirs must be a profile table'):
            complete_profile(table, 'theirs')


class TestReader:
    @pytest.mark.parametrize('ending', ['ecsv', 'fits', 'vot'])
    def test_broken(self, tmp_path, ending):
        path = tmp_path / f'a.{ending}'
        path.write_text('no table')
        with pytest.raises(ValueError, match=f'a.{ending} cannot be read as'):
            read_profile(path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='there is no such file'):
            read_profile(tmp_path / 'a.fits')

    def test_numpy_meta(self, tmp_path):
        profile = make_profile()
        profile.meta.update(a=np.float32(0.5), b=np.arange(2), c=u.arcsec)
        for ending in ('fits', 'vot'):
            write_profile(profile, tmp_path / f'a.{ending}')
            meta = read_profile(tmp_path / f'a.{ending}').meta
            assert meta['a'] == 0.5
            assert meta['b'] == [0, 1]
            assert meta['c'] == 'arcsec'
