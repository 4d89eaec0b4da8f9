# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read pictures: JPEG and PNG files, which have no fluxes.
"""

import numpy as np

__all__ = ['is_picture', 'read_picture']


_ENDINGS = ('.jpg', '.jpeg', '.png')


def is_picture(path):
    """
    Tell whether a path is that of a picture, by its ending.

    Parameters
    ----------
    path : path-like
        The path.

    Returns
    -------
    picture : bool
    """
    return str(path).lower().endswith(_ENDINGS)


def read_picture(path, band=None):
    """
    Read a picture as an image of one plane.

    Parameters
    ----------
    path : path-like
        A JPEG or PNG file, grey or in colour.

    band : int, optional
        The colour: 0 for red, 1 for green, 2 for blue. By default, the mean
        of the three, which is less noisy.

    Returns
    -------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        Values from 0 to 255 (65535 for PNG files of 16 bits). The first
        row is that at the top of the picture; not-a-number where a PNG is
        transparent.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ValueError
        If the file is no picture, or ``band`` is not one of its colours.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            mode = picture.mode
            if mode in ('P', 'PA', 'LA', 'CMYK', 'YCbCr', '1'):
                picture = picture.convert(
                    'RGBA' if 'A' in mode or 'transparency' in picture.info
                    else 'RGB')
            values = np.asarray(picture, dtype=np.float32)
    except (UnidentifiedImageError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            msg = f'image: {path} does not exist'
            raise FileNotFoundError(msg) from error
        msg = f'image: {path} is no picture that can be read: {error}'
        raise ValueError(msg) from error
    if values.ndim == 2:
        if band not in (None, 0):
            msg = (f'band must not be given for {path}, which is a grey '
                   f'picture; got {band!r}')
            raise ValueError(msg)
        return values
    hidden = values[..., 3] == 0 if values.shape[-1] == 4 else None
    if band is None:
        values = values[..., :3].mean(-1)
    elif isinstance(band, int) and not isinstance(band, bool) and (
            0 <= band < 3):
        values = values[..., band]
    else:
        msg = (f'band must be 0 (red), 1 (green) or 2 (blue) for {path}, '
               f'got {band!r}')
        raise ValueError(msg)
    return values if hidden is None else np.where(hidden, np.nan, values)
