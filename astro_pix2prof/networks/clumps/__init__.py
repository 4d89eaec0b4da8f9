# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Network that finds clumps, and the maps of an image that it looks at.

They know torch only; ``training`` and ``inference`` import them.
"""

from astro_pix2prof.networks.clumps.maps import GalaxyMaps, galaxy_maps
from astro_pix2prof.networks.clumps.network import (
    CLASSES,
    ClumpConfig,
    ClumpNetwork,
    find_peaks,
)

__all__ = ['CLASSES', 'ClumpConfig', 'ClumpNetwork', 'GalaxyMaps',
           'find_peaks', 'galaxy_maps']
