# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of profiles as CSV files and as data frames.
"""

import builtins

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from astro_pix2prof import (
    from_pandas,
    read_profile,
    to_pandas,
    write_profile,
)


@pytest.fixture
def profile(sersic_profile):
    return sersic_profile.copy()


def test_csv_round_trip(profile, tmp_path):
    path = tmp_path / 'a.csv'
    profile['surface_brightness'][-1] = np.nan
    profile['flag'][2] = 5
    write_profile(profile, path)
    first = path.read_text(encoding='utf-8').splitlines()[0]
    assert first.startswith('radius [arcsec],surface_brightness [mag / arcs')
    assert first.endswith(',n_valid,flag')
    again = read_profile(path)
    assert again.colnames == profile.colnames
    for name in again.colnames:
        old, new = profile[name], again[name]
        assert getattr(new, 'unit', None) == getattr(old, 'unit', None)
        assert np.array_equal(np.asarray(new), np.asarray(old),
                              equal_nan=name != 'flag'), name
    assert again['flag'].dtype == np.int32
    # (the zero point follows from the columns)
    assert set(again.meta) <= {'sb_zeropoint'}
    with pytest.raises(OSError, match='exists; give overwrite=True'):
        write_profile(profile, path)


def test_csv_of_others(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('name,size\na,1\n', encoding='utf-8')
    with pytest.raises(ValueError, match='holds no profile table'):
        read_profile(path)
    path.write_text('radius [no unit]\n1\n', encoding='utf-8')
    with pytest.raises(ValueError, match='cannot be read as a table of the'):
        read_profile(path)


def test_empty_cells_are_not_known(profile, tmp_path):
    path = tmp_path / 'a.csv'
    write_profile(profile, path)
    head, first, *lines = path.read_text(encoding='utf-8').splitlines()
    cells = first.split(',')
    cells[1] = ''
    path.write_text('\n'.join([head, ','.join(cells), *lines]) + '\n',
                    encoding='utf-8')
    again = read_profile(path)
    assert np.isnan(again['surface_brightness'][0])
    assert np.isfinite(again['surface_brightness'][1:]).all()


def test_samples_have_no_place(profile, tmp_path):
    profile['surface_brightness_samples'] = np.zeros(
        (len(profile), 3)) * profile['surface_brightness'].unit
    with pytest.raises(ValueError, match='one value in each row, got the col'):
        write_profile(profile, tmp_path / 'a.csv')


def test_to_pandas(profile, tmp_path):
    pytest.importorskip('pandas')
    write_profile(profile, tmp_path / 'a.fits')
    for table in (profile, read_profile(tmp_path / 'a.fits')):
        frame = to_pandas(table)
        assert list(frame) == profile.colnames
        assert frame.attrs['units']['surface_brightness'] == 'mag / arcsec2'
        assert 'ellipticity' not in frame.attrs['units']
        assert frame.attrs['meta'] == dict(table.meta)
        for name in frame:
            assert np.array_equal(
                frame[name], np.asarray(profile[name]),
                equal_nan=name != 'flag')


def test_no_pandas(profile, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == 'pandas':
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(ImportError, match=r'to_pandas needs pandas: install'):
        to_pandas(profile)
    with pytest.raises(TypeError, match='profile must be a profile table'):
        to_pandas({'radius': [1]})


class TestFromPandas:
    @pytest.fixture
    def frame(self, profile):
        pytest.importorskip('pandas')
        profile['flag'][2] = 5
        profile['note'] = 'x'
        profile['sure'] = np.arange(len(profile)) % 2 == 0
        return to_pandas(profile)

    def test_round_trip(self, frame, profile):
        again = from_pandas(frame)
        assert again.colnames == profile.colnames
        assert again.meta == profile.meta
        for name in again.colnames:
            old, new = profile[name], again[name]
            assert getattr(new, 'unit', None) == getattr(old, 'unit', None)
            assert np.asarray(new).dtype == np.asarray(old).dtype, name
            assert_array_equal(np.asarray(new), np.asarray(old), name)
        part = from_pandas(frame[frame['radius'] > 3])
        assert 0 < len(part) < len(again)
        assert part['radius'].value.min() > 3

    def test_through_a_file(self, frame, profile, tmp_path):
        pd = pytest.importorskip('pandas')
        pytest.importorskip('pyarrow')
        frame.to_parquet(tmp_path / 'a.parquet')
        again = from_pandas(pd.read_parquet(tmp_path / 'a.parquet'))
        assert again.meta == profile.meta
        assert np.array_equal(again['intensity'], profile['intensity'])

    def test_missing_values(self, frame):
        pd = pytest.importorskip('pandas')
        frame['flag'] = frame['flag'].astype(float)
        frame['count'] = pd.array([1, None] * (len(frame) // 2)
                                  + [3] * (len(frame) % 2), dtype='Int64')
        frame['note'] = frame['note'].mask(frame.index == 1)
        frame['sure'] = frame['sure'].mask(frame.index == 1)
        again = from_pandas(frame)
        assert again['flag'].dtype == np.int32
        assert again['flag'][2] == 5
        assert again['count'][0] == 1
        assert np.isnan(again['count'][1])
        assert list(again['note'][:2]) == ['x', '']
        assert list(again['sure'].mask[:3]) == [False, True, False]
        assert again['sure'][0]

    def test_columns_of_objects(self, frame, profile):
        frame['note'] = None
        frame['x'] = frame['radius'].astype(object).mask(frame.index == 1)
        again = from_pandas(frame)
        assert set(again['note']) == {''}
        assert again['x'].dtype == float
        assert np.isnan(again['x'][1])
        assert not np.isnan(again['x'][0])
        mixed = frame.astype(object)
        mixed.attrs = frame.attrs
        assert_array_equal(from_pandas(mixed)['radius'], profile['radius'])
        assert len(from_pandas(frame[:0])['note']) == 0

    def test_rows_without_a_flag(self, frame):
        frame = frame.reindex(range(len(frame) + 2))
        with pytest.raises(ValueError, match='a flag in each row, got 2 '):
            from_pandas(frame)

    def test_wrong_columns(self, frame):
        pd = pytest.importorskip('pandas')
        twice = pd.concat([frame, frame[['note']]], axis=1)
        with pytest.raises(ValueError, match='got several of note'):
            from_pandas(twice)
        units = frame.attrs['units']
        frame.attrs['units'] = {**units, 'radius': 'arcsecc'}
        with pytest.raises(ValueError, match="fit the column radius, got 'a"):
            from_pandas(frame)
        frame.attrs['units'] = list(units)
        with pytest.raises(ValueError, match=r"\['units'\], got a list"):
            from_pandas(frame)

    def test_without_units(self, frame):
        frame.attrs = {}
        with pytest.raises(ValueError, match=r"frame.attrs\['units'\], got"):
            from_pandas(frame)
        frame.attrs = {'units': {'radius': 'mag'}}
        with pytest.raises(ValueError, match='frame must have its column rad'):
            from_pandas(frame)

    def test_wrong_type(self, frame, profile):
        with pytest.raises(TypeError, match='a data frame of pandas, got QT'):
            from_pandas(profile)
        with pytest.raises(TypeError, match='frame must be a profile table'):
            from_pandas(frame[['radius', 'note']])
