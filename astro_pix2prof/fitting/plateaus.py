# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise saturated cores of images that do not state their saturation.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    label,
    uniform_filter,
)

from astro_pix2prof.fitting.craters import find_crater
from astro_pix2prof.fitting.enlarged import without_repeats

__all__ = ['find_full', 'find_plateau']


# Full wells at the centre: the relative difference up to which pixels are
# equal, the least number of equal pixels, and how far (pixels) from the
# centre they are looked for.
_EQUAL, _N_EQUAL, _CORE = 1e-5, 4, 6

# Least height of full wells above the sky, in units of the noise; more where
# values are rounded to more than a part of the noise and are equal for that.
_WELL, _WELL_ROUNDED, _ROUNDED = 5.0, 20.0, 0.2

# There are so many times more full wells than pixels one step of rounding
# below: round peaks have as many, flat ones (a Sersic law of index 0.25) twice
# as many.
_FULLER = 4

# Full wells that differ: half the side of the box that is looked at, and
# their least height in units of the noise.
_BOX, _HEIGHT = 60, 8.0

# Half the side of the box that is enough for most galaxies.
_SMALL = 22

# Of a galaxy, pixels above this part of the peak are looked at, if there are
# enough; of these, so many at least are full.
_PART, _FEWEST = 0.2, 12

# The values of full wells spread less than those of as many pixels next to
# them by this factor: smooth peaks have 0.5 to 1.2, flat ones (a Sersic law
# of index 0.3) up to 2.2. And by less than this part of their height.
_BREAK, _SPREAD = 3.5, 0.2

# A galaxy that is cut off is steep at once: of the next pixels, the first half
# spreads by this part of the second half at least. Flat tops have 0.2 to 0.7.
_STEEP = 0.8

# In means over 3 x 3 pixels there are so many more of them.
_MORE = 4

# Exchanges of the lesser and the greater of two that bring the median of nine
# numbers to the middle.
_EXCHANGES = ((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5),
              (7, 8), (0, 3), (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7),
              (4, 2), (6, 4), (4, 2))

# The part of the pixels among full wells that are none.
_HOLES = 0.15


def find_full(cutout, centre, sky, sigma):
    """
    Find the pixels of an image that are saturated.

    Parameters
    ----------
    cutout : `~astro_pix2prof.image.cutout.GalaxyCutout`
        The image, which may state where saturation begins.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    sky, sigma : float
        The sky level and the noise of a sky pixel.

    Returns
    -------
    full : 2D bool `~numpy.ndarray`, or `None`
        Pixels above the saturation level, and those of a crater at the
        centre with the pixels around it; `None` if there are none.
    """
    data, bad = cutout.data, cutout.mask
    level = cutout.saturation
    if level is None:
        level = find_plateau(data, bad, centre, sky, sigma)
    full = None if level is None else data >= level
    crater = find_crater(data, bad, centre, sigma, sky=sky)
    plain = None
    if crater is not None:
        # (noise may have craters of a pixel, which is several)
        plain = without_repeats(data, bad, centre)
    if plain is not None:
        crater = find_crater(*plain[:3], sigma, sky=sky)
        crater = None if crater is None else crater[plain[3]]
    if crater is not None:
        crater = binary_dilation(crater)
        full = crater if full is None else full | crater
    return full


def find_plateau(data, bad, centre, sky, sigma):
    """
    Find the value at which the centre of a galaxy is cut off.

    Images that do not state their saturation are saturated where several
    pixels have the same value, the largest one, far above the noise; or
    where many of the brightest pixels, side by side, differ by much less
    than the next ones do: full wells are rarely equal once an image is
    reduced, but no galaxy has a flat top with a sharp edge. Pixels that an
    enlargement has repeated count once.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixels.

    bad : 2D bool `~numpy.ndarray`
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    sky, sigma : float
        The sky level and the noise of a sky pixel.

    Returns
    -------
    level : float or `None`
        `None` if the centre is not cut off.
    """
    level = _level(data, bad, centre, sky, sigma)
    if level is None:
        return None
    plain = without_repeats(data, bad, centre)
    if plain is None:
        return level
    return _level(*plain[:3], sky, sigma)


def _level(data, bad, centre, sky, sigma):
    """
    Find the level of equal pixels, or of those that differ little.
    """
    level = _equal_level(data, bad, centre, sky, sigma)
    if level is None:
        level = _rough_level(data, bad, centre, sky, sigma)
    return level


def _equal_level(data, bad, centre, sky, sigma):
    """
    Find the value that several of the brightest pixels share.
    """
    x, y = (round(c) for c in centre)
    inside = np.s_[max(y - _CORE, 0):max(y + _CORE + 1, 0),
                   max(x - _CORE, 0):max(x + _CORE + 1, 0)]
    values = data[inside][~bad[inside]]
    if values.size < _N_EQUAL:
        return None
    top = float(values.max())
    # (above a high sky, single precision has fewer digits for the galaxy)
    close = max(_EQUAL * abs(top - sky),
                1.7 * float(np.finfo(data.dtype).eps) * abs(top))
    equal = np.count_nonzero(values >= top - close)
    if equal < _N_EQUAL:
        return None
    steps = np.diff(np.unique(values))
    # (all may be equal)
    rounded = steps.size and steps.min() > _ROUNDED * sigma
    least = _WELL_ROUNDED if rounded else _WELL
    if top - sky < least * sigma:
        return None
    if rounded and not _is_fuller(data, bad, (x, y), top, steps.min()):
        return None
    return top - close


def _is_fuller(data, bad, centre, top, step):
    """
    Tell whether more rounded pixels have the largest value than the next.
    """
    x, y = centre
    box = np.s_[max(y - _BOX, 0):y + _BOX + 1, max(x - _BOX, 0):x + _BOX + 1]
    below = (top - data[box][~bad[box]]) / step
    return np.count_nonzero(np.abs(below) < 0.5) > _FULLER * (
        np.count_nonzero(np.abs(below - 1) < 0.5))


def _rough_level(data, bad, centre, sky, sigma):
    """
    Find the level of many of the brightest pixels that differ little.
    """
    ny, nx = data.shape
    x, y = (round(c) for c in centre)
    box = np.s_[max(y - _BOX, 0):min(y + _BOX + 1, ny),
                max(x - _BOX, 0):min(x + _BOX + 1, nx)]
    values, hidden = data[box], bad[box]
    x, y = x - box[1].start, y - box[0].start
    if not (0 <= x < values.shape[1] and 0 <= y < values.shape[0]):
        return None
    found = None
    for half in (_SMALL, _BOX):
        inner = tuple(slice(max(at - half, 0), at + half + 1)
                      for at in (y, x))
        # (the pixels beside the last ones count)
        outer = tuple(slice(max(part.start - 1, 0), part.stop + 1)
                      for part in inner)
        found = _bright_part(values[outer], hidden[outer], sky, sigma, (
            y - outer[0].start, x - outer[1].start))
        if found is None:
            return None
        if half == _BOX or not _touches(found[1], outer, values.shape):
            # (most galaxies are small, and take less time)
            break
    values, galaxy = found
    number = np.count_nonzero(galaxy)
    for smooth, least in ((False, _FEWEST), (True, _FEWEST * _MORE)):
        if number // 2 < least:
            break
        image = uniform_filter(values, 3) if smooth else values
        level = _broken_level(image, galaxy, least)
        if level is not None:
            # (rounded pixels are equal for that)
            steps = np.diff(np.unique(values[galaxy]))
            level = _broken_level(image, galaxy, least,
                                  steps.min() if steps.size else 0.0)
        if level is not None:
            return float(level + sky)
    return None


def _bright_part(data, hidden, sky, sigma, centre):
    """
    Find the bright part of a galaxy, in one piece.

    Returns
    -------
    found : tuple or `None`
        The pixels without the sky, and those of the galaxy; `None` without a
        bright one at the centre (y, x).
    """
    values = data.astype(float) - sky
    core = tuple(slice(max(at - _CORE, 0), at + _CORE + 1) for at in centre)
    some = hidden.any()
    if some:
        values = np.where(hidden, 0.0, values)
    if not np.max(values[core], initial=0.0) > _HEIGHT * sigma:
        return None
    # (cosmic rays; the sky changes no order)
    calm = _median_of_nine(values) if some else (
        _median_of_nine(data).astype(float) - sky)
    top = calm[core].max()
    if not top > _HEIGHT * sigma:
        return None
    galaxy, _ = label(calm > _PART * top)
    at = np.unravel_index(np.argmax(calm[core]), calm[core].shape)
    number = galaxy[core][at]
    return values, (galaxy == number) & ~hidden


def _touches(area, box, shape):
    """
    Tell whether an area may go on beyond a box.
    """
    # (medians of the last pixels are those of the next ones)
    return bool((box[0].start > 0 and area[:2].any())
                or (box[0].stop < shape[0] and area[-2:].any())
                or (box[1].start > 0 and area[:, :2].any())
                or (box[1].stop < shape[1] and area[:, -2:].any()))


def _median_of_nine(image):
    """
    Calculate the median of each pixel and its eight neighbours.

    That of `scipy.ndimage.median_filter`, in a quarter of the time: nine
    images are ordered by exchanges, until the middle one is known (Smith
    1996, Xcell Journal 23, 16).
    """
    ny, nx = image.shape
    # (with its outermost pixels once more)
    wide = np.empty((ny + 2, nx + 2), image.dtype)
    wide[1:-1, 1:-1] = image
    wide[0, 1:-1], wide[-1, 1:-1] = image[0], image[-1]
    wide[:, 0], wide[:, -1] = wide[:, 1], wide[:, -2]
    part = [wide[y:y + ny, x:x + nx] for y in range(3) for x in range(3)]
    for a, b in _EXCHANGES:
        part[a], part[b] = (np.minimum(part[a], part[b]),
                            np.maximum(part[a], part[b]))
    return part[4]


def _broken_level(image, galaxy, least, step=0.0):
    """
    Find the level above which values spread less than below it.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The pixels, or means of them, without the sky.

    galaxy : 2D bool `~numpy.ndarray`
        The bright part of the galaxy.

    least : int
        Least number of pixels above it.

    step : float, optional
        The least difference of two values: rounding makes pixels equal.

    Returns
    -------
    level : float or `None`
    """
    ordered = np.sort(image[galaxy])[::-1]
    most = len(ordered) // 2
    if most < least or not ordered[0] > 0:
        return None
    n = _numbers(least, most)
    first, last = ordered[n // 10], ordered[(9 * n) // 10]
    spread = first - last
    beyond = ordered[n + n // 20] - ordered[2 * n - 1]
    ratio = beyond / np.maximum(spread, max(step, 1e-12 * ordered[0]))
    fits = (ratio > _BREAK) & (spread < _SPREAD * ordered[n // 2])
    near, middle = ordered[n + n // 20], ordered[n + n // 2]
    fits &= (near - middle) > _STEEP * (middle - ordered[2 * n - 1])
    for k in np.flatnonzero(fits)[::-1]:
        # (the tenth with the lowest values is about as far away)
        level = 2 * last[k] - ordered[n[k] // 2]
        if _is_solid(galaxy & (image >= level)):
            return float(level)
    return None


@lru_cache(maxsize=4096)
def _numbers(least, most):
    """
    List the numbers of full wells that are tried.
    """
    return np.unique(np.geomspace(least, most, 40).astype(int))


def _is_solid(full):
    """
    Tell whether most pixels of an area are in one piece without holes.
    """
    whole = binary_fill_holes(binary_closing(np.pad(full, 2)))[2:-2, 2:-2]
    which, n = label(whole)
    if not n:
        return False
    size = np.bincount(which.ravel())[1:]
    piece = which == 1 + np.argmax(size)
    inside = np.count_nonzero(full & piece)
    return (inside > (1 - _HOLES) * np.count_nonzero(full)
            and inside > (1 - _HOLES) * np.count_nonzero(piece))
