# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Stages of the ring network: circles, ellipses, correction, errors.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from astro_pix2prof.networks.ellipse import POGSON, ellipticity
from astro_pix2prof.networks.rings.harmonics import (
    HarmonicGate,
    harmonic_step,
)
from astro_pix2prof.networks.rings.layers import (
    RingBlock,
    RingConv,
    ShapeLoan,
    average_rings,
    full,
    log_shape,
    make_sequence,
    ring_median,
    vector_fields,
)

__all__ = ['CircleStage', 'EllipseStage', 'GeometryErrors', 'MeanCorrection',
           'light_left_out', 'positive']


# Mean values below this many times their noise are drawn up smoothly, so
# that a magnitude exists.
_FLOOR = 0.2

# What is added to faint rings besides what their neighbours say may be so many
# times their noise; and over so many rings in the mean, as far as they are
# larger than this (pixels): rings close to the centre share their pixels.
# Once more is allowed at this signal-to-noise ratio.
_OWN, _NEAR, _COMMON, _APART, _BRIGHT = 1.0, 7, 0.75, 20.0, 6.0

# However bright a ring is, it is made brighter by at most so many times its
# noise, this part of its light, and so many times the error of the sky: next
# to no simulated galaxy asks for more. (It may be fainter by all that
# neighbours have in it.)
_MOST, _MOST_PART, _MOST_SKY = 4.0, 0.04, 3.0

# Three rings that lie next to each other may be made brighter by so many times
# their noise in the mean: more at the first signal-to-noise ratio and below,
# at the second and above, and within so many pixels of the centre. And by so
# much more for an error of the sky as large as the noise, and for an error of
# the network's own as large as that.
_UP, _LOW, _CLEAR, _CORE = 0.6, 3.0, 20.0, 15.0
_OF_SKY, _OF_OWN = 0.5, 0.3

# Along given ellipses flatter than this (and within so much of it, in part),
# so much of the correction is left out where a ring is bright (as many times
# its noise) and large (pixels): for want of a better ellipse, it makes thin
# discs fainter, and the mean along a given ellipse is what it is.
_FLAT, _SOFT, _KEPT, _SURE, _LARGE = 0.65, 0.03, 0.9, 40.0, 4.0

# Where the galaxy is fainter than so many times the noise of a ring, the error
# of small rings (pixels) is that of their noise, whatever is found.
_LOST, _SMALL = 1.5, 15.0


def positive(z):
    """
    Compute (z + sqrt(z^2 + 4 f^2)) / 2: positive, and z where it is large.

    For negative z in the form that does not subtract equal numbers.
    """
    root = torch.sqrt(z**2 + 4 * _FLOOR**2)
    return torch.where(z > 0, 0.5 * (z + root),
                       2 * _FLOOR**2 / (root - z.clamp(max=0)))


def _log_radius(radii):
    """
    Compute the logarithm of radii as a feature, shape (K, 1).
    """
    return (torch.log(radii.clamp(min=0.25)) / 3)[:, None]


def _pool(h, seen):
    """
    Compute mean and r.m.s. of features along each ring: (B, K, 2 C).
    """
    norm = seen.sum(-1).clamp(min=1)[:, None]
    part = h * seen[:, None].to(h.dtype)
    # (sums in single precision, whatever the features have)
    kind = seen.dtype
    mean = part.sum(-1, dtype=kind) / norm
    size = ((part * h).sum(-1, dtype=kind) / norm + 1e-6).sqrt()
    return torch.cat([mean, size], 1).transpose(1, 2)


def _make_blocks(config, channels, n):
    """
    Make the blocks of a stage.
    """
    return nn.ModuleList([
        RingBlock(channels, norm=config.norm_each or k == 0)
        for k in range(n)])


class CircleStage(nn.Module):
    """
    Stage on circles: it predicts the centre and first ellipses.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings.

    channels, n_blocks : int
        Of the convolutions.
    """

    def __init__(self, config, channels, n_blocks):
        super().__init__()
        c = channels
        self.n_angle = config.n_angle
        self.into = RingConv(4, c, (5, 5))
        self.blocks = _make_blocks(config, c, n_blocks)
        self.loan = ShapeLoan(thin=config.thin)
        self.sequence = make_sequence(config, 2 * c,
                                      c + 1 + self.loan.n_in)
        self.out = nn.Conv2d(c, 2, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pyramid, centre, radii):
        """
        Predict the shift of the centre (B, 2) and the ellipses (B, K, 2).
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
        middle = ring_median(snr, weight > 0.3)[..., None]
        seen = (weight > 0.05).to(value.dtype)
        h = torch.stack([
            torch.asinh(snr) / 4 * seen, torch.asinh(snr - middle) / 3 * seen,
            weight, _log_radius(radii).expand(batch, k, t)], 1)
        h = self.blocks[0](self.into(h.to(self.into.weight.dtype)))
        about = self.sequence(_pool(h, seen))
        context, share, shape = about.split(
            (h.shape[1], 1, self.loan.n_in), -1)
        context = context.transpose(1, 2)[..., None].to(h.dtype)
        for block in self.blocks[1:]:
            h = block(h, context)
            context = None
        one, two = full(self.out(functional.silu(h))).unbind(1)
        push, e = vector_fields(one, two, angle)
        share = torch.softmax(share, 1)
        shift = (share * radii[:, None] * push).sum(1)
        return shift, self.loan(e, shape)


class EllipseStage(nn.Module):
    """
    Stage on ellipses: it predicts which points belong to the galaxy.

    It also predicts the remaining errors of ellipses and centre, and which
    rings are sky. It sees the samples of the next coarser level: weights
    that saw the very pixels that they weigh would prefer those with noise
    in one direction.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings.
    """

    def __init__(self, config):
        super().__init__()
        c = config.channels
        self.n_angle = config.n_angle_fine
        self.into = RingConv(5, c, (5, 5))
        self.blocks = _make_blocks(config, c, 3)
        self.loan = ShapeLoan(thin=config.thin)
        self.n_prior = 2 if config.sky_prior else 0
        self.sequence = make_sequence(config, 2 * c + self.n_prior,
                                      c + 3 + self.loan.n_in)
        if config.harmonics:
            self.gate = HarmonicGate(2 * c)
        self.out = nn.Conv2d(c, 3, 1)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            # points count, until there is a reason against them
            self.out.bias.copy_(torch.tensor([3.0, 0.0, 0.0]))

    def forward(self, value, valid, level, radii, e, prior=None, *,
                fine=None):
        """
        Predict point weights, refined ellipses and the sky.

        Parameters
        ----------
        value, valid : `torch.Tensor`, shape (B, K, T)
            Samples along the ellipses, and how usable they are.

        level : `torch.Tensor`, shape (B, K, 1)
            Their level in the pyramid.

        radii : `torch.Tensor`, shape (K,)
            Semi-major axes.

        e : `torch.Tensor`, shape (B, K, 2)
            The ellipses.

        prior : `torch.Tensor`, shape (B, n_prior), optional
            What is known of the sky.

        fine : tuple of `torch.Tensor`, shape (B, K, T), (B, K, T), (B, K)
            Samples of the finer level and how usable they are, and the
            number of independent ones, for networks with ``harmonics``.

        Returns
        -------
        weight : `torch.Tensor`, shape (B, K, T)
            From 0 to 1.

        shift : `torch.Tensor`, shape (B, 2)
            Of the centre.

        e : `torch.Tensor`, shape (B, K, 2)
            Better ellipses.

        sky : tuple of `torch.Tensor`, shape (B, K) and (B,)
            Logarithms of the weight of each ring as sky, and of the weight
            of a sky of zero; with a prior, of the error of a sky from rings.

        known, last : `torch.Tensor`, shape (B, K, C) and (B, K, 2 C)
            Features of each ring, early and late.
        """
        snr = value * 2.0**level
        middle = ring_median(snr, valid > 0.3)[..., None]
        spread = ring_median((snr - middle).abs(), valid > 0.3)[..., None]
        seen = (valid > 0.05).to(value.dtype)
        h = torch.stack([
            torch.asinh(snr) / 4 * seen, torch.asinh(snr - middle) / 3 * seen,
            torch.asinh((snr - middle) / (spread + 0.5)) / 2 * seen,
            valid, _log_radius(radii) * torch.ones_like(value)], 1)
        h = self.blocks[0](self.into(h.to(self.into.weight.dtype)))
        pooled = _pool(h, seen)
        told = pooled
        if self.n_prior:
            told = torch.cat([pooled, prior[:, None].expand(
                -1, pooled.shape[1], -1).to(pooled.dtype)], -1)
        about = self.sequence(told)
        context, share, sky, shape = about.split(
            (h.shape[1], 1, 2, self.loan.n_in), -1)
        context = context.transpose(1, 2)[..., None].to(h.dtype)
        h = self.blocks[2](self.blocks[1](h, context))
        logit, one, two = full(self.out(functional.silu(h))).unbind(1)
        angle = torch.arange(self.n_angle, device=radii.device) * (
            2 * math.pi / self.n_angle)
        push, more = vector_fields(one, two, angle)
        share = torch.softmax(share, 1)
        shift = (share * radii[:, None] * push).sum(1)
        weight, last = torch.sigmoid(logit), full(_pool(h, seen))
        if self.loan.thin:
            step = 2 * more
            if fine is not None:
                step = self.gate(last, step, *_even(
                    fine, weight, radii, e), e)
            e = self.loan(log_shape(e) + step, shape)
        else:
            e = self.loan(self._step(e, more), shape)
        known = full(pooled[..., :h.shape[1]])
        return weight, shift, e, (
            sky[..., 0], sky[..., 1].mean(1)), known, last

    def _step(self, e, more):
        """
        Add a step to ellipses, whose bound is undone first.
        """
        # the thinner the ellipse, the less a change of it may be
        thickness = 1 - e.square().sum(-1, keepdim=True).sqrt()
        size = (e.square().sum(-1, keepdim=True) + 1e-8).sqrt()
        free = e * (torch.atanh((size / 0.97).clamp(max=0.9999)) / size)
        return free + 2 * more * thickness


class MeanCorrection(nn.Module):
    """
    Stage that corrects the means along the ellipses and states errors.

    In units of the noise of each ring, so that bright rings stay what the
    pixels say.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings.
    """

    # Distances, in rings, of the neighbours that a ring is compared with; 0
    # are the rings halfway to them.
    steps = (0, 1, 2, 4)

    def __init__(self, config):
        super().__init__()
        n = len(self.steps)
        self.prior = config.sky_prior
        self.n_features = 17 + n + (3 if self.prior else 0)
        self.sequence = make_sequence(config, self.n_features, 3 + n)
        out = self.sequence.out
        nn.init.zeros_(out.weight)
        with torch.no_grad():
            out.bias.copy_(torch.tensor([0.0, 0.0, -2.0, 0.0]
                                        + [-3.0] * (n - 1)))
        self.active, self.gated = config.correct, config.gate

    def forward(self, rings):
        """
        Apply the learned correction to the ring means.

        Parameters
        ----------
        rings : dict of `torch.Tensor`
            Measurements of each ring, each of shape (B, K).

        Returns
        -------
        value, log_error : `torch.Tensor`, shape (B, K)
            As in `~astro_pix2prof.networks.rings.network.RingProfile`.

        features : `torch.Tensor`, shape (B, K, n_features)
            The features of each ring from which it was computed.

        rise : `torch.Tensor`, shape (B, K), or `None`
            How much of what was added to faint rings is more than their
            noise allows, in units of the noise of a pixel; not in training.
        """
        mean = pixels = rings['mean']
        noise = rings['noise']
        radii, scatter = rings['radii'], rings['scatter']
        snr = mean / noise
        log_mean = torch.asinh(mean * 5)
        slope = torch.gradient(log_mean, dim=1)[0]
        # A mean of neighbours is less noisy: how far it is from the ring
        away = torch.stack([
            _between(*(rings[side] for side in ('inner', 'outer')), noise)
            if step == 0 else
            _between(_moved(mean, -step), _moved(mean, step), noise)
            for step in self.steps], -1) - snr[..., None]
        features = torch.cat([torch.stack([
            torch.asinh(snr) / 5, torch.asinh(mean) / 5, log_mean / 8, slope,
            (torch.log(radii.clamp(min=0.25)) / 3).expand_as(mean),
            rings['eps'], rings['used'], rings['kept'],
            torch.asinh(scatter) / 4,
            torch.asinh(scatter / (mean.abs() + noise)) / 2,
            torch.log(noise) / 3, rings['level'] / 3.0,
            torch.asinh(rings['sky'][:, None] / noise) / 4,
            *(torch.asinh(rings['dark'][:, j, None] / noise) / 4
              for j in range(4))], -1), torch.asinh(away) / 2], -1)
        if self.prior:
            before, after, told = (rings[name][:, None] for name in (
                'sky_before', 'sky_after', 'sky_told'))
            features = torch.cat([features, torch.stack([
                torch.asinh(before / noise) / 4 * told,
                torch.asinh(after / noise) / 4, told.expand_as(mean)], -1)],
                -1)
        out = self.sequence(features)
        add, scale, log_error = out[..., :3].unbind(-1)
        rise = kept = None
        if self.active and self.gated:
            gate = torch.sigmoid(out[..., 3:])
            near = (gate * away.clamp(-5, 5)).sum(-1)
            if self.training:
                add = add + near
            else:
                add = _bounded(add, near, snr, radii)
                # (in units of the noise)
                doubt = _OF_OWN * (torch.exp(log_error) * snr.clamp(
                    min=0) / POGSON)**3
                if self.prior:
                    doubt = doubt + _OF_SKY * before / noise
                rise = _rise(add, snr, radii, doubt)
            # close to the centre, pixels and interpolation are coarse
            room = 0.02 + 0.3 * torch.exp(-(radii / 2.5)**2)
            mean = mean * (1 + room * torch.tanh(scale)) + add * noise
            if not self.training:
                if rings['given']:
                    kept = _kept(rings)
                    mean = mean + kept * (pixels - mean)
                mean = torch.minimum(mean, _brightest(
                    rings, before if self.prior else 0.0))
        z = positive(mean / noise)
        if rise is not None:
            # (not below what the pixels say)
            rise = noise * torch.minimum(rise, (
                z - positive(pixels / noise)).clamp(min=0))
        value = -POGSON * torch.log(z * noise)
        if self.active and not self.gated:
            value = value + add
        photon = torch.log(POGSON / (z + 1))
        # the error is at least a part of that of photons
        log_error = torch.logaddexp(log_error, photon - 1.0)
        if kept is not None:
            # (means of pixels have all of their noise)
            log_error = 0.5 * torch.logaddexp(2 * log_error, 2 * torch.log(
                (kept * POGSON / z.clamp(min=1e-3)).clamp(min=1e-6)))
        if not self.training:
            lost = POGSON / z.clamp(min=1e-3) / (
                (1 + (z / _LOST)**2) * (1 + (radii / _SMALL)**2))
            log_error = 0.5 * torch.logaddexp(2 * log_error,
                                              2 * torch.log(lost))
        return value, log_error, features, rise


class GeometryErrors(nn.Module):
    """
    Stage that states the errors of ellipses, centre and enclosed light.

    It changes nothing else.

    Parameters
    ----------
    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings.

    n_features : int
        The number of features of each ring.
    """

    def __init__(self, config, n_features):
        super().__init__()
        # (and the last steps of ellipses and centre)
        self.sequence = make_sequence(config, n_features + 3, 5)
        out = self.sequence.out
        nn.init.zeros_(out.weight)
        with torch.no_grad():
            out.bias.copy_(torch.tensor([-3.0, -3.0, -1.0, 0.0, -3.0]))

    def forward(self, features, radii, e, step, shift):
        """
        State the errors, each as its natural logarithm.

        Parameters
        ----------
        features : `torch.Tensor`, shape (B, K, n_features)
            What is known of each ring.

        radii : `torch.Tensor`, shape (K,)
            Semi-major axes.

        e, step : `torch.Tensor`, shape (B, K, 2)
            The ellipses, and their last step in `log_shape`.

        shift : `torch.Tensor`, shape (B, 2)
            The last step of the centre.

        Returns
        -------
        eps, angle, enclosed : `torch.Tensor`, shape (B, K)
            Of ellipticity, position angle (radians), and magnitude within.

        centre : `torch.Tensor`, shape (B,)
            Of each coordinate of the centre (pixels).
        """
        flat = log_shape(e).square().sum(-1)
        moved = shift.square().sum(-1)[:, None]
        last = torch.stack([
            (flat + 1e-6).sqrt() / 2,
            torch.log(step.square().sum(-1) + 1e-4) / 6,
            torch.log(moved / (radii + 0.5)**2 + 1e-4) / 6], -1)
        shape, angle, centre, share, enclosed = self.sequence(
            torch.cat([features, last], -1)).unbind(-1)
        # (of the logarithm of the axis ratio at first)
        thickness = 1 - ellipticity(e[..., 0], e[..., 1])
        centre = (torch.softmax(share, 1) * centre).sum(1)
        return (shape + torch.log(thickness.clamp(min=0.01)), angle,
                enclosed, centre)


@torch.no_grad()
def _even(fine, weight, radii, e):
    """
    Calculate the steps of ellipses that make their light even.
    """
    value, valid, number = fine
    return harmonic_step(value, weight * valid, radii, e, number)


def _bounded(own, near, snr, radii):
    """
    Hold what is added to the means of rings to what their noise allows.

    Noise is averaged over neighbours, and then what is added comes to nothing
    over several rings. Where faint rings would all be moved to the same side,
    or one by more than its noise, the network takes the galaxy for one of
    those that it knows: the pixels are right. (Bright rings say so
    themselves.)
    """
    bright = (average_rings(snr.clamp(min=0), _NEAR) / _BRIGHT)**3
    own = torch.minimum(torch.maximum(own, -_OWN - bright), _OWN + bright)
    add = own + near
    common = average_rings(add, _NEAR)
    most = _COMMON * radii / (radii + _APART) + bright
    return add - common + torch.minimum(torch.maximum(common, -most), most)


def _brightest(rings, sky):
    """
    Compute the brightest values of rings that the means of pixels allow.

    A galaxy unlike all that the network knows, as a disc that is darker within
    a ring, may lead it astray. (Missing pixels may be brighter than others.)
    """
    pixels, missing = rings['mean'], 1 - rings['used']
    return (pixels + _MOST * rings['noise'] + _MOST_SKY * sky
            + (_MOST_PART + missing) * pixels.clamp(min=0))


def _kept(rings):
    """
    Compute the part of the pixels' means that stays along given ellipses.
    """
    snr = (rings['mean'] / rings['noise']).clamp(min=0.1)
    return (_KEPT * torch.sigmoid((rings['eps'] - _FLAT) / _SOFT)
            / (1 + (_SURE / snr)**2)
            * (1 - torch.exp(-(rings['radii'] / _LARGE)**2)))


def _rise(add, snr, radii, doubt):
    """
    Compute what is added to faint rings beyond what their noise allows.

    The last rings of a disc with a large bulge, which has another slope, are
    made brighter by several times their noise.
    """
    snr = average_rings(snr.clamp(min=0), 3)
    most = _UP + (snr / _CLEAR)**3 + (_LOW / snr.clamp(min=0.3))**3 + (
        _CORE / radii.clamp(min=0.5))**3 + doubt
    over = (average_rings(add, 3) - most).clamp(min=0)
    return functional.max_pool1d(over, 3, 1, 1)


def _moved(rows, step):
    """
    Return the values of rings some steps away; beyond the ends, the last.
    """
    k = rows.shape[1]
    index = (torch.arange(k, device=rows.device) + step).clamp(0, k - 1)
    return rows[:, index]


def _between(inner, outer, noise):
    """
    Compute the value halfway between two means, in units of the noise.

    In the logarithm where they are bright, linear where they are noise.
    """
    return torch.sinh(0.5 * (torch.asinh(inner / noise)
                             + torch.asinh(outer / noise)))


def light_left_out(value, valid, weight, mean, noise, radii, eps):
    """
    Compute the light of other objects over that of the galaxy.

    Parameters
    ----------
    value, valid, weight : `torch.Tensor`, shape (B, K, T)
        Samples along rings, how usable they are, and their weights.

    mean, noise : `torch.Tensor`, shape (B, K)
        Means of the rings and their noise.

    radii : `torch.Tensor`, shape (K,)
        Semi-major axes in pixels.

    eps : `torch.Tensor`, shape (B, K)
        Ellipticities.

    Returns
    -------
    excess : `torch.Tensor`, shape (B,)
        What the weights leave out, where the galaxy is seen.
    """
    seen = (mean > 3 * noise).to(mean.dtype)
    # the areas that rings stand for
    area = torch.gradient(radii**2)[0] * (1 - eps) * seen
    more = ((1 - weight) * valid * (value - mean[..., None]).clamp(
        min=0)).mean(-1)
    return (area * more).sum(1) / (area * mean).sum(1).clamp(min=1e-3)
