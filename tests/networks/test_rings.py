# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the ring network, its sampling, and its training task.
"""

import itertools
import json

import numpy as np
import pytest
import torch

from astro_pix2prof.networks import load_network
from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.networks.readers.rings import (
    RingReader,
    scale_errors,
    scale_stated,
)
from astro_pix2prof.networks.readers.views import _move, _move_back, turn_frame
from astro_pix2prof.networks.rings.domain import Domain, summarise_rings
from astro_pix2prof.networks.rings.layers import RingConv
from astro_pix2prof.networks.rings.network import (
    RingConfig,
    RingNetwork,
)
from astro_pix2prof.networks.rings.sampling import (
    Pyramid,
    ellipse_points,
    ring_radii,
)
from astro_pix2prof.networks.rings.stages import (
    light_left_out,
    positive,
)
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.training import read_recipe
from astro_pix2prof.training.data import make_loader
from astro_pix2prof.training.domain_fit import fit_domain, simulated_summaries
from astro_pix2prof.training.error_model import (
    fit_error_scale,
    fit_stated_scale,
    measure_errors,
    read_simulated,
)
from astro_pix2prof.training.module import make_network
from astro_pix2prof.training.tasks.registry import make_task
from astro_pix2prof.training.tasks.views import Views, show_differently


def rows_at(sma, values, at):
    return torch.from_numpy(np.stack([
        np.interp(at.numpy(), sma.numpy(), row.numpy()) for row in values]))


@pytest.fixture(scope='module')
def galaxies():
    return GalaxySimulator('sdss-r', n_pix=128).simulate(6, seed=11)


@pytest.fixture(scope='module')
def untrained():
    """
    A network whose every part says something: random weights.
    """
    torch.manual_seed(2)
    network = RingNetwork(RingConfig(channels=8, channels_find=8, hidden=8))
    with torch.no_grad():
        for values in network.parameters():
            values += 0.05 * torch.randn_like(values)
    return network.eval()


def test_filled_nucleus_is_not_far_from_all_images(untrained):
    """
    Nothing is kept of a ring of which nothing is seen.
    """
    y, x = torch.meshgrid(*[torch.arange(96.0)] * 2, indexing='ij')
    from_centre = torch.hypot(x - 47.6, y - 48.2)
    image = (20 * torch.exp(-from_centre / 8))[None]
    hidden = from_centre[None] < 6.0
    centre = torch.tensor([[47.6, 48.2]])
    with torch.inference_mode():
        whole = untrained(image, torch.ones_like(image), centre, hold=True)
        # (a rest of the pixels, as interpolation leaves it)
        good = torch.where(hidden, 1e-3, 1.0)
        filled = untrained(image, good, centre, hold=True,
                           look=torch.ones_like(image))
    assert (filled.valid[0, :6] == 0).all()
    assert (filled.summary - whole.summary).abs().max() < 20
    assert torch.isfinite(filled.value).all()


class TestSampling:
    def test_radii(self):
        radii = ring_radii(140)
        assert radii[0] == 0
        assert radii[1] == 0.5
        assert radii[-1] >= 140
        np.testing.assert_allclose(radii[2:] / radii[1:-1], 1.13, rtol=1e-5)

    def test_points(self):
        sma, eps, angle = 20.0, 0.6, np.radians(70)
        e1, e2 = (torch.tensor([[eps * part(2 * angle)]]).float()
                  for part in (np.cos, np.sin))
        dx, dy, arc = (v[0, 0].double() for v in ellipse_points(
            torch.tensor([[sma]]), e1, e2, 64))
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = dy * np.cos(angle) - dx * np.sin(angle)
        np.testing.assert_allclose((u / sma)**2 + (v / (sma * 0.4))**2, 1,
                                   rtol=1e-5)
        from scipy.special import ellipe

        length = 4 * sma * ellipe(1 - 0.4**2)
        np.testing.assert_allclose(arc.sum(), length, rtol=1e-3)

    @pytest.mark.parametrize('shape', [(64, 64), (75, 90)])
    def test_pyramid(self, shape):
        """
        A plane is a plane on every level; bad pixels do not count.
        """
        y, x = torch.meshgrid(*(torch.arange(float(n)) for n in shape),
                              indexing='ij')
        plane = (3 + 0.5 * x - 0.2 * y)[None]
        pyramid = Pyramid(plane, torch.ones_like(plane) > 0)
        at_x = torch.tensor([[20.3, 31.7, 40.0]])
        at_y = torch.tensor([[33.2, 24.9, 30.5]])
        want = 3 + 0.5 * at_x - 0.2 * at_y
        for level in range(3):
            value, weight = pyramid.sample(
                at_x, at_y, torch.full((1, 3), level))
            torch.testing.assert_close(value, want, atol=1e-4, rtol=0)
            torch.testing.assert_close(weight, torch.ones_like(weight))
        fine = pyramid.refine(torch.tensor([[31.0, 30.0]]))
        value, _ = fine.sample(at_x[:, 1:2], at_y[:, 1:2])
        torch.testing.assert_close(value, want[:, 1:2], atol=1e-3, rtol=0)
        # a bad pixel of any value
        good = torch.ones_like(plane) > 0
        good[0, 25, 32] = False
        spoilt = plane.clone()
        spoilt[0, 25, 32] = 1e6
        value, weight = Pyramid(spoilt, good).sample(
            at_x, at_y, torch.zeros(1, 3, dtype=torch.long))
        torch.testing.assert_close(value, want, atol=0.6, rtol=0)
        assert weight[0, 1] < 1 == weight[0, 0]
        # outside of the frame there is nothing
        _, weight = pyramid.sample(torch.tensor([[-5.0]]),
                                   torch.tensor([[10.0]]),
                                   torch.zeros(1, 1, dtype=torch.long))
        assert weight == 0

    @pytest.mark.parametrize('level', [0, 1, 2])
    def test_sharpen(self, level):
        """
        What squares of pixels smear of a parabola is taken off wholly.
        """
        y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0),
                              indexing='ij')

        def parabola(x, y):
            return 0.05 * (x - 45)**2 - 0.02 * (y - 50)**2 + 0.1 * x

        image = parabola(x, y)[None]
        pyramid = Pyramid(image, torch.ones_like(image) > 0)
        # (all places within the squares, over which the smear differs)
        steps = torch.arange(64) / 8
        at_x, at_y = (part.reshape(1, -1) for part in torch.meshgrid(
            40 + steps, 44 + steps, indexing='ij'))
        levels = torch.full(at_x.shape, level)
        value, _ = pyramid.sample(at_x, at_y, levels)
        want = parabola(at_x, at_y)
        smeared = (value - want).mean()
        torch.testing.assert_close(
            smeared, torch.tensor(0.03 * (3 * 4.0**level - 1) / 12),
            rtol=0.01, atol=1e-4)
        sharp = pyramid.sharpen(value, at_x, at_y, levels)
        assert (sharp - want).mean().abs() < 0.02 * smeared
        # squares of nothing tell nothing
        good = torch.ones_like(image) > 0
        good[0, 48:, :] = False
        half = Pyramid(image, good)
        value, _ = half.sample(at_x, at_y + 1.5, levels)
        _, wide = half.sample(at_x, at_y + 1.5, levels + 1)
        sharp = half.sharpen(value, at_x, at_y + 1.5, levels)
        assert ((sharp == value) | (wide > 0.5)).all()
        assert (wide < 0.5).any()

    def test_thin_disc_is_not_smeared(self):
        """
        On the true ellipses, the rings of a thin disc are not too bright.

        Nor are the estimates of rings that are missing.
        """
        y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0),
                              indexing='ij')
        image = 1e4 * torch.exp(-torch.hypot(
            x - 127.5, (y - 127.5) / 0.15) / 16)[None]
        settings = dict(attention=False, correct=False, thin=True)
        sharp, plain = (RingNetwork(RingConfig(settle=settle, **settings))
                        .eval() for settle in (True, False))
        plain.load_state_dict(sharp.state_dict())
        radii = sharp.radii((256, 256))
        fixed = (torch.full((1, len(radii)), 0.85),
                 torch.zeros(1, len(radii)))
        rings = (radii > 30) & (radii < 110)
        true = 1e4 * torch.exp(-radii / 16)
        every = torch.ones_like(image) > 0
        hidden = every & ((x - 127.5).abs() < 1)
        start = torch.full((1, 2), 127.5)
        with torch.inference_mode():
            off = {
                (name, good is every): -2.5 * torch.log10(network(
                    image, good, start, fixed=fixed, hold=True,
                    look=every).mean / true)[0, rings].mean()
                for name, network in (('sharp', sharp), ('plain', plain))
                for good in (every, hidden)}
        for seen in (True, False):
            assert off['plain', seen] < -0.05
            assert off['sharp', seen].abs() < 0.3 * off['plain', seen].abs()

    def test_true_ellipses(self, galaxies):
        """
        On the true ellipses of clean images, the means are the truth.
        """
        network = RingNetwork(RingConfig(attention=False, correct=False))
        sigma = galaxies.sigma[:, None]
        radii = network.radii((128, 128))
        double = 2 * galaxies.theta
        e1, e2 = (rows_at(galaxies.sma, galaxies.ellipticity * part, radii)
                  .float() for part in (torch.cos(double),
                                        torch.sin(double)))
        with torch.inference_mode():
            found = network(
                galaxies.clean / sigma[..., None],
                torch.ones_like(galaxies.mask), galaxies.centre,
                fixed=(e1, e2), hold=True)
        true = rows_at(galaxies.sma, torch.log10(galaxies.intensity / sigma),
                       radii)
        delta = -2.5 * (torch.log10(found.mean.clamp(min=1e-9)) - true)
        inside = radii < 50
        assert delta[:, inside].abs().median() < 0.005
        assert delta[:, inside].abs().quantile(0.9) < 0.03
        torch.testing.assert_close(found.centre, galaxies.centre)


class TestSymmetry:
    """
    A turned or mirrored image has the same profile, whatever the weights.
    """

    def measure(self, network, image, good, centre):
        with torch.inference_mode():
            return network(image, good, centre)

    def check(self, one, two, sign1, sign2):
        torch.testing.assert_close(one.value, two.value, atol=5e-3, rtol=0)
        torch.testing.assert_close(one.e1, sign1 * two.e1, atol=1e-3, rtol=0)
        torch.testing.assert_close(one.e2, sign2 * two.e2, atol=1e-3, rtol=0)
        assert one.e1.abs().max() > 0.01

    def test_turn(self, untrained, galaxies):
        image = galaxies.image / galaxies.sigma[:, None, None]
        good, centre = ~galaxies.mask, galaxies.centre
        one = self.measure(untrained, image, good, centre)
        turned = torch.stack([centre[:, 1], 127 - centre[:, 0]], 1)
        two = self.measure(untrained, torch.rot90(image, 1, (-2, -1)),
                           torch.rot90(good, 1, (-2, -1)), turned)
        self.check(one, two, -1, -1)
        torch.testing.assert_close(two.centre[:, 0], one.centre[:, 1],
                                   atol=1e-3, rtol=0)
        torch.testing.assert_close(two.centre[:, 1], 127 - one.centre[:, 0],
                                   atol=1e-3, rtol=0)

    def test_mirror(self, untrained, galaxies):
        image = galaxies.image / galaxies.sigma[:, None, None]
        good, centre = ~galaxies.mask, galaxies.centre
        one = self.measure(untrained, image, good, centre)
        other = torch.stack([127 - centre[:, 0], centre[:, 1]], 1)
        two = self.measure(untrained, image.flip(-1), good.flip(-1), other)
        self.check(one, two, 1, -1)

    def test_bad_pixels(self, untrained, galaxies):
        """
        What lies under the mask does not matter.
        """
        image = galaxies.image / galaxies.sigma[:, None, None]
        good = ~galaxies.mask
        good[:, 40:50, 20:90] = False
        one = self.measure(untrained, image, good, galaxies.centre)
        image = torch.where(good, image, 1e5)
        two = self.measure(untrained, image, good, galaxies.centre)
        torch.testing.assert_close(one.value, two.value)
        assert (one.valid < 1).any()


@pytest.mark.parametrize('size', [(3, 3), (3, 5), (5, 5)])
def test_padding(size):
    """
    The same with a gradient as without, and circular in angle.
    """
    layer = RingConv(4, 4, size)
    x = torch.randn(2, 4, 7, 16)
    one = layer._pad(x)
    with torch.no_grad():
        two = layer._pad(x)
    assert torch.equal(one, two)
    more, half = size[0] // 2, size[1] // 2
    wide = np.pad(x.numpy(), ((0, 0), (0, 0), (0, 0), (half, half)), 'wrap')
    want = np.pad(wide, ((0, 0), (0, 0), (more, more), (0, 0)), 'edge')
    np.testing.assert_array_equal(two.numpy(), want)


@pytest.mark.parametrize('part', ['refine', 'attention', 'correct', 'gate'])
def test_parts(galaxies, part):
    """
    Without one of its parts, a network measures what it can.
    """
    torch.manual_seed(2)
    network = RingNetwork(RingConfig(channels=8, channels_find=8, hidden=8,
                                     **{part: False}))
    with torch.no_grad():
        for values in network.parameters():
            values += 0.05 * torch.randn_like(values)
    image = galaxies.image / galaxies.sigma[:, None, None]
    with torch.inference_mode():
        found = network(image, ~galaxies.mask, galaxies.centre)
    assert torch.isfinite(found.value).all()
    assert len(found.shapes) == (1 if part == 'refine' else 2)
    uniform = part in ('refine', 'attention')
    assert bool((found.weight == 1).all()) is uniform
    pixels = -2.5 * torch.log10(positive(found.mean / found.ring_noise)
                                * found.ring_noise)
    shift = (found.value - pixels)[found.mean > 300 * found.ring_noise].abs()
    if part == 'correct':
        assert shift.max() < 1e-4
    elif part == 'gate':
        # bright rings are no safer than others
        assert shift.max() > 0.02


class TestReader:
    def test_batch_and_sizes(self, untrained, galaxies):
        reader = RingReader(untrained, batch_size=4)
        frames = []
        for k in range(len(galaxies.image)):
            image = galaxies.image[k].numpy()[:128 - 7 * k, :128 - 3 * k]
            frames.append(Frame(
                image, np.zeros(image.shape, bool), float(galaxies.sigma[k]),
                tuple(galaxies.centre[k].double().tolist())))
        for frame, caption in zip(frames, reader.read(frames), strict=True):
            single, = reader.read([frame])
            np.testing.assert_allclose(single.intensity, caption.intensity,
                                       rtol=1e-4)
            assert np.all(np.diff(caption.sma) > 0)
            assert len(caption.e1) == len(caption.sma) == len(caption.valid)

    def test_given_ellipses(self, untrained, galaxies):
        sma = np.array([0.0, 100.0])
        given = (sma, np.full(2, 0.3), np.full(2, -0.2))
        frame = Frame(galaxies.image[0].numpy(), galaxies.mask[0].numpy(),
                      float(galaxies.sigma[0]), (62.0, 64.5), ellipses=given)
        caption, = RingReader(untrained).read([frame])
        np.testing.assert_allclose(caption.e1, 0.3, rtol=1e-5)
        np.testing.assert_allclose(caption.e2, -0.2, rtol=1e-5)
        np.testing.assert_allclose(caption.centre, (62.0, 64.5), atol=1e-4)


class TestTask:
    def test_show_differently(self, galaxies):
        """
        The truth turns with the image.
        """
        double = 2 * galaxies.theta
        views = Views(
            image=galaxies.clean, mask=galaxies.mask, sigma=galaxies.sigma,
            sma=galaxies.sma, intensity=galaxies.intensity,
            end=galaxies.sma[50].expand(6),
            pixel_area=galaxies.pixel_scale**2,
            e1=galaxies.ellipticity * torch.cos(double),
            e2=galaxies.ellipticity * torch.sin(double),
            centre=galaxies.centre)
        network = RingNetwork(RingConfig(attention=False, correct=False))
        radii = network.radii((112, 112))
        inside = radii < 40
        for k in range(4):
            for flip in (False, True):
                shown = show_differently(views, 112, 3, -5, k, flip)
                e1, e2 = (rows_at(shown.sma, rows, radii).float()
                          for rows in (shown.e1, shown.e2))
                sigma = shown.sigma[:, None]
                with torch.inference_mode():
                    found = network(
                        shown.image / sigma[..., None], ~shown.mask,
                        shown.centre, fixed=(e1, e2), hold=True)
                true = rows_at(shown.sma, torch.log10(shown.intensity
                                                      / sigma), radii)
                delta = -2.5 * (torch.log10(found.mean.clamp(min=1e-9))
                                - true)[:, inside]
                assert delta.abs().median() < 0.006

    def test_learns(self):
        """
        A few steps on one batch bring the profiles closer.
        """
        recipe = read_recipe(
            'rings', network={'channels': 8, 'channels_find': 8,
                              'hidden': 16},
            data={'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [8],
                  'workers': 0, 'repeat': 1})
        torch.manual_seed(0)
        network = make_network(recipe)
        task = make_task(recipe, network.config)
        batch = next(iter(make_loader(recipe, network.config,
                                      split='train')))
        with torch.no_grad():
            before = task.errors(network, batch).mean()
        optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3)
        for _ in range(12):
            loss, more = task.loss(network, batch, None)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        assert torch.isfinite(loss)
        assert set(more) == {
            'train_mag', 'train_shape', 'train_shift', 'train_sky',
            'train_weights', 'train_e_error', 'train_pa_error',
            'train_centre_error', 'train_enclosed_error'}
        with torch.no_grad():
            after = task.errors(network, batch).mean()
        assert after < 0.8 * before

    def test_pairs(self):
        recipe = read_recipe('rings', data={'source': 'pairs',
                                            'folder': 'pairs'})
        network = make_network(recipe)
        views = Views(*(torch.ones(2, 8, 8), torch.zeros(2, 8, 8) > 0,
                        torch.ones(2), torch.arange(4.0), torch.ones(2, 4),
                        torch.ones(2), torch.ones(2)))
        with pytest.raises(ValueError, match=r'data\.source'):
            make_task(recipe, network.config).batch(views, None)


@pytest.mark.parametrize(('options', 'match'), [
    ({'n_angle': 50}, 'n_angle must be a multiple of 8, got 50'),
    ({'ratio': 1.0}, 'ratio must be from 1.02 to 1.5, got 1.0')])
def test_config_errors(options, match):
    with pytest.raises(ValueError, match=match):
        RingConfig(**options)
    with pytest.raises(ValueError, match='unknown settings'):
        RingConfig.from_dict({'rings': 3})


def test_positive():
    """
    Positive with a finite slope, however negative the mean of a ring is.
    """
    z = torch.tensor([-1e6, -1e4, -1.0, 0.0, 1.0, 1e4], requires_grad=True)
    value = positive(z)
    assert torch.all(value > 0)
    torch.testing.assert_close(value[-1].detach(), torch.tensor(1e4))
    torch.testing.assert_close(value[3].detach(), torch.tensor(0.2))
    torch.log(value).sum().backward()
    assert torch.isfinite(z.grad).all()


class TestWeights:
    def test_noise(self, galaxies):
        """
        Pixels of a quarter of the weight have twice the noise.
        """
        network = RingNetwork(RingConfig(attention=False, correct=False))
        image = galaxies.clean / galaxies.sigma[:, None, None]
        good = torch.ones_like(image)
        with torch.inference_mode():
            one, two = (network(image, weight, galaxies.centre, hold=True)
                        for weight in (good, 0.25 * good))
        outer = one.sma > 3
        torch.testing.assert_close(two.mean, one.mean)
        torch.testing.assert_close(two.ring_noise[:, outer],
                                   2 * one.ring_noise[:, outer],
                                   rtol=1e-4, atol=0)

    def test_mean(self):
        """
        The better half of a frame counts more.
        """
        network = RingNetwork(RingConfig(attention=False, correct=False))
        image = torch.full((1, 64, 64), 2.0)
        image[:, :, 32:] = 4.0
        good = torch.ones_like(image)
        good[:, :, 32:] = 0.25
        with torch.inference_mode():
            found = network(image, good, torch.full((1, 2), 31.5), hold=True)
        inside = (found.sma > 8) & (found.sma < 30)
        want = (2.0 + 0.25 * 4.0) / 1.25
        assert torch.all((found.mean[:, inside] - want).abs() < 0.1)

    @pytest.mark.parametrize('name', ['rings', 'rings-fast'])
    def test_last_digits_do_not_matter(self, galaxies, name):
        """
        What the seventh digit of the pixels changes is not seen.
        """
        network = load_network(name)[0]
        image = galaxies.image / galaxies.sigma[:, None, None]
        good = ~galaxies.mask
        other = image + 1e-6 * torch.randn(
            image.shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            one, two = (network(part, good, galaxies.centre)
                        for part in (image, other))
        for a, b in zip(one.centres, two.centres, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-4)
        torch.testing.assert_close(one.value, two.value, rtol=0, atol=1e-3)

    def test_reader(self, untrained, galaxies):
        """
        What the frame knows of its pixels reaches the network, binned or not.
        """
        # (a frame without a gap)
        k = int(galaxies.mask.flatten(1).sum(1).argmin())
        image = galaxies.image[k].numpy()
        weight = np.ones_like(image)
        weight[:, 70:] = 0.1
        frames = [Frame(image, galaxies.mask[k].numpy(),
                        float(galaxies.sigma[k]), (62.0, 64.5), hold=True,
                        weight=w) for w in (None, np.ones_like(image), weight)]
        reader = RingReader(untrained)
        plain, ones, uneven = reader.read(frames)
        np.testing.assert_allclose(ones.intensity, plain.intensity,
                                   rtol=1e-4)
        n = min(len(uneven.valid), len(plain.valid))
        assert np.all(uneven.valid[:n] <= plain.valid[:n] + 1e-6)
        assert uneven.valid[n - 1] < 0.8 * plain.valid[n - 1]
        binned = reader._bin(frames[2])
        assert binned.weight.shape == (64, 64)
        usable = ~binned.mask[:, 35:]
        np.testing.assert_allclose(binned.weight[:, 35:][usable], 0.1,
                                   rtol=1e-5)

    def test_excess(self, galaxies):
        """
        The light that the weights leave out.
        """
        radii = ring_radii(40.0)[None]
        mean = 100 * torch.exp(-radii / 10)
        value = mean[..., None].repeat(1, 1, 80)
        value[..., :20] += 50.0
        weight = torch.ones_like(value)
        args = (torch.ones_like(value), weight, mean,
                torch.full_like(mean, 0.1), radii[0], torch.zeros_like(mean))
        assert light_left_out(value, *args) == 0
        weight[..., :20] = 0.0
        area = np.gradient(radii[0].numpy()**2)
        want = (area * 50 / 4).sum() / (area * mean[0].numpy()).sum()
        np.testing.assert_allclose(light_left_out(value, *args), want,
                                   rtol=1e-4)


class TestDomain:
    def test_distance(self):
        """
        One of a hundred like the known is beyond, and all that are not.
        """
        generator = torch.Generator().manual_seed(3)
        mixing = torch.randn(12, 12, generator=generator)
        known, new = ((torch.randn(4000, 12, generator=generator) @ mixing
                       + 5) for _ in range(2))
        domain = Domain(12)
        assert (domain(new) == 0).all()
        domain.fit(known)
        beyond = (domain(new) > 1).float().mean()
        assert 0.005 < beyond < 0.02
        # along a direction in which the known hardly differ
        odd = torch.linalg.svd(mixing)[2][-1] * 3
        assert (domain(new[:100] + odd) > 1).all()

    def test_few(self):
        with pytest.raises(ValueError, match='at least 24 images, got 23'):
            Domain(12).fit(torch.randn(23, 12))

    def test_summary(self):
        """
        Bright rings, their scatter, and the others.
        """
        features = torch.zeros(1, 4, 2)
        features[0, :2] = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
        features[0, 2:] = 7.0
        snr = torch.tensor([[50.0, 50.0, 0.0, 0.0]])
        found = summarise_rings(features, snr)[0]
        want = torch.tensor([2.05, 2.05, 1.1, 0.5, 6.97, 6.97])
        torch.testing.assert_close(found, want, atol=0.06, rtol=0)

    def test_fit(self):
        """
        Galaxies of the simulator lie within what was learnt from it.
        """
        torch.manual_seed(4)
        network = RingNetwork(RingConfig(
            channels=8, channels_find=8, hidden=8, n_angle=16,
            n_angle_fine=16))
        entry = fit_domain(network, survey='sdss-r', n_pix=[64],
                           n_images=256)
        assert entry['domain']['n_images'] == 256
        new = simulated_summaries(network, survey='sdss-r', n_pix=[64],
                                  n_images=64, seed=5000)
        assert (network.domain(new) > 1).float().mean() < 0.15
        assert (network.domain(new + 10) > 1).all()
        blank = network(torch.randn(4, 64, 64), torch.ones(4, 64, 64) > 0,
                        torch.full((4, 2), 31.5)).summary
        assert torch.isfinite(network.domain(blank)).all()


class TestErrors:
    def test_scale(self):
        """
        Errors that are wrong by factors of value and radius hold again.
        """
        rng = np.random.default_rng(5)
        n = 40_000
        value, sma = rng.uniform(-6, 2, n), np.exp(rng.uniform(0, 5, n))
        stated = rng.uniform(0.05, 0.2, n)
        true = stated * (1 + 0.2 * (value + 6)) * sma**-0.2
        difference = true * rng.normal(size=n)
        model = fit_error_scale(value, stated, difference, sma)
        assert json.loads(json.dumps(model)) == model
        found = scale_errors(model, value, stated, sma)
        np.testing.assert_allclose(found / true, 1, atol=0.2)
        for along in (value, np.log(sma)):
            edges = np.quantile(along, np.linspace(0, 1, 9))
            for low, high in itertools.pairwise(edges):
                here = (along >= low) & (along < high)
                inside = np.abs(difference[here]) < found[here]
                assert abs(inside.mean() - 0.683) < 0.03

    def test_flatness(self):
        """
        Errors that are wrong for flat galaxies hold again, too.
        """
        rng = np.random.default_rng(6)
        n = 30_000
        value, sma = rng.uniform(-6, 2, n), np.exp(rng.uniform(0, 5, n))
        eps, stated = rng.uniform(0, 0.9, n), rng.uniform(0.05, 0.2, n)
        true = stated * (0.5 + 2 * eps**2)
        difference = true * rng.normal(size=n)
        model = fit_error_scale(value, stated, difference, sma, eps=eps,
                                n_bins=12)
        found = scale_errors(model, value, stated, sma, eps)
        np.testing.assert_allclose(found / true, 1, atol=0.25)
        for low in np.arange(0, 0.9, 0.15):
            here = (eps >= low) & (eps < low + 0.15)
            inside = np.abs(difference[here]) < found[here]
            assert abs(inside.mean() - 0.683) < 0.03

    def test_stated(self):
        """
        Stated errors of ellipses hold again, large and small ones.
        """
        rng = np.random.default_rng(7)
        stated = np.exp(rng.uniform(-6, -1, 20_000))
        difference = 2 * stated**0.8 * rng.normal(size=len(stated))
        log_error, factor = fit_stated_scale(stated, difference, n_bins=8)
        model = {'log_eps_error': log_error, 'factor_eps_error': factor}
        found = scale_stated(model, 'eps_error', stated)
        for part in np.array_split(np.argsort(stated), 5):
            inside = np.abs(difference[part]) < found[part]
            assert abs(inside.mean() - 0.683) < 0.04
        # what the card does not have stays as it is
        assert scale_stated(model, 'pa_error', stated) is stated

    def test_measured(self, untrained):
        """
        Of a network, for its card.
        """
        entries = measure_errors(untrained, survey='sdss-r', n_pix=[64, 96],
                                 n_images=8)
        model = entries['error_model']
        assert model['n_images'] == 16
        assert set(model['correlation']) == {'length', 'smooth', 'common'}
        rows = read_simulated(untrained, survey='sdss-r', n_pix=64,
                              n_images=8)
        assert rows.image.max() == 7
        assert len(rows.per_image) == 8
        assert np.all(rows.sma >= 0)
        card = {'error_model': model}
        frame = Frame(np.random.default_rng(1).normal(size=(64, 64)),
                      np.zeros((64, 64), bool), 1.0, (31.5, 31.5))
        caption, = RingReader(untrained, card).read([frame])
        plain, = RingReader(untrained).read([frame])
        value = -2.5 * np.log10(caption.intensity)
        np.testing.assert_allclose(caption.error, scale_errors(
            model, value, plain.error, plain.sma, np.hypot(
                plain.e1, plain.e2)), rtol=1e-6)


@pytest.mark.parametrize('k', range(8))
def test_turn_frame(k):
    """
    A pixel, its position and its ellipse turn together, and back.
    """
    image = np.arange(30.0).reshape(5, 6)
    e = (np.array([0.0, 9.0]), np.full(2, 0.3), np.full(2, 0.1))
    frame = Frame(image, image < 3, 1.0, (4, 1), position=(0, 2),
                  ellipses=e)
    view = turn_frame(frame, k)
    x, y = view.centre
    assert view.image[y, x] == image[1, 4]
    x, y = view.position
    assert view.image[y, x] == image[2, 0]
    assert np.array_equal(view.mask, view.image < 3)
    assert _move_back(view.centre, image.shape, k) == (4, 1)
    # the end of the major axis, turned as a point
    angle = 0.5 * np.arctan2(0.1, 0.3)
    x, y = _move((100 * np.cos(angle), 100 * np.sin(angle)), (1, 1), k)
    e1, e2 = view.ellipses[1][0], view.ellipses[2][0]
    np.testing.assert_allclose(
        np.arctan2(e2, e1), np.arctan2(2 * x * y, x * x - y * y),
        atol=1e-9)
