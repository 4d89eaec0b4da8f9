# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The steps of the automated isophote fit.
"""

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.signal import fftconvolve
from scipy.stats import binned_statistic

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.background.level import (
    MEASURED,
    first_sky,
    measure_sky,
)
from astro_pix2prof.detection.galaxy import find_galaxy, refine_centre
from astro_pix2prof.detection.masks import (
    excess_light,
    fill_masked,
    residual_mask,
)
from astro_pix2prof.ellipses.annuli import (
    SPLINE_RADIUS,
    combine_rings,
    measure_rings,
)
from astro_pix2prof.ellipses.geometry import given_ellipses
from astro_pix2prof.ellipses.model import elliptical_radius
from astro_pix2prof.isophote.ellipse_fit import (
    fit_ellipses,
    follow_ellipses,
    join_fits,
    refine_ellipses,
    smooth_ellipses,
)
from astro_pix2prof.isophote.flags import (
    isophote_galaxy_flags,
    isophote_ring_flags,
)
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.table import build_profile

__all__ = ['IsophoteSteps']


# Set on 120 GalSim galaxies (benchmarks/render/galaxies.py --seed 7) so that
# about two thirds of the rings lie within their error. The error of a
# ring's mean in units of the scatter along it that noise does not explain;
STRUCTURE_ERROR = 0.3

# and the scale of the error of the ellipse.
SHAPE_ERROR = 1.0

# How far (pixels) the galaxy is looked for from a centre that another fitter
# found.
NEAR = 8.0


def _thin_radii(max_sma):
    """
    Semi-major axes of thin rings: half a pixel apart, then one.
    """
    return np.concatenate([np.arange(0, min(16, max_sma), 0.5),
                           np.arange(16, max_sma + 0.5, 1.0)])


def _output_radii(max_sma, step):
    """
    Semi-major axes of the table: half a pixel apart, then log-spaced.
    """
    linear = np.arange(0, 0.5 / step, 0.5)
    outer = np.exp(np.arange(np.log(linear[-1] + 0.5), np.log(max_sma),
                             step))
    return np.concatenate([linear, outer])


class IsophoteSteps:
    """
    One galaxy on its way through the steps.

    Parameters
    ----------
    settings : `IsophoteFitter`
        The settings.

    cutout : `GalaxyCutout`
        The image.

    geometry : `~astropy.table.QTable`, optional
        The profile to take centre and ellipses from.

    initial : `InitialGeometry`, optional
        What another fitter knows of the galaxy, to begin with.
    """

    def __init__(self, settings, cutout, geometry=None, initial=None):
        self.settings = settings
        self.cutout = cutout
        self.fixed = geometry
        self.initial = initial
        self.n_fits = 0
        self.data = cutout.data.astype(float)
        self.bad = cutout.mask
        self.flag = GalaxyFlag(0)
        self.ring_centre = None
        ny, nx = self.data.shape
        self.search = settings.search_radius or min(
            8.0 if cutout.position_given else 25.0, 0.25 * min(ny, nx))

    def run(self):
        """
        Find the galaxy, shape the ellipses, measure.
        """
        self.find()
        if self.fixed is None:
            self.shape_ellipses()
            self.radii = _output_radii(
                self.settings.max_sma or self.reach(), self.settings.step)
        else:
            self.take_ellipses(self.fixed)
        self.measure_sky()
        return self.measure()

    def find(self):
        """
        Steps 1 to 3: sky, centre, and a first mask.
        """
        settings = self.settings
        if settings.sky == 'plane':
            sky = measure_sky(self.data, self.bad, self.cutout.position,
                              search=self.search, plane=True)
            self.data = self.data - (sky.over(self.data.shape) - sky.level)
        level, self.sigma = first_sky(self.data, self.bad)
        if settings.sky not in MEASURED:
            level = float(settings.sky)
        self.level = level
        self.image = np.where(self.bad, 0.0, self.data - level)
        position, search = self.cutout.position, self.search
        if self.initial is not None:
            position, search = self.initial.centre, min(search, NEAR)
        found = find_galaxy(self.image, self.bad, self.sigma, position,
                            search_radius=search)
        self.found = found
        self.centre = found.centre
        # The pixels know the centre better, once it is the right peak.
        if self.initial is not None and np.hypot(
                found.centre[0] - position[0],
                found.centre[1] - position[1]) > 2.0 * found.scale:
            self.centre = position
        if not settings.fit_centre:
            self.centre = tuple(self.cutout.position)
        if not found.found:
            self.flag |= GalaxyFlag.NO_SOURCE
        self.masked = self.bad | binary_dilation(found.others > 0,
                                                 iterations=2)
        if self.initial is not None:
            self.masked = self.masked | self.initial.others
        if not settings.mask_sources:
            self.masked = self.bad

    def reach(self):
        """
        Semi-major axis that reaches the farthest corner of the frame.
        """
        ny, nx = self.data.shape
        return float(np.hypot(max(self.centre[0], nx - 1 - self.centre[0]),
                              max(self.centre[1], ny - 1 - self.centre[1])))

    def median_model(self, eps, theta):
        """
        A smooth model from the medians of annuli; their relative scatter.
        """
        self.radius = elliptical_radius(self.data.shape, self.centre,
                                        self.thin, eps, theta)
        edges = np.concatenate([[0, 0.8], np.arange(1.6, 8, 1.0), np.exp(
            np.arange(np.log(8), np.log(self.radius.max() + 1), 0.08))])
        good = ~self.masked
        r, v = self.radius[good], self.image[good]
        median = binned_statistic(r, v, 'median', edges)[0]
        centre = binned_statistic(r, r, 'mean', edges)[0]
        ok = np.isfinite(median) & np.isfinite(centre)
        if ok.sum() < 2:
            return np.zeros_like(self.image), np.zeros_like(self.image)
        # The lower side of the scatter: stars raise the upper one.
        low = binned_statistic(r, v, lambda part: np.quantile(part, 0.16)
                               if len(part) else np.nan, edges)[0]
        spread = np.sqrt(np.maximum((median - low)[ok]**2 - self.sigma**2, 0))
        median, centre = median[ok], centre[ok]
        structure = spread / np.maximum(median, 0.5 * self.sigma)
        # Outside, where the galaxy is lost in noise, so is the median.
        faint = median < 0.03 * self.sigma
        if faint.any():
            median[np.argmax(faint):] = 0.0
        return (np.interp(self.radius, centre, median),
                np.interp(self.radius, centre, structure))

    def shape_ellipses(self):
        """
        Steps 3 to 7 but for the final photometry: mask and ellipses.
        """
        found = self.found
        self.thin = _thin_radii(self.reach())
        prior = self.first_shape(self.thin)
        self.eps, self.theta = (np.broadcast_to(value, self.thin.shape).copy()
                                for value in prior)
        # A rough turn for the mask, which good first ellipses spare, and a
        # fine one for the result.
        turns = ((0.2, 12), (0.12, 25))
        if self.initial is not None:
            turns = turns[1:]
        for turn, (step, max_iter) in enumerate(turns, 1):
            model = self.update_mask()
            filled = fill_masked(self.image, self.masked, self.centre, model)
            if self.settings.fit_centre and found.found:
                self.centre = self.recentre(filled)
            fit = self.fit_shapes(filled, model, step, max_iter)
            last = turn == len(turns)
            result = smooth_ellipses(fit, self.thin, prior=prior)
            if last and fit.rung >= 0:
                fit = refine_ellipses(filled, self.centre, fit, self.thin,
                                      *result[:2], sigma=self.sigma)
                result = smooth_ellipses(fit, self.thin, prior=prior)
            self.eps, self.theta, self.shape_error, self.inside = result
        if fit.rung > 0:
            self.flag |= GalaxyFlag.SECOND_GUESS
        elif fit.rung < 0:
            self.flag |= GalaxyFlag.FIXED_ELLIPSES
        self.ellipse_fit = fit
        self.update_mask()
        if not self.settings.smooth:
            self.follow()

    def first_shape(self, sma):
        """
        First ellipticity and angle at a semi-major axis.
        """
        if self.initial is not None:
            return self.initial.at(sma)
        return self.found.eps, self.found.theta

    def follow(self):
        """
        Every isophote as photutils fits it, its centre free.
        """
        model, _ = self.median_model(self.eps, self.theta)
        filled = fill_masked(self.image, self.masked, self.centre, model)
        visible = self.radius[model > 0.15 * self.sigma]
        limit = min(visible.max() if visible.size else 6.0, self.reach())
        at = np.argmin(np.abs(self.thin - 0.3 * limit))
        fit = fit_ellipses(
            filled, self.centre, self.theta[at], self.eps[at], 0.3 * limit,
            max_sma=max(limit, 6.0), step=0.1, max_iter=50, fix_centre=False)
        self.n_fits += fit.tried
        if fit.rung < 0:
            return
        self.ellipse_fit = fit
        (self.eps, self.theta, self.shape_error, self.inside,
         *self.ring_centre) = follow_ellipses(fit, self.thin)

    def fit_shapes(self, filled, model, step, max_iter):
        """
        Ellipses of the image and, where it is faint, of a smoothed one.
        """
        found = self.found
        peak = model.max() / self.sigma

        def limit(level):
            visible = self.radius[model > level * self.sigma]
            reach = visible.max() if visible.size else 6.0
            return float(np.clip(reach, 6.0, 0.95 * self.reach()))

        outer = limit(0.15)
        # What fails from good first ellipses fails from worse ones.
        tries = None if self.initial is None else 2
        fits = []
        if peak > 4:
            inner = limit(0.7)
            start = min(0.5 * found.sma, 0.5 * inner)
            eps, theta = self.first_shape(start)
            fits.append(fit_ellipses(
                filled, self.centre, theta, eps, start, max_sma=inner,
                step=step, max_iter=max_iter, max_tries=tries))
        else:
            inner = 3.0
        kernel = 2.0 if peak > 2.5 else 3.0
        at = np.argmin(np.abs(self.thin - 0.8 * max(inner, 6.0)))
        # Binned by two: the smoothed image has nothing finer.
        smooth = self.smooth_along(filled, kernel)
        ny, nx = (n // 2 * 2 for n in smooth.shape)
        smooth = smooth[:ny, :nx].reshape(ny // 2, 2, nx // 2, 2).mean((1, 3))
        half = fit_ellipses(
            smooth, tuple((c - 0.5) / 2 for c in self.centre),
            self.theta[at], self.eps[at], max(0.35 * inner, 0.2 * outer),
            min_sma=max(0.3 * inner, kernel), max_sma=0.5 * outer, step=step,
            max_iter=max_iter, max_tries=tries)
        half.sma *= 2
        fits.append(half)
        fit = join_fits(fits)
        self.n_fits += fit.tried
        if fit.rung < 0 and self.initial is not None:
            fit.eps, fit.theta = self.initial.at(fit.sma)
        return fit

    def smooth_along(self, image, kernel):
        """
        Smooth with a kernel of the galaxy's own shape, which it keeps.
        """
        at = len(self.thin) // 3
        q = max(1 - self.eps[at], 0.15)
        theta = self.theta[at]
        half = int(3 * kernel) + 1
        y, x = np.mgrid[-half:half + 1, -half:half + 1]
        u = x * np.cos(theta) + y * np.sin(theta)
        v = (y * np.cos(theta) - x * np.sin(theta)) / q
        beam = np.exp(-0.5 * (u**2 + v**2) / kernel**2)
        return fftconvolve(np.pad(image, half, mode='edge'),
                           beam / beam.sum(), 'valid')

    def update_mask(self):
        """
        Mask what exceeds the smooth model; return the model.
        """
        model, structure = self.median_model(self.eps, self.theta)
        if not self.settings.mask_sources:
            self.masked = self.bad
            return model
        self.masked = self.bad | residual_mask(
            self.image, model, self.sigma, self.radius, self.centre,
            others=self.found.others, structure=structure)
        if self.initial is not None:
            # A network also leaves out arms: an object adds light.
            smooth, base, noise = excess_light(self.image, model, self.sigma,
                                               self.centre)
            self.masked |= self.initial.others | (
                self.initial.low & (smooth - base > noise))
        return self.median_model(self.eps, self.theta)[0]

    def recentre(self, filled):
        """
        The centre once more, with the other objects filled in.
        """
        smooth = gaussian_filter(filled, 1.0)
        return refine_centre(smooth, self.found.galaxy | (self.radius < 5),
                             self.centre, max_shift=max(
                                 3.0, 2.0 * self.found.scale))

    def measure_sky(self):
        """
        Step 2 again: the sky beyond the galaxy, and its error.
        """
        settings = self.settings
        # Isophotes as photutils has them are sampled as photutils does.
        rings = measure_rings(
            self.image, ~self.masked, self.ring_centre or self.centre,
            self.thin, self.eps, self.theta, sigma=self.sigma,
            spline_radius=SPLINE_RADIUS if settings.smooth else 0.0)
        self.rings = rings
        sky = measure_sky(self.data, self.masked, self.centre,
                          radius=self.radius)
        self.correlation = sky.correlation
        if settings.sky not in MEASURED:
            self.sky, self.sky_err = self.level, settings.sky_err
            return
        self.sky, self.sky_err = sky.level, sky.error
        if sky.how == 'tail':
            self.flag |= GalaxyFlag.SKY_UNCERTAIN
        if sky.reach > 0.5 * min(self.data.shape):
            self.flag |= GalaxyFlag.TRUNCATED

    def measure(self):
        """
        Steps 5 to 7: photometry on the final ellipses, and its errors.
        """
        settings, cutout = self.settings, self.cutout
        want = self.radii
        # Half a pixel is finer than what a star is smeared over.
        width = np.where(want < 4, 0.5,
                         np.maximum(1.0, 1.2 * settings.step * want))
        rings = combine_rings(self.thin, self.rings, want, width)
        intensity = rings.mean - (self.sky - self.level)
        error = self.ring_error(want, width, rings, intensity)
        if self.fixed is None:
            eps = np.interp(want, self.thin, self.eps)
            # Angles along the shorter arc.
            theta = 0.5 * np.interp(want, self.thin,
                                    np.unwrap(2 * self.theta))
        else:
            eps, theta = self.given
        shape_error = np.interp(want, self.thin, self.shape_error)
        if self.fixed is None:
            stop = self.last_ring(intensity / error, rings.n_valid, want)
        else:
            stop = len(want)
        keep = slice(0, stop)
        none = ~np.isfinite(intensity)
        error[none] = np.nan
        flag = isophote_ring_flags(self, want, none)
        if (flag[want < 3] & RingFlag.SATURATED).any():
            self.flag |= GalaxyFlag.SATURATED
        self.flag |= isophote_galaxy_flags(self, rings, intensity, stop)
        profile = build_profile(
            cutout, want[keep], intensity[keep], error[keep],
            ellipticity=eps[keep], ellipticity_err=shape_error[keep],
            theta=np.degrees(theta[keep]),
            theta_err=np.degrees(np.minimum(
                shape_error / (2 * np.maximum(eps, 1e-3)),
                np.pi / 2))[keep],
            n_valid=rings.n_valid[keep], flag=flag[keep],
            centre=self.centre, sky=self.sky, sky_err=self.sky_err,
            noise=self.sigma, fitter='IsophoteFitter',
            meta={'noise_correlation': self.correlation},
            galaxy_flag=int(self.flag))
        if self.initial is not None:
            profile.meta['initial'] = self.initial.name
        return {'profile': profile, 'cutout': cutout, 'mask': self.masked,
                'n_fits': self.n_fits,
                'sky': self.sky, 'centre': self.centre, 'sma': want[keep],
                'eps': eps[keep], 'theta': np.degrees(theta[keep]),
                'intensity': intensity[keep]}

    def ring_error(self, want, width, rings, intensity):
        """
        Error of the mean of each ring.
        """
        pixel_var = self.pixel_variance(want, intensity)
        # Bilinear sampling halves the noise of a sample; what scatter is
        # left along the ring is arms, clumps and a wrong ellipse.
        structure = np.maximum(rings.scatter**2 - 0.5 * pixel_var, 0.0)
        # A wrong ellipticity moves the ellipse across the gradient.
        q = 1 - np.interp(want, self.thin, self.eps)
        slope = np.abs(np.gradient(np.nan_to_num(intensity), want)) * want
        shape = slope * np.interp(want, self.thin, self.shape_error) / q
        correlated = ring_correlation(self.correlation, width)
        return np.sqrt(correlated**2 * pixel_var / rings.n_pixels
                       + STRUCTURE_ERROR**2 * structure
                       + SHAPE_ERROR**2 * shape**2
                       + self.sky_err**2)

    def pixel_variance(self, want, intensity):
        """
        Variance of a pixel on each ring.
        """
        cutout = self.cutout
        if cutout.noise is not None:
            given = np.where(self.bad, 0.0, cutout.noise.astype(float)**2)
            rings = measure_rings(given, ~self.masked, self.centre, self.thin,
                                  self.eps, self.theta, sigma=np.inf)
            ok = np.isfinite(rings.mean)
            # Resampled images: the map knows nothing of faint sources.
            floor = 0.25 * self.sigma**2
            return np.maximum(np.interp(want, self.thin[ok],
                                        rings.mean[ok]), floor)
        variance = np.full(len(want), self.sigma**2)
        if cutout.gain:
            variance += np.maximum(np.nan_to_num(intensity), 0) / cutout.gain
        return variance

    def last_ring(self, snr, n_valid, want):
        """
        The number of rings to keep: the signal or the frame ends.
        """
        present = np.isfinite(snr) & (n_valid > 0.05)
        if not present.any():
            return min(4, len(want))
        end = np.nonzero(present)[0][-1] + 1
        if self.settings.max_sma is not None:
            return end
        # Three faint rings in a row end the profile; one or two do not.
        faint = np.where(present, snr < self.settings.min_snr, False)
        run = np.convolve(faint, np.ones(3), 'valid') == 3
        if run.any():
            end = min(end, int(np.argmax(run)) + 1)
        return max(end, 4)

    def take_ellipses(self, profile):
        """
        The centre and the ellipses of another profile, on this image.
        """
        self.centre, self.radii, eps, theta = given_ellipses(profile,
                                                             self.cutout)
        theta = np.radians(theta)
        self.given = eps, theta
        self.thin = _thin_radii(max(self.reach(), self.radii.max()))
        e1 = np.interp(self.thin, self.radii, eps * np.cos(2 * theta))
        e2 = np.interp(self.thin, self.radii, eps * np.sin(2 * theta))
        self.eps, self.theta = np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)
        self.shape_error = np.interp(self.thin, self.radii, np.nan_to_num(
            np.asarray(profile['ellipticity_err'], dtype=float)))
        self.update_mask()
        self.flag |= GalaxyFlag.FORCED
        self.flag &= ~GalaxyFlag.NO_SOURCE
