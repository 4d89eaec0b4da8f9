# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the masks, errors and sky of an image from FITS files.
"""

from astro_pix2prof.addresses import find_path
from astro_pix2prof.cli.output import check_file, file_stem

__all__ = ['check_planes', 'read_planes']


_PLANES = ('mask', 'uncertainty', 'invvar', 'background')


def check_planes(args):
    """
    End the program if a file that all images share does not exist.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.
    """
    from astro_pix2prof.image.companions import split_extension

    for name in _PLANES:
        text = getattr(args, name)
        if text is not None and '{name}' not in text:
            path, _ = split_extension(text)
            try:
                check_file(find_path(path, name))
            except (OSError, ValueError, ImportError) as error:
                args.command.error(f'argument --{name}: {error}')


def read_planes(args, image):
    """
    Read the mask, the errors and the sky of an image.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    image : `~pathlib.Path`
        The image.

    Returns
    -------
    planes : dict
        The options ``mask``, ``uncertainty``, ``invvar`` and ``background``
        of `GalaxyCutout` that were given.

    Raises
    ------
    OSError
        If a file does not exist or is no readable FITS file.

    ValueError
        If it has no such extension.
    """
    from astro_pix2prof.image.companions import read_plane, split_extension

    planes = {}
    for name in _PLANES:
        text = getattr(args, name)
        if text is None:
            continue
        path, hdu = split_extension(text.replace('{name}', file_stem(image)))
        try:
            check_file(find_path(path, name))
            planes[name] = read_plane(name, path, hdu)
        except (OSError, ValueError) as error:
            msg = f'--{name}: {error}'
            kind = OSError if isinstance(error, OSError) else ValueError
            raise kind(msg) from error
    return planes
