# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Areas of a frame and the pixels beside them.
"""

__all__ = ['grown']


def grown(area):
    """
    Add the pixels beside an area: those above, below, left and right.

    Parameters
    ----------
    area : 2D bool `~numpy.ndarray`, shape (ny, nx)
        The area.

    Returns
    -------
    grown : 2D bool `~numpy.ndarray`, shape (ny, nx)
        As `scipy.ndimage.binary_dilation` finds it, in less time.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.background.areas import grown
    >>> area = np.zeros((3, 4), bool)
    >>> area[1, 1] = True
    >>> print(grown(area).astype(int))
    [[0 1 0 0]
     [1 1 1 0]
     [0 1 0 0]]
    """
    result = area.copy()
    result[1:] |= area[:-1]
    result[:-1] |= area[1:]
    result[:, 1:] |= area[:, :-1]
    result[:, :-1] |= area[:, 1:]
    return result
