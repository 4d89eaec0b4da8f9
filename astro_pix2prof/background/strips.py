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
# and this part of the boxes is sky at least; so many boxes in a row tell the
# noise of their pixels.
SIDE, _STRIPS, _CALM, _LEAST, _BESIDE = 4, 32, 3.5, 0.25, 16

# It counts where it is larger than that of the frame by this factor: else, the
# boxes whose pixels add up to little would be taken.
_UNEVEN = 1.5


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
    """

    first: np.ndarray
    total: np.ndarray
    within: np.ndarray
    sky: np.ndarray


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
    total, power, sky = sky_boxes(image[rows], mask[rows], noise)
    if np.count_nonzero(sky) < _LEAST * sky.size:
        return None
    return SkyStrips(first, total, _variance(total, power), sky)


def sky_boxes(values, mask, noise, *, uneven=False):
    """
    Add pixels, and their squares, in boxes; tell which of these are sky.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    noise : float
        The noise of a sky pixel.

    uneven : bool, optional
        Whether noise may be larger in parts of the frame.

    Returns
    -------
    total, power : 2D `~numpy.ndarray`, shape (ny // 4, nx // 4)
        The sums.

    sky : 2D bool `~numpy.ndarray`, shape (ny // 4, nx // 4)
        Whether a box has no masked pixel and is close to the median.
    """
    ny, nx = (n // SIDE for n in values.shape)
    blocks = values[:ny * SIDE, :nx * SIDE].reshape(ny, SIDE, -1)
    total = _columns(blocks.sum(1))
    # (no light is beyond single precision in the sky)
    with np.errstate(over='ignore', invalid='ignore'):
        power = _columns(np.einsum('ijk,ijk->ik', blocks, blocks))
    sky = np.isfinite(power)
    if mask.any():
        hidden = mask[:ny * SIDE, :nx * SIDE].reshape(ny, SIDE, -1)
        sky &= _columns(hidden.sum(1)) == 0
    if sky.any():
        if uneven:
            local = _local_noise(total, power)
            noise = np.where(local > _UNEVEN * noise, local, noise)
        sky &= np.abs(total - median(total[sky])) < _CALM * SIDE * noise
    return total, power, sky


def _local_noise(total, power):
    """
    Calculate the noise of pixels in boxes and those beside these.

    Where exposures differ, noise does: boxes that were chosen by the noise
    of the whole frame would be those whose pixels happen to add up to
    little, as pixels of opposite signs do.

    Parameters
    ----------
    total, power : 2D `~numpy.ndarray`, shape (ny, nx)
        Sums of pixels, and of their squares, in boxes.

    Returns
    -------
    noise : 2D `~numpy.ndarray`, shape (ny, nx)
    """
    within = _variance(total, power)
    within = np.where(np.isfinite(within), np.maximum(within, 0.0), 0.0)
    ny, nx = within.shape
    number = max(nx // _BESIDE, 1)
    width = nx // number
    groups = within[:, :number * width].reshape(ny, number, width)
    # (the calmest quarter: others may hold the galaxy)
    typical = np.sqrt(np.partition(groups, width // 4, axis=2)[
        :, :, width // 4])
    return np.repeat(typical, width, axis=1)[:, np.minimum(
        np.arange(nx), number * width - 1)]


def _variance(total, power):
    """
    Calculate the variance of the pixels of boxes about their means.
    """
    # (no light is beyond single precision in the sky)
    with np.errstate(over='ignore', invalid='ignore'):
        return (power - total**2 / SIDE**2) / (SIDE**2 - 1)


def _columns(values):
    """
    Add columns of boxes (faster than a sum over an axis).
    """
    return sum(values[:, k::SIDE] for k in range(SIDE))
