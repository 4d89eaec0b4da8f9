# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of medians without checks.
"""

import numpy as np
import pytest
from astropy.stats import mad_std
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof.background.medians import (
    median,
    quantile,
    row_medians,
    spread,
)


@pytest.mark.parametrize('n', [1, 2, 7, 500])
@pytest.mark.parametrize('kind', [float, np.float32])
def test_as_numpy(n, kind):
    values = np.random.default_rng(n).normal(size=n).astype(kind)
    assert_allclose(median(values), np.median(values), rtol=1e-6)
    assert_allclose(spread(values), mad_std(values.astype(float)), rtol=1e-5,
                    atol=1e-7)
    for part in (0.0, 0.15, 0.3, 0.77, 1.0):
        assert_allclose(quantile(values, part), np.quantile(
            values.astype(float), part), rtol=1e-6)


def test_any_shape_and_none():
    values = np.arange(12.0).reshape(3, 4)
    assert median(values) == 5.5
    assert np.isnan(median(values[:0]))
    assert np.isnan(spread(values[:0]))


@pytest.mark.parametrize('n', [7, 8])
def test_rows(n):
    rng = np.random.default_rng(n)
    values = rng.normal(size=(20, n)).astype(np.float32)
    used = np.ones((20, n), bool)
    assert_array_equal(row_medians(values, used), np.median(
        values.astype(float), axis=1))
    used[rng.uniform(size=used.shape) < 0.3] = False
    used[:, 0] = True
    assert_array_equal(row_medians(values, used), [
        np.median(row[use].astype(float)) for row, use in zip(
            values, used, strict=True)])
