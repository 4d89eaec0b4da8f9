# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pixels of a galaxy and those opposite, on the other side of its centre.
"""

import numpy as np
from scipy.ndimage import map_coordinates

__all__ = ['MISSING', 'PHOTONS', 'SMOOTH', 'SMOOTH_NOISE', 'centre_slopes',
           'cut_around', 'one_of_each_pair']


# The pixels are smoothed a little; the noise of a smoothed pixel.
SMOOTH = 1.2
SMOOTH_NOISE = 0.5 / (np.sqrt(np.pi) * SMOOTH)

# Without a gain, so many photons make a count of the size of the noise.
PHOTONS = 2.0

# The part of a smoothed pixel that may be missing.
MISSING = 0.1

# Fewest pixels along an axis that are compared.
_FEWEST = 4


def cut_around(image, mask, centre, radius):
    """
    Cut out the pixels around a centre that smoothing to a radius needs.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    radius : int
        In pixels.

    Returns
    -------
    part, hidden : 2D `~numpy.ndarray` or `None`
        Of the image and the mask; `None` if too few are in the frame.

    middle : tuple of 2 floats
        The centre (x, y) in them.
    """
    reach = radius + int(4 * SMOOTH) + 2
    corner = [max(int(c) - reach, 0) for c in centre]
    box = np.s_[corner[1]:max(int(centre[1]) + reach + 1, 0),
                corner[0]:max(int(centre[0]) + reach + 1, 0)]
    if min(image[box].shape) < _FEWEST:
        return None, None, centre
    return image[box], mask[box], (centre[0] - corner[0],
                                   centre[1] - corner[1])


def one_of_each_pair(x, y, inner, outer):
    """
    Choose points within distances, one of each opposite pair.

    Parameters
    ----------
    x, y : 1D `~numpy.ndarray`, shape (n,)
        The points, from the centre.

    inner, outer : float
        The distances.

    Returns
    -------
    chosen : 1D bool `~numpy.ndarray`, shape (n,)
    """
    radius = np.hypot(x, y)
    return (radius > inner) & (radius < outer) & (
        (y > 0) | ((y == 0) & (x > 0)))


def centre_slopes(part, at, **options):
    """
    Calculate how pairs of opposite pixels differ if their centre is off.

    Parameters
    ----------
    part : 2D `~numpy.ndarray`, shape (ny, nx)
        The smoothed pixels.

    at : `~numpy.ndarray`, shape (2, 2, n)
        The rows and columns of the points of each pair.

    **options
        Passed to `~scipy.ndimage.map_coordinates`.

    Returns
    -------
    slopes : 2D `~numpy.ndarray`, shape (2, n)
        Half the differences for a pixel along y and x.
    """
    slope = np.array([map_coordinates(along, at, order=1, **options)
                      for along in np.gradient(part)])
    return 0.5 * (slope[:, 0] - slope[:, 1])
