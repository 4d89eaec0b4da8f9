# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Calibrate the classes and probabilities of a clump network.

The marks of the network on simulated galaxies are measured as in use; a
logistic regression of their scores, brightness, place and width tells
whether a mark is a clump, another object or nothing.

    python -m benchmarks.training.clump_classes WEIGHTS --n 200 --seed 611
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table

from astro_pix2prof import Pix2ProfFitter, measure_detections
from astro_pix2prof.inference.clumps import class_features, measure_marks
from astro_pix2prof.networks.weights import load_network
from benchmarks.accuracy.clumps import CASES

# Strength with which coefficients are held at zero.
_RIDGE = 1.0

# The part of odd objects among those that volunteers marked in galaxies. The
# simulator's frames hold more stars and neighbours, which count by less.
_ODD = 0.28


def gather(weights, name, n, seed):
    """
    Measure the marks on galaxies of a set: features, classes, rows.

    The class is 0 for nothing, 1 for a clump and 2 for another object.
    """
    network, _ = load_network(weights)
    fitter = Pix2ProfFitter(device='cpu')
    features, classes, rows, n_bright = [], [], [], 0
    for image, _, truth, fwhm in CASES[name](n, seed):
        marks = measure_marks(fitter.fit(image), None, network)
        share = truth['share']
        share = np.asarray(share.filled(0) if hasattr(share, 'filled')
                           else share)
        snr = np.asarray(truth['snr'])
        own = np.asarray(truth['class']) == 'clump'
        n_bright += int((own & (snr > 8) & (share > 0.03)).sum())
        kind = np.zeros(len(marks), dtype=int)
        if marks:
            found = Table({'x': [row['x'] for row in marks],
                           'y': [row['y'] for row in marks]})
            for i, j in measure_detections(
                    found, truth, radius=fwhm, label=None).meta['pairs']:
                kind[j] = 1 if own[i] else 2
        features += [class_features(row) for row in marks]
        classes += kind.tolist()
        rows += [(row['snr'], row['share']) for row in marks]
    return (np.array(features), np.array(classes), np.array(rows),
            n_bright)


def odd_weight(classes):
    """
    Compute the weight of odd objects that gives them their usual part.
    """
    n, n_odd = ((classes == k).sum() for k in (1, 2))
    return _ODD / (1 - _ODD) * n / max(n_odd, 1)


def fit_classes(features, classes):
    """
    Fit the logistic regression: coefficients of clump and odd, (2, K).
    """
    x = torch.tensor(features, dtype=torch.float64)
    y = torch.tensor(classes)
    each = torch.tensor([1.0, 1.0, odd_weight(classes)], dtype=torch.float64)
    weight = torch.zeros(2, x.shape[1], dtype=torch.float64,
                         requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200,
                                  line_search_fn='strong_wolfe')

    def closure():
        optimiser.zero_grad()
        sums = torch.cat([x.new_zeros(len(x), 1), x @ weight.T], 1)
        loss = torch.nn.functional.cross_entropy(
            sums, y, weight=each, reduction='sum')
        loss = loss + 0.5 * _RIDGE * (weight[:, 1:]**2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return weight.detach().numpy()


def probabilities(weight, features):
    """
    Compute the probabilities of clump and odd: (N, 2).
    """
    grown = np.exp(np.clip(features @ weight.T, -30, 30))
    return grown / (1 + grown.sum(1, keepdims=True))


def choose_threshold(found, classes, rows):
    """
    Choose a threshold of probability, and tell how good it is.

    At it, the lower of completeness and purity of bright clumps is highest.
    """
    best = (0.0, 0.3)
    own, seen = found[:, 0] >= found[:, 1], found.sum(1)
    bright = (rows[:, 0] > 8) & (rows[:, 1] > 0.03)
    for threshold in np.arange(0.2, 0.81, 0.02):
        kept = own & (seen >= threshold)
        right = (classes == 1) & kept
        counts = np.where(classes == 2, odd_weight(classes), 1.0)
        purity = (right & bright).sum() / max(
            counts[kept & bright].sum(), 1e-9)
        # (of the marks)
        complete = (right & bright).sum() / max(
            (bright & (classes == 1)).sum(), 1)
        best = max(best, (min(purity, complete), float(threshold)))
    return best


def main():
    """
    Calibrate, and write the entries of the model card.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('weights')
    parser.add_argument('--n', type=int, default=200)
    parser.add_argument('--seed', type=int, default=611)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    features, classes, rows, n_bright = gather(
        args.weights, 'simulator', args.n, args.seed)
    weight = fit_classes(features, classes)
    found = probabilities(weight, features)
    value, threshold = choose_threshold(found, classes, rows)
    print(len(classes), np.bincount(classes), n_bright, value, threshold)
    args.out.write_text(json.dumps({
        'classes': np.round(weight, 4).tolist(),
        'threshold': round(threshold, 3)}) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
