# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Medians of finite values, without the checks that take most of the time.
"""

import numpy as np

__all__ = ['median', 'quantile', 'row_medians', 'spread']


# The standard deviation of a normal distribution over the median of its
# absolute deviations.
_MAD_TO_STD = 1.482602218505602

# Of so many values, about so many are sorted first. Between those that are so
# many times the root of their number apart lies what is looked for.
_MANY, _SAMPLE, _MARGIN = 3000, 256, 1.3


def median(values):
    """
    Calculate the median of finite values, as `numpy.median` does.

    Parameters
    ----------
    values : `~numpy.ndarray`
        Finite values.

    Returns
    -------
    median : float
        Not-a-number if there are none.
    """
    values = np.ravel(values)
    if not values.size:
        return np.nan
    n = values.size
    lower, upper = _ranked(values, (n - 1) // 2, n // 2)
    return 0.5 * (lower + upper)


def quantile(values, part):
    """
    Calculate a quantile of finite values, as `numpy.quantile` does.

    Parameters
    ----------
    values : `~numpy.ndarray`
        One or more finite values.

    part : float
        From 0 to 1.

    Returns
    -------
    quantile : float
    """
    values = np.ravel(values)
    place = part * (values.size - 1)
    k = int(place)
    last = min(k + 1, values.size - 1)
    lower, upper = _ranked(values, k, last)
    return lower + (place - k) * (upper - lower)


def _ranked(values, first, last):
    """
    Select one value or two by their ranks, which are the same or neighbours.

    Of many values, a sample tells between which two others these lie: it
    takes less time to select from what is there.
    """
    if values.size >= _MANY:
        sample = np.sort(values[::values.size // _SAMPLE])
        at = first * len(sample) // values.size
        margin = int(_MARGIN * np.sqrt(len(sample)))
        near = np.ones(values.size, dtype=bool)
        below = 0
        if at >= margin:
            near = values >= sample[at - margin]
            below = values.size - np.count_nonzero(near)
        if at + margin < len(sample):
            near &= values <= sample[at + margin]
        some = values[near]
        if below <= first and last < below + len(some):
            values, first, last = some, first - below, last - below
    # (one partition takes less time than those of two neighbours)
    ordered = np.partition(values, last)
    upper = float(ordered[last])
    return (upper if first == last else float(ordered[:last].max()), upper)


def spread(values):
    """
    Estimate the standard deviation from the median absolute deviation.

    It is that of `astropy.stats.mad_std`, in a fraction of the time.

    Parameters
    ----------
    values : `~numpy.ndarray`
        One or more finite values.

    Returns
    -------
    spread : float
    """
    return _MAD_TO_STD * median(np.abs(values - median(values)))


def row_medians(values, used, guess=None, *, within=0.1):
    """
    Calculate the median of the used values of each row.

    Parameters
    ----------
    values : 2D `~numpy.ndarray` of float32, shape (m, n)
        The values.

    used : 2D bool `~numpy.ndarray`, shape (m, n)
        Those that count; each row has some.

    guess : 1D `~numpy.ndarray`, shape (m,), optional
        About where the medians lie, of values that are not negative. It
        makes no difference to the result, which is found in less time if
        the guess is good.

    within : float, optional
        The part of themselves within which most guesses are right.

    Returns
    -------
    median : 1D `~numpy.ndarray`, shape (m,)
    """
    n = _row_counts(used)
    if guess is None:
        return _sorted_medians(values, used, n)
    found, known = _medians_near(values, used, n, guess, within)
    rest = ~known
    if rest.any():
        found[rest] = _sorted_medians(values[rest], used[rest], n[rest])
    return found


def _sorted_medians(values, used, n):
    """
    The medians of rows of which n values each are used.
    """
    rows = np.arange(len(values))
    if n.min() == values.shape[1]:
        # (one partition is faster than sorting, and than two of them)
        k = values.shape[1] // 2
        ordered = np.partition(values, k, axis=1)
        upper = ordered[:, k].astype(float)
        lower = upper if values.shape[1] % 2 else (
            ordered[:, :k].max(axis=1).astype(float))
        return 0.5 * (lower + upper)
    # (sorting is several times as fast as numpy.nanmedian)
    ordered = np.sort(np.where(used, values, np.float32(np.inf)), axis=1)
    return 0.5 * (ordered[rows, (n - 1) // 2].astype(float)
                  + ordered[rows, n // 2])


def _medians_near(values, used, n, guess, within):
    """
    The medians of rows of which n values each are used, if they are near.

    Only the values near the guess are sorted, those of all rows at once: the
    bits of numbers that are not negative have their order.

    Returns
    -------
    median : 1D `~numpy.ndarray`, shape (m,)

    known : 1D bool `~numpy.ndarray`, shape (m,)
        Which medians lie near the guess.
    """
    m, width = values.shape
    low, high = (np.asarray(part * guess, np.float32)[:, None]
                 for part in (1 - within, 1 + within))
    near = (values >= low) & used
    below = n - _row_counts(near)
    near &= values <= high
    at = np.flatnonzero(near)
    start = np.searchsorted(at, width * np.arange(m + 1))
    lower, upper = (k - below for k in ((n - 1) // 2, n // 2))
    known = (lower >= 0) & (upper < np.diff(start))
    keys = (at // width).astype(np.uint64) << np.uint64(32)
    keys |= values.ravel()[at].view(np.uint32)
    keys.sort()
    lower, upper = ((keys[(start[:-1] + k)[known]] & np.uint64(
        0xffffffff)).astype(np.uint32).view(np.float32).astype(float)
        for k in (lower, upper))
    median = np.zeros(m)
    median[known] = 0.5 * (lower + upper)
    return median, known


def _row_counts(used):
    """
    Count what is true in each row (faster than `numpy.count_nonzero`).
    """
    # (whole numbers to 2^24 are exact in single precision)
    return (used.astype(np.float32) @ np.ones(
        used.shape[1], np.float32)).astype(int)
