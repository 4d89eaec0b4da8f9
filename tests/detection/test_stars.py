# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the widths of stars.
"""

import numpy as np
from numpy.testing import assert_allclose

from astro_pix2prof.detection.stars import source_widths, star_width

N, FWHM, CENTRE = 128, 3.2, (63.4, 64.2)


def gaussian(x, y, flux, fwhm=FWHM):
    s2 = (fwhm / 2.3548)**2
    gy, gx = np.indices((N, N))
    return flux / (2 * np.pi * s2) * np.exp(
        -((gx - x)**2 + (gy - y)**2) / (2 * s2))


class TestWidth:
    good = np.ones((N, N), bool)

    def test_stars(self):
        rng = np.random.default_rng(2)
        image = sum(gaussian(x, y, 800.0) for x, y in (
            (20, 30), (90.3, 100.2), (40.6, 95)))
        image += gaussian(100, 30, 4000.0, 7.0)
        image += rng.normal(0, 1, image.shape)
        assert_allclose(star_width(image, self.good, 1.0, CENTRE), FWHM,
                        rtol=0.1)
        assert len(source_widths(image, self.good, 1.0, CENTRE)) == 4
        noise = rng.normal(0, 1, image.shape)
        assert star_width(noise, self.good, 1.0, CENTRE) is None
        assert source_widths(noise, self.good, 1.0, CENTRE) == []

    def test_least(self):
        """
        What is narrower than stars does not count.
        """
        image = gaussian(20, 30, 800.0) + gaussian(90, 100, 150.0, 1.2)
        image += np.random.default_rng(2).normal(0, 1, image.shape)
        assert star_width(image, self.good, 1.0, CENTRE) < 1.5
        assert_allclose(star_width(image, self.good, 1.0, CENTRE, least=1.5),
                        FWHM, rtol=0.1)
        assert star_width(image, self.good, 1.0, CENTRE, least=9) is None

    def test_lines(self):
        """
        What no round function fits is no star, and no warning either.
        """
        image = np.zeros((N, N))
        image[:, 30] = image[30, 90:] = 1e5
        image[90, 90] = 1e12
        assert star_width(image, self.good, 1.0, CENTRE) is None
