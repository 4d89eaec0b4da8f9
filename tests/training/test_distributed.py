# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of training on more than one process.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

pytest.importorskip('lightning')
pytest.importorskip('tensorboard')

from astro_pix2prof.networks import CaptionerConfig, read_card
from astro_pix2prof.training import read_recipe, run, train
from astro_pix2prof.training.checkpoint import check_run
from astro_pix2prof.training.data import make_loader
from astro_pix2prof.training.module import ProfileModule

SMALL = {'data': {'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [4],
                  'wobble': 0, 'repeat': 1, 'workers': 0, 'validation': 8},
         'training': {'steps': 6, 'checkpoint_steps': 2, 'warmup': 0,
                      'precision': '32-true'}}
NETWORKS = {'encoder': {'channels': 4, 'hidden': 8},
            'rings': {'channels': 8, 'channels_find': 8, 'hidden': 8}}


def small_recipe(name='encoder', **changes):
    return read_recipe(name, network=NETWORKS[name], data={
        **SMALL['data'], **changes}, training=SMALL['training'])


def run_both(folder, *options):
    """
    Run the script on two processes, and return what each of them leaves.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    root = Path(__file__).parents[2]
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'WORLD_SIZE': '2',
           'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port),
           'PYTHONPATH': os.pathsep.join(
               [str(root), os.environ.get('PYTHONPATH', '')])}
    script = Path(__file__).with_name('two_processes.py')
    both = [subprocess.Popen(
        [sys.executable, script, folder, *options], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**env, 'LOCAL_RANK': str(rank), 'RANK': str(rank)})
        for rank in range(2)]
    texts = [process.communicate(timeout=900)[0] for process in both]
    return [process.returncode for process in both], texts


def read_state(folder):
    return torch.load(folder / 'last.ckpt', weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['encoder', 'rings'])
def test_killed_and_resumed(tmp_path, name):
    """
    Two processes that were killed end with the weights of two that were not.
    """
    codes, texts = run_both(tmp_path, name, 'straight', 'killed')
    assert codes == [9, 9], texts
    assert read_state(tmp_path / 'killed')['global_step'] == 2
    codes, texts = run_both(tmp_path, name, 'resumed')
    assert codes == [0, 0], texts
    straight, killed = (read_state(tmp_path / part)
                        for part in ('straight', 'killed'))
    assert killed['global_step'] == straight['global_step'] == 6
    for key, value in straight['state_dict'].items():
        assert torch.equal(killed['state_dict'][key], value), key
    curves = [read_card(tmp_path / part / f'{name}.safetensors')[
        'learning_curve']['rows'] for part in ('straight', 'killed')]
    assert curves[0] == curves[1]
    # one process writes
    folder = tmp_path / 'straight'
    card = read_card(folder / f'{name}.safetensors')
    assert card['processes'] == 2
    assert card['presentations'] == 6 * 2 * 4
    assert sorted(path.name for path in folder.iterdir()) == sorted([
        'last.ckpt', 'logs', 'recipe.json', 'tensorboard', f'{name}.json',
        f'{name}.safetensors'])
    assert [path.name for path in (folder / 'logs').iterdir()] == [
        'version_0']
    assert len(list((folder / 'tensorboard').glob('events*'))) == 1
    # both have the same weights, and learned from what both saw
    weights = [load_file(tmp_path / f'straight_{rank}.safetensors')
               for rank in range(2)]
    assert weights[0].keys() == weights[1].keys()
    for key, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][key])


class TestOtherNumber:
    @pytest.fixture(name='folder')
    def make_folder(self, tmp_path, monkeypatch):
        """
        A run on two processes, of which two of six steps are done.
        """
        recipe = small_recipe()
        monkeypatch.setattr(run, 'export', lambda *args, **kwargs: None)
        train(recipe, tmp_path, accelerator='cpu', devices=1,
              progress=False, max_minutes=1e-6)
        state = read_state(tmp_path)
        assert 0 < state['global_step'] < 6
        assert state['run'] == {'recipe': recipe.digest, 'processes': 1}
        state['run']['processes'] = 2
        torch.save(state, tmp_path / 'last.ckpt')
        return tmp_path

    def test_error(self, folder):
        before = (folder / 'last.ckpt').read_bytes()
        with pytest.raises(ValueError, match=r'holds a run of 2 processes .*, '
                           'this would be one of 1: go on with as many'):
            train(small_recipe(), folder, accelerator='cpu', devices=1,
                  progress=False)
        assert (folder / 'last.ckpt').read_bytes() == before

    def test_as_many(self, folder):
        assert check_run(folder, small_recipe(), 2) == 2

    def test_complete(self, folder):
        """
        A run that is complete may be exported by any number.
        """
        state = read_state(folder)
        torch.save({**state, 'global_step': 6}, folder / 'last.ckpt')
        assert check_run(folder, small_recipe(), 1) == 2

    def test_earlier_version(self, folder):
        state = read_state(folder)
        del state['run']
        torch.save(state, folder / 'last.ckpt')
        assert check_run(folder, small_recipe(), 5) == 5

    def test_checkpoint_of_another_recipe(self, folder):
        """
        The note is of a later start that left no checkpoint.
        """
        other = small_recipe(validation=4)
        note = json.loads((folder / 'recipe.json').read_text())
        (folder / 'recipe.json').write_text(json.dumps(
            {**note, 'digest': other.digest}))
        with pytest.raises(ValueError, match='holds a run of another recipe'):
            check_run(folder, other, 2)


@pytest.mark.parametrize('world', [2, 3])
def test_pairs(tmp_path, world):
    """
    No pair is shown twice in an epoch, whatever process shows it.
    """
    n = 12
    arrays = {'image': np.zeros((n, 64, 64), np.float32),
              'mask': np.zeros((n, 64, 64), bool),
              'sma': np.arange(48, dtype=np.float32),
              'intensity': (1 + np.arange(n, dtype=np.float32))[:, None]
              * np.exp(-np.arange(48, dtype=np.float32) / 8),
              'sigma': np.full(n, 0.01, np.float32),
              'zeropoint': np.full(n, 22.5, np.float32),
              'pixel_scale': np.full(n, 0.4, np.float32)}
    np.savez(tmp_path / 'train-00000.npz', **arrays)
    recipe = read_recipe('captioner', network={'n_pix': 64}, data={
        **SMALL['data'], 'batch_size': [2], 'source': 'pairs',
        'folder': str(tmp_path)}, training={
            **SMALL['training'], 'steps': 6 // world,
            'checkpoint_steps': 6 // world})
    config = CaptionerConfig.from_dict(recipe.network)
    shown = []
    for rank in range(world):
        loader = make_loader(recipe, config, split='train', rank=rank,
                             world=world)
        for number in loader.sampler:
            shown += loader.dataset[number]['target'][:, 0].tolist()
    assert len(shown) == len(set(shown)) == n


def test_median_of_all(monkeypatch):
    """
    The validation is the median over the images of all processes.
    """
    module = ProfileModule(small_recipe())
    others = torch.tensor([5.0, 6, 7, 8, 9])

    def gather(found, mine):
        found[:] = [mine, others]

    monkeypatch.setattr('torch.distributed.all_gather_object', gather)
    module._trainer = SimpleNamespace(world_size=2)
    logged = {}
    monkeypatch.setattr(module, 'log', lambda name, value, **kwargs:
                        logged.update({name: float(value)}))
    module._errors = [torch.tensor([1.0, 2])]
    module.on_validation_epoch_end()
    assert logged['val_mad'] == 6
    assert logged['val_mad_mean'] == pytest.approx(38 / 7)
    assert module._errors == []


def test_steps_are_stated():
    text = run._describe_steps(small_recipe(), 3)
    assert text == ('encoder: 3 processes, 12 images in each of 6 steps, '
                    'learning rate 0.002 as in the recipe')
    assert run._describe_steps(small_recipe(), 1).startswith(
        'encoder: 1 process, 4 images')
