# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Rings where a galaxy ends otherwise than a network expects.
"""

import numpy as np

from astro_pix2prof.profile.brightness import POGSON, magnitude_error

__all__ = ['add_steep_errors', 'hold_rises']


# A galaxy ends where a ring, and so many times its noise more, is fainter than
# the one within it by more than this power of the radius, and by more than so
# many times what the exponential through the two rings within it tells; the
# one within is so many times its noise.
_NOISE, _STEEP, _BREAK, _CLEAR = 1.5, 5.0, 1.1, 5.0

# From this semi-major axis on (pixels): farther in, rings share their pixels
# and the PSF falls as steeply. Least usable part of a ring that tells.
_INNER, _VALID = 6.0, 0.5

# At most this part of the light of a ring is taken back.
_ALL_BUT = 0.9

# So many rings from there on are drawn to those within.
_DRAWN = 3


def hold_rises(rings, rise):
    """
    Take back what a network adds to faint rings beyond their noise.

    A network draws faint rings to the profiles that it knows. Where the last
    rings of a galaxy have another slope than the light within tells, as those
    of a disc with a large bulge, all are made too bright. What is taken back
    counts as an error, of at most the noise of a ring that is one pixel wide.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings at the radii of the network; their values and errors are
        changed.

    rise : 1D `~numpy.ndarray`, shape (n,)
        What is taken back, in the unit of the image.
    """
    held = np.isfinite(rings.intensity) & (rise > 0)
    if not held.any():
        return
    # (of joined squares, one may say more than the other has)
    rise = np.minimum(rise, _ALL_BUT * rings.intensity)
    noise = rings.intensity / rings.photon_snr
    error = np.hypot(rings.intensity_err, np.minimum(rise, noise))
    value = rings.intensity - rise
    rings.intensity = np.where(held, value, rings.intensity)
    rings.intensity_err = np.where(held, error, rings.intensity_err)
    rings.sb_err = np.where(held, POGSON * error / value, rings.sb_err)


def add_steep_errors(rings, means):
    """
    Add to the errors of rings what the pixels say where a galaxy ends.

    A network lets faint rings follow their neighbours. Where a disc is cut
    off, or breaks to a steep outer part, within a step of its rings, the
    first rings beyond are drawn up by about their noise. There, their errors
    are at least the noise of their pixels, along with the difference of the
    profile from the mean of these.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings at the radii of the network; their errors are changed.

    means : record of 1D `~numpy.ndarray`, shape (n,)
        The means of the pixels of these rings, as
        `~astro_pix2prof.inference.radii.pixel_means` returns them.
    """
    known = np.isfinite(means.mean) & (np.minimum(
        means.valid, rings.n_valid) > _VALID)
    steep = known & (rings.sma > _INNER) & _is_steep(
        rings.sma, means.mean, means.noise)
    drawn = np.convolve(steep, np.ones(_DRAWN))[:len(steep)] > 0
    drawn &= known & np.isfinite(rings.intensity)
    if not drawn.any():
        return
    noise = np.hypot(means.noise, rings.sky_err)
    error = np.hypot(np.maximum(rings.intensity_err, noise),
                     rings.intensity - means.mean)
    rings.intensity_err = np.where(drawn, error, rings.intensity_err)
    rings.sb_err = np.where(drawn, magnitude_error(
        rings.intensity, error), rings.sb_err)


def _is_steep(sma, mean, noise):
    """
    Tell which rings are much fainter than the rings within them tell.
    """
    steep = np.zeros(len(sma), bool)
    width = np.diff(sma)
    with np.errstate(invalid='ignore', divide='ignore'):
        drop = np.log(mean[:-1] / (np.maximum(mean[1:], 0.0)
                                   + _NOISE * noise[1:]))[1:]
        usual = np.maximum(np.log(mean[:-2] / mean[1:-1]), 0.0) * (
            width[1:] / width[:-1])
        steep[2:] = (mean[1:-1] > _CLEAR * noise[1:-1]) & (
            drop > _STEEP * np.log(sma[2:] / sma[1:-1])) & (
            drop > _BREAK * usual)
    return steep
