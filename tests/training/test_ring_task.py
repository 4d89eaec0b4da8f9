# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the training task of ring networks: holes, sky, and its loss.
"""

import numpy as np
import pytest
import torch

from astro_pix2prof.networks.rings import RingConfig, RingNetwork
from astro_pix2prof.training import read_recipe
from astro_pix2prof.training.data import make_loader
from astro_pix2prof.training.module import make_network
from astro_pix2prof.training.tasks.holes import fill_holes
from astro_pix2prof.training.tasks.registry import make_task
from astro_pix2prof.training.tasks.rings import _enclosed, _unlikely
from astro_pix2prof.training.tasks.views import Views

CENTRE = (31.4, 33.7)


def smooth_galaxy(eps=0.5, angle=0.6, n=64):
    """
    A disc without noise, and its truth.
    """
    y, x = np.indices((n, n), dtype=float)
    dx, dy = x - CENTRE[0], y - CENTRE[1]
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = (dy * np.cos(angle) - dx * np.sin(angle)) / (1 - eps)
    image = 300 * np.exp(-np.hypot(u, v) / 5)
    sma = np.linspace(0, 45, 91)
    e = eps * np.array([np.cos(2 * angle), np.sin(2 * angle)])
    return (torch.from_numpy(image).float(), torch.from_numpy(sma).float(),
            torch.from_numpy(300 * np.exp(-sma / 5)).float(),
            torch.from_numpy(np.tile(e, (91, 1))).float())


def fill(good, n=32, seed=0):
    image, sma, intensity, shape = smooth_galaxy()
    blank = torch.where(good, image, -500.0)
    found, look = fill_holes(
        blank.repeat(n, 1, 1), good.repeat(n, 1, 1),
        torch.tensor([CENTRE] * n), sma, intensity.repeat(n, 1),
        shape.repeat(n, 1, 1), torch.Generator().manual_seed(seed))
    return image, found, look


class TestHoles:
    def test_mirror(self):
        """
        A hole beside the nucleus holds about what the galaxy has there.
        """
        good = torch.ones(64, 64) > 0
        good[28:33, 36:41] = False
        image, found, look = fill(good)
        assert (look | ~good).all()
        assert torch.equal(found[:, good], image[good].expand(32, -1))
        filled = look[:, ~good].all(1)
        # some are left as they are
        assert 0.7 < filled.float().mean() < 1
        assert (found[~filled][:, ~good] == -500).all()
        assert not look[~filled][:, ~good].any()
        ratio = found[filled][:, ~good] / image[~good]
        # (the centre is known to a third of a pixel)
        assert (ratio - 1).abs().median() < 0.2
        assert 0.3 < ratio.min() < ratio.max() < 3

    def test_far(self):
        """
        A hole in the sky is left; images without holes are what they were.
        """
        good = torch.ones(64, 64) > 0
        good[:4, :4] = False
        _, found, look = fill(good)
        assert torch.equal(look, good.expand(32, -1, -1))
        assert (found[:, :4, :4] == -500).all()

    def test_edge(self):
        """
        Where both sides are missing, the ring tells; beyond, nothing.
        """
        good = torch.ones(64, 64) > 0
        good[:, :27] = False
        good[30:38, 36:40] = False
        image, found, look = fill(good)
        both = torch.zeros_like(good)
        both[32:36, 24:26] = True
        filled = look[:, both].all(1)
        ratio = found[filled][:, both] / image[both]
        assert (torch.log(ratio.clamp(min=1e-3)).abs().median() < 0.4)

    @pytest.mark.parametrize('part', ['corner', 'nothing', 'nucleus'])
    def test_little(self, part):
        """
        Finite, whatever is left.
        """
        good = torch.zeros(64, 64) > 0
        if part == 'corner':
            good[:9, :9] = True
        elif part == 'nucleus':
            good[:] = True
            good[28:40, 26:37] = False
        image, found, look = fill(good)
        assert torch.isfinite(found).all()
        if part == 'nucleus':
            # the core goes on as the profile around it does
            filled = look[:, 33, 31]
            peak = found[filled][:, 33, 31]
            assert filled.any()
            assert (peak / image[33, 31]).median() > 0.5
            assert (peak / image[33, 31] > 0.05).all()
            assert (peak / image[33, 31] < 2).all()


@pytest.fixture(scope='module')
def recipe():
    return read_recipe(
        'rings', network={'channels': 8, 'channels_find': 8, 'hidden': 16},
        data={'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [8],
              'repeat': 1})


@pytest.fixture(scope='module')
def batch(recipe):
    config = RingConfig.from_dict(recipe.network)
    return next(iter(make_loader(recipe, config, split='train')))


@pytest.mark.parametrize('name', ['rings', 'rings-fast'])
def test_recipes(name):
    recipe = read_recipe(name)
    network = make_network(recipe)
    assert network.config.thin
    assert network.config.sky_prior
    assert network.config.geometry_errors
    make_task(recipe, network.config)


def test_sky(recipe):
    """
    Of some images the error is not told, of some the sky is known.
    """
    n = 400
    task = make_task(recipe, RingConfig())
    image = torch.ones(n, 4, 4)
    sky = torch.full((n, 4, 4), 0.3)
    one, left, error = task._tell_sky(
        image, sky, torch.full((n,), 0.2), torch.full((n,), 2.0),
        torch.Generator().manual_seed(1))
    untold, known = torch.isnan(error), error == 0
    assert 0.1 < untold.float().mean() < 0.2
    assert 0.02 < known.float().mean() < 0.08
    torch.testing.assert_close(error[~(untold | known)], torch.tensor(
        0.1).expand(int((~(untold | known)).sum())))
    assert (left[known] == 0).all()
    torch.testing.assert_close(one - left, image - sky)
    error = task._tell_sky(image, sky, None, torch.ones(n), None)[2]
    assert torch.isnan(error).all()


def test_batch(batch):
    """
    What a batch holds fits together.
    """
    assert batch['look'].dtype == torch.bool
    assert (batch['look'] | ~batch['good']).all()
    assert torch.isfinite(batch['image']).all()
    assert batch['sky_error'].shape == (8,)


def test_learns(recipe, batch):
    """
    A few steps on one batch: everything gets better, the errors too.
    """
    torch.manual_seed(0)
    network = make_network(recipe)
    task = make_task(recipe, network.config)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3)
    losses, parts = [], []
    for _ in range(14):
        loss, more = task.loss(network, batch, None)
        optimiser.zero_grad()
        loss.backward()
        assert all(torch.isfinite(p.grad).all()
                   for p in network.parameters() if p.grad is not None)
        optimiser.step()
        losses.append(float(loss.detach()))
        parts.append({name: float(value.detach())
                      for name, value in more.items()})
    assert losses[-1] < 0.7 * losses[0]
    for name in ('train_mag', 'train_shape', 'train_e_error',
                 'train_pa_error', 'train_centre_error',
                 'train_enclosed_error'):
        assert parts[-1][name] < parts[0][name], name
    with torch.no_grad():
        assert torch.isfinite(task.errors(network, batch)).all()


def test_corner(recipe, batch):
    """
    Frames that are masked but a corner, or all of it, teach nothing bad.
    """
    network = make_network(recipe)
    task = make_task(recipe, network.config)
    batch = {name: value.clone() for name, value in batch.items()}
    batch['good'][:4] = False
    batch['good'][1, :5, :5] = True
    batch['look'] = batch['look'] & batch['good']
    loss, _ = task.loss(network, batch, None)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters()
               if p.grad is not None)


class TestLoss:
    def shape_loss(self, recipe, e, true, slope=2.0):
        """
        The loss of ellipses with the components e, of true ones.
        """
        task = make_task(recipe, RingConfig())
        sma = torch.tensor([0.0, 2.0, 4.0, 8.0, 16.0])
        rows = torch.ones(1, 5)
        truth = {'snr': 10 * rows, 'e1': true[0] * rows,
                 'e2': true[1] * rows,
                 'value': slope * torch.log(sma.clamp(min=0.25))[None]}
        shape = torch.stack([e[0] * rows, e[1] * rows], -1)

        class Out:
            pass

        out = Out()
        out.sma, out.shapes = sma, [shape]
        return float(task._shapes(out, truth, rows / 5))

    @pytest.mark.parametrize('eps', [0.3, 0.8, 0.9])
    def test_thin(self, recipe, eps):
        """
        An axis ratio that is off by a part costs what it does to a profile.
        """
        off = 0.05
        found = self.shape_loss(
            recipe, (1 - (1 - eps) * (1 + off), 0.0), (eps, 0.0))
        # a mean along an ellipse is off by half of the part in ln radius
        assert abs(found / (0.5 * 2.0 * off) - 1) < 0.1

    def test_slope(self, recipe):
        """
        Steep profiles suffer more, and flat ones still count.
        """
        flat, usual, steep = (self.shape_loss(
            recipe, (0.42, 0.0), (0.4, 0.0), slope) for slope in (0, 1.5, 4))
        assert 0 < flat < usual < steep
        assert abs(steep / usual - 4 / 1.5) < 0.1

    def test_turned(self, recipe):
        """
        A turn costs the more, the thinner the ellipse is.
        """
        turned = [self.shape_loss(
            recipe, (eps * np.cos(0.1), eps * np.sin(0.1)), (eps, 0.0))
            for eps in (0.2, 0.5, 0.9)]
        assert turned[0] < turned[1] < turned[2]
        assert turned[2] > 4 * turned[1]

    def test_likelihood(self):
        """
        It is best where 68.3% are within the error.
        """
        off = torch.from_numpy(np.random.default_rng(1).laplace(
            scale=0.1, size=20_000)).float()
        errors = torch.linspace(-4, 0, 401)
        cost = torch.stack([_unlikely(off, e).mean() for e in errors])
        best = torch.exp(errors[cost.argmin()])
        assert abs((off.abs() < best).float().mean() - 0.683) < 0.02

    def test_enclosed(self):
        """
        The light within ellipses of an exponential disc.
        """
        sma = torch.linspace(0, 40, 400)
        value = (sma / 8 * 1.0857)[None]
        found = _enclosed(sma, value, torch.full_like(value, 0.5))
        part = sma / 8
        want = 2 * 0.5 * 64 * (1 - (1 + part) * torch.exp(-part))
        torch.testing.assert_close(
            found[0, 20:], -2.5 * torch.log10(want[20:]), atol=0.01, rtol=0)


def test_old_network(batch):
    """
    A network without the new parts is trained by the same task.
    """
    recipe = read_recipe('rings', network={
        'channels': 8, 'channels_find': 8, 'hidden': 8, 'looks': 1,
        'sequence': 'gru', 'norm_each': True, **dict.fromkeys((
            'thin', 'settle', 'harmonics', 'sky_prior', 'geometry_errors'),
            False)})
    network = RingNetwork(RingConfig.from_dict(recipe.network))
    loss, more = make_task(recipe, network.config).loss(network, batch, None)
    assert torch.isfinite(loss)
    assert 'train_e_error' not in more


def test_views_turn():
    """
    The error of the sky does not turn.
    """
    from astro_pix2prof.training.tasks.views import show_differently

    ones = torch.ones(2)
    views = Views(torch.ones(2, 8, 8), torch.zeros(2, 8, 8) > 0, ones,
                  torch.arange(4.0), torch.ones(2, 4), ones, ones,
                  sky_error=torch.tensor([0.1, 0.2]))
    shown = show_differently(views, 8, 0, 0, 1, True)
    assert torch.equal(shown.sky_error, views.sky_error)
