# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors of the mean intensities of isophotes, and of their ellipses.
"""

import numpy as np

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.ellipses.geometry import shape_to_components
from astro_pix2prof.isophote.centre import centre_variance
from astro_pix2prof.isophote.sampling import spline_share

__all__ = ['ellipse_error', 'pixel_variance', 'ring_error']


# Set on 120 GalSim galaxies (benchmarks/render/galaxies.py --seed 7) so that
# about two thirds of the rings lie within their error. The error of a
# ring's mean in units of the scatter along it that noise does not explain;
STRUCTURE_ERROR = 0.3

# and the scale of the error of the ellipse.
SHAPE_ERROR = 1.0

# The variance of a sample of an image of white noise, relative to that of a
# pixel, is 0.44 for a bilinear function and 0.76 for a cubic spline; scatter
# of as much and an eighth more is no structure. Rings of few pixels, up to
# this semi-major axis (pixels), tell less of their structure: there, a part
# of the noise counts as such.
BILINEAR_NOISE, SPLINE_NOISE = 0.5, 0.86
FEW_PIXELS = 12.0

# What a spline between pixels is off by, relative to the intensity: along
# ellipses that are known, means of a disc of an ellipticity of 0.85 are as far
# from it without noise.
INTERPOLATION_ERROR = 0.002

# Set on 280 images of galaxies with known ellipses (GalSim, seeds 9811 to
# 9814) so that the components of the shape lie within their error in two
# thirds of the rings. Isophotes are correlated with their neighbours, as arms
# bend many of them and rays are smoothed: a smooth run through them is off by
# a multiple of the local scatter about it, and of their own errors. Factors
# of both, and the values above which more scatter does not make the run, which
# spans more isophotes there, less certain;
RUN_SCATTER, MOST_SCATTER = 2.0, 0.057
OWN_ERROR, MOST_OWN = 1.25, 0.018

# the half width (in log radius) of what is local;
NEAR = 0.18

# the part of the change with log radius that the smoothing may take away;
CHANGE = 0.017

# and the error at a semi-major axis of a pixel, which pixels cannot show. It
# falls with the square of the axis.
INNER_ERROR = 0.08


def ring_error(steps, want, width, rings, intensity):
    """
    Calculate the error of the mean of each ring.
    """
    pixel_var = pixel_variance(steps, want, intensity)
    # What scatter is left along the ring is arms, clumps and a wrong
    # ellipse.
    share = 0.0
    if steps.settings.smooth:
        share = np.where(want > FEW_PIXELS,
                         spline_share(intensity, steps.sigma), 0.0)
    sampled = BILINEAR_NOISE + share * (SPLINE_NOISE - BILINEAR_NOISE)
    structure = np.maximum(rings.scatter**2 - sampled * pixel_var, 0.0)
    # A wrong ellipticity moves the ellipse across the gradient.
    q = 1 - np.interp(want, steps.thin, steps.eps)
    slope = np.abs(np.gradient(np.nan_to_num(intensity), want)) * want
    shape = slope * np.interp(want, steps.thin, steps.shape_error) / q
    # (what it adds at one place of a whole ring, it takes away at another;
    # beside a nucleus, ellipses are those of the same pixels)
    shape = np.where(want > FEW_PIXELS, shape,
                     shape / np.clip(rings.n_valid, 0.3, 1.0))
    correlated = ring_correlation(steps.correlation, width)
    # (a ring that has no pixels has no value either)
    n_pixels = np.where(rings.n_pixels > 0, rings.n_pixels, np.nan)
    return np.sqrt(correlated**2 * pixel_var / n_pixels
                   + STRUCTURE_ERROR**2 * structure
                   + SHAPE_ERROR**2 * shape**2
                   + (INTERPOLATION_ERROR * intensity)**2
                   + centre_variance(steps, want, width, intensity)
                   + steps.sky_err**2)


def ellipse_error(steps, want):
    """
    Calculate the error of the shape of each ellipse of a smoothed fit.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit, with its isophotes and the ellipses that were made of them.

    want : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels.

    Returns
    -------
    error : 1D `~numpy.ndarray`, shape (n,)
        Error of e cos 2 theta and e sin 2 theta.
    """
    fit = steps.ellipse_fit
    good = fit.good
    log_a, at = np.log(fit.sma[good]), np.log(np.maximum(want, 0.3))
    run = np.stack(shape_to_components(steps.eps, steps.theta))
    found = np.stack(shape_to_components(fit.eps[good], fit.theta[good]))
    miss = found - [np.interp(fit.sma[good], steps.thin, part)
                    for part in run]
    near = np.exp(-0.5 * ((at[:, None] - log_a) / NEAR)**2) + 1e-12
    scatter = np.sqrt(near @ (0.5 * (miss**2).sum(0)) / near.sum(1))
    own = np.interp(at, log_a, fit.error[good])
    change = np.interp(want, steps.thin, np.hypot(*np.gradient(
        run, np.log(np.maximum(steps.thin, 0.3)), axis=1)))
    # (the flatter an ellipse, the less do pixels blur its axis ratio)
    q = 1 - np.interp(want, steps.thin, steps.eps)
    return np.sqrt(
        (RUN_SCATTER * scatter)**2 / (1 + (scatter / MOST_SCATTER)**2)
        + (OWN_ERROR * own)**2 / (1 + (own / MOST_OWN)**2)
        + (CHANGE * change)**2
        + (INNER_ERROR * q / np.maximum(want, 1.0)**2)**2)


def pixel_variance(steps, want, intensity):
    """
    Calculate the variance of a pixel on each ring.
    """
    cutout = steps.cutout
    if cutout.noise is not None:
        noise = cutout.noise[steps.window].astype(float) / steps.unit
        given = np.where(steps.bad | ~np.isfinite(noise), 0.0, noise**2)
        rings = measure_rings(given, ~steps.masked, steps.centre, steps.thin,
                              steps.eps, steps.theta, sigma=np.inf)
        ok = np.isfinite(rings.mean)
        # Resampled images: the map knows nothing of faint sources.
        floor = 0.25 * steps.sigma**2
        return np.maximum(np.interp(want, steps.thin[ok],
                                    rings.mean[ok]), floor)
    variance = np.full(len(want), steps.sigma**2)
    if cutout.gain:
        variance += np.maximum(np.nan_to_num(intensity), 0) / (
            cutout.gain * steps.unit)
    return variance
