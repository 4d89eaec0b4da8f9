# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Flags and errors of the rings of saturated cores.
"""

import numpy as np

from astro_pix2prof.profile.brightness import POGSON
from astro_pix2prof.profile.flags import RingFlag

__all__ = ['add_missing_light', 'mark_saturated']


# The largest relative error for what saturation hides: there is light.
_MOST = 0.9


def mark_saturated(rings, measured):
    """
    Set the flag ``SATURATED`` of rings within a core that is saturated.

    Few rings do not tell it by themselves.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings, with their flags, which are changed.

    measured : `~astro_pix2prof.profile.rings.MeasuredRings`
        Rings of the same galaxy at all radii, with their flags.
    """
    core = np.logical_and.accumulate(
        (measured.flag & RingFlag.SATURATED) != 0)
    if core.any():
        rings.flag[rings.sma <= measured.sma[core][-1]] |= RingFlag.SATURATED


def add_missing_light(rings, measured):
    """
    Add the light that saturated rings miss to their errors.

    As far as the exponential through the rings just outside of them tells.

    Parameters
    ----------
    rings : `~astro_pix2prof.profile.rings.MeasuredRings`
        The rings, with their flags; their errors are changed.

    measured : `~astro_pix2prof.profile.rings.MeasuredRings`
        Rings of the same galaxy at all radii, with their flags.
    """
    mark_saturated(rings, measured)
    full = (measured.flag & RingFlag.SATURATED) != 0
    mine = (rings.flag & RingFlag.SATURATED) != 0
    if not (full.any() and mine.any()):
        return
    last = measured.sma[full].max()
    use = (measured.sma > last) & (measured.sma < 2 * last + 3) & (
        measured.intensity > 0)
    if np.count_nonzero(use) < 3:
        return
    slope, level = np.polyfit(measured.sma[use],
                              np.log(measured.intensity[use]), 1)
    value = rings.intensity[mine]
    missing = np.maximum(
        np.exp(level + min(slope, 0) * rings.sma[mine]) - value, 0)
    # (so many magnitudes)
    positive = np.where(value > 0, value, 1)
    part = np.minimum(np.log1p(missing / positive), _MOST)
    missing = np.where(value > 0, value * part, missing)
    rings.intensity_err[mine] = np.hypot(rings.intensity_err[mine], missing)
    if rings.sb_err is not None:
        rings.sb_err[mine] = np.hypot(
            rings.sb_err[mine], np.where(value > 0, POGSON * part, 0))
