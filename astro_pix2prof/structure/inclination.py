# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Inclination of discs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astro_pix2prof.arguments import check_number

if TYPE_CHECKING:
    from astropy.units import Quantity

__all__ = ['disc_inclination', 'face_on_factor']


def disc_inclination(ellipticity: float, *,
                     thickness: float = 0.2) -> Quantity:
    """
    Calculate the inclination of a disc from its ellipticity.

    Parameters
    ----------
    ellipticity : float
        Ellipticity of the outer isophotes.

    thickness : float, optional
        The axis ratio of the disc seen edge-on: 0 for an infinitely thin
        disc, 0.2 as Hubble 1926, ApJ 64, 321 has it for spirals.

    Returns
    -------
    inclination : `~astropy.units.Quantity`
        0 deg is face-on. 90 deg if the galaxy is flatter than the disc.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or out of range.

    Examples
    --------
    >>> from astro_pix2prof import disc_inclination
    >>> disc_inclination(0.5, thickness=0)
    <Quantity 60. deg>
    """
    q = 1 - check_number(ellipticity, 'ellipticity', least=0, most=1)
    q_0 = _check_thickness(thickness)
    cos2 = (q**2 - q_0**2) / (1 - q_0**2)
    return np.degrees(np.arccos(np.sqrt(max(cos2, 0.0)))) * u.deg


def _check_thickness(thickness):
    return check_number(thickness, 'thickness', least=0, most=0.99)


def face_on_factor(inclination, thickness=0.0):
    """
    Calculate by which factor a disc is fainter if seen face-on.

    Parameters
    ----------
    inclination : `~astropy.units.Quantity` or float
        The inclination; a plain number is in degrees.

    thickness : float, optional
        The axis ratio of the disc seen edge-on.

    Returns
    -------
    factor : float
        Surface brightness face-on over that observed, for a disc without
        dust: cos i for an infinitely thin disc, and
        sqrt(cos(i)**2 + (thickness sin(i))**2) for an oblate spheroid.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or out of range, or an infinitely thin
        disc is seen edge-on.
    """
    angle = np.radians(check_number(inclination, 'inclination', unit=u.deg,
                                    least=0, most=90))
    q_0 = _check_thickness(thickness)
    factor = float(np.hypot(np.cos(angle), q_0 * np.sin(angle)))
    if factor < 1e-6:
        msg = ('inclination must be below 90 deg for an infinitely thin '
               'disc: give its thickness, such as 0.2')
        raise ValueError(msg)
    return factor
