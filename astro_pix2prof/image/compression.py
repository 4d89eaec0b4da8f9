# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell of images that were rounded too coarsely when they were compressed.
"""

import warnings

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.background.noise import measure_noise

__all__ = ['check_compression', 'compression_step']


# Steps of more than this part of the noise change profiles by more than a
# tenth of their errors.
_COARSE = 0.5


def compression_step(hdu):
    """
    Find the step to which compression has rounded the pixels.

    Parameters
    ----------
    hdu : HDU of `astropy.io.fits`
        The extension.

    Returns
    -------
    step : float
        The median over the tiles, in the unit of the pixels; 0 if the
        extension is not compressed, or without loss.
    """
    if not isinstance(hdu, fits.CompImageHDU) or not hdu.fileinfo():
        return 0.0
    tiles = hdu.compressed_data
    if tiles is None or 'ZSCALE' not in tiles.dtype.names:
        return 0.0
    steps = np.asarray(tiles['ZSCALE'], dtype=float)
    steps = steps[np.isfinite(steps) & (steps > 0)]
    return float(np.median(steps)) if steps.size else 0.0


def check_compression(hdu, data, place):
    """
    Compare the steps of a compressed image with its noise.

    Parameters
    ----------
    hdu : HDU of `astropy.io.fits`
        The extension.

    data : `~numpy.ndarray`
        Its pixels.

    place : str
        The name of the extension, for the message.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the steps are larger than half of the noise.
    """
    step = compression_step(hdu)
    if not step > 0:
        return
    noise = measure_noise(data[(0,) * (data.ndim - 2)])
    if step > _COARSE * noise:
        size = f'{step / noise:.2g} times' if noise > 0 else 'more than'
        warnings.warn(
            f'{place} was rounded to steps of {size} the noise of its pixels '
            'when it was compressed: rings differ from those of the original '
            'by more than a tenth of their errors, and faint ones may be off '
            'by more: take a file that was compressed with finer steps (a '
            'quantize level of 4 or more)', AstropyUserWarning, stacklevel=2)
