# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Resample, stretch and compress training images, as pictures are.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.clumps.resampling import (
    average_pixels,
    bin_factor,
    enlarge,
    enlargement,
)
from astro_pix2prof.networks.ellipse import ellipse_components

__all__ = ['compress', 'distort', 'stretch']


# Shares of the images that are enlarged before, and of those that are
# stretched as colour pictures are.
_ENLARGED, _STRETCHED = 0.3, 0.3


def compress(image, quality):
    """
    Round the waves in squares of 8 pixels, as JPEG does.

    Parameters
    ----------
    image : `torch.Tensor`, shape (H, W)
        The image in units of its step of 8 bits.

    quality : float
        The step of the coarsest waves; that of the finest is five times as
        large.

    Returns
    -------
    image : `torch.Tensor`, shape (H, W)
    """
    h, w = image.shape
    n = torch.arange(8, dtype=torch.float32)
    dct = torch.cos(math.pi * (n + 0.5) * n[:, None] / 8) * 0.5
    dct[0] /= math.sqrt(2)
    step = quality * (1 + 4 * (n + n[:, None]) / 14)
    squares = functional.pad(image[None, None], (0, -w % 8, 0, -h % 8),
                             mode='replicate')[0, 0]
    hh, ww = squares.shape
    squares = squares.view(hh // 8, 8, ww // 8, 8).transpose(1, 2)
    waves = torch.round(dct @ squares @ dct.T / step) * step
    out = (dct.T @ waves @ dct).transpose(1, 2).reshape(hh, ww)
    return out[:h, :w]


def distort(image, good, frame, sources, side, generator, *, off):
    """
    Resample, stretch, bin and crop an image, and make its truth uncertain.

    Parameters
    ----------
    image : `torch.Tensor`, shape (H, W)
        The image in units of its noise.

    good : `torch.Tensor`, shape (H, W), bool
        Pixels that are not missing.

    frame : `~astro_pix2prof.simulation.planting.GalaxyFrame`
        The galaxy.

    sources : `torch.Tensor`, shape (M, 5)
        x, y, class, whether to be found, and signal-to-noise ratio.

    side : int
        The side of the result in pixels.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    off : tuple of 5 floats
        Errors of the ellipticities, the centre (pixels), and of the
        logarithms of R50, FWHM and noise.

    Returns
    -------
    prepared : dict of `torch.Tensor`
        The arguments of `~astro_pix2prof.networks.clumps.galaxy_maps`, and
        ``sources`` (M, 6): x, y, class, whether to be found, FWHM in
        pixels, and signal-to-noise ratio.
    """
    u = torch.rand(10, generator=generator).tolist()
    noise = torch.randn(6, generator=generator)
    fwhm, centre = frame.fwhm, frame.centre
    gain = frame.gain * frame.sigma
    image = torch.where(good, image, 0.0)
    place = sources[:, :2]
    scale = max(enlargement(fwhm), 1 + u[1] if u[0] < _ENLARGED else 1.0)
    if scale > 1:
        image, good = enlarge(image, good, centre, scale)
        place = (place - centre) * scale + centre
    if u[2] < _STRETCHED:
        image = stretch(image, u[3:7])
        # (the noise of photons is compressed, too)
        gain = math.inf
    fwhm = fwhm * scale
    factor = bin_factor(fwhm)
    if factor > 1:
        image, good = average_pixels(image, good, factor)
        shift = (factor - 1) / 2
        centre, place = (centre - shift) / factor, (place - shift) / factor
        gain = gain * factor
    fwhm, scale = fwhm / factor, scale / factor
    jitter = torch.tensor([u[7], u[8]]) * 8 - 4
    first = torch.round(centre + jitter - (side - 1) / 2)
    image, good = _crop(image, good, first.long().tolist(), side)
    off_shape, off_centre, off_size, off_fwhm, off_noise = off
    wrong = math.exp(off_noise * float(noise[0]))
    e1, e2 = ellipse_components(frame.eps, frame.theta)
    r50 = frame.r50 * scale * math.exp(off_size * float(noise[1]))
    rows = torch.cat([place - first, sources[:, 2:4],
                      torch.full((len(sources), 1), fwhm),
                      sources[:, 4:]], 1)
    inside = ((rows[:, :2] > -0.5) & (rows[:, :2] < side - 0.5)).all(1)
    return {
        'image': image / wrong, 'good': good,
        'centre': centre - first + off_centre * noise[2:4],
        'sma': frame.sma * scale, 'e1': e1 + off_shape * noise[4],
        'e2': e2 + off_shape * noise[5], 'r50': torch.tensor(r50),
        'fwhm': torch.tensor(fwhm * math.exp(off_fwhm * (2 * u[9] - 1))),
        'gain': torch.tensor(gain * wrong), 'sources': rows[inside]}


def stretch(image, u):
    """
    Compress bright pixels, round to 8 bits and to waves, cut dark ones.

    The slope at zero stays 1.

    Parameters
    ----------
    image : `torch.Tensor`, shape (H, W)
        The image in units of its noise.

    u : list of 4 floats
        Uniform random numbers.

    Returns
    -------
    image : `torch.Tensor`, shape (H, W)
    """
    soft = 2 * 20**u[0]
    image = soft * torch.asinh(image / soft)
    step = 0.15 * 10**u[1]
    image = torch.round(image.clamp(min=-3 + 2.5 * u[2]) / step)
    top = float(torch.quantile(image.flatten(), 0.9999))
    # (the brightest are saturated in some)
    image = image.clamp(max=top * (1.0 if u[3] < 0.6 else 0.8))
    if u[3] > 0.3:
        image = compress(image, 4 * u[3])
    return image * step


def _crop(image, good, first, side):
    """
    Cut a square out; pixels beyond the image are missing.
    """
    x, y = first
    h, w = image.shape
    pad = (max(-x, 0), max(x + side - w, 0), max(-y, 0),
           max(y + side - h, 0))
    image = functional.pad(image, pad)
    good = functional.pad(good, pad)
    x, y = x + pad[0], y + pad[2]
    return (torch.where(good, image, 0.0)[y:y + side, x:x + side],
            good[y:y + side, x:x + side])
