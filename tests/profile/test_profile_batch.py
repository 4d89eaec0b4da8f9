# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of batches of profiles.
"""

import astropy.units as u
import numpy as np
import pytest

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    ProfileBatch,
    build_profile,
    decode_flags,
)
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.build import build_batch
from astro_pix2prof.profile.rings import MeasuredRings


def make_cutout(rng, name='one', **options):
    options = {'unit': 'nmgy', 'pixel_scale': 0.4, 'band': 'r', **options}
    return GalaxyCutout(rng.normal(0, 1, (40, 50)), name=name, **options)


def make_rings(cutout, n, *, shape=0.3):
    """
    An exponential disc on n rings, which turns with radius.
    """
    sma = 0.5 * 1.2**np.arange(n)
    value, error = 100 * np.exp(-sma / 5) - 0.2, np.linspace(0.01, 0.4, n)
    return MeasuredRings(
        cutout=cutout, sma=sma, intensity=value,
        intensity_err=value * error / POGSON, sb_err=error,
        eps=np.full(n, shape),
        theta=np.linspace(0, 1, n), n_valid=np.linspace(1, 0.3, n),
        flag=np.arange(n) % 2 * 256, galaxy_flag=GalaxyFlag.NEIGHBOUR,
        centre=(20.5, 18.25), sky=0.5, noise=1.5)


def make_profile(rings):
    return build_profile(
        rings.cutout, rings.sma, rings.intensity, rings.intensity_err,
        surface_brightness_err=rings.sb_err, ellipticity=rings.eps,
        theta=np.degrees(rings.theta), n_valid=rings.n_valid,
        flag=rings.flag, centre=rings.centre, sky=rings.sky,
        sky_err=rings.sky_err, noise=rings.noise, fitter='a fitter',
        weights='w', galaxy_flag=rings.galaxy_flag,
        meta={'sha256': 'abc',
              'noise_correlation': rings.noise_correlation})


@pytest.fixture
def rings():
    rng = np.random.default_rng(0)
    wcs_less = make_cutout(rng)
    other = make_cutout(rng, 'two', unit='Jy', band=None)
    return [make_rings(wcs_less, 12), make_rings(other, 20, shape=0.0)]


@pytest.fixture
def batch(rings):
    return ProfileBatch.from_profiles(
        [make_profile(rings[0]), ValueError('no such\n file'),
         make_profile(rings[1])], sources=['a', 'b.fits', 'c'], start=7)


class TestProfileBatch:

    def test_columns(self, batch):
        galaxies = batch.galaxies
        assert len(batch) == 3
        assert galaxies['index'].tolist() == [7, 8, 9]
        assert galaxies['source'].tolist() == ['one', 'b.fits', 'two']
        assert galaxies['n_rings'].tolist() == [12, 0, 20]
        assert galaxies['message'].tolist() == [
            '', 'ValueError: no such file', '']
        assert batch.failed.tolist() == [False, True, False]
        assert decode_flags(int(galaxies['flag'][1]), 'galaxy') == ['FAILED']
        assert galaxies['pixel_scale'].unit == u.arcsec
        assert galaxies['radius_50'].unit == u.arcsec
        assert len(batch.rings) == 32
        assert batch.rings['radius'].unit == u.arcsec
        # nmgy and Jy: no common unit
        assert getattr(batch.rings['intensity'], 'unit', None) is None
        assert galaxies['intensity_unit'].tolist() == [
            'nmgy / arcsec2', '', 'Jy / arcsec2']
        assert 'created' not in batch.meta

    def test_single(self, batch, rings, assert_same):
        assert_same(make_profile(rings[0]), batch[0])
        assert_same(make_profile(rings[1]), batch[-1])
        assert [len(profile) for profile in batch] == [12, 0, 20]
        failed = batch[1]
        assert failed.meta['flag'] == GalaxyFlag.FAILED
        assert failed.meta['message'] == 'ValueError: no such file'
        assert failed['radius'].unit is not None
        with pytest.raises(IndexError, match='has 3 galaxies, got the num'):
            batch[3]

    def test_slices(self, batch, rings, assert_same):
        part = batch[1:]
        assert part.galaxies['index'].tolist() == [8, 9]
        assert_same(make_profile(rings[1]), part[1])
        assert len(batch[2:1]) == 0
        both = ProfileBatch.concatenate([batch[:2], part[1:]])
        assert both.galaxies['index'].tolist() == [7, 8, 9]
        assert both.meta == batch.meta
        assert_same(make_profile(rings[1]), both[2])
        assert len(ProfileBatch.concatenate([])) == 0
        with pytest.raises(ValueError, match='step 1, got 2'):
            batch[::2]

    def test_chosen(self, batch, assert_same):
        for chosen in ([2, 0], np.array([-1, 0]), [2, 0, 2]):
            part = batch[chosen]
            assert len(part) == len(chosen)
            for profile, number in zip(part, chosen, strict=True):
                assert_same(profile, batch[number])
        assert_same(batch[[False, True, False]][0], batch[1])
        assert len(batch[[]]) == len(batch[np.zeros(3, dtype=bool)]) == 0
        with pytest.raises(IndexError, match='has 3 galaxies, got a mask of'):
            batch[[True]]
        with pytest.raises(IndexError, match='has 3 galaxies, got the number'):
            batch[[0, 3]]

    def test_flags(self, batch):
        """
        Flags are added to galaxies with a profile, to a new batch.
        """
        more = int(GalaxyFlag.CENTRE_UNCERTAIN)
        found = batch.with_flags(np.full(len(batch), more))
        before, after = (np.asarray(one.galaxies['flag'])
                         for one in (batch, found))
        measured = ~batch.failed
        assert measured.any()
        assert not measured.all()
        assert (after[measured] == before[measured] | more).all()
        assert (before & more == 0).all()
        assert (after[~measured] == int(GalaxyFlag.FAILED)).all()
        first = int(np.flatnonzero(measured)[0])
        assert found[first].meta['flag'] == before[first] | more
        assert len(found[first]) == len(batch[first])

    def test_light(self, batch, rings):
        """
        Half of the light lies within the radius that says so.
        """
        for k in (0, 2):
            profile, row = batch[k], batch.galaxies[k]
            enclosed = np.nanmin(profile['mag_enclosed'].value)
            assert row['mag'].value == pytest.approx(enclosed, abs=1e-9)
            half = np.interp(row['radius_50'].value,
                             profile['radius'].value,
                             10**(-0.4 * profile['mag_enclosed'].value))
            total = 10**(-0.4 * enclosed)
            assert half / total == pytest.approx(0.5, abs=1e-6)
        assert np.isnan(batch.galaxies['mag'][1])

    def test_table(self, batch):
        table = batch.to_table()
        assert table['radius'].shape == (3, 20)
        assert np.isfinite(table['radius']).sum(axis=1).tolist() == [
            12, 0, 20]
        assert table['ring_flag'][0, 1] & 256
        np.testing.assert_array_equal(table['pa'][2],
                                      batch[2]['pa'])

    def test_long(self, batch):
        table = batch.to_long()
        assert np.unique(table['index']).tolist() == [7, 9]
        np.testing.assert_array_equal(
            table['radius'][table['index'] == 9], batch[2]['radius'])

    def test_arrow(self, batch, tmp_path, assert_same):
        pytest.importorskip('pyarrow')
        import pyarrow.parquet

        table = batch.to_arrow()
        assert table.schema.field('ra').metadata == {b'unit': b'deg'}
        path = tmp_path / 'batch.parquet'
        pyarrow.parquet.write_table(table, path)
        again = ProfileBatch.from_arrow(pyarrow.parquet.read_table(path))
        assert again.meta == batch.meta
        for k in range(3):
            assert_same(batch[k], again[k], rtol=1e-6)
        # a slice begins elsewhere in the lists
        part = ProfileBatch.from_arrow(table.slice(2, 1))
        assert_same(batch[2], part[0], rtol=1e-6)
        with pytest.raises(ValueError, match="a column 'profile', got"):
            ProfileBatch.from_arrow(table.drop_columns(['profile']))

    def test_nested_pandas(self, batch):
        nested_pandas = pytest.importorskip('nested_pandas')

        frame = nested_pandas.NestedFrame(
            batch.to_arrow().to_pandas(
                types_mapper=__import__('pandas').ArrowDtype))
        frame['profile'] = frame['profile'].astype(
            nested_pandas.NestedDtype(batch.to_arrow().schema.field(
                'profile').type))
        long = frame['profile'].nest.to_flat()
        assert len(long) == 32

    def test_wrong(self, batch, rings):
        with pytest.raises(ValueError, match="of a profile, got 'colour'"):
            ProfileBatch({'colour': [1]}, {}, [0, 0])
        with pytest.raises(ValueError, match=r"rings\['radius'\] must have "
                                             r"the shape \(2,\), got \(1,\)"):
            ProfileBatch({}, {'radius': [1.0]}, [0, 2])
        with pytest.raises(TypeError, match='or exceptions, got int'):
            ProfileBatch.from_profiles([3])


class TestBuildBatch:

    def test_as_build_profile(self, rings, assert_same):
        batch = build_batch(
            [rings[0], OSError('gone'), rings[1]], start=2,
            sources=['', 'x.fits', ''],
            meta={'fitter': 'a fitter', 'weights': 'w', 'sha256': 'abc',
                  'version': make_profile(rings[0]).meta['version']})
        assert batch.galaxies['source'].tolist() == ['one', 'x.fits', 'two']
        for k, one in ((0, rings[0]), (2, rings[1])):
            assert_same(make_profile(one), batch[k])
        assert batch[0].meta['flag'] == GalaxyFlag.NEIGHBOUR
        assert batch.galaxies['message'][1] == 'OSError: gone'

    def test_nothing_measured(self):
        batch = build_batch([OSError('gone')])
        assert len(batch) == 1
        assert len(batch.rings) == 0
        assert batch.failed.all()
        assert batch.to_table()['radius'].shape == (1, 0)

    def test_uncalibrated(self):
        cutout = GalaxyCutout(np.random.default_rng(1).normal(
            size=(40, 40)), calibrated=False)
        batch = build_batch([make_rings(cutout, 9)])
        one = make_profile(make_rings(cutout, 9))
        assert batch[0]['radius'].unit == one['radius'].unit == u.pix
        np.testing.assert_array_equal(batch[0]['intensity'],
                                      one['intensity'])
        assert batch[0].meta['flag'] & GalaxyFlag.UNCALIBRATED
        assert np.isnan(batch[0]['surface_brightness']).all()


def test_background(galaxy_ccd):
    """
    The level of a sky that was given is known in batches, too.
    """
    from astro_pix2prof import IsophoteFitter

    fitter = IsophoteFitter(sky=0.0)
    profile = fitter(galaxy_ccd, background=0.05)
    assert profile.meta['background'] == pytest.approx(0.05)
    batch, = fitter.fit_many([galaxy_ccd, (galaxy_ccd, {'background': 0.05})])
    assert batch[1].meta['background'] == profile.meta['background']
    assert 'background' not in batch[0].meta
    again = ProfileBatch.from_profiles([profile])
    assert again.galaxies['background'][0] == profile.meta['background']
