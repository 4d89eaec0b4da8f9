# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies as points: search for similar and for odd ones.

It works on tables of vectors, wherever these come from, and knows neither
images nor networks; only ``cli`` may import it.
"""

from astro_pix2prof.representations.anomalies import AnomalyFinder
from astro_pix2prof.representations.index import SimilarityIndex

__all__ = ['AnomalyFinder', 'SimilarityIndex']
