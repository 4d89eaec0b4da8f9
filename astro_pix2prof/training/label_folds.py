# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Divide labelled galaxies into parts for cross-validation.
"""

import numpy as np

__all__ = ['counts_of', 'label_folds']


def label_folds(target, n_folds, seed, *, stratified, groups=None):
    """
    Divide labelled rows into parts of which each is held out once.

    Parameters
    ----------
    target : 1D `~numpy.ndarray`, shape (n,)
        The numbers of the classes, or numbers.

    n_folds : int
        The number of parts.

    seed : int
        The seed of the division.

    stratified : bool
        Whether each part has the same shares of the classes.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common, such as its name; these
        are held out together.

    Returns
    -------
    folds : list of tuple
        The rows to learn from, and those that are held out.
    """
    from sklearn.model_selection import (
        KFold,
        StratifiedGroupKFold,
        StratifiedKFold,
    )

    seed = seed % 2**32
    if groups is None:
        kind = StratifiedKFold if stratified else KFold
        return list(kind(n_folds, shuffle=True, random_state=seed).split(
            target, target))
    if stratified:
        return list(StratifiedGroupKFold(
            n_folds, shuffle=True, random_state=seed).split(
                target, target, groups))
    names, number = np.unique(groups, return_inverse=True)
    # (those of sklearn are not drawn in all of its versions)
    parts = KFold(n_folds, shuffle=True, random_state=seed).split(names)
    return [tuple(np.flatnonzero(np.isin(number, part)) for part in pair)
            for pair in parts]


def counts_of(target, groups=None):
    """
    Count the galaxies of each class.

    Parameters
    ----------
    target : 1D `~numpy.ndarray` of int, shape (n,)
        The numbers of the classes.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common.

    Returns
    -------
    counts : 1D `~numpy.ndarray` of int
    """
    if groups is None:
        return np.bincount(target)
    return np.array([len(np.unique(groups[target == k]))
                     for k in range(target.max() + 1)])
