# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The structure of a sky that is not flat.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label

from astro_pix2prof.background.medians import median, spread

__all__ = ['SkyStructure', 'first_slope', 'measure_structure_of_sky',
           'rise_of']


# The sky is divided into about so many blocks each way, of at least so many
# boxes each way.
_BLOCKS, _LEAST_BLOCK = 8, 4

# Blocks with fewer of their boxes than this part are left out; with fewer
# blocks nothing is said of a plane, or nothing at all.
_FILLED, _FEW_BLOCKS, _LEAST_BLOCKS = 0.3, 12, 3

# What exceeds the rings over more than this part of the frame is no object.
_LARGE = 0.06

# Boxes that deviate from the median of their block by so many times the noise
# hold other objects, and blocks that deviate from a plane by so many times
# the scatter of all their haloes.
_OBJECT, _HALO = 2.5, 4.0

# The noise of a block is at least this part of that of the others.
_QUIET = 0.3

# Blocks of frames with a flat sky scatter by this part of the noise of a
# pixel, as they hold faint objects.
_FAINT_OBJECTS = 0.025

# The first plane of a frame is fitted so many times, each time without what
# lies far from it.
_PASSES = 8

# The sky within the galaxy, extrapolated from the blocks, cannot deviate by
# more times the scatter than in a bowl.
_EXTRAPOLATED = 2.5


@dataclass
class SkyStructure:
    """
    Deviation of the means of blocks of sky from a flat sky.

    Attributes
    ----------
    scatter : float
        The scatter about a plane that noise and faint objects do not
        explain.

    below : float
        The sky within the galaxy, extrapolated from the blocks, less the
        level.

    tilt : float
        The part of the level that a plane explains, as the blocks do not
        lie around the galaxy.

    rise : float
        The increase of the plane across the frame.
    """

    scatter: float = 0.0
    below: float = 0.0
    tilt: float = 0.0
    rise: float = 0.0

    @property
    def error(self):
        """
        The error of the level within the galaxy (float).
        """
        limit = _EXTRAPOLATED * self.scatter
        return float(np.sqrt(self.scatter**2 + self.tilt**2
                             + min(abs(self.below), limit)**2))


def measure_structure_of_sky(image, sky, others, centre, level, noise, *,
                             pixel_noise):
    """
    Measure how far the sky is from flat.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The means of boxes.

    sky : 2D bool `~numpy.ndarray`
        The boxes beyond the galaxy.

    others : 2D bool `~numpy.ndarray`
        The boxes that exceed the means of rings. Small areas of them are
        other objects, large ones structure.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy, in boxes.

    level : float
        The level that was found.

    noise : float
        The noise of a mean over many boxes, times the square root of their
        number.

    pixel_noise : float
        The noise of a pixel.

    Returns
    -------
    structure : `SkyStructure`
        All zero where there are not enough blocks.
    """
    areas, _ = label(others)
    small = np.bincount(areas.ravel()) <= _LARGE * image.size
    small[0] = False
    x, y, value, count, local = _blocks(image, sky & ~small[areas], noise)
    if len(value) < _LEAST_BLOCKS:
        return SkyStructure()
    x, y = x - centre[0], y - centre[1]
    # (the noise of a frame need not be the same everywhere)
    typical = median(local)
    relative = local / typical if typical > 0 else np.ones(len(local))
    error = noise * np.maximum(relative, _QUIET) / np.sqrt(count)
    floor = (_FAINT_OBJECTS * pixel_noise)**2
    if len(value) < _FEW_BLOCKS:
        excess = value.var(ddof=1) - (error**2).mean() - floor
        return SkyStructure(float(np.sqrt(max(excess, 0.0))))
    plane = np.stack([np.ones(len(x)), x, y], -1)
    bent = np.concatenate([plane, np.stack([x * x, x * y, y * y], -1)], -1)
    # (bright objects have haloes, wider than their masks)
    left = value - plane @ _solve(plane, value, error)
    keep = np.abs(left - median(left)) < _HALO * np.hypot(
        spread(left), error)
    plane, bent, value, error = (part[keep] for part in (
        plane, bent, value, error))
    slopes = _solve(plane, value, error)
    left = value - plane @ slopes
    # (as far as it is more than chance)
    free = max(len(left) - 3, 1)
    excess = ((left**2).sum() / free
              - (1 + np.sqrt(2 / free)) * (error**2).mean() - floor)
    weight = error**-2.0
    tilt = slopes[1:] @ (weight @ plane[:, 1:] / weight.sum())
    return SkyStructure(
        float(np.sqrt(max(excess, 0.0))),
        float(_solve(bent, value, error)[0] - level),
        float(tilt),
        rise_of(slopes[1:], image.shape))


def rise_of(slope, shape):
    """
    Calculate by how much a plane rises from corner to corner of a frame.

    Parameters
    ----------
    slope : tuple of 2 floats
        The increase per pixel along x and y.

    shape : tuple of 2 ints
        The shape (ny, nx) of the frame.

    Returns
    -------
    rise : float
    """
    return float(abs(slope[0]) * shape[1] + abs(slope[1]) * shape[0])


def first_slope(image, hidden, least):
    """
    Measure the slope of a steep sky before anything is known of it.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The means of boxes.

    hidden : 2D bool `~numpy.ndarray`
        Boxes to leave out.

    least : float
        A sky that rises by less than this across the frame is taken as
        flat: faint sources decide.

    Returns
    -------
    slope : 1D `~numpy.ndarray`, shape (2,)
        The increase per box along x and y.
    """
    y, x = np.nonzero(~hidden)
    if len(y) < _FEW_BLOCKS:
        return np.zeros(2)
    value = image[y, x]
    design = np.stack([x - x.mean(), y - y.mean(), np.ones(len(x))], -1)
    keep = np.ones(len(x), bool)
    for _ in range(_PASSES):
        plane = np.linalg.lstsq(design[keep], value[keep], rcond=None)[0]
        left = value - design @ plane
        middle, width = median(left[keep]), spread(left[keep])
        # (sources are brighter than the sky, and never darker)
        keep = (left > middle - 3 * width) & (left < middle + 2 * width)
        if keep.sum() < _FEW_BLOCKS:
            return np.zeros(2)
    slope = plane[:2]
    steep = rise_of(slope, image.shape) > least
    return slope if steep else np.zeros(2)


def _solve(design, value, error):
    """
    Weighted least squares.
    """
    return np.linalg.lstsq(design / error[:, None], value / error,
                           rcond=None)[0]


def _blocks(image, use, noise):
    """
    Position, mean without objects, number of boxes, and their scatter.

    Of each block.
    """
    y, x = np.nonzero(use)
    if not len(y):
        return np.zeros((5, 0))
    extent = max(np.ptp(y), np.ptp(x)) + 1
    side = max(extent // _BLOCKS, _LEAST_BLOCK)
    wide = image.shape[1] // side + 1
    block = (y - y.min()) // side * wide + (x - x.min()) // side
    value = image[y, x]
    low = value.min()
    # (one sort, by block and value)
    order = np.argsort(block + (value - low) / (
        1.01 * max(np.ptp(value), noise)))
    size = np.bincount(block)
    first = np.cumsum(size) - size
    median = value[order][np.minimum(first + size // 2, len(value) - 1)]
    keep = np.abs(value - median[block]) < _OBJECT * noise
    block, value, x, y = block[keep], value[keep], x[keep], y[keep]
    count = np.bincount(block, minlength=len(size))
    some = count >= _FILLED * side**2
    mean = np.bincount(block, value, len(size)) / np.maximum(count, 1)
    left = np.bincount(block, (value - mean[block])**2, len(size))[some]
    scatter = np.sqrt(left / np.maximum(count[some] - 1, 1))
    x, y = (np.bincount(block, part, len(size))[some] / count[some]
            for part in (x, y))
    return x, y, mean[some], count[some], scatter
