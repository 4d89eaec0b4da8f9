# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Registry of trained weights: safetensors files with JSON model cards.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from astro_pix2prof.networks.architectures import ARCHITECTURES

__all__ = ['WeightsError', 'describe_mismatch', 'file_sha256', 'find_weights',
           'list_weights', 'load_checkpoint', 'load_network', 'read_card',
           'write_weights']


FOLDER = Path(__file__).parents[1] / 'weights'

# The least that a model card must hold, and the type of each entry.
_CARD_KEYS = {'architecture': str, 'config': dict, 'sha256': str}


class WeightsError(ValueError):
    """
    Error for a file of weights, or a model card, that cannot be used.
    """


def list_weights():
    """
    List the names of the weights that ship with the package.

    Returns
    -------
    names : list of str
    """
    return sorted(path.stem for path in FOLDER.glob('*.json'))


def _list_of(kinds):
    """
    List the names of the weights of some architectures.
    """
    return [name for name in list_weights() if kinds is None or json.loads(
        (FOLDER / f'{name}.json').read_text(encoding='utf-8'))[
            'architecture'] in kinds]


def find_weights(weights, *, kinds=None):
    """
    Find the file of some weights.

    Parameters
    ----------
    weights : str or path-like
        A name of `list_weights`, or a ``.safetensors`` file with its model
        card, a ``.json`` file of the same name, beside it.

    kinds : collection of str, optional
        Names of the architectures that can be used. Errors offer the
        names of their weights only.

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
    if not isinstance(weights, str | os.PathLike):
        msg = (f'weights must be a name or the path of a .safetensors file, '
               f'got {type(weights).__name__}: images are given to the '
               'fitter that was made, fitter(image)')
        raise TypeError(msg)
    if str(weights) in list_weights():
        return FOLDER / f'{weights}.safetensors'
    path = Path(weights)
    if path.suffix != '.safetensors':
        known = ', '.join(_list_of(kinds)) or 'none are installed'
        msg = (f'weights must be a name ({known}) or a .safetensors file, '
               f'got {str(weights)!r}')
        raise ValueError(msg)
    if not path.is_file():
        msg = f'weights: {path} does not exist'
        raise FileNotFoundError(msg)
    card = path.with_suffix('.json')
    if not card.is_file():
        msg = (f'weights: {card} does not exist: the model card must lie '
               'beside the weights, copy both files')
        raise FileNotFoundError(msg)
    return path


def file_sha256(path):
    """
    Compute the SHA-256 of a file, as a hexadecimal string.
    """
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_card(weights, *, kinds=None):
    """
    Read the model card of some weights.

    Parameters
    ----------
    weights : str or path-like
        See `find_weights`.

    kinds : collection of str, optional
        See `find_weights`.

    Returns
    -------
    card : dict
        Architecture, configuration, recipe, data, metrics, limits of
        validity, ``sha256``.

    Raises
    ------
    ValueError
        If there are no weights of that name.
    FileNotFoundError
        If the file or its card does not exist.
    WeightsError
        If the card is not one, or lacks an entry that is needed.
    """
    path = find_weights(weights, kinds=kinds).with_suffix('.json')
    advice = ('copy the weights and their model card again, or train '
              'them again')
    try:
        card = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        msg = (f'weights: the model card {path} is not valid JSON '
               f'({error}): {advice}')
        raise WeightsError(msg) from error
    if not isinstance(card, dict):
        msg = (f'weights: the model card {path} must be a table, got '
               f'{type(card).__name__}: {advice}')
        raise WeightsError(msg)
    if card.get('architecture') == 'head':
        msg = (f'weights: {path} belongs to a head, which fine_tune fitted '
               'to embeddings, and a fitter needs a network: give it to '
               f'Head({str(path.with_suffix(".safetensors"))!r}), whose '
               'predict takes what fitter.encode returns')
        raise WeightsError(msg)
    for key, kind in _CARD_KEYS.items():
        if not isinstance(card.get(key), kind):
            found = (f'got {card[key]!r}' if key in card
                     else 'which is missing')
            msg = (f'weights: the model card {path} must have an entry '
                   f'{key!r} of the type {kind.__name__}, {found}: {advice}')
            raise WeightsError(msg)
    name = card['architecture']
    known = [item.name for item in ARCHITECTURES.values() if item.config]
    if name not in known:
        msg = (f'weights: {path} is for the architecture {name!r}, this '
               f'version knows {", ".join(known)}: install a version that '
               'knows it')
        raise WeightsError(msg)
    _check_error_model(card, path)
    return card


def _check_error_model(card, path):
    """
    Check that the errors of a network can be computed from its card.
    """
    if card.get('error_model') is None:
        return
    model = card['error_model']
    architecture = ARCHITECTURES[card['architecture']]
    groups = architecture.error_columns
    if isinstance(model, dict):
        groups += tuple(group for group in architecture.more_error_columns
                        if any(key in model for key in group))
    keys = [key for group in groups for key in group]
    problem = ''
    if not isinstance(model, dict) or any(key not in model for key in keys):
        problem = f'must be a table with {", ".join(keys)}'
    else:
        correlation = model.get('correlation')
        columns = {key: model[key] for key in keys}
        if 'sky_factor' in model:
            columns['sky_factor'] = model['sky_factor']
        if correlation is not None:
            columns.update({key: correlation.get(key) if isinstance(
                correlation, dict) else None
                for key in ('length', 'smooth', 'common')})
        bad = [key for key, column in columns.items()
               if not _is_finite(column)]
        if bad:
            problem = f'must have finite numbers for {", ".join(bad)}'
        for group in () if bad else groups:
            first = np.atleast_1d(columns[group[0]])
            if len({np.shape(columns[key]) for key in group}) > 1 or (
                    first.ndim > 1 or (np.diff(first) < 0).any()):
                problem = (f'must have columns of equal length for '
                           f'{", ".join(group)}, of which the first does '
                           'not decrease')
    if problem:
        msg = (f'weights: error_model of the model card {path} {problem}: '
               'copy the card again, or measure the errors again with '
               'astro_pix2prof.training.error_model.measure_errors')
        raise WeightsError(msg)


def _is_finite(values):
    """
    Tell whether something is a finite number, or a list of some.
    """
    try:
        values = np.asarray(values)
    except ValueError:
        return False
    return bool(values.size and values.dtype.kind in 'if'
                and np.isfinite(values).all())


def load_network(weights, *, device='cpu'):
    """
    Load a network with its weights, ready to be used.

    Parameters
    ----------
    weights : str or path-like
        See `find_weights`.

    device : str, optional
        The device of the network.

    Returns
    -------
    network : `torch.nn.Module`
        In single precision and in evaluation mode.

    card : dict
        The model card.

    Raises
    ------
    ValueError
        If there are no weights of that name.
    FileNotFoundError
        If the file or its card does not exist.
    WeightsError
        If the file is damaged, is not the one that its card describes, or
        has weights that are not finite; or if the card cannot be used.
    """
    path = find_weights(weights)
    card = read_card(weights)
    found = file_sha256(path)
    if found != card['sha256']:
        msg = (f'weights: the SHA-256 of {path} is {found}, and its model '
               f'card says {card["sha256"]}: the file is damaged or is not '
               'the one that the card describes; copy both again')
        raise WeightsError(msg)
    try:
        state = load_file(path)
    except SafetensorError as error:
        msg = (f'weights: {path} is not a safetensors file, or is truncated '
               f'({error}): copy it again')
        raise WeightsError(msg) from error
    for key, value in state.items():
        if value.is_floating_point():
            state[key] = value = value.float()
        if not torch.isfinite(value).all():
            msg = (f'weights: {key} in {path} has values that are not '
                   'finite: use other weights, or train again with a lower '
                   'learning rate')
            raise WeightsError(msg)
    try:
        network = ARCHITECTURES[card['architecture']].make_network(
            card['config'])
    except (ValueError, TypeError, RuntimeError, MemoryError) as error:
        msg = (f"weights: the entry 'config' of the model card "
               f'{path.with_suffix(".json")} cannot be used: {error}')
        raise WeightsError(msg) from error
    problems = describe_mismatch(network.state_dict(), state)
    if problems:
        msg = (f'weights: {path} does not hold the network that its model '
               f'card describes: {problems}; copy both files again')
        raise WeightsError(msg)
    network.load_state_dict(state)
    return network.eval().to(device), card


def describe_mismatch(wanted, state, *, optional=()):
    """
    Describe how a dictionary of weights differs from that of a network.

    Parameters
    ----------
    wanted, state : dict of `torch.Tensor`
        The weights of the network, and those that were found.

    optional : tuple of str, optional
        Endings of the names of weights that may be missing.

    Returns
    -------
    text : str
        Missing weights, unknown ones and those of another shape; empty if
        there are none.
    """
    missing = [key for key in wanted if key not in state
               and not key.endswith(tuple(optional))]
    extra = [str(key) for key in state if key not in wanted]
    shapes = [f'{key} {_shape(state[key])} instead of {tuple(value.shape)}'
              for key, value in wanted.items()
              if key in state and _shape(state[key]) != tuple(value.shape)]
    return '; '.join(f'{kind} {", ".join(keys[:6])}'
                     + (f' and {len(keys) - 6} more' if len(keys) > 6 else '')
                     for kind, keys in (('missing', missing),
                                        ('unknown', extra),
                                        ('of another shape', shapes)) if keys)


def _shape(value):
    return tuple(value.shape) if hasattr(value, 'shape') else type(
        value).__name__


def load_checkpoint(path, *, name='path', map_location='cpu'):
    """
    Load a file that torch wrote, without running what is in it.

    Parameters
    ----------
    path : path-like
        The file.

    name : str, optional
        The name of the argument, for messages.

    map_location : optional
        As for `torch.load`.

    Returns
    -------
    content : object
        Tensors, numbers, strings and containers of these.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    WeightsError
        If the file is damaged, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        msg = f'{name}: {path} does not exist'
        raise FileNotFoundError(msg)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file leads to many kinds of them
        # torch's own message tells how to switch the protection off, which
        # is no advice for a file from elsewhere
        msg = (f'{name}: {path} is not a checkpoint of weights alone '
               f'({type(error).__name__}): it is damaged, of another kind, '
               'or would run code; nothing in it was run')
        raise WeightsError(msg) from error


def write_weights(network, card, path, *, half=True):
    """
    Write weights and their model card.

    Parameters
    ----------
    network : `torch.nn.Module`
        The network.

    card : dict
        Entries of the card; ``sha256``, ``config`` and the number of
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
    WeightsError
        If a weight is not finite.
    """
    path = Path(path)
    if path.suffix != '.safetensors':
        msg = f'path must end in .safetensors, got {str(path)!r}'
        raise ValueError(msg)
    state = {}
    for key, value in network.state_dict().items():
        value = value.detach().cpu()
        if not torch.isfinite(value).all():
            msg = (f'network: {key} has values that are not finite, so '
                   f'{path} was not written: the training diverged, train '
                   'again with a lower learning rate')
            raise WeightsError(msg)
        if half and value.is_floating_point():
            # running variances can exceed the range of half precision
            small = value if ('running_' in key or 'domain.' in key) else (
                value.to(torch.float16))
            if not torch.isfinite(small).all():
                msg = (f'network: {key} is beyond the range of half '
                       'precision: give half=False')
                raise ValueError(msg)
            value = small
        state[key] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    # (save_file makes files that only their owner can read)
    path.write_bytes(save(state))
    card = {**card, 'config': network.config.to_dict(),
            'parameters': sum(p.numel() for p in network.parameters()),
            'precision': 'float16' if half else 'float32',
            'sha256': file_sha256(path)}
    text = json.dumps(card, indent=1, ensure_ascii=False, sort_keys=False)
    path.with_suffix('.json').write_text(text + '\n', encoding='utf-8')
    return path
