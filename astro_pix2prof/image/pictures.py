# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read colour pictures: arrays of red, green and blue, and files.

Pictures are stretched, clipped and compressed: their values are no fluxes
and cannot be calibrated. They show how a galaxy looks.
"""

import os
import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.image.file_kinds import describe_kind

__all__ = ['PictureValues', 'is_picture', 'picture_options',
           'place_of_defects', 'read_picture', 'warn_of_calibration']


# Endings of files of pictures.
_ENDINGS = ('.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff')


# Options that calibrate an image.
_CALIBRATING = 'zeropoint', 'unit', 'mag_system'


class PictureValues(np.ndarray):
    """
    The values of a picture, which are no measured pixels.
    """


def place_of_defects(image, position):
    """
    Find the place near which pixels that were replaced are looked for.

    Stretching and compression take the noise out of the bright parts of
    pictures, as interpolation does where pixels were bad.

    Parameters
    ----------
    image : object
        Anything.

    position : tuple of 2 floats
        The place of the galaxy.

    Returns
    -------
    position : tuple of 2 floats or `None`
        `None` if the image was read by `read_picture`.
    """
    return None if isinstance(image, PictureValues) else position


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


def read_picture(image, band=None):
    """
    Read a picture as an image of one plane.

    Parameters
    ----------
    image : path-like, `PIL.Image.Image` or `~numpy.ndarray`
        A picture, grey or in colour.

    band : int, optional
        The colour: 0 for red, 1 for green, 2 for blue. By default, the mean
        of the three, which is less noisy.

    Returns
    -------
    image : 2D `PictureValues`, shape (ny, nx)
        Values from 0 to 255 (65535 for files of 16 bits). The first row is
        that at the top of the picture; not-a-number where it is transparent.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ValueError
        If the file is no picture, or ``band`` is not one of its colours.
    """
    name = ('the array' if isinstance(image, np.ndarray)
            else getattr(image, 'filename', image))
    values = image if isinstance(image, np.ndarray) else _decode(image)
    values = np.asarray(values, dtype=np.float32)
    if values.ndim == 2:
        if band not in (None, 0):
            msg = (f'band must not be given for {name}, which is a grey '
                   f'picture; got {band!r}')
            raise ValueError(msg)
        return values.view(PictureValues)
    hidden = values[..., 3] == 0 if values.shape[-1] == 4 else None
    if band is None:
        values = values[..., :3].mean(-1)
    elif isinstance(band, int) and not isinstance(band, bool) and (
            0 <= band < 3):
        values = values[..., band]
    else:
        msg = (f'band must be 0 (red), 1 (green) or 2 (blue) for {name}, '
               f'got {band!r}')
        raise ValueError(msg)
    if hidden is not None:
        values = np.where(hidden, np.nan, values)
    return values.view(PictureValues)


def picture_options(options):
    """
    Choose the options that do not calibrate an image.

    Parameters
    ----------
    options : dict
        Options of a call.

    Returns
    -------
    options : dict
        Those that a picture can have, with ``calibrated=False``: its values
        are no fluxes, whatever is asked for.
    """
    return {**{name: value for name, value in options.items()
               if name not in _CALIBRATING}, 'calibrated': False}


def warn_of_calibration(options, name, stacklevel=2):
    """
    Warn of options that would calibrate a picture.

    Parameters
    ----------
    options : dict
        Options of a call.

    name : str
        The name of the picture; it may be empty.

    stacklevel : int, optional
        As of `warnings.warn`, seen from the caller.

    Returns
    -------
    warned : bool

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are such options.
    """
    given = [option for option in _CALIBRATING
             if options.get(option) is not None]
    if options.get('calibrated') is True:
        given.append('calibrated')
    if not given:
        return False
    which = f'the picture {name}' if name else 'a colour picture'
    msg = (f'{which} has no zero point, since its values are no fluxes: '
           f'{" and ".join(f"{option}=" for option in given)} not used for '
           'pictures')
    warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
    return True


def _other_kind(path):
    """
    Tell what a file is that is no picture, as the beginning of a clause.
    """
    with open(path, 'rb') as stream:
        kind, found, _ = describe_kind(stream).partition(' and no FITS file')
    return f'{kind} and ' if found and kind != 'a picture' else ''


def _decode(image):
    """
    Decode a file or an object of Pillow to an array, grey or in colour.
    """
    from PIL import Image, UnidentifiedImageError

    if not hasattr(image, 'convert'):
        try:
            with Image.open(image) as picture:
                if picture.format == 'FITS':
                    # (Pillow reads some, turned upside down)
                    msg = (f'image: {image} is a FITS file and no picture: '
                           'give it the ending .fits')
                    raise ValueError(msg)
                picture.load()
                return _decode(picture)
        except FileNotFoundError as error:
            msg = f'image: {image} does not exist'
            raise FileNotFoundError(msg) from error
        except (UnidentifiedImageError, OSError) as error:
            msg = (f'image: {image} is {_other_kind(image)}no picture that '
                   f'can be read: {error}')
            raise ValueError(msg) from error
    if image.mode in ('RGBA', 'LA', 'PA') or 'transparency' in image.info:
        return np.array(image.convert('RGBA'))
    if image.mode in ('L', 'I', 'F', 'I;16', 'I;16B', 'RGB'):
        return np.array(image)
    return np.array(image.convert('L' if image.mode == '1' else 'RGB'))
