# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
A galaxy image on its way into a network: noise, sky, position.
"""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from astro_pix2prof.background.boxes import ring_correlation
from astro_pix2prof.background.level import (
    MEASURED,
    Sky,
    first_sky,
    measure_sky,
)
from astro_pix2prof.background.noise import noise_weights
from astro_pix2prof.background.rounding import add_rounding, find_step
from astro_pix2prof.background.tilt import measure_sky_or_tilt
from astro_pix2prof.detection.bad_lines import find_bad_pixels_and_lines
from astro_pix2prof.detection.galaxy import FINE, find_galaxy
from astro_pix2prof.detection.trails import find_trail
from astro_pix2prof.ellipses.geometry import shape_to_components
from astro_pix2prof.ellipses.given import read_ellipses
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.image.units import pixel_level
from astro_pix2prof.inference.filling import read_filled
from astro_pix2prof.networks.readers.frame import Frame
from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import GalaxyFlag

__all__ = ['PreparedGalaxy', 'add_sky_and_correlation', 'check_forced',
           'check_readable', 'frame_of', 'prepare_galaxy', 'read_galaxies',
           'subtracted_sky']


def frame_of(prepared):
    """
    Make the frame that a network reads of a galaxy.

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
    return Frame(prepared.image, cutout.mask,
                 prepared.sigma, prepared.centre, prepared.eps, gain,
                 to_nanomaggies, area,
                 hold=prepared.hold, position=cutout.position,
                 ellipses=None if prepared.finds_centre
                 else prepared.ellipses, weight=prepared.weight,
                 theta=prepared.theta,
                 sky_error=float(prepared.background.rounding
                                 if prepared.background.how == 'given'
                                 else prepared.background.error),
                 may_be_far=not cutout.position_given
                 and prepared.search >= _usual_search(cutout))


def _usual_search(cutout):
    """
    Compute how far a galaxy may lie from the position, in pixels.
    """
    return min(8.0 if cutout.position_given else 25.0,
               0.25 * min(cutout.data.shape))


# Measured noise below this part of a given one: the image has none, as that
# of a model. (Correlated noise halves it at most.)
_PLAUSIBLE = 0.2

# Galaxies whose peak is more times the noise come from images without noise:
# a network has seen none such, and is told this part of the peak.
_CLEAN, _CLEAN_SIGMA = 5e4, 1e-4

# Noise below this part of the range of values is none: the digits of the
# brightest pixels do not hold it.
_DIGITS = 1e-12

# It is looked for so many pixels around the position.
_PEAK = 25

# The radius over the width of the rings of a network of 80 points a ring.
_RING_WIDTH = 13.0

# A galaxy found farther (pixels) from where the network began to look than
# the galaxies that it learned from is looked at again: so many times at
# most, until it moves by less than this.
_AGAIN, _LOOKS, _SETTLED = 20.0, 4, 3.0


@dataclass
class PreparedGalaxy:
    """
    A galaxy that is ready to be read.

    Attributes
    ----------
    cutout : `GalaxyCutout`
        The image; cosmic rays and dead pixels at the centre are masked.

    image : 2D `~numpy.ndarray` of float32, shape (ny, nx)
        Its pixels without the sky; 0 where bad.

    background : `~astro_pix2prof.background.level.Sky`
        The sky that was subtracted.

    sigma : float
        The noise of a sky pixel.

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

    by_area : bool
        Whether the light within them is that of their area; not for those
        of another fit, whose light was integrated along the rings.

    eps, theta : float
        Ellipticity and angle (radians) from moments, if they were measured.

    weight : 2D `~numpy.ndarray` or `None`
        See `~astro_pix2prof.background.noise.noise_weights`.

    finds_centre : bool
        Whether ellipses were given without a centre, which is found first.

    radii : `~astro_pix2prof.fitting.radii.RingRadii` or `None`
        Radii that were asked for.

    columns : `~astro_pix2prof.fitting.harmonics.RingChoice` or `None`
        Columns of rings that were asked for.
    """

    cutout: GalaxyCutout
    image: np.ndarray
    background: Sky
    sigma: float
    centre: tuple
    search: float
    hold: bool
    flag: GalaxyFlag
    ellipses: tuple = None
    by_area: bool = False
    eps: float = 0.0
    theta: float = 0.0
    weight: np.ndarray = None
    finds_centre: bool = False
    radii: object = None
    columns: object = None

    @property
    def forced(self):
        """
        Tell that centre and ellipses were given (bool).
        """
        return self.ellipses is not None and not self.finds_centre

    @property
    def sky(self):
        """
        The level of the sky that was subtracted (float).
        """
        return self.background.level

    def edge(self):
        """
        The distance of the centre from the edge of the frame.
        """
        ny, nx = self.cutout.shape
        x, y = self.centre
        return min(x, y, nx - 1 - x, ny - 1 - y) + 0.5


def check_forced(architecture, weights, **ellipses):
    """
    Refuse given ellipses for a network that does not measure along any.

    Parameters
    ----------
    architecture : `~astro_pix2prof.networks.architectures.Architecture`
        The architecture of the network.

    weights : str
        The name of the weights, for the message.

    **ellipses
        The options of the ellipses; `None` if not given.

    Raises
    ------
    ValueError
        If one is given, and the profile would not depend on it.
    """
    given = [name for name, value in ellipses.items() if value is not None]
    if given and not architecture.finds_geometry:
        msg = (f'{" and ".join(given)} must not be given with '
               f'weights={weights!r}, a network that reads the profile off '
               "the image and measures along no ellipses: use weights='rings' "
               'or an IsophoteFitter')
        raise ValueError(msg)


def prepare_galaxy(cutout, *, sky='auto', sky_err=0.0, search_radius=None,
                   fit_centre=True, geometry=None, ellipticity=None, pa=None,
                   detect=True):
    """
    Measure what a network needs to know of an image.

    Parameters
    ----------
    cutout : `GalaxyCutout`
        The image.

    sky : 'auto', 'plane' or float, optional
        The sky level to subtract; 'auto' measures it, 'plane' a sky with a
        constant gradient. A number is not altered. 'auto' takes a plane
        too, and flags it, if the sky is steep: see
        `~astro_pix2prof.background.tilt.measure_sky_or_tilt`.

    sky_err : float or `~astropy.units.Quantity`, optional
        The error of a sky level that is given. The network takes the level
        for known.

    search_radius : float, optional
        How far the galaxy may lie from the position, in pixels.

    fit_centre : bool, optional
        Whether the position is only a first guess.

    geometry, ellipticity, pa : optional
        The ellipses, if they are given: see
        `~astro_pix2prof.ellipses.given.read_ellipses`.

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
    search = search_radius or _usual_search(cutout)
    if sky == 'auto':
        measured = measure_sky_or_tilt(data, bad, cutout.position,
                                       search=search)
    else:
        measured = measure_sky(data, bad, cutout.position, search=search,
                               plane=sky == 'plane')
    measured = add_rounding(measured, find_step(
        cutout.data, bad, background=cutout.background), data, bad)
    sigma = _usable_noise(cutout, _sky_noise(cutout))
    if not detect:
        sigma = max(sigma, _least_noise(cutout, measured.level, sigma))
    rays = find_bad_pixels_and_lines(
        data, bad, cutout.position, sigma, sky=measured.level, reach=search,
        gain=cutout.gain)
    trail = find_trail(data - measured.level, bad, cutout.position, sigma)
    for found in (rays, trail):
        if found is not None:
            cutout = copy(cutout)
            cutout.mask = bad = bad | found
    given = measured
    if sky not in MEASURED:
        given = replace(measured, level=pixel_level(sky, 'sky', cutout),
                        how='given', error=float(np.hypot(
                            measured.rounding, pixel_level(
                                sky_err, 'sky_err', cutout))))
    prepared = PreparedGalaxy(
        cutout, np.where(bad, 0.0, data - given.over(data.shape)).astype(
            np.float32), given, sigma, tuple(cutout.position), search,
        not fit_centre, GalaxyFlag(0))
    if given.is_uncertain:
        prepared.flag |= GalaxyFlag.SKY_UNCERTAIN
    if trail is not None:
        prepared.flag |= GalaxyFlag.NEIGHBOUR
    ellipses = read_ellipses(cutout, geometry, ellipticity, pa)
    if ellipses is not None:
        prepared.ellipses = (ellipses.sma, *(
            np.nan_to_num(part) for part in shape_to_components(
                ellipses.eps, ellipses.theta)))
        prepared.by_area = not ellipses.is_fitted
        prepared.flag |= GalaxyFlag.FORCED
        if ellipses.centre is not None:
            prepared.centre = ellipses.centre
        # (a detection, or the position, is the centre; a network finds it)
        prepared.finds_centre = ellipses.centre is None and not prepared.hold
    if cutout.noise is not None:
        prepared.weight = noise_weights(
            cutout.noise, prepared.image, bad, sigma)
    if detect:
        # (detection wants a sky of zero whatever the network wants)
        _detect(prepared, np.where(bad, 0.0,
                                   data - measured.over(data.shape)))
    return prepared


def _detect(prepared, image):
    """
    Centre and shape, for networks that do not find them.
    """
    cutout = prepared.cutout
    found = find_galaxy(image, cutout.mask, prepared.sigma,
                        cutout.position, search_radius=prepared.search)
    prepared.eps = min(float(found.eps), 0.95)
    prepared.theta = float(found.theta)
    if not (prepared.hold or prepared.forced):
        prepared.centre = found.centre
        if found.scale != FINE:
            prepared.flag |= GalaxyFlag.CENTRE_UNCERTAIN
    if not found.found:
        prepared.flag |= GalaxyFlag.NO_SOURCE
    if found.touching > 0.1:
        prepared.flag |= GalaxyFlag.NEIGHBOUR


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
        if given > 0 and not (_PLAUSIBLE * given <= sigma <= given
                              or _is_of_part(cutout, sigma)):
            sigma = given
    return float(sigma)


def _is_of_part(cutout, sigma):
    """
    Tell whether a noise is that of many pixels of a map that is uneven.

    Those of light have noise of their own, and are left aside.
    """
    good = ~cutout.mask
    faint = good & (cutout.data <= np.median(cutout.data[good]))
    low, high = np.quantile(cutout.noise[faint], (0.1, 0.9))
    return low <= sigma <= high


def _least_noise(cutout, level, sigma):
    """
    Calculate the minimum noise implied by the peak brightness.
    """
    x, y = (round(c) for c in cutout.position)
    inside = np.s_[max(y - _PEAK, 0):max(y + _PEAK + 1, 1),
                   max(x - _PEAK, 0):max(x + _PEAK + 1, 1)]
    peak = float(np.max(cutout.data[inside], where=~cutout.mask[inside],
                        initial=level)) - level
    return _CLEAN_SIGMA * peak if peak > _CLEAN * sigma else 0.0


def _usable_noise(cutout, sigma):
    """
    A noise that can be divided by.
    """
    good = ~cutout.mask
    span = (float(np.max(cutout.data, where=good, initial=-np.inf))
            - float(np.min(cutout.data, where=good, initial=np.inf)))
    least = _DIGITS * span
    if not sigma > least:
        sigma = first_sky(cutout.data.astype(float), cutout.mask)[1]
    if not sigma > least:
        # an image without noise: a network has seen none such, but one of
        # very little
        sigma = _CLEAN_SIGMA * span
    return float(sigma) if sigma > 0 else 1.0


def read_galaxies(reader, prepared):
    """
    Read galaxies, those again that lie far from where they were expected.

    Parameters
    ----------
    reader : object
        With a method ``read`` from a list of frames to their captions.

    prepared : list of `PreparedGalaxy`
        The galaxies. Each further look begins where the one before found
        them.

    Returns
    -------
    captions : list of `~astro_pix2prof.networks.readers.frame.Caption`
    """
    captions = read_filled(reader, [frame_of(item) for item in prepared])
    # (a network goes most of a long way at once, and not all of it)
    far, least = dict(enumerate(prepared)), _AGAIN
    for _ in range(_LOOKS):
        far = {k: replace(item, centre=captions[k].centre)
               for k, item in far.items()
               if _is_far(item, captions[k].centre, least)}
        _read_again(reader, captions, far)
        least = _SETTLED
    shifts = [caption.trust.get('shift') for caption in captions]
    found = {k: replace(item, centre=_centre_inside(item, captions[k].centre),
                        finds_centre=False)
             for k, item in enumerate(prepared)
             if item.finds_centre and captions[k].centre is not None}
    _read_again(reader, captions, found)
    for k in found:
        if shifts[k] is not None:
            captions[k].trust['shift'] = shifts[k]
    return captions


def _read_again(reader, captions, changed):
    """
    Read galaxies with other centres; replace their captions.
    """
    if changed:
        for k, caption in zip(changed, read_filled(
                reader, [frame_of(item) for item in changed.values()]),
                strict=True):
            captions[k] = caption


def _centre_inside(prepared, centre):
    """
    Return the centre that was found, or the position if it is outside.
    """
    x, y = centre
    ny, nx = prepared.cutout.shape
    inside = 0 <= x < nx and 0 <= y < ny
    return tuple(centre) if inside else tuple(prepared.cutout.position)


def _is_far(prepared, centre, least):
    """
    Tell whether a galaxy lies far from where the network began to look.

    Farther than ``least`` (pixels).
    """
    if centre is None or prepared.hold or prepared.forced:
        return False
    x, y = centre
    ny, nx = prepared.cutout.shape
    return (0 <= x < nx and 0 <= y < ny and np.hypot(
        x - prepared.centre[0], y - prepared.centre[1]) > least)


def check_readable(cutout, architecture, network, weights):
    """
    Refuse an image that a network cannot read.

    Parameters
    ----------
    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    architecture : `~astro_pix2prof.networks.architectures.Architecture`
        The record of the network's architecture.

    network : `torch.nn.Module`
        The network.

    weights : str
        Their name, for messages.

    Raises
    ------
    ValueError
        If the image is too small, or has no zero point or pixel scale and
        the network needs these.
    """
    calibrated = np.isfinite(cutout.zeropoint) and cutout.pixel_scale
    if not calibrated and architecture.needs_calibration(
            getattr(network, 'config', None)):
        msg = (f'the weights {weights!r} need images with a zero point and a '
               'pixel scale; this one has none: give zeropoint= and '
               "pixel_scale=, or use weights='rings'")
        raise ValueError(msg)
    least = architecture.least_size
    if min(cutout.shape) < least:
        msg = (f'the {architecture.title} needs images of {least} x {least} '
               f'pixels or more, got {cutout.shape[1]} x {cutout.shape[0]}: '
               'give a larger cut-out')
        raise ValueError(msg)


def subtracted_sky(prepared, caption):
    """
    Add up the sky that was subtracted.

    Parameters
    ----------
    prepared : `PreparedGalaxy`
        The galaxy.

    caption : `~astro_pix2prof.networks.readers.frame.Caption`
        What the network found; its ``trust['sky']`` is the level that it
        found beyond that of the preparation.

    Returns
    -------
    level, error : float
        In the image's unit.
    """
    more = float(caption.trust.get('sky', 0.0))
    # by so much, two ways to see the same sky differ
    return prepared.sky + more, float(np.hypot(prepared.background.error,
                                               more))


def add_sky_and_correlation(prepared, sma, snr, intensity, error, *,
                            sky_error=None):
    """
    Add the error of the sky, and what correlated noise adds, to a profile.

    Parameters
    ----------
    prepared : `PreparedGalaxy`
        The galaxy.

    sma, snr, intensity : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axes in pixels, signal-to-noise ratios of the rings from
        white noise, and the profile.

    error : 1D `~numpy.ndarray`, shape (n,)
        The errors in mag that the network states.

    sky_error : float, optional
        The part of the error of the sky that these do not hold yet, in the
        image's unit; by default, all of it.

    Returns
    -------
    error : 1D `~numpy.ndarray`, shape (n,)
        In mag.
    """
    sky = prepared.background
    # A ring network takes the means of about so wide rings.
    factor = ring_correlation(sky.correlation, sma / _RING_WIDTH)
    noise = np.minimum(error, POGSON / np.maximum(snr, 1e-3))
    more = sky.error if sky_error is None else sky_error
    level = POGSON * more / np.where(intensity > 0, intensity, np.nan)
    return np.sqrt(error**2 + (factor**2 - 1) * noise**2
                   + np.nan_to_num(level, nan=0.0)**2)
