# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise images that were enlarged by interpolation.
"""

import numpy as np

__all__ = ['is_interpolated']


# Images that were enlarged bend less from pixel to pixel than across so many
# pixels: by less than this part, even in the tenth of cells of so many pixels
# each way where it is largest. (Independent pixels have 1.1, drizzled ones 0.5
# to 0.9, those enlarged twice 0.35 and three times 0.2 and less.)
_ENLARGED, _ACROSS, _TENTH, _CELL = 0.3, 6, 0.9, 16


def is_interpolated(data, bad):
    """
    Tell whether an image was enlarged by interpolation.

    Its noise is that of larger pixels: smoothing leaves more of it than of
    independent ones, and all of the frame would be detected.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    Returns
    -------
    result : bool
        Also for images without noise.
    """
    for image, missing in ((data, bad), (data.T, bad.T)):
        near, far = (_bends(image, missing, step) for step in (1, _ACROSS))
        known = np.isfinite(near) & (far > 0)
        if not known.any() or np.quantile(
                near[known] / far[known], _TENTH) > _ENLARGED:
            return False
    return True


def _bends(image, missing, step):
    """
    Calculate the median second differences of rows in cells: 2D array.

    They are not-a-number where a fifth is missing.
    """
    n = len(image)
    if n <= 2 * _ACROSS:
        return np.full((0, 0), np.nan)
    middle, before, after = (np.s_[_ACROSS + k * step:n - _ACROSS + k * step]
                             for k in (0, -1, 1))
    bend = np.abs(image[before] - 2 * image[middle] + image[after])
    good = ~(missing[before] | missing[middle] | missing[after])
    ny, nx = (max(size, 0) // _CELL for size in bend.shape)
    if not ny * nx:
        return np.full((ny, nx), np.nan)
    bend, good = (
        part[:ny * _CELL, :nx * _CELL].reshape(ny, _CELL, nx, _CELL).swapaxes(
            1, 2).reshape(ny, nx, -1) for part in (bend, good))
    return np.where(good.mean(-1) > 0.8, np.median(bend, -1), np.nan)
