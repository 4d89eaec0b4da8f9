# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the area module, against integrals over the angle.
"""

import numpy as np
from numpy.testing import assert_allclose

from astro_pix2prof.ellipses.annuli import sample_rings
from astro_pix2prof.ellipses.area import area_excess

SHAPE, CENTRE = (101, 101), (50.0, 50.0)


def round_galaxy():
    y, x = np.indices(SHAPE)
    return np.exp(-np.hypot(x - 50, y - 50) / 8)


def excess(image, eps, good=None, **options):
    sma = np.array([15.0, 25.0, 40.0])
    good = np.ones(SHAPE, bool) if good is None else good
    return area_excess(sample_rings(
        image, good, CENTRE, sma, np.full(3, eps), np.full(3, 0.4)), 3,
        **options)


def true_excess(sma, eps):
    t = (np.arange(4000) + 0.5) * (2 * np.pi / 4000)
    u, v = sma * np.cos(t), sma * (1 - eps) * np.sin(t)
    value = np.exp(-np.hypot(u, v) / 8)
    arc = np.hypot(sma * np.sin(t), sma * (1 - eps) * np.cos(t))
    return value.mean() - (arc * value).sum() / arc.sum()


def test_round_galaxy_in_flat_rings():
    found = excess(round_galaxy(), 0.6)
    true = [true_excess(a, 0.6) for a in (15.0, 25.0, 40.0)]
    assert_allclose(found, true, rtol=0.03)
    # less than the mean along the ring
    assert np.all(found < 0)


def test_even_rings():
    assert_allclose(excess(round_galaxy(), 0.0), 0, atol=1e-12)
    assert_allclose(excess(np.full(SHAPE, 3.0), 0.6), 0, atol=1e-12)


def test_level_of_the_sky():
    found = excess(round_galaxy() + 100, 0.6)
    assert_allclose(found, excess(round_galaxy(), 0.6), atol=1e-6)


def test_ring_without_pixels():
    good = np.zeros(SHAPE, bool)
    assert_allclose(excess(round_galaxy(), 0.6, good), 0)


def test_outliers():
    # on two sides they are the galaxy's, on one another object's
    y, x = np.indices(SHAPE)
    image = 1e-3 * np.random.default_rng(1).normal(size=SHAPE)
    one, two = (np.exp(-0.5 * np.hypot(x - 50 - a, y - 50 - b)**2)
                for a, b in ((-5.8, 13.7), (5.8, -13.7)))
    alone = excess(image + one, 0.4, sigma=1e-3)
    both = excess(image + one + two, 0.4, sigma=1e-3)
    assert np.all(np.abs(alone) < 3e-3)
    assert both.max() == both[1] > 0.02
