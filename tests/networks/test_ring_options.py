# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the options of the ring network beyond those of the first weights.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch.nn import functional

from astro_pix2prof.inference.filling import _in_frame
from astro_pix2prof.inference.preparation import frame_of, prepare_galaxy
from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.networks.readers.rings import RingReader, split_sky_error
from astro_pix2prof.networks.rings import RingConfig, RingNetwork
from astro_pix2prof.networks.rings.layers import (
    RingBlock,
    RingConv,
    RingConvSequence,
    ShapeLoan,
    log_shape,
    shape_of_log,
)
from astro_pix2prof.networks.rings.sampling import Pyramid

SECOND = {'ratio': 1.2, 'n_angle': 32, 'n_angle_fine': 48, 'channels': 8,
          'channels_find': 8, 'hidden': 8, 'looks': 2, 'sequence': 'conv',
          'norm_each': False, 'thin': True, 'sky_prior': True,
          'geometry_errors': True}


def disc(eps=0.4, angle=0.5, centre=(32.3, 30.8), side=64):
    y, x = np.indices((side, side), dtype=float)
    dx, dy = x - centre[0], y - centre[1]
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = (dy * np.cos(angle) - dx * np.sin(angle)) / (1 - eps)
    image = 200 * np.exp(-np.hypot(u, v) / 6)
    return image + np.random.default_rng(1).normal(size=image.shape)


@pytest.fixture(scope='module')
def network():
    """
    A network with all options, every part of which says something.
    """
    torch.manual_seed(2)
    network = RingNetwork(RingConfig(**SECOND))
    with torch.no_grad():
        for values in network.parameters():
            values += 0.05 * torch.randn_like(values)
    return network.eval()


def measure(network, image, **options):
    image = torch.from_numpy(image)[None].float()
    centre = options.pop('centre', torch.tensor([[32.0, 31.0]]))
    with torch.inference_mode():
        return network(image, torch.isfinite(image), centre, **options)


class TestNetwork:
    def test_turn(self, network):
        """
        A turned image has the same profile and errors.
        """
        image = disc()
        one = measure(network, image, sky_error=torch.tensor([0.1]))
        two = measure(network, np.rot90(image).copy(),
                      sky_error=torch.tensor([0.1]),
                      centre=torch.tensor([[31.0, 63 - 32.0]]))
        for name in ('value', 'log_error', 'log_e_error', 'log_pa_error',
                     'log_enclosed_error', 'log_centre_error', 'sky',
                     'sky_error'):
            torch.testing.assert_close(
                getattr(one, name), getattr(two, name), atol=5e-3, rtol=1e-3)
        torch.testing.assert_close(one.e1, -two.e1, atol=1e-3, rtol=0)
        assert one.e1.abs().max() > 0.01

    def test_looks(self, network):
        """
        Each look gives centre and ellipses, with the same weights.
        """
        one = RingNetwork(replace(network.config, looks=1))
        one.load_state_dict(network.state_dict())
        first = measure(one.eval(), disc())
        both = measure(network, disc())
        assert [len(found.shapes) for found in (first, both)] == [2, 3]
        assert [len(found.centres) for found in (first, both)] == [3, 4]
        torch.testing.assert_close(both.shapes[1], first.shapes[1])
        assert (both.shapes[2] - both.shapes[1]).abs().max() > 1e-4

    def test_fixed(self, network):
        """
        Of what is given, there is no error.
        """
        k = len(network.radii((64, 64)))
        given = torch.full((1, k), 0.3), torch.full((1, k), 0.1)
        found = measure(network, disc(), fixed=given, hold=True)
        assert found.log_e_error is found.log_pa_error is None
        assert found.log_centre_error is None
        assert torch.isfinite(found.log_enclosed_error).all()
        torch.testing.assert_close(found.e1, given[0])
        held = measure(network, disc(), hold=True)
        assert held.log_centre_error is None
        assert torch.isfinite(held.log_e_error).all()

    def test_first_weights(self):
        """
        A network without the options states none of it.
        """
        found = measure(RingNetwork(RingConfig(channels=8, channels_find=8)),
                        disc(), sky_error=torch.tensor([0.1]))
        for name in ('sky_error', 'log_e_error', 'log_pa_error',
                     'log_centre_error', 'log_enclosed_error'):
            assert getattr(found, name) is None

    @pytest.mark.parametrize(('options', 'match'), [
        ({'looks': 0}, 'looks must be 1 or more, got 0'),
        ({'sequence': 'lstm'}, "sequence must be 'gru' or 'conv', got "
                               "'lstm'")])
    def test_config_errors(self, options, match):
        with pytest.raises(ValueError, match=match):
            RingConfig(**options)

    def test_gradient(self, network):
        """
        Every parameter learns, and none of it from something infinite.

        In frames that are all masked but a corner, and with a known sky.
        """
        image = torch.from_numpy(disc())[None].float().repeat(3, 1, 1)
        good = torch.ones_like(image) > 0
        good[1, 6:] = False
        good[1, :, 6:] = False
        good[2] = False
        network.zero_grad()
        found = network(image, good, torch.full((3, 2), 31.5),
                        sky_error=torch.tensor([0.0, 0.1, torch.nan]))
        (found.value.sum() + found.log_error.sum() + found.e1.sum()
         + found.sky.sum() + found.sky_error.sum() + found.centre.sum()
         + found.log_e_error.sum() + found.log_pa_error.sum()
         + found.log_centre_error.sum() + found.log_enclosed_error.sum()
         + sum(e.sum() for e in found.shapes)
         + sum(c.sum() for c in found.centres)).backward()
        for name, value in network.named_parameters():
            # (the first stage gives a centre only)
            if name.startswith('find.loan') or value.grad is None:
                continue
            assert torch.isfinite(value.grad).all(), name
        assert sum(p.grad is None for p in network.parameters()) <= 1
        network.zero_grad()


class TestSky:
    def test_known(self, network):
        """
        A sky that is known is not altered, one with an error by its error.
        """
        image = disc() + 0.4
        skies = [measure(network, image, sky_error=torch.tensor([error]))
                 for error in (0.0, 0.01, 0.1, 0.5)]
        level = torch.cat([found.sky for found in skies])
        error = torch.cat([found.sky_error for found in skies])
        assert level[0] == 0
        assert error[0] < 1e-5
        assert torch.all(level[1:] > level[:-1])
        assert torch.all(error[1:] > error[:-1])
        assert torch.all(error <= torch.tensor([0.0, 0.01, 0.1, 0.5]) + 1e-5)

    def test_unknown(self, network):
        """
        No error is as NaN.
        """
        one = measure(network, disc())
        two = measure(network, disc(), sky_error=torch.tensor([torch.nan]))
        assert torch.equal(one.value, two.value)
        three = measure(network, disc(), sky_error=torch.tensor([1.0]))
        assert not torch.equal(one.value, three.value)

    def test_no_rings(self, network):
        """
        Without a usable ring, what was known stays.
        """
        image = torch.from_numpy(disc())[None].float()
        with torch.inference_mode():
            found = network(image, torch.zeros_like(image) > 0,
                            torch.tensor([[32.0, 31.0]]),
                            sky_error=torch.tensor([0.2]))
        assert found.sky == 0
        torch.testing.assert_close(found.sky_error, torch.tensor([0.2]))


class TestShapes:
    def test_inverse(self):
        """
        Of thin ellipses, too, up to an axis ratio of 1:20.
        """
        eps = torch.tensor([0.0, 1e-3, 0.3, 0.9, 0.93, 0.95])
        for angle in (0.3, 2.0):
            e = torch.stack([eps * np.cos(angle), eps * np.sin(angle)], -1)
            shape = log_shape(e)
            torch.testing.assert_close(
                torch.hypot(*shape.T)[1:], -torch.log(1 - eps[1:]),
                rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(shape_of_log(shape), e, atol=3e-3,
                                       rtol=0)
        far = shape_of_log(torch.tensor([[1e4, -1e4]]))
        assert 0.96 < torch.hypot(*far.T) < 0.9703

    def test_gradient(self):
        """
        As large for a thin ellipse as for a round one, and never infinite.
        """
        for size, least in ((0.0, 0.9), (2.3, 0.09), (2.9, 0.03)):
            shape = torch.tensor([[size, 0.0]], requires_grad=True)
            shape_of_log(shape).sum().backward()
            assert torch.isfinite(shape.grad).all()
            assert shape.grad[0, 0] > least
        e = torch.zeros(1, 2, requires_grad=True)
        log_shape(e).sum().backward()
        torch.testing.assert_close(e.grad, torch.ones(1, 2), atol=1e-3,
                                   rtol=0)

    def test_loan(self):
        """
        A ring that trusts itself keeps its thin ellipse.
        """
        loan = ShapeLoan(thin=True)
        with torch.no_grad():
            loan.own.fill_(30.0)
        e = torch.tensor([[[0.9, 0.0], [0.0, 0.93], [0.1, 0.1]]])
        found = loan(log_shape(e), torch.zeros(1, 3, loan.n_in))
        torch.testing.assert_close(found, e, atol=2e-3, rtol=0)


class TestLayers:
    @pytest.mark.parametrize(('n', 'there'), [(36, (0, 35)), (60, (0, 59))])
    def test_reach(self, n, there):
        """
        Each ring reaches every other, and neighbours most.
        """
        torch.manual_seed(0)
        layer = RingConvSequence(4, 16, 2)
        x = torch.randn(1, n, 4, requires_grad=True)
        one, other = there
        layer(x)[0, one].sum().backward()
        size = x.grad[0].abs().sum(-1)
        assert size[other] > 0
        assert size[one] > 5 * size[other]

    @pytest.mark.parametrize('size', [(3, 3), (3, 5), (5, 5)])
    def test_padding_gradient(self, size):
        """
        The gradient of padding is that of the padding of the library.
        """
        layer = RingConv(2, 2, size).double()
        x = torch.randn(2, 2, 6, 8, dtype=torch.double, requires_grad=True)
        half, more = size[1] // 2, size[0] // 2
        weight = torch.randn(2, 2, 6 + 2 * more, 8 + 2 * half).double()
        (layer._pad(x) * weight).sum().backward()
        found, x.grad = x.grad, None
        wide = functional.pad(x, (half, half, 0, 0), mode='circular')
        (functional.pad(wide, (0, 0, more, more), mode='replicate')
         * weight).sum().backward()
        torch.testing.assert_close(found, x.grad)

    def test_no_norm(self):
        """
        A block without a norm leaves its input alone, with and without
        gradients.
        """
        block = RingBlock(8, norm=False)
        x = torch.randn(1, 8, 5, 16)
        before = x.clone()
        with torch.no_grad():
            one = block(x)
        assert torch.equal(x, before)
        torch.testing.assert_close(block(x), one)

    @pytest.mark.parametrize('shape', [(64, 64), (33, 90)])
    def test_pyramid_borders(self, shape):
        """
        Levels do not mix at their borders.
        """
        rng = np.random.default_rng(2)
        image = torch.from_numpy(rng.normal(50, 20, (1, *shape))).float()
        pyramid = Pyramid(image, torch.ones_like(image) > 0)
        h, w = shape
        x = torch.from_numpy(rng.uniform(-8, w + 8, (1, 4000))).float()
        y = torch.from_numpy(rng.uniform(-8, h + 8, (1, 4000))).float()
        for level in range(pyramid.n_levels):
            value, weight = pyramid.sample(x, y, torch.tensor([[level]]))
            at = [(v[0].numpy() + 0.5) / 2**level - 0.5 for v in (y, x)]
            light, part = (map_coordinates(
                np.pad(plane[0].numpy(), 1).astype(float), np.array(at) + 1,
                order=1, mode='constant', cval=0.0)
                for plane in (pyramid.levels[level] * pyramid.weights[level],
                              pyramid.weights[level]))
            np.testing.assert_allclose(weight[0], part, atol=1e-4)
            seen = part > 0.01
            np.testing.assert_allclose(value[0][seen], (light / np.where(
                part > 0, part, 1))[seen], rtol=1e-3)

    @pytest.mark.parametrize('shape', [(64, 64), (33, 90), (90, 33)])
    def test_pyramid_gaps(self, shape, monkeypatch):
        """
        Nothing is read where nothing was written.
        """
        empty = torch.Tensor.new_empty
        monkeypatch.setattr(
            torch.Tensor, 'new_empty', lambda self, *args, **options: empty(
                self, *args, **options).fill_(torch.nan))
        image = torch.ones(1, *shape)
        good = torch.rand(image.shape) > 0.3
        pyramid = Pyramid(image, good)
        h, w = shape
        x, y = (torch.cat([-9 + (n + 18) * torch.rand(1, 4000), torch.tensor(
            [[-1.5, n + 0.5, n - 0.5]])], 1) for n in (w, h))
        for level in range(pyramid.n_levels):
            for part in pyramid.sample(x, y, torch.tensor([[level]])):
                assert torch.isfinite(part).all()

    def test_pyramid_halves(self):
        """
        With gradients and without, levels are the same to the last digit.
        """
        rng = np.random.default_rng(3)
        image = torch.from_numpy(rng.normal(50, 20, (2, 64, 48))).float()
        good = torch.from_numpy(rng.random(image.shape) > 0.1)
        for usable in (good, good.float(), torch.ones_like(good)):
            pyramid = Pyramid(image, usable)
            with torch.no_grad():
                fast = Pyramid(image, usable)
            for level in range(6):
                assert torch.equal(pyramid.levels[level], fast.levels[level])
                assert torch.equal(pyramid.weights[level],
                                   fast.weights[level])
            assert torch.equal(pyramid.table, fast.table)


class TestReader:
    def frame(self, side=64, **options):
        image = disc(side=side)
        return Frame(image, np.zeros(image.shape, bool), 1.0, (32.0, 31.0),
                     **options)

    def test_errors(self, network):
        """
        Errors of each ring of the caption, of one batch or of many.
        """
        reader = RingReader(network)
        caption, = reader.read([self.frame()])
        for name in ('eps_error', 'pa_error', 'enclosed_error'):
            values = getattr(caption, name)
            assert values.shape == caption.sma.shape
            assert np.all(values > 0)
        assert caption.pa_error.max() <= 0.683 * np.pi / 2
        assert caption.centre_error > 0
        assert caption.trust['sky_error'] > 0
        views, = RingReader(network, n_views=4).read([self.frame()])
        assert views.eps_error.shape == views.sma.shape
        # of a caption that is cut, all of it
        small = replace(self.frame(), image=np.ones((20, 20)))
        cut = _in_frame(small, replace(caption, centre=(10.0, 10.0)), (0, 0))
        assert len(cut.pa_error) == len(cut.sma) < len(caption.sma)

    def test_first_weights(self):
        reader = RingReader(RingNetwork(RingConfig(channels=8,
                                                   channels_find=8)))
        caption, = reader.read([self.frame()])
        for name in ('eps_error', 'pa_error', 'enclosed_error',
                     'centre_error'):
            assert getattr(caption, name) is None
        assert 'sky_error' not in caption.trust

    def test_sky(self, network):
        """
        The error of the sky arrives in units of the noise, binned or not.
        """
        reader = RingReader(network)
        frame = self.frame(sky_error=0.1)
        caption, = reader.read([frame])
        double = replace(frame, image=2 * frame.image, sigma=2.0,
                         sky_error=0.2)
        twice, = reader.read([double])
        np.testing.assert_allclose(twice.intensity, 2 * caption.intensity,
                                   rtol=1e-4)
        np.testing.assert_allclose(twice.trust['sky_error'],
                                   2 * caption.trust['sky_error'], rtol=1e-4)
        # told a part of it, by the model card
        card = {'error_model': {'value': [0.0], 'factor': [1.0],
                                'log_sma': [0.0], 'factor_sma': [1.0],
                                'sky_factor': 0.5}}
        half, = RingReader(network, card).read([frame])
        less, = reader.read([replace(frame, sky_error=0.05)])
        assert half.trust['sky_error'] == less.trust['sky_error']
        assert half.trust['sky_error'] < caption.trust['sky_error']
        np.testing.assert_allclose(half.trust['sky_untold'],
                                   0.05 * np.sqrt(0.75))
        assert caption.trust['sky_untold'] == 0
        known, = reader.read([replace(frame, sky_error=0.0)])
        assert known.trust['sky'] == 0
        assert reader._bin(frame).sky_error == 0.1

    def test_split_sky_error(self):
        """
        Of small errors a part is told; the larger, the more, up to all.
        """
        error = np.array([0.0, 0.01, 0.2, 1.0, 1e3, np.nan])
        told, untold = split_sky_error(error, 0.25)
        np.testing.assert_allclose(told[:3], 0.25 * error[:3])
        assert 0.6 < told[3] < 0.65
        assert told[4] > 0.99 * error[4]
        assert np.isnan(told[5])
        assert (untold[:5] <= np.sqrt(error[:5]**2 - told[:5]**2)).all()
        np.testing.assert_allclose(untold[1] / told[1], np.sqrt(15) / 4)
        told, untold = split_sky_error(error, 1.0)
        np.testing.assert_array_equal(told, error)
        assert (untold == 0).all()

    @pytest.mark.parametrize('none', [-40.0, 0.0, 40.0])
    def test_sky_learns(self, network, none):
        """
        The weight of the rings against a prior is learned from any value.

        (Bounds that cut off had left it where it was, and no sky was found.)
        """
        mean = torch.tensor([[50.0, 4.0, 0.5, 0.3, 0.31, 0.3]])
        none = torch.tensor([none / 8], requires_grad=True)
        prior = torch.tensor([0.1]), torch.ones(1)
        level, error, (found, log_error) = network._sky(
            mean, torch.ones_like(mean), torch.zeros_like(mean), none, prior)
        level.sum().backward()
        level, error, found, alone = (v.item() for v in (
            level, error, found, torch.exp(log_error)))
        # the bright rings are no sky
        assert 0.25 < found < 0.6
        assert abs(level) < abs(found)
        # the weighted mean is surer than both
        np.testing.assert_allclose(error**-2, 0.1**-2 + alone**-2, rtol=1e-4)
        assert none.grad.abs().item() > 1e-5

    def test_prepared(self):
        """
        What was measured of the sky reaches the frame.
        """
        from astro_pix2prof.image.cutout import GalaxyCutout

        cutout = GalaxyCutout(disc(side=128, centre=(64, 64)),
                              calibrated=False)
        measured = prepare_galaxy(cutout, detect=False)
        assert frame_of(measured).sky_error == measured.background.error > 0
        given = prepare_galaxy(cutout, sky=0.0, detect=False)
        assert frame_of(given).sky_error == 0
