# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Train captioners.
"""

import torch

from astro_pix2prof.networks.captioner import prepare_images
from astro_pix2prof.networks.ellipse import NANOMAGGY_ZEROPOINT, POGSON

__all__ = ['CaptionTask', 'cut_profile', 'profile_targets']


def cut_profile(values, *, window=40, threshold=4.0):
    """
    Find the number of values before a profile drowns in noise.

    The criterion of the paper (section 2.3): the signal-to-noise ratio
    (mean/std)^2 of the intensities in a sliding window.

    Parameters
    ----------
    values : `torch.Tensor`, shape (..., L)
        Intensities from the centre outwards.

    window : int, optional
        The length of the window.

    threshold : float, optional
        The ratio at which the profile ends.

    Returns
    -------
    n_values : `torch.Tensor`, shape (...)
        The number of values before the first window whose ratio is below
        the threshold (that window's start plus half of its length); all
        values if there is none. NaN ends a profile.
    """
    finite = torch.isfinite(values)
    length = values.shape[-1]
    end = torch.where(finite.all(-1), length,
                      (~finite).float().argmax(-1))
    if length < window:
        return end
    parts = torch.nan_to_num(values).unfold(-1, window, 1)
    std, mean = torch.std_mean(parts, -1, correction=0)
    # a steep profile scatters about its mean without being noise: take the
    # line through the window out first, as the noise is what is meant
    t = torch.linspace(-1, 1, window, device=values.device,
                       dtype=values.dtype)
    slope = (parts * t).sum(-1) / (t * t).sum()
    noise = (std**2 - slope**2 * (t * t).mean()).clamp(min=1e-30)
    low = mean.clamp(min=0)**2 / noise < threshold
    first = torch.where(low.any(-1), low.float().argmax(-1) + window // 2,
                        length)
    return torch.minimum(first, end)


def profile_targets(sma, intensity, sigma, end, config, length):
    """
    Compute scaled values on the radii of the network.

    Parameters
    ----------
    sma : `torch.Tensor`, shape (N,)
        Semi-major axes in pixels.

    intensity : `torch.Tensor`, shape (B, N)
        Intensity per pixel, in the unit of ``sigma`` ('relative') or in
        nanomaggies per square arcsecond ('absolute').

    sigma : `torch.Tensor`, shape (B,)
        The noise of a sky pixel.

    end : `torch.Tensor`, shape (B,)
        The semi-major axis at which each profile ends, in pixels.

    config : `~astro_pix2prof.networks.captioner.CaptionerConfig`
        The settings of the network.

    length : int
        The number of values.

    Returns
    -------
    target : `torch.Tensor`, shape (B, length)
        From the end on, the last value is repeated.

    n_values : `torch.Tensor`, shape (B,)
        The number of values before that.
    """
    log_i = torch.log(intensity.clamp(min=1e-12))
    at = torch.arange(length, device=sma.device) * config.radius_step
    n_values = (end / config.radius_step).long().clamp(1, length)
    # each profile stops at its end
    at = torch.minimum(at[None].expand(len(end), -1),
                       ((n_values - 1) * config.radius_step)[:, None])
    high = torch.searchsorted(sma, at.contiguous()).clamp(1, len(sma) - 1)
    x0, x1 = sma[high - 1], sma[high]
    part = ((at - x0) / (x1 - x0)).clamp(0, 1)
    value = (1 - part) * log_i.gather(1, high - 1) + part * log_i.gather(
        1, high)
    value = -POGSON * value
    if config.value == 'relative':
        value = value + 2.5 * torch.log10(sigma)[:, None]
    else:
        value = value + NANOMAGGY_ZEROPOINT
    scaled = (value - config.value_low) / (config.value_high
                                           - config.value_low)
    return scaled, n_values


class CaptionTask:
    """
    Training task of captioners: the values of the profile.

    Parameters
    ----------
    recipe : `~astro_pix2prof.training.recipe.Recipe`
        The recipe.

    config : `~astro_pix2prof.networks.captioner.CaptionerConfig`
        The settings of the network.
    """

    def __init__(self, recipe, config):
        self.recipe = recipe
        self.config = config

    def batch(self, views, generator):
        """
        Make scaled images and targets.

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
        cfg, data = self.config, self.recipe.data
        intensity = views.intensity
        if cfg.value == 'absolute':
            intensity = intensity / views.pixel_area[:, None]
        n_pix = views.image.shape[-1]
        length = int(data.length * n_pix / cfg.radius_step)
        end = (views.end + cfg.radius_step).clamp(max=data.length * n_pix)
        target, n_values = profile_targets(
            views.sma, intensity, views.sigma, end, cfg, length)
        longest = int(n_values.max()) + data.tail
        batch = {'image': prepare_images(views.image, views.sigma,
                                         views.mask, cfg),
                 'target': target[:, :longest], 'n_values': n_values}
        if views.kind is not None:
            batch['kind'] = views.kind
        return batch

    def _weights(self, batch):
        """
        Compute the weights of the values, lower after the end of the profile.
        """
        length = batch['target'].shape[1]
        at = torch.arange(length, device=batch['target'].device)
        n = batch['n_values'][:, None]
        w = (at < n).float() + 0.2 * ((at >= n) & (
            at < n + self.recipe.data.tail)).float()
        return w / w.sum(1, keepdim=True)

    def loss(self, network, batch, generator):
        """
        Compute the mean error of the values, and numbers to log.
        """
        t = self.recipe.training
        # (the generator is that of the CPU, wherever the network is)
        forced = bool(torch.rand((), generator=generator)
                      < t.teacher_forcing)
        values = network.train_step(batch['image'], batch['target'],
                                    forced=forced)
        d = values.float() - batch['target']
        error = d.square() if t.loss == 'mse' else d.abs()
        return (error * self._weights(batch)).sum(1).mean(), {}

    def errors(self, network, batch):
        """
        Compute median absolute errors of the profiles (mag), shape (B,).
        """
        cfg = network.config
        span = cfg.value_high - cfg.value_low
        values, _ = network.caption(batch['image'],
                                    length=batch['target'].shape[1])
        target = batch['target'] * span + cfg.value_low
        d = (values - target).abs()
        at = torch.arange(d.shape[1], device=d.device)
        d = torch.where(at < batch['n_values'][:, None], d, torch.nan)
        return d.nanmedian(1).values
