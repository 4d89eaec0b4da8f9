# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Surface brightness, intensity and the curve of growth.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.profile.interpolation import (
    divide_steps,
    interpolate_intensity,
)

__all__ = ['curve_of_growth', 'intensity_to_sb', 'magnitude_error',
           'sb_to_intensity']


SB_UNIT = u.mag / u.arcsec**2

# Magnitudes per unit of relative error: 2.5 / ln 10.
POGSON = 1.0857362047581296

# Intensities count as no less than this part of their errors.
_LEAST = 1e-3

# A curve of growth is integrated in so many steps from ring to ring.
_STEPS = 4


def intensity_to_sb(intensity, intensity_err=None, *, zeropoint):
    """
    Convert intensity to surface brightness (mag/arcsec2).

    Parameters
    ----------
    intensity, intensity_err : float or `~numpy.ndarray`
        Intensity per square arcsecond and its error.

    zeropoint : float
        The surface brightness (mag/arcsec2) of an intensity of 1.

    Returns
    -------
    sb, sb_err : `~numpy.ndarray`
        mag/arcsec2; NaN where the intensity is not positive. ``sb_err``
        is `None` without ``intensity_err``.
    """
    intensity = np.asarray(intensity, dtype=float)
    positive = np.where(intensity > 0, intensity, np.nan)
    sb = zeropoint - 2.5 * np.log10(positive)
    if intensity_err is None:
        return sb, None
    return sb, POGSON * np.asarray(intensity_err, dtype=float) / positive


def magnitude_error(intensity, error):
    """
    Convert errors of intensities to errors of magnitudes, which stay finite.

    Parameters
    ----------
    intensity, error : `~numpy.ndarray`
        Intensities, which may be zero or less, and their errors.

    Returns
    -------
    sb_err : `~numpy.ndarray`
        In mag.
    """
    return POGSON * error / np.maximum(intensity, _LEAST * error)


def sb_to_intensity(sb, sb_err=None, *, zeropoint):
    """
    Convert surface brightness (mag/arcsec2) to intensity.

    Parameters
    ----------
    sb, sb_err : float or `~numpy.ndarray`
        Surface brightness (mag/arcsec2) and its error.

    zeropoint : float
        The surface brightness (mag/arcsec2) of an intensity of 1.

    Returns
    -------
    intensity, intensity_err : `~numpy.ndarray`
        ``intensity_err`` is `None` without ``sb_err``.
    """
    intensity = 10**(-0.4 * (np.asarray(sb, dtype=float) - zeropoint))
    if sb_err is None:
        return intensity, None
    return intensity, intensity * np.asarray(sb_err, dtype=float) / POGSON


def curve_of_growth(sma, intensity, ellipticity):
    """
    Integrate a profile to the flux within each ellipse.

    Between two rings the intensity is smooth in its magnitudes, by a cubic
    that does not overshoot.

    Parameters
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes, increasing.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        Flux per unit area (of the square of the unit of ``sma``). NaN
        inside is bridged; from the last finite value on it is NaN.

    ellipticity : 1D `~numpy.ndarray`, shape (n,)
        Ellipticity; NaN is bridged.

    Returns
    -------
    flux : 1D `~numpy.ndarray`, shape (n,)
    """
    sma, intensity = (np.asarray(v, dtype=float) for v in (sma, intensity))
    flux = np.full(len(sma), np.nan)
    axis_ratio = 1 - np.asarray(ellipticity, dtype=float)
    ok, shaped = np.isfinite(intensity), np.isfinite(axis_ratio)
    if not ok.any() or not shaped.any():
        return flux
    last = np.nonzero(ok)[0][-1] + 1
    at = divide_steps(sma[:last], _STEPS)
    fine = interpolate_intensity(sma[ok], intensity[ok], np.maximum(
        at, sma[ok][0]))
    q = np.interp(at, sma[shaped], axis_ratio[shaped])
    flux[:last] = light_within(at, fine, q)[::_STEPS]
    return flux


def light_within(sma, intensity, axis_ratio):
    """
    Integrate many profiles without gaps to the flux within each ellipse.

    Between two rings the intensity is taken as exponential in radius, or
    linear where one of them is not positive: the rings must lie close.

    Parameters
    ----------
    sma, intensity, axis_ratio : `~numpy.ndarray`, shape (..., n)
        Semi-major axes, increasing along the last axis; flux per unit
        area; minor over major axis.

    Returns
    -------
    flux : `~numpy.ndarray`, shape (..., n)
    """
    # An ellipse inside the one before (a strong change of shape) adds
    # nothing.
    area = np.maximum.accumulate(np.pi * sma**2 * axis_ratio, axis=-1)
    step = np.diff(area)
    inner, outer = intensity[..., :-1], intensity[..., 1:]
    both = (inner > 0) & (outer > 0) & (np.abs(inner - outer)
                                        > 1e-6 * np.abs(inner))
    # Exponential in radius: the profile bends within a step in area, so
    # that a trapezoid in area is biased.
    ratio = np.where(both, inner / np.where(both, outer, 1.0), 1.0)
    k = np.log(ratio)
    a0, a1 = sma[..., :-1], sma[..., 1:]
    da = np.maximum(a1 - a0, 1e-12)
    # Integral of a exp(-k (a - a0) / da) over the step, divided by that
    # of a: the mean intensity in units of the inner one.
    with np.errstate(divide='ignore', invalid='ignore'):
        e = np.exp(-k)
        first = (1 - e) / k
        second = (1 - e * (1 + k)) / k**2
        mean = (a0 * first + da * second) / (0.5 * (a0 + a1))
    # Series where k is small.
    small = np.abs(k) < 1e-3
    frac = (a0 + 2 * a1) / (3 * np.maximum(a0 + a1, 1e-12))
    mean = np.where(small | ~both, np.nan, mean) * inner
    linear = inner + (outer - inner) * frac
    ring = np.where(np.isfinite(mean), mean, linear) * step
    # The innermost ellipse, if the table does not begin at zero.
    start = area[..., :1] * intensity[..., :1]
    return np.concatenate([start, start + np.cumsum(ring, axis=-1)], axis=-1)
