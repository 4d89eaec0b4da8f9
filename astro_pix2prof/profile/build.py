# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Batches of profiles, from what was measured on each galaxy.
"""

from functools import lru_cache

import numpy as np

from astro_pix2prof.image.astrometry import pixel_to_icrs
from astro_pix2prof.profile.batch import (
    ProfileBatch,
    failure_message,
    sums_of_light,
)
from astro_pix2prof.profile.brightness import (
    intensity_to_sb,
    light_within,
)
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.rings import MeasuredRings

__all__ = ['build_batch']


def build_batch(measured, *, start=0, sources=None, meta=None):
    """
    The batch of what was measured on galaxies.

    Its profiles are those of `~astro_pix2prof.build_profile`, without the
    cost of a table for each.

    Parameters
    ----------
    measured : list of `MeasuredRings` or Exception
        What was measured, or why nothing was.

    start : int, optional
        The number of the first.

    sources : list of str, optional
        What the galaxies are called that have no name of their own.

    meta : dict, optional
        What all share.

    Returns
    -------
    batch : `~astro_pix2prof.ProfileBatch`
    """
    n = len(measured)
    rows = [_galaxy_row(item) for item in measured]
    galaxies = {name: np.array([row[name] for row in rows],
                               dtype=object if isinstance(
                                   _EMPTY[name], str) else None)
                for name in _EMPTY}
    galaxies['index'] = np.arange(start, start + n)
    if sources is not None:
        galaxies['source'] = np.array(
            [row['source'] or source for row, source in zip(
                rows, sources, strict=True)], dtype=object)
    good = [item for item in measured if isinstance(item, MeasuredRings)]
    lengths = np.array([len(item.sma) if isinstance(item, MeasuredRings)
                        else 0 for item in measured], dtype=int)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rings = {}
    if good:
        rings = _ring_columns(good, lengths[lengths > 0])
        galaxies.update(sums_of_light(
            rings['radius'], rings['mag_enclosed'], offsets))
    return ProfileBatch(galaxies, rings, offsets, meta)


# What is said of a galaxy of which nothing is known.
_EMPTY = {'source': '', 'band': '', 'flag': int(GalaxyFlag.FAILED),
          'message': '', 'x_centre': np.nan, 'y_centre': np.nan,
          'ra': np.nan, 'dec': np.nan, 'pixel_scale': np.nan,
          'zeropoint': np.nan, 'sb_zeropoint': np.nan, 'sky': np.nan,
          'sky_err': np.nan, 'noise': np.nan, 'noise_correlation': np.nan,
          'unit': '', 'radius_unit': '', 'intensity_unit': '',
          'mag_system': '', 'pa_frame': ''}


def _galaxy_row(item):
    """
    What is known of one galaxy.
    """
    if isinstance(item, BaseException):
        return {**_EMPTY, 'message': failure_message(item)}
    cutout, (x, y) = item.cutout, item.centre
    ra = dec = np.nan
    if cutout.wcs is not None:
        ra, dec = (float(v) for v in pixel_to_icrs(cutout.wcs, x, y))
    flag = int(item.galaxy_flag)
    if not np.isfinite(cutout.sb_zeropoint):
        flag |= int(GalaxyFlag.UNCALIBRATED)
    return {
        **_EMPTY, 'source': cutout.name or '', 'band': cutout.band or '',
        'flag': flag, 'x_centre': x + cutout.origin[0],
        'y_centre': y + cutout.origin[1], 'ra': ra, 'dec': dec,
        'pixel_scale': (np.nan if cutout.pixel_scale is None
                        else cutout.pixel_scale),
        'zeropoint': cutout.zeropoint, 'sb_zeropoint': cutout.sb_zeropoint,
        'sky': item.sky, 'sky_err': item.sky_err, 'noise': item.noise,
        'noise_correlation': item.noise_correlation,
        'unit': _text(cutout.unit), 'radius_unit': _text(cutout.radius_unit),
        'intensity_unit': _text(cutout.intensity_unit),
        'mag_system': cutout.mag_system,
        'pa_frame': 'pixel' if cutout.wcs is None else 'sky'}


@lru_cache(maxsize=64)
def _text(unit):
    """
    A unit as text; each once, as astropy takes its time for it.
    """
    return unit.to_string()


def _ring_columns(good, lengths):
    """
    The columns of all rings, as `build_profile` would make them.
    """
    def joined(name):
        return np.concatenate([getattr(item, name) for item in good])

    def spread(values):
        return np.repeat(np.array(values, dtype=float), lengths)

    cutouts = [item.cutout for item in good]
    value = joined('intensity')
    scale = spread([c.intensity_scale for c in cutouts])
    error = joined('intensity_err') * scale
    value = value * scale
    n_valid, eps = joined('n_valid'), joined('eps')
    flag = joined('flag').astype(np.int32)
    with np.errstate(invalid='ignore'):
        flag[value <= 0] |= RingFlag.NEGATIVE
        flag[value < error] |= RingFlag.LOW_SNR
    flag[n_valid < 0.5] |= RingFlag.FEW_PIXELS
    zero = spread([c.sb_zeropoint for c in cutouts])
    sb = intensity_to_sb(value, zeropoint=zero)[0]
    radius = joined('sma') * spread([c.radius_scale for c in cutouts])
    pa = np.concatenate([
        np.atleast_1d(item.cutout.to_sky_pa(np.degrees(item.theta))[0])
        for item in good])
    # all curves of growth at once; what is added at the end is cut off
    row = np.repeat(np.arange(len(good)), lengths)
    column = np.arange(len(row)) - np.repeat(
        np.cumsum(lengths) - lengths, lengths)
    shape = len(good), int(lengths.max())
    # (radii that still increase, so that nothing is divided by zero)
    square = {'radius': np.cumsum(np.ones(shape), axis=1) + radius.max(),
              'value': np.zeros(shape), 'q': np.ones(shape)}
    for name, values in (('radius', radius), ('value', value),
                         ('q', 1 - eps)):
        square[name][row, column] = values
    flux = light_within(square['radius'], square['value'],
                        square['q'])[row, column]
    return {
        'radius': radius, 'surface_brightness': sb,
        'surface_brightness_err': np.where(np.isfinite(sb), joined('error'),
                                           np.nan),
        'intensity': value, 'intensity_err': error, 'ellipticity': eps,
        'pa': pa, 'mag_enclosed': intensity_to_sb(flux, zeropoint=zero)[0],
        'n_valid': n_valid, 'flag': flag}
