# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Means along ellipses, elliptical models, and the ellipses of a profile.

It imports nothing of the package but ``profile``; everything outside the
networks may import it.
"""

from astro_pix2prof.ellipses.model import model_image

__all__ = ['model_image']
