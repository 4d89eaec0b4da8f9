# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Uncertainties of what held-out galaxies tell about a head.
"""

import numpy as np

__all__ = ['auc_of', 'describe_result', 'is_significant', 'mean_of']


# A gain of this many times its error is none of chance. The strength of the
# regularisation is chosen with the same galaxies, which takes some of it.
_SIGNIFICANT = 2.0

# The figure of a gain, and of its error, for each kind of labels.
_GAIN = {'classes': ('gain', 'gain_err'),
         'numbers': ('explained', 'explained_err')}


def mean_of(values, groups=None):
    """
    Calculate a mean over rows and its error from the scatter of galaxies.

    Parameters
    ----------
    values : 1D `~numpy.ndarray`, shape (n,)
        A value for each row.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common.

    Returns
    -------
    mean, error : float
    """
    mean = float(np.mean(values))
    return mean, _error_of((values - mean) / len(values), groups)


def _error_of(parts, groups):
    """
    Calculate the error of a sum of parts, which are 0 in the mean.
    """
    if groups is not None:
        # (rows of one galaxy are no independent witnesses)
        _, number = np.unique(groups, return_inverse=True)
        parts = np.bincount(number, weights=parts)
    n = len(parts)
    return float(np.sqrt(np.sum(parts**2) * n / max(n - 1, 1)))


def auc_of(probability, target, groups=None):
    """
    Calculate the area under the ROC curve and its error.

    For more than two classes, it is the mean over the classes, each against
    all others. The error is that of DeLong et al. (1988): it follows from
    the share of galaxies of the other class that each galaxy is ranked
    right against.

    Parameters
    ----------
    probability : 2D `~numpy.ndarray`, shape (n, k)
        Of k classes.

    target : 1D `~numpy.ndarray` of int, shape (n,)
        The numbers of the classes.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common.

    Returns
    -------
    auc, error : float
    """
    n_classes = probability.shape[1]
    wanted = [1] if n_classes == 2 else range(n_classes)
    areas, parts = zip(*(_area_of(probability[:, k], target == k)
                         for k in wanted), strict=True)
    return float(np.mean(areas)), _error_of(np.mean(parts, axis=0), groups)


def _area_of(score, is_class):
    """
    Calculate the area of one class, and the part of each row in its error.
    """
    from scipy.stats import rankdata

    n_in, n_out = np.count_nonzero(is_class), np.count_nonzero(~is_class)
    rank = rankdata(score)
    right = np.zeros(len(score))
    right[is_class] = (rank[is_class] - rankdata(score[is_class])) / n_out
    right[~is_class] = 1 - (rank[~is_class]
                            - rankdata(score[~is_class])) / n_in
    area = right[is_class].mean()
    return area, (right - area) / np.where(is_class, n_in, n_out)


def is_significant(figures, kind):
    """
    Tell whether held-out galaxies are predicted better than by chance.

    Parameters
    ----------
    figures : dict of float
        The figures of the cross-validation.

    kind : {'classes', 'numbers'}
        The kind of the labels.

    Returns
    -------
    found : bool
    """
    gain, error = (figures[name] for name in _GAIN[kind])
    return bool(gain > 0 and gain >= _SIGNIFICANT * error)


def describe_result(figures, kind):
    """
    Describe what held-out galaxies tell about a head.

    Parameters
    ----------
    figures, kind
        As for `is_significant`.

    Returns
    -------
    text : str
        For the model card.
    """
    name = 'auc' if kind == 'classes' else 'explained'
    found = f'{name} {figures[name]:.2f} +- {figures[f"{name}_err"]:.2f}'
    if is_significant(figures, kind):
        return f'the embeddings tell the labels ({found})'
    return ('the embeddings do not tell the labels better than by chance '
            f'({found}); more labels may help')
