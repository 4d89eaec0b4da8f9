# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of heads that are fitted to few labels.
"""

import numpy as np
import pytest

from astro_pix2prof.training import few_labels
from astro_pix2prof.training.few_labels import fit_head


@pytest.fixture(autouse=True)
def _needs_sklearn():
    pytest.importorskip('sklearn')


@pytest.fixture(scope='module')
def embedding():
    found = np.random.default_rng(3).normal(size=(120, 8))
    return found / np.linalg.norm(found, axis=1)[:, None]


def logits_of(head, embedding):
    x = (embedding - head.mean) / head.scale
    return x @ head.weight.T + head.bias


def test_classes(embedding):
    """
    A class that the embeddings tell is found, with honest probabilities.
    """
    rng = np.random.default_rng(1)
    p = 1 / (1 + np.exp(-8 * embedding[:, 0]))
    labels = rng.random(120) < p
    head = fit_head(embedding, labels, seed=1)
    assert head.classes == [False, True]
    assert head.metrics['auc'] > 0.8
    assert head.metrics['log_loss'] < head.metrics['log_loss_of_shares']
    found = 1 / (1 + np.exp(-logits_of(head, embedding)[:, 0]))
    assert np.corrcoef(found, p)[0, 1] > 0.9
    # of held-out galaxies with a probability of p, the share is p
    high = head.held_out[:, 1] > 0.5
    for part in (high, ~high):
        assert abs(head.held_out[part, 1].mean()
                   - labels[part].mean()) < 0.12


def test_noise_is_not_learned(embedding):
    """
    Labels that have nothing to do with the embeddings give their shares.
    """
    labels = np.random.default_rng(5).random(120) < 0.3
    head = fit_head(embedding, labels)
    assert abs(head.metrics['auc'] - 0.5) < 0.2
    assert abs(head.held_out[:, 1] - labels.mean()).max() < 0.3


def test_three_classes(embedding):
    labels = np.array(['a', 'b', 'c'])[embedding[:, :3].argmax(1)]
    head = fit_head(embedding, labels)
    assert head.classes == ['a', 'b', 'c']
    assert head.weight.shape == (3, 8)
    best = logits_of(head, embedding).argmax(1)
    assert np.mean(best == embedding[:, :3].argmax(1)) > 0.9
    assert head.metrics['auc'] > 0.9


def test_numbers(embedding):
    rng = np.random.default_rng(2)
    y = 5 + 3 * embedding[:, 1] + rng.normal(0, 0.1, 120)
    head = fit_head(embedding, y, kind='numbers')
    np.testing.assert_allclose(logits_of(head, embedding)[:, 0], y,
                               atol=0.4)
    assert 0.07 < head.metrics['error'] < 0.15
    assert head.metrics['explained'] > 0.9


def test_same_seed_same_head(embedding):
    labels = embedding[:, 0] > 0
    one, two = (fit_head(embedding, labels, seed=4) for _ in range(2))
    assert one.metrics == two.metrics
    np.testing.assert_array_equal(one.weight, two.weight)


def test_one_class(embedding):
    with pytest.raises(ValueError, match='all 120 galaxies are of the class '
                                         'True'):
        fit_head(embedding, np.ones(120, dtype=bool))


def test_few_of_a_class(embedding):
    labels = np.arange(120) < 3
    with pytest.raises(ValueError, match='5 galaxies at least, got True: 3'):
        fit_head(embedding, labels)


def test_few_numbers(embedding):
    with pytest.raises(ValueError, match='20 galaxies at least, got 9'):
        fit_head(embedding[:9], np.arange(9.0), kind='numbers')
    with pytest.raises(ValueError, match='all 120 galaxies have the number '
                                         '2'):
        fit_head(embedding, np.full(120, 2.0), kind='numbers')


def test_without_sklearn(embedding, monkeypatch):
    monkeypatch.setattr(few_labels, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'astro_pix2prof\[search\]'):
        fit_head(embedding, embedding[:, 0] > 0)


@pytest.mark.parametrize('kind', ['classes', 'numbers'])
def test_groups_are_held_out_together(kind):
    """
    Copies of galaxies that tell nothing make the figures good without groups.
    """
    rng = np.random.default_rng(7)
    points = np.repeat(rng.normal(size=(40, 38)), 4, axis=0)
    points += rng.normal(0, 0.01, points.shape)
    labels = np.repeat(rng.normal(size=40), 4)
    if kind == 'classes':
        labels = labels > 0
    groups = np.repeat(np.arange(40), 4)
    name = 'auc' if kind == 'classes' else 'explained'
    apart, together = (
        fit_head(points, labels, kind=kind, groups=given).metrics[name]
        for given in (None, groups))
    assert apart > 0.75
    assert together < apart - 0.2


def test_too_few_groups(embedding):
    labels = np.arange(120) < 60
    with pytest.raises(ValueError, match='5 galaxies at least, got False: 3'):
        fit_head(embedding, labels, groups=np.r_[:60, np.arange(60) % 3])
    with pytest.raises(ValueError, match='galaxies at least, got 4'):
        fit_head(embedding, embedding[:, 0], kind='numbers',
                 groups=np.arange(120) % 4)
