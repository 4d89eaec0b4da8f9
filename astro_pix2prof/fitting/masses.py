# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
One galaxy in several bands: its stellar-mass profile beside its light.
"""

from collections.abc import Mapping

from astro_pix2prof.fitting.bands import measure_bands
from astro_pix2prof.structure.mass import (
    MASS_OPTIONS,
    check_mass_options,
    mass_profile,
)

__all__ = ['measure_masses']


def measure_masses(fit_galaxy, images, **options):
    """
    Measure a galaxy in several bands, and its stellar-mass profile.

    Parameters
    ----------
    fit_galaxy : callable
        The method ``fit`` of a fitter.

    images : dict
        See `~astro_pix2prof.fitting.base.ProfileFitter.fit_bands`.

    **options
        Those of `~astro_pix2prof.mass_profile` and of ``fit_bands``.

    Returns
    -------
    result : `BandProfiles`
        With its ``mass``; if that cannot be measured, ``failed['mass']``
        says why.

    Raises
    ------
    TypeError, ValueError
        As for ``fit_bands``; before anything is measured, if the bands do
        not suit the relation, or distance and redshift are wrong.
    """
    own = {name: options.pop(name) for name in MASS_OPTIONS
           if name in options}
    if isinstance(images, Mapping):
        # (anything else is refused below)
        check_mass_options(images, **own)
    result = measure_bands(fit_galaxy, images, **options)
    try:
        result.mass = mass_profile(result, **own)
    except Exception as error:
        # Store the exception: the light is worth having without the mass.
        result.failed['mass'] = str(error) or type(error).__name__
    return result
