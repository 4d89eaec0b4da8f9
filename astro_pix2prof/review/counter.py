# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Count votes as they come, and retire galaxies whose class is known.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.arguments import (
    check_choice,
    check_integer,
    check_number,
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
from astro_pix2prof.review.model import VoteModel, count_matrix, normalise
from astro_pix2prof.review.tables import galaxy_table, rater_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from astropy.table import QTable, Table

    from astro_pix2prof.typing import PathLike

__all__ = ['VoteCounter', 'read_thresholds']


# Raters are learned again after so many votes more, and this share of more.
_FIRST, _GROWTH = 100, 1.2
# Iterations each time.
_ITERATIONS = 4
# A galaxy is opened again when its label becomes so many times less certain
# than the threshold asks.
_REOPEN = 2.0
_FORMAT = 1
# The arrays of a counter in a file, besides those of its model.
_ARRAYS = ('galaxy', 'rater', 'label', 'late', 'state', 'winner', 'when',
           'gold', 'machine', 'log_votes')
_MODEL_ARRAYS = ('confusion', 'pool', 'counts', 'prevalence', 'shares',
                 'guess', 'offset', 'centre')
OPEN, DECIDED, UNDECIDED, GOLD = range(4)


class VoteCounter:
    """
    Count votes as they come, and retire galaxies whose class is known.

    It follows SWAP of Space Warps and Galaxy Zoo Express (Marshall et al.
    2016, MNRAS 455, 1171; Wright et al. 2017, MNRAS 472, 1315; Beck et al.
    2018, MNRAS 476, 5516). Each rater has a confusion matrix; each vote
    updates the probabilities of its galaxy by Bayes' theorem, and a galaxy
    retires when one of them reaches the threshold. Later votes on it do not
    count.

    Other than there, raters are learned from all galaxies and not only from
    training subjects (``learn='gold'`` is theirs), in steps: when a fifth
    more votes are in than the last time, matrices are estimated from all
    votes so far as by Dawid & Skene (1979). Raters with few votes are close
    to the average of all. The machine's probabilities are the prior of a
    galaxy, after a calibration on the galaxies that people voted on. A
    galaxy whose label becomes uncertain again, since more is known of its
    raters, is opened again.

    Parameters
    ----------
    classes : sequence of str
        The labels.

    gold : `~astropy.table.Table` or dict, optional
        Galaxies whose label is known, to learn the raters from: columns
        galaxy and label, or labels by galaxy.

    machine : `~astropy.table.Table`, optional
        Probabilities of a machine: the column galaxy and one for each
        class, of its name or ``p_`` and its name.

    retire_at : float or dict of float, optional
        The probability of a class at which a galaxy retires; of each class,
        if they differ.

    min_votes : int, optional
        Votes that a galaxy needs to retire. With 0, the machine alone may
        retire it, once it is calibrated.

    max_votes : int, optional
        Votes after which a galaxy retires without a decision.

    smoothing : float, optional
        Votes that a rater has in advance, by the average of all.

    n_levels : int, optional
        Levels of difficulty; 1 holds all galaxies for equally difficult,
        and makes the probabilities too sure if they are not.

    learn : {'all', 'gold'}, optional
        The galaxies from which raters are learned.

    unknown : sequence of str, optional
        Labels that are no votes.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_pix2prof import VoteCounter
    >>> counter = VoteCounter(['smooth', 'featured'], retire_at=0.8,
    ...                       n_levels=1)
    >>> done = counter.add(Table({'galaxy': [7, 7, 9],
    ...                           'rater': ['ana', 'bo', 'ana'],
    ...                           'label': ['smooth'] * 3}))
    >>> done['galaxy', 'label', 'n_votes'].pprint()
    galaxy label  n_votes
    ------ ------ -------
         7 smooth       2
    """

    def __init__(self, classes: Sequence[str], *,
                 gold: Table | dict[Any, Any] | None = None,
                 machine: Table | None = None,
                 retire_at: float | dict[str, float] = 0.99,
                 min_votes: int = 1, max_votes: int | None = None,
                 smoothing: float = 4.0, n_levels: int = 3,
                 learn: Literal['all', 'gold'] = 'all',
                 unknown: Sequence[str] = ()) -> None:
        self.classes = read_classes(classes)
        k = len(self.classes)
        self.retire_at = read_thresholds(retire_at, self.classes)
        self.min_votes = check_integer(min_votes, 'min_votes', least=0)
        self.max_votes = check_integer(
            max_votes, 'max_votes', least=max(self.min_votes, 1),
            optional=True)
        smoothing = check_number(smoothing, 'smoothing', above=0)
        n_levels = check_integer(n_levels, 'n_levels', least=1, most=9)
        self.learn = check_choice(learn, 'learn', ('all', 'gold'))
        self.unknown = [unknown] if isinstance(unknown, str) else [
            str(label) for label in unknown]
        self.n_skipped = self.n_repeated = 0
        self._model = VoteModel(k, n_levels, smoothing)
        self._galaxies, self._raters = {}, {}
        self._galaxy, self._rater, self._label = (
            np.zeros(0, dtype=np.int64) for _ in range(3))
        self._late = np.zeros(0, dtype=bool)
        self._state, self._winner, self._when, self._gold = (
            np.zeros(0, dtype=np.int64) for _ in range(4))
        self._machine = np.zeros((0, k))
        self._log_votes = np.zeros((0, k * n_levels))
        self._next = _FIRST
        gold = read_gold(gold, self.classes)
        if self.learn == 'gold' and not gold:
            msg = "learn='gold' needs galaxies whose label is known: give gold"
            raise ValueError(msg)
        for number, label in zip(self._number_galaxies(gold).tolist(),
                                 gold.values(), strict=True):
            self._gold[number] = self.classes.index(label)
            self._state[number] = GOLD
        if machine is not None:
            self.set_machine(machine)

    def __repr__(self):
        return (f'<{type(self).__name__}: {self.n_votes} votes on '
                f'{len(self._galaxies)} galaxies by {len(self._raters)} '
                f'raters, {np.count_nonzero(self._state == DECIDED)} '
                'decided>')

    @property
    def n_votes(self) -> int:
        """
        The votes that count, without late ones: int.
        """
        return int(np.count_nonzero(~self._late))

    def set_machine(self, machine: Table) -> None:
        """
        Take the probabilities of a machine in place of earlier ones.

        Parameters
        ----------
        machine : `~astropy.table.Table`
            As for `VoteCounter`. Galaxies that are not in it keep theirs.

        Raises
        ------
        TypeError, ValueError
            If it is no such table.
        """
        names, probability = read_machine(machine, self.classes)
        numbers = self._number_galaxies(names)
        self._machine[numbers] = probability
        if len(self._galaxy):
            self.refresh()

    def _number_galaxies(self, names):
        numbers = np.array([self._galaxies.setdefault(
            name, len(self._galaxies)) for name in names], dtype=np.int64)
        more = len(self._galaxies) - len(self._state)
        if more:
            k = len(self.classes)
            self._state, self._when = (
                np.concatenate([old, np.zeros(more, dtype=np.int64)])
                for old in (self._state, self._when))
            self._winner, self._gold = (
                np.concatenate([old, np.full(more, -1)])
                for old in (self._winner, self._gold))
            self._machine = np.concatenate(
                [self._machine, np.full((more, k), np.nan)])
            self._log_votes = np.concatenate(
                [self._log_votes,
                 np.zeros((more, self._log_votes.shape[1]))])
        return numbers

    def add(self, votes: Table) -> QTable:
        """
        Count more votes.

        Parameters
        ----------
        votes : `~astropy.table.Table`
            With the columns galaxy, rater and label, one row a vote, in
            their order; or with a column time to sort by. Rows with a
            masked or empty galaxy or label are no votes; those without a
            rater are counted for one rater whose name is empty.

        Returns
        -------
        retired : `~astropy.table.QTable`
            The rows of ``table`` of the galaxies that retired by this call.

        Raises
        ------
        TypeError, ValueError
            If it is no such table, or a label is none of the classes.
        """
        votes = read_votes(votes, unknown=self.unknown)
        label = code_labels(votes, self.classes)
        galaxies = self._number_galaxies(votes.galaxies)
        raters = np.array([self._raters.setdefault(name, len(self._raters))
                           for name in votes.raters] + [-1], dtype=np.int64)
        galaxy, rater = galaxies[votes.galaxy], raters[votes.rater]
        first = first_votes(galaxy, rater, (self._galaxy << 32)
                            + self._rater)
        if np.any(rater < 0):
            rater = np.where(rater < 0, self._raters.setdefault(
                '', len(self._raters)), rater)
        self.n_skipped += votes.n_skipped
        again = int(np.count_nonzero(~first))
        self.n_repeated += again
        warn_repeated(again)
        galaxy, rater, label = galaxy[first], rater[first], label[first]
        before = self._state.copy()
        self._model.add_raters(len(self._raters))
        while len(galaxy):
            n = self._next - len(self._galaxy)
            self._count(galaxy[:n], rater[:n], label[:n])
            galaxy, rater, label = galaxy[n:], rater[n:], label[n:]
            if len(self._galaxy) >= self._next:
                self.refresh()
        return self.table[(self._state != before)
                          & (self._state != OPEN)]

    def _count(self, galaxy, rater, label):
        """
        Count votes one after the other, with the matrices as they are.
        """
        model, k = self._model, len(self.classes)
        start = len(self._galaxy)
        order = np.argsort(galaxy, kind='stable')
        row = galaxy[order]
        # the logarithms of the probabilities after each vote
        step = model.log_votes()[(rater * k + label)[order]]
        total = np.cumsum(step, axis=0)
        begins = np.flatnonzero(np.diff(row, prepend=-1))
        length = np.diff(np.append(begins, len(row)))
        earlier = np.repeat(total[begins] - step[begins], length, axis=0)
        after = total - earlier + self._log_votes[row]
        rank = np.arange(len(row)) - np.repeat(begins, length) + 1
        rank += self._count_used()[row]
        winner, ends = self._decide(after, row, rank)
        # the first vote of each galaxy that ends it
        place = np.where(ends != OPEN, np.arange(len(row)), len(row))
        last = np.minimum.reduceat(place, begins)
        late = np.arange(len(row)) > np.repeat(last, length)
        late |= np.isin(self._state[row], (DECIDED, UNDECIDED))
        self._log_votes[row[~late]] = after[~late]
        done = last[last < len(row)]
        done = done[~late[done]]
        self._state[row[done]] = ends[done]
        self._winner[row[done]] = winner[done]
        self._when[row[done]] = start + order[done] + 1
        in_order = np.empty(len(row), dtype=bool)
        in_order[order] = late
        self._galaxy, self._rater, self._label, self._late = (
            np.concatenate([old, new]) for old, new in (
                (self._galaxy, galaxy), (self._rater, rater),
                (self._label, label), (self._late, in_order)))

    def _count_used(self):
        return np.bincount(self._galaxy[~self._late],
                           minlength=len(self._galaxies))

    def _decide(self, log_votes, row, n_votes):
        """
        Find the class of the largest probability, and whether it decides.
        """
        probability = self._model.sum_levels(normalise(
            log_votes + self._model.log_prior(
                len(self._galaxies), self._machine, self._gold)[row]))
        # (a class that misses its own threshold may hide one that does not)
        margin = probability - self.retire_at
        winner = np.argmax(margin, axis=1)
        state = np.full(len(row), OPEN)
        if self.max_votes is not None:
            state[n_votes >= self.max_votes] = UNDECIDED
        decided = (margin.max(axis=1) >= 0) & (n_votes >= self.min_votes)
        state[decided] = DECIDED
        state[self._gold[row] >= 0] = OPEN
        return np.where(decided, winner, -1), state

    def refresh(self, n_iterations: int = _ITERATIONS) -> None:
        """
        Learn all raters again from the votes so far, and the galaxies.

        `add` does it by itself as votes become more.

        Parameters
        ----------
        n_iterations : int, optional
            Iterations of expectation and maximisation.

        Returns
        -------
        converged : bool
            Whether the last changed no probability by more than 1e-6.

        Raises
        ------
        TypeError, ValueError
            If ``n_iterations`` is not a positive integer.
        """
        n_iterations = check_integer(n_iterations, 'n_iterations', least=1)
        model, n, k = self._model, len(self._galaxies), len(self.classes)
        use = ~self._late
        counts = count_matrix(self._galaxy[use], self._rater[use],
                              self._label[use], n, len(self._raters), k)
        share = np.bincount(self._label[use], minlength=k) + 1.0
        model.guess = share / share.sum()
        *_, converged = model.fit(
            counts, None, self._machine, self._gold,
            learn=self._gold >= 0 if self.learn == 'gold' else None,
            n_iterations=n_iterations)
        self._log_votes = counts @ model.log_votes()
        n_votes = np.rint(counts.sum(axis=1))
        again = (self._state == DECIDED) & (
            1 - self._probability()[np.arange(n), self._winner]
            > _REOPEN * (1 - self.retire_at[self._winner]) + 1e-12)
        self._state[again], self._winner[again] = OPEN, -1
        self._when[again] = 0
        winner, state = self._decide(self._log_votes, np.arange(n), n_votes)
        new = (self._state == OPEN) & (state != OPEN)
        self._state[new], self._winner[new] = state[new], winner[new]
        self._when[new] = len(self._galaxy)
        self._next = max(len(self._galaxy) + _FIRST,
                         int(np.ceil(_GROWTH * len(self._galaxy))))
        return converged

    @property
    def table(self) -> QTable:
        """
        One row a galaxy: `~astropy.table.QTable`.

        The columns are those of `combine_votes`.
        """
        n, k = len(self._galaxies), len(self.classes)
        probability = self._probability()
        use = ~self._late
        counts = count_matrix(self._galaxy[use], self._rater[use],
                              self._label[use], n, len(self._raters), k)
        table = galaxy_table(list(self._galaxies), self.classes, probability,
                             counts, self._model, winner=self._winner)
        table['n_late'] = np.bincount(self._galaxy[self._late], minlength=n)
        table['state'] = np.array(['open', 'decided', 'undecided', 'gold'])[
            self._state]
        table['retired'] = np.isin(self._state, (DECIDED, UNDECIDED))
        table['retired_at'] = self._when
        table.meta['n_skipped'] = self.n_skipped
        table.meta['n_repeated'] = self.n_repeated
        return table

    @property
    def prevalence(self) -> dict[str, float]:
        """
        The share of each class: dict of float.
        """
        return self._model.prevalence_of(self.classes)

    @property
    def calibration(self) -> dict[str, Any] | None:
        """
        The calibration of the machine (dict), `None` if there is none.

        See `CombinedVotes`.
        """
        if not np.any(np.isfinite(self._machine)):
            return None
        return self._model.calibration_of(self.classes)

    @property
    def raters(self) -> QTable:
        """
        One row a rater: `~astropy.table.QTable`.

        The columns are those of `combine_votes`.
        """
        known = np.isfinite(self._machine[:, 0]) & (
            (self._count_used() > 0) | (self._gold >= 0))
        return rater_table(
            list(self._raters), self.classes, self._model.confusion,
            np.bincount(self._rater[~self._late],
                        minlength=len(self._raters)),
            (self._machine[known], self._probability()[known]))

    def _probability(self):
        return self._model.sum_levels(normalise(
            self._log_votes + self._model.log_prior(
                len(self._galaxies), self._machine, self._gold)))

    def save(self, path: PathLike) -> None:
        """
        Write all that is known to a file, to go on from there.

        Parameters
        ----------
        path : str or path-like
            The file, by custom ``.npz``; one that exists is replaced when
            all is written.
        """
        path = Path(path)
        settings = {
            'format': _FORMAT, 'classes': self.classes,
            'retire_at': self.retire_at.tolist(),
            'min_votes': self.min_votes, 'max_votes': self.max_votes,
            'learn': self.learn, 'unknown': self.unknown,
            'n_skipped': self.n_skipped, 'n_repeated': self.n_repeated,
            'next': self._next, 'smoothing': self._model.smoothing,
            'n_levels': self._model.n_levels, 'slope': self._model.slope,
            'galaxies': list(self._galaxies), 'raters': list(self._raters)}
        arrays = {name: getattr(self, f'_{name}') for name in _ARRAYS}
        arrays |= {f'model_{name}': getattr(self._model, name)
                   for name in _MODEL_ARRAYS}
        text = np.frombuffer(json.dumps(settings).encode(), dtype=np.uint8)
        part = path.with_name(f'.{path.name}.part')
        with open(part, 'wb') as file:
            np.savez_compressed(file, settings=text, **arrays)
        os.replace(part, path)

    @classmethod
    def load(cls, path: PathLike) -> VoteCounter:
        """
        Read a counter from a file, to go on from there.

        Parameters
        ----------
        path : str or path-like
            The file that `save` has written.

        Returns
        -------
        counter : `VoteCounter`

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        ValueError
            If it is not the file of a counter.
        """
        try:
            # (numpy leaves a broken file open)
            with open(path, 'rb') as stream, np.load(
                    stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            settings = json.loads(arrays.pop('settings').tobytes())
            if settings['format'] != _FORMAT:
                msg = f'version {settings["format"]}'
                raise ValueError(msg)
            counter = cls(settings['classes'], retire_at=dict(zip(
                settings['classes'], settings['retire_at'], strict=True)),
                min_votes=settings['min_votes'],
                max_votes=settings['max_votes'],
                smoothing=settings['smoothing'],
                n_levels=settings['n_levels'], unknown=settings['unknown'])
            for name in _ARRAYS:
                setattr(counter, f'_{name}', arrays[name])
            for name in _MODEL_ARRAYS:
                setattr(counter._model, name, arrays[f'model_{name}'])
        except (KeyError, TypeError, AttributeError, ValueError, EOFError,
                zipfile.BadZipFile) as error:
            # (numpy would have other files unpickled, which is unsafe)
            why = ('it is damaged, of another kind or of another version'
                   if 'pickle' in str(error) else error)
            msg = (f'path={str(path)!r} is not the file of a VoteCounter, as '
                   f'its method save writes it: {why}')
            raise ValueError(msg) from None
        counter.learn, counter._next = settings['learn'], settings['next']
        counter.n_skipped = settings['n_skipped']
        counter.n_repeated = settings['n_repeated']
        counter._model.slope = settings['slope']
        counter._galaxies = {
            name: k for k, name in enumerate(settings['galaxies'])}
        counter._raters = {
            name: k for k, name in enumerate(settings['raters'])}
        return counter


def read_thresholds(retire_at, classes):
    """
    Read the probability of each class at which a galaxy retires.

    Parameters
    ----------
    retire_at : float or dict of float
        One for all, or for each class.

    classes : list of str
        The classes.

    Returns
    -------
    thresholds : 1D `~numpy.ndarray`, shape (k,)

    Raises
    ------
    TypeError, ValueError
        If one is not above 0.5 and at most 1, or a class has none.
    """
    if not isinstance(retire_at, dict):
        return np.full(len(classes), check_number(
            retire_at, 'retire_at', above=0.5, most=1))
    by_class = {str(name): value for name, value in retire_at.items()}
    if set(by_class) != set(classes):
        msg = ('retire_at must have a probability for each of the classes '
               f'{", ".join(classes)}, got {", ".join(by_class)}')
        raise ValueError(msg)
    return np.array([check_number(by_class[name], f'retire_at[{name!r}]',
                                  above=0.5, most=1) for name in classes])
