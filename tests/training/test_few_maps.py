# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of encoders that learn from labelled galaxies.
"""

import numpy as np
import pytest
import torch

from astro_pix2prof.networks.encoder import Encoder, EncoderConfig
from astro_pix2prof.networks.encoder.maps import GalaxyMaps
from astro_pix2prof.training import few_maps
from astro_pix2prof.training.few_maps import tune_encoder

N = 120


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    pytest.importorskip('sklearn')
    monkeypatch.setattr(few_maps, '_EPOCHS', 4)
    monkeypatch.setattr(few_maps, '_FOLDS', 2)
    # (a small encoder that knows nothing learns faster)
    monkeypatch.setattr(few_maps, '_RATE', 1e-2)


@pytest.fixture(name='data', scope='module')
def make_data():
    """
    Maps of galaxies, half of which have waves, and an encoder.
    """
    config = EncoderConfig(channels=4, hidden=8)
    rng = torch.Generator().manual_seed(1)
    waves = torch.arange(N) % 2
    image = 0.5 * torch.randn(N, 6, config.n_radius, config.n_angle,
                              generator=rng)
    rings = 0.3 * torch.randn(N, 9, config.n_radius, generator=rng)
    # what no mean over radius tells
    rings[:, 2] += (waves[:, None] - 0.5) * (-1.0)**torch.arange(
        config.n_radius)
    torch.manual_seed(2)
    network = Encoder(config).eval()
    maps = GalaxyMaps(image, rings)
    with torch.no_grad():
        embedding = network(maps).double().numpy()
    return network, maps, embedding, waves.numpy().astype(bool)


def read(tuned, maps):
    with torch.no_grad():
        found = tuned.network(maps).double().numpy()
    return found @ tuned.head.weight.T + tuned.head.bias


def test_learns(data):
    """
    The encoder learns what its embeddings did not tell.
    """
    network, maps, embedding, labels = data
    before = {key: value.clone() for key, value in
              network.state_dict().items()}
    state = torch.random.get_rng_state()
    seen = []
    tuned = tune_encoder(network, maps, embedding, labels, seed=3,
                         progress=lambda *args: seen.append(args))
    assert tuned.improved
    assert 0 < tuned.epochs <= 4
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert [k for k, _ in tuned.curve] == [0, 1, 2, 3, 4]
    losses = [loss for _, loss in tuned.curve]
    assert losses[tuned.epochs] == min(losses) < losses[0]
    head = tuned.head
    assert head.classes == [False, True]
    # what is stated is of held-out galaxies, and holds for others
    assert head.metrics['log_loss'] == pytest.approx(min(losses))
    assert head.held_out.shape == (N, 2)
    logit = read(tuned, maps)[:, 0]
    assert np.mean((logit > 0) == labels) > 0.75
    # the start, and the random numbers of the user, are as they were
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    assert torch.equal(torch.random.get_rng_state(), state)
    # what the questions of the simulator need does not move
    for name in ('centre', 'stretch', 'heads.weight'):
        assert torch.equal(tuned.network.state_dict()[name], before[name])
    assert not torch.equal(tuned.network.state_dict()['stem.weight'],
                           before['stem.weight'])
    again = tune_encoder(network, maps, embedding, labels, seed=3)
    np.testing.assert_array_equal(again.head.weight, head.weight)


def test_last(data):
    """
    The parts that read the maps stay as they were.
    """
    network, maps, embedding, labels = data
    training = few_maps._Training(network, maps, embedding,
                                  labels.astype(int), 'classes', 'last', 1.0)
    tuned, _, out = training.run(np.arange(N), None, 1, 0)
    assert out is None
    before, after = network.state_dict(), tuned.state_dict()
    changed = {key.split('.')[0] for key, value in after.items()
               if not torch.equal(value, before[key])}
    assert changed == {'along', 'norms', 'out'}


def test_chance_is_not_learned(data):
    """
    With labels that nothing tells, the encoder stays as it was.
    """
    network, maps, embedding, _ = data
    labels = np.random.default_rng(4).permutation(np.arange(N) % 2)
    tuned = tune_encoder(network, maps, embedding, labels)
    assert not tuned.improved
    assert tuned.network is network
    assert tuned.epochs == 0


def test_numbers(data):
    network, maps, embedding, labels = data
    rng = np.random.default_rng(3)
    y = 7 + 4 * labels + rng.normal(0, 0.1, N)
    tuned = tune_encoder(network, maps, embedding, y, kind='numbers')
    assert tuned.improved
    metrics = tuned.head.metrics
    assert 0 < metrics['explained'] <= 1
    found = read(tuned, maps)[:, 0]
    assert 6 < found.mean() < 12
    assert np.corrcoef(found, y)[0, 1] > 0.6
    off = np.abs(tuned.head.held_out - y)
    assert metrics['error'] == pytest.approx(np.quantile(off, 0.6827))


def test_three_classes(data):
    network, maps, embedding, labels = data
    names = np.array(['a', 'b', 'c'])[
        labels.astype(int) + (np.arange(N) % 4 > 2)]
    tuned = tune_encoder(network, maps, embedding, names)
    assert tuned.head.classes == ['a', 'b', 'c']
    assert tuned.head.weight.shape[0] == 3
    np.testing.assert_allclose(tuned.head.held_out.sum(1), 1)


def test_few(data):
    network, maps, embedding, labels = data
    with pytest.raises(ValueError, match='needs 100 labelled galaxies at '
                                         'least, got 99'):
        tune_encoder(network, maps, embedding[:99], labels[:99])
