# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of errors that only some fitters state, from the rings to the table.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    ProfileBatch,
    describe_flags,
    read_profile,
    write_profile,
)
from astro_pix2prof.fitting.flags import Evidence, flag_galaxy
from astro_pix2prof.profile.build import build_batch, make_profile
from astro_pix2prof.profile.columns import COLUMNS
from astro_pix2prof.profile.rings import MeasuredRings

SMA = np.array([0.0, 1.0, 2.0, 4.0, 8.0])


def make_rings(**options):
    y, x = np.mgrid[:60, :60]
    image = 200 * np.exp(-np.hypot(x - 30, y - 30) / 5)
    image += np.random.default_rng(1).normal(0, 1, image.shape)
    cutout = GalaxyCutout(image, zeropoint=22.5, pixel_scale=0.4)
    value = 200 * np.exp(-SMA / 5)
    return MeasuredRings(
        cutout=cutout, sma=SMA, intensity=value, intensity_err=0.02 * value,
        eps=np.full(5, 0.2), theta=np.full(5, 0.3), n_valid=np.ones(5),
        flag=np.zeros(5, dtype=int), galaxy_flag=GalaxyFlag(0),
        centre=(30.0, 30.0), noise=1.0, **options)


@pytest.fixture
def stated():
    return make_rings(eps_err=np.full(5, 0.01), theta_err=np.full(5, 0.02),
                      mag_enclosed_err=np.linspace(0.05, 0.01, 5))


def test_table(stated):
    profile = make_profile(stated)
    assert profile.colnames.index('mag_enclosed_err') == (
        profile.colnames.index('mag_enclosed') + 1)
    assert profile['mag_enclosed_err'].unit == u.mag
    assert np.isnan(profile['mag_enclosed_err'][0])
    assert_allclose(profile['mag_enclosed_err'].value[1:],
                    np.linspace(0.05, 0.01, 5)[1:])
    assert_allclose(profile['pa_err'].to_value(u.deg), np.degrees(0.02))
    assert_allclose(profile['ellipticity_err'], 0.01)


def test_columns_are_the_same_without_them(stated):
    profile = make_profile(make_rings())
    assert tuple(profile.colnames) == COLUMNS
    assert make_profile(stated).colnames == profile.colnames
    assert np.isnan(profile['mag_enclosed_err']).all()


def test_profiles_of_earlier_versions(stated):
    """
    Profiles and files without the column are read; the error is unknown.
    """
    profile = make_profile(stated)
    old = profile.copy()
    old.remove_column('mag_enclosed_err')
    for batch in (ProfileBatch.from_profiles([old, old]),
                  ProfileBatch.from_profiles([profile, old])):
        assert np.isnan(batch[1]['mag_enclosed_err']).all()
        assert_allclose(batch[1]['mag_enclosed'].value,
                        profile['mag_enclosed'].value)
    old.remove_column('n_valid')
    with pytest.raises(KeyError, match='n_valid'):
        ProfileBatch.from_profiles([old])
    pa = pytest.importorskip('pyarrow')
    table = build_batch([stated]).to_arrow()
    nested = table['profile'].combine_chunks()
    fields = [field.name for field in nested.type
              if field.name != 'mag_enclosed_err']
    parts = dict(zip([field.name for field in nested.type],
                     nested.flatten(), strict=True))
    table = table.set_column(
        table.column_names.index('profile'), 'profile',
        pa.StructArray.from_arrays([parts[name] for name in fields], fields))
    again, = ProfileBatch.from_arrow(table)
    assert np.isnan(again['mag_enclosed_err']).all()
    assert_allclose(again['n_valid'], 1)


@pytest.mark.parametrize('suffix', ['ecsv', 'fits', 'vot', 'parquet'])
def test_files(stated, tmp_path, suffix):
    if suffix == 'parquet':
        pytest.importorskip('pyarrow')
        pytest.importorskip('pandas')
    profile = make_profile(stated)
    path = tmp_path / f'profile.{suffix}'
    write_profile(profile, path)
    again = read_profile(path)
    assert again.colnames == profile.colnames
    for name in ('mag_enclosed_err', 'pa_err'):
        assert again[name].unit == profile[name].unit
        assert_allclose(again[name].value, profile[name].value)


def test_batches(stated):
    profile = make_profile(stated)
    built = build_batch([stated, make_rings()])
    joined = ProfileBatch.from_profiles([profile, make_profile(make_rings())])
    both = ProfileBatch.concatenate([built[:1], build_batch([make_rings()])])
    for batch in (built, joined, both):
        assert_allclose(batch[0]['mag_enclosed_err'].value,
                        profile['mag_enclosed_err'].value)
        assert np.isnan(batch[1]['mag_enclosed_err']).all()
        assert 'mag_enclosed_err' in batch.to_table().colnames
    pytest.importorskip('pyarrow')
    again = ProfileBatch.from_arrow(built.to_arrow())
    assert_allclose(again[0]['mag_enclosed_err'].value,
                    profile['mag_enclosed_err'].value, rtol=1e-6)


@pytest.mark.parametrize(('options', 'expected'), [
    ({}, False), ({'eps_err': np.full(5, 0.01)}, False),
    ({'eps_err': np.full(5, 0.2)}, True),
    ({'eps_err': np.array([0.5, 0.5, 0.01, 0.01, 0.01])}, False),
    ({'eps_err': np.full(5, np.nan)}, False)])
def test_uncertain_geometry(options, expected):
    rings = make_rings(**options)
    flag = flag_galaxy(rings, Evidence(search=8.0))
    assert bool(flag & GalaxyFlag.GEOMETRY_UNCERTAIN) == expected
    rings.galaxy_flag = GalaxyFlag.FORCED
    flag = flag_galaxy(rings, Evidence(search=8.0))
    assert not flag & GalaxyFlag.GEOMETRY_UNCERTAIN


def test_uncertain_geometry_is_described():
    row, = (row for row in describe_flags('galaxy')
            if row.name == 'GEOMETRY_UNCERTAIN')
    assert row.bit == 131072
    assert 'ellipticity=' in row.text
