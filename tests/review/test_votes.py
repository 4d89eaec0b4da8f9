# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of votes that are combined all at once.
"""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from astro_pix2prof import combine_votes, simulate_votes


def make_votes(rows, **columns):
    return Table({**dict(zip(('galaxy', 'rater', 'label'),
                             map(list, zip(*rows, strict=True)),
                             strict=True)), **columns})


def by_galaxy(result, column='label'):
    return dict(zip(result.labels['galaxy'].tolist(),
                    result.labels[column].tolist(), strict=True))


ROWS = [('A', 'ana', 'disc'), ('A', 'bo', 'disc'), ('A', 'cy', 'star'),
        ('B', 'ana', 'star'), ('B', 'bo', 'star'), ('B', 'cy', 'star')]


@pytest.mark.parametrize('n_classes', [2, 4])
@pytest.mark.parametrize('n_iterations', [1, 8])
@pytest.mark.filterwarnings('ignore:The inplace keyword')
@pytest.mark.filterwarnings('ignore:The copy keyword')
def test_crowd_kit(n_classes, n_iterations):
    """
    The method as published agrees with another implementation.
    """
    pd = pytest.importorskip('pandas')
    aggregation = pytest.importorskip('crowdkit.aggregation')
    labels = np.random.default_rng(3).integers(0, n_classes, 40)
    votes = simulate_votes(labels, 5, n_raters=10, seed=n_classes)
    frame = pd.DataFrame({'task': votes['galaxy'], 'worker': votes['rater'],
                          'label': votes['label']})
    # (a tolerance that never ends it)
    other = aggregation.DawidSkene(n_iterations, tol=-1e9)
    expected = other.fit_predict_proba(frame)
    result = combine_votes(votes, smoothing=0, n_levels=1, tolerance=0,
                           n_iterations=n_iterations)
    assert result.n_iterations == n_iterations
    assert not result.converged
    for name in range(n_classes):
        assert_allclose(result.labels[f'p_{name}'], expected.loc[
            result.labels['galaxy'], name], atol=1e-6)
        assert_allclose(result.prevalence[str(name)], other.priors_[name],
                        atol=1e-6)
    row = result.raters[0]
    for true in range(n_classes):
        for said in np.unique(votes['label'][votes['rater']
                                             == row['rater']]):
            assert_allclose(row['confusion'][true, said], other.errors_.loc[
                (row['rater'], said), true], atol=1e-6)


def test_majority():
    result = combine_votes(make_votes(ROWS), 'majority', retire_at=0.6)
    assert by_galaxy(result) == {'A': 'disc', 'B': 'star'}
    assert_allclose(result.labels['p_star'], [1 / 3, 1])
    assert_allclose(result.labels['entropy'], [0.918296, 0], atol=1e-6)
    assert result.labels['retired'].tolist() == [True, True]
    assert result.labels['n_votes'].tolist() == [3, 3]
    assert result.machine is None
    assert '2 galaxies, 3 raters, majority' in repr(result)


@pytest.mark.parametrize('method', ['dawid-skene', 'swap', 'majority'])
def test_better_than_guesses(method):
    """
    Good raters are found, spammers are not counted, and labels are right.
    """
    labels = np.where(np.arange(300) % 3 == 0, 'ring', 'none')
    votes = simulate_votes(labels, 15, n_raters=40, spammers=0.3, seed=4)
    result = combine_votes(votes, method)
    table = result.labels[np.argsort(result.labels['galaxy'])]
    right = np.mean(table['label'] == labels)
    assert right > {'majority': 0.9}.get(method, 0.95)
    names = np.array([int(name[1:]) for name in result.raters['rater']])
    spam = votes.meta['spammer'][names]
    bits = result.raters['information']
    assert np.median(bits[spam]) < 0.03 < np.median(bits[~spam])
    assert np.all(result.raters['kind'] == 'person')


def test_calibration():
    """
    Labels are right as often as they say, of galaxies that differ.
    """
    labels = np.random.default_rng(1).integers(0, 2, 1500)
    votes = simulate_votes(labels, 20, seed=6)

    def excess(**options):
        table = combine_votes(votes, **options).labels
        table.sort('galaxy')
        sure = table['probability'] < 0.99
        return float(np.mean(table['probability'][sure]) - np.mean(
            (table['label'] == labels)[sure]))

    assert abs(excess()) < 0.03
    # all galaxies alike: too sure
    assert excess(n_levels=1) > 0.08


def test_difficulty():
    labels = np.random.default_rng(1).integers(0, 2, 400)
    votes = simulate_votes(labels, 30, seed=6, difficulty=1.0)
    table = combine_votes(votes).labels
    table.sort('galaxy')
    ease = votes.meta['ease']
    difficulty = table['difficulty']
    assert (difficulty[ease < 0.3].mean()
            > difficulty[ease > 3].mean() + 0.3)


def test_machine():
    """
    A machine that is too sure is calibrated, and a useless one is ignored.
    """
    rng = np.random.default_rng(5)
    true = rng.integers(0, 2, 800)
    votes = simulate_votes(true[:500], 6, seed=5)
    # right by one standard deviation, and stated to be three times as sure
    logit = 3 * 2 * (2 * true - 1 + rng.normal(size=800))
    p = 1 / (1 + np.exp(-logit))
    machine = Table({'galaxy': np.arange(800), '0': 1 - p, 'p_1': p})
    result = combine_votes(votes, machine=machine)
    assert 0.2 < result.machine['slope'] < 0.6
    table = result.labels
    table.sort('galaxy')
    alone = np.arange(800) >= 500
    assert np.all(table['n_votes'][alone] == 0)
    assert not np.any(table['retired'][alone])
    right = table['label'] == true
    assert_allclose(right[alone].mean(),
                    table['probability'][alone].mean(), atol=0.05)
    without = combine_votes(votes).labels
    without.sort('galaxy')
    assert right[~alone].mean() > np.mean(without['label'] == true[:500])
    last = result.raters[-1]
    assert (last['rater'], last['kind'], last['n_votes']) == (
        'machine', 'machine', 500)
    machine['0'], machine['p_1'] = rng.permutation(p), rng.permutation(1 - p)
    useless = combine_votes(votes, machine=machine)
    assert abs(useless.machine['slope']) < 0.1


def test_gold():
    """
    Known labels make the raters known, against the majority.
    """
    rows = [(k, name, ('b' if k % 2 else 'a')) for k in range(40)
            for name in ('x', 'y')]
    rows += [(k, 'z', ('a' if k % 2 else 'b')) for k in range(40)]
    gold = {k: 'a' if k % 2 else 'b' for k in range(20)}
    for method in ('dawid-skene', 'swap'):
        result = combine_votes(make_votes(rows), method, gold=gold)
        labels = by_galaxy(result)
        assert all(labels[k] == ('a' if k % 2 else 'b') for k in range(40))
        states = by_galaxy(result, 'state')
        assert {states[k] for k in range(20)} == {'gold'}
        assert result.raters['skill'][2] > 0.5 > result.raters['skill'][0]
    table = Table({'galaxy': list(gold), 'label': list(gold.values())})
    assert by_galaxy(combine_votes(make_votes(rows), gold=table)) == labels


def test_rows_that_are_no_votes():
    rows = [*ROWS, ('C', 'ana', ''), ('C', 'bo', "don't know"),
            ('', 'bo', 'star'), ('B', '', 'star'), ('B', '', 'star')]
    votes = make_votes(rows)
    votes['label'] = MaskedColumn(votes['label'])
    votes['label'].mask[0] = True
    result = combine_votes(votes, 'majority', unknown="don't know")
    assert result.labels.meta['n_skipped'] == 4
    assert by_galaxy(result, 'n_votes') == {'A': 2, 'B': 5, 'C': 0}
    # votes without a name are not those of one person
    assert '' in result.raters['rater'].tolist()
    assert by_galaxy(result, 'tied') == {'A': True, 'B': False, 'C': True}


def test_names():
    """
    Names are compared as texts; numbers remain numbers.
    """
    votes = Table({'galaxy': [2, 2, 10], 'rater': [b'ana', b'bo', b'ana'],
                   'label': ['Spirale é', 'Spirale e\u0301 ', '渦']})
    table = combine_votes(votes).labels
    assert table['galaxy'].dtype.kind == 'i'
    assert table['label'].tolist() == ['Spirale é', 'Spirale é', '渦'][1:]
    numbers = Table({'task': ['007', '8'], 'worker': [1.0, np.nan],
                     'label': np.array([0.0, 1.0])})
    result = combine_votes(numbers)
    assert result.labels['galaxy'].tolist() == ['007', '8']
    assert result.labels['label'].tolist() == [0, 1]
    assert result.raters['rater'].tolist() == ['1', '']


def test_missing_class():
    result = combine_votes(make_votes(ROWS), classes=['disc', 'ring', 'star'])
    assert np.all(result.labels['p_ring'] < 0.3)
    assert np.all(np.isfinite(result.raters['confusion']))
    alone = combine_votes(make_votes([('A', 'x', 'disc')]),
                          classes=['disc', 'ring'], smoothing=0)
    assert by_galaxy(alone) == {'A': 'disc'}


def test_repeated_votes():
    with pytest.warns(AstropyUserWarning, match='2 votes are left out, since '
                      'the same rater'):
        result = combine_votes(
            make_votes([*ROWS, ('A', 'cy', 'disc'), ('A', 'bo', 'disc')]),
            'majority')
    assert_allclose(result.labels['p_disc'][0], 2 / 3)
    assert result.labels.meta['n_repeated'] == 2


def test_time():
    """
    The first vote of a rater is the first in time.
    """
    rows = [('A', 'x', 'star'), ('A', 'x', 'disc'), ('B', 'x', 'star')]
    for times in ([3, 2, 1], Time([53, 52, 51], format='mjd'),
                  ['2003', '2002', '2001']):
        with pytest.warns(AstropyUserWarning, match='1 vote is left out'):
            result = combine_votes(make_votes(rows, time=times), 'majority')
        assert by_galaxy(result)['A'] == 'disc'
    votes = make_votes(rows, time=MaskedColumn([1, 2, 3], mask=[0, 1, 0]))
    with pytest.raises(ValueError, match="'time' has masked values"):
        combine_votes(votes)


VOTES = make_votes(ROWS)


@pytest.mark.parametrize(('votes', 'options', 'error', 'match'), [
    (3, {}, TypeError, 'votes must be a table with the columns galaxy'),
    (VOTES['galaxy', 'rater'], {}, ValueError, "have a column 'label', got"),
    (VOTES[:0], {}, ValueError, 'at least one vote, got none'),
    (VOTES[3:], {}, ValueError, 'two labels at least.* got .star. alone'),
    (VOTES, {'classes': ['disc', 'ring']}, ValueError,
     "votes have the label 'star', which is none .* unknown="),
    (VOTES, {'classes': 'disc'}, TypeError, 'classes must be a sequence'),
    (VOTES, {'classes': ['disc', 'disc']}, ValueError, 'two different'),
    (VOTES, {'method': 'mean'}, ValueError, "method must be 'dawid-skene'"),
    (VOTES, {'min_votes': 2}, TypeError, "'min_votes' is not an option of"),
    (VOTES, {'gold': {'A': 'x', 'B': 'disc'}, 'classes': ['disc', 'star']},
     ValueError, "gold have the label 'x'"),
    (VOTES, {'gold': {'A': 'dics', 'B': 'star'}}, ValueError,
     "gold has the label 'dics', which nobody .* are 'disc', 'star'.: mend"),
    (VOTES, {'machine': {'galaxy': ['A'], 'disc': [30.0], 'star': [70.0]}},
     ValueError, 'probabilities from 0 to 1 .* got 30'),
    (VOTES, {'gold': {'galaxy': [1, 1], 'label': ['disc', 'star']}},
     ValueError, 'gold: galaxy 1 has two labels'),
    (VOTES, {'retire_at': 0.4}, ValueError, 'retire_at must be .*above 0.5'),
    (VOTES, {'retire_at': {'disc': 0.9}}, ValueError,
     'probability for each of the classes'),
    (VOTES, {'smoothing': -1}, ValueError, 'smoothing must be'),
    (VOTES, {'n_levels': 0}, ValueError, 'n_levels must be'),
    (VOTES, {'machine': {'galaxy': ['A'], 'disc': [1.0]}}, ValueError,
     "column 'star' or 'p_star' for each class"),
    (VOTES, {'machine': {'galaxy': ['A'], 'disc': [-1.0], 'star': [2.0]}},
     ValueError, 'probabilities from 0 to 1'),
    (VOTES, {'machine': {'galaxy': ['A', 'A'], 'disc': [1.0, 1.0],
                         'star': [0.0, 0.0]}}, ValueError, 'A more than onc'),
])
def test_errors(votes, options, error, match):
    with pytest.raises(error, match=match):
        combine_votes(votes, **options)


def test_machine_without_numbers():
    """
    Where the machine knows nothing, people do.
    """
    machine = Table({'galaxy': ['A', 'B', 'C'], 'disc': [np.nan, 0.5, 0.9],
                     'star': [np.nan, 0.5, 0.1]})
    result = combine_votes(VOTES, machine=machine)
    assert by_galaxy(result)['B'] == 'star'
    assert set(by_galaxy(result)) == {'A', 'B', 'C'}


def test_machine_without_any_number():
    machine = Table({'galaxy': ['A', 'B'], 'disc': [np.nan] * 2,
                     'star': [np.nan] * 2})
    with pytest.warns(AstropyUserWarning, match='no galaxy with finite prob'):
        result = combine_votes(VOTES, machine=machine)
    assert by_galaxy(result)['B'] == 'star'


def test_gold_of_a_class_without_votes():
    result = combine_votes(VOTES, gold={'C': 'ring'},
                           classes=['disc', 'ring', 'star'])
    assert by_galaxy(result)['C'] == 'ring'


@pytest.mark.parametrize(('options', 'error', 'match'), [
    ({'n_votes': 300}, ValueError, 'n_votes must be'),
    ({'spammers': 2}, ValueError, 'spammers must be'),
    ({'labels': []}, ValueError, 'labels must hold a label'),
    ({'labels': ['a', 'a']}, ValueError, 'classes must be two or more'),
])
def test_simulate_errors(options, error, match):
    with pytest.raises(error, match=match):
        simulate_votes(**{'labels': ['a', 'b'], **options})


def test_simulate():
    """
    Raters are right as often as their ability says, each once a galaxy.
    """
    votes = simulate_votes(['a', 'b'] * 500, 10, n_raters=50, scatter=0,
                           difficulty=0, bias=0, spammers=0, ability=1.3)
    assert len(votes) == 10_000
    assert len(set(zip(votes['galaxy'].tolist(), votes['rater'].tolist(),
                       strict=True))) == 10_000
    right = votes['label'] == votes.meta['label'][votes['galaxy']]
    assert_allclose(right.mean(), 1 / (1 + np.exp(-1.3)), atol=0.015)
    again = simulate_votes(['a', 'b'] * 500, 10, n_raters=50, scatter=0,
                           difficulty=0, bias=0, spammers=0, ability=1.3)
    assert np.all(again == votes)


@pytest.mark.parametrize('method', ['dawid-skene', 'swap'])
def test_raters_who_guess(method):
    """
    Certain labels of raters who guess are told of.
    """
    true = np.where(np.random.default_rng(7).random(200) < 0.3, 'a', 'b')
    votes = simulate_votes(true, 10, n_raters=50, spammers=0.9, seed=7)
    match = 'agree no more often than by chance'
    with pytest.warns(AstropyUserWarning, match=match):
        result = combine_votes(votes, method)
    right = result.labels['label'] == true[
        result.labels['galaxy'].astype(int)]
    assert result.labels['probability'].mean() > np.mean(right) + 0.1
    # (known labels tell who guesses, and a share of votes claims nothing)
    gold = {galaxy: true[int(galaxy)] for galaxy in result.labels['galaxy']}
    combine_votes(votes, method, gold=gold)
    combine_votes(votes, 'majority')


def test_raters_who_do_not_guess(recwarn):
    true = np.where(np.random.default_rng(8).random(200) < 0.3, 'a', 'b')
    combine_votes(simulate_votes(true, 10, n_raters=50, spammers=0.3, seed=8))
    # few galaxies tell nothing
    combine_votes(make_votes([('A', 'x', 'a'), ('A', 'y', 'b')]))
    assert not [w for w in recwarn if 'by chance' in str(w.message)]
