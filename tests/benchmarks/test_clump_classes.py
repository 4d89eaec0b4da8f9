# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the training of clump networks on prepared galaxies.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import astro_pix2prof
from astro_pix2prof.inference.clump_classes import N_MEASURED
from astro_pix2prof.networks.clumps import ClumpConfig, ClumpNetwork
from astro_pix2prof.networks.clumps.stamps import SIDE, STAMP_CHANNELS
from astro_pix2prof.networks.weights import load_network, write_weights

ROOT = Path(astro_pix2prof.__file__).parents[1]
if not (ROOT / 'benchmarks').is_dir():
    pytest.skip('there are no benchmarks', allow_module_level=True)

N = 600


@pytest.fixture(name='load')
def fixture_load(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: import_module(f'benchmarks.training.{name}')


@pytest.fixture
def classes(load):
    return load('clump_classes')


@pytest.fixture
def network():
    torch.manual_seed(3)
    return ClumpNetwork(ClumpConfig(channels=8, dilations='1'))


@pytest.fixture
def marks(classes):
    """
    Make marks whose class a number and the stamp tell.
    """
    rng = np.random.default_rng(4)
    kind = rng.choice([0, 1, 3], N)
    known = rng.normal(5, 2, (N, 8 + N_MEASURED))
    known[:, 3] += 6.0 * (kind == 0)
    stamps = rng.normal(0, 0.3, (N, STAMP_CHANNELS, SIDE, SIDE))
    middle = SIDE // 2
    stamps[:, 0, middle - 2:middle + 3, middle - 2:middle + 3] += (
        kind == 3)[:, None, None]
    bright = rng.random(N) < 0.3
    wanted = bright & (kind == 1)
    return classes.Marks(
        torch.tensor(known, dtype=torch.float32),
        torch.tensor(stamps, dtype=torch.float16), kind, bright, wanted,
        np.arange(N) // 5, int(wanted.sum()))


def test_head(classes, marks, network):
    """
    A head learns from numbers and stamps; the marks stay as they were.
    """
    new = classes.make_head(network)
    curve = classes.train_head(new, marks, validation=marks, steps=200)
    found = classes.probabilities(classes.class_logits(new, marks))
    assert np.mean(found.argmax(1) == marks.classes) > 0.95
    assert_allclose(found.sum(1), 1, atol=1e-5)
    assert min(classes.measure(marks, found, 0.5)) > 0.9
    assert curve[0][0] == 200
    assert torch.equal(new.stem.weight, network.stem.weight)


def test_head_goes_on(classes, marks, network):
    """
    A head that goes on starts from what it was, a new one does not.
    """
    head = classes.make_head(network)
    before = classes.class_logits(head, marks)
    classes.train_head(head, marks, steps=1, rate=0.0, goes_on=True)
    assert_allclose(classes.class_logits(head, marks), before, atol=1e-4)
    classes.train_head(head, marks, steps=1, rate=0.0)
    assert (classes.class_logits(head, marks) - before).abs().max() > 0.01


def test_odd(classes, marks, network):
    """
    The less odd objects weigh, the fewer there are.
    """
    new = classes.make_head(network)
    logits = classes.class_logits(new, marks)
    few, many = (classes.probabilities(logits, odd=odd)[:, 2].sum()
                 for odd in (0.1, 3.0))
    assert few < many


def test_weights(classes, marks):
    """
    Marks count as often as such objects are there in use.
    """
    marks.bright[:] = False
    weight = classes.mark_weights(marks)
    assert set(weight[marks.kind == 0]) == {0.5}
    assert_allclose(weight[marks.kind == 1], 1.66 / 2.48)
    assert_allclose(weight[marks.kind == 3], 0.35)
    marks.bright[:] = True
    assert_allclose(classes.mark_weights(marks), 4 * weight)


def test_measure(classes, marks):
    found = np.full((N, 3), 0.2)
    found[:, 1] = np.where(marks.classes == 1, 0.45, 0.22)
    found[:, 0] = 1 - found[:, 1:].sum(1)
    # (what is nothing has 0.42, what is a clump 0.65)
    assert classes.measure(marks, found, 0.5) == (1, 1)
    assert classes.measure(marks, found, 0.4)[1] < 1
    # (three of four objects are odd: counted as 28%, they spoil less)
    found[marks.classes == 2] = [0.1, 0.6, 0.3]
    plain, usual = (classes.measure(marks, found, 0.5, usual=usual)[1]
                    for usual in (False, True))
    assert_allclose(usual, 0.72, rtol=1e-6)
    own, odd = ((marks.bright & (marks.classes == k)).sum() for k in (1, 2))
    assert_allclose(plain, own / (own + odd))
    found[marks.classes == 2] = 0.2
    marks.n_wanted *= 2
    assert classes.measure(marks, found, 0.5) == (0.5, 1)


def test_finish(classes, marks, network, tmp_path):
    """
    The head that is written says what the one that was trained said.
    """
    new = classes.make_head(network)
    path = classes.finish(new, {'name': 'x', 'architecture': 'clumps'},
                          {'some': marks}, tmp_path / 'x.safetensors', odd=0.4,
                          threshold=0.3, entries={'notes': ['a']})
    again, card = load_network(path)
    assert_allclose(
        classes.probabilities(classes.class_logits(again, marks)),
        classes.probabilities(classes.class_logits(new, marks), odd=0.4),
        atol=0.02)
    some = card['class_head']['validation']['some']
    assert some['clumps'] == marks.n_wanted
    assert 0 <= some['purity'] < some['purity_usual'] <= 1
    assert card['class_head']['odd_weight'] == 0.4
    assert card['threshold'] == 0.3
    assert card['notes'] == ['a']


def test_deepen(load, network):
    """
    A deeper network begins as the one that it goes on from.
    """
    heat = load('clump_heat')
    new = heat.deepen(network, '1,4')
    image = torch.randn(2, 8, 20, 22)
    with torch.no_grad():
        for a, b in zip(new(image), network(image), strict=True):
            assert torch.equal(a, b)
    assert new.config.steps == [1, 4]


def test_crop(load):
    """
    Sources are where the image has them, however it is turned and moved.
    """
    heat = load('clump_heat')
    channels = torch.zeros(8, 61, 90)
    channels[0, 33, 41] = 1
    galaxy = {'channels': channels.half(), 'centre': (44.0, 30.0),
              'sources': torch.tensor([[41.0, 33.0, 0, 1, 3.0, 9.0],
                                       [43.0, 33.0, 0, 1, 3.0, 1.0]])}
    rng = np.random.default_rng(2)
    places = set()
    for _ in range(12):
        image, rows = heat.crop(galaxy, rng)
        assert image.shape == (8, 96, 96)
        # (a source that is not seen is none)
        assert len(rows) == 1
        j, i = divmod(int(image[0].argmax()), 96)
        assert rows[0, :2].tolist() == [i, j]
        places.add((i, j))
    assert len(places) > 6


@pytest.mark.slow
def test_end_to_end(load, network, tmp_path, capsys):
    """
    The commands of the documentation work, one after the other.
    """
    start = write_weights(network, {'name': 'x', 'architecture': 'clumps'},
                          tmp_path / 'start.safetensors')
    for folder, what in (('a', '77:6'), ('b', '78:4')):
        load('clump_marks').main([
            str(tmp_path / folder), '--galaxies', what, '--set',
            'varied' if folder == 'a' else 'plain'])
    marks, out = tmp_path / 'marks.safetensors', tmp_path / 'x.safetensors'
    given = [str(tmp_path / 'a'), '--validation', str(tmp_path / 'b')]
    load('clump_heat').main([*given, '--weights', str(start), '--dilations',
                             '1,2', '--steps', '3', '--out', str(marks)])
    load('clump_classes').main([*given, '--weights', str(marks), '--steps',
                                '3', '--out', str(out)])
    network, card = load_network(out)
    assert network.config.stamp > 0
    assert card['class_head_training']['galaxies'] == 6
    assert card['presentations'] == 48
