# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Linear heads on embeddings, from tens to hundreds of labelled galaxies.
"""

from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np

from astro_pix2prof.extras import missing_extra
from astro_pix2prof.training.gains import auc_of, mean_of
from astro_pix2prof.training.label_folds import counts_of, label_folds

__all__ = ['FittedHead', 'check_counts', 'choose_factor', 'figures_of',
           'fit_head', 'fit_linear']


# Strengths of the regularisation to choose from: inverse ones of logistic
# regression, and those of ridge regression.
_C = np.geomspace(1e-3, 1e3, 13)
_ALPHA = np.geomspace(1e-2, 1e4, 13)

# The folds of the cross-validation, how often they are drawn anew, and the
# fewest galaxies of a class or of all.
_FOLDS, _REPEATS = 5, 3
_LEAST, _LEAST_NUMBERS = 5, 20

# Factors of the logits to choose from, so that probabilities hold.
_FACTORS = np.geomspace(0.1, 3.0, 60)

# The share of a Gaussian within one standard deviation.
_ONE_SIGMA = 0.6827


@dataclass
class FittedHead:
    """
    Linear head: standardise embeddings, multiply, and add.

    Attributes
    ----------
    mean, scale : 1D `~numpy.ndarray`, shape (d,)
        Of the embeddings.

    weight, bias : `~numpy.ndarray`, shapes (k, d) and (k,)
        Of k logits or of one number; two classes have one logit, that of
        the second.

    classes : list
        The classes; empty for numbers.

    metrics : dict
        What the cross-validation gave.

    held_out : 1D or 2D `~numpy.ndarray`
        Predictions for each galaxy by heads that did not know it:
        probabilities of the classes, shape (n, k), or numbers, shape (n,).
    """

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    classes: list
    metrics: dict = field(default_factory=dict)
    held_out: np.ndarray = None


def fit_head(embedding, labels, *, kind='classes', seed=0, groups=None):
    """
    Fit a linear head by cross-validation.

    Logistic regression for classes, whose probabilities are calibrated with
    held-out galaxies; ridge regression for numbers.

    Parameters
    ----------
    embedding : 2D `~numpy.ndarray`, shape (n, d)
        Finite embeddings.

    labels : 1D `~numpy.ndarray`, shape (n,)
        Classes (text, integers or bool), or finite numbers.

    kind : {'classes', 'numbers'}, optional
        The kind of the labels.

    seed : int, optional
        The seed of the folds.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common; they are held out together.

    Returns
    -------
    head : `FittedHead`

    Raises
    ------
    ImportError
        If scikit-learn is not installed.

    ValueError
        If all labels are of one class or the same number, or if there are
        too few of a class.
    """
    needed = 'scikit-learn'
    if find_spec('sklearn') is None:
        raise missing_extra(needed, 'search', 'fine-tuning of heads')
    mean = embedding.mean(0)
    # (what never changes tells nothing)
    scale = np.maximum(embedding.std(0), 1e-6)
    x = (embedding - mean) / scale
    fit = _fit_classes if kind == 'classes' else _fit_numbers
    return fit(x, labels, mean, scale, seed, groups)


def choose_factor(logits, target):
    """
    Choose the factor of held-out logits with which probabilities hold.

    Parameters
    ----------
    logits : `~numpy.ndarray`, shape (r, n, k)
        Of n galaxies and k classes, by r heads.

    target : 1D `~numpy.ndarray` of int, shape (n,)
        The numbers of their classes.

    Returns
    -------
    factor : float
    """
    return min(_FACTORS, key=lambda f: _log_loss(f * logits, target))


def figures_of(probability, target, groups=None):
    """
    Summarise probabilities of held-out galaxies.

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
    figures : dict of float
        'log_loss', 'log_loss_of_shares' (of the shares of the classes
        alone), 'gain' (the difference of both) and 'gain_err', 'accuracy',
        'auc' and 'auc_err'.
    """
    share = np.bincount(target) / len(target)
    of_shares = -np.log(share[target])
    gain, gain_err = mean_of(of_shares - _losses_of(probability, target),
                             groups)
    auc, auc_err = auc_of(probability, target, groups)
    return {'log_loss': _loss_of(probability, target),
            'log_loss_of_shares': float(np.mean(of_shares)),
            'gain': gain, 'gain_err': gain_err,
            'accuracy': float(np.mean(probability.argmax(1) == target)),
            'auc': auc, 'auc_err': auc_err}


def fit_linear(embedding, target, *, kind, strength):
    """
    Fit a head with a given strength of the regularisation.

    Parameters
    ----------
    embedding : 2D `~numpy.ndarray`, shape (n, d)
        Finite embeddings.

    target : 1D `~numpy.ndarray`, shape (n,)
        The numbers of the classes, or numbers.

    kind : {'classes', 'numbers'}
        Their kind.

    strength : float
        As the metrics of `fit_head` have it.

    Returns
    -------
    weight, bias : `~numpy.ndarray`, shapes (k, d) and (k,)
        Of the embeddings as they are, not standardised.
    """
    from sklearn.linear_model import Ridge

    mean, scale = embedding.mean(0), np.maximum(embedding.std(0), 1e-6)
    model = _logistic(strength) if kind == 'classes' else Ridge(strength)
    model.fit((embedding - mean) / scale, target)
    weight = np.atleast_2d(model.coef_) / scale
    return weight, np.atleast_1d(model.intercept_) - weight @ mean


def check_counts(labels, kind, groups=None):
    """
    Check that there are galaxies enough to fit a head to.

    Parameters
    ----------
    labels : 1D `~numpy.ndarray`, shape (n,)
        Classes or numbers.

    kind : {'classes', 'numbers'}
        Their kind.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common.

    Raises
    ------
    ValueError
        If there are too few, or all labels are the same.
    """
    grouped = '' if groups is None else (
        f' ({len(labels)} labelled rows are of {len(np.unique(groups))} '
        'galaxies by groups)')
    if kind == 'numbers':
        y = np.asarray(labels, dtype=float)
        n_galaxies = len(y if groups is None else np.unique(groups))
        if n_galaxies < _LEAST_NUMBERS:
            msg = (f'labels: numbers need {_LEAST_NUMBERS} galaxies at '
                   f'least, got {n_galaxies}{grouped}')
            raise ValueError(msg)
        if np.ptp(y) == 0:
            msg = f'labels: all {len(y)} galaxies have the number {y[0]:g}'
            raise ValueError(msg)
        return
    classes, target = np.unique(labels, return_inverse=True)
    counts = counts_of(target, groups)
    if len(classes) < 2:
        msg = (f'labels: all {len(labels)} galaxies are of the class '
               f'{classes[0].item()!r}; label some of another class, too')
        raise ValueError(msg)
    if counts.min() < _LEAST:
        few = ', '.join(f'{name.item()!r}: {n}' for name, n in zip(
            classes, counts, strict=True) if n < _LEAST)
        msg = (f'labels: each class needs {_LEAST} galaxies at least, got '
               f'{few}{grouped}; label more or leave the class out')
        raise ValueError(msg)


def _fit_classes(x, labels, mean, scale, seed, groups):
    check_counts(labels, 'classes', groups)
    classes, target = np.unique(labels, return_inverse=True)
    counts = counts_of(target, groups)
    folds = [label_folds(target, min(_FOLDS, counts.min()), seed + repeat,
                         stratified=True, groups=groups)
             for repeat in range(_REPEATS)]
    best = None
    for c in _C:
        logits = _held_out_logits(x, target, folds, c)
        loss = _log_loss(logits, target)
        if best is None or loss < best[0]:
            best = loss, c, logits
    _, c, logits = best
    factor = choose_factor(logits, target)
    probability = _softmax(factor * logits).mean(0)
    model = _logistic(c).fit(x, target)
    metrics = {
        'validation': f'{len(folds[0])} folds, drawn {len(folds)} times',
        'strength': float(c), 'factor': float(factor),
        **figures_of(probability, target, groups)}
    return FittedHead(
        mean, scale, factor * model.coef_, factor * model.intercept_,
        classes.tolist(), metrics, probability)


def _logistic(c):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=2000)


def _held_out_logits(x, target, folds, c):
    """
    Compute logits of held-out galaxies: (repeats, n, k), k from 2 on.
    """
    n_classes = target.max() + 1
    out = np.zeros((len(folds), len(x), n_classes))
    for repeat, parts in enumerate(folds):
        for train, test in parts:
            found = _logistic(c).fit(
                x[train], target[train]).decision_function(x[test])
            if n_classes == 2:
                found = np.column_stack([np.zeros(len(test)), found])
            out[repeat, test] = found
    return out


def _softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _log_loss(logits, target):
    return np.mean([_loss_of(part, target) for part in _softmax(logits)])


def _loss_of(probability, target):
    return float(np.mean(_losses_of(probability, target)))


def _losses_of(probability, target):
    return -np.log(np.maximum(
        probability[np.arange(len(target)), target], 1e-12))


def _fit_numbers(x, labels, mean, scale, seed, groups):
    from sklearn.linear_model import Ridge

    check_counts(labels, 'numbers', groups)
    y = np.asarray(labels, dtype=float)
    middle, size = y.mean(), y.std()
    z = (y - middle) / size
    folds = [label_folds(y, _FOLDS, seed + repeat, stratified=False,
                         groups=groups) for repeat in range(_REPEATS)]
    best = None
    for alpha in _ALPHA:
        out = np.zeros((len(folds), len(z)))
        for repeat, parts in enumerate(folds):
            for train, test in parts:
                out[repeat, test] = Ridge(alpha).fit(
                    x[train], z[train]).predict(x[test])
        loss = np.mean((out - z)**2)
        if best is None or loss < best[0]:
            best = loss, alpha, out
    _, alpha, out = best
    held = out.mean(0)
    explained, explained_err = mean_of(z**2 - ((out - z)**2).mean(0), groups)
    model = Ridge(alpha).fit(x, z)
    off = size * (held - z)
    return FittedHead(
        mean, scale, size * model.coef_[None],
        np.array([middle + size * model.intercept_]), [],
        {'validation': f'{_FOLDS} folds, drawn {_REPEATS} times',
         'explained': explained, 'explained_err': explained_err,
         'median_error': float(np.median(np.abs(off))),
         'error': float(np.quantile(np.abs(off), _ONE_SIGMA)),
         'strength': float(alpha)}, middle + size * held)
