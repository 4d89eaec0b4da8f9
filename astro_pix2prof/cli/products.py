# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Results of ``pix2prof fit`` besides the profile of a galaxy.
"""

import warnings
from pathlib import Path

from astro_pix2prof.cli.options import length, lengths, local_path
from astro_pix2prof.cli.output import SUFFIXES, make_folder
from astro_pix2prof.cli.values import sky_lengths

__all__ = ['BESIDE_FORMATS', 'FORMATS', 'add_product_options',
           'check_products', 'product_files', 'table_suffix',
           'write_products', 'write_table', 'write_table_beside']


# The formats of profiles, and the endings of their files; those that hold
# nothing but profiles come last.
FORMATS = {**SUFFIXES, 'votable': '.vot', 'csv': '.csv', 'iraf': '.fits',
           'autoprof': '.prof'}

_PROFILES_ONLY = ('iraf', 'autoprof')

# Those of tables that are no profiles.
BESIDE_FORMATS = tuple(name for name in FORMATS
                       if name not in _PROFILES_ONLY)


def add_product_options(command):
    """
    Add the options that ask for more than the profile.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    group = command.add_argument_group(
        'more results', 'They stand beside the profile of each image.')
    group.add_argument('--pixels', action='store_true',
                       help='write model, residual, mask and weights as FITS '
                            'images, NAME_pixels.fits')
    group.add_argument('--regions', action='store_true',
                       help='write isophotes and mask as regions of DS9, '
                            'NAME.reg: on the sky if the image has a WCS '
                            '(needs the extra regions)')
    group.add_argument('--html', metavar='FILE', type=_html,
                       help='write a page to look at the galaxy with; {name} '
                            'in FILE stands for the name of each image')
    group.add_argument('--sectors', metavar='N', type=_number_of_sectors,
                       help='write the profiles in N wedges, the first of '
                            'which lies on the major axis')
    group.add_argument('--axes', metavar='WIDTH', type=_width,
                       help='write the profiles along both axes, averaged '
                            'across WIDTH: pixels, or an angle such as '
                            '2arcsec')
    group.add_argument('--vertical', metavar='R1,R2,...', type=_edges,
                       help='write the vertical profiles of an edge-on '
                            'galaxy at these distances along its major axis, '
                            'such as 0,10,20arcsec')


def _html(text):
    import argparse

    path = local_path(text)
    if path.suffix.lower() not in ('.html', '.htm'):
        # (it might be the image that follows)
        msg = f'must end in .html, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return path


def _edges(text):
    import argparse

    import numpy as np

    found = sky_lengths(lengths(text), text)
    values = np.asarray(getattr(found, 'value', found), dtype=float)
    if not (len(values) > 1 and np.isfinite(values).all()
            and values[0] >= 0 and (np.diff(values) > 0).all()):
        msg = ('must be at least two lengths that increase from 0 on, got '
               f'{text!r}')
        raise argparse.ArgumentTypeError(msg)
    return found


def _width(text):
    import argparse

    found = sky_lengths(length(text), text)
    if not found > 0 * found:
        msg = f'must be positive, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return found


def _number_of_sectors(text):
    import argparse

    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 360:
        msg = f'must be an integer from 1 to 360, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return number


def check_products(args):
    """
    End the program if what was asked for cannot be written.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.
    """
    if args.html is not None:
        if len(args.images) > 1 and '{name}' not in str(args.html):
            args.command.error('argument --html: several images need {name} '
                               "in the name, such as '{name}.html'")
        # (a folder with the name of each image is made with its page)
        if '{name}' not in str(args.html.parent):
            make_folder(args.html.parent, args, '--html')
    if args.regions:
        try:
            import regions  # noqa: F401
        except ImportError:
            from astro_pix2prof.extras import missing_extra

            args.command.error(str(missing_extra(
                package='regions', extra='regions', what='--regions')))


def table_suffix(args):
    """
    Choose the ending of tables that are no profiles.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    Returns
    -------
    suffix : str
        ECSV where the format holds nothing but profiles.
    """
    return ('.ecsv' if args.format in _PROFILES_ONLY
            else FORMATS[args.format])


def write_table_beside(table, path, args):
    """
    Write a table that is no profile, in the format of the profiles.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table.

    path : `~pathlib.Path`
        The file, with the ending of `table_suffix`.

    args : `argparse.Namespace`
        The arguments.
    """
    from astropy.io.fits.verify import VerifyWarning

    if args.format == 'csv':
        from astro_pix2prof.profile.csv_files import write_csv

        write_csv(table, path)
        return
    kind = {'votable': {'format': 'votable'}}.get(args.format, {})
    with warnings.catch_warnings():
        # (long names of the meta in FITS files, and units such as nmgy)
        warnings.simplefilter('ignore', VerifyWarning)
        warnings.filterwarnings('ignore', 'The unit .* could not be saved')
        table.write(path, overwrite=args.overwrite, **kind)


def product_files(args, stem):
    """
    Name the files of an image besides its profile.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    stem : str
        The name of the image.

    Returns
    -------
    files : dict of `~pathlib.Path`
        By the name of the option.
    """
    suffix = table_suffix(args)
    files = {'pixels': args.out / f'{stem}_pixels.fits',
             'regions': args.out / f'{stem}.reg',
             'html': args.html and Path(str(args.html).replace(
                 '{name}', stem)),
             'sectors': args.out / f'{stem}_sectors{suffix}',
             'axes': args.out / f'{stem}_axes{suffix}',
             'vertical': args.out / f'{stem}_vertical{suffix}'}
    return {name: path for name, path in files.items()
            if _is_asked(getattr(args, name))}


def _is_asked(value):
    return value is not None and value is not False


def write_table(fit, path, args):
    """
    Write the profile of a fit in the format that was asked for.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    path : `~pathlib.Path`
        The file.

    args : `argparse.Namespace`
        The arguments.
    """
    if args.format in _PROFILES_ONLY:
        from astro_pix2prof.export.tables import (
            write_autoprof,
            write_iraf_table,
        )

        write = {'iraf': write_iraf_table,
                 'autoprof': write_autoprof}[args.format]
        write(fit, path, overwrite=args.overwrite)
        return
    from astro_pix2prof.profile.io import write_profile

    write_profile(fit.profile, path, overwrite=args.overwrite)


def write_products(fit, files, args):
    """
    Write what was asked for besides the profile.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    files : dict of `~pathlib.Path`
        As `product_files` returns them.

    args : `argparse.Namespace`
        The arguments.

    Raises
    ------
    ValueError
        If something cannot be made of this image.
    """
    writers = {'pixels': _write_pixels, 'regions': _write_regions,
               'html': _write_page, 'sectors': _write_sectors,
               'axes': _write_axes, 'vertical': _write_vertical}
    for name, path in files.items():
        try:
            writers[name](fit, path, args)
        except ValueError as error:
            msg = f'--{name}: {error}'
            raise ValueError(msg) from error


def _write_pixels(fit, path, args):
    from astro_pix2prof.export.images import write_pixels

    write_pixels(fit, path, overwrite=args.overwrite)


def _write_regions(fit, path, args):
    from astro_pix2prof.export.regions import write_regions

    frame = 'pixel' if fit.cutout.wcs is None else 'sky'
    write_regions(fit, path, frame=frame, overwrite=args.overwrite)


def _write_page(fit, path, args):
    from astro_pix2prof.report.galaxy import write_galaxy_page

    path.parent.mkdir(parents=True, exist_ok=True)
    write_galaxy_page(fit, path, overwrite=args.overwrite)


def _write_sectors(fit, path, args):
    from astro_pix2prof.cuts.sectors import sector_profiles

    tables = sector_profiles(fit, args.sectors)
    _write_cuts({table.meta['angle']: table for table in tables.values()},
                'angle', path, args)


def _write_axes(fit, path, args):
    from astro_pix2prof.cuts.axes import axis_profile

    tables = {axis: axis_profile(fit, axis, width=args.axes, fold=False)
              for axis in ('major', 'minor')}
    _write_cuts(tables, 'axis', path, args)


def _write_vertical(fit, path, args):
    from astro_pix2prof.cuts.vertical import vertical_profile
    from astro_pix2prof.profile.io import write_profile

    table = vertical_profile(fit, args.vertical, fold_heights=False,
                             fold_radii=False)
    write_profile(table, path, overwrite=args.overwrite)


def _write_cuts(tables, name, path, args):
    """
    Write cuts as one table, with a column that tells them apart.
    """
    import astropy.units as u
    from astropy.table import vstack

    from astro_pix2prof.profile.io import write_profile

    for key, table in tables.items():
        column = [key] * len(table)
        table.add_column(column * u.deg if name == 'angle' else column,
                         name=name, index=0)
    whole = vstack(list(tables.values()), metadata_conflicts='silent')
    # (each has a direction of its own)
    for key in ('angle', 'cut'):
        whole.meta.pop(key, None)
    write_profile(whole, path, overwrite=args.overwrite)
