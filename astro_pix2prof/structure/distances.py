# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Distances, scales and cosmological dimming.
"""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from astro_pix2prof.arguments import (
    check_number,
    check_positive,
    read_text_quantity,
)

__all__ = ['PhysicalScale', 'check_megaparsec', 'find_scale',
           'luminosity_distances', 'warn_of_redshift', 'warn_of_scale']


@dataclass(frozen=True)
class PhysicalScale:
    """
    The distance of a galaxy, and what follows from it.

    Attributes
    ----------
    luminosity_distance, angular_distance : float
        Distances (Mpc), by brightness and by size.

    redshift : float
        The redshift, 0 if it is not known.

    cosmology : str
        The name of the cosmology; empty if the distance was given.
    """

    luminosity_distance: float
    angular_distance: float
    redshift: float = 0.0
    cosmology: str = ''

    @property
    def distance_modulus(self):
        """
        Apparent less absolute magnitude (mag).
        """
        return float(5 * np.log10(self.luminosity_distance) + 25)

    @property
    def kpc_per_arcsec(self):
        """
        Length (kpc) of an arcsecond.
        """
        return float((1 * u.arcsec).to_value(u.rad)
                     * self.angular_distance * 1e3)

    @property
    def dimming(self):
        """
        Cosmological dimming of surface brightness (mag).

        It is (1 + z)**4, to go with K-corrections by the definition of
        Hogg et al. 2002, arXiv:astro-ph/0210394. An intensity per unit of
        frequency dims by (1 + z)**3 only: the fourth factor is that of the
        band's width, which such a K-correction takes back.
        """
        return float(10 * np.log10(1 + self.redshift))


# Above this redshift, masses need K-corrections; within this distance (Mpc),
# there are satellites of the Milky Way only.
_NEEDS_K, _SATELLITE = 0.05, 0.1

# Above this redshift, the distance that is given and that of the redshift
# are believed to differ by less than this factor.
_HUBBLE_FLOW, _APART = 0.02, 1.5

# The distances (Mpc) and redshifts that galaxies have: the nearest is 0.02
# Mpc away.
_NEAREST, _FARTHEST, _MOST_REDSHIFT = 1e-3, 1e6, 30.0


def check_megaparsec(value, name):
    """
    Refuse milliparsec, which stand for megaparsec.

    Parameters
    ----------
    value : object
        A distance, its error, or anything else.

    name : str
        The name of the argument.

    Raises
    ------
    ValueError
        If it is in mpc.
    """
    unit = getattr(read_text_quantity(value), 'unit', None)
    if unit == u.mpc:
        msg = (f'{name} must be the distance of a galaxy, got {value} in '
               'milliparsec: megaparsec are written Mpc')
        raise ValueError(msg)


def warn_of_scale(scale, k_correction):
    """
    Warn of distances and redshifts at which masses are wrong.

    Parameters
    ----------
    scale : `PhysicalScale`
        The distance of the galaxy.

    k_correction : object or `None`
        The K-corrections, if there are any.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are none and the redshift is above 0.05, or it is above
        0.02 and the distance is another one by more than a factor of 1.5,
        or the galaxy is nearer than 0.1 Mpc.
    """
    _warn_of_contradiction(scale)
    _warn_without(
        k_correction, scale, 'colours and light are those of bluer bands, and '
        'masses are wrong by more than their errors; give k_correction, such '
        "as 'chilingarian2010', or the magnitudes of each band, which may be "
        '0')
    if scale.luminosity_distance < _SATELLITE:
        warnings.warn(
            f'distance is {scale.luminosity_distance:g} Mpc, that of a '
            'satellite of the Milky Way; distances of galaxies are in Mpc',
            AstropyUserWarning, stacklevel=3)


def warn_of_redshift(scale, k_correction, *, stacklevel=4):
    """
    Warn of redshifts at which magnitudes need a K-correction.

    Parameters
    ----------
    scale : `PhysicalScale`
        The distance of the galaxy.

    k_correction : object or `None`
        The K-corrections, if there are any.

    stacklevel : int, optional
        That of the call by the user.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are none and the redshift is above 0.05, or it is above
        0.02 and the distance is another one by more than a factor of 1.5.
    """
    _warn_of_contradiction(scale, stacklevel)
    _warn_without(
        k_correction, scale, 'magnitudes and luminosities are those of a '
        'bluer band; give k_correction, a function of band, redshift and '
        'colour, or the magnitudes of each band, which may be 0', stacklevel)


def _warn_of_contradiction(scale, stacklevel=4):
    """
    Warn of a distance that is not that of the redshift.
    """
    if scale.cosmology or scale.redshift <= _HUBBLE_FLOW:
        return
    from astropy.cosmology import default_cosmology

    other = default_cosmology.get().luminosity_distance(
        scale.redshift).to_value(u.Mpc)
    if abs(np.log(scale.luminosity_distance / other)) > np.log(_APART):
        warnings.warn(
            f'distance is {scale.luminosity_distance:.4g} Mpc, but the '
            f'redshift {scale.redshift:g} belongs to {other:.4g} Mpc: kpc, '
            'dimming and K-corrections follow from the redshift, '
            'luminosities from the distance', AstropyUserWarning,
            stacklevel=stacklevel)


def _warn_without(k_correction, scale, what, stacklevel=4):
    """
    Warn that there is no K-correction where one is needed.
    """
    if k_correction is None and scale.redshift > _NEEDS_K:
        warnings.warn(
            f'no K-correction is made at the redshift {scale.redshift:g}: '
            f'{what}', AstropyUserWarning, stacklevel=stacklevel)


def find_scale(distance=None, redshift=None, cosmology=None):
    """
    Find distance and scale of a galaxy.

    Parameters
    ----------
    distance : `~astropy.units.Quantity` or float, optional
        The distance; a plain number is in Mpc. It is a distance by
        brightness (luminosity distance), as standard candles and
        surface-brightness fluctuations give it. Without it, that of the
        redshift in the cosmology.

    redshift : float, optional
        The redshift. Beside a distance, it is used for dimming, for
        K-corrections and for the distance by size.

    cosmology : `~astropy.cosmology.FLRW`, optional
        The cosmology; by default that of
        `astropy.cosmology.default_cosmology`. It is used without a
        distance only.

    Returns
    -------
    scale : `PhysicalScale`

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.

    ValueError
        If neither distance nor redshift is given, a value is out of range
        or in mpc (milliparsec, which nobody means), or there is a cosmology
        beside a distance.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astro_pix2prof.structure.distances import find_scale
    >>> round(find_scale(20 * u.Mpc).kpc_per_arcsec, 4)
    0.097
    """
    redshift = check_number(redshift, 'redshift', optional=True)
    if redshift is not None and not -0.1 < redshift <= _MOST_REDSHIFT:
        msg = ('redshift must be a finite number above -0.1 of at most '
               f'{_MOST_REDSHIFT:g}, got {redshift!r}: a velocity in km/s is '
               'to be divided by 299792')
        raise ValueError(msg)
    check_megaparsec(distance, 'distance')
    distance = check_positive(distance, 'distance', unit=u.Mpc,
                              optional=True)
    if distance is not None and not _NEAREST <= distance <= _FARTHEST:
        msg = (f'distance must be that of a galaxy, from 1 kpc to '
               f'{_FARTHEST:g} Mpc, got {distance:.4g} Mpc: give Mpc, or a '
               "quantity such as '780 kpc'")
        raise ValueError(msg)
    if distance is not None:
        if cosmology is not None:
            msg = ('cosmology must be left out where distance is given: it '
                   'would not be used')
            raise ValueError(msg)
        z = redshift or 0.0
        return PhysicalScale(distance, distance / (1 + z)**2, z)
    if redshift is None:
        msg = ('the galaxy has no distance: give distance= or redshift=, got '
               'neither')
        raise ValueError(msg)
    if redshift <= 0:
        msg = (f'redshift must be positive without a distance, got '
               f'{redshift!r}')
        raise ValueError(msg)
    cosmology = _find_cosmology(cosmology)
    return PhysicalScale(
        float(cosmology.luminosity_distance(redshift).to_value(u.Mpc)),
        float(cosmology.angular_diameter_distance(redshift).to_value(u.Mpc)),
        redshift, str(getattr(cosmology, 'name', None) or 'unnamed'))


def luminosity_distances(redshift, cosmology=None):
    """
    Calculate the distances by brightness of redshifts (Mpc).

    Parameters
    ----------
    redshift : 1D `~numpy.ndarray`, shape (n,)
        The redshifts, which are positive.

    cosmology : `~astropy.cosmology.FLRW`, optional
        As for `find_scale`.

    Returns
    -------
    distance : 1D `~numpy.ndarray`, shape (n,)

    Raises
    ------
    TypeError
        If the cosmology is none.
    """
    return _find_cosmology(cosmology).luminosity_distance(
        redshift).to_value(u.Mpc)


def _find_cosmology(cosmology):
    """
    Find the cosmology that was given, or that of astropy.
    """
    if cosmology is None:
        from astropy.cosmology import default_cosmology

        return default_cosmology.get()
    if not hasattr(cosmology, 'luminosity_distance'):
        msg = ('cosmology must be a cosmology of astropy such as Planck18, '
               f'got {cosmology!r}')
        raise TypeError(msg)
    return cosmology
