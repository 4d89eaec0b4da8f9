# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Measure the widths of the stars in an image.
"""

import warnings

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from scipy.ndimage import gaussian_filter

__all__ = ['source_widths', 'star_width']


# Stars are brighter than so many times the noise at their peak; at most so
# many are fitted.
_BRIGHT, _MOST = 15.0, 12


def source_widths(residual, good, noise, centre):
    """
    Measure the widths of round sources in an image in pixels.

    Parameters
    ----------
    residual, good, noise, centre
        As for `star_width`.

    Returns
    -------
    widths : list of float
        The full widths at half maximum of the brightest; others do not fit a
        Gaussian function.
    """
    # (these take a second to import)
    from photutils.detection import find_peaks
    from photutils.utils.exceptions import NoDetectionsWarning

    image = np.where(good, residual, 0.0)
    smooth = gaussian_filter(image, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NoDetectionsWarning)
        peaks = find_peaks(smooth, 0.5 * _BRIGHT * noise, box_size=9,
                           border_width=6, n_peaks=4 * _MOST)
    if peaks is None:
        return []
    widths = []
    for x, y in zip(peaks['x_peak'], peaks['y_peak'], strict=True):
        if np.hypot(x - centre[0], y - centre[1]) < 5:
            continue
        width = _star(image, good, int(x), int(y), noise)
        if width is not None:
            widths.append(width)
        if len(widths) >= _MOST:
            break
    return widths


def star_width(residual, good, noise, centre, *, least=0.0):
    """
    Measure the width of the stars in an image.

    Parameters
    ----------
    residual : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky and its galaxy.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that count.

    noise : float
        The noise of a pixel.

    centre : tuple of 2 floats
        The centre of the galaxy, which is no star.

    least : float, optional
        What is narrower (pixels) is no star either: hits of cosmic rays.

    Returns
    -------
    fwhm : float or `None`
        The full width at half maximum in pixels of the sharpest that there
        are several of; `None` without stars.
    """
    widths = [width for width in source_widths(residual, good, noise, centre)
              if width >= least]
    if not widths:
        return None
    # galaxies and clumps are wider than stars
    return float(np.quantile(widths, 0.25 if len(widths) > 2 else 0.0))


def _star(image, good, x, y, noise):
    """
    Fit a round Gaussian with a level: its FWHM, if it fits.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    ny, nx = image.shape
    half = 4
    for _ in range(3):
        if not (half <= x < nx - half and half <= y < ny - half):
            return None
        box = np.s_[y - half:y + half + 1, x - half:x + half + 1]
        part = image[box]
        if not good[box].all() or part.max() < _BRIGHT * noise:
            return None
        v, u = np.indices(part.shape) - half
        start = (part.max(), 0.0, 0.0, half / 2, 0.0)
        try:
            with warnings.catch_warnings():
                # (of errors that are not used)
                warnings.simplefilter('ignore', OptimizeWarning)
                found, _ = curve_fit(_round, (u.ravel(), v.ravel()),
                                     part.ravel(), start, maxfev=200)
        except RuntimeError:
            return None
        sigma = abs(found[3])
        if sigma < 0.55 * half:
            break
        half = min(2 * half, 24)
    height, dx, dy = found[:3]
    rest = part - _round((u, v), *found)
    if (height < _BRIGHT * noise or np.hypot(dx, dy) > sigma
            or not 0.4 < sigma < half
            or np.std(rest) > 0.08 * height + 1.5 * noise):
        return None
    return sigma / gaussian_fwhm_to_sigma


def _round(place, height, dx, dy, sigma, level):
    u, v = place
    return level + height * np.exp(
        -0.5 * ((u - dx)**2 + (v - dy)**2) / sigma**2)
