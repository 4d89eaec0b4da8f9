# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Choose how an image is interpolated where an isophote fit samples it.
"""

import numpy as np

__all__ = ['spline_share']


# The light of a ring, in units of the noise of a pixel, at which the means of
# a spline and of a bilinear function are taken.
_CLEAR = 2.0


def spline_share(light, sigma):
    """
    Choose the share of a cubic spline in the samples of rings.

    A bilinear function makes what is a few pixels thick rounder and fainter; a
    spline smoothes less of the noise.

    Parameters
    ----------
    light : `~numpy.ndarray`
        The mean light of the rings above the sky.

    sigma : float
        The noise of a sky pixel.

    Returns
    -------
    share : `~numpy.ndarray`
        From 0 to 1; the rest is that of a bilinear function.
    """
    seen = np.maximum(np.nan_to_num(light), 0.0)**2
    return seen / (seen + (_CLEAR * sigma)**2 + np.finfo(float).tiny)
