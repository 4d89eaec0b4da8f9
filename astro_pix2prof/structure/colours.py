# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Colours along radius, held where they are not known.
"""

from typing import NamedTuple

import numpy as np

__all__ = ['RingColours', 'hold_colours']


# Beyond the last ring with a colour, it is the mean of those from this part
# of its radius on.
_OUTER = 0.75

# The colour gradient (mag per factor e in radius) to be expected at least
# where it is not seen.
_GRADIENT = 0.05

# Rings that it takes to fit a gradient.
_N_FIT = 4


class RingColours(NamedTuple):
    """
    The colours of rings.

    Attributes
    ----------
    colour : 2D `~numpy.ndarray`, shape (1 + m, n)
        The colour (mag) that holds, and its noisy versions.

    held : 1D `~numpy.ndarray` of bool, shape (n,)
        Whether it is that of other rings.
    """

    colour: np.ndarray
    held: np.ndarray


def hold_colours(radius, colour, error, known, rng):
    """
    Fill in colours that are not known, and hold the outermost.

    Between rings whose colour is known, it is interpolated; inside of them
    it is that of the innermost. Outside, it is the mean colour of the
    outer rings, and the noisy versions drift away from it by the gradient
    that the rings have, or by 0.05 mag per factor e in radius if that is
    less.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, increasing.

    colour : 2D `~numpy.ndarray`, shape (1 + m, n)
        The measured colour and its noisy versions; NaN allowed.

    error : 1D `~numpy.ndarray`, shape (n,)
        The error of the colour.

    known : 1D `~numpy.ndarray` of bool, shape (n,)
        Whether the colour of a ring is taken as it is. One at least.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    Returns
    -------
    colours : `RingColours`
    """
    at = np.nonzero(known)[0]
    # A noisy version without a colour (a band below zero) says nothing.
    values = np.where(np.isfinite(colour[:, at]), colour[:, at],
                      colour[:1, at])
    filled = np.array([np.interp(radius, radius[at], row) for row in values])
    last = radius[at[-1]]
    beyond = radius > last
    if beyond.any() and last > 0:
        weight = np.maximum(error[at], 1e-3)**-2
        outer = radius[at] >= _OUTER * last
        mean = np.average(values[:, outer], axis=1, weights=weight[outer])
        drift = rng.normal(size=len(values))
        drift[0] = 0.0
        steep = _gradient(radius[at], values[0], weight)
        filled[:, beyond] = mean[:, None] + drift[:, None] * steep * np.log(
            radius[beyond] / last)
    return RingColours(filled, ~known)


def _gradient(radius, colour, weight):
    """
    Fit the size of the colour gradient in the outer half of the rings.
    """
    use = radius >= 0.5 * radius[-1]
    if use.sum() < _N_FIT:
        return _GRADIENT
    slope = np.polyfit(np.log(radius[use]), colour[use], 1,
                       w=np.sqrt(weight[use]))[0]
    return max(abs(float(slope)), _GRADIENT)
