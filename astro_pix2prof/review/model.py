# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The model of Dawid & Skene (1979): classes of galaxies, and raters who err.

The probability that a rater gives a label is a row of a confusion matrix,
the row of the galaxy's true class. Matrices and classes are estimated in
turn (expectation and maximisation). Three things may be added: raters with
few votes share the matrix of all, galaxies are more or less difficult, and a
machine gives each galaxy a prior, calibrated on the votes of people.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

__all__ = ['VoteModel', 'count_matrix', 'normalise']


# The least probability: that of crowd-kit.
TINY = 1e-10
# Pseudo-votes of each class on the matrix of all raters, and the share of
# them that is right.
_POOL, _RIGHT = 20.0, 0.7
# Probabilities of a machine are kept from 0 by this.
_FLOOR = 1e-4
# The weight of a machine's calibration at 0: it is not believed until the
# votes show that it can be.
_RIDGE = 1.0
_NEWTON_STEP = 2.0
# Votes on the most difficult galaxies are guesses to this share.
_HARDEST = 0.9


@dataclass
class VoteModel:
    """
    Confusion matrices, prevalence, difficulty and a machine's calibration.

    Attributes
    ----------
    n_classes : int
        The number of classes K.

    n_levels : int
        The number of levels of difficulty H; with 1, all galaxies are alike.

    smoothing : float
        Votes that each row of a rater's matrix has in advance, by the
        matrix of all raters; 0 for the model as published.

    confusion : 3D `~numpy.ndarray`, shape (R, K, K)
        The probability of each label (last axis) by rater and true class.

    pool : 2D `~numpy.ndarray`, shape (K, K)
        The matrix of a rater of whom nothing is known.

    counts : 3D `~numpy.ndarray`, shape (R, K, K)
        The votes, expected, of which the matrices are made.

    prevalence : 1D `~numpy.ndarray`, shape (K,)
        The share of each class.

    shares : 1D `~numpy.ndarray`, shape (H,)
        The share of galaxies of each level.

    guess : 1D `~numpy.ndarray`, shape (K,)
        The labels of votes that are guesses.

    slope, offset : float and 1D `~numpy.ndarray`, shape (K,)
        The machine's calibration.
    """

    n_classes: int
    n_levels: int = 1
    smoothing: float = 0.0
    confusion: np.ndarray = None
    pool: np.ndarray = None
    counts: np.ndarray = None
    prevalence: np.ndarray = None
    shares: np.ndarray = None
    guess: np.ndarray = None
    slope: float = 0.0
    offset: np.ndarray = None
    centre: np.ndarray = field(default=None, repr=False)

    def __post_init__(self):
        k = self.n_classes
        if self.pool is None:
            self.pool = np.full((k, k), (1 - _RIGHT) / (k - 1))
            np.fill_diagonal(self.pool, _RIGHT)
            self.counts = np.zeros((0, k, k))
            self.confusion = np.zeros((0, k, k))
            self.prevalence = np.full(k, 1 / k)
            self.shares = np.full(self.n_levels, 1 / self.n_levels)
            if self.guess is None:
                self.guess = np.full(k, 1 / k)
            self.offset, self.centre = np.zeros(k), np.zeros(k)

    @property
    def levels(self):
        """
        The share of votes that are guesses at each level: shape (H,).
        """
        if self.n_levels == 1:
            return np.zeros(1)
        return np.linspace(0, _HARDEST, self.n_levels)

    def prevalence_of(self, classes):
        """
        List the share of each class (dict of float).

        Parameters
        ----------
        classes : list of str
            The names of the classes.

        Returns
        -------
        shares : dict of float
        """
        return dict(zip(classes, self.prevalence.tolist(), strict=True))

    def calibration_of(self, classes):
        """
        List the calibration of the machine.

        Parameters
        ----------
        classes : list of str
            The names of the classes.

        Returns
        -------
        calibration : dict
            The 'slope' (float) and the 'offset' of each class (dict).
        """
        return {'slope': self.slope, 'offset': dict(zip(
            classes, self.offset.tolist(), strict=True))}

    def add_raters(self, n):
        """
        Add raters of whom nothing is known.

        Parameters
        ----------
        n : int
            How many there are afterwards.
        """
        more = n - len(self.confusion)
        if more > 0:
            k = self.n_classes
            self.counts = np.concatenate(
                [self.counts, np.zeros((more, k, k))])
            self.confusion = np.concatenate(
                [self.confusion, np.repeat(self.pool[None], more, axis=0)])

    def log_votes(self):
        """
        Calculate the logarithm of the probability of each label.

        Returns
        -------
        values : 2D `~numpy.ndarray`, shape (R * K, K * H)
            By rater and label, and by class and level.
        """
        k, levels = self.n_classes, self.levels
        # [rater, label, class, level]
        said = self.confusion.transpose(0, 2, 1)[..., None]
        return np.log(np.maximum(
            (1 - levels) * said + levels * self.guess[:, None, None], TINY)
        ).reshape(-1, k * len(levels))

    def log_prior(self, n, machine=None, gold=None):
        """
        Calculate the logarithm of the prior of each galaxy.

        Parameters
        ----------
        n : int
            The number of galaxies.

        machine : 2D `~numpy.ndarray`, shape (n, K), optional
            Its probabilities; not-a-number where there are none.

        gold : 1D `~numpy.ndarray` of int, shape (n,), optional
            The classes that are known; -1 where they are not.

        Returns
        -------
        prior : 2D `~numpy.ndarray`, shape (n, K * H)
        """
        start = np.log(np.maximum(self.prevalence, TINY))
        prior = np.tile(start, (n, 1))
        if machine is not None:
            known = np.isfinite(machine[:, 0])
            z = (start + self.offset
                 + self.slope * self._evidence(machine[known]))
            prior[known] = z - _log_sum(z)
        if gold is not None:
            known = gold >= 0
            prior[known] = -1e3
            prior[known, gold[known]] = 0.0
        return (prior[:, :, None] + np.log(np.maximum(self.shares, TINY))
                ).reshape(n, self.n_classes * self.n_levels)

    def _evidence(self, machine):
        return np.log(np.maximum(machine, _FLOOR)) - self.centre

    def sum_levels(self, probability):
        """
        Sum the probabilities of the levels of each class.

        Parameters
        ----------
        probability : 2D `~numpy.ndarray`, shape (n, K * H)
            As `expect` returns it.

        Returns
        -------
        by_class : 2D `~numpy.ndarray`, shape (n, K)
        """
        return probability.reshape(
            len(probability), self.n_classes, self.n_levels).sum(axis=2)

    def expect(self, counts, machine=None, gold=None):
        """
        Calculate the probability of each class and level of each galaxy.

        Parameters
        ----------
        counts : `scipy.sparse.csr_array`, shape (n, R * K)
            As `count_matrix` returns them.

        machine, gold : optional
            As for `log_prior`.

        Returns
        -------
        probability : 2D `~numpy.ndarray`, shape (n, K * H)
        """
        return normalise(counts @ self.log_votes() + self.log_prior(
            counts.shape[0], machine, gold))

    def maximise(self, counts, probability, machine=None, gold=None, *,
                 learn=None, raters_of=None):
        """
        Estimate matrices, prevalence, shares and the machine's calibration.

        Parameters
        ----------
        counts : `scipy.sparse.csr_array`, shape (n, R * K)
            The votes.

        probability : 2D `~numpy.ndarray`, shape (n, K * H)
            As `expect` returns it.

        machine, gold : optional
            As for `log_prior`.

        learn : 1D `~numpy.ndarray` of bool, shape (n,), optional
            The galaxies from which raters are learned; by default, all.

        raters_of : `scipy.sparse.csr_array`, optional
            The transpose of ``counts``, to save time.
        """
        k, levels = self.n_classes, self.levels
        if raters_of is None:
            raters_of = counts.T.tocsr()
        weight = probability if learn is None else (
            probability * learn[:, None])
        # [rater, label, class, level]
        found = (raters_of @ weight).reshape(-1, k, k, len(levels))
        if len(levels) > 1:
            said = self.confusion.transpose(0, 2, 1)[..., None]
            meant = (1 - levels) * said
            found = found * (meant / np.maximum(
                meant + levels * self.guess[:, None, None], TINY))
        self.counts = found.sum(axis=3).transpose(0, 2, 1)
        self._make_matrices()
        voted = np.diff(counts.indptr) > 0
        by_class = self.sum_levels(probability)
        free = voted if gold is None else voted & (gold < 0)
        use = free if free.any() else voted
        if use.any():
            share = by_class[use].sum(axis=0)
            self.prevalence = ((share + 1) / (share.sum() + k)
                               if self.smoothing > 0
                               else share / share.sum())
            share = probability.reshape(-1, k, len(levels))[use].sum((0, 1))
            self.shares = (share + 1) / (share.sum() + len(share))
        if machine is not None:
            known = np.isfinite(machine[:, 0])
            known &= voted if gold is None else voted | (gold >= 0)
            self._calibrate(machine[known], by_class[known])

    def _make_matrices(self):
        if self.smoothing > 0:
            k = self.n_classes
            start = np.full((k, k), _POOL * (1 - _RIGHT) / (k - 1))
            np.fill_diagonal(start, _POOL * _RIGHT)
            pool = self.counts.sum(axis=0) + start
            self.pool = pool / pool.sum(axis=1, keepdims=True)
            counts = self.counts + self.smoothing * self.pool
        else:
            # (as crowd-kit: labels that a rater never gave have no share)
            said = self.counts.sum(axis=1, keepdims=True) > 0
            said |= ~said.any(axis=2, keepdims=True)
            counts = np.where(said, np.maximum(self.counts, TINY), 0.0)
        self.confusion = counts / counts.sum(axis=2, keepdims=True)

    def _calibrate(self, machine, target):
        """
        Fit the machine's logits to the classes (two steps of Newton).
        """
        if not len(machine):
            return
        k = self.n_classes
        self.centre = np.log(np.maximum(machine.mean(axis=0), _FLOOR))
        x = self._evidence(machine)
        start = np.log(np.maximum(self.prevalence, TINY))
        for _ in range(2):
            q = normalise(start + self.offset + self.slope * x)
            mean = (q * x).sum(axis=1, keepdims=True)
            away = target - q
            slope = np.append(away.sum(axis=0), (away * x).sum())
            slope -= _RIDGE * np.append(self.offset, self.slope)
            curve = np.zeros((k + 1, k + 1))
            curve[:k, :k] = np.diag(q.sum(axis=0)) - q.T @ q
            curve[:k, k] = curve[k, :k] = (q * (x - mean)).sum(axis=0)
            curve[k, k] = (q * (x - mean)**2).sum()
            step = np.linalg.solve(curve + _RIDGE * np.eye(k + 1), slope)
            step *= min(1.0, _NEWTON_STEP / np.abs(step).max(initial=TINY))
            self.offset = self.offset + step[:k]
            self.slope = float(self.slope + step[k])

    def fit(self, counts, probability=None, machine=None, gold=None, *,
            learn=None, n_iterations=100, tolerance=1e-6):
        """
        Estimate all by expectation and maximisation in turn.

        Parameters
        ----------
        counts : `scipy.sparse.csr_array`, shape (n, R * K)
            The votes.

        probability : 2D `~numpy.ndarray`, shape (n, K), optional
            The classes to begin with; by default, the model does.

        machine, gold, learn : optional
            As for `maximise`.

        n_iterations : int, optional
            The most iterations.

        tolerance : float, optional
            Largest change of a probability at the end.

        Returns
        -------
        probability : 2D `~numpy.ndarray`, shape (n, K * H)
            The classes and levels.

        n_iterations : int
            Iterations that were made.

        converged : bool
            Whether the changes are smaller than the tolerance.
        """
        raters_of = counts.T.tocsr()
        options = {'learn': learn, 'raters_of': raters_of}
        if probability is None:
            current = self.expect(counts, machine, gold)
        else:
            current = (probability[:, :, None] * self.shares).reshape(
                len(probability), -1)
        self.maximise(counts, current, machine, gold, **options)
        for k in range(n_iterations):
            new = self.expect(counts, machine, gold)
            change = np.abs(new - current).max(initial=0.0)
            current = new
            self.maximise(counts, current, machine, gold, **options)
            if change < tolerance:
                return current, k + 1, True
        return current, n_iterations, n_iterations == 0

    def difficulty(self, counts, probability):
        """
        Estimate the share of guesses among the votes on each galaxy.

        Parameters
        ----------
        counts : `scipy.sparse.csr_array`, shape (n, R * K)
            The votes.

        probability : 2D `~numpy.ndarray`, shape (n, K)
            The classes.

        Returns
        -------
        difficulty : 1D `~numpy.ndarray`, shape (n,)
            From 0 (as the raters' matrices say) to 0.9.
        """
        model = VoteModel(self.n_classes, 4)
        model.confusion, model.guess = self.confusion, self.guess
        votes = (counts @ model.log_votes()).reshape(
            -1, self.n_classes, model.n_levels)
        log_class = np.log(np.maximum(probability, TINY))[..., None]
        voted = np.diff(counts.indptr) > 0
        for _ in range(10):
            by_level = normalise(_log_sum_over_classes(
                votes, log_class) + np.log(model.shares))
            share = by_level[voted].sum(axis=0) + 1
            model.shares = share / share.sum()
        return by_level @ model.levels


def _log_sum_over_classes(votes, log_class):
    # the votes at each level, by how likely the classes are
    total = votes + log_class
    most = total.max(axis=1, keepdims=True)
    return (most + np.log(np.exp(total - most).sum(axis=1, keepdims=True))
            )[:, 0]


def count_matrix(galaxy, rater, label, n_galaxies, n_raters, n_classes):
    """
    Count the votes by galaxy, rater and label.

    Parameters
    ----------
    galaxy, rater, label : 1D `~numpy.ndarray` of int, shape (v,)
        The votes.

    n_galaxies, n_raters, n_classes : int
        The numbers of each.

    Returns
    -------
    counts : `scipy.sparse.csr_array`, shape (n_galaxies, R * K)
    """
    return csr_array(
        (np.ones(len(galaxy)), (galaxy, rater * n_classes + label)),
        shape=(n_galaxies, n_raters * n_classes))


def _log_sum(values):
    most = values.max(axis=1, keepdims=True)
    return most + np.log(np.exp(values - most).sum(axis=1, keepdims=True))


def normalise(values):
    """
    Convert logarithms to probabilities that sum to 1 in each row.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (n, m)
        Logarithms, up to a constant for each row.

    Returns
    -------
    probability : 2D `~numpy.ndarray`, shape (n, m)
    """
    if not len(values):
        return np.zeros(values.shape)
    values = np.exp(values - values.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)
