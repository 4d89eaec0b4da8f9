# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Images and profiles of the Siena Galaxy Atlas as image-profile pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits

from astro_pix2prof.datasets.pairs import (
    BAD_FILE,
    ImageProfilePair,
    collect_pairs,
    sky_noise,
)
from astro_pix2prof.image.cutout import GalaxyCutout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from astro_pix2prof.typing import PathLike

__all__ = ['read_sga']


# The bands whose images are in nanomaggies (AB) of the pixels of the atlas
_BANDS = 'ugrizy'

# The names of a column, the first that is there; {} is the band. Those of
# the 2025 atlas come first.
_SMA = ('SMA', 'SMA_{}', '{}_SMA')

_SB = ('SB_{}', 'INTENS_{}', '{}_INTENS')

_ERROR = ('SB_ERR_{}', 'SB_{}_ERR', 'INTENS_ERR_{}', '{}_INTENS_ERR')

_IVAR = ('SB_IVAR_{}', 'SB_{}_IVAR', 'INTENS_IVAR_{}', '{}_INTENS_IVAR')

_AXIS_RATIO = ('BA_MOMENT', 'BA')

_ELLIPTICITY = ('EPS_MOMENT', 'EPS')

_PA = ('PA_MOMENT', 'PA')

_X = ('BX', 'X0_MOMENT', 'X0')

_Y = ('BY', 'Y0_MOMENT', 'Y0')

# Largest distance (arcsec) of the centre in pixels from that on the sky
_MAX_SHIFT = 5.0


def read_sga(folder: PathLike, *, bands: str | Sequence[str] = 'griz',
             strict: bool = False) -> Iterator[ImageProfilePair]:
    """
    Read the images and profiles of the Siena Galaxy Atlas.

    The folder, or those in it, hold files as the 2025 atlas has them: for
    each galaxy ``*-ellipse-griz.fits`` with the tables ``ELLIPSE`` and
    ``SBPROFILES``, and for each band ``*-image-BAND.fits`` and
    ``*-invvar-BAND.fits`` (or ``.fits.fz``) in nanomaggies.

    Parameters
    ----------
    folder : str or `~pathlib.Path`
        The folder.

    bands : str or sequence of str, optional
        The bands to read, of those with an image: any of u, g, r, i, z, y.

    strict : bool, optional
        Whether to raise for a pair that cannot be read, rather than to
        warn and to leave it out.

    Returns
    -------
    pairs : iterator of `~astro_pix2prof.ImageProfilePair`
        The pairs, read one at a time. Galaxies of one mosaic, in all
        bands, have the same ``group``.

    Raises
    ------
    ValueError
        If there is no such folder, it holds no such file, a band is not
        one of those or, with ``strict``, a pair cannot be read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each pair that cannot be read.

    Notes
    -----
    The profiles are medians on ellipses of fixed shape, that of the
    galaxy's moments; as far as the code of the atlas tells, in the image
    minus its extension ``MODELS`` (other sources), with stars masked. The
    pair has the image with all of them.
    """
    folder, bands = Path(folder), tuple(bands)
    if not folder.is_dir():
        msg = f'folder must be an existing folder, got {str(folder)!r}'
        raise ValueError(msg)
    other = [band for band in bands if band not in _BANDS or not band]
    if other or not bands:
        msg = (f'bands must be some of {", ".join(_BANDS)}, got '
               f'{", ".join(other) or "none"} (the mid-infrared images are '
               'in Vega units)')
        raise ValueError(msg)
    files = [path for path in sorted(folder.rglob('*-ellipse*.fits*'))
             if not path.name.split('.fits')[0].endswith(('-galex',
                                                          '-unwise'))]
    if not files:
        msg = f'{folder} must hold files *-ellipse-*.fits, but has none'
        raise ValueError(msg)
    return collect_pairs(_jobs(files, bands), strict=strict)


def _jobs(files, bands):
    for path in files:
        try:
            tables = _read_tables(path)
            images = {band: _find_image(path, tables, band)
                      for band in bands}
        except BAD_FILE as error:
            yield path, partial(_fail, error)
            continue
        found = {band: image for band, image in images.items() if image}
        if not found:
            msg = (f'there is no image {tables.group}-image-BAND.fits of its '
                   f'mosaic beside it, BAND being one of {", ".join(bands)}')
            yield path, partial(_fail, FileNotFoundError(msg))
        for band, image in found.items():
            yield f'{path} ({band})', partial(_read_pair, tables, image,
                                              band)


def _fail(error):
    raise error


@dataclass
class _Tables:
    """
    The tables of an ellipse file: columns and units by upper-case name.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    profile, profile_units : dict
        The columns of the profile and their units.

    galaxy : dict
        The row of the galaxy.
    """

    path: Path
    profile: dict
    profile_units: dict
    galaxy: dict

    @property
    def stem(self):
        return self.path.name.split('-ellipse')[0]

    @property
    def group(self):
        group = str(self.galaxy.get('SGAGROUP', '')).strip()
        return group or self.stem

    def column(self, names, band):
        """
        Find a column of the profile.

        Parameters
        ----------
        names : sequence of str
            The names that it may have, {} for the band.

        band : str
            The band.

        Returns
        -------
        name : str or `None`
            The first name that there is.
        """
        wanted = [name.format(band.upper()) for name in names]
        return next((name for name in wanted if name in self.profile), None)

    def number(self, names, band=''):
        """
        Find a finite number in the row of the galaxy.

        Parameters
        ----------
        names : sequence of str
            The names that it may have, {} for the band.

        band : str, optional
            The band.

        Returns
        -------
        value : float or `None`
            The first number that there is.
        """
        for name in names:
            value = self.galaxy.get(name.format(band.upper()))
            if value is not None and np.isfinite(value):
                return float(value)
        return None


def _read_tables(path):
    with fits.open(path, memmap=False) as hdus:
        tables = {hdu.name.upper(): hdu for hdu in hdus
                  if isinstance(hdu, fits.BinTableHDU)
                  and not isinstance(hdu, fits.CompImageHDU)}
        if not tables:
            msg = ('there is no table SBPROFILES, the file holds '
                   f'{", ".join(hdu.name or "an image" for hdu in hdus)}')
            raise ValueError(msg)
        first = next(iter(tables.values()))
        galaxy = tables.get('ELLIPSE', first)
        profile = tables.get('SBPROFILES', galaxy)
        # a table with one row has a vector in each column
        columns = {column.name.upper(): np.ravel(profile.data[column.name])
                   for column in profile.columns}
        units = {column.name.upper(): (column.unit or '').lower()
                 for column in profile.columns}
        row = {}
        if len(galaxy.data) == 1:
            row = {column.name.upper(): galaxy.data[column.name][0]
                   for column in galaxy.columns
                   if np.ndim(galaxy.data[column.name]) == 1}
    return _Tables(path, columns, units, row)


def _find_image(path, tables, band):
    """
    Find the image of the mosaic that the galaxy is in, or `None`.
    """
    mark = f'-image-{band}.fits'
    images = {image.name.split(mark)[0]: image
              for image in sorted(path.parent.glob(f'*{mark}*'))}
    # (a file of the 2020 atlas begins with the name of its mosaic)
    named = [stem for stem in images
             if stem == tables.group or tables.stem.startswith(stem)]
    if named:
        return images[max(named, key=len)]
    if 'SGAGROUP' in tables.galaxy:
        return None
    if len(images) > 1:
        msg = (f'there are several images in band {band}, none of them named '
               f'like {tables.stem}')
        raise ValueError(msg)
    return next(iter(images.values()), None)


def _read_pair(tables, image, band):
    options = {'unit': 'nmgy', 'band': band}
    name = image.name.replace('-image-', '-invvar-').split('.fits')[0]
    invvar = next((image.with_name(f'{name}.fits{end}')
                   for end in ('', '.fz', '.gz')
                   if image.with_name(f'{name}.fits{end}').exists()), None)
    if invvar is not None:
        options['invvar'] = fits.getdata(invvar)
    else:
        # no exposure there
        options['mask'] = fits.getdata(image) == 0
    cutout = GalaxyCutout(image, **options)
    centre = _centre(tables, cutout)
    cutout = GalaxyCutout.from_any(cutout, position=centre)
    sma, intensity, error = _rings(tables, band, cutout.pixel_scale)

    axis_ratio = tables.number(_AXIS_RATIO)
    ellipticity = (tables.number(_ELLIPTICITY) if axis_ratio is None
                   else 1 - axis_ratio)
    pa = tables.number(_PA)
    if ellipticity is None or pa is None:
        msg = (f'there is no shape ({", ".join(_AXIS_RATIO + _ELLIPTICITY)}, '
               f'{", ".join(_PA)}) in the row of the galaxy, which has '
               f'{", ".join(tables.galaxy) or "no columns"}')
        raise ValueError(msg)
    fwhm = tables.number(['PSFSIZE_{}'], band)
    return ImageProfilePair(
        name=f'{tables.stem}_{band}', group=tables.group, band=band,
        data=cutout.data, mask=cutout.mask, sigma=sky_noise(cutout),
        pixel_scale=cutout.pixel_scale, zeropoint=cutout.zeropoint,
        fwhm=fwhm if fwhm and fwhm > 0 else np.nan, centre=centre, sma=sma,
        intensity=intensity, intensity_err=error,
        ellipticity=np.full(len(sma), ellipticity),
        theta=np.full(len(sma), cutout.from_sky_pa(pa)))


def _centre(tables, cutout):
    """
    Find the centre of the ellipses, and check it with that on the sky.
    """
    pixel = tables.number(_X), tables.number(_Y)
    sky = tables.number(['RA']), tables.number(['DEC'])
    on_sky = None
    if None not in sky and cutout.wcs is not None:
        on_sky = tuple(float(v) for v in cutout.wcs.world_to_pixel(
            SkyCoord(*sky, unit='deg')))
    if None in pixel:
        if on_sky is None:
            msg = ('there is no centre (BX and BY, or RA and DEC) in the row '
                   'of the galaxy, which has '
                   f'{", ".join(tables.galaxy) or "no columns"}')
            raise ValueError(msg)
        return on_sky
    if on_sky is not None:
        shift = np.hypot(*np.subtract(pixel, on_sky)) * cutout.pixel_scale
        if shift > _MAX_SHIFT:
            msg = (f'the centre in pixels is {shift:.0f} arcsec from that on '
                   'the sky: the image is not the mosaic of the profile')
            raise ValueError(msg)
    return pixel


def _rings(tables, band, pixel_scale):
    """
    Return semi-major axes in pixels, intensity and error per pixel.
    """
    sma, value = (tables.column(names, band) for names in (_SMA, _SB))
    error, ivar = (tables.column(names, band) for names in (_ERROR, _IVAR))
    if sma is None or value is None or (error is None and ivar is None):
        msg = (f'the profile in band {band} needs the columns SMA, '
               f'SB_{band.upper()} and SB_ERR_{band.upper()}; found '
               f'{", ".join(tables.profile)}')
        raise ValueError(msg)
    unit = tables.profile_units[value]
    if unit and 'nanomagg' not in unit and 'nmgy' not in unit:
        msg = f'the column {value} must be in nanomaggies, got {unit!r}'
        raise ValueError(msg)
    radius = tables.profile[sma].astype(float)
    unit = tables.profile_units[sma]
    if unit.startswith('arcsec') or (not unit and sma == 'SMA'):
        radius = radius / pixel_scale
    elif unit and not unit.startswith('pix'):
        msg = f'the column {sma} must be in arcsec or pixels, got {unit!r}'
        raise ValueError(msg)
    area = pixel_scale**2
    intensity = tables.profile[value] * area
    with np.errstate(divide='ignore', invalid='ignore'):
        sigma = area * (tables.profile[error] if error is not None
                        else 1 / np.sqrt(tables.profile[ivar]))
    # the atlas has zeros where it measured nothing
    bad = ~(np.isfinite(sigma) & (sigma > 0) & np.isfinite(intensity))
    keep = np.isfinite(radius) & (radius >= 0)
    return (radius[keep], np.where(bad, np.nan, intensity)[keep],
            np.where(bad, np.nan, sigma)[keep])
