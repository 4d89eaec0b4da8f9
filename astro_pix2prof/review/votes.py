# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Combine the votes of people, and of a machine, to one label for each galaxy.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_options,
)
from astro_pix2prof.review.ballots import (
    code_labels,
    first_votes,
    read_classes,
    read_gold,
    read_machine,
    read_votes,
    warn_repeated,
)
from astro_pix2prof.review.counter import VoteCounter, read_thresholds
from astro_pix2prof.review.model import VoteModel, count_matrix
from astro_pix2prof.review.tables import galaxy_table, rater_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from astropy.table import Table

__all__ = ['CombinedVotes', 'combine_votes']


# Iterations when all votes are in.
_LAST = 20
# Galaxies with two votes that tell whether raters agree.
_FEWEST = 50
_METHODS = ('dawid-skene', 'swap', 'majority')
# Options of the methods that work on all votes at once.
_BATCH = ('retire_at', 'smoothing', 'n_levels', 'n_iterations', 'tolerance',
          'machine', 'gold')
_ONLINE = ('retire_at', 'min_votes', 'max_votes', 'smoothing', 'n_levels',
           'learn', 'machine', 'gold')


@dataclass(frozen=True)
class CombinedVotes:
    """
    The result of `combine_votes`.

    Attributes
    ----------
    labels : `~astropy.table.QTable`
        One row a galaxy: its label, the probability of it and of each class
        (``p_`` and the name), the entropy in bits, the difficulty (the
        share of votes that are guesses), the votes that count, whether it
        is retired, and after how many votes.

    raters : `~astropy.table.QTable`
        One row a rater: votes, skill (1 is always right, 0 guesses),
        information of a vote in bits if classes were equally frequent, and
        confusion matrix (true class, label). The machine is the last.

    prevalence : dict of float
        The share of each class.

    method : str
        The method.

    machine : dict or `None`
        The calibration of the machine: 'slope', by which its log
        probabilities are multiplied (0 if it is of no use), and 'offset' of
        each class.

    n_iterations : int
        The iterations that were made.

    converged : bool
        Whether the last changed no probability by more than the tolerance.
    """

    labels: QTable
    raters: QTable
    prevalence: dict
    method: str
    machine: dict | None
    n_iterations: int
    converged: bool

    def __repr__(self):
        return (f'<{type(self).__name__}: {len(self.labels)} galaxies, '
                f'{len(self.raters)} raters, {self.method}>')


def combine_votes(
        votes: Table,
        method: Literal['dawid-skene', 'swap', 'majority'] = 'dawid-skene', *,
        classes: Sequence[str] | None = None, unknown: Sequence[str] = (),
        **options: Any) -> CombinedVotes:
    """
    Combine votes to one label for each galaxy, with its probability.

    Parameters
    ----------
    votes : `~astropy.table.Table`
        One row a vote: the columns galaxy, rater and label (or task, worker
        and label), in their order, or with a column time to sort by. Rows
        with a masked or empty galaxy or label are no votes. Those without a
        rater count for one whose name is empty. Of several votes of a rater
        on a galaxy, the first counts.

    method : {'dawid-skene', 'swap', 'majority'}, optional
        Confusion matrices by expectation and maximisation (Dawid & Skene
        1979, Applied Statistics 28, 20); the same while votes come in, with
        galaxies that retire, see `VoteCounter`; or the share of votes.

    classes : sequence of str, optional
        The labels; by default, all that occur, in alphabetical order. Of
        several that are equally likely, the first is the label.

    unknown : sequence of str, optional
        Labels that are no votes, such as "don't know".

    **options : dict
        ``gold``: labels of galaxies that are known, a table with the columns
        galaxy and label, or a dict.

        ``machine``: probabilities of a machine, a table with the column
        galaxy and one for each class. It is calibrated on the galaxies that
        people voted on, and is the prior of a galaxy.

        ``retire_at``: the probability at which a galaxy is retired, or one
        for each class; 0.99 by default.

        ``smoothing``: votes that a rater has in advance, by the average of
        all (4 by default; 0 is the method as published).

        ``n_levels``: levels of difficulty of galaxies (3 by default; 1 is
        the method as published, whose probabilities are too sure if some
        galaxies are more difficult than others).

        ``n_iterations``, ``tolerance``: the most iterations (100 by default)
        and the change of a probability that ends them (1e-6), of
        'dawid-skene' only.

        ``min_votes``, ``max_votes``, ``learn``: see `VoteCounter`, of 'swap'
        only.

    Returns
    -------
    result : `CombinedVotes`
        The labels, the raters and the prevalence.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, there are no
        votes, or a label is none of the classes.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_pix2prof import combine_votes
    >>> votes = Table({
    ...     'galaxy': ['A', 'A', 'A', 'B', 'B', 'B'],
    ...     'rater': ['ana', 'bo', 'cy', 'ana', 'bo', 'cy'],
    ...     'label': ['disc', 'disc', 'star', 'star', 'star', 'star']})
    >>> result = combine_votes(votes, 'majority')
    >>> result.labels['galaxy', 'label', 'p_star', 'n_votes'].pprint()
    galaxy label       p_star       n_votes
    ------ ----- ------------------ -------
         A  disc 0.3333333333333333       3
         B  star                1.0       3
    """
    method = check_choice(method, 'method', _METHODS)
    known = {'dawid-skene': _BATCH, 'swap': _ONLINE,
             'majority': ('retire_at', 'gold')}[method]
    check_options(options, known, f'combine_votes with method={method!r}')
    coded = read_votes(votes, unknown=unknown)
    if not len(coded.label):
        msg = 'votes must hold at least one vote, got none'
        raise ValueError(msg)
    gold = read_gold(options.pop('gold', None))
    if classes is None:
        classes = sorted({coded.labels[k] for k in np.unique(coded.label)})
        new = sorted({*gold.values()} - {*classes})
        if new:
            msg = (f'gold has the label {new[0]!r}, which nobody voted for '
                   f'(the labels are {", ".join(map(repr, classes))}): mend '
                   'it, or give classes= if it is one')
            raise ValueError(msg)
        if len(classes) < 2:
            msg = ('votes must hold two labels at least, or classes say '
                   f'which there are; got {classes[0]!r} alone')
            raise ValueError(msg)
    classes = read_classes(classes)
    read_gold(gold, classes)
    if method != 'majority' and not gold:
        _warn_of_chance(coded, classes)
    if method == 'swap':
        return _count(votes, classes, unknown, gold, options)
    return _solve(coded, method, classes, gold, **options)


def _warn_of_chance(votes, classes):
    """
    Warn if votes on a galaxy agree no more than those on different ones.

    Where most raters guess, the fit finds classes among the raters, not
    among the galaxies, and its probabilities are near 1 and wrong.
    """
    label, k = code_labels(votes, classes), len(classes)
    first = first_votes(votes.galaxy, votes.rater)
    n = len(votes.galaxies)
    counts = np.bincount(votes.galaxy[first] * k + label[first],
                         minlength=n * k).reshape(n, k)
    total = counts.sum(axis=1)
    pairs = total * (total - 1)
    if np.count_nonzero(pairs) < _FEWEST:
        return
    same = np.sum(counts * (counts - 1)) / pairs.sum()
    chance = np.sum((counts.sum(axis=0) / counts.sum())**2)
    if same <= chance:
        msg = ('two votes on a galaxy agree no more often than by chance '
               f'({same:.0%}, against {chance:.0%}): most raters guess, and '
               'the probabilities may be near 1 and wrong; give labels that '
               'are known (gold=), or leave out raters')
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)


def _count(votes, classes, unknown, gold, options):
    """
    Combine votes as they come.
    """
    counter = VoteCounter(classes, gold=gold, unknown=unknown, **options)
    counter.add(votes)
    converged = counter.refresh(_LAST)
    return CombinedVotes(
        counter.table, counter.raters, counter.prevalence, 'swap',
        counter.calibration, _LAST, converged)


def _solve(votes, method, classes, gold, *, machine=None, retire_at=0.99,
           smoothing=4.0, n_levels=3, n_iterations=100, tolerance=1e-6):
    """
    Combine all votes at once.
    """
    smoothing = check_number(smoothing, 'smoothing', least=0)
    n_levels = check_integer(n_levels, 'n_levels', least=1, most=9)
    n_iterations = check_integer(n_iterations, 'n_iterations', least=0)
    tolerance = check_number(tolerance, 'tolerance', least=0)
    retire_at = read_thresholds(retire_at, classes)
    label = code_labels(votes, classes)
    first = first_votes(votes.galaxy, votes.rater)
    warn_repeated(np.count_nonzero(~first))
    rater, raters = votes.rater, votes.raters
    if np.any(rater < 0):
        rater, raters = np.where(rater < 0, len(raters), rater), [*raters, '']
    galaxies, k = list(votes.galaxies), len(classes)
    number = {name: n for n, name in enumerate(galaxies)}
    says = None
    if machine is not None:
        names, probability = read_machine(machine, classes)
        for name in names:
            number.setdefault(name, len(number))
        says = np.full((len(number), k), np.nan)
        says[[number[name] for name in names]] = probability
    for name in gold:
        number.setdefault(name, len(number))
    galaxies, n = list(number), len(number)
    if says is not None:
        says = np.concatenate([says, np.full((n - len(says), k), np.nan)])
    true = np.full(n, -1)
    for name, value in gold.items():
        true[number[name]] = classes.index(value)
    counts = count_matrix(votes.galaxy[first], rater[first], label[first], n,
                          len(raters), k)
    share = _vote_shares(votes.galaxy[first], label[first], n, k)
    share[true >= 0] = np.eye(k)[true[true >= 0]]
    total = np.bincount(label[first], minlength=k) + 1.0
    model = VoteModel(k, n_levels if method == 'dawid-skene' else 1,
                      smoothing, guess=total / total.sum())
    model.add_raters(len(raters))
    if method == 'majority':
        model.maximise(counts, share)
        probability, done, converged = share, 0, True
    else:
        found, done, converged = model.fit(
            counts, share, says, true if gold else None,
            n_iterations=n_iterations, tolerance=tolerance)
        probability = model.sum_levels(found)
    table = galaxy_table(galaxies, classes, probability, counts, model)
    n_votes = np.asarray(table['n_votes'])
    table['state'] = np.where(
        true >= 0, 'gold', np.where((n_votes > 0) & np.any(
            probability >= retire_at, axis=1), 'decided', 'open'))
    table['retired'] = table['state'] == 'decided'
    table['retired_at'] = np.where(table['retired'], len(label), 0)
    table.meta['n_skipped'] = votes.n_skipped
    table.meta['n_repeated'] = int(np.count_nonzero(~first))
    seen = None
    if says is not None:
        known = np.isfinite(says[:, 0]) & ((n_votes > 0) | (true >= 0))
        seen = says[known], probability[known]
    people = np.bincount(rater[first], minlength=len(raters))
    return CombinedVotes(
        table, rater_table(raters, classes, model.confusion, people, seen),
        model.prevalence_of(classes), method,
        None if machine is None else model.calibration_of(classes), done,
        converged)


def _vote_shares(galaxy, label, n, k):
    """
    Calculate the share of votes for each class; equal ones without votes.
    """
    votes = np.bincount(galaxy * k + label, minlength=n * k).reshape(n, k)
    total = votes.sum(axis=1, keepdims=True)
    return np.where(total > 0, votes / np.maximum(total, 1), 1 / k)
