# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Register of filters: wavelength, Galactic extinction and the sun.
"""

from typing import NamedTuple

from astro_pix2prof.arguments import check_choice

__all__ = ['BANDPASSES', 'FILTERS', 'Bandpass', 'find_bandpass']


class Bandpass(NamedTuple):
    """
    A filter of a survey.

    Attributes
    ----------
    wavelength : float or `None`
        Pivot wavelength (Angstrom).

    extinction : float
        Extinction (mag) per unit of the E(B-V) of Schlegel et al. 1998
        (SFD), from Table 6 of Schlafly & Finkbeiner 2011, ApJ 737, 103,
        for R_V = 3.1. The factor 0.86 by which they recalibrate SFD is
        contained.

    sun : float or `None`
        Absolute AB magnitude of the sun, from Table 3 of Willmer 2018,
        ApJS 236, 47. `None` where it is not registered.
    """

    wavelength: float | None
    extinction: float
    sun: float | None


# Bands by the survey whose filters they are.
BANDPASSES = {
    'SDSS': {
        'u': Bandpass(None, 4.239, 6.39),
        'g': Bandpass(4702.0, 3.303, 5.11),
        'r': Bandpass(6175.0, 2.285, 4.65),
        'i': Bandpass(7490.0, 1.698, 4.53),
        'z': Bandpass(8946.0, 1.263, 4.50),
    },
    'DES': {
        'g': Bandpass(None, 3.237, 5.05),
        'r': Bandpass(None, 2.176, 4.61),
        'i': Bandpass(None, 1.595, None),
        'z': Bandpass(None, 1.217, 4.50),
        'y': Bandpass(None, 1.058, None),
    },
    'PS1': {
        'g': Bandpass(4849.0, 3.172, 5.03),
        'r': Bandpass(6201.0, 2.271, 4.64),
        'i': Bandpass(7535.0, 1.682, 4.52),
        'z': Bandpass(8674.0, 1.322, 4.50),
        'y': Bandpass(None, 1.087, 4.50),
    },
}

FILTERS = tuple(BANDPASSES)


def find_bandpass(band, filters='SDSS'):
    """
    Find a filter in the register.

    Parameters
    ----------
    band : str
        The band, such as 'g'.

    filters : {'SDSS', 'DES', 'PS1'}, optional
        The survey whose filters they are; those of DES are the ones of
        DECam and of the Legacy Surveys.

    Returns
    -------
    bandpass : `Bandpass`

    Raises
    ------
    TypeError, ValueError
        If the filter is not in the register.

    Examples
    --------
    >>> from astro_pix2prof.structure.bandpasses import find_bandpass
    >>> find_bandpass('r').sun
    4.65
    """
    filters = check_choice(filters, 'filters', FILTERS)
    known = BANDPASSES[filters]
    if band not in known:
        msg = (f'band must be one of {", ".join(known)} of {filters}, got '
               f'{band!r}')
        raise ValueError(msg)
    return known[band]
