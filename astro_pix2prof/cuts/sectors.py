# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles of a galaxy in wedges around its centre.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.arguments import (
    check_choice,
    check_integer,
    check_positive,
)
from astro_pix2prof.cuts.field import CutField
from astro_pix2prof.cuts.lengths import (
    read_angle,
    read_angles,
    read_distances,
)
from astro_pix2prof.cuts.table import make_cut
from astro_pix2prof.profile.flags import RingFlag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from astropy.table import QTable
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from astro_pix2prof import ProfileFit

__all__ = ['sector_profiles']


# Flags that belong to the ellipse, not to the pixels of a ring.
_OF_ELLIPSES = (RingFlag.EXTENDED | RingFlag.INTERPOLATED
                | RingFlag.FIXED_GEOMETRY)

# Least number of samples along an arc, and samples for each pixel of its
# length up to and beyond a distance (pixels).
_SAMPLES, _FINE, _NEAR = 12, 2.0, 32.0


def sector_profiles(
        fit: ProfileFit, n_sectors: int = 4, *,
        angles: Sequence[float] | Quantity | None = None,
        opening: float | Quantity | None = None,
        ellipses: Literal['fitted', 'circles'] = 'fitted',
        radii: Sequence[float] | Quantity | Sequence[str] | None = None,
        mask: ArrayLike | None = None) -> dict[str, QTable]:
    """
    Measure the profiles of a galaxy in wedges around its centre.

    In each wedge, the image is averaged along the parts of the ellipses
    that lie in it, or along arcs of circles.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    n_sectors : int, optional
        The number of wedges, evenly spaced; the first one is centred on
        the major axis.

    angles : list of float or `~astropy.units.Quantity`, optional
        The directions of the middles of the wedges instead, in degrees
        from 0 to 360: from north through east if the image has a WCS,
        otherwise from +x counter-clockwise.

    opening : float or `~astropy.units.Quantity`, optional
        The full opening angle of each wedge in degrees, as seen in the
        image; by default 360 divided by their number. Wedges may overlap.

    ellipses : {'fitted', 'circles'}, optional
        Whether to follow the ellipses of the fit or circles.

    radii : list of float, `~astropy.units.Quantity` or str, optional
        Semi-major axes: pixels, or angles such as '2,5,10arcsec'. By
        default those of the profile.

    mask : 2D bool array_like, optional
        `True` for more pixels not to use.

    Returns
    -------
    profiles : dict of `~astropy.table.QTable`
        A profile of each wedge, by its direction such as '35 deg'. The
        columns are those of a profile, without a curve of growth; the
        errors are those of the mean, by noise and sky, and do not count
        arms or clumps.

    Raises
    ------
    TypeError
        If ``fit`` is no fit, or an argument is of the wrong kind.

    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import sector_profiles
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> profiles = sector_profiles(fit, angles=[0, 90], opening=40)
    >>> list(profiles)
    ['0 deg', '90 deg']
    """
    field = CutField(fit, mask)
    n_sectors = check_integer(n_sectors, 'n_sectors', least=1, most=360)
    ellipses = check_choice(ellipses, 'ellipses', ('fitted', 'circles'))
    if angles is None:
        first = field.major_axis()
        angles = [(first + k * 360 / n_sectors) % 360
                  for k in range(n_sectors)]
    else:
        angles = read_angles(angles)
    if opening is None:
        opening = 360 / len(angles)
    else:
        opening = check_positive(read_angle(opening, 'opening'), 'opening')
    if opening > 360:
        msg = f'opening must be at most 360 deg, got {opening:g}'
        raise ValueError(msg)
    sma = (np.asarray(fit.sma, dtype=float) if radii is None
           else read_distances(radii, 'radii', field.cutout))
    circles = ellipses == 'circles'
    return {f'{round(angle, 2):g} deg': _sector(field, sma, angle, opening,
                                                circles)
            for angle in angles}


def _sector(field, sma, angle, opening, circles):
    """
    Measure one wedge.
    """
    middle = field.direction(angle)
    half = np.radians(opening) / 2

    def shapes(at):
        if circles:
            return np.zeros(len(at)), np.zeros(len(at))
        return field.ellipses_at(at)

    def points(at):
        eps, theta = (float(part[0]) for part in shapes(np.array([at])))
        return _arc(field.centre, at, eps, theta, middle, half)

    if circles:
        flag = np.full(len(sma), int(RingFlag.FIXED_GEOMETRY))
    else:
        flag = field.ring_flags(sma, _OF_ELLIPSES)
    eps, theta = shapes(sma)
    return make_cut(field, sma, points, eps=eps, theta=theta, flag=flag,
                    meta={'cut': 'sector', 'angle': float(angle),
                          'opening': float(opening)})


def _arc(centre, sma, eps, theta, middle, half):
    """
    Place points on the part of an ellipse that lies in a wedge.
    """
    fine = _FINE if sma < _NEAR else 1.0
    n = max(int(np.ceil(fine * 2 * half * sma)), _SAMPLES)
    q = 1 - eps
    # Where an ellipse is flat, even steps in direction would be far apart:
    # even steps in the eccentric anomaly, between the sides of the wedge.
    start, end = (_anomaly(middle + sign * half - theta, q)
                  for sign in (-1, 1))
    if half >= np.pi:
        end = start + 2 * np.pi
    t = start + (np.arange(n) + 0.5) * ((end - start) / n)
    a, b = sma * np.cos(t), sma * q * np.sin(t)
    cos, sin = np.cos(theta), np.sin(theta)
    part = np.hypot(sma * np.sin(t), sma * q * np.cos(t)) * abs(
        end - start) / n
    return (centre[0] + a * cos - b * sin, centre[1] + a * sin + b * cos,
            part + 1e-6)


def _anomaly(direction, q):
    """
    Convert a direction from the major axis to the eccentric anomaly.

    It goes on beyond a whole turn as the direction does.
    """
    turns = np.round(direction / (2 * np.pi))
    rest = direction - 2 * np.pi * turns
    return np.arctan2(np.sin(rest) / q, np.cos(rest)) + 2 * np.pi * turns
