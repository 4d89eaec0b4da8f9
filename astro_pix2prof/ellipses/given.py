# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Ellipses that a user gives, in any of the forms that are in use.
"""

import contextlib
import warnings
from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.ellipses.geometry import (
    check_centre,
    check_radii,
    given_ellipses,
    has_centre,
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.image.astrometry import sky_to_pixel
from astro_pix2prof.profile.columns import is_profile
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.meta import profile_meta
from astro_pix2prof.wording import shown

__all__ = ['GEOMETRY_OPTIONS', 'GivenEllipses', 'check_ellipticity',
           'check_pa', 'read_ellipses']


# Options of a call from which the ellipses follow.
GEOMETRY_OPTIONS = ('geometry', 'ellipticity', 'pa')

# Names of columns of tables that are no profiles, in lower case.
_SMA = ('radius', 'sma', 'r')

_ELLIPTICITY = ('ellipticity', 'eps', 'ellip')

_PA, _THETA = ('pa', 'position_angle'), ('theta',)

# Columns of tables of other programs, whose angles count from +y.
_IRAF = {'sma', 'ellip', 'pa'}

_AUTOPROF = {'R', 'SB', 'ellip', 'pa'}

# The attributes of an ellipse, or of a list of isophotes, of photutils.
_PHOTUTILS = ('sma', 'eps', 'pa', 'x0', 'y0')


@dataclass
class GivenEllipses:
    """
    Ellipses to measure an image on.

    Attributes
    ----------
    centre : tuple of 2 floats or `None`
        The centre (x, y) in pixels of the cutout, if it was given.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, ellipticities, and angles in radians from
        +x.

    eps_err : 1D `~numpy.ndarray`, shape (n,), or `None`
        Errors of the ellipticities.

    has_radii : bool
        Whether the image is to be measured at ``sma``.

    is_fitted : bool
        Whether a fit of the galaxy found them: then its light within them is
        integrated as in that fit.
    """

    centre: tuple
    sma: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    eps_err: np.ndarray = None
    has_radii: bool = False
    is_fitted: bool = False

    def at(self, sma):
        """
        Interpolate the shapes; beyond the ellipses, those of the nearest.

        Parameters
        ----------
        sma : 1D `~numpy.ndarray`, shape (m,)
            Semi-major axes in pixels.

        Returns
        -------
        eps, theta : 1D `~numpy.ndarray`, shape (m,)
            Ellipticities, and angles in radians.
        """
        return shape_from_components(*(
            np.interp(sma, self.sma, part)
            for part in shape_to_components(self.eps, self.theta)))


def read_ellipses(cutout, geometry=None, ellipticity=None, pa=None):
    """
    Read the ellipses on which an image is to be measured.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    geometry : profile, table, ellipse or list of isophotes, optional
        A profile of the same galaxy (where its meta has no centre, that is
        found as usual); an
        `~photutils.isophote.EllipseGeometry` or an
        `~photutils.isophote.IsophoteList`, in pixels of the image and with
        angles from its +x axis; or a table with a column ``radius`` or
        ``sma`` and with ``ellipticity`` and ``pa``, of which those that it
        lacks are given by the options.

    ellipticity : float, str or `~astropy.units.Quantity`, optional
        The ellipticity 1 - b/a of all ellipses: 0.4, '40%' or
        ``40 * u.percent``.

    pa : float, str or `~astropy.units.Quantity`, optional
        Their position angle in degrees, as in the column ``pa`` of the
        profile: from north through east if the image has a WCS, otherwise
        from +x counter-clockwise.

    Returns
    -------
    ellipses : `GivenEllipses` or `None`
        `None` if nothing was given.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.

    ValueError
        If the shape is incomplete, given twice or out of range, or if the
        geometry does not fit the image or is a raw table of IRAF or
        AutoProf, which has angles from +y.

    Warns
    -----
    AstropyUserWarning
        If a table lacks the shape of some rows, which is interpolated; or if
        a profile does not say from where its position angles count.
    """
    if ellipticity is not None:
        ellipticity = check_ellipticity(ellipticity)
    if pa is not None:
        pa = check_pa(pa)
    if geometry is None:
        if ellipticity is None and pa is None:
            return None
        eps, theta = _shape(cutout, ellipticity, pa)
        return GivenEllipses(None, np.zeros(1), np.array([eps]),
                             np.array([theta]))
    if hasattr(geometry, 'colnames'):
        if not is_profile(geometry):
            _refuse_other_programs(geometry)
            return _from_table(geometry, cutout, ellipticity, pa)
        _refuse_both(ellipticity, pa)
        if not has_centre(geometry):
            check_radii(geometry, cutout)
            _warn_of_angles(geometry, cutout)
            return _from_table(geometry, cutout, None, None)
        return _from_profile(geometry, cutout)
    if all(hasattr(geometry, name) for name in _PHOTUTILS):
        _refuse_both(ellipticity, pa)
        return _from_photutils(geometry, cutout)
    msg = ('geometry must be a profile table, as a fitter returns it, a table '
           'of radius, ellipticity and pa, or an EllipseGeometry of '
           'photutils (files are read by read_profile, read_iraf_table and '
           f'read_autoprof), got {type(geometry).__name__}')
    raise TypeError(msg)


def check_ellipticity(value):
    """
    Check an ellipticity: a number, per cent, or a text of either.

    Parameters
    ----------
    value : float, str or `~astropy.units.Quantity`
        The ellipticity.

    Returns
    -------
    ellipticity : float
        From 0 to below 1.

    Raises
    ------
    TypeError
        If it is not one number.

    ValueError
        If it is out of range or has a unit.
    """
    number = value
    if isinstance(value, str):
        text = value.strip()
        with contextlib.suppress(ValueError):
            number = (float(text[:-1]) / 100 if text.endswith('%')
                      else float(text))
    try:
        number = u.Quantity(number).to_value(u.dimensionless_unscaled)
    except u.UnitConversionError:
        msg = ('ellipticity must be a number or per cent, got the unit '
               f"'{value.unit}'")
        raise ValueError(msg) from None
    except TypeError:
        number = None
    if number is None or np.ndim(number) or isinstance(value, bool):
        msg = ("ellipticity must be a number from 0 to below 1, or '40%', "
               f'got {shown(value)}')
        raise TypeError(msg)
    if not 0 <= number < 1:
        msg = ('ellipticity must be from 0 to below 1 (for per cent, write '
               f"'40%'), got {shown(value)}")
        raise ValueError(msg)
    return float(number)


def check_pa(value):
    """
    Check a position angle: degrees, an angle, or a text of either.

    Parameters
    ----------
    value : float, str or `~astropy.units.Quantity`
        The angle.

    Returns
    -------
    pa : float
        In degrees.

    Raises
    ------
    TypeError
        If it is not one number.

    ValueError
        If it is not finite or has no unit of an angle.
    """
    try:
        angle = u.Quantity(value)
        if angle.unit != u.dimensionless_unscaled:
            angle = angle.to(u.deg)
    except u.UnitConversionError:
        msg = f"pa must be an angle, got the unit '{angle.unit}'"
        raise ValueError(msg) from None
    except TypeError:
        angle = None
    if angle is None or angle.ndim or isinstance(value, bool):
        msg = f'pa must be degrees or an angle, got {shown(value)}'
        raise TypeError(msg)
    if not np.isfinite(angle.value):
        msg = f'pa must be finite, got {shown(value)}'
        raise ValueError(msg)
    return float(angle.value)


def _refuse_both(ellipticity, pa):
    given = [name for name, value in (('ellipticity', ellipticity),
                                      ('pa', pa)) if value is not None]
    if given:
        msg = (f'{" and ".join(given)} must not be given with a geometry that '
               'has its own: leave one of them out')
        raise ValueError(msg)


def _shape(cutout, ellipticity, pa):
    """
    Convert ellipticity and position angle to the pixels of an image.
    """
    if ellipticity is None:
        msg = 'pa needs an ellipticity: give ellipticity=, got None'
        raise ValueError(msg)
    if pa is None:
        if np.any(np.asarray(ellipticity) > 0):
            msg = ('ellipticity needs a position angle unless it is 0: give '
                   'pa= in degrees, got None')
            raise ValueError(msg)
        return ellipticity, 0.0 * np.asarray(ellipticity)
    # (as the column ``pa`` of a profile; without a WCS, from +x)
    return ellipticity, np.radians(cutout.from_sky_pa(pa))


def _refuse_other_programs(table):
    """
    Refuse tables of IRAF and AutoProf as they are: their angles are from +y.
    """
    names = set(table.colnames)
    lower = {name.lower() for name in names}
    if _AUTOPROF <= names:
        msg = ('geometry must not be a raw table of AutoProf, whose angles '
               'count from +y: read its file with read_autoprof, got '
               f'{", ".join(table.colnames)}')
        raise ValueError(msg)
    # (lower case where a program has renamed them)
    if _IRAF <= lower and ('ELLIP' in names or {'intens', 'x0'} & lower):
        msg = ("geometry must not be a raw table of IRAF's ellipse, whose "
               'angles count from +y and pixels from 1: read its file with '
               'read_iraf_table, or give angles from +x (PA + 90) and pixels '
               'from 0 in columns sma, ellipticity, pa, x0 and y0, got '
               f'{", ".join(table.colnames)}')
        raise ValueError(msg)


def _warn_of_angles(profile, cutout):
    """
    Tell how the angles of a profile that has lost its meta are taken.
    """
    if 'pa_frame' not in profile.meta:
        start = 'north' if cutout.wcs is not None else '+x'
        warnings.warn(
            'geometry has no meta, as in CSV files: its position angles are '
            f'taken to count from {start}, and the centre is found in the '
            'image; ECSV, FITS, Parquet and VOTable files keep both',
            AstropyUserWarning, stacklevel=4)


def _from_profile(geometry, cutout):
    centre, sma, eps, theta = given_ellipses(geometry, cutout)
    error = None
    if 'ellipticity_err' in geometry.colnames:
        error = np.nan_to_num(np.ma.filled(
            np.ma.asarray(geometry['ellipticity_err'], dtype=float), 0.0))
    forced = profile_meta(geometry).get('flag', 0) & GalaxyFlag.FORCED
    return GivenEllipses(centre, sma, eps, np.radians(theta), error, True,
                         not forced)


def _from_photutils(geometry, cutout):
    """
    Take an ellipse or a list of isophotes of photutils.
    """
    sma, eps, theta, x0, y0 = (
        np.atleast_1d(np.asarray(getattr(geometry, name), dtype=float))
        for name in _PHOTUTILS)
    # (the central pixel of a list has no shape)
    use = np.isfinite(sma + eps + theta) & ((sma > 0) | (len(sma) == 1))
    if not use.any():
        msg = 'geometry must have an ellipse, got none that is finite'
        raise ValueError(msg)
    centre = (float(np.median(x0[use])) - cutout.origin[0],
              float(np.median(y0[use])) - cutout.origin[1])
    return _checked(GivenEllipses(
        check_centre(centre, cutout), sma[use], eps[use], theta[use],
        has_radii=use.sum() > 1))


def _from_table(table, cutout, ellipticity, pa):
    """
    Take a table of radii and shapes, of photutils or of the user.
    """
    sma = _column(table, _SMA)
    if sma is None:
        msg = (f'geometry must have a column {" or ".join(_SMA[:2])}, got '
               f'{", ".join(table.colnames)}')
        raise ValueError(msg)
    sma = _lengths(sma, cutout)
    own = {'ellipticity': _column(table, _ELLIPTICITY),
           'pa': _column(table, _PA)}
    theta = _column(table, _THETA)
    has_angle = own['pa'] is not None or theta is not None
    _refuse_both(None if own['ellipticity'] is None else ellipticity,
                 pa if has_angle else None)
    eps = ellipticity
    if eps is None and own['ellipticity'] is None:
        msg = ('geometry must have a column ellipticity, or ellipticity= has '
               'to be given besides, for radii alone give radii= instead, '
               f'got {", ".join(table.colnames)}')
        raise ValueError(msg)
    if own['ellipticity'] is not None:
        eps = own['ellipticity'].to_value(u.dimensionless_unscaled)
    centre = _centre(table, cutout)
    if theta is not None:
        theta = _degrees(theta)
    elif own['pa'] is not None:
        angle = _degrees(own['pa'])
        # photutils has columns of centres, and angles from +x
        if _frame(table, cutout) == 'pixel':
            theta = angle
        else:
            pa = angle
    if theta is None:
        if pa is None and np.any(np.asarray(eps) > 0):
            msg = ('geometry must have a column pa, or pa= has to be given '
                   f'besides, got {", ".join(table.colnames)}')
            raise ValueError(msg)
        eps, theta = _shape(cutout, eps, pa)
    else:
        eps, theta = _shape(cutout, eps, 0.0)[0], np.radians(theta)
    eps, theta = (np.broadcast_to(part, sma.shape) for part in (eps, theta))
    # (a circle has no angle, and needs none)
    theta = np.where((eps == 0) & np.isnan(theta), 0.0, theta)
    use = np.isfinite(sma + eps + theta)
    known = np.isfinite(sma)
    if not use.any() or np.any(np.diff(sma[known]) <= 0):
        msg = ('geometry must have finite, increasing radii with a shape, got '
               f'{np.array2string(sma, threshold=6, precision=3)}')
        raise ValueError(msg)
    found = _checked(GivenEllipses(centre, sma[use], eps[use], theta[use],
                                   _errors(table, use), use.sum() > 1))
    # (the centre has no shape)
    without = known & ~use & (sma > 0)
    _warn_of_gaps(sma[without], np.count_nonzero(~known))
    if not without.any():
        return found
    use |= without
    return replace(found, sma=sma[use], **dict(zip(
        ('eps', 'theta'), found.at(sma[use]), strict=True)),
        eps_err=_errors(table, use), has_radii=True)


def _errors(table, use):
    """
    Find the errors of the ellipticities in tables of this package.
    """
    error = _column(table, ('ellipticity_err',))
    if error is None or not (is_profile(table) or 'pa_frame' in _meta(table)):
        return None
    return np.nan_to_num(error.value)[use]


def _warn_of_gaps(without, n_unknown):
    """
    Tell of rows of a table that lack their shape or their radius.
    """
    if len(without):
        warnings.warn(
            f'geometry has no shape in {len(without)} row(s), from the '
            f'semi-major axis {without[0]:.4g} to {without[-1]:.4g} pixels: '
            'it is interpolated from the other rows', AstropyUserWarning,
            stacklevel=4)
    if n_unknown:
        warnings.warn(f'geometry has no radius in {n_unknown} row(s), which '
                      'are left out', AstropyUserWarning, stacklevel=4)


def _column(table, names):
    """
    Find a column by one of its names; masked values become NaN.
    """
    known = {name.lower(): name for name in table.colnames}
    for name in names:
        if name in known:
            column = table[known[name]]
            unit = getattr(column, 'unit', None)
            values = getattr(column, 'value', column)
            values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
            return u.Quantity(values, unit or u.dimensionless_unscaled)
    return None


def _lengths(sma, cutout):
    """
    Convert a column of semi-major axes to pixels.
    """
    if sma.unit in (u.dimensionless_unscaled, u.pix):
        return sma.value
    if not sma.unit.is_equivalent(u.arcsec) or cutout.pixel_scale is None:
        msg = ('geometry must have radii in pixels, or angles if the image '
               f"has a pixel scale, got the unit '{sma.unit}'")
        raise ValueError(msg)
    return sma.to_value(u.arcsec) / cutout.pixel_scale


def _degrees(angle):
    if angle.unit == u.dimensionless_unscaled:
        return angle.value
    if not angle.unit.is_equivalent(u.deg):
        msg = f"geometry must have its angles in degrees, got '{angle.unit}'"
        raise ValueError(msg)
    return angle.to_value(u.deg)


def _centre(table, cutout):
    """
    Find the centre in the columns x0 and y0 or in the meta.
    """
    x0, y0 = (_column(table, (name,)) for name in ('x0', 'y0'))
    if x0 is not None and y0 is not None:
        x, y = (float(np.nanmedian(part.value)) for part in (x0, y0))
    else:
        meta = _meta(table)
        if cutout.wcs is not None and 'ra' in meta and 'dec' in meta:
            return check_centre(sky_to_pixel(cutout.wcs, SkyCoord(
                meta['ra'], meta['dec'], unit='deg')), cutout)
        if not ('x_centre' in meta and 'y_centre' in meta):
            return None
        x, y = float(meta['x_centre']), float(meta['y_centre'])
    return check_centre((x - cutout.origin[0], y - cutout.origin[1]), cutout)


def _meta(table):
    return {key.lower(): value for key, value in (table.meta or {}).items()}


def _frame(table, cutout):
    """
    Tell from where the position angles of a table count.
    """
    frame = _meta(table).get('pa_frame')
    if frame is None:
        known = {name.lower() for name in table.colnames}
        frame = 'pixel' if {'x0', 'y0'} <= known else 'sky'
    elif frame == 'sky' and cutout.wcs is None:
        msg = ('geometry has position angles on the sky but the image has '
               'no WCS; give the image its WCS')
        raise ValueError(msg)
    return frame


def _checked(ellipses):
    eps, sma = ellipses.eps, ellipses.sma
    if np.any((eps < 0) | (eps >= 1)) or np.any(sma < 0):
        msg = ('geometry must have ellipticities from 0 to below 1 and radii '
               f'from 0 on, got {eps.min()} to {eps.max()}, and {sma.min()} '
               f'to {sma.max()}')
        raise ValueError(msg)
    return ellipses
