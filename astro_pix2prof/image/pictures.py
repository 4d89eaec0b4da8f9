# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Take colour pictures as images: arrays of red, green and blue, and files.

Pictures are stretched, clipped and compressed: their values are no fluxes
and cannot be calibrated. They show how a galaxy looks.
"""

import os

import numpy as np

__all__ = ['grey_picture', 'is_picture']


# Endings of files of pictures.
_ENDINGS = ('.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff')


def is_picture(image):
    """
    Tell whether something is a picture, and no astronomical image.

    Parameters
    ----------
    image : object
        Anything.

    Returns
    -------
    found : bool
        `True` for paths that end as those of pictures do, for objects of
        Pillow, and for arrays of shape (ny, nx, 3) or (ny, nx, 4).
    """
    if isinstance(image, str | os.PathLike):
        return os.fspath(image).lower().endswith(_ENDINGS)
    if hasattr(image, 'getbands') and hasattr(image, 'convert'):
        return True
    return (isinstance(image, np.ndarray) and image.ndim == 3
            and image.shape[2] in (3, 4) and min(image.shape[:2]) > 4)


def grey_picture(image):
    """
    Convert a picture to an image of one plane.

    Parameters
    ----------
    image : path-like, `PIL.Image.Image` or `~numpy.ndarray`
        A picture, for which `is_picture` is `True`.

    Returns
    -------
    image : 2D `~numpy.ndarray` of float, shape (ny, nx)
        The mean of red, green and blue; the first row is the upper one of a
        file. Transparent pixels are not-a-number.

    Raises
    ------
    OSError
        If the file does not exist or is damaged.
    """
    if not isinstance(image, np.ndarray):
        image = _read(image)
    data = np.asarray(image, dtype=float)
    if data.ndim == 2:
        return data
    grey = data[..., :3].mean(-1)
    if data.shape[2] == 4:
        grey = np.where(data[..., 3] > 0, grey, np.nan)
    return grey


def _read(image):
    from PIL import Image

    if not hasattr(image, 'convert'):
        with Image.open(image) as picture:
            return _read(picture.copy())
    if image.mode in ('RGBA', 'LA', 'PA') or 'transparency' in image.info:
        return np.array(image.convert('RGBA'))
    if image.mode in ('L', 'I', 'F', 'I;16', '1'):
        return np.array(image, dtype=float)
    return np.array(image.convert('RGB'))
