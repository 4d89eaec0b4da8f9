# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the distance of an image from those of the training.
"""

import torch
from torch import nn

__all__ = ['Domain', 'summarise_rings']


# Variances below this part of the mean one carry no information.
_LEAST = 1e-3


def summarise_rings(features, snr):
    """
    Summarise the features of the rings in a vector of fixed length.

    Parameters
    ----------
    features : `torch.Tensor`, shape (B, K, F)
        Features of each ring.

    snr : `torch.Tensor`, shape (B, K)
        Signal-to-noise ratios.

    Returns
    -------
    summary : `torch.Tensor`, shape (B, 3 F)
        Means over bright rings, the scatter there, and means over the
        others.
    """
    bright = ((snr - 1) / 4).clamp(0.01, 1)[..., None]
    norm = bright.sum(1)
    mean = (bright * features).sum(1) / norm
    scatter = ((bright * (features - mean[:, None])**2).sum(1)
               / norm + 1e-6).sqrt()
    rest = 1.01 - bright
    other = (rest * features).sum(1) / rest.sum(1)
    return torch.cat([mean, scatter, other], 1)


class Domain(nn.Module):
    """
    Mahalanobis distance of summaries from those of known images.

    As in Lee et al. 2018 (NeurIPS 31), for one class. In units of the
    distance that 1% of the known images exceed.

    Parameters
    ----------
    n : int
        The length of a summary.
    """

    def __init__(self, n):
        super().__init__()
        self.register_buffer('mean', torch.zeros(n))
        # zeros: nothing is known, and nothing is far from it
        self.register_buffer('whiten', torch.zeros(n, n))

    def forward(self, summary):
        """
        Compute distances, shape (B,); above 1 an image is not of the domain.
        """
        white = (summary - self.mean) @ self.whiten
        return white.square().sum(1).sqrt()

    @torch.no_grad()
    def fit(self, summary, *, share=0.01):
        """
        Fit mean, shape and limit to the summaries of known images.

        Parameters
        ----------
        summary : `torch.Tensor`, shape (N, n)
            The summaries of known images, more than twice n.

        share : float, optional
            The share of the known images that will be above 1.

        Raises
        ------
        ValueError
            If there are too few.
        """
        n = len(self.mean)
        if len(summary) < 2 * n:
            msg = (f'summary must hold at least {2 * n} images, got '
                   f'{len(summary)}')
            raise ValueError(msg)
        # The first half tells the shape, the other half the limit: that of
        # the first would be too low.
        first, other = summary[::2].double(), summary[1::2].double()
        mean = first.mean(0)
        size = first.std(0).clamp(min=1e-6)
        values, vectors = torch.linalg.eigh(
            torch.cov(((first - mean) / size).T))
        values = values.clamp(min=_LEAST * float(values.mean()))
        whiten = (vectors / values.sqrt()) / size[:, None]
        distance = ((other - mean) @ whiten).square().sum(1).sqrt()
        limit = torch.quantile(distance, 1 - share)
        self.mean.copy_(mean)
        self.whiten.copy_(whiten / limit)
