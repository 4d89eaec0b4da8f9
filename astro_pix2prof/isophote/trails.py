# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise trails of satellites that cross the outskirts of a galaxy.
"""

import numpy as np

__all__ = ['has_trail']


# The side (pixels) of boxes whose means are looked at. Boxes count as no more
# than so many times their noise, so that no star or galaxy is a trail.
_SIDE, _MOST = 4, 1.5

# Lines end so many boxes beyond the galaxy, and a trail is never farther from
# the nearest one than about this part of a box.
_LONGEST, _OFF = 40, 0.85

# Lines pass the nucleus at this distance (pixels) or more, and within the
# galaxy, which ends at the last ring above so many times its error, and above
# this part of the noise of a pixel, as rings that hold only the trail are not.
_NEAREST, _SEEN, _FAINT = 6.0, 3.0, 0.2

# The mean of boxes along a line, less that of lines so many boxes beside it,
# in units of their noise: on each side of the galaxy, of so many boxes or
# more. In small frames, where lines are short, it has to exceed its own noise
# so many times, too: thousands of lines are looked at.
_BESIDE, _BRIGHT, _FEWEST, _SURE = 4, 1.0, 10, 3.0


def has_trail(image, mask, rings, *, noise):
    """
    Tell whether a trail crosses the galaxy beside its nucleus.

    It is as bright on both sides of the galaxy, where it is seen best.

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
    with np.errstate(invalid='ignore'):
        seen = np.flatnonzero(rings.intensity > np.maximum(
            _SEEN * rings.intensity_err, _FAINT * noise))
    if not seen.size or not noise > 0:
        return False
    ny, nx = (n // _SIDE for n in image.shape)
    number = _sums(~mask)
    total = _sums(np.where(mask, 0.0, image))
    known = number > 0.5 * _SIDE**2
    # (means of fewer pixels are noisier)
    value = np.where(known, total / np.sqrt(np.maximum(number, 1)), 0.0)
    value /= noise * max(rings.noise_correlation, 1.0)
    value = np.clip(value, -_MOST, _MOST)
    x, y = ((c + 0.5) / _SIDE - 0.5 for c in rings.centre)
    size = rings.sma[seen[-1]] / _SIDE
    beyond = int(size) + 1 + np.arange(_LONGEST)
    along = np.concatenate([-beyond, beyond])
    n_angles = int(np.ceil(0.5 * np.pi * beyond[-1] / _OFF))
    reach = int(size) + 1 + _BESIDE
    across = np.arange(-reach, reach + 1, 0.5)
    middle = (np.abs(across) >= _NEAREST / _SIDE) & (np.abs(across) <= size)
    step = 2 * _BESIDE
    for angle in np.arange(n_angles) * np.pi / n_angles:
        cos, sin = np.cos(angle), np.sin(angle)
        at_x = np.rint(x + along * cos - across[:, None] * sin).astype(int)
        at_y = np.rint(y + along * sin + across[:, None] * cos).astype(int)
        inside = (at_x >= 0) & (at_x < nx) & (at_y >= 0) & (at_y < ny)
        at_x[~inside] = at_y[~inside] = 0
        use = inside & known[at_y, at_x]
        light = np.where(use, value[at_y, at_x], 0.0)
        least = np.full(len(across), np.inf)
        for side in (along > 0, along < 0):
            n = use[:, side].sum(1)
            mean = np.where(n >= _FEWEST, light[:, side].sum(1)
                            / np.maximum(n, 1), np.nan)
            beside = np.full((2, len(mean)), np.nan)
            beside[0, step:] = mean[:-step]
            beside[1, :-step] = mean[step:]
            excess = mean - np.fmax(*beside)
            excess /= np.maximum(_BRIGHT, _SURE * np.sqrt(
                2 / np.maximum(n, 1)))
            least = np.minimum(least, np.nan_to_num(excess, nan=-np.inf))
        if np.any(least[middle] > 1):
            return True
    return False


def _sums(values):
    """
    Add the pixels of boxes.
    """
    ny, nx = (n // _SIDE for n in values.shape)
    values = values[:ny * _SIDE, :nx * _SIDE]
    return values.reshape(ny, _SIDE, nx, _SIDE).sum((1, 3))
