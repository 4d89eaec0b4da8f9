# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Elliptical annuli with the exact part of each pixel inside of them.
"""

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from photutils.aperture import EllipticalAperture
from scipy.sparse import csr_array, vstack

from astro_pix2prof.arguments import read_lengths
from astro_pix2prof.wording import shown

__all__ = ['Annuli', 'make_annuli']


# Least width (pixels) of the annuli that follow from the rings of a profile.
_LEAST_WIDTH = 1.0

# Part of an annulus that may lie inside of the one before, where ellipses
# cross, without a warning.
_CROSSING = 0.02


@dataclass
class Annuli:
    """
    Record of elliptical annuli on the pixels of an image.

    They follow each other without gaps, and no light counts twice.

    Attributes
    ----------
    edges : 1D `~numpy.ndarray`, shape (n + 1,)
        Their semi-major axes in pixels.

    eps, theta : 1D `~numpy.ndarray`, shape (n + 1,)
        Ellipticities, and angles in radians from +x, of the edges.

    weights : `~scipy.sparse.csr_array`, shape (n, ny * nx)
        The part of each pixel that lies in each annulus.

    area : 1D `~numpy.ndarray`, shape (n,)
        The areas in pixels, including what lies outside of the image.
    """

    edges: np.ndarray
    eps: np.ndarray
    theta: np.ndarray
    weights: csr_array
    area: np.ndarray


def make_annuli(ellipses, centre, shape, pixel_scale, edges=None):
    """
    Make the annuli between ellipses.

    Parameters
    ----------
    ellipses : `~astro_pix2prof.ellipses.given.GivenEllipses`
        The ellipses of a profile.

    centre : tuple of 2 floats
        The centre (x, y) in pixels.

    shape : tuple of int
        The shape (ny, nx) of the image.

    pixel_scale : float or `None`
        The pixel scale in arcsec.

    edges : 1D array_like, `~astropy.units.Quantity` or str, optional
        The semi-major axes between the annuli, the inner edge of the first
        included; plain numbers are pixels, and a text is such as
        '0,2,4arcsec'. By default, half-way between the rings, from the
        centre to half a step beyond the last, and at least a pixel apart.

    Returns
    -------
    annuli : `Annuli`

    Raises
    ------
    ValueError
        If the edges are not increasing, or have no unit of an angle or of
        pixels.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ellipses cross: the light counts in the inner annulus.
    """
    edges = (_between(ellipses.sma) if edges is None
             else _check_edges(edges, pixel_scale))
    eps, theta = ellipses.at(edges)
    inside = np.zeros(np.prod(shape))
    area, rows, union, crossing = [], [], 0.0, False
    for k, (sma, e, angle) in enumerate(zip(edges, eps, theta, strict=True)):
        part = _ellipse_parts(shape, centre, sma, e, angle)
        # An ellipse that crosses the one before it must not take light away.
        grown = np.maximum(inside, part)
        lost = (grown - part).sum()
        size = max(np.pi * sma**2 * (1 - e) - union + lost, 0.0)
        if k:
            crossing |= lost > _CROSSING * max(size, 1.0)
            rows.append(csr_array((grown - inside)[None]))
            area.append(size)
        inside, union = grown, union + size
    if crossing:
        warnings.warn(
            'the ellipses of the profile cross each other: light that two '
            'annuli would share counts in the inner one',
            AstropyUserWarning, stacklevel=4)
    return Annuli(edges, eps, theta, vstack(rows, format='csr'),
                  np.array(area))


def _ellipse_parts(shape, centre, sma, eps, theta):
    """
    Calculate the part of each pixel inside of an ellipse, exactly.
    """
    if sma <= 0:
        return np.zeros(np.prod(shape))
    aperture = EllipticalAperture(centre, sma, sma * (1 - eps),
                                  theta=theta * u.rad)
    image = aperture.to_mask(method='exact').to_image(shape)
    return np.zeros(np.prod(shape)) if image is None else image.ravel()


def _between(sma):
    """
    Choose edges half-way between rings, at least a pixel apart.
    """
    sma = np.asarray(sma, dtype=float)
    if len(sma) < 2:
        msg = ('profile must have at least two rings, for the edges of the '
               f'annuli: give edges=, got {len(sma)}')
        raise ValueError(msg)
    middle = 0.5 * (sma[1:] + sma[:-1])
    last = 2 * sma[-1] - middle[-1]
    edges = [0.0]
    for edge in (*middle, last):
        if edge - edges[-1] >= _LEAST_WIDTH:
            edges.append(edge)
    # (what is left at the end belongs to the last annulus)
    if len(edges) > 2 and edges[-1] < last:
        edges[-1] = last
    elif edges[-1] < last:
        edges.append(last)
    return np.array(edges)


def _check_edges(edges, pixel_scale):
    """
    Convert given edges to pixels.
    """
    given = edges
    if isinstance(edges, str):
        try:
            edges = read_lengths(edges)
        except ValueError:
            msg = ("edges must be lengths such as '0,2,4arcsec', got "
                   f'{shown(given)}')
            raise ValueError(msg) from None
    if isinstance(edges, u.Quantity):
        if edges.unit.is_equivalent(u.arcsec) and pixel_scale is not None:
            edges = edges.to_value(u.arcsec) / pixel_scale
        elif edges.unit in (u.pix, u.dimensionless_unscaled):
            edges = edges.value
        else:
            msg = ('edges must be in pixels, or angles if the cube has a '
                   f"celestial WCS, got the unit '{edges.unit}'")
            raise ValueError(msg)
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(
            edges).all() or edges[0] < 0 or np.any(np.diff(edges) <= 0):
        text = (f'{", ".join(f"{edge:g}" for edge in np.ravel(given.value))} '
                f'{given.unit}' if isinstance(given, u.Quantity)
                else shown(given))
        msg = ('edges must be at least two increasing semi-major axes from 0 '
               f'on, got {text}')
        raise ValueError(msg)
    return edges
