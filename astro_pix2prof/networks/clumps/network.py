# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Network that marks the centres of clumps on the maps of a galaxy.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.clumps.maps import CHANNELS
from astro_pix2prof.networks.clumps.stamps import (
    SEEN,
    StampNetwork,
    turn_stamps,
)
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

    stamp : int
        Channels of the convolutions with which the class head looks at
        stamps of the marks; 0 for a head that sees none.
    """

    channels: int = 32
    dilations: str = '1,2,4'
    measured: int = 0
    stamp: int = 0

    def __post_init__(self):
        if not 0 <= self.stamp <= 128:
            msg = f'stamp must be an integer from 0 to 128, got {self.stamp}'
            raise ValueError(msg)
        if self.stamp and not self.measured:
            msg = ('stamp must be 0 for a network without a class head '
                   f'(measured is 0), got {self.stamp}')
            raise ValueError(msg)
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
        self.judge = self.stamped = None
        if config.measured:
            known = width + config.measured
            if config.stamp:
                self.stamped = StampNetwork(config.stamp)
                known += SEEN
            self.judge = nn.Sequential(
                nn.Linear(known, _HIDDEN), nn.ReLU(),
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

    def look_around(self, channels, centre):
        """
        Look at an image in all eight ways of turning and mirroring it.

        Parameters
        ----------
        channels : `torch.Tensor`, shape (1, 8, H, W)
            As for `forward`.

        centre : tuple of 2 floats
            The centre (x, y) of the galaxy, on which a cell is put.

        Returns
        -------
        logits, offset : `torch.Tensor`, shape (1, 2, h, w)
            The means, turned back: the same for the image turned or
            mirrored.

        seen : `torch.Tensor`, shape (1, C, h, w)
            The mean of the last hidden layer.

        first : tuple of 2 ints
            The pixel (x, y) of the first cell: 0 or -1.
        """
        # (the cells of a mirrored image are those of the image if its sides
        # are odd and the pixel of the centre is even)
        h, w = channels.shape[-2:]
        left, top = (round(c) % STRIDE for c in centre)
        channels = functional.pad(channels, (
            left, 1 - (w + left) % 2, top, 1 - (h + top) % 2))
        total = None
        for mirror in (False, True):
            image = channels.flip(-1) if mirror else channels
            for turn in range(4):
                parts = [torch.rot90(part, -turn, (-2, -1)) for part in
                         self.look(torch.rot90(image, turn, (-2, -1)))]
                x, y = parts[1].unbind(1)
                for _ in range(turn):
                    x, y = -y, x
                parts[1] = torch.stack([-x if mirror else x, y], 1)
                if mirror:
                    parts = [part.flip(-1) for part in parts]
                total = parts if total is None else [
                    a + b for a, b in zip(total, parts, strict=True)]
        return (*(part / 8 for part in total), (-left, -top))

    def classify(self, seen, measured, stamps=None):
        """
        Tell what marks are, with the class head.

        Parameters
        ----------
        seen : `torch.Tensor`, shape (N, C)
            The last hidden layer at the marks.

        measured : `torch.Tensor`, shape (N, M)
            The numbers measured of the marks, see
            `~astro_pix2prof.inference.clump_classes.class_features`.

        stamps : `torch.Tensor`, shape (N, 4, 17, 17), optional
            Stamps around the marks, see
            `~astro_pix2prof.networks.clumps.stamps.cut_stamps`, for a head
            that looks at them.

        Returns
        -------
        logits : `torch.Tensor`, shape (N, 3)
            Of nothing, and of each of ``CLASSES``; the mean for the stamp
            turned and mirrored in all eight ways.

        Raises
        ------
        ValueError
            If the network has no class head.
        """
        if self.judge is None:
            msg = ('the network has no class head: train one with '
                   'benchmarks.training.clump_classes')
            raise ValueError(msg)
        known = torch.cat([seen, measured], 1)
        if self.stamped is None:
            return self.judge(known)
        turned = turn_stamps(stamps)
        described = self.stamped(turned.flatten(0, 1)).unflatten(
            0, turned.shape[:2])
        return self.judge(torch.cat(
            [known.expand(len(turned), -1, -1), described], 2)).mean(0)


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
