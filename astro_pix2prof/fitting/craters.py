# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise saturated cores whose pixels are darker than those around them.
"""

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_fill_holes,
    label,
    map_coordinates,
)

__all__ = ['find_crater']


# Half the side (pixels) of the box in which craters are looked for, and how
# far (pixels) from the centre one begins at most.
_BOX, _CORE = 24, 6

# Where the box has pixels so many times brighter than the core, the core may
# be a part of a crater.
_BRIGHTER = 1.5

# The pixels around a crater are above one of these parts of the peak.
_PARTS = (0.85, 0.6, 0.3)

# Least number of pixels of a crater, and its least depth in units of the
# local scatter and of the peak.
_LEAST, _DEPTH, _PART = 4, 6.0, 0.15

# Least height of the peak above the sky in units of the noise; pixels so far
# below the sky are those of no light.
_HEIGHT, _BELOW = 8.0, 8.0

# Seen through a point-spread function of 1.5 pixels, no edge falls by more
# than this part of its height from one pixel to the next.
_SHARP = 0.7

# Where the response falls beyond the full well, pixels along the rim differ
# by less than this part, and the fall begins at once: between the first and
# second pixel it is less than this many times that of the rim to the first,
# and that is more than so many times the scatter. The numbers of directions,
# and of pixels along them.
_EVEN, _CUSP, _CLEAR, _RAYS, _REACH = 0.07, 1.6, 2.0, 36, 20


def find_crater(image, hidden, centre, sigma, *, sky=0.0):
    """
    Find pixels of a core that are dark because they are saturated.

    Beyond its full well a detector may respond less, count from zero again,
    or be given low values by the reduction. No galaxy has such a hole: light
    that comes through a point-spread function has no edge that falls
    from one pixel to the next, and no rim of one value at which the light
    turns round. Dust lanes and the holes of rings have smooth edges.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    hidden : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    sigma : float
        The noise of a sky pixel.

    sky : float, optional
        The sky level.

    Returns
    -------
    crater : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The pixels of the crater; `None` if there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.craters import find_crater
    >>> y, x = np.mgrid[:61, :61]
    >>> galaxy = 300 * np.exp(-np.hypot(x - 30, y - 30) / 5)
    >>> galaxy[galaxy > 150] = 20
    >>> none = np.zeros(galaxy.shape, bool)
    >>> print(find_crater(galaxy, none, (30, 30), 1.0).sum())
    37
    """
    ny, nx = image.shape
    x, y = (round(c) for c in centre)
    box = np.s_[max(y - _BOX, 0):min(y + _BOX + 1, ny),
                max(x - _BOX, 0):min(x + _BOX + 1, nx)]
    values = image[box] - sky
    x, y = x - box[1].start, y - box[0].start
    if not (0 <= x < values.shape[1] and 0 <= y < values.shape[0]):
        return None
    good = ~hidden[box]
    core = np.s_[max(y - _CORE, 0):y + _CORE + 1,
                 max(x - _CORE, 0):x + _CORE + 1]
    known = np.where(good, values, 0.0)
    # (a cosmic ray is no peak)
    tops = [float(np.sort(known[core], axis=None)[-3:][0]),
            float(known.max())]
    if not tops[1] > _HEIGHT * sigma:
        return None
    depth = _enclosed(known, core) - known[core]
    if np.count_nonzero(good[core] & (
            depth > max(_PART * tops[0], _DEPTH * sigma))) < _LEAST:
        return None
    # (a large crater fills the core)
    for top in tops[:1] if tops[1] < _BRIGHTER * tops[0] else tops:
        hole = _hole(values, good, core, top, sigma)
        if hole is not None:
            crater = np.zeros(image.shape, dtype=bool)
            # (wells that count from zero again may reach the rim)
            crater[box] = binary_fill_holes(hole)
            return crater
    return None


def _enclosed(values, core):
    """
    Find how bright the pixels in all four directions of each pixel are.
    """
    rows, columns = values[core[0]], values[:, core[1]]
    before, after = ([np.maximum.accumulate(one, axis=k)
                      for k, one in ((1, rows[:, ::step]),
                                     (0, columns[::step]))]
                     for step in (1, -1))
    return np.minimum.reduce([
        before[0][:, core[1]], after[0][:, ::-1][:, core[1]],
        before[1][core[0]], after[1][::-1][core[0]]])


def _hole(values, good, core, top, sigma):
    """
    Find the crater of a core in which pixels are enclosed by brighter ones.
    """
    for part in _PARTS:
        if not top * part > _HEIGHT * sigma:
            break
        below = good & (values < part * top)
        if not below[core].any():
            continue
        which, n = label(below)
        numbers = np.unique(which[core])
        if n < 2:
            continue
        size = np.bincount(which.ravel())
        open_sides = {*which[0], *which[-1], *which[:, 0], *which[:, -1], 0}
        for number in numbers[size[numbers] >= _LEAST]:
            hole = which == number
            if number not in open_sides and _is_crater(values, good, hole,
                                                       top, sigma):
                return hole
    return None


def _is_crater(values, good, hole, top, sigma):
    """
    Tell whether a hole in a bright area is one of the detector.
    """
    if np.count_nonzero(hole & (values < -_BELOW * sigma)) >= _LEAST:
        return True
    rim = binary_dilation(hole) & good & ~hole
    if np.count_nonzero(rim) < 2 * _LEAST:
        return False
    inside, level = values[hole], float(np.median(values[rim]))
    floor = float(np.quantile(inside, 0.2))
    scatter = max(sigma, _scatter(values, good))
    if not level - floor > max(_DEPTH * scatter, _PART * top):
        return False
    return _has_sharp_edge(values, good, hole, scatter) or _has_rim(
        values, good, hole, scatter)


def _scatter(values, good):
    """
    Measure the scatter of bright pixels about the mean of their neighbours.
    """
    bright = good & (values > 0.3 * np.max(values[good]))
    parts = []
    for one, keep in ((values, bright), (values.T, bright.T)):
        use = keep[:, 1:-1] & keep[:, :-2] & keep[:, 2:]
        parts.append((one[:, 1:-1] - 0.5 * (one[:, :-2] + one[:, 2:]))[use])
    parts = np.abs(np.concatenate(parts))
    return 1.48 / 1.22 * float(np.median(parts)) if parts.size else 0.0


def _has_sharp_edge(values, good, hole, scatter):
    """
    Tell whether the edge of a hole is sharper than any that light has.
    """
    jumps, falls = [], []
    known = np.where(good, values, np.nan)
    for one, part in ((known, hole), (known[:, ::-1], hole[:, ::-1]),
                      (known.T, hole.T), (known.T[:, ::-1],
                                          hole.T[:, ::-1])):
        # (two pixels outside, two inside)
        edge = ~part[:, 1:-2] & part[:, 2:-1]
        far, near, first, second = (
            one[:, k:one.shape[1] - 3 + k][edge] for k in range(4))
        jumps.append(near - first)
        falls.append(np.maximum(near, far) - np.fmin(first, second))
    jumps, falls = np.concatenate(jumps), np.concatenate(falls)
    use = np.isfinite(jumps) & np.isfinite(falls) & (
        falls > _DEPTH * scatter)
    if np.count_nonzero(use) < max(_LEAST, 0.5 * len(jumps)):
        return False
    return bool(np.median(jumps[use] / falls[use]) > _SHARP)


def _has_rim(values, good, hole, scatter):
    """
    Tell whether a hole has a rim of one value at which the light turns.
    """
    y, x = (float(np.mean(c)) for c in np.nonzero(hole))
    angle = np.linspace(0, 2 * np.pi, _RAYS, endpoint=False)[:, None]
    radius = np.arange(0, _REACH, 0.5)
    at = [y + radius * np.sin(angle), x + radius * np.cos(angle)]
    rays = map_coordinates(np.where(good, values, 0.0), at, order=1)
    ridge = np.argmax(rays, axis=1)
    row = np.arange(_RAYS)
    use = (ridge >= 4) & (ridge + 4 < rays.shape[1])
    if np.count_nonzero(use) < 0.8 * _RAYS:
        return False
    row, ridge = row[use], ridge[use]
    peak = rays[row, ridge]
    if not np.std(peak) < _EVEN * np.mean(peak):
        return False
    one, two = (0.5 * (rays[row, ridge - k] + rays[row, ridge + k])
                for k in (2, 4))
    fall = np.mean(peak - one)
    return bool(fall > _CLEAR * scatter and np.mean(one - two) < _CUSP * fall)
