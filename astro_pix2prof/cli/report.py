# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof report``.
"""

import time
from pathlib import Path

from astro_pix2prof.cli.options import (
    add_common_options,
    any_path,
    local_path,
)
from astro_pix2prof.cli.output import (
    check_file,
    check_new,
    make_folder,
    show_warnings,
)
from astro_pix2prof.cli.values import number

__all__ = ['add_report_command']


# The formats of lists of galaxies whose content does not tell them.
_FORMATS = {'.ecsv': 'ascii.ecsv', '.csv': 'ascii.csv', '.parquet': 'parquet'}


def add_report_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'report', help='look at the results of a survey',
        description='Write one HTML page with the counts, flags, failures '
                    'and distributions of a survey, and a gallery of '
                    'galaxies to sort and filter.')
    command.add_argument('survey', metavar='SURVEY', type=any_path,
                         help='the folder that pix2prof survey has written, '
                              'or one Parquet file')
    command.add_argument('--out', metavar='HTML', type=local_path,
                         default=Path('report.html'),
                         help='the page (default: report.html)')
    command.add_argument('--gallery', metavar='N', type=number(int),
                         default=60,
                         help='galaxies to choose at random; some of each '
                              'flag, failure and extreme are added '
                              '(default: 60)')
    command.add_argument('--seed', type=number(int), default=0,
                         help='of the choice (default: 0)')
    command.add_argument('--galaxies', metavar='TABLE', type=local_path,
                         help='show the galaxies of this table, by its '
                              "column 'index', instead: such as pix2prof "
                              'similar and anomalies write it')
    group = command.add_mutually_exclusive_group()
    group.add_argument('--images', metavar='DIR', type=local_path,
                       help='where the images are now, if not where they '
                            'were measured')
    group.add_argument('--no-images', action='store_true',
                       help='show profiles only')
    command.add_argument('--overwrite', action='store_true',
                         help='replace a page that exists')
    add_common_options(command)
    command.set_defaults(run=_run_report, command=command)


def _run_report(args):
    from astro_pix2prof.report.page import write_report

    if args.gallery < 0:
        args.command.error('argument --gallery: must be 0 or more, got '
                           f'{args.gallery}')
    check_new(args.out, args)
    if args.out.suffix.lower() not in ('.html', '.htm'):
        args.command.error('argument --out: must end in .html, got '
                           f'{args.out}')
    make_folder(args.out.parent, args)
    galaxies = None if args.galaxies is None else _read_list(args.galaxies)
    start = time.perf_counter()
    with show_warnings(args):
        path = write_report(
            args.survey, args.out, n_gallery=args.gallery, seed=args.seed,
            images=args.images if args.images is not None
            else not args.no_images, galaxies=galaxies,
            overwrite=args.overwrite)
    if not args.quiet:
        print(f'report: {path.resolve()} '
              f'({path.stat().st_size / 1e6:.1f} MB, '
              f'{time.perf_counter() - start:.1f} s)')
    return 0


def _read_list(path):
    """
    Read the column 'index' of a table of galaxies.
    """
    from astropy.table import Table

    check_file(path)
    table = Table.read(path, format=_FORMATS.get(path.suffix.lower()))
    if 'index' not in table.colnames:
        msg = (f"{path} has no column 'index', which tells the galaxies of a "
               f'survey; there are {", ".join(table.colnames)}')
        raise ValueError(msg)
    if not len(table):
        msg = (f'--galaxies: {path} lists no galaxy, so that there is nothing '
               'to show: leave it out, or give another list')
        raise ValueError(msg)
    return table['index'].tolist()
