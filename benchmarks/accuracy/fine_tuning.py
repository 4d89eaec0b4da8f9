# Licensed under a 3-clause BSD style license - see LICENSE.rst
r"""
Fine-tune the ring network to what no training has seen.

Two kinds of pairs, see ``benchmarks/render/unseen.py``: ``boxes``, a survey
whose sky was subtracted in small boxes, and ``atlas``, profiles along
ellipses of one shape. With the first pairs of a folder the network is
tuned, as a user would; other galaxies, at which nobody has looked before,
give the figures, the same ones for any number of pairs and for any part of
the network that learns. The result goes to
``benchmarks/accuracy/fine_tuning_KIND.json``, with the number of pairs in its
name if there are not 200, and the part that learned if it is not all.

    python -m benchmarks.accuracy.fine_tuning build/fine_tuning boxes
    python -m benchmarks.accuracy.fine_tuning build/fine_tuning atlas \
        --pairs 1000 --unfreeze last
    python -m benchmarks.accuracy.fine_tuning --table docs/fine_tuning.inc
"""

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from galsim import GalSimError

from astro_pix2prof import Pix2ProfFitter, fine_tune, read_pairs
from astro_pix2prof.inference.tuning_pairs import HeldOut, prepare_pairs
from benchmarks.render.galaxies import render
from benchmarks.render.unseen import KINDS
from benchmarks.tables import list_table

RESULTS = Path(__file__).parent

# The scenes: Legacy Surveys r, in frames of 128 pixels. No other script has
# this seed. The first are to tune with, the next to test, and those after
# them to tune with if there are to be more pairs.
SURVEY, N_PIX, SEED = 'legacy-r', 128, 8102
N_TRAIN, N_TEST = 200, 150

# Scenes that are rendered beyond those, as some cannot be.
_SPARE = 10

# Numbers of pairs, and parts that learn, in the table.
PAIRS = 50, 200, 1000
PARTS = 'last', 'rings', 'all'


def render_scenes(folder, n):
    """
    Render the scenes that are not there yet, with the galaxies alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        path = folder / f'galaxy_{k:04d}.fits'
        if not path.exists():
            try:
                hdus = render(SEED * 100_000 + k, survey=SURVEY,
                              n_pix=N_PIX, max_offset=6, keep_galaxy=True)
            except GalSimError as error:
                print(f'{path}: {error}')
                continue
            hdus.writeto(path)
    return sorted(folder.glob('galaxy_*.fits'))


def make_pairs(scenes, folder, kind, n_pairs):
    """
    Write the pairs of a kind: those to tune with and those to test.
    """
    test = scenes[N_TRAIN:N_TRAIN + N_TEST]
    others = [*scenes[:N_TRAIN], *scenes[N_TRAIN + N_TEST + _SPARE:]]
    for part, paths in (('train', others[:n_pairs]), ('test', test)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for path in paths:
            target = folder / part / path.name
            if not target.exists():
                with fits.open(path) as hdus:
                    KINDS[kind](hdus, int(path.stem[-4:])).writeto(target)


def summarise(fitter, test):
    """
    Measure test galaxies and summarise their errors.
    """
    errors = HeldOut.measure(fitter, test)
    return {key: round(value, 4) for key, value in
            errors.summary().items()}, errors.rings.per_image


def result_file(kind, pairs, unfreeze='all'):
    """
    Return the path of the stored result of so many pairs of a kind.
    """
    more = '' if pairs == N_TRAIN else f'_{pairs}'
    more += '' if unfreeze == 'all' else f'_{unfreeze}'
    return RESULTS / f'fine_tuning_{kind}{more}.json'


def write_table(path):
    """
    Write the stored results as a table for the documentation.
    """
    titles = {'boxes': 'a survey that subtracts the sky in small boxes',
              'atlas': 'profiles along ellipses of one shape'}
    rows = []
    for (kind, title), pairs, part in itertools.product(
            titles.items(), PAIRS, PARTS):
        file = result_file(kind, pairs, part)
        if not file.exists():
            continue
        found = json.loads(file.read_text())
        before, after = found['before'], found['after']
        low, high = found['change_of_median_68']
        change = [f'{found["change_of_median"]:+.0%} ({low:+.0%} to '
                  f'{high:+.0%})', f'{found["change_of_mean"]:+.0%}',
                  f'{found["better"]:.0%}']
        if not found['improved']:
            change = ['none: the start is kept', '', '']
        rows.append([
            title, f'{pairs}', f'``{part}``',
            f'{before["median_error"]:.3f}',
            f'{after["median_error"]:.3f}', *change,
            f'{before["within_1_sigma"]:.0%}',
            f'{after["within_1_sigma"]:.0%}',
            f'{found["cpu_minutes"]:.1f}'])
    path.write_text('\n'.join(list_table(
        ['', 'Pairs', '``unfreeze``', 'Before (mag)', 'After (mag)',
         'Change of the median (68%)', 'of the mean',
         'Galaxies that are better',
         'Within 1 sigma before', 'after', 'CPU minutes'],
        rows)).rstrip() + '\n')


def main(args=None):
    """
    Render, tune, test and write.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path, nargs='?')
    parser.add_argument('kind', choices=sorted(KINDS), nargs='?')
    parser.add_argument('--table', type=Path, metavar='FILE.inc')
    parser.add_argument('--pairs', type=int, default=N_TRAIN)
    parser.add_argument('--unfreeze', choices=PARTS, default='all')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--steps', type=int, default=100)
    args = parser.parse_args(args)
    if args.table:
        write_table(args.table)
        return 0
    if args.kind is None:
        parser.error('a folder and a kind are needed')
    torch.set_num_threads(1)
    least = N_TRAIN + N_TEST + _SPARE
    scenes = render_scenes(args.folder / 'scenes', least + max(
        0, args.pairs - N_TRAIN))
    place = args.folder / args.kind
    make_pairs(scenes, place, args.kind, args.pairs)
    pairs = list(read_pairs(place / 'train'))[:args.pairs]
    began = time.process_time()
    tuning = fine_tune('rings', pairs, out=args.folder / (
        f'{args.kind}_{args.pairs}_{args.unfreeze}.safetensors'),
        minutes=120.0, steps=args.steps, unfreeze=args.unfreeze,
        seed=args.seed, overwrite=True, progress=True)
    minutes = (time.process_time() - began) / 60
    print(tuning, flush=True)
    start = Pix2ProfFitter('rings', device='cpu')
    test = prepare_pairs(start, read_pairs(place / 'test'))
    before, old = summarise(start, test)
    after, new = summarise(Pix2ProfFitter(tuning.path, device='cpu'), test)
    gain = old - new
    rng = np.random.default_rng(0)
    draws = rng.integers(len(old), size=(1000, len(old)))
    change = np.median(new[draws], 1) / np.median(old[draws], 1) - 1
    result = {
        'kind': args.kind, 'pairs': args.pairs, 'test_galaxies': len(test),
        'unfreeze': args.unfreeze, 'seed': args.seed,
        'before': before, 'after': after,
        'change_of_median': round(
            after['median_error'] / before['median_error'] - 1, 4),
        'change_of_median_68': [round(float(v), 4) for v in np.quantile(
            change, (0.16, 0.84))],
        'change_of_mean': round(
            after['mean_error'] / before['mean_error'] - 1, 4),
        'better': round(float(np.mean(gain > 0)), 3),
        'cpu_minutes': round(minutes, 2),
        'best_step': tuning.card['training']['best_step'],
        'steps': tuning.card['training']['steps'],
        'improved': tuning.improved,
        'start_sha256': tuning.card['start']['sha256']}
    print(json.dumps(result, indent=1))
    result_file(args.kind, args.pairs, args.unfreeze).write_text(
        json.dumps(result, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
