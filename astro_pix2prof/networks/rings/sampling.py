# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sample images along ellipses, from a pyramid of binned images.
"""

import math

import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import ellipticity, position_angle

__all__ = ['Pyramid', 'ellipse_points', 'ring_radii']


# The pixels around the centre are refined by this factor within this radius.
_FINE = 4

_FINE_RADIUS = 12


def ring_radii(reach, *, ratio=1.13, first=0.5, device=None):
    """
    Compute semi-major axes: 0, then evenly spaced in the logarithm.

    Parameters
    ----------
    reach : float
        The largest radius is at least this (pixels).

    ratio, first : float, optional
        The ratio of successive radii, and the first after 0.

    device : `torch.device`, optional
        The device.

    Returns
    -------
    radii : `torch.Tensor`, shape (K,)
    """
    n = max(math.ceil(math.log(max(reach, 2 * first) / first)
                      / math.log(ratio)), 8)
    steps = torch.arange(n + 1, device=device)
    return functional.pad(first * ratio**steps, (1, 0))


def ellipse_points(sma, e1, e2, n_angle, *, phase=0.0):
    """
    Compute points along ellipses, evenly spaced in eccentric anomaly.

    Parameters
    ----------
    sma : `torch.Tensor`, shape (B, K)
        Semi-major axes.

    e1, e2 : `torch.Tensor`, shape (B, K)
        Ellipticity times cosine and sine of twice the angle of the major
        axis.

    n_angle : int
        The number of points T.

    phase : float, optional
        Place of the first point, in steps.

    Returns
    -------
    dx, dy : `torch.Tensor`, shape (B, K, T)
        From the centre. On a circle, the first point lies on +x; with the
        ellipticity the points move along, so that those of neighbouring
        ellipses lie beside each other.

    arc : `torch.Tensor`, shape (B, K, T)
        The length of the ellipse that each stands for.
    """
    t = (torch.arange(n_angle, device=sma.device) + phase) * (
        2 * math.pi / n_angle)
    eps = ellipticity(e1, e2)
    # (a circle has an angle, too, and a finite gradient)
    angle = position_angle(e1 + 1e-12, e2)
    a, q = sma[..., None], (1 - eps)[..., None]
    t = t - angle[..., None]
    cos_t, sin_t = torch.cos(t), torch.sin(t)
    u, v = a * cos_t, a * q * sin_t
    c, s = torch.cos(angle)[..., None], torch.sin(angle)[..., None]
    arc = a * torch.sqrt(sin_t**2 + (q * cos_t)**2) + 1e-3
    return u * c - v * s, u * s + v * c, arc * (2 * math.pi / n_angle)


class Pyramid:
    """
    Image with its means in squares of 2, 4, ... pixels, in one tensor.

    Bad pixels do not enter the means; each mean has a weight, the usable
    part of its square. Close to the centre there is a finer level, a
    bicubic interpolation: between pixels, the image of a cusp is not linear.

    Parameters
    ----------
    image : `torch.Tensor`, shape (B, H, W)
        The images.

    good : `torch.Tensor`, shape (B, H, W), bool or float
        Usable pixels, or how much each counts, from 0 to 1.

    n_levels : int, optional
        The number of levels, the image itself included.
    """

    def __init__(self, image, good, *, n_levels=6):
        self.shape = image.shape
        self.device = image.device
        weight = good.to(image.dtype)
        value = torch.where(weight > 0, image, 0.0)
        levels, weights, sizes = [], [], []
        # (to ask a GPU would cost more than it saves)
        whole = value.device.type == 'cpu' and bool((weight == 1).all())
        for k in range(n_levels):
            even = value.shape[1] % 2 == value.shape[2] % 2 == 0
            if k and whole and even:
                value = functional.avg_pool2d(value[:, None], 2)[:, 0]
                weight = weight[:, ::2, ::2]
            elif k:
                # (what is added at the edge has no weight)
                whole = False
                pad = (0, value.shape[2] % 2, 0, value.shape[1] % 2)
                total = functional.avg_pool2d(functional.pad(
                    value * weight, pad)[:, None], 2)[:, 0]
                weight = functional.avg_pool2d(functional.pad(
                    weight, pad)[:, None], 2)[:, 0]
                value = total / weight.clamp(min=1e-6)
            levels.append(value)
            weights.append(weight)
            sizes.append(value.shape[1:])
        self.levels, self.weights = levels, weights
        height = torch.tensor([s[0] for s in sizes], device=self.device)
        width = torch.tensor([s[1] for s in sizes], device=self.device)
        start = torch.cumsum(height * width, 0) - height * width
        self.height, self.width, self.start = height, width, start
        self.flat = torch.stack([
            torch.cat([v.flatten(1) for v in levels], 1),
            torch.cat([w.flatten(1) for w in weights], 1)], -1)
        self.n_levels = n_levels

    def sample(self, x, y, level):
        """
        Sample the levels of the pyramid, bilinearly.

        Parameters
        ----------
        x, y : `torch.Tensor`, shape (B, ...)
            Positions in pixels of the image.

        level : `torch.Tensor`, shape (B, ...), int
            The level of each.

        Returns
        -------
        value, weight : `torch.Tensor`, shape (B, ...)
            The mean of the usable pixels around, and how usable they are: 0
            outside of the frame.
        """
        batch = len(x)
        size = 0.5**level
        # the middle of a square of n pixels lies (n - 1) / 2 from its first
        u, v = (x + 0.5) * size - 0.5, (y + 0.5) * size - 0.5
        w, h = self.width[level], self.height[level]
        u0, v0 = torch.floor(u), torch.floor(v)
        fu, fv = u - u0, v - v0
        u0, v0 = u0.long(), v0.long()
        row = (torch.arange(batch, device=x.device)
               * self.flat.shape[1]).view(-1, *[1] * (x.dim() - 1))
        base = self.start[level] + row
        flat = self.flat.view(-1, 2)
        total, norm = 0.0, 0.0
        for iu, part_u in ((u0, 1 - fu), (u0 + 1, fu)):
            in_u = (iu >= 0) & (iu < w)
            iu = torch.minimum(iu.clamp(min=0), w - 1)
            for iv, part_v in ((v0, 1 - fv), (v0 + 1, fv)):
                inside = in_u & (iv >= 0) & (iv < h)
                at = base + torch.minimum(iv.clamp(min=0), h - 1) * w + iu
                found = flat[at.reshape(-1)].view(*at.shape, 2)
                part = part_u * part_v * found[..., 1] * inside
                total = total + part * found[..., 0]
                norm = norm + part
        return total / norm.clamp(min=1e-6), norm

    def refine(self, centre, filled=None):
        """
        Interpolate the pixels around the centres.

        Parameters
        ----------
        centre : `torch.Tensor`, shape (B, 2)
            Centres (x, y).

        filled : `Pyramid`, optional
            Of the same images with values for pixels that are bad here;
            without it, these are zero.

        Returns
        -------
        fine : `_FinePatch`
        """
        n = 2 * _FINE_RADIUS + 2
        first = torch.floor(centre).long() - _FINE_RADIUS
        steps = torch.arange(n, device=self.device)
        x = first[:, 0, None] + steps
        y = first[:, 1, None] + steps
        h, w = self.shape[1:]
        inside = (((x >= 0) & (x < w))[:, None]
                  & ((y >= 0) & (y < h))[:, :, None])
        x, y = x.clamp(0, w - 1), y.clamp(0, h - 1)
        rows = torch.arange(len(centre), device=self.device)[:, None, None]
        levels = self.levels if filled is None else filled.levels
        value = levels[0][rows, y[:, :, None], x[:, None]]
        good = self.weights[0][rows, y[:, :, None], x[:, None]] * inside
        matrix = _cubic(n, value)
        fine = matrix @ value @ matrix.T
        return _FinePatch(fine, good, first)


def _cubic(n, like):
    """
    Compute the matrix of a cubic convolution of n values (Keys 1981).

    With his parameter of -1/2, of which a parabola stays one; that of
    `torch.nn.functional.interpolate` is -3/4.
    """
    at = (torch.arange(n * _FINE, device=like.device, dtype=like.dtype)
          + 0.5) / _FINE - 0.5
    index = torch.arange(-2, n + 2, device=like.device)
    t = (at[:, None] - index).abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weight = torch.where(t < 1, near, torch.where(t < 2, far, 0.0))
    # beyond the ends, the values there are repeated
    matrix = torch.zeros(n * _FINE, n, device=like.device, dtype=like.dtype)
    return matrix.index_add_(1, index.clamp(0, n - 1), weight)


class _FinePatch:
    """
    Refined square around each centre.
    """

    def __init__(self, fine, good, first):
        self.fine = fine
        self.good = good
        self.first = first

    def sample(self, x, y):
        """
        Sample values and weights at positions within the square.
        """
        n = self.good.shape[-1]
        shape = (-1, *[1] * (x.dim() - 1))
        u = x - self.first[:, 0].view(shape)
        v = y - self.first[:, 1].view(shape)
        grid = torch.stack([(u + 0.5) * (2 / n) - 1,
                            (v + 0.5) * (2 / n) - 1], -1)
        grid = grid.view(len(x), -1, 1, 2)
        # (two calls: the weights must not ring as the values may)
        value = functional.grid_sample(
            self.fine[:, None], grid, mode='bilinear',
            padding_mode='border', align_corners=False)
        weight = functional.grid_sample(
            self.good[:, None], grid, mode='bilinear',
            padding_mode='zeros', align_corners=False)
        return value.view(x.shape), weight.view(x.shape)
