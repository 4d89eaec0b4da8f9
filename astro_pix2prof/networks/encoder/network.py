# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Network that turns maps of galaxies on their ellipses to embeddings.

Convolutions are circular in angle. The power of the Fourier orders over the
angle does not change when a map is turned; the sum of that of a map and of
its mirror image does not change when it is reflected.
"""

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.encoder.config import EncoderConfig
from astro_pix2prof.networks.encoder.maps import (
    N_CHANNELS,
    N_RING_FEATURES,
)

__all__ = ['HEADS', 'Encoder']


# The questions that an embedding answers, and the number of values: types
# are chosen between, sizes (pitch in radians, lopsidedness) are numbers, and
# the others are there or not.
HEADS = {'type': 5, 'bar': 1, 'arms': 1, 'ring': 1, 'clumps': 1, 'tides': 1,
         'dust': 1, 'merger': 1, 'pitch': 1, 'lopsided': 1}

# Logits are so many times the products of embeddings, which have unit
# length, and weights.
_SCALE = 8.0


class _Block(nn.Module):
    """
    Convolutions of a map, circular in angle, of which the second adds.
    """

    def __init__(self, n_in, n_out):
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3)
        self.second = nn.Conv2d(n_out, n_out, 3)
        self.norm = nn.GroupNorm(4, n_out)

    def forward(self, x):
        """
        Convolve maps, around the circle of angles.
        """
        x = functional.silu(self.first(_wrap(x)))
        return x + functional.silu(self.norm(self.second(_wrap(x))))


def _wrap(x, radial=1, around=1):
    """
    Continue maps: the ends in radius, around in angle.
    """
    x = functional.pad(x, (around, around, 0, 0), mode='circular')
    return functional.pad(x, (0, 0, radial, radial), mode='replicate')


class Encoder(nn.Module):
    """
    Network from maps of galaxies to embeddings.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.encoder.config.EncoderConfig`, optional
        The settings.
    """

    def __init__(self, config=None):
        super().__init__()
        self.config = config = config or EncoderConfig()
        c, h = config.channels, config.hidden
        self.stem = nn.Conv2d(N_CHANNELS, c, (3, 5), stride=(1, 2))
        self.add = nn.Conv2d(c, c, 3)
        self.norm = nn.GroupNorm(4, c)
        self.block = _Block(c, 3 * c)
        self.mix = nn.Linear((config.orders + 2) * 3 * c, h)
        self.profile = nn.Sequential(
            nn.Conv1d(N_RING_FEATURES, h, 5, padding=2, stride=2),
            nn.SiLU())
        self.along = nn.ModuleList([
            nn.Conv1d(2 * h, h, 3, padding=1),
            nn.Conv1d(h, h, 3, padding=1, stride=2)])
        self.norms = nn.ModuleList([nn.GroupNorm(4, h) for _ in range(2)])
        self.drop = nn.Dropout(0.25)
        n = config.n_radius // 4 * h
        self.out = nn.Sequential(nn.Linear(n, 2 * h), nn.SiLU(),
                                 nn.Linear(2 * h, config.size))
        self.heads = nn.Linear(config.size, sum(HEADS.values()))
        # the mean of galaxies, which is taken away after the training, and a
        # matrix that stretches directions which tell more than others
        self.register_buffer('centre', torch.zeros(config.size))
        self.register_buffer('stretch', torch.eye(config.size))

    def forward(self, maps):
        """
        Encode galaxies.

        Parameters
        ----------
        maps : `~astro_pix2prof.networks.encoder.maps.GalaxyMaps`
            Maps of B galaxies.

        Returns
        -------
        embedding : `torch.Tensor`, shape (B, size)
            Of unit length.
        """
        image = maps.image
        if self.training:
            # (one of both, drawn, teaches what their mean does)
            flip = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
            features = self._around(torch.where(flip, _mirror(image), image))
        else:
            features = 0.5 * (self._around(image)
                              + self._around(_mirror(image)))
        x = torch.cat([self.mix(features).transpose(1, 2),
                       self.profile(maps.rings)], 1)
        for layer, norm in zip(self.along, self.norms, strict=True):
            x = functional.silu(norm(layer(x)))
        x = self.out(self.drop(x.flatten(1)))
        x = functional.normalize(x, dim=1)
        x = functional.normalize(x - self.centre, dim=1)
        return functional.normalize(x @ self.stretch, dim=1)

    def _around(self, image):
        """
        Take what the rings of maps hold, whatever their turn: (B, K, F).
        """
        # (the layout that convolutions on processors prefer)
        image = image.contiguous(memory_format=torch.channels_last)
        x = functional.silu(self.stem(_wrap(image, around=2)))
        x = x + functional.silu(self.norm(self.add(_wrap(x))))
        x = self.block(functional.avg_pool2d(x, 2))
        waves = torch.fft.rfft(x, dim=-1, norm='forward')
        waves = waves[..., :self.config.orders + 1]
        power = torch.sqrt(waves.real**2 + waves.imag**2 + 1e-6)
        # the mean has a sign
        power = torch.cat([waves.real[..., :1], power[..., 1:],
                           x.amax(-1, keepdim=True)], -1)
        return power.permute(0, 2, 1, 3).flatten(2)

    def votes(self, embedding):
        """
        Answer the questions that the encoder learned from.

        Parameters
        ----------
        embedding : `torch.Tensor`, shape (B, size)
            Embeddings.

        Returns
        -------
        votes : dict of `torch.Tensor`, shape (B, n)
            By the names of ``HEADS``, logits of 'type' and of what is there
            or not, and numbers.
        """
        # the vector of unit length before it was stretched and the mean was
        # taken away
        embedding = functional.normalize(torch.linalg.solve(
            self.stretch, embedding, left=False), dim=1)
        along = embedding @ self.centre
        more = 1 - self.centre.square().sum()
        length = torch.sqrt(along**2 + more) - along
        values = self.heads(_SCALE * (
            self.centre + length[:, None] * embedding))
        return dict(zip(HEADS, values.split(list(HEADS.values()), 1),
                        strict=True))


def _mirror(image):
    """
    Reflect maps: the angle p becomes -p.
    """
    return torch.roll(image.flip(-1), 1, -1)
