# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ring network: sampling, stages, and the distance from its training.

It knows torch only; ``networks``, ``training`` and ``inference`` import it.
"""

from astro_pix2prof.networks.rings.config import RingConfig
from astro_pix2prof.networks.rings.network import RingNetwork

__all__ = ['RingConfig', 'RingNetwork']
