# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of profiles along ellipses of another shape than the galaxy's.
"""

import numpy as np
import pytest
from photutils.aperture import EllipticalAperture
from scipy.ndimage import gaussian_filter, map_coordinates

from astro_pix2prof import GalaxyFlag, IsophoteFitter, Pix2ProfFitter

PIXEL, X0, Y0 = 0.4, 64.0, 63.0


@pytest.fixture(scope='module', name='galaxy')
def fixture_galaxy():
    """
    The clean image of an exponential galaxy of ellipticity 0.5 at 30 deg.
    """
    y, x = np.mgrid[:128, :128]
    t = np.radians(30)
    u = (x - X0) * np.cos(t) + (y - Y0) * np.sin(t)
    v = (y - Y0) * np.cos(t) - (x - X0) * np.sin(t)
    return gaussian_filter(2 * np.exp(-np.hypot(u, v / 0.5) / 7), 1.1)


def mean_along(image, sma, eps, pa):
    """
    The mean along an ellipse, each part of its length counting alike.
    """
    t = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    u, v, p = sma * np.cos(t), sma * (1 - eps) * np.sin(t), np.radians(pa)
    arc = np.hypot(sma * np.sin(t), sma * (1 - eps) * np.cos(t))
    values = map_coordinates(image, [
        Y0 + u * np.sin(p) + v * np.cos(p),
        X0 + u * np.cos(p) - v * np.sin(p)], order=3)
    return (arc * values).sum() / arc.sum()


@pytest.mark.parametrize(('eps', 'pa'), [(0.0, 0), (0.5, 60), (0.5, 110)])
@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_mean_is_that_along_the_ellipses(galaxy, fitter, eps, pa):
    # the galaxy's own long sides are no other objects
    noise = np.random.default_rng(4).normal(0, 0.02, galaxy.shape)
    profile = fitter()(galaxy + noise, unit='nmgy', pixel_scale=PIXEL,
                       ellipticity=eps, pa=pa)
    flag = GalaxyFlag(profile.meta['flag'])
    assert flag & GalaxyFlag.FORCED
    assert not flag & (GalaxyFlag.NO_SOURCE | GalaxyFlag.NEIGHBOUR)
    sma = profile['radius'].value / PIXEL
    inside = (sma > 4) & (sma < 13)
    true = np.array([mean_along(galaxy, a, eps, pa) for a in sma[inside]])
    off = PIXEL**2 * profile['intensity'].value[inside] / true - 1
    assert np.median(np.abs(off)) < 0.02
    assert np.all(np.abs(off) < 0.06)


def test_ellipses_across_the_galaxy(galaxy):
    """
    Isophotes did not see the ends of the galaxy, up to 4 mag of light.
    """
    noise = np.random.default_rng(6).normal(0, 0.02, galaxy.shape)
    profile = IsophoteFitter()(galaxy + noise, unit='nmgy',
                               pixel_scale=PIXEL, ellipticity=0.7, pa=120)
    sma = profile['radius'].value / PIXEL
    inside = (sma > 4) & (sma < 25)
    true = np.array([mean_along(galaxy, a, 0.7, 120) for a in sma[inside]])
    value = PIXEL**2 * profile['intensity'].value[inside]
    assert np.median(np.abs(value / true - 1)) < 0.05
    error = PIXEL**2 * profile['intensity_err'].value[inside]
    assert np.median(np.abs(value - true) / error) < 2
    assert not profile.meta['flag'] & GalaxyFlag.HEAVILY_MASKED


def test_neighbour_on_one_side_keeps_no_weight(galaxy):
    # what is left out along the galaxy's own ellipses stays left out
    y, x = np.mgrid[:128, :128]
    other = 1.5 * np.exp(-np.hypot(x - X0 - 22, y - Y0 + 6) / 3)
    image = galaxy + gaussian_filter(other, 1.1) + np.random.default_rng(
        5).normal(0, 0.02, galaxy.shape)
    profile = Pix2ProfFitter()(image, unit='nmgy', pixel_scale=PIXEL,
                               ellipticity=0.45, pa=30)
    sma = profile['radius'].value / PIXEL
    inside = (sma > 4) & (sma < 24)
    true = np.array([mean_along(galaxy, a, 0.45, 30) for a in sma[inside]])
    off = PIXEL**2 * profile['intensity'].value[inside] / true - 1
    assert np.median(np.abs(off)) < 0.03
    assert np.all(np.abs(off) < 0.2)


def light_within(image, sma, eps, pa):
    aperture = EllipticalAperture((X0, Y0), sma, sma * (1 - eps),
                                  theta=np.radians(pa))
    return aperture.to_mask(method='exact').multiply(image).sum()


@pytest.mark.parametrize(('eps', 'pa'), [(0.0, 0), (0.75, 30), (0.6, 120)])
@pytest.mark.parametrize('fitter', [Pix2ProfFitter, IsophoteFitter])
def test_magnitudes_are_those_of_the_area(galaxy, fitter, eps, pa):
    """
    They were 0.1 to 0.2 mag too bright in ellipses that are too flat.
    """
    noise = np.random.default_rng(7).normal(0, 0.005, galaxy.shape)
    profile = fitter(sky=0.0)(galaxy + noise, unit='nmgy', pixel_scale=PIXEL,
                              ellipticity=eps, pa=pa, radii=[8, 16, 32])
    free = fitter(sky=0.0)(galaxy + noise, unit='nmgy', pixel_scale=PIXEL,
                           ellipticity=eps, pa=pa)
    sma = free['radius'].value / PIXEL
    for one, rows in ((profile, [0, 1, 2]), (free, np.searchsorted(
            sma, [8, 16]))):
        true = [light_within(galaxy, a, eps, pa) for a in one[
            'radius'].value[rows] / PIXEL]
        off = one['mag_enclosed'].value[rows] - 22.5 + 2.5 * np.log10(true)
        assert np.all(np.abs(off) < 0.02)


def star(flux, x, y):
    row, column = np.mgrid[:128, :128]
    return gaussian_filter(flux / (2 * np.pi) * np.exp(
        -0.5 * ((column - x)**2 + (row - y)**2)), 1.0)


def test_star_on_a_long_side(galaxy):
    """
    Along ellipses across the galaxy, it stood for the galaxy's own light.
    """
    t = np.radians(30)
    noise = np.random.default_rng(8).normal(0, 0.01, galaxy.shape)
    image = galaxy + star(16.0, X0 + 11 * np.cos(t),
                          Y0 + 11 * np.sin(t)) + noise
    profile = Pix2ProfFitter()(image, unit='nmgy', pixel_scale=PIXEL,
                               ellipticity=0.3, pa=120)
    sma = profile['radius'].value / PIXEL
    inside = (sma > 4) & (sma < 20)
    true = np.array([mean_along(galaxy, a, 0.3, 120) for a in sma[inside]])
    off = PIXEL**2 * profile['intensity'].value[inside] / true - 1
    assert np.all(np.abs(off) < 0.15)


def test_hidden_part_of_a_long_side(galaxy):
    """
    The long side opposite missing pixels is no object.
    """
    t = np.radians(30)
    y, x = np.mgrid[:128, :128]
    mask = np.hypot(x - X0 - 10 * np.cos(t), y - Y0 - 10 * np.sin(t)) < 5
    noise = np.random.default_rng(9).normal(0, 0.01, galaxy.shape)
    fitter = Pix2ProfFitter()
    both = [fitter(galaxy + noise, unit='nmgy', pixel_scale=PIXEL,
                   mask=part, ellipticity=0.5, pa=120)
            for part in (None, mask)]
    last = [np.interp(4.0, one['radius'].value, one['mag_enclosed'].value)
            for one in both]
    assert last[1] - last[0] == pytest.approx(0, abs=0.06)


def test_magnitude_with_a_star_on_a_long_side(galaxy):
    t = np.radians(30)
    noise = np.random.default_rng(8).normal(0, 0.01, galaxy.shape)
    fitter = Pix2ProfFitter()
    mags = [np.interp(6.0, one['radius'].value, one['mag_enclosed'].value)
            for one in (fitter(
                galaxy + more + noise, unit='nmgy', pixel_scale=PIXEL,
                ellipticity=0.3, pa=120) for more in (0, star(
                    16.0, X0 + 11 * np.cos(t), Y0 + 11 * np.sin(t))))]
    assert mags[1] - mags[0] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize('seed', [1, 2])
def test_objects_on_opposite_sides(galaxy, seed):
    """
    Along the ellipses of another band, they were the galaxy's long sides.
    """
    t = np.radians(55)
    dx, dy = 11 * np.cos(t), 11 * np.sin(t)
    image = (galaxy + star(9.0, X0 + dx, Y0 + dy)
             + star(8.0, X0 - dx, Y0 - dy)
             + np.random.default_rng(seed).normal(0, 0.01, galaxy.shape))
    profile = Pix2ProfFitter()(image, unit='nmgy', pixel_scale=PIXEL,
                               ellipticity=0.5, pa=30)
    sma = profile['radius'].value / PIXEL
    inside = (sma > 4) & (sma < 25)
    true = np.array([mean_along(galaxy, a, 0.5, 30) for a in sma[inside]])
    off = PIXEL**2 * profile['intensity'].value[inside] / true - 1
    assert np.all(np.abs(off) < 0.1)
