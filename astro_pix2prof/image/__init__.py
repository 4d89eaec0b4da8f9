# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Any image that astropy knows, as a `GalaxyCutout`.

It holds pixels, mask, noise, position, WCS and calibration. It imports
``arguments`` and ``background``; every folder but ``networks``,
``simulation``, ``training`` and ``profile`` may import it.
"""

from astro_pix2prof.image.cutout import GalaxyCutout

__all__ = ['GalaxyCutout']
