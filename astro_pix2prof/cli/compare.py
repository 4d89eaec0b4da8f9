# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof compare``.
"""

import sys
import traceback

from astro_pix2prof.cli.fit import _DEFAULT, _fit_options
from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.output import (
    make_folder,
    one_line,
    output_stems,
    quietly,
    report,
    save_figure,
)

__all__ = []


def _run_compare(args):
    from astro_pix2prof.plotting.profiles import plot_profiles
    from astro_pix2prof.profile.io import read_profile

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
    from astro_pix2prof.evaluation.compare import compare_profiles

    reference = profiles[first]
    table = compare_profiles(
        {label: profile for label, profile in profiles.items()
         if label != first}, reference)
    for name in ('median', 'median_abs'):
        table[name].info.format = '+.3f' if name == 'median' else '.3f'
    print(f'difference from {first} in bins of surface brightness:')
    print('\n'.join(table.pformat(max_lines=-1, max_width=-1)))
