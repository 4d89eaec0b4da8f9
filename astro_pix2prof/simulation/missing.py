# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Mask pixels as observers do: stars, gaps, bleeds, edges and dead centres.
"""

import math

import torch

__all__ = ['draw_masked_stars', 'mask_missing']

# Of the frames, the shares that have each kind of missing pixels.
_NEAR_STARS, _FAR_STARS = 0.09, 0.03
_GAP, _BLEED, _EDGE, _CORNER, _CENTRE = 0.06, 0.025, 0.09, 0.025, 0.015


def draw_masked_stars(stars, faint, fwhm, grid, generator):
    """
    Draw the discs that hide stars, and stars close to a galaxy's nucleus.

    One frame in eleven has a star 8 to 25 px from the nucleus under a disc
    of a radius of 4 to 12 px; in these frames and in one of thirty others,
    each star that is 2.5 mag brighter than the faintest ones is hidden.
    Brighter stars have larger discs. In small frames, a radius is a tenth
    of the side at most, and the distance a quarter.

    Parameters
    ----------
    stars : dict of `torch.Tensor`, shape (B, S)
        ``x``, ``y`` (px), ``mag`` and ``exists``; slot 2 is changed in
        place.

    faint : `torch.Tensor`, shape (B,)
        Magnitude of the faintest stars.

    fwhm : `torch.Tensor`, shape (B,)
        The seeing in pixels.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    Returns
    -------
    disc : `torch.Tensor`, shape (B, S)
        Radii of the discs in pixels; 0 for none.
    """
    n, n_stars = stars['x'].shape
    u = torch.rand(5, n, generator=generator)
    size = 0.6 + 0.6 * torch.rand(n, n_stars, generator=generator)
    near = u[0] < _NEAR_STARS
    masks = near | (u[0] > 1 - _FAR_STARS)
    dist = torch.minimum(8 + 17 * u[1], 8 + 0.25 * u[1] * (grid.n_pix - 32))
    angle = 6.2832 * u[2]
    centre = grid.centre.cpu()
    stars['exists'][:, 2] |= near
    for name, column, offset in (('x', 0, torch.cos(angle)),
                                 ('y', 1, torch.sin(angle))):
        stars[name][:, 2] = torch.where(near, centre[:, column]
                                        + dist * offset, stars[name][:, 2])
    stars['mag'][:, 2] = torch.where(near, faint - 1 - 8 * u[3],
                                     stars['mag'][:, 2])
    height = faint[:, None] - stars['mag']
    radius = size * (4 + height.clamp(0, 8)) * (fwhm[:, None] / 3).clamp(
        0.8, 1.5)
    radius = radius.clamp(4, min(12.0, 0.1 * grid.n_pix))
    hidden = masks[:, None] & stars['exists'] & (height > 2.5)
    hidden[:, 2] |= near
    return radius * hidden


def mask_missing(image, stars, instruments, grid, mask, generator):
    """
    Mask pixels that were not observed, or that observers leave out.

    Discs over stars (see `draw_masked_stars`); gaps between detectors (one
    frame in sixteen), 2 to 15 px wide, along rows, columns or at any angle,
    half of them within 25 px of the nucleus; columns of bled charge (2.5%),
    1 to 5 px wide; edges (9%) and corners (2.5%) without data, from 4 px of
    the nucleus on; and one to four pixels at the nucleus (1.5%).

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, n, n)
        The frames; changed in place. Pixels without data are 0, those
        under a disc hold what they held.

    stars : dict
        See `~astro_pix2prof.simulation.clutter.draw_stars`.

    instruments : dict
        See `~astro_pix2prof.simulation.surveys.draw_instruments`.

    grid : `~astro_pix2prof.simulation.convolution.NestedGrid`
        The grid.

    mask : `torch.Tensor`, shape (B, n, n), bool
        Bad pixels, changed in place.

    generator : `torch.Generator`
        The source of random numbers (CPU).
    """
    b, n = image.shape[:2]
    axis = torch.arange(n, device=image.device)
    u = torch.rand(b, 24, generator=generator)
    v = torch.randn(b, 2, generator=generator)
    kind = u[:, 0].contiguous()
    for k, j in (stars['disc'] > 0).nonzero().tolist():
        r = float(stars['disc'][k, j])
        dx = axis - float(stars['x'][k, j])
        dy = axis - float(stars['y'][k, j])
        mask[k] |= dx[None, :]**2 + dy[:, None]**2 < r * r
    # one kind a frame, so that most frames stay whole
    edges = torch.tensor([_GAP, _BLEED, _EDGE, _CORNER, _CENTRE]).cumsum(0)
    which = torch.searchsorted(edges, kind)
    centre = grid.centre.cpu().tolist()
    for k in (which < len(edges)).nonzero()[:, 0].tolist():
        w = u[k].tolist()
        x, y = axis - centre[k][0], axis - centre[k][1]
        x, y = x[None, :], y[:, None]
        angle = 2 * math.pi * w[1]
        if w[2] < 0.6:
            angle = round(angle / (math.pi / 2)) * math.pi / 2
        c, s = math.cos(angle), math.sin(angle)
        if which[k] == 0:
            half = 0.5 * min(2 * 7.5**w[3], n / 8)
            far = 25 * w[4] if w[5] < 0.5 else 0.45 * n * w[4]
            far = min(far, 0.4 * n)
            empty = (x * c + y * s - far).abs() < half
            value = 0.0
        elif which[k] == 1:
            half = 0.5 + 2 * w[3]
            far = 0.25 * n * float(v[k, 0]) if w[4] < 0.6 else 12 * float(
                v[k, 0])
            # from one edge to some row, or through
            along = y if w[5] < 0.5 else -y
            empty = ((x - far).abs() < half) & (
                along < 0.5 * n * (2.2 * w[6] - 1))
            value = float(instruments['sigma'][k]) * 10**(1 + 3 * w[7])
        elif which[k] < 4:
            # uniform in the logarithm of the distance
            near = 4 * (0.42 * n / 4)**w[3]
            empty = x * c + y * s > near
            if which[k] == 3:
                other = 4 * (0.42 * n / 4)**w[4]
                lean = angle + (0.5 if w[5] < 0.5 else 0.3 + 0.4 * w[6]
                                ) * math.pi
                empty = empty & (x * math.cos(lean) + y * math.sin(lean)
                                 > -0.5 * other)
            value = 0.0
        else:
            r2 = x * x + y * y
            number = 1 + int(4 * w[3]**2)
            limit = r2.flatten().topk(number, largest=False).values.amax()
            empty = r2 <= limit
            value = 0.0
        image[k] = torch.where(empty, value, image[k])
        mask[k] |= empty
