# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the search for similar galaxies.
"""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import MaskedColumn, QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import (
    GalaxyFlag,
    ProfileBatch,
    SimilarityIndex,
    read_survey,
)

pytest.importorskip('sklearn')
pa = pytest.importorskip('pyarrow')
import pyarrow.parquet as pq

N, D = 60, 64


@pytest.fixture
def table():
    """
    Galaxies with random embeddings; 7 is nearly the same as 3.
    """
    rng = np.random.default_rng(5)
    embedding = rng.normal(size=(N, D)).astype('f4')
    embedding[7] = embedding[3] * 2 + 0.01 * rng.normal(size=D)
    return QTable({
        'index': np.arange(N) + 100,
        'source': [f'g{k}.fits' for k in range(N)],
        'mag': rng.uniform(15, 20, N) * u.mag,
        'flag': np.zeros(N, int), 'embedding': embedding},
        meta={'encoder': 'first', 'encoder_sha256': 'a' * 64})


@pytest.fixture
def survey(table, tmp_path, sersic_profile):
    """
    The same as the output of a survey of two files.
    """
    profiles = [sersic_profile.copy() for _ in range(N)]
    for profile, source in zip(profiles, table['source'], strict=True):
        profile.meta['source'] = str(source)
    profiles[11] = ValueError('no galaxy')
    batch = ProfileBatch.from_profiles(profiles,
                                       sources=table['source'].tolist())
    rows = batch.to_arrow()
    vectors = [None if k == 11 else row.tolist()
               for k, row in enumerate(table['embedding'])]
    rows = rows.append_column('embedding', pa.array(
        vectors, pa.list_(pa.float32(), D)))
    folder = tmp_path / 'out.parquet'
    folder.mkdir()
    for k in range(2):
        pq.write_table(rows.slice(30 * k, 30),
                       folder / f'part-00000{k}.parquet')
    (folder / '_survey.json').write_text(json.dumps(
        {'n_rows': N, 'embedding': 'a' * 64}))
    return folder


def expected(table, k, n, metric='cosine'):
    """
    Neighbours and distances by the definitions.
    """
    x = table['embedding'].astype(float)
    if metric == 'cosine':
        distance = 1 - x @ x[k] / np.linalg.norm(x, axis=1) / (
            np.linalg.norm(x[k]))
    else:
        distance = np.sqrt(((x - x[k])**2).sum(axis=1))
    distance[k] = np.inf
    order = np.argsort(distance)[:n]
    return order, distance[order]


@pytest.mark.parametrize('metric', ['cosine', 'euclidean'])
@pytest.mark.parametrize('engine', ['sklearn', 'faiss', 'usearch'])
def test_neighbours(table, metric, engine):
    if engine != 'sklearn':
        pytest.importorskip(engine)
    index = SimilarityIndex(table, metric=metric, engine=engine)
    assert index.exact == (engine != 'usearch')
    found = index.query(103, n=5)
    rows, distance = expected(table, 3, 5, metric)
    assert found['index'].tolist() == (100 + rows).tolist()
    np.testing.assert_allclose(found['distance'], distance, atol=1e-6)
    assert found['rank'].tolist() == [1, 2, 3, 4, 5]
    assert found['mag'].unit == u.mag
    assert 'embedding' not in found.colnames
    assert found.meta['engine'] == engine


def test_nearly_the_same(table):
    found = SimilarityIndex(table).query(103, n=1)
    assert found['source'].tolist() == ['g7.fits']
    # 1 - cos of an angle of 0.4 degrees, which single precision would lose
    cos = expected(table, 3, 1)[1][0]
    np.testing.assert_allclose(found['distance'], cos, rtol=1e-3)
    assert 0 < cos < 1e-3


def test_all_that_may_be_asked(table):
    index = SimilarityIndex(table)
    first = index.query(103, n=4)
    same = ['g3.fits', np.int64(103), '103', table[3], table[3:4], [103]]
    for of in same:
        again = index.query(of, n=4)
        assert again['index'].tolist() == first['index'].tolist()
    # an embedding alone does not tell which galaxy it is of
    for of in (table['embedding'][3], table['embedding'][3].tolist(),
               table['embedding'][3:4]):
        found = index.query(of, n=5)['index'].tolist()
        assert found == [103, *first['index']]
    # the number of another table is not that of this one
    other = table[3:4].copy()
    other['index'] = 120
    assert index.query(other, n=1)['index'][0] == 103
    # several: the mean of their directions, and none of them
    both = index.query([103, 110], n=5)
    x = table['embedding'].astype(float)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    distance = 1 - x @ (x[3] + x[10]) / np.linalg.norm(x[3] + x[10])
    order = [k for k in np.argsort(distance) if k not in (3, 10)][:5]
    assert both['index'].tolist() == [100 + k for k in order]
    mixed = index.query([103, table[10]], n=5)
    assert mixed['index'].tolist() == both['index'].tolist()


class Encoder:
    """
    A fitter that knows the embeddings of images by their names.
    """

    def __init__(self, table, encoder='a'):
        self.table, self.encoder = table, encoder

    def encode(self, images):
        rows = [int(image[1:-5]) for image in images]
        out = QTable({'index': np.arange(len(rows)),
                      'embedding': self.table['embedding'][rows]})
        out.meta = {'encoder': 'encoder',
                    'encoder_sha256': self.encoder * 64}
        return out


def test_images(table):
    index = SimilarityIndex(table)
    fitter = Encoder(table)
    assert index.query('g3.fits', n=1, fitter=fitter)['index'][0] == 103
    found = index.query(103, images='g10.fits', fitter=fitter, n=60 - 1)
    assert found['index'][0] == 110
    with pytest.raises(ValueError, match='images need a fitter'):
        index.query(images='g3.fits')
    with pytest.raises(TypeError, match='must have a method encode, got 3'):
        index.query(images='g3.fits', fitter=3)
    match = "encoder 'bbbbbbbbbbbb', and those of the index of 'aaaaaaaaaaaa'"
    with pytest.raises(ValueError, match=match):
        index.query('g3.fits', fitter=Encoder(table, 'b'))


def test_left_out(table):
    table['embedding'][5, 3] = np.nan
    table['embedding'][6] = np.inf
    table['flag'][8] = int(GalaxyFlag.FAILED)
    match = ('3 of 60 galaxies left out: 1 not measured, 2 not finite')
    with pytest.warns(AstropyUserWarning, match=match):
        index = SimilarityIndex(table)
    assert len(index) == 57
    assert index.n_left_out == 3
    assert index.left_out == {'not measured': 1, 'not finite': 2}
    assert 105 not in index.query(103, n=56)['index']
    with pytest.raises(ValueError, match='galaxy 105 has no vector'):
        index.query(105)


def test_unknown_encoder(table):
    table.meta.clear()
    with pytest.warns(AstropyUserWarning, match='encoder of the column '
                                                "'embedding' is not known"):
        index = SimilarityIndex(table)
    assert index.encoder == ''
    # other vectors have none
    table.rename_column('embedding', 'vector')
    assert len(SimilarityIndex(table, column='vector')) == N
    assert len(SimilarityIndex(table, columns=['mag'])) == N


def test_number_or_id(table):
    """
    A number that is the id of another galaxy is told.
    """
    table['objID'] = np.arange(N)[::-1] + 100
    index = SimilarityIndex(table)
    match = (r"'110' was taken for the galaxy of the column 'index' "
             r"\(g10.fits\); the column 'objID' has it for another one: give "
             "id_column='objID'")
    with pytest.warns(AstropyUserWarning, match=match):
        index.query(110, n=1)
    assert index.id_column == 'index'
    assert index.find('g3.fits') == 3
    assert index.query('g3.fits', n=1)['index'][0] == 107
    named = SimilarityIndex(table, id_column='objID')
    assert named.query(100 + N - 1 - 3, n=1)['index'][0] == 107
    table['objID'] += 1000
    index = SimilarityIndex(table)
    with pytest.raises(ValueError, match="the column 'objID' has it: give "
                                         "id_column='objID'"):
        index.query(1110)


def test_no_source(table):
    """
    An image without a galaxy has an embedding, which is like nothing.
    """
    table['flag'][8] = int(GalaxyFlag.NO_SOURCE)
    table['flag'][9] = int(GalaxyFlag.UNCALIBRATED)
    with pytest.warns(AstropyUserWarning, match='1 not measured'):
        index = SimilarityIndex(table)
    assert index.left_out == {'not measured': 1}
    assert 108 not in index.query(103, n=58)['index']
    assert 109 in index.query(103, n=58)['index']


@pytest.mark.parametrize(('flag', 'message', 'match'), [
    (GalaxyFlag.FAILED, 'no such file',
     'a.fits has no embedding: it could not be measured: no such file'),
    (GalaxyFlag.FAILED, '', 'a.fits has no embedding: it could not be m'),
    (GalaxyFlag.NO_SOURCE, '', r'no galaxy in it \(NO_SOURCE\)')])
def test_asked_with_what_failed(table, flag, message, match):
    """
    An image that could not be measured, or shows no galaxy, is no query.
    """
    asked = table[:2].copy()
    asked['source'] = ['b.fits', 'a.fits']
    asked['message'] = ['', message]
    asked['flag'] = [0, int(flag)]
    with pytest.raises(ValueError, match=match):
        SimilarityIndex(table).query(asked, n=1)
    asked['flag'] = int(flag)
    with pytest.raises(ValueError, match='and 1 other has no embedding'):
        SimilarityIndex(table).query(asked, n=1)


def test_survey(survey, table):
    with pytest.warns(AstropyUserWarning, match='1 not measured'):
        index = SimilarityIndex(survey, keep=['source', 'mag'])
    found = index.query('g3.fits', n=3)
    rows, distance = (part[[0, 1, 3]] for part in expected(table, 3, 4))
    assert found['index'].tolist() == rows.tolist()
    np.testing.assert_allclose(found['distance'], distance, atol=1e-6)
    # the images of the same encoder and of another
    assert index.query('g3.fits', fitter=Encoder(table), n=1)[
        'index'][0] == 3
    with pytest.raises(ValueError, match="index of 'aaaaaaaaaaaa'"):
        index.query('g3.fits', fitter=Encoder(table, 'c'))
    assert found.colnames == ['rank', 'distance', 'source', 'mag', 'index',
                              'flag']
    with pytest.warns(AstropyUserWarning, match='left out'):
        assert len(SimilarityIndex(read_survey(survey))) == N - 1


def test_survey_without_embeddings(survey):
    match = r'embedding=True \(pix2prof survey --embedding\)'
    for path in survey.glob('part-*'):
        pq.write_table(pq.read_table(path).drop_columns('embedding'), path)
    with pytest.raises(ValueError, match=match):
        SimilarityIndex(survey)
    with pytest.raises(ValueError, match="has no column 'vector'; or give"):
        SimilarityIndex(survey, column='vector')


def test_survey_with_broken_embeddings(survey):
    first, second = sorted(survey.glob('part-*'))
    rows = pq.read_table(first).drop_columns('embedding')
    pq.write_table(rows.append_column('embedding', pa.array(
        [[1.0, 2.0]] * 30)), first)
    with pytest.raises(ValueError, match='vectors of 2 and of 64 numbers'):
        SimilarityIndex(survey)
    pq.write_table(rows.append_column('embedding', pa.array(
        [[1.0, 2.0]] * 29 + [[1.0]])), first)
    with pytest.raises(ValueError, match='vectors of 1 and of 2 numbers'):
        SimilarityIndex(survey)
    pq.write_table(rows.append_column('embedding', pa.array(['a'] * 30)),
                   first)
    with pytest.raises(ValueError, match='must hold lists of numbers'):
        SimilarityIndex(survey)
    for path in (first, second):
        path.unlink()
    with pytest.raises(ValueError, match='has no results yet'):
        SimilarityIndex(survey)


def test_columns(table):
    table['c'] = np.r_[np.zeros(N // 2), np.ones(N // 2)]
    index = SimilarityIndex(table, columns=['mag', 'c'])
    assert index.metric == 'euclidean'
    assert index.encoder == ''
    low, high = np.quantile(table['mag'].value, [0.25, 0.75])
    mag = 1.349 * (table['mag'].value - table['mag'].value[3]) / (high - low)
    c = 1.349 * table['c']
    distance = np.hypot(mag, c)
    order = [k for k in np.argsort(distance, kind='stable') if k != 3][:5]
    found = index.query(103, n=5)
    assert found['index'].tolist() == [100 + k for k in order]
    np.testing.assert_allclose(found['distance'], distance[order], rtol=1e-5)
    # a table in another unit
    other = QTable({'mag': [table['mag'][3].to_value('mag') * 1000]
                    * u.Unit('mmag'), 'c': [0.0]})
    assert index.query(other, n=1)['index'][0] == 103
    other['mag'] = [3] * u.m
    with pytest.raises(ValueError, match="'mag' must be in 'mag', got the"):
        index.query(other)


@pytest.mark.parametrize('ending', ['parquet', 'ecsv'])
@pytest.mark.parametrize('options', [
    {'metric': 'euclidean'}, {'columns': ['mag']}, {'id_column': 'source'}])
def test_save_and_load(table, tmp_path, ending, options):
    table['embedding'][9] = np.nan
    table['mag'][4] = np.nan * u.mag
    table['source'][2] = ''
    with pytest.warns(AstropyUserWarning):
        index = SimilarityIndex(table, **options)
    path = index.save(tmp_path / f'index.{ending}')
    again = SimilarityIndex.load(path)
    of = 'g3.fits'
    one, two = index.query(of), again.query(of)
    assert one.colnames == two.colnames
    for name in one.colnames:
        assert getattr(one[name], 'unit', None) == getattr(
            two[name], 'unit', None)
        np.testing.assert_array_equal(one[name], two[name])
    assert one.meta == two.meta
    assert again.left_out == index.left_out
    np.testing.assert_array_equal(index.embeddings, again.embeddings)
    gone = {'id_column': 'g9.fits', 'metric': 109, 'columns': 104}
    with pytest.raises(ValueError, match='it was left out'):
        again.query(gone[next(iter(options))])
    with pytest.raises(FileExistsError, match='overwrite=True'):
        index.save(path)
    index.save(path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_others(table, tmp_path):
    index = SimilarityIndex(table)
    with pytest.raises(ValueError, match=r'must end in \.parquet or \.ecsv'):
        index.save(tmp_path / 'index.pkl')
    with pytest.raises(ValueError, match='is an address'):
        index.save('s3://bucket/index.parquet')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        SimilarityIndex.load(tmp_path / 'none.parquet')
    path = tmp_path / 'a.parquet'
    pq.write_table(pa.table({'a': [1]}), path)
    with pytest.raises(ValueError, match='was not written by SimilarityInd'):
        SimilarityIndex.load(path)
    path.write_bytes(b'PAR1')
    with pytest.raises(ValueError, match='cannot be read as a Similarity'):
        SimilarityIndex.load(path)
    path = index.save(tmp_path / 'b.parquet')
    rows = pq.read_table(path)
    key = b'astro_pix2prof_search'
    meta = json.loads(rows.schema.metadata[key])
    pq.write_table(rows.replace_schema_metadata(
        {key: json.dumps({**meta, 'version': 99})}), path)
    with pytest.raises(ValueError, match='by a later version of this pack'):
        SimilarityIndex.load(path)
    pq.write_table(rows.replace_schema_metadata(
        {key: json.dumps({**meta, 'kind': 'AnomalyFinder'})}), path)
    with pytest.raises(ValueError, match=r'but by AnomalyFinder\.save'):
        SimilarityIndex.load(path)
    broken = rows.set_column(
        rows.column_names.index('embedding'), 'embedding',
        pa.array([[float('nan')] * 2] * N))
    pq.write_table(broken, path)
    with pytest.raises(ValueError, match='holds no finite vectors'):
        SimilarityIndex.load(path)


def test_duplicates(table):
    for engine in ('sklearn', 'faiss', 'usearch'):
        if engine != 'sklearn':
            pytest.importorskip(engine)
        pairs = SimilarityIndex(table, engine=engine).duplicates(0.01)
        assert pairs.colnames == ['index_1', 'index_2', 'distance']
        assert [tuple(row)[:2] for row in pairs] == [(103, 107)]
        assert 0 < pairs['distance'][0] < 1e-3
    # the lengths of the two differ
    index = SimilarityIndex(table, metric='euclidean')
    assert len(index.duplicates(0.01)) == 0
    with pytest.raises(ValueError, match='max_distance must be positive'):
        index.duplicates(0)


def test_too_many_duplicates(table, monkeypatch):
    from astro_pix2prof.representations import index as module

    monkeypatch.setattr(module, '_MAX_PAIRS', 20)
    with pytest.raises(ValueError, match='more than 20 pairs are that near'):
        SimilarityIndex(table).duplicates(3.0)


def test_what_cannot_be_asked(table):
    index = SimilarityIndex(table)
    cases = (
        (99, "no galaxy 99 in the column 'index' of 60 galaxies, the first "
             "of which is '100'"),
        ('x', "no galaxy 'x' in the column 'index' of 60 galaxies, the first "
              r"of which is '100'; nor in the other columns of texts "
              r"\('source'\)"),
        ([], 'of is empty'),
        (np.ones(3), r'must have 64 numbers for each galaxy, got .*\(1, 3\)'),
        (np.full(D, np.nan), 'must be finite, got not-a-number'),
        (np.zeros(D), 'zero, which has no direction'),
        (table[:0], 'of is a table without rows'),
        (table['index', 'mag'][:1], "the table: no column 'embedding'"))
    for of, match in cases:
        with pytest.raises(ValueError, match=match):
            index.query(of)
    for of in (2.5, True, {'a': 1}):
        with pytest.raises(TypeError, match='of must be the id of a galaxy'):
            index.query(of)
    with pytest.raises(TypeError, match=r'got CCDData of the shape \(9, 9\): '
                                        'of an image, give fitter='):
        index.query(CCDData(np.ones((9, 9)), unit='adu'))
    with pytest.raises(ValueError, match='give a galaxy: of= or images='):
        index.query()
    with pytest.raises(ValueError, match='n=60 is more than the index has: '
                                         '59 other galaxies'):
        index.query(103, n=60)
    assert len(index.query(103, n=59)) == 59
    assert len(index.query(103)) == 10
    assert len(SimilarityIndex(table[:4]).query(table['index'][0])) == 3
    with pytest.raises(ValueError, match='n must be a positive integer'):
        index.query(103, n=0)


def test_two_of_a_name(table):
    table['source'][4] = 'g3.fits'
    with pytest.raises(ValueError, match='2 galaxies are called'):
        SimilarityIndex(table).query('g3.fits')
    match = "'source' names 1 galaxies more than once \\('g3.fits'\\)"
    with pytest.raises(ValueError, match=match):
        SimilarityIndex(table, id_column='source')


def test_no_index_of_it(table):
    with pytest.raises(ValueError, match='the table is empty'):
        SimilarityIndex(table[:0])
    with pytest.raises(TypeError, match='must be a table, a survey'):
        SimilarityIndex([1, 2])
    with pytest.raises(TypeError, match=r'ndarray of the shape \(9, 4\): give '
                                        r"Table\({'embedding': vectors}\)"):
        SimilarityIndex(np.ones((9, 4)))
    with pytest.raises(ValueError, match="no column 'vector': make it with"):
        SimilarityIndex(table, column='vector')
    with pytest.raises(ValueError, match="columns: no column 'x'"):
        SimilarityIndex(table, columns=['x'])
    with pytest.raises(ValueError, match="id_column: no column 'x'"):
        SimilarityIndex(table, id_column='x')
    with pytest.raises(ValueError, match="keep: no column 'x'"):
        SimilarityIndex(table, keep=['x'])
    with pytest.raises(ValueError, match='must hold integers or texts'):
        SimilarityIndex(table, id_column='mag')
    names = MaskedColumn(np.arange(len(table)))
    names.mask[2] = True
    table['number'] = names
    with pytest.raises(ValueError, match="'number' must have a name for each "
                                         'galaxy, got 1 rows'):
        SimilarityIndex(table, id_column='number')
    with pytest.raises(ValueError, match="'flag' is 0 for all galaxies"):
        SimilarityIndex(table, columns=['flag'])
    with pytest.raises(ValueError, match="'source' must hold numbers"):
        SimilarityIndex(table, columns=['source'])
    with pytest.raises(TypeError, match='columns must be a list of names'):
        SimilarityIndex(table, columns='mag')
    with pytest.raises(ValueError, match='columns must name at least one'):
        SimilarityIndex(table, columns=[])
    with pytest.raises(ValueError, match="metric='cosine' compares directions"
                                         ', which one number has not'):
        SimilarityIndex(table, columns=['mag'], metric='cosine')
    with pytest.raises(ValueError, match="metric must be 'cosine' or"):
        SimilarityIndex(table, metric='l2')
    with pytest.raises(TypeError, match="'metrics' is not an option of"):
        SimilarityIndex(table, metrics='l2')
    table['flat'] = np.arange(N)
    with pytest.raises(ValueError, match='must hold a vector of numbers'):
        SimilarityIndex(table, column='flat')
    table['mag'] = np.nan * u.mag
    with pytest.raises(ValueError, match="'mag' has no finite values"):
        SimilarityIndex(table, columns=['mag'])
    table['embedding'] = np.nan
    table['embedding'] = np.full((N, D), np.nan)
    with pytest.raises(ValueError, match='none of 60 galaxies has a finite'):
        SimilarityIndex(table)


def test_missing_packages(table, monkeypatch):
    import importlib

    real = importlib.import_module

    def without(name, *args):
        if name.split('.')[0] in ('sklearn', 'faiss', 'usearch'):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(importlib, 'import_module', without)
    with pytest.raises(ImportError, match=r'scikit-learn.*\[search\]'):
        SimilarityIndex(table)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        SimilarityIndex(table, engine='faiss')


def test_names_without_a_column():
    table = QTable({'embedding': np.eye(4)},
                   meta={'encoder_sha256': 'a' * 64})
    index = SimilarityIndex(table)
    assert index.query(2, n=1)['index'].tolist() == [0]
    assert repr(index) == ('<SimilarityIndex: 4 galaxies, 4 numbers each, '
                           'cosine, sklearn>')
