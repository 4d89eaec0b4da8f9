# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Network of the original authors, read from their checkpoint.

Smith et al. 2021 (MNRAS 503, 96) released a network whose encoder is the
ResNet-18 for small images, without pooling at the entrance. It differs from
`~astro_pix2prof.networks.captioner.Captioner`, so it has a module of its own.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.weights import (
    WeightsError,
    describe_mismatch,
    load_checkpoint,
)

__all__ = ['OriginalPix2Prof', 'load_original']


#: Side of the crop that the network sees, in pixels.
N_PIX = 256

#: The percentile at which images are clipped, and their scaling.
CLIP_PERCENTILE, IMAGE_LOW, IMAGE_SPAN = 99.9, 2.0, 28.0

#: Halting: after more than so many values, when those before the latest
#: scatter by no more than so much (mag), and at so many in any case.
HALT_AFTER, HALT_SCATTER, MAX_LENGTH = 100, 0.01, 1024

# Images that are encoded at once: one takes 17 MB in every map of the first
# block.
_CHUNK = 8

_WIDTH = 512


class _Block(nn.Module):
    """
    Two convolutions and a way around them (He et al. 2016, figure 2).
    """

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False),
                nn.BatchNorm2d(n_out))

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class _Encoder(nn.Module):
    """
    ResNet-18 with a 3x3 entrance at full resolution.
    """

    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.conv1 = nn.Conv2d(1, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        n_in = 64
        for k, (n_out, stride) in enumerate(
                ((64, 1), (128, 2), (256, 2), (_WIDTH, 2)), 1):
            setattr(self, f'layer{k}', nn.Sequential(
                _Block(n_in, n_out, stride), _Block(n_out, n_out, 1)))
            n_in = n_out
        self.fc1 = nn.Linear(_WIDTH * pool**2, _WIDTH)

    def forward(self, image):
        x = torch.relu(self.bn1(self.conv1(image)))
        for k in range(1, 5):
            x = getattr(self, f'layer{k}')(x)
        x = functional.adaptive_avg_pool2d(x, self.pool)
        return self.fc1(x.flatten(1))                     # (B, 512)


class _Decoder(nn.Module):
    """
    Three gated recurrent units, and a rectifier on both sides of ``fc``.
    """

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, _WIDTH, 3, batch_first=True)
        self.fc = nn.Linear(_WIDTH, 1)

    def forward(self, value, hidden):
        state, hidden = self.gru(value[:, None, None], hidden)
        out = torch.relu(self.fc(torch.relu(state[:, 0])))
        return out[:, 0], hidden                          # (B,), (3, B, 512)


class OriginalPix2Prof(nn.Module):
    """
    Network of Smith et al. 2021 as they released it.

    Parameters
    ----------
    pool : int, optional
        The last feature map is averaged to ``pool`` x ``pool`` cells
        before the dense layer. `load_original` reads it off the shape of
        that layer.

    Notes
    -----
    The network has no notion of radius: the step between two values is the
    caller's to know. What it was trained on were images of the SDSS in
    nanomaggies.
    """

    def __init__(self, pool=1):
        super().__init__()
        if int(pool) != pool or pool < 1:
            msg = f'pool must be an integer of 1 or more, got {pool}'
            raise ValueError(msg)
        self.encoder = _Encoder(int(pool))
        self.decoder = _Decoder()

    def forward(self, image, length):
        """
        Compute values without halting.

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, 1, 256, 256)
            Scaled images.

        length : int
            The number of values.

        Returns
        -------
        values : `torch.Tensor`, shape (B, length)
            mag/arcsec2.
        """
        return torch.stack([value for value, _ in zip(
            self._write(self.encoder(image)), range(length),
            strict=False)], 1)

    def _write(self, z):
        """
        Generate values one after the other, each of them fed back.
        """
        hidden = z[None].expand(3, -1, -1).contiguous()
        value = z.new_zeros(len(z))                       # start token
        while True:
            value, hidden = self.decoder(value, hidden)
            yield value

    def profile(self, image):
        """
        Compute the profile of one galaxy in mag/arcsec2.

        Parameters
        ----------
        image : 2D array_like
            In nanomaggies per pixel, of 256x256 pixels at least, with the
            galaxy in the middle.

        Returns
        -------
        values : 1D `~numpy.ndarray`
            Surface brightness in mag/arcsec2 from the centre outwards.

        Raises
        ------
        ValueError
            If the image is too small, is not 2D, or has values in its
            central 256x256 pixels that are not finite.
        """
        return self.profiles([image])[0]

    @torch.inference_mode()
    def profiles(self, images):
        """
        Compute the profiles of many galaxies; the same as one at a time.

        Parameters
        ----------
        images : sequence of 2D array_like
            See `profile`; their shapes may differ.

        Returns
        -------
        values : list of 1D `~numpy.ndarray`
            Surface brightness in mag/arcsec2; the lengths differ.

        Raises
        ------
        ValueError
            As `profile`.
        """
        where = self.decoder.fc.weight.device
        scaled = [_prepare(image, f'images[{k}]')
                  for k, image in enumerate(images)]
        was_training = self.training
        self.eval()
        try:
            out = []
            for start in range(0, len(scaled), _CHUNK):
                batch = np.stack(scaled[start:start + _CHUNK])
                z = self.encoder(torch.from_numpy(batch)[:, None].to(where))
                out += self._caption(z)
            return out
        finally:
            self.train(was_training)

    def _caption(self, z):
        """
        Write until every profile has halted: (B, 512) to list of arrays.
        """
        rows, length = [], np.zeros(len(z), dtype=int)
        for n, value in enumerate(self._write(z), 1):
            rows.append(value.float().cpu().numpy())
            # profiles that halted at the last value end with this one
            length[length < 0] = n
            if n >= MAX_LENGTH:
                length[length == 0] = n
            elif n > HALT_AFTER:
                # the values before the latest, which does not count
                last = np.stack(rows[-HALT_AFTER:-1]).astype(float)
                length[(length == 0) & (last.std(0) <= HALT_SCATTER)] = -1
            if np.all(length > 0):
                break
        values = np.stack(rows, 1)
        return [row[:n].copy()
                for row, n in zip(values, length, strict=True)]


def _prepare(image, name):
    """
    Clip and scale the central pixels: (H, W) to (256, 256).
    """
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype.kind not in 'fiu':
        msg = (f'{name} must be a 2D array of numbers, got {image.dtype} of '
               f'shape {image.shape}')
        raise ValueError(msg)
    ny, nx = image.shape
    if min(ny, nx) < N_PIX:
        msg = (f'{name} must have {N_PIX}x{N_PIX} pixels or more for the '
               f'original network, got {nx}x{ny}: give a larger cut-out')
        raise ValueError(msg)
    y, x = (ny - N_PIX) // 2, (nx - N_PIX) // 2
    image = image[y:y + N_PIX, x:x + N_PIX].astype(np.float32)
    bad = np.count_nonzero(~np.isfinite(image))
    if bad:
        msg = (f'{name} must be finite, but {bad} of its central '
               f'{N_PIX}x{N_PIX} pixels are not: fill them, for example '
               'with the level of the sky')
        raise ValueError(msg)
    image = np.minimum(image, np.percentile(image, CLIP_PERCENTILE))
    return ((image - IMAGE_LOW) / IMAGE_SPAN).astype(np.float32)


def load_original(path, *, device='cpu'):
    """
    Read the checkpoint of the original authors.

    Parameters
    ----------
    path : path-like
        Such as ``pix2prof_2020-10-08.pth``: a dictionary with ``encoder``
        and ``decoder``. Nothing in the file is executed.

    device : str, optional
        Device of the network.

    Returns
    -------
    network : `OriginalPix2Prof`
        In evaluation mode.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    WeightsError
        If the file is not such a checkpoint, or has weights that are not
        finite.

    Notes
    -----
    The paper (section 2.4) has an encoder that ends in 512 numbers. How the
    last feature map is averaged is read off the shape of ``fc1``: 512 p^2
    inputs mean p x p cells.
    """
    path = Path(path)
    content = load_checkpoint(path)
    parts = {}
    for name in ('encoder', 'decoder'):
        part = content.get(name) if isinstance(content, dict) else None
        if not isinstance(part, dict):
            found = (', '.join(map(str, content)) if isinstance(content, dict)
                     else type(content).__name__)
            msg = (f'path: {path} must hold a dictionary with the weights '
                   f'{"encoder"!r} and {"decoder"!r}, but has no {name!r}; '
                   f'it holds: {found[:200]}')
            raise WeightsError(msg)
        parts[name] = part
    network = OriginalPix2Prof(_read_pool(parts['encoder'], path))
    for name, part in parts.items():
        _load_part(getattr(network, name), part, name, path)
    return network.eval().to(device)


def _read_pool(encoder, path):
    """
    Read the side of the grid of cells before ``fc1``.
    """
    weight = encoder.get('fc1.weight')
    if weight is None:
        return 1    # a missing weight is reported with all others
    n = weight.shape[-1] if weight.ndim == 2 else 0
    pool = math.isqrt(n // _WIDTH)
    if n == 0 or pool**2 * _WIDTH != n:
        msg = (f'path: {path}: fc1.weight of the encoder must have '
               f'{_WIDTH} p^2 inputs, got the shape {tuple(weight.shape)}')
        raise WeightsError(msg)
    return pool


def _load_part(module, state, name, path):
    """
    Load weights, or raise an error that lists all that do not fit.
    """
    wanted = module.state_dict()
    # versions of torch before 0.4 did not count batches
    problems = describe_mismatch(wanted, state,
                                 optional=('num_batches_tracked',))
    if problems:
        msg = (f"path: the {name} in {path} is not that of the original "
               f'network: {problems}')
        raise WeightsError(msg)
    for key, value in state.items():
        if not torch.isfinite(value).all():
            msg = (f'path: {key} of the {name} in {path} has values that are '
                   'not finite: download the file again')
            raise WeightsError(msg)
    module.load_state_dict({**wanted, **state}, strict=True)
