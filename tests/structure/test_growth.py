# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the growth module of structure, by hand-worked numbers.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from astro_pix2prof.structure.growth import (
    REFINE,
    area_ratio,
    part_radii,
    refine_rings,
    rising_radius,
)


def test_refined_rings():
    # smooth in their logarithm, linear where one is not positive
    radius, eps = np.array([0.0, 1.0, 3.0, 4.0]), np.array([0, 0.2, 0.4, 0.4])
    samples = np.array([[8.0, 2.0, -1.0, 1.0], [4.0, 2.0, 0.5, 0.0]])
    at, fine, shape = refine_rings(radius, samples, eps)
    assert REFINE == 6
    share = np.arange(6) / 6
    assert_allclose(at, [*share, *(1 + 2 * share), *(3 + share), 4])
    assert_allclose(fine[0], [*(8 * 0.25**share), *(2 - 3 * share),
                              *(-1 + 2 * share), 1], atol=1e-12)
    assert_allclose(fine[1], [*(4 * 0.5**share), *(2 * 0.25**share),
                              *(0.5 - 0.5 * share), 0])
    assert_allclose(shape, [*(0.2 * share), *(0.2 + 0.2 * share),
                            *np.full(7, 0.4)])


def test_rising_radius():
    # linear in the area within a ring
    radius = np.array([0.0, 1.0, 2.0, 5.0])
    flux = np.array([0.0, 1.0, 4.0, 4.0]) * np.ones((6, 1))
    flux[5] = 0.0, 3.0, 1.0, 4.0
    level = np.array([1.0, 2.5, 4.0, 4.1, 0.0, 2.0])
    assert_allclose(rising_radius(radius, flux, level), [
        1, np.sqrt(2.5), 2, np.nan, np.nan, np.sqrt(2 / 3)])


def test_part_radii():
    at = np.linspace(0, 10, 101)
    growth = np.ones((4, 1)) * at**2 / 100
    total = np.array([1.05, 1.2, 1.0, np.nan])
    rings = np.arange(1, 11.0)
    samples = rings, rings**-3 * np.ones((4, 1))
    # the second does not reach it: its light beyond declines as 1 / r
    found = part_radii(at, growth, total, samples, 0.9)
    assert_allclose(found, [10 * np.sqrt(0.945), 10 * 0.2 / 0.12,
                            10 * np.sqrt(0.9), np.nan], rtol=1e-6)
    # nothing is said of what the profile itself does not reach
    total[0] = 1.2
    found = part_radii(at, growth, total, samples, 0.9)
    assert_allclose(found, [np.nan, np.nan, 10 * np.sqrt(0.9), np.nan],
                    rtol=1e-6)


@pytest.mark.parametrize(('meta', 'want'), [
    ({'flag': 2048}, [1, 0.9, 0.8, 1]), ({}, 1),
    ({'flag': 2048, 'radii': 'given'}, 1)])
def test_light_of_the_area(meta, want):
    flux = np.array([1.0, 1.8, 2.4, np.nan])
    profile = QTable({'mag_enclosed': (20 - 2.5 * np.log10(flux)) * u.mag},
                     meta={'sb_zeropoint': 20.0, **meta})
    found = area_ratio(profile, np.ones(4, bool), np.array([1.0, 2, 3, 4]))
    assert_allclose(found, want * np.ones(4))
