# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise two galaxies that were measured as one.
"""

import numpy as np
from scipy.ndimage import (
    gaussian_filter,
    map_coordinates,
    maximum_filter,
)

from astro_pix2prof.background.medians import median

__all__ = ['core_asymmetry', 'is_blended', 'lopsided_light', 'second_peak']


# The pixels are smoothed a little; the noise of a smoothed pixel.
_SMOOTH = 1.2
_SMOOTH_NOISE = 1.5 / (2 * np.sqrt(np.pi) * _SMOOTH)

# Another nucleus lies between these distances (pixels) from the centre, is so
# many times brighter than the noise and stands out of the light between the
# two by as many, and by this part of the brightness of the centre. Knots,
# and arms behind a lane of dust, are lower.
_NEAREST, _FARTHEST, _CLEAR, _PEAK = 4.0, 30.0, 8.0, 0.2

# Light that the point-symmetric pixel lacks, over that of the galaxy: that of
# another galaxy with a peak, and of one without; and the farthest it is
# looked for. Less than three in a hundred galaxies that stand alone have as
# much.
_LIGHT, _LOPSIDED, _WINDOW = 0.05, 0.18, 70

# The length of the mean of the directions in which that light lies, below
# which it is no other galaxy: one is on one side, with 0.8 or more, and a
# single arm winds around the nucleus.
_ONE_SIDED = 0.66

# The core, in which a star counts as part of a nucleus (pixels from the
# centre), the fewest pairs that tell, and how far they exceed the noise.
_INNER, _OUTER, _PAIRS, _CLEARLY = 1.5, 7.0, 20, 3.0

# So far first, where it is enough.
_SMALL = 46

# So far (pixels) beyond the radius of the galaxy pixels are looked at.
_MARGIN = 12


def is_blended(data, mask, centre, noise):
    """
    Tell whether another galaxy lies within the one that was measured.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image without the sky.

    mask : 2D bool `~numpy.ndarray`
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    noise : float
        The noise of a sky pixel.

    Returns
    -------
    is_blended : bool
    """
    for window in (_SMALL, _WINDOW):
        found = _smoothed(data, mask, centre, noise, window)
        if found is None:
            return False
        smooth, hidden, radius, middle, reach = found
        if reach <= window - _MARGIN:
            # (most galaxies are small, and take less time)
            break
    noise = _SMOOTH_NOISE * noise
    near = tuple(slice(max(int(at - reach - _MARGIN), 0),
                       max(int(at + reach + _MARGIN), 0))
                 for at in middle[::-1])
    smooth, hidden, radius = smooth[near], hidden[near], radius[near]
    centre = middle[0] - near[1].start, middle[1] - near[0].start
    part = smooth, hidden, radius, centre, reach, noise
    light = lopsided_light(*part)
    return (light > _LOPSIDED and _one_sidedness(*part) > _ONE_SIDED) or (
        light > _LIGHT and second_peak(*part) > _PEAK)


def core_asymmetry(data, mask, centre, noise, *, gain=None):
    """
    Calculate the asymmetry of the light around a centre.

    The sum of the absolute differences of pixels and those opposite, over
    the sum of both (A of Conselice 2003, ApJS 147, 1, without its minimum
    over centres), less what noise makes of it, of a smoothed image: photons
    of a faint galaxy make pixels differ, too. A star that was measured as
    part of a nucleus leaves the centre between the two, and light on one
    side.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image without the sky.

    mask : 2D bool `~numpy.ndarray`
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    noise : float
        The noise of a sky pixel.

    gain : float, optional
        Electrons for each unit of the image.

    Returns
    -------
    asymmetry : float
        0 where too few pairs of pixels are usable, or it is lost in noise.
    """
    half = int(_OUTER) + 1
    y, x = np.mgrid[-half:half + 1, -half:half + 1]
    radius = np.hypot(x, y)
    # (one of each pair)
    chosen = (radius > _INNER) & (radius < _OUTER) & (
        (y > 0) | ((y == 0) & (x > 0)))
    x, y = x[chosen], y[chosen]
    first = tuple(max(int(c) - 2 * half, 0) for c in centre)
    box = tuple(slice(start, max(int(c) + 2 * half, 0)) for start, c in zip(
        first[::-1], centre[::-1], strict=True))
    part, good = data[box], ~mask[box]
    if min(part.shape) < 4:
        return 0.0
    near = gaussian_filter(good.astype(float), _SMOOTH)
    part = gaussian_filter(np.where(good, part, 0.0), _SMOOTH) / np.maximum(
        near, 0.5)
    x_0, y_0 = (c - start for c, start in zip(centre, first, strict=True))
    places = [[y_0 + k * y, x_0 + k * x] for k in (1, -1)]
    here, there = (map_coordinates(part, place, order=1) for place in places)
    # (beyond the frame, too, are no pixels)
    use = np.all([map_coordinates(near, place, order=1) > 0.9
                  for place in places], axis=0)
    if np.count_nonzero(use) < _PAIRS:
        return 0.0
    here, there = here[use], there[use]
    light = np.abs(here).sum() + np.abs(there).sum()
    power = noise**2 + np.maximum(here + there, 0.0) / 2 / (gain or np.inf)
    # the mean of the absolute difference of two normal variables
    usual = 2 / np.sqrt(np.pi) * _SMOOTH_NOISE * np.sqrt(power)
    excess = (np.abs(here - there) - usual).sum()
    # (smoothing leaves fewer independent pairs)
    if not excess > _CLEARLY / _SMOOTH_NOISE * np.sqrt((usual**2).sum()):
        return 0.0
    return float(excess / light)


def _smoothed(data, mask, centre, noise, window):
    """
    Smooth the pixels around a centre, and find the radius of the galaxy.

    Returns
    -------
    found : tuple or `None`
        The smoothed image, pixels not to use, the distance of each from the
        centre, the centre in this part, and the radius; `None` without
        pixels.
    """
    # (one pixel more on each side than the kernel reaches)
    wide = window + int(4 * _SMOOTH) + 2
    outer, inner = (tuple(slice(max(round(at) - half, 0),
                                max(round(at) + half + 1, 0))
                          for at in centre[::-1]) for half in (wide, window))
    hidden = mask[inner]
    if hidden.size == 0 or hidden.all():
        return None
    smooth = gaussian_filter(np.where(mask[outer], 0.0, data[outer]), _SMOOTH)
    smooth = smooth[tuple(
        slice(few.start - all_.start, few.start - all_.start + n)
        for few, all_, n in zip(inner, outer, hidden.shape, strict=True))]
    centre = centre[0] - inner[1].start, centre[1] - inner[0].start
    rows, columns = (np.arange(n) - c for n, c in zip(
        hidden.shape, centre[::-1], strict=True))
    radius = np.sqrt((rows**2)[:, None] + columns**2)
    # (every other pixel will do for a median)
    reach = _reach(smooth[::2, ::2], radius[::2, ::2],
                   _SMOOTH_NOISE * noise, window)
    return smooth, hidden, radius, centre, reach


def _reach(smooth, radius, noise, window):
    """
    The radius where the median of a circle is lost in noise.
    """
    ring = (0.5 * radius).astype(np.uint8).ravel()
    n = window // 2
    values = smooth.ravel()
    number = np.bincount(ring, minlength=n)[:n]
    below = np.bincount(ring[values < 2 * noise], minlength=n)[:n]
    # (the median is below a level if most values are)
    for k in np.flatnonzero((2 * below >= number) & (number > 0)):
        if 2 * below[k] > number[k] or median(
                values[ring == k]) < 2 * noise:
            return 2.0 * k
    return float(window)


def second_peak(smooth, hidden, radius, centre, reach, noise):
    """
    Measure the height of the highest peak beside the centre.

    Parameters
    ----------
    smooth : 2D `~numpy.ndarray`
        The smoothed image.

    hidden : 2D bool `~numpy.ndarray`
        Pixels not to use.

    radius : 2D `~numpy.ndarray`
        The distance of each pixel from the centre.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    reach : float
        The radius of the galaxy in pixels.

    noise : float
        The noise of a smoothed pixel.

    Returns
    -------
    height : float
        Above the lowest pixel on the line to the centre, in units of the
        brightness of the centre; 0 without a peak.
    """
    centre_value = np.max(smooth[(radius < 2) & ~hidden], initial=0.0)
    if not centre_value > 0:
        return 0.0
    near = (radius > _NEAREST) & (radius < np.clip(
        reach, 10.0, _FARTHEST)) & ~hidden
    peaks = near & (smooth == maximum_filter(smooth, 5)) & (
        smooth > _CLEAR * noise)
    height = 0.0
    along = np.linspace(0, 1, 31)
    for row, column in zip(*np.nonzero(peaks), strict=True):
        line = map_coordinates(smooth, [
            centre[1] + along * (row - centre[1]),
            centre[0] + along * (column - centre[0])], order=1)
        above = smooth[row, column] - line.min()
        if above > _CLEAR * noise:
            height = max(height, above / centre_value)
    return float(height)


def lopsided_light(smooth, hidden, radius, centre, reach, noise):
    """
    Measure the light that its point-symmetric image lacks.

    Parameters
    ----------
    smooth, hidden, radius, centre, reach, noise
        As for `second_peak`.

    Returns
    -------
    part : float
        Over the light within the radius of the galaxy.
    """
    more, light = _more_than_opposite(smooth, hidden, radius, centre, reach,
                                      noise)
    return float(more.sum() / light) if light > 0 else 0.0


def _one_sidedness(smooth, hidden, radius, centre, reach, noise):
    """
    Calculate the length of the mean direction of lopsided light.

    Parameters
    ----------
    smooth, hidden, radius, centre, reach, noise
        As for `second_peak`.

    Returns
    -------
    length : float
        1 for light in one direction, pi / 4 for one that varies as the cosine
        of the angle; 0 for none, and for what winds around the centre.
    """
    more, _ = _more_than_opposite(smooth, hidden, radius, centre, reach,
                                  noise)
    total = more.sum()
    if not total > 0:
        return 0.0
    rows, columns = (np.arange(n) - c for n, c in zip(
        more.shape, centre[::-1], strict=True))
    more = more / np.maximum(radius, 1.0)
    return float(np.hypot(more.sum(1) @ rows, more.sum(0) @ columns) / total)


def _more_than_opposite(smooth, hidden, radius, centre, reach, noise):
    """
    Find the light of pixels that the opposite ones lack, and that of all.
    """
    more = smooth - _mirrored(np.where(hidden, np.nan, smooth), centre)
    inside = (radius < reach) & ~hidden & np.isfinite(more)
    clear = inside & (more > 3 * noise)
    return np.where(clear, more, 0.0), smooth[inside].sum()


def _mirrored(image, centre):
    """
    Interpolate the point-symmetric image linearly; not-a-number beyond.

    As `scipy.ndimage.map_coordinates` does: all pixels lie between others
    in the same way.
    """
    for at in centre:
        # (along columns, then along rows)
        image = image.T
        n = len(image)
        first = int(np.floor(2 * at))
        part = 2 * at - first
        place = first - np.arange(n)
        inside = (place >= 0) & (place + (part > 0) < n)
        place = place[inside]
        mirror = np.full(image.shape, np.nan)
        mirror[inside] = (1 - part) * image[place] + part * image[
            np.minimum(place + 1, n - 1)]
        image = mirror
    return image
