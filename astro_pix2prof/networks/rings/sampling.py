# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sample images along ellipses, from a pyramid of binned images.
"""

import math
from copy import copy

import torch
from torch.nn import functional

from astro_pix2prof.networks.ellipse import ellipticity, position_angle

__all__ = ['Pyramid', 'ellipse_points', 'ring_radii']


# The pixels around the centre are refined by this factor within this radius.
_FINE = 4

_FINE_RADIUS = 12

# Pixels without weight between the levels of a pyramid in one plane: between
# two of them nothing else has a part, whatever the rounding.
_GAP = 2


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
    c, s = torch.cos(angle), torch.sin(angle)
    q = 1 - eps
    cos_t, sin_t = torch.cos(t), torch.sin(t)
    # An ellipse is a circle after a symmetric matrix. (The angles of the
    # points are only looked up: cosines of all points would take longer.)
    xx, xy, yy = (part[..., None] for part in (
        sma * (c**2 + q * s**2), sma * (1 - q) * c * s,
        sma * (s**2 + q * c**2)))
    dx, dy = xx * cos_t + xy * sin_t, xy * cos_t + yy * sin_t
    along = c[..., None] * cos_t + s[..., None] * sin_t
    flat = (1 - q**2)[..., None]
    arc = sma[..., None] * torch.sqrt(
        (1 - flat * along**2).clamp(min=1e-6)) + 1e-3
    return dx, dy, arc * (2 * math.pi / n_angle)


def _tabulate(rows, like):
    """
    Make a table of a few numbers, of the kind and device of a tensor.
    """
    if like.device.type == 'cpu':
        return torch.tensor(rows, dtype=like.dtype)
    # (made there: the GPU would have to be waited for to copy it)
    return torch.stack([torch.stack([like.new_full((), value)
                                     for value in row]) for row in rows])


def _is_whole(good):
    """
    Tell whether all pixels are usable; on a GPU, which takes long, `False`.
    """
    if good.device.type != 'cpu':
        return False
    if good.dtype == torch.bool:
        # (torch takes ten times as long)
        return bool(good.numpy().all())
    return bool((good == 1).all())


def _halved(image):
    """
    Compute the means of 2 x 2 pixels, shape (B, H // 2, W // 2).
    """
    if image.device.type != 'cpu' or torch.is_grad_enabled():
        return functional.avg_pool2d(image[:, None], 2)[:, 0]
    # (the same sums, in a fifth of the time)
    total = image[:, ::2, ::2] + image[:, ::2, 1::2]
    total += image[:, 1::2, ::2]
    total += image[:, 1::2, 1::2]
    return total.mul_(0.25)


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
        whole = _is_whole(good)
        if whole:
            value = image
            weight = image.new_ones(()).expand(image.shape)
        else:
            weight = good.to(image.dtype)
            value = torch.where(good if good.dtype == torch.bool
                                else weight > 0, image, 0.0)
        levels, weights = [], []
        for k in range(n_levels):
            even = value.shape[1] % 2 == value.shape[2] % 2 == 0
            if k and whole and even:
                value, weight = _halved(value), weight[:, ::2, ::2]
            elif k:
                # (what is added at the edge has no weight)
                whole = False
                total = value * weight
                if not even:
                    pad = (0, value.shape[2] % 2, 0, value.shape[1] % 2)
                    total, weight = (functional.pad(part, pad)
                                     for part in (total, weight))
                weight = _halved(weight)
                value = _halved(total) / weight.clamp(min=1e-6)
            levels.append(value)
            weights.append(weight)
        self.levels, self.weights = levels, weights
        self.n_levels = n_levels
        self._lay_out()

    def _lay_out(self):
        """
        Lay the levels out in one plane, with gaps without weight.

        The first level on the left, the others upon each other beside it.
        """
        corners, top = [(_GAP, _GAP)], _GAP
        left = self.shape[2] + 2 * _GAP
        for level in self.levels[1:]:
            corners.append((top, left))
            top += level.shape[1] + _GAP
        height = max(self.shape[1] + 2 * _GAP, top)
        width = left + self.levels[1].shape[2] + _GAP
        # (values times weights, and weights; what is not read is not set)
        plane = self.levels[0].new_empty(
            (len(self.levels[0]), 2, height, width))
        plane[:, :, :_GAP] = 0
        for first in (0, left - _GAP):
            plane[..., first:first + _GAP] = 0
        for (top, left), value, weight in zip(
                corners, self.levels, self.weights, strict=True):
            h, w = value.shape[1:]
            torch.mul(value, weight, out=plane[
                :, 0, top:top + h, left:left + w])
            plane[:, 1, top:top + h, left:left + w] = weight
            plane[:, :, top - _GAP:top + h + _GAP,
                  left + w:left + w + _GAP] = 0
            plane[:, :, top + h:top + h + _GAP, left:left + w] = 0
        self.plane = plane
        self.table = _tabulate([
            [*corner, *level.shape[1:]] for corner, level in zip(
                corners, self.levels, strict=True)], self.plane)

    def select(self, rows):
        """
        Select some of the images.

        Parameters
        ----------
        rows : `torch.Tensor`
            Their numbers, or bool for each.

        Returns
        -------
        pyramid : `Pyramid`
        """
        part = copy(self)
        part.plane = self.plane[rows]
        part.levels, part.weights = (
            [plane[rows] for plane in planes]
            for planes in (self.levels, self.weights))
        part.shape = part.levels[0].shape
        return part

    def sample(self, x, y, level):
        """
        Sample the levels of the pyramid, bilinearly.

        Parameters
        ----------
        x, y : `torch.Tensor`, shape (B, ...)
            Positions in pixels of the image.

        level : `torch.Tensor`, int
            The level of each, or of each ring: of a shape that is broadcast
            to that of the positions.

        Returns
        -------
        value, weight : `torch.Tensor`, shape (B, ...)
            The mean of the usable pixels around, and how usable they are: 0
            outside of the frame.
        """
        top, left, h, w = self.table[level].unbind(-1)
        size = 0.5**level
        # The middle of a square of n pixels lies (n - 1) / 2 from its first.
        # (Beyond a level there are two pixels without weight.)
        high, wide = self.plane.shape[2:]
        u = torch.minimum(torch.addcmul(
            0.5 * size - 0.5, x, size).clamp(min=-1.5), w + 0.5)
        v = torch.minimum(torch.addcmul(
            0.5 * size - 0.5, y, size).clamp(min=-1.5), h + 0.5)
        grid = torch.stack([(u + left) * (2 / (wide - 1)) - 1,
                            (v + top) * (2 / (high - 1)) - 1], -1)
        found = functional.grid_sample(
            self.plane, grid.view(len(x), -1, 1, 2), mode='bilinear',
            padding_mode='zeros', align_corners=True)
        total, weight = found.view(len(x), 2, *x.shape[1:]).unbind(1)
        return total / weight.clamp(min=1e-6), weight

    def sharpen(self, value, x, y, level):
        """
        Take off what squares of several pixels smear, in the second order.

        Light that is read from squares of n pixels is that of the image
        smeared by (3 n**2 - 1) / 12 square pixels in each direction: by the
        square, and by the linear interpolation. From squares of twice the
        size it is smeared by more, and the difference tells how much to take
        off (Richardson 1911, Phil. Trans. A 210, 307).

        Parameters
        ----------
        value : `torch.Tensor`, shape (B, ...)
            What `sample` found.

        x, y, level : `torch.Tensor`
            As for `sample`.

        Returns
        -------
        value : `torch.Tensor`, shape (B, ...)
            As it was where the larger squares are hardly usable.
        """
        wide, weight = self.sample(x, y, level + 1)
        square = 4.0**level
        part = (3 * square - 1) / (9 * square)
        return torch.where(weight > 0.5, torch.lerp(wide, value, 1 + part),
                           value)

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
