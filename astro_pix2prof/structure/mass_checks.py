# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Checks of the profiles that a mass is measured from.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile.identity import centres_apart, unlike_places
from astro_pix2prof.structure.bandpasses import BANDPASSES

__all__ = ['warn_of_bands', 'warn_of_unlike']


# Ellipticities of two bands whose median difference is above this, beside
# three of their errors, are those of other ellipses: the light along them is
# of other places.
_OTHER_SHAPE = 0.05


def warn_of_unlike(profiles):
    """
    Warn if profiles cannot be those of one galaxy, treated alike.

    Parameters
    ----------
    profiles : dict of `~astropy.table.QTable`
        The profiles by band.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If some are corrected for the PSF and others are not, they say that
        they are of other bands, their ellipses differ, or their centres or
        places are those of different galaxies.
    """
    warn_of_bands({band: profile.meta.get('band')
                   for band, profile in profiles.items()}, stacklevel=4)
    _warn_of_ellipses(profiles)
    corrected = {band for band, profile in profiles.items()
                 if 'psf_correction' in profile.colnames}
    if corrected and corrected != set(profiles):
        warnings.warn(
            f'the profiles of {", ".join(sorted(corrected))} are corrected '
            'for the PSF and the others are not: their colours are wrong '
            'near the centre', AstropyUserWarning, stacklevel=3)
    apart = centres_apart([profile.meta for profile in profiles.values()])
    if apart:
        warnings.warn(
            f'the centres of the profiles are {apart:.3g} arcsec apart: '
            'are they profiles of one galaxy?', AstropyUserWarning,
            stacklevel=3)
    if apart is None:
        first, *others = profiles.values()
        doubts = [unlike_places(first.meta, other.meta, other['radius'][-1])
                  for other in others]
        if any(doubts):
            warnings.warn(
                f'{next(filter(None, doubts))}: are the profiles those of '
                'one galaxy?', AstropyUserWarning, stacklevel=3)


def warn_of_bands(own, *, stacklevel=3):
    """
    Warn if profiles say that they are of other bands.

    Parameters
    ----------
    own : dict of str
        The band that each profile states, by the band it is taken for.

    stacklevel : int, optional
        As for `warnings.warn`.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If both are names of filters that are known: names such as F606W are
        of no survey, and say nothing.
    """
    known = set().union(*BANDPASSES.values())
    if len(own) > 1 and len(set(own.values())) == 1:
        # (one image stands for all bands)
        return
    for band, stated in own.items():
        if stated != band and {stated, band} <= known:
            warnings.warn(
                f'band is {band!r}, but the profile is of the band '
                f'{stated!r}: its light is taken as that of {band!r}',
                AstropyUserWarning, stacklevel=stacklevel)


def _warn_of_ellipses(profiles):
    """
    Warn if the light of bands was measured along ellipses of other shapes.
    """
    first, *others = profiles
    one = profiles[first]
    for band in others:
        two = profiles[band]
        radius = one['radius'].value
        inside = (radius > 0) & (radius <= two['radius'].value[-1])
        apart = np.abs(np.subtract(*_at(one, two, 'ellipticity')))
        error = np.hypot(*_at(one, two, 'ellipticity_err'))
        use = inside & np.isfinite(apart) & np.isfinite(error)
        if np.any(use) and np.median(
                (apart - 3 * error)[use]) > _OTHER_SHAPE:
            warnings.warn(
                f'the ellipticities of {first!r} and {band!r} differ by '
                f'{np.median(apart[use]):.2f}: their colour is that of light '
                'at different places; measure them on the same ellipses '
                '(fit_bands or geometry=)', AstropyUserWarning, stacklevel=4)


def _at(one, two, name):
    """
    Read a column of both at the radii of the first; zeros without it.
    """
    if name not in one.colnames or name not in two.colnames:
        return np.zeros((2, len(one)))
    first, second = (np.asarray(table[name], dtype=float)
                     for table in (one, two))
    if name.endswith('_err'):
        first, second = np.nan_to_num(first), np.nan_to_num(second)
    return np.stack([first, np.interp(one['radius'].value,
                                      two['radius'].value, second)])
