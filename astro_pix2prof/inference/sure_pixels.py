# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rings where a galaxy is certain to be otherwise than a network expects.
"""

import numpy as np

from astro_pix2prof.inference.pixel_shares import (
    ADDED_ERROR,
    rest_error,
    significant_share,
)
from astro_pix2prof.profile.brightness import magnitude_error
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag

__all__ = ['follow_sure_pixels']


# What pixels say and is not added is an error, from so many times their noise
# on.
_WITHIN = 0.7

# Rings within so many pixels of the centre share the few pixels there: those
# of rings from there on tell whether the network is right, each for all within
# the second number of pixels.
_FIRST, _NEAR = 0.9, 1.0

# The part of their light by which means of pixels may be wrong within so many
# pixels of the centre; and beyond, over the axis ratio, as of ellipses that
# are a little off. There, the galaxy is so many times the noise of a ring.
_CORE, _OFF, _OFF_ELLIPSE, _CLEAR = 5.0, 0.01, 0.02, 5.0

# The noise of the light of a pixel, as a part of it, where the gain is not
# known: of 1,000 photons.
_PHOTONS = 0.03

# How much light an interpolation misses between the pixels of the centre, as a
# part of the light there: this factor, and power of the part by which it falls
# within a pixel. From there on, it falls by e within each pixel.
_MISSED, _FALL = 0.6, 2.5

# Least usable part of a ring.
_VALID = 0.9


def follow_sure_pixels(rings, means):
    """
    Draw rings to their pixels where these are sure.

    The galaxies that a network knows are brightest at the centre and smooth.
    Where one is darker there, as within a nuclear ring or behind dust, it
    takes the centre for as bright as the rings around it; and it smooths rings
    of the galaxy that are narrower than the steps of its own. It is as sure of
    these as of others.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings at the radii of the network, with their flags; their
        intensities and errors are changed.

    means : record of 1D `~numpy.ndarray`, shape (n,)
        The means of the pixels of these rings, as
        `~astro_pix2prof.inference.radii.pixel_means` returns them.
    """
    if not rings.noise > 0:
        return
    sma, value, error = rings.sma, rings.intensity, rings.intensity_err
    known = (np.minimum(means.valid, rings.n_valid) > _VALID) & (
        (rings.flag & RingFlag.SATURATED) == 0) & np.isfinite(
            means.mean + means.noise + value + error) & (value > np.where(
                sma < _CORE, 0.0, _CLEAR * np.nan_to_num(means.noise)))
    off = np.where(known, means.mean - value, 0.0)
    if rings.galaxy_flag & GalaxyFlag.NEIGHBOUR:
        # (a network leaves out what light of others adds)
        off = np.minimum(off, 0.0)
    if rings.galaxy_flag & (GalaxyFlag.SKY_UNCERTAIN | GalaxyFlag.NEIGHBOUR):
        # (it may know better what a wrong sky or others took)
        off = np.where(sma < _CORE, off, 0.0)
    missed = _missed_light(sma, means.mean)
    noise = np.where(known, np.sqrt(means.noise**2 + missed**2 + (
        value * _part_off(rings, means.noise))**2), 1.0)
    share = _share(sma, np.abs(off) / noise)
    left = rest_error(off, noise, share, within=_WITHIN)
    more = np.sqrt(np.maximum(share * noise, missed)**2
                   + (ADDED_ERROR * share * off)**2 + left**2)
    rings.intensity = value = value + share * off
    rings.intensity_err = error = np.where(
        known, np.hypot(error, more), error)
    rings.sb_err = np.where(known, magnitude_error(
        np.where(known, value, 1.0), error), rings.sb_err)


def _share(sma, off):
    """
    Calculate how much of what pixels say is to be added, from 0 to 1.
    """
    sure = np.where(sma > _FIRST, off, 0.0)
    near = np.abs(np.maximum(sma, _FIRST)[:, None] - sma) <= _NEAR
    return significant_share(np.where(near, sure, 0.0).max(1), 1.0)


def _missed_light(sma, mean):
    """
    Calculate how much light may be missed between the pixels of a core.
    """
    if not mean[0] > 0:
        return np.zeros(len(sma))
    known = np.isfinite(mean)
    fall = 1 - np.interp(1.0, sma[known], mean[known]) / mean[0]
    return (_MISSED * np.clip(fall, 0.0, 1.0)**_FALL * mean[0]
            * np.exp(-sma))


def _part_off(rings, noise):
    """
    Calculate by which part means of pixels are off besides their noise.
    """
    off = np.where(rings.sma < _CORE, _OFF, _OFF_ELLIPSE / np.maximum(
        1 - rings.eps, 0.02))
    if rings.cutout.gain:
        return off
    # (of as many pixels as the noise is)
    return np.hypot(off, _PHOTONS * noise / rings.noise)
