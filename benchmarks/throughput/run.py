# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure galaxies per second, side by side with other methods.

Galaxies are simulated and written as FITS files, and measured: end to end on
one core and two, step by step, against photutils, IsophoteFitter and AutoProf
on one core, for images of several sizes, for more and more galaxies, on a GPU
if there is one, and as surveys in several processes of which some are killed.
Surveys of very many rows, with a fitter that does nothing, show their memory.

    python -m benchmarks.throughput.run --out docs/throughput.inc

The figures are written to benchmarks/throughput/run.json after each part. With
``--parts``, the others are kept as they are in that file; with ``--report``,
nothing is measured, and the tables and pictures are made again from it.
Other programs that run meanwhile make all this worthless.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import datetime
import json
import tempfile
import warnings
from importlib import metadata
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.tables import describe_environment, describe_weights, to_json
from benchmarks.throughput.images import (
    N_PIX,
    SCALE,
    SEED,
    read_truths,
    render_images,
    write_smooth,
)
from benchmarks.throughput.limit import PRECISIONS
from benchmarks.throughput.others import (
    AUTOPROF,
    make_autoprof,
    time_autoprof,
    time_isophotes,
    time_photutils,
)
from benchmarks.throughput.parts import (
    fit_files,
    measure_rate,
    measure_unrelated,
    run_apart,
    time_start,
)
from benchmarks.throughput.report import report, write_inc, write_plots
from benchmarks.throughput.survey import measure_processes, survey_and_kill

HERE = Path(__file__).parent
N_FILES = 500
SIZES = 64, 128, 256, 512, 1024, 2048, 4096
# Images of a size: as many as have the pixels of so many of 256 x 256.
N_SMOOTH = 32
# A trial, in which everything runs and the figures mean nothing.
QUICK = {'rounds': 1, 'files': 60, 'galaxies_rate': 64, 'images': 2,
         'autoprof': 1, 'sizes': [64, 256, 512], 'galaxies': 100,
         'galaxies_gpu': 64, 'galaxies_survey': 200, 'kill_galaxies': 400,
         'chunk': 20, 'rows': [2000, 4000]}
# Images that the ring network gets for each that the others get: it has to
# run for long enough to be timed.
N_MORE = 8


def measure_rates(args, paths):
    """
    End to end on one core and two, the steps, the limit, and the start.
    """
    rows, unrelated = [], []
    for k in range(args.rounds):
        for precision, cores in product(args.precisions, (1, 2)):
            rows.append(measure_rate(
                paths, args.galaxies_rate * cores, cores, args.folder,
                weights=args.weights, precision=precision))
            print(f'round {k + 1}, {precision}, {cores} core(s): '
                  f'{rows[-1]["per_second"]:.1f} galaxies/s', flush=True)
        unrelated += [measure_unrelated(
            paths, args.galaxies_rate, args.folder, weights=args.weights,
            precision=precision) for precision in args.precisions]
    starts = [time_start(paths[0], args.folder) for _ in range(args.rounds)]
    return {
        'n_files': len(paths), 'rows': rows, 'unrelated': unrelated,
        'start': {key: [row[key] for row in starts] for key in starts[0]},
        'split': {precision: run_apart(
            'limit.split_time', 1, paths=paths,
            n=args.galaxies_rate, out=args.folder / 'split.parquet',
            weights=args.weights, precision=precision)
            for precision in args.precisions},
        'limit': {precision: run_apart(
            'limit.count_limit', 1, paths=paths,
            weights=args.weights, precision=precision)
            for precision in args.precisions},
        'difference': run_apart(
            'limit.compare_precisions', 1, paths=paths,
            weights=args.weights) if len(args.precisions) > 1 else None}


def measure_others(args, paths):
    """
    The other methods on one core, in turns with the ring network.
    """
    n = min(args.images, len(paths))
    paths = paths[:n]
    python, reason = (None, 'it was not asked for') if not args.autoprof else (
        make_autoprof(args.folder / 'autoprof', python=args.autoprof_python))
    if python is None:
        print(f'{AUTOPROF} skipped: {reason}')
    blocks = np.array_split(np.arange(n), min(args.rounds, n))
    times = {name: [] for name in ('rings', 'plain', 'masked', 'isophotes')}
    autoprof, left = [], min(args.autoprof, n)
    truths = read_truths(args.folder / 'images', n)
    affinity = _pin()
    try:
        for block in blocks:
            row = fit_files(paths, N_MORE * len(block),
                            args.folder / 'others.parquet',
                            weights=args.weights)
            times['rings'].append((row['seconds'] / row['n'], False))
            for k in block:
                for name, masked in (('plain', False), ('masked', True)):
                    times[name].append(time_photutils(
                        paths[k], truths[k], masked=masked))
                times['isophotes'].append(time_isophotes(paths[k]))
            part = block[:-(-left // (len(blocks) - len(autoprof)))]
            left -= len(part)
            if python is not None and len(part):
                autoprof.append(time_autoprof(
                    python, [paths[k] for k in part],
                    args.folder / 'autoprof_files', scale=SCALE))
            print(f'{block[-1] + 1} of {n} images by other methods',
                  flush=True)
    finally:
        if affinity is not None:
            os.sched_setaffinity(0, affinity)
    out = {'n': n, 'n_rings': N_MORE * n, 'methods': {
        name: _summarise(rows) for name, rows in times.items()}}
    out['autoprof'] = None
    if autoprof:
        out['methods']['autoprof'] = _summarise([
            pair for row in autoprof for pair in zip(
                row['seconds'], row['failed'], strict=True)])
        started = [value for row in autoprof for value in row['started']]
        out['methods']['autoprof_started'] = _summarise(
            [(value, False) for value in started])
        out['autoprof'] = {'version': AUTOPROF.partition('==')[2],
                           'steps': autoprof[0]['steps']}
    out['autoprof_reason'] = reason
    own = out['methods']['rings']['mean']
    for row in out['methods'].values():
        row['ratio'] = None if row['mean'] is None else row['mean'] / own
    return out


def _pin():
    """
    Use one core from now on; the cores that could be used before.
    """
    if not hasattr(os, 'sched_setaffinity'):
        return None
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    return before


def _summarise(rows):
    """
    Statistics of seconds; those of failures do not count.
    """
    good = [seconds for seconds, failed in rows if not failed]
    row = {'n': len(rows), 'n_failed': len(rows) - len(good),
           'mean': None, 'median': None, 'p95': None}
    if good:
        row.update(mean=float(np.mean(good)), median=float(np.median(good)),
                   p95=float(np.quantile(good, 0.95)))
    return row


def measure_sides(args, paths):
    """
    Cost of images by size, of galaxies that fill them.
    """
    del paths
    groups = {}
    for side in args.sizes:
        n = int(np.clip(N_SMOOTH * N_PIX**2 // side**2, 2, N_SMOOTH))
        groups[side] = [str(path) for path in write_smooth(
            args.folder / 'smooth', side, n)]
    return {'rows': run_apart(
        'parts.measure_sizes', 1, groups=groups,
        weights=args.weights, n_repeat=args.rounds)}


def measure_numbers(args, paths):
    """
    Seconds and memory by number of galaxies, on two cores.
    """
    numbers, n = [], 10
    while n < args.galaxies:
        numbers.append(n)
        n *= 10
    rows = []
    for n in (*numbers, args.galaxies):
        rows.append(measure_rate(paths, n, 2, args.folder,
                                 weights=args.weights))
        print(f'{n} galaxies: {rows[-1]["seconds"]:.1f} s, '
              f'{rows[-1]["peak"]:.0f} MiB', flush=True)
    return {'rows': rows}


def measure_device(args, paths):
    """
    Rates on a GPU, if there is one.
    """
    import torch

    if not torch.cuda.is_available():
        return {'name': None}
    found = run_apart('limit.measure_gpu', paths=paths,
                      n=args.galaxies_gpu, weights=args.weights)
    print(f'GPU: {found["name"]}', flush=True)
    return found


def measure_survey(args, paths):
    """
    Surveys in one and two processes, and with processes killed.
    """
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        folder = Path(folder)
        return {
            'processes': measure_processes(
                paths, args.galaxies_survey, folder, chunk=args.chunk,
                rounds=args.rounds, weights=args.weights),
            'killed': survey_and_kill(
                paths, args.kill_galaxies, folder, chunk=args.chunk,
                weights=args.weights)}


def measure_rows(args, paths):
    """
    Memory of surveys of many rows, with a fitter that does nothing.
    """
    rows = []
    for n, n_workers in product(args.rows, (1, 2)):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            rows.append(run_apart('rows.survey_rows', n=n, folder=folder,
                                  n_workers=n_workers))
        print(f'{n} rows, {n_workers} process(es): '
              f'{rows[-1]["peak"]} MiB', flush=True)
    return {'rows': rows}


PARTS = {'rates': measure_rates, 'others': measure_others,
         'sizes': measure_sides, 'numbers': measure_numbers,
         'gpu': measure_device, 'survey': measure_survey,
         'rows': measure_rows}


def describe(args):
    """
    With what a part was measured.
    """
    from astro_pix2prof import Pix2ProfFitter

    fitter = Pix2ProfFitter(args.weights, device='cpu')
    names = ('pyarrow', 'dask', 'psutil')
    return {'weights': describe_weights(fitter), 'seed': SEED,
            **describe_environment(),
            **{name: metadata.version(name) for name in names},
            'date': datetime.date.today().isoformat(),
            'quick': args.quick, 'load': os.getloadavg()[0]}


def measure(args, out):
    """
    Measure the parts that were asked for, and write each when it is done.

    Parameters
    ----------
    args : `argparse.Namespace`
        The arguments of the command.

    out : dict
        What is known already; it is changed.
    """
    args.folder = args.folder.absolute()
    paths = render_images(args.folder / 'images', args.files)
    for path in paths:   # (into the cache of the system)
        path.read_bytes()
    for name in args.parts:
        print(f'{name}:', flush=True)
        made = describe(args)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            found = PARTS[name](args, paths)
        out[name] = to_json({'made': made, **found})
        args.json.write_text(json.dumps(out, indent=1) + '\n',
                             encoding='utf-8')


def parse(args=None):
    """
    The arguments of the command.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])

    def number(name, default, text):
        parser.add_argument(name, type=int, default=default, metavar='N',
                            help=f'{text} (default: {default})')

    parser.add_argument('--parts', nargs='+', choices=PARTS,
                        default=list(PARTS))
    parser.add_argument('--report', action='store_true',
                        help='measure nothing')
    parser.add_argument('--quick', action='store_true',
                        help='few galaxies, as a trial')
    parser.add_argument('--folder', type=Path,
                        default=HERE.parents[1] / 'build' / 'throughput',
                        help='where images and results are kept')
    parser.add_argument('--precisions', nargs='+', choices=PRECISIONS,
                        default=list(PRECISIONS),
                        help='bfloat16 is slow on processors that do not '
                        'multiply it')
    parser.add_argument('--weights', default='rings',
                        help='a name, or a .safetensors file')
    number('--rounds', 3, 'times that most things are measured')
    number('--files', N_FILES, 'images')
    number('--galaxies-rate', 1000,
           'galaxies of a round end to end on each core')
    number('--images', 40, 'images for the other methods')
    number('--autoprof', 12, 'images for AutoProf; 0 leaves it out')
    parser.add_argument('--autoprof-python', metavar='PYTHON',
                        help='the interpreter to make its environment with')
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES,
                        help='sides of images in pixels')
    number('--galaxies', 10_000, 'the largest number of galaxies')
    number('--galaxies-gpu', 20_000, 'galaxies for each batch size')
    number('--galaxies-survey', 2000, 'galaxies of a survey')
    number('--kill-galaxies', 2000, 'galaxies of a survey that is killed')
    parser.add_argument('--rows', type=int, nargs='+',
                        default=[100_000, 1_000_000], metavar='N',
                        help='rows of surveys that measure nothing')
    number('--chunk', 100, 'galaxies of a part of a survey')
    parser.add_argument('--json', type=Path, metavar='FILE.json',
                        help='where the figures are written; by default '
                        'benchmarks/throughput/run.json, and with --quick in '
                        'the folder')
    parser.add_argument('--out', type=Path, metavar='FILE.inc',
                        help='write the tables for the documentation')
    parser.add_argument('--plots', type=Path, metavar='DIR',
                        help='write the pictures; with --out the folder '
                        'figures/throughput beside it')
    args = parser.parse_args(args)
    if args.quick:
        vars(args).update(QUICK)
    if args.json is None:
        args.json = (args.folder if args.quick else HERE) / 'run.json'
    for name in ('rounds', 'files', 'galaxies_rate', 'images', 'galaxies',
                 'galaxies_gpu', 'galaxies_survey', 'kill_galaxies',
                 'chunk'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be a positive '
                         f'integer, got {getattr(args, name)}')
    if args.report and not args.json.exists():
        parser.error(f'--report needs the figures in {args.json}: measure '
                     'first')
    return args


def main(args=None):
    """
    Measure, and write the figures.
    """
    args = parse(args)
    out = {}
    if args.json.exists():
        out = json.loads(args.json.read_text(encoding='utf-8'))
    if not args.report:
        args.folder.mkdir(parents=True, exist_ok=True)
        measure(args, out)
    print(report(out))
    if args.plots is None and args.out:
        args.plots = args.out.parent / 'figures' / 'throughput'
    figures = write_plots(out, args.plots) if args.plots else []
    if args.out:
        write_inc(out, args.out, figures)


if __name__ == '__main__':
    main()
