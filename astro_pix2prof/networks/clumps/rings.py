# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Fit the rings of galaxies with their low Fourier modes, robustly.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import ellipse_shape

__all__ = ['RingGrid', 'fit_rings', 'signed_log']


# Points along a ring; radii are spaced evenly in asinh(a / soft).
_ANGLES, _SOFT, _STEP = 96, 4.0, 0.11

# The highest Fourier mode. A mode counts in full on rings so many times
# (mode x FWHM) large, or else it would follow single sources.
_MODES, _ROOM = 4, 1.3

# Steps of the robust fit; what is this many times the scatter of a ring above
# (below) the fit has little weight.
_ROUNDS, _ABOVE, _BELOW = 4, 2.0, 3.5

# Rings of which less than this part is seen are no rings.
_SEEN = 0.12

# Entries of the table of ellipses in a pixel of semi-major axis.
_TABLE = 4

# Flatter ellipses than this are taken as this flat.
_FLATTEST = 0.93


class RingGrid:
    """
    Rings about the centres of galaxies, and the place of pixels on them.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, H, W)
        The images.

    centre : `torch.Tensor`, shape (B, 2)
        The centres (x, y).

    sma, e1, e2 : `torch.Tensor`, shape (B, N)
        Ellipses: semi-major axes in pixels, and components of ellipticity.

    Attributes
    ----------
    rings : `torch.Tensor`, shape (R,)
        Semi-major axes of the rings in pixels.

    x, y : `torch.Tensor`, shape (B, R, 96)
        Points along them.

    radius, angle : `torch.Tensor`, shape (B, H, W)
        Semi-major axis through each pixel, and its angle (radians) in the
        plane in which the ellipse is a circle, from the major axis.
    """

    def __init__(self, image, centre, sma, e1, e2):
        self.centre = centre
        h, w = image.shape[1:]
        device, kind = image.device, image.dtype
        x = torch.arange(w, device=device, dtype=kind) - centre[:, :1]
        y = torch.arange(h, device=device, dtype=kind) - centre[:, 1:]
        x = x[:, None].expand(-1, h, -1)
        y = y[:, :, None].expand(-1, -1, w)
        e1, e2 = _nested(sma, e1, e2)
        radius = torch.sqrt(x * x + y * y)
        far = float(radius.max())
        # (a table, since to search for each pixel takes longer)
        table = torch.arange(0, _TABLE * far + 2, device=device,
                             dtype=kind) / _TABLE
        eps, theta = ellipse_shape(*_at(table.expand(len(image), -1), sma,
                                        e1, e2))
        table = torch.stack([torch.cos(theta), torch.sin(theta),
                             1 / (1 - eps)])
        for _ in range(3):
            index = (radius.flatten(1) * _TABLE).long().clamp(
                max=table.shape[-1] - 1)
            c, s, stretch = table.gather(-1, index.expand(
                3, -1, -1)).view(3, *radius.shape)
            a, b = x * c + y * s, (y * c - x * s) * stretch
            radius = torch.sqrt(a * a + b * b)
        self.radius, self.angle = radius, torch.atan2(b, a)
        n = math.ceil(math.asinh(far / _SOFT) / _STEP) + 1
        steps = torch.arange(n, device=device, dtype=kind) * _STEP
        self.rings = _SOFT * torch.sinh(steps)
        wanted = self.rings.expand(len(image), -1)
        self._eps, self._theta = ellipse_shape(*_at(wanted, sma, e1, e2))
        t = self.angles(image)
        u = wanted[..., None] * torch.cos(t)
        v = (wanted * (1 - self._eps))[..., None] * torch.sin(t)
        c = torch.cos(self._theta)[..., None]
        s = torch.sin(self._theta)[..., None]
        self.x = u * c - v * s + centre[:, :1, None]
        self.y = u * s + v * c + centre[:, 1:, None]

    @staticmethod
    def angles(image):
        """
        Return the angles of the points along a ring.
        """
        return torch.arange(_ANGLES, device=image.device,
                            dtype=image.dtype) * (2 * math.pi / _ANGLES)

    def sample(self, image, good):
        """
        Sample images along the rings, blurred as the points lie apart.

        Parameters
        ----------
        image : `torch.Tensor`, shape (B, H, W)
            The images; 0 where not good.

        good : `torch.Tensor`, shape (B, H, W), bool
            Pixels that count.

        Returns
        -------
        value, weight : `torch.Tensor`, shape (B, R, 96)
            The values, and the part of good pixels in them.
        """
        h, w = image.shape[1:]
        known = good.to(image.dtype)
        both = torch.stack([image * known, known], 1)
        out = []
        for level in range(3):
            if level:
                both = functional.avg_pool2d(both, 2, ceil_mode=True,
                                             count_include_pad=False)
            size = 2**level
            # (the centre of a pooled pixel)
            x = (self.x + 0.5) / size - 0.5
            y = (self.y + 0.5) / size - 0.5
            hh, ww = both.shape[-2:]
            place = torch.stack([x * (2 / (ww - 1)) - 1,
                                 y * (2 / (hh - 1)) - 1], -1)
            out.append(functional.grid_sample(
                both, place, mode='bilinear', padding_mode='zeros',
                align_corners=True))
        # the core has a cusp
        place = torch.stack([self.x * (2 / (w - 1)) - 1,
                             self.y * (2 / (h - 1)) - 1], -1)
        n_core = int((self.rings < 6).sum())
        core = functional.grid_sample(
            image[:, None], place[:, :n_core], mode='bicubic',
            padding_mode='zeros', align_corners=True)[:, 0]
        spacing = self.rings * (2 * math.pi / _ANGLES)
        level = torch.log2(spacing.clamp(min=1)).round().clamp(max=2)
        chosen = torch.where(
            level[:, None] == 0, out[0], torch.where(
                level[:, None] == 1, out[1], out[2]))
        value, weight = chosen[:, 0], chosen[:, 1]
        value = value / weight.clamp(min=1e-3)
        whole = weight[:, :n_core] > 0.999
        value[:, :n_core] = torch.where(whole, core, value[:, :n_core])
        return value, torch.where(weight > 0.5, weight, 0.0)

    def to_pixels(self, polar):
        """
        Interpolate values on the rings to the pixels.

        Parameters
        ----------
        polar : `torch.Tensor`, shape (B, R, 96)
            Values on the rings.

        Returns
        -------
        image : `torch.Tensor`, shape (B, H, W)
        """
        n = polar.shape[1]
        wrapped = torch.cat([polar, polar[..., :1]], -1)
        row = signed_log(self.radius / _SOFT) / _STEP
        column = torch.remainder(self.angle, 2 * math.pi) / (
            2 * math.pi) * _ANGLES
        place = torch.stack([column * (2 / _ANGLES) - 1,
                             row * (2 / (n - 1)) - 1], -1)
        return functional.grid_sample(
            wrapped[:, None], place, mode='bilinear', padding_mode='border',
            align_corners=True)[:, 0]


def _nested(sma, e1, e2):
    """
    Make ellipses rounder where their minor axes would shrink outwards.
    """
    flat = torch.hypot(e1, e2).clamp(min=1e-6)
    minor = torch.cummax(sma * (1 - flat.clamp(max=_FLATTEST)), 1).values
    shrink = ((1 - minor / sma.clamp(min=1e-6)).clamp(min=0) / flat)
    shrink = torch.where(sma > 0, shrink, 1.0)
    return e1 * shrink, e2 * shrink


def _at(radius, sma, e1, e2):
    """
    Interpolate ellipses to radii, shape (B, M); constant outside.
    """
    sma = sma.contiguous()
    radius = torch.minimum(torch.maximum(radius, sma[:, :1]), sma[:, -1:])
    high = torch.searchsorted(sma, radius.contiguous()).clamp(
        1, sma.shape[1] - 1)
    low = high - 1
    x0, x1 = sma.gather(1, low), sma.gather(1, high)
    part = ((radius - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1)
    return tuple(e.gather(1, low) * (1 - part) + e.gather(1, high) * part
                 for e in (e1, e2))


def fit_rings(image, good, grid, fwhm):
    """
    Fit rings with Fourier modes up to the fourth, leaving sources out.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, H, W)
        Images in units of their noise; 0 where not good.

    good : `torch.Tensor`, shape (B, H, W), bool
        Pixels that count.

    grid : `RingGrid`
        The rings.

    fwhm : `torch.Tensor`, shape (B,)
        The full width at half maximum of the PSF in pixels.

    Returns
    -------
    model : `torch.Tensor`, shape (B, H, W)
    """
    value, seen = grid.sample(image, good)
    t = grid.angles(image)
    basis = torch.stack([torch.ones_like(t)] + [
        f(m * t) for m in range(1, _MODES + 1)
        for f in (torch.cos, torch.sin)])                 # (K, T)
    order = torch.tensor([0] + [m for m in range(1, _MODES + 1)
                                for _ in range(2)], device=image.device)
    pairs = basis[:, None] * basis                        # (K, K, T)
    # a ridge that takes modes from small rings
    room = grid.rings[None, :, None] / (
        _ROOM * order * fwhm[:, None, None]).clamp(min=1e-3)
    ridge = torch.where(order > 0, room.clamp(1e-2, 1e2)**-6, 0.0)
    ridge = torch.diag_embed(ridge * 0.5 * _ANGLES + 1e-3)
    # at first, what is far above the median is left out
    weight = seen * _first(value, seen)
    for _ in range(_ROUNDS):
        lhs = torch.einsum('brt,ijt->brij', weight, pairs) + ridge
        rhs = torch.einsum('brt,it->bri', weight * value, basis)
        model = torch.einsum('bri,it->brt',
                             torch.linalg.solve(lhs, rhs), basis)
        away = value - model
        size = _scatter(away, seen, grid.rings)
        above = (away / (_ABOVE * size)).clamp(min=1)
        below = (-away / (_BELOW * size)).clamp(min=1)
        weight = seen * above**-4 * below**-2
    # rings that are hardly seen go on as those inside of them
    known = (seen > 0).to(image.dtype).mean(-1) > _SEEN
    model = signed_log(model)
    model = torch.where(known[..., None], model, 0.0)
    model = _smooth_outside(model, grid.rings)
    value = grid.to_pixels(model)
    grown = torch.exp(value.abs())
    return 0.5 * (grown - 1 / grown) * torch.sign(value)


def signed_log(value):
    """
    Compute the inverse hyperbolic sine, in a third of the time of torch's.
    """
    size = value.abs()
    return torch.log(size + torch.sqrt(size * size + 1)) * torch.sign(value)


def _first(value, seen):
    hidden = torch.where(seen > 0, value, torch.nan)
    middle = torch.nanmedian(hidden, -1, keepdim=True).values
    size = 1.48 * torch.nanmedian((hidden - middle).abs(), -1,
                                  keepdim=True).values
    return torch.nan_to_num(
        (value < middle + 2.5 * size + 0.1).to(value.dtype))


def _scatter(away, seen, rings):
    """
    Robust scatter of the points of a ring, and of those beside it.
    """
    hidden = torch.where(seen > 0, away.abs(), torch.nan)
    size = 1.48 * torch.nan_to_num(torch.nanmedian(
        hidden, -1, keepdim=True).values)
    smooth = functional.avg_pool1d(
        size.transpose(1, 2), 3, 1, 1, count_include_pad=False).transpose(
            1, 2)
    return (0.5 * (size + smooth)).clamp(min=0.2)


def _smooth_outside(model, rings):
    """
    Smooth along radius, where rings lie close together in their own terms.
    """
    soft = functional.avg_pool1d(
        functional.pad(model.transpose(1, 2).reshape(
            -1, 1, model.shape[1]), (1, 1), mode='replicate'),
        3, 1).reshape(len(model), -1, model.shape[1]).transpose(1, 2)
    part = (rings / 8 - 1).clamp(0, 1)[None, :, None] * 0.7
    return model + part * (soft - model)
