# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Light that the wings of a galaxy may have lost to the sky.
"""

import numpy as np

from astro_pix2prof.structure.extrapolation import (
    INDICES,
    MEDIAN,
    SLOPE,
    SLOPE_SPREAD,
    SPREAD,
    light_beyond,
)

__all__ = ['light_out_to', 'radii_beyond', 'wing_light']


# Rings from this part of the last radius on tell the law of the wings, if
# they have at least this signal-to-noise ratio and are no fewer than this.
_FIRST, _LEAST_SNR, _FEWEST = 0.1, 3.0, 8

# The sky may be wrong by the light of wings: factor of its error.
_SKY = 2.0

# Rings scatter by this (relative) about a law; with a reduced chi squared
# above this, the galaxy follows none.
_ROUGH, _WORST = 0.02, 2.0

# The outer rings have their mean slope at this part of the outermost radius.
_OUTER_RINGS = 0.8

# The range of logarithmic slopes d ln I / d ln r beyond the profile, and how
# far radii there are known (outermost radii).
_SLOPES, _FARTHEST = (2.5, 8.0), 5.0


def wing_light(radius, intensity, variance, sky_err, axis_ratio):
    """
    Estimate the light that a galaxy has beyond what its rings show.

    Sersic laws of many indices are fitted to the logarithm of the
    intensities, with a level of the sky. Wings that were taken for sky
    have made the outskirts too steep: then a law that follows the inner
    rings asks for a level. Each index counts with its probability.

    Parameters
    ----------
    radius, intensity, variance : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, intensities and their variances, without that of
        the sky.

    sky_err : float
        Error of the sky.

    axis_ratio : float
        Minor over major axis of the ellipses beyond the last ring.

    Returns
    -------
    light : float
        The flux beyond the last ring plus what the sky took within it;
        NaN if the rings are too few or follow no such law.
    """
    x = radius / radius[-1]
    use = (x >= _FIRST) & (intensity > _LEAST_SNR * np.sqrt(
        variance + sky_err**2))
    if np.count_nonzero(use) < _FEWEST:
        return np.nan
    x, value = x[use], intensity[use]
    error = np.sqrt(variance[use] / value**2 + _ROUGH**2)
    unit = _SKY * sky_err
    found = []
    for n in INDICES:
        # ln I = ln I_last + slope * n * (1 - r**(1 / n)) - level / I
        design = np.stack([np.ones_like(x), n * (1 - x**(1 / n)),
                           -unit / value], -1) / error[:, None]
        normal = design.T @ design
        normal[1, 1] += SLOPE_SPREAD**-2
        normal[2, 2] += 1
        right = design.T @ (np.log(value) / error)
        right[1] += SLOPE / SLOPE_SPREAD**2
        last, slope, level = np.linalg.solve(normal, right)
        off = np.log(value) / error - design @ (last, slope, level)
        chi2 = off @ off + level**2 + ((slope - SLOPE) / SLOPE_SPREAD)**2
        found.append((chi2, np.linalg.slogdet(normal)[1],
                      2 * light_beyond(n, last, slope) + level * unit))
    chi2, information, light = np.array(found).T
    log_p = -0.5 * (chi2 + information
                    + (np.log(INDICES / MEDIAN) / SPREAD)**2)
    log_p[~np.isfinite(light)] = -np.inf
    if not np.isfinite(log_p).any() or chi2.min() > _WORST * (len(x) - 3):
        return np.nan
    probable = np.exp(log_p - log_p.max())
    mean = (np.where(probable > 0, light, 0) @ probable) / probable.sum()
    return float(np.pi * axis_ratio * radius[-1]**2 * mean)


def radii_beyond(last, slope, flux, total, part):
    """
    Estimate the radii of a part of the light that lie beyond a profile.

    Parameters
    ----------
    last : float
        The outermost radius.

    slope : float
        The slope -d ln I / d ln r there, which stays as it is.

    flux, total : 1D `~numpy.ndarray`, shape (m,)
        The flux within that radius, and the total.

    part : float
        The part of the total, between 0 and 1.

    Returns
    -------
    radius : 1D `~numpy.ndarray`, shape (m,)
        No less than the outermost radius and no more than five of it.
        Not-a-number where the total is.
    """
    slope = np.clip(np.nan_to_num(slope, nan=np.inf), *_SLOPES)
    with np.errstate(invalid='ignore', divide='ignore'):
        factor = ((total - flux) / ((1 - part) * total))**(1 / (slope - 2))
    return last * np.clip(factor, 1.0, _FARTHEST)


def light_out_to(reach, last, slope, flux, total):
    """
    Estimate the light within radii that lie beyond a profile.

    Parameters
    ----------
    reach : 1D `~numpy.ndarray`, shape (m,)
        The radii.

    last : float
        The outermost radius of the profile.

    slope : float
        The slope -d ln I / d ln r of the outer rings.

    flux, total : 1D `~numpy.ndarray`, shape (m,)
        The flux within that radius, and the total.

    Returns
    -------
    light : 1D `~numpy.ndarray`, shape (m,)
        From ``flux`` at the outermost radius to ``total`` far beyond: the
        mean of wings whose slope stays as it is and of an exponential disc.
    """
    slope = np.clip(np.nan_to_num(slope, nan=np.inf), *_SLOPES)
    factor = reach / last
    wings = factor**(2 - slope)
    x = slope / _OUTER_RINGS
    disc = (1 + factor * x) / (1 + x) * np.exp(x - factor * x)
    return total - (total - flux) * 0.5 * (wings + disc)
