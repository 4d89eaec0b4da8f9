# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The steps of the automated isophote fit.
"""

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.signal import fftconvolve

from astro_pix2prof.background.level import (
    MEASURED,
    measure_sky,
    with_structure_of,
)
from astro_pix2prof.background.rounding import add_rounding, find_step
from astro_pix2prof.detection.bad_lines import find_bad_pixels_and_lines
from astro_pix2prof.detection.cosmic_rays import find_cosmic_rays
from astro_pix2prof.detection.gaps import fill_gaps
from astro_pix2prof.detection.masks import excess_light, fill_masked
from astro_pix2prof.detection.trails import find_trail
from astro_pix2prof.ellipses.annuli import SPLINE_RADIUS, measure_rings
from astro_pix2prof.ellipses.geometry import shape_to_components
from astro_pix2prof.ellipses.model import elliptical_radius
from astro_pix2prof.fitting.radii import RingRadii
from astro_pix2prof.image.units import pixel_level
from astro_pix2prof.isophote.centre import (
    measured_centre,
    uncertain_centre,
)
from astro_pix2prof.isophote.ellipse_fit import (
    fit_ellipses,
    follow_ellipses,
    smooth_ellipses,
)
from astro_pix2prof.isophote.following import find_beside, follow_light
from astro_pix2prof.isophote.measure import measure_steps
from astro_pix2prof.isophote.others import (
    find_others,
    find_star,
    median_model,
    without_own_ends,
)
from astro_pix2prof.isophote.rays import refine_ellipses
from astro_pix2prof.isophote.sampling import spline_share
from astro_pix2prof.isophote.window import frame_window, sample_sky
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['IsophoteSteps']


# Least signal-to-noise ratio of a ring, per scale length in units of the
# resolution, at which photutils' iterations settle.
STEADY = 4.0

# Least semi-major axis (pixels) of the isophotes that photutils fits: smaller
# ones have too few pixels for its iterations to settle.
INNER = 2.0

# A star that moved the centre by more (pixels) leaves it uncertain.
_MOVED = 0.5

# How far (pixels) the galaxy is looked for from a centre that another fitter
# found.
NEAR = 8.0

# Half the side (pixels) of the window in which the galaxy is looked for first;
# it doubles until its edges are farther than so many times the detected
# extent of the galaxy.
WINDOW, EXTENT = 256.0, 2.5


def _thin_radii(max_sma):
    """
    Make semi-major axes of thin rings: half a pixel apart, then one.
    """
    return np.concatenate([np.arange(0, min(16, max_sma), 0.5),
                           np.arange(16, max_sma + 0.5, 1.0)])


class IsophoteSteps:
    """
    Measure one galaxy, step by step.

    Parameters
    ----------
    settings : `IsophoteFitter`
        The settings.

    cutout : `GalaxyCutout`
        The image.

    given : `~astro_pix2prof.ellipses.given.GivenEllipses`, optional
        Ellipses to measure on.

    initial : `InitialGeometry`, optional
        What another fitter knows of the galaxy, to begin with.

    radii : `~astro_pix2prof.fitting.radii.RingRadii`, optional
        Radii that were asked for.
    """

    # pixels that do not count, once the rings are measured
    mask: np.ndarray

    def __init__(self, settings, cutout, given=None, initial=None,
                 radii=None):
        self.settings = settings
        self.cutout = cutout
        self.given = given
        self.asked = radii or RingRadii()
        self.max_sma = self.asked.max_pixels(cutout)
        self.whole_initial = self.initial = initial
        self.n_fits = 0
        # the sky of each pixel of the image less its level
        self.tilt = 0.0
        self.first_flag = GalaxyFlag(0)
        ny, nx = cutout.shape
        self.search = settings.search_radius or min(
            8.0 if cutout.position_given else 25.0, 0.25 * min(ny, nx))
        # where light at the edge of the search led to
        self.followed = None

    def run(self):
        """
        Find the galaxy, shape the ellipses, measure.
        """
        self.frame_level, self.unit = sample_sky(
            self.cutout.data.astype(float), self.cutout.mask)
        half = max(WINDOW, 4.0 * self.search,
                   1.5 * self.farthest())
        while True:
            self.open_window(half)
            self.find()
            if self.is_elsewhere():
                continue
            half *= 2
            if self.is_cut(EXTENT * self.extent()):
                continue
            if self.given is None:
                self.shape_ellipses()
            else:
                self.take_ellipses(self.given)
            self.measure_sky()
            result = measure_steps(self)
            # The galaxy and some sky must lie within the window.
            if self.has_end() or not (
                    self.flag & GalaxyFlag.TRUNCATED
                    or self.is_cut(1.5 * result.sma[-1])):
                return result
            if not self.is_cut(np.inf):
                return result

    def is_elsewhere(self):
        """
        Tell whether the galaxy is to be looked for elsewhere, once.
        """
        # (a search radius that was asked for is kept)
        if (self.followed or self.settings.search_radius or self.is_held()
                or self.whole_initial or not self.settings.fit_centre):
            return False
        peak = follow_light(self.image, self.found, self.position,
                            self.search, self.sigma)
        self.followed = peak and tuple(np.add(peak, self.corner).tolist())
        return peak is not None

    def is_held(self):
        """
        Tell whether a centre was given with the ellipses.
        """
        return self.given is not None and self.given.centre is not None

    def is_fixed(self):
        """
        Tell whether the ellipses were given or held, and not fitted.
        """
        return self.given is not None or self.ellipse_fit.rung < 0

    def has_end(self):
        """
        Tell whether it was said where the profile ends.
        """
        return self.max_sma is not None or (
            self.given is not None and self.given.has_radii)

    def farthest(self):
        """
        Find the largest semi-major axis (pixels) that was asked for.
        """
        found = [0.0 if self.max_sma is None else self.max_sma]
        if self.asked.radii is not None:
            found.append(self.asked.wanted(self.cutout, None).max())
        if self.given is not None:
            found.append(self.given.sma.max())
        # (beyond the frame there is nothing)
        return min(max(found), float(np.hypot(*self.cutout.shape)))

    def open_window(self, half):
        """
        Cut the surroundings of the galaxy, in units of the noise.

        Parameters
        ----------
        half : float
            Half the side of the window in pixels.
        """
        cutout = self.cutout
        # (the galaxy is where given ellipses have it, whatever the position)
        expected = position = self.followed or cutout.position
        if self.whole_initial is not None:
            position = self.whole_initial.centre
        if self.is_held():
            expected = position = self.given.centre
        window = frame_window(cutout.shape, position, half)
        self.window = window
        self.corner = window[1].start, window[0].start
        self.position = self.inside_window(expected)
        self.bad = np.array(cutout.mask[window], dtype=bool)
        data = cutout.data[window].astype(float)
        with np.errstate(over='ignore', invalid='ignore'):
            self.data = np.where(self.bad, 0.0, data / self.unit)
        self.bad |= ~np.isfinite(self.data)
        self.data[self.bad] = 0.0
        self.sigma = 1.0
        self.initial = self.whole_initial
        if self.initial is not None:
            self.initial = replace(
                self.initial, centre=self.inside_window(self.initial.centre),
                others=self.initial.others[window],
                low=self.initial.low[window])
        self.flag = self.first_flag
        self.ring_centre = self.hidden = None
        # pixels of a star beside the nucleus
        self.beside = np.zeros_like(self.bad)

    def inside_window(self, point):
        """
        Pixel coordinates (x, y) in the window.
        """
        return tuple(float(p - c) for p, c in zip(point, self.corner,
                                                  strict=True))

    def is_cut(self, reach):
        """
        Tell whether the window, not the frame, ends nearer than a radius.
        """
        return any(
            (part.start > 0 and middle < reach)
            or (part.stop < n and part.stop - part.start - middle < reach)
            for part, n, middle in zip(self.window, self.cutout.shape,
                                       self.centre[::-1], strict=True))

    def extent(self):
        """
        Farthest detected pixel of the galaxy from its centre.
        """
        y, x = np.nonzero(self.found.galaxy)
        return np.hypot(x - self.centre[0],
                        y - self.centre[1]).max(initial=0.0)

    def find(self):
        """
        Find the sky, the centre and a first mask: steps 1 to 3.
        """
        settings = self.settings
        if settings.sky == 'plane':
            sky = measure_sky(self.data, self.bad, self.position,
                              search=self.search, plane=True)
            self.data = self.data - (sky.over(self.data.shape) - sky.level)
            whole = replace(sky, centre=tuple(
                c + first for c, first in zip(sky.centre, self.corner,
                                              strict=True)))
            self.tilt = self.unit * (
                whole.over(self.cutout.shape) - sky.level)
        level = self.frame_level
        if settings.sky not in MEASURED:
            level = pixel_level(settings.sky, 'sky', self.cutout)
        self.level = level / self.unit
        missing = self.bad
        if settings.mask_sources:
            self.bad = missing | find_cosmic_rays(self.data, missing,
                                                  self.sigma)
            found = find_bad_pixels_and_lines(
                self.data, self.bad, self.position, self.sigma,
                sky=self.level, reach=self.search,
                gain=self.cutout.gain and self.cutout.gain * self.unit)
            if found is not None:
                self.bad = self.bad | found
            trail = find_trail(self.data - self.level, self.bad,
                               self.position, self.sigma)
            if trail is not None:
                self.bad = self.bad | trail
                self.flag |= GalaxyFlag.NEIGHBOUR
        self.image = fill_gaps(self.data - self.level, self.bad)[0]
        position, search = self.position, self.search
        if self.initial is not None:
            position, search = self.initial.centre, min(search, NEAR)
        found = find_beside(self.image, self.bad, self.sigma, position,
                            search)
        self.found = found
        self.centre = found.centre
        # The pixels know the centre better, once it is the right peak.
        if self.initial is not None and np.hypot(
                found.centre[0] - position[0],
                found.centre[1] - position[1]) > 2.0 * found.scale:
            self.centre = position
        if not settings.fit_centre:
            self.centre = self.position
        self.hidden = uncertain_centre(self, missing)
        if self.hidden is not None:
            self.centre = self.hidden.centre
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
        Calculate a smooth model from medians of annuli, and their scatter.
        """
        model = median_model(self, self.centre, eps, theta)
        self.radius = model.radius
        return model.light, model.structure

    def shape_ellipses(self):
        """
        Fit mask and ellipses: steps 3 to 7 but for the photometry.
        """
        found = self.found
        self.thin = _thin_radii(self.reach())
        prior = self.first_shape(self.thin)
        self.eps, self.theta = (np.broadcast_to(value, self.thin.shape).copy()
                                for value in prior)
        # The mask needs ellipses, and these the mask: two turns. photutils
        # finds the isophotes in the first. Few iterations are enough, as
        # they are refined; many only wander where the signal is weak.
        fit = None
        for turn in range(4):
            # (two more where a star was in both)
            if turn > 1 and not self.beside.any():
                break
            model = self.update_mask()
            filled = fill_masked(self.image, self.masked, self.centre, model)
            if self.settings.fit_centre and found.found:
                self.centre = measured_centre(self, filled)
            result = None
            if fit is None or fit.rung < 0:
                fit = self.fit_shapes(filled, model, step=0.2, max_iter=12)
                result = smooth_ellipses(fit, self.thin, prior=prior)
                self.eps, self.theta, self.shape_error, self.inside = result
            if fit.rung >= 0:
                last = self.eps, self.theta
                fit, result = refine_ellipses(
                    filled, ~self.masked, self.centre, fit, self.thin,
                    self.eps, self.theta, sigma=self.sigma, prior=prior,
                    reach=self.visible(model, 0.15))
                self.eps, self.theta, self.shape_error, self.inside = result
                # What still moves may end elsewhere.
                self.shape_error = np.hypot(self.shape_error, np.hypot(
                    *np.subtract(shape_to_components(self.eps, self.theta),
                                 shape_to_components(*last))))
            if turn == 1:
                before = self.centre
                self.beside, self.centre = find_star(self)
        if self.beside.any():
            self.flag |= GalaxyFlag.NEIGHBOUR
            # (the centre rests on the mask)
            if np.hypot(*np.subtract(self.centre, before)) > _MOVED:
                self.flag |= GalaxyFlag.CENTRE_UNCERTAIN
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
        Return the first ellipticity and angle at a semi-major axis.
        """
        if self.initial is not None:
            return self.initial.at(sma)
        return self.found.eps, self.found.theta

    def follow(self):
        """
        Follow every isophote as photutils fits it, its centre free.
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

    def visible(self, model, level):
        """
        Semi-major axis (pixels) where a model falls to a level (sigma).
        """
        seen = self.radius[model > level * self.sigma]
        reach = seen.max() if seen.size else 6.0
        return float(np.clip(reach, 6.0, 0.95 * self.reach()))

    def steady(self, model, kernel):
        """
        Semi-major axis (pixels) up to which an ellipse fit is steady.

        An iteration moves an ellipse by the harmonics along it over the
        gradient. It settles if the gradient of the galaxy exceeds that of
        the noise; beyond, it wanders, and where it ends depends on the
        last digit of a pixel.
        """
        a = np.geomspace(2.0, max(self.visible(model, 0.15), 4.0), 40)
        order = np.argsort(self.radius, axis=None)[::5]
        level = np.interp(a, self.radius.flat[order], model.flat[order])
        level = np.maximum(level, 1e-3 * self.sigma)
        scale = a / np.clip(-np.gradient(np.log(level), np.log(a)), 0.3, 9)
        q = 1 - np.interp(a, self.thin, self.eps)
        length = 2 * np.pi * a * np.sqrt(q)
        noise, fine = self.sigma, 1.0
        if kernel:
            noise, fine = noise / (2 * np.sqrt(np.pi) * kernel), 2.0 * kernel
        snr = level / noise * np.sqrt(length / max(1.8 * fine, 1.0))
        loose = (snr < STEADY * scale / fine) | (level < 0.3 * self.sigma
                                                 / max(0.3 * fine, 1))
        loose &= a > 3
        return float(a[np.argmax(loose)] if loose.any() else a[-1])

    def fit_shapes(self, filled, model, step, max_iter):
        """
        Fit ellipses to the image, or to a smoothed one if it is faint.
        """
        found = self.found
        peak = model.max() / self.sigma
        # What fails from good first ellipses fails from worse ones.
        tries = None if self.initial is None else 2
        kernel = 0.0
        outer = self.steady(model, kernel)
        if peak < 4 or outer < 6:
            # A faint galaxy has its shape in a smoothed image only.
            kernel = float(np.clip(0.25 * found.sma, 2.0, 8.0))
            outer = max(self.steady(model, kernel), 6.0)
        start = min(0.5 * found.sma, 0.5 * outer)
        eps, theta = self.first_shape(start)
        if not kernel:
            fit = fit_ellipses(
                filled, self.centre, theta, eps, start, min_sma=INNER,
                max_sma=outer, step=step, max_iter=max_iter,
                max_tries=tries)
        else:
            # Binned by two: the smoothed image has nothing finer.
            smooth = self.smooth_along(filled, kernel)
            ny, nx = (n // 2 * 2 for n in smooth.shape)
            smooth = smooth[:ny, :nx].reshape(ny // 2, 2, nx // 2,
                                              2).mean((1, 3))
            fit = fit_ellipses(
                smooth, tuple((c - 0.5) / 2 for c in self.centre), theta,
                eps, 0.5 * start, min_sma=0.5 * kernel,
                max_sma=0.5 * outer, step=step, max_iter=max_iter,
                max_tries=tries)
            fit.sma *= 2
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
        others = find_others(self, model, structure)
        if self.given is not None:
            others = without_own_ends(self, others)
        self.masked = self.bad | others | self.beside
        if self.initial is not None:
            # A network also leaves out arms: an object adds light.
            smooth, base, noise = excess_light(self.image, model, self.sigma,
                                               self.centre)
            self.masked |= self.initial.others | (
                self.initial.low & (smooth - base > noise))
        return self.median_model(self.eps, self.theta)[0]

    def thin_rings(self, sma, eps, theta):
        """
        Measure the image along thin rings.
        """
        good, centre = ~self.masked, self.ring_centre or self.centre
        # Isophotes as photutils has them are sampled as photutils does.
        if not self.settings.smooth:
            return measure_rings(self.image, good, centre, sma, eps, theta,
                                 sigma=self.sigma, spline_radius=0.0)
        rings, fine = (measure_rings(
            self.image, good, centre, sma, eps, theta, sigma=self.sigma,
            spline_radius=radius, from_major=False)
            for radius in (SPLINE_RADIUS, np.inf))
        share = spline_share(rings.mean, self.sigma)
        rings.scatter = np.sqrt(rings.scatter**2 + share * (
            fine.scatter**2 - rings.scatter**2))
        rings.mean += share * (fine.mean - rings.mean)
        return rings

    def measure_sky(self):
        """
        Measure the sky beyond the galaxy, and its error: step 2 again.
        """
        settings = self.settings
        rings = self.thin_rings(self.thin, self.eps, self.theta)
        self.rings = rings
        # (rounded ellipses: the last digits of a fit shall not move pixels
        # from ring to ring)
        radius = elliptical_radius(
            self.data.shape, tuple(np.round(self.centre, 2)), self.thin,
            np.round(self.eps, 2), np.round(self.theta, 2))
        sky = measure_sky(self.data, self.masked, self.centre, radius=radius)
        # (what is masked may be the structure of the sky)
        sky = with_structure_of(sky, measure_sky(
            self.data, self.bad, self.centre, radius=radius))
        step = find_step(self.cutout.data, self.cutout.mask,
                         background=self.cutout.background)
        sky = add_rounding(sky, step / self.unit, self.data, self.masked)
        self.correlation = sky.correlation
        if settings.sky not in MEASURED:
            self.sky = self.level
            self.sky_err = np.hypot(
                pixel_level(settings.sky_err, 'sky_err', self.cutout)
                / self.unit, sky.rounding)
            return
        self.sky, self.sky_err = sky.level, sky.error
        if sky.is_uncertain:
            self.flag |= GalaxyFlag.SKY_UNCERTAIN
        if sky.reach > 0.5 * min(self.data.shape):
            self.flag |= GalaxyFlag.TRUNCATED

    def take_ellipses(self, given):
        """
        Take ellipses that were given, and their centre if they have one.
        """
        if given.centre is not None:
            self.centre = self.inside_window(given.centre)
        reach = self.reach()
        if given.has_radii:
            reach = max(reach, min(given.sma.max(), 4 * reach))
        self.thin = _thin_radii(reach)
        self.eps, self.theta = given.at(self.thin)
        error = given.eps_err
        self.shape_error = (np.zeros(len(self.thin)) if error is None
                            else np.interp(self.thin, given.sma, error))
        model = self.update_mask()
        if given.centre is None and (
                self.settings.fit_centre and self.found.found):
            self.centre = measured_centre(self, fill_masked(
                self.image, self.masked, self.centre, model))
            self.update_mask()
        self.flag |= GalaxyFlag.FORCED
        if given.centre is not None:
            self.flag &= ~GalaxyFlag.NO_SOURCE
