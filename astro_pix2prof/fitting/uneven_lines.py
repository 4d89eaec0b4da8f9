# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise rows and columns through a galaxy that differ from its ellipses.
"""

from functools import cache

import numpy as np

from astro_pix2prof.background.medians import median
from astro_pix2prof.ellipses.model import radius_at
from astro_pix2prof.fitting.breaks import has_break

__all__ = ['has_uneven_line']


# Half the side (pixels) of the box that is looked at, in bands of so many
# rows, and the farthest that the middle of a line is from the nucleus.
_HALF, _BAND, _FARTHEST = 22, 4, 12.0

# The widest line, and the pixels on each side with which it is compared.
# Across these and the line, what the ellipses leave changes as a parabola.
_WIDEST, _SIDE, _ORDER = 8, 4, 2

# Bands count where the galaxy is so many times the noise of a sum. Their sums
# have at least this part of its light: lines without any have no logarithm.
_CLEAR, _DARKEST = 6.0, 0.2

# Without a gain, so many photons make a count of the size of the noise.
_PHOTONS = 2.0

# The median of the squares of deviates of unit variance.
_MEDIAN = 0.455

# Steps of the process by which ellipses are found at pixels.
_ITERATIONS = 2

# The scatter of depths between bands that is usual, and the least error of
# their mean.
_MODEL, _LEAST_ERROR = 0.05, 0.01

# Of a line through all of the galaxy, and of one that begins beside the
# nucleus: least number of bands, least depth (logarithm), and by how many
# times it exceeds the error from the scatter of bands and that from noise.
_WHOLE = (5, 0.06, 5.0, 3.0)
_PART = (4, 0.10, 6.0, 4.0)

# Bright lines whose middle is so near (pixels) to the nucleus are those of a
# thin disc, or a bar, along rows or columns.
_THIN = 2.0

# Bands on each side of the nucleus that show a line through all of it.
_EACH_SIDE = 2

# Places (pixels from the nucleus) where a part of a line may begin or end.
_ENDS = (-4.0, 0.0, 4.0)

# The limits of the whole of a line, and of what is on both sides of these.
_LIMITS = np.array([_WHOLE, *2 * len(_ENDS) * [_PART]]).T[..., None]

# Galaxies look the same from both sides: a bar or an arm has this part of the
# depth in the group of columns opposite of it, on the other side of the
# nucleus, as far as that is known to this part, and to so many pixels.
_SAME, _TOLD, _OPPOSITE = 0.5, 0.25, 1.01

# The depths so many pixels to each side are those that follow from the line,
# to this part of its own. Each band agrees with the others to so many times
# its error and this part of the depth.
_BESIDE, _ELSE, _AGREE, _UNLIKE = 4, 0.3, 3.0, 0.12


def has_uneven_line(image, mask, rings, *, noise, gain=None):
    """
    Tell whether rows or columns have less or more light than they should.

    The light of a galaxy differs from its ellipses: but not by the same part
    above and below the nucleus, between two sharp edges along pixels. Lines
    that lost more are found and masked before the fit, in
    `~astro_pix2prof.detection.bad_lines.find_bad_lines`; beside a nucleus,
    wide ones that lost or gained a little are seen against the ellipses only.
    Nor does it break off at a line, as where rows were lost: see
    `~astro_pix2prof.fitting.breaks.has_break`.

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

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    result : bool
        Whether such a line, or a break, is there. A dark line may begin or
        end beside the nucleus. A bright one with its middle there is not
        told from a thin disc.
    """
    good = np.isfinite(rings.intensity + rings.eps + rings.theta)
    if np.count_nonzero(good) < 2 or not noise > 0:
        return False
    sma, value, eps, theta = (
        part[good] for part in (rings.sma, rings.intensity, rings.eps,
                                rings.theta))
    # (the bands of most galaxies are too few)
    if not sma[value > _CLEAR / np.sqrt(_BAND) * noise].max(
            initial=0.0) > 0.5 * (_PART[0] - 1) * _BAND:
        return False
    first = [max(round(c) - _HALF, 0) for c in rings.centre]
    size = min(round(c) + _HALF + 1 - k
               for k, c in zip(first, rings.centre, strict=True))
    size = min(size, *(n - k for n, k in zip(
        image.shape[::-1], first, strict=True)))
    if size < _HALF:
        return False
    box = np.s_[first[1]:first[1] + size, first[0]:first[0] + size]
    pixels = image[box]
    if mask[box].any():
        pixels = np.where(mask[box], np.nan, pixels)
    x, y = (np.arange(size) + (k - c) for k, c in zip(
        first, rings.centre, strict=True))
    radius = radius_at(x, y[:, None], sma, eps, theta, n_iter=_ITERATIONS)
    # (logarithms, as profiles are steep)
    model = np.exp(np.interp(
        radius, sma, np.log(np.maximum(value, 1e-3 * noise)), right=-np.inf))
    # (a few photons have no logarithm)
    least = max(_CLEAR * noise * np.sqrt(_BAND),
                0.0 if gain is None else _CLEAR**2 / gain)
    light, usual, at = _bands(pixels), _bands(model), np.stack([x, y])
    return has_break(light, usual, at, band=_BAND, noise=noise,
                     gain=gain) or _is_uneven(
        light, usual, at, noise, _PHOTONS / noise if gain is None else gain,
        least)


def _bands(values):
    """
    Add the rows of bands, and the columns of bands: shape (2, n_bands, n).
    """
    number = len(values) // _BAND
    return np.stack([part[:number * _BAND].reshape(number, _BAND, -1).sum(1)
                     for part in (values, values.T)])


def _is_uneven(light, usual, at, noise, gain, least):
    """
    Tell whether columns or rows near the centre are too dark, or bright.
    """
    unseen = ~((usual > least) & np.isfinite(light))
    usual = np.where(unseen, 1.0, usual)
    ratio = light / usual
    ratio[unseen] = 1.0
    ratio = np.log(np.maximum(ratio, _DARKEST, out=ratio), out=ratio)
    variance = (_BAND * noise**2 + usual / gain) / usual**2
    variance[unseen] = 0.0
    place, kernel, power, uses = _kernels(at.shape[1])
    # (single precision is enough for these, and faster)
    depth, error, missing = (
        part.astype(np.float32) @ weights for part, weights in (
            (ratio, kernel), (variance, power), (unseen, uses)))
    # (the narrowest come first)
    narrow = np.s_[..., :np.count_nonzero(place[1] == 1)]
    error *= _excess(depth[narrow], error[narrow], missing[narrow] == 0)
    weight = 1 / (error + _MODEL**2)
    weight[missing > 0] = 0
    number = light.shape[1]
    middle = at[::-1, :1] + _BAND * (np.arange(number) + 0.5) - 0.5
    ends = np.array(_ENDS)[:, None]
    sides = np.concatenate([
        np.ones((2, 1, number)), middle[:, None] > ends,
        middle[:, None] < ends], axis=1).astype(np.float32)
    total, mean = sides @ weight, sides @ (weight * depth)
    mean /= np.maximum(total, np.finfo(np.float32).tiny)
    # (a quick look)
    _, lost, _, clear = _LIMITS
    # (half of a bright line may be a thin disc)
    size = np.abs(mean)
    size[:, 1:] = -mean[:, 1:]
    uneven = (size > lost) & (size * np.sqrt(total) > clear)
    away = np.abs(at[:, :1] + place[0] + 0.5 * (place[1] - 1))
    uneven &= (away < _FARTHEST)[:, None]
    # (and so may a whole one through the nucleus)
    uneven[:, 0] &= (mean[:, 0] < 0) | (away > _THIN)
    zero = 1 + _ENDS.index(0.0)
    for axis, side, k in np.argwhere(uneven):
        use = (sides[axis, side] > 0) & (weight[axis, :, k] > 0)
        if side == 0 and (sides[axis, [zero, zero + len(_ENDS)]] @ use
                          < _EACH_SIDE).any():
            continue
        if _is_line(k, at.shape[1], depth[axis, use], error[axis, use],
                    weight[axis, use], _PART if side else _WHOLE) and not (
                _is_symmetric(k, at[axis], middle[axis], depth[axis],
                              weight[axis], use)):
            return True
    return False


def _is_symmetric(k, at, middle, depth, weight, use):
    """
    Tell whether the same is seen on the opposite side of the nucleus.

    Parameters
    ----------
    k : int
        The group of columns.

    at, middle : 1D `~numpy.ndarray`
        Distances of columns and of bands from the nucleus.

    depth, weight : 2D `~numpy.ndarray`, shape (n_bands, m)
        Of all bands and groups.

    use : 1D bool `~numpy.ndarray`, shape (n_bands,)
        The bands of the line.
    """
    (first, width), *_ = _kernels(len(at))
    place = at[0] + first + 0.5 * (width - 1)
    # (a line at the nucleus is opposite of itself)
    if 2 * abs(place[k]) <= width[k] + 1:
        return False
    far = -middle[use]
    bands = (middle > far.min() - 0.5 * _BAND) & (
        middle < far.max() + 0.5 * _BAND)
    groups = (width == width[k]) & (
        np.abs(place + place[k]) < _OPPOSITE)
    total = weight[use, k].sum()
    size = weight[use, k] @ depth[use, k] / total
    there = weight[bands][:, groups]
    known = there.sum(0)
    mean = (there * depth[bands][:, groups]).sum(0) / np.maximum(
        known, np.finfo(np.float32).tiny)
    return bool((mean[known > _TOLD * total] / size > _SAME).any())


def _excess(depth, error, known):
    """
    Calculate by how much depths of single columns vary more than noise.

    As where there are fewer photons than usual, and in spiral arms. Lines
    change a few of them.
    """
    if not known.any():
        return 1.0
    return max(float(median(depth[known]**2 / error[known])) / _MEDIAN, 1.0)


def _is_line(k, n, depth, error, weight, limits):
    """
    Tell whether bands agree, and depths beside are those of one line.
    """
    least, lost, sure, clear = limits
    value, own = depth[:, k], weight[:, k]
    total = own.sum()
    mean = own @ value / total
    size = abs(mean)
    if len(value) < least or size < lost or size * np.sqrt(total) < clear:
        return False
    off = (value - mean)**2
    scatter = own @ off / total / (len(value) - 1)
    if mean**2 < sure**2 * (scatter + _LEAST_ERROR**2):
        return False
    if (off / (error[:, k] + (_UNLIKE * mean)**2)).max() > _AGREE**2:
        return False
    near, shape = _beside(k, n)
    part = np.where(weight[:, near] > 0, own[:, None], 0.0)
    part_total = part.sum(0)
    known = part_total > 0.5 * total
    profile = (part * depth[:, near]).sum(0)[known] / part_total[known]
    shape = shape[known]
    factor = profile @ shape / (shape @ shape)
    return np.abs(profile - factor * shape).max() < _ELSE * size


@cache
def _kernels(n):
    """
    Make the weights of columns in the depths of all groups of columns.

    Returns
    -------
    place : tuple of 2 1D `~numpy.ndarray` of int, shape (m,)
        The first column of each group, and how many there are.

    kernel, power, uses : 2D `~numpy.ndarray`, shape (n, m)
        The weights, their squares, and which are not zero.
    """
    first, widths, kernels = [], [], []
    for width in range(1, _WIDEST + 1):
        size = width + 2 * _SIDE
        x = np.linspace(-1, 1, size)
        smooth = x[:, None]**np.arange(_ORDER + 1)
        line = np.zeros(size)
        line[_SIDE:-_SIDE] = 1
        line -= smooth @ np.linalg.lstsq(smooth, line, rcond=None)[0]
        line /= line @ line
        for start in range(n - size + 1):
            kernel = np.zeros(n)
            kernel[start:start + size] = line
            kernels.append(kernel)
            first.append(start + _SIDE)
            widths.append(width)
    kernel = np.array(kernels).T
    return (np.array(first), np.array(widths)), *(
        part.astype(np.float32) for part in (
            kernel, kernel**2, kernel != 0))


@cache
def _beside(k, n):
    """
    Find groups of the same width near one, and what a line there leaves.

    Returns
    -------
    near : slice
        The groups.

    shape : 1D `~numpy.ndarray`
        Their depths for a line that is the group.
    """
    (first, width), kernel, _, _ = _kernels(n)
    near = np.flatnonzero((width == width[k])
                          & (np.abs(first - first[k]) <= _BESIDE))
    near = np.s_[near[0]:near[-1] + 1]
    return near, kernel[first[k]:first[k] + width[k], near].sum(0)
