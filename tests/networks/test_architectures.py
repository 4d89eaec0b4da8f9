# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the register of architectures, and of ellipses and magnitudes.
"""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import astro_pix2prof
from astro_pix2prof.networks import (
    Captioner,
    CaptionerConfig,
    OriginalPix2Prof,
    RingConfig,
    RingNetwork,
)
from astro_pix2prof.networks.architectures import (
    ARCHITECTURES,
    architecture_of,
    find_architecture,
)
from astro_pix2prof.networks.ellipse import (
    POGSON,
    ellipse_components,
    ellipse_shape,
)
from astro_pix2prof.networks.original import N_PIX

PACKAGE = Path(astro_pix2prof.__file__).parent
SETTINGS = {
    'captioner': {'size': 8, 'layers': 1},
    'clumps': {'channels': 8, 'dilations': '1'},
    'encoder': {'channels': 4, 'hidden': 8},
    'rings': {'channels': 8, 'channels_find': 8, 'hidden': 8}}


def make_network(name):
    item = ARCHITECTURES[name]
    return (item.make_network(SETTINGS[name]) if item.config
            else item.network_class())


class TestRecords:
    @pytest.mark.parametrize('name', ARCHITECTURES)
    def test_classes(self, name):
        item = find_architecture(name)
        assert item.name == name
        network = make_network(name)
        assert isinstance(network, torch.nn.Module)
        assert architecture_of(network) is item
        assert bool(item.reader) == (name not in ('clumps', 'encoder'))
        if item.reader:
            reader = item.make_reader(network, {}, batch_size=2)
            assert callable(reader.read)
            assert reader.batch_size == 2
            assert reader.network is network
        if item.task:
            assert callable(item.task_class.loss)
        if item.config:
            assert isinstance(network.config, item.config_class)

    def test_facts(self):
        rings, captioner, original = (ARCHITECTURES[name] for name in (
            'rings', 'captioner', 'original'))
        assert rings.network_class is RingNetwork
        assert captioner.network_class is Captioner
        assert original.network_class is OriginalPix2Prof
        assert original.least_size == N_PIX
        assert (rings.n_views, captioner.n_views) == (1, 8)
        assert hasattr(make_network('rings'), 'domain') == rings.has_domain
        assert original.needs_calibration()
        assert not rings.needs_calibration(RingConfig())
        assert not captioner.needs_calibration(CaptionerConfig())
        for config in (CaptionerConfig.paper(),
                       CaptionerConfig(value='absolute'),
                       CaptionerConfig(image_scaling='fixed')):
            assert captioner.needs_calibration(config)

    def test_precision(self):
        rings, captioner = ARCHITECTURES['rings'], ARCHITECTURES['captioner']
        network = make_network('rings')
        rings.make_reader(network, precision='bfloat16')
        assert network.find.into.weight.dtype == torch.bfloat16
        with pytest.raises(ValueError, match="precision must be 'float32' for "
                           "a captioner: only ring networks know another; got "
                           "'bfloat16'"):
            captioner.make_reader(make_network('captioner'),
                                  precision='bfloat16')
        with pytest.raises(ValueError, match="precision must be 'float32' or "
                                             "'bfloat16', got 'float8'"):
            rings.make_reader(network, precision='float8')

    def test_no_reader(self):
        network = make_network('clumps')
        with pytest.raises(ValueError, match='a clump network measures no '
                           'profiles, as captioners and ring networks and '
                           'original networks do'):
            ARCHITECTURES['clumps'].make_reader(network)

    def test_unknown(self):
        for name in ('squares', None, ['rings']):
            with pytest.raises(ValueError, match='architecture must be one of '
                                                 'captioner, rings, clumps, '
                                                 'original'):
                find_architecture(name)
        with pytest.raises(TypeError, match=r'one of the architectures .*got '
                                            'Linear'):
            architecture_of(torch.nn.Linear(1, 1))

    def test_subclass(self):
        class Mine(RingNetwork):
            pass

        assert architecture_of(Mine()).name == 'rings'


def test_one_register():
    """
    No module but the register compares names of architectures.
    """
    found = []
    for folder in ('networks', 'training', 'simulation', 'inference'):
        for path in sorted((PACKAGE / folder).rglob('*.py')):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Compare):
                    continue
                # (a parameter of a galaxy, p['clumps'], is none)
                keys = {id(part.slice) for part in ast.walk(node)
                        if isinstance(part, ast.Subscript)}
                names = {part.value for part in ast.walk(node)
                         if isinstance(part, ast.Constant)
                         and isinstance(part.value, str)
                         and id(part) not in keys}
                if names & set(ARCHITECTURES):
                    found.append(f'{path.name}:{node.lineno}')
    assert found == []


class TestEllipse:
    def test_round_trip(self):
        eps = np.array([0.0, 0.3, 0.9])
        angle = np.array([0.0, -1.2, 1.5])
        e1, e2 = ellipse_components(eps, angle)
        assert_allclose(e1, eps * np.cos(2 * angle))
        assert_allclose(e2, eps * np.sin(2 * angle))
        found = ellipse_shape(e1, e2)
        assert_allclose(found, (eps, angle))
        # half a turn more is the same ellipse
        assert_allclose(ellipse_components(eps, angle + math.pi), (e1, e2),
                        atol=1e-14)

    def test_tensors(self):
        eps, angle = torch.tensor([0.4]), torch.tensor([0.7])
        e = ellipse_components(eps, angle)
        assert all(isinstance(part, torch.Tensor) for part in e)
        found = ellipse_shape(*e)
        assert all(isinstance(part, torch.Tensor) for part in found)
        torch.testing.assert_close(torch.stack(found),
                                   torch.stack([eps, angle]))

    def test_pogson(self):
        from astro_pix2prof.profile import brightness

        assert pytest.approx(brightness.POGSON, rel=1e-15) == POGSON
