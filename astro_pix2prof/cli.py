# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command line: ``pix2prof fit``, ``compare``, ``demo`` and the parser.
"""

import argparse
import re
import sys
import time
import traceback
from pathlib import Path

from astro_pix2prof.cli_common import (
    METHODS,
    SUFFIXES,
    add_common_options,
    add_image_options,
    add_network_options,
    image_options,
    make_folder,
    one_line,
    output_stems,
    print_columns,
    quietly,
    report,
    save_figure,
)
from astro_pix2prof.cli_networks import add_commands
from astro_pix2prof.cli_report import add_report_command
from astro_pix2prof.cli_survey import add_survey_command

__all__ = ['main']

# What is measured if nothing else is asked for, and what is shown beside it.
_DEFAULT, _BESIDE = METHODS


def main(args=None):
    """
    Run the command line.

    Parameters
    ----------
    args : list of str, optional
        The arguments; by default, those of the process.

    Returns
    -------
    status : int
        0 if all is well, 1 if a file failed, 130 if interrupted. Wrong
        usage exits with 2.
    """
    args = sys.argv[1:] if args is None else args
    parser = _make_parser()
    # a leading blank keeps argparse from taking the declination -12:30:00
    # for an option
    args = parser.parse_args(
        [f' {arg}' if re.match(r'-[\d.]', arg) else arg for arg in args])
    if not hasattr(args, 'run'):
        parser.print_help()
        return 2
    try:
        return args.run(args)
    except KeyboardInterrupt:
        report('interrupted')
        return 130
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        report(one_line(error))
        return 1


def _make_parser():
    parser = argparse.ArgumentParser(
        prog='pix2prof',
        description='Surface-brightness profiles of galaxies.')
    parser.add_argument('--version', action=_VersionAction)
    commands = parser.add_subparsers(title='commands', metavar='COMMAND')

    command = commands.add_parser(
        'fit', help='measure the profiles of galaxy images',
        description='Measure the profile of the galaxy in each image, and '
                    'write it as a table.')
    command.add_argument('images', nargs='+', metavar='IMAGE', type=Path,
                         help='FITS file')
    add_image_options(command)
    command.add_argument('--method', choices=METHODS, default=_DEFAULT,
                         help='how to measure (default: pix2prof, the '
                              'neural network)')
    command.add_argument('--alone', action='store_true',
                         help='do not fit isophotes beside the network, to '
                              'compare with: faster')
    add_network_options(command)
    command.add_argument('--geometry', metavar='PROFILE', type=Path,
                         help='measure on the ellipses of this profile of '
                              'the same galaxy (forced photometry)')
    command.add_argument('--out', metavar='DIR', type=Path, default=Path(),
                         help='folder for the results (default: this one)')
    command.add_argument('--format', choices=SUFFIXES, default='ecsv',
                         help='format of the tables (default: ecsv)')
    command.add_argument('--plot', action='store_true',
                         help='write a PNG of each fit')
    command.add_argument('--structure', action='store_true',
                         help='measure magnitudes, radii and more from the '
                              'profiles, and write one table of all images')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_common_options(command)
    command.set_defaults(run=_run_fit, command=command)

    command = commands.add_parser(
        'compare', help='compare profiles side by side',
        description='Measure images of one galaxy and compare the profiles '
                    'with each other and with profiles that exist.')
    command.add_argument('images', nargs='+', metavar='IMAGE', type=Path,
                         help='FITS files: the same galaxy in several bands '
                              'or surveys')
    add_image_options(command)
    command.add_argument('--method', choices=METHODS, action='append',
                         help='how to measure; may be repeated (default: '
                              'pix2prof)')
    add_network_options(command)
    command.add_argument('--reference', metavar='PROFILE', type=Path,
                         action='append', default=[],
                         help='a profile to compare with; may be repeated. '
                              'Differences refer to the first reference, or '
                              'to the first image')
    command.add_argument('--out', metavar='PNG', type=Path,
                         default=Path('comparison.png'),
                         help='the figure (default: comparison.png)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace a figure that exists')
    add_common_options(command)
    command.set_defaults(run=_run_compare, command=command)

    command = commands.add_parser(
        'demo', help='measure the galaxy that ships with the package',
        description='Measure the galaxy that ships with the package; write '
                    'its profile and a figure.')
    command.add_argument('--out', metavar='DIR', type=Path,
                         default=Path('pix2prof_demo'),
                         help='folder for the results (default: '
                              'pix2prof_demo)')
    add_network_options(command)
    add_common_options(command)
    command.set_defaults(run=_run_demo, command=command)
    add_commands(commands)
    add_survey_command(commands)
    add_report_command(commands)
    return parser


class _VersionAction(argparse.Action):
    """
    Print the version, and find it only when it is asked for.
    """

    def __init__(self, option_strings, dest):
        super().__init__(option_strings, dest, nargs=0,
                         help='print the version and exit')

    def __call__(self, parser, namespace, values, option_string=None):
        from astro_pix2prof import __version__

        print(f'pix2prof {__version__}')
        parser.exit()


def _run_fit(args):
    from tqdm import tqdm

    options = _fit_options(args)
    if args.geometry is not None:
        from astro_pix2prof.profile_io import read_profile

        options['geometry'] = read_profile(args.geometry)
    make_folder(args.out, args)
    table = args.out / f'structure{SUFFIXES[args.format]}'
    if args.structure and table.exists() and not args.overwrite:
        args.command.error(f'argument --structure: {table} exists: give '
                           '--overwrite to replace it')
    rows, structures, n_failed = [], [], 0
    bar = tqdm(args.images, disable=args.quiet or len(args.images) < 2,
               unit='image', file=sys.stderr)
    for path, stem in zip(bar, output_stems(args.images), strict=True):
        bar.set_postfix_str(path.name, refresh=False)
        start = time.perf_counter()
        try:
            profile, structure, other, notes = _fit_one(path, stem, args,
                                                        options)
        except Exception as error:
            n_failed += 1
            with tqdm.external_write_mode(file=sys.stderr):
                if args.debug:
                    traceback.print_exc()
                report(f'{path}: {one_line(error)}')
            continue
        seconds = time.perf_counter() - start
        if not args.quiet:
            for note in notes:
                tqdm.write(f'pix2prof: warning: {path}: {note}',
                           file=sys.stderr)
        rows.append(_summary_row(stem, profile, other, seconds))
        if structure is not None:
            structures.append((stem, structure))
    if structures:
        try:
            _write_structures(structures, table, args)
        except Exception as error:
            n_failed += 1
            if args.debug:
                traceback.print_exc()
            report(one_line(error))
    if not args.quiet:
        _print_rows(rows)
        print(f'{len(rows)} of {len(args.images)} images measured; results '
              f'in {args.out.resolve()}')
    return 1 if n_failed else 0


def _fit_options(args):
    """
    The options of the methods.
    """
    return {**image_options(args), 'weights': args.weights,
            'device': args.device}


def _fit_beside(image, options):
    """
    The isophotes' profile to compare with, `None` if there is none; notes.
    """
    try:
        fit, _ = quietly(METHODS[_BESIDE], image, **options)
    except Exception as error:
        return None, [f'no isophotes to compare with: {one_line(error)}']
    return fit.profile, []


def _median_difference(profile, other):
    """
    The median absolute difference of two profiles where both are certain.
    """
    import numpy as np

    from astro_pix2prof.profile import interpolate_profile

    value, error = (np.asarray(interpolate_profile(
        other, profile['radius'], name), dtype=float) for name in (
            'surface_brightness', 'surface_brightness_err'))
    size = np.abs(np.asarray(profile['surface_brightness'], dtype=float)
                  - value)
    size = size[np.isfinite(size) & (error < 0.2)]
    return np.median(size) if size.size else np.nan


def _fit_one(path, stem, args, options):
    """
    Measure one image and write what was asked for.
    """
    from astro_pix2prof.profile_io import write_profile

    table = args.out / f'{stem}_profile{SUFFIXES[args.format]}'
    figure = args.out / f'{stem}_profile.png'
    for file in (table, *([figure] if args.plot else [])):
        if file.exists() and not args.overwrite:
            msg = f'{file} exists: give --overwrite to replace it'
            raise FileExistsError(msg)
    if not path.is_file():
        msg = 'no such file'
        raise FileNotFoundError(msg)
    fit, notes = quietly(METHODS[args.method], path, **options)
    structure = other = None
    if args.method != _BESIDE and not args.alone:
        other, more = _fit_beside(path, options)
        notes += more
    if args.structure:
        from astro_pix2prof.structure import measure_structure

        structure, more = quietly(measure_structure, fit.profile)
        notes += more
    write_profile(fit.profile, table, overwrite=args.overwrite)
    if args.plot:
        from astro_pix2prof.plotting import plot_fit

        save_figure(plot_fit, figure, fit.cutout, fit.profile,
                    mask=fit.mask, beside=_labelled(other),
                    figsize=(10.0, 7.6))
    return fit.profile, structure, other, notes


def _labelled(profile):
    return None if profile is None else {'isophotes': profile}


def _write_structures(structures, path, args):
    """
    Write one table with a row for each image.
    """
    from astropy.table import vstack

    stems, tables = zip(*structures, strict=True)
    table = vstack(tables, metadata_conflicts='silent')
    table.add_column(list(stems), name='image', index=0)
    table.write(path, overwrite=args.overwrite)


def _summary_row(stem, profile, other, seconds):
    import numpy as np

    from astro_pix2prof.profile import decode_flags

    magnitude = np.asarray(profile['mag_enclosed'], dtype=float)
    magnitude = magnitude[np.isfinite(magnitude)]
    radius = profile['radius'][-1]
    flags = decode_flags(profile.meta.get('flag', 0), kind='galaxy')
    return (stem, f'{len(profile)}',
            f'{magnitude[-1]:.2f}' if magnitude.size else '-',
            f'{radius.value:.1f} {radius.unit}',
            '-' if other is None
            else f'{_median_difference(profile, other):.3f}',
            f'{seconds:.1f} s',
            ' '.join(flags) or '-')


def _print_rows(rows):
    if not rows:
        return
    print_columns([('image', 'rings', 'mag', 'out to', 'isophotes', 'time',
                    'flags'), *rows])
    if any(row[4] != '-' for row in rows):
        print('(isophotes: median absolute difference in mag from the '
              'isophote fit)')


def _run_compare(args):
    from astro_pix2prof.plotting import plot_profiles
    from astro_pix2prof.profile_io import read_profile

    options = _fit_options(args)
    methods = list(dict.fromkeys(args.method or [_DEFAULT]))
    if args.out.exists() and not args.overwrite:
        args.command.error(f'argument --out: {args.out} exists: give '
                           '--overwrite to replace it')
    make_folder(args.out.parent, args)
    profiles = {}
    for path in args.reference:
        label = f'{path.stem}'
        while label in profiles:
            label += "'"
        profiles[label] = read_profile(path)
    n_failed = 0
    for path, stem in zip(args.images, output_stems(args.images),
                          strict=True):
        for method in methods:
            label = stem if len(methods) == 1 else f'{stem} ({method})'
            while label in profiles:
                label += "'"
            try:
                fit, notes = quietly(METHODS[method], path, **options)
            except Exception as error:
                n_failed += 1
                if args.debug:
                    traceback.print_exc()
                report(f'{path}: {one_line(error)}')
                continue
            profiles[label] = fit.profile
            if not args.quiet:
                for note in notes:
                    print(f'pix2prof: warning: {path}: {note}',
                          file=sys.stderr)
    if len(profiles) < len(args.reference) + 1:
        return 1
    first = next(iter(profiles))
    save_figure(plot_profiles, args.out, profiles, figsize=(7.0, 6.0),
                reference=first if len(profiles) > 1 else None)
    if not args.quiet:
        if len(profiles) > 1:
            _print_differences(profiles, first)
        print(f'figure: {args.out.resolve()}')
    return 1 if n_failed else 0


def _print_differences(profiles, first):
    """
    Print the differences from the first profile.
    """
    from astro_pix2prof.evaluation import compare_profiles

    reference = profiles[first]
    table = compare_profiles(
        {label: profile for label, profile in profiles.items()
         if label != first}, reference)
    for name in ('median', 'median_abs'):
        table[name].info.format = '+.3f' if name == 'median' else '.3f'
    print(f'difference from {first} in bins of surface brightness:')
    print('\n'.join(table.pformat(max_lines=-1, max_width=-1)))


def _run_demo(args):
    from astro_pix2prof.example import load_example, load_example_truth
    from astro_pix2prof.plotting import plot_fit
    from astro_pix2prof.profile_io import write_profile

    make_folder(args.out, args)
    image = load_example()
    options = {'gain': image.header['GAIN'], 'weights': args.weights,
               'device': args.device}
    quietly(METHODS[_DEFAULT], image, **options)   # reads the weights
    start = time.perf_counter()
    fit, notes = quietly(METHODS[_DEFAULT], image, **options)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    other, more = _fit_beside(image, options)
    seconds_beside = time.perf_counter() - start
    notes += more
    table = args.out / 'demo_galaxy_r.ecsv'
    figure = args.out / 'demo_galaxy_r.png'
    write_profile(fit.profile, table, overwrite=True)
    save_figure(plot_fit, figure, fit.cutout, fit.profile, mask=fit.mask,
                beside=_labelled(other), figsize=(10.0, 7.6))
    if args.quiet:
        return 0
    for note in notes:
        print(f'pix2prof: warning: {note}', file=sys.stderr)
    print(f'{fit.cutout!r}')
    print(f'measured in {seconds:.2f} s (isophote fit: {seconds_beside:.2f} '
          f's); some of {len(fit.profile)} rings:\n')
    print(_demo_rows(fit.profile, other, load_example_truth()))
    truth = load_example_truth().meta['magnitude']
    print(f'\nmagnitude within the last ring: '
          f'{fit.profile["mag_enclosed"][-1].value:.2f} (the galaxy was '
          f'rendered with {truth:.2f})')
    print(f'table:  {table.resolve()}\nfigure: {figure.resolve()}')
    return 0


def _demo_rows(profile, other, truth):
    """
    Some rings, with the isophotes' values and the true ones.
    """
    import numpy as np

    from astro_pix2prof.profile import interpolate_profile

    last = len(profile) - 1
    rows = np.unique(np.rint(last * np.linspace(0, 1, 12)**1.5).astype(int))
    head = profile[rows]['radius', 'surface_brightness',
                         'surface_brightness_err', 'mag_enclosed']
    columns = {'isophotes': other, 'truth': truth}
    for name, table in columns.items():
        if table is not None:
            head[name] = interpolate_profile(table, head['radius'])
    for name in head.colnames:
        head[name].info.format = '.3f'
    return '\n'.join(head.pformat(max_lines=-1, max_width=-1))
