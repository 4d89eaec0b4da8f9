# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of how much of what pixels say is added, by hand-worked numbers.
"""

import numpy as np
from numpy.testing import assert_allclose

from astro_pix2prof.inference.pixel_shares import (
    rest_error,
    significant_share,
)

EXCESS = np.array([0.0, 2.0, -2.0, 4.0, -8.0, 1e6, np.nan])


def test_share():
    # nothing within twice the noise; 1 - (2 / 4)**2, 1 - (2 / 8)**2
    assert_allclose(significant_share(EXCESS, 1.0),
                    [0, 0, 0, 0.75, 0.9375, 1, 0])
    assert_allclose(significant_share(EXCESS, 2.0)[:5],
                    [0, 0, 0, 0, 0.75])
    noise = np.array([1.0, np.nan])
    assert_allclose(significant_share(np.array([4.0, 4.0]), noise), [0.75, 0])


def test_rest():
    excess, share = np.array([0.3, 4.0, -8.0]), np.array([0.0, 0.75, 1.0])
    assert_allclose(rest_error(excess, 1.0, share, within=0.5),
                    [0, 0.25 * 3.5, 0])
    assert_allclose(rest_error(excess, 1.0, 0 * share, within=0.7),
                    [0, 3.3, 7.3])
