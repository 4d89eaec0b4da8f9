# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests of the masks of other objects in isophote fits.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import GalaxyFlag, IsophoteFitter, RingFlag

SHAPE = (151, 153)
CENTRE = (76.3, 74.6)
Y, X = np.indices(SHAPE)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}


def _cusp():
    """
    Make a galaxy with a steep peak.
    """
    radius = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.7)
    return gaussian_filter(3000 * np.exp(-2.5 * (radius + 0.05)**0.5), 1.3)


def _image(light, seed=7):
    return light + np.random.default_rng(seed).normal(0, 0.3, SHAPE)


@pytest.mark.parametrize('away', [(2.1, 0.5), (-3.2, 2.8)])
def test_position_beside_nucleus(away):
    """
    The nucleus beside a position that is held is that of the galaxy.
    """
    light = _cusp()
    position = tuple(np.add(CENTRE, away))
    fit = IsophoteFitter(fit_centre=False).fit(
        _image(light), position=position, **OPTIONS)
    assert fit.centre == pytest.approx(position, abs=1e-6)
    assert not fit.mask.any()
    profile = fit.profile
    assert not profile.meta['flag'] & GalaxyFlag.HEAVILY_MASKED
    # the light within a circle about the position, from the pixels
    distance = np.hypot(X - position[0], Y - position[1])
    total = 22.5 - 2.5 * np.log10(light[distance < 30].sum())
    ends = np.flatnonzero(~(profile['flag'] & RingFlag.EXTRAPOLATED > 0))
    assert profile['mag_enclosed'].value[ends[-1]] == pytest.approx(
        total, abs=0.2)


def test_star_beside_position():
    """
    A star brighter than the nucleus at the position is another object.
    """
    radius = np.hypot(X - CENTRE[0], (Y - CENTRE[1]) / 0.7)
    light = gaussian_filter(60 * np.exp(-radius / 6), 1.3)
    star = np.zeros(SHAPE)
    star[round(CENTRE[1]) + 3, round(CENTRE[0]) + 5] = 6000.0
    fit = IsophoteFitter(fit_centre=False).fit(
        _image(light + gaussian_filter(star, 1.3)), position=CENTRE,
        **OPTIONS)
    assert fit.mask[round(CENTRE[1]) + 3, round(CENTRE[0]) + 5]
    assert fit.mask.sum() < 800
    assert fit.profile.meta['flag'] & GalaxyFlag.NEIGHBOUR


def test_position_beyond_another_object():
    """
    What lies beside a position where nothing is seen is another object.
    """
    star = np.zeros(SHAPE)
    star[round(CENTRE[1]), round(CENTRE[0]) + 15] = 600.0
    fit = IsophoteFitter(fit_centre=False, search_radius=25).fit(
        _image(gaussian_filter(star, 1.3)), position=CENTRE, **OPTIONS)
    assert fit.mask[round(CENTRE[1]), round(CENTRE[0]) + 15]


@pytest.mark.parametrize(('height', 'wide'), [(30, 2.2), (24, 3.0)])
def test_lopsided_galaxy_in_coarse_pixels(height, wide):
    """
    The brighter half of a lopsided galaxy is no other object.
    """
    y, x = np.indices((96, 96))
    x, y = x - 48.49, y - 48.03
    r2 = (x / 0.85)**2 + y**2
    light = (255 * np.exp(-0.5 * r2 / 2.65**2)
             + 25 * np.exp(-np.sqrt(r2) / 4)
             + height * np.exp(-0.5 * (x**2 + (y + 5.5)**2) / wide**2))
    noise = np.random.default_rng(3).normal(size=light.shape)
    options = {'position': (48.5, 48), 'pixel_scale': 1.0, 'zeropoint': 25.0}
    fit = IsophoteFitter().fit(light + noise, **options)
    assert light[fit.mask].sum() < 0.01 * light.sum()
    assert not fit.profile.meta['flag'] & GalaxyFlag.POINT_SOURCE
    # a star beyond it is one, alone
    star = 45 * np.exp(-0.5 * (x**2 + (y + 12)**2))
    fit = IsophoteFitter().fit(light + star + noise, **options)
    assert fit.mask[36, 48]
    assert light[fit.mask].sum() < 0.15 * light.sum()


@pytest.mark.parametrize('angle', [0.4, 2.2, 4.5])
@pytest.mark.parametrize(('away', 'part'), [(4.2, 0.3), (6.0, 0.25)])
def test_star_that_blends_with_nucleus(angle, away, part):
    """
    A star that is no peak of its own is masked, and the centre found.
    """
    light = _cusp()
    x, y = (CENTRE[0] + away * np.cos(angle), CENTRE[1] + away * np.sin(angle))
    star = part * light.max() * np.exp(
        -4 * np.log(2) * ((X - x)**2 + (Y - y)**2) / 3.6**2)
    left_in, alone, fit = (
        IsophoteFitter(mask_sources=masks).fit(_image(image), **OPTIONS)
        for image, masks in ((light + star, False), (light, True),
                             (light + star, True)))
    assert not alone.mask.any()
    assert fit.mask[round(y), round(x)]
    assert fit.mask.sum() < 300
    assert fit.profile.meta['flag'] & GalaxyFlag.NEIGHBOUR
    assert np.hypot(*np.subtract(fit.centre, CENTRE)) < 0.25
    part = alone.sma < 12
    true = alone.profile['surface_brightness'][part].value
    wrong, right = (np.abs(np.interp(
        alone.sma[part], other.sma,
        other.profile['surface_brightness'].value) - true).max()
        for other in (left_in, fit))
    assert wrong > 0.2
    assert right < 0.13


def test_wide_source_beside_nucleus():
    """
    What is wider than stars is masked only if the PSF is as wide.
    """
    light = gaussian_filter(_cusp(), 2.2)
    x, y = X - CENTRE[0] - 4.4, Y - CENTRE[1] - 2.9
    source = 0.2 * light.max() * np.exp(
        -4 * np.log(2) * (x**2 + y**2) / 5.9**2)
    image = _image(light + source)
    fit = IsophoteFitter().fit(image, **OPTIONS)
    assert not fit.mask[78, 81]
    assert fit.profile.meta['flag'] & GalaxyFlag.NEIGHBOUR
    fit = IsophoteFitter().fit(image, psf_fwhm=5.9 * 0.4, **OPTIONS)
    assert fit.mask[78, 81]
    assert fit.profile.meta['flag'] & GalaxyFlag.NEIGHBOUR
