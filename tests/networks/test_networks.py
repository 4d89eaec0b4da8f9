# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the captioner and weights modules.
"""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof.networks import (
    Captioner,
    CaptionerConfig,
    find_weights,
    list_weights,
    load_network,
    read_card,
)
from astro_pix2prof.networks.captioner import find_halt, prepare_images
from astro_pix2prof.networks.weights import file_sha256, write_weights

KINDS = {'gru': {}, 'reinject': {'reinject': 8},
         'transformer': {'decoder': 'transformer'}}


def make_network(kind='gru', seed=0, **options):
    options = {'size': 64, 'max_length': 60, 'halt_window': 20,
               **KINDS[kind], **options}
    torch.manual_seed(seed)
    network = Captioner(CaptionerConfig(**options)).eval()
    for module in network.modules():
        # statistics that a training would have found
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def make_images(n=3, shape=(64, 64), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, *shape, generator=generator)


class TestConfig:
    def test_paper(self):
        config = CaptionerConfig.paper()
        expected = {
            'image_scaling': 'fixed', 'image_low': 2, 'image_high': 30,
            'clip_percentile': 99.9, 'value': 'absolute', 'n_pix': 256,
            'decoder': 'gru', 'size': 512, 'layers': 3, 'dropout': 0.2,
            'reinject': 0, 'halt_window': 100, 'halt_scatter': 0.01}
        found = config.to_dict()
        assert {key: found[key] for key in expected} == expected
        assert CaptionerConfig.paper(layers=2).layers == 2

    def test_round_trip(self):
        config = CaptionerConfig(size=32, decoder='transformer')
        assert CaptionerConfig.from_dict(config.to_dict()) == config

    @pytest.mark.parametrize(('options', 'match'), [
        ({'image_scaling': 'log'}, 'image_scaling must be one of noise'),
        ({'value': 'flux'}, 'value must be one of relative, absolute'),
        ({'decoder': 'lstm'}, 'decoder must be one of gru, transformer'),
        ({'layers': 0}, 'layers must be positive, got 0'),
        ({'radius_step': -1}, 'radius_step must be positive'),
        ({'value_low': 3, 'value_high': 3}, 'value_high must be more than'),
    ])
    def test_errors(self, options, match):
        with pytest.raises(ValueError, match=match):
            CaptionerConfig(**options)

    def test_unknown(self):
        with pytest.raises(ValueError, match=r'unknown .* sise; known are'):
            CaptionerConfig.from_dict({'sise': 3})


class TestPrepare:
    def test_fixed(self):
        rng = np.random.default_rng(2)
        image = rng.gamma(1, 3, (2, 64, 64)).astype(np.float32)
        image[0, 3, 4] = 1e4
        mask = np.zeros(image.shape, dtype=bool)
        out = prepare_images(torch.from_numpy(image), torch.ones(2),
                             torch.from_numpy(mask), CaptionerConfig.paper())
        assert out.shape == (2, 1, 64, 64)
        for found, data in zip(out.numpy(), image, strict=True):
            top = np.percentile(data, 99.9, method='nearest')
            assert_allclose(found[0], (np.minimum(data, top) - 2) / 28,
                            atol=1e-6)

    def test_noise(self):
        image = make_images(2)[:, 0]
        sigma = torch.tensor([0.5, 2.0])
        mask = torch.zeros(image.shape, dtype=torch.bool)
        config = CaptionerConfig()
        out = prepare_images(image, sigma, mask, config)
        assert_allclose(out[1, 0], np.arcsinh(image[1].numpy() / 2) / 4,
                        atol=1e-6)
        # another unit makes no difference
        again = prepare_images(image * 7, sigma * 7, mask, config)
        assert_allclose(again, out, atol=1e-6)

    @pytest.mark.parametrize('config', [CaptionerConfig(),
                                        CaptionerConfig.paper()])
    def test_mask(self, config):
        image = make_images(1)[:, 0]
        mask = torch.zeros(image.shape, dtype=torch.bool)
        mask[0, :9] = True
        bad = torch.where(mask, 1e9, image)
        bad[0, 20, 20] = torch.nan
        image = torch.where(mask, 0.0, image)
        image[0, 20, 20] = 0
        sigma = torch.ones(1)
        assert_array_equal(prepare_images(bad, sigma, mask, config),
                           prepare_images(image, sigma, mask & False,
                                          config))


@pytest.mark.parametrize('kind', KINDS)
class TestCaption:
    def test_shapes(self, kind):
        network = make_network(kind)
        values, n_values = network.caption(make_images())
        assert values.shape[0] == 3
        assert values.dtype == torch.float32
        assert n_values.shape == (3,)
        assert torch.all(n_values <= values.shape[1])
        assert values.shape[1] <= 60
        assert torch.isfinite(values).all()
        values, _ = network.caption(make_images(), length=11)
        assert values.shape == (3, 11)
        out = network(make_images(), torch.zeros(3, 7))
        assert out.shape == (3, 7)

    def test_batch(self, kind):
        # a batch is what its images are one at a time, to 1e-4 mag
        network, images = make_network(kind), make_images(5)
        values, n_values = network.caption(images)
        for k in range(5):
            one, n = network.caption(images[k:k + 1])
            assert n[0] == n_values[k]
            assert_allclose(one[0, :n[0]], values[k, :n[0]], rtol=0,
                            atol=1e-4)
        assert values[:, 3].std() > 1e-3    # the images do differ

    def test_repeatable(self, kind):
        network, images = make_network(kind), make_images()
        first = network.caption(images)[0]
        network.train()     # neither dropout nor batch statistics
        second = network.caption(images)[0]
        assert network.training
        assert_array_equal(first, second)
        assert first.is_inference()

    @pytest.mark.parametrize('shape', [(40, 40), (65, 65), (48, 96)])
    def test_any_size(self, kind, shape):
        values, _ = make_network(kind).caption(make_images(2, shape),
                                               length=9)
        assert values.shape == (2, 9)
        assert torch.isfinite(values).all()

    def test_shorter(self, kind):
        # a profile does not depend on how far it is written
        network, images = make_network(kind), make_images(2)
        assert_allclose(network.caption(images, length=12)[0],
                        network.caption(images, length=30)[0][:, :12],
                        rtol=0, atol=1e-4)

    def test_train_step(self, kind):
        network, images = make_network(kind), make_images(2)
        target = torch.rand(2, 12)
        free = network.train_step(images, target, forced=False)
        forced = network.train_step(images, target, forced=True)
        assert free.shape == forced.shape == (2, 12)
        assert free.requires_grad
        written = network.decoder.write(network.encoder(images), 12)
        assert_allclose(free.detach(), written.detach(), atol=1e-5)
        # what is fed in matters after the first value, for the GRU
        differs = (free - forced).abs().max(0).values > 1e-6
        assert not differs[0]
        assert bool(differs[1:].any()) == (kind != 'transformer')
        free.sum().backward()
        assert all(p.grad is not None for p in network.parameters())


class TestDecoders:
    def test_start(self):
        # h0 is z in each layer, and the first token is 0
        network = make_network(layers=3)
        z = network.encoder(make_images(2))
        value, _ = network.decoder.gru(torch.zeros(2, 1, 1),
                                       torch.stack([z, z, z]))
        expected = network.decoder.dense(torch.relu(value))[:, 0]
        assert_allclose(network.decoder.write(z, 1).detach(),
                        expected.detach(), atol=1e-6)

    def test_reinject(self):
        plain, again = make_network('gru'), make_network('reinject')
        again.load_state_dict(plain.state_dict())
        a, b = (net.caption(make_images(), length=20)[0]
                for net in (plain, again))
        assert_allclose(a[:, :8], b[:, :8], atol=1e-5)
        assert (a[:, 8:] - b[:, 8:]).abs().max() > 1e-4

    def test_reinject_forward(self):
        # teacher forcing re-injects at the same steps
        network = make_network('reinject')
        z = network.encoder(make_images(2))
        written = network.decoder.write(z, 20).detach()
        fed = torch.nn.functional.pad(written[:, :-1], (1, 0))
        assert_allclose(network.decoder(z, fed).detach(), written,
                        atol=1e-5)

    def test_too_long(self):
        network = make_network('transformer')
        with pytest.raises(ValueError, match='length must be at most 60'):
            network.caption(make_images(), length=61)

    def test_encoder(self):
        network = Captioner()
        state = network.state_dict()
        assert state['encoder.net.conv1.weight'].shape == (64, 1, 7, 7)
        assert state['encoder.net.fc.weight'].shape == (512, 512)
        assert state['decoder.gru.weight_hh_l2'].shape == (1536, 512)
        assert network.decoder.gru.dropout == 0.2


class TestHalting:
    def test_find_halt(self):
        values = torch.zeros(3, 10)
        values[1, 3] = values[1, 7] = 1
        values[2, 2] = 1
        assert find_halt(values, 5, 0.01).tolist() == [5, 0, 8]
        assert find_halt(values, 11, 0.01).tolist() == [0, 0, 0]

    def test_caption(self):
        # a decoder that writes what it is told to
        network = make_network()
        rows = torch.full((3, 60), 0.5)
        rows[0] = torch.linspace(0, 1, 60)
        rows[1, :13] = torch.linspace(0, 0.4, 13)

        class Decoder(torch.nn.Module):
            def write(self, z, length, stop=None):
                for k in range(8, length + 1, 8):
                    if stop is not None and stop(rows[:len(z), :k]):
                        return rows[:len(z), :k]
                return rows[:len(z), :length]

        network.decoder = Decoder()
        values, n_values = network.caption(make_images())
        assert n_values.tolist() == [60, 33, 20]
        cfg = network.config
        assert_allclose(values, rows * (cfg.value_high - cfg.value_low)
                        + cfg.value_low, atol=1e-5)
        rows[0] = 0.5
        values, n_values = network.caption(make_images())
        assert values.shape[1] == 40
        assert n_values.tolist() == [20, 33, 20]

    def test_scatter_is_in_mag(self):
        step = (-1.0)**torch.arange(60) / 20     # the span is 20 mag
        rows = 0.5 + torch.stack([0.009 * step, 0.011 * step])
        assert find_halt(rows, 20, 0.01 / 20).tolist() == [20, 0]


class TestWeights:
    @pytest.fixture(name='path')
    def make_path(self, tmp_path):
        return write_weights(make_network(), {'architecture': 'captioner'},
                             tmp_path / 'a.safetensors', half=False)

    def test_round_trip(self, path):
        network, card = load_network(path)
        assert not network.training
        expected = make_network()
        assert network.config == expected.config
        assert_array_equal(network.caption(make_images())[0],
                           expected.caption(make_images())[0])
        assert card == read_card(path)
        assert card['sha256'] == file_sha256(path)
        assert card['parameters'] == sum(
            p.numel() for p in expected.parameters())
        assert card['precision'] == 'float32'

    def test_half(self, path, tmp_path):
        small = write_weights(make_network(), {'architecture': 'captioner'},
                              tmp_path / 'sub' / 'b.safetensors')
        assert small.stat().st_size < 0.51 * path.stat().st_size
        network, card = load_network(small)
        assert card['precision'] == 'float16'
        assert all(p.dtype == torch.float32 for p in network.parameters())
        assert_allclose(network.caption(make_images(), length=20)[0],
                        make_network().caption(make_images(), length=20)[0],
                        atol=0.05)

    def test_half_overflow(self, tmp_path):
        network = make_network()
        with torch.no_grad():
            network.decoder.dense.bias.fill_(1e6)
        path = tmp_path / 'b.safetensors'
        with pytest.raises(ValueError, match=r'decoder.dense.bias .* half'):
            write_weights(network, {}, path)
        assert not path.exists()

    def test_altered(self, path):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r'the SHA-256 of .* damaged'):
            load_network(path)

    def test_architecture(self, path):
        card = path.with_suffix('.json')
        text = json.loads(card.read_text())
        card.write_text(json.dumps({**text, 'architecture': 'squares'}))
        with pytest.raises(ValueError, match="architecture 'squares', this "
                                             'version knows captioner'):
            load_network(path)

    def test_find(self, path, tmp_path, monkeypatch):
        assert find_weights(str(path)) == path
        with pytest.raises(ValueError, match='weights must be a name'):
            find_weights('none-such')
        with pytest.raises(ValueError, match=r'a name \(clumps, encoder\) or'):
            find_weights('none-such', kinds=('clumps', 'encoder'))
        match = 'got ndarray: images are given to the fitter that was made'
        with pytest.raises(TypeError, match=match):
            find_weights(np.ones((3, 3)))
        with pytest.raises(FileNotFoundError, match=r'c\.safetensors does'):
            find_weights(tmp_path / 'c.safetensors')
        path.with_suffix('.json').rename(tmp_path / 'away.json')
        with pytest.raises(FileNotFoundError, match=r'a\.json does not'):
            find_weights(path)
        # what exists is told
        monkeypatch.setattr('astro_pix2prof.networks.weights.FOLDER',
                            tmp_path)
        assert list_weights() == ['away']
        with pytest.raises(ValueError, match=r'a name \(away\)'):
            find_weights('none-such')

    def test_suffix(self, tmp_path):
        with pytest.raises(ValueError, match=r'end in \.safetensors'):
            write_weights(make_network(), {}, tmp_path / 'a.pt')

    def test_bundled(self):
        # what ships with the package is what its cards say
        for name in list_weights():
            path = find_weights(name)
            assert path.is_file()
            assert path.stat().st_size < 32 * 2**20
            assert file_sha256(path) == read_card(name)['sha256']
