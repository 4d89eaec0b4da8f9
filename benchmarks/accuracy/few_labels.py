# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell galaxies with a ring from others, with 20 to 200 labels.

The galaxies are those of ``benchmarks/render/looks.py``, rendered with
GalSim: half of them have a planted ring, the others one of the other looks.
A head on the embeddings of the encoder learns from the labels, and an
encoder with the same settings learns from them from scratch. Both are
tested with other galaxies. The result goes to
``benchmarks/accuracy/few_labels.json``.

    python -m benchmarks.accuracy.few_labels build/few_labels
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from astro_pix2prof import (
    GalaxyCutout,
    Pix2ProfFitter,
    encode_fits,
    fine_tune,
)
from astro_pix2prof.networks.architectures import find_architecture
from astro_pix2prof.networks.encoder.maps import GalaxyMaps, make_maps
from astro_pix2prof.networks.weights import read_card

RESULT = Path(__file__).with_suffix('.json')

N_LABELS, N_TEST, N_PIX = (20, 50, 200), 200, 160
# No other script has this seed.
SEED = 83_000_000
# Training from scratch: passes, galaxies in a batch, and weights that are
# drawn anew.
EPOCHS, BATCH, DRAWS = 40, 32, 3


def render(folder, n):
    """
    Render galaxies, every other one with a ring; those that are not there.
    """
    from benchmarks.render.looks import LOOKS, render_look

    others = [look for look in LOOKS if look != 'ringed']
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for k in range(n):
        path = folder / f'galaxy_{k:04d}.npz'
        if not path.exists():
            look = 'ringed' if k % 2 else others[k // 2 % len(others)]
            image, known = render_look(SEED + k, look=look, n_pix=N_PIX)
            np.savez(path, image=image, look=look,
                     pixel_scale=known['pixel_scale'])
        with np.load(path) as file:
            found.append({key: file[key][()] for key in file.files})
    return found


def measure(galaxies):
    """
    Fit galaxies: their embeddings, and their maps for a new encoder.
    """
    fitter = Pix2ProfFitter(device='cpu')
    config = find_architecture('encoder').config_class.from_dict(
        read_card('encoder')['config'])
    fits, maps = [], []
    for galaxy in galaxies:
        fit = fitter.fit(GalaxyCutout(
            galaxy['image'], unit='nmgy',
            pixel_scale=float(galaxy['pixel_scale'])))
        fits.append(fit)
        theta = 2 * np.radians(fit.theta)
        maps.append(make_maps(
            fit.subtracted(), ~fit.mask, fit.profile.meta['noise'],
            fit.centre, fit.sma, fit.eps * np.cos(theta),
            fit.eps * np.sin(theta), fit.intensity, config))
    return encode_fits(fits), maps, config


def from_scratch(maps, labels, train, test, config, seed):
    """
    Train an encoder from scratch, and return the logits of the test.
    """
    torch.manual_seed(seed)
    network = find_architecture('encoder').network_class(config)
    head = torch.nn.Linear(config.size, 1)
    optimiser = torch.optim.AdamW(
        [*network.parameters(), *head.parameters()], lr=1e-3,
        weight_decay=1e-2)
    stacked = GalaxyMaps.stack(maps[k] for k in train)
    target = torch.tensor(labels[train], dtype=torch.float32)
    network.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train)).split(BATCH):
            logit = head(8 * network(GalaxyMaps(
                stacked.image[rows], stacked.rings[rows])))[:, 0]
            loss = functional.binary_cross_entropy_with_logits(
                logit, target[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        return head(8 * network(GalaxyMaps.stack(
            maps[k] for k in test)))[:, 0].numpy()


def compare(table, maps, labels, train, test, config, path):
    """
    Learn from labels, with the embeddings and from scratch, and test both.
    """
    tuning = fine_tune('encoder', table[train], labels=labels[train],
                       out=path, overwrite=True)
    p = tuning.head.predict(table[test])['p_label']
    scratch = [roc_auc_score(labels[test], from_scratch(
        maps, labels, train, test, config, seed)) for seed in range(DRAWS)]
    return {
        'train': len(train), 'test': len(test),
        'auc': round(float(roc_auc_score(labels[test], p)), 4),
        'auc_cross_validated': round(float(tuning.table['auc'][0]), 4),
        'auc_from_scratch': [round(float(v), 4) for v in scratch],
        'probability_of_rings': round(float(p[labels[test]].mean()), 4),
        'probability_of_others': round(float(p[~labels[test]].mean()), 4)}


def main(args=None):
    """
    Render, measure, learn, test and write.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--labels', type=int, nargs='+', default=N_LABELS,
                        help='numbers of labelled galaxies')
    parser.add_argument('--test', type=int, default=N_TEST)
    args = parser.parse_args(args)
    torch.set_num_threads(1)
    most = max(args.labels)
    galaxies = render(args.folder, most + args.test)
    table, maps, config = measure(galaxies)
    labels = np.array([str(galaxy['look']) == 'ringed'
                       for galaxy in galaxies])
    there = np.isfinite(table['embedding']).all(1)
    rows = np.arange(len(galaxies))
    result = {'encoder_sha256': table.meta['encoder_sha256'], 'rows': [
        compare(table, maps, labels, rows[:n][there[:n]],
                rows[most:][there[most:]], config,
                args.folder / 'ring.safetensors') for n in args.labels]}
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
