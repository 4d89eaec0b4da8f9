# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies with known or measured profiles.

They are the example, pairs of images and profiles, the Siena Galaxy Atlas,
simulated galaxies as FITS files, and tables of IRAF and AutoProf. It imports
``image`` and ``profile``; the command line and documentation import it.
"""

from astro_pix2prof.datasets.example import load_example, load_example_truth
from astro_pix2prof.datasets.pairs import ImageProfilePair, read_pairs
from astro_pix2prof.datasets.sga import read_sga
from astro_pix2prof.datasets.simulated import write_simulated
from astro_pix2prof.datasets.tables import (
    read_autoprof,
    read_foreign_ellipses,
    read_iraf_table,
    recognise_table,
)

__all__ = ['ImageProfilePair', 'load_example', 'load_example_truth',
           'read_autoprof', 'read_foreign_ellipses', 'read_iraf_table',
           'read_pairs', 'read_sga', 'recognise_table', 'write_simulated']
