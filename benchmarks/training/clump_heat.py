# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train the part of a clump network that marks objects.

It goes on from other weights, on the maps of `benchmarks.training.clump_marks`
turned, mirrored and moved.

    python -m benchmarks.training.clump_heat FOLDER --out FILE.safetensors
"""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from astro_pix2prof.networks.clumps import ClumpConfig, ClumpNetwork
from astro_pix2prof.networks.weights import load_network, write_weights
from astro_pix2prof.training.recipe import read_recipe
from astro_pix2prof.training.tasks.clumps import ClumpTask, make_targets

# The side of a crop, images of a batch, highest learning rate, decay of the
# average of the weights, steps of the rise of the learning rate, and steps
# between files.
_SIDE, _BATCH, _RATE, _EMA, _WARM, _SAVE = 96, 16, 1.5e-3, 0.997, 100, 250


def load_galaxies(folder, *, most=None):
    """
    Load the galaxies of `benchmarks.training.clump_marks`: list of dict.
    """
    galaxies = []
    for path in sorted(Path(folder).glob('*.pt')):
        if most is not None and len(galaxies) >= most:
            break
        galaxies += torch.load(path, weights_only=False)
    return galaxies


def crop(galaxy, rng, *, moved=True):
    """
    Cut a square out of the maps of a galaxy, turned and mirrored.

    Parameters
    ----------
    galaxy : dict
        The galaxy.

    rng : `numpy.random.Generator`
        The source of random numbers.

    moved : bool, optional
        Whether it is moved, turned and mirrored.

    Returns
    -------
    channels : `torch.Tensor`, shape (8, 96, 96)

    sources : `torch.Tensor`, shape (M, 6)
        See `~astro_pix2prof.training.tasks.clumps.make_targets`.
    """
    channels = galaxy['channels']
    h, w = channels.shape[1:]
    first = []
    for size, centre in ((w, galaxy['centre'][0]), (h, galaxy['centre'][1])):
        room = 6 + max(size - _SIDE, 0) / 3
        move = rng.uniform(-room, room) if moved else 0.0
        first.append(round(centre + move - (_SIDE - 1) / 2))
    x, y = first
    pad = (max(-x, 0), max(x + _SIDE - w, 0), max(-y, 0),
           max(y + _SIDE - h, 0))
    image = functional.pad(channels.float(), pad)
    x0, y0 = x + pad[0], y + pad[2]
    image = image[:, y0:y0 + _SIDE, x0:x0 + _SIDE]
    rows = galaxy['sources'].clone()
    rows[:, 0] -= x
    rows[:, 1] -= y
    rows = rows[rows[:, 5] > 2]
    if moved:
        for axis, column in ((-1, 0), (-2, 1)):
            if rng.uniform() < 0.5:
                image = image.flip(axis)
                rows[:, column] = _SIDE - 1 - rows[:, column]
        if rng.uniform() < 0.5:
            image = image.transpose(-1, -2)
            rows[:, :2] = rows[:, :2].flip(1)
    inside = ((rows[:, :2] > -0.5) & (rows[:, :2] < _SIDE - 0.5)).all(1)
    return image, rows[inside]


def make_batch(galaxies, rng, *, moved=True):
    """
    Make a batch of the training task from some galaxies.
    """
    parts = [crop(galaxy, rng, moved=moved) for galaxy in galaxies]
    most = max(max(len(rows) for _, rows in parts), 1)
    sources = torch.full((len(parts), most, 6), torch.nan)
    for k, (_, rows) in enumerate(parts):
        sources[k, :len(rows)] = rows
    return {'image': torch.stack([image for image, _ in parts]),
            'sources': sources, **make_targets(sources, _SIDE)}


def deepen(network, dilations):
    """
    Add blocks to a network, which at first pass on what they get.
    """
    config = ClumpConfig(channels=network.config.channels,
                         dilations=dilations)
    new = ClumpNetwork(config)
    own = new.state_dict()
    own.update({key: value for key, value in network.state_dict().items()
                if key in own})
    n_old = len(network.config.steps)
    for key, value in own.items():
        number = key.split('.')[1]
        if key.startswith('blocks.') and int(number) >= n_old and (
                'second_norm.weight' in key):
            own[key] = torch.zeros_like(value)
    new.load_state_dict(own)
    return new


def errors(network, task, galaxies):
    """
    Compute the mean of 1 - F1 of clumps in batches of validation galaxies.
    """
    rng = np.random.default_rng(0)
    network.eval()
    found = [task.errors(network, make_batch(
        galaxies[k:k + 64], rng, moved=False))
        for k in range(0, len(galaxies), 64)]
    network.train()
    return float(torch.cat(found).mean())


def train_marks(network, galaxies, validation, steps, *, seed=1,
                checkpoint=None, seconds=math.inf):
    """
    Train the marks of a network.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        The network, which is changed.

    galaxies, validation : list of dict
        Galaxies to learn from, and others.

    steps : int
        The number of batches.

    seed : int, optional
        The seed of the order of the galaxies.

    checkpoint : path-like, optional
        A file into which the average is written from time to time.

    seconds : float, optional
        The time of a processor after which it ends: the learning rate falls
        with the time, if that is shorter.

    Returns
    -------
    average : `~astro_pix2prof.networks.clumps.ClumpNetwork`
        With the average of the weights.

    curve : list
        Images that were shown, and the error on the validation galaxies.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    task = ClumpTask(read_recipe('clumps'), network.config)
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE,
                                  weight_decay=0.02)
    curve = [[0, round(errors(network, task, validation), 4)]]
    start, shown = time.process_time(), 0
    for step in range(steps):
        done = max(step / steps, (time.process_time() - start) / seconds)
        if done >= 1:
            break
        rate = _RATE * min((step + 1) / _WARM, 1) * (
            0.5 + 0.5 * math.cos(math.pi * done))
        optimiser.param_groups[0]['lr'] = rate
        chosen = rng.choice(len(galaxies), _BATCH)
        batch = make_batch([galaxies[k] for k in chosen], rng)
        loss, _ = task.loss(network, batch, None)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        shown += _BATCH
        decay = min(_EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(average.parameters(), network.parameters(),
                            strict=True):
                a.lerp_(b, 1 - decay)
        if (step + 1) % _SAVE == 0:
            curve.append([shown, round(errors(average, task, validation),
                                       4)])
            average.eval()
            print(curve[-1], f'{time.process_time() - start:.0f} s',
                  flush=True)
            if checkpoint is not None:
                torch.save({'state': average.state_dict(), 'curve': curve,
                            'config': network.config.to_dict()}, checkpoint)
    curve.append([shown, round(errors(average, task, validation), 4)])
    return average.eval(), curve


def main(args=None):
    """
    Train, as the command line asks.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--validation', type=Path, required=True)
    parser.add_argument('--weights', default='clumps')
    parser.add_argument('--dilations', default='1,2,4,8')
    parser.add_argument('--steps', type=int, default=4000)
    parser.add_argument('--seconds', type=float, default=math.inf)
    parser.add_argument('--out', type=Path, required=True,
                        metavar='FILE.safetensors')
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    network, card = load_network(args.weights)
    network = deepen(network, args.dilations).train()
    galaxies = load_galaxies(args.folder)
    average, curve = train_marks(
        network, galaxies, load_galaxies(args.validation), args.steps,
        checkpoint=args.out.with_suffix('.pt'), seconds=args.seconds)
    card = {key: value for key, value in card.items() if key not in (
        'config', 'parameters', 'precision', 'sha256', 'class_head',
        'class_head_training')}
    before = card.get('presentations', 0)
    card.update(threshold=0.3, presentations=before + curve[-1][0], metrics={
        'error': curve[-1][1], 'unit': '1 - F1 of clumps with a '
        'signal-to-noise ratio above 5, at the best threshold'},
        learning_curve={'columns': ['presentations', 'error'],
                        'unit': '1 - F1', 'rows': curve})
    print(write_weights(average, card, args.out), json.dumps(curve))


if __name__ == '__main__':
    main()
