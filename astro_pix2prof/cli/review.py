# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof review``.
"""

from pathlib import Path

from astro_pix2prof.cli.options import (
    add_common_options,
    any_path,
    local_path,
)
from astro_pix2prof.cli.output import (
    check_new,
    check_table,
    make_folder,
    print_columns,
    show_warnings,
)
from astro_pix2prof.cli.values import number

__all__ = ['add_review_command']


# Rows that are printed.
_SHOWN = 10


def add_review_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'review', help='list the galaxies of a survey to look at first',
        description='Order the galaxies of a survey by what a look of a '
                    'person is expected to gain, and write the first of '
                    'them, with the reason of the doubt.')
    command.add_argument('survey', metavar='SURVEY', type=any_path,
                         help='the folder that pix2prof survey has written, '
                              'or one Parquet file')
    command.add_argument('--budget', metavar='N', type=number(int, least=0),
                         default=200,
                         help='how many galaxies can be looked at (default: '
                              '200)')
    command.add_argument('--out', metavar='FILE', type=local_path,
                         default=Path('queue.ecsv'),
                         help='the table, .ecsv, .csv, .fits or .parquet '
                              '(default: queue.ecsv)')
    command.add_argument('--all', action='store_true',
                         help='write all galaxies, not only those to look '
                              'at')
    command.add_argument('--tolerance', metavar='MAG', type=number(above=0),
                         default=0.2,
                         help='the error from which on a profile is wrong '
                              '(default: 0.2 mag)')
    command.add_argument('--miss', metavar='COST', type=number(least=0),
                         default=1.0,
                         help='the cost of a wrong profile that is used '
                              '(default: 1)')
    command.add_argument('--lost', metavar='COST', type=number(least=0),
                         default=1.0,
                         help='the cost of a good profile that is not used '
                              '(default: 1)')
    command.add_argument('--look', metavar='COST', type=number(least=0),
                         default=0.02,
                         help='the cost of a look (default: 0.02)')
    command.add_argument('--repair', metavar='SHARE',
                         type=number(least=0, most=1),
                         default=1.0,
                         help='the share of wrong profiles that a look '
                              'rights (default: 1)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace a table that exists')
    add_common_options(command)
    command.set_defaults(run=_run_review, command=command)


def _run_review(args):
    from astro_pix2prof.profile.io import write_table
    from astro_pix2prof.review.queue import review_queue

    check_table(args.out, args)
    check_new(args.out, args)
    make_folder(args.out.parent, args)
    with show_warnings(args):
        queue = review_queue(
            args.survey, args.budget, tolerance=args.tolerance,
            miss=args.miss, lost=args.lost, look=args.look,
            repair=args.repair)
        looks = queue[queue['rank'] > 0]
        write_table(queue if args.all else looks, args.out,
                    overwrite=args.overwrite)
    if not args.quiet:
        _print_queue(queue, looks, args.out, all_rows=args.all)
    return 0


def _print_queue(queue, looks, path, *, all_rows):
    """
    Print the first rows, and how many galaxies are in each tier.
    """
    if len(looks):
        print_columns([('galaxy', 'wrong', 'why')] + [
            (str(row['source'] or row['index']), f'{row["p_wrong"]:.0%}',
             str(row['reason'])) for row in looks[:_SHOWN]])
    counts = {tier: int((queue['tier'] == tier).sum())
              for tier in ('look', 'accept', 'reject')}
    rest = f'{counts["accept"]} to accept, {counts["reject"]} to reject'
    if counts['look']:
        print(f'{len(looks)} of {counts["look"]} galaxies worth a look, '
              f'{rest}: {path.resolve()}')
        return
    print(f'no galaxy is worth a look at these costs, {rest} (a lower --look '
          'or a higher --miss finds more)')
    print(f'{"table of all" if all_rows else "empty table"}: '
          f'{path.resolve()}')
