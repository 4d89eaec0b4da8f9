# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The sky level of an image and its error.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.stats import biweight_location, mad_std, sigma_clip
from scipy.ndimage import binary_dilation, gaussian_filter, label

from astro_pix2prof.background.areas import grown
from astro_pix2prof.background.boxes import (
    fill_boxes,
    noise_correlation,
    sum_boxes,
)
from astro_pix2prof.background.interpolated import is_interpolated
from astro_pix2prof.background.medians import median, quantile, spread
from astro_pix2prof.background.structure import (
    first_slope,
    measure_structure_of_sky,
    rise_of,
)
from astro_pix2prof.background.tails import level_of_rings, outermost

__all__ = ['MEASURED', 'Sky', 'first_sky', 'measure_sky', 'sky_error',
           'with_structure_of']


# What the fitters call a sky that is measured, and not given.
MEASURED = ('auto', 'plane')

# A sky whose structure exceeds this part of the noise of a pixel matters.
_STRUCTURE = 0.12

# Rounding that adds more than this part of the noise of a pixel matters.
_ROUNDING = 0.05

# A plane through all but the sources is believed if it rises across the frame
# by so many times the noise of a pixel, and needed by so many times.
_CLEAR, _START = 3.0, 6.0

# The edges of rings (boxes), to beyond any frame.
_EDGES = np.append(np.arange(8.0), np.exp(np.arange(np.log(8), 16, 0.08)))

# The frame is divided into about so many boxes each way, of at most so many
# pixels each way.
_BOXES, _LARGEST_BOX = 64, 8

# What exceeds the rings by so many times the scatter, and by that part of
# their brightness, is another object.
_OTHERS, _PART = 3.0, 0.2

# Of an object of which less than this part is symmetric about its peak, the
# rest belongs to neighbours.
_SYMMETRIC = 0.6


@dataclass
class Sky:
    """
    The sky of an image.

    Attributes
    ----------
    level, error : float
        The level at the galaxy's centre, and its error, in the image's unit.

    how : str
        'free', from pixels beyond the galaxy; 'tail', from the level that
        its outer rings decline to, where there are too few such pixels;
        'given'.

    slope : tuple of 2 floats
        The increase of the sky per pixel along x and y.

    centre : tuple of 2 floats
        Where (x, y) the level holds, in pixels, if there is a slope.

    correlation : float
        The noise of a mean over many pixels in units of that of as many
        independent pixels.

    reach : float
        The semi-major axis (pixels) out to which the galaxy is seen; 0 if
        nothing was measured.

    structure : float
        The part of the error by which the sky is not flat.

    noise : float
        The noise of a pixel that the structure is compared with.

    rise : float
        The increase across the frame of the plane that is left in it: that
        of the sky, or, where there is none, of all that is not bright.

    tilted : bool
        Whether the slope was found, and not asked for.

    rounding : float
        The part of the error that is due to pixels that are rounded or cut
        off below.
    """

    level: float
    error: float
    how: str
    slope: tuple = (0.0, 0.0)
    centre: tuple = (0.0, 0.0)
    correlation: float = 1.0
    reach: float = 0.0
    structure: float = 0.0
    noise: float = 0.0
    rise: float = 0.0
    tilted: bool = False
    rounding: float = 0.0

    @property
    def is_uneven(self):
        """
        Tell of so much structure that it matters (bool).
        """
        return self.how == 'free' and (
            self.structure > _STRUCTURE * self.noise)

    @property
    def is_uncertain(self):
        """
        Tell of too little sky, too much structure, or rounding (bool).
        """
        return (self.how == 'tail' or self.tilted or self.is_uneven
                or self.rounding > _ROUNDING * self.noise)

    def over(self, shape):
        """
        The sky of every pixel.

        Parameters
        ----------
        shape : tuple of 2 ints
            The shape (ny, nx) of the image.

        Returns
        -------
        sky : float or 2D `~numpy.ndarray`
            A number where the sky is flat.
        """
        if self.slope == (0.0, 0.0):
            return self.level
        y, x = np.ogrid[:shape[0], :shape[1]]
        return (self.level + self.slope[0] * (x - self.centre[0])
                + self.slope[1] * (y - self.centre[1]))


def first_sky(data, bad):
    """
    Sky level and noise of a frame whose sources are not yet known.

    Sources are cut off by thresholds in the smoothed image and grown,
    three times.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image.

    bad : 2D bool `~numpy.ndarray`
        Pixels to leave out.

    Returns
    -------
    level, sigma : float
        Sky level and noise of a pixel, in the image's unit.
    """
    values = data[~bad]
    # The lower half of the distribution holds the least galaxy.
    clipped = sigma_clip(values, sigma=3, sigma_upper=2, maxiters=10,
                         masked=False)
    level, sigma = np.median(clipped), mad_std(clipped)
    smooth = gaussian_filter(np.where(bad, level, data), 2.0)
    interpolated = is_interpolated(data, bad)
    for _ in range(3):
        height = 0.6 * sigma
        if interpolated:
            # (smoothing leaves most of the noise)
            low = (level - smooth)[~bad & (smooth < level)]
            if len(low):
                height = max(height, 4.0 * np.median(low) / 0.6745)
        sky = ~(binary_dilation(smooth > level + height,
                                iterations=4) | bad)
        if sky.sum() < 0.02 * data.size:
            # Nothing but galaxy: the faintest tenth is all there is.
            sky = (smooth <= np.quantile(smooth[~bad], 0.1)) & ~bad
        level = biweight_location(data[sky])
        sigma = mad_std(data[sky])
    return float(level), float(sigma)


def sky_error(data, sky_pixels, *, box=24):
    """
    Error of the mean sky, from the scatter of boxes.

    The scatter of boxes holds what the noise of single pixels does not:
    faint sources, gradients, correlated noise.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image.

    sky_pixels : 2D bool `~numpy.ndarray`
        Pixels without sources.

    box : int, optional
        Side of a box in pixels.

    Returns
    -------
    error : float
        In the image's unit; infinite with fewer than three boxes.
    """
    ny, nx = (n // box * box for n in data.shape)
    if ny == 0 or nx == 0:
        return np.inf

    def boxes(image):
        return image[:ny, :nx].reshape(ny // box, box, nx // box,
                                       box).sum((1, 3)).ravel()

    count = boxes(sky_pixels.astype(float))
    use = count > 0.3 * box**2
    if use.sum() < 3:
        return np.inf
    means = boxes(np.where(sky_pixels, data, 0.0))[use] / count[use]
    return float(1.25 * spread(means) / np.sqrt(use.sum()))


def measure_sky(data, bad, position, *, search=25.0, radius=None,
                plane=False):
    """
    Measure the sky beyond and below a galaxy.

    The means of elliptical rings around the galaxy decline to the sky: where
    there are enough pixels beyond the galaxy, they decide; where there are
    not, the level that the profile tends to, with the error that it has.
    Adding a constant to the image adds it to the level and changes nothing
    else; nor does the unit of the image matter.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image.

    bad : 2D bool `~numpy.ndarray`
        Pixels to leave out.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, in pixels.

    search : float, optional
        How far from there its centre may lie, in pixels.

    radius : 2D `~numpy.ndarray`, optional
        The semi-major axis of the galaxy's ellipse through each pixel, if
        its ellipses are known; by default one ellipse is taken from the
        moments of the light.

    plane : bool, optional
        Whether the sky may be a plane.

    Returns
    -------
    sky : `Sky`
    """
    if bad.all():
        return Sky(0.0, np.inf, 'tail')
    side = 1 << int(np.log2(np.clip(min(data.shape) // _BOXES, 1,
                                    _LARGEST_BOX)))
    good = data[~bad]
    pivot = median(good[::max(good.size // 4096, 1)])
    boxes, noise = fill_boxes(data - pivot, bad, side)
    side, image, hidden = boxes.side, boxes.mean, boxes.hidden
    values = image[~hidden]
    if not len(values):
        # (too few pixels for any box)
        return Sky(pivot, np.inf, 'tail')
    noise = max(noise, 1e-7 * np.ptp(values))
    if not noise > 0:
        return Sky(pivot + float(values[0]), 0.0, 'free')
    level = quantile(values, 0.15) + noise
    x, y = ((at - first - 0.5 * (side - 1)) / side for at, first in zip(
        position, boxes.first, strict=True))
    if radius is None:
        radius, centre = _ellipse_radius(image, hidden, (x, y), level, noise,
                                         max(search / side, 1.5))
    else:
        centre = x, y
        radius = _box_means(radius, side) / side
    rings = _Rings(image, hidden, radius, noise)
    slope = np.zeros(2)
    if plane:
        slope += first_slope(image, hidden, _START * side * noise)
        if slope.any():
            level = rings.take_plane(slope, centre)
    rings.find_others(level, scatter=plane)
    for _ in range(3 if plane else 1):
        if plane:
            step = rings.fit_plane(level, centre)
            slope += step
            level = rings.take_plane(step, centre)
        rings.find_others(level)
    level, error, start, scale = level_of_rings(
        *rings.means(), level, noise * side)
    beyond = (radius > start + 2 * scale) & ~rings.masked
    scatter = sky_error(rings.image, beyond, box=max(24 // side, 3))
    how = 'free' if np.isfinite(scatter) else 'tail'
    correlation = noise_correlation(
        boxes, (radius > start) & ~rings.masked, rings.model)
    structure = rise = 0.0
    if how == 'free':
        near = radius < outermost(start)
        found = measure_structure_of_sky(
            rings.image, (radius > start + 2 * scale) & near & ~hidden,
            rings.masked & ~hidden, centre, level, correlation * noise,
            pixel_noise=side * noise)
        structure, rise = found.error, found.rise
        error = np.sqrt(error**2 + scatter**2 + structure**2)
    if rise == 0:
        # (too little sky to see it there)
        rise = rise_of(first_slope(rings.image, hidden, _CLEAR * side * noise),
                       image.shape)
    return Sky(pivot + level, float(error), how,
               tuple(float(part) / side for part in slope),
               tuple(first + 0.5 * (side - 1) + side * at for at, first in
                     zip(centre, boxes.first, strict=True)),
               correlation, float(side * (start + scale)), structure,
               float(side * noise), rise)


def with_structure_of(sky, other):
    """
    Add the structure of the sky that another measurement has in excess.

    Parameters
    ----------
    sky, other : `Sky`
        Two measurements of the same sky.

    Returns
    -------
    sky : `Sky`
        The first, with the larger structure of the two.
    """
    more = other.structure**2 - sky.structure**2
    if not more > 0:
        return sky
    return replace(sky, structure=other.structure, noise=other.noise,
                   error=float(np.sqrt(sky.error**2 + more)))


def _box_means(image, side):
    """
    Means of all pixels in boxes.
    """
    return sum_boxes(image, np.zeros(image.shape, bool), side).mean


def _ellipse_radius(image, hidden, position, level, noise, search):
    """
    The semi-major axis through each pixel, and the centre (x, y).

    The ellipse is that of the pixels brighter than a circle that fills most
    of the frame, or brighter than the noise, around the brightest pixel.
    """
    y, x = np.ogrid[:image.shape[0], :image.shape[1]]
    distance = np.hypot(x - position[0], y - position[1])
    smooth = gaussian_filter(np.where(hidden, level, image), 1.0)
    threshold = level + 2 * noise
    circle = (np.abs(distance - 0.35 * min(image.shape)) < 1) & ~hidden
    if circle.any():
        threshold = max(threshold, median(smooth[circle]))
    near = np.where((distance <= search) & ~hidden, smooth, -np.inf)
    at = np.unravel_index(np.argmax(near), near.shape)
    objects, _ = label(smooth > threshold)
    if not (np.isfinite(near[at]) and objects[at]):
        return distance, position
    centre = float(at[1]), float(at[0])
    rows, columns = _own_part(*np.nonzero(objects == objects[at]), at)
    away = np.stack([columns, rows]).astype(float)
    away -= away.mean(1)[:, None]
    spread = away @ away.T / len(rows) + np.eye(2) / 12
    half = 0.5 * np.trace(spread)
    away = np.hypot(0.5 * (spread[0, 0] - spread[1, 1]), spread[0, 1])
    q = max(np.sqrt((half - away) / (half + away)), 0.2)
    angle = 0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])
    c, s = np.cos(angle), np.sin(angle)
    dx, dy = x - centre[0], y - centre[1]
    return np.hypot(dx * c + dy * s, (dy * c - dx * s) / q), centre


def _own_part(rows, columns, peak):
    """
    Pixels of an object, or of its symmetric part if neighbours join it.
    """
    both = np.stack([rows, columns])
    low, high = both.min(1), both.max(1)
    inside = np.zeros(high - low + 1, bool)
    inside[tuple(both - low[:, None])] = True
    mirror = 2 * np.array(peak)[:, None] - both
    own = ((mirror >= low[:, None]) & (mirror <= high[:, None])).all(0)
    own[own] = inside[tuple(mirror[:, own] - low[:, None])]
    if own.mean() > _SYMMETRIC:
        return rows, columns
    return rows[own], columns[own]


class _Rings:
    """
    Elliptical rings of an image, without what is in them but the galaxy.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image.

    hidden : 2D bool `~numpy.ndarray`
        Pixels to leave out.

    radius : 2D `~numpy.ndarray`
        The semi-major axis through each pixel.

    noise : float
        The noise of a pixel.
    """

    def __init__(self, image, hidden, radius, noise):
        self.image, self.hidden, self.radius = image, hidden, radius
        self.masked, self.noise, self.scatter = hidden, noise, noise
        self._ordered = np.argsort(image, axis=None)
        n = np.searchsorted(_EDGES, radius.max(), 'right')
        self.ring = np.digitize(radius, _EDGES[:n]) - 1

    def medians(self):
        """
        Radius, median, and the number of each ring that has pixels.
        """
        at = self._ordered[~self.masked.ravel()[self._ordered]]
        ring, value, radius = (plane.ravel()[at] for plane in (
            self.ring, self.image, self.radius))
        # (small integers are sorted in a fraction of the time)
        value = value[np.argsort(ring.astype(np.uint16), kind='stable')]
        count = np.bincount(ring)
        first = np.cumsum(count) - count
        some = np.flatnonzero(count > min(2, count.max() - 1))
        n, first = count[some], first[some]
        median = 0.5 * (value[first + (n - 1) // 2] + value[first + n // 2])
        return np.bincount(ring, radius)[some] / n, median, some

    def find_others(self, level, *, scatter=True):
        """
        Mask the objects that exceed the rings, and measure the scatter.
        """
        if self.masked.all():
            return
        model = np.interp(self.radius, *self.medians()[:2])
        left = np.where(self.hidden, 0.0, self.image - model)
        if scatter:
            self.scatter = max(spread(left[~self.masked]), self.noise)
        smooth = gaussian_filter(left, 0.7)
        size = spread(smooth[~self.hidden])
        # (dark pixels, too: else the mean of the others is too low)
        others = np.abs(smooth) > _OTHERS * size + _PART * np.maximum(
            model - level, 0.0)
        self.model = model
        self.masked = self.hidden | grown(others)

    def take_plane(self, slope, centre):
        """
        Subtract a plane from the image, and return the new first level.
        """
        y, x = np.ogrid[:self.image.shape[0], :self.image.shape[1]]
        self.image = self.image - (slope[0] * (x - centre[0])
                                   + slope[1] * (y - centre[1]))
        self._ordered = np.argsort(self.image, axis=None)
        # (the faintest pixels were those of the plane)
        return np.quantile(self.image[~self.hidden], 0.15) + self.noise

    def fit_plane(self, level, centre):
        """
        The slopes along x and y of what the rings leave.
        """
        faint = ~self.masked & (self.model < level + 2 * self.scatter)
        if faint.sum() < 100:
            faint = ~self.masked & (self.radius > np.median(self.radius))
        y, x = np.nonzero(faint)
        left = (self.image - self.model)[faint]
        middle = np.median(left) if left.size else 0.0
        keep = np.abs(left - middle) < 3 * self.scatter
        design = np.stack([x - centre[0], y - centre[1],
                           np.ones(len(x))], -1)[keep]
        return np.linalg.lstsq(design, left[keep], rcond=None)[0][:2]

    def means(self):
        """
        Radius, mean and its error of each ring, outliers rejected.
        """
        if self.masked.all():
            return (np.empty(0),) * 3
        _, median, some = self.medians()
        middle = np.zeros(self.ring.max() + 1)
        middle[some] = median
        ring, value, radius = (plane[~self.masked] for plane in (
            self.ring, self.image, self.radius))
        keep = np.abs(value - middle[ring]) <= 3 * self.scatter
        ring, value, radius = ring[keep], value[keep], radius[keep]
        count = np.bincount(ring, minlength=len(middle))[some]
        some, count = some[count > 0], count[count > 0]
        return (np.bincount(ring, radius)[some] / count,
                np.bincount(ring, value)[some] / count,
                self.noise / np.sqrt(count))
