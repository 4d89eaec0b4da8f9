# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise images whose values are no linear measure of light.
"""

import numpy as np

from astro_pix2prof.background.medians import median

__all__ = ['is_stretched']


# Half the side (pixels) of the box around the galaxy, of which every second
# row is looked at, the number of its brightest pixels, about so many rows that
# show the sky, and the largest part of the noise of the sky that bright pixels
# of stretched images have: linear ones have at least 0.7, roots, logarithms
# and arsinh 0.5 at most.
_BOX, _BRIGHTEST, _EVERY, _CALM = 40, 100, 16, 0.5


def is_stretched(data, bad, centre):
    """
    Tell whether bright pixels have much less noise than the sky.

    The noise of light grows with it, or is that of the detector. It is less
    where a picture was made for the eye, by a logarithm, a root or the gamma
    of a screen, whose values are no linear measure of light.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    Returns
    -------
    result : bool

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.fitting.stretched import is_stretched
    >>> y, x = np.mgrid[:121, :121]
    >>> galaxy = 300 * np.exp(-np.hypot(x - 60, y - 60) / 6)
    >>> galaxy += np.random.default_rng(0).normal(size=galaxy.shape)
    >>> none = np.zeros(galaxy.shape, bool)
    >>> is_stretched(galaxy, none, (60, 60))
    False
    >>> is_stretched(np.arcsinh(galaxy), none, (60, 60))
    True
    """
    x, y = (round(c) for c in centre)
    box = np.s_[max(y - _BOX, 0):max(y + _BOX + 1, 0):2,
                max(x - _BOX, 0):max(x + _BOX + 1, 0)]
    change, light = _third_differences(data[box], bad[box])
    if len(light) < 4 * _BRIGHTEST:
        return False
    bright = np.argpartition(light, -_BRIGHTEST)[-_BRIGHTEST:]
    rows = np.s_[::max(len(data) // _EVERY, 1)]
    change_of_all, light = _third_differences(data[rows], bad[rows])
    if len(light) < _BRIGHTEST:
        return False
    sky = change_of_all[light <= light.dtype.type(median(light))]
    # (of pixels that are rounded, most may be equal)
    return bool(np.mean(change[bright]) < _CALM * median(sky))


def _third_differences(values, bad):
    """
    Calculate third differences along rows, and the light of their pixels.
    """
    if values.shape[1] < 4:
        return np.zeros(0), np.zeros(0)
    outer = values[:, 3:] - values[:, :-3]
    inner = values[:, 2:-1] - values[:, 1:-2]
    change = np.abs(outer - 3 * inner)
    light = values[:, 1:-2] + values[:, 2:-1]
    if not bad.any():
        return change.ravel(), light.ravel()
    good = ~(bad[:, :-3] | bad[:, 1:-2] | bad[:, 2:-1] | bad[:, 3:])
    return change[good], light[good]
