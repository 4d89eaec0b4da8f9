# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Map a galaxy on its ellipses, in units of its half-light radius.

Size, inclination and orientation drop out of such maps: a ring is a row, a
turn of the image moves the columns, and a reflection reverses them. A point
on an ellipse of semi-major axis a, ellipticity e and direction t of its
major axis is a ``(1 - e / 2 + E / 2) (cos p, sin p)`` from the centre, where E
is the symmetric matrix of ``e cos 2t`` and ``e sin 2t``: the angle p counts
from the x axis whatever the ellipse, so that rings which are nearly round,
and have no major axis, follow on each other as others do. Everything is
symmetric about the centre and in double precision; turns and reflections of
the pixels give the same maps, turned and reflected.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

__all__ = ['N_CHANNELS', 'N_RING_FEATURES', 'GalaxyMaps', 'find_scale',
           'make_maps']


# Channels of the maps, and features of the rings.
N_CHANNELS, N_RING_FEATURES = 6, 9

# Ellipses flatter than this are not deprojected any further: the seeing has
# made them rounder than the disc is.
_FLATTEST = 0.75

# The radii (in half-light radii) whose ellipses tell the inclination.
_OUTSKIRTS = 1.2, 3.0

# Places within a cell of the map at which it is sampled, as parts of the
# steps in radius and in angle.
_RADIAL, _AROUND = (-0.25, 0.25), (-0.25, 0.25)

# Of large galaxies, means over so wide a part of the half-light radius are
# sampled.
_WIDTH = 0.08


@dataclass
class GalaxyMaps:
    """
    Maps of galaxies on their ellipses.

    Attributes
    ----------
    image : `torch.Tensor`, shape (B, 6, n_radius, n_angle)
        On the fitted ellipses: the contrast with the profile, its
        significance, and the significance of what is on both sides of the
        centre; on ellipses of one shape: the contrast with the mean of the
        ring and its significance; and which cells are usable.

    rings : `torch.Tensor`, shape (B, 9, n_radius)
        Of the profile: logarithm and its gradient, signal-to-noise ratio,
        ellipticity, its part along and across the major axis of the
        outskirts, whether the profile reaches so far, the usable part, and
        the power of the second order of the rings of one shape.
    """

    image: torch.Tensor
    rings: torch.Tensor

    def __len__(self):
        return len(self.image)

    @classmethod
    def stack(cls, maps):
        """
        Join maps of several galaxies.
        """
        maps = list(maps)
        return cls(torch.cat([part.image for part in maps]),
                   torch.cat([part.rings for part in maps]))


def find_scale(sma, eps, intensity):
    """
    Find the semi-major axis that holds half of the light of a profile.

    Parameters
    ----------
    sma, eps, intensity : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, ellipticities and mean pixel values;
        rings that are not finite are left out.

    Returns
    -------
    radius : float
        In pixels; not-a-number if there are fewer than three rings or no
        light.
    """
    good = np.isfinite(sma) & np.isfinite(eps) & np.isfinite(intensity)
    if np.count_nonzero(good) < 3:
        return np.nan
    sma, eps, intensity = sma[good], eps[good], intensity[good]
    area = np.pi * sma**2 * (1 - eps)
    step = np.maximum(np.diff(area, prepend=0.0), 0.0)
    before = np.concatenate([intensity[:1], intensity[:-1]])
    total = np.cumsum(np.maximum(0.5 * (intensity + before), 0) * step)
    if not total[-1] > 0:
        return np.nan
    return float(np.interp(0.5, total / total[-1], sma))


def make_maps(image, good, sigma, centre, sma, e1, e2, intensity, config):
    """
    Map a galaxy on its ellipses.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        Pixel values without the sky.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Usable pixels.

    sigma : float
        Noise of a sky pixel.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sma, e1, e2, intensity : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, ellipticity times cosine and sine of
        twice the angle from +x, and mean pixel values.

    config : `~astro_pix2prof.networks.encoder.config.EncoderConfig`
        The settings.

    Returns
    -------
    maps : `GalaxyMaps` or `None`
        Of one galaxy; `None` if the profile has no half-light radius.
    """
    eps = np.hypot(e1, e2)
    scale = find_scale(sma, eps, intensity)
    if not (np.isfinite(scale) and scale > 0 and sigma > 0):
        return None
    known = (np.isfinite(sma) & np.isfinite(eps) & np.isfinite(intensity)
             & (eps < 1))
    sma, e1, e2, intensity = (np.asarray(part, dtype=float)[known]
                              for part in (sma, e1, e2, intensity))
    log_r = np.linspace(np.log(config.inner), np.log(config.outer),
                        config.n_radius)
    step = log_r[1] - log_r[0]
    fine = (log_r[:, None] + step * np.array(_RADIAL)).ravel()
    radius = scale * np.exp(fine)
    end = sma[-1]
    f1, f2 = (np.interp(radius, sma, part) for part in (e1, e2))
    profile = _profile_at(radius, sma, intensity)
    # the shape of the outskirts, in which all rings are seen once more
    low, high = _OUTSKIRTS
    outside = (fine >= np.log(low)) & (fine <= np.log(high)) & (
        radius <= end)
    if not outside.any():
        outside = radius <= max(end, radius[0])
        outside &= np.arange(len(radius)) >= np.count_nonzero(outside) - 2
    g1, g2 = f1[outside].mean(), f2[outside].mean()
    flat = np.hypot(g1, g2)
    axis = np.array([g1, g2]) / max(flat, 1e-9)
    limit = min(1.0, _FLATTEST / max(flat, 1e-9))
    g1, g2 = limit * g1, limit * g2

    both, n_mean, first = _prepare(image, good, centre, scale, config)
    ones = np.ones_like(radius)
    (own, same), part = _sample(
        both, np.subtract(centre, first), np.stack([radius, radius]),
        np.stack([f1, g1 * ones]), np.stack([f2, g2 * ones]),
        config.n_angle)
    model = torch.from_numpy(profile).view(config.n_radius, -1).mean(
        1, keepdim=True)
    # independent pixels of a cell
    side = step * (2 * np.pi / config.n_angle)
    wide = scale * np.exp(log_r)
    area = torch.from_numpy(side * wide**2 * np.sqrt(
        1 - np.hypot(f1, f2).reshape(config.n_radius, -1).mean(1)))
    noise = sigma / torch.sqrt(area.clamp(1.0, max(4.0, n_mean)))[:, None]
    seen = part > 0.5
    residual = torch.where(seen[0], own - model, 0.0)
    count = seen[1].sum(1, keepdim=True)
    mean = (same * seen[1]).sum(1, keepdim=True) / count.clamp(min=1)
    beside = torch.where(seen[1], same - mean, 0.0)
    half = config.n_angle // 2
    other = torch.roll(residual, half, 1)
    both = torch.where(residual.abs() < other.abs(), residual, other)
    both = torch.where(residual * other > 0, both, 0.0)
    channels = torch.stack([
        _contrast(residual, model, noise), _significance(residual, noise),
        _significance(both, noise), _contrast(beside, mean, noise),
        _significance(beside, noise), seen[0].double()])
    second = torch.fft.rfft(beside, dim=1)[:, 2].abs() * 2 / config.n_angle
    second = second / (mean[:, 0].clamp(min=0) + noise[:, 0])
    rings = _ring_features(
        log_r, step, scale, sma, e1, e2, intensity, axis,
        sigma / np.sqrt(np.maximum(2 * np.pi * wide, 1.0)))
    rings = torch.cat([torch.from_numpy(rings),
                       seen[0].double().mean(1)[None],
                       second.clamp(max=2)[None]])
    return GalaxyMaps(channels.float()[None], rings.float()[None])


def _contrast(residual, mean, noise):
    return (residual / (mean.clamp(min=0) + 2 * noise)).clamp(-2, 4)


def _significance(residual, noise):
    return torch.asinh(residual / noise) / 2


def _profile_at(radius, sma, intensity):
    """
    Interpolate a profile in its logarithm; 0 beyond its end.
    """
    floor = 1e-6 * max(float(intensity.max()), 1e-30)
    log = np.log(np.maximum(intensity, floor))
    out = np.exp(np.interp(np.log(np.maximum(radius, 1e-3)), np.log(
        np.maximum(sma, 1e-3)), log))
    return np.where(radius > sma[-1], 0.0, out)


def _ring_features(log_r, step, scale, sma, e1, e2, intensity, axis, noise):
    """
    Describe the profile and its ellipses at the radii of the map: (7, K).
    """
    radius = scale * np.exp(log_r)
    value = _profile_at(radius, sma, intensity)
    inside = radius <= sma[-1]
    middle = max(float(_profile_at(np.array([scale]), sma, intensity)[0]),
                 1e-30)
    log = np.log(np.maximum(value, 1e-3 * middle) / middle)
    slope = np.gradient(log, step)
    r1, r2 = (np.interp(radius, sma, part) for part in (e1, e2))
    # along and across the axis of the outskirts; left is as good as right
    along = r1 * axis[0] + r2 * axis[1]
    across = np.abs(r2 * axis[0] - r1 * axis[1])
    return np.stack([
        log / 3, slope / 3, np.arcsinh(value / noise) / 4,
        np.hypot(r1, r2), along, across, inside.astype(float)])


def _prepare(image, good, centre, scale, config):
    """
    Crop around the galaxy, and take means of the pixels of a large one.

    Returns pixels and usable parts, (1, 2, ny, nx), the number of pixels in
    a mean, and the first pixel (x, y).
    """
    reach = config.outer * scale * 1.2 + 2
    ny, nx = image.shape
    x, y = centre
    # (as far on each side, so that turned frames are cropped alike)
    x0, x1 = max(0, int(np.floor(x - reach))), int(np.ceil(x + reach)) + 1
    y0, y1 = max(0, int(np.floor(y - reach))), int(np.ceil(y + reach)) + 1
    window = np.s_[y0:min(y1, ny), x0:min(x1, nx)]
    usable = np.array(good[window], dtype=float)
    pixels = np.where(usable > 0, np.nan_to_num(image[window]), 0.0)
    both = torch.from_numpy(np.stack([pixels, usable]))[None]
    width = 2 * int(0.5 * _WIDTH * scale) + 1
    if width > 1:
        both = functional.avg_pool2d(both, width, 1, width // 2)
    return both, width**2, (x0, y0)


def _sample(both, centre, radius, e1, e2, n_angle):
    """
    Sample pixels along ellipses and take means in the cells of the maps.

    Returns means and usable parts, (M, K, n_angle) each, for M sets of
    ellipses.
    """
    turn = 2 * np.pi / n_angle
    angle = (np.arange(n_angle)[:, None] + np.array(_AROUND)).ravel() * turn
    cos, sin = np.cos(angle), np.sin(angle)
    size = 1 - 0.5 * np.hypot(e1, e2)
    x = centre[0] + radius[..., None] * (
        (size + 0.5 * e1)[..., None] * cos + 0.5 * e2[..., None] * sin)
    y = centre[1] + radius[..., None] * (
        0.5 * e2[..., None] * cos + (size - 0.5 * e1)[..., None] * sin)
    ny, nx = both.shape[-2:]
    # (pixels whose centres are at -1 and 1)
    grid = np.stack([2 * x / max(nx - 1, 1) - 1, 2 * y / max(ny - 1, 1) - 1],
                    -1)
    found = functional.grid_sample(
        both, torch.from_numpy(grid.reshape(1, -1, len(angle), 2)),
        align_corners=True)[0]
    # the means of the samples in each cell (sums of slices are much faster
    # than means over two axes)
    cells = found.view(2, len(radius), -1, len(_RADIAL), n_angle,
                       len(_AROUND))
    value, part = sum(cells[:, :, :, j, :, k] for j in range(len(_RADIAL))
                      for k in range(len(_AROUND))) / (
                          len(_RADIAL) * len(_AROUND))
    return value / part.clamp(min=1e-6), part
