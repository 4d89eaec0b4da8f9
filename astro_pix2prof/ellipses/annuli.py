# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sampling of an image along ellipses.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

__all__ = ['RingMeans', 'combine_rings', 'measure_rings', 'ring_outliers',
           'sample_rings']


# Inside this radius (pixels) the image is interpolated by a cubic
# spline, since a bilinear one flattens the peak of a galaxy.
SPLINE_RADIUS = 12.0


@lru_cache(maxsize=64)
def _directions(n_angle):
    """
    Calculate cosines and sines of equal steps of the eccentric anomaly.
    """
    t = (np.arange(n_angle) + 0.5) * (2 * np.pi / n_angle)
    found = np.cos(t), np.sin(t)
    for part in found:
        part.flags.writeable = False
    return found


def _ring_coordinates(centre, a, b, cos, sin, n_angle, from_major):
    """
    Calculate points along ellipses, and the arc lengths between these.

    Of semi-axes a and b, whose angle has this cosine and sine.
    """
    along, across = _directions(n_angle)
    a, b, cos, sin = (part[:, None] for part in (a, b, cos, sin))
    if not from_major:
        along, across = along * cos + across * sin, across * cos - along * sin
    u, v = a * along, b * across
    x0, y0 = (c if np.ndim(c) == 0 else c[:, None] for c in centre)
    x = x0 + u * cos - v * sin
    y = y0 + u * sin + v * cos
    # Equal steps in eccentric anomaly crowd at the ends of the major
    # axis: weigh by arc length.
    arc = np.hypot(a * across, b * along) + 1e-3
    return x, y, arc


def sample_rings(image, good, centre, sma, eps, theta, *,
                 spline_radius=SPLINE_RADIUS, from_major=True):
    """
    Sample an image along ellipses.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image; its bad pixels must be filled.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that count.

    centre : tuple of 2 floats, or of 2 1D `~numpy.ndarray`, shape (n,)
        The centre (x, y) in pixels, of all rings or of each.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis in pixels, ellipticity, and angle in radians
        counter-clockwise from +x.

    spline_radius : float, optional
        Up to this semi-major axis (pixels) a cubic spline interpolates,
        beyond it a bilinear function.

    from_major : bool, optional
        Whether the points are counted from the major axis; otherwise from +x
        on, so that a round ring, which has no major axis, always has the same
        points.

    Yields
    ------
    index : 1D `~numpy.ndarray`, shape (m,)
        The rings of this group: indices into ``sma``.

    values : 2D `~numpy.ndarray`, shape (m, k)
        The image at k points of each.

    weights : 2D `~numpy.ndarray`, shape (m, k)
        The arc length; zero where a pixel that does not count takes
        part.

    arc : 2D `~numpy.ndarray`, shape (m, k)
        The arc length everywhere.
    """
    sma, eps, theta = (np.asarray(v, dtype=float) for v in (sma, eps, theta))
    if not len(sma):
        return
    ny, nx = image.shape
    coefficients = None
    # (most galaxies have no bad pixel)
    bad = None if good.all() else (~good).astype(np.float32)
    shape = sma, sma * (1 - eps), np.cos(theta), np.sin(theta)
    # (and no point of most rings is beyond the frame)
    room = min(min(np.min(c) + 0.4, n - 0.6 - np.max(c))
               for c, n in zip(centre, (nx, ny), strict=True))
    room /= max(1 - np.min(eps, initial=1.0), 1.0)
    done = 0
    # Rings of similar length share one call.
    for top in (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, np.inf):
        if done == len(sma):
            break
        index = done + np.nonzero(sma[done:] <= top)[0]
        if len(index) == 0:
            continue
        done = index[-1] + 1
        outermost = sma[index].max()
        n_angle = int(min(max(2 * np.pi * outermost, 16), 4096))
        middle = [v if np.ndim(v) == 0 else np.asarray(v)[index]
                  for v in centre]
        x, y, arc = _ring_coordinates(
            middle, *(part[index] for part in shape), n_angle, from_major)
        if outermost <= spline_radius:
            if coefficients is None:
                half = int(min(spline_radius, max(ny, nx))) + 8
                x0, y0 = (max(int(np.ravel(v)[0]) - half, 0)
                          for v in middle)
                coefficients = spline_filter(
                    image[y0:y0 + 2 * half, x0:x0 + 2 * half])
            values = map_coordinates(coefficients, [y - y0, x - x0], order=3,
                                     prefilter=False, mode='nearest')
        else:
            values = map_coordinates(image, [y, x], order=1, mode='nearest')
        weights = arc
        if not outermost < room:
            weights = weights * ((x > -0.5) & (x < nx - 0.5)
                                 & (y > -0.5) & (y < ny - 0.5))
        if bad is not None:
            weights = weights * (map_coordinates(
                bad, [y, x], order=1, mode='nearest') < 0.3)
        yield index, values, weights, arc


@dataclass
class RingMeans:
    """
    Record of means along ellipses.

    Attributes
    ----------
    mean, scatter : 1D `~numpy.ndarray`, shape (n,)
        Weighted mean and scatter of the pixel values on the ring.

    n_pixels : 1D `~numpy.ndarray`, shape (n,)
        Usable pixels on a ring that is one pixel wide.

    n_valid : 1D `~numpy.ndarray`, shape (n,)
        Usable part of the ring.
    """

    mean: np.ndarray
    scatter: np.ndarray
    n_pixels: np.ndarray
    n_valid: np.ndarray


def ring_outliers(values, weights, sigma, clip=4.0):
    """
    Find points far from the median of their ring.

    Parameters
    ----------
    values, weights : 2D `~numpy.ndarray`, shape (m, k)
        The points of m rings; those with a weight of zero do not count.

    sigma : float
        Noise of a sky pixel.

    clip : float, optional
        The threshold, in units of the scatter along the ring, or of the
        noise.

    Returns
    -------
    far : 2D bool `~numpy.ndarray`, shape (m, k)
    """
    hidden = np.where(weights > 0, values, np.nan)
    some = (weights > 0).any(1)
    low, mid, high = np.full((3, len(values), 1), np.nan)
    if some.any():
        q = np.nanquantile(hidden[some], [0.16, 0.5, 0.84], axis=1)
        low[some, 0], mid[some, 0], high[some, 0] = q
    width = np.maximum(0.5 * (high - low), sigma)
    # Stars only add: the lower side is the galaxy's own.
    return ((hidden > mid + clip * width)
            | (hidden < mid - 1.5 * clip * width))


def measure_rings(image, good, centre, sma, eps, theta, *, sigma,
                  clip=4.0, spline_radius=SPLINE_RADIUS, from_major=True):
    """
    Measure mean and scatter of an image along ellipses.

    Parameters
    ----------
    image, good, centre, sma, eps, theta
        As for `sample_rings`.

    sigma : float
        Noise of a sky pixel: rings are clipped at ``clip`` times their
        own scatter or this, whichever is larger.

    spline_radius, from_major : float and bool, optional
        As for `sample_rings`.

    clip : float, optional
        The threshold of the clipping; `numpy.inf` for none.

    Returns
    -------
    rings : `RingMeans`
    """
    n = len(sma)
    out = RingMeans(*(np.full(n, np.nan) for _ in range(4)))
    for index, values, weights, arc in sample_rings(
            image, good, centre, sma, eps, theta,
            spline_radius=spline_radius, from_major=from_major):
        if np.isfinite(clip):
            weights = np.where(ring_outliers(values, weights, sigma, clip),
                               0.0, weights)
        norm = weights.sum(1)
        ok = norm > 0
        mean = np.divide((weights * values).sum(1), norm, where=ok,
                         out=np.full(len(index), np.nan))
        var = np.divide((weights * (values - mean[:, None])**2).sum(1), norm,
                        where=ok, out=np.full(len(index), np.nan))
        # Arc length in pixels: the step of the eccentric anomaly is the
        # same for all samples.
        length = 2 * np.pi * arc.mean(1)
        out.mean[index] = mean
        out.scatter[index] = np.sqrt(var)
        out.n_valid[index] = norm / arc.sum(1)
        out.n_pixels[index] = np.maximum(length * out.n_valid[index],
                                         np.where(ok, 1.0, 0.0))
    return out


def combine_rings(sma, rings, want, width):
    """
    Average thin rings into wider ones, true to the profile's slope.

    Within a wide ring the galaxy declines; the thin rings are divided by
    the local shape of the profile first, so that the average belongs to
    the middle radius.

    Parameters
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes of the thin rings, in pixels.

    rings : `RingMeans`
        Their means.

    want, width : 1D `~numpy.ndarray`, shape (m,)
        Semi-major axes and half widths (at the foot of a triangle) of
        the wide rings, in pixels.

    Returns
    -------
    wide : `RingMeans`
        With the pixels of a whole wide ring in ``n_pixels``.
    """
    use = np.isfinite(rings.mean) & (rings.n_pixels > 0)
    a = sma[use]
    mean, n_pix = rings.mean[use], rings.n_pixels[use]
    if len(a) < 2:
        return RingMeans(*(np.interp(want, sma, v) for v in (
            rings.mean, rings.scatter, rings.n_pixels, rings.n_valid)))
    step = np.gradient(a)
    kernel = np.maximum(1 - np.abs(want[:, None] - a) / width[:, None], 0.0)
    # A wanted radius between two thin rings at least interpolates.
    near = np.argmin(np.abs(want[:, None] - a), axis=1)
    kernel[np.arange(len(want)), near] = np.maximum(
        kernel[np.arange(len(want)), near], 1e-3)
    weight = kernel * n_pix * step
    norm = weight.sum(1)
    first = weight @ mean / norm
    # Slope d ln I / d a from the first pass over a wider window; none
    # where the profile is lost in noise.
    floor = max(1e-3 * np.nanmax(np.abs(first)), np.finfo(float).tiny)
    log_i = np.log(np.maximum(first, floor))
    slope = np.zeros(len(want))
    if len(want) > 2:
        slope = np.gradient(log_i, want)
        slope = np.convolve(np.pad(slope, 1, mode='edge'),
                            [0.25, 0.5, 0.25], 'valid')
    slope = np.clip(slope, -1.2, 0.3)
    shape = np.exp(np.clip(slope[:, None] * (a - want[:, None]), -3, 3))
    value = weight @ mean / (weight * shape).sum(1)
    # Effective number of thin-ring pixels of a triangular average.
    n_eff = (weight.sum(1)**2
             / np.maximum((weight**2 / (n_pix * step)).sum(1), 1e-30))
    n_eff = np.maximum(n_eff, np.interp(want, a, n_pix) * 0.8)
    scatter = np.sqrt(weight @ rings.scatter[use]**2 / norm)
    valid = weight @ rings.n_valid[use] / norm
    # Nothing near: no value.
    far = np.abs(want - a[near]) > np.maximum(width, 1.5)
    for values in (value, scatter):
        values[far] = np.nan
    valid[far] = 0.0
    return RingMeans(value, scatter, np.maximum(n_eff, 1.0), valid)
