# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
K-corrections from a colour.
"""

import numpy as np

from astro_pix2prof.structure.bandpasses import find_bandpass

__all__ = ['K_CORRECTIONS', 'PolynomialKCorrection',
           'power_law_k_correction']


# The names of K-corrections that come with the package.
K_CORRECTIONS = ('chilingarian2010',)

# Coefficients of redshift (rows, from the power 0) and colour (columns) in the
# filters of SDSS, AB: Chilingarian, Melchior & Zolotukhin 2010, MNRAS 405,
# 1409, in the version of 2012 of http://kcor.sai.msu.ru.
_POLYNOMIALS = {
    ('g', 'g-r'): (
        (0, 0, 0, 0), (-2.45204, 4.10188, 10.5258, -13.5889),
        (56.7969, -140.913, 144.572, 57.2155),
        (-466.949, 222.789, -917.46, -78.0591),
        (2906.77, 1500.8, 1689.97, 30.889),
        (-10453.7, -4419.56, -1011.01, 0), (17568, 3236.68, 0, 0),
        (-10820.7, 0, 0, 0)),
    ('r', 'g-r'): (
        (0, 0, 0, 0), (1.83285, -2.71446, 4.97336, -3.66864),
        (-19.7595, 10.5033, 18.8196, 6.07785),
        (33.6059, -120.713, -49.299, 0), (144.371, 216.453, 0, 0),
        (-295.39, 0, 0, 0)),
    ('g', 'g-i'): (
        (0, 0, 0, 0), (1.59269, -2.97991, 7.31089, -3.46913),
        (-27.5631, -9.89034, 15.4693, 6.53131),
        (161.969, -76.171, -56.1923, 0), (-204.457, 217.977, 0, 0),
        (-50.6269, 0, 0, 0)),
    ('i', 'g-i'): (
        (0, 0, 0, 0), (-2.21853, 3.94007, 0.678402, -1.24751),
        (-15.7929, -19.3587, 15.0137, 2.27779),
        (118.791, -40.0709, -30.6727, 0), (-134.571, 125.799, 0, 0),
        (-55.4483, 0, 0, 0)),
    ('g', 'g-z'): (
        (0, 0, 0, 0), (2.37454, -4.39943, 7.29383, -2.90691),
        (-28.7217, -20.7783, 18.3055, 5.04468),
        (220.097, -81.883, -55.8349, 0), (-290.86, 253.677, 0, 0),
        (-73.5316, 0, 0, 0)),
    ('z', 'g-z'): (
        (0, 0, 0, 0), (0.30146, -0.623614, 1.40008, -0.534053),
        (-10.9584, -4.515, 2.17456, 0.913877),
        (66.0541, 4.18323, -8.42098, 0), (-169.494, 14.5628, 0, 0),
        (144.021, 0, 0, 0)),
}

# Colours (mag) beyond which the polynomials are not followed.
_RANGE = {'g-r': (0.0, 1.5), 'g-i': (0.0, 2.0), 'g-z': (0.0, 2.3)}

# The redshift to which they were fitted.
_FARTHEST = 0.5


class PolynomialKCorrection:
    """
    K-corrections by the polynomials of Chilingarian et al. 2010.

    They are for redshifts up to 0.5 and the filters of SDSS.

    Parameters
    ----------
    name : {'g-i', 'g-r', 'g-z'}
        The observed colour on which they depend, corrected for Galactic
        extinction.

    Raises
    ------
    ValueError
        If there are none for the colour.

    Examples
    --------
    >>> from astro_pix2prof.structure.k_corrections import (
    ...     PolynomialKCorrection)
    >>> hook = PolynomialKCorrection('g-r')
    >>> round(float(hook('g', 0.2, 1.1)), 6)
    0.520971
    """

    def __init__(self, name):
        if name not in _RANGE:
            msg = ('K-corrections by chilingarian2010 need one of the colours '
                   f'{", ".join(_RANGE)}, got {name!r}: give numbers or a '
                   'function as k_correction')
            raise ValueError(msg)
        self.name = name

    def __call__(self, band, redshift, colour):
        """
        Calculate the K-correction of a band (mag).

        Parameters
        ----------
        band : str
            A band of the colour.

        redshift : float
            The redshift.

        colour : float or `~numpy.ndarray`
            The colour (mag).

        Returns
        -------
        k : `~numpy.ndarray`

        Raises
        ------
        ValueError
            If there is no polynomial for the band, or the redshift is out
            of range.
        """
        coefficients = _POLYNOMIALS.get((band, self.name))
        if coefficients is None:
            msg = (f'K-corrections by chilingarian2010 from {self.name} are '
                   f'for its own bands, got {band!r}: give numbers or a '
                   'function as k_correction, or another colour')
            raise ValueError(msg)
        if not 0 <= redshift <= _FARTHEST:
            msg = (f'redshift must be from 0 to {_FARTHEST} for K-corrections '
                   f'by chilingarian2010, got {redshift!r}')
            raise ValueError(msg)
        colour = np.clip(np.asarray(colour, dtype=float),
                         *_RANGE[self.name])
        return np.polynomial.polynomial.polyval2d(
            np.full(colour.shape, redshift), colour, coefficients)


def power_law_k_correction(band, redshift, colour, *, name='g-i',
                           filters='SDSS'):
    """
    Calculate a K-correction for a spectrum that is a power law.

    The flux per unit of frequency is taken as a power of the frequency, as
    the colour has it. This is a fair K-correction to redshifts of some
    hundredths: spectra of galaxies bend more than that, at 4000 Angstrom
    above all.

    Parameters
    ----------
    band : str
        The band, which a power law does not need.

    redshift : float
        The redshift.

    colour : float or `~numpy.ndarray`
        The observed colour (mag).

    name : str, optional
        The colour, such as 'g-i'.

    filters : {'SDSS', 'PS1'}, optional
        The survey whose filters they are.

    Returns
    -------
    k : float or `~numpy.ndarray`
        The K-correction (mag) by the definition of Hogg et al. 2002.

    Raises
    ------
    ValueError
        If a wavelength is not in the register.

    Examples
    --------
    >>> from astro_pix2prof.structure.k_corrections import (
    ...     power_law_k_correction)
    >>> round(float(power_law_k_correction('g', 0.05, 1.0)), 3)
    0.052
    """
    blue, red = (find_bandpass(part, filters).wavelength
                 for part in name.split('-'))
    if blue is None or red is None:
        msg = (f'name must be a colour whose wavelengths are known, got '
               f'{name!r} of {filters}')
        raise ValueError(msg)
    slope = 0.4 * np.asarray(colour, dtype=float) / np.log10(red / blue)
    return 2.5 * (slope - 1) * np.log10(1 + redshift)
