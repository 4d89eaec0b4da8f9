# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The image of a fit, made ready to be sampled at any point.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from scipy.ndimage import map_coordinates, spline_filter

from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.fitting.fit import ProfileFit
from astro_pix2prof.fitting.plateaus import find_full
from astro_pix2prof.image.astrometry import sky_to_pixel
from astro_pix2prof.profile.flags import RingFlag

__all__ = ['CutField']


# A sample counts if less than this part of it comes from bad pixels, as in
# the rings of profiles.
_TOUCHED = 0.3

# The variance that is taken for a pixel of a noise map, in units of that of
# the sky, is at least this: maps know nothing of faint sources.
_LEAST_VARIANCE = 0.25

# Rings of at least this signal-to-noise ratio tell where the major axis lies.
_CLEAR = 3.0


class CutField:
    """
    The sky-subtracted image of a fit, with its mask and noise.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    mask : 2D bool array_like, optional
        `True` for more pixels not to use.

    Attributes
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image as it was measured.

    centre : tuple of 2 floats
        The centre (x, y) in pixels of the cutout.

    bad : 2D bool `~numpy.ndarray`
        Pixels that do not count: bad ones, and other objects.

    noise : float
        The noise of a sky pixel.

    correlation : float
        The noise of a mean over many pixels in units of that of as many
        independent pixels.

    sky_err : float
        The error of the sky.

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If ``mask`` has another shape than the image.
    """

    def __init__(self, fit, mask=None):
        if not isinstance(fit, ProfileFit):
            msg = ('fit must be the result of the method fit of a fitter, '
                   f'got {type(fit).__name__}')
            raise TypeError(msg)
        self.fit, self.cutout, self.centre = fit, fit.cutout, fit.centre
        meta = fit.profile.meta
        bad = np.array(fit.mask, dtype=bool)
        others = fit.object_mask()
        if others is not None:
            bad |= others
        if mask is not None:
            mask = np.asarray(mask, dtype=bool)
            if mask.shape != bad.shape:
                msg = (f'mask must have the shape of the image, {bad.shape}, '
                       f'got {mask.shape}')
                raise ValueError(msg)
            bad |= mask
        self.bad = bad
        noise = meta.get('noise')
        self.noise = float(self.cutout.background_noise if noise is None
                           else noise)
        self.correlation = float(meta.get('noise_correlation', 1.0))
        self.sky_err = float(meta.get('sky_err', 0.0))
        image = fit.subtracted().astype(float)
        # Bilinear samples are too faint where a disc is thin, so that splines
        # are used: they need smooth values in pixels that do not count.
        image[bad] = fit.model()[bad]
        self._spline = spline_filter(image)
        self._touched = bad.astype(np.float32) if bad.any() else None
        self._variance = None
        if self.cutout.noise is not None:
            variance = np.square(self.cutout.noise, dtype=float)
            self._variance = np.where(
                fit.mask, np.median(variance[~fit.mask]), variance)
        full = find_full(self.cutout, fit.centre, fit.sky, self.noise)
        self._full = None if full is None else full.astype(np.float32)

    @property
    def core(self):
        """
        The radius (pixels) within which nothing is resolved.
        """
        fwhm = self.cutout.psf_fwhm
        return 0.5 * fwhm / self.cutout.radius_scale if fwhm else 1.0

    def sample(self, x, y):
        """
        Sample the image.

        Parameters
        ----------
        x, y : 1D `~numpy.ndarray`, shape (n,)
            Positions in pixels.

        Returns
        -------
        values : 1D `~numpy.ndarray`, shape (n,)
            The image.

        good, inside : 1D bool `~numpy.ndarray`, shape (n,)
            Whether the point counts, and whether it lies in the frame.

        variance, full : 1D `~numpy.ndarray`, shape (n,), or `None`
            The variance of a pixel there, and the part that is saturated;
            `None` where it is not known.
        """
        ny, nx = self.cutout.shape
        at = [y, x]
        values = map_coordinates(self._spline, at, order=3, prefilter=False,
                                 mode='nearest')
        inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
        good = inside

        def read(plane):
            return None if plane is None else map_coordinates(
                plane, at, order=1, mode='nearest')

        touched = read(self._touched)
        if touched is not None:
            good = inside & (touched < _TOUCHED)
        return values, good, inside, read(self._variance), read(self._full)

    def pixel_variance(self, mean, given):
        """
        Calculate the variance of a pixel.

        Parameters
        ----------
        mean : 1D `~numpy.ndarray`, shape (n,)
            The mean intensities there.

        given : 1D `~numpy.ndarray`, shape (n,)
            The means of the variances of the noise map; not-a-number where
            there is none.

        Returns
        -------
        variance : 1D `~numpy.ndarray`, shape (n,)
        """
        least = _LEAST_VARIANCE * self.noise**2
        gain = self.cutout.gain or np.inf
        own = self.noise**2 + np.maximum(np.nan_to_num(mean), 0) / gain
        return np.where(np.isfinite(given), np.maximum(given, least), own)

    def ellipses_at(self, sma):
        """
        Interpolate the ellipses of the fit.

        Parameters
        ----------
        sma : 1D `~numpy.ndarray`, shape (n,)
            Semi-major axes in pixels.

        Returns
        -------
        eps, theta : 1D `~numpy.ndarray`, shape (n,)
            Ellipticities, and angles in radians from +x.
        """
        fit = self.fit
        known = np.isfinite(fit.eps + fit.theta)
        return shape_from_components(*(
            np.interp(sma, fit.sma[known], part)
            for part in shape_to_components(
                fit.eps[known], np.radians(fit.theta[known]))))

    def ring_flags(self, sma, bits):
        """
        Take over flags of the nearest rings of the profile.

        Parameters
        ----------
        sma : 1D `~numpy.ndarray`, shape (n,)
            Semi-major axes in pixels.

        bits : `~astro_pix2prof.RingFlag`
            The flags to take over.

        Returns
        -------
        flag : 1D `~numpy.ndarray` of int, shape (n,)
            With EXTENDED beyond the profile.
        """
        own = self.fit.sma
        nearest = np.abs(sma[:, None] - own).argmin(1)
        flag = np.asarray(self.fit.profile['flag'])[nearest] & int(bits)
        flag[sma > own[-1] * (1 + 1e-9)] |= int(RingFlag.EXTENDED)
        return flag

    def major_axis(self):
        """
        Find the direction of the major axis from the outer half of the rings.

        Returns
        -------
        pa : float
            In degrees, as the column ``pa`` of the profile.
        """
        fit = self.fit
        value, error = (np.asarray(fit.profile[name].value, dtype=float)
                        for name in ('intensity', 'intensity_err'))
        known = np.isfinite(fit.eps + fit.theta)
        carried = np.asarray(fit.profile['flag']) & int(RingFlag.EXTENDED)
        with np.errstate(invalid='ignore'):
            use = known & (carried == 0) & (value > _CLEAR * error)
        if not use.any():
            use = known
        use &= fit.sma >= 0.5 * fit.sma[use].max()
        e1, e2 = shape_to_components(fit.eps[use], np.radians(fit.theta[use]))
        theta = shape_from_components(e1.mean(), e2.mean())[1]
        return float(self.cutout.to_sky_pa(np.degrees(theta))[0])

    def direction(self, pa):
        """
        Convert a position angle of a whole turn to a direction in the image.

        Parameters
        ----------
        pa : float
            In degrees: from north through east if the image has a WCS,
            otherwise from +x counter-clockwise.

        Returns
        -------
        theta : float
            In radians from +x, counter-clockwise.
        """
        cutout = self.cutout
        if cutout.wcs is None:
            return np.radians(pa)
        ra, dec = cutout.sky_position(*self.centre)
        step = (cutout.pixel_scale or 1.0) * u.arcsec
        beside = SkyCoord(ra, dec, unit='deg').directional_offset_by(
            pa * u.deg, step)
        x, y = sky_to_pixel(cutout.wcs, beside)
        return float(np.arctan2(y - self.centre[1], x - self.centre[0]))
