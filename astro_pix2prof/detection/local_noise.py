# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The noise at a pixel of a galaxy, from the pixels around.
"""

import numpy as np

__all__ = ['FAR', 'local_noise']


# Noise is measured on pixels at these distances from a peak.
_NEAR, FAR = 3, 5

# Noise is measured on so many pixels at least, as the scatter of differences
# that have so many times that of a pixel.
_FEW, _NORM = 20, 1.5


def local_noise(values, y, x, sigma):
    """
    Estimate the noise at a pixel from how even those around it are.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky; not-a-number where pixels are unknown.

    y, x : int
        The row and column of the pixel.

    sigma : float
        The noise of a sky pixel, which is the least.

    Returns
    -------
    noise : float
        The noise, in the unit of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.detection.local_noise import local_noise
    >>> values = np.random.default_rng(0).normal(100, 2.0, (21, 21))
    >>> bool(1 < local_noise(values, 10, 10, 1.0) < 3)
    True
    """
    y0, x0 = max(y - FAR, 0), max(x - FAR, 0)
    part = values[y0:y + FAR + 1, x0:x + FAR + 1]
    log = np.log(np.maximum(part, sigma))
    inner = part[1:-1, 1:-1]
    rest = inner * (log[1:-1, 1:-1] - 0.5 * (
        log[:-2, 1:-1] + log[2:, 1:-1] + log[1:-1, :-2] + log[1:-1, 2:])
        + 0.25 * (log[:-2, :-2] + log[:-2, 2:] + log[2:, :-2] + log[2:, 2:]))
    dy, dx = np.ogrid[y0 + 1 - y:y0 + 1 - y + rest.shape[0],
                      x0 + 1 - x:x0 + 1 - x + rest.shape[1]]
    use = (np.maximum(abs(dy), abs(dx)) >= _NEAR) & np.isfinite(rest)
    if np.count_nonzero(use) < _FEW:
        return sigma
    scatter = 1.4826 * float(np.median(np.abs(rest[use]))) / _NORM
    # (photon noise grows inwards as the root of the light)
    light = max(float(np.median(inner[use])), sigma)
    core = float(np.median(part[1:-1, 1:-1][~use & np.isfinite(inner)]))
    return max(sigma, scatter * np.sqrt(max(core / light, 1.0)))
