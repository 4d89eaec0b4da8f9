# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Learn the interest of a person from ratings: a Gaussian process.

As in Walmsley et al. (2022, MNRAS 513, 1581), after Astronomaly (Lochner &
Bassett 2021): the embedding is reduced by principal components, a Gaussian
process predicts the rating of every galaxy, and the galaxies to rate next
are those with the largest expected improvement.
"""

import warnings

import numpy as np
from scipy.special import ndtr

from astro_pix2prof.representations.neighbours import import_sklearn

__all__ = ['InterestModel', 'expected_improvement', 'reduce_vectors']

_WHAT = 'a search for anomalies'

# Galaxies that are predicted at once, and that compete for a batch.
_BLOCK, _CANDIDATES = 20_000, 2_000

# Ratings beyond which the lengths of the kernel are fitted to some of them.
_MAX_FITTED = 400


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


def expected_improvement(mean, error, best):
    """
    Calculate the expected improvement over the best value so far.

    Parameters
    ----------
    mean, error : 1D `~numpy.ndarray`
        The predictions and their standard deviations.

    best : float
        The best value.

    Returns
    -------
    improvement : 1D `~numpy.ndarray`
        The mean of what a normal variable exceeds ``best`` by.
    """
    error = np.maximum(error, 1e-12)
    z = (mean - best) / error
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.maximum((mean - best) * ndtr(z) + error * density, 0)


class InterestModel:
    """
    Predict ratings from components by a Gaussian process.

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
        self._centre, self._scale = ratings.mean(), ratings.std()
        self._targets = (ratings - self._centre) / self._scale
        self._kernel = self._fit_kernel()
        self._process = self._condition(points[rows], self._targets)

    def _fit_kernel(self):
        kernels = import_sklearn('gaussian_process.kernels', _WHAT)
        kernel = (kernels.ConstantKernel(1.0, (0.05, 20.0))
                  * kernels.RBF(1.0, (0.1, 10.0))
                  + kernels.ConstantKernel(0.3, (1e-3, 20.0))
                  * kernels.DotProduct(1.0, 'fixed')
                  + kernels.WhiteKernel(0.1, (1e-3, 1.0)))
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
            kernel, optimizer=optimizer, alpha=1e-8,
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
        return (self._centre + self._scale * mean, self._scale * error)

    def _predict(self, process, points):
        mean, error = process.predict(points, return_std=True)
        # without the noise of a rating
        noise = self._kernel.k2.noise_level
        return mean, np.sqrt(np.maximum(error**2 - noise, 1e-12))

    def next_rows(self, n, mean, error, isolation):
        """
        Choose galaxies to rate, one by one.

        In turn: the one with the largest expected improvement, and one of
        another kind than those rated so far, the product of its isolation
        and the error of its prediction. Without the latter, ratings are
        spent on the first kind that was found. After each, the errors are
        as if it had been rated as expected, so that the galaxies of a batch
        differ.

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
        best = mean[self._rows].max()
        above = np.maximum(isolation - np.median(isolation), 0)
        free = np.ones(len(mean), dtype=bool)
        free[self._rows] = False
        rows = np.flatnonzero(free)
        if len(rows) > 2 * max(_CANDIDATES, n):
            size = max(_CANDIDATES, n)
            scores = (expected_improvement(mean, error, best),
                      above * error)
            rows = np.unique(np.concatenate([
                rows[np.argsort(-score[rows], kind='stable')[:size]]
                for score in scores]))
        above = above[rows]
        mean = (mean[rows] - self._centre) / self._scale
        error = error[rows] / self._scale
        best = (best - self._centre) / self._scale
        chosen = []
        while len(chosen) < n:
            if chosen:
                together = np.concatenate([self._rows, rows[chosen]])
                process = self._condition(
                    self._points[together],
                    np.concatenate([self._targets, mean[chosen]]))
                _, error = self._predict(process, self._points[rows])
            # (by the number rated, so that single ones take turns as well)
            turn = (len(self._rows) + len(chosen)) % 2
            score = (above * error if turn
                     else expected_improvement(mean, error, best))
            score[chosen] = -1
            chosen.append(int(np.argmax(score)))
        return rows[chosen].tolist()
