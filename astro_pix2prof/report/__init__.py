# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
One HTML page about the results of a survey, or about one galaxy.

It imports public names of ``survey``, ``fitting``, ``image`` and ``ellipses``;
only ``cli`` imports it.
"""

from astro_pix2prof.report.galaxy import write_galaxy_page
from astro_pix2prof.report.page import write_report

__all__ = ['write_galaxy_page', 'write_report']
