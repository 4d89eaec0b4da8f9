# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Light inside the first ring of a profile that does not begin at the centre.
"""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from astro_pix2prof.profile.brightness import (
    curve_of_growth,
    sb_to_intensity,
)
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.meta import profile_meta
from astro_pix2prof.profile.samples import intensity_covariance

__all__ = ['NO_CENTRE', 'begins_outside', 'centre_factor', 'light_inside',
           'saturated_core']


# The warning of what is summed up from the centre.
NO_CENTRE = ('the profile does not begin at the centre, and its table does '
             'not say how much light is inside the first ring: what is there '
             'is that of fits to the inner rings; use the whole profile')

# Profiles begin at the centre if their first ring is within so many pixels (as
# one of half a pixel is); where no scale of pixels is known, if the next ring
# is at least this many times farther out.
_PIXELS, _NEXT = 0.75, 2.5

# Rings tell what is inside the first one out to this multiple of its radius,
# so many of them at least.
_REACH, _LEAST_RINGS = 5.0, 5

# Sersic indices that the inner part may have, and how probable they are
# before the rings are looked at: the median of a log-normal distribution and
# the spread of its logarithm.
_INDICES = np.geomspace(0.4, 6.0, 25)
_MEDIAN, _SPREAD = 1.5, 0.8

# Rings scatter by this (relative) about any smooth profile.
_ROUGH = 0.02

# The part of the light of the inner fits that is an error of it: a nucleus or
# a bulge inside the first ring is not seen (set on 120 analytic discs with
# bulges of none to 40% of the light, first rings at 0.1 to 1 scale lengths;
# seed 77001).
_UNSEEN = 0.4

# The light within the first ring that a table states counts if that between
# its first and its last ring is, as a factor, as near to that of the rings as
# this; and if the rings were asked for, as they may lie far from each other.
_CLOSE, _CLOSE_GIVEN = 1.08, 1.6

# Rings of a saturated core that hold more than this part of the light that is
# measured are as large as the galaxy: what they miss cannot be told. Nor can
# more than this part of it: a bright ring about a faint middle is taken for
# the rim of a saturated core.
_MOST, _MISSING = 1 / 3, 0.5

# The places, in units of the first radius, at which light is summed up.
_PLACES = np.append(0.0, np.geomspace(1e-5, 1.0, 241))


def saturated_core(profile):
    """
    Find the innermost rings that are fainter than the galaxy is.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    Returns
    -------
    core : 1D `~numpy.ndarray` of bool, shape (n,)
        Rings with the flag ``SATURATED`` from the centre on, of a galaxy that
        has it.

    is_large : bool
        Whether they hold, or seem to miss, so much of the light that the
        others do not tell how much is missing.
    """
    full = (np.asarray(profile['flag']) & RingFlag.SATURATED) != 0
    if not profile_meta(profile).get('flag', 0) & GalaxyFlag.SATURATED:
        return np.zeros(len(full), dtype=bool), False
    core = np.logical_and.accumulate(full)
    intensity = profile['intensity'].value
    ok = np.isfinite(intensity)
    growth = curve_of_growth(profile['radius'].value[ok], intensity[ok],
                             np.asarray(profile['ellipticity'], float)[ok])
    inside = growth[core[ok]]
    if not len(inside):
        return core, False
    if not inside[-1] < _MOST * growth.max():
        return core, True
    around = ok & ~core
    light = _extrapolate(
        profile['radius'].value[around], intensity[None, around],
        1 - float(profile['ellipticity'][around][0]),
        np.nan_to_num(intensity_covariance(profile)[np.ix_(around, around)]),
        np.random.default_rng(0)) if around.any() else None
    return core, bool(light is not None and not (
        light[0] - inside[-1] < _MISSING * growth.max()))


def begins_outside(profile, radius):
    """
    Tell whether the first ring leaves out the centre.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    radius : 1D `~numpy.ndarray`, shape (n,)
        The radii of the rings that are used.

    Returns
    -------
    outside : bool
    """
    if not radius[0] > 0:
        return False
    meta = profile_meta(profile)
    scale = 1.0 if str(profile['radius'].unit) == 'pix' else meta.get(
        'pixel_scale', np.nan)
    if np.isfinite(scale) and scale > 0:
        return bool(radius[0] > _PIXELS * scale)
    return bool(radius[1] < _NEXT * radius[0])


def light_inside(profile, ok, samples, eps, curve, seed):
    """
    Find the light inside the first ring of a profile.

    The column ``mag_enclosed`` states it. Without the column, or if the
    galaxy is saturated, it is that of Sersic fits to the inner rings.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    ok : 1D `~numpy.ndarray` of bool
        The rings that are used, n of them.

    samples : 2D `~numpy.ndarray`, shape (1 + m, n)
        Their intensities, and noisy versions of these.

    eps : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities.

    curve : 2D `~numpy.ndarray`, shape (1 + m, n)
        The curves of growth at the rings, for a centre as bright as the first
        ring.

    seed : int
        The seed of random numbers.

    Returns
    -------
    light : 1D `~numpy.ndarray`, shape (1 + m,)
        Of the profile and of each noisy version.

    known : bool
        Whether it is that of the column.
    """
    stated = _stated_light(profile, ok, curve[0])
    meta = profile_meta(profile)
    is_saturated = bool(meta.get('flag', 0) & GalaxyFlag.SATURATED)
    if np.isfinite(stated) and not is_saturated:
        return stated * curve[:, 0] / curve[0, 0], True
    radius = profile['radius'].value[ok]
    covariance = np.nan_to_num(intensity_covariance(profile)[np.ix_(ok, ok)])
    light = _extrapolate(radius, samples, 1 - eps[0], covariance,
                         np.random.default_rng([seed, 5]))
    if light is None:
        light = curve[:, 0].copy()
    light[1:] += np.random.default_rng([seed, 6]).normal(
        scale=_UNSEEN * light[0], size=len(light) - 1)
    # (saturated pixels are too faint)
    least = stated if np.isfinite(stated) else 0.0
    return np.maximum(light, least), False


def centre_factor(profile, ok, samples, eps, seed):
    """
    Calculate the light inside the first ring over that of a flat centre.

    Parameters
    ----------
    profile, ok, samples, eps, seed
        As for `light_inside`.

    Returns
    -------
    factor : 1D `~numpy.ndarray`, shape (1 + m,)
        1 for profiles that begin at the centre.

    known : bool
        Whether they do, or the table states the light.
    """
    radius = profile['radius'].value[ok]
    if not begins_outside(profile, radius):
        return np.ones(len(samples)), True
    curve = np.array([curve_of_growth(radius, row, eps) for row in samples])
    light, known = light_inside(profile, ok, samples, eps, curve, seed)
    with np.errstate(invalid='ignore', divide='ignore'):
        factor = light / curve[:, 0]
    return np.where(np.isfinite(factor), factor, 1.0), known


def _stated_light(profile, ok, curve):
    """
    Return the light within the first ring by the table, or NaN.
    """
    meta = profile_meta(profile)
    if 'mag_enclosed' not in profile.colnames:
        return np.nan
    flux = sb_to_intensity(profile['mag_enclosed'].value[ok],
                           zeropoint=meta.get('sb_zeropoint', np.nan))[0]
    between, expected = flux[-1] - flux[0], curve[-1] - curve[0]
    close = _CLOSE_GIVEN if meta.get('radii') == 'given' else _CLOSE
    with np.errstate(invalid='ignore', divide='ignore'):
        good = flux[0] > 0 and 1 / close < between / expected < close
    return float(flux[0]) if good else np.nan


def _extrapolate(radius, samples, axis_ratio, covariance, rng):
    """
    Extrapolate profiles to the centre.

    As `~astro_pix2prof.structure.extrapolation.extrapolate_light` does
    outwards: each index counts with its probability.
    """
    value = samples[0]
    with np.errstate(invalid='ignore', divide='ignore'):
        snr = value / np.sqrt(np.diagonal(covariance))
    use = (snr > 2) & ((radius <= _REACH * radius[0]) | (
        np.arange(len(radius)) < _LEAST_RINGS))
    if use.sum() < _LEAST_RINGS - 1 or not value[0] > 0:
        return None
    x, i = radius[use] / radius[0], value[use]
    relative = (covariance[np.ix_(use, use)] / np.outer(i, i)
                + _ROUGH**2 * np.eye(len(i)))
    try:
        root = cholesky(relative, lower=True)
    except LinAlgError:
        return None
    logs = solve_triangular(root, (np.log(i) + samples[:, use] / i - 1).T,
                            lower=True)
    fits, log_p = [], []
    for n in _INDICES:
        # ln I = ln I_first + slope * n * (1 - x**(1 / n))
        design = solve_triangular(root, np.stack(
            [np.ones_like(x), n * (1 - x**(1 / n))], -1), lower=True)
        normal = design.T @ design
        coeff = np.linalg.solve(normal, design.T @ logs)
        fits.append(coeff)
        log_p.append((((logs[:, 0] - design @ coeff[:, 0])**2).sum(),
                      np.linalg.slogdet(normal)[1]))
    fits = np.array(fits)
    chi2, information = np.array(log_p).T
    # Rings that scatter more than their errors tell less.
    widen = max(chi2.min() / max(len(i) - 3, 1), 1.0)
    log_p = (-0.5 * chi2 / widen - 0.5 * information
             - 0.5 * (np.log(_INDICES / _MEDIAN) / _SPREAD)**2)
    probable = np.exp(log_p - log_p.max())
    probable /= probable.sum()
    area = 2 * np.pi * axis_ratio * radius[0]**2
    light = area * _light_to_first(_INDICES, fits)
    chosen = rng.choice(len(_INDICES), size=len(samples) - 1, p=probable)
    return np.append(light[:, 0] @ probable,
                     light[chosen, np.arange(1, len(samples))])


def _light_to_first(indices, fits):
    """
    Calculate the integral of x I(x) of Sersic profiles from 0 to 1.
    """
    middle = np.sqrt(_PLACES[1:] * np.maximum(_PLACES[:-1], 0.5e-5))
    step = np.diff(_PLACES**2) / 2
    power = indices[:, None] * (1 - middle**(1 / indices[:, None]))
    # (no centre is brighter than the rings can tell)
    growth = np.exp(np.minimum(fits[:, 1, :, None] * power[:, None], 30.0))
    return np.exp(fits[:, 0]) * (growth @ step)
