# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Length and strength of the bar of a galaxy from its Fourier modes.
"""

from __future__ import annotations

import warnings

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import check_integer, check_number
from astro_pix2prof.profile.checks import check_profile
from astro_pix2prof.profile.flags import RingFlag
from astro_pix2prof.profile.identity import (
    centres_apart,
    unlike_names,
    unlike_places,
)
from astro_pix2prof.structure.bar_ellipses import (
    DiscEllipses,
    bar_ellipses,
    ellipses_in_disc,
    noisy_shapes,
    peak_place,
)

__all__ = ['bar_radius']


# The phase of a bar is constant to so many degrees.
_PHASE = 10.0

# A bar ends where its amplitude has fallen to this part of the largest one.
_DROP = 0.5

# Least number of rings of constant phase, and the least ratio of the outer
# and the inner radius of these.
_RINGS, _RATIO = 4, 1.35

# Bars end in different ways: so much (relative) the radius scatters about the
# length of simulated bars (benchmarks/accuracy/bars.py --seed 3).
_SHAPE = 0.05

# A disc that is flatter than this is seen too much from the side.
_FLAT = 0.65

# A bulge that is rounder than a disc of at least this ellipticity looks like
# a bar along the minor axis, to so many degrees; but bars along it are seen
# with at least this ellipticity across the disc, from this part of the end on.
_TILTED, _ACROSS, _CROSSED, _INNER = 0.3, 10.0, 0.1, 0.4

# Amplitudes with larger errors tell nothing.
_ERROR = 0.1

# A bar is so many times its error.
_SIGNIFICANT = 5.0

# Rings of which less than this is seen can hide a bar, unless their minor
# axis is shorter than this (pixels): these have too few pixels.
_SEEN, _SMALL = 0.75, 4.0

# Part of the noisy versions of the modes in which the bar must be found.
_FOUND = 0.7

# Ellipses of a bar are flattest within so many times its radius.
_REACH = 1.5

# The other lengths: of the modes, and of the ellipses.
_OF_MODES = 'radius_amplitude', 'radius_phase'
_OF_ELLIPSES = 'radius_ellipticity', 'radius_turn'


def bar_radius(modes: QTable, *, profile: QTable | None = None,
               least: float = 0.2, n_samples: int = 100,
               seed: int | None = 0) -> QTable:
    """
    Measure the radius of a bar, if there is one.

    A bar is where the mode 2 has a constant phase (to 10 degrees) about a
    maximum of its relative amplitude of ``least`` or more. It ends where
    the amplitude has fallen to half of this maximum, or where the phase
    changes, whichever comes first.

    Parameters
    ----------
    modes : `~astropy.table.QTable`
        The modes, from `~astro_pix2prof.fourier_profile`.

    profile : `~astropy.table.QTable`, optional
        The profile of the same galaxy, for the lengths that follow from
        ellipses. It tells, too, whether a bar along the minor axis of an
        inclined disc may be a bulge, which is rounder.

    least : float, optional
        The least relative amplitude of mode 2 of a bar.

    n_samples : int, optional
        The number of noisy versions of the modes from which the errors
        come.

    seed : int or `None`, optional
        The seed of their noise; `None` is another each time.

    Returns
    -------
    bar : `~astropy.table.QTable`
        One row. ``bar_radius``, in the plane of the disc; ``bar_strength``,
        the largest amplitude; ``bar_phase``, the angle in this plane from
        the major axis; each with its error; ``bar_pa``, the position angle
        of the bar as it is seen (deg); ``is_barred``; and ``reason``, why
        there is no radius. Without a bar, all are not-a-number but for the
        strength.

        Other lengths in the plane, each with the error of noise and steps:
        ``radius_amplitude``, where the amplitude is largest;
        ``radius_phase``, where the phase has changed by 10 degrees; and of
        the ellipses of ``profile``, ``radius_ellipticity``, where they are
        flattest, and ``radius_turn``, where they have turned by 10 degrees
        from that, or the first ellipticity beyond that is smallest,
        whichever is less, of ellipses beyond ``bar_radius``. They are
        not-a-number if there is no such place.

    Raises
    ------
    TypeError
        If ``modes`` is no such table, ``profile`` is no profile, or an
        option is no number.

    ValueError
        If an option is out of range, or ``profile`` has radii in another
        unit or a centre elsewhere on the sky.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If centres in pixels or names tell that ``profile`` may be that of
        another galaxy.

    Notes
    -----
    The error is that of noise, of the steps between the rings, and 5% for
    the different ways in which bars end. The radius is shorter than the
    length of simulated bars, where their last light is, by a tenth; see the
    guide to rings, which has the other lengths, too. ``radius_ellipticity``
    is called a_epsilon and ``radius_turn`` L_bar by Erwin 2005, MNRAS 364,
    283, here for ellipses in the plane. How such definitions differ is
    shown by Ghosh & Di Matteo 2024, A&A 683, A100: those that do not look
    at the phase take spiral arms that begin at the bar for a part of it.

    Examples
    --------
    >>> from astro_pix2prof import (Pix2ProfFitter, bar_radius,
    ...                             fourier_profile, load_example)
    >>> bar = bar_radius(fourier_profile(Pix2ProfFitter().fit(
    ...     load_example())))
    >>> bool(bar['is_barred'][0])
    False
    """
    names = ('radius', 'amplitude_2', 'amplitude_2_err', 'phase_2')
    if not all(name in getattr(modes, 'colnames', ()) for name in names):
        msg = ('modes must be a table from fourier_profile, with the columns '
               f'{", ".join(names)}, got {type(modes).__name__}')
        raise TypeError(msg)
    least = check_number(least, 'least', least=0)
    n_samples = check_integer(n_samples, 'n_samples', least=2)
    ellipses = None
    if profile is not None:
        ellipses = _known_ellipses(profile, modes)
    radius = modes['radius']
    amplitude, error, phase = (np.asarray(getattr(
        modes[name], 'value', modes[name]), dtype=float)
        for name in names[1:])
    with np.errstate(invalid='ignore'):
        known = np.isfinite(amplitude) & (error < _ERROR)
    result = _empty()
    if known.sum() < _RINGS:
        result['reason'] = 'too few rings with a known amplitude'
        return _row(result, radius.unit)
    hidden = _are_hidden(modes, known)
    r, size, sigma = (v[known] for v in (radius.value, amplitude, error))
    angle = np.radians(2 * phase[known])
    terms = np.stack([size * np.cos(angle), size * np.sin(angle)])
    sure = size > _SIGNIFICANT * sigma
    # (the outskirts have large amplitudes that are noise)
    most = int(np.argmax(np.where(sure, size, 0) if sure.any() else size))
    result['bar_strength'] = float(size[most])
    result['bar_strength_err'] = float(sigma[most])
    flat = modes.meta.get('ellipticity', 0.0)
    found = (_find(r, terms, sigma, least) if flat <= _FLAT
             else 'the disc is seen from the side')
    if isinstance(found, str):
        result['reason'] = found
        if hidden and flat <= _FLAT:
            result.update(
                bar_strength=np.nan, bar_strength_err=np.nan,
                reason='rings that are masked or not seen could hide a bar')
        return _row(result, radius.unit)
    rng = np.random.default_rng(seed)
    versions = [_find(r, terms + sigma * rng.normal(size=terms.shape), sigma,
                      least) for _ in range(n_samples)]
    versions = np.array([v for v in versions if not isinstance(v, str)])
    if len(versions) < _FOUND * n_samples:
        result['reason'] = 'the bar is not certain'
        return _row(result, radius.unit)
    end, strength, turned = found[:3]
    if ellipses is not None and _is_bulge(ellipses, flat, turned / 2, end):
        result['reason'] = ('a bulge that is rounder than the disc looks like '
                            'a bar here')
        return _row(result, radius.unit)
    step = _step_at(r, end)
    low, high = np.quantile(versions[:, :2], [0.16, 0.84], axis=0)
    spread = 0.5 * (high - low)
    for name, value, noisy in zip(_OF_MODES, found[3:], versions[:, 3:].T,
                                  strict=True):
        result[name] = value
        result[f'{name}_err'] = _error(value, noisy, r)
    # (a radius between two rings is uniform within a step)
    error = float(np.sqrt(spread[0]**2 + step**2 / 12 + (_SHAPE * end)**2))
    if ellipses is not None:
        # noisy ellipses near the centre are flat and round by turns, where
        # the modes say that the bar goes on
        result.update(_of_ellipses(
            ellipses, modes, turned / 2, (_REACH * end, end), rng,
            n_samples))
    away = np.mod(versions[:, 2] - turned + np.pi, 2 * np.pi) - np.pi
    q = 1 - flat
    result.update(
        bar_radius=end, bar_radius_err=error,
        bar_strength=strength, bar_strength_err=spread[1],
        bar_phase=np.mod(np.degrees(turned / 2), 180),
        bar_phase_err=np.degrees(np.std(away) / 2),
        bar_pa=np.mod(modes.meta.get('pa', np.nan) + np.degrees(np.arctan2(
            q * np.sin(turned / 2), np.cos(turned / 2))), 180),
        is_barred=True, reason='')
    return _row(result, radius.unit)


def _is_bulge(ellipses, flat, phase, end):
    """
    Tell whether a bar along the minor axis may be a bulge.

    In the plane of the disc, where the modes are, whatever is round as it is
    seen is long in the direction that is foreshortened.
    """
    across = np.abs(np.mod(np.degrees(phase), 180) - 90)
    if flat < _TILTED or across > _ACROSS:
        return False
    # (seen from the side, the end is closer)
    radius, eps, turned = ellipses[:3]
    seen = end * (1 - flat)
    inside = (radius > _INNER * seen) & (radius <= seen)
    return not inside.any() or bool(
        np.median(eps[inside] * np.cos(2 * turned[inside])) > -_CROSSED)


def _are_hidden(modes, known):
    """
    Tell whether rings are hidden within which there could be a bar.
    """
    if 'n_valid' not in modes.colnames:
        return False
    inside = np.arange(len(known)) < np.flatnonzero(known)[-1]
    minor = modes['radius'].value * (1 - modes.meta.get('ellipticity', 0.0))
    if modes['radius'].unit != u.pix:
        minor = minor / modes.meta.get('pixel_scale', np.nan)
    inside &= minor > _SMALL
    hidden = inside & ~known & (np.asarray(modes['n_valid']) < _SEEN)
    return np.count_nonzero(hidden) >= _RINGS


def _find(r, terms, sigma, least):
    """
    Find the end, the strength and the phase (twice the angle) of a bar.

    And where the amplitude is largest and where the phase has changed.
    Returns a text that says why there is none.
    """
    size, angle = np.hypot(*terms), np.arctan2(terms[1], terms[0])
    # The maxima, the strongest first; the one that is a bar counts.
    inner = np.concatenate([[-np.inf], size[:-1]])
    outer = np.concatenate([size[1:], [-np.inf]])
    peaks = np.nonzero((size >= inner) & (size > outer))[0]
    peaks = peaks[np.argsort(-size[peaks])]
    reason = f'the amplitude of mode 2 is below {least:g} everywhere'
    for peak in peaks:
        if size[peak] < least:
            break
        if size[peak] < _SIGNIFICANT * sigma[peak]:
            # (noise in the outskirts; what is fainter may be certain)
            reason = 'no maximum of mode 2 is significant'
            continue
        away = np.abs(np.mod(angle - angle[peak] + np.pi, 2 * np.pi) - np.pi)
        straight = away <= np.radians(2 * _PHASE)
        first = peak - np.argmin(np.append(straight[peak::-1], False)) + 1
        last = peak + np.argmin(np.append(straight[peak:], False)) - 1
        if last - first + 1 < _RINGS or r[last] < _RATIO * r[first]:
            reason = 'the phase of mode 2 changes with radius: arms, no bar'
            continue
        low = np.nonzero(size[peak:last + 1] < _DROP * size[peak])[0]
        if len(low):
            k = peak + low[0]
            share = (size[k - 1] - _DROP * size[peak]) / (
                size[k - 1] - size[k])
            end = r[k - 1] + share * (r[k] - r[k - 1])
        elif last < len(r) - 1:
            end = 0.5 * (r[last] + r[last + 1])
        else:
            reason = 'the profile ends before the bar does'
            continue
        part = slice(first, last + 1)
        middle = np.arctan2(*(terms[::-1, part].sum(1)))
        turn = np.nan
        if last < len(r) - 1:
            limit = np.radians(2 * _PHASE)
            turn = r[last] + (limit - away[last]) / (
                away[last + 1] - away[last]) * (r[last + 1] - r[last])
        return (end, size[peak], middle,
                np.exp(peak_place(np.log(r), size, peak)), turn)
    return reason


def _known_ellipses(profile, modes):
    """
    Take the ellipses of a profile, in the plane of the disc of the modes.
    """
    profile = check_profile(profile, ordered=True)
    unit = modes['radius'].unit
    if profile['radius'].unit != unit:
        msg = (f'profile must have radii in {unit} as modes, got '
               f'{profile["radius"].unit}: give the profile of the fit that '
               'the modes are from')
        raise ValueError(msg)
    _check_galaxy(profile, modes)
    eps, pa, error, turned = (np.asarray(getattr(
        profile[name], 'value', profile[name]), dtype=float)
        if name in profile.colnames else np.zeros(len(profile))
        for name in ('ellipticity', 'pa', 'ellipticity_err', 'pa_err'))
    radius = profile['radius'].value
    known = np.isfinite(eps) & np.isfinite(pa) & (radius > 0)
    if 'flag' in profile.colnames:
        # (within the PSF, ellipses are those of stars)
        known &= np.asarray(profile['flag']) & int(RingFlag.UNRESOLVED) == 0
    phase = np.radians(pa - modes.meta.get('pa', 0.0))
    return (radius[known], eps[known], phase[known],
            np.nan_to_num(error[known]),
            np.radians(np.nan_to_num(turned[known])))


def _check_galaxy(profile, modes):
    """
    Refuse or warn of a profile of another galaxy than the modes are of.
    """
    one, other, last = modes.meta, profile.meta, profile['radius'][-1]
    apart = centres_apart([one, other], last.value)
    if apart:
        msg = (f'profile must be that of the galaxy of modes, got one whose '
               f'centre is {apart:.3g} arcsec away: give the profile of the '
               'fit that the modes are from')
        raise ValueError(msg)
    if apart is not None:
        return
    doubt = unlike_places(one, other, last)
    names = one.get('source', ''), other.get('source', '')
    if not doubt and one.get('band') == other.get('band') and unlike_names(
            *names):
        doubt = f'their sources are {names[0]!r} and {names[1]!r}'
    if doubt:
        warnings.warn(f'modes and profile may be of two galaxies: {doubt}; '
                      'give the profile of the fit that the modes are from',
                      AstropyUserWarning, stacklevel=4)


def _of_ellipses(ellipses, modes, phase, limits, rng, n_samples):
    """
    Measure the lengths of a bar that follow from ellipses.
    """
    radius, eps, angle, error, turned = ellipses
    flat = modes.meta.get('ellipticity', 0.0)
    if not len(radius):
        return {}
    noisy = noisy_shapes(eps, angle, error, turned, rng, n_samples)
    shapes = ellipses_in_disc(radius, *(
        np.concatenate([one[None], more])
        for one, more in zip((eps, angle), noisy, strict=True)), flat)
    values = np.array([bar_ellipses(DiscEllipses(*rows), phase, *limits)
                       for rows in zip(*shapes, strict=True)])
    found = {}
    for name, column in zip(_OF_ELLIPSES, values.T, strict=True):
        found[name] = column[0]
        found[f'{name}_err'] = _error(column[0], column[1:], shapes.sma[0])
    return found


def _step_at(r, at):
    """
    Return the step between the rings about a radius.
    """
    return np.diff(r)[np.clip(np.searchsorted(r, at) - 1, 0, len(r) - 2)]


def _error(value, noisy, r):
    """
    Calculate the error of a radius from noisy versions and the steps.
    """
    noisy = noisy[np.isfinite(noisy)]
    if not np.isfinite(value) or len(noisy) < 2:
        return np.nan
    low, high = np.quantile(noisy, [0.16, 0.84])
    step = _step_at(r, value) if len(r) > 1 else 0.0
    return float(np.sqrt((0.5 * (high - low))**2 + step**2 / 12))


def _empty():
    """
    Return the values of a galaxy without a bar.
    """
    return dict.fromkeys((
        'bar_radius', 'bar_radius_err', 'bar_strength', 'bar_strength_err',
        'bar_phase', 'bar_phase_err', 'bar_pa', *(
            f'{name}{end}' for name in (*_OF_MODES, *_OF_ELLIPSES)
            for end in ('', '_err'))), np.nan) | {
                'is_barred': False, 'reason': ''}


def _row(values, length):
    """
    Make the table of one row.
    """
    units = {'bar_phase': u.deg, 'bar_phase_err': u.deg, 'bar_pa': u.deg}
    units.update((name, length) for name in values
                 if name.startswith(('bar_radius', 'radius_')))
    return QTable({name: [value] if name not in units
                   else [value] * units[name]
                   for name, value in values.items()})
