# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tracks of cosmic rays: lines of a few bright pixels in a galaxy.
"""

import numpy as np
from scipy.ndimage import label, uniform_filter

from astro_pix2prof.detection.local_noise import local_noise

__all__ = ['find_tracks']


# The light on both sides of a track is compared with that beyond its ends, up
# to so many pixels away.
_LONGEST = 6

# The step of the logarithm from a pixel of a track to those beside it, beyond
# that at both ends of the track, exceeds so many times the next step, outward,
# by this: for tracks of two, and of more pixels that touch. A point source of
# 1.2 pixels FWHM has 0.33 in one pixel, one of 1.35 pixels 0.1.
_SLOPE, _EXCESS = 2.0, np.array([np.inf, np.inf, 0.35, 0.12])

# Half of the pixels of a track have this part of the light of the brightest
# at least. Those of a cusp that no PSF has smoothed have less.
_EVEN = 0.4

# Errors that the step has at least, and that the excess may be too large by.
_SURE, _LIKELY = 5.0, 2.0

# A constant level on top, in units of the light of the pixel, makes logarithms
# of faint neighbours less noisy. The limits hold for point sources on any
# level.
_LEVELS = np.array([0.0, 0.1, 0.3])[:, None]

# A quick look passes by pixels of which the logarithm is above the mean of
# those on both sides by less than this, that exceed the noise by less than so
# many times, or are above that mean by less than so many times as usual in
# squares of so many pixels; and then by all but so many.
_CURVE, _HEIGHT, _RISE, _AROUND, _MOST = 0.3, 10.0, 3.0, 9, 40

# Beside pixels below so many times the noise, the scatter of those around
# tells too little of photons. So many make a count of the size of the noise.
_FAINT, _PHOTONS = 10.0, 0.3

# So many pixels along an ellipse, so many away from it in the root mean
# square, are a rim.
_RIM, _ALONG = 12, 0.7

# How many times to look, each time without the pixels found before.
_PASSES = 3

# Pairs of distances to lines on both sides of a pixel, and their weights.
_LEFT, _RIGHT = np.array([(a, b) for a in range(1, _LONGEST + 1)
                          for b in range(1, _LONGEST + 2 - a)]).T
_OF_LEFT = _RIGHT / (_LEFT + _RIGHT)


def find_tracks(values, sigma, *, gain=None):
    """
    Find pixels of tracks that are narrower than light through a telescope.

    A cosmic ray that comes in at an angle leaves a line, a pixel wide. The
    light across it falls off in a single step, unlike that of a star, a thin
    disc, a bar or the nucleus, which a point-spread function has smoothed:
    where it falls by a large factor from one pixel to the next, it does so
    again to the one beyond. The galaxy itself is known from the pixels beyond
    both ends of the line: between these, the steps of the logarithm across
    the line are those of a paraboloid.

    Parameters
    ----------
    values : 2D `~numpy.ndarray`, shape (ny, nx)
        The image without its sky; not-a-number where pixels are bad.

    sigma : float
        The noise of a sky pixel.

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx)
        The pixels of tracks of up to six pixels along a row or column.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.detection.tracks import find_tracks
    >>> y, x = np.mgrid[:41, :41]
    >>> galaxy = 100 * np.exp(-((x - 20)**2 + (y - 20)**2) / 18)
    >>> galaxy[[20, 21, 21], [21, 22, 23]] += 100
    >>> np.argwhere(find_tracks(galaxy, 1.0)).tolist()
    [[20, 21], [21, 22], [21, 23]]
    """
    bad = np.zeros(values.shape, dtype=bool)
    values, light = values.copy(), np.zeros(values.shape)
    for _ in range(_PASSES):
        score = np.full(values.shape, -np.inf)
        for axis in (0, 1):
            part, known, result, above = (
                plane.T if axis else plane
                for plane in (values, bad, score, light))
            for y, x in _candidates(part, sigma):
                near = known[max(y - 1, 0):y + 2,
                             max(x - 1, 0):x + 2].any()
                noise = _noise(part, y, x, sigma, gain, faint=not near)
                excess, step = _excess(part, y, x, noise)
                if excess > result[y, x]:
                    result[y, x] = excess
                    above[y, x] = part[y, x] * -np.expm1(-step)
        new = _in_tracks(score, light, bad)
        if not new.any():
            break
        bad |= new
        values[new] = np.nan
    return np.zeros_like(bad) if _is_rim(bad) else bad


def _is_rim(bad):
    """
    Tell whether pixels lie along an ellipse, as the rim of a crater does.

    The core of a saturated galaxy may have other values within.
    """
    y, x = np.nonzero(bad)
    if len(x) < _RIM:
        return False
    y, x = (place - place.mean() for place in (y, x))
    # (x^2 = a + b x + c y + d x y + e y^2)
    terms = np.stack([np.ones(len(x)), x, y, x * y, y**2], axis=1)
    _, b, c, d, e = found = np.linalg.lstsq(terms, x**2, rcond=None)[0]
    if not -4 * e > d**2:
        return False
    away = np.abs(x**2 - terms @ found) / np.maximum(np.hypot(
        2 * x - b - d * y, c + d * x + 2 * e * y), 1.0)
    return bool(np.sqrt(np.mean(away**2)) < _ALONG)


def _in_tracks(score, light, bad):
    """
    Choose pixels that touch enough others that have about the same light.
    """
    close = score > _EXCESS[-1]
    which, number = label(bad | close, np.ones((3, 3)))
    need = np.full(number + 1, np.inf)
    for k in np.unique(which[close]):
        part = np.sort(light[which == k])[::-1]
        if part[len(part) // 2] >= _EVEN * part[0]:
            need[k] = _EXCESS[min(len(part), len(_EXCESS) - 1)]
    return score > need[which]


# (comparisons with missing pixels are false)
@np.errstate(invalid='ignore')
def _candidates(values, sigma):
    """
    List pixels that are much brighter than those above and below.
    """
    inner, above, below = values[2:-2], values[1:-3], values[3:-1]
    rise = inner - 0.5 * (above + below)
    look = (inner > _HEIGHT * sigma) & (rise > 0)
    # (the mean of logarithms is that of the product)
    look &= inner**2 > np.exp(2 * _CURVE) * (
        np.maximum(above, sigma) * np.maximum(below, sigma))
    if not look.any():
        return []
    look &= rise > _RISE * uniform_filter(
        np.nan_to_num(np.abs(rise)), _AROUND)
    places = np.argwhere(look)
    if len(places) > _MOST:
        places = places[np.argsort(rise[look])[-_MOST:]]
    return places + (2, 0)


def _noise(values, y, x, sigma, gain, *, faint):
    """
    Estimate the noise at a pixel, were it not hit.
    """
    noise = local_noise(values, y, x, sigma)
    light = np.fmax(np.fmin(values[y - 1, x], values[y + 1, x]), 0.0)
    if gain:
        noise = max(noise, np.sqrt(sigma**2 + light / gain))
    elif faint and light < _FAINT * sigma:
        noise = max(noise, np.sqrt(sigma**2 + light * sigma / _PHOTONS))
    return noise


def _excess(values, y, x, noise):
    """
    Calculate how much steeper a pixel is than what is above and below.

    At least, compared with the columns on both sides that show it best; and
    the step of the logarithm there.
    """
    block = np.full((5, 2 * _LONGEST + 1), np.nan)
    part = values[y - 2:y + 3, max(x - _LONGEST, 0):x + _LONGEST + 1]
    start = max(_LONGEST - x, 0)
    block[:, start:start + part.shape[1]] = part
    block = np.maximum(block[:, None] + _LEVELS * values[y, x], noise)
    log, variance = (
        part[..., _LONGEST, None] + weight[0] * part[..., _LONGEST - _LEFT]
        + weight[1] * part[..., _LONGEST + _RIGHT]
        for part, weight in (
            (np.log(block), (-_OF_LEFT, _OF_LEFT - 1)),
            ((noise / block)**2, (_OF_LEFT**2, (1 - _OF_LEFT)**2))))
    steps, least = np.full((2, *log[2].shape), np.inf)
    for one, two in ((1, 0), (3, 4)):
        step, farther = log[2] - log[one], log[one] - log[two]
        error = np.sqrt(variance[2] + (1 + _SLOPE)**2 * variance[one]
                        + _SLOPE**2 * variance[two])
        sure = step > _SURE * np.sqrt(variance[2] + variance[one])
        least = np.minimum(least, np.where(
            sure, step - _SLOPE * np.abs(farther) - _LIKELY * error, -np.inf))
        steps = np.minimum(steps, step)
    least[np.isnan(least)] = -np.inf
    best = np.unravel_index(np.argmax(least), least.shape)
    # (the step without the level; noise may leave less than nothing)
    level = _LEVELS[best[0], 0]
    rest = (1 + level) * np.exp(-steps[best]) - level
    return least[best], -np.log(max(rest, 1e-3))
