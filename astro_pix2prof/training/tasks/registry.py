# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Choose the training task of a recipe.
"""

from astro_pix2prof.networks.architectures import find_architecture

__all__ = ['make_task']


def make_task(recipe, config):
    """
    Make the training task of a recipe.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : object
        The settings of the network.

    Returns
    -------
    task : object
        The task, which turns galaxies into batches (``batch``), and batches
        into a loss (``loss``) and into errors in mag (``errors``).

    Raises
    ------
    ValueError
        If the architecture is unknown.
    """
    return find_architecture(recipe.architecture).task_class(recipe, config)
