# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Cosmic rays and hot pixels: light that is sharper than a PSF can be.
"""

import numpy as np
from scipy.ndimage import maximum_filter

__all__ = ['find_cosmic_rays']


# Ratio of the brighter neighbour, along either axis, to the peak of a point
# source: 0.29 at least for a Gaussian of 1.5 pixels FWHM, 0.17 for one of
# 1.25 pixels; the integration over pixels adds to both.
TYPICAL, SHARPEST = 0.29, 0.12

# Noise by which the brighter neighbour has to stay below the typical ratio.
SURE = 2.5

# How many times to look, each time without the pixels found before.
PASSES = 3


def _windows(image, y, x, half):
    """
    Square surroundings of pixels; NaN beyond the frame.
    """
    step = np.arange(-half, half + 1)
    rows = y[:, None, None] + step[:, None]
    columns = x[:, None, None] + step
    inside = ((rows >= 0) & (rows < image.shape[0])
              & (columns >= 0) & (columns < image.shape[1]))
    values = image[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    return np.where(inside, values, np.nan)


def find_cosmic_rays(image, mask, sigma, *, n_sigma=8.0):
    """
    Find pixels whose light is sharper than that of a point source.

    A cosmic ray or hot pixel stands out by itself, while the neighbours
    of the peak of a star or of a nucleus share its light, however bright
    it is. A pixel is found if, above the median of the 16 pixels two
    away, it exceeds the noise by ``n_sigma`` and both of its neighbours
    along one axis have less than 0.12 of its light. Their own neighbours
    that stand out as well are added. Point sources with a FWHM of 1.5
    pixels or more are left alone; tracks wider than a pixel are not
    found.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The image, with or without its sky.

    mask : 2D bool `~numpy.ndarray` or `None`, shape (ny, nx)
        Pixels to leave out; what is not finite is left out as well.

    sigma : float or 2D `~numpy.ndarray`, shape (ny, nx)
        Noise of a pixel, in the unit of the image. Where the pixels around
        scatter by more, their scatter is taken.

    n_sigma : float, optional
        The least excess in units of the noise.

    Returns
    -------
    rays : 2D bool `~numpy.ndarray`, shape (ny, nx)
        The pixels hit. None if the noise is not positive.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.detection.cosmic_rays import find_cosmic_rays
    >>> image = np.zeros((32, 32))
    >>> image[12, 20] = 100.0
    >>> np.argwhere(find_cosmic_rays(image, None, 1.0)).tolist()
    [[12, 20]]
    """
    image = np.asarray(image, dtype=float)
    good = np.isfinite(image)
    if mask is not None:
        if np.shape(mask) != image.shape:
            msg = (f'mask must have the shape of the image, {image.shape}, '
                   f'got {np.shape(mask)}')
            raise ValueError(msg)
        good &= ~np.asarray(mask, dtype=bool)
    if np.ndim(sigma) and np.shape(sigma) != image.shape:
        msg = (f'sigma must be a number or have the shape of the image, '
               f'{image.shape}, got {np.shape(sigma)}')
        raise ValueError(msg)
    rays = np.zeros(image.shape, dtype=bool)
    noise = np.broadcast_to(np.asarray(sigma, dtype=float), image.shape)
    usable = np.isfinite(noise) & (noise > 0)
    if not (good & usable).any():
        return rays
    low = image[good].min()
    # Hits hide each other where a track bends: look again without them.
    for _ in range(PASSES):
        known = np.where(good & ~rays, image, low)
        # A cheap test, that leaves few pixels for the others.
        rise = known - np.minimum(_beside(known, 0), _beside(known, 1))
        y, x = np.nonzero(good & usable & (rise > 0.6 * n_sigma * noise))
        y, x = (v[~rays[y, x]] for v in (y, x))
        if len(y) == 0:
            break
        hit = _is_sharp(np.where(good, image, np.nan), rays, y, x,
                        noise[y, x], n_sigma)
        rays[y[hit], x[hit]] = True
        if not hit.any():
            break
    return rays


def _beside(image, axis):
    """
    The brighter of the two neighbours along an axis.
    """
    shape = (3, 1) if axis == 0 else (1, 3)
    return maximum_filter(image, mode='nearest',
                          footprint=np.reshape([1, 0, 1], shape))


def _is_sharp(image, rays, y, x, noise, n_sigma):
    """
    Test candidates for being sharper than a point source.
    """
    near = _windows(image, y, x, 3)
    near[_windows(rays.astype(float), y, x, 3) == 1] = np.nan
    ring = near[:, 1:6, 1:6].copy()
    ring[:, 1:4, 1:4] = np.nan
    enough = ((np.isfinite(ring).sum((1, 2)) >= 6)
              & (np.isfinite(near).sum((1, 2)) >= 12))
    ring[~enough] = 0.0
    base = np.nanmedian(ring, axis=(1, 2))
    rest = near - base[:, None, None]
    rest[:, 3, 3] = np.nan
    rest[~enough] = 0.0
    scatter = np.maximum(noise, 1.4826 * np.nanmedian(np.abs(rest),
                                                      axis=(1, 2)))
    height = image[y, x] - base
    limit = base + np.minimum(SHARPEST * height + scatter,
                              TYPICAL * height - SURE * scatter)
    # A neighbour that was hit says as little as none; one that is masked
    # or lies beyond the frame may have had light.
    cross = _windows(np.where(rays, -np.inf, image), y, x, 1)
    with np.errstate(invalid='ignore'):
        low = cross < limit[:, None, None]
    sharp = (low[:, 0, 1] & low[:, 2, 1]) | (low[:, 1, 0] & low[:, 1, 2])
    return enough & sharp & (height > n_sigma * scatter)
