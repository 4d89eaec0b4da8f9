# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the flags module of isophote.
"""

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_array_equal

from astro_pix2prof import RingFlag
from astro_pix2prof.isophote.flags import flag_shapes


def make_steps(*, fixed=False):
    """
    A fit of isophotes a tenth apart, one in ten of which failed.
    """
    sma = np.geomspace(2, 60, 36)
    good = np.ones(36, bool)
    good[10:16] = False
    thin = np.arange(0.0, 80)
    return SimpleNamespace(
        ellipse_fit=SimpleNamespace(sma=sma, good=good), thin=thin,
        inside=thin <= 40, is_fixed=lambda: fixed)


def test_where_no_isophote_was_fitted():
    steps = make_steps()
    want = np.array([0.0, 1.0, 1.7, 1.8, 2.0, 4.9, 5.5, 6.5, 8.0, 9.6, 20.0,
                     39.9, 40.0, 40.1, 70.0])
    flag = flag_shapes(steps, want)
    # beyond the last ring with light no ellipse is fitted
    assert_array_equal((flag & RingFlag.EXTENDED) > 0, want > 40)
    # within, most ellipses lie less than an eighth from an isophote (the
    # centre counts as 0.8 pixels)
    good = steps.ellipse_fit.sma[steps.ellipse_fit.good]
    distance = np.abs(np.log(np.maximum(want, 0.8)[:, None] / good)).min(1)
    expected = (distance > 0.125) & (want <= 40)
    assert_array_equal((flag & RingFlag.INTERPOLATED) > 0, expected)
    assert 3 < expected.sum() < 8


def test_near_the_centre():
    # an ellipse at 0.9 pixels holds down to the centre
    steps = make_steps()
    steps.ellipse_fit.sma[0] = 0.9
    flag = flag_shapes(steps, np.array([0.0, 0.2, 0.8, 1.0, 1.1]))
    assert_array_equal((flag & RingFlag.INTERPOLATED) > 0,
                       [False, False, False, False, True])


def test_fixed_ellipses():
    assert not flag_shapes(make_steps(fixed=True), np.arange(80.0)).any()
