# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Send a WCS to another process as a record of its numbers.

A `~astropy.wcs.WCS` is pickled as a FITS file: to write and parse it again
takes milliseconds, more than all pixels of a small image.
"""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS, WcsError

__all__ = ['PackedWCS', 'pack_wcs', 'unpack_wcs']


# What most files give. A WCS with anything else is pickled as usual.
_NUMBERS = ('crpix', 'crval', 'lonpole', 'latpole', 'equinox',
            'mjdobs', 'mjdref')

_TEXTS = ('radesys', 'dateobs', 'dateref', 'name', 'alt')


@dataclass
class PackedWCS:
    """
    Numbers and texts of a celestial WCS without distortions.

    Attributes
    ----------
    values : dict
        Attributes of `~astropy.wcs.Wcsprm`.

    attributes : dict
        Attributes of the `~astropy.wcs.WCS` itself, such as its shape, but
        for what it keeps between calls.
    """

    values: dict
    attributes: dict


def pack_wcs(wcs):
    """
    Take the numbers of a WCS, if they are all that there is to it.

    Parameters
    ----------
    wcs : WCS object or `None`
        The WCS.

    Returns
    -------
    packed : `PackedWCS` or WCS object
        The WCS itself if a record of its numbers would not give the same.
    """
    if type(wcs) is not WCS or wcs.naxis != 2 or any(
            part is not None for part in (wcs.sip, wcs.cpdis1, wcs.cpdis2,
                                          wcs.det2im1, wcs.det2im2)):
        return wcs
    own = wcs.wcs
    try:
        # (of both kinds of matrices, one counts)
        matrix = ('cd',) if own.has_cd() else ('pc', 'cdelt')
        values = {name: np.array(getattr(own, name)).tolist()
                  for name in (*matrix, *_NUMBERS)}
        values.update((name, getattr(own, name)) for name in _TEXTS)
        values.update(ctype=list(own.ctype),
                      cunit=[str(unit) for unit in own.cunit])
        # (what astropy keeps between calls holds functions, which cannot be
        # pickled)
        packed = PackedWCS(values, {
            name: value for name, value in vars(wcs).items()
            if not name.endswith('_cache')})
        other = unpack_wcs(packed).wcs
        # (the comparison knows nothing of distortions such as TPV)
        same = own.compare(other) and (
            own.to_header(relax=True) == other.to_header(relax=True))
    except (AttributeError, ValueError, TypeError, WcsError):
        # (numbers that cannot be read or set)
        return wcs
    return packed if same else wcs


def unpack_wcs(packed):
    """
    Make a WCS of its numbers.

    Parameters
    ----------
    packed : `PackedWCS` or WCS object
        As `pack_wcs` returns it.

    Returns
    -------
    wcs : WCS object or `None`
    """
    if not isinstance(packed, PackedWCS):
        return packed
    wcs = WCS(naxis=2)
    vars(wcs).update(packed.attributes)
    for name, value in packed.values.items():
        setattr(wcs.wcs, name, value)
    wcs.wcs.set()
    return wcs
