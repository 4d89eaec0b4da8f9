# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The full result of a fit, the same for all fitters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.ellipses.model import ellipse_model, ring_values
from astro_pix2prof.fitting.objects import find_objects, low_weight
from astro_pix2prof.profile.flags import decode_flags

if TYPE_CHECKING:
    from astropy.table import QTable

    from astro_pix2prof.image.cutout import GalaxyCutout

__all__ = ['ProfileFit', 'with_border']


@dataclass(repr=False)
class ProfileFit:
    """
    Record of a measured galaxy: profile, image, mask, sky and ellipses.

    Attributes
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    cutout : `GalaxyCutout`
        The image that was measured.

    mask : 2D bool `~numpy.ndarray`
        Pixels that did not count.

    sky : float
        The sky level that was subtracted, in the image's unit.

    centre : tuple of 2 floats
        The centre (x, y) in pixels of the cutout.

    sma, eps, theta : 1D `~numpy.ndarray`
        The ellipses: semi-major axis (pixels), ellipticity, angle
        (degrees, counter-clockwise from +x).

    intensity : 1D `~numpy.ndarray`
        Mean pixel value on them, sky-subtracted.

    weight : 2D `~numpy.ndarray`, shape (n, n_angle), or `None`
        From a network that weighs pixels: how much the points of each
        ellipse count, from 0 to 1.

    tilt : 2D `~numpy.ndarray` or float
        The sky of each pixel less ``sky``; 0 where the sky is flat.
    """

    profile: QTable
    cutout: GalaxyCutout
    mask: np.ndarray
    sky: float
    centre: tuple[float, float]
    sma: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    intensity: np.ndarray
    weight: np.ndarray | None = None
    tilt: np.ndarray | float = 0.0

    @property
    def flags(self) -> list[str]:
        """
        The names of the flags of the whole profile (list of str).
        """
        return decode_flags(self.profile.meta.get('flag', 0), kind='galaxy')

    def __repr__(self):
        meta = self.profile.meta
        last = self.profile['radius'][-1]
        name = meta.get('source')
        return (f'<{type(self).__name__}{f" of {name!r}" if name else ""}: '
                f'{len(self.profile)} rings to {last:.4g}, centre '
                f'({self.centre[0]:.2f}, {self.centre[1]:.2f}), sky '
                f'{self.sky:.4g}, flags: {", ".join(self.flags) or "none"}>')

    def model(self) -> np.ndarray:
        """
        Make the image that is constant along the ellipses.

        Returns
        -------
        model : 2D `~numpy.ndarray`
            In the unit of the image, without the sky.
        """
        ok = np.isfinite(self.intensity)
        return ellipse_model(self.cutout.shape, self.centre, self.sma[ok],
                             self.eps[ok], np.radians(self.theta[ok]),
                             self.intensity[ok])

    def subtracted(self) -> np.ndarray:
        """
        Subtract the sky from the image.

        Returns
        -------
        image : 2D `~numpy.ndarray`
            In the unit of the image, bad pixels included.
        """
        return self.cutout.data - (self.sky + self.tilt)

    def weight_map(self) -> np.ndarray | None:
        """
        Map how much the pixels count in the means of their rings.

        Only the ratios of the weights of a ring matter. A low weight is
        another object or noise: in the outskirts, where single pixels tell
        little, many are low. See ``object_mask`` for other objects.

        Returns
        -------
        weight : 2D `~numpy.ndarray` or `None`
            From 0, does not count, to 1, counts in full; NaN beyond the
            last ellipse and where pixels are bad. `None` if the fitter has
            no such weights.
        """
        if self.weight is None:
            return None
        return ring_values(self.cutout.shape, self.centre, self.sma,
                           self.eps, np.radians(self.theta), self.weight,
                           ~self.mask)

    def object_mask(self) -> np.ndarray | None:
        """
        Find the pixels in which the network saw another object.

        Their weight is less than 0.3 of the upper weights of their ring,
        and they belong to an area that is significantly brighter than the
        model and than the same place on the other side of the galaxy.

        Returns
        -------
        mask : 2D bool `~numpy.ndarray` or `None`
            `True` where another object is; `False` beyond the last ellipse
            and where pixels are bad. `None` if the fitter has no weights
            of pixels.
        """
        weight = self.weight_map()
        if weight is None:
            return None
        ellipses = (self.centre, self.sma, self.eps, np.radians(self.theta))
        low = low_weight(weight, *ellipses)
        model = self.model()
        noise = self.cutout.noise
        sigma = (self.cutout.background_noise if noise is None else
                 float(np.median(noise[~self.cutout.mask])))
        data = np.where(self.mask, model, self.subtracted())
        return find_objects(data, model, low, self.centre, sigma)


def with_border(fit, cutout):
    """
    Put a fit of the pixels that are there into the whole image.

    Parameters
    ----------
    fit : `ProfileFit`
        The fit of an image without its border, as
        `~astro_pix2prof.image.cropping.without_border` returns it.

    cutout : `GalaxyCutout`
        The image with the border.

    Returns
    -------
    fit : `ProfileFit`
        Its pixels are those of the whole image.
    """
    if fit.cutout.shape == cutout.shape:
        return fit
    first = np.subtract(fit.cutout.origin, cutout.origin)
    sides = [(start, whole - start - n) for start, whole, n in zip(
        first[::-1], cutout.shape, fit.cutout.shape, strict=True)]
    tilt = fit.tilt
    if np.ndim(tilt):
        tilt = np.pad(tilt, sides, mode='edge')
    return replace(
        fit, cutout=cutout, tilt=tilt,
        mask=np.pad(fit.mask, sides, constant_values=True),
        centre=tuple(float(c + n) for c, n in zip(fit.centre, first,
                                                  strict=True)))
