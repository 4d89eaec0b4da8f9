# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find the masks, errors and skies of the images of a survey.
"""

import math
import os
from pathlib import Path

from astro_pix2prof.addresses import is_address
from astro_pix2prof.image.companions import (
    image_stem,
    read_plane,
    split_extension,
)
from astro_pix2prof.survey.files import require_file
from astro_pix2prof.survey.names import is_remote
from astro_pix2prof.survey.sources import (
    anchor_template,
    check_column,
    locate_file,
    template_fields,
)
from astro_pix2prof.survey.storage import absolute_path

__all__ = ['OPTIONS', 'CompanionFiles']


# The arguments of `run_survey`, and the options of `GalaxyCutout`.
OPTIONS = {'masks': 'mask', 'uncertainties': 'uncertainty',
           'invvars': 'invvar', 'backgrounds': 'background'}

# What stands for the name of the image, without its ending.
_NAME = 'name'


class CompanionFiles:
    """
    Finds and reads one kind of file that lies beside each image.

    Parameters
    ----------
    option : str
        One of ``OPTIONS``, for messages.

    template : str
        A column of paths, relative ones to the folder of the catalogue; a
        template with columns in braces, of which ``{name}`` is the name of
        the image without its ending unless there is such a column; or one
        file for all images. ``[EXT]`` at the end is the extension.

    catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
        The catalogue.

    allow_remote : bool, optional
        Whether names may be addresses.

    Raises
    ------
    TypeError
        If the template is no text.

    ValueError
        If it names a column that does not exist, or an address without
        ``allow_remote``.

    FileNotFoundError
        If it is the name of one file that does not exist.
    """

    def __init__(self, option, template, catalogue, *, allow_remote=False):
        if not isinstance(template, str | os.PathLike):
            msg = (f'{option} must be a column or a template such as '
                   f"'{{id}}_{OPTIONS[option]}.fits', got "
                   f'{type(template).__name__}')
            raise TypeError(msg)
        self.option, self.plane = option, OPTIONS[option]
        self.template = os.fspath(template)
        self.allow_remote = allow_remote
        # (the processes may have another working directory)
        self.folder, self.within = os.getcwd(), None
        self.path = self.template
        self.of_image = False
        if self.template in catalogue.columns:
            self.columns, self.is_column = [self.template], True
            self.folder = absolute_path(catalogue.base)
            return
        self.is_column = False
        try:
            self.path, self.within = anchor_template(
                self.template, allow_remote, option)
        except ValueError as error:
            if str(error).startswith(f'{option}='):
                raise
            msg = f'{option}: {error}'
            raise ValueError(msg) from error
        self.columns = template_fields(self.template, option)
        if _NAME in self.columns and _NAME not in catalogue.columns:
            self.columns.remove(_NAME)
            self.of_image = True
        for name in self.columns:
            check_column(option, name, catalogue.columns)
        if self.columns or self.of_image:
            return
        self.within = None
        path, _ = split_extension(self.path)
        if is_address(path):
            require_file(path, f'{option}:')
        elif not Path(path).is_file():
            msg = (f'{option}={self.template!r} is neither a column of the '
                   f'catalogue ({", ".join(catalogue.columns)}) nor a '
                   'template with a column in braces nor the name of a file')
            raise FileNotFoundError(msg)

    def locate(self, record, source):
        """
        Find the file that belongs to a row.

        Parameters
        ----------
        record : dict
            The row: at least the columns that are needed.

        source : str
            The name of the image.

        Returns
        -------
        path : str or ``upath.UPath``
            The path, or the address.

        hdu : int, str, tuple or `None`
            The extension.

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        ValueError
            If the row has no value for it, or it leads elsewhere.
        """
        try:
            values = {name: _text(name, record[name])
                      for name in self.columns}
            if self.is_column:
                text = values[self.template]
            else:
                if self.of_image:
                    values[_NAME] = image_stem(os.path.basename(source))
                text = self.path.format(**values)
            if not is_remote(text) and not is_address(self.folder):
                text = os.path.join(self.folder, text)
            name, hdu = split_extension(text)
            return locate_file(name, self.folder, self.allow_remote,
                               within=self.within, template=self.path), hdu
        except (OSError, ValueError) as error:
            raise self._named(error) from error

    def read(self, record, source, *, shape=None, window=None):
        """
        Read the plane that belongs to a row.

        Parameters
        ----------
        record, source
            As for `locate`.

        shape, window
            As for `~astro_pix2prof.image.companions.read_plane`.

        Returns
        -------
        plane : object
            As `GalaxyCutout` takes it.

        Raises
        ------
        OSError, ValueError
            If there is no such file or extension, or of another shape.
        """
        path, hdu = self.locate(record, source)
        try:
            return read_plane(self.plane, path, hdu, shape=shape,
                              window=window)
        except (OSError, ValueError) as error:
            raise self._named(error) from error

    def _named(self, error):
        """
        Name the kind of file in an error.
        """
        msg = f'{self.plane}: {error}'
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(msg)
        return OSError(msg) if isinstance(error, OSError) else ValueError(msg)


def _text(name, value):
    """
    Check the value of a column; bytes become text.
    """
    if value is None or value == '' or (
            isinstance(value, float) and math.isnan(value)):
        msg = f'the column {name!r} has no value'
        raise ValueError(msg)
    return os.fsdecode(value) if isinstance(value, bytes) else value
