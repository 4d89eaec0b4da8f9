# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the part of a mask that is point-symmetric.
"""

import numpy as np

from astro_pix2prof.detection.masks import symmetric_part


def test_symmetric_part():
    mask = np.zeros((40, 50), dtype=bool)
    mask[10:13, 12:15] = mask[27:30, 35:38] = True
    one_side = np.zeros_like(mask)
    one_side[30:34, 5:9] = True
    found = symmetric_part(mask | one_side, (24.5, 19.5))
    np.testing.assert_array_equal(found, mask)
    assert not symmetric_part(one_side, (24.5, 19.5)).any()
    # what has its mirror beyond the frame is on one side
    assert not symmetric_part(mask, (2.0, 2.0)).any()
