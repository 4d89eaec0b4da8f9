# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Errors of the mean intensities of isophotes.
"""

import numpy as np

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.ellipses.annuli import measure_rings
from astro_pix2prof.isophote.centre import centre_variance

__all__ = ['pixel_variance', 'ring_error']


# Set on 120 GalSim galaxies (benchmarks/render/galaxies.py --seed 7) so that
# about two thirds of the rings lie within their error. The error of a
# ring's mean in units of the scatter along it that noise does not explain;
STRUCTURE_ERROR = 0.3

# and the scale of the error of the ellipse.
SHAPE_ERROR = 1.0


def ring_error(steps, want, width, rings, intensity):
    """
    Calculate the error of the mean of each ring.
    """
    pixel_var = pixel_variance(steps, want, intensity)
    # Bilinear sampling halves the noise of a sample; what scatter is
    # left along the ring is arms, clumps and a wrong ellipse.
    structure = np.maximum(rings.scatter**2 - 0.5 * pixel_var, 0.0)
    # A wrong ellipticity moves the ellipse across the gradient.
    q = 1 - np.interp(want, steps.thin, steps.eps)
    slope = np.abs(np.gradient(np.nan_to_num(intensity), want)) * want
    shape = slope * np.interp(want, steps.thin, steps.shape_error) / q
    correlated = ring_correlation(steps.correlation, width)
    # (a ring that has no pixels has no value either)
    n_pixels = np.where(rings.n_pixels > 0, rings.n_pixels, np.nan)
    return np.sqrt(correlated**2 * pixel_var / n_pixels
                   + STRUCTURE_ERROR**2 * structure
                   + SHAPE_ERROR**2 * shape**2
                   + centre_variance(steps, want, width, intensity)
                   + steps.sky_err**2)


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
