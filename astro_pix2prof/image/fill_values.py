# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Single pixels that hold a number for missing data.
"""

import numpy as np

from astro_pix2prof.background.medians import median, quantile

__all__ = ['find_fill_values']


# So many pixels have the number at least, and at most this part of all (more
# have no photon where these are few). A number below all values lies so many
# times as far below them as these reach below their median, and so many times
# their spread; one above all, so many times as far above them as these reach.
_LEAST, _MOST, _BELOW, _SPREADS, _ABOVE = 3, 0.2, 2.0, 5.0, 10.0

# Of one above all, at most this part lies beside another: others are cores.
_BESIDE = 0.3

# So many numbers are looked for at each end; the spread is that of about so
# many pixels.
_NUMBERS, _SAMPLE = 3, 1000


def find_fill_values(data, good):
    """
    Find pixels of a number that lies far outside of all other values.

    Single pixels without data, wherever they lie, often hold a number such as
    -99, -1, -32768 or 1e30. (Areas are found by
    `~astro_pix2prof.image.blanks.find_blanks` whatever they hold.)

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixel values.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Usable pixels.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The pixels of such numbers; `None` if there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.image.fill_values import find_fill_values
    >>> data = np.random.default_rng(0).normal(size=(64, 64))
    >>> data[::13, ::11] = -99.0
    >>> print(find_fill_values(data, np.ones(data.shape, bool)).sum())
    30
    """
    step = (data.size // _SAMPLE) | 1
    sample = data.ravel()[::step][good.ravel()[::step]]
    found = None
    for end in (np.min, np.max):
        # (fewer pixels beyond a number hold no data, either)
        rest = good if found is None else good & ~found
        for _ in range(_NUMBERS):
            same, is_fill = _outermost(data, rest, sample, end)
            if same is None:
                break
            rest = rest & ~same
            if is_fill:
                found = good & ~rest
    return found


def _outermost(data, good, sample, end):
    """
    The pixels of the least or largest value, and if it is a number for none.

    `None` where others farther in are none, either.
    """
    if not good.any():
        return None, False
    value = end(data if good.all() else data[good])
    # (without it, and those that were found before)
    sample = sample[sample > value if end is np.min else sample < value]
    if not len(sample):
        return None, False
    middle = median(sample)

    def is_far(nearest):
        gap, reach = abs(nearest - float(value)), abs(nearest - middle)
        if end is np.max:
            return gap > _ABOVE * reach > 0
        return gap > _BELOW * reach and (
            gap > _SPREADS * (middle - quantile(sample, 0.16)) > 0)

    # (of most images, which takes less time)
    if not is_far(float(end(sample))):
        return None, False
    same = (data == value) & good
    count = np.count_nonzero(same)
    nearest = float(end(data[good & ~same]))
    if count > _MOST * np.count_nonzero(good) or not is_far(nearest):
        return None, False
    if end is np.max:
        beside = (np.count_nonzero(same[1:] & same[:-1])
                  + np.count_nonzero(same[:, 1:] & same[:, :-1]))
        if beside > _BESIDE * count:
            return None, False
    return same, count >= _LEAST
