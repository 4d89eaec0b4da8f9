# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the wings module.

The light of Sersic laws is integrated by numpy.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import gammaincinv

from astro_pix2prof.structure.wings import (
    light_out_to,
    radii_beyond,
    wing_light,
)

RADIUS = np.concatenate([np.arange(0, 4, 0.5), np.geomspace(4, 40, 40)])
Q = 0.6


def law(radius, n, r_e=6.0):
    b = gammaincinv(2 * n, 0.5)
    return np.exp(-b * ((radius / r_e)**(1 / n) - 1))


def light(n, first, last=1e4):
    r = np.geomspace(first, last, 40_000)
    return 2 * np.pi * Q * np.trapezoid(r * law(r, n), r)


@pytest.mark.parametrize('n', [1.0, 2.5, 4.0])
@pytest.mark.parametrize('off', [0.0, 2.5])
def test_sersic(n, off):
    sky_err = 2e-3
    value = law(RADIUS, n) - off * sky_err
    error = 1e-2 * np.sqrt(law(RADIUS, n) / np.maximum(RADIUS, 1))
    found = wing_light(RADIUS, value, error**2, sky_err, Q)
    taken = off * sky_err * np.pi * Q * 40**2
    true = light(n, 40) + taken
    # (within a part of the light of the galaxy)
    assert_allclose(found, true, atol=0.03 * light(n, 1e-3))


def test_known_sky():
    # Without an error of the sky there is none to take.
    value = law(RADIUS, 2.0)
    found = wing_light(RADIUS, value, (1e-3 * value)**2, 0.0, Q)
    assert_allclose(found, light(2.0, 40), rtol=0.1)


def test_no_law():
    # A ring around a bulge follows no Sersic law.
    value = law(RADIUS, 2.0) + 2 * np.exp(-0.5 * (RADIUS - 12)**2)
    error = (0.01 * value)**2
    assert np.isnan(wing_light(RADIUS, value, error, 1e-4, Q))
    few = slice(None, None, 8)
    value = law(RADIUS, 2.0)
    assert np.isnan(wing_light(RADIUS[few], value[few], error[few], 1e-4, Q))


def test_radii_beyond():
    # With the slope 3, the light beyond declines as 1 / r.
    last, flux, total = 10.0, np.array([0.8, 0.85, 0.9]), np.ones(3)
    found = radii_beyond(last, 3.0, flux, total, 0.9)
    assert_allclose(found, [20.0, 15.0, 10.0])
    # steep outskirts end, flat ones do not
    assert_allclose(radii_beyond(last, np.inf, flux, total, 0.9),
                    radii_beyond(last, 8.0, flux, total, 0.9))
    assert_allclose(radii_beyond(last, 2.0, flux[:1], total[:1], 0.9), 40.0)
    assert_allclose(radii_beyond(last, 2.5, flux[:1], total[:1], 0.99), 50.0)
    assert np.isnan(radii_beyond(last, 3.0, flux, total * np.nan, 0.9)).all()


def test_light_out_to():
    """
    From the light that was measured to all of it, by two laws at once.
    """
    found = light_out_to(np.array([10.0, 20.0, 1e6]), 10.0, 4.0,
                         np.full(3, 90.0), np.full(3, 100.0))
    # wings of slope 4 have a quarter of their light beyond twice the radius;
    # a disc of this slope at 0.8 of the radius has a scale of a fifth of it
    beyond = 0.5 * (0.25 + 11 / 6 * np.exp(-5))
    assert_allclose(found, [90, 100 - 10 * beyond, 100], rtol=1e-5)
    # no slope is that of a steep profile
    steep = light_out_to(np.array([20.0]), 10.0, np.inf, np.array([90.0]),
                         np.array([100.0]))
    assert found[1] < steep[0] < 100
