# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise areas of a galaxy that hold no light.
"""

import numpy as np

from astro_pix2prof.background.medians import median
from astro_pix2prof.ellipses.model import radius_at

__all__ = ['has_hole']


# Boxes of pixels (this side), on each side of the nucleus at most so many.
_SIDE, _MOST = 2, 64

# A box is dark if it has less than this part of the light of the ellipses
# there, and of the opposite box, where both exceed so many times the noise of
# a pixel: by several times the noise of a box.
_DARK, _BRIGHT = 0.25, 3.0

# All dark boxes together have less than this part of that light: gaps have
# none but at their borders, and what lies between strong arms has more.
_TOGETHER = 0.12

# So many boxes, and this part of the bright ones, are dark. (Arms and tidal
# arcs leave dark areas at the outskirts of large galaxies.)
_FEWEST, _PART = 10, 0.03

# Flatter ellipses than this are not looked at: discs on edge end so steeply
# that a small bend makes one side dark.
_FLATTEST = 0.5

# Steps of the process by which ellipses are found at pixels.
_ITERATIONS = 2


def has_hole(image, mask, rings, *, noise):
    """
    Tell whether an area of a galaxy is as dark as the sky.

    Gaps between chips, and what lies beyond a chip, hold no light. They are
    masked if they have a constant value; but where an image was resampled or
    smoothed their borders fade, and some pipelines fill them with noise.
    Then they are dark, where the opposite side of the galaxy and the mean
    along the ellipses are bright, which not even dust is that shades a galaxy.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    noise : float
        The noise of a sky pixel.

    Returns
    -------
    result : bool
        `False` for flat galaxies, and for gaps through the nucleus, which are
        on both sides.
    """
    good = np.isfinite(rings.intensity + rings.eps + rings.theta)
    if np.count_nonzero(good) < 2 or not noise > 0:
        return False
    sma, value, eps, theta = (part[good] for part in (
        rings.sma, rings.intensity, rings.eps, rings.theta))
    bright = value > _BRIGHT * noise
    if not bright.any() or median(eps[bright]) > 1 - _FLATTEST:
        return False
    # (an odd number of boxes, the middle one at the nucleus, in the frame)
    half = min(int(sma[bright][-1] / _SIDE) + 1, _MOST)
    first = [round(c - 0.5 * (_SIDE - 1)) for c in rings.centre]
    half = min(half, *(min(k, n - _SIDE - k) // _SIDE for k, n in zip(
        first, image.shape[::-1], strict=True)))
    number = 2 * half + 1
    if number**2 < _FEWEST:
        return False
    x, y = (k - _SIDE * half for k in first)
    size = _SIDE * number
    box = np.s_[y:y + size, x:x + size]
    hidden = mask[box]
    part = image[box]
    if hidden.any():
        part = np.where(hidden, np.nan, part)
    light = sum(part[j::_SIDE, k::_SIDE] for j in range(_SIDE)
                for k in range(_SIDE)) / _SIDE**2
    other = light[::-1, ::-1]
    seen = other > _BRIGHT * noise
    least = max(_FEWEST, _PART * np.count_nonzero(seen))
    dark = seen & (light < _DARK * other)
    if np.count_nonzero(dark) < least:
        return False
    row, column = np.nonzero(dark)
    middle = 0.5 * (_SIDE - 1)
    radius = radius_at(
        x + _SIDE * column + middle - rings.centre[0],
        y + _SIDE * row + middle - rings.centre[1], sma, eps, theta,
        n_iter=_ITERATIONS)
    usual = np.interp(radius, sma, value, right=0.0)
    left = light[row, column]
    dark = (usual > _BRIGHT * noise) & (left < _DARK * usual)
    most = min(usual[dark].sum(), other[row, column][dark].sum())
    return bool(np.count_nonzero(dark) >= least
                and left[dark].sum() < _TOGETHER * most)
