# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Checks of labels before images are encoded, which takes minutes.
"""

import warnings

import numpy as np

from astro_pix2prof.inference.heads import usable_labels
from astro_pix2prof.inference.label_groups import label_groups
from astro_pix2prof.training.few_labels import check_counts
from astro_pix2prof.training.few_maps import check_encoder_counts
from astro_pix2prof.training.label_folds import counts_of

__all__ = ['check_labels', 'describe_labels']


def check_labels(data, labels, kind, label, groups=None, unfreeze=None):
    """
    Refuse labels that neither head nor encoder can be fitted to.

    Parameters
    ----------
    data : `~astropy.table.Table` or sequence
        The galaxies, in which those without a label count, too.

    labels : 1D array_like, shape (n,)
        The labels.

    kind : {'classes', 'numbers'}
        Their kind.

    label : str
        Their name, for messages.

    groups : str or 1D array_like, optional
        As for `~astro_pix2prof.fine_tune`.

    unfreeze : str, optional
        Likewise.

    Raises
    ------
    ValueError
        If there are too few of them, or they are of another kind.
    """
    # (no vector is known yet: all count as good)
    _, values, _, used = usable_labels(
        np.zeros((len(data), 1)), labels, kind, label)
    with warnings.catch_warnings():
        # (which come when the head is fitted)
        warnings.simplefilter('ignore')
        groups = label_groups(groups, data, len(data), used)
    if unfreeze is not None:
        check_encoder_counts(values, groups)
    check_counts(values, kind, groups)


def describe_labels(labels, kind, groups, left_out):
    """
    Describe the labels that a head was fitted to.

    Parameters
    ----------
    labels : 1D `~numpy.ndarray`, shape (n,)
        Those that were used.

    kind : {'classes', 'numbers'}
        Their kind.

    groups : 1D `~numpy.ndarray`, shape (n,), or `None`
        What rows of one galaxy have in common.

    left_out : dict of int
        The rows that were not used, by the reason.

    Returns
    -------
    entries : dict
        For the model card: of galaxies, and with groups of their rows.
    """
    card = {'kind': 'embeddings of labelled galaxies', 'counts': {}}
    card['galaxies'] = len(labels if groups is None else np.unique(groups))
    if kind == 'classes':
        names, target = np.unique(labels, return_inverse=True)
        card['counts'] = {str(name): int(n) for name, n in zip(
            names, counts_of(target, groups), strict=True)}
    # (what is left out has no group)
    rows = 'rows_' if groups is not None else ''
    card |= {f'{rows}{name}': n for name, n in left_out.items()}
    return card if groups is None else {**card, 'rows': len(labels)}
