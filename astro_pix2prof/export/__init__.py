# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Results of a fit in the forms of other tools: images, regions and tables.

The command line may import it.
"""

from astro_pix2prof.export.images import write_pixels
from astro_pix2prof.export.isophotes import to_apertures, to_isophote_list
from astro_pix2prof.export.regions import to_regions, write_regions
from astro_pix2prof.export.tables import write_autoprof, write_iraf_table

__all__ = ['to_apertures', 'to_isophote_list', 'to_regions',
           'write_autoprof', 'write_iraf_table', 'write_pixels',
           'write_regions']
