# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Reading of the meta of a profile, however a file format has spelt it.

FITS cuts keys of up to eight characters to upper case and drops dicts;
VOTable drops all meta but the descriptions of columns.
"""

from __future__ import annotations

import json
import numbers
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from astropy.table import QTable

__all__ = ['check_correlation', 'correlation_text', 'intensity_scale',
           'profile_correlation', 'profile_meta', 'profile_sky_err',
           'store_correlation']


# FITS and VOTable files of `write_profile` hold all meta and all units once
# more, as JSON under these keys.
META_KEY, UNIT_KEY = 'P2PMETA', 'P2PUNITS'

# Keys that the package reads: other spellings of them are understood.
_KEYS = frozenset((
    'fitter', 'version', 'weights', 'sha256', 'created', 'source', 'band',
    'unit', 'mag_system', 'zeropoint', 'sb_zeropoint', 'pixel_scale',
    'x_centre', 'y_centre', 'pa_frame', 'sky', 'sky_err', 'noise', 'flag',
    'ra', 'dec', 'correlation', 'initial', 'psf_fwhm', 'magnitude'))

_PARTS = ('length', 'smooth', 'common')

# The column whose description says how its errors are correlated.
_ERROR = 'surface_brightness_err'


def profile_meta(profile):
    """
    Collect the meta of a profile in the spelling of this package.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile, as a fitter, `~astro_pix2prof.read_profile` or
        ``QTable.read`` returns it.

    Returns
    -------
    meta : dict
        A copy, without the values that are `None`. The ``sb_zeropoint`` is
        found from the columns if the meta has none.
    """
    given = dict(profile.meta or {})
    given.pop(UNIT_KEY, None)
    spelling = {key: key for key in _KEYS}
    meta = {}
    stored = given.pop(META_KEY, None)
    if isinstance(stored, str):
        try:
            meta = dict(json.loads(stored))
        except ValueError:
            meta = {}
        spelling.update({key.lower(): key for key in meta})
    for key, value in given.items():
        # (what stands in the table may have been changed after reading)
        right = (key if key in meta or not isinstance(key, str)
                 else spelling.get(key.lower(), key))
        if right == key or right not in given:
            meta[right] = value
    # (such as the null of a JSON file: it is not known)
    meta = {key: value for key, value in meta.items() if value is not None}
    if 'sb_zeropoint' not in meta:
        zero = _zeropoint_of_columns(profile)
        if zero is not None:
            meta['sb_zeropoint'] = zero
    return meta


def _zeropoint_of_columns(profile):
    """
    Find the surface brightness (mag/arcsec2) of an intensity of 1.
    """
    try:
        value, sb = (np.ma.filled(np.ma.masked_invalid(
            np.asarray(getattr(profile[name], 'value', profile[name]),
                       dtype=float)), np.nan)
            for name in ('intensity', 'surface_brightness'))
    except (KeyError, TypeError, ValueError):
        return None
    if value.shape != sb.shape:
        return None
    good = np.isfinite(sb) & (value > 0)
    if not good.any():
        return None
    return float(np.median(sb[good] + 2.5 * np.log10(value[good])))


def _parse(text):
    """
    Read a correlation: ``length=0.8 smooth=0.6 common=0.3``, or JSON.
    """
    if text.lstrip().startswith('{'):
        try:
            return json.loads(text)
        except ValueError:
            return text
    found = dict(re.findall(r'(\w+)=(\S+)', text))
    try:
        return {name: float(found[name]) for name in _PARTS}
    except (KeyError, ValueError):
        return text


def profile_correlation(profile: QTable) -> dict[str, Any] | None:
    """
    Find the correlation of the errors of a profile's rings.

    The correlation of the rings at the semi-major axes a and b is
    ``common + smooth exp(-abs(ln(a / b)) / length)``.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile. Its ``meta['correlation']`` may be text or a dict, in
        upper or lower case; without it, the description of the column
        ``surface_brightness_err`` is read, which VOTable files keep.

    Returns
    -------
    correlation : dict or `None`
        'length' (in the natural logarithm of the radius), 'smooth' and
        'common'. `None` if the rings are independent but for the error of
        the sky, or the correlation is not known.

    Raises
    ------
    ValueError
        If there is a correlation that cannot be understood, or its values
        are out of range.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from astro_pix2prof.profile import profile_correlation
    >>> profile_correlation(QTable(meta={
    ...     'correlation': 'length=0.8 smooth=0.6 common=0.3'}))
    {'length': 0.8, 'smooth': 0.6, 'common': 0.3}
    """
    correlation = profile_meta(profile).get('correlation')
    if correlation is None and _ERROR in profile.colnames:
        text = profile[_ERROR].info.description or ''
        if all(f'{name}=' in text for name in _PARTS):
            correlation = text
    if correlation is None:
        return None
    return dict(zip(_PARTS, check_correlation(correlation), strict=True))


def profile_sky_err(profile):
    """
    Find the error of the sky that all rings of a profile share.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        A profile. Without ``meta['sky_err']``, the description of the
        column ``surface_brightness_err`` is read, which VOTable files keep.

    Returns
    -------
    sky_err : float
        In the unit of ``profile['intensity']``, 0 if it is not known.
    """
    meta = profile_meta(profile)
    if 'sky_err' in meta:
        return abs(meta['sky_err']) * intensity_scale(meta)
    if _ERROR in profile.colnames:
        found = re.search(r'\bsky=(\S+)',
                          profile[_ERROR].info.description or '')
        if found:
            try:
                return float(found[1])
            except ValueError:
                return 0.0
    return 0.0


def intensity_scale(meta):
    """
    Calculate the intensity per unit of area of a pixel value of 1.

    Parameters
    ----------
    meta : dict
        The meta of a profile.

    Returns
    -------
    scale : float
    """
    scale = meta.get('pixel_scale', 1.0)**-2
    if 'zeropoint' in meta and 'sb_zeropoint' in meta:
        # Pixels may hold the flux of others (native_pixel_scale), or a
        # surface brightness.
        scale *= 10**(0.4 * (meta['sb_zeropoint'] - meta['zeropoint']))
    return scale


def check_correlation(correlation):
    """
    Check a correlation of rings and take it apart.

    Parameters
    ----------
    correlation : dict or str
        'length', 'smooth' and 'common', or text with these.

    Returns
    -------
    length, smooth, common : float

    Raises
    ------
    ValueError
        If the correlation cannot be understood, or its values are out of
        range.
    """
    if isinstance(correlation, str):
        correlation = _parse(correlation)
    try:
        values = [correlation[name] for name in _PARTS]
    except (KeyError, TypeError, IndexError) as error:
        msg = ("meta['correlation'] must be a dict with 'length', 'smooth' "
               f"and 'common', or their text, got {correlation!r}")
        raise ValueError(msg) from error
    real = all(isinstance(v, numbers.Real) and not isinstance(v, bool)
               and np.isfinite(v) for v in values)
    # a sum of rounded numbers may exceed 1 by as much
    if not real or not (values[0] > 0 and values[1] >= 0 and values[2] >= 0
                        and values[1] + values[2] <= 1 + 1e-3):
        msg = ("meta['correlation'] must have a positive 'length', and "
               "'smooth' and 'common' from 0 on with a sum of at most 1, "
               f'got {correlation!r}')
        raise ValueError(msg)
    return tuple(float(v) for v in values)


def correlation_text(correlation):
    """
    Write the correlation of rings as text.

    Parameters
    ----------
    correlation : dict or str
        'length', 'smooth' and 'common', or text with these.

    Returns
    -------
    text : str
        Such as ``length=0.8 smooth=0.6 common=0.3``, which fits into one
        card of a FITS header.

    Raises
    ------
    ValueError
        If the correlation cannot be understood, or its values are out of
        range.
    """
    # Five digits: the card is not too long, whatever the exponents are.
    return ' '.join(f'{name}={value:.5g}' for name, value in zip(
        _PARTS, check_correlation(correlation), strict=True))


def store_correlation(profile, correlation):
    """
    Write the correlation of the rings into the meta of a profile.

    It is text, since FITS drops a dict, and goes into the description of
    the column of errors as well, with the error of the sky, since VOTable
    drops the meta.

    Parameters
    ----------
    profile : `~astropy.table.QTable`
        The profile, which is changed.

    correlation : dict or str or `None`
        'length', 'smooth' and 'common', or text with these; `None` leaves
        the profile as it is.

    Raises
    ------
    ValueError
        If the correlation cannot be understood, or its values are out of
        range.
    """
    if correlation is None:
        return
    text = correlation_text(correlation)
    profile.meta['correlation'] = text
    if _ERROR in profile.colnames:
        sky = profile_sky_err(profile)
        profile[_ERROR].info.description = (
            f'correlated along radius: {text}'
            + (f' sky={float(sky)!r}' if sky else ''))
