# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise images that were sharpened, or smoothed by a median filter.
"""

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

from astro_pix2prof.background.medians import median, quantile
from astro_pix2prof.background.strips import SIDE, sky_boxes, sky_strips

__all__ = ['is_median_filtered', 'is_sharpened']


# Pixels are not looked at further if the correlation of those of a box, and of
# those of two boxes without what differs by so many times the noise, is above
# this many times its error.
_POSSIBLE, _CLIPPED = (-1.5, -0.75), 3.5

# Half the side (pixels) of the part of a frame that is looked at further, the
# boxes, each way, over which levels are subtracted, and the least part of them
# that is sky.
_HALF, _LEVEL, _LEAST = 192, 8, 0.25

# The mean correlation between two of these distances (pixels) is negative by
# so many times its error, and by more than this. (Faint objects correlate
# pixels that are close to each other, and no others.)
_DISTANCES = ((0.0, 1.5), (0.0, 2.3), (0.0, 3.2), (0.0, 5.1), (1.5, 5.1),
              (2.3, 7.5))
_SURE, _NEGATIVE, _SMALL = 4.5, 0.002, 2.0

# That of pixels beside each other is below so many times its error, along rows
# and along columns.
_BESIDE = 2.0

# Structure of the sky, and halos of objects, add as much to the correlation of
# pixels at these distances, which counts up to this.
_FAR, _WIDE = (8.0, 12.0), 0.02

# So many rows are looked at for equal neighbours. Their differences are
# counted in steps of this part of the noise, or of the steps of the values.
_ROWS, _STEP = 24, 0.06

# Least part of differences of no step, largest part that can be told, and
# least part of those of two steps; by which factor the first are more than a
# normal distribution has; and the least part of them in three of four columns,
# as a part of the mean over all: columns that were repeated have all of them.
_EQUAL, _MOST, _TWO, _MORE, _SPREAD = 0.1, 0.7, 0.01, 1.6, 0.3

# Neighbours are alike: the mean of their differences, in which each counts up
# to the first number of times the noise, is below the second.
_LARGE, _ALIKE = 4.0, 0.9

# Noise that differs by less than this factor is about the same.
_LIKE = 1.25

# Values that were rounded to larger steps, in units of the noise, do not tell.
_COARSE = 1.35


def is_sharpened(image, mask, centre, noise, *, strips=None):
    """
    Tell whether the noise of neighbouring pixels has opposite signs.

    An unsharp mask, or a deconvolution, makes what is small brighter: cores
    of galaxies, and noise. The noise of a pixel is then subtracted from the
    pixels around it. No detector and no resampling does that: the mean
    correlation of a pixel with all those around it is zero or positive.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels without the sky.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    centre : tuple of 2 floats
        The centre (x, y) of the galaxy in pixels.

    noise : float
        The noise of a sky pixel.

    strips : `~astro_pix2prof.background.strips.SkyStrips`, optional
        Boxes of sky, if they are known.

    Returns
    -------
    result : bool
        `False` if most of the frame is no sky.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> from astro_pix2prof.fitting.filtered import is_sharpened
    >>> image = np.random.default_rng(0).normal(size=(128, 128))
    >>> none = np.zeros(image.shape, bool)
    >>> is_sharpened(image, none, (64, 64), 1.0)
    False
    >>> image = 2 * image - gaussian_filter(image, 2)
    >>> is_sharpened(image, none, (64, 64), image.std())
    True
    """
    strips = sky_strips(image, mask, noise) if strips is None else strips
    if strips is None:
        return False
    total, sky = strips.total / strips.noise, strips.sky
    within = SIDE**2 * np.mean((strips.within / strips.noise**2)[sky])
    if not (within > 0 and _may_repel(total, sky, within)):
        return False
    return _repels(image, mask, centre, noise)


def _may_repel(total, sky, within):
    """
    Tell whether sums over boxes differ less than their pixels.
    """
    for number, possible in enumerate(_POSSIBLE, 1):
        if number == 2:
            total, sky = total[:, 1:] + total[:, :-1], sky[:, 1:] & sky[:, :-1]
        # (differences of boxes do not know of slopes)
        pairs = sky[:, number:] & sky[:, :-number]
        change = (total[:, number:] - total[:, :-number])[pairs]**2
        if number == 2:
            change = change[change < _CLIPPED**2 * 4 * within]
        # (the error of boxes without correlation)
        if len(change) and 0.5 * np.mean(change) / (number * within) - 1 < (
                possible * np.sqrt(3 * number / len(change))):
            return True
    return False


def _repels(image, mask, centre, noise):
    """
    Tell whether pixels are correlated negatively with those around them.
    """
    part = tuple(slice(max(round(at) - _HALF, 0), max(round(at) + _HALF, 0))
                 for at in centre[::-1])
    if min(image[part].shape) < SIDE:
        return False
    total, _, sky, local = sky_boxes(image[part], mask[part], noise)
    if np.count_nonzero(sky) < _LEAST * sky.size:
        return False
    ny, nx = sky.shape
    level = _levels(np.where(sky, total, 0.0), sky) / SIDE**2
    sky, level, local = (np.repeat(np.repeat(a, SIDE, 0), SIDE, 1)
                         for a in (sky, level, local))
    values = image[part][:ny * SIDE, :nx * SIDE]
    values = np.where(sky, (values - level) / local, 0.0).astype(np.float32)
    # (pixels of opposite edges are no neighbours, and do no harm)
    shape = [next_fast_len(n, real=True) for n in values.shape]
    transformed = rfft2(values, shape)
    found = irfft2(transformed.real**2 + transformed.imag**2, shape)
    reach = int(max(_FAR))
    lags = np.arange(-reach, reach + 1)
    found = found[np.ix_(lags, lags)]
    power = found[reach, reach]
    if not power > 0:
        return False
    distance = np.hypot(lags, lags[:, None])
    far = found[(distance > _FAR[0]) & (distance < _FAR[1])].mean()
    far = min(max(far, 0.0), _WIDE * power)
    # (rows that are read out in turns differ along one axis only)
    beside = max(found[reach, reach + 1], found[reach + 1, reach]) - far
    if beside / power > _BESIDE / np.sqrt(np.count_nonzero(sky)):
        return False
    disc = (distance > 0) & (distance < _DISTANCES[1][1])
    for low, high in _DISTANCES:
        near = (distance > low) & (distance < high)
        error = np.sqrt(2 / (near.sum() * np.count_nonzero(sky)))
        mean = (found[near].mean() - far) / power
        # (no mask is so small that only the nearest pixels are negative)
        if mean < -max(_SURE * error, _NEGATIVE) and (
                high > _SMALL or found[disc].mean() < far):
            return True
    return False


def _levels(total, sky):
    """
    Calculate the mean over groups of boxes, for each box.
    """
    ny, nx = sky.shape
    starts = [np.arange(0, n, _LEVEL) for n in (ny, nx)]
    sums, numbers = (np.add.reduceat(np.add.reduceat(
        values, starts[0], axis=0), starts[1], axis=1)
        for values in (total, sky.astype(float)))
    mean = sums / np.maximum(numbers, 1)
    return np.repeat(np.repeat(mean, _LEVEL, 0), _LEVEL, 1)[:ny, :nx]


def is_median_filtered(data, mask, noise, *, strips=None):
    """
    Tell whether many neighbouring pixels have the same value.

    The median of pixels is one of them, and stays the same where the next
    median has most of the pixels in common: of filters of 3 x 3 pixels, one
    value in five is that of the pixel beside it.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    noise : float
        The noise of a sky pixel.

    strips : `~astro_pix2prof.background.strips.SkyStrips`, optional
        Boxes of sky: where noise is uneven, pixels of like noise are used.

    Returns
    -------
    result : bool
        `False` for values that were rounded to steps larger than the noise.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import median_filter
    >>> from astro_pix2prof.fitting.filtered import is_median_filtered
    >>> image = 10 * np.random.default_rng(0).normal(size=(64, 64))
    >>> none = np.zeros(image.shape, bool)
    >>> is_median_filtered(image, none, 10.0)
    False
    >>> is_median_filtered(median_filter(image, 3), none, 4.0)
    True
    """
    rows = np.s_[::max(len(data) // _ROWS, 1)]
    values, hidden = data[rows], mask[rows]
    values = np.where(hidden | ~np.isfinite(values), 0.0, values)
    if not noise > 0 or values.shape[1] < 8:
        return False
    change = np.abs(values[:, 1:] - values[:, :-1])
    equal = change < 0.5 * _STEP * noise
    if np.count_nonzero(equal) < _EQUAL * equal.size:
        return False
    # (the lowest and the highest value may be those of pixels that were cut)
    known = ~hidden & (values > values.min()) & (values < values.max())
    known = known[:, 1:] & known[:, :-1]
    size = change.size
    if strips is not None:
        noise, alike = _like_noise(strips, *data.shape)
        known &= alike[rows, 1:] & alike[rows, :-1]
        size = np.count_nonzero(alike[rows])
    some = change[known & (change > 0)]
    if not len(some) or len(some) < 0.25 * size or (
            np.minimum(change[known], _LARGE * noise).mean()
            > _ALIKE * noise):
        return False
    # (the least difference is the step of rounded values)
    some = some[some > 1e-3 * noise]
    step = float(some.min()) if len(some) else noise
    if step > _COARSE * noise:
        return False
    step *= 2 * round(0.5 * _STEP * noise / step) + 1
    none, one, two = (known & (change < (k + 0.5) * step) & (
        change >= (k - 0.5) * step) for k in range(3))
    n_none, n_one, n_two = (np.count_nonzero(part) for part in (
        none, one, two))
    number = np.count_nonzero(known)
    if not _EQUAL * number < n_none < _MOST * number or (
            n_two < _TWO * number):
        return False
    # (the two sides of a normal distribution)
    expected = 0.5 * n_one * (n_one / n_two)**(1 / 3)
    seen = known.any(0)
    columns = none.sum(0)[seen] / known.sum(0)[seen]
    return bool(n_none > _MORE * expected and quantile(
        columns, 0.25) > _SPREAD * n_none / number)


def _like_noise(strips, ny, nx):
    """
    Find the usual noise, and the pixels that have about that.
    """
    noise = float(median(strips.noise[strips.sky]))
    boxes = (strips.noise < _LIKE * noise) & (strips.noise > noise / _LIKE)
    y = np.searchsorted(strips.first, np.arange(ny), side='right') - 1
    x = np.minimum(np.arange(nx) // SIDE, boxes.shape[1] - 1)
    return noise, boxes[y[:, None], x]
