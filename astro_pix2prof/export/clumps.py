# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Clumps as regions of DS9 and astropy.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astro_pix2prof.arguments import check_choice
from astro_pix2prof.extras import missing_extra

__all__ = ['clump_regions']


# The colours of clumps and of other objects.
_COLOURS = {'clump': 'orange', 'odd': 'cyan'}


def clump_regions(clumps, *, frame='sky'):
    """
    Make circles around clumps, of two full widths at half maximum.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        As `~astro_pix2prof.find_clumps` returns them.

    frame : {'sky', 'pixel'}, optional
        Whether the regions are on the sky, or in pixels of the image as it
        was given, the first of which is 0: places in the cut-out are moved
        by ``clumps.meta['x_origin']`` and ``clumps.meta['y_origin']``.

    Returns
    -------
    regions : `~regions.Regions`
        Circles, with the class and the share of the light as their text.

    Raises
    ------
    ImportError
        If the package regions is not installed.

    ValueError
        If the sky is wanted and the image has no WCS.
    """
    frame = check_choice(frame, 'frame', ('sky', 'pixel'))
    try:
        from regions import (
            CirclePixelRegion,
            CircleSkyRegion,
            PixCoord,
            Regions,
        )
    except ImportError as error:
        raise missing_extra(package='regions', extra='regions',
                            what='clump_regions') from error
    if frame == 'sky' and 'ra' not in clumps.colnames:
        msg = ("frame must be 'pixel': the clumps have no sky coordinates, "
               'as the image has no WCS')
        raise ValueError(msg)
    radius = float(clumps.meta.get('fwhm', 3.0))
    scale = float(u.Quantity(clumps.meta.get('pixel_scale', np.nan)).value)
    # (the columns x and y are those of the cutout)
    x0, y0 = (int(clumps.meta.get(f'{axis}_origin', 0)) for axis in 'xy')
    out = []
    for row in clumps:
        name = str(row['class'])
        more = {'meta': {'text': f'{name} {float(row["share"]):.1%}'},
                'visual': {'color': _COLOURS[name]}}
        if frame == 'sky':
            out.append(CircleSkyRegion(
                SkyCoord(row['ra'], row['dec']), radius * scale * u.arcsec,
                **more))
        else:
            out.append(CirclePixelRegion(
                PixCoord(float(row['x']) + x0, float(row['y']) + y0), radius,
                **more))
    return Regions(out)
