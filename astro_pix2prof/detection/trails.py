# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Trails of satellites and aircraft that cross a galaxy near its nucleus.
"""

from itertools import pairwise

import numpy as np

__all__ = ['find_trail']


# Means of boxes of so many pixels, two by two, are looked at, in frames of so
# many pixels or more, and of smaller boxes in smaller frames; up to so far
# (pixels) from the position.
_SIDE, _LARGE, _SMALL_SIDE, _FARTHEST = 4, 150, 2, 256

# Frames of fewer boxes on a side are too small to tell.
_FEWEST = 15

# Lines pass the position at this distance (pixels) at most. A line is compared
# with those so many boxes beside it; lines are never farther from the nearest
# one that is tried than about this part of a box.
_PASS, _BESIDE, _OFF = 20.0, 3, 0.85

# Of a line from the position to the edge of the frame, the last third and the
# one before it, at so many places each, of which so many are known.
_OUTER, _MIDDLE, _PLACES, _KNOWN = (2 / 3, 1.0), (1 / 3, 2 / 3), 12, 5

# On both sides of the position, a trail is brighter than the lines beside it
# by so many times the noise of a box, and of medians of boxes; as bright in
# the last third as in the one before, but for this part, as no galaxy is; and
# as bright on one side as on the other, but for this part.
_BRIGHT, _SURE, _EVEN, _ALIKE = 1.5, 4.5, 0.6, 0.4

# Across a trail, light is looked at up to so far from its middle; what is
# there beyond the first of these distances is that beside the trail, which
# ends where less than this part of its peak, or than so many times the error
# of a median, is left (all in pixels).
_ACROSS, _NARROW, _LEFT, _SEEN = 18, 11, 0.03, 2.0
_TO = np.arange(-_ACROSS, _ACROSS + 1.0)

# Each half of a trail, but for this part near the galaxy, has so many parts.
# The outer half of them are as bright as usual but for this share, and none is
# fainter; medians are those of so many pixels or more. What is usual is so
# many times the error of a part.
_LENGTH, _PARTS, _UNEVEN, _FEW, _CLEAR = (0.3, 1.0), 4, 0.4, 6, 3.0

# Light of a trail that is less than this part of that of the galaxy does not
# matter.
_PART = 0.02


def find_trail(image, mask, position, sigma):
    """
    Find the pixels of a trail that crosses a galaxy near its nucleus.

    A trail is a straight line across the frame that is as bright at both
    ends, far from the galaxy, as nearer to it. Light of a galaxy, of arms
    and of discs that are seen edge-on declines.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    position : tuple of 2 floats
        Where (x, y) the galaxy is, in pixels.

    sigma : float
        The noise of a sky pixel.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The pixels of the trail that it changes; `None` if there is none that
        passes within 20 pixels of the position.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.detection.trails import find_trail
    >>> y, x = np.mgrid[:161, :161]
    >>> image = 40 * np.exp(-np.hypot(x - 80, y - 80) / 12)
    >>> none = np.zeros(image.shape, bool)
    >>> find_trail(image, none, (80, 80), 1.0) is None
    True
    >>> image += 5 * np.exp(-(0.6 * (x - 80) - 0.8 * (y - 87))**2 / 4)
    >>> found = find_trail(image, none, (80, 80), 1.0)
    >>> bool(found[87, 80]), bool(found[120, 80])
    (True, False)
    """
    corner = [max(round(c) - _FARTHEST, 0) for c in position[::-1]]
    box = tuple(slice(first, max(round(c) + _FARTHEST + 1, first))
                for first, c in zip(corner, position[::-1], strict=True))
    part, hidden = image[box], mask[box]
    side = _SIDE if min(part.shape) >= _LARGE else _SMALL_SIDE
    if min(part.shape) < _FEWEST * side or not sigma > 0:
        return None
    x, y = position[0] - corner[1], position[1] - corner[0]
    means = _box_means(part, hidden, side)
    line = _find_line(means, ((x + 0.5) / side - 1, (y + 0.5) / side - 1),
                      0.5 * sigma / side, side)
    if line is None:
        return None
    angle, offset = line
    own = _pixels(part, hidden, (x, y), angle, offset * side, side, sigma)
    if own is None:
        return None
    found = np.zeros(image.shape, dtype=bool)
    found[box] = own
    return found


def _box_means(image, hidden, side):
    """
    Average squares of two by two boxes, with a rim of missing ones.

    Each box is in four of them, so that a narrow line is wholly in some.
    """
    ny, nx = (n // side for n in image.shape)

    def total(values):
        boxes = values[:ny * side, :nx * side].reshape(
            ny, side, nx, side).sum((1, 3))
        rows = boxes[1:] + boxes[:-1]
        return rows[:, 1:] + rows[:, :-1]

    means = np.full((ny + 1, nx + 1), np.nan)
    if hidden.any():
        number = total(~hidden)
        known = number > 2 * side**2
        means[1:-1, 1:-1][known] = total(
            np.where(hidden, 0.0, image))[known] / number[known]
    else:
        means[1:-1, 1:-1] = total(image) / (2 * side)**2
    return means


def _find_line(means, centre, sigma, side):
    """
    Find the line that stands out most at both ends: angle and offset.

    Offsets are to the left of the direction, in boxes, as all lengths.
    """
    # (noise may be correlated; most steps are no edges of anything)
    steps = np.abs(means[:, 2:] - means[:, :-2])
    steps = steps[np.isfinite(steps)]
    if not len(steps):
        return None
    sigma = max(sigma, 1.05 * float(np.median(steps)))
    reach = max(n - 2 for n in means.shape) / 2
    angles = np.arange(0, np.pi, _OFF / reach)
    far = int(np.ceil(_PASS / side)) + _BESIDE
    across = np.arange(-far, far + 1.0)
    error = 1.5 * sigma * np.sqrt(2 / _PLACES)
    least = max(_BRIGHT * sigma, _SURE * error)
    excess = [_excess(means, centre, turned, sign * across, _OUTER)
              for sign, turned in ((1, angles), (-1, angles + np.pi))]
    low, high = np.minimum(*excess), np.maximum(*excess)
    may_be = (low > least) & (low > _ALIKE * high)
    if not may_be.any():
        return None
    rows = np.flatnonzero(may_be.any(axis=1))
    for sign, found, turned in zip(
            (1, -1), excess, (angles[rows], angles[rows] + np.pi),
            strict=True):
        nearer = _excess(means, centre, turned, sign * across, _MIDDLE)
        with np.errstate(invalid='ignore'):
            may_be[rows] &= found[rows] > _EVEN * nearer
    if not may_be.any():
        return None
    k, j = np.unravel_index(np.argmax(np.where(may_be, low, 0.0)), low.shape)
    return float(angles[k]), float(across[_BESIDE:-_BESIDE][j])


def _excess(means, centre, angles, across, part):
    """
    Calculate how much lines are brighter than those on both sides of them.

    For each angle and each of ``across`` but the first and last few: -inf
    where too little is known.
    """
    ny, nx = (n - 2 for n in means.shape)
    cos, sin = np.cos(angles), np.sin(angles)
    with np.errstate(divide='ignore'):
        length = np.minimum(
            np.where(cos > 0, nx - 1 - centre[0], -centre[0]) / cos,
            np.where(sin > 0, ny - 1 - centre[1], -centre[1]) / sin)
    share = part[0] + (part[1] - part[0]) * (
        np.arange(_PLACES) + 0.5) / _PLACES
    along = np.clip(length, 0, None)[:, None, None] * share
    cos, sin = cos[:, None, None], sin[:, None, None]
    beside = across[:, None]
    x = np.rint(centre[0] + along * cos - beside * sin)
    y = np.rint(centre[1] + along * sin + beside * cos)
    value = means[np.clip(y, -1, ny).astype(int) + 1,
                  np.clip(x, -1, nx).astype(int) + 1]
    # (missing values are sorted to the end)
    value.sort(axis=-1)
    number = np.isfinite(value).sum(-1)
    middle = np.take_along_axis(value, np.maximum(number - 1, 0)[
        ..., None] // 2, -1)[..., 0]
    middle[number < _KNOWN] = np.nan
    with np.errstate(invalid='ignore'):
        excess = middle[:, _BESIDE:-_BESIDE] - np.maximum(
            middle[:, :-2 * _BESIDE], middle[:, 2 * _BESIDE:])
    # (steps shorter than a box show the same boxes again)
    short = length * (part[1] - part[0]) < _KNOWN - 1
    return np.where(np.isnan(excess) | short[:, None], -np.inf, excess)


def _pixels(image, hidden, centre, angle, offset, side, sigma):
    """
    Find the pixels of a trail of which about where it is is known.
    """
    y, x = np.indices(image.shape, dtype=np.float32)
    x -= np.float32(centre[0])
    y -= np.float32(centre[1])
    reach = 0.35 * min(image.shape)
    best = None
    for turn in np.linspace(-1, 1, 9) * 1.2 * side / max(image.shape):
        cos, sin = np.cos(angle + turn), np.sin(angle + turn)
        along, to = x * cos + y * sin, y * cos - x * sin - offset
        use = (np.abs(along) > reach) & (np.abs(to) <= _ACROSS) & ~hidden
        if not use.any():
            return None
        profile, error = _across(image[use], to[use], sigma)
        peak = np.argmax(np.where(np.abs(_TO) <= 2 * side, profile, -np.inf))
        if best is None or profile[peak] > best[0]:
            best = profile[peak], peak, profile, error, to
    _, peak, profile, error, to = best
    profile = profile - np.median(profile[
        np.abs(_TO - _TO[peak]) > min(_NARROW, _ACROSS - abs(_TO[peak]) - 2)])
    low = profile < np.maximum(_LEFT * profile[peak], _SEEN * error)
    left, right = low[:peak][::-1], low[peak + 1:]
    if not (profile[peak] > _SEEN * error[peak] and left.any()
            and right.any()):
        return None
    first, last = peak - np.argmax(left), peak + np.argmax(right)
    if last - first > 2 * _NARROW:
        return None
    along = x * np.cos(angle) + y * np.sin(angle)
    if not _is_even(image, hidden, along, to - _TO[peak],
                    max(2.0, 0.35 * (last - first)), sigma):
        return None
    level = np.interp(to, _TO, np.where(
        (np.arange(len(_TO)) >= first) & (np.arange(len(_TO)) <= last),
        np.maximum(profile, 0.0), 0.0))
    inside = (to > _TO[first] - 1) & (to < _TO[last] + 1)
    return inside & (level > _PART * (image - level))


def _is_even(image, hidden, along, to, half, sigma):
    """
    Tell whether a line is about as bright in all parts of its length.
    """
    beside = (np.abs(to) > _NARROW - 1) & (np.abs(to) < _ACROSS) & ~hidden
    inside = (np.abs(to) <= half) & ~hidden
    excess, error = [], []
    for side in (along > 0, along < 0):
        ends = np.abs(along[inside & side]).max(initial=0.0) * np.linspace(
            *_LENGTH, _PARTS + 1)
        for first, last in pairwise(ends):
            part = side & (np.abs(along) >= first) & (np.abs(along) < last)
            light = [image[part & where] for where in (inside, beside)]
            if min(map(len, light)) < _FEW:
                continue
            excess.append(np.median(light[0]) - np.median(light[1]))
            error.append(1.25 * sigma * np.sqrt(sum(
                1 / len(values) for values in light)))
    if len(excess) < 2 * _PARTS:
        return False
    excess, error = np.array([excess, error]).reshape(2, 2, _PARTS)
    outer = np.s_[:, _PARTS // 2:]
    usual = np.median(excess[outer])
    limit = _UNEVEN * usual + 3 * error
    return bool(usual > _CLEAR * np.median(error)
                and np.all(excess > usual - limit)
                and np.all(excess[outer] < (usual + limit)[outer]))


def _across(values, to, sigma):
    """
    Calculate the medians of pixels by their distance, and their errors.
    """
    at = np.rint(to).astype(int) + _ACROSS
    order = np.lexsort((values, at))
    number = np.bincount(at, minlength=len(_TO))
    middle = np.cumsum(number) - number + np.maximum(number - 1, 0) // 2
    profile = values[order][np.minimum(middle, len(values) - 1)]
    return (np.where(number > 0, profile, 0.0),
            1.25 * sigma / np.sqrt(np.maximum(number, 1)))
