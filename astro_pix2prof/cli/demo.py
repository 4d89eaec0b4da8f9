# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The command ``pix2prof demo``.
"""

import sys
import time

from astro_pix2prof.cli.fit import _DEFAULT, _fit_beside, _labelled
from astro_pix2prof.cli.methods import METHODS
from astro_pix2prof.cli.output import (
    make_folder,
    quietly,
    save_figure,
)

__all__ = []


def _run_demo(args):
    from astro_pix2prof.datasets.example import (
        load_example,
        load_example_truth,
    )
    from astro_pix2prof.plotting.fit import plot_fit
    from astro_pix2prof.profile.io import write_profile

    make_folder(args.out, args)
    image = load_example()
    options = {'gain': image.header['GAIN'], 'weights': args.weights,
               'device': args.device}
    quietly(METHODS[_DEFAULT], image, **options)   # reads the weights
    start = time.perf_counter()
    fit, notes = quietly(METHODS[_DEFAULT], image, **options)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    other, more = _fit_beside(image, options)
    seconds_beside = time.perf_counter() - start
    notes += more
    table = args.out / 'demo_galaxy_r.ecsv'
    figure = args.out / 'demo_galaxy_r.png'
    write_profile(fit.profile, table, overwrite=True)
    save_figure(plot_fit, figure, fit.cutout, fit.profile, mask=fit.mask,
                beside=_labelled(other), figsize=(10.0, 7.6))
    if args.quiet:
        return 0
    for note in notes:
        print(f'pix2prof: warning: {note}', file=sys.stderr)
    print(f'{fit.cutout!r}')
    print(f'measured in {seconds:.2f} s (isophote fit: {seconds_beside:.2f} '
          f's); some of {len(fit.profile)} rings:\n')
    print(_demo_rows(fit.profile, other, load_example_truth()))
    truth = load_example_truth().meta['magnitude']
    print(f'\nmagnitude within the last ring: '
          f'{fit.profile["mag_enclosed"][-1].value:.2f} (the galaxy was '
          f'rendered with {truth:.2f})')
    print(f'table:  {table.resolve()}\nfigure: {figure.resolve()}')
    return 0


def _demo_rows(profile, other, truth):
    """
    Some rings, with the isophotes' values and the true ones.
    """
    import numpy as np

    from astro_pix2prof.profile.table import interpolate_profile

    last = len(profile) - 1
    rows = np.unique(np.rint(last * np.linspace(0, 1, 12)**1.5).astype(int))
    head = profile[rows]['radius', 'surface_brightness',
                         'surface_brightness_err', 'mag_enclosed']
    columns = {'isophotes': other, 'truth': truth}
    for name, table in columns.items():
        if table is not None:
            head[name] = interpolate_profile(table, head['radius'])
    for name in head.colnames:
        head[name].info.format = '.3f'
    return '\n'.join(head.pformat(max_lines=-1, max_width=-1))
