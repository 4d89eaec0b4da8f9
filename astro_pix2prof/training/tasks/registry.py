# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
What each architecture is shown, and what it is told about its answer.
"""

from astro_pix2prof.training.tasks.captioner import CaptionTask
from astro_pix2prof.training.tasks.rings import RingTask

__all__ = ['make_task']


_TASKS = {'captioner': CaptionTask, 'rings': RingTask}


def make_task(recipe, config):
    """
    The task of a recipe.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : object
        The settings of the network.

    Returns
    -------
    task : `CaptionTask` or `RingTask`
    """
    return _TASKS[recipe.architecture](recipe, config)
