# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read masks, errors and skies of an image from FITS files of their own.
"""

import contextlib
import re
from pathlib import Path

import astropy.units as u
from astropy.nddata import InverseVariance, VarianceUncertainty

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.image.units import parse_unit

__all__ = ['PLANES', 'extension_hint', 'hdu_name', 'image_stem',
           'read_plane', 'split_extension']


# The options of `GalaxyCutout` with one value for each pixel, and the names
# of extensions that are taken for each.
PLANES = {
    'mask': ('MASK', 'DQ', 'BADPIX', 'BPM', 'MSK', 'MASKBITS'),
    'uncertainty': ('ERR', 'ERROR', 'SIGMA', 'UNCERT', 'UNC', 'STDDEV', 'STD',
                    'RMS', 'STAT', 'NOISE', 'UNCERTAINTY', 'STDEV'),
    'invvar': ('IVAR', 'INVVAR'),
    'background': ('SKY', 'BACKGROUND', 'BKG'),
}


def hdu_name(text):
    """
    Read the number, the name, or name and version of an extension.

    Parameters
    ----------
    text : str
        Such as '2', 'SCI' or 'SCI,2'.

    Returns
    -------
    hdu : int, str or tuple
    """
    name, comma, version = text.rpartition(',')
    if comma and _is_integer(version):
        return name.strip(), int(version)
    return int(text) if _is_integer(text) else text


def _is_integer(text):
    return re.fullmatch(r'\s*[+-]?\d+\s*', text) is not None


def image_stem(name):
    """
    Remove the suffixes of FITS and of compression from the name of a file.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    stem : str
    """
    return re.sub(r'\.(fits?|fts|fz)(\.(gz|bz2|xz|fz|Z))?$', '', name,
                  flags=re.IGNORECASE)


def split_extension(text):
    """
    Split FILE[EXT] into the name of the file and the extension.

    Parameters
    ----------
    text : str
        Such as 'mask.fits', 'mask.fits[1]' or 'mask.fits[DQ, 2]'. Where a
        file has just this name, it is all name.

    Returns
    -------
    name : str
        The name of the file.

    hdu : int, str, tuple or `None`
        The extension.
    """
    match = re.fullmatch(r'(.+)\[([^\[\]]+)\]', text.strip())
    if match is None or (not is_address(text) and Path(text).exists()):
        return text, None
    return match[1], hdu_name(match[2].strip())


def extension_hint(path):
    """
    Tell how to give the extension of an image, where FILE[EXT] is no file.

    Parameters
    ----------
    path : str or path-like
        The name that was given for an image.

    Returns
    -------
    text : str
        Such as ': give a.fits with hdu=1'; empty if there is no such file
        either.
    """
    name, hdu = split_extension(str(path))
    if hdu is None or not Path(name).is_file():
        return ''
    return f': give {name} with hdu={hdu!r}'


def read_plane(name, path, hdu=None, *, shape=None, window=None):
    """
    Read the values of a file, with the unit if it tells more.

    Parameters
    ----------
    name : str
        One of ``PLANES``: 'mask', 'uncertainty', 'invvar' or 'background'.

    path : path-like, str or ``upath.UPath``
        The FITS file, or its address.

    hdu : int, str or tuple, optional
        The extension; by default the only image, or the usual name.

    shape : tuple of int, optional
        The shape (ny, nx) that the plane must have.

    window : tuple of slice, optional
        The rows and columns to read.

    Returns
    -------
    plane : `~numpy.ndarray`, `~astropy.units.Quantity` or \
`~astropy.nddata.NDUncertainty`
        As `GalaxyCutout` takes it.

    Raises
    ------
    OSError
        If it is no readable FITS file.

    ValueError
        If it has no such extension, or one of another shape.
    """
    path = find_path(path, name)
    with contextlib.closing(open_fits(path)) as hdulist:
        chosen = _choose(name, path, hdu, hdulist)
        if shape is not None and chosen.is_image and (
                tuple(chosen.shape[-2:]) != tuple(shape)):
            ny, nx = (*chosen.shape[-2:], 0, 0)[:2]
            msg = (f'{path} holds {nx} x {ny} pixels, but the image has '
                   f'{shape[1]} x {shape[0]}')
            raise ValueError(msg)
        values = None
        if chosen.is_image and chosen.shape:
            values = read_pixels(chosen) if window is None else (
                read_pixels(chosen, window))
        if values is None:
            msg = f'{path}: the extension {chosen.name!r} holds no image'
            raise ValueError(msg)
        text = chosen.header.get('BUNIT')
        kind = chosen.header.get('UTYPE') or chosen.name.upper()
    unit = None
    if isinstance(text, str):
        with contextlib.suppress(ValueError):
            unit = parse_unit(text)
    # (MUSE and other cubes of ESO call variances STAT)
    variance = kind in ('VAR', 'VARIANCE', 'STAT', 'VarianceUncertainty')
    inverse = kind in (*PLANES['invvar'], 'InverseVariance')
    if (unit is not None and (name == 'invvar' or variance or inverse)
            and any(power % 2 for power in unit.powers)
            # (exposure times are no inverse variances)
            and not unit.is_equivalent(u.s)):
        # Many files repeat the unit of the image for variances, whose unit
        # is the square of another one.
        unit = None
    if name == 'mask':
        return values
    if name == 'uncertainty' and (variance or inverse):
        make = VarianceUncertainty if variance else InverseVariance
        return make(values, unit=unit)
    return values if unit is None else u.Quantity(values, unit, copy=False)


def _choose(name, path, hdu, hdulist):
    """
    Choose the extension; without a name, the only image or the usual name.
    """
    listing = ', '.join(f'{i} {item.name}'.strip()
                        for i, item in enumerate(hdulist))
    if hdu is not None:
        try:
            return hdulist[hdu]
        except (KeyError, IndexError, TypeError):
            msg = (f'{path} has no extension {hdu!r}; it holds: {listing}')
            raise ValueError(msg) from None
    images = [item for item in hdulist
              if item.is_image and len(item.shape) >= 2]
    found = [item for item in images if item.name.upper() in PLANES[name]]
    if len(images) == 1 or len(found) == 1:
        return (found or images)[0]
    if not images:
        msg = f'{path} holds no image'
        raise ValueError(msg)
    msg = (f'{path} holds several images ({listing}): give one of them, such '
           f'as {path.name}[{hdulist.index(images[-1])}]')
    raise ValueError(msg)
