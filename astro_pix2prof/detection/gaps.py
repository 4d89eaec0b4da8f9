# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Filling of missing pixels from those around them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ['fill_gaps']


# Standard deviations (pixels) of the kernels, the narrowest first.
KERNELS = (1.0, 2.0, 4.0, 8.0, 16.0)

# Least part of a kernel that has to see usable pixels.
SEEN = 0.1


def fill_gaps(image, bad):
    """
    Replace missing pixels by a weighted mean of the nearest usable ones.

    It serves to find objects: a gap that is taken for dark sky moves the
    centroid of a galaxy and splits it. Nothing may be measured on it.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The sky-subtracted image.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Missing pixels. Their values are not looked at.

    Returns
    -------
    filled : 2D `~numpy.ndarray`, shape (ny, nx)
        The image; zero (sky) in the middle of gaps that are too wide.

    blind : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels in the middle of gaps that are too wide.
    """
    filled = np.where(bad, 0.0, image)
    blind = np.array(bad, dtype=bool)
    if not blind.any():
        return filled, blind
    known, good = filled.copy(), (~blind).astype(float)
    for kernel in KERNELS:
        share = gaussian_filter(good, kernel)
        here = blind & (share > SEEN)
        if here.any():
            filled[here] = gaussian_filter(known, kernel)[here] / share[here]
            blind &= ~here
        if not blind.any():
            break
    return filled, blind
