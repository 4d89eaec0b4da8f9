# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Last steps of flat ellipses.
"""

import numpy as np
import pytest
import torch

from astro_pix2prof.networks.rings.config import RingConfig
from astro_pix2prof.networks.rings.network import RingNetwork
from astro_pix2prof.networks.rings.sampling import ellipse_points, ring_radii
from astro_pix2prof.networks.rings.settling import settle_ellipses

RADII = ring_radii(60, ratio=1.2)
N_ANGLE = 48


def ellipses(eps, angle):
    eps, angle = (torch.as_tensor(part, dtype=torch.float32).expand(
        1, len(RADII)) for part in (eps, angle))
    return torch.stack([eps * torch.cos(2 * angle),
                        eps * torch.sin(2 * angle)], -1)


def disc(eps, angle, *, noise=0.0, envelope=0.0, seed=0):
    """
    Look along ellipses at an exponential disc of scale length 12.

    With an ``envelope``, this share of its light is a rounder one.
    """
    generator = torch.Generator().manual_seed(seed)

    def look(e):
        dx, dy, arc = ellipse_points(RADII.expand(e.shape[:2]), e[..., 0],
                                     e[..., 1], N_ANGLE)
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = dy * np.cos(angle) - dx * np.sin(angle)
        light = (1 - envelope) * torch.exp(
            -torch.hypot(u, v / (1 - eps)) / 12)
        light = 100 * (light + envelope * torch.exp(
            -torch.hypot(u, v / 0.6) / 12))
        light = light + noise * torch.randn(light.shape, generator=generator)
        return light, torch.ones_like(light), arc.sum(-1).clamp(1, N_ANGLE)
    return look


def off(found, eps, angle):
    """
    Largest error of the logarithm of the axis ratio and of the angle.
    """
    found = found[0, (RADII > 6) & (RADII < 45)].numpy()
    size = np.hypot(*found.T)
    turn = 0.5 * np.arctan2(found[:, 1], found[:, 0]) - angle
    return (np.abs(np.log((1 - size) / (1 - eps))).max(),
            np.abs((turn + np.pi / 2) % np.pi - np.pi / 2).max())


@pytest.mark.parametrize('noise', [0.0, 0.5])
@pytest.mark.parametrize('angle', [0.0, 0.4, 1.5, -1.2])
def test_thin_disc(angle, noise):
    """
    Ellipses that are too round, or too thin, become those of the disc.
    """
    for eps in (0.8, 0.92):
        for wrong in (1.25, 0.85):
            start = ellipses(1 - wrong * (1 - eps), angle + 0.2 * (1 - eps))
            found = settle_ellipses(
                disc(eps, angle, noise=noise), RADII, start,
                torch.ones(1, len(RADII), N_ANGLE))
            before, after = off(start, eps, angle), off(found, eps, angle)
            assert before[0] > 0.15
            assert after[0] < 0.03 + 0.12 * noise
            assert after[1] < before[1] / 2 + 0.02 * noise


def followed(eps, envelope):
    """
    The logarithm of the axis ratio of the ellipses that follow isophotes.

    Of all directions as seen from the centre alike, as the truth is
    defined: 1 / r^2 = A + B cos 2t by least squares of relative errors.
    """
    t = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    r = np.geomspace(0.3, 400, 4000)[:, None]
    x, y = r * np.cos(t), r * np.sin(t)
    light = ((1 - envelope) * np.exp(-np.hypot(x, y / (1 - eps)) / 12)
             + envelope * np.exp(-np.hypot(x, y / 0.6) / 12))
    design = np.stack([np.ones_like(t), np.cos(2 * t)], -1)
    sma, log_ratio = [], []
    for level in np.geomspace(0.6, 1e-4, 100):
        crossing = r[(light > level).sum(0) - 1, 0]
        part = design * crossing[:, None]**4
        a, b = np.linalg.solve(part.T @ design, part.T @ crossing**-2.0)
        sma.append((a + b)**-0.5)
        log_ratio.append(0.5 * np.log((a + b) / (a - b)))
    return np.interp(RADII.numpy(), sma, log_ratio)


@pytest.mark.parametrize('envelope', [0.02, 0.05, 0.1])
def test_pointed_isophotes(envelope):
    """
    In a rounder halo, ellipses stay where they follow the isophotes best.
    """
    true = followed(0.85, envelope)
    start = ellipses(torch.from_numpy(1 - np.exp(true)), 0.4)
    found = settle_ellipses(disc(0.85, 0.4, envelope=envelope), RADII, start,
                            torch.ones(1, len(RADII), N_ANGLE))[0]
    used = (RADII > 6) & (RADII < 45)
    ratio = torch.log(1 - found.norm(dim=-1)) - torch.from_numpy(true)
    assert ratio[used].abs().max() < 0.006
    assert true[used].max() - true[used].min() > 0.06


def test_round_ellipses_stay():
    """
    Ellipses that are not flat stay as they are, and right ones nearly.
    """
    weight = torch.ones(1, len(RADII), N_ANGLE)
    start = ellipses(0.5, 0.3)
    found = settle_ellipses(disc(0.3, 0.7), RADII, start, weight)
    torch.testing.assert_close(found, start, rtol=0, atol=1e-6)
    start = ellipses(0.85, 0.3)
    found = settle_ellipses(disc(0.85, 0.3), RADII, start, weight)
    assert off(found, 0.85, 0.3)[0] < 0.02


def test_weights():
    """
    Points without weight do not count: a star beside the disc.
    """
    start = ellipses(0.8, 0.4)
    weight = torch.ones(1, len(RADII), N_ANGLE)
    plain = disc(0.85, 0.4)

    def starry(e):
        light, valid, number = plain(e)
        light[..., 5:9] += 200
        return light, valid, number

    bent = settle_ellipses(starry, RADII, start, weight)
    assert off(bent, 0.85, 0.4)[0] > 0.1
    weight[..., 5:9] = 0
    found = settle_ellipses(starry, RADII, start, weight)
    assert off(found, 0.85, 0.4)[0] < 0.05


def test_noise_makes_no_step():
    """
    Where there is no light, ellipses keep their shape.
    """
    start = ellipses(0.85, 0.4)
    generator = torch.Generator().manual_seed(3)

    def sky(e):
        light = torch.randn(1, len(RADII), N_ANGLE, generator=generator)
        return light, torch.ones_like(light), torch.full(
            (1, len(RADII)), 48.0)

    found = settle_ellipses(sky, RADII, start,
                            torch.ones(1, len(RADII), N_ANGLE))
    assert off(found, 0.85, 0.4)[0] < 0.1


def test_network():
    """
    The network takes the steps when it measures, not when it learns.
    """
    torch.manual_seed(0)
    settings = dict(ratio=1.2, n_angle=32, n_angle_fine=48, channels=8,
                    channels_find=8, hidden=16, thin=True, sequence='conv')
    network = RingNetwork(RingConfig(settle=True, **settings)).eval()
    plain = RingNetwork(RingConfig(**settings)).eval()
    plain.load_state_dict(network.state_dict())
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0),
                          indexing='ij')
    image = 60 * torch.exp(-torch.hypot(x - 47.5, (y - 47.5) / 0.15) / 9)
    args = (image[None], torch.ones(1, 96, 96, dtype=torch.bool),
            torch.full((1, 2), 47.5))
    with torch.inference_mode():
        # (it has learned nothing: flat ellipses are given to it as those
        # that its last look found)
        e = ellipses(0.7, 0.0)[:, :len(network.radii((96, 96)))]
        found = network._settle(
            *_pyramid(network, *args), e, torch.ones(1, e.shape[1], 48))
        r = network.radii((96, 96))
        middle = found[0, (r > 8) & (r < 30), 0]
        assert (middle > 0.78).all()
        # flat ones among others take the same steps, and the others none
        pyramid, *rest = _pyramid(network, *(
            torch.cat([part] * 3) for part in args))
        mixed = torch.cat([0.5 * e, e, 0.1 * e])
        steps = network._settle(pyramid, *rest, mixed,
                                torch.ones(3, e.shape[1], 48))
        torch.testing.assert_close(steps[1], found[0])
        assert (steps[::2] == mixed[::2]).all()
        round_ones, same = network(*args), plain(*args)
    torch.testing.assert_close(round_ones.e1, same.e1)
    with pytest.raises(ValueError, match='settle'):
        RingConfig(settle=True)


def _pyramid(network, image, good, start):
    from astro_pix2prof.networks.rings.sampling import Pyramid

    return Pyramid(image, good), start, network.radii(image.shape[1:])


def test_noisy_ellipses_become_smooth():
    """
    What the network's ellipses scatter from ring to ring goes.

    Also in faint light, where the steps of the rings scatter more.
    """
    generator = torch.Generator().manual_seed(5)
    before, after = [], []
    for seed in range(12):
        wrong = 0.05 * torch.randn(len(RADII), generator=generator)
        start = ellipses(1 - 0.15 * torch.exp(wrong), 0.4)
        found = settle_ellipses(
            disc(0.85, 0.4, noise=6.0, seed=seed), RADII, start,
            torch.ones(1, len(RADII), N_ANGLE))
        for changes, e in ((before, start), (after, found)):
            ratio = torch.log(1 - e.norm(dim=-1))[0, RADII > 10]
            changes.append(ratio.diff().square().mean().sqrt())
    assert np.mean(before) > 0.06
    assert np.mean(after) < 0.75 * np.mean(before)


def test_all_rings_wrong_alike():
    """
    Ellipses that are all off by one factor are corrected wholly.

    Those that are off in turns follow the network where steps are doubtful.
    """
    start = ellipses(1 - 1.5 * 0.12, 0.4)
    found = settle_ellipses(disc(0.88, 0.4, noise=0.5), RADII, start,
                            torch.ones(1, len(RADII), N_ANGLE))
    assert off(start, 0.88, 0.4)[0] > 0.4
    assert off(found, 0.88, 0.4)[0] < 0.05
