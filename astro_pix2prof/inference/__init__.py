# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles by trained networks.

The only folder in which torch and astropy meet: it imports ``fitting`` on one
side and ``networks`` on the other, and for fine-tuning ``datasets`` and
``training``.
"""

from astro_pix2prof.inference.fitter import Pix2ProfFitter

__all__ = ['Pix2ProfFitter']
