# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof physical``.
"""

import argparse
from pathlib import Path

from astro_pix2prof.cli.distance import (
    add_distance_options,
    distance_options,
)
from astro_pix2prof.cli.options import (
    add_common_options,
    any_path,
    band_pairs,
    local_path,
)
from astro_pix2prof.cli.output import (
    check_file,
    check_new,
    make_folder,
    option_text,
    output_stems,
    print_columns,
    quietly,
    report,
    show_traceback,
    warn,
)
from astro_pix2prof.cli.products import (
    BESIDE_FORMATS,
    FORMATS,
    table_suffix,
    write_table_beside,
)

__all__ = ['add_physical_command']


def add_physical_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'physical', help='convert profiles to kpc and luminosities',
        usage='%(prog)s [OPTION ...] PROFILE [PROFILE ...]',
        description='Convert profiles that pix2prof fit wrote to physical '
                    'units: kpc, luminosity per square parsec and absolute '
                    'magnitudes. All are at one distance, such as those of '
                    'several bands.')
    command.add_argument('profiles', nargs='+', metavar='PROFILE',
                         type=any_path,
                         help='table that pix2prof fit wrote')
    command.add_argument('--band', metavar='BAND',
                         help='the band (default: that of the profile)')
    command.add_argument('--solar', metavar='MAG', type=_each_band,
                         help='absolute AB magnitude of the sun in the band, '
                              'or in each such as g=5.1,r=4.6 (default: that '
                              'of the register)')
    command.add_argument('--k-correction', metavar='MAG', type=_each_band,
                         help='K-correction of the band, or of each band '
                              'such as g=0.05,r=0.02 (default: none); needs '
                              '--redshift')
    add_distance_options(command)
    command.add_argument('--out', metavar='DIR', type=local_path,
                         default=Path(),
                         help='folder for the results (default: this one)')
    command.add_argument('--format', choices=BESIDE_FORMATS, default='ecsv',
                         help='format of the tables (default: ecsv)')
    command.add_argument('--overwrite', action='store_true',
                         help='replace results that exist')
    add_common_options(command)
    command.set_defaults(run=_run_physical, command=command)


def _each_band(text):
    """
    Read a number, or one for each band.
    """
    try:
        if '=' not in text:
            return float(text)
        pairs = band_pairs(text)
        values = {band: float(value) for band, value in pairs}
    except (TypeError, ValueError):
        values = None
    if not values or len(values) < len(pairs):
        msg = (f'must be a number, or one for each band such as '
               f'g=0.05,r=0.02, got {text!r}')
        raise argparse.ArgumentTypeError(msg)
    return values


def _run_physical(args):
    options = distance_options(args)
    _check_options(args, options)
    make_folder(args.out, args)
    rows, n_failed = [], 0
    stems = output_stems([Path(_name(path)) for path in args.profiles])
    for path, stem in zip(args.profiles, stems, strict=True):
        try:
            table, notes = quietly(_convert, path, options, args)
            for note in notes:
                warn(note, args, file=path)
            out = args.out / f'{stem}_physical{table_suffix(args)}'
            check_new(out, args)
            write_table_beside(table, out, args)
        except Exception as error:
            n_failed += 1
            report(error, args, file=path)
            continue
        rows.append(_summary(stem, table))
    if not n_failed:
        _warn_of_unused(args, {band for _, band, *_ in rows})
    if not args.quiet:
        if rows:
            print_columns([('profile', 'band', 'kpc', 'abs. mag',
                            'log L (Lsun)'), *rows])
        print(f'{len(rows)} of {len(args.profiles)} profiles converted'
              + (f'; results in {args.out.resolve()}' if rows else ''))
    return 1 if n_failed else 0


def _warn_of_unused(args, bands):
    """
    Warn of values for bands that no profile has.
    """
    for name in ('solar', 'k_correction'):
        value = getattr(args, name)
        unused = (sorted(set(value) - bands) if isinstance(value, dict)
                  else [])
        if unused:
            warn(f'--{name.replace("_", "-")}: there is no profile of '
                 + ', '.join(unused), args)


def _name(path):
    """
    Remove what tells that a file is a profile from its name.
    """
    name = path.name
    for ending in sorted({*FORMATS.values()}):
        name = name.removesuffix(ending)
    return name.removesuffix('_profile')


def _check_options(args, options):
    """
    End the program if the options are wrong for any profile.
    """
    from astro_pix2prof.structure.physical import find_corrections

    for name in ('solar', 'k_correction'):
        if isinstance(getattr(args, name), float) and args.band is None and (
                len(args.profiles) > 1):
            args.command.error(
                f'argument --{name.replace("_", "-")}: give one for each '
                'band of several profiles, such as g=0.1,r=0.2, or --band')
    options = dict(options)
    # (a number or a dict; the band is known with the profile)
    k = {} if args.k_correction is not None else None
    # (so does a map, with the position of the galaxy)
    if isinstance(options.get('ebv'), str):
        options.pop('ebv')
    try:
        find_corrections(None, k_correction=k, **options)
    except (TypeError, ValueError) as error:
        show_traceback(error, args)
        args.command.error(option_text(' '.join(str(error).split()),
                                       args.command))


def _convert(path, options, args):
    """
    Read a profile and convert it.
    """
    from astro_pix2prof.profile.io import read_profile
    from astro_pix2prof.structure.physical import physical_profile

    check_file(path)
    profile = read_profile(path)
    band = profile.meta.get('band') if args.band is None else args.band
    if band is None:
        msg = 'the profile does not say its band: give --band'
        raise ValueError(msg)
    k, solar = args.k_correction, args.solar
    if isinstance(k, float):
        k = {band: k}
    if isinstance(solar, dict):
        solar = solar.get(band)
    return physical_profile(profile, band=band, k_correction=k, solar=solar,
                            **options)


def _summary(stem, table):
    """
    Describe the last ring that has light within.
    """
    import numpy as np

    magnitude = table['mag_enclosed'].value
    known = np.flatnonzero(np.isfinite(magnitude))
    if not known.size:
        return stem, str(table.meta['band']), '-', '-', '-'
    last = known[-1]
    light = table['luminosity_enclosed'].value[last]
    return (stem, str(table.meta['band']),
            f'{table["radius_kpc"].value[last]:.2f}',
            f'{magnitude[last]:.2f}', f'{np.log10(light):.2f}')
