# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The profile table and its batch: columns, units, flags, errors, files.

It imports nothing of ``image``, so that a profile can be read, written and
used without an image.
"""

from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.profile.flags import (
    ClumpFlag,
    GalaxyFlag,
    RingFlag,
    StructureFlag,
    decode_flags,
    decode_structure_flags,
    describe_flags,
)
from astro_pix2prof.profile.io import read_profile, write_profile
from astro_pix2prof.profile.meta import profile_correlation
from astro_pix2prof.profile.samples import sample_profile
from astro_pix2prof.profile.table import build_profile

__all__ = ['ClumpFlag', 'GalaxyFlag', 'ProfileBatch', 'RingFlag',
           'StructureFlag', 'build_profile', 'decode_flags',
           'decode_structure_flags', 'describe_flags', 'profile_correlation',
           'read_profile', 'sample_profile', 'write_profile']
