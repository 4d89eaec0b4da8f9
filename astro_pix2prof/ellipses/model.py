# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Images made from the ellipses and values of a profile.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import map_coordinates

from astro_pix2prof.ellipses.geometry import (
    profile_ellipses,
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.image.cutout import GalaxyCutout
from astro_pix2prof.profile.identity import unlike_names
from astro_pix2prof.profile.interpolation import interpolate_intensity
from astro_pix2prof.profile.meta import profile_meta

if TYPE_CHECKING:
    from typing import Any

    from astropy.table import QTable

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.typing import ImageLike

__all__ = ['cutout_model', 'ellipse_model', 'elliptical_radius',
           'light_at', 'model_image', 'radius_at', 'ring_model', 'ring_values']


# Flatter ellipses (ellipticity) than this are taken as this flat.
_FLATTEST = 0.97


def elliptical_radius(shape, centre, sma, eps, theta, *, n_iter=4):
    """
    Calculate the semi-major axis (pixels) of the ellipse at each pixel.

    The ellipses' shape may change with radius; where they would cross,
    the result is one of the possible values.

    Parameters
    ----------
    shape : tuple of 2 ints
        The shape (ny, nx) of the image.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    sma, eps, theta : 1D `~numpy.ndarray`, shape (n,)
        Semi-major axis in pixels (increasing), ellipticity, and angle in
        radians counter-clockwise from +x.

    n_iter : int, optional
        Steps of the fixed-point iteration.

    Returns
    -------
    radius : 2D `~numpy.ndarray`, shape (ny, nx)
        Pixels.
    """
    x = np.arange(shape[1]) - float(centre[0])
    y = (np.arange(shape[0]) - float(centre[1]))[:, None]
    return radius_at(x, y, sma, eps, theta, n_iter=n_iter)


def radius_at(x, y, sma, eps, theta, *, n_iter=4):
    """
    Calculate the semi-major axis (pixels) of the ellipse at some places.

    Parameters
    ----------
    x, y : `~numpy.ndarray`
        Distances from the centre in pixels, which are broadcast.

    sma, eps, theta, n_iter
        As for `elliptical_radius`.

    Returns
    -------
    radius : `~numpy.ndarray`
        Pixels.
    """
    e1, e2 = shape_to_components(eps, theta)
    # With the double angle, an ellipse takes no functions but roots:
    # (x c + y s)^2 = half the sum of total, even cos(2 theta) and
    # odd sin(2 theta)
    total, even, odd = x**2 + y**2, x**2 - y**2, 2 * x * y
    radius = np.sqrt(total)
    both = e1 + 1j * e2
    for _ in range(n_iter if np.ptp(e1) + np.ptp(e2) > 1e-6 else 1):
        # Clip: outside the table the outermost shape goes on. (As one complex
        # number, both components take one search.)
        shape = np.interp(radius, sma, both)
        one, two = shape.real, shape.imag
        turned = even * one
        turned += odd * two
        flat = one * one
        two = two * two
        flat += two
        flat = np.sqrt(flat, out=flat)
        turned /= np.maximum(flat, np.finfo(float).tiny)
        q = np.subtract(1, np.minimum(flat, _FLATTEST, out=flat), out=flat)
        q *= q
        shorter = np.subtract(total, turned, out=two)
        shorter /= q
        turned += total
        turned += shorter
        turned *= 0.5
        radius = np.sqrt(turned, out=turned)
    return radius


def ellipse_model(shape, centre, sma, eps, theta, intensity):
    """
    Make an image that is constant along ellipses.

    Parameters
    ----------
    shape, centre, sma, eps, theta
        As for `elliptical_radius`.

    intensity : 1D `~numpy.ndarray`, shape (n,)
        The value on each ellipse; the outermost goes on linearly to zero
        over a tenth of the largest semi-major axis.

    Returns
    -------
    model : 2D `~numpy.ndarray`, shape (ny, nx)
    """
    return light_at(elliptical_radius(shape, centre, sma, eps, theta), sma,
                    intensity)


def light_at(radius, sma, intensity):
    """
    Interpolate the values on ellipses, as in `ellipse_model`.

    Parameters
    ----------
    radius : `~numpy.ndarray`
        The semi-major axes (pixels) of the ellipses through some places.

    sma, intensity : 1D `~numpy.ndarray`, shape (n,)
        As for `ellipse_model`.

    Returns
    -------
    light : `~numpy.ndarray`
    """
    return np.interp(radius, np.append(sma, 1.1 * sma[-1] + 1),
                     np.append(intensity, 0.0))


def ring_values(shape, centre, sma, eps, theta, values, good):
    """
    Make an image from values at points along ellipses.

    Parameters
    ----------
    shape, centre, sma, eps, theta
        As for `elliptical_radius`.

    values : 2D `~numpy.ndarray`, shape (n, n_angle)
        Values at points that are evenly spaced in the eccentric anomaly;
        the first lies where the direction from +x, measured in the plane
        in which the ellipse is a circle, is zero.

    good : 2D bool `~numpy.ndarray`, shape (ny, nx)
        Pixels to give a value.

    Returns
    -------
    image : 2D `~numpy.ndarray`, shape (ny, nx)
        NaN beyond the last ellipse and where not ``good``.
    """
    radius = elliptical_radius(shape, centre, sma, eps, theta)
    good = good & (radius <= sma[-1])
    radius = radius[good]
    y, x = np.nonzero(good)
    x, y = x - centre[0], y - centre[1]
    flat, angle = shape_from_components(*(
        np.interp(radius, sma, part)
        for part in shape_to_components(eps, theta)))
    q = 1 - np.minimum(flat, _FLATTEST)
    c, s = np.cos(angle), np.sin(angle)
    anomaly = np.arctan2((y * c - x * s) / q, x * c + y * s) + angle
    n_angle = values.shape[1]
    row = np.interp(radius, sma, np.arange(len(sma)))
    column = np.mod(anomaly / (2 * np.pi) * n_angle, n_angle)
    image = np.full(shape, np.nan)
    # the last column is the first again
    image[good] = map_coordinates(
        np.hstack([values, values[:, :1]]), [row, column], order=1,
        mode='nearest')
    return image


def model_image(profile: QTable | ProfileFit, image: ImageLike | None = None,
                **options: Any) -> np.ndarray:
    """
    Make the image that is constant along the ellipses of a profile.

    Subtracted from the image, it shows what the profile leaves out: arms,
    bars, companions, and errors of the fit. It does what
    `photutils.isophote.build_ellipse_model` does for an isophote list.

    Parameters
    ----------
    profile : `~astropy.table.QTable` or `~astro_pix2prof.ProfileFit`
        The profile, or the result of the method ``fit`` of a fitter.

    image : image of any kind, optional
        The image that was measured, or another of the same galaxy with the
        same unit: see `~astro_pix2prof.GalaxyCutout`. By default, that of
        the fit.

    **options
        The options of `~astro_pix2prof.GalaxyCutout`.

    Returns
    -------
    model : 2D `~numpy.ndarray`
        The model in the unit of the image, without the sky; zero beyond the
        last ring.

    Raises
    ------
    TypeError
        If there is no image.

    ValueError
        If the profile has less than two finite intensities, or not in the
        unit of the image, or none of its ellipses reaches into the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the image has no WCS, and its name tells that the profile may be
        that of another galaxy.

    Examples
    --------
    >>> from astro_pix2prof import load_example, load_example_truth
    >>> from astro_pix2prof import model_image
    >>> image, truth = load_example(), load_example_truth()
    >>> model = model_image(truth, image)
    >>> model.shape
    (256, 256)
    """
    fit = profile if hasattr(profile, 'cutout') else None
    profile = profile if fit is None else fit.profile
    if image is None:
        if fit is None:
            msg = ('image must be the image that was measured, got none: only '
                   'a fit, fitter.fit(image), has its own')
            raise TypeError(msg)
        image = fit.cutout
    cutout = GalaxyCutout.from_any(image, **options)
    _warn_of_names(profile, cutout)
    return cutout_model(profile, cutout)


def cutout_model(profile, cutout):
    """
    Make the model of a cut-out that is known to be of the galaxy.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    model : 2D `~numpy.ndarray`
        As of `model_image`.
    """
    centre, sma, ellipticity, theta = profile_ellipses(profile, cutout)
    intensity = u.Quantity(profile['intensity'])
    try:
        value = intensity.to_value(cutout.intensity_unit)
    except u.UnitConversionError:
        msg = (f'the profile has intensities in {intensity.unit}, but the '
               f'image needs {cutout.intensity_unit}: give the image that '
               'was measured')
        raise ValueError(msg) from None
    value = value / cutout.intensity_scale
    good = np.isfinite(value) & np.isfinite(sma + ellipticity + theta)
    if np.count_nonzero(good) < 2:
        msg = ('the profile needs at least two rings of finite intensity to '
               f'make a model, got {np.count_nonzero(good)}')
        raise ValueError(msg)
    _check_reach(cutout, centre, sma[good][-1])
    return ring_model(cutout.shape, centre, *(
        column[good] for column in (sma, value, ellipticity, theta)))


def _warn_of_names(profile, cutout):
    """
    Warn of an image without WCS whose name is that of another galaxy.
    """
    meta = profile_meta(profile) if hasattr(profile, 'meta') else {}
    source, name = meta.get('source') or '', cutout.name or ''
    if cutout.wcs is None and unlike_names(source, name):
        warnings.warn(f'the profile is of {source!r} and the image of '
                      f'{name!r}: if these are two galaxies, the model is of '
                      'no use; give the image that was measured',
                      AstropyUserWarning, stacklevel=3)


def _check_reach(cutout, centre, last):
    """
    Refuse ellipses that lie outside of an image.
    """
    beyond = [max(-at, at - (n - 1), 0.0) for at, n in zip(
        centre, cutout.shape[::-1], strict=True)]
    if not np.hypot(*beyond) <= last + 1:
        ny, nx = cutout.shape
        msg = (f'the profile has its centre at pixel ({centre[0]:.1f}, '
               f'{centre[1]:.1f}) and its last ring {last:.1f} pixels from '
               f'there, all outside the image of {nx} x {ny} pixels: give '
               'the image that was measured, or the profile of this galaxy')
        raise ValueError(msg)


def ring_model(shape, centre, sma, value, ellipticity, theta):
    """
    Make the image that is constant along ellipses.

    Parameters
    ----------
    shape : tuple of int
        The shape (ny, nx).

    centre : tuple of float
        The centre (x, y) in pixels.

    sma, value, ellipticity, theta : 1D `~numpy.ndarray`
        Semi-major axes in pixels, values there, ellipticities, and angles
        in degrees from +x.

    Returns
    -------
    model : 2D `~numpy.ndarray`
        Zero beyond the last ellipse.
    """
    # The model interpolates linearly between its ellipses, but a galaxy is
    # convex: put more ellipses between those of the profile.
    fine = np.unique(np.concatenate(
        [sma, np.minimum(np.arange(sma[0], sma[-1], 0.5), sma[-1])]))
    eps, angle = shape_from_components(*(
        np.interp(fine, sma, part)
        for part in shape_to_components(ellipticity, np.radians(theta))))
    return ellipse_model(shape, centre, fine, eps, angle,
                         interpolate_intensity(sma, value, fine))
