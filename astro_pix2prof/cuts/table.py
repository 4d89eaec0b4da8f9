# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Make the table of a cut from its lines.
"""

import numpy as np

from astro_pix2prof.cuts.lines import (
    combine_lines,
    line_places,
    measure_lines,
)
from astro_pix2prof.profile.build import make_profile
from astro_pix2prof.profile.flags import RingFlag
from astro_pix2prof.profile.rings import MeasuredRings

__all__ = ['make_cut']


# A line of which more than this part is saturated counts as such.
_FULL = 0.02


def make_cut(field, want, points, *, eps=None, theta=None, flag=0, meta=None):
    """
    Measure a cut and make its table.

    Parameters
    ----------
    field : `~astro_pix2prof.cuts.field.CutField`
        The image.

    want : 1D `~numpy.ndarray`, shape (n,)
        Distances from the centre in pixels, increasing.

    points : callable
        As for `~astro_pix2prof.cuts.lines.measure_lines`.

    eps, theta : float or 1D `~numpy.ndarray`, shape (n,), optional
        Ellipticities, and angles in radians from +x; not-a-number by
        default.

    flag : int or 1D `~numpy.ndarray` of int, shape (n,), optional
        `~astro_pix2prof.RingFlag` bits that are known.

    meta : dict, optional
        More meta: str, int, float or bool.

    Returns
    -------
    table : `~astropy.table.QTable`
        The columns of a profile. The errors are those of the mean: noise of
        the pixels, with its correlation, and sky.
    """
    lines = measure_lines(field, line_places(want), points)
    value, noise, valid, full, leaves = combine_lines(field, lines, want)
    n = len(want)
    flags = np.zeros(n, dtype=np.int32) | np.asarray(flag, dtype=np.int32)
    for bit, rows in ((RingFlag.EDGE, leaves),
                      (RingFlag.EXTRAPOLATED, ~np.isfinite(value)),
                      (RingFlag.UNRESOLVED, np.abs(want) < field.core),
                      (RingFlag.SATURATED, full > _FULL)):
        flags[rows] |= int(bit)
    given = field.fit.profile.meta
    nothing = np.full(n, np.nan)

    def column(values):
        return nothing if values is None else np.broadcast_to(
            np.asarray(values, dtype=float), n)

    rings = MeasuredRings(
        cutout=field.cutout, sma=np.asarray(want, dtype=float),
        intensity=value, intensity_err=np.hypot(noise, field.sky_err),
        eps=column(eps), theta=column(theta), n_valid=valid, flag=flags,
        galaxy_flag=int(given.get('flag', 0)), centre=field.centre,
        sky=given.get('sky', field.fit.sky), sky_err=field.sky_err,
        noise=field.noise, noise_correlation=field.correlation,
        mag_enclosed=nothing, mag_enclosed_err=nothing, meta=dict(meta or {}))
    return make_profile(rings, {name: given.get(name) for name in (
        'fitter', 'weights', 'sha256')})
