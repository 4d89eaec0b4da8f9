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
    from numpy.typing import ArrayLike

__all__ = [
    'disc_inclination',
    'disc_inclination_err',
    'face_on_error',
    'face_on_factor',
]


# Axis ratios of discs are not better known than this: point-spread functions
# make them rounder, and arms and bars flatter (set on 59 discs, GalSim, seed
# 9931).
_LEAST_ERROR = 0.015


def disc_inclination(ellipticity: float | ArrayLike, *,
                     thickness: float = 0.2) -> Quantity:
    """
    Calculate the inclination of a disc from its ellipticity.

    Parameters
    ----------
    ellipticity : float or array-like
        Ellipticity of the outer isophotes, or a column of them; of
        not-a-number, the result is that, too.

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
    thickness = _check_thickness(thickness)
    if np.ndim(ellipticity) == 0:
        q = 1 - check_number(ellipticity, 'ellipticity', least=0, most=1)
        return min(_inclination(q, thickness), 90.0) * u.deg
    values = _column(ellipticity, 'ellipticity', most=1)
    return np.reshape([np.nan if np.isnan(value) else min(
        _inclination(1 - value, thickness), 90.0)
        for value in values.ravel()], values.shape) * u.deg


def _column(values, name, *, most=np.inf):
    """
    Read a column of numbers of at least 0; what is masked is not-a-number.
    """
    values = np.ma.asarray(getattr(values, 'value', values))
    if values.dtype.kind not in 'iuf':
        msg = f'{name} must be numbers, got the type {values.dtype}'
        raise TypeError(msg)
    values = values.astype(float).filled(np.nan)
    wrong = values[(values < 0) | (values > most)]
    if len(wrong):
        limits = ('at least 0' if most == np.inf else f'from 0 to {most:g}')
        msg = f'{name} must be {limits}, got {wrong[0]}'
        raise ValueError(msg)
    return values


def disc_inclination_err(ellipticity: float | ArrayLike,
                         ellipticity_err: float | ArrayLike, *,
                         thickness: float = 0.2,
                         thickness_err: float = 0.05) -> Quantity:
    """
    Calculate the error of the inclination of a disc.

    Parameters
    ----------
    ellipticity, ellipticity_err : float or array-like
        Ellipticity of the outer isophotes, and its error, or columns of
        them; of not-a-number, the result is that, too. Errors below 0.015
        count as 0.015.

    thickness : float, optional
        The axis ratio of the disc seen edge-on.

    thickness_err : float, optional
        By how much discs differ in it, 0.05 by default: Padilla & Strauss
        2008, MNRAS 388, 1321, have a thickness of 0.21.

    Returns
    -------
    inclination_err : `~astropy.units.Quantity`
        The changes of `disc_inclination` by both errors, added in
        quadrature; each is the root mean square of those to both sides,
        as they differ near 0 and 90 deg. That discs are not round is no
        part of it.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or out of range, or columns are not
        equally long.

    Examples
    --------
    >>> from astro_pix2prof import disc_inclination_err
    >>> error = disc_inclination_err(0.5, 0.02)
    >>> print(f'{error:.1f}')
    1.8 deg
    """
    q_0 = _check_thickness(thickness)
    other = check_number(thickness_err, 'thickness_err', least=0)
    if np.ndim(ellipticity) == 0 and np.ndim(ellipticity_err) == 0:
        return _inclination_error(
            1 - check_number(ellipticity, 'ellipticity', least=0, most=1),
            check_number(ellipticity_err, 'ellipticity_err', least=0), q_0,
            other) * u.deg
    values = _column(ellipticity, 'ellipticity', most=1)
    errors = _column(ellipticity_err, 'ellipticity_err')
    try:
        values, errors = np.broadcast_arrays(values, errors)
    except ValueError:
        msg = ('ellipticity_err must have a value for each ellipticity, got '
               f'{errors.size} for {values.size}')
        raise ValueError(msg) from None
    return np.reshape([np.nan if np.isnan(value + error) else
                       _inclination_error(1 - value, error, q_0, other)
                       for value, error in zip(values.flat, errors.flat,
                                               strict=True)],
                      values.shape) * u.deg


def _inclination_error(q, error, q_0, other):
    """
    Calculate the error of an inclination in degrees.
    """
    error = max(error, _LEAST_ERROR)
    angle = _inclination(q, q_0)
    changes = [
        _inclination(*pair) - angle for sign in (1, -1) for pair in (
            (np.clip(q + sign * error, 0, 1), q_0),
            (q, np.clip(q_0 + sign * other, 0, 0.99)))]
    return float(np.sqrt(0.5 * np.sum(np.square(changes))))


def _inclination(q, q_0):
    """
    Calculate an inclination in degrees from axis ratio and thickness.

    Galaxies that are flatter than the disc have one above 90 deg, such that
    errors do not vanish there.
    """
    cos2 = (q**2 - q_0**2) / (1 - q_0**2)
    return float(np.degrees(np.arccos(np.clip(
        np.sign(cos2) * np.sqrt(abs(cos2)), -1.0, 1.0))))


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


def face_on_error(inclination, inclination_err, thickness=0.0):
    """
    Calculate the relative error of `face_on_factor`.

    Parameters
    ----------
    inclination : `~astropy.units.Quantity` or float
        The inclination; a plain number is in degrees.

    inclination_err : `~astropy.units.Quantity` or float
        Its error, likewise.

    thickness : float, optional
        The axis ratio of the disc seen edge-on.

    Returns
    -------
    error : float
        Root mean square of the changes to both sides, over the factor.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or out of range.
    """
    factor = face_on_factor(inclination, thickness)
    angle = check_number(inclination, 'inclination', unit=u.deg)
    error = check_number(inclination_err, 'inclination_err', unit=u.deg,
                         least=0, most=90)
    sides = np.radians([angle + error, angle - error])
    other = np.hypot(np.cos(sides), thickness * np.sin(sides))
    return float(np.sqrt(np.mean((other / factor - 1)**2)))
