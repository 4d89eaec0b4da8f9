# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise an area of even light that covers one side of a galaxy.
"""

import numpy as np
from scipy.ndimage import label

from astro_pix2prof.ellipses.model import radius_at

__all__ = ['has_scattered_light']


# The side (pixels) of boxes, and the number of these on each side of the
# nucleus that are looked at: at least and at most.
_SIDE, _FEWEST, _MOST = 8, 5, 14

# Boxes, and the eight around, are brighter than the ones opposite by this part
# of the noise of a pixel. So many of them hang together, at most this part of
# which is at the edge of what is seen, where gradients of the sky are.
_BRIGHTER, _AREA, _AT_EDGE = 0.3, 25, 0.08

# The middle 70 per cent of these, if they are brighter than this part of the
# median, spread by less than this part of it. Galaxies and stars decline.
_PART, _SPREAD = 0.5, 0.85

# The galaxy ends at the last ring above so many times its error.
_SEEN = 3.0


def has_scattered_light(image, mask, rings, *, noise):
    """
    Tell whether even light covers the galaxy on one side.

    Light of a bright star that is scattered in the telescope makes discs with
    an edge. They differ from all other objects by having the same brightness
    all over, and are seen on one side of the galaxy and not on the opposite.

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
    """
    x, y = (round(c) for c in rings.centre)
    ny, nx = image.shape
    number = min((min(x, y, nx - x, ny - y)) // _SIDE, _MOST)
    last = rings.last_seen(_SEEN)
    if number < _FEWEST or last is None or not noise > 0:
        return False
    half = number * _SIDE
    box = np.s_[y - half:y + half, x - half:x + half]
    total, hidden = _sums(image[box]), None
    if mask[box].any():
        hidden = _sums(mask[box])
        total = _sums(np.where(mask[box], 0.0, image[box]))
    least = _BRIGHTER * noise * max(rings.noise_correlation, 1.0)
    count = _SIDE**2 - (0 if hidden is None else hidden)
    mean = np.where(count > 0.5 * _SIDE**2, total / np.maximum(count, 1),
                    np.nan)
    apart = _SIDE * (np.arange(2 * number) - number + 0.5)
    more = _odd(mean)
    if hidden is not None:
        more = np.nan_to_num(more)
    more -= _odd_light(rings, apart + x - 0.5 - rings.centre[0],
                       apart + y - 0.5 - rings.centre[1], more)
    bright = _smooth(more) > least
    if np.count_nonzero(bright) < _AREA:
        return False
    areas, n_areas = label(bright)
    size = np.bincount(areas.ravel(), minlength=n_areas + 1)
    size[0] = 0
    # (the outermost boxes have no eight around)
    edge = areas.copy()
    edge[2:-2, 2:-2] = 0
    at_edge = np.bincount(edge.ravel(), minlength=n_areas + 1)
    reach = rings.sma[last] + _SIDE
    near = np.hypot(apart, apart[:, None]) < reach
    for k in np.flatnonzero((size >= _AREA) & (at_edge <= _AT_EDGE * size)):
        area = areas == k
        if (area & near).any() and _is_even(more[area]):
            return True
    return False


def _odd(values):
    """
    Calculate the differences of boxes and those opposite.
    """
    return values - values[::-1, ::-1]


def _odd_light(rings, x, y, more):
    """
    Calculate the differences that the galaxy itself makes.

    The middle of the boxes is not the centre of the galaxy, of which the
    error is not known either: where the core is flat, light changes evenly
    over half of the galaxy with the distance of the two.
    """
    good = np.isfinite(rings.intensity + rings.eps + rings.theta)
    sma = rings.sma[good]
    radius = radius_at(x, y[:, None], sma, rings.eps[good],
                       rings.theta[good], n_iter=2)
    model = np.interp(radius, sma, rings.intensity[good], right=0.0)
    odd = _odd(model)
    slopes = np.stack([_odd(slope).ravel() for slope in np.gradient(model)],
                      -1)
    step, *_ = np.linalg.lstsq(slopes, (more - odd).ravel(), rcond=None)
    return odd + (slopes @ step).reshape(odd.shape)


def _is_even(values):
    """
    Tell whether most boxes of an area are about equally bright.
    """
    values = np.sort(values)
    values = values[values > _PART * values[len(values) // 2]]
    n = len(values)
    return values[int(0.85 * n)] - values[int(0.15 * n)] < (
        _SPREAD * values[n // 2])


def _sums(values):
    """
    Add the pixels of boxes (rows first, which is faster).
    """
    n = len(values) // _SIDE
    return values.reshape(n, _SIDE, -1).sum(1).reshape(n, n, _SIDE).sum(2)


def _smooth(values):
    """
    Calculate the means of boxes and the eight around; zero at the edge.
    """
    smooth = np.zeros(values.shape)
    rows = values[:-2] + values[1:-1] + values[2:]
    smooth[1:-1, 1:-1] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return smooth
