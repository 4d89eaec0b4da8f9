# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pixels that neighbouring rings of an isophote fit share.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.profile.meta import (
    intensity_scale,
    profile_correlation,
    profile_meta,
    profile_sky_err,
)
from astro_pix2prof.profile.samples import intensity_covariance

__all__ = ['ring_covariance', 'shared_noise']


# Rings of `~astro_pix2prof.IsophoteFitter` weigh pixels by a triangle in
# semi-major axis. Half the width of its foot in steps between the rings; at
# least this many pixels; within this radius (pixels), half a pixel.
_FOOT, _NARROWEST, _CORE, _INNERMOST = 1.2, 1.0, 4.0, 0.5

# What the interpolation between pixels adds to it in quadrature (pixels).
_PIXEL = 1.0


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
    if (meta.get('fitter') != 'IsophoteFitter' or m < 2
            or not noise * scale > 0 or profile_correlation(profile)):
        return none
    sma = profile['radius'].value / scale
    foot = np.maximum(_FOOT * np.gradient(sma), _NARROWEST)
    foot = np.where(sma < _CORE, _INNERMOST, foot)[use]
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
        With the error of the sky, which is common to all, and the noise that
        neighbours share. 0 where errors are not known.
    """
    covariance = np.nan_to_num(intensity_covariance(profile)[np.ix_(use, use)])
    noise, share = shared_noise(profile, use)
    own = np.diagonal(covariance) - profile_sky_err(profile)**2
    noise = np.sqrt(np.clip(noise, 0, np.maximum(own, 0)))
    return covariance + (share - np.eye(len(noise))) * np.outer(noise, noise)


def _overlap(off):
    """
    Calculate the overlap of two triangles, in units of half a foot.
    """
    near = 1 - 1.5 * off**2 + 0.75 * off**3
    return np.where(off < 1, near, 0.25 * np.clip(2 - off, 0, None)**3)
