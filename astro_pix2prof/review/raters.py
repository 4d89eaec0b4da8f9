# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Simulate the votes of people who err.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astro_pix2prof.arguments import check_integer, check_number, check_seed
from astro_pix2prof.review.ballots import number_values, read_names

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ['simulate_votes']


def simulate_votes(labels: Sequence[str] | Sequence[int], n_votes: int = 40, *,
                   classes: Sequence[str] | None = None, n_raters: int = 200,
                   ability: float = 1.3, scatter: float = 0.5,
                   difficulty: float = 0.5, bias: float = 0.3,
                   spammers: float = 0.05, seed: int | None = 0) -> Table:
    """
    Simulate the votes of people on galaxies whose label is known.

    The probability of a right vote follows GLAD (Whitehill et al. 2009):
    the logistic function of the ability of the rater times the ease of the
    galaxy, from a guess to 1. Few raters cast most votes, as on the web.

    Parameters
    ----------
    labels : sequence of str or int, shape (n,)
        The true labels; the galaxies are numbered from 0.

    n_votes : int, optional
        The votes on each galaxy, all of different raters.

    classes : sequence of str, optional
        The labels there are; by default, those that occur.

    n_raters : int, optional
        The number of raters.

    ability, scatter : float, optional
        The mean and the standard deviation of the raters' abilities: 1.3
        is right in 79 per cent of cases of two classes.

    difficulty : float, optional
        The standard deviation of the natural logarithm of the ease of
        galaxies, whose median is 1.

    bias : float, optional
        The standard deviation of what raters add to the logarithm of the
        odds of each class.

    spammers : float, optional
        The share of raters who give any label, or always the same.

    seed : int or `None`, optional
        The same seed gives the same votes, `None` others each time.

    Returns
    -------
    votes : `~astropy.table.Table`
        The columns galaxy, rater and label, in random order. ``votes.meta``
        holds the truth: 'label' and 'ease' of each galaxy, 'ability' of each
        rater, and 'spammer', whether a rater is one.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Examples
    --------
    >>> from astro_pix2prof import combine_votes, simulate_votes
    >>> votes = simulate_votes(['disc', 'star'] * 50, 20, seed=1)
    >>> result = combine_votes(votes)
    >>> int((result.labels['label'][::2] == 'disc').sum())
    49
    """
    n_raters = check_integer(n_raters, 'n_raters', least=1)
    n_votes = check_integer(n_votes, 'n_votes', least=1, most=n_raters)
    ability = check_number(ability, 'ability')
    scatter = check_number(scatter, 'scatter', least=0)
    difficulty = check_number(difficulty, 'difficulty', least=0)
    bias = check_number(bias, 'bias', least=0)
    spammers = check_number(spammers, 'spammers', least=0, most=1)
    rng = np.random.default_rng(check_seed(seed))
    found, true = read_names(labels)
    if np.any(true < 0) or not len(true):
        msg = 'labels must hold a label for each galaxy, and one at least'
        raise ValueError(msg)
    names = found if classes is None else [str(name) for name in classes]
    if not set(found) <= set(names) or len(names) < 2:
        msg = (f'classes must be two or more that hold all of labels, got '
               f'{", ".join(names)}')
        raise ValueError(msg)
    true = np.array([names.index(name) for name in found])[true]
    n, k = len(true), len(names)
    skill = ability + scatter * rng.normal(size=n_raters)
    lean = bias * rng.normal(size=(n_raters, k))
    kind = np.where(rng.random(n_raters) < spammers,
                    rng.integers(1, k + 2, n_raters), 0)
    ease = np.exp(difficulty * rng.normal(size=n))
    # raters with most votes first (a power law)
    rate = np.log(rng.pareto(1.2, n_raters) + 0.1)
    galaxy = np.repeat(np.arange(n), n_votes)
    # (Gumbel noise draws without replacement, by weight)
    rater = np.concatenate([np.argpartition(
        -(rate + rng.gumbel(size=(len(part), n_raters))), n_votes - 1,
        axis=1)[:, :n_votes].ravel()
        for part in np.array_split(np.arange(n), max(1, n // 1000))])
    right = true[galaxy]
    logit = lean[rater]
    # a guess among k becomes right by the ability times the ease
    logit[np.arange(len(rater)), right] += skill[rater] * ease[galaxy]
    label = np.argmax(logit + rng.gumbel(size=logit.shape), axis=1)
    spam = kind[rater]
    label = np.where(spam == 1, rng.integers(0, k, len(label)), label)
    label = np.where(spam > 1, spam - 2, label)
    order = rng.permutation(len(label))
    names = number_values(names)
    return Table({'galaxy': galaxy[order],
                  'rater': np.char.add('r', rater[order].astype(str)),
                  'label': names[label[order]]},
                 meta={'label': names[true], 'ease': ease, 'ability': skill,
                       'spammer': kind > 0})
