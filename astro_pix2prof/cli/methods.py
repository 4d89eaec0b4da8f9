# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The fitters that the command line knows.
"""

from functools import cache

__all__ = ['METHODS', 'network_fitter']


@cache
def network_fitter(weights='rings', device=None):
    """
    A `~astro_pix2prof.Pix2ProfFitter`, whose weights are read once.
    """
    from astro_pix2prof.inference.fitter import Pix2ProfFitter

    return Pix2ProfFitter(weights, device=device)


def _fit_network(image, *, geometry=None, weights='rings', device=None,
                 **options):
    """
    Fit with `~astro_pix2prof.Pix2ProfFitter`.
    """
    return network_fitter(weights, device).fit(
        image, geometry=geometry, **options)


def _fit_isophotes(image, *, geometry=None, weights=None, device=None,
                   **options):
    """
    Fit with `~astro_pix2prof.isophote.fitter.IsophoteFitter`.
    """
    from astro_pix2prof.isophote.fitter import IsophoteFitter

    return IsophoteFitter().fit(image, geometry=geometry, **options)


# Each takes an image and the options of GalaxyCutout and returns an object
# with the attributes profile, cutout and mask.
METHODS = {'pix2prof': _fit_network, 'isophote': _fit_isophotes}
