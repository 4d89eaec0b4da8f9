# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sizes of crops, in pixels or angles.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.arguments import check_number, read_text_quantity

__all__ = ['pixel_size']


# The largest size of a crop, in frames, and in pixels of small frames.
_MAX_FRAMES, _MAX_SMALL = 4, 1024


def pixel_size(size, pixel_scale=None, shape=None):
    """
    Read the size of a crop.

    Parameters
    ----------
    size : int, tuple of int, `~astropy.units.Quantity` or str
        Pixels, (ny, nx) pixels or an angle (or two), which may be a text
        such as '40 arcsec'.

    pixel_scale : float, optional
        The pixel scale in arcsec.

    shape : tuple of int, optional
        The shape (ny, nx) of the frame, which limits the size: to four times
        its longer side, or to 1024 pixels if that is more.

    Returns
    -------
    shape : tuple of int
        The shape (ny, nx) in pixels.

    Raises
    ------
    TypeError
        If a number is not a number.

    ValueError
        If it is not one or two positive numbers, or an angle without a
        pixel scale, or too large.
    """
    several = isinstance(size, (tuple, list)) or np.ndim(size) > 0
    values = [read_text_quantity(value) for value in (
        list(size) if several else [size, size])]
    if len(values) != 2 or any(isinstance(value, (str, bytes))
                               for value in values):
        msg = ('size must be one or two numbers, (ny, nx), or angles such as '
               f"'40 arcsec', got {size!r}")
        raise ValueError(msg)
    angles = [isinstance(value, u.Quantity) and value.unit != u.pix
              for value in values]
    for value, angle in zip(values, angles, strict=True):
        if angle and not value.unit.is_equivalent(u.arcsec):
            msg = (f'size must be in pixels or an angle, got the unit '
                   f"'{value.unit}'")
            raise ValueError(msg)
    if any(angles) and pixel_scale is None:
        msg = ('size is an angle, but the image has no pixel scale: '
               'give size in pixels or pixel_scale=')
        raise ValueError(msg)
    pair = [check_number(value, 'size', unit=u.arcsec) / pixel_scale
            if angle else check_number(value, 'size', unit=u.pix)
            for value, angle in zip(values, angles, strict=True)]
    if min(pair) < 0.5:
        msg = f'size must be at least one pixel, got {size!r}'
        raise ValueError(msg)
    if shape is not None:
        most = max(_MAX_FRAMES * max(shape), _MAX_SMALL)
        if max(pair) > most:
            msg = (f'size must be at most {most} pixels for an image of '
                   f'{shape[1]} x {shape[0]} pixels, got {size!r} '
                   f'({max(pair):.0f} pixels)')
            raise ValueError(msg)
    return tuple(round(value) for value in pair)
