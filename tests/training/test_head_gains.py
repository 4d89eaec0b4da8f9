# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the uncertainties of what held-out galaxies tell.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.training.gains import auc_of, is_significant, mean_of


def make(n, seed, n_classes=2):
    rng = np.random.default_rng(seed)
    target = rng.integers(n_classes, size=n)
    score = rng.normal(size=(n, n_classes)) + np.eye(n_classes)[target]
    # (with ties)
    score = np.round(score, 1)
    e = np.exp(score)
    return e / e.sum(1, keepdims=True), target


@pytest.mark.parametrize('n_classes', [2, 3])
def test_area(n_classes):
    metrics = pytest.importorskip('sklearn.metrics')
    p, target = make(90, 1, n_classes)
    wanted = (metrics.roc_auc_score(target, p[:, 1]) if n_classes == 2 else
              metrics.roc_auc_score(target, p, multi_class='ovr'))
    assert_allclose(auc_of(p, target)[0], wanted, rtol=1e-12)


@pytest.mark.parametrize('n_classes', [2, 3])
def test_area_error(n_classes):
    """
    The error is the scatter of the area among samples.
    """
    found = np.array([auc_of(*make(80, seed, n_classes))
                      for seed in range(300)])
    assert_allclose(np.sqrt(np.mean(found[:, 1]**2)), found[:, 0].std(),
                    rtol=0.12)


def test_rows_of_one_galaxy():
    """
    Copies of a galaxy are no further witnesses.
    """
    p, target = make(60, 3)
    values = np.random.default_rng(4).normal(1, 2, 60)
    mean, error = mean_of(values)
    assert_allclose([mean, error], [values.mean(), values.std(ddof=1)
                                    / np.sqrt(60)])
    groups = np.repeat(np.arange(60), 4)
    assert_allclose(mean_of(np.repeat(values, 4), groups), (mean, error))
    assert mean_of(np.repeat(values, 4))[1] < 0.55 * error
    assert_allclose(auc_of(np.repeat(p, 4, axis=0), np.repeat(target, 4),
                           groups), auc_of(p, target))


@pytest.mark.parametrize(('gain', 'found'), [
    (0.3, True), (0.19, False), (-0.3, False), (0.0, False)])
def test_significant(gain, found):
    assert is_significant({'gain': gain, 'gain_err': 0.1},
                          'classes') is found
    assert is_significant({'explained': gain, 'explained_err': 0.1},
                          'numbers') is found
