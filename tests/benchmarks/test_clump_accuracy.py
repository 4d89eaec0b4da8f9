# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the counting of true and found clumps.
"""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from numpy.testing import assert_allclose

import astro_pix2prof

ROOT = Path(astro_pix2prof.__file__).parents[1]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture
def clumps(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.accuracy.clumps')


def objects(*rows):
    """
    Make a table of x, y, S/N, share and class.
    """
    table = Table(rows=rows, names=('x', 'y', 'snr', 'share', 'class'))
    table['share'] = MaskedColumn(table['share'],
                                  mask=np.isnan(table['share']))
    return table


def test_countable(clumps):
    """
    What is masked does not count, and what lies together is one object.
    """
    mask = np.zeros((40, 40), dtype=bool)
    mask[20, 10] = True
    truth = objects(
        (5.0, 5.0, 20.0, 0.04, 'clump'), (6.9, 5.0, 30.0, 0.05, 'odd'),
        (8.9, 5.0, 9.0, 0.02, 'clump'), (9.8, 20.4, 50.0, 0.2, 'clump'),
        (30.0, 30.0, 9.0, np.nan, 'odd'), (45.0, 10.0, 9.0, 0.1, 'clump'))
    found = clumps.countable(truth, mask, 3.0)
    assert sorted(zip(found['x'], found['class'], found['snr'],
                      strict=True)) == [
        (6.9, 'odd', 59.0), (30.0, 'odd', 9.0)]
    assert_allclose(found['share'][0], 0.11)
    assert len(truth) == 6
    assert truth['share'][1] == 0.05
    # (without a mask, all counts)
    assert len(clumps.countable(truth, None, 1.0)) == 6


def test_countable_chain(clumps):
    """
    A source that is part of another takes nothing in.
    """
    truth = objects((5.0, 5.0, 30.0, 0.1, 'clump'),
                    (6.9, 5.0, 20.0, 0.1, 'clump'),
                    (8.8, 5.0, 10.0, 0.1, 'clump'))
    found = clumps.countable(truth, None, 3.0)
    assert found['x'].tolist() == [5.0, 8.8]
    assert_allclose(found['share'], [0.2, 0.1])


def test_usual_purity(clumps):
    """
    Odd objects count as if they were 28% of the bright ones.
    """
    n_own, n_odd = 18, 14
    truth = Table({'class': ['clump'] * n_own + ['odd'] * n_odd})
    n = n_own + n_odd
    found = Table({
        'snr': np.full(n + 1, 20.0), 'share': np.full(n + 1, 0.1),
        'class': ['clump'] * n_own + ['clump'] * 6 + ['odd'] * 8
        + ['clump']})
    pairs = [(k, k) for k in range(n)]
    out = clumps.usual_purity(found, truth, pairs)
    assert_allclose(out['odd_part'], n_odd / n)
    # (7 odd ones for 18 clumps: each counts half)
    assert_allclose(out['purity_usual'], 18 / (18 + 3 + 1))
    # faint ones do not count
    found['snr'][-1] = 5.0
    assert_allclose(clumps.usual_purity(found, truth, pairs)[
        'purity_usual'], 18 / 21)
    found['class'] = 'odd'
    assert np.isnan(clumps.usual_purity(found, truth, pairs)[
        'purity_usual'])


def test_fitter(clumps, monkeypatch, tmp_path):
    """
    The fitter that is asked for searches; other sets keep their numbers.
    """
    given = []

    def search(name, n, seed, **options):
        given.append((name, n, seed, options['fitter']))
        nothing = Table()
        found = dict.fromkeys(clumps.METHODS, nothing)
        return nothing, nothing, found, Table({'galaxy': [0]})

    monkeypatch.setattr(clumps, 'search', search)
    monkeypatch.setattr(clumps, 'summarise', lambda *_: {'bright': 1})
    for name, n in (('galsim', '5'), ('simulator', '3')):
        clumps.main(['--sets', name, '--n', n, '--fitter', 'rings-fast',
                     '--out', str(tmp_path / 'out.json')])
    assert given == [('galsim', 5, 8403, 'rings-fast'),
                     ('simulator', 3, 8403, 'rings-fast')]
    out = json.loads((tmp_path / 'out.json').read_text())
    assert out['n'] == {'galsim': 5, 'simulator': 3}
    assert out['fitter'] == 'rings-fast'
    assert sorted(out['sets']) == ['galsim', 'simulator']
