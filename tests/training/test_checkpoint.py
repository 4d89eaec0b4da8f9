# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of checkpoints of training runs, with attacks.
"""

import json
import pickle
from pathlib import Path

import pytest
import torch

pytest.importorskip('lightning')
pytest.importorskip('tensorboard')

from astro_pix2prof.networks import WeightsError
from astro_pix2prof.training import read_recipe, train
from astro_pix2prof.training.checkpoint import (
    SafeCheckpointIO,
    read_checkpoint,
)

pytestmark = pytest.mark.usefixtures('small_encoder')

RECIPE = read_recipe(
    'captioner', network={'size': 16, 'n_pix': 64, 'layers': 1,
                          'max_length': 64, 'halt_window': 20},
    data={'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [2], 'wobble': 0,
          'repeat': 1, 'workers': 0, 'validation': 2, 'clutter': False},
    training={'steps': 2, 'checkpoint_steps': 1, 'warmup': 0, 'ema': 0.0})


class Payload:
    """
    An object that touches a file when it is unpickled.
    """

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def run(folder, **options):
    return train(RECIPE, folder, accelerator='cpu', devices=1,
                 progress=False, **options)


@pytest.fixture(name='state', scope='module')
def make_state(tmp_path_factory, small_encoder):
    """
    The checkpoint of a run that is not complete.
    """
    folder = tmp_path_factory.mktemp('run')
    run(folder, max_minutes=1e-6)
    state = torch.load(folder / 'last.ckpt', weights_only=True)
    assert state['global_step'] == 1
    return state


@pytest.fixture(name='folder')
def make_folder(tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'recipe.json').write_text(json.dumps(
        {'digest': RECIPE.digest}))
    return folder


def test_payload(folder, state, tmp_path):
    """
    A checkpoint with a payload is refused, and the payload does not run.
    """
    touched = tmp_path / 'touched'
    torch.save({**state, 'more': Payload(touched)}, folder / 'last.ckpt')
    # the attack works where it is let in
    torch.load(folder / 'last.ckpt', weights_only=False)
    assert touched.exists()
    touched.unlink()
    before = (folder / 'recipe.json').read_text()
    with pytest.raises(WeightsError, match=r'folder: .*last\.ckpt is not a '
                       r'checkpoint of weights alone \(UnpicklingError\).*'
                       'would run code; nothing in it was run; move it '
                       'away, or do not resume'):
        run(folder)
    assert not touched.exists()
    assert (folder / 'recipe.json').read_text() == before


def test_plain_pickle(folder, tmp_path):
    touched = tmp_path / 'touched'
    (folder / 'last.ckpt').write_bytes(pickle.dumps(Payload(touched)))
    with pytest.raises(WeightsError, match='would run code'):
        run(folder)
    assert not touched.exists()


@pytest.mark.parametrize('weights_only', [None, False, True])
def test_lightning(state, tmp_path, monkeypatch, weights_only):
    """
    Lightning cannot be talked into another way to load.
    """
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    touched, path = tmp_path / 'touched', tmp_path / 'hpc_ckpt_1.ckpt'
    torch.save({**state, 'more': Payload(touched)}, path)
    with pytest.raises(WeightsError, match='would run code'):
        SafeCheckpointIO().load_checkpoint(path, weights_only=weights_only)
    assert not touched.exists()


def test_path_in_checkpoint(folder, state, tmp_path):
    """
    A resumed run does not delete the file that a checkpoint names.
    """
    victim = tmp_path / 'victim'
    victim.write_text('precious')
    callbacks = {}
    for key, value in state['callbacks'].items():
        if 'best_model_path' in value:
            value = {**value, 'best_model_path': f'{folder}/../victim',
                     'last_model_path': f'{folder}/../victim',
                     'dirpath': str(folder)}
        callbacks[key] = value
    assert callbacks != state['callbacks']
    torch.save({**state, 'callbacks': callbacks}, folder / 'last.ckpt')
    run(folder)
    assert read_checkpoint(folder / 'last.ckpt')['global_step'] == 2
    assert victim.read_text() == 'precious'


@pytest.mark.parametrize('content', [b'', b'text', b'PK\x03\x04' + 40 * b'x',
                                     b'\x80\x02}q'])
def test_garbled(folder, content):
    (folder / 'last.ckpt').write_bytes(content)
    with pytest.raises(WeightsError, match=r'last\.ckpt is not a checkpoint '
                       r'of weights alone .* or do not resume'):
        run(folder)


def test_truncated(folder, state):
    path = folder / 'last.ckpt'
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match=r'last\.ckpt is not a checkpoint'):
        run(folder)


def test_other_content(folder, state):
    path = folder / 'last.ckpt'
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match=r'it has no state_dict, .*; move '
                                           'it away, or do not resume'):
        run(folder)
    torch.save({key: value for key, value in state.items()
                if key not in ('loops', 'epoch')}, path)
    with pytest.raises(WeightsError, match='is not a checkpoint of a training'
                                           ' run, it has no loops, epoch'):
        run(folder)


@pytest.mark.parametrize('text', [None, '{', '[]', '{"name": "a"}'])
def test_recipe_unknown(folder, state, text):
    torch.save(state, folder / 'last.ckpt')
    note = folder / 'recipe.json'
    note.unlink()
    if text is not None:
        note.write_text(text)
    with pytest.raises(ValueError, match=r'recipe\.json does not say of '
                                         'which recipe'):
        run(folder)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.ckpt does not exist'):
        read_checkpoint(tmp_path / 'a.ckpt')


def test_not_resumed(folder, tmp_path):
    """
    Without resuming, the checkpoint is not read.
    """
    touched = tmp_path / 'touched'
    torch.save({'more': Payload(touched)}, folder / 'last.ckpt')
    run(folder, resume=False)
    assert not touched.exists()
    assert read_checkpoint(folder / 'last.ckpt')['global_step'] == 2
