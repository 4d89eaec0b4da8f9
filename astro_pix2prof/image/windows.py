# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read parts of large images by a memory map of their file.
"""

import os

import numpy as np
from astropy.io import fits

from astro_pix2prof.image.plain import PIXEL_TYPES

__all__ = ['map_window']


# Cards with which the numbers in a file are not yet the pixels
_SCALED = ('BSCALE', 'BZERO', 'BLANK', 'GROUPS')


def map_window(hdu, section):
    """
    Copy some rows and columns of an image out of its file.

    `astropy.io.fits.ImageHDU.section` reads each row by itself, which takes
    many times as long.

    Parameters
    ----------
    hdu : HDU of `astropy.io.fits`
        The extension. Its file is at least as long as its header says.

    section : tuple of 2 slices
        The rows and columns.

    Returns
    -------
    window : `~numpy.ndarray` or `None`
        The pixels that ``hdu.section`` gives; `None` if the image is
        compressed, scaled, in memory, or cannot be mapped.
    """
    info = hdu.fileinfo()
    plain = type(hdu) in (fits.PrimaryHDU, fits.ImageHDU)
    if not plain or not info or info['file'] is None or 'data' in vars(hdu):
        return None
    header = hdu.header
    name, kind = info['file'].name, PIXEL_TYPES.get(header.get('BITPIX'))
    if not name or kind is None or any(key in header for key in _SCALED):
        return None
    try:
        with open(name, 'rb') as stream:
            # a file that is compressed as a whole begins otherwise
            if (stream.read(6) != b'SIMPLE' or os.fstat(
                    stream.fileno()).st_size != info['file'].size):
                return None
            pixels = np.memmap(stream, dtype=kind, mode='r',
                               offset=info['datLoc'], shape=hdu.shape)
            window = pixels[(..., *section)]
            return np.array(window, dtype=window.dtype.newbyteorder('='))
    except (OSError, ValueError, TypeError):
        return None
