# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The error of means over pixels that are rounded more coarsely than noise.
"""

from dataclasses import replace

import numpy as np
from scipy.special import ndtri

__all__ = ['add_rounding', 'find_step', 'rounding_error']


# About so many pixels tell the step. The most common values, so many, are
# those of this part of them at least; all but a few are on their grid,
# within a part of the step.
_SAMPLE, _LEVELS, _COMMON, _ON_GRID, _CLOSE = 2000, 4, 0.2, 0.98, 0.02

# Digits that count, as a part of the noise.
_DIGIT = 1e-3

# Of photons, at least this part of the pixels with two that their number
# lets expect is there, if so many are expected.
_PAIRS, _EXPECTED = 0.3, 5

# The least number of sky pixels that tell the noise before rounding.
_FEW = 50

# Errors below this part of a step are none.
_MATTERS = 1e-3

# Terms of the series of what rounding adds to a mean.
_TERMS = np.arange(1, 20)


def find_step(data, bad, *, background=None):
    """
    Find the step to which the pixels of the sky are rounded.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixel values.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    background : float or 2D `~numpy.ndarray`, optional
        What was subtracted from them after they had been rounded.

    Returns
    -------
    step : float
        0 where the noise is not rounded, or so finely that many values
        occur.
    """
    every = (data.size // _SAMPLE) | 1
    if background is not None:
        data = data + background
    sample = np.ravel(data)[::every][~np.ravel(bad)[::every]].astype(float)
    if len(sample) < _FEW:
        return 0.0
    if background is not None:
        # (single precision makes equal values differ)
        digit = _DIGIT * np.ptp(np.quantile(sample, [0.02, 0.98]))
        if digit > 0:
            sample = np.round(sample / digit) * digit
    values, counts = np.unique(sample, return_counts=True)
    common = np.sort(np.argsort(counts)[-_LEVELS:])
    if len(common) < 2 or counts[common].sum() < _COMMON * len(sample):
        return 0.0
    step = float(np.diff(values[common]).min())
    # (pixels are in single precision)
    close = _CLOSE * step + 2e-7 * np.abs(sample)
    place = (sample - values[common[0]]) / step
    off = np.abs(place - np.round(place)) * step
    return step if np.mean(off <= close) > _ON_GRID else 0.0


def rounding_error(values, step):
    """
    Calculate the error of a mean of rounded values, from the values.

    Rounding is harmless where noise moves pixels across several steps. A
    step of three or more times the noise leaves an error that is the same
    in all pixels of a level, and that no number of pixels makes smaller.

    Parameters
    ----------
    values : 1D `~numpy.ndarray`, shape (n,)
        Pixels of the sky.

    step : float
        The step to which they are rounded.

    Returns
    -------
    error : float
        The root mean square over all levels of the sky; 0 for counts of
        photons, which are not rounded.
    """
    if len(values) < _FEW or not step > 0:
        return 0.0
    first = float(np.median(values))
    level = np.round((values - first) / step).astype(int)
    numbers, counts = np.unique(level, return_counts=True)
    mode = numbers[np.argmax(counts)]
    n = [np.count_nonzero(level == mode + k) for k in (-1, 0, 1, 2)]
    if n[0] == 0 and first + mode * step == 0 and values.min() == 0:
        # no photon, in most pixels
        pairs = 0.5 * n[2]**2 / n[1]
        if pairs < _EXPECTED or n[3] > _PAIRS * pairs:
            return 0.0
    total = sum(n[:3])
    edges = ndtri(np.clip(np.cumsum(n[:2]) / total, 0.01 / total,
                             1 - 0.01 / total))
    if not edges[1] > edges[0]:
        return 0.0
    # the noise before rounding, in steps
    noise = 1 / (edges[1] - edges[0])
    terms = np.exp(-2 * (np.pi * _TERMS * noise)**2) / (np.pi * _TERMS)
    return float(step * np.sqrt(0.5 * np.sum(terms**2)))


def add_rounding(sky, step, data, bad):
    """
    Add to the error of a sky what rounded pixels add to it.

    Parameters
    ----------
    sky : `~astro_pix2prof.background.level.Sky`
        The sky.

    step : float
        The step to which the pixels are rounded; 0 if they are not.

    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixel values.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    Returns
    -------
    sky : `~astro_pix2prof.background.level.Sky`
        With ``rounding``, which is that of the difference of a ring and the
        sky, in its error.
    """
    if not step > 0:
        return sky
    y, x = np.ogrid[:data.shape[0], :data.shape[1]]
    beyond = np.hypot(x - sky.centre[0], y - sky.centre[1]) > sky.reach
    values = data[beyond & ~bad]
    if len(values) < _FEW:
        values = np.sort(data[~bad])
        values = values[:len(values) // 3]
    error = np.sqrt(2) * rounding_error(values, step)
    if not error > _MATTERS * step:
        return sky
    return replace(sky, rounding=float(error),
                   error=float(np.hypot(sky.error, error)))
