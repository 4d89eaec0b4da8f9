# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Columns of profiles, as figures need them.
"""

import astropy.units as u
import numpy as np

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import RingFlag

__all__ = []


# Rings whose ellipse was not fitted there, and rings whose value needs care.
_CARRIED = (RingFlag.EXTENDED | RingFlag.INTERPOLATED
            | RingFlag.FIXED_GEOMETRY)

_DOUBTFUL = (RingFlag.NEGATIVE | RingFlag.LOW_SNR | RingFlag.FEW_PIXELS
             | RingFlag.SATURATED | RingFlag.EDGE | RingFlag.EXTRAPOLATED)


def _plain(profile, name):
    """
    Return the values of a column, not-a-number if there is none.
    """
    if name not in profile.colnames:
        return np.full(len(profile), np.nan)
    column = u.Quantity(profile[name])
    return np.asarray(column.value, dtype=float)


def _ring_flags(profile):
    if 'flag' not in profile.colnames:
        return np.zeros(len(profile), dtype=int)
    return np.asarray(profile['flag'], dtype=int)


def _is_calibrated(profile):
    return bool(np.any(np.isfinite(_plain(profile, 'surface_brightness'))))


def _brightness(profile):
    """
    Return radius, surface brightness (or intensity) and its error.
    """
    name = 'surface_brightness' if _is_calibrated(profile) else 'intensity'
    return (_plain(profile, 'radius'), _plain(profile, name),
            _plain(profile, f'{name}_err'))


def _unit_text(profile):
    unit = u.Quantity(profile['radius']).unit
    return 'pixel' if unit == u.pix else str(unit)


def _band_text(profile):
    band = profile.meta.get('band')
    return f'{band} band' if band else None


def _isophote_levels(profile):
    """
    Choose the rings to draw: fractional rows of the profile, and labels.
    """
    radius, value, error = _brightness(profile)
    if not _is_calibrated(profile):
        # steps of one magnitude here too, so that the spacing means the same
        with np.errstate(invalid='ignore', divide='ignore'):
            error = POGSON * error / value
            value = -2.5 * np.log10(np.where(value > 0, value, np.nan))
    good = np.isfinite(value) & (radius > 0)
    good &= ~(np.isfinite(error) & (error > 0.5))
    noise = RingFlag.NEGATIVE | RingFlag.LOW_SNR | RingFlag.EXTRAPOLATED
    good &= (_ring_flags(profile) & int(noise)) == 0
    if np.count_nonzero(good) < 2:
        return np.array([]), np.array([])
    index, value = np.flatnonzero(good), value[good]
    # a level is drawn once, where the smooth profile last crosses it
    faint = np.maximum.accumulate(value)
    span = np.ptp(faint)
    step = 1.0 if span >= 4 else 0.5
    first = np.ceil(faint[0] / step) * step
    levels = np.arange(first, faint[-1], step)
    keep = np.concatenate([[True], np.diff(faint) > 0])
    return np.interp(levels, faint[keep], index[keep]), levels


def _level_colours(n):
    import matplotlib as mpl

    return mpl.colormaps['viridis'](np.linspace(0.05, 0.92, n))


def _set_brightness_axis(ax, profiles):
    values = [_brightness(profile) for profile in profiles]
    calibrated = _is_calibrated(profiles[0])
    if not calibrated:
        unit = u.Quantity(profiles[0]['intensity']).unit
        if any(np.any(value > 0) for _, value, _ in values):
            ax.set_yscale('log')
        ax.set_ylabel(f'Intensity [{unit}]')
        return
    # a ring that is all noise does not set the range
    kept = np.concatenate([value[np.isfinite(value) & ~(error > 1.0)]
                           for _, value, error in values])
    if kept.size:
        pad = 0.05 * np.ptp(kept) + 0.1
        ax.set_ylim(kept.max() + 2 * pad, kept.min() - pad)
    else:
        ax.invert_yaxis()
    ax.set_ylabel(r'$\mu$ [mag arcsec$^{-2}$]')
