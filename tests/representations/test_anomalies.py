# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the search for anomalies.
"""

import copy

import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof import AnomalyFinder
from astro_pix2prof.representations.acquisition import (
    InterestModel,
    doubt,
    reduce_vectors,
)

pytest.importorskip('sklearn')
pytest.importorskip('pyarrow')

N, N_ODD = 600, 8


def make_table(n=N, n_odd=N_ODD, seed=3):
    """
    Galaxies of two usual kinds and of two odd ones; which ones are odd.
    """
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(n, 16)) * np.linspace(2, 0.5, 16)
    embedding[:n // 2, 0] += 8
    odd = rng.choice(n, n_odd, replace=False)
    embedding[odd[::2], 1:4] += 7
    embedding[odd[1::2], 3:6] -= 6
    table = QTable({'index': np.arange(n) + 5,
                    'source': [f'{k}.fits' for k in range(n)],
                    'flag': np.zeros(n, int),
                    'embedding': embedding.astype('f4')})
    return table, odd + 5


@pytest.fixture(scope='module')
def galaxies():
    return make_table()


@pytest.fixture(scope='module')
def _finder(galaxies):
    return AnomalyFinder(galaxies[0])


@pytest.fixture
def finder(_finder):
    return copy.deepcopy(_finder)


def test_unusual_ones_come_first(finder, galaxies):
    scores = finder.scores
    assert len(scores) == N
    assert scores['rank'].tolist() == list(range(1, N + 1))
    assert (np.diff(scores['score']) <= 0).all()
    # half of the odd ones are among the first, 12 times the usual share
    first = np.isin(scores['index'][:2 * N_ODD], galaxies[1])
    assert first.sum() >= N_ODD // 2
    assert np.isnan(scores['predicted']).all()
    assert finder.next(3)['index'].tolist() == scores['index'][:3].tolist()
    # the same seed, the same results
    again = AnomalyFinder(galaxies[0]).scores
    np.testing.assert_array_equal(again['score'], scores['score'])


def test_ratings_teach(finder, galaxies):
    odd = galaxies[1]
    seen = []
    for _ in range(4):
        chosen = finder.next(10)['index'].tolist()
        assert not set(chosen) & set(seen)
        assert len(set(chosen)) == 10
        seen += chosen
        finder.rate({k: 5 if k in odd else 0 for k in chosen})
    assert finder.n_rated == 40
    scores = finder.scores
    first = scores['index'][:N_ODD]
    assert np.isin(first, odd).sum() >= N_ODD - 1
    assert np.isfinite(scores['predicted']).all()
    assert (scores['predicted_err'] > 0).all()
    # a person's word counts: nothing rated 0 stands above a rated 5
    rated = scores[np.isfinite(scores['rating'])]
    np.testing.assert_array_equal(rated['score'], rated['rating'])


def test_equal_ratings_teach_nothing(finder):
    first = finder.next(6)['index'].tolist()
    finder.rate(dict.fromkeys(first[:3], 0.0))
    assert finder.next(3)['index'].tolist() == first[3:]
    assert np.isnan(finder.scores['predicted']).all()
    assert set(finder.scores['index'][:3]) == set(first[:3])


def test_ratings_are_replaced_and_taken_back(finder):
    # (7.fits is the galaxy 12)
    finder.rate({5: 1, 6: 2, '7.fits': 3})
    assert dict(finder.ratings.iterrows()) == {5: 1.0, 6: 2.0, 12: 3.0}
    finder.rate({5: 4, 6: None})
    finder.rate(QTable({'index': [12], 'rating': [np.nan]}))
    assert dict(finder.ratings.iterrows()) == {5: 4.0}
    for wrong in (np.nan, np.inf, 'nan'):
        with pytest.raises(ValueError, match='rating of 5 must be finite'):
            finder.rate({5: wrong})
    assert dict(finder.ratings.iterrows()) == {5: 4.0}
    finder.rate({})
    assert finder.n_rated == 1


def test_ratings_of_a_file(finder, tmp_path):
    path = tmp_path / 'ratings.csv'
    path.write_bytes('\ufeffindex,source,rating\r\n5,0.fits,4\r\n'
                     '6,"1.fits",\r\n8,,2\r\n8,,4\r\n\r\n'.encode())
    with pytest.warns(AstropyUserWarning, match='such as 8 with 2 and 4'):
        finder.rate(path)
    assert dict(finder.ratings.iterrows()) == {5: 4.0, 8: 3.0}
    ecsv = tmp_path / 'ratings.ecsv'
    finder.ratings.write(ecsv)
    other = copy.deepcopy(finder)
    other.rate({5: None, 8: None})
    other.rate(str(ecsv))
    other.rate(finder.ratings)
    assert dict(other.ratings.iterrows()) == {5: 4.0, 8: 3.0}


@pytest.mark.parametrize(('text', 'match'), [
    ('', 'is empty'),
    ('a,b\n1,2\n', "no column 'index' and 'rating'; there are a, b"),
    ('index,rating\n5\n', 'has a row of 1 values below 2 names'),
    ('index,rating\n5,inf\n', "rating of '5' must be finite"),
    ('index,rating\n4,1\n', "no galaxy '4' in the column"),
    ('index,source,rating\n5,x.fits,1\n', "is 'x.fits' there and '0.fits' "
     'here: they are of another survey'),
])
def test_wrong_files(finder, tmp_path, text, match):
    path = tmp_path / 'ratings.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        finder.rate(path)
    assert finder.n_rated == 0


def test_ratings_by_another_column(galaxies, finder, tmp_path):
    """
    A file that names galaxies by another column is understood.
    """
    path = tmp_path / 'ratings.csv'
    path.write_text('source,rating\n7.fits,4\n0.fits,1\n')
    finder.rate(path)
    assert finder.ratings['index'].tolist() == [5, 12]
    assert finder.ratings['rating'].tolist() == [1, 4]
    with pytest.raises(ValueError, match="no galaxy '7' in the column "
                                         "'source': name the galaxies by"):
        finder.rate(QTable({'source': ['7'], 'rating': [1]}))
    # (a column that the galaxies do not have)
    with pytest.raises(ValueError, match="no column 'index'; there are id, "
                                         'rating; ratings need'):
        finder.rate(QTable({'id': [7], 'rating': [1]}))
    table = galaxies[0].copy()
    table['name'] = ['twin'] * 2 + [f'n{k}' for k in range(2, N)]
    twins = AnomalyFinder(table)
    twins.rate(QTable({'name': ['n3'], 'rating': [1]}))
    assert twins.ratings['index'].tolist() == [8]
    with pytest.raises(ValueError, match="2 galaxies 'twin' in the column"):
        twins.rate(QTable({'name': ['twin'], 'rating': [1]}))


def test_ratings_that_differ(finder, tmp_path):
    (tmp_path / 'x.csv').write_text('index,rating\n5,5\n5,1\n8,2\n8,2\n')
    with pytest.warns(AstropyUserWarning, match=r'x\.csv: 1 galaxy with '
                      'ratings that differ, such as 5 with 5 and 1'):
        finder.rate(tmp_path / 'x.csv')
    assert finder.ratings['rating'].tolist() == [3.0, 2.0]


def test_wrong_ratings(finder, tmp_path):
    with pytest.raises(TypeError, match="rating of 5 must be a number, got "
                                        "'high'"):
        finder.rate({5: 'high'})
    with pytest.raises(TypeError, match='must be a number, got True'):
        finder.rate({5: True})
    with pytest.raises(TypeError, match='must be a dict, a table or a file'):
        finder.rate([1, 2])
    with pytest.raises(FileNotFoundError, match='does not exist'):
        finder.rate(tmp_path / 'none.csv')
    (tmp_path / 'x.csv').write_bytes(b'index,rating\n\xff\xfe,1\n')
    with pytest.raises(ValueError, match='is no CSV or ECSV file'):
        finder.rate(tmp_path / 'x.csv')
    # nothing of a wrong set is taken
    with pytest.raises(ValueError, match="no galaxy '1' in"):
        finder.rate({5: 3, 1: 3})
    assert finder.n_rated == 0


def test_left_out():
    table, _ = make_table()
    table['embedding'][2] = np.nan
    with pytest.warns(AstropyUserWarning, match='1 of 600 galaxies left out'):
        finder = AnomalyFinder(table)
    assert finder.n_left_out == 1
    assert len(finder.scores) == N - 1
    with pytest.warns(AstropyUserWarning, match='1 rating of galaxies with'):
        finder.rate({7: 5, 8: 1})
    assert finder.n_rated == 1


@pytest.mark.parametrize('ending', ['parquet', 'ecsv'])
def test_go_on_later(finder, tmp_path, ending):
    chosen = finder.next(5)['index'].tolist()
    finder.rate({k: k % 3 for k in chosen})
    path = finder.save(tmp_path / f'finder.{ending}')
    again = AnomalyFinder.load(path)
    assert again.n_rated == 5
    one, two = finder.scores, again.scores
    assert one['index'].tolist() == two['index'].tolist()
    np.testing.assert_allclose(one['score'], two['score'], rtol=1e-6)
    assert (again.next(4)['index'].tolist()
            == finder.next(4)['index'].tolist())
    with pytest.raises(FileExistsError, match='overwrite=True'):
        finder.save(path)


def test_columns():
    table, _ = make_table()
    rng = np.random.default_rng(0)
    table['n'], table['c'] = rng.normal(size=(2, N))
    table['n'][40] = 50
    finder = AnomalyFinder(table, columns=['n', 'c'])
    assert finder.scores['index'][0] == 45


def test_limits(finder, galaxies):
    with pytest.raises(ValueError, match='n=601 is more than there are: 600'):
        finder.next(N + 1)
    small = AnomalyFinder(galaxies[0][:6])
    small.rate({5: 1, 6: 3})
    assert sorted(small.next(4)['index']) == [7, 8, 9, 10]
    small.rate(dict.fromkeys(range(7, 11), 2))
    with pytest.raises(ValueError, match='0 galaxies not rated'):
        small.next(1)
    assert small.scores['index'][0] == 6
    assert repr(small) == '<AnomalyFinder: 6 galaxies, 6 rated>'
    with pytest.raises(ValueError, match='1 galaxy with a vector: there'):
        AnomalyFinder(galaxies[0][:1])
    with pytest.raises(ValueError, match='n_components must be a positive'):
        AnomalyFinder(galaxies[0], n_components=0)


def test_the_same_galaxy_many_times():
    table = QTable({'embedding': np.ones((30, 4))})
    finder = AnomalyFinder(table)
    finder.rate({0: 1, 1: 2})
    assert len(finder.next(3)) == 3
    assert np.isfinite(finder.scores['score']).all()


def make_three_kinds(seed, n=2000, n_odd=(40, 10, 10)):
    """
    Vectors of usual galaxies and of a common and two rare odd kinds.
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 24)) * np.linspace(2, 0.5, 24)
    kinds = np.zeros(n, int)
    kinds[rng.choice(n, sum(n_odd), replace=False)] = np.repeat(
        (1, 2, 3), n_odd)
    for kind in (1, 2, 3):
        values[kinds == kind, 4 * kind:4 * kind + 4] += 4
    return values, kinds


def test_all_kinds_are_found():
    """
    Ratings do not dwell on the kind that is found first.
    """
    purity = []
    for seed in range(3):
        values, kinds = make_three_kinds(seed)
        finder = AnomalyFinder(QTable({'embedding': values}))
        for _ in range(6):
            chosen = finder.next(10)['index'].tolist()
            finder.rate({k: 5 if kinds[k] else 0 for k in chosen})
        found = kinds[finder.scores['index'][:60]]
        counts = np.bincount(found, minlength=4)
        assert counts[1] >= 35
        assert (counts[2:] >= 7).all()
        purity.append((found > 0).mean())
    # (0.87 with expected improvement in turn with isolation)
    assert np.mean(purity) > 0.92


def test_what_is_sure_is_not_asked():
    """
    Nine of ten are doubtful, and the tenth is isolated and unknown.
    """
    values, kinds = make_three_kinds(1)
    # one kind far away from all
    values[kinds == 1] += 5
    points = reduce_vectors(values, 24, 0)
    rows = np.concatenate([np.flatnonzero(kinds == k)[:10] for k in (0, 1)])
    model = InterestModel(points, rows, 1.0 + (kinds[rows] == 1), 0)
    mean, error = model.predict()
    assert mean[kinds == 1].min() > 1.8
    isolation = np.zeros(len(values))
    odd = np.flatnonzero(kinds == 2)
    isolation[odd] = np.linspace(0.5, 1, len(odd))
    chosen = model.next_rows(10, mean, error, isolation)
    assert len(set(chosen) - set(rows)) == 10
    assert not (kinds[chosen] == 1).any()
    # 20 are rated: the tenth of these is the thirtieth
    assert chosen[9] in odd
    assert doubt(mean - 1, error)[chosen[0]] == pytest.approx(
        np.delete(doubt(mean - 1, error), rows).max())
    # (it goes by the number that is rated, so that single ones come to it)
    alone = model.next_rows(9, mean, error, isolation)
    assert alone == chosen[:9]


def test_candidates_of_many():
    """
    Those who compete for a batch are the most doubtful ones, a few thousand.
    """
    rng = np.random.default_rng(0)
    points = rng.normal(size=(9000, 3))
    model = InterestModel(points, np.arange(20), np.arange(20) % 2 + 1.0, 0)
    mean, error = np.full(9000, 1.9), np.full(9000, 0.01)
    doubtful = rng.permutation(np.arange(20, 9000))[:500]
    mean[doubtful] = 1.5
    sizes = []

    def predict(process, part):
        sizes.append(len(part))
        return np.full(len(part), 0.5), np.linspace(0.1, 0.2, len(part))

    model._predict = predict
    chosen = model.next_rows(5, mean, error, np.arange(9000.0))
    assert set(chosen) <= set(doubtful)
    # (both by doubt and by isolation: twice as many at most)
    assert 2700 < max(sizes) < 4500


def test_unrated_far_ones_are_expected_to_be_usual():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 0.1, (40, 3)), [[9.0, 0, 0]]])
    points[20:40, 1] += 1
    rows = np.arange(10, 30)
    model = InterestModel(points, rows, np.where(rows < 20, 2.0, 4.0), 0)
    mean, error = model.predict()
    assert mean[20:40].min() > 3.5
    assert mean[-1] < 3
    assert error[-1] == error.max()


def test_doubt():
    rng = np.random.default_rng(0)
    mean, error = np.array([0.0, 0.9, 0.6, -1.0]), np.array([0.3, 0.2, 0, 0.1])
    draws = mean + error * rng.normal(size=(200_000, 4))
    # a rating differs from what a galaxy deserves by 0.02**0.5
    draws += 0.02**0.5 * rng.normal(size=draws.shape)
    above = (draws > 0.5).mean(axis=0)
    np.testing.assert_allclose(doubt(mean, error),
                               np.minimum(above, 1 - above), atol=0.004)
    assert doubt(np.array([0.5]), np.array([0.2])) == 0.5


def test_reduce_vectors():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 10)) * np.geomspace(100, 0.1, 10)
    reduced = reduce_vectors(values, 4, 0)
    assert reduced.shape == (500, 4)
    np.testing.assert_allclose((reduced**2).sum(axis=1).mean(), 1)
    # the scales differ by the square root of what they did
    scale = np.std(reduced, axis=0)
    np.testing.assert_allclose(scale[0] / scale[3], 10**0.5, rtol=0.1)
