# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The error of means over pixels that are rounded coarsely.
"""

from dataclasses import replace

import numpy as np
from scipy.special import erfinv, ndtri

from astro_pix2prof.background.losses import clipping_error, has_limit

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

# Counts of photons scatter by at least this part of what they have to, in
# pixels with so many of them.
_POISSON, _BRIGHT = 0.3, 2.5

# If the noise of the sky is at most so many steps, that of pixels so many
# times the noise above it tells more, to three times as bright ones, if there
# are enough of them. Rounding does not tell of noise that is smaller.
_FINE, _ABOVE, _BRIGHTER, _ENOUGH, _LEAST = 3.0, 3.5, 3.0, 50, 0.1

# The median square of changes that photons make, in parts of the mean one, is
# 0.45.
_GROWS = 0.15

# Of the darkest third of a frame, more than this part is at a limit.
_MOST = 0.8

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
    digits = 1.7 * np.finfo(data.dtype).eps if data.dtype.kind == 'f' else 0.0
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
    # (most pixels are in single precision)
    close = _CLOSE * step + digits * np.abs(sample)
    place = (sample - values[common[0]]) / step
    off = np.abs(place - np.round(place)) * step
    return step if np.mean(off <= close) > _ON_GRID else 0.0


def rounding_error(values, step, *, photons=True):
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

    photons : bool, optional
        Whether a step may be a photon.

    Returns
    -------
    error : float
        The root mean square over all levels of the sky; 0 for counts of
        photons, which are not rounded.
    """
    if len(values) < _FEW or not step > 0:
        return 0.0
    if not np.ptp(values) * np.finfo(float).eps < step:
        # (no number has such a step)
        return 0.0
    first = float(np.median(values))
    level = np.round((values - first) / step).astype(int)
    numbers, counts = np.unique(level, return_counts=True)
    mode = numbers[np.argmax(counts)]
    n = [np.count_nonzero(level == mode + k) for k in (-1, 0, 1, 2)]
    if photons and n[0] == 0 and first + mode * step == 0 and (
            values.min() == 0):
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


def _are_photons(data, good, step):
    """
    Tell whether bright pixels scatter as the numbers of photons do.
    """
    level = data / step
    beside, change = _changes(level, good)
    keep = beside > 2 * _BRIGHT
    change, expected = change[keep], 3 * beside[keep]
    # (clipped: stars)
    return not len(change) or np.mean(
        np.minimum(change**2 / expected, 9)) > _POISSON


def _noise_above(sky, step, data, good):
    """
    Measure the noise of pixels that are brighter than a sky of few steps.

    From the few steps of the sky, noise that was rounded cannot be told from
    larger noise that was truncated or cut off.
    """
    first, middle, third = np.quantile(sky, [0.16, 0.5, 0.84])
    width = max(third - middle, middle - first) / step
    least = max(_BRIGHT, _ABOVE * width)
    if width > _FINE:
        return None
    beside, change = _changes((data - middle) / step, good)
    change = change[(beside > 2 * least) & (beside < 2 * _BRIGHTER * least)]
    if len(change) < _ENOUGH:
        return None
    # (many have none; large changes are those of stars)
    none = np.mean(np.abs(change) < 0.5)
    variance = 0.125 / erfinv(np.clip(none, 0.01, 0.99))**2
    # (to which rounding adds)
    return step * float(np.sqrt(max(variance / 6 - 1 / 12, _LEAST**2)))


def _grows(data, good, step):
    """
    Tell whether noise grows with light as that of photons does.
    """
    beside, change = _changes(data / step, good)
    for least in 2 * _BRIGHT * 2.0**np.arange(8):
        part = change[(beside > least) & (beside <= 2 * least)]
        if len(part) >= _ENOUGH and np.median(
                part**2) < _GROWS * 4.5 * least:
            return False
    return True


def _changes(level, good):
    """
    Calculate the sum of both neighbours of pixels, and second differences.
    """
    sums, changes = [], []
    for values, use in ((level, good), (level.T, good.T)):
        keep = use[:, :-2] & use[:, 1:-1] & use[:, 2:]
        sums.append((values[:, :-2] + values[:, 2:])[keep])
        changes.append(sums[-1] - 2 * values[:, 1:-1][keep])
    return np.concatenate(sums), np.concatenate(changes)


def add_rounding(sky, step, data, bad):
    """
    Add to the error of a sky what rounding and a limit add to it.

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
    if not (step > 0 or has_limit(_sky_pixels(sky, data, bad, apart=max(
            int(np.sqrt(data.size / (2 * _SAMPLE))), 1)))):
        return sky
    values = _sky_pixels(sky, data, bad)
    error = 0.0
    if step > 0:
        error = np.sqrt(2) * rounding_error(values, step, photons=False)
        if error > _MATTERS * step and not rounding_error(
                values, step) and _are_photons(data, ~bad, step):
            error = 0.0

    def noise():
        return _noise_above(values, step, data, ~bad) if step > 0 else None

    lost = clipping_error(values, step, photons=False, noise=noise)
    if lost > 0 and step > 0 and _are_photons(data, ~bad, step) and _grows(
            data, ~bad, step):
        lost = clipping_error(values, step, noise=noise)
    error = np.hypot(error, lost)
    if not error > _MATTERS * step:
        return sky
    return replace(sky, rounding=float(error),
                   error=float(np.hypot(sky.error, error)))


def _sky_pixels(sky, data, bad, *, apart=1):
    """
    Select pixels beyond the galaxy, or else the darkest ones.
    """
    data, good = data[::apart, ::apart], ~bad[::apart, ::apart]
    y, x = np.ogrid[:data.shape[0], :data.shape[1]]
    beyond = np.hypot(apart * x - sky.centre[0],
                      apart * y - sky.centre[1]) > sky.reach
    values = data[beyond & good]
    if len(values) < _FEW:
        # (in their places: neighbours tell noise)
        values = data[good]
        if len(values):
            n = max(len(values) // 3, 1)
            lowest = np.count_nonzero(values == values.min())
            if lowest > _MOST * n:
                # (a limit, above which there has to be more)
                n = min(3 * lowest // 2, len(values))
            values = values[values <= np.partition(values, n - 1)[n - 1]]
    return values
