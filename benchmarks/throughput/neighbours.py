# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Time and recall of searches for similar galaxies.

Vectors of 64 numbers and unit length, drawn as embeddings are: a mixture of
kinds, each a smooth family of few dimensions, with noise. For each package,
the time to build a `~astro_pix2prof.SimilarityIndex`, that of one query of
ten neighbours, and the share of the true ten that are found. (The exact ones
are those of a search by numpy alone.)

    OMP_NUM_THREADS=1 python -m benchmarks.throughput.neighbours \
        --n 100000 1000000 --out benchmarks/throughput
"""

import argparse
import json
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from astropy.table import QTable

from astro_pix2prof import SimilarityIndex
from benchmarks.tables import describe_environment, list_table, to_json, wrap

ENGINES = {'sklearn': 'scikit-learn', 'faiss': 'faiss-cpu',
           'usearch': 'usearch'}


def draw_vectors(n, seed, *, length=64, kinds=12, dimensions=8, noise=0.15):
    """
    Draw vectors of unit length.

    Parameters
    ----------
    n, seed : int
        How many, and the seed.

    length, kinds, dimensions : int, optional
        Numbers of a vector, kinds of galaxies, and dimensions of a kind.

    noise : float, optional
        The length of the noise, relative to that of the rest.

    Returns
    -------
    vectors : 2D `~numpy.ndarray`, shape (n, length), float32
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(kinds, length))
    spread = rng.normal(size=(kinds, dimensions, length)) / dimensions**0.5
    vectors = np.empty((n, length), dtype='f4')
    for start in range(0, n, 50_000):
        block = vectors[start:start + 50_000]
        kind = rng.integers(kinds, size=len(block))
        place = rng.normal(size=(len(block), dimensions))
        for k in range(kinds):
            rows = kind == k
            block[rows] = centres[k] + place[rows] @ spread[k]
        block += noise * rng.normal(size=block.shape)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def find_true(vectors, rows, n):
    """
    Find the n nearest other vectors of some rows, with numpy alone.
    """
    found = []
    for row in rows:
        cosine = vectors @ vectors[row]
        cosine[row] = -np.inf
        near = np.argpartition(-cosine, 2 * n)[:2 * n]
        exact = vectors[near].astype(float) @ vectors[row].astype(float)
        found.append(near[np.argsort(-exact)[:n]])
    return found


def measure(vectors, engine, rows, true):
    """
    Measure one package.

    Returns
    -------
    figures : dict
        'build_s' and 'query_ms' (processor times), 'recall' and others.
    """
    table = QTable({'index': np.arange(len(vectors)), 'vector': vectors})
    start = time.process_time()
    index = SimilarityIndex(table, column='vector', engine=engine)
    build = time.process_time() - start
    times, recall = [], []
    for row, nearest in zip(rows, true, strict=True):
        start = time.process_time()
        found = index.query(int(row), n=len(nearest))['index']
        times.append(time.process_time() - start)
        recall.append(np.isin(nearest, found).mean())
    return {'engine': engine, 'n': len(vectors), 'exact': index.exact,
            'version': metadata.version(ENGINES[engine]),
            'build_s': round(build, 2),
            'query_ms': round(1e3 * float(np.median(times)), 2),
            'recall': round(float(np.mean(recall)), 4)}


def write_table(stored, path):
    """
    Write the figures as a table for the documentation.
    """
    rows = [[f'{row["n"]:,}', row['engine'] + (
        '' if row['exact'] else ' (approximate)'), f'{row["build_s"]:.1f} s',
        f'{row["query_ms"]:.1f} ms', f'{row["recall"]:.1%}']
        for row in stored['figures']]
    cpu = stored['environment']['cpu']
    lines = [
        '.. Written by benchmarks/throughput/neighbours.py; not to be edited.',
        '', *list_table(['Galaxies', 'Package', 'To build', 'One query',
                         'Of the ten nearest'], rows),
        *wrap(f'Vectors of 64 numbers; processor time on one core ({cpu}), '
              f'medians of {stored["queries"]} queries.')]
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')


def main(args=None):
    """
    Measure the packages on ``--n`` vectors, and write ``neighbours.json``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('--n', type=int, nargs='+',
                        default=[100_000, 1_000_000])
    parser.add_argument('--engines', nargs='+', choices=ENGINES,
                        default=list(ENGINES))
    parser.add_argument('--largest-graph', type=int, default=1_000_000,
                        help='build no larger graph than this')
    parser.add_argument('--queries', type=int, default=30)
    parser.add_argument('--seed', type=int, default=7)
    parser.add_argument('--out', type=Path, default=Path())
    parser.add_argument('--table', type=Path, metavar='FILE.inc',
                        help='write the stored figures for the documentation, '
                             'and measure nothing')
    args = parser.parse_args(args)
    if args.table is not None:
        write_table(json.loads((args.out / 'neighbours.json').read_text(
            encoding='utf-8')), args.table)
        return
    figures = []
    for n in args.n:
        vectors = draw_vectors(n, args.seed)
        rows = np.random.default_rng(args.seed + 1).choice(
            n, args.queries, replace=False)
        true = find_true(vectors, rows, 10)
        for engine in args.engines:
            if engine == 'usearch' and n > args.largest_graph:
                continue
            figures.append(measure(vectors, engine, rows, true))
            print(json.dumps(figures[-1]), flush=True)
            text = json.dumps(to_json({
                'seed': args.seed, 'queries': args.queries,
                'environment': describe_environment(), 'figures': figures}),
                indent=1)
            (args.out / 'neighbours.json').write_text(text + '\n',
                                                      encoding='utf-8')


if __name__ == '__main__':
    main()
