# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cut stamps around marks, in units of the PSF, and look at them.
"""

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.clumps.rings import signed_log

__all__ = ['SIDE', 'STAMP_CHANNELS', 'StampNetwork', 'cut_stamps',
           'turn_stamps']


# Points along a side of a stamp, and their distance in FWHM; its channels.
SIDE, _SPACING = 17, 0.3
STAMP_CHANNELS = 4

# Numbers that are told of a stamp.
SEEN = 32


def cut_stamps(maps, places, peak, fwhm):
    """
    Cut stamps around marks: the same number of points for each PSF.

    Parameters
    ----------
    maps : `~astro_pix2prof.networks.clumps.GalaxyMaps`
        The maps of one galaxy.

    places : `torch.Tensor`, shape (N, 2)
        x and y of the marks in pixels.

    peak : `torch.Tensor`, shape (N,)
        The light of a pixel at the peak of each, by which it is divided.

    fwhm : float
        That of the PSF in pixels.

    Returns
    -------
    stamps : `torch.Tensor`, shape (N, 4, 17, 17)
        The residual relative to its peak and to the noise, the model
        relative to the peak, and good pixels.
    """
    h, w = maps.residual.shape[1:]
    step = (torch.arange(SIDE) - SIDE // 2) * (_SPACING * fwhm)
    x = (places[:, :1] + step) * (2 / (w - 1)) - 1
    y = (places[:, 1:] + step) * (2 / (h - 1)) - 1
    n = len(places)
    grid = torch.stack([x[:, None].expand(n, SIDE, SIDE),
                        y[:, :, None].expand(n, SIDE, SIDE)], -1)
    scale = maps.correlation[:, None, None]
    good = maps.channels[:, -1]
    planes = torch.cat([
        maps.residual, maps.residual / maps.variance.sqrt() / scale,
        maps.model, good])
    found = functional.grid_sample(
        planes[None].expand(n, -1, -1, -1), grid, mode='bilinear',
        padding_mode='zeros', align_corners=True)
    peak = peak.clamp(min=1e-3)[:, None, None]
    return torch.stack([
        (found[:, 0] / peak).clamp(-1, 2), signed_log(found[:, 1]) / 2,
        torch.log(0.02 + (found[:, 2] / peak).clamp(0, 50)) / 2,
        found[:, 3]], 1)


def turn_stamps(stamps):
    """
    Turn and mirror stamps in all eight ways.

    Parameters
    ----------
    stamps : `torch.Tensor`, shape (N, C, S, S)
        The stamps.

    Returns
    -------
    turned : `torch.Tensor`, shape (8, N, C, S, S)
    """
    return torch.stack([
        torch.rot90(image, turn, (-2, -1)) for image in (
            stamps, stamps.flip(-1)) for turn in range(4)])


class StampNetwork(nn.Module):
    """
    Convolutional network that describes stamps with 32 numbers.

    Parameters
    ----------
    channels : int
        Channels of its convolutions.
    """

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(STAMP_CHANNELS, channels, 3, padding=1), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.ReLU(), nn.Conv2d(2 * channels, 2 * channels, 3), nn.ReLU(),
            nn.Flatten(), nn.Linear(18 * channels, SEEN), nn.ReLU())

    def forward(self, stamps):
        """
        Describe stamps, shape (N, 4, 17, 17): (N, 32).
        """
        return self.layers(stamps)
