# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The commands ``pix2prof simulate``, ``train`` and ``evaluate``.
"""

import sys
from pathlib import Path

from astro_pix2prof.cli.methods import network_fitter
from astro_pix2prof.cli.options import add_common_options
from astro_pix2prof.cli.output import (
    make_folder,
    print_columns,
    quietly,
    save_figure,
)
from astro_pix2prof.cli.simulate import _run_simulate
from astro_pix2prof.cli.train import _run_train

__all__ = ['add_commands']


def add_commands(commands):
    """
    Add the commands to the parser.

    Parameters
    ----------
    commands : object
        What `argparse.ArgumentParser.add_subparsers` returned.
    """
    command = commands.add_parser(
        'simulate', help='simulate galaxies with known profiles',
        description='Simulate images of galaxies as a survey would deliver '
                    'them, and write each with its true profile.')
    command.add_argument('--survey', default='sdss',
                         help="a survey or a band of one, such as 'sdss' or "
                              "'sdss-r', 'mix' or 'any' (default: sdss)")
    command.add_argument('--n', type=int, default=10, metavar='N',
                         help='how many (default: 10)')
    command.add_argument('--n-pix', type=int, default=256, metavar='N',
                         help='side of the images in pixels (default: 256)')
    command.add_argument('--type', metavar='TYPE', dest='kind',
                         help='the only type of galaxy')
    command.add_argument('--seed', type=int, default=0,
                         help='the same seed gives the same galaxies '
                              '(default: 0)')
    command.add_argument('--no-clutter', action='store_true',
                         help='no stars, other galaxies, defects and '
                              'residual sky')
    command.add_argument('--out', metavar='DIR', type=Path,
                         default=Path('pix2prof_simulated'),
                         help='folder for the images (default: '
                              'pix2prof_simulated)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace images that exist')
    add_common_options(command)
    command.set_defaults(run=_run_simulate, command=command)

    command = commands.add_parser(
        'train', help='train a network',
        description='Train a network with a recipe; go on where an earlier '
                    'run in the same folder stopped.')
    command.add_argument('recipe', metavar='RECIPE',
                         help='TOML file, or the name of a recipe of the '
                              'package, such as tutorial')
    command.add_argument('--out', metavar='DIR', type=Path,
                         help='folder for checkpoints, logs and weights '
                              '(default: the name of the recipe)')
    command.add_argument('--no-resume', action='store_true',
                         help='start anew')
    command.add_argument('--accelerator', default='auto',
                         help='cpu, gpu, ... (default: auto)')
    command.add_argument('--devices', default='auto',
                         help='how many processes or GPUs (default: auto)')
    command.add_argument('--nodes', type=int, default=1, metavar='N',
                         help='how many machines (default: 1)')
    command.add_argument('--max-minutes', type=float, metavar='MINUTES',
                         help='stop after this time; a later call goes on')
    add_common_options(command)
    command.set_defaults(run=_run_train, command=command)

    command = commands.add_parser(
        'evaluate', help='measure the errors of fitters',
        description='Measure images with known profiles, and compare with '
                    'the truth.')
    command.add_argument('folder', metavar='DIR', type=Path,
                         help='folder of FITS files with an extension TRUTH, '
                              'as pix2prof simulate writes them')
    command.add_argument('--weights', action='append', metavar='NAME',
                         help='weights of a network, a name or a file; may '
                              'be repeated (default: rings)')
    command.add_argument('--no-isophotes', action='store_true',
                         help='leave out the isophote fit')
    command.add_argument('--mu-limit', type=float, default=26.5,
                         metavar='MU',
                         help='end of the bright part of the profiles '
                              '(default: 26.5)')
    command.add_argument('--jobs', type=int, default=1, metavar='N',
                         help='processes for the isophote fit (default: 1)')
    command.add_argument('--device', help='where the networks run')
    command.add_argument('--out', metavar='DIR', type=Path,
                         default=Path('pix2prof_evaluation'),
                         help='folder for tables and figures (default: '
                              'pix2prof_evaluation)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_common_options(command)
    command.set_defaults(run=_run_evaluate, command=command)


def _run_evaluate(args):
    from astro_pix2prof.evaluation.evaluate import evaluate_fitters
    from astro_pix2prof.isophote.fitter import IsophoteFitter
    from astro_pix2prof.plotting.evaluation import (
        plot_evaluation,
        plot_evaluation_profiles,
    )

    files = sorted(args.folder.glob('*.fits*'))
    if not files:
        args.command.error(f'argument DIR: {args.folder} has no FITS files')
    make_folder(args.out, args)
    table = args.out / 'evaluation.ecsv'
    if table.exists() and not args.overwrite:
        args.command.error(f'argument --out: {table} exists: give '
                           '--overwrite to replace it')
    fitters = {Path(name).stem: network_fitter(name, args.device)
               for name in args.weights or ['rings']}
    if not args.no_isophotes:
        fitters['isophotes'] = IsophoteFitter()
    evaluation, notes = quietly(
        evaluate_fitters, fitters, files, mu_limit=args.mu_limit,
        n_jobs=args.jobs, progress=not args.quiet)
    evaluation.write(table, overwrite=True)
    figures = {'evaluation.png': (plot_evaluation, (11.0, 8.0)),
               'profiles.png': (plot_evaluation_profiles, (11.0, 8.0))}
    for name, (function, size) in figures.items():
        save_figure(function, args.out / name, evaluation, figsize=size)
    if args.quiet:
        return 0
    for note in notes:
        print(f'pix2prof: warning: {note}', file=sys.stderr)
    for title, part in (('all images', evaluation.summary()),
                        ('by band', evaluation.by_band()),
                        ('by type', evaluation.by_type())):
        print(f'\n{title}:')
        print_columns([tuple(part.colnames), *(
            tuple(_text(value) for value in row) for row in part)])
    print(f'\ntables and figures: {args.out.resolve()}')
    return 0


def _text(value):
    number = getattr(value, 'value', value)
    return f'{number:.3f}' if isinstance(number, float) else str(number)
