# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the order in which a person looks, and of the tiers.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from astro_pix2prof import (
    GalaxyCutout,
    GalaxyFlag,
    ProfileBatch,
    build_profile,
    calibrate_tiers,
    learn_flag_probabilities,
    review_queue,
)
from astro_pix2prof.cli import main
from astro_pix2prof.review.doubts import stated_errors, wrong_probability


def make_profile(flag=0, error=0.01, source=''):
    sma = np.arange(1.0, 21.0)
    value = 100 * np.exp(-sma / 5)
    cutout = GalaxyCutout(np.ones((60, 60)), zeropoint=22.5, pixel_scale=0.4)
    profile = build_profile(cutout, sma, value, error * value,
                            ellipticity=np.full(20, 0.2),
                            theta=np.full(20, 0.3))
    profile.meta['flag'] = int(flag)
    profile.meta['source'] = source
    return profile


@pytest.fixture(scope='module')
def batch():
    return ProfileBatch.from_profiles([
        make_profile(source='good'),
        make_profile(GalaxyFlag.NEIGHBOUR, source='pair'),
        make_profile(error=0.5, source='faint'),
        ValueError('no image'),
        make_profile(GalaxyFlag.OUT_OF_DOMAIN | GalaxyFlag.NEIGHBOUR,
                     source='odd'),
        make_profile(GalaxyFlag.UNCALIBRATED, source='counts')])


def test_stated_errors(batch):
    errors = stated_errors(batch)
    assert_allclose(errors[[0, 2]], 1.0857 * np.array([0.01, 0.5]),
                    rtol=1e-3)
    assert np.isnan(errors[3])
    assert stated_errors(batch[:0]).shape == (0,)


def test_wrong_probability():
    """
    Causes act alone: a large stated error, a flag, and what no flag tells.
    """
    flags = np.array([0, 32, 32 | 8, 16384])
    p = wrong_probability(flags, np.array([0.0, 0.0, 0.2, np.nan]),
                          probabilities={'NEIGHBOUR': 0.5, 'none': 0.1,
                                         'CENTRE_UNCERTAIN': 0.2})
    # an error above one standard deviation: 0.3173
    assert_allclose(p, [0.1, 1 - 0.9 * 0.5,
                        1 - 0.9 * 0.5 * 0.8 * (1 - 0.31731), 1], rtol=1e-4)


def test_queue(batch):
    queue = review_queue(batch, budget=3, probabilities={
        'OUT_OF_DOMAIN': 0.3, 'NEIGHBOUR': 0.1})
    assert queue['source'][:3].tolist() == ['', 'faint', 'odd']
    assert queue['rank'].tolist() == [1, 2, 3, 0, 0, 0]
    assert np.all(np.diff(queue['p_wrong']) <= 0)
    assert queue['reason'][0] == 'FAILED: ValueError: no image'
    assert queue['reason'][1] == ('half of the profile has larger errors '
                                  'than 0.54 mag')
    assert queue['reason'][2] == (
        'OUT_OF_DOMAIN: The image is unlike those that the network was '
        'trained on; also NEIGHBOUR')
    assert queue['source'][3] == 'pair'
    by_name = {row['source']: row for row in queue}
    assert by_name['good']['reason'] == 'no doubt'
    assert by_name['good']['p_wrong'] == by_name['counts']['p_wrong'] < 0.05
    assert queue['stated_error'].unit == u.mag
    assert_allclose(queue['expected_gain'],
                    queue['p_wrong'] - 0.02)


def test_costs(batch):
    """
    What nobody minds is accepted; what nobody can repair is rejected.
    """
    cheap = review_queue(batch, look=0.9)
    assert set(cheap['tier'][2:]) == {'accept'}
    assert np.all(cheap['rank'][2:] == 0)
    hopeless = review_queue(batch, repair=0, miss=20, lost=1)
    tiers = dict(zip(hopeless['source'], hopeless['tier'], strict=True))
    assert tiers[''] == 'reject'
    assert tiers['pair'] == 'look'
    same = review_queue(batch, tolerance=200 * u.mmag)
    assert np.all(same['p_wrong'] == review_queue(batch)['p_wrong'])


def test_queue_with_tiers(batch):
    rng = np.random.default_rng(1)
    is_bad = rng.random(3000) < 0.2
    scores = np.where(is_bad, rng.uniform(0.03, 1, 3000),
                      rng.uniform(0, 0.2, 3000))
    tiers = calibrate_tiers(scores, is_bad, false_negative=0.02)
    queue = review_queue(list(batch[:3]), tiers=tiers)
    found = dict(zip(queue['source'], queue['tier'], strict=True))
    assert found['good'] == 'accept'
    assert found['faint'] == 'reject'
    assert queue.meta['accept_below'] == tiers.accept_below
    with pytest.raises(TypeError, match='tiers must be as calibrate_tiers'):
        review_queue(batch, tiers=0.1)


def test_failed_is_not_accepted(batch):
    queue = review_queue(batch, miss=0)
    assert set(queue['tier'][queue['source'] != '']) == {'accept'}
    assert queue['tier'][queue['source'] == ''] == 'look'


def test_failed_at_negative_gain(batch):
    """
    A look that costs more than it brings is not worth it.
    """
    queue = review_queue(batch, look=5)
    assert np.all(queue['expected_gain'] < 0)
    assert 'look' not in queue['tier']
    assert queue['tier'][queue['source'] == ''] == 'reject'
    assert np.all(queue['rank'] == 0)


@pytest.mark.parametrize('name', ['POINT_SOURCE', 'NO_SOURCE'])
@pytest.mark.parametrize('with_tiers', [False, True])
def test_no_galaxy(name, with_tiers):
    """
    The flag says that there is no galaxy, however right the rings are.
    """
    tiers = calibrate_tiers(
        np.arange(1000) / 1000, np.arange(1000) >= 500) if with_tiers else None
    profile = make_profile(GalaxyFlag[name] | GalaxyFlag.OUT_OF_DOMAIN)
    queue = review_queue([make_profile(), profile], tiers=tiers)
    row = queue[queue['index'] == 1][0]
    assert row['tier'] == 'reject'
    assert row['rank'] == 0
    assert row['expected_gain'] < 0 < row['p_wrong'] < 1
    assert row['reason'].startswith(f'no galaxy, {name}: ')
    assert row['reason'].endswith('; also OUT_OF_DOMAIN')


def test_one_profile():
    queue = review_queue(make_profile(source='one'))
    assert queue['source'].tolist() == ['one']
    with pytest.raises(TypeError, match='or a list of profiles, got float'):
        review_queue(3.0)


@pytest.mark.parametrize(('options', 'match'), [
    ({'budget': -1}, 'budget must be an integer of at least 0'),
    ({'tolerance': 1 * u.m}, "tolerance must be in 'mag'"),
    ({'look': -1}, 'look must be'),
    ({'repair': 2}, 'repair must be'),
    ({'probabilities': {'neighbour': 0.1}}, 'by the names of flags'),
    ({'probabilities': {'none': 2}}, 'probabilities.*must be'),
])
def test_queue_errors(batch, options, match):
    with pytest.raises(ValueError, match=match):
        review_queue(batch, **options)


def test_no_galaxies(tmp_path):
    assert len(review_queue([])) == 0
    with pytest.raises(FileNotFoundError):
        review_queue(tmp_path / 'none')


def test_learn():
    """
    Looks tell how often a flag means a wrong profile.
    """
    rng = np.random.default_rng(2)
    flags = rng.choice([0, 32, 8, 40], 4000)
    p = 1 - (1 - 0.05) * (1 - 0.4 * (flags & 32 > 0)) * (
        1 - 0.2 * (flags & 8 > 0))
    learned = learn_flag_probabilities(flags, np.full(4000, 0.01),
                                       rng.random(4000) < p)
    for name, value in (('none', 0.05), ('NEIGHBOUR', 0.4),
                        ('CENTRE_UNCERTAIN', 0.2)):
        assert_allclose(learned[name], value, atol=0.04)
    # no look, nothing learned
    assert learned['SECOND_GUESS'] == 0.1
    assert learned['UNCALIBRATED'] == 0
    with pytest.raises(ValueError, match='must have one value for each'):
        learn_flag_probabilities([1, 2], [0.1], [True, False])


@pytest.mark.parametrize(('confidence', 'needed'), [(0.95, 59), (None, 19)])
def test_tiers_number_needed(confidence, needed):
    """
    It takes log(0.05)/log(0.95) bad galaxies for 5 per cent, or 1/0.05 - 1.
    """
    def calibrate(n):
        return calibrate_tiers(
            np.arange(100.0), np.arange(100) < n, false_negative=0.05,
            false_positive=None, confidence=confidence)

    tiers = calibrate(needed)
    assert (tiers.accept_below, tiers.reject_from) == (0, np.inf)
    assert (tiers.n_bad, tiers.n_good) == (needed, 100 - needed)
    with pytest.raises(ValueError, match=f'takes {needed} bad galaxies or '
                       f'more, got {needed - 1}; with these, '
                       r'false_negative=0.05\d is possible'):
        calibrate(needed - 1)
    with pytest.raises(ValueError, match='got 0; with these'):
        calibrate(0)
    with pytest.raises(ValueError, match='scores must be numbers, but all 9 '
                                         'are not-a-number'):
        calibrate_tiers(np.full(9, np.nan), np.arange(9) < 3)


def test_tiers_rate():
    """
    The rate holds as often as the confidence says, on other galaxies.
    """
    rng = np.random.default_rng(8)
    exceeded, rejected = [], []
    for _ in range(300):
        scores = rng.normal(size=600)
        scores[:200] += 2
        tiers = calibrate_tiers(scores, np.arange(600) < 200,
                                false_negative=0.05, confidence=0.9)
        # (the share of bad ones below the limit, exactly)
        exceeded.append(_below(tiers.accept_below - 2) > 0.05)
        rejected.append(1 - _below(tiers.reject_from) > 0.01)
    # 0.1, less what the steps of counts cost
    assert 0.03 < np.mean(exceeded) < 0.14
    assert np.mean(rejected) < 0.14


def _below(value):
    from scipy.stats import norm

    return norm.cdf(value)


def test_tiers_assign():
    scores = np.ma.MaskedArray(np.arange(1000.0), np.arange(1000) == 5)
    is_bad = np.arange(1000) >= 500
    tiers = calibrate_tiers(scores, is_bad)
    assert tiers.n_good == 499
    # everything is told apart: what may be accepted is
    assert tiers.assign([0, 499, 999]).tolist() == ['accept', 'accept',
                                                    'reject']
    mixed = tiers.assign(np.ma.MaskedArray([np.nan, 0.0], [False, True]))
    assert mixed.tolist() == ['look', 'look']
    # ties are never split in favour of the rate
    same = calibrate_tiers(np.zeros(1000), is_bad)
    assert same.assign([0.0]).tolist() == ['look']


@pytest.mark.parametrize(('scores', 'is_bad', 'options', 'error', 'match'), [
    ([1, 2], [True], {}, ValueError, 'one number and one truth'),
    ([1, 2], [1, 0], {}, TypeError, 'is_bad must hold True and False'),
    ([1, 2], [True, False], {'confidence': 1}, ValueError, 'below 1, got 1'),
    ([1, 2], [True, False], {'false_negative': 0}, ValueError,
     'false_negative must be'),
    (np.arange(900), np.arange(900) < 899, {}, ValueError,
     'false_positive=0.01 with a confidence of 0.95 takes 299 good'),
])
def test_tiers_errors(scores, is_bad, options, error, match):
    with pytest.raises(error, match=match):
        calibrate_tiers(scores, is_bad, **options)


def test_command(batch, tmp_path, capsys):
    pq = pytest.importorskip('pyarrow.parquet')
    survey, out = tmp_path / 'survey.parquet', tmp_path / 'queue.ecsv'
    pq.write_table(batch.to_arrow(), survey)
    assert main(['review', str(survey), '--budget', '2', '--out',
                 str(out)]) == 0
    text, err = capsys.readouterr()
    assert not err
    assert '2 of ' in text
    assert 'galaxies worth a look' in text
    assert 'faint' in text
    table = QTable.read(out)
    assert table['rank'].tolist() == [1, 2]
    assert table['reason'][0] == 'FAILED: ValueError: no image'
    assert main(['review', str(survey), '--out', str(out)]) == 1
    assert '--overwrite' in capsys.readouterr().err
    assert main(['review', str(survey), '--out', str(out), '--all',
                 '--quiet', '--overwrite']) == 0
    assert capsys.readouterr() == ('', '')
    assert len(QTable.read(out)) == 6
    # (nothing to look at is told, and not "0 of 0")
    assert main(['review', str(survey), '--out', str(out), '--look', '9',
                 '--overwrite']) == 0
    text = capsys.readouterr().out
    assert 'no galaxy is worth a look at these costs' in text
    assert 'empty table: ' in text
    assert len(QTable.read(out)) == 0
    assert main(['report', str(survey), '--galaxies', str(out), '--out',
                 str(tmp_path / 'a.html')]) == 1
    assert f'--galaxies: {out} lists no galaxy' in capsys.readouterr().err
    for option, kind in (('--look', 'a finite number'),
                         ('--budget', 'an integer')):
        with pytest.raises(SystemExit) as info:
            main(['review', str(survey), option, '-1', '--out', str(out),
                  '--overwrite'])
        assert info.value.code == 2
        text = capsys.readouterr().err
        assert f'{option}: must be {kind} of 0 or more' in text
