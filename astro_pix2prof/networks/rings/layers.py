# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Layers over rings: radius times angle, and along radius.
"""

import torch
from torch import nn
from torch.nn import functional

__all__ = ['RingBlock', 'RingConv', 'RingConvSequence', 'RingSequence',
           'ShapeLoan', 'average_rings', 'full', 'log_shape',
           'make_sequence', 'ring_median', 'shape_of_log', 'vector_fields']


# Length of the vectors by which rings are compared.
_KEYS = 16

# The largest logarithm of an axis ratio, an ellipticity of 0.97, and how
# suddenly it is approached.
_THINNEST, _STEEP = 3.5, 16

# Distances in rings over which sequences without recurrence look: all of
# them, in steps.
_DILATIONS = 1, 2, 4, 8, 16


class RingConv(nn.Module):
    """
    Convolution over radius and angle that knows no left and right.

    It is circular in angle, and its kernel is the same to both sides: when
    the image is turned or mirrored, so are its results.

    Parameters
    ----------
    n_in, n_out : int
        Channels.

    size : tuple of int, optional
        Of the kernel, in radius and angle; both odd.
    """

    def __init__(self, n_in, n_out, size=(3, 3)):
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.empty(n_out, n_in, *size))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.kaiming_normal_(self.weight, nonlinearity='relu')

    def forward(self, x):
        """
        Convolve: (B, C, K, T) to (B, n_out, K, T).
        """
        weight = 0.5 * (self.weight + self.weight.flip(-1))
        return functional.conv2d(self._pad(x), weight, self.bias)

    def _pad(self, x):
        """
        Pad circularly in angle, and with copies of the last rings in radius.

        Twice as fast as `torch.nn.functional.pad`, which leaves the layout
        that convolutions prefer.
        """
        more, half = self.size[0] // 2, self.size[1] // 2
        if torch.is_grad_enabled() and x.requires_grad:
            return _Pad.apply(x, more, half)
        return _pad(x, more, half)


def _pad(x, more, half):
    """
    Pad circularly along the last axis, and with the ends along the other.
    """
    # once, and with channels as the last axis, which copies whole rows
    x = x.permute(0, 2, 3, 1)
    b, k, t, c = x.shape
    out = x.new_empty((b, k + 2 * more, t + 2 * half, c))
    rows = out[:, more:more + k]
    rows[:, :, half:half + t] = x
    rows[:, :, :half] = x[:, :, -half:]
    rows[:, :, half + t:] = x[:, :, :half]
    out[:, :more] = rows[:, :1]
    out[:, more + k:] = rows[:, -1:]
    return out.permute(0, 3, 1, 2)


class _Pad(torch.autograd.Function):
    """
    Padding whose gradient takes one copy, and not one for each part.
    """

    @staticmethod
    def forward(ctx, x, more, half):
        ctx.more, ctx.half = more, half
        return _pad(x, more, half)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        more, half = ctx.more, ctx.half
        grad = grad.permute(0, 2, 3, 1)
        k, t = grad.shape[1] - 2 * more, grad.shape[2] - 2 * half
        out = grad[:, more:more + k, half:half + t].clone()
        # what lies in the padding belongs to the other side, or to the end
        for row, rows in ((slice(None), grad[:, more:more + k]),
                          (slice(0, 1), grad[:, :more].sum(1, True)),
                          (slice(k - 1, k), grad[:, more + k:].sum(1, True))):
            if row != slice(None):
                out[:, row] += rows[:, :, half:half + t]
            out[:, row, -half:] += rows[:, :, :half]
            out[:, row, :half] += rows[:, :, half + t:]
        return out.permute(0, 3, 1, 2), None, None


class RingBlock(nn.Module):
    """
    Residual block that adds a context for each ring.

    Parameters
    ----------
    channels : int
        Channels, a multiple of 4.

    norm : bool, optional
        Whether it normalises its input.
    """

    def __init__(self, channels, *, norm=True):
        super().__init__()
        self.norm = nn.GroupNorm(4, channels) if norm else nn.Identity()
        self.first = RingConv(channels, channels, (3, 5))
        self.second = RingConv(channels, channels)
        if not norm:
            # small at first, so that nothing grows from block to block
            with torch.no_grad():
                self.second.weight *= 0.1

    def forward(self, x, context=None):
        """
        Apply the block to (B, C, K, T), with a context (B, C, K, 1).
        """
        # (in place where nobody needs what was there)
        here = not torch.is_grad_enabled()
        normed = self.norm(x)
        h = self.first(functional.silu(normed,
                                       inplace=here and normed is not x))
        if context is not None:
            h = h + context
        return x + self.second(functional.silu(h, inplace=here))


class RingSequence(nn.Module):
    """
    Recurrent network along radius, in both directions.

    Parameters
    ----------
    n_in, hidden, n_out : int
        Values of each ring, of the states, and of the results.
    """

    def __init__(self, n_in, hidden, n_out):
        super().__init__()
        self.into = nn.Linear(n_in, hidden)
        self.gru = nn.GRU(hidden, hidden, 2, batch_first=True,
                          bidirectional=True)
        self.out = nn.Linear(2 * hidden, n_out)

    def forward(self, x):
        """
        Apply the network: (B, K, n_in) to (B, K, n_out).
        """
        h = functional.silu(self.into(x))
        h = self.gru(h)[0]
        # in single precision: what comes out is a magnitude
        with torch.autocast(x.device.type, enabled=False):
            return self.out(full(h))


class RingConvSequence(nn.Module):
    """
    Dilated convolutions along radius, from any ring to any other.

    A tenth of the time of `RingSequence`, in which rings wait for each
    other.

    Parameters
    ----------
    n_in, hidden, n_out : int
        Values of each ring, of the layers between, and of the results.
    """

    def __init__(self, n_in, hidden, n_out):
        super().__init__()
        self.into = nn.Linear(n_in, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.all = nn.Linear(hidden, hidden)
        self.near = nn.ModuleList([nn.Linear(3 * hidden, 2 * hidden)
                                   for _ in _DILATIONS])
        self.back = nn.ModuleList([nn.Linear(hidden, hidden)
                                   for _ in _DILATIONS])
        self.out = nn.Linear(hidden, n_out)
        with torch.no_grad():
            for layer in self.back:
                layer.weight *= 0.5

    def forward(self, x):
        """
        Apply the network: (B, K, n_in) to (B, K, n_out).
        """
        # in single precision: what comes out is a magnitude
        with torch.autocast(x.device.type, enabled=False):
            h = self.norm(self.into(full(x)))
            h = h + self.all(functional.silu(h).mean(1, keepdim=True))
            k = h.shape[1]
            for step, near, back in zip(_DILATIONS, self.near, self.back,
                                        strict=True):
                wide = functional.pad(h, (0, 0, step, step))
                one, gate = near(torch.cat([
                    wide[:, :k], h, wide[:, 2 * step:]], -1)).chunk(2, -1)
                h = h + back(one * torch.sigmoid(gate))
            return self.out(functional.silu(h))


def make_sequence(config, n_in, n_out):
    """
    Make the network along radius that the settings ask for.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings.

    n_in, n_out : int
        Values of each ring.

    Returns
    -------
    sequence : `torch.nn.Module`
    """
    cls = RingSequence if config.sequence == 'gru' else RingConvSequence
    return cls(n_in, config.hidden, n_out)


class ShapeLoan(nn.Module):
    """
    Weighted means of ellipses, for rings that do not show their own.

    Where the galaxy is lost in noise, or a neighbour pulls, the ellipse of
    a ring is a mean over those of the rings that it trusts.

    Parameters
    ----------
    thin : bool, optional
        Whether the means are of `log_shape`, in which thin ellipses are no
        harder to reach than others.
    """

    n_in = 2 * _KEYS

    def __init__(self, *, thin=False):
        super().__init__()
        self.thin = thin
        # at first every ring believes itself
        self.own = nn.Parameter(torch.tensor(5.0))

    def forward(self, e, about):
        """
        Replace ellipses of uncertain rings by a weighted mean of the others.

        Parameters
        ----------
        e : `torch.Tensor`, shape (B, K, 2)
            Two components of the ellipticity; of ``thin`` ones, of their
            `log_shape`.

        about : `torch.Tensor`, shape (B, K, n_in)
            The query and the key of each ring.

        Returns
        -------
        e : `torch.Tensor`, shape (B, K, 2)
            With an ellipticity below 0.97.
        """
        ask, offer = about.chunk(2, -1)
        trust = ask @ offer.transpose(1, 2) / _KEYS**0.5
        trust = trust + self.own * torch.eye(
            e.shape[1], device=e.device, dtype=e.dtype)
        e = torch.softmax(trust, -1) @ e
        if self.thin:
            return shape_of_log(e)
        size = (e.square().sum(-1, keepdim=True) + 1e-8).sqrt()
        return e * (0.97 * torch.tanh(size) / size)


def full(x):
    """
    Convert half precision to single precision.
    """
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def log_shape(e):
    """
    Convert ellipticities to the logarithm of the axis ratio.

    A step in it changes a profile as much on a thin ellipse as on a round
    one.

    Parameters
    ----------
    e : `torch.Tensor`, shape (..., 2)
        Ellipticity times cosine and sine of twice the angle.

    Returns
    -------
    shape : `torch.Tensor`, shape (..., 2)
        Minus the natural logarithm of the axis ratio, likewise.
    """
    size = (e.square().sum(-1, keepdim=True) + 1e-8).sqrt()
    return e * (-torch.log1p(-size.clamp(max=0.99)) / size)


def shape_of_log(shape):
    """
    Convert logarithms of the axis ratio to ellipticities below 0.97.

    Parameters
    ----------
    shape : `torch.Tensor`, shape (..., 2)
        See `log_shape`, of which it is the inverse but for the bound.

    Returns
    -------
    e : `torch.Tensor`, shape (..., 2)
        Ellipticity times cosine and sine of twice the angle.
    """
    size = (shape.square().sum(-1, keepdim=True) + 1e-8).sqrt()
    # (beyond a few hundred it would overflow)
    part = (size / _THINNEST).clamp(max=100)
    bound = _THINNEST * part * (1 + part**_STEEP)**(-1 / _STEEP)
    return shape * (-torch.expm1(-bound) / size)


def ring_median(value, use):
    """
    Compute the median of the used points of each ring; 0 without any.
    """
    hidden = torch.where(use, value, torch.nan)
    return torch.nan_to_num(hidden.nanmedian(-1).values)


def average_rings(value, n):
    """
    Average each ring with its neighbours.

    Parameters
    ----------
    value : `torch.Tensor`, shape (B, K) or (B, K, C)
        A value, or several, of each ring.

    n : int
        The number of rings, odd; the outermost ones are repeated.

    Returns
    -------
    mean : `torch.Tensor`
        Of the same shape.
    """
    rows = value[..., None] if value.dim() == 2 else value
    mean = functional.avg_pool1d(functional.pad(
        rows.transpose(1, 2), (n // 2, n // 2), mode='replicate'), n,
        1).transpose(1, 2)
    return mean[..., 0] if value.dim() == 2 else mean


def vector_fields(one, two, angle):
    """
    Project fields along rings on vectors for each ring.

    Of first order, as the centre is, and of second order, as ellipses are:
    both turn and flip with the image.

    Parameters
    ----------
    one, two : `torch.Tensor`, shape (B, K, T)
        The fields.

    angle : `torch.Tensor`, shape (T,)
        From +x, in radians.

    Returns
    -------
    one, two : `torch.Tensor`, shape (B, K, 2)
    """
    first = torch.stack([(one * torch.cos(angle)).mean(-1),
                         (one * torch.sin(angle)).mean(-1)], -1)
    second = torch.stack([(two * torch.cos(2 * angle)).mean(-1),
                          (two * torch.sin(2 * angle)).mean(-1)], -1)
    return first, second
