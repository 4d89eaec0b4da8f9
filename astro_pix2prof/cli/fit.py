# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof fit``.
"""

import argparse
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from astro_pix2prof.cli.collector import pause_collector
from astro_pix2prof.cli.geometry import (
    check_centre,
    check_forced,
    geometry_path,
    notes_of_radii,
    read_geometry,
)
from astro_pix2prof.cli.methods import METHODS, make_fitter
from astro_pix2prof.cli.options import (
    add_common_options,
    add_fitter_options,
    add_image_options,
    add_plane_options,
    any_path,
    image_options,
    local_path,
)
from astro_pix2prof.cli.output import (
    add_radius_scale,
    check_file,
    check_new,
    make_folder,
    output_stems,
    print_columns,
    print_differences,
    quietly,
    report,
    save_figure,
    warn,
)
from astro_pix2prof.cli.planes import check_planes, read_planes
from astro_pix2prof.cli.products import (
    FORMATS,
    add_product_options,
    check_products,
    product_files,
    table_suffix,
    write_products,
    write_table,
    write_table_beside,
)
from astro_pix2prof.cli.psf import psf
from astro_pix2prof.cli.structure import (
    add_structure_options,
    check_structure,
    measure_bar,
    structure_settings,
)

__all__ = ['add_fit_command']


# Tables that may be written beside the profiles, which are options, too.
_BESIDE = ('structure', 'morphology', 'bar')


def add_fit_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'fit', help='measure the profiles of galaxy images',
        usage='%(prog)s [OPTION ...] IMAGE [IMAGE ...]',
        description='Measure the profile of the galaxy in each image, and '
                    'write it as a table.')
    command.add_argument('images', nargs='+', metavar='IMAGE', type=any_path,
                         help='FITS file, or its address (https://..., '
                              's3://...)')
    command.add_argument('--method', choices=METHODS, default='pix2prof',
                         help='how to measure (default: pix2prof, the '
                              'neural network)')
    add_fitter_options(command)
    command.add_argument('--geometry', metavar='PROFILE',
                         type=geometry_path,
                         help='measure on the ellipses of this profile of '
                              'the same galaxy (forced photometry), of a '
                              'table of radius, ellipticity and pa, or of '
                              'one of IRAF (FITS) or AutoProf')
    command.add_argument('--ellipticity', metavar='E', type=_ellipticity,
                         help='measure on ellipses of this ellipticity, such '
                              'as 0.4 or 40%%; needs --pa')
    command.add_argument('--pa', metavar='DEG', type=_pa,
                         help='position angle of these: from north through '
                              'east if the image has a WCS, otherwise from '
                              'the x axis counter-clockwise')
    command.add_argument('--compare', action='store_true',
                         help='measure with the other method too, write that '
                              'profile as well, and print the difference; '
                              'isophotes take many times as long as the '
                              'network')
    command.add_argument('--out', metavar='DIR', type=local_path,
                         default=Path(),
                         help='folder for the results (default: this one)')
    command.add_argument('--format', choices=FORMATS, default='ecsv',
                         help='format of the tables (default: ecsv)')
    command.add_argument('--plot', action='store_true',
                         help='write a PNG of each fit')
    add_radius_scale(command)
    add_structure_options(command)
    command.add_argument('--upper-limits', action='store_true',
                         help='add the column upper_limit to the profiles: '
                              'three sigma, for rings without signal')
    command.add_argument('--morphology', action='store_true',
                         help='measure C, A, S, Gini, M20 and more by '
                              'statmorph, and write one table of all images')
    command.add_argument('--psf', metavar='FILE|FWHM', type=psf,
                         help='point-spread function of the images: a FITS '
                              'file (FILE[EXT] for an extension) or its full '
                              'width at half maximum, in arcsec or with a '
                              'unit such as 3pix; --structure fits models '
                              'behind it')
    command.add_argument('--correct-psf', action='store_true',
                         help='write the profile without the point-spread '
                              'function as well; needs --psf')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_product_options(command)
    add_common_options(command)
    add_image_options(command)
    add_plane_options(command)
    command.set_defaults(run=_run_fit, command=command)


def _run_fit(args):
    with pause_collector():
        fitting = _Fitting(args)
    tables = {name: args.out / f'{name}{table_suffix(args)}'
              for name in _BESIDE if getattr(args, name)}
    make_folder(args.out, args)
    for name, table in tables.items():
        check_new(table, args, f'--{name}')
    rows, n_failed = [], 0
    beside = {name: [] for name in tables}
    with _threads(len(args.images)), _Progress(args) as progress:
        for path, stem in zip(args.images, output_stems(args.images),
                              strict=True):
            start = time.perf_counter()
            try:
                result = fitting(path, stem)
            except Exception as error:
                n_failed += 1
                progress.show(report, error, args, file=path)
                progress.advance(failed=True)
                continue
            seconds = time.perf_counter() - start
            for note in result.notes:
                progress.show(warn, note, args, file=path)
            if result.failure is not None:
                n_failed += 1
                progress.show(report, 'no profile to compare with: '
                              f'{result.failure}', args, file=path)
            for name, error in result.lost.items():
                n_failed += 1
                progress.show(report, f'no {name}: {error}', args, file=path)
            rows.append(_summary_row(stem, result, seconds))
            for name, found in result.beside.items():
                beside[name].append((stem, found))
            progress.advance()
    for name, found in beside.items():
        try:
            if found:
                _write_beside(found, tables[name], args)
        except Exception as error:
            n_failed += 1
            report(error, args)
    if not args.quiet:
        _print_rows(rows, fitting.beside)
        if len(rows) == 1 and result.other is not None:
            print_differences({args.method: result.profile,
                               fitting.beside: result.other},
                              fitting.beside)
        n_lost = len(args.images) - len(rows)
        print(f'{len(rows)} of {len(args.images)} images measured'
              + (f', {n_lost} failed' if n_lost else '')
              + (f'; results in {args.out.resolve()}' if rows else ''))
    return 1 if n_failed else 0


@contextmanager
def _threads(n_images):
    """
    Choose the threads of torch: one for a single image.

    Those of more cores wait for each other, busily, for longer than they
    compute.
    """
    # (isophotes do not import it)
    torch = sys.modules.get('torch')
    if n_images > 1 or torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ellipticity(text):
    from astro_pix2prof.ellipses.given import check_ellipticity

    return _checked(check_ellipticity, text)


def _pa(text):
    from astro_pix2prof.ellipses.given import check_pa

    return _checked(check_pa, text)


def _check_psf(args):
    """
    Refuse a point-spread function that nothing asks for, or none.
    """
    if args.correct_psf and args.psf is None:
        args.command.error('--correct-psf needs a point-spread function: '
                           'give --psf')
    if args.psf is not None and not (args.structure or args.correct_psf
                                     or args.morphology):
        args.command.error('--psf needs --structure, --correct-psf or '
                           '--morphology: the profile is that of the image')


def _check_shape(args):
    """
    Refuse half of a shape; a table may have the other half.
    """
    if args.geometry is not None:
        return
    if args.pa is not None and args.ellipticity is None:
        args.command.error('--pa needs an ellipticity: give --ellipticity')
    if args.ellipticity and args.pa is None:
        args.command.error('--ellipticity needs a position angle unless it '
                           'is 0: give --pa')


def _check_morphology(args):
    """
    Refuse what an optional package is missing for.
    """
    from astro_pix2prof.structure.morphology import import_statmorph

    try:
        import_statmorph()
    except ImportError as error:
        args.command.error(f'argument --morphology: {error}')


def _checked(check, text):
    """
    Check the value of an option; the parser names the option.
    """
    try:
        return check(text)
    except (TypeError, ValueError) as error:
        message = str(error).partition(' must ')[2]
        msg = f'must {message}'
        raise argparse.ArgumentTypeError(msg) from None


class _Progress:
    """
    A progress bar if there are several images, and lines above it.
    """

    def __init__(self, args):
        self.bar, self.n_failed = None, 0
        if len(args.images) > 1 and not args.quiet:
            from tqdm import tqdm

            self.bar = tqdm(total=len(args.images), unit='image',
                            file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        if self.bar is not None:
            self.bar.close()

    def advance(self, *, failed=False):
        if self.bar is None:
            return
        if failed:
            self.n_failed += 1
            self.bar.set_postfix_str(f'{self.n_failed} failed', refresh=False)
        self.bar.update()

    def show(self, function, *args, **kwargs):
        if self.bar is None:
            function(*args, **kwargs)
        else:
            with self.bar.external_write_mode(file=sys.stderr):
                function(*args, **kwargs)


class _Result:
    """
    The profile of an image, and what was asked for besides.
    """

    def __init__(self, profile, notes):
        self.profile, self.notes = profile, notes
        self.other = self.failure = None
        # tables of one row, and errors, by what was asked for besides
        self.beside, self.lost = {}, {}

    def add_notes(self, notes):
        """
        Add warnings, each once.
        """
        self.notes += [note for note in notes if note not in self.notes]


class _Fitting:
    """
    Measure images and write the results.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments; wrong ones end the program.
    """

    def __init__(self, args):
        self.args = args
        self.options = image_options(args)
        check_planes(args)
        check_products(args)
        if args.method == 'isophote' and not args.compare and (
                args.weights != args.command.get_default('weights')):
            args.command.error('--weights does not go with --method '
                               'isophote, which has no network: leave one of '
                               'them out, or give --compare')
        if not args.plot and args.radius_scale != args.command.get_default(
                'radius_scale'):
            args.command.error('--radius-scale is that of a figure: give '
                               '--plot')
        _check_shape(args)
        if args.morphology:
            _check_morphology(args)
        _check_psf(args)
        check_structure(args)
        if args.geometry is not None:
            try:
                self.options['geometry'] = read_geometry(args.geometry)
            except (OSError, ValueError) as error:
                if args.debug or getattr(error, 'strerror', None):
                    raise
                msg = f'--geometry: {error}'
                raise ValueError(msg) from error
        for name in ('ellipticity', 'pa'):
            if getattr(args, name) is not None:
                self.options[name] = getattr(args, name)
        self.fitter = make_fitter(args.method, args)
        self.beside = self.other = None
        if args.compare:
            self.beside = next(name for name in METHODS
                               if name != args.method)
            self.other = make_fitter(self.beside, args)
        check_forced(args, self.fitter, self.other)

    def __call__(self, path, stem):
        """
        Measure one image and write what was asked for.
        """
        args = self.args
        suffix = FORMATS[args.format]
        table = args.out / f'{stem}_profile{suffix}'
        other = args.out / f'{stem}_{self.beside}{suffix}'
        figure = args.out / f'{stem}_profile.png'
        files = product_files(args, stem)
        sharp = args.out / f'{stem}_corrected{table_suffix(args)}'
        modes = args.out / f'{stem}_modes{table_suffix(args)}'
        for file in (table, *([other] if args.compare else []),
                     *([sharp] if args.correct_psf else []),
                     *([modes] if args.bar else []),
                     *([figure] if args.plot else []), *files.values()):
            if file.exists() and not args.overwrite:
                msg = f'{file} exists: give --overwrite to replace it'
                raise FileExistsError(msg)
        check_file(path)
        options = {**self.options, **read_planes(args, path)}
        fit, notes = quietly(self.fitter.fit, path, **options)
        check_centre(args, fit)
        if args.upper_limits:
            _add_limits(fit)
        result = _Result(fit.profile, notes + notes_of_radii(args, fit))
        write_table(fit, table, args)
        result.add_notes(quietly(write_products, fit, files, args)[1])
        if args.compare:
            try:
                beside, more = quietly(self.other.fit, path, **options)
                result.add_notes(more)
                if args.upper_limits:
                    _add_limits(beside)
                write_table(beside, other, args)
                result.other = beside.profile
            except Exception as error:
                result.failure = error
        if args.structure:
            from astro_pix2prof.structure.measure import measure_structure

            result.beside['structure'], more = quietly(
                measure_structure, fit.profile, psf=args.psf,
                **structure_settings(args))
            result.add_notes(more)
        if args.morphology:
            self._add_morphology(result, fit, args.psf)
        if args.bar:
            try:
                result.beside['bar'], more = quietly(measure_bar, fit, modes,
                                                     args)
                result.add_notes(more)
            except Exception as error:
                result.lost['bar'] = error
        if args.correct_psf:
            from astro_pix2prof.profile.io import write_profile
            from astro_pix2prof.structure.sharpened import correct_psf

            corrected, more = quietly(correct_psf, fit.profile, args.psf)
            result.add_notes(more)
            write_profile(corrected, sharp, overwrite=args.overwrite)
        if args.plot:
            from astro_pix2prof.plotting.fit import plot_fit

            save_figure(plot_fit, figure, fit.cutout, fit.profile,
                        mask=fit.mask, figsize=(10.0, 7.6),
                        radius_scale=args.radius_scale,
                        beside=None if result.other is None
                        else {self.beside: result.other})
        return result

    @staticmethod
    def _add_morphology(result, fit, psf):
        """
        Measure the morphology; without one, there is still a profile.
        """
        from astro_pix2prof.structure.morphology import measure_morphology

        try:
            result.beside['morphology'], more = quietly(
                measure_morphology, fit, psf=psf)
            result.add_notes(more)
        except Exception as error:
            result.lost['morphology'] = error


def _add_limits(fit):
    """
    Add the upper limits of rings without signal to a profile.
    """
    from astro_pix2prof.structure.limits import upper_limits

    fit.profile['upper_limit'] = upper_limits(fit.profile)


def _median_difference(profile, other):
    """
    Calculate the median absolute difference where both are certain (mag).
    """
    import numpy as np

    from astro_pix2prof.profile.table import interpolate_profile

    value, error = (np.asarray(interpolate_profile(
        other, profile['radius'], name), dtype=float) for name in (
            'surface_brightness', 'surface_brightness_err'))
    size = np.abs(np.asarray(profile['surface_brightness'], dtype=float)
                  - value)
    size = size[np.isfinite(size) & (error < 0.2)]
    return np.median(size) if size.size else np.nan


def _write_beside(found, path, args):
    """
    Write one table with a row for each image.
    """
    from astropy.table import vstack

    stems, tables = zip(*found, strict=True)
    table = vstack(_with_units(tables), metadata_conflicts='silent')
    table.add_column(list(stems), name='image', index=0)
    write_table_beside(table, path, args)


def _with_units(tables):
    """
    Take units that images do not share out of the columns, into their own.
    """
    tables = [table.copy() for table in tables]
    for name in tables[0].colnames:
        units = [getattr(table[name], 'unit', None) for table in tables]
        if all(unit == units[0] or (None not in (unit, units[0])
                                    and unit.is_equivalent(units[0]))
               for unit in units):
            continue
        for table, unit in zip(tables, units, strict=True):
            table[name] = getattr(table[name], 'value', table[name])
            table[f'{name}_unit'] = ['' if unit is None
                                     else unit.to_string()]
    return tables


def _summary_row(stem, result, seconds):
    import numpy as np

    from astro_pix2prof.profile.flags import decode_flags

    profile = result.profile
    magnitude = np.asarray(profile['mag_enclosed'], dtype=float)
    magnitude = magnitude[np.isfinite(magnitude)]
    radius = profile['radius'][-1]
    flags = decode_flags(profile.meta.get('flag', 0), kind='galaxy')
    return (stem, f'{len(profile)}',
            f'{magnitude[-1]:.2f}' if magnitude.size else '-',
            f'{radius.value:.1f} {radius.unit}',
            '-' if result.other is None
            else f'{_median_difference(profile, result.other):.3f}',
            f'{seconds:.1f} s',
            ' '.join(flags) or '-')


def _print_rows(rows, beside):
    if not rows:
        return
    head = ('image', 'rings', 'mag', 'out to', beside or '', 'time', 'flags')
    if beside is None:
        head, *rows = [row[:4] + row[5:] for row in (head, *rows)]
    print_columns([head, *rows])
    if beside is not None:
        print(f'({beside}: median absolute difference from that method in '
              'mag)')
