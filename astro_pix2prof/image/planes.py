# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The 2D planes of an image: pixel values, masks and errors.
"""

import math
import warnings
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.nddata import (
    InverseVariance,
    NDUncertainty,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.beside import warn_of_unread
from astro_pix2prof.image.blanks import find_blanks
from astro_pix2prof.image.precision import choose_precision
from astro_pix2prof.image.replaced import find_replaced
from astro_pix2prof.image.units import flux_hint

__all__ = ['ErrorPlane', 'ImageParts', 'array_plane', 'clean_planes',
           'cut_window', 'data_scale', 'error_plane', 'mask_to_bool']


# The power of sigma that each kind of uncertainty holds
_POWERS = ((StdDevUncertainty, 1), (VarianceUncertainty, 2),
           (InverseVariance, -2))

# Values whose squares float32 holds without loss
_SMALL, _LARGE = 1e-15, 1e15
# (fewer bright pixels than this are hot ones)
_FEW = 10
# So many pixels tell the order of magnitude of an image.
_N_TYPICAL = 2**17

# An image of whose pixels more than this part loses its light to an
# uncertainty that is none is told, and one with more negative ones than this.
_LOST, _NEGATIVE = 0.5, 0.02


@dataclass
class ErrorPlane:
    """
    An array of errors, variances or inverse variances.

    Parameters
    ----------
    array : `~numpy.ndarray`
        The values.

    power : {1, 2, -2}
        The power of sigma that the values are.

    unit : `~astropy.units.UnitBase` or `None`, optional
        The unit of the values, `None` if it follows from the image's.
    """

    array: np.ndarray
    power: int
    unit: u.UnitBase | None = None

    def sigma(self, *units):
        """
        Convert to standard deviations.

        Parameters
        ----------
        *units : `~astropy.units.UnitBase`
            The unit of the image; the first that goes with the unit of the
            values is taken.

        Returns
        -------
        sigma : `~numpy.ndarray`
            The standard deviations; not-a-number where the values are not
            positive.

        Raises
        ------
        ValueError
            If the unit of the values goes with none of ``units``.
        """
        values = np.asarray(self.array, dtype=float)
        if self.unit is not None:
            unit = next((unit for unit in units if self.unit.is_equivalent(
                unit**self.power)), None)
            if unit is None:
                msg = (f"the unit '{self.unit}' of the uncertainty does not "
                       f"go with the unit '{units[0]}' of the image "
                       f"(expected '{units[0]**self.power}')" + flux_hint(
                           'noise', self.unit, units[0]))
                raise ValueError(msg)
            values = values * self.unit.to(unit**self.power)
        with np.errstate(divide='ignore', invalid='ignore'):
            _warn_of_negative(values)
            return np.where(values > 0, values, np.nan)**(1 / self.power)


def _warn_of_negative(values):
    """
    Warn of errors of which many are negative, and not as one value.

    Some archives write -1 or another number where there are no data.
    """
    negative = values < 0
    part = np.count_nonzero(negative) / max(values.size, 1)
    if _NEGATIVE < part <= _LOST:
        found = values[negative]
        if found.min() < found.max():
            warnings.warn(
                f'the uncertainty is negative in {part:.0%} of the pixels, '
                'which are masked: is it an uncertainty?',
                AstropyUserWarning, stacklevel=4)


@dataclass
class ImageParts:
    """
    The parts of an image, before any of them is interpreted.

    Parameters
    ----------
    data : `~numpy.ndarray`
        The 2D pixel values.

    masks : list of 2D `~numpy.ndarray`, optional
        Boolean or integer masks.

    error : `ErrorPlane`, `~astropy.nddata.NDUncertainty` or `None`, optional
        The errors.

    unit : `~astropy.units.UnitBase` or `None`, optional
        The unit, `None` if the image has none.

    unit_from_header : bool, optional
        Whether the unit is only a header's text.

    wcs : WCS object, `BrokenWCSError` or `None`, optional
        The WCS, not checked, or why it cannot be read.

    header : dict, optional
        Header values by upper-case keyword.

    band : str or `None`, optional
        The name of the band.

    name : str or `None`, optional
        The name of the object or file.

    stem : str or `None`, optional
        The name of the file, without folder and ending.

    position : tuple of float or `None`, optional
        The (x, y) position for which the image was cut out.

    flagged : bool, optional
        Whether ``bad_bits`` was used for a mask of the file.

    select : function, optional
        Picks, from an array with the shape of the input, the 2D plane.

    extension : tuple of str and int, optional
        The name and version of the extension of the image.

    unread : dict, optional
        Files beside that of the image that may belong to it, by their kind.
    """

    data: np.ndarray
    masks: list = field(default_factory=list)
    error: ErrorPlane | NDUncertainty | None = None
    unit: u.UnitBase | None = None
    unit_from_header: bool = False
    wcs: object = None
    header: dict = field(default_factory=dict)
    band: str | None = None
    name: str | None = None
    stem: str | None = None
    position: tuple | None = None
    flagged: bool = False
    select: object = None
    extension: tuple | None = None
    unread: dict = field(default_factory=dict)

    def find_sigma(self, unit, *, uncertainty=None, noise=None, invvar=None):
        """
        Find the standard deviations of the pixels.

        Parameters
        ----------
        unit : `~astropy.units.UnitBase`
            The unit that was settled on.

        uncertainty, noise, invvar : optional
            As for `astro_pix2prof.GalaxyCutout`; they replace what the
            image brought.

        Returns
        -------
        sigma : 2D `~numpy.ndarray` or `None`
            The standard deviations in the unit of the image.

        Raises
        ------
        ValueError
            If more than one is given.
        """
        given = {'uncertainty': uncertainty, 'noise': noise,
                 'invvar': invvar}
        names = [key for key, value in given.items() if value is not None]
        if len(names) > 1:
            msg = (f'{" and ".join(names)} were given, but they mean the '
                   'same: give one of them')
            raise ValueError(msg)
        own = self.unit if isinstance(self.unit, u.UnitBase) else unit
        warn_of_unread(self.unread, 'error', names or self.error is not None)
        if not names:
            error = self.error
            if not isinstance(error, ErrorPlane):
                error = error_plane(error, self.select)
            return None if error is None else error.sigma(own, unit)
        if uncertainty is not None:
            error = error_plane(uncertainty, self.select)
        elif noise is not None:
            error = array_plane(noise, 1, self.select, 'noise')
        else:
            error = array_plane(invvar, -2, self.select, 'invvar')
        return None if error is None else error.sigma(unit, own)

    def find_mask(self, mask=None, *, bad_bits=None):
        """
        Combine all masks.

        Parameters
        ----------
        mask : array_like, optional
            One more mask.

        bad_bits : int, optional
            The bits of integer masks that reject a pixel.

        Returns
        -------
        mask : 2D `~numpy.ndarray` of bool
            `True` for pixels not to use.

        Raises
        ------
        TypeError
            If a mask holds neither booleans nor whole numbers.

        ValueError
            If ``bad_bits`` is given and no mask has bits.
        """
        masks = list(self.masks)
        warn_of_unread(self.unread, 'mask', mask is not None or self.flagged)
        if isinstance(mask, u.Quantity):
            msg = ('mask must hold booleans or integer bit flags, got a '
                   f"Quantity in '{mask.unit}'")
            raise TypeError(msg)
        if isinstance(mask, np.ma.MaskedArray):
            masks.append(self.select(np.ma.getmaskarray(mask)))
            mask = mask.data
        if mask is not None:
            masks.append(self.select(mask))
        flags = any(np.asarray(item).dtype.kind != 'b' for item in masks)
        if bad_bits is not None and not flags and not self.flagged:
            msg = ('bad_bits selects bits of an integer mask, but the image '
                   'has none: give mask=')
            raise ValueError(msg)
        total = np.zeros(self.data.shape, dtype=bool)
        for item in masks:
            total |= mask_to_bool(item, bad_bits=bad_bits)
        return total


def data_scale(data, mask):
    """
    Find the power of ten by which very small or large values are divided.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values.

    mask : 2D `~numpy.ndarray` of bool
        `True` for pixels not to use.

    Returns
    -------
    scale : float
        The power of ten of the median of what is not zero, 1 if it lies
        between 1e-15 and 1e15: single precision is good enough for those.
    """
    # (of large images, a part of the pixels; the step is odd, so that they
    # do not lie in one column)
    step = (data.size // _N_TYPICAL) | 1
    # (half precision holds no limits)
    part = np.ravel(data)[::step].astype(float)
    good = ~np.ravel(mask)[::step]
    with np.errstate(invalid='ignore'):
        size = np.abs(part, dtype=float)
        # (the median lies where most values do)
        usual = (size >= 10 * _SMALL) & (size <= 0.1 * _LARGE) & good
    if 2 * np.count_nonzero(usual) > np.count_nonzero(good):
        return 1.0
    size = size[good]
    size = size[np.isfinite(size) & (size > 0)]
    if size.size == 0:
        return 1.0
    # (of models, most pixels can be smaller than any digit of the brightest)
    bright = np.abs(data[~mask])
    bright = bright[np.isfinite(bright)]
    few = min(_FEW, len(bright))
    bright = np.partition(bright, -few)[-few:]
    typical = max(float(np.median(size)), 1e3 * float(bright[0]) / _LARGE)
    if _SMALL <= typical <= _LARGE:
        return 1.0
    return float(f'1e{math.floor(math.log10(typical))}')


def clean_planes(data, mask, sigma=None, *, background=None, scale=1.0,
                 position=None):
    """
    Mask what holds no data and give masked pixels harmless values.

    No data have pixels that are not finite, areas filled with a constant
    (see `~astro_pix2prof.image.blanks.find_blanks`), pixels that were
    replaced by others, and pixels without a positive finite error, as those
    of zero weight.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values.

    mask : 2D `~numpy.ndarray` of bool
        `True` for pixels not to use.

    sigma : 2D `~numpy.ndarray`, optional
        The standard deviations; pixels where they are not positive and
        finite are masked.

    background : float or 2D `~numpy.ndarray`, optional
        The sky that is subtracted; pixels where it is not finite are masked.

    scale : float, optional
        The factor by which all is divided.

    position : tuple of 2 floats, optional
        The position (x, y) of the galaxy, near which pixels that were
        replaced by others are looked for: see
        `~astro_pix2prof.image.replaced.find_replaced`.

    Returns
    -------
    data : 2D `~numpy.ndarray`
        A copy in native byte order, 0 where masked: in float32, or as
        `~astro_pix2prof.image.precision.choose_precision` says.

    mask : 2D `~numpy.ndarray` of bool
        The mask, with all that had to be added.

    noise : 2D `~numpy.ndarray` or `None`
        ``sigma`` in float32, the median where masked.

    Raises
    ------
    ValueError
        If ``sigma`` is nowhere positive and finite.
    """
    noise = None
    with np.errstate(over='ignore', invalid='ignore'):
        if background is not None:
            data = np.asarray(data, dtype=float) - background
        if scale != 1:
            data = np.asarray(data, dtype=float) / scale
            sigma = None if sigma is None else sigma / scale
        data, near_zero = choose_precision(data, mask)
        if sigma is not None:
            noise = np.array(sigma, dtype=np.float32)
    mask = mask | ~np.isfinite(data)
    mask |= find_blanks(near_zero, mask)
    if position is not None:
        replaced = find_replaced(near_zero, mask, position)
        if replaced is not None:
            mask |= replaced
    if noise is not None:
        bad = ~(np.isfinite(noise) & (noise > 0))
        if np.all(bad):
            msg = ('the uncertainty of the image is nowhere positive and '
                   'finite')
            raise ValueError(msg)
        lost = np.count_nonzero(bad & ~mask) / bad.size
        if lost > _LOST:
            warnings.warn(
                f'the uncertainty is 0, negative or not finite in {lost:.0%} '
                'of the pixels, which are masked: is it an uncertainty?',
                AstropyUserWarning, stacklevel=4)
        mask |= bad
        good = noise[~mask]
        noise[mask] = np.median(good) if good.size else 0
    data[mask] = 0
    return data, mask, noise


def cut_window(array, origin, shape, fill):
    """
    Cut a window out of a plane, which may reach beyond it.

    Parameters
    ----------
    array : 2D `~numpy.ndarray`
        The plane.

    origin : tuple of int
        The (x, y) pixel that becomes (0, 0).

    shape : tuple of int
        The shape (ny, nx) of the window.

    fill : float
        The value beyond the edge.

    Returns
    -------
    window : 2D `~numpy.ndarray`
        A copy.
    """
    new = np.full(shape, fill, dtype=array.dtype)
    inside, target = [], []
    for first, size, full in zip(origin[::-1], shape, array.shape,
                                 strict=True):
        start, stop = max(first, 0), max(min(first + size, full), 0)
        inside.append(slice(start, max(stop, start)))
        target.append(slice(start - first, max(stop, start) - first))
    new[tuple(target)] = array[tuple(inside)]
    return new


def mask_to_bool(mask, *, bad_bits=None, name='mask'):
    """
    Turn a boolean or integer mask into a boolean one.

    Parameters
    ----------
    mask : array_like
        The mask. Integer values are bit masks; not-a-number and infinity
        reject a pixel.

    bad_bits : int, optional
        The bits of integer masks that reject a pixel; all if `None`.

    name : str, optional
        The name of the mask in messages.

    Returns
    -------
    mask : `~numpy.ndarray` of bool
        `True` for pixels to reject.

    Raises
    ------
    TypeError
        If the mask holds neither booleans nor whole numbers.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If values are not finite.
    """
    mask = np.asarray(mask)
    if mask.dtype.kind == 'b':
        return mask
    if mask.dtype.kind == 'f':
        missing = ~np.isfinite(mask)
        n_missing = np.count_nonzero(missing)
        # (what holds nothing else is no mask)
        if 0 < n_missing < mask.size:
            rest = mask_to_bool(np.where(missing, 0, mask), name=name,
                                bad_bits=bad_bits)
            warnings.warn(
                f'{name} is not-a-number or infinite in {n_missing} of '
                f'{mask.size} pixels, which are masked',
                AstropyUserWarning, stacklevel=3)
            return rest | missing
    if (mask.dtype.kind == 'f' and np.all(mask == np.round(mask))
            and np.all(np.abs(mask) < 2.0**63)):
        mask = mask.astype(np.int64)
    if mask.dtype.kind not in 'iu':
        msg = (f'{name} must hold booleans or integer bit flags, got '
               f'{_kind_of(mask)}: 0 means that a pixel is good')
        if mask.dtype.kind == 'f':
            msg += ('; give whole numbers, such as mask > 0 for what was '
                    'resampled')
        raise TypeError(msg)
    if bad_bits is None:
        return mask != 0
    # (as unsigned numbers, of which bit 63 is one more bit)
    return (mask.astype(np.uint64) & np.uint64(bad_bits)) != 0


def _kind_of(mask):
    """
    Describe the values of an array that is no mask.
    """
    values = mask[np.isfinite(mask)] if mask.dtype.kind == 'f' else mask
    name = mask.dtype.name
    if mask.dtype.kind == 'U' and mask.size:
        return (f'the text {str(mask.flat[0])!r} (of a file, give what '
                'astropy.io.fits.getdata reads)')
    if mask.dtype.kind != 'f' or not values.size:
        return name
    return f'{name} from {values.min():.4g} to {values.max():.4g}'


def error_plane(uncertainty, select):
    """
    Read the uncertainty of an image.

    Parameters
    ----------
    uncertainty : `~astropy.nddata.NDUncertainty`, array_like, `~astropy.\
units.Quantity` or `None`
        The uncertainty; arrays are standard deviations.

    select : function
        Picks the 2D plane.

    Returns
    -------
    error : `ErrorPlane` or `None`
        The errors.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the uncertainty is of a kind that says nothing about errors.
    """
    if uncertainty is None:
        return None
    if not isinstance(uncertainty, NDUncertainty):
        return array_plane(uncertainty, 1, select, 'uncertainty')
    for kind, power in _POWERS:
        if isinstance(uncertainty, kind):
            if uncertainty.array is None:
                return None
            unit = uncertainty.unit
            # (the unit of an uncertainty follows its parent's)
            return ErrorPlane(select(uncertainty.array, 'uncertainty'),
                              power, None if unit is None else u.Unit(unit))
    hint = ('an UnknownUncertainty' if isinstance(uncertainty,
                                                  UnknownUncertainty)
            else f'of type {type(uncertainty).__name__}')
    warnings.warn(f'the uncertainty of the image is {hint} and is ignored: '
                  'use StdDevUncertainty, VarianceUncertainty or '
                  'InverseVariance, or give noise=',
                  AstropyUserWarning, stacklevel=2)
    return None


def array_plane(values, power, select, what):
    """
    Read an array of errors.

    Parameters
    ----------
    values : array_like or `~astropy.units.Quantity`
        The values.

    power : {1, 2, -2}
        The power of sigma that the values are.

    select : function
        Picks the 2D plane.

    what : str
        The name of the argument.

    Returns
    -------
    error : `ErrorPlane`
        The errors.
    """
    unit = None
    if isinstance(values, u.Quantity):
        values, unit = values.value, values.unit
    if isinstance(values, np.ma.MaskedArray):
        values = values.astype(float).filled(np.nan)
    values = np.asarray(values)
    if values.dtype.kind not in 'iuf':
        msg = f'{what} must hold real numbers, got {values.dtype}'
        raise TypeError(msg)
    return ErrorPlane(select(values, what), power, unit)
