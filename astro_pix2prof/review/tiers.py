# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Three tiers of review: accept, look and reject, with calibrated rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta, binom

from astro_pix2prof.arguments import check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ['ReviewTiers', 'calibrate_tiers']


@dataclass(frozen=True)
class ReviewTiers:
    """
    Limits of the tiers accept, look and reject.

    Attributes
    ----------
    accept_below : float
        Scores below it are accepted.

    reject_from : float
        Scores from it on, that are not accepted, are rejected; infinite if
        nothing is rejected.

    false_negative : float
        The largest share of bad galaxies that are accepted.

    false_positive : float or `None`
        The largest share of good galaxies that are rejected.

    confidence : float or `None`
        The probability that each of these holds; `None` if they hold on
        average.

    n_bad, n_good : int
        The galaxies that were calibrated on.
    """

    accept_below: float
    reject_from: float
    false_negative: float
    false_positive: float | None
    confidence: float | None
    n_bad: int
    n_good: int

    def assign(self, scores: ArrayLike) -> np.ndarray:
        """
        Assign galaxies to tiers.

        Parameters
        ----------
        scores : 1D array_like, shape (n,)
            As for `calibrate_tiers`; not-a-number is looked at.

        Returns
        -------
        tiers : 1D `~numpy.ndarray` of str, shape (n,)
            'accept', 'look' or 'reject'.
        """
        scores = np.ma.filled(np.ma.asarray(scores).astype(float), np.nan)
        return np.where(scores < self.accept_below, 'accept', np.where(
            scores >= self.reject_from, 'reject', 'look'))


def calibrate_tiers(scores: ArrayLike, is_bad: ArrayLike, *,
                    false_negative: float = 0.01,
                    false_positive: float | None = 0.01,
                    confidence: float | None = 0.95) -> ReviewTiers:
    """
    Find which galaxies may be accepted and rejected without a look.

    At most ``false_negative`` of the bad galaxies are accepted, and at most
    ``false_positive`` of the good ones rejected. The limit is the k-th
    smallest score of the bad galaxies, for the largest k that keeps the
    bound of Clopper & Pearson (1934, Biometrika 26, 404) for k - 1 misses
    below the rate: it holds whatever the distribution of scores is (Wilks
    1941, Annals of Mathematical Statistics 12, 91). Without a confidence,
    the rate holds on average over calibrations: conformal risk control
    (Angelopoulos et al. 2024, ICLR).

    Both presume that the galaxies calibrated on are a random sample of those
    to be judged: not the most doubtful ones alone.

    Parameters
    ----------
    scores : 1D array_like, shape (n,)
        How doubtful each galaxy is, such as ``p_wrong`` of `review_queue`.

    is_bad : 1D array_like of bool, shape (n,)
        Whether a look found it bad. Masked ones are left out, as are scores
        that are masked or not-a-number: such galaxies are looked at.

    false_negative : float, optional
        The share of bad galaxies that may be accepted.

    false_positive : float or `None`, optional
        The share of good galaxies that may be rejected; `None` rejects
        nothing.

    confidence : float or `None`, optional
        The probability that the rates hold; `None` for on average.

    Returns
    -------
    tiers : `ReviewTiers`
        The limits.

    Raises
    ------
    ValueError
        If there are too few bad or good galaxies for the rate: the message
        says how many it takes, and which rate these would allow.

    TypeError
        If an argument is of the wrong kind.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof import calibrate_tiers
    >>> rng = np.random.default_rng(1)
    >>> is_bad = np.arange(2000) < 400
    >>> scores = rng.normal(size=2000) + 4 * is_bad
    >>> tiers = calibrate_tiers(scores, is_bad)
    >>> names, counts = np.unique(tiers.assign(scores), return_counts=True)
    >>> [str(name) for name in names], counts.tolist()
    (['accept', 'look', 'reject'], [1429, 188, 383])
    """
    false_negative = check_number(false_negative, 'false_negative', above=0,
                                  most=1)
    false_positive = check_number(false_positive, 'false_positive', above=0,
                                  most=1, optional=True)
    confidence = check_number(confidence, 'confidence', above=0, most=1,
                              optional=True)
    if confidence == 1:
        msg = 'confidence must be below 1, got 1: no sample is enough for it'
        raise ValueError(msg)
    scores, is_bad = _read(scores, is_bad)
    bad, good = np.sort(scores[is_bad]), np.sort(scores[~is_bad])
    accept_below = _limit(bad, false_negative, confidence, 'bad',
                          'false_negative')
    reject_from = np.inf
    if false_positive is not None:
        reject_from = np.nextafter(-_limit(
            -good[::-1], false_positive, confidence, 'good',
            'false_positive'), np.inf)
    return ReviewTiers(float(accept_below), float(reject_from),
                       false_negative, false_positive, confidence, len(bad),
                       len(good))


def _read(scores, is_bad):
    scores, is_bad = np.ma.asarray(scores), np.ma.asarray(is_bad)
    if scores.ndim != 1 or scores.shape != is_bad.shape:
        msg = ('scores and is_bad must be one number and one truth for each '
               f'galaxy, got the shapes {scores.shape} and {is_bad.shape}')
        raise ValueError(msg)
    if is_bad.dtype.kind != 'b':
        msg = f'is_bad must hold True and False, got {is_bad.dtype}'
        raise TypeError(msg)
    use = ~np.ma.getmaskarray(is_bad)
    scores = np.ma.filled(scores.astype(float), np.nan)[use]
    is_bad = is_bad.data[use]
    # (a galaxy without a score is looked at, and no miss)
    known = ~np.isnan(scores)
    if len(scores) and not known.any():
        msg = (f'scores must be numbers, but all {len(scores)} are '
               'not-a-number')
        raise ValueError(msg)
    return scores[known], is_bad[known]


def _limit(scores, rate, confidence, kind, name):
    """
    Find the largest limit of sorted scores that keeps to the rate.
    """
    n = len(scores)
    if rate == 1:
        return np.inf
    if confidence is None:
        k = int(np.floor(rate * (n + 1) + 1e-9))
        needed = int(np.ceil(1 / rate - 1 - 1e-9))
        best = 1 / (n + 1)
    else:
        # (the largest k with P(Binomial(n, rate) <= k - 1) <= 1 - confidence)
        k = int(np.searchsorted(binom.cdf(np.arange(n), n, rate),
                                1 - confidence, side='right'))
        needed = int(np.ceil(np.log1p(-confidence) / np.log1p(-rate) - 1e-9))
        best = beta.ppf(confidence, 1, n) if n else 1.0
    if k == 0:
        certain = ('on average' if confidence is None
                   else f'with a confidence of {confidence:g}')
        msg = (f'{name}={rate:g} {certain} takes {needed} {kind} galaxies '
               f'or more, got {n}; with these, {name}='
               f'{np.ceil(best * 1000) / 1000:g} is possible')
        raise ValueError(msg)
    return scores[k - 1]
