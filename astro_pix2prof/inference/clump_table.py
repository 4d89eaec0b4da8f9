# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Flags of clumps, and their catalogue.
"""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import ClumpFlag, decode_flags

__all__ = ['make_table', 'source_flags']


# Sources closer to the centre than that (FWHM) have a flag.
_NEAR_CORE = 2.0

# Neighbours closer than this (FWHM) are blended; an edge closer than this
# (FWHM) is near; less than this part of the PSF on good pixels is a flag.
_BLENDED, _EDGE, _COVERED = 1.5, 1.5, 0.85

# Of the profile, what the catalogue says, too.
_OF_PROFILE = ('source', 'band', 'x_centre', 'y_centre', 'ra', 'dec',
               'pixel_scale')


def source_flags(cutout, centre, x, y, fwhm, covered):
    """
    Set the flags of sources that their places tell.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    centre : tuple of 2 floats
        The centre of the galaxy in pixels.

    x, y : 1D `~numpy.ndarray`, shape (n,)
        Positions in pixels.

    fwhm : float
        The full width at half maximum of the PSF in pixels.

    covered : sequence of float, length n
        The part of the weight of the PSF that is on good pixels.

    Returns
    -------
    flags : list of int
        Those of `ClumpFlag`: EDGE, MASKED, BLENDED and NUCLEUS.
    """
    ny, nx = cutout.shape
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(apart, np.inf)
    away = np.hypot(x - centre[0], y - centre[1])
    masked = _near_masked(cutout.mask, x, y, fwhm)
    flags = []
    for k, (px, py) in enumerate(zip(x, y, strict=True)):
        border = min(px + 0.5, py + 0.5, nx - 0.5 - px, ny - 0.5 - py)
        flag = 0
        for is_so, bit in (
                (border < _EDGE * fwhm, ClumpFlag.EDGE),
                (masked[k] or covered[k] < _COVERED, ClumpFlag.MASKED),
                (apart[k].min() < _BLENDED * fwhm, ClumpFlag.BLENDED),
                (away[k] < _NEAR_CORE * fwhm, ClumpFlag.NUCLEUS)):
            flag |= int(bit) if is_so else 0
        flags.append(flag)
    return flags


def _near_masked(mask, x, y, radius):
    """
    Find positions with a masked pixel within a radius.

    A gap drives the position of a source away from it, so that little of the
    weight there is on masked pixels, though half of the light is.
    """
    ny, nx = mask.shape
    out = []
    for cx, cy in zip(x, y, strict=True):
        x0, y0 = (max(int(np.ceil(c - radius)), 0) for c in (cx, cy))
        x1, y1 = (min(int(c + radius) + 1, n)
                  for c, n in ((cx, nx), (cy, ny)))
        row, column = np.nonzero(mask[y0:y1, x0:x1])
        out.append(bool(np.any(np.hypot(column + x0 - cx, row + y0 - cy)
                               <= radius)))
    return out


def make_table(fit, maps, rows, picture, meta, bands=None):
    """
    Make the catalogue.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy; of several bands, that of the reference.

    maps : `~astro_pix2prof.inference.clump_maps.ClumpMaps` or `None`
        Its maps; `None` if there are none.

    rows : list of dict
        The clumps.

    picture : bool
        Whether the image is a picture.

    meta : dict
        Items of ``meta``.

    bands : `~astro_pix2prof.inference.clump_bands.BandFits`, optional
        The fits of several bands.

    Returns
    -------
    table : `~astropy.table.QTable`
        See `~astro_pix2prof.find_clumps`.
    """
    cutout, profile = fit.cutout, fit.profile

    def column(name, kind=float):
        return np.array([row[name] for row in rows], dtype=kind)

    table = QTable()
    x, y = column('x'), column('y')
    table['x'], table['y'] = x, y
    if cutout.wcs is not None:
        sky = np.array([cutout.sky_position(*place) for place in zip(
            x, y, strict=True)]).reshape(-1, 2)
        table['ra'], table['dec'] = sky.T * u.deg
    flux, error = column('flux'), column('flux_err')
    host, host_err = ((np.nan, np.nan) if maps is None
                      else (maps.flux, maps.flux_err))
    if bands is None:
        for name, values in _flux_columns(cutout, flux, error, host,
                                          host_err).items():
            table[name] = values
        table['snr'] = column('snr')
    else:
        for name, values in bands.columns(rows, _flux_columns).items():
            table[name] = values
        # (of all bands together, fluxes have no unit)
        every = _flux_columns(cutout, flux, error, host, host_err)
        table['snr'] = column('snr')
        for name in ('share', 'share_err'):
            table[name] = every[name]
    table['radius'] = (column('sma') * cutout.radius_scale
                       * cutout.radius_unit)
    table['radius_r50'] = column('r50')
    table['probability'] = column('probability')
    table['class'] = column('class', 'U5')
    flag = column('flag', np.int32)
    if picture:
        flag |= int(ClumpFlag.NONLINEAR)
    table['flag'] = flag
    table.meta.update(meta)
    table.meta.update({key: profile.meta[key] for key in _OF_PROFILE
                       if key in profile.meta})
    flag = int(profile.meta.get('flag', 0))
    table.meta['galaxy_flag'] = flag
    table.meta['galaxy_flags'] = ' '.join(decode_flags(flag, kind='galaxy'))
    table.meta['x_origin'], table.meta['y_origin'] = (
        int(first) for first in cutout.origin)
    if maps is not None:
        if bands is None:
            table.meta['host_flux'] = host
        table.meta['r50'] = float(maps.r50 * maps.step * cutout.radius_scale)
        table.meta['correlation'] = float(maps.maps.correlation[0])
    table.meta['picture'] = picture
    return table


def _flux_columns(cutout, flux, error, host, host_err):
    """
    Convert fluxes to the columns of a catalogue (dict).
    """
    # (of an image of surface brightness, a flux is a sum over pixels)
    unit = (u.Unit(cutout.unit) if cutout.unit is not None
            else u.dimensionless_unscaled)
    columns = {'flux': flux * unit, 'flux_err': error * unit}
    with np.errstate(divide='ignore', invalid='ignore'):
        if np.isfinite(cutout.sb_zeropoint) and cutout.pixel_scale:
            # (intensities are per square arcsecond)
            light = flux * cutout.intensity_scale * cutout.pixel_scale**2
            columns['mag'] = (cutout.sb_zeropoint
                              - 2.5 * np.log10(light)) * u.mag
            columns['mag_err'] = POGSON * error / np.abs(flux) * u.mag
        columns['snr'] = flux / error
        columns['share'] = flux / host
        # (a flux in one of several bands may be below zero)
        columns['share_err'] = np.hypot(
            error / host, flux / host * np.nan_to_num(host_err / host))
    return columns
