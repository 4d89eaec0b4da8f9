# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The 2D planes of an image: pixel values, masks and errors.
"""

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

from astro_pix2prof.image.blanks import find_blanks

__all__ = ['ErrorPlane', 'ImageParts', 'array_plane', 'clean_planes',
           'error_plane', 'mask_to_bool']


# The power of sigma that each kind of uncertainty holds
_POWERS = ((StdDevUncertainty, 1), (VarianceUncertainty, 2),
           (InverseVariance, -2))


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
        if self.unit not in (None, u.dimensionless_unscaled):
            for unit in units:
                if self.unit.is_equivalent(unit**self.power):
                    values = values * self.unit.to(unit**self.power)
                    break
            else:
                msg = (f"the unit '{self.unit}' of the uncertainty does not "
                       f"go with the unit '{units[0]}' of the image "
                       f"(expected '{units[0]**self.power}')")
                raise ValueError(msg)
        with np.errstate(divide='ignore', invalid='ignore'):
            values = np.where(values > 0, values, np.nan)
            return values**(1 / self.power)


@dataclass
class ImageParts:
    """
    What an image brought, before any of it is interpreted.

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

    wcs : WCS object or `None`, optional
        The WCS, not checked.

    header : dict, optional
        Header values by upper-case keyword.

    band : str or `None`, optional
        The name of the band.

    name : str or `None`, optional
        The name of the object or file.

    position : tuple of float or `None`, optional
        The (x, y) position for which the image was cut out.

    flagged : bool, optional
        Whether ``bad_bits`` was used for a mask of the file.

    select : function, optional
        Picks, from an array with the shape of the input, the 2D plane.
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
    position: tuple | None = None
    flagged: bool = False
    select: object = None

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
        ValueError
            If ``bad_bits`` is given and no mask has bits.
        """
        masks = list(self.masks)
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


def clean_planes(data, mask, sigma=None):
    """
    Mask what holds no data and give masked pixels harmless values.

    No data have pixels that are not finite, areas filled with a constant
    (see `~astro_pix2prof.image.blanks.find_blanks`), and pixels without a
    positive finite error, as those of zero weight.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The pixel values.

    mask : 2D `~numpy.ndarray` of bool
        `True` for pixels not to use.

    sigma : 2D `~numpy.ndarray`, optional
        The standard deviations; pixels where they are not positive and
        finite are masked.

    Returns
    -------
    data : 2D `~numpy.ndarray`
        A copy in float32 and native byte order, 0 where masked.

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
        # values beyond float32 become infinite and are masked
        data = np.array(data, dtype=np.float32, order='C')
        if sigma is not None:
            noise = np.array(sigma, dtype=np.float32)
    mask = mask | ~np.isfinite(data)
    mask |= find_blanks(data, mask)
    if noise is not None:
        bad = ~(np.isfinite(noise) & (noise > 0))
        if np.all(bad):
            msg = ('the uncertainty of the image is nowhere positive and '
                   'finite')
            raise ValueError(msg)
        mask |= bad
        good = noise[~mask]
        noise[mask] = np.median(good) if good.size else 0
    data[mask] = 0
    return data, mask, noise


def mask_to_bool(mask, *, bad_bits=None):
    """
    Turn a boolean or integer mask into a boolean one.

    Parameters
    ----------
    mask : array_like
        The mask. Integer values are bit masks.

    bad_bits : int, optional
        The bits of integer masks that reject a pixel; all if `None`.

    Returns
    -------
    mask : `~numpy.ndarray` of bool
        `True` for pixels to reject.

    Raises
    ------
    TypeError
        If the mask holds neither booleans nor whole numbers.
    """
    mask = np.asarray(mask)
    if mask.dtype.kind == 'b':
        return mask
    if mask.dtype.kind == 'f' and np.all(mask == np.round(mask)):
        mask = mask.astype(np.int64)
    if mask.dtype.kind not in 'iu':
        msg = ('mask must hold booleans or integer bit flags, got '
               f'{mask.dtype}')
        raise TypeError(msg)
    if bad_bits is None:
        return mask != 0
    return (mask.astype(np.int64) & bad_bits) != 0


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
