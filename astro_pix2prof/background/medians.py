# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Medians of finite values, without the checks that take most of the time.
"""

import numpy as np

__all__ = ['median', 'quantile', 'row_medians', 'spread']


# The standard deviation of a normal distribution over the median of its
# absolute deviations.
_MAD_TO_STD = 1.482602218505602


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
    k = values.size // 2
    # (one partition takes less time than those of two neighbours)
    ordered = np.partition(values, k)
    upper = float(ordered[k])
    if values.size % 2:
        return upper
    return 0.5 * (float(ordered[:k].max()) + upper)


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
    ordered = np.partition(values, k)
    lower = float(ordered[k])
    if k + 1 == values.size:
        return lower
    return lower + (place - k) * (float(ordered[k + 1:].min()) - lower)


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


def row_medians(values, used):
    """
    Calculate the median of the used values of each row.

    Parameters
    ----------
    values : 2D `~numpy.ndarray` of float32, shape (m, n)
        The values.

    used : 2D bool `~numpy.ndarray`, shape (m, n)
        Those that count; each row has some.

    Returns
    -------
    median : 1D `~numpy.ndarray`, shape (m,)
    """
    n = used.sum(axis=1)
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
