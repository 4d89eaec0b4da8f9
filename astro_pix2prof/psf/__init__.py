# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Point-spread functions of any kind, and what they do to profiles.

It imports ``image``, to read files. The folders ``structure`` and ``fitting``
may import it.
"""

from astro_pix2prof.psf.model import PSF

__all__ = ['PSF']
