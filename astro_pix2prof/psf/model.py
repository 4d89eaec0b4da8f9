# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Point-spread functions of any kind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.convolution import Kernel2D
from astropy.io import fits
from astropy.modeling import Model
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.arguments import (
    check_number,
    check_positive,
    read_text_quantity,
)
from astro_pix2prof.image.companions import split_extension
from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.psf.sampled import sample_array, sample_function
from astro_pix2prof.wording import shown

if TYPE_CHECKING:
    from typing import Any

    from astropy.units import Quantity

    from astro_pix2prof.typing import PSFLike

__all__ = ['PSF']


# Beyond so many full widths at half maximum a function counts as zero: a
# Gaussian, and others.
_GAUSSIAN, _REACH = 2.5, 15.0

# Parameters that hold the centre of a model, and its sampling, in pixels.
_CENTRES = (('x_0', 'y_0'), ('x_mean', 'y_mean'))


class PSF:
    """
    A point-spread function (PSF), in any of the forms that are in use.

    It is that of the image: with the pixels, as a star shows it (the
    effective PSF of photutils). It is normalised and centred; only its part
    that is symmetric about the centre is used.

    Parameters
    ----------
    psf : float, array, path, HDU, model or `PSF`
        The full width at half maximum in arcsec, or a
        `~astropy.units.Quantity` (arcsec or pixels; also a text such as
        '1.2 arcsec'), of a Gaussian, or, with
        ``beta``, of a Moffat function; a two-dimensional array; a FITS file
        (its extension as in 'psf.fits[2]'), an HDU; a two-dimensional model
        of `astropy.modeling` or `photutils.psf` in pixels of the image, such
        as `~photutils.psf.ImagePSF`, or a kernel of `astropy.convolution`.

    pixel_scale : float or `~astropy.units.Quantity`, optional
        The distance of two samples of an array in arcsec. By default, that
        of the WCS of a FITS file, or the pixel scale of the image divided by
        ``oversampling``.

    oversampling : float, optional
        Samples of an array in one pixel of the image. By default 1, or that
        of the model.

    beta : float, optional
        The exponent of a Moffat function, above 1.

    Attributes
    ----------
    kind : str
        'gaussian', 'moffat', 'array' or 'model'.

    Raises
    ------
    TypeError
        If ``psf`` is of another kind.

    ValueError
        If it is not normalisable, has its peak far from the middle, is not
        finite or not two-dimensional, or if options contradict each other.

    OSError
        If a file cannot be read.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If an array is not zero at its border, has much negative flux, or is
        undersampled.

    Examples
    --------
    >>> from astro_pix2prof import PSF
    >>> PSF(1.2)
    <PSF: gaussian, FWHM 1.2 arcsec>
    >>> PSF(1.2, beta=3.0)
    <PSF: moffat, FWHM 1.2 arcsec>
    """

    def __init__(self, psf: PSFLike, *,
                 pixel_scale: float | Quantity | None = None,
                 oversampling: float | None = None,
                 beta: float | None = None) -> None:
        self.beta = check_number(beta, 'beta', above=1, optional=True)
        # (an extent per pixel is one per pixel)
        own = check_positive(pixel_scale, 'pixel_scale',
                             unit=(u.arcsec, u.arcsec / u.pix),
                             optional=True)
        given = check_positive(oversampling, 'oversampling', optional=True)
        # Arcsec per unit of length of ``_sampled``; without it, the unit is
        # a pixel of the image.
        self._scale = 1.0
        psf = read_text_quantity(psf)
        if isinstance(psf, PSF):
            self._refuse('of another PSF', pixel_scale=own,
                         oversampling=given, beta=self.beta)
            self.__dict__.update(psf.__dict__)
        elif _is_number(psf):
            self._refuse('with a full width at half maximum',
                         pixel_scale=own, oversampling=given)
            self._read_width(psf)
        elif isinstance(psf, Model):
            self._refuse('with a model', pixel_scale=own,
                         oversampling=given, beta=self.beta)
            self.kind, self._scale = 'model', None
            self._sampled = _sample_model(psf)
        else:
            self._refuse('with an array', beta=self.beta)
            array, found = _read_array(psf)
            if own is not None and given is not None:
                msg = ('pixel_scale and oversampling must not be given both: '
                       'leave one of them out')
                raise ValueError(msg)
            self.kind = 'array'
            if given is None:
                self._scale = own or found
            else:
                self._scale = None
            if self._scale is None:
                self._sampled = sample_array(array, 1 / (given or 1.0))
            else:
                self._sampled = sample_array(array, self._scale)
                self._scale = 1.0

    def __repr__(self):
        unit = 'pixels' if self._scale is None else 'arcsec'
        return (f'<{type(self).__name__}: {self.kind}, FWHM '
                f'{self.fwhm:.3g} {unit}>')

    @property
    def fwhm(self) -> float | Quantity:
        """
        Full width at half maximum, in arcsec or in pixels of the image.
        """
        if hasattr(self, '_width'):
            return self._width
        return self._sampled.fwhm

    def sampled(self, pixel_scale: float | None = None) -> Any:
        """
        Sample the function on a fine grid.

        Parameters
        ----------
        pixel_scale : float, optional
            The pixel scale of the image in arcsec.

        Returns
        -------
        psf : `~astro_pix2prof.psf.sampled.SampledPSF`
            With lengths in arcsec, or in pixels without a pixel scale.

        Raises
        ------
        ValueError
            If the width is in arcsec and there is no pixel scale.
        """
        if self._scale is None:
            return self._sampled.scaled(pixel_scale or 1.0)
        if pixel_scale is None:
            msg = ('psf is in arcsec but the image has no pixel scale: give '
                   'pixel_scale= for the image or the psf in pixels')
            raise ValueError(msg)
        return self._sampled

    def _refuse(self, what, **options):
        given = [name for name, value in options.items() if value is not None]
        if given:
            msg = f'{" and ".join(given)} must not be given {what}'
            raise ValueError(msg)

    def _read_width(self, psf):
        """
        Read the width of a Gaussian or a Moffat function.
        """
        unit = u.arcsec
        if isinstance(psf, u.Quantity) and psf.unit == u.pix:
            unit, self._scale = u.pix, None
        fwhm = self._width = check_positive(psf, 'psf', unit=unit)
        if self.beta is None:
            self.kind = 'gaussian'
            self._sampled = sample_function(
                lambda x, y: np.exp(-4 * np.log(2) * (x**2 + y**2)
                                    / fwhm**2), fwhm, _GAUSSIAN * fwhm)
            return
        self.kind, beta = 'moffat', self.beta
        alpha = fwhm / (2 * np.sqrt(2**(1 / beta) - 1))
        self._sampled = sample_function(
            lambda x, y: (1 + (x**2 + y**2) / alpha**2)**-beta, fwhm,
            _REACH * fwhm)


def _is_number(psf):
    if isinstance(psf, bool | str | os.PathLike):
        return False
    return np.ndim(getattr(psf, 'value', psf)) == 0 and isinstance(
        getattr(psf, 'value', psf), int | float | np.number | np.ndarray)


def _read_array(psf):
    """
    Read an array and its pixel scale (arcsec), if it is known.
    """
    if isinstance(psf, str | os.PathLike) or hasattr(psf, 'fs'):
        return _read_file(psf)
    if isinstance(psf, fits.HDUList):
        images = [hdu for hdu in psf if hdu.is_image and hdu.data is not None]
        if len(images) != 1:
            msg = f'psf must have one image, got {len(images)}: give one HDU'
            raise ValueError(msg)
        psf = images[0]
    if hasattr(psf, 'header') and hasattr(psf, 'is_image'):
        return psf.data, _header_scale(psf.header)
    if isinstance(psf, Kernel2D):
        psf = psf.array
    if isinstance(psf, u.Quantity):
        psf = psf.value
    if hasattr(psf, 'data') and hasattr(psf, 'wcs'):
        psf = psf.data
    array = np.asarray(psf)
    if array.dtype.kind not in 'iuf':
        msg = ('psf must be a full width at half maximum, an array, a FITS '
               'file or HDU, or a model of astropy or photutils, got '
               f'{shown(psf)}')
        raise TypeError(msg)
    return array, None


def _read_file(psf):
    name, hdu = split_extension(os.fspath(psf)) if isinstance(
        psf, str | os.PathLike) else (psf, None)
    path = find_path(name, 'psf')
    if isinstance(psf, str) and not is_address(psf) and not path.exists():
        msg = ('No such file; psf must be a FITS file, a full width at half '
               'maximum as a number (in arcsec), or as a text with its unit, '
               "such as '1.3 arcsec'")
        raise FileNotFoundError(errno.ENOENT, msg, psf)
    with contextlib.closing(open_fits(path)) as hdulist:
        images = [item for item in hdulist if item.is_image and item.shape]
        if hdu is not None:
            try:
                chosen = hdulist[hdu]
            except (KeyError, IndexError):
                msg = f'psf: {path} has no extension {hdu!r}'
                raise ValueError(msg) from None
        elif len(images) == 1:
            chosen = images[0]
        else:
            listing = ', '.join(f'{i} {item.name}'.strip()
                                for i, item in enumerate(hdulist))
            msg = (f'psf: {path} has {len(images)} images ({listing}): give '
                   f'one, such as {path}[{len(hdulist) - 1}]')
            raise ValueError(msg)
        if not chosen.is_image or not chosen.shape:
            msg = f'psf: {path}: the extension {hdu!r} holds no image'
            raise ValueError(msg)
        return read_pixels(chosen), _header_scale(chosen.header)


def _header_scale(header):
    """
    Find the pixel scale (arcsec) in a header; `None` if it has none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FITSFixedWarning)
        warnings.simplefilter('ignore', AstropyUserWarning)
        try:
            wcs = WCS(header)
        except Exception:  # a broken WCS is none
            return None
    # (many files of PSFs carry the default of a pixel as a degree)
    if not wcs.has_celestial:
        return None
    scales = proj_plane_pixel_scales(wcs.celestial) * 3600
    return float(np.sqrt(np.prod(scales)))


def _sample_model(model):
    """
    Sample a model in pixels of the image around its centre.
    """
    if model.n_inputs != 2 or len(model) != 1:
        msg = (f'psf must be a model of two coordinates, got '
               f'{type(model).__name__} of {model.n_inputs}')
        raise ValueError(msg)
    centre = next(((float(getattr(model, a).value),
                    float(getattr(model, b).value)) for a, b in _CENTRES
                   if a in model.param_names and b in model.param_names),
                  (0.0, 0.0))

    def function(x, y):
        value = model(x + centre[0], y + centre[1])
        return np.asarray(getattr(value, 'value', value), dtype=float)

    # Half of the peak on eight rays; the innermost sample is the peak.
    at = np.concatenate([[0], np.geomspace(0.02, 200, 400)])
    angle = np.arange(8) * np.pi / 4
    rays = function(at[:, None] * np.cos(angle),
                    at[:, None] * np.sin(angle)).mean(1)
    if not (np.all(np.isfinite(rays)) and rays[0] > 0):
        msg = ('psf must be a model with a positive, finite peak at its '
               f'centre {centre}, got {rays[0]}')
        raise ValueError(msg)
    below = np.nonzero(rays < 0.5 * rays[0])[0]
    if len(below) == 0:
        msg = 'psf must be a model that falls to half of its peak, got none'
        raise ValueError(msg)
    fwhm = 2 * float(at[below[0]])
    radius = _REACH * fwhm
    if hasattr(model, 'oversampling'):
        # an image: zero, or a constant, outside of its array
        shape = np.asarray(model.data).shape[-2:]
        radius = 0.5 * max(np.array(shape) / np.broadcast_to(
            model.oversampling, 2))
    return sample_function(function, fwhm, radius)
