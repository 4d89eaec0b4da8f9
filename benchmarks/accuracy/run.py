# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
All figures of the evaluation of a network, from its weights, in one command.

Galaxies are rendered with GalSim as four surveys see them, and measured by
the network, by IsophoteFitter and along the true ellipses. What has been
rendered and measured is kept in a folder and used again.

    python -m benchmarks.accuracy.run --jobs 2 --out docs/accuracy.inc

The figures are also written to benchmarks/accuracy/run.json.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import dataclasses
import datetime
import json
from importlib import metadata
from pathlib import Path

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter
from benchmarks.accuracy.checks import (
    compare_growth,
    compare_real,
    compare_structure,
)
from benchmarks.accuracy.checks import measure_speed as time_methods
from benchmarks.accuracy.figures import figures_of
from benchmarks.accuracy.pulls import figures_of_rings, read_rings
from benchmarks.accuracy.report import (
    plot_figures,
    report,
    write_inc,
)
from benchmarks.accuracy.sets import (
    ISOPHOTES,
    NETWORK,
    SETS,
    classify,
    measure_set,
    render_set,
)
from benchmarks.tables import (
    describe_environment,
    describe_weights,
    join,
    to_json,
)

HERE = Path(__file__).resolve().parent
REAL = HERE.parents[2] / 'shared' / 'data' / 'real'
# Images for the curves of growth and for the speed; in a trial, galaxies of
# each set, and images for the rest.
N_GROWTH, N_SPEED = 25, 20
N_QUICK, N_TRIAL = 3, 1


def measure(args):
    """
    Everything: a nested dict of plain values.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments of the command.

    Returns
    -------
    out : dict
        What is written as JSON.
    """
    fitter = Pix2ProfFitter(args.weights, device='cpu')
    out = {'weights': describe_weights(fitter),
           'environment': {
               **describe_environment(),
               'galsim': metadata.version('galsim'),
               'date': datetime.date.today().isoformat(),
               'jobs': args.jobs},
           'quick': args.quick, 'sets': {}}
    fitters = {NETWORK: Pix2ProfFitter(args.weights, device='cpu', sky=0.0),
               ISOPHOTES: IsophoteFitter(sky=0.0, mask_sources=False)}
    n_growth = N_TRIAL if args.quick else N_GROWTH
    for name in args.sets:
        chosen = SETS[name]
        if args.quick:
            chosen = dataclasses.replace(chosen, n_galaxies=N_QUICK)
        folder = args.folder / name
        print(f'{chosen.title}: {chosen.n_images} images', flush=True)
        paths = render_set(chosen, folder / 'images', n_jobs=args.jobs)
        evaluations, profiles = measure_set(
            paths, folder, fitter, n_jobs=args.jobs, fresh=args.fresh)
        evaluation = join(evaluations)
        plain = chosen.renderer != 'galaxies'
        classes = [classify(path, cases=plain) for path in paths]
        # a galaxy has one image in each of its bands
        n_bands = max(len(chosen.bands), 1)
        out['sets'][name] = {
            **dataclasses.asdict(chosen), 'n_images': chosen.n_images,
            'mu_limit': float(evaluation.mu_limit.value),
            'fitters': figures_of(evaluation, classes, [
                k // n_bands for k in range(len(paths))]),
            'structure': {label: compare_structure(paths, profiles[label])
                          for label in profiles},
            'rings': {label: figures_of_rings(
                read_rings(paths, profiles[label])) for label in profiles},
            # (some have no clean image beside them)
            'growth': {} if plain else compare_growth(
                paths[::n_bands][:n_growth], fitters)}
    first = args.folder / args.sets[0] / 'images'
    n_speed = N_TRIAL if args.quick else N_SPEED
    out['speed'] = time_methods(sorted(first.glob('*.fits'))[:n_speed],
                                args.weights)
    if args.real.is_dir():
        out['real'] = compare_real(
            args.real, args.weights, n=N_TRIAL if args.quick else None)
    else:
        print(f'real galaxies skipped: there is no folder {args.real}; give '
              'it with --real')
        out['real'] = []
    return to_json(out)


def main(args=None):
    """
    Measure everything, and write the figures.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--folder', type=Path,
                        default=HERE.parents[1] / 'build' / 'accuracy',
                        help='where images and measurements are kept')
    parser.add_argument('--weights', default='rings',
                        help='a name, or a .safetensors file')
    parser.add_argument('--quick', action='store_true',
                        help=f'{N_QUICK} galaxies of each set, as a trial')
    parser.add_argument('--sets', nargs='+', choices=SETS,
                        default=list(SETS))
    parser.add_argument('--jobs', type=int, default=1,
                        help='processes for rendering and for isophotes')
    parser.add_argument('--fresh', action='store_true',
                        help='measure again what was measured; needed when '
                        'the code has changed')
    parser.add_argument('--real', type=Path, default=REAL,
                        help='the folder of the real galaxies')
    parser.add_argument('--out', type=Path, metavar='FILE.inc',
                        help='write the tables for the documentation')
    parser.add_argument('--json', type=Path, metavar='FILE.json',
                        help='write the figures; with --out and without '
                        '--quick benchmarks/accuracy/run.json')
    parser.add_argument('--plots', type=Path, metavar='DIR',
                        help='write the pictures; with --out the folder '
                        'figures beside it')
    parser.add_argument('--report', action='store_true',
                        help='measure nothing: tables and pictures of '
                        'benchmarks/accuracy/run.json, or of --json')
    args = parser.parse_args(args)
    if args.jobs < 1:
        parser.error(f'--jobs must be a positive integer, got {args.jobs}')
    if args.report:
        out = json.loads((args.json or HERE / 'run.json').read_text())
    else:
        out = measure(args)
    print(report(out))
    if args.json is None and args.out and not args.quick:
        args.json = HERE / 'run.json'
    if args.json and not args.report:
        args.json.write_text(json.dumps(out, indent=1) + '\n')
    if args.plots is None and args.out:
        args.plots = args.out.parent / 'figures'
    if args.plots:
        plot_figures(out, args.plots)
    if args.out:
        write_inc(out, args.out, args.plots)


if __name__ == '__main__':
    main()
