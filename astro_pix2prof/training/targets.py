# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles as sequences that a network can learn.
"""

from dataclasses import replace

import torch
from torch.nn import functional

__all__ = ['cut_profile', 'profile_targets', 'shift_crop',
           'show_differently', 'turn']


def cut_profile(values, *, window=40, threshold=4.0):
    """
    Where a measured profile drowns in noise.

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
    Scaled values on the network's radii.

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
    value = -2.5 / 2.302585093 * value
    if config.value == 'relative':
        value = value + 2.5 * torch.log10(sigma)[:, None]
    else:
        value = value + 22.5
    scaled = (value - config.value_low) / (config.value_high
                                           - config.value_low)
    return scaled, n_values


def turn(image, mask, k, flip):
    """
    One of the eight turns and reflections of a square.
    """
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    return torch.rot90(image, k, (-2, -1)), torch.rot90(mask, k, (-2, -1))


def shift_crop(image, mask, n_pix, dx, dy):
    """
    A square of ``n_pix``, moved from the middle; outside is masked.
    """
    h, w = image.shape[-2:]
    need = max(0, (n_pix - min(h, w) + 1) // 2) + max(abs(dx), abs(dy))
    room = (min(h, w) - n_pix) // 2
    pad = max(0, need - max(room, 0))
    if pad:
        image = functional.pad(image, (pad,) * 4)
        mask = functional.pad(mask, (pad,) * 4, value=True)
        h, w = image.shape[-2:]
    y, x = (h - n_pix) // 2 + dy, (w - n_pix) // 2 + dx
    return image[..., y:y + n_pix, x:x + n_pix], mask[..., y:y + n_pix,
                                                     x:x + n_pix]


def show_differently(views, n_pix, dx, dy, k, flip):
    """
    Crop, shift, turn and mirror galaxies, and what is known of them.

    Parameters
    ----------
    views : `~astro_pix2prof.training.tasks.Views`
        The galaxies.

    n_pix : int
        The side of the crop.

    dx, dy : int
        How far the crop is moved, in pixels.

    k : int
        Quarter turns.

    flip : bool
        Whether to mirror left and right first.

    Returns
    -------
    views : `~astro_pix2prof.training.tasks.Views`
    """
    side = torch.tensor([views.image.shape[-1], views.image.shape[-2]])
    image, mask = shift_crop(views.image, views.mask, n_pix, dx, dy)
    image, mask = turn(image, mask, k, flip)
    changes = {'image': image, 'mask': mask}
    for name in ('others', 'sky'):
        part = getattr(views, name)
        if part is not None:
            moved = shift_crop(part, views.mask, n_pix, dx, dy)
            changes[name] = turn(*moved, k, flip)[0]
    last = n_pix - 1
    if views.centre is not None:
        first = torch.tensor([dx, dy]) + torch.div(
            side - n_pix, 2, rounding_mode='floor')
        x, y = (views.centre - first).unbind(1)
        if flip:
            x = last - x
        for _ in range(k):
            x, y = y, last - x
        changes['centre'] = torch.stack([x, y], 1)
    if views.e1 is not None:
        changes['e2'] = -views.e2 if flip else views.e2
        changes['e1'] = views.e1
        if k % 2:
            # a quarter turn is half a turn of twice the angle
            changes = {**changes, 'e1': -changes['e1'], 'e2': -changes['e2']}
    return replace(views, **changes)
