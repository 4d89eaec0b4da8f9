# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train ring networks.
"""

import torch

from astro_pix2prof.networks.ellipse import POGSON, ellipticity
from astro_pix2prof.networks.rings.sampling import Pyramid

__all__ = ['RingTask']


class RingTask:
    """
    Training task of ring networks: centre, ellipses, weights and profile.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.rings.network.RingConfig`
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
        return {
            'image': torch.nan_to_num(views.image / scale[..., None]),
            'good': ~views.mask & torch.isfinite(views.image),
            'others': views.others / scale[..., None],
            'sky': views.sky / scale[..., None],
            'start': start, 'centre': views.centre, 'sma': views.sma,
            'value': -POGSON * torch.log((views.intensity / scale).clamp(
                min=1e-4)),
            'snr': views.intensity / views.ring_noise,
            'e1': views.e1, 'e2': views.e2, 'end': views.end}

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
        out = network(batch['image'], batch['good'], batch['start'])
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
        # a wrong ellipse costs as much in the outskirts as inside
        seen = w * torch.clamp(true['snr'] / 3, 0.1, 1)
        # ... and the more, the flatter the galaxy is
        thin = 1 - ellipticity(true['e1'], true['e2']).clamp(max=0.8)
        seen = seen / thin
        shape = sum((seen * ((e[..., 0] - true['e1'])**2
                             + (e[..., 1] - true['e2'])**2
                             + 1e-6).sqrt()).sum(1) for e in out.shapes)
        shift = sum(((c - batch['centre']).square().sum(1) + 1e-4).sqrt()
                    .clamp(max=20) for c in out.centres)
        weights, sky = self._decisions(network, batch, out, true['value'], w)
        loss = (profile + size + 0.5 * pixels + 2.5 * shape + 0.1 * shift
                + weights + 2 * sky)
        return loss.mean(), {
            'train_weights': weights.mean(), 'train_sky': sky.mean(),
            'train_mag': size.mean(), 'train_shape': shape.mean(),
            'train_shift': shift.mean()}

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
                level.repeat(2, 1, 1).expand(-1, -1, out.x.shape[-1]))
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
        return error, (out.sky - level_of_sky).abs().clamp(max=2)

    def errors(self, network, batch):
        """
        Compute median absolute errors of the profiles (mag), shape (B,).
        """
        out = network(batch['image'], batch['good'], batch['start'])
        true = self._targets(batch, out.sma)
        d = torch.where(true['inside'], (out.value - true['value']).abs(),
                        torch.nan)
        return d.nanmedian(1).values
