# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Centres of galaxies whose nucleus is missing, and their errors.

A star's mask, a saturated core or the edge of a frame may hide a nucleus.
Its place then follows from the pixels around: they are fitted with
concentric ellipses of one shape, along which the light is constant. Unlike
point symmetry this needs no pixels on the opposite side.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate, gaussian_filter

__all__ = ['HiddenCentre', 'find_hidden_centre', 'fit_centre',
           'missing_part']


# Knots of the fitted profile, evenly spaced in asinh(radius); how much its
# second differences are held back, in units of the scatter of a pixel.
_KNOTS, _STIFF = 9, 0.3

# Real isophotes are no ellipses: scatter of bright pixels about the model as
# a part of their value.
_STRUCTURE = 0.1

# Pixels farther from the model than so many times their scatter belong to
# other objects.
_CLIP = 4.0

# Errors of centres over those that the scatter of independent pixels gives,
# and the least error (pixels). Set on Sersic galaxies with holes, edges and
# columns at random.
_SCALE, _LEAST = 1.5, 0.03

# Errors are larger by this factor where only one side of a galaxy is seen:
# how far its centre is follows from the form of its isophotes alone.
_ALONE = 2.0

# A nucleus may be hidden if pixels are missing within the first radius, and
# is if this part of the pixels within the second radius is missing (pixels).
_NEAR, _NUCLEUS, _HIDDEN = 12.0, 4.0, 0.1

# A centre that is so much brighter than the first guess (by this factor, and
# by the noise of a pixel), in the mean within so many pixels, is the nucleus.
_BRIGHTER, _PEAK = 1.2, 2.0

# A first guess is better than this (pixels).
_GUESS = 2.0

# The nucleus is where a first guess is if nothing is missing there and no
# other place that is seen nearby is brighter by this factor and by the noise
# of a pixel. (Without such a look, the fits below would take a third of the
# time of all galaxies; it has lost none of 45 hidden nuclei.)
_SEEN_AS_BRIGHT = 1.1

# Fitted are the pixels within the extent of the galaxy, within these limits
# (pixels), and again within this part of that radius. At most about so many
# pixels are used, and so many to choose among first guesses.
_REACH, _INNER, _PIXELS, _FEW = (30.0, 60.0), 0.5, 3000, 600

# A fit needs so many pixels.
_FEWEST = 60

# Derivatives are differences over steps of this part of a parameter.
_DIFFERENCE = 1e-3


@dataclass
class HiddenCentre:
    """
    Centre of a galaxy whose nucleus is missing.

    Attributes
    ----------
    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    covariance : 2D `~numpy.ndarray`, shape (2, 2)
        Its covariance in square pixels.
    """

    centre: tuple
    covariance: np.ndarray

    @property
    def error(self):
        """
        The error along the longest axis, in pixels (float).
        """
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance)[-1]))

    def shifted(self):
        """
        Move the centre by its error both ways along both principal axes.

        Returns
        -------
        centres : list of tuple of 2 floats
            Four centres; the first two lie opposite each other, as do the
            others.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        steps = (np.sqrt(np.maximum(values, 0)) * vectors).T
        return [tuple(float(c) for c in np.add(self.centre, sign * step))
                for step in steps for sign in (1, -1)]


def missing_part(mask, centre, radius):
    """
    Calculate the part of the pixels within a radius that are missing.

    Parameters
    ----------
    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Missing pixels; beyond the frame all are.

    centre : tuple of 2 floats
        The middle (x, y) in pixels.

    radius : float
        In pixels.

    Returns
    -------
    part : float
        From 0 to 1.
    """
    steps = np.arange(-int(radius) - 1, int(radius) + 2)
    x, y = (round(c) + steps for c in centre)
    near = np.hypot(x - centre[0], (y - centre[1])[:, None]) <= radius
    ny, nx = mask.shape
    inside = ((y >= 0) & (y < ny))[:, None] & (x >= 0) & (x < nx)
    missing = mask[np.clip(y, 0, ny - 1)[:, None],
                   np.clip(x, 0, nx - 1)] | ~inside
    return float(missing[near].mean())


def find_hidden_centre(image, mask, start, sigma, **options):
    """
    Find the centre of a galaxy if its nucleus is missing or elsewhere.

    Parameters
    ----------
    image, mask, start, sigma, **options
        As for `fit_centre`.

    Returns
    -------
    found : `HiddenCentre` or `None`
        `None` if the nucleus is seen where the first guess is, or too few
        pixels are left.
    """
    if not missing_part(mask, start, _NEAR) or _is_seen(image, mask, start,
                                                        sigma):
        return None
    galaxy = _Galaxy(image, mask, start, sigma, **options)
    guess = galaxy.guess()

    def is_nucleus(place):
        # (it is seen, and the first guess may have been led off it)
        there, here = (_peak(image, mask, at) for at in (place, start))
        away = np.hypot(*np.subtract(place, start))
        return away < _NEAR and there > _BRIGHTER * max(here, 0.0) + sigma

    # (most holes are beside a nucleus that is seen: this takes less time)
    if guess is None or not (missing_part(
            mask, guess[:2], _NUCLEUS + _GUESS) or is_nucleus(guess[:2])):
        return None
    found = galaxy.fit(guess)
    if found is None or not (missing_part(
            mask, found.centre, _NUCLEUS) >= _HIDDEN
            or is_nucleus(found.centre)):
        return None
    return found


def _is_seen(image, mask, start, sigma):
    """
    Tell whether the nucleus is seen where the first guess is.
    """
    if missing_part(mask, start, _NUCLEUS + _GUESS):
        return False
    here = max(_peak(image, mask, start), 0.0)
    half = int(_NEAR)
    ny, nx = mask.shape
    x, y = (round(c) for c in start)
    box = np.s_[max(y - half, 0):min(y + half + 1, ny),
                max(x - half, 0):min(x + half + 1, nx)]
    good = (~mask[box]).astype(float)
    steps = np.arange(-int(_PEAK), int(_PEAK) + 1)
    disc = (np.hypot(steps, steps[:, None]) <= _PEAK).astype(float)
    # (the means of the pixels that are seen, about each of these)
    total, count = (correlate(part, disc, mode='constant') for part in (
        np.where(good > 0, image[box], 0.0), good))
    mean = total[good > 0] / count[good > 0]
    return not np.any(mean > _SEEN_AS_BRIGHT * here + sigma)


def _peak(image, mask, centre):
    """
    The mean of the good pixels around a place; -inf if there are none.
    """
    ny, nx = mask.shape
    steps = np.arange(-3, 4)
    x, y = (np.round(c).astype(int) + steps for c in centre)
    x, y = np.meshgrid(x[(x >= 0) & (x < nx)], y[(y >= 0) & (y < ny)])
    near = np.hypot(x - centre[0], y - centre[1]) <= _PEAK
    near &= ~mask[y, x]
    return float(image[y, x][near].mean()) if near.any() else -np.inf


def fit_centre(image, mask, start, sigma, *, extent=40.0, eps=0.0, theta=0.0,
               ignore=None):
    """
    Fit concentric ellipses of one shape to a galaxy.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Missing pixels.

    start : tuple of 2 floats
        The first guess (x, y) in pixels.

    sigma : float
        The noise of a sky pixel.

    extent : float, optional
        The radius (pixels) up to which the galaxy is bright.

    eps, theta : float, optional
        First guess of its ellipticity and angle (radians, from +x).

    ignore : 2D bool `~numpy.ndarray`, shape (ny, nx), optional
        Pixels that are there, and belong to other objects.

    Returns
    -------
    found : `HiddenCentre` or `None`
        `None` if too few pixels are left.
    """
    galaxy = _Galaxy(image, mask, start, sigma, extent=extent, eps=eps,
                     theta=theta, ignore=ignore)
    guess = galaxy.guess()
    return None if guess is None else galaxy.fit(guess)


class _Galaxy:
    """
    Galaxy to which ellipses are fitted: see `fit_centre`.
    """

    def __init__(self, image, mask, start, sigma, *, extent=40.0, eps=0.0,
                 theta=0.0, ignore=None):
        self.image, self.start, self.sigma = image, start, sigma
        self.mask = mask if ignore is None else mask | ignore
        self.reach = float(np.clip(extent, *_REACH))
        size = np.arctanh(min(eps, 0.9) / 0.95)
        self.shape = size * np.cos(2 * theta), size * np.sin(2 * theta)

    def guess(self):
        """
        Guess centre and shape from few pixels.
        """
        # A hole may have bent the first guess: begin in other ways, too.
        found = [_fit(self.image, self.mask, (*self.start, *e), self.sigma,
                      self.reach, few=True)
                 for e in (self.shape, (0.0, 0.0),
                           np.multiply(-1, self.shape))]
        if found[0] is None:
            return None
        return min(found, key=lambda fit: fit[2])[0]

    def fit(self, guess):
        """
        Fit centre and shape, beginning with a guess.
        """
        mask, reach = self.mask, self.reach
        found = _fit(self.image, mask, guess, self.sigma, reach)
        if found is None:
            return None
        # Isophotes of different size have their centres in different
        # places, or show by how much the model is wrong.
        again = _fit(self.image, mask, found[0], self.sigma, _INNER * reach)
        (x, y, *_), covariance, _ = found
        best, apart = (x, y), np.zeros(2)
        if again is not None:
            apart = np.subtract(again[0][:2], best)
            if np.trace(again[1]) < np.trace(covariance):
                best = again[0][:2]
        covariance = (covariance + np.outer(apart, apart)
                      + _LEAST**2 * np.eye(2))
        alone = 1 - _paired_part(mask, best, reach)
        return HiddenCentre(tuple(float(c) for c in best), (
            1 + (_ALONE**2 - 1) * alone**2) * covariance)


def _paired_part(mask, centre, reach):
    """
    Calculate the part of the pixels whose opposite pixel is seen, too.
    """
    y, x = np.nonzero(~mask)
    near = np.hypot(x - centre[0], y - centre[1]) <= reach
    x, y = (np.round(2 * c - at[near]).astype(int) for c, at in zip(
        centre, (x, y), strict=True))
    ny, nx = mask.shape
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    seen = ~mask[y[inside], x[inside]]
    return float(seen.sum() / max(len(x), 1))


def _fit(image, mask, start, sigma, reach, few=False):
    """
    Fit concentric ellipses: centre and shape, covariance, and misfit.
    """
    from scipy.optimize import least_squares

    x, y, value, weight = _pixels(image, mask, start[:2], sigma, reach,
                                  _FEW if few else _PIXELS)
    if len(x) < _FEWEST:
        return None
    centre = np.array(start[:2])
    bounds = np.array([[*(centre - reach), -3, -3],
                       [*(centre + reach), 3, 3]])
    model = _Isophotes(x, y, value, weight, reach, bounds)
    p = np.clip(start, *bounds)
    for last in (few, True):
        fit = least_squares(model.residual, p, jac=model.jacobian,
                            bounds=bounds, x_scale=[1, 1, 0.2, 0.2],
                            xtol=1e-5, ftol=1e-6, max_nfev=30)
        p, n = fit.x, len(model)
        if few:
            return p, None, np.mean(np.minimum(np.abs(fit.fun[:n]), _CLIP))
        if not last:
            miss = np.abs(fit.fun[:n])
            model = model.only(
                miss < _CLIP * max(1.4826 * np.median(miss), 1.0))
    scatter = max(float(np.mean(fit.fun[:n]**2)), 1.0)
    # (the covariance of all four: a wrong shape moves the centre)
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac)[:2, :2]
    return p, _SCALE**2 * scatter * covariance, scatter


def _pixels(image, mask, centre, sigma, reach, most):
    """
    Collect the pixels around a centre: places, values and weights.
    """
    ny, nx = mask.shape
    x0, y0 = (max(int(c - reach), 0) for c in centre)
    x1, y1 = (max(int(c + reach) + 2, first) for c, first in zip(
        centre, (x0, y0), strict=True))
    box = np.s_[y0:min(y1, ny), x0:min(x1, nx)]
    good = ~mask[box]
    data = np.where(good, image[box], 0.0).astype(float)
    share = gaussian_filter(good.astype(float), 1.5)
    level = gaussian_filter(data, 1.5) / np.maximum(share, 1e-3)
    y, x = np.nonzero(good)
    near = np.hypot(x + x0 - centre[0], y + y0 - centre[1]) <= reach
    y, x = y[near], x[near]
    step = max(-(-len(x) // most), 1)
    # (a step that is no divisor of a row takes pixels of all columns)
    y, x = y[::step], x[::step]
    bright = np.maximum(level[y, x] / sigma, 0.0)
    weight = 1 / np.sqrt(1 / (1 + bright**2) + _STRUCTURE**2)
    return x + float(x0), y + float(y0), np.arcsinh(
        data[y, x] / sigma), weight


class _Isophotes:
    """
    Concentric ellipses of one shape with the profile that fits pixels best.

    Parameters
    ----------
    x, y, value, weight : 1D `~numpy.ndarray`, shape (n,)
        The pixels: see `_pixels`.

    reach : float
        The radius (pixels) within which they lie.

    bounds : 2D `~numpy.ndarray`, shape (2, 4)
        The least and the largest centre (x, y) and shape (two components).
    """

    def __init__(self, x, y, value, weight, reach, bounds):
        self.pixels = x, y, value, weight
        self.reach, self.bounds = reach, bounds
        self.want = value * weight
        bend = _STIFF * np.diff(np.eye(_KNOTS), 2, axis=0)
        self._bend = bend
        self._stiff = bend.T @ bend + 1e-9 * np.eye(_KNOTS)

    def __len__(self):
        return len(self.want)

    def only(self, use):
        """
        Keep some of the pixels.
        """
        return _Isophotes(*(part[use] for part in self.pixels), self.reach,
                          self.bounds)

    def residual(self, p):
        """
        Calculate the residuals of the best profile for a centre and a shape.
        """
        return self._residuals(p[None])[0]

    def jacobian(self, p):
        """
        Calculate the derivatives of the residuals from differences.

        All residuals are calculated at once, which takes a fraction of the
        time of one after the other.
        """
        steps = _DIFFERENCE * p
        steps = np.where(p + steps == p, np.finfo(float).eps**0.5, steps)
        outside = (p + steps < self.bounds[0]) | (p + steps > self.bounds[1])
        steps[outside] *= -1
        around = np.vstack([p, p + np.diag(steps)])
        found = self._residuals(around)
        steps = np.diag(around[1:]) - p
        return (found[1:] - found[0]).T / steps

    def _residuals(self, p):
        """
        Calculate the residuals for several centres and shapes, shape (m, 4).

        Returns
        -------
        residuals : 2D `~numpy.ndarray`, shape (m, n + ``_KNOTS`` - 2)
        """
        x, y, _, weight = self.pixels
        size = np.hypot(p[:, 2], p[:, 3])
        q = 1 - 0.95 * np.tanh(size)
        theta = 0.5 * np.arctan2(p[:, 3], p[:, 2])
        c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
        u, v = x - p[:, :1], y - p[:, 1:2]
        along, across = u * c + v * s, (v * c - u * s) / q[:, None]
        radius = np.sqrt(along * along + across * across)
        # (the logarithm is several times as fast as numpy.arcsinh)
        place = np.log(radius + np.sqrt(radius * radius + 1))
        place *= (_KNOTS - 1) / np.arcsinh(1.5 * self.reach)
        np.minimum(place, _KNOTS - 1, out=place)
        knot = np.minimum(place.astype(np.intp), _KNOTS - 2)
        outer = (place - knot) * weight
        inner = weight - outer
        # Each pixel lies between two knots: the normal equations are
        # sums over the pixels between each two.
        m = len(p)
        row = knot + _KNOTS * np.arange(m)[:, None]

        def sums(values):
            return np.bincount(row.ravel(), values.ravel(),
                               minlength=m * _KNOTS).reshape(m, _KNOTS)

        normal = np.tile(self._stiff, (m, 1, 1))
        k = np.arange(_KNOTS)
        normal[:, k, k] += sums(inner * inner)
        normal[:, k[1:], k[1:]] += sums(outer * outer)[:, :-1]
        both = sums(inner * outer)[:, :-1]
        normal[:, k[1:], k[:-1]] += both
        normal[:, k[:-1], k[1:]] += both
        right = sums(inner * self.want)
        right[:, 1:] += sums(outer * self.want)[:, :-1]
        profile = np.linalg.solve(normal, right[..., None])[..., 0]
        flat = profile.ravel()
        left = self.want - inner * flat[row]
        left -= outer * flat[row + 1]
        return np.hstack([left, profile @ self._bend.T])
