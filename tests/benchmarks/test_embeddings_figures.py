# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the figures of embeddings in the documentation.
"""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from astro_pix2prof.networks import read_card

ROOT = Path(__file__).parents[2]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)


@pytest.fixture(name='embeddings')
def fixture_embeddings(monkeypatch):
    pytest.importorskip('galsim')
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.accuracy.embeddings')


def test_documentation_has_the_stored_figures(embeddings):
    out = json.loads((ROOT / 'benchmarks' / 'accuracy'
                      / 'embeddings.json').read_text(encoding='utf-8'))
    assert (ROOT / 'docs' / 'embeddings.inc').read_text(
        encoding='utf-8') == embeddings.make_table(out)
    # of the weights that ship
    assert out['sha256'] == read_card('encoder')['sha256']
    assert out['embedding']['same'] > 0.55
    assert out['embedding']['same'] > out['structure']['same'] + 0.15
    assert out['failed'] == 0


def test_neighbour_shares(embeddings):
    rng = np.random.default_rng(1)
    looks = np.repeat(['spiral', 'merger'], 30)
    apart = np.repeat([[0.0, 1], [1, 0]], 30, axis=0)
    apart = apart + rng.normal(0, 0.01, apart.shape)
    shares, base = embeddings.neighbour_shares(apart, looks)
    assert shares == {'spiral': 1.0, 'merger': 1.0}
    assert base == pytest.approx(dict.fromkeys(shares, 29 / 59))
    shares, _ = embeddings.neighbour_shares(
        rng.normal(size=(60, 5)), looks)
    assert max(shares.values()) < 0.65
    shares, base = embeddings.neighbour_shares(apart, looks,
                                               np.arange(60) < 40)
    assert base['merger'] == pytest.approx(9 / 39)


def test_render_look(embeddings):
    from benchmarks.render.looks import LOOKS, render_look

    image, known = render_look(3, n_pix=96)
    again, _ = render_look(3, n_pix=96)
    assert known['look'] == LOOKS[3] == 'barred'
    assert image.shape == (96, 96)
    assert np.array_equal(image, again)
    assert known['r_e'] > 2 * known['fwhm']
    # the galaxy is in the middle
    assert image[43:53, 43:53].mean() > 5 * image.std()
