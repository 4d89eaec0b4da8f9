# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tasks that turn batches of galaxies into a loss, one for each architecture.

They know torch only; the training module imports them.
"""

from astro_pix2prof.training.tasks.registry import make_task

__all__ = ['make_task']
