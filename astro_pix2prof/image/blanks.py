# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Areas of an image that were filled with a constant.
"""

from functools import cached_property

import numpy as np
from scipy.ndimage import (
    find_objects,
    generate_binary_structure,
    label,
    maximum_filter,
    minimum_filter,
)

from astro_pix2prof.background.areas import grown
from astro_pix2prof.background.medians import median, quantile
from astro_pix2prof.image.few_values import find_few_values
from astro_pix2prof.image.fill_values import find_fill_values
from astro_pix2prof.image.repeats import find_repeats

__all__ = ['find_blanks']


# Fewer connected equal pixels than this are never a blank.
_LEAST = 6

# Expected number of chance groups in a frame below which a group of equal
# pixels is not by chance.
_CHANCE = 1e-4

# Each pixel more multiplies the number of shapes of a connected group by
# this (the growth constant of lattice animals on a square lattice).
_SHAPES = 4.06

# A value that more than this part of the other pixels have connects by
# chance (the percolation threshold of the square lattice is 0.59).
_COMMON = 0.2

# So many islands of good pixels, each of at most so many pixels, show that
# equal pixels are the empty part of a sparse image.
_HOLES, _HOLE = 4, 9

# A blank of a common value differs from the pixels around it by so many
# times the difference along the ragged part of the outline, if more than
# this part is ragged.
_STEP, _RAGGED = 5.0, 0.1

# It differs by more than so many times the least step between values, too.
_QUANTA = 2.5

# Values are rounded if fewer than this part of so many pixels are distinct,
# or more than this part of all neighbours are equal.
_DISTINCT, _SAMPLE, _EQUAL = 0.5, 5000, 2e-3

# A blank differs from the pixels around it by so many times the spacing of
# numbers.
_ROUNDING = 16

# A blank below all other values is farther from the pixels around it than so
# many times the differences between these.
_CLIFF = 2.0

# How often neighbours are equal by chance is seen within so many pixels of a
# group.
_NEAR = 4

# Images are free of noise if second differences of neighbours are below
# this part of the first differences (independent noise gives 1.7), or below
# this part of the peak.
_SMOOTH, _TINY = 0.35, 1e-6

# First, rows and columns so far apart are looked at, if they have at least so
# many differences.
_EVERY, _ENOUGH = 8, 2000

# In images without noise, a blank differs from the pixels around it by so
# many times the difference of these from the next pixels, and by more than
# this part of the peak, along this part of its outline.
_JUMP, _FAINT, _OUTLINE = 5.0, 1e-3, 0.2

# Around a saturated core pixels have at least this part of its level.
_WING = 0.1

# Groups that are looked at one by one, the largest first.
_MOST = 100


def find_blanks(data, mask):
    """
    Find areas of exactly equal values that hold no data.

    Survey edges, gaps between chips, corners of rotated images and bad
    columns are often filled with a constant. A connected group of equal
    values is such a blank if it is larger than chance allows, given how
    often its value occurs elsewhere; an area of a few values is one, too
    (a ramp of steps, a pattern), and one of a rounded image that repeats
    itself. So are single pixels of a number far outside of all values. These
    are no blanks: a saturated core, the rounded sky of integer images, the
    empty pixels of sparse photon counts, replicated pixels, and the constant
    sky of an image without noise.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixel values.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are known to be bad.

    Returns
    -------
    blank : 2D bool `~numpy.ndarray`, shape (ny, nx)
        The pixels of blanks; none of them is in ``mask``.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.blanks import find_blanks
    >>> data = np.random.default_rng(0).normal(size=(64, 64))
    >>> data[:, 50:] = 0.0
    >>> print(find_blanks(data, np.zeros(data.shape, bool)).sum())
    896
    """
    good = ~mask & np.isfinite(data)
    single = find_fill_values(data, good)
    if single is not None:
        good &= ~single
    blank = _few_valued(data, good)
    if blank.any():
        good &= ~blank
    if single is not None:
        blank |= single
    repeats = find_repeats(data, good)
    if repeats.any():
        none = np.zeros(data.shape, dtype=bool)
        rest = good & ~repeats
        if _Frame(np.where(good, data, 0), good, rest, none[:, 1:],
                  none[1:]).noisy:
            blank |= repeats
    across = data[:, 1:] == data[:, :-1]
    along = data[1:] == data[:-1]
    if np.count_nonzero(across) + np.count_nonzero(along) < _LEAST - 1:
        return blank
    across &= good[:, 1:] & good[:, :-1]
    along &= good[1:] & good[:-1]
    if np.count_nonzero(across) + np.count_nonzero(along) < _LEAST - 1:
        return blank
    groups, sizes = _equal_groups(across, along)
    unlikely = _unlikely(data, good, groups, sizes)
    if not len(unlikely):
        return blank
    # (pixels of other such groups tell nothing about one of them)
    large = np.zeros(len(sizes), dtype=bool)
    large[unlikely] = True
    # (infinite pixels have no differences)
    image = _Frame(np.where(good, data, 0), good, good & ~large[groups],
                   across, along, large[groups] | blank)
    boxes = find_objects(groups)
    for number in unlikely:
        box = tuple(slice(max(s.start - _NEAR - 1, 0), s.stop + _NEAR + 1)
                    for s in boxes[number - 1])
        blank[box] |= image.blank_part(groups[box] == number, box)
    return blank


def _few_valued(data, good):
    """
    The pixels of areas that hold a few values only.
    """
    blank = np.zeros(data.shape, dtype=bool)
    areas = find_few_values(data, good)
    if not areas:
        return blank
    for area in areas:
        blank |= area
    rest = good & ~blank
    none = np.zeros(data.shape, dtype=bool)
    frame = _Frame(np.where(good, data, 0), good, rest, none[:, 1:],
                   none[1:])
    if not (len(frame.values) and frame.noisy):
        return none
    for area in areas:
        beside = data[grown(area) & rest].astype(float)
        if not len(beside) or frame.is_saturated(data[area].max(), beside):
            blank &= ~area
    return blank


def _equal_groups(across, along):
    """
    Connected groups of equal pixels, and their sizes.

    The number of a group is 0 for pixels that equal none of their
    neighbours.
    """
    ny, nx = across.shape[0], along.shape[1]
    # pixels and, between them, what connects them
    sites = np.zeros((2 * ny - 1, 2 * nx - 1), dtype=bool)
    sites[::2, 1::2], sites[1::2, ::2] = across, along
    pixels = sites[::2, ::2]
    pixels[:, 1:] |= across
    pixels[:, :-1] |= across
    pixels[1:] |= along
    pixels[:-1] |= along
    groups = label(sites)[0][::2, ::2]
    sizes = np.bincount(groups.ravel())
    sizes[0] = 0
    return groups, sizes


def _unlikely(data, good, groups, sizes):
    """
    Numbers of the groups that are larger than chance allows.
    """
    numbers = np.nonzero(sizes >= _LEAST)[0]
    if not len(numbers):
        return numbers
    total = np.count_nonzero(good)
    # images enlarged by replication consist of small groups
    if len(numbers) > total / 200:
        numbers = numbers[sizes[numbers] > 20 * np.median(sizes[numbers])]
    first = np.zeros(len(sizes), dtype=data.dtype)
    first[groups.ravel()] = data.ravel()
    values = first[numbers]
    # (blanks of the same value say nothing about chance)
    kinds, kind = np.unique(values, return_inverse=True)
    own = np.bincount(kind, weights=sizes[numbers])[kind]
    if len(kinds) > 8:
        ordered = np.sort(data[good])
        often = (np.searchsorted(ordered, kinds, 'right')
                 - np.searchsorted(ordered, kinds, 'left'))
    else:
        often = np.array([np.count_nonzero((data == v) & good)
                          for v in kinds])
    rest = np.maximum(total - own, 1)
    share = np.maximum(often[kind] - own, 1) / rest
    common = share >= _COMMON
    n = sizes[numbers]
    expected = np.log(total) + n * np.log(
        _SHAPES * np.minimum(share, _COMMON))
    keep = common | (expected < np.log(_CHANCE))
    numbers, share = numbers[keep], share[keep]
    order = np.argsort(sizes[numbers])[::-1][:_MOST]
    return numbers[order]


class _Frame:
    """
    The image that groups of equal pixels are compared with.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values.

    good, rest : 2D bool `~numpy.ndarray`
        Usable pixels, and those of them that are in no suspicious group.

    across, along : 2D bool `~numpy.ndarray`
        Pixels that equal the next in their row, and in their column.

    groups : 2D bool `~numpy.ndarray`, optional
        The pixels of suspicious groups.
    """

    def __init__(self, data, good, rest, across, along, groups=None):
        self.data, self.good, self.rest = data, good, rest
        self.groups, self.touching = groups, None
        self.across, self.along = across, along
        self.values = data[rest]
        self.total = np.count_nonzero(good)
        self.noisy = self._is_noisy()

    @cached_property
    def _sample(self):
        """
        Some of the values (1D `~numpy.ndarray`), and those that differ.
        """
        part = self.values[::max(len(self.values) // _SAMPLE, 1)]
        return part, np.unique(part)

    @cached_property
    def counted(self):
        """
        Tell that many pixels are equal, as in counts of photons (bool).
        """
        part, distinct = self._sample
        return (len(distinct) < _DISTINCT * len(part)
                or self._equal_part(np.s_[:, :], self.rest) > _EQUAL)

    @cached_property
    def quantum(self):
        """
        The least difference of two values (float).
        """
        distinct = self._sample[1]
        return np.diff(distinct).min() if len(distinct) > 1 else 0.0

    @cached_property
    def _top(self):
        """
        The largest value (float).
        """
        return float(self.values.max())

    @cached_property
    def _middle(self):
        """
        The median of the values (float).
        """
        return median(self.values)

    def _is_noisy(self):
        """
        Tell whether neighbouring pixels scatter.
        """
        least = _TINY * float(np.ptp(self.values)) if (
            self.values.size) else 0.0
        # (a part of the pixels tells, if not even 10% more or less of them
        # would make a difference)
        first, second = self._differences(_EVERY)
        if len(first) >= _ENOUGH and quantile(second, 0.4) > max(
                _SMOOTH * quantile(first, 0.6), least):
            return True
        first, second = self._differences(1)
        return len(first) < 20 or bool(
            median(second) > max(_SMOOTH * median(first), least))

    def _differences(self, every):
        """
        Calculate first and second differences of neighbours.

        Parameters
        ----------
        every : int
            The step between the rows, and the columns, that are used.

        Returns
        -------
        first, second : 1D `~numpy.ndarray`
            Their absolute values.
        """
        first, second = [], []
        for values, keep in ((self.data, self.rest),
                             (self.data.T, self.rest.T)):
            values, keep = values[::every].astype(float), keep[::every]
            keep = keep[:, :-2] & keep[:, 1:-1] & keep[:, 2:]
            one, two, three = (values[:, k:values.shape[1] - 2 + k][keep]
                               for k in range(3))
            first.append(np.abs(three - one))
            second.append(np.abs(one - 2 * two + three))
        return np.concatenate(first), np.concatenate(second)

    def _equal_part(self, box, keep):
        """
        The part of neighbouring pixels that are equal.
        """
        rows, columns = (slice(*s.indices(n)) for s, n in zip(
            box, self.data.shape, strict=True))
        equal = pairs = 0
        for both, same in (
                (keep[:, 1:] & keep[:, :-1],
                 self.across[rows, columns.start:columns.stop - 1]),
                (keep[1:] & keep[:-1],
                 self.along[rows.start:rows.stop - 1, columns])):
            equal += np.count_nonzero(same & both)
            pairs += np.count_nonzero(both)
        return equal / pairs if pairs else 0.0

    def blank_part(self, group, box):
        """
        The pixels of a group that hold no data.
        """
        data, rest = self.data[box], self.rest[box]
        value = data[group][0]
        none = np.zeros(group.shape, dtype=bool)
        if not len(self.values):
            # (an image of equal pixels only)
            return none
        around = grown(group) & rest
        beside = data[around].astype(float)
        if not len(beside):
            # (the steps of a ramp lie side by side)
            beside = self._beside_all(group, box)
        # (rounding makes plateaus, too)
        least = _ROUNDING * float(np.spacing(np.abs(value)))
        if not len(beside) or not np.median(
                np.abs(beside - float(value))) > least:
            return none
        if self.is_saturated(value, beside):
            return none
        if not self.noisy:
            return group if self._jumps(group, box, value) else none
        is_least = value <= self.values.min()
        if not (is_least or self.counted):
            return group
        near = group
        for _ in range(_NEAR):
            near = grown(near)
        near = near & self.good[box] & ~group
        if not self.counted:
            # (the constant of another blank tells nothing about chance)
            near &= rest | (data == value)
        if is_least and not self.counted:
            # Noise cannot come so close to a value that is below all others;
            # an image that fades away does.
            steps = np.concatenate([
                np.abs(np.diff(data, axis=0))[near[1:] & near[:-1]],
                np.abs(np.diff(data, axis=1))[near[:, 1:] & near[:, :-1]]])
            jump = np.median(beside) - float(value)
            if len(steps) and not jump > _CLIFF * np.median(steps):
                return none
        # isolated pixels in it
        others = label(~group, generate_binary_structure(2, 2))[0]
        area = np.bincount(others.ravel())
        area[0] = 0
        holes = ((area > 0) & (area <= _HOLE))[others] & rest
        n_holes = np.count_nonzero(holes)
        share = max(self._share(value, group),
                    self._share_around(near, box))
        if n_holes >= _HOLES:
            share = max(share, 1 - n_holes / np.count_nonzero(group))
        elif share < _COMMON:
            expected = np.log(self.total) + np.count_nonzero(group) * np.log(
                _SHAPES * share + 1e-9)
            return group if expected < np.log(_CHANCE) else none
        return self._solid_part(group, rest, data, share)

    def _beside_all(self, group, box):
        """
        The values around all groups that touch each other.
        """
        if self.touching is None:
            self.touching = label(self.groups)[0]
        number = self.touching[box][group][0]
        return self.data[grown(self.touching == number)
                         & self.rest].astype(float)

    def is_saturated(self, value, beside):
        """
        Tell whether equal pixels are the top of a bright source.

        Parameters
        ----------
        value : float
            Their value.

        beside : 1D `~numpy.ndarray`
            The pixels around them.

        Returns
        -------
        result : bool
        """
        top, middle = self._top, self._middle
        level = float(value) - middle
        return value >= top and level > 0 and (
            np.median(beside) - middle > _WING * level)

    def _share(self, value, group):
        """
        The part of the pixels outside of a group that have its value.
        """
        size = np.count_nonzero(group)
        same = np.count_nonzero((self.data == value) & self.good)
        return (same - size) / max(self.total - size, 1)

    def _share_around(self, near, box):
        """
        The part of the pixels around a group that have the same value.

        As far as the number of equal neighbours tells.
        """
        equal = self._equal_part(box, near)
        # (for rounded Gaussian noise, and for one common value)
        return 2**0.5 * equal if equal < _COMMON else equal**0.5

    def _solid_part(self, group, rest, data, share):
        """
        The part of a group of a common value that is too solid for chance.

        And that differs from the pixels around it by more than the ragged
        part of the group does.
        """
        none = np.zeros(group.shape, dtype=bool)
        value = float(data[group][0])
        share = min(max(share, _COMMON), 1 - 1 / self.total)
        side = int(np.sqrt(np.log(_CHANCE / self.total) / np.log(share))) + 1
        side += 1 - side % 2
        # (beyond the frame the group goes on, for all that is known)
        wide = np.pad(group, side, mode='edge').astype(np.uint8)
        solid = maximum_filter(minimum_filter(wide, side), side) > 0
        solid = solid[side:-side, side:-side] & group
        if not solid.any():
            return none
        around = grown(group) & rest
        outline = grown(solid) & around
        ragged = around & ~outline
        if not outline.any():
            return none
        jump = np.median(np.abs(data[outline].astype(float) - value))
        if not jump > _QUANTA * self.quantum:
            return none
        if np.count_nonzero(ragged) < _RAGGED * np.count_nonzero(around):
            return group
        step = np.median(np.abs(data[ragged].astype(float) - value))
        return solid if jump > _STEP * step else none

    def _jumps(self, group, box, value):
        """
        Tell whether a smooth image breaks off at a group.
        """
        data, rest = self.data[box].astype(float), self.rest[box]
        sides = (group[0], group[-1], group[:, 0], group[:, -1])
        if group.shape == self.data.shape and all(s.any() for s in sides):
            # the sky around all that there is
            return False
        jump, change = [], []
        for step, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            inside = np.roll(group, step, axis)
            edge = [slice(None)] * 2
            edge[axis] = slice(0, 1) if step > 0 else slice(-1, None)
            inside[tuple(edge)] = False
            near = inside & rest
            far = np.roll(data, -step, axis)
            known = np.roll(rest, -step, axis)
            edge[axis] = slice(-1, None) if step > 0 else slice(0, 1)
            known[tuple(edge)] = False
            jump.append(np.abs(data - float(value))[near])
            change.append(np.where(known, np.abs(far - data), 0.0)[near])
        jump, change = np.concatenate(jump), np.concatenate(change)
        middle = np.median(self.values)
        peak = float(np.max(self.values)) - float(middle)
        if not len(jump):
            return False
        breaks = (jump > _JUMP * change) & (jump > max(
            _FAINT * peak, _QUANTA * self.quantum))
        return bool(breaks.mean() > _OUTLINE)
