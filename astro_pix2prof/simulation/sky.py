# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Add noise and residual sky, and subtract the sky as surveys do.
"""

import torch
from torch.nn import functional

__all__ = ['add_noise', 'quantise', 'residual_sky', 'subtract_prior',
           'subtract_sky']

# Errors of a sky level that a pipeline states, in units of the noise of a
# pixel: where there is free sky; of uneven skies, and how many are uneven;
# and the part of the galaxy's light at the faintest pixels that counts.
_FREE = 0.008, 0.05
_UNEVEN, _OFTEN_UNEVEN = (0.02, 0.3), 0.35
_OF_TAIL = 0.27

# How often too much is subtracted, and by how much of its error typically;
# where that is the galaxy's light, by so much more; and at most.
_TOO_MUCH = 0.8
_TYPICAL, _TYPICAL_TAIL, _LARGEST_PULL = 0.4, 0.7, 6.0


def residual_sky(instruments, n_pix, generator, device):
    """
    Draw the residual sky: an offset, a gradient and a bend.

    In units of the noise: the offset is normal with a standard deviation
    of 0.15, of 1.2 in one frame in ten; the gradient, from the middle to
    the edge, of 0.1, of 0.35 in one in eight; the bend of 0.04, of 0.15 in
    one in eight.

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
    u = torch.rand(3, n, 1, 1, generator=generator)
    poor = torch.where(u[0] < 0.1, 8.0, 1.0)
    tilt = torch.where(u[1] < 0.125, 0.35, 0.1)
    bowl = torch.where(u[2] < 0.125, 0.15, 0.04)
    t = torch.linspace(-1, 1, n_pix)
    x, y = t[None, None, :], t[None, :, None]
    sky = (0.15 * poor * c[0] + tilt * (c[1] * x + c[2] * y)
           + bowl * (c[3] * x * x + c[4] * y * y + c[5] * x * y))
    return (sky * sigma[:, None, None]).to(device)


def add_noise(image, instruments, generator, device_generator=None):
    """
    Draw photon and read noise, for a third of the frames correlated.

    One frame in five has a Gaussian kernel of 0.4 to 1 px, one in seven
    that of a shift by a fraction of a pixel. Frames of few photons
    ('poisson') have counts without read noise.

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

    kernel : `torch.Tensor`, shape (B,)
        The standard deviation of the Gaussian kernel in pixels; 0 where
        there is none.
    """
    device = image.device
    sigma = instruments['sigma'].float().to(device)[:, None, None]
    gain = instruments['gain'].float().to(device)[:, None, None]
    white = torch.randn(image.shape, device=device,
                        generator=device_generator or generator)
    n = len(image)
    u = torch.rand(n, 3, generator=generator)
    poisson = instruments['poisson']
    smooth = (u[:, 0] > 0.8) & ~poisson
    width = torch.where(smooth, 0.4 + 0.6 * u[:, 1], 0.0)
    for k in (((u[:, 0] < 0.14) & ~poisson) | smooth).nonzero()[
            :, 0].tolist():
        if smooth[k]:
            t = torch.arange(-3, 4)
            kernels = [torch.exp(-0.5 * (t / width[k])**2)] * 2
        else:
            # the kernel of a shift by a fraction of a pixel, bilinear or
            # between bilinear and cubic
            f = u[k, 1:].tolist()
            kernels = [torch.tensor([0.5 * (1 - p) * 0.6, 1 - 0.3 * (1 - p),
                                     0.5 * (1 - p) * 0.6]) for p in f]
        half = len(kernels[0]) // 2
        wide = functional.pad(white[k][None, None], (half,) * 4,
                              mode='reflect')
        for kernel, shape in zip(kernels, ((1, 1, 1, -1), (1, 1, -1, 1)),
                                 strict=True):
            # the variance is restored
            kernel = (kernel / kernel.square().sum().sqrt()).to(device)
            wide = functional.conv2d(wide, kernel.view(shape))
        white[k] = wide[0, 0]
    noise = white * torch.sqrt(sigma**2 + image.clamp(min=0) / gain)
    for k in poisson.nonzero()[:, 0].tolist():
        # all of the noise of an empty pixel is that of its photons
        expected = (sigma[k]**2 * gain[k] + image[k]).clamp(min=0) * gain[k]
        counts = torch.poisson(expected,
                               generator=device_generator or generator)
        noise[k] = (counts - expected) / gain[k]
    return noise, width


def quantise(image, instruments, generator):
    """
    Round pixel values to steps, where the instrument has some.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        The frames; changed in place.

    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    generator : `torch.Generator`
        The source of random numbers (CPU).
    """
    step = instruments['quantum'] * instruments['sigma'].float()
    # the sky that was subtracted is no whole number of steps
    u = torch.rand(len(image), generator=generator)
    for k in (step > 0).nonzero()[:, 0].tolist():
        s, zero = float(step[k]), float(u[k])
        image[k] = s * (torch.round(image[k] / s + zero) - zero)


def subtract_prior(image, sky, clean, others, sigma, generator):
    """
    Subtract the sky level that a pipeline would have measured.

    The pipeline states an error of the mean sky beyond the galaxy. Its parts
    are one between 0.008 and 0.05 sigma, uniform in its logarithm; that of
    the pixels' noise; in one frame in three, structure of the sky of 0.02 to
    0.3 sigma; and 0.27 of the light of the galaxy that is left at the
    faintest pixels of the frame, times a factor whose logarithm has a
    standard deviation of 0.6. At most, it is 3 sigma.

    What the pipeline subtracts is off by this error times a number that is
    not normal: in four frames of five, it takes wings of objects for sky,
    and too much is subtracted. The logarithm of the number has a standard
    deviation of 1, and its median is 0.4 if too much is subtracted and half
    of that if too little, and more where the light of the galaxy counts.
    Errors, and how wrong the sky is in units of them, lie between those of
    the package's own measurement on these images and on others, which
    ``benchmarks/accuracy/priors.py`` compares.

    Parameters
    ----------
    image, sky : `torch.Tensor`, shape (B, n, n)
        The frames, and the sky in them; both are changed in place.

    clean, others : `torch.Tensor`, shape (B, n, n)
        The light of the galaxy, and of all other objects.

    sigma : `torch.Tensor`, shape (B,)
        The noise of a sky pixel.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    prior, error : `torch.Tensor`, shape (B,)
        Level that was subtracted, and its stated error.
    """
    n = len(image)
    u = torch.rand(4, n, generator=generator).to(image.device)
    c = torch.randn(2, n, generator=generator).to(image.device)
    level, count, tail = _free_sky(sky, clean, others, sigma)
    free = _log_uniform(u[0], *_FREE)
    structure = torch.where(u[1] < _OFTEN_UNEVEN,
                            _log_uniform(u[2], *_UNEVEN), 0.0)
    of_tail = _OF_TAIL * tail * torch.exp(0.6 * c[0])
    error = torch.sqrt(free**2 + structure**2 + of_tail**2
                       + 2 / count.clamp(min=1))
    # (what the galaxy's light does to the sky is understated)
    typical = _TYPICAL + _TYPICAL_TAIL * (of_tail / error)**2
    pull = (typical * torch.exp(c[1])).clamp(max=_LARGEST_PULL)
    pull = torch.where(u[3] < _TOO_MUCH, -pull, 0.5 * pull)
    error = error.clamp(max=3.0) * sigma
    prior = level - error * pull
    image -= prior[:, None, None]
    sky -= prior[:, None, None]
    return prior, error


def _log_uniform(u, low, high):
    """
    Convert uniform deviates to some that are uniform in their logarithm.
    """
    return low * (high / low)**u


def _free_sky(sky, clean, others, sigma):
    """
    Measure the mean sky beyond the objects, and what a galaxy leaves of it.

    Returns the level, the number of pixels that it is the mean of, and the
    light of the galaxy at the faintest seventh of the frame in units of the
    noise: shape (B,) each.
    """
    part = (slice(None), slice(1, None, 3), slice(1, None, 3))
    light = (clean[part] / sigma[:, None, None]).flatten(1)
    other = (others[part] / sigma[:, None, None]).flatten(1)
    # the light that counts as none is a third of the noise
    weight = 1 / (1 + (3 * (light + other))**2)
    rank = max(1, light.shape[1] // 7)
    tail = light.kthvalue(rank, dim=1).values.clamp(min=0)
    total = weight.sum(1)
    level = (weight * sky[part].flatten(1)).sum(1) / total.clamp(min=1e-12)
    return level, 9 * total, tail


def subtract_sky(image, instruments, mask, generator, *, share=0.4):
    """
    Estimate the sky on the noisy frame and subtract it, as surveys do.

    Boxes with clipped medians, interpolated, or a plane or paraboloid
    through the faint pixels: both take light from a large galaxy. Across
    the frame, the sky that is subtracted varies by 1 sigma from its mean
    at most.

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
        mean = sky.mean()
        swing = (sky - mean).abs().max() / float(sigma[k])
        out[k] = mean + (sky - mean) / swing.clamp(min=1.0)
    image -= out
    return out
