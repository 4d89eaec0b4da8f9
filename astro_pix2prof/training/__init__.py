# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Training of the networks. Needs the extra ``train``: lightning.
"""

from astro_pix2prof.training.recipe import Recipe, list_recipes, read_recipe

__all__ = ['Recipe', 'list_recipes', 'read_recipe', 'train']


def __getattr__(name):
    # lightning takes seconds to import, and reading a recipe needs none
    if name == 'train':
        from astro_pix2prof.training.run import train

        return train
    msg = f'module {__name__!r} has no attribute {name!r}'
    raise AttributeError(msg)
