# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the ellipses that a profile gives.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof import GalaxyCutout, IsophoteFitter
from astro_pix2prof.ellipses.geometry import check_centre, given_ellipses


class TestGivenEllipses:
    @pytest.mark.parametrize(('column', 'value', 'kind'), [
        ('radius', np.nan, 'finite, increasing radii'),
        ('radius', np.inf, 'finite, increasing radii'),
        ('radius', -1.0, 'finite, increasing radii'),
        ('ellipticity', -0.1, 'ellipticities from 0 to below 1'),
        ('ellipticity', 1.0, 'ellipticities from 0 to below 1')])
    def test_no_ellipse(self, column, value, kind, galaxy_ccd,
                        sersic_profile):
        geometry = sersic_profile.copy()
        unit = geometry[column].unit
        geometry[column][5] = value if unit is None else value * unit
        with pytest.raises(ValueError, match=f'must have {kind}'):
            given_ellipses(geometry, GalaxyCutout(galaxy_ccd))
        with pytest.raises(ValueError, match=f'must have {kind}'):
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

    def test_other_part_of_the_sky(self, galaxy_ccd, sersic_profile):
        geometry = sersic_profile.copy()
        geometry.meta['ra'] = (geometry.meta['ra'] + 170.0) % 360
        match = r'centre at \d+\.\d+d .*d, on another part of the sky than the'
        with pytest.raises(ValueError, match=match):
            given_ellipses(geometry, GalaxyCutout(galaxy_ccd))

    @pytest.mark.parametrize('value', [np.nan, np.inf, -5.0])
    def test_centre(self, value, galaxy_ccd, sersic_profile):
        geometry = sersic_profile.copy()
        geometry.meta['pa_frame'] = 'pixel'
        geometry.meta['x_centre'] = value
        with pytest.raises(ValueError, match='has its centre at pixel'):
            given_ellipses(geometry, GalaxyCutout(galaxy_ccd))

    @pytest.mark.parametrize(('centre', 'is_inside'), [
        ((0, 0.5), True), ((0.5, 0), True), ((29.9, 19.9), True),
        ((-0.1, 5), False), ((5, -0.1), False), ((30, 5), False),
        ((5, 20), False)])
    def test_edges(self, centre, is_inside):
        cutout = GalaxyCutout(np.random.default_rng(1).normal(size=(20, 30)),
                              calibrated=False)
        if is_inside:
            assert check_centre(centre, cutout) == centre
            return
        with pytest.raises(ValueError, match='outside the image of 30 x 20'):
            check_centre(centre, cutout)
