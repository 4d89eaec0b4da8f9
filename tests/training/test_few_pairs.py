# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the fine-tuning of ring networks with few pairs.
"""

import copy

import numpy as np
import pytest
import torch

from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.networks.readers.rings import RingReader
from astro_pix2prof.networks.rings import RingConfig, RingNetwork
from astro_pix2prof.training.few_pairs import (
    FramePair,
    choose_parts,
    make_squares,
    pair_errors,
    shift_domain,
    tune_network,
    turn_squares,
)

SCALE, PEAK, SIGMA = 6.0, 400.0, 2.0


def make_pair(seed, *, n=64, eps=0.4, theta=0.7, scale=SCALE):
    """
    A disc with noise, and its exact profile along its ellipses.
    """
    rng = np.random.default_rng(seed)
    centre = tuple((n - 1) / 2 + rng.uniform(-2, 2, 2))
    y, x = np.indices((n, n), dtype=float)
    dx, dy = x - centre[0], y - centre[1]
    u = dx * np.cos(theta) + dy * np.sin(theta)
    v = (dy * np.cos(theta) - dx * np.sin(theta)) / (1 - eps)
    image = PEAK * np.exp(-np.hypot(u, v) / scale)
    image = image + rng.normal(0, SIGMA, image.shape)
    sma = np.arange(0.0, 0.7 * n)
    frame = Frame(image.astype(np.float32), np.zeros((n, n), dtype=bool),
                  SIGMA, ((n - 1) / 2,) * 2)
    return FramePair(frame, centre, sma, PEAK * np.exp(-sma / scale),
                     np.zeros(len(sma)), np.full(len(sma), eps),
                     np.full(len(sma), theta), group=str(seed))


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(1)
    return RingNetwork(RingConfig(
        n_angle=16, n_angle_fine=16, channels=8, channels_find=8, hidden=16,
        ratio=1.3, reach=0.7, sequence='conv', norm_each=False, thin=True,
        harmonics=True, sky_prior=True, geometry_errors=True)).eval()


@pytest.fixture(scope='module')
def pairs():
    return [make_pair(seed, theta=0.3 * seed) for seed in range(10)]


def test_profile():
    pair = make_pair(1)
    # the disc has the noise of a ring at 6 x ln(400 / 2 x sqrt(n)) pixels
    assert 39 < pair.end() < 45
    found = pair.at(np.array([0.0, 6.0, 12.5]))
    np.testing.assert_allclose(
        found['value'], -2.5 * np.log10(PEAK) + 1.0857362 * np.array(
            [0, 1, 12.5 / 6]), atol=1e-6)
    np.testing.assert_allclose(np.hypot(found['e1'], found['e2']), 0.4)
    off = pair.compare(pair.sma[:10], 2 * pair.intensity[:10])
    np.testing.assert_allclose(off[:10], -2.5 * np.log10(2))
    # (what was not measured counts as 1 mag)
    np.testing.assert_allclose(off[10:], 1.0)


def test_profile_with_gaps():
    """
    Rings that are not known have no weight; a profile without signal ends.
    """
    pair = make_pair(1)
    pair.intensity[:3] = np.nan
    pair.eps[:] = np.nan
    found = pair.at(np.array([1.0, 4.0, 100.0]))
    assert found['known'].tolist() == [0, 1, 0]
    assert found['shaped'].tolist() == [0, 0, 0]
    assert np.isfinite(found['value']).all()
    assert 39 < pair.end() < 45
    assert pair.radii()[0] == 3
    pair.intensity[:] = 1e-4
    assert pair.end() == 0


def test_squares(network, pairs):
    group, = make_squares(pairs, RingReader(network))
    radii = network.radii((64, 64))
    assert group['value'].shape == (10, len(radii))
    # magnitudes in units of the noise
    inside = group['inside'][0]
    np.testing.assert_allclose(
        group['value'][0][inside], -2.5 * np.log10(PEAK / SIGMA)
        + 1.0857362 * radii[inside] / SCALE, atol=1e-4)
    for k, pair in enumerate(pairs):
        np.testing.assert_allclose(group['centre'][k], pair.centre,
                                   atol=1e-4)
    assert (group['weight'][:, radii > 45] == 0).all()


def test_squares_of_large_galaxies(network):
    """
    A galaxy that goes on beyond a square is seen in a coarser one, too.
    """
    pair = make_pair(3, n=400, scale=40.0)
    group, = make_squares([pair], RingReader(network))
    radii = network.radii((256, 256))
    assert group['image'].shape == (2, 256, 256)
    assert (group['weight'][0, radii > 0.42 * 256] == 0).all()
    for row, bins in ((0, 1), (1, 2)):
        inside = group['inside'][row]
        np.testing.assert_allclose(
            group['value'][row][inside] + 2.5 * np.log10(bins),
            -2.5 * np.log10(PEAK / SIGMA)
            + 1.0857362 * bins * radii[inside] / 40, atol=2e-2)
        # the brightest pixels lie at the centre
        image, (x, y) = group['image'][row], group['centre'][row].tolist()
        at = np.unravel_index(int(image.argmax()), image.shape)
        assert np.hypot(at[1] - x, at[0] - y) < 4


@pytest.mark.parametrize('k', [0, 1, 2, 3])
@pytest.mark.parametrize('flip', [False, True])
def test_turns(network, pairs, k, flip):
    """
    The truth turns with the image: moments of the light agree with it.
    """
    group, = make_squares(pairs[1:3], RingReader(network))
    found = turn_squares(group, k, flip)
    y, x = torch.meshgrid(*[torch.arange(64.0)] * 2, indexing='ij')
    for row in range(2):
        cx, cy = found['centre'][row]
        near = torch.hypot(x - cx, y - cy) < 15
        light = torch.where(near, found['image'][row], 0.0)
        dx, dy = x - cx, y - cy
        total = light.sum()
        assert abs((light * dx).sum() / total) < 0.3
        assert abs((light * dy).sum() / total) < 0.3
        e1 = (light * (dx**2 - dy**2)).sum()
        e2 = 2 * (light * dx * dy).sum()
        angle = 0.5 * torch.atan2(e2, e1)
        true = 0.5 * torch.atan2(found['e2'][row, 5], found['e1'][row, 5])
        off = (angle - true + torch.pi / 2) % torch.pi - torch.pi / 2
        assert abs(off) < 0.05


def test_parts(network):
    tuned = copy.deepcopy(network)
    names = {name.split('.')[0] for name in choose_parts(tuned, 'last')}
    assert names == {'correction', 'geometry'}
    assert not next(tuned.find.parameters()).requires_grad
    assert len(choose_parts(tuned, 'all')) == len(
        list(tuned.parameters()))


def score_with(pairs):
    return lambda network: pair_errors(RingReader(network), pairs)[0]


def test_learns(network, pairs):
    """
    Held-out pairs become better, and the start is not altered.
    """
    before = copy.deepcopy(network.state_dict())
    groups = make_squares(pairs[:6], RingReader(network))
    found = tune_network(network, groups, score_with(pairs[6:]), steps=6,
                         seed=2, batch_size=6)
    assert found.improved
    assert found.after.mean() < found.before.mean()
    assert found.curve[0] == (0, pytest.approx(found.before.mean()))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_same_seed(network, pairs):
    groups = make_squares(pairs[:6], RingReader(network))
    one, two, other = (tune_network(
        network, groups, score_with(pairs[6:]), steps=2, seed=seed,
        batch_size=3).curve for seed in (2, 2, 3))
    assert one == two
    assert one != other


def test_frozen_parts_stay(network, pairs):
    groups = make_squares(pairs[:6], RingReader(network))
    found = tune_network(network, groups, score_with(pairs[6:]), steps=4,
                         unfreeze='last', batch_size=6)
    assert found.improved
    state, start = found.network.state_dict(), network.state_dict()
    same = {name.split('.')[0] for name in start
            if not torch.equal(state[name], start[name])}
    assert same <= {'correction', 'geometry'}
    assert 'correction' in same


def test_never_worse(network, pairs):
    """
    If held-out pairs do not become better, the start is kept.
    """
    calls = []

    def score(network):
        calls.append(1)
        return np.array([0.1, 0.2, 0.3]) + 0.01 * (len(calls) > 1)

    groups = make_squares(pairs[:6], RingReader(network))
    found = tune_network(network, groups, score, steps=24, patience=2,
                         batch_size=2)
    assert not found.improved
    assert found.network is network
    assert found.stopped == 'no better'
    assert found.steps == 4


def test_luck_is_no_improvement(network, pairs):
    """
    A gain that is smaller than its uncertainty does not count.
    """
    calls = []

    def score(network):
        calls.append(1)
        return np.array([0.1, 0.2, 0.3]) - (len(calls) > 1) * np.array(
            [0.1, -0.05, -0.02])

    groups = make_squares(pairs[:6], RingReader(network))
    found = tune_network(network, groups, score, steps=2, batch_size=2)
    assert not found.improved
    assert found.network is network


def test_time(network, pairs):
    groups = make_squares(pairs[:6], RingReader(network))
    found = tune_network(network, groups, score_with(pairs[6:]),
                         steps=1000, seconds=0.0, batch_size=2)
    assert found.stopped == 'time'
    assert found.steps == 1


def test_domain(network, pairs):
    groups = make_squares(pairs, RingReader(network))
    tuned = copy.deepcopy(network)
    shift_domain(tuned, groups)
    # nothing is known of it, and nothing is far
    assert not tuned.domain.whiten.any()
    tuned.domain.whiten.copy_(torch.eye(len(tuned.domain.mean)))
    tuned.domain.mean.fill_(100.0)
    shift_domain(tuned, groups)
    group, = groups
    with torch.no_grad():
        distance = tuned.domain(tuned(
            group['image'], group['good'], group['centre'],
            sky_error=group['sky_error']).summary)
    assert 0.9 < distance.max() < 1.1
