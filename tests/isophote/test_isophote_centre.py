# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the centre that the core of a galaxy has.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_pix2prof.isophote.centre import is_even, measured_centre

Y, X = np.mgrid[:101, :101].astype(float)
CENTRE = (50.4, 49.6)


def disc(scale=14.0, centre=CENTRE):
    """
    Draw an exponential disc whose 60% are wider than the search.
    """
    return 10 * np.exp(-np.hypot(X - centre[0], (Y - centre[1]) / 0.7)
                       / scale)


def measure(image):
    steps = SimpleNamespace(
        hidden=None, bad=np.zeros(image.shape, bool), centre=(50.0, 50.0),
        position=(50.0, 50.0), search=10.0, radius=np.hypot(X - 50, Y - 50),
        found=SimpleNamespace(galaxy=image > 0.5, sma=20.0, scale=1.2))
    return measured_centre(steps, image)


class TestMeasuredCentre:
    @pytest.mark.parametrize('scale', [8.0, 14.0, 20.0])
    def test_discs_off_the_pixels(self, scale):
        # by 0.3 pixels, if the core is cut at the radius of the search
        assert_allclose(measure(disc(scale)), CENTRE, atol=0.03)

    def test_star_on_the_core(self):
        # its light does not draw the centre of the disc away
        star = 8 * np.exp(-((X - 57)**2 + (Y - 53)**2) / 4)
        found = measure(disc() + star)
        assert np.hypot(found[0] - CENTRE[0], found[1] - CENTRE[1]) < 0.5


class TestIsEven:
    def test_sides(self):
        image = disc()
        assert is_even(image, CENTRE, 20)
        assert not is_even(image, (52.0, 49.6), 20)
        star = 8 * np.exp(-((X - 57)**2 + (Y - 53)**2) / 4)
        assert not is_even(image + star, CENTRE, 20)

    def test_cut_by_the_corner(self):
        assert not is_even(disc(centre=(3.0, 3.0)), (3.0, 3.0), 20)
