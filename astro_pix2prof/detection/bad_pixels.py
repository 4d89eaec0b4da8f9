# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Bad pixels in the core of a galaxy: cosmic rays and dead pixels.
"""

import numpy as np
from scipy.ndimage import binary_dilation, label

from astro_pix2prof.detection.local_noise import FAR, local_noise
from astro_pix2prof.detection.tracks import find_tracks

__all__ = ['find_bad_pixels']


# A peak is a pixel that exceeds its eight neighbours by this factor, and the
# noise by so many times.
_PEAK, _HEIGHT = 1.4, 10.0

# The logarithm of a peak exceeds that which its neighbours predict by less
# than this: the larger, the less the light around it falls off as that of a
# Gaussian does. The largest seen in simulated nuclei and point sources of 1.2
# pixels FWHM or more is 0.1 for the first number, with that slope.
_EXCESS, _SLOPE = 0.25, 1.5

# Where the light falls off so much more slowly, or differs by more than so
# much between two axes, it may come from a cusp that no PSF has smoothed:
# these have less than so much, and so many times the decline.
_CUSP, _UNEVEN, _CUSP_EXCESS, _CUSP_SLOPE = 1.15, 0.5, 0.45, 2.5

# Errors by which the excess has to be larger.
_SURE = 5.0

# Dead pixels are below so many times the noise, and all pixels around them
# above so many times; so many are connected at most. They are darker than
# those by so many errors, photon noise included: without a gain, so many
# photons make a count of the size of the noise at least.
_DARK, _LIT, _MOST, _DEEP, _PHOTONS = 3.0, 12.0, 9, 6.0, 2.0

# The logarithm of a hole is lower than predicted by more than this; next to
# simulated point sources of 1.2 pixels FWHM it is by 0.55 at most.
_DIM = 0.9

# The pixels beside the middle of five by five, those at its corners, those
# two away, and all of them; and all but the middle of three by three.
_BESIDE = (np.array([1, 2, 2, 3]), np.array([2, 1, 3, 2]))
_CORNERS = (np.array([1, 1, 3, 3]), np.array([1, 3, 1, 3]))
_TWO = (np.array([0, 2, 2, 4]), np.array([2, 0, 4, 2]))
_ALL = tuple(np.concatenate(part) for part in zip(
    _BESIDE, _CORNERS, _TWO, strict=True))
_EIGHT = np.array([0, 1, 2, 3, 5, 6, 7, 8])


def find_bad_pixels(data, mask, position, sigma, *, sky=0.0, reach=25,
                    gain=None):
    """
    Find pixels that are too bright or too dark for a galaxy.

    The logarithm of a Gaussian, of any width and wherever its centre, is a
    parabola: its value at a pixel follows from the eight pixels around. That
    of a nucleus or point source behind a PSF of 1.2 pixels FWHM or more is
    close to that, and the closer, the more the pixels farther out fall off
    as a Gaussian does. A cosmic ray or a hot or dead pixel is not. Rays that
    hit several pixels side by side are those of
    `~astro_pix2prof.detection.tracks.find_tracks`.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`, shape (ny, nx)
        The image.

    mask : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels that are known to be bad.

    position : tuple of 2 floats
        Where (x, y) the galaxy is expected, in pixels.

    sigma : float
        The noise of a sky pixel.

    sky : float, optional
        The sky level.

    reach : float, optional
        The distance (pixels) along rows and columns from the position within
        which bad pixels are looked for.

    gain : float, optional
        Photons per unit of the image.

    Returns
    -------
    found : 2D bool `~numpy.ndarray`, shape (ny, nx), or `None`
        The bad pixels; `None` if there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_pix2prof.detection.bad_pixels import find_bad_pixels
    >>> y, x = np.mgrid[:41, :41]
    >>> galaxy = 100 * np.exp(-((x - 20)**2 + (y - 20)**2) / 18)
    >>> galaxy[21, 20], galaxy[19, 18] = 400, 0
    >>> none = np.zeros(galaxy.shape, bool)
    >>> np.argwhere(find_bad_pixels(galaxy, none, (20, 20), 1.0)).tolist()
    [[19, 18], [21, 20]]
    """
    ny, nx = data.shape
    x, y = (round(c) for c in position)
    half = int(np.ceil(reach)) + FAR
    box = np.s_[max(y - half, 0):max(min(y + half + 1, ny), 0),
                max(x - half, 0):max(min(x + half + 1, nx), 0)]
    values = data[box] - sky
    if min(values.shape) < 2 * FAR + 1 or not sigma > 0:
        return None
    values = np.where(mask[box], np.nan, values)
    bad = _find_dead(values, sigma, gain) | _find_sharp(values, sigma, gain)
    values[bad] = np.nan
    bad |= find_tracks(values, sigma, gain=gain)
    if not bad.any():
        return None
    found = np.zeros(data.shape, dtype=bool)
    found[box] = bad
    return found


def _find_sharp(values, sigma, gain):
    """
    Find pixels that the eight pixels around each do not allow.
    """
    bad = np.zeros(values.shape, dtype=bool)
    inner = values[2:-2, 2:-2]
    # (a quick look along rows; comparisons with missing pixels are false)
    left, right = values[2:-2, 1:-3], values[2:-2, 3:-1]
    scaled = _PEAK * inner
    peaks = (inner > _HEIGHT * sigma) & (inner > _PEAK * left) & (
        inner > _PEAK * right)
    holes = (left > _LIT * sigma) & (left > scaled) & (right > scaled)
    for y, x in np.argwhere(peaks | holes) + 2:
        around = values[y - 1:y + 2, x - 1:x + 2].ravel()[_EIGHT]
        value = values[y, x]
        if value > _PEAK * around.max() or around.min() > max(
                _PEAK * value, _LIT * sigma):
            bad[y, x] = _is_bad(values, y, x, sigma, gain)
    return bad


def _is_bad(values, y, x, sigma, gain):
    """
    Tell whether a pixel is brighter or darker than those around it allow.
    """
    near = values[y - 2:y + 3, x - 2:x + 3]
    if not np.isfinite(near[_ALL]).all():
        return False
    noise = local_noise(values, y, x, sigma)
    if gain:
        noise = max(noise, np.sqrt(sigma**2 + max(
            near[_BESIDE].mean(), 0.0) / gain))
    log = np.log(np.maximum(near, noise))
    beside, corners, two = log[_BESIDE], log[_CORNERS], log[_TWO]
    predicted = 0.5 * beside.sum() - 0.25 * corners.sum()
    error = noise * np.sqrt(np.exp(-2 * predicted)
                            + 0.25 * np.exp(-2 * beside).sum()
                            + 0.0625 * np.exp(-2 * corners).sum())
    excess = log[2, 2] - predicted
    if excess < 0:
        return excess < -_DIM - _SURE * error
    fall, farther = (beside.mean() - other.mean() for other in (corners, two))
    need = _EXCESS + _SLOPE * max(3 * fall - farther, 0.0)
    uneven = max(abs(part[[0, 3]].mean() - part[[1, 2]].mean())
                 for part in (beside, corners))
    if 3 * fall > _CUSP * farther or uneven > _UNEVEN:
        need = max(need, _CUSP_EXCESS + _CUSP_SLOPE * fall)
    return excess > need + _SURE * error


def _find_dead(values, sigma, gain):
    """
    Find a few connected pixels without light amid bright ones.
    """
    bad = np.zeros(values.shape, dtype=bool)
    low = values < _DARK * sigma
    # (a quick look: a dark pixel above a bright one)
    beside = low[1:] & (values[:-1] > _LIT * sigma)
    if not beside.any():
        return bad
    groups, _ = label(low, structure=np.ones((3, 3)))
    size = np.bincount(groups.ravel())
    for number in np.unique(groups[1:][beside]):
        if size[number] > _MOST:
            continue
        hole = groups == number
        rim = binary_dilation(hole, structure=np.ones((3, 3))) & ~hole
        inside = np.count_nonzero(hole[2:-2, 2:-2]) == size[number]
        if not (inside and np.isfinite(values[rim]).all()):
            continue
        around = float(np.median(values[rim]))
        noise = max(local_noise(values, *np.argwhere(hole)[0], sigma),
                    np.hypot(sigma, np.sqrt(around / gain if gain else (
                        around * sigma / _PHOTONS))))
        if (values[rim].min() > _LIT * sigma
                and around - values[hole].max() > _DEEP * noise):
            bad |= hole
    return bad
