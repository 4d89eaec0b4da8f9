# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Tests that both fitters tell of cores and skies that are not what they seem.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astro_pix2prof import (
    GalaxyFlag,
    IsophoteFitter,
    Pix2ProfFitter,
    RingFlag,
)

SHAPE = (131, 127)
OPTIONS = {'unit': 'nmgy', 'pixel_scale': 0.4}
FITTERS = {'rings': Pix2ProfFitter, 'isophotes': IsophoteFitter}


@pytest.fixture(scope='module', params=list(FITTERS))
def fitter(request):
    return FITTERS[request.param]()


def _image(peak=300.0, seed=1):
    y, x = np.mgrid[:SHAPE[0], :SHAPE[1]]
    r = np.hypot(x - 63.4, (y - 65.2) / 0.7)
    galaxy = peak * gaussian_filter(np.exp(-r / 7.0), 1.3)
    return galaxy, np.random.default_rng(seed).normal(size=SHAPE)


def test_full_wells_that_differ(fitter):
    galaxy, noise = _image()
    plain = fitter(galaxy + noise, **OPTIONS)
    assert not plain.meta['flag'] & GalaxyFlag.SATURATED
    assert not np.any(plain['flag'] & RingFlag.SATURATED)
    level = 90 * np.random.default_rng(2).normal(1, 0.02, SHAPE)
    profile = fitter(np.minimum(galaxy + noise, level), **OPTIONS)
    assert profile.meta['flag'] & GalaxyFlag.SATURATED
    full = (profile['flag'] & RingFlag.SATURATED) != 0
    # (the galaxy has the level at 6.8 pixels, 2.7 arcsec)
    radius = profile['radius'].value
    assert full[radius < 1.8].all()
    assert not full[radius > 4].any()


@pytest.mark.parametrize('factor', [1.0, 1e-12])
def test_coarse_steps(fitter, factor):
    galaxy, noise = _image(100.0)
    image = galaxy + noise + 0.9
    fine, coarse = (fitter(np.round(image / step) * step * factor, **OPTIONS)
                    for step in (0.5, 4.0))
    assert not fine.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
    assert coarse.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
    # 0.26 nmgy, the scatter over all levels, for ring and sky
    error = coarse.meta['sky_err'] / factor
    assert 0.25 < error < 0.75
    assert fine.meta['sky_err'] / factor < 0.2


def test_blank_of_the_level_of_the_sky(fitter):
    galaxy, noise = _image(100.0)
    image = np.round(galaxy + noise)
    x = np.arange(SHAPE[1])
    blank = (x > 72) & (x < 90)
    image[:, blank] = 0.0
    fit = fitter.fit(image, **OPTIONS)
    assert fit.cutout.mask[:, blank].all()
    profile = fit.profile
    radius = profile['radius'].value / 0.4
    assert profile['n_valid'][np.argmin(np.abs(radius - 16))] < 0.95
    plain = fitter(np.round(galaxy + noise), **OPTIONS)
    for at in (14.0, 18.0):
        one, two = (np.interp(at, p['radius'].value / 0.4,
                              p['surface_brightness'].value)
                    for p in (profile, plain))
        assert abs(one - two) < 0.12


@pytest.mark.parametrize('stated', [False, True])
def test_crater(fitter, stated):
    galaxy, noise = _image()
    full = galaxy > 90
    image = np.where(full, 30.0, galaxy) + noise
    options = dict(OPTIONS, saturation=88.0) if stated else OPTIONS
    profile = fitter(image, **options)
    assert profile.meta['flag'] & GalaxyFlag.SATURATED
    ring = (profile['flag'] & RingFlag.SATURATED) != 0
    radius = profile['radius'].value
    # (the galaxy has the level at 8.4 pixels, 3.4 arcsec)
    assert ring[radius < 3].all()
    assert not ring[radius > 4.6].any()


def test_errors_hold_what_saturation_hides(fitter):
    galaxy, noise = _image()
    image = np.minimum(galaxy + noise, 90.0)
    radii = [0.4, 0.8, 1.2, 1.6]
    options = dict(OPTIONS, ellipticity=0.3, pa=90)
    true = fitter(galaxy + noise, radii=radii, **options)
    for profile in (fitter(image, radii=radii, **options),
                    fitter(image, **options)):
        radius = profile['radius'].value
        at = np.interp(radii, radius, profile['surface_brightness'].value)
        error = np.interp(radii, radius,
                          profile['surface_brightness_err'].value)
        off = at - true['surface_brightness'].value
        assert np.all(off > 0.15)
        assert np.all(off < 2 * error)
        assert not np.any(profile['flag'][radius < 3] & RingFlag.LOW_SNR)


@pytest.mark.parametrize('limit', [-0.5, 0.0])
@pytest.mark.parametrize('missing', [False, True])
def test_sky_that_is_cut_off(fitter, limit, missing):
    galaxy, noise = _image(100.0)
    image = galaxy + noise
    profile = fitter(np.where(image > limit, image, np.nan if missing
                              else limit), **OPTIONS)
    assert profile.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
    # 0.40 and 0.20 nmgy are what the mean of the sky is too high by
    assert profile.meta['sky_err'] > 0.15
    radius = profile['radius'].value
    use = (radius > 3) & (radius < 12)
    true = 100 * np.exp(-radius[use] / 0.4 / 7) / 0.4**2
    off = profile['intensity'].value[use] - true
    assert np.all(np.abs(off) < 3 * profile['intensity_err'].value[use])


def test_steps_that_leave_no_sky(fitter):
    galaxy, noise = _image()
    profile = fitter(np.round((galaxy + noise) / 8) * 8, **OPTIONS)
    assert profile.meta['flag'] & GalaxyFlag.SKY_UNCERTAIN
    assert profile.meta['sky_err'] > 2
    assert not profile.meta['flag'] & GalaxyFlag.SATURATED
