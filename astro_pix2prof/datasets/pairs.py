# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pairs of a galaxy image and its measured profile, to train networks with.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.precision import choose_precision
from astro_pix2prof.profile.flags import RingFlag
from astro_pix2prof.profile.io import read_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astro_pix2prof.typing import PathLike

__all__ = ['BAD_FILE', 'ImageProfilePair', 'collect_pairs', 'read_pairs',
           'sky_noise']


#: Exceptions of files that cannot be used as a pair.
BAD_FILE = (OSError, ValueError, TypeError, LookupError, ArithmeticError,
            fits.VerifyError)

_IMAGES = ('.fits', '.fit', '.fits.gz', '.fits.fz')

_INDICES = ('pairs.ecsv', 'pairs.csv')


@dataclass(kw_only=True, eq=False)
class ImageProfilePair:
    """
    The image of a galaxy in one band, and its profile in the same units.

    Parameters
    ----------
    name : str
        The name of the pair.

    group : str
        What must stay in one part of a split: the galaxy in all its bands.

    band : str
        The band, empty if not known.

    data : 2D array_like
        The image; it becomes float32 in the byte order of the machine,
        with 0 where it is masked.

    sigma : float
        The noise of a pixel of sky, in data units.

    pixel_scale : float
        arcsec.

    zeropoint : float
        AB magnitude of 1 data unit in one pixel.

    centre : tuple of 2 floats
        The centre (x, y) in pixels, 0 for the middle of the first one.

    sma : 1D array_like, shape (n,)
        Semi-major axes in pixels, increasing.

    intensity : 1D array_like, shape (n,)
        Data units per pixel above the sky; NaN where not measured.

    ellipticity, theta : 1D array_like, shape (n,)
        Ellipticity, and angle of the major axis in degrees,
        counter-clockwise from +x.

    intensity_err : 1D array_like, shape (n,), optional
        The error of the intensity; 0 for an exact profile, by default
        NaN.

    mask : 2D array_like of bool, optional
        `True` for bad pixels. Pixels that are not finite are added.

    fwhm : float, optional
        Full width at half maximum of the point-spread function in arcsec,
        NaN if not known.

    sky : float, optional
        The level of the sky in the image above which the profile was
        measured, in data units; 0 if it was subtracted or is not known.

    Raises
    ------
    ValueError
        If the shapes do not match, a number that must be finite is not, or
        there is no profile.
    """

    name: str
    group: str
    band: str
    data: np.ndarray
    sigma: float
    pixel_scale: float
    zeropoint: float
    centre: tuple
    sma: np.ndarray
    intensity: np.ndarray
    ellipticity: np.ndarray
    theta: np.ndarray
    intensity_err: np.ndarray | None = None
    mask: np.ndarray | None = None
    fwhm: float = np.nan
    sky: float = 0.0

    def __post_init__(self):
        data = np.asarray(self.data)
        if data.ndim != 2:
            msg = f'data must be a 2D image, got the shape {data.shape}'
            raise ValueError(msg)
        bad = ~np.isfinite(data)
        if self.mask is not None:
            if np.shape(self.mask) != data.shape:
                msg = (f'mask must have the shape of data, {data.shape}, got '
                       f'{np.shape(self.mask)}')
                raise ValueError(msg)
            bad |= np.asarray(self.mask, dtype=bool)
        if np.all(bad):
            msg = 'data must have a usable pixel, but all are masked'
            raise ValueError(msg)
        precise, data = choose_precision(data, bad)
        if precise is not data:
            # (single precision would round the noise on so large a level)
            self.sky -= float(np.median((precise - data)[~bad]))
        data[bad] = 0
        self.data, self.mask = data, bad

        for key in ('sigma', 'pixel_scale', 'zeropoint', 'fwhm', 'sky'):
            setattr(self, key, float(getattr(self, key)))
        for key in ('sigma', 'pixel_scale'):
            value = getattr(self, key)
            if not (np.isfinite(value) and value > 0):
                msg = f'{key} must be positive, got {value}'
                raise ValueError(msg)
        for key in ('zeropoint', 'sky'):
            if not np.isfinite(getattr(self, key)):
                msg = f'{key} must be finite, got {getattr(self, key)}'
                raise ValueError(msg)
        x, y = (float(v) for v in self.centre)
        ny, nx = data.shape
        if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
            msg = (f'centre must be in the image of {nx} x {ny} pixels, got '
                   f'({x:.1f}, {y:.1f})')
            raise ValueError(msg)
        self.centre = (x, y)
        self._check_rings()

    def _check_rings(self):
        if self.intensity_err is None:
            self.intensity_err = np.full(np.shape(self.sma), np.nan)
        for key in ('sma', 'intensity', 'intensity_err', 'ellipticity',
                    'theta'):
            values = np.array(getattr(self, key), dtype=float)
            if values.ndim != 1 or values.shape != np.shape(self.sma):
                msg = (f'{key} must be 1D with the length of sma, got the '
                       f'shape {values.shape}')
                raise ValueError(msg)
            setattr(self, key, values)
        if not (np.all(np.isfinite(self.sma)) and np.all(self.sma >= 0)
                and np.all(np.diff(self.sma) > 0)):
            msg = ('sma must be finite, increasing semi-major axes from 0 '
                   f'on, got {np.array2string(self.sma, threshold=6)}')
            raise ValueError(msg)
        n_good = np.count_nonzero(np.isfinite(self.intensity))
        if n_good < 2:
            msg = ('intensity must be measured at two radii at least, got '
                   f'{n_good}')
            raise ValueError(msg)
        eps = self.ellipticity
        if np.any((eps < 0) | (eps >= 1)):
            msg = ('ellipticity must be at least 0 and less than 1, got '
                   f'{np.nanmin(eps)} to {np.nanmax(eps)}')
            raise ValueError(msg)
        self.theta = np.mod(self.theta, 180.0)


def collect_pairs(jobs, *, strict=False):
    """
    Make pairs one after the other, and leave out those that cannot be made.

    Parameters
    ----------
    jobs : iterable of tuple
        The name of a file and a function without arguments that returns an
        `ImageProfilePair`.

    strict : bool, optional
        Whether to raise for a pair that cannot be made.

    Yields
    ------
    pair : `ImageProfilePair`

    Raises
    ------
    ValueError
        If a pair cannot be made and ``strict`` is `True`.
    """
    for file, make in jobs:
        try:
            pair = make()
        except BAD_FILE as error:
            msg = f'{file}: {error}'
            if strict:
                raise ValueError(msg) from error
            warnings.warn(f'{msg} (left out)', AstropyUserWarning,
                          stacklevel=2)
        else:
            yield pair


def sky_noise(cutout):
    """
    Measure the noise of a pixel of sky, in data units.

    Parameters
    ----------
    cutout : `GalaxyCutout`
        The image.

    Returns
    -------
    sigma : float
        The median of the image's own uncertainty or, if it has none, what
        is measured between the sources.
    """
    if cutout.noise is not None:
        return float(np.median(cutout.noise[~cutout.mask]))
    return cutout.background_noise


def read_pairs(folder: PathLike, *,
               strict: bool = False) -> Iterator[ImageProfilePair]:
    """
    Read the images and profiles of a folder.

    The folder holds ``NAME.fits`` beside ``NAME.ecsv``, with ``NAME`` like
    ``galaxy_band``; or a table ``pairs.ecsv`` or ``pairs.csv`` that names
    the files in its columns ``image``, ``profile``, ``galaxy`` and
    ``band``, and may have ``zeropoint`` (AB), ``pixel_scale`` and ``fwhm``
    (arcsec); or files with the image and its exact profile in an extension
    ``TRUTH``.

    Parameters
    ----------
    folder : str or `~pathlib.Path`
        The folder.

    strict : bool, optional
        Whether to raise for a pair that cannot be read, rather than to
        warn and to leave it out.

    Returns
    -------
    pairs : iterator of `ImageProfilePair`
        The pairs, read one at a time, in the order of the index or of
        their names.

    Raises
    ------
    ValueError
        If there is no such folder, it holds nothing of the kind, the index
        lacks a column or, with ``strict``, a pair cannot be read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        For each pair that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        msg = f'folder must be an existing folder, got {str(folder)!r}'
        raise ValueError(msg)
    for name in _INDICES:
        if (folder / name).exists():
            return collect_pairs(_indexed(folder / name), strict=strict)
    jobs = _listed(folder)
    if not jobs:
        msg = (f'{folder} must hold FITS images, or one of '
               f'{", ".join(_INDICES)}')
        raise ValueError(msg)
    return collect_pairs(jobs, strict=strict)


def _indexed(path):
    table = Table.read(path, format='ascii.ecsv' if path.suffix == '.ecsv'
                       else 'ascii.csv')
    missing = [key for key in ('image', 'profile', 'galaxy', 'band')
               if key not in table.colnames]
    if missing:
        msg = (f'{path} must have a column {", ".join(missing)}, it has '
               f'{", ".join(table.colnames)}')
        raise ValueError(msg)
    jobs = []
    for row in table:
        value = {key: row[key] for key in table.colnames
                 if not np.ma.is_masked(row[key])}
        options = {key: float(value[key])
                   for key in ('zeropoint', 'pixel_scale', 'fwhm')
                   if key in value and np.isfinite(value[key])}
        galaxy, band = str(value.get('galaxy', '')), str(value.get('band',
                                                                   ''))
        image, profile = (path.parent / str(value.get(key, ''))
                          for key in ('image', 'profile'))
        jobs.append((image, partial(
            _read_files, image, profile, name=f'{galaxy}_{band}',
            group=galaxy, band=band, **options)))
    return jobs


def _listed(folder):
    jobs, stems = [], set()
    for path in sorted(folder.iterdir()):
        if not path.name.lower().endswith(_IMAGES):
            continue
        stem = path.name[:path.name.lower().rindex('.fit')]
        stems.add(stem)
        galaxy, _, band = stem.rpartition('_')
        # galaxy_0001 is a galaxy with a number, not one in band 0001
        if not galaxy or not band[:1].isalpha():
            galaxy, band = stem, ''
        jobs.append((path, partial(
            _read_files, path, folder / f'{stem}.ecsv', name=stem,
            group=galaxy, band=band)))
    jobs += [(path, partial(_no_image, path))
             for path in sorted(folder.glob('*.ecsv'))
             if path.name.removesuffix('.ecsv') not in stems]
    return jobs


def _no_image(path):
    msg = f'there is no image {path.stem}.fits beside the profile'
    raise FileNotFoundError(msg)


def _read_files(image, profile, *, name, group, band, zeropoint=None,
                pixel_scale=None, fwhm=None):
    if not image.is_file():
        msg = 'there is no such image'
        raise FileNotFoundError(msg)
    if not profile.is_file():
        with fits.open(image, memmap=False) as hdus:
            if 'TRUTH' in hdus:
                return _read_truth(hdus, name=name, group=group, band=band)
        msg = f'there is no profile {profile}'
        raise FileNotFoundError(msg)
    options = {'band': band or None, 'pixel_scale': pixel_scale}
    if zeropoint is not None:
        options.update(zeropoint=zeropoint, mag_system='AB')
    cutout = GalaxyCutout(image, **options)
    table = read_profile(profile)
    centre = _centre(cutout, table.meta)
    # the pixel scale and the direction of north at the galaxy
    cutout = GalaxyCutout.from_any(cutout, position=centre)
    if fwhm is None:
        fwhm = table.meta.get('psf_fwhm', np.nan)
    return ImageProfilePair(
        name=name, group=group, band=band or cutout.band or '',
        data=cutout.data, mask=cutout.mask, sigma=sky_noise(cutout),
        pixel_scale=cutout.pixel_scale, zeropoint=_ab_zeropoint(cutout),
        fwhm=fwhm, centre=centre, **_rings(cutout, table))


def _read_truth(hdus, *, name, group, band):
    """
    Read a rendered galaxy of ``benchmarks/render/galaxies.py``.
    """
    header, truth = hdus[0].header, hdus['TRUTH'].data
    cutout = GalaxyCutout(hdus, hdu=0)
    sma = np.array(truth['sma'], dtype=float)
    return ImageProfilePair(
        name=name, group=group, band=band or cutout.band or '',
        data=cutout.data, mask=cutout.mask,
        sigma=header.get('SKYNOISE') or sky_noise(cutout),
        pixel_scale=cutout.pixel_scale, zeropoint=_ab_zeropoint(cutout),
        fwhm=header.get('FWHM', np.nan),
        centre=(header.get('XTRUE', cutout.position[0]),
                header.get('YTRUE', cutout.position[1])),
        sma=sma, intensity=truth['intensity'],
        intensity_err=np.zeros(len(sma)), ellipticity=truth['ellipticity'],
        theta=truth['theta'])


def _ab_zeropoint(cutout):
    if cutout.mag_system != 'AB':
        msg = (f'the zero point is in the {cutout.mag_system} system: give '
               'that in AB in the column zeropoint of pairs.ecsv')
        raise ValueError(msg)
    return cutout.zeropoint


def _centre(cutout, meta):
    """
    Find the centre of the profile in pixels of the image.
    """
    if cutout.wcs is not None and 'ra' in meta and 'dec' in meta:
        x, y = cutout.wcs.world_to_pixel(
            SkyCoord(meta['ra'], meta['dec'], unit='deg'))
        return float(x), float(y)
    if 'x_centre' in meta and 'y_centre' in meta:
        return meta['x_centre'], meta['y_centre']
    return cutout.position


def _rings(cutout, table):
    """
    Convert a profile table to pixels and data units of an image.
    """
    meta, radius = table.meta, u.Quantity(table['radius'])
    if radius.unit == u.pix:
        sma = radius.value
    else:
        sma = radius.to_value(u.arcsec) / cutout.pixel_scale
    factor = _to_data_units(cutout, table)
    value, error = (np.array(getattr(table[key], 'value', table[key]),
                             dtype=float) * factor
                    for key in ('intensity', 'intensity_err'))
    # only what was measured from pixels
    value[(table['flag'] & RingFlag.EXTRAPOLATED) != 0] = np.nan
    pa = u.Quantity(table['pa']).to_value(u.deg)
    frame = meta.get('pa_frame', 'pixel' if cutout.wcs is None else 'sky')
    if frame == 'sky':
        if cutout.wcs is None:
            msg = ('the position angles of the profile are on the sky, but '
                   'the image has no WCS')
            raise ValueError(msg)
        pa = cutout.from_sky_pa(pa)
    sky = 0.0
    if (meta.get('unit', '') == cutout.unit.to_string()
            and np.isclose(meta.get('pixel_scale', 0), cutout.pixel_scale)):
        sky = meta.get('sky', 0.0)
    return {'sma': sma, 'intensity': value, 'intensity_err': error,
            'ellipticity': np.array(table['ellipticity'], dtype=float),
            'theta': pa, 'sky': sky}


def _to_data_units(cutout, table):
    zero = table.meta.get('sb_zeropoint', np.nan)
    system = table.meta.get('mag_system', 'AB')
    unit = getattr(table['intensity'], 'unit', None)
    if np.isfinite(zero) and system == 'AB':
        factor = 10**(0.4 * (cutout.sb_zeropoint - zero))
    elif unit is not None and unit.is_equivalent(cutout.intensity_unit):
        factor = unit.to(cutout.intensity_unit)
    else:
        msg = (f'the intensity of the profile, in {unit}, has no AB zero '
               f'point and is not in the unit {cutout.intensity_unit} of the '
               'image')
        raise ValueError(msg)
    return factor / cutout.intensity_scale
