# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Profiles along the major or the minor axis of a galaxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_pix2prof.arguments import check_choice, check_flag
from astro_pix2prof.cuts.field import CutField
from astro_pix2prof.cuts.lengths import read_distances, read_width
from astro_pix2prof.cuts.strips import both_sides, strip_points
from astro_pix2prof.cuts.table import make_cut
from astro_pix2prof.ellipses.given import check_pa
from astro_pix2prof.fitting.radii import geometric_radii

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from astropy.table import QTable
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from astro_pix2prof import ProfileFit

__all__ = ['axis_profile']


# The default width of a cut in pixels, and its relative steps.
_WIDTH, _STEP = 3.0, 0.06


def axis_profile(
        fit: ProfileFit, axis: Literal['major', 'minor'] = 'major', *,
        width: float | str | Quantity | None = None,
        pa: float | Quantity | None = None, fold: bool = True,
        radii: Sequence[float] | Quantity | Sequence[str] | None = None,
        mask: ArrayLike | None = None) -> QTable:
    """
    Measure the profile along the major or the minor axis.

    The image is averaged across a strip through the centre, as along a
    slit.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    axis : {'major', 'minor'}, optional
        The axis, at right angles to the other one.

    width : float, `~astropy.units.Quantity` or str, optional
        The width of the strip: pixels, or an angle such as '2arcsec'. By
        default 3 pixels.

    pa : float or `~astropy.units.Quantity`, optional
        The position angle of the major axis in degrees, as the column
        ``pa`` of the profile; by default the mean of the outer half of its
        rings.

    fold : bool, optional
        Whether to average both sides. Otherwise, ``radius`` is negative on
        the side away from the position angle.

    radii : list of float, `~astropy.units.Quantity` or str, optional
        Distances from the centre: pixels, or angles such as
        '2,5,10arcsec'. By default they reach as far as the profile.

    mask : 2D bool array_like, optional
        `True` for more pixels not to use.

    Returns
    -------
    profile : `~astropy.table.QTable`
        The columns of a profile, with the distance from the centre in
        ``radius``, the position angle of the cut in ``pa`` and in
        ``meta['angle']`` (of a whole turn), and not-a-number for the
        ellipticity and the curve of growth. The errors are those of the
        mean, by noise and sky.

    Raises
    ------
    TypeError
        If ``fit`` is no fit, or an argument is of the wrong kind.

    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, axis_profile
    >>> from astro_pix2prof import load_example
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> profile = axis_profile(fit, 'minor', width='2arcsec')
    >>> profile.meta['cut']
    'minor axis'
    """
    field = CutField(fit, mask)
    axis = check_choice(axis, 'axis', ('major', 'minor'))
    fold = check_flag(fold, 'fold')
    width = (_WIDTH if width is None else read_width(width, field.cutout))
    pa = field.major_axis() if pa is None else check_pa(pa) % 360
    if axis == 'minor':
        pa = (pa + 90) % 360
    if radii is None:
        at = _default_radii(fit, axis)
    else:
        at = read_distances(radii, 'radii', field.cutout)
    theta = field.direction(pa)
    points = strip_points(field.centre, theta, theta + np.pi / 2, width,
                          signs=(1, -1) if fold else (1,))
    return make_cut(
        field, at if fold else both_sides(at), points, theta=theta,
        meta={'cut': f'{axis} axis', 'angle': pa, 'folded': fold,
              'width': width * field.cutout.radius_scale})


def _default_radii(fit, axis):
    """
    Choose distances that reach as far as the ellipses of the fit.
    """
    reach = fit.sma
    if axis == 'minor':
        reach = reach * (1 - fit.eps)
    return geometric_radii(max(float(np.nanmax(reach)), 2.0), _STEP)
