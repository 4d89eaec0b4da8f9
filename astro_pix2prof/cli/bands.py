# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read the images of several bands, for commands that take BAND=IMAGE.
"""

import argparse
from pathlib import Path

from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.options import (
    add_common_options,
    add_fitter_options,
    add_image_options,
    add_plane_options,
    any_path,
    local_path,
)
from astro_pix2prof.cli.output import check_file
from astro_pix2prof.cli.planes import read_planes

__all__ = ['add_band_options', 'add_colour_options', 'add_reference_option',
           'band_and_path', 'check_bands', 'check_colours',
           'check_reference', 'options_by_band']


def add_band_options(command, *, formats, plot):
    """
    Add the images of several bands, how they are measured, and the results.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.

    formats : iterable of str
        The formats of its tables.

    plot : str
        The content of its figure.
    """
    command.add_argument('images', nargs='+', metavar='BAND=IMAGE',
                         type=band_and_path,
                         help='band and FITS file, such as g=ngc1234_g.fits; '
                              'the planes of a cube that have the names of '
                              'the bands if all have the same file')
    command.add_argument('--method', choices=METHODS, default='pix2prof',
                         help='how to measure (default: pix2prof)')
    add_fitter_options(command, each=True)
    command.add_argument('--out', metavar='DIR', type=local_path,
                         default=Path(),
                         help='folder for the results (default: this one)')
    command.add_argument('--format', choices=formats, default='ecsv',
                         help='format of the tables (default: ecsv)')
    command.add_argument('--plot', action='store_true',
                         help=f'write a PNG of {plot}')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_common_options(command)
    add_image_options(command, each=True)
    add_plane_options(command, each=True)


def add_reference_option(command):
    """
    Add the option of the band whose ellipses are used.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    command.add_argument('--reference', metavar='BAND',
                         help='the band whose ellipses all share, or all for '
                              'those of the sum of all bands (default: r, or '
                              'else the band with the most signal)')


def add_colour_options(command):
    """
    Add the options of the ellipses and the colours of several bands.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    add_reference_option(command)
    command.add_argument('--colours', metavar='X-Y,X-Y,...',
                         type=lambda text: text.split(','),
                         help='the colours, such as g-r,g-z (default: those '
                              'of neighbours in BAND=IMAGE)')


def check_reference(args, paths):
    """
    End the program if the reference is none of the bands.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    paths : dict
        The image of each band.
    """
    if args.reference is not None and args.reference not in (*paths, 'all'):
        args.command.error('argument --reference: must be one of '
                           f'{", ".join(paths)} or all, got '
                           f'{args.reference!r}')


def check_colours(args, paths):
    """
    End the program if the reference or a colour is none of the bands.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    paths : dict
        The image of each band.
    """
    from astro_pix2prof.fitting.bands import colour_pairs

    check_reference(args, paths)
    try:
        colour_pairs(paths, args.colours)
    except ValueError as error:
        args.command.error('argument --'
                           + str(error).replace(' ', ': ', 1))


def band_and_path(text):
    """
    Read a band and its image.

    Parameters
    ----------
    text : str
        Such as 'g=ngc1234_g.fits'.

    Returns
    -------
    band : str
    path : `~pathlib.Path` or ``upath.UPath``

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    band, equals, path = text.partition('=')
    if not equals or not band or not path:
        msg = f'must be BAND=IMAGE such as g=ngc1234_g.fits, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return band, any_path(path)


def check_bands(args, images):
    """
    End the program if a band is there twice, or its sky is given by band.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    images : list of tuple
        As of `band_and_path`.

    Returns
    -------
    paths : dict
        The image of each band.
    """
    bands = [band for band, _ in images]
    if len(set(bands)) < len(bands):
        args.command.error('argument BAND=IMAGE: give each band once, got '
                           + ', '.join(bands))
    for name in ('sky', 'sky_err'):
        if len(getattr(args, name) or ()) > 1:
            args.command.error(f'argument --{name.replace("_", "-")}: give '
                               'it once, for all bands')
    return dict(images)


def options_by_band(paths, parts, each):
    """
    Collect the options of the images by name and band, as fit_bands has it.

    Parameters
    ----------
    paths : dict
        The image of each band.

    parts : list of `argparse.Namespace`
        The arguments for each image.

    each : list of dict
        The options of each, as of `image_options`.

    Returns
    -------
    together : dict of dict
    """
    together = {}
    for (band, path), part, own in zip(paths.items(), parts, each,
                                       strict=True):
        check_file(path)
        own = {**own, **read_planes(part, path)}
        if len(set(paths.values())) == 1 and 'band' not in own:
            own['band'] = band
        for name, value in own.items():
            together.setdefault(name, {})[band] = value
    return together
