# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Structural parameters, physical quantities and masses from profiles.

They are magnitudes, radii, concentration and fits of models, behind a PSF if
one is given; profiles without the PSF; luminosities and stellar masses; and,
beside the profile, the morphology of the image. It imports ``profile`` and
``psf`` only; ``fitting`` imports it for the masses of galaxies in several
bands, and so may what comes after.
"""

from astro_pix2prof.structure.mass import mass_profile
from astro_pix2prof.structure.measure import measure_structure
from astro_pix2prof.structure.morphology import measure_morphology
from astro_pix2prof.structure.physical import physical_profile
from astro_pix2prof.structure.sharpened import correct_psf

__all__ = ['correct_psf', 'mass_profile', 'measure_morphology',
           'measure_structure', 'physical_profile']
