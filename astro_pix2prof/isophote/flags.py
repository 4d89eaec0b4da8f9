# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Flag the rings whose ellipse no isophote was fitted to, and other objects.
"""

import numpy as np

from astro_pix2prof.profile.flags import RingFlag

__all__ = ['flag_shapes', 'overlap']

# The galaxy ends at the first ring whose mean is less than so many times its
# noise.
_SEEN = 3.0


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


def overlap(steps):
    """
    Measure how much of the galaxy other objects hide or outshine.

    Objects, and noise, whose detections touch that of the galaxy beyond its
    visible end change nothing in its profile.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    Returns
    -------
    pixels, light : float
        Parts of the galaxy, out to where it is seen: of its pixels that were
        masked as other objects, and of its light that these have more.
    """
    sma, mean = steps.thin, steps.rings.mean
    known = np.isfinite(mean)
    if not known.any():
        return 0.0, 0.0
    # (rings that are masked are as bright as those beside them)
    mean = np.interp(sma, sma[known], mean[known])
    length = np.maximum(2 * np.pi * sma * np.sqrt(1 - steps.eps), 1.0)
    seen = mean > _SEEN * steps.sigma / np.sqrt(length)
    # (the first rings have few pixels, and may drown in noise)
    if not seen.any():
        return 0.0, 0.0
    first = int(np.argmax(seen))
    last = len(sma) - 1 if seen[first:].all() else (
        first + int(np.argmin(seen[first:])))
    inside = steps.radius < sma[last]
    hidden = inside & steps.masked & ~steps.bad
    if not hidden.any():
        return 0.0, 0.0
    model = np.interp(steps.radius[inside], sma, mean)
    more = np.maximum(steps.image[inside] - model, 0.0)[hidden[inside]].sum()
    light = more / model.sum() if model.sum() > 0 else 0.0
    return float(hidden.sum() / inside.sum()), float(light)
