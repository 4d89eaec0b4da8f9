# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the training of the class head of clump networks.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import MaskedColumn, Table
from numpy.testing import assert_allclose

import astro_pix2prof
from astro_pix2prof.inference.clump_classes import N_MEASURED
from astro_pix2prof.networks.clumps import ClumpConfig, ClumpNetwork
from astro_pix2prof.networks.weights import load_network

ROOT = Path(astro_pix2prof.__file__).parents[1]


@pytest.fixture
def classes(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return import_module('benchmarks.training.clump_classes')


@pytest.fixture
def marks(classes):
    """
    Make marks whose class two of the numbers tell, mostly.
    """
    rng = np.random.default_rng(4)
    n = 600
    features = rng.normal(5, 2, (n, 8 + N_MEASURED))
    kind = rng.integers(0, 3, n)
    features[:, 3] += 6.0 * (kind == 1)
    features[:, 12] += 6.0 * (kind == 2)
    bright = rng.random(n) < 0.3
    return classes.Marks(features, kind, bright, np.full(n, 0.5),
                         bright & (kind == 1), np.arange(n) // 5,
                         int((bright & (kind == 1)).sum()))


def test_head(classes, marks):
    """
    A head learns the classes, and galaxies it did not see have them, too.
    """
    found = classes.left_out(marks)
    assert np.mean(found.argmax(1) == marks.classes) > 0.8
    assert_allclose(found.sum(1), 1, atol=1e-5)
    assert min(classes.measure(marks, found, 0.5)) > 0.75
    # classes that nothing tells are not learned by heart
    shuffled = np.random.default_rng(1).permutation(marks.classes)
    marks.classes = shuffled
    assert np.mean(classes.left_out(marks).argmax(1) == shuffled) < 0.5


def test_odd(classes, marks):
    """
    The less odd objects weigh, the fewer there are.
    """
    few, many = (classes.left_out(marks, odd=odd)[:, 2].sum()
                 for odd in (0.1, 3.0))
    assert few < many


def test_threshold(classes, marks):
    found = np.full((len(marks.classes), 3), 0.2)
    found[:, 1] = np.where(marks.classes == 1, 0.45, 0.22)
    found[:, 0] = 1 - found[:, 1:].sum(1)
    # (what is nothing has 0.42, what is a clump 0.65)
    assert classes.choose_threshold(marks, found) == 0.5
    assert classes.measure(marks, found, 0.5) == (1, 1)
    assert classes.measure(marks, found, 0.4)[1] < 1


def test_truth(classes):
    truth = Table({'class': ['clump', 'odd', 'clump'],
                   'snr': [20.0, 20.0, 5.0],
                   'share': MaskedColumn([0.1, 0.1, 0.1],
                                         mask=[False, True, False])})
    own, bright = classes.true_clumps(truth)
    assert own.tolist() == [True, False, True]
    assert bright.tolist() == [True, False, False]


def test_finish(classes, marks, tmp_path):
    """
    The head that is written says what the one that was trained said.
    """
    network = ClumpNetwork(ClumpConfig(channels=8, dilations='1'))
    path = classes.finish(network, {'name': 'x', 'architecture': 'clumps'},
                          marks, tmp_path / 'x.safetensors')
    new, card = load_network(path)
    x = torch.tensor(marks.features[:20], dtype=torch.float32)
    with torch.inference_mode():
        found = torch.softmax(new.classify(x[:, :8], x[:, 8:]), 1)
    wanted = classes.probabilities(classes.train_head(marks),
                                   marks.features[:20])
    assert_allclose(found, wanted, atol=0.02)
    assert card['class_head']['galaxies'] == 120
    assert sum(card['class_head']['marks']) == 600
    assert torch.equal(new.stem.weight, network.stem.weight.half().float())


def test_join(classes, marks):
    both = classes.join([marks, marks])
    assert len(both.classes) == 1200
    assert both.n_wanted == 2 * marks.n_wanted
