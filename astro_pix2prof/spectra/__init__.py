# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Spectra of galaxies: images of a band and radial spectra from cubes.

It imports ``image``, ``ellipses`` and ``profile``, and takes the results of
any fitter; only ``cli`` imports it.
"""

from astro_pix2prof.spectra.band import band_image
from astro_pix2prof.spectra.radial import radial_spectra
from astro_pix2prof.spectra.write import write_spectra

__all__ = ['band_image', 'radial_spectra', 'write_spectra']
