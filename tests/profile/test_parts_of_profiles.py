# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Small parts of profiles, each on its own.
"""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, build_profile
from astro_pix2prof.profile.table import interpolate_profile


def profile_of(angles, *, unit=u.nmgy, pixel_scale=0.5):
    n = len(angles)
    cutout = GalaxyCutout(np.ones((9, 9)), unit=unit,
                          pixel_scale=pixel_scale)
    return build_profile(
        cutout, np.arange(1.0, n + 1), np.full(n, 3.0), np.full(n, 0.1),
        ellipticity=np.full(n, 0.2), ellipticity_err=np.full(n, 0.01),
        theta=np.array(angles, dtype=float), theta_err=np.ones(n),
        sky_err=1e-5, noise=0.02)


@pytest.mark.parametrize(('one', 'two', 'middle'), [
    (10, 30, 20), (170, 10, 0), (175, 15, 5), (20, 160, 0), (100, 20, 60),
    (178, 176, 177), (0, 88, 44), (5, 170, 177.5)])
def test_angles_between_rings(one, two, middle):
    # along the shorter arc, from 0 to below 180
    profile = profile_of([one, two])
    for start, end in ((one, two), (two, one)):
        profile['pa'] = [start, end] * u.deg
        found = interpolate_profile(profile, [0.75] * u.arcsec, 'pa')
        assert 0 <= found.value[0] < 180
        assert abs((found.value[0] - middle + 90) % 180 - 90) < 1e-9


def test_other_columns_between_rings():
    profile = profile_of([10, 30, 50])
    profile['ellipticity'] = [0.1, np.nan, 0.5]
    found = interpolate_profile(profile, [0.4, 0.5, 1.0, 1.5, 1.6] * u.arcsec,
                                'ellipticity')
    assert_allclose(found, [np.nan, 0.1, 0.3, 0.5, np.nan])
    profile['ellipticity'] = np.nan
    assert np.isnan(interpolate_profile(profile, [1.0] * u.arcsec,
                                        'ellipticity')).all()
