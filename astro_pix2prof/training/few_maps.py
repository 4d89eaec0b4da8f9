# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Encoders that learn from some hundreds of labelled galaxies.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from astro_pix2prof.networks.encoder.maps import GalaxyMaps
from astro_pix2prof.training.few_labels import (
    FittedHead,
    choose_factor,
    figures_of,
    fit_head,
    fit_linear,
)
from astro_pix2prof.training.gains import mean_of
from astro_pix2prof.training.label_folds import counts_of, label_folds

__all__ = ['ENCODER_PARTS', 'TunedEncoder', 'check_encoder_counts',
           'tune_encoder']


#: Parts of an encoder that may learn, the last ones first.
ENCODER_PARTS = {
    'last': ('along', 'norms', 'out'),
    'all': ('stem', 'add', 'norm', 'block', 'mix', 'profile', 'along',
            'norms', 'out')}

# The fewest labelled galaxies.
_LEAST = 100

# Passes, galaxies in a batch, and the folds of the cross-validation.
_EPOCHS, _BATCH, _FOLDS = 16, 32, 5

# Learning rates of the encoder and of the head, and the decay of the average
# of the weights.
_RATE, _RATE_HEAD, _AVERAGE = 3e-4, 1e-2, 0.95

# The share of a Gaussian within one standard deviation.
_ONE_SIGMA = 0.6827


@dataclass
class TunedEncoder:
    """
    Encoder and head that learned together.

    Attributes
    ----------
    network : `~astro_pix2prof.networks.encoder.network.Encoder`
        The encoder; that of the start if held-out galaxies did not become
        better.

    head : `FittedHead`
        The head of its embeddings.

    improved : bool
        Whether held-out galaxies became better than with a head alone.

    epochs : int
        Passes over the galaxies, 0 for the encoder of the start.

    curve : list of tuple
        Passes, and the loss of held-out galaxies.
    """

    network: torch.nn.Module
    head: FittedHead
    improved: bool
    epochs: int
    curve: list = field(default_factory=list)


def tune_encoder(network, maps, embedding, labels, *, kind='classes',
                 unfreeze='all', seed=0, groups=None, progress=None):
    """
    Train an encoder and a head with labels.

    Each galaxy is held out once: the number of passes, and whether the
    encoder is worth while at all, follow from galaxies that it did not
    know. Then both learn from all galaxies.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.encoder.network.Encoder`
        The encoder to begin with; it is not changed.

    maps : `~astro_pix2prof.networks.encoder.maps.GalaxyMaps`
        Maps of n galaxies.

    embedding : 2D `~numpy.ndarray`, shape (n, d)
        Their embeddings by this encoder.

    labels : 1D `~numpy.ndarray`, shape (n,)
        As for `~astro_pix2prof.training.few_labels.fit_head`.

    kind : {'classes', 'numbers'}, optional
        The kind of the labels.

    unfreeze : {'all', 'last'}, optional
        Parts of the encoder that learn: all, or those after the maps were
        read.

    seed : int, optional
        The seed of the folds, of the order and of what is dropped.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        As for `~astro_pix2prof.training.few_labels.fit_head`.

    progress : callable, optional
        Called with the number of trainings that were done and that of all.

    Returns
    -------
    tuned : `TunedEncoder`

    Raises
    ------
    ValueError
        If there are too few labels, or all are of one class.
    """
    check_encoder_counts(labels, groups)
    frozen = fit_head(embedding, labels, kind=kind, seed=seed, groups=groups)
    if kind == 'classes':
        target, middle, size = np.unique(
            labels, return_inverse=True)[1], 0.0, 1.0
    else:
        values = np.asarray(labels, dtype=float)
        middle, size = values.mean(), values.std()
        target = (values - middle) / size
    training = _Training(network, maps, embedding, target, kind, unfreeze,
                         frozen.metrics['strength'])
    found = None
    folds = _folds(target, kind, seed, groups)
    for k, (train, test) in enumerate(folds):
        out = training.run(train, test, _EPOCHS, seed + k)[2]
        if found is None:
            found = np.zeros((len(out), len(target), out.shape[2]))
        found[:, test] = out
        if progress is not None:
            progress(k + 1, len(folds) + 1)
    losses = np.array([_held_out_losses(out, target, kind) for out in found])
    best = int(losses.mean(1).argmin())
    gain, error = mean_of(losses[0] - losses[best], groups)
    # (not better by chance)
    improved = gain > error
    curve = list(enumerate(losses.mean(1).tolist()))
    if not improved:
        return TunedEncoder(network, frozen, False, 0, curve)
    tuned, linear, _ = training.run(np.arange(len(target)), None, best, seed)
    if progress is not None:
        progress(len(folds) + 1, len(folds) + 1)
    head = _head_of(linear, found[best], target, kind, frozen, middle, size,
                    groups)
    return TunedEncoder(tuned, head, True, best, curve)


def check_encoder_counts(labels, groups=None):
    """
    Check that there are labelled galaxies enough for an encoder to learn.

    Parameters
    ----------
    labels : 1D `~numpy.ndarray`, shape (n,)
        The labels.

    groups : 1D `~numpy.ndarray`, shape (n,), optional
        What rows of one galaxy have in common.

    Raises
    ------
    ValueError
        If there are fewer than 100.
    """
    n_galaxies = len(labels if groups is None else np.unique(groups))
    if n_galaxies < _LEAST:
        msg = (f'labels: an encoder that learns needs {_LEAST} labelled '
               f'galaxies at least, got {n_galaxies}; 200 or more are '
               'better, and a head alone needs fewer')
        raise ValueError(msg)


def _folds(target, kind, seed, groups):
    if kind == 'classes':
        return label_folds(
            target, min(_FOLDS, counts_of(target, groups).min()), seed,
            stratified=True, groups=groups)
    return label_folds(target, _FOLDS, seed, stratified=False, groups=groups)


class _Training:
    """
    Trainings of an encoder with parts of the labelled galaxies.
    """

    def __init__(self, network, maps, embedding, target, kind, unfreeze,
                 strength):
        self.network, self.maps, self.target = network, maps, target
        self.embedding, self.kind = embedding, kind
        self.unfreeze, self.strength = unfreeze, strength

    def run(self, train, test, epochs, seed):
        """
        Train with some galaxies.

        Returns
        -------
        network, linear : `torch.nn.Module`
            Their averages over the last steps.

        out : 3D `~numpy.ndarray`, shape (epochs + 1, n, k) or `None`
            Logits or numbers of the galaxies to test, after each pass.
        """
        pair = torch.nn.ModuleList([copy.deepcopy(self.network),
                                    self._start(train)])
        pair.requires_grad_(False)
        groups = [{'params': self._unfrozen(pair[0]), 'lr': _RATE},
                  {'params': list(pair[1].parameters()), 'lr': _RATE_HEAD}]
        for group in groups:
            for value in group['params']:
                value.requires_grad_(True)
        average = copy.deepcopy(pair).eval()
        optimiser = torch.optim.AdamW(groups, weight_decay=1e-2)
        out = [] if test is None else [self._read(average, test)]
        step = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for _ in range(epochs):
                pair.train()
                for rows in torch.randperm(len(train)).split(_BATCH):
                    step += 1
                    optimiser.zero_grad()
                    self._loss(pair, train[rows.numpy()]).mean().backward()
                    optimiser.step()
                    _follow(average, pair, min(_AVERAGE,
                                               (1 + step) / (10 + step)))
                if test is not None:
                    out.append(self._read(average, test))
        return average[0], average[1], np.array(out) if out else None

    def _start(self, train):
        """
        Make the head that the embeddings of the start give.
        """
        weight, bias = fit_linear(
            self.embedding[train], self.target[train], kind=self.kind,
            strength=self.strength)
        # (random weights would take from the user's random numbers)
        linear = torch.nn.utils.skip_init(torch.nn.Linear, weight.shape[1],
                                          len(weight))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        return linear

    def _unfrozen(self, network):
        return [value for name in ENCODER_PARTS[self.unfreeze]
                for value in getattr(network, name).parameters()]

    def _outputs(self, pair, rows):
        """
        Compute logits of all classes, or numbers: (B, k).
        """
        found = pair[1](pair[0](GalaxyMaps(self.maps.image[rows],
                                           self.maps.rings[rows])))
        if self.kind == 'classes' and found.shape[1] == 1:
            found = functional.pad(found, (1, 0))
        return found

    def _loss(self, pair, rows):
        found = self._outputs(pair, rows)
        if self.kind == 'classes':
            return functional.cross_entropy(
                found, torch.as_tensor(self.target[rows]), reduction='none')
        return (found[:, 0] - torch.as_tensor(
            self.target[rows], dtype=found.dtype))**2

    def _read(self, pair, rows):
        with torch.inference_mode():
            return torch.cat([self._outputs(pair, part) for part in
                              torch.as_tensor(rows).split(256)]
                             ).double().numpy()


def _follow(average, pair, decay):
    """
    Move averaged weights towards those of a step.
    """
    with torch.no_grad():
        for mean, value in zip(average.parameters(), pair.parameters(),
                               strict=True):
            mean.lerp_(value, 1 - decay)


def _log_softmax(logits):
    high = logits.max(-1, keepdims=True)
    return logits - high - np.log(np.exp(logits - high).sum(
        -1, keepdims=True))


def _held_out_losses(out, target, kind):
    """
    Compute the loss of each held-out galaxy, with calibrated probabilities.
    """
    if kind == 'numbers':
        return (out[:, 0] - target)**2
    factor = choose_factor(out[None], target)
    return -_log_softmax(factor * out)[np.arange(len(target)), target]


def _head_of(linear, out, target, kind, frozen, middle, size, groups):
    """
    Make the head of a tuned encoder, with what held-out galaxies tell.
    """
    weight = linear.weight.detach().double().numpy()
    bias = linear.bias.detach().double().numpy()
    n = weight.shape[1]
    metrics = {'validation': f'{_FOLDS} folds, each with an encoder of its '
                             'own', 'strength': frozen.metrics['strength']}
    if kind == 'classes':
        factor = choose_factor(out[None], target)
        held = np.exp(_log_softmax(factor * out))
        metrics |= {'factor': float(factor), **figures_of(held, target,
                                                           groups)}
        weight, bias = factor * weight, factor * bias
    else:
        held = middle + size * out[:, 0]
        off = np.abs(size * (out[:, 0] - target))
        explained, error = mean_of(target**2 - (out[:, 0] - target)**2,
                                   groups)
        metrics |= {
            'explained': explained, 'explained_err': error,
            'median_error': float(np.median(off)),
            'error': float(np.quantile(off, _ONE_SIGMA))}
        weight, bias = size * weight, middle + size * bias
    return FittedHead(np.zeros(n), np.ones(n), weight, bias, frozen.classes,
                      metrics, held)
