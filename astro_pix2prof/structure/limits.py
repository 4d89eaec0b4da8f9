# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Limits: how faint an image goes, and what rings without signal tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astro_pix2prof.arguments import check_positive
from astro_pix2prof.profile.brightness import SB_UNIT, intensity_to_sb
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.flags import GalaxyFlag, RingFlag
from astro_pix2prof.profile.meta import intensity_scale, profile_meta

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.units import Quantity

__all__ = ['surface_brightness_limit', 'upper_limits']


def surface_brightness_limit(
        profile: QTable, *, n_sigma: float = 3.0,
        box: float | Quantity = 10 * u.arcsec) -> Quantity:
    """
    Calculate the surface-brightness limit of the image of a profile.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile; its meta holds the noise of the image.

    n_sigma : float, optional
        The significance.

    box : float or `~astropy.units.Quantity`, optional
        The side of the boxes, in arcsec.

    Returns
    -------
    limit : `~astropy.units.Quantity`
        The surface brightness (mag/arcsec2) whose mean in a box is
        ``n_sigma`` times its noise. Not-a-number if the profile is not
        calibrated or its noise is not known.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If ``n_sigma`` or ``box`` is not positive, or a box is smaller
        than a pixel.

    Notes
    -----
    The definition of Roman, Trujillo & Montes 2020, A&A 644, A42, appendix
    A, times the noise correlation of the image, which is 1 for white noise.
    The error of the sky level, which is common to all boxes, is not in it.

    Examples
    --------
    >>> from astro_pix2prof import (Pix2ProfFitter, load_example,
    ...                             surface_brightness_limit)
    >>> limit = surface_brightness_limit(Pix2ProfFitter()(load_example()))
    >>> print(f'{limit:.0f}')
    27 mag / arcsec2
    """
    n_sigma = check_positive(n_sigma, 'n_sigma')
    box = check_positive(box, 'box', unit=u.arcsec)
    meta = profile_meta(check_profile(profile))
    lacks = [key for key in ('noise', 'pixel_scale', 'sb_zeropoint')
             if not np.isfinite(meta.get(key, np.nan))]
    if lacks:
        return np.nan * SB_UNIT
    side = box / meta['pixel_scale']
    if side < 1:
        msg = (f'box must be at least a pixel, {meta["pixel_scale"]:g} '
               f'arcsec, got {box:g} arcsec')
        raise ValueError(msg)
    noise = (meta['noise'] * intensity_scale(meta) / side
             * meta.get('noise_correlation', 1.0))
    return float(intensity_to_sb(
        n_sigma * noise, zeropoint=meta['sb_zeropoint'])[0]) * SB_UNIT


def upper_limits(profile: QTable, *, n_sigma: float = 3.0) -> Quantity:
    """
    Calculate upper limits for the rings of a profile without signal.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile.

    n_sigma : float, optional
        The significance.

    Returns
    -------
    limits : `~astropy.units.Quantity`, shape (n,)
        For each ring whose intensity is less than ``n_sigma`` times its
        error, the surface brightness (mag/arcsec2) of the intensity, or of
        0 if that is negative, plus ``n_sigma`` errors: the light of the
        ring is fainter. Without a zero point, the limits are intensities,
        in the unit of that column. Not-a-number for the others, and for
        rings without an error or a usable pixel. For a galaxy that is not
        there (``NO_SOURCE``), all rings have limits.

    Raises
    ------
    TypeError
        If ``profile`` is not a profile table.

    ValueError
        If ``n_sigma`` is not positive.

    Examples
    --------
    >>> from astro_pix2prof import (Pix2ProfFitter, load_example,
    ...                             upper_limits)
    >>> profile = Pix2ProfFitter()(load_example())
    >>> profile['upper_limit'] = upper_limits(profile)
    >>> profile['upper_limit'][0]
    <Quantity nan mag / arcsec2>
    """
    n_sigma = check_positive(n_sigma, 'n_sigma')
    profile = check_profile(profile)
    meta = profile_meta(profile)
    value, error = (profile[name].value for name in ('intensity',
                                                     'intensity_err'))
    gone = bool(int(meta.get('flag', 0)) & GalaxyFlag.NO_SOURCE)
    unseen = (np.asarray(profile['flag']) & RingFlag.EXTRAPOLATED) != 0
    with np.errstate(invalid='ignore'):
        faint = (error > 0) & np.isfinite(value) & ~unseen & (
            gone | (value < n_sigma * error))
    most = np.where(faint, np.maximum(value, 0) + n_sigma * error, np.nan)
    zero = meta.get('sb_zeropoint', np.nan)
    if not np.isfinite(zero):
        return most * profile['intensity'].unit
    return intensity_to_sb(most, zeropoint=zero)[0] * SB_UNIT
