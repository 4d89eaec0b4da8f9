# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof train``.
"""

from pathlib import Path

from astro_pix2prof.cli.options import add_common_options, local_path
from astro_pix2prof.cli.output import make_folder, show_traceback
from astro_pix2prof.cli.values import number

__all__ = ['add_train_command']


def add_train_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'train', help='train a network',
        description='Train a network with a recipe; go on where an earlier '
                    'run in the same folder stopped.')
    command.add_argument('recipe', metavar='RECIPE',
                         help='TOML file, or the name of a recipe of the '
                              'package, such as tutorial')
    command.add_argument('--out', metavar='DIR', type=local_path,
                         help='folder for checkpoints, logs and weights '
                              '(default: the name of the recipe)')
    command.add_argument('--no-resume', action='store_true',
                         help='start anew')
    command.add_argument('--accelerator', default='auto',
                         help='cpu, gpu, ... (default: auto)')
    command.add_argument('--devices', default='auto',
                         help='how many processes or GPUs (default: auto)')
    command.add_argument('--nodes', type=number(int), default=1, metavar='N',
                         help='how many machines (default: 1)')
    command.add_argument('--max-minutes', type=float, metavar='MINUTES',
                         help='stop after this time; a later call goes on')
    add_common_options(command)
    command.set_defaults(run=_run_train, command=command)


def _run_train(args):
    from astro_pix2prof.training import train
    from astro_pix2prof.training.recipe import read_recipe

    try:
        recipe = read_recipe(args.recipe)
    except FileNotFoundError as error:
        if error.strerror:
            raise
        show_traceback(error, args)
        args.command.error(
            f'argument RECIPE: {str(error).removeprefix("recipe: ")}')
    folder = args.out or Path(recipe.name)
    make_folder(folder, args)
    devices = args.devices
    if devices.lstrip('-').isdigit():
        devices = int(devices)
    path = train(recipe, folder, resume=not args.no_resume,
                 accelerator=args.accelerator, devices=devices,
                 num_nodes=args.nodes, max_minutes=args.max_minutes,
                 progress=not args.quiet)
    if path is not None and not args.quiet:
        print(f'weights: {path.resolve()}')
    return 0
