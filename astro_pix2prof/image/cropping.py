# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Crop a cutout around its galaxy.
"""

import copy
import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.astrometry import shift_wcs
from astro_pix2prof.image.crop_size import pixel_size
from astro_pix2prof.image.planes import cut_window

__all__ = ['check_usable', 'crop_cutout', 'without_border']


# A mask that rejects more than these parts of an image and of the pixels
# around its galaxy (at most so many away) may mark those to use.
_MOST, _CORE_MASKED, _CORE = 0.5, 0.7, 2

# Fewer rows or columns (pixels) are left with their border.
_LEAST = 8

_SENSE = ('if 1 or True marks good pixels in a mask, invert it (mask == 0); '
          'if it holds flags, choose those that reject a pixel with bad_bits=')


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
    _cut(cutout, x0, y0, shape)


def without_border(cutout):
    """
    Crop a cutout to the pixels that are there.

    A frame of missing pixels says nothing about where an image ends.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The cutout.

    Returns
    -------
    cutout : `~astro_pix2prof.GalaxyCutout`
        A new cutout without the rows and columns at the edges that are
        masked from end to end; the same if there are none, if the position
        is in them, or if next to nothing is left.
    """
    lines = [np.flatnonzero(~cutout.mask.all(axis)) for axis in (0, 1)]
    if any(not len(line) for line in lines):
        return cutout
    (x0, x1), (y0, y1) = ((int(line[0]), int(line[-1]) + 1)
                          for line in lines)
    shape = y1 - y0, x1 - x0
    x, y = cutout.position
    if shape == cutout.shape or min(shape) < _LEAST or not (
            x0 - 0.5 <= x < x1 - 0.5 and y0 - 0.5 <= y < y1 - 0.5):
        return cutout
    new = copy.copy(cutout)
    _cut(new, x0, y0, shape)
    return new


def _cut(cutout, x0, y0, shape):
    """
    Cut a window of a shape (ny, nx) that begins at a pixel, in place.
    """
    x, y = cutout.position
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


def check_usable(mask, *, cropped, given=None, position=None,
                 origin=(0, 0)):
    """
    Check that an image has a usable pixel, and that its galaxy has some.

    Parameters
    ----------
    mask : 2D `~numpy.ndarray` of bool
        Unusable pixels.

    cropped : bool
        Whether it is a part of a larger image.

    given : 2D `~numpy.ndarray` of bool, optional
        The pixels of the input image that its masks reject.

    position : tuple of float, optional
        The (x, y) position of the galaxy in pixels of the cutout.

    origin : tuple of int, optional
        The (x, y) pixel of the input image that is the first here.

    Raises
    ------
    ValueError
        If there is none.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If masks reject most of the pixels, with those of the galaxy.
    """
    if given is not None:
        x0, y0 = (max(start, 0) for start in origin)
        y1, x1 = (start + n for start, n in zip(origin[::-1], mask.shape,
                                                strict=True))
        given = given[y0:max(y1, y0), x0:max(x1, x0)]
    if np.all(mask):
        where = ' in the cropped part' if cropped else ''
        hint = '' if given is None or not given.size or not given.all() else (
            f'. Its mask rejects every one: {_SENSE}')
        msg = (f'the image has no usable pixel{where}: all are masked or '
               f'not finite{hint}')
        raise ValueError(msg)
    if given is None or np.count_nonzero(given) <= _MOST * given.size:
        return
    x, y = (round(at + min(start, 0)) for at, start in zip(
        position, origin, strict=True))
    core = given[max(y - _CORE, 0):max(y + _CORE + 1, 0),
                 max(x - _CORE, 0):max(x + _CORE + 1, 0)]
    if np.count_nonzero(core) > _CORE_MASKED * core.size:
        warnings.warn(
            f'masks, or weights of zero, reject {np.mean(given):.0%} of the '
            'pixels, those at the position of the galaxy too. '
            f'{_SENSE[0].upper()}{_SENSE[1:]}',
            AstropyUserWarning, stacklevel=3)
