# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Flag the rings whose ellipse no isophote was fitted to.
"""

import numpy as np

from astro_pix2prof.profile.flags import RingFlag

__all__ = ['flag_shapes']


def flag_shapes(steps, want):
    """
    Flag rings by the origin of their ellipses.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    want : 1D `~numpy.ndarray`, shape (n,)
        The semi-major axes of the table in pixels.

    Returns
    -------
    flag : 1D `~numpy.ndarray` of int, shape (n,)
        `~astro_pix2prof.RingFlag` bits EXTENDED and INTERPOLATED.
    """
    flag = np.zeros(len(want), dtype=np.int32)
    if steps.is_fixed():
        return flag
    fit = steps.ellipse_fit
    last = steps.thin[steps.inside].max()
    flag[want > last] |= RingFlag.EXTENDED
    log_good = np.log(fit.sma[fit.good])
    gap = np.abs(np.log(np.maximum(want, 0.8))[:, None] - log_good).min(1)
    flag[(gap > 0.13) & (want <= last)] |= RingFlag.INTERPOLATED
    return flag
