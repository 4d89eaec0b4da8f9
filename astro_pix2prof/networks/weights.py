# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The registry of trained weights: safetensors files with JSON model cards.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from astro_pix2prof.networks.architectures import ARCHITECTURES

__all__ = ['file_sha256', 'find_weights', 'list_weights', 'load_network',
           'read_card', 'write_weights']


FOLDER = Path(__file__).parents[1] / 'weights'


def list_weights():
    """
    The names of the weights that ship with the package.

    Returns
    -------
    names : list of str
    """
    return sorted(path.stem for path in FOLDER.glob('*.json'))


def find_weights(weights):
    """
    The file of some weights.

    Parameters
    ----------
    weights : str or path-like
        A name of `list_weights`, or a ``.safetensors`` file with its model
        card, a ``.json`` file of the same name, beside it.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ValueError
        If there are no weights of that name.
    FileNotFoundError
        If the file or its card does not exist.
    """
    if str(weights) in list_weights():
        return FOLDER / f'{weights}.safetensors'
    path = Path(weights)
    if path.suffix != '.safetensors':
        known = ', '.join(list_weights()) or 'none are installed'
        msg = (f'weights must be a name ({known}) or a .safetensors file, '
               f'got {str(weights)!r}')
        raise ValueError(msg)
    for part in (path, path.with_suffix('.json')):
        if not part.is_file():
            msg = f'weights: {part} does not exist'
            raise FileNotFoundError(msg)
    return path


def file_sha256(path):
    """
    The SHA-256 of a file, as a hexadecimal string.
    """
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_card(weights):
    """
    The model card of some weights.

    Parameters
    ----------
    weights : str or path-like
        See `find_weights`.

    Returns
    -------
    card : dict
        Architecture, configuration, recipe, data, metrics, limits of
        validity, ``sha256``.
    """
    path = find_weights(weights).with_suffix('.json')
    return json.loads(path.read_text(encoding='utf-8'))


def load_network(weights, *, device='cpu'):
    """
    A network with its weights, ready to be used.

    Parameters
    ----------
    weights : str or path-like
        See `find_weights`.

    device : str, optional
        Where to put it.

    Returns
    -------
    network : `torch.nn.Module`
        In single precision and in evaluation mode.

    card : dict
        The model card.

    Raises
    ------
    ValueError
        If the checksum of the file is not that of its card, or if the
        architecture is unknown.
    """
    path = find_weights(weights)
    card = read_card(weights)
    found = file_sha256(path)
    if found != card.get('sha256'):
        msg = (f'weights: the SHA-256 of {path} is {found}, and its model '
               f'card says {card.get("sha256")}: the file is damaged or is '
               'not the one that the card describes')
        raise ValueError(msg)
    name = card['architecture']
    if name not in ARCHITECTURES:
        msg = (f'weights: {path} is for the architecture {name!r}, this '
               f'version knows {", ".join(ARCHITECTURES)}')
        raise ValueError(msg)
    network_class, config_class = ARCHITECTURES[name]
    network = network_class(config_class.from_dict(card['config']))
    state = {key: value.float() if value.is_floating_point() else value
             for key, value in load_file(path).items()}
    network.load_state_dict(state)
    return network.eval().to(device), card


def write_weights(network, card, path, *, half=True):
    """
    Write weights and their model card.

    Parameters
    ----------
    network : `torch.nn.Module`
        The network.

    card : dict
        What the card says; ``sha256``, ``config`` and the number of
        parameters are added.

    path : path-like
        The ``.safetensors`` file.

    half : bool, optional
        Whether to write in half precision.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ValueError
        If the path has another ending, or a weight is beyond the range of
        half precision.
    """
    path = Path(path)
    if path.suffix != '.safetensors':
        msg = f'path must end in .safetensors, got {str(path)!r}'
        raise ValueError(msg)
    state = {}
    for key, value in network.state_dict().items():
        value = value.detach().cpu()
        if half and value.is_floating_point():
            # running variances can exceed the range of half precision
            small = value if ('running_' in key or 'domain.' in key) else (
                value.to(torch.float16))
            if torch.isfinite(value).all() > torch.isfinite(small).all():
                msg = (f'network: {key} is beyond the range of half '
                       'precision: give half=False')
                raise ValueError(msg)
            value = small
        state[key] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    card = {**card, 'config': network.config.to_dict(),
            'parameters': sum(p.numel() for p in network.parameters()),
            'precision': 'float16' if half else 'float32',
            'sha256': file_sha256(path)}
    text = json.dumps(card, indent=1, ensure_ascii=False, sort_keys=False)
    path.with_suffix('.json').write_text(text + '\n', encoding='utf-8')
    return path
