# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Models of the histogram of a sky of which some values were lost.
"""

import numpy as np
from scipy.special import ndtr, pdtr

__all__ = ['Histogram', 'Levels', 'Model', 'Photons']


# A value that is repeated for other reasons costs so much, in nats a pixel,
# and one that has nothing to do with what is missing.
_BLANK, _BESIDE = 0.002, 0.01

# As much, if the pixels that have it are scattered.
_SCATTERED = 0.006

# That signs were lost can hardly be told from missing values, which make more
# of an error, if there are no steps.
_SIGNS = 0.002

# A mean below all pixels that are left costs so much, times the square of how
# many widths it is.
_UNSEEN = 0.006

# A width that is not the noise costs so much, times the square of the
# logarithm of their ratio.
_KNOWN = 0.03

# Every cell has so many more pixels than a model says, as a part of all.
_FLOOR = 0.01

# Cells with less than this part of the pixels of others are empty.
_EMPTY = 0.1

# More photons than these are many.
_MANY = 2000

# Means and widths of Gaussians, in units of the range of the cells, are tried;
# then those between the best and the next but one of them, so many times.
_MEANS = np.linspace(-2.5, 1.25, 31)
_WIDTHS = np.geomspace(0.03, 2.0, 14)
_CLOSER, _TIMES = np.linspace(-1, 1, 9), 6


class Model:
    """
    Assignment of the values before a loss to the cells after it.

    Parameters
    ----------
    low, high : 1D `~numpy.ndarray`, shape (n,)
        The limits of the values in each cell.

    error : callable, optional
        The error of a mean, from the mean and the width of a Gaussian.

    more : tuple of two 1D `~numpy.ndarray`, optional
        The limits of a second range of values in each cell.

    free : sequence of int
        Cells that tell nothing.

    cost : float
        What is added to the badness of a fit.

    limit : float, optional
        Where the values begin that are left. Means far below it are
        improbable, as its pixels tell little of them.
    """

    def __init__(self, low, high, error=None, *, more=None, free=(),
                 cost=0.0, limit=None):
        self.low, self.high, self.error, self.more = low, high, error, more
        self.free, self.cost, self.limit = list(free), cost, limit

    def parts(self, mean, width):
        """
        Calculate the part of the pixels in each cell.
        """
        found = self._between(self.low, self.high, mean, width)
        if self.more is not None:
            found += self._between(*self.more, mean, width)
        return found

    def _between(self, low, high, mean, width):
        edges, at = np.unique(np.concatenate((low, high)),
                              return_inverse=True)
        below = ndtr((edges - mean[..., None]) / width[..., None])[..., at]
        return below[..., len(low):] - below[..., :len(low)]


class Photons(Model):
    """
    Numbers of photons in each cell.
    """

    def _between(self, low, high, mean, width):
        light = np.maximum(mean, 1e-3)[..., None] + 0 * width[..., None]

        def below(edge):
            return np.where(edge > 0, pdtr(np.clip(
                np.ceil(edge) - 1, 0, _MANY), light), 0.0)

        return below(high) - below(low)


class Histogram:
    """
    The pixels in cells, and models of what was done to them.

    The first cell is what is below the edges, the last one what has a value
    of its own.

    Parameters
    ----------
    edges : 1D `~numpy.ndarray`, shape (n + 1,)
        The edges of the cells, increasing.

    many : 1D `~numpy.ndarray`, shape (n + 2,)
        The pixels in each cell.

    unit : float
        The unit of the edges.

    top : float
        The value of the last edge.

    alone : float
        The value of the last cell.

    share : float
        The part of all pixels that it has.

    Attributes
    ----------
    noise : float or None
        The noise of pixels that lost nothing, in the unit, if it is known.
    """

    noise = None

    def __init__(self, edges, many, *, unit, top, alone, share):
        self.edges, self.many = edges, many / many.sum()
        self.unit, self.top = unit, top
        self.alone, self.share = alone, share
        self.low = np.array([-np.inf, *edges[:-1], alone])
        self.high = np.array([*edges, alone])

    def whole(self, photons):
        """
        List models of a sky of which nothing is lost.
        """
        return [Model(self.low, self.high, free=[-1])]

    def blank(self):
        """
        List models of a whole sky of which some pixels were replaced.
        """
        return []

    def losses(self):
        """
        List models of what may be lost.
        """
        limit, alone = self.edges[0], self.alone
        cost = _BESIDE if self.share > 0 else 0.0
        missing = Model(self.low, self.high, self._missing, free=[0, -1],
                        cost=cost, limit=limit)
        moved = Model(np.append(self.low[:-1], -np.inf),
                      np.append(self.high[:-1], limit),
                      lambda mean, width: _moved(mean, width, limit, alone),
                      free=[0])
        return [missing, moved, self._signs(cost + _SIGNS)]

    def _missing(self, mean, width):
        limit = (self.edges[0] - mean) / width
        above = mean + width * _density(limit) / ndtr(-limit)
        return self.share * self.alone + (1 - self.share) * above - mean

    def _signs(self, cost=0.0):
        """
        Make a model of values that have lost their sign.
        """
        more = (np.where(self.low >= self.edges[0], -self.high, 0),
                np.where(self.low >= self.edges[0], -self.low, 0))

        def error(mean, width):
            # (a mean below zero is that above, as far as can be seen)
            far = abs(mean) / width
            return 2 * width * (_density(far) - far * ndtr(-far))

        return Model(self.low, self.high, error, more=more, free=[0, -1],
                     cost=cost, limit=0.0)

    def fit(self, model):
        """
        Fit a Gaussian that something was done to.

        Parameters
        ----------
        model : `Model`
            What was done.

        Returns
        -------
        badness : float
            Nats a pixel that the model lacks.

        error : float
            The error of the mean; 0 where nothing is lost.
        """
        use = np.ones(len(self.many), bool)
        use[model.free] = False
        part = self.many[use]
        total = max(part.sum(), 1e-9)
        known = np.sum(part * np.log(np.maximum(part, 1e-300) / total))
        size = self.edges[-1] - self.edges[0]
        means, widths = size * _MEANS, size * _WIDTHS
        for _ in range(_TIMES):
            found = model.parts(means[:, None], widths)[..., use]
            found /= np.maximum(found.sum(-1, keepdims=True), 1e-300)
            badness = known - np.log(
                (1 - _FLOOR) * found + _FLOOR / len(part)) @ part
            if model.limit is not None:
                badness += _UNSEEN * np.maximum(
                    (model.limit - means[:, None]) / widths, 0)**2
            if self.noise is not None:
                badness += _KNOWN * np.log(widths / self.noise)**2
            at = np.unravel_index(np.argmin(badness), badness.shape)
            best = badness[at], means[at[0]], widths[at[1]]
            # (a valley may be oblique)
            means = best[1] + 2 * (means[1] - means[0]) * _CLOSER
            widths = best[2] * (widths[1] / widths[0])**(2 * _CLOSER)
        error = 0.0 if model.error is None else model.error(*best[1:])
        return float(best[0]) + model.cost, float(self.unit * error)


class Levels(Histogram):
    """
    The pixels on each step of rounding.

    The steps are counted from the lowest one that is common; the last cell is
    empty.

    Parameters
    ----------
    wide : int
        The step that may be wider than the others.

    darkest : int
        The lowest step that occurs at all.

    is_wide : bool
        Whether the wide one has more pixels than noise gives it.
    """

    def __init__(self, edges, many, *, wide, darkest, is_wide, **options):
        super().__init__(edges, many, alone=0.0, share=0.0, **options)
        self.wide, self.darkest, self.is_wide = wide, darkest, is_wide
        self.low[-1] = self.high[-1] = 0.0
        self.at = 1 + int(np.searchsorted(edges, wide - 0.5))

    def whole(self, photons):
        """
        List models of a sky of which nothing is lost.
        """
        found = super().whole(photons)
        if photons:
            found.append(Photons(self.low - self.darkest,
                                 self.high - self.darkest, free=[-1]))
        return found

    def blank(self):
        """
        List models of a whole sky of which some pixels were replaced.
        """
        # (such pixels lie beside each other)
        return [Model(self.low, self.high, free=[self.at, -1],
                      cost=_SCATTERED if self.is_wide else _BLANK)]

    def losses(self):
        """
        List models of what may be lost.
        """
        limit, wide, at = self.edges[0], self.wide, self.at
        # (a limit that most pixels have is no chance)
        cost = _BLANK * (self.many[1] > self.many[2])
        missing = Model(self.low, self.high, self._missing, free=[0, -1],
                        cost=cost, limit=limit)
        below, upto = np.zeros((2, len(self.low)))
        below[at], upto[at] = -np.inf, limit
        moved = Model(
            self.low, self.high,
            lambda mean, width: _moved(mean, width, limit, wide),
            more=(below, upto), free=[0, -1])
        # (there may be nothing between the limit and what they have now)
        low, high = self.low.copy(), self.high.copy()
        others = self.many[2:-1]
        end = 1 + int(np.argmax(others > _EMPTY * others.max()))
        low[1], high[1] = -np.inf, high[end]
        cut = Model(low, high, lambda mean, width: _moved(
            mean, width, high[1], 0.0), free=[0, *range(2, end + 1), -1])
        # (nothing is added to the pixels at zero, which tells)
        signs = self._signs(cost)
        signs.more[0][1] = signs.more[1][1] = 0.0
        truncated = Model(self.low + 0.5 * np.sign(self.low - wide),
                          self.high + 0.5 * np.sign(self.high - wide),
                          lambda mean, width: _truncated(mean, width, wide),
                          free=[-1])
        return [missing, cut, signs] + (
            [moved, truncated] if self.is_wide else [])


def _density(x):
    """
    Calculate the density of a Gaussian.
    """
    return np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)


def _moved(mean, width, limit, to):
    """
    Calculate the error of a mean if values below a limit have another one.
    """
    limit = (limit - mean) / width
    return (to - mean) * ndtr(limit) + width * _density(limit)


def _truncated(mean, width, zero):
    """
    Calculate the error of a mean if values are truncated towards zero.

    Bright pixels lose half a step.
    """
    far = mean - zero
    steps = np.arange(1, int(6 * width + abs(far)) + 2)
    return np.sum(ndtr((far - steps) / width) - ndtr(
        (-far - steps) / width)) - far + 0.5
