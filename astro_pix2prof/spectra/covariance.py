# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors of sums over spaxels whose noise is correlated.
"""

from numbers import Real

import numpy as np

from astro_pix2prof.wording import shown

__all__ = ['COVARIANCES', 'covariance_factor']


# The slope beta and the number N of spaxels from which the factor
# 1 + beta log10 N grows no more: MaNGA (Law et al. 2016, AJ 152, 83, section
# 9.3).
COVARIANCES = {'manga': (1.62, 100.0)}


def covariance_factor(covariance, n):
    """
    Calculate by how much errors exceed those of independent spaxels.

    Parameters
    ----------
    covariance : {'manga'}, float, callable or `None`
        The relation of a survey; the slope beta of ``1 + beta log10 N``; or
        a function of N. `None` for independent spaxels.

    n : `~numpy.ndarray`
        The numbers N of spaxels in the sums.

    Returns
    -------
    factor : `~numpy.ndarray`
        1 or more.

    Raises
    ------
    TypeError
        If ``covariance`` is none of these.

    ValueError
        If the survey is not known, or the slope or a factor is negative or
        not finite.
    """
    n = np.maximum(np.asarray(n, dtype=float), 1.0)
    if covariance is None:
        return np.ones(n.shape)
    if callable(covariance):
        factor = np.asarray(covariance(n), dtype=float)
        if factor.shape != n.shape or not np.all(factor > 0):
            msg = ('covariance must return one positive factor for each '
                   f'number of spaxels, got {shown(factor)}')
            raise ValueError(msg)
        return factor
    if isinstance(covariance, str):
        if covariance.lower() not in COVARIANCES:
            msg = ('covariance must be '
                   f"{' or '.join(map(repr, COVARIANCES))}, a slope or a "
                   f'function of the number of spaxels, got {covariance!r}')
            raise ValueError(msg)
        slope, most = COVARIANCES[covariance.lower()]
        return 1 + slope * np.log10(np.minimum(n, most))
    if not isinstance(covariance, Real) or isinstance(covariance, bool):
        msg = ('covariance must be the name of a survey, a slope or a '
               f'function, got {type(covariance).__name__}')
        raise TypeError(msg)
    if not 0 <= covariance < np.inf:
        msg = ('covariance must be a slope from 0 on, got '
               f'{shown(covariance)}')
        raise ValueError(msg)
    return 1 + covariance * np.log10(n)
