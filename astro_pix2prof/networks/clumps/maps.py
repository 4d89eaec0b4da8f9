# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Subtract the rings of galaxies with their low Fourier modes, and filter.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from astro_pix2prof.networks.clumps.rings import (
    RingGrid,
    fit_rings,
    signed_log,
)

__all__ = ['CHANNELS', 'GalaxyMaps', 'galaxy_maps', 'gaussian_filter']


# The maps that the network sees.
CHANNELS = ('residual', 'matched', 'compact', 'mirror', 'model', 'contrast',
            'radius', 'good')

# The background of a compact source is that of a Gaussian so many times as
# wide as the PSF.
_WIDE = 2.5

# Sky pixels: beyond so many R50, with less light than so many times their
# noise; the noise of the filtered image is measured on at least so many.
_BEYOND, _DARK, _LEAST = 2.0, 0.5, 200

# A matched pixel counts if at least this part of the weight of its filter is
# on good pixels.
_COVERED = 0.35


@dataclass
class GalaxyMaps:
    """
    Maps of galaxies without their rings.

    Attributes
    ----------
    model : `torch.Tensor`, shape (B, H, W)
        The rings with their Fourier modes, in units of the noise of the
        sky.

    residual : `torch.Tensor`, shape (B, H, W)
        The image less the model; 0 where pixels are bad.

    variance : `torch.Tensor`, shape (B, H, W)
        The variance of a pixel in these units.

    matched, matched_noise : `torch.Tensor`, shape (B, H, W)
        The signal-to-noise ratio of a point source at each pixel, and the
        error of its flux.

    compact : `torch.Tensor`, shape (B, H, W)
        That of a point source above its surroundings.

    radius : `torch.Tensor`, shape (B, H, W)
        The semi-major axis of the ellipse through each pixel, in pixels.

    correlation : `torch.Tensor`, shape (B,)
        The noise of the filtered image relative to that of independent
        pixels.

    channels : `torch.Tensor`, shape (B, 8, H, W)
        What the network sees (``CHANNELS``).
    """

    model: torch.Tensor
    residual: torch.Tensor
    variance: torch.Tensor
    matched: torch.Tensor
    matched_noise: torch.Tensor
    compact: torch.Tensor
    radius: torch.Tensor
    correlation: torch.Tensor
    channels: torch.Tensor


def gaussian_filter(image, sigma, *, power=1):
    """
    Convolve images with Gaussians of their own widths.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, C, H, W)
        The images; zero beyond their borders.

    sigma : `torch.Tensor`, shape (B,)
        Standard deviations in pixels.

    power : int, optional
        The power to which the values of the kernel are raised, after it is
        normalised to a sum of 1.

    Returns
    -------
    image : `torch.Tensor`, shape (B, C, H, W)
    """
    half = max(2, math.ceil(3.5 * float(sigma.max())))
    axis = torch.arange(-half, half + 1, device=image.device)
    kernel = torch.exp(-0.5 * (axis / sigma[:, None])**2)
    kernel = (kernel / kernel.sum(1, keepdim=True))**power   # (B, K)
    b, c, h, w = image.shape
    kernel = kernel.repeat_interleave(c, 0)
    flat = image.reshape(1, b * c, h, w)
    flat = functional.conv2d(flat, kernel[:, None, None], groups=b * c,
                             padding=(0, half))
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=b * c,
                             padding=(half, 0))
    return flat.view(b, c, h, w)


def galaxy_maps(image, good, centre, sma, e1, e2, *, r50, fwhm, gain,
                variance=None, trusted=None):
    """
    Make the maps in which clumps are found.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, H, W)
        Images without their sky, in units of the noise of a sky pixel.

    good : `torch.Tensor`, shape (B, H, W), bool
        Pixels that are not missing.

    centre : `torch.Tensor`, shape (B, 2)
        The centres (x, y) of the galaxies.

    sma, e1, e2 : `torch.Tensor`, shape (B, N)
        Ellipses: semi-major axis in pixels, increasing, and the two
        components of their ellipticity.

    r50 : `torch.Tensor`, shape (B,)
        The semi-major axis in pixels that holds half of the light.

    fwhm : `torch.Tensor`, shape (B,)
        The full width at half maximum of the PSF in pixels.

    gain : `torch.Tensor`, shape (B,)
        Electrons in a unit of the image; infinite if photon noise is to be
        left out.

    variance : `torch.Tensor`, shape (B, H, W), optional
        The variance of each pixel, instead of that of sky and photons.

    trusted : `torch.Tensor`, shape (B, H, W), bool, optional
        Pixels from which the rings are measured; by default, all good ones.

    Returns
    -------
    maps : `GalaxyMaps`
    """
    trusted = good if trusted is None else trusted & good
    image = torch.where(good, image, 0.0)
    grid = RingGrid(image, centre, sma, e1, e2)
    model = fit_rings(image, trusted, grid, fwhm)
    residual = torch.where(good, image - model, 0.0)
    if variance is None:
        variance = 1 + gaussian_filter(
            model[:, None], fwhm / 2.355)[:, 0].clamp(min=0) / gain[
                :, None, None]
    matched, error, compact = _match(residual, good, variance, fwhm)
    correlation = _correlation(matched, good, grid.radius, model, variance,
                               r50)
    scale = correlation[:, None, None]
    matched, compact, error = matched / scale, compact / scale, error * scale
    level = gaussian_filter(model[:, None], fwhm / 2.355)[:, 0]
    smooth = matched * error / (4 * math.pi * (fwhm / 2.355)[
        :, None, None]**2)
    channels = torch.stack([
        signed_log(residual / variance.sqrt() / scale),
        signed_log(matched), signed_log(compact),
        signed_log(_mirror(matched, centre)),
        torch.log1p(level.clamp(min=0) / variance.sqrt()),
        torch.tanh(smooth / (level.clamp(min=0) + 2 / fwhm[:, None, None])),
        torch.log2(grid.radius / r50[:, None, None].clamp(min=0.5)
                   + 0.1).clamp(max=3.0),
        good.to(image.dtype)], 1)
    return GalaxyMaps(model, residual, variance, matched, error, compact,
                      grid.radius, correlation, channels)


def _match(residual, good, variance, fwhm):
    """
    Filter with a Gaussian PSF: signal-to-noise ratio, error of the flux.
    """
    sigma = fwhm / 2.355
    weight = good / variance
    both = torch.stack([residual * weight, good.to(residual.dtype)], 1)
    wide = gaussian_filter(both, _WIDE * sigma)
    base = gaussian_filter(weight[:, None], _WIDE * sigma)[:, 0]
    base = wide[:, 0] / base.clamp(min=1e-6)
    above = torch.where(good, residual - base, 0.0)
    signal = gaussian_filter(torch.stack(
        [residual * weight, above * weight], 1), sigma)
    precision = gaussian_filter(torch.stack(
        [weight, torch.ones_like(weight) / variance], 1), sigma, power=2)
    covered = precision[:, 0] > _COVERED * precision[:, 1]
    error = precision[:, 0].clamp(min=1e-12).rsqrt()
    signal = torch.where(covered[:, None], signal * error[:, None], 0.0)
    return signal[:, 0], error, signal[:, 1]


def _correlation(matched, good, radius, model, variance, r50):
    """
    Measure the noise of the filtered image on the sky; at least 1.
    """
    sky = good & (radius > _BEYOND * r50[:, None, None]) & (
        model < _DARK * variance.sqrt())
    out = torch.ones_like(r50)
    for k in range(len(out)):
        value = matched[k][sky[k]]
        if len(value) >= _LEAST:
            # (sources are above: what is below the median tells)
            low, middle = torch.quantile(value, torch.tensor(
                [0.1587, 0.5], device=value.device, dtype=value.dtype))
            out[k] = (middle - low).clamp(1.0, 20.0)
    return out


def _mirror(image, centre):
    """
    Turn images by half a turn about the centres.
    """
    h, w = image.shape[1:]
    x = torch.arange(w, device=image.device, dtype=image.dtype)
    y = torch.arange(h, device=image.device, dtype=image.dtype)
    x = (2 * centre[:, :1] - x) * (2 / (w - 1)) - 1
    y = (2 * centre[:, 1:] - y) * (2 / (h - 1)) - 1
    grid = torch.stack([x[:, None].expand(-1, h, -1),
                        y[:, :, None].expand(-1, -1, w)], -1)
    return functional.grid_sample(image[:, None], grid, mode='bilinear',
                                  padding_mode='zeros',
                                  align_corners=True)[:, 0]
