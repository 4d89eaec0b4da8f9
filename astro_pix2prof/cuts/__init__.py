# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cuts through a galaxy that was measured: wedges, axes and vertical profiles.

They are measured on the image, mask, sky and ellipses of a fit, and become
tables of the same columns as profiles. The command line may import it.
"""

from astro_pix2prof.cuts.axes import axis_profile
from astro_pix2prof.cuts.sectors import sector_profiles
from astro_pix2prof.cuts.vertical import vertical_profile

__all__ = ['axis_profile', 'sector_profiles', 'vertical_profile']
