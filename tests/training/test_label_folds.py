# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of how labelled galaxies are divided for cross-validation.
"""

import numpy as np
import pytest

from astro_pix2prof.training.label_folds import counts_of, label_folds


@pytest.mark.parametrize('stratified', [False, True])
def test_groups(stratified):
    pytest.importorskip('sklearn')
    groups = np.repeat(np.arange(30), 3)
    target = groups % 2
    folds = label_folds(target, 5, 1, stratified=stratified, groups=groups)
    held = np.concatenate([test for _, test in folds])
    assert sorted(held) == list(range(90))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == 90
        assert set(target[train]) == {0, 1}
    # another seed, another division
    other = label_folds(target, 5, 2, stratified=stratified, groups=groups)
    assert any(list(a[1]) != list(b[1])
               for a, b in zip(folds, other, strict=True))


def test_counts():
    target = np.array([0, 0, 1, 1, 1])
    assert counts_of(target).tolist() == [2, 3]
    assert counts_of(target, np.array([4, 4, 4, 5, 5])).tolist() == [1, 2]
