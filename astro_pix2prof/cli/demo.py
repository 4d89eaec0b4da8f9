# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof demo``.
"""

import time
from pathlib import Path

from astro_pix2prof.cli.methods import make_fitter
from astro_pix2prof.cli.options import (
    add_common_options,
    add_network_options,
    local_path,
)
from astro_pix2prof.cli.output import (
    make_folder,
    quietly,
    save_figure,
    warn,
)

__all__ = ['add_demo_command']


def add_demo_command(commands):
    """
    Add the command to the parser.

    Parameters
    ----------
    commands : object
        As `argparse.ArgumentParser.add_subparsers` returns it.
    """
    command = commands.add_parser(
        'demo', help='measure the galaxy that ships with the package',
        description='Measure the galaxy that ships with the package; write '
                    'its profile and a figure.')
    command.add_argument('--out', metavar='DIR', type=local_path,
                         default=Path('pix2prof_demo'),
                         help='folder for the results (default: '
                              'pix2prof_demo)')
    add_network_options(command)
    add_common_options(command)
    command.set_defaults(run=_run_demo, command=command)


def _run_demo(args):
    from astro_pix2prof.datasets.example import (
        load_example,
        load_example_truth,
    )
    from astro_pix2prof.plotting.fit import plot_fit
    from astro_pix2prof.profile.io import write_profile

    fitter, isophotes = (make_fitter(method, args)
                         for method in ('pix2prof', 'isophote'))
    make_folder(args.out, args)
    image = load_example()
    options = {'gain': image.header['GAIN']}
    quietly(fitter.fit, image, **options)   # (the first fit takes longer)
    (fit, notes), seconds = _time(fitter, image, options)
    (other, _), seconds_beside = _time(isophotes, image, options)
    table = args.out / 'demo_galaxy_r.ecsv'
    figure = args.out / 'demo_galaxy_r.png'
    write_profile(fit.profile, table, overwrite=True)
    save_figure(plot_fit, figure, fit.cutout, fit.profile, mask=fit.mask,
                beside={'isophotes': other.profile}, figsize=(10.0, 7.6))
    for note in notes:
        warn(note, args)
    if args.quiet:
        return 0
    print(f'{fit.cutout!r}')
    print(f'measured in {seconds:.2f} s (isophote fit: {seconds_beside:.2f} '
          f's); some of {len(fit.profile)} rings:\n')
    print(_demo_rows(fit.profile, other.profile, load_example_truth()))
    truth = load_example_truth().meta['magnitude']
    print(f'\nmagnitude within the last ring: '
          f'{fit.profile["mag_enclosed"][-1].value:.2f} (the galaxy was '
          f'rendered with {truth:.2f})')
    print(f'table:  {table.resolve()}\nfigure: {figure.resolve()}')
    return 0


def _time(fitter, image, options):
    start = time.perf_counter()
    result = quietly(fitter.fit, image, **options)
    return result, time.perf_counter() - start


def _demo_rows(profile, other, truth):
    """
    Format some rings, with the values of the isophotes and the true ones.
    """
    import numpy as np

    from astro_pix2prof.profile.table import interpolate_profile

    last = len(profile) - 1
    rows = np.unique(np.rint(last * np.linspace(0, 1, 12)**1.5).astype(int))
    head = profile[rows]['radius', 'surface_brightness',
                         'surface_brightness_err', 'mag_enclosed']
    for name, table in {'isophotes': other, 'truth': truth}.items():
        head[name] = interpolate_profile(table, head['radius'])
    for name in head.colnames:
        head[name].info.format = '.3f'
    return '\n'.join(head.pformat(max_lines=-1, max_width=-1))
