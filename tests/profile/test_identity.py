# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of how profiles of two galaxies are told from each other.
"""

import astropy.units as u
import pytest

from astro_pix2prof.profile.identity import (
    centres_apart,
    unlike_names,
    unlike_places,
)


@pytest.mark.parametrize(('name', 'other', 'unlike'), [
    ('ngc1300_g', 'ngc1300_r', False), ('1_g', '1_r', False),
    ('f160w-m51', 'f814w-M51', False), ('galaxy_1', 'galaxy_2', True),
    ('ngc1300', 'ngc1365', True), ('J0012+03', 'J0012-03', True),
    ('galaxy', 'galaxy_2', False), ('', 'ngc1300', False)])
def test_names(name, other, unlike):
    assert unlike_names(name, other) is unlike


def test_sky():
    here, near, far = ({'ra': 150.0 + offset / 3600, 'dec': 0.0}
                       for offset in (0.0, 4.0, 30.0))
    assert centres_apart([here]) is None
    assert centres_apart([here, {'x_centre': 1.0}]) is None
    assert centres_apart([here, near]) == 0
    assert centres_apart([here, near, far]) == pytest.approx(30, rel=1e-6)
    # (of a galaxy that is as large as this)
    assert centres_apart([here, far], 400.0) == 0


def test_pixels():
    def meta(x, scale=0.4):
        return {'x_centre': x, 'y_centre': 50.0, 'pixel_scale': scale}

    last = 40 * u.arcsec
    assert unlike_places(meta(50.0), meta(59.0), last) == ''
    assert unlike_places(meta(50.0), meta(61.0), last) == (
        'the centres are at pixels (50.0, 50.0) and (61.0, 50.0)')
    assert unlike_places(meta(50.0), meta(90.0, 0.2), last) == ''
    assert unlike_places(meta(50.0), {'x_centre': 9.0}, last) == ''
    assert unlike_places(meta(50.0), {'x_centre': 9.0, 'y_centre': 9.0},
                         last) == ''
    no_scale = [{'x_centre': x, 'y_centre': 5.0} for x in (5.0, 30.0)]
    assert unlike_places(*no_scale, 40 * u.pix) != ''
    assert unlike_places(*no_scale, 300 * u.pix) == ''
