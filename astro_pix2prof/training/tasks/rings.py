# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train ring networks.
"""

import torch

from astro_pix2prof.networks.ellipse import POGSON, ellipticity
from astro_pix2prof.networks.rings.layers import log_shape
from astro_pix2prof.networks.rings.sampling import Pyramid
from astro_pix2prof.training.tasks.holes import fill_holes

__all__ = ['RingTask']


# The part of the images whose sky is not told, and of those in which it is
# known exactly.
_UNTOLD, _KNOWN_SKY = 0.15, 0.05

# An ellipse counts as if the profile declined by at least this (mag for a
# unit of ln radius), and at most that.
_LEAST_SLOPE, _STEEPEST = 0.8, 8.0

# An ellipse counts in full where the signal-to-noise ratio of its ring is this
# one, less where it is smaller, and at least by so much.
_SEEN, _LEAST_SEEN = 2.0, 0.2

# How much the ellipses of the first stage, of those between and of the last
# one count, along which the profile is measured; and how much they all do.
_STAGES, _SHAPES = (0.44, 0.62, 1.0), 3.2

# Of a Laplacian, 68.3% lie within so many times its scale.
_ONE_SIGMA = 1.148


class RingTask:
    """
    Training task of ring networks: centre, ellipses, weights and profile.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.rings.config.RingConfig`
        The settings of the network.
    """

    def __init__(self, recipe, config):
        self.recipe = recipe
        self.config = config

    def batch(self, views, generator):
        """
        Make images in units of the noise, first guesses of centres, and truth.

        Parameters
        ----------
        views : `Views`
            The galaxies.

        generator : `torch.Generator`
            The source of random numbers.

        Returns
        -------
        batch : dict of `torch.Tensor`
        """
        if views.centre is None or views.e1 is None:
            msg = ('data.source: the ring network needs the true centres and '
                   "ellipses, which only 'simulation' has")
            raise ValueError(msg)
        n, n_pix = len(views.image), views.image.shape[-1]
        sigma = views.sigma[:, None]
        # good guesses are as common as poor ones; most images are centred
        # by a catalogue
        # (the generator is that of the CPU, wherever the images are)
        device = views.image.device
        u = torch.rand(3, n, generator=generator).to(device)
        far = 0.08 * n_pix * u[0]**2
        start = views.centre + torch.stack(
            [far * torch.cos(6.2832 * u[1]), far * torch.sin(6.2832 * u[1])],
            1)
        # the noise is measured, to a few per cent
        wrong = torch.exp(0.03 * torch.randn(
            n, 1, generator=generator).to(device))
        scale = sigma * wrong
        image = torch.nan_to_num(views.image / scale[..., None])
        sky = views.sky / scale[..., None]
        image, sky, sky_error = self._tell_sky(
            image, sky, views.sky_error, scale[:, 0], generator)
        good = ~views.mask & torch.isfinite(views.image)
        image, look = fill_holes(
            image, good, views.centre, views.sma, views.intensity / scale,
            torch.stack([views.e1, views.e2], -1), generator)
        return {
            'image': image, 'good': good, 'look': look,
            'others': views.others / scale[..., None],
            'sky': sky, 'sky_error': sky_error,
            'start': start, 'centre': views.centre, 'sma': views.sma,
            'value': -POGSON * torch.log((views.intensity / scale).clamp(
                min=1e-4)),
            'snr': views.intensity / views.ring_noise,
            'e1': views.e1, 'e2': views.e2, 'end': views.end}

    def _tell_sky(self, image, sky, error, scale, generator):
        """
        Tell the error of the sky, of some images nothing, of some the sky.
        """
        if error is None:
            return image, sky, torch.full_like(scale, torch.nan)
        u = torch.rand(len(image), generator=generator).to(image.device)
        untold = u < _UNTOLD
        known = ~untold & (u < _UNTOLD + _KNOWN_SKY)
        gone = known[:, None, None] * sky
        error = torch.where(known, 0.0, error / scale)
        return image - gone, sky - gone, torch.where(
            untold, torch.nan, error)

    def _read(self, network, batch):
        """
        Run the network on a batch.
        """
        look = batch['look']
        # (to ask a GPU would cost more than it saves)
        if look.device.type == 'cpu' and bool((look == batch['good']).all()):
            look = None
        return network(batch['image'], batch['good'], batch['start'],
                       look=look, sky_error=batch['sky_error'])

    def _targets(self, batch, sma):
        """
        Interpolate the truth to the radii of the network, with weights.
        """
        grid = batch['sma']
        high = torch.searchsorted(grid, sma).clamp(1, len(grid) - 1)
        part = ((sma - grid[high - 1]) / (grid[high] - grid[high - 1])).clamp(
            0, 1)
        out = {}
        for key in ('value', 'snr', 'e1', 'e2'):
            rows = batch[key]
            out[key] = ((1 - part) * rows[:, high - 1]
                        + part * rows[:, high])
        inside = sma <= batch['end'][:, None]
        known = sma <= grid[-1]
        # Beyond the end there is still something to learn: where it is,
        # and how the profile goes on.
        faint = (out['snr'] > 0.25) & known
        weight = inside.float() + 0.2 * (faint & ~inside).float()
        # Evenly spaced in the logarithm, few rings lie in the outskirts:
        # most of a profile that is read off in pixels.
        out['weight'] = weight * (sma + 4)**0.7
        out['inside'] = inside & known
        return out

    def loss(self, network, batch, generator):
        """
        Compute the loss of profile, ellipses, centres, weights and sky.
        """
        out = self._read(network, batch)
        true = self._targets(batch, out.sma)
        w = true['weight']
        w = w / w.sum(1, keepdim=True).clamp(min=1e-3)
        d = (out.value - true['value']).abs()
        log_error = out.log_error.clamp(-7, 2)
        # a Laplacian: its scale is the mean absolute error
        profile = d.clamp(max=5) * torch.exp(-log_error) + log_error
        profile = (w * profile).sum(1)
        size = (w * d.clamp(max=5)).sum(1)
        # error of the means before the correction, for rings above the
        # noise
        clear = w * (true['snr'] > 3)
        mean = -POGSON * torch.log((out.mean + 0.2 * out.ring_noise).clamp(
            min=1e-3))
        pixels = (clear * (mean - true['value']).abs().clamp(max=2)).sum(1)
        shape = self._shapes(out, true, w)
        shift = sum(((c - batch['centre']).square().sum(1) + 1e-4).sqrt()
                    .clamp(max=20) for c in out.centres)
        weights, sky = self._decisions(network, batch, out, true['value'], w)
        loss = (profile + size + 0.5 * pixels + _SHAPES * shape
                + 0.1 * shift + weights + 2 * sky)
        more = {'train_weights': weights, 'train_sky': sky,
                'train_mag': size, 'train_shape': shape,
                'train_shift': shift}
        if out.log_e_error is not None:
            errors = self._error_losses(out, true, batch['centre'], w)
            loss = loss + 0.1 * sum(errors.values())
            more.update(errors)
        return loss.mean(), {name: value.mean()
                             for name, value in more.items()}

    def _shapes(self, out, true, w):
        """
        Compute the errors (mag) that wrong ellipses make: (B,).

        A mean along an ellipse whose axis ratio is off by a part is off by
        half of that part of a step in ln radius; one that is turned, by the
        more the thinner it is. Each stage counts, the last one most.
        """
        # a wrong ellipse costs as much in the outskirts as inside
        seen = w * torch.clamp(true['snr'] / _SEEN, _LEAST_SEEN, 1)
        place = torch.log(out.sma.clamp(min=0.25))
        slope = (torch.gradient(true['value'], dim=1)[0]
                 / torch.gradient(place)[0].clamp(min=1e-2)).abs()
        seen = seen * 0.5 * slope.clamp(_LEAST_SLOPE, _STEEPEST)
        target = log_shape(torch.stack([true['e1'], true['e2']], -1))
        size = (target.square().sum(-1) + 1e-8).sqrt()
        axis = target / size[..., None]
        turn = (torch.sinh(size) / size).clamp(max=3)
        total, last = 0.0, len(out.shapes) - 1
        for k, e in enumerate(out.shapes):
            counts = _STAGES[2 if k == last else min(k, 1)]
            off = log_shape(e) - target
            along = (off * axis).sum(-1)
            across = turn * (off[..., 1] * axis[..., 0]
                             - off[..., 0] * axis[..., 1])
            total = total + counts * (seen * (
                along**2 + across**2 + 1e-5).sqrt()).sum(1)
        return total

    def _error_losses(self, out, true, centre, w):
        """
        Compute how unlikely the errors are by what the network states.

        Of ellipticities, angles, centres and magnitudes within rings, each
        of shape (B,). What is stated learns from them, and not what it is
        stated of.
        """
        e1, e2 = out.e1.detach(), out.e2.detach()
        eps, true_eps = ellipticity(e1, e2), ellipticity(
            true['e1'], true['e2'])
        angle = 0.5 * torch.atan2(e1 * true['e2'] - e2 * true['e1'],
                                  e1 * true['e1'] + e2 * true['e2'])
        # (a circle has no angle)
        flat = w * ((true_eps - 0.02) / 0.05).clamp(0, 1)
        off = (out.centre.detach() - centre).abs()
        within = (_enclosed(out.sma, out.value.detach(), eps)
                  - _enclosed(out.sma, true['value'], true_eps))
        # (within the middle there is nothing)
        rings = w * (out.sma > 0)
        return {
            'train_e_error': (w * _unlikely(
                eps - true_eps, out.log_e_error)).sum(1),
            'train_pa_error': (flat * _unlikely(
                angle, out.log_pa_error)).sum(1),
            'train_centre_error': _unlikely(
                off.clamp(max=20), out.log_centre_error[:, None]).mean(1),
            'train_enclosed_error': (rings * _unlikely(
                within.clamp(-5, 5), out.log_enclosed_error)).sum(1)}

    def _decisions(self, network, batch, out, value, w):
        """
        Compute the errors of point weights and of the sky: (B,) each.
        """
        n, radii = len(value), out.sma
        if not network.config.refine:
            return value.new_zeros(2, n)
        with torch.no_grad():
            eps = ellipticity(out.e1, out.e2)
            light = torch.cat([batch['others'], batch['sky']])
            both = Pyramid(light, torch.ones_like(light))
            # as coarse as what the weights are made from
            level = network.ring_levels(both, radii, eps) + 1
            found, inside = both.sample(
                out.x.repeat(2, 1, 1), out.y.repeat(2, 1, 1),
                level.repeat(2, 1, 1))
            others, sky = found.split(n)
            inside = inside[:n] > 0.5
            # other light matters where it is more than a part of the
            # galaxy's, and more than noise
            intensity = torch.exp(-value / POGSON)[..., None]
            matters = 0.05 * intensity + 0.15 * 0.5**(level - 1)
            belongs = 1 / (1 + (others / matters)**2)
            level_of_sky = (sky * inside).sum(-1) / inside.sum(-1).clamp(
                min=1)
            level_of_sky = (w * level_of_sky).sum(1)
        error = value.new_zeros(n)
        if network.config.attention:
            part = torch.nn.functional.binary_cross_entropy(
                out.weight, belongs, reduction='none')
            part = (part * inside).sum(-1) / inside.sum(-1).clamp(min=1)
            error = (w * part).sum(1)
        off = (out.sky - level_of_sky).abs().clamp(max=2)
        if out.sky_rings is not None:
            # what the rings say learns, too, where it has no part
            rings, log_error = out.sky_rings
            away = (rings - level_of_sky).abs().clamp(max=2)
            off = off + 0.5 * away + 0.05 * _unlikely(
                away.detach(), log_error)
        return error, off

    def errors(self, network, batch):
        """
        Compute median absolute errors of the profiles (mag), shape (B,).
        """
        out = self._read(network, batch)
        true = self._targets(batch, out.sma)
        d = torch.where(true['inside'], (out.value - true['value']).abs(),
                        torch.nan)
        return d.nanmedian(1).values


def _unlikely(off, log_error):
    """
    Compute the negative logarithm of a Laplacian, but for a constant.

    68.3% of its deviations are within the error.
    """
    log_error = log_error.clamp(-8, 3)
    return _ONE_SIGMA * off.abs() * torch.exp(-log_error) + log_error


def _enclosed(sma, value, eps):
    """
    Compute the magnitude within each ellipse, from the profile: (B, K).
    """
    intensity = torch.exp(-value / POGSON)
    area = sma**2 * (1 - eps)
    part = 0.5 * (intensity[:, 1:] + intensity[:, :-1]) * (
        area[:, 1:] - area[:, :-1]).clamp(min=0)
    total = torch.nn.functional.pad(torch.cumsum(part, 1), (1, 0))
    return -POGSON * torch.log(total.clamp(min=1e-4))
