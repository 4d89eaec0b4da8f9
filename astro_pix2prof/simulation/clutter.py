# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Add stars, other galaxies and defects to the frame.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import NANOMAGGY_ZEROPOINT
from astro_pix2prof.simulation.components import rotate, sersic
from astro_pix2prof.simulation.missing import draw_masked_stars

__all__ = ['add_defects', 'add_saturation', 'draw_stars', 'galaxy_field',
           'neighbour_field', 'star_spectrum']


# In frames of 256 pixels with their borders; in proportion to the area.
_MAX_STARS, _MAX_GALAXIES, _USUAL_SIZE = 64, 40, 288

_STAMP = 41


def _rand(generator, *shape):
    return torch.rand(*shape, generator=generator)


def draw_stars(instruments, grid, r_e, generator):
    """
    Draw foreground stars.

    The counts are N(<16) of 200 to 8000 per square degree and a slope of
    0.22 to 0.35 in log N(<m), from the poles to the plane of the Galaxy.
    One frame in twelve has a star close to the galaxy's centre, one in
    twenty-five a saturated one.

    Parameters
    ----------
    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    r_e : `torch.Tensor`, shape (B, 1)
        Sizes of the galaxies in pixels.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    stars : dict of `torch.Tensor`, shape (B, S)
        ``x``, ``y`` (px in the frame), ``flux`` (nanomaggies; 0 where
        there is no star) and ``disc`` (the radius, in px, of the disc that
        masks it; 0 for none).
    """
    n = len(r_e)
    n_stars = round(_MAX_STARS * max(1.0, (grid.size / _USUAL_SIZE)**2))
    pixel, sigma, fwhm = (instruments[k].float() for k in (
        'pixel_scale', 'sigma', 'fwhm'))
    # stars of a tenth of the noise in their peak pixel no longer matter
    faint = NANOMAGGY_ZEROPOINT - 2.5 * torch.log10(
        0.5 * sigma * 1.13 * fwhm**2)
    slope = 0.22 + 0.13 * _rand(generator, n)
    log_16 = 2.3 + 1.6 * _rand(generator, n)
    area = (grid.size * pixel / 3600)**2
    count = 10**(log_16 + slope * (faint.clamp(max=26) - 16)) * area
    count = torch.poisson(count.clamp(max=0.7 * n_stars),
                          generator=generator)
    u = _rand(generator, 4, n, n_stars)
    bright = 10**(slope * (11.5 - faint))[:, None]
    mag = faint[:, None] + torch.log10(
        bright + (1 - bright) * u[0]) / slope[:, None]
    exists = torch.arange(n_stars) < count[:, None]
    x = u[1] * grid.size - grid.pad
    y = u[2] * grid.size - grid.pad
    # the forced ones take the first slots
    v = _rand(generator, 6, n)
    close = v[0] < 0.08
    exists[:, 0] |= close
    dist = fwhm * (1 + 4 * v[1]) + 0.7 * r_e[:, 0] * v[2]
    angle = 6.2832 * v[3]
    x[:, 0] = torch.where(close, grid.centre[:, 0].cpu()
                          + dist * torch.cos(angle), x[:, 0])
    y[:, 0] = torch.where(close, grid.centre[:, 1].cpu()
                          + dist * torch.sin(angle), y[:, 0])
    mag[:, 0] = torch.where(close, faint - 8 * v[4] - 0.5, mag[:, 0])
    burnt = v[5] < 0.04
    exists[:, 1] |= burnt
    mag[:, 1] = torch.where(burnt, instruments['saturation'].float()
                            - 3 * u[3, :, 1], mag[:, 1])
    disc = draw_masked_stars({'x': x, 'y': y, 'mag': mag, 'exists': exists},
                             faint, fwhm, grid, generator)
    flux = 10**(-0.4 * (mag - NANOMAGGY_ZEROPOINT)) * exists
    return {'x': x, 'y': y, 'flux': flux, 'disc': disc}


def star_spectrum(stars, grid):
    """
    Transform point sources to Fourier space: (B, size, size // 2 + 1).
    """
    device, n = grid.x.device, grid.size
    kx = torch.fft.rfftfreq(n, 1.0, device=device)
    ky = torch.fft.fftfreq(n, 1.0, device=device)
    use = int((stars['flux'] > 0).any(0).nonzero().amax()) + 1 if (
        stars['flux'] > 0).any() else 1
    x = (stars['x'][:, :use].to(device) + grid.pad)[..., None]
    y = (stars['y'][:, :use].to(device) + grid.pad)[..., None]
    flux = stars['flux'][:, :use].to(device)
    ax, ay = -2 * math.pi * x * kx, -2 * math.pi * y * ky
    ex = torch.complex(torch.cos(ax), torch.sin(ax))
    ey = torch.complex(torch.cos(ay), torch.sin(ay)) * flux[..., None]
    return torch.bmm(ey.transpose(1, 2), ex)


def galaxy_field(instruments, grid, generator):
    """
    Draw background galaxies, before the PSF.

    Counts of 1050 per square degree brighter than 19.8, with a slope of
    0.38 (Yasuda et al. 2001 at the bright end), discs and spheroids.

    Parameters
    ----------
    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    flux : `torch.Tensor`, shape (B, size, size)
        Flux in the frame's pixels.
    """
    n, size, device = len(grid.x), grid.size, grid.x.device
    pixel, sigma, fwhm = (instruments[k].float() for k in (
        'pixel_scale', 'sigma', 'fwhm'))
    faint = NANOMAGGY_ZEROPOINT - 2.5 * torch.log10(
        2 * sigma * 1.13 * (fwhm**2 + (0.6 / pixel)**2))
    faint = faint.clamp(max=26.5)
    area = (size * pixel / 3600)**2
    count = 1050 * 10**(0.38 * (faint - 19.8)) * area * torch.exp(
        0.4 * torch.randn(n, generator=generator))
    count = torch.poisson(count.clamp(max=_MAX_GALAXIES * max(
        1.0, (size / _USUAL_SIZE)**2)), generator=generator).long()
    owner = torch.repeat_interleave(torch.arange(n), count)
    m = len(owner)
    out = torch.zeros(n, size, size, device=device)
    if not m:
        return out
    u = _rand(generator, 7, m)
    bright = 10**(0.38 * (15.5 - faint[owner]))
    mag = faint[owner] + torch.log10(bright + (1 - bright) * u[0]) / 0.38
    r_e = 0.42 * 10**(0.13 * (21.5 - mag)) * torch.exp(
        0.4 * torch.randn(m, generator=generator))
    r_e = (r_e.clamp(0.08, 6) / pixel[owner]).clamp(0.15, 9.0)[:, None]
    q = (0.25 + 0.75 * u[1])[:, None]
    index = torch.where(u[2] < 0.7, 1.0, 2.5 + 1.5 * u[3])[:, None]
    axis = torch.arange(_STAMP) - _STAMP // 2
    y, x = torch.meshgrid(axis, axis, indexing='ij')
    off = u[5:7] - 0.5
    x = x.reshape(1, -1) - off[0][:, None]
    y = y.reshape(1, -1) - off[1][:, None]
    a, b = rotate(x, y, 3.1416 * u[4][:, None])
    r = torch.sqrt(a * a + (b / q)**2 + 0.15)
    light = sersic(r, index, r_e, q)
    # the stamp holds all of the flux, whatever the sampling lost
    light = light / light.sum(1, keepdim=True)
    light = light * 10**(-0.4 * (mag[:, None] - NANOMAGGY_ZEROPOINT))
    corner = torch.floor(_rand(generator, 2, m) * (size - _STAMP)).long()
    rows = (corner[1][:, None] + torch.arange(_STAMP))[:, :, None]
    columns = (corner[0][:, None] + torch.arange(_STAMP))[:, None, :]
    out.index_put_((owner[:, None, None].to(device), rows.to(device),
                    columns.to(device)),
                   light.view(m, _STAMP, _STAMP).to(device), accumulate=True)
    return out


def neighbour_field(flux, galaxies, grid, generator, *, share=0.4):
    """
    Draw neighbours: other galaxies of the batch, moved and scaled.

    From 0.4 mag brighter to 3.1 mag fainter than the galaxy; the distance
    is 1 to 3.2 times the sum of both r_e, of one in three 0.4 to 1.4 times.
    One frame in twelve has a second neighbour.

    Parameters
    ----------
    flux : `torch.Tensor`, shape (B, size, size)
        The galaxies before the PSF.

    galaxies : dict
        Their parameters.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    share : float, optional
        The share of the frames that have a neighbour.

    Returns
    -------
    flux : `torch.Tensor`, shape (B, size, size)
        The neighbours before the PSF.
    """
    n, size = len(flux), flux.shape[-1]
    out = torch.zeros_like(flux)
    both = _rand(generator, n, 2, 9)
    r_e = galaxies['r_e'][:, 0].cpu()
    total = galaxies['flux'][:, 0].cpu()
    both[:, 1, 0] += share - 1 / 12
    for k, j in (both[:, :, 0] < share).nonzero().tolist():
        u = both[:, j]
        donor = (k + 1 + int(u[k, 1] * (n - 1))) % n if n > 1 else k
        image = flux[donor]
        # shrink a donor that is much larger
        factor = 1
        while r_e[donor] / factor > 1.4 * r_e[k] and factor < 8:
            factor *= 2
        if factor > 1:
            image = functional.avg_pool2d(image[None, None], factor)[0, 0]
        image = torch.rot90(image, int(4 * u[k, 2]))
        if u[k, 7] < 0.5:
            image = image.T
        r_d = float(r_e[donor]) / factor
        apart = 0.4 + u[k, 3] if u[k, 8] < 0.33 else 1.0 + 2.2 * u[k, 3]
        dist = apart * (r_e[k] + r_d) + 2
        angle = 6.2832 * float(u[k, 4])
        scale = total[k] / image.sum().cpu().clamp(min=1e-12) * 10**(
            -0.4 * (3.5 * u[k, 5] - 0.4))
        x = grid.centre[k, 0].item() + grid.pad + dist * math.cos(angle)
        y = grid.centre[k, 1].item() + grid.pad + dist * math.sin(angle)
        side = image.shape[-1]
        # the donor's centre is near the middle of its frame
        left, top = round(float(x) - side / 2), round(float(y) - side / 2)
        x0, x1 = max(left, 0), min(left + side, size)
        y0, y1 = max(top, 0), min(top + side, size)
        if x1 > x0 and y1 > y0:
            out[k, y0:y1, x0:x1] += scale.to(out.device) * image[
                y0 - top:y1 - top, x0 - left:x1 - left]
    return out


def add_saturation(image, stars, instruments, grid, mask, generator):
    """
    Clip saturated pixels, and add bleeds and spikes.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        The frames; changed in place.

    stars : dict
        See `draw_stars`.

    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    mask : `torch.Tensor`, shape (B, n, n), bool
        Bad pixels; what saturates is added for half of the frames.

    generator : `torch.Generator`
        The source of random numbers (CPU).
    """
    n = image.shape[-1]
    limit = 10**(-0.4 * (instruments['saturation'].float()
                         - NANOMAGGY_ZEROPOINT))
    fwhm = instruments['fwhm'].float()
    # the peak of the faintest saturated star
    level = limit * 0.8 / (1.13 * fwhm**2)
    hot = stars['flux'] > limit[:, None]
    axis = torch.arange(n, device=image.device)
    for k in hot.any(1).nonzero()[:, 0].tolist():
        u = _rand(generator, 4)
        for j in hot[k].nonzero()[:, 0].tolist():
            x, y = float(stars['x'][k, j]), float(stars['y'][k, j])
            excess = float(stars['flux'][k, j] / limit[k])
            dx, dy = axis - x, axis - y
            # spikes: light of 1% of the star in four lines
            tilt = 0.785 * float(u[0] > 0.5) + 0.1 * float(u[1])
            reach = 6 * float(fwhm[k]) * excess**0.4
            gx, gy = dx[None, :], dy[:, None]
            a, b = (gx * math.cos(tilt) + gy * math.sin(tilt),
                    gy * math.cos(tilt) - gx * math.sin(tilt))
            strength = 0.01 * float(u[2]) * float(stars['flux'][k, j])
            width = 0.35 * float(fwhm[k])
            for p, q in ((a, b), (b, a)):
                image[k] += (strength / (2 * reach * 2.5 * width)
                             * torch.exp(-p.abs() / reach)
                             * torch.exp(-0.5 * (q / width)**2))
            if u[3] < 0.7:
                # charge runs along the columns
                long = float(fwhm[k]) * 2.5 * excess**0.8
                wide = max(0.6, 0.25 * float(fwhm[k]) * excess**0.3)
                bleed = (gx.abs() < wide) & (gy.abs() < long)
                image[k] = torch.where(bleed, torch.maximum(
                    image[k], level[k].to(image.device)), image[k])
        clipped = image[k] > level[k].to(image.device)
        # only around the stars: the galaxy's own core does not saturate
        near = torch.zeros_like(clipped)
        for j in hot[k].nonzero()[:, 0].tolist():
            reach = float(fwhm[k]) * (4 + 3 * float(
                stars['flux'][k, j] / limit[k])**0.8)
            near |= ((axis[None, :] - float(stars['x'][k, j])).abs() < reach
                     ) & ((axis[:, None] - float(stars['y'][k, j])).abs()
                          < reach)
        clipped &= near
        image[k] = torch.where(clipped, level[k].to(image.device), image[k])
        if u[1] < 0.5:
            mask[k] |= clipped


def add_defects(image, instruments, mask, generator):
    """
    Add cosmic rays, dead columns and satellite trails.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        The frames; changed in place.

    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    mask : `torch.Tensor`, shape (B, n, n), bool
        Bad pixels, changed in place: columns mostly, cosmic rays
        sometimes.

    generator : `torch.Generator`
        The source of random numbers (CPU).
    """
    b, n = image.shape[:2]
    sigma = instruments['sigma'].float()
    axis = torch.arange(n, device=image.device)
    u = _rand(generator, b, 12)
    for k in range(b):
        s = float(sigma[k])
        if u[k, 0] < 0.15:        # cosmic rays: short tracks
            hits = torch.zeros_like(mask[k])
            for _ in range(1 + int(4 * u[k, 1])):
                v = _rand(generator, 4)
                length = 2 + int(12 * v[0]**2)
                t = torch.arange(length)
                x = (v[1] * n + t * math.cos(6.28 * v[2])).long()
                y = (v[3] * n + t * math.sin(6.28 * v[2])).long()
                ok = (x >= 0) & (x < n) & (y >= 0) & (y < n)
                hits[y[ok], x[ok]] = True
            image[k][hits] += s * (10 + 100 * float(u[k, 2]))
            if u[k, 3] < 0.5:
                mask[k] |= hits
        if u[k, 4] < 0.04:        # a dead column, or a row of zeros
            c = int(u[k, 5] * n)
            wide = 1 + int(2 * u[k, 6])
            image[k][:, c:c + wide] = s * (20 * float(u[k, 7]) - 10)
            if u[k, 6] < 0.7:
                mask[k][:, c:c + wide] = True
        if u[k, 8] < 0.02:        # a satellite trail
            angle = 3.1416 * float(u[k, 9])
            offset = n * (float(u[k, 10]) - 0.5)
            d = ((axis[None, :] - n / 2) * math.sin(angle)
                 - (axis[:, None] - n / 2) * math.cos(angle) - offset)
            width = float(instruments['fwhm'][k]) * 0.6
            image[k] += s * (2 + 8 * float(u[k, 11])) * torch.exp(
                -0.5 * (d / width)**2)
