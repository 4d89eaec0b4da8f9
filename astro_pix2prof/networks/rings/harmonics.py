# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Steps to better ellipses from the harmonics of the light along them.

On the right ellipse the light does not vary as the second harmonic of the
angle; what it does on another tells the step to the right one (Jedrzejewski
1987, MNRAS 226, 747). The pixels tell it better than a network can: a thin
ellipse must be right to a hundredth. But arms, bars and neighbours vary so,
too, and where those are the network has to say how far to go.
"""

import math
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.rings.layers import average_rings, log_shape

__all__ = ['HarmonicGate', 'harmonic_step']


# The longest step, in the logarithm of the axis ratio.
_LONGEST = 0.6


def harmonic_step(value, weight, radii, e, number, *, shrink=True):
    """
    Calculate the step of each ellipse that makes its light even.

    Parameters
    ----------
    value, weight : `torch.Tensor`, shape (B, K, T)
        Samples along the ellipses at equal steps of the angle of
        `~astro_pix2prof.networks.rings.sampling.ellipse_points`, and how
        much each counts.

    radii : `torch.Tensor`, shape (K,)
        Semi-major axes.

    e : `torch.Tensor`, shape (B, K, 2)
        The ellipses.

    number : `torch.Tensor`, shape (B, K)
        The number of independent samples of each ring.

    shrink : bool, optional
        Whether steps, and their errors, go to zero where the light does not
        decline by more than its noise. Otherwise their errors grow there,
        as those of steps that are to be drawn together with others have to.

    Returns
    -------
    step : `torch.Tensor`, shape (B, K, 2)
        In the logarithm of the axis ratio
        (`~astro_pix2prof.networks.rings.layers.log_shape`).

    error : `torch.Tensor`, shape (B, K)
        Of each component, from the scatter of the light along the ellipse.
    """
    n = value.shape[-1]
    # all harmonics at once, by least squares: rings have holes
    basis, products = _harmonics(n, value.device)
    norm = weight.sum(-1).clamp(min=1e-3)
    matrix = ((weight @ products) / norm[..., None]).unflatten(-1, (5, 5))
    matrix = matrix + 0.01 * torch.eye(5, device=value.device,
                                       dtype=value.dtype)
    mean = (weight * value).sum(-1) / norm
    away = value - mean[..., None]
    right = ((weight * away) @ basis) / norm[..., None]
    found = _solve(matrix, right)
    left = away - found @ basis.T
    scatter = ((weight * left.square()).sum(-1) / norm + 1e-8).sqrt()
    error = scatter * (2 / (number * norm / n).clamp(min=1)).sqrt()
    slope = _slope(mean, radii)
    # a slope of noise must not make a step
    doubt = _slope(error, radii, add=True).square() + error.square()
    even = slope / (slope.square() + doubt)
    size = (e.square().sum(-1) + 1e-8).sqrt()
    # (the axis of a circle is any)
    c, s = torch.where(size[..., None] > 1e-3, e / size[..., None],
                       torch.eye(2, device=e.device, dtype=e.dtype)[0]
                       ).unbind(-1)
    a, b = found[..., 3], found[..., 4]
    thin = -torch.log1p(-size.clamp(max=0.99))
    along, across = a * c + b * s, (b * c - a * s) * (thin / torch.sinh(thin))
    step = -2 * even[..., None] * torch.stack(
        [along * c - across * s, along * s + across * c], -1)
    long = (step.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    step = step * (_LONGEST * torch.tanh(long / _LONGEST) / long)
    error = (2 * even.abs() * error).clamp(min=1e-4)
    if shrink:
        return step, error
    doubt = doubt / (slope.square() + doubt)
    # (of a quotient, of which both parts have errors)
    error = error.square() + doubt * step.square().sum(-1)
    return step, (error.sqrt() / (1 - doubt).clamp(min=1e-3)).clamp(max=10)


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _harmonics(n, device):
    """
    Calculate harmonics at n angles, and the products of all pairs of them.

    Shapes (n, 5) and (n, 25).
    """
    t = torch.arange(n, device=device) * (2 * math.pi / n)
    basis = torch.stack([torch.ones_like(t), torch.cos(t), torch.sin(t),
                         torch.cos(2 * t), torch.sin(2 * t)], -1)
    return basis, (basis[:, :, None] * basis[:, None]).view(n, 25)


def _solve(matrix, right):
    """
    Solve for vectors, with positive definite matrices.
    """
    if matrix.device.type == 'cpu':
        return torch.cholesky_solve(
            right[..., None], torch.linalg.cholesky(matrix))[..., 0]
    # by elimination: a GPU would be asked whether all went well, which
    # takes long, and a CUDA graph cannot do
    work = torch.cat([matrix, right[..., None]], -1)
    unit = torch.eye(matrix.shape[-1], device=matrix.device,
                     dtype=matrix.dtype)
    for k in range(len(unit)):
        row = work[..., k:k + 1, :] / work[..., k:k + 1, k:k + 1]
        # (of its own row, all but the row that was divided goes)
        part = work[..., k:k + 1] - unit[:, k:k + 1]
        work = work - part * row
    return work[..., -1]


def _slope(mean, radii, *, add=False):
    """
    Calculate the change of means for a unit of the logarithm of the radius.

    Or of their errors, added in quadrature.
    """
    x = torch.log(radii.clamp(min=0.25))
    above, below = mean[:, 2:], mean[:, :-2]
    change = (above.square() + below.square()).sqrt() if add else (
        above - below)
    inner = change / (x[2:] - x[:-2])
    return torch.cat([inner[:, :1], inner, inner[:, -1:]], 1)


class HarmonicGate(nn.Module):
    """
    Share of the harmonic step that each ellipse takes.

    Parameters
    ----------
    n_in : int
        Features of each ring.

    hidden : int, optional
        Values of the layer between.
    """

    def __init__(self, n_in, hidden=32):
        super().__init__()
        self.into = nn.Linear(n_in + 7, hidden)
        self.out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, -2.0)

    def forward(self, features, own, step, error, e):
        """
        Return the step that is taken, between two that are offered.

        Parameters
        ----------
        features : `torch.Tensor`, shape (B, K, n_in)
            What is known of each ring.

        own : `torch.Tensor`, shape (B, K, 2)
            The step of the network.

        step : `torch.Tensor`, shape (B, K, 2)
            The step that makes the light even.

        error : `torch.Tensor`, shape (B, K)
            Of its components.

        e : `torch.Tensor`, shape (B, K, 2)
            The ellipses before it.

        Returns
        -------
        step : `torch.Tensor`, shape (B, K, 2)
        """
        long = (step.square().sum(-1) + 1e-10).sqrt()
        # one ring that goes where its neighbours do not follows an arm
        there = log_shape(e) + step
        near = average_rings(there, 5)
        alone = ((there - near).square().sum(-1) + 1e-10).sqrt()
        apart = ((step - own).square().sum(-1) + 1e-10).sqrt()
        seen = torch.stack([
            torch.log(long + 1e-3) / 4, torch.log(error) / 4,
            torch.asinh(long / error) / 4, torch.log(alone + 1e-3) / 4,
            torch.asinh(alone / error) / 4, torch.log(apart + 1e-3) / 4,
            torch.asinh(apart / error) / 4], -1)
        h = functional.silu(self.into(torch.cat([features, seen], -1)))
        return own + torch.sigmoid(self.out(h)) * (step - own)
