# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Options of ``pix2prof fit`` for structural parameters, modes and bars.
"""

import argparse

from astro_pix2prof.cli.products import write_table_beside

__all__ = ['add_structure_options', 'check_structure', 'measure_bar',
           'structure_settings']


# Options that go with --structure, and the settings that they are.
_SETTINGS = ('petrosian_ratio', 'petrosian_aperture', 'fractions')


def add_structure_options(command):
    """
    Add the options of structural parameters.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    command.add_argument('--structure', action='store_true',
                         help='measure magnitudes, radii and more from the '
                              'profiles, and write one table of all images')
    command.add_argument('--petrosian-ratio', metavar='RATIO', type=_ratio,
                         help='ratio at the Petrosian radius of --structure '
                              '(default: 0.2)')
    command.add_argument('--petrosian-aperture', metavar='TIMES',
                         type=_aperture,
                         help='aperture of its magnitude, in Petrosian radii '
                              '(default: 2)')
    command.add_argument('--fractions', metavar='P,P,...', type=_fractions,
                         help='add the radii of other parts of the light to '
                              '--structure, in per cent, such as 25,75')
    command.add_argument('--bar', action='store_true',
                         help='write the Fourier modes 1 to 4 of each ring, '
                              'NAME_modes, and one table of the bars of all '
                              'images')


def _ratio(text):
    value = _number(text)
    if not 0 < value <= 0.9:
        msg = f'must be a number above 0 of at most 0.9, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return value


def _aperture(text):
    value = _number(text)
    if not 0 < value < float('inf'):
        msg = f'must be a positive number, got {text!r}'
        raise argparse.ArgumentTypeError(msg)
    return value


def _fractions(text):
    values = [_number(part) for part in text.split(',')]
    if not all(1 <= value < 100 for value in values) or (
            len(set(values)) < len(values)):
        msg = ('must be different numbers of per cent, from 1 to below 100, '
               f'such as 25,75, got {text!r}')
        raise argparse.ArgumentTypeError(msg)
    return values


def _number(text):
    try:
        return float(text)
    except ValueError:
        return float('nan')


def check_structure(args):
    """
    End the program if settings of ``--structure`` stand without it.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.
    """
    given = list(structure_settings(args))
    if given and not args.structure:
        args.command.error(f'--{given[0].replace("_", "-")} needs '
                           '--structure, which measures it')


def structure_settings(args):
    """
    Choose the settings of structural parameters that were given.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments.

    Returns
    -------
    settings : dict
        Options of `~astro_pix2prof.measure_structure`.
    """
    return {name: getattr(args, name) for name in _SETTINGS
            if getattr(args, name) is not None}


def measure_bar(fit, path, args):
    """
    Write the Fourier modes of a galaxy, and measure its bar.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The fit.

    path : `~pathlib.Path`
        The file of the modes.

    args : `argparse.Namespace`
        The arguments.

    Returns
    -------
    bar : `~astropy.table.QTable`
        One row.
    """
    from astro_pix2prof.fitting.fourier import fourier_profile
    from astro_pix2prof.structure.bar import bar_radius

    modes = fourier_profile(fit)
    bar = bar_radius(modes, profile=fit.profile)
    write_table_beside(modes, path, args)
    return bar
