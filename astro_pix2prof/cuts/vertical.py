# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Vertical profiles of edge-on galaxies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import vstack

from astro_pix2prof.arguments import check_flag
from astro_pix2prof.cuts.field import CutField
from astro_pix2prof.cuts.lengths import read_distances, read_width
from astro_pix2prof.cuts.strips import both_sides, strip_points
from astro_pix2prof.cuts.table import make_cut
from astro_pix2prof.ellipses.given import check_pa
from astro_pix2prof.fitting.radii import geometric_radii

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import QTable
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from astro_pix2prof import ProfileFit

__all__ = ['vertical_profile']


# Relative steps of heights, how far they go in units of the outermost
# semi-minor axis, and the least of that (pixels).
_STEP, _REACH, _LEAST = 0.1, 1.5, 3.0

# The default width of a slice: this part of the outermost semi-major axis,
# and at least so many pixels.
_PART, _WIDTH = 0.05, 3.0


def vertical_profile(
        fit: ProfileFit, radii: Sequence[float] | Quantity | Sequence[str], *,
        width: float | str | Quantity | None = None,
        heights: Sequence[float] | Quantity | Sequence[str] | None = None,
        pa: float | Quantity | None = None, fold_heights: bool = True,
        fold_radii: bool = True, mask: ArrayLike | None = None) -> QTable:
    """
    Measure how an edge-on galaxy declines with height above its disc.

    The image is averaged across slices at right angles to the major axis.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    radii : list of float, `~astropy.units.Quantity` or str
        The distances of the slices from the centre along the major axis:
        pixels, or angles such as '0,10,20arcsec'.

    width : float, `~astropy.units.Quantity` or str, optional
        The width of a slice along the major axis: pixels or an angle. By
        default a twentieth of the outermost semi-major axis, and at least
        3 pixels.

    heights : list of float, `~astropy.units.Quantity` or str, optional
        The heights from 0 on: pixels or angles. By default they reach to
        1.5 times the outermost semi-minor axis of the fit.

    pa : float or `~astropy.units.Quantity`, optional
        The position angle of the major axis in degrees, as the column
        ``pa`` of the profile; by default the mean of the outer half of its
        rings.

    fold_heights : bool, optional
        Whether to average above and below. Otherwise ``height`` is positive
        on the side that lies 90 degrees onwards from the position angle,
        and negative on the other.

    fold_radii : bool, optional
        Whether to average the slices on both sides of the centre.
        Otherwise ``radius`` is negative on the side away from the position
        angle.

    mask : 2D bool array_like, optional
        `True` for more pixels not to use.

    Returns
    -------
    profiles : `~astropy.table.QTable`
        A row for each ``radius`` and ``height``, with the other columns of
        a profile, and not-a-number for the ellipticity and the curve of
        growth. The errors are those of the mean, by noise and sky. Nothing
        is corrected for the PSF or the inclination.

    Raises
    ------
    TypeError
        If ``fit`` is no fit, or an argument is of the wrong kind.

    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import vertical_profile
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> table = vertical_profile(fit, '0,4arcsec', heights='0,1,2,4arcsec')
    >>> table.colnames[:3]
    ['radius', 'height', 'surface_brightness']
    """
    field = CutField(fit, mask)
    fold_heights = check_flag(fold_heights, 'fold_heights')
    fold_radii = check_flag(fold_radii, 'fold_radii')
    at = read_distances(radii, 'radii', field.cutout)
    if width is None:
        width = max(_PART * float(fit.sma[-1]), _WIDTH)
    else:
        width = read_width(width, field.cutout)
    if heights is None:
        top = _REACH * float(np.nanmax(fit.sma * (1 - fit.eps)))
        heights = geometric_radii(max(top, _LEAST), _STEP)
    else:
        heights = read_distances(heights, 'heights', field.cutout)
    pa = field.major_axis() if pa is None else check_pa(pa) % 360
    along, up = field.direction(pa), field.direction(pa + 90)
    # (a WCS may be skew: slices are at right angles in the image)
    turn = 1 if np.sin(up - along) > 0 else -1
    up = along + turn * np.pi / 2
    scale = field.cutout.radius_scale
    tables = []
    for place in at if fold_radii else both_sides(at):
        places = (place, -place) if fold_radii and place else (place,)
        points = strip_points(
            field.centre, up, along, width, offsets=places,
            signs=(1, -1) if fold_heights else (1,))
        table = make_cut(
            field, heights if fold_heights else both_sides(heights), points,
            theta=up, meta={'cut': 'vertical', 'angle': pa,
                            'width': width * scale})
        table.rename_column('radius', 'height')
        unit = u.Unit(table['height'].unit)
        table.add_column(np.full(len(table), place * scale) * unit,
                         name='radius', index=0)
        tables.append(table)
    meta = tables[0].meta
    stacked = vstack(tables, metadata_conflicts='silent')
    stacked.meta = dict(meta)
    return stacked
