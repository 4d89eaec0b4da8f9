# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The probability that a profile is wrong, from its flags and errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfc

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import GalaxyFlag

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ['FLAG_PROBABILITIES', 'NO_GALAXY', 'UNFLAGGED', 'explain_doubts',
           'learn_flag_probabilities', 'list_causes', 'stated_errors',
           'wrong_probability']


# Rings count out to so many half-light radii.
_REACH = 2.0
# The probability that each flag makes a profile wrong, and that of a profile
# without any, beside what the stated error tells: learn_flag_probabilities
# with 460 profiles of Pix2ProfFitter (benchmarks/accuracy/wrong.py). Those
# that begin at 0.1 or 0 and are seen in fewer than ten are guesses:
# SECOND_GUESS, FIXED_ELLIPSES, NO_INITIAL and SATURATED.
UNFLAGGED = 0.01
FLAG_PROBABILITIES = {
    'UNCALIBRATED': 0.0,
    'SECOND_GUESS': 0.1,
    'FIXED_ELLIPSES': 0.1,
    'CENTRE_UNCERTAIN': 0.05,
    'CENTRE_OFFSET': 0.15,
    'NEIGHBOUR': 0.03,
    'TRUNCATED': 0.01,
    'SATURATED': 0.06,
    'SKY_UNCERTAIN': 0.01,
    'NO_SOURCE': 0.08,
    'OUT_OF_DOMAIN': 0.35,
    'FORCED': 0.0,
    'HEAVILY_MASKED': 0.04,
    'NO_INITIAL': 0.1,
    'POINT_SOURCE': 0.18,
    'WRONG_NOISE': 0.08,
    'GEOMETRY_UNCERTAIN': 0.065,
}
# Nothing to measure, or no galaxy: nobody uses such a profile, even if its
# rings are right, which is what the probabilities are about.
NO_GALAXY = GalaxyFlag.NO_SOURCE | GalaxyFlag.POINT_SOURCE
# Of a flag that is not listed.
_OTHER = 0.1


def stated_errors(batch):
    """
    Calculate the median error that each profile of a batch states (mag).

    Parameters
    ----------
    batch : `~astro_pix2prof.ProfileBatch`
        The profiles.

    Returns
    -------
    errors : 1D `~numpy.ndarray`, shape (n,)
        The median of the errors of surface brightness over the rings out to
        twice the half-light radius (all, where that is not known), in mag.
        Rings that are not positive count as infinite; not-a-number stands
        for no rings.
    """
    def values(name):
        column = batch.rings[name]
        return np.asarray(getattr(column, 'value', column), dtype=float)

    n = len(batch)
    row = np.repeat(np.arange(n), np.diff(batch.offsets))
    half = batch.galaxies['radius_50']
    reach = _REACH * np.asarray(getattr(half, 'value', half), dtype=float)
    intensity, sigma = values('intensity'), values('intensity_err')
    with np.errstate(divide='ignore', invalid='ignore'):
        error = np.where(intensity > 0, POGSON * sigma / intensity, np.inf)
    use = ~(values('radius') > reach[row]) & ~np.isnan(error)
    row, error = row[use], error[use]
    order = np.lexsort((error, row))
    row, error = row[order], error[order]
    first = np.searchsorted(row, np.arange(n))
    count = np.searchsorted(row, np.arange(n), side='right') - first
    result = np.full(n, np.nan)
    known = count > 0
    result[known] = error[(first + (count - 1) // 2)[known]]
    return result


def wrong_probability(flags, stated, *, tolerance=0.2, probabilities=None):
    """
    Calculate the probability that profiles are wrong.

    Each flag, the error that is stated and what no flag tells are causes
    that act alone ("noisy or").

    Parameters
    ----------
    flags : 1D `~numpy.ndarray` of int, shape (n,)
        Bits of `~astro_pix2prof.GalaxyFlag`.

    stated : 1D `~numpy.ndarray`, shape (n,)
        As of `stated_errors`; of no rings, not-a-number.

    tolerance : float, optional
        The error above which a profile is wrong (mag).

    probabilities : dict of float, optional
        The probability by the name of a flag, and of 'none' without any,
        in place of the measured ones.

    Returns
    -------
    probability : 1D `~numpy.ndarray`, shape (n,)
    """
    return 1 - np.prod([1 - p for p in list_causes(
        flags, stated, tolerance, probabilities).values()], axis=0)


def list_causes(flags, stated, tolerance, probabilities):
    """
    Calculate the probability that each cause makes profiles wrong.

    Parameters
    ----------
    flags, stated, tolerance, probabilities
        As for `wrong_probability`.

    Returns
    -------
    causes : dict of 1D `~numpy.ndarray`, shape (n,)
        By the names of flags, 'error' and 'none'.
    """
    flags = np.asarray(flags)
    chance = {**FLAG_PROBABILITIES, **(probabilities or {})}
    causes = {flag.name: np.where(flags & flag, chance.get(
        flag.name, _OTHER), 0.0) for flag in GalaxyFlag}
    causes['FAILED'] = np.where(flags & GalaxyFlag.FAILED, 1.0, 0.0)
    with np.errstate(divide='ignore'):
        error = erfc(tolerance / (np.sqrt(2) * np.maximum(stated, 0.0)))
    causes['error'] = np.where(np.isnan(stated), 0.0, error)
    causes['none'] = np.full(len(flags), chance.get('none', UNFLAGGED))
    return causes


def explain_doubts(causes, stated, messages):
    """
    Write the most probable cause of each galaxy in plain words.

    Parameters
    ----------
    causes : dict of 1D `~numpy.ndarray`, shape (n,)
        As of `list_causes`.

    stated : 1D `~numpy.ndarray`, shape (n,)
        The errors that are stated (mag).

    messages : sequence of str, shape (n,)
        What is told of galaxies that failed.

    Returns
    -------
    reasons : list of str
    """
    names = list(causes)
    # (no galaxy is what matters, however probable the errors of rings are)
    first = np.argmax([
        causes[name] + (0 if name not in GalaxyFlag.__members__
                        or not GalaxyFlag[name] & NO_GALAXY
                        else 2 * (causes[name] > 0)) for name in names],
        axis=0)
    reasons = []
    for row, (k, error, message) in enumerate(zip(
            first.tolist(), stated, messages, strict=True)):
        name = names[k]
        if name == 'none':
            reasons.append('no doubt')
        elif name == 'error':
            reasons.append('half of the profile has larger errors than '
                           f'{error:.2g} mag' if np.isfinite(error) else
                           'half of the profile is not positive')
        elif name == 'FAILED':
            reasons.append(f'FAILED: {message or "nothing was measured"}')
        elif GalaxyFlag[name] & NO_GALAXY:
            reasons.append(f'no galaxy, {name}: '
                           + GalaxyFlag[name].line.rstrip('.'))
        else:
            reasons.append(f'{name}: '
                           + GalaxyFlag[name].line.rstrip('.'))
        others = [other for other in GalaxyFlag.__members__
                  if other != name and causes[other][row] > 0]
        if others:
            reasons[-1] += f'; also {", ".join(others)}'
    return reasons


def learn_flag_probabilities(
        flags: ArrayLike, stated: ArrayLike, is_wrong: ArrayLike, *,
        tolerance: float = 0.2, weight: float = 10.0,
        start: dict[str, float] | None = None) -> dict[str, float]:
    """
    Learn how often each flag makes a profile wrong, from looks.

    Parameters
    ----------
    flags : 1D array_like of int, shape (n,)
        Bits of `~astro_pix2prof.GalaxyFlag`: the column ``flag`` of
        `review_queue`.

    stated : 1D array_like, shape (n,)
        The error that each profile states (mag): ``stated_error`` there.

    is_wrong : 1D array_like of bool, shape (n,)
        What a look found. Take a random sample, or all of one flag: doubtful
        galaxies alone make each flag look worse than it is.

    tolerance : float, optional
        The error above which a profile is wrong (mag).

    weight : float, optional
        Looks that the probabilities to begin with are worth.

    start : dict of float, optional
        These, by the names of flags and 'none'; by default, those measured
        on simulated galaxies.

    Returns
    -------
    probabilities : dict of float
        For ``probabilities`` of `review_queue`.

    Raises
    ------
    ValueError
        If the arguments are not one value for each galaxy.
    """
    flags, stated = np.asarray(flags), np.asarray(stated, dtype=float)
    wrong = np.asarray(is_wrong)
    if flags.ndim != 1 or not flags.shape == stated.shape == wrong.shape:
        msg = ('flags, stated and is_wrong must have one value for each '
               f'galaxy, got the shapes {flags.shape}, {stated.shape} and '
               f'{wrong.shape}')
        raise ValueError(msg)
    first = {name: _OTHER for name in GalaxyFlag.__members__}
    first |= {'none': UNFLAGGED, **FLAG_PROBABILITIES, **(start or {})}
    first.pop('FAILED')
    chance = dict(first)
    # expectation and maximisation: which of the causes made it wrong?
    for _ in range(200):
        causes = list_causes(flags, stated, tolerance, chance)
        total = 1 - np.prod([1 - p for p in causes.values()], axis=0)
        for name, p in causes.items():
            if name not in chance or first[name] == 0:
                continue
            share = np.where(wrong, p / np.maximum(total, 1e-12), 0.0)
            chance[name] = float((share.sum() + weight * first[name])
                                 / (np.count_nonzero(p) + weight))
    return chance
