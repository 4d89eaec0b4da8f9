# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Covariance of the errors of the rings of a profile.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.meta import (
    check_correlation,
    intensity_scale,
    profile_correlation,
    profile_meta,
    profile_sky_err,
)

__all__ = ['INNERMOST', 'has_isophotes', 'intensity_covariance',
           'radius_pixels', 'ring_correlations', 'ring_covariance',
           'shared_noise', 'split_errors']


# Rings inside half a pixel see the same pixels (pixels).
INNERMOST = 0.5

# Rings of `~astro_pix2prof.IsophoteFitter` weigh pixels by a triangle in
# semi-major axis. Half the width of its foot in steps between the rings; at
# least this many pixels; within this radius (pixels), half a pixel.
_FOOT, _NARROWEST, _CORE, _THINNEST = 1.2, 1.0, 4.0, 0.5

# What the interpolation between pixels adds to it in quadrature (pixels).
_PIXEL = 1.0

# The distance in log (natural) radius at which the errors of isophotes by arms
# and wrong ellipses are independent; they correlate by a triangle, as seen on
# 280 images of galaxies with known profiles (GalSim, seeds 9811 to 9814).
_STRUCTURE = 0.55

# The part of these errors that neighbours share: radii of parts of the light,
# and totals, of the same images are off by as much as their errors, then.
_SHARED = 0.3


def radius_pixels(profile, meta):
    """
    Return the semi-major axes of a profile in pixels.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    meta : dict
        Its meta.

    Returns
    -------
    sma : 1D `~numpy.ndarray`
    """
    radius = profile['radius']
    if radius.unit == u.pix:
        return radius.value
    return radius.value / meta.get('pixel_scale', 1.0)


def _relative(profile):
    """
    Calculate errors (mag): as stated, or those of the intensity.
    """
    value = profile['intensity'].value
    with np.errstate(invalid='ignore', divide='ignore'):
        error = POGSON * profile['intensity_err'].value / value
    if 'surface_brightness_err' in profile.colnames:
        stated = profile['surface_brightness_err'].value
        error = np.where(np.isfinite(stated), stated, error)
    return np.where(value > 0, error, np.nan)


def split_errors(profile, correlation):
    """
    Split errors of intensities into those of rings and that of the sky.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    correlation : dict or `None`
        The correlation of its rings.

    Returns
    -------
    ring, sky : 1D `~numpy.ndarray`, shape (n_rings,)
    """
    value = profile['intensity'].value
    error = profile['intensity_err'].value
    if correlation is not None:
        # (what is correlated are the errors in magnitudes)
        error = np.where(value > 0, _relative(profile) * value / POGSON,
                         error)
    sky = profile_sky_err(profile)
    return np.sqrt(np.maximum(error**2 - sky**2, 0)), np.minimum(sky, error)


def ring_correlations(profile):
    """
    Calculate the correlations of the errors of rings, without the sky's.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile, as for `sample_intensity`.

    Returns
    -------
    share : 2D `~numpy.ndarray`, shape (n_rings, n_rings)
        1 on the diagonal; 0 elsewhere without ``meta['correlation']``.

    Raises
    ------
    ValueError
        If ``meta['correlation']`` cannot be used.
    """
    correlation = profile_correlation(profile)
    if correlation is None:
        return np.eye(len(profile))
    length, smooth, common = check_correlation(correlation)
    sma = radius_pixels(profile, profile_meta(profile))
    place = np.log(np.maximum(np.asarray(sma, dtype=float), INNERMOST))
    share = common + smooth * np.exp(
        -np.abs(place[:, None] - place) / length)
    np.fill_diagonal(share, 1.0)
    return share


def intensity_covariance(profile):
    """
    Calculate the covariance of the intensities of a profile.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile, as for `sample_intensity`.

    Returns
    -------
    covariance : 2D `~numpy.ndarray`, shape (n_rings, n_rings)
        In the square of the unit of ``profile['intensity']``. NaN where
        the error is.

    Raises
    ------
    ValueError
        If ``meta['correlation']`` cannot be used.
    """
    ring, sky = split_errors(profile, profile_correlation(profile))
    share = ring_correlations(profile)
    return share * np.outer(ring, ring) + np.outer(sky, sky)


def has_isophotes(profile):
    """
    Tell whether the rings of a profile are those of an isophote fit.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile.

    Returns
    -------
    result : bool
    """
    return profile_meta(profile).get('fitter') == 'IsophoteFitter'


def shared_noise(profile, use):
    """
    Calculate the noise of rings and how much of it neighbours share.

    Rings that are wider than the steps between them overlap: their noise is
    that of the same pixels.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile that was checked.

    use : 1D bool `~numpy.ndarray`, shape (n,)
        The rings to take, m of them.

    Returns
    -------
    variance : 1D `~numpy.ndarray`, shape (m,)
        The variance of the intensity by the noise of the image. 0 if the
        profile does not say how noisy the image was, has a correlation of
        its own, or comes from another fitter.

    share : 2D `~numpy.ndarray`, shape (m, m)
        The correlation of this noise.
    """
    meta = profile_meta(profile)
    m = int(np.count_nonzero(use))
    none = np.zeros(m), np.eye(m)
    noise = (meta.get('noise', np.nan) * intensity_scale(meta)
             * meta.get('noise_correlation', 1.0))
    scale = (1.0 if profile['radius'].unit == u.pix
             else meta.get('pixel_scale', np.nan))
    if (not has_isophotes(profile) or m < 2
            or not noise * scale > 0 or profile_correlation(profile)):
        return none
    sma = profile['radius'].value / scale
    foot = np.maximum(_FOOT * np.gradient(sma), _NARROWEST)
    foot = np.where(sma < _CORE, _THINNEST, foot)[use]
    q = 1 - np.nan_to_num(np.asarray(profile['ellipticity'], float)[use])
    sma = sma[use]
    seen = (np.clip(np.nan_to_num(np.asarray(
        profile['n_valid'], float)[use], nan=1.0), 0.05, 1)
        if 'n_valid' in profile.colnames else 1.0)
    # (a triangle counts as many pixels as a step of three quarters of it)
    wide = np.hypot(foot, _PIXEL)
    pixels = 2 * np.pi * np.maximum(sma, 0.5 * wide) * q * 1.5 * foot
    variance = noise**2 / np.maximum(pixels * seen, 1.0)
    off = np.abs(sma[:, None] - sma) / np.sqrt(
        0.5 * (wide[:, None]**2 + wide**2))
    return variance, _overlap(off)


def ring_covariance(profile, use):
    """
    Calculate the covariance of the intensities of rings.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile that was checked.

    use : 1D bool `~numpy.ndarray`, shape (n,)
        The rings to take, m of them.

    Returns
    -------
    covariance : 2D `~numpy.ndarray`, shape (m, m)
        With the error of the sky, which is common to all; of isophotes, with
        the noise that neighbours share and with the rest of their errors, by
        which arms and wrong ellipses move them together. 0 where errors are
        not known.
    """
    covariance = np.nan_to_num(intensity_covariance(profile)[np.ix_(use, use)])
    noise, share = shared_noise(profile, use)
    own = np.maximum(np.diagonal(covariance) - profile_sky_err(profile)**2, 0)
    noise = np.sqrt(np.clip(noise, 0, own))
    others = 1 - np.eye(len(noise))
    covariance += others * share * np.outer(noise, noise)
    if has_isophotes(profile) and not profile_correlation(profile):
        place = np.log(np.maximum(radius_pixels(
            profile, profile_meta(profile))[use], INNERMOST))
        near = np.clip(1 - np.abs(place[:, None] - place) / _STRUCTURE, 0, 1)
        rest = np.sqrt(np.maximum(own - noise**2, 0))
        covariance += _SHARED * others * near * np.outer(rest, rest)
    return covariance


def _overlap(off):
    """
    Calculate the overlap of two triangles, in units of half a foot.
    """
    near = 1 - 1.5 * off**2 + 0.75 * off**3
    return np.where(off < 1, near, 0.25 * np.clip(2 - off, 0, None)**3)
