# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the parameter_errors module.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.structure.parameter_errors import (
    part_of_errors,
    with_limits,
)


def test_part_of_errors():
    """
    Half of the errors of a straight line is found again, on average.
    """
    rng, n = np.random.default_rng(4), 60
    jac = np.stack([np.ones(n), np.linspace(-1, 1, n)], -1)
    inverse = np.linalg.inv(jac.T @ jac)
    left = np.eye(n) - jac @ inverse @ jac.T
    place = np.arange(n)
    # errors that are shared by neighbours, and noise that is not
    rest = np.exp(-np.abs(place[:, None] - place) / 3)
    sure = 0.3 * np.eye(n)
    root = np.linalg.cholesky(0.5 * rest + sure)
    found = [part_of_errors(left @ root @ rng.normal(size=n), jac, inverse,
                            rest, sure) for _ in range(200)]
    assert_allclose(np.mean(found), 0.5, atol=0.03)
    # neither nothing nor more than all
    assert part_of_errors(np.zeros(n), jac, inverse, rest, sure) == 0.2
    assert part_of_errors(5 * left @ np.sin(place), jac, inverse, rest,
                          sure) == 1


def test_with_limits():
    covariance = np.diag([0.01, 1e6])
    found = with_limits(covariance, np.array([8.0, 6.0]))
    # well known, and not known: that of a uniform distribution
    assert_allclose(np.diag(found), [0.01, 3.0], rtol=3e-3)
    # what hangs on it is known better, too
    both = with_limits(np.array([[1.0, 99.0], [99.0, 1e4]]),
                       np.array([np.inf, 6.0]))
    assert_allclose(both[0, 0], 1 - 99**2 / 1e4 * (1 - 3 / 1e4), rtol=0.02)
    with pytest.raises(np.linalg.LinAlgError):
        with_limits(np.zeros((2, 2)), np.ones(2))
