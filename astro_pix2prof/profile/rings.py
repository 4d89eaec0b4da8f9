# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The record of measured rings.
"""

from dataclasses import dataclass

import numpy as np

from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.brightness import (
    POGSON,
)
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['MeasuredRings']


@dataclass
class MeasuredRings:
    """
    What was measured on a galaxy, on n rings.

    Attributes
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    sma, intensity, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis in pixels, mean pixel value, its error in mag.

    eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Ellipticity, and angle of the major axis in radians from +x.

    n_valid, flag : 1D `~numpy.ndarray`, shape (n,)
        The usable part of each ring, and its flags.

    galaxy_flag : `~astro_pix2prof.GalaxyFlag`
        Those of the galaxy.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sky, noise : float
        The sky that was subtracted and the noise of a pixel.

    sky_err : float
        The error of the sky.

    noise_correlation : float
        The noise of a mean over many pixels in units of that of as many
        independent pixels.
    """

    cutout: GalaxyCutout
    sma: np.ndarray
    intensity: np.ndarray
    error: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    n_valid: np.ndarray
    flag: np.ndarray
    galaxy_flag: GalaxyFlag
    centre: tuple
    sky: float
    noise: float
    sky_err: float = 0.0
    noise_correlation: float = 1.0

    @property
    def intensity_err(self):
        """
        The error of the intensity: 1D `~numpy.ndarray`, shape (n,).
        """
        return self.intensity * self.error / POGSON
