# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fill missing pixels of training images as those of real frames are filled.

What a network sees in use went through
`astro_pix2prof.inference.filling`, which works frame by frame, with the
ellipses that the network found. Here the true ones, made a little wrong,
stand for these, and images are filled in batches.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import ellipticity, position_angle

__all__ = ['fill_holes']


# As in use: pixels matter where the galaxy is brighter than this part of
# their noise; filled are those up to so many times that radius and so many
# pixels more.
_BRIGHT, _BEYOND, _MARGIN = 0.3, 1.3, 8

# A mirror image that differs from the ring by more than this part of it and
# so many times the noise shows something else; one of which more than this
# part is bad is not known.
_CONTRAST, _SIGNIFICANT, _TOUCHED = 1.5, 8.0, 0.3

# Annuli are a pixel wide up to so many pixels, then grow by this ratio.
_STRAIGHT, _RATIO = 8, 1.12

# The centre about which pixels are mirrored is off by so many pixels, and
# in a part of the images by more; the ellipses are off by so much.
_OFF, _FAR_OFF, _OFTEN_FAR, _OFF_SHAPE = 0.3, 1.2, 0.2, 0.04

# Ellipticities count as at most this one.
_THINNEST = 0.95

# The part of the images whose holes are not filled, as at the first look at
# a frame.
_LEFT = 0.2


def fill_holes(image, good, centre, sma, intensity, shape, generator):
    """
    Fill the missing pixels of galaxies from the other pixels.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, H, W)
        Images in units of the noise of a pixel.

    good : `torch.Tensor`, shape (B, H, W), bool
        Pixels that are not missing.

    centre : `torch.Tensor`, shape (B, 2)
        True centres (x, y).

    sma : `torch.Tensor`, shape (N,)
        Semi-major axes of the truth in pixels.

    intensity : `torch.Tensor`, shape (B, N)
        True profiles, in units of the noise; they tell only how far the
        galaxy is seen.

    shape : `torch.Tensor`, shape (B, N, 2)
        Two components of the true ellipticity.

    generator : `torch.Generator`
        The source of random numbers, on the CPU.

    Returns
    -------
    image : `torch.Tensor`, shape (B, H, W)
        With estimates of missing pixels, without noise.

    look : `torch.Tensor`, shape (B, H, W), bool
        The good pixels and those that hold estimates. Images of which no
        pixel of the galaxy is missing are what they were.
    """
    n, device = len(image), image.device
    u = torch.rand(2, n, generator=generator)
    off = torch.randn(n, 4, generator=generator)
    off[:, :2] *= torch.where(u[:1].T < _OFTEN_FAR, _FAR_OFF, _OFF)
    off[:, 2:] *= _OFF_SHAPE
    off = off.to(device)
    # (the last radius at which the galaxy is seen)
    seen = intensity > _BRIGHT
    last = (seen * torch.arange(1, len(sma) + 1, device=device)).amax(1)
    extent = torch.where(last > 0, sma[(last - 1).clamp(min=0)], 0.0)
    radius = _radii(image, centre, sma, shape, extent)
    matter = (~good & (radius <= extent[:, None, None])).flatten(1).any(1)
    matter &= (u[1] >= _LEFT).to(device)
    rows = torch.arange(n, device=device)
    # (to ask a GPU which they are would cost more than it saves)
    if device.type == 'cpu':
        rows = matter.nonzero()[:, 0]
    if not len(rows):
        return image, good
    part, known, extent = image[rows], good[rows], extent[rows]
    middle = centre[rows] + off[rows, :2]
    wrong = shape[rows] + off[rows, None, 2:]
    radius = _radii(part, middle, sma, wrong, extent)
    x, y = _offsets(part, middle)
    reach = _BEYOND * extent[:, None, None] + _MARGIN
    missing = ~known & (torch.hypot(x, y) <= reach)
    mirror = _mirror(part, known, middle, _annulus_values(
        part, known, radius))
    missing &= matter[rows, None, None]
    filled = torch.where(missing, mirror, part)
    image, look = image.clone(), good.clone()
    image[rows], look[rows] = filled, known | missing
    return image, look


def _offsets(image, centre):
    """
    Compute the distances of pixels from centres, along x and y.
    """
    h, w = image.shape[1:]
    x = torch.arange(w, device=image.device) - centre[:, 0, None]
    y = torch.arange(h, device=image.device) - centre[:, 1, None]
    return (x[:, None].expand(-1, h, -1), y[:, :, None].expand(-1, -1, w))


def _radii(image, centre, sma, shape, extent):
    """
    Compute the semi-major axes of the ellipses through each pixel.
    """
    x, y = _offsets(image, centre)
    # with the ellipse halfway out, then with that of the radius found
    half = torch.searchsorted(sma, 0.5 * extent).clamp(max=len(sma) - 1)
    e = shape[torch.arange(len(image), device=image.device), half]
    radius = _elliptical(x, y, *(part[:, None, None]
                                 for part in e.unbind(-1)))
    at = torch.searchsorted(sma, radius.flatten(1)).clamp(max=len(sma) - 1)
    e1, e2 = (torch.gather(part, 1, at).view_as(radius)
              for part in shape.unbind(-1))
    return _elliptical(x, y, e1, e2)


def _elliptical(x, y, e1, e2):
    angle = position_angle(e1, e2)
    thickness = 1 - ellipticity(e1, e2).clamp(max=_THINNEST)
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.hypot(x * c + y * s, (y * c - x * s) / thickness)


def _annulus_values(image, good, radius):
    """
    Compute typical values of the annulus that each pixel lies in.
    """
    place = torch.where(
        radius < _STRAIGHT, radius, _STRAIGHT + torch.log(
            radius.clamp(min=_STRAIGHT) / _STRAIGHT) / math.log(_RATIO))
    which = place.long().flatten(1)
    if image.device.type == 'cpu':
        n = int(which.max()) + 1
    else:
        # (to ask a GPU how many would cost more than some that are empty)
        n = _most_annuli(*image.shape[1:])
        which = which.clamp(max=n - 1)
    value = torch.asinh(image).flatten(1)
    use = good.flatten(1).to(value.dtype)
    mean, number = _bin_means(value, use, which, n)
    # (again without what lies far above: it is something else)
    away = value - torch.gather(mean, 1, which)
    size = (_bin_means(away**2, use, which, n)[0] + 1e-6).sqrt()
    use = use * (away < 1.5 * torch.gather(size, 1, which))
    mean, number = _bin_means(value, use, which, n)
    mean = _fill_bins(mean, number > 0)
    at = (place - 0.5).clamp(0, n - 1).flatten(1)
    low = at.long().clamp(max=max(n - 2, 0))
    part = at - low
    found = ((1 - part) * torch.gather(mean, 1, low) + part * torch.gather(
        mean, 1, (low + 1).clamp(max=n - 1)))
    return torch.sinh(found).view_as(image)


def _most_annuli(height, width):
    """
    Count the annuli around a centre that is not far outside of a frame.
    """
    longest = 2 * math.hypot(height, width) / (1 - _THINNEST)
    return math.ceil(_STRAIGHT + math.log(longest / _STRAIGHT)
                     / math.log(_RATIO))


def _bin_means(value, use, which, n):
    zero = value.new_zeros(len(value), n)
    number = zero.scatter_add(1, which, use)
    total = zero.scatter_add(1, which, value * use)
    return total / number.clamp(min=1), number


def _fill_bins(mean, known):
    """
    Give bins without pixels the value of the next one with some.
    """
    n = mean.shape[1]
    steps = torch.arange(n, device=mean.device).expand_as(mean)
    below = torch.cummax(torch.where(known, steps, -1), 1).values
    above = torch.cummin(torch.where(known, steps, n).flip(1), 1).values.flip(
        1)
    # a core that is missing goes on as the profile around it does
    first = above[:, :1].clamp(max=n - 1)
    next_one = (first + 2).clamp(max=n - 1)
    start = torch.gather(mean, 1, first)
    slope = ((torch.gather(mean, 1, next_one) - start) / 2).clamp(-0.5, 0)
    slope = torch.where(torch.gather(known, 1, next_one), slope, 0.0)
    inner = start + slope * (steps - first)
    outer = torch.gather(mean, 1, below.clamp(min=0))
    return torch.where(known.any(1, keepdim=True), torch.where(
        known, mean, torch.where(below < 0, inner, outer)), 0.0)


def _mirror(image, good, centre, level):
    """
    Compute the point-symmetric value of each pixel, or that of its ring.
    """
    h, w = image.shape[1:]
    x, y = _offsets(image, 0 * centre)
    x = 2 * centre[:, 0, None, None] - x
    y = 2 * centre[:, 1, None, None] - y
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    grid = torch.stack([x * (2 / (w - 1)) - 1, y * (2 / (h - 1)) - 1], -1)
    guess = torch.where(good, image, level)
    value = functional.grid_sample(
        guess[:, None], grid, mode='bicubic', padding_mode='border',
        align_corners=True)[:, 0]
    touched = functional.grid_sample(
        (~good).to(image.dtype)[:, None], grid, mode='bilinear',
        padding_mode='border', align_corners=True)[:, 0]
    much = level.abs() * _CONTRAST + _SIGNIFICANT
    known = inside & (touched < _TOUCHED) & ((value - level).abs() < much)
    return torch.where(known, value, level)
