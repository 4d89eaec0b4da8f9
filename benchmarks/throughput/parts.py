# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the throughput of the network fitter.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np

__all__ = ['ROWS', 'Memory', 'fit_files', 'measure_rate', 'measure_sizes',
           'measure_unrelated', 'repeat', 'run_apart', 'time_start']

_ROOT = Path(__file__).parents[2]

# Galaxies of a row group of the Parquet file, as a survey writes it.
ROWS = 512


class Memory:
    """
    The most memory that this process and its children hold at a time.

    Shared pages count once (the proportional set size of Linux; elsewhere
    the resident set size, in which they count for each process).

    Parameters
    ----------
    interval : float, optional
        Seconds between samples. To take one costs tens of milliseconds.

    Attributes
    ----------
    peak : float
        In MiB.
    """

    def __init__(self, interval=2.0):
        self.interval, self.peak = interval, 0.0
        self._end = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _watch(self):
        import psutil

        own = psutil.Process()
        while True:
            # (the last sample begins after the end: what is held then counts)
            last, total = self._end.is_set(), 0
            for process in [own, *own.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    info = process.memory_full_info()
                    total += getattr(info, 'pss', info.rss)
            self.peak = max(self.peak, total / 2**20)
            if last:
                return
            self._end.wait(self.interval)


def repeat(paths, n):
    """
    So many paths, the same ones again and again.
    """
    return itertools.islice(itertools.cycle(map(str, paths)), n)


def fit_files(paths, n, out, *, workers=0, weights='rings',
              precision='float32', device='cpu'):
    """
    Measure files and write a Parquet file, one pass over them.

    Parameters
    ----------
    paths : list of path-like
        The images, used again if ``n`` is larger.

    n : int
        Galaxies to measure.

    out : path-like
        The Parquet file.

    workers : int, optional
        As for `~astro_pix2prof.Pix2ProfFitter.fit_many`.

    weights, precision, device : str, optional
        As for `~astro_pix2prof.Pix2ProfFitter`.

    Returns
    -------
    row : dict
        ``n``, ``n_failed``, ``seconds`` of the pass after the weights were
        loaded and one batch was measured, ``start_up``, seconds of these,
        ``peak`` memory (MiB) and ``bytes`` written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch

    torch.set_num_threads(1)
    begin = time.perf_counter()
    from astro_pix2prof import GalaxyFlag, Pix2ProfFitter

    n_failed, held, writer = 0, [], None

    def write():
        nonlocal writer
        table = pa.concat_tables(held)
        if writer is None:
            writer = pq.ParquetWriter(out, table.schema, compression='zstd')
        writer.write_table(table)
        held.clear()

    with Memory() as memory:
        fitter = Pix2ProfFitter(weights, device=device, precision=precision)
        for batch in fitter.fit_many(repeat(paths, 16)):
            batch.to_arrow()
        start = time.perf_counter()
        for batch in fitter.fit_many(repeat(paths, n), workers=workers):
            n_failed += int(np.count_nonzero(
                batch.galaxies['flag'] & int(GalaxyFlag.FAILED)))
            held.append(batch.to_arrow())
            if sum(map(len, held)) >= ROWS:
                write()
        if held:
            write()
        if writer is not None:
            writer.close()
        seconds = time.perf_counter() - start
    return {'n': n, 'n_failed': n_failed, 'seconds': seconds,
            'start_up': start - begin, 'peak': memory.peak,
            'bytes': os.path.getsize(out)}


def run_apart(name, cores=None, *, first=0, **options):
    """
    Call a function in a process of its own.

    Parameters
    ----------
    name : str
        The module of this folder and the function.

    cores : int, optional
        The number of cores that it may use, where the system can be told.

    first : int, optional
        The first of these among those that this process may use.

    **options
        Its arguments: what JSON can hold.

    Returns
    -------
    result : object
        What it returned.
    """
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1',
           'PYTHONPATH': os.pathsep.join(
               [str(_ROOT), os.environ.get('PYTHONPATH', '')])}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'result.json'
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-m',
             'benchmarks.throughput.parts', name, f'{first}+{cores or 0}',
             json.dumps(options, default=str), str(out)],
            check=False, env=env, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f'{name} failed:\n{done.stderr[-3000:]}')
        return json.loads(out.read_text())


def measure_rate(paths, n, cores, folder, *, workers=None, weights='rings',
                 precision='float32'):
    """
    Galaxies per second from FITS to Parquet.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The images.

    n : int
        Galaxies to measure.

    cores : int
        The number of cores to use.

    folder : `~pathlib.Path`
        Where to write.

    workers : int, optional
        The number of processes; by default 0 on one core and else one for
        each core.

    weights, precision : str, optional
        As for `~astro_pix2prof.Pix2ProfFitter`.

    Returns
    -------
    row : dict
        As of `fit_files`, with ``per_second``.
    """
    if workers is None:
        workers = 0 if cores == 1 else cores
    row = run_apart('parts.fit_files', cores, paths=paths, n=n,
                    workers=workers, weights=weights,
                    precision=precision, out=folder / 'rate.parquet')
    return {**row, 'cores': cores, 'workers': workers,
            'precision': precision,
            'per_second': n / row['seconds']}


def measure_unrelated(paths, n, folder, *, weights='rings',
                      precision='float32'):
    """
    Galaxies per second of two processes that share nothing but the machine.

    What two cores give at most: they have memory and caches in common.

    Parameters
    ----------
    paths, folder, weights, precision : optional
        As for `measure_rate`.

    n : int
        Galaxies to measure in each process.

    Returns
    -------
    row : dict
        ``precision``, ``n`` of each, and ``per_second``, the sum of both.
    """
    def measure(first):
        return run_apart('parts.fit_files', 1, first=first, paths=paths, n=n,
                         weights=weights, precision=precision,
                         out=folder / f'unrelated_{first}.parquet')

    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(measure, range(2)))
    return {'n': n, 'precision': precision,
            'per_second': sum(n / row['seconds'] for row in rows)}


def time_start(path, folder):
    """
    Seconds of ``pix2prof fit`` for one image, and of torch's import.
    """
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(
        [str(_ROOT), os.environ.get('PYTHONPATH', '')])}
    seconds = {}
    for name, command in (
            ('command', ['-m', 'astro_pix2prof', 'fit', str(path),
                         '--out', str(folder), '--overwrite', '--quiet']),
            ('torch', ['-c', 'import torch'])):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, env=env,
                       cwd=folder, stdout=subprocess.DEVNULL)
        seconds[name] = time.perf_counter() - start
    return seconds


def measure_sizes(groups, *, weights='rings', n_repeat=3):
    """
    Milliseconds for an image of each size, from the file to the batch.

    Parameters
    ----------
    groups : dict
        Paths for each side in pixels.

    weights : str, optional
        As for `~astro_pix2prof.Pix2ProfFitter`.

    n_repeat : int, optional
        Each size is measured so often, in turns; the median counts.

    Returns
    -------
    rows : list of dict
        ``n_pix``, ``n``, ``ms``, and ``n_failed``.
    """
    import torch

    from astro_pix2prof import GalaxyFlag, Pix2ProfFitter

    torch.set_num_threads(1)
    fitter = Pix2ProfFitter(weights, device='cpu')
    times = {side: [] for side in groups}
    failed = {}
    for k in range(n_repeat + 1):
        for side, paths in groups.items():
            start = time.perf_counter()
            batches = list(fitter.fit_many(paths))
            if k:   # (the first is slow)
                times[side].append(time.perf_counter() - start)
            failed[side] = sum(int(np.count_nonzero(
                batch.galaxies['flag'] & int(GalaxyFlag.FAILED)))
                for batch in batches)
    return [{'n_pix': int(side), 'n': len(paths),
             'ms': 1000 * float(np.median(times[side])) / len(paths),
             'n_failed': failed[side]} for side, paths in groups.items()]


def main():
    """
    Call a function as `run_apart` asks.
    """
    name, cores, options, out = sys.argv[1:]
    first, _, cores = cores.partition('+')
    if int(cores) and hasattr(os, 'sched_setaffinity'):
        usable = sorted(os.sched_getaffinity(0))[int(first):]
        os.sched_setaffinity(0, usable[:int(cores)])
    module, _, function = name.partition('.')
    module = import_module(f'benchmarks.throughput.{module}')
    result = getattr(module, function)(**json.loads(options))
    Path(out).write_text(json.dumps(result), encoding='utf-8')


if __name__ == '__main__':
    main()
