# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Isophotes and masks as regions of DS9 and astropy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import find_objects, label

from astro_pix2prof.arguments import (
    check_choice,
    check_flag,
    check_integer,
)
from astro_pix2prof.export.source import (
    check_fit,
    fit_rings,
    masked_pixels,
    new_path,
)
from astro_pix2prof.extras import missing_extra

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Literal

    from astro_pix2prof import ProfileFit
    from astro_pix2prof.typing import PathLike

__all__ = ['to_regions', 'write_regions']

# (the examples need the package regions)
__doctest_requires__ = {'to_regions': ['regions']}


# The colours of the ellipses, of bad pixels and of other objects.
_COLOURS = {'isophote': 'cyan', 'bad': 'red', 'other': 'orange'}


def to_regions(fit: ProfileFit, *, frame: Literal['sky', 'pixel'] = 'sky',
               n_rings: int | None = None, mask: bool = True) -> Any:
    """
    Make regions of the isophotes and of the mask of a fit.

    Parameters
    ----------
    fit : `~astro_pix2prof.ProfileFit`
        The measured galaxy, as the method ``fit`` of a fitter returns it.

    frame : {'sky', 'pixel'}, optional
        Whether the regions are on the sky, or in pixels of the image as it
        was given, the first of which is 0.

    n_rings : int, optional
        How many of the rings, evenly taken from the inside out; by default
        all.

    mask : bool, optional
        Whether to add the pixels that do not count: polygons around areas
        of bad pixels and of other objects.

    Returns
    -------
    regions : `~regions.Regions`
        Ellipses, from the inside out, with the radius and surface
        brightness as their text, then polygons.

    Raises
    ------
    ImportError
        If the package regions is not installed.

    TypeError
        If ``fit`` is no fit.

    ValueError
        If the sky is wanted and the image has no WCS.

    Examples
    --------
    >>> from astro_pix2prof import Pix2ProfFitter, load_example
    >>> from astro_pix2prof import to_regions
    >>> fit = Pix2ProfFitter().fit(load_example())
    >>> regions = to_regions(fit, n_rings=5, mask=False)
    >>> len(regions)
    5
    """
    check_fit(fit)
    frame = check_choice(frame, 'frame', ('sky', 'pixel'))
    n_rings = check_integer(n_rings, 'n_rings', least=1, optional=True)
    mask = check_flag(mask, 'mask')
    try:
        from regions import Regions
    except ImportError as error:
        raise missing_extra(package='regions', extra='regions',
                            what='to_regions') from error
    if frame == 'sky' and fit.cutout.wcs is None:
        msg = ("frame='sky' needs an image with a WCS: give frame='pixel', "
               "got 'sky'")
        raise ValueError(msg)
    found = _ellipses(fit, n_rings)
    if mask:
        for kind, pixels in zip(('bad', 'other'), masked_pixels(fit),
                                strict=True):
            found += _polygons(pixels, kind)
    if frame == 'sky':
        found = [region.to_sky(fit.cutout.wcs) for region in found]
    else:
        found = [_moved(region, fit.cutout.origin) for region in found]
    return Regions(found)


def write_regions(fit: ProfileFit, path: PathLike, *,
                  frame: Literal['sky', 'pixel'] = 'sky',
                  n_rings: int | None = None, mask: bool = True,
                  overwrite: bool = False) -> Path:
    """
    Write the isophotes and the mask of a fit as a region file of DS9.

    Parameters
    ----------
    fit, frame, n_rings, mask
        As for `to_regions`.

    path : str or path-like
        The file, such as ``galaxy.reg``.

    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ImportError, TypeError, ValueError
        As for `to_regions`.

    FileExistsError
        If the file exists and ``overwrite`` is `False`.
    """
    path = new_path(path, overwrite)
    found = to_regions(fit, frame=frame, n_rings=n_rings, mask=mask)
    found.write(path, format='ds9', overwrite=overwrite)
    return path


def _ellipses(fit, n_rings):
    """
    Make the ellipses, in pixels of the cutout.
    """
    import astropy.units as u
    from regions import EllipsePixelRegion, PixCoord

    rings = fit_rings(fit)
    rows = np.nonzero(rings.sma > 0)[0]
    if n_rings is not None and n_rings < len(rows):
        chosen = np.round(np.linspace(len(rows) - 1, 0, n_rings,
                                      endpoint=n_rings > 1)).astype(int)
        rows = rows[np.sort(chosen)]
    centre = PixCoord(*(float(c) for c in fit.centre))
    radius = fit.profile['radius'][rings.rows]
    brightness = fit.profile['surface_brightness'][rings.rows].value
    found = []
    for k in rows:
        text = f'{radius[k].value:.4g} {radius[k].unit}'
        if np.isfinite(brightness[k]):
            text += f', {brightness[k]:.2f} mag/arcsec2'
        sma = float(rings.sma[k])
        found.append(EllipsePixelRegion(
            centre, 2 * sma, 2 * sma * (1 - float(rings.eps[k])),
            angle=np.degrees(float(rings.theta[k])) % 180 * u.deg,
            **_look('isophote', text)))
    return found


def _look(kind, text):
    from regions import RegionMeta, RegionVisual

    return {'meta': RegionMeta({'text': text}),
            'visual': RegionVisual({'color': _COLOURS[kind]})}


def _polygons(mask, kind):
    """
    Draw polygons around the areas of a mask, in pixels of the cutout.

    The centre of a pixel lies in a polygon if it is masked. Areas with
    holes are cut in two.
    """
    from regions import PixCoord, PolygonPixelRegion
    from skimage.measure import find_contours

    names = {'bad': 'bad pixels', 'other': 'another object'}
    found, waiting = [], [(mask, 0, 0)]
    while waiting:
        part, y0, x0 = waiting.pop()
        areas, _ = label(part)
        for number, place in enumerate(find_objects(areas), 1):
            area = areas[place] == number
            y, x = y0 + place[0].start, x0 + place[1].start
            lines = find_contours(np.pad(area, 1).astype(float), 0.5,
                                  fully_connected='low')
            if len(lines) > 1:
                waiting += [(piece, y + down, x + right) for piece, down,
                            right in _halves(area)]
                continue
            # (the first point comes again at the end)
            row, column = lines[0][:-1].T - 1
            found.append(PolygonPixelRegion(
                PixCoord(column + x, row + y), **_look(kind, names[kind])))
    return found


def _halves(area):
    """
    Cut an area with a hole in two through the first hole.
    """
    outside, _ = label(~np.pad(area, 1))
    hole = (outside > 0) & (outside != outside[0, 0])
    row, column = (int(v[0]) - 1 for v in np.nonzero(hole))
    if area.shape[0] >= area.shape[1]:
        cut = max(row, 1)
        return [(area[:cut], 0, 0), (area[cut:], cut, 0)]
    cut = max(column, 1)
    return [(area[:, :cut], 0, 0), (area[:, cut:], 0, cut)]


def _moved(region, origin):
    """
    Move a region from pixels of the cutout to those of the image.
    """
    from regions import PixCoord

    x0, y0 = origin
    region = region.copy()
    for name in ('center', 'vertices'):
        place = getattr(region, name, None)
        if place is not None:
            setattr(region, name, PixCoord(place.x + x0, place.y + y0))
    return region
