# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of isophotes that are located on rays.
"""

import numpy as np
import pytest

from astro_pix2prof.ellipses.geometry import (
    shape_from_components,
    shape_to_components,
)
from astro_pix2prof.isophote.ellipse_fit import EllipseFit
from astro_pix2prof.isophote.rays import refine_ellipses

SIGMA, CENTRE = 0.02, (61.3, 58.6)


def disc(ellipticity, angle, seed=3):
    """
    An exponential disc with noise, of a scale length of 8 pixels.
    """
    y, x = np.mgrid[:120, :120].astype(float)
    x, y = x - CENTRE[0], y - CENTRE[1]
    u = x * np.cos(angle) + y * np.sin(angle)
    v = (y * np.cos(angle) - x * np.sin(angle)) / (1 - ellipticity)
    noise = np.random.default_rng(seed).normal(0, SIGMA, x.shape)
    return np.exp(-np.hypot(u, v) / 8) + noise


def refined(image, e1, e2):
    """
    Components at thin radii, from first ellipses.
    """
    first = np.geomspace(2, 24, 14)
    thin = np.arange(0.5, 40)
    start = EllipseFit(first, *shape_from_components(e1, e2),
                       np.full(14, 0.02), np.ones(14, dtype=bool), 0)
    eps, theta = shape_from_components(*(
        np.interp(thin, first, part) for part in (e1, e2)))
    _, ellipses = refine_ellipses(
        image, np.ones(image.shape, dtype=bool), CENTRE, start, thin, eps,
        theta, sigma=SIGMA, reach=30.0)
    return np.array(shape_to_components(*ellipses[:2])), thin


@pytest.mark.parametrize('ellipticity', [0.0, 0.02, 0.4])
def test_first_ellipses_are_forgotten(ellipticity):
    """
    Whatever the angles of nearly round ellipses at the beginning.

    They have no major axis, and rays that followed it led anywhere.
    """
    image = disc(ellipticity, 0.7)
    rng = np.random.default_rng(1)
    true = np.array(shape_to_components(ellipticity, 0.7))
    found = []
    for _ in range(2):
        parts = true[:, None] + rng.normal(0, 0.01, (2, 14))
        found.append(refined(image, *parts)[0])
    change = np.hypot(*(found[0] - found[1]))
    # (where noise in round ellipses is taken off, a root is at its steepest)
    assert change.mean() < 5e-4
    assert change.max() < 2.5e-3


@pytest.mark.parametrize(('ellipticity', 'angle'), [
    (0.0, 0.0), (0.3, 0.2), (0.3, 1.5), (0.7, -0.9), (0.7, 0.0)])
def test_ellipses_of_a_disc(ellipticity, angle):
    """
    The true ones, from ones that are rounder, at any angle.
    """
    true = shape_to_components(ellipticity, angle)
    components, thin = refined(
        disc(ellipticity, angle), *(np.full(14, 0.9 * part + 0.01)
                                    for part in true))
    bright = (thin > 4) & (thin < 20)
    for part, expected in zip(components, true, strict=True):
        np.testing.assert_allclose(part[bright], expected, atol=0.03)
