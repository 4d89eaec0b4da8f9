# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Other objects on and around a galaxy, as an isophote fit masks them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import binned_statistic

from astro_pix2prof.detection.galaxy import FINE, point_symmetric
from astro_pix2prof.detection.masks import residual_mask, symmetric_part
from astro_pix2prof.ellipses.model import elliptical_radius
from astro_pix2prof.fitting.close_sources import find_close_source

__all__ = ['find_others', 'find_star', 'median_model', 'without_own_ends']


# A nucleus so many pixels from the centre of the rings is no other object, if
# its galaxy is seen within so many. The light that tells is farther from both
# than their distance and so many pixels.
_BESIDE, _NEAR, _CORE = 1.0, 3.0, 4.0

# Part of the light of the galaxy that given ellipses may mask on two opposite
# sides before these are taken for the galaxy's own ends.
_OWN_LIGHT = 0.02

# Stars are no wider than this (pixels), or than the PSF by this factor, if it
# is known. What is wider may be the brighter half of the galaxy.
_WIDEST, _WIDER = 5.0, 1.3


@dataclass
class _Model:
    """
    Record of a smooth model of a galaxy.

    Its light, the scatter along each pixel's ring in units of the light, and
    the semi-major axis of each pixel's ellipse.
    """

    light: np.ndarray
    structure: np.ndarray
    radius: np.ndarray


def median_model(steps, centre, eps, theta):
    """
    Calculate a smooth model from medians of annuli, and their scatter.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit, with the image and its mask.

    centre : tuple of 2 floats
        The centre (x, y) of the annuli in pixels of the window.

    eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities, and angles in radians, at the radii ``steps.thin``.

    Returns
    -------
    model : record of 2D `~numpy.ndarray`, shape (ny, nx)
        With ``light``, ``structure`` and ``radius``.
    """
    image, sigma = steps.image, steps.sigma
    radius = elliptical_radius(image.shape, centre, steps.thin, eps, theta)
    edges = np.concatenate([[0, 0.8], np.arange(1.6, 8, 1.0), np.exp(
        np.arange(np.log(8), np.log(radius.max() + 1), 0.08))])
    nothing = _Model(np.zeros_like(image), np.zeros_like(image), radius)
    good = ~steps.masked
    r, v = radius[good], image[good]
    if not len(r):
        return nothing
    middle, _, number = binned_statistic(r, r, 'mean', edges)
    # (the pixels are sorted into rings once, for both quantiles)
    order = np.argsort(number, kind='stable')
    first = np.searchsorted(number[order], np.arange(1, len(edges) + 1))
    rings = np.split(v[order], first)[1:-1]
    median = np.array([np.median(ring) if len(ring) else np.nan
                       for ring in rings])
    ok = np.isfinite(median) & np.isfinite(middle)
    if ok.sum() < 2:
        return nothing
    # The lower side of the scatter: stars raise the upper one.
    low = np.array([np.quantile(ring, 0.16) if len(ring) else np.nan
                    for ring in rings])
    spread = np.sqrt(np.maximum((median - low)[ok]**2 - sigma**2, 0))
    median, middle = median[ok], middle[ok]
    structure = spread / np.maximum(median, 0.5 * sigma)
    # Outside, where the galaxy is lost in noise, so is the median.
    faint = median < 0.03 * sigma
    if faint.any():
        median[np.argmax(faint):] = 0.0
    return _Model(np.interp(radius, middle, median),
                  np.interp(radius, middle, structure), radius)


def find_others(steps, model, structure):
    """
    Find what exceeds the smooth model of a galaxy, but for its nucleus.

    Rings about a position that is not fitted may leave the nucleus beside
    their centre. What exceeds a model about the nucleus as well is another
    object. So is what was taken for the nucleus if the galaxy is about the
    position nevertheless.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    model, structure : 2D `~numpy.ndarray`, shape (ny, nx)
        The smooth model about the centre of the rings, and its scatter.

    Returns
    -------
    others : 2D bool `~numpy.ndarray`, shape (ny, nx)
    """
    found, (x, y) = steps.found, steps.centre
    others = residual_mask(
        steps.image, model, steps.sigma, steps.radius, steps.centre,
        others=found.others, structure=structure)
    # (the centre of ellipses that were given is where the galaxy is seen)
    if steps.settings.fit_centre or steps.is_held() or not found.found:
        return others
    rows, columns = np.nonzero(found.galaxy)
    nearest = np.hypot(columns - x, rows - y).min(initial=np.inf)
    if nearest > _NEAR or np.hypot(*np.subtract(
            found.centre, steps.centre)) < _BESIDE or _is_about(steps):
        return others
    own = median_model(steps, found.centre, steps.eps, steps.theta)
    return others & residual_mask(
        steps.image, own.light, steps.sigma, own.radius, found.centre,
        others=found.others, structure=own.structure)


def find_star(steps):
    """
    Find a star that blends with the nucleus, and the centre without it.

    It is no peak of its own, and raises the medians of rings with it.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit, with a centre that the star may have moved.

    Returns
    -------
    star : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Its pixels.

    centre : tuple of 2 floats
        The centre (x, y) in pixels of the window.
    """
    image, centre = steps.image, steps.centre
    star = np.zeros(image.shape, bool)
    settings = steps.settings
    if not (settings.mask_sources and settings.fit_centre
            and steps.found.found):
        return star, centre
    cutout = steps.cutout
    gain = cutout.gain and cutout.gain * steps.unit
    widest = _WIDEST
    if cutout.psf_fwhm:
        widest = max(widest, _WIDER * cutout.psf_fwhm / cutout.radius_scale)
    at = centre
    # (the place is known better about a better centre)
    for _ in range(2):
        source = find_close_source(image, steps.bad, at, noise=steps.sigma,
                                   gain=gain)
        if source is None or not source.is_clear or source.fwhm > widest:
            break
        star, centre = source.covers(image.shape, at), at
        at = tuple(c + move for c, move in zip(at, source.shift, strict=True))
    return star, centre


def without_own_ends(steps, others):
    """
    Take the ends of the galaxy out of the mask of other objects.

    Along ellipses of another shape, the galaxy exceeds the median on two
    opposite sides; other objects are on one.

    Parameters
    ----------
    steps : `~astro_pix2prof.isophote.steps.IsophoteSteps`
        The fit.

    others : 2D bool `~numpy.ndarray`, shape (ny, nx)
        As `find_others` returns it.

    Returns
    -------
    others : 2D bool `~numpy.ndarray`, shape (ny, nx)
    """
    own = symmetric_part(others, steps.centre) & steps.found.galaxy
    light = np.where(steps.found.galaxy, steps.image, 0.0)
    if light[own].sum() < _OWN_LIGHT * light.sum():
        return others
    return others & ~own


def _is_about(steps):
    """
    Tell whether a galaxy is about the centre of its rings all the same.

    A star beside it was taken for the nucleus, or dust hides that: away from
    both, the galaxy is more symmetric about its centre.
    """
    points = steps.centre, steps.found.centre
    x, y = (np.arange(n) for n in steps.image.shape[::-1])
    away = np.minimum(*(np.hypot(x - at[0], (y - at[1])[:, None])
                        for at in points))
    core = _CORE + np.hypot(*np.subtract(*points))
    light = np.where(steps.found.galaxy & ~steps.bad & (away > core),
                     gaussian_filter(steps.image, FINE), np.nan)
    miss = np.abs([light - point_symmetric(light, at) for at in points])
    miss = miss[:, np.isfinite(miss).all(0)]
    return bool(miss.shape[1]) and bool(miss[0].sum() < miss[1].sum())
