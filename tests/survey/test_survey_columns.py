# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of columns of results that earlier versions do not know.
"""

import json

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    ProfileBatch,
    read_survey,
    run_survey,
)
from astro_pix2prof.profile.build import build_batch
from astro_pix2prof.profile.rings import MeasuredRings
from astro_pix2prof.survey.arrow import join_results
from astro_pix2prof.survey.files import part_files
from astro_pix2prof.survey.integrity import read_identity, write_part

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')

SMA = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
N = 5


def make_rings(**options):
    """
    A galaxy whose centre has an error of 0.3 pixels, if it is stated.
    """
    cutout = GalaxyCutout(np.random.default_rng(1).normal(size=(40, 40)),
                          zeropoint=22.5, pixel_scale=0.4)
    value = 200 * np.exp(-SMA / 5)
    return MeasuredRings(
        cutout=cutout, sma=SMA, intensity=value, intensity_err=0.02 * value,
        eps=np.full(5, 0.2), theta=np.full(5, 0.3), n_valid=np.ones(5),
        flag=np.zeros(5, dtype=int), galaxy_flag=GalaxyFlag(0),
        centre=(20.0, 19.0), noise=1.0, **options)


STATED = {'centre_err': 0.3, 'mag_enclosed_err': np.full(5, 0.05)}


class Stub:
    """
    A fitter that states errors, and fails where a name has an 'x'.
    """

    def __call__(self, image):
        raise NotImplementedError

    def fit_many(self, images, *, workers=0, **options):
        yield build_batch([
            ValueError('no') if 'x' in str(image) else make_rings(**STATED)
            for image, _ in images])


def make_catalogue(folder, **columns):
    names = ['ax.fits', 'bx.fits', 'c.fits', 'dx.fits', 'e.fits']
    for name in names:
        (folder / name).write_text(name)
    path = folder / 'cat.parquet'
    Table({'id': np.arange(N), 'path': names, **columns}).write(path)
    return path


def run(catalogue, out, **options):
    return run_survey(catalogue, out, fitter=Stub(), **{
        'n_workers': 1, 'chunk_size': 2, **options})


def test_column_that_cannot_be_written(tmp_path):
    path = make_catalogue(tmp_path)
    table = Table.read(path)
    table['z'] = np.arange(N) + 1j
    with pytest.raises(ValueError, match="the column 'z' holds what is neith"):
        run(table, tmp_path / 'out', images=str(tmp_path / '{path}'))
    result = run(table, tmp_path / 'out', images=str(tmp_path / '{path}'),
                 columns=['id'])
    assert result.n_done == N
    assert 'z' not in read_survey(result.out).galaxies().colnames


def test_data_frame(tmp_path):
    pytest.importorskip('pandas')
    frame = Table.read(make_catalogue(tmp_path)).to_pandas()
    result = run(frame, tmp_path / 'out', images=str(tmp_path / '{path}'))
    assert result.n_done == N
    assert list(read_survey(result.out).galaxies()['id']) == list(range(N))


def make_old(path):
    """
    Write a part again as an earlier version did: without the newer columns.
    """
    table = pq.read_table(path, partitioning=None)
    nested = table['profile'].combine_chunks()
    kept = [(field, part) for field, part in zip(
        nested.type, nested.flatten(), strict=True)
        if field.name != 'mag_enclosed_err']
    nested = pa.StructArray.from_arrays([part for _, part in kept],
                                        fields=[field for field, _ in kept])
    metadata = table.schema.metadata
    table = table.set_column(table.schema.get_field_index('profile'),
                             'profile', nested)
    table = table.drop_columns(['centre_err']).replace_schema_metadata(
        metadata)
    settings, stamps = read_identity(path)
    write_part(table, path, json.dumps(settings), stamps)


def test_schema(tmp_path):
    """
    All parts have the same columns, also that of failures only.
    """
    out = tmp_path / 'out'
    assert run(make_catalogue(tmp_path), out).n_failed == 3
    schemas = [pq.read_schema(path) for path in part_files(out)]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert schemas[0].field('centre_err').type == pa.float64()
    names = [field.name for field in schemas[0].field('profile').type]
    assert names.index('mag_enclosed_err') == names.index('mag_enclosed') + 1
    survey = read_survey(out)
    assert_allclose(survey.galaxies()['centre_err'],
                    [np.nan, np.nan, 0.3, np.nan, 0.3])
    assert survey[2].meta['centre_err'] == 0.3
    assert_allclose(survey[2]['mag_enclosed_err'].value,
                    [np.nan, 0.05, 0.05, 0.05, 0.05], rtol=1e-6)
    rows = pq.ParquetDataset(out).read()
    assert rows.num_rows == N
    assert rows['centre_err'].to_pylist()[2] == 0.3


def test_not_stated():
    """
    Tables have the same columns, whatever a fitter states.
    """
    plain = build_batch([make_rings()])
    failed = ProfileBatch.from_profiles([ValueError('no')])
    tables = [batch.to_arrow() for batch in (
        plain, failed, build_batch([make_rings(**STATED)]))]
    assert all(table.schema.equals(tables[0].schema) for table in tables)
    again = ProfileBatch.from_arrow(tables[0])
    assert again[0].colnames == plain[0].colnames
    assert np.isnan(again.rings['mag_enclosed_err']).all()
    batch = ProfileBatch.from_arrow(join_results(tables))
    assert_allclose(batch.rings['mag_enclosed_err'].value,
                    [np.nan] * 6 + [0.05] * 4, rtol=1e-6)


def test_old_results(tmp_path):
    """
    Parts without the newer columns are done, and read with not-a-number.
    """
    out, catalogue = tmp_path / 'out', make_catalogue(tmp_path)
    run(catalogue, out)
    first, second, last = part_files(out)
    last.unlink()
    make_old(second)
    make_old(first)
    # only what is missing is measured
    result = run(catalogue, out)
    assert (result.n_done, result.n_skipped, result.n_failed) == (1, 4, 3)
    survey = read_survey(out)
    assert_allclose(survey.galaxies()['centre_err'], [np.nan] * 4 + [0.3])
    assert 'centre_err' not in survey[2].meta
    assert np.isnan(survey[2]['mag_enclosed_err']).all()
    batch = survey[:]
    assert_allclose(batch.galaxies['centre_err'], [np.nan] * 4 + [0.3])
    assert_allclose(batch.rings['mag_enclosed_err'].value[5:],
                    [np.nan, 0.05, 0.05, 0.05, 0.05], rtol=1e-6)
    # all of them are old
    make_old(last)
    assert run(catalogue, out).n_done == 0
    survey = read_survey(out)
    assert 'centre_err' not in survey.galaxies().colnames
    table = survey.galaxies(['id', 'centre_err', 'ra'])
    assert np.isnan(table['centre_err']).all()
    assert len(table) == N
    with pytest.raises(ValueError, match="no column 'centre_error' in"):
        survey.galaxies(['centre_error'])


def test_column_of_the_catalogue(tmp_path):
    """
    A column of this name is kept under another one.
    """
    catalogue = make_catalogue(tmp_path, centre_err=np.arange(N) * 1.0)
    run(catalogue, tmp_path / 'out')
    table = read_survey(tmp_path / 'out').galaxies()
    assert_allclose(table['centre_err_input'], np.arange(N))
    assert_allclose(table['centre_err'][2], 0.3)


@pytest.mark.filterwarnings('ignore:The inplace keyword')
def test_hats(tmp_path):
    """
    Partitions have the same columns; old ones are measured again.
    """
    lsdb = pytest.importorskip('lsdb')
    frame = Table.read(make_catalogue(
        tmp_path, ra=np.arange(N) * 60.0, dec=np.zeros(N))).to_pandas()
    frame['path'] = [f'{tmp_path}/{path}' for path in frame['path']]
    lsdb.from_dataframe(
        frame, ra_column='ra', dec_column='dec', catalog_name='galaxies',
        lowest_order=3, highest_order=3, margin_threshold=None,
    ).write_catalog(tmp_path / 'hats', progress_bar=False)
    out = tmp_path / 'out'
    assert run(tmp_path / 'hats', out).n_failed == 3
    frame = lsdb.open_catalog(out).compute(progress_bar=False)
    assert_allclose(frame.sort_values('id')['centre_err'],
                    [np.nan, np.nan, 0.3, np.nan, 0.3])
    before = {path: path.read_bytes() for path in part_files(out)}
    assert (out / 'skymap.fits').is_file()
    make_old(part_files(out)[2])
    with pytest.warns(AstropyUserWarning, match=(
            '1 part is measured again: Npix=.* lacks columns of this ver')):
        result = run(tmp_path / 'hats', out)
    assert (result.n_done, result.n_skipped) == (1, N - 1)
    assert {path: path.read_bytes() for path in part_files(out)} == before
    assert len(lsdb.open_catalog(out).compute(progress_bar=False)) == N
    kept, = out.glob('.Npix=*.parquet.other')
    assert 'centre_err' not in pq.read_schema(kept).names
    # to begin anew removes what a survey wrote, and nothing else
    (out / 'mine.fits').write_text('mine')
    run(tmp_path / 'cat.parquet', out, overwrite=True)
    assert not (out / 'skymap.fits').exists()
    assert not (out / 'dataset').exists()
    assert (out / 'mine.fits').read_text() == 'mine'


def test_missing_whole_numbers(tmp_path):
    """
    Identifiers of 64 bits keep their digits where one of them is missing.
    """
    first = 1237648720693755918
    catalogue = Table({
        'objID': MaskedColumn([first, first + 1, 0], mask=[0, 0, 1]),
        'spiral': MaskedColumn([True, False, True], mask=[0, 1, 0])})
    image = GalaxyCutout(np.random.default_rng(1).normal(size=(40, 40)),
                         zeropoint=22.5, pixel_scale=0.4)
    result = run_survey(catalogue, tmp_path / 'out', n_workers=1,
                        images=lambda row: image, chunk_size=2, fitter=Stub())
    for columns in (None, ['objID', 'spiral']):
        rows = read_survey(result.out).galaxies(columns)
        assert rows['objID'].dtype == np.int64
        assert rows['objID'].tolist() == [first, first + 1, None]
        assert rows['spiral'].tolist() == [True, None, True]
    # a part without a gap
    assert int(read_survey(result.out).galaxies()['objID'][1]) == first + 1


def test_missing_texts_of_a_list(tmp_path):
    """
    Texts that a file keeps as numbers of a list, of which some are missing.
    """
    kind = ['x', None, 'y', 'x', None, 'y']
    path = tmp_path / 'catalogue.parquet'
    pq.write_table(pa.table({
        'number': list(range(6)),
        'kind': pa.array(kind).dictionary_encode()}), path)
    image = GalaxyCutout(np.random.default_rng(1).normal(size=(40, 40)),
                         zeropoint=22.5, pixel_scale=0.4)
    result = run_survey(path, tmp_path / 'out', n_workers=1, chunk_size=4,
                        images=lambda row: image, fitter=Stub())
    rows = read_survey(result.out).galaxies()
    assert rows['kind'].tolist() == ['x', '', 'y', 'x', '', 'y']
