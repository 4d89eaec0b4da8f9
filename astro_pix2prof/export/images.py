# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Write the images of a fit: model, residual, mask and weights.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, FITSFixedWarning

from astro_pix2prof.ellipses.model import model_image
from astro_pix2prof.export.source import check_fit, masked_pixels, new_path

if TYPE_CHECKING:
    from pathlib import Path

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.typing import PathLike

__all__ = ['write_pixels']


# The bits of the mask.
_BAD, _OTHER = 1, 2

# Entries of the meta of a profile that are written as cards, by keyword.
_CARDS = {
    'OBJECT': ('source', 'name of the image'),
    'FILTER': ('band', 'band'),
    'FITTER': ('fitter', 'what measured the galaxy'),
    'WEIGHTS': ('weights', 'weights of the network'),
    'VERSION': ('version', 'of astro_pix2prof'),
    'ZEROPNT': ('zeropoint', 'mag of one data unit in a pixel'),
    'MAGSYS': ('mag_system', 'system of the zero point'),
    'SKYERR': ('sky_err', 'error of the sky'),
    'FLAG': ('flag', 'GalaxyFlag bits'),
}


def write_pixels(fit: ProfileFit, path: PathLike, *,
                 overwrite: bool = False) -> Path:
    """
    Write model, residual, mask and weights of a fit as FITS images.

    All have the shape of the image that was measured, and its WCS.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    path : str or path-like
        The file. Its extensions are MODEL, constant along the ellipses and
        without sky; RESIDUAL, the image without sky and model (not-a-number
        in bad pixels); MASK, with the bits 1 for bad pixels and 2 for other
        objects; WEIGHT, from networks that weigh pixels, from 0 to 1; and
        SKY, if the sky that was subtracted has a gradient.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    TypeError
        If ``fit`` is no fit.

    ValueError
        If the profile has less than two finite rings.

    FileExistsError
        If the file exists and ``overwrite`` is `False`.

    Warns
    -----
    AstropyUserWarning
        If the WCS of the image cannot be written to FITS.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astropy.io import fits
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import write_pixels
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> with TemporaryDirectory() as folder:
    ...     path = write_pixels(fit, f'{folder}/pixels.fits')
    ...     with fits.open(path) as hdus:
    ...         [hdu.name for hdu in hdus]
    ['PRIMARY', 'MODEL', 'RESIDUAL', 'MASK', 'WEIGHT']
    """
    check_fit(fit)
    path = new_path(path, overwrite)
    model = model_image(fit.profile, fit.cutout)
    bad, others = masked_pixels(fit)
    residual = np.where(bad, np.nan, fit.subtracted() - model)
    header = _header(fit)
    hdus = fits.HDUList([fits.PrimaryHDU(header=_cards(fit))])

    def add(name, data, *, unit=True):
        own = header.copy()
        if unit:
            own['BUNIT'] = _unit(fit.cutout.unit)
        hdus.append(fits.ImageHDU(data, own, name=name))

    add('MODEL', model.astype(np.float32))
    add('RESIDUAL', residual.astype(np.float32))
    add('MASK', (_BAD * bad + _OTHER * others).astype(np.uint8), unit=False)
    hdus['MASK'].header['MASKBIT1'] = (_BAD, 'bad pixel, not used')
    hdus['MASK'].header['MASKBIT2'] = (_OTHER, 'another object, not used')
    weight = fit.weight_map()
    if weight is not None:
        add('WEIGHT', weight.astype(np.float32), unit=False)
    if np.ndim(fit.tilt):
        add('SKY', np.asarray(fit.sky + fit.tilt, np.float32))
    hdus.writeto(path, overwrite=overwrite)
    return path


def _unit(unit):
    """
    Write a unit as FITS has it, or else as astropy does.
    """
    try:
        return unit.to_string('fits')
    except ValueError:
        return unit.to_string()


def _header(fit):
    """
    Make the header that all images share: WCS and place in the image.
    """
    cutout, header = fit.cutout, fits.Header()
    if isinstance(cutout.wcs, WCS):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FITSFixedWarning)
            header.update(cutout.wcs.to_header(relax=True))
    elif cutout.wcs is not None:
        warnings.warn(
            f'the WCS of the image, a {type(cutout.wcs).__name__}, cannot be '
            'written to FITS: the images have none', AstropyUserWarning,
            stacklevel=3)
    # pixels of the image as it was given, which DS9 calls physical
    for axis, first in zip('12', cutout.origin, strict=True):
        header[f'LTV{axis}'] = -float(first)
        header[f'LTM{axis}_{axis}'] = 1.0
    return header


def _cards(fit):
    """
    Make the cards that say what was measured.
    """
    meta, header = fit.profile.meta, fits.Header()
    for keyword, (key, comment) in _CARDS.items():
        value = meta.get(key)
        if isinstance(value, str):
            value = value.encode('ascii', 'replace').decode()
            value = ''.join(c if c.isprintable() else '?' for c in value)
        if value not in (None, ''):
            header[keyword] = (value, comment)
    for name, value in zip(('XCENTRE', 'YCENTRE'), fit.centre, strict=True):
        header[name] = (float(value) + 1, 'in pixels of these images, from 1')
    header['SKY'] = (float(fit.sky), 'level that was subtracted')
    return header
