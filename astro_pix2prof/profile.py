# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The profile table: the same columns, units and flags for all fitters.
"""

import enum
from datetime import UTC, datetime

import astropy.units as u
import numpy as np
from astropy.table import QTable

__all__ = ['GalaxyFlag', 'RingFlag', 'build_profile', 'curve_of_growth',
           'decode_flags', 'intensity_to_sb', 'interpolate_profile',
           'is_profile', 'sb_to_intensity']

SB_UNIT = u.mag / u.arcsec**2

COLUMNS = ('radius', 'surface_brightness', 'surface_brightness_err',
           'intensity', 'intensity_err', 'ellipticity', 'ellipticity_err',
           'pa', 'pa_err', 'mag_enclosed', 'n_valid', 'flag')

# 2.5 / ln 10.
POGSON = 1.0857362047581296


class RingFlag(enum.IntFlag):
    """
    What to know about one row of a profile.
    """

    #: The intensity is not positive: the surface brightness is NaN.
    NEGATIVE = 1
    #: The signal-to-noise ratio of the ring is below 1.
    LOW_SNR = 2
    #: The ellipse carries on the outermost fitted one.
    EXTENDED = 4
    #: No good fit at this radius: the ellipse is interpolated.
    INTERPOLATED = 8
    #: The ellipse was given or held, not fitted.
    FIXED_GEOMETRY = 16
    #: Less than half of the ring was usable.
    FEW_PIXELS = 32
    #: Saturated pixels on the ring.
    SATURATED = 64
    #: The ring leaves the frame.
    EDGE = 128
    #: Inside the core of the PSF, or the innermost pixel.
    UNRESOLVED = 256
    #: The value does not come from pixels of this ring.
    EXTRAPOLATED = 512


class GalaxyFlag(enum.IntFlag):
    """
    What to know about a whole profile: ``profile.meta['flag']``.
    """

    #: No zero point: magnitudes are NaN.
    UNCALIBRATED = 1
    #: The first geometry led nowhere, a later one did.
    SECOND_GUESS = 2
    #: No isophote could be fitted: annuli of fixed shape.
    FIXED_ELLIPSES = 4
    #: The galaxy has no clear centre.
    CENTRE_UNCERTAIN = 8
    #: The galaxy was found far from the position.
    CENTRE_OFFSET = 16
    #: Another object touches the galaxy.
    NEIGHBOUR = 32
    #: The galaxy reaches the edge of the frame.
    TRUNCATED = 64
    #: The centre is saturated.
    SATURATED = 128
    #: Too little sky in the frame to tell its error.
    SKY_UNCERTAIN = 256
    #: Nothing significant at the position.
    NO_SOURCE = 512
    #: The image is unlike those that the network was trained on.
    OUT_OF_DOMAIN = 1024
    #: The ellipses come from another profile.
    FORCED = 2048
    #: More than half of a bright ring is masked.
    HEAVILY_MASKED = 4096
    #: The initial geometry was of no use: measured without it.
    NO_INITIAL = 8192
    #: Nothing was measured; ``message`` says why.
    FAILED = 16384
    #: As compact as the point-spread function: a star, or not resolved.
    POINT_SOURCE = 32768
    #: The noise is not as stated, correlated or uneven: no error holds.
    WRONG_NOISE = 65536


def decode_flags(value, kind='ring'):
    """
    The names of the bits that are set.

    Parameters
    ----------
    value : int or array-like of int
        A flag, or a column of flags.

    kind : {'ring', 'galaxy'}, optional
        'ring' for the column ``flag``, 'galaxy' for ``meta['flag']``.

    Returns
    -------
    names : list of str, or list of such lists

    Raises
    ------
    ValueError
        If ``kind`` is neither of the two.

    Examples
    --------
    >>> from astro_pix2prof import decode_flags
    >>> decode_flags(5)
    ['NEGATIVE', 'EXTENDED']
    >>> decode_flags([0, 2])
    [[], ['LOW_SNR']]
    >>> decode_flags(96, kind='galaxy')
    ['NEIGHBOUR', 'TRUNCATED']
    """
    kinds = {'ring': RingFlag, 'galaxy': GalaxyFlag}
    if kind not in kinds:
        msg = f"kind must be 'ring' or 'galaxy', got {kind!r}"
        raise ValueError(msg)
    if np.ndim(value):
        return [decode_flags(v, kind) for v in np.asarray(value).tolist()]
    return [bit.name for bit in kinds[kind] if int(value) & bit]


def intensity_to_sb(intensity, intensity_err=None, *, zeropoint):
    """
    Surface brightness of an intensity.

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


def sb_to_intensity(sb, sb_err=None, *, zeropoint):
    """
    Intensity of a surface brightness: the inverse of `intensity_to_sb`.

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
    Flux within each ellipse, by integration of the profile over area.

    Between two rings the intensity is taken as exponential in radius, or
    linear where one of them is not positive.

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
    value = np.interp(sma[:last], sma[ok], intensity[ok])
    q = np.interp(sma[:last], sma[shaped], axis_ratio[shaped])
    flux[:last] = light_within(sma[:last], value, q)
    return flux


def light_within(sma, intensity, axis_ratio):
    """
    As `curve_of_growth`, for many profiles at once and without gaps.

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


def build_profile(cutout, sma, intensity, intensity_err, *, ellipticity,
                  theta, ellipticity_err=None, theta_err=None, n_valid=None,
                  flag=None, mag_enclosed=None, centre=None, sky=0.0,
                  sky_err=0.0, noise=None, fitter='', galaxy_flag=0,
                  weights=None, sha256=None, meta=None,
                  surface_brightness_err=None):
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
    from astro_pix2prof import __version__

    sma = _semi_major_axes(sma)
    n = len(sma)
    value = _column(intensity, n, 'intensity') * cutout.intensity_scale
    error = (_column(intensity_err, n, 'intensity_err')
             * cutout.intensity_scale)
    eps = _column(ellipticity, n, 'ellipticity')
    n_valid = _column(n_valid, n, 'n_valid', fill=1.0)
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
        msg = ('intensity_err must not be negative, got '
               f'{np.nanmin(error) / cutout.intensity_scale}')
        raise ValueError(msg)
    with np.errstate(invalid='ignore'):
        bits[value <= 0] |= RingFlag.NEGATIVE
        bits[value < error] |= RingFlag.LOW_SNR
    bits[n_valid < 0.5] |= RingFlag.FEW_PIXELS
    galaxy_flag = GalaxyFlag(int(galaxy_flag))
    zero = cutout.sb_zeropoint
    if not np.isfinite(zero):
        galaxy_flag |= GalaxyFlag.UNCALIBRATED
    sb, sb_err = intensity_to_sb(value, error, zeropoint=zero)
    if surface_brightness_err is not None:
        sb_err = np.where(np.isfinite(sb), _column(
            surface_brightness_err, n, 'surface_brightness_err'), np.nan)
    radius = sma * cutout.radius_scale
    if mag_enclosed is None:
        flux = curve_of_growth(radius, value, eps)
        mag_enclosed = intensity_to_sb(flux, zeropoint=zero)[0]
    pa, frame = cutout.to_sky_pa(_column(theta, n, 'theta'))
    x, y = cutout.position if centre is None else centre

    table = QTable()
    table['radius'] = radius * cutout.radius_unit
    table['surface_brightness'] = sb * SB_UNIT
    table['surface_brightness_err'] = sb_err * SB_UNIT
    table['intensity'] = value * cutout.intensity_unit
    table['intensity_err'] = error * cutout.intensity_unit
    table['ellipticity'] = eps
    table['ellipticity_err'] = _column(ellipticity_err, n, 'ellipticity_err')
    table['pa'] = pa * u.deg
    table['pa_err'] = _column(theta_err, n, 'theta_err') * u.deg
    table['mag_enclosed'] = _column(mag_enclosed, n, 'mag_enclosed') * u.mag
    table['n_valid'] = n_valid
    table['flag'] = bits

    known = {
        'fitter': fitter, 'version': __version__, 'weights': weights,
        'sha256': sha256, 'created': datetime.now(UTC).isoformat(
            timespec='seconds'), 'source': cutout.name, 'band': cutout.band,
        'unit': cutout.unit.to_string(), 'mag_system': cutout.mag_system,
        'zeropoint': cutout.zeropoint, 'sb_zeropoint': zero,
        'pixel_scale': cutout.pixel_scale,
        'x_centre': x + cutout.origin[0], 'y_centre': y + cutout.origin[1],
        'pa_frame': frame, 'sky': sky, 'sky_err': sky_err, 'noise': noise,
        'flag': int(galaxy_flag)}
    sky_position = cutout.pixel_to_sky(x, y)
    if sky_position is not None:
        icrs = sky_position.icrs
        known.update(ra=icrs.ra.deg, dec=icrs.dec.deg)
    table.meta.update(_plain({**known, **(meta or {})}))
    return table


def _plain(meta):
    """
    Plain values that every format keeps; what is unknown is left out.
    """
    plain = {}
    for key, value in meta.items():
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or value == '' or (
                isinstance(value, float) and not np.isfinite(value)):
            continue
        if not isinstance(value, str | int | float | bool):
            msg = (f'meta[{key!r}] must be a str, int, float or bool, got '
                   f'{type(value).__name__}')
            raise TypeError(msg)
        plain[key] = value
    return plain


def is_profile(table):
    """
    Whether a table has the columns of a profile.

    Parameters
    ----------
    table : object
        Anything.

    Returns
    -------
    result : bool
    """
    names = getattr(table, 'colnames', ())
    return all(name in names for name in ('radius', 'intensity',
                                          'intensity_err', 'ellipticity',
                                          'pa', 'flag'))


def interpolate_profile(profile, radius, column='surface_brightness'):
    """
    A column of a profile at other radii.

    Surface brightness is interpolated linearly in radius, which is
    logarithmic in intensity; position angles along the shorter arc.

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
        result = np.degrees(np.interp(want, at[ok], turned, left=np.nan,
                                      right=np.nan) / 2) % 180
    else:
        result = np.interp(want, at[ok], values[ok], left=np.nan,
                           right=np.nan)
    return result * col.unit if isinstance(col, u.Quantity) else result
