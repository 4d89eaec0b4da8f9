# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pixels of an image that were filled with a few values.
"""

import math

import numpy as np
from scipy.ndimage import binary_opening, generate_binary_structure, label

__all__ = ['find_few_values']


# Values that recur are found in a sample of about so many pixels, in which
# each occurs so many times; there are not more than so many of them.
_SAMPLE, _RECURS, _MOST = 8000, 8, 32

# What else is in the sample is distinct, but for this part of it, and is no
# less than that part of all.
_REPEATED, _REST = 0.1, 0.2

# The least number of connected pixels, of which this part at least does not
# have the value that most of them have, and this part lies in squares of four.
_LEAST, _OTHERS, _SOLID = 25, 0.02, 0.8


def find_few_values(data, good):
    """
    Find areas that hold a few values, each of them many times.

    Such areas are filled with a ramp of steps, a pattern or a code; they
    hold no data. Images whose values recur everywhere are rounded, sparse
    or replicated, and have no such areas.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixel values of an image with noise.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Usable pixels.

    Returns
    -------
    areas : list of 2D bool `~numpy.ndarray`, shape (ny, nx)
        Each connected area of at least 25 pixels. Or all pixels of the only
        value that recurs, if others are lower and higher, wherever they
        lie.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.few_values import find_few_values
    >>> data = np.random.default_rng(0).normal(size=(64, 64))
    >>> data[:, 40:] = np.indices((64, 24)).sum(0) % 2
    >>> area, = find_few_values(data, np.ones(data.shape, bool))
    >>> print(area.sum())
    1536
    """
    step = max(data.size // _SAMPLE, 1)
    while math.gcd(step, data.shape[1]) > 1:
        # (it would miss columns)
        step += 1
    sample = data.ravel()[::step][good.ravel()[::step]]
    ordered = np.sort(sample)
    if not (ordered[_RECURS - 1:] == ordered[:1 - _RECURS]).any():
        # (as of most images, which takes less time)
        return []
    values, counts = np.unique(ordered, return_counts=True)
    recurs = counts >= _RECURS
    n_rest = counts[~recurs].sum()
    if (not 1 <= np.count_nonzero(recurs) <= _MOST
            or n_rest < _REST * len(sample)
            or n_rest - np.count_nonzero(~recurs) > _REPEATED * n_rest):
        return []
    if np.count_nonzero(recurs) == 1:
        # (the least or largest one may be a limit)
        at = int(np.argmax(recurs))
        if 0 < at < len(values) - 1:
            return [(data == values[at]) & good]
        return []
    if _is_rounded(values, recurs):
        return []
    found = np.zeros(data.shape, dtype=bool)
    for value in values[recurs]:
        found |= data == value
    found &= good
    solid = binary_opening(found, np.ones((2, 2)))
    which, n = label(found, generate_binary_structure(2, 2))
    sizes = np.bincount(which.ravel(), minlength=n + 1)
    areas = []
    for number in np.flatnonzero(sizes[1:] >= _LEAST) + 1:
        area = which == number
        _, parts = np.unique(data[area], return_counts=True)
        # (one value alone is looked at elsewhere, and empty pixels of sparse
        # images lie scattered)
        if parts.max() <= (1 - _OTHERS) * sizes[number] and (
                np.count_nonzero(area & solid) >= _SOLID * sizes[number]):
            areas.append(area)
    return areas


def _is_rounded(values, recurs):
    """
    Tell whether all values are on the grid of those that recur.
    """
    few = values[recurs].astype(float)
    step = np.diff(few).min()
    with np.errstate(over='ignore', invalid='ignore'):
        place = (values[~recurs].astype(float) - few[0]) / step
        return bool(np.median(np.abs(place - np.round(place))) < 1e-3)
