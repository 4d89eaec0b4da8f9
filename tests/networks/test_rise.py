# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What a ring network adds to faint rings beyond their noise.
"""

from copy import deepcopy

import numpy as np
import pytest
import torch

from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.networks.readers.rings import RingReader
from astro_pix2prof.networks.rings.sampling import ring_radii
from astro_pix2prof.networks.rings.stages import _rise
from astro_pix2prof.networks.weights import load_network

RADII = ring_radii(180, ratio=1.2)


def _over(add, snr, doubt=0.0):
    add, snr, doubt = (torch.as_tensor(part, dtype=torch.float32).expand(
        1, len(RADII)) for part in (add, snr, doubt))
    return _rise(add, snr, RADII, doubt)[0]


def test_rise_of_faint_rings():
    outer = RADII > 60
    over = _over(torch.where(outer, 5.0, 0.0), torch.where(outer, 8.0, 80.0))
    assert (over[RADII > 80] > 3.0).all()
    assert (over[RADII > 80] < 5.0).all()
    assert (over[RADII < 45] == 0).all()


@pytest.mark.parametrize(('add', 'snr', 'doubt'), [
    (5.0, 80.0, 0.0), (5.0, 1.5, 0.0), (5.0, 10.0, 4.5), (0.5, 10.0, 0.0),
    (-5.0, 10.0, 0.0)])
def test_what_is_allowed(add, snr, doubt):
    """
    Bright rings, those lost in noise or in doubt, small rises, and falls.
    """
    assert (_over(add, snr, doubt) == 0).all()


def test_close_to_the_centre():
    over = _over(4.0, 10.0)
    assert (over[RADII < 8] == 0).all()
    assert (over[RADII > 30] > 2).all()


def test_bright_rings():
    """
    Whatever a network adds, bright rings stay what their pixels say.
    """
    network = deepcopy(load_network('rings')[0])
    y, x = np.indices((96, 96))
    radius = np.hypot(x - 47.5, (y - 48) / 0.8)
    image = torch.from_numpy(400 * np.exp(-radius / 8)).float()[None]
    arguments = (image, torch.ones(1, 96, 96, dtype=torch.bool),
                 torch.tensor([[47.5, 48.0]]))
    with torch.inference_mode():
        sky = torch.tensor([0.01])
        usual = network(*arguments, sky_error=sky)
        network.correction.sequence.out.bias[0] += 300
        found = network(*arguments, sky_error=sky)
    bright = usual.mean[0] > 50 * usual.ring_noise[0]
    assert bright.sum() > 10
    part = 10**(0.4 * (usual.value - found.value))[0, bright]
    assert (part < 1.15).all()
    assert (part > 1).all()


def test_training():
    """
    Nothing is held back while a network learns.
    """
    network = load_network('rings')[0]
    image = torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        arguments = image, torch.ones(1, 64, 64, dtype=torch.bool), (
            torch.full((1, 2), 31.5))
        assert network.train()(*arguments).rise is None
        assert (network.eval()(*arguments).rise >= 0).all()


def test_least_errors():
    """
    Stated errors of faint rings are not far below that of their own noise.
    """
    network, card = load_network('rings')
    y, x = np.indices((128, 128))
    radius = np.hypot(x - 64, (y - 63) / 0.7)
    image = 20 * np.exp(-radius / 9)
    image = image + np.random.default_rng(5).normal(size=image.shape)
    frame = Frame(image, np.zeros(image.shape, bool), 1.0, (64.0, 63.0))
    caption, = RingReader(network, card=card).read([frame])
    with torch.inference_mode():
        found = network(torch.from_numpy(image).float()[None],
                        torch.ones(1, 128, 128, dtype=torch.bool),
                        torch.tensor([[64.0, 63.0]]))
    n = len(caption.sma)
    noise = found.ring_noise[0, :n].numpy() / caption.intensity
    faint = (noise > 0.05) & (caption.sma > 20)
    assert faint.sum() > 4
    assert (caption.error[faint] > 0.54 * 1.0857 * noise[faint]).all()
