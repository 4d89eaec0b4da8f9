# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof fit``.
"""

import sys
import time
import traceback

from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.options import (
    image_options,
)
from astro_pix2prof.cli.output import (
    SUFFIXES,
    make_folder,
    one_line,
    output_stems,
    print_columns,
    quietly,
    report,
    save_figure,
)

__all__ = []


# What is measured if nothing else is asked for, and what is shown beside it.
_DEFAULT, _BESIDE = METHODS


def _run_fit(args):
    from tqdm import tqdm

    options = _fit_options(args)
    if args.geometry is not None:
        from astro_pix2prof.profile.io import read_profile

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

    from astro_pix2prof.profile.table import interpolate_profile

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
    from astro_pix2prof.profile.io import write_profile

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
        from astro_pix2prof.structure.measure import measure_structure

        structure, more = quietly(measure_structure, fit.profile)
        notes += more
    write_profile(fit.profile, table, overwrite=args.overwrite)
    if args.plot:
        from astro_pix2prof.plotting.fit import plot_fit

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

    from astro_pix2prof.profile.flags import decode_flags

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
