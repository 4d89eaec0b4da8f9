# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the option ``--psf``, for one image or for each of several bands.
"""

import argparse

from astro_pix2prof.cli.output import quietly, warn

__all__ = ['find_psfs', 'psf', 'psf_or_none']


# Widths that can be given, for messages.
_SUCH_AS = '1.3 (arcsec), 1.3arcsec or 3pix'


def psf(text):
    """
    Read a point-spread function: a width, or a file.

    Parameters
    ----------
    text : str
        Such as '1.3', '3pix' or 'psf.fits[2]'.

    Returns
    -------
    psf : `~astro_pix2prof.PSF`

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    import astropy.units as u

    from astro_pix2prof.psf.model import PSF

    if not text.strip():
        msg = (f'must be a FITS file or a width such as {_SUCH_AS}, got '
               f'{text!r}')
        raise argparse.ArgumentTypeError(msg)
    try:
        width = u.Quantity(text)
    except (TypeError, ValueError):
        width = text
    else:
        if width.unit == u.dimensionless_unscaled:
            width = width.value
        elif width.unit != u.pix and width.unit.physical_type != 'angle':
            msg = (f'must be an angle or pixels, such as {_SUCH_AS}, got '
                   f'{text!r}')
            raise argparse.ArgumentTypeError(msg)
    try:
        found, notes = quietly(PSF, width)
    except (OSError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(_describe(error)) from None
    for note in notes:
        warn('--psf ' + note.removeprefix('psf').lstrip(' :'))
    return found


def psf_or_none(text):
    """
    Read a point-spread function, or that there is none.

    Parameters
    ----------
    text : str
        As of `psf`, or 'none'.

    Returns
    -------
    psf : `~astro_pix2prof.PSF` or `None`

    Raises
    ------
    argparse.ArgumentTypeError
        If it is neither.
    """
    return None if text.strip().lower() == 'none' else psf(text)


def find_psfs(args, bands):
    """
    Find the point-spread function of an image, or those of the bands.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments, with ``psf`` as a list, and ``images``.

    bands : dict or `None`
        The image of each band; `None` if there is one image.

    Returns
    -------
    psf : `~astro_pix2prof.PSF`, dict or `None`
        The one for all, or that of each band that has one.
    """
    given = args.psf
    if given is None:
        return None
    n = len(args.images)
    if len(given) not in (1, n):
        args.command.error('argument --psf: give it once, or once for each '
                           f'of the {n} files; got {len(given)}'
                           if n > 1 else 'argument --psf: give it once')
    if bands is None or len(given) == 1:
        return given[0]
    return {band: one for band, one in zip(bands, given, strict=True)
            if one is not None}


def _describe(error):
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return (f'{error.filename}: no such file: give a FITS file, or the '
                f'full width at half maximum such as {_SUCH_AS}')
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename}: {error.strerror.lower()}'
    return str(error).removeprefix('psf').lstrip(' :')
