# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Network that marks the centres of clumps on the maps of a galaxy.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.clumps.maps import CHANNELS
from astro_pix2prof.networks.settings import NetworkSettings

__all__ = ['CLASSES', 'ClumpConfig', 'ClumpNetwork', 'find_peaks']


# Clumps of the galaxy; foreground stars and other galaxies.
CLASSES = ('clump', 'odd')

# The side of a cell of the heat maps in pixels.
STRIDE = 2

# Units of the hidden layer that tells classes.
_HIDDEN = 96


@dataclass(frozen=True)
class ClumpConfig(NetworkSettings):
    """
    Settings of clump networks.

    Attributes
    ----------
    channels : int
        Channels of the blocks, a multiple of 8.

    dilations : str
        The dilation of each residual block, with commas.

    measured : int
        The numbers that are measured of each mark, from which a class head
        tells what it is; 0 for a network without one.
    """

    channels: int = 32
    dilations: str = '1,2,4'
    measured: int = 0

    def __post_init__(self):
        if not 0 <= self.measured <= 256:
            msg = ('measured must be an integer from 0 to 256, got '
                   f'{self.measured}')
            raise ValueError(msg)
        if self.channels < 8 or self.channels % 8:
            msg = ('channels must be a positive multiple of 8, got '
                   f'{self.channels}')
            raise ValueError(msg)
        parts = self.dilations.split(',')
        if not all(part.isdigit() and 0 < int(part) <= 16 for part in parts):
            msg = ('dilations must be integers from 1 to 16 with commas, '
                   f'got {self.dilations!r}')
            raise ValueError(msg)

    @property
    def steps(self):
        """
        List the dilations (int).
        """
        return [int(part) for part in self.dilations.split(',')]


class _Block(nn.Module):
    """
    Residual block of two convolutions.
    """

    def __init__(self, channels, dilation):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation,
                               dilation=dilation, bias=False)
        self.first_norm = nn.GroupNorm(8, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(8, channels)

    def forward(self, x):
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(x + self.second_norm(self.second(y)))


class ClumpNetwork(nn.Module):
    """
    Convolutional network with heat maps of the centres of objects.

    Parameters
    ----------
    config : `ClumpConfig`, optional
        The settings.

    References
    ----------
    Objects as points: Zhou, Wang & Krahenbuhl 2019, arXiv:1904.07850.
    """

    def __init__(self, config=None):
        super().__init__()
        self.config = config = config or ClumpConfig()
        width = config.channels
        self.stem = nn.Conv2d(len(CHANNELS), width, 5, stride=STRIDE,
                              padding=2)
        self.blocks = nn.Sequential(*(_Block(width, step)
                                      for step in config.steps))
        self.head = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, len(CLASSES) + 2, 1))
        # at first, nearly everywhere is nothing
        with torch.no_grad():
            self.head[-1].bias[:len(CLASSES)] = -4.0
        self.judge = None
        if config.measured:
            self.judge = nn.Sequential(
                nn.Linear(width + config.measured, _HIDDEN), nn.ReLU(),
                nn.Linear(_HIDDEN, 1 + len(CLASSES)))

    def forward(self, channels):
        """
        Mark the centres of objects.

        Parameters
        ----------
        channels : `torch.Tensor`, shape (B, 8, H, W)
            See `~astro_pix2prof.networks.clumps.maps.galaxy_maps`.

        Returns
        -------
        logits : `torch.Tensor`, shape (B, 2, h, w)
            Of an object of each of ``CLASSES`` in each cell of 2 pixels.

        offset : `torch.Tensor`, shape (B, 2, h, w)
            The place (x, y) of its centre, from the middle of the cell, in
            cells.
        """
        return self.look(channels)[:2]

    def look(self, channels):
        """
        Mark the centres of objects, and tell what is seen around them.

        Parameters
        ----------
        channels : `torch.Tensor`, shape (B, 8, H, W)
            As for `forward`.

        Returns
        -------
        logits, offset : `torch.Tensor`, shape (B, 2, h, w)
            As of `forward`.

        seen : `torch.Tensor`, shape (B, C, h, w)
            The last hidden layer, for `classify`.
        """
        x = functional.relu(self.stem(channels))
        seen = self.head[:2](self.blocks(x))
        out = self.head[2](seen)
        return out[:, :len(CLASSES)], out[:, len(CLASSES):], seen

    def classify(self, seen, measured):
        """
        Tell what marks are, with the class head.

        Parameters
        ----------
        seen : `torch.Tensor`, shape (N, C)
            The last hidden layer at the marks.

        measured : `torch.Tensor`, shape (N, M)
            The numbers measured of the marks, see
            `~astro_pix2prof.inference.clump_classes.class_features`.

        Returns
        -------
        logits : `torch.Tensor`, shape (N, 3)
            Of nothing, and of each of ``CLASSES``.

        Raises
        ------
        ValueError
            If the network has no class head.
        """
        if self.judge is None:
            msg = ('the network has no class head: train one with '
                   'benchmarks.training.clump_classes')
            raise ValueError(msg)
        return self.judge(torch.cat([seen, measured], 1))


def find_peaks(logits, offset, *, least=0.05):
    """
    Find the peaks of heat maps.

    Parameters
    ----------
    logits, offset : `torch.Tensor`, shape (2, h, w)
        The output of the network for one image.

    least : float, optional
        The least probability.

    Returns
    -------
    peaks : `torch.Tensor`, shape (N, 5)
        x and y in pixels of the image, the probabilities of both classes,
        and that of any object, by which they are ordered.
    """
    heat = torch.sigmoid(logits)
    # an object is one of both: its class is not told by where the peak is
    both = 1 - (1 - heat).prod(0)
    top = functional.max_pool2d(both[None, None], 3, 1, 1)[0, 0]
    row, column = ((both >= top) & (both >= least)).nonzero(as_tuple=True)
    order = torch.argsort(both[row, column], descending=True)
    row, column = row[order], column[order]
    move = offset[:, row, column]
    # (the middle of cell k is the pixel 2 k: kernels have odd sides)
    x = STRIDE * (column + move[0])
    y = STRIDE * (row + move[1])
    return torch.stack([x, y, *heat[:, row, column], both[row, column]], 1)
