# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Neighbours of galaxies by their embeddings.

GalSim renders galaxies of nine looks (``benchmarks.render.looks``), another
renderer than that of the training images. From each galaxy, the ten nearest
of the others are looked up, by the embeddings, and by the standardised
numbers of `~astro_pix2prof.measure_structure` for comparison.

    python -m benchmarks.accuracy.embeddings --n 360 --seed 90000 \
        --out benchmarks/accuracy/embeddings.json --table docs/embeddings.inc
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from astro_pix2prof import Pix2ProfFitter, measure_structure
from benchmarks.render.looks import LOOKS, render_look
from benchmarks.tables import describe_environment, to_json

__all__ = ['make_table', 'measure', 'neighbour_shares',
           'structure_numbers']

# Looks of single features, whose neighbours are counted for well resolved
# galaxies, and how many FWHM these have.
FEATURES, RESOLVED = ('barred', 'ringed', 'tidal tail'), 4.0
N_NEAR = 10


def structure_numbers(batch):
    """
    Standardise nine structural numbers that do not depend on size.

    Parameters
    ----------
    batch : `~astro_pix2prof.ProfileBatch`
        The profiles.

    Returns
    -------
    numbers : 2D `~numpy.ndarray`, shape (n, 9)
        Deviations from the median in units of the spread; at most 4.
    """
    table = measure_structure(batch, fits=False)

    def plain(name):
        column = table[name]
        return np.asarray(getattr(column, 'value', column), dtype=float)

    twist = np.abs((plain('pa_50') - plain('pa_out') + 90) % 180 - 90)
    columns = np.column_stack([
        plain('c28'), plain('c59'), plain('mu_0'), plain('mu_mean_50'),
        plain('mu_0') - plain('mu_mean_50'), plain('ellipticity_50'),
        plain('ellipticity_out'), plain('r_petro') / plain('r50'), twist])
    middle = np.nanmedian(columns, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(columns - middle), axis=0)
    scaled = (columns - middle) / np.maximum(spread, 1e-6)
    return np.clip(np.nan_to_num(scaled), -4, 4)


def neighbour_shares(vectors, looks, rows=None):
    """
    Calculate how many of the nearest galaxies look as the galaxy does.

    Parameters
    ----------
    vectors : 2D `~numpy.ndarray`, shape (n, m)
        A place for each galaxy.

    looks : 1D `~numpy.ndarray` of str, shape (n,)
        The looks.

    rows : 1D bool `~numpy.ndarray`, shape (n,), optional
        The galaxies that take part; by default, all.

    Returns
    -------
    shares : dict of float
        By look: of the ten nearest, the mean share of the same look.

    base : dict of float
        The share of that look among all others.
    """
    rows = np.ones(len(looks), dtype=bool) if rows is None else rows
    vectors, looks = vectors[rows], looks[rows]
    square = (vectors**2).sum(1)
    away = square[:, None] + square - 2 * vectors @ vectors.T
    np.fill_diagonal(away, np.inf)
    near = np.argsort(away, axis=1)[:, :N_NEAR]
    same = (looks[near] == looks[:, None]).mean(1)
    shares, base = {}, {}
    for look in LOOKS:
        of_look = looks == look
        if of_look.any():
            shares[look] = float(same[of_look].mean())
            base[look] = float((of_look.sum() - 1) / (len(looks) - 1))
    return shares, base


def figures(vectors, looks, size):
    """
    Collect the figures of one kind of vectors.
    """
    shares, base = neighbour_shares(vectors, looks)
    large, large_base = neighbour_shares(vectors, looks, size > RESOLVED)
    # mergers have tails, too
    tails = np.where(looks == 'merger', 'tidal tail', looks)
    both, both_base = neighbour_shares(vectors, tails, size > RESOLVED)
    return {'same': float(np.mean(list(shares.values()))),
            'chance': float(np.mean(list(base.values()))),
            'by_look': shares,
            'lift': {name: large[name] / large_base[name]
                     for name in FEATURES if name in large},
            'lift_with_mergers': (both['tidal tail']
                                  / both_base['tidal tail'])}


def measure(n, seed):
    """
    Render and encode galaxies.

    Returns
    -------
    result : dict
    """
    fitter = Pix2ProfFitter()
    images, known = [], []
    for k in range(n):
        image, row = render_look(seed + k)
        images.append((image, {'pixel_scale': row['pixel_scale'],
                               'zeropoint': 22.5}))
        known.append(row)
    fitter.encode(images[:1])
    times, batches, tables = [0.0, 0.0], [], []
    for first in range(0, n, 64):
        # (in turns, as what else the machine does changes)
        part = images[first:first + 64]
        for number, call in enumerate((fitter.fit_many, fitter.encode)):
            start = time.process_time()
            found = call(part)
            if number == 0:
                batches += list(found)
            else:
                tables.append(found)
            times[number] += time.process_time() - start
    batch = type(batches[0]).concatenate(batches)
    vectors = np.concatenate([table['embedding'] for table in tables]
                             ).astype(float)
    lost = ~np.isfinite(vectors).all(1)
    vectors[lost] = 0
    looks = np.array([row['look'] for row in known])
    size = np.array([row['r_e'] / row['fwhm'] for row in known])
    return {'n': n, 'seed': seed, 'failed': int(lost.sum()),
            'sha256': tables[0].meta['encoder_sha256'],
            'n_large': int((size > RESOLVED).sum()),
            'embedding': figures(vectors, looks, size),
            'structure': figures(structure_numbers(batch), looks, size),
            'ms_fit': 1e3 * times[0] / n, 'ms_encode': 1e3 * times[1] / n,
            'environment': describe_environment()}


def make_table(result):
    """
    Make the table of the documentation.

    Parameters
    ----------
    result : dict
        As `measure` returns it.

    Returns
    -------
    text : str
    """
    kinds = ('embedding', 'structure')
    chance = result['embedding']['chance']
    rows = [('the same look, mean of nine', [
        f'{result[kind]["same"]:.2f}' for kind in kinds], f'{chance:.2f}')]
    rows += [(f'- {look}', [f'{result[kind]["by_look"][look]:.2f}'
                            for kind in kinds], f'{chance:.2f}')
             for look in LOOKS]
    rows += [(f'{look}: times the base rate, for the {result["n_large"]} '
              f'galaxies with half-light radii above {RESOLVED:g} FWHM',
              [f'{result[kind]["lift"][look]:.1f}' for kind in kinds], '1.0')
             for look in FEATURES]
    rows.append(('the same for tails, where mergers, which have one, count', [
        f'{result[kind]["lift_with_mergers"]:.1f}' for kind in kinds],
        '1.0'))
    lines = ['.. list-table::', '    :header-rows: 1', '',
             f'    * - Of the ten nearest of {result["n"]} galaxies',
             '      - by embeddings', '      - by structural numbers',
             '      - by chance']
    for name, values, by_chance in rows:
        lines += [f'    * - {name.lstrip("- ")}',
                  *(f'      - {value}' for value in (*values, by_chance))]
    cost = 1e2 * (result['ms_encode'] / result['ms_fit'] - 1)
    lines += ['', 'One processor core took '
              f'{result["ms_fit"]:.0f} ms for a profile and '
              f'{result["ms_encode"]:.0f} ms for a profile with its '
              f'embedding, {cost:.0f}% more.']
    return '\n'.join(lines) + '\n'


def main(args=None):
    """
    Run the benchmark.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--n', type=int, default=360)
    parser.add_argument('--seed', type=int, default=90000)
    parser.add_argument('--out', type=Path)
    parser.add_argument('--table', type=Path)
    args = parser.parse_args(args)
    result = measure(args.n, args.seed)
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(to_json(result), encoding='utf-8')
    if args.table:
        args.table.write_text(make_table(result), encoding='utf-8')


if __name__ == '__main__':
    main()
