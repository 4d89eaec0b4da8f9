# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Encoder: maps of galaxies on their ellipses, and the network that reads them.

It knows torch and numpy only; ``training`` and ``inference`` import it.
"""

from astro_pix2prof.networks.encoder.config import EncoderConfig
from astro_pix2prof.networks.encoder.maps import (
    GalaxyMaps,
    find_scale,
    make_maps,
)
from astro_pix2prof.networks.encoder.network import Encoder

__all__ = ['Encoder', 'EncoderConfig', 'GalaxyMaps', 'find_scale',
           'make_maps']
