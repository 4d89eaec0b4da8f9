# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Compare a gain and a PSF that were given with the pixels of the image.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import label, median_filter

__all__ = ['warn_contradictions']


# Pixels above so many times the noise show photons of a galaxy, if there are
# so many of them, each of which is compared with those at this distance: the
# noise of nearer ones may be correlated.
_BRIGHT, _ENOUGH, _APART = 5.0, 50, 2

# Photon noise that is so many times as large as the median difference of these
# pixels cannot be. (Noise smoothed with a Gaussian of an FWHM of three pixels
# is less by 4.5, and what else differs from pixel to pixel adds.)
_EXCESS = 10.0

# The median of the absolute values of a normal distribution.
_MEDIAN = 0.6745


# Wide PSFs (pixels) are compared with the brightest object near the galaxy, of
# which cosmic rays are filtered out by medians of so many pixels and which is
# so many times as bright as the noise. No image of an object has a width of
# less than this part of that of the PSF.
_WIDE, _FILTER, _SEEN, _NARROW = 8.0, 5, 20.0, 0.5

# It is looked for up to so many FWHM from the position, and up to so many
# pixels; this part of the pixels within half an FWHM of it are known.
_NEAR, _FARTHEST, _KNOWN = 2.0, 300, 0.9


def warn_contradictions(cutout, *, gain=None, psf_fwhm=None, **_):
    """
    Warn of a gain or a PSF that the image itself contradicts.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image, with its gain and PSF.

    gain, psf_fwhm : optional
        What was given; `None` is not looked at.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the photon noise that follows from the gain is much larger than
        that which the bright pixels have; or if the FWHM of the PSF is
        larger than half of the frame, or twice that of an object.
    """
    if gain is not None:
        excess = photon_excess(cutout)
        if excess > _EXCESS:
            warnings.warn(
                f'gain={cutout.gain / cutout._data_scale:.4g} electrons per '
                f'data unit means photon noise of {excess:.2g} times the '
                'differences between bright pixels, and errors that are as '
                'much too large: give electrons per data unit, or no gain',
                AstropyUserWarning, stacklevel=3)
    if psf_fwhm is None:
        return
    fwhm, (ny, nx) = cutout.psf_fwhm / cutout.radius_scale, cutout.shape
    if fwhm > 0.5 * max(nx, ny):
        why = f'more than half of the frame of {nx} x {ny}'
    else:
        width = object_width(cutout, fwhm) if fwhm > _WIDE else np.inf
        why = f'but the brightest object near the galaxy has {width:.2g}'
        if width > _NARROW * fwhm:
            return
    warnings.warn(
        f'psf_fwhm={cutout.psf_fwhm:.4g} is {fwhm:.4g} pixels, {why}: give '
        'arcsec, or pixels as psf_fwhm=3 * u.pix', AstropyUserWarning,
        stacklevel=3)


def object_width(cutout, fwhm):
    """
    Measure the width of the brightest object near the galaxy.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    fwhm : float
        The FWHM (pixels) that it has at least.

    Returns
    -------
    width : float
        The diameter (pixels) of a circle of the area above half of its peak;
        infinite where none is seen.
    """
    noise = cutout.background_noise
    if not noise > 0:
        return np.inf
    half = int(min(_NEAR * fwhm, _FARTHEST)) + 1
    x, y = (max(round(c), 0) for c in cutout.position)
    part = np.s_[max(y - half, 0):y + half + 1, max(x - half, 0):x + half + 1]
    sky = np.median(cutout.data[~cutout.mask])
    good = ~cutout.mask[part]
    light = median_filter(np.where(good, cutout.data[part] - sky, 0.0),
                          _FILTER)
    peak = np.unravel_index(np.argmax(light), light.shape)
    if not light[peak] > _SEEN * noise:
        return np.inf
    rows, columns = np.indices(light.shape)
    around = np.hypot(rows - peak[0], columns - peak[1]) < 0.5 * fwhm
    if np.mean(good[around]) < _KNOWN:
        return np.inf
    labels, _ = label(light > 0.5 * light[peak])
    area = np.count_nonzero(labels == labels[peak])
    return float(2 * np.sqrt(area / np.pi))


def photon_excess(cutout):
    """
    Calculate the photon noise of bright pixels in units of the one they have.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image, with a gain.

    Returns
    -------
    excess : float
        The ratio; 0 where it is not known, as in images without noise. The
        shape of the galaxy and other noise only make it smaller.
    """
    noise = cutout.background_noise
    if not noise > 0:
        return 0.0
    data, good = cutout.data, ~cutout.mask
    light = data - np.median(data[good])
    bright = good & (light > _BRIGHT * noise)
    # (the middle of three in a row, without a slope)
    here, before, after = (np.s_[:, _APART:-_APART], np.s_[:, :-2 * _APART],
                           np.s_[:, 2 * _APART:])
    use = bright[here] & good[before] & good[after]
    if np.count_nonzero(use) < _ENOUGH:
        return 0.0
    change = np.abs(data[here] - 0.5 * (data[before] + data[after]))[use]
    expected = np.sqrt(1.5 * light[here][use].astype(float) / cutout.gain)
    # (full wells have no noise)
    some = change > 0
    if np.count_nonzero(some) < _ENOUGH:
        return 0.0
    return float(_MEDIAN / np.median(change[some] / expected[some]))
