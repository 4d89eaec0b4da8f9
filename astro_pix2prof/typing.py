# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Kinds of arguments that several functions take, for type checkers.

The names are those of hints: modules import them under ``TYPE_CHECKING``
only, so that they cost nothing when the package is used.
"""

from __future__ import annotations

from os import PathLike as _PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from astropy.io.fits import HDUList
    from astropy.nddata import Cutout2D, NDData
    from astropy.table import Table
    from astropy.units import Quantity
    from numpy.typing import ArrayLike
    from photutils.isophote import EllipseGeometry, IsophoteList

    from astro_pix2prof import PSF, BandProfiles, GalaxyCutout, ProfileFit

__all__ = ['BandsLike', 'EllipsesLike', 'ImageLike', 'PSFLike', 'PathLike']

# A path; of tables and of results, a ``upath.UPath`` too.
PathLike: TypeAlias = str | _PathLike[str]

# An image, as `~astro_pix2prof.GalaxyCutout` reads it: a file, an HDU, an
# object of astropy or an array.
ImageLike: TypeAlias = (
    'GalaxyCutout | NDData | Cutout2D | HDUList | Quantity | ArrayLike '
    '| PathLike | Any')

# Ellipses to measure on, as ``geometry=`` takes them.
EllipsesLike: TypeAlias = (
    'Table | ProfileFit | EllipseGeometry | IsophoteList')

# A point-spread function, as `~astro_pix2prof.PSF` takes it.
PSFLike: TypeAlias = 'PSF | Quantity | ArrayLike | PathLike | float | Any'

# A galaxy in several bands, as `~astro_pix2prof.find_clumps` takes it.
BandsLike: TypeAlias = (
    'BandProfiles | dict[str, ProfileFit] | dict[str, ImageLike] '
    '| list[ProfileFit]')
