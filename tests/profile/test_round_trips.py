# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that profiles come back from files as they were written.
"""

import gzip

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable
from numpy.testing import assert_array_equal

from astro_pix2prof import (
    GalaxyCutout,
    build_profile,
    read_profile,
    write_profile,
)
from astro_pix2prof.profile.meta import store_correlation

WHOLE = 'ecsv', 'ecsv.gz', 'fits', 'fits.gz', 'parquet', 'vot'


def make_profile(n=4):
    """
    A profile with a gap, harmonics, masses and more meta.
    """
    sma = np.arange(1.0, n + 1)
    cutout = GalaxyCutout(np.zeros((9, 9)), unit='nmgy', pixel_scale=0.5)
    value = 10 / sma
    value[1:2] = np.nan
    profile = build_profile(
        cutout, sma, value, 0.1 * value, ellipticity=np.full(n, 0.3),
        theta=np.full(n, 20.0), sky_err=0.01, noise=0.1)
    intensity, length = profile['intensity'].unit, profile['radius'].unit
    profile['a3'] = np.linspace(-0.1, 0.1, n)
    profile['gradient'] = -value * intensity / length
    profile['area'] = sma * length**2
    profile['mass'] = 1e9 * sma * u.solMass
    profile['surface_brightness'].info.description = 'in the band "r"'
    profile.meta['parts'] = {'a': [1, 2.5]}
    store_correlation(profile, {'length': 0.904, 'smooth': 0.9672,
                                'common': 0.0328})
    return profile


@pytest.mark.parametrize('n', [0, 1, 4])
@pytest.mark.parametrize('ending', WHOLE)
def test_every_column(tmp_path, ending, n):
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    profile = make_profile(4)[:n]
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    found = read_profile(path)
    assert found.colnames == profile.colnames
    assert len(found) == n
    for name in profile.colnames:
        one, other = profile[name], found[name]
        assert getattr(one, 'unit', None) == getattr(other, 'unit', None)
        assert_array_equal(getattr(one, 'value', one),
                           getattr(other, 'value', other), strict=True)
        assert one.info.description == other.info.description
    assert found.meta == profile.meta


@pytest.mark.parametrize('n', [0, 1, 4])
@pytest.mark.parametrize('ending', ['ecsv', 'ecsv.gz', 'fits'])
def test_columns_of_arrays(tmp_path, ending, n):
    """
    Noisy samples, and a text, in tables of no rows, too.
    """
    profile = make_profile(4)
    profile['surface_brightness_samples'] = np.arange(20.0).reshape(
        4, 5) * u.mag / u.arcsec**2
    profile['pairs'] = np.arange(24).reshape(4, 2, 3)
    profile['is_good'] = np.ones(4, bool)
    profile['note'] = ['a b', 'c', '', 'd,e']
    profile = profile[:n]
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    found = read_profile(path)
    assert found.colnames == profile.colnames
    for name in profile.colnames:
        one, other = profile[name], found[name]
        assert getattr(one, 'unit', None) == getattr(other, 'unit', None)
        assert one.shape == other.shape
        assert_array_equal(getattr(one, 'value', one),
                           getattr(other, 'value', other))
    assert found.meta == profile.meta


def test_compressed(tmp_path):
    """
    Programs that know gzip and ECSV read it; a file that is none is told.
    """
    profile = make_profile()
    write_profile(profile, tmp_path / 'a.ecsv.gz')
    write_profile(profile, tmp_path / 'a.ecsv')
    content = gzip.decompress((tmp_path / 'a.ecsv.gz').read_bytes())
    assert content == (tmp_path / 'a.ecsv').read_bytes()
    assert len(QTable.read(tmp_path / 'a.ecsv.gz', format='ascii.ecsv')) == 4
    with pytest.raises(OSError, match='exists; give overwrite=True'):
        write_profile(profile, tmp_path / 'a.ecsv.gz')
    write_profile(profile, tmp_path / 'a.ecsv.gz', overwrite=True)
    for text in ('radius\n', 'radius\n1\n'):
        (tmp_path / 'b.ecsv').write_text(text)
        with pytest.raises(ValueError, match='cannot be read as a table'):
            read_profile(tmp_path / 'b.ecsv')


@pytest.mark.parametrize('ending', WHOLE)
def test_quantity_in_the_meta(tmp_path, ending):
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    profile = make_profile()
    profile.meta['distance'] = 20 * u.Mpc
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    # (as text where the file knows no units there)
    assert u.Quantity(read_profile(path).meta['distance']) == 20 * u.Mpc


def test_fits_holds_no_letters_beyond_ascii(tmp_path):
    profile = make_profile()
    profile['name'] = ['A', 'B', '\xe9', 'C']
    with pytest.raises(ValueError, match='column name that FITS'):
        write_profile(profile, tmp_path / 'profile.fits')
    assert not (tmp_path / 'profile.fits').exists()
    write_profile(profile, tmp_path / 'profile.ecsv')
    found = read_profile(tmp_path / 'profile.ecsv')
    assert found['name'].tolist() == ['A', 'B', '\xe9', 'C']


def make_kinds():
    """
    A profile with columns of other types than its own.
    """
    profile = make_profile()
    n = len(profile)
    profile['good'] = np.arange(n) % 2 == 0
    profile['note'] = ['', 'a, "b"', 'ccc', '']
    profile['count'] = np.arange(n)
    profile['byte'] = np.array([-1, 0, 1, 100], dtype='i1')
    profile['share'] = np.array([1.0, 2.0, 3.0, np.nan]) * u.percent
    profile['good'].info.description = 'whether it is'
    return profile


@pytest.mark.parametrize('n', [0, 4])
@pytest.mark.parametrize('ending', [*WHOLE, 'csv'])
def test_other_types(tmp_path, ending, n):
    """
    Bool, texts that are empty, small integers and percents come back.
    """
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    profile = make_kinds()[:n]
    if ending == 'csv':
        profile.meta.clear()
        # (an empty file tells no types but those of known columns)
        if not n:
            profile.keep_columns([
                name for name in profile.colnames
                if name not in ('good', 'note', 'count', 'byte')])
    path = tmp_path / f'profile.{ending}'
    write_profile(profile, path)
    found = read_profile(path)
    assert found.colnames == profile.colnames
    for name in profile.colnames:
        one, other = (np.asarray(getattr(table[name], 'value', table[name]))
                      for table in (profile, found))
        assert str(getattr(profile[name], 'unit', None)) == str(
            getattr(found[name], 'unit', None))
        assert other.dtype.kind == one.dtype.kind, name
        assert_array_equal(other, one)
        assert not np.any(getattr(found[name], 'mask', False))
        if ending != 'csv':
            assert found[name].info.description == (
                profile[name].info.description)
    assert found['flag'].dtype == np.int32


@pytest.mark.parametrize('ending', [*WHOLE, 'csv'])
def test_masked_columns(tmp_path, ending):
    """
    A masked value is not known afterwards either.
    """
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
    profile, gap = make_profile(), np.arange(4) == 1
    profile['count'] = MaskedColumn(np.arange(4), mask=gap)
    profile['good'] = MaskedColumn(np.arange(4) > 0, mask=gap)
    path = tmp_path / f'profile.{ending}'
    if ending.startswith('fits'):
        with pytest.raises(ValueError, match='masked values in its column '
                                             'good of True and False'):
            write_profile(profile, path)
        assert not path.exists()
        profile.remove_column('good')
    write_profile(profile, path)
    found = read_profile(path)
    if ending == 'csv':
        assert_array_equal(found['count'], [0, np.nan, 2, 3])
    else:
        assert_array_equal(found['count'].mask, gap)
        assert_array_equal(found['count'].filled(1), np.arange(4))
    if 'good' in found.colnames:
        assert_array_equal(found['good'].mask, gap)
        assert_array_equal(found['good'].filled(True), [0, 1, 1, 1])


def test_brackets_in_a_name(tmp_path):
    profile = make_profile()
    profile['x [y]'] = 1.0
    with pytest.raises(ValueError, match=r"the column 'x \[y\]', whose "
                                         'brackets would be read as a unit'):
        write_profile(profile, tmp_path / 'a.csv')


def test_flags_of_csv(tmp_path):
    profile = make_profile()
    profile['g_flag'] = np.array([0, 1, 2, 3], dtype=np.int32)
    write_profile(profile, tmp_path / 'a.csv')
    assert read_profile(tmp_path / 'a.csv')['g_flag'].dtype == np.int32
