# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the benchmarks of searches for similar and odd galaxies.
"""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('sklearn')

ROOT = Path(__file__).parents[2]


@pytest.fixture(name='load')
def fixture_load(monkeypatch):
    """
    Import a module of the benchmarks.
    """
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f'benchmarks.{name}')


@pytest.fixture(name='anomalies')
def load_anomalies(load):
    return load('accuracy.anomalies')


@pytest.fixture(name='neighbours')
def load_neighbours(load):
    return load('throughput.neighbours')


def test_odd_galaxies(load):
    odd = load('render.odd')
    assert len(odd.ODD) == 3
    for kind in odd.ODD:
        image, par = odd.render_small((3, 1), kind=kind)
        assert image.shape == (128, 128)
        assert par['type'] == kind
        assert par['r_e'] > 3 * par['fwhm']
        # it lies near the middle, above the noise
        assert image[60:68, 60:68].max() > 10 * par['noise']
        again, _ = odd.render_small((3, 1), kind=kind)
        np.testing.assert_array_equal(image, again)


def test_plant_and_fill(anomalies):
    rng = np.random.default_rng(0)
    usual, odd = rng.normal(size=(30, 4)), np.full((5, 4), 9.0)
    values, is_odd = anomalies.plant(usual, odd, 3, rng)
    assert values.shape == (33, 4)
    assert is_odd.sum() == 3
    assert (values[is_odd] == 9).all()
    assert (values[~is_odd] < 9).all()
    unit = usual / np.linalg.norm(usual, axis=1, keepdims=True)
    more = anomalies.fill(unit, 50, rng)
    np.testing.assert_array_equal(more[:30], unit)
    np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1)
    # no new one lies outside of the others
    assert (more[30:] @ unit.T).max(axis=1).min() > 0.5


def test_tables(tmp_path, load, anomalies, neighbours):
    row = {'n': 100, 'planted': 1, 'runs': 1, 'seconds': 2.0,
           'lowest': 0.375,
           **dict.fromkeys(('purity_0', 'purity_20', 'purity_50',
                            'purity_100'), 0.5)}
    near = {'same_of_10': 0.4, 'base_rate': 0.01}
    (tmp_path / 'anomalies.json').write_text(json.dumps({
        'encoder': 'x', 'neighbours': dict.fromkeys(
            load('render.odd').ODD, near), 'purity': [
            {'kind': 'all', 'ratings': 'chosen', **row},
            {'kind': 'ring', 'ratings': 'random', 'emulated': True,
             **row}]}))
    (tmp_path / 'neighbours.json').write_text(json.dumps({
        'queries': 3, 'environment': {'cpu': 'a processor'}, 'figures': [
            {'engine': 'usearch', 'n': 100, 'exact': False, 'build_s': 1.0,
             'query_ms': 2.0, 'recall': 0.987}]}))
    for module, name in ((anomalies, 'anomalies'),
                         (neighbours, 'neighbours')):
        path = tmp_path / f'{name}.inc'
        module.main(['--out', str(tmp_path), '--table', str(path)])
        text = path.read_text(encoding='utf-8')
        assert text.startswith('.. Written by benchmarks/')
        assert max(map(len, text.splitlines())) < 80
    assert 'after 100 ratings, is 0.38.' in ' '.join((
        tmp_path / 'anomalies.inc').read_text(encoding='utf-8').split())
    assert 'usearch (approximate)' in text
    assert '98.7%' in text


def test_true_neighbours(neighbours):
    vectors = neighbours.draw_vectors(500, 2)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    rows, = neighbours.find_true(vectors, [7], 5)
    cosine = vectors @ vectors[7]
    assert rows.tolist() == np.argsort(-cosine)[1:6].tolist()
    figures = neighbours.measure(vectors, 'sklearn', [7], [rows])
    assert figures['recall'] == 1
