# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Structural parameters of a galaxy from its profile.

They are magnitudes, radii, concentration, and fits of models. It imports
``profile`` and ``psf``.
"""

from astro_pix2prof.structure.measure import measure_structure
from astro_pix2prof.structure.sharpened import correct_psf

__all__ = ['correct_psf', 'measure_structure']
