# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the checkpoints of training runs without running what is in them.
"""

import json

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from astro_pix2prof.networks.weights import WeightsError, load_checkpoint

__all__ = ['CheckpointSaver', 'SafeCheckpointIO', 'check_run',
           'describe_run', 'read_checkpoint']


# What a run needs to go on, as Lightning names it.
_KEYS = ('state_dict', 'optimizer_states', 'lr_schedulers', 'callbacks',
         'loops', 'global_step', 'epoch', 'pytorch-lightning_version')


def read_checkpoint(path):
    """
    Read a checkpoint of a training run.

    Only tensors, numbers, strings and containers of these are read: a
    checkpoint that holds anything else, such as code, is refused.

    Parameters
    ----------
    path : path-like
        The checkpoint.

    Returns
    -------
    checkpoint : dict
        The state of the run, on the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    WeightsError
        If the file is damaged, holds anything else, or is not that of a
        training run.
    """
    advice = 'move it away, or do not resume'
    try:
        checkpoint = load_checkpoint(path, name='folder')
    except WeightsError as error:
        msg = f'{error}; {advice}'
        raise WeightsError(msg) from error
    missing = [key for key in _KEYS if not isinstance(checkpoint, dict)
               or key not in checkpoint]
    if missing:
        msg = (f'folder: {path} is not a checkpoint of a training run, '
               f'it has no {", ".join(missing)}; {advice}')
        raise WeightsError(msg)
    return checkpoint


def describe_run(recipe, processes):
    """
    Describe a run for its checkpoints.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe of the run.

    processes : int
        The number of processes.

    Returns
    -------
    run : dict
        Its 'recipe' (digest) and 'processes'.
    """
    return {'recipe': recipe.digest, 'processes': processes}


def check_run(folder, recipe, processes=1):
    """
    Check that a run can go on from the last checkpoint in its folder.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder, with ``last.ckpt``.

    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe of the run.

    processes : int, optional
        The number of processes that are to go on.

    Returns
    -------
    processes : int
        The number of processes of the run.

    Raises
    ------
    ValueError
        If the folder holds a run of another recipe, or does not say of
        which; or one that is not complete, of another number of processes.
    WeightsError
        If the checkpoint cannot be read.
    """
    note = folder / 'recipe.json'
    try:
        found = json.loads(note.read_text(encoding='utf-8'))['digest']
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        msg = (f'folder: {note} does not say of which recipe the run in '
               f'{folder} is: give another folder, or do not resume')
        raise ValueError(msg) from error
    _check_recipe(folder, recipe, found)
    checkpoint = read_checkpoint(folder / 'last.ckpt')
    # (checkpoints of earlier versions do not tell)
    known = checkpoint.get('run', describe_run(recipe, processes))
    # the note is that of the last start, which may have left no checkpoint
    _check_recipe(folder, recipe, known['recipe'])
    # a step on so many processes shows so many batches: with others, the
    # galaxies that follow would not be those that have not been shown
    if known['processes'] != processes and (
            checkpoint['global_step'] < recipe.training.steps):
        msg = (f'folder: {folder} holds a run of {known["processes"]} '
               f'processes (devices times nodes), this would be one of '
               f'{processes}: go on with as many, give another folder, or do '
               'not resume')
        raise ValueError(msg)
    return known['processes']


def _check_recipe(folder, recipe, found):
    """
    Check that a digest is that of the recipe.
    """
    if found != recipe.digest:
        msg = (f'folder: {folder} holds a run of another recipe '
               f'({found}, this is {recipe.digest}): give another '
               'folder, or do not resume')
        raise ValueError(msg)


class SafeCheckpointIO(TorchCheckpointIO):
    """
    Reader and writer of checkpoints for Lightning that runs no code.

    Lightning itself unpickles checkpoints, by default or by an environment
    variable, and looks for some of its own accord.
    """

    def load_checkpoint(self, path, *args, **kwargs):
        """
        Read a checkpoint with `read_checkpoint`, whatever is asked for.
        """
        return read_checkpoint(path)


class CheckpointSaver(ModelCheckpoint):
    """
    Writer of ``last.ckpt`` that takes no paths from a checkpoint.

    Lightning deletes the file that a resumed checkpoint names as the best
    one so far, wherever that is.
    """

    def load_state_dict(self, state_dict):
        """
        Ignore the paths in a checkpoint.
        """
