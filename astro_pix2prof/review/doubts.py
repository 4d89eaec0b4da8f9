# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The probability that a profile is wrong, from its flags and errors.
"""

import numpy as np

from astro_pix2prof.profile.brightness import POGSON

__all__ = ['stated_errors']


# Rings count out to so many half-light radii.
_REACH = 2.0


def stated_errors(batch):
    """
    Calculate the median error that each profile of a batch states (mag).

    Parameters
    ----------
    batch : `~astro_pix2prof.ProfileBatch`
        The profiles.

    Returns
    -------
    errors : 1D `~numpy.ndarray`, shape (n,)
        The median of the errors of surface brightness over the rings out to
        twice the half-light radius (all, where that is not known), in mag.
        Rings that are not positive count as infinite; not-a-number stands
        for no rings.
    """
    def values(name):
        column = batch.rings[name]
        return np.asarray(getattr(column, 'value', column), dtype=float)

    n = len(batch)
    row = np.repeat(np.arange(n), np.diff(batch.offsets))
    half = batch.galaxies['radius_50']
    reach = _REACH * np.asarray(getattr(half, 'value', half), dtype=float)
    intensity, sigma = values('intensity'), values('intensity_err')
    with np.errstate(divide='ignore', invalid='ignore'):
        error = np.where(intensity > 0, POGSON * sigma / intensity, np.inf)
    use = ~(values('radius') > reach[row]) & ~np.isnan(error)
    row, error = row[use], error[use]
    order = np.lexsort((error, row))
    row, error = row[order], error[order]
    first = np.searchsorted(row, np.arange(n))
    count = np.searchsorted(row, np.arange(n), side='right') - first
    result = np.full(n, np.nan)
    known = count > 0
    result[known] = error[(first + (count - 1) // 2)[known]]
    return result
