# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Galaxies whose light is known at every point.
"""

import numpy as np
import pytest

from astro_pix2prof import GalaxyCutout, ProfileFit, build_profile

PIXEL = 0.5
CENTRE = (90.3, 87.6)
SHAPE = (180, 184)
SMA = np.concatenate([np.arange(0, 8, 0.5), np.exp(
    np.arange(np.log(8), np.log(70), 0.06))])


class Galaxy:
    """
    An exponential galaxy of ellipticity 0.4 at 35 degrees, or a disc.
    """

    eps, theta, pixel, centre, sma = 0.4, 35.0, PIXEL, CENTRE, SMA
    scale, height = 12.0, 3.0

    def axes(self, x, y):
        t = np.radians(self.theta)
        return (x * np.cos(t) + y * np.sin(t),
                y * np.cos(t) - x * np.sin(t))

    def ring(self, a):
        return np.exp(-np.hypot(a, 1.5) / self.scale)

    def light(self, x, y):
        u, v = self.axes(x, y)
        return self.ring(np.hypot(u, v / (1 - self.eps)))

    def disc(self, x, y):
        u, v = self.axes(x, y)
        return np.exp(-np.hypot(u, 1) / self.scale) / np.cosh(
            v / self.height)**2

    def image(self, light=None):
        y, x = np.mgrid[:SHAPE[0], :SHAPE[1]].astype(float)
        return (light or self.light)(x - CENTRE[0], y - CENTRE[1])

    def fit(self, image, *, mask=None, sky_err=0.0, noise=1e-6, sma=SMA,
            flag=None, **options):
        """
        Make the result of a fit that found the true ellipses.
        """
        options.setdefault('pixel_scale', PIXEL)
        cutout = GalaxyCutout(image, unit='nmgy', position=CENTRE, mask=mask,
                              **options)
        n = len(sma)
        eps, theta = np.full(n, self.eps), np.full(n, self.theta)
        value = self.ring(sma)
        profile = build_profile(
            cutout, sma, value, np.full(n, 1e-9), ellipticity=eps,
            theta=theta, centre=CENTRE, noise=noise, sky_err=sky_err,
            flag=flag, fitter='truth')
        return ProfileFit(profile, cutout, cutout.mask, 0.0, CENTRE, sma,
                          eps, theta, value)

    def values(self, table):
        """
        The intensities of a table in units of the pixels.
        """
        return table['intensity'].value * PIXEL**2


@pytest.fixture(scope='session')
def galaxy():
    return Galaxy()
