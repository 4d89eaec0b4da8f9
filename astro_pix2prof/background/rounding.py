# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The error of means over pixels that are rounded coarsely or cut off below.
"""

from dataclasses import replace

import numpy as np
from scipy.special import ndtr, ndtri

__all__ = ['add_rounding', 'clipping_error', 'find_step', 'rounding_error']


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

# Values are cut off below where more than this part of the pixels have the
# least one, and others begin at once: those up to a quarter of their scale
# above it are at least this part of what a Gaussian lets expect.
_CUT, _BEGINS = 0.03, 0.4

# Or values below a limit are missing: of the others, more than this part lies
# in the first tenth of the way from the least one to the median. Neighbours
# differ by this part of the distance of the quartiles, or there is no noise.
_EDGE, _NOISY = 0.02, 0.3

# Limits in units of the noise from the mean, and how far the third quartile
# of what is above them lies from them, in units of the median.
_LIMITS = np.linspace(-2.5, 2, 46)
_ABOVE = 1 - ndtr(_LIMITS)
_MEDIAN = ndtri(1 - 0.5 * _ABOVE) - _LIMITS
_QUARTILE = (ndtri(1 - 0.25 * _ABOVE) - _LIMITS) / _MEDIAN

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
    parts, expected = [], []
    for values, use in ((data, good), (data.T, good.T)):
        level = values / step
        keep = use[:, :-2] & use[:, 1:-1] & use[:, 2:] & (
            level[:, :-2] + level[:, 2:] > 2 * _BRIGHT)
        parts.append((level[:, :-2] - 2 * level[:, 1:-1]
                      + level[:, 2:])[keep])
        expected.append(3 * (level[:, :-2] + level[:, 2:])[keep])
    parts, expected = np.concatenate(parts), np.concatenate(expected)
    # (clipped: stars)
    return not len(parts) or np.mean(
        np.minimum(parts**2 / expected, 9)) > _POISSON


def clipping_error(values):
    """
    Calculate the error of a mean of values that are cut off below.

    Where values below a limit, such as negative ones, were replaced by it or
    are missing, the mean of the sky is too high, and that of bright pixels is
    not.

    Parameters
    ----------
    values : 1D `~numpy.ndarray`, shape (n,)
        Pixels of the sky, neighbours beside each other.

    Returns
    -------
    error : float
        The difference of the mean and that before they were cut off; 0 if
        they are not.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.background.rounding import clipping_error
    >>> sky = np.random.default_rng(0).normal(size=5000)
    >>> print(f'{clipping_error(sky):.1f}')
    0.0
    >>> print(f'{clipping_error(np.maximum(sky, 0)):.1f}')
    0.4
    """
    if len(values) < _FEW:
        return 0.0
    least = values.min()
    above = values[values > least] - least
    part = 1 - len(above) / len(values)
    if part >= 1 - _CUT:
        return 0.0
    if part <= _CUT:
        return _missing_error(values)
    # the limit, in units of the noise from the mean before
    limit = ndtri(part)
    half = ndtri(part + 0.5 * (1 - part))
    noise = float(np.median(above)) / (half - limit)
    expected = (ndtr(limit + 0.25) - part) / (1 - part)
    if np.mean(above < 0.25 * noise) < _BEGINS * expected:
        return 0.0
    return noise * float(
        np.exp(-0.5 * limit**2) / np.sqrt(2 * np.pi) + limit * part)


def _missing_error(values):
    """
    Calculate the error of a mean if values below a limit are missing.
    """
    first, middle, third = np.quantile(values, [0.25, 0.5, 0.75])
    least = values.min()
    if not (_has_edge(values, least, middle) and np.median(
            np.abs(np.diff(values))) > _NOISY * (third - first)):
        return 0.0
    ratio = (third - least) / (middle - least)
    at = np.interp(ratio, _QUARTILE, np.arange(len(_LIMITS)))
    limit, above, half = (np.interp(at, np.arange(len(_LIMITS)), one)
                          for one in (_LIMITS, _ABOVE, _MEDIAN))
    noise = (middle - least) / half
    return float(noise * np.exp(-0.5 * limit**2)
                 / np.sqrt(2 * np.pi) / above)


def _has_edge(values, least, middle):
    """
    Tell whether many values are little above the least one.
    """
    near = (values > least) & (values < least + 0.1 * (middle - least))
    return np.mean(near) > _EDGE


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
    if not (step > 0 or _has_limit(data, bad)):
        return sky
    y, x = np.ogrid[:data.shape[0], :data.shape[1]]
    beyond = np.hypot(x - sky.centre[0], y - sky.centre[1]) > sky.reach
    values = data[beyond & ~bad]
    if len(values) < _FEW:
        values = np.sort(data[~bad])
        values = values[:len(values) // 3]
    error = 0.0
    if step > 0:
        error = np.sqrt(2) * rounding_error(values, step, photons=False)
        if error > _MATTERS * step and not rounding_error(
                values, step) and _are_photons(data, ~bad, step):
            error = 0.0
    error = np.hypot(error, clipping_error(values))
    if not error > _MATTERS * step:
        return sky
    return replace(sky, rounding=float(error),
                   error=float(np.hypot(sky.error, error)))


def _has_limit(data, bad):
    """
    Tell whether the least value is so common that it may be a limit.
    """
    every = (2 * data.size // _SAMPLE) | 1
    sample = np.ravel(data)[::every][~np.ravel(bad)[::every]]
    if len(sample) < _FEW:
        return False
    least = sample.min()
    return (np.mean(sample == least) > 0.3 * _CUT
            or _has_edge(sample, least, np.median(sample)))
