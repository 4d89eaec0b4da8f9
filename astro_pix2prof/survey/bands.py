# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The bands of a survey: their names, options and images.
"""

import json
import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations

from astro_pix2prof.arguments import check_text
from astro_pix2prof.fitting.bands import colour_pairs, options_of
from astro_pix2prof.profile.columns import GALAXY_COLUMNS
from astro_pix2prof.structure.columns import STRUCTURE_COLUMNS
from astro_pix2prof.survey.companions import OPTIONS
from astro_pix2prof.survey.images import SurveyImages
from astro_pix2prof.survey.services import CutoutService
from astro_pix2prof.survey.twins import warn_of_twins

__all__ = ['BAND_KEY', 'BandError', 'BandImages', 'BandSet',
           'band_columns', 'find_bands', 'read_bands']


# Stands for the band in a template or in the layer of a service.
_FIELD = '{band}'

# The reference, if there is a band of this name.
_USUAL = 'r'

# Characters that names of bands do without: those of paths, templates and
# lists.
_REFUSED = ' \t\n/\\{},='

# The metadata of a file of results: `BandSet.describe` as JSON.
BAND_KEY = b'astro_pix2prof_bands'


class BandError(Exception):
    """
    Reasons for not measuring a galaxy in some bands besides the reference.

    Attributes
    ----------
    errors : dict of Exception
        The reasons, by band.
    """

    def __init__(self, errors):
        super().__init__(errors)
        self.errors = errors


@dataclass
class BandSet:
    """
    The bands of a survey.

    Attributes
    ----------
    sources : dict
        Where the images of each band are, as ``images`` of `run_survey`.

    reference : str
        The band whose ellipses all share.

    pairs : list of tuple of str
        The bands of the colours.

    options : dict of dict
        For each band, the options of `~astro_pix2prof.GalaxyCutout` for all
        its images.

    psfs : `~astro_pix2prof.survey.psfs.BandPSFs` or `None`
        The point-spread functions, for colours behind the broadest.
    """

    sources: dict
    reference: str
    pairs: list
    options: dict = field(default_factory=dict)
    psfs: object = None

    @property
    def names(self):
        """
        The names of the bands (list of str).
        """
        return list(self.sources)

    @property
    def others(self):
        """
        The bands that are measured on the ellipses of the reference.
        """
        return [band for band in self.sources if band != self.reference]

    @property
    def colours(self):
        """
        The names of the colours (list of str).
        """
        return [f'{one}-{two}' for one, two in self.pairs]

    def describe(self):
        """
        Describe the bands as a dict that JSON can hold.
        """
        return {'bands': self.names, 'reference': self.reference,
                'colours': self.colours}

    def option(self, band, name, value):
        """
        Choose the value of an argument for a band.

        Parameters
        ----------
        band : str
            The band.

        name : str
            The argument.

        value : object
            The value for all bands, or a dict with one for each.

        Returns
        -------
        value : object
            `None` if the dict has none.
        """
        return self.choose(band, {name: value}).get(name)

    def choose(self, band, options):
        """
        Choose the options of a band; see `option`.
        """
        return options_of(band, self.sources, options, where='bands')


def find_bands(bands, images, *, reference=None, colours=None, options=None):
    """
    Find out which bands a survey has, and where their images are.

    Parameters
    ----------
    bands, images, reference, colours
        See `~astro_pix2prof.run_survey`.

    options : dict, optional
        The options of the images: bands may be planes or extensions of the
        same file.

    Returns
    -------
    bands : `BandSet` or `None`
        `None` for a survey of one band.

    Raises
    ------
    TypeError, ValueError
        If the arguments are of the wrong kind or contradict each other.
    """
    options = options or {}
    if bands is None:
        for name, value in (('reference', reference), ('colours', colours)):
            if value is not None:
                msg = (f'{name}={value!r} goes with several bands: give '
                       'bands=')
                raise ValueError(msg)
        for name, value in options.items():
            if isinstance(value, dict):
                msg = (f'{name} has values for the bands {list(value)}: give '
                       'bands=, too')
                raise ValueError(msg)
        return None
    sources = _find_sources(bands, images, options)
    _check_names(list(sources))
    _check_planes(sources, options)
    reference = check_text(reference, 'reference', optional=True)
    if reference is None and _USUAL not in sources:
        msg = (f'reference must be given where no band is called {_USUAL!r}: '
               f'one of {list(sources)}')
        raise ValueError(msg)
    if reference is None:
        reference = _USUAL
    if reference not in sources:
        msg = (f'reference must be one of the bands {list(sources)}, got '
               f'{reference!r}')
        raise ValueError(msg)
    found = BandSet(sources, reference, colour_pairs(sources, colours))
    _check_columns(found)
    return found


def _find_sources(bands, images, options):
    """
    Find where the images of each band are.
    """
    if isinstance(bands, Mapping):
        if images is not None:
            msg = ('images and bands do not go together, if bands is a dict '
                   'that says where the images of each band are: leave out '
                   'images')
            raise ValueError(msg)
        return dict(bands)
    if isinstance(bands, str) or not isinstance(bands, list | tuple):
        msg = ("bands must be a dict such as {'g': 'path_g', 'r': 'path_r'}, "
               "or a list such as ['g', 'r'] along with images=, got "
               f'{bands!r}')
        raise TypeError(msg)
    names = list(bands)
    if len(set(map(str, names))) < len(names):
        msg = f'bands must differ from each other, got {names}'
        raise ValueError(msg)
    if isinstance(images, CutoutService):
        return {band: images.in_band(check_text(band, 'bands'))
                for band in names}
    text = os.fspath(images) if isinstance(
        images, str | os.PathLike) else None
    if text is not None and _FIELD in text:
        return {band: text.replace(_FIELD, str(band)) for band in names}
    if images is not None and any(isinstance(options.get(name), dict)
                                  for name in ('hdu', 'band')):
        # (planes or extensions of the same files)
        return dict.fromkeys(names, images)
    msg = (f'bands={names} needs images= with {_FIELD} in it, such as '
           f"'images/{{id}}_{_FIELD}.fits', or a CutoutService; or bands= as "
           "a dict that says where the images of each are; or hdu= or band= "
           'as a dict, if they are in the same file')
    raise ValueError(msg)


def _check_planes(sources, options):
    """
    Refuse bands that are the same image.
    """
    planes = {name: options[name] for name in ('hdu', 'band')
              if isinstance(options.get(name), Mapping)}
    for one, two in combinations(sources, 2):
        if sources[one] != sources[two]:
            continue
        keys = {band: [values.get(band) for values in planes.values()]
                for band in (one, two)}
        for band, key in keys.items():
            if all(value is None for value in key):
                msg = (f'the bands {one} and {two} have the same images: '
                       f'hdu= or band= must have a value for {band}, too')
                raise ValueError(msg)
        if keys[one] == keys[two]:
            text = ', '.join(f'{name}={value!r}' for name, value in zip(
                planes, keys[one], strict=True) if value is not None)
            msg = (f'the bands {one} and {two} have the same images and '
                   f'{text}: their values of hdu= or band= must differ')
            raise ValueError(msg)


def _check_names(names):
    """
    Check the names of the bands.
    """
    for name in names:
        if not isinstance(name, str) or not name or any(
                mark in name for mark in _REFUSED):
            msg = ('bands must have names without spaces, slashes, braces, '
                   f'commas and equals signs, got {name!r}')
            raise ValueError(msg)
    if len(names) < 2:
        msg = (f'bands must be two or more, got {names}: give images= for a '
               'survey of one band')
        raise ValueError(msg)


def read_bands(schema):
    """
    Read the bands of a file of results.

    Parameters
    ----------
    schema : `pyarrow.Schema`
        Its columns.

    Returns
    -------
    bands : dict
        'bands', 'reference' and 'colours'; empty for a survey of one band.
    """
    return json.loads((schema.metadata or {}).get(BAND_KEY, b'{}'))


def band_columns(band):
    """
    List the columns of a galaxy in a band.

    Parameters
    ----------
    band : str
        The band.

    Returns
    -------
    columns : dict of str
        The names in the results, by those of `ProfileBatch.galaxies`.
    """
    return {name: f'{name}_{band}' for name in GALAXY_COLUMNS
            if name not in ('index', 'band')}


def _check_columns(bands):
    """
    Refuse names of bands that would give two columns one name.
    """
    known = {*GALAXY_COLUMNS, 'profile', 'colours', 'structure_flag',
             'psf_matched',
             *(name for column in STRUCTURE_COLUMNS for name in (
                 column.name, f'{column.name}_err'))}
    base = [*GALAXY_COLUMNS, 'profile', 'structure_flag', *(
        name for column in STRUCTURE_COLUMNS for name in (
            column.name, f'{column.name}_err'))]
    colours = [name for colour in (*bands.names, *bands.colours)
               for name in (colour, f'{colour}_err', f'{colour}_flag')]
    taken = set()
    for band in bands.names:
        made = {f'{name}_{band}' for name in base}
        clash = (made & known) | (made & taken)
        taken |= made
        if clash or band == 'radius':
            names = ', '.join(sorted(clash)) or 'radius'
            msg = (f'bands: the name {band!r} cannot be used, as the results '
                   f'have another column {names}')
            raise ValueError(msg)
    if len(set(colours)) < len(colours) or taken & set(colours):
        msg = (f'bands={bands.names}: names of bands and colours must '
               'differ from each other, with _err and _flag at their ends, '
               'too')
        raise ValueError(msg)


class BandImages:
    """
    Loads the images of each galaxy of a survey in several bands.

    Parameters
    ----------
    bands : `BandSet`
        The bands.

    catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
        The catalogue.

    size : object, optional
        The size of the cut-outs, or a dict with that of each band.

    companions : dict
        See `SurveyImages`; each may be a dict with one for each band.

    **options
        Other options of `SurveyImages`.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As of `SurveyImages`.
    """

    def __init__(self, bands, catalogue, *, size=None, companions=None,
                 **options):
        self.bands, self._images = bands, {}
        companions = companions or dict.fromkeys(OPTIONS)
        for band, source in bands.sources.items():
            own = bands.options[band]
            with _named(band):
                self._images[band] = SurveyImages(
                    source, catalogue, size=bands.option(band, 'size', size),
                    hdu=own.get('hdu'), band=own.get('band'),
                    companions={name: bands.option(band, name, value)
                                for name, value in companions.items()},
                    **options)

    def of(self, band):
        """
        Get the images of a band (`SurveyImages`).
        """
        return self._images[band]

    @property
    def needed(self):
        """
        The columns that are read, `None` for all.
        """
        names = []
        for images in self._images.values():
            if images.needed is None:
                return None
            names += images.needed
        if self.bands.psfs is not None:
            names += self.bands.psfs.needed
        return list(dict.fromkeys(names))

    @property
    def has_files(self):
        """
        Tell whether images are files, which may have changed.
        """
        return any(images.has_files for images in self._images.values())

    def files(self, rows):
        """
        List the files that belong to some rows, band by band.

        Parameters
        ----------
        rows : `pyarrow.Table`
            The rows.

        Returns
        -------
        paths : list of list of str or `None`
            As of `SurveyImages.files`.
        """
        found = [images.files(rows) for images in self._images.values()
                 if images.has_files]
        return [[path for paths in row for path in paths]
                for row in zip(*found, strict=True)]

    @property
    def folder(self):
        """
        The folder where relative names of the reference begin (str).
        """
        return self._images[self.bands.reference].folder

    def describe(self):
        """
        Describe the images as a dict that JSON can hold.
        """
        psfs = self.bands.psfs
        return {'kind': 'bands', 'reference': self.bands.reference,
                'colours': self.bands.colours,
                **({} if psfs is None else {'psf': psfs.describe()}),
                'bands': {band: images.describe()
                          for band, images in self._images.items()}}

    def check_first(self, catalogue):
        """
        Check the names of the first images of each band.

        Parameters
        ----------
        catalogue : `~astro_pix2prof.survey.catalogue.SurveyCatalogue`
            The catalogue.

        Raises
        ------
        FileNotFoundError, ValueError, ImportError
            As of `SurveyImages.check_first`.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If two bands have the same pixels.
        """
        for band, images in self._images.items():
            with _named(band):
                images.check_first(catalogue)
        warn_of_twins(self._images, self.bands.options, catalogue,
                      self.needed)


@contextmanager
def _named(band):
    """
    Name the band in errors.
    """
    try:
        yield
    except (ValueError, TypeError, FileNotFoundError) as error:
        msg = f'band {band}: {error}'
        kind = next(kind for kind in (FileNotFoundError, TypeError,
                                      ValueError) if isinstance(error, kind))
        raise kind(msg) from error
