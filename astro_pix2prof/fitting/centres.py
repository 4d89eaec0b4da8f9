# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell whether a profile suffers from an uncertain centre.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ['higher_peak', 'is_centre_rough', 'radius_of_half_peak']

# Errors (pixels) of each coordinate of the centre that never count, and that
# always do: a trail or a ghost that was measured has no centre at all.
_ROUGH, _NONE = 0.5, 2.0

# Part of the radius of half of the largest intensity, above which an error of
# each coordinate does harm: the middle of an exponential disc that is off by
# as much is 0.05 mag too faint.
_PART = 0.05

# A peak is higher than the centre if it is so many times brighter (mag) and
# by so many times the noise. It is looked for within this many errors of the
# centre, and at least so many pixels, on an image that is smoothed by its
# error or by this (pixels).
_HIGHER, _SURE, _ERRORS, _NEAREST, _SMOOTH = 0.2, 3.5, 4.0, 4.0, 1.5


def is_centre_rough(rings, error, tilt=0.0):
    """
    Tell whether the stated error of the centre harms the profile.

    The middle of a faint, flat galaxy may be known to several pixels only,
    while its rings are the same about any of these. An error counts if the
    brightness changes over it, or if there is a higher peak close by.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings.

    error : float
        The error of each coordinate of the centre in pixels.

    tilt : float or 2D `~numpy.ndarray`, optional
        The sky of each pixel less the level at the centre.

    Returns
    -------
    is_rough : bool
    """
    if not error > _ROUGH:
        return False
    if error > _NONE or error > _PART * radius_of_half_peak(
            rings.sma, rings.intensity):
        return True
    height, significance = higher_peak(
        rings.cutout.data - rings.sky - tilt, rings.cutout.mask,
        rings.centre, error, rings.noise)
    return height > _HIGHER and significance > _SURE


def radius_of_half_peak(sma, intensity):
    """
    Calculate the semi-major axis of half of the largest intensity.

    Parameters
    ----------
    sma, intensity : 1D `~numpy.ndarray`, shape (n,)
        Of the rings, from the centre outwards.

    Returns
    -------
    radius : float
        The first beyond the brightest ring, in the unit of ``sma``; the last
        of all if no ring is that faint, 0 without any intensity.
    """
    good = np.isfinite(intensity)
    if not good.any():
        return 0.0
    sma, intensity = sma[good], intensity[good]
    brightest = int(np.argmax(intensity))
    fainter = intensity[brightest:] < 0.5 * intensity[brightest]
    return float(sma[brightest + int(np.argmax(fainter))] if fainter.any()
                 else sma[-1])


def higher_peak(data, mask, centre, error, noise):
    """
    Measure the highest peak near an uncertain centre.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image without the sky.

    mask : 2D bool `~numpy.ndarray`
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    error : float
        The error of each coordinate of the centre in pixels.

    noise : float
        The noise of a sky pixel.

    Returns
    -------
    height : float
        By how much (mag) the peak is brighter than the centre, infinite if
        the centre is not above the sky.

    significance : float
        The same, over the noise of a pixel that is smoothed.
    """
    x, y = (round(c) for c in centre)
    ny, nx = data.shape
    if not (0 <= x < nx and 0 <= y < ny):
        return np.inf, np.inf
    width, reach = max(_SMOOTH, error), max(_NEAREST, _ERRORS * error)
    size = int(reach + 4 * width) + 1
    y0, x0 = max(y - size, 0), max(x - size, 0)
    part = np.s_[y0:y + size + 1, x0:x + size + 1]
    good = (~mask[part]).astype(float)
    seen = gaussian_filter(good, width, mode='constant')
    smooth = gaussian_filter(np.where(mask[part], 0.0, data[part]), width,
                             mode='constant')
    # (where most is hidden there is no peak to be seen)
    smooth = np.where(seen > 0.5, smooth / np.maximum(seen, 0.5), -np.inf)
    rows, columns = np.indices(smooth.shape)
    near = np.hypot(columns + x0 - centre[0], rows + y0 - centre[1]) < reach
    peak, middle = smooth[near].max(), smooth[y - y0, x - x0]
    if not np.isfinite(peak):
        return 0.0, 0.0
    if not middle > 0:
        return np.inf, (peak - max(middle, 0.0)) / max(
            noise / (2 * np.sqrt(np.pi) * width), 1e-300)
    return (2.5 * np.log10(peak / middle),
            (peak - middle) / (noise / (2 * np.sqrt(np.pi) * width)))
