# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the script that doubles the channels of a ring network.
"""

from importlib import import_module
from pathlib import Path

import pytest
import torch

from astro_pix2prof.networks.rings.config import RingConfig
from astro_pix2prof.networks.rings.network import RingNetwork
from astro_pix2prof.networks.weights import load_network

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(name='load')
def fixture_load(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: import_module(f'benchmarks.{name}')


def test_widen(load):
    """
    The wide network says what the other says, and its copies differ.
    """
    torch.manual_seed(4)
    network = RingNetwork(RingConfig(
        channels=8, channels_find=8, hidden=16, looks=2, sequence='conv',
        norm_each=False, thin=True, harmonics=True, sky_prior=True,
        geometry_errors=True))
    with torch.no_grad():
        for value in network.parameters():
            value += 0.02 * torch.randn_like(value)
    wide = load('training.widen').widen(network, seed=3)
    assert wide.config.channels == 16
    y, x = torch.meshgrid(*2 * [torch.arange(64.0)], indexing='ij')
    image = 50 * torch.exp(-torch.hypot(x - 31, (y - 33) / 0.6) / 6)
    image = (image + torch.randn(64, 64))[None]
    inputs = image, torch.ones_like(image), torch.tensor([[31.5, 32.5]])
    with torch.inference_mode():
        one, other = network.eval()(*inputs), wide.eval()(*inputs)
    for name in ('value', 'log_error', 'e1', 'centre', 'weight',
                 'log_e_error', 'log_enclosed_error', 'sky'):
        torch.testing.assert_close(
            getattr(one, name), getattr(other, name), atol=2e-3, rtol=1e-3)
    weight = wide.along.blocks[1].first.weight
    apart = (weight[:, 0::2] - weight[:, 1::2]).abs().mean()
    assert apart > 0.2 * weight.abs().mean()


def test_command(load, tmp_path):
    """
    The script writes weights that can be loaded, of twice the channels.
    """
    script = load('training.widen')
    path = tmp_path / 'wide.safetensors'
    script.main(['rings-fast', '--out', str(path)])
    wide, card = load_network(path)
    assert wide.config.channels == 2 * load_network(
        'rings-fast')[0].config.channels
    assert card['config']['channels'] == wide.config.channels
