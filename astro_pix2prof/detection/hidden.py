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

# The nucleus is where a first guess is if less than that is missing within
# the error of the guess, and no other place that is seen nearby is brighter
# by this factor and by the noise of a pixel. (Without such a look, the fits
# below would take a third of the time of all galaxies; it has lost none of 45
# hidden nuclei.)
_SEEN_AS_BRIGHT = 1.1

# Fitted are the pixels within the extent of the galaxy, within these limits
# (pixels), and again within this part of that radius. At most about so many
# pixels are used, and so many to choose among first guesses.
_REACH, _INNER, _PIXELS, _FEW = (30.0, 60.0), 0.5, 3000, 600

# A fit needs so many pixels.
_FEWEST = 60

# Derivatives are differences over these steps of centre (pixels) and shape.
# (Pixels pass from one pair of knots to the next: over smaller steps, fits
# end in the kinks that this makes.)
_DIFFERENCES = np.array([0.2, 0.2, 0.04, 0.04])

# A fit ends when its next step is smaller than these, or the sum of squares
# falls by less than this part of it, or after so many steps.
_SMALL = np.array([1e-3, 1e-3, 2e-4, 2e-4])

_FALL, _STEPS = 1e-6, 30

# Damping at first, the factors by which it falls after a step that helped
# and grows after one that did not, and its least value.
_DAMPING, _LESS, _MORE, _UNDAMPED = 1e-3, 0.2, 5.0, 1e-7


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

    def may_be_hidden(place):
        return (missing_part(mask, place, _NUCLEUS + _GUESS) > 0
                or is_nucleus(place))

    # (most holes are beside a nucleus that is seen: this takes less time)
    if guess is None or not may_be_hidden(guess[:2]):
        return None
    found = galaxy.fit(guess, accept=may_be_hidden)
    if found is None or not (missing_part(
            mask, found.centre, _NUCLEUS) >= _HIDDEN
            or is_nucleus(found.centre)):
        return None
    return found


def _is_seen(image, mask, start, sigma):
    """
    Tell whether the nucleus is seen where the first guess is.
    """
    if (missing_part(mask, start, _NUCLEUS + _GUESS)
            and _most_missing(mask, start) >= _HIDDEN):
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


def _most_missing(mask, start):
    """
    Calculate the part that is missing of the nucleus where most would be.

    A single bad pixel beside a nucleus hides none, wherever within the error
    of the first guess it is.
    """
    steps = np.arange(-_GUESS, _GUESS + 1)
    return max(missing_part(mask, (start[0] + dx, start[1] + dy), _NUCLEUS)
               for dx in steps for dy in steps if np.hypot(dx, dy) <= _GUESS)


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
        model = _Isophotes.of(self.image, self.mask, self.start, self.sigma,
                              self.reach, _FEW)
        if model is None:
            return None
        # A hole may have bent the first guess: begin in other ways, too.
        starts = np.array([(*self.start, *np.multiply(part, self.shape))
                           for part in (1, 0, -1)])
        found = _descend(model, starts)
        miss = np.mean(np.minimum(np.abs(
            found.residual[:, :len(model)]), _CLIP), axis=1)
        return found.p[np.argmin(miss)]

    def fit(self, guess, *, accept=None):
        """
        Fit centre and shape, beginning with a guess.

        Give up where a place close to the centre is not accepted.
        """
        mask, reach = self.mask, self.reach
        found = _fit(self.image, mask, guess, self.sigma, reach)
        if found is None or (accept is not None and not accept(found[0][:2])):
            return None
        # Isophotes of different size have their centres in different
        # places, or show by how much the model is wrong.
        again = _fit(self.image, mask, found[0], self.sigma, _INNER * reach)
        (x, y, *_), covariance = found
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


def _fit(image, mask, start, sigma, reach):
    """
    Fit concentric ellipses: centre and shape, and covariance of the centre.
    """
    model = _Isophotes.of(image, mask, start[:2], sigma, reach, _PIXELS)
    if model is None:
        return None
    first = _descend(model, np.array([start]))
    miss = np.abs(first.residual[0, :len(model)])
    model = model.only(miss < _CLIP * max(1.4826 * np.median(miss), 1.0))
    found = _descend(model, first.p)
    residual, jacobian = found.residual[0, :len(model)], found.jacobian[0]
    scatter = max(float(np.mean(residual**2)), 1.0)
    # (the covariance of all four: a wrong shape moves the centre)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)[:2, :2]
    return found.p[0], _SCALE**2 * scatter * covariance


@dataclass
class _Minimum:
    """
    Ends of fits: parameters, residuals, and their derivatives.

    Attributes
    ----------
    p : 2D `~numpy.ndarray`, shape (m, 4)
    residual : 2D `~numpy.ndarray`, shape (m, n)
    jacobian : 3D `~numpy.ndarray`, shape (m, n, 4)
    """

    p: np.ndarray
    residual: np.ndarray
    jacobian: np.ndarray

    @property
    def cost(self):
        """
        Sums of squares (1D `~numpy.ndarray`, shape (m,)).
        """
        return np.einsum('mn,mn->m', self.residual, self.residual)


def _descend(model, starts):
    """
    Minimise the squares of the residuals from several starts at once.

    Damped least squares (Marquardt 1963, J. Soc. Ind. Appl. Math. 11, 431).
    `scipy.optimize.least_squares` finds the same minima one after the other,
    which takes longer.

    Parameters
    ----------
    model : `_Isophotes`
        The model.

    starts : 2D `~numpy.ndarray`, shape (m, 4)
        First guesses.

    Returns
    -------
    found : `_Minimum`
    """
    best = model.linearise(np.clip(starts, *model.bounds))
    cost = best.cost
    damping = np.full(len(starts), _DAMPING)
    going = np.ones(len(starts), bool)
    for _ in range(_STEPS):
        rows = np.flatnonzero(going)
        jacobian = best.jacobian[rows]
        normal = np.einsum('mni,mnj->mij', jacobian, jacobian)
        slope = np.einsum('mni,mn->mi', jacobian, best.residual[rows])
        size = np.einsum('mii->mi', normal)
        # (a shape that makes no difference keeps its value)
        size += 1e-12 * size.max(axis=1, keepdims=True) + 1e-300
        size *= 1 + damping[rows, None]
        old = best.p[rows]
        new = np.clip(old - np.linalg.solve(normal, slope[..., None])[..., 0],
                      *model.bounds)
        trial = model.linearise(new)
        fall = cost[rows] - trial.cost
        helped = fall > 0
        small = (np.abs(new - old) <= _SMALL).all(axis=1)
        going[rows] = ~(small | helped & (fall <= _FALL * cost[rows]))
        damping[rows] = np.maximum(damping[rows] * np.where(
            helped, _LESS, _MORE), _UNDAMPED)
        moved = rows[helped]
        best.p[moved], best.residual[moved], best.jacobian[moved] = (
            trial.p[helped], trial.residual[helped], trial.jacobian[helped])
        cost[moved] -= fall[helped]
        if not going.any():
            break
    return best


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

    @classmethod
    def of(cls, image, mask, centre, sigma, reach, most):
        """
        A model of at most so many pixels of a galaxy; `None` if too few.
        """
        pixels = _pixels(image, mask, centre, sigma, reach, most)
        if len(pixels[0]) < _FEWEST:
            return None
        x, y = centre
        return cls(*pixels, reach, np.array(
            [[x - reach, y - reach, -3, -3], [x + reach, y + reach, 3, 3]]))

    def __len__(self):
        return len(self.want)

    def only(self, use):
        """
        Keep some of the pixels.
        """
        return _Isophotes(*(part[use] for part in self.pixels), self.reach,
                          self.bounds)

    def linearise(self, p):
        """
        Calculate residuals and their derivatives for centres and shapes.

        All are calculated at once, which takes a fraction of the time of
        one after the other.

        Parameters
        ----------
        p : 2D `~numpy.ndarray`, shape (m, 4)

        Returns
        -------
        found : `_Minimum`
        """
        # (towards the middle, so that none leaves the bounds)
        steps = np.where(p > self.bounds.mean(axis=0), -1, 1) * _DIFFERENCES
        around = p[:, None] + np.concatenate(
            [np.zeros((len(p), 1, 4)), steps[:, None] * np.eye(4)], axis=1)
        found = self._residuals(around.reshape(-1, 4)).reshape(
            len(p), 5, -1)
        here = found[:, 0]
        jacobian = np.moveaxis(found[:, 1:] - here[:, None], 1, 2)
        return _Minimum(p, here.copy(), jacobian / steps[:, None])

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
