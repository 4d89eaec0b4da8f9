# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof simulate``.
"""

import sys
from pathlib import Path

from astro_pix2prof.cli.options import add_common_options, local_path
from astro_pix2prof.cli.output import (
    check_new,
    make_folder,
    option_text,
    save_figure,
)
from astro_pix2prof.cli.values import number

__all__ = ['add_simulate_command']


# Images of a block of simulated galaxies: what is in memory at once.
_BLOCK = 64


def add_simulate_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'simulate', help='simulate galaxies with known profiles',
        description='Simulate images of galaxies as a survey would deliver '
                    'them, and write each with its true profile.')
    command.add_argument('--survey', default='sdss',
                         help="a survey or a band of one, such as 'sdss' or "
                              "'sdss-r', 'mix' or 'any' (default: sdss)")
    command.add_argument('--n', type=number(int), default=10, metavar='N',
                         help='how many (default: 10)')
    command.add_argument('--n-pix', type=number(int), default=256,
                         metavar='N',
                         help='side of the images in pixels (default: 256)')
    command.add_argument('--type', metavar='TYPE', dest='kind',
                         help='the only type of galaxy')
    command.add_argument('--seed', type=number(int), default=0,
                         help='the same seed gives the same galaxies '
                              '(default: 0)')
    command.add_argument('--no-clutter', action='store_true',
                         help='no stars, other galaxies, defects and '
                              'residual sky')
    command.add_argument('--out', metavar='DIR', type=local_path,
                         default=Path('pix2prof_simulated'),
                         help='folder for the images (default: '
                              'pix2prof_simulated)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace images that exist')
    add_common_options(command)
    command.set_defaults(run=_run_simulate, command=command)


def _run_simulate(args):
    from tqdm import tqdm

    from astro_pix2prof.datasets.simulated import write_simulated
    from astro_pix2prof.plotting.simulated import (
        plot_contact_sheet,
        sheet_size,
    )
    from astro_pix2prof.simulation import GalaxySimulator

    if args.n < 1:
        args.command.error(f'argument --n: must be 1 or more, got {args.n}')
    try:
        simulator = GalaxySimulator(
            args.survey, n_pix=args.n_pix, kind=args.kind,
            clutter=not args.no_clutter)
    except ValueError as error:
        args.command.error(option_text(str(error), args.command))
    make_folder(args.out, args)
    sheet = args.out / 'contact_sheet.png'
    check_new(sheet, args)
    paths = []
    with tqdm(total=args.n, unit='image', disable=args.quiet,
              file=sys.stderr) as bar:
        for start in range(0, args.n, _BLOCK):
            galaxies = simulator.simulate(min(_BLOCK, args.n - start),
                                          seed=args.seed + start)
            paths += write_simulated(galaxies, args.out, start=start,
                                     overwrite=args.overwrite)
            bar.update(len(galaxies))
            if start == 0:
                save_figure(plot_contact_sheet, sheet, galaxies,
                            figsize=sheet_size(len(galaxies)))
    if not args.quiet:
        print(f'{len(paths)} images in {args.out.resolve()}\n'
              f'figure: {sheet.resolve()}')
    return 0
