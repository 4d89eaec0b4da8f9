# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the option ``--psf``.
"""

import argparse

from astro_pix2prof.cli.output import quietly, warn

__all__ = ['psf']


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


def _describe(error):
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return (f'{error.filename}: no such file: give a FITS file, or the '
                f'full width at half maximum such as {_SUCH_AS}')
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename}: {error.strerror.lower()}'
    return str(error).removeprefix('psf').lstrip(' :')
