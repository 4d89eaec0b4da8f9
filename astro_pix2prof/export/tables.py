# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tables as the task ellipse of IRAF and AutoProf write them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import Table

from astro_pix2prof.export.isophotes import to_isophote_list
from astro_pix2prof.export.source import check_fit, new_path
from astro_pix2prof.profile.brightness import POGSON

if TYPE_CHECKING:
    from pathlib import Path

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.typing import PathLike

__all__ = ['write_autoprof', 'write_iraf_table']


# The columns of IRAF that an isophote list of photutils has: unit, and name
# there.
_IRAF = {
    'SMA': ('pix', 'sma'), 'INTENS': ('', 'intens'),
    'INT_ERR': ('', 'int_err'), 'PIX_VAR': ('', 'pix_stddev'),
    'RMS': ('', 'rms'), 'ELLIP': ('', 'eps'), 'ELLIP_ERR': ('', 'ellip_err'),
    'PA': ('deg', 'pa'), 'PA_ERR': ('deg', 'pa_err'), 'X0': ('pix', 'x0'),
    'X0_ERR': ('pix', 'x0_err'), 'Y0': ('pix', 'y0'),
    'Y0_ERR': ('pix', 'y0_err'), 'GRAD': ('', 'grad'),
    'GRAD_ERR': ('', 'gradient_err'), 'GRAD_R_ERR': ('', 'gradient_rel_err'),
    'TFLUX_E': ('', 'tflux_e'), 'TFLUX_C': ('', 'tflux_c'),
    'NPIX_E': ('', 'npix_e'), 'NPIX_C': ('', 'npix_c'), 'A3': ('', 'a3'),
    'A3_ERR': ('', 'a3_err'), 'B3': ('', 'b3'), 'B3_ERR': ('', 'b3_err'),
    'A4': ('', 'a4'), 'A4_ERR': ('', 'a4_err'), 'B4': ('', 'b4'),
    'B4_ERR': ('', 'b4_err'), 'NDATA': ('', 'n_data'),
    'NFLAG': ('', 'n_flag'), 'NITER': ('', 'n_iter'),
    'STOP': ('', 'stop_code'), 'SAREA': ('pix', 'sarea')}

# What AutoProf writes where it has no magnitude.
_NO_MAGNITUDE = 99.999

_AUTOPROF = (
    ('R', 'arcsec'), ('SB', 'mag*arcsec^-2'), ('SB_e', 'mag*arcsec^-2'),
    ('totmag', 'mag'), ('totmag_e', 'mag'), ('ellip', 'unitless'),
    ('ellip_e', 'unitless'), ('pa', 'deg'), ('pa_e', 'deg'),
    ('pixels', 'count'), ('maskedpixels', 'count'))


def write_iraf_table(fit: ProfileFit, path: PathLike, *,
                     overwrite: bool = False) -> Path:
    """
    Write a fit as a table of the task ellipse of IRAF.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    path : str or path-like
        The FITS file.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If no ring has an ellipse and a value.

    FileExistsError
        If the file exists and ``overwrite`` is `False`.

    Notes
    -----
    Lengths are pixels of the image as it was given, the first of which is
    1; position angles are degrees from the +y axis, counter-clockwise, from
    -90 to 90; intensities are data units in a pixel without the sky. MAG is
    not-a-number if the image is not calibrated. Harmonics, gradients and
    fluxes are those of photutils along the same ellipses, see
    `to_isophote_list`. NDATA and NFLAG follow from the usable part of each
    ring.
    """
    check_fit(fit)
    path = new_path(path, overwrite)
    isophotes = to_isophote_list(fit)
    table = Table()
    for name, (unit, source) in _IRAF.items():
        values = np.array([
            np.nan if value is None else value for value in (
                getattr(isophote, source) for isophote in isophotes)],
            dtype=float)
        table[name] = values
        if unit:
            table[name].unit = unit
    table['PA'][:] = _from_y(np.degrees(table['PA'].value))
    table['PA_ERR'][:] = np.degrees(table['PA_ERR'].value)
    for name, first in zip(('X0', 'Y0'), fit.cutout.origin, strict=True):
        table[name] += first + 1
    valid = np.interp(table['SMA'], fit.sma, np.nan_to_num(
        fit.profile['n_valid']))
    total = table['NDATA'] + table['NFLAG']
    table['NDATA'] = np.round(valid * total)
    table['NFLAG'] = total - table['NDATA']
    # (the variance, not its root)
    table['PIX_VAR'] **= 2
    table.add_column(table['SMA'].value**0.25, name='RSMA', index=16)
    zero = fit.cutout.zeropoint
    with np.errstate(invalid='ignore', divide='ignore'):
        value = np.where(table['INTENS'] > 0, table['INTENS'], np.nan)
        table['MAG'] = zero - 2.5 * np.log10(value)
        table['MAG_LERR'] = table['MAG_UERR'] = (
            POGSON * table['INT_ERR'] / value)
        for end in 'EC':
            table[f'TMAG_{end}'] = zero - 2.5 * np.log10(np.where(
                table[f'TFLUX_{end}'] > 0, table[f'TFLUX_{end}'], np.nan))
    for name in ('NPIX_E', 'NPIX_C', 'NDATA', 'NFLAG', 'NITER', 'STOP'):
        table[name] = np.nan_to_num(table[name]).astype(np.int32)
    table.meta = {'IMAGE': _ascii(fit.profile.meta.get('source', ''))}
    table.write(path, format='fits', overwrite=overwrite)
    return path


def _from_y(theta):
    """
    Convert degrees from +x to degrees from +y, from -90 to 90.
    """
    return np.asarray(theta) % 180 - 90


def _ascii(text):
    return ''.join(c if c.isprintable() and c.isascii() else '?'
                   for c in text)


def write_autoprof(fit: ProfileFit, path: PathLike, *,
                   overwrite: bool = False) -> Path:
    """
    Write a fit as a profile of AutoProf.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    path : str or path-like
        The text file, such as ``galaxy.prof``.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If the image is not calibrated, or no ring has an ellipse and a
        value.

    FileExistsError
        If the file exists and ``overwrite`` is `False`.

    Notes
    -----
    Position angles are degrees from the +y axis, counter-clockwise, from 0
    to 180. Magnitudes that are not known are 99.999. The numbers of pixels
    are those of rings of one pixel's width.
    """
    check_fit(fit)
    path = new_path(path, overwrite)
    profile = fit.profile
    if profile['radius'].unit != u.arcsec or not np.isfinite(
            fit.cutout.sb_zeropoint):
        msg = ('AutoProf tables have radii in arcsec and magnitudes: fit an '
               'image with a pixel scale and a zero point, got radii in '
               f'{profile["radius"].unit}')
        raise ValueError(msg)

    def column(name):
        values = profile[name]
        return np.asarray(getattr(values, 'value', values), dtype=float)

    def magnitudes(name):
        return np.where(np.isfinite(column(name)), column(name),
                        _NO_MAGNITUDE)

    theta = np.asarray(fit.theta, dtype=float)
    q = 1 - np.asarray(fit.eps, dtype=float)
    length = 2 * np.pi * fit.sma * np.sqrt(0.5 * (1 + q**2))
    length = np.maximum(np.nan_to_num(length), 1.0)
    seen = np.round(length * np.nan_to_num(column('n_valid')))
    columns = {
        'R': column('radius'), 'SB': magnitudes('surface_brightness'),
        'SB_e': magnitudes('surface_brightness_err'),
        'totmag': magnitudes('mag_enclosed'),
        'totmag_e': magnitudes('mag_enclosed_err'),
        'ellip': column('ellipticity'),
        'ellip_e': column('ellipticity_err'), 'pa': (theta - 90) % 180,
        'pa_e': column('pa_err'), 'pixels': seen.astype(int),
        'maskedpixels': (np.round(length) - seen).astype(int)}
    lines = ['# ' + ','.join(unit for _, unit in _AUTOPROF),
             ','.join(name for name, _ in _AUTOPROF)]
    lines += [','.join(repr(columns[name][k].item())
                       for name, _ in _AUTOPROF) for k in range(len(profile))]
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path
