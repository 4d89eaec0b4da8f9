# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Shapes of ellipses, and the ellipses of a profile.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.image.astrometry import sky_to_pixel
from astro_pix2prof.profile.checks import check_profile

__all__ = ['check_centre', 'given_ellipses', 'profile_ellipses',
           'shape_from_components', 'shape_to_components']


def shape_to_components(ellipticity, theta):
    """
    Convert ellipticity and angle to components that may be averaged.

    Parameters
    ----------
    ellipticity : float or `~numpy.ndarray`
        Ellipticity 1 - b/a.

    theta : float or `~numpy.ndarray`
        Angle of the major axis in radians; half turns make no difference.

    Returns
    -------
    e1, e2 : float or `~numpy.ndarray`
        ``ellipticity`` times cosine and sine of ``2 theta``.
    """
    return ellipticity * np.cos(2 * theta), ellipticity * np.sin(2 * theta)


def shape_from_components(e1, e2):
    """
    Convert the components of a shape to ellipticity and angle.

    Parameters
    ----------
    e1, e2 : float or `~numpy.ndarray`
        The components: see `shape_to_components`.

    Returns
    -------
    ellipticity : float or `~numpy.ndarray`
        Ellipticity 1 - b/a.

    theta : float or `~numpy.ndarray`
        Angle of the major axis in radians, from -pi/2 to pi/2.
    """
    return np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)


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
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If the position angles or the radii of the profile refer to the
        sky, and the image has no WCS or no pixel scale, or the meta has no
        centre.
    """
    profile = check_profile(profile)
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
        lacks = [key for key in ('x_centre', 'y_centre') if key not in meta]
        if lacks:
            msg = (f'the meta of the profile must have {" and ".join(lacks)}, '
                   'the centre in pixels, which CSV files do not keep: read '
                   'it from an ECSV, FITS, Parquet or VOTable file')
            raise ValueError(msg)
        centre = (meta['x_centre'] - cutout.origin[0],
                  meta['y_centre'] - cutout.origin[1])
    radius = profile['radius']
    if radius.unit == u.pix:
        sma = radius.value
    elif cutout.pixel_scale is None:
        msg = ('the profile has radii on the sky, but the image has no pixel '
               'scale: give a WCS or pixel_scale=')
        raise ValueError(msg)
    else:
        sma = radius.value / cutout.pixel_scale
    pa = profile['pa'].value
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
        As `profile_ellipses`; if the centre lies outside the image; if the
        profile has radii in pixels and the image has a pixel scale; or if
        no ring has an ellipticity.
    """
    geometry = check_profile(geometry, 'geometry', ordered=True)
    check_radii(geometry, cutout)
    on_sky = geometry.meta.get('pa_frame') == 'sky'
    if on_sky and cutout.wcs is None:
        msg = ('geometry has position angles on the sky but the image has '
               'no WCS; give the image its WCS')
        raise ValueError(msg)
    centre, *ellipses = profile_ellipses(geometry, cutout)
    if not np.isfinite(ellipses[1]).any():
        msg = ('geometry must have ellipticities, got none that is finite: '
               'profiles along an axis have no ellipses; give the profile of '
               'the whole galaxy')
        raise ValueError(msg)
    place = [geometry.meta.get(key, np.nan) for key in ('ra', 'dec')]
    if on_sky and np.isfinite(place).all() > np.isfinite(centre).all():
        msg = (f'geometry has its centre at {place[0]:.5f}d {place[1]:.5f}d, '
               'on another part of the sky than the image: give a profile of '
               'the same galaxy')
        raise ValueError(msg)
    return check_centre(centre, cutout), *ellipses


def has_centre(profile):
    """
    Tell whether the meta of a profile has a centre.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    Returns
    -------
    result : bool
    """
    meta = profile.meta
    on_sky = meta.get('pa_frame') == 'sky' and {'ra', 'dec'} <= set(meta)
    return on_sky or {'x_centre', 'y_centre'} <= set(meta)


def check_radii(geometry, cutout):
    """
    Check that the radii of a profile are of the kind that an image has.

    Parameters
    ----------
    geometry : `~astropy.table.QTable`
        The profile.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Raises
    ------
    ValueError
        If one has radii in pixels and the other on the sky.
    """
    unit = getattr(geometry['radius'], 'unit', None)
    if (unit == u.pix) != (cutout.pixel_scale is None):
        msg = (f'geometry has radii in {unit} but the image has a radius '
               f'unit of {cutout.radius_unit}; measure both with a pixel '
               'scale or both without')
        raise ValueError(msg)


def check_centre(centre, cutout):
    """
    Check that a given centre lies in the image.

    Parameters
    ----------
    centre : tuple of 2 floats
        The centre (x, y) in pixels of the cutout.

    cutout : `~astro_pix2prof.GalaxyCutout`
        The image.

    Returns
    -------
    centre : tuple of 2 floats

    Raises
    ------
    ValueError
        If it lies outside.
    """
    centre = tuple(float(c) for c in centre)
    ny, nx = cutout.shape
    if not (0 <= centre[0] < nx and 0 <= centre[1] < ny):
        msg = (f'geometry has its centre at pixel ({centre[0]:.1f}, '
               f'{centre[1]:.1f}), outside the image of {nx} x {ny} pixels; '
               'give a profile of the same galaxy and images on the same '
               'pixels or with a WCS')
        raise ValueError(msg)
    return centre
