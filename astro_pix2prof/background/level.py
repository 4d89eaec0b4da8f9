# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The sky level of an image and its error.
"""

import numpy as np
from astropy.stats import biweight_location, mad_std, sigma_clip
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.optimize import nnls

__all__ = ['first_sky', 'fit_sky_and_tail', 'sky_error']


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
    for _ in range(3):
        sky = ~(binary_dilation(smooth > level + 0.6 * sigma,
                                iterations=4) | bad)
        if sky.sum() < 0.02 * data.size:
            # Nothing but galaxy: the faintest tenth is all there is.
            sky = (smooth <= np.quantile(smooth[~bad], 0.1)) & ~bad
        level = biweight_location(data[sky])
        sigma = mad_std(data[sky])
    return float(level), float(sigma)


def fit_sky_and_tail(sma, mean, error, scale_guess):
    """
    Sky level from the outer profile: constant plus exponential tail.

    A galaxy that reaches the edge of the frame leaves no pixel of pure
    sky; its outer rings still tell the level that they decline to.

    Parameters
    ----------
    sma, mean, error : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis (pixels), mean and its error of the outer rings.

    scale_guess : float
        A scale length (pixels); half to three times this is tried.

    Returns
    -------
    level, error : float
        The sky level and the error that tail and level share.
    """
    best = []
    shift = sma - sma[0]
    low = mean.min() - 10 * error.max()
    for h in scale_guess * np.geomspace(0.4, 3.0, 15):
        design = np.stack([np.ones_like(sma), np.exp(-shift / h)], -1)
        design = design / error[:, None]
        # The tail cannot be negative; the level can.
        coeff, norm = nnls(design, (mean - low) / error)
        cov = np.linalg.pinv(design.T @ design)
        best.append((norm**2, coeff[0] + low, cov[0, 0]))
    chi2, level, var = np.array(best).T
    reduced = max(chi2.min() / max(len(sma) - 3, 1), 1.0)
    prob = np.exp(-0.5 * (chi2 - chi2.min()) / reduced)
    prob /= prob.sum()
    result = (prob * level).sum()
    spread = (prob * (level - result)**2).sum() + (prob * var).sum() * reduced
    return float(result), float(spread**0.5)


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
    return float(1.25 * mad_std(means) / np.sqrt(use.sum()))
