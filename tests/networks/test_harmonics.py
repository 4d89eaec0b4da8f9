# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Steps to better ellipses from the harmonics of the light along them.
"""

import math

import numpy as np
import pytest
import torch

from astro_pix2prof.networks.rings import RingConfig, RingNetwork
from astro_pix2prof.networks.rings.harmonics import HarmonicGate, harmonic_step
from astro_pix2prof.networks.rings.layers import log_shape, shape_of_log
from astro_pix2prof.networks.rings.sampling import ellipse_points, ring_radii

RADII = ring_radii(80, ratio=1.2)
N = 48


def shape(eps, angle):
    """
    The two components of an ellipse, for all rings of one image.
    """
    return torch.tensor([eps * math.cos(2 * angle), eps * math.sin(
        2 * angle)]).expand(1, len(RADII), 2)


def light(e, eps, angle):
    """
    An exponential galaxy along ellipses.
    """
    x, y, _ = ellipse_points(RADII.expand(1, -1), e[..., 0], e[..., 1], N)
    c, s = math.cos(angle), math.sin(angle)
    u, v = x * c + y * s, y * c - x * s
    return 1e3 * torch.exp(-torch.sqrt(
        u**2 + (v / (1 - eps))**2 + 1e-3) / 15)


def step_of(e, value, weight=None):
    weight = torch.ones_like(value) if weight is None else weight
    return harmonic_step(value, weight, RADII, e,
                         torch.full(value.shape[:2], 40.0))


@pytest.mark.parametrize(('true', 'guess'), [
    ((0.9, 0.5), (0.85, 0.53)), ((0.3, 1.0), (0.2, 1.2)),
    ((0.02, 0.0), (0.2, 0.9)), ((0.5, 1.0), (0.7, 0.8))])
def test_converges(true, guess):
    """
    A few steps lead to the true ellipse, from any side.
    """
    e, goal = shape(*guess), log_shape(shape(*true))
    rings = slice(6, -4)
    before = (log_shape(e) - goal).norm(dim=-1)[0, rings]
    for _ in range(4):
        step, _ = step_of(e, light(e, *true))
        e = shape_of_log(log_shape(e) + step)
    after = (log_shape(e) - goal).norm(dim=-1)[0, rings]
    assert before.min() > 0.15
    assert after.max() < 2e-3


def test_right_ellipse():
    """
    On the true ellipse there is no step.
    """
    e = shape(0.6, 0.4)
    step, error = step_of(e, light(e, 0.6, 0.4))
    assert step[0, 4:-2].abs().max() < 1e-3
    assert (error > 0).all()


def test_holes():
    """
    Points without weight have no part, whatever they hold.
    """
    true, e = (0.7, 0.3), shape(0.6, 0.4)
    value = light(e, *true)
    weight = torch.ones_like(value)
    weight[..., 5:14] = 0
    clean = step_of(e, value, weight)[0]
    value[..., 5:14] = 1e4
    np.testing.assert_allclose(step_of(e, value, weight)[0], clean,
                               atol=1e-5)
    full = step_of(e, light(e, *true))[0]
    assert (clean - full)[0, 6:-4].abs().max() < 0.06


def test_noise():
    """
    Rings of noise make no long steps, and the error holds.
    """
    generator = torch.Generator().manual_seed(3)
    e = shape(0.5, 0.2).expand(400, -1, -1)
    value = light(e[:1], 0.5, 0.2).expand(400, -1, -1)
    noise = torch.randn(value.shape, generator=generator)
    step, error = harmonic_step(value + noise, torch.ones_like(value), RADII,
                                e, torch.full(value.shape[:2], float(N)))
    # where the galaxy is bright, the scatter is what is stated
    bright = 14
    found = step[:, bright].std(0)
    assert 0.8 < float(found.mean() / error[:, bright].median()) < 1.25
    # of nothing but noise, there is hardly a step
    step, _ = harmonic_step(noise, torch.ones_like(noise), RADII, e,
                            torch.full(noise.shape[:2], float(N)))
    assert step.abs().median() < 0.3


def test_gate():
    """
    The step lies between that of the network and that of the harmonics.
    """
    gate = HarmonicGate(4)
    own = torch.zeros(1, len(RADII), 2)
    step = torch.full_like(own, 0.2)
    features = torch.randn(1, len(RADII), 4)
    error = torch.full((1, len(RADII)), 0.01)
    for bias, expected in ((-30.0, 0.0), (30.0, 0.2), (0.0, 0.1)):
        torch.nn.init.constant_(gate.out.bias, bias)
        np.testing.assert_allclose(
            gate(features, own, step, error, shape(0.5, 0.2)).detach(),
            expected, atol=1e-6)


def test_network():
    """
    A network with an open gate finds a thin ellipse, one without does not.
    """
    config = RingConfig(ratio=1.2, n_angle=32, n_angle_fine=N, channels=8,
                        channels_find=8, hidden=16, looks=3,
                        sequence='conv', thin=True, harmonics=True)
    torch.manual_seed(1)
    network = RingNetwork(config).eval()
    size, true = 96, (0.7, 0.6)
    y, x = torch.meshgrid(*2 * [torch.arange(size) - 47.5], indexing='ij')
    c, s = math.cos(true[1]), math.sin(true[1])
    u, v = x * c + y * s, y * c - x * s
    image = 1e3 * torch.exp(-torch.sqrt(u**2 + (v / 0.3)**2) / 9)[None]
    goal = true[0] * torch.tensor([math.cos(1.2), math.sin(1.2)])
    found = {}
    for bias in (-30.0, 30.0):
        torch.nn.init.constant_(network.along.gate.out.bias, bias)
        with torch.no_grad():
            out = network(image, torch.ones_like(image, dtype=torch.bool),
                          torch.tensor([[47.5, 47.5]]), hold=True)
        rings = (out.sma > 8) & (out.sma < 30)
        e = torch.stack([out.e1, out.e2], -1)[0, rings]
        found[bias] = float((e - goal).norm(dim=-1).max())
    assert found[-30.0] > 0.2
    assert found[30.0] < 0.05


def test_config():
    """
    Harmonics belong to networks of thin ellipses.
    """
    with pytest.raises(ValueError, match='harmonics'):
        RingConfig(harmonics=True)
