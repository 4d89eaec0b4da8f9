# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Images of several bands added up, for one geometry of all.
"""

import copy

import numpy as np
from astropy.coordinates import SkyCoord
from scipy.ndimage import gaussian_filter, label, map_coordinates

from astro_pix2prof.background.level import measure_sky
from astro_pix2prof.fitting.forced import SAME_SCALE
from astro_pix2prof.image.astrometry import pixel_to_icrs, sky_to_pixel
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['GEOMETRY_FLAGS', 'check_grids', 'stack_bands']


# Flags of the fit that gives the ellipses, which hold for all bands.
GEOMETRY_FLAGS = (GalaxyFlag.SECOND_GUESS | GalaxyFlag.FIXED_ELLIPSES
                  | GalaxyFlag.CENTRE_UNCERTAIN | GalaxyFlag.CENTRE_OFFSET
                  | GalaxyFlag.GEOMETRY_UNCERTAIN)

# The galaxy is where the smoothed sum is so many times its scatter; width of
# the smoothing in pixels.
_BRIGHT, _WIDTH = 3.0, 1.5

# A band whose light in the galaxy is below so many times its noise has no
# colour, and no part in the sum.
_SEEN = 3.0

# Pixels of bands are the same if they lie within this part of one.
_SAME = 0.01


def check_grids(cutouts, name="reference='all'"):
    """
    Check that the pixels of all bands can be put upon each other.

    Parameters
    ----------
    cutouts : dict of `~astro_pix2prof.GalaxyCutout`
        The images.

    name : str, optional
        The argument that needs it, for messages.

    Raises
    ------
    ValueError
        If some have no WCS, and the shapes of the images, the parts of
        them or the pixel scales differ.
    """
    if all(cutout.wcs is not None for cutout in cutouts.values()):
        return
    shapes = {band: cutout.input_shape for band, cutout in cutouts.items()}
    if len(set(shapes.values())) == 1:
        # (of one shape, but they may be cut at other places)
        shapes = {band: cutout.shape for band, cutout in cutouts.items()}
    if len({(cutout.input_shape, cutout.shape, cutout.origin)
            for cutout in cutouts.values()}) > 1:
        msg = (f'{name} needs images with a WCS, or of one shape and '
               'cut at one place, got ' + ', '.join(
                   f'{band}: {shape} from pixel {cutouts[band].origin}'
                   for band, shape in shapes.items()))
        raise ValueError(msg)
    scales = {band: cutout.pixel_scale for band, cutout in cutouts.items()
              if cutout.pixel_scale}
    if scales and max(scales.values()) > (1 + SAME_SCALE) * min(
            scales.values()):
        msg = (f'{name} needs images with a WCS, or of one pixel '
               'scale, got ' + ', '.join(f'{band}: {scale:.4g} arcsec' for
                                         band, scale in scales.items()))
        raise ValueError(msg)


def stack_bands(cutouts, *, first=None, skies=None):
    """
    Add the images of a galaxy in several bands, weighted by their signal.

    Each band is divided by its colour (its flux relative to that of the
    first) and counts with the square of colour over noise: the weight with
    which the signal-to-noise ratio of the sum is highest.

    Parameters
    ----------
    cutouts : dict of `~astro_pix2prof.GalaxyCutout`
        The images. Those that have other pixels than the first are
        interpolated to its pixels.

    first : str, optional
        The band whose pixels and unit the sum has; by default that with the
        highest signal.

    skies : dict of float, optional
        The sky of each band, if it is known.

    Returns
    -------
    stack : `~astro_pix2prof.GalaxyCutout`
        The sum, in the unit of the first band.

    shares : dict of float
        The part of each band in the sum.

    Raises
    ------
    ValueError
        If the pixels do not fit together.
    """
    check_grids(cutouts)
    planes = {band: _Plane(cutout, None if skies is None else skies[band])
              for band, cutout in cutouts.items()}
    if first is None:
        first = max(planes, key=lambda band: planes[band].signal())
    base = cutouts[first]
    for band, plane in planes.items():
        if band != first:
            plane.move_to(base)
    colours = _colours(planes, first, base.position)
    sums = np.zeros((4, *base.shape))
    gain = 0.0
    for band, plane in planes.items():
        colour = colours[band]
        weight = colour / plane.sigma**2 * ~plane.mask
        sums += np.stack([weight * plane.data, weight * colour,
                          (weight * plane.noise)**2, weight])
        if plane.gain and colour > 0:
            gain += (colour / plane.sigma**2)**2 * colour / plane.gain
    norm = sum(colours[band]**2 / plane.sigma**2
               for band, plane in planes.items())
    good = sums[1] > 0
    stack = copy.copy(base)
    for name in ('background_noise', 'background_level'):
        stack.__dict__.pop(name, None)
    stack.mask = ~good
    safe = np.where(good, sums[1], 1.0)
    stack.data = np.where(good, sums[0] / safe, 0.0).astype(np.float32)
    noise = np.sqrt(sums[2]) / safe
    stack.noise = np.where(good, noise, np.median(noise[good])).astype(
        np.float32)
    # (the noise of the sky; that of photons goes with the light)
    stack.gain = norm**2 / gain if gain > 0 else None
    stack.background = None
    stack.saturation = None
    shares = {band: float(colours[band]**2 / plane.sigma**2 / norm)
              for band, plane in planes.items()}
    return stack, shares


class _Plane:
    """
    An image without its sky, with its noise.
    """

    def __init__(self, cutout, sky=None):
        self.cutout = cutout
        if sky is None:
            sky = measure_sky(cutout.data, cutout.mask, cutout.position).level
        self.data = cutout.data.astype(float) - sky
        self.data[cutout.mask] = 0.0
        self.mask = cutout.mask | ~np.isfinite(self.data)
        sigma = cutout.background_noise
        if not sigma > 0:
            sigma = 1e-6 * np.ptp(self.data) or 1.0
        # (a map of the noise holds that of photons)
        self.sigma = float(sigma)
        self.gain = cutout.gain if cutout.noise is None else None
        self.noise = np.full(cutout.shape, self.sigma)
        if cutout.noise is not None:
            self.noise = np.minimum(cutout.noise.astype(float), np.median(
                cutout.noise[~cutout.mask]) * 1e3)

    def signal(self):
        """
        Add the squares of the significant smoothed pixels.
        """
        smooth = gaussian_filter(self.data, _WIDTH) / self.sigma
        return float((np.maximum(smooth - 1.0, 0)**2).sum())

    def move_to(self, base):
        """
        Interpolate to the pixels of another band.
        """
        own = self.cutout
        if own.wcs is None or base.wcs is None:
            return
        ny, nx = base.shape
        # The WCS of a cut-out bends by much less than a pixel: bilinear.
        xs, ys = (np.linspace(0, n - 1, 9) for n in (nx, ny))
        gx, gy = np.meshgrid(xs, ys)
        sky = [pixel_to_icrs(base.wcs, x, y)
               for x, y in zip(gx.ravel(), gy.ravel(), strict=True)]
        at = np.array([sky_to_pixel(own.wcs, SkyCoord(
            *place, unit='deg')) for place in sky])
        x, y = (at[:, k].reshape(9, 9) for k in (0, 1))
        if own.shape == base.shape and max(
                np.abs(x - gx).max(), np.abs(y - gy).max()) < _SAME:
            return
        cells = np.meshgrid(np.arange(ny) * 8 / max(ny - 1, 1),
                            np.arange(nx) * 8 / max(nx - 1, 1),
                            indexing='ij')
        x, y = (map_coordinates(part, cells, order=1) for part in (x, y))
        # flux of the larger pixel from that of the smaller ones
        area = (base.pixel_scale / own.pixel_scale)**2
        outside = ((x < -0.5) | (y < -0.5) | (x > own.shape[1] - 0.5)
                   | (y > own.shape[0] - 0.5))
        n = max(int(np.ceil(np.sqrt(area))), 1)
        data = np.zeros(base.shape)
        touched = np.zeros(base.shape)
        bad = self.mask.astype(float)
        steps = ((np.arange(n) + 0.5) / n - 0.5) * np.sqrt(area)
        for dy in steps:
            for dx in steps:
                data += map_coordinates(self.data, [y + dy, x + dx], order=1,
                                        mode='nearest')
                touched = np.maximum(touched, map_coordinates(
                    bad, [y + dy, x + dx], order=1, mode='nearest'))
        self.data = data * area / n**2
        self.noise = map_coordinates(self.noise, [y, x], order=0,
                                     mode='nearest') * np.sqrt(area)
        self.mask = outside | (touched > 0.3)
        # (pixels are correlated; each sample counts as one of its own)
        self.sigma *= np.sqrt(area)
        if self.gain and own.unit != base.unit:
            self.gain = None


def _colours(planes, first, position):
    """
    Measure the flux of each band relative to that of the first.
    """
    total = sum(np.where(plane.mask, 0.0, plane.data / plane.sigma)
                for plane in planes.values()) / np.sqrt(len(planes))
    smooth = gaussian_filter(total, _WIDTH)
    scatter = 1 / (2 * np.sqrt(np.pi) * _WIDTH)
    parts, n = label(smooth > _BRIGHT * scatter)
    y, x = np.indices(smooth.shape)
    inside = parts > 0
    if n:
        distance = np.hypot(x - position[0], y - position[1])
        nearest = parts.flat[np.where(inside, distance, np.inf).argmin()]
        inside = parts == nearest
    colours = {}
    for band, plane in planes.items():
        both = inside & ~plane.mask & ~planes[first].mask
        reference = planes[first].data[both].sum()
        light = plane.data[both].sum()
        seen = light > _SEEN * plane.sigma * np.sqrt(max(both.sum(), 1))
        colours[band] = (float(light / reference)
                         if seen and reference > 0 else 0.0)
    colours[first] = 1.0
    return colours
