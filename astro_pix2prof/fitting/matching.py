# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of several bands as a common point-spread function shows them.
"""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astro_pix2prof.profile.brightness import (
    SB_UNIT,
    curve_of_growth,
    intensity_to_sb,
    sb_to_intensity,
)
from astro_pix2prof.profile.flags import (
    LARGE_CORRECTION,
    GalaxyFlag,
    RingFlag,
)
from astro_pix2prof.profile.meta import profile_meta

__all__ = ['as_seen', 'match_profiles', 'read_psfs']


# What is not known of a correction, as a part of it.
_UNKNOWN = 0.15


def read_psfs(psf, bands):
    """
    Read the point-spread function of each band.

    Parameters
    ----------
    psf : dict or `None`
        For each band, by its name, what `~astro_pix2prof.PSF` takes.

    bands : list of str
        The bands.

    Returns
    -------
    psfs : dict of `~astro_pix2prof.PSF` or `None`

    Raises
    ------
    TypeError
        If ``psf`` is not a dict, or a PSF of an unknown kind.

    ValueError
        If a band has none or an unknown band has one, or a PSF cannot be
        used.
    """
    if psf is None:
        return None
    from astro_pix2prof.psf.model import PSF

    if not isinstance(psf, dict):
        msg = ("psf must be a dict with the PSF of each band, such as "
               f"{{'{bands[0]}': 1.4}}, got {type(psf).__name__}")
        raise TypeError(msg)
    if set(psf) != set(bands):
        msg = (f'psf must have a PSF for each of the bands {bands}, got '
               f'{list(psf)}')
        raise ValueError(msg)
    return {band: one if isinstance(one, PSF) else PSF(one)
            for band, one in psf.items()}


def match_profiles(profiles, psfs, shape_of):
    """
    Calculate how much fainter each profile is behind the broadest PSF.

    The profile of each band is sharpened and smeared again, on the rings
    where it was measured. Only the ratio of the two smeared profiles is used,
    which hardly depends on details that the PSF hides.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profiles, on the same ellipses on the sky.

    psfs : dict of `~astro_pix2prof.PSF`
        The point-spread functions.

    shape_of : tuple of `~astropy.table.QTable` and str
        The profile from which the ellipses come, and the band whose PSF it
        has.

    Returns
    -------
    changes : dict of tuple of 2 1D `~numpy.ndarray`
        What has to be added to the surface brightness of each band (mag),
        and its error; not-a-number where there is none.

    broadest : str
        The band with the broadest PSF.
    """
    from astro_pix2prof.psf.deconvolution import sharpen_rings
    from astro_pix2prof.psf.rings import RingConvolution

    sampled = {band: _sampled(psfs[band], profile)
               for band, profile in profiles.items()}
    broadest = max(sampled, key=lambda band: sampled[band].fwhm)
    table, band = shape_of
    # (of a geometry that was measured in none of the bands alone)
    band = band if band in psfs else broadest
    use, columns = _columns(table)
    forced = bool(profile_meta(table).get('flag', 0) & GalaxyFlag.FORCED)
    shape = None
    if use.sum() >= 5:
        shape = sharpen_rings(_sampled(psfs[band], table), *columns,
                              forced=forced).shape
    changes = {}
    for name, profile in profiles.items():
        use, columns = _columns(profile)
        change = np.full(len(profile), np.nan)
        if name == broadest:
            change[:] = 0.0
        elif shape is not None and use.sum() >= 5:
            own = sharpen_rings(sampled[name], *columns, shape=shape)
            sma, _, _, eps, theta = columns
            # (on the nodes of its own, interpolated in the logarithm)
            broad = RingConvolution(sampled[broadest], sma, eps, theta,
                                    shape)
            intensity = np.exp(np.interp(
                np.log(broad.nodes), np.log(own.rings.nodes),
                np.log(own.intensity)))
            with np.errstate(divide='ignore', invalid='ignore'):
                change[use] = -2.5 * np.log10(
                    (broad.matrix @ intensity)
                    / (own.rings.matrix @ own.intensity))
        changes[name] = change, _UNKNOWN * np.abs(change)
    return changes, broadest


def as_seen(profile, change, error):
    """
    Change the brightness of a profile to that behind another PSF.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    change, error : 1D `~numpy.ndarray`
        What to add to its surface brightness (mag), and the error of that;
        not-a-number where there is no signal.

    Returns
    -------
    seen : `~astropy.table.QTable`
        A copy, in which surface brightness and enclosed magnitude, their
        errors and the flags are those behind that PSF.
    """
    change, error = np.nan_to_num(change), np.nan_to_num(error)
    seen = QTable(profile, copy=True)
    seen['surface_brightness'] = profile['surface_brightness'] + (
        change * SB_UNIT)
    seen['surface_brightness_err'] = np.hypot(
        profile['surface_brightness_err'].value, error) * SB_UNIT
    if 'mag_enclosed' in profile.colnames and change.any():
        _move_enclosed(seen, profile, change)
    # All bands have the same PSF now.
    flag = np.array(profile['flag']) & ~int(RingFlag.UNRESOLVED)
    flag[np.abs(change) > LARGE_CORRECTION] |= RingFlag.PSF_CORRECTED
    seen['flag'] = flag
    return seen


def _move_enclosed(seen, profile, change):
    """
    Move the light within the rings as that of the rings.
    """
    zero = profile_meta(profile).get('sb_zeropoint', np.nan)
    value = np.nan_to_num(profile['intensity'].value)
    more = curve_of_growth(
        profile['radius'].value, value * (10**(-0.4 * change) - 1),
        np.asarray(profile['ellipticity'], dtype=float))
    old = profile['mag_enclosed'].value
    flux = sb_to_intensity(old, zeropoint=zero)[0] + more
    moved = intensity_to_sb(flux, zeropoint=zero)[0]
    seen['mag_enclosed'] = moved * u.mag
    if 'mag_enclosed_err' in profile.colnames:
        off = np.nan_to_num(moved - old)
        seen['mag_enclosed_err'] = np.hypot(
            profile['mag_enclosed_err'].value, _UNKNOWN * off) * u.mag


def _sampled(psf, profile):
    """
    Sample a PSF in the unit of the radii, averaged in azimuth.

    Bands may be turned against each other.
    """
    scale = profile_meta(profile).get('pixel_scale')
    in_pixels = profile['radius'].unit == u.pix
    return psf.sampled(None if in_pixels else scale).rounded()


def _columns(profile):
    """
    Choose the rings with a signal, and their columns as plain arrays.
    """
    value = profile['intensity'].value
    error = np.nan_to_num(profile['intensity_err'].value)
    with np.errstate(invalid='ignore', divide='ignore'):
        snr = np.where(error > 0, value / error, 1e3)
        use = np.isfinite(value) & (snr > 1)
    eps = np.nan_to_num(np.asarray(profile['ellipticity'], dtype=float))
    theta = np.radians(np.nan_to_num(profile['pa'].value))
    if use.any():
        use = np.isfinite(value) & (
            np.arange(len(value)) <= np.nonzero(use)[0][-1])
    return use, [part[use] for part in (
        profile['radius'].value, value, snr, eps, theta)]
