# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train and simulate on a device that exists in this process only.

`test_devices` runs this. The device is registered with torch, so that its
engine of gradients and its indexing accept it.
"""

import sys
from contextlib import nullcontext
from unittest import mock

import test_devices
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import (
    _setup_privateuseone_for_python_backend,
)

from astro_pix2prof.networks.architectures import ARCHITECTURES
from astro_pix2prof.simulation import GalaxySimulator
from astro_pix2prof.training import read_recipe
from astro_pix2prof.training.tasks.registry import make_task

DEVICE = 'pretended'

# Operations that take tensors of the processor beside those of a device.
MIXED = ('index', 'index_put', '_index_put_impl', 'copy', '_to_copy')


_tensor = torch.tensor


def make_tensor(values, *, dtype=None, device='cpu'):
    """
    Make a tensor of numbers, which torch itself does on its own devices.
    """
    return _tensor(values, dtype=dtype).to(device)


def check_gradients():
    """
    Check that all gradients are on the device.
    """
    for name, settings in test_devices.CASES:
        recipe = read_recipe('tutorial', architecture=name, network=settings)
        network = ARCHITECTURES[name].make_network(settings)
        with FakeTensorMode():
            test_devices.move(network, DEVICE)
            task = make_task(recipe, network.config)
            generator = torch.Generator().manual_seed(0)
            batch = task.batch(test_devices.make_views(64, device=DEVICE),
                               generator)
            task.loss(network, batch, generator)[0].backward()
            grads = [p.grad for p in network.parameters()
                     if p.grad is not None]
            assert all(grad.device.type == DEVICE for grad in grads)
            assert len(grads) > 0.7 * len(list(network.parameters()))


class Pretended(torch.Tensor):
    """
    A tensor of the device, with its values on the processor.
    """

    @staticmethod
    def __new__(cls, real):
        return torch.Tensor._make_wrapper_subclass(
            cls, real.shape, strides=real.stride(), dtype=real.dtype,
            device=DEVICE)

    def __init__(self, real):
        self.real_values = real

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


class PretendMode(TorchDispatchMode):
    """
    Make tensors on the device where that is asked for.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


def compute(func, args, kwargs):
    """
    Compute on the processor, and say where the result would be.
    """
    name = func._schema.name.removeprefix('aten::')
    tensors = [leaf for leaf in _pytree.tree_leaves((args, kwargs))
               if isinstance(leaf, torch.Tensor)]
    there = [isinstance(leaf, Pretended) for leaf in tensors
             if leaf.dim() > 0]
    if len(set(there)) > 1 and (name.rstrip('_') not in MIXED or (
            name.startswith('index') and not there[0])):
        msg = f'{func}: tensors on the device and on the processor'
        raise RuntimeError(msg)
    moved = any(isinstance(leaf, Pretended) for leaf in tensors)
    if name.startswith('index'):
        moved = isinstance(tensors[0], Pretended)
    if kwargs.get('device') is not None:
        moved = torch.device(kwargs['device']).type == DEVICE
        kwargs = {**kwargs, 'device': torch.device('cpu')}
    args, kwargs = _pytree.tree_map(
        lambda leaf: getattr(leaf, 'real_values', leaf), (args, kwargs))
    out = func(*args, **kwargs)
    # (in place; the name of an operator, as __and__, ends with two)
    if name.endswith('_') and not name.endswith('__'):
        return tensors[0]
    return _pytree.tree_map(lambda leaf: Pretended(leaf) if moved
                            and isinstance(leaf, torch.Tensor) else leaf, out)


class Generator(torch.Generator):
    """
    A generator of the processor, wherever it is asked for.
    """

    def __new__(cls, device='cpu'):
        return super().__new__(cls)


def check_simulator():
    """
    Check that the simulator works, and leaves its results, on the device.
    """
    for seed in (3, 4, 5):
        expected = GalaxySimulator('mix', n_pix=64).simulate(8, seed=seed)
        with PretendMode(), mock.patch('torch.Generator', Generator):
            found = GalaxySimulator('mix', n_pix=64, device=DEVICE).simulate(
                8, seed=seed)
        for name, value in vars(expected).items():
            if isinstance(value, torch.Tensor):
                other = getattr(found, name)
                assert isinstance(other, Pretended), name
                assert other.shape == value.shape
                assert other.dtype == value.dtype
        assert all(isinstance(value, Pretended)
                   for value in found.parameters.values())


if __name__ == '__main__':
    _setup_privateuseone_for_python_backend(DEVICE)
    with (mock.patch('torch.nn.modules.rnn._VF.gru',
                     test_devices.stand_in_for_gru),
          mock.patch('torch.tensor', make_tensor),
          mock.patch('torch.autocast', return_value=nullcontext()),
          mock.patch.object(FakeTensor, '__bool__', return_value=False),
          mock.patch.object(FakeTensor, '__int__', return_value=20)):
        check_gradients()
    check_simulator()
    sys.stdout.write('all on the device\n')
