# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures of cuts in the documentation.
"""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='cuts')
def fixture_cuts(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.accuracy.cuts')


def test_documentation_has_the_stored_figures(cuts):
    out = json.loads((ROOT / 'benchmarks' / 'accuracy'
                      / 'cuts.json').read_text(encoding='utf-8'))
    assert (ROOT / 'docs' / 'cuts.inc').read_text(
        encoding='utf-8') == cuts.make_table(out)
    for row in out['rows']:
        # (half a per cent, but for the innermost pixel)
        assert row['p99'] < 0.006
        assert 0.6 < row['within'] < 0.75


@pytest.mark.parametrize('edge_on', [False, True])
def test_truth(cuts, edge_on):
    """
    The integrals are those of the light, and cuts agree with them.
    """
    galaxy = cuts.Galaxy(np.random.default_rng(5), edge_on=edge_on)
    t = np.radians(galaxy.theta)
    assert galaxy.light(9 * np.cos(t), 9 * np.sin(t)) == pytest.approx(
        galaxy.ring(9))
    fit = galaxy.fit(galaxy.image(), noise=1e-6)
    found = list(cuts.measure_cuts(galaxy, fit))
    assert {kind for kind, _, _ in found} == set(
        cuts.KINDS[4:] if edge_on else cuts.KINDS[:4])
    for _, table, true in found:
        use = cuts.inside(table, resolved=True) & (true > 1e-3)
        value = table['intensity'].value * cuts.PIXEL**2
        assert np.abs(value[use] / true[use] - 1).max() < 0.01
