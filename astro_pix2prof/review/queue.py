# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The order in which a person looks at galaxies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from astro_pix2prof.addresses import is_address
from astro_pix2prof.arguments import check_integer, check_number
from astro_pix2prof.profile.batch import ProfileBatch
from astro_pix2prof.profile.flags import GalaxyFlag
from astro_pix2prof.profile.texts import text_array
from astro_pix2prof.review.doubts import (
    NO_GALAXY,
    explain_doubts,
    list_causes,
    stated_errors,
)
from astro_pix2prof.review.tiers import ReviewTiers
from astro_pix2prof.survey.results import Survey, read_survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.units import Quantity

    from astro_pix2prof.typing import PathLike

__all__ = ['review_queue']


def review_queue(
        profiles: Survey | PathLike | ProfileBatch | QTable | Sequence[QTable],
        budget: int | None = None, *, tiers: ReviewTiers | None = None,
        tolerance: float | Quantity = 0.2 * u.mag, miss: float = 1.0,
        lost: float = 1.0, look: float = 0.02, repair: float = 1.0,
        probabilities: dict[str, float] | None = None) -> QTable:
    """
    Order galaxies by the expected gain of a person's look.

    The probability that a profile is wrong follows from its flags and the
    errors that it states. Without a look, a profile is accepted or
    rejected, whichever is expected to cost less; a look saves that, and
    costs time.

    Parameters
    ----------
    profiles : `Survey`, path, `ProfileBatch`, profile or list of profiles
        The galaxies. A survey of several bands is judged by its reference.

    budget : int, optional
        How many galaxies can be looked at; by default, all that are worth
        it.

    tiers : `ReviewTiers`, optional
        Limits of ``p_wrong``, as `calibrate_tiers` finds them; by default,
        costs decide.

    tolerance : float or `~astropy.units.Quantity`, optional
        The error above which a profile is wrong (mag).

    miss, lost, look : float, optional
        The costs of a wrong profile that is used, of a good one that is
        not, and of a look, in any unit.

    repair : float, optional
        The share of wrong profiles that a look leads to a right one of, as
        by a better mask or position.

    probabilities : dict of float, optional
        The probability that a flag makes a profile wrong, by its name, and
        'none' for what no flag tells; by default, as measured on simulated
        galaxies, see `learn_flag_probabilities`.

    Returns
    -------
    queue : `~astropy.table.QTable`
        One row a galaxy, those to look at first. Columns: rank (1 for the
        first; 0 for galaxies that are not looked at), index, source, tier
        ('look', 'reject' or 'accept'; 'reject' for those that are no galaxy
        by their flag, POINT_SOURCE or NO_SOURCE), p_wrong, expected_gain,
        reason, flag, stated_error (the median error, in mag, over the rings
        within two half-light radii), ra and dec.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Examples
    --------
    >>> from astro_pix2prof import load_example_truth, review_queue
    >>> good, bad = load_example_truth(), load_example_truth()
    >>> bad.meta['flag'] = 32
    >>> queue = review_queue([good, bad], budget=1)
    >>> queue['rank', 'index', 'tier'].pprint()
    rank index  tier
    ---- ----- ------
       1     1   look
       0     0 accept
    >>> print(queue['reason'][0])
    NEIGHBOUR: Another object touches the galaxy
    """
    budget = check_integer(budget, 'budget', least=0, optional=True)
    tolerance = check_number(tolerance, 'tolerance', unit=u.mag, above=0)
    miss, lost, look = (check_number(value, name, least=0) for name, value in
                        (('miss', miss), ('lost', lost), ('look', look)))
    repair = check_number(repair, 'repair', least=0, most=1)
    if tiers is not None and not isinstance(tiers, ReviewTiers):
        msg = ('tiers must be as calibrate_tiers returns them, got '
               f'{type(tiers).__name__}')
        raise TypeError(msg)
    _check_probabilities(probabilities)
    galaxies, stated = _read(profiles)
    flags = np.asarray(galaxies['flag'])
    causes = list_causes(flags, stated, tolerance, probabilities)
    p = 1 - np.prod([1 - cause for cause in causes.values()], axis=0)
    # Nobody uses what was not measured: it is looked at or rejected.
    failed = (flags & GalaxyFlag.FAILED) != 0
    accept = np.where(failed, np.inf, p * miss)
    reject = lost * (1 - p + repair * p)
    gain = np.minimum(accept, reject) - look
    if tiers is None:
        tier = np.where(gain > 0, 'look', np.where(
            accept <= reject, 'accept', 'reject'))
    else:
        tier = tiers.assign(p)
    tier[(tier == 'accept') & failed] = 'look'
    # No galaxy was seen: right or wrong, there is nothing to use.
    absent = ((flags & NO_GALAXY) != 0) & ~failed
    tier[absent], gain[absent] = 'reject', -look
    place = np.array([('look', 'reject', 'accept').index(name)
                      for name in tier], dtype=int)
    order = np.lexsort((galaxies['index'], -p, -np.round(gain, 12), place))
    rank = np.zeros(len(p), dtype=int)
    n = np.count_nonzero(place == 0)
    n = n if budget is None else min(n, budget)
    rank[order[:n]] = np.arange(1, n + 1)
    queue = QTable({
        'rank': rank, 'index': galaxies['index'],
        'source': galaxies['source'], 'tier': tier, 'p_wrong': p,
        'expected_gain': gain, 'reason': text_array(explain_doubts(
            causes, stated, galaxies['message'])),
        'flag': flags, 'stated_error': stated * u.mag,
        'ra': galaxies['ra'], 'dec': galaxies['dec']})
    for name in ('p_wrong', 'expected_gain', 'stated_error'):
        queue[name].info.format = '.4f'
    queue.meta.update(tolerance=tolerance, miss=miss, lost=lost, look=look,
                      repair=repair, n_galaxies=len(p))
    if tiers is not None:
        queue.meta['accept_below'] = tiers.accept_below
        queue.meta['reject_from'] = tiers.reject_from
    return queue[order]


def _check_probabilities(probabilities):
    for name, value in (probabilities or {}).items():
        if name != 'none' and name not in GalaxyFlag.__members__:
            msg = (f'probabilities must be by the names of flags, and none, '
                   f'got {name!r}')
            raise ValueError(msg)
        check_number(value, f'probabilities[{name!r}]', least=0, most=1)


def _read(profiles):
    """
    Read the columns of galaxies, and the errors that profiles state.
    """
    if isinstance(profiles, Table):
        # (one profile)
        profiles = [profiles]
    if isinstance(profiles, (str, os.PathLike)) or is_address(profiles):
        profiles = read_survey(profiles)
    if not isinstance(profiles, (Survey, ProfileBatch, list, tuple)):
        msg = ('profiles must be a Survey, the path of one, a ProfileBatch '
               f'or a list of profiles, got {type(profiles).__name__}')
        raise TypeError(msg)
    if isinstance(profiles, list | tuple):
        profiles = ProfileBatch.from_profiles(list(profiles))
    batches = ([profiles] if isinstance(profiles, ProfileBatch)
               else profiles)
    columns = {name: [] for name in ('index', 'source', 'flag', 'message',
                                     'ra', 'dec')}
    stated = [np.zeros(0)]
    # (part by part, so that a large survey takes little memory)
    for batch in batches:
        table = batch.galaxies
        for name, parts in columns.items():
            parts.append(table[name])
        stated.append(stated_errors(batch))
    if not columns['flag']:
        # (a survey that has only begun)
        return _read([])
    galaxies = {name: np.concatenate(
        [getattr(part, 'value', np.asarray(part)) for part in parts])
        for name, parts in columns.items()}
    for name in ('ra', 'dec'):
        galaxies[name] = galaxies[name] * u.deg
    return galaxies, np.concatenate(stated)
