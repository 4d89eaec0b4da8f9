# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The part of a frame that the fit of a galaxy looks at.
"""

import numpy as np

from astro_pix2prof.background.level import first_sky

__all__ = ['frame_window', 'sample_sky']


# Frames of at most so many pixels are looked at as a whole for their sky;
# of larger ones blocks of so many pixels a side, spread over the frame.
WHOLE, BLOCK = 1_200_000, 128


def frame_window(shape, position, half):
    """
    Window around a position, cut at the edges of the frame.

    Parameters
    ----------
    shape : tuple of 2 ints
        The shape (ny, nx) of the frame.

    position : tuple of 2 floats
        The position (x, y) in pixels.

    half : float
        Half the side of the window in pixels.

    Returns
    -------
    rows, columns : slice
        The window. A frame that is hardly larger is taken as a whole.
    """
    if max(shape) <= 2.5 * half:
        return slice(0, shape[0]), slice(0, shape[1])
    parts = []
    for n, middle in zip(shape, position[::-1], strict=True):
        first = int(np.clip(round(middle - half), 0, n - 1))
        last = int(np.clip(round(middle + half) + 1, first + 1, n))
        parts.append(slice(first, last))
    return tuple(parts)


def sample_sky(data, bad):
    """
    First sky level and noise of a frame of any size and kind.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The image.

    bad : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels to leave out.

    Returns
    -------
    level, sigma : float
        Sky level and noise of a pixel, in the image's unit. The noise is
        positive: where most pixels are equal, as in coarse integers and
        sparse counts, it is the standard deviation of the fainter ones.
    """
    if data.size > WHOLE:
        step = int(np.ceil(np.sqrt(data.size / WHOLE)))
        rows, columns = (
            np.concatenate([np.arange(k, min(k + BLOCK, n))
                            for k in range(0, n, BLOCK * step)])
            for n in data.shape)
        part = np.ix_(rows, columns)
        if (~bad[part]).mean() > 0.2:
            data, bad = data[part], bad[part]
    values = data[~bad]
    # In units of the image itself: squares of tiny fluxes vanish, those of
    # large ones overflow.
    zero = float(np.median(values))
    scale = float(np.abs(values - zero).max())
    if not (np.isfinite(scale) and scale > 0):
        return zero, max(abs(zero) * 1e-6, np.finfo(float).tiny ** 0.25)
    with np.errstate(invalid='ignore', over='ignore'):
        scaled = np.where(bad, 0.0, (data - zero) / scale)
        level, sigma = first_sky(scaled, bad)
    if not (np.isfinite(level) and np.isfinite(sigma) and sigma > 1e-9):
        level, sigma = _equal_pixels(scaled[~bad])
    return zero + scale * level, scale * sigma


def _equal_pixels(values):
    """
    Mean and scatter of pixels most of which are equal.
    """
    part = values
    for _ in range(10):
        mean, scatter = part.mean(), part.std()
        kept = part[np.abs(part - np.median(part)) <= 5 * scatter]
        if len(kept) == len(part) or kept.std() == 0:
            break
        part = kept
    return float(mean), float(max(scatter, 1e-6))
