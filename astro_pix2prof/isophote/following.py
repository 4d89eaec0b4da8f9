# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Follow the light of a galaxy whose centre is beyond the search radius.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ['follow_light']


# A centre is at the edge of the area that was searched if it is beyond this
# part of its radius. The light is followed in steps of so many pixels, out to
# this multiple of the radius.
_EDGE, _STEP, _FARTHEST = 0.95, 4, 3.0

# What is followed becomes brighter by so many times the noise.
_CLEAR = 6.0


def follow_light(image, found, position, search, sigma):
    """
    Find the peak of a galaxy of which only a side was searched.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky; its bad pixels must be filled.

    found : `~astro_pix2prof.detection.galaxy.Detection`
        What was found within the search radius.

    position : tuple of 2 floats
        Where (x, y) the galaxy was looked for, in pixels.

    search : float
        The search radius in pixels.

    sigma : float
        The noise of a sky pixel.

    Returns
    -------
    peak : tuple of 2 floats or `None`
        The peak (x, y) of the galaxy, in pixels; `None` if it was found
        within the search radius, or its light does not rise beyond.
    """
    if not found.found or np.hypot(*np.subtract(
            found.centre, position)) < _EDGE * search:
        return None
    smooth = np.where(found.galaxy, gaussian_filter(image, found.scale),
                      -np.inf)
    noise = sigma / (2 * np.sqrt(np.pi) * found.scale)
    ny, nx = image.shape
    first = x, y = tuple(int(np.clip(round(c), 0, n - 1)) for c, n in zip(
        found.centre, (nx, ny), strict=True))
    while True:
        left, low = max(x - _STEP, 0), max(y - _STEP, 0)
        part = smooth[low:y + _STEP + 1, left:x + _STEP + 1]
        row, column = np.unravel_index(np.argmax(part), part.shape)
        if (left + column, low + row) == (x, y):
            break
        x, y = int(left + column), int(low + row)
        if np.hypot(x - position[0], y - position[1]) > _FARTHEST * search:
            return None
    start = max(float(smooth[first[1], first[0]]), 0.0)
    if not smooth[y, x] > start + _CLEAR * noise:
        return None
    return float(x), float(y)
