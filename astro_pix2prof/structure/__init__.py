# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Structural parameters of a galaxy from its profile.

They are magnitudes, radii, concentration, and fits of models; beside the
profile, the morphology of the image. It imports ``profile`` only.
"""

from astro_pix2prof.structure.measure import measure_structure
from astro_pix2prof.structure.morphology import measure_morphology

__all__ = ['measure_morphology', 'measure_structure']
