# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The ellipses of a galaxy: fitted, cleaned and extended.
"""

import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
from astropy import log
from photutils.isophote import Ellipse, EllipseGeometry

from astro_pix2prof.ellipses.geometry import shape_to_components

__all__ = ['EllipseFit', 'fit_ellipses', 'follow_ellipses',
           'smooth_ellipses']


# Errors of the ellipticity components above which the wider surroundings
# rule, for changes across and along the direction of the ellipse.
WIDE_ERROR = 0.02

RADIAL_ERROR = 0.04

# The modules of photutils whose lines of the log are of no use.
_LOGGING = tuple(os.path.join('photutils', 'isophote', name) for name in (
    'fitter.py', 'geometry.py'))

# Ellipticity above which an ellipse fit is not trusted.
MAX_EPS = 0.95


@dataclass
class EllipseFit:
    """
    Fitted ellipses.

    Attributes
    ----------
    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis (pixels), ellipticity, angle (radians).

    error : 1D `~numpy.ndarray`, shape (n,)
        Error of e cos 2 theta and e sin 2 theta.

    good : 1D bool `~numpy.ndarray`, shape (n,)
        Whether the fit of the isophote succeeded.

    rung : int
        Which first geometry led here; -1 if none did.

    x0, y0 : 1D `~numpy.ndarray`, shape (n,), optional
        The centre of each, if it was free.

    tried : int, optional
        How many fits of the galaxy it took.
    """

    sma: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    error: np.ndarray
    good: np.ndarray
    rung: int
    x0: np.ndarray = None
    y0: np.ndarray = None
    tried: int = 0


def first_geometries(theta, eps, sma):
    """
    Generate first geometries (sma, eps, theta), the likeliest first.
    """
    yield sma, eps, theta
    yield 0.5 * sma, eps, theta
    yield sma, 0.5 * eps, theta
    yield 0.7 * sma, max(0.2, 0.7 * eps), theta + np.pi / 2
    yield max(0.3 * sma, 3.0), 0.1, theta
    yield 1.5 * sma, min(eps + 0.2, 0.8), theta


@contextmanager
def _without_log():
    """
    Keep the lines that photutils logs of each isophote from the terminal.
    """
    def is_other(record):
        return not record.pathname.endswith(_LOGGING)

    log.addFilter(is_other)
    try:
        yield
    finally:
        log.removeFilter(is_other)


def _run(image, centre, first, min_sma, max_sma, step, max_iter,
         fix_centre=True):
    sma0, eps, theta = first
    sma0 = float(np.clip(sma0, max(3.0, min_sma), max(0.7 * max_sma,
                                                      3.0, min_sma)))
    geometry = EllipseGeometry(*centre, sma0, float(np.clip(eps, 0.05, 0.9)),
                               float(theta % np.pi))
    with warnings.catch_warnings(), _without_log():
        # Single isophotes fail as a matter of course: their stop codes tell,
        # and the flags of the rings follow from these.
        warnings.simplefilter('ignore')
        try:
            found = Ellipse(image, geometry=geometry).fit_image(
                sma0=sma0, minsma=min_sma, maxsma=max_sma, step=step,
                n_clip=2, sclip=3.0, fix_center=fix_centre, maxit=max_iter)
        except (IndexError, ValueError, ZeroDivisionError):
            # A flat image has no gradient to fit to.
            return None
    if len(found) < 2:
        return None
    rows = [(iso.sma, iso.eps, iso.pa, iso.ellip_err, iso.pa_err,
             iso.stop_code,
             iso.x0, iso.y0) for iso in found if iso.sma > 0]
    return np.array(rows, dtype=float).T


def fit_ellipses(image, centre, theta, eps, sma, *, min_sma=0.8, max_sma,
                 step=0.12, max_iter=20, fix_centre=True, max_tries=None):
    """
    Fit ellipses with `photutils.isophote.Ellipse`, from several starts.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image, sky-subtracted, masked pixels filled.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    theta, eps, sma : float
        First geometry: angle (radians), ellipticity, semi-major axis
        (pixels). Others follow if it leads nowhere.

    min_sma, max_sma : float
        The smallest and the largest semi-major axis in pixels.

    step : float, optional
        Relative step of the semi-major axis.

    max_iter : int, optional
        Iterations for an isophote; those that need more are fits to
        noise.

    fix_centre : bool, optional
        Whether the centre is held, or free in each isophote.

    max_tries : int, optional
        How many first geometries to try; by default all there are.

    Returns
    -------
    fit : `EllipseFit`
        With ``rung=-1`` and the first geometry if every one failed.
    """
    best, tried = None, 0
    # photutils compares with absolute numbers: the unit must not matter.
    image = image / max(float(np.abs(image).max()), 1e-300)
    for rung, first in enumerate(islice(first_geometries(theta, eps, sma),
                                        max_tries)):
        tried += 1
        rows = _run(image, centre, first, min_sma, max_sma, step,
                    max_iter, fix_centre)
        if rows is None:
            continue
        a, e, t, e_err, t_err, code, x0, y0 = rows
        # e sin 2 theta is uncertain by the larger of both directions.
        error = np.hypot(e_err, 2 * e * t_err)
        good = ((code == 0) | (code == 2)) & np.isfinite(error) & (
            e < MAX_EPS) & (e >= 0) & (error > 0)
        fit = EllipseFit(a, e, t, np.where(good, error, np.inf), good, rung,
                         x0, y0, tried)
        # Good isophotes over most of the galaxy, not only in its core.
        reach = a[good].max() if good.any() else 0
        if good.sum() >= 5 and reach >= min(0.6 * sma, 0.6 * max_sma):
            return fit
        if best is None or good.sum() > best.good.sum():
            best = fit
    if best is not None and best.good.sum() >= 4:
        best.tried = tried
        return best
    a = np.geomspace(min_sma, max(max_sma, 2 * min_sma), 20)
    full = np.ones_like(a)
    return EllipseFit(a, eps * full, theta * full, 0.1 * full, full > 0, -1,
                      tried=tried)


def smooth_ellipses(fit, sma, *, width=0.18, prior=None):
    """
    Smooth the ellipses along log radius and carry the outermost on.

    e cos 2 theta and e sin 2 theta, which have no jump at 180 degrees,
    are averaged locally (linear in log radius), weighted by their errors;
    isophotes that disagree with their neighbours lose their weight.

    Parameters
    ----------
    fit : `EllipseFit`
        The fitted ellipses.

    sma : 1D `~numpy.ndarray`, shape (n,)
        Where the ellipses are wanted, in pixels.

    width : float, optional
        Half width of the window in log (natural) radius.

    prior : tuple of 2 floats or of 2 1D `~numpy.ndarray`, optional
        Ellipticity and angle (radians) that rule where nothing was fitted
        well, of all ellipses or of each.

    Returns
    -------
    eps, theta, error, inside : 1D `~numpy.ndarray`, shape (n,)
        Ellipticity, angle (radians), the error of either component, and
        whether the radius lies within the fitted range.
    """
    g = fit.good
    log_a = np.log(fit.sma[g])
    parts = np.stack(shape_to_components(fit.eps[g], fit.theta[g]))
    # Isophotes are correlated with their neighbours and their formal
    # errors too small; 0.01 is what a good one scatters by.
    var = fit.error[g]**2 + 0.01**2
    weight = 1 / var
    for _ in range(3):
        at_own = _local_mean(log_a, log_a, parts, weight, width)[0]
        # A bar ends within a few isophotes: only what departs by more
        # than its neighbours do is an outlier.
        miss2 = ((parts - at_own)**2).sum(0)
        typical = np.sqrt(_local_mean(log_a, log_a, miss2[None] ** 0.5,
                                      np.ones_like(var), 2 * width)[0][0]**2
                          + var)
        # Cauchy weights: an outlier keeps little say.
        weight = 1 / var / (1 + miss2 / (3 * typical)**2)
    last = log_a[-1]
    # The outermost isophotes are fitted to noise: end where the error
    # is still worth something.
    worth = log_a[np.sqrt(var) < 0.12]
    if len(worth) > 2:
        last = worth[-1]
    want = np.clip(np.log(np.maximum(sma, 0.3)), log_a[0], last)
    # Follow the isophotes closely where they are certain; where noise or
    # arms, which bend whole stretches, make them scatter, the wider
    # surroundings have more say. A bar or a bulge changes the ellipticity
    # and not the angle, arms turn the angle: changes of the ellipticity
    # are believed more.
    value, error = _local_mean(want, log_a, parts, weight, 0.3 * width)
    for wider in (width, 3 * width):
        smooth, smooth_error = _local_mean(want, log_a, parts, weight, wider)
        along = smooth / np.maximum(np.hypot(*smooth), 1e-6)
        change = value - smooth
        radial = (change * along).sum(0) * along
        k_radial, k = (error**2 / (error**2 + e**2)
                       for e in (RADIAL_ERROR, WIDE_ERROR))
        value = smooth + (1 - k_radial) * radial + (1 - k) * (change - radial)
        error = (1 - k) * error + k * smooth_error
    if prior is not None:
        p = np.stack([prior[0] * part(2 * np.asarray(prior[1]))
                      for part in (np.cos, np.sin)]).reshape(2, -1)
        k = error**2 / (error**2 + 0.15**2)
        value = (1 - k) * value + k * p
    # Noise in both components makes a round galaxy look elliptical.
    eps = np.sqrt(np.maximum((value**2).sum(0) - error**2, 0.0))
    eps = np.minimum(eps, MAX_EPS)
    theta = 0.5 * np.arctan2(value[1], value[0])
    inside = (np.log(np.maximum(sma, 0.3)) <= last + 1e-6)
    return eps, theta, error, inside


def follow_ellipses(fit, sma):
    """
    Interpolate the well fitted ellipses, without smoothing.

    Parameters
    ----------
    fit : `EllipseFit`
        The fitted ellipses, with their centres.

    sma : 1D `~numpy.ndarray`, shape (n,)
        Where the ellipses are wanted, in pixels.

    Returns
    -------
    eps, theta, error, inside : 1D `~numpy.ndarray`, shape (n,)
        As `smooth_ellipses` returns them.

    x0, y0 : 1D `~numpy.ndarray`, shape (n,)
        The centre of each.
    """
    g = fit.good
    log_a = np.log(fit.sma[g])
    want = np.log(np.maximum(sma, 0.3))
    e1, e2, error, x0, y0 = (
        np.interp(want, log_a, v) for v in (
            *shape_to_components(fit.eps[g], fit.theta[g]), fit.error[g],
            fit.x0[g], fit.y0[g]))
    return (np.minimum(np.hypot(e1, e2), MAX_EPS), 0.5 * np.arctan2(e2, e1),
            error, want <= log_a[-1] + 1e-6, x0, y0)


def _local_mean(want, log_a, parts, weight, width):
    """
    Gaussian-weighted local mean: values (2, n) and errors (n,).
    """
    kernel = np.exp(-0.5 * ((want[:, None] - log_a) / width)**2) + 1e-12
    w = kernel * weight
    norm = w.sum(1)
    mean = (parts @ w.T) / norm
    # A local slope, shrunk towards none where the points do not span it.
    dx = log_a - want[:, None]
    x1 = (w * dx).sum(1) / norm
    x2 = (w * dx**2).sum(1) / norm - x1**2
    slope = ((parts @ (w * dx).T) / norm - mean * x1) / (x2 + 0.3 * width**2)
    return mean - slope * x1, np.sqrt((kernel**2 * weight).sum(1)) / norm
