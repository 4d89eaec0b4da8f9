# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Load the images of rows of a catalogue, with their positions and sizes.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.arguments import check_positive
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.survey.arrow import unit_of_field
from astro_pix2prof.survey.companions import OPTIONS, CompanionFiles
from astro_pix2prof.survey.sources import (
    LoadedImage,
    check_column,
    find_source,
    guess_column,
    open_images,
)

__all__ = ['SurveyImages']


# Names that are tried, in any case.
_RA = ('ra', 'ra_deg', 'radeg', 'raj2000', '_raj2000', 'alpha_j2000',
       'right_ascension', 'ra_icrs', 'alpha')

_DEC = ('dec', 'dec_deg', 'decdeg', 'dej2000', 'decj2000', '_dej2000',
        'delta_j2000', 'declination', 'de_icrs', 'decl', 'delta')

# Kinds of images that are found by positions on the sky.
_ON_SKY = {'tiles': 'galaxies in tiles', 'cutouts': 'cut-outs of a service'}

# Rows whose masks and errors are looked for before a survey begins.
_FIRST = 10

# Rows of a column that are looked through at once for one that is wrong.
_ROWS = 10_000


class SurveyImages:
    """
    Loads the image of each galaxy of a survey.

    Parameters
    ----------
    images : str, list of str, `CutoutService`, callable or `None`
        A column of paths, relative ones to the folder of the catalogue; a
        template such as ``'images/{id}.fits'`` whose fields are columns;
        tiles, as a list, a pattern such as ``'tiles/*.fits'`` or a folder:
        the one that holds a galaxy is cut; a service; or a function that
        takes the row as a dict and returns an image, or an image and a dict
        of options. By default, a column with a name such as 'image' or 'path'.

    catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
        The catalogue: its columns, and where it lies.

    ra, dec : str, optional
        Columns of the positions in degrees, unless they have another unit.
        For tiles, by default those with common names.

    x, y : str, optional
        Columns of the positions in pixels of the image from 0.

    size : int, str or `~astropy.units.Quantity`, optional
        The size of the cut-outs: pixels, an angle such as '90arcsec', or a
        column (in its unit, or in pixels if it has none).

    hdu, band : int or str, optional
        The extension and the band of the files.

    allow_remote : bool, optional
        Whether names may be addresses; otherwise, only files of this
        machine are read.

    companions : dict, optional
        The columns or templates 'masks', 'uncertainties', 'invvars' and
        'backgrounds' of files that lie beside the images; see
        `~astro_pix2prof.survey.companions.CompanionFiles`.

    Raises
    ------
    ValueError
        If a column does not exist or is of the wrong kind, or if positions
        or sizes that are needed are not given.

    TypeError
        If ``images`` is of another kind.

    FileNotFoundError
        If one mask or error for all images does not exist.
    """

    def __init__(self, images, catalogue, *, ra=None, dec=None, x=None,
                 y=None, size=None, hdu=None, band=None, allow_remote=False,
                 companions=None):
        self.hdu, self.band = hdu, band
        given = {option: text for option, text in (companions or {}).items()
                 if text is not None}
        if 'uncertainties' in given and 'invvars' in given:
            msg = ('uncertainties and invvars were given, but they mean the '
                   'same: give one of them')
            raise ValueError(msg)
        self.companions = [CompanionFiles(option, given[option], catalogue,
                                          allow_remote=allow_remote)
                           for option in OPTIONS if option in given]
        self.allow_remote = allow_remote
        self.source = find_source(images, catalogue, hdu=hdu, band=band,
                                  allow_remote=allow_remote)
        columns = catalogue.columns
        for (first, a), (second, b) in ((('ra', ra), ('dec', dec)),
                                        (('x', x), ('y', y))):
            if (a is None) != (b is None):
                given, missing = ((first, second) if b is None
                                  else (second, first))
                msg = f'{given} and {missing} go together: give {missing}='
                raise ValueError(msg)
        if ra is not None and x is not None:
            msg = 'give the positions as ra and dec or as x and y, not both'
            raise ValueError(msg)
        for name, value in (('ra', ra), ('dec', dec), ('x', x), ('y', y)):
            if value is not None:
                check_column(name, value, columns)
                self._check_numbers(name, value, catalogue)
        self.sky, self.pixels = None, None
        if self.source.kind in _ON_SKY:
            what = _ON_SKY[self.source.kind]
            if x is not None:
                msg = (f'{what} are found by ra and dec: leave out x and y, '
                       'which are pixels')
                raise ValueError(msg)
            if ra is None:
                ra, dec = (guess_column('ra', columns, _RA),
                           guess_column('dec', columns, _DEC))
                for name, value in (('ra', ra), ('dec', dec)):
                    self._check_numbers(name, value, catalogue)
            if size is None:
                msg = (f"{what} need size=, for example size='60arcsec' or "
                       'size=128 pixels')
                raise ValueError(msg)
        if ra is not None:
            self.sky = [(name, self._angle(catalogue.schema.field(name)))
                        for name in (ra, dec)]
        elif x is not None:
            self.pixels = [x, y]
        self.size, self.size_column = self._read_size(size, catalogue)
        if self.source.kind == 'cutouts' and self.size is not None:
            images.width(self.size)

    def _check_numbers(self, name, column, catalogue):
        pa = import_pyarrow()
        column = catalogue.schema.field(column)
        if not (pa.types.is_integer(column.type)
                or pa.types.is_floating(column.type)
                or pa.types.is_decimal(column.type)
                or pa.types.is_null(column.type)):
            msg = (f'{name}={column.name!r} must be a column of numbers, but '
                   f'it holds values of the type {column.type}'
                   f'{_first_text(catalogue, column.name)}')
            if name in ('ra', 'dec'):
                msg += ('. Positions are in degrees, such as 184.731 and '
                        '12.408: convert sexagesimal ones, for instance with '
                        'astropy.coordinates.Angle')
            raise ValueError(msg)

    def _angle(self, column):
        """
        Get the unit of a column of angles.
        """
        unit = u.Unit(unit_of_field(column) or 'deg', parse_strict='silent')
        if not unit.is_equivalent(u.deg):
            msg = (f'the column {column.name!r} has the unit {unit}, which '
                   'is no angle')
            raise ValueError(msg)
        return unit.to_string()

    def _read_size(self, size, catalogue):
        """
        Get the size for all galaxies, or the column and the unit of each.
        """
        schema = catalogue.schema
        if isinstance(size, str) and size in schema.names:
            self._check_numbers('size', size, catalogue)
            return None, (size, unit_of_field(schema.field(size)))
        if not isinstance(size, str):
            if np.ndim(size) == 0 and not isinstance(size, u.Quantity):
                check_positive(size, 'size', optional=True)
            return size, None
        text = size
        try:
            size = u.Quantity(text)
        except (TypeError, ValueError):
            msg = (f'size={text!r} is neither a number, an angle such as '
                   "'90arcsec' nor a column of the catalogue")
            raise ValueError(msg) from None
        if size.unit in (u.dimensionless_unscaled, u.pix):
            size = round(size.value)
        elif size.unit.physical_type != 'angle':
            msg = (f"size={text!r} must be pixels or an angle such as "
                   f"'90arcsec', got the unit '{size.unit}'")
            raise ValueError(msg)
        return size, None

    @property
    def needed(self):
        """
        The columns that are read, `None` for all.
        """
        if self.source.columns is None:
            return None
        names = [*self.source.columns, *(name for name, _ in self.sky or ()),
                 *(self.pixels or ())]
        if self.size_column is not None:
            names.append(self.size_column[0])
        for files in self.companions:
            names += files.columns
        return list(dict.fromkeys(names))

    @property
    def has_files(self):
        """
        Tell whether the images are files, which may have changed.
        """
        return self.source.kind not in ('callable', 'cutouts')

    def files(self, rows):
        """
        List the files that belong to some rows.

        Parameters
        ----------
        rows : `pyarrow.Table`
            The rows.

        Returns
        -------
        paths : list of list of str or `None`
            For each row, the image and its masks, errors and skies; `None`
            for those that are not there.
        """
        def find(locate, *args):
            try:
                return locate(*args)
            except (OSError, ValueError):
                return None

        return [[None if item.error else find(self.source.locate, item),
                 *(None if item.error else find(
                     lambda files=files, item=item: files.locate(
                         item.record, item.source)[0])
                   for files in self.companions)]
                for item in self._find(rows)]

    @property
    def folder(self):
        """
        The folder where relative names begin (str), '' if unknown.
        """
        return str(self.source.folder)

    def describe(self):
        """
        Describe the images as a dict that JSON can hold.
        """
        found = {'kind': self.source.kind, 'images': self.source.describe(),
                 'ra, dec': [name for name, _ in self.sky or ()],
                 'x, y': list(self.pixels or ()),
                 'size': str(self.size_column or self.size)}
        if self.allow_remote:
            found['allow_remote'] = True
        found.update((files.option, files.template)
                     for files in self.companions)
        return found

    def check_first(self, catalogue):
        """
        Check the names of the first images, and their masks and errors.

        Parameters
        ----------
        catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
            The catalogue.

        Raises
        ------
        FileNotFoundError
            If the first rows have images, and none of them its mask or
            error. (A single one that is missing is a galaxy that failed.)

        ValueError
            If the first rows are all addresses that may not be read.

        ImportError
            If a package for an address is not installed.
        """
        if self.source.kind == 'callable' or not (
                self.companions or self.source.kind == 'column'):
            return
        rows = next(catalogue.parts(_FIRST, self.needed))
        found = self._find(rows.slice(0, _FIRST))
        self.source.check_names([item for item in found
                                 if item.error is None])
        good = []
        for item in found if self.companions else ():
            try:
                if item.error is None:
                    # (nothing is fetched for this)
                    if self.source.kind != 'cutouts':
                        self.source.locate(item)
                    good.append(item)
            except (OSError, ValueError):
                continue
        for files in self.companions:
            errors = []
            for item in good:
                try:
                    files.locate(item.record, item.source)
                except (OSError, ValueError) as error:
                    errors.append(error)
            if good and len(errors) == len(good):
                msg = (f'{files.option}={files.template!r} leads to no file '
                       f'for the first {len(good)} image(s): {errors[0]}')
                raise FileNotFoundError(msg)

    def __call__(self, rows, errors=None):
        """
        Load the images of some rows.

        Parameters
        ----------
        rows : `pyarrow.Table`
            The rows.

        errors : dict of Exception, optional
            Reasons for not loading an image, by row.

        Yields
        ------
        image : `LoadedImage`
            An image, or the exception that it led to. Those of a file that
            is read for several galaxies follow each other, so the order is
            not that of the rows.
        """
        loaded = self._find(rows)
        for row, error in (errors or {}).items():
            loaded[row].error = error
        yield from open_images(loaded, self.source, hdu=self.hdu,
                               band=self.band, companions=self.companions)

    def _find(self, rows):
        """
        Find the names, positions and sizes of the images of some rows.
        """
        needed = self.needed
        records = (rows if needed is None
                   else rows.select(needed)).to_pylist()
        where, good = self._positions(records)
        loaded = []
        for row, record in enumerate(records):
            item = LoadedImage(row, '', record=record)
            try:
                self.source.find(item, record)
                self._set_size(item, record)
                if where is not None:
                    if not good[row]:
                        raise ValueError(self._no_position(record))
                    item.options['position'] = (
                        where[row] if self.sky else tuple(where[row]))
            except Exception as error:
                # Store the exception so that the others are measured
                item.error = error
            loaded.append(item)
        self.source.place(loaded, where)
        return loaded

    def _no_position(self, record):
        """
        Describe a position that is missing, or none on the sky.
        """
        names = self.pixels or [name for name, _ in self.sky]
        given = [record[name] for name in names]
        if any(value is None or not np.isfinite(value) for value in given):
            return 'the catalogue has no position'
        # (a shell does not take these columns for its options)
        text = ' and '.join(f'{name} {value:g}' for name, value in zip(
            names, given, strict=True))
        return (f'the catalogue has {text}, which is no position on the sky '
                'in degrees')

    def _positions(self, records):
        """
        Get the position of each row, and whether there is one.
        """
        if self.sky is None and self.pixels is None:
            return None, None
        first, second = self.pixels or [name for name, _ in self.sky]
        values = np.array([[np.nan if record[name] is None else record[name]
                            for name in (first, second)]
                           for record in records], dtype=float)
        if self.pixels is not None:
            return values, np.isfinite(values).all(axis=1)
        ra, dec = (values[:, k] * u.Unit(unit).to(u.deg)
                   for k, (_, unit) in enumerate(self.sky))
        good = np.isfinite(ra) & (np.abs(dec) <= 90)
        return SkyCoord(np.where(good, ra, 0), np.where(good, dec, 90),
                        unit=u.deg), good

    def _set_size(self, item, record):
        size = self.size
        if self.size_column is not None:
            name, unit = self.size_column
            size = record[name]
            if size is None or not size > 0:
                msg = f'the size in the column {name!r} must be positive'
                raise ValueError(msg)
            size = round(size) if unit in (None, '', 'pix') else (
                size * u.Unit(unit))
        if size is not None:
            item.options['size'] = size


def _first_text(catalogue, column):
    """
    Name the first row whose value is no number; '' if there is none.
    """
    row = 0
    if not hasattr(catalogue, 'parts'):
        # (a HATS catalogue)
        return ''
    for part in catalogue.parts(_ROWS, [column]):
        for value in part[column].to_pylist():
            try:
                float(value)
            except (TypeError, ValueError):
                if value is not None:
                    return f': row {row} (from 0) has {value!r}'
            row += 1
    return ''
