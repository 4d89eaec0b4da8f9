# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Quick checks of an image against what its profile takes for granted.

They are sums over few pixels, or of the rings, and know of no network.
"""

import numpy as np

__all__ = ['is_point_source', 'noise_in_cells', 'noise_is_wrong']

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

# A point source: the radii of a tenth and of three hundredths of the peak,
# over that of half of it; the largest such (pixels, or the part of a known
# FWHM); ellipticity; signal-to-noise ratio of the peak. An exponential has
# 3.3 and 5.1, Moffat profiles have 1.9 to 2.2 and 2.5 to 3.3.
_TENTH, _FAINT, _SIZE, _PART, _ROUND, _PEAK = 2.3, 3.3, 4.0, 0.65, 0.15, 20.0


def is_point_source(sma, intensity, eps, sigma, *, fwhm=None):
    """
    Whether a profile is that of a point-spread function.

    Galaxies more compact than the point-spread function count as such:
    nothing of them is resolved.

    Parameters
    ----------
    sma : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, from the centre on.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        Mean pixel values.

    eps : 1D `~numpy.ndarray`, shape (n,)
        Ellipticities.

    sigma : float
        The noise of a sky pixel, in the unit of the intensity.

    fwhm : float, optional
        The width of the point-spread function in pixels, if known.

    Returns
    -------
    is_point : bool
        `False` where the peak is below 20 times the noise: it does not
        tell.
    """
    peak = intensity[0]
    if not peak > _PEAK * sigma:
        return False
    radius = sma * np.sqrt(1 - eps)
    # what rises again is another object
    level = np.log(np.maximum(np.minimum.accumulate(intensity), 1e-9 * peak)
                   / peak)
    wanted = np.log([0.5, 0.1, 0.03])
    if level[-1] > wanted[-1]:
        return False
    half, tenth, faint = np.interp(-wanted, -level, radius)
    size = _SIZE if not fwhm else _PART * fwhm
    core = eps[(radius > half) & (radius < 1.2 * tenth)]
    return bool(half < size and tenth < _TENTH * half
                and faint < _FAINT * half
                and np.mean(core) < _ROUND if len(core) else False)


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
    y = np.linspace(0, ny - 2, _CELLS * _ROWS).astype(int)
    step = max(nx // (_CELLS * _COLUMNS), 1)
    x = np.arange(0, nx - 1, step)
    first = np.linspace(0, len(x), _CELLS, endpoint=False).astype(int)
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
    most = _ROWS * np.diff(np.append(first, len(x))).astype(float)
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


def noise_is_wrong(image, mask, noise):
    """
    Whether errors that follow from the noise cannot hold.

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
    ratio = noise_in_cells(image, mask, noise)
    if ratio is None or np.isfinite(ratio).mean() < 0.25:
        return False
    if min(_quantile(part, 0.5) for part in ratio) < _CORRELATED:
        return True
    both = ratio.mean(0)
    if _quantile(both, 0.1) > _UNDERSTATED:
        return True
    half = _CELLS // 2
    parts = both.reshape(2, half, 2, half).swapaxes(1, 2).reshape(4, -1)
    calm = [_quantile(part, 0.25) for part in parts
            if np.isfinite(part).mean() > 0.25]
    return len(calm) > 1 and max(calm) > _UNEVEN * min(calm)


def _quantile(values, at):
    """
    A quantile of those that are known (faster than numpy.nanquantile).
    """
    values = np.sort(values[np.isfinite(values)])
    return float(values[int(at * (len(values) - 1) + 0.5)])
