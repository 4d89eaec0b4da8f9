# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Build profile tables of given values, and interpolate them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astro_pix2prof.profile.build import make_profile
from astro_pix2prof.profile.columns import is_profile
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.interpolation import interpolate_smoothly
from astro_pix2prof.profile.rings import MeasuredRings

if TYPE_CHECKING:
    from typing import Any

    from astropy.table import QTable
    from numpy.typing import ArrayLike

    from astro_pix2prof import GalaxyCutout

__all__ = ['build_profile', 'interpolate_profile']

# Columns that are smooth curves, in magnitudes.
_SMOOTH = ('surface_brightness', 'mag_enclosed')


def _column(values, n, name, *, fill=np.nan):
    if values is None:
        return np.full(n, fill)
    values = np.asarray(values, dtype=float)
    if values.shape != (n,):
        msg = (f'{name} must have the shape of sma, ({n},), got '
               f'{values.shape}')
        raise ValueError(msg)
    return values


def _semi_major_axes(sma):
    """
    Semi-major axes in pixels as a checked array.
    """
    if isinstance(sma, u.Quantity):
        if sma.unit not in (u.pix, u.dimensionless_unscaled):
            msg = (f'sma must be in pixels, got the unit {sma.unit}: divide '
                   'by the pixel scale first')
            raise ValueError(msg)
        sma = sma.value
    sma = np.asarray(sma, dtype=float)
    if sma.ndim != 1 or len(sma) < 1:
        got = f'the shape {sma.shape}'
    elif not np.all(np.isfinite(sma)) or sma[0] < 0 or np.any(
            np.diff(sma) <= 0):
        got = np.array2string(sma, threshold=6, precision=3)
    else:
        return sma
    msg = ('sma must be a 1D array of finite, increasing semi-major axes '
           f'from 0 on, got {got}')
    raise ValueError(msg)


def build_profile(
        cutout: GalaxyCutout, sma: ArrayLike, intensity: ArrayLike,
        intensity_err: ArrayLike, *, ellipticity: ArrayLike, theta: ArrayLike,
        ellipticity_err: ArrayLike | None = None,
        theta_err: ArrayLike | None = None, n_valid: ArrayLike | None = None,
        flag: ArrayLike | None = None, mag_enclosed: ArrayLike | None = None,
        centre: tuple[float, float] | None = None, sky: float = 0.0,
        sky_err: float = 0.0, noise: float | None = None, fitter: str = '',
        galaxy_flag: int = 0, weights: str | None = None,
        sha256: str | None = None, meta: dict[str, Any] | None = None,
        surface_brightness_err: ArrayLike | None = None) -> QTable:
    """
    Build the profile table.

    Parameters
    ----------
    cutout : `GalaxyCutout`
        The image; it knows units, zero point, pixel scale and WCS.

    sma : 1D array-like, shape (n,)
        Semi-major axes in pixels, increasing.

    intensity, intensity_err : 1D array-like, shape (n,)
        Mean pixel value on each ellipse, sky-subtracted, and its error,
        in the image's unit.

    ellipticity, ellipticity_err : 1D array-like, shape (n,)
        Ellipticity 1 - b/a.

    theta, theta_err : 1D array-like, shape (n,)
        Angle of the major axis in degrees, counter-clockwise from +x.

    n_valid : 1D array-like, shape (n,), optional
        The usable fraction of each ring.

    flag : 1D array-like of int, shape (n,), optional
        `RingFlag` bits; NEGATIVE, LOW_SNR and FEW_PIXELS are added here.

    mag_enclosed : 1D array-like, shape (n,), optional
        Magnitude within each ellipse; by default integrated from the
        profile (see `curve_of_growth`).

    centre : tuple of 2 floats, optional
        The centre (x, y) in pixels of the cutout; by default its
        position.

    sky, sky_err, noise : float, optional
        Sky level, its error, and noise of a pixel, in the image's unit.

    fitter : str, optional
        The name of the fitter.

    galaxy_flag : int, optional
        `GalaxyFlag` bits; UNCALIBRATED is added here.

    weights, sha256 : str, optional
        Name and checksum of a network's weights.

    meta : dict, optional
        More meta: str, int, float or bool.

    surface_brightness_err : 1D array-like, shape (n,), optional
        Error of the surface brightness, where a fitter knows better than
        1.0857 times the relative error of the intensity.

    Returns
    -------
    profile : `~astropy.table.QTable`
        ``radius`` (arcsec), ``surface_brightness`` and its error
        (mag/arcsec2), ``intensity`` and its error (image unit per
        arcsec2), ``ellipticity``, ``pa`` (deg; on the sky, east of
        north, if there is a WCS) and their errors, ``mag_enclosed``
        (mag), ``n_valid``, ``flag``.

    Raises
    ------
    ValueError
        If the columns differ in length, ``sma`` does not increase or is
        not in pixels, an ellipticity is outside of 0 to 1, an error is
        negative, or a flag is no integer.
    """
    sma = _semi_major_axes(sma)
    n = len(sma)
    value = _column(intensity, n, 'intensity')
    error = _column(intensity_err, n, 'intensity_err')
    eps = _column(ellipticity, n, 'ellipticity')
    bits = np.zeros(n, dtype=np.int32)
    if flag is not None:
        given = _column(flag, n, 'flag')
        # NaN is no integer either.
        if not np.array_equal(given, np.trunc(given)):
            msg = f'flag must be integers, got {given}'
            raise ValueError(msg)
        bits |= given.astype(np.int32)
    if np.any((eps < 0) | (eps >= 1)):
        msg = ('ellipticity must be at least 0 and less than 1, got '
               f'{np.nanmin(eps)} to {np.nanmax(eps)}')
        raise ValueError(msg)
    if np.any(error < 0):
        msg = f'intensity_err must not be negative, got {np.nanmin(error)}'
        raise ValueError(msg)
    optional = {name: None if values is None else _column(values, n, name)
                for name, values in (
                    ('surface_brightness_err', surface_brightness_err),
                    ('ellipticity_err', ellipticity_err),
                    ('theta_err', theta_err),
                    ('mag_enclosed', mag_enclosed))}
    if theta_err is not None:
        optional['theta_err'] = np.radians(optional['theta_err'])
    rings = MeasuredRings(
        cutout=cutout, sma=sma, intensity=value, intensity_err=error, eps=eps,
        theta=np.radians(_column(theta, n, 'theta')),
        n_valid=_column(n_valid, n, 'n_valid', fill=1.0), flag=bits,
        galaxy_flag=GalaxyFlag(int(galaxy_flag)),
        centre=cutout.position if centre is None else centre, sky=sky,
        sky_err=sky_err, noise=np.nan if noise is None else noise,
        sb_err=optional['surface_brightness_err'],
        eps_err=optional['ellipticity_err'],
        theta_err=optional['theta_err'],
        mag_enclosed=optional['mag_enclosed'], meta=dict(meta or {}))
    return make_profile(rings, {'fitter': fitter, 'weights': weights,
                                'sha256': sha256})


def interpolate_profile(profile, radius, column='surface_brightness'):
    """
    A column of a profile at other radii.

    Surface brightness, mean and within, is interpolated by a cubic that does
    not overshoot (Fritsch & Butland 1984), which is smooth in the logarithm
    of intensity; other columns linearly, position angles along the shorter
    arc.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile.

    radius : `~astropy.units.Quantity`, shape (m,)
        Semi-major axes in a unit of the profile's ``radius``.

    column : str, optional
        The column; all but ``flag``, which cannot be interpolated.

    Returns
    -------
    values : `~astropy.units.Quantity` or `~numpy.ndarray`, shape (m,)
        NaN outside the profile's finite range.

    Raises
    ------
    ValueError
        If the profile has no such column, the column is ``flag``, or the
        radii have another kind of unit.
    """
    if column == 'flag':
        msg = "column must be a measured quantity, got 'flag'"
        raise ValueError(msg)
    if not is_profile(profile) or column not in profile.colnames:
        msg = (f'profile must be a profile table with a column {column!r}, '
               f'got {getattr(profile, "colnames", type(profile).__name__)}')
        raise ValueError(msg)
    unit = profile['radius'].unit
    try:
        want = u.Quantity(radius).to_value(unit)
    except u.UnitConversionError as error:
        msg = f'radius must be in a unit like {unit}, got {radius!r}'
        raise ValueError(msg) from error
    col = profile[column]
    values = np.asarray(getattr(col, 'value', col), dtype=float)
    at = profile['radius'].value
    ok = np.isfinite(values)
    if not ok.any():
        result = np.full(np.shape(want), np.nan)
    elif column == 'pa':
        turned = np.unwrap(np.radians(2 * values[ok]))
        # (twice: what is just below zero is rounded to 180)
        result = np.degrees(np.interp(want, at[ok], turned, left=np.nan,
                                      right=np.nan) / 2) % 180 % 180
    elif column in _SMOOTH:
        result = interpolate_smoothly(at[ok], values[ok], want)
    else:
        result = np.interp(want, at[ok], values[ok], left=np.nan,
                           right=np.nan)
    return result * col.unit if isinstance(col, u.Quantity) else result
