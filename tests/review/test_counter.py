# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of votes that are counted as they come.
"""

import numpy as np
import pytest
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof import VoteCounter, combine_votes, simulate_votes

CLASSES = ['none', 'ring']
TRUE = np.where(np.arange(200) % 3 == 0, 'ring', 'none')


def make_machine(seed=0):
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-4 * (np.where(TRUE == 'ring', 1, -1)
                              + rng.normal(size=200))))
    return Table({'galaxy': np.arange(200), 'ring': p, 'none': 1 - p})


@pytest.fixture(scope='module')
def votes():
    return simulate_votes(TRUE, 25, n_raters=60, seed=2)


def assert_same(one, two):
    assert one.colnames == two.colnames
    for name in one.colnames:
        if one[name].dtype.kind == 'f':
            assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-12)
        else:
            assert np.all(one[name] == two[name])


def test_bayes():
    """
    Votes of raters of whom nothing is known are multiplied.
    """
    counter = VoteCounter(['a', 'b'], retire_at=0.9, n_levels=1)
    retired = counter.add({'galaxy': [5, 5, 6, 5, 5], 'rater': list('vwxyz'),
                           'label': list('abbaa')})
    # 0.7 of votes are right: odds of 7/3
    assert_allclose(counter.table['p_a'], [49 / 58, 0.3])
    assert len(retired) == 0
    retired = counter.add({'galaxy': [6, 5, 5], 'rater': [1, 2, 3],
                           'label': ['b', 'a', 'b']})
    assert retired['galaxy'].tolist() == [5]
    # 7^3 / (7^3 + 3^3) = 0.927; the last vote came too late
    assert_allclose(retired['p_a'], 343 / 370)
    assert (retired['n_votes'][0], retired['n_late'][0]) == (5, 1)
    assert (retired['retired_at'][0], retired['state'][0]) == (7, 'decided')
    assert counter.n_votes == 7
    assert '7 votes on 2 galaxies by 8 raters, 1 decided' in repr(counter)


def test_parts(votes):
    """
    Votes may come in any parts.
    """
    whole = VoteCounter(CLASSES, machine=make_machine())
    whole.add(votes)
    parts = VoteCounter(CLASSES, machine=make_machine())
    for start in range(0, len(votes), 777):
        parts.add(votes[start:start + 777])
    assert_same(parts.table, whole.table)
    # (the order of raters is that of their first vote in a part)
    one, two = parts.raters, whole.raters
    one.sort('rater')
    two.sort('rater')
    assert_same(one, two)


def test_save(votes, tmp_path):
    """
    A counter goes on from a file, and the file holds no pickle.
    """
    path = tmp_path / 'votes.npz'
    whole = VoteCounter(CLASSES, machine=make_machine(), max_votes=12,
                        retire_at={'none': 0.97, 'ring': 0.99},
                        unknown=['?'])
    whole.add(votes[:1234])
    whole.save(path)
    with np.load(path, allow_pickle=False) as file:
        assert all(file[name].dtype.kind != 'O' for name in file.files)
    again = VoteCounter.load(path)
    assert_same(again.table, whole.table)
    for counter in (again, whole):
        retired = counter.add(votes[1234:3000])
    again.save(path)
    assert_same(VoteCounter.load(path).table, whole.table)
    assert_same(again.add(votes[3000:]), whole.add(votes[3000:]))
    assert set(retired['state']) <= {'decided', 'undecided'}
    with pytest.warns(AstropyUserWarning, match='left out'):
        again.add(votes[:2])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match='is not the file of a VoteCounter'):
        VoteCounter.load(path)
    np.savez(path, a=1)
    with pytest.raises(ValueError, match='is not the file of a VoteCounter'):
        VoteCounter.load(path)
    path.write_text('SIMPLE  =                    T')
    with pytest.raises(ValueError, match='as its method save writes it') as (
            found):
        VoteCounter.load(path)
    assert 'pickle' not in str(found.value)
    with pytest.raises(FileNotFoundError):
        VoteCounter.load(tmp_path / 'none')


def test_fewer_clicks(votes):
    """
    It takes far fewer votes than all to be as right; the machine helps.
    """
    found = {}
    for name, options in (('people', {}), ('both', {
            'machine': make_machine()})):
        result = combine_votes(votes, 'swap', **options).labels
        result.sort('galaxy')
        found[name] = result['n_votes'].sum()
        assert np.mean(result['label'] == TRUE) > 0.95
    majority = combine_votes(votes, 'majority').labels
    majority.sort('galaxy')
    assert np.mean(majority['label'] == TRUE) < 0.995
    assert found['both'] < found['people'] < len(votes) / 2
    assert found['both'] < len(votes) / 4


def test_machine_alone(votes):
    """
    With min_votes of 0, galaxies retire without a vote, not before.
    """
    counter = VoteCounter(CLASSES, machine=make_machine(), min_votes=0,
                          retire_at=0.9)
    assert not np.any(counter.table['retired'])
    counter.add(votes[:2000])
    table = counter.table
    table.sort('galaxy')
    alone = table['retired'] & (table['n_votes'] == 0)
    assert alone.sum() > 20
    assert np.mean(table['label'][alone] == TRUE[alone]) > 0.85
    assert counter.calibration['slope'] > 0.1
    assert counter.raters['kind'][-1] == 'machine'
    counter.set_machine(make_machine(1))
    assert len(counter.table) == 200


def test_nothing_yet():
    counter = VoteCounter(['a', 'b'])
    assert (len(counter.table), len(counter.raters)) == (0, 0)
    counter.refresh()
    empty = Table({'galaxy': ['x'], 'rater': ['y'], 'label': ['a']})[:0]
    assert len(counter.add(empty)) == 0
    assert counter.n_votes == 0


def test_max_votes():
    counter = VoteCounter(['a', 'b'], max_votes=2)
    retired = counter.add({'galaxy': [1, 1, 1], 'rater': [1, 2, 3],
                           'label': ['a', 'b', 'b']})
    assert retired['state'].tolist() == ['undecided']
    assert retired['n_late'].tolist() == [1]
    assert retired['tied'].tolist() == [True]


def test_opened_again():
    """
    A galaxy that bad raters decided is opened when they are known.
    """
    counter = VoteCounter(['a', 'b'], retire_at=0.8, gold={
        f'g{k}': 'ab'[k % 2] for k in range(60)})
    retired = counter.add({'galaxy': ['x'] * 4, 'rater': list('pqrs'),
                           'label': ['a'] * 4})
    assert retired['galaxy'].tolist() == ['x']
    # they always say the same
    rows = [(f'g{k}', rater, 'a') for k in range(60) for rater in 'pqrs']
    counter.add(dict(zip(('galaxy', 'rater', 'label'),
                         map(list, zip(*rows, strict=True)), strict=True)))
    table = counter.table
    row = table[table['galaxy'] == 'x'][0]
    assert (row['state'], row['retired_at']) == ('open', 0)
    assert counter.raters['information'].max() < 0.05


def test_learn_from_gold(votes):
    gold = {k: TRUE[k] for k in range(80)}
    counter = VoteCounter(CLASSES, gold=gold, learn='gold')
    counter.add(votes)
    table = counter.table
    table.sort('galaxy')
    assert set(table['state'][:80]) == {'gold'}
    assert np.mean(table['label'] == TRUE) > 0.95
    with pytest.raises(ValueError, match="learn='gold' needs galaxies"):
        VoteCounter(CLASSES, learn='gold')


@pytest.mark.parametrize(('options', 'error', 'match'), [
    ({'min_votes': -1}, ValueError, 'min_votes must be'),
    ({'max_votes': 0}, ValueError, 'max_votes must be'),
    ({'smoothing': 0}, ValueError, 'smoothing must be'),
    ({'learn': 'none'}, ValueError, 'learn must be'),
    ({'retire_at': 1.2}, ValueError, 'retire_at must be'),
    ({'classes': ['a']}, ValueError, 'two different labels or more'),
])
def test_errors(options, error, match):
    with pytest.raises(error, match=match):
        VoteCounter(**{'classes': ['a', 'b'], **options})


def test_unknown_label():
    counter = VoteCounter(['a', 'b'], unknown='?')
    counter.add({'galaxy': [1], 'rater': [1], 'label': ['?']})
    assert counter.table.meta['n_skipped'] == 1
    with pytest.raises(ValueError, match="the label 'c', which is none"):
        counter.add({'galaxy': [1], 'rater': [1], 'label': ['c']})
    # nothing of it was counted
    assert counter.n_votes == 0
    with pytest.raises(ValueError, match='n_iterations must be'):
        counter.refresh(0)
