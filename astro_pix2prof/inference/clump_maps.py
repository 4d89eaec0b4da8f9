# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make the maps of a fitted galaxy in which clumps are found.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.detection.stars import star_width
from astro_pix2prof.inference.point_sources import noise_width
from astro_pix2prof.networks.clumps.maps import GalaxyMaps, galaxy_maps
from astro_pix2prof.networks.clumps.resampling import (
    average_pixels,
    bin_factor,
    enlarge,
    enlargement,
)
from astro_pix2prof.networks.ellipse import ellipse_components
from astro_pix2prof.profile.brightness import POGSON, curve_of_growth
from astro_pix2prof.psf.model import PSF

__all__ = ['MARGIN', 'USUAL_WIDTH', 'ClumpMaps', 'find_gain', 'find_width',
           'known_width', 'make_maps', 'sky_noise']


# A width that nothing tells (pixels).
USUAL_WIDTH = 3.0

# Stars of an enlarged image are at most so many times as wide as its noise
# tells.
_AS_SHARP = 1.3

# Pixels around what is looked at, in FWHM.
MARGIN = 8

# A gain is found if the noise of the brighter half of the galaxy is this
# many times that of the sky, from at least so many pixels.
_RAISED, _PIXELS = 1.15, 60


@dataclass
class ClumpMaps:
    """
    Maps of a fitted galaxy, in pixels that suit its PSF.

    Attributes
    ----------
    maps : `~astro_pix2prof.networks.clumps.GalaxyMaps`
        The maps of one galaxy, in units of the noise.

    good : 2D bool `~numpy.ndarray`
        Pixels that count.

    unit : float
        A flux of 1 in the maps, in the unit of the image.

    fwhm : float
        That of the PSF in pixels of the maps.

    r50 : float
        The semi-major axis that holds half of the light, in these pixels.

    centre : tuple of 2 floats
        The centre of the galaxy in these pixels.

    step : float
        The pixels of the image in one of these.

    origin : tuple of 2 floats
        The place of the first of these pixels in the image.

    flux, flux_err : float
        The light of the galaxy in the unit of the image.

    edge : tuple of 2 ints
        The shape of the image in these pixels, as floats (ny, nx).
    """

    maps: GalaxyMaps
    good: np.ndarray
    unit: float
    fwhm: float
    r50: float
    centre: tuple
    step: float
    origin: tuple
    flux: float
    flux_err: float
    edge: tuple

    def to_image(self, x, y):
        """
        Turn positions in the maps into pixels of the image.
        """
        return (self.origin[0] + self.step * np.asarray(x, float),
                self.origin[1] + self.step * np.asarray(y, float))

    def to_maps(self, x, y):
        """
        Turn pixels of the image into positions in the maps.
        """
        return ((np.asarray(x, float) - self.origin[0]) / self.step,
                (np.asarray(y, float) - self.origin[1]) / self.step)

    def variance(self):
        """
        Get the variance of pixels, that of correlated noise included.
        """
        return (self.maps.variance[0].numpy()
                * float(self.maps.correlation[0])**2)


def find_width(fit, psf=None):
    """
    Find the full width at half maximum of the PSF of a fitted image.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy.

    psf : optional
        The PSF, as for `~astro_pix2prof.PSF`. By default that of the image
        (``psf_fwhm``), or that of the stars in it.

    Returns
    -------
    fwhm : float
        In pixels.

    source : {'given', 'stars', 'noise', 'assumed'}
        Where it is from.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If neither stars nor the noise tell it.
    """
    found = known_width(fit, psf)
    if found is not None:
        return found
    warnings.warn(
        'the width of the PSF is not known, and no star in the image tells '
        f'it: {USUAL_WIDTH:g} pixels are assumed; give psf=',
        AstropyUserWarning, stacklevel=4)
    return USUAL_WIDTH, 'assumed'


def known_width(fit, psf=None):
    """
    Find the width of the PSF as `find_width` does, `None` if nothing tells it.

    Parameters
    ----------
    fit, psf
        As for `find_width`.

    Returns
    -------
    found : tuple or `None`
        As of `find_width`.
    """
    cutout = fit.cutout
    scale = cutout.pixel_scale
    if psf is not None:
        width = PSF(psf).sampled(scale).fwhm
        return width / (scale or 1.0), 'given'
    if cutout.psf_fwhm is not None and scale:
        return cutout.psf_fwhm / scale, 'given'
    model = fit.model()
    rest = fit.subtracted() - model
    noise = sky_noise(fit)
    star = star_width(rest, ~cutout.mask, noise, fit.centre)
    width = noise_width(rest, ~(cutout.mask | fit.mask) & (
        model < 0.3 * noise))
    # (in a picture of a galaxy, the few sources may all be wide)
    if star is not None and (width is None or star < _AS_SHARP * width):
        return star, 'stars'
    if width is not None:
        return width, 'noise'
    return None


def sky_noise(fit):
    """
    Find the noise of a sky pixel; not zero.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy.

    Returns
    -------
    noise : float
        In the unit of the image.
    """
    noise = fit.profile.meta.get('noise')
    if not (noise and np.isfinite(noise)):
        noise = fit.cutout.background_noise
    # (the step of the values of pictures and quantised images)
    values = np.unique(fit.cutout.data[~fit.cutout.mask][:20000])
    step = np.diff(values).min() if 1 < len(values) < 300 else 0.0
    return max(float(noise), 0.29 * float(step), 1e-30)


def make_maps(fit, fwhm, *, reach, room=None):
    """
    Make the maps of a fitted galaxy.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy.

    fwhm : float
        The full width at half maximum of the PSF in pixels of the image.

    reach : float
        The semi-major axis in R50 up to which there is something to find.

    room : float, optional
        The pixels around the centre that are looked at; by default those
        within ``reach``, and some more.

    Returns
    -------
    maps : `ClumpMaps` or `None`
        `None` if the galaxy has no light.
    """
    cutout = fit.cutout
    noise = sky_noise(fit)
    ok = np.isfinite(fit.intensity) & np.isfinite(fit.eps)
    if np.count_nonzero(ok) < 2:
        return None
    sma, eps = fit.sma[ok], fit.eps[ok]
    theta = np.radians(fit.theta[ok])
    growth = curve_of_growth(sma, fit.intensity[ok], eps)
    total = np.nanmax(growth)
    if not total > 0:
        return None
    half = int(np.argmax(growth >= 0.5 * total))
    r50 = max(float(sma[half]), 0.5 * fwhm)
    room = reach * r50 + MARGIN * fwhm if room is None else room
    ny, nx = cutout.shape
    x0, y0 = (max(int(c - room), 0) for c in fit.centre)
    x1, y1 = (min(int(c + room) + 2, n)
              for c, n in zip(fit.centre, (nx, ny), strict=True))
    box = np.s_[y0:y1, x0:x1]
    image = torch.from_numpy(np.ascontiguousarray(
        fit.subtracted()[box] / noise, dtype=np.float32))
    good = torch.from_numpy(~cutout.mask[box])
    variance = None
    if cutout.noise is not None:
        variance = torch.from_numpy(np.ascontiguousarray(
            (cutout.noise[box] / noise)**2, dtype=np.float32)).clamp(
                0.25, 1e8)
    gain = find_gain(fit, noise, fwhm) * noise
    centre = torch.tensor([fit.centre[0] - x0, fit.centre[1] - y0],
                          dtype=torch.float32)
    image, good, variance, centre, step, origin = _resample(
        image, good, variance, centre, fwhm)
    e1, e2 = ellipse_components(eps, theta)
    rings = (torch.tensor(part / by, dtype=torch.float32)[None]
             for part, by in ((sma, step), (e1, 1.0), (e2, 1.0)))
    one = torch.tensor([r50 / step, fwhm / step, gain * max(step, 1.0)],
                       dtype=torch.float32)
    with torch.inference_mode():
        found = galaxy_maps(
            image[None], good[None], centre[None], *rings, r50=one[:1],
            fwhm=one[1:2], gain=one[2:],
            variance=None if variance is None else variance[None])
    relative = np.asarray(fit.profile['mag_enclosed_err'].value, float)
    relative = relative[np.isfinite(relative)]
    error = total * (relative[-1] / POGSON if len(relative) else np.nan)
    first = x0 + origin[0], y0 + origin[1]
    return ClumpMaps(
        found, good.numpy(), noise * (step if step > 1 else step**2),
        fwhm / step, r50 / step,
        tuple(float(c) for c in centre), step, first, float(total),
        float(error), (ny / step, nx / step))


def _resample(image, good, variance, centre, fwhm):
    """
    Bin, or enlarge, an image whose PSF is wide, or narrow.
    """
    scale, factor = enlargement(fwhm), bin_factor(fwhm)
    if scale > 1:
        ny, nx = image.shape
        # (the frame grows, so that nothing of it is lost)
        add = [int(np.ceil(n * (scale - 1) / 2)) for n in (nx, ny)]
        pad = (add[0], add[0], add[1], add[1])
        middle = torch.tensor([(nx - 1) / 2 + add[0], (ny - 1) / 2 + add[1]])
        image = torch.nn.functional.pad(image, pad)
        good, known = torch.nn.functional.pad(good, pad), good
        if variance is not None:
            variance = torch.where(known, variance, 1.0)
            variance = enlarge(torch.nn.functional.pad(
                variance, pad, value=1.0), good, middle, scale)[0].clamp(
                    min=0.25)
        image, good = enlarge(image, good, middle, scale)
        place = (centre + torch.tensor(add) - middle) * scale + middle
        first = [float(-middle[k] / scale + middle[k] - add[k])
                 for k in range(2)]
        return image, good, variance, place, 1 / scale, first
    if factor > 1:
        if variance is not None:
            # (a mean over squares: of the noise of sums, too)
            variance = average_pixels(variance, good, factor)[0] / factor
            variance = variance.clamp(min=0.25)
        image, good = average_pixels(image, good, factor)
        shift = (factor - 1) / 2
        return (image, good, variance, (centre - shift) / factor,
                float(factor), (shift, shift))
    return image, good, variance, centre, 1.0, (0.0, 0.0)


def find_gain(fit, noise, fwhm):
    """
    Find the electrons in a unit of the image, if there is photon noise.

    Where no gain is given, it is told by how much the differences of
    neighbouring pixels grow with the light of the galaxy.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The galaxy.

    noise : float
        The noise of a sky pixel.

    fwhm : float
        The full width at half maximum of the PSF in pixels.

    Returns
    -------
    gain : float
        Infinite if no photon noise is seen.
    """
    cutout = fit.cutout
    if cutout.gain:
        return cutout.gain
    model = fit.model()
    data = np.where(cutout.mask, np.nan, fit.subtracted() - model)
    rough = data[1:-1, 1:-1] - 0.25 * (
        data[:-2, 1:-1] + data[2:, 1:-1] + data[1:-1, :-2]
        + data[1:-1, 2:])
    level = model[1:-1, 1:-1]
    y, x = np.indices(rough.shape) + 1
    away = np.hypot(x - fit.centre[0], y - fit.centre[1])
    known = np.isfinite(rough)
    dark = known & (level < 0.1 * noise)
    bright = known & (level > 2 * noise) & (away > 2 * fwhm)
    if dark.sum() < _PIXELS or bright.sum() < _PIXELS:
        return np.inf
    # (the brighter half, in which the rise is seen best)
    bright &= level >= np.median(level[bright])
    sizes = [np.median(np.abs(rough[part])) for part in (dark, bright)]
    if not sizes[0] > 0 or sizes[1] < _RAISED * sizes[0]:
        return np.inf
    rise = (sizes[1] / sizes[0])**2 - 1
    return float(np.median(level[bright]) / (rise * noise**2))
