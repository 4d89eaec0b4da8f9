# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Crop a cutout around its galaxy.
"""

import numpy as np

from astro_pix2prof.image.astrometry import pixel_size, shift_wcs
from astro_pix2prof.image.planes import cut_window

__all__ = ['check_usable', 'crop_cutout']


def crop_cutout(cutout, size):
    """
    Crop a cutout around the position of its galaxy, in place.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The cutout.

    size : int, tuple of int, or `~astropy.units.Quantity`
        The new size (ny, nx), in pixels or as an angle.
    """
    shape = pixel_size(size, cutout.pixel_scale, cutout.shape)
    x, y = cutout.position
    # the rounding of astropy.nddata.Cutout2D
    x0 = int(np.ceil(x - shape[1] / 2))
    y0 = int(np.ceil(y - shape[0] / 2))

    for name in ('background_noise', 'background_level'):
        cutout.__dict__.pop(name, None)
    if np.ndim(cutout.background):
        cutout.background = cut_window(cutout.background, (x0, y0), shape,
                                       np.nan)
    cutout.data = cut_window(cutout.data, (x0, y0), shape, 0)
    if cutout.noise is not None:
        good = cutout.noise[~cutout.mask]
        fill = np.median(good) if good.size else 0
        cutout.noise = cut_window(cutout.noise, (x0, y0), shape, fill)
    cutout.mask = cut_window(cutout.mask, (x0, y0), shape, True)
    cutout.position = (x - x0, y - y0)
    cutout.origin = (cutout.origin[0] + x0, cutout.origin[1] + y0)
    cutout.wcs = shift_wcs(cutout.wcs, (x0, y0), shape)


def check_usable(mask, *, cropped):
    """
    Check that an image has a usable pixel.

    Parameters
    ----------
    mask : 2D `~numpy.ndarray` of bool
        Unusable pixels.

    cropped : bool
        Whether it is a part of a larger image.

    Raises
    ------
    ValueError
        If there is none.
    """
    if np.all(mask):
        where = ' in the cropped part' if cropped else ''
        msg = (f'the image has no usable pixel{where}: all are masked or '
               'not finite')
        raise ValueError(msg)
