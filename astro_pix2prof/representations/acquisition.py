# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Learn the interest of a person from ratings: a Gaussian process.

As in Walmsley et al. (2022, MNRAS 513, 1581), after Astronomaly (Lochner &
Bassett 2021), the embedding is reduced by principal components, and a
Gaussian process predicts the rating of every galaxy. The galaxies to rate
next are not those with the largest expected improvement, as there, but those
of which it is least certain whether they are interesting (Lewis & Gale 1994,
SIGIR 3), and every tenth time one of another kind than those rated so far:
ratings of galaxies that are surely interesting teach nothing, and dwell on
the kind that was found first.
"""

import warnings

import numpy as np
from scipy.special import ndtr

from astro_pix2prof.representations.neighbours import import_sklearn

__all__ = ['InterestModel', 'doubt', 'reduce_vectors']

_WHAT = 'a search for anomalies'

# Galaxies that are predicted at once, and that compete for a batch.
_BLOCK, _CANDIDATES = 20_000, 2_000

# Ratings beyond which the lengths of the kernel are fitted to some of them.
_MAX_FITTED = 400

# Variance of a rating about what a galaxy deserves, and the rating above
# which one is interesting, on a scale from the lowest (0) to the highest (1).
_NOISE, _HALF = 0.02, 0.5

# One galaxy in so many to rate is of a kind that nobody has looked at.
_EXPLORE = 10


def reduce_vectors(values, n_components, seed):
    """
    Project vectors on their principal components.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (n, d)
        The vectors.

    n_components : int
        How many components, at most.

    seed : int
        The seed.

    Returns
    -------
    reduced : 2D `~numpy.ndarray`, shape (n, m)
        The components, with a mean squared distance of 2 between galaxies.
    """
    module = import_sklearn('decomposition', _WHAT)
    n_components = min(n_components, *values.shape)
    if np.ptp(values, axis=0).max() == 0:
        return np.zeros((len(values), 1))
    reduced = module.PCA(n_components, random_state=seed).fit_transform(
        np.asarray(values, dtype=float))
    scale = reduced.std(axis=0)
    # rare kinds often differ in components that vary little: half way
    # between leaving their scales as they are and making all the same
    reduced = reduced / np.sqrt(np.maximum(scale, 1e-3 * scale[0]))
    return reduced / np.sqrt((reduced**2).sum(axis=1).mean())


def doubt(mean, error):
    """
    Calculate how uncertain it is whether galaxies are interesting.

    Parameters
    ----------
    mean, error : 1D `~numpy.ndarray`
        The predicted ratings and their standard deviations, on a scale from
        0 to 1.

    Returns
    -------
    doubt : 1D `~numpy.ndarray`
        The probability of the less likely of two outcomes: a rating above
        the middle of the scale, and one below.
    """
    above = ndtr((mean - _HALF) / np.sqrt(error**2 + _NOISE))
    return np.minimum(above, 1 - above)


class InterestModel:
    """
    Predict ratings from components by a Gaussian process.

    Most galaxies are usual ones: without a trend along the components, the
    lowest rating is expected far from all rated galaxies.

    Parameters
    ----------
    points : 2D `~numpy.ndarray`, shape (n, m)
        The components of all galaxies.

    rows : 1D `~numpy.ndarray` of int, shape (k,)
        The rated galaxies.

    ratings : 1D `~numpy.ndarray`, shape (k,)
        Their ratings, which are not all the same.

    seed : int
        The seed of the fit.
    """

    def __init__(self, points, rows, ratings, seed):
        self._points, self._rows, self._seed = points, rows, seed
        # the kernel has a scale of its own
        self._lowest, self._scale = ratings.min(), np.ptp(ratings)
        self._targets = (ratings - self._lowest) / self._scale
        self._kernel = self._fit_kernel()
        self._process = self._condition(points[rows], self._targets)

    def _fit_kernel(self):
        kernels = import_sklearn('gaussian_process.kernels', _WHAT)
        kernel = (kernels.ConstantKernel(0.2, (0.02, 2.0))
                  * kernels.RBF(0.7, (0.2, 2.0))
                  + kernels.ConstantKernel(0.05, (1e-4, 2.0))
                  * kernels.DotProduct(1.0, 'fixed'))
        chosen = np.arange(len(self._rows))
        if len(chosen) > _MAX_FITTED:
            chosen = np.random.default_rng(self._seed).choice(
                chosen, _MAX_FITTED, replace=False)
        process = self._fit(self._points[self._rows[chosen]],
                            self._targets[chosen], kernel, 'fmin_l_bfgs_b')
        return process.kernel_

    def _fit(self, points, targets, kernel, optimizer):
        module = import_sklearn('gaussian_process', _WHAT)
        process = module.GaussianProcessRegressor(
            kernel, optimizer=optimizer, alpha=_NOISE,
            random_state=self._seed)
        with warnings.catch_warnings():
            # (a length at the end of its range is what few ratings give)
            warnings.simplefilter('ignore')
            return process.fit(points, targets)

    def _condition(self, points, targets):
        return self._fit(points, targets, self._kernel, None)

    def predict(self):
        """
        Predict the ratings of all galaxies.

        Returns
        -------
        mean, error : 1D `~numpy.ndarray`, shape (n,)
            The ratings, and the standard deviations of their expectation.
        """
        parts = [self._predict(self._process, self._points[k:k + _BLOCK])
                 for k in range(0, len(self._points), _BLOCK)]
        mean, error = map(np.concatenate, zip(*parts, strict=True))
        return (self._lowest + self._scale * mean, self._scale * error)

    def _predict(self, process, points):
        mean, error = process.predict(points, return_std=True)
        return mean, np.maximum(error, 1e-6)

    def next_rows(self, n, mean, error, isolation):
        """
        Choose galaxies to rate, one by one: those with the largest doubt.

        Galaxies that are surely interesting, or surely not, are left alone.
        Every tenth is of another kind than those rated so far, that with the
        largest product of its isolation and the error of its prediction:
        without it, a kind that is unlike all others may never be seen. After
        each, the errors are as if it had been rated as expected, so that the
        galaxies of a batch differ.

        Parameters
        ----------
        n : int
            How many.

        mean, error : 1D `~numpy.ndarray`, shape (n,)
            As `predict` returns them.

        isolation : 1D `~numpy.ndarray`, shape (n,)
            How isolated each galaxy is.

        Returns
        -------
        rows : list of int
            The galaxies, none of which is rated.
        """
        mean = (mean - self._lowest) / self._scale
        error = error / self._scale
        above = np.maximum(isolation - np.median(isolation), 0)
        free = np.ones(len(mean), dtype=bool)
        free[self._rows] = False
        rows = np.flatnonzero(free)
        size = max(_CANDIDATES, n)
        if len(rows) > 2 * size:
            rows = np.unique(np.concatenate([
                rows[np.argsort(-score[rows], kind='stable')[:size]]
                for score in (doubt(mean, error), above * error)]))
        mean, error, above = mean[rows], error[rows], above[rows]
        chosen = []
        while len(chosen) < n:
            if chosen:
                together = np.concatenate([self._rows, rows[chosen]])
                process = self._condition(
                    self._points[together],
                    np.concatenate([self._targets, mean[chosen]]))
                _, error = self._predict(process, self._points[rows])
            # (by the number rated, so that single ones take turns as well)
            last = (len(self._rows) + len(chosen) + 1) % _EXPLORE == 0
            score = above * error if last else doubt(mean, error)
            score[chosen] = -1
            chosen.append(int(np.argmax(score)))
        return rows[chosen].tolist()
