# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Options of commands that need a distance and the dust in front of a galaxy.
"""

import argparse

from astro_pix2prof.cli.options import number_or_word

__all__ = ['add_distance_options', 'distance', 'distance_options']


# Options that are passed on as they are.
_PASSED = ('distance', 'redshift', 'ebv', 'ebv_err', 'reddening', 'filters',
           'inclination', 'inclination_err', 'thickness')


def add_distance_options(command):
    """
    Add the options of distance, dust and inclination.

    Parameters
    ----------
    command : `argparse.ArgumentParser`
        The command.
    """
    add = command.add_argument_group(
        'distance, dust and inclination').add_argument
    add('--distance', type=distance, metavar='D',
        help='distance by brightness, in Mpc or with a unit such as 35Mpc')
    add('--redshift', type=float, metavar='Z',
        help='redshift, for the distance if that is not given, and for '
             'dimming')
    add('--cosmology', metavar='NAME',
        help='a cosmology of astropy, such as WMAP9 (default: that of '
             'astropy)')
    add('--ebv', type=number_or_word, metavar='MAG',
        help='reddening E(B-V) by the Milky Way, or sfd for the map of the '
             'package dustmaps (default: 0)')
    add('--ebv-err', type=float, metavar='MAG',
        help='its error (default: 16%% of it)')
    add('--reddening', metavar='SCALE',
        help='scale of that number: SFD (default), or SF11 if it is '
             'recalibrated')
    add('--filters', metavar='SURVEY',
        help='whose filters the bands are: SDSS (default), DES or PS1')
    add('--inclination', type=float, metavar='DEG',
        help='inclination of a disc, for brightness and surface density '
             'face-on')
    add('--inclination-err', type=float, metavar='DEG',
        help='its error (default: 0)')
    add('--thickness', type=float, metavar='Q',
        help='axis ratio of the disc seen edge-on (default: 0)')


def distance(text):
    """
    Read a distance.

    Parameters
    ----------
    text : str
        Such as '35' (Mpc) or '35Mpc'.

    Returns
    -------
    distance : float or `~astropy.units.Quantity`

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    import astropy.units as u

    try:
        return float(text)
    except ValueError:
        pass
    try:
        return u.Quantity(text)
    except TypeError:
        msg = f'must be a number of Mpc, or as 35Mpc, got {text!r}'
        raise argparse.ArgumentTypeError(msg) from None


def distance_options(args):
    """
    Collect the options of the library that were given.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments; a cosmology that astropy does not have ends the
        program.

    Returns
    -------
    options : dict
        Options of `~astro_pix2prof.physical_profile` and
        `~astro_pix2prof.mass_profile`.
    """
    options = {name: getattr(args, name) for name in _PASSED
               if getattr(args, name) is not None}
    if args.cosmology is not None:
        from astropy.cosmology import realizations

        if args.cosmology not in realizations.available:
            args.command.error(
                'argument --cosmology: must be one of '
                f'{", ".join(realizations.available)}, got '
                f'{args.cosmology!r}')
        options['cosmology'] = getattr(realizations, args.cosmology)
    return options
