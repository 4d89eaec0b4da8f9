# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find the images of galaxies: by columns, templates, tiles and functions.

Names that come out of a catalogue are not trusted: they lead to regular
files on this machine and, from a template, to no other folder than its own.
"""

import glob
import hashlib
import math
import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.sections import open_sections
from astro_pix2prof.profile.arrow import import_pyarrow
from astro_pix2prof.survey.cutouts import CutoutSource
from astro_pix2prof.survey.files import require_file
from astro_pix2prof.survey.names import (
    check_below,
    check_remote,
    is_remote,
    join_address,
    template_folder,
)
from astro_pix2prof.survey.services import CutoutService
from astro_pix2prof.survey.stop import StopSurveyError, raise_if_full
from astro_pix2prof.survey.storage import absolute_path, match_files
from astro_pix2prof.survey.tiles import TileSet

__all__ = ['LoadedImage', 'anchor_template', 'check_column', 'find_source',
           'guess_column', 'locate_file', 'open_images', 'template_fields']


# Names of columns of paths that are tried, in any case.
_PATHS = ('image', 'images', 'path', 'file', 'filename', 'image_path', 'fits')


@dataclass
class LoadedImage:
    """
    The image of one galaxy, or the error that finding it led to.

    Attributes
    ----------
    row : int
        The number of the galaxy among the rows.

    source : str
        The name of the image, as the catalogue has it.

    image : object
        The image or its path.

    options : dict
        The options of `~astro_pix2prof.GalaxyCutout` for this image.

    origin : tuple of int
        The pixel (x, y) of the file that is the first of the image.

    error : Exception or `None`
        The error.

    record : dict or `None`
        The row of the catalogue: the columns that are needed.

    own : dict or `None`
        The options as they were found, where ``options`` are other ones.

    grid : tuple of int or `None`
        The shape (ny, nx) of the file, where the image is a part of it.
    """

    row: int
    source: str
    image: object = None
    options: dict = field(default_factory=dict)
    origin: tuple = (0, 0)
    error: Exception | None = None
    record: dict | None = None
    own: dict | None = None
    grid: tuple | None = None


def find_source(images, catalogue, *, hdu=None, band=None,
                allow_remote=False):
    """
    Recognise by what the images of a catalogue are found.

    Parameters
    ----------
    images : str, list of str, `CutoutService`, callable or `None`
        See `~astro_pix2prof.run_survey`.

    catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
        The catalogue.

    hdu, band : int or str, optional
        The image of each tile.

    allow_remote : bool, optional
        Whether names may be addresses of files elsewhere.

    Returns
    -------
    source : object
        With the attributes ``kind``, ``columns`` (that it reads, `None` for
        all), ``folder``, and the methods ``describe``, ``find`` and
        ``place``.

    Raises
    ------
    ValueError
        If a column does not exist or holds no names, or there are no such
        files.

    TypeError
        If ``images`` is of another kind.
    """
    columns = catalogue.columns
    if isinstance(images, CutoutService):
        return CutoutSource(images)
    if callable(images):
        return _FunctionSource(images, allow_remote)
    if images is None:
        images = guess_column('images', columns, _PATHS)
    if isinstance(images, list | tuple):
        return _TileSource(images, hdu, band)
    if is_address(images) and not isinstance(images, str):
        # (an address of its own kind is no template)
        return _TileSource(match_files(images), hdu, band)
    if not isinstance(images, str | os.PathLike):
        msg = ('images must be a column, a template, tiles, a '
               'CutoutService or a function, got '
               f'{type(images).__name__}')
        raise TypeError(msg)
    text = os.fspath(images)
    if text in columns:
        return _ColumnSource(text, catalogue, allow_remote)
    names = template_fields(text)
    if names:
        for name in names:
            check_column('images', name, columns)
        return _TemplateSource(text, names, allow_remote)
    if is_address(text):
        paths = match_files(text)
    else:
        paths = sorted(glob.glob(text))
    if len(paths) == 1 and Path(paths[0]).is_dir():
        paths = sorted(str(path) for path in Path(paths[0]).iterdir()
                       if '.fit' in path.name.lower())
    if paths:
        return _TileSource(paths, hdu, band)
    msg = (f'images={text!r} is neither a column of the catalogue '
           f'({", ".join(columns)}) nor a template with a column '
           'in braces nor the name of files')
    raise ValueError(msg)


def check_column(name, column, columns):
    """
    Check that the column that an option names is in the catalogue.
    """
    if column not in columns:
        msg = (f'{name}={column!r} is not a column of the catalogue, '
               f'which has: {", ".join(columns)}')
        raise ValueError(msg)


def guess_column(name, columns, names):
    """
    Find the column with one of some common names, in any case.
    """
    known = {column.lower(): column for column in columns}
    for guess in names:
        if guess in known:
            return known[guess]
    msg = (f'give {name}=, no column has a name such as {names[0]!r}; '
           f'the catalogue has: {", ".join(columns)}')
    raise ValueError(msg)


def template_fields(template, option='images'):
    """
    List the columns in the braces of a template, and in their formats.
    """
    names = []
    try:
        for _, name, spec, _ in Formatter().parse(template):
            if name is not None:
                names += [name, *template_fields(spec or '', option)]
    except ValueError as error:
        msg = (f'{option}={template!r} is no template: {error}; a column '
               "stands in braces, such as 'images/{id}.fits'")
        raise ValueError(msg) from error
    return list(dict.fromkeys(names))


class _Source:
    """
    The parts that all kinds share.
    """

    columns = ()
    # the folder where relative names begin, empty if there is none
    folder = ''

    def find(self, item, record):
        """
        Note the name of an image.
        """

    def check_names(self, loaded):
        """
        Check the names of the first images before a survey begins.
        """

    def locate(self, item):
        """
        Return the path or the image, once it is known to be safe to open.
        """
        return item.image

    def place(self, loaded, where):
        """
        Note the images of positions on the sky.
        """


class _ColumnSource(_Source):
    """
    A column of paths; relative ones start at the folder of the catalogue.
    """

    kind = 'column'

    def __init__(self, column, catalogue, allow_remote):
        pa = import_pyarrow()
        kind = catalogue.schema.field(column).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)
                or pa.types.is_binary(kind)):
            msg = (f'images={column!r} must be a column of names of files, '
                   f'but it holds values of the type {kind}')
            raise ValueError(msg)
        self.column, self.columns = column, [column]
        self.folder = absolute_path(catalogue.base)
        self.allow_remote = allow_remote

    def describe(self):
        return self.column

    def find(self, item, record):
        text = record[self.column]
        if isinstance(text, bytes):
            text = os.fsdecode(text)
        if not text:
            msg = f'the column {self.column!r} has no path'
            raise ValueError(msg)
        item.source = text

    def locate(self, item):
        return locate_file(item.source, self.folder, self.allow_remote)

    def check_names(self, loaded):
        """
        Check that the first names are of a kind that can be read.
        """
        errors = []
        for item in loaded:
            try:
                if is_remote(item.source):
                    check_remote(item.source, self.allow_remote)
                    find_path(item.source, 'images')
            except ValueError as error:
                errors.append(error)
        if errors and len(errors) == len(loaded):
            msg = (f'images={self.column!r}: none of the first {len(errors)} '
                   f'image(s) can be read: {errors[0]}')
            raise ValueError(msg) from errors[0]


class _TemplateSource(_Source):
    """
    Names with columns in braces; all files lie below the template's folder.
    """

    kind = 'template'

    def __init__(self, template, names, allow_remote):
        self.columns, self.allow_remote = names, allow_remote
        self.given = template
        # (the processes may have another working directory)
        self.folder = os.getcwd()
        self.template, self.within = anchor_template(template, allow_remote)

    def describe(self):
        return self.given

    def find(self, item, record):
        values = {name: record[name] for name in self.columns}
        for name, value in values.items():
            if value is None or (isinstance(value, float)
                                 and math.isnan(value)):
                msg = f'the column {name!r} has no value for the template'
                raise ValueError(msg)
            if isinstance(value, bytes):
                values[name] = os.fsdecode(value)
        item.source = self.template.format(**values)

    def locate(self, item):
        return locate_file(item.source, self.folder, self.allow_remote,
                           within=self.within, template=self.template)


class _TileSource(_Source):
    """
    Images of the sky out of which galaxies are cut.
    """

    kind = 'tiles'

    def __init__(self, paths, hdu, band):
        for path in paths:
            if not (isinstance(path, str | os.PathLike)
                    or is_address(path)):
                msg = ('images must be a list of names of files, got '
                       f'{type(path).__name__} in it')
                raise TypeError(msg)
            require_file(path, 'images:')
        self.tiles = TileSet([absolute_path(path) for path in paths],
                             hdu=hdu, band=band)
        self.folder = os.path.dirname(str(self.tiles.paths[0]))

    def describe(self):
        names = '\n'.join(os.path.basename(str(p)) for p in self.tiles.paths)
        digest = hashlib.sha256(names.encode('utf-8', 'surrogateescape'))
        return (f'{len(self.tiles.paths)} files, '
                f'{digest.hexdigest()[:16]}')

    def place(self, loaded, where):
        tile, *pixel = self.tiles.assign(where)
        for item, number, *place in zip(loaded, tile, *pixel, strict=True):
            if item.error is not None:
                continue
            if number < 0:
                msg = 'no tile holds the position'
                item.error = ValueError(msg)
                continue
            item.image = self.tiles.paths[number]
            item.source = str(item.image)
            item.options['position'] = tuple(float(part) for part in place)


class _FunctionSource(_Source):
    """
    A function of the user that takes a row and returns an image.
    """

    kind = 'callable'
    columns = None

    def __init__(self, function, allow_remote):
        self.function, self.allow_remote = function, allow_remote

    def describe(self):
        return '.'.join(getattr(self.function, key, '?') for key in (
            '__module__', '__qualname__'))

    def find(self, item, record):
        item.image = record

    def call(self, item):
        """
        Call the function for the row of an image.
        """
        found = self.function(item.image)
        if isinstance(found, tuple) and len(found) == 2 and isinstance(
                found[1], dict):
            found, own = found
            item.options.update(own)
        item.source = str(getattr(found, 'name', None) or item.source)
        if isinstance(found, str | os.PathLike):
            item.source = os.fsdecode(found)
        if is_remote(found):
            # (it may be out of the catalogue)
            check_remote(found, self.allow_remote)
        item.image = found


def anchor_template(template, allow_remote, option='images'):
    """
    Find the folder that the names out of a template must not leave.

    Parameters
    ----------
    template : str
        The template.

    allow_remote : bool
        Whether it may be an address.

    option : str, optional
        The argument, for messages.

    Returns
    -------
    template : str
        The template; after ``file://`` it is a plain one.

    folder : str
        The folder.
    """
    first = template.split('{')[0]
    if first.lower().startswith('file:///'):
        # (the user gave it: no name out of a catalogue)
        template = template[len('file://'):]
    elif is_remote(first):
        check_remote(first, allow_remote)
        return template, template_folder(template, option)
    first = template.split('{')[0]
    return template, os.path.abspath(os.path.dirname(first))


def locate_file(text, start, allow_remote, *, within=None, template=''):
    """
    Find the regular file of a name, or check that it may be fetched.

    Parameters
    ----------
    text : str
        The name out of the catalogue.

    start : str or ``upath.UPath``
        The folder where relative names begin.

    allow_remote : bool
        Whether the name may be an address.

    within : str, optional
        The folder that the name must not leave.

    template : str, optional
        The template, if the name comes from one.

    Returns
    -------
    path : str or ``upath.UPath``
        The path, or the address.
    """
    if is_remote(text):
        if is_remote(within):
            check_below(text, within, template)
        return check_remote(text, allow_remote)
    if is_address(start):
        return join_address(start, text)
    path = os.path.join(start, text)
    if within is not None:
        _check_inside(path, within)
    try:
        require_file(path, 'image')
    except FileNotFoundError:
        msg = f'no such file: {path}'
        raise FileNotFoundError(msg) from None
    return path


def _check_inside(path, folder):
    """
    Check that a path lies in a folder, also where links have led to.
    """
    try:
        root, real = os.path.realpath(folder), os.path.realpath(path)
        inside = os.path.commonpath([root, real]) == root
    except (ValueError, OSError) as error:
        msg = f'{path!r} is not the name of a file: {error}'
        raise ValueError(msg) from error
    if not inside:
        msg = (f'{path} leads out of {folder}, the folder of the template; '
               'give a column of paths if the images lie elsewhere')
        raise ValueError(msg)


def open_images(loaded, source, *, hdu=None, band=None, companions=()):
    """
    Replace paths by images where only a part of a file is needed.

    Parameters
    ----------
    loaded : list of `LoadedImage`
        Images of which the paths are known.

    source : object
        See `find_source`.

    hdu, band : int or str, optional
        The image of each file.

    companions : list of `~astro_pix2prof.survey.companions.CompanionFiles`
        The masks, errors and skies to read with each image.

    Yields
    ------
    image : `LoadedImage`
        An image, or the exception that it led to. Those of a file that is
        read for several galaxies follow each other, so the order is another
        one.
    """
    # each file is opened once
    loaded = sorted(loaded, key=lambda item: item.source)
    with ExitStack() as stack:
        opened, file = None, None
        for item in loaded:
            if item.error is not None:
                yield item
                continue
            try:
                path = item.image = source.locate(item)
                section = source.kind == 'tiles' or {
                    'position', 'size'} <= set(item.options)
                if source.kind == 'callable':
                    source.call(item)
                elif section:
                    if path != opened:
                        stack.close()
                        opened = None
                        file = stack.enter_context(closing(
                            open_sections(path, hdu=hdu, band=band)))
                        opened = path
                        file.warn_of_unread(
                            [files.plane for files in companions])
                    rows, columns, (x, y) = file.window(
                        item.options['position'], item.options['size'])
                    item.image = file.read(rows, columns)
                    item.origin = columns.start, rows.start
                    item.grid = tuple(file.shape)
                    item.options['position'] = (x - columns.start,
                                                y - rows.start)
                for files in companions:
                    item.options[files.plane] = files.read(
                        item.record, item.source, **(
                            {'shape': file.shape, 'window': (rows, columns)}
                            if section and source.kind != 'callable'
                            else {}))
            except StopSurveyError:
                raise
            except Exception as error:
                raise_if_full(error)
                # Store the exception so that the others are measured
                item.error, item.image = error, None
            yield item
            item.image = None   # (measured by now)
