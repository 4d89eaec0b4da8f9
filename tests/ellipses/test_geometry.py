# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the ellipses that a profile gives.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, IsophoteFitter
from astro_pix2prof.ellipses.geometry import given_ellipses


class TestGivenEllipses:
    @pytest.mark.parametrize(('column', 'value', 'kind'), [
        ('radius', np.nan, 'finite and not negative'),
        ('radius', np.inf, 'finite and not negative'),
        ('radius', -1.0, 'finite and not negative'),
        ('ellipticity', -0.1, 'at least 0 and below 1'),
        ('ellipticity', 1.0, 'at least 0 and below 1'),
        ('ellipticity', np.inf, 'at least 0 and below 1'),
        ('pa', np.inf, 'finite')])
    def test_no_ellipse(self, column, value, kind, galaxy_ccd,
                        sersic_profile):
        geometry = sersic_profile.copy()
        unit = geometry[column].unit
        geometry[column][5] = value if unit is None else value * unit
        match = rf"geometry\['{column}'\] must be {kind}, got .* in row 5"
        with pytest.raises(ValueError, match=match):
            given_ellipses(geometry, GalaxyCutout(galaxy_ccd))
        with pytest.raises(ValueError, match=match):
            IsophoteFitter()(galaxy_ccd, geometry=geometry)

    @pytest.mark.parametrize('column', ['ellipticity', 'pa'])
    def test_unknown(self, column, galaxy_ccd, sersic_profile):
        # a ring without ellipse is known by its flag
        geometry = sersic_profile.copy()
        geometry[column][5] *= np.nan
        cutout = GalaxyCutout(galaxy_ccd)
        centre, sma, *_ = given_ellipses(geometry, cutout)
        assert_allclose(sma * cutout.pixel_scale, geometry['radius'].value)
        assert_allclose(centre, (62.3, 65.8), atol=1e-6)

    @pytest.mark.parametrize('value', [np.nan, np.inf, -5.0])
    def test_centre(self, value, galaxy_ccd, sersic_profile):
        geometry = sersic_profile.copy()
        geometry.meta['pa_frame'] = 'pixel'
        geometry.meta['x_centre'] = value
        with pytest.raises(ValueError, match='has its centre at pixel'):
            given_ellipses(geometry, GalaxyCutout(galaxy_ccd))
