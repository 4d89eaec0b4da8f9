# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Checks of the profiles that a mass is measured from.
"""

import warnings

from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.profile.identity import centres_apart, unlike_places

__all__ = ['warn_of_unlike']


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
        If some are corrected for the PSF and others are not, or their
        centres or places are those of different galaxies.
    """
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
