# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of weights and model cards that cannot be used.
"""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from astro_pix2prof.networks import (
    RingConfig,
    RingNetwork,
    WeightsError,
    load_network,
    load_original,
    read_card,
)
from astro_pix2prof.networks.weights import (
    file_sha256,
    load_checkpoint,
    write_weights,
)

SETTINGS = {'channels': 8, 'channels_find': 8, 'hidden': 8}


@pytest.fixture(name='path')
def make_path(tmp_path):
    """
    Weights of a small ring network.
    """
    network = RingNetwork(RingConfig(**SETTINGS))
    return write_weights(network, {
        'architecture': 'rings', 'error_model': {
            'value': [-3.0, 1.0], 'factor': [1.0, 2.0], 'log_sma': [0.0],
            'factor_sma': [1.0], 'correlation': {
                'length': 0.3, 'smooth': 0.5, 'common': 0.1}}},
        tmp_path / 'a.safetensors')


def test_readable_by_others(path):
    """
    Weights have the permissions of every other new file.
    """
    assert path.stat().st_mode == path.with_suffix('.json').stat().st_mode


def change_card(path, **entries):
    """
    Change entries of a card; `None` removes one.
    """
    card = path.with_suffix('.json')
    text = {**json.loads(card.read_text()), **entries}
    card.write_text(json.dumps({key: value for key, value in text.items()
                                if value is not None}))


def sign(path):
    """
    Put the checksum of the file into its card, as an attacker would.
    """
    change_card(path, sha256=file_sha256(path))


def test_error_type(path):
    assert issubclass(WeightsError, ValueError)
    network, card = load_network(path)
    assert isinstance(network, RingNetwork)
    assert card['error_model']['factor'] == [1.0, 2.0]


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_not_finite(path, value):
    state = load_file(path)
    state['find.into.bias'][1] = value
    save_file(state, path)
    sign(path)
    with pytest.raises(WeightsError, match=r'find\.into\.bias in .*'
                       r'a\.safetensors has values that are not finite: use '
                       'other weights'):
        load_network(path)


def test_not_finite_written(tmp_path):
    network = RingNetwork(RingConfig(**SETTINGS))
    with torch.no_grad():
        network.find.into.bias[0] = torch.nan
    with pytest.raises(WeightsError, match=r'find\.into\.bias has values that '
                       'are not finite, so .* not written: the training div'):
        write_weights(network, {}, tmp_path / 'a.safetensors')
    assert not list(tmp_path.iterdir())


def _cut(data):
    return data[:-100]


def _cut_header(data):
    return data[:20]


def _empty(data):
    return b''


def _text(data):
    return b'<html>404</html>'


def _long_header(data):
    return struct.pack('<Q', 2**62) + data[8:]


def _bad_header(data):
    return data[:8] + b'[' + data[9:]


@pytest.mark.parametrize('garble', [_cut, _cut_header, _empty, _text,
                                    _long_header, _bad_header])
def test_garbled(path, garble):
    path.write_bytes(garble(path.read_bytes()))
    with pytest.raises(WeightsError, match=r'the SHA-256 of .*a\.safetensors '
                       r'.* damaged .*; copy both again'):
        load_network(path)
    # ... and with a card that says so
    sign(path)
    with pytest.raises(WeightsError, match=r'a\.safetensors is not a '
                       r'safetensors file, or is truncated .*copy it again'):
        load_network(path)


@pytest.mark.parametrize(('change', 'match'), [
    (lambda s: s.pop('find.into.bias'), r'missing find\.into\.bias'),
    (lambda s: s.update(more=torch.ones(2)), 'unknown more'),
    (lambda s: s.update({'find.into.bias': torch.ones(3)}),
     r'of another shape find\.into\.bias \(3,\) instead of \(8,\)')])
def test_other_network(path, change, match):
    state = load_file(path)
    change(state)
    save_file(state, path)
    sign(path)
    with pytest.raises(WeightsError, match=r'a\.safetensors does not hold the '
                       f'network that its model card describes: {match}; '
                       'copy both'):
        load_network(path)


@pytest.mark.parametrize('key', ['architecture', 'config', 'sha256'])
@pytest.mark.parametrize('value', [None, 3])
def test_card_key(path, key, value):
    change_card(path, **{key: value})
    found = 'missing' if value is None else 'got 3'
    for read in (read_card, load_network):
        with pytest.raises(WeightsError, match=rf'a\.json must have an entry '
                           f"'{key}' of the type .*{found}: copy the weights"):
            read(path)


@pytest.mark.parametrize(('text', 'match'), [
    ('', r'a\.json is not valid JSON'), ('{"a": ', 'is not valid JSON'),
    ('\ud800', 'is not valid JSON'), (100000 * '[', 'is not valid JSON'),
    ('[1]', 'must be a table, got list')])
def test_card_text(path, text, match):
    path.with_suffix('.json').write_bytes(text.encode(
        'utf-8', 'surrogatepass'))
    with pytest.raises(WeightsError, match=match):
        load_network(path)


@pytest.mark.parametrize('name', ['original', 'squares', '../rings'])
def test_card_architecture(path, name):
    change_card(path, architecture=name)
    with pytest.raises(WeightsError, match=f'architecture {name!r}, this '
                                           'version knows captioner, rings'):
        load_network(path)


@pytest.mark.parametrize(('config', 'match'), [
    ({'colour': 3}, 'unknown settings of the network: colour'),
    ({'channels': 'many'}, 'channels of the network must be of the type int'),
    ({'channels': True}, 'channels of the network must be of the type int'),
    ({'refine': 1}, 'refine of the network must be of the type bool'),
    ({'ratio': None}, 'ratio of the network must be of the type float'),
    ({'ratio': 9}, 'ratio must be from 1.02'),
    ({'channels': -4}, 'negative'), ({'channels': 10**9}, 'memory|alloc')])
def test_card_config(path, config, match):
    change_card(path, config={**SETTINGS, **config})
    with pytest.raises(WeightsError, match=rf"the entry 'config' of .*a\.json"
                       rf' cannot be used: (?s:.)*{match}'):
        load_network(path)


@pytest.mark.parametrize(('change', 'match'), [
    ({'factor': None}, 'must be a table with value, factor, log_sma, fac'),
    ({'value': []}, 'must have finite numbers for value'),
    ({'value': ['a', 'b']}, 'must have finite numbers for value'),
    ({'value': [[1], [1, 2]]}, 'must have finite numbers for value'),
    ({'factor': [1.0, float('nan')]}, 'must have finite numbers for factor'),
    ({'factor': [1.0]}, 'must have columns of equal length for value, fac'),
    ({'value': [1.0, -3.0]}, 'must have columns .* does not decrease'),
    ({'correlation': {'length': 0.3}},
     'must have finite numbers for smooth, common'),
    ({'correlation': 3}, 'must have finite numbers for length, smooth'),
    ({'eps': [0.1, 0.2]}, 'must be a table with .*factor_eps'),
    ({'sky_factor': 'half'}, 'must have finite numbers for sky_factor'),
    ({'log_pa_error': [0.1, 0.2], 'factor_pa_error': [1.0]},
     'must have columns of equal length for .*factor_pa_error')])
def test_card_errors(path, change, match):
    model = {**read_card(path)['error_model'], **change}
    change_card(path, error_model={key: value for key, value in model.items()
                                   if value is not None})
    with pytest.raises(WeightsError, match=r'error_model of the model card '
                       rf'.*a\.json {match}.*measure_errors'):
        load_network(path)


def test_card_errors_type(path):
    change_card(path, error_model=[1])
    with pytest.raises(WeightsError, match='must be a table with value, fac'):
        load_network(path)
    change_card(path, error_model=None)
    assert 'error_model' not in load_network(path)[1]


def test_missing(path):
    path.with_suffix('.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'a\.json does not exist: the '
                                                'model card must lie beside'):
        load_network(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'a\.safetensors does not'):
        load_network(path)


class Payload:
    """
    An object that touches a file when it is unpickled.
    """

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_checkpoint_payload(tmp_path):
    touched, path = tmp_path / 'touched', tmp_path / 'a.pth'
    torch.save({'encoder': {}, 'decoder': Payload(touched)}, path)
    for load in (load_original, load_checkpoint):
        with pytest.raises(WeightsError, match=r'a\.pth is not .* would run '
                                               'code; nothing in it was run'):
            load(path)
    assert not touched.exists()
    torch.load(path, weights_only=False)
    assert touched.exists()


def test_original_not_finite(tmp_path):
    from astro_pix2prof.networks import OriginalPix2Prof

    network = OriginalPix2Prof()
    parts = {name: getattr(network, name).state_dict()
             for name in ('encoder', 'decoder')}
    parts['decoder']['fc.bias'][0] = torch.nan
    torch.save(parts, tmp_path / 'a.pth')
    with pytest.raises(WeightsError, match=r'fc\.bias of the decoder in .*a\.'
                       'pth has values that are not finite: download'):
        load_original(tmp_path / 'a.pth')
    parts['decoder']['fc.bias'] = 'none'
    torch.save(parts, tmp_path / 'a.pth')
    with pytest.raises(WeightsError, match=r'of another shape fc\.bias str'):
        load_original(tmp_path / 'a.pth')


def test_not_readable(tmp_path, monkeypatch):
    """
    A file that may not be read is not called damaged.
    """
    path = tmp_path / 'a.pth'
    torch.save({}, path)

    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr('torch.load', refuse)
    with pytest.raises(PermissionError, match='Permission denied'):
        load_checkpoint(path)
