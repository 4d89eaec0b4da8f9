# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command line: ``pix2prof fit``, ``compare``, ``demo`` and the parser.
"""

import argparse
import re
import sys
import traceback
from pathlib import Path

from astro_pix2prof.cli.compare import _run_compare
from astro_pix2prof.cli.demo import _run_demo
from astro_pix2prof.cli.evaluate import add_commands
from astro_pix2prof.cli.fit import _DEFAULT, _run_fit
from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.options import (
    add_common_options,
    add_image_options,
    add_network_options,
)
from astro_pix2prof.cli.output import (
    SUFFIXES,
    one_line,
    report,
)
from astro_pix2prof.cli.report import add_report_command
from astro_pix2prof.cli.survey import add_survey_command

__all__ = ['main']


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
