# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the training of encoders, and of labels and features.
"""

import json
from types import SimpleNamespace

import pytest
import torch

from astro_pix2prof.networks.encoder import Encoder, EncoderConfig
from astro_pix2prof.networks.encoder.network import HEADS
from astro_pix2prof.networks.weights import load_network
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.features import strengthen_features
from astro_pix2prof.simulation.galaxies import TYPES
from astro_pix2prof.simulation.labels import CLASSES, visible_features
from astro_pix2prof.training import read_recipe, train
from astro_pix2prof.training.data import SimulatedBatches
from astro_pix2prof.training.tasks.encoder import EncoderTask

SMALL = {'network': {'channels': 4, 'hidden': 8},
         'data': {'n_pix': [64], 'batch_size': [8], 'repeat': 1,
                  'workers': 0, 'validation': 8, 'wobble': 0}}


@pytest.fixture(scope='module')
def galaxies():
    return GalaxySimulator('sdss-r', n_pix=96, features=True).simulate(
        32, seed=3)


@pytest.fixture(scope='module')
def batches():
    recipe = read_recipe('encoder', **SMALL)
    return SimulatedBatches(recipe, EncoderConfig(**SMALL['network']),
                            first_seed=1)


class TestLabels:
    def test_kinds(self, galaxies):
        labels = visible_features(galaxies)
        assert set(labels) == set(HEADS)
        assert len(CLASSES) == HEADS['type']
        assert sorted(k for part in CLASSES.values() for k in part) == list(
            range(len(TYPES)))
        for name, value in labels.items():
            assert value.shape == (32,)
            if name not in ('type', 'pitch', 'lopsided'):
                assert set(value.tolist()) <= {0.0, 1.0}
        ellipticals = galaxies.kind == 0
        assert ellipticals.any()
        for name in ('bar', 'arms', 'ring'):
            assert labels[name][ellipticals].sum() == 0
            assert labels[name].sum() > 0
        assert torch.equal(torch.isfinite(labels['pitch']) <=
                           (labels['arms'] > 0), torch.ones(32).bool())

    def test_what_is_seen(self, galaxies):
        """
        A bar that the seeing or the noise hides is not seen.
        """
        bars = visible_features(galaxies)['bar'] > 0
        for change in ({'fwhm': galaxies.fwhm + 100},
                       {'ring_noise': 1e6 * galaxies.ring_noise}):
            other = SimpleNamespace(**{**vars(galaxies), **change})
            assert bars.any()
            assert not visible_features(other)['bar'].any()

    def test_companion(self, galaxies):
        parameters = {**galaxies.parameters, 'second': torch.zeros(32, 1)}
        alone = SimpleNamespace(**{**vars(galaxies),
                                   'parameters': parameters,
                                   'contamination': 0 * galaxies.image})
        assert not visible_features(alone)['merger'].any()
        with_one = SimpleNamespace(**{**vars(galaxies),
                                      'contamination': galaxies.clean})
        assert visible_features(with_one)['merger'].all()


class TestFeatures:
    def test_more(self):
        usual, more = ({name: value[:, 0] for name, value in
                        GalaxySimulator('sdss-r', n_pix=64, features=on
                                        ).simulate(
                            32, seed=5).parameters.items()}
                       for on in (False, True))
        for name in ('tides', 'clumps'):
            assert more[name].sum() > usual[name].sum()
        first = slice(0, 8)     # (later chunks draw other galaxies)
        assert torch.equal(usual['kind'][first], more['kind'][first])
        assert torch.equal(usual['r_e'][first], more['r_e'][first])

    def test_only_discs(self):
        kind = torch.arange(7)[:, None].repeat(200, 1)
        zero = torch.zeros(kind.shape)
        g = {'kind': kind, 'bar': zero, 'a_bar': zero, 'ring_in': zero,
             'ring_out': zero, 'clumps': zero, 'tides': zero}
        found = strengthen_features(g, torch.Generator().manual_seed(0))
        discs = (kind >= 1) & (kind <= 3)
        for name in ('ring_in', 'ring_out'):
            assert (found[name][discs] > 0).float().mean() > 0.15
            assert (found[name][~discs] == 0).all()
        assert (found['bar'] == 0).all()    # no bar is added
        assert 0.15 < (found['tides'] > 0).float().mean() < 0.3
        assert (g['tides'] == 0).all()


class TestTask:
    def test_batch(self, batches):
        batch = batches[0]
        n = len(batch['image'])
        assert batch['image'].shape == (n, 6, 24, 64)
        assert batch['rings'].shape == (n, 9, 24)
        assert all(torch.isfinite(batch[name]).all()
                   for name in ('image', 'rings'))
        assert all(len(batch[name]) == n for name in HEADS)
        again = SimulatedBatches(batches.recipe, batches.task.config,
                                 first_seed=1)[0]
        assert torch.equal(again['image'], batch['image'])

    def test_loss(self, batches):
        torch.manual_seed(0)
        network = Encoder(batches.task.config)
        loss, more = batches.task.loss(network, batches[0], None)
        loss.backward()
        assert torch.isfinite(loss)
        # rare features weigh more
        wanted = 1.5 * more['train_near'] + sum(
            {'tides': 3, 'ring': 2, 'merger': 2}.get(name, 1)
            * more[f'train_{name}'] for name in HEADS)
        assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
        assert set(more) == {'train_near', *(f'train_{name}'
                                             for name in HEADS)}
        assert all(torch.isfinite(p.grad).all()
                   for p in network.parameters())
        errors = batches.task.errors(network.eval(), batches[0])
        assert errors.shape == (len(batches[0]['image']),)

    def test_neighbours(self, batches):
        """
        The loss is low where like galaxies are close.
        """
        labels = {name: torch.zeros(4) for name in HEADS}
        labels['type'] = torch.tensor([0, 0, 2, 2])
        close = torch.tensor([[1., 0], [1, 0], [0, 1], [0, 1]])
        mixed = close[[0, 2, 1, 3]]
        task = batches.task
        assert task._neighbours(labels, close) + 3 < (
            task._neighbours(labels, mixed))

    def test_no_labels(self):
        task = EncoderTask(None, EncoderConfig())
        with pytest.raises(ValueError, match='the encoder needs labels of the '
                                             'galaxies'):
            task.batch(SimpleNamespace(labels=None), None)

    def test_train(self, tmp_path):
        """
        The recipe trains, and writes weights that can be loaded.
        """
        path = train('encoder', tmp_path, accelerator='cpu', devices=1,
                     progress=False, **SMALL,
                     training={'steps': 2, 'checkpoint_steps': 2})
        network, card = load_network(path)
        assert isinstance(network, Encoder)
        assert card['architecture'] == 'encoder'
        assert card['metrics']['unit'] == 'nat'
        assert 'error_model' not in card
        json.dumps(card)
