# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Robust measurement of the sky noise of an image.
"""

import itertools
from functools import lru_cache

import numpy as np
from scipy.ndimage import uniform_filter

from astro_pix2prof.background.medians import median, quantile, row_medians
from astro_pix2prof.background.photons import (
    find_photon,
    photon_noise_in_cells,
)

__all__ = ['measure_noise', 'noise_in_cells', 'noise_is_wrong',
           'noise_weights']


# The frame is divided into so many cells each way, of which so many rows,
# and about so many pixels along each, are looked at.
_CELLS, _ROWS, _COLUMNS = 8, 8, 32

# The mean size of a difference of two pixels over the noise of one.
_DIFFERENCE = 2 / np.sqrt(np.pi)

# Noise between neighbours over that between pixels far apart. Less than half
# is a correlation of 0.75: a mean over many pixels is then three times as
# uncertain as their number says. The resampling of surveys leaves 0.6.
_CORRELATED = 0.5

# The calmest cells have no more than so many times the noise that is stated,
# nor does a quadrant have more than so many times that of another.
_UNDERSTATED, _UNEVEN = 1.5, 1.5


def noise_in_cells(image, mask, noise):
    """
    The noise between neighbouring pixels, in cells of a frame.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The pixels.

    mask : 2D bool `~numpy.ndarray`
        Those not to use.

    noise : float or 2D `~numpy.ndarray`
        The noise of a pixel.

    Returns
    -------
    ratio : 3D `~numpy.ndarray`, shape (2, 8, 8), or `None`
        Over the noise that is stated: 1 for noise that is not correlated,
        and more where there are objects. Along rows, and along columns.
        Not-a-number where most pixels are bad, and in padding; `None` for
        frames below 32 pixels.
    """
    ny, nx = image.shape
    if min(ny, nx) < 4 * _CELLS:
        return None
    y, step, first, most = _places(ny, nx)
    columns, beside = np.s_[:-1:step], np.s_[1::step]

    def total(values):
        rows = np.add.reduceat(values, first, axis=1)
        return rows.reshape(_CELLS, _ROWS, _CELLS).sum(1)

    here, hidden = image[y], mask[y]
    there = (here[:, beside], image[y + 1, columns])
    bad = (hidden[:, beside], mask[y + 1, columns])
    here, hidden = here[:, columns], hidden[:, columns]
    if np.ndim(noise):
        noise = noise[y, columns]
        known = np.isfinite(noise) & (noise > 0)
        hidden, noise = hidden | ~known, np.where(known, noise, 1.0)
    ratio = np.empty((2, _CELLS, _CELLS))
    for k in range(2):
        size = there[k] - here
        np.abs(size, out=size)
        size /= noise
        left_out = hidden | bad[k]
        n = most
        if left_out.any():
            size[left_out] = 0.0
            n = most - total(left_out.astype(float))
        found = total(size)
        ratio[k] = np.where((n > 0.5 * most) & (found > 0),
                            found / np.maximum(n, 1) / _DIFFERENCE, np.nan)
    return ratio


@lru_cache(maxsize=64)
def _places(ny, nx):
    """
    Choose rows, a step along them, and where cells begin; and their pixels.
    """
    y = np.linspace(0, ny - 2, _CELLS * _ROWS).astype(int)
    step = max(nx // (_CELLS * _COLUMNS), 1)
    n = len(range(0, nx - 1, step))
    first = np.linspace(0, n, _CELLS, endpoint=False).astype(int)
    return y, step, first, _ROWS * np.diff(np.append(first, n)).astype(float)


def noise_is_wrong(image, mask, noise):
    """
    Tell whether errors that follow from the noise cannot hold.

    Because pixels are strongly correlated (smoothed images, stripes), the
    noise is understated, or a part of the frame has far more than the rest
    and no map of the noise says so.

    Parameters
    ----------
    image, mask, noise
        As for `noise_in_cells`.

    Returns
    -------
    is_wrong : bool
    """
    photon = find_photon(image, mask)
    if photon is None:
        ratio = noise_in_cells(image, mask, noise)
    else:
        ratio = photon_noise_in_cells(image, mask, noise, photon)
    if ratio is None or np.isfinite(ratio).mean() < 0.25:
        return False
    # (where every second row is masked, pixels have no neighbours along
    # columns)
    ratio = ratio[np.isfinite(ratio).any(axis=(1, 2))]
    if min(_quantiles(ratio.reshape(len(ratio), -1), 0.5)) < _CORRELATED:
        return True
    both = ratio.mean(0)
    if not np.isfinite(both).any():
        return False
    if _quantiles(both.reshape(1, -1), 0.1)[0] > _UNDERSTATED:
        return True
    half = len(both) // 2
    parts = both.reshape(2, half, 2, half).swapaxes(1, 2).reshape(4, -1)
    calm = _quantiles(parts[np.isfinite(parts).mean(1) > 0.25], 0.25)
    return len(calm) > 1 and max(calm) > _UNEVEN * min(calm)


def _quantiles(values, at):
    """
    List a quantile of the known ones of each row.

    In less time than `numpy.nanquantile` takes.
    """
    ordered = np.sort(values, axis=1)
    # (what is not known comes last)
    number = np.count_nonzero(np.isfinite(values), axis=1)
    return [float(row[int(at * (n - 1) + 0.5)])
            for row, n in zip(ordered, number, strict=True)]


# Parts of a frame, each way, in which photons are counted.
_PARTS = 4

# The side (pixels) of the boxes in which light is averaged for weights.
_BOX = 5

# A variance is that of photons if, in the median, it is what follows from the
# light to the first part of it, and that of fainter pixels to the second.
_FOLLOWS, _FAINTER = 0.08, 0.3

# The standard deviation of a Gaussian cut at 3 sigma
_CUT = 3.0

_CUT_STD = 0.98658

_MAD_TO_STD = 1.482602218505602

# The standard deviation of a normal distribution over the mean of its
# absolute deviations.
_MEAN_TO_STD = 1.2533141373155

# Most spreads of blocks lie within this part of what follows from the mean,
# and again of what they were before.
_FIRST, _AGAIN = 0.08, 0.02


def measure_noise(data, mask=None):
    """
    Measure the standard deviation of the sky in one pixel.

    The image is divided into blocks. In each, a plane is taken away and the
    standard deviation of the rest is measured with outliers rejected. Blocks
    of empty sky agree with each other and are the lowest; their median is
    the result. Galaxies and stars only raise the blocks where they are, and
    noise that is correlated from pixel to pixel is measured in full, which
    differences between neighbours would not do.

    Parameters
    ----------
    data : 2D array_like
        The pixel values.

    mask : 2D array_like of bool, optional
        `True` for pixels not to use.

    Returns
    -------
    noise : float
        The standard deviation, 0 if the image has no noise and
        not-a-number if it has no usable pixel.
    """
    data = np.asarray(data, dtype=float)
    mask = (~np.isfinite(data) if mask is None
            else np.asarray(mask, dtype=bool) | ~np.isfinite(data))
    if np.all(mask):
        return np.nan
    side = int(np.clip(min(data.shape) // 8, 8, 32))
    sigma, weight = _block_sigmas(data, mask, side)
    if sigma.size == 0:
        return _lower_side(data[~mask])
    # Blocks of a constant are padding, unless everything is constant.
    filled = sigma > 0
    if 2 * np.count_nonzero(filled) < len(filled):
        found = _photon_noise(data, ~mask)
        if found > 0 or not np.any(filled):
            return found
    sigma, weight = sigma[filled], weight[filled]
    return _lowest_group(sigma, weight)


def _photon_noise(data, good):
    """
    The noise of a sky most of whose pixels hold no photon; 0 for others.

    From the numbers of pixels with one photon and with none, whose ratio is
    the mean.
    """
    values, counts = np.unique(data[good], return_counts=True)
    if len(values) < 2 or 2 * counts[0] < counts.sum():
        return 0.0
    none, one = values[:2]
    # (the median of parts of the frame: galaxies fill some of them)
    parts = [np.ix_(*pair) for pair in itertools.product(*(
        np.array_split(np.arange(n), min(_PARTS, n)) for n in data.shape))]
    n_none, n_one, n = np.array([
        [np.count_nonzero(plane[part] & good[part]) for part in parts]
        for plane in (data == none, data == one, good)])
    known = n_none > 0
    light = n_one[known] / n_none[known]
    calm = light <= np.median(light)
    more = (n - n_none - n_one)[known][calm].sum()
    if more > n_one[known][calm].sum():
        # (single pixels that are bright)
        return 0.0
    return float((one - none) * np.sqrt(np.median(light)))


def _block_sigmas(data, mask, side):
    """
    Standard deviations about a plane in blocks, and their relative errors.
    """
    ny, nx = (n // side for n in data.shape)
    if ny == 0 or nx == 0:
        return np.array([]), np.array([])
    # the blocks are centred, what remains at the edges is left out
    y0, x0 = ((n - n // side * side) // 2 for n in data.shape)

    def blocks(array):
        part = array[y0:y0 + ny * side, x0:x0 + nx * side]
        part = part.reshape(ny, side, nx, side).swapaxes(1, 2)
        return part.reshape(ny * nx, side * side)

    values, good = blocks(data), ~blocks(mask)
    n_good = np.count_nonzero(good, axis=1)
    enough = n_good >= max(20, side**2 // 4)
    if not np.any(enough):
        return np.array([]), np.array([])
    if not np.all(enough):
        values, good, n_good = values[enough], good[enough], n_good[enough]
    # about the mean of each block, and in units of its largest value,
    # single precision is enough
    hidden = None if n_good.min() == good.shape[1] else ~good
    if hidden is not None:
        values[hidden] = 0
    tiny = 1e-6 * np.maximum(values.max(axis=1), -values.min(axis=1))
    values -= (values.sum(axis=1) / n_good)[:, None]
    if hidden is not None:
        values[hidden] = 0
    scale = np.maximum(values.max(axis=1), -values.min(axis=1))
    scale[scale == 0] = 1
    values /= scale[:, None]
    values = values.astype(np.float32)

    planes = _planes(side)
    used = good.copy()
    spread = None
    # (most blocks come to rest before the others)
    rows = np.arange(len(values))
    for _ in range(4):
        every = len(rows) == len(values)
        part = [values, used, good] if every else [
            plane[rows] for plane in (values, used, good)]
        new, spread = _reject(*part, planes, spread)
        moved = np.any(new != part[1], axis=1)
        if every:
            used = new
        else:
            used[rows] = new
        rows, spread = rows[moved], spread[moved]
        if len(rows) == 0:
            break
    resid, weights = _residuals(values, used, *planes)
    resid *= weights
    n_used = np.count_nonzero(used, axis=1)
    sigma = scale * np.sqrt(np.einsum('bn,bn->b', resid, resid)
                            / np.maximum(n_used - 3, 1))
    # smaller are rounding errors of the plane through a constant
    sigma = np.where(sigma > tiny, sigma / _CUT_STD, 0)
    return sigma, 1 / np.sqrt(2 * n_used)


@lru_cache(maxsize=32)
def _planes(side):
    """
    Make the basis of planes in blocks, and the products of all its pairs.
    """
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    basis = np.array([np.ones(side * side, np.float32), np.tile(ramp, side),
                      np.repeat(ramp, side)])
    return basis, (basis[:, None] * basis).reshape(len(basis)**2, -1)


def _reject(values, used, good, planes, guess=None):
    """
    The pixels of blocks that lie close to a plane through those in use.

    And the spread of those in use, of which a guess saves time.
    """
    resid, _ = _residuals(values, used, *planes)
    away = np.abs(resid)
    within = _AGAIN
    if guess is None:
        # (that of a normal distribution)
        guess, within = _MEAN_TO_STD * away.mean(axis=1), _FIRST
    spread = _MAD_TO_STD * row_medians(
        away, used, guess / _MAD_TO_STD, within=within)
    # (a spread of zero occurs for coarsely rounded values)
    flat = ~(spread > 0)
    if flat.any():
        left = np.where(used[flat], resid[flat], 0)
        spread[flat] = np.sqrt(np.sum(left**2, axis=1)
                               / used[flat].sum(axis=1))
    # (the same as in double precision)
    close = away <= _at_most(_CUT * spread)[:, None]
    flat = spread == 0
    if flat.any():
        close |= flat[:, None]
    close &= good
    return close, spread


def _at_most(values):
    """
    Round to single precision, downwards.
    """
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(
        single, np.float32(-np.inf)), single)


def _residuals(values, used, basis, pairs):
    """
    Subtract planes through the pixels in use, whose weights are 1.
    """
    weights = used.astype(np.float32)
    n = len(basis)
    normal = (weights @ pairs.T).reshape(-1, n, n)
    right = (values * weights) @ basis.T
    # a ridge for blocks whose good pixels lie on a line (the first product
    # is the number of pixels)
    normal[:, range(n), range(n)] += 1e-6 * normal[:, :1, 0]
    plane = np.linalg.solve(normal, right[..., None])[..., 0]
    return values - plane.astype(np.float32) @ basis, weights


def _lowest_group(sigma, error):
    """
    Median of the lowest group of values that agree within their scatter.
    """
    level, usual = quantile(sigma, 0.25), median(error)
    for _ in range(20):
        # Correlated noise scatters more than its number of pixels says:
        # the scatter below the level tells how much.
        below = sigma[sigma <= level]
        scatter = np.sqrt(np.mean((below / level - 1)**2))
        width = max(usual, scatter)
        group = sigma[np.abs(sigma / level - 1) <= 3 * width]
        new = median(group)
        # (numpy.isclose would take all small numbers as equal)
        if abs(new - level) <= 1e-4 * level:
            break
        level = new
    return float(level)


def _lower_side(values):
    """
    Standard deviation from the values below the mode, for small images.
    """
    if values.size < 2:
        return 0.0
    values = np.sort(values)
    # the mode as the middle of the shortest half of the values
    half = max(values.size // 2, 1)
    widths = values[half:] - values[:values.size - half]
    first = int(np.argmin(widths))
    mode = np.median(values[first:first + half + 1])
    below = values[values <= mode]
    return float(_MAD_TO_STD * np.median(mode - below))


def _smoothed(image, good):
    """
    Average the good pixels of small boxes around each.
    """
    number = uniform_filter(good.astype(np.float32), _BOX)
    total = uniform_filter(np.where(good, image, 0).astype(np.float32), _BOX)
    return total / np.maximum(number, 0.5 / _BOX**2)


def _of_light(variance, image, smooth, bright, usual):
    """
    Calculate the variances that pixels of their light have.

    A variance follows from the light of a pixel, which is smooth, or from
    what is observed, or from neither. By the wrong one, weights would follow
    the noise of the pixels, and rings would be too bright or too faint.

    Parameters
    ----------
    variance, image, smooth : 2D `~numpy.ndarray`
        The variances, the image without sky, and its light.

    bright : 2D bool `~numpy.ndarray`
        Bright pixels, most of which noise makes brighter.

    usual : float
        The variance of the sky.

    Returns
    -------
    expected : 2D `~numpy.ndarray` or float
    """
    more = variance[bright] - usual
    middle = float(np.median(more))
    if not middle > 0:
        return usual
    found = []
    for light in (smooth, image):
        # variance per unit of signal
        slope = middle / float(np.median(light[bright]))
        off = float(np.median(np.abs(more - slope * light[bright])))
        found.append((off, slope, light))
    by_light, by_image = found
    off, slope, light = (by_image if by_image[0] < 0.5 * by_light[0]
                         else by_light)
    expected = usual + slope * np.maximum(light, 0.0)
    # (so that of fainter pixels of the galaxy has to follow, too)
    fainter = ~bright & (smooth > 0.2 * np.median(smooth[bright])) & (
        variance < np.inf)
    if not 0 < slope < np.inf or off > _FOLLOWS * middle or (
            fainter.sum() >= 16 and np.median(np.abs(
                variance - expected)[fainter] / variance[fainter]) > _FAINTER):
        return float(np.quantile(variance[bright], 0.25))
    return expected


def noise_weights(noise, image, mask, sigma):
    """
    Calculate pixel weights from the noise relative to like pixels.

    Inverse variances would give the bright side of a ring less weight than
    the faint one, as light has noise of its own. What counts is how much
    noisier a pixel is than others of the same brightness: its depth.

    Parameters
    ----------
    noise : 2D `~numpy.ndarray`
        The standard deviation of each pixel.

    image : 2D `~numpy.ndarray`
        The image without sky.

    mask : 2D bool `~numpy.ndarray`
        Pixels not to use.

    sigma : float
        The noise of a sky pixel.

    Returns
    -------
    weight : 2D `~numpy.ndarray` of float32 or `None`
        From 0 to 1; `None` if all pixels count alike within 10%.
    """
    good = ~mask & np.isfinite(noise) & (noise > 0)
    sky = good & (np.abs(image) < 2 * sigma)
    if sky.sum() < 16:
        return None
    variance = np.where(good, noise, np.inf)**2
    # of the deeper part of the frame
    usual = np.quantile(variance[sky], 0.25)
    expected = usual
    bright = good & (image > 10 * sigma)
    if bright.sum() >= 16:
        expected = np.maximum(usual, _of_light(
            variance, image, _smoothed(image, good), bright, usual))
    weight = np.clip(expected / variance, 0.0, 1.0)
    if np.quantile(weight[good], 0.02) > 0.9:
        return None
    return weight.astype(np.float32)
