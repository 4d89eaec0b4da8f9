# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Nuclei that a cosmic-ray cleaner replaced by a mean or median of those around.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import uniform_filter

__all__ = ['find_cleaned']


# The nucleus is the brightest place within so many pixels of the position, and
# cleaned pixels lie within so many pixels of it.
_NEAR, _REACH = 8, 3

# Half the side (pixels) of the largest square that a cleaner looks at.
_HALF = 3

# The side (pixels) of the box that holds all pixels of areas.
_SIDE = 2 * (_REACH + 2) + 1

# Pixels equal what is expected to this part of the largest value around, as
# the sum of numbers of 32 bits does.
_EQUAL = 1e-6

# An area is cleaned if the chance that its pixels equal what is expected is
# below this.
_CHANCE = 1e-10

# Where fewer of the values are distinct, the image was rounded; where so many
# pixels equal what is expected, it is smooth. A quick look at medians takes so
# many pixels of an area.
_DISTINCT, _OFTEN, _FIRST = 0.8, 10, 3

# Where more pixels beyond the area equal others, so may those of the area.
_TWINS = 2

# The areas: the rows of each, as (first, after the last) of columns.
_AREAS = tuple(tuple(rows) for rows in (
    [(0, 3)] * 3, [(1, 2), (0, 3), (1, 2)], [(0, 2)] * 2, [(0, 3)] * 2,
    [(0, 2)] * 3, [(0, 3)], [(0, 4)], [(0, 5)], [(0, 1)] * 3, [(0, 1)] * 4,
    [(0, 1)] * 5, [(0, 4)] * 4, [(0, 5)] * 5,
    [(1, 4), (0, 5), (0, 5), (0, 5), (1, 4)]))


@cache
def _recipes():
    """
    List the areas with what each recipe puts in place of their pixels.

    Returns
    -------
    means, medians : list of tuple of 2 `~numpy.ndarray`
        Of each area and recipe: the weights, or the places (bool), of the
        pixels around each of its n pixels, shape (49, n); and its pixels at
        each place where it may lie, shape (m, n).

    first_mean, first_median : 2D `~numpy.ndarray`
        The weights for the first pixels of all, shape (49, n_means), and the
        places for the first three, shape (49, 3 * n_medians).
    """
    step = np.arange(-_HALF, _HALF + 1)
    dy, dx = (part.ravel() for part in np.meshgrid(step, step, indexing='ij'))
    far = np.maximum(abs(dy), abs(dx))
    near = 1 / np.maximum(np.hypot(dy, dx), 1.0)
    all_means, all_medians = [], []
    for rows in _AREAS:
        pixels = [(y, x) for y, (first, last) in enumerate(rows)
                  for x in range(first, last)]
        means, medians = [], []
        for y, x in pixels:
            inside = np.array([(y + a, x + b) in pixels
                               for a, b in zip(dy, dx, strict=True)])
            around = [~inside & (far <= half) for half in (1, 2, 3)]
            means.append([*around, near * around[1], near * around[2],
                          _line(inside, dy, dx), _line(inside, dx, dy)])
            medians.append(around)
        # (recipe, place, pixel)
        means = np.moveaxis(np.array(means, float), 0, -1)
        medians = np.moveaxis(np.array(medians), 0, -1)
        total = means.sum(axis=1)
        known = np.flatnonzero((total > 0).all(axis=1))
        pixels = np.array(pixels)
        corners = np.indices(_SIDE - pixels.max(axis=0)).reshape(2, -1).T
        which = (corners[:, None] + pixels) @ (_SIDE, 1)
        all_means += [(part, which) for part in
                      means[known] / total[known, None]]
        all_medians += [(part, which) for part in
                        medians[medians.any(axis=1).all(axis=1)]]
    return (all_means, all_medians,
            np.array([part[:, 0] for part, _ in all_means]).T,
            np.concatenate([part[:, :_FIRST].T for part, _ in
                            all_medians]).T.astype(np.float32))


@cache
def _first_pixels():
    """
    List the first pixels of all areas at all places where they may lie.

    Returns
    -------
    of_means, of_medians : tuple of 3 `~numpy.ndarray`
        The first three pixels, shape (m, 3), the number of the recipe, shape
        (m,), and the first row of each recipe.
    """
    found = []
    for recipes in _recipes()[:2]:
        size = [len(which) for _, which in recipes]
        found.append((
            np.concatenate([which[:, :_FIRST] for _, which in recipes]),
            np.repeat(np.arange(len(size)), size), np.cumsum(size) - size))
    return found


def _line(inside, along, across):
    """
    Calculate the weights of the pixels on both sides of an area in a line.
    """
    weights = np.zeros(len(inside))
    for sign in (-1, 1):
        beyond = (across == 0) & (sign * along > 0) & ~inside
        if not beyond.any():
            return weights
        first = np.abs(along[beyond]).min()
        weights[beyond & (np.abs(along) == first)] = 1 / first
    return weights


def find_cleaned(data, mask, position):
    """
    Find a nucleus that was replaced by means or medians of those around.

    A cleaner takes a sharp nucleus for a cosmic ray and puts the mean, the
    weighted mean or the median of the good pixels of a square around in place
    of each pixel, or the straight line between its neighbours. Noise does not
    give the same values for several pixels.

    Parameters
    ----------
    data : 2D `~numpy.ndarray` of float32, shape (ny, nx)
        The pixel values.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are known to be bad.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, in pixels.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The pixels: squares up to five pixels across, crosses, and three to
        five in a row or column; `None` if there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.cleaned import find_cleaned
    >>> y, x = np.indices((41, 41))
    >>> data = 200 * np.exp(-np.hypot(x - 20, y - 20) / 5)
    >>> data += np.random.default_rng(0).normal(size=data.shape)
    >>> none = np.zeros(data.shape, bool)
    >>> find_cleaned(data, none, (20, 20)) is None
    True
    >>> data[20, 19:22] = np.linspace(data[20, 18], data[20, 22], 5)[1:4]
    >>> np.argwhere(find_cleaned(data, none, (20, 20))).tolist()
    [[20, 19], [20, 20], [20, 21]]
    """
    box = _around_nucleus(data, mask, position)
    if box is None:
        return None
    values, corner = box
    seen = values[np.isfinite(values)]
    if len(np.unique(seen)) < _DISTINCT * len(seen):
        return None
    patches = sliding_window_view(values, (2 * _HALF + 1,) * 2).reshape(
        _SIDE**2, -1)
    value = patches[:, patches.shape[1] // 2]
    equal = _EQUAL * np.abs(patches).max(axis=1)
    found = np.zeros(data.shape, dtype=bool)
    for weights, pixels in _possible_means(patches, value, equal):
        part = patches[pixels]
        off = np.abs((part * weights.T).sum(axis=1) - value[pixels])
        if not np.all(off <= equal[pixels]):
            continue
        usual = np.abs(patches @ weights[:, 0] - value)
        if _chance(equal[pixels], usual) < _CHANCE and (
                _any_brighter(part, value[pixels], weights.T > 0)):
            _mark(found, corner, pixels)
    for around, pixels in _possible_medians(patches, value, equal):
        part = patches[pixels]
        if not _are_medians(part, around.T, value[pixels],
                            equal[pixels]).all():
            continue
        usual = np.abs(part - value[pixels, None])
        if (_chance(equal[pixels], usual) < _CHANCE
                and _any_brighter(part, value[pixels], around.T)
                and not _has_twins(values, pixels)):
            _mark(found, corner, pixels)
    return found if found.any() else None


def _possible_means(patches, value, equal):
    """
    List weights, and the pixels of an area, the first of which is the mean.
    """
    means, _, first_mean, _ = _recipes()
    close = np.abs(patches @ first_mean - value[:, None]) <= equal[:, None]
    often = np.count_nonzero(close, axis=0) >= _OFTEN
    close[:, often] = False
    (pixels, recipe, start), _ = _first_pixels()
    for k in np.flatnonzero(close[pixels[:, 0], recipe]):
        weights, which = means[recipe[k]]
        yield weights, which[k - start[recipe[k]]]


def _possible_medians(patches, value, equal):
    """
    List places, and the pixels of an area, the first of which is the median.
    """
    _, medians, _, first_median = _recipes()
    # (as many of those around are brighter as are fainter)
    rank = np.sign(patches - value[:, None]).astype(np.float32)
    even = np.abs(rank @ first_median) <= 1
    _, (pixels, recipe, start) = _first_pixels()
    places = np.flatnonzero(np.logical_and.reduce([
        even[pixels[:, j], _FIRST * recipe + j] for j in range(_FIRST)]))
    first, around = pixels[places, 0], first_median.T[
        _FIRST * recipe[places]] > 0
    for k in places[_are_medians(patches[first], around, value[first],
                                 equal[first])]:
        around, which = medians[recipe[k]]
        yield around, which[k - start[recipe[k]]]


def _around_nucleus(data, mask, position):
    """
    Cut out the pixels around the brightest place near a position.
    """
    reach = _REACH + 2 + _HALF
    x, y = (round(c) for c in position)
    first = max(y - _NEAR - 2, 0), max(x - _NEAR - 2, 0)
    near = data[first[0]:max(y + _NEAR + 3, 0),
                first[1]:max(x + _NEAR + 3, 0)]
    if min(near.shape) < 5:
        return None
    hidden = mask[first[0]:max(y + _NEAR + 3, 0),
                  first[1]:max(x + _NEAR + 3, 0)]
    mean = uniform_filter(np.where(
        hidden | ~np.isfinite(near), 0.0, near.astype(float)), 5)
    y, x = np.unravel_index(np.argmax(mean), mean.shape)
    y, x = y + first[0] - reach, x + first[1] - reach
    box = np.s_[max(y, 0):y + 2 * reach + 1, max(x, 0):x + 2 * reach + 1]
    values = np.where(mask[box], np.nan, data[box].astype(float))
    if values.shape != (2 * reach + 1,) * 2:
        return None
    return values, (y + _HALF, x + _HALF)


def _are_medians(patches, around, value, equal):
    """
    Tell which values are the median of others, or one of two in the middle.

    Parameters
    ----------
    patches : 2D `~numpy.ndarray`, shape (m, 49)
        The pixels around each value.

    around : 2D bool `~numpy.ndarray`, shape (m, 49)
        Those that count.

    value, equal : 1D `~numpy.ndarray`, shape (m,)
        The values, and by how much they may differ.

    Returns
    -------
    result : 1D bool `~numpy.ndarray`, shape (m,)
    """
    # (those that do not count come last)
    ordered = np.sort(np.where(around, patches, np.inf), axis=1)
    number = np.count_nonzero(around, axis=1)
    row = np.arange(len(ordered))
    low, high = ordered[row, (number - 1) // 2], ordered[row, number // 2]
    return np.minimum.reduce([
        np.abs(low - value), np.abs(high - value),
        np.abs(0.5 * (low + high) - value)]) <= equal


def _chance(equal, usual):
    """
    Calculate the chance that pixels are so close to what is expected.
    """
    spread = np.nanmedian(usual)
    return np.prod(np.minimum(equal / spread, 1.0)) if spread > 0 else 1.0


def _any_brighter(patches, value, around):
    """
    Tell whether some of those around each pixel are brighter: no full wells.
    """
    return bool(((patches > value[:, None]) & around).any(axis=1).all())


def _has_twins(values, pixels):
    """
    Tell whether pixels beyond an area equal others there: as in full wells.
    """
    beyond = values.copy()
    beyond[_HALF + pixels // _SIDE, _HALF + pixels % _SIDE] = np.nan
    beyond = beyond[np.isfinite(beyond)]
    return beyond.size - len(np.unique(beyond)) > _TWINS


def _mark(found, corner, pixels):
    """
    Mark pixels, numbered along the rows of the box from a corner on.
    """
    rows, columns = np.divmod(pixels, _SIDE)
    found[rows + corner[0], columns + corner[1]] = True
