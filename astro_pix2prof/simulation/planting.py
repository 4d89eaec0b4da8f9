# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Plant clumps, stars and companions in images of galaxies.

The simulator's own clumps follow the luminosity function of HII regions:
hardly one holds one per cent of its galaxy. Giant clumps are planted.
"""

import math
from dataclasses import dataclass

import torch

__all__ = ['GalaxyFrame', 'draw_sources', 'plant_sources', 'source_snr']


# Galaxies by their number of clumps: volunteers marked 1, 2, 3, 4 and more
# clumps in 45, 31, 14, 6 and 5% of the galaxies with any in 46,164 boxes of
# Galaxy Zoo: Clump Scout (median 2 with the odd ones, 4 at 90%). Some have
# none, so that a network learns that there are such.
_NUMBERS = (0.25, 0.30, 0.22, 0.10, 0.06, 0.04, 0.03)

# 28% of the boxes are odd: mean number of stars, and of companions, planted
# in a galaxy, besides those of the simulator.
_STARS, _COMPANIONS = 0.35, 0.25

# Clumps lie at this semi-major axis in R50 (median; scatter of its
# logarithm), not within so many FWHM of the nucleus.
_WHERE, _SCATTER, _NEAREST = 1.15, 0.45, 1.2

# A sigma of a Gaussian for a unit of its full width at half maximum.
_SIGMA = 1 / 2.355


@dataclass
class GalaxyFrame:
    """
    Image of a galaxy in which sources can be planted.

    Attributes
    ----------
    image : `torch.Tensor`, shape (H, W)
        The image.

    centre : `torch.Tensor`, shape (2,)
        The centre (x, y) in pixels.

    sma, intensity, eps, theta : `torch.Tensor`, shape (N,)
        The true profile: semi-major axis in pixels, light of a pixel,
        ellipticity and angle (radians from +x).

    flux, r50 : float
        The light of the galaxy; the semi-major axis that holds half of it.

    fwhm, sigma, gain : float
        The seeing in pixels; the noise of a sky pixel; electrons in a unit
        of the image.
    """

    image: torch.Tensor
    centre: torch.Tensor
    sma: torch.Tensor
    intensity: torch.Tensor
    eps: torch.Tensor
    theta: torch.Tensor
    flux: float
    r50: float
    fwhm: float
    sigma: float
    gain: float

    def interpolate(self, values, radius):
        """
        Interpolate values at ``sma`` to other semi-major axes.
        """
        high = torch.searchsorted(self.sma, radius.contiguous()).clamp(
            1, len(self.sma) - 1)
        x0, x1 = self.sma[high - 1], self.sma[high]
        part = ((radius - x0) / (x1 - x0)).clamp(0, 1)
        return values[high - 1] * (1 - part) + values[high] * part

    def radius(self, x, y):
        """
        Compute the semi-major axis of the ellipse through points.
        """
        dx, dy = x - self.centre[0], y - self.centre[1]
        radius = torch.hypot(dx, dy)
        for _ in range(3):
            eps = self.interpolate(self.eps, radius).clamp(max=0.95)
            theta = self.interpolate(self.theta, radius)
            c, s = torch.cos(theta), torch.sin(theta)
            radius = torch.hypot(dx * c + dy * s,
                                 (dy * c - dx * s) / (1 - eps))
        return radius


def source_snr(frame, x, y, flux, size):
    """
    Compute how well sources stand out: ratios to the noise and the galaxy.

    Parameters
    ----------
    frame : `GalaxyFrame`
        The galaxy.

    x, y, flux, size : `torch.Tensor`, shape (M,)
        Places in pixels, fluxes, and standard deviations of Gaussians in
        pixels before the PSF.

    Returns
    -------
    snr : `torch.Tensor`, shape (M,)
        The signal-to-noise ratio of a matched filter, in the noise of sky
        and galaxy.

    contrast : `torch.Tensor`, shape (M,)
        The light at the peak relative to that of the galaxy there.
    """
    s2 = (frame.fwhm * _SIGMA)**2 + size**2
    level = frame.interpolate(frame.intensity, frame.radius(x, y)).clamp(
        min=0)
    variance = frame.sigma**2 + level / frame.gain
    snr = flux / torch.sqrt(4 * math.pi * s2 * variance)
    return snr, flux / (2 * math.pi * s2) / level.clamp(
        min=1e-3 * frame.sigma)


def draw_sources(frame, generator, *, numbers=_NUMBERS, stars=_STARS,
                 companions=_COMPANIONS):
    """
    Draw clumps, stars and companions of a galaxy.

    Parameters
    ----------
    frame : `GalaxyFrame`
        The galaxy.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    numbers : tuple of float, optional
        Shares of the galaxies with 0, 1, 2, ... clumps.

    stars, companions : float, optional
        The mean numbers of both.

    Returns
    -------
    sources : `torch.Tensor`, shape (M, 6)
        x, y (pixels), flux, size (standard deviation in pixels before the
        PSF), kind (0 clump, 1 star, 2 companion), axis ratio.
    """
    def rand(*shape):
        return torch.rand(*shape, generator=generator)

    n = int(torch.multinomial(torch.tensor(numbers), 1, generator=generator))
    stars, others = (int(torch.poisson(torch.tensor(mean),
                                       generator=generator))
                     for mean in (stars, companions))
    kind = torch.tensor([0.0] * n + [1.0] * stars + [2.0] * others)
    m = len(kind)
    if not m:
        return torch.zeros(0, 6)
    odd = kind > 0
    r = frame.r50 * _WHERE * torch.exp(_SCATTER * torch.randn(
        m, generator=generator))
    r = torch.where(odd, r * (0.6 + 1.6 * rand(m)), r)
    phi = 6.2832 * rand(m)
    eps = frame.interpolate(frame.eps, r)
    theta = frame.interpolate(frame.theta, r)
    a, b = r * torch.cos(phi), r * (1 - eps) * torch.sin(phi)
    dx = a * torch.cos(theta) - b * torch.sin(theta)
    dy = a * torch.sin(theta) + b * torch.cos(theta)
    away = torch.hypot(dx, dy)
    push = (_NEAREST * frame.fwhm / away.clamp(min=1e-3)).clamp(min=1)
    x, y = frame.centre[0] + dx * push, frame.centre[1] + dy * push
    size = frame.fwhm * 0.5 * rand(m)
    size = torch.where(kind == 1, 0.0, size)
    size = torch.where(kind == 2, frame.fwhm * (0.4 + 1.2 * rand(m)), size)
    # of a part of them the share of the light is drawn, of others how well
    # they are seen
    share = 0.004 * (50**rand(m))
    unit, _ = source_snr(frame, x, y, torch.ones(m), size)
    seen = 3 * torch.where(odd, 80.0, 20.0)**rand(m) / unit
    flux = torch.where(rand(m) < 0.6, share * frame.flux, torch.minimum(
        seen, torch.where(odd, 0.6, 0.25) * frame.flux))
    return torch.stack([x, y, flux, size, kind, 0.4 + 0.6 * rand(m)], 1)


def plant_sources(frame, sources, generator, *, beta=None):
    """
    Add sources to the image of a galaxy, with their photon noise.

    Parameters
    ----------
    frame : `GalaxyFrame`
        The galaxy.

    sources : `torch.Tensor`, shape (M, 6)
        See `draw_sources`.

    generator : `torch.Generator`
        The source of random numbers (CPU).

    beta : float, optional
        The exponent of the Moffat function of the PSF; drawn from 2.5 to 5
        by default.

    Returns
    -------
    image : `torch.Tensor`, shape (H, W)
        A new image.
    """
    if beta is None:
        beta = 2.5 + 2.5 * float(torch.rand((), generator=generator))
    height, width = frame.image.shape
    gx = torch.arange(width, dtype=torch.float32)
    gy = torch.arange(height, dtype=torch.float32)[:, None]
    light = torch.zeros_like(frame.image)
    for x, y, flux, size, kind, q in sources.tolist():
        angle = math.pi * float(torch.rand((), generator=generator))
        q = q if kind == 2 else 1.0
        c, s = math.cos(angle), math.sin(angle)
        u = (gx - x) * c + (gy - y) * s
        v = (gy - y) * c - (gx - x) * s
        wide = math.hypot(frame.fwhm, 2.355 * size)
        thin = math.hypot(frame.fwhm, 2.355 * size * q)
        scale = 2 * math.sqrt(2**(1 / beta) - 1)
        r2 = (u * (scale / wide))**2 + (v * (scale / thin))**2
        norm = (beta - 1) / math.pi * scale**2 / (wide * thin)
        light += flux * norm * (1 + r2)**-beta
    noise = torch.randn(light.shape, generator=generator)
    return frame.image + light + noise * torch.sqrt(
        light.clamp(min=0) / frame.gain)
