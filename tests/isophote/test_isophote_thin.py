# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of isophote fits of discs that are a few pixels thick.
"""

import astropy.units as u
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from astro_pix2prof import IsophoteFitter
from astro_pix2prof.isophote.errors import BILINEAR_NOISE, SPLINE_NOISE

SIGMA, PEAK, SCALE, ANGLE, CENTRE = 0.02, 40.0, 25.0, 0.5, (120.3, 119.6)
SIDE, FINE = 241, 5


@pytest.fixture(name='image', scope='module')
def fixture_image():
    """
    An exponential disc of an ellipticity of 0.85, summed in pixels.
    """
    y, x = (np.mgrid[:SIDE * FINE, :SIDE * FINE] - (FINE - 1) / 2) / FINE
    x, y = x - CENTRE[0], y - CENTRE[1]
    along = x * np.cos(ANGLE) + y * np.sin(ANGLE)
    across = (y * np.cos(ANGLE) - x * np.sin(ANGLE)) / 0.15
    fine = PEAK * np.exp(-np.hypot(along, across) / SCALE)
    pixels = fine.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3))
    return pixels + np.random.default_rng(3).normal(0, SIGMA, pixels.shape)


@pytest.mark.parametrize(('options', 'far'), [
    ({'ellipticity': 0.85, 'pa': ANGLE * u.rad}, 0.003), ({}, 0.007)],
    ids=['given ellipse', 'own ellipses'])
def test_profile(image, options, far):
    profile = IsophoteFitter()(image, unit='nmgy', pixel_scale=1.0, **options)
    radius = profile['radius'].value
    use = (radius > 12) & (radius < 100)
    assert use.sum() > 20
    value, error = (profile[name].value[use]
                    for name in ('intensity', 'intensity_err'))
    true = PEAK * np.exp(-radius[use] / SCALE)
    # (bilinear interpolation is off by 0.006 and 0.019)
    assert np.abs(value / true - 1).max() < far
    assert (np.abs(value - true) < 3 * error).all()
    assert np.allclose(profile['ellipticity'][use], 0.85, atol=0.004)


@pytest.mark.parametrize(('order', 'limit'), [
    (1, BILINEAR_NOISE), (3, SPLINE_NOISE)], ids=['bilinear', 'spline'])
def test_noise_of_samples(order, limit):
    rng = np.random.default_rng(4)
    place = rng.uniform(20, 380, (2, 200_000))
    sample = map_coordinates(rng.normal(size=(400, 400)), place, order=order)
    # an eighth more is no structure
    assert np.isclose(1.13 * sample.var(), limit, rtol=0.03)
