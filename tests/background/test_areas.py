# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of areas and the pixels beside them.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.ndimage import binary_dilation

from astro_pix2prof.background.areas import grown


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (6, 1), (17, 23)])
def test_as_scipy(shape):
    area = np.random.default_rng(0).uniform(size=shape) < 0.2
    before = area.copy()
    assert_array_equal(grown(area), binary_dilation(area))
    assert_array_equal(area, before)
