# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests for the errors of structural parameters.
"""

import numpy as np
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile, measure_structure
from astro_pix2prof.structure.measure import _put_petrosian

RADIUS = np.geomspace(1, 60, 60)


def profile_of(intensity, error=0.01):
    cutout = GalaxyCutout(np.zeros((9, 9)), zeropoint=25, pixel_scale=1)
    flat = np.zeros(len(RADIUS))
    return build_profile(cutout, RADIUS, intensity, error * intensity,
                         ellipticity=flat, theta=flat)


def test_petrosian_radii_beyond_the_profile():
    # Of an exponential disc, the ratio falls to 0.2 at 3.6 scale lengths.
    radius = np.linspace(0, 60, 121)
    samples = np.stack([np.exp(-radius / h) for h in (10, 9, 30, 40, 11)])
    growth = np.array([np.append(0, np.cumsum(
        np.pi * np.diff(radius**2) * 0.5 * (row[1:] + row[:-1])))
        for row in samples])
    found = {}
    _put_petrosian(found.__setitem__, radius, samples, (radius, growth),
                   np.zeros(121), 25.0, False, (0.2, 1.0))
    assert_allclose(found['r_petro'][[0, 1, 4]] / [10, 9, 11], 3.6, atol=0.15)
    # (the other versions reach farther than the profile)
    assert_allclose(found['r_petro'][[2, 3]], 60)
    # without a radius of the profile itself there is none of its versions
    _put_petrosian(found.__setitem__, radius, samples[[2, 0]],
                   (radius, growth[[2, 0]]), np.zeros(121), 25.0, False,
                   (0.2, 1.0))
    assert np.isnan(found['r_petro'][0])
    assert_allclose(found['r_petro'][1] / 10, 3.6, atol=0.15)


def test_scale_lengths_of_two_kinds():
    disc = 50 * np.exp(-RADIUS / 6)
    bulge = 60 * np.exp(-7.67 * ((RADIUS / 8)**0.25 - 1))
    plain, both = (measure_structure(profile_of(value), n_samples=2)[0]
                   for value in (disc, disc + bulge))
    assert plain['h_disc_err'].value < 0.3
    # a bulge that reaches far out bends the line
    off = abs(both['h_disc'].value - 6)
    assert off > 2
    assert both['h_disc_err'].value > 0.5 * off
    assert both['h_disc_err'].value >= 0.7 * abs(
        both['h_disc'] - both['disc_h']).value
