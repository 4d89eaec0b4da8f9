# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The parts that all fitters share.

They are their interface, their results, their flags, and several bands on the
same ellipses. It imports ``image``, ``background``, ``detection``,
``ellipses`` and ``profile``; ``isophote`` and ``inference`` are built on it.
"""

from astro_pix2prof.fitting.bands import BandProfiles
from astro_pix2prof.fitting.fit import ProfileFit

__all__ = ['BandProfiles', 'ProfileFit']
