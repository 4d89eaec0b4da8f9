# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the CPU seconds of ``pix2prof fit`` for one image from a cold shell.

    python -m benchmarks.throughput.start --out benchmarks/throughput/start.json

The command, the import of torch alone, and that of astropy alone are started
in turns. ``--tree`` takes another checkout into the same turns.
"""  # noqa: E501

import os

# (of what is prepared here; the commands get what a user has)
os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.tables import describe_environment
from benchmarks.throughput.images import render_images

__all__ = ['measure_start']

_ROOT = Path(__file__).parents[2]

# (the end of a process that has many modules takes time of its own)
_IMPORT = 'import gc, os; gc.disable(); {}; os._exit(0)'

_TORCH = _IMPORT.format('import torch')

_ASTROPY = _IMPORT.format(
    'import astropy.io.fits, astropy.wcs, astropy.table, astropy.coordinates,'
    'scipy.ndimage')


def measure_start(path, folder, *, trees=(), rounds=5):
    """
    Measure the start.

    Parameters
    ----------
    path : path-like
        An image.

    folder : `~pathlib.Path`
        Where to write the profile.

    trees : sequence of path-like, optional
        Other checkouts of this package.

    rounds : int, optional
        How often each is started; the median counts.

    Returns
    -------
    row : dict
        CPU seconds (user and system, of all threads) by name.
    """
    fit = ['-m', 'astro_pix2prof', 'fit', str(path), '--out', str(folder),
           '--overwrite', '--quiet']
    commands = {'command': (fit, _ROOT),
                **{f'command of {tree}': (fit, tree) for tree in trees},
                'torch': (['-c', _TORCH], _ROOT),
                'astropy and scipy': (['-c', _ASTROPY], _ROOT)}
    found = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, tree) in commands.items():
            env = {**os.environ, 'PYTHONPATH': str(tree)}
            # (as a user starts it)
            for option in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
                env.pop(option, None)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], check=True, env=env,
                           cwd=folder, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[name].append(after.ru_utime - before.ru_utime
                               + after.ru_stime - before.ru_stime)
    return {name: float(np.median(values)) for name, values in found.items()}


def main():
    """
    Measure, print the figures and write them.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--tree', type=Path, action='append', default=[])
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, = render_images(folder / 'images', 1)
        found = {'cpu_seconds': measure_start(
            path, folder, trees=args.tree, rounds=args.rounds),
            'environment': describe_environment()}
    text = json.dumps(found, indent=1)
    print(text)
    if args.out is not None:
        args.out.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
