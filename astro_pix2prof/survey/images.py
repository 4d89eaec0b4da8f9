# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Where a survey finds the image of each galaxy.
"""

import glob
import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.sections import cut_section
from astro_pix2prof.survey.arrow import unit_of_field
from astro_pix2prof.survey.tiles import TileSet

__all__ = ['SurveyImages']


# Names that are tried, in any case.
_PATHS = ('image', 'images', 'path', 'file', 'filename', 'image_path', 'fits')

_RA = ('ra', 'ra_deg', 'radeg', 'raj2000', '_raj2000', 'alpha_j2000',
       'right_ascension', 'ra_icrs', 'alpha')

_DEC = ('dec', 'dec_deg', 'decdeg', 'dej2000', 'decj2000', '_dej2000',
        'delta_j2000', 'declination', 'de_icrs', 'decl', 'delta')


@dataclass
class LoadedImage:
    """
    The image of one galaxy, or why there is none.
    """

    row: int
    source: str
    image: object = None
    options: dict = field(default_factory=dict)
    origin: tuple = (0, 0)
    error: Exception | None = None


class SurveyImages:
    """
    Where a survey finds the image of each galaxy.

    Parameters
    ----------
    images : str, list of str, callable or `None`
        A column of paths, relative ones to the folder of the catalogue; a
        template such as ``'images/{id}.fits'`` whose fields are columns;
        tiles, as a list, a pattern such as ``'tiles/*.fits'`` or a folder:
        the one that holds a galaxy is cut; or a function that takes the row
        as a dict and returns an image, or an image and a dict of options.
        By default, a column with a name such as 'image' or 'path'.

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
        Which image of the files.

    Raises
    ------
    ValueError
        If a column does not exist, or what is given does not suffice to
        find an image.

    TypeError
        If ``images`` is of another kind.
    """

    def __init__(self, images, catalogue, *, ra=None, dec=None, x=None,
                 y=None, size=None, hdu=None, band=None):
        self.columns = catalogue.columns
        self.base = str(catalogue.base)
        self.hdu, self.band = hdu, band
        self.kind, self.images = self._recognise(images)
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
                self._check_column(name, value)
        self.sky, self.pixels = None, None
        if self.kind == 'tiles':
            if x is not None:
                msg = ('images in tiles are found by ra and dec: x and y '
                       'are of no use')
                raise ValueError(msg)
            if ra is None:
                ra, dec = self._guess('ra', _RA), self._guess('dec', _DEC)
            if size is None:
                msg = ('images in tiles need size=, for example '
                       "size='60arcsec' or size=128 pixels")
                raise ValueError(msg)
        if ra is not None:
            self.sky = [(name, self._angle(catalogue.schema.field(name)))
                        for name in (ra, dec)]
        elif x is not None:
            self.pixels = [x, y]
        self.size, self.size_column = self._read_size(size, catalogue.schema)

    def _recognise(self, images):
        """
        The kind of source, and what it needs.
        """
        if images is None:
            return 'column', self._guess('images', _PATHS)
        if callable(images):
            return 'callable', images
        if isinstance(images, list | tuple):
            return 'tiles', TileSet(images, hdu=self.hdu, band=self.band)
        if not isinstance(images, str | os.PathLike):
            msg = ('images must be a column, a template, tiles or a '
                   f'function, got {type(images).__name__}')
            raise TypeError(msg)
        text = os.fspath(images)
        if text in self.columns:
            return 'column', text
        names = [name for _, name, _, _ in Formatter().parse(text) if name]
        if names:
            for name in names:
                self._check_column('images', name)
            return 'template', text
        paths = sorted(glob.glob(text))
        if len(paths) == 1 and Path(paths[0]).is_dir():
            paths = sorted(str(path) for path in Path(paths[0]).iterdir()
                           if '.fit' in path.name.lower())
        if paths:
            return 'tiles', TileSet([os.path.abspath(p) for p in paths],
                                    hdu=self.hdu, band=self.band)
        msg = (f'images={text!r} is neither a column of the catalogue '
               f'({", ".join(self.columns)}) nor a template with a column '
               'in braces nor the name of files')
        raise ValueError(msg)

    def _check_column(self, name, column):
        if column not in self.columns:
            msg = (f'{name}={column!r} is not a column of the catalogue, '
                   f'which has: {", ".join(self.columns)}')
            raise ValueError(msg)

    def _guess(self, name, names):
        known = {column.lower(): column for column in self.columns}
        for guess in names:
            if guess in known:
                return known[guess]
        msg = (f'give {name}=, no column has a name such as {names[0]!r}; '
               f'the catalogue has: {", ".join(self.columns)}')
        raise ValueError(msg)

    def _angle(self, column):
        """
        The unit of a column of angles.
        """
        unit = u.Unit(unit_of_field(column) or 'deg', parse_strict='silent')
        if not unit.is_equivalent(u.deg):
            msg = (f'the column {column.name!r} has the unit {unit}, which '
                   'is no angle')
            raise ValueError(msg)
        return unit.to_string()

    def _read_size(self, size, schema):
        """
        The size for all galaxies, or the column and the unit of each.
        """
        if isinstance(size, str) and size in self.columns:
            return None, (size, unit_of_field(schema.field(size)))
        if not isinstance(size, str):
            return size, None
        try:
            size = u.Quantity(size)
        except TypeError:
            msg = (f'size={size!r} is neither a number, an angle such as '
                   "'90arcsec' nor a column of the catalogue")
            raise ValueError(msg) from None
        if size.unit in (u.dimensionless_unscaled, u.pix):
            size = round(size.value)
        return size, None

    @property
    def needed(self):
        """
        The columns that are read, `None` for all.
        """
        if self.kind == 'callable':
            return None
        names = []
        if self.kind == 'column':
            names.append(self.images)
        if self.kind == 'template':
            names += [name for _, name, _, _
                      in Formatter().parse(self.images) if name]
        names += [name for name, _ in self.sky or ()]
        names += self.pixels or ()
        if self.size_column is not None:
            names.append(self.size_column[0])
        return list(dict.fromkeys(names))

    @property
    def folder(self):
        """
        The folder where the images are looked for (str), '' if unknown.
        """
        if self.kind == 'column':
            return self.base
        if self.kind == 'template':
            return os.path.dirname(os.path.abspath(self.images.split('{')[0]))
        return os.path.dirname(self.images.paths[0]) if (
            self.kind == 'tiles') else ''

    def describe(self):
        """
        What was asked for, as a dict that JSON can hold.
        """
        what = self.images
        if self.kind == 'callable':
            what = '.'.join(getattr(what, key, '?') for key in (
                '__module__', '__qualname__'))
        elif self.kind == 'tiles':
            names = '\n'.join(os.path.basename(p) for p in what.paths)
            what = (f'{len(what.paths)} files, '
                    f'{hashlib.sha256(names.encode()).hexdigest()[:16]}')
        return {'kind': self.kind, 'images': what,
                'ra, dec': [name for name, _ in self.sky or ()],
                'x, y': list(self.pixels or ()),
                'size': str(self.size_column or self.size)}

    def __call__(self, rows):
        """
        Load the images of some rows.

        Parameters
        ----------
        rows : `pyarrow.Table`
            The rows.

        Yields
        ------
        image : `LoadedImage`
            An image, or the exception that it led to. Those of a file that
            is read for several galaxies follow each other, so the order is
            not that of the rows.
        """
        needed = self.needed
        records = (rows if needed is None
                   else rows.select(needed)).to_pylist()
        where, good = self._positions(records)
        tile, pixel = None, None
        if self.kind == 'tiles':
            tile, *pixel = self.images.assign(where)
        loaded = []
        for row, record in enumerate(records):
            item = LoadedImage(row, '')
            try:
                self._fill(item, record)
                if where is not None:
                    if not good[row]:
                        msg = 'the catalogue has no position'
                        raise ValueError(msg)
                    item.options['position'] = (
                        where[row] if self.sky else tuple(where[row]))
                if tile is not None:
                    if tile[row] < 0:
                        msg = 'no tile holds the position'
                        raise ValueError(msg)
                    item.image = item.source = self.images.paths[tile[row]]
                    item.options['position'] = tuple(
                        float(part[row]) for part in pixel)
            except Exception as error:  # it is the galaxy's result
                item.error = error
            loaded.append(item)
        # each file is opened once
        loaded.sort(key=lambda item: item.source)
        yield from self._open(loaded)

    def _positions(self, records):
        """
        The position of each row, and whether there is one.
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

    def _fill(self, item, record):
        """
        Note the path and the size of a galaxy.
        """
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
        if self.kind == 'callable':
            item.image = record
        elif self.kind != 'tiles':
            text = (record[self.images] if self.kind == 'column'
                    else self.images.format(**record))
            if not text:
                msg = f'the column {self.images!r} has no path'
                raise ValueError(msg)
            item.source = text
            base = self.base if self.kind == 'column' else ''
            item.image = os.path.join(base, text)

    def _open(self, loaded):
        """
        Replace paths by images where only a part is needed.
        """
        with ExitStack() as stack:
            opened, hdulist = None, None
            for item in loaded:
                if item.error is not None:
                    yield item
                    continue
                try:
                    path = item.image
                    if self.kind == 'callable':
                        self._call(item)
                    elif self.kind == 'tiles' or {
                            'position', 'size'} <= set(item.options):
                        if path != opened:
                            stack.close()
                            opened = None
                            hdulist = stack.enter_context(
                                open_fits(path))
                            opened = path
                        item.image, position, item.origin = cut_section(
                            hdulist, item.options['position'],
                            item.options['size'], hdu=self.hdu,
                            band=self.band)
                        item.options['position'] = position
                    elif not os.path.isfile(path):
                        msg = f'no such file: {path}'
                        raise FileNotFoundError(msg)
                except Exception as error:
                    item.error, item.image = error, None
                yield item
                item.image = None   # (measured by now)

    def _call(self, item):
        """
        Ask the user's function for an image.
        """
        found = self.images(item.image)
        if isinstance(found, tuple) and len(found) == 2 and isinstance(
                found[1], dict):
            found, own = found
            item.options.update(own)
        item.source = str(getattr(found, 'name', None) or item.source)
        if isinstance(found, str | os.PathLike):
            item.source = os.fspath(found)
        item.image = found
