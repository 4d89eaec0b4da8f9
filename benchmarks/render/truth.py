# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
True profiles of noise-free images.

The true profile at semi-major axis a is the mean of the noise-free,
PSF-convolved image of the galaxy alone along the ellipse that best
follows its isophote there; arms and clumps are left out of the image
that gives the ellipses and kept in the one that is averaged.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates, spline_filter

__all__ = ['TrueProfile', 'sample_ellipses', 'true_profile']


def sample_ellipses(image, x0, y0, sma, eps, theta, *, n_angle=256,
                    order=3, scale=1.0):
    """
    Mean of an image along ellipses, weighted by arc length.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image; spline coefficients if ``order`` is 3.

    x0, y0 : float
        The centre in pixels of the image.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis (in units of ``scale`` pixels), ellipticity and
        angle (radians, counter-clockwise from +x).

    n_angle : int, optional
        The number of samples along an ellipse.

    order : int, optional
        The order of the spline.

    scale : float, optional
        Pixels of the image in one unit of ``sma``.

    Returns
    -------
    mean, samples : `~numpy.ndarray`, shapes (n,) and (n, n_angle)
    """
    t = np.linspace(0, 2 * np.pi, n_angle, endpoint=False)
    a = np.asarray(sma)[:, None] * scale
    b = a * (1 - np.asarray(eps)[:, None])
    u, v = a * np.cos(t), b * np.sin(t)
    c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
    samples = map_coordinates(image, [y0 + u * s + v * c,
                                      x0 + u * c - v * s],
                              order=order, prefilter=False, cval=np.nan)
    arc = np.hypot(a * np.sin(t), b * np.cos(t)) + 1e-9
    return (samples * arc).sum(1) / arc.sum(1), samples


def _isophote_shapes(spline, x0, y0, radii, n_angle, scale):
    """
    Ellipses through the level crossings on rays: shape (n_level,) each.
    """
    t = np.linspace(0, 2 * np.pi, n_angle, endpoint=False)
    r = radii[:, None] * scale
    rays = map_coordinates(spline, [y0 + r * np.sin(t), x0 + r * np.cos(t)],
                           order=3, prefilter=False, cval=0.0)
    # A monotone ray crosses every level once: the mean of the largest
    # non-increasing function below it and the smallest one above it.
    down = np.minimum.accumulate(rays, axis=0)
    up = np.maximum.accumulate(rays[::-1], axis=0)[::-1]
    rays = 0.5 * (down + up)
    # One level for each radius: the geometric mean around the circle.
    tiny = 1e-12 * rays.max()
    log_rays = np.log(np.maximum(rays, tiny))
    levels = np.minimum.accumulate(log_rays.mean(1))
    log_r = np.log(radii)
    crossing = np.empty((len(levels), n_angle))
    for k in range(n_angle):
        y = log_rays[:, k] - 1e-9 * np.arange(len(radii))
        crossing[:, k] = np.interp(-levels, -y, log_r)
    crossing = np.exp(crossing)
    # 1/r^2 = A + B cos 2t + C sin 2t, weighted so that every direction
    # counts by its relative error in r.
    design = np.stack([np.ones(n_angle), np.cos(2 * t), np.sin(2 * t)], -1)
    weight = crossing**4
    lhs = np.einsum('lk,ki,kj->lij', weight, design, design)
    rhs = np.einsum('lk,ki->li', weight / crossing**2, design)
    a_, b_, c_ = np.linalg.solve(lhs, rhs[..., None])[..., 0].T
    amp = np.minimum(np.hypot(b_, c_), 0.999 * a_)
    major = (a_ - amp)**-0.5
    minor = (a_ + amp)**-0.5
    pa = 0.5 * np.arctan2(-c_, -b_)
    ok = ((crossing > radii[0] * 1.001) & (crossing < radii[-1] * 0.999)
          ).mean(1) > 0.9
    return major, 1 - minor / major, pa, ok


class TrueProfile:
    """
    The true profile of a noise-free galaxy.

    Attributes
    ----------
    sma : 1D `~numpy.ndarray`
        Semi-major axes in pixels of the (not oversampled) image.

    intensity, eps, theta : 1D `~numpy.ndarray`
        Mean pixel value, ellipticity and angle (radians,
        counter-clockwise from +x).
    """

    def __init__(self, sma, intensity, eps, theta):
        self.sma = sma
        self.intensity = intensity
        self.eps = eps
        self.theta = theta


def true_profile(image, smooth_image, x0, y0, sma, *, scale=1,
                 n_angle=192):
    """
    The true profile of a noise-free image.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The noise-free, PSF-convolved image of the galaxy alone, in
        units of flux per (not oversampled) pixel.

    smooth_image : 2D `~numpy.ndarray`
        The same galaxy without arms and clumps, for the ellipses.

    x0, y0 : float
        The centre in (oversampled) pixels of the image.

    sma : 1D `~numpy.ndarray`
        Semi-major axes wanted, in (not oversampled) pixels.

    scale : int, optional
        Oversampling of the images.

    n_angle : int, optional
        The number of rays.

    Returns
    -------
    profile : `TrueProfile`
    """
    edge = min(x0, y0, image.shape[1] - 1 - x0, image.shape[0] - 1 - y0)
    radii = np.geomspace(0.3, edge / scale - 1, 160)
    spline = spline_filter(smooth_image)
    major, eps, pa, ok = _isophote_shapes(spline, x0, y0, radii, n_angle,
                                          scale)
    order = np.argsort(major[ok])
    major, eps, pa = major[ok][order], eps[ok][order], pa[ok][order]
    # e cos 2pa and e sin 2pa have no jump at pa = 180 degrees; a
    # smoothing of 0.07 dex removes the steps of the ray sampling.
    log_a = np.log(np.maximum(sma, 0.3))
    grid = np.linspace(np.log(0.3), np.log(major[-1]), 200)
    width = 0.1 / (grid[1] - grid[0])
    e1 = np.interp(grid, np.log(major), eps * np.cos(2 * pa))
    e2 = np.interp(grid, np.log(major), eps * np.sin(2 * pa))
    e1 = np.interp(log_a, grid, gaussian_filter1d(e1, width, mode='nearest'))
    e2 = np.interp(log_a, grid, gaussian_filter1d(e2, width, mode='nearest'))
    eps = np.hypot(e1, e2)
    theta = 0.5 * np.arctan2(e2, e1)
    intensity, _ = sample_ellipses(spline_filter(image), x0, y0, sma, eps,
                                   theta, scale=scale)
    return TrueProfile(np.asarray(sma), intensity, eps, theta)
