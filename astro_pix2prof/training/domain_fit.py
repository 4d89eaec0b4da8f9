# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fit the domain of a ring network to simulated images.
"""

import torch

from astro_pix2prof.simulation import GalaxySimulator

__all__ = ['fit_domain', 'simulated_summaries']

# Another branch of the seeds than training, validation and errors use.
_SEED = 9_000_000_000

# Images that are simulated and read at once.
_BLOCK = 64


@torch.inference_mode()
def simulated_summaries(network, *, survey='mix', n_pix=(128, 256),
                        n_images=2048, seed=0):
    """
    Compute the summaries that a network makes of simulated galaxies.

    As in use, the first guess of the centre is poor, the noise is known to
    a few per cent, the error of the sky is told, and every other image is
    part of a smaller frame.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The network.

    survey : str, optional
        The instruments that the simulator draws.

    n_pix : sequence of int, optional
        The sides of the images, in equal parts.

    n_images, seed : int, optional
        Number of images; their seed.

    Returns
    -------
    summary : `torch.Tensor`, shape (n_images, n)
        In random order.
    """
    generator = torch.Generator().manual_seed(_SEED + seed)
    device = next(network.parameters()).device
    found = []
    for number in range(-(-n_images // _BLOCK)):
        side = n_pix[number % len(n_pix)]
        galaxies = GalaxySimulator(survey, n_pix=side).simulate(
            _BLOCK, seed=_SEED + seed + number)
        u = torch.randn(3, _BLOCK, generator=generator)
        sigma = galaxies.sigma * torch.exp(0.03 * u[0])
        good = ~galaxies.mask
        cut = (torch.rand(4, _BLOCK // 2, generator=generator) ** 2
               * 0.2 * side).long()
        for row, (left, right, low, high) in enumerate(cut.T.tolist()):
            good[row, :low] = False
            good[row, side - high:] = False
            good[row, :, :left] = False
            good[row, :, side - right:] = False
        start = galaxies.centre + 0.02 * side * u[1:].T
        image = torch.nan_to_num(galaxies.image) / sigma[:, None, None]
        told = galaxies.sky_prior_error / sigma
        found.append(network(
            image.to(device), good.to(device), start.to(device),
            sky_error=told.to(device)).summary.cpu())
    found = torch.cat(found)
    order = torch.randperm(len(found), generator=generator)
    return found[order][:n_images]


def fit_domain(network, *, survey='mix', n_pix=(128, 256), n_images=4096):
    """
    Fit the domain of a network to images like those of its training.

    Parameters
    ----------
    network : `~astro_pix2prof.networks.rings.network.RingNetwork`
        The network; its ``domain`` is set.

    survey : str, optional
        The instruments that the simulator draws.

    n_pix : sequence of int, optional
        The sides of the images.

    n_images : int, optional
        Number of images.

    Returns
    -------
    entry : dict
        For the model card: 'n_images', 'share' (above the limit).
    """
    summary = simulated_summaries(network, survey=survey, n_pix=n_pix,
                                  n_images=n_images)
    network.domain.fit(summary)
    return {'domain': {'n_images': len(summary), 'share': 0.01,
                       'data': 'images of the training simulator, with '
                               'seeds of their own'}}
