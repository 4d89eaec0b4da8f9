# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of surveys.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import (
    GalaxyCutout,
    IsophoteFitter,
    Pix2ProfFitter,
    ProfileBatch,
    load_example_truth,
    read_survey,
    run_survey,
)
from astro_pix2prof.datasets.simulated import write_simulated
from astro_pix2prof.image.sections import cut_section
from astro_pix2prof.networks.weights import find_weights, read_card
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.survey.catalogue import open_catalogue
from astro_pix2prof.survey.engine import Engine
from astro_pix2prof.survey.files import write_whole
from astro_pix2prof.survey.fitter_spec import FitterSpec
from astro_pix2prof.survey.images import SurveyImages
from astro_pix2prof.survey.tiles import TileSet

pytest.importorskip('pyarrow')

N = 6


@pytest.fixture(name='folder', scope='module')
def make_folder(tmp_path_factory):
    """
    A catalogue and its images; one file is no image.
    """
    folder = tmp_path_factory.mktemp('survey')
    galaxies = GalaxySimulator('sdss-r', n_pix=80, clutter=False).simulate(
        N, seed=5)
    paths = write_simulated(galaxies, folder / 'images')
    (folder / 'images' / 'bad.fits').write_text('no image')
    names = [f'images/{path.name}' for path in paths]
    names[2] = 'images/bad.fits'
    QTable({'id': np.arange(N), 'ra': 0.1 * np.arange(N) * u.deg,
            'dec': np.zeros(N) * u.deg, 'path': names,
            'z': [0.01, 0.02, 0.03, 0.04, 0.05, 0.06],
            }).write(folder / 'cat.parquet')
    return folder


@pytest.fixture(name='table')
def read_table(folder):
    return QTable.read(folder / 'cat.parquet')


@pytest.fixture(name='done', scope='module')
def run_once(folder):
    result = run_survey(folder / 'cat.parquet', folder / 'done', n_workers=1,
                        chunk_size=4)
    return result


def contents(folder):
    # (the time that it took is never the same)
    return {path.name: path.read_bytes() for path in folder.iterdir()
            if path.is_file() and path.name != '_times.json'}


class TestCatalogue:
    @pytest.mark.parametrize('name', ['cat.parquet', 'cat.fits', 'cat.ecsv',
                                      'cat.csv', 'folder', 'table'])
    def test_kinds(self, name, tmp_path, table):
        path = tmp_path / name
        if name == 'folder':
            path.mkdir()
            table[:4].write(path / 'a.parquet')
            table[4:].write(path / 'b.parquet')
            (path / '_note.parquet').write_text('not read')
        elif name == 'table':
            path = table
        else:
            table.write(path)
        catalogue = open_catalogue(path)
        assert catalogue.n_rows == N
        assert catalogue.columns == table.colnames
        parts = list(catalogue.parts(4, ['ra', 'path']))
        assert [part.num_rows for part in parts] == [4, 2]
        found = parts[0].to_pylist() + parts[1].to_pylist()
        assert [row['path'] for row in found] == list(table['path'])
        assert_allclose([row['ra'] for row in found], table['ra'].value)
        if name != 'cat.csv':
            assert parts[0].schema.field('ra').metadata == {b'unit': b'deg'}

    def test_fingerprint(self, tmp_path, table):
        paths = [tmp_path / f'{k}' / 'cat.fits' for k in range(3)]
        for k, path in enumerate(paths):
            path.parent.mkdir()
            table['z'][0] = 0.01 if k < 2 else 0.02
            table.write(path)
        first, same, other = (open_catalogue(p).fingerprint for p in paths)
        assert first == same != other
        assert (open_catalogue(table).fingerprint
                != open_catalogue(table[::-1]).fingerprint)

    def test_columns(self):
        table = Table({'name': np.array([b'a', b'b']),
                       'masked': np.ma.array([1, 2], mask=[0, 1]),
                       'big': np.array([1, 2], dtype='>f4'),
                       'pair': [[1, 2], [3, 4]],
                       'sky': SkyCoord([1, 2], [3, 4], unit='deg')})
        part, = open_catalogue(table).parts(5)
        assert part.to_pylist()[1] == {
            'name': 'b', 'masked': None, 'big': 2.0, 'pair': [3, 4],
            'sky.ra': 2.0, 'sky.dec': 4.0}

    def test_exceptions(self, tmp_path):
        with pytest.raises(TypeError, match='catalogue must be the path'):
            open_catalogue(3)
        with pytest.raises(FileNotFoundError, match='does not exist'):
            open_catalogue(tmp_path / 'none.fits')
        with pytest.raises(ValueError, match='without Parquet files'):
            open_catalogue(tmp_path)
        (tmp_path / 'a.txt').write_text('')
        with pytest.raises(ValueError, match='must be a Parquet, FITS'):
            open_catalogue(tmp_path / 'a.txt')
        fits.PrimaryHDU(np.ones((2, 2))).writeto(tmp_path / 'a.fits')
        with pytest.raises(ValueError, match='FITS file without a table'):
            open_catalogue(tmp_path / 'a.fits')
        with pytest.raises(ValueError, match='table has no rows'):
            open_catalogue(Table({'a': []}))


class TestImages:
    def load(self, images, table, **options):
        catalogue = open_catalogue(table)
        source = SurveyImages(images, catalogue, **options)
        rows, = catalogue.parts(100)
        found = sorted(source(rows), key=lambda item: item.row)
        assert [item.row for item in found] == list(range(rows.num_rows))
        return found

    def test_column(self, folder):
        for images in (None, 'path'):
            found = self.load(images, folder / 'cat.parquet')
            assert found[1].source == 'images/galaxy_00001_r.fits'
            assert found[1].options == {}
            assert found[1].error is None

    def test_template(self, folder, table):
        found = self.load(f'{folder}/images/galaxy_{{id:05d}}_r.fits',
                          table[:3])
        assert found[2].source.endswith('images/galaxy_00002_r.fits')
        table['id'][0] = 99
        found = self.load(f'{folder}/images/galaxy_{{id:05d}}_r.fits', table)
        assert isinstance(found[0].error, FileNotFoundError)

    def test_callable(self, table):
        def images(row):
            if row['id'] == 1:
                msg = 'not today'
                raise KeyError(msg)
            return row['path'], {'zeropoint': 22.5}

        found = self.load(images, table, ra='ra', dec='dec', size='z')
        assert 'must be positive' not in str(found[0].error)
        found = self.load(images, table, x='id', y='z')
        assert found[0].options == {'position': (0.0, 0.01),
                                    'zeropoint': 22.5}
        assert found[3].source == table['path'][3]
        assert isinstance(found[1].error, KeyError)

    def test_position_missing(self, table):
        table['z'][2] = np.nan
        found = self.load('path', table, x='id', y='z')
        assert str(found[2].error) == 'the catalogue has no position'

    def test_position_on_no_sky(self, table):
        table['dec'] = [0.0, 90.0, 90.5, np.nan, 0.0, 0.0]
        found = self.load('path', table, ra='id', dec='dec')
        assert 'no such file' in str(found[1].error)
        assert [str(found[k].error) for k in (2, 3)] == [
            f'the catalogue has id {table["id"][2]} and dec 90.5, which is no '
            'position on the sky in degrees', 'the catalogue has no position']

    def test_size(self, table):
        table['s'] = [30, 31, 32, 33, 34, -1] * u.arcsec

        def sizes(size):
            return [item.options.get('size') for item in self.load(
                lambda row: row['path'], table, size=size)]

        assert sizes('s')[:5] == list(table['s'][:5])
        assert sizes('s')[5] is None
        assert sizes('20')[0] == 20
        assert sizes('20 arcsec')[0] == 20 * u.arcsec
        for size in ('much', '90arcsex', '2size'):
            with pytest.raises(ValueError, match=f"size='{size}' is neither"):
                sizes(size)
        table['2size'] = table['s']
        assert sizes('2size')[:5] == list(table['s'][:5])

    def test_exceptions(self, table):
        catalogue = open_catalogue(table)

        def make(images='path', **options):
            SurveyImages(images, catalogue, **options)

        with pytest.raises(ValueError, match='neither a column of the cat'):
            make('nothing')
        with pytest.raises(ValueError, match="images='no' is not a column"):
            make('{no}.fits')
        with pytest.raises(TypeError, match='images must be a column'):
            make(3)
        with pytest.raises(ValueError, match=r'ra and dec go together: give '
                                             'dec='):
            make(ra='ra')
        with pytest.raises(ValueError, match='not both'):
            make(ra='ra', dec='dec', x='z', y='z')
        with pytest.raises(ValueError, match="x='u' is not a column"):
            make(x='u', y='z')
        with pytest.raises(ValueError, match='no such files'):
            make([])
        table.rename_column('path', 'where')
        table.replace_column('ra', np.ones(N) * u.s)
        catalogue = open_catalogue(table)
        with pytest.raises(ValueError, match='give images=, no column'):
            make(None)
        with pytest.raises(ValueError, match="'ra' has the unit s"):
            make('where', ra='ra', dec='dec')


@pytest.fixture(name='tiles', scope='module')
def make_tiles(tmp_path_factory):
    """
    Two tiles that overlap: the mask and the error come with the image.
    """
    folder = tmp_path_factory.mktemp('tiles')
    rng = np.random.default_rng(1)
    # in the second, the middle of the first is the left edge
    for k, crval in enumerate((10.0, 10.0 - 200 * 0.4 / 3600)):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = 'RA---TAN', 'DEC--TAN'
        wcs.wcs.crval = crval, 0.0
        wcs.wcs.crpix = 200.5, 150.5
        wcs.wcs.cdelt = -0.4 / 3600, 0.4 / 3600
        y, x = np.indices((300, 400))
        data = rng.normal(0.0, 0.02, y.shape).astype('f4')
        for sky_ra in (10.0, 10.0 - 160 * 0.4 / 3600):
            x0, y0 = wcs.world_to_pixel_values(sky_ra, 0.0)
            data += 3 * np.exp(-np.hypot(x - x0, 1.2 * (y - y0)) / 4)
        header = wcs.to_header()
        header['BUNIT'] = 'nanomaggy'
        mask = np.zeros(y.shape, dtype='u2')
        mask[:5] = 1
        fits.HDUList([
            fits.PrimaryHDU(),
            fits.ImageHDU(data, header, name='SCI'),
            fits.ImageHDU(np.full_like(data, 0.02), header, name='ERR'),
            fits.ImageHDU(mask, name='MASK')]).writeto(
                folder / f'tile{k}.fits')
    return folder


class TestTiles:
    def test_assign(self, tiles):
        found = TileSet([tiles / 'tile0.fits', tiles / 'tile1.fits'])
        ra = 10 - np.array([0, 90, 110, 190, 390, 500]) * 0.4 / 3600
        tile, x, y = found.assign(SkyCoord(ra, 0 * ra, unit='deg'))
        assert list(tile) == [0, 0, 1, 1, 1, -1]
        assert_allclose(x[:5], [199.5, 289.5, 109.5, 189.5, 389.5],
                        atol=1e-3)
        assert_allclose(y[:5], 149.5, atol=1e-3)

    @pytest.mark.parametrize(('position', 'size'), [
        ((120.0, 90.0), 60), ((3.0, 2.0), (50, 40)),
        ((120.0, 90.0), 20 * u.arcsec),
        (SkyCoord(10.0, 0.003, unit='deg'), 20 * u.arcsec)])
    def test_section(self, tiles, position, size):
        """
        The cut-out of a section is that of the whole image.
        """
        path = tiles / 'tile0.fits'
        whole = GalaxyCutout(path, position=position, size=size)
        with fits.open(path, memmap=False) as hdulist:
            section, where, origin = cut_section(hdulist, position, size)
            part = GalaxyCutout(section, position=where, size=size)
            assert not hdulist[1]._data_loaded
            assert section[1].data.size < 0.2 * np.prod(hdulist[1].shape)
        for name in ('data', 'mask', 'noise'):
            assert np.array_equal(getattr(part, name), getattr(whole, name))
        assert tuple(np.add(part.origin, origin)) == whole.origin
        assert_allclose(part.position, whole.position, atol=1e-6)
        assert_allclose(part.wcs.pixel_to_world_values(0, 0),
                        whole.wcs.pixel_to_world_values(0, 0), atol=1e-9)

    def test_survey(self, tiles, tmp_path):
        ra = 10 - np.array([0.0, 900.0, 160.0]) * 0.4 / 3600
        table = Table({'RAJ2000': ra, 'DEJ2000': 0 * ra})
        run_survey(table, tmp_path / 'out', n_workers=1,
                   images=f'{tiles}/tile*.fits', size='32arcsec')
        survey = read_survey(tmp_path / 'out')
        galaxies = survey.galaxies()
        assert [os.path.basename(name) for name in galaxies['source']] == [
            'tile0.fits', '', 'tile1.fits']
        assert list(survey.failures['message']) == [
            'ValueError: no tile holds the position']
        good = [0, 2]
        assert_allclose(galaxies['x_centre'][good], [199.5, 159.5], atol=0.5)
        assert_allclose(galaxies['ra'][good].to_value('deg'), ra[good],
                        atol=1e-4)
        whole = Pix2ProfFitter()(tiles / 'tile0.fits', position=(199.5, 149.5),
                                 size=32 * u.arcsec)
        assert_allclose(survey[0]['surface_brightness'].value,
                        whole['surface_brightness'].value, atol=2e-3)

    def test_file_without_wcs(self, tiles, tmp_path):
        """
        It is left out with a warning that names it; the others are used.
        """
        fits.PrimaryHDU(np.ones((9, 9))).writeto(tmp_path / 'a.fits')
        (tmp_path / 'b.fits').write_text('no image')
        paths = [tmp_path / 'a.fits', tiles / 'tile0.fits',
                 tmp_path / 'b.fits', tiles / 'tile1.fits']
        with pytest.warns(AstropyUserWarning) as caught:
            found = TileSet(paths)
        texts = [str(item.message) for item in caught]
        for name, text in zip('ab', texts, strict=True):
            assert f'{name}.fits' in text
            assert text.endswith('the tile is left out')
        assert found.paths == [str(paths[1]), str(paths[3])]
        tile, *_ = found.assign(SkyCoord([10.0], [0.0], unit='deg'))
        assert list(tile) == [0]

    def test_exceptions(self, tiles, tmp_path, table):
        fits.PrimaryHDU(np.ones((9, 9))).writeto(tmp_path / 'a.fits')
        with pytest.raises(ValueError, match='has no celestial WCS'):
            TileSet([tmp_path / 'a.fits'])
        catalogue = open_catalogue(table)
        with pytest.raises(ValueError, match='galaxies in tiles need size='):
            SurveyImages(str(tiles), catalogue)
        with pytest.raises(ValueError, match='leave out x and y, which'):
            SurveyImages(str(tiles), catalogue, x='z', y='z', size=9)
        with fits.open(tiles / 'tile0.fits') as hdulist, pytest.raises(
                ValueError, match='lies outside of the image of 400 x 300'):
            cut_section(hdulist, (400.0, 3.0), 20)
        with (fits.open(tmp_path / 'a.fits') as hdulist,
              pytest.raises(ValueError, match='no celestial WCS: give x=')):
            cut_section(hdulist, (3.0, 3.0), 2 * u.arcsec)


class TestFitterSpec:
    def test_make(self):
        spec = FitterSpec({'sky': 0.0})
        fitter = spec.make()
        assert fitter.sky == 0.0
        assert FitterSpec(fitter).make().sky == 0.0
        assert FitterSpec({'sky': 0.0}).make() is fitter
        found = spec.describe()
        assert found['sha256'] == fitter.card['sha256']
        assert found['weights'] == 'rings'

    def test_isophote(self):
        fitter = IsophoteFitter(step=0.2, initial=Pix2ProfFitter(batch_size=8))
        made = FitterSpec(fitter).make()
        assert made.step == 0.2
        assert made.initial.batch_size == 8
        assert FitterSpec({'method': 'isophote'}).describe() == {
            'fitter': 'IsophoteFitter', 'options': {}}

    def test_exceptions(self):
        with pytest.raises(ValueError, match="method must be 'pix2prof'"):
            FitterSpec({'method': 'eye'})
        with pytest.raises(ValueError, match="has no option 'steps'"):
            FitterSpec({'method': 'isophote', 'steps': 3})
        with pytest.raises(TypeError, match='fitter must be a Pix2ProfFit'):
            FitterSpec('rings')

    def test_own_object(self):
        """
        What the options do not tell travels, and is told apart.
        """
        fitter = Pix2ProfFitter()
        assert FitterSpec(fitter).fitter is None
        fitter.card = {**fitter.card, 'error_model': {}}
        spec = FitterSpec(fitter)
        assert spec.make() is fitter
        before = spec.describe()
        assert before == FitterSpec(fitter).describe()
        fitter.batch_size = 5
        assert FitterSpec(fitter).describe() == before
        next(fitter.network.parameters()).data += 1
        assert FitterSpec(fitter).describe() != before
        assert FitterSpec(np.sum).describe()['fitter'] == 'sum'

    def test_original(self, monkeypatch):
        """
        A fitter with weights of another kind is sent as it is.
        """
        fitter = Pix2ProfFitter(device='cpu')
        fitter.weights, fitter.card = 'a.pth', {'architecture': 'original'}
        assert FitterSpec(fitter).make() is fitter


class TestRunSurvey:
    def test_result(self, done):
        assert (done.n_rows, done.n_done, done.n_skipped, done.n_failed) == (
            N, N, 0, 1)
        assert sorted(contents(done.out)) == [
            '_failures.ecsv', '_survey.json', 'part-000000.parquet',
            'part-000001.parquet']

    def test_profiles(self, folder, done):
        survey = read_survey(done.out)
        assert len(survey) == N
        assert survey.complete
        assert 'done: 6 galaxies' in repr(survey)
        single = Pix2ProfFitter()(folder / 'images/galaxy_00004_r.fits')
        for name in ('radius', 'surface_brightness', 'ellipticity'):
            assert survey[4][name].unit == single[name].unit
            assert_allclose(survey[4][name].value, single[name].value,
                            rtol=1e-4, atol=1e-4)
        assert [len(batch) for batch in survey] == [4, 2]
        part = survey[1:6]
        assert isinstance(part, ProfileBatch)
        assert list(part.galaxies['index']) == [1, 2, 3, 4, 5]
        assert len(survey[-4]) == 0
        with pytest.raises(IndexError, match='has 6 galaxies, got the num'):
            survey[6]
        with pytest.raises(ValueError, match='must have the step 1'):
            survey[::2]

    def test_chosen(self, done):
        survey = read_survey(done.out)
        for chosen in ([5, 0, -3, 0], np.array([5, 0, 3, 0])):
            part = survey[chosen]
            assert isinstance(part, ProfileBatch)
            assert list(part.galaxies['index']) == [5, 0, 3, 0]
            for profile, number in zip(part, (5, 0, 3, 0), strict=True):
                assert_array_equal(profile['radius'],
                                   survey[number]['radius'])
        mask = survey.galaxies('z')['z'] > survey.galaxies(['z'])['z'][3]
        assert list(survey[np.asarray(mask)].galaxies['index']) == [
            number for number, use in enumerate(mask) if use]
        assert len(survey[[]]) == 0
        with pytest.raises(IndexError, match='has 6 galaxies, got the number'):
            survey[[1, 6]]
        with pytest.raises(IndexError, match='has 6 galaxies, got a mask of'):
            survey[[True, False]]
        with pytest.raises(TypeError, match='the survey takes a number, a sl'):
            survey['z']
        with pytest.raises(TypeError, match='the survey takes a number, a sl'):
            survey[[0.5, 1.0]]

    def test_galaxies(self, done, table):
        survey = read_survey(done.out)
        galaxies = survey.galaxies()
        assert galaxies.colnames[:5] == ['id', 'ra_input', 'dec_input',
                                         'path', 'z']
        assert galaxies['ra_input'].unit == u.deg
        assert_allclose(galaxies['ra_input'], table['ra'])
        good = galaxies['flag'] & GalaxyFlag.FAILED == 0
        assert list(good) == [True, True, False, True, True, True]
        there = SkyCoord(table['ra'], table['dec'])[good]
        assert (SkyCoord(galaxies['ra'], galaxies['dec'])[good].separation(
            there) < 3 * u.arcsec).all()
        assert list(galaxies['source']) == list(table['path'])
        assert survey.galaxies(['z', 'mag'])['mag'].unit == u.mag
        with pytest.raises(ValueError, match="no column 'nix' in"):
            survey.galaxies(['nix'])

    def test_failures(self, done):
        failures = read_survey(done.out).failures
        assert list(failures['index']) == [2]
        assert list(failures['source']) == ['images/bad.fits']
        assert failures['message'][0].startswith('OSError: ')
        assert failures.colnames == ['index', 'id', 'source', 'message']
        assert list(failures['id']) == [2]
        assert failures['id'].dtype.kind == 'i'

    def test_text(self, done):
        assert repr(done) == (f'<SurveyResult {done.out}: 6 galaxies, '
                              '5 measured, 1 failed; 6 by this call>')

    def test_other_readers(self, done):
        pd = pytest.importorskip('pandas')
        nested_pandas = pytest.importorskip('nested_pandas')
        assert len(pd.read_parquet(done.out)) == N
        frame = nested_pandas.read_parquet(done.out)
        assert len(frame['profile.radius']) == sum(
            len(profile) for batch in read_survey(done.out)
            for profile in batch)

    def test_restart(self, folder, done, tmp_path):
        out = tmp_path / 'out'

        def run():
            return run_survey(folder / 'cat.parquet', out, n_workers=1,
                              chunk_size=4)

        run()
        before = contents(out)
        assert before == contents(done.out)
        part = out / 'part-000000.parquet'
        part.unlink()
        (out / '_failures.ecsv').unlink()
        left = out / '.part-000000.parquet.0123.tmp'
        left.write_text('from a process that was killed')
        survey = read_survey(out)
        assert not survey.complete
        assert 'of 6, not complete' in repr(survey)
        kept = (out / 'part-000001.parquet').stat().st_mtime_ns
        result = run()
        assert (result.n_done, result.n_skipped, result.n_failed) == (4, 2, 1)
        assert contents(out) == before
        assert (out / 'part-000001.parquet').stat().st_mtime_ns == kept
        result = run()
        assert (result.n_done, result.n_skipped, result.n_failed) == (0, 6, 1)

    def test_another_survey(self, folder, tmp_path):
        out = tmp_path / 'out'
        options = {'n_workers': 1, 'columns': ['id'], 'chunk_size': 6}
        run_survey(folder / 'cat.parquet', out, **options)
        for change, match in (
                ({'chunk_size': 3}, 'chunk_size was 6 and is 3'),
                ({'zeropoint': 25.0}, 'zeropoint was not given and is 25.0. '),
                ({'fitter': {'n_views': 8}}, 'n_views was not given and is 8'),
                ({'fitter': {'sky': 0.0, 'step': 0.1}}, 'sky was not given '
                 'and is 0.0; step was not given and is 0.1')):
            with pytest.raises(ValueError, match=match):
                run_survey(folder / 'cat.parquet', out, **{
                    **options, **change})
        result = run_survey(folder / 'cat.parquet', out, overwrite=True,
                            n_workers=1, columns=[], chunk_size=6)
        assert result.n_done == N
        assert read_survey(out).galaxies().colnames[0] == 'index'

    def test_other_folder(self, folder, tmp_path):
        (tmp_path / 'mine.txt').write_text('keep me')
        with pytest.raises(FileExistsError, match='is not empty and holds '
                                                  'no survey'):
            run_survey(folder / 'cat.parquet', tmp_path, overwrite=True)
        assert (tmp_path / 'mine.txt').is_file()
        with pytest.raises(FileExistsError, match='is a file'):
            run_survey(folder / 'cat.parquet', tmp_path / 'mine.txt')

    def test_isophotes(self, folder, table, tmp_path):
        """
        Isophotes, which are fitted one galaxy after the other.
        """
        table['path'] = [f'{folder}/{path}' for path in table['path']]
        result = run_survey(table[1:3], tmp_path / 'out', n_workers=1,
                            fitter={'method': 'isophote', 'step': 0.3})
        assert (result.n_done, result.n_failed) == (2, 1)
        found, failed = read_survey(result.out)[:]
        single = IsophoteFitter(step=0.3)(table['path'][1])
        assert found.meta['fitter'] == 'IsophoteFitter'
        assert_allclose(found['intensity'].value, single['intensity'].value,
                        rtol=1e-5)
        assert len(failed) == 0

    def test_integers(self, folder, tmp_path):
        """
        Every integer counts; booleans and numbers with a point are none.
        """
        catalogue = folder / 'cat.parquet'
        result = run_survey(
            catalogue, tmp_path / 'out', n_workers=np.int64(1),
            chunk_size=np.int32(6), readers=np.uint8(0), columns=['id'],
            size=np.int64(70), zeropoint=np.float32(22.5),
            bad_bits=np.int64(1))
        settings = read_survey(result.out).settings
        assert settings['chunk_size'] == 6
        assert settings['options'] == {'zeropoint': 22.5, 'bad_bits': 1}
        for name in ('n_workers', 'chunk_size', 'readers'):
            for value in (True, 2.0, '2', np.True_):
                with pytest.raises(TypeError, match=f'{name} must be a.* int'):
                    run_survey(catalogue, tmp_path / 'no', **{name: value})
        with pytest.raises(TypeError, match='size must be a positive'):
            run_survey(catalogue, tmp_path / 'no', size=True)
        with pytest.raises(TypeError, match='scheduler must be a text'):
            run_survey(catalogue, tmp_path / 'no', scheduler=8786)
        assert not (tmp_path / 'no' / 'part-000000.parquet').exists()

    def test_model_card(self, folder, tmp_path):
        """
        Weights, error model and domain belong to the survey.
        """
        name = find_weights('rings')
        weights = tmp_path / name.name
        card_path = weights.with_suffix('.json')
        shutil.copy(name, weights)
        card = read_card('rings')

        def run(card, **options):
            card_path.write_text(json.dumps(card))
            return run_survey(
                folder / 'cat.parquet', tmp_path / 'out', n_workers=1,
                chunk_size=6, fitter={'weights': weights}, **options)

        run(card)
        (tmp_path / 'out' / 'part-000000.parquet').unlink()
        assert run(card).n_done == N
        for key, other in (('error_model', None), ('domain', {}),
                           ('sha256', 64 * '0'), ('config', {'a': 1}),
                           ('error_model', {**card['error_model'],
                                            'correlation': None})):
            changed = {**card, key: other}
            if other is None:
                del changed[key]
            with pytest.raises(ValueError, match=f'holds another survey: .*'
                                                 f'{key}.* was .* and is '):
                run(changed)
        assert run(card).n_skipped == N

    def test_more_processes_than_parts(self, folder, tmp_path):
        """
        No process is started that would have nothing to do.
        """
        def fitter(image):
            return load_example_truth()

        with pytest.warns(AstropyUserWarning, match='n_workers=2, but the '
                                                    r'catalogue has 1 part'):
            result = run_survey(folder / 'cat.parquet', tmp_path / 'out',
                                fitter=fitter, n_workers=2)
        assert read_survey(result.out).times['n_workers'] == 1

    def test_any_fitter(self, folder, tmp_path):
        """
        Objects with the interface of a fitter, and functions.
        """
        class Mine:
            def __init__(self, step):
                self.step = step

            def __call__(self, image, **options):
                raise NotImplementedError

            def fit_many(self, images, *, workers=0, **options):
                for image, _ in images:
                    profile = load_example_truth()
                    profile.meta['band'] = f'{self.step}{workers}'
                    if 'galaxy_00004' in image:
                        profile = ValueError('not this one')
                    yield ProfileBatch.from_profiles([profile])

        result = run_survey(folder / 'cat.parquet', tmp_path / 'out',
                            fitter=Mine(3), n_workers=1, readers=2)
        assert list(read_survey(result.out).failures['index']) == [4]
        assert read_survey(result.out)[0].meta['band'] == '32'
        with pytest.raises(ValueError, match='fitter_state was'):
            run_survey(folder / 'cat.parquet', tmp_path / 'out',
                       fitter=Mine(4), n_workers=1, readers=2)
        result = run_survey(
            folder / 'cat.parquet', tmp_path / 'function', n_workers=1,
            fitter=lambda image: load_example_truth())
        assert result.n_failed == 0

    def test_fitter_that_raises(self, folder, tmp_path):
        """
        The images that are to blame have failed; or else it is an error.
        """
        class Fragile:
            def __init__(self, bad):
                self.bad = bad

            def __call__(self, image):
                raise NotImplementedError

            def fit_many(self, images, *, workers=0):
                images = [image for image, _ in images]
                if any(name in image for image in images
                       for name in self.bad):
                    msg = 'out of luck'
                    raise MemoryError(msg)
                yield ProfileBatch.from_profiles(
                    [load_example_truth()] * len(images))

        result = run_survey(
            folder / 'cat.parquet', tmp_path / 'out', n_workers=1,
            fitter=Fragile(['galaxy_00001', 'galaxy_00005']))
        assert result.n_failed == 2
        failures = read_survey(result.out).failures
        assert list(failures['index']) == [1, 5]
        assert failures['message'][0] == 'MemoryError: out of luck'
        galaxies = read_survey(result.out).galaxies()
        assert list(galaxies['index']) == list(range(N))
        assert list(galaxies['id']) == list(range(N))
        with pytest.raises(RuntimeError, match='because of MemoryError'):
            run_survey(folder / 'cat.parquet', tmp_path / 'all', n_workers=1,
                       fitter=Fragile(['fits']))

    def test_broken_part(self, folder, tmp_path, monkeypatch):
        """
        What cannot be written is an error, and what is done is kept.
        """
        import pyarrow.parquet as pq

        from astro_pix2prof.survey import results as survey_output

        class Writer(pq.ParquetWriter):
            def __init__(self, path, *args, **options):
                if '000000' in path.name:
                    msg = 'No space left on device'
                    raise OSError(msg)
                super().__init__(path, *args, **options)

        monkeypatch.setattr(pq, 'ParquetWriter', Writer)
        out = tmp_path / 'out'
        with pytest.raises(RuntimeError, match=r'1 part.* could not be done, '
                                               'the first because of OSErr'):
            run_survey(folder / 'cat.parquet', out, n_workers=1,
                       chunk_size=3)
        assert [path.name for path in survey_output.part_files(out)] == [
            'part-000001.parquet']
        assert not list(out.glob('.*'))

    def test_exceptions(self, folder, tmp_path):
        catalogue = folder / 'cat.parquet'
        for options, match in (
                ({'chunk_size': 0}, 'chunk_size must be a positive'),
                ({'readers': -1}, 'readers must be an integer of at least 0'),
                ({'n_workers': 0}, 'n_workers must be a positive'),
                ({'zero': 3}, 'no such option: zero; options of all images'),
                ({'radii': [1]}, r"radii; radii: give fitter=\{'radii': \.\."),
                ({'sky': 0, 'mask': 'm', 'centre': (3, 3)},
                 'mask, sky; centre: give ra= and dec=, or x= and y=.*; mask: '
                 r"give masks=; sky: give fitter=\{'sky': \.\.\.\}"),
                ({'pa': 3}, 'pa: give images= as a function that returns an'),
                ({'zp': 3}, 'no such option: zp; zp: give zeropoint='),
                ({'columns': ['nix']}, "columns: 'nix' is not a column")):
            with pytest.raises(ValueError, match=match):
                run_survey(catalogue, tmp_path / 'out', **options)
        with pytest.raises(FileNotFoundError, match='not the folder of a s'):
            read_survey(tmp_path)


def test_write_whole(tmp_path):
    path = tmp_path / 'a.txt'

    def write(part):
        part.write_text('half')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, write)
    assert not list(tmp_path.iterdir())
    write_whole(path, lambda part: part.write_text('all'))
    assert path.read_text() == 'all'


def test_few_rows_at_a_time(tmp_path):
    """
    The engine takes tasks as they are needed, and rows come in parts.
    """
    taken = []

    def tasks():
        for k in range(100):
            taken.append(k)
            yield (k,)

    with Engine(None, n_workers=1) as engine:
        results = engine.map(lambda key, k: k, tasks())
        assert next(results) == 0
        assert taken == [0]
    Table({'a': np.arange(10_000)}).write(tmp_path / 'a.parquet')
    parts = open_catalogue(tmp_path / 'a.parquet').parts(300)
    sizes = [part.nbytes for part in parts]
    assert len(sizes) == 34
    assert max(sizes) < 300 * 9


# A script as beginners write it: without `if __name__ == '__main__':`.
SCRIPT = textwrap.dedent('''
    import sys
    from astro_pix2prof import run_survey

    print(run_survey(sys.argv[1], sys.argv[2], images=sys.argv[3],
                     n_workers=2, chunk_size=int(sys.argv[4]),
                     readers=int(sys.argv[5])).n_done)
''')


@pytest.fixture(name='start_script')
def fixture_start_script(tmp_path):
    """
    A function that starts a survey in a process, which ends with the test.
    """
    path = tmp_path / 'script.py'
    path.write_text(SCRIPT)
    with contextlib.ExitStack() as stack:
        def start(*args):
            process = stack.enter_context(subprocess.Popen(
                [sys.executable, path, *map(str, args)], cwd=tmp_path,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize('readers', [
    0, pytest.param(1, marks=pytest.mark.slow)])
def test_processes(folder, done, tmp_path, start_script, readers):
    """
    Two processes, with or without readers, write the same bytes as this one.
    """
    pytest.importorskip('distributed')
    process = start_script(folder / 'cat.parquet', tmp_path / 'out', 'path',
                           4, readers)
    out, err = process.communicate(timeout=300)
    assert out.strip() == '6', err
    assert contents(tmp_path / 'out') == contents(done.out)


# A fitter with which the process dies when it meets a certain image.
KILLER = textwrap.dedent('''
    import os, sys
    from astro_pix2prof import ProfileBatch, load_example_truth, run_survey

    class Killer:
        def __call__(self, image):
            raise NotImplementedError

        def fit_many(self, images, *, workers=0):
            for image, _ in images:
                if 'galaxy_00003' in image:
                    os._exit(1)
                yield ProfileBatch.from_profiles([load_example_truth()])

    print(run_survey(sys.argv[1], sys.argv[2], fitter=Killer(), n_workers=2,
                     chunk_size=2).n_failed)
''')


@pytest.mark.slow
def test_image_that_kills(folder, tmp_path):
    """
    An image with which processes die has failed, and no other.
    """
    pytest.importorskip('distributed')
    done = subprocess.run(
        [sys.executable, '-c', KILLER, folder / 'cat.parquet',
         tmp_path / 'out'], capture_output=True, text=True, timeout=900)
    assert done.stdout.strip() == '1', done.stderr
    survey = read_survey(tmp_path / 'out')
    assert survey.complete
    failures = survey.failures
    assert list(failures['index']) == [3]
    assert failures['message'][0].startswith('ProcessDiedError: the process')
    assert list(survey.galaxies()['index']) == list(range(N))


@pytest.mark.slow
@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
@pytest.mark.parametrize('who', ['worker', 'all'])
def test_kill(folder, tmp_path, start_script, who):
    """
    A worker, or the whole run, is killed in the middle: nothing is lost.
    """
    psutil = pytest.importorskip('psutil')
    pytest.importorskip('distributed')
    table = QTable.read(folder / 'cat.parquet')
    table['path'] = [f'{folder}/{path}' for path in table['path']]
    table = table[np.tile(np.arange(N), 50)]
    table['id'] = np.arange(len(table))
    catalogue = tmp_path / 'cat.parquet'
    table.write(catalogue)
    quiet = tmp_path / 'quiet'
    run_survey(catalogue, quiet, n_workers=1, chunk_size=10)
    out = tmp_path / 'out'
    process = start_script(catalogue, out, 'path', 10, 0)
    limit = time.monotonic() + 600
    while not (out / 'part-000003.parquet').exists():
        assert time.monotonic() < limit
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    if who == 'all':
        process.send_signal(signal.SIGKILL)
        # (the workers end by themselves, with the part that they have)
        process.wait()
        assert len(list(out.glob('part-*'))) < 30
        process = start_script(catalogue, out, 'path', 10, 0)
    else:
        # the process that measures: it has the network in memory
        workers = psutil.Process(process.pid).children(recursive=True)
        max(workers, key=lambda p: p.memory_info().rss).kill()
    n_done, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert (int(n_done) == 300) == (who == 'worker')
    assert contents(out) == contents(quiet)


@pytest.mark.filterwarnings('ignore:The inplace keyword')
def test_hats(folder, tmp_path):
    """
    A HATS catalogue becomes one with the same pixels and the profiles.
    """
    lsdb = pytest.importorskip('lsdb')
    frame = QTable.read(folder / 'cat.parquet').to_pandas()
    frame['path'] = [f'{folder}/{path}' for path in frame['path']]
    lsdb.from_dataframe(
        frame, ra_column='ra', dec_column='dec', catalog_name='galaxies',
        lowest_order=8, highest_order=8, margin_threshold=None,
    ).write_catalog(tmp_path / 'hats', progress_bar=False)
    out = tmp_path / 'out'

    def run():
        return run_survey(tmp_path / 'hats', out, n_workers=1, chunk_size=1,
                          columns=['id', 'path'])

    result = run()
    assert (result.n_done, result.n_failed) == (N, 1)
    catalogue = lsdb.open_catalog(out)
    assert catalogue.hc_structure.catalog_info.ra_column == 'ra_input'
    pixels = catalogue.get_healpix_pixels()
    assert len(pixels) > 1
    assert pixels == lsdb.open_catalog(tmp_path / 'hats'
                                       ).get_healpix_pixels()
    frame = catalogue.compute(progress_bar=False)
    assert sorted(frame['id']) == list(range(N))
    survey = read_survey(out)
    assert survey.complete
    galaxies = survey.galaxies()
    assert list(galaxies['index']) == list(range(N))
    k = int(np.flatnonzero(galaxies['id'] == 4)[0])
    assert_allclose(frame[frame['id'] == 4]['profile'].iloc[0]['radius'],
                    survey[k]['radius'].value)
    # what is there is not measured again; what is not is
    assert run().n_skipped == N
    before = {path: path.read_bytes()
              for path in (out / 'dataset').rglob('Npix*')}
    lost = next(iter(before))
    lost.unlink()
    (out / 'hats.properties').unlink()
    result = run()
    assert 0 < result.n_done < N
    assert {path: path.read_bytes()
            for path in (out / 'dataset').rglob('Npix*')} == before
    assert len(lsdb.open_catalog(out)) == N


def test_settings(done):
    settings = json.loads((done.out / '_survey.json').read_text())
    assert settings['fitter'] == 'Pix2ProfFitter'
    assert settings['weights'] == 'rings'
    assert len(settings['sha256']) == 64
    assert settings['n_rows'] == N
    assert settings['images_folder'] == str(done.out.parent)
    times = json.loads((done.out / '_times.json').read_text())
    assert times['n_done'] == N
    assert times['n_workers'] == 1
    assert times['seconds'] > 0
