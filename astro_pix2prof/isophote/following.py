# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell a galaxy whose centre is beyond the search radius from a bright neighbour.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter

from astro_pix2prof.detection.galaxy import find_galaxy

__all__ = ['find_beside', 'follow_light']


# A centre is at the edge of the area that was searched if it is beyond this
# part of its radius. The light is followed in steps of so many pixels, out to
# this multiple of the radius.
_EDGE, _STEP, _FARTHEST = 0.95, 4, 3.0

# What is followed becomes brighter by so many times the noise.
_CLEAR = 6.0

# A peak of its own is this part of the search radius from the position, at
# most, the brightest of so many pixels on a side, and brighter than what lies
# between it and the edge by so many times the noise. The galaxy is looked for
# again so many pixels around it.
_INSIDE, _SIDE, _OWN, _AROUND = 0.8, 5, 6.0, 3.0

# Light near the position that is not on the other side of the peak, too, is
# that of another galaxy: so many times the noise, and this part of what is
# there.
_MORE, _PART = 7.0, 0.2


def find_beside(image, bad, sigma, position, search):
    """
    Find a galaxy that a brighter one may lie beside.

    Where the light of the other one rises to the edge of the area that was
    searched, a peak inside is the galaxy.

    Parameters
    ----------
    image, bad, sigma, position
        As for `~astro_pix2prof.detection.galaxy.find_galaxy`.

    search : float
        The search radius in pixels.

    Returns
    -------
    found : `~astro_pix2prof.detection.galaxy.Detection`
    """
    found = find_galaxy(image, bad, sigma, position, search_radius=search)
    if not _is_at_edge(found, position, search):
        return found
    half = int(search) + _SIDE
    first = [max(round(c) - half, 0) for c in position]
    box = tuple(slice(k, k + 2 * half + 1) for k in first[::-1])
    smooth = gaussian_filter(image, found.scale)[box]
    y, x = np.indices(smooth.shape)
    place = np.subtract(position, first)
    tops = ((np.hypot(x - place[0], y - place[1]) < _INSIDE * search)
            & (smooth == maximum_filter(smooth, _SIDE)))
    if not tops.any():
        return found
    row, column = np.unravel_index(np.argmax(np.where(
        tops, smooth, -np.inf)), smooth.shape)
    end = np.subtract(found.centre, first)
    part = np.linspace(0, 1, 4 * half)
    between = map_coordinates(smooth, [
        row + part * (end[1] - row), column + part * (end[0] - column)],
        order=1)
    if not smooth[row, column] > between.min() + _OWN * _noise(sigma, found):
        return found
    return find_galaxy(
        image, bad, sigma, (float(column + first[0]), float(row + first[1])),
        search_radius=_AROUND)


def _noise(sigma, found):
    """
    Calculate the noise of an image that was smoothed as the galaxy was found.
    """
    return sigma / (2 * np.sqrt(np.pi) * found.scale)


def _is_at_edge(found, position, search):
    """
    Tell whether the centre was held at the edge of the search.
    """
    return found.found and np.hypot(*np.subtract(
        found.centre, position)) >= _EDGE * search


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
    if not _is_at_edge(found, position, search):
        return None
    whole = gaussian_filter(image, found.scale)
    smooth = np.where(found.galaxy, whole, -np.inf)
    noise = _noise(sigma, found)
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
    if not smooth[y, x] > start + _CLEAR * noise or _is_another(
            whole, (x, y), position, search, noise):
        return None
    return float(x), float(y)


def _is_another(smooth, peak, position, search, noise):
    """
    Tell whether the light at the position is that of another galaxy.

    That of the one with the peak is as bright on the other side of it.
    """
    y, x = np.indices(smooth.shape)
    near = np.hypot(x - position[0], y - position[1]) < _INSIDE * search
    y, x = y[near], x[near]
    opposite = map_coordinates(smooth, [2 * peak[1] - y, 2 * peak[0] - x],
                               order=1, cval=np.nan)
    light = smooth[near]
    with np.errstate(invalid='ignore'):
        more = light - opposite > np.maximum(_MORE * noise, _PART * light)
    return bool(more.any())
