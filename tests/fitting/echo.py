# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A fitter that other processes import, without torch and photutils.
"""

from astro_pix2prof.fitting.base import ProfileFitter


class Echo(ProfileFitter):
    """
    A fitter that knows the results for images by their first pixel.
    """

    def __init__(self, fits):
        self.fits = fits

    def fit(self, image, **options):
        return self.fits[int(image[0, 0])]
