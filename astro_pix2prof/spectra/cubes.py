# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cubes of spectra, which are read a few planes at a time.
"""

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import NDData
from astropy.wcs import WCS
from astropy.wcs.wcsapi import BaseHighLevelWCS, BaseLowLevelWCS
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS

from astro_pix2prof.addresses import is_address
from astro_pix2prof.image.astrometry import celestial_wcs
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.files import open_fits
from astro_pix2prof.image.planes import error_plane, mask_to_bool
from astro_pix2prof.image.units import is_surface_brightness, parse_unit
from astro_pix2prof.spectra.files import medium_of, read_cube_file

__all__ = ['Cube', 'Planes', 'open_cube']


# Pixels of a cube that are in memory at once: 32 MB in double precision.
_BLOCK = 2**22

# Cubes of so many planes or more may have blank ones, and so many of these are
# looked at for spaxels without data.
_LEAST_PLANES, _SAMPLED = 10, 25

# Units of the flux density of a spectrum.
_PER_WAVELENGTH = u.erg / u.s / u.cm**2 / u.AA

_PER_FREQUENCY = u.Jy


@dataclass
class Planes:
    """
    Record of a few planes of a cube.

    Attributes
    ----------
    part : slice
        Their numbers along the spectral axis.

    data : 2D `~numpy.ndarray`, shape (m, ny * nx)
        The values in the unit of the cube; 0 where they are not good.

    good : 2D bool `~numpy.ndarray`, shape (m, ny * nx)
        Values that count.

    variance : 2D `~numpy.ndarray`, shape (m, ny * nx), or `None`
        Their variances; 0 where they are not good.
    """

    part: slice
    data: np.ndarray
    good: np.ndarray
    variance: np.ndarray = None


@dataclass(repr=False)
class Cube:
    """
    Record of a cube of spectra whose values are not read yet.

    Attributes
    ----------
    data : object
        An array or section of a file with the shape (n, ny, nx).

    unit : `~astropy.units.UnitBase`
        The unit of the values, of a flux density in a spaxel or of one per
        solid angle.

    wave : `~astropy.units.Quantity`, shape (n,)
        The wavelengths of the planes.

    medium : {'air', 'vacuum', ''}
        In which the wavelengths are; empty if the cube does not say.

    error : `~astro_pix2prof.image.planes.ErrorPlane` or `None`
        The errors, as an array or section of the shape of ``data``.

    mask : object or `None`
        Integer or boolean array or section of the shape of ``data``.

    bad_bits : int or `None`
        The bits of ``mask`` that reject a value; by default, every bit.

    hidden : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        Spaxels that do not count at any wavelength.

    wcs : WCS object or `None`
        The celestial WCS.

    spectral_wcs : `~astropy.wcs.WCS` or `None`
        The WCS of the spectral axis.

    name : str or `None`
        The name of the object.

    edges : 1D `~numpy.ndarray`, shape (n + 1,)
        The edges of the planes, in the unit of ``wave``.
    """

    data: object
    unit: object
    wave: u.Quantity
    medium: str = ''
    error: object = None
    mask: object = None
    bad_bits: int = None
    hidden: np.ndarray = None
    wcs: object = None
    spectral_wcs: object = None
    name: str = None
    edges: np.ndarray = field(init=False)

    def __post_init__(self):
        n = self.data.shape[0]
        wave = self.wave.value
        if wave.shape != (n,) or n < 2 or not np.isfinite(wave).all() or not (
                np.all(np.diff(wave) > 0) or np.all(np.diff(wave) < 0)):
            msg = ('cube must have at least two wavelengths, finite and in '
                   f'order, one for each of its {n} planes, got '
                   f'{np.array2string(wave, threshold=4)}')
            raise ValueError(msg)
        middle = 0.5 * (wave[1:] + wave[:-1])
        self.edges = np.concatenate((
            [2 * wave[0] - middle[0]], middle, [2 * wave[-1] - middle[-1]]))

    @property
    def shape(self):
        """
        The shape (ny, nx) of a plane.
        """
        return tuple(self.data.shape[1:])

    def planes(self, first=0, last=None):
        """
        Read the cube a few planes at a time.

        Parameters
        ----------
        first, last : int, optional
            The first plane, and the one after the last.

        Yields
        ------
        planes : `Planes`
        """
        ny, nx = self.shape
        last = self.data.shape[0] if last is None else last
        step = max(_BLOCK // (ny * nx), 1)
        for start in range(first, last, step):
            yield self._read(slice(start, min(start + step, last)))

    @cached_property
    def _blank(self):
        """
        The spaxels without data, which hold nothing but zeros.

        They are looked for in some of the planes, and only where noise goes
        below zero: spaxels and planes of a model may be dark (`None`).
        """
        n = self.data.shape[0]
        if n < _LEAST_PLANES:
            return None
        empty = np.ones(self.shape, dtype=bool)
        zero, noisy = np.zeros(self.shape, dtype=bool), False
        for k in np.unique(np.linspace(0, n - 1, _SAMPLED).astype(int)):
            plane = np.asarray(self.data[k:k + 1])[0]
            noisy |= bool((plane < 0).any())
            zero |= plane == 0
            empty &= (plane == 0) | ~np.isfinite(plane)
        return empty & zero if noisy else None

    def _read(self, part):
        data = np.array(self.data[part], dtype=float)
        good = np.isfinite(data)
        if self._blank is not None:
            zero = data == 0
            void = (zero | ~good).all(axis=(1, 2)) & zero.any(axis=(1, 2))
            good &= ~(self._blank | void[:, None, None])
        if self.mask is not None:
            good &= ~mask_to_bool(np.asarray(self.mask[part]),
                                  bad_bits=self.bad_bits)
        if self.hidden is not None:
            good &= ~self.hidden
        variance = None
        if self.error is not None:
            sigma = replace(self.error, array=np.asarray(
                self.error.array[part])).sigma(self.unit)
            good &= np.isfinite(sigma)
            variance = np.where(good, sigma, 0.0)**2
            variance = variance.reshape(len(data), -1)
        data[~good] = 0.0
        return Planes(part, data.reshape(len(data), -1),
                      good.reshape(len(data), -1), variance)

    def frame(self):
        """
        Make an image on the spaxels of the cube that has only a geometry.

        Returns
        -------
        cutout : `~astro_pix2prof.GalaxyCutout`
        """
        # (equal pixels would be masked)
        values = np.arange(1.0, 1 + np.prod(self.shape)).reshape(self.shape)
        return GalaxyCutout(NDData(values, wcs=self.wcs), calibrated=False)

    def spaxel_area(self):
        """
        Calculate the solid angle of a spaxel.

        Returns
        -------
        area : `~astropy.units.Quantity`
            In arcsec2.

        Raises
        ------
        ValueError
            If the cube has no celestial WCS.
        """
        scale = self.frame().pixel_scale
        if scale is None:
            msg = ('cube must have a celestial WCS, for the size of its '
                   'spaxels: give a Spectrum with one, or correct the header')
            raise ValueError(msg)
        return scale**2 * u.arcsec**2

    def flux_unit(self):
        """
        Find the unit of the flux density in one spaxel.

        Returns
        -------
        unit : `~astropy.units.UnitBase`
            As ``unit``, times the solid angle if it is per solid angle.

        area : float
            The factor for values of the cube: the solid angle of a spaxel,
            or 1.
        """
        if not is_surface_brightness(self.unit):
            return self.unit, 1.0
        angle = next(base for base in self.unit.bases
                     if base.is_equivalent(u.rad) or base.is_equivalent(u.sr))
        solid = angle if angle.is_equivalent(u.sr) else angle**2
        return self.unit * solid, self.spaxel_area().to_value(solid)

    def is_per_frequency(self):
        """
        Tell the two kinds of flux densities apart.

        Returns
        -------
        result : bool
            `True` for a flux density per frequency, `False` for one per
            wavelength.

        Raises
        ------
        ValueError
            If the unit is neither.
        """
        unit = self.flux_unit()[0] if is_surface_brightness(
            self.unit) else self.unit
        for kind, result in ((_PER_WAVELENGTH, False),
                             (_PER_FREQUENCY, True)):
            if unit.is_equivalent(kind):
                return result
        msg = (f"cube must hold flux densities, got the unit '{self.unit}': "
               "give unit=, such as '1e-17 erg/s/cm2/Angstrom'")
        raise ValueError(msg)


@contextmanager
def open_cube(cube, *, hdu=None, unit=None, mask=None, bad_bits=None):
    """
    Open a cube of any kind; its file is closed at the end.

    Parameters
    ----------
    cube : `~specutils.Spectrum`, `~astropy.io.fits.HDUList` or path
        The cube.

    hdu : int, str or tuple, optional
        The extension of a file that holds the flux.

    unit : str or `~astropy.units.UnitBase`, optional
        The unit of the flux, in place of the cube's.

    mask : 2D array_like, shape (ny, nx), optional
        Not 0 for spaxels that do not count.

    bad_bits : int, optional
        The bits of an integer mask of the cube that reject a value.

    Yields
    ------
    cube : `Cube`

    Raises
    ------
    TypeError
        If the cube is of a kind that is not known.

    ValueError
        If the cube has no spectral axis or no spatial axes, or an option
        does not fit it.

    OSError
        If the file cannot be read.
    """
    options = {'unit': None if unit is None else parse_unit(unit),
               'bad_bits': bad_bits}
    if isinstance(cube, (str, os.PathLike)) or is_address(cube):
        with closing(open_fits(cube)) as hdulist:
            yield _completed(read_cube_file(hdulist, hdu, options['unit']),
                             mask, options)
    elif isinstance(cube, fits.HDUList):
        yield _completed(read_cube_file(cube, hdu, options['unit']), mask,
                         options)
    elif isinstance(cube, NDData) and hasattr(cube, 'spectral_axis'):
        if hdu is not None:
            msg = ('hdu chooses an extension of a file, but cube is a '
                   f'{type(cube).__name__}, got {hdu!r}')
            raise ValueError(msg)
        yield _completed(_read_spectrum(cube), mask, options)
    else:
        msg = ('cube must be a Spectrum of specutils, an HDUList or the path '
               f'of a FITS file, got {type(cube).__name__}')
        raise TypeError(msg)


def _completed(parts, mask, options):
    """
    Make a cube of the parts that were read and of the options.
    """
    given = {name: value for name, value in options.items()
             if value is not None}
    cube = Cube(**(parts | given))
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != cube.shape:
            msg = (f'mask must have the shape of a plane, {cube.shape}, got '
                   f'{mask.shape}')
            raise ValueError(msg)
        cube.hidden = mask_to_bool(mask)
    return cube


def _read_spectrum(spectrum):
    """
    Take a cube of specutils apart, wherever its spectral axis is.
    """
    data = spectrum.data
    if data.ndim != 3:
        msg = ('cube must have one spectral axis and two spatial ones, got '
               f'a Spectrum of the shape {data.shape}')
        raise ValueError(msg)
    axis = spectrum.spectral_axis_index % 3
    order = (axis, *(k for k in range(3) if k != axis))

    def turned(array, what=None):
        return np.transpose(array, order)

    wcs = spectrum.wcs
    low = wcs if isinstance(wcs, BaseLowLevelWCS) or not isinstance(
        wcs, BaseHighLevelWCS) else wcs.low_level_wcs
    spectral, medium = None, ''
    if isinstance(low, WCS):
        # (a new one does not know its axes before)
        low.wcs.set()
    if isinstance(low, WCS) and low.has_spectral:
        spectral = low.sub(['spectral'])
        medium = medium_of(spectral.wcs.ctype[0])
        sky = celestial_wcs(low)
    else:
        sky = _sliced(low, axis)
    wave = u.Quantity(spectrum.spectral_axis)
    if not wave.unit.is_equivalent(u.AA):
        try:
            wave = wave.to(u.AA, u.spectral())
        except u.UnitConversionError:
            msg = ('cube must have a spectral axis of wavelengths, '
                   f"frequencies or energies, got the unit '{wave.unit}'")
            raise ValueError(msg) from None
    error = error_plane(spectrum.uncertainty, turned)
    return {
        'data': turned(data), 'unit': parse_unit(_no_spaxel(spectrum.unit)),
        'wave': wave, 'medium': medium, 'error': error,
        'mask': None if spectrum.mask is None else turned(
            np.broadcast_to(np.asarray(spectrum.mask), data.shape)),
        'wcs': sky, 'spectral_wcs': spectral,
        'name': _object(spectrum.meta)}


def _object(meta):
    """
    Find the name of the object in a meta, or in a header that it holds.
    """
    meta = dict(meta or {})
    for part in (meta, meta.get('header') or {}):
        value = part.get('OBJECT')
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _no_spaxel(unit):
    """
    Leave out the spaxel from the unit of a value in one spaxel.
    """
    for base, power in zip(unit.bases, unit.powers, strict=True):
        if str(base) == 'spaxel' and power == -1:
            return unit * base
    return unit


def _sliced(wcs, axis):
    """
    Take the celestial part of a WCS that is none of FITS, if it has one.
    """
    if wcs is None or getattr(wcs, 'pixel_n_dim', 0) != 3:
        return None
    cut = [slice(None)] * 3
    cut[axis] = 0
    sliced = SlicedLowLevelWCS(wcs, cut)
    kinds = [kind or '' for kind in sliced.world_axis_physical_types]
    if not all(kind.startswith('pos.') for kind in kinds):
        return None
    return celestial_wcs(sliced)

