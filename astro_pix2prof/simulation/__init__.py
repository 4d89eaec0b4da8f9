# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Simulated galaxies with exact profiles, in batches, on any device.

It knows torch only; ``training`` and ``datasets`` import it.
"""

from astro_pix2prof.simulation.galaxies import TYPES
from astro_pix2prof.simulation.labels import visible_features
from astro_pix2prof.simulation.simulator import (
    GalaxySimulator,
    SimulatedGalaxies,
)
from astro_pix2prof.simulation.surveys import SURVEYS, Survey

__all__ = ['SURVEYS', 'TYPES', 'GalaxySimulator', 'SimulatedGalaxies',
           'Survey', 'visible_features']
