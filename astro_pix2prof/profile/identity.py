# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell whether two profiles can be those of one galaxy, and be subtracted.
"""

import re

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

__all__ = ['centres_apart', 'magnitude_systems', 'unlike_names',
           'unlike_places']


# Centres on the sky that are so close (arcsec) are those of one galaxy, and
# so are those within this part of the last ring.
_APART, _PART = 5.0, 0.1


def centres_apart(metas, last=0.0):
    """
    Find how far the centres of profiles are apart on the sky.

    Parameters
    ----------
    metas : list of dict
        The meta of each profile.

    last : float, optional
        The radius of the last ring (arcsec).

    Returns
    -------
    apart : float or `None`
        The largest distance from the first (arcsec), 0 if it is not above
        that of errors; `None` if less than two have coordinates.
    """
    places = [(meta['ra'], meta['dec']) for meta in metas
              if {'ra', 'dec'} <= meta.keys()]
    if len(places) < 2:
        return None
    sky = SkyCoord(*np.transpose(places), unit='deg')
    apart = float(sky[0].separation(sky).max().arcsec)
    return apart if apart > max(_APART, _PART * last) else 0.0


def magnitude_systems(metas):
    """
    List the magnitude systems of profiles.

    Parameters
    ----------
    metas : list of dict
        The meta of each profile.

    Returns
    -------
    systems : list of str
        Those that are stated by calibrated profiles, each once.
    """
    return list(dict.fromkeys(
        str(meta['mag_system']) for meta in metas
        if meta.get('mag_system')
        and np.isfinite(meta.get('sb_zeropoint', 0.0))))


def unlike_places(one, other, radius):
    """
    Describe how the centres of two profiles disagree in pixels.

    Parameters
    ----------
    one, other : dict
        The meta of the profiles, of images without coordinates on the sky.

    radius : `~astropy.units.Quantity`
        The radius of the last ring.

    Returns
    -------
    text : str
        Empty if they agree, or cannot be compared.
    """
    scales = [meta.get('pixel_scale') for meta in (one, other)]
    keys = ('x_centre', 'y_centre')
    if any(key not in meta for key in keys for meta in (one, other)) or (
            None in scales and scales != [None, None]):
        return ''
    if None not in scales and abs(scales[0] / scales[1] - 1) > 0.01:
        return ''
    last = radius.value / (1.0 if radius.unit == u.pix else scales[0] or 1.0)
    first, second = ([meta[key] for key in keys] for meta in (one, other))
    if np.hypot(*np.subtract(first, second)) <= max(5.0, _PART * last):
        return ''
    return 'the centres are at pixels ' + ' and '.join(
        f'({x:.1f}, {y:.1f})' for x, y in (first, second))


def unlike_names(name, other):
    """
    Tell whether two names are those of two galaxies.

    Names of one galaxy in two bands, or before and after a step, share a
    part with a digit, such as 'ngc1300_g' and 'ngc1300_r'.

    Parameters
    ----------
    name, other : str
        The names, such as those of files.

    Returns
    -------
    unlike : bool
        Whether both have parts with digits, and share none.
    """
    parts = [{part for part in re.split(r'[^0-9a-z.+]+', str(text).lower())
              if re.search(r'\d', part)} for text in (name, other)]
    return all(parts) and not parts[0] & parts[1]
