# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Networks, their architectures, and the registry of their weights.

They know torch and numpy only; ``training`` and ``inference`` import them.
"""

from astro_pix2prof.networks.captioner import Captioner, CaptionerConfig
from astro_pix2prof.networks.encoder import Encoder, EncoderConfig
from astro_pix2prof.networks.original import OriginalPix2Prof, load_original
from astro_pix2prof.networks.rings import RingConfig, RingNetwork
from astro_pix2prof.networks.weights import (
    WeightsError,
    find_weights,
    list_weights,
    load_network,
    read_card,
)

__all__ = ['Captioner', 'CaptionerConfig', 'Encoder', 'EncoderConfig',
           'OriginalPix2Prof', 'RingConfig', 'RingNetwork', 'WeightsError',
           'find_weights', 'list_weights', 'load_network', 'load_original',
           'read_card']
