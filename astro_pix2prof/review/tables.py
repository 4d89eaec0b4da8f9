# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make the tables of galaxies and of raters.
"""

import numpy as np
from astropy.table import QTable

from astro_pix2prof.review.ballots import number_values

__all__ = ['galaxy_table', 'rater_table']


def galaxy_table(galaxies, classes, probability, counts, model, *,
                 winner=None):
    """
    Make the table of galaxies.

    Parameters
    ----------
    galaxies, classes : list of str
        The names.

    probability : 2D `~numpy.ndarray`, shape (n, k)
        The probability of each class.

    counts : `scipy.sparse.csr_array`
        The votes, see `~astro_pix2prof.review.model.count_matrix`.

    model : `~astro_pix2prof.review.model.VoteModel`
        The model.

    winner : 1D `~numpy.ndarray` of int, optional
        Classes that were decided before; -1 where none was.

    Returns
    -------
    table : `~astropy.table.QTable`, n rows
    """
    best = np.argmax(probability, axis=1)
    most = probability.max(axis=1)
    tied = np.count_nonzero(probability > most[:, None] - 1e-9, axis=1) > 1
    if winner is not None:
        best = np.where(winner >= 0, winner, best)
        tied &= winner < 0
    safe = np.maximum(probability, 1e-300)
    table = QTable({
        'galaxy': number_values(galaxies),
        'label': number_values(classes)[best],
        'probability': probability[np.arange(len(best)), best],
        'tied': tied})
    for k, name in enumerate(classes):
        table[f'p_{name}'] = probability[:, k]
    table['entropy'] = -(safe * np.log2(safe)).sum(axis=1)
    table['difficulty'] = model.difficulty(counts, probability)
    # (votes without a name may be alike: these have one element)
    table['n_votes'] = np.rint(counts.sum(axis=1)).astype(np.int64)
    table.meta['classes'] = list(classes)
    return table


def rater_table(raters, classes, confusion, n_votes, machine=None):
    """
    Make the table of raters.

    Parameters
    ----------
    raters, classes : list of str
        The names.

    confusion : 3D `~numpy.ndarray`, shape (n, k, k)
        The probability of each label (last axis) by rater and true class.

    n_votes : 1D `~numpy.ndarray` of int, shape (n,)
        The votes of each.

    machine : tuple of 2D `~numpy.ndarray`, shapes (m, k), optional
        The probabilities of a machine for galaxies that people voted on,
        and those that all votes lead to.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row a rater, the machine the last.
    """
    k = len(classes)
    kind = ['person'] * len(raters)
    if machine is not None and len(machine[0]):
        said, true = machine
        own = true.T @ said + 1e-10
        confusion = np.concatenate(
            [confusion, [own / own.sum(axis=1, keepdims=True)]])
        raters, kind = [*raters, 'machine'], [*kind, 'machine']
        n_votes = np.append(n_votes, len(said))
    right = confusion.trace(axis1=1, axis2=2) / k
    mean = confusion.mean(axis=1, keepdims=True)
    ratio = np.maximum(confusion, 1e-300) / np.maximum(mean, 1e-300)
    table = QTable({
        'rater': np.array(raters, dtype=str),
        'kind': np.array(kind, dtype=str),
        'n_votes': np.asarray(n_votes, dtype=np.int64),
        'skill': (k * right - 1) / (k - 1),
        'information': (confusion * np.log2(ratio)).sum(axis=(1, 2)) / k,
        'confusion': confusion})
    table.meta['classes'] = list(classes)
    return table
