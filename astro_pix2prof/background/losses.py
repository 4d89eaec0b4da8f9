# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The error of the mean of a sky whose low values were lost.

Negative values that were set to zero, masked, or taken without their sign,
and a truncation to integers, leave marks in the histogram of the sky. Models
of what may have been done to a Gaussian are compared with it.
"""

import numpy as np

from astro_pix2prof.background.loss_models import Histogram, Levels

__all__ = ['clipping_error', 'has_limit']


# The least number of sky pixels that tell what was lost.
_FEW = 50

# About so many pixels tell whether to look at all of them.
_SAMPLE, _SOME = 1000, 8000

# This part of the pixels may be below a limit: bad pixels.
_BELOW = 0.003

# The lowest values may be lost if more than this part of the pixels lies in
# the first tenth of the way from the lowest ones to the median, or has one
# value that is no step of rounding.
_EDGE, _REPEATED = 0.015, 0.01

# A level of rounded pixels may be wider than the others if it has so many
# times the pixels of those beside it, as none has where the noise is more
# than 1.3 steps.
_WIDE = 1.3

# Noise leaves pixels of one level alone: not more than by this part are they
# beside each other rather than anywhere.
_PATCHY = 0.3

# The brightest of the pixels above a limit, so many, may be sources. What is
# left is divided into so many cells, at least four of them if rounded.
_SOURCES, _CELLS, _LEAST = 0.1, 16, 4

# Differences of neighbours have at least this part of the variance, or it is
# not noise that is cut off.
_NOISY = 0.18

# A loss is one if a model of it describes the pixels better, by so many
# nats a pixel, and well, or by far better, than the models of a whole sky do.
_BETTER, _PIXELS, _GOOD, _FAR = 0.006, 4.0, 0.03, 0.35

# Photons scatter by less than so much more than their number, of which those
# beyond three, and this part of the pixels, are not counted.
_PHOTONS, _COUNTED = 1.25, 0.97

# Skies of which nearly all pixels have one or two values tell nothing.
_ALL, _BOTH = 0.95, 0.985

# Rounding leaves less than this part of the pixels with other values.
_FINE = 0.1

# Steps farther from the median are counted with those so far from it.
_FARTHEST = 2000


def has_limit(sample):
    """
    Tell whether the low values of a sky may have been lost.

    Parameters
    ----------
    sample : 1D `~numpy.ndarray`, shape (n,)
        Some pixels of the image.

    Returns
    -------
    may_be : bool
    """
    sample = np.sort(sample[::max(len(sample) // _SAMPLE, 1)])
    if len(sample) < _FEW or sample[0] == sample[-1]:
        return False
    least = sample[int(_BELOW * len(sample))]
    edge = least + 0.1 * (sample[len(sample) // 2] - least)
    if np.searchsorted(sample, edge, 'right') > (
            _EDGE + _BELOW) * len(sample):
        return True
    ends = np.flatnonzero(sample[1:] != sample[:-1])
    runs = np.sort(np.diff(ends, prepend=-1, append=len(sample) - 1))[-3:]
    # (that of fewer pixels may be chance)
    return bool(runs[-1] > _REPEATED * len(sample) and runs[-1] > (
        1.4 * runs[0] + 2 * np.sqrt(runs[0])))


def clipping_error(values, step=0.0, *, photons=True, noise=None):
    """
    Calculate the error of the mean of values of which the low ones are lost.

    Values below a limit, such as negative ones, may have been replaced by it
    or by another value, may be missing, or may have lost their sign; or all
    may have been truncated towards zero. The mean of the sky is too high,
    then, and that of bright pixels is not.

    Parameters
    ----------
    values : 1D `~numpy.ndarray`, shape (n,)
        Pixels of the sky, neighbours beside each other.

    step : float, optional
        The step to which they are rounded; 0 if they are not.

    photons : bool, optional
        Whether a step may be a photon.

    noise : callable, optional
        Measures the noise of pixels that lost nothing; None if it cannot.

    Returns
    -------
    error : float
        The difference of the mean and that of all values, in comparison with
        that of bright pixels; 0 if nothing is lost.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.background.losses import clipping_error
    >>> sky = np.random.default_rng(0).normal(size=5000)
    >>> print(f'{clipping_error(sky):.1f}')
    0.0
    >>> print(f'{clipping_error(np.maximum(sky, 0)):.1f}')
    0.4
    >>> print(f'{clipping_error(np.where(sky < 0.5, 0, sky)):.1f}')
    0.4
    """
    if len(values) < _FEW or not (step > 0 or has_limit(values)):
        return 0.0
    if step > 0 and photons and _are_counts((values - values.min()) / step):
        return 0.0
    if not step > 0:
        # (of fine steps, the most common values need not be next to another)
        step = _find_fine_step(values)
    histogram = (_rounded(values, step) if step > 0 else _continuous(values))
    if histogram is None or not _is_noise(values, histogram.top):
        return 0.0
    known = None if noise is None else noise()
    if known is not None:
        histogram.noise = known / histogram.unit
    margin = _BETTER + _PIXELS / len(values)
    whole = min(histogram.fit(model)[0] for model in histogram.whole(photons))
    if not whole > margin:
        return 0.0
    badness, error = min(histogram.fit(model) for model in histogram.losses())
    if badness + margin > whole or badness > max(_GOOD, _FAR * whole):
        return 0.0
    if any(histogram.fit(model)[0] < badness for model in histogram.blank()):
        return 0.0
    return max(float(error), 0.0)


def _are_counts(light):
    """
    Tell whether neighbours differ as numbers of photons do.
    """
    light = np.minimum(light, max(3, np.quantile(light, _COUNTED)))
    return np.mean(np.diff(light)**2) < 2 * _PHOTONS * np.mean(light)


def _is_noise(values, top):
    """
    Tell whether neighbours differ as noise makes them.
    """
    values = np.minimum(values, top)
    return np.mean(np.diff(values)**2) > 2 * _NOISY * np.var(values)


def _find_fine_step(values):
    """
    Find steps that are much finer than the noise.
    """
    values = np.sort(values)
    middle = values[len(values) // 10:(9 * len(values)) // 10]
    steps = np.diff(middle)
    steps = steps[steps > 0]
    if len(steps) > _FINE * len(middle) or len(steps) < _LEAST:
        return 0.0
    step = float(np.median(steps))
    return step if np.ptp(steps) < 0.01 * step else 0.0


def _continuous(values):
    """
    Divide values that are not rounded into cells.
    """
    values = np.sort(values)
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf))
    lengths = np.diff(starts, append=len(values))
    most = np.argmax(lengths)
    alone, n = np.nan, 0
    if lengths[most] > _REPEATED * len(values):
        alone, n = values[starts[most]], lengths[most]
        values = np.delete(values, slice(starts[most], starts[most] + n))
    first = np.searchsorted(values, alone) if n else 0
    if first > 3 * _BELOW * len(values):
        first = 0
    left = len(values) - first
    if left < _FEW:
        return None
    first += int(_BELOW * left)
    least, top = values[first], values[first + int((1 - _SOURCES) * left)]
    if not top > least:
        return None
    unit = (top - least) / _CELLS
    edges = np.arange(_CELLS + 1.0)
    places = np.searchsorted(values, least + unit * edges)
    many = np.diff(places, prepend=0)
    return Histogram(
        edges, np.append(many, n).astype(float), unit=unit, top=top,
        alone=(alone - least) / unit if n else 0.0,
        share=n / (len(values) + n))


def _rounded(values, step):
    """
    Divide values that are rounded into cells.
    """
    middle = np.median(values)
    # (a sample tells nearly all that have no edge, and no level that is wide)
    every = max(len(values) // _SOME, 1)
    if every > 1 and not _Steps(values[::every], middle, step).is_odd():
        return None
    steps = _Steps(values, middle, step)
    if not steps.is_odd() or steps.are_few():
        return None
    return steps.cells()


class _Steps:
    """
    The pixels of each step.
    """

    def __init__(self, values, middle, step):
        level = np.round((values - middle) / step)
        level = np.clip(level, -_FARTHEST, _FARTHEST).astype(int)
        self.middle, self.step, self.total = middle, step, len(values)
        self.darkest = level.min()
        many = np.bincount(level - self.darkest, minlength=2 * _LEAST)
        self.upto = np.cumsum(many)
        first = int(np.searchsorted(self.upto, _BELOW * self.total, 'right'))
        self.below = self.upto[first] - many[first]
        last = int(np.searchsorted(self.upto, self.below + (1 - _SOURCES) * (
            self.total - self.below)))
        self.first, self.last = first, max(last, first + _LEAST)
        self.many = np.append(many, [0] * (self.last + 2 - len(many)))
        many = self.many[first:self.last + 2]
        self.beside = 0.5 * (many[:-2] + many[2:])
        self.wide = 1 + int(np.argmax(many[1:-1] - self.beside))
        self.at_wide = level == self.darkest + first + self.wide

    def is_wide(self):
        """
        Tell whether a level has far more pixels than those beside it.
        """
        at = self.many[self.first + self.wide]
        return at > max(_WIDE * self.beside[self.wide - 1],
                        _EDGE * self.total)

    def is_patchy(self):
        """
        Tell whether the pixels of the wide level lie beside each other.
        """
        part = self.at_wide.mean()
        together = np.mean(self.at_wide[1:] & self.at_wide[:-1])
        return together > part**2 + _PATCHY * part * (1 - part)

    def are_few(self):
        """
        Tell whether one or two levels have nearly all pixels.
        """
        last, most = np.sort(self.many)[-2:]
        return most > _ALL * self.total or last + most > _BOTH * self.total

    def is_odd(self):
        """
        Tell whether there is an edge, or a level that is wider than others.
        """
        if self.is_wide():
            return True
        near = self.first + int(0.1 * (-self.darkest - self.first))
        return self.upto[near] - self.below > _EDGE * self.total

    def cells(self):
        """
        Make cells of one or some steps.
        """
        first, size, wide = self.first, self.last - self.first, self.wide
        edges = np.unique(np.concatenate((
            [-0.5, wide - 0.5, wide + 0.5, size + 0.5],
            np.arange(0.5, size + 0.5, max(size // _CELLS, 1)))))
        places = np.append(0, self.upto)[np.minimum(
            (first + edges + 0.5).astype(int), len(self.upto))]
        return Levels(
            edges, np.append(np.diff(places, prepend=0), 0).astype(float),
            unit=self.step, wide=wide, darkest=-first,
            is_wide=self.is_wide() and not self.is_patchy(),
            top=self.middle + (self.last + self.darkest + 0.25) * self.step)
