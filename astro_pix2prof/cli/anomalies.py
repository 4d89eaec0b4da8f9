# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof anomalies``.
"""

from astro_pix2prof.cli.options import (
    add_common_options,
    any_path,
    local_path,
)
from astro_pix2prof.cli.output import (
    check_new,
    make_folder,
    show_warnings,
    warn,
)
from astro_pix2prof.cli.similar import (
    DEFAULT_N,
    add_vector_options,
    print_galaxies,
    vector_options,
)
from astro_pix2prof.cli.values import number

__all__ = ['add_anomalies_command']


def add_anomalies_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'anomalies', help='find the unusual galaxies of a survey',
        usage='%(prog)s SURVEY [--ratings CSV ...] [OPTION ...]',
        description='List the galaxies of a survey that are unlike others '
                    'or, with ratings, those that are expected to be rated '
                    'highest. The survey was run with --embedding, or '
                    '--columns are given.')
    add_vector_options(command)
    command.add_argument('--ratings', action='append', type=any_path,
                         metavar='CSV', default=[],
                         help='ratings, as the page exports them: columns '
                              'index and rating; may be repeated, the later '
                              'file counts')
    command.add_argument('--next', action='store_true',
                         help='list the galaxies to rate next, instead of '
                              'the best so far')
    command.add_argument('--page', metavar='HTML', type=local_path,
                         help='write a page that shows them, to rate them '
                              'by clicking')
    command.add_argument('--images', metavar='DIR', type=local_path,
                         help='where the images for the page are now, if '
                              'not where they were measured')
    command.add_argument('--components', type=number(int, least=1),
                         default=40, metavar='N',
                         dest='n_components',
                         help='principal components of the embeddings that '
                              'are used (default: 40)')
    command.add_argument('--seed', type=number(int, least=0), default=0,
                         help='of the search (default: 0)')
    add_common_options(command)
    command.set_defaults(run=_run_anomalies, command=command)


def _run_anomalies(args):
    from astro_pix2prof.profile.io import write_table
    from astro_pix2prof.representations.anomalies import AnomalyFinder

    options = vector_options(args)
    if args.images is not None and args.page is None:
        args.command.error('argument --images: only --page shows images')
    if args.page is not None:
        check_new(args.page, args, '--page')
        make_folder(args.page.parent, args, '--page')
    with show_warnings(args):
        finder = AnomalyFinder(args.survey, seed=args.seed,
                               n_components=args.n_components, **options)
        for path in args.ratings:
            _rate(finder, path, args)
        n = DEFAULT_N if args.n is None else args.n
        table = finder.next(n) if args.next else finder.scores[:n]
        if args.out is not None:
            write_table(table, args.out, overwrite=args.overwrite)
        if args.page is not None:
            from astro_pix2prof.report.page import write_report

            write_report(args.survey, args.page, galaxies=table['index'],
                         images=True if args.images is None
                         else args.images, overwrite=args.overwrite)
    if not args.quiet:
        print_galaxies(table, ('rank', args.id_column or 'index', 'score',
                               'isolation', 'predicted_err', 'rating'))
        print(f'{finder.n_rated} rated of {len(finder)} galaxies')
        for path, what in ((args.out, 'table'), (args.page, 'page')):
            if path is not None:
                print(f'{what} in {path.resolve()}')
    return 0


def _rate(finder, path, args):
    """
    Add the ratings of a file, which errors name.
    """
    before = finder.n_rated
    try:
        finder.rate(path)
        if not finder.n_rated:
            warn(f'--ratings: {path} has no rating'
                 + (' that is left' if before else
                    ': the order is that of isolation'), args)
    except (OSError, ValueError, TypeError) as error:
        if args.debug:
            raise
        text = ' '.join(str(error).split()).removeprefix('ratings')
        text = text.lstrip(' :')
        if str(path) not in text:
            text = f'{path}: {text}'
        msg = f'--ratings: {text}'
        raise ValueError(msg) from error
