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

__all__ = ['is_blended', 'lopsided_light', 'second_peak']


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
    x, y = (round(c) for c in centre)
    part = tuple(slice(max(at - _WINDOW, 0), max(at + _WINDOW + 1, 0))
                 for at in (y, x))
    centre = centre[0] - part[1].start, centre[1] - part[0].start
    hidden = mask[part]
    if hidden.size == 0 or hidden.all():
        return False
    smooth = gaussian_filter(np.where(hidden, 0.0, data[part]), _SMOOTH)
    noise = _SMOOTH_NOISE * noise
    rows, columns = np.mgrid[:hidden.shape[0], :hidden.shape[1]]
    radius = np.hypot(columns - centre[0], rows - centre[1])
    # (every other pixel will do for a median)
    reach = _reach(smooth[::2, ::2], radius[::2, ::2], noise)
    near = tuple(slice(max(int(at - reach - _MARGIN), 0),
                       max(int(at + reach + _MARGIN), 0))
                 for at in centre[::-1])
    smooth, hidden, radius = smooth[near], hidden[near], radius[near]
    centre = centre[0] - near[1].start, centre[1] - near[0].start
    light = lopsided_light(smooth, hidden, radius, centre, reach, noise)
    return light > _LOPSIDED or (light > _LIGHT and second_peak(
        smooth, hidden, radius, centre, reach, noise) > _PEAK)


def _reach(smooth, radius, noise):
    """
    The radius where the median of a circle is lost in noise.
    """
    ring = (0.5 * radius).astype(int)
    for k in range(_WINDOW // 2):
        values = smooth[ring == k]
        if values.size and np.median(values) < 2 * noise:
            return 2.0 * k
    return float(_WINDOW)


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
    rows, columns = np.indices(smooth.shape)
    mirror = map_coordinates(
        np.where(hidden, np.nan, smooth),
        [2 * centre[1] - rows, 2 * centre[0] - columns], order=1,
        cval=np.nan)
    more = smooth - mirror
    inside = (radius < reach) & ~hidden & np.isfinite(more)
    light = smooth[inside].sum()
    if not light > 0:
        return 0.0
    return float(more[inside & (np.nan_to_num(more) > 3 * noise)].sum()
                 / light)
