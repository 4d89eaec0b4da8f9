# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Purity of anomalies that ratings find among usual galaxies.

Images of ``benchmarks.render.odd`` are encoded, one in a hundred galaxies is
odd (a detached ring, tidal tails, or a second nucleus), and a person rates
odd ones 5 and others 0, ten at a time. As many galaxies as were planted are
then taken from the top of the list: the share of odd ones is their purity,
which is also the completeness. Beside it, ratings of galaxies at random.

    python -m benchmarks.render.odd --n 10000 --odd 100 --out DIR
    python -m benchmarks.accuracy.anomalies DIR --sets 4 --emulate 0
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from astropy.table import QTable

from astro_pix2prof import (
    AnomalyFinder,
    GalaxyCutout,
    Pix2ProfFitter,
    SimilarityIndex,
)
from benchmarks.render.galaxies import SURVEYS
from benchmarks.render.odd import ODD
from benchmarks.tables import describe_environment, list_table, to_json, wrap

# Ratings after which the purity is measured, and ratings of a round.
_STEPS, _ROUND = (20, 50, 100), 10


def encode_images(folder, survey='sdss-r'):
    """
    Encode the images of a folder, and keep that in ``embeddings.npz``.

    Returns
    -------
    found : dict
        'embedding', shape (n, 64), 'type' and 'encoder'.
    """
    path = folder / 'embeddings.npz'
    if path.exists():
        return dict(np.load(path))
    fitter = Pix2ProfFitter()
    tables, kinds = [], []
    for block in sorted(folder.glob('block_*[0-9].npz')):
        found = np.load(block)
        tables.append(fitter.encode([
            GalaxyCutout(image, unit='nmgy', pixel_scale=SURVEYS[survey][0],
                         psf_fwhm=float(fwhm), gain=float(gain))
            for image, fwhm, gain in zip(found['images'], found['fwhm'],
                                         found['gain'], strict=True)]))
        kinds.append(found['type'])
    found = {'embedding': np.concatenate([t['embedding'] for t in tables]),
             'type': np.concatenate(kinds),
             'encoder': tables[0].meta['encoder_sha256'][:12]}
    np.savez(path, **found)
    return found


def plant(usual, odd, n, rng):
    """
    Mix usual galaxies with n odd ones: (embeddings, whether each is odd).
    """
    chosen = rng.permutation(len(odd))[:n]
    values = np.concatenate([usual, odd[chosen]])
    order = rng.permutation(len(values))
    return values[order], (np.arange(len(values)) >= len(usual))[order]


def rate(values, is_odd, seed, *, at_random=False):
    """
    Rate galaxies in rounds, and measure the purity of the first.

    Returns
    -------
    purity : dict of float
        By the number of ratings; 0 is the isolation forest alone.
    """
    finder = AnomalyFinder(QTable({'embedding': values}), seed=seed)
    rng = np.random.default_rng(seed)
    n_odd = int(is_odd.sum())
    purity = {0: _purity(finder, is_odd, n_odd)}
    shuffled = rng.permutation(len(values))
    for start in range(0, max(_STEPS), _ROUND):
        rows = (shuffled[start:start + _ROUND] if at_random
                else finder.next(_ROUND)['index'])
        finder.rate({int(row): 5.0 if is_odd[row] else 0.0 for row in rows})
        if finder.n_rated in _STEPS:
            purity[finder.n_rated] = _purity(finder, is_odd, n_odd)
    return purity


def _purity(finder, is_odd, n_odd):
    return float(is_odd[finder.scores['index'][:n_odd]].mean())


def fill(values, n, rng, *, neighbours=5):
    """
    Emulate more embeddings: points between near ones.

    They are no more extreme than those they lie between, so that what
    follows from them is a guide, and no measurement.
    """
    index = SimilarityIndex(QTable({'vector': values}), column='vector')
    near = np.array([index.query(k, n=neighbours)['index']
                     for k in range(len(values))])
    first = rng.integers(len(values), size=n - len(values))
    other = near[first, rng.integers(neighbours, size=len(first))]
    part = rng.random((len(first), 1))
    new = values[first] + part * (values[other] - values[first])
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    return np.concatenate([values, new])


def measure(found, *, share=0.01, n_sets=6, seed=0, emulate=10_000):
    """
    Measure the purity for mixtures of kinds, and for each kind alone.

    Returns
    -------
    rows : list of dict
    """
    good = np.isfinite(found['embedding']).all(axis=1)
    values, kinds = found['embedding'][good], found['type'][good]
    usual = values[~np.isin(kinds, ODD)]
    odd = {kind: values[kinds == kind] for kind in ODD}
    odd['all'] = np.concatenate(list(odd.values()))
    n = max(round(share * len(usual) / (1 - share)), 3)
    rows = []

    def add(kind, usual, odd, n, n_sets, at_random=False, **more):
        start, n = time.process_time(), min(n, len(odd))
        runs = [rate(*plant(usual, odd, n, np.random.default_rng([seed, k])),
                     seed + k, at_random=at_random) for k in range(n_sets)]
        rows.append({
            'kind': kind, 'ratings': 'random' if at_random else 'chosen',
            'n': len(usual) + n, 'planted': n, 'runs': n_sets, **more,
            'seconds': round((time.process_time() - start) / n_sets, 2),
            **{f'purity_{m}': round(float(np.mean(
                [run[m] for run in runs])), 3) for m in runs[0]},
            'lowest': round(min(run[max(_STEPS)] for run in runs), 3)})
        print(json.dumps(rows[-1]), flush=True)

    add('all', usual, odd['all'], n, n_sets)
    add('all', usual, odd['all'], n, n_sets, at_random=True)
    for kind in ODD:
        add(kind, usual, odd[kind], n, max(n_sets // 2, 1))
    if emulate:
        rng = np.random.default_rng([seed, 1])
        n = round(share * emulate)
        many = fill(usual, emulate - n, rng)
        more = np.concatenate([fill(odd[kind], n // 3 + 1, rng)
                               for kind in ODD])
        for at_random in (False, True):
            add('all', many, more, n, 2 - at_random, at_random,
                emulated=True)
    return rows


def measure_neighbours(found):
    """
    Measure how often the ten nearest are of the same odd kind.
    """
    good = np.isfinite(found['embedding']).all(axis=1)
    kinds = found['type'][good]
    index = SimilarityIndex(QTable({
        'index': np.arange(good.sum()), 'kind': kinds,
        'vector': found['embedding'][good]}), column='vector')
    rows = {}
    for kind in ODD:
        same = [(index.query(int(k), n=10)['kind'] == kind).mean()
                for k in np.flatnonzero(kinds == kind)]
        rows[kind] = {'same_of_10': round(float(np.mean(same)), 3),
                      'base_rate': round(float(np.mean(kinds == kind)), 3)}
    return rows


_NAMES = {'all': 'of all three kinds', 'ring': 'rings',
          'tails': 'tidal tails', 'merger': 'second nuclei'}


def write_table(stored, path):
    """
    Write the figures as a table for the documentation.
    """
    seconds = max(row['seconds'] for row in stored['purity'])
    largest = max(row['n'] for row in stored['purity'])
    emulated = any(row.get('emulated') for row in stored['purity'])
    rows = [[_NAMES[row['kind']] + (
        ', emulated' if row.get('emulated') else ''),
             'by the finder' if row['ratings'] == 'chosen' else 'at random',
             f'{row["planted"]} of {row["n"]:,}',
             *(f'{row[f"purity_{m}"]:.2f}' for m in (0, *_STEPS))]
            for row in stored['purity']]
    near = stored['neighbours']
    lines = [
        '.. Written by benchmarks/accuracy/anomalies.py; not to be edited.',
        '', *wrap(
            'Galaxies rendered with GalSim, of which one in a hundred is '
            'odd, are encoded and rated, ten at a time. The purity of the '
            'first is measured, as many as were planted, so that it is the '
            'completeness as well; means of '
            f'{stored["purity"][0]["runs"]} mixtures. The lowest purity of '
            f'a mixture of all three kinds, after {max(_STEPS)} ratings, is '
            f'{stored["purity"][0]["lowest"]:.2f}.'),
        *list_table(['Odd galaxies', 'Rated ones chosen', 'Planted',
                     'Without ratings', *(f'{m} ratings' for m in _STEPS)],
                    rows),
        *wrap('Of the ten nearest to an odd galaxy by its embedding, '
              + ', '.join(
                  f'{near[kind]["same_of_10"]:.0%} are of its kind for '
                  f'{_NAMES[kind]} (by chance '
                  f'{near[kind]["base_rate"]:.0%})' for kind in near)
              + f'. Encoder: {stored["encoder"]}. Ten rounds of ten ratings '
              f'among {largest:,} galaxies take {seconds:.0f} s on one core.'
              + (' The emulated galaxies are points between embeddings of '
                 'the others: a guide for surveys of that size, and no '
                 'measurement.' if emulated else ''))]
    path.write_text('\n'.join(lines).rstrip() + '\n', encoding='utf-8')


def main(args=None):
    """
    Measure, and write ``anomalies.json``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('images', type=Path, metavar='DIR', nargs='?',
                        help='blocks of benchmarks.render.odd')
    parser.add_argument('--seed', type=int, default=100)
    parser.add_argument('--sets', type=int, default=6)
    parser.add_argument('--share', type=float, default=0.01)
    parser.add_argument('--emulate', type=int, default=10_000, metavar='N',
                        help='galaxies of the emulated survey; 0 for none')
    parser.add_argument('--out', type=Path, default=Path(__file__).parent)
    parser.add_argument('--table', type=Path, metavar='FILE.inc',
                        help='write the stored figures for the documentation, '
                             'and measure nothing')
    args = parser.parse_args(args)
    if args.table is not None:
        write_table(json.loads((args.out / 'anomalies.json').read_text(
            encoding='utf-8')), args.table)
        return
    if args.images is None:
        parser.error('give the folder of the images')
    found = encode_images(args.images)
    failed = int((~np.isfinite(found['embedding']).all(axis=1)).sum())
    text = json.dumps(to_json({
        'environment': describe_environment(),
        'encoder': str(found['encoder']), 'without_embedding': failed,
        'seed': args.seed, 'share': args.share,
        'neighbours': measure_neighbours(found),
        'purity': measure(found, share=args.share, n_sets=args.sets,
                          seed=args.seed, emulate=args.emulate)}),
        indent=1)
    (args.out / 'anomalies.json').write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
