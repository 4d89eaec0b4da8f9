# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Refinement of fitted ellipses: isophotes located on rays.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.isophote.ellipse_fit import (
    MAX_EPS,
    EllipseFit,
    smooth_ellipses,
)
from astro_pix2prof.isophote.sampling import spline_share

__all__ = ['locate_isophotes', 'refine_ellipses']


# Spacing of the samples along a ray, in log (natural) radius.
STEP = 0.04

# Smallest radius on a ray, in pixels.
INNERMOST = 0.4

# Spacing of the refined isophotes: every third sample.
EVERY = 3

# Samples to either side over which the gradient is measured.
HALF = 5

# Neighbouring rays that are smoothed with each other count as so many.
BLUR = 3.5

# Least weight of a filled sample in the smoothing along rays: it counts
# where there is nothing else.
FILLED = 0.05


# Error of the ellipticity above which the rays of a round follow the mean
# ellipse of this range in log (natural) radius.
CALM_ERROR, CALM_WIDTH = 0.005, 0.5


@dataclass
class _Rays:
    """
    Smoothed samples along rays, in the frame of given ellipses.

    Attributes
    ----------
    a : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels.

    e1, e2 : 1D `~numpy.ndarray`, shape (n,)
        Components of the shapes of the ellipses.

    q : 1D `~numpy.ndarray`, shape (n,)
        Their axis ratios.

    t : 1D `~numpy.ndarray`, shape (m,)
        Eccentric anomalies, counted from the axis x: circles have no major
        axis, and rays along nearly round ellipses shall not jump with it.

    value, share : 2D `~numpy.ndarray`, shape (n, m)
        Samples, and the part of each that comes from usable pixels.

    level : 1D `~numpy.ndarray`, shape (n,)
        Mean around each ellipse.
    """

    a: np.ndarray
    e1: np.ndarray
    e2: np.ndarray
    q: np.ndarray
    t: np.ndarray
    value: np.ndarray
    share: np.ndarray
    level: np.ndarray


def _axis_ratio_and_angle(e1, e2):
    """
    Convert components of shapes to axis ratios and angles (radians).
    """
    eps, angle = shape_from_components(e1, e2)
    return 1 - np.minimum(eps, MAX_EPS), angle


def _sample(image, good, centre, sma, eps, theta, top, n_angle, window,
            sigma):
    """
    Sample an image along rays, smoothed along and across them.
    """
    a = np.exp(np.arange(np.log(INNERMOST), np.log(top), STEP))
    e1, e2 = (np.interp(a, sma, part)
              for part in shape_to_components(eps, theta))
    q, tilt = _axis_ratio_and_angle(e1, e2)
    t = (np.arange(n_angle) + 0.5) * 2 * np.pi / n_angle
    from_axis = t - tilt[:, None]
    u, v = a[:, None] * np.cos(from_axis), (a * q)[:, None] * np.sin(from_axis)
    c, s = np.cos(tilt)[:, None], np.sin(tilt)[:, None]
    place = [centre[1] + u * s + v * c, centre[0] + u * c - v * s]
    value = map_coordinates(image, place, order=1, mode='nearest')
    share = spline_share(value.mean(1, keepdims=True), sigma)
    value += share * (map_coordinates(image, place, order=3, mode='nearest')
                      - value)
    weight = map_coordinates(good.astype(np.float32), place, order=1,
                             mode='constant', cval=0.0)

    def smooth(values):
        along = gaussian_filter1d(values, window / STEP, axis=0)
        return gaussian_filter1d(along, 1.0, axis=1, mode='wrap')

    area = np.broadcast_to(a[:, None]**2, value.shape)
    counted = np.maximum(weight, FILLED) * area
    value = smooth(value * counted) / smooth(counted)
    share = smooth(weight * area) / smooth(area)
    level = ((value * np.maximum(share, 1e-3)).sum(1)
             / np.maximum(share, 1e-3).sum(1))
    return _Rays(a, e1, e2, q, t, value, share, level)


def _solve_ellipse(r, phi, weight, shift):
    """
    Ellipse through points that are shifted relatively from a first one.

    1/r^2 = A + B cos 2 phi + C sin 2 phi is linear in its coefficients,
    and for small shifts in these, so that noise does not bias it.
    """
    design = np.stack([np.ones_like(phi), np.cos(2 * phi), np.sin(2 * phi)],
                      -1)
    w = weight * r**4
    lhs = (design * w[:, None]).T @ design
    inverse = np.linalg.pinv(lhs)
    target = (1 + shift)**-2
    coeff = inverse @ (design.T @ (w / r**2 * target))
    if not coeff[0] > 0:
        return None
    amp = min(np.hypot(*coeff[1:]), 0.998 * coeff[0])
    minor, major = (coeff[0] + amp)**-0.5, (coeff[0] - amp)**-0.5
    angle = 0.5 * np.arctan2(-coeff[2], -coeff[1])
    # Relative residuals in r, and their error on the ellipticity.
    rel = 0.5 * (design @ coeff * r**2 - target)
    scatter = np.sqrt((weight * rel**2).sum() / weight.sum())
    return major, minor, angle, scatter


def _coverage(t, share):
    """
    Factor by which gaps along a ring increase the error of its shape.
    """
    design = np.stack([np.ones_like(t), np.cos(2 * t), np.sin(2 * t)], -1)
    lhs = (design * share[:, None]).T @ design / len(t)
    worst = np.linalg.eigvalsh(lhs)[0]
    # Half of the square of a cosine for a whole ring.
    return np.sqrt(0.5 / max(worst, 1e-6))


def locate_isophotes(image, good, centre, sma, eps, theta, *, sigma, reach,
                     rung=0, n_angle=96, window=0.10):
    """
    Fit an ellipse to each isophote, located on rays.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image, sky-subtracted, masked pixels filled.

    good : 2D bool `~numpy.ndarray`
        Pixels that were not filled.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        First ellipses: rays are sampled and smoothed along them.

    sigma : float
        Noise of a sky pixel.

    reach : float
        The largest semi-major axis in pixels.

    rung : int, optional
        Which first geometry led to the first ellipses.

    n_angle : int, optional
        The number of rays.

    window : float, optional
        Standard deviation in log (natural) radius of the smoothing along
        rays. It keeps the shape of the isophotes, as a smoothing of the
        image would not.

    Returns
    -------
    fit : `EllipseFit`
    """
    rays = _sample(image, good, centre, sma, eps, theta, 1.5 * reach + 1,
                   n_angle, window, sigma)
    log_a, t, level = np.log(rays.a), rays.t, rays.level
    # Monotone rays cross each level once.
    falling = 0.5 * (
        np.minimum.accumulate(rays.value, axis=0)
        + np.maximum.accumulate(rays.value[::-1], axis=0)[::-1])
    # Noise of a smoothed sample, from the pixels it averages.
    area = np.maximum(rays.a**2 * rays.q * (2 * np.pi / n_angle) * BLUR
                      * 3.5 * window, 1.0)
    noise = sigma / np.sqrt(area)
    rows = []
    inner, outer = np.searchsorted(log_a, np.log([0.75, reach]))
    for j in range(max(inner, HALF),
                   min(outer + 1, len(log_a) - HALF), EVERY):
        row = _locate(rays, falling, log_a, t, level, noise, j, n_angle)
        if row is not None:
            rows.append(row)
    if not rows:
        return None
    table = np.array(rows)
    a, e, angle, error = table[np.argsort(table[:, 0], kind='stable')].T
    return EllipseFit(a, e, angle, error, np.isfinite(error), rung)


def _locate(rays, falling, log_a, t, level, noise, j, n_angle):
    """
    Semi-major axis, ellipticity, angle and error of one isophote.
    """
    share = rays.share[j]
    if share.mean() < 0.15:
        return None
    drop = level[j - 3] - level[j + 3]
    wide = level[j - HALF] - level[j + HALF]
    ring = noise[j] * np.sqrt(BLUR / n_angle)
    if not (level[j] > 0 and wide > 2 * ring):
        return None
    # Where each ray crosses the level; the ray is followed over 16
    # samples to either side.
    first = max(j - 16, 0)
    span = falling[first:j + 17]
    k = np.clip((span > level[j]).sum(0) - 1, 0, len(span) - 2)
    upper, lower = (np.take_along_axis(span, (k + m)[None], 0)[0]
                    for m in (0, 1))
    part = (upper - level[j]) / np.maximum(upper - lower,
                                           1e-12 * level[j])
    cross = log_a[first] + STEP * (k + np.clip(part, 0.0, 1.0)) - log_a[j]
    inside = (np.clip((span[0] - level[j]) / (2 * noise[j]), 0.0, 1.0)
              * np.clip((level[j] - span[-1]) / (2 * noise[j]), 0.0, 1.0))
    # Where single rays are lost in noise, only the mean gradient is
    # known; the shift is linear in the noise then, so that the mean is
    # not biased. The more uncertain the gradient, the shorter the step.
    slope = wide / (2 * HALF * STEP) * (1 + 2 * (ring / wide)**2)
    linear = np.clip((rays.value[j] - level[j]) / slope, -0.7, 0.7)
    snr = level[j] / noise[j]
    trust = (np.clip((snr - 4) / 4, 0.0, 1.0)
             * np.clip((drop / noise[j] - 3) / 3, 0.0, 1.0)
             * np.clip((np.average(inside, weights=share + 1e-6) - 0.8)
                       / 0.1, 0.0, 1.0))
    use = share**2 * (trust * inside + (1 - trust))
    if use.sum() < 0.1 * n_angle:
        return None
    shift = trust * cross + (1 - trust) * linear
    # The frame of the rays turns and flattens along radius.
    at = log_a[j] + trust * cross
    q, turn = _axis_ratio_and_angle(*(
        np.interp(at, log_a, part) for part in (rays.e1, rays.e2)))
    a, from_axis = np.exp(at), t - turn
    u, v = a * np.cos(from_axis), a * q * np.sin(from_axis)
    phi, r = np.arctan2(v, u) + turn, np.hypot(u, v)
    density = q / (np.cos(from_axis)**2 + q**2 * np.sin(from_axis)**2)
    solved = _solve_ellipse(r, phi, density * use, shift - trust * cross)
    if solved is None:
        return None
    major, minor, angle, scatter = solved
    error = (scatter * np.sqrt(2 * BLUR / n_angle) * 1.5
             * (minor / major + 0.02) * _coverage(t, use)) + 1e-4
    if error > 0.5 or abs(np.log(major / rays.a[j])) > 0.5:
        return None
    return major, max(1 - minor / major, 0.0), angle, error


def _calm_frame(fit, sma, eps, theta):
    """
    Draw uncertain ellipses towards those of a wide range of radii.

    The rays of a round follow them: were they to follow each uncertain
    one, every round would increase the smallest difference.
    """
    g = fit.good
    log_a = np.log(fit.sma[g])
    parts = np.stack(shape_to_components(fit.eps[g], fit.theta[g]))
    want = np.log(np.clip(sma, fit.sma[g][0], fit.sma[g][-1]))
    weight = np.exp(-0.5 * ((want[:, None] - log_a) / CALM_WIDTH)**2)
    weight *= 1 / (fit.error[g]**2 + 0.01**2)
    calm = parts @ weight.T / weight.sum(1)
    error = np.interp(want, log_a, fit.error[g])
    k = error**2 / (error**2 + CALM_ERROR**2)
    e1 = (1 - k) * eps * np.cos(2 * theta) + k * calm[0]
    e2 = (1 - k) * eps * np.sin(2 * theta) + k * calm[1]
    return np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)


def refine_ellipses(image, good, centre, fit, sma, eps, theta, *, sigma,
                    reach, prior=None, rounds=3):
    """
    Move fitted ellipses onto the isophotes.

    The harmonics that photutils brings to zero weigh a point by its
    intensity; on discs seen edge-on this ends with ellipses that are
    rounder than the isophotes by 0.01 to 0.02, which moves the profile
    by 0.1 to 0.2 mag. And where the signal is weak, its iterations end
    anywhere within the noise, depending on the last digit of a pixel.
    Here every isophote is located on rays along the smoothed ellipses,
    and these are smoothed again. Each round forgets most of the ellipses
    that it began with, and follows narrow rings somewhat more; after three,
    little is left of digits that pixels differ in.

    Parameters
    ----------
    image, good, centre, sma, eps, theta, sigma, reach
        See `locate_isophotes`.

    fit : `EllipseFit`
        The fit that led to the ellipses; returned if no isophote can be
        located.

    prior : tuple, optional
        See `smooth_ellipses`.

    rounds : int, optional
        How many times.

    Returns
    -------
    fit : `EllipseFit`
        The isophotes of the last round.

    ellipses : tuple of 4 1D `~numpy.ndarray`, shape (n,)
        What `smooth_ellipses` makes of them.
    """
    ellipses = None
    for _ in range(rounds):
        eps, theta = _calm_frame(fit, sma, eps, theta)
        found = locate_isophotes(image, good, centre, sma, eps, theta,
                                 sigma=sigma, reach=reach, rung=fit.rung)
        if found is None or found.good.sum() < 4:
            break
        found.tried = fit.tried
        fit = found
        ellipses = smooth_ellipses(fit, sma, prior=prior)
        eps, theta = ellipses[:2]
    if ellipses is None:
        ellipses = smooth_ellipses(fit, sma, prior=prior)
    return fit, ellipses
