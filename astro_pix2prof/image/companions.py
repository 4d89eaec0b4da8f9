# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read masks, errors and skies of an image from FITS files of their own.
"""

import contextlib
import re
import warnings
from pathlib import Path

import astropy.units as u
from astropy.nddata import InverseVariance, VarianceUncertainty
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.addresses import find_path, is_address
from astro_pix2prof.image.extensions import (
    BACKGROUNDS,
    Role,
    find_role,
    hdu_role,
)
from astro_pix2prof.image.files import open_fits, read_pixels
from astro_pix2prof.image.units import parse_unit

__all__ = ['PLANES', 'extension_hint', 'hdu_name', 'image_stem',
           'read_plane', 'split_extension']


# The options of `GalaxyCutout` with one value for each pixel.
PLANES = ('mask', 'uncertainty', 'invvar', 'background')

# Weights that may be inverse variances; exposure times and confidences are
# none.
_PERHAPS_INVERSE = ('WHT', 'WGT', 'WEIGHT', 'WEIGHTS')

# How files are named after their image, as x_rms and x.weight.
_LAST_WORDS = re.compile(r'[._-]([A-Za-z]+(_[Mm][Aa][Pp])?)$')

# As written by CCDData.write.
_STORED = {'StdDevUncertainty': Role('ERR', 'error'),
           'VarianceUncertainty': Role('VAR', 'error', 2),
           'InverseVariance': Role('IVAR', 'error', -2)}

# (as messages call them)
_CALLED = {'mask': 'a mask', 'error': 'errors of the pixels',
           'weight': 'weights, exposures or confidences, of which high '
                     'values are good',
           'context': 'bits of exposures', 'objects': 'numbers of objects, '
           'of which the galaxy is one', 'other': 'no such values'}

# What to do about extensions that are none of an option.
_ADVICE = {'mask': 'make a mask of them, which is true or not zero where a '
                   'pixel is bad (of weights: weight == 0)',
           'uncertainty': 'give errors; inverse variances are given as '
                          'invvar',
           'invvar': 'give inverse variances; errors and variances are given '
                     'as uncertainty',
           'background': 'give the level or a map of the sky'}


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
        If it has no such extension, or one of another shape; or if the
        name of the extension says that it holds other values.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the name of the file says so, or it holds numbers of objects.
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
        power = _check_role(name, path, chosen)
    unit = None
    if isinstance(text, str):
        with contextlib.suppress(ValueError):
            unit = parse_unit(text)
    if (unit is not None and (name == 'invvar' or power != 1)
            and any(power % 2 for power in unit.powers)
            # (exposure times are no inverse variances)
            and not unit.is_equivalent(u.s)):
        # Many files repeat the unit of the image for variances, whose unit
        # is the square of another one.
        unit = None
    if name == 'mask':
        return values
    if name == 'uncertainty' and power != 1:
        make = VarianceUncertainty if power == 2 else InverseVariance
        return make(values, unit=unit)
    return values if unit is None else u.Quantity(values, unit, copy=False)


def _check_role(name, path, hdu):
    """
    Check that an extension may hold the values of an option.

    Returns the power of sigma that they are, as the names tell.
    """
    stored = _STORED.get(hdu.header.get('UTYPE'))
    role = stored or hdu_role(hdu)
    of_file = None
    if role is None:
        match = _LAST_WORDS.search(image_stem(path.name))
        of_file = find_role(match[1]) if match else None
    found = role or of_file
    if (role is None and found is not None and name == 'uncertainty'
            and found.power != 1):
        kind, right = (('variances', 'give the extension the name VAR')
                       if found.power == 2 else (
                           'inverse variances', 'give it as invvar'))
        warnings.warn(f'{path} holds {kind}, by its name, and is used as '
                      f'standard deviations: {right} if it is',
                      AstropyUserWarning, stacklevel=3)
    if found is None or _may_be(name, found):
        # (the name of a file does not make errors variances)
        return role.power if role is not None else 1
    place = f'the extension {hdu.name} of {path}' if role else str(path)
    msg = (f'{place} holds {_CALLED[found.kind]}, by its name, and is not '
           f'what {name} takes')
    if role is None or found.kind == 'objects':
        warnings.warn(f'{msg}: it is used as {name} all the same; otherwise '
                      f'{_ADVICE[name]}', AstropyUserWarning, stacklevel=3)
        return 1
    msg += f': {_ADVICE[name]}'
    raise ValueError(msg)


def _may_be(name, role):
    """
    Tell whether pixels of a role may be the values of an option.
    """
    return {'mask': role.kind in ('mask', 'other'),
            'uncertainty': role.kind in ('error', 'other'),
            'invvar': role.name in _PERHAPS_INVERSE or (
                role.kind == 'error' and role.power == -2),
            'background': role.kind == 'other'}[name]


def _is_usual(name, role):
    """
    Tell whether a role is the one that belongs to an option.
    """
    if role is None:
        return False
    if name == 'background':
        return role.name in BACKGROUNDS
    return role.kind == ('mask' if name == 'mask' else 'error') and (
        name == 'mask' or (role.power == -2) == (name == 'invvar'))


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
    found = [item for item in images if _is_usual(name, hdu_role(item))]
    if len(images) == 1 or len(found) == 1:
        return (found or images)[0]
    if not images:
        msg = f'{path} holds no image'
        raise ValueError(msg)
    msg = (f'{path} holds several images ({listing}): give one of them, such '
           f'as {path.name}[{hdulist.index(images[-1])}]')
    raise ValueError(msg)
