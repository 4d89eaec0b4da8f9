# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Extrapolation of the light of a galaxy beyond the end of its profile.
"""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.special import gammaincc, gammaln

__all__ = ['INDICES', 'MEDIAN', 'SLOPE', 'SLOPE_SPREAD', 'SPREAD',
           'extrapolate_light', 'light_beyond']


# Part of the profile, in radius, to which the outer rings belong: further in,
# a bulge would bend the fit.
INNER = 0.4

# Fewer outer rings than this tell no decline.
N_OUTER = 5

# Sersic indices that the outskirts may have, and how probable they are
# before the rings are looked at: the median of a log-normal distribution and
# the spread of its logarithm.
INDICES = np.geomspace(0.4, 10.0, 33)
MEDIAN, SPREAD = 2.0, 0.8

# The slope -d ln I / d ln r of galaxies where a frame cuts them, at one to
# four effective radii: the mean and the spread.
SLOPE, SLOPE_SPREAD = 3.0, 1.5

# Factor of the spread, with which it holds for images of spheroids and discs
# that the frame cuts at one and a half to three effective radii: the sky of
# such a frame takes the shape of the galaxy, too.
WIDER = 1.6

# Rings scatter by this (relative) about any smooth profile.
ROUGH = 0.01


def extrapolate_light(radius, samples, axis_ratio, covariance, rng):
    """
    Extrapolate profiles to infinity by Sersic fits to their outer rings.

    The logarithm of the outer intensities is fitted by Sersic profiles of
    many indices. Each counts with its probability, given the covariance of
    the rings, so that the spread of the results holds both the noise and
    what is not known of the shape of the outskirts.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, increasing.

    samples : 2D `~numpy.ndarray`, shape (1 + m, n)
        Intensities: those of the profile, then noisy versions.

    axis_ratio : float
        Minor over major axis of the ellipses beyond the last ring.

    covariance : 2D `~numpy.ndarray`, shape (n, n)
        Covariance of the intensities.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    Returns
    -------
    light : 1D `~numpy.ndarray`, shape (1 + m,) or `None`
        The flux beyond the last ring: the mean over all indices for the
        profile, and of one index, drawn by its probability, for each noisy
        version. `None` if there are too few significant outer rings, or
        they do not decline.

    Notes
    -----
    The fluxes beyond a radius are those of Graham & Driver 2005, PASA 22,
    118.
    """
    value = samples[0]
    with np.errstate(invalid='ignore', divide='ignore'):
        snr = value / np.sqrt(np.diagonal(covariance))
    use = (radius > 0) & (radius >= INNER * radius[-1]) & (snr > 2)
    if use.sum() < N_OUTER:
        return None
    r, i = radius[use] / radius[-1], value[use]
    relative = covariance[np.ix_(use, use)] / np.outer(i, i)
    relative = relative + ROUGH**2 * np.eye(len(i))
    try:
        root = cholesky(relative, lower=True)
    except LinAlgError:
        return None
    # Linear in the noise: its logarithm is one-sided where it is large.
    change = samples[:, use] / i - 1
    logs = solve_triangular(root, (np.log(i) + change).T, lower=True)
    fits, evidence = [], []
    for n in INDICES:
        # ln I = ln I_last + slope * n * (1 - r**(1 / n)): value and slope
        # of the logarithm at the last ring.
        design = solve_triangular(root, np.stack(
            [np.ones_like(r), n * (1 - r**(1 / n))], -1), lower=True)
        normal = design.T @ design
        normal[1, 1] += SLOPE_SPREAD**-2
        right = design.T @ logs
        right[1] += SLOPE / SLOPE_SPREAD**2
        coeff = np.linalg.solve(normal, right)
        chi2 = float(((logs[:, 0] - design @ coeff[:, 0])**2).sum()
                     + ((coeff[1, 0] - SLOPE) / SLOPE_SPREAD)**2)
        fits.append(coeff)
        evidence.append((chi2, np.linalg.slogdet(normal)[1]))
    fits = np.array(fits)                            # (n_indices, 2, 1 + m)
    chi2, information = np.array(evidence).T
    # Rings that scatter more than their errors tell less.
    widen = max(chi2.min() / max(len(i) - 3, 1), 1.0)
    log_p = (-0.5 * chi2 / widen - 0.5 * information
             - 0.5 * (np.log(INDICES / MEDIAN) / SPREAD)**2)
    # (a profile that does not decline has no end)
    log_p[~(fits[:, 1, 0] > 0)] = -np.inf
    if not np.isfinite(log_p).any():
        return None
    probable = np.exp(log_p - log_p.max())
    probable /= probable.sum()
    beyond = light_beyond(INDICES[:, None], fits[:, 0], fits[:, 1])
    beyond *= 2 * np.pi * axis_ratio * radius[-1]**2
    chosen = rng.choice(len(INDICES), size=len(samples) - 1, p=probable)
    drawn = beyond[chosen, np.arange(1, len(samples))]
    mean = float(np.sum(np.where(probable > 0, beyond[:, 0], 0) * probable))
    middle = np.nanmedian(drawn) if np.isfinite(drawn).any() else mean
    return np.append(mean, np.maximum(
        middle + WIDER * (drawn - middle), 0))


def light_beyond(n, log_last, slope):
    """
    Calculate the integral of r I(r) of Sersic profiles from 1 to infinity.

    Parameters
    ----------
    n : `~numpy.ndarray`
        Sersic index.

    log_last, slope : `~numpy.ndarray`
        The logarithm of the intensity at radius 1, and -d ln I / d ln r
        there; NaN results where that is not positive.
    """
    k = np.where(slope > 0, slope, np.nan) * n
    with np.errstate(divide='ignore', over='ignore'):
        return n * np.exp(log_last + k - 2 * n * np.log(k) + gammaln(2 * n)
                          + np.log(gammaincc(2 * n, k)))
