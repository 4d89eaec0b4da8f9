# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Areas of a rounded image that repeat a value or a pattern.
"""

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_fill_holes,
    find_objects,
    label,
)

__all__ = ['find_repeats']


# Values are rounded if fewer than this part of so many pixels are distinct,
# and noisy if less than this part of them equal those beside them.
_SAMPLE, _DISTINCT, _NOISY = 1500, 0.4, 0.8

# Steps (along y and x) after which an area may repeat itself.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (0, 3), (3, 0),
          (0, 4), (4, 0))

# Expected number of areas by chance below which one is none, and the widths
# of the strips that are looked for.
_CHANCE, _WIDTHS = 1e-7, (1, 2, 3, 4, 6, 9)

# Cells (pixels) in which equal pixels are counted, and the quantile of the
# cells that tells how often they are by chance.
_CELL, _MANY = 16, 0.9

# The least part of the pixels of rows that are equal in enlarged images.
_ENLARGED = 0.9

# Frames of more pixels than this are looked at only if some cell has so much
# more than most.
_LARGE, _MORE = 2**20, 0.25

# Areas of which squares of four pixels hold less than this part are thin.
_SOLID = 0.7

# The least size of an area, the part of it that may differ, in holes of at
# most so many pixels, the most areas of a frame, and the width (pixels) of
# what is compared around an area.
_LEAST, _OTHERS, _HOLE, _MOST, _NEAR = 30, 1e-3, 100, 40, 8


def find_repeats(data, good):
    """
    Find areas of a rounded image that repeat a value or a pattern.

    Where the sky is rounded to half of its noise or more, a value that
    fills an area also occurs in the sky, and an area of the level of the
    sky does not stand out. But it has no noise: each pixel equals the one
    some steps away. Noise does that here and there, and not over an area.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixel values.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Usable pixels.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx)
        The pixels of such areas. There are none in images whose values are
        not rounded or that have no noise, and none of the least value that
        there is: these may be pixels without photons.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.repeats import find_repeats
    >>> data = np.random.default_rng(0).normal(size=(64, 64)).round()
    >>> data[:, 40:] = np.indices((64, 24)).sum(0) % 3
    >>> found = find_repeats(data, np.ones(data.shape, bool))
    >>> print(f'{found[:, 40:].mean():.2f} {found[:, :30].mean():.2f}')
    1.00 0.00
    """
    found = np.zeros(data.shape, dtype=bool)
    if min(data.shape) < 2 * _CELL or not _is_rounded(data, good):
        return found
    for step in _STEPS:
        # (what is found does not grow with the next)
        found |= _areas(data, good & ~found, step)
    return found


def _is_rounded(data, good):
    """
    Tell whether few values occur.
    """
    every = (data.size // _SAMPLE) | 1
    sample = data.ravel()[::every][good.ravel()[::every]]
    return len(np.unique(sample)) < _DISTINCT * len(sample)


def _areas(data, good, step):
    """
    The areas that repeat themselves after a step.
    """
    ny, nx = data.shape
    down, right = step
    area = np.zeros(data.shape, dtype=bool)
    here = np.s_[:ny - down, max(-right, 0):nx - max(right, 0)]
    there = np.s_[down:, max(right, 0):nx - max(-right, 0)]
    both = good[here] & good[there]
    equal = (data[here] == data[there]) & both
    share = _share(equal, both)
    if not 0 < share < _NOISY or _is_enlarged(equal):
        return area
    solid = _solid(equal, _needed(equal.size, share))
    if not solid.any():
        return area
    for side in (2, 3):
        # (correlated noise is equal in blocks)
        block, whole = (_combined(plane, (side, side), np.logical_and)
                        for plane in (equal, both))
        share = max(share, _share(block, whole, 0.5)**(1 / side**2))
    # (those that are by chance disappear)
    solid = _certain(equal, both, solid, share)
    area[here] |= solid
    area[there] |= solid
    area &= good
    return _without_chance(data, good, area)


def _share(equal, both, part=_MANY):
    """
    Measure the part of the pixels that are equal by chance.

    Where that is most often; 1 where no area can be.
    """
    ny, nx = (n // _CELL for n in equal.shape)

    def cells(plane):
        return plane[:ny * _CELL, :nx * _CELL].reshape(
            ny, _CELL, nx, _CELL).sum((1, 3)).ravel()

    count, n = cells(equal), cells(both)
    use = n > 0.5 * _CELL**2
    if not use.any():
        return 1.0
    rate = count[use] / n[use]
    middle = np.median(rate)
    if equal.size > _LARGE and not rate.max() > middle + _MORE:
        return 1.0
    # (without those that are in such an area)
    rate = rate[rate <= 0.5 * (1 + middle)]
    return max(float(np.quantile(rate, part)), 1 / equal.size)


def _is_enlarged(equal):
    """
    Tell whether every second, third or fourth row or column is equal.
    """
    return any(
        max(lines[first::every].mean() for first in range(every)) > _ENLARGED
        for lines in (equal.mean(0), equal.mean(1)) for every in (2, 3, 4))


def _needed(size, share):
    """
    The number of equal pixels in a rectangle that are not by chance.

    More if many are equal, which are then so together.
    """
    return (1 + share) * np.log(_CHANCE / size) / np.log(share)


def _solid(equal, needed):
    """
    The parts of a map in which all pixels are set.

    They consist of rectangles that are half as large as is needed, and are
    together twice as large: strips may lie at any angle.
    """
    whole = 2 * needed
    needed = 0.5 * needed
    solid = np.zeros(equal.shape, dtype=bool)
    for width in _WIDTHS:
        length = max(int(np.ceil(needed / width)), width)
        for size in {(width, length), (length, width)}:
            corners = _combined(equal, size, np.logical_and)
            if corners.any():
                solid |= _combined(np.pad(corners, [
                    (n - 1, n - 1) for n in size]), size, np.logical_or)
    which, _ = label(solid, np.ones((3, 3)))
    size = np.bincount(which.ravel())
    size[0] = 0
    return (size >= whole)[which]


def _combined(plane, size, combine):
    """
    Combine the pixels of all rectangles of a size, named by a corner.
    """
    for axis, n in enumerate(size):
        done = 1
        while done < n and plane.shape[axis] > 0:
            step = min(done, n - done)
            first, second = [slice(None)] * 2, [slice(None)] * 2
            first[axis] = slice(0, max(plane.shape[axis] - step, 0))
            second[axis] = slice(step, None)
            plane = combine(plane[tuple(first)], plane[tuple(second)])
            done += step
    return plane


def _certain(equal, both, solid, share):
    """
    The areas that are not by chance, for what is around each.
    """
    which, n = label(solid, np.ones((3, 3)))
    certain = np.zeros(solid.shape, dtype=bool)
    if n > 10 * _MOST:
        return certain
    for number, found in enumerate(find_objects(which), 1):
        box = tuple(slice(max(s.start - _NEAR, 0), s.stop + _NEAR)
                    for s in found)
        part = which[box] == number
        if np.count_nonzero(part) < _LEAST:
            continue
        near = binary_dilation(part, np.ones((3, 3)), _NEAR) & both[box]
        near &= ~binary_dilation(part, np.ones((3, 3)), 1)
        count = np.count_nonzero(near)
        here = share
        if count >= _LEAST:
            rate = np.count_nonzero(near & equal[box]) / count
            # (with the error of so few)
            here = max(share, rate + np.sqrt(rate * (1 - rate) / count))
        if here < _NOISY:
            certain[box] |= _solid(part, _needed(equal.size, here))
    return certain


def _trimmed(area):
    """
    Remove what sticks out of areas by one pixel, unless they are so thin.
    """
    square = _combined(area, (2, 2), np.logical_and)
    solid = _combined(np.pad(square, 1), (2, 2), np.logical_or)
    which, _ = label(area, np.ones((3, 3)))
    kept = np.bincount(which[solid], minlength=which.max() + 1)
    thin = kept < _SOLID * np.bincount(which.ravel())
    return solid | (area & thin[which])


def _without_chance(data, good, area):
    """
    The areas that are large, without noise, and not the least value.
    """
    found = np.zeros(area.shape, dtype=bool)
    # (single pixels beside it that have its value)
    which, n = label(_trimmed(area), np.ones((3, 3)))
    sizes = np.bincount(which.ravel(), minlength=n + 1)
    numbers = np.flatnonzero(sizes[1:] >= _LEAST) + 1
    if not 0 < len(numbers) <= _MOST:
        return found
    boxes = find_objects(which)
    rest = data[good & ~area]
    if not rest.size:
        return found
    low, high = rest.min(), rest.max()
    for number in numbers:
        box = boxes[number - 1]
        part = which[box] == number
        holes, _ = label(binary_fill_holes(part) & good[box] & ~part)
        hole = np.bincount(holes.ravel())[1:]
        others = hole[hole <= _HOLE].sum()
        values = data[box][part]
        if others > _OTHERS * sizes[number] + 2:
            continue
        if values.min() == values.max() and not low < values[0] < high:
            # (looked at elsewhere)
            continue
        found[box] |= part
    return found
