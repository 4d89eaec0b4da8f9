# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compute the true profile of a simulated galaxy.

At semi-major axis a, it is the mean of the noise-free, PSF-convolved image
of the galaxy alone along the ellipse that best follows its isophote: what
isophote fitting measures with perfect data. Arms, clumps and tides do not
steer the ellipses, but are part of the mean.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import (
    ellipse_components,
    ellipse_shape,
    ellipticity,
    position_angle,
)

__all__ = ['isophote_shapes', 'ring_means', 'sma_grid', 'true_profile']


def sma_grid(n_pix, *, n_sma=96, device=None):
    """
    Compute the semi-major axes of the truth, up to 0.75 of the frame.

    The step is 0.15 px at the centre and grows in proportion to the
    radius, as the scale of change of a profile does.

    Parameters
    ----------
    n_pix : int
        The side of the frame.

    n_sma : int, optional
        The number of radii.

    device : `torch.device`, optional
        The device.

    Returns
    -------
    sma : `torch.Tensor`, shape (n_sma,)
        In pixels.
    """
    soft = 2.0
    top = math.asinh(0.75 * n_pix / soft)
    return soft * torch.sinh(torch.linspace(0, top, n_sma, device=device))


def _smooth(values, width):
    """
    Smooth along the last axis with a Gaussian, the ends repeated.
    """
    half = math.ceil(3 * width)
    t = torch.arange(-half, half + 1, device=values.device)
    kernel = torch.exp(-0.5 * (t / width)**2)
    kernel = (kernel / kernel.sum())[None, None]
    shape = values.shape
    flat = functional.pad(values.reshape(-1, 1, shape[-1]), (half, half),
                          mode='replicate')
    return functional.conv1d(flat, kernel).view(shape)


def isophote_shapes(image, r_max, *, n_r=112, n_angle=64):
    """
    Fit ellipses to the points where rays cross isophotes.

    The light along each ray from the centre is made monotone (the mean of
    its running minimum and of its running maximum from outside), each
    level is crossed once on each ray, and 1/r^2 = A + B cos 2t + C sin 2t
    is solved by weighted least squares for all levels at once.

    Parameters
    ----------
    image : `~astro_pix2prof.simulation.convolution.ConvolvedImage`
        The galaxy without arms and clumps.

    r_max : `torch.Tensor`, shape (B,)
        The largest radius that lies in the padded frame in all directions.

    n_r, n_angle : int, optional
        The numbers of radii and of rays.

    Returns
    -------
    sma, e1, e2 : `torch.Tensor`, shape (B, n_r)
        Semi-major axis, and ellipticity times cosine and sine of twice the
        angle from +x, from inside out.
    """
    device = r_max.device
    steps = torch.linspace(0, 1, n_r, device=device)
    log_r = math.log(0.3) + steps * (torch.log(r_max)[:, None]
                                     - math.log(0.3))     # (B, n_r)
    radii = torch.exp(log_r)
    t = torch.arange(n_angle, device=device) * (2 * math.pi / n_angle)
    rays = image.sample(radii[..., None] * torch.cos(t),
                        radii[..., None] * torch.sin(t))  # (B, n_r, T)
    rays = rays.transpose(1, 2).contiguous()              # (B, T, n_r)
    down = torch.cummin(rays, -1).values
    up = torch.cummax(rays.flip(-1), -1).values.flip(-1)
    rays = 0.5 * (down + up)
    top = rays.amax((1, 2), keepdim=True)
    rays = torch.log(torch.maximum(rays, 1e-9 * top))
    # strictly decreasing, so that each level has one place
    rays = rays - 1e-5 * torch.arange(n_r, device=device)
    levels = rays.mean(1)                                 # (B, n_r)
    wanted = -levels[:, None].expand(-1, n_angle, -1).contiguous()
    high = torch.searchsorted(-rays, wanted).clamp(1, n_r - 1)
    y0, y1 = rays.gather(-1, high - 1), rays.gather(-1, high)
    part = ((y0 + wanted) / (y0 - y1)).clamp(0, 1)
    x = log_r[:, None].expand(-1, n_angle, -1)
    x0, x1 = x.gather(-1, high - 1), x.gather(-1, high)
    crossing = torch.exp(x0 + part * (x1 - x0))           # (B, T, n_r)
    inside = (crossing < 0.999 * r_max[:, None, None]).float()
    # a relative error of r is a relative error of 2 in 1/r^2; rays that
    # leave the frame before they cross carry no weight
    weight = crossing**4 * (inside + 1e-3)
    design = torch.stack([torch.ones_like(t), torch.cos(2 * t),
                          torch.sin(2 * t)])              # (3, T)
    pairs = (design[:, None] * design).reshape(9, -1)
    lhs = torch.einsum('btl,it->bli', weight, pairs)
    rhs = torch.einsum('btl,it->bli', weight / crossing**2, design)
    lhs = lhs.view(*lhs.shape[:2], 3, 3)
    scale = lhs[..., 0, 0, None]
    lhs = lhs / scale[..., None] + 1e-9 * torch.eye(3, device=device)
    a, b, c = torch.linalg.solve(lhs, rhs / scale).unbind(-1)
    amp = torch.minimum(torch.hypot(b, c), 0.995 * a)
    a = a.clamp(min=1e-12)
    major, minor = (a - amp)**-0.5, (a + amp)**-0.5
    eps = 1 - minor / major
    e1, e2 = ellipse_components(eps, position_angle(-b, -c))
    # levels that fewer than six tenths of the rays reach are extrapolated
    # from those inside
    good = inside.mean(1) > 0.6
    last = (good.float() * torch.arange(n_r, device=device)).argmax(1)
    index = torch.minimum(torch.arange(n_r, device=device)[None],
                          last[:, None])
    e1, e2 = e1.gather(1, index), e2.gather(1, index)
    major = torch.where(index < torch.arange(n_r, device=device),
                        math.inf, major)
    return major, e1, e2


def _interpolate(x, y, at):
    """
    Interpolate rows linearly: (B, N), (B, N) at (B, M).
    """
    at = torch.minimum(torch.maximum(at, x[:, :1]), x[:, -1:])
    high = torch.searchsorted(x, at.contiguous()).clamp(1, x.shape[1] - 1)
    x0, x1 = x.gather(1, high - 1), x.gather(1, high)
    y0, y1 = y.gather(1, high - 1), y.gather(1, high)
    part = (at - x0) / (x1 - x0).clamp(min=1e-12)
    return y0 + part.clamp(0, 1) * (y1 - y0)


def ring_means(image, sma, e1, e2, *, n_angle=128):
    """
    Compute the mean of an image along ellipses, weighted by arc length.

    Parameters
    ----------
    image : `~astro_pix2prof.simulation.convolution.ConvolvedImage`
        The image.

    sma, e1, e2 : `torch.Tensor`, shape (B, N)
        The ellipses.

    n_angle : int, optional
        Samples along an ellipse.

    Returns
    -------
    mean : `torch.Tensor`, shape (B, N)
        The part of an ellipse outside of the padded frame is left out.
    """
    device = sma.device
    t = (torch.arange(n_angle, device=device) + 0.5) * (2 * math.pi / n_angle)
    eps, pa = ellipse_shape(e1, e2)
    a = sma[..., None]
    b = a * (1 - eps)[..., None]
    u, v = a * torch.cos(t), b * torch.sin(t)
    c, s = torch.cos(pa)[..., None], torch.sin(pa)[..., None]
    dx, dy = u * c - v * s, u * s + v * c
    values = image.sample(dx, dy)
    grid = image.grid
    low, high = -grid.pad, grid.n_pix + grid.pad - 1
    x = dx + grid.centre[:, 0, None, None]
    y = dy + grid.centre[:, 1, None, None]
    inside = (x >= low) & (x <= high) & (y >= low) & (y <= high)
    arc = torch.hypot(a * torch.sin(t), b * torch.cos(t)) + 1e-6
    arc = arc * inside
    return (values * arc).sum(-1) / arc.sum(-1).clamp(min=1e-9)


def true_profile(image, smooth, sma):
    """
    Compute the true profile: intensity, ellipses and enclosed flux.

    Parameters
    ----------
    image, smooth : `~astro_pix2prof.simulation.convolution.ConvolvedImage`
        The galaxy, and the galaxy without arms and clumps.

    sma : `torch.Tensor`, shape (N,)
        The semi-major axes wanted, in pixels.

    Returns
    -------
    profile : dict of `torch.Tensor`, shape (B, N)
        ``intensity`` (flux per pixel), ``e1``, ``e2`` (ellipticity times
        cosine and sine of twice the angle from +x), ``enclosed`` (flux
        within the ellipse).
    """
    grid = smooth.grid
    centre = grid.centre
    last = grid.n_pix - 1
    room = torch.minimum(centre, last - centre).amin(1)
    r_max = (room + grid.pad - 2).clamp(min=8)
    major, e1, e2 = isophote_shapes(smooth, r_max)
    major = torch.cummax(major.clamp(min=1e-3), 1).values
    # a common grid, even in the logarithm, and the noise of the ray
    # sampling smoothed out over 0.1 in ln a
    n_even = 120
    even = torch.linspace(math.log(0.3), math.log(1.1 * grid.n_pix), n_even,
                          device=sma.device)
    even = even.repeat(len(centre), 1)
    log_major = torch.log(major.clamp(max=1e6))
    shape = [_interpolate(log_major, e, even) for e in (e1, e2)]
    width = 0.1 / float(even[0, 1] - even[0, 0])
    shape = [_smooth(e.contiguous(), width) for e in shape]
    log_sma = torch.log(sma.clamp(min=0.3)).expand(len(centre), -1)
    e1, e2 = (_interpolate(even, e, log_sma) for e in shape)
    all_sma = sma.expand(len(centre), -1)
    intensity = ring_means(image, all_sma, e1, e2)
    area = math.pi * all_sma**2 * (1 - ellipticity(e1, e2))
    area = torch.cummax(area, 1).values
    middle = 0.5 * (intensity[:, 1:] + intensity[:, :-1])
    enclosed = torch.cumsum(middle * area.diff(dim=1), 1)
    enclosed = functional.pad(enclosed, (1, 0))
    return {'intensity': intensity, 'e1': e1, 'e2': e2,
            'enclosed': enclosed}
