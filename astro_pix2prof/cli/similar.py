# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof similar``.
"""

from astro_pix2prof.cli.methods import make_fitter
from astro_pix2prof.cli.options import (
    add_common_options,
    add_image_options,
    add_network_options,
    any_path,
    image_options,
    local_path,
)
from astro_pix2prof.cli.output import (
    check_file,
    check_new,
    check_table,
    make_folder,
    show_warnings,
)
from astro_pix2prof.cli.values import number

__all__ = ['DEFAULT_N', 'add_similar_command', 'add_vector_options',
           'print_galaxies', 'vector_options']


# So many galaxies are listed by default.
DEFAULT_N = 20


# Columns that are printed, besides those of the search and the id.
_PRINTED = ('source', 'band', 'mag', 'radius_50')


def add_similar_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'similar', help='find galaxies of a survey that are alike',
        usage='%(prog)s SURVEY --id ID [OPTION ...]',
        description='List the galaxies of a survey that are most like one '
                    'of it, like an image, or like several. The survey was '
                    'run with --embedding, or --columns are given.')
    # (a number below 0 comes with a blank, see the main program)
    command.add_argument('--id', action='append', metavar='ID', default=[],
                         type=str.strip,
                         help='a galaxy of the survey: its number, or '
                              'another name that it has there; may be '
                              'repeated')
    command.add_argument('--image', action='append', type=any_path,
                         metavar='FITS', default=[],
                         help='a galaxy by its image; may be repeated. It '
                              'is measured as the survey was if --weights '
                              'and the options of images are the same')
    add_vector_options(command)
    command.add_argument('--metric', choices=('cosine', 'euclidean'),
                         help='how distances are measured (default: cosine; '
                              'euclidean for --columns)')
    command.add_argument('--engine', choices=('sklearn', 'faiss', 'usearch'),
                         help='the package that searches (default: sklearn; '
                              'faiss for more than 100,000 galaxies if it '
                              'is installed)')
    add_network_options(command)
    add_common_options(command)
    add_image_options(command)
    command.set_defaults(run=_run_similar, command=command)


def add_vector_options(command):
    """
    Add the options of searches in a survey.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    add = command.add_argument
    add('survey', metavar='SURVEY', type=any_path,
        help='the folder that pix2prof survey has written, or one Parquet '
             'file')
    add('-n', type=number(int, least=1), metavar='N',
        help=f'how many galaxies to list (default: {DEFAULT_N})')
    add('--out', metavar='TABLE', type=local_path,
        help='write the table, with all columns: .ecsv, .fits, .parquet or '
             '.csv')
    add('--columns', metavar='NAME,NAME,...', type=_names,
        help='compare these columns of numbers instead of the embeddings')
    add('--column', metavar='NAME', default='embedding',
        help='the column of embeddings (default: embedding)')
    add('--id-column', metavar='NAME',
        help='the column that names a galaxy (default: index)')
    add('--overwrite', action='store_true',
        help='replace a file that exists')


def _names(text):
    return [name for name in text.split(',') if name]


def vector_options(args):
    """
    Collect the options of `add_vector_options`; wrong ones end the program.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    Returns
    -------
    options : dict
        Those of the vectors.
    """
    if args.out is not None:
        check_table(args.out, args)
        check_new(args.out, args)
        make_folder(args.out.parent, args)
    return {'column': args.column, 'columns': args.columns,
            'id_column': args.id_column}


def _run_similar(args):
    from astro_pix2prof.profile.io import write_table
    from astro_pix2prof.representations.index import SimilarityIndex

    if not args.id and not args.image:
        args.command.error('give a galaxy: --id or --image')
    if args.image and args.columns:
        args.command.error('argument --image: an image has no --columns: '
                           'give --id')
    options = vector_options(args)
    given = image_options(args)
    if given and not args.image:
        args.command.error('the options of images are of --image, which is '
                           'not given')
    for path in args.image:
        check_file(path)
    with show_warnings(args):
        index = SimilarityIndex(args.survey, metric=args.metric,
                                engine=args.engine, **options)
        of = list(args.id)
        if args.image:
            fitter = make_fitter('pix2prof', args)
            of.append(fitter.encode(args.image, **given))
        # (a small survey has fewer than are listed by default)
        n = args.n if args.n is not None else max(1, min(
            DEFAULT_N, len(index) - len(set(args.id))))
        table = index.query(of, n=n)
        if args.out is not None:
            write_table(table, args.out, overwrite=args.overwrite)
    if not args.quiet:
        for name in args.id:
            _print_asked(index, name)
        print_galaxies(table, ('rank', 'distance', args.id_column or 'index'))
        if args.out is not None:
            print(f'table in {args.out.resolve()}')
    return 0


def _print_asked(index, name):
    """
    Print which galaxy was asked for.
    """
    row = index.find(name)
    source = (f': {index.galaxies["source"][row]}'
              if 'source' in index.galaxies.colnames else '')
    print(f'like the galaxy with the {index.id_column} '
          f'{index.ids[row]}{source}')


def print_galaxies(table, first):
    """
    Print the columns of galaxies that fit a line.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The galaxies.

    first : sequence of str
        The columns that come first, if they are there.
    """
    names = [name for name in (*first, *_PRINTED) if name in table.colnames]
    shown = table[list(dict.fromkeys(names))]
    for name in shown.colnames:
        if shown[name].dtype.kind == 'f':
            shown[name].info.format = '.4g'
    print('\n'.join(shown.pformat(max_lines=-1, max_width=-1,
                                  show_unit=False)))
