# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command line: ``pix2prof fit``, ``compare`` and ``demo``.
"""

import argparse
import re
import sys
import time
import traceback
import warnings
from pathlib import Path

__all__ = ['main']

_SUFFIXES = {'ecsv': '.ecsv', 'fits': '.fits', 'parquet': '.parquet'}


def _fit_isophotes(image, *, geometry=None, **options):
    """
    Fit with `~astro_pix2prof.isophote.IsophoteFitter`.
    """
    from astro_pix2prof.isophote import IsophoteFitter

    return IsophoteFitter().fit(image, fixed_geometry=geometry, **options)


# Each takes an image and the options of GalaxyCutout and returns an object
# with the attributes profile, cutout and mask.
METHODS = {'isophote': _fit_isophotes}


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
        _report('interrupted')
        return 130
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        _report(_one_line(error))
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
    _add_image_options(command)
    command.add_argument('--method', choices=METHODS, default='isophote',
                         help='how to measure (default: isophote)')
    command.add_argument('--geometry', metavar='PROFILE', type=Path,
                         help='measure on the ellipses of this profile of '
                              'the same galaxy (forced photometry)')
    command.add_argument('--out', metavar='DIR', type=Path, default=Path(),
                         help='folder for the results (default: this one)')
    command.add_argument('--format', choices=_SUFFIXES, default='ecsv',
                         help='format of the tables (default: ecsv)')
    command.add_argument('--plot', action='store_true',
                         help='write a PNG of each fit')
    command.add_argument('--structure', action='store_true',
                         help='measure magnitudes, radii and more from the '
                              'profiles, and write one table of all images')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    _add_common_options(command)
    command.set_defaults(run=_run_fit, command=command)

    command = commands.add_parser(
        'compare', help='compare profiles side by side',
        description='Measure images of one galaxy and compare the profiles '
                    'with each other and with profiles that exist.')
    command.add_argument('images', nargs='+', metavar='IMAGE', type=Path,
                         help='FITS files: the same galaxy in several bands '
                              'or surveys')
    _add_image_options(command)
    command.add_argument('--method', choices=METHODS, action='append',
                         help='how to measure; may be repeated (default: '
                              'isophote)')
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
    _add_common_options(command)
    command.set_defaults(run=_run_compare, command=command)

    command = commands.add_parser(
        'demo', help='measure the galaxy that ships with the package',
        description='Measure the galaxy that ships with the package; write '
                    'its profile and a figure.')
    command.add_argument('--out', metavar='DIR', type=Path,
                         default=Path('pix2prof_demo'),
                         help='folder for the results (default: '
                              'pix2prof_demo)')
    _add_common_options(command)
    command.set_defaults(run=_run_demo, command=command)
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


def _add_image_options(command):
    group = command.add_argument_group(
        'the images', 'Whatever is not given comes from the header.')
    group.add_argument('--zeropoint', type=float, metavar='MAG',
                       help='magnitude of one data unit in one pixel')
    group.add_argument('--pixel-scale', type=float, metavar='ARCSEC',
                       help='size of a pixel, if there is no WCS')
    group.add_argument('--native-pixel-scale', type=float, metavar='ARCSEC',
                       help='size of the pixels to which the values refer, '
                            'for cut-outs of sky viewers')
    group.add_argument('--unit', help='unit of the data, such as nanomaggy')
    group.add_argument('--position', nargs=2, metavar=('X', 'Y'),
                       help='position of the galaxy: pixels from 0, or right '
                            'ascension and declination such as 184.73d '
                            '12.41d or 12:18:55.5 +12:24:30 (default: the '
                            'middle)')
    group.add_argument('--size', help='crop to this size: pixels, or with a '
                                      'unit such as 90arcsec')
    group.add_argument('--hdu', type=_int_or_str,
                       help='extension, number or name (default: the first '
                            'image)')
    group.add_argument('--band', type=_int_or_str,
                       help='band or plane of a cube, or name of the band')
    group.add_argument('--gain', type=float, metavar='G',
                       help='electrons per data unit, for the Poisson noise')
    group.add_argument('--uncalibrated', action='store_true',
                       help='allow an image without zero point')


def _add_common_options(command):
    command.add_argument('--quiet', action='store_true',
                         help='print errors only')
    command.add_argument('--debug', action='store_true',
                         help='show the traceback of errors')


def _int_or_str(text):
    try:
        return int(text)
    except ValueError:
        return text


def _image_options(args):
    """
    The options of GalaxyCutout; wrong ones end the program.
    """
    import astropy.units as u

    options = {name: getattr(args, name) for name in (
        'zeropoint', 'pixel_scale', 'native_pixel_scale', 'unit', 'hdu',
        'band', 'gain') if getattr(args, name) is not None}
    if args.uncalibrated:
        options['calibrated'] = False
    if args.position is not None:
        options['position'] = _parse_position(args)
    if args.size is not None:
        try:
            size = u.Quantity(args.size)
        except TypeError:
            args.command.error(f'argument --size: cannot read {args.size!r}')
        if size.unit == u.dimensionless_unscaled or size.unit == u.pix:
            size = round(size.value)
        options['size'] = size
    return options


def _parse_position(args):
    first, second = (text.strip() for text in args.position)
    try:
        return float(first), float(second)
    except ValueError:
        pass
    import astropy.units as u
    from astropy.coordinates import Angle, SkyCoord

    try:
        # sexagesimal right ascension without a unit is in hours
        hours = ':' in first or 'h' in first
        return SkyCoord(Angle(first, unit=u.hourangle if hours else u.deg),
                        Angle(second, unit=u.deg))
    except (ValueError, u.UnitsError) as error:
        args.command.error('argument --position: cannot read '
                           f'{first!r} {second!r}: {_one_line(error)}')


def _one_line(error):
    text = ' '.join(str(error).split())
    return text or type(error).__name__


def _report(text):
    print(f'pix2prof: error: {text}', file=sys.stderr)


def _stem(path):
    """
    The name of a file without the suffixes of FITS and of compression.
    """
    return re.sub(r'\.(fits?|fts|fz)(\.(gz|bz2|xz|fz|Z))?$', '', path.name,
                  flags=re.IGNORECASE)


def _quietly(function, *args, **kwargs):
    """
    Call a function; return its result and its warnings, as lines.
    """
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstropyUserWarning)
        result = function(*args, **kwargs)
    return result, list(dict.fromkeys(_one_line(item.message)
                                      for item in caught))


def _save_figure(function, path, *args, **kwargs):
    """
    Draw with a function of the plotting module, without pyplot.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=kwargs.pop('figsize'))
    function(*args, fig=fig, **kwargs)
    fig.savefig(path, dpi=150)


def _make_folder(folder, args):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        args.command.error(f'argument --out: {folder}: {error.strerror}')


def _output_stems(images):
    """
    One name for the results of each image, though images share a name.
    """
    stems = []
    for path in images:
        stem, number = _stem(path), 1
        while stem in stems:
            number += 1
            stem = f'{_stem(path)}_{number}'
        stems.append(stem)
    return stems


def _run_fit(args):
    from tqdm import tqdm

    options = _image_options(args)
    if args.geometry is not None:
        from astro_pix2prof.profile_io import read_profile

        options['geometry'] = read_profile(args.geometry)
    _make_folder(args.out, args)
    table = args.out / f'structure{_SUFFIXES[args.format]}'
    if args.structure and table.exists() and not args.overwrite:
        args.command.error(f'argument --structure: {table} exists: give '
                           '--overwrite to replace it')
    rows, structures, n_failed = [], [], 0
    bar = tqdm(args.images, disable=args.quiet or len(args.images) < 2,
               unit='image', file=sys.stderr)
    for path, stem in zip(bar, _output_stems(args.images), strict=True):
        bar.set_postfix_str(path.name, refresh=False)
        start = time.perf_counter()
        try:
            profile, structure, notes = _fit_one(path, stem, args, options)
        except Exception as error:
            n_failed += 1
            with tqdm.external_write_mode(file=sys.stderr):
                if args.debug:
                    traceback.print_exc()
                _report(f'{path}: {_one_line(error)}')
            continue
        seconds = time.perf_counter() - start
        if not args.quiet:
            for note in notes:
                tqdm.write(f'pix2prof: warning: {path}: {note}',
                           file=sys.stderr)
        rows.append(_summary_row(stem, profile, seconds))
        if structure is not None:
            structures.append((stem, structure))
    if structures:
        try:
            _write_structures(structures, table, args)
        except Exception as error:
            n_failed += 1
            if args.debug:
                traceback.print_exc()
            _report(_one_line(error))
    if not args.quiet:
        _print_rows(rows)
        print(f'{len(rows)} of {len(args.images)} images measured; results '
              f'in {args.out.resolve()}')
    return 1 if n_failed else 0


def _fit_one(path, stem, args, options):
    """
    Measure one image and write what was asked for.
    """
    from astro_pix2prof.profile_io import write_profile

    table = args.out / f'{stem}_profile{_SUFFIXES[args.format]}'
    figure = args.out / f'{stem}_profile.png'
    for file in (table, *([figure] if args.plot else [])):
        if file.exists() and not args.overwrite:
            msg = f'{file} exists: give --overwrite to replace it'
            raise FileExistsError(msg)
    if not path.is_file():
        msg = 'no such file'
        raise FileNotFoundError(msg)
    fit, notes = _quietly(METHODS[args.method], path, **options)
    structure = None
    if args.structure:
        from astro_pix2prof.structure import measure_structure

        structure, more = _quietly(measure_structure, fit.profile)
        notes += more
    write_profile(fit.profile, table, overwrite=args.overwrite)
    if args.plot:
        from astro_pix2prof.plotting import plot_fit

        _save_figure(plot_fit, figure, fit.cutout, fit.profile,
                     mask=fit.mask, figsize=(10.0, 7.6))
    return fit.profile, structure, notes


def _write_structures(structures, path, args):
    """
    Write one table with a row for each image.
    """
    from astropy.table import vstack

    stems, tables = zip(*structures, strict=True)
    table = vstack(tables, metadata_conflicts='silent')
    table.add_column(list(stems), name='image', index=0)
    table.write(path, overwrite=args.overwrite)


def _summary_row(stem, profile, seconds):
    import numpy as np

    from astro_pix2prof.profile import decode_flags

    magnitude = np.asarray(profile['mag_enclosed'], dtype=float)
    magnitude = magnitude[np.isfinite(magnitude)]
    radius = profile['radius'][-1]
    flags = decode_flags(profile.meta.get('flag', 0), kind='galaxy')
    return (stem, f'{len(profile)}',
            f'{magnitude[-1]:.2f}' if magnitude.size else '-',
            f'{radius.value:.1f} {radius.unit}', f'{seconds:.1f} s',
            ' '.join(flags) or '-')


def _print_rows(rows):
    if not rows:
        return
    _print_columns([('image', 'rings', 'mag', 'out to', 'time', 'flags'),
                    *rows])


def _print_columns(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print('  '.join(text.ljust(width) for text, width
                        in zip(row, widths, strict=True)).rstrip())


def _run_compare(args):
    from astro_pix2prof.plotting import plot_profiles
    from astro_pix2prof.profile_io import read_profile

    options = _image_options(args)
    methods = list(dict.fromkeys(args.method or ['isophote']))
    if args.out.exists() and not args.overwrite:
        args.command.error(f'argument --out: {args.out} exists: give '
                           '--overwrite to replace it')
    _make_folder(args.out.parent, args)
    profiles = {}
    for path in args.reference:
        label = f'{path.stem}'
        while label in profiles:
            label += "'"
        profiles[label] = read_profile(path)
    n_failed = 0
    for path, stem in zip(args.images, _output_stems(args.images),
                          strict=True):
        for method in methods:
            label = stem if len(methods) == 1 else f'{stem} ({method})'
            while label in profiles:
                label += "'"
            try:
                fit, notes = _quietly(METHODS[method], path, **options)
            except Exception as error:
                n_failed += 1
                if args.debug:
                    traceback.print_exc()
                _report(f'{path}: {_one_line(error)}')
                continue
            profiles[label] = fit.profile
            if not args.quiet:
                for note in notes:
                    print(f'pix2prof: warning: {path}: {note}',
                          file=sys.stderr)
    if len(profiles) < len(args.reference) + 1:
        return 1
    first = next(iter(profiles))
    _save_figure(plot_profiles, args.out, profiles, figsize=(7.0, 6.0),
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

    _make_folder(args.out, args)
    image = load_example()
    start = time.perf_counter()
    fit, notes = _quietly(_fit_isophotes, image, gain=image.header['GAIN'])
    seconds = time.perf_counter() - start
    table = args.out / 'demo_galaxy_r.ecsv'
    figure = args.out / 'demo_galaxy_r.png'
    write_profile(fit.profile, table, overwrite=True)
    _save_figure(plot_fit, figure, fit.cutout, fit.profile, mask=fit.mask,
                 figsize=(10.0, 7.6))
    if args.quiet:
        return 0
    for note in notes:
        print(f'pix2prof: warning: {note}', file=sys.stderr)
    print(f'{fit.cutout!r}')
    print(f'measured in {seconds:.1f} s; the first of {len(fit.profile)} '
          'rings:\n')
    head = fit.profile['radius', 'surface_brightness',
                       'surface_brightness_err', 'ellipticity', 'pa',
                       'mag_enclosed', 'flag'][:10]
    for name in head.colnames[:-1]:
        head[name].info.format = '.3f'
    print('\n'.join(head.pformat(max_width=-1)))
    truth = load_example_truth().meta['magnitude']
    print(f'\nmagnitude within the last ring: '
          f'{fit.profile["mag_enclosed"][-1].value:.2f} (the galaxy was '
          f'rendered with {truth:.2f})')
    print(f'table:  {table.resolve()}\nfigure: {figure.resolve()}')
    return 0
