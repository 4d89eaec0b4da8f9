# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof train``.
"""

from pathlib import Path

from astro_pix2prof.cli.output import (
    make_folder,
)

__all__ = []


def _run_train(args):
    from astro_pix2prof.training import train
    from astro_pix2prof.training.recipe import read_recipe

    recipe = read_recipe(args.recipe)
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
