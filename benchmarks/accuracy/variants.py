# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare weights of ring networks: their accuracy and their cost.

The accuracy is what ``benchmarks.accuracy.run`` wrote for each; the time of
the network alone, for images of 256 x 256 pixels on one core, is measured
here, in turns.

    python -m benchmarks.accuracy.variants run.json run_fast.json \
        --inc docs/variants.inc [--first OLD.safetensors OLD.json]

``--first`` names weights that the times are relative to, and their figures.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import json
import time
from pathlib import Path

import torch

from astro_pix2prof.networks.weights import load_network
from benchmarks.accuracy.sets import NETWORK
from benchmarks.tables import list_table, text, wrap

# Images at once, and how often each network is timed, in turns; the least
# time counts: anything else is what the machine does besides.
_BATCH, _TIMES = 16, 12


def time_networks(names):
    """
    Time networks in turns.

    Parameters
    ----------
    names : list of str
        The weights.

    Returns
    -------
    seconds : list of float
        For an image.
    """
    networks = [load_network(name)[0].eval().to(
        memory_format=torch.channels_last) for name in names]
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(_BATCH, 256, 256, generator=generator)
    good = torch.ones(_BATCH, 256, 256, dtype=torch.bool)
    start = torch.full((_BATCH, 2), 127.5)
    least = [float('inf')] * len(names)
    with torch.inference_mode():
        for _ in range(_TIMES):
            for k, network in enumerate(networks):
                begin = time.process_time()
                network(image, good, start)
                least[k] = min(least[k], time.process_time() - begin)
    return [value / _BATCH for value in least]


def write_table(figures, labels, seconds, path):
    """
    Write the table for the documentation.

    Parameters
    ----------
    figures : list of dict
        What ``benchmarks.accuracy.run`` wrote.

    labels : list of str
        The heading of each.

    seconds : list of float
        The time for an image; the first is what all are relative to.

    path : `~pathlib.Path`
        The file.
    """
    rows = [['Network alone, time against the first'] + [
        text(value / seconds[0], '.2f') for value in seconds]]
    for name, chosen in figures[-1]['sets'].items():
        for ending, what in (('_bright', 'to 26.5'), ('', 'to S/N 1')):
            found = [part['sets'].get(name, {}).get('fitters', {}).get(
                NETWORK, {}) for part in figures]
            rows.append([f'{chosen["title"]}, {what}'] + [
                f'{text(part.get("median" + ending))} '
                f'({text(part.get("p90" + ending))})' for part in found])
    lines = ['.. Written by benchmarks/accuracy/variants.py; do not edit.',
             '', *wrap(
                 'Medians over the test images of the median absolute error '
                 'of each (mag; in brackets, 90% of the images are below), as '
                 'in :doc:`evaluation`, and the time of the network alone for '
                 '256 x 256 pixels on one core, in one run.'),
             *list_table(['', *labels], rows), '']
    path.write_text('\n'.join(lines))


def main():
    """
    Compare, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('figures', type=Path, nargs='+',
                        help='JSON files of benchmarks.accuracy.run')
    parser.add_argument('--first', nargs=2, metavar=('WEIGHTS', 'JSON'),
                        help='weights that times are relative to')
    parser.add_argument('--inc', type=Path)
    args = parser.parse_args()
    figures = [json.loads(path.read_text()) for path in args.figures]
    names = [part['weights']['name'] for part in figures]
    labels = [f'``{name}``' for name in names]
    if args.first:
        figures.insert(0, json.loads(Path(args.first[1]).read_text()))
        names.insert(0, args.first[0])
        labels.insert(0, 'First ``rings``')
    seconds = time_networks(names)
    for label, value in zip(labels, seconds, strict=True):
        print(f'{label}: {1e3 * value:.2f} ms, {value / seconds[0]:.3f}')
    if args.inc:
        write_table(figures, labels, seconds, args.inc)


if __name__ == '__main__':
    main()
