# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the gain of each part of the ring network.

Networks that lack one part each are trained for as many steps of the recipe
``rings`` on the same galaxies, and measure the same GalSim images (see
``benchmarks.render.bands``), which are not those of the test sets. The
weights that come with the package, trained for longer, measure them as well.

    python -m benchmarks.render.bands --n 30 --seed 78 --out build/ablations
    python -m benchmarks.accuracy.ablations build/ablations --steps 400
        --out benchmarks/accuracy/ablations.json --table docs/ablations.inc
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from astro_pix2prof import Pix2ProfFitter, evaluate_fitters
from astro_pix2prof.training import train
from benchmarks.tables import describe_environment

VARIANTS = {
    'everything': {},
    'no second ring stage': {'refine': False},
    'uniform weights': {'attention': False},
    'no correction': {'correct': False},
    'no gate': {'gate': False},
}
# Weights of the package, trained for longer and otherwise.
BUNDLED = ('rings', 'captioner')


def measure(name, network, args):
    """
    Train and measure one variant: a dict of figures.
    """
    folder = args.folder / name.replace(' ', '_')
    start = time.perf_counter()
    path = train('rings', folder, accelerator='cpu', devices=1,
                 progress=False, network=network,
                 data={'validation': 64},
                 training={'steps': args.steps, 'checkpoint_steps': 100,
                           'schedule': 'cosine'})
    seconds = time.perf_counter() - start
    return {**errors_of(name, path, args), 'network': network,
            'seconds': seconds}


def errors_of(name, weights, args):
    """
    The errors of weights on the images.
    """
    fitter = Pix2ProfFitter(weights, device='cpu')
    evaluation = evaluate_fitters({name: fitter},
                                  sorted(args.images.glob('*.fits')))
    row = evaluation.summary()[0]
    rings = evaluation.rings
    bright = rings['surface_brightness'].value < 20
    return {
        'variant': name,
        'presentations': fitter.card['presentations'],
        'parameters': fitter.card['parameters'],
        'median': float(row['median'].value),
        'median_bright': float(row['median_bright'].value),
        'brighter_than_20': float(np.nanmedian(np.abs(
            rings['difference'][bright].value))),
        'success': float(row['success'])}


def write_table(rows, path):
    """
    The figures as a table of reStructuredText.
    """
    lines = ['.. list-table::', '    :header-rows: 1',
             '    :widths: 34 16 14 12 12 12', '']
    cells = [('Network', 'Presentations', 'Brighter than 20', 'To 26.5',
              'To S/N 1', 'Complete')]
    cells += [(row['variant'], f'{row["presentations"]:,}',
               f'{row["brighter_than_20"]:.4f}',
               f'{row["median_bright"]:.3f}', f'{row["median"]:.3f}',
               f'{row["success"]:.1%}') for row in rows]
    for row in cells:
        lines += [f'    {"*" if k == 0 else " "} - {cell}'
                  for k, cell in enumerate(row)]
    path.write_text('\n'.join(lines) + '\n')


def main(args=None):
    """
    Train all variants, print the table and write it.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('images', type=Path,
                        help='the folder of the images')
    parser.add_argument('--steps', type=int, default=1200,
                        help='of the optimiser, a multiple of 100')
    parser.add_argument('--folder', type=Path,
                        default=Path('build') / 'ablation_runs',
                        help='for the runs; what is there is gone on with')
    parser.add_argument('--only', nargs='+', choices=VARIANTS,
                        default=list(VARIANTS))
    parser.add_argument('--out', type=Path, metavar='FILE.json')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    args = parser.parse_args(args)
    if not any(args.images.glob('*.fits')):
        print(f'images: {args.images} has no FITS file; render some with '
              'benchmarks.render.bands', file=sys.stderr)
        return 1
    rows = []
    jobs = [(measure, name, VARIANTS[name]) for name in args.only]
    jobs += [(errors_of, f'the weights {name}', name) for name in BUNDLED]
    for job, name, what in jobs:
        rows.append(job(name, what, args))
        print('{variant:22} to 26.5 {median_bright:.3f}, to S/N 1 '
              '{median:.3f}, brighter than 20 {brighter_than_20:.4f}, '
              '{success:.1%} complete'.format(**rows[-1]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(
            {'steps': args.steps, 'images': len(list(
                args.images.glob('*.fits'))),
             'environment': describe_environment(), 'rows': rows},
            indent=1) + '\n')
    if args.table:
        write_table(rows, args.table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
