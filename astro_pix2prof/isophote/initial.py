# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The geometry that another fitter, such as a network, gives an isophote fit.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.ellipses.geometry import profile_ellipses
from astro_pix2prof.fitting.objects import low_weight
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.meta import profile_meta
from astro_pix2prof.wording import shown

__all__ = ['InitialGeometry', 'check_initial', 'initial_geometry']


@dataclass
class InitialGeometry:
    """
    Geometry of a galaxy before its isophotes are fitted.

    Attributes
    ----------
    name : str
        Where it comes from.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        The ellipses: semi-major axis (pixels), ellipticity, angle
        (radians, counter-clockwise from +x).

    others : 2D bool `~numpy.ndarray`
        Pixels of other objects.

    low : 2D bool `~numpy.ndarray`
        Pixels that may belong to others: see
        `~astro_pix2prof.fitting.objects.low_weight`.
    """

    name: str
    centre: tuple
    sma: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    others: np.ndarray
    low: np.ndarray

    def at(self, sma):
        """
        Ellipticity and angle at other radii.

        Parameters
        ----------
        sma : float or 1D `~numpy.ndarray`
            Semi-major axes in pixels.

        Returns
        -------
        eps, theta : float or 1D `~numpy.ndarray`
            Beyond the ellipses, those of the nearest.
        """
        e1, e2 = (np.interp(sma, self.sma, self.eps * part(2 * self.theta))
                  for part in (np.cos, np.sin))
        return np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)


def check_initial(initial, *, profile=False):
    """
    Raise an error for objects that give no first geometry.

    Parameters
    ----------
    initial : object
        A fitter, with a method ``fit``, or `None`.

    profile : bool, optional
        Whether a profile is as good.

    Raises
    ------
    ValueError
        If it is neither.
    """
    fitter = callable(getattr(initial, 'fit', None)) and not isinstance(
        initial, type)
    if initial is None or fitter or (profile and isinstance(initial,
                                                            QTable)):
        return
    what = 'a fitter such as Pix2ProfFitter()'
    if profile:
        what += ' or the profile of the galaxy'
    msg = f'initial must be {what}, got {shown(initial)}'
    if not profile and isinstance(initial, QTable):
        msg += (': a profile belongs to one image, fitter.fit(image, '
                'initial=profile)')
    raise ValueError(msg)


def initial_geometry(initial, cutout):
    """
    Take the geometry of another fit; warn if it is of no use.

    Parameters
    ----------
    initial : fitter or `~astropy.table.QTable`
        An object whose ``fit(cutout)`` returns a
        `~astro_pix2prof.ProfileFit`, or a profile.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    geometry : `InitialGeometry` or `None`
        `None` if the fit failed or found no galaxy.
    """
    try:
        return _take(initial, cutout)
    except Exception as error:  # the isophotes can be fitted without
        text = ' '.join(str(error).split()) or type(error).__name__
        warnings.warn('the initial geometry is of no use, and the galaxy is '
                      f'measured without it: {text}', AstropyUserWarning,
                      stacklevel=4)
        return None


def _take(initial, cutout):
    fit = None
    if isinstance(initial, QTable):
        profile = initial
    else:
        fit = initial.fit(cutout)
        profile = fit.profile
    if profile_meta(profile).get('flag', 0) & GalaxyFlag.NO_SOURCE:
        msg = 'it has the flag NO_SOURCE'
        raise ValueError(msg)
    centre, sma, eps, theta = profile_ellipses(profile, cutout)
    centre = tuple(float(c) for c in centre)
    ny, nx = cutout.shape
    if not (0 <= centre[0] < nx and 0 <= centre[1] < ny):
        msg = (f'its centre is at pixel ({centre[0]:.1f}, {centre[1]:.1f}), '
               f'outside the image of {nx} x {ny} pixels')
        raise ValueError(msg)
    theta = np.radians(theta)
    good = np.isfinite(sma) & np.isfinite(eps) & np.isfinite(theta)
    if np.count_nonzero(good) < 2:
        msg = ('it has less than two rings with an ellipticity and a '
               'position angle')
        raise ValueError(msg)
    geometry = InitialGeometry(
        str(profile.meta.get('fitter', type(initial).__name__)), centre,
        sma[good], np.clip(eps[good], 0.0, 0.95), theta[good],
        np.zeros(cutout.shape, bool), np.zeros(cutout.shape, bool))
    if fit is not None:
        if np.shape(fit.mask) == cutout.shape:
            geometry.others |= fit.mask & ~cutout.mask
        weight = getattr(fit, 'weight_map', lambda: None)()
        if weight is not None:
            geometry.low = low_weight(weight, geometry.centre, geometry.sma,
                                      geometry.eps, geometry.theta)
    return geometry
