# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Centres and errors of galaxies that are hardly brighter than the noise.
"""

import numpy as np

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.profile.brightness import magnitude_error
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['settle_faint_rings']


# The width of the annulus that a ring stands for: a part of its semi-major
# axis, and at least so many pixels.
_PART, _LEAST_WIDTH = 0.2, 1.0

# A centre within so many pixels, narrower than any PSF, that is fainter than
# so many times the noise of a pixel and than the rings around it by less than
# so many times the noise of its annulus is not fainter than they are. These
# rings are seen by as much.
_CORE, _FAINT, _SIGNIFICANT = 2.2, 6.0, 3.0

# The error of a centre that was raised, as a part of what was added.
_RAISED = 0.3

# The error of a ring within so many pixels of the centre (farther out, readers
# see to it) is at least this part of the noise of its annulus, which fades
# where it is brighter than so many times the noise of a pixel: there, its
# neighbours tell much of what it is, as stated errors say.
_NEAR, _OWN, _BRIGHT, _FADE = 12.0, 0.7, 5.0, 4


# Centre and ellipses of a galaxy whose brightest ring is so many times the
# noise of a pixel follow this noise: it is measured too bright, and errors of
# rings grow by the square of this over the brightness as a part of themselves,
# less beyond so many pixels, where a ring has many of them. Not those of
# galaxies that are brighter than so many times the noise.
_FOLLOWS, _FEW, _SURE = 1.6, 12.0, 16.0


def settle_faint_rings(rings):
    """
    Fill in dips of noise at faint centres, and hold errors to the pixels.

    The first rings of a profile share a handful of pixels. Where a galaxy is
    only a few times brighter there than the noise of a pixel, a network takes
    a dip of these for one of the galaxy, and is as sure as if it had averaged
    over the rings around. A galaxy is not fainter at its centre than half
    the width of a PSF from there.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings at the radii of the network; their intensities and errors
        are changed.
    """
    if not np.isfinite(rings.intensity).all() or not rings.noise > 0:
        return
    noise = _annulus_noise(rings)
    value, error = _without_dip(rings, noise)
    bright = np.maximum(value, 0.0) / (_BRIGHT * rings.noise)
    error = np.fmax(error, np.where(
        rings.sma < _NEAR, _OWN * noise / (1 + bright**_FADE), 0.0))
    if not rings.galaxy_flag & GalaxyFlag.FORCED:
        error = error * _followed(rings.sma, value.max() / rings.noise)
    changed = (value != rings.intensity) | (error > rings.intensity_err)
    rings.intensity = value
    rings.intensity_err = np.where(changed, error, rings.intensity_err)
    rings.sb_err = np.where(changed, magnitude_error(value, error),
                            rings.sb_err)


def _followed(sma, peak):
    """
    Compute the factor of the errors of a galaxy whose noise was followed.
    """
    more = (_FOLLOWS / max(peak, 1.0))**2 - (_FOLLOWS / _SURE)**2
    return 1 + max(more, 0.0) / (1 + (sma / _FEW)**4)


def _annulus_noise(rings):
    """
    Calculate the noise of the means over the annuli of rings.
    """
    width = np.maximum(_PART * rings.sma, _LEAST_WIDTH)
    outer, inner = (np.maximum(rings.sma + half * width, 0.0)
                    for half in (0.5, -0.5))
    n_pixels = np.maximum(np.pi * (1 - rings.eps) * (outer**2 - inner**2)
                          * np.nan_to_num(rings.n_valid), 1.0)
    factor = ring_correlation(rings.noise_correlation, width)
    return factor * rings.noise / np.sqrt(n_pixels)


def _without_dip(rings, noise):
    """
    Raise the centre to the rings around it: intensities and errors.
    """
    value, error = rings.intensity.copy(), rings.intensity_err.copy()
    core = np.flatnonzero(rings.sma < _CORE)
    if not (value[core] < _FAINT * rings.noise).any():
        return value, error
    # the brightest ring from each one on
    highest = np.array([k + np.argmax(value[k:core[-1] + 1]) for k in core],
                       dtype=int)
    top = rings.intensity[highest]
    raised = top - value[core]
    dips = (raised > 0) & (raised < _SIGNIFICANT * noise[core]) & (
        top < _FAINT * rings.noise) & (top > _SIGNIFICANT * noise[highest])
    value[core] = np.where(dips, top, value[core])
    error[core] = np.where(dips, np.hypot(
        np.fmax(error[core], error[highest]), _RAISED * raised), error[core])
    return value, error
