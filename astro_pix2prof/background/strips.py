# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Boxes of sky in strips all over a frame, for quick looks at its noise.
"""

from dataclasses import dataclass

import numpy as np

from astro_pix2prof.background.medians import median

__all__ = ['SIDE', 'SkyStrips', 'sky_boxes', 'sky_strips']


# Boxes of so many pixels each way, in about so many strips. A box of sky
# differs from the others by less than so many times the noise of its mean,
# and this part of the boxes is sky at least.
SIDE, _STRIPS, _CALM, _LEAST = 4, 32, 3.5, 0.25

# Boxes of sky among the nine that tell the noise at a box; it counts where it
# differs from that of the frame by more than this factor.
_FEWEST, _UNEVEN = 3, 1.3


@dataclass
class SkyStrips:
    """
    Sums over boxes of four by four pixels in strips of four rows.

    Attributes
    ----------
    first : 1D `~numpy.ndarray` of int, shape (n,)
        The first row of each strip.

    total, within : 2D `~numpy.ndarray`, shape (n, m)
        The sum of the pixels of each box, and their variance about its mean.

    sky : 2D bool `~numpy.ndarray`, shape (n, m)
        Which boxes hold nothing but sky.

    noise : 2D `~numpy.ndarray`, shape (n, m)
        The noise of a sky pixel at each box.
    """

    first: np.ndarray
    total: np.ndarray
    within: np.ndarray
    sky: np.ndarray
    noise: np.ndarray


def sky_strips(image, mask, noise):
    """
    Add up boxes in strips of rows all over a frame.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    noise : float
        The noise of a sky pixel.

    Returns
    -------
    strips : `SkyStrips` or `None`
        `None` without noise, if most of the frame is no sky, and for frames
        below 32 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.background.strips import sky_strips
    >>> image = np.random.default_rng(0).normal(size=(128, 64))
    >>> strips = sky_strips(image, np.zeros(image.shape, bool), 1.0)
    >>> strips.total.shape, round(float(strips.within.mean()), 1)
    ((32, 16), 1.0)
    """
    if not noise > 0 or min(image.shape) < 8 * SIDE:
        return None
    last = len(image) - SIDE
    first = np.arange(0, last + 1, max(last // _STRIPS + 1, SIDE))
    rows = (first[:, None] + np.arange(SIDE)).ravel()
    boxes = sky_boxes(image[rows], mask[rows], noise)
    if np.count_nonzero(boxes[2]) < _LEAST * boxes[2].size:
        return None
    return SkyStrips(first, *boxes)


def sky_boxes(values, mask, noise):
    """
    Add pixels in boxes, and find sky and noise, which may be uneven.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    noise : float
        The noise of a sky pixel.

    Returns
    -------
    total, within : 2D `~numpy.ndarray`, shape (ny // 4, nx // 4)
        The sum of the pixels of each box, and their variance about its mean.

    sky : 2D bool `~numpy.ndarray`, shape (ny // 4, nx // 4)
        Whether a box has no masked pixel and is close to the median.

    local : 2D `~numpy.ndarray`, shape (ny // 4, nx // 4)
        The noise of a sky pixel at each box.
    """
    ny, nx = (n // SIDE for n in values.shape)
    blocks = values[:ny * SIDE, :nx * SIDE].reshape(ny, SIDE, -1)
    total = _columns(blocks.sum(1))
    # (no light is beyond single precision in the sky)
    with np.errstate(over='ignore', invalid='ignore'):
        power = _columns(np.einsum('ijk,ijk->ik', blocks, blocks))
        within = (power - total**2 / SIDE**2) / (SIDE**2 - 1)
    known = np.isfinite(power)
    if mask.any():
        hidden = mask[:ny * SIDE, :nx * SIDE].reshape(ny, SIDE, -1)
        known &= _columns(hidden.sum(1)) == 0
    local = np.full(total.shape, float(noise))
    if not known.any():
        return total, within, known, local
    off = np.abs(total - median(total[known]))
    sky = known & (off < _CALM * SIDE * noise)
    local = _local_noise(power, within, sky, noise)
    # (boxes chosen by the noise of the whole frame would be, where noise is
    # larger, those whose pixels happen to add up to little, as pixels of
    # opposite signs do)
    sky = known & (off < _CALM * SIDE * local)
    return total, within, sky, np.where(local > 0, local, noise)


def _local_noise(power, within, sky, noise):
    """
    Calculate the noise of a sky pixel at each box, from nine boxes of sky.
    """
    usual = np.where(sky, within, 0.0).sum()
    if not usual > 0:
        return np.full(sky.shape, float(noise))
    # (pixels that are correlated differ less within a box)
    part = np.where(sky, power, 0.0).sum() / SIDE**2 / usual
    number = _around(sky.astype(float))
    total = _around(np.where(sky, within, 0.0))
    # (rounding leaves less than nothing where all pixels are equal)
    local = np.sqrt(np.maximum(part * total, 0) / np.maximum(number, 1))
    even = (local > noise / _UNEVEN) & (local < _UNEVEN * noise)
    return np.where(number < _FEWEST, 0.0, np.where(even, noise, local))


def _around(values):
    """
    Add the eight boxes around to each.
    """
    for _ in range(2):
        more = values.copy()
        more[1:] += values[:-1]
        more[:-1] += values[1:]
        values = more.T
    return values


def _columns(values):
    """
    Add columns of boxes (faster than a sum over an axis).
    """
    return sum(values[:, k::SIDE] for k in range(SIDE))
