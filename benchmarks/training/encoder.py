# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train an encoder on maps that are made once.

``pix2prof train encoder`` simulates galaxies and makes their maps while it
trains, which takes most of its time. Here the maps are written to files, and
the network, which is small, sees them many times, each time turned by
another angle. Most maps are made on the true ellipses with errors as of a fit,
which is fast; others on ellipses that the network ``rings`` fitted, which
tails and companions pull.

    python -m benchmarks.training.encoder --maps DIR --n-maps 36000 \
        --fitted 6000 --passes 15 --start encoder \
        --out DIR/encoder.safetensors
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch

from astro_pix2prof import GalaxyCutout, Pix2ProfFitter
from astro_pix2prof.inference.encoder import encode_with_maps
from astro_pix2prof.networks.encoder import (
    Encoder,
    EncoderConfig,
    GalaxyMaps,
)
from astro_pix2prof.networks.encoder.network import HEADS
from astro_pix2prof.networks.weights import load_network, write_weights
from astro_pix2prof.simulation import GalaxySimulator, visible_features
from astro_pix2prof.training import read_recipe
from astro_pix2prof.training.data import SimulatedBatches
from astro_pix2prof.training.tasks.encoder import EncoderTask

__all__ = ['begin', 'calibrate', 'describe', 'make_files', 'make_fitted',
           'stretch', 'take_mean', 'train_on_maps', 'vary']

# Of the files of maps of fits, each of so many is for validation.
EVERY = 20

# Maps of fits are shown so many times more often than others; their seeds.
REPEAT, FIRST_SEED = 6, 900_000

# Tidal tails are rare and faint: how much more they count (chosen on GalSim
# images of other seeds than those of the figures).
STRETCH = 0.75

# Heads whose probabilities go into tables of galaxies.
SHOWN = ('bar', 'arms', 'ring', 'clumps', 'tides', 'merger')


def make_files(folder, n_maps, recipe):
    """
    Simulate galaxies and write their maps, where they are missing.
    """
    batches = SimulatedBatches(recipe, EncoderConfig(), first_seed=17)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(-(-n_maps // recipe.data.batch_size[0])):
        path = folder / f'{number:06d}.pt'
        if not path.exists():
            batch = batches[number]
            batch['image'], batch['rings'] = (
                batch[name].half() for name in ('image', 'rings'))
            torch.save(batch, path)


def make_fitted(folder, n_maps, *, size=96):
    """
    Simulate and fit galaxies, and write their maps, where they are missing.
    """
    fitter = Pix2ProfFitter()
    simulator = GalaxySimulator('mix', n_pix=128, wobble=0.03, features=True)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(-(-n_maps // size)):
        path = folder / f'{number:06d}.pt'
        if path.exists():
            continue
        found = simulator.simulate(size, seed=FIRST_SEED + number)
        _, maps = encode_with_maps(fitter, [GalaxyCutout(
            found.image[k].numpy(), unit='nmgy',
            mask=found.mask[k].numpy(), gain=float(found.gain[k]),
            pixel_scale=float(found.pixel_scale[k]),
            psf_fwhm=float(found.fwhm[k] * found.pixel_scale[k]))
            for k in range(size)])
        rows = [k for k, part in enumerate(maps) if part is not None]
        stacked = GalaxyMaps.stack(maps[k] for k in rows)
        torch.save({'image': stacked.image.half(),
                    'rings': stacked.rings.half(),
                    **{name: value[rows] for name, value in
                       visible_features(found).items()}}, path)


def read_files(folder, fitted):
    """
    Read the maps for training, and those for validation.

    Maps of fits are there `REPEAT` times in those for training. Those for
    validation are of fits, of galaxies that no other file has.
    """
    parts = [torch.load(path, weights_only=True)
             for path in sorted(folder.glob('*.pt'))], []
    for path in sorted(fitted.glob('*.pt')):
        kept = int(path.stem) % EVERY == 3
        parts[kept].extend([torch.load(path, weights_only=True)] * (
            1 if kept else REPEAT))
    return [{name: torch.cat([part[name] for part in some]).float()
             if name != 'type' else torch.cat([p[name] for p in some])
             for name in some[0]} for some in parts]


def vary(part):
    """
    Turn maps, shift them in radius, add noise and hide sectors.

    Parameters
    ----------
    part : dict of `torch.Tensor`
        A batch; it is not changed.

    Returns
    -------
    part : dict of `torch.Tensor`
    """
    images, rings = [], []
    n_angle = part['image'].shape[-1]
    for image, ring in zip(part['image'], part['rings'], strict=True):
        turn, shift, wide = (int(torch.randint(low, high, ())) for low, high
                             in ((0, n_angle), (-1, 2), (4, 14)))
        image = torch.roll(image, turn, -1)
        if shift:
            # an error of the half-light radius
            rows = (torch.arange(image.shape[1]) + shift).clamp(
                0, image.shape[1] - 1)
            image, ring = image[:, rows], ring[:, rows]
        image = image + 0.15 * torch.rand(()) * torch.randn(image.shape) * (
            torch.arange(len(image)) < 5)[:, None, None]
        if torch.rand(()) < 0.25:
            # (after the turn, any sector)
            image[..., :wide] = 0
        images.append(image)
        rings.append(ring)
    return {**part, 'image': torch.stack(images),
            'rings': torch.stack(rings)}


def train_on_maps(batches, passes, *, size=128, rate=2e-3, start=None):
    """
    Train an encoder.

    Parameters
    ----------
    batches : dict of `torch.Tensor`
        Maps and labels, as of `EncoderTask.batch`.

    passes, size : int
        How often each map is shown; maps in a batch.

    rate : float
        The learning rate, which falls to zero in the second half.

    start : `Encoder`, optional
        The network to begin with.

    Returns
    -------
    network : `Encoder`
        Its weights are averages over the last steps.
    """
    torch.manual_seed(1)
    network = start or Encoder()
    task = EncoderTask(None, network.config)
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate,
                                  weight_decay=0.05)
    n = len(batches['image'])
    total = passes * (n // size)
    for step in range(total):
        if step % (n // size) == 0:
            order = torch.randperm(n)
        done = step / total
        for group in optimiser.param_groups:
            group['lr'] = rate * min(1, (step + 1) / 60) * min(
                1, max(0.01, 2 * (1 - done)))
        first = step % (n // size) * size
        part = {name: value[order[first:first + size]]
                for name, value in batches.items()}
        part = vary(part)
        network.train()
        loss, _ = task.loss(network, part, None)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        with torch.no_grad():
            for mean, value in zip(average.parameters(),
                                   network.parameters(), strict=True):
                mean.lerp_(value, 1 - min(0.995, (1 + step) / (10 + step)))
    return average


def begin(name):
    """
    Load weights to train on: an `Encoder` with its mean and stretch undone.
    """
    network = copy.deepcopy(load_network(name, device='cpu')[0])
    network.centre.zero_()
    network.stretch.copy_(torch.eye(len(network.stretch)))
    return network.requires_grad_(True)


@torch.no_grad()
def take_mean(network, batch):
    """
    Take the mean of galaxies away from all embeddings.

    Parameters
    ----------
    network : `Encoder`
        The network; it is changed.

    batch : dict of `torch.Tensor`
        The galaxies.
    """
    network.centre.zero_()
    network.centre.copy_(_encode(network, batch).mean(0))


@torch.no_grad()
def stretch(network, factor, head='tides'):
    """
    Make a feature count more in the distances of embeddings.

    Parameters
    ----------
    network : `Encoder`
        The network; it is changed.

    factor : float
        By so much, and 1, the direction in which the head looks is
        stretched.

    head : str, optional
        The head, of one value.
    """
    row = sum(list(HEADS.values())[:list(HEADS).index(head)])
    along = torch.nn.functional.normalize(network.heads.weight[row], dim=0)
    network.stretch.copy_(torch.eye(len(along))
                          + factor * torch.outer(along, along))


def _encode(network, batch, size=128):
    return torch.cat([
        network(GalaxyMaps(batch['image'][k:k + size],
                           batch['rings'][k:k + size]))
        for k in range(0, len(batch['image']), size)])


@torch.no_grad()
def answer(network, batch):
    """
    Encode maps: the votes, as of `Encoder.votes`.
    """
    return network.votes(_encode(network, batch))


def calibrate(network, batch):
    """
    Fit offsets and factors of logits, so that probabilities hold.

    Parameters
    ----------
    network : `Encoder`
        The network.

    batch : dict of `torch.Tensor`
        Maps and labels that were not trained with.

    Returns
    -------
    votes : dict of list
        Offset and factor by head.

    metrics : dict
        By head, the area under the curve, and the greatest difference of
        the stated probability from the true share in five bins of equal
        numbers.
    """
    votes = answer(network, batch)
    found, metrics = {}, {}
    right = votes['type'].argmax(1) == batch['type']
    metrics['type'] = {'accuracy': round(float(right.float().mean()), 4)}
    for name in HEADS:
        label = batch[name]
        if name == 'type' or votes[name].shape[1] > 1 or set(
                label.unique().tolist()) != {0.0, 1.0}:
            continue
        logit = votes[name][:, 0]
        fit = torch.tensor([0.0, 1.0], dtype=torch.float64,
                           requires_grad=True)
        solver = torch.optim.LBFGS([fit], max_iter=100)

        def loss(logit=logit, label=label, fit=fit, solver=solver):
            solver.zero_grad()
            value = torch.nn.functional.binary_cross_entropy_with_logits(
                fit[1] * logit.double() + fit[0], label.double())
            value.backward()
            return value

        solver.step(loss)
        offset, factor = (round(float(v), 4) for v in fit.detach())
        there = label > 0.5
        area = (logit[there][:, None] > logit[~there]).float().mean()
        stated = torch.sigmoid(factor * logit + offset).numpy()
        bins = np.array_split(np.argsort(stated), 5)
        off = max(abs(stated[rows].mean() - label.numpy()[rows].mean())
                  for rows in bins)
        metrics[name] = {'auc': round(float(area), 4),
                         'worst_bin': round(float(off), 4)}
        if name in SHOWN:
            found[name] = [offset, factor]
    return found, metrics


def describe(network, recipe, validation, *, presentations, n_galaxies,
             passes):
    """
    Make the model card of an encoder.
    """
    votes, metrics = calibrate(network, validation)
    return {
        'name': recipe.name, 'architecture': recipe.architecture,
        'description': recipe.description, 'recipe': recipe.to_dict(),
        'recipe_digest': recipe.digest, 'presentations': presentations,
        'data': (f'{n_galaxies} maps of galaxies simulated with '
                 "astro_pix2prof.simulation, survey 'mix', 128 pixels, with "
                 'more bars, rings, clumps, tides, tails, detached rings and '
                 'second nuclei than the local Universe; no real image. The '
                 'maps were made once, on the true ellipses with errors as '
                 'of a fit or on those of fits, and shown about '
                 f'{passes} times, by benchmarks.training.encoder'),
        'limits': ('galaxies with half-light radii above two FWHM; the '
                   'probabilities hold for simulated galaxies, were not '
                   'measured on real ones, and are for ordering there'),
        'votes': votes,
        'metrics': {'n': len(validation['image']), 'simulated': metrics}}


def main(args=None):
    """
    Make the maps, train and write the weights.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--maps', type=Path, required=True)
    parser.add_argument('--n-maps', type=int, default=36000)
    parser.add_argument('--fitted', type=int, default=6000,
                        help='maps on ellipses of fits')
    parser.add_argument('--passes', type=int, default=15)
    parser.add_argument('--start', help='weights to begin with')
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(args)
    recipe = read_recipe('encoder')
    make_files(args.maps, args.n_maps, recipe)
    make_fitted(args.maps / 'fitted', args.fitted)
    batches, validation = read_files(args.maps, args.maps / 'fitted')
    start = None if args.start is None else begin(args.start)
    network = train_on_maps(batches, args.passes, start=start)
    take_mean(network, validation)
    stretch(network, STRETCH)
    n = len(batches['image'])
    card = describe(network, recipe, validation, n_galaxies=n,
                    presentations=n * args.passes, passes=args.passes)
    write_weights(network, card, args.out)


if __name__ == '__main__':
    main()
