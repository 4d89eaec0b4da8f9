# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof simulate``.
"""

import sys

from astro_pix2prof.cli.output import (
    make_folder,
    save_figure,
)

__all__ = []


# Images of a block of simulated galaxies: what is in memory at once.
_BLOCK = 64


def _run_simulate(args):
    from tqdm import tqdm

    from astro_pix2prof.datasets.simulated import write_simulated
    from astro_pix2prof.plotting.simulated import plot_contact_sheet
    from astro_pix2prof.simulation import GalaxySimulator

    if args.n < 1:
        args.command.error(f'argument --n: must be 1 or more, got {args.n}')
    try:
        simulator = GalaxySimulator(
            args.survey, n_pix=args.n_pix, kind=args.kind,
            clutter=not args.no_clutter)
    except ValueError as error:
        args.command.error(str(error))
    make_folder(args.out, args)
    sheet = args.out / 'contact_sheet.png'
    if sheet.exists() and not args.overwrite:
        args.command.error(f'argument --out: {sheet} exists: give '
                           '--overwrite to replace it')
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
                            figsize=(12.0, 12.0))
    if not args.quiet:
        print(f'{len(paths)} images in {args.out.resolve()}\n'
              f'figure: {sheet.resolve()}')
    return 0
