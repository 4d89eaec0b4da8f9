# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Masks of other objects, and what fills them.
"""

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_fill_holes,
    gaussian_filter,
    label,
    map_coordinates,
    maximum_filter,
)

from astro_pix2prof.detection.galaxy import (
    FINE,
    _smoothed_noise,
    point_symmetric,
)

__all__ = ['excess_light', 'fill_masked', 'residual_mask', 'symmetric_part']


# Isophotes of lopsided galaxies lie aside of the nucleus by such a part of
# their radius, and centres are known to such a part of a pixel; light that is
# opposite is compared at twice that.
_ASIDE, _OFF = 0.05, 0.25

# The side of a galaxy has more pixels than this; a star in coarse pixels that
# blends with a galaxy has fewer.
_SIDE = 30

# Noise of the smoothed image that a peak has to exceed its surroundings by.
_PEAK = 4.0


def residual_mask(data, model, sigma, radius, centre, *, others=None,
                  structure=0.0, contrast=0.5, core=3.0):
    """
    Mask other objects: light that exceeds the galaxy's smooth model.

    Arms, bars and the ends of a disc exceed the mean of their ellipse as
    well, above all while the ellipses are still wrong; but they do so on
    both sides. What counts is therefore the excess over the larger of the
    model and the point-symmetric pixel, and an object must exceed that by
    ``contrast`` times. Where light falls steeply, one half of a lopsided
    galaxy exceeds the other by as much; it has no peak of its own, and does
    not exceed what is opposite a little farther in.

    Parameters
    ----------
    data, model : 2D `~numpy.ndarray`
        The sky-subtracted image and the galaxy's smooth model.

    sigma : float
        Noise of a sky pixel.

    radius : 2D `~numpy.ndarray`
        Semi-major axis of each pixel's ellipse.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    others : 2D int `~numpy.ndarray`, optional
        Labels of the detections beside the galaxy; each is masked as a
        whole if most of its light is in excess.

    structure : 2D `~numpy.ndarray`, optional
        The scatter along each pixel's ring in units of the model: among
        strong arms and clumps an object must exceed more.

    contrast : float, optional
        The excess, in units of the model, that the peak of an object
        must have at least.

    core : float, optional
        Inside this semi-major axis (pixels) nothing is masked.

    Returns
    -------
    mask : 2D bool `~numpy.ndarray`
    """
    smooth, base, noise = excess_light(data, model, sigma, centre)
    excess = smooth - base
    contrast = np.maximum(contrast, 4.0 * structure)
    peak = excess > _PEAK * noise + contrast * base
    foot = (excess > 1.8 * noise + 0.5 * contrast * base) & (radius > core)
    regions, n = label(foot)
    if n == 0:
        return np.zeros(data.shape, bool)
    height = np.zeros(n + 1)
    np.maximum.at(height, regions.ravel(), (excess / noise).ravel())
    # Wide and faint at once is the galaxy's own light beside a model
    # that does not fit yet.
    area = np.bincount(regions.ravel())
    keep = height > 0.5 * np.sqrt(area)
    has_peak = np.zeros(n + 1, bool)
    has_peak[np.unique(regions[peak])] = True
    keep &= has_peak
    keep[0] = False
    own = _brighter_side(smooth, model, base, noise, centre, regions, keep,
                         contrast, others)
    mask = keep[regions] & ~own
    if others is not None:
        light = np.bincount(others.ravel(), smooth.ravel())
        part = np.bincount(others.ravel(),
                           np.where(mask, smooth, 0.0).ravel())
        real = part > 0.5 * light
        real[0] = False
        mask |= real[others]
    # Wings below the threshold: the brighter the object the wider.
    grown = binary_dilation(mask, iterations=2)
    for level, steps in ((20, 3), (60, 4), (200, 7), (1000, 11)):
        bright = keep & (height > level)
        if bright.any():
            grown |= binary_dilation(bright[regions] & ~own,
                                     iterations=steps)
    return _fill_holes(grown, radius <= core) & (radius > core)


def _brighter_side(smooth, model, base, noise, centre, regions, keep,
                   contrast, others):
    """
    Find the excess that is the brighter side of a lopsided galaxy.

    Other objects have a peak of their own, or exceed the galaxy farther in
    as well. Of a region with one, what does not is the galaxy's.

    Parameters
    ----------
    smooth, model, base : 2D `~numpy.ndarray`, shape (ny, nx)
        The smoothed image, the model, and what the excess is counted from.

    noise : float
        The noise of the excess.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    regions : 2D int `~numpy.ndarray`, shape (ny, nx)
        Labels of the regions.

    keep : 1D bool `~numpy.ndarray`, shape (n + 1,)
        The labels that count.

    contrast : 2D `~numpy.ndarray`, shape (ny, nx), or float
        The excess that a peak must have, in units of the base.

    others : 2D int `~numpy.ndarray` or `None`, shape (ny, nx)
        Detections beside the galaxy: no side of it.

    Returns
    -------
    side : 2D bool `~numpy.ndarray`, shape (ny, nx)
    """
    side = np.zeros(smooth.shape, bool)
    y, x = np.nonzero(keep[regions])
    if not len(x):
        return side
    here, light = regions[y, x], smooth[y, x]
    dx, dy = x - centre[0], y - centre[1]
    away = np.maximum(np.hypot(dx, dy), 2 * _OFF)
    inwards = 1 - 2 * np.maximum(_ASIDE, _OFF / away)
    inner, opposite = (
        map_coordinates(image, [centre[1] + sign * inwards * dy,
                                centre[0] + sign * inwards * dx], order=1)
        for image, sign in (
            (np.maximum(gaussian_filter(model, FINE), 0.0), 1), (smooth, -1)))
    # (as in `excess_light`)
    own = np.maximum(inner, np.minimum(opposite, 3 * inner + _PEAK * noise))
    own = np.maximum(own, base[y, x])
    contrast = np.broadcast_to(contrast, smooth.shape)[y, x]
    is_top = light >= maximum_filter(smooth, 3)[y, x]
    clear = light - own > _PEAK * noise + np.where(is_top, 0, contrast * own)
    is_other = np.zeros(len(keep), bool)
    is_other[here[clear]] = True
    detected = np.zeros(len(x), bool) if others is None else others[y, x] > 0
    is_other[here[detected]] = True
    is_other |= np.bincount(here, minlength=len(keep)) <= _SIDE
    faint = light - own < 1.8 * noise + 0.5 * contrast * own
    side[y, x] = (faint | ~is_other[here]) & ~detected
    return side


def _fill_holes(mask, core):
    """
    Fill the holes of a mask but for the one that the galaxy is in.

    The haloes of neighbours may enclose a galaxy on all sides.
    """
    holes, n = label(binary_fill_holes(mask) & ~mask)
    fill = np.ones(n + 1, bool)
    fill[np.unique(holes[core])] = False
    fill[0] = False
    return mask | fill[holes]


def excess_light(data, model, sigma, centre):
    """
    Smooth the image, and estimate the light of the galaxy alone.

    Parameters
    ----------
    data, model, sigma, centre
        As for `residual_mask`.

    Returns
    -------
    smooth, base : 2D `~numpy.ndarray`
        The image, and the larger of the model and the point-symmetric
        pixel.

    noise : float
        The noise of their difference.
    """
    noise = _smoothed_noise(sigma, FINE)
    smooth = gaussian_filter(data, FINE)
    base = np.maximum(gaussian_filter(model, FINE), 0.0)
    mirror = point_symmetric(smooth, centre)
    # A star on the far side must not hide one on this side.
    mirror = np.minimum(mirror, 3 * base + 4 * noise)
    return smooth, np.maximum(base, np.nan_to_num(mirror)), 1.2 * noise


def fill_masked(data, masked, centre, model):
    """
    Replace masked pixels by their point-symmetric ones, or by the model.

    photutils is ten times slower with a masked array; a galaxy is nearly
    point-symmetric, so that this leaves its isophotes where they are.

    Parameters
    ----------
    data, model : 2D `~numpy.ndarray`
        The image and the smooth model of the galaxy.

    masked : 2D bool `~numpy.ndarray`
        Pixels to replace.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    Returns
    -------
    filled : 2D `~numpy.ndarray`
    """
    filled = data.copy()
    y, x = np.nonzero(masked)
    mirror = point_symmetric(np.where(masked, np.nan, data), centre)
    filled[y, x] = np.where(np.isfinite(mirror), mirror, model)[y, x]
    return filled


def symmetric_part(mask, centre):
    """
    Find the pixels of a mask that are opposite to others of it.

    Parameters
    ----------
    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        The mask.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    Returns
    -------
    both : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels of ``mask`` within two pixels of the point reflection of
        others.
    """
    y, x = np.nonzero(mask)
    y, x = (np.round(2 * at - part).astype(int) for at, part in (
        (centre[1], y), (centre[0], x)))
    ny, nx = mask.shape
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    mirror = np.zeros(mask.shape, dtype=bool)
    mirror[y[inside], x[inside]] = True
    return mask & binary_dilation(mirror, iterations=2)
