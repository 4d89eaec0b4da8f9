# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the training package.
"""

import importlib.util
import json
import subprocess
import sys
import textwrap
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof.networks import CaptionerConfig, load_network, read_card
from astro_pix2prof.networks.architectures import ARCHITECTURES
from astro_pix2prof.networks.weights import file_sha256
from astro_pix2prof.training import Recipe, list_recipes, read_recipe
from astro_pix2prof.training.data import (
    PairBatches,
    SimulatedBatches,
    StepSampler,
    make_loader,
)
from astro_pix2prof.training.energy import EnergyMeter
from astro_pix2prof.training.shards import read_shards
from astro_pix2prof.training.tasks.captioner import (
    cut_profile,
    profile_targets,
)
from astro_pix2prof.training.tasks.views import shift_crop, turn

TINY = {
    'network': {'size': 32, 'n_pix': 64, 'halt_window': 20,
                'max_length': 64},
    'data': {'survey': 'sdss-r', 'n_pix': [64], 'batch_size': [4],
             'wobble': 2, 'repeat': 2, 'workers': 0, 'validation': 8,
             'tail': 4, 'clutter': False},
    'training': {'steps': 6, 'checkpoint_steps': 2, 'warmup': 0,
                 'ema': 0.9, 'precision': '32-true', 'seed': 1}}


def tiny_recipe(**changes):
    values = {key: {**value, **changes.get(key, {})}
              for key, value in TINY.items()}
    return read_recipe('captioner', **values)


def config_of(recipe):
    return CaptionerConfig.from_dict(recipe.network)


class TestCutProfile:
    def test_criterion(self):
        # signal 10, noise 2 and then 8: (mean/std)^2 of 25, then 1.6
        rng = np.random.default_rng(3)
        values = 10 + rng.normal(0, 1, 400) * np.where(
            np.arange(400) < 200, 2, 8)
        n = int(cut_profile(torch.from_numpy(values)))
        ratios = []
        for k in range(400 - 39):
            part = values[k:k + 40]
            noise = part - np.polyval(np.polyfit(np.arange(40), part, 1),
                                      np.arange(40))
            ratios.append(part.mean()**2 / noise.var())
        first = int(np.argmax(np.array(ratios) < 4))
        assert n == first + 20
        assert 170 < n < 230
        # the unit does not matter
        assert int(cut_profile(torch.from_numpy(values * 1e-3))) == n

    def test_steep(self):
        # a steep profile without noise is not cut
        values = torch.exp(-torch.arange(120.0) / 15)
        assert int(cut_profile(values)) == 120

    def test_sky(self):
        # a profile ends where it drowns
        rng = np.random.default_rng(3)
        r = np.arange(300)
        values = 100 * np.exp(-r / 20.0) + rng.normal(0, 0.05, 300)
        n = int(cut_profile(torch.from_numpy(values)))
        assert 110 < n < 180
        later = int(cut_profile(torch.from_numpy(values), threshold=0.01))
        assert later >= n

    def test_nan(self):
        values = torch.full((2, 90), 5.0)
        values[1, 50:] = torch.nan
        assert cut_profile(values).tolist() == [90, 50]
        assert cut_profile(values[:, :30]).tolist() == [30, 30]


class TestTargets:
    def test_relative(self):
        sma = torch.tensor([0, 0.5, 1, 2, 3.5, 6, 12])
        intensity = 8 * torch.exp(-sma / 3)[None].expand(2, -1)
        sigma = torch.tensor([0.1, 0.4])
        config = CaptionerConfig(radius_step=0.5)
        target, n_values = profile_targets(
            sma, intensity, sigma, torch.tensor([5.0, 40.0]), config, 20)
        assert n_values.tolist() == [10, 20]
        radius = 0.5 * np.arange(20)
        for k in range(2):
            r = np.minimum(radius, (int(n_values[k]) - 1) * 0.5)
            mag = -2.5 * np.log10(8 * np.exp(-r / 3) / float(sigma[k]))
            assert_allclose(target[k], (mag + 14) / 20, atol=1e-5)

    def test_absolute(self):
        sma = torch.arange(10.0)
        intensity = torch.full((1, 10), 0.3)
        target, _ = profile_targets(
            sma, intensity, torch.ones(1), torch.tensor([5.0]),
            CaptionerConfig.paper(), 8)
        assert_allclose(target, (22.5 - 2.5 * np.log10(0.3) - 2) / 28,
                        atol=1e-6)

    def test_turn(self):
        image = torch.arange(32.0).reshape(2, 4, 4)
        mask = image > 11
        seen = set()
        for k in range(4):
            for flip in (False, True):
                a, m = turn(image, mask, k, flip)
                assert_array_equal(m, a > 11)   # they turn together
                seen.add(tuple(a[0].flatten().tolist()))
        assert len(seen) == 8
        assert_array_equal(turn(image, mask, 1, False)[0],
                           np.rot90(image.numpy(), 1, (1, 2)))

    def test_shift_crop(self):
        image = torch.arange(100.0).reshape(1, 10, 10)
        mask = torch.zeros(image.shape, dtype=torch.bool)
        crop, m = shift_crop(image, mask, 6, 2, -1)
        assert_array_equal(crop[0], image[0, 1:7, 4:10])
        assert not m.any()

    def test_shift_crop_outside(self):
        image = torch.ones(1, 10, 10)
        mask = torch.zeros(image.shape, dtype=torch.bool)
        for n_pix, dx, dy in ((10, 3, 0), (12, 0, 0), (14, -2, 1)):
            crop, m = shift_crop(image, mask, n_pix, dx, dy)
            assert crop.shape == m.shape == (1, n_pix, n_pix)
            assert_array_equal(m, crop == 0)    # what is outside is masked
            assert m.any()
        crop, _ = shift_crop(image, mask, 10, 3, 0)
        assert_array_equal(crop[0, 0], [1] * 7 + [0] * 3)


class TestRecipe:
    @pytest.mark.parametrize('name', list_recipes())
    def test_listed(self, name):
        recipe = read_recipe(name)
        assert recipe.name == name
        assert recipe.description
        config = ARCHITECTURES[recipe.architecture].config_class.from_dict(
            recipe.network)
        if recipe.architecture == 'captioner':
            assert max(recipe.data.n_pix) >= config.n_pix
        assert recipe.presentations > 0

    def test_paper(self):
        recipe = read_recipe('captioner-paper')
        assert config_of(recipe) == CaptionerConfig.paper()
        t, data = recipe.training, recipe.data
        assert (t.optimiser, t.learning_rate, t.loss, t.steps) == (
            'adam', 2e-4, 'mse', 100000)
        assert (t.schedule, t.teacher_forcing) == ('constant', 0.4)
        assert (data.cut_window, data.cut_snr) == (40, 4)

    def test_digest(self):
        recipe = read_recipe('tutorial')
        assert recipe.digest == read_recipe('tutorial').digest
        digests = {read_recipe('tutorial', **change).digest for change in (
            {}, {'training': {'seed': 9}}, {'data': {'wobble': 1}},
            {'network': {'size': 8}}, {'name': 'b'})}
        assert len(digests) == 5

    def test_file(self, tmp_path):
        path = tmp_path / 'mine.toml'
        path.write_text('[training]\nsteps = 7\n')
        recipe = read_recipe(path)
        assert recipe.name == 'mine'
        assert recipe.training.steps == 7
        assert recipe.training.optimiser == 'adam'
        assert recipe.presentations == 7 * 32

    @pytest.mark.parametrize(('text', 'match'), [
        ('a = ', 'is not valid TOML'),
        ('sise = 3', r'unknown settings in \[top level\]: sise; known are'),
        ('data = 3', r'\[data\] must be a table, got 3'),
        ('[data]\nsise = 3', r'unknown settings in \[data\]: sise'),
        ("[data]\nsource = 'web'", r"data.source must be .*got 'web'"),
        ("[data]\nsource = 'pairs'", r'data.folder must be given'),
        ('[data]\nn_pix = [64, 96]', r'must have equal lengths'),
        ('[data]\nrepeat = 0', r'data.repeat must be 1 or more'),
        ("[training]\nsteps = 'many'", r'steps in \[training\] must be of '
                                       r"the type int, got 'many'"),
        ('[training]\nsteps = 0', r'training.steps must be positive'),
        ('[training]\nsteps = true', r'must be of the type int'),
        ('[training]\nsteps = 15\ncheckpoint_steps = 10',
         r'must be a multiple of training.checkpoint_steps'),
        ("[training]\nloss = 'l3'", r'training.loss must be one of mse, l1'),
        ('[training]\nema = 2', r'training.ema must be from 0 to 1'),
        ("name = '../../x'", r"recipe: name must have .* got '../../x'"),
    ])
    def test_errors(self, tmp_path, text, match):
        path = tmp_path / 'a.toml'
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            read_recipe(path)

    @pytest.mark.parametrize('name', [
        '../../x', '/tmp/x', 'a/b', 'a\\b', '.x', '..', '', 'a b', 'a\n',
        'a\0', 'ä', 'a' * 101, 'C:x', 3, None])
    def test_name(self, tmp_path, name):
        """
        A name is the name of a file, and cannot lead elsewhere.
        """
        with pytest.raises(ValueError, match=r'recipe: (name must have 1 to '
                           r'100|name in \[top level\] must be)'):
            read_recipe('tutorial', name=name)
        with pytest.raises(ValueError, match='name must have 1 to 100'):
            Recipe(name=name)

    @pytest.mark.parametrize('name', ['a', 'my-run_2.1', 'a..b', 'a' * 100])
    def test_good_name(self, name):
        assert read_recipe('tutorial', name=name).name == name

    @pytest.mark.parametrize('name', ['recipe', 'Recipe'])
    def test_name_of_another_file(self, name):
        with pytest.raises(ValueError, match="name must not be 'recipe'"):
            read_recipe('tutorial', name=name)

    def test_name_of_the_file(self, tmp_path):
        path = tmp_path / 'my run.toml'
        path.write_text('[training]\nsteps = 7\n')
        with pytest.raises(ValueError, match="got 'my run': give another"):
            read_recipe(path)
        path.write_text("name = 'mine'\n")
        assert read_recipe(path).name == 'mine'

    def test_none(self):
        with pytest.raises(FileNotFoundError, match=r'none of .*tutorial'):
            read_recipe('nothing')


class TestSampler:
    def test_epochs(self):
        found = []
        sampler = StepSampler(4, 12, step=lambda: len(found))
        assert len(sampler) == 4
        for _ in range(3):
            found += list(sampler)
        assert found == list(range(12))
        assert list(sampler) == []

    def test_processes(self):
        parts = [list(StepSampler(4, 12, rank, 2)) for rank in range(2)]
        assert parts == [[0, 2, 4, 6], [1, 3, 5, 7]]

    def test_middle(self):
        assert list(StepSampler(4, 12, step=lambda: 6)) == [6, 7]


class TestSimulatedBatches:
    def test_seeded(self):
        recipe = tiny_recipe()
        config = config_of(recipe)
        loader = make_loader(recipe, config, split='train')
        first = list(loader)
        again = SimulatedBatches(recipe, config,
                                 first_seed=2 * recipe.training.seed)[1]
        assert len(first) == 2
        for key, value in again.items():
            assert_array_equal(first[1][key], value)
        other = next(iter(make_loader(tiny_recipe(
            training={'seed': 5}), config, split='train')))
        assert not torch.equal(other['image'], first[0]['image'])
        valid = next(iter(make_loader(recipe, config, split='validation')))
        assert not torch.equal(valid['image'], first[0]['image'])

    def test_content(self):
        recipe = tiny_recipe()
        config = config_of(recipe)
        batch = SimulatedBatches(recipe, config, first_seed=0)[0]
        assert batch['image'].shape == (4, 1, 64, 64)
        assert batch['target'].shape[0] == 4
        assert batch['target'].shape[1] <= int(0.7 * 64)
        assert torch.isfinite(batch['image']).all()
        assert torch.isfinite(batch['target']).all()
        assert torch.all(batch['n_values'] >= 1)
        # galaxies are brightest in the middle
        middle = batch['target'][:, 0]
        assert torch.all(middle < batch['target'][:, -1])

    def test_repeat(self):
        # a block is shown again, shifted and turned, and then is over
        recipe = tiny_recipe()
        batches = SimulatedBatches(recipe, config_of(recipe), first_seed=0)
        starts = [set(batches[k]['target'][:, 0].tolist())
                  for k in range(16)]
        blocks = [set().union(*starts[k:k + 4]) for k in range(0, 16, 4)]
        assert blocks[0] == blocks[1]
        assert blocks[2] == blocks[3]
        assert not blocks[0] & blocks[2]
        assert not torch.equal(batches[0]['image'], batches[4]['image'])

    def test_processes(self):
        # no galaxy is shown by two processes
        recipe = tiny_recipe()
        batches = [SimulatedBatches(recipe, config_of(recipe), first_seed=0,
                                    world=2) for _ in range(2)]
        shown = [set().union(*(batches[rank][2 * k + rank]['target'][
            :, 0].tolist() for k in range(4))) for rank in range(2)]
        assert len(shown[0]) == len(shown[1]) == 16
        assert not shown[0] & shown[1]

    def test_validation(self):
        # as many batches for each process
        recipe = tiny_recipe(data={'validation': 12})
        parts = [make_loader(recipe, config_of(recipe), split='validation',
                             rank=rank, world=2) for rank in range(2)]
        assert [list(part.sampler) for part in parts] == [[0, 2], [1, 3]]


def write_shard(folder, split, n=5, n_pix=64, sky=0.0, zeropoint=22.5,
                first=0):
    """
    A shard with round exponential galaxies, in the layout of write_shards.
    """
    sma = np.arange(3 * n_pix // 4, dtype=np.float32)
    y, x = np.mgrid[:n_pix, :n_pix] - n_pix / 2
    scale = 5 + np.arange(first, first + n, dtype=float)[:, None]
    unit = 10**(0.4 * (zeropoint - 22.5))
    rng = np.random.default_rng(first)
    image = np.exp(-np.hypot(x, y)[None] / scale[..., None])
    image = 3 * image + rng.normal(0, 0.01, image.shape)
    arrays = {
        'image': unit * image + sky, 'sma': sma,
        'mask': np.zeros(image.shape, dtype=bool),
        'intensity': unit * 3 * np.exp(-sma / scale),
        'sigma': np.full(n, unit * 0.01), 'sky': np.full(n, sky),
        'zeropoint': np.full(n, zeropoint),
        'pixel_scale': np.full(n, 0.4)}
    arrays = {key: value if value.dtype == bool
              else value.astype(np.float32) for key, value in arrays.items()}
    np.savez(folder / f'{split}-{first:03d}.npz',
             name=np.array([f'g{k}' for k in range(n)]), **arrays)


def pairs_recipe(folder, **data):
    return tiny_recipe(data={'source': 'pairs', 'folder': str(folder),
                             **data})


class TestPairBatches:
    def test_content(self, tmp_path):
        write_shard(tmp_path, 'train')
        recipe = pairs_recipe(tmp_path)
        batch = PairBatches(recipe, config_of(recipe), first_seed=0,
                            augment=False)[0]
        assert batch['image'].shape == (4, 1, 64, 64)
        mag = 20 * batch['target'][:, 0] - 14
        assert_allclose(mag, -2.5 * np.log10(3 / 0.01), atol=1e-3)
        slope = 20 * (batch['target'][:, 1] - batch['target'][:, 0])
        assert_allclose(slope, 1.0857 / (5 + np.arange(4)), atol=1e-3)

    @pytest.mark.parametrize('config', [
        CaptionerConfig(n_pix=64), CaptionerConfig.paper(n_pix=64)])
    def test_sky_and_unit(self, tmp_path, config):
        # neither the sky that was left in nor the unit makes a difference
        found = []
        for k, options in enumerate(({}, {'sky': 7.0, 'zeropoint': 25.0})):
            folder = tmp_path / str(k)
            folder.mkdir()
            write_shard(folder, 'train', **options)
            found.append(PairBatches(pairs_recipe(folder), config,
                                     first_seed=0)[0])
        assert_allclose(found[0]['image'], found[1]['image'], atol=1e-3)
        assert_allclose(found[0]['target'], found[1]['target'], atol=1e-4)

    def test_order(self, tmp_path):
        # every pair once in an epoch, in another order in the next
        write_shard(tmp_path, 'train', n=3)
        write_shard(tmp_path, 'train', n=5, first=3)
        recipe = pairs_recipe(tmp_path)
        batches = PairBatches(recipe, config_of(recipe), first_seed=0)
        assert batches.n == 8
        slopes = [[round(float(d), 4) for k in (2 * e, 2 * e + 1)
                   for d in 20 * batches[k]['target'][:, :2].diff()]
                  for e in range(2)]
        assert len(set(slopes[0])) == 8
        assert slopes[0] != slopes[1]
        assert sorted(slopes[0]) == sorted(slopes[1])

    def test_split_by_galaxy(self, tmp_path):
        # all bands of a galaxy are in one part, as pairs are written
        from astro_pix2prof import ImageProfilePair
        from astro_pix2prof.training.shards import write_shards

        rng = np.random.default_rng(1)
        sma = np.arange(0.0, 20.0, 0.5)
        pairs = [ImageProfilePair(
            name=f'g{k}_{band}', group=f'g{k}', band=band, sigma=0.1,
            data=rng.normal(1, 0.1, (40, 50)), pixel_scale=0.4,
            zeropoint=22.5, centre=(24.3, 20.0), sma=sma,
            intensity=10 * np.exp(-sma / 4), ellipticity=np.full(40, 0.3),
            theta=np.full(40, 40.0)) for k in range(8) for band in 'gri']
        write_shards(pairs, tmp_path, n_pix=64, split=(15, 6, 3))
        groups = [set(read_shards(tmp_path, split)['group'].tolist())
                  for split in ('train', 'validation', 'test')]
        assert [len(part) for part in groups] == [5, 2, 1]
        assert len(set().union(*groups)) == 8
        recipe = pairs_recipe(tmp_path)
        for split in ('train', 'validation'):
            batch = next(iter(make_loader(recipe, config_of(recipe),
                                          split=split)))
            assert torch.isfinite(batch['image']).all()
            assert torch.isfinite(batch['target']).all()

    def test_none(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'has no train-\*.npz'):
            read_shards(tmp_path, 'train')


class TestEnergy:
    def test_report(self):
        report = EnergyMeter(7200.0).report()
        assert report['hours'] == pytest.approx(2, abs=0.01)
        assert report['energy_kwh'] == pytest.approx(
            report['watts'] * 2 / 1000, rel=0.02)
        assert report['co2_kg'] == pytest.approx(
            0.48 * report['energy_kwh'], rel=0.02)


def quiet_train(recipe, folder, **options):
    """
    Train on the CPU in this process.
    """
    pytest.importorskip('lightning')
    pytest.importorskip('tensorboard')
    from astro_pix2prof.training import train

    return train(recipe, folder, accelerator='cpu', devices=1,
                 progress=False, **options)


@pytest.fixture(name='straight', scope='module')
def train_straight(tmp_path_factory, small_encoder):
    folder = tmp_path_factory.mktemp('straight')
    return quiet_train(tiny_recipe(), folder)


def read_state(folder):
    return torch.load(folder / 'last.ckpt', weights_only=True,
                      map_location='cpu')


@pytest.mark.usefixtures('small_encoder')
class TestTrain:
    def test_card(self, straight):
        network, card = load_network(straight)
        recipe = tiny_recipe()
        assert card['architecture'] == 'captioner'
        assert card['recipe'] == json.loads(json.dumps(recipe.to_dict()))
        assert card['recipe']['data']['survey'] == 'sdss-r'
        assert 'sdss-r' in card['data']
        assert 'sdss-r' in card['limits']
        assert '64 pixels' in card['limits']
        assert card['recipe_digest'] == recipe.digest
        assert card['seed'] == 1
        assert card['presentations'] == 24
        assert card['software']['astro_pix2prof']
        assert card['software']['torch'] == torch.__version__
        assert card['sha256'] == file_sha256(straight)
        assert card['energy']['energy_kwh'] >= 0
        assert card['energy']['co2_kg'] >= 0
        rows = card['learning_curve']['rows']
        assert [row[0] for row in rows] == [8, 16, 24]
        assert card['metrics']['val_mad'] == rows[-1][1]
        assert card['metrics']['best_val_mad'] == min(r[1] for r in rows)
        # the weights are those of the averaged network
        state = read_state(straight.parent)['state_dict']
        key = 'decoder.dense.bias'
        assert_allclose(network.state_dict()[key],
                        state[f'average.module.{key}'], rtol=1e-3)

    def test_log(self, straight):
        from astro_pix2prof.training.run import read_log

        rows = read_log(straight.parent)
        found = [float(row['val_mad']) for row in rows if row['val_mad']]
        curve = load_network(straight)[1]['learning_curve']['rows']
        assert_allclose(found, [row[1] for row in curve], atol=1e-4)
        assert any(row['train_loss'] for row in rows)
        assert list((straight.parent / 'tensorboard').glob('events*'))

    # (5 loses a step, 2 none)
    @pytest.mark.parametrize('kill', [
        *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 3)), 5])
    def test_resume(self, straight, tmp_path, monkeypatch, kill):
        from astro_pix2prof.training.module import ProfileModule

        step = ProfileModule.training_step

        def dies(self, batch, number):
            if self.global_step == kill:
                msg = 'killed'
                raise RuntimeError(msg)
            return step(self, batch, number)

        with monkeypatch.context() as patch:
            patch.setattr(ProfileModule, 'training_step', dies)
            with pytest.raises(RuntimeError, match='killed'):
                quiet_train(tiny_recipe(), tmp_path)
        # no more than the steps since the last checkpoint are lost
        assert read_state(tmp_path)['global_step'] == kill // 2 * 2
        seen = []

        def counts(self, batch, number):
            seen.append(self.global_step)
            return step(self, batch, number)

        with monkeypatch.context() as patch:
            patch.setattr(ProfileModule, 'training_step', counts)
            path = quiet_train(tiny_recipe(), tmp_path)
        assert seen == list(range(kill // 2 * 2, 6))
        self._compare(path, straight)

    @staticmethod
    def _compare(path, straight):
        """
        The same schedule, and the same weights.
        """
        found, expected = (read_state(p.parent) for p in (path, straight))
        assert found['global_step'] == expected['global_step'] == 6
        assert found['lr_schedulers'] == expected['lr_schedulers']
        assert [group['lr'] for state in found['optimizer_states']
                for group in state['param_groups']] == [
            group['lr'] for state in expected['optimizer_states']
            for group in state['param_groups']]
        for key, value in expected['state_dict'].items():
            assert_array_equal(found['state_dict'][key], value, err_msg=key)
        cards = [load_network(p)[1] for p in (path, straight)]
        for key in ('sha256', 'presentations', 'learning_curve', 'metrics'):
            assert cards[0][key] == cards[1][key]

    def test_time_limit(self, straight, tmp_path):
        # stopped in the middle of an epoch, and resumed
        path = quiet_train(tiny_recipe(), tmp_path, max_minutes=1e-6)
        stopped = read_state(tmp_path)['global_step']
        assert 0 < stopped < 6
        assert load_network(path)[1]['presentations'] == 4 * stopped
        path = quiet_train(tiny_recipe(), tmp_path)
        state = read_state(tmp_path)
        assert state['global_step'] == 6
        expected = read_state(straight.parent)
        assert state['lr_schedulers'] == expected['lr_schedulers']
        for key, value in expected['state_dict'].items():
            assert_array_equal(state['state_dict'][key], value, err_msg=key)

    def test_finished(self, straight):
        # a run that is complete is exported again, not trained again
        before = read_state(straight.parent)['state_dict']
        sha = file_sha256(straight)
        assert file_sha256(quiet_train(tiny_recipe(),
                                       straight.parent)) == sha
        after = read_state(straight.parent)['state_dict']
        for key, value in before.items():
            assert_array_equal(after[key], value)

    def test_other_recipe(self, straight):
        recipe = tiny_recipe(training={'steps': 8})
        with pytest.raises(ValueError, match='holds a run of another recipe'):
            quiet_train(recipe, straight.parent)

    @pytest.mark.parametrize('changes', [
        {'network': {'decoder': 'transformer', 'layers': 1}},
        {'network': {'reinject': 8}, 'training': {
            'ema': 0.0, 'loss': 'mse', 'schedule': 'constant'}}])
    def test_options(self, tmp_path, changes):
        changes.setdefault('training', {})
        changes['training'] |= {'steps': 2}
        path = quiet_train(tiny_recipe(**changes), tmp_path)
        network, _ = load_network(path)
        assert network.config == config_of(tiny_recipe(**changes))

    def test_pairs(self, tmp_path):
        write_shard(tmp_path, 'train')
        write_shard(tmp_path, 'validation', first=5)
        recipe = pairs_recipe(tmp_path)
        path = quiet_train(recipe, tmp_path / 'run')
        _, card = load_network(path)
        assert 'pairs' in card['data']
        assert len(card['learning_curve']['rows']) == 3

    def test_architecture(self, tmp_path):
        recipe = read_recipe('tutorial', architecture='squares')
        with pytest.raises(ValueError, match='architecture must be one of'):
            quiet_train(recipe, tmp_path)

    @pytest.mark.slow
    def test_two_processes(self, tmp_path):
        pytest.importorskip('lightning')
        pytest.importorskip('tensorboard')
        script = tmp_path / 'run.py'
        script.write_text(textwrap.dedent(f'''
            from astro_pix2prof.training import train

            if __name__ == '__main__':
                train('captioner', {str(tmp_path / 'run')!r},
                      accelerator='cpu', devices=2, progress=False,
                      **{TINY!r})
            '''))
        done = subprocess.run([sys.executable, script], check=False,
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        # (the processes train the whole network)
        card = read_card(tmp_path / 'run' / 'captioner.safetensors')
        # twice the images in as many steps
        assert card['presentations'] == 48
        assert read_state(tmp_path / 'run')['global_step'] == 6


@pytest.mark.parametrize('name', ['lightning', 'tensorboard'])
def test_missing(monkeypatch, name):
    import astro_pix2prof.training

    find = importlib.util.find_spec
    monkeypatch.setattr('astro_pix2prof.training.find_spec',
                        lambda key: None if key == name else find(key))
    with pytest.raises(ImportError, match=rf'training needs {name}: '
                       r"install the extra, .* pip install '.\[train\]'"):
        astro_pix2prof.training.train  # noqa: B018


def test_freeze_norm():
    """
    From a step on, batch normalisation takes nothing from the batch.
    """
    from astro_pix2prof.training.module import ProfileModule

    recipe = tiny_recipe(training={'freeze_norm': 3, 'ema': 0.9})
    module = ProfileModule(recipe)
    norms = [layer for layer in module.network.modules()
             if isinstance(layer, torch.nn.BatchNorm2d)]
    assert norms
    module.network.train()
    with mock.patch.object(ProfileModule, 'global_step',
                           new_callable=mock.PropertyMock) as step:
        step.return_value = 2
        module._freeze_norm()
        assert all(layer.training for layer in norms)
        for buffer in module.average.module.buffers():
            if buffer.is_floating_point():
                buffer.fill_(2.5)
        step.return_value = 3
        module._freeze_norm()
    assert not any(layer.training for layer in norms)
    # those of the averaged network
    assert all((layer.running_mean == 2.5).all() for layer in norms)
    image = torch.randn(2, 1, 64, 64)
    one = module.network.encoder(image[:1])
    both = module.network.encoder(image)
    torch.testing.assert_close(one, both[:1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(('schedule', 'factors'), [
    ('constant', [0.5, 1, 1, 1, 1]),
    ('cosine', [0.5, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0]),
    ('trapezoid', [0.5, 1, 1, 1, 0])])
def test_schedule(schedule, factors):
    """
    The learning rate at the start, the quarters and the end.
    """
    from astro_pix2prof.training.module import ProfileModule

    module = ProfileModule(read_recipe('rings', training={
        'schedule': schedule, 'steps': 800, 'warmup': 2,
        'checkpoint_steps': 100, 'learning_rate': 1.0}))
    rate = module.configure_optimizers()['lr_scheduler']['scheduler']
    found = [rate.lr_lambdas[0](step) for step in (0, 200, 400, 600, 800)]
    np.testing.assert_allclose(found, factors, atol=1e-12)


def test_gradient_not_finite():
    """
    Such a step is left out, and counted.
    """
    from astro_pix2prof.training.module import ProfileModule

    module = ProfileModule(read_recipe('rings'))
    optimiser = torch.optim.SGD(module.network.parameters(), lr=1.0)
    for values in module.network.parameters():
        values.grad = torch.ones_like(values)
    module.on_before_optimizer_step(optimiser)
    assert module.skipped == 0
    values.grad[0] = torch.nan
    before = values.detach().clone()
    module.on_before_optimizer_step(optimiser)
    optimiser.step()
    assert module.skipped == 1
    assert torch.equal(values, before)


class TestStart:
    def test_weights(self):
        """
        The training begins with the weights, averaged ones included.
        """
        from astro_pix2prof.training.module import ProfileModule

        card = read_card('rings')
        module = ProfileModule(read_recipe(
            'rings', network=card['config'], training={'start': 'rings'}))
        known = load_network('rings')[0].state_dict()
        for network in (module.network, module.average.module):
            for key, value in network.state_dict().items():
                assert torch.equal(value, known[key]), key

    def test_other_network(self):
        from astro_pix2prof.training.module import make_network

        recipe = read_recipe('rings', network={'channels': 8},
                             training={'start': 'rings'})
        with pytest.raises(ValueError, match=r'training\.start: the weights '
                           "'rings' .* do not fit"):
            make_network(recipe)

    def test_missing(self, tmp_path):
        from astro_pix2prof.training.module import make_network

        recipe = read_recipe('rings', training={
            'start': str(tmp_path / 'none.safetensors')})
        with pytest.raises(FileNotFoundError, match='does not exist'):
            make_network(recipe)
