# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that training, reading and simulation make no tensor on a wrong device.

No GPU is needed: fake tensors have a device and no values.
"""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from astro_pix2prof.networks.architectures import ARCHITECTURES
from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.training import read_recipe
from astro_pix2prof.training.tasks.registry import make_task
from astro_pix2prof.training.tasks.views import Views, show_differently

SMALL = {'channels': 8, 'channels_find': 8, 'hidden': 8}
CAPTION = {'size': 16, 'layers': 2, 'n_pix': 64, 'max_length': 64,
           'halt_window': 20}
# every way through the networks and their losses
CASES = [
    ('rings', SMALL), ('rings', {**SMALL, 'attention': False}),
    ('rings', {**SMALL, 'refine': False}),
    ('rings', {**SMALL, 'looks': 2, 'sequence': 'conv', 'thin': True,
               'norm_each': False, 'sky_prior': True,
               'geometry_errors': True}),
    ('captioner', CAPTION), ('captioner', {**CAPTION, 'reinject': 8}),
    ('captioner', {**CAPTION, 'decoder': 'transformer'}),
    ('captioner', {**CAPTION, 'image_scaling': 'fixed',
                   'value': 'absolute'})]


@pytest.fixture(autouse=True)
def pretend_driver(monkeypatch):
    """
    Let torch believe that there is a driver, and leave out cuDNN.
    """
    monkeypatch.setattr('torch.cuda._lazy_init', lambda: None)
    with torch.backends.cudnn.flags(enabled=False):
        yield


@pytest.fixture(name='values')
def patch_values(monkeypatch):
    """
    Numbers for what is asked of a fake tensor, such as a random choice.
    """
    answers = {'truth': True}
    # torch has no fake kernel of this layer without cuDNN
    monkeypatch.setattr('torch.nn.modules.rnn._VF.gru', stand_in_for_gru)
    monkeypatch.setattr(FakeTensor, '__bool__',
                        lambda self: answers['truth'], raising=False)
    monkeypatch.setattr(FakeTensor, '__int__', lambda self: 20,
                        raising=False)
    return answers


def stand_in_for_gru(x, hidden, weights, has_bias, n_layers, dropout,
                     training, both_ways, batch_first):
    """
    A layer with the weights and the shapes of a recurrent one.
    """
    assert has_bias
    assert batch_first
    n, last = 2 if both_ways else 1, []
    for layer in range(n_layers):
        out = []
        for way in range(n):
            k = n * layer + way
            w_in, w, b_in, b = weights[4 * k:4 * k + 4]
            gates = x @ w_in.T + b_in + (hidden[k] @ w.T + b)[:, None]
            one, two, three = gates.chunk(3, -1)
            out.append(torch.sigmoid(one) * torch.tanh(two) + three)
            last.append(out[-1][:, -1])
        x = torch.cat(out, -1)
    return x, torch.stack(last)


def make_views(n_pix, n=2, n_sma=50, device='cuda'):
    """
    Galaxies with all that is known of simulated ones, on a device.
    """
    def rand(*shape):
        return torch.rand(*shape, device=device)

    rings = {name: rand(n, n_sma) for name in ('intensity', 'ring_noise',
                                               'e1', 'e2')}
    images = {name: rand(n, n_pix, n_pix) for name in ('image', 'others',
                                                       'sky')}
    return Views(
        mask=rand(n, n_pix, n_pix) > 2, sigma=rand(n), sma=rand(n_sma),
        end=rand(n), pixel_area=rand(n), centre=rand(n, 2),
        sky_error=rand(n), kind=rand(n).long(), **rings, **images)


def move(network, device='cuda'):
    """
    Give a network fake weights on a device, to which nothing can be copied.
    """
    for module in network.modules():
        for key, value in module._parameters.items():
            if value is not None:
                module.register_parameter(key, torch.nn.Parameter(
                    torch.empty(value.shape, device=device)))
        for key, value in module._buffers.items():
            module.register_buffer(key, torch.empty(
                value.shape, dtype=value.dtype, device=device))
    return network


def on_gpu(values):
    return all(value.device.type == 'cuda' for value in values)


class TestFake:
    @pytest.mark.parametrize(('name', 'settings', 'truth'), [
        *((name, settings, True) for name, settings in CASES),
        # without the truth fed in
        ('captioner', CAPTION, False)])
    def test_task(self, values, name, settings, truth):
        """
        Batch, forward, loss and validation stay on the GPU.
        """
        values['truth'] = truth
        recipe = read_recipe('tutorial', architecture=name, network=settings,
                             data={'length': 0.3})
        with torch.device('meta'):
            network = ARCHITECTURES[name].make_network(settings)
        with FakeTensorMode():
            move(network)
            task = make_task(recipe, network.config)
            generator = torch.Generator().manual_seed(0)
            batch = task.batch(make_views(64), generator)
            assert on_gpu(batch.values())
            loss, more = task.loss(network, batch, generator)
            assert on_gpu([loss, *more.values()])
            assert loss.requires_grad
            assert on_gpu([task.errors(network, batch)])

    @pytest.mark.parametrize(('k', 'flip'), list(itertools.product(
        range(4), (False, True))))
    @pytest.mark.parametrize('side', [64, 72, 61])
    def test_views(self, k, flip, side):
        with FakeTensorMode():
            views = show_differently(make_views(side), 64, 1, -2, k, flip)
            # (labels and what is known of clumps are for other tasks)
            assert on_gpu(value for name, value in vars(views).items()
                          if name not in {'enclosed', 'fwhm', 'gain',
                                          'clumps', 'labels'})
            assert views.image.shape == views.sky.shape == (2, 64, 64)

    @pytest.mark.parametrize(('name', 'options', 'more'), [
        ('rings', {'n_views': 2}, {}), ('rings', {}, {'hold': True}),
        ('rings', {}, {'weight': np.ones((60, 64), np.float32)}),
        ('rings', {}, {'ellipses': (np.arange(9.0), np.full(9, 0.1),
                                    np.zeros(9))}),
        ('captioner', {'n_views': 2}, {}), ('original', {}, {})])
    def test_reader(self, values, monkeypatch, name, options, more):
        """
        Readers move images to the GPU, and results back.
        """
        monkeypatch.setattr(FakeTensor, 'pin_memory', lambda self: self)
        moved = []

        def numpy(self):
            assert self.device.type == 'cpu'
            moved.append(tuple(self.shape))
            return np.full(self.shape, 0.5)

        monkeypatch.setattr(FakeTensor, 'numpy', numpy)
        item = ARCHITECTURES[name]
        shape = (256, 260) if name == 'original' else (60, 64)
        # (fake networks cannot be moved, and are on the GPU already)
        monkeypatch.setattr(torch.nn.Module, '_apply',
                            lambda self, fn, recurse=True: self)
        frame = Frame(np.ones(shape, np.float32), np.zeros(shape, bool), 0.1,
                      (32.0, 30.0), position=(130.0, 128.0), **more)
        settings = {'rings': SMALL, 'captioner': CAPTION}
        with torch.device('meta'):
            network = (item.make_network(settings[name]) if item.config
                       else item.network_class())
        with FakeTensorMode():
            move(network)
            reader = item.make_reader(network, {}, **options)
            captions = reader.read([frame])
        assert len(captions) == 1
        assert moved

    def test_domain(self, values):
        from astro_pix2prof.training.domain_fit import simulated_summaries

        with torch.device('meta'):
            network = ARCHITECTURES['rings'].make_network(SMALL)
        found = []
        network.register_forward_pre_hook(
            lambda module, args: found.append({a.device.type for a in args}))
        # (no values come back from this device)
        with pytest.raises((RuntimeError, NotImplementedError)):
            simulated_summaries(network, survey='sdss-r', n_pix=[64],
                                n_images=64)
        assert found == [{'meta'}]

    def test_a_wrong_device_is_seen(self):
        with FakeTensorMode(), pytest.raises(RuntimeError,
                                             match='at least two devices'):
            torch.ones(3, device='cuda') + torch.ones(3)


@pytest.mark.slow
def test_own_device():
    """
    Gradients, and the simulator, on a device that torch is told of.

    It needs a process of its own, in which the device stays.
    """
    script = Path(__file__).with_name('own_device.py')
    done = subprocess.run([sys.executable, script], check=False,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split('\n')[-2] == 'all on the device'
