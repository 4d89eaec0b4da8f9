# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The record of measured rings, which every fitter hands over.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['MeasuredRings']


@dataclass
class MeasuredRings:
    """
    Measurements of a galaxy on n rings, in pixels and units of the image.

    Tables and batches are made of these records only, in
    `~astro_pix2prof.profile.build`.

    Attributes
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image, for its calibration, WCS and name.

    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, increasing.

    intensity, intensity_err : 1D `~numpy.ndarray`, shape (n,)
        Mean pixel values without the sky, and their errors.

    eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities, and angles of the major axis in radians from +x.

    n_valid : 1D `~numpy.ndarray`, shape (n,)
        Usable fractions of the rings.

    flag : 1D `~numpy.ndarray` of int, shape (n,)
        `~astro_pix2prof.RingFlag` bits of each ring.

    galaxy_flag : `~astro_pix2prof.GalaxyFlag`
        Bits of the galaxy.

    centre : tuple of 2 floats
        The centre (x, y) in pixels of the cutout.

    centre_err : float
        The error of each of these coordinates in pixels; not-a-number where
        a fitter does not state it, or the centre was given.

    sky, sky_err : float
        All of the sky level that was subtracted, and its error.

    noise : float
        The noise of a sky pixel.

    noise_correlation : float
        The noise of a mean over many pixels in units of that of as many
        independent pixels.

    sb_err : 1D `~numpy.ndarray`, shape (n,), optional
        Errors of the surface brightness in mag, where a fitter knows them
        better than from ``intensity_err``.

    eps_err, theta_err : 1D `~numpy.ndarray`, shape (n,), optional
        Errors of ``eps`` and ``theta``.

    mag_enclosed : 1D `~numpy.ndarray`, shape (n,), optional
        Magnitudes within the ellipses; by default integrated.

    mag_enclosed_err : 1D `~numpy.ndarray`, shape (n,), optional
        Errors of these magnitudes.

    area_excess : 1D `~numpy.ndarray`, shape (n,), optional
        By how much the mean over the area of a ring is above that along
        it, for the magnitudes within ellipses that were given.

    extra : dict of 1D `~numpy.ndarray`, shape (n,), optional
        Columns that were asked for, by their names.

    meta : dict
        More about this galaxy: str, int, float or bool.
    """

    cutout: object
    sma: np.ndarray
    intensity: np.ndarray
    intensity_err: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    n_valid: np.ndarray
    flag: np.ndarray
    galaxy_flag: GalaxyFlag
    centre: tuple
    centre_err: float = np.nan
    sky: float = 0.0
    sky_err: float = 0.0
    noise: float = np.nan
    noise_correlation: float = 1.0
    sb_err: np.ndarray = None
    eps_err: np.ndarray = None
    theta_err: np.ndarray = None
    mag_enclosed: np.ndarray = None
    mag_enclosed_err: np.ndarray = None
    area_excess: np.ndarray = None
    extra: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.sma)

    @property
    def snr(self):
        """
        Signal-to-noise ratios from the stated errors: 1D array, shape (n,).

        Not-a-number where the error is not known.
        """
        with np.errstate(invalid='ignore', divide='ignore'):
            return self.intensity / self.intensity_err

    def last_seen(self, times):
        """
        Find the last ring that stands out of its error.

        Parameters
        ----------
        times : float
            By so many times its error.

        Returns
        -------
        last : int or `None`
            `None` without any, or if its ellipse is not known.
        """
        seen = np.flatnonzero(self.intensity > times * self.intensity_err)
        if not len(seen):
            return None
        last = int(seen[-1])
        return last if math.isfinite(self.eps[last]) and math.isfinite(
            self.theta[last]) else None

    @property
    def photon_snr(self):
        """
        Signal-to-noise ratios from photon noise alone: 1D array, shape (n,).

        They are those of rings one pixel wide.
        """
        q = 1 - self.eps
        n_pixels = np.maximum(2 * np.pi * self.sma * np.sqrt(
            0.5 * (1 + q**2)), 1.0)
        gain = self.cutout.gain or np.inf
        value = self.intensity
        if not np.isfinite(value).all():
            value = np.nan_to_num(value)
        variance = self.noise**2 + np.maximum(value, 0) / gain
        return value * np.sqrt(n_pixels / variance)

    @property
    def mag_err(self):
        """
        Errors of the surface brightness in mag: 1D array, shape (n,).
        """
        if self.sb_err is not None:
            return self.sb_err
        with np.errstate(invalid='ignore', divide='ignore'):
            return POGSON * self.intensity_err / np.where(
                self.intensity > 0, self.intensity, np.nan)

    def edge(self):
        """
        Calculate the distance of the centre from the edge of the frame.

        Returns
        -------
        distance : float
            In pixels.
        """
        ny, nx = self.cutout.shape
        x, y = self.centre
        return min(x, y, nx - 1 - x, ny - 1 - y) + 0.5
