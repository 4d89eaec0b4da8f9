# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Harmonics of the light along ellipses.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ['ORDERS', 'RingHarmonics', 'measure_harmonics']


# The orders that are fitted at once.
ORDERS = 4

# Terms of a fit: the mean and its change along radius (linear, quadratic),
# then a sine and a cosine of each order.
_RADIAL = 3
_TERMS = _RADIAL + 2 * ORDERS

# Least number of pixels for each term, and the widest part of the ring
# (radians of eccentric anomaly) without any: the fourth harmonic has a period
# of a quarter turn.
_PIXELS, _GAP = 1.5, 0.5 * np.pi

# Outliers among the residuals, in units of their scatter, above and below:
# stars only add.
_CLIP = 4.0, 6.0

# Sectors into which residuals are averaged, at most and at least, and the
# least number of pixels in one.
_SECTORS, _LEAST_SECTORS, _SECTOR_PIXELS = 48, 14, 6

# How often a ring is fitted, with a better logarithmic slope each time; and
# its limits across half a ring, falling and rising.
_TURNS, _SLOPE, _RISE = 3, 2.0, 0.5

# A gradient is known if it is so many times its error.
SIGNIFICANT = 3.0

# Steps of the fit of a centre; and its largest shift, as a part of the
# semi-major axis or in pixels, whichever is larger.
_STEPS, _SHIFT = 4, (0.2, 1.0)

# A fit of a centre ends when it moves by less than this (pixels).
_SETTLED = 0.002

# A centre beyond this part of the largest shift is held there.
_HELD = 0.98


@dataclass
class RingHarmonics:
    """
    Record of the light along n ellipses, to the fourth order.

    The intensity is ``level + sum(sine sin(k E) + cosine cos(k E))`` with
    the eccentric anomaly E, counted from the major axis counter-clockwise.

    Attributes
    ----------
    level : 1D `~numpy.ndarray`, shape (n,)
        Mean intensity.

    gradient, gradient_err : 1D `~numpy.ndarray`, shape (n,)
        Change of the mean with the semi-major axis, per pixel.

    sine, cosine : 2D `~numpy.ndarray`, shape (n, 4)
        Amplitudes of the orders 1 to 4.

    covariance : 3D `~numpy.ndarray`, shape (n, 10, 10)
        Of the level, the gradient, and sine and cosine of each order in
        turn.

    rms : 1D `~numpy.ndarray`, shape (n,)
        Scatter of the pixels about the mean of their radius.

    n_pixels : 1D `~numpy.ndarray`, shape (n,)
        The number of pixels that were used.

    n_valid : 1D `~numpy.ndarray`, shape (n,)
        Their part of all pixels of the ring.

    shift, shift_err : 2D `~numpy.ndarray`, shape (n, 2)
        The centre of each ring (x, y) from the given one in pixels, if it
        was fitted; otherwise not-a-number.
    """

    level: np.ndarray
    gradient: np.ndarray
    gradient_err: np.ndarray
    sine: np.ndarray
    cosine: np.ndarray
    covariance: np.ndarray
    rms: np.ndarray
    n_pixels: np.ndarray
    n_valid: np.ndarray
    shift: np.ndarray
    shift_err: np.ndarray

    @classmethod
    def empty(cls, n):
        """
        Make a record of n rings of which nothing is known.
        """
        def unknown(*shape):
            return np.full((n, *shape), np.nan)

        size = 2 + 2 * ORDERS
        return cls(unknown(), unknown(), unknown(), unknown(ORDERS),
                   unknown(ORDERS), unknown(size, size), unknown(),
                   np.zeros(n, dtype=int), np.zeros(n), unknown(2),
                   unknown(2))

    def is_steep(self):
        """
        Tell where the light declines significantly: 1D bool array.
        """
        with np.errstate(invalid='ignore'):
            return self.gradient < -SIGNIFICANT * self.gradient_err

    def deviation(self, order, sma):
        """
        Calculate deviations from the ellipse: amplitudes over the gradient.

        Parameters
        ----------
        order : int
            From 1 to 4.

        sma : 1D `~numpy.ndarray`, shape (n,)
            Semi-major axes in pixels.

        Returns
        -------
        a, a_err, b, b_err : 1D `~numpy.ndarray`, shape (n,)
            The amplitudes of sine and cosine divided by the semi-major
            axis and the absolute gradient, and their errors; not-a-number
            where the gradient is not significant.
        """
        found = []
        steep = self.is_steep()
        with np.errstate(invalid='ignore', divide='ignore'):
            unit = np.where(steep, -self.gradient * sma, np.nan)
            for part, values in enumerate((self.sine, self.cosine)):
                k = 2 * order + part
                ratio = values[:, order - 1] / unit
                cov = self.covariance
                # (of the absolute gradient times the semi-major axis)
                variance = (cov[:, k, k]
                            + 2 * ratio * sma * cov[:, k, 1]
                            + (ratio * sma)**2 * cov[:, 1, 1]) / unit**2
                found += [ratio, np.sqrt(np.maximum(variance, 0))]
        return tuple(found)


class _Pixels:
    """
    The pixels of an image by their distance from a centre.

    Parameters
    ----------
    image, good, variance : 2D `~numpy.ndarray`
        The image, the pixels that count, and their variances or `None`.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    reach : float
        The largest distance (pixels).
    """

    def __init__(self, image, good, variance, centre, reach):
        rows, columns = (
            slice(max(int(c - reach), 0), max(int(c + reach) + 2, 0))
            for c in centre[::-1])
        part = rows, columns
        shape = image[part].shape
        y, x = np.mgrid[:shape[0], :shape[1]].reshape(2, -1).astype(float)
        x += columns.start - centre[0]
        y += rows.start - centre[1]
        square = x**2 + y**2
        order = np.argsort(square)
        self.x, self.y, self.square = x[order], y[order], square[order]
        self.value = np.asarray(image[part], dtype=float).ravel()[order]
        self.good = good[part].ravel()[order]
        self.variance = None
        if variance is not None:
            self.variance = np.asarray(variance[part],
                                       dtype=float).ravel()[order]

    def between(self, inner, outer):
        """
        Select the pixels whose distances lie between two radii (slice).
        """
        return slice(*np.searchsorted(self.square, [
            max(inner, 0.0)**2 * np.sign(inner), outer**2]))


def measure_harmonics(image, good, centre, sma, eps, theta, *, width,
                      variance, weight=None, correlation=1.0,
                      free_centres=False, polar=False):
    """
    Fit all harmonics up to the fourth order to the pixels of rings.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that count.

    centre : tuple of 2 floats, or of 2 1D `~numpy.ndarray`, shape (n,)
        The centre (x, y) in pixels, of all rings or of each.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis in pixels, ellipticity, and angle in radians
        counter-clockwise from +x.

    width : 1D `~numpy.ndarray`, shape (n,)
        Half widths of the rings along the major axis in pixels. Pixels
        count less towards the rims.

    variance : 1D or 2D `~numpy.ndarray`, shape (n,) or (ny, nx)
        The variance of a pixel on each ring, or of each pixel.

    weight : 2D `~numpy.ndarray`, shape (n, m), optional
        Weights along each ring, at m angles from +x in units of the full
        turn of the eccentric anomaly.

    correlation : float or 1D `~numpy.ndarray`, shape (n,), optional
        The noise of a mean over many pixels in units of that of as many
        independent pixels.

    free_centres : bool, optional
        Whether each ring gets the centre with which its first harmonic
        vanishes, at most a fifth of the semi-major axis or one pixel from
        the given one.

    polar : bool, optional
        Whether to use the polar angle from the major axis in place of the
        eccentric anomaly, as IRAF and `photutils.isophote` do.

    Returns
    -------
    harmonics : `RingHarmonics`
        Not-a-number where a ring has too few pixels or more than a quarter
        of its turn is not seen.

    Notes
    -----
    The model of a ring is an exponential in the semi-major axis, whose
    slope is that of the ring, times a quadratic and the harmonics. Errors
    follow from the variances; they are widened where means of the
    residuals in sectors scatter more than noise does.

    References
    ----------
    Jedrzejewski 1987, MNRAS 226, 747.
    """
    sma, eps, theta, width = (np.asarray(v, dtype=float) for v in (
        sma, eps, theta, width))
    n = len(sma)
    x0, y0 = (np.broadcast_to(np.asarray(v, dtype=float), n) for v in centre)
    middle = float(np.median(x0)), float(np.median(y0))
    apart = np.hypot(x0 - middle[0], y0 - middle[1])
    limit = np.maximum(_SHIFT[0] * sma, _SHIFT[1]) * bool(free_centres)
    variance = np.asarray(variance, dtype=float)
    is_map = variance.ndim == 2
    pixels = _Pixels(image, good, variance if is_map else None, middle,
                     float((sma + width + apart + limit).max()) + 1)
    correlation = np.broadcast_to(np.asarray(correlation, dtype=float), n)
    out = RingHarmonics.empty(n)
    for k in range(n):
        if not (sma[k] > 0 and np.isfinite(eps[k] + theta[k])):
            continue
        away = apart[k] + limit[k]
        part = pixels.between(
            (1 - eps[k]) * (sma[k] - width[k]) - away - 1,
            sma[k] + width[k] + away + 1)
        ring = _Ring(
            pixels, part, (x0[k] - middle[0], y0[k] - middle[1]),
            (sma[k], eps[k], theta[k], width[k]),
            None if is_map else float(variance[k]),
            None if weight is None else weight[k], float(correlation[k]),
            polar)
        shift = np.zeros(2)
        fit = ring.fit(shift)
        if free_centres and fit is not None:
            fit, shift, error = ring.fit_centre(fit, limit[k])
            if shift is not None:
                out.shift[k], out.shift_err[k] = shift, error
        if fit is not None:
            _store(out, k, fit)
    return out


def _store(out, k, fit):
    """
    Write the fit of a ring into the record of all.
    """
    out.level[k], out.gradient[k] = fit.values[:2]
    out.sine[k], out.cosine[k] = fit.values[2::2], fit.values[3::2]
    out.covariance[k] = fit.covariance
    out.gradient_err[k] = np.sqrt(fit.covariance[1, 1])
    out.rms[k], out.n_pixels[k] = fit.rms, fit.n_pixels
    out.n_valid[k] = fit.n_valid


@dataclass
class _Fit:
    """
    Record of the fit of one ring.
    """

    values: np.ndarray
    covariance: np.ndarray
    rms: float
    n_pixels: int
    n_valid: float


class _Ring:
    """
    The pixels of one ring, and fits to them.
    """

    def __init__(self, pixels, part, offset, ellipse, variance, weight,
                 correlation, polar):
        self.x, self.y = pixels.x[part], pixels.y[part]
        self.value, self.good = pixels.value[part], pixels.good[part]
        if variance is None:
            self.variance = pixels.variance[part]
        else:
            self.variance = np.full(len(self.x), variance)
        self.offset = np.asarray(offset, dtype=float)
        self.sma, self.eps, self.theta, self.width = ellipse
        self.weight, self.correlation = weight, correlation
        self.polar = polar

    def _select(self, shift):
        """
        Select the pixels that count, with their place on the ring.

        Returns
        -------
        use : 1D `~numpy.ndarray` of int, shape (m,)
            The numbers of the pixels.

        t, anomaly : 1D `~numpy.ndarray`, shape (m,)
            The distance from the middle of the ring in units of its half
            width, and the eccentric anomaly.

        n_all : int
            The number of all pixels of the ring.
        """
        dx, dy = self.offset + shift
        c, s = np.cos(self.theta), np.sin(self.theta)
        q = 1 - self.eps
        u = c * self.x + s * self.y
        u -= c * dx + s * dy
        v = (c / q) * self.y - (s / q) * self.x
        v -= (c * dy - s * dx) / q
        square = u * u + v * v
        near = np.nonzero((square < (self.sma + self.width)**2) & (
            square > np.copysign((self.sma - self.width)**2,
                                 self.sma - self.width)))[0]
        use = near[self.good[near] & np.isfinite(self.variance[near])]
        t = (np.sqrt(square[use]) - self.sma) / self.width
        return use, t, np.arctan2(v[use], u[use]), len(near)

    def fit(self, shift):
        """
        Fit the ring about a shifted centre; `None` if it cannot be fitted.
        """
        use, t, anomaly, n_all = self._select(shift)
        value, variance = self.value[use], self.variance[use]
        weight = 1 - np.abs(t)
        if self.weight is not None:
            weight = weight * _along(self.weight, anomaly + self.theta)
        # (pixels that are much noisier than the others count less; photon
        # noise, which follows the light, must not weigh)
        floor = 2 * np.median(variance) if len(variance) else 0.0
        if floor > 0:
            weight = weight * np.minimum(1, floor / np.maximum(variance,
                                                               floor))
        if not _is_covered(anomaly, weight):
            return None
        angle = anomaly
        if self.polar:
            angle = np.arctan2((1 - self.eps) * np.sin(anomaly),
                               np.cos(anomaly))
        orders = np.arange(1, ORDERS + 1)[:, None] * angle
        basis = np.empty((_TERMS, len(t)))
        basis[:_RADIAL] = np.ones_like(t), t, t * t
        basis[_RADIAL::2], basis[_RADIAL + 1::2] = (np.sin(orders),
                                                    np.cos(orders))
        slope, kept = 0.0, weight
        for turn in range(_TURNS):
            design = basis * np.exp(slope * t)
            found = _solve(design, kept, value)
            if found is None:
                return None
            coefficients, inverse = found
            if turn == 0:
                kept = _clipped(value - coefficients @ design, weight,
                                variance)
                if not _is_covered(anomaly, kept):
                    return None
            if turn < _TURNS - 1:
                slope = _next_slope(slope, coefficients, inverse, kept,
                                    variance)
        # (of the level, the gradient and the waves)
        take = np.zeros((2 + 2 * ORDERS, _TERMS))
        take[0, 0] = 1
        take[1, :2] = slope / self.width, 1 / self.width
        take[2:, _RADIAL:] = np.eye(2 * ORDERS)
        rest = value - coefficients @ design
        noise = self.correlation * np.sqrt(variance)
        scale = np.sqrt(_excess(anomaly, t, rest, kept, noise))
        scale = np.append(scale, np.full(2 * ORDERS, scale[0]))
        root = inverse @ (design * (kept * noise))
        covariance = np.outer(scale, scale) * (
            take @ (root @ root.T) @ take.T)
        around = value - coefficients[:_RADIAL] @ design[:_RADIAL]
        return _Fit(
            take @ coefficients, covariance,
            float(np.sqrt(kept @ around**2 / kept.sum())),
            int(np.count_nonzero(kept)), len(use) / n_all)

    def fit_centre(self, fit, limit):
        """
        Fit the ring about the centre with which its first harmonic vanishes.

        Returns the fit, the shift (x, y) and its errors; `None` for the
        latter if the light does not decline significantly.
        """
        first, shift = fit, np.zeros(2)
        c, s = np.cos(self.theta), np.sin(self.theta)
        turn = np.array([[c, -s], [s, c]])
        flat = np.array([1.0, 1 - self.eps])
        for step in range(_STEPS + 1):
            gradient, error = fit.values[1], fit.covariance[1, 1]**0.5
            if not gradient < -SIGNIFICANT * error:
                return first, None, None
            if step == _STEPS:
                break
            # cosine along the major axis, sine along the minor one
            move = turn @ (flat * fit.values[[3, 2]] / -gradient)
            moved = shift + move
            moved *= min(1.0, limit / max(float(np.hypot(*moved)), 1e-12))
            settled = np.hypot(*(moved - shift)) < _SETTLED
            again = self.fit(moved)
            if again is None:
                return first, None, None
            fit, shift = again, moved
            if settled:
                break
        if np.hypot(*shift) > _HELD * limit:
            # (held at the largest shift: nobody knows where it is)
            return fit, shift, np.full(2, np.nan)
        cov = fit.covariance[np.ix_([3, 2], [3, 2])] * np.outer(
            flat, flat) / gradient**2
        return fit, shift, np.sqrt(np.diag(turn @ cov @ turn.T))


def _next_slope(slope, coefficients, inverse, weight, variance):
    """
    Find the logarithmic slope of a ring; none where it is lost in noise.
    """
    level = coefficients[0]
    noise = np.sqrt(inverse[0, 0] * (weight @ variance) / weight.sum())
    if not level > SIGNIFICANT * noise:
        return 0.0
    return float(np.clip(slope + coefficients[1] / level, -_SLOPE, _RISE))


def _along(weight, angle):
    """
    Interpolate weights along a ring to angles (radians) from +x.
    """
    n = len(weight)
    column = np.mod(angle / (2 * np.pi) * n, n)
    low = column.astype(int) % n
    part = column - np.floor(column)
    return (1 - part) * weight[low] + part * weight[(low + 1) % n]


def _is_covered(anomaly, weight):
    """
    Tell whether pixels are enough and lie all around the ring.
    """
    seen = np.sort(anomaly[weight > 0])
    if len(seen) < _PIXELS * _TERMS:
        return False
    gap = np.diff(seen, append=seen[0] + 2 * np.pi).max()
    return bool(gap < _GAP)


def _solve(design, weight, value):
    """
    Solve a weighted linear fit; return coefficients and inverse matrix.
    """
    weighted = design * weight
    normal = weighted @ design.T
    try:
        inverse = np.linalg.inv(normal)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(inverse).all():
        return None
    return inverse @ (weighted @ value), inverse


def _clipped(rest, weight, variance):
    """
    Take the weight of outliers.
    """
    typical = 1.4826 * np.median(np.abs(rest[weight > 0]))
    width = np.maximum(typical, np.sqrt(variance))
    far = (rest > _CLIP[0] * width) | (rest < -_CLIP[1] * width)
    return np.where(far, 0.0, weight)


def _excess(anomaly, t, rest, weight, noise):
    """
    Compare residuals in sectors with what noise leads to.

    Returns
    -------
    scale : tuple of 2 floats
        The variances of means and of slopes along radius in units of those
        of noise; 1 if they are not larger significantly.
    """
    used = np.count_nonzero(weight)
    n = int(np.clip(used // _SECTOR_PIXELS, _LEAST_SECTORS, _SECTORS))
    sector = np.minimum(((anomaly / (2 * np.pi) + 0.5) * n).astype(int),
                        n - 1)
    norm = np.bincount(sector, weight, n)
    full = norm > 0
    away = t - (np.bincount(sector, weight * t, n)
                / np.where(full, norm, 1.0))[sector]
    scale = []
    for factor, terms in ((1.0, 1 + 2 * ORDERS), (away, 1)):
        total = np.bincount(sector, weight * factor * rest, n)[full]
        variance = np.bincount(sector, (weight * factor * noise)**2, n)[full]
        some = variance > 0
        free = np.count_nonzero(some) - terms
        ratio = (float((total[some]**2 / variance[some]).sum()) / free
                 if free > 0 else 1.0)
        limit = 1 + 2 * np.sqrt(2 / max(free, 1))
        scale.append(ratio if ratio > limit else 1.0)
    return tuple(scale)
