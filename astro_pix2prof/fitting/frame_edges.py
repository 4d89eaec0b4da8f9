# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Light of a galaxy beyond the edge of its frame.
"""

import numpy as np

from astro_pix2prof.profile.brightness import curve_of_growth

__all__ = ['light_beyond_edge']


# The outer rings from this part of the last radius on tell how light declines
# beyond; the range of slopes -d ln I / d ln r, and the signal-to-noise ratio
# from which rings count no more.
_OUTER, _SLOPES, _MOST = 0.5, (2.5, 8.0), 50.0


def light_beyond_edge(rings):
    """
    Estimate which part of the light is farther out than the frame reaches.

    Outskirts go on as a power of the radius; the last ring is taken for as
    bright as its error allows.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings.

    Returns
    -------
    part : float
        Of the light within the last ring and beyond it: that beyond the
        largest ellipse that is whole in the frame. 1 if no ring tells it.
    """
    known = np.isfinite(rings.intensity) & np.isfinite(rings.intensity_err)
    sma, eps = rings.sma[known], rings.eps[known]
    value, error = rings.intensity[known], rings.intensity_err[known]
    edge = rings.edge()
    if not len(sma) or not sma[-1] > edge:
        return 1.0
    growth = curve_of_growth(sma, value, eps)
    most = np.max(growth)
    if not most > 0:
        return 1.0
    outer = (sma > _OUTER * sma[-1]) & (value > 0)
    slope = 0.0
    if np.count_nonzero(outer) > 2:
        snr = np.minimum(value[outer] / np.maximum(
            error[outer], 1e-9 * value[outer]), _MOST)
        slope = -np.polyfit(np.log(sma[outer]), np.log(value[outer]), 1,
                            w=np.sqrt(snr))[0]
    last = max(value[-1], 0.0) + error[-1]
    rest = (2 * np.pi * (1 - eps[-1]) * sma[-1]**2 * last
            / (np.clip(slope, *_SLOPES) - 2))
    within = np.interp(edge, sma, growth)
    return float((max(most - within, 0.0) + rest) / (most + rest))
