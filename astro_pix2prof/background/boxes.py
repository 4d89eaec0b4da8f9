# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Sums of an image in square boxes, and the noise that they show.
"""

from dataclasses import dataclass

import numpy as np

from astro_pix2prof.background.medians import median, quantile, spread

__all__ = ['BoxSums', 'difference_noise', 'fill_boxes', 'noise_correlation',
           'ring_correlation', 'sum_boxes']


# The side of the boxes (pixels) whose noise is compared with that of pixels:
# the noise of drizzled and resampled images is correlated over less.
_SIDE = 8

# Boxes share their correlated noise with their neighbours, which takes a part
# of the excess away: so it is for noise smoothed by 0.5 to 1 pixel.
_EDGES = 1.35

# Pairs of boxes without which nothing is said about the correlation.
_LEAST_PAIRS = 12

# Boxes hold few photons, less than four, if this part of neighbours are equal,
# and this part of the others differ by one, but for some that differ by less.
# They are not made larger if a frame then has fewer than so many each way.
_ALIKE, _BY_ONE, _SOME, _FEWEST = 0.15, 0.25, 0.05, 12

# Differences below this part of their root mean square are none.
_DIGIT = 1e-7

# Smaller excesses over white noise, in units of their own error, are chance.
_CHANCE = 2.5


@dataclass
class BoxSums:
    """
    The pixels of an image, summed in square boxes.

    Attributes
    ----------
    side : int
        The side of a box in pixels.

    first : tuple of 2 ints
        The pixel (x, y) where the first box begins.

    count, total, square : 2D `~numpy.ndarray`
        The number of usable pixels, their sum, and the sum of their
        squares.
    """

    side: int
    first: tuple
    count: np.ndarray
    total: np.ndarray
    square: np.ndarray

    @property
    def mean(self):
        """
        The mean of each box: 2D `~numpy.ndarray`, 0 without pixels.
        """
        return self.total / np.maximum(self.count, 1)

    @property
    def usable(self):
        """
        The boxes most of whose pixels are usable: 2D bool `~numpy.ndarray`.
        """
        return self.count >= 0.5 * self.side**2

    @property
    def hidden(self):
        """
        The boxes to leave out: 2D bool `~numpy.ndarray`.

        Those that are not usable, or without a pixel where few are.
        """
        hidden = ~self.usable
        return self.count == 0 if hidden.mean() > 0.9 else hidden


def _fold(image, n):
    """
    Sums of n x n elements; what is left at the edges is left out.
    """
    ny, nx = (size // n for size in image.shape)
    y, x = ((size - size // n * n) // 2 for size in image.shape)
    part = image[y:y + ny * n, x:x + nx * n]
    # (whole rows are added several times as fast as along short axes)
    rows = part.reshape(ny, n, nx * n)
    total = rows[:, 0].copy()
    for k in range(1, n):
        total += rows[:, k]
    columns = total.reshape(ny, nx, n)
    total = columns[..., 0].copy()
    for k in range(1, n):
        total += columns[..., k]
    return total


def sum_boxes(data, bad, side):
    """
    Sum the pixels of an image in square boxes.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        The image. What all pixels have in common should be subtracted, so
        that the squares are exact.

    bad : 2D bool `~numpy.ndarray`
        Pixels to leave out.

    side : int
        The side of a box in pixels.

    Returns
    -------
    boxes : `BoxSums`
    """
    ny, nx = data.shape
    first = tuple((size - size // side * side) // 2 for size in (nx, ny))
    if bad.any():
        count = _fold((~bad).astype(float), side)
        data = np.where(bad, 0.0, data)
    else:
        count = np.full((ny // side, nx // side), float(side**2))
    return BoxSums(side, first, count, _fold(data, side),
                   _fold(data**2, side))


def fill_boxes(data, bad, side):
    """
    Sum pixels in boxes, larger ones where these hold few photons.

    Boxes that hold no photon or one have no symmetric noise: to reject
    outliers would take light from the sky.

    Parameters
    ----------
    data, bad
        As for `sum_boxes`.

    side : int
        The least side of a box in pixels.

    Returns
    -------
    boxes : `BoxSums`
        Boxes of ``side``, or of twice, four times ... as many pixels.

    noise : float
        The noise of their means.
    """
    while True:
        boxes = sum_boxes(data, bad, side)
        noise, are_few = difference_noise(boxes.mean, boxes.hidden)
        if not are_few or min(data.shape) // (2 * side) < _FEWEST:
            return boxes, noise
        side *= 2


def difference_noise(image, hidden):
    """
    Measure the noise of pixels from the differences of neighbours.

    From the smaller ones: objects raise the others.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image.

    hidden : 2D bool `~numpy.ndarray`
        Pixels to leave out.

    Returns
    -------
    noise : float
        The noise of a pixel; 0 without neighbours.

    are_few : bool
        Whether pixels hold few photons: many neighbours are equal, and many
        of the others differ by one.
    """
    differences = np.concatenate([
        np.abs(image[one] - image[other])[~(hidden[one] | hidden[other])]
        for one, other in ((np.s_[:, 1:], np.s_[:, :-1]),
                           (np.s_[1:], np.s_[:-1]))])
    if not differences.size:
        return 0.0, False
    # (what was subtracted from equal numbers makes their last digits differ)
    mean = float(np.sqrt(np.mean(differences**2)))
    differences[differences <= _DIGIT * mean] = 0.0
    # (of a normal distribution, 30% lie within 0.3853 standard deviations)
    noise = quantile(differences, 0.3) / 0.3853
    if not noise > 0:
        # most pixels hold the same number of photons
        noise = mean
    are_few = False
    if np.count_nonzero(differences) < (1 - _ALIKE) * differences.size:
        others = differences[differences > 0]
        # (boxes with fewer pixels than the others may differ by less)
        are_few = bool(others.size) and (
            quantile(others, _SOME + _BY_ONE) < 1.01 * quantile(others,
                                                                _SOME))
    return float(noise / np.sqrt(2)), are_few


def noise_correlation(boxes, sky, model):
    """
    Measure how much noisier means of many pixels are than white noise is.

    The noise of boxes of 8 x 8 pixels is compared with that of the pixels
    in them. Differences of neighbouring boxes are used, so that a gradient
    or the tail of a galaxy does not count.

    Parameters
    ----------
    boxes : `BoxSums`
        Sums in boxes of 1, 2, 4 or 8 pixels.

    sky : 2D bool `~numpy.ndarray`
        The boxes that hold nothing but sky, or little of the galaxy.

    model : 2D `~numpy.ndarray`
        The mean of each box but for the noise, as far as it is known.

    Returns
    -------
    factor : float
        The noise of a mean over many pixels in units of that of as many
        independent pixels: 1 for white noise, and where nothing can be
        measured.
    """
    n = max(_SIDE // boxes.side, 1)
    total = boxes.total - model * boxes.count
    square = boxes.square - model * (boxes.total + total)
    count, total, square = (_fold(np.where(sky, values, 0.0), n)
                            for values in (boxes.count, total, square))
    side = boxes.side * n
    use = count >= 0.6 * side**2
    mean = total / np.maximum(count, 1)
    variance = (square - count * mean**2) / np.maximum(count - 1, 1)
    differences, expected = [], []
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]),
                       (np.s_[1:], np.s_[:-1])):
        both = use[one] & use[other]
        differences.append((mean[one] - mean[other])[both])
        expected.append(1 / count[one][both] + 1 / count[other][both])
    differences, expected = map(np.concatenate, (differences, expected))
    if len(differences) < _LEAST_PAIRS:
        return 1.0
    pixel = median(variance[use])
    if not pixel > 0:
        return 1.0
    # (pixels of a box share what correlates them, so that they scatter less
    # about their own mean than about that of all)
    scatter = spread(differences / np.sqrt(expected))**2
    pixel += scatter / side**2
    factor = 1 + _EDGES * (float(np.sqrt(scatter / pixel)) - 1)
    chance = _CHANCE * _EDGES * 1.17 / np.sqrt(len(differences))
    return factor if factor > 1 + chance else 1.0


def ring_correlation(factor, width):
    """
    Calculate how much noisier rings are than white noise is.

    Noise that is correlated alike along both axes counts in full in rings
    that are wide, and with its square root in those of single pixels.

    Parameters
    ----------
    factor : float
        As `noise_correlation` returns it.

    width : 1D `~numpy.ndarray`, shape (n,)
        The widths of the rings in pixels.

    Returns
    -------
    factor : 1D `~numpy.ndarray`, shape (n,)
    """
    return factor**(1 - 0.5 / np.maximum(width, 1.0))
