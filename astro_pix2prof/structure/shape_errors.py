# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors of radii by those of the ellipses.
"""

import numpy as np

__all__ = ['add_shape_errors']


# Ellipticities are not less certain than this.
_MOST = 0.5


def add_shape_errors(result, profile, ok, names):
    """
    Add the errors of the ellipses to those of radii along the major axis.

    An ellipse that is too round, with the same area, has a shorter major
    axis. The ellipses at radii that are far from each other are
    independent.

    Parameters
    ----------
    result : dict of tuple of 2 floats
        Values and errors by the name of the column; the errors of
        ``names``, ``c28`` and ``c59`` are changed.

    profile : `~astropy.table.QTable`
        The profile.

    ok : 1D bool `~numpy.ndarray`, shape (n,)
        The rings that are used.

    names : list of str
        The columns of radii.
    """
    if 'ellipticity_err' not in profile.colnames:
        return
    radius = profile['radius'].value[ok]
    eps, error = (np.nan_to_num(np.asarray(profile[name], dtype=float)[ok])
                  for name in ('ellipticity', 'ellipticity_err'))
    # (a major axis is the root of area over axis ratio)
    part = 0.5 * np.clip(error, 0, _MOST) / np.maximum(1 - eps, 1e-3)

    def at(name):
        value = result[name][0]
        return np.interp(value, radius, part) if np.isfinite(value) else 0.0

    def widen(name, more):
        value, spread = result[name]
        result[name] = value, np.hypot(spread, more)

    for name in names:
        widen(name, at(name) * result[name][0])
    widen('c28', 5 / np.log(10) * np.hypot(at('r20'), at('r80')))
    widen('c59', result['c59'][0] * np.hypot(at('r50'), at('r90')))
