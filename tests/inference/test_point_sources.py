# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the widths, fluxes and shapes of point sources.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import zoom

from astro_pix2prof.inference.point_sources import (
    error_beside_noise,
    fit_fluxes,
    noise_width,
)

N, FWHM, CENTRE = 128, 3.2, (63.4, 64.2)


def gaussian(x, y, flux, fwhm=FWHM):
    s2 = (fwhm / 2.3548)**2
    gy, gx = np.indices((N, N))
    return flux / (2 * np.pi * s2) * np.exp(
        -((gx - x)**2 + (gy - y)**2) / (2 * s2))


class TestWidth:
    def test_noise(self):
        """
        Noise that was enlarged four times has pixels of four pixels.
        """
        rng = np.random.default_rng(4)
        noise = zoom(rng.normal(0, 1, (60, 60)), 4, order=3)
        sky = np.ones(noise.shape, bool)
        assert_allclose(noise_width(noise, sky), 3.2 * 4, rtol=0.15)
        assert noise_width(rng.normal(0, 1, (60, 60)),
                           np.ones((60, 60), bool)) is None
        assert noise_width(noise, ~sky) is None
        assert noise_width(0 * noise, sky) is None


class TestFluxes:
    def test_pulls(self):
        """
        Errors are those of the noise.
        """
        rng = np.random.default_rng(6)
        pulls = []
        for _ in range(60):
            y, x = np.indices((41, 41))
            r2 = (x - 20.3)**2 + (y - 19.8)**2
            scale = 4 * (2**(1 / 4.765) - 1) / FWHM**2
            image = 100 * 3.765 / np.pi * scale * (1 + scale * r2)**-4.765
            image += rng.normal(0, 1, image.shape)
            one, = fit_fluxes(image, np.ones(image.shape, bool),
                              np.ones(image.shape), [20.3], [19.8], FWHM)
            pulls.append((one.flux - 100) / one.error)
        assert 0.75 < np.std(pulls) < 1.3
        assert abs(np.mean(pulls)) < 0.5

    @pytest.mark.parametrize('wide', [1.0, 1.2, 1.36, 1.5, 1.8])
    def test_widths(self, wide):
        """
        Errors hold that the width is not known, between all widths.
        """
        rng = np.random.default_rng(16)
        y, x = np.indices((41, 41))
        r2 = (x - 20.3)**2 + (y - 19.8)**2
        scale = 4 * (2**(1 / 4.765) - 1) / (wide * FWHM)**2
        light = 3.765 / np.pi * scale * (1 + scale * r2)**-4.765
        good = np.ones(light.shape, bool)
        found = []
        for _ in range(60):
            image = 150 * light + rng.normal(0, 1, light.shape)
            one, = fit_fluxes(image, good, good * 1.0, [20.3], [19.8], FWHM)
            found.append((one.likely_flux, one.likely_error,
                          one.likely_width))
        flux, error, width = np.array(found).T
        # (wide ones may be point sources with light around)
        assert_allclose(flux.mean(), 150, rtol=0.12)
        pulls = np.abs(flux - 150) / error
        assert 0.55 < np.mean(pulls < 1) < 0.9
        assert np.mean(pulls > 3) < 0.05
        assert_allclose(width.mean(), wide, rtol=0.15)

    def test_beside_noise(self):
        """
        Fluxes are known to 6%, and to 15% of the galaxy below.
        """
        assert error_beside_noise(100.0, -1.0, 3.0) == 6.0
        # a Gaussian of sigma s, a FWHM of 2.3548 s, covers 2 pi s^2 pixels
        area = 2 * np.pi * (4.0 / 2.35482)**2
        assert_allclose(error_beside_noise(0.0, 2.0, 4.0), 0.3 * area,
                        rtol=1e-5)

    def test_shapes(self):
        """
        Widths and elongations tell wide and long sources from point sources.
        """
        good = np.ones((61, 61), bool)
        gy, gx = np.indices(good.shape)
        found = {}
        for name, wide, long in (('star', 1.0, 1.0), ('wide', 1.5, 1.5),
                                 ('long', 1.0, 1.9), ('thin', 0.75, 0.75)):
            r2 = ((gx - 30.2) / long)**2 + ((gy - 29.7) / wide)**2
            scale = 4 * (2**(1 / 4.765) - 1) / FWHM**2
            image = 60 * (1 + scale * r2)**-4.765
            found[name], = fit_fluxes(image, good, good * 1.0, [30.2], [29.7],
                                      FWHM, shapes=True)
        assert abs(found['star'].log_width) < 0.05
        assert_allclose(found['wide'].log_width, np.log(1.5), atol=0.1)
        assert found['star'].extended < 2 < 10 < found['wide'].extended
        assert found['thin'].extended < -5
        assert found['star'].elongation < 0.03 < 0.1 < found[
            'long'].elongation
        plain, = fit_fluxes(image, good, good * 1.0, [30.2], [29.7], FWHM)
        assert plain.log_width == plain.extended == plain.elongation == 0

    def test_hidden(self):
        """
        A source of which nothing is seen has no shape, and is no error.
        """
        good = np.zeros((31, 31), bool)
        one, = fit_fluxes(np.zeros(good.shape), good, good + 1.0, [15.0],
                          [15.0], FWHM, shapes=True)
        assert one.extended == one.elongation == 0
