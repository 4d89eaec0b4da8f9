# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The columns of several bands in the results of a survey, and of colours.
"""

import json

import astropy.units as u
import numpy as np

from astro_pix2prof.arguments import check_positive
from astro_pix2prof.fitting.bands import colour_columns, values_at
from astro_pix2prof.profile.arrow import import_pyarrow, unit_metadata
from astro_pix2prof.profile.brightness import SB_UNIT
from astro_pix2prof.profile.columns import GALAXY_COLUMNS
from astro_pix2prof.profile.flags import RingFlag
from astro_pix2prof.survey.bands import BAND_KEY, band_columns
from astro_pix2prof.survey.psfs import match_row

__all__ = ['join_bands']


_OF_RINGS = ('radius', 'surface_brightness', 'surface_brightness_err',
             'mag_enclosed', 'mag_enclosed_err', 'flag')

_OF_GALAXIES = ('radius_unit', 'radius_50', 'pixel_scale')


def join_bands(bands, tables, measured, rows):
    """
    Join the results of all bands in one table.

    Parameters
    ----------
    bands : `~astro_pix2prof.survey.bands.BandSet`
        The bands.

    tables : dict of `pyarrow.Table`, n rows
        The results of each band, as of a survey of one.

    measured : dict of `~astro_pix2prof.survey.measured.Measured`
        The profiles of each band.

    rows : `pyarrow.Table`, n rows
        The rows of the catalogue, for the widths of PSFs.

    Returns
    -------
    table : `pyarrow.Table`, n rows
        The columns of the reference; those of each band ``x`` with ``_x`` at
        the end of their names, but for the profile of the reference, which
        is there already; for each colour ``x-y`` the columns ``x-y``,
        ``x-y_err`` (mag) and ``x-y_flag`` within the radius that holds half
        of the light of the reference; and ``colours``, a struct of lists at
        the radii of the reference. With PSFs, all colours are those behind
        the broadest, whose band is the column ``psf_matched``.
    """
    pa = import_pyarrow()
    first = tables[bands.reference]
    metadata = first.schema.metadata
    table = first.drop_columns('profile')
    k = table.schema.get_field_index('band')
    table = table.set_column(k, table.schema.field(k), pa.array(
        [bands.reference] * len(table), type=pa.string()))
    new = [name for name in table.column_names if name not in GALAXY_COLUMNS]
    for band, part in tables.items():
        names = {**band_columns(band),
                 **{name: f'{name}_{band}' for name in new}}
        for name, renamed in names.items():
            table = table.append_column(
                part.schema.field(name).with_name(renamed), part[name])
    flat, nested = _measure_colours(bands, measured, rows)
    for name, (values, unit) in flat.items():
        array = pa.array(values)
        table = table.append_column(pa.field(
            name, array.type, metadata=unit_metadata(unit)), array)
    table = table.append_column(first.schema.field('profile'),
                                first['profile'])
    for band in bands.others:
        part = tables[band]
        table = table.append_column(part.schema.field('profile').with_name(
            f'profile_{band}'), part['profile'])
    table = table.append_column('colours', nested)
    return table.replace_schema_metadata({
        **(metadata or {}), BAND_KEY: json.dumps(bands.describe()).encode()})


def _measure_colours(bands, measured, rows):
    """
    Calculate the colours of galaxies and of their rings.

    Returns
    -------
    flat : dict of tuple
        By name: the values of the galaxies, and their unit.

    nested : `pyarrow.StructArray`
        The values at the radii of the reference.
    """
    n = len(measured[bands.reference].order)
    plain = {band: _Plain(found) for band, found in measured.items()}
    matched = [None] * n
    if bands.psfs is not None:
        matched = [_match(bands, measured, rows, row) for row in range(n)]
    galaxies = [_colours_of(bands, plain, row, matched[row])
                for row in range(n)]
    flat = {}
    if bands.psfs is not None:
        flat['psf_matched'] = [band for _, band in matched], None
    for colour in bands.colours:
        for end, unit in (('', u.mag), ('_err', u.mag), ('_flag', None)):
            flat[colour + end] = np.array(
                [half[colour + end] for _, half in galaxies],
                dtype=np.int32 if unit is None else float), unit
    return flat, _nest(bands, [columns for columns, _ in galaxies],
                       measured[bands.reference].batch.radius_unit)


class _Plain:
    """
    The columns that colours need, of the galaxies in a band.
    """

    def __init__(self, measured):
        batch = measured.batch
        self.options, self._places = measured.options, measured.places
        self._offsets = batch.offsets
        self._rings, self._galaxies = (
            {name: np.asarray(getattr(table[name], 'value', table[name]))
             for name in names} for table, names in (
                (batch.rings, _OF_RINGS), (batch.galaxies, _OF_GALAXIES)))

    def row(self, row):
        """
        Get the rings and the values of a galaxy (dict).
        """
        k = self._places[row]
        rings = slice(self._offsets[k], self._offsets[k + 1])
        return {**{name: values[rings]
                   for name, values in self._rings.items()},
                **{name: values[k]
                   for name, values in self._galaxies.items()}}


def _match(bands, measured, rows, row):
    """
    Change the profiles of a galaxy to those behind its broadest PSF.

    Returns the columns of each band that has one, and the band of the PSF.
    """
    profiles = {}
    for band, found in measured.items():
        place = found.places[row]
        if not found.batch.failed[place]:
            profiles[band] = found.batch[place]
    if bands.reference not in profiles:
        return {}, ''
    # (radii of another unit cannot be compared, and have no colours)
    unit = profiles[bands.reference]['radius'].unit
    seen, broadest = match_row(
        {band: profile for band, profile in profiles.items()
         if profile['radius'].unit == unit},
        bands.psfs.of(rows, row), bands.reference)
    return {band: {name: np.asarray(getattr(
        profile[name], 'value', profile[name])) for name in _OF_RINGS}
        for band, profile in seen.items()}, broadest


def _colours_of(bands, plain, row, matched=None):
    """
    Calculate the colours of a galaxy: of its rings, and within R50.

    ``matched`` are the results of `_match`, if PSFs are.
    """
    parts = {band: found.row(row) for band, found in plain.items()}
    first = parts[bands.reference]
    radius = first['radius']
    values, enclosed, unresolved = {}, {}, {}
    for band, part in parts.items():
        if part['radius_unit'] != first['radius_unit']:
            # (a band without pixel scale has no radii to compare)
            part = {**part, **{name: part[name][:0] for name in _OF_RINGS}}
        elif matched is not None:
            part = {**part, **matched[0].get(band, _without_colour(part))}
        values[band] = values_at(
            radius, part['radius'], part['surface_brightness'],
            part['surface_brightness_err'], part['flag'])
        enclosed[band] = _enclosed(part, first['radius_50'])
        fwhm = _fwhm(plain[band].options[row].get(
            'psf_fwhm', bands.options[band].get('psf_fwhm')),
            part['pixel_scale'])
        if (fwhm is not None and first['radius_unit'] == 'arcsec'
                and matched is None):
            unresolved[band] = radius < fwhm
    columns = {'radius': radius,
               **colour_columns(values, bands.pairs, unresolved)}
    return columns, _within_half(bands, columns, enclosed,
                                 first['radius_50'])


def _without_colour(part):
    """
    Take the light of a band whose PSF is not known out of its columns.
    """
    return {name: np.full(len(part[name]), np.nan) for name in _OF_RINGS
            if name not in ('radius', 'flag')}


def _fwhm(fwhm, pixel_scale):
    """
    Convert the FWHM of a PSF to arcsec, `None` if it is not known.
    """
    pixels = () if not pixel_scale > 0 else u.pixel_scale(
        pixel_scale * u.arcsec / u.pix)
    try:
        return check_positive(fwhm, 'psf_fwhm', unit=u.arcsec,
                              equivalencies=pixels, optional=True)
    except (TypeError, ValueError):
        # (then the image has failed)
        return None


def _enclosed(part, radius):
    """
    Interpolate the light within a radius: magnitude and error.
    """
    mag = part['mag_enclosed']
    good = np.isfinite(mag)
    at = part['radius'][good]
    if not (at.size and at[0] <= radius <= at[-1]):
        return np.nan, np.nan
    flux = np.interp(radius, at, 10**(-0.4 * mag[good]))
    return (-2.5 * np.log10(flux) if flux > 0 else np.nan,
            np.interp(radius, at, part['mag_enclosed_err'][good]))


def _within_half(bands, columns, enclosed, radius):
    """
    Calculate the colours within the half-light radius of the reference.
    """
    half = {}
    nearest = None
    if np.isfinite(radius) and len(columns['radius']):
        nearest = np.abs(columns['radius'] - radius).argmin()
    for (one, two), colour in zip(bands.pairs, bands.colours, strict=True):
        half[colour] = enclosed[one][0] - enclosed[two][0]
        half[f'{colour}_err'] = np.hypot(enclosed[one][1], enclosed[two][1])
        half[f'{colour}_flag'] = int(
            RingFlag.EXTRAPOLATED if nearest is None
            else columns[f'{colour}_flag'][nearest])
    return half


def _nest(bands, galaxies, radius_unit):
    """
    Make an array of structs of lists from the columns of galaxies.
    """
    pa = import_pyarrow()
    offsets = pa.array(np.cumsum([0, *(
        len(columns['radius']) for columns in galaxies)]).astype(np.int32))
    kinds = {'radius': (radius_unit, np.float32)}
    for names, unit in ((bands.names, SB_UNIT), (bands.colours, u.mag)):
        for name in names:
            kinds.update({name: (unit, np.float32),
                          f'{name}_err': (unit, np.float32),
                          f'{name}_flag': (None, np.int32)})
    parts, fields = [], []
    for name, (unit, kind) in kinds.items():
        values = np.concatenate([np.zeros(0), *(
            columns[name] for columns in galaxies)]).astype(kind)
        parts.append(pa.ListArray.from_arrays(offsets, pa.array(values)))
        fields.append(pa.field(name, parts[-1].type,
                               metadata=unit_metadata(unit)))
    return pa.StructArray.from_arrays(parts, fields=fields)
