# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof mass``.
"""

from astro_pix2prof.cli.bands import (
    add_band_options,
    add_reference_option,
    check_bands,
    check_reference,
    options_by_band,
)
from astro_pix2prof.cli.distance import (
    add_distance_options,
    distance,
    distance_options,
)
from astro_pix2prof.cli.methods import make_fitter
from astro_pix2prof.cli.options import image_options, split_options
from astro_pix2prof.cli.output import (
    SUFFIXES,
    check_new,
    file_stem,
    make_folder,
    option_text,
    print_columns,
    quietly,
    report,
    save_figure,
    show_traceback,
    warn,
)
from astro_pix2prof.cli.planes import check_planes

__all__ = ['add_mass_command']


# Options that are passed on as they are.
_PASSED = ('relation', 'colour', 'light', 'distance_err', 'k_correction',
           'max_colour_err')


def add_mass_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'mass', help='measure the stellar-mass profile of a galaxy',
        usage='%(prog)s [OPTION ...] BAND=IMAGE BAND=IMAGE ...',
        description='Measure a galaxy in several bands and write its '
                    'stellar-mass profile, from its colour. Options of the '
                    'images may be given once, or once for each image in '
                    "their order ('none' where one does not apply).")
    add_reference_option(command)
    _add_mass_options(command)
    add_band_options(command, formats=SUFFIXES, plot='the mass profile')
    command.set_defaults(run=_run_mass, command=command)


def _add_mass_options(command):
    group = command.add_argument_group('mass')
    add = group.add_argument
    add('--relation', default='taylor2011', metavar='NAME',
        help='relation between colour and mass-to-light ratio: taylor2011 '
             '(default), roediger2015_bc03, roediger2015_fsps, zibetti2009, '
             'into2013_exponential or into2013_disc')
    add('--colour', metavar='NAME',
        help='the colour, such as g-r (default: g-i if the relation and the '
             'images have it)')
    add('--light', metavar='BAND',
        help='the band whose light is multiplied')
    add('--distance-err', type=distance, metavar='D',
        help='error of --distance')
    add('--k-correction', metavar='NAME',
        help='chilingarian2010: K-corrections by their polynomials (default: '
             'none)')
    add('--max-colour-err', type=float, metavar='MAG',
        help='largest error of a colour that is used (default: 0.1)')
    add_distance_options(command)


def _run_mass(args):
    from astro_pix2prof.profile.io import write_table

    paths = check_bands(args, args.images)
    check_reference(args, paths)
    bands = list(paths)
    parts, shared = split_options(args, len(bands))
    for part in parts:
        check_planes(part)
    options = _mass_options(args)
    _check_mass(args, bands, options)
    # (wrong options end the program before anything is measured)
    each = [image_options(part) for part in parts]
    stem = file_stem(args.images[0][1])
    table = args.out / f'{stem}_mass{SUFFIXES[args.format]}'
    figure = args.out / f'{stem}_mass.png'
    make_folder(args.out, args)
    check_new(table, args)
    if args.plot:
        check_new(figure, args)
    fitter = make_fitter(args.method, shared)
    try:
        result, notes = quietly(_measure, fitter, paths, parts, each,
                                {**options, 'reference': args.reference})
        for note in notes:
            warn(note, args)
        for band, what in result.failed.items():
            report(what, args, file=paths.get(band))
        if result.mass is None:
            return 1
        write_table(result.mass, table, overwrite=args.overwrite)
        if args.plot:
            from astro_pix2prof.plotting.mass import plot_mass_profile

            save_figure(plot_mass_profile, figure, result.mass,
                        figsize=(6.4, 7.2))
    except Exception as error:
        report(error, args)
        return 1
    if not args.quiet:
        _print_masses(result.mass)
        print(f'results: {table.resolve()}')
    return 1 if result.failed else 0


def _mass_options(args):
    """
    Collect the options of `mass_profile` that were given.
    """
    return {**distance_options(args),
            **{name: getattr(args, name) for name in _PASSED
               if getattr(args, name) is not None}}


def _check_mass(args, bands, options):
    from astro_pix2prof.structure.mass import check_mass_options

    try:
        check_mass_options(bands, **options)
    except (TypeError, ValueError) as error:
        show_traceback(error, args)
        args.command.error(option_text(' '.join(str(error).split()),
                                       args.command))


def _measure(fitter, paths, parts, each, options):
    """
    Measure the bands and the mass.
    """
    together = options_by_band(paths, parts, each)
    return fitter.fit_bands(paths, predict='mass', **together, **options)


def _print_masses(table):
    """
    Print the totals.
    """
    meta = table.meta
    print_columns([
        ('log M (Msun)', f'{meta["log_mass"]:.3f} +- '
                         f'{meta["log_mass_err"]:.3f}'),
        ('relation', f'{meta["relation"]}, {meta["colour"]} and light in '
                     f'{meta["light"]}, {meta["imf"]} IMF'),
        ('K-correction', meta['k_correction']),
        ('its scatter (dex)', f'{meta["relation_scatter"]:.2f}'
         if meta['relation_scatter'] > 0 else 'not known'),
        ('half of it within (kpc)', f'{meta["r50_mass"]:.2f} +- '
                                    f'{meta["r50_mass_err"]:.2f}'),
        ('beyond the last ring', f'{meta["extrapolated_fraction"]:.1%}'),
        ('colour of other rings', f'{meta["held_fraction"]:.1%}'),
    ])
