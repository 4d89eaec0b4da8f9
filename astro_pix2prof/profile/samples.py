# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Noisy versions of a profile, with errors that are correlated along radius.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.profile.brightness import POGSON, SB_UNIT, intensity_to_sb
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.covariance import (
    INNERMOST,
    has_isophotes,
    intensity_covariance,
    radius_pixels,
    ring_correlations,
    ring_covariance,
    split_errors,
)
from astro_pix2prof.profile.meta import (
    check_correlation,
    profile_correlation,
    profile_meta,
)

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.units import Quantity

__all__ = ['check_n_samples', 'correlated_noise', 'intensity_covariance',
           'ring_correlations', 'sample_intensity', 'sample_profile',
           'symmetric_root']


# The name of the column that a fitter writes.
SAMPLES = 'surface_brightness_samples'



def check_n_samples(n_samples, *, least=0):
    """
    Check a number of samples.

    Parameters
    ----------
    n_samples : int
        The number.

    least : int, optional
        The smallest that is allowed.

    Returns
    -------
    n_samples : int

    Raises
    ------
    ValueError
        If it is not an integer of at least ``least``.
    """
    if isinstance(n_samples, bool) or not isinstance(
            n_samples, int | np.integer) or n_samples < least:
        msg = (f'n_samples must be an integer of at least {least}, got '
               f'{n_samples!r}')
        raise ValueError(msg)
    return int(n_samples)


def correlated_noise(sma, correlation, n_samples, rng):
    """
    Draw Gaussian noise of unit variance that is correlated along radius.

    The correlation of the rings i and j is
    ``common + smooth exp(-abs(ln(a_i / a_j)) / length)``.

    Parameters
    ----------
    sma : 1D `~numpy.ndarray`, shape (n_rings,)
        Semi-major axes in pixels, increasing. Those below half a pixel
        count as half a pixel.

    correlation : dict or `None`
        'length' (in the natural logarithm of the radius), 'smooth' and
        'common'. `None` for rings that are independent.

    n_samples : int
        The number of samples.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    Returns
    -------
    noise : 2D `~numpy.ndarray`, shape (n_rings, n_samples)

    Raises
    ------
    ValueError
        If the correlation is no such dict, or its values are out of range.
    """
    noise = rng.normal(size=(len(sma), n_samples))
    if correlation is None:
        return noise
    length, smooth, common = check_correlation(correlation)
    place = np.log(np.maximum(np.asarray(sma, dtype=float), INNERMOST))
    # An exponential correlation is that of a first-order process in ln(a):
    # each ring keeps a share of the one before.
    keep = np.exp(-np.diff(place) / length)
    process = rng.normal(size=(len(place), n_samples))
    for k, share in enumerate(keep, start=1):
        process[k] = (share * process[k - 1]
                      + np.sqrt(1 - share**2) * process[k])
    own = max(1 - smooth - common, 0.0)
    return (np.sqrt(own) * noise + np.sqrt(smooth) * process
            + np.sqrt(common) * rng.normal(size=(1, n_samples)))


def sample_intensity(profile, n_samples, rng):
    """
    Draw noisy versions of the intensities of a profile.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile. The error of the sky, ``meta['sky_err']``, moves all
        rings together. The rest is, with ``meta['correlation']``, Gaussian
        in magnitudes and correlated; without, Gaussian in intensity, and
        independent unless the rings are those of isophotes
        (`~astro_pix2prof.profile.covariance.ring_covariance`).

    n_samples : int
        The number of samples.

    rng : `~numpy.random.Generator`
        The source of random numbers.

    Returns
    -------
    samples : 2D `~numpy.ndarray`, shape (n_rings, n_samples)
        In the unit of ``profile['intensity']``. NaN where the error is.

    Raises
    ------
    ValueError
        If ``meta['correlation']`` cannot be used.
    """
    value = profile['intensity'].value
    correlation = profile_correlation(profile)
    if correlation is None and has_isophotes(profile):
        return value[:, None] + _draw(profile, n_samples, rng)
    sma = radius_pixels(profile, profile_meta(profile))
    noise = correlated_noise(sma, correlation, n_samples, rng)
    ring, sky = split_errors(profile, correlation)
    # All rings share the error of the sky.
    shift = rng.normal(size=(1, n_samples)) * sky[:, None]
    if correlation is None:
        return value[:, None] + ring[:, None] * noise + shift
    # (a ring that is not positive has no magnitude)
    with np.errstate(invalid='ignore', divide='ignore'):
        magnitudes = np.where(value > 0, POGSON * ring / value,
                              np.nan)[:, None] * noise
    return shift + np.where((value > 0)[:, None],
                            value[:, None] * 10**(-0.4 * magnitudes),
                            value[:, None] + ring[:, None] * noise)


def _draw(profile, n_samples, rng):
    """
    Draw errors of the intensities of isophotes, with their covariance.
    """
    known = np.isfinite(profile['intensity_err'].value)
    root = symmetric_root(ring_covariance(profile, known))
    drawn = np.full((len(known), n_samples), np.nan)
    drawn[known] = root @ rng.normal(size=(len(root), n_samples))
    return drawn


def symmetric_root(covariance):
    """
    Calculate the symmetric square root of a covariance.

    Of all matrices that turn independent numbers into correlated ones, it is
    the one that does not depend on the signs of eigenvectors, nor on which
    of them are chosen for equal eigenvalues; both differ between platforms.

    Parameters
    ----------
    covariance : 2D `~numpy.ndarray`, shape (n, n)
        The covariance; negative eigenvalues, as of rounding, count as 0.

    Returns
    -------
    root : 2D `~numpy.ndarray`, shape (n, n)
    """
    size, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(size, 0))) @ vectors.T


def sample_profile(profile: QTable, n_samples: int, *,
                   seed: int | None = None) -> Quantity:
    """
    Draw noisy versions of a profile, with correlated errors.

    A quantity that is computed from the profile has as its error the
    scatter of the same quantity computed from each of the samples.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile, as a fitter returns it.

    n_samples : int
        The number of samples, 1 or more.

    seed : int, optional
        The seed of the random numbers.

    Returns
    -------
    samples : `~astropy.units.Quantity`, shape (n_rings, n_samples)
        Surface brightness (mag/arcsec2). NaN where the profile has no
        surface brightness or no error, or a sample is not positive.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If ``n_samples`` is not a positive integer, or
        ``profile.meta['correlation']`` cannot be used.

    Notes
    -----
    ``profile.meta['correlation']`` holds 'length' L, 'smooth' s and
    'common' c: the errors (in magnitudes) of the rings at the semi-major
    axes a and b have the correlation c + s exp(-abs(ln(a / b)) / L), where
    radii below half a pixel count as half a pixel. A profile without it
    has errors in intensity that are independent; but in one of
    `IsophoteFitter`, neighbours share the noise of the pixels that both
    hold, and arms and wrong ellipses move the rings within half an e-fold
    of the radius together.

    In either case the error of the sky, ``meta['sky_err']``, is a part of
    the error of each ring that moves all intensities together.

    Examples
    --------
    >>> from astro_pix2prof import (Pix2ProfFitter, load_example,
    ...                             sample_profile)
    >>> profile = Pix2ProfFitter()(load_example())
    >>> samples = sample_profile(profile, 50, seed=1)
    >>> samples.shape == (len(profile), 50)
    True
    """
    profile = check_profile(profile, ordered=True)
    n_samples = check_n_samples(n_samples, least=1)
    intensity = sample_intensity(profile, n_samples,
                                 np.random.default_rng(seed))
    zero = profile.meta.get('sb_zeropoint', np.nan)
    samples = intensity_to_sb(intensity, zeropoint=zero)[0]
    positive = profile['intensity'].value > 0
    return np.where(positive[:, None], samples, np.nan) * SB_UNIT
