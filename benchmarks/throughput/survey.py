# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Time surveys: several processes, and processes that are killed.
"""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

__all__ = ['compare_folders', 'measure_processes', 'survey_and_kill',
           'time_parts']

_ROOT = Path(__file__).parents[2]

# A survey is disturbed when this part of its files is there.
_WHEN = 0.4

# Seconds after which a survey that writes nothing has failed.
_PATIENCE = 600


def write_catalogue(paths, n, path):
    """
    A Parquet catalogue of so many images, the same ones again and again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = itertools.islice(itertools.cycle(paths), n)
    pq.write_table(pa.table({
        'id': list(range(n)),
        'image': [str(Path(file).absolute()) for file in files]}), path)


def part_files(folder):
    """
    The Parquet files of a survey that are complete.
    """
    return sorted(folder.rglob('part-*.parquet'))


def time_parts(folder, chunk, n_workers):
    """
    Galaxies per second while all processes are at work.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The results, in parts of the same number of galaxies.

    chunk : int
        The galaxies of a part.

    n_workers : int
        The number of processes. The first part of each, for which it has
        to start, does not count.

    Returns
    -------
    per_second : float or `None`
        `None` if there are too few parts.
    """
    times = sorted(file.stat().st_mtime for file in part_files(folder))
    if len(times) < 3 * n_workers:
        return None
    n = (len(times) - n_workers) * chunk
    return n / (times[-1] - times[n_workers - 1])


def compare_folders(one, other):
    """
    Whether the parts of two surveys are the same, bit for bit.

    Parameters
    ----------
    one, other : `~pathlib.Path`
        The folders.

    Returns
    -------
    row : dict
        ``n_files``, ``n_different``, which counts files that only one of
        them has, and ``n_rest``, temporary files that are left.
    """
    found = [{file.name: hashlib.sha256(file.read_bytes()).hexdigest()
              for file in part_files(folder)} for folder in (one, other)]
    names = set(found[0]) | set(found[1])
    return {'n_files': len(names),
            'n_different': sum(found[0].get(name) != found[1].get(name)
                               for name in names),
            'n_rest': sum(1 for folder in (one, other)
                          for _ in folder.rglob('*.tmp'))}


def _start(catalogue, out, options, log):
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1',
           'PYTHONPATH': os.pathsep.join(
               [str(_ROOT), os.environ.get('PYTHONPATH', '')])}
    command = [sys.executable, '-W', 'ignore', '-m',
               'benchmarks.throughput.survey', json.dumps(
        {'catalogue': str(catalogue), 'out': str(out), **options})]
    with log.open('w') as file:
        return subprocess.Popen(command, env=env, stdout=file, stderr=file)


def _wait(process, log):
    if process.wait():
        sys.exit(f'the survey failed:\n{log.read_text()[-3000:]}')


def _survey(catalogue, out, log, **options):
    """
    Seconds of a survey in a process of its own.
    """
    if out.exists():
        shutil.rmtree(out)
    start = time.perf_counter()
    _wait(_start(catalogue, out, options, log), log)
    return time.perf_counter() - start


def measure_processes(paths, n, folder, *, chunk=250, counts=(1, 2),
                      rounds=3, weights='rings'):
    """
    How a survey scales with the number of processes.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The images.

    n : int
        The number of galaxies.

    folder : `~pathlib.Path`
        Where to write.

    chunk : int, optional
        The galaxies of a part.

    counts : sequence of int, optional
        The numbers of processes. One process is without Dask.

    rounds : int, optional
        Each is measured so often, in turns; the median counts.

    weights : str, optional
        As for `~astro_pix2prof.Pix2ProfFitter`.

    Returns
    -------
    row : dict
        ``rows``: ``n_workers``, ``seconds`` of the whole, start included,
        ``per_second`` once all processes are at work, and ``efficiency``
        of both against one process.
    """
    from statistics import median

    catalogue, log = folder / 'catalogue.parquet', folder / 'survey.log'
    write_catalogue(paths, n, catalogue)
    seconds, rates = ({k: [] for k in counts} for _ in range(2))
    for _ in range(rounds):
        for k in counts:
            out = folder / f'survey_{k}'
            seconds[k].append(_survey(
                catalogue, out, log, n_workers=k, chunk_size=chunk,
                weights=weights))
            rates[k].append(time_parts(out, chunk, k))
            print(f'survey in {k} process(es): {seconds[k][-1]:.1f} s',
                  flush=True)
    rows = []
    for k in counts:
        row = {'n_workers': k, 'seconds': median(seconds[k]),
               'all_seconds': seconds[k], 'per_second': None,
               'efficiency': None}
        if None not in rates[k]:
            row['per_second'] = median(rates[k])
        rows.append(row)
    for row in rows:
        k = row['n_workers'] / rows[0]['n_workers']
        row['efficiency_whole'] = rows[0]['seconds'] / row['seconds'] / k
        if row['per_second'] and rows[0]['per_second']:
            row['efficiency'] = row['per_second'] / rows[0][
                'per_second'] / k
    return {'n': n, 'chunk': chunk, 'rounds': rounds, 'rows': rows}


def survey_and_kill(paths, n, folder, *, chunk=250, weights='rings'):
    """
    Surveys of which processes are killed, against one left alone.

    Parameters
    ----------
    paths, n, folder, chunk, weights : optional
        As for `measure_processes`.

    Returns
    -------
    row : dict
        ``seconds`` of the survey that was left alone, in one process;
        ``rows``: what was killed (``one`` of two processes, at once or
        ``all``, after which it was called again), ``n_done`` galaxies in
        files at that time, ``seconds``, and what `compare_folders` found.
    """
    catalogue, log = folder / 'kill.parquet', folder / 'kill.log'
    write_catalogue(paths, n, catalogue)
    options = {'chunk_size': chunk, 'weights': weights}
    whole = folder / 'alone'
    seconds = _survey(catalogue, whole, log, n_workers=1, **options)
    rows = []
    for what in ('one', 'all'):
        out = folder / f'killed_{what}'
        if out.exists():
            shutil.rmtree(out)
        start = time.perf_counter()
        process = _start(catalogue, out, {**options, 'n_workers': 2}, log)
        n_parts = -(-n // chunk)
        _await_parts(out, process, max(1, int(_WHEN * n_parts)), log)
        n_done = min(n, chunk * len(part_files(out)))
        if what == 'one':
            _kill(busiest_child(process.pid))
        else:
            _kill_tree(process)
            process = _start(catalogue, out, {**options, 'n_workers': 2},
                             log)
        _wait(process, log)
        print(f'killed {what} after {n_done} galaxies', flush=True)
        rows.append({'killed': what, 'n_done': n_done,
                     'seconds': time.perf_counter() - start,
                     **compare_folders(whole, out)})
    return {'n': n, 'chunk': chunk, 'seconds': seconds, 'rows': rows}


def _await_parts(out, process, number, log):
    end = time.monotonic() + _PATIENCE
    while len(part_files(out)) < number:
        if process.poll() is not None or time.monotonic() > end:
            _kill_tree(process)
            sys.exit('the survey ended before it could be disturbed; give '
                     f'more galaxies:\n{log.read_text()[-3000:]}')
        time.sleep(0.02)


def busiest_child(pid):
    """
    The descendant of a process that has computed most: a worker.
    """
    import psutil

    used = {}
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            used[child] = times.user + times.system
    return max(used, key=used.get)


def _kill(process):
    process.kill()


def _kill_tree(process):
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        tree = psutil.Process(process.pid).children(recursive=True)
        for child in tree:
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def main():
    """
    Run a survey as `measure_processes` asks.
    """
    import torch

    from astro_pix2prof import run_survey

    torch.set_num_threads(1)
    options = json.loads(sys.argv[1])
    fitter = {'weights': options.pop('weights')}
    run_survey(options.pop('catalogue'), options.pop('out'), images='image',
               fitter=fitter, **options)


if __name__ == '__main__':
    main()
