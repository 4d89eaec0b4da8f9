# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make profile tables and batches of measured rings.
"""

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from astro_pix2prof.profile.batch import (
    ProfileBatch,
    failure_message,
    sums_of_light,
)
from astro_pix2prof.profile.brightness import (
    curve_of_growth,
    intensity_to_sb,
)
from astro_pix2prof.profile.columns import (
    GALAXY_COLUMNS,
    OPTIONAL_COLUMNS,
    empty_galaxy,
    make_table,
)
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.meta import store_correlation
from astro_pix2prof.profile.rings import MeasuredRings

__all__ = ['build_batch', 'make_profile']


def make_profile(rings, meta=None):
    """
    Make the profile table of the measured rings of a galaxy.

    Parameters
    ----------
    rings : `MeasuredRings`
        The measurements.

    meta : dict, optional
        Meta of the fitter: 'fitter', 'weights', 'sha256'.

    Returns
    -------
    profile : `~astropy.table.QTable`
        See `~astro_pix2prof.build_profile` for the columns.

    Raises
    ------
    TypeError
        If a value of ``rings.meta`` is no str, int, float or bool.
    """
    from astro_pix2prof import __version__

    row = _galaxy_row(rings)
    table = make_table(_ring_columns([rings]), row)
    meta = dict(meta or {})
    correlation = meta.pop('correlation', None)
    created = datetime.now(UTC).isoformat(timespec='seconds')
    known = {column.key: row[name] for name, column in GALAXY_COLUMNS.items()
             if column.key is not None}
    table.meta.update(_plain({
        'fitter': '', 'version': __version__, **meta, 'created': created,
        **known, **rings.meta}))
    store_correlation(table, correlation)
    return table


# Powers of the size of a pixel and of the scale of intensities with which
# optional columns are converted; the others are plain numbers or pixels.
_SCALES = {'gradient': (-1, 1), 'gradient_err': (-1, 1), 'rms': (0, 1),
           'area': (2, 0)}


def build_batch(measured, *, start=0, sources=None, meta=None, columns=()):
    """
    Make a batch of the measured rings of galaxies.

    Its profiles are those of `make_profile`, without the cost of a table
    for each.

    Parameters
    ----------
    measured : list of `MeasuredRings` or Exception
        The measurements, or the reason why there are none.

    start : int, optional
        The number of the first galaxy.

    sources : list of str, optional
        Names of the galaxies that have no name of their own.

    meta : dict, optional
        The meta that all galaxies share.

    columns : sequence of str, optional
        Columns that were asked for: the batch has them, even if no galaxy
        could be measured.

    Returns
    -------
    batch : `~astro_pix2prof.ProfileBatch`
    """
    n = len(measured)
    rows = [_galaxy_row(item) for item in measured]
    galaxies = {name: np.array([row[name] for row in rows],
                               dtype=column.kind)
                for name, column in GALAXY_COLUMNS.items()}
    galaxies['index'] = np.arange(start, start + n)
    if sources is not None:
        galaxies['source'] = np.array(
            [row['source'] or source for row, source in zip(
                rows, sources, strict=True)], dtype=object)
    good = [item for item in measured if isinstance(item, MeasuredRings)]
    lengths = [len(item) if isinstance(item, MeasuredRings) else 0
               for item in measured]
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=int)])
    rings = {}
    if good:
        rings = _ring_columns(good)
        galaxies.update(sums_of_light(
            rings['radius'], rings['mag_enclosed'], offsets))
    rings = {**{name: np.full(offsets[-1], np.nan) for name in columns},
             **rings}
    return ProfileBatch(galaxies, rings, offsets, meta)


def _galaxy_row(item):
    """
    Collect the values of one galaxy, or of its failure.
    """
    row = empty_galaxy()
    if isinstance(item, BaseException):
        row.update(flag=int(GalaxyFlag.FAILED), message=failure_message(item))
        return row
    cutout, (x, y) = item.cutout, item.centre
    flag = int(item.galaxy_flag)
    if not np.isfinite(cutout.sb_zeropoint):
        flag |= int(GalaxyFlag.UNCALIBRATED)
    ra, dec = cutout.sky_position(x, y)
    scale = cutout.pixel_scale
    row.update(
        source=cutout.name or '', band=cutout.band or '', flag=flag,
        x_centre=x + cutout.origin[0], y_centre=y + cutout.origin[1],
        centre_err=item.centre_err,
        ra=ra, dec=dec, pixel_scale=np.nan if scale is None else scale,
        zeropoint=cutout.zeropoint, sb_zeropoint=cutout.sb_zeropoint,
        background=(np.nan if cutout.background is None
                    else cutout.background_level),
        sky=item.sky, sky_err=item.sky_err, noise=item.noise,
        noise_correlation=item.noise_correlation,
        unit=_text(cutout.unit), radius_unit=_text(cutout.radius_unit),
        intensity_unit=_text(cutout.intensity_unit),
        mag_system=cutout.mag_system,
        pa_frame='pixel' if cutout.wcs is None else 'sky')
    return row


@lru_cache(maxsize=64)
def _text(unit):
    """
    Convert a unit to text, once for each unit, as astropy takes long.
    """
    return unit.to_string()


def _ring_columns(measured):
    """
    Calculate the columns of the rings of galaxies, one after the other.
    """
    lengths = np.array([len(item) for item in measured])

    def joined(name):
        return np.concatenate([
            np.full(len(item), np.nan) if getattr(item, name) is None
            else getattr(item, name) for item in measured])

    def spread(values):
        return np.repeat(np.array(values, dtype=float), lengths)

    cutouts = [item.cutout for item in measured]
    scale = spread([c.intensity_scale for c in cutouts])
    value = joined('intensity') * scale
    error = joined('intensity_err') * scale
    n_valid, eps = joined('n_valid'), joined('eps')
    flag = joined('flag').astype(np.int32)
    with np.errstate(invalid='ignore'):
        flag[value <= 0] |= RingFlag.NEGATIVE
        flag[value < error] |= RingFlag.LOW_SNR
    flag[n_valid < 0.5] |= RingFlag.FEW_PIXELS
    zero = spread([c.sb_zeropoint for c in cutouts])
    sb = intensity_to_sb(value, zeropoint=zero)[0]
    sb_err = np.concatenate([item.mag_err for item in measured])
    radius = joined('sma') * spread([c.radius_scale for c in cutouts])
    pa = np.concatenate([
        np.atleast_1d(item.cutout.to_sky_pa(np.degrees(item.theta))[0])
        for item in measured])
    area = np.nan_to_num(joined('area_excess')) * scale
    flux = _growth(lengths, radius, value + area, eps)
    enclosed = intensity_to_sb(flux, zeropoint=zero)[0]
    is_given = np.repeat([item.mag_enclosed is not None
                          for item in measured], lengths)
    # Of a galaxy that is not there, intensities are kept as upper limits.
    # (on the ellipses of another band, it is known to be there)
    gone = np.repeat([
        item.galaxy_flag & (GalaxyFlag.NO_SOURCE | GalaxyFlag.FORCED)
        == GalaxyFlag.NO_SOURCE for item in measured], lengths)
    sb = np.where(gone, np.nan, sb)
    columns = {
        'radius': radius, 'surface_brightness': sb,
        'surface_brightness_err': np.where(np.isfinite(sb), sb_err, np.nan),
        'intensity': value, 'intensity_err': error, 'ellipticity': eps,
        'ellipticity_err': joined('eps_err'), 'pa': pa,
        'pa_err': np.degrees(joined('theta_err')),
        'mag_enclosed': np.where(gone, np.nan, np.where(
            is_given, joined('mag_enclosed'), enclosed)),
        'mag_enclosed_err': joined('mag_enclosed_err'),
        'n_valid': n_valid, 'flag': flag}
    columns['mag_enclosed_err'][~np.isfinite(columns['mag_enclosed'])] = (
        np.nan)
    size = spread([c.radius_scale for c in cutouts])
    for name in OPTIONAL_COLUMNS:
        if any(name in item.extra for item in measured):
            length, light = _SCALES.get(name, (0, 0))
            columns[name] = size**length * scale**light * np.concatenate([
                item.extra.get(name, np.full(len(item), np.nan))
                for item in measured])
    return columns


def _growth(lengths, radius, value, eps):
    """
    Integrate the curves of growth of galaxies, one after the other.
    """
    ends = np.cumsum(lengths)
    rows = [slice(end - n, end) for n, end in zip(lengths, ends, strict=True)]
    return np.concatenate([curve_of_growth(
        radius[part], value[part], eps[part]) for part in rows])


def _plain(meta):
    """
    Keep plain values, which every format keeps, and leave out unknown ones.
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
