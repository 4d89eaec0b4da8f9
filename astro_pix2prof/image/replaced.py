# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pixels that were replaced by a mean or a copy of others.
"""

import numpy as np
from scipy.ndimage import find_objects, label

from astro_pix2prof.background.medians import median
from astro_pix2prof.image.cleaned import find_cleaned
from astro_pix2prof.image.smooth import find_smooth

__all__ = ['find_copies', 'find_interpolated', 'find_replaced',
           'find_rounded']


# Three pixels lie on a line if their second difference is below this part of
# the usual one, or of so many times the spacing of numbers.
_STRAIGHT, _ROUNDING = 1e-4, 4 * np.finfo(np.float32).eps

# Rows and columns up to so many pixels from the position are looked at first.
_NEAR = 32

# The usual second difference over that of pixels two away, in every so
# many-th row: white noise has 1.7, the noise of resampled surveys 1.2 at
# least, and images that were enlarged by linear interpolation 1 at most.
_NOISY, _EVERY = 1.1, 8

# Fewer connected pixels on lines are chance, as are all if this part of the
# frame is on lines, or this part of the pixels beyond the groups, as in
# rounded or enlarged images. There are at most so many groups of copies: more
# are the work of nearest-neighbour resampling.
_LEAST, _MOST, _CHANCE, _GROUPS = 4, 0.2, 2e-3, 4

# In a single row, fewer may be a ramp of full wells.
_IN_ROW = 6

# Copies are looked for so many pixels around the position; the pixel that was
# copied is at most so many pixels away. Fewer are chance, or more than this
# part of the area, or so many pixels that equal one farther away.
_AROUND, _REACH, _FEWEST, _PART, _FAR = 16, 5, 3, 0.1, 3

# Copies side by side are medians if they are within so many pixels, and so
# many others there are brighter than all of them.
_SMALL, _BRIGHTER = 6, 2

# Fewer than so many are chance where the spacing of numbers is more than this
# part of the scatter, as above a high sky.
_COARSE, _MANY = 1e-6, 8

# Rounded values are whole numbers of steps, to so much; of fewer different
# ones, and where the spacing of numbers is not so many times finer, nothing is
# known. Three rounded pixels of a line are off it by less than so many steps.
# More pixels side by side are no chance, unless they are more than this part
# of the area, or this part of the others is as close to lines, or fourth
# differences are usually less than so many steps: where the steps are not
# much finer than the noise.
_WHOLE, _DIFFERENT, _FINER = 0.05, 32, 16
_STEPS, _ROUNDED, _ALL = 1.5, 12, 0.18
_USUAL, _SCATTER = 0.06, 40


def find_replaced(data, mask, position):
    """
    Find pixels that were replaced by a mean or a copy of others.

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
        Those of `find_interpolated`, `find_rounded`, `find_copies`,
        `~astro_pix2prof.image.cleaned.find_cleaned` and
        `~astro_pix2prof.image.smooth.find_smooth`; `None` if there are none.
        Frames without any interpolated pixel in the rows and columns near the
        position are not searched further for these.
    """
    parts = [find_copies(data, mask, position),
             find_cleaned(data, mask, position),
             find_rounded(data, mask, position)]
    if _any_lines(data, position):
        parts.append(find_interpolated(data, mask))
    parts = [part for part in parts if part is not None and part.any()]
    found = np.logical_or.reduce(parts) if parts else None
    # (lines and copies are smooth, too)
    smooth = find_smooth(data, mask if found is None else mask | found,
                         position)
    if found is None or smooth is None:
        return smooth if found is None else found
    return found | smooth


def _around(position):
    """
    Choose the pixels around a position, as slices.
    """
    x, y = (round(c) for c in position)
    return np.s_[max(y - _AROUND, 0):max(y + _AROUND + 1, 0),
                 max(x - _AROUND, 0):max(x + _AROUND + 1, 0)]


def _any_lines(data, position):
    """
    Tell whether there are pixels on lines side by side near a position.
    """
    x, y = (int(c) for c in position)
    for band in (data[max(y - _NEAR, 0):max(y + _NEAR, 0)],
                 data[:, max(x - _NEAR, 0):max(x + _NEAR, 0)].T):
        if min(band.shape) < 3:
            continue
        bent, two = _second_difference(band)
        with np.errstate(invalid='ignore', over='ignore'):
            bent -= _ROUNDING * np.abs(two)
            usual = bent[::_EVERY]
            usual = usual[np.isfinite(usual)]
            if not usual.size:
                continue
            close = bent <= _STRAIGHT * usual.mean()
        if (close[1:] & close[:-1]).any() or (
                close[:, 1:] & close[:, :-1]).any():
            return True
    return False


def _second_difference(values):
    """
    Calculate the size of second differences along rows, and their middles.
    """
    one, two, three = values[:, :-2], values[:, 1:-1], values[:, 2:]
    with np.errstate(invalid='ignore', over='ignore'):
        bent = one + three
        bent -= two
        bent -= two
    return np.abs(bent, out=bent), two


def find_interpolated(data, mask):
    """
    Find pixels that were interpolated linearly from their neighbours.

    Bad rows, columns and saturated cores are often filled with a straight
    line from one side to the other, or with a copy of the pixels on one
    side. Such pixels measure nothing. Noise puts three neighbours on a line
    here and there, and never side by side.

    Parameters
    ----------
    data : 2D `~numpy.ndarray` of float32, shape (ny, nx)
        The pixel values.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are known to be bad.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx)
        There are none in images without noise, and in those in which many
        pixels lie on lines, as after rounding or enlarging.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.replaced import find_interpolated
    >>> data = np.random.default_rng(0).normal(size=(64, 64))
    >>> for k in range(3):
    ...     data[:, 30 + k] = data[:, 29] + (k + 1) / 4 * (
    ...         data[:, 33] - data[:, 29])
    >>> found = find_interpolated(data, np.zeros(data.shape, bool))
    >>> print(found[:, 30:33].all(), found.sum())
    True 192
    """
    found = np.zeros(data.shape, dtype=bool)
    if min(data.shape) < 3:
        return found
    for image, hidden, result in ((data, mask, found),
                                  (data.T, mask.T, found.T)):
        result |= _on_lines(image, hidden)
    return found


def _on_lines(data, mask):
    """
    Find groups of pixels on lines, or equal to the next, along rows.
    """
    found = np.zeros(data.shape, dtype=bool)
    bent, two = _second_difference(data)
    good = ~(mask[:, :-2] | mask[:, 1:-1] | mask[:, 2:])
    with np.errstate(invalid='ignore', over='ignore'):
        first = np.abs(data[:, 2:] - data[:, :-2])
        part = good[::_EVERY]
        if not part.any():
            return found
        usual = bent.dtype.type(median(bent[::_EVERY][part]))
        if not usual > _NOISY * first.dtype.type(
                median(first[::_EVERY][part])):
            return found
        # (saturated pixels are equal in both directions)
        equal = data[:, 1:] == data[:, :-1]
        flat = equal[:, 1:] & equal[:, :-1]
        close = good & ~flat & (
            bent <= _STRAIGHT * usual + _ROUNDING * np.abs(two))
        same = equal & ~(mask[:, 1:] | mask[:, :-1])
        column = np.zeros(data.shape, dtype=bool)
        column[1:] = data[1:] == data[:-1]
        column[:-1] |= column[1:]
        same &= ~(column[:, 1:] | column[:, :-1])
    found[:, 1:-1] = _groups(close)
    copied = _groups(same, most=_GROUPS)
    found[:, 1:] |= copied
    found[:, :-1] |= copied
    return found


def _groups(close, most=np.inf):
    """
    Keep the groups of pixels that are no chance.
    """
    none = np.zeros(close.shape, dtype=bool)
    number = np.count_nonzero(close)
    if not _LEAST <= number < _MOST * close.size:
        return none
    which, _ = label(close)
    size = np.bincount(which.ravel())
    large = size >= _LEAST
    large[0] = False
    if np.count_nonzero(large) > most or (
            number - size[large].sum() > _CHANCE * close.size):
        return none
    for k, (rows, _) in enumerate(find_objects(which), 1):
        if rows.stop - rows.start == 1:
            large[k] = size[k] >= _IN_ROW
    return large[which]


def find_rounded(data, mask, position):
    """
    Find pixels near the position that were interpolated, and rounded then.

    As in images that are stored as integers.

    Parameters
    ----------
    data, mask, position
        As for `find_replaced`.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        `None` if there are none, and in images without steps or with such
        as are not much finer than the noise.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.replaced import find_rounded
    >>> data = np.random.default_rng(0).normal(900, 50, size=(64, 64))
    >>> for k in range(3):
    ...     data[:, 30 + k] = data[:, 29] + (k + 1) / 4 * (
    ...         data[:, 33] - data[:, 29])
    >>> data = np.round(data)
    >>> found = find_rounded(data, np.zeros(data.shape, bool), (32, 32))
    >>> print(found[20:40, 30:33].mean() > 0.9, found[:, 40:].any())
    True False
    """
    box = _around(position)
    hidden = mask[box] | ~np.isfinite(data[box])
    values = np.where(hidden, np.nan, data[box].astype(float))
    step = None
    if min(values.shape) >= 3:
        step = _find_step(values[~hidden])
    if step is None:
        return None
    near = np.zeros(values.shape, dtype=bool)
    for image, result in ((values, near), (values.T, near.T)):
        # (of noise, and hardly of smooth light)
        scatter = np.abs(np.diff(image, 4))
        scatter = scatter[np.isfinite(scatter)]
        if not scatter.size or np.median(scatter) < _SCATTER * step:
            continue
        bent, two = _second_difference(image)
        # (saturated pixels are equal)
        close = (bent <= _STEPS * step) & ~(
            (two == image[:, :-2]) & (two == image[:, 2:]))
        which, _ = label(close)
        size = np.bincount(which.ravel())
        large = size >= _ROUNDED
        large[0] = False
        lines = size[large].sum()
        number = np.count_nonzero(close) - lines
        if lines <= _ALL * bent.size and (
                number <= _USUAL * np.count_nonzero(np.isfinite(bent))):
            result[:, 1:-1] |= large[which]
    if not near.any():
        return None
    found = np.zeros(data.shape, dtype=bool)
    found[box] = near
    return found


def _find_step(values):
    """
    Find the step that values were rounded to, or `None`.
    """
    ordered = np.unique(values)
    if len(ordered) < _DIFFERENT:
        return None
    apart = np.diff(ordered)
    finest = _FINER * np.spacing(np.float32(np.abs(ordered).max()))
    # (there may be no two values that are a single step apart)
    for part in range(1, 9):
        step = apart.min() / part
        if step < finest:
            return None
        # (of a small difference, the rounding error is large)
        step = (ordered[-1] - ordered[0]) / np.round(apart / step).sum()
        number = (ordered - ordered[0]) / step
        if np.abs(number - np.round(number)).max() <= _WHOLE:
            return step
    return None


def _is_median(values, pixels):
    """
    Tell whether equal pixels are a small area amid some that are brighter.

    As medians of those around are. Full wells are brighter than all around.
    """
    rows, columns = np.divmod(pixels, values.shape[1])
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) > _SMALL:
        return False
    near = np.s_[max(rows.min() - 1, 0):rows.max() + 2,
                 max(columns.min() - 1, 0):columns.max() + 2]
    others = values[near].copy()
    others[rows - near[0].start, columns - near[1].start] = -np.inf
    largest = values[rows, columns].max()
    return np.count_nonzero(others > largest) >= _BRIGHTER


def find_copies(data, mask, position):
    """
    Find pixels near the position that are copies of others near them.

    Cosmic rays, and nuclei that were taken for these, are replaced by the
    median of the pixels around, which is the value of one of them.

    Parameters
    ----------
    data, mask, position
        As for `find_replaced`.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The copies and what they are copies of; `None` if there are none, and
        in images in which equal values are usual.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.replaced import find_copies
    >>> data = np.random.default_rng(0).normal(size=(64, 64))
    >>> data[30:32, 30:32] = data[33:35, 30:32]
    >>> found = find_copies(data, np.zeros(data.shape, bool), (32, 32))
    >>> print(found.sum(), found[30:32, 30:32].all())
    8 True
    """
    box = _around(position)
    # (what is not finite is masked, and equals only itself)
    values = np.where(np.isfinite(data[box]), data[box], np.nan).ravel()
    ordered = np.sort(values)
    if 2 * np.count_nonzero(ordered[1:] == ordered[:-1]) < _FEWEST:
        return None
    order = np.argsort(values, kind='stable')
    ordered = values[order]
    twins = np.flatnonzero(ordered[1:] == ordered[:-1])
    one, two = order[twins], order[twins + 1]
    hidden = mask[box].ravel()
    keep = ~(hidden[one] | hidden[two])
    one, two = one[keep], two[keep]
    width = data[box].shape[1]
    dy = np.abs(one // width - two // width)
    dx = np.abs(one % width - two % width)
    far = np.maximum(dy, dx) > _REACH
    if np.count_nonzero(far) >= _FAR:
        return None
    pixels = np.unique(np.concatenate([one[~far], two[~far]]))
    # (full wells, and pixels that resampling has doubled, lie side by side)
    if 2 * np.count_nonzero(dy + dx == 1) >= max(len(one), 1) and not (
            _is_median(data[box], pixels)):
        return None
    finite = ordered[np.isfinite(ordered)]
    if not finite.size:
        return None
    middle = finite[len(finite) // 2]
    coarse = np.spacing(np.abs(middle)) > _COARSE * np.median(
        np.abs(finite - middle))
    if not (_MANY if coarse else _FEWEST) <= len(pixels) < (
            _PART * values.size):
        return None
    found = np.zeros(data.shape, dtype=bool)
    found[box].flat[pixels] = True
    return found
