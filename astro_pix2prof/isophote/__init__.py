# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Isophotes fitted with `photutils.isophote`, automated.

It imports ``fitting`` and what that stands on, and no torch.
"""

from astro_pix2prof.isophote.fitter import IsophoteFit, IsophoteFitter

__all__ = ['IsophoteFit', 'IsophoteFitter']
