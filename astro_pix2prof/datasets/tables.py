# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read profiles that IRAF and AutoProf have measured.
"""

from __future__ import annotations

import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table

from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.units import is_surface_brightness, parse_unit
from astro_pix2prof.image.zeropoint import find_zeropoint
from astro_pix2prof.profile.brightness import (
    intensity_to_sb,
    sb_to_intensity,
)
from astro_pix2prof.profile.columns import make_table

if TYPE_CHECKING:
    from astropy.units import UnitBase

    from astro_pix2prof.typing import PathLike

__all__ = ['read_autoprof', 'read_foreign_ellipses', 'read_iraf_table',
           'recognise_table']


# Columns by which a table is recognised.
_PROFILE = {'radius', 'intensity', 'ellipticity', 'pa'}

_IRAF = {'SMA', 'INTENS', 'ELLIP', 'PA'}

_AUTOPROF = {'R', 'SB', 'SB_e', 'ellip', 'pa'}

_PUBLISHED = {'radius', 'surface_brightness'}

# AutoProf writes 99.999 for a magnitude that it could not measure.
_NO_MAGNITUDE = 99.0

# The intensities of an AutoProf profile refer to this magnitude: they are
# nanomaggies if the magnitudes are AB.
_ZEROPOINT = 22.5


def recognise_table(path):
    """
    Tell whether a file is a table of a profile, by its columns.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    kind : {'profile', 'iraf', 'autoprof', 'published', None}
        A profile of this package, a table of the task ellipse of IRAF, a
        profile of AutoProf, or a table of radii and surface brightness as a
        paper has it; `None` for a FITS file with an image and for files
        that hold no text.

    Raises
    ------
    ValueError
        If it is a table of another kind.

    OSError
        If the file cannot be read.
    """
    path = Path(path)
    with path.open('rb') as stream:
        start = stream.read(6)
    if start[:4] == b'PAR1' or start[:5] == b'<?xml':
        # (the reader of profiles says if it is another table)
        return 'profile'
    is_fits = start == b'SIMPLE'
    if not is_fits and '.fit' in path.name.lower():
        is_fits = start[:2] == b'\x1f\x8b'
    names = _fits_columns(path) if is_fits else _text_columns(path)
    if names is None:
        return None
    for kind, wanted in (('profile', _PROFILE), ('iraf', _IRAF),
                         ('autoprof', _AUTOPROF), ('published', _PUBLISHED)):
        if wanted <= set(names):
            return kind
    msg = (f'{path} is neither an image nor a profile: it needs the columns '
           f'{", ".join(sorted(_PROFILE))} (this package), '
           f'{", ".join(sorted(_IRAF))} (IRAF), '
           f'{", ".join(sorted(_AUTOPROF))} (AutoProf) or '
           f'{", ".join(sorted(_PUBLISHED))} (a paper), and has '
           f'{", ".join(names[:12])}')
    raise ValueError(msg)


def _fits_columns(path):
    """
    Return the columns of the first table of a FITS file without images.
    """
    with closing(open_fits(path)) as hdulist:
        if any(hdu.is_image and len(hdu.shape) >= 2 for hdu in hdulist):
            return None
        for hdu in hdulist:
            if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                return hdu.columns.names
    return None


def _text_columns(path):
    """
    Return the names in the first line of a text that is no comment.
    """
    try:
        with path.open(encoding='utf-8') as stream:
            for line in stream:
                if line.strip() and not line.startswith('#'):
                    line = line.replace('"', ' ')
                    if ',' not in line:
                        return line.split()[:100]
                    # (units stand in brackets behind the names)
                    return [name.partition('[')[0].strip()
                            for name in line.split(',')[:100]]
    except UnicodeDecodeError:
        pass
    return None


def read_iraf_table(path: PathLike, *, pixel_scale: float,
                    zeropoint: float | None = None,
                    unit: str | UnitBase | None = None) -> QTable:
    """
    Read a table of the task ellipse of IRAF.

    Parameters
    ----------
    path : str or path-like
        The table, a FITS file with the columns SMA, INTENS, ELLIP and PA,
        and if there are any INT_ERR, ELLIP_ERR, PA_ERR and TFLUX_E (the
        magnitudes of the table, such as TMAG_E, have a zero point of their
        own, which it does not tell).

    pixel_scale : float
        The pixel scale of the image in arcsec.

    zeropoint : float, optional
        The magnitude of one data unit of the image in one pixel. It is
        needed unless ``unit`` is a flux.

    unit : str or `~astropy.units.Unit`, optional
        The unit of the image, such as 'MJy/sr'; by default counts.

    Returns
    -------
    profile : `~astropy.table.QTable`
        The columns of a profile, see `build_profile`, with not-a-number for
        what the table does not hold. Position angles are
        counter-clockwise from the +x axis of the image, as in all profiles
        without a WCS: those of the table, from +y, plus 90 degrees. With the
        columns X0 and Y0 the meta has the centre, so that the image can be
        measured on these ellipses, with ``geometry=``.

    Raises
    ------
    ValueError
        If the file has not these columns, the pixel scale is not positive,
        or neither the zero point nor the unit gives magnitudes.
    """
    if not (np.isfinite(pixel_scale) and pixel_scale > 0):
        msg = f'pixel_scale must be positive and finite, got {pixel_scale}'
        raise ValueError(msg)
    data_unit = u.dimensionless_unscaled if unit is None else parse_unit(unit)
    zero = find_zeropoint(data_unit, zeropoint=zeropoint)
    if zero is None:
        msg = ('an IRAF table has no zero point: give zeropoint= (the '
               'magnitude of one data unit in one pixel), or unit= if it is '
               'a flux')
        raise ValueError(msg)
    table = _read_columns(path, _IRAF, 'IRAF', 'fits')
    per_area = is_surface_brightness(data_unit)
    scale = 1.0 if per_area else 1 / pixel_scale**2
    intensity, error = (scale * _floats(table, name)
                        for name in ('INTENS', 'INT_ERR'))
    sb, sb_err = intensity_to_sb(intensity, error, zeropoint=zero.value)
    # (IRAF counts pixels from 1, and its innermost rings may wander)
    centre = {name: float(np.nanmedian(_floats(table, column))) - 1
              for name, column in (('x_centre', 'X0'), ('y_centre', 'Y0'))
              if np.isfinite(_floats(table, column)).any()}
    # the light within an ellipse, in data units
    light = _floats(table, 'TFLUX_E') * (pixel_scale**2 if per_area else 1)
    enclosed, _ = intensity_to_sb(light, zeropoint=zero.value)
    profile = _make_profile(
        path, 'IRAF ellipse', zero.system,
        data_unit if per_area else data_unit / u.arcsec**2,
        radius=pixel_scale * _floats(table, 'SMA'), intensity=intensity,
        intensity_err=error, surface_brightness=sb,
        surface_brightness_err=sb_err, mag_enclosed=enclosed,
        ellipticity=_floats(table, 'ELLIP'),
        ellipticity_err=_floats(table, 'ELLIP_ERR'),
        pa=_from_x(_floats(table, 'PA')), pa_err=_floats(table, 'PA_ERR'),
        n_valid=_valid(_floats(table, 'NDATA'), _floats(table, 'NFLAG')))
    profile.meta.update(centre, pixel_scale=float(pixel_scale),
                        sb_zeropoint=float(zero.value))
    return profile


def read_autoprof(path: PathLike) -> QTable:
    """
    Read a profile of AutoProf.

    Parameters
    ----------
    path : str or path-like
        The file ``.prof``, a text with the columns R, SB, SB_e, ellip and
        pa, and if there are any totmag, totmag_e, ellip_e, pa_e, pixels and
        maskedpixels. A first line with units has to begin with arcsec and
        magnitudes per square arcsecond.

    Returns
    -------
    profile : `~astropy.table.QTable`
        The columns of a profile, see `build_profile`, with not-a-number for
        what was not measured. Intensities refer to a zero point of 22.5 mag.
        Position angles are counter-clockwise from the +x axis of the image,
        as in all profiles without a WCS: those of AutoProf, from +y, plus 90
        degrees.

    Raises
    ------
    ValueError
        If the file has not these columns, or other units.
    """
    with Path(path).open(encoding='utf-8') as stream:
        first = stream.readline()
    units = [text.strip() for text in first.lstrip('#').split(',')]
    if first.startswith('#') and units[:2] != ['arcsec', 'mag*arcsec^-2']:
        msg = (f'{path} must be in arcsec and mag*arcsec^-2, got '
               f'{" and ".join(units[:2])}')
        raise ValueError(msg)
    table = _read_columns(path, _AUTOPROF, 'AutoProf', 'ascii.csv')
    sb, sb_err, total, total_err = magnitudes = [
        _floats(table, name) for name in ('SB', 'SB_e', 'totmag', 'totmag_e')]
    for column in magnitudes:
        column[~(column < _NO_MAGNITUDE)] = np.nan
    intensity, error = sb_to_intensity(sb, sb_err, zeropoint=_ZEROPOINT)
    pixels, masked = (_floats(table, name)
                      for name in ('pixels', 'maskedpixels'))
    return _make_profile(
        path, 'AutoProf', '', u.nmgy / u.arcsec**2,
        radius=_floats(table, 'R'), intensity=intensity, intensity_err=error,
        surface_brightness=sb, surface_brightness_err=sb_err,
        ellipticity=_floats(table, 'ellip'),
        ellipticity_err=_floats(table, 'ellip_e'),
        pa=_from_x(_floats(table, 'pa')), pa_err=_floats(table, 'pa_e'),
        mag_enclosed=total, mag_enclosed_err=total_err,
        n_valid=_valid(pixels, masked))


def read_foreign_ellipses(path):
    """
    Read the ellipses of a table of IRAF or AutoProf, to measure an image on.

    Neither a zero point nor a pixel scale is needed.

    Parameters
    ----------
    path : str or path-like
        The file, see `read_iraf_table` and `read_autoprof`.

    Returns
    -------
    ellipses : `~astropy.table.QTable` or `None`
        Columns ``radius`` (pixels from IRAF, arcsec from AutoProf),
        ``ellipticity``, ``ellipticity_err`` and ``pa``, in degrees from the
        +x axis; with X0 and Y0, the columns ``x0`` and ``y0`` in pixels from
        0. `None` for a file that is no table of theirs.

    Raises
    ------
    ValueError
        If their table cannot be read.
    """
    try:
        kind = recognise_table(path)
    except (OSError, ValueError):
        # (another reader says if it can be read)
        return None
    if kind == 'autoprof':
        profile = read_autoprof(path)
        ellipses = profile['radius', 'ellipticity', 'ellipticity_err', 'pa']
        ellipses.meta = {'pa_frame': 'pixel'}
        return ellipses
    if kind != 'iraf':
        return None
    try:
        table = _read_columns(path, _IRAF, 'IRAF', 'fits')
    except OSError as error:
        msg = (f'{path} must be a FITS file to be read as a table of IRAF: '
               f'{" ".join(str(error).split())}')
        raise ValueError(msg) from None
    radius = _floats(table, 'SMA')
    order = np.argsort(radius, kind='stable')
    table, radius = table[order], radius[order]
    shapes = np.array([_floats(table, 'ELLIP'), _from_x(_floats(table, 'PA'))])
    # (the central pixel has no shape of its own)
    ring = (radius > 0) & np.isfinite(shapes).all(axis=0)
    if ring.any():
        shapes[:, radius == 0] = shapes[:, [np.argmax(ring)]]
    ellipses = QTable({'radius': radius * u.pix, 'ellipticity': shapes[0],
                       'ellipticity_err': _floats(table, 'ELLIP_ERR'),
                       'pa': shapes[1] * u.deg}, meta={'pa_frame': 'pixel'})
    centre = [_floats(table, name) - 1 for name in ('X0', 'Y0')]
    if np.isfinite(centre).any(axis=1).all():
        # (pixels from 1)
        ellipses['x0'], ellipses['y0'] = centre
    return ellipses


def _read_columns(path, wanted, kind, format):
    with warnings.catch_warnings():
        # (IRAF writes 'degrees' and 'pixel**1/4')
        warnings.simplefilter('ignore', u.UnitsWarning)
        options = {'comment': '#'} if format == 'ascii.csv' else {}
        table = Table.read(path, format=format, **options)
    missing = sorted(wanted - set(table.colnames))
    if missing:
        msg = (f'{path} is no table of {kind}: it has no column '
               f'{", ".join(missing)}')
        raise ValueError(msg)
    return table


def _floats(table, name):
    """
    Return a column as numbers, not-a-number where there is none.
    """
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    return np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan)


def _from_x(angle):
    """
    Convert angles (degrees) from the +y axis to those from the +x axis.
    """
    return (angle + 90) % 180


def _valid(good, bad):
    """
    Calculate the fraction of usable pixels.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        return good / (good + bad)


def _make_profile(path, fitter, system, unit, **columns):
    """
    Make a profile table of the rings with a radius, from the centre out.
    """
    n = len(columns['radius'])
    order = np.argsort(columns['radius'], kind='stable')
    order = order[np.isfinite(columns['radius'][order])]
    columns.setdefault('mag_enclosed', np.full(n, np.nan))
    columns = {name: values[order] for name, values in columns.items()}
    columns['flag'] = np.zeros(len(order), dtype=np.int32)
    profile = make_table(columns, {'radius_unit': u.arcsec,
                                   'intensity_unit': unit})
    profile.meta.update(fitter=fitter, source=Path(path).name,
                        mag_system=system, pa_frame='pixel')
    return profile
