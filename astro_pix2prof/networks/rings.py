# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The ring network: it decides where to measure, and the pixels give the value.

What a person decided in the classical method, the network decides: where
the centre is, how the isophotes lie, which pixels are not the galaxy, where
the sky begins. The profile is then the weighted mean of the pixels along
the ellipses; only where that drowns in noise does the network say more than
the pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.sampling import (
    Pyramid,
    ellipse_points,
    ring_radii,
)
from astro_pix2prof.networks.settings import NetworkSettings

__all__ = ['RingConfig', 'RingNetwork', 'RingProfile']

# Mean values below this many times their noise are drawn up smoothly, so
# that a magnitude exists.
_FLOOR = 0.2
_POGSON = 2.5 / math.log(10)
# Length of what rings tell each other of themselves.
_KEYS = 16


@dataclass(frozen=True)
class RingConfig(NetworkSettings):
    """
    The settings of a `RingNetwork`.

    Attributes
    ----------
    ratio : float
        The ratio of successive radii.

    reach : float
        The largest radius as a fraction of the frame's longer side.

    n_angle, n_angle_fine : int
        Points on a circle, and on an ellipse.

    channels, channels_find, hidden : int
        Of the convolutions, of those of the first look, and of the
        recurrent layers.

    attention : bool
        Whether the points on a ring have weights, or count alike.

    correct : bool
        Whether the last stage corrects the means.
    """

    ratio: float = 1.13
    reach: float = 0.55
    n_angle: int = 48
    n_angle_fine: int = 80
    channels: int = 24
    channels_find: int = 16
    hidden: int = 64
    attention: bool = True
    correct: bool = True

    def __post_init__(self):
        for name in ('n_angle', 'n_angle_fine'):
            if getattr(self, name) % 8:
                msg = (f'{name} must be a multiple of 8, got '
                       f'{getattr(self, name)}')
                raise ValueError(msg)
        if not 1.02 <= self.ratio <= 1.5:
            msg = f'ratio must be from 1.02 to 1.5, got {self.ratio}'
            raise ValueError(msg)


@dataclass
class RingProfile:
    """
    What the network found, for a batch of B images and K rings.

    Attributes
    ----------
    sma : `torch.Tensor`, shape (K,)
        Semi-major axes in pixels.

    centre : `torch.Tensor`, shape (B, 2)
        Centres (x, y) in pixels.

    e1, e2 : `torch.Tensor`, shape (B, K)
        Ellipticity times cosine and sine of twice the angle from +x.

    value : `torch.Tensor`, shape (B, K)
        -2.5 log10 of the intensity in units of the noise of a pixel.

    log_error : `torch.Tensor`, shape (B, K)
        Natural logarithm of the error of ``value`` in mag.

    mean : `torch.Tensor`, shape (B, K)
        The weighted mean of the pixels, in units of the noise.

    ring_noise : `torch.Tensor`, shape (B, K)
        The noise of that mean.

    valid : `torch.Tensor`, shape (B, K)
        The usable part of each ring.

    weight : `torch.Tensor`, shape (B, K, T)
        The weight of each point, from 0 to 1.

    x, y : `torch.Tensor`, shape (B, K, T)
        The points.

    shifts : list of `torch.Tensor`, shape (B, 2)
        The centre after each look.
    """

    sma: torch.Tensor
    centre: torch.Tensor
    e1: torch.Tensor
    e2: torch.Tensor
    value: torch.Tensor
    log_error: torch.Tensor
    mean: torch.Tensor
    ring_noise: torch.Tensor
    valid: torch.Tensor
    weight: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    shifts: list


class _RingConv(nn.Module):
    """
    A convolution over radius and angle that knows no left and right.

    It is circular in angle, and its kernel is the same to both sides: when
    the image is turned or mirrored, so are its results.
    """

    def __init__(self, n_in, n_out, size=(3, 3)):
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.empty(n_out, n_in, *size))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.kaiming_normal_(self.weight, nonlinearity='relu')

    def forward(self, x):
        half = self.size[1] // 2
        weight = 0.5 * (self.weight + self.weight.flip(-1))
        x = functional.pad(x, (half, half, 0, 0), mode='circular')
        # beyond the first and the last ring there are others like them
        x = functional.pad(x, (0, 0, self.size[0] // 2, self.size[0] // 2),
                           mode='replicate')
        return functional.conv2d(x, weight, self.bias)


class _Block(nn.Module):
    """
    A residual block, with what is known of each ring added.
    """

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.first = _RingConv(channels, channels, (3, 5))
        self.second = _RingConv(channels, channels)

    def forward(self, x, context=None):
        h = self.first(functional.gelu(self.norm(x)))
        if context is not None:
            h = h + context
        return x + self.second(functional.gelu(h))


class _Sequence(nn.Module):
    """
    A recurrent network along radius, in both directions.
    """

    def __init__(self, n_in, hidden, n_out):
        super().__init__()
        self.into = nn.Linear(n_in, hidden)
        self.gru = nn.GRU(hidden, hidden, 2, batch_first=True,
                          bidirectional=True)
        self.out = nn.Linear(2 * hidden, n_out)

    def forward(self, x):
        h = functional.gelu(self.into(x))
        h = self.gru(h)[0]
        # in single precision: what comes out is a magnitude
        with torch.autocast(x.device.type, enabled=False):
            return self.out(_full(h))


def _full(x):
    """
    At least single precision.
    """
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _positive(z):
    """
    (z + sqrt(z^2 + 4 f^2)) / 2, which is z where that is large, and positive.

    For negative z in the form that does not subtract equal numbers.
    """
    root = torch.sqrt(z**2 + 4 * _FLOOR**2)
    return torch.where(z > 0, 0.5 * (z + root),
                       2 * _FLOOR**2 / (root - z.clamp(max=0)))


def _median(value, use):
    """
    The median along a ring of the points that are used; 0 without any.
    """
    hidden = torch.where(use, value, torch.nan)
    return torch.nan_to_num(hidden.nanmedian(-1).values)


class _Look(nn.Module):
    """
    A look at circles around a centre: where it is, how isophotes lie.
    """

    def __init__(self, config, channels, n_blocks):
        super().__init__()
        c = channels
        self.n_angle = config.n_angle
        self.into = _RingConv(4, c, (5, 5))
        self.blocks = nn.ModuleList([_Block(c) for _ in range(n_blocks)])
        self.sequence = _Sequence(2 * c, config.hidden, c + 1 + 2 * _KEYS)
        # at first every ring believes itself
        self.own = nn.Parameter(torch.tensor(5.0))
        self.out = nn.Conv2d(c, 2, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pyramid, centre, radii):
        """
        The shift of the centre and the ellipses: (B, 2), (B, K), (B, K).
        """
        batch, k, t = len(centre), len(radii), self.n_angle
        angle = torch.arange(t, device=radii.device) * (2 * math.pi / t)
        dx = radii[:, None] * torch.cos(angle)
        dy = radii[:, None] * torch.sin(angle)
        arc = radii * (2 * math.pi / t)
        level = torch.log2(arc.clamp(min=1)).floor().long().clamp(
            max=pyramid.n_levels - 1)
        x = centre[:, 0, None, None] + dx
        y = centre[:, 1, None, None] + dy
        value, weight = pyramid.sample(x, y, level[:, None].expand(
            batch, k, t))
        snr = value * 2.0**level[:, None]
        middle = _median(snr, weight > 0.3)[..., None]
        log_r = (torch.log(radii.clamp(min=0.25)) / 3)[:, None]
        seen = (weight > 0.05).to(value.dtype)
        h = torch.stack([
            torch.asinh(snr) / 4 * seen, torch.asinh(snr - middle) / 3 * seen,
            weight, log_r.expand(batch, k, t)], 1)
        h = self.blocks[0](self.into(h))
        norm = seen.sum(-1).clamp(min=1)
        pooled = (h * seen[:, None]).sum(-1) / norm[:, None]
        spread = ((h**2 * seen[:, None]).sum(-1) / norm[:, None]
                  + 1e-6).sqrt()
        about = self.sequence(torch.cat([pooled, spread], 1).transpose(1, 2))
        parts = about.split((h.shape[1], 1, _KEYS, _KEYS), -1)
        context = parts[0].transpose(1, 2)[..., None]
        for block in self.blocks[1:]:
            h = block(h, context)
            context = None
        one, two = _full(self.out(functional.gelu(h))).unbind(1)
        # fields along the rings become vectors: of first order for the
        # centre, of second order for the ellipses
        cos, sin = torch.cos(angle), torch.sin(angle)
        share = torch.softmax(parts[1][..., 0], 1)
        push = torch.stack([(one * cos).mean(-1), (one * sin).mean(-1)], -1)
        shift = (share[..., None] * radii[:, None] * push).sum(1)
        e = torch.stack([(two * torch.cos(2 * angle)).mean(-1),
                         (two * torch.sin(2 * angle)).mean(-1)], -1)
        # Where the galaxy is lost in noise, or a neighbour pulls, a ring has
        # the shape of others.
        trust = parts[2] @ parts[3].transpose(1, 2) / _KEYS**0.5
        trust = trust + self.own * torch.eye(k, device=e.device,
                                             dtype=e.dtype)
        e = torch.softmax(trust, -1) @ e
        size = (e.square().sum(-1, keepdim=True) + 1e-8).sqrt()
        e = e * (0.97 * torch.tanh(size) / size)
        return shift, e[..., 0], e[..., 1]


class _Attention(nn.Module):
    """
    Which points of the ellipses belong to the galaxy.

    It sees the samples of the next coarser level: weights that saw the very
    pixels that they weigh would prefer those with noise in one direction.
    """

    def __init__(self, config):
        super().__init__()
        c = config.channels
        self.into = _RingConv(5, c, (5, 5))
        self.blocks = nn.ModuleList([_Block(c) for _ in range(3)])
        self.sequence = _Sequence(2 * c, config.hidden, c)
        self.out = nn.Conv2d(c, 1, 1)
        nn.init.zeros_(self.out.weight)
        # points count, until there is a reason against them
        nn.init.constant_(self.out.bias, 3.0)

    def forward(self, value, valid, level, radii, eps):
        """
        Weights from 0 to 1: (B, K, T).
        """
        snr = value * 2.0**level
        middle = _median(snr, valid > 0.3)[..., None]
        spread = _median((snr - middle).abs(), valid > 0.3)[..., None]
        seen = (valid > 0.05).to(value.dtype)
        log_r = (torch.log(radii.clamp(min=0.25)) / 3)[:, None]
        h = torch.stack([
            torch.asinh(snr) / 4 * seen, torch.asinh(snr - middle) / 3 * seen,
            torch.asinh((snr - middle) / (spread + 0.5)) / 2 * seen,
            valid, (log_r * torch.ones_like(value))], 1)
        h = self.blocks[0](self.into(h))
        norm = seen.sum(-1).clamp(min=1)
        pooled = (h * seen[:, None]).sum(-1) / norm[:, None]
        size = ((h**2 * seen[:, None]).sum(-1) / norm[:, None] + 1e-6).sqrt()
        context = self.sequence(torch.cat([pooled, size], 1).transpose(1, 2))
        context = context.transpose(1, 2)[..., None]
        h = self.blocks[2](self.blocks[1](h, context))
        return torch.sigmoid(_full(self.out(functional.gelu(h)))[:, 0])


class RingNetwork(nn.Module):
    """
    Images in, centre, ellipses, weights and profile out.

    Parameters
    ----------
    config : `RingConfig`, optional
        The settings.
    """

    def __init__(self, config=None):
        super().__init__()
        self.config = config or RingConfig()
        cfg = self.config
        self.find = _Look(cfg, cfg.channels_find, 2)
        self.look = _Look(cfg, cfg.channels, 3)
        if cfg.attention:
            self.attention = _Attention(cfg)
        self.correction = _Sequence(16, cfg.hidden, 3)
        nn.init.zeros_(self.correction.out.weight)
        with torch.no_grad():
            self.correction.out.bias.copy_(torch.tensor([0.0, 0.0, -2.0]))

    def radii(self, shape, device=None):
        """
        The semi-major axes for frames of a shape.
        """
        return ring_radii(self.config.reach * max(shape),
                          ratio=self.config.ratio, device=device)

    def forward(self, image, good, start, *, fixed=None, hold=False):
        """
        Measure.

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, H, W)
            In units of the noise of a sky pixel.

        good : `torch.Tensor`, shape (B, H, W), bool
            Usable pixels.

        start : `torch.Tensor`, shape (B, 2)
            First guess of the centres (x, y) in pixels.

        fixed : tuple of 2 `torch.Tensor`, shape (B, K), optional
            Ellipses (e1, e2) to measure on.

        hold : bool, optional
            Whether the centres are held.

        Returns
        -------
        profile : `RingProfile`
        """
        pyramid = Pyramid(image, good)
        radii = self.radii(image.shape[1:], image.device)
        centre, shifts = start, []
        if not hold:
            centre = centre + self.find(pyramid, centre, radii)[0]
            shifts.append(centre)
        shift, e1, e2 = self.look(pyramid, centre.detach(), radii)
        if not hold:
            centre = centre.detach() + shift
            shifts.append(centre)
        if fixed is not None:
            e1, e2 = fixed
        return self.measure(pyramid, centre, radii, e1, e2, shifts)

    def measure(self, pyramid, centre, radii, e1, e2, shifts=()):
        """
        The profile along given ellipses around given centres.
        """
        batch, k = e1.shape
        cfg = self.config
        sma = radii.expand(batch, k)
        # the ellipses learn from the true ellipses, not from the light
        eps = torch.hypot(e1, e2).detach()
        dx, dy, arc = ellipse_points(sma, e1.detach(), e2.detach(),
                                     cfg.n_angle_fine)
        where = centre.detach()
        x, y = where[:, 0, None, None] + dx, where[:, 1, None, None] + dy
        # squares neither longer than the step along the ellipse nor wide
        # enough to smear a flat galaxy across its thickness
        minor = sma * (1 - eps)
        size = torch.minimum(sma * (2 * math.pi / cfg.n_angle_fine),
                             0.3 * minor)
        level = torch.log2(size.clamp(min=1)).floor().long().clamp(
            max=pyramid.n_levels - 2)
        each = level[..., None].expand_as(x)
        value, valid = pyramid.sample(x, y, each)
        n_fine = int((radii <= 8).sum())
        fine = pyramid.refine(where).sample(x[:, :n_fine], y[:, :n_fine])
        value = torch.cat([torch.where(each[:, :n_fine] == 0, fine[0],
                                       value[:, :n_fine]),
                           value[:, n_fine:]], 1)
        weight = torch.ones_like(value)
        if cfg.attention:
            coarse, coarse_valid = pyramid.sample(x, y, each + 1)
            weight = self.attention(coarse, coarse_valid, each + 1, radii,
                                    eps)
        part = weight * arc * valid
        norm = part.sum(-1).clamp(min=1e-6)
        mean = (part * value).sum(-1) / norm
        length = arc.sum(-1)
        used = (arc * valid).sum(-1) / length
        kept = norm / (arc * valid).sum(-1).clamp(min=1e-6)
        # pixels that the ring averages, each once
        cell = 2.0**level
        n_pixels = torch.minimum(length * cell,
                                 cfg.n_angle_fine * cell**2).clamp(min=1)
        n_pixels = (n_pixels * (norm / length)).clamp(min=0.5)
        noise = n_pixels**-0.5
        scatter = ((part * (value - mean[..., None])**2).sum(-1)
                   / norm + 1e-8).sqrt()
        out = self._correct(pyramid, radii, eps, mean, noise, scatter, used,
                            kept, level)
        return RingProfile(
            sma=radii, centre=centre, e1=e1, e2=e2, value=out[0],
            log_error=out[1], mean=mean, ring_noise=noise, valid=used,
            weight=weight, x=x, y=y, shifts=list(shifts))

    def _correct(self, pyramid, radii, eps, mean, noise, scatter, used, kept,
                 level):
        """
        The profile, smooth and with the sky taken out, and its error.
        """
        batch, k = mean.shape
        sky = self._sky(pyramid)                          # (B, 4)
        snr = mean / noise
        log_mean = torch.asinh(mean * 5)
        slope = torch.gradient(log_mean, dim=1)[0]
        log_r = (torch.log(radii.clamp(min=0.25)) / 3).expand(batch, k)
        features = torch.stack([
            torch.asinh(snr) / 5, torch.asinh(mean) / 5, log_mean / 8, slope,
            log_r, eps, used, kept, torch.asinh(scatter) / 4,
            torch.asinh(scatter / (mean.abs() + noise)) / 2,
            torch.log(noise) / 3, level / 3.0,
            *(torch.asinh(sky[:, j, None] / noise) / 4 for j in range(4))],
            -1)
        add, scale, log_error = self.correction(features).unbind(-1)
        if self.config.correct:
            # In units of the ring's noise, so that bright rings stay what
            # the pixels say; but close to the centre, pixels and
            # interpolation are coarse.
            room = 0.02 + 0.3 * torch.exp(-(radii / 2.5)**2)
            mean = mean * (1 + room * torch.tanh(scale)) + add * noise
        z = mean / noise
        z = _positive(z)
        value = -_POGSON * torch.log(z * noise)
        photon = torch.log(_POGSON / (z + 1))
        # the error is at least a part of that of photons
        log_error = torch.logaddexp(log_error, photon - 1.0)
        return value, log_error

    def _sky(self, pyramid):
        """
        Low quantiles of the means of 16 x 16 pixels: the level of the sky.
        """
        k = min(4, pyramid.n_levels - 1)
        value, weight = pyramid.levels[k], pyramid.weights[k]
        hidden = torch.where(weight > 0.5, value, torch.nan).flatten(1)
        hidden = torch.where(hidden.isfinite().any(1, keepdim=True), hidden,
                             0.0)
        at = torch.tensor([0.1, 0.25, 0.5, 0.75], device=value.device,
                          dtype=value.dtype)
        return torch.nanquantile(hidden, at, dim=1).T
