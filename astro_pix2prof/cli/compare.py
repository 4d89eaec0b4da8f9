# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof compare``.
"""

from pathlib import Path

from astro_pix2prof.addresses import copy_here
from astro_pix2prof.cli.methods import METHODS, make_fitter
from astro_pix2prof.cli.options import (
    add_common_options,
    add_fitter_options,
    add_image_options,
    add_plane_options,
    any_path,
    image_options,
    local_path,
    split_options,
)
from astro_pix2prof.cli.output import (
    add_radius_scale,
    check_figure,
    check_file,
    check_new,
    file_stem,
    make_folder,
    print_differences,
    quietly,
    report,
    save_figure,
    show_warnings,
    warn,
)
from astro_pix2prof.cli.planes import check_planes, read_planes

__all__ = ['add_compare_command']


def add_compare_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'compare', help='compare profiles side by side',
        usage='%(prog)s [OPTION ...] FILE [FILE ...]',
        description='Compare profiles of one galaxy with each other: images '
                    'are measured, tables are read. Options of the images '
                    'may be given once, or once for each FILE in their '
                    "order ('none' where one does not apply).")
    command.add_argument('files', nargs='+', metavar='FILE', type=any_path,
                         help='images (FITS), profiles of this package '
                              '(ECSV, FITS, Parquet, CSV), tables of the '
                              'task ellipse of IRAF (FITS; they need '
                              '--pixel-scale and --zeropoint), profiles of '
                              'AutoProf (.prof), or tables with the columns '
                              'radius and surface_brightness')
    command.add_argument('--method', choices=METHODS, action='append',
                         help='how to measure images; may be repeated '
                              '(default: pix2prof)')
    add_fitter_options(command, each=True)
    command.add_argument('--reference', metavar='FILE', type=any_path,
                         action='append', default=[],
                         help='a profile or table to compare with; may be '
                              'repeated. Differences refer to the first '
                              'reference, or else to the first FILE')
    command.add_argument('--out', metavar='PNG', type=local_path,
                         help='the figure (default: comparison.png, which '
                              'is left as it is if it exists)')
    add_radius_scale(command)
    command.add_argument('--overwrite', action='store_true',
                         help='replace a figure that exists')
    add_common_options(command)
    add_image_options(command, each=True)
    add_plane_options(command, each=True)
    command.set_defaults(run=_run_compare, command=command)


def _run_compare(args):
    import numpy as np

    from astro_pix2prof.plotting.profiles import plot_profiles

    parts, shared = split_options(args, len(args.files))
    # (wrong options end the program before anything is measured)
    options = [image_options(part) for part in parts]
    for part in parts:
        check_planes(part)
    figure = args.out
    if figure is None:
        figure = Path('comparison.png')
        if figure.exists() and not args.overwrite:
            figure = None
    else:
        check_new(figure, args)
        check_figure(figure, args)
        make_folder(figure.parent, args)
    profiles, n_failed = {}, 0
    choose_label = _Labels([*args.reference, *args.files])
    for path in args.reference:
        profile = _read_table(path, shared)
        if profile is None:
            args.command.error(f'argument --reference: {path} holds no '
                               'profile: give images as FILE')
        profiles[choose_label(path)] = profile
    methods = list(dict.fromkeys(args.method or ['pix2prof']))
    for path, part, option in zip(args.files, parts, options, strict=True):
        for method, ending in _ways(path, methods):
            try:
                profile = (_read_table(path, part) if method is None else
                           _measure(path, method, part, option))
            except Exception as error:
                n_failed += 1
                report(error, part, file=path)
                continue
            profiles[choose_label(path, ending)] = profile
    if len(profiles) < len(args.reference) + 1 or (
            n_failed and len(profiles) == 1):
        # (there is nothing to compare)
        return 1
    first = next(iter(profiles))
    for label, profile in profiles.items():
        if len(profiles) > 1 and not np.any(np.isfinite(
                profile['surface_brightness'].value)):
            msg = (f'{label} has no surface brightness to compare: it is not '
                   'calibrated, or has no light above the sky')
            raise ValueError(msg)
    if len(profiles) == 1 and not n_failed:
        warn('there is one profile and none to compare it with: give another '
             'FILE, or --reference', args)
    if figure is not None:
        save_figure(plot_profiles, figure, profiles, figsize=(7.0, 6.0),
                    radius_scale=args.radius_scale,
                    reference=first if len(profiles) > 1 else None)
    if not args.quiet:
        if len(profiles) > 1:
            with show_warnings(args):
                print_differences(profiles, first)
        if figure is not None:
            print(f'figure: {figure.resolve()}')
    if figure is None:
        warn('no figure is drawn, since comparison.png exists: give another '
             'name with --out, or --overwrite')
    return 1 if n_failed else 0


class _Labels:
    """
    Choose labels that tell files apart.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        All files. Those of different folders that share their name are
        labelled by their paths; in one folder, all but the first are.
    """

    def __init__(self, paths):
        paths = list(dict.fromkeys(paths))
        folders = {}
        for path in paths:
            folders.setdefault(_stem(path), set()).add(path.parent)
        self._shared = {path for path in paths
                        if len(folders[_stem(path)]) > 1}
        self._used = set()

    def __call__(self, path, ending=''):
        """
        Choose the label of a file, which may be given more than once.
        """
        label = _stem(path) + ending
        if path in self._shared or label in self._used:
            label = f'{path}{ending}'
        while label in self._used:
            label += "'"
        self._used.add(label)
        return label


def _stem(path):
    """
    Remove the ending of a file's name.
    """
    if path.suffix in ('.ecsv', '.csv', '.parquet', '.prof', '.vot', '.xml'):
        return path.stem
    return file_stem(path)


def _ways(path, methods):
    """
    Choose how to get profiles from a file: methods, or `None` to read it.
    """
    from astro_pix2prof.datasets.tables import recognise_table

    try:
        with copy_here(path) as copy:
            is_image = copy.is_file() and recognise_table(copy) is None
    except (OSError, ValueError):
        is_image = False
    if not is_image:
        return [(None, '')]
    return [(method, f' ({method})' if len(methods) > 1 else '')
            for method in methods]


def _read_table(path, args):
    """
    Read the profile in a file, `None` if the file is an image.
    """
    check_file(path)
    with copy_here(path) as copy:
        return _read_here(copy, args)


def _read_here(path, args):
    """
    Read the profile in a file of this machine.
    """
    from astro_pix2prof.datasets.tables import (
        read_autoprof,
        read_iraf_table,
        recognise_table,
    )
    from astro_pix2prof.profile.io import read_published

    kind = recognise_table(path)
    if kind in ('profile', 'published'):
        return read_published(path)
    if kind == 'autoprof':
        return read_autoprof(path)
    if kind is None:
        return None
    if args.pixel_scale is None:
        msg = ('an IRAF table has no pixel scale: give pixel_scale= in '
               'arcsec')
        raise ValueError(msg)
    return read_iraf_table(path, pixel_scale=args.pixel_scale,
                           zeropoint=args.zeropoint, unit=args.unit)


def _measure(path, method, args, options):
    """
    Measure an image and print the warnings.
    """
    fitter = make_fitter(method, args)
    fit, notes = quietly(fitter.fit, path, **options,
                         **read_planes(args, path))
    for note in notes:
        warn(note, args, file=path)
    return fit.profile
