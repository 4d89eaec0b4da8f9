# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof evaluate``.
"""

from pathlib import Path

from astro_pix2prof.cli.methods import make_fitter
from astro_pix2prof.cli.options import add_common_options, local_path
from astro_pix2prof.cli.output import (
    check_new,
    make_folder,
    print_columns,
    save_figure,
    show_warnings,
)
from astro_pix2prof.cli.values import number

__all__ = ['add_evaluate_command']


def add_evaluate_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'evaluate', help='measure the errors of fitters',
        description='Measure images with known profiles, and compare with '
                    'the truth.')
    command.add_argument('folder', metavar='DIR', type=local_path,
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
    command.add_argument('--jobs', type=number(int), default=1, metavar='N',
                         help='processes for the isophote fit (default: 1)')
    command.add_argument('--device', help='where the networks run')
    command.add_argument('--out', metavar='DIR', type=local_path,
                         default=Path('pix2prof_evaluation'),
                         help='folder for tables and figures (default: '
                              'pix2prof_evaluation)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_common_options(command)
    command.set_defaults(run=_run_evaluate, command=command)


def _run_evaluate(args):
    from astro_pix2prof.evaluation.evaluate import evaluate_fitters
    from astro_pix2prof.plotting.evaluation import (
        plot_evaluation,
        plot_evaluation_profiles,
    )

    if args.folder.is_file():
        args.command.error(f'argument DIR: {args.folder} is a file: give the '
                           'folder of the images')
    files = sorted(args.folder.glob('*.fits*'))
    if not files:
        args.command.error(f'argument DIR: {args.folder} has no FITS files')
    make_folder(args.out, args)
    table = args.out / 'evaluation.ecsv'
    check_new(table, args)
    fitters = {Path(name).stem: make_fitter('pix2prof', args, weights=name)
               for name in args.weights or ['rings']}
    if not args.no_isophotes:
        fitters['isophotes'] = make_fitter('isophote', args)
    with show_warnings(args):
        evaluation = evaluate_fitters(
            fitters, files, mu_limit=args.mu_limit, n_jobs=args.jobs,
            progress=not args.quiet)
    evaluation.write(table, overwrite=True)
    figures = {'evaluation.png': (plot_evaluation, (11.0, 8.0)),
               'profiles.png': (plot_evaluation_profiles, (11.0, 8.0))}
    for name, (function, size) in figures.items():
        save_figure(function, args.out / name, evaluation, figsize=size)
    if args.quiet:
        return 0
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
