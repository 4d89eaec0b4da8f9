# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A galaxy image on its way into a network: noise, sky, position.
"""

from dataclasses import dataclass

import numpy as np

from astro_pix2prof.background.level import first_sky
from astro_pix2prof.background.noise import noise_weights
from astro_pix2prof.ellipses.geometry import given_ellipses
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['PreparedGalaxy', 'frame_of', 'prepare_galaxy']


def frame_of(prepared):
    """
    What a network needs to know of a galaxy.

    Parameters
    ----------
    prepared : `~astro_pix2prof.inference.preparation.PreparedGalaxy`
        The galaxy.

    Returns
    -------
    frame : `~astro_pix2prof.networks.readers.frame.Frame`
    """
    cutout = prepared.cutout
    gain = cutout.gain or np.inf
    to_nanomaggies = area = 1.0
    if np.isfinite(cutout.zeropoint) and cutout.pixel_scale:
        to_nanomaggies = 10**(-0.4 * (cutout.zeropoint - 22.5))
        area = cutout.pixel_scale**2
    return Frame(prepared.image.astype(np.float32), cutout.mask,
                 prepared.sigma, prepared.centre, prepared.eps, gain,
                 to_nanomaggies, area,
                 hold=prepared.hold, position=cutout.position,
                 ellipses=prepared.ellipses, weight=prepared.weight,
                 theta=prepared.theta)


# A level of so many times the noise is a sky that was never subtracted; less
# is left to the network, which has learned to live with it.
_SKY_LEVEL = 3.0

# Every so many rows and columns of pixels tell the level of the sky.
_STEP = 3

# Measured noise below this part of a given one: the image has none, as that
# of a model. (Correlated noise halves it at most.)
_PLAUSIBLE = 0.2

# Galaxies whose peak is more times the noise come from images without noise:
# a network has seen none such, and is told this part of the peak.
_CLEAN, _CLEAN_SIGMA = 5e4, 1e-4

# It is looked for so many pixels around the position.
_PEAK = 25

# Pixels (their lower twentieth and their median) that lie within so many
# times the noise of zero leave no room for such a sky.
_LOW, _MIDDLE = -3.5, 2.0


@dataclass
class PreparedGalaxy:
    """
    A galaxy that is ready to be read.

    Attributes
    ----------
    cutout : `GalaxyCutout`
        The image.

    image : 2D `~numpy.ndarray`
        Its pixels without the sky; 0 where bad.

    sky, sigma : float
        The sky that was subtracted, and the noise of a sky pixel.

    centre : tuple of 2 floats
        The centre (x, y) in pixels, as far as it is known.

    search : float
        How far the galaxy may lie from the position, in pixels.

    hold : bool
        Whether the centre is not to be improved.

    flag : `GalaxyFlag`
        What is known by now.

    ellipses : tuple of 3 1D `~numpy.ndarray` or `None`
        Semi-major axes, ellipticity times cosine and sine of twice the
        angle, if they were given.

    eps, theta : float
        Ellipticity and angle (radians) from moments, if they were measured.

    weight : 2D `~numpy.ndarray` or `None`
        See `~astro_pix2prof.background.noise.noise_weights`.
    """

    cutout: GalaxyCutout
    image: np.ndarray
    sky: float
    sigma: float
    centre: tuple
    search: float
    hold: bool
    flag: GalaxyFlag
    ellipses: tuple = None
    eps: float = 0.0
    theta: float = 0.0
    weight: np.ndarray = None

    def edge(self):
        """
        The distance of the centre from the edge of the frame.
        """
        ny, nx = self.cutout.shape
        x, y = self.centre
        return min(x, y, nx - 1 - x, ny - 1 - y) + 0.5


def prepare_galaxy(cutout, *, sky='auto', search_radius=None,
                   fit_centre=True, geometry=None, detect=True):
    """
    Measure what a network needs to know of an image.

    Parameters
    ----------
    cutout : `GalaxyCutout`
        The image.

    sky : 'auto' or float, optional
        The sky level to subtract; 'auto' subtracts what is there only if it
        is so much that the image cannot have been sky-subtracted.

    search_radius : float, optional
        How far the galaxy may lie from the position, in pixels.

    fit_centre : bool, optional
        Whether the position is only a first guess.

    geometry : `~astropy.table.QTable`, optional
        A profile to take centre and ellipses from.

    detect : bool, optional
        Whether to find the galaxy's centre and shape, for networks that do
        not.

    Returns
    -------
    prepared : `PreparedGalaxy`

    Raises
    ------
    ValueError
        If the geometry does not fit the image.
    """
    data, bad = cutout.data.astype(float), cutout.mask
    # Only a sky that nobody has subtracted matters to networks that find
    # the rest; part of the pixels tell.
    part = np.s_[::_STEP, ::_STEP]
    if detect or min(data.shape) < 96 or bad[part].mean() > 0.8:
        part = np.s_[:, :]
    measured = _sky_noise(cutout)
    if not detect and _near_zero(data[part], bad[part], measured):
        level, sigma = 0.0, measured
    else:
        level, first_sigma = first_sky(data[part], bad[part])
        sigma = _usable_noise(cutout, measured, first_sigma)
    if not detect:
        sigma = max(sigma, _least_noise(cutout, level, sigma))
    if sky != 'auto':
        sky = float(sky)
    elif abs(level) > _SKY_LEVEL * sigma:
        sky = level
    else:
        sky = 0.0
    search = search_radius or min(
        8.0 if cutout.position_given else 25.0, 0.25 * min(data.shape))
    prepared = PreparedGalaxy(
        cutout, np.where(bad, 0.0, data - sky), sky, sigma,
        tuple(cutout.position), search, not fit_centre, GalaxyFlag(0))
    if geometry is not None:
        prepared.centre, sma, eps, theta = given_ellipses(geometry, cutout)
        prepared.ellipses = (sma, *(
            np.nan_to_num(eps * part(np.radians(2 * theta)))
            for part in (np.cos, np.sin)))
        prepared.flag |= GalaxyFlag.FORCED
    if cutout.noise is not None:
        prepared.weight = noise_weights(
            cutout.noise, prepared.image, bad, sigma)
    if detect:
        # (detection wants a sky of zero whatever the network wants)
        _detect(prepared, np.where(bad, 0.0, data - level))
    return prepared


def _detect(prepared, image):
    """
    Centre and shape, for networks that do not find them.
    """
    # (with photutils, which takes a second to import)
    from astro_pix2prof.detection.galaxy import FINE, find_galaxy

    cutout = prepared.cutout
    found = find_galaxy(image, cutout.mask, prepared.sigma,
                        cutout.position, search_radius=prepared.search)
    prepared.eps = min(float(found.eps), 0.95)
    prepared.theta = float(found.theta)
    if not (prepared.hold or prepared.ellipses):
        prepared.centre = found.centre
        if found.scale != FINE:
            prepared.flag |= GalaxyFlag.CENTRE_UNCERTAIN
    if not found.found:
        prepared.flag |= GalaxyFlag.NO_SOURCE
    if found.touching > 0.1:
        prepared.flag |= GalaxyFlag.NEIGHBOUR


def _near_zero(data, bad, sigma):
    """
    Whether the image can have no sky that was never subtracted.
    """
    values = data[~bad]
    if not sigma > 0 or values.size < 100:
        return False
    low, middle = np.quantile(values, (0.05, 0.5))
    return low > _LOW * sigma and middle < _MIDDLE * sigma


def _sky_noise(cutout):
    """
    The noise of a sky pixel.

    Measured, or as the given map says where galaxies leave no sky to
    measure it on.
    """
    sigma = cutout.background_noise
    if cutout.noise is not None:
        good = cutout.noise[~cutout.mask]
        given = float(np.quantile(good, 0.1))
        if given > 0 and not _PLAUSIBLE * given <= sigma <= given:
            sigma = given
    return float(sigma)


def _least_noise(cutout, level, sigma):
    """
    What the noise has to be at least, as seen from the peak of the galaxy.
    """
    x, y = (round(c) for c in cutout.position)
    inside = np.s_[max(y - _PEAK, 0):max(y + _PEAK + 1, 1),
                   max(x - _PEAK, 0):max(x + _PEAK + 1, 1)]
    peak = float(np.max(cutout.data[inside], initial=0.0)) - level
    return _CLEAN_SIGMA * peak if peak > _CLEAN * sigma else 0.0


def _usable_noise(cutout, sigma, fallback):
    """
    A noise that can be divided by.
    """
    if not sigma > 0:
        sigma = fallback
    if not sigma > 0:
        # an image without noise: a network has seen none such, but one of
        # very little
        spread = float(np.ptp(cutout.data[~cutout.mask]))
        sigma = _CLEAN_SIGMA * max(spread, 1e-30)
    return float(sigma)
