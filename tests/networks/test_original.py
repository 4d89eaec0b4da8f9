# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the original module.
"""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from astro_pix2prof.networks.original import OriginalPix2Prof, load_original


def make_state(pool=1, seed=3):
    """
    Random weights in the layout of the original code, named by hand.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, scale):
        return scale * torch.randn(shape, generator=generator)

    encoder = {}

    def conv(name, n_out, n_in, k):
        encoder[f'{name}.weight'] = normal(
            n_out, n_in, k, k, scale=(2 / (n_in * k * k))**0.5)

    def norm(name, n):
        encoder[f'{name}.weight'] = 1 + normal(n, scale=0.1)
        encoder[f'{name}.bias'] = normal(n, scale=0.1)
        encoder[f'{name}.running_mean'] = normal(n, scale=0.1)
        encoder[f'{name}.running_var'] = 2 + normal(n, scale=0.2).abs()
        encoder[f'{name}.num_batches_tracked'] = torch.tensor(7)

    conv('conv1', 64, 1, 3)
    norm('bn1', 64)
    n_in = 64
    for k, n in enumerate((64, 128, 256, 512), 1):
        for b in range(2):
            name = f'layer{k}.{b}'
            conv(f'{name}.conv1', n, n_in, 3)
            norm(f'{name}.bn1', n)
            conv(f'{name}.conv2', n, n, 3)
            norm(f'{name}.bn2', n)
            if n_in != n:
                conv(f'{name}.shortcut.0', n, n_in, 1)
                norm(f'{name}.shortcut.1', n)
            n_in = n
    encoder['fc1.weight'] = normal(512, 512 * pool**2, scale=0.05 / pool)
    encoder['fc1.bias'] = normal(512, scale=0.1)
    decoder = {}
    for k in range(3):
        decoder[f'gru.weight_ih_l{k}'] = normal(1536, 512 if k else 1,
                                                scale=0.05)
        decoder[f'gru.weight_hh_l{k}'] = normal(1536, 512, scale=0.05)
        for kind in ('ih', 'hh'):
            decoder[f'gru.bias_{kind}_l{k}'] = normal(1536, scale=0.05)
    decoder['fc.weight'] = normal(1, 512, scale=0.3).abs()
    decoder['fc.bias'] = torch.tensor([20.0])
    return {'encoder': encoder, 'decoder': decoder}


def save(path, state):
    """
    A checkpoint as the original code writes it.
    """
    op = torch.optim.Adam([torch.zeros(2, requires_grad=True)]).state_dict()
    torch.save({**state, 'encoder_op': op, 'decoder_op': op, 'epoch': 160,
                'logdir': 'logs/2020-10-08'}, path)
    return path


def reference_z(state, image):
    """
    The encoder, written out: (256, 256) -> (512,).
    """
    p = state['encoder']

    def norm(x, name):
        mean, var, weight, bias = (
            p[f'{name}.{key}'][None, :, None, None] for key in
            ('running_mean', 'running_var', 'weight', 'bias'))
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    x = functional.conv2d(image[None, None], p['conv1.weight'], padding=1)
    x = norm(x, 'bn1').clamp(min=0)
    for k in range(1, 5):
        for b in range(2):
            name = f'layer{k}.{b}'
            stride = 2 if k > 1 and b == 0 else 1
            y = functional.conv2d(x, p[f'{name}.conv1.weight'],
                                  stride=stride, padding=1)
            y = norm(y, f'{name}.bn1').clamp(min=0)
            y = functional.conv2d(y, p[f'{name}.conv2.weight'], padding=1)
            y = norm(y, f'{name}.bn2')
            if f'{name}.shortcut.0.weight' in p:
                x = norm(functional.conv2d(
                    x, p[f'{name}.shortcut.0.weight'], stride=stride),
                    f'{name}.shortcut.1')
            x = (x + y).clamp(min=0)
    assert x.shape == (1, 512, 32, 32)
    n = round((p['fc1.weight'].shape[1] / 512)**0.5)
    cells = x[0].reshape(512, n, 32 // n, n, 32 // n).mean((2, 4))
    return p['fc1.weight'] @ cells.flatten() + p['fc1.bias']


def reference_values(state, z, length):
    """
    The decoder, written out with the equations of the gates.
    """
    p = state['decoder']
    hidden, value, out = [z, z, z], torch.zeros(1), []
    for _ in range(length):
        x = value
        for k in range(3):
            gi = p[f'gru.weight_ih_l{k}'] @ x + p[f'gru.bias_ih_l{k}']
            gh = p[f'gru.weight_hh_l{k}'] @ hidden[k] + p[
                f'gru.bias_hh_l{k}']
            ri, ui, ni = gi.chunk(3)
            rh, uh, nh = gh.chunk(3)
            r, u = torch.sigmoid(ri + rh), torch.sigmoid(ui + uh)
            new = torch.tanh(ni + r * nh)
            hidden[k] = x = (1 - u) * new + u * hidden[k]
        value = (p['fc.weight'] @ x.clamp(min=0)
                 + p['fc.bias']).clamp(min=0)
        out.append(value[0])
    return torch.stack(out).numpy()


def halt_reference(values):
    """
    The length of a profile, with a plain loop.
    """
    outputs, stop_next = [], False
    for value in values:
        outputs.append(value)
        if stop_next or len(outputs) == 1024:
            break
        if len(outputs) > 100:
            before = np.array(outputs[-100:-1], dtype=float)
            assert len(before) == 99
            stop_next = before.std() <= 0.01
    return len(outputs)


def make_images(n=2):
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:256, :256] - 128.0
    return [(40 / (k + 1) * np.exp(-np.hypot(x, 1.5 * y) / (8 + 5 * k))
             + rng.normal(0, 0.02, x.shape)).astype(np.float32)
            for k in range(n)]


@pytest.fixture(name='path', scope='module')
def make_path(tmp_path_factory):
    return save(tmp_path_factory.mktemp('original') / 'p.pth', make_state())


@pytest.fixture(name='network', scope='module')
def make_network(path):
    return load_original(path)


class TestForward:
    @torch.inference_mode()
    def test_reference(self, network):
        state, images = make_state(), make_images()
        profiles = network.profiles(images)
        # the last of a batch is what the equations give for it alone
        found = profiles[-1]
        scaled = np.minimum(images[-1], np.percentile(images[-1], 99.9))
        z = reference_z(state, torch.from_numpy((scaled - 2) / 28))
        expected = reference_values(state, z, len(found))
        assert found.ndim == 1
        assert_allclose(found, expected, rtol=1e-5)
        assert len(found) == halt_reference(
            np.pad(expected, (0, 1024 - len(expected)), mode='edge'))
        assert np.ptp(profiles[0]) > 0.01
        assert not np.allclose(profiles[0][:len(found)],
                               found[:len(profiles[0])], rtol=1e-5)

    def test_pool(self, tmp_path):
        state = make_state(pool=2)
        network = load_original(save(tmp_path / 'p.pth', state))
        image = torch.from_numpy(make_images(1)[0])
        with torch.inference_mode():
            z = network.encoder(image[None, None])[0]
            assert_allclose(z, reference_z(state, image), atol=1e-4)

    def test_forward(self, network, monkeypatch):
        stub_encoder(monkeypatch, network)
        values = network(torch.zeros(2, 1, 4, 4), 5)
        assert values.shape == (2, 5)
        assert not network.training

    def test_eval(self, network, monkeypatch):
        seen = []
        stub_encoder(monkeypatch, network,
                     lambda x: seen.append(network.training))
        network.train()
        try:
            network.profile(np.zeros((256, 256)))
            assert network.training
        finally:
            network.eval()
        assert seen == [False]

    def test_centre(self, network, monkeypatch):
        # the central pixels only, whatever is around them
        seen = []
        stub_encoder(monkeypatch, network, seen.append)
        image = np.full((300, 281), np.nan)
        image[22:278, 12:268] = np.arange(256.0)
        network.profiles([image, image[22:278, 12:268].astype('>f8')])
        found = seen[0].numpy()
        assert found.shape == (2, 1, 256, 256)
        assert_array_equal(found[0], found[1])
        assert found[0].min() == pytest.approx(-2 / 28)
        top = np.percentile(np.tile(np.arange(256.0), 256), 99.9)
        assert found[0].max() == pytest.approx((top - 2) / 28)


def stub_encoder(monkeypatch, network, look=lambda x: None):
    """
    Replace the encoder, which takes a second for each image.
    """
    class Encoder(torch.nn.Module):
        def forward(self, image):
            look(image)
            return torch.zeros(len(image), 512)

    monkeypatch.setattr(network, 'encoder', Encoder())


class TestHalting:
    def test_constant(self, network, monkeypatch, tmp_path):
        # fc is a constant: 99 equal values before number 101, one more
        state = make_state()
        state['decoder']['fc.weight'].zero_()
        network = load_original(save(tmp_path / 'p.pth', state))
        stub_encoder(monkeypatch, network)
        values = network.profile(np.zeros((256, 256)))
        assert_array_equal(values, np.full(102, 20.0, dtype=np.float32))

    @pytest.mark.parametrize('settle', [0, 1, 2, 30, 150, 900, 921, 922,
                                        923, 924, 2000])
    def test_settle(self, network, monkeypatch, settle):
        n = np.arange(2000)
        length, = self._compare(network, monkeypatch, [
            np.where(n < settle, 24 + 0.5 * (-1.0)**n, 26)])
        assert length == min(max(settle, 1) + 101, 1024)

    def test_each_for_itself(self, network, monkeypatch):
        n = np.arange(2000)
        rng = np.random.default_rng(1)
        rows = [26 - 4 * np.exp(-n / scale) for scale in (10, 40, 400)]
        # just below and above the limit
        rows += [24 + scatter * (-1.0)**n for scatter in (0.0099, 0.0102)]
        rows += [24 + rng.normal(0, 0.01, len(n)), np.full(len(n), 21.0)]
        lengths = self._compare(network, monkeypatch, rows)
        assert lengths[-1] == 102
        assert lengths[3] == 102
        assert lengths[4] == 1024
        assert len(set(lengths)) == 4

    @staticmethod
    def _compare(network, monkeypatch, rows):
        table = torch.tensor(np.array(rows), dtype=torch.float32)
        monkeypatch.setattr(network, '_write', lambda z: iter(table.T))
        found = network._caption(torch.zeros(len(rows), 512))
        for values, row in zip(found, table.numpy(), strict=True):
            assert len(values) == halt_reference(row)
            assert_array_equal(values, row[:len(values)])
        return [len(values) for values in found]


class TestErrors:
    @pytest.mark.parametrize(('image', 'match'), [
        (np.zeros((256, 255)), r'256x256 pixels or more .* got 255x256'),
        (np.zeros(300), 'must be a 2D array of numbers'),
        (np.full((300, 300), 'a'), 'must be a 2D array of numbers'),
        (np.full((256, 256), np.nan), r'images\[0\] must be finite, but '
                                      '65536'),
    ])
    def test_image(self, network, image, match):
        with pytest.raises(ValueError, match=match):
            network.profile(image)

    def test_no_images(self, network):
        assert network.profiles([]) == []

    def test_pool(self):
        with pytest.raises(ValueError, match='pool must be an integer'):
            OriginalPix2Prof(0)

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='does not exist'):
            load_original(tmp_path / 'none.pth')

    def test_text(self, tmp_path):
        path = tmp_path / 'a.pth'
        path.write_text('no checkpoint')
        with pytest.raises(ValueError, match='not a checkpoint of weights'):
            load_original(path)
        path.write_bytes(b'')
        with pytest.raises(ValueError, match='not a checkpoint of weights'):
            load_original(path)

    def test_code(self, tmp_path):
        # a file that would execute something is refused
        path = tmp_path / 'a.pth'
        torch.save({'encoder': pytest.approx, 'decoder': {}}, path)
        with pytest.raises(ValueError, match='or would run code'):
            load_original(path)

    @pytest.mark.parametrize(('content', 'match'), [
        ([1], "has no 'encoder'; it holds: list"),
        ({'decoder': {}, 'epoch': 1}, "has no 'encoder'; it holds: decoder"),
        ({'encoder': {}, 'decoder': 3}, "has no 'decoder'"),
        ({'encoder': {}, 'decoder': {}},
         r'the encoder in .* missing conv1.weight, .* and \d+ more'),
    ])
    def test_content(self, tmp_path, content, match):
        path = tmp_path / 'a.pth'
        torch.save(content, path)
        with pytest.raises(ValueError, match=match):
            load_original(path)

    def test_keys(self, tmp_path):
        state = make_state()
        for key in list(state['encoder']):
            # as older versions of torch wrote it
            if key.endswith('num_batches_tracked'):
                del state['encoder'][key]
        load_original(save(tmp_path / 'p.pth', state))
        del state['decoder']['gru.weight_hh_l2']
        state['decoder']['fc.bias'] = torch.zeros(2)
        state['decoder']['more'] = torch.zeros(2)
        with pytest.raises(ValueError, match=(
                r'the decoder in .* missing gru.weight_hh_l2; unknown more; '
                r'of another shape fc.bias \(2,\) instead of \(1,\)')):
            load_original(save(tmp_path / 'p.pth', state))
        state['encoder']['fc1.weight'] = torch.zeros(512, 700)
        with pytest.raises(ValueError, match=r'512 p\^2 inputs'):
            load_original(save(tmp_path / 'p.pth', state))
