# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train the class head of a clump network.

The marks of the network on simulated galaxies are measured as in use: each
is fitted, its rings are subtracted, and brightness, place, width and
surroundings of the marks are measured. From these, and from what the network
saw, a small head learns whether a mark is a clump, another object or
nothing. Galaxies that are left out tell how well it does.

    python -m benchmarks.training.clump_classes WEIGHTS --out FILE.safetensors
"""

import argparse
import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table

from astro_pix2prof import Pix2ProfFitter, measure_detections
from astro_pix2prof.inference.clump_classes import (
    N_MEASURED,
    class_features,
)
from astro_pix2prof.inference.clumps import measure_marks
from astro_pix2prof.networks.clumps import ClumpNetwork
from astro_pix2prof.networks.weights import load_network, write_weights
from benchmarks.accuracy.clumps import CASES, MIN_SHARE, MIN_SNR

# Heads whose mean is taken, and units of each; steps and learning rate of
# their training, and the strength with which weights are held at zero.
_HEADS, _UNITS, _STEPS, _RATE, _DECAY = 4, 24, 250, 1e-2, 1e-3

# Weights of bright objects, of odd ones and of nothing in training. Frames of
# the simulator are crowded with stars and neighbours.
_BRIGHT, _ODD, _NOTHING = 4.0, 0.7, 0.5

# The part of odd objects among those that volunteers marked in galaxies, for
# which the probabilities are given.
_VOLUNTEERS = 0.28

# Marks of the network with a lower score teach nothing.
_LEAST = 0.12

# Galaxies are left out in so many turns.
_FOLDS = 4


@dataclasses.dataclass
class Marks:
    """
    Marks of a network on galaxies whose truth is known.

    Attributes
    ----------
    features : 2D `~numpy.ndarray`, shape (n, C + M)
        What the network saw, and the numbers measured.

    classes : 1D int `~numpy.ndarray`, shape (n,)
        0 for nothing, 1 for a clump, 2 for another object.

    bright : 1D bool `~numpy.ndarray`, shape (n,)
        Marks with the signal-to-noise ratio and share that count.

    score : 1D `~numpy.ndarray`, shape (n,)
        The higher of both scores of the network.

    wanted : 1D bool `~numpy.ndarray`, shape (n,)
        Marks of true clumps that are that bright.

    galaxy : 1D int `~numpy.ndarray`, shape (n,)
        The number of the galaxy.

    n_wanted : int
        The number of true clumps that are that bright.
    """

    features: np.ndarray
    classes: np.ndarray
    bright: np.ndarray
    score: np.ndarray
    wanted: np.ndarray
    galaxy: np.ndarray
    n_wanted: int


def gather(network, name, n, seed, *, first=0):
    """
    Measure the marks of a network on galaxies of a set: `Marks`.
    """
    fitter = Pix2ProfFitter(device='cpu')
    columns, n_wanted = [[] for _ in range(6)], 0
    for k, (image, _, truth, fwhm) in enumerate(CASES[name](n, seed)):
        try:
            rows = measure_marks(fitter.fit(image), None, network)
        except ValueError:
            # (an image that no fitter takes)
            continue
        own, bright = true_clumps(truth)
        n_wanted += int((own & bright).sum())
        kind = np.zeros(len(rows), dtype=int)
        wanted = np.zeros(len(rows), dtype=bool)
        if rows:
            found = Table({name: [row[name] for row in rows]
                           for name in ('x', 'y')})
            for i, j in measure_detections(
                    found, truth, radius=fwhm, label=None).meta['pairs']:
                kind[j] = 1 if own[i] else 2
                wanted[j] = own[i] and bright[i]
        for column, values in zip(columns, (
                [np.concatenate([row['seen'].numpy(), class_features(row)])
                 for row in rows], kind,
                [row['snr'] > MIN_SNR and row['share'] > MIN_SHARE
                 for row in rows], [max(row['scores']) for row in rows],
                wanted, [first + k] * len(rows)), strict=True):
            column += list(values)
    return Marks(*(np.array(column) for column in columns), n_wanted)


def true_clumps(truth):
    """
    Tell which true objects are clumps, and which are bright.
    """
    share, snr = (np.asarray(column.filled(0) if hasattr(column, 'filled')
                             else column)
                  for column in (truth['share'], truth['snr']))
    return (np.asarray(truth['class']) == 'clump',
            (snr > MIN_SNR) & (share > MIN_SHARE))


def odd_weight(classes):
    """
    Compute the weight of odd objects that gives them their usual part.
    """
    n, n_odd = ((classes == k).sum() for k in (1, 2))
    return float(_VOLUNTEERS / (1 - _VOLUNTEERS) * n / max(n_odd, 1))


def train_head(marks, *, odd=None, seed=1):
    """
    Train a class head: the mean of several of `_UNITS` units.

    Parameters
    ----------
    marks : `Marks`
        The marks.

    odd : float, optional
        The weight of odd objects, for which the probabilities are; by
        default that of `odd_weight`.

    seed : int, optional
        The seed of the first weights.

    Returns
    -------
    state : dict of `torch.Tensor`
        The weights of ``ClumpNetwork.judge``.
    """
    use = (marks.score > _LEAST) | marks.bright
    x = torch.tensor(marks.features[use], dtype=torch.float32)
    y = torch.tensor(marks.classes[use])
    middle, size = x.mean(0), x.std(0) + 0.05
    x = (x - middle) / size
    weight = torch.where(torch.tensor(marks.bright[use]), _BRIGHT, 1.0)
    weight = weight * torch.tensor([_NOTHING, 1.0, _ODD])[y]
    weight /= weight.sum()
    heads = []
    for k in range(_HEADS):
        torch.manual_seed(seed + k)
        head = torch.nn.Sequential(torch.nn.Linear(x.shape[1], _UNITS),
                                   torch.nn.ReLU(),
                                   torch.nn.Linear(_UNITS, 3))
        optimiser = torch.optim.Adam(head.parameters(), lr=_RATE)
        for step in range(_STEPS):
            optimiser.param_groups[0]['lr'] = _RATE * (1 - step / _STEPS)
            loss = (torch.nn.functional.cross_entropy(
                head(x), y, reduction='none') * weight).sum()
            loss = loss + _DECAY * sum(
                (layer.weight**2).sum() for layer in (head[0], head[2]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        heads.append(head)
    # (side by side, they are one head of all units)
    first = torch.cat([head[0].weight for head in heads]).detach() / size
    bias = torch.cat([head[0].bias for head in heads]).detach()
    last = torch.stack([head[2].bias for head in heads]).mean(0).detach()
    # (another weight of a class is another constant)
    last[2] += np.log((odd or odd_weight(marks.classes)) / _ODD)
    return {
        '0.weight': first, '0.bias': bias - first @ middle,
        '2.weight': torch.cat([head[2].weight for head in heads],
                              1).detach() / _HEADS,
        '2.bias': last}


def probabilities(state, features):
    """
    Compute the probabilities of nothing, clump and odd: (N, 3).
    """
    x = torch.tensor(features, dtype=torch.float32)
    x = torch.relu(x @ state['0.weight'].T + state['0.bias'])
    x = x @ state['2.weight'].T + state['2.bias']
    return torch.softmax(x, 1).numpy()


def left_out(marks, *, odd=None):
    """
    Compute the probabilities of marks from heads that did not see them.
    """
    found = np.zeros((len(marks.classes), 3))
    for fold in range(_FOLDS):
        out = marks.galaxy % _FOLDS == fold
        part = Marks(*(getattr(marks, item.name)[~out]
                       for item in dataclasses.fields(Marks)[:-1]), 0)
        found[out] = probabilities(train_head(part, odd=odd),
                                   marks.features[out])
    return found


def measure(marks, found, threshold):
    """
    Measure completeness and purity of bright clumps at a threshold.
    """
    kept = (found[:, 1] >= found[:, 2]) & (found[:, 1:].sum(1) >= threshold)
    right = kept & (marks.classes == 1)
    return ((right & marks.wanted).sum() / max(marks.n_wanted, 1),
            (right & marks.bright).sum() / max(
                (kept & marks.bright).sum(), 1))


def choose_threshold(marks, found):
    """
    Choose the threshold at which the lower of both rates is highest.

    The rates that differ by less than their errors count as equal: of
    those, the threshold nearest to 0.5 is taken.
    """
    rates = {threshold: min(measure(marks, found, threshold))
             for threshold in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)}
    best = max(rates.values())
    return min((key for key, value in rates.items() if value > best - 0.03),
               key=lambda key: abs(key - 0.5))


def join(parts):
    """
    Join marks of several sets of galaxies.
    """
    return Marks(*(np.concatenate([getattr(part, item.name)
                                   for part in parts])
                   for item in dataclasses.fields(Marks)[:-1]),
                 sum(part.n_wanted for part in parts))


def finish(network, card, marks, path, *, odd=None, entries=None):
    """
    Train the head on all marks, and write weights and model card.
    """
    found = left_out(marks, odd=odd)
    threshold = choose_threshold(marks, found)
    rates = measure(marks, found, threshold)
    config = dataclasses.replace(network.config, measured=N_MEASURED)
    new = ClumpNetwork(config)
    state = {key: value for key, value in network.state_dict().items()
             if not key.startswith('judge.')}
    state.update({f'judge.{key}': value for key, value in train_head(
        marks, odd=odd).items()})
    new.load_state_dict(state)
    card = {key: value for key, value in card.items() if key not in (
        'classes', 'calibration', 'config', 'parameters', 'precision',
        'sha256')}
    n_galaxies = len(np.unique(marks.galaxy))
    card.update(
        threshold=threshold, class_head={
            'galaxies': n_galaxies,
            'marks': [int(n) for n in np.bincount(marks.classes,
                                                  minlength=3)],
            'odd_weight': round(odd or odd_weight(marks.classes), 3),
            'completeness': round(float(rates[0]), 3),
            'purity': round(float(rates[1]), 3),
            'unit': ('bright clumps of simulated galaxies that were left '
                     'out, in four turns')}, **(entries or {}))
    return write_weights(new, card, path)


def main():
    """
    Measure the marks, train, and write.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('weights')
    parser.add_argument('--galaxies', nargs='+', metavar='SEED:N',
                        default=['9001:320'])
    parser.add_argument('--odd', type=float, default=None,
                        help='weight of odd objects (default: volunteers)')
    parser.add_argument('--out', type=Path, required=True,
                        metavar='FILE.safetensors')
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    network, card = load_network(args.weights)
    parts, first = [], 0
    for item in args.galaxies:
        seed, n = map(int, item.split(':'))
        parts.append(gather(network, 'simulator', n, seed, first=first))
        first += n
    path = finish(network, card, join(parts), args.out, odd=args.odd)
    print(path, json.dumps(load_network(path)[1]['class_head']))


if __name__ == '__main__':
    main()
