# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train the class head of a clump network.

The marks of the network on the galaxies of `benchmarks.training.clump_marks`,
which were fitted and measured as in use, are told apart: clumps, other
objects or nothing. The head takes what the network saw, what was measured,
and a stamp of the image around each mark. Other galaxies tell when to stop,
and give the threshold and the weight of odd objects.

    python -m benchmarks.training.clump_marks prepared --galaxies 9101:4000
    python -m benchmarks.training.clump_marks others --galaxies 9501:400 \
        --set plain
    python -m benchmarks.training.clump_heat prepared --validation others \
        --out marks.safetensors
    python -m benchmarks.training.clump_classes prepared --validation others \
        --weights marks.safetensors --out clumps.safetensors
"""

import argparse
import copy
import dataclasses
import json
import math
import time
from pathlib import Path

import numpy as np
import torch

from astro_pix2prof.inference.clump_classes import N_MEASURED, seen_at
from astro_pix2prof.networks.clumps import ClumpNetwork, find_peaks
from astro_pix2prof.networks.clumps.stamps import turn_stamps
from astro_pix2prof.networks.weights import load_network, write_weights
from benchmarks.accuracy.clumps import MIN_SHARE, MIN_SNR, VOLUNTEERS
from benchmarks.training.clump_heat import load_galaxies
from benchmarks.training.clump_marks import IN_USE, KINDS

# Marks with a lower score teach nothing, and those are of a candidate that
# are so close to it (FWHM).
_LEAST, _SAME = 0.04, 0.5

# Weights of bright objects and of nothing in training.
_BRIGHT, _NOTHING = 4.0, 0.5

# Marks in a batch, highest learning rate, strength with which weights are held
# at zero, decay of their average, part of the numbers left out at random, and
# steps between looks at other galaxies.
_BATCH, _RATE, _DECAY, _EMA, _DROP, _LOOK = 256, 2e-3, 0.02, 0.995, 0.15, 200

# Channels of the stamps.
_STAMP = 24

# Thresholds and weights of odd objects that are tried.
_THRESHOLDS = tuple(np.round(np.arange(0.2, 0.71, 0.05), 2).tolist())
_ODD = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.5)


@dataclasses.dataclass
class Marks:
    """
    Marks of a network on galaxies whose truth is known.

    Attributes
    ----------
    known : `torch.Tensor`, shape (n, C + M)
        What the network saw, and the numbers measured.

    stamps : `torch.Tensor`, shape (n, 4, 17, 17)
        Stamps.

    kind : 1D int `~numpy.ndarray`, shape (n,)
        The number in ``KINDS``; 0 is nothing.

    bright : 1D bool `~numpy.ndarray`, shape (n,)
        Marks with the signal-to-noise ratio and share that count.

    wanted : 1D bool `~numpy.ndarray`, shape (n,)
        Marks of true clumps that are that bright.

    galaxy : 1D int `~numpy.ndarray`, shape (n,)
        The number of the galaxy.

    n_wanted : int
        The number of true clumps that are that bright.
    """

    known: torch.Tensor
    stamps: torch.Tensor
    kind: np.ndarray
    bright: np.ndarray
    wanted: np.ndarray
    galaxy: np.ndarray
    n_wanted: int

    @property
    def classes(self):
        """
        Return the classes: 0 for nothing, 1 for a clump, 2 for another.
        """
        return np.select([self.kind == 0, np.isin(
            self.kind, [KINDS.index('clump'), KINDS.index('own')])],
            [0, 1], 2)


def gather(network, galaxies):
    """
    Take the candidates that a network marks: `Marks`.
    """
    parts = {name: [] for name in ('known', 'stamps', 'kind', 'bright',
                                   'wanted', 'galaxy')}
    n_wanted = 0
    for number, galaxy in enumerate(galaxies):
        truth = galaxy['truth']
        wanted = truth['own'] & truth['bright']
        n_wanted += int(wanted.sum())
        if not len(galaxy['place']):
            continue
        with torch.inference_mode():
            logits, offset, seen, first = network.look_around(
                galaxy['channels'][None].float(), galaxy['centre'])
            peaks = find_peaks(logits[0], offset[0], least=_LEAST)
        if not len(peaks):
            continue
        place = torch.tensor(galaxy['place'], dtype=torch.float32)
        moved = peaks[:, :2] + torch.tensor(first)
        away = torch.cdist(place, moved)
        nearest = away.argmin(1)
        used = (away.amin(1) < _SAME * galaxy['fwhm']).numpy()
        scores = peaks[nearest, 2:4].clamp(1e-3, 1 - 1e-3).numpy()
        features = galaxy['features'].copy()
        features[:, :2] = np.log(scores / (1 - scores)) / 2
        known = torch.cat([seen_at(seen[0], peaks[:, :2])[nearest],
                           torch.tensor(features)], 1)
        parts['known'].append(known[used])
        parts['stamps'].append(galaxy['stamps'][used])
        parts['kind'].append(galaxy['kind'][used])
        parts['bright'].append(((galaxy['snr'] > MIN_SNR) & (
            galaxy['share'] > MIN_SHARE))[used])
        # (the last is for candidates that are nothing)
        parts['wanted'].append(np.append(wanted, False)[
            galaxy['match']][used])
        parts['galaxy'].append(np.full(int(used.sum()), number))
    return Marks(*(torch.cat(parts[name]) for name in ('known', 'stamps')),
                 *(np.concatenate(parts[name]) for name in (
                     'kind', 'bright', 'wanted', 'galaxy')), n_wanted)


def make_head(network):
    """
    Make a network with a new class head, and the marks of another.
    """
    new = ClumpNetwork(dataclasses.replace(
        network.config, measured=N_MEASURED, stamp=_STAMP))
    new.load_state_dict({**new.state_dict(), **{
        key: value for key, value in network.state_dict().items()
        if not key.startswith(('judge.', 'stamped.'))}})
    return new


def train_head(network, marks, *, validation=None, steps=3000, seed=1,
               seconds=math.inf, rate=_RATE, goes_on=False):
    """
    Train the class head of a network.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network, whose head is changed; the rest stays.

    marks : `Marks`
        The marks.

    validation : `Marks`, optional
        Marks on other galaxies: of the averages that are looked at, the one
        that tells these best is kept.

    steps, seed : int, optional
        The number of batches, and the seed of their order.

    seconds : float, optional
        The time of a processor after which it ends.

    rate : float, optional
        The highest learning rate.

    goes_on : bool, optional
        Whether the head was trained before, and goes on from there.

    Returns
    -------
    curve : list
        Steps, and the loss on the bright marks of the other galaxies.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    middle, size = marks.known.mean(0), marks.known.std(0) + 0.05
    known = (marks.known - middle) / size
    target = torch.tensor(marks.classes)
    weight = mark_weights(marks)
    weight = weight / weight.sum()
    first, n = network.judge[0], len(middle)
    if goes_on:
        # (a trained head takes the numbers as they are)
        with torch.no_grad():
            first.bias += first.weight[:, :n] @ middle
            first.weight[:, :n] *= size
    head = torch.nn.ModuleList([network.stamped, network.judge]).train()
    average = copy.deepcopy(head)
    best, kept, curve = math.inf, None, []
    optimiser = torch.optim.AdamW(head.parameters(), lr=rate,
                                  weight_decay=_DECAY)
    start = time.process_time()
    for step in range(steps):
        done = max(step / steps, (time.process_time() - start) / seconds)
        if done >= 1:
            break
        optimiser.param_groups[0]['lr'] = rate * min(
            (step + 1) / 50, 1) * (0.5 + 0.5 * math.cos(math.pi * done))
        chosen = torch.tensor(rng.choice(len(target), _BATCH, p=weight))
        stamps = marks.stamps[chosen].float()
        if rng.uniform() < 0.5:
            stamps = stamps.flip(-1)
        stamps = torch.rot90(stamps, int(rng.integers(4)), (-2, -1))
        seen = torch.nn.functional.dropout(known[chosen], _DROP)
        logits = head[1](torch.cat([seen, head[0](stamps)], 1))
        loss = torch.nn.functional.cross_entropy(logits, target[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            decay = min(_EMA, (1 + step) / (10 + step))
            for a, b in zip(average.parameters(), head.parameters(),
                            strict=True):
                a.lerp_(b, 1 - decay)
        if (step + 1) % _LOOK == 0 and validation is not None:
            found = _logits(average, validation, middle, size)
            bright = torch.tensor(validation.bright)
            loss = torch.nn.functional.cross_entropy(
                found[bright], torch.tensor(validation.classes)[bright],
                weight=torch.tensor([1.0, 1.0, 1.0]))
            curve.append([step + 1, round(float(loss), 4)])
            print(curve[-1], f'{time.process_time() - start:.0f} s',
                  flush=True)
            if float(loss) < best:
                best, kept = float(loss), copy.deepcopy(
                    average.state_dict())
    head.load_state_dict(average.state_dict() if kept is None else kept)
    # (the numbers need not be brought to order 1 in use)
    with torch.no_grad():
        first.weight[:, :n] /= size
        first.bias -= first.weight[:, :n] @ middle
    network.eval()
    return curve


def _logits(head, marks, middle, size):
    known = (marks.known - middle) / size
    with torch.inference_mode():
        return torch.stack([head[1](torch.cat([known, head[0](stamps)], 1))
                            for stamps in turn_stamps(marks.stamps.float())
                            ]).mean(0)


def mark_weights(marks):
    """
    Compute how much marks count, as often as there are such ones in use.
    """
    use = np.array([IN_USE[name] for name in KINDS])[marks.kind]
    use[marks.kind == 0] *= _NOTHING
    return use * np.where(marks.bright, _BRIGHT, 1.0)


def class_logits(network, marks):
    """
    Compute the logits of nothing, clump and odd: (N, 3).
    """
    n = network.config.channels
    with torch.inference_mode():
        return network.classify(marks.known[:, :n], marks.known[:, n:],
                                marks.stamps.float())


def probabilities(logits, *, odd=1.0):
    """
    Compute probabilities from logits, odd objects having a weight: (N, 3).
    """
    return torch.softmax(logits + torch.tensor([0.0, 0.0, math.log(odd)]),
                         1).numpy()


def measure(marks, found, threshold, *, usual=False):
    """
    Measure completeness and purity of bright clumps at a threshold.

    ``usual`` gives the purity if 28% of the bright objects were odd, as in
    the boxes of volunteers.
    """
    kept = (found[:, 1] >= found[:, 2]) & (found[:, 1:].sum(1) >= threshold)
    right = kept & (marks.classes == 1)
    weight = np.ones(len(kept))
    if usual:
        own, odd = ((marks.bright & (marks.classes == k)).sum()
                    for k in (1, 2))
        weight[marks.classes == 2] = VOLUNTEERS / (1 - VOLUNTEERS) * (
            own / max(odd, 1))
    called = weight * (kept & marks.bright)
    return ((right & marks.wanted).sum() / max(marks.n_wanted, 1),
            (called * right).sum() / max(called.sum(), 1e-9))


def choose(network, sets):
    """
    Choose the weight of odd objects and the threshold.

    The lowest of completeness and purity (of 28% of odd objects) in all sets
    of galaxies is to be highest; of those that differ by less than their
    errors, the mean of all.

    Returns
    -------
    odd, threshold : float
    """
    rows = []
    logits = [class_logits(network, marks) for marks in sets]
    for odd in _ODD:
        found = [probabilities(one, odd=odd) for one in logits]
        for threshold in _THRESHOLDS:
            rates = [rate for marks, one in zip(sets, found, strict=True)
                     for rate in measure(marks, one, threshold, usual=True)]
            rows.append((min(rates), sum(rates), odd, threshold))
    best = max(row[0] for row in rows)
    _, _, odd, threshold = max((row for row in rows if row[0] > best - 0.01),
                               key=lambda row: row[1])
    return odd, threshold


def finish(network, card, sets, path, *, odd=None, threshold=None,
           entries=None):
    """
    Choose weight and threshold, and write weights and model card.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network with its head.

    card : dict
        The card of its marks.

    sets : dict of `Marks`
        Marks on galaxies that it was not trained on, by name.

    path : path-like
        The file.

    odd, threshold : float, optional
        The weight of odd objects and the threshold, if they were chosen
        before.

    entries : dict, optional
        Of the model card.

    Returns
    -------
    path : `~pathlib.Path`
    """
    if odd is None or threshold is None:
        best = choose(network, list(sets.values()))
        odd = best[0] if odd is None else odd
        threshold = best[1] if threshold is None else threshold
    rows = {}
    for name, marks in sets.items():
        found = probabilities(class_logits(network, marks), odd=odd)
        (complete, pure), (_, usual) = (
            measure(marks, found, threshold, usual=usual)
            for usual in (False, True))
        rows[name] = {'clumps': marks.n_wanted,
                      'completeness': round(float(complete), 3),
                      'purity': round(float(pure), 3),
                      'purity_usual': round(float(usual), 3)}
    new = copy.deepcopy(network)
    with torch.no_grad():
        # (another weight of a class is another constant)
        new.judge[-1].bias[2] += math.log(odd)
    card = {key: value for key, value in card.items() if key not in (
        'config', 'parameters', 'precision', 'sha256', 'class_head',
        'class_head_training')}
    card.update(threshold=threshold, class_head={
        'odd_weight': round(float(odd), 3), 'validation': rows,
        'unit': 'bright clumps of galaxies that were left out; '
                'purity_usual is that for 28% of odd objects'},
        **(entries or {}))
    return write_weights(new, card, path)


def main(args=None):
    """
    Gather marks, train, choose, and write, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--validation', type=Path, nargs='+', required=True,
                        metavar='FOLDER',
                        help='other galaxies; the first tell when to stop')
    parser.add_argument('--weights', default='clumps')
    parser.add_argument('--steps', type=int, default=3000)
    parser.add_argument('--seconds', type=float, default=math.inf)
    parser.add_argument('--rate', type=float, default=_RATE)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--goes-on', action='store_true',
                        help='go on with the class head of the weights, '
                        'instead of a new one')
    parser.add_argument('--odd', type=float, default=None,
                        help='weight of odd objects (default: chosen)')
    parser.add_argument('--threshold', type=float, default=None,
                        help='least probability (default: chosen)')
    parser.add_argument('--out', type=Path, required=True,
                        metavar='FILE.safetensors')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    network, card = load_network(args.weights)
    galaxies = load_galaxies(args.folder)
    marks = gather(network, galaxies)
    sets = {folder.name: gather(network, load_galaxies(folder))
            for folder in args.validation}
    if args.goes_on:
        # (without the weight of odd objects that was chosen for it)
        with torch.no_grad():
            network.judge[-1].bias[2] -= math.log(
                card['class_head']['odd_weight'])
    else:
        network = make_head(network)
    curve = train_head(network, marks, steps=args.steps,
                       validation=sets[args.validation[0].name],
                       seconds=args.seconds, seed=args.seed,
                       rate=args.rate, goes_on=args.goes_on)
    entries = {'class_head_training': {
        'galaxies': len(galaxies), 'marks': [int(n) for n in np.bincount(
            marks.classes, minlength=3)],
        'bright': [int(n) for n in np.bincount(
            marks.classes[marks.bright], minlength=3)], 'curve': curve}}
    path = finish(network, card, sets, args.out, odd=args.odd,
                  threshold=args.threshold, entries=entries)
    print(path, json.dumps(load_network(path)[1]['class_head']))


if __name__ == '__main__':
    main()
