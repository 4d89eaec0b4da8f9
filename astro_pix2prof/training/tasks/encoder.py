# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train encoders on what is seen in simulated galaxies.
"""

import math

import numpy as np
import torch
from torch.nn import functional

from astro_pix2prof.networks.encoder.maps import GalaxyMaps, make_maps
from astro_pix2prof.networks.encoder.network import HEADS

__all__ = ['EncoderTask']


# Errors of the fits that the maps are made with: of the centre (pixels, and
# part of the half-light radius), of the components of the ellipticity, of
# the profile (part), of the sky and of the noise (parts of the noise).
_CENTRE, _SHAPE, _LIGHT, _SKY, _NOISE = (0.2, 0.01), 0.03, 0.04, 0.1, 0.03

# Noise is added to so many images, up to so many times what they have.
_NOISIER, _MOST = 0.4, 2.5

# Weight of the neighbours beside that of the questions; squared difference
# of labels that makes galaxies unlike; the cosine that makes embeddings so.
_NEIGHBOURS, _UNLIKE, _COSINE = 1.5, 0.4, 0.1

# Weights of questions about what is rare in surveys, where it is not 1.
_RARE = {'tides': 3.0, 'ring': 2.0, 'merger': 2.0}

# Squared differences of labels between galaxies with a feature and without,
# where it is not 1: a rare feature tells more than the type of its host.
_TELLING = {'type': 0.8, 'bar': 1.5, 'ring': 2.5, 'tides': 3.0, 'arms': 0.6,
            'merger': 2.0}

# The spread of the numbers, by which their errors are divided.
_SPREAD = {'pitch': 0.12, 'lopsided': 0.06}


class EncoderTask:
    """
    Training task of encoders: what is seen, and who are alike.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.encoder.config.EncoderConfig`
        The settings of the network.
    """

    # simulated galaxies come with labels
    labelled = True

    def __init__(self, recipe, config):
        self.recipe = recipe
        self.config = config

    def batch(self, views, generator):
        """
        Make maps of galaxies as a fitter would, and labels.

        Parameters
        ----------
        views : `Views`
            The galaxies.

        generator : `torch.Generator`
            The source of random numbers.

        Returns
        -------
        batch : dict of `torch.Tensor`
        """
        if views.labels is None:
            msg = ('data.source: the encoder needs labels of the galaxies, '
                   "which only 'simulation' has")
            raise ValueError(msg)
        maps, rows = [], []
        for k in range(len(views.image)):
            part = self._maps(views, k, generator)
            if part is not None:
                maps.append(part)
                rows.append(k)
        if not maps:
            msg = 'data: no galaxy of a batch has a half-light radius'
            raise ValueError(msg)
        maps = GalaxyMaps.stack(maps)
        return {'image': maps.image, 'rings': maps.rings,
                **{name: value[rows] for name, value in
                   views.labels.items()}}

    def _maps(self, views, k, generator):
        """
        Make the maps of a galaxy with the errors of a fit.
        """
        def normal(*size):
            return torch.randn(*size, generator=generator).double().numpy()

        u = torch.rand(3, generator=generator).tolist()
        sigma = float(views.sigma[k])
        sma = views.sma.double().numpy()
        light = views.intensity[k].double().numpy()
        end = float(views.end[k])
        image = views.image[k].double().numpy()
        if u[0] < _NOISIER:
            more = _MOST * u[1]
            image = image + more * sigma * normal(*image.shape)
            total = math.hypot(1, more)
            # where the signal-to-noise ratio is as low as at the end
            noise = views.ring_noise[k].double().numpy()
            lost = (light < total * noise) & (sma > sma[np.argmax(
                light / noise)])
            end = min(end, sma[lost].min(initial=end))
            sigma *= total
        known = sma <= max(end * (0.85 + 0.2 * u[2]), 4.0)
        sma, light = sma[known], light[known]
        log = np.log(sma + 2)
        log = (log - log.mean()) / max(np.ptp(log), 0.1)
        shape = _SHAPE * normal(2, 2)
        e1, e2 = (part[k].double().numpy()[known] + a + b * log
                  for part, (a, b) in zip((views.e1, views.e2), shape,
                                          strict=True))
        size = np.hypot(e1, e2)
        less = np.minimum(1, 0.94 / np.maximum(size, 1e-6))
        wrong = normal(4)
        scale = 0.3 * sma[-1]
        centre = views.centre[k].double().numpy() + wrong[:2] * (
            _CENTRE[0] + _CENTRE[1] * scale)
        sky = _SKY * sigma * wrong[2]
        light = light * np.exp(_LIGHT * normal(len(sma))) - sky
        return make_maps(
            np.nan_to_num(image) - sky,
            ~views.mask[k].numpy() & np.isfinite(image),
            sigma * math.exp(_NOISE * wrong[3]), tuple(centre), sma,
            less * e1, less * e2, light, self.config)

    def loss(self, network, batch, generator):
        """
        Compute the loss of the questions and of the neighbours.
        """
        embedding = network(GalaxyMaps(batch['image'], batch['rings']))
        parts = self._questions(network, batch, embedding)
        near = self._neighbours(batch, embedding)
        total = _NEIGHBOURS * near + sum(
            _RARE.get(name, 1.0) * value.mean()
            for name, value in parts.items())
        return total, {'train_near': near, **{
            f'train_{name}': value.mean() for name, value in parts.items()}}

    def _questions(self, network, batch, embedding):
        """
        Compute how unlikely the labels are by the answers: (B,) each.
        """
        votes = network.votes(embedding)
        parts = {}
        for name in HEADS:
            vote, label = votes[name], batch[name]
            if name == 'type':
                parts[name] = functional.cross_entropy(vote, label,
                                                       reduction='none')
            elif name in _SPREAD:
                known = torch.isfinite(label)
                off = (vote[:, 0] - label.nan_to_num()) / _SPREAD[name]
                parts[name] = 0.2 * known * functional.smooth_l1_loss(
                    off, torch.zeros_like(off), reduction='none')
            else:
                parts[name] = functional.binary_cross_entropy_with_logits(
                    vote[:, 0], label, reduction='none')
        return parts

    def _neighbours(self, batch, embedding):
        """
        Compute how far the neighbours are from those with like labels.
        """
        # (two elements differ between types)
        labels = [functional.one_hot(batch['type'], HEADS['type']).float()
                  * math.sqrt(0.5 * _TELLING['type'])]
        labels += [batch[name][:, None] * math.sqrt(_TELLING.get(name, 1.0))
                   for name in HEADS
                   if name != 'type' and name not in _SPREAD]
        labels = torch.cat(labels, 1)
        self_ = torch.eye(len(labels), dtype=torch.bool,
                          device=labels.device)
        unlike = torch.cdist(labels, labels)**2 / _UNLIKE
        wanted = torch.softmax(-unlike.masked_fill(self_, 1e4), 1)
        cosine = embedding @ embedding.T / _COSINE
        found = torch.log_softmax(cosine.masked_fill(self_, -1e4), 1)
        return -(wanted * found.masked_fill(self_, 0)).sum(1).mean()

    def errors(self, network, batch):
        """
        Compute the loss of the questions for each galaxy, shape (B,).
        """
        embedding = network(GalaxyMaps(batch['image'], batch['rings']))
        return sum(self._questions(network, batch, embedding).values())
