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


def test_symmetric_part_at_the_edges():
    # the first and the last row and column have each other for a mirror
    mask = np.zeros((40, 50), dtype=bool)
    mask[0, 20] = mask[39, 29] = mask[15, 0] = mask[24, 49] = True
    np.testing.assert_array_equal(symmetric_part(mask, (24.5, 19.5)), mask)
    # two pixels are near enough, three are not
    for away, both in ((2, True), (3, False)):
        mask[:] = False
        mask[10, 20] = mask[29, 29 + away] = True
        assert symmetric_part(mask, (24.5, 19.5)).any() == both
