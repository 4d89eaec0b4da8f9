# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tell whether a PSF is that of the image.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

__all__ = ['refuse_sharp', 'warn_of_centre']


# The PSF is too broad if the centre of the galaxy is sharper than so much of a
# star; much sharper, nothing corrects it.
_SHARPER, _REFUSED = 0.95, 0.8

# Models do not follow the centre if they are off by so much of its light, and
# by so many errors.
_OFF, _SURE = 0.05, 5.0


def warn_of_centre(rings, fits):
    """
    Warn if the PSF is too broad, or no model follows the centre.

    Parameters
    ----------
    rings : `~astro_pix2prof.structure.smeared.SmearedRings`
        The rings.

    fits : list of `~astro_pix2prof.structure.smeared.Fit`
        The models that were fitted to them.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the centre is sharper than a star behind the PSF; or if all models
        are off by much of the light and by many errors, within one and a half
        widths of the PSF.
    """
    seen, star = rings.half_radii()
    if seen < _SHARPER * star:
        warnings.warn(
            f'{_broader(seen, star)}. Models and corrections are wrong; '
            'give the psf of this image, a width in arcsec or with a unit',
            AstropyUserWarning, stacklevel=4)
        return
    near = (rings.radius < 1.5 * rings.fwhm) & (rings.intensity > 0)
    value = rings.intensity[near]
    worst = []
    for fit in fits:
        off = np.abs((rings.smear(fit.law, fit.parameters()) + fit.sky)[near]
                     - value)
        off = np.where(off > _SURE * rings.error[near], off / value, 0.0)
        worst.append(np.max(np.nan_to_num(off, nan=np.inf), initial=0.0))
    if worst and min(worst) > _OFF:
        warnings.warn(
            'no model behind the psf follows the centre of the galaxy (off by '
            f'{min(worst):.0%}): the galaxy has a bar, a ring or a nucleus, '
            'or the psf is another than that of the image, such as one that '
            'is too broad. Parameters and corrections may be wrong; give the '
            'psf of this image, a width in arcsec or with a unit',
            AstropyUserWarning,
            stacklevel=4)


def refuse_sharp(rings):
    """
    Raise an error if a galaxy is much sharper than a star behind the PSF.

    Parameters
    ----------
    rings : `~astro_pix2prof.structure.smeared.SmearedRings`
        The rings.

    Raises
    ------
    ValueError
        If it is: no correction exists.
    """
    seen, star = rings.half_radii()
    if seen < _REFUSED * star:
        msg = (f'{_broader(seen, star)}, so that nothing corrects it: give '
               'the psf of this image, a width in arcsec or with a unit')
        raise ValueError(msg)


def _broader(seen, star):
    return ('psf is broader than that of the image: along the rings, the '
            f'galaxy falls to half of its centre within {seen:.3g}, and a '
            f'star behind the psf within {star:.3g}, in the unit of the radii')
