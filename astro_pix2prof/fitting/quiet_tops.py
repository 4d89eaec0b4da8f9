# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Recognise cores that were cut off at a level not far above the noise.
"""

import numpy as np

from astro_pix2prof.background.strips import sky_boxes

__all__ = ['find_quiet_top']


# Half the side (pixels) of the box around the nucleus, and numbers of pixels
# nearest to it that are tried; they vary by less than this part of the
# variance of the sky in small boxes, which happens by chance in one of 10^6
# cores (of 21 pixels; a quantile of chi square).
_HALF = 6
_LEAST = ((21, 0.12), (37, 0.22), (69, 0.36))

# They are brighter than so many times the noise, and are not rounded to more
# than this part of it.
_HEIGHT, _ROUNDED = 3.0, 0.2

# They vary about their mean by no more than this factor of what they do about
# a parabola.
_FLAT = 1.6

# The sky is measured in this window (pixels) around the galaxy, on at least so
# many boxes; its noise may be less so many pixels around the nucleus.
_WINDOW, _BOXES, _NEAR = 256, 50, 64


def find_quiet_top(data, mask, rings):
    """
    Find a core whose pixels have less noise than the sky.

    Light has noise of its own: that of bright pixels is at least that of the
    sky. Pixels above a limit that were replaced by it have none, or what was
    added later.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The pixels.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels not to use.

    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings of the galaxy.

    Returns
    -------
    full : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        Pixels of the core; `None` if it is as noisy as others.
    """
    x, y = (round(c) for c in rings.centre)
    ny, nx = data.shape
    noise = rings.noise
    if not (_HALF <= x < nx - _HALF and _HALF <= y < ny - _HALF and noise > 0):
        return None
    box = np.s_[y - _HALF:y + _HALF + 1, x - _HALF:x + _HALF + 1]
    apart = np.arange(-_HALF, _HALF + 1)
    order = np.argsort((apart**2 + apart[:, None]**2).ravel(), kind='stable')
    order = order[~mask[box].ravel()[order]]
    # (mosaics may be deeper at the galaxy than elsewhere)
    level = rings.cutout.noise
    level = np.full(data.shape, noise) if level is None else np.minimum(
        level, noise)
    values = (data[box].ravel()[order].astype(float)
              - rings.sky) / level[box].ravel()[order]
    usual, found = None, None
    for number, part in _LEAST:
        some = values[:number]
        if len(some) < number or not some.mean() > _HEIGHT:
            break
        if some.var() > part:
            continue
        if usual is None:
            usual = _usual_variance((data.astype(float) - rings.sky) / level,
                                    mask, (x, y))
            steps = np.diff(np.unique(values))
            if not steps.size or steps.min() > _ROUNDED:
                return None
        # (light that was compressed has little noise, and a slope)
        if some.var() < part * usual and (
                some.var() < _FLAT * _about_parabola(some, order[:number])):
            found = order[:number]
    if found is None:
        return None
    full = np.zeros(data.shape, dtype=bool)
    core = np.zeros(len(apart)**2, dtype=bool)
    core[found] = True
    full[box] = core.reshape(len(apart), -1)
    return full


def _about_parabola(values, index):
    """
    Calculate the variance of pixels of the box about a parabola.
    """
    y, x = np.divmod(index, 2 * _HALF + 1)
    x, y = x / _HALF - 1, y / _HALF - 1
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    left = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    return left @ left / (len(values) - terms.shape[1])


def _usual_variance(values, mask, centre):
    """
    Measure the variance of the sky about means of boxes, in units of noise.

    It is that around the galaxy where it is less there.
    """
    variance = []
    for half in (_WINDOW // 2, _NEAR):
        part = tuple(slice(max(c - half, 0), c + half) for c in centre[::-1])
        _, within, sky, _ = sky_boxes(values[part], mask[part], 1.0)
        if np.count_nonzero(sky) >= _BOXES:
            variance.append(float(np.median(within[sky])))
    return min(variance, default=0.0)
