# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the flags module of isophote.
"""

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from astro_pix2prof import RingFlag
from astro_pix2prof.isophote.flags import flag_shapes, overlap


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


class TestOverlap:
    """
    A galaxy of 2000 pixels, seen to a radius of 25, with noise of 0.1.
    """

    y, x = np.mgrid[:101, :101]
    radius = np.hypot(x - 50, y - 50)
    thin = np.arange(0.0, 60)

    def steps(self, hidden, *, extra=0.0, bad=None):
        mean = np.where(self.thin < 25, 10 * np.exp(-self.thin / 8), 0.0)
        bad = np.zeros(hidden.shape, bool) if bad is None else bad
        image = np.interp(self.radius, self.thin, mean) + extra * hidden
        return SimpleNamespace(
            thin=self.thin, eps=np.zeros(60), rings=SimpleNamespace(mean=mean),
            sigma=0.1, radius=self.radius, masked=hidden | bad, bad=bad,
            image=image)

    def test_pixels(self):
        near = np.hypot(self.x - 65, self.y - 50) < 5
        part = near.sum() / (self.radius < 25).sum()
        assert_allclose(overlap(self.steps(near)), (part, 0), atol=1e-9)
        # missing pixels are no other object
        assert overlap(self.steps(near & False, bad=near)) == (0, 0)

    def test_beyond_the_end(self):
        far = (self.x > 80) & (self.radius > 25)
        assert overlap(self.steps(far, extra=50.0)) == (0, 0)

    def test_light(self):
        star = np.hypot(self.x - 65, self.y - 50) < 2
        _, light = overlap(self.steps(star, extra=30.0))
        inside = self.radius < 25
        total = np.interp(self.radius, self.thin,
                          10 * np.exp(-self.thin / 8))[inside].sum()
        assert_allclose(light, 30 * star.sum() / total, rtol=0.01)

    def test_nothing_seen(self):
        steps = self.steps(self.x > 40)
        steps.rings.mean = np.full(60, np.nan)
        assert overlap(steps) == (0, 0)

    def test_first_rings_are_lost(self):
        """
        A nucleus that is masked, or drowns in noise, ends no galaxy.
        """
        star = np.hypot(self.x - 65, self.y - 50) < 2
        want = overlap(self.steps(star, extra=30.0))
        for first in (np.nan, 0.0):
            steps = self.steps(star, extra=30.0)
            steps.rings.mean = steps.rings.mean.copy()
            steps.rings.mean[0] = first
            assert_allclose(overlap(steps), want, rtol=0.02)
