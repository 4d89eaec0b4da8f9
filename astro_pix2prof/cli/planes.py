# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the masks, errors and sky of an image from FITS files.
"""

import contextlib
import re
from pathlib import Path

from astro_pix2prof.cli.options import hdu_name
from astro_pix2prof.cli.output import check_file, file_stem

__all__ = ['check_planes', 'read_planes']


# The names of extensions that are taken for each option.
_NAMES = {
    'mask': ('MASK', 'DQ', 'BADPIX', 'BPM', 'MSK', 'MASKBITS'),
    'uncertainty': ('ERR', 'ERROR', 'SIGMA', 'UNCERT', 'UNC', 'STDDEV', 'STD',
                    'RMS'),
    'invvar': ('IVAR', 'INVVAR'),
    'background': ('SKY', 'BACKGROUND', 'BKG'),
}


def check_planes(args):
    """
    End the program if a file that all images share does not exist.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.
    """
    for name in _NAMES:
        text = getattr(args, name)
        if text is not None and '{name}' not in text:
            path, _ = _split(text)
            try:
                check_file(path)
            except OSError as error:
                args.command.error(f'argument --{name}: {error}')


def read_planes(args, image):
    """
    Read the mask, the errors and the sky of an image.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    image : `~pathlib.Path`
        The image.

    Returns
    -------
    planes : dict
        The options ``mask``, ``uncertainty``, ``invvar`` and ``background``
        of `GalaxyCutout` that were given.

    Raises
    ------
    OSError
        If a file does not exist or is no readable FITS file.

    ValueError
        If it has no such extension.
    """
    planes = {}
    for name in _NAMES:
        text = getattr(args, name)
        if text is None:
            continue
        path, hdu = _split(text.replace('{name}', file_stem(image)))
        try:
            planes[name] = _read_plane(name, path, hdu)
        except (OSError, ValueError) as error:
            msg = f'--{name}: {error}'
            kind = OSError if isinstance(error, OSError) else ValueError
            raise kind(msg) from error
    return planes


def _split(text):
    """
    Split FILE[EXT] into the path and the extension.
    """
    match = re.fullmatch(r'(.+)\[([^\[\]]+)\]', text.strip())
    if match is None or Path(text).exists():
        return Path(text), None
    return Path(match[1]), hdu_name(match[2].strip())


def _read_plane(name, path, hdu):
    """
    Read the values of a file, with the unit if it tells more.
    """
    from astropy import units as u
    from astropy.nddata import InverseVariance, VarianceUncertainty

    from astro_pix2prof.image.files import open_fits, read_pixels
    from astro_pix2prof.image.units import parse_unit

    check_file(path)
    with contextlib.closing(open_fits(path)) as hdulist:
        chosen = _choose(name, path, hdu, hdulist)
        values = read_pixels(chosen) if chosen.is_image else None
        if values is None:
            msg = f'{path}: the extension {chosen.name!r} holds no image'
            raise ValueError(msg)
        text = chosen.header.get('BUNIT')
        kind = chosen.header.get('UTYPE') or chosen.name.upper()
    unit = None
    if isinstance(text, str):
        with contextlib.suppress(ValueError):
            unit = parse_unit(text)
    variance = kind in ('VAR', 'VARIANCE', 'VarianceUncertainty')
    inverse = kind in (*_NAMES['invvar'], 'InverseVariance')
    if (unit is not None and (name == 'invvar' or variance or inverse)
            and any(power % 2 for power in unit.powers)):
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
    found = [item for item in images if item.name.upper() in _NAMES[name]]
    if len(images) == 1 or len(found) == 1:
        return (found or images)[0]
    if not images:
        msg = f'{path} holds no image'
        raise ValueError(msg)
    msg = (f'{path} holds several images ({listing}): give one of them, such '
           f'as {path.name}[{hdulist.index(images[-1])}]')
    raise ValueError(msg)
