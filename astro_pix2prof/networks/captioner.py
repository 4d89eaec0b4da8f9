# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Pix2Prof: a network that captions the image of a galaxy with its profile.

The architecture of Smith et al. 2021 (MNRAS 503, 96): a ResNet-18 encodes
the image as a vector z, and a recurrent network that starts from z writes
the profile, value after value.
"""

from dataclasses import dataclass

import torch
from torch import nn

from astro_pix2prof.networks.settings import NetworkSettings

__all__ = ['Captioner', 'CaptionerConfig', 'find_halt', 'prepare_images']


@dataclass(frozen=True)
class CaptionerConfig(NetworkSettings):
    """
    Settings of a `Captioner`.

    Attributes
    ----------
    image_scaling : str
        'noise': asinh(I / sigma) / 4, for calibrated images of any survey;
        'fixed': clipped at a percentile, (I - image_low) / (image_high -
        image_low), in nanomaggies: equation 1 of the paper.

    image_low, image_high, clip_percentile : float
        The constants of 'fixed'.

    value : str
        The values that the network writes: 'relative', the magnitude of
        the ring above the noise of a pixel, -2.5 log10(I / sigma); or
        'absolute', the surface brightness in mag/arcsec2.

    value_low, value_high : float
        Values are scaled as (value - low) / (high - low).

    n_pix : int
        The side of the crop that the network was trained on.

    radius_step : float
        The step of the profile in pixels.

    decoder : str
        'gru' as in the paper, or 'transformer', which writes all values at
        once (its section 4).

    size, layers, dropout : int, int, float
        Of the decoder; ``size`` is also the length of z.

    reinject : int
        Feed z into the hidden state again every so many steps (Jia et al.
        2015; the paper's section 4); 0 for never.

    halt_window, halt_scatter : int, float
        The decoder stops when so many values scatter by no more than this
        (mag).

    max_length : int
        The most values that it writes.
    """

    image_scaling: str = 'noise'
    image_low: float = 2.0
    image_high: float = 30.0
    clip_percentile: float = 99.9
    value: str = 'relative'
    value_low: float = -14.0
    value_high: float = 6.0
    n_pix: int = 256
    radius_step: float = 1.0
    decoder: str = 'gru'
    size: int = 512
    layers: int = 3
    dropout: float = 0.2
    reinject: int = 0
    halt_window: int = 100
    halt_scatter: float = 0.01
    max_length: int = 320

    def __post_init__(self):
        for name, allowed in (('image_scaling', ('noise', 'fixed')),
                              ('value', ('relative', 'absolute')),
                              ('decoder', ('gru', 'transformer'))):
            if getattr(self, name) not in allowed:
                msg = (f'{name} must be one of {", ".join(allowed)}; got '
                       f'{getattr(self, name)!r}')
                raise ValueError(msg)
        for name in ('size', 'layers', 'halt_window', 'max_length', 'n_pix',
                     'radius_step'):
            if getattr(self, name) <= 0:
                msg = f'{name} must be positive, got {getattr(self, name)}'
                raise ValueError(msg)
        if self.value_high <= self.value_low:
            msg = ('value_high must be more than value_low, got '
                   f'{self.value_high} and {self.value_low}')
            raise ValueError(msg)

    @property
    def needs_calibration(self):
        """
        Need of a zero point and a pixel scale of the images.
        """
        return self.value == 'absolute' or self.image_scaling == 'fixed'

    @classmethod
    def paper(cls, **changes):
        """
        Make the settings of the paper: fixed scaling of image and values.
        """
        return cls(**{'image_scaling': 'fixed', 'value': 'absolute',
                      'value_low': 2.0, 'value_high': 30.0,
                      'max_length': 1024, **changes})


def prepare_images(image, sigma, mask, config):
    """
    Scale images to the input of the network.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, H, W)
        In nanomaggies per pixel (with 'noise', in any unit).

    sigma : `torch.Tensor`, shape (B,)
        The noise of a sky pixel in the same unit.

    mask : `torch.Tensor`, shape (B, H, W), bool
        Pixels that are not to be used; they are set to the sky's level, 0.

    config : `CaptionerConfig`
        The settings.

    Returns
    -------
    scaled : `torch.Tensor`, shape (B, 1, H, W)
    """
    image = torch.where(mask | ~torch.isfinite(image), 0.0, image)
    if config.image_scaling == 'noise':
        out = torch.asinh(image / sigma[:, None, None]) / 4
    else:
        flat = image.flatten(1)
        # torch.quantile stops at 16 million values, and a sort is faster
        k = round(config.clip_percentile / 100 * (flat.shape[1] - 1))
        top = flat.sort(1).values[:, k]
        out = torch.minimum(image, top[:, None, None])
        out = (out - config.image_low) / (config.image_high
                                          - config.image_low)
    return out[:, None]


def find_halt(values, window, scatter):
    """
    Find the first ``window`` values that scatter by at most ``scatter``.

    Parameters
    ----------
    values : `torch.Tensor`, shape (B, L)
        Values so far.

    window : int
        Number of values in the window.

    scatter : float
        The largest standard deviation.

    Returns
    -------
    n_values : `torch.Tensor`, shape (B,), int
        The number of values at the halt, those looked at included; 0 where
        there is none.
    """
    if values.shape[1] < window:
        return values.new_zeros(len(values), dtype=torch.long)
    still = values.float().unfold(1, window, 1).std(-1) <= scatter
    first = still.float().argmax(1) + window
    return torch.where(still.any(1), first, 0)


class _Encoder(nn.Module):
    """
    ResNet-18 of torchvision with one input channel.
    """

    def __init__(self, size):
        super().__init__()
        # (a second, which nobody else has to wait for)
        from torchvision.models import resnet18

        net = resnet18(weights=None)
        net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        net.fc = nn.Linear(net.fc.in_features, size)
        self.net = net

    def forward(self, image):
        return self.net(image)                            # (B, size)


class _RecurrentDecoder(nn.Module):
    """
    Three gated recurrent units on top of each other; each starts from z.
    """

    def __init__(self, config):
        super().__init__()
        self.layers = config.layers
        self.reinject = config.reinject
        # dropout acts between layers
        self.gru = nn.GRU(
            1, config.size, config.layers, batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0)
        self.dense = nn.Linear(config.size, 1)

    def _start(self, z):
        return z[None].expand(self.layers, -1, -1).contiguous()

    def _read(self, state):
        # in single precision: half has steps of 0.05 mag
        with torch.autocast(state.device.type, enabled=False):
            return self.dense(torch.relu(state.to(
                self.dense.weight.dtype)))[..., 0]

    def forward(self, z, inputs):
        """
        Compute all values from given inputs: (B, size), (B, L) to (B, L).
        """
        hidden = self._start(z)
        every = self.reinject or inputs.shape[1]
        out = []
        for k, part in enumerate(inputs.split(every, 1)):
            if k:
                hidden = 0.5 * (hidden + self._start(z))
            state, hidden = self.gru(part[..., None], hidden)
            out.append(self._read(state))
        return torch.cat(out, 1)                          # (B, L)

    def write(self, z, length, stop=None):
        """
        Feed each value back: (B, size) to (B, up to length).
        """
        hidden = self._start(z)
        value = z.new_zeros(len(z), 1)                    # start token
        out = []
        for k in range(length):
            if k and self.reinject and k % self.reinject == 0:
                hidden = 0.5 * (hidden + self._start(z))
            state, hidden = self.gru(value[..., None], hidden)
            value = self._read(state)
            out.append(value)
            if stop is not None and k % 8 == 7 and stop(torch.cat(out, 1)):
                break
        return torch.cat(out, 1)


class _TransformerDecoder(nn.Module):
    """
    Queries, one for each radius, that attend to each other and to z.
    """

    def __init__(self, config):
        super().__init__()
        width = 256
        self.max_length = config.max_length
        self.memory = nn.Linear(config.size, 8 * width)
        self.query = nn.Parameter(0.02 * torch.randn(config.max_length,
                                                     width))
        layer = nn.TransformerDecoderLayer(
            width, 8, 2 * width, config.dropout, activation='gelu',
            batch_first=True, norm_first=True)
        self.body = nn.TransformerDecoder(layer, config.layers,
                                          norm=nn.LayerNorm(width))
        self.dense = nn.Linear(width, 1)

    def forward(self, z, inputs):
        return self.write(z, inputs.shape[1])

    def write(self, z, length, stop=None):
        if length > self.max_length:
            msg = (f'length must be at most {self.max_length}, the '
                   f'max_length of this transformer, got {length}')
            raise ValueError(msg)
        memory = self.memory(z).view(len(z), 8, -1)
        query = self.query[:length].expand(len(z), -1, -1)
        # radii are close together: every value follows from its own query,
        # so that a shorter sequence has the same values
        mask = torch.ones(length, length, dtype=torch.bool,
                          device=z.device).triu(1)
        return self.dense(self.body(query, memory, tgt_mask=mask))[..., 0]


class Captioner(nn.Module):
    """
    Network that writes a profile (Smith et al. 2021, section 2.4).

    Parameters
    ----------
    config : `CaptionerConfig`, optional
        The settings.
    """

    def __init__(self, config=None):
        super().__init__()
        self.config = config or CaptionerConfig()
        self.encoder = _Encoder(self.config.size)
        if self.config.decoder == 'gru':
            self.decoder = _RecurrentDecoder(self.config)
        else:
            self.decoder = _TransformerDecoder(self.config)

    def forward(self, image, inputs):
        """
        Compute scaled values from the value before each.

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, 1, H, W)
            Scaled images.

        inputs : `torch.Tensor`, shape (B, L)
            The scaled values before each, 0 first.

        Returns
        -------
        values : `torch.Tensor`, shape (B, L)
        """
        return self.decoder(self.encoder(image), inputs)

    def train_step(self, image, target, *, forced):
        """
        Compute scaled values for training, from the truth or its own values.

        Without ``forced``, the network first writes the profile on its own
        and is then given what it wrote, so that it learns to continue from
        its own errors (scheduled sampling, Bengio et al. 2015).

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, 1, H, W)
            Scaled images.

        target : `torch.Tensor`, shape (B, L)
            True scaled values.

        forced : bool
            Whether the true value is fed in after each step.

        Returns
        -------
        values : `torch.Tensor`, shape (B, L)
        """
        z = self.encoder(image)
        if self.config.decoder == 'gru' and not forced:
            with torch.no_grad():
                fed = self.decoder.write(z, target.shape[1] - 1)
            fed = fed.to(target.dtype)
        else:
            fed = target[:, :-1]
        inputs = nn.functional.pad(fed, (1, 0))
        return self.decoder(z, inputs)

    @torch.inference_mode()
    def caption(self, image, *, length=None):
        """
        Write profiles; the same images give the same values every time.

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, 1, H, W)
            Scaled images.

        length : int, optional
            The number of values; by default, until all profiles of the
            batch have halted.

        Returns
        -------
        values : `torch.Tensor`, shape (B, L)
            Unscaled values (mag).

        n_values : `torch.Tensor`, shape (B,)
            Number of values of each profile when it halted; the values
            after that are those of a profile that went on.
        """
        was_training = self.training
        self.eval()
        try:
            cfg = self.config
            span = cfg.value_high - cfg.value_low
            z = self.encoder(image)
            limit = cfg.halt_scatter / span

            def all_halted(values):
                return bool((find_halt(values, cfg.halt_window, limit)
                             > 0).all())

            values = self.decoder.write(
                z, length or cfg.max_length,
                stop=None if length else all_halted).float()
            halted = find_halt(values, cfg.halt_window, limit)
            n_values = torch.where(halted > 0, halted, values.shape[1])
            return values * span + cfg.value_low, n_values
        finally:
            self.train(was_training)
