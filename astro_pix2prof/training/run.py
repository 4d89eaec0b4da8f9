# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train a network with a recipe, and export its weights.
"""

import csv
import datetime
import json
import platform
import time
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_info

from astro_pix2prof import __version__
from astro_pix2prof.networks.architectures import ARCHITECTURES
from astro_pix2prof.networks.weights import write_weights
from astro_pix2prof.training.checkpoint import (
    CheckpointSaver,
    SafeCheckpointIO,
    check_run,
)
from astro_pix2prof.training.data import make_loader
from astro_pix2prof.training.domain_fit import fit_domain
from astro_pix2prof.training.energy import EnergyMeter
from astro_pix2prof.training.error_model import measure_errors
from astro_pix2prof.training.module import ProfileModule
from astro_pix2prof.training.recipe import Recipe, read_recipe

__all__ = ['ProfileData', 'export', 'read_log', 'train']


class ProfileData(lightning.LightningDataModule):
    """
    Batches of a recipe, for Lightning.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : object
        The settings of the network.
    """

    def __init__(self, recipe, config):
        super().__init__()
        self.recipe = recipe
        self.config = config

    def _loader(self, split):
        trainer = self.trainer
        return make_loader(self.recipe, self.config, split=split,
                           rank=trainer.global_rank,
                           world=trainer.world_size,
                           step=lambda: trainer.global_step)

    def train_dataloader(self):
        """
        Make the loader of the batches for training.
        """
        return self._loader('train')

    def val_dataloader(self):
        """
        Make the loader of the batches for validation.
        """
        return self._loader('validation')


class _Record(Callback):
    """
    Record of energy, speed and learning curve, kept in the checkpoints.
    """

    def __init__(self):
        self.curve = []
        self.meter = EnergyMeter()
        self._mark = None

    def on_fit_start(self, trainer, module):
        device = 'cuda' if module.device.type == 'cuda' else 'cpu'
        self.meter = EnergyMeter(
            self.meter.seconds if self.curve else 0.0, device=device,
            n_devices=trainer.world_size)

    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        now = time.monotonic()
        shown = int(module.presentations)
        if self._mark is None or trainer.global_step % 20 == 0:
            if self._mark is not None and now > self._mark[0]:
                speed = (shown - self._mark[1]) / (now - self._mark[0])
                module.log('images_per_s', speed, prog_bar=True)
                left = (module.recipe.presentations * trainer.world_size
                        - shown)
                module.log('hours_left', max(left, 0) / max(speed, 1e-9)
                           / 3600, prog_bar=True)
            self._mark = (now, shown)

    def on_validation_end(self, trainer, module):
        # (at the end of the epoch the module has not logged its own yet)
        if trainer.sanity_checking:
            return
        value = trainer.callback_metrics.get('val_mad')
        if value is not None:
            self.curve.append((int(module.presentations),
                               round(float(value), 5)))

    def state_dict(self):
        return {'curve': self.curve, 'seconds': self.meter.seconds}

    def load_state_dict(self, state):
        self.curve = [tuple(row) for row in state['curve']]
        self.meter = EnergyMeter(state['seconds'])


def train(recipe, folder, *, resume=True, accelerator='auto', devices='auto',
          num_nodes=1, max_minutes=None, progress=True, **changes):
    """
    Train a network.

    Parameters
    ----------
    recipe : str, path-like or `~astro_pix2prof.training.recipe.Recipe`
        A name, a TOML file, or a recipe.

    folder : path-like
        For checkpoints, logs and the exported weights.

    resume : bool, optional
        Whether to go on from the last checkpoint in the folder, if there
        is one. It must be of the same recipe.

    accelerator, devices, num_nodes : optional
        As for `lightning.Trainer`; with more than one process, gradients
        are averaged over all of them (DDP). The batches of the recipe are
        those of each process, and its learning rate is not changed.

    max_minutes : float, optional
        Stop after this time, with a checkpoint.

    progress : bool, optional
        Whether to show a progress bar.

    **changes
        Other values of settings of the recipe.

    Returns
    -------
    path : `~pathlib.Path`
        The exported weights.

    Raises
    ------
    ValueError
        If the folder holds a run of another recipe, or one that is not
        complete, of another number of processes.
    WeightsError
        If the last checkpoint is damaged, or holds anything but tensors,
        numbers and text.
    """
    if not isinstance(recipe, Recipe):
        recipe = read_recipe(recipe, **changes)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    t = recipe.training
    last = folder / 'last.ckpt'
    resume = resume and last.exists()
    lightning.seed_everything(t.seed, verbose=False)
    module = ProfileModule(recipe)
    record = _Record()
    saver = CheckpointSaver(dirpath=folder, filename='last',
                            save_top_k=1, every_n_epochs=1,
                            enable_version_counter=False,
                            save_on_train_epoch_end=True)
    callbacks = [record, saver]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    with warnings.catch_warnings():
        # ignore warnings of Lightning about deliberate choices: no workers
        # for validation, one for training, and a folder that exists
        warnings.filterwarnings('ignore', module='lightning')
        warnings.filterwarnings('ignore', category=FutureWarning)
        trainer = lightning.Trainer(
            accelerator=accelerator, devices=devices, num_nodes=num_nodes,
            precision=t.precision, max_epochs=-1, max_steps=t.steps,
            max_time=(datetime.timedelta(minutes=max_minutes)
                      if max_minutes else None),
            gradient_clip_val=t.clip or None, callbacks=callbacks,
            # each start of a run has a folder of its own: the logger
            # would delete what is there
            logger=[CSVLogger(folder, name='logs'),
                    TensorBoardLogger(folder, name='tensorboard',
                                      version='')],
            log_every_n_steps=min(20, t.checkpoint_steps),
            use_distributed_sampler=False,
            num_sanity_val_steps=0, enable_progress_bar=progress,
            enable_model_summary=False, default_root_dir=folder,
            plugins=[SafeCheckpointIO()])
        if isinstance(trainer.strategy, DDPStrategy):
            # some settings leave parts of a network without a gradient
            trainer.strategy._ddp_kwargs['find_unused_parameters'] = True
        processes = trainer.world_size
        if resume:
            # (a complete run is exported by any number)
            processes = check_run(folder, recipe, processes)
        if trainer.is_global_zero:
            _write_note(folder / 'recipe.json', recipe)
        if progress:
            rank_zero_info(_describe_steps(recipe, trainer.world_size))
        trainer.fit(module, datamodule=ProfileData(
            recipe, module.network.config),
            ckpt_path=last if resume else None)
    if trainer.is_global_zero:
        return export(module, folder, record,
                      metrics={'processes': processes})
    return None


def _write_note(path, recipe):
    """
    Write the recipe of a run, which other processes may read just now.
    """
    temporary = path.with_suffix('.tmp')
    temporary.write_text(json.dumps({'digest': recipe.digest,
                                     **recipe.to_dict()}, indent=1) + '\n',
                         encoding='utf-8')
    temporary.replace(path)


def _describe_steps(recipe, processes):
    """
    Describe the number of images that a step of a run shows.
    """
    sizes = ' or '.join(str(n * processes) for n in recipe.data.batch_size)
    word = 'process' if processes == 1 else 'processes'
    return (f'{recipe.name}: {processes} {word}, {sizes} images in each '
            f'of {recipe.training.steps} steps, learning rate '
            f'{recipe.training.learning_rate:g} as in the recipe')


def export(module, folder, record=None, *, metrics=None):
    """
    Write the weights of a module with their model card.

    Parameters
    ----------
    module : `~astro_pix2prof.training.module.ProfileModule`
        The trained module.

    folder : path-like
        The folder.

    record : object, optional
        The learning curve and the energy.

    metrics : dict, optional
        Further entries of the card.

    Returns
    -------
    path : `~pathlib.Path`
    """
    recipe = module.recipe
    card = {
        'name': recipe.name,
        'architecture': recipe.architecture,
        'description': recipe.description,
        'recipe': recipe.to_dict(),
        'recipe_digest': recipe.digest,
        'seed': recipe.training.seed,
        'presentations': int(module.presentations),
        'software': {'python': platform.python_version(),
                     'torch': torch.__version__,
                     'lightning': lightning.__version__,
                     'astro_pix2prof': __version__},
        'data': _describe_data(recipe),
    }
    architecture = ARCHITECTURES[recipe.architecture]
    unit = architecture.error_unit
    if architecture.reader:
        card['limits'] = _describe_limits(recipe)
    if record is not None:
        card['metrics'] = _summarise(record.curve, unit)
        card['energy'] = record.meter.report()
        card['learning_curve'] = {
            'columns': ['presentations', 'val_mad'],
            'unit': unit, 'rows': record.curve}
    if recipe.data.source == 'simulation' and architecture.reader:
        sides = recipe.data.n_pix
        entries = measure_errors(
            module.best_network, survey=recipe.data.survey, n_pix=sides,
            n_images=-(-recipe.data.validation // len(sides)))
        entries['metrics'] = {**card.get('metrics', {}),
                              **entries.get('metrics', {})}
        card.update(entries)
        if architecture.has_domain:
            card.update(fit_domain(
                module.best_network, survey=recipe.data.survey, n_pix=sides,
                n_images=20 * recipe.data.validation))
    card.update(metrics or {})
    return write_weights(module.best_network, card,
                         Path(folder) / f'{recipe.name}.safetensors')


def _describe_data(recipe):
    if recipe.data.source == 'pairs':
        return 'pairs of real images and measured profiles'
    return ('simulated with astro_pix2prof.simulation, survey '
            f'{recipe.data.survey!r}; no real image; see the documentation '
            'of the simulator for the distributions and their sources')


def _summarise(curve, unit):
    """
    Return the last and the best validation of a learning curve.
    """
    if not curve:
        return {}
    # the median over validation images of the median absolute deviation
    # along the profile
    return {'val_mad': curve[-1][1], 'best_val_mad': min(v for _, v in curve),
            'unit': unit}


def _describe_limits(recipe):
    """
    Describe the images for which the weights can be trusted.
    """
    data, sides = recipe.data, ' and '.join(map(str, recipe.data.n_pix))
    if data.source == 'pairs':
        where, end = 'images like those of the pairs', (
            f'(mean/std)^2 of {data.cut_window} rings is {data.cut_snr:g}')
    else:
        where, end = f'images like those of the survey {data.survey!r}', (
            f'the signal-to-noise ratio of a ring is {data.snr:g}')
    return (f'{where}, with one galaxy within {data.wobble} pixels of the '
            f'middle or a little more, in frames of {sides} pixels; radii to '
            f'{data.length:g} of the side, and to where {end}')


def read_log(folder):
    """
    Read the log of a run.

    Parameters
    ----------
    folder : path-like
        The folder of the run.

    Returns
    -------
    rows : list of dict
        Of strings; what was not logged at a step is empty. ``train_loss``,
        ``images_per_s`` every 20 steps; ``val_mad`` (mag) and
        ``presentations`` at every checkpoint.
    """
    paths = sorted(Path(folder).glob('logs/version_*/metrics.csv'),
                   key=lambda path: int(path.parent.name.split('_')[1]))
    rows = []
    for path in paths:
        with path.open(encoding='utf-8', newline='') as file:
            more = list(csv.DictReader(file))
        if more:
            # drop rows after the last checkpoint of a killed run, which were
            # computed again
            first = int(more[0]['step'])
            rows = [row for row in rows if int(row['step']) < first]
        rows += more
    return rows
