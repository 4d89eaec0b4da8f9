# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The interface of all fitters.
"""

from astro_pix2prof.profile.batch import ProfileBatch

__all__ = []


def _fit_each(fitter, images, options):
    """
    The batch of single calls.
    """
    profiles = []
    for image, own in images:
        try:
            profiles.append(fitter(image, **{**options, **own}))
        except Exception as error:  # it is the image's result
            profiles.append(error)
    return ProfileBatch.from_profiles(profiles)
