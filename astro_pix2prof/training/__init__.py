# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Training of the networks. Needs the extra ``train``: lightning.

It imports ``networks`` and ``simulation``; only ``cli`` imports it, and
``inference`` for fine-tuning, which needs no lightning.
"""

from importlib.util import find_spec

from astro_pix2prof.extras import missing_extra
from astro_pix2prof.training.recipe import Recipe, list_recipes, read_recipe

__all__ = ['Recipe', 'list_recipes', 'read_recipe', 'train']


def __getattr__(name):
    # lightning takes seconds to import, and reading a recipe needs none
    if name == 'train':
        for needed in ('lightning', 'tensorboard'):
            if find_spec(needed) is None:
                raise missing_extra(needed, 'train', 'training')
        from astro_pix2prof.training.run import train

        return train
    msg = f'module {__name__!r} has no attribute {name!r}'
    raise AttributeError(msg)
