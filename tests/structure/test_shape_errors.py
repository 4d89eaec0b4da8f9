# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the shape_errors module.
"""

import numpy as np
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile, measure_structure

RADIUS = np.concatenate([[0.0], np.geomspace(0.5, 60, 70)])
EPS = 0.4


def structure_of(eps_err):
    cutout = GalaxyCutout(np.zeros((9, 9)), zeropoint=25, pixel_scale=1)
    flat = np.ones(len(RADIUS))
    profile = build_profile(cutout, RADIUS, 90 * np.exp(-RADIUS / 6),
                            0.01 * np.exp(-RADIUS / 6), ellipticity=EPS * flat,
                            theta=0 * flat)
    profile['ellipticity_err'] = eps_err * flat
    return measure_structure(profile, fits=False, fractions=[70])[0]


def test_radii():
    """
    The area is known, and the axis ratio is not.
    """
    sure, unsure = structure_of(0.0), structure_of(0.06)
    for name in ('r20', 'r50', 'r70', 'r80', 'r90', 'r_petro'):
        assert unsure[name] == sure[name]
        # half of a tenth, as the radius is the root of area over axis ratio
        more = unsure[f'{name}_err']**2 - sure[f'{name}_err']**2
        assert_allclose(np.sqrt(more) / sure[name], 0.05, rtol=1e-6)
    assert_allclose(np.sqrt(unsure['c59_err']**2 - sure['c59_err']**2),
                    0.05 * 2**0.5 * sure['c59'], rtol=1e-6)
    assert_allclose(np.sqrt(unsure['c28_err']**2 - sure['c28_err']**2),
                    0.25 * 2**0.5 / np.log(10), rtol=1e-6)
    # what does not lie along the axis is as certain as before
    for name in ('mag_total', 'mag_petro', 'mu_mean_50', 'r24_0'):
        assert unsure[f'{name}_err'] == sure[f'{name}_err']


def test_without_errors_of_ellipses():
    assert structure_of(np.nan)['r50_err'] == structure_of(0.0)['r50_err']
