# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof fine-tune``.
"""

from pathlib import Path

from astro_pix2prof.cli.options import add_common_options, local_path
from astro_pix2prof.cli.output import (
    check_file,
    show_traceback,
    show_warnings,
    warn,
)
from astro_pix2prof.cli.values import number

__all__ = ['add_fine_tune_command']


def add_fine_tune_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'fine-tune', help='fine-tune a network with few examples',
        description='Fine-tune a ring network with images and measured '
                    'profiles of a new survey or of another kind, or fit a '
                    'head that tells a class or a number of galaxies to '
                    'labels.')
    command.add_argument('weights', metavar='WEIGHTS',
                         help='weights to start with: rings, rings-fast, a '
                              '.safetensors file, or encoder')
    command.add_argument('--out', metavar='FILE', type=local_path,
                         required=True,
                         help='.safetensors file to write, with a model '
                              'card beside it')
    command.add_argument('--overwrite', action='store_true',
                         help='replace a file that exists')
    command.add_argument('--seed', type=number(int), default=0,
                         help='seed of what is drawn (default: 0)')
    command.add_argument('--licence', metavar='TEXT',
                         help='licence of the weights, for the model card')
    command.add_argument('--description', metavar='TEXT', default='',
                         help='what they are for, likewise')
    command.add_argument('--unfreeze', choices=('all', 'rings', 'last'),
                         help='parts of the network that learn: of ring '
                              'networks (default: all), or, with 100 '
                              'labels at least, of the encoder: all or '
                              'last (default: none)')
    pairs = command.add_argument_group('ring networks')
    pairs.add_argument('--pairs', metavar='DIR', type=local_path,
                       help='folder of images and profiles, see the guide '
                            'to pairs')
    pairs.add_argument('--steps', type=number(int, least=1), metavar='N',
                       help='steps of 16 images (default: 100)')
    pairs.add_argument('--minutes', type=number(above=0), default=10.0,
                       help='stop after this time (default: 10)')
    pairs.add_argument('--validation', type=number(least=0.1, most=0.5),
                       default=0.2, metavar='SHARE',
                       help='share of the pairs to hold out (default: 0.2)')
    labels = command.add_argument_group('the encoder')
    labels.add_argument('--table', metavar='FILE', type=local_path,
                        help='table of labelled galaxies, with embeddings '
                             'or with what --images asks for')
    labels.add_argument('--images', metavar='TEMPLATE',
                        help="image of each galaxy, such as "
                             "'images/{id}.fits', with columns of --table "
                             'in braces')
    labels.add_argument('--label', metavar='COLUMN',
                        help='column of --table to learn')
    labels.add_argument('--kind', choices=('classes', 'numbers'),
                        default='classes',
                        help='kind of the labels (default: classes)')
    labels.add_argument('--group', metavar='COLUMN', dest='groups',
                        help='column of --table that rows of one galaxy '
                             'have in common, such as its id, if there are '
                             'several (bands, or images)')
    add_common_options(command)
    command.set_defaults(run=_run_fine_tune, command=command)


def _run_fine_tune(args):
    with show_warnings(args):
        try:
            tuning = _fine_tune(args)
        except (ValueError, FileNotFoundError) as error:
            text = ' '.join(str(error).split())
            if not text.startswith('weights'):
                raise
            show_traceback(error, args)
            # (it has no option: it stands in front)
            args.command.error(
                f'argument WEIGHTS: {text[len("weights"):].lstrip(" :")}')
    if not args.quiet:
        print(tuning)
    return 0


def _fine_tune(args):
    from astro_pix2prof import fine_tune

    if args.out.suffix != '.safetensors':
        args.command.error('argument --out: must end in .safetensors, got '
                           f'{args.out}')
    options = {'out': args.out, 'seed': args.seed, 'licence': args.licence,
               'description': args.description,
               'overwrite': args.overwrite}
    if args.weights == 'encoder':
        for name in ('pairs', 'steps', 'minutes', 'validation'):
            _refuse(args, name)
        _need(args, 'table', 'label')
        if args.unfreeze is None:
            return fine_tune('encoder', _read_table(args), labels=args.label,
                             kind=args.kind, groups=args.groups, **options)
        if args.unfreeze == 'rings':
            args.command.error("--unfreeze of the encoder must be 'all' or "
                               "'last'")
        _need(args, 'images')
        table, paths = _find_images(args, _read_labels(args))
        _check_labels(args, table)
        table['image'] = [str(path) for path in paths]
        return fine_tune('encoder', table, labels=args.label,
                         kind=args.kind, groups=args.groups,
                         unfreeze=args.unfreeze,
                         progress=not args.quiet, **options)
    for name in ('table', 'images', 'label', 'kind', 'groups'):
        _refuse(args, name)
    _need(args, 'pairs')
    if not args.pairs.is_dir():
        args.command.error(f'argument --pairs: {args.pairs} is not a folder: '
                           'give the folder of images and profiles')
    return fine_tune(
        args.weights, args.pairs, unfreeze=args.unfreeze, steps=args.steps,
        minutes=args.minutes, validation=args.validation,
        progress=not args.quiet, **options)


def _need(args, *names):
    missing = [f'--{name}' for name in names if getattr(args, name) is None]
    if missing:
        args.command.error(f'{args.weights} needs {" and ".join(missing)}')


def _refuse(args, name):
    if getattr(args, name) != args.command.get_default(name):
        name = {'groups': 'group'}.get(name, name)
        args.command.error(f'--{name} does not belong to {args.weights}')


def _read_labels(args):
    """
    Read the table of labels.
    """
    from astropy.table import QTable

    suffix = args.table.suffix.lower()
    kinds = {'.csv': 'ascii.csv', '.ecsv': 'ascii.ecsv'}
    check_file(args.table)
    try:
        table = QTable.read(args.table, format=kinds.get(suffix))
    except Exception as error:
        # (astropy lists all formats that it knows)
        reason = ' '.join(str(error).split())
        if 'Format could not be identified' in reason:
            reason = 'it is no CSV, ECSV, FITS, Parquet or VOTable file'
        msg = f'--table: {args.table} cannot be read as a table: {reason}'
        raise ValueError(msg) from error
    for option, name in (('--label', args.label), ('--group', args.groups)):
        if name is not None and name not in table.colnames:
            msg = (f'{option}: {args.table} must have the column {name!r}, '
                   f'it has {", ".join(table.colnames)}')
            raise ValueError(msg)
    return table


def _read_table(args):
    """
    Read the table of labels, with the embeddings of the images.
    """
    table = _read_labels(args)
    if args.images is None:
        if 'embedding' not in table.colnames:
            msg = (f'--table: {args.table} has no column embedding: give '
                   '--images to encode the images of the galaxies')
            raise ValueError(msg)
        return table
    return _encode(args, table)


def _find_images(args, table):
    """
    Find the images of a table: the rows that have one, and their paths.
    """
    if len(table) > 1 and '{' not in args.images:
        msg = (f'--images: {args.images!r} is the same image for each of '
               f'{len(table)} rows of {args.table}: put its columns in '
               f'braces, such as {{{table.colnames[0]}}}')
        raise ValueError(msg)
    paths = []
    for row in table:
        try:
            paths.append(Path(args.images.format_map(
                {name: row[name] for name in table.colnames})))
        except (KeyError, ValueError, IndexError) as error:
            msg = (f'--images: {args.images!r} must have columns of '
                   f'{args.table} in braces ({", ".join(table.colnames)}), '
                   f'got {error}')
            raise ValueError(msg) from error
    there = [path.is_file() for path in paths]
    if not all(there):
        absent = [str(path) for path, found in zip(paths, there,
                                                   strict=True) if not found]
        text = (f'--images: {len(absent)} of {len(paths)} images do not '
                f'exist, such as {absent[0]}')
        if not any(there):
            raise FileNotFoundError(text)
        warn(f'{text} (left out)', args)
    return table[there], [path for path, found in zip(paths, there,
                                                      strict=True) if found]


def _encode(args, table):
    """
    Encode the images of a table of labels.
    """
    from astro_pix2prof import Pix2ProfFitter

    table, paths = _find_images(args, table)
    _check_labels(args, table)
    encoded = Pix2ProfFitter().encode(paths, progress=not args.quiet)
    table['embedding'] = encoded['embedding']
    table.meta.update(encoded.meta)
    return table


def _check_labels(args, table):
    """
    Refuse labels that nothing can be fitted to, before images are encoded.
    """
    from astro_pix2prof.inference.label_checks import check_labels

    check_labels(table, table[args.label], args.kind, args.label,
                 args.groups, args.unfreeze)
