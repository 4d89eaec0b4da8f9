# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the memory of a survey of many rows, with a fitter that does nothing.

Of so many galaxies, only the rows matter here: the catalogue, the parts, the
table of failures, and a second call that finds all parts done.
"""

import argparse
import json
import resource
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from astro_pix2prof import (
    ProfileBatch,
    load_example_truth,
    read_survey,
    run_survey,
)

__all__ = ['StubFitter', 'survey_rows']


# Galaxies of the batch that is given again and again, and seconds between
# looks at the memory.
_BATCH, _STEP = 1000, 0.2


class StubFitter:
    """
    Gives the same profile of five rings for each image; one in 100 fails.
    """

    def __init__(self):
        profile = load_example_truth()[:5]
        self._batch = ProfileBatch.from_profiles(
            [ValueError('no galaxy') if k % 100 == 7 else profile
             for k in range(_BATCH)])

    def __call__(self, image):
        """
        Refuse: a survey gives many images at once.
        """
        raise NotImplementedError

    def fit_many(self, images, *, workers=0):
        """
        Count the images, and yield as many profiles.
        """
        n = sum(1 for _ in images)
        for start in range(0, n, _BATCH):
            yield self._batch[:min(_BATCH, n - start)]


def write_catalogue(n, path):
    """
    Write a catalogue of so many rows, a few at a time.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([('id', pa.int64()), ('name', pa.string())])
    with pq.ParquetWriter(path, schema) as file:
        for start in range(0, n, 50_000):
            ids = np.arange(start, min(start + 50_000, n))
            file.write_table(pa.table(
                {'id': ids, 'name': [f'galaxy {k}' for k in ids]}, schema))


class _Memory:
    """
    Notes the memory of this process in the course of time.
    """

    def __init__(self):
        self.mib, self._stop = [], threading.Event()

    def __enter__(self):
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stop.set()

    def _watch(self):
        size = resource.getpagesize() / 2**20
        while not self._stop.wait(_STEP):
            text = Path('/proc/self/statm').read_text()
            self.mib.append(int(text.split()[1]) * size)

    def at(self, share):
        """
        Get the memory after a share of the time, in MiB.
        """
        return round(self.mib[int(share * (len(self.mib) - 1))])


def survey_rows(n, folder, *, chunk_size=500, n_workers=1):
    """
    Run a survey of many rows twice.

    Parameters
    ----------
    n : int
        The rows.

    folder : `~pathlib.Path`
        The folder for the catalogue and the results.

    chunk_size, n_workers : int, optional
        As for `~astro_pix2prof.run_survey`.

    Returns
    -------
    row : dict
        Rows in a second; the memory (MiB) of this process after a tenth, a
        half and all of the time, and its peak; and the same of the second
        call, which checks all parts.
    """
    folder = Path(folder)
    catalogue, out = folder / 'rows.parquet', folder / 'out.parquet'
    write_catalogue(n, catalogue)
    found = {'n': n, 'chunk_size': chunk_size, 'n_workers': n_workers}
    for name in ('', 'again_'):
        begin, cpu = time.perf_counter(), time.process_time()
        with _Memory() as memory:
            result = run_survey(
                catalogue, out, images=lambda row: row['name'],
                fitter=StubFitter(), chunk_size=chunk_size,
                n_workers=n_workers)
        seconds = time.perf_counter() - begin
        found.update({f'{name}per_second': round(n / seconds),
                      f'{name}cpu_s': round(time.process_time() - cpu, 1),
                      f'{name}n_done': result.n_done,
                      f'{name}n_failed': result.n_failed})
        if memory.mib:
            found.update({f'{name}mib_{round(100 * share)}': memory.at(share)
                          for share in (0.1, 0.5, 1.0)})
            found[f'{name}peak'] = round(max(memory.mib))
    files = read_survey(out).files
    found['n_files'] = len(files)
    found['most_in_a_folder'] = max(Counter(
        path.parent for path in files).values())
    found['bytes'] = sum(path.stat().st_size for path in files)
    return found


def main():
    """
    Run it and print the figures.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--n', type=int, default=1_000_000)
    parser.add_argument('--chunk-size', type=int, default=500)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--folder', type=Path, help='for temporary files')
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        print(json.dumps(survey_rows(
            args.n, folder, chunk_size=args.chunk_size,
            n_workers=args.workers), indent=1))
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
