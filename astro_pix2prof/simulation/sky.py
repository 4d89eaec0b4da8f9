# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Add noise and residual sky, and subtract the sky as surveys do.
"""

import torch
from torch.nn import functional

__all__ = ['add_noise', 'residual_sky', 'subtract_sky']


def residual_sky(instruments, n_pix, generator, device):
    """
    Draw the residual sky: an offset, a gradient and a bend.

    Parameters
    ----------
    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    n_pix : int
        The side of the frame.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    device : `torch.device`
        Device of the sky.

    Returns
    -------
    sky : `torch.Tensor`, shape (B, n_pix, n_pix)
        In nanomaggies per pixel.
    """
    sigma = instruments['sigma'].float()
    n = len(sigma)
    c = torch.randn(6, n, 1, 1, generator=generator)
    # one frame in ten has a sky that was hardly subtracted
    poor = torch.where(torch.rand(n, 1, 1, generator=generator) < 0.1,
                       8.0, 1.0)
    t = torch.linspace(-1, 1, n_pix)
    x, y = t[None, None, :], t[None, :, None]
    sky = (0.15 * poor * c[0] + 0.10 * (c[1] * x + c[2] * y)
           + 0.04 * (c[3] * x * x + c[4] * y * y + c[5] * x * y))
    return (sky * sigma[:, None, None]).to(device)


def add_noise(image, instruments, generator, device_generator=None):
    """
    Draw photon and read noise, for three frames in ten resampled.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        The noise-free frames, sources only, without the sky.

    instruments : dict
        ``sigma`` is the noise of a sky pixel, after resampling.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    device_generator : `torch.Generator`, optional
        The same on the device of the image.

    Returns
    -------
    noise : `torch.Tensor`, shape (B, n, n)
        The noise alone.
    """
    device = image.device
    sigma = instruments['sigma'].float().to(device)[:, None, None]
    gain = instruments['gain'].float().to(device)[:, None, None]
    white = torch.randn(image.shape, device=device,
                        generator=device_generator or generator)
    n = len(image)
    u = torch.rand(n, 3, generator=generator)
    for k in (u[:, 0] < 0.3).nonzero()[:, 0].tolist():
        # the kernel of a shift by a fraction of a pixel, bilinear or
        # between bilinear and cubic; the variance is restored
        f = u[k, 1:].tolist()
        kernels = [torch.tensor([0.5 * (1 - p) * 0.6, 1 - 0.3 * (1 - p),
                                 0.5 * (1 - p) * 0.6]) for p in f]
        kernel = (kernels[0][None] * kernels[1][:, None]).to(device)
        kernel = kernel / kernel.square().sum().sqrt()
        wide = functional.pad(white[k][None, None], (1, 1, 1, 1),
                              mode='reflect')
        white[k] = functional.conv2d(wide, kernel[None, None])[0, 0]
    return white * torch.sqrt(sigma**2 + image.clamp(min=0) / gain)


def subtract_sky(image, instruments, mask, generator, *, share=0.4):
    """
    Estimate the sky on the noisy frame and subtract it, as surveys do.

    Boxes with clipped medians, interpolated, or a plane or paraboloid
    through the faint pixels: both take light from a large galaxy.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        The frames; changed in place.

    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    mask : `torch.Tensor`, shape (B, n, n), bool
        Bad pixels, which are left out.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    share : float, optional
        The share of the frames.

    Returns
    -------
    sky : `torch.Tensor`, shape (B, n, n)
        Level that was subtracted, in nanomaggies per pixel.
    """
    b, n = image.shape[:2]
    u = torch.rand(b, 4, generator=generator)
    out = torch.zeros_like(image)
    sigma = instruments['sigma'].float()
    t = torch.linspace(-1, 1, n, device=image.device)
    for k in (u[:, 0] < share).nonzero()[:, 0].tolist():
        limit = (1.5 + 1.5 * float(u[k, 1])) * float(sigma[k])
        if u[k, 2] < 0.6:
            boxes = (1, 2, 2, 3, 4)[int(5 * u[k, 3])]
            size = n // boxes
            part = image[k, :size * boxes, :size * boxes]
            bad = mask[k, :size * boxes, :size * boxes]
            # every second pixel in each direction gives the same median
            def cut(a, boxes=boxes, size=size):
                a = a.reshape(boxes, size, boxes, size)[:, ::2, :, ::2]
                return a.permute(0, 2, 1, 3).reshape(boxes * boxes, -1)
            values = cut(part)
            values = torch.where(cut(bad), torch.nan, values)
            for _ in range(3):
                level = values.nanmedian(1, keepdim=True).values
                far = (values - level).abs() > limit * 1.2
                values = torch.where(far, torch.nan, values)
            level = values.nanmedian(1).values
            level = torch.where(level.isnan(), level.nanmedian(), level)
            level = level.nan_to_num(0.0).view(1, 1, boxes, boxes)
            sky = functional.interpolate(level, size=(n, n), mode='bicubic'
                                         if boxes > 1 else 'nearest')[0, 0]
        else:
            degree = 1 + int(2 * u[k, 3])
            x, y = t[None, ::3].expand(len(t[::3]), -1), t[::3, None].expand(
                -1, len(t[::3]))
            sub, bad = image[k, ::3, ::3], mask[k, ::3, ::3]
            sky = torch.zeros_like(image[k])
            terms = [(i, j) for i in range(degree + 1)
                     for j in range(degree + 1 - i)]
            design = torch.stack([x**i * y**j for i, j in terms], -1)
            good = ~bad
            level = sub[good].median() if good.any() else sub.mean()
            fit = torch.full_like(sub, float(level))
            for _ in range(3):
                use = good & ((sub - fit).abs() < limit)
                if use.sum() < 50:
                    break
                d = design[use]
                c = torch.linalg.solve(
                    d.T @ d + 1e-4 * torch.eye(len(terms), device=d.device),
                    d.T @ sub[use])
                fit = design @ c
                sky = sum(v * t[None, :]**i * t[:, None]**j
                          for v, (i, j) in zip(c, terms, strict=True))
        out[k] = sky
    image -= out
    return out
