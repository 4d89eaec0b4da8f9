# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Means of elliptical rings by area instead of by length.
"""

import numpy as np

from astro_pix2prof.ellipses.annuli import ring_outliers

__all__ = ['area_excess']


def area_excess(samples, n_rings, *, sigma=np.inf):
    """
    Calculate how much brighter the area of rings is than the mean along them.

    Between two ellipses of one shape, the area belonging to a step of the
    eccentric anomaly is the same everywhere, its length is not: a flat ring
    is narrow on its long sides. Where the light along a ring is even, both
    means are the same. A galaxy in ellipses flatter than its own is brighter
    on the long sides, and the mean along the ring is larger than that of
    its area.

    Parameters
    ----------
    samples : iterable of tuple
        As `~astro_pix2prof.ellipses.annuli.sample_rings` yields them:
        numbers of rings, values, weights and arc lengths.

    n_rings : int
        The number of rings.

    sigma : float, optional
        Noise of a sky pixel, if points far from the median were left out of
        the mean along the ring. Those on two opposite sides are the
        galaxy's, and part of its area. By default, none were left out.

    Returns
    -------
    excess : 1D `~numpy.ndarray`, shape (n_rings,)
        In the unit of the image; 0 for rings without a usable point.
    """
    excess = np.zeros(n_rings)
    for index, values, weights, arc in samples:
        area = weights / np.maximum(arc, 1e-9)
        if np.isfinite(sigma):
            far = ring_outliers(values, weights, sigma)
            other = far & ~np.roll(far, far.shape[1] // 2, 1)
            area = np.where(other, 0.0, area)
            weights = np.where(far, 0.0, weights)
        means = []
        for used in (area, weights):
            norm = used.sum(1)
            means.append((used * values).sum(1)
                         / np.where(norm > 0, norm, 1.0))
        excess[index] = means[0] - means[1]
    return excess
