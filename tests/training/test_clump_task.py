# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the training of clump networks.
"""

import dataclasses

import pytest
import torch

from astro_pix2prof.networks.clumps import ClumpConfig, ClumpNetwork
from astro_pix2prof.networks.weights import load_network
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.simulation.planting import GalaxyFrame, plant_sources
from astro_pix2prof.training.recipe import read_recipe
from astro_pix2prof.training.run import train
from astro_pix2prof.training.tasks import make_task
from astro_pix2prof.training.tasks.clumps import (
    make_targets,
    simulated_views,
)
from astro_pix2prof.training.tasks.distortion import compress, distort
from astro_pix2prof.training.tasks.views import show_differently

RECIPE = read_recipe('clumps', data={'n_pix': [64], 'batch_size': [4]})
CONFIG = ClumpConfig(channels=8, dilations='1')


@pytest.fixture(scope='module')
def views():
    galaxies = GalaxySimulator('sdss-r', n_pix=64, kind='late spiral',
                               chunk=4).simulate(4, seed=5)
    return simulated_views(galaxies)


@pytest.fixture(scope='module')
def batch(views):
    task = make_task(RECIPE, CONFIG)
    return task.batch(views, torch.Generator().manual_seed(2))


class TestBatch:
    def test_shapes(self, batch):
        assert batch['image'].shape == (4, 8, 48, 48)
        for name in ('heat', 'weight', 'offset'):
            assert batch[name].shape == (4, 2, 24, 24)
            assert batch[name].isfinite().all()
        assert batch['image'].isfinite().all()
        assert batch['heat'].max() == 1
        assert 0 <= batch['weight'].min() <= batch['weight'].max() == 1

    def test_same_again(self, views, batch):
        again = make_task(RECIPE, CONFIG).batch(
            views, torch.Generator().manual_seed(2))
        assert torch.equal(batch['image'], again['image'])

    def test_needs_truth(self, views):
        bare = dataclasses.replace(views, clumps=None)
        with pytest.raises(ValueError, match='a clump network needs the true '
                                             'profiles and clumps'):
            make_task(RECIPE, CONFIG).batch(bare, torch.Generator())

    def test_clumps_turn(self, views):
        """
        Clumps are turned and moved with the image.
        """
        shown = show_differently(views, 56, 3, -2, 1, True)
        light = torch.zeros_like(views.image)
        x, y = (v.round().long() for v in views.clumps[0, :, :2].T)
        inside = (x >= 12) & (x < 52) & (y >= 12) & (y < 52) & (
            views.clumps[0, :, 2] > 0)
        k = int(torch.where(inside, views.clumps[0, :, 2], -1.0).argmax())
        assert inside[k]
        light[0, y[k], x[k]] = 1.0
        turned = show_differently(dataclasses.replace(views, image=light),
                                  56, 3, -2, 1, True).image[0]
        j, i = divmod(int(turned.argmax()), 56)
        place = shown.clumps[0, k, :2]
        assert (place - torch.tensor([i, j])).abs().max() <= 0.51


class TestDistort:
    @pytest.mark.parametrize('fwhm', [1.2, 3.0, 6.0])
    def test_positions(self, fwhm):
        """
        A source is where the truth says, however the image is resampled.
        """
        sma = torch.linspace(0, 60, 61)
        frame = GalaxyFrame(
            torch.zeros(128, 128), torch.tensor([63.0, 65.0]), sma,
            1e-6 * sma, 0 * sma, 0 * sma, 1.0, 12.0, fwhm, 1.0, 1e9)
        for seed in range(6):
            generator = torch.Generator().manual_seed(seed)
            image = plant_sources(frame, torch.tensor(
                [[70.3, 58.6, 5e4, 0.0, 1.0, 1.0]]), generator, beta=4.0)
            found = distort(
                image, torch.ones(128, 128, dtype=torch.bool), frame,
                torch.tensor([[70.3, 58.6, 1.0, 1.0, 99.0]]), 96, generator,
                off=(0, 0, 0, 0, 0))
            j, i = divmod(int(found['image'].argmax()), 96)
            x, y = found['sources'][0, :2].tolist()
            assert abs(i - x) < 1.1
            assert abs(j - y) < 1.1
            assert 2.0 <= found['sources'][0, 4] < 5.01

    def test_compress(self):
        generator = torch.Generator().manual_seed(1)
        image = 10 * torch.randn(20, 27, generator=generator)
        assert (compress(image, 0.01) - image).abs().max() < 0.1
        rough = compress(image, 30.0)
        assert rough.shape == image.shape
        assert rough.std() < 0.8 * image.std()
        assert torch.allclose(compress(torch.full((8, 8), 7.0), 1.0),
                              torch.full((8, 8), 7.0), atol=0.2)


class TestTargets:
    def test_marks(self):
        sources = torch.full((1, 3, 6), torch.nan)
        sources[0, 0] = torch.tensor([20.6, 11.0, 0, 1, 3.0, 9])
        sources[0, 1] = torch.tensor([40.0, 30.0, 1, 0, 3.0, 3])
        out = make_targets(sources, 48)
        assert out['heat'][0, 0, 6, 10] == 1
        assert out['heat'][0, 1].max() == 0
        assert torch.allclose(out['offset'][0, :, 6, 10],
                              torch.tensor([0.3, -0.5]), atol=1e-5)
        # (it may be found, and need not be)
        assert out['weight'][0, :, 15, 20].max() < 0.01
        assert out['weight'][0, 0, 6, 10] == 1


class TestLoss:
    def test_falls(self, batch):
        torch.manual_seed(1)
        task = make_task(RECIPE, CONFIG)
        network = ClumpNetwork(CONFIG)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
        losses = []
        for _ in range(25):
            loss, parts = task.loss(network, batch, None)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.6 * losses[0]
        assert set(parts) == {'train_marks', 'train_offset'}

    def test_errors(self, batch):
        """
        The truth has no errors, and nothing has all.
        """
        task = make_task(RECIPE, CONFIG)

        def perfect(_):
            return 20 * batch['heat'].eq(1) - 10.0, batch['offset']

        def nothing(_):
            return batch['heat'] * 0 - 10, batch['offset']

        assert task.errors(perfect, batch) < 0.1
        assert task.errors(nothing, batch) == 1


def test_train(tmp_path):
    """
    Train, export and load: the card has no errors of profiles.
    """
    path = train('clumps', tmp_path, accelerator='cpu', devices=1,
                 progress=False, network={'channels': 8, 'dilations': '1'},
                 data={'n_pix': [64], 'batch_size': [4], 'workers': 0,
                       'validation': 4},
                 training={'steps': 2, 'checkpoint_steps': 2})
    network, card = load_network(path)
    assert isinstance(network, ClumpNetwork)
    assert 'error_model' not in card
    assert card['metrics']['unit'].startswith('1 - F1')
