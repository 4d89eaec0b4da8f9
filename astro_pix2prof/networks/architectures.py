# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The register of network architectures.
"""

from astro_pix2prof.networks.captioner import Captioner, CaptionerConfig
from astro_pix2prof.networks.rings.network import RingConfig, RingNetwork

__all__ = []


ARCHITECTURES = {'captioner': (Captioner, CaptionerConfig),
                 'rings': (RingNetwork, RingConfig)}
