# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Read and check the ellipses that are given to ``pix2prof fit``.
"""

import argparse
import math

from astro_pix2prof.addresses import copy_here, is_address
from astro_pix2prof.cli.options import any_path

__all__ = ['check_centre', 'check_forced', 'geometry_path',
           'notes_of_radii', 'read_geometry']


# Pixels within which fitters look for a galaxy where no position is given.
_FAR = 25.0


def geometry_path(text):
    """
    Read the path of a table of ellipses.

    Parameters
    ----------
    text : str
        The path or the address.

    Returns
    -------
    path : `~pathlib.Path` or ``upath.UPath``

    Raises
    ------
    argparse.ArgumentTypeError
        If it is empty, or an address that cannot be read here.
    """
    if not text.strip():
        msg = f'must be the file of a profile or of a table, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return any_path(text)


def check_centre(args, fit):
    """
    Refuse a position that is not where the given ellipses are.

    A position at their centre is of use: the sky is measured around it, and
    --size crops there.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    fit : `~astro_pix2prof.ProfileFit`
        The fit on these ellipses.

    Raises
    ------
    ValueError
        If both differ by more than the fitters look for a galaxy.
    """
    if args.position is None or args.geometry is None:
        return
    (x, y), (x0, y0) = fit.centre, fit.cutout.position
    distance = math.hypot(x - x0, y - y0)
    if distance > _FAR:
        msg = (f'--position is {distance:.0f} pixels from the centre of '
               '--geometry, on which the ellipses lie: leave out --position, '
               'or give the profile of this galaxy')
        raise ValueError(msg)


def notes_of_radii(args, fit):
    """
    Tell that no ring of the radii that were asked for lies in the image.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    Returns
    -------
    notes : list of str
    """
    if args.radii is None or (fit.profile['n_valid'] > 0).any():
        return []
    ny, nx = fit.cutout.shape
    return ['no ring of --radii has a usable pixel in the image, of '
            f'{nx} x {ny} pixels: plain numbers are pixels']


def check_forced(args, *fitters):
    """
    Refuse ellipses that the network would not measure along.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments; wrong ones end the program.

    *fitters
        The fitters, or `None`.
    """
    given = [f'--{name}' for name in ('geometry', 'ellipticity', 'pa')
             if getattr(args, name) is not None]
    architectures = [getattr(fitter, 'architecture', None)
                     for fitter in fitters]
    if given and any(found is not None and not found.finds_geometry
                     for found in architectures):
        args.command.error(
            f'{" and ".join(given)} must not be given with --weights '
            f'{args.weights}, a network that measures along no ellipses: use '
            '--weights rings or --method isophote')


def read_geometry(path):
    """
    Read a profile, or a table of ellipses of any other kind.

    Parameters
    ----------
    path : `~pathlib.Path` or ``upath.UPath``
        The file.

    Returns
    -------
    geometry : `~astropy.table.QTable`

    Raises
    ------
    ValueError
        If it is a folder, or no such table.
    """
    from astropy.table import QTable

    from astro_pix2prof.datasets.tables import read_foreign_ellipses
    from astro_pix2prof.profile.io import read_profile

    if not is_address(path) and path.is_dir():
        msg = (f'{path} is a folder: give the file of a profile or of a '
               'table of ellipses')
        raise ValueError(msg)
    with copy_here(path) as copy:
        if copy.is_file():
            table = read_foreign_ellipses(copy)
            if table is not None:
                return table
    try:
        return read_profile(path)
    except ValueError as error:
        try:
            with copy_here(path) as copy:
                table = QTable.read(copy)
        except Exception:  # every reader has kinds of its own
            table = None
        if table is None or not {'ellipticity', 'eps', 'ellip', 'pa',
                                 'theta'} & set(map(str.lower,
                                                    table.colnames)):
            if str(error).startswith('path must end in'):
                msg = (f'{path} is no profile and no table of ellipses: give '
                       'a file that ends in .ecsv, .fits, .parquet, .vot, '
                       '.csv or, of AutoProf, .prof')
                raise ValueError(msg) from error
            raise
        return table
