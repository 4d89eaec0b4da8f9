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


@pytest.mark.parametrize('n', [2999, 3000, 5001, 20000])
@pytest.mark.parametrize('order', ['random', 'rising', 'equal', 'striped'])
def test_many(n, order):
    """
    Only values near those that are looked for are ordered.
    """
    values = np.random.default_rng(n).normal(size=n)
    if order == 'rising':
        values.sort()
    elif order == 'equal':
        values = values.round()
    elif order == 'striped':
        # (a sample that tells nothing)
        values[::n // 256] = 9.0
    assert median(values) == np.median(values)
    for part in (0.0, 0.02, 0.15, 0.3, 0.98, 1.0):
        assert_allclose(quantile(values, part), np.quantile(values, part),
                        rtol=1e-12)


@pytest.mark.parametrize('factor', [0.5, 0.99, 1.0, 1.04, 3.0])
def test_rows_with_guess(factor):
    """
    A guess makes no difference, however wrong it is.
    """
    rng = np.random.default_rng(2)
    values = rng.exponential(size=(20, 64)).astype(np.float32)
    values[3] = 0.0
    values[4] = np.round(values[4])
    used = rng.uniform(size=values.shape) < 0.8
    found = row_medians(values, used)
    assert_array_equal(row_medians(values, used, factor * found), found)
    assert_array_equal(found, [np.median(row[use].astype(float))
                               for row, use in zip(values, used,
                                                   strict=True)])
