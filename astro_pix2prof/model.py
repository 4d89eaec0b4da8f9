# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The image of a galaxy that a profile describes.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from scipy.interpolate import PchipInterpolator

from astro_pix2prof.annuli import ellipse_model
from astro_pix2prof.astrometry import sky_to_pixel
from astro_pix2prof.cutout import GalaxyCutout

__all__ = ['given_ellipses', 'model_image', 'profile_ellipses']


def profile_ellipses(profile, cutout):
    """
    Find the ellipses of a profile in the pixels of an image.

    A profile whose centre and position angles are known on the sky may
    come from any other image of the galaxy.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    centre : tuple of 2 floats
        The centre (x, y) in pixels of the cutout.

    sma, ellipticity, theta : 1D `~numpy.ndarray`
        Semi-major axis in pixels, ellipticity, and angle in degrees
        counter-clockwise from the +x axis.

    Raises
    ------
    ValueError
        If the position angles or the radii of the profile refer to the
        sky, and the image has no WCS or no pixel scale.
    """
    meta = profile.meta
    on_sky = meta.get('pa_frame', 'pixel') == 'sky'
    if on_sky and cutout.wcs is None:
        msg = ('the profile has position angles on the sky, but the image has '
               'no celestial WCS: give the image that was measured')
        raise ValueError(msg)
    if on_sky and 'ra' in meta and 'dec' in meta:
        coord = SkyCoord(meta['ra'], meta['dec'], unit='deg')
        centre = sky_to_pixel(cutout.wcs, coord)
    else:
        centre = (meta['x_centre'] - cutout.origin[0],
                  meta['y_centre'] - cutout.origin[1])
    radius = u.Quantity(profile['radius'])
    if radius.unit.is_equivalent(u.pix):
        sma = radius.to_value(u.pix)
    elif cutout.pixel_scale is None:
        msg = ('the profile has radii on the sky, but the image has no pixel '
               'scale: give a WCS or pixel_scale=')
        raise ValueError(msg)
    else:
        sma = radius.to_value(u.arcsec) / cutout.pixel_scale
    pa = u.Quantity(profile['pa']).to_value(u.deg)
    theta = cutout.from_sky_pa(pa) if on_sky else pa % 180
    ellipticity = np.asarray(profile['ellipticity'], dtype=float)
    return centre, sma, ellipticity, theta


def given_ellipses(geometry, cutout):
    """
    Find the ellipses on which an image is to be measured.

    Parameters
    ----------
    geometry : `~astropy.table.QTable`
        A profile of the same galaxy.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    centre, sma, ellipticity, theta
        As `profile_ellipses` returns them.

    Raises
    ------
    ValueError
        As `profile_ellipses`; if the centre lies outside the image; or if
        the profile has radii in pixels and the image has a pixel scale.
    """
    if (geometry['radius'].unit == u.pix) != (cutout.pixel_scale is None):
        msg = (f'geometry has radii in {geometry["radius"].unit} but the '
               f'image has a radius unit of {cutout.radius_unit}; measure '
               'both with a pixel scale or both without')
        raise ValueError(msg)
    if geometry.meta.get('pa_frame') == 'sky' and cutout.wcs is None:
        msg = ('geometry has position angles on the sky but the image has '
               'no WCS; give the image its WCS')
        raise ValueError(msg)
    centre, *ellipses = profile_ellipses(geometry, cutout)
    centre = tuple(float(c) for c in centre)
    ny, nx = cutout.shape
    if not (0 <= centre[0] < nx and 0 <= centre[1] < ny):
        msg = (f'geometry has its centre at pixel ({centre[0]:.1f}, '
               f'{centre[1]:.1f}), outside the image of {nx} x {ny} pixels; '
               'give a profile of the same galaxy and images on the same '
               'pixels or with a WCS')
        raise ValueError(msg)
    return centre, *ellipses


def model_image(profile, image, **options):
    """
    Make the image that is constant along the ellipses of a profile.

    Subtracted from the image, it shows what the profile leaves out: arms,
    bars, companions, and errors of the fit. It does what
    `photutils.isophote.build_ellipse_model` does for an isophote list.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    image : image of any kind
        The image that was measured, or another of the same galaxy with the
        same unit: see `~astro_pix2prof.GalaxyCutout`.

    **options
        The options of `~astro_pix2prof.GalaxyCutout`.

    Returns
    -------
    model : 2D `~numpy.ndarray`
        The model in the unit of the image, without the sky; zero beyond the
        last ring.

    Raises
    ------
    ValueError
        If the profile has less than two finite intensities, or not in the
        unit of the image.

    Examples
    --------
    >>> from astro_pix2prof import load_example, load_example_truth
    >>> from astro_pix2prof import model_image
    >>> image, truth = load_example(), load_example_truth()
    >>> model = model_image(truth, image)
    >>> model.shape
    (256, 256)
    """
    cutout = GalaxyCutout.from_any(image, **options)
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
    sma, value, ellipticity, theta = (
        column[good] for column in (sma, value, ellipticity, theta))
    # The model interpolates linearly between its ellipses, but a galaxy is
    # convex: put more ellipses between those of the profile.
    fine = np.unique(np.concatenate(
        [sma, np.arange(sma[0], sma[-1], 0.5)]))
    twice = np.radians(2 * theta)
    e1 = np.interp(fine, sma, ellipticity * np.cos(twice))
    e2 = np.interp(fine, sma, ellipticity * np.sin(twice))
    fine_value = _interpolate(sma, value, fine)
    return ellipse_model(cutout.shape, centre, fine, np.hypot(e1, e2),
                         0.5 * np.arctan2(e2, e1), fine_value)


def _interpolate(sma, value, fine):
    """
    Interpolate a profile without overshoot.
    """
    # asinh is a logarithm for the bright rings, and takes the noise around
    # zero as it is
    scale = max(1e-3 * np.max(np.abs(value)), np.finfo(float).tiny)
    return scale * np.sinh(PchipInterpolator(
        sma, np.arcsinh(value / scale))(fine))
