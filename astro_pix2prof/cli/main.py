# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Collect the commands of ``pix2prof`` and run the one that is asked for.
"""

import argparse
import os
import re
import sys
from functools import partial

from astro_pix2prof.cli.anomalies import add_anomalies_command
from astro_pix2prof.cli.clumps import add_clumps_command
from astro_pix2prof.cli.collector import leave_to_the_system
from astro_pix2prof.cli.compare import add_compare_command
from astro_pix2prof.cli.demo import add_demo_command
from astro_pix2prof.cli.evaluate import add_evaluate_command
from astro_pix2prof.cli.fine_tune import add_fine_tune_command
from astro_pix2prof.cli.fit import add_fit_command
from astro_pix2prof.cli.fit_bands import add_bands_command
from astro_pix2prof.cli.mass import add_mass_command
from astro_pix2prof.cli.output import report
from astro_pix2prof.cli.physical import add_physical_command
from astro_pix2prof.cli.report import add_report_command
from astro_pix2prof.cli.review import add_review_command
from astro_pix2prof.cli.similar import add_similar_command
from astro_pix2prof.cli.simulate import add_simulate_command
from astro_pix2prof.cli.spectra import add_spectra_command
from astro_pix2prof.cli.survey import add_survey_command
from astro_pix2prof.cli.train import add_train_command

__all__ = ['main']


# In the order of the help.
_COMMANDS = (add_fit_command, add_bands_command, add_compare_command,
             add_physical_command, add_mass_command,
             add_clumps_command, add_similar_command, add_anomalies_command,
             add_demo_command, add_simulate_command, add_train_command,
             add_fine_tune_command, add_evaluate_command, add_survey_command,
             add_report_command, add_review_command, add_spectra_command)


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
    if args is None:
        # (the process is our own)
        try:
            return _run(sys.argv[1:])
        finally:
            leave_to_the_system()
    return _run(args)


def _run(args):
    parser = _make_parser()
    # a leading blank keeps argparse from taking the declination -12:30:00
    # for an option
    args, unknown = parser.parse_known_args(
        [f' {arg}' if re.match(r'-[\d.]', arg) else arg for arg in args])
    if unknown:
        # (with the usage of the command, not that of the whole program)
        getattr(args, 'command', parser).error(
            f'unrecognized arguments: {" ".join(unknown)}')
    if not hasattr(args, 'run'):
        parser.print_help()
        return 2
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The program that reads the output, such as head, has ended: what
        # is left goes nowhere, so that Python does not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        report('interrupted')
        return 130
    except Exception as error:
        report(error, args)
        return 1


def _make_parser():
    parser = argparse.ArgumentParser(
        prog='pix2prof', allow_abbrev=False,
        description='Surface-brightness profiles of galaxies.')
    parser.add_argument('--version', action=_VersionAction)
    # (--psf must not be taken for --psf-fwhm where there is no --psf)
    commands = parser.add_subparsers(
        title='commands', metavar='COMMAND',
        parser_class=partial(argparse.ArgumentParser, allow_abbrev=False))

    for add_command in _COMMANDS:
        add_command(commands)
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
