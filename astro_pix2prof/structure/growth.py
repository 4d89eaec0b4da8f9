# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Curves of growth of a profile and of its noisy versions.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile.brightness import POGSON, sb_to_intensity
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.interpolation import (
    divide_steps,
    interpolate_intensity,
)
from astro_pix2prof.profile.meta import (
    profile_correlation,
    profile_meta,
    profile_sky_err,
)
from astro_pix2prof.profile.samples import (
    SAMPLES,
    intensity_covariance,
    sample_intensity,
)
from astro_pix2prof.structure.extrapolation import extrapolate_light
from astro_pix2prof.structure.wings import radii_beyond, wing_light

__all__ = ['LARGE_PART', 'N_RINGS', 'REFINE', 'area_ratio',
           'draw_intensities', 'falling_radius', 'hold_enclosed', 'last_slope',
           'part_radii', 'refine_rings', 'rising_radius', 'total_light',
           'warn_of_correlation']


# Steps between two rings in which the curve of growth is integrated.
REFINE = 6

# Light beyond the profile above this multiple of the measured light is not
# known: outskirts that hardly decline have a total without a bound.
_MOST_BEYOND = 5.0

# The parts of the last radius between which slopes are measured; the slope
# -d ln I / d ln r below which the outskirts are wings, and the power of the
# radius with which it increases at most (that of a Sersic law of index 1.6).
_INNER, _OUTER, _WINGS, _STEEPER = 0.3, 0.6, 3.2, 0.62

# The part of what wings of a constant slope, of at least so much, would add to
# the total that is an error of it.
_PART, _LEAST_SLOPE = 0.5, 2.3

# Wings that were taken for sky have no more than this part of the light, and
# this part of it is an error of the total.
_MOST_HIDDEN, _HIDDEN = 0.25, 0.7

# Errors of the light within rings that a fitter states change those of noisy
# versions by no more than this: of the rings, only neighbours are known to be
# correlated as the versions are.
_LEAST_OF, _MOST_OF = 0.6, 1.2

# The light of discs seen edge-on is no ellipse: this part of it is not in the
# sums over rings, from the second ellipticity at the half-light radius on, and
# none below the first (set on 23 of them in each of two surveys, GalSim, seed
# 9931).
_FLAT, _FLATTEST, _OUTSIDE = 0.6, 0.7, 0.035

# Outskirts steeper than an exponential have less light than the line through a
# growth curve adds: this part of what is taken off is an error of the total.
_STEEP = 0.3

# Fewer usable rings than this are no profile.
N_RINGS = 5

# Part of the light beyond the profile above which there is a flag.
LARGE_PART = 0.1


def _brought_samples(profile):
    """
    Return the noisy versions in a column of the profile, or `None`.
    """
    if SAMPLES not in profile.colnames:
        return None
    given = profile[SAMPLES].value
    usable = (given.ndim == 2 and given.shape[1] > 1
              and np.isfinite(given).any())
    return given if usable else None


def draw_intensities(profile, value, ok, zero, n_samples, rng):
    """
    Draw intensities (1 + n_samples, n): the profile, then noisy versions.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile; a column of noisy versions is used if there is one.

    value : 1D `~numpy.ndarray`
        Its intensities.

    ok : 1D `~numpy.ndarray` of bool
        The rings to take, n of them.

    zero : float
        Zero point of surface brightness.

    n_samples : int
        The number of noisy versions, where the profile brings none.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    Returns
    -------
    intensity : 2D `~numpy.ndarray`, shape (1 + m, n)
    """
    given = _brought_samples(profile)
    if given is not None and np.isfinite(zero):
        samples = sb_to_intensity(given, zeropoint=zero)[0]
    else:
        samples = sample_intensity(profile, n_samples, rng)
    # A ring without an error, or without a magnitude, stays as it is.
    samples = np.where(np.isfinite(samples), samples, value[:, None])
    return np.vstack([value[ok], samples[ok].T])


def warn_of_correlation(profile):
    """
    Warn if errors that are correlated would be taken as independent.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the correlation of its rings is not known, although they have one.
    """
    # (points of cuts have pixels of their own)
    if (_brought_samples(profile) is not None or 'cut' in profile.meta
            or profile_correlation(profile) is not None):
        return
    meta = profile.meta
    if 'weights' in meta or meta.get('fitter') == 'Pix2ProfFitter':
        msg = ("the profile comes from a network but its meta has no "
               "'correlation' of the rings")
    elif 'sky_err' not in meta:
        msg = "the meta of the profile has neither 'correlation' nor 'sky_err'"
    else:
        return
    warnings.warn(f'{msg}: rings are taken as independent, and errors of '
                  'magnitudes and radii are too small', AstropyUserWarning,
                  stacklevel=3)


def refine_rings(radius, samples, eps):
    """
    Interpolate profiles to more rings, smooth in their magnitudes.

    Radii read off the curve of growth are then as good as the rings.

    Parameters
    ----------
    radius, eps : 1D `~numpy.ndarray`, shape (n,)
        Radii and ellipticities.

    samples : 2D `~numpy.ndarray`, shape (m, n)
        Profiles.

    Returns
    -------
    radius, samples, eps : `~numpy.ndarray`
        With ``REFINE`` steps between two rings.
    """
    at = divide_steps(radius, REFINE)
    fine = interpolate_intensity(radius, samples, at)
    return at, fine, np.interp(at, radius, eps)


def area_ratio(profile, ok, growth):
    """
    Calculate the light within given ellipses over that of their rings.

    Rings of a galaxy in ellipses of another shape are brighter along their
    length than over their area; ``mag_enclosed`` holds the light of the area.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    ok : 1D `~numpy.ndarray` of bool
        The rings that are used, n of them.

    growth : 1D `~numpy.ndarray`, shape (n,)
        The light within the rings, by their intensities.

    Returns
    -------
    ratio : 1D `~numpy.ndarray`, shape (n,)
        1 where nothing else is known, and for ellipses that were fitted.
    """
    meta = profile_meta(profile)
    if not meta.get('flag', 0) & GalaxyFlag.FORCED or (
            'mag_enclosed' not in profile.colnames
            or meta.get('radii') == 'given'):
        return np.ones(len(growth))
    flux = sb_to_intensity(profile['mag_enclosed'].value[ok],
                           zeropoint=meta.get('sb_zeropoint', np.nan))[0]
    with np.errstate(invalid='ignore', divide='ignore'):
        ratio = flux / growth
    return np.where((growth > 0) & (ratio > 0) & np.isfinite(ratio), ratio,
                    1.0)


def rising_radius(radius, values, level):
    """
    Find the first radius where values (n_samples, n) reach a level.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        The radii, increasing.

    values : 2D `~numpy.ndarray`, shape (m, n)
        Curves that increase with the radius.

    level : 1D `~numpy.ndarray`, shape (m,)
        The level of each curve.

    Returns
    -------
    radius : 1D `~numpy.ndarray`, shape (m,)
        Not-a-number for curves that do not reach it.
    """
    reached = values >= level[:, None]
    out = np.full(len(values), np.nan)
    k = np.argmax(reached, axis=1)
    rows = np.nonzero(reached.any(1) & (k > 0))[0]
    k = k[rows]
    low, high = values[rows, k - 1], values[rows, k]
    share = (level[rows] - low) / np.where(high == low, 1.0, high - low)
    # Within a ring the flux grows as the area: linear in radius squared
    # at the centre, and close to linear further out.
    out[rows] = np.sqrt(radius[k - 1]**2
                        + share * (radius[k]**2 - radius[k - 1]**2))
    return out


def falling_radius(radius, values, level):
    """
    Find the outermost radius where values (n_samples, n) fall below a level.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        The radii, increasing.

    values : 2D `~numpy.ndarray`, shape (m, n)
        Curves that decline with the radius, about exponentially.

    level : float
        The level.

    Returns
    -------
    radius : 1D `~numpy.ndarray`, shape (m,)
        Not-a-number for curves that do not fall below it.
    """
    # Profiles are close to exponential: a straight line in intensity would
    # put the radius too far out. Unlike the logarithm, asinh takes negative
    # rings too.
    values, level = np.arcsinh(10 * values / level), np.arcsinh(10.0)
    above = values >= level
    # The last pair that goes from above to below.
    fall = above[:, :-1] & ~above[:, 1:]
    out = np.full(len(values), np.nan)
    rows = np.nonzero(fall.any(1))[0]
    k = fall.shape[1] - 1 - np.argmax(fall[rows, ::-1], axis=1)
    low, high = values[rows, k], values[rows, k + 1]
    share = (low - level) / np.where(low == high, 1.0, low - high)
    out[rows] = radius[k] + share * (radius[k + 1] - radius[k])
    return out


def part_radii(radius, growth, total, samples, part):
    """
    Find the radii that enclose a part of the light.

    Parameters
    ----------
    radius : 1D `~numpy.ndarray`, shape (n,)
        The radii of the curves of growth.

    growth : 2D `~numpy.ndarray`, shape (1 + m, n)
        The curve of growth, and those of noisy versions.

    total : 1D `~numpy.ndarray`, shape (1 + m,)
        The total of each.

    samples : tuple of `~numpy.ndarray`
        The radii of the rings, and their intensities.

    part : float
        The part of the light, between 0 and 1.

    Returns
    -------
    found : 1D `~numpy.ndarray`, shape (1 + m,)
        Not-a-number where the profile does not reach it. A noisy version
        that does not reach what the profile does has a radius beyond it:
        without, the error would be that of the versions with least light.
    """
    found = rising_radius(radius, growth, part * total)
    missing = np.isnan(found) & np.isfinite(total)
    if missing[0] or not missing.any():
        return found
    found[missing] = radii_beyond(
        radius[-1], last_slope(samples[0], samples[1][0]),
        growth[missing, -1], total[missing], part)
    return found


def last_slope(radius, intensity):
    """
    Calculate the slope -d ln I / d ln r of the outer rings.

    Parameters
    ----------
    radius, intensity : 1D `~numpy.ndarray`, shape (n,)
        The profile.

    Returns
    -------
    slope : float
        Infinite where there are too few rings with light.
    """
    outer = (radius >= _OUTER * radius[-1]) & (intensity > 0)
    if outer.sum() < 3:
        return np.inf
    return float(-np.polyfit(np.log(radius[outer]),
                             np.log(intensity[outer]), 1)[0])


def _asymptotic(radius, flux):
    """
    Extrapolate the flux to infinity: magnitude at a gradient of zero.

    Returns the total of each sample (NaN where the growth curve has not
    levelled off); Cairos et al. 2001; Munoz-Mateos et al. 2015.
    """
    total = np.full(len(flux), np.nan)
    mid = 0.5 * (radius[1:] + radius[:-1])
    for k, row in enumerate(flux):
        if not np.all(row[len(row) // 2:] > 0):
            continue
        mag = -2.5 * np.log10(np.maximum(row, 1e-30 * row[-1]))
        gradient = np.diff(mag) / np.diff(radius)
        at = np.interp(mid, radius, mag)
        use = mid > 0.5 * radius[-1]
        if use.sum() < 3:
            continue
        _, intercept = np.polyfit(gradient[use], at[use], 1)
        # Levelled off: what is added is less than 0.3 mag and positive.
        if mag[-1] - 0.3 < intercept <= mag[-1] + 0.05:
            total[k] = 10**(-0.4 * intercept)
    return total


def _outer_slope(radius, intensity):
    """
    Calculate the slope -d ln I / d ln r of the outskirts if they are wings.

    Infinite if they are not: if they are steep, or get steeper outwards as
    those of discs do, in proportion to the radius.
    """
    slopes, places = [], []
    for first, last in ((_INNER, _OUTER), (_OUTER, 1.0)):
        part = (radius >= first * radius[-1]) & (
            radius <= last * radius[-1]) & (intensity > 0)
        if part.sum() < 3:
            return np.inf
        x = np.log(radius[part])
        slopes.append(-np.polyfit(x, np.log(intensity[part]), 1)[0])
        places.append(x.mean())
    inner, outer = slopes
    # (of a Sersic law, the slope increases as the power 1 / n of the radius)
    steeper = np.log(max(outer, 1e-3) / max(inner, 1e-3)) / np.diff(places)[0]
    is_wing = outer < _WINGS and steeper < _STEEPER
    return float(outer) if is_wing else np.inf


def hold_enclosed(profile, ok, growth):
    """
    Scale the scatter of curves of growth to the stated error of the light.

    Fitters that state the correlation of their rings state the error of the
    light within them, too, which is calibrated on its own.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    ok : 1D `~numpy.ndarray` of bool
        The rings that are used, n of them.

    growth : 2D `~numpy.ndarray`, shape (1 + m, k)
        The curve of growth, and those of noisy versions.

    Returns
    -------
    growth : 2D `~numpy.ndarray`, shape (1 + m, k)
        As it was where no such error is stated.
    """
    if ('mag_enclosed_err' not in profile.colnames
            or profile_correlation(profile) is None
            or profile_meta(profile).get('flag', 0) & GalaxyFlag.FORCED):
        return growth
    stated = profile['mag_enclosed_err'].value[ok][-1] / POGSON
    low, high = np.quantile(growth[1:, -1], [0.16, 0.84])
    drawn = 0.5 * (high - low) / growth[0, -1]
    if not (stated > 0 and drawn > 0):
        return growth
    part = np.clip(stated / drawn, _LEAST_OF, _MOST_OF)
    return growth[0] + part * (growth - growth[0])


def _light_outside(flux, growth, eps):
    """
    Calculate the error of a total by light that is not in the ellipses.
    """
    flat = eps[min(np.searchsorted(growth, 0.5 * flux), len(eps) - 1)]
    part = np.clip((flat - _FLAT) / (_FLATTEST - _FLAT), 0, 1)
    return _OUTSIDE * max(flux, 0.0) * float(np.nan_to_num(part))


def _too_much(added, radius, intensity, axis_ratio, covariance):
    """
    Calculate how much of the light that an asymptote adds is not there.

    Enclosed magnitude against its gradient is a straight line for an
    exponential disc; it bends for outskirts that are steeper, such as those
    of dwarfs, and a straight line overshoots. A Sersic law through the outer
    rings says by how much; where it says more light, the asymptote stays.
    """
    beyond = extrapolate_light(radius, intensity[None], axis_ratio,
                               covariance, np.random.default_rng(0))
    return 0.0 if beyond is None else max(added - beyond[0], 0.0)


def total_light(profile, ok, samples, curve, eps, galaxy_flag, seed):
    """
    Extrapolate the flux of each sample to infinity.

    Without a way to extrapolate it is the flux within the last ring, and
    NaN for the noisy versions, so that it has no error.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    ok : 1D `~numpy.ndarray` of bool
        The rings that are used, n of them.

    samples : 2D `~numpy.ndarray`, shape (m, n)
        Their intensities, and noisy versions of these.

    curve : tuple of `~numpy.ndarray`
        The radii of the rings, and the curves of growth with ``REFINE``
        steps between them.

    eps : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities.

    galaxy_flag : int
        The flag of the galaxy.

    seed : int
        The seed of random numbers.

    Returns
    -------
    total : 1D `~numpy.ndarray`, shape (m,)
        The total of each sample.

    levelled : bool
        Whether the growth curve gave it.
    """
    radius, growth = curve
    flux = growth[:, -1]
    # Where the frame cuts the galaxy, or shows no sky, a growth curve may
    # seem to level off.
    cut = galaxy_flag & (GalaxyFlag.TRUNCATED | GalaxyFlag.SKY_UNCERTAIN)
    last = int(np.asarray(profile['flag'])[ok][-1])
    # The growth curve of a spheroid levels off where its wings are taken for
    # sky.
    whole = not cut and not last & RingFlag.EDGE
    covariance = np.nan_to_num(intensity_covariance(profile)[np.ix_(ok, ok)])
    slope = _outer_slope(radius, samples[0]) if whole else np.inf
    outside = _light_outside(flux[0], growth[0, ::REFINE], eps)
    if whole and slope >= _WINGS:
        total = _asymptotic(radius, growth[:, ::REFINE])
        if np.isfinite(total[0]):
            # (the sky may have taken wings that are not seen any more)
            sky = profile_sky_err(profile)
            hidden = wing_light(
                radius, samples[0], np.maximum(np.diagonal(covariance)
                                               - sky**2, 0), sky, 1 - eps[-1])
            more = np.clip(np.nan_to_num(hidden) - (total[0] - flux[0]), 0,
                           _MOST_HIDDEN * flux[0])
            less = _too_much(total[0] - flux[0], radius, samples[0],
                             1 - eps[-1], covariance)
            total = np.where(np.isfinite(total), total - less, flux)
            total[1:] += np.random.default_rng([seed, 3]).normal(
                scale=np.sqrt((_HIDDEN * more)**2 + outside**2
                              + (_STEEP * less)**2), size=len(total) - 1)
            return total, True
    beyond = extrapolate_light(radius, samples, 1 - eps[-1], covariance,
                               np.random.default_rng([seed, 1]))
    if beyond is not None and slope < _WINGS:
        most = 2 * np.pi * (1 - eps[-1]) * radius[-1]**2 * max(
            samples[0, -1], 0) / (max(slope, _LEAST_SLOPE) - 2)
        more = np.random.default_rng([seed, 2]).normal(
            scale=_PART * max(most - beyond[0], 0), size=len(beyond) - 1)
        beyond[1:] = np.maximum(beyond[1:] + more, 0)
    if beyond is not None and beyond[0] < _MOST_BEYOND * flux[0]:
        total = flux + beyond
        total[1:] += np.random.default_rng([seed, 4]).normal(
            scale=outside, size=len(total) - 1)
        return total, False
    total = np.full(len(flux), np.nan)
    total[0] = flux[0]
    return total, False
