# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rows and columns of an image that were read twice.
"""

import numpy as np

__all__ = ['find_double_reads', 'move_double_reads']


# Half the side (pixels) of the box that is looked at; about so many pixels of
# each line are compared first, and so many at least differ from the next. More
# than this part of them are known.
_HALF, _PIXELS, _DIFFER, _KNOWN = 40, 12, 16, 0.5

# In lines that are not repeated, less than this part of the pixels are equal:
# more are so where values are rounded to steps of several times the noise.
_OTHERS = 0.5

# Lines were replaced if the light changes beyond them by the number of lines
# that are missing, so sure (standard deviations) rather than not at all.
_SURE = 3.0

# The median of the absolute third difference of noise of unit variance.
_THIRD = 0.6745 * np.sqrt(20)


def find_double_reads(data, position, mask=None):
    """
    Find rows and columns that repeat the one before, and shift the rest.

    All known pixels of the two are equal, as noise never is. The galaxy is
    longer there by a pixel. A bad line that was replaced by its neighbour
    shifts nothing: the light changes by twice as much beyond it.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels as they were read.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, near which lines are looked for.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx), optional
        Pixels that may not be as they were read, as those that are
        not-a-number.

    Returns
    -------
    found : list of tuple of 2 ints
        The axis (0 for rows) and the number of the line that is repeated.
        There are none in images without noise that are mirrored, nor of
        lines of one value.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.double_reads import find_double_reads
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> find_double_reads(image, (32, 32))
    []
    >>> find_double_reads(np.insert(image, 30, image[30], axis=0), (32, 32))
    [(0, 30)]
    """
    first = [max(round(c) - _HALF, 0) for c in position[::-1]]
    box = tuple(slice(k, max(round(c) + _HALF + 1, 0)) for k, c in zip(
        first, position[::-1], strict=True))
    values = data[box]
    if min(values.shape) < 3:
        return []
    looks = [values]
    if mask is not None and mask[box].any():
        # (a line that is masked is one too many, still)
        looks.append(np.where(mask[box], np.nan, values))
    return sorted({(axis, k + first[axis]) for axis in (0, 1) for look in looks
                   for k in _repeated(look if axis == 0 else look.T)})


def move_double_reads(cutout, position):
    """
    Find lines that were read twice near another position in a cutout.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image, with those near its own position.

    position : tuple of 2 floats
        The other position (x, y) in pixels of the cutout.

    Returns
    -------
    found : list of tuple of 2 ints
        The axis and number, in the whole image, of all of them.
    """
    near = find_double_reads(cutout.data, position, cutout.mask)
    return sorted({*cutout.double_reads, *(
        (axis, line + cutout.origin[1 - axis]) for axis, line in near)})


def _repeated(values):
    """
    List the rows that are repeated by the next.
    """
    few = values[:, ::max(values.shape[1] // _PIXELS, 1)]
    equal = few[1:] == few[:-1]
    missing = ~np.isfinite(few)
    unknown = missing[1:] | missing[:-1]
    same = (equal | unknown).all(1)
    others = equal[~same[:, None] & ~unknown]
    if not same.any() or not others.size or not others.mean() < _OTHERS:
        return []
    values = values.astype(float)
    values[~np.isfinite(values)] = np.nan
    rows = [int(k) for k in np.flatnonzero(same)
            if _are_equal(values, k, k + 1)]
    return [k for k in rows if k - 1 not in rows
            and not _are_equal(values, k - 1, k + 2)
            and not _is_replaced(values, k, rows)]


def _are_equal(values, one, other):
    """
    Tell whether two rows are equal, and not of few values.
    """
    if one < 0 or other >= len(values):
        return False
    known = ~np.isnan(values[one] + values[other])
    first = values[one, known]
    return bool(np.mean(known) > _KNOWN and (
        first == values[other, known]).all() and np.count_nonzero(
        first[1:] != first[:-1]) >= _DIFFER)


def _is_replaced(values, k, rows):
    """
    Tell whether rows equal to one were put in the place of others.
    """
    number = 1
    while k + number in rows:
        number += 1
    # (on each side the last two rows)
    at = np.array([k - 1, k, k + number + 1, k + number + 2])
    if at[0] < 0 or at[3] >= len(values):
        return False
    known = ~np.isnan(values[at]).any(0)
    before, here, beyond, after = values[at][:, known]
    change = np.abs(np.diff(values, 3))
    variance = (np.median(change[~np.isnan(change)]) / _THIRD)**2
    one, other = here - before, after - beyond
    slope = 0.5 * (one + other)
    # (noise of the slopes adds to their power, and opposes the step)
    power, noise = (slope**2).sum(), len(slope) * variance
    light = power - noise
    # (at a nucleus, where slopes change, they tell nothing)
    if not min((one * other).sum(), light) > 0:
        return False
    change = (slope * (beyond - here)).sum() + noise
    error = np.sqrt(2 * power * variance) / light
    return bool(change / light > 1 + 0.5 * number + _SURE * error)
