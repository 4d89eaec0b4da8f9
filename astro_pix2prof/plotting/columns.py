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


# What figures call a fitter that has no weights.
_METHODS = {'IsophoteFitter': 'isophotes'}

# Names of radius scales, and the largest number of their labels.
_RADIUS_SCALES = ('linear', 'log', 'r1/4')

_N_TICKS = 7


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


def _fitter_text(profile):
    """
    Get the name of the weights or, without these, of the method.
    """
    fitter = profile.meta.get('fitter')
    return profile.meta.get('weights') or _METHODS.get(fitter, fitter)


def _source_text(profile, cutout=None):
    """
    Get the name of the file and, where it is another one, of the galaxy.
    """
    name = profile.meta.get('source') or getattr(cutout, 'name', None)
    stem = getattr(cutout, 'stem', None)
    if not stem or not name:
        return name or stem
    plain, known = (''.join(filter(str.isalnum, text.lower()))
                    for text in (name, stem))
    return stem if plain == known else f'{stem} ({name})'


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

    # (light yellow is lost on white paper, and on a halo)
    return mpl.colormaps['plasma'](np.linspace(0.0, 0.8, n))


def _check_radius_scale(scale):
    if not isinstance(scale, str) or scale not in _RADIUS_SCALES:
        msg = (f'radius_scale must be one of {", ".join(_RADIUS_SCALES)}, '
               f'got {scale!r}')
        raise ValueError(msg)
    return scale


def _shown_radius(profile, scale):
    """
    Return the radii to draw: a logarithmic axis has no place for zero.
    """
    radius = _plain(profile, 'radius')
    return np.where(radius > 0, radius, np.nan) if scale == 'log' else radius


def _set_radius_axis(ax, scale, profiles):
    """
    Set the scale, limits and ticks of the axis of radii.
    """
    radius = np.concatenate([_plain(profile, 'radius')
                             for profile in profiles])
    radius = radius[np.isfinite(radius) & (radius > 0)]
    if scale == 'linear' or radius.size == 0:
        ax.set_xlim(left=0)
        return
    first, last = radius.min(), radius.max()
    if scale == 'log':
        ax.set_xscale('log', nonpositive='mask')
        ax.set_xlim(0.85 * first, 1.12 * last)
        ax.xaxis.set_major_formatter('{x:g}')
        return
    ax.set_xscale('function', functions=(
        lambda r: np.maximum(r, 0)**0.25, lambda root: root**4))
    ax.set_xlim(0, 1.06 * last)
    ticks = _root_ticks(last)
    ax.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    ax.set_xticks([], minor=True)


def _root_ticks(last):
    """
    Choose round radii that stand apart on an axis of fourth roots.
    """
    decades = 10.0**np.arange(np.floor(np.log10(last)) - 3,
                              np.ceil(np.log10(last)) + 1)
    rounded = np.outer(decades, [1, 2, 5]).ravel()
    ticks, apart = [], last**0.25 / _N_TICKS
    # from outside, where the light is
    for value in rounded[(rounded <= last) & (rounded > 2e-3 * last)][::-1]:
        if not ticks or ticks[-1]**0.25 - value**0.25 >= apart:
            ticks.append(float(value))
    return [0.0, *ticks[::-1]]


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
