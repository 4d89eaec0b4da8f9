# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell whether the galaxy is at one place in the images of several bands.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof.image.astrometry import BrokenWCSError, local_matrix

__all__ = ['find_offset', 'warn_of_offsets']


# Half the sides (pixels) of the area that is compared, and the largest offset;
# the smoothing (pixels) of both images.
_AREA, _SHIFT, _WIDTH = 20, 10, 1.0

# The galaxy must be so many times brighter than the noise of the smoothed
# image, and the two areas, at the offset, as much alike.
_SEEN, _ALIKE = 10.0, 0.9

# The centroid around the peak has to agree within so many pixels, or this part
# of the offset.
_AGREE, _PART = 0.7, 0.3

# An offset (pixels) that no colours of a galaxy make.
_OFF = 1.5


def warn_of_offsets(fits, reference):
    """
    Warn of bands in which the galaxy is not where the reference has it.

    Parameters
    ----------
    fits : dict of `~astro_pix2prof.ProfileFit`
        The fits of the bands, on the same ellipses.

    reference : str
        The band that the others are compared with. If it is none of them,
        the one of the highest signal-to-noise ratio is taken.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If one is off by more than 1.5 pixels.
    """
    if reference not in fits:
        reference = max(fits, key=lambda band: _peak(fits[band]))
    base = fits[reference]
    for band, fit in fits.items():
        if band == reference:
            continue
        offset = find_offset(base, fit)
        if not offset > _OFF:
            continue
        scale = base.cutout.pixel_scale
        size = f'{offset:.1f} pixels' + (
            f' ({offset * scale:.2g} arcsec)' if scale else '')
        warnings.warn(
            f'the galaxy in {band} is {size} from where {reference} has it: '
            'their colours are wrong, unless another object is seen in one '
            'band only. Correct the coordinates (the WCS) of one of the '
            'images, or measure each by itself',
            AstropyUserWarning, stacklevel=4)


def _peak(fit):
    """
    Calculate the largest intensity over the noise.
    """
    noise = fit.cutout.background_noise
    return np.nanmax(fit.intensity, initial=0.0) / noise if noise > 0 else 0.0


def find_offset(one, two):
    """
    Measure how far a galaxy is from where another band has it.

    The image of the one is moved until it is most like the other, and the
    centroids of both peaks are compared. Only an offset that both ways show
    is one of the coordinates: young stars and dust move the peak of a galaxy
    in a band, and not all of its light.

    Parameters
    ----------
    one, two : `~astro_pix2prof.ProfileFit`
        Fits of the galaxy in two bands, with their centres at one place on
        the sky.

    Returns
    -------
    offset : float
        The distance in pixels of ``one``; 0 where it is not known.
    """
    first = _sample(one, np.eye(2))
    second = _sample(two, _pixel_ratio(one, two))
    if first is None or second is None:
        return 0.0
    half = len(first) // 2
    inner = np.s_[half - _AREA:half + _AREA + 1,
                  half - _AREA:half + _AREA + 1]
    moved, alike = _best_shift(first[inner], second)
    if not alike > _ALIKE:
        return 0.0
    centres = [_centroid(image) for image in (first, second)]
    if None in centres:
        return 0.0
    apart = np.subtract(centres[1], centres[0])
    offset = float(np.hypot(*moved))
    if np.hypot(*(apart - moved)) > max(_AGREE, _PART * offset):
        return 0.0
    return min(offset, float(np.hypot(*apart)))


def _pixel_ratio(one, two):
    """
    Calculate the step in pixels of another image for one in the first.
    """
    if one.cutout.wcs is None or two.cutout.wcs is None:
        return np.eye(2)
    try:
        first, second = (local_matrix(fit.cutout.wcs, *fit.centre)
                         for fit in (one, two))
    except BrokenWCSError:
        return np.eye(2)
    return np.linalg.solve(second, first)


def _sample(fit, matrix):
    """
    Interpolate the image around the centre; `None` if it is faint.
    """
    size = _AREA + _SHIFT
    step = np.arange(-size, size + 1)
    dx, dy = np.meshgrid(step, step)
    (xx, xy), (yx, yy) = matrix
    at = [fit.centre[1] + yx * dx + yy * dy,
          fit.centre[0] + xx * dx + xy * dy]
    bad = fit.cutout.mask
    y, x = (np.clip(np.round(part).astype(int), 0, n - 1)
            for part, n in zip(at, bad.shape, strict=True))
    lost = bad[y, x]
    # (a band with a nucleus that is missing tells nothing)
    if lost[np.hypot(dx, dy) <= _SHIFT].any():
        return None
    light = np.where(bad, 0.0, fit.subtracted())
    image = gaussian_filter(map_coordinates(light, at, order=1), _WIDTH)
    noise = fit.cutout.background_noise / (2 * np.sqrt(np.pi) * _WIDTH)
    near = image[_AREA:-_AREA, _AREA:-_AREA]
    return image if near.max() > _SEEN * noise > 0 else None


def _best_shift(area, image):
    """
    Find where an area is most like an image: the shift, and how much.
    """
    n = len(area)
    shape = [next_fast_len(len(image) + n, real=True)] * 2
    area = area - area.mean()

    def correlate(values, kernel):
        product = rfft2(values, shape) * np.conj(rfft2(kernel, shape))
        steps = 2 * _SHIFT + 1
        return irfft2(product, shape)[:steps, :steps]

    ones = np.ones_like(area)
    total = correlate(image, ones)
    square = correlate(image**2, ones) - total**2 / area.size
    alike = correlate(image, area) / np.sqrt(
        np.maximum(square, 1e-12 * square.max()) * (area**2).sum())
    y, x = np.unravel_index(np.argmax(alike), alike.shape)
    return np.array([x, y]) - float(_SHIFT), float(alike[y, x])


def _centroid(image):
    """
    Calculate the centroid around the peak nearest to the middle.
    """
    half = len(image) // 2
    step = np.arange(len(image)) - half
    near = slice(half - _SHIFT, half + _SHIFT + 1)
    y, x = np.unravel_index(np.argmax(image[near, near]),
                            (2 * _SHIFT + 1,) * 2)
    x, y = float(x - _SHIFT), float(y - _SHIFT)
    for _ in range(4):
        weight = np.exp(-0.5 * ((step - x)**2 + (step[:, None] - y)**2)
                        / 4.0) * np.maximum(image, 0)
        total = weight.sum()
        if not total > 0:
            return None
        # (the window takes half of the offset away from wide peaks)
        x = x + 1.5 * float((weight.sum(0) * (step - x)).sum() / total)
        y = y + 1.5 * float((weight.sum(1) * (step - y)).sum() / total)
        if max(abs(x), abs(y)) > _SHIFT + 2:
            return None
    return x, y
