# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Level that the outer rings of a galaxy decline to.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ['fit_sky_and_tail', 'level_of_rings', 'outermost']


# The scatter of the logarithm of the scale length of the tail about that of
# the profile further in, and the part of the tail's light at the last ring
# that counts as an error of the sky: from Sersic profiles of 0.8 to 4 that
# fill their frame.
_TAIL_WIDTH = 0.4

_TAIL_ERROR = 0.5

# The scale lengths that are tried, over that of the profile further in.
_SCALES = np.geomspace(0.4, 3.0, 15)

# Rings fainter than so many times the noise of a pixel belong to the tail.
_FAINT = 0.7

# The galaxy deviates from a smooth tail by this part of its brightness.
_ROUGH = 0.1

# Sky is measured out to so many times the radius where the galaxy is lost in
# noise, and at least so many boxes beyond it.
_FAR, _BEYOND = 8.0, 64


def fit_sky_and_tail(sma, mean, error, scale_guess):
    """
    Fit a constant and an exponential tail to the outer profile.

    A galaxy that reaches the edge of the frame leaves no pixel of pure
    sky; its outer rings still tell the level that they decline to.

    Parameters
    ----------
    sma, mean, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis (pixels), mean and its error of the outer rings.

    scale_guess : float
        The scale length (pixels) of the profile further in. Scale lengths
        from 0.4 to 3 times this are tried, those close to it preferred.

    Returns
    -------
    level, error : float
        The sky level, and its error: that which tail and level share, and
        a part of the light that the tail has left at the last ring.
    """
    scale = scale_guess * _SCALES
    weight = error**-2.0
    # (about the last ring, so that a sky of any height is no matter)
    value = mean - mean[-1]
    tail = np.exp(-(sma - sma[0]) / scale[:, None])
    total = weight.sum()
    middle = (weight * value).sum() / total
    shape = tail - ((weight * tail).sum(1) / total)[:, None]
    power = np.maximum((weight * shape**2).sum(1), 1e-12 * total)
    # The tail cannot be negative; the level can.
    height = np.maximum((weight * shape * value).sum(1) / power, 0.0)
    level = middle - height * (weight * tail).sum(1) / total
    chi2 = (weight * (value - level[:, None]
                      - height[:, None] * tail)**2).sum(1)
    variance = 1 / total + ((weight * tail).sum(1) / total)**2 / power
    reduced = max(chi2.min() / max(len(sma) - 3, 1), 1.0)
    prob = np.exp(-0.5 * (chi2 - chi2.min()) / reduced
                  - 0.5 * (np.log(scale / scale_guess) / _TAIL_WIDTH)**2)
    prob /= prob.sum()
    result = (prob * level).sum()
    left = (prob * height * tail[:, -1]).sum()
    spread = ((prob * (level - result)**2).sum()
              + (prob * variance).sum() * reduced + (_TAIL_ERROR * left)**2)
    return float(result + mean[-1]), float(spread**0.5)


def outermost(start):
    """
    Calculate the radius out to which sky is measured.

    Parameters
    ----------
    start : float
        Where the tail of the galaxy starts (pixels).

    Returns
    -------
    radius : float
        In pixels.
    """
    return max(_FAR * start, start + _BEYOND)


def level_of_rings(sma, mean, error, level, pixel_noise):
    """
    Measure the level that the rings around a galaxy tend to.

    Parameters
    ----------
    sma, mean, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis (pixels), mean and its error of the rings.

    level : float
        A first guess.

    pixel_noise : float
        The noise of a pixel.

    Returns
    -------
    level, error : float
        The level and its error; infinite without rings.

    start, scale : float
        Where the tail of the galaxy starts, and its scale length (pixels).
    """
    if not len(sma):
        # (every pixel belongs to some object)
        return level, np.inf, 0.0, 1.0
    for _ in range(2):
        faint = gaussian_filter(mean, 1.0) < level + _FAINT * pixel_noise
        start = sma[np.argmax(faint)] if faint.any() else 0.7 * sma[-1]
        start = min(start, 0.75 * sma[-1])
        outer = sma >= start
        outer &= sma <= outermost(start)
        # The decline just inside tells the scale of the tail.
        inner = (sma > 0.5 * start) & (sma < start) & (mean > level)
        scale = 0.2 * start + 1.0
        if inner.sum() > 2:
            slope = _slope(sma[inner], np.log(mean[inner] - level))
            scale = np.clip(-1 / min(slope, -1e-3), 1.0, 1.5 * start + 3)
        rough = _ROUGH * np.maximum(mean[outer] - level, 0.0)
        level, spread = fit_sky_and_tail(
            sma[outer], mean[outer], np.hypot(error[outer], rough), scale)
    return level, spread, start, scale


def _slope(x, y):
    """
    Slope of the straight line through points, as `numpy.polyfit` finds it.
    """
    x = x - x.mean()
    return (x * (y - y.mean())).sum() / (x * x).sum()
