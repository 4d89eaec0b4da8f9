# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Thin discs along given ellipses: the mean along each is what it is.
"""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import IsophoteFitter, Pix2ProfFitter

SIGMA, SIDE, PIXEL = 0.01, 160, 0.4
OPTIONS = {'zeropoint': 22.5, 'pixel_scale': PIXEL}
ANGLE = 0.6


def disc(axis_ratio, seed):
    """
    An edge-on exponential disc behind a PSF, without noise and with it.
    """
    rng = np.random.default_rng([39, seed])
    centre = SIDE / 2 - 0.5 + rng.uniform(-0.5, 0.5, 2)
    fine = 5
    grid = (np.arange(SIDE * fine) + 0.5) / fine - 0.5
    x, y = np.meshgrid(grid, grid)
    galaxy = Sersic2D(1.0, 13, 1.0, *centre, 1 - axis_ratio, ANGLE)(x, y)
    galaxy = gaussian_filter(galaxy, 1.3 * fine)
    galaxy = galaxy.reshape(SIDE, fine, SIDE, fine).mean((1, 3))
    return galaxy, galaxy + rng.normal(0, SIGMA, galaxy.shape), centre


def mean_along(image, centre, sma, eps, angle):
    """
    The mean intensity along ellipses, per square arcsecond.
    """
    t = np.linspace(0, 2 * np.pi, 2000, endpoint=False)[:, None]
    u, v = sma * np.cos(t), sma * (1 - eps) * np.sin(t)
    x = centre[0] + u * np.cos(angle) - v * np.sin(angle)
    y = centre[1] + u * np.sin(angle) + v * np.cos(angle)
    arc = np.hypot(sma * np.sin(t), sma * (1 - eps) * np.cos(t)) + 1e-9
    value = map_coordinates(image, [y, x], order=3)
    return (value * arc).sum(0) / arc.sum(0) / PIXEL**2


def deviations(fitter, axis_ratio, seed, eps, angle):
    """
    How far bright rings along given ellipses are off: mag, and in errors.
    """
    clean, image, centre = disc(axis_ratio, seed)
    profile = fitter(image, ellipticity=eps, pa=np.degrees(angle), **OPTIONS)
    sma = profile['radius'].value / PIXEL
    true = mean_along(clean, centre, sma, eps, angle)
    bright = (sma > 4) & (true > 40 * SIGMA / PIXEL**2 / np.sqrt(
        2 * np.pi * np.maximum(sma, 1)))
    off = -2.5 * np.log10(profile['intensity'].value[bright] / true[bright])
    return off, off / profile['surface_brightness_err'].value[bright]


@pytest.mark.parametrize('weights', ['rings', 'rings-fast'])
@pytest.mark.parametrize('axis_ratio', [0.12, 0.2])
def test_true_ellipses(weights, axis_ratio):
    """
    On their own ellipses, thin discs are not made fainter.
    """
    fitter = Pix2ProfFitter(weights, device='cpu')
    # (the PSF makes the isophotes rounder; one shape is given for all)
    off, pulls = np.concatenate([deviations(
        fitter, axis_ratio, seed, 1 - axis_ratio - 0.03, ANGLE)
        for seed in range(6)], axis=1)
    assert len(off) > 30
    assert abs(np.median(off)) < 0.01
    assert np.median(np.abs(off)) < 0.015
    assert np.mean(np.abs(pulls) > 3) < 0.05


@pytest.mark.parametrize('fitter', [
    Pix2ProfFitter(device='cpu'), Pix2ProfFitter('rings-fast', device='cpu'),
    IsophoteFitter()])
def test_errors_on_other_ellipses(fitter):
    """
    Along ellipses of another shape, errors hold for what the means are.
    """
    pulls = np.concatenate([deviations(
        fitter, 0.25, seed, 0.62, ANGLE + 0.1)[1] for seed in range(3)])
    assert len(pulls) > 12
    assert np.mean(np.abs(pulls) < 1) > 0.5
    assert np.mean(np.abs(pulls) > 3) < 0.1
