# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Light on both sides of a galaxy that a network left out: its own or not.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import (
    gaussian_filter,
    label,
    map_coordinates,
    maximum_filter,
)

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.detection.galaxy import point_symmetric
from astro_pix2prof.ellipses.annuli import sample_rings
from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.ellipses.model import elliptical_radius, light_at
from astro_pix2prof.inference.radii import (
    OWN,
    STRUCTURE,
    clean_image,
    means_of_samples,
    opposite_weight,
    point_weights,
)

__all__ = ['BothSides', 'measure_both_sides']


# Light of the galaxy was left out if so many rings beyond so many pixels are
# brighter with it by so much, by so many times the noise of each and of them
# all, and if the light in so many sectors correlates that well with that on
# opposite sides: polar rings reach one, and hardly any two other objects do.
# As many next to each other, of so many times their error, lost weight.
_RINGS, _INNER, _BRIGHTER, _ABOVE, _ALL = 3, 6.0, 0.05, 0.5, 2.5
_CLEARLY = 2.0
_SECTORS, _ALIKE = 16, 0.88

# Light on both sides that makes a ring so many times as bright has a flag.
_MUCH = 1.2

# Peaks are looked for in the image smoothed by so many (binned) pixels, or by
# so much of the radius; the brightest, down to so much of the first, tell,
# where points lost so much of their weight on both sides.
_KERNEL, _SMOOTH, _PEAKS, _BRIGHT, _LOST = 1.2, 0.05, 6, 0.3, 0.3

# A peak is the brightest point of a square of so many points to each side. The
# light of the galaxy is that of rings of so many times the noise.
_NEAR, _HALVINGS, _GALAXY = 2, 8, 3.0

# Fewest binned pixels along an axis of an image.
_FEWEST = 16

# They are searched from so much of the radius of the first of these rings to
# so much of that of the last.
_FROM, _TO = 0.7, 1.1

# Other objects have peaks of their own: between them and the galaxy, so much
# of their light is missing, so many times the noise of it on both sides.
_APART, _SURE, _NOISES = 0.5, 8.0, 2.0

# The galaxy's own light has none, and is so much alike in each pixel and its
# opposite, if it is so bright that this means something.
_TOGETHER, _SAME, _SEEN = 0.3, 0.9, 2.0


@dataclass
class BothSides:
    """
    Record of light on two opposite sides that a network left out.

    Attributes
    ----------
    intensity, intensity_err : 1D `~numpy.ndarray`, shape (n,)
        The rings with this light, and their errors.

    is_much : bool
        Whether it changes a ring by a fifth or more.

    is_own : bool
        Whether the galaxy alone can have it: it has no peaks of its own, and
        is the same in each pixel and the opposite one.

    is_other : bool
        Whether other objects have it: it has peaks of its own.

    part : float
        This light over all that of the rings that are seen.
    """

    intensity: np.ndarray
    intensity_err: np.ndarray
    is_much: bool
    is_own: bool
    is_other: bool
    part: float


def measure_both_sides(rings, prepared, weight):
    """
    Measure rings some of whose light, on both sides, was left out.

    A network takes what it does not know for another object, as a polar ring
    around a disc. Where the light that it leaves out is the same on opposite
    sides of the centre, it is the galaxy's.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        Rings along the ellipses of the network.

    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle)
        Weights of the points of each ring, from 0 to 1.

    Returns
    -------
    found : `BothSides` or `None`
        `None` if none was left out.
    """
    both = opposite_weight(weight)
    with np.errstate(invalid='ignore'):
        some = (both.mean(1) > OWN) & (rings.sma > _INNER) & (
            rings.intensity > _CLEARLY * rings.intensity_err)
    rows = np.flatnonzero(some)
    # (most galaxies are done with here, which is fast)
    if not (np.convolve(some, np.ones(_RINGS)) > _RINGS - 0.5).any():
        return None
    image = clean_image(rings, prepared)
    shape = rings.sma[rows], rings.eps[rows], rings.theta[rows]
    samples = list(sample_rings(image, ~rings.cutout.mask, rings.centre,
                                *shape))
    without = means_of_samples(rings, samples, shape[2], weight[rows])
    means = means_of_samples(rings, samples, shape[2], (weight + both)[rows],
                             even=True)
    more = means.mean - without.mean
    with np.errstate(invalid='ignore'):
        some = (more > _BRIGHTER * rings.intensity[rows]) & (
            more > _ABOVE * means.noise)
    rows, more, noise = rows[some], more[some], means.noise[some]
    if len(rows) < _RINGS or np.linalg.norm(more / noise) < _ALL or (
            _likeness(rings, image, weight, rows) < _ALIKE):
        return None
    value, error = rings.intensity.copy(), rings.intensity_err.copy()
    value[rows] += more
    error[rows] = np.hypot(np.hypot(error[rows], noise), STRUCTURE * more)
    maps = _Maps(rings, image, both, rows)
    apart, clear = _own_peaks(maps)
    same, seen = _sameness(maps)
    return BothSides(
        value, error, bool((value > _MUCH * rings.intensity).any()),
        is_own=apart < _TOGETHER and same > _SAME and seen > _SEEN,
        is_other=apart > _APART and clear > _SURE, part=_part(maps))


def _likeness(rings, image, weight, rows):
    """
    Calculate how the light that was left out correlates with its opposite.

    Noise has no part in it.
    """
    product = power = 0.0
    for index, values, used, _ in sample_rings(
            image, ~rings.cutout.mask, rings.centre, rings.sma[rows],
            rings.eps[rows], rings.theta[rows]):
        own, n = rows[index], values.shape[1]
        part = np.where(used > 0, 1 - point_weights(
            weight[own], rings.theta[own], n), 0.0)
        light = part * (values - rings.intensity[own][:, None])
        # (longer rings are sampled at more points)
        edges = np.arange(_SECTORS) * n // _SECTORS
        count = np.diff(np.append(edges, n))
        light = np.add.reduceat(light, edges, 1) / count
        noise = rings.noise**2 * (np.add.reduceat(
            part**2, edges, 1) / count**2).sum()
        product += (light * np.roll(light, _SECTORS // 2, 1)).sum()
        power += (light**2).sum() - noise
    return product / power if power > 0 else 0.0


class _Maps:
    """
    Maps of the section of an image that holds some rings.

    Those of large rings are binned, as peaks are looked for on their scale.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings.

    image : 2D `~numpy.ndarray`, shape (ny, nx)
        As `clean_image` returns it.

    both : 2D `~numpy.ndarray`, shape (n, n_angle)
        The weight that points lost on two opposite sides.

    rows : 1D `~numpy.ndarray` of int
        The rings that are brighter with these points.

    Attributes
    ----------
    bins : int
        How many pixels were binned along each axis; the other attributes
        count in binned pixels.

    sma : 1D `~numpy.ndarray`
        Semi-major axes of the rings that are brighter.

    part, light, lost, radius : 2D `~numpy.ndarray`
        The section, what is there beyond the profile, the weight that was
        lost, and semi-major axes.

    centre : tuple of 2 floats
        In the section (x, y).
    """

    def __init__(self, rings, image, both, rows):
        self.rings = rings
        sma = rings.sma[rows]
        n = self.bins = max(min(int(_SMOOTH * np.median(sma) / _KERNEL),
                                min(image.shape) // _FEWEST), 1)
        self.sma = sma / n
        reach = int(np.ceil(_TO * sma[-1])) + 2
        x, y = rings.centre
        left, below = max(int(x) - reach, 0), max(int(y) - reach, 0)
        part = image[below:int(y) + reach + 1, left:int(x) + reach + 1]
        ny, nx = shape = tuple(size // n for size in part.shape)
        self.part = part[:ny * n, :nx * n].reshape(ny, n, nx, n).mean((1, 3))
        self.centre = tuple(float(c - first - 0.5 * (n - 1)) / n
                            for c, first in ((x, left), (y, below)))
        own = rings.sma / n
        self.radius = elliptical_radius(shape, self.centre, own, rings.eps,
                                        rings.theta)
        self.light = self.part - light_at(self.radius, own, rings.intensity)
        eps, theta = shape_from_components(*(
            np.interp(self.radius, own, component)
            for component in shape_to_components(rings.eps, rings.theta)))
        y, x = np.indices(shape)
        x, y = x - self.centre[0], y - self.centre[1]
        cos, sin = np.cos(theta), np.sin(theta)
        anomaly = np.arctan2((y * cos - x * sin) / (1 - eps),
                             x * cos + y * sin)
        columns = both.shape[1]
        column = np.mod((anomaly + theta) / (2 * np.pi) * columns, columns)
        row = np.interp(self.radius, own, np.arange(len(own)))
        lost = map_coordinates(np.hstack([both, both[:, :1]]), (row, column),
                               order=1, mode='nearest')
        self.lost = np.where((self.radius > _FROM * self.sma[0])
                             & (self.radius < _TO * self.sma[-1]), lost, 0.0)

    def noise(self, kernel):
        """
        Calculate the noise of pixels that a Gaussian has smoothed.
        """
        factor = ring_correlation(self.rings.noise_correlation,
                                  np.ones(1))[0]
        return factor * self.rings.noise / (
            2 * np.sqrt(np.pi) * kernel * self.bins)


def _own_peaks(maps):
    """
    Calculate how far the light on both sides stands apart from the galaxy.

    A polar ring is connected with the galaxy; between another object and the
    galaxy there is less light.

    Returns
    -------
    apart : float
        The missing light, noise subtracted, over that of the peak beyond the
        profile: of the lower of two opposite peaks, and the most of all.

    clear : float
        As much in units of the noise.
    """
    kernel = max(_KERNEL, _SMOOTH * float(np.median(maps.sma)))
    smooth, light = (gaussian_filter(values, kernel)
                     for values in (maps.part, maps.light))
    noise = maps.noise(kernel)
    inside = maps.radius <= max(_FROM * maps.sma[0], maps.radius.min())
    here = np.where(maps.lost > _LOST, light, -np.inf)
    top = here.max()
    if not top > 0:
        return 0.0, 0.0
    y, x = np.nonzero((here == maximum_filter(here, 2 * _NEAR + 1))
                      & (here > _BRIGHT * top))
    order = np.argsort(-here[y, x])[:_PEAKS]
    best = 0.0, 0.0
    for at in zip(y[order], x[order], strict=True):
        away = tuple(int(np.clip(round(2 * c - p), 0, n - 1))
                     for c, p, n in zip(maps.centre[::-1], at, smooth.shape,
                                        strict=True))
        best = max(best, min(_standing(smooth, light, point, inside, noise)
                             for point in (at, away)))
    return best


def _standing(smooth, light, point, inside, noise):
    """
    Calculate how much light is missing between a peak and the galaxy.
    """
    near = tuple(slice(max(p - _NEAR, 0), p + _NEAR + 1) for p in point)
    at = np.unravel_index(np.argmax(smooth[near]), smooth[near].shape)
    at = tuple(int(s.start + p) for s, p in zip(near, at, strict=True))
    top = smooth[at]
    low, high = min(0.0, top), min(top, smooth[inside].max())
    for _ in range(_HALVINGS):
        level = 0.5 * (low + high)
        region, _ = label(smooth >= level)
        if (region[inside] == region[at]).any():
            low = level
        else:
            high = level
    fall = top - low
    return (float((fall - _NOISES * noise) / max(light[at], noise)),
            float(fall / noise))


def _sameness(maps):
    """
    Calculate how alike light is in each pixel and the opposite one.

    Returns
    -------
    same : float
        The correlation, in which noise has no part.

    seen : float
        The power of the light over that of the noise.
    """
    mine = gaussian_filter(maps.lost * maps.light, _KERNEL)
    other = point_symmetric(mine, maps.centre)
    use = (maps.lost > 0) & np.isfinite(other)
    noise = (gaussian_filter(maps.lost**2, _KERNEL)[use].sum()
             * maps.noise(_KERNEL)**2)
    product = (mine * other)[use].sum()
    power = max((mine[use]**2).sum() - noise, 1e-9 * noise)
    return float(product / power), float(product / noise)


def _part(maps):
    """
    Calculate the light on both sides over that of the rings.
    """
    rings = maps.rings
    seen = rings.intensity > _GALAXY * rings.noise
    if not seen.any():
        return 0.0
    area = np.pi * np.gradient(rings.sma**2) * (1 - rings.eps)
    light = maps.bins**2 * (maps.lost * np.maximum(maps.light, 0.0)).sum()
    return float(light / (area * rings.intensity)[seen].sum())
